"""The rules of accounting periods, and how the days of a statement divide into months and days."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import get_args

import pytest

from mmptf_common.wire.problems import Conflict
from mmptf_funding.ledger.rules import SOURCES, USES, require_open
from mmptf_funding.period_statements.rules import CASH, Earmarked, unearmarked_free
from mmptf_funding.periods import rules
from mmptf_funding.periods.domain import PeriodFigureLine, PeriodStatus, Term

TODAY = date(2026, 11, 28)
ENDS = (date(2023, 12, 31), date(2024, 12, 31), date(2025, 12, 31))


def terms(*statuses: PeriodStatus) -> list[Term]:
    return [Term(f"{end.year}", end, status) for end, status in zip(ENDS, statuses, strict=False)]


def test_each_kind_of_the_cash_has_a_line_among_the_certified_figures() -> None:
    assert set(get_args(PeriodFigureLine.__value__)) >= {*SOURCES, *USES}
    assert CASH.keys() == {*SOURCES, *USES}


@pytest.mark.parametrize(
    ("start", "end", "last", "found"),
    [
        ("2026-01-01", "2026-12-31", None, []),
        ("2026-01-01", "2026-12-31", ENDS[2], []),
        ("2026-01-02", "2026-12-31", ENDS[2], [("period_not_contiguous", ["2026-01-01"])]),
        ("2025-12-31", "2026-12-31", ENDS[2], [("period_not_contiguous", ["2026-01-01"])]),
        ("2026-01-01", "2025-12-31", ENDS[2], [("invalid_range", None)]),
        ("2026-01-01", "2026-01-01", None, []),
    ],
)
def test_a_period_begins_on_the_day_after_the_last_one(
    start: str, end: str, last: date | None, found: list[tuple[str, list[str] | None]]
) -> None:
    before = last and Term("2025", last, "open")
    errors = rules.opening_errors(date.fromisoformat(start), date.fromisoformat(end), before)
    assert [(error.code, error.allowed) for error in errors] == found


@pytest.mark.parametrize(
    ("statuses", "n", "closable", "reopenable", "certifiable"),
    [
        (("open", "open"), 0, True, False, False),
        (("open", "open"), 1, False, False, False),
        (("closed", "open"), 0, False, True, True),
        (("closed", "open"), 1, True, False, False),
        (("closed", "closed"), 0, False, False, True),
        (("certified", "closed"), 1, False, True, True),
        (("certified", "open"), 0, False, False, False),
        (("closed", "certified"), 0, False, False, True),
    ],
)
def test_periods_are_closed_in_order_and_opened_again_from_the_last(
    statuses: tuple[PeriodStatus, ...], n: int, closable: bool, reopenable: bool, certifiable: bool
) -> None:
    known = terms(*statuses)

    def allowed(require: Callable[[], None]) -> bool:
        try:
            require()
        except Conflict as conflict:
            assert conflict.code == "transition_not_allowed"
            return False
        return True

    assert allowed(lambda: rules.require_closable(known[n], known, TODAY)) == closable
    assert allowed(lambda: rules.require_reopenable(known[n], known)) == reopenable
    assert allowed(lambda: rules.require_certifiable(known[n])) == certifiable


def test_a_period_is_closed_after_its_last_day() -> None:
    (period,) = terms("open")
    rules.require_closable(period, [period], period.end + timedelta(days=1))
    with pytest.raises(Conflict, match="ends on 2023-12-31"):
        rules.require_closable(period, [period], period.end)


def test_days_up_to_the_last_closed_one_are_closed() -> None:
    require_open(date(2020, 1, 1), None)
    require_open(date(2024, 1, 1), ENDS[0])
    for day in (ENDS[0], date(2020, 1, 1)):
        with pytest.raises(Conflict, match="the first open day is 2024-01-01"):
            require_open(day, ENDS[0])


def test_what_areas_take_beyond_their_own_is_taken_from_the_money_without_an_area() -> None:
    pool, rich, poor = (Earmarked(Decimal(r), Decimal(a)) for r, a in ((50, 10), (100, 30), (20, 55)))
    assert (rich.left, rich.exceeding, poor.left, poor.exceeding) == (70, 0, 0, 35)
    assert unearmarked_free(pool, [rich, poor]) == 5
    assert unearmarked_free(pool, [rich, poor, poor]) == -30
