"""Replication of another service's records: all of its changes are applied in order, and the copy has a known age."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import httpx
import sqlalchemy as sa
from pydantic import BaseModel, ValidationError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession

from mmptf_common.process.client import open_client
from mmptf_common.process.tasks import end_task
from mmptf_common.storage.engines import Database, ReadKind, driver_connection, reading, write_engine
from mmptf_common.storage.failures import problem_of
from mmptf_common.storage.journal import Author, Write, begin_write
from mmptf_common.storage.records import JsonObject, Record
from mmptf_common.storage.writing import writing
from mmptf_common.wire.base import ResponseModel
from mmptf_common.wire.problems import ProblemError

log = logging.getLogger(__name__)

WAIT_SECONDS = 15
# While nothing changes, it is found out and stored so often that the copy has every change.
CONFIRM_SECONDS = 120.0
ANSWER_SECONDS = WAIT_SECONDS + 10.0
# Changes of a page: few at first, and as many as have about so many bytes later.
PAGE, FIRST_PAGE, PAGE_BYTES = 1000, 100, 2_000_000
# Rows that one statement writes of a long write of the source, so that each ends well within its time limit.
MERGED_ROWS = 50_000
# Rows of one part of a whole copy. A part is a write of its own, so other writers wait for one part at most.
PART_ROWS = 5_000
# One process at a time stores a whole copy. One that stands still meanwhile loses its connection after so many seconds.
_STORES_COPY, STORE_IDLE_SECONDS, STORE_LOOK_SECONDS = 0x636F7079, 30, 0.5
# Seconds from the start of a process in which a source that is not there yet is no warning: it may be starting, too.
START_SECONDS = 15.0
# A source that fails is asked again after the first pause, and the pause doubles until it is the last.
FIRST_PAUSE, LAST_PAUSE = 0.5, 30.0

RemoteRecord = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ReplicatedEntity:
    """One entity of another service, and the table in which this service stores its records.

    row_of: returns the row of a record, written at a moment; None where this service does not store the record
    """

    entity: str
    row: type[Record]
    row_of: Callable[[RemoteRecord, datetime], Record | None]


@dataclass(frozen=True, slots=True)
class Replication:
    """The entities that a service replicates of another one; an entity comes after those that its rows refer to."""

    service: str
    entities: tuple[ReplicatedEntity, ...]


class FeedChange(BaseModel):
    """The members of a change that replication reads."""

    seq: int
    revision: int
    at: datetime
    entity: str
    key: str
    after: JsonObject | None


class FeedPage(BaseModel):
    """The members of a page of changes that replication reads."""

    items: list[FeedChange]
    last: int
    more: bool
    revision: int


@dataclass(frozen=True, slots=True)
class Position:
    """The position in a source's journal.

    last: the `seq` up to which it was read; stored, stored_at: `seq` and moment of the last change of an entity that is
    replicated
    """

    last: int
    stored: int
    stored_at: datetime | None

    def behind(self, changes: list[FeedChange], last: int) -> Position:
        """The position after further changes, which were read up to `last`; there may be none."""
        newest = changes[-1] if changes else None
        return Position(last, newest.seq, newest.at) if newest else Position(last, self.stored, self.stored_at)


BEGINNING = Position(0, 0, None)


class HistoryReplaced(Exception):
    """The source's journal is not the one that was replicated: the source was restored to an earlier state."""


class AlreadyApplied(Exception):
    """Another process of this service has stored these changes already."""


def replication_table(metadata: sa.MetaData) -> sa.Table:
    """The table of the positions up to which each source was replicated.

    last: the last change that was read; stored, stored_at: the last one that was stored, by which a restored journal is
    recognized; caught_up: when the source last had no further changes. Where `last` is 0, everything is copied again. A
    migration that needs other members of the records empties this table, with the same effect.
    """
    return sa.Table(
        "replication",
        metadata,
        sa.Column("service", sa.Text, primary_key=True),
        sa.Column("last", sa.BigInteger, nullable=False),
        sa.Column("stored", sa.BigInteger, nullable=False),
        sa.Column("stored_at", sa.DateTime(timezone=True)),
        sa.Column("caught_up", sa.DateTime(timezone=True)),
    )


