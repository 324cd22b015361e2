"""Replication of another service's records: all of its changes are applied in order, and the copy has a known age."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import httpx
import sqlalchemy as sa
from pydantic import BaseModel, ValidationError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from mmptf_common.process.client import open_client
from mmptf_common.storage.engines import Database
from mmptf_common.storage.failures import problem_of
from mmptf_common.storage.journal import Author, Write, begin_write
from mmptf_common.storage.records import JsonObject, Record, put
from mmptf_common.wire.base import ResponseModel
from mmptf_common.wire.pages import ChangeRecord

log = logging.getLogger(__name__)

WAIT_SECONDS = 10
ANSWER_SECONDS = WAIT_SECONDS + 10.0
PAGE = 1000
# A source that fails is asked again after the first pause, and the pause doubles until it is the last.
FIRST_PAUSE, LAST_PAUSE = 0.5, 30.0

RemoteRecord = Mapping[str, Any]
Item = TypeVar("Item")


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


class FeedPage(BaseModel):
    """The members of a page of changes that replication reads."""

    items: list[ChangeRecord]
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

    def behind(self, changes: list[ChangeRecord], last: int) -> Position:
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


_POSITION = sa.text("SELECT last, stored, stored_at FROM replication WHERE service = :service")
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

    async def run(self) -> None:
        """Replicate until cancelled."""
        async with open_client(seconds=ANSWER_SECONDS) as client:
            while True:
                try:
                    await self._replicate_one_journal(client)
                except AlreadyApplied:
                    continue
                except (httpx.HTTPError, ValidationError) as error:
                    self._log_failure(error)
                except Exception as error:
                    # An unreachable database is expected to return; no other error may end replication either.
                    if not problem_of(error):
                        log.exception("replication failed", extra={"service": self._replication.service})
                    else:
                        self._log_failure(error)
                await asyncio.sleep(self._pause)
                self._pause = min(2 * self._pause, LAST_PAUSE)

    async def _replicate_one_journal(self, client: httpx.AsyncClient) -> None:
        """Replicate until the source is restored; then reset the position, so that everything is copied again."""
        try:
            await self._replicate(client)
        except HistoryReplaced:
            log.warning("the source was restored", extra={"service": self._replication.service})
            await self._forget()

    def _log_failure(self, error: Exception) -> None:
        extra = {"service": self._replication.service, "reason": f"{type(error).__name__}: {error}"}
        log.warning("the source cannot be replicated", extra=extra)

    async def _replicate(self, client: httpx.AsyncClient) -> None:
        position = await self._position()
        if position is None:
            position = await self._copy_whole(client)
        else:
            await self._require_same_journal(client, position)
        pending: list[ChangeRecord] = []
        seen = position
        while True:
            page = await self._after(client, seen, wait=WAIT_SECONDS)
            seen = seen.behind(page.items, page.last)
            pending += page.items
            # The last write of a page may continue on the next one, and has to be stored in one transaction.
            whole = [c for c in pending if c.revision != pending[-1].revision] if page.more else pending
            if whole or not page.more:
                position = await self._store(position, whole, whole[-1].seq if page.more else page.last, not page.more)
            pending = pending[len(whole) :]
            self._pause = FIRST_PAUSE

    async def _page(self, client: httpx.AsyncClient, **query: int) -> FeedPage:
        entities = [replicated.entity for replicated in self._replication.entities]
        answer = await client.get(self._feed, params={"entity": entities, "limit": PAGE, **query})
        if answer.status_code == httpx.codes.CONFLICT:
            raise HistoryReplaced
        return FeedPage.model_validate_json(answer.raise_for_status().content)

    async def _after(self, client: httpx.AsyncClient, seen: Position, *, wait: int = 0) -> FeedPage:
        """The changes after a position; raises HistoryReplaced where they are those of another journal."""
        page = await self._page(client, after=seen.last, wait=wait)
        # After the request and not before it, since the source may be restored while it answers.
        await self._require_same_journal(client, seen)
        return page

    async def _require_same_journal(self, client: httpx.AsyncClient, seen: Position) -> None:
        """Raise HistoryReplaced where the source's changes up to a position are not those that were replicated."""
        page = await self._page(client, after=max(0, seen.stored - 1), limit=2)
        found = [(change.seq, change.at) for change in page.items if change.seq <= seen.last]
        if page.revision < seen.last or found != ([(seen.stored, seen.stored_at)] if seen.stored else []):
            raise HistoryReplaced

    async def _position(self) -> Position | None:
        async with self._database.sessions() as session:
            found = await session.execute(_POSITION, {"service": self._replication.service})
            row = found.one_or_none()
        return Position(row.last, row.stored, row.stored_at) if row and row.last else None

    async def _forget(self) -> None:
        """Reset the position; the copied rows stay until everything is copied again."""
        async with self._database.sessions() as session, session.begin():
            await session.execute(_FORGET, {"service": self._replication.service})

    async def _store(self, before: Position, changes: list[ChangeRecord], last: int, caught_up: bool) -> Position:
        """Store changes and the new position in one transaction; returns the position.

        Raises AlreadyApplied where another process has stored them already.
        """
        after = before.behind(changes, last)
        async with self._database.sessions() as session, session.begin():
            write = await self._begin(session) if changes else None
            moved = await session.execute(
                _MOVE,
                {
                    "service": self._replication.service,
                    "before": before.last,
                    "last": after.last,
                    "stored": after.stored,
                    "stored_at": after.stored_at,
                    "caught_up": caught_up,
                },
            )
            if not moved.rowcount:  # type: ignore[attr-defined]
                raise AlreadyApplied
            if write:
                await self._put(write, {(c.entity, c.key): c.after for c in changes})
        return after

    async def _copy_whole(self, client: httpx.AsyncClient) -> Position:
        """Copy all present records of the source in one write, so that no reader gets a part of them.

        Returns the position. Raises AlreadyApplied where another process has stored a copy already.
        """
        records: dict[tuple[str, str], JsonObject | None] = {}
        position, more = BEGINNING, True
        while more:
            page = await self._after(client, position)
            records.update({(change.entity, change.key): change.after for change in page.items})
            position, more = position.behind(page.items, page.last), page.more
        async with self._database.sessions() as session, session.begin():
            write = await self._begin(session)
            added = await session.execute(
                _BEGIN,
                {
                    "service": self._replication.service,
                    "last": position.last,
                    "stored": position.stored,
                    "stored_at": position.stored_at,
                },
            )
            if not added.rowcount:  # type: ignore[attr-defined]
                raise AlreadyApplied
            for replicated in self._replication.entities:
                codes: sa.ScalarResult[str] = await session.scalars(sa.select(col(replicated.row.code)))
                for code in codes:
                    records.setdefault((replicated.entity, code), None)
            await self._put(write, records)
        return position

    async def _begin(self, session: AsyncSession) -> Write:
        return await begin_write(session, Author(f"follower of {self._replication.service}"), "followed")

    async def _put(self, write: Write, records: Mapping[tuple[str, str], JsonObject | None]) -> None:
        """Insert, update or delete the rows of records; None deletes."""
        for replicated in self._replication.entities:
            code_of, record_of = col(replicated.row.code), col(replicated.row.record)
            of_entity = [(code, record) for (entity, code), record in records.items() if entity == replicated.entity]
            for part in batched(of_entity, PAGE):
                rows = {
                    code: replicated.row_of(record, write.at) if record is not None else None for code, record in part
                }
                found = await write.session.execute(sa.select(code_of, record_of).where(code_of.in_(rows)))
                stored = {row.code: row.record for row in found}
                await put(write, [row for code, row in rows.items() if row and stored.get(code) != row.record])
                gone = [code for code in stored if rows[code] is None]
                await write.session.execute(sa.delete(replicated.row).where(code_of.in_(gone)))


def batched(items: list[Item], size: int) -> Iterator[list[Item]]:
    """The parts of a list in its order, each of at most `size` items."""
    return (items[at : at + size] for at in range(0, len(items), size))


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
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
