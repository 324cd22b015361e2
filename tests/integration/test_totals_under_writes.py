"""A total, its parts and its revision are of one moment, also while somebody writes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import httpx
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from mmptf_common.storage.engines import write_engine
from mmptf_common.storage.journal import Author, begin_write
from mmptf_local.cache import Cache
from tests.conftest import running_app

TOTALS = "/funding/v1/contributions/totals"
# One dollar more, so that a revision tells its sum.
GIVE = (
    "UPDATE contribution SET amount = amount + 1, record = jsonb_set(record::jsonb,"
    " '{sum,amount}', to_jsonb((amount + 1)::text))::json WHERE code = 'DEU-2024-01'"
)


async def total_of(client: httpx.AsyncClient, **query: Any) -> tuple[int, Decimal]:
    """Revision and sum, which is that of its parts."""
    answer = (await client.get(TOTALS, params={"by": "contributor", **query})).json()
    (total,) = answer["totals"]
    whole = Decimal(total["sum"]["amount"])
    assert sum(Decimal(g["sum"]["amount"]) for g in total["groups"]) == whole
    return answer["revision"], whole


async def test_parts_add_up_to_the_whole_of_their_revision_while_amounts_change(
    new_database: Callable[[str], str], redis_server: Cache
) -> None:
    database = new_database("funding")
    done = asyncio.Event()

    async def write() -> None:
        engine = write_engine(database, size=1)
        while not done.is_set():
            async with AsyncSession(engine) as session, session.begin():
                await begin_write(session, Author("test"))
                await session.execute(sa.text(GIVE))
        await engine.dispose()

    async with running_app("funding", database, redis_server.url) as running, asyncio.timeout(60):
        beginning, least = await total_of(running.client)
        writer = asyncio.create_task(write())
        seen = {beginning}
        while len(seen) < 60:
            revision, whole = await total_of(running.client)
            assert whole - least == revision - beginning
            assert await total_of(running.client, as_of=revision) == (revision, whole)
            seen.add(revision)
        done.set()
        await writer
        for revision in seen:
            assert await total_of(running.client, as_of=revision) == (revision, least + revision - beginning)
