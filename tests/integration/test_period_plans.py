"""Statements for a period read sums by month: what they read does not grow with the entries."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import date
from typing import Any

import asyncpg
import pytest

from mmptf_funding.models import LEDGER_ROLLUP_BY_DAY, LEDGER_ROLLUP_BY_MONTH
from mmptf_funding.period_statements import queries
from mmptf_funding.period_statements.rules import Span
from tests.conftest import admin_url

# Entries of 21 programmes, 23 organizations and three contributors, on the days of three years.
FILLED = """
    INSERT INTO ledger_entry (code, number, kind, date, amount, contributor, programme, organization, thematic_area,
                              category, flags, updated, record, revised)
    SELECT 'L-' || n, n, kind, date '2023-01-01' + n * 7919 %% 1095, 10 + n %% 1000,
           CASE WHEN is_given THEN (ARRAY['DEU', 'USA', 'FRA'])[1 + n %% 3] END,
           CASE WHEN NOT is_given THEN 'P-' || p END,
           CASE WHEN kind IN ('transfer', 'expenditure') THEN 'O-' || p + n / 21 %% 3 END,
           CASE WHEN is_given THEN (1 + n %% 5)::text END, CASE kind WHEN 'expenditure' THEN 'travel' END,
           '{}', now(), '{}', 1
      FROM (SELECT n, 1 + n * 13 %% 21 AS p, kind, kind IN ('deposit', 'commitment') AS is_given
              FROM (SELECT n, (ARRAY['expenditure', 'transfer', 'allocation', 'deposit', 'commitment'])[1 + n %% 5]
                           AS kind FROM generate_series(1, %d) AS n) AS kinds) AS parties"""
# As many as this, the parties have entries of each kind in nearly each month.
MANY = 20_000


@pytest.fixture
async def filled(new_database: Callable[[str], str]) -> AsyncIterator[asyncpg.Connection]:
    """A connection to a database of many entries of few parties."""
    connection = await asyncpg.connect(admin_url(new_database("funding")))
    await connection.execute("SET session_replication_role = replica")
    await connection.execute(FILLED % MANY)
    for rollup in (LEDGER_ROLLUP_BY_DAY, LEDGER_ROLLUP_BY_MONTH):
        rows = rollup.rows("ledger_entry")
        await connection.execute(f"INSERT INTO {rollup.table} ({', '.join(rollup.columns)}) {rows}")
    await connection.execute("VACUUM ANALYZE")
    yield connection
    await connection.close()


def read_of(plan: dict[str, Any]) -> Iterator[tuple[str, int]]:
    """Each table of a plan, with the number of rows that its steps have read or thrown away."""
    if table := plan.get("Relation Name"):
        rows = plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)
        yield table, round(rows * plan["Actual Loops"])
    for step in plan.get("Plans", ()):
        yield from read_of(step)


async def rows_read(connection: asyncpg.Connection, sql: str, *values: object) -> dict[str, int]:
    (found,) = json.loads(await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", *values))
    read: dict[str, int] = {}
    for table, rows in read_of(found["Plan"]):
        read[table] = read.get(table, 0) + rows
    return read


async def test_a_statement_for_a_period_reads_sums_by_month(filled: asyncpg.Connection) -> None:
    sums = await filled.fetchval(f"SELECT count(*) FROM {LEDGER_ROLLUP_BY_MONTH.table}")
    assert sums < MANY / 3
    a_month = await filled.fetchval(
        "SELECT max(n) FROM (SELECT count(*) AS n FROM ledger_entry GROUP BY date_trunc('month', date)) AS months"
    )
    for listed in (queries.PROGRAMMES, queries.ORGANIZATIONS, queries.CONTRIBUTORS, queries.AREAS):
        for start, end, most in (
            # Whole months; and the days of two months that are divided.
            (date(2024, 1, 1), date(2024, 12, 31), 0),
            (date(2024, 1, 11), date(2024, 12, 10), 2 * a_month),
        ):
            span = Span.of(start, end)
            values = (span.start, span.end, span.whole_until, span.split)
            read = await rows_read(filled, f"SELECT count(*) FROM {listed.rows()}", *values)
            assert read[LEDGER_ROLLUP_BY_MONTH.table] <= sums
            assert read.get("ledger_entry", 0) <= most, (listed.about, read)
