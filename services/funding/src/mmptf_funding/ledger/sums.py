"""SQL of what entries before a day add up to: whole years and months of a rollup, and the days between.

However many entries there are, it reads a row for each party and year, and those of half a month at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from mmptf_funding.models import LEDGER_ROLLUP_BY_COMMITMENT, LEDGER_ROLLUP_BY_DAY, LEDGER_ROLLUP_BY_PARTY

# SQL of the columns by which entries are divided, over `filtered`, an entry.
_OF_ENTRIES = {"earmark": LEDGER_ROLLUP_BY_PARTY.derived["earmark"][0], "year": "extract(year FROM date)::int"}
# SQL of the first day that there is, and of the day after the last one; the driver sends both days as infinite ones.
FIRST_DAY, NO_LIMIT = f"date '{date.min}'", f"(date '{date.max}' + 1)"


def sums_before(day: str, columns: Sequence[str]) -> str:
    """SQL of rows whose `n` and `amount` add up to those of the entries before a day, in parentheses.

    A row may stand for no entry, and then both are zero. Where the nearest month begins after the day, that day's
    month is counted as a whole, and rows below zero take the rest away.
    day: SQL of a date, without columns; columns: those of the rollup by party by which the rows are divided
    """
    by_day = set(columns) <= set(LEDGER_ROLLUP_BY_DAY.columns)
    entries = ", ".join(_OF_ENTRIES.get(name, name) for name in columns)
    return f"""(
        SELECT {", ".join(columns)}, {_of_months("n")} AS n, {_of_months("amount")} AS amount
          FROM {_border(day)} JOIN {LEDGER_ROLLUP_BY_PARTY.table} ON year <= border_year
         UNION ALL
        SELECT {entries}, {"n" if by_day else "1"} * {_side(day)}, amount * {_side(day)}
          FROM {LEDGER_ROLLUP_BY_DAY.table if by_day else "ledger_entry"} AS filtered WHERE {_between(day)})"""


def commitments_before(day: str) -> str:
    """SQL of what the entries before a day that follow commitments add up to, in parentheses.

    A row for each entry that they follow, their kind and the currency of their original amounts, with `amount` in US
    dollars and `original_amount`, null where there is none.
    """
    original = f"CASE WHEN original_amount_stated THEN {_of_months('original_amount')} END"
    return f"""(
        SELECT follows, kind, original_currency, sum(amount) AS amount, sum(original_amount) AS original_amount
          FROM (SELECT follows, kind, original_currency, {_of_months("amount")} AS amount,
                       {original} AS original_amount
                  FROM {_border(day)} JOIN {LEDGER_ROLLUP_BY_COMMITMENT.table} ON year <= border_year
                 UNION ALL
                SELECT follows, kind, original_currency, amount * {_side(day)}, original_amount * {_side(day)}
                  FROM ledger_entry AS filtered
                 WHERE {_between(day)} AND {LEDGER_ROLLUP_BY_COMMITMENT.of_some}) AS parts
         GROUP BY 1, 2, 3)"""


def _nearest_month(day: str) -> str:
    """SQL of the beginning of the month that is nearest to a day."""
    return f"date_trunc('month', {day} + 14)::date"


def _border(day: str) -> str:
    """SQL of one row with `border_year` and `border_month`, those of the beginning of the month nearest to a day.

    OFFSET 0: PostgreSQL would compute them anew for each column of each row.
    """
    return f"""(
        SELECT extract(year FROM begins)::int AS border_year, extract(month FROM begins)::int AS border_month
          FROM (SELECT {_nearest_month(day)} AS begins) AS nearest OFFSET 0) AS border"""


def _of_months(name: str) -> str:
    """SQL of the number or the sum of a row of a rollup before the border."""
    months = (f"CASE WHEN {number} < border_month THEN {name}_{number:02d} ELSE 0 END" for number in range(1, 12))
    return f"CASE WHEN year < border_year THEN {name} ELSE {' + '.join(months)} END"


def _between(day: str) -> str:
    """SQL of whether an entry is of the days between a day and the beginning of the nearest month."""
    border = _nearest_month(day)
    return f"date >= (SELECT least({day}, {border})) AND date < (SELECT greatest({day}, {border}))"


def _side(day: str) -> str:
    """SQL of 1 where these days are added to whole months, and of -1 where they are taken away."""
    return f"(SELECT CASE WHEN {day} < {_nearest_month(day)} THEN -1 ELSE 1 END)"
