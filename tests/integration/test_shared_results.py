"""One query for all requests that wait for its result."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from mmptf_common.storage.shared_results import SharedQuery
from tests.conftest import RunningApp, pool_of, running_app
from tests.integration.random_writes import Databases


@pytest.fixture(scope="module")
async def running(new_database: Databases) -> AsyncIterator[RunningApp]:
    async with running_app("funding", new_database("funding"), None) as app:
        yield app


class Count:
    """A query that takes some time, and how often it has begun."""

    def __init__(self) -> None:
        self.begun = 0

    async def __call__(self, connection: Any) -> int:
        self.begun += 1
        number = self.begun
        await connection.fetchval("SELECT pg_sleep(0.1)")
        return number


async def test_a_result_is_of_a_query_that_began_after_it_was_asked_for(running: RunningApp) -> None:
    count = Count()
    query = SharedQuery(running.app.state.database, count)
    first = asyncio.create_task(query.result())
    await asyncio.sleep(0.02)
    others = [asyncio.create_task(query.result()) for _ in range(20)]
    assert await first == 1
    assert set(await asyncio.gather(*others)) == {2}
    assert await query.result() == 3


async def test_a_result_that_is_new_enough_is_given_again(running: RunningApp) -> None:
    count = Count()
    query = SharedQuery(running.app.state.database, count, seconds=30)
    assert [await query.result() for _ in range(3)] == [1, 1, 1]


async def test_a_request_that_is_cancelled_leaves_the_others_a_result(running: RunningApp) -> None:
    count = Count()
    query = SharedQuery(running.app.state.database, count, seconds=30)
    first = asyncio.create_task(query.result())
    await asyncio.sleep(0.02)
    second = asyncio.create_task(query.result())
    await asyncio.sleep(0.02)
    first.cancel()
    assert await second == 2


async def test_requests_that_ask_the_same_share_one_computation(running: RunningApp) -> None:
    # No rollup has the sums of amounts from one on, so the table itself is read.
    totals = "/funding/v1/requirements/totals?by=area&amount_min=1"

    async def ask(path: str) -> httpx.Response:
        return (await running.client.get(path)).raise_for_status()

    async with pool_of(running.app.state.database).acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("LOCK TABLE requirement IN ACCESS EXCLUSIVE MODE")
        first = asyncio.create_task(ask(totals))
        await asyncio.sleep(0.2)
        others = [asyncio.create_task(ask(totals)) for _ in range(20)]
        await asyncio.sleep(0.2)
        # They hold one connection, and others of the same kind are free.
        assert (await asyncio.wait_for(ask("/funding/v1/contributions/totals?by=stage"), 2)).status_code == 200
        await transaction.rollback()
    answers = [await first, *await asyncio.gather(*others)]
    assert len({answer.content for answer in answers}) == 1
    is_collapsed = ["; collapsed" in answer.headers["cache-status"] for answer in answers]
    # The first began before the others came; one of them computes for all.
    assert is_collapsed.count(False) == 2 and not is_collapsed[0]
