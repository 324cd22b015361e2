"""The day that a date of a year or a month stands for."""

from __future__ import annotations

from datetime import date

import pytest

from mmptf_funding.contributions.domain import DatePrecision, last_day


@pytest.mark.parametrize(
    ("day", "precision", "last"),
    [
        ("2026-01-01", "year", "2026-12-31"), ("2026-12-31", "year", "2026-12-31"),
        ("2024-02-01", "month", "2024-02-29"), ("2023-12-15", "month", "2023-12-31"),
        ("2024-02-01", "day", "2024-02-01"),
    ],
)  # fmt: skip
def test_a_date_of_a_year_or_a_month_ends_with_it(day: str, precision: DatePrecision, last: str) -> None:
    assert last_day(date.fromisoformat(day), precision) == date.fromisoformat(last)
