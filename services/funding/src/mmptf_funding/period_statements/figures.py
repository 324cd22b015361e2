"""The certified figures of a period beside those that the ledger gives, line by line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import NamedTuple, get_args

from starlette.requests import Request
from starlette.responses import Response

from mmptf_common.http.parameters import TableQuery
from mmptf_common.http.snapshot import Snapshot, answer_computed
from mmptf_common.lists.codes import suggest
from mmptf_common.lists.pages import find_in, no_such_record
from mmptf_common.lists.tables import table_of
from mmptf_common.wire.money import money
from mmptf_common.wire.stored_records import read_record
from mmptf_funding.ledger.domain import CURRENCY, LedgerEntryKind
from mmptf_funding.ledger.rules import SOURCES, USES
from mmptf_funding.period_statements.queries import Days, FundSums
from mmptf_funding.period_statements.rules import CASH, Signs
from mmptf_funding.periods.domain import FigureComparison, PeriodFigureLine
from mmptf_funding.periods.queries import PERIODS
from mmptf_funding.periods.schemas import AccountingPeriod, CertifiedFigure, PeriodFigure, PeriodFigures

# The lines that are sums of several kinds of entries within the period.
_TOTALS: Mapping[str, Signs] = {
    "total_sources": {kind: CASH[kind] for kind in SOURCES},
    "total_uses": {kind: -CASH[kind] for kind in USES},
}
LINES: Sequence[PeriodFigureLine] = get_args(PeriodFigureLine.__value__)


class _Computed(NamedTuple):
    amount: Decimal
    rows: int
    link: str


async def answer_figures(request: Request, code: str, query: TableQuery) -> Response:
    """Every line of the Fund's statement for a period: certified, computed, and whether a difference is explained."""

    async def build(data: Snapshot, revision: int) -> PeriodFigures:
        record = await data.fetchval("SELECT record FROM accounting_period WHERE code = $1", code)
        if record is None:
            raise no_such_record(PERIODS, code, await suggest(find_in(data.connection, PERIODS), code))
        period = read_record(AccountingPeriod, record)
        sums = await FundSums.read(data, Days(period.start, period.end))
        certified = {figure.line: figure for figure in period.certification.figures} if period.certification else {}
        items = [_figure(line, _computed(line, sums, period), certified.get(line)) for line in LINES]
        return PeriodFigures(
            period=period.code,
            start=period.start,
            end=period.end,
            status=period.status,
            items=items,
            unexplained=sum(item.comparison == "difference_unexplained" for item in items),
            revision=revision,
        )

    return await answer_computed(request, query, build, table=table_of(PeriodFigure, "items"))


def _computed(line: PeriodFigureLine, sums: FundSums, period: AccountingPeriod) -> _Computed:
    """The computed figure of a line, with the number of its entries and the path that lists them."""
    if line == "opening_cash":
        amount = sum((sums.of(kind).opening * sign for kind, sign in CASH.items()), Decimal(0))
        before = Days(None, period.start - timedelta(days=1))
        return _Computed(amount, sum(sums.of(kind).rows_before for kind in CASH), sums.link(CASH, before))
    if line == "closing_cash":
        found = [(sums.of(kind), sign) for kind, sign in CASH.items()]
        amount = sum(((of.opening + of.moved) * sign for of, sign in found), Decimal(0))
        rows = sum(of.rows_before + of.rows for of, _ in found)
        return _Computed(amount, rows, sums.link(CASH, Days(None, period.end)))
    kinds: dict[str, Signs] = {**_TOTALS, **{kind: {kind: 1} for kind in get_args(LedgerEntryKind.__value__)}}
    signs = kinds[line]
    amount = sum((sums.of(kind).moved * sign for kind, sign in signs.items()), Decimal(0))
    return _Computed(amount, sum(sums.of(kind).rows for kind in signs), sums.link(signs))


def _figure(line: PeriodFigureLine, computed: _Computed, certified: CertifiedFigure | None) -> PeriodFigure:
    difference = Decimal(certified.sum.amount) - computed.amount if certified else None
    comparison: FigureComparison = (
        "not_certified"
        if certified is None
        else "equal"
        if not difference
        else "difference_explained"
        if certified.explanation
        else "difference_unexplained"
    )
    return PeriodFigure(
        line=line,
        certified=certified and certified.sum,
        as_printed=certified and certified.as_printed,
        computed=money(computed.amount, CURRENCY),
        difference=None if difference is None else money(difference, CURRENCY),
        comparison=comparison,
        explanation=certified and certified.explanation,
        rows=computed.rows,
        link=computed.link,
    )
