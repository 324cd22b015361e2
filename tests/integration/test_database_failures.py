"""Each condition of the database is told as what it is, and passes without a trace."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import asyncpg
import httpx
import pytest

from mmptf_common.storage import engines
from mmptf_common.storage.engines import READS, ReadKind
from mmptf_common.storage.failures import problem_of
from mmptf_common.storage.journal import JOURNAL_LOCK
from tests.conftest import RunningApp, running_app
from tests.integration.database_proxy import proxy_to
from tests.integration.test_connections import terminate_all
from tests.tokens import writing

Databases = Callable[[str], str]
ORGANIZATIONS = "/catalog/v1/organizations"


@asynccontextmanager
async def session(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url)
    yield connection
    await connection.close()


async def add(running: RunningApp, code: str) -> httpx.Response:
    sent = {"code": code, "name": "Another organization"}
    return await running.client.post(ORGANIZATIONS, json=sent, headers=writing("management-unit"))


def refused(answer: httpx.Response) -> tuple[int, str]:
    assert int(answer.headers["retry-after"]) > 0
    return answer.status_code, answer.json()["code"]


@pytest.mark.parametrize(
    ("state", "status", "code"),
    [
        ("53100", 507, "storage_full"),
        ("53200", 503, "overloaded"),
        ("25006", 503, "read_only"),
        ("55P03", 503, "busy"),
        ("40P01", 503, "busy"),
        ("40001", 503, "busy"),
        ("57014", 503, "too_slow"),
        ("58030", 503, "unavailable"),
    ],
)
async def test_a_write_that_fails_is_told_by_its_sqlstate(
    new_database: Databases, state: str, status: int, code: str
) -> None:
    async with running_app("catalog", new_database("catalog"), None) as running, session(running.database_url) as other:
        await other.execute(
            f"""
            CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
              BEGIN RAISE EXCEPTION 'as the database does' USING ERRCODE = '{state}'; END $$;
            CREATE TRIGGER fail BEFORE INSERT ON organization EXECUTE FUNCTION fail()"""
        )
        assert refused(await add(running, "ORG")) == (status, code)
        await other.execute("DROP TRIGGER fail ON organization")
        assert (await add(running, "ORG")).status_code == 201


async def test_a_database_that_is_read_only_answers_reads(new_database: Databases) -> None:
    """As after a failover to a standby."""
    async with running_app("catalog", new_database("catalog"), None) as running, session(running.database_url) as other:
        name = await other.fetchval("SELECT current_database()")
        await other.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        await terminate_all(running.database_url)
    async with running_app("catalog", running.database_url, None) as running:
        assert refused(await add(running, "ORG")) == (503, "read_only")
        assert (await running.client.get(ORGANIZATIONS)).status_code == 200
        status = await running.client.get("/catalog/v1/status")
        assert status.json()["database"] == "read_only"
        ready = await running.client.get("/health/ready")
        assert (ready.status_code, ready.json()["reason"]) == (200, "The database of this service takes no writes.")
        async with session(running.database_url) as other:
            await other.execute("SET default_transaction_read_only = off")
            await other.execute(f"ALTER DATABASE {name} RESET ALL")
            await terminate_all(running.database_url)
        assert (await add(running, "ORG")).status_code == 201
        assert (await running.client.get("/health/ready")).json() == {"ready": True, "reason": None}
        now = await running.client.get("/catalog/v1/status")
        assert (now.json()["database"], now.json()["copies"]) == ("primary", [])
        assert now.headers["etag"] != status.headers["etag"]


async def test_an_answer_that_takes_too_long_is_not_a_lost_database(
    new_database: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = replace(READS[ReadKind.PAGE], seconds=0.5)
    monkeypatch.setitem(READS, ReadKind.PAGE, limits)
    async with running_app("catalog", new_database("catalog"), None) as running, session(running.database_url) as other:
        backends = "SELECT array_agg(pid ORDER BY pid) FROM pg_stat_activity WHERE application_name = 'mmptf'"
        assert (await running.client.get(ORGANIZATIONS)).status_code == 200
        before = await other.fetchval(backends)
        async with other.transaction():
            await other.execute("LOCK TABLE organization IN ACCESS EXCLUSIVE MODE")
            assert refused(await running.client.get(ORGANIZATIONS)) == (503, "too_slow")
        assert (await running.client.get(ORGANIZATIONS)).status_code == 200
        assert await other.fetchval(backends) == before


async def test_a_write_waits_for_others_no_longer_than_it_should(
    new_database: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is stopped inside a write holds the lock of writers until the database ends its transaction."""
    monkeypatch.setattr(engines, "LOCK_SECONDS", 1)
    monkeypatch.setattr(engines, "IDLE_SECONDS", 3)
    async with running_app("catalog", new_database("catalog"), None) as running:
        stopped = await running.app.state.database.engine.connect()
        await stopped.exec_driver_sql(f"SELECT pg_advisory_xact_lock({JOURNAL_LOCK})")
        began = time.monotonic()
        assert refused(await add(running, "ORG")) == (503, "busy")
        assert time.monotonic() - began < 2.5
        async with asyncio.timeout(5):
            while (await add(running, "ORG")).status_code != 201:
                pass
        await stopped.invalidate()
        await stopped.close()


async def test_a_database_that_hangs_makes_a_process_unready_in_time(new_database: Databases) -> None:
    async with proxy_to(new_database("catalog")) as proxy, running_app("catalog", proxy.url, None) as running:
        assert (await running.client.get("/health/ready")).status_code == 200
        proxy.delay = 3
        began = time.monotonic()
        answer = await running.client.get("/health/ready")
        assert time.monotonic() - began < 2.9
        assert (answer.status_code, answer.json()["ready"]) == (503, False)
        assert "does not answer" in answer.json()["reason"]
        proxy.delay = 0


async def test_a_database_that_starts_says_so() -> None:
    """The first message of a server that takes no connections yet, as PostgreSQL sends it."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        fields = b"SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0"
        writer.write(b"E" + (len(fields) + 4).to_bytes(4, "big") + fields)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(asyncpg.CannotConnectNowError) as refusal:
            await asyncpg.connect(f"postgresql://someone@127.0.0.1:{port}/any", ssl=False)
    problem = problem_of(refusal.value)
    assert problem is not None
    assert (problem.status, problem.code) == (503, "unavailable")
    assert "starting" in problem.detail


def test_what_is_no_failure_of_the_database_is_none() -> None:
    for error in (ValueError("x"), asyncpg.UniqueViolationError("x"), KeyError("x")):
        assert problem_of(error) is None
