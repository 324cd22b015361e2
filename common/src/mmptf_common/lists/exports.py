"""Exports of a list as CSV or NDJSON: all rows of a filter, from one snapshot.

An export that is small is read whole before it is sent, so its connection to the database does not wait for the caller.
A larger one is sent while it is read. An error after its first row breaks the connection to the caller, so an
incomplete export is never taken for a complete one.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from struct import Struct
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from mmptf_common.http import conditional
from mmptf_common.http.compression import GZIP, Gzip, accepts_gzip, tag_in
from mmptf_common.http.negotiation import SPREADSHEET, is_csv, media_type
from mmptf_common.http.parameters import ListQuery, canonical
from mmptf_common.http.rate_limits import client_at
from mmptf_common.http.snapshot import snapshot
from mmptf_common.http.spreadsheets import MARK, defused_sql
from mmptf_common.lists.export_places import ExportPlaces, Place
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
from mmptf_common.process.tasks import end_task
from mmptf_common.storage.engines import ReadKind, break_connection
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import InvalidRequest, error_detail

CHUNK_BYTES = 65_536
# An export of so many bytes at most is read whole before it is sent, while all that are being sent so have no more than
# MEMORY_BYTES together in a process.
WHOLE_BYTES, MEMORY_BYTES = 1_048_576, 33_554_432
# Seconds in which the database has to send the next rows of an export.
ROWS_SECONDS = 20
_STORED = "record::text"
_VARY = "Accept, Accept-Encoding"
_CSV = {"format": "csv", "header": True}
# In this format PostgreSQL sends texts as they are; in the others it looks at each character of a record.
_LINES = {"format": "binary"}
# What comes before the first row in it, and before the only column of each row: the number of columns, and its length.
_HEAD_BYTES, _ROW_HEAD = 19, Struct(">hI")


_RECORD = re.compile(r"(?<![.\w])(record|stored)\b")
# Each column would decompress and parse a record anew, of which a long one is most of an export's time.
_PARSED = "(SELECT record::jsonb AS record, record AS stored OFFSET 0) AS parsed"


class ExportMemory:
    """How many bytes of exports a process may still hold that are read and not yet sent."""

    def __init__(self, free: int = MEMORY_BYTES) -> None:
        self.free = free


class _Stream(StreamingResponse):
    """An export that is sent: what was read ahead, then the rest; however it ends, both are released.

    ahead: what was read already, as `_read_ahead` returns it
    place: the one that the export has until `rest` is closed
    """

    def __init__(
        self,
        ahead: deque[bytes],
        rest: AsyncGenerator[bytes, None],
        memory: ExportMemory,
        place: Place,
        media_type: str,
        headers: Mapping[str, str],
    ) -> None:
        super().__init__(self._chunks(), media_type=media_type, headers=headers)
        self._ahead = ahead
        self._rest = rest
        self._memory = memory
        self._place = place

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with self._place.sending():
                await super().__call__(scope, receive, send)
        finally:
            self._memory.free += sum(map(len, self._ahead))
            self._ahead.clear()
            await self._rest.aclose()

    async def _chunks(self) -> AsyncGenerator[bytes, None]:
        while self._ahead:
            with self._place.chunk(len(self._ahead[0])):
                yield self._ahead[0]
            self._memory.free += len(self._ahead.popleft())
        async for chunk in self._rest:
            with self._place.chunk(len(chunk)):
                yield chunk


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
    place = Place(client_at(request.client.host) if request.client else "")
    compressor = Gzip() if accepts_gzip(request) else None
    stream = _rows(request, listing, query, representation, place, compressor)
    # Errors before the first row are raised here, where they can still be answered with a problem document.
    tag = (await anext(stream)).decode()
    is_known = conditional.matches(request, tag)
    if compressor:
        tag = tag_in(GZIP, tag)
    if is_known:
        await stream.aclose()
        return conditional.not_modified(tag, vary=_VARY)
    memory: ExportMemory = request.app.state.export_memory
    return _Stream(
        await _read_ahead(stream, memory),
        stream,
        memory,
        place,
        media_type=media_type(representation),
        headers={
            **conditional.headers(tag, vary=_VARY),
            "Content-Disposition": conditional.disposition(listing.path, representation),
            **({"Content-Encoding": GZIP} if compressor else {}),
        },
    )


async def _read_ahead(stream: AsyncGenerator[bytes, None], memory: ExportMemory) -> deque[bytes]:
    """The first chunks of an export, up to WHOLE_BYTES and as far as the process has memory for them.

    Raises what prevents them, which can still be answered with a problem document.
    """
    read: deque[bytes] = deque()
    size = 0
    try:
        while size < WHOLE_BYTES and memory.free > 0 and (chunk := await anext(stream, None)) is not None:
            read.append(chunk)
            size += len(chunk)
            memory.free -= len(chunk)
    except BaseException:
        memory.free += size
        raise
    return read


def export_statement(listing: Listing, query: ListQuery, representation: str) -> Statement:
    """The statement for all rows of a query in its order: the columns of a CSV, or one JSON text a row."""
    arguments = Arguments()
    where = condition(listing, query, arguments)
    rows = listing.rows
    if is_csv(representation):
        columns = {name: sql for name, sql in listing.columns.items() if name in (query.fields or [name])}
        if of_record := {name: sql for name, sql in columns.items() if _RECORD.search(sql)}:
            cells = with_as_of_links(", ".join(f"{sql} AS cell_of_{name}" for name, sql in of_record.items()), query)
            rows = f"{rows} CROSS JOIN LATERAL (SELECT {cells} FROM {_PARSED}) AS cells"
            columns |= {name: f"cell_of_{name}" for name in of_record}
        selected = ", ".join(f"{sql} AS {name}" for name, sql in columns.items())
    else:
        selected = with_stored_links(item_text(listing, query, arguments), listing.path)
        if selected == _STORED:
            # COPY writes the text of a JSON value without a copy of it.
            selected = "record"
    return Statement(
        f"""
        SELECT {with_as_of_links(selected, query)}
          FROM {rows}
         WHERE {where}
         ORDER BY {order(listing, query.sort)}""",
        arguments,
    )


async def _rows(
    request: Request,
    listing: Listing,
    query: ListQuery,
    representation: str,
    place: Place,
    compressor: Gzip | None,
) -> AsyncGenerator[bytes, None]:
    """Yields the ETag, then the export in chunks, from one read-only snapshot, so that both are of one revision."""
    query = await with_known_codes(request, ReadKind.EXPORT, listing, query, representation)
    export = export_statement(listing, query, representation)
    question = canonical(query, without=PAGING)
    places: ExportPlaces = request.app.state.export_places
    async with places.held(place), snapshot(request, ReadKind.EXPORT, query, listing.journal) as data:
        transaction = data.connection.transaction(isolation="repeatable_read", readonly=True)
        await transaction.start()
        begun = False
        try:
            data, revision = await data.of_one_revision()
            yield conditional.etag(request, revision, cache_scope(listing, question), representation).encode()
            begun = True
            form = _CSV if is_csv(representation) else _LINES
            sql = await data.statement(export.sql)
            if representation == SPREADSHEET:
                sql = await _defused(data.connection, sql)
            begin = MARK if representation == SPREADSHEET else b""
            async with aclosing(_copied(data.connection, sql, export.values, form, begin)) as source:
                async for chunk in source:
                    if compressor:
                        chunk = await compressor.compressed(chunk)
                    if chunk:
                        yield chunk
            if compressor:
                yield compressor.end()
        except BaseException:
            if begun:
                # The caller has disconnected or the database has failed. The connection may still receive rows and
                # cannot be used again; the pool opens another one.
                break_connection(data.connection)
            else:
                await transaction.rollback()
            raise
        await transaction.commit()


async def _defused(connection: Any, sql: str) -> str:
    """The statement with its texts defused for spreadsheets; other types cannot be taken for formulas."""
    # A name may be a word of SQL, such as `end`.
    names = [
        (f'"{column.name}"', column.type.name == "text") for column in (await connection.prepare(sql)).get_attributes()
    ]
    columns = ", ".join(f"{defused_sql(name)} AS {name}" if is_text else name for name, is_text in names)
    return f"SELECT {columns} FROM ({sql}) AS exported"


def _lines_in(piece: bytes, position: int) -> bytes:
    """The lines of whole rows of one column that is never null, as COPY sends them in binary; position: of the first.

    After the last row comes -1 as the number of columns.
    """
    lines = []
    while position + _ROW_HEAD.size <= len(piece):
        _, length = _ROW_HEAD.unpack_from(piece, position)
        position += _ROW_HEAD.size + length
        lines.append(piece[position - length : position])
    lines.append(b"")
    return b"\n".join(lines)


async def _copied(
    connection: Any, sql: str, values: Sequence[Any], form: Mapping[str, Any], begin: bytes
) -> AsyncGenerator[bytes, None]:
    """Yields the rows as PostgreSQL writes them (COPY … TO STDOUT), in chunks; form: the options of COPY.

    begin: what comes before the rows
    """
    queue: asyncio.Queue[bytes | Exception | None] = asyncio.Queue(maxsize=16)
    pieces, size = [begin], 0
    skipped = _HEAD_BYTES

    async def take(piece: bytes) -> None:
        # The driver gives as much as has arrived, and to hand over each piece would take longer than to read it.
        nonlocal size, skipped
        if form is _LINES:
            piece = _lines_in(piece, skipped)
            skipped = 0
        pieces.append(piece)
        size += len(piece)
        if size >= CHUNK_BYTES:
            await queue.put(b"".join(pieces))
            pieces.clear()
            size = 0

    async def copy() -> None:
        try:
            await connection.copy_from_query(sql, *values, output=take, **form)
        except Exception as error:
            await queue.put(error)
        else:
            await queue.put(b"".join(pieces))
            await queue.put(None)

    task = asyncio.create_task(copy())
    try:
        while True:
            async with asyncio.timeout(ROWS_SECONDS):
                piece = await queue.get()
            if piece is None:
                return
            if isinstance(piece, Exception):
                raise piece
            yield piece
    finally:
        if not task.done():
            # Rows that arrive after a COPY was cancelled are an error for the driver.
            break_connection(connection)
        await end_task(task)
