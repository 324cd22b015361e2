"""Reading the stored data for one request: as they are now, or as of an earlier revision."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlencode

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from mmptf_common.http import conditional
from mmptf_common.http.cache_groups import leave_out
from mmptf_common.http.negotiation import SPREADSHEET, TABLE, is_csv, media_type, representation
from mmptf_common.http.parameters import FORMAT, PointInTime, Tabular, canonical, pairs_of
from mmptf_common.http.spreadsheets import defused
from mmptf_common.storage.as_of import PLANNING, AsOfTables, EarlierTables, revision_at
from mmptf_common.storage.cache import Cache
from mmptf_common.storage.engines import ReadKind, reading
from mmptf_common.storage.journal import PUBLIC_JOURNAL, Journal
from mmptf_common.storage.shared_results import SharedAnswers
from mmptf_common.wire.links import link

A = TypeVar("A", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A read connection whose statements read the tables as of the query's `as_of`.

    connection: for statements that read the data as they are now, whatever `as_of` is
    earlier: the tables as of a revision; None for the data as they are now, which may be those of the query's `as_of`
    journal: the one whose revisions the answer is of
    """

    request: Request
    connection: Any
    query: BaseModel
    earlier: EarlierTables | None = None
    journal: Journal = PUBLIC_JOURNAL

    @property
    def is_dated(self) -> bool:
        """Whether the query is as of a revision, which may be the newest one."""
        return _as_of(self.query) is not None

    async def statement(self, sql: str) -> str:
        """The statement with the `WITH` clause under which it reads the tables as of the query's `as_of`."""
        if self.earlier is None:
            return sql
        await self.connection.set_until_released(PLANNING)
        return self.earlier.statement(sql)

    async def fetch(self, sql: str, *values: object) -> list[Any]:
        rows: list[Any] = await self.connection.fetch(await self.statement(sql), *values)
        return rows

    async def fetchrow(self, sql: str, *values: object) -> Any:
        return await self.connection.fetchrow(await self.statement(sql), *values)

    async def fetchval(self, sql: str, *values: object) -> Any:
        return await self.connection.fetchval(await self.statement(sql), *values)

    async def revision(self) -> str:
        """The revision of the data: its number and the moment of its write, as `conditional.etag` takes it."""
        sql = f"SELECT {self.journal.newest('$1')}"
        if self.earlier:
            sql = self.earlier.statement(sql)
        found: str = await self.connection.fetchval(sql, *self.journal.values)
        return found

    @asynccontextmanager
    async def repeatable_read(self) -> AsyncIterator[tuple[Snapshot, str]]:
        """A transaction whose statements all read one revision: the snapshot of its data, and that revision."""
        async with self.connection.transaction(isolation="repeatable_read", readonly=True):
            yield await self.of_one_revision()

    async def of_one_revision(self) -> tuple[Snapshot, str]:
        """Within a transaction whose statements all read one revision: the snapshot of its data, and that revision.

        Where that of `as_of` is the newest one, the data as they are now are those of then, and cost less to read.
        """
        now = replace(self, earlier=None)
        newest = await now.revision()
        if self.earlier is None or conditional.number_of(newest) == self.earlier.number:
            return now, newest
        return self, await self.revision()

    def at_revision(self, number: int) -> Snapshot:
        """The same connection, with statements that read the tables as of another revision."""
        return replace(self, earlier=_tables(self.request).at(number, self.journal))

    def as_of_pairs(self) -> list[tuple[str, str]]:
        """The query parameters of a link to the same revision: `as_of`, or none."""
        return [pair for pair in pairs_of(self.query) if pair[0] == "as_of"]

    def link(self, path: str, **parameters: str) -> str:
        """A link to a path with parameters, at the same revision."""
        text = urlencode(sorted([*self.as_of_pairs(), *parameters.items()]))
        return link(f"{path}?{text}" if text else path)


