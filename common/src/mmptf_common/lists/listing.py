"""The declaration of a list as SQL over its table, from which pages, exports, facets and totals are read."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote_plus, urlencode

from pydantic import BaseModel
from starlette.requests import Request

from mmptf_common.http.negotiation import is_csv
from mmptf_common.http.parameters import ListQuery, PointInTime, TotalsQuery, pairs_of
from mmptf_common.lists.codes import codes_in, find_with, known_codes, suggest
from mmptf_common.storage.engines import ReadKind, reading
from mmptf_common.storage.journal import PUBLIC_JOURNAL, Journal
from mmptf_common.storage.rollups import Rollup
from mmptf_common.wire.codes import NOT_STATED, SHARED
from mmptf_common.wire.links import link
from mmptf_common.wire.places import PlaceKind
from mmptf_common.wire.problems import ErrorDetail, not_one_of, raise_if_any
from mmptf_common.wire.sources import PrintedCount
from mmptf_common.wire.spelling import closest_match
from mmptf_common.wire.suggestions import Suggestion, fold

Q = TypeVar("Q", bound=BaseModel)
# The most known codes of one filter that a process remembers.
MOST_REMEMBERED = 10_000
# The most unknown codes of one filter for which a suggestion is looked up.
MOST_SUGGESTIONS = 5

# The parameters of pages, which a complete export has not.
PAGING = frozenset({"cursor", "limit", "format"})
# The parameters that do not change the rows of a list and their order.
PRESENTATION = PAGING | {"fields"}
# The parameters of totals that are no filters of the list.
OF_GROUPS = frozenset({"by", "sort", "limit", "format"})


@dataclass(frozen=True, slots=True)
class Filter:
    """The filter of one query parameter.

    where:     SQL condition; `{}` stands for the bound value (an array where the parameter may repeat); or a function
               that returns it for a value, and binds what it contains
    codes:     SQL of the codes that the parameter takes, as `codes_in` writes it; None where the query model lists the
               values
    listed_at: the path at which a caller can read those codes
    places:    the kind of places whose codes are all taken, also those without a row; None for other codes
    only:      of which records codes are known here, where a service knows only some of those at `listed_at`
    not_stated: SQL condition of the rows without a value, which the value `not_stated` finds; None where every row has
               one
    columns: all columns of the rows that these conditions read, for lists with rollups; empty where no rollup has them
    beside: another parameter of the query, whose value the function of `where` gets as its third argument, None where
               it is not given; None for a filter that is the same whatever the others are
    """

    where: str | Callable[..., str]
    codes: str | None = None
    listed_at: str | None = None
    places: PlaceKind | None = None
    not_stated: str | None = None
    only: str | None = None
    columns: Sequence[str] = ()
    beside: str | None = None


def own_codes(rows: str, entity: str) -> Filter:
    """The filter by codes of a list's own records, in any case; earlier ones of renamed records find them, too.

    A code that no record has is no error: whoever asks for many learns which of them there are.
    """

    def where(codes: list[str], arguments: Arguments) -> str:
        texts = f"{arguments.bind([fold(code) for code in codes])}::text[]"
        earlier = f"SELECT current FROM renamed_code WHERE entity = '{entity}' AND lower(code) = ANY({texts})"
        # As an array, so that the rows are found in the primary key.
        return f"code = ANY(ARRAY({codes_in(rows).format(texts)} UNION {earlier}))"

    return Filter(where)


# How the condition of a filter ends that finds the rows with any of the values in a column.
_ANY = "= ANY({}::text[])"

# What `{last}` in the expression of a sort stands for, in ascending and in descending order; no amount is negative.
# Both are values of the type, so that the order and the position in it are one comparison, which an index can answer.
_LAST = {
    "numeric": ("'Infinity'", "-1"),
    "text": ("chr(1114111)", "''"),
    "date": ("'9999-12-31'::date", "'0001-01-01'::date"),
}


def amount_filters(parameter: str) -> dict[str, Filter]:
    """The filters `…_min` and `…_max` by `amount`, which find no rows without one; no amount is negative.

    Both compare what the orders by amount compare, in either direction (`_LAST`), so that the index of the order of a
    page has its rows, and their number, in one range. Of rows with an amount one comparison says what the other does.
    """
    return {
        f"{parameter}_{end}": Filter(
            " AND ".join(f"coalesce(amount, {last}) {operator} {{0}}::numeric" for last in reversed(_LAST["numeric"]))
        )
        for end, operator in (("min", ">="), ("max", "<="))
    }


# The columns of a CSV for the first source of a record, and for the moment of its last change.
SOURCED = {
    "source_document": "record#>>'{sources,0,document}'",
    "source_line": "record#>>'{sources,0,line}'",
    "source_verified": "record#>>'{sources,0,verified}'",
    "updated": "record->>'updated'",
}

# SQL that formats the values of a range: `{}` stands for its smallest and its largest one.
AS_TEXT = "({})::text"
AS_MOMENT = """to_char({}, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""

# The parts of a table as of an earlier revision.
_PARTS = ("present", "replaced")

# The version of a record that depends on its own row only: the write that wrote it, with its moment as in REVISION.
VERSION = "revised || ':' || (extract(epoch FROM updated) * 1000000)::bigint"


# The members of stored records that contain links: to a record's history, to the schema of a rubric's answers, and to
# the rows behind a computed figure.
STORED_LINKS = ("locator", "answers_schema", "link")


def drilldown_to(parameter: str, value: str) -> Mapping[str, str] | None:
    """The filter whose rows are those of one group; None for the group `shared`, which has none."""
    return None if value == SHARED else {parameter: value}


# SQL of all the money of a row.
WHOLE_AMOUNT = "filtered.amount"


@dataclass(frozen=True, slots=True)
class Dimension:
    """A grouping of the rows of a list, for facets and totals.

    `filtered` has the rows of the filter, or one for all rows that are equal in every column that is named as
    `filtered.column` here.

    value: SQL of the code, over `filtered`; join: SQL of a join that it needs
    amount: SQL of the part of the money that belongs to the code, for sums
    name: SQL of the code's name; `{}` stands for the code
    drilldown: the filters whose rows are exactly those of one group: parameter and code -> filters, or None
    listed: the dimension as those filters see it, where they also find rows that are summed in other groups
    """

    value: str
    name: str = "NULL::text"
    join: str = ""
    amount: str = WHOLE_AMOUNT
    drilldown: Callable[[str, str], Mapping[str, str] | None] = drilldown_to
    listed: Dimension | None = None


@dataclass(frozen=True, slots=True)
class Omission:
    """Rows that no sum contains: the SQL condition over `filtered`, the reason, and the filters for these rows."""

    where: str
    reason: str
    drilldown: Mapping[str, str] | None = None


def columns_in(*expressions: str) -> list[str]:
    """The columns of `filtered` that SQL expressions name."""
    return sorted({column for sql in expressions for column in re.findall(r"\bfiltered\.([a-z_]+)", sql)})


NO_AMOUNT = Omission("filtered.amount IS NULL", "no amount is stated in the source")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One list of a service's answers, as SQL over one table.

    rows:     the table, a subquery of it, or a join; key: its unique column
    table:    the table, where `rows` is a subquery that has one row for each of its rows; None where `rows` names it,
              or is a join
    record:   SQL of one item's JSON as text; `{base_path}` and `{as_of}` in it are replaced with the base path of the
              process and the `as_of` of the request, for links
    in_feed:  the same of the stored record alone, for the change feed, where `record` reads other rows; None where it
              does not, and the feed gives a record as lists do
    version:  SQL of a text that changes whenever the record does
    sorts:    parameter value -> (SQL expression that is never null, its SQL type); the first is the default. `{last}`
              in an expression stands for the value of rows without one, which is behind all others in both directions
    columns:  the CSV's columns, in order; in them `record` is of the type jsonb, and `stored` is the same as it was
              stored, for cells with a JSON object, whose members stay in their order
    item, page: the models of a record and of a page
    fixed:    SQL condition -> value, conditions that hold for every request; `{}` stands for the bound value
    facets, totals: name -> Dimension; ranges: name -> (SQL of the value, SQL that formats it)
    facet_query, totals_query: the query models of these operations, None where the list has none
    totals_path: a second path of the totals, beside the one below the list
    split_by: columns whose values are never summed together, `money_stage` or `basis` -> the filter of the column
    summed:   parameter -> value, the filters that leave only rows that are summed
    omitted:  the rows that no sum contains
    keys:     the table with the key of every row, in which codes are looked up, where `rows` is a join
    printed:  how many rows there are by what documents print, of which the list holds some
    journal:  the journal of the rows, which gives the revision of an answer
    rollups:  of the table of the rows, the one with the fewest rows first
    remarks:  for lists whose pages say why they are empty: of a query, the statement of the JSON text of the member
              `remarks` of an empty page, None where there is nothing to say; of other pages the member is `[]`
    """

    path: str
    entity: str
    item: type[BaseModel]
    page: type[BaseModel]
    rows: str
    table: str | None = None
    record: str = "record::text"
    in_feed: str | None = None
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
    totals_query: type[TotalsQuery] | None = None
    totals_path: str | None = None
    split_by: Mapping[str, str] = field(default_factory=dict)
    summed: Mapping[str, str] = field(default_factory=dict)
    omitted: Sequence[Omission] = (NO_AMOUNT,)
    keys: str | None = None
    printed: Sequence[PrintedCount] = ()
    journal: Journal = PUBLIC_JOURNAL
    rollups: Sequence[Rollup] = ()
    remarks: Callable[[Any], Statement | None] | None = None


def once(text: str, sql: str) -> str:
    """SQL in which `whole` stands for a text that is read once per row, however often the SQL names it.

    A long record is compressed where it is stored, and each `record::text` would decompress it anew.
    """
    return f"(SELECT {sql} FROM (SELECT {text} AS whole OFFSET 0) AS stored)"


def completed(record: str, *later: Mapping[str, str]) -> str:
    """SQL of a record's text with members that records lack which were stored before these existed.

    record: SQL of the record's text; later: members that came together: name -> SQL of the JSON text of its value. The
            first of them is no name of a member deeper in the record. A quotation mark in a text has a backslash, so
            the text of no value matches.
    """

    def lacking(members: Mapping[str, str]) -> str:
        return f"strpos(whole, '\"{next(iter(members))}\":') = 0"

    def added(members: Mapping[str, str]) -> str:
        return " || ".join(f"',\"{name}\":' || {value}" for name, value in members.items())

    is_older = " OR ".join(map(lacking, later))
    parts = " || ".join(f"CASE WHEN {lacking(each)} THEN {added(each)} ELSE '' END" for each in later)
    return once(record, f"CASE WHEN {is_older} THEN left(whole, -1) || {parts} || '}}' ELSE whole END")


class Statement(NamedTuple):
    """The SQL of a statement, and its bound values: the first is that of `$1`."""

    sql: str
    values: Sequence[Any]


class Arguments(list[Any]):
    """The bound values of one statement; values from a request are never part of the SQL itself."""

    def bind(self, value: object) -> str:
        self.append(value)
        return f"${len(self)}"


def with_as_of_links(sql: str, query: BaseModel) -> str:
    """The SQL with the base path, and the `as_of` of the query, in the links that it builds."""
    as_of = urlencode([pair for pair in pairs_of(query) if pair[0] == "as_of"])
    return sql.replace("{as_of}", as_of).replace("{base_path}", link(""))


def with_stored_links(record: str, path: str) -> str:
    """SQL of the JSON text of stored records, with the base path in the links that they contain, which have none.

    record: SQL of the text, as it was stored. A quotation mark in a text has a backslash, so no text within it matches
    path: a path of the service that has stored the records
    """
    if base := link(""):
        root = "/".join(path.split("/")[:3])
        for name in STORED_LINKS:
            record = f"""replace({record}, '"{name}":"{root}/', '"{name}":"{base}{root}/')"""
    return record


def cache_scope(listing: Listing, question: str) -> str:
    """The canonical query and the list's fixed values: two requests with the same text have the same answer."""
    return "\n".join([question, *map(str, listing.fixed.values())])


def fixed(listing: Listing, arguments: Arguments) -> str:
    """The SQL of the list's fixed conditions."""
    return " AND ".join(where.format(arguments.bind(value)) for where, value in listing.fixed.items()) or "true"


def order(listing: Listing, sort: Sequence[str]) -> str:
    """The SQL of an order; rows with the same values are in the order of their codes, in the last key's direction.

    sort: names in the list's `sorts`, with `-` before those that descend
    """
    return directed([*(sort_value(listing, key)[0] for key in sort), listing.key], sort)


def directed(values: Sequence[str], sort: Sequence[str]) -> str:
    """The SQL of the order of `sort`; values: SQL of what each key compares, and of the code."""
    directions = ["DESC" if key.startswith("-") else "ASC" for key in (*sort, sort[-1])]
    return ", ".join(f"{value} {direction}" for value, direction in zip(values, directions, strict=True))


def rows_as_of(listing: Listing) -> Sequence[str]:
    """SQL of the rows of a list as of an earlier revision, in two parts (`AsOfTables.at`); of a join none."""
    if listing.table:
        return [listing.rows.replace(f"FROM {listing.table})", f"FROM {listing.table}_{part})") for part in _PARTS]
    if listing.rows.isidentifier():
        return [f"{listing.rows}_{part} AS {listing.rows}" for part in _PARTS]
    return []


# The columns by which totals are divided, in any case: `rows` of every list with totals has them.
TOTAL_KEYS = ("money_stage", "basis", "currency")


def rollup_of(
    listing: Listing,
    query: BaseModel,
    columns: Collection[str],
    *,
    without: str | None = None,
    facet: str | None = None,
) -> Rollup | None:
    """The first rollup of a list that has these columns and all that the filters of a query read; None without one.

    A query as of an earlier revision has none that is counted in all rows of then (`Rollup.rows_as_of`).
    without: the filter that is left out; facet: the one that the rollup has to be of
    """
    if listing.fixed:
        return None
    is_past = getattr(query, "as_of", None) is not None
    needed = set(columns)
    for name, filter_, _ in given(listing, query):
        if name != without:
            if not filter_.columns:
                return None
            needed.update(filter_.columns)
    needed.difference_update(TOTAL_KEYS)
    rollups = (each for each in listing.rollups if each.facet == facet and not (is_past and each.is_counted_then))
    return next((each for each in rollups if needed <= set(each.known_as_of if is_past else each.known)), None)


def rows_of(listing: Listing, rollup: Rollup | None) -> str:
    """SQL of the rows of a list, or of a rollup with what the list adds to its rows."""
    if rollup is None:
        return listing.rows
    return listing.rows.replace(f"FROM {listing.table})", f"FROM {rollup.table})") if listing.table else rollup.table


def number_of(rollup: Rollup | None, where: str = "") -> str:
    """SQL of the number of rows of a list that are grouped, in the list or in a rollup; where: of which alone."""
    filtered = where and f" FILTER (WHERE {where})"
    return f"coalesce(sum({rollup.number}){filtered}, 0)::bigint" if rollup else f"count(*){filtered}"


def sort_value(listing: Listing, key: str) -> tuple[str, str]:
    """The SQL of the value by which one key of an order compares rows, and its SQL type."""
    expression, sql_type = listing.sorts[key.removeprefix("-")]
    if "{last}" in expression:
        expression = expression.replace("{last}", _LAST[sql_type][key.startswith("-")])
    return expression, sql_type


def field_names(listing: Listing, representation: str) -> list[str]:
    """The names that `fields` takes: the columns of a CSV, or the members of an item."""
    if is_csv(representation):
        return list(listing.columns)
    return [field.serialization_alias or name for name, field in listing.item.model_fields.items()]


def item_text(listing: Listing, query: ListQuery, arguments: Arguments) -> str:
    """SQL of one item's JSON as text, with the members in `fields` only, as they are and in the order of the record."""
    if not query.fields:
        return listing.record
    return f"""(
        SELECT '{{' || coalesce(string_agg(to_json(name)::text || ':' || value::text, ',' ORDER BY n), '') || '}}'
          FROM json_each(({listing.record})::json) WITH ORDINALITY AS member(name, value, n)
         WHERE name = ANY({arguments.bind(query.fields)}::text[]))"""


class RowLinks:
    """The paths of the rows of a query with other values of some filters; what they have in common is encoded once.

    given: the filters of the query that have a value
    """

    def __init__(self, listing: Listing, query: BaseModel) -> None:
        self.given: dict[str, Any] = {name: value for name, value in query if value}
        self._path = link(listing.path)
        self._pairs = sorted(pairs_of(query, without=OF_GROUPS))
        # The names of parameters, in any order -> the path with these parameters, and their names in its order.
        self._templates: dict[tuple[str, ...], tuple[str, list[str]]] = {}

    def path(self, filters: Mapping[str, str]) -> str:
        """The path of the rows of the query, with these values in place of those of their parameters."""
        names = tuple(filters)
        found = self._templates.get(names)
        if found is None:
            found = self._templates[names] = self._template(tuple(sorted(names))), sorted(names)
        template, ordered = found
        return template % tuple([_quoted(filters[name]) for name in ordered])

    def _template(self, names: tuple[str, ...]) -> str:
        """The path with `%s` in place of the values of these parameters; names are identifiers and need no quoting."""
        stated = [(name, quote_plus(value).replace("%", "%%")) for name, value in self._pairs if name not in names]
        pairs = sorted([*stated, *((name, "%s") for name in names)], key=itemgetter(0))
        text = "&".join([f"{name}={value}" for name, value in pairs])
        return f"{self._path}?{text}" if text else self._path


# Groups have few different codes, each of them often.
_quoted = lru_cache(maxsize=4096)(quote_plus)


def given(listing: Listing, query: BaseModel) -> list[tuple[str, Filter, Any]]:
    """The filters of a list for which a query has a value, each with its parameter and the value."""
    values = [(name, filter_, getattr(query, name)) for name, filter_ in listing.filters.items()]
    return [each for each in values if each[2] is not None and each[2] != []]


def condition(listing: Listing, query: BaseModel, arguments: Arguments, *, without: str | None = None) -> str:
    """The SQL condition of a query: any of the values of one filter, and all filters but the one named `without`."""
    clauses = [fixed(listing, arguments)] if listing.fixed else []
    clauses += [
        clause(f, value, arguments, getattr(query, f.beside) if f.beside else None)
        for name, f, value in given(listing, query)
        if name != without
    ]
    return " AND ".join(clauses) or "true"


def clause(filter_: Filter, value: Any, arguments: Arguments, beside: Any = None) -> str:
    """The SQL condition of the value, or of all values, of one filter; beside: the value of its `beside`."""
    lacking = None
    if filter_.not_stated and NOT_STATED in value:
        lacking, value = filter_.not_stated, [each for each in value if each != NOT_STATED]
        if not value:
            return lacking
    where = filter_.where
    if isinstance(where, str) and where.endswith(_ANY) and len(value) == 1:
        # An index has the rows of one value in the order of its further columns, and those of several in no order.
        where, value = f"{where.removesuffix(_ANY)}= {{}}::text", value[0]
    if isinstance(where, str):
        found = where.format(arguments.bind(value))
    else:
        found = where(value, arguments, beside) if filter_.beside else where(value, arguments)
    return f"({lacking} OR {found})" if lacking else found


async def with_known_codes(
    request: Request, kind: ReadKind, listing: Listing, query: Q, representation: str | None = None
) -> Q:
    """The query with its codes and fields as they are written; raises InvalidRequest for those that do not exist.

    Two queries whose codes differ in case alone are the same, so they have the same canonical query.
    representation: of the answer, where the query may name its fields
    """
    changed: dict[str, list[str]] = {}
    errors: list[ErrorDetail] = []
    if representation and isinstance(query, ListQuery) and query.fields:
        changed["fields"] = _known_fields(field_names(listing, representation), query.fields, errors)
    for name, f in listing.filters.items():
        if name not in query.model_fields_set or f.codes is None or not (given := getattr(query, name)):
            continue
        known = request.app.state.known_codes.get(f.codes, {})
        for code in given:
            if known.get(code) != code and not (f.not_stated and code == NOT_STATED):
                changed[name] = await known_values(request, kind, name, f, given, errors)
                break
    raise_if_any(errors)
    return query.model_copy(update=changed) if changed else query


def _known_fields(names: Sequence[str], given: Sequence[str], errors: list[ErrorDetail]) -> list[str]:
    """The fields of a query as they are written; adds an error for each that does not exist."""
    written = {name.casefold(): name for name in names}
    for name in given:
        if name.casefold() not in written:
            meant = closest_match(name, names)
            errors.append(not_one_of("fields", name, names, suggestion=Suggestion(meant) if meant else None))
    return sorted({written[name.casefold()] for name in given if name.casefold() in written})


async def known_values(
    request: Request, kind: ReadKind, parameter: str, taken: Filter, given: Sequence[str], errors: list[ErrorDetail]
) -> list[str]:
    """The codes of one parameter as they are written; adds an error for each that does not exist.

    Codes are never deleted, so known ones are remembered in the app and the database is asked for others only.
    """
    assert taken.codes is not None
    known: dict[str, str] = request.app.state.known_codes.setdefault(taken.codes, {})
    written = [NOT_STATED if taken.not_stated and fold(code) == NOT_STATED else known.get(code) for code in given]
    if others := [code for code, found in zip(given, written, strict=True) if found is None]:
        async with reading(request.app.state.database, kind) as connection:
            find = find_with(connection, taken.codes)
            found = await known_codes(find, others, taken.places)
            unknown = list(dict.fromkeys(code for code in others if code not in found))
            for n, code in enumerate(unknown):
                meant = await suggest(find, code, taken.places) if n < MOST_SUGGESTIONS else None
                errors.append(not_one_of(parameter, code, listed_at=taken.listed_at, only=taken.only, suggestion=meant))
        if len(known) + len(found) > MOST_REMEMBERED:
            known.clear()
        known.update(found)
        written = [code or found.get(other) for code, other in zip(written, given, strict=True)]
    # Two codes that were sent in different cases may be one.
    return sorted({code for code in written if code is not None})