_POSITION = "SELECT last, stored, stored_at FROM replication WHERE service = $1"
_BEGIN = sa.text(
    "INSERT INTO replication (service, last, stored, stored_at, caught_up)"
    " VALUES (:service, :last, :stored, :stored_at, clock_timestamp())"
    " ON CONFLICT (service) DO UPDATE SET last = excluded.last, stored = excluded.stored,"
    " stored_at = excluded.stored_at, caught_up = excluded.caught_up WHERE replication.last = 0"
)
# `caught_up` is not changed: the age of the copy counts from it until there is a new copy.
_FORGET = sa.text("UPDATE replication SET last = 0, stored = 0, stored_at = NULL WHERE service = :service")
_MOVE = sa.text(
    "UPDATE replication SET last = :last, stored = :stored, stored_at = :stored_at,"
    " caught_up = CASE WHEN :caught_up THEN clock_timestamp() ELSE caught_up END"
    " WHERE service = :service AND last = :before"
)


class _Part(NamedTuple):
    """A part of a whole copy: the statement that puts or deletes the rows of a slice, and the slice."""

    statement: str
    slice: tuple[str, str]
    is_put: bool


class Staging:
    """The newest changes of records that are not stored yet, in temporary tables of a connection of its own.

    So a process needs no more memory for a million changes than for a page of them. Where the connection is lost, the
    tables are, too.
    """

    def __init__(self, replication: Replication, engine: AsyncEngine, connection: AsyncConnection) -> None:
        self._replication = replication
        self._engine = engine
        self.connection = connection
        self.reached = BEGINNING
        self.changes = 0
        self.began = time.monotonic()

    @classmethod
    async def open(cls, replication: Replication, database: Database) -> Staging:
        """Empty tables on a new connection, which is none of the pools that requests use."""
        engine = write_engine(database.session_url, size=1)
        try:
            connection = await engine.execution_options(isolation_level="AUTOCOMMIT").connect()
            staging = cls(replication, engine, connection)
            driver = await staging.driver()
            # The tables grow between the executions of a statement.
            await driver.execute("SET plan_cache_mode = force_custom_plan")
            for merge in map(_Merge, replication.entities):
                await driver.execute(merge.create)
        except BaseException:
            await engine.dispose()
            raise
        return staging

    async def close(self) -> None:
        # The tables end with the connection.
        await self.connection.invalidate()
        await self.connection.close()
        await self._engine.dispose()

    async def add(self, changes: list[FeedChange]) -> None:
        """Add changes that follow those before, with one statement for each entity."""
        driver = await self.driver()
        for entity, rows in (await asyncio.to_thread(_rows_of, self._replication, changes)).items():
            await driver.execute(_Merge(entity).add, rows)
        self.changes += len(changes)

    async def merge(self, write: Write) -> None:
        """Store all changes, which are of one write of the source."""
        driver = await self.driver()
        for merge in map(_Merge, self._replication.entities):
            await driver.execute(f"ANALYZE {merge.staged}")
            async for after, last in self.slices(merge.staged, MERGED_ROWS):
                await driver.execute(merge.put_slice, write.at, after, last)
            await driver.execute(merge.delete_staged)

    async def take_turn(self) -> None:
        """Return when no other process stores a whole copy: two at once would undo each other's newer records."""
        driver = await self.driver()
        # A part waits for other writers as long as a statement may take: to begin anew takes longer.
        await driver.execute(f"SET idle_session_timeout = '{STORE_IDLE_SECONDS}s'; SET lock_timeout = 0")
        lock = "SELECT pg_try_advisory_lock($1, hashtext($2))"
        # PostgreSQL has no event for it.
        while not await driver.fetchval(lock, _STORES_COPY, self._replication.service):  # noqa: ASYNC110
            await asyncio.sleep(STORE_LOOK_SECONDS)

    async def compare(self) -> int:
        """The number of rows that a whole copy puts or deletes; has to be called before `parts`."""
        driver = await self.driver()
        rows = 0
        for merge in map(_Merge, self._replication.entities):
            await driver.execute(f"ANALYZE {merge.staged}; {merge.find_gone}")
            rows += await driver.fetchval(
                f"SELECT (SELECT count(*) FROM {merge.staged}) + (SELECT count(*) FROM {merge.gone})"
            )
        return rows

    async def parts(self) -> AsyncIterator[_Part]:
        """The parts of a whole copy, in the order in which they are stored."""
        for merge in map(_Merge, self._replication.entities):
            async for after, last in self.slices(merge.staged, PART_ROWS):
                yield _Part(merge.put_slice, (after, last), is_put=True)
            async for after, last in self.slices(merge.gone, PART_ROWS):
                yield _Part(merge.delete_slice, (after, last), is_put=False)

    async def store(self, write: Write, part: _Part) -> None:
        """Store a part of a whole copy."""
        values = (write.at, *part.slice) if part.is_put else part.slice
        await (await self.driver()).execute(part.statement, *values)

    async def slices(self, table: str, rows: int) -> AsyncIterator[tuple[str, str]]:
        """The parts of a table in the order of its codes, each as the code before it and its last one."""
        driver = await self.driver()
        after = ""
        ends = f"SELECT max(code) FROM (SELECT code FROM {table} WHERE code > $1 ORDER BY code LIMIT $2) AS slice"
        while (last := await driver.fetchval(ends, after, rows)) is not None:
            yield after, last
            after = last

    async def driver(self) -> Any:
        return (await self.connection.get_raw_connection()).driver_connection


