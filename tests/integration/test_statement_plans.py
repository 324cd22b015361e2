"""What statements read does not grow with the entries: each of the contract, over few and many of the same parties.

What counts is how many rows of tables the plans read, which does not depend on the machine.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import asyncpg
import httpx
import pytest

from mmptf_common.storage.as_of import PLANNING
from mmptf_common.storage.connections import SERVER_SETTINGS
from tests.conftest import RunningApp, admin_url, running_app, service_of
from tests.integration.plans import Sent, explained
from tests.suite import FOLDERS
from tests.tokens import bearer

# Commitments first, and then entries of 21 programmes, 63 organizations and three contributors, whose deposits follow
# the commitments; on the days of three years.
COMMITMENTS = 60
FILLED = """
    INSERT INTO ledger_entry (code, number, kind, date, amount, contributor, programme, organization, thematic_area,
                              category, follows, flags, updated, record, revised)
    SELECT 'L-' || n, n, kind, date '2023-01-01' + n * 7919 %% 1096,
           CASE kind WHEN 'commitment' THEN 9000000 ELSE 10 END,
           CASE WHEN is_given THEN (ARRAY['DEU', 'USA', 'FRA'])[1 + c %% 3] END,
           CASE WHEN NOT is_given THEN 'P-' || p END,
           CASE WHEN kind IN ('transfer', 'expenditure') THEN 'O-' || p + n / 21 %% 3 END,
           CASE WHEN is_given THEN (1 + c %% 5)::text END, CASE kind WHEN 'expenditure' THEN 'travel' END,
           CASE kind WHEN 'deposit' THEN 'L-' || c END, '{}', now(),
           CASE WHEN c %% 4 = 0 THEN '{"original": {"sum": {"amount": "5.00", "currency": "EUR"}}}'::json ELSE '{}' END,
           1
      FROM (SELECT n, 1 + n * 13 %% 21 AS p, kind,
                   CASE kind WHEN 'commitment' THEN n ELSE 1 + n / 5 %% %(commitments)d END AS c,
                   kind IN ('deposit', 'commitment') AS is_given
              FROM (SELECT n, CASE WHEN n <= %(commitments)d THEN 'commitment' ELSE
                           (ARRAY['expenditure', 'transfer', 'allocation', 'deposit'])[1 + n %% 4] END AS kind
                      FROM generate_series(%(first)d, %(last)d) AS n) AS kinds) AS parties"""
PERIOD = """
    INSERT INTO accounting_period (code, first_day, last_day, status, updated, record, revised)
    VALUES ('2023', '2023-01-01', '2023-12-31', 'open', now(), '{"code": "2023", "start": "2023-01-01",
            "end": "2023-12-31", "status": "open", "steps": [], "certification": null, "sources": [],
            "updated": "2026-01-01T00:00:00Z"}', 1)"""
FEW, MANY = 2_000, 20_000
# The entries of half a month, of which the days of a month that a statement divides are read, at both ends of a period.
DIVIDED = 2 * MANY // 72
# Parameters of a statement: of now, up to a day within a month, for a period, as of an earlier revision.
ASKED = ("", "on=2024-07-15", "date_from=2024-03-12&date_to=2025-02-17", "as_of={revision}")
# What reads more, and why.
GROWING = {"/funding/v1/cards/programmes/": "the moment of the last change of any of its entries"}
# Statements of single records.
CODES = {"/funding/v1/periods/{code}/figures": "2023", "/funding/v1/cards/programmes/{code}": "P-7"}


@pytest.fixture
async def running(new_database: Callable[[str], str]) -> AsyncIterator[RunningApp]:
    async with running_app("funding", new_database("funding"), None) as found:
        yield found


async def fill(url: str, first: int, last: int) -> None:
    """Write entries without triggers, what these would write, and what autovacuum would."""
    connection = await asyncpg.connect(admin_url(url))
    try:
        await connection.execute("SET session_replication_role = replica")
        await connection.execute(FILLED % {"commitments": COMMITMENTS, "first": first, "last": last})
        for table in service_of("funding").metadata.tables.values():
            if table.name.startswith("ledger_entry_rollup"):
                columns = ", ".join(column.name for column in table.columns)
                await connection.execute(
                    f"DELETE FROM {table.name}; INSERT INTO {table.name} ({columns}) {table.info['derived']}"
                )
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()


def statements() -> Iterator[str]:
    """Every statement of the contract that is computed from the ledger, in each way to ask it, as templates."""
    contract = json.loads((FOLDERS["funding"] / "openapi.json").read_text())
    for path, operations in contract["paths"].items():
        tags = operations.get("get", {}).get("tags", ())
        if ("Statements" in tags or path in CODES) and not path.endswith("/copies"):
            given = {each["name"] for each in operations["get"].get("parameters", ())}
            yield from (
                f"{path.replace('{code}', CODES.get(path, ''))}?{asked}"
                for asked in ASKED
                if {pair.partition("=")[0] for pair in asked.split("&") if pair} <= given
            )


def read_of_relations(plan: dict[str, Any]) -> int:
    """The rows that the steps of a plan read in tables and indexes or threw away."""
    removed = sum(value for name, value in plan.items() if name.startswith("Rows Removed by"))
    own = plan["Actual Loops"] * (plan["Actual Rows"] + removed) if "Relation Name" in plan else 0
    return round(own) + sum(map(read_of_relations, plan.get("Plans", ())))


async def rows_read(client: httpx.AsyncClient, explaining: asyncpg.Connection, question: str, sent: Sent) -> int:
    """The rows of tables that the statements read that an answer is made from."""
    sent.clear()
    answer = await client.get(question, headers=bearer("management-unit"))
    assert answer.status_code == 200, (question, answer.text)
    found = 0
    await explaining.execute(PLANNING if "as_of=" in question else "RESET ALL")
    for sql, values in list(sent):
        if "ledger_entry" in sql:
            found += read_of_relations(await explained(explaining, sql, *values))
    return found


async def test_no_statement_reads_more_rows_where_there_are_more_entries(running: RunningApp, sent: Sent) -> None:
    await fill(running.database_url, 1, FEW)
    explaining = await asyncpg.connect(running.database_url, server_settings=SERVER_SETTINGS)
    admin = await asyncpg.connect(admin_url(running.database_url))
    await admin.execute(f"SET session_replication_role = replica; {PERIOD}")
    await admin.execute(
        "INSERT INTO revision (first, number, at, actor)"
        " SELECT max(number) + 1, max(number) + 1, now(), 'test' FROM revision"
    )
    revision = await admin.fetchval("SELECT max(number) - 1 FROM revision")
    await admin.close()
    asked = [question.format(revision=revision) for question in statements()]
    assert len(asked) > 30
    few = {question: await rows_read(running.client, explaining, question, sent) for question in asked}
    await fill(running.database_url, FEW + 1, MANY)
    many = {question: await rows_read(running.client, explaining, question, sent) for question in asked}
    await explaining.close()
    assert all(few.values())
    # In few entries not every party has one of each year.
    wrong = {
        question: (few[question], rows)
        for question, rows in many.items()
        if rows > 1.2 * few[question] + DIVIDED and not question.startswith(tuple(GROWING))
    }
    assert not wrong, "\n".join(f"{question}: {rows}" for question, rows in wrong.items())
