"""The stored data as one request reads them: as they are now, or as of an earlier revision."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from mmptf_common.http import conditional
from mmptf_common.http.parameters import PointInTime, canonical, pairs_of
from mmptf_common.storage.as_of import AsOfTables, revision_at, with_ctes
from mmptf_common.storage.cache import Cache
from mmptf_common.storage.engines import reading
from mmptf_common.storage.journal import REVISION


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A read connection whose statements see the tables as the query's `as_of` asks for them.

    connection: for what is read as it is now, whatever `as_of` says
    as_of_ctes: what goes before a statement that reads an earlier revision; empty for the data as they are now
    """

    request: Request
    connection: Any
    query: BaseModel
    as_of_ctes: str = ""

    def statement(self, sql: str) -> str:
        """A statement of the tables as it reads them as of the revision that is asked for."""
        return with_ctes(self.as_of_ctes, sql)

    async def fetch(self, sql: str, *values: object) -> list[Any]:
        rows: list[Any] = await self.connection.fetch(self.statement(sql), *values)
        return rows

    async def fetchrow(self, sql: str, *values: object) -> Any:
        return await self.connection.fetchrow(self.statement(sql), *values)

    async def fetchval(self, sql: str, *values: object) -> Any:
        return await self.connection.fetchval(self.statement(sql), *values)

    async def revision(self) -> str:
        """The revision of the data: its number and the moment of its write, as `conditional.etag` takes it."""
        found: str = await self.fetchval(f"SELECT {REVISION}")
        return found

    @asynccontextmanager
    async def repeatable_read(self) -> AsyncIterator[str]:
        """A transaction whose statements all see one revision, which it gives."""
        async with self.connection.transaction(isolation="repeatable_read", readonly=True):
            yield await self.revision()

    def at_revision(self, number: int) -> Snapshot:
        """The same connection, whose statements see the tables as of another revision."""
        return replace(self, as_of_ctes=_tables(self.request).ctes(number))

    def as_of_pairs(self) -> list[tuple[str, str]]:
        """The parameters with which a link asks for the same revision: `as_of`, or nothing."""
        return [pair for pair in pairs_of(self.query) if pair[0] == "as_of"]

    def link(self, path: str, **parameters: str) -> str:
        """A path with its parameters, that asks for the same revision."""
        text = urlencode(sorted([*self.as_of_pairs(), *parameters.items()]))
        return f"{path}?{text}" if text else path

    async def cached(self, build: Callable[[int], Awaitable[BaseModel]], *, question: str | None = None) -> Response:
        """An answer from the cache, or built now in one transaction; with Cache-Status, 304 when the caller has it.

        build: makes the answer of the revision with this number
        question: what the answer depends on beside the revision, if not on the canonical query alone
        """
        if question is None:
            question = canonical(self.query)
        tag = conditional.etag(self.request, await self.revision(), question)
        # With a tag the question was answered before; whether `*` has an answer is known only once there is one.
        if conditional.names(self.request, tag):
            return conditional.not_modified(tag)
        cache: Cache = self.request.app.state.cache
        body, status = await cache.get(tag)
        if body is None:
            # A write in between makes the revision a newer one, and then the answer is stored under that.
            async with self.repeatable_read() as revision:
                answer = await build(conditional.number_of(revision))
            body = answer.model_dump_json().encode()
            tag = conditional.etag(self.request, revision, question)
            if await cache.put(tag, body):
                status += "; stored"
        if conditional.matches(self.request, tag):
            return conditional.not_modified(tag)
        headers = {**conditional.headers(tag), "Cache-Status": status}
        return Response(body, media_type="application/json", headers=headers)


@asynccontextmanager
async def snapshot(request: Request, query: BaseModel | None = None) -> AsyncIterator[Snapshot]:
    """The data at the `as_of` of a query, else as they are now.

    InvalidRequest where there was no such revision, ServiceUnavailable where the database is gone.
    """
    query = query or PointInTime()
    async with reading(request.app.state.database) as connection:
        as_of = query.as_of if isinstance(query, PointInTime) else None
        ctes = "" if as_of is None else _tables(request).ctes(await revision_at(connection, as_of))
        yield Snapshot(request, connection, query, ctes)


def _tables(request: Request) -> AsOfTables:
    tables: AsOfTables = request.app.state.as_of_tables
    return tables
