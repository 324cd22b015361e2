"""Tables of records: each row holds the record as it is sent to readers, and triggers write the journal."""

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

# A record as the JSON that PostgreSQL stores. Code that uses its members takes the record's model instead.
JsonObject = dict[str, JsonValue]
Stated = TypeVar("Stated", bound=BaseModel)


class Record(SQLModel):
    """The columns of every table of records.

    code:    never changes in a row; the old code of a renamed record becomes a row of `renamed_code`
    record:  the JSON that is sent to readers; PostgreSQL stores its text unchanged
    updated: when the record last changed (UTC)
    """

    # Byte order is the same on every server, whatever locale it was set up with.
    code: str = Field(primary_key=True, sa_type=sa.Text(collation="C"))
    record: JsonObject = Field(sa_type=JSON)
    updated: datetime = Field(sa_type=sa.DateTime(timezone=True), index=True)


def codes() -> Any:
    """A column of several codes."""
    return Field(sa_type=ARRAY(sa.Text))


def renamed_code_table(metadata: sa.MetaData) -> sa.Table:
    """The table of renamed codes: a request for `code`, in any case, is redirected to `current` permanently."""
    return sa.Table(
        "renamed_code",
        metadata,
        sa.Column("entity", sa.Text, primary_key=True),
        sa.Column("code", sa.Text, primary_key=True),
        sa.Column("current", sa.Text, nullable=False),
    )


# SQL of the present code of a renamed record, whose parameters are its entity and its earlier code in any case.
PRESENT_CODE = (
    "SELECT current FROM renamed_code WHERE entity = {entity} AND lower(code) = lower({code})"
    " ORDER BY code = {code} DESC, code LIMIT 1"
)


def read_packaged(package: str, name: str, model: type[Stated], **members: object) -> list[Stated]:
    """The records of one file of a service's packaged data; raises ValidationError when one does not fit the model.

    members: values for every record that the file does not contain, such as the time of loading
    """
    entries: list[JsonObject] = json.loads((files(package) / "data" / f"{name}.json").read_text("utf-8"))
    return [model.model_validate({**entry, **members}) for entry in entries]


def moment_text(moment: datetime) -> str:
    """A moment as RFC 3339 text, with `Z` for UTC, as in every record."""
    return moment.isoformat().replace("+00:00", "Z")


def submission(write: Write, path: str, field: str, note: str | None = None) -> SourceRef:
    """The source of a fact that was written over HTTP: not verified, with the record's history as its locator.

    path: of the record; note: who stated the fact, or what it is based on
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
    """Insert or update rows of one table, up to a thousand with one statement."""
    if not rows:
        return
    model = type(rows[0])
    insert = postgresql.insert(model)
    stated = {name: insert.excluded[name] for name in model.model_fields if name != "code"}
    upsert = insert.on_conflict_do_update(index_elements=["code"], set_=stated)
    # The triggers run for each statement. SQLAlchemy batches rows into few statements only with RETURNING, and only
    # while successive rows have the same columns, so null values are not left out.
    returning = upsert.returning(col(model.code))
    members = [row.model_dump() for row in rows]
    await write.session.execute(returning, members, execution_options={"render_nulls": True})


async def load(write: Write, rows: Iterable[Record], *, keep_corrections: bool = True) -> Counter[str]:
    """Store new and changed records; returns how many were created (`create`) and amended (`amend`).

    A record that another author has changed is left as it is, unless `keep_corrections` is false, so that an
    operator's correction is not overwritten by the data of the next release. No record is deleted.
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
