"""Fixtures that several files of integration tests share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import asyncpg
import httpx
import pytest

from mmptf_common.feed import changes, replication
from mmptf_common.storage.engines import open_database
from mmptf_common.writes.bodies import XLSX
from tests.conftest import RunningApp, running_app
from tests.integration.database_proxy import proxy_to
from tests.integration.editions import MADE_UP, Versions, send, state_of, versions_of, workbook_of
from tests.integration.ledger_client import ETHIOPIA, LedgerClient, running_ledger
from tests.integration.marked import Markers
from tests.integration.plans import Sent
from tests.integration.replicas import Databases, Pair, audited, chained, settings_of, source_of
from tests.serving import served


@pytest.fixture(scope="module")
async def two_editions(new_database: Callable[[str], str]) -> AsyncIterator[RunningApp]:
    """The packaged edition and the made-up one; tests that share it change nothing."""
    async with running_app("funding", new_database("funding"), None) as service:
        answer = await send(service, workbook_of(MADE_UP), XLSX)
        assert answer.status_code == 200, answer.text
        yield service


@pytest.fixture(scope="module")
async def beginning(two_editions: RunningApp) -> AsyncIterator[Versions]:
    """What is stored in it; its exports are what they were when all tests of a file are over."""
    state = await state_of(two_editions)
    yield await versions_of(two_editions)
    assert await state_of(two_editions) == state


@pytest.fixture
async def untouched(two_editions: RunningApp, beginning: Versions) -> AsyncIterator[RunningApp]:
    """The same, and nothing may have been written in it when the test is over."""
    yield two_editions
    assert await versions_of(two_editions) == beginning


@pytest.fixture(scope="module")
async def catalog_service(new_database: Callable[[str], str]) -> AsyncIterator[RunningApp]:
    """The catalogue on a database of its own, to which the tests of one file write."""
    async with running_app("catalog", new_database("catalog"), None) as running:
        yield running


@pytest.fixture
def client(catalog_service: RunningApp) -> httpx.AsyncClient:
    """The HTTP client of `catalog_service`."""
    return catalog_service.client


@pytest.fixture(scope="module")
async def reader(catalog_service: RunningApp) -> AsyncIterator[asyncpg.Connection]:
    """A connection to the database of `catalog_service`, for what a test reads there."""
    connection = await asyncpg.connect(catalog_service.database_url)
    yield connection
    await connection.close()


@pytest.fixture(scope="module")
async def marker_service(new_database: Callable[[str], str]) -> AsyncIterator[Markers]:
    """The marker service on a database of its own, to which the tests of one file write."""
    async with running_app("markers", new_database("markers"), None) as running:
        yield Markers(running)


@pytest.fixture(scope="module")
async def catalogue_url(new_database: Callable[[str], str]) -> AsyncIterator[str]:
    """The URL of a catalogue of the packaged data, served over HTTP."""
    async with running_app("catalog", new_database("catalog"), None) as running, served(running.app) as url:
        yield url


@pytest.fixture
async def ledger(new_database: Callable[[str], str], catalogue_url: str) -> AsyncIterator[LedgerClient]:
    """An empty ledger in a database of its own."""
    async with running_ledger(new_database("funding"), catalogue_url) as found:
        yield found


@pytest.fixture
async def funded_ledger(ledger: LedgerClient) -> LedgerClient:
    """A thousand dollars came in, and six hundred are meant for a programme."""
    await ledger.enter("deposit", "1000.00", "2024-01-10", contributor="DEU")
    await ledger.enter("allocation", "600.00", "2024-02-10", programme="ETH-01")
    return ledger


@pytest.fixture(scope="module")
async def shared_ledger(new_database: Callable[[str], str], catalogue_url: str) -> AsyncIterator[LedgerClient]:
    """A ledger with money and entries that others may follow; tests that share it change nothing."""
    async with running_ledger(new_database("funding"), catalogue_url) as found:
        await found.enter("pledge", "500.00", "2024-01-01", contributor="DEU")
        await found.enter("commitment", "500.00", "2024-01-01", contributor="DEU", follows="L-000001")
        await found.enter("deposit", "1000.00", "2024-01-01", contributor="DEU")
        await found.enter("allocation", "800.00", "2024-01-01", programme="ETH-01")
        await found.enter("transfer", "400.00", "2024-01-01", **ETHIOPIA)
        yield found


@pytest.fixture(scope="module")
def short_intervals() -> Iterator[None]:
    """Shorter waits and pauses than in production."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(changes, "LOOK_SECONDS", 0.05)
        patch.setattr(changes, "NOTIFIED_LOOK_SECONDS", 0.05)
        for name, value in {
            "WAIT_SECONDS": 1,
            "ANSWER_SECONDS": 1.4,
            "FIRST_PAUSE": 0.03,
            "START_SECONDS": 0,
            "LAST_PAUSE": 0.1,
        }.items():
            patch.setattr(replication, name, value)
        yield


@pytest.fixture(scope="module")
async def pair(new_database: Databases, short_intervals: None) -> AsyncIterator[Pair]:
    """A catalogue and the markers that replicate it, with a proxy before each of their servers."""
    database = new_database("markers")
    async with (
        open_database(settings_of(database)) as copy,
        source_of(new_database("catalog")) as (source, url),
        proxy_to(url) as to_source,
        proxy_to(database) as to_database,
        running_app("markers", to_database.url, None, catalog_url=to_source.url) as markers,
    ):
        pair = Pair(source.catalog, source, to_source, markers, to_database, copy)
        yield pair
        assert chained(await audited(markers)) == await pair.copied()


@pytest.fixture
async def synced(pair: Pair) -> AsyncIterator[Pair]:
    """The pair, with all copied that is there, before a test and after it."""
    await pair.catch_up()
    yield pair
    pair.to_database.mend()
    pair.source.when_asked = lambda: None
    pair.source.mend()
    if pair.source.catalog is not pair.home:
        beginning = await pair.last_change()
        await pair.source.become(pair.home)
        await pair.is_copied_anew(beginning)
    await pair.catch_up()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """The statements that a service has sent for rows, with their values."""
    found: Sent = []
    execute = asyncpg.Connection._execute

    async def recording(self: Any, query: str, values: tuple[Any, ...], *others: Any, **named: Any) -> Any:
        found.append((query, values))
        return await execute(self, query, values, *others, **named)

    monkeypatch.setattr(asyncpg.Connection, "_execute", recording)
    return found
