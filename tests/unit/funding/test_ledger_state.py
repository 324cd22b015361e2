"""A balance of each day: the lowest one from a day on, as the sum of all earlier entries gives it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmptf_funding.ledger import state
from mmptf_funding.ledger.state import DailyBalance

FIRST = date(2024, 1, 1)
DAYS = st.integers(0, 12).map(lambda n: FIRST + timedelta(days=n))
AMOUNTS = st.integers(-500, 500).map(lambda cents: Decimal(cents) / 100)
# Few enough that the days of a test are in several parts, and that parts are divided.
PARTS = 3
CHANGES = st.lists(st.tuples(DAYS, AMOUNTS), max_size=30)


@pytest.fixture(scope="module", autouse=True)
def small_parts() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(state, "PART_DAYS", PARTS)
        yield


def summed(changes: list[tuple[date, Decimal]], since: date) -> tuple[date, Decimal]:
    """The first day of the lowest balance, from sums over all changes."""
    days = [since, *sorted({day for day, _ in changes if day > since})]
    totals = [(sum((amount for day, amount in changes if day <= until), Decimal("0.00")), until) for until in days]
    lowest, day = min(totals)
    return day, lowest


@given(CHANGES.map(lambda changes: list(dict(changes).items())), CHANGES, st.lists(DAYS, min_size=1))
def test_the_lowest_balance_is_that_of_the_sums(
    stored: list[tuple[date, Decimal]], added: list[tuple[date, Decimal]], since: list[date]
) -> None:
    balance = DailyBalance(stored)
    for day, amount in added:
        balance.add(day, amount)
    for day in since:
        assert balance.lowest(day) == summed([*stored, *added], day)
        changed = {each for each, _ in (*stored, *added) if each > day}
        assert balance.from_day(day) == {
            until: sum((amount for each, amount in (*stored, *added) if each <= until), Decimal("0.00"))
            for until in (day, *sorted(changed))
        }


@given(CHANGES, CHANGES, DAYS)
def test_what_is_taken_away_again_was_never_there(
    kept: list[tuple[date, Decimal]], undone: list[tuple[date, Decimal]], since: date
) -> None:
    balance = DailyBalance()
    for day, amount in kept:
        balance.add(day, amount)
    before = balance.lowest(since)
    for day, amount in undone:
        balance.add(day, amount)
    for day, amount in undone:
        balance.add(day, -amount)
    assert balance.lowest(since) == before


def test_an_amount_has_cents() -> None:
    assert str(DailyBalance().lowest(FIRST)[1]) == "0.00"
    balance = DailyBalance([(FIRST, Decimal("1.50"))])
    balance.add(FIRST, Decimal(-2))
    assert str(balance.lowest(FIRST)[1]) == "-0.50"
