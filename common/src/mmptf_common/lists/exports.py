"""Exports of a list as CSV or NDJSON: all rows of a filter, streamed from one snapshot.

An error after the first row breaks the connection, so an incomplete export is never taken for a complete one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from mmptf_common.http import conditional
from mmptf_common.http.negotiation import MEDIA_TYPES
from mmptf_common.http.parameters import ListQuery, canonical
from mmptf_common.http.snapshot import snapshot
from mmptf_common.lists.listing import (
    PAGING,
    Arguments,
    Listing,
    Statement,
    cache_scope,
    condition,
    item_text,
    order,
    with_as_of_links,
    with_known_codes,
    with_stored_links,
)
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import InvalidRequest, error_detail

EXPORT_SECONDS = 3600
CHUNK_BYTES = 65_536


class _Stream(StreamingResponse):
    """A streamed answer that releases its database connection also when the caller disconnects."""

    def __init__(self, rows: AsyncGenerator[bytes, None], media_type: str, headers: Mapping[str, str]) -> None:
        super().__init__(rows, media_type=media_type, headers=headers)
        self.rows = rows

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with aclosing(self.rows):
            await super().__call__(scope, receive, send)


async def answer_export(request: Request, listing: Listing, query: ListQuery, representation: str) -> Response:
    """All rows of a query as CSV or NDJSON; raises InvalidRequest for `limit` and `cursor`, as there are no pages."""
    paging = [name for name in ("cursor", "limit") if name in query.model_fields_set]
    if paging:
        raise InvalidRequest(
            [
                error_detail(
                    ProblemCode.NOT_APPLICABLE,
                    f"{name}: {representation} is always complete and has no pages",
                    parameter=name,
                    allowed=["format=json"],
                )
                for name in paging
            ]
        )
    stream = _rows(request, listing, query, representation)
    # Errors before the first row are raised here, where they can still be answered with a problem document.
    tag = (await anext(stream)).decode()
    if conditional.matches(request, tag):
        await stream.aclose()
        return conditional.not_modified(tag)
    return _Stream(
        stream,
        media_type=MEDIA_TYPES[representation],
        headers={
            **conditional.headers(tag),
            "Content-Disposition": conditional.disposition(listing.path, representation),
        },
    )


def export_statement(listing: Listing, query: ListQuery, representation: str) -> Statement:
    """The statement for all rows of a query in its order: the columns of a CSV, or one JSON text a row."""
    arguments = Arguments()
    where = condition(listing, query, arguments)
    if representation == "csv":
        columns = (f"{sql} AS {name}" for name, sql in listing.columns.items() if name in (query.fields or [name]))
        selected = ", ".join(columns)
    else:
        selected = with_stored_links(item_text(listing, query, arguments), listing.path)
    return Statement(
        f"""
        SELECT {with_as_of_links(selected, query)}
          FROM {listing.rows}
         WHERE {where}
         ORDER BY {order(listing, query.sort)}""",
        arguments,
    )


async def _rows(
    request: Request, listing: Listing, query: ListQuery, representation: str
) -> AsyncGenerator[bytes, None]:
    """Yields the ETag, then the export in chunks, from one read-only snapshot, so that both are of one revision."""
    query = await with_known_codes(request, listing, query, representation)
    export = export_statement(listing, query, representation)
    question = canonical(query, without=PAGING)
    async with snapshot(request, query) as data:
        transaction = data.connection.transaction(isolation="repeatable_read", readonly=True)
        await transaction.start()
        begun = False
        try:
            revision = await data.revision()
            yield conditional.etag(request, revision, cache_scope(listing, question), representation).encode()
            begun = True
            read = _copied if representation == "csv" else _lines
            source = read(data.connection, data.statement(export.sql), export.values)
            buffer = bytearray()
            async with aclosing(source):
                async for piece in source:
                    buffer += piece
                    if len(buffer) >= CHUNK_BYTES:
                        yield bytes(buffer)
                        buffer.clear()
            yield bytes(buffer)
        except BaseException:
            if begun:
                # The caller has disconnected or the database has failed. The connection may still receive rows and
                # cannot be used again; the pool opens another one.
                data.connection.terminate()
            else:
                await transaction.rollback()
            raise
        await transaction.commit()


async def _copied(connection: Any, sql: str, values: Sequence[Any]) -> AsyncGenerator[bytes, None]:
    """Yields the CSV with its header as PostgreSQL writes it (COPY … TO STDOUT)."""
    queue: asyncio.Queue[bytes | Exception | None] = asyncio.Queue(maxsize=16)

    async def copy() -> None:
        try:
            await connection.copy_from_query(
                sql, *values, output=queue.put, format="csv", header=True, timeout=EXPORT_SECONDS
            )
        except Exception as error:
            await queue.put(error)
        else:
            await queue.put(None)

    task = asyncio.create_task(copy())
    try:
        while (piece := await queue.get()) is not None:
            if isinstance(piece, Exception):
                raise piece
            yield piece
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _lines(connection: Any, sql: str, values: Sequence[Any]) -> AsyncGenerator[bytes, None]:
    """Yields one JSON record a line, read through a server-side cursor."""
    async for (record,) in connection.cursor(sql, *values, prefetch=2000, timeout=EXPORT_SECONDS):
        yield record.encode() + b"\n"