class _Merge:
    """The statements that bring the table of an entity into the state of its newest changes.

    Changes are rows of the table, with null as the record where it was deleted. They come as JSON, or are staged.
    """

    def __init__(self, replicated: ReplicatedEntity) -> None:
        table: str = replicated.row.__tablename__  # type: ignore[assignment]  # it is declared as a function
        names = [name for name in replicated.row.model_fields if name != "updated"]
        columns = ", ".join(names)
        new = ", ".join(f"{name} = excluded.{name}" for name in names if name != "code")
        sent = f"json_populate_recordset(NULL::{table}, $1)"
        self.staged = staged = f"staged_{table}"
        self.create = (
            f"CREATE TEMPORARY TABLE {staged} AS SELECT {columns} FROM {table} WITH NO DATA;"
            f" CREATE UNIQUE INDEX ON {staged} (code)"
        )
        self.add = (
            f"INSERT INTO {staged} ({columns}) SELECT {columns} FROM {sent} ON CONFLICT (code) DO UPDATE SET {new}"
        )
        # A record that is the same is not written, be its members in another order.
        put = (
            f"INSERT INTO {table} ({columns}, updated) SELECT {', '.join(f's.{name}' for name in names)}, {{at}}"
            f" FROM {{source}} AS s LEFT JOIN {table} AS t ON t.code = s.code {{of_table}} WHERE s.record IS NOT NULL"
            " AND (t.code IS NULL OR t.record::text <> s.record::text AND t.record::jsonb <> s.record::jsonb) {slice}"
            f" ORDER BY s.code ON CONFLICT (code) DO UPDATE SET {new}, updated = excluded.updated"
        )
        delete = f"DELETE FROM {table} AS t USING {{source}} AS s WHERE t.code = s.code AND s.record IS NULL"
        self.put_sent = put.format(source=sent, at="$2", slice="", of_table="")
        self.delete_sent = delete.format(source=sent)
        # Of both tables, so that none of them is read as a whole for each slice.
        bounds = [f"AND {name}.code > $2 AND {name}.code <= $3" for name in ("s", "t")]
        self.put_slice = put.format(source=staged, at="$1", slice=bounds[0], of_table=bounds[1])
        self.delete_staged = delete.format(source=staged)
        self.gone = f"gone_{table}"
        self.find_gone = (
            f"CREATE TEMPORARY TABLE {self.gone} AS SELECT code FROM {table} AS t WHERE NOT EXISTS"
            f" (SELECT FROM {staged} AS s WHERE s.code = t.code AND s.record IS NOT NULL);"
            f" CREATE UNIQUE INDEX ON {self.gone} (code); ANALYZE {self.gone}"
        )
        self.delete_slice = (
            f"DELETE FROM {table} AS t USING {self.gone} AS s WHERE t.code = s.code AND s.code > $1 AND s.code <= $2"
            " AND t.code > $1 AND t.code <= $2"
        )


