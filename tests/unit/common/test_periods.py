"""Periods: every day is in one, one begins where another ends, and the last is the one that the last day is in."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmptf_common.wire.periods import Interval, ends

days = st.dates(date(1990, 1, 1), date(2100, 12, 31))


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        ("year", ["2023-12-31", "2024-12-31", "2025-12-31"]),
        ("quarter", ["2023-12-31", "2024-03-31", "2024-06-30", "2024-09-30", "2024-12-31", "2025-03-31"]),
        (
            "month",
            [
                "2023-11-30", "2023-12-31", "2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30", "2024-05-31",
                "2024-06-30", "2024-07-31", "2024-08-31", "2024-09-30", "2024-10-31", "2024-11-30", "2024-12-31",
                "2025-01-31",
            ],
        ),
    ],
)  # fmt: skip
def test_periods_end_as_the_calendar_has_it(interval: Interval, expected: list[str]) -> None:
    assert [f"{end}" for end in ends(date(2023, 11, 30), date(2025, 1, 1), interval)] == expected


@pytest.mark.parametrize("interval", get_args(Interval.__value__))
def test_the_last_day_of_a_period_is_in_it_and_the_next_is_in_another(interval: Interval) -> None:
    last = date(2024, 12, 31)
    assert ends(last, last, interval) == [last]
    assert ends(last, last + timedelta(days=1), interval)[0] == last
    assert len(ends(last, last + timedelta(days=1), interval)) == 2


@given(interval=st.sampled_from(get_args(Interval.__value__)), between=st.tuples(days, days).map(sorted))
def test_every_day_is_in_one_period(interval: Interval, between: list[date]) -> None:
    first, last = between
    found = ends(first, last, interval)
    assert found[0] >= first
    assert found[-1] >= last
    assert all(end < last for end in found[:-1])
    months = {"year": 12, "quarter": 3, "month": 1}[interval]
    for end, following in pairwise(found):
        assert (following.year - end.year) * 12 + following.month - end.month == months
    for end in found:
        assert (end + timedelta(days=1)).day == 1
        assert end.month % months == 0
