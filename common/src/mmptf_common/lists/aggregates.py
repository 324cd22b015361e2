"""Facet counts and totals of a list, exact, each with the rows behind it, cached under their revision."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from mmptf_common.http.parameters import canonical, pairs_of, parse
from mmptf_common.http.snapshot import snapshot
from mmptf_common.lists.listing import Arguments, Listing, check_codes, condition
from mmptf_common.wire.base import ResponseModel
from mmptf_common.wire.money import Money


class FacetValue(ResponseModel):
    """How many rows of the current filter carry one value; `value` null counts rows for which none is stated."""

    value: str | None
    name: str | None
    count: int


class FacetRange(ResponseModel):
    """The smallest and largest value among the rows of the current filter, and how many rows state none."""

    min: str | None
    max: str | None
    not_stated: int


class Facets(ResponseModel):
    """Facet counts under a filter; a row that carries several values counts once in each of them."""

    filter: str
    total: int
    facets: dict[str, list[FacetValue]]
    ranges: dict[str, FacetRange]
    revision: int


class LeftOut(ResponseModel):
    """Rows that a sum does not contain, and why; `link` is null where no filter finds just them."""

    reason: str
    rows: int
    link: str | None


class GroupKey(ResponseModel):
    """One value that the rows of a group carry; the value `shared` stands for several, `not_stated` for none known."""

    by: str
    value: str
    name: str | None


class TotalGroup(ResponseModel):
    """The part of a total that belongs to one value of each dimension alone; no row is in two groups.

    `link` lists the rows behind it, null where no filter finds them; `sum` is null where no row states an amount.
    """

    keys: list[GroupKey]
    sum: Money | None
    rows: int
    link: str | None
    left_out: list[LeftOut]


class Total(ResponseModel):
    """One stage of money, on one basis, in one currency: `groups` add up to `sum` exactly.

    `rows` counts the rows that are summed, `link` lists them; the rows of `left_out` have links of their own.
    """

    stage: str
    basis: str | None
    sum: Money | None
    rows: int
    link: str
    groups: list[TotalGroup]
    left_out: list[LeftOut]


class Totals(ResponseModel):
    """Totals under a filter: stages of money, bases and currencies are never added together."""

    by: list[str]
    filter: str
    rows: int
    link: str
    totals: list[Total]
    left_out: list[LeftOut]
    revision: int


async def answer_facets(request: Request, listing: Listing) -> Response:
    """Facet counts of a list under the request's filter."""
    assert listing.facet_query
    query = parse(request, listing.facet_query)
    await check_codes(request, listing, query)
    async with snapshot(request, query) as data:

        async def build(revision: int) -> Facets:
            row = await data.fetchrow(*_facets_sql(listing, query))
            return Facets.model_validate(
                {
                    "filter": canonical(query),
                    "total": row["total"],
                    "facets": {name: json.loads(row[name]) for name in listing.facets},
                    "ranges": {name: json.loads(row[name]) for name in listing.ranges},
                    "revision": revision,
                }
            )

        return await data.cached(build)


def _facets_sql(listing: Listing, query: BaseModel) -> tuple[Any, ...]:
    """The statement of all facets and ranges, then its values."""
    arguments = Arguments()
    where = condition(listing, query, arguments)
    parts = [
        f"(SELECT coalesce(json_agg(json_build_object('value', value, 'name', name, 'count', n)"
        f" ORDER BY n DESC, value), '[]') FROM (SELECT value, {d.name.format('value')} AS name, n"
        f" FROM (SELECT {d.value} AS value, count(*) AS n FROM filtered {d.join} GROUP BY 1) AS part) AS facet)"
        f" AS {name}"
        for name, d in listing.facets.items()
    ] + [
        f"(SELECT json_build_object('min', {text.format(f'min({sql})')}, 'max', {text.format(f'max({sql})')},"
        f" 'not_stated', count(*) FILTER (WHERE {sql} IS NULL)) FROM filtered) AS {name}"
        for name, (sql, text) in listing.ranges.items()
    ]
    statement = (
        f"WITH filtered AS MATERIALIZED (SELECT * FROM {listing.rows} WHERE {where})"
        f" SELECT (SELECT count(*) FROM filtered) AS total, {', '.join(parts)}"
    )
    return statement, *arguments


async def answer_totals(request: Request, listing: Listing) -> Response:
    """Exact sums of a list's money under the request's filter, divided by `by`."""
    assert listing.totals_query
    query = parse(request, listing.totals_query)
    chosen = query.by  # type: ignore[attr-defined]
    by: list[str] = [chosen] if isinstance(chosen, str) else chosen
    await check_codes(request, listing, query)
    async with snapshot(request, query) as data:

        async def build(revision: int) -> Totals:
            arguments = Arguments()
            where = condition(listing, query, arguments)
            filtered = f"WITH filtered AS MATERIALIZED (SELECT * FROM {listing.rows} WHERE {where})"
            # The whole is counted apart from its parts.
            parts = await data.fetch(f"{filtered} {_parts(listing, by)}", *arguments)
            wholes = await data.fetch(f"{filtered} {_wholes(listing)}", *arguments)
            return _totals(listing, query, by, parts, wholes, revision)

        return await data.cached(build)