def _rows_of(replication: Replication, changes: list[FeedChange]) -> dict[ReplicatedEntity, str]:
    """Entity -> the rows of its newest changes as JSON, of a deleted record the code alone."""
    newest = {(change.entity, change.key): change for change in changes}
    found: dict[ReplicatedEntity, list[JsonObject]] = {}
    for change in newest.values():
        for replicated in replication.entities:
            if replicated.entity == change.entity:
                row = replicated.row_of(change.after, change.at) if change.after is not None else None
                members: JsonObject = row.model_dump(mode="json", exclude={"updated"}) if row else {"code": change.key}
                found.setdefault(replicated, []).append(members)
    # As the engine writes JSON, since PostgreSQL stores the text of a record.
    return {entity: json.dumps(rows, ensure_ascii=False, separators=(",", ":")) for entity, rows in found.items()}


class Replicator:
    """Replicates a source for as long as the service runs; failures are logged, and the step is tried again.

    Several processes of a service may replicate at once: each skips changes that another one has stored.
    """

    def __init__(self, replication: Replication, origin: str, database: Database) -> None:
        """origin: `http://host:port` of the source."""
        self._replication = replication
        self._feed = f"{origin}/{replication.service}/v1/changes"
        self._database = database
        self._pause = FIRST_PAUSE
        self._limit = FIRST_PAGE
        self._began = time.monotonic()
        self._was_reached = False
        # What is staged of a whole copy, which goes on after a failure of the source.
        self._staging: Staging | None = None

    async def run(self) -> None:
        """Replicate until cancelled."""
        async with open_client(seconds=ANSWER_SECONDS) as client, AsyncExitStack() as stack:
            stack.push_async_callback(self._discard)
            while True:
                try:
                    await self._replicate_one_journal(client)
                except AlreadyApplied:
                    await self._discard()
                    continue
                except (httpx.HTTPError, ValidationError) as error:
                    self._log_failure(error)
                except Exception as error:
                    await self._discard()
                    # An unreachable database is expected to return; no other error may end replication either.
                    if isinstance(error, ProblemError) or problem_of(error):
                        self._log_failure(error)
                    else:
                        log.exception("replication failed", extra={"service": self._replication.service})
                await asyncio.sleep(self._pause)
                self._pause = min(2 * self._pause, LAST_PAUSE)

    async def _replicate_one_journal(self, client: httpx.AsyncClient) -> None:
        """Replicate until the source is restored; then reset the position, so that everything is copied again."""
        try:
            await self._replicate(client)
        except HistoryReplaced:
            log.warning("the source was restored", extra={"service": self._replication.service})
            await self._discard()
            await self._forget()
            # The source answers again, however long it did not.
            self._pause = FIRST_PAUSE

    def _log_failure(self, error: Exception) -> None:
        extra = {"service": self._replication.service, "reason": f"{type(error).__name__}: {error}"}
        is_starting = not self._was_reached and time.monotonic() - self._began < START_SECONDS
        level = logging.INFO if is_starting and isinstance(error, httpx.HTTPError) else logging.WARNING
        log.log(level, "the source cannot be replicated", extra=extra)

    async def _replicate(self, client: httpx.AsyncClient) -> None:
        position = await self._position()
        if position is None:
            position = await self._copy_whole(client)
        else:
            await self._require_same_journal(client, position)
        pending: list[FeedChange] = []
        seen = position
        confirmed = -math.inf
        async with AsyncExitStack() as stack:
            staging: Staging | None = None
            while True:
                asked = time.monotonic()
                page = await self._page(client, after=seen.last, wait=WAIT_SECONDS)
                now = time.monotonic()
                has_waited = now - asked >= WAIT_SECONDS
                if has_waited and page.last == seen.last and now - confirmed < CONFIRM_SECONDS:
                    self._pause = FIRST_PAUSE
                    continue
                # After the request and not before it, since the source may be restored while it answers.
                await self._require_same_journal(client, seen)
                confirmed = now
                seen = seen.behind(page.items, page.last)
                pending += page.items
                # The last write of a page may continue on the next one, and has to be stored in one transaction.
                whole = [c for c in pending if c.revision != pending[-1].revision] if page.more else pending
                if whole or not page.more:
                    reached = position.behind(whole, whole[-1].seq if page.more else page.last)
                    position = await self._store(position, whole, reached, not page.more, staging)
                    await stack.aclose()
                    staging, pending = None, pending[len(whole) :]
                elif len(pending) > 1:
                    if staging is None:
                        staging = await Staging.open(self._replication, self._database)
                        stack.push_async_callback(staging.close)
                    # The last one names the write.
                    await staging.add(pending[:-1])
                    pending = pending[-1:]
                self._pause = FIRST_PAUSE

    async def _page(self, client: httpx.AsyncClient, **query: int) -> FeedPage:
        entities = [replicated.entity for replicated in self._replication.entities]
        limit = min(PAGE, self._limit)
        answer = await client.get(self._feed, params={"entity": entities, "limit": limit, **query})
        if answer.status_code == httpx.codes.CONFLICT:
            raise HistoryReplaced
        content = answer.raise_for_status().content
        self._was_reached = True
        if "limit" not in query:
            self._limit = max(1, limit // 2) if len(content) > PAGE_BYTES else self._limit
            self._limit = min(PAGE, 2 * limit) if len(content) < PAGE_BYTES // 4 else self._limit
        return FeedPage.model_validate_json(content)

    async def _after(self, client: httpx.AsyncClient, seen: Position) -> FeedPage:
        """The changes after a position; raises HistoryReplaced where they are those of another journal."""
        page = await self._page(client, after=seen.last)
        await self._require_same_journal(client, seen)
        return page

    async def _require_same_journal(self, client: httpx.AsyncClient, seen: Position) -> None:
        """Raise HistoryReplaced where the source's changes up to a position are not those that were replicated."""
        page = await self._page(client, after=max(0, seen.stored - 1), limit=2)
        found = [(change.seq, change.at) for change in page.items if change.seq <= seen.last]
        if page.revision < seen.last or found != ([(seen.stored, seen.stored_at)] if seen.stored else []):
            raise HistoryReplaced

    async def _position(self) -> Position | None:
        async with reading(self._database, ReadKind.PAGE) as connection:
            row = await connection.fetchrow(_POSITION, self._replication.service)
        return Position(row["last"], row["stored"], row["stored_at"]) if row and row["last"] else None

    async def _forget(self) -> None:
        """Reset the position; the copied rows stay until everything is copied again."""
        async with writing(self._database) as session:
            await session.execute(_FORGET, {"service": self._replication.service})

    async def _store(
        self,
        before: Position,
        changes: list[FeedChange],
        after: Position,
        caught_up: bool,
        staging: Staging | None,
    ) -> Position:
        """Store changes and the new position in one transaction; returns the position.

        Raises AlreadyApplied where another process has stored them already.
        staging: earlier changes of the same write, if they are more than a page
        """
        if staging:
            await staging.add(changes)
        async with self._writing(staging) as session:
            write = await self._begin(session) if changes else None
            await self._move(session, _MOVE, after, before=before.last, caught_up=caught_up)
            if write and staging:
                await staging.merge(write)
            elif write:
                await self._put(write, changes)
        return after

    async def _move(self, session: AsyncSession, statement: sa.TextClause, after: Position, **others: object) -> None:
        """Store a position; raises AlreadyApplied where another process has stored one."""
        members = {"last": after.last, "stored": after.stored, "stored_at": after.stored_at}
        moved = await session.execute(statement, {"service": self._replication.service, **members, **others})
        if not moved.rowcount:  # type: ignore[attr-defined]
            raise AlreadyApplied

    def _writing(self, staging: Staging | None) -> AbstractAsyncContextManager[AsyncSession]:
        """A write; over the connection of what is staged, and as long as its rows take, where something is."""
        if staging is None:
            return writing(self._database)
        # One that is ended has to begin anew, and would take as long again.
        return writing(self._database, connection=staging.connection, is_long=True)

    async def _copy_whole(self, client: httpx.AsyncClient) -> Position:
        """Copy all present records of the source; returns the position.

        Raises AlreadyApplied where another process has stored a copy already. After a failure of the source it goes on
        with the page that failed.
        """
        staging = self._staging = self._staging or await Staging.open(self._replication, self._database)
        more = True
        while more:
            page = await self._after(client, staging.reached)
            await staging.add(page.items)
            staging.reached, more = staging.reached.behind(page.items, page.last), page.more
        await self._store_whole(staging)
        extra = {"changes": staging.changes, "seconds": round(time.monotonic() - staging.began, 1)}
        log.info("the source was copied", extra={"service": self._replication.service, **extra})
        await self._discard()
        return staging.reached

    async def _store_whole(self, staging: Staging) -> None:
        """Store a whole copy and its position: in one write, so that no reader gets a part of it, or else in parts.

        In parts, each a write of its own, other writers do not wait for all of it. Until the last one the copy is not
        complete, and where this process ends, another one begins anew.
        """
        await staging.take_turn()
        if await staging.compare() <= PART_ROWS:
            async with self._part(staging) as write:
                async for part in staging.parts():
                    await staging.store(write, part)
                await self._move(write.session, _BEGIN, staging.reached)
            return
        async for part in staging.parts():
            async with self._part(staging) as write:
                await staging.store(write, part)
        async with self._part(staging) as write:
            await self._move(write.session, _BEGIN, staging.reached)

    @asynccontextmanager
    async def _part(self, staging: Staging) -> AsyncIterator[Write]:
        """A write of a part of a whole copy; raises AlreadyApplied where another process has stored one meanwhile."""
        async with self._writing(staging) as session:
            write = await self._begin(session)
            position = await (await driver_connection(session)).fetchrow(_POSITION, self._replication.service)
            if position and position["last"]:
                raise AlreadyApplied
            yield write

    async def _discard(self) -> None:
        """Give up what is staged of a whole copy."""
        staging, self._staging = self._staging, None
        if staging:
            await staging.close()

    async def _begin(self, session: AsyncSession) -> Write:
        return await begin_write(session, Author(f"follower of {self._replication.service}"), "followed")

    async def _put(self, write: Write, changes: list[FeedChange]) -> None:
        """Insert, update or delete the rows of a page of changes, with two statements for each entity."""
        rows = await asyncio.to_thread(_rows_of, self._replication, changes)
        for replicated in self._replication.entities:
            if replicated in rows:
                merge = _Merge(replicated)
                await write.connection.execute(merge.put_sent, rows[replicated], write.at)
                await write.connection.execute(merge.delete_sent, rows[replicated])


class ReplicatedCopy(ResponseModel):
    """How far another service was replicated, and how long ago it last had no further changes.

    `caught_up` and `age_seconds` are null before the first copy.
    """

    service: str
    """The service whose records are copied."""
    reached: int
    """Position in the feed of the other service up to which its changes are copied."""
    caught_up: datetime | None
    """When the copy last had every change, in UTC; null before the first copy."""
    age_seconds: int | None
    """Seconds since then; null before the first copy."""


async def copy_state(connection: Any, service: str) -> ReplicatedCopy:
    """The state of the copy of another service's records."""
    row = await connection.fetchrow(
        "SELECT last AS reached, caught_up, extract(epoch FROM clock_timestamp() - caught_up)::int AS age_seconds"
        " FROM replication WHERE service = $1",
        service,
    )
    return ReplicatedCopy(service=service, **(row or {"reached": 0, "caught_up": None, "age_seconds": None}))


@asynccontextmanager
async def replicating(replication: Replication, origin: str, database: Database) -> AsyncIterator[None]:
    """Replicate a source in the background until the block ends."""
    task = asyncio.create_task(Replicator(replication, origin, database).run())
    try:
        yield
    finally:
        await end_task(task)
