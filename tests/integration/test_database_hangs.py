"""A database that takes what is sent and does not answer: every request is answered in time, and all recovers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from mmptf_common import cli, service
from mmptf_common.lists import exports
from mmptf_common.lists.export_places import PLACE_SECONDS
from mmptf_common.storage import engines, writing
from mmptf_common.storage.engines import READS
from mmptf_common.storage.journal import JOURNAL_LOCK
from mmptf_common.wire.problems import ServiceUnavailable
from tests.conftest import RunningApp, running_app, service_of, serving_url
from tests.integration.database_proxy import DatabaseProxy, proxy_to
from tests.tokens import writing as headers_of_write

Databases = Callable[[str], str]
ORGANIZATIONS, PROGRAMMES = "/catalog/v1/organizations", "/catalog/v1/programmes"
READ = [
    ORGANIZATIONS,
    f"{ORGANIZATIONS}/IOM",
    f"{ORGANIZATIONS}/IOM/history",
    f"{PROGRAMMES}/facets",
    f"{PROGRAMMES}?q=water",
    f"{PROGRAMMES}?as_of=2020-01-01T00:00:00Z",
    f"{PROGRAMMES}?format=csv",
    f"{PROGRAMMES}?format=ndjson",
    "/catalog/v1/cards/programmes/MKD-01",
    "/catalog/v1/changes?after=0",
    "/catalog/v1/status",
]
# What a request takes at most with the limits of this file: a connection, a read, the question whether the database
# answers, and the release.
MOST_SECONDS = 4.0


@pytest.fixture
def short_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind, limits in READS.items():
        monkeypatch.setitem(READS, kind, replace(limits, seconds=1))
    for name, value in {"CONNECT_SECONDS": 1, "GRACE_SECONDS": 0.3, "ANSWERS_SECONDS": 0.5}.items():
        monkeypatch.setattr(engines, name, value)
    monkeypatch.setattr(exports, "ROWS_SECONDS", 1)
    monkeypatch.setattr(service, "READY_SECONDS", 1)
    for name, value in {"CONNECT_SECONDS": 1, "GRACE_SECONDS": 0.3, "WATCH_SECONDS": 0.5}.items():
        monkeypatch.setattr(writing, name, value)


@pytest.fixture
async def hanging(new_database: Databases, short_limits: None) -> AsyncIterator[tuple[DatabaseProxy, RunningApp]]:
    async with proxy_to(new_database("catalog")) as proxy, running_app("catalog", proxy.url, None) as running:
        for path in READ:
            assert (await running.client.get(path)).status_code in {200, 404, 422}, path
        assert (await add(running, "FIRST")).status_code == 201
        yield proxy, running
        proxy.forwards.set()


async def add(running: RunningApp, code: str, headers: dict[str, str] | None = None) -> httpx.Response:
    sent = {"code": code, "name": f"The organization {code}"}
    headers = headers or headers_of_write("management-unit")
    return await running.client.post(ORGANIZATIONS, json=sent, headers=headers)


async def timed(asking: Any) -> tuple[httpx.Response, float]:
    began = time.monotonic()
    return await asking, time.monotonic() - began


async def test_every_request_is_answered_in_time_and_all_recovers(hanging: tuple[DatabaseProxy, RunningApp]) -> None:
    proxy, running = hanging
    proxy.forwards.clear()
    asked = [timed(running.client.get(path)) for path in READ for _ in range(3)]
    asked += [timed(add(running, f"ORG-{n}")) for n in range(3)]
    asked += [timed(running.client.get("/health/ready"))]
    for answer, seconds in await asyncio.gather(*asked):
        assert answer.status_code == 503, answer.request.url
        # Exports of one address wait for one another, too.
        most = MOST_SECONDS + (PLACE_SECONDS if "format=" in str(answer.request.url) else 0)
        assert seconds < most, (answer.request.url, seconds)
        if answer.request.url.path != "/health/ready":
            assert answer.json()["code"] in {"unavailable", "overloaded"}
            assert int(answer.headers["retry-after"]) > 0
    proxy.forwards.set()
    async with asyncio.timeout(3):
        while (await running.client.get("/health/ready")).status_code != 200:
            pass
        for path in READ:
            while (answer := await running.client.get(path)).status_code == 503:
                pass
            assert answer.status_code in {200, 404, 422}
        while (await add(running, "LAST")).status_code != 201:
            pass
    await running.all_connections_idle()
    assert (await running.client.get(f"{ORGANIZATIONS}/LAST")).status_code == 200


async def test_a_write_that_was_sent_is_repeated_with_its_key(
    hanging: tuple[DatabaseProxy, RunningApp], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database stops while it commits: whether it did is not known, and the same write again gives its answer."""
    proxy, running = hanging
    headers = headers_of_write("management-unit")
    commit = writing.WriteSession.commit

    async def stopping(session: Any) -> None:
        proxy.forwards.clear()
        await commit(session)

    monkeypatch.setattr(writing.WriteSession, "commit", stopping)
    answer, seconds = await timed(add(running, "TWICE", headers))
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert "is not known" in answer.json()["detail"]
    assert seconds < MOST_SECONDS
    monkeypatch.undo()
    proxy.forwards.set()
    async with asyncio.timeout(10):
        while (answer := await add(running, "TWICE", headers)).status_code == 503:
            pass
    assert answer.status_code == 201