@asynccontextmanager
async def snapshot(
    request: Request, kind: ReadKind, query: BaseModel | None = None, journal: Journal = PUBLIC_JOURNAL
) -> AsyncIterator[Snapshot]:
    """The data as of the query's `as_of`, by default as they are now; read as one read of its kind.

    journal: the one of the records that are read
    Raises InvalidRequest where there is no such revision, ServiceUnavailable where the database cannot be reached.
    """
    query = query or PointInTime()
    as_of = _as_of(query)
    if isinstance(as_of, date):
        await request.app.state.settled_moments.require(as_of)
    async with reading(request.app.state.database, kind) as connection:
        earlier = None
        if as_of is not None:
            earlier = _tables(request).at(await revision_at(connection, as_of, journal), journal)
        yield Snapshot(request, connection, query, earlier, journal)


class _Computed(NamedTuple):
    """A computed answer: its tag, its body, and how the cache took part (the header Cache-Status)."""

    tag: str
    body: bytes
    status: str


Computing = SharedAnswers[_Computed]


async def answer_computed(
    request: Request,
    query: BaseModel,
    build: Callable[[Snapshot, int], Awaitable[A]],
    *,
    beside: str = "",
    table: Callable[[A], bytes] | None = None,
) -> Response:
    """An answer from the cache, or built now, as `answer_computed_bytes` does.

    The body is written in a thread: an answer of thousands of groups would keep all other requests waiting.

    build: returns the answer for the revision with this number
    table: returns the answer as CSV, which `format` or `Accept` may ask for; None where it is JSON only
    """

    async def body(data: Snapshot, revision: int, chosen: str) -> bytes:
        answer = await build(data, revision)
        if table and is_csv(chosen):
            return await asyncio.to_thread(table, answer)
        return (await asyncio.to_thread(answer.model_dump_json)).encode()

    return await answer_computed_bytes(request, query, body, beside=beside, tabular=table is not None)


async def answer_computed_bytes(
    request: Request,
    query: BaseModel,
    build: Callable[[Snapshot, int, str], Awaitable[bytes]],
    *,
    beside: str = "",
    tabular: bool = False,
) -> Response:
    """An answer from the cache, or built now in one transaction; with Cache-Status, 304 when the caller has it.

    Requests that ask the same meanwhile get the next answer that is built, which is as new as one of their own.

    build: returns the body for the revision with this number in a representation, as JSON or CSV
    beside: text of everything that the answer depends on beside the query and the revision, such as the day
    tabular: whether the answer is there as CSV, too
    """
    chosen = "json"
    if tabular and isinstance(query, Tabular):
        chosen = representation(request, query, TABLE)
    asked = canonical(query, without=FORMAT)
    if beside:
        asked += f"\n{beside}"
        # It changes without a write, of which alone caches are told.
        leave_out(request)

    def tag_of(revision: str) -> str:
        return conditional.etag(request, revision, asked, chosen)

    async def compute() -> _Computed:
        async with snapshot(request, ReadKind.COMPUTED, query) as data:
            tag = tag_of(await data.revision())
            cache: Cache = request.app.state.cache
            body, status = await cache.get(tag)
            if body is None:
                # After a write in between the revision is newer, and the answer is stored under the newer one.
                async with data.repeatable_read() as (data, revision):
                    body = await build(data, conditional.number_of(revision), chosen)
                if chosen == SPREADSHEET:
                    body = await asyncio.to_thread(defused, body)
                tag = tag_of(revision)
                if await cache.put(tag, body):
                    status += "; stored"
        return _Computed(tag, body, status)

    if conditional.is_conditional(request):
        async with snapshot(request, ReadKind.COMPUTED, query) as data:
            tag = tag_of(await data.revision())
        # A caller with this tag got the answer before. `*` is compared below: it needs an answer that exists.
        if conditional.names(request, tag):
            return conditional.not_modified(tag)
    computing: Computing = request.app.state.computing
    (tag, body, status), is_collapsed = await computing.get(tag_of("0"), compute)
    if conditional.matches(request, tag):
        return conditional.not_modified(tag)
    headers = {**conditional.headers(tag), "Cache-Status": f"{status}; collapsed" if is_collapsed else status}
    if is_csv(chosen):
        headers["Content-Disposition"] = conditional.disposition(request.scope["path"], chosen)
    return Response(body, media_type=media_type(chosen), headers=headers)


def _as_of(query: BaseModel) -> int | date | None:
    return query.as_of if isinstance(query, PointInTime) else None


def _tables(request: Request) -> AsOfTables:
    tables: AsOfTables = request.app.state.as_of_tables
    return tables
