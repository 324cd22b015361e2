"""Requests for changes that wait until there are some."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import asyncpg
import httpx
import pytest
import sqlalchemy as sa

from mmptf_common.feed.changes import LOOK_SECONDS, ChangeNotifier
from mmptf_common.storage.engines import ReadKind
from mmptf_common.storage.journal import Author, begin_write
from mmptf_common.storage.writing import writing
from tests.conftest import RunningApp, admin_url, running_app
from tests.integration.changes import CHANGES, LONGEST_WAIT, Databases, amend, ask, create, write
from tests.integration.database_proxy import proxy_to
from tests.integration.replicas import until

# Far below LONGEST_WAIT, and long enough for a busy machine. Seconds.
AT_ONCE = 2.0


@pytest.fixture
async def running(new_database: Databases) -> AsyncIterator[RunningApp]:
    async with running_app("catalog", new_database("catalog"), None) as app:
        yield app


async def waiting(running: RunningApp, number: int = 1, **query: Any) -> list[asyncio.Task[httpx.Response]]:
    """Requests that wait for the next change: every one of them has read its page and found nothing."""
    after = (await ask(running.client, limit=1))["revision"]
    query = {"wait": LONGEST_WAIT, "after": after, **query}
    notifier = running.app.state.change_notifier
    began = asyncio.Semaphore(0)

    async def wait(*arguments: Any) -> None:
        began.release()
        await ChangeNotifier.after(notifier, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(notifier, "after", wait)
        tasks = [asyncio.create_task(running.client.get(CHANGES, params=query)) for _ in range(number)]
        async with asyncio.timeout(LONGEST_WAIT):
            for _ in tasks:
                await began.acquire()
    assert not any(task.done() for task in tasks)
    return tasks


async def test_what_is_there_already_is_answered_at_once(running: RunningApp) -> None:
    await (await waiting(running, wait=1))[0]
    newest = await write(running, create("ORG"))
    began = time.monotonic()
    for after in (0, newest - 1):
        assert (await ask(running.client, after=after, wait=LONGEST_WAIT, limit=1))["items"]
    assert time.monotonic() - began < AT_ONCE


async def test_a_change_is_answered_as_soon_as_it_is_committed(running: RunningApp) -> None:
    tasks = await waiting(running, 3)
    async with writing(running.app.state.database) as session:
        async with session.begin():
            await begin_write(session, Author("the-actor"))
            await session.execute(sa.text(create("ORG").replace(":", "\\:")))
            # What is not committed is not there.
            answered, _ = await asyncio.wait(tasks, timeout=2 * LOOK_SECONDS)
            assert not answered
        committed = time.monotonic()
    for answer in await asyncio.gather(*tasks):
        assert [item["key"] for item in answer.json()["items"]] == ["ORG"]
    assert time.monotonic() - committed < AT_ONCE


async def test_when_nothing_comes_the_answer_is_empty(running: RunningApp) -> None:
    newest = (await ask(running.client, limit=1))["revision"]
    began = time.monotonic()
    answers = await asyncio.gather(*(ask(running.client, after=newest, wait=1, limit=5) for _ in range(3)))
    assert 1 <= time.monotonic() - began < 1 + AT_ONCE
    for page in answers:
        assert (page["items"], page["last"], page["more"]) == ([], newest, False)
        assert page["next"] == f"{CHANGES}?after={newest}&limit=5&wait=1"
    # A write that is undone is none.
    (task,) = await waiting(running, wait=1)
    async with writing(running.app.state.database) as session:
        await begin_write(session, Author("the-actor"))
        await session.execute(sa.text(create("ORG").replace(":", "\\:")))
        await session.rollback()
    assert (await task).json()["items"] == []


async def test_waiting_for_some_entities_returns_their_changes(running: RunningApp) -> None:
    """Changes of other records may end the waiting, but are not given, and none is missed by asking again."""
    (task,) = await waiting(running, entity="place")
    newest = await write(running, create("ORG"))
    following = asyncio.create_task(_first(running.client, task))
    newest = await write(running, amend("SRB", "place", note="changed"))
    async with asyncio.timeout(2):
        page = await following
    assert [(item["seq"], item["entity"], item["key"]) for item in page["items"]] == [(newest, "place", "SRB")]


async def _first(client: httpx.AsyncClient, task: asyncio.Task[httpx.Response]) -> dict[str, Any]:
    page: dict[str, Any] = (await task).json()
    while not page["items"]:
        page = await ask(client, page["next"])
    return page


async def notified(running: RunningApp) -> None:
    """Returns when the database has proved that it notifies of writes."""
    await until(lambda: running.app.state.change_notifier.newest.known is not None)


@asynccontextmanager
async def without_notifications(running: RunningApp) -> AsyncIterator[None]:
    """The database refuses the connection over which it would notify, since it has as many as it may have."""
    # Those over which they ask are open.
    async with AsyncExitStack() as stack:
        for kind in (ReadKind.PAGE, ReadKind.PROBE):
            pool = running.app.state.database.reads[kind].connections
            for _ in range(pool.get_max_size()):
                await stack.enter_async_context(pool.acquire())
    name = running.database_url.rpartition("/")[2]
    admin = await asyncpg.connect(admin_url(running.database_url))
    try:
        await admin.execute(f'ALTER DATABASE "{name}" CONNECTION LIMIT 1')
        yield
        await admin.execute(f'ALTER DATABASE "{name}" CONNECTION LIMIT -1')
    finally:
        await admin.close()


async def test_many_waiting_requests_need_no_query_while_the_database_notifies(new_database: Databases) -> None:
    async with proxy_to(new_database("catalog")) as proxy, running_app("catalog", proxy.url, None) as running:
        tasks = await waiting(running, 50, wait=3)
        await notified(running)
        before = proxy.sent
        answered, _ = await asyncio.wait(tasks, timeout=1.5)
        assert not answered
        assert proxy.sent == before
        newest = await write(running, create("ORG"))
        async with asyncio.timeout(1):
            answers = await asyncio.gather(*tasks)
        assert {answer.json()["last"] for answer in answers} == {newest}
        # Nor does one who comes when nothing has changed, and is answered that nothing has.
        before = proxy.sent
        assert (await ask(running.client, after=newest, wait=1))["last"] == newest
        assert proxy.sent == before


async def test_many_waiting_requests_share_one_query_where_it_does_not(new_database: Databases) -> None:
    async with proxy_to(new_database("catalog")) as proxy, running_app("catalog", proxy.url, None) as running:
        async with without_notifications(running):
            tasks = await waiting(running, 50, wait=3)
            before, began = proxy.sent, time.monotonic()
            answered, _ = await asyncio.wait(tasks, timeout=1.5)
            looks = (time.monotonic() - began) / LOOK_SECONDS
            assert not answered
            # A question, and what gives its connection back; and the attempts to be notified.
            assert 0.5 * looks < proxy.sent - before < 3 * looks + 4
        newest = await write(running, create("ORG"))
        async with asyncio.timeout(1):
            answers = await asyncio.gather(*tasks)
        assert {answer.json()["last"] for answer in answers} == {newest}


async def test_a_lost_connection_of_notifications_is_replaced(running: RunningApp) -> None:
    tasks = await waiting(running, 2)
    await notified(running)
    admin = await asyncpg.connect(admin_url(running.database_url))
    listening = "FROM pg_stat_activity WHERE datname = $1 AND query LIKE 'LISTEN%'"
    name = running.database_url.rpartition("/")[2]
    assert await admin.fetch(f"SELECT pg_terminate_backend(pid) {listening}", name)
    await until(lambda: running.app.state.change_notifier.newest.known is None)
    began = time.monotonic()
    await write(running, create("ORG"))
    for answer in await asyncio.gather(*tasks):
        assert [item["key"] for item in answer.json()["items"]] == ["ORG"]
    assert time.monotonic() - began < AT_ONCE
    (task,) = await waiting(running)
    await notified(running)
    assert await admin.fetchval(f"SELECT count(*) {listening}", name) == 1
    await admin.close()
    task.cancel()


async def test_a_database_that_is_lost_while_a_request_waits_is_a_503(new_database: Databases) -> None:
    async with proxy_to(new_database("catalog")) as proxy, running_app("catalog", proxy.url, None) as running:
        tasks = await waiting(running, 10)
        newest = (await ask(running.client, limit=1))["revision"]
        proxy.cut()
        async with asyncio.timeout(3):
            for answer in await asyncio.gather(*tasks):
                assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
                assert int(answer.headers["retry-after"]) > 0
        proxy.mend()
        # It is back, and so are those who follow.
        assert (await ask(running.client, after=newest, wait=1))["last"] == newest


async def test_a_database_failure_is_found_once_for_all_waiting_requests(running: RunningApp) -> None:
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(without_notifications(running))
        tasks = await waiting(running, 4)
        pool = running.app.state.database.reads[ReadKind.PROBE].connections
        for _ in range(pool.get_max_size()):
            await stack.enter_async_context(pool.acquire())
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        async with asyncio.timeout(1):
            answers = await asyncio.gather(*tasks)
    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")


async def test_a_caller_who_leaves_while_waiting_holds_no_connection(running: RunningApp) -> None:
    tasks = await waiting(running, 50)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await running.all_connections_idle()
    async with asyncio.timeout(1):
        newest = await write(running, create("ORG"))
        assert (await ask(running.client, after=newest - 1, wait=1))["last"] == newest
