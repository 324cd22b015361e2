"""A copy of another service's records, made by following its changes without a gap, with its age."""

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
from mmptf_common.storage.engines import Database, unavailable
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
    """The records of one entity of another service, and the row that this service keeps of each.

    row_of: the row of a document, written at a moment; None where this service keeps no row of the record
    """

    entity: str
    row: type[Record]
    row_of: Callable[[RemoteRecord, datetime], Record | None]


@dataclass(frozen=True, slots=True)
class Replication:
    """What a service keeps of another one, in the order in which its rows may refer to one another."""

    service: str
    copies: tuple[ReplicatedEntity, ...]


class FeedPage(BaseModel):
    """What a page of changes has to tell a follower."""

    items: list[ChangeRecord]
    last: int
    more: bool
    revision: int


@dataclass(frozen=True, slots=True)
class Position:
    """How far a source was followed; `stored` and `stored_at` are those of the last change that was found there."""

    last: int
    stored: int
    stored_at: datetime | None

    def behind(self, changes: list[ChangeRecord], last: int) -> Position:
        """The position behind more changes, which may be none of those up to `last`."""
        newest = changes[-1] if changes else None
        return Position(last, newest.seq, newest.at) if newest else Position(last, self.stored, self.stored_at)


BEGINNING = Position(0, 0, None)


class HistoryReplaced(Exception):
    """The source's journal is another one than was followed: it was restored to an earlier state."""


class AlreadyApplied(Exception):
    """Another process of this service has stored these changes already."""


def replication_table(metadata: sa.MetaData) -> sa.Table:
    """How far each source was followed.

    last: the last change that was looked at; stored, stored_at: the last one that was stored, by which the journal is
    known again; caught_up: when the source last said that there was nothing more. Where `last` is 0, everything is
    copied again. A migration that wants to know more of each record empties this table, with the same effect.
    """
    return sa.Table(
        "followed",
        metadata,
        sa.Column("service", sa.Text, primary_key=True),
        sa.Column("last", sa.BigInteger, nullable=False),
        sa.Column("stored", sa.BigInteger, nullable=False),
        sa.Column("stored_at", sa.DateTime(timezone=True)),
        sa.Column("caught_up", sa.DateTime(timezone=True)),
    )


_POSITION = sa.text("SELECT last, stored, stored_at FROM followed WHERE service = :service")
_BEGIN = sa.text(
    "INSERT INTO followed (service, last, stored, stored_at, caught_up)"
    " VALUES (:service, :last, :stored, :stored_at, clock_timestamp())"
    " ON CONFLICT (service) DO UPDATE SET last = excluded.last, stored = excluded.stored,"
    " stored_at = excluded.stored_at, caught_up = excluded.caught_up WHERE followed.last = 0"
)
# When it was last caught up stays: what is copied is as old as that until there is a new copy.
_FORGET = sa.text("UPDATE followed SET last = 0, stored = 0, stored_at = NULL WHERE service = :service")
_MOVE = sa.text(
    "UPDATE followed SET last = :last, stored = :stored, stored_at = :stored_at,"
    " caught_up = CASE WHEN :caught_up THEN clock_timestamp() ELSE caught_up END"
    " WHERE service = :service AND last = :before"
)


