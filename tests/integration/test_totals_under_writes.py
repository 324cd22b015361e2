"""A total and its parts are of one moment, also while somebody writes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal

import asyncpg

from tests.conftest import running_app


async def test_parts_add_up_to_the_whole_while_amounts_change(new_database: Callable[[str], str]) -> None:
    database = new_database("funding")
    done = asyncio.Event()

    async def write() -> int:
        connection = await asyncpg.connect(database)
        writes = 0
        while not done.is_set():
            await connection.execute("UPDATE contribution SET amount = amount + 1 WHERE code = 'DEU-2024-01'")
            writes += 1
        await connection.close()
        return writes

    async with running_app("funding", database, None) as running:
        writer = asyncio.create_task(write())
        seen = set()
        for _ in range(150):
            answer = await running.client.get("/funding/v1/contributions/totals", params={"by": "contributor"})
            (total,) = answer.json()["totals"]
            assert sum(Decimal(g["sum"]["amount"]) for g in total["groups"]) == Decimal(total["sum"]["amount"])
            seen.add(total["sum"]["amount"])
        done.set()
        assert await writer > 100
        assert len(seen) > 100
