"""Failures are logged with their cause, one line for each kind at a bounded rate, and none twice."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest

from mmptf_common.process import failure_log
from mmptf_common.storage import engines
from mmptf_common.storage.engines import ReadKind
from mmptf_common.wire.problems import BadGateway
from tests.conftest import RunningApp, running_app
from tests.integration.database_proxy import DatabaseProxy, proxy_to

ORGANIZATIONS = "/catalog/v1/organizations"
SECONDS = 0.6


@pytest.fixture
async def failing(
    new_database: Callable[[str], str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> AsyncIterator[tuple[DatabaseProxy, RunningApp]]:
    async with proxy_to(new_database("catalog")) as proxy, running_app("catalog", proxy.url, None) as running:
        monkeypatch.setattr(failure_log, "_kinds", {})
        monkeypatch.setattr(failure_log, "INTERVAL_SECONDS", SECONDS)
        monkeypatch.setattr(engines, "CONNECT_SECONDS", 0.2)
        caplog.set_level(logging.INFO)
        yield proxy, running


def lines(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """What was logged, but for the lines of requests and those of libraries at INFO."""
    return [r for r in caplog.records if r.levelno > logging.INFO and r.name != "mmptf.access"]


def left_out(record: logging.LogRecord) -> int:
    return int(getattr(record, "left_out", 0))


async def test_437_answers_of_503_leave_few_lines_with_their_number(
    failing: tuple[DatabaseProxy, RunningApp], caplog: pytest.LogCaptureFixture
) -> None:
    _, running = failing
    pool = running.app.state.database.reads[ReadKind.PAGE].connections
    async with AsyncExitStack() as stack:
        for _ in range(pool.get_max_size()):
            await stack.enter_async_context(pool.acquire())
        began = time.monotonic()
        answers = await asyncio.gather(*(running.client.get(ORGANIZATIONS) for _ in range(437)))
        intervals = (time.monotonic() - began) / SECONDS
    assert {answer.status_code for answer in answers} == {503}
    await asyncio.sleep(2.5 * SECONDS)
    found = lines(caplog)
    assert 1 < len(found) <= 2 + intervals
    # The first one, also of those after an interval without any, stands for itself.
    assert sum(left_out(record) or 1 for record in found) == 437
    for record in found:
        assert record.exc_info is None
        assert record.__dict__["status"] == 503
        assert record.__dict__["code"] == "overloaded"
        assert "in use" in record.__dict__["reason"]
    # After an interval without one, the kind is forgotten.
    assert not failure_log._kinds


async def test_each_kind_of_failure_has_its_line_with_the_cause(
    failing: tuple[DatabaseProxy, RunningApp], caplog: pytest.LogCaptureFixture
) -> None:
    proxy, running = failing
    proxy.cut()
    for _ in range(5):
        assert (await running.client.get(ORGANIZATIONS)).status_code == 503
        assert (await running.client.get("/health/ready")).status_code == 503
    requests, health = lines(caplog)
    assert (requests.message, health.message) == ("request failed", "not ready")
    assert requests.__dict__["cause"].startswith(("Connection", "OSError", "InterfaceError"))
    proxy.mend()


async def test_an_export_that_breaks_off_is_one_line(
    failing: tuple[DatabaseProxy, RunningApp], caplog: pytest.LogCaptureFixture
) -> None:
    _, running = failing
    # As the server logs what an app raises.
    server_log = logging.getLogger("uvicorn.error")
    server_log.addFilter(without := failure_log.WithoutReported())
    try:
        try:
            raise RuntimeError("already started") from BadGateway("The answer broke off.")
        except RuntimeError as error:
            server_log.error("Exception in ASGI application\n", exc_info=error)
        server_log.error("another failure", exc_info=ValueError("x"))
    finally:
        server_log.removeFilter(without)
    assert [record.message for record in lines(caplog)] == ["another failure"]
    assert (await running.client.get(ORGANIZATIONS)).status_code == 200


async def test_kinds_without_number_take_no_memory(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(failure_log, "_kinds", {})
    for n in range(3 * failure_log.MOST_KINDS):
        failure_log.report_problem(BadGateway(f"The service {n} cannot be reached."))
    assert len(failure_log._kinds) == failure_log.MOST_KINDS + 1
    assert len(lines(caplog)) == failure_log.MOST_KINDS + 1
