"""A list's pages and single records: one statement each, which returns the JSON of the answer."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from pydantic import BaseModel
from starlette.datastructures import URL
from starlette.requests import Request
from starlette.responses import Response

from mmptf_common.http import conditional
from mmptf_common.http.negotiation import representation
from mmptf_common.http.parameters import MAX_REMEMBERED, ListQuery, PointInTime, canonical
from mmptf_common.http.snapshot import Snapshot, snapshot
from mmptf_common.lists.codes import Find, codes_in, find_with, in_other_case_or_meant
from mmptf_common.lists.exports import answer_export
from mmptf_common.lists.listing import (
    PRESENTATION,
    Arguments,
    Listing,
    Statement,
    cache_scope,
    condition,
    directed,
    fixed,
    given,
    item_text,
    number_of,
    order,
    rollup_of,
    rows_as_of,
    rows_of,
    sort_value,
    with_as_of_links,
    with_known_codes,
    with_stored_links,
)
from mmptf_common.storage.engines import ReadKind
from mmptf_common.storage.records import PRESENT_CODE
from mmptf_common.wire.codes import NOT_STATED
from mmptf_common.wire.links import link
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import InvalidRequest, NotFound, error_detail
from mmptf_common.wire.suggestions import Suggestion

# The text that PostgreSQL writes for a sort value of each type; any other value in a cursor is rejected.
_SORT_VALUES = {
    "text": re.compile(r"(?s).*"),
    "int4": re.compile(r"-?[0-9]{1,9}"),
    "numeric": re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,6})?|Infinity"),
    "date": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"),
    "timestamptz": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?\+00"),
}


def _bad_cursor(detail: str) -> InvalidRequest:
    return InvalidRequest(
        [
            error_detail(
                ProblemCode.INVALID_CURSOR, f"cursor: {detail}", parameter="cursor", allowed=["the path in `next`"]
            )
        ]
    )


def _belongs_to(listing: Listing, order: str) -> str:
    """A hash of a list, its filters and its order for a cursor: short, however many values a filter has."""
    return hashlib.blake2b(f"{listing.path}?{order}".encode(), digest_size=9).hexdigest()


def _position(listing: Listing, query: ListQuery) -> list[str]:
    """The values of the keys of the order, and the code, of the last item before a page, from its cursor.

    Raises InvalidRequest for a cursor of another list, other filters or another order.
    """
    try:
        text = base64.urlsafe_b64decode((query.cursor or "") + "==").decode()
        belongs_to, *values, key = json.loads(text)
        if not all(isinstance(part, str) and "\x00" not in part for part in (belongs_to, *values, key)):
            raise ValueError
        "".join([*values, key]).encode()
    except (ValueError, TypeError, RecursionError) as error:
        raise _bad_cursor("this is not a cursor that a `next` gave") from error
    if belongs_to != _belongs_to(listing, canonical(query, without=PRESENTATION)):
        raise _bad_cursor("it belongs to another list, filter or order; begin again without it")
    try:
        for value, each in zip(values, query.sort, strict=True):
            _, sql_type = sort_value(listing, each)
            if not _SORT_VALUES[sql_type].fullmatch(value):
                raise ValueError
            if sql_type in {"date", "timestamptz"}:
                datetime.fromisoformat(value)
    except ValueError as error:
        raise _bad_cursor("this is not a cursor that a `next` gave") from error
    return [*values, key]


def _beyond(listing: Listing, query: ListQuery, arguments: Arguments, compared: Sequence[str]) -> str:
    """SQL of the condition for rows after the position of the query's cursor.

    compared: SQL of what each key of the order compares, and of the code

    Keys of one direction are compared as rows, which an index in this order answers; where the direction changes, the
    comparison of the further keys is for rows that are equal in those before.
    """
    *values, code = _position(listing, query)
    *expressions, own = compared
    rows: list[tuple[str, list[str], list[str]]] = []
    for key, expression, value in zip(query.sort, expressions, values, strict=True):
        _, sql_type = sort_value(listing, key)
        operator = "<" if key.startswith("-") else ">"
        if not rows or rows[-1][0] != operator:
            rows.append((operator, [], []))
        rows[-1][1].append(expression)
        rows[-1][2].append(f"{arguments.bind(value)}::text::{sql_type}")
    rows[-1][1].append(own)
    rows[-1][2].append(f"{arguments.bind(code)}::text")
    beyond = ""
    for operator, expressions, bound in reversed(rows):
        row, position = f"({', '.join(expressions)})", f"({', '.join(bound)})"
        after = f"{row} {operator} {position}"
        beyond = f"{row} {operator}= {position} AND ({after} OR {beyond})" if beyond else after
    return beyond


def page_statement(listing: Listing, query: ListQuery) -> Statement:
    """The statement for one row: items as a JSON array, total, revision, whether more follow, last values and code.

    The items are bytes of UTF-8, since Python would take long to decode and encode them. The values are those of the
    keys of the order, each a column.

    The total is counted in the same statement, so in the same snapshot as the page. Raises InvalidRequest for a cursor
    of another list, other filters or another order.
    """
    arguments = Arguments()
    where = matching = condition(listing, query, arguments)
    limit = arguments.bind(query.limit) + "::int"
    revision = listing.journal.newest(*map(arguments.bind, listing.journal.values))
    ordered = order(listing, query.sort)
    item = with_stored_links(with_as_of_links(item_text(listing, query, arguments), query), listing.path)
    compared = [*(sort_value(listing, key)[0] for key in query.sort), listing.key]
    # ORDER BY prefers an output column to a table's column of the same name, so no table has columns of these names.
    names = [*(f"page_order_{n}" for n in range(1, len(compared))), "page_key"]
    named = ", ".join(f"{value} AS {name}" for value, name in zip(compared, names, strict=True))
    positions = {f"page_position_{n}": value for n, value in enumerate(compared[:-1], start=1)}
    last = "".join(f"\n               max({name}) FILTER (WHERE n = {limit})," for name in positions)
    values = [f"({value})::text AS {name}" for name, value in positions.items()]
    selected = ",\n                       ".join([f"{item} AS item", *values])
    is_of_one_table = listing.table or listing.rows.isidentifier()
    searched, rows = "", listing.rows
    if query.as_of is None and is_of_one_table and getattr(query, "q", None):
        # A search counts all that it finds, so all is found once, with what orders it.
        searched = f"WITH searched AS MATERIALIZED (SELECT {named} FROM {rows} WHERE {where})"
        total = "SELECT count(*) FROM searched"
        rows, matching, compared = "searched", "true", names
    else:
        total = _total(listing, query, where, arguments)
    if query.cursor is not None:
        matching += f" AND {_beyond(listing, query, arguments, compared)}"
    if query.as_of is not None and (parts := rows_as_of(listing)):
        # The first rows of each part are read in the order of its own indexes, and then put together.
        first = [
            f"(SELECT {selected}, {named} FROM {part} WHERE {matching} ORDER BY {ordered} LIMIT {limit} + 1)"
            for part in parts
        ]
        found = f"({' UNION ALL '.join(first)}) AS either"
        selected, ordered = "either.*", directed(names, query.sort)
    else:
        selected += f",\n                       {listing.key} AS page_key"
        found = f"{rows}\n                 WHERE {matching}"
        if is_of_one_table and given(listing, query):
            # The codes of the page are found first, in an index that has all that filters and orders compare: where the
            # rows of a filter stand far behind in the order, or there are fewer of them than the database expects, many
            # are passed over, and each of the table would be read for that.
            codes = f"SELECT {compared[-1]} FROM {found} ORDER BY {directed(compared, query.sort)} LIMIT {limit} + 1"
            found = f"{listing.rows}\n                 WHERE {listing.key} = ANY(ARRAY({codes}))"
    return Statement(
        f"""{searched}
        SELECT convert_to(
                   '[' || coalesce(string_agg(item, ',' ORDER BY n) FILTER (WHERE n <= {limit}), '') || ']', 'UTF8'),
               ({total}),
               {revision},
               count(*) > {limit},{last}
               max(page_key) FILTER (WHERE n = {limit})
          FROM (SELECT {selected},
                       row_number() OVER (ORDER BY {ordered}) AS n
                  FROM {found}
                 ORDER BY {ordered}
                 LIMIT {limit} + 1) AS page""",
        arguments,
    )


def _total(listing: Listing, query: ListQuery, where: str, arguments: Arguments) -> str:
    """SQL of the number of all rows of a query, from a rollup where one has what its filters read; where: of the rows.

    Of a filter by one of several values that a row may have, the rollup of the facet has the number.
    """
    rollup = rollup_of(listing, query, ())
    if rollup is None:
        for name, _, value in given(listing, query):
            of_facet = rollup_of(listing, query, (name,), without=name, facet=name)
            if of_facet and len(value) == 1:
                (one,) = value
                others = condition(listing, query, arguments, without=name)
                is_of_value = f"{name} IS NULL" if one == NOT_STATED else f"{name} = {arguments.bind(one)}::text"
                rollup, where = of_facet, f"{others} AND {is_of_value}"
                break
    return f"SELECT {number_of(rollup)} FROM {rows_of(listing, rollup)} WHERE {where}"


@dataclass(frozen=True)
class _Asked:
    """A page by what the rest of its answer depends on: two with the same text are the same."""

    text: str
    listing: Listing = field(compare=False)
    query: ListQuery = field(compare=False)


@dataclass(frozen=True, slots=True)
class _Prepared:
    """What the answer with a page needs that follows from its query alone.

    scope: that of its ETag; first: the path of the first page; before, after: that of the next one around its cursor
    belongs_to: the hash in that cursor
    """

    statement: Statement
    scope: str
    first: str
    before: str
    after: str
    belongs_to: str

    def next_after(self, position: list[str]) -> str:
        """The path of the page after the values of the keys of the order, and the code, of its last item."""
        text = json.dumps([self.belongs_to, *position], ensure_ascii=False, separators=(",", ":"))
        return f"{self.before}{base64.urlsafe_b64encode(text.encode()).decode().rstrip('=')}{self.after}"


def _prepare(asked: _Asked) -> _Prepared:
    listing, query = asked.listing, asked.query
    question = canonical(query)
    pairs = [pair.partition("=") for pair in question.split("&") if pair]
    others = [pair for pair in pairs if pair[0] != "cursor"]
    lower = [f"{''.join(pair)}&" for pair in others if pair[0] < "cursor"]
    higher = [f"&{''.join(pair)}" for pair in others if pair[0] > "cursor"]
    first = "&".join(["".join(pair) for pair in others])
    order = "&".join(["".join(pair) for pair in others if pair[0] not in PRESENTATION])
    path = link(listing.path)
    return _Prepared(
        page_statement(listing, query),
        cache_scope(listing, question),
        first=f"{path}?{first}" if first else path,
        before=f"{path}?{''.join(lower)}cursor=",
        after="".join(higher),
        belongs_to=_belongs_to(listing, order),
    )


_remembered = lru_cache(maxsize=512)(_prepare)


def _prepared(request: Request, listing: Listing, query: ListQuery, *, is_as_sent: bool) -> _Prepared:
    """What the answer with a page needs; for a first page, which is asked for again and again, it is remembered.

    is_as_sent: whether the query is the one that was read from the request, with no code written in another way
    """
    if query.cursor is not None:
        return _prepare(_Asked("", listing, query))
    asked = request.scope["query_string"].decode("latin-1") if is_as_sent else canonical(query)
    if len(asked) > MAX_REMEMBERED:
        return _prepare(_Asked("", listing, query))
    return _remembered(_Asked(f"{link(listing.path)}?{cache_scope(listing, asked)}", listing, query))


def kind_of_page(listing: Listing, query: ListQuery) -> ReadKind:
    """The kind of read of a page: that of a search, of an earlier revision, or of derived rows is in no index's order.

    All that match are sorted for it.
    """
    is_sorted = query.as_of is not None or getattr(query, "q", None)
    return ReadKind.COMPUTED if is_sorted else ReadKind.PAGE


async def _remarks(data: Snapshot, listing: Listing, query: ListQuery, total: int) -> str:
    """The member of a page that says why it is empty, as JSON with the comma before it; none where lists have none."""
    if listing.remarks is None:
        return ""
    statement = None if total else listing.remarks(query)
    found = await data.fetchval(statement.sql, *statement.values) if statement else "[]"
    return f',"remarks":{found}'


async def answer_list(request: Request, listing: Listing, query: ListQuery) -> Response:
    """One page as JSON, or all rows of the filter as CSV or NDJSON; 304 when the caller has the answer already."""
    chosen = representation(request, query)
    if chosen != "json":
        return await answer_export(request, listing, query, chosen)
    kind = kind_of_page(listing, query)
    known = await with_known_codes(request, kind, listing, query, chosen)
    page = _prepared(request, listing, known, is_as_sent=known is query)
    async with snapshot(request, kind, known, listing.journal) as data:
        if conditional.is_conditional(request):
            tag = conditional.etag(request, await data.revision(), page.scope)
            if conditional.matches(request, tag):
                return conditional.not_modified(tag)
        items, total, revision, more, *position = await data.fetchrow(page.statement.sql, *page.statement.values)
        remarks = await _remarks(data, listing, known, total)
    links = f'<{page.first}>; rel="first"'
    next_link = "null"
    # After the last row, or without items, no page follows.
    if more and known.limit:
        following = page.next_after(position)
        links += f', <{following}>; rel="next"'
        next_link = f'"{following}"'
    tag = conditional.etag(request, revision, page.scope)
    rest = f',"total":{total},"next":{next_link},"revision":{conditional.number_of(revision)}{remarks}}}'
    return conditional.JsonResponse(
        b'{"items":%b%b' % (items, rest.encode()),
        {**conditional.headers(tag), "X-Total-Count": str(total), "Link": links},
    )


def item_statement(listing: Listing, code: str, query: BaseModel) -> Statement:
    """The statement for a record's JSON and its version; it returns no row where the list has no such code."""
    arguments = Arguments()
    visible = fixed(listing, arguments)
    return Statement(
        f"""
        SELECT {with_stored_links(with_as_of_links(listing.record, query), listing.path)}, {listing.version}
          FROM {listing.rows}
         WHERE {visible} AND {listing.key} = {arguments.bind(code)}""",
        arguments,
    )


