"""What a suite does that nobody asks for anything."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from mmptf_local.cache import Cache
from mmptf_local.processes import free_port
from mmptf_local.suite import Suite, running_suite
from tests.conftest import admin_url, serving_url
from tests.suite import DATABASE_VARIABLES, NAMES, NO_LOTS

# Seconds after which all have copied what they copy and nobody has read for long enough, and those that are measured.
CALM_SECONDS, MEASURED_SECONDS = 50.0, 120.0
# Of a core, that all processes of the suite together use.
MOST_OF_A_CORE = 0.005


def seconds_of_a_core(suite: Suite) -> dict[str, float]:
    """What each process of the suite has used since it started."""
    used: dict[str, float] = {}
    for name in NAMES:
        fields = Path(f"/proc/{suite.children[name].process.pid}/stat").read_text().rpartition(")")[2].split()
        used[name] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return used


@pytest.mark.longer
async def test_an_idle_suite_asks_its_databases_hardly_anything_and_leaves_the_processor_alone(
    new_database: Callable[[str], str], redis_server: Cache
) -> None:
    databases = {variable: new_database(name) for name, variable in DATABASE_VARIABLES.items()}
    environment = {variable: serving_url(url) for variable, url in databases.items()}
    lines: list[tuple[float, str, str]] = []
    names = [url.rpartition("/")[2] for url in databases.values()]
    # To none of them, since each look is a transaction.
    connection = await asyncpg.connect(admin_url("/postgres"))

    async def transactions() -> int:
        statement = "SELECT sum(xact_commit + xact_rollback) FROM pg_stat_database WHERE datname = ANY($1)"
        return int(await connection.fetchval(statement, names))

    with running_suite(
        Path("/nowhere"),
        {**environment, **NO_LOTS, "REDIS_URL": redis_server.url, "PORT": str(free_port())},
        log=lambda label, line: lines.append((time.monotonic(), label, line)),
    ) as suite:
        await asyncio.sleep(CALM_SECONDS)
        before, began, used = await transactions(), time.monotonic(), seconds_of_a_core(suite)
        await asyncio.sleep(MEASURED_SECONDS)
        after, ended = await transactions(), time.monotonic()
        shares = {name: (n - used[name]) / (ended - began) for name, n in seconds_of_a_core(suite).items()}
    await connection.close()
    assert sum(shares.values()) < MOST_OF_A_CORE, shares
    assert (after - before) / (ended - began) < 0.2
    assert [line for at, *line in lines if began < at < ended] == []
