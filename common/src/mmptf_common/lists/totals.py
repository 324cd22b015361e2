"""Exact totals of a list's money, each with a link to its rows, cached under their revision."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any, NamedTuple, cast

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from mmptf_common.http.negotiation import is_csv
from mmptf_common.http.parameters import TotalsQuery, canonical
from mmptf_common.http.snapshot import Snapshot, answer_computed_bytes
from mmptf_common.lists.listing import (
    OF_GROUPS,
    TOTAL_KEYS,
    WHOLE_AMOUNT,
    Arguments,
    Dimension,
    Listing,
    RowLinks,
    Statement,
    clause,
    columns_in,
    condition,
    number_of,
    rollup_of,
    rows_of,
    with_known_codes,
)
from mmptf_common.lists.tables import cells_in, columns_of, csv_of
from mmptf_common.storage.engines import ReadKind
from mmptf_common.wire.base import ResponseModel
from mmptf_common.wire.codes import REST, TotalStage
from mmptf_common.wire.money import Money, amount_text, money
from mmptf_common.wire.shares import Share, share
from mmptf_common.wire.sources import PrintedCount


class LeftOut(ResponseModel):
    """Records that a sum does not contain, and why."""

    reason: str
    """Why they are not in the sum, for people, such as `no amount is stated in the source`."""
    rows: int
    """Number of these records."""
    link: str | None
    """Path that lists exactly these records; null where no filter finds just them."""


class GroupKey(ResponseModel):
    """What the records of a group have in common in one dimension, such as the country."""

    by: str
    """Name of the dimension, one of those in `by` of the request, such as `country`."""
    value: str
    """Code that the records have there, such as `KEN`. `shared`: money of several codes together, whose parts are not
    stated. `not_stated`: no code is stated. `none`: it belongs to no code, such as to no single country. `rest`: all
    groups beyond `limit`; a record whose money is divided between several of those counts in each.
    """
    name: str | None
    """Name of what the code stands for, for people, such as `Kenya`; null where it has none."""


class TotalGroup(ResponseModel):
    """The part of a total that belongs to one value of each dimension. No money is in two groups of a total."""

    keys: list[GroupKey]
    """The value of each dimension that the records of the group have in common, in the order of `by`."""
    sum: Money | None
    """Exact sum of the group; null where no record states an amount, which is not zero."""
    rows: int
    """Number of records whose amounts are summed."""
    link: str | None
    """Path that lists exactly the records that are summed; null where no filter finds just them."""
    left_out: list[LeftOut]
    """Records of the group that are not in its sum, since they state no amount, by reason."""


class Total(ResponseModel):
    """The sum of one stage of money, on one basis, in one currency; its groups add up to it exactly."""

    stage: TotalStage
    """Stage of money of all that is summed here; other stages have totals of their own. Do not add them up."""
    basis: str | None
    """What further divides amounts that must not be added, such as the edition of requirements, or whether
    contributions are commitments or deposits; null where nothing does.
    """
    sum: Money | None
    """Exact sum of all groups; null where no record states an amount, which is not zero."""
    rows: int
    """Number of records whose amounts are summed."""
    link: str | None
    """Path that lists exactly the records that are summed; null where no filter finds just them."""
    groups: list[TotalGroup]
    """The parts of the total, one for each value of the dimensions in `by`."""
    left_out: list[LeftOut]
    """Records with this stage and basis that are not in the sum, by reason."""


class PrintedCoverage(PrintedCount):
    """How many of the records that a document counts are held here, under whatever filters the totals are."""

    held: int
    """Number of such records that are held here, whatever the filters of the request."""
    share: Share
    """`held` as a share of `printed`."""


class FilteredTotals(ResponseModel):
    """Totals of the records that match the filters, one for each stage of money, basis and currency.

    They are sums of the records that are held here; `coverage` says how many that are of those that
    documents count, where they do.
    """

    by: list[str]
    """The dimensions into which the totals are divided, as `by` of the request names them."""
    filter: str
    """The filters of the request as a query string, in one order and spelling, such as `region=150&stage=funded`; empty
    where there were none. Two requests with the same filters have the same text.
    """
    rows: int
    """Number of records that match the filters, with and without an amount."""
    link: str
    """Path that lists the records that match the filters."""
    totals: list[Total]
    """One total for each stage of money, basis and currency; never add them up."""
    left_out: list[LeftOut]
    """Records that are in no total, by reason."""
    coverage: list[PrintedCoverage]
    """How many records are held here of those that the Fund counts; empty where no document counts them."""
    revision: int
    """Number of the last write that the answer contains; it only grows, and `as_of` takes it to read the same data
    again.
    """


# Parameter -> value.
_Filters = Mapping[str, str]
# The reason, the number of rows, and their link, as `LeftOut` has them.
_Omitted = tuple[str, int, str | None]


class _Group(NamedTuple):
    """A group as `TotalGroup` has it: to check thousands of models would take longer than to sum their rows.

    keys: (the dimension, value, name) in the order of `by`; amount: the sum as text, None where no row states one
    """

    keys: Sequence[tuple[str, str, str | None]]
    amount: str | None
    currency: str
    rows: int
    link: str | None
    left_out: Sequence[_Omitted]


# A total without its groups, and its groups one after the other: there may be thousands, which are not all in memory.
_Total = tuple[Total, Iterable[_Group]]


async def answer_totals(request: Request, listing: Listing, query: TotalsQuery) -> Response:
    """The exact sums of a list's money under the request's filter, grouped by `by`."""
    by: list[str] = query.by  # type: ignore[attr-defined]
    query = await with_known_codes(request, ReadKind.COMPUTED, listing, query)

    async def build(data: Snapshot, revision: int, chosen: str) -> bytes:
        parts, wholes = groups_statement(listing, query, by), wholes_statement(listing, query)
        divided = await data.fetch(parts.sql, *parts.values)
        whole = await data.fetch(wholes.sql, *wholes.values)
        links = RowLinks(listing, query)
        totals = _totals(listing, query, links, by, divided, whole)
        if is_csv(chosen):
            return await asyncio.to_thread(_as_csv, by, totals)
        answer = FilteredTotals(
            by=by,
            filter=canonical(query, without=OF_GROUPS),
            rows=sum(row["found"] for row in whole),
            link=links.path({}),
            totals=[],
            left_out=_left_out(listing, links, whole, {}),
            coverage=[await _coverage(data, listing, printed) for printed in listing.printed],
            revision=revision,
        )
        return await asyncio.to_thread(_as_json, answer, totals)

    return await answer_computed_bytes(request, query, build, tabular=True)


def _as_json(answer: FilteredTotals, totals: Iterable[_Total]) -> bytes:
    """The answer with its totals, and these with their groups, each written and then forgotten."""
    written = [_with_items(total, "groups", map(_group_as_json, groups)) for total, groups in totals]
    return _with_items(answer, "totals", written).encode()


def _with_items(record: BaseModel, member: str, items: Iterable[str]) -> str:
    """The JSON of a record whose list `member` is empty, with these items in it."""
    return record.model_dump_json().replace(f'"{member}":[]', f'"{member}":[{",".join(items)}]', 1)


def _group_as_json(group: _Group) -> str:
    """The JSON of a `TotalGroup`."""
    keys = ",".join([_key_as_json(*key) for key in group.keys])
    amount = "null" if group.amount is None else f'{{"amount":"{group.amount}","currency":"{group.currency}"}}'
    left_out = ",".join(
        [f'{{"reason":{_text(reason)},"rows":{rows},"link":{_text(link)}}}' for reason, rows, link in group.left_out]
    )
    return f'{{"keys":[{keys}],"sum":{amount},"rows":{group.rows},"link":{_text(group.link)},"left_out":[{left_out}]}}'


@lru_cache(maxsize=4096)
def _key_as_json(by: str, value: str, name: str | None) -> str:
    """The JSON of a `GroupKey`; groups have few different ones, each of them often."""
    return f'{{"by":"{by}","value":{_text(value)},"name":{_text(name)}}}'


def _text(value: str | None) -> str:
    return "null" if value is None else encode_basestring(value)


def total_columns(by: Iterable[str]) -> list[str]:
    """The columns of totals as CSV, in order; by: the dimensions by which they are divided."""
    keys = [column for name in by for column in (name, f"{name}_name")]
    return [*keys, "total_stage", "total_basis", *columns_of(TotalGroup), "left_out_rows", "left_out_reason"]


# The whole of a total is no row, so that the sums of a column are those of its total.
def _as_csv(by: Iterable[str], totals: Iterable[_Total]) -> bytes:
    """One row for each group of every total: its keys, its total, and what it measures."""
    return csv_of(
        total_columns(by),
        (
            {
                **{by: value for by, value, _ in group.keys},
                **{f"{by}_name": name for by, _, name in group.keys},
                "total_stage": total.stage,
                "total_basis": total.basis,
                **cells_in(TotalGroup, _measured(group)),
                "left_out_rows": sum(rows for _, rows, _ in group.left_out),
                "left_out_reason": [reason for reason, *_ in group.left_out],
            }
            for total, groups in totals
            for group in groups
        ),
    )


def _measured(group: _Group) -> dict[str, Any]:
    """What a group measures, as the members of `TotalGroup`."""
    amount = None if group.amount is None else {"amount": group.amount, "currency": group.currency}
    return {"sum": amount, "rows": group.rows, "link": group.link}


def groups_statement(listing: Listing, query: BaseModel, by: list[str]) -> Statement:
    """The statement for a row for each group of every total, ordered by value.

    value_0, name_0: of the first dimension in `by`; amount: the sum, null where no row states an amount
    summed: the number of rows that state one; omitted_0: the number of rows of the first omission
    exact: whether the filters of the dimensions find just the rows of the group, with all of their money
    """
    dimensions = [listing.totals[name] for name in by]
    values = ", ".join(f"part.value_{n}" for n in range(len(by)))
    # The name of each value is looked up once, and not once for each group with it.
    looked_up = {n: dimension.name for n, dimension in enumerate(dimensions) if "{}" in dimension.name}
    names = ", ".join(
        f"{f'named_{n}.name' if n in looked_up else dimension.name} AS name_{n}"
        for n, dimension in enumerate(dimensions)
    )
    named = "".join(
        f"""
          LEFT JOIN (SELECT value, {name.format("value")} AS name
                       FROM (SELECT DISTINCT value_{n} AS value FROM part) AS found) AS named_{n}
            ON named_{n}.value = part.value_{n}"""
        for n, name in looked_up.items()
    )
    exact, listed = "true", ""
    if any(dimension.listed for dimension in dimensions):
        # The groups have no rows that the filters do not find, so equal numbers and sums are those of the same rows.
        exact = "listed.summed IS NOT DISTINCT FROM part.summed AND listed.amount IS NOT DISTINCT FROM part.amount"
        same = " AND ".join(f"listed.value_{n} = part.value_{n}" for n in range(len(by)))
        listed = f"""
          LEFT JOIN ({_groups([dimension.listed or dimension for dimension in dimensions])}) AS listed
            ON listed.money_stage = part.money_stage AND listed.basis IS NOT DISTINCT FROM part.basis
           AND listed.currency = part.currency AND {same}"""
    arguments = Arguments()
    filtered = _summed(listing, query, dimensions, condition(listing, query, arguments))
    return Statement(
        f"""
        WITH filtered AS ({filtered}),
             part AS MATERIALIZED ({_groups(dimensions, _omissions(listing))})
        SELECT part.*, {names}, {exact} AS exact
          FROM part {named} {listed}
         ORDER BY {values}""",
        arguments,
    )


def _omissions(listing: Listing) -> dict[str, str]:
    """The name of the number of rows of each omission -> the condition for these rows."""
    return {f"omitted_{n}": omission.where for n, omission in enumerate(listing.omitted)}


def _summed(listing: Listing, query: BaseModel, dimensions: Sequence[Dimension], where: str) -> str:
    """SQL of sums of rows that are equal in every column of the dimensions, and of the numbers of these rows.

    Where dimensions divide the money of a row between their values, each row is a sum by itself.
    """
    used = [each for dimension in dimensions for each in (dimension, dimension.listed) if each]
    parts = [sql for each in used for sql in (each.value, each.join, each.amount)]
    columns = [name for name in columns_in(*parts) if name not in (*TOTAL_KEYS, "amount")]
    keys = ", ".join(f"filtered.{name}" for name in (*TOTAL_KEYS, *columns))
    is_divided = any(each.amount != WHOLE_AMOUNT for each in used)
    counted = {"summed": "filtered.amount IS NOT NULL", **_omissions(listing)}
    rollup = None if is_divided else rollup_of(listing, query, columns_in(*parts, *counted.values()))
    if is_divided or rollup:
        # A row of a rollup is such a sum already.
        amount, group = "filtered.amount", ""
        number = rollup.number if rollup else "1"
        numbers = [f"CASE WHEN {rows} THEN {number} ELSE 0 END AS {name}" for name, rows in counted.items()]
    else:
        amount, group = "sum(filtered.amount)", f"GROUP BY {keys}"
        numbers = [f"{number_of(None, rows)} AS {name}" for name, rows in counted.items()]
    return f"""
        SELECT {keys}, {amount} AS amount, {", ".join(numbers)}
          FROM (SELECT * FROM {rows_of(listing, rollup)} WHERE {where}) AS filtered
         WHERE filtered.money_stage IS NOT NULL
         {group}"""


def _groups(dimensions: Sequence[Dimension], counted: Iterable[str] = ()) -> str:
    """SQL of the sums of `filtered` by stage, basis, currency and the values of the dimensions.

    counted: the numbers of rows of `filtered` that are added up beside that of the rows which state an amount
    """
    amounts = {dimension.amount for dimension in dimensions}
    assert len(amounts) == 1, "two ways to divide one row's money cannot be combined"
    values = [f"{dimension.value} AS value_{n}" for n, dimension in enumerate(dimensions)]
    numbers = [f"coalesce(sum(filtered.{name}), 0)::bigint AS {name}" for name in ("summed", *counted)]
    keys = ", ".join(f"filtered.{name}" for name in TOTAL_KEYS)
    return f"""
        SELECT {keys}, {", ".join([*values, f"sum({amounts.pop()}) AS amount", *numbers])}
          FROM filtered {" ".join(dimension.join for dimension in dimensions)}
         GROUP BY {keys}, {", ".join(f"value_{n}" for n in range(len(values)))}"""


def wholes_statement(listing: Listing, query: BaseModel) -> Statement:
    """The statement for a row for each total, not summed from its groups, and one for the rows without a stage."""
    arguments = Arguments()
    where = condition(listing, query, arguments)
    counted = {"summed": "filtered.amount IS NOT NULL", **_omissions(listing)}
    rollup = rollup_of(listing, query, columns_in(*counted.values()))
    numbers = ", ".join(f"{number_of(rollup, rows)} AS {name}" for name, rows in counted.items())
    return Statement(
        f"""
        SELECT money_stage, basis, currency, sum(amount) AS amount, {number_of(rollup)} AS found, {numbers}
          FROM (SELECT * FROM {rows_of(listing, rollup)} WHERE {where}) AS filtered
         GROUP BY 1, 2, 3
         ORDER BY 1, 2, 3""",
        arguments,
    )


async def _coverage(data: Snapshot, listing: Listing, printed: PrintedCount) -> PrintedCoverage:
    """How many rows the list holds with the value of a printed count."""
    arguments = Arguments()
    where = clause(listing.filters[printed.by], [printed.value], arguments)
    held: int = await data.fetchval(f"SELECT count(*) FROM {listing.rows} WHERE {where}", *arguments)
    return PrintedCoverage(**dict(printed), held=held, share=share(held, printed.printed))


def _totals(
    listing: Listing, query: TotalsQuery, links: RowLinks, by: list[str], parts: list[Any], wholes: list[Any]
) -> Iterator[_Total]:
    stated = [whole for whole in wholes if whole["money_stage"] is not None]
    split_by = [{parameter: whole[column] for column, parameter in listing.split_by.items()} for whole in stated]
    parts_of = defaultdict(list)
    for part in parts:
        parts_of[part["money_stage"], part["basis"], part["currency"]].append(part)
    for whole, split in zip(stated, split_by, strict=True):
        # No filter tells totals apart that differ in what the list is not filtered by, such as the currency.
        found_by = _narrowed(links, split) if split_by.count(split) == 1 else None
        of_this = _ordered(query, parts_of[whole["money_stage"], whole["basis"], whole["currency"]])
        total = Total(
            stage=whole["money_stage"],
            basis=whole["basis"],
            sum=None if whole["amount"] is None else money(whole["amount"], whole["currency"]),
            rows=whole["summed"],
            link=_link(links, found_by, _narrowed(links, listing.summed)),
            groups=[],
            left_out=_left_out(listing, links, [whole], found_by),
        )
        yield total, _groups_of(listing, query, links, by, of_this, found_by)


def _groups_of(
    listing: Listing,
    query: TotalsQuery,
    links: RowLinks,
    by: list[str],
    parts: list[Any],
    found_by: _Filters | None,
) -> Iterator[_Group]:
    """The groups of one total, and the one of all that is beyond the limit.

    parts: the rows of the groups, in order; found_by: the filters whose rows are those of the total, if there are such
    """
    dimensions = []
    for n, name in enumerate(by):
        drilldown = listing.totals[name].drilldown
        values = {part[f"value_{n}"] for part in parts}
        # Groups have few different values of a dimension, each of them often.
        of_value = {value: _narrowed(links, drilldown(name, value)) for value in values}
        dimensions.append((name, of_value, f"value_{n}", f"name_{n}"))
    summed, omitted = _narrowed(links, listing.summed), _omissions_of(listing, links)
    for part in parts[: query.limit]:
        of_values = [of_value[part[value]] for _, of_value, value, _ in dimensions]
        filters = _united(found_by, *of_values) if part["exact"] else None
        yield _Group(
            [(by, part[value], part[name]) for by, _, value, name in dimensions],
            _amount_text(part["amount"]),
            part["currency"],
            part["summed"],
            _link(links, filters, summed),
            omitted([part], filters),
        )
    if query.limit is not None and (rest := parts[query.limit :]):
        stated = [part["amount"] for part in rest if part["amount"] is not None]
        yield _Group(
            [(name, REST, None) for name in by],
            _amount_text(sum(stated, Decimal()) if stated else None),
            rest[0]["currency"],
            sum(part["summed"] for part in rest),
            None,
            omitted(rest, None),
        )


def _amount_text(amount: Decimal | None) -> str | None:
    return None if amount is None else amount_text(amount)


def _ordered(query: TotalsQuery, parts: list[Any]) -> list[Any]:
    """The groups of one total, which are in the order of their values, in the order of the query."""
    if query.sort in ("value", "-value"):
        return parts if query.sort == "value" else parts[::-1]
    sign = 1 if query.sort == "sum" else -1
    return sorted(parts, key=lambda part: (part["amount"] is None, sign * (part["amount"] or 0)))


def _left_out(listing: Listing, links: RowLinks, counted: list[Any], filters: _Filters | None) -> list[LeftOut]:
    """The rows that sums do not contain, by reason, each with a link of its own; filters: of the whole sum."""
    omissions = _omissions_of(listing, links)
    return [LeftOut(reason=reason, rows=rows, link=link) for reason, rows, link in omissions(counted, filters)]


def _omissions_of(listing: Listing, links: RowLinks) -> Callable[[Sequence[Any], _Filters | None], list[_Omitted]]:
    """A function that returns what the sums of rows with these filters do not contain."""
    omissions = [
        (omission.reason, f"omitted_{n}", _narrowed(links, omission.drilldown))
        for n, omission in enumerate(listing.omitted)
    ]

    def found(counted: Sequence[Any], filters: _Filters | None) -> list[_Omitted]:
        return [
            (reason, rows, _link(links, filters, drilldown))
            for reason, number, drilldown in omissions
            if (rows := sum([row[number] for row in counted]))
        ]

    return found


def _link(links: RowLinks, *filters: _Filters | None) -> str | None:
    """The path of the rows that all of these filters find; None where none are known that do."""
    found = _united(*filters)
    return None if found is None else links.path(found)


def _narrowed(links: RowLinks, drilldown: _Filters | None) -> _Filters | None:
    """The filters that find what the drilldown and the query find; None where none do."""
    if drilldown is None:
        return None
    found: dict[str, str] = {}
    for parameter, value in drilldown.items():
        given = links.given.get(parameter)
        narrower = _intersection(parameter, given, value) if given else value
        if narrower is None:
            return None
        found[parameter] = narrower
    return found


def _united(*filters: _Filters | None) -> _Filters | None:
    """The filters that find what all of these find; None where none do."""
    found: dict[str, str] = {}
    for each in filters:
        if each is None:
            return None
        if found.keys().isdisjoint(each):
            found |= each
            continue
        for parameter, value in each.items():
            narrower = _intersection(parameter, found[parameter], value) if parameter in found else value
            if narrower is None:
                return None
            found[parameter] = narrower
    return found


def _intersection(parameter: str, given: str | list[str], value: str) -> str | None:
    """The value of a parameter that finds what both the given value and this one find; None where there is none."""
    if parameter.endswith("_from"):
        return max(cast("str", given), value)
    if parameter.endswith("_to"):
        return min(cast("str", given), value)
    return value if value in ([given] if isinstance(given, str) else given) else None
