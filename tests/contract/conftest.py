"""The suite as its callers use it: every service and the gateway, each a process of its own.

The same processes answer first from nothing but the packaged data, for the tests of one file, and then with a few
entries more, for all others.
"""

from __future__ import annotations

import json
import select
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack, suppress
from pathlib import Path
from typing import Any

import httptools
import httpx
import pytest

from mmptf_local.cache import Cache
from mmptf_local.suite import Suite
from tests.contract.contracts import APIS, Contract
from tests.contract.fuzzing import start, wait_for_contract
from tests.contract.prelude import prepare, wait_for_copies
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
    """A client for each API of the suite before any write; funding and markers have copied their sources."""
    with ExitStack() as stack:
        clients = {
            name: stack.enter_context(httpx.Client(base_url=contract_suite.urls[name], timeout=30)) for name in APIS
        }
        for service in ("funding", "markers"):
            wait_for_copies(clients[service], f"/{service}/v1")
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
        wait_for_contract(url)
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


class Received:
    """What the parser has found of an answer so far."""

    def __init__(self, *, has_body: bool) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self.content: list[bytes] = []
        self.is_whole = False
        self._has_body = has_body

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self.is_whole = not self._has_body

    def on_body(self, part: bytes) -> None:
        self.content.append(part)

    def on_message_complete(self) -> None:
        self.is_whole = True


class Blocking(httpx.AsyncBaseTransport):
    """Waits for each answer on one connection without the event loop, since these tests ask one thing after the other,
    and reads it with the parser of the server: with those of httpx, tens of thousands of requests take twice as long.
    """

    def __init__(self) -> None:
        self._connection: socket.socket | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        content = await request.aread()
        assert "transfer-encoding" not in request.headers, "bodies are sent with their length"
        lines = [b"%s %s HTTP/1.1" % (request.method.encode(), request.url.raw_path)]
        lines += [b"%s: %s" % header for header in request.headers.raw]
        connection = self._open_connection(request.url)
        # Who refuses a large body may answer, and close the connection, before it is sent.
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(b"\r\n".join((*lines, b"", content)))
        received = Received(has_body=request.method != "HEAD")
        parser = httptools.HttpResponseParser(received)
        while not received.is_whole:
            part = connection.recv(1 << 18)
            if not part:
                raise httpx.RemoteProtocolError("the connection ended before the answer", request=request)
            parser.feed_data(part)
        if not parser.should_keep_alive():
            self._close()
        # As it came: the client decodes it.
        stream = httpx.ByteStream(b"".join(received.content))
        return httpx.Response(parser.get_status_code(), headers=received.headers, stream=stream)

    def _open_connection(self, url: httpx.URL) -> socket.socket:
        """The connection of before, or another one where the server has closed it since."""
        if self._connection is not None and select.select([self._connection], [], [], 0)[0]:
            self._close()
        if self._connection is None:
            self._connection = socket.create_connection((url.host, url.port), timeout=30)
            self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def aclose(self) -> None:
        self._close()


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
