"""Replication continues after failures of the source, of connections and of the own database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from mmptf_local.processes import LOOPBACK, free_port
from tests.conftest import pool_of, running_app
from tests.integration.changes import write
from tests.integration.replicas import (
    FAULTS,
    NEVER,
    Databases,
    Pair,
    age,
    audited,
    copy_state,
    equal,
    failures,
    listed,
    replicated,
    retitled,
    source_of,
    until,
)

pytestmark = pytest.mark.usefixtures("short_intervals")


@pytest.mark.parametrize("error", FAULTS)
async def test_replication_continues_after_a_failure_of_the_source(synced: Pair, error: str) -> None:
    beginning = await synced.last_change()
    await synced.source.fail(error)
    since, was_asked = (await copy_state(synced.markers))["caught_up"], synced.source.was_asked(1)
    for number in range(3):
        await write(synced.home, retitled("MKD-01", f"{error} {number}"))
    # It is asked again, and what was copied is still answered.
    await until(was_asked)
    assert (await copy_state(synced.markers))["caught_up"] == since
    assert await synced.last_change() == beginning
    synced.source.mend()
    await synced.catch_up()
    assert (await copy_state(synced.markers))["caught_up"] > since
    assert [entry["after"]["title"] for entry in await audited(synced.markers, beginning)] == [f"{error} 2"]


async def test_the_age_grows_while_the_source_is_away_and_shrinks_again(synced: Pair) -> None:
    await synced.source.fail("503")

    async def is_older(seconds: int) -> bool:
        return await age(synced.markers) >= seconds

    assert not await is_older(2)
    await until(lambda: is_older(2))
    assert (await copy_state(synced.markers))["age_seconds"] >= 2
    synced.source.mend()

    async def is_young() -> bool:
        return await age(synced.markers) == 0

    await until(is_young)
    assert (await copy_state(synced.markers))["age_seconds"] <= 1


async def test_connections_that_break_anywhere_are_made_again(synced: Pair) -> None:
    for number in range(8):
        await write(synced.home, retitled("MKD-01", f"Before {number}"))
        await until(synced.source.was_asked(1 + number % 3))
        synced.to_source.cut()
        await write(synced.home, retitled("MKD-01", f"Meanwhile {number}"))
        synced.to_source.mend()
    await synced.catch_up()


async def test_a_source_that_is_not_there_yet_is_copied_when_it_is(
    new_database: Databases, caplog: pytest.LogCaptureFixture
) -> None:
    port = free_port()
    async with (
        source_of(new_database("catalog")) as (source, url),
        running_app("markers", new_database("markers"), None, catalog_url=f"http://{LOOPBACK}:{port}") as markers,
    ):
        await until(lambda: len(failures(caplog)) >= 3)
        assert await copy_state(markers) == NEVER
        async with passing_on(port, url):
            database = markers.app.state.database
            await until(lambda: pool_of(database).fetchval("SELECT last FROM replication"))
            assert equal(await replicated(database), await listed(source.catalog))


@asynccontextmanager
async def passing_on(port: int, url: str) -> AsyncIterator[None]:
    """A port of this machine under which a source is reached too."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
        writer.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection(LOOPBACK, httpx.URL(url).port)
        await asyncio.gather(pump(reader, there_writer), pump(there_reader, writer), return_exceptions=True)

    async with await asyncio.start_server(accept, LOOPBACK, port):
        yield


async def test_the_own_database_is_lost_and_returns(synced: Pair, caplog: pytest.LogCaptureFixture) -> None:
    beginning = await synced.last_change()
    synced.to_database.cut()
    await write(synced.home, retitled("MKD-01", "One"))
    await until(lambda: len(failures(caplog)) >= 3)
    assert (await synced.markers.client.get("/markers/v1/copies")).status_code == 503
    await write(synced.home, retitled("MKD-01", "Two"))
    synced.to_database.mend()
    await synced.catch_up()
    assert [entry["after"]["title"] for entry in await audited(synced.markers, beginning)] == ["Two"]
    assert "replication failed" not in caplog.messages
