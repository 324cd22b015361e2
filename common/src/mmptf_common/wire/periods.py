"""Years, quarters and months, and the days on which they end."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Literal

from typing_extensions import TypeAliasType

Interval = TypeAliasType("Interval", Literal["year", "quarter", "month"])
"""Length of the periods into which time is divided.

- `year`: calendar year
- `quarter`: quarter of a calendar year
- `month`: month
"""
_MONTHS: dict[Interval, int] = {"year": 12, "quarter": 3, "month": 1}


def ends(first: date, last: date, interval: Interval) -> list[date]:
    """The last days of all periods, from the period of `first` to that of `last`."""
    months = _MONTHS[interval]
    found: list[date] = []
    day = first
    while not found or day <= last:
        next_month = (day.month - 1) // months * months + months
        day = date(day.year + next_month // 12, next_month % 12 + 1, 1)
        found.append(day - timedelta(days=1))
    return found
