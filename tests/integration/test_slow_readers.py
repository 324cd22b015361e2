"""Real processes beside slow readers, and beside a process that stops inside a write, until these are gone again.

By how much each kind of slow reader delays others is measured in `make drills`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import asyncpg
import httpx
import pytest

from mmptf_local.processes import LOOPBACK, Child, free_port
from tests.integration.replicas import until
from tests.tokens import identity, writing
from tests.writes import write_organizations

pytestmark = pytest.mark.longer
Databases = Callable[[str], str]
ORGANIZATIONS = "/catalog/v1/organizations"
READERS = 50
# Bytes that the reader's system takes in advance, so that the server is kept waiting.
RECEIVE_BUFFER = 4096


@contextmanager
def catalog_process(database: str, **environment: str) -> Iterator[tuple[Child, str]]:
    port = free_port()
    env = {
        "DATABASE_URL": database, "PORT": str(port), "ENVIRONMENT": "development", "LOG_LEVEL": "WARNING",
        **identity(), **environment,
    }  # fmt: skip
    with Child(f"catalog-{port}", [sys.executable, "-m", "mmptf_catalog", "serve"], env=env) as child:
        yield child, f"http://{LOOPBACK}:{port}"


@asynccontextmanager
async def ready(url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=url, timeout=40) as client:

        async def answers() -> bool:
            try:
                return (await client.get("/health/ready")).status_code == 200
            except httpx.HTTPError:
                return False

        await until(answers, seconds=30)
        yield client


@pytest.fixture(scope="module")
def database(new_database: Databases) -> str:
    """A catalogue with a list whose exports have some ten megabytes."""
    url = new_database("catalog")
    asyncio.run(write_organizations(url, 30_000))
    return url


@pytest.fixture(scope="module")
def process(database: str) -> Iterator[str]:
    with catalog_process(database) as (_, url):
        yield url


async def connected(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, port = url.removeprefix("http://").split(":")
    connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    connection.setblocking(False)
    await asyncio.get_running_loop().sock_connect(connection, (host, int(port)))
    return await asyncio.open_connection(sock=connection, limit=RECEIVE_BUFFER)


async def read_slowly(url: str, path: str) -> None:
    """A byte in each tenth of a second, for as long as the server lets it; then the same again."""
    while True:
        reader, writer = await connected(url)
        try:
            writer.write(f"GET {path} HTTP/1.1\r\nHost: {LOOPBACK}\r\n\r\n".encode())
            while await reader.read(1):  # noqa: ASYNC110  # it is the pace of this reader
                await asyncio.sleep(0.1)
        except OSError:
            pass
        finally:
            writer.transport.abort()


async def test_exports_are_possible_again_when_their_slow_readers_are_gone(process: str) -> None:
    async with ready(process) as client:
        readers = [asyncio.create_task(read_slowly(process, f"{ORGANIZATIONS}?format=csv")) for _ in range(READERS)]
        await asyncio.sleep(1)
        meanwhile = await client.get(ORGANIZATIONS, params={"format": "csv"})
        # It waits for a place, and gets one where a slow reader is found to be one before the wait is over.
        assert meanwhile.elapsed.total_seconds() > 1
        assert meanwhile.status_code == 200 or meanwhile.json()["code"] == "overloaded"
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)

        async def is_answered() -> bool:
            return (await client.get(ORGANIZATIONS, params={"format": "csv"})).status_code == 200

        await until(is_answered, seconds=10)


async def test_a_process_that_stops_inside_a_write_delays_others_for_seconds_only(new_database: Databases) -> None:
    """Two processes: one is stopped while it holds the lock of writers, and the other writes on without it."""
    url = new_database("catalog")
    other = await asyncpg.connect(url)
    await other.execute(
        """
        CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$
          BEGIN IF new.code = 'STOPPED' THEN PERFORM pg_sleep(1); END IF; RETURN new; END $$;
        CREATE TRIGGER slow BEFORE INSERT ON organization FOR EACH ROW EXECUTE FUNCTION slow()"""
    )

    async def is_at_work() -> bool:
        query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
        return bool(await other.fetchval(query))

    with catalog_process(url) as (first, first_url), catalog_process(url) as (_, second_url):
        async with ready(first_url) as stopping, ready(second_url) as going_on:

            async def add(client: httpx.AsyncClient, code: str, headers: dict[str, str]) -> httpx.Response:
                return await client.post(ORGANIZATIONS, json={"code": code, "name": "One"}, headers=headers)

            headers = writing("management-unit")
            stopped = asyncio.create_task(add(stopping, "STOPPED", headers))
            await until(is_at_work)
            os.kill(first.process.pid, signal.SIGSTOP)
            try:
                began = time.monotonic()
                answer = await add(going_on, "FOLLOWS", writing("management-unit"))
                seconds = time.monotonic() - began
                assert answer.status_code == 201, answer.text
                # The statement of the stopped process, then IDLE_SECONDS.
                assert seconds < 10
                print(f"a write behind a stopped process took {seconds:.1f} s")
                began = time.monotonic()
                assert (await add(going_on, "AFTER", writing("management-unit"))).status_code == 201
                assert time.monotonic() - began < 1
            finally:
                os.kill(first.process.pid, signal.SIGCONT)
            answer = await stopped
            assert (answer.status_code, answer.json()["code"]) == (503, "unavailable"), answer.text
            assert (await going_on.get(f"{ORGANIZATIONS}/STOPPED")).status_code == 404
            assert (await add(stopping, "STOPPED", headers)).status_code == 201
    await other.close()
