"""Exact facet counts and ranges of a list, cached under their revision."""

from __future__ import annotations

import json

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from mmptf_common.http.parameters import FORMAT, TableQuery, canonical
from mmptf_common.http.snapshot import snapshot
from mmptf_common.lists.listing import Arguments, Dimension, Listing, Statement, condition, path_of, with_known_codes
from mmptf_common.lists.tables import cells_of, columns_of, csv_of
from mmptf_common.wire.base import ResponseModel
from mmptf_common.wire.codes import NOT_STATED


class FacetValue(ResponseModel):
    """How many rows carry one value, and the path that lists them; `value` null counts those for which none is stated.

    The rows are those of the current filter without the facet's own, so that each further value can be chosen.
    """

    value: str | None
    """The code or word; null for the rows that state none."""
    name: str | None
    """Name of the code, for people; null where it has none."""
    count: int
    """Number of rows that carry it."""
    link: str
    """Path that lists these rows."""


class FacetRange(ResponseModel):
    """The smallest and largest value among the rows of the current filter, and how many rows state none."""

    min: str | None
    """Smallest value as text; null where no row states one."""
    max: str | None
    """Largest value as text; null where no row states one."""
    not_stated: int
    """Number of rows that state none."""


class FacetCounts(ResponseModel):
    """Facet counts under a filter; a row that carries several values counts once in each of them.

    `total` and `ranges` are of the whole filter, each facet of the filter without its own parameter.
    """

    filter: str
    """The filters of the question in their canonical form, as a query string; empty where there were none."""
    total: int
    """Number of rows that all filters find."""
    facets: dict[str, list[FacetValue]]
    """The values of each facet with their counts, by the name of the filter."""
    ranges: dict[str, FacetRange]
    """Smallest and largest values, by the name of the figure."""
    revision: int
    """Number of the last write that the answer contains; it only grows, and `as_of` takes it to read the same data
    again.
    """


def facets_statement(listing: Listing, query: BaseModel) -> Statement:
    """The statement for one row: the total, and a JSON column for each facet and for each range, with its name."""
    arguments = Arguments()
    tables = {"filtered": condition(listing, query, arguments)}
    columns = []
    for name, dimension in listing.facets.items():
        rows = "filtered"
        if getattr(query, name):
            rows = f"without_{name}"
            tables[rows] = condition(listing, query, arguments, without=name)
        columns.append(f"({_facet(dimension, rows)}) AS {name}")
    columns += [f"({_range(value, text)}) AS {name}" for name, (value, text) in listing.ranges.items()]
    selected = ", ".join(["(SELECT count(*) FROM filtered) AS total", *columns])
    filtered = ", ".join(
        f"{table} AS MATERIALIZED (SELECT * FROM {listing.rows} WHERE {where})" for table, where in tables.items()
    )
    return Statement(f"WITH {filtered} SELECT {selected}", arguments)


def _facet(dimension: Dimension, rows: str) -> str:
    """SQL of the values of one dimension, the most frequent first; a name is looked up once for each value."""
    filtered = rows if rows == "filtered" else f"{rows} AS filtered"
    return f"""
        SELECT coalesce(json_agg(json_build_object('value', value, 'name', name, 'count', n)
                                 ORDER BY n DESC, value), '[]')
          FROM (SELECT value, {dimension.name.format("value")} AS name, n
                  FROM (SELECT {dimension.value} AS value, count(*) AS n
                          FROM {filtered} {dimension.join}
                         GROUP BY 1) AS counted) AS named"""


def _range(value: str, text: str) -> str:
    """SQL of the smallest and the largest value, formatted by `text`, and of the number of rows without one."""
    return f"""
        SELECT json_build_object('min', {text.format(f"min({value})")}, 'max', {text.format(f"max({value})")},
                                 'not_stated', count(*) FILTER (WHERE {value} IS NULL))
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
    query = await with_known_codes(request, listing, query)
    facets = facets_statement(listing, query)
    async with snapshot(request, query) as data:

        async def build(revision: int) -> FacetCounts:
            row = await data.fetchrow(facets.sql, *facets.values)
            return FacetCounts.model_validate(
                {
                    "filter": canonical(query, without=FORMAT),
                    "total": row["total"],
                    "facets": {
                        name: [
                            {**counted, "link": path_of(listing, query, {name: counted["value"] or NOT_STATED})}
                            for counted in json.loads(row[name])
                        ]
                        for name in listing.facets
                    },
                    "ranges": {name: json.loads(row[name]) for name in listing.ranges},
                    "revision": revision,
                }
            )

        return await data.cached(build, table=_as_csv)