def _omissions(listing: Listing) -> str:
    return ", ".join(f"count(*) FILTER (WHERE {o.where}) AS omitted_{n}" for n, o in enumerate(listing.omitted))


def _parts(listing: Listing, by: list[str]) -> str:
    """The groups of every total, in the order of their values."""
    dimensions = [listing.totals[name] for name in by]
    amounts = {d.amount for d in dimensions}
    assert len(amounts) == 1, "two ways to divide one row's money cannot be combined"
    values = ", ".join(f"{d.value} AS value_{n}" for n, d in enumerate(dimensions))
    names = ", ".join(f"{d.name.format(f'part.value_{n}')} AS name_{n}" for n, d in enumerate(dimensions))
    keys = ", ".join(f"value_{n}" for n in range(len(by)))
    return (
        f"SELECT part.*, {names} FROM (SELECT filtered.money_stage, filtered.basis, filtered.currency, {values},"
        f" sum({amounts.pop()}) AS amount, count(filtered.amount) AS summed, {_omissions(listing)}"
        f" FROM filtered {' '.join(d.join for d in dimensions)} WHERE filtered.money_stage IS NOT NULL"
        f" GROUP BY filtered.money_stage, filtered.basis, filtered.currency, {keys}) AS part ORDER BY {keys}"
    )


def _wholes(listing: Listing) -> str:
    """How many rows and how much money each total has in all, counted apart from its parts; without a stage too."""
    return (
        f"SELECT money_stage, basis, currency, sum(amount) AS amount, count(amount) AS summed, count(*) AS found,"
        f" {_omissions(listing)} FROM filtered GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
    )


def _totals(
    listing: Listing, query: BaseModel, by: list[str], parts: list[Any], wholes: list[Any], revision: int
) -> Totals:
    totals = []
    for whole in wholes:
        if whole["money_stage"] is None:
            continue
        this = (whole["money_stage"], whole["basis"], whole["currency"])
        split_by = {parameter: whole[column] for column, parameter in listing.split_by.items()}
        groups = []
        for part in parts:
            if (part["money_stage"], part["basis"], part["currency"]) != this:
                continue
            values = {name: part[f"value_{n}"] for n, name in enumerate(by)}
            drilldowns = [listing.totals[name].drilldown(name, value) for name, value in values.items()]
            drilldown: dict[str, str] | None = dict(split_by)
            for drilldown_of in drilldowns:
                drilldown = None if drilldown is None or drilldown_of is None else {**drilldown, **drilldown_of}
            groups.append(
                TotalGroup(
                    keys=[
                        GroupKey(by=name, value=value, name=part[f"name_{n}"])
                        for n, (name, value) in enumerate(values.items())
                    ],
                    sum=_money(part["amount"], part["currency"]),
                    rows=part["summed"],
                    link=None if drilldown is None else _link(listing, query, _summed(listing, query, drilldown)),
                    left_out=_left_out(listing, query, [part], drilldown),
                )
            )
        totals.append(
            Total(
                stage=whole["money_stage"],
                basis=whole["basis"],
                sum=_money(whole["amount"], whole["currency"]),
                rows=whole["summed"],
                link=_link(listing, query, _summed(listing, query, split_by)),
                groups=groups,
                left_out=_left_out(listing, query, [whole], split_by),
            )
        )
    return Totals(
        by=by,
        filter=canonical(query, without=frozenset({"by"})),
        rows=sum(whole["found"] for whole in wholes),
        link=_link(listing, query, {}),
        totals=totals,
        left_out=_left_out(listing, query, wholes, {}),
        revision=revision,
    )


def _summed(listing: Listing, query: BaseModel, drilldown: Mapping[str, str]) -> dict[str, str]:
    """A narrowing to the rows that are summed alone, unless the question or the narrowing excludes all of them."""
    added = {
        parameter: value
        for parameter, value in listing.summed.items()
        if not (asked := getattr(query, parameter)) or value in asked
    }
    return {**added, **drilldown}


def _left_out(
    listing: Listing, query: BaseModel, counted: list[Any], drilldown: Mapping[str, str] | None
) -> list[LeftOut]:
    """What the sums over some counted rows do not contain, each reason with its own link."""
    found = []
    for n, omission in enumerate(listing.omitted):
        if rows := sum(row[f"omitted_{n}"] for row in counted):
            known = drilldown is not None and omission.drilldown is not None
            link = _link(listing, query, {**(drilldown or {}), **(omission.drilldown or {})}) if known else None
            found.append(LeftOut(reason=omission.reason, rows=rows, link=link))
    return found


def _link(listing: Listing, query: BaseModel, drilldown: Mapping[str, str]) -> str:
    pairs = [(n, v) for n, v in pairs_of(query) if n != "by" and n not in drilldown]
    text = urlencode(sorted([*pairs, *drilldown.items()]))
    return f"{listing.path}?{text}" if text else listing.path


def _money(amount: Decimal | None, currency: str) -> Money | None:
    return None if amount is None else Money(amount=f"{amount:.2f}", currency=currency)