async def test_a_writer_who_waits_for_a_stopped_process_is_told_so(
    new_database: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "LOCK_SECONDS", 1)
    async with running_app("catalog", new_database("catalog"), None) as running:
        engine = running.app.state.database.engine
        async with engine.connect() as stopped:
            await stopped.exec_driver_sql(f"SELECT pg_advisory_xact_lock({JOURNAL_LOCK})")
            answer = await add(running, "ORG")
            assert (answer.status_code, answer.json()["code"]) == (503, "busy")
            assert "has stopped inside it" in answer.json()["detail"]
        async with engine.connect() as working:
            await working.exec_driver_sql(f"SELECT pg_advisory_xact_lock({JOURNAL_LOCK})")
            at_work = asyncio.create_task(working.exec_driver_sql("SELECT pg_sleep(2)"))
            answer = await add(running, "ORG")
            assert (answer.status_code, answer.json()["code"]) == (503, "busy")
            assert "Other writes are under way" in answer.json()["detail"]
            await at_work


async def test_a_write_has_a_time_limit_as_a_whole(new_database: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"WATCH_SECONDS": 0.3, "WATCH_AGAIN_SECONDS": 0.3, "WRITE_SECONDS": 1}.items():
        monkeypatch.setattr(writing, name, value)
    async with running_app("catalog", new_database("catalog"), None) as running:
        await sleep_in_write(running, 0.7)
        with pytest.raises(ServiceUnavailable) as refused:
            await sleep_in_write(running, *[0.3] * 10)
        assert refused.value.code == "too_slow"


async def test_a_long_write_has_a_time_limit_for_each_statement(
    new_database: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"WATCH_SECONDS": 0.3, "WATCH_AGAIN_SECONDS": 0.3, "WRITE_SECONDS": 1}.items():
        monkeypatch.setattr(writing, name, value)
    monkeypatch.setattr(engines, "WRITE_SECONDS", 1)
    async with running_app("catalog", new_database("catalog"), None) as running:
        await sleep_in_write(running, *[0.3] * 6, is_long=True)
        with pytest.raises(ServiceUnavailable) as refused:
            await sleep_in_write(running, 5, is_long=True)
        assert refused.value.code == "too_slow"


async def test_a_process_that_stands_still_takes_no_database_for_a_silent_one(
    new_database: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"WATCH_SECONDS": 0.1, "WATCH_AGAIN_SECONDS": 0.1, "ANSWERS_SECONDS": 0.2}.items():
        monkeypatch.setattr(writing, name, value)
    monkeypatch.setattr(writing, "GRACE_SECONDS", 0.1)
    monkeypatch.setattr(engines, "ANSWERS_SECONDS", 0.2)
    async with (
        running_app("catalog", new_database("catalog"), None) as running,
        writing.writing(running.app.state.database, is_long=True) as session,
    ):
        connection = await session.connection()
        for _ in range(8):
            time.sleep(0.4)  # noqa: ASYNC251  # the whole process
            await connection.exec_driver_sql("SELECT 1")


async def sleep_in_write(running: RunningApp, *seconds: float, is_long: bool = False) -> None:
    """A write with a statement of so many seconds each."""
    async with writing.writing(running.app.state.database, is_long=is_long) as session:
        connection = await session.connection()
        for each in seconds:
            await connection.exec_driver_sql(f"SELECT pg_sleep({each})")


async def test_a_command_of_an_operator_ends_when_the_database_hangs(hanging: tuple[DatabaseProxy, RunningApp]) -> None:
    proxy, running = hanging
    definition = service_of("catalog")
    settings = definition.settings(database_url=SecretStr(serving_url(proxy.url)))
    async with running.app.state.database.engine.connect() as other:
        await other.exec_driver_sql(f"SELECT pg_advisory_xact_lock({JOURNAL_LOCK})")
        seeding = asyncio.create_task(cli.seed(definition, settings))
        async with asyncio.timeout(20):
            # The database has no event for it.
            while not await other.scalar(sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            proxy.forwards.clear()
            with pytest.raises(ServiceUnavailable) as ended:
                await seeding
        assert "does not answer" in ended.value.detail
        proxy.forwards.set()
