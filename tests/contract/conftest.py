"""The suite as its callers use it: every service and the gateway, each a process of its own.

The same processes answer first from nothing but the packaged data, for the tests of one file, and then with a few
entries more, for all others.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from mmptf_local.cache import Cache
from mmptf_local.suite import Suite
from tests.contract.contracts import APIS, Contract
from tests.contract.fuzzing import start
from tests.contract.prelude import prepare
from tests.serving import packaged_suite
from tests.tokens import identity

Ask = Callable[..., Any]
Fuzzed = tuple[Future[None], Path]
FUZZED_AT_ONCE = 4
"""Schemathesis takes half a gigabyte for 200 examples of each operation."""
HERE = Path(__file__).parent
PACKAGED, FUZZ = "test_packaged_examples.py", "test_fuzz.py"


@pytest.fixture(scope="session")
def log_lines() -> list[Contract]:
    """What the processes have logged so far, each line with the `process` it comes from."""
    return []


@pytest.fixture(scope="session")
def contract_suite(
    new_database: Callable[[str], str], redis_server: Cache, log_lines: list[Contract]
) -> Iterator[Suite]:
    """The processes, on the packaged data."""

    def keep(process: str, line: str) -> None:
        if line.startswith("{"):
            log_lines.append({"process": process, **json.loads(line)})

    with packaged_suite(new_database, redis_server.url, log=keep, **identity()) as suite:
        yield suite


@pytest.fixture(scope="session")
def packaged(contract_suite: Suite) -> Iterator[Mapping[str, httpx.Client]]:
    """A client for each API of the suite before any write; the markers have copied their sources."""
    with ExitStack() as stack:
        clients = {
            name: stack.enter_context(httpx.Client(base_url=contract_suite.urls[name], timeout=30)) for name in APIS
        }
        while any(copy["caught_up"] is None for copy in clients["markers"].get("/markers/v1/copies").json()["copies"]):
            time.sleep(0.1)
        yield clients


@pytest.fixture(scope="session")
def urls(contract_suite: Suite) -> Mapping[str, str]:
    """`http://127.0.0.1:port` of each API; the data are the packaged ones and a few entries, and nobody writes."""
    prepare(contract_suite)
    return contract_suite.urls


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What asks before any write comes first, and what waits for the processes of `fuzzing` last."""
    places = [n for n, item in enumerate(items) if item.path.parent == HERE]
    order = {PACKAGED: -1, FUZZ: 1}
    ordered = sorted((items[n] for n in places), key=lambda item: order.get(item.path.name, 0))
    for n, item in zip(places, ordered, strict=True):
        items[n] = item


@pytest.fixture(scope="module", autouse=True)
def fuzzing_begun(request: pytest.FixtureRequest) -> None:
    """All but the tests that come before any write run beside Schemathesis."""
    if request.path.name != PACKAGED:
        request.getfixturevalue("fuzzing")


@pytest.fixture(scope="session")
def fuzzing(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[tuple[str, str], Fuzzed]]:
    """Schemathesis against the APIs whose tests are chosen, and the folders of its reports; it starts first because it
    takes longest.
    """
    chosen = [item for item in request.session.items if item.path.name == FUZZ and isinstance(item, pytest.Function)]
    running: dict[tuple[str, str], Fuzzed] = {}
    started: list[subprocess.Popen[str]] = []

    def run(url: str, caller: str, folder: Path) -> None:
        process = start(url, caller, folder)
        started.append(process)
        process.wait()

    with ThreadPoolExecutor(FUZZED_AT_ONCE) as threads:
        if chosen:
            urls = request.getfixturevalue("urls")
            for api, caller in (item.callspec.params["fuzzed"] for item in chosen):
                folder = tmp_path_factory.mktemp(f"{api}-{caller}")
                running[api, caller] = threads.submit(run, urls[api], caller, folder), folder
        yield running
        threads.shutdown(wait=False, cancel_futures=True)
        for process in started:
            process.kill()


class Blocking(httpx.AsyncBaseTransport):
    """Waits for each answer without the event loop, in half the time: these tests ask one thing after the other."""

    def __init__(self) -> None:
        self.connections = httpx.HTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = self.connections.handle_request(request)
        try:
            # As it came: the client decodes it.
            content = b"".join(answer.stream)  # type: ignore[arg-type]
        finally:
            answer.close()
        return httpx.Response(
            answer.status_code,
            headers=answer.headers,
            stream=httpx.ByteStream(content),
            extensions=answer.extensions,
        )

    async def aclose(self) -> None:
        self.connections.close()


@pytest.fixture(scope="session")
async def apis(urls: Mapping[str, str]) -> AsyncIterator[dict[str, httpx.AsyncClient]]:
    """A client for each API."""
    async with AsyncExitStack() as stack:
        yield {
            name: await stack.enter_async_context(
                httpx.AsyncClient(base_url=urls[name], timeout=30, transport=Blocking())
            )
            for name in APIS
        }
