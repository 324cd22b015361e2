"""Tables of records: each row holds the record as it is sent to readers, and triggers write the journal."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any, TypeVar

import sqlalchemy as sa
from pydantic import BaseModel, JsonValue
from pydantic_core import to_json
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


StoredRecord = TypeVar("StoredRecord", bound=Record)
# The columns that no answer shows: the words of searches, and the form in which commands read a programme.
UNSEEN = {"words", "stated"}
# The number of rows that are read at once, where a table may be long.
BATCH = 1000
# The number of rows of one statement, which is made without a pause for other requests.
WRITTEN_AT_ONCE = 500
# Rows that are compared with the stored ones without a pause for other requests.
COMPARED_AT_ONCE = 50


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
    """Insert or update rows of one table, up to five hundred with one statement."""
    if rows:
        await _insert(write, [row.model_dump() for row in rows], _put_statement(type(rows[0])))


async def add(write: Write, rows: Sequence[Record]) -> None:
    """Insert new rows of one table, up to five hundred with one statement."""
    if rows:
        await add_members(write, type(rows[0]), [row.model_dump() for row in rows])


async def add_members(write: Write, model: type[Record], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert new rows of a table, given as their columns: to make an instance of the model takes longer than to write
    it. A column that is left out is null.
    """
    await _insert(write, rows, _add_statement(model))


async def _insert(write: Write, rows: Sequence[Mapping[str, Any]], statement: str) -> None:
    # The triggers run for each statement. JSON keeps the texts of records as they are, and numbers as decimal texts.
    for first in range(0, len(rows), WRITTEN_AT_ONCE):
        some = rows[first : first + WRITTEN_AT_ONCE]
        columns = [{name: value for name, value in row.items() if name != "record"} for row in some]
        records = [to_json(row["record"]).decode() for row in some]
        await write.connection.execute(statement, to_json(columns).decode(), records)


@cache
def _add_statement(model: type[Record]) -> str:
    """SQL that inserts rows of a table, which are the members of a JSON array; $2: their records.

    Within the JSON of the rows, PostgreSQL would parse each record twice more.
    """
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    columns = model.__table__.columns  # type: ignore[attr-defined]
    others = [name for name in model.model_fields if name != "record"]
    types = ", ".join(f"{name} {columns[name].type.compile(dialect)}" for name in others)
    names = ", ".join(others)
    return (
        f"INSERT INTO {model.__tablename__} ({names}, record) SELECT {names}, record::json"
        f" FROM ROWS FROM (json_to_recordset($1::json) AS ({types}), unnest($2::text[])) AS given({names}, record)"
    )


@cache
def _put_statement(model: type[Record]) -> str:
    """SQL as of `_add_statement`, which also replaces the rows that are there."""
    new = ", ".join(f"{name} = excluded.{name}" for name in model.model_fields if name != "code")
    return f"{_add_statement(model)} ON CONFLICT (code) DO UPDATE SET {new}"


async def load(write: Write, rows: Iterable[Record], *, keep_corrections: bool = True) -> Counter[str]:
    """Store new and changed records; returns how many were created (`create`) and amended (`amend`).

    A record that another author has changed is left as it is, unless `keep_corrections` is false, so that an
    operator's correction is not overwritten by the data of the next release. No record is deleted.
    """
    incoming = {row.code: row for row in rows}
    model = type(next(iter(incoming.values())))
    stored = {row.code: row async for batch in _stored(write, model, list(incoming)) for row in batch}
    corrected = await changed_by_others(write, model) if keep_corrections else set()
    created = [row for code, row in incoming.items() if code not in stored]
    given = [(stored[code], row) for code, row in incoming.items() if code in stored and code not in corrected]
    return Counter(create=len(created), amend=await _put_changed(write, given, created))


async def derive_again(
    write: Write, model: type[StoredRecord], derived: Callable[[StoredRecord], StoredRecord]
) -> None:
    """Store the records of a table that differ once what they take from other records is derived again.

    It reaches the records that others have changed, too: what they have stated stays, and names and regions follow.
    derived: makes the row anew from a stored one, which it leaves as it is
    """
    async for batch in _stored(write, model):
        await _put_changed(write, [(row, derived(row)) for row in batch])


async def changed_by_others(write: Write, model: type[Record]) -> set[str]:
    """The codes of the records of a table that another author than the one of this write has created or changed."""
    changed = await write.session.scalars(
        sa.text(
            "SELECT DISTINCT key FROM change JOIN revision ON seq BETWEEN first AND number"
            " WHERE entity = :entity AND actor <> :actor"
        ),
        {"entity": model.__table__.info["entity"], "actor": write.author.actor},  # type: ignore[attr-defined]
    )
    return set(changed)


async def _stored(
    write: Write, model: type[StoredRecord], codes: Sequence[str] | None = None
) -> AsyncIterator[list[StoredRecord]]:
    """The rows of a table, of these codes or all, some at a time."""
    names = list(model.model_fields)
    rows = sa.select(*(getattr(model, name) for name in names)).order_by(col(model.code)).limit(BATCH)
    if codes is not None:
        rows = rows.where(col(model.code) == sa.func.any(sa.cast(codes, ARRAY(sa.Text))))
    last = ""
    while found := (await write.session.execute(rows.where(col(model.code) > last))).all():
        yield [model(**dict(zip(names, row, strict=True))) for row in found]
        last = found[-1].code


async def _put_changed(
    write: Write, pairs: Iterable[tuple[StoredRecord, StoredRecord]], created: Sequence[StoredRecord] = ()
) -> int:
    """Store the rows that differ from the stored ones, and new rows; returns the number of rows that differ.

    pairs: each stored row and the one in its place. A row that differs in what no answer shows alone keeps its record
    and its time: the same is read of it, so it is no change for the journal.
    """
    changed = []
    for number, (stored, row) in enumerate(pairs, 1):
        if not number % COMPARED_AT_ONCE:
            await asyncio.sleep(0)
        different = _members(stored), _members(row)
        if different[0] == different[1]:
            continue
        if all(different[0][name] == different[1][name] for name in different[0].keys() - UNSEEN):
            row.record, row.updated = stored.record, stored.updated
        else:
            row.updated = write.at
            row.record = {**row.record, "updated": moment_text(write.at)}
        changed.append(row)
    await put(write, [*created, *changed])
    return len(changed)


def _members(row: Record) -> JsonObject:
    """The columns of a row, and its record, without the time of its last change."""
    members = {name: getattr(row, name) for name in type(row).model_fields if name != "updated"}
    return {**members, "record": {name: value for name, value in row.record.items() if name != "updated"}}