async def fetch_item(
    data: Snapshot, listing: Listing, code: str, *, parameter: str = "code"
) -> tuple[str, str] | Response:
    """The JSON of one record and its version, or the 308 to its present code or to its code in the right case.

    Raises NotFound with the code that was meant, where that is nearly certain.

    parameter: the name of the code in the path
    """
    item = item_statement(listing, code, data.query)
    row = await data.fetchrow(item.sql, *item.values)
    if row is not None:
        return row[0], row[1]
    if moved := await renamed(data, listing.entity, code, listing.path):
        return moved
    written, meant = await in_other_case_or_meant(find_in(data.connection, listing), code)
    if written is not None:
        return redirect(data, listing.path, code, written)
    raise no_such_record(listing, code, meant, parameter=parameter, when=" at that time" if data.is_dated else "")


def find_in(connection: Any, listing: Listing) -> Find:
    """The lookup of the codes of a list's records as they are now."""
    arguments = Arguments()
    visible = fixed(listing, arguments)
    return find_with(connection, codes_in(listing.keys or listing.rows, listing.key, visible), *arguments)


async def renamed(data: Snapshot, entity: str, code: str, path: str) -> Response | None:
    """The 308 to the present code of a renamed record; None where this code, in any case, was not renamed.

    path: the part of the request's path before the code
    """
    current = await data.connection.fetchval(PRESENT_CODE.format(entity="$1", code="$2::text"), entity, code)
    return None if current is None else redirect(data, path, code, current)