class Replicator:
    """Follows a source for as long as the service runs; what fails is told in the log and tried again.

    Every process of a service may follow: what one of them has stored, the others pass over.
    """

    def __init__(self, followed: Replication, origin: str, database: Database) -> None:
        """origin: `http://host:port` of the source."""
        self._followed = followed
        self._feed = f"{origin}/{followed.service}/v1/changes"
        self._database = database
        self._pause = FIRST_PAUSE

    async def run(self) -> None:
        """Follow until cancelled."""
        async with open_client(seconds=ANSWER_SECONDS) as client:
            while True:
                try:
                    await self._follow_one_journal(client)
                except AlreadyApplied:
                    continue
                except (httpx.HTTPError, ValidationError) as error:
                    self._tell(error)
                except Exception as error:
                    # A database that is away comes back; whatever else it is must not end the following for good.
                    if not unavailable(error):
                        log.exception("following failed", extra={"service": self._followed.service})
                    else:
                        self._tell(error)
                await asyncio.sleep(self._pause)
                self._pause = min(2 * self._pause, LAST_PAUSE)

    async def _follow_one_journal(self, client: httpx.AsyncClient) -> None:
        """Follow until the source is restored, and have everything copied again then."""
        try:
            await self._follow(client)
        except HistoryReplaced:
            log.warning("the source was restored", extra={"service": self._followed.service})
            await self._forget()

    def _tell(self, error: Exception) -> None:
        extra = {"service": self._followed.service, "reason": f"{type(error).__name__}: {error}"}
        log.warning("the source cannot be followed", extra=extra)

    async def _follow(self, client: httpx.AsyncClient) -> None:
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
            # The last write of a page may go on on the next one, and nobody is to see half of it.
            whole = [c for c in pending if c.revision != pending[-1].revision] if page.more else pending
            if whole or not page.more:
                position = await self._store(position, whole, whole[-1].seq if page.more else page.last, not page.more)
            pending = pending[len(whole) :]
            self._pause = FIRST_PAUSE

    async def _page(self, client: httpx.AsyncClient, **query: int) -> FeedPage:
        entities = [copied.entity for copied in self._followed.copies]
        answer = await client.get(self._feed, params={"entity": entities, "limit": PAGE, **query})
        if answer.status_code == httpx.codes.CONFLICT:
            raise HistoryReplaced
        return FeedPage.model_validate_json(answer.raise_for_status().content)

    async def _after(self, client: httpx.AsyncClient, seen: Position, *, wait: int = 0) -> FeedPage:
        """The changes behind what was seen; HistoryReplaced where they are those of another journal."""
        page = await self._page(client, after=seen.last, wait=wait)
        # Only now: a source may be restored while it is asked, and nothing but its changes tells.
        await self._require_same_journal(client, seen)
        return page

    async def _require_same_journal(self, client: httpx.AsyncClient, seen: Position) -> None:
        """Raise HistoryReplaced where the changes up to what was seen are others than those that were seen."""
        page = await self._page(client, after=max(0, seen.stored - 1), limit=2)
        found = [(change.seq, change.at) for change in page.items if change.seq <= seen.last]
        if page.revision < seen.last or found != ([(seen.stored, seen.stored_at)] if seen.stored else []):
            raise HistoryReplaced

    async def _position(self) -> Position | None:
        async with self._database.sessions() as session:
            found = await session.execute(_POSITION, {"service": self._followed.service})
            row = found.one_or_none()
        return Position(row.last, row.stored, row.stored_at) if row and row.last else None

    async def _forget(self) -> None:
        """Forget how far the source was followed, and keep what is copied until there is a whole copy again."""
        async with self._database.sessions() as session, session.begin():
            await session.execute(_FORGET, {"service": self._followed.service})

    async def _store(self, before: Position, changes: list[ChangeRecord], last: int, caught_up: bool) -> Position:
        """Store changes and how far they reach, together; Overtaken where it is stored already."""
        after = before.behind(changes, last)
        async with self._database.sessions() as session, session.begin():
            write = await self._begin(session) if changes else None
            moved = await session.execute(
                _MOVE,
                {
                    "service": self._followed.service,
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
        """Copy what the source has now in one write, so that nobody sees a part of it."""
        documents: dict[tuple[str, str], JsonObject | None] = {}
        position, more = BEGINNING, True
        while more:
            page = await self._after(client, position)
            documents.update({(change.entity, change.key): change.after for change in page.items})
            position, more = position.behind(page.items, page.last), page.more
        async with self._database.sessions() as session, session.begin():
            write = await self._begin(session)
            added = await session.execute(
                _BEGIN,
                {
                    "service": self._followed.service,
                    "last": position.last,
                    "stored": position.stored,
                    "stored_at": position.stored_at,
                },
            )
            if not added.rowcount:  # type: ignore[attr-defined]
                raise AlreadyApplied
            for copied in self._followed.copies:
                codes: sa.ScalarResult[str] = await session.scalars(sa.select(col(copied.row.code)))
                for code in codes:
                    documents.setdefault((copied.entity, code), None)
            await self._put(write, documents)
        return position

    async def _begin(self, session: AsyncSession) -> Write:
        return await begin_write(session, Author(f"follower of {self._followed.service}"), "followed")

    async def _put(self, write: Write, documents: Mapping[tuple[str, str], JsonObject | None]) -> None:
        """Bring rows to what their documents say; None deletes."""
        for copied in self._followed.copies:
            said = [(code, document) for (entity, code), document in documents.items() if entity == copied.entity]
            for part in batched(said, PAGE):
                told = {
                    code: copied.row_of(document, write.at) if document is not None else None for code, document in part
                }
                code_of, document_of = col(copied.row.code), col(copied.row.record)
                found = await write.session.execute(sa.select(code_of, document_of).where(code_of.in_(told)))
                kept = {row.code: row.record for row in found}
                await put(write, [row for code, row in told.items() if row and kept.get(code) != row.record])
                gone = [code for code in kept if told[code] is None]
                await write.session.execute(sa.delete(copied.row).where(code_of.in_(gone)))


def batched(items: list[Item], size: int) -> Iterator[list[Item]]:
    """Parts of a list, in its order."""
    return (items[at : at + size] for at in range(0, len(items), size))


class CopyState(ResponseModel):
    """How far another service was followed, and how long ago it last said that there was nothing more.

    `caught_up` and `age_seconds` are null before the first copy.
    """

    service: str
    reached: int
    caught_up: datetime | None
    age_seconds: int | None


async def copy_state(connection: Any, service: str) -> CopyState:
    """The state of the copy of another service's records."""
    row = await connection.fetchrow(
        "SELECT last AS reached, caught_up, extract(epoch FROM clock_timestamp() - caught_up)::int AS age_seconds"
        " FROM followed WHERE service = $1",
        service,
    )
    return CopyState(service=service, **(row or {"reached": 0, "caught_up": None, "age_seconds": None}))


@asynccontextmanager
async def replicating(replication: Replication, origin: str, database: Database) -> AsyncIterator[None]:
    """Copy what a source changes, in the background, until the block ends."""
    task = asyncio.create_task(Replicator(replication, origin, database).run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
