"""Drills with PostgreSQL: killed, hanging, read-only, full, without connections, failing over to a replica."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import time
from asyncio import to_thread
from contextlib import suppress
from pathlib import Path

import asyncpg
import httpx
from pydantic import SecretStr

from mmptf_common import cli
from mmptf_common.storage import migrations
from mmptf_common.storage.rollups import differences
from mmptf_local.postgres import running_postgres
from mmptf_local.state import temporary_state
from tests.conftest import service_of
from tests.drills.drill import Scene, drill
from tests.drills.servers import PASSWORD
from tests.drills.stack import Stack
from tests.integration.rollup_writes import Done, random_writes
from tests.suite import NAMES

ROLLUP_WRITES = int(os.environ.get("ROLLUP_WRITES", "100000"))
ROLLUP_SECONDS = float(os.environ.get("ROLLUP_SECONDS", "60"))
"""Random writes to the tables that have rollups, and the seconds after which no further one is begun."""
CRASH_SECONDS = 20.0
READY_SECONDS = 3.0
"""The time within which `/health/ready` answers, whatever the database does."""
WRITERS = ("entry", "draft", "assessment")


@drill()
async def kill_postgresql(scene: Scene) -> None:
    """PostgreSQL is killed with all its processes, and started again after 2 s."""
    await to_thread(scene.stack.cluster.kill)
    await asyncio.sleep(2)
    await to_thread(scene.stack.cluster.start)
    scene.mend()


@drill()
async def postgresql_hangs(scene: Scene) -> None:
    """All processes of PostgreSQL are stopped for 8 s; readiness says so in time."""
    cluster = scene.stack.cluster
    await to_thread(cluster.send, signal.SIGSTOP)
    try:
        await asyncio.sleep(1)
        slowest = 0.0
        async with httpx.AsyncClient(timeout=20, trust_env=False) as client:
            for process in scene.stack.of("funding"):
                begin = time.monotonic()
                answer = await client.get(f"{process.url}/health/ready")
                slowest = max(slowest, time.monotonic() - begin)
                if answer.status_code != 503:
                    scene.tally.fail(f"ready: {answer.status_code} while the database hangs")
        scene.measure("seconds of /health/ready", slowest, READY_SECONDS)
        await asyncio.sleep(6)
    finally:
        await to_thread(cluster.send, signal.SIGCONT)
    scene.mend()


@drill()
async def postgresql_read_only(scene: Scene) -> None:
    """PostgreSQL takes no writes for 5 s, as after a failover: reads go on."""
    cluster = scene.stack.cluster
    await to_thread(cluster.run, "ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
    try:
        await asyncio.sleep(5)
        reads = sum(times for what, times in scene.tally.failures.items() if not what.startswith(WRITERS))
        scene.measure("reads that failed", reads, 0)
    finally:
        await to_thread(
            cluster.run, "SET transaction_read_only = off", "SET default_transaction_read_only = off",
            "ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()",
        )  # fmt: skip
    scene.mend()


def _no_small_volume(stack: Stack) -> str | None:
    return None if stack.on_small_volume else "only root can make a small file system (mount -t tmpfs)"


@drill(skipped=_no_small_volume)
async def postgresql_full(scene: Scene) -> None:
    """The file system of PostgreSQL has no space left for 6 s."""
    volume = scene.stack.cluster.data.parent
    ballast = volume / "ballast"
    await to_thread(_fill, ballast)
    try:
        await asyncio.sleep(6)
    finally:
        ballast.unlink()
    if not await to_thread(scene.stack.cluster.answers):
        scene.note("PostgreSQL had to be started again")
        await to_thread(scene.stack.cluster.stop)
        await to_thread(scene.stack.cluster.start)
    scene.mend()


def _fill(file: Path) -> None:
    with file.open("wb") as stream, suppress(OSError):
        while True:
            stream.write(b"x" * 1_048_576)


@drill()
async def postgresql_without_connections(scene: Scene) -> None:
    """Others take every connection of PostgreSQL for 5 s, after those of the suite were ended."""
    cluster = scene.stack.cluster
    taken: list[asyncpg.Connection] = []

    async def take() -> None:
        url = f"postgresql://catalog:{PASSWORD}@127.0.0.1:{cluster.port}/catalog"
        with suppress(asyncpg.PostgresError, OSError, TimeoutError):
            while True:
                taken.append(await asyncpg.connect(url, ssl=False, timeout=3))

    await take()
    await to_thread(
        cluster.run, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'mmptf'"
    )
    await take()
    scene.note(f"{len(taken)} connections were taken")
    await asyncio.sleep(5)
    for connection in taken:
        connection.terminate()
    scene.mend()


@drill()
async def failover_to_a_replica(scene: Scene) -> None:
    """PostgreSQL is killed and its synchronous streaming replica promoted; every address names both hosts."""
    stack = scene.stack
    primary = stack.cluster
    folder = primary.data.parent / "replica"
    replica = await to_thread(primary.standby, folder, stack.spare_port)
    stack.databases.append(replica)
    await asyncio.sleep(1)
    await to_thread(primary.kill)
    begin = time.monotonic()
    await to_thread(replica.promote)
    scene.mend()
    scene.note(f"promoted in {time.monotonic() - begin:.1f} s")
    await to_thread(shutil.rmtree, primary.data)
    stack.cluster = replica


@drill(*NAMES)
async def rollups_under_kills(scene: Scene) -> None:
    """100,000 random writes in a server of their own, which is killed as writers are; the rollups equal a recount."""
    for service in ("funding", "markers"):
        done, differing = await to_thread(_written_and_compared, service)
        scene.note(f"{service}: {done}")
        for difference in differing:
            scene.tally.fail(f"{service}: a rollup differs from a recount", difference)
    scene.mend()


def _written_and_compared(service: str) -> tuple[Done, list[str]]:
    """Random writes to the tables of a service, half of all, and the rows of rollups that differ from a recount."""
    metadata = service_of(service).metadata
    tables = list(dict.fromkeys(t.info["rollup"].of for t in metadata.tables.values() if "rollup" in t.info))
    with temporary_state() as state, running_postgres(state, databases=[service], durable=False) as server:
        url = server.url(service)
        asyncio.run(migrations.migrate(url, f"mmptf_{service}"))
        asyncio.run(cli.seed(service_of(service), service_of(service).settings(database_url=SecretStr(url))))
        writing = random_writes(
            url,
            tables,
            ROLLUP_WRITES // 2,
            seconds=ROLLUP_SECONDS / 2,
            admin=server.admin_url(service),
            crash_seconds=CRASH_SECONDS,
        )
        return asyncio.run(writing), asyncio.run(differences(url, metadata))
