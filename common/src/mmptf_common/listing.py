"""The read path: a list declared once is a filtered page, a CSV or NDJSON export, and a single record."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from typing import Any

from pydantic import BaseModel
from starlette.datastructures import URL
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from mmptf_common import conditional
from mmptf_common.db import Database, reading
from mmptf_common.journal import REVISION
from mmptf_common.problems import InvalidRequest, NotAcceptable, NotFound, fault, near, not_one_of
from mmptf_common.query import ListQuery, NoParameters, canonical, parse, search_terms

MEDIA_TYPES = {"json": "application/json", "csv": "text/csv; charset=utf-8", "ndjson": "application/x-ndjson"}
_ACCEPTED = {
    "*/*": "json", "application/*": "json", "application/json": "json", "text/csv": "csv", "text/*": "csv",
    "application/x-ndjson": "ndjson", "application/ndjson": "ndjson",
}  # fmt: skip
_QUALITY = re.compile(r"^\s*q\s*=\s*(0(\.\d{0,3})?|1(\.0{0,3})?)\s*$")
# How PostgreSQL writes a sort value as text: nothing else that a cursor holds may reach it.
_SORT_VALUES = {
    "text": re.compile(r"(?s).*"),
    "int4": re.compile(r"-?[0-9]{1,9}"),
    "numeric": re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,6})?"),
    "date": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"),
    "timestamptz": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?\+00"),
}
EXPORT_SECONDS = 3600
CHUNK_BYTES = 65_536
# What says how a list is sent, not which rows in which order.
PAGING = frozenset({"cursor", "limit", "format"})


@dataclass(frozen=True, slots=True)
class Filter:
    """How one query parameter narrows a list.

    where:     SQL condition; `{}` stands for the bound value (an array where the parameter repeats)
    codes:     SQL that returns every code the parameter knows; None where the query model closes the values
    listed_at: the path at which a caller can read those codes
    bind:      makes the bound value of the parameter's value, where they differ
    """

    where: str
    codes: str | None = None
    listed_at: str | None = None
    bind: Callable[[Any], Any] | None = None


# The columns of a CSV that say where a record comes from: its first source, and when it last changed.
SOURCED = {
    "source_document": "document#>>'{sources,0,document}'",
    "source_line": "document#>>'{sources,0,line}'",
    "source_verified": "document#>>'{sources,0,verified}'",
    "updated": "document->>'updated'",
}

# How ranges write a value: `{}` stands for its smallest and its largest.
AS_TEXT = "({})::text"
AS_MOMENT = """to_char({}, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""

# Whole words by their beginning, over a column `words` that holds the folded words of a text.
SEARCH = Filter("array_to_tsvector(words) @@ {}::text::tsquery", bind=search_terms)


@dataclass(frozen=True, slots=True)
class Dimension:
    """One way to divide the rows of a list: what is joined to `hit`, the code, its name and, for sums, the amount."""

    value: str
    name: str = "NULL::text"
    join: str = ""
    amount: str = "hit.amount"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One list of the wire, as SQL over one table.

    rows:     the table, or a join; document: the SQL text of one item's JSON; key: its unique column
    sorts:    parameter value -> (SQL expression that is never null, its SQL type); the first is the default
    columns:  the CSV's columns, in order
    item, page: the wire shapes of a record and of a page
    facets, ranges, totals: see `aggregates`; each comes with the query model of its operation
    """

    path: str
    entity: str
    item: type[BaseModel]
    page: type[BaseModel]
    rows: str
    document: str = "document::text"
    key: str = "code"
    query: type[ListQuery]
    sorts: Mapping[str, tuple[str, str]]
    filters: Mapping[str, Filter]
    columns: Mapping[str, str]
    facets: Mapping[str, Dimension] = field(default_factory=dict)
    ranges: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    facet_query: type[BaseModel] | None = None
    totals: Mapping[str, Dimension] = field(default_factory=dict)
    totals_query: type[BaseModel] | None = None


class Arguments(list[Any]):
    """The bound values of one statement; nothing a caller sends ever stands in the SQL itself."""

    def bind(self, value: object) -> str:
        self.append(value)
        return f"${len(self)}"


def condition(listing: Listing, query: BaseModel, arguments: Arguments) -> str:
    """The SQL condition of a query's filters: any of a repeated one, all of different ones."""
    clauses = [
        f.where.format(arguments.bind(f.bind(value) if f.bind else value))
        for name, f in listing.filters.items()
        if (value := getattr(query, name)) is not None and value != []
    ]
    return " AND ".join(clauses) or "true"


async def check_codes(request: Request, connection: Any, listing: Listing, query: BaseModel) -> None:
    """Refuse codes that do not exist, with the nearest one that does.

    A code is never taken away, so those seen once are remembered and only an unknown one asks the database.
    """
    faults = []
    for name, f in listing.filters.items():
        if f.codes is None or not (asked := getattr(query, name)):
            continue
        known: set[str] = request.app.state.known_codes.setdefault(f.codes, set())
        if known.issuperset(asked):
            continue
        known.update(row[0] for row in await connection.fetch(f.codes))
        faults += [
            not_one_of("unknown_code", name, code, sorted(known), listed_at=f.listed_at)
            for code in asked
            if code not in known
        ]
    if faults:
        raise InvalidRequest(faults)


def _representation(request: Request, query: ListQuery) -> str:
    if query.format:
        return query.format
    accept = request.headers.get("accept", "*/*")
    if accept in _ACCEPTED:
        return _ACCEPTED[accept]
    best: tuple[float, str] | None = None
    for part in accept.split(","):
        media, *options = part.split(";")
        quality = next((float(m[1]) for o in options if (m := _QUALITY.match(o))), 1.0)
        wanted = _ACCEPTED.get(media.strip().lower())
        if wanted and quality > 0 and (best is None or quality > best[0]):
            best = (quality, wanted)
    if best is None:
        raise NotAcceptable(f"Available are {', '.join(MEDIA_TYPES.values())}.")
    return best[1]


def _bad_cursor(detail: str) -> InvalidRequest:
    return InvalidRequest(
        [fault("invalid_cursor", f"cursor: {detail}", parameter="cursor", allowed=["the path in `next`"])]
    )


def _belongs_to(listing: Listing, order: str) -> str:
    """What a cursor carries of its list, filters and order: short, however many values a filter has."""
    return hashlib.blake2b(f"{listing.path}?{order}".encode(), digest_size=9).hexdigest()


def _next(listing: Listing, asked: str, position: list[str]) -> str:
    """The path of the page behind a position of the canonical question: the same question with another cursor."""
    pairs = [pair.partition("=") for pair in asked.split("&") if pair]
    order = "&".join(["".join(pair) for pair in pairs if pair[0] not in PAGING])
    text = json.dumps([_belongs_to(listing, order), *position], ensure_ascii=False, separators=(",", ":"))
    cursor = base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
    kept = [pair for pair in pairs if pair[0] != "cursor"]
    following = sorted([*kept, ("cursor", "=", cursor)], key=itemgetter(0))
    return f"{listing.path}?{'&'.join([''.join(pair) for pair in following])}"


def _position(listing: Listing, query: ListQuery, sql_type: str) -> tuple[str, str]:
    """The sort value and key that a cursor points behind; it belongs to the same list, filters and order only."""
    try:
        text = base64.urlsafe_b64decode((query.cursor or "") + "==").decode()
        asked, value, key = json.loads(text)
        if not all(isinstance(part, str) and "\x00" not in part for part in (asked, value, key)):
            raise ValueError
        if not _SORT_VALUES[sql_type].fullmatch(value):
            raise ValueError
        if sql_type in {"date", "timestamptz"}:
            datetime.fromisoformat(value)
        (key + value).encode()
    except (ValueError, TypeError, RecursionError) as error:
        raise _bad_cursor("this is not a cursor that a `next` gave") from error
    if asked != _belongs_to(listing, canonical(query, without=PAGING)):
        raise _bad_cursor("it belongs to another list, filter or order; begin again without it")
    return value, key


def _page_sql(listing: Listing, query: ListQuery) -> tuple[str, Arguments]:
    arguments = Arguments()
    expression, sql_type = listing.sorts[query.sort.removeprefix("-")]
    direction, beyond = ("DESC", "<") if query.sort.startswith("-") else ("ASC", ">")
    where = condition(listing, query, arguments)
    after = where
    if query.cursor is not None:
        value, key = _position(listing, query, sql_type)
        value_sql, key_sql = arguments.bind(value), arguments.bind(key)
        after += f" AND ({expression}, {listing.key}) {beyond} ({value_sql}::text::{sql_type}, {key_sql}::text)"
    limit = arguments.bind(query.limit) + "::int"
    # The total is counted under the same snapshot as the page, in the same statement.
    return (
        f"SELECT '[' || coalesce(string_agg(item, ',' ORDER BY n) FILTER (WHERE n <= {limit}), '') || ']',"
        f" (SELECT count(*) FROM {listing.rows} WHERE {where}), {REVISION},"
        f" count(*) > {limit}, max(page_position) FILTER (WHERE n = {limit}),"
        f" max(page_key) FILTER (WHERE n = {limit})"
        # ORDER BY takes an output column before a table's column of the same name: these names are no table's.
        f" FROM (SELECT {listing.document} AS item, ({expression})::text AS page_position, {listing.key} AS page_key,"
        f" row_number() OVER (ORDER BY {expression} {direction}, {listing.key} {direction}) AS n"
        f" FROM {listing.rows} WHERE {after}"
        f" ORDER BY {expression} {direction}, {listing.key} {direction} LIMIT {limit} + 1) AS page"
    ), arguments


async def answer_list(request: Request, listing: Listing) -> Response:
    """One page as JSON, or the whole filtered list as CSV or NDJSON; 304 when the caller has it already."""
    query = parse(request, listing.query)
    representation = _representation(request, query)
    database: Database = request.app.state.database
    if representation != "json":
        return await _export(request, listing, query, representation)
    asked = canonical(query)
    sql, arguments = _page_sql(listing, query)
    async with reading(database) as connection:
        await check_codes(request, connection, listing, query)
        if conditional.is_conditional(request):
            tag = conditional.etag(request, await connection.fetchval(f"SELECT {REVISION}"), asked)
            if conditional.matches(request, tag):
                return conditional.not_modified(tag)
        items, total, revision, more, position, key = await connection.fetchrow(sql, *arguments)
    following = f'"{_next(listing, asked, [position, key])}"' if more else "null"
    return Response(
        f'{{"items":{items},"total":{total},"next":{following},"revision":{conditional.number_of(revision)}}}',
        media_type="application/json",
        headers=conditional.headers(conditional.etag(request, revision, asked)),
    )


async def fetch_item(request: Request, listing: Listing, code: str) -> tuple[str, str] | Response:
    """One record's document and the revision, or the 308 to its new code; NotFound with the nearest code there is."""
    async with reading(request.app.state.database) as connection:
        row = await connection.fetchrow(
            f"SELECT {listing.document}, {REVISION} FROM {listing.rows} WHERE {listing.key} = $1", code
        )
        if row is not None:
            return row[0], row[1]
        current = await connection.fetchval(
            "SELECT current FROM renamed_code WHERE entity = $1 AND code = $2", listing.entity, code
        )
        if current is not None:
            rest = request.url.path.removeprefix(f"{listing.path}/{code}")
            location = URL(f"{listing.path}/{current}{rest}").replace(query=request.url.query)
            return Response(
                status_code=308, headers={"Location": str(location), "Cache-Control": conditional.CACHE_CONTROL}
            )
        codes = [row[0] for row in await connection.fetch(f"SELECT {listing.key} FROM {listing.rows} LIMIT 5000")]
    meant = near(code, codes)
    hint = f" Did you mean {meant}?" if meant else ""
    unknown = fault("unknown_code", f"{code!r} is not listed at {listing.path}", parameter="code", suggestion=meant)
    raise NotFound(f"There is no {listing.entity.replace('_', ' ')} {code!r}.{hint}", faults=[unknown])


async def answer_item(request: Request, listing: Listing, code: str) -> Response:
    """One record by its code; 304 when the caller has it already."""
    parse(request, NoParameters)
    found = await fetch_item(request, listing, code)
    if isinstance(found, Response):
        return found
    document, revision = found
    tag = conditional.etag(request, revision, "")
    if conditional.matches(request, tag):
        return conditional.not_modified(tag)
    return Response(document, media_type="application/json", headers=conditional.headers(tag))


class _Stream(StreamingResponse):
    """A streamed answer that gives its database connection back however the caller leaves."""

    def __init__(self, rows: AsyncGenerator[bytes, None], media_type: str, headers: Mapping[str, str]) -> None:
        super().__init__(rows, media_type=media_type, headers=headers)
        self.rows = rows

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with aclosing(self.rows):
            await super().__call__(scope, receive, send)


async def _export(request: Request, listing: Listing, query: ListQuery, representation: str) -> Response:
    paging = [name for name in ("cursor", "limit") if name in query.model_fields_set]
    if paging:
        raise InvalidRequest(
            [
                fault(
                    "not_applicable",
                    f"{name}: {representation} is always complete and has no pages",
                    parameter=name,
                    allowed=["format=json"],
                )
                for name in paging
            ]
        )
    stream = _rows(request, listing, query, representation)
    # Everything that can fail before the first row fails here, while a problem document can still be sent.
    tag = (await anext(stream)).decode()
    if conditional.matches(request, tag):
        await stream.aclose()
        return conditional.not_modified(tag)
    name = listing.path.strip("/").replace("/", "-")
    return _Stream(
        stream,
        media_type=MEDIA_TYPES[representation],
        headers={**conditional.headers(tag), "Content-Disposition": f'inline; filename="{name}.{representation}"'},
    )


async def _rows(
    request: Request, listing: Listing, query: ListQuery, representation: str
) -> AsyncGenerator[bytes, None]:
    """The ETag, then the export in chunks: one read-only snapshot, so the tag and the rows belong together."""
    arguments = Arguments()
    expression, _ = listing.sorts[query.sort.removeprefix("-")]
    direction = "DESC" if query.sort.startswith("-") else "ASC"
    tail = (
        f"FROM {listing.rows} WHERE {condition(listing, query, arguments)}"
        f" ORDER BY {expression} {direction}, {listing.key} {direction}"
    )
    asked = canonical(query, without=PAGING)
    async with (
        reading(request.app.state.database) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        await check_codes(request, connection, listing, query)
        revision = await connection.fetchval(f"SELECT {REVISION}")
        yield conditional.etag(request, revision, asked, representation).encode()
        if representation == "csv":
            columns = ", ".join(f"{sql} AS {name}" for name, sql in listing.columns.items())
            source = _copied(connection, f"SELECT {columns} {tail}", arguments)
        else:
            source = _lines(connection, f"SELECT {listing.document} {tail}", arguments)
        buffer = bytearray()
        async with aclosing(source):
            async for piece in source:
                buffer += piece
                if len(buffer) >= CHUNK_BYTES:
                    yield bytes(buffer)
                    buffer.clear()
        yield bytes(buffer)


async def _copied(connection: Any, sql: str, arguments: Arguments) -> AsyncGenerator[bytes, None]:
    """COPY … TO STDOUT as CSV with its header, passed through as PostgreSQL writes it."""
    queue: asyncio.Queue[bytes | Exception | None] = asyncio.Queue(maxsize=16)

    async def copy() -> None:
        try:
            await connection.copy_from_query(
                sql, *arguments, output=queue.put, format="csv", header=True, timeout=EXPORT_SECONDS
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


async def _lines(connection: Any, sql: str, arguments: Arguments) -> AsyncGenerator[bytes, None]:
    """One JSON document a line, through a server-side cursor."""
    async for (document,) in connection.cursor(sql, *arguments, prefetch=2000, timeout=EXPORT_SECONDS):
        yield document.encode() + b"\n"
