"""Storing records: the row, the record as readers get it, and the journal entry, in one transaction."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from importlib.resources import files
from typing import Any, TypeVar

import sqlalchemy as sa
from pydantic import BaseModel, JsonValue
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import ARRAY, JSON
from sqlmodel import Field, SQLModel, col

from mmptf_common.storage.journal import Write
from mmptf_common.wire.sources import SourceRef

# A record as PostgreSQL holds it and passes it on: what is done with one is done with its model.
JsonObject = dict[str, JsonValue]
Stated = TypeVar("Stated", bound=BaseModel)


class Record(SQLModel):
    """What every table of records has.

    code:    never changes; a renamed record keeps its old code as a row of `renamed_code`
    record:  exactly what a reader gets, as text that PostgreSQL passes through unread
    updated: when the record last changed (UTC)
    """

    # Byte order is the same on every server, whatever locale it was set up with.
    code: str = Field(primary_key=True, sa_type=sa.Text(collation="C"))
    record: JsonObject = Field(sa_type=JSON)
    updated: datetime = Field(sa_type=sa.DateTime(timezone=True), index=True)


def codes() -> Any:
    """A column that holds several codes."""
    return Field(sa_type=ARRAY(sa.Text))


def renamed_code_table(metadata: sa.MetaData) -> sa.Table:
    """Codes that were renamed: a request for `code` is led to `current` for good."""
    return sa.Table(
        "renamed_code",
        metadata,
        sa.Column("entity", sa.Text, primary_key=True),
        sa.Column("code", sa.Text, primary_key=True),
        sa.Column("current", sa.Text, nullable=False),
    )


def read_packaged(package: str, name: str, model: type[Stated], **members: object) -> list[Stated]:
    """The records of one file of the data that a service's package carries; raises ValidationError when one is no such.

    members: what the file says of none of them, such as when they are loaded
    """
    entries: list[JsonObject] = json.loads((files(package) / "data" / f"{name}.json").read_text("utf-8"))
    return [model.model_validate({**entry, **members}) for entry in entries]


def moment_text(moment: datetime) -> str:
    """A moment as RFC 3339 in UTC, the way every record writes it."""
    return moment.isoformat().replace("+00:00", "Z")


def submission(write: Write, path: str, field: str, note: str | None = None) -> SourceRef:
    """The source of a fact that was written over HTTP: nobody verified it, and the history of its record names it.

    path: of the record; note: who stated it, or on what it rests
    """
    return SourceRef(
        field=field,
        document="submission",
        line=None,
        locator=f"{path}/history?after={write.first - 1}",
        as_printed=None,
        verified=False,
        note=note,
    )


async def put(write: Write, rows: Sequence[Record]) -> None:
    """Store rows of one table as they are, whether they were there or not, a thousand with one statement."""
    if not rows:
        return
    model = type(rows[0])
    insert = postgresql.insert(model)
    stated = {name: insert.excluded[name] for name in model.model_fields if name != "code"}
    upsert = insert.on_conflict_do_update(index_elements=["code"], set_=stated)
    # The triggers run for each statement. What returns something is sent as few: without, each row would be one, and so
    # would it be where neighbours lack different members, as long as what is null is left out.
    returning = upsert.returning(col(model.code))
    members = [row.model_dump() for row in rows]
    await write.session.execute(returning, members, execution_options={"render_nulls": True})


async def load(write: Write, rows: Iterable[Record], *, keep_corrections: bool = True) -> Counter[str]:
    """Store records as they are stated now; returns how many were created and amended, none of what is there already.

    A record that somebody else has changed since this author wrote it is left alone, unless `keep_corrections` is
    false: a correction made by an operator outlives the data of the next release. Nothing is ever removed.
    """
    incoming = {row.code: row for row in rows}
    model = type(next(iter(incoming.values())))
    found = await write.session.execute(sa.select(col(model.code), col(model.record)))
    stored = {row.code: row.record for row in found}
    corrected = await _changed_by_others(write, model) if keep_corrections else set()
    created = [row for code, row in incoming.items() if code not in stored]
    amended = [
        row
        for code, row in incoming.items()
        if code in stored and code not in corrected and _content(stored[code]) != _content(row.record)
    ]
    await put(write, created + amended)
    return Counter(create=len(created), amend=len(amended))


def _content(record: JsonObject) -> JsonObject:
    return {name: value for name, value in record.items() if name != "updated"}


async def _changed_by_others(write: Write, model: type[Record]) -> set[str]:
    changed = await write.session.scalars(
        sa.text(
            "SELECT DISTINCT key FROM change JOIN revision ON seq BETWEEN first AND number"
            " WHERE entity = :entity AND actor <> :actor"
        ),
        {"entity": model.__table__.info["entity"], "actor": write.author.actor},  # type: ignore[attr-defined]
    )
    return set(changed)
