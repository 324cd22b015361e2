"""Facet counts and totals of a list, exact, each with the rows behind it, cached under their revision."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from mmptf_common import conditional
from mmptf_common.cache import Cache
from mmptf_common.codes import NOT_STATED, SHARED
from mmptf_common.db import reading
from mmptf_common.journal import REVISION
from mmptf_common.listing import Arguments, Listing, check_codes, condition
from mmptf_common.query import canonical, pairs_of, parse
from mmptf_common.schemas import Money, Wire


class FacetValue(Wire):
    """How many rows of the current filter carry one value; `value` null counts rows for which none is stated."""

    value: str | None
    name: str | None
    count: int


class FacetRange(Wire):
    """The smallest and largest value among the rows of the current filter, and how many rows state none."""

    min: str | None
    max: str | None
    not_stated: int


class Facets(Wire):
    """Facet counts under a filter; a row that carries several values counts once in each of them."""

    filter: str
    total: int
    facets: dict[str, list[FacetValue]]
    ranges: dict[str, FacetRange]
    revision: int


class TotalGroup(Wire):
    """The part of a total that belongs to one value alone, and the path of the rows that carry that value."""

    value: str
    name: str | None
    sum: Money
    rows: int
    link: str


class TotalRest(Wire):
    """The part of a total that belongs to no single value: shared among several, or not stated in the source."""

    sum: Money
    rows: int


class Total(Wire):
    """One stage of money, in one currency: `groups`, `shared` and `not_stated` add up to `sum` exactly."""

    stage: str
    basis: str | None
    sum: Money
    rows: int
    groups: list[TotalGroup]
    shared: TotalRest | None
    not_stated: TotalRest | None


class LeftOut(Wire):
    """Rows of the filter that no total contains, and why."""

    reason: str
    rows: int


class Totals(Wire):
    """Totals under a filter, one for each stage of money: stages are never added together."""

    by: str
    filter: str
    rows: int
    link: str
    totals: list[Total]
    left_out: list[LeftOut]
    revision: int


async def answer_cached(
    request: Request, asked: str, revision: str, compute: Callable[[], Awaitable[tuple[str, BaseModel]]]
) -> Response:
    """An aggregate from the cache or computed now, labelled with Cache-Status; 304 when the caller has it.

    `compute` returns the revision that it saw and the answer: a write in between makes it newer than `revision`,
    and then it is kept under its own.
    """
    tag = conditional.etag(request, revision, asked)
    if conditional.matches(request, tag):
        return conditional.not_modified(tag)
    cache: Cache = request.app.state.cache
    body, status = await cache.get(tag)
    if body is None:
        revision, answer = await compute()
        body = answer.model_dump_json().encode()
        tag = conditional.etag(request, revision, asked)
        if await cache.put(tag, body):
            status += "; stored"
    return Response(body, media_type="application/json", headers={**conditional.headers(tag), "Cache-Status": status})


async def answer_facets(request: Request, listing: Listing) -> Response:
    """Facet counts of a list under the request's filter."""
    assert listing.facet_query
    query = parse(request, listing.facet_query)
    asked = canonical(query)
    async with reading(request.app.state.database) as connection:
        await check_codes(request, connection, listing, query)
        now = await connection.fetchval(f"SELECT {REVISION}")

        async def compute() -> tuple[str, BaseModel]:
            arguments = Arguments()
            where = condition(listing, query, arguments)
            parts = [
                f"(SELECT coalesce(json_agg(json_build_object('value', value, 'name', name, 'count', n)"
                f" ORDER BY n DESC, value), '[]') FROM (SELECT {d.value} AS value, {d.name} AS name, count(*) AS n"
                f" FROM hit {d.join} GROUP BY 1, 2) AS facet) AS {name}"
                for name, d in listing.facets.items()
            ] + [
                f"(SELECT json_build_object('min', {text.format(f'min({sql})')}, 'max', {text.format(f'max({sql})')},"
                f" 'not_stated', count(*) FILTER (WHERE {sql} IS NULL)) FROM hit) AS {name}"
                for name, (sql, text) in listing.ranges.items()
            ]
            row = await connection.fetchrow(
                f"WITH hit AS MATERIALIZED (SELECT * FROM {listing.rows} WHERE {where})"
                f" SELECT {REVISION} AS revision, (SELECT count(*) FROM hit) AS total, {', '.join(parts)}",
                *arguments,
            )
            return row["revision"], Facets.model_validate(
                {
                    "filter": asked,
                    "total": row["total"],
                    "facets": {name: json.loads(row[name]) for name in listing.facets},
                    "ranges": {name: json.loads(row[name]) for name in listing.ranges},
                    "revision": conditional.number_of(row["revision"]),
                }
            )

        return await answer_cached(request, asked, now, compute)


