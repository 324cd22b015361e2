"""Fixtures that several files of integration tests share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from mmptf_common.feed import changes, replication
from mmptf_common.storage.engines import open_database
from mmptf_funding.imports.routes import XLSX
from tests.conftest import RunningApp, running_app
from tests.integration.database_proxy import proxy_to
from tests.integration.editions import MADE_UP, State, send, state_of, workbook_of
from tests.integration.replicas import Databases, Pair, audited, chained, settings_of, source_of


@pytest.fixture(scope="module")
async def two_editions(new_database: Callable[[str], str]) -> AsyncIterator[RunningApp]:
    """The packaged edition and the made-up one; tests that share it change nothing."""
    async with running_app("funding", new_database("funding"), None) as service:
        answer = await send(service, workbook_of(MADE_UP), XLSX)
        assert answer.status_code == 200, answer.text
        yield service


@pytest.fixture(scope="module")
async def beginning(two_editions: RunningApp) -> State:
    return await state_of(two_editions)


@pytest.fixture
async def untouched(two_editions: RunningApp, beginning: State) -> AsyncIterator[RunningApp]:
    """The same, and nothing of it may have changed when the test is over."""
    yield two_editions
    assert await state_of(two_editions) == beginning


@pytest.fixture(scope="module")
def short_intervals() -> Iterator[None]:
    """Shorter waits and pauses than in production."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(changes, "LOOK_SECONDS", 0.05)
        for name, value in {"WAIT_SECONDS": 1, "ANSWER_SECONDS": 1.4, "FIRST_PAUSE": 0.03, "LAST_PAUSE": 0.1}.items():
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
