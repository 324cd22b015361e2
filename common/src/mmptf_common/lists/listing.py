"""A list declared once, as SQL over its table: what the read path makes pages, exports, facets and totals of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import urlencode

from pydantic import BaseModel
from starlette.requests import Request

from mmptf_common.http.parameters import ListQuery, PointInTime, pairs_of, search_terms
from mmptf_common.storage.engines import reading
from mmptf_common.wire.codes import NOT_STATED, SHARED
from mmptf_common.wire.problems import not_one_of, raise_if_any

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
    "source_document": "record#>>'{sources,0,document}'",
    "source_line": "record#>>'{sources,0,line}'",
    "source_verified": "record#>>'{sources,0,verified}'",
    "updated": "record->>'updated'",
}

# How ranges write a value: `{}` stands for its smallest and its largest.
AS_TEXT = "({})::text"
AS_MOMENT = """to_char({}, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""

# What a record rests on alone: the write that made it, told apart as a revision is.
VERSION = "revised || ':' || (extract(epoch FROM updated) * 1000000)::bigint"

# Whole words by their beginning, over a column `words` that holds the folded words of a text.
SEARCH = Filter("array_to_tsvector(words) @@ {}::text::tsquery", bind=search_terms)


def drilldown_to(parameter: str, value: str) -> Mapping[str, str] | None:
    """The filter that finds the rows of one group; None where no filter can, for what is shared or not stated."""
    return None if value in (SHARED, NOT_STATED) else {parameter: value}


@dataclass(frozen=True, slots=True)
class Dimension:
    """One way to divide the rows of a list.

    value: SQL of the code, over `filtered`, the rows of the filter; join: what is joined to them for it
    amount: the part of the money, for sums
    name: SQL of the code's name; `{}` stands for the code
    drilldown: the filters whose rows are exactly those of one group: parameter and code -> filters, or None
    """

    value: str
    name: str = "NULL::text"
    join: str = ""
    amount: str = "filtered.amount"
    drilldown: Callable[[str, str], Mapping[str, str] | None] = drilldown_to


@dataclass(frozen=True, slots=True)
class Omission:
    """Rows that no sum contains: the SQL condition over `filtered`, the reason, and the filters that find them."""

    where: str
    reason: str
    drilldown: Mapping[str, str] | None = None


NO_AMOUNT = Omission("filtered.amount IS NULL", "no amount is stated in the source")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One list of the wire, as SQL over one table.

    rows:     the table, or a join; key: its unique column
    record:   the SQL text of one item's JSON; `{as_of}` in it is the question's, as a link carries it on, or nothing
    version:  SQL of a text that is another one whenever the record is
    sorts:    parameter value -> (SQL expression that is never null, its SQL type); the first is the default
    columns:  the CSV's columns, in order
    item, page: the wire shapes of a record and of a page
    fixed:    SQL condition -> value, what the path itself narrows the list to; `{}` stands for the bound value
    facets, ranges, totals: see `Dimension`; each comes with the query model of its operation
    totals_path: where the totals are read, if not below the list
    split_by: what no sum mixes beside currency, `money_stage` or `basis` -> the filter that tells its values apart
    summed, omitted: the filters that leave the rows that are summed, and the rows that no sum contains
    """

    path: str
    entity: str
    item: type[BaseModel]
    page: type[BaseModel]
    rows: str
    record: str = "record::text"
    version: str = VERSION
    key: str = "code"
    query: type[ListQuery]
    sorts: Mapping[str, tuple[str, str]]
    filters: Mapping[str, Filter]
    columns: Mapping[str, str]
    fixed: Mapping[str, Any] = field(default_factory=dict)
    facets: Mapping[str, Dimension] = field(default_factory=dict)
    ranges: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    facet_query: type[PointInTime] | None = None
    totals: Mapping[str, Dimension] = field(default_factory=dict)
    totals_query: type[PointInTime] | None = None
    totals_path: str | None = None
    split_by: Mapping[str, str] = field(default_factory=dict)
    summed: Mapping[str, str] = field(default_factory=dict)
    omitted: Sequence[Omission] = (NO_AMOUNT,)


class Statement(NamedTuple):
    """A statement as PostgreSQL takes it, and its bound values: the first stands at `$1`."""

    sql: str
    values: Sequence[Any]


class Arguments(list[Any]):
    """The bound values of one statement; nothing a caller sends ever stands in the SQL itself."""

    def bind(self, value: object) -> str:
        self.append(value)
        return f"${len(self)}"


def with_as_of_links(sql: str, query: BaseModel) -> str:
    """SQL of what readers get, with the `as_of` of their question in the links that it makes."""
    return sql.replace("{as_of}", urlencode([pair for pair in pairs_of(query) if pair[0] == "as_of"]))


def cache_scope(listing: Listing, question: str) -> str:
    """A canonical question, and what the list is narrowed to whatever is asked: together they are one answer."""
    return "\n".join([question, *map(str, listing.fixed.values())])


def fixed(listing: Listing, arguments: Arguments) -> str:
    """The SQL condition of what a list is narrowed to whatever is asked."""
    return " AND ".join(where.format(arguments.bind(value)) for where, value in listing.fixed.items()) or "true"


def order(listing: Listing, sort: str) -> str:
    """The SQL of an order: `sort` is one of the list's, with `-` when it descends."""
    expression, _ = listing.sorts[sort.removeprefix("-")]
    direction = "DESC" if sort.startswith("-") else "ASC"
    return f"{expression} {direction}, {listing.key} {direction}"


def condition(listing: Listing, query: BaseModel, arguments: Arguments) -> str:
    """The SQL condition of a query's filters: any of a repeated one, all of different ones."""
    clauses = [fixed(listing, arguments)] if listing.fixed else []
    clauses += [
        f.where.format(arguments.bind(f.bind(value) if f.bind else value))
        for name, f in listing.filters.items()
        if (value := getattr(query, name)) is not None and value != []
    ]
    return " AND ".join(clauses) or "true"


async def check_codes(request: Request, listing: Listing, query: BaseModel) -> None:
    """Raise InvalidRequest for codes that do not exist, with the nearest one that does.

    A code is never taken away, so those seen once are remembered and only an unknown one asks the database.
    """
    errors = []
    for name, f in listing.filters.items():
        if f.codes is None or not (codes := getattr(query, name)):
            continue
        known: set[str] = request.app.state.known_codes.setdefault(f.codes, set())
        if known.issuperset(codes):
            continue
        async with reading(request.app.state.database) as connection:
            known.update(row[0] for row in await connection.fetch(f.codes))
        errors += [
            not_one_of("unknown_code", name, code, sorted(known), listed_at=f.listed_at)
            for code in codes
            if code not in known
        ]
    raise_if_any(errors)
