"""Exact facet counts and ranges of a list, cached under their revision."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from mmptf_common.http.parameters import FORMAT, TableQuery, canonical
from mmptf_common.http.snapshot import Snapshot, answer_computed
from mmptf_common.lists.listing import (
    Arguments,
    Dimension,
    Listing,
    RowLinks,
    Statement,
    columns_in,
    condition,
    number_of,
    rollup_of,
    rows_of,
    with_known_codes,
)
from mmptf_common.lists.tables import cells_of, columns_of, csv_of
from mmptf_common.storage.engines import ReadKind
from mmptf_common.storage.rollups import Rollup
from mmptf_common.wire.base import ResponseModel
from mmptf_common.wire.codes import NOT_STATED


class FacetValue(ResponseModel):
    """One value of a filter, and how many records have it."""

    value: str | None
    """The value to filter by, such as `KEN`; null for the records that state none."""
    name: str | None
    """Name of the value, for people, such as `Kenya`; null where it has none."""
    count: int
    """Number of records that have it and match all other filters."""
    link: str
    """Path that lists these records."""


class FacetRange(ResponseModel):
    """The smallest and the largest value of one figure among the records that match all filters."""

    min: str | None
    """Smallest value as text: an amount, a day, or a moment in UTC; null where no record states one."""
    max: str | None
    """Largest value, in the same form; null where no record states one."""
    not_stated: int
    """Number of records that state no value."""


class FacetCounts(ResponseModel):
    """How many records have each value of each filter. A record with several values counts in each of them."""

    filter: str
    """The filters of the request as a query string, in one order and spelling, such as `country=SRB`; empty where there
    were none.
    """
    total: int
    """Number of records that match all filters."""
    facets: dict[str, list[FacetValue]]
    """Name of a filter -> its values with their counts. The counts of one filter are under all other filters but not
    under itself, so that they show what choosing another value would find.
    """
    ranges: dict[str, FacetRange]
    """Name of a figure, such as `budget` -> its smallest and largest value among the records that match all filters."""
    revision: int
    """Number of the last write that the answer contains; it only grows, and `as_of` takes it to read the same data
    again.
    """


def facets_statement(listing: Listing, query: BaseModel) -> Statement:
    """The statement for one row: the total, and a JSON column for each facet and for each range, with its name.

    Rows, or those of a rollup, are read once for all facets under the same filters, and counted by the columns that
    these facets name: what a facet joins or takes apart is done once for all that are equal there.
    """
    arguments = Arguments()
    ends = [
        f"{end}_{column}"
        for (value, _) in listing.ranges.values()
        for column in columns_in(value)
        for end in ("least", "most")
    ]
    whole = _Counted("filtered", None, rollup_of(listing, query, ends))
    counted, sources = {whole.name: whole}, {}
    for name, dimension in listing.facets.items():
        without = name if getattr(query, name) else None
        rollup = _rollup_of_facet(listing, query, name, without, whole.rollup)
        if without is None and rollup == whole.rollup:
            found = whole
        else:
            table = f"without_{name}" if without else f"filtered_{rollup.table if rollup else 'rows'}"
            found = counted.setdefault(table, _Counted(table, without, rollup))
        if rollup and rollup.facet:
            dimension = replace(dimension, value=f"filtered.{name}", join="")
        found.dimensions.append(dimension)
        sources[name] = (dimension, found.name)
    tables = [
        f"{each.name} AS MATERIALIZED ({_counted(listing, query, each, arguments, with_ranges=each is whole)})"
        for each in counted.values()
    ]
    columns = [f"({_facet(dimension, table)}) AS {name}" for name, (dimension, table) in sources.items()]
    columns += [f"({_range(n, text)}) AS {name}" for n, (name, (_, text)) in enumerate(listing.ranges.items())]
    selected = ", ".join(["(SELECT coalesce(sum(n), 0)::bigint FROM filtered) AS total", *columns])
    return Statement(f"WITH {', '.join(tables)} SELECT {selected}", arguments)


@dataclass(slots=True)
class _Counted:
    """A set of rows that are counted for the facets under the same filters.

    name: of its common table expression; without: the filter that is left out; rollup: what is read in place of rows
    """

    name: str
    without: str | None
    rollup: Rollup | None
    dimensions: list[Dimension] = field(default_factory=list)


def _rollup_of_facet(
    listing: Listing, query: BaseModel, name: str, without: str | None, preferred: Rollup | None
) -> Rollup | None:
    """The rollup that one facet is counted in, where there is one: the one that is read for the total, if it can be."""
    facet = name if any(rollup.facet == name for rollup in listing.rollups) else None
    dimension = listing.facets[name]
    columns = [name] if facet else columns_in(dimension.value, dimension.join)
    if preferred and not facet and without is None and preferred.facet is None and {*columns} <= {*preferred.columns}:
        return preferred
    return rollup_of(listing, query, columns, without=without, facet=facet)


def _counted(listing: Listing, query: BaseModel, rows: _Counted, arguments: Arguments, *, with_ranges: bool) -> str:
    """SQL of the numbers `n` of the rows that are equal in all columns of the dimensions, and of their extremes."""
    where = condition(listing, query, arguments, without=rows.without)
    keys = columns_in(*(sql for dimension in rows.dimensions for sql in (dimension.value, dimension.join)))
    extremes = _extremes(listing, rows.rollup) if with_ranges else []
    return f"""
        SELECT {", ".join([*keys, f"{number_of(rows.rollup)} AS n", *extremes])}
          FROM (SELECT * FROM {rows_of(listing, rows.rollup)} WHERE {where}) AS filtered
         GROUP BY {", ".join(keys) or "()"}"""


def _extremes(listing: Listing, rollup: Rollup | None) -> list[str]:
    """SQL of the smallest and the largest value of each range, and of the number of rows that state one."""
    found = []
    for n, (value, _) in enumerate(listing.ranges.values()):
        least, most, stated = value, value, f"count({value})"
        if rollup:
            (column,) = columns_in(value)
            least, most = (f"filtered.{rollup.end_of(end, column)}" for end in ("least", "most"))
            stated = number_of(rollup, f"{least} IS NOT NULL")
        found.append(f"min({least}) AS least_{n}, max({most}) AS most_{n}, {stated} AS stated_{n}")
    return found


def _facet(dimension: Dimension, counted: str) -> str:
    """SQL of the values of one dimension, the most frequent first; a name is looked up once for each value."""
    return f"""
        SELECT coalesce(json_agg(json_build_object('value', value, 'name', name, 'count', n)
                                 ORDER BY n DESC, value), '[]')
          FROM (SELECT value, {dimension.name.format("value")} AS name, n
                  FROM (SELECT {dimension.value} AS value, sum(filtered.n)::bigint AS n
                          FROM {counted} AS filtered {dimension.join}
                         GROUP BY 1) AS summed) AS named"""


def _range(n: int, text: str) -> str:
    """SQL of the smallest and the largest value, formatted by `text`, and of the number of rows without one."""
    return f"""
        SELECT json_build_object('min', {text.format(f"min(least_{n})")}, 'max', {text.format(f"max(most_{n})")},
                                 'not_stated', coalesce(sum(n - stated_{n}), 0)::bigint)
          FROM filtered"""


def facet_columns() -> list[str]:
    """The columns of facets as CSV, in order."""
    return ["parameter", *columns_of(FacetValue)]


# A row counts in each of its values and once in `total`, so no row is the whole.
def _as_csv(facets: FacetCounts) -> bytes:
    """One row for each value of each facet."""
    return csv_of(
        facet_columns(),
        ({"parameter": name, **cells_of(value)} for name, values in facets.facets.items() for value in values),
    )


async def answer_facets(request: Request, listing: Listing, query: TableQuery) -> Response:
    """The facet counts and ranges of a list under the request's filter."""
    query = await with_known_codes(request, ReadKind.COMPUTED, listing, query)
    facets = facets_statement(listing, query)

    async def build(data: Snapshot, revision: int) -> FacetCounts:
        row = await data.fetchrow(facets.sql, *facets.values)
        return await asyncio.to_thread(_counts, listing, query, row, revision)

    return await answer_computed(request, query, build, table=_as_csv)


def _counts(listing: Listing, query: TableQuery, row: Any, revision: int) -> FacetCounts:
    """The answer from the row of `facets_statement`; a filter may have thousands of values."""
    links = RowLinks(listing, query)
    return FacetCounts.model_validate(
        {
            "filter": canonical(query, without=FORMAT),
            "total": row["total"],
            "facets": {
                name: [
                    {**counted, "link": links.path({name: counted["value"] or NOT_STATED})}
                    for counted in json.loads(row[name])
                ]
                for name in listing.facets
            },
            "ranges": {name: json.loads(row[name]) for name in listing.ranges},
            "revision": revision,
        }
    )
