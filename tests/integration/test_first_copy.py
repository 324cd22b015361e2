"""A first copy of many changes: constant memory, and a source that fails or is restored in the middle of it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil
from typing import Any
from urllib.parse import parse_qs

import asyncpg
import psutil
import pytest

from mmptf_common.feed import replication
from mmptf_common.feed.replication import Staging
from mmptf_common.storage import engines
from mmptf_common.storage.journal import JOURNAL_LOCK
from mmptf_local.processes import LOOPBACK, Child, free_port
from tests.conftest import pool_of, running_app
from tests.integration.replicas import until
from tests.serving import served
from tests.tokens import identity

AT = "2026-01-01T00:00:00Z"
LIMIT_MB = 160


@dataclass
class Ledger:
    """A source with this many allocations, each a change of a write of its own, made as they are asked for.

    fail_at: answer 503 once where the page begins behind this change
    restored_at: answer as another journal from there on
    """

    changes: int
    fail_at: int | None = None
    restored_at: int | None = None
    asked: list[int] = field(default_factory=list)
    moment: str = AT

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        query = {name: values[-1] for name, values in parse_qs(scope["query_string"].decode()).items()}
        after, limit = int(query["after"]), int(query["limit"])
        status, body = 200, self._page(after, limit)
        if limit != 2:
            self.asked.append(after)
            if self.fail_at is not None and after >= self.fail_at:
                self.fail_at, status, body = None, 503, b"{}"
            elif self.restored_at is not None and after >= self.restored_at:
                self.restored_at, self.moment = None, "2026-02-02T00:00:00Z"
                body = self._page(after, limit)
            elif after >= self.changes:
                await asyncio.sleep(0.2)
        await send(
            {"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]}
        )
        await send({"type": "http.response.body", "body": body})

    def _page(self, after: int, limit: int) -> bytes:
        last = min(after + limit, self.changes)
        items = [self._change(seq) for seq in range(after + 1, last + 1)]
        page = {"items": items, "last": last, "more": last < self.changes, "next": "", "revision": self.changes}
        return json.dumps(page).encode()

    def _change(self, seq: int) -> dict[str, Any]:
        record = {
            "code": f"E-{seq:07}", "kind": "allocation", "programme": f"P-{seq % 500:03}", "note": "x" * 200,
            "sum": {"amount": f"{seq}.00", "currency": "USD"},
        }  # fmt: skip
        return {
            "seq": seq, "revision": seq, "at": self.moment, "entity": "ledger_entry", "key": record["code"],
            "action": "create", "organization": None, "reason": None, "changed": [], "before": None, "after": record,
        }  # fmt: skip


async def total(pool: Any) -> tuple[int, int, int]:
    """The number of copied allocations, their sum, and the number of writes that wrote them."""
    row = await pool.fetchrow(
        "SELECT count(*) AS n, coalesce(sum(amount), 0)::bigint AS amount,"
        " (SELECT count(*) FROM revision WHERE actor = 'follower of funding') AS writes FROM allocation"
    )
    return row["n"], row["amount"], row["writes"]


@pytest.mark.usefixtures("short_intervals")
@pytest.mark.parametrize("fault", ["none", "503", "restored"])
async def test_a_first_copy_is_whole_though_the_source_fails_in_the_middle(
    new_database: Callable[[str], str], monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr(replication, "PART_ROWS", 700)
    source = Ledger(3000)
    if fault != "none":
        setattr(source, "fail_at" if fault == "503" else "restored_at", 1500)
    async with (
        served(source) as url,
        running_app("markers", new_database("markers"), None, funding_url=url) as markers,
    ):
        pool = pool_of(markers.app.state.database)
        await until(lambda: pool.fetchval("SELECT last FROM replication WHERE service = 'funding'"), seconds=60)
        assert await total(pool) == (3000, 3000 * 3001 // 2, 5)
        # What was staged before a failure is not asked for again, and what is of another journal is.
        assert source.asked.count(0) == (2 if fault == "restored" else 1)
        # What it had and the source has no more is deleted by the next whole copy.
        source.changes, source.moment = 2000, "2026-03-03T00:00:00Z"
        reached = "SELECT last = 2000 FROM replication WHERE service = 'funding'"
        await until(lambda: pool.fetchval(reached), seconds=60)
        assert await total(pool) == (2000, 2000 * 2001 // 2, 7)


@pytest.mark.usefixtures("short_intervals")
async def test_a_copy_waits_for_a_long_write_and_does_not_begin_anew(
    new_database: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "LOCK_SECONDS", 0.2)
    source, database = Ledger(300), new_database("markers")
    staged, take_turn = asyncio.Event(), Staging.take_turn

    async def noted(self: Staging) -> None:
        await take_turn(self)
        staged.set()

    monkeypatch.setattr(Staging, "take_turn", noted)
    writer = await asyncpg.connect(database)
    await writer.execute("SELECT pg_advisory_lock($1)", JOURNAL_LOCK)
    async with (
        served(source) as url,
        running_app("markers", database, None, funding_url=url) as markers,
    ):
        pool = pool_of(markers.app.state.database)
        await asyncio.wait_for(staged.wait(), 60)
        await asyncio.sleep(1)
        assert (await total(pool))[0] == 0
        await writer.execute("SELECT pg_advisory_unlock($1)", JOURNAL_LOCK)
        await until(lambda: pool.fetchval("SELECT last FROM replication WHERE service = 'funding'"), seconds=60)
        assert await total(pool) == (300, 300 * 301 // 2, 1)
        assert source.asked.count(0) == 1
    await writer.close()


@pytest.mark.usefixtures("short_intervals")
async def test_two_processes_that_copy_at_once_store_one_copy(
    new_database: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second one waits while the first one stores its parts, and then finds what it has stored."""
    monkeypatch.setattr(replication, "PART_ROWS", 700)
    monkeypatch.setattr(replication, "STORE_LOOK_SECONDS", 0.02)
    taken, take_turn = list[Staging](), Staging.take_turn

    async def both_have_staged(self: Staging) -> None:
        taken.append(self)
        async with asyncio.timeout(60):
            while len(taken) < 2:  # noqa: ASYNC110  # two processes have no event for it
                await asyncio.sleep(0.01)
        await take_turn(self)

    monkeypatch.setattr(Staging, "take_turn", both_have_staged)
    source, database = Ledger(3000), new_database("markers")
    async with (
        served(source) as url,
        running_app("markers", database, None, funding_url=url) as one,
        running_app("markers", database, None, funding_url=url),
    ):
        pool = pool_of(one.app.state.database)
        await until(lambda: pool.fetchval("SELECT last FROM replication WHERE service = 'funding'"), seconds=60)
        source.changes = 3010
        await until(lambda: pool.fetchval("SELECT last = 3010 FROM replication WHERE service = 'funding'"), seconds=60)
        assert await total(pool) == (3010, 3010 * 3011 // 2, 6)


@pytest.mark.usefixtures("short_intervals")
async def test_a_long_write_of_the_source_is_one_write_of_the_copy(new_database: Callable[[str], str]) -> None:
    source = Ledger(10)
    async with (
        served(source) as url,
        running_app("markers", new_database("markers"), None, funding_url=url) as markers,
    ):
        pool = pool_of(markers.app.state.database)
        await until(lambda: pool.fetchval("SELECT last FROM replication WHERE service = 'funding'"), seconds=60)
        change = source._change
        source._change = lambda seq: {**change(seq), "revision": seq if seq <= 10 else 3000}  # type: ignore[method-assign]
        source.changes = 3000
        await until(lambda: pool.fetchval("SELECT count(*) > 10 FROM allocation"), seconds=60)
        assert await total(pool) == (3000, 3000 * 3001 // 2, 2)


@pytest.mark.longer
async def test_a_million_changes_are_copied_with_constant_memory(new_database: Callable[[str], str]) -> None:
    changes = int(os.environ.get("FIRST_COPY_CHANGES", "1000000"))
    database, port = new_database("markers"), free_port()
    async with served(Ledger(changes)) as url:
        environment = {
            "DATABASE_URL": database, "HOST": LOOPBACK, "PORT": str(port), "ENVIRONMENT": "development",
            "FUNDING_URL": url,
        }  # fmt: skip
        began, peak = time.monotonic(), 0
        with Child("markers", [sys.executable, "-m", "mmptf_markers", "serve"], env=environment | identity()) as child:
            process = psutil.Process(child.process.pid)
            connection = await asyncpg.connect(database)
            try:
                reached = "SELECT last FROM replication WHERE service = 'funding'"
                while not await connection.fetchval(reached):
                    assert child.alive, child.text()
                    peak = max(peak, process.memory_info().rss)
                    await asyncio.sleep(0.2)
                parts = ceil(changes / replication.PART_ROWS)
                assert await total(connection) == (changes, changes * (changes + 1) // 2, parts)
            finally:
                await connection.close()
        seconds = time.monotonic() - began
        print(f"{changes} changes in {seconds:.0f} s, {changes / seconds:.0f} a second, {peak / 1e6:.0f} MB")
        assert peak < LIMIT_MB * 1_000_000