def redirect(data: Snapshot, path: str, code: str, current: str) -> Response:
    """The 308 to the same path with another code; path: the part of the request's path before the code."""
    url = data.request.url
    location = URL(f"{path}/{current}{url.path.removeprefix(f'{path}/{code}')}").replace(query=url.query)
    headers = {"Location": link(str(location)), "Cache-Control": conditional.CACHE_CONTROL}
    return Response(status_code=308, headers=headers)


def no_such_record(
    listing: Listing, code: str, meant: Suggestion | None = None, *, parameter: str = "code", when: str = ""
) -> NotFound:
    """The 404 for a code that a list does not have; meant: the code that was most likely meant."""
    unknown = error_detail(
        ProblemCode.UNKNOWN_CODE,
        f"{code!r} is not listed at {link(listing.path)}",
        parameter=parameter,
        suggestion=meant and meant.code,
    )
    detail = f"There is no {listing.entity.replace('_', ' ')} {code!r}{when}."
    return NotFound(f"{detail} {meant.sentence}" if meant else detail, errors=[unknown])


async def answer_item(request: Request, listing: Listing, code: str, query: PointInTime) -> Response:
    """The answer with one record; 304 when the caller has it already."""
    async with snapshot(request, ReadKind.PAGE, query, listing.journal) as data:
        found = await fetch_item(data, listing, code)
    if isinstance(found, Response):
        return found
    record, version = found
    tag = conditional.etag(request, version, canonical(query))
    if conditional.matches(request, tag):
        return conditional.not_modified(tag)
    return Response(record, media_type="application/json", headers=conditional.headers(tag))
