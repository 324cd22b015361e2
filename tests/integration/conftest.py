"""Fixtures that several files of integration tests share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from mmptf_funding.imports.routes import XLSX
from tests.conftest import RunningApp, running_app
from tests.integration.editions import MADE_UP, State, send, state_of, workbook_of


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
