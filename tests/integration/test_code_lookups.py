"""Looking a code up reads an index and few rows, however many codes there are, and no other request waits for it."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa

from mmptf_common.lists.codes import in_other_case_or_meant
from mmptf_common.lists.pages import find_in
from mmptf_common.storage.engines import ReadKind, reading
from mmptf_common.storage.journal import Author, begin_write
from mmptf_common.storage.writing import writing
from mmptf_common.wire.suggestions import neighbours
from mmptf_local.cache import Cache
from tests.conftest import RunningApp, running_app
from tests.integration.lookups import listings, lookups
from tests.integration.marked import Markers, programme

# A table of which an index is read; LOOKUP_ROWS=40000 makes it large.
ROWS = int(os.environ.get("LOOKUP_ROWS", "10000"))
pytestmark = pytest.mark.tries_more
# Service -> the tables that grow, with the column that gets a code of its own in each row.
GROWING = {
    "catalog": ("organization", "programme", "draft"),
    "funding": ("contributor", "requirement", "ledger_entry", "term"),
    "markers": ("programme", "place"),
}
# The row of which the others are copies, where it is not any.
FIRST = {"term": "kind = 'place' AND country IS NOT NULL"}
# Columns that are unique beside the code.
OWN = {"number": "n", "term": "'T-' || n"}
UNKNOWN = "Some-Unheard-of-Code-7"


async def grow(running: RunningApp, table: str) -> None:
    """Add rows like the first one of a table, each with a code of its own."""
    async with writing(running.app.state.database) as session:
        await begin_write(session, Author("test"), drafts=table == "draft")
        names = [
            name
            for (name,) in await session.execute(
                sa.text(
                    "SELECT column_name FROM information_schema.columns"
                    " WHERE table_name = :table AND is_generated = 'NEVER'"
                ),
                {"table": table},
            )
            if name not in ("code", "revised")
        ]
        values = ", ".join(OWN.get(name, name) if name != "reverses" else "NULL" for name in names)
        await session.execute(
            sa.text(
                f"INSERT INTO {table} (code, {', '.join(names)}) SELECT 'Row-' || n, {values}"
                f" FROM (SELECT * FROM {table} WHERE {FIRST.get(table, 'true')} LIMIT 1) AS first,"
                f" generate_series(10, {ROWS + 9}) AS n"
            )
        )


@pytest.fixture(scope="module", params=GROWING)
async def grown(
    request: pytest.FixtureRequest, new_database: Callable[[str], str], redis_server: Cache
) -> AsyncIterator[RunningApp]:
    async with running_app(request.param, new_database(request.param), redis_server.url) as running:
        if running.name == "markers":
            await Markers(running).copy(programme("FIRST-01"), places=[{
                "code": "KEN", "kind": "country", "name": "Kenya", "region": None, "subregion": None,
                "intermediate_region": None, "updated": "2026-01-01T00:00:00Z",
            }])  # fmt: skip
        async with writing(running.app.state.database) as session:
            await begin_write(session, Author("test"), drafts=running.name != "funding")
            if running.name == "catalog":
                await session.execute(sa.text(
                    "INSERT INTO draft (code, organization, words, updated, record)"
                    " SELECT 'FIRST-01', 'IOM', '{}', now(), '{}'"
                ))  # fmt: skip
            elif running.name == "funding":
                await session.execute(sa.text(
                    "INSERT INTO ledger_entry (code, number, kind, date, amount, programme, organization, flags,"
                    " updated, record) SELECT 'L-000001', 1, 'transfer', now(), 1, NULL, 'ILO', '{}', now(), '{}'"
                ))  # fmt: skip
        for table in GROWING[running.name]:
            await grow(running, table)
        # As autovacuum leaves the tables: only then may an index be read without its table.
        connection = await asyncpg.connect(running.database_url)
        await connection.execute("VACUUM ANALYZE")
        await connection.close()
        yield running


class Explaining:
    """A connection that explains each statement in place of carrying it out."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.plans: list[Any] = []

    async def fetch(self, sql: str, *values: object) -> list[Any]:
        (plan,) = json.loads(await self.connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", *values))
        self.plans.append(plan["Plan"])
        return []


def scans(plan: dict[str, Any]) -> Iterator[tuple[str, str, float]]:
    """The scans of tables in a plan: how, of which table, and how many rows were read and thrown away."""
    if "Relation Name" in plan:
        read = plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)
        yield plan["Node Type"], plan["Relation Name"], read * plan["Actual Loops"]
    for part in plan.get("Plans", ()):
        yield from scans(part)


def assert_bounded(plans: Sequence[Any], what: str, big: Sequence[str]) -> None:
    assert plans, what
    for plan in plans:
        for how, table, rows in scans(plan):
            assert table not in big or (how != "Seq Scan" and rows < 100), (what, how, table, rows)


async def test_an_unknown_code_of_a_filter_is_looked_up_in_an_index(grown: RunningApp) -> None:
    asked = lookups(grown.name)
    assert len(asked) > 3
    async with reading(grown.app.state.database, ReadKind.PAGE) as connection:
        for sql in asked:
            explaining = Explaining(connection)
            statement = sql.replace("{}", "$1::text[]")
            await explaining.fetch(statement, [UNKNOWN.lower()])
            await explaining.fetch(statement, neighbours(UNKNOWN))
            assert_bounded(explaining.plans, sql, GROWING[grown.name])


async def test_an_unknown_code_of_a_path_is_looked_up_in_an_index(grown: RunningApp) -> None:
    async with reading(grown.app.state.database, ReadKind.PAGE) as connection:
        for listed in listings(grown.name):
            if "{" in listed.path:
                # Lists of an edition have no path of a single record.
                continue
            own = replace(listed, fixed={"organization = {}": "IOM"}) if listed.path.endswith("/drafts") else listed
            explaining = Explaining(connection)
            await in_other_case_or_meant(find_in(explaining, own), UNKNOWN)
            assert_bounded(explaining.plans, listed.path, GROWING[grown.name])


async def test_other_requests_are_answered_while_unknown_codes_are_looked_up(grown: RunningApp) -> None:
    """The process computes for each unknown code what does not depend on the number of codes."""
    path, name = {
        "catalog": ("/catalog/v1/programmes", "organization"),
        "funding": ("/funding/v1/ledger", "contributor"),
        "markers": ("/markers/v1/standings", "programme"),
    }[grown.name]
    waits: list[float] = []
    done = asyncio.Event()

    async def tick() -> None:
        loop = asyncio.get_running_loop()
        while not done.is_set():
            before = loop.time()
            await asyncio.sleep(0.001)
            waits.append(loop.time() - before)

    ticking = asyncio.create_task(tick())
    async with asyncio.timeout(10):
        for n in range(10):
            for parameter in (name, "organization"):
                answer = await grown.client.get(f"{path}?{parameter}={UNKNOWN}{n}")
                assert (answer.status_code, answer.json()["errors"][0]["suggestion"]) == (422, None)
    found = await grown.client.get(f"{path}?{name}=row-{ROWS}")
    assert found.status_code == 200
    done.set()
    await ticking
    # The median, since other processes of the machine stop this one now and then.
    assert sorted(waits)[len(waits) // 2] < 0.05