async def answer_totals(request: Request, listing: Listing) -> Response:
    """Exact sums of a list's money under the request's filter, divided by `by`; `hit` names its stage and currency."""
    assert listing.totals_query
    query = parse(request, listing.totals_query)
    asked = canonical(query)
    by: str = query.by  # type: ignore[attr-defined]
    dimension = listing.totals[by]
    async with reading(request.app.state.database) as connection:
        await check_codes(request, connection, listing, query)
        now = await connection.fetchval(f"SELECT {REVISION}")

        async def compute() -> tuple[str, BaseModel]:
            arguments = Arguments()
            where = condition(listing, query, arguments)
            # Both statements read one snapshot: the whole is counted apart from its parts.
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                rows = await connection.fetch(
                    f"WITH hit AS MATERIALIZED (SELECT * FROM {listing.rows} WHERE {where})"
                    f" SELECT {REVISION} AS revision, (SELECT count(*) FROM hit) AS found,"
                    " (SELECT count(*) FROM hit WHERE hit.amount IS NULL) AS without_amount, part.*"
                    f" FROM (SELECT hit.money_stage, hit.basis, hit.currency, {dimension.value} AS value,"
                    f" {dimension.name} AS name, sum({dimension.amount}) AS amount, count(*) AS n"
                    f" FROM hit {dimension.join} WHERE hit.amount IS NOT NULL GROUP BY 1, 2, 3, 4, 5) AS part"
                    " FULL JOIN (SELECT 1) AS always ON true ORDER BY money_stage, basis, currency, value",
                    *arguments,
                )
                sizes = await _sizes(connection, listing, where, arguments)
            return rows[0]["revision"], _totals(listing, query, by, rows, sizes)

        return await answer_cached(request, asked, now, compute)


async def _sizes(connection: Any, listing: Listing, where: str, arguments: Arguments) -> dict[tuple[Any, ...], Any]:
    """How many rows and how much money each stage has in all, counted apart from its parts."""
    return {
        (row["money_stage"], row["basis"], row["currency"]): row
        for row in await connection.fetch(
            f"SELECT money_stage, basis, currency, sum(amount) AS amount, count(*) AS n FROM {listing.rows}"
            f" WHERE {where} AND amount IS NOT NULL GROUP BY 1, 2, 3",
            *arguments,
        )
    }


def _totals(listing: Listing, query: BaseModel, by: str, rows: list[Any], sizes: dict[tuple[Any, ...], Any]) -> Totals:
    totals = []
    for (stage, basis, currency), size in sorted(sizes.items(), key=lambda item: str(item[0])):
        parts = [r for r in rows if (r["money_stage"], r["basis"], r["currency"]) == (stage, basis, currency)]
        rest = {
            r["value"]: TotalRest(sum=_money(r["amount"], currency), rows=r["n"])
            for r in parts
            if r["value"] in (SHARED, NOT_STATED)
        }
        totals.append(
            Total(
                stage=stage,
                basis=basis,
                sum=_money(size["amount"], currency),
                rows=size["n"],
                groups=[
                    TotalGroup(
                        value=r["value"],
                        name=r["name"],
                        sum=_money(r["amount"], currency),
                        rows=r["n"],
                        link=_link(listing, query, {by: r["value"]}),
                    )
                    for r in parts
                    if r["value"] not in (SHARED, NOT_STATED)
                ],
                shared=rest.get(SHARED),
                not_stated=rest.get(NOT_STATED),
            )
        )
    without = rows[0]["without_amount"]
    return Totals(
        by=by,
        filter=canonical(query, without=frozenset({"by"})),
        rows=rows[0]["found"],
        link=_link(listing, query, {}),
        totals=totals,
        left_out=[LeftOut(reason="no amount is stated in the source", rows=without)] if without else [],
        revision=conditional.number_of(rows[0]["revision"]),
    )


def _link(listing: Listing, query: BaseModel, narrowed: dict[str, str]) -> str:
    pairs = [(n, v) for n, v in pairs_of(query) if n != "by" and n not in narrowed]
    text = urlencode(sorted([*pairs, *narrowed.items()]))
    return f"{listing.path}?{text}" if text else listing.path


def _money(amount: Decimal, currency: str) -> Money:
    return Money(amount=f"{amount:.2f}", currency=currency)
