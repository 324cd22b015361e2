"""A service that hangs, behind the gateway as a process of its own: what the gateway holds, and what others meet."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Any

import pytest

from mmptf_local.processes import LOOPBACK, Child, answers_ready, free_port, wait_until
from tests.suite import ROOT

SHORT, LONG = 48, 24
ANSWER_SECONDS = 3
# Those that find a service back while its breaker is open are sent beyond the budget.
TRIES = ANSWER_SECONDS // 2 + 1


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any
    headers: dict[str, str]
    seconds: float


async def ask(port: int, path: str, method: str = "GET", **headers: str) -> Answer:
    """The answer to one request on a connection of its own."""
    began = time.perf_counter()
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    try:
        sent = {
            "Host": "x",
            "Connection": "close",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        writer.write(
            "".join([f"{method} {path} HTTP/1.1\r\n", *(f"{n}: {v}\r\n" for n, v in sent.items()), "\r\n"]).encode()
        )
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        found = {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in head[1:] if line)}
        body = await reader.read()
    finally:
        writer.close()
    is_json = "json" in found.get("content-type", "") and "transfer-encoding" not in found
    return Answer(int(head[0].split()[1]), json.loads(body) if is_json else body, found, time.perf_counter() - began)


@contextmanager
def serving(label: str, *command: str, port: int, **environment: str) -> Iterator[Child]:
    env = {**os.environ, "PYTHONPATH": str(ROOT), "HOST": LOOPBACK, "PORT": str(port), **environment}
    with Child(label, (sys.executable, "-m", *command), env=env) as child:
        yield child


@contextmanager
def quick_service() -> Iterator[tuple[int, Child]]:
    """A service as a process of its own, which answers everything at once; its port."""
    port = free_port()
    arguments = ("uvicorn", "tests.gateway.conftest:echo", "--port", str(port), "--log-level", "warning")
    with serving("quick", *arguments, port=port) as child:
        wait_until(lambda: answers_ready(f"http://{LOOPBACK}:{port}/"), child, seconds=20)
        yield port, child


@contextmanager
def gateway_process(services: dict[str, int], **environment: str) -> Iterator[tuple[int, Child]]:
    port = free_port()
    named = ",".join(f"{name}=http://{LOOPBACK}:{at}" for name, at in services.items())
    settings = {
        "SERVICES": named,
        "ANSWER_SECONDS": str(ANSWER_SECONDS),
        "IN_FLIGHT": str(SHORT),
        "IN_FLIGHT_LONG": str(LONG),
        **environment,
    }
    with serving("gateway", "mmptf_gateway", "serve", port=port, **settings) as child:
        wait_until(lambda: answers_ready(f"http://{LOOPBACK}:{port}/health/live"), child, seconds=20)
        yield port, child


def descriptors(child: Child) -> int:
    return len(list(Path(f"/proc/{child.process.pid}/fd").iterdir()))


class Hanging:
    """A service that accepts connections and never answers, until `mend` is called."""

    def __init__(self) -> None:
        self.hangs = True
        self._open: list[asyncio.StreamWriter] = []

    def mend(self) -> None:
        self.hangs = False

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.append(writer)
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                if not self.hangs:
                    writer.write(b"HTTP/1.1 500 Failed\r\nContent-Length: 0\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def close(self) -> None:
        for writer in self._open:
            writer.close()


@asynccontextmanager
async def hanging_service() -> AsyncIterator[tuple[int, Hanging]]:
    hanging = Hanging()
    server = await asyncio.start_server(hanging.converse, LOOPBACK, 0, backlog=1024)
    try:
        yield server.sockets[0].getsockname()[1], hanging
    finally:
        hanging.close()
        server.close()


async def p99(port: int, seconds: float) -> float:
    """The 99th percentile of seconds of an answer of the quick service, asked a hundred times a second."""
    took = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        answer = await ask(port, "/quick/v1/x")
        assert answer.status == 200
        took.append(answer.seconds)
        await asyncio.sleep(0.01)
    return quantiles(took, n=100)[98]


async def answered(port: int, path: str, status: int) -> None:
    """Return when a path is answered with this status, within three seconds, and with 503 until then."""
    async with asyncio.timeout(3):
        while (answer := await ask(port, path)).status != status:
            assert answer.status == 503
            await asyncio.sleep(0.05)


@pytest.fixture(scope="module")
def quick() -> Iterator[int]:
    with quick_service() as (port, _):
        yield port


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="descriptors are counted in /proc")
async def test_a_thousand_requests_to_a_service_that_hangs_concern_nobody_else(quick: int) -> None:
    async with hanging_service() as (hung, service):
        with gateway_process({"quick": quick, "hung": hung}) as (port, child):
            quiet = await p99(port, 3)
            before = descriptors(child)
            most = upstream = 0
            answers: list[asyncio.Task[Answer]] = []

            async def attack() -> None:
                nonlocal most, upstream
                for number in range(1000):
                    path = ("/hung/v1/x", "/hung/v1/x", "/hung/v1/x?wait=30")[number % 3]
                    answers.append(asyncio.create_task(ask(port, path)))
                    await asyncio.sleep(0.005)
                    if number % 20 == 0:
                        waiting = sum(not answer.done() for answer in answers)
                        most = max(most, descriptors(child) - before)
                        upstream = max(upstream, descriptors(child) - before - waiting)

            busy, _ = await asyncio.gather(p99(port, 5), attack())
            found = Counter((answer.status, answer.body["code"]) for answer in await asyncio.gather(*answers))
            refused = [answer.result() for answer in answers if answer.result().status == 503]
            print(f"p99 quiet {quiet * 1000:.1f} ms, busy {busy * 1000:.1f} ms; descriptors {before} + {most}; {found}")
            assert set(found) == {
                (504, "service_timeout"), (503, "service_overloaded"), (503, "service_not_answering"),
            }  # fmt: skip
            # A few more are sent while the first ones time out, before the breaker is open.
            assert SHORT + LONG <= found[504, "service_timeout"] <= SHORT + LONG + 20
            assert {answer.headers["retry-after"] for answer in refused} == {"2"}
            assert all("'hung'" in answer.body["detail"] for answer in refused)
            # Those that wait have a connection on each side; of the quick service's and the callers' a few are open.
            assert most <= 2 * (SHORT + LONG + TRIES) + 20
            assert upstream <= SHORT + LONG + TRIES + 20
            assert busy < max(3 * quiet, 0.05), "a machine of two busy cores has pauses of its own"

            began = time.monotonic()
            ready, status, view = await asyncio.gather(
                ask(port, "/health/ready"), ask(port, "/status"), ask(port, "/programmes/ETH-01")
            )
            assert time.monotonic() - began < 3
            assert (ready.status, ready.body["ready"]) == (200, True)
            assert "'hung'" in ready.body["reason"] and "'quick'" not in ready.body["reason"]
            (_, state) = status.body["services"]
            assert (state["service"], state["reachable"]) == ("hung", False)
            assert state["breaker_open_since"] is not None and state["error"].startswith("service_timeout: ")
            assert view.body["errors"][-1]["code"] in ("service_not_answering", "service_timeout")

            service.mend()
            await answered(port, "/hung/v1/x", 500)
            assert [(await ask(port, "/hung/v1/x")).status for _ in range(20)] == [500] * 20
            state = (await ask(port, "/status")).body["services"][1]
            assert (state["reachable"], state["breaker_open_since"]) == (True, None)


async def test_long_polls_take_no_room_from_pages(quick: int) -> None:
    async with AsyncExitStack() as stack:
        hung, service = await stack.enter_async_context(hanging_service())
        port, _ = stack.enter_context(gateway_process({"hung": hung}, ANSWER_SECONDS="20"))
        long = (
            ("/hung/v1/changes?after=1&wait=30", {}),
            ("/hung/v1/x?format=csv", {}),
            ("/hung/v1/x", {"Accept": "application/x-ndjson"}),
        )
        waiting = []
        for number in range(LONG):
            path, headers = long[number % 3]
            waiting.append(asyncio.create_task(ask(port, path, **headers)))
        await asyncio.sleep(0.5)
        full = await ask(port, "/hung/v1/changes?wait=1")
        assert (full.status, full.body["code"]) == (503, "service_overloaded")
        assert f"{LONG} long polls" in full.body["detail"]
        service.mend()
        for path in ("/hung/v1/x", "/hung/v1/changes?wait=0", "/hung/v1/x?format=json"):
            assert (await ask(port, path)).status == 500, "answered, though every place of long requests is taken"
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await asyncio.sleep(0.5)
        assert (await ask(port, "/hung/v1/changes?wait=1")).status == 500, "callers that left are not counted"


async def test_a_gateway_whose_services_all_stand_still_is_not_ready() -> None:
    """Processes that are stopped by a signal accept connections, as the kernel does it for them."""
    with ExitStack() as stack:
        first, one = stack.enter_context(quick_service())
        second, two = stack.enter_context(quick_service())
        port, _ = stack.enter_context(gateway_process({"one": first, "two": second}, ANSWER_SECONDS="1"))
        assert (await ask(port, "/health/ready")).body == {"ready": True, "reason": None}
        for child in (one, two):
            os.kill(child.process.pid, signal.SIGSTOP)
        try:
            ready = await asyncio.gather(*(ask(port, "/health/ready") for _ in range(50)))
            assert {(answer.status, answer.body["ready"]) for answer in ready} == {(503, False)}
            assert max(answer.seconds for answer in ready) < 2.5
            assert all("'one'" in answer.body["reason"] and "'two'" in answer.body["reason"] for answer in ready)
            views = [await asyncio.gather(*(ask(port, "/programmes/ETH-01") for _ in range(10))) for _ in range(2)]
            assert {answer.status for answer in views[0]} == {504}
            assert {answer.status for answer in views[1]} <= {502, 504}
            assert min(answer.seconds for answer in views[1]) < 1, "the breaker is open"
            assert (await ask(port, "/one/v1/x")).status == 503
        finally:
            for child in (one, two):
                os.kill(child.process.pid, signal.SIGCONT)
        await answered(port, "/health/ready", 200)
        assert [(await ask(port, f"/{name}/v1/x")).status for name in ("one", "two")] == [200, 200]


async def test_errors_of_the_service_itself_do_not_open_the_breaker(quick: int) -> None:
    async with hanging_service() as (failing, service):
        service.mend()
        with gateway_process({"failing": failing, "quick": quick}) as (port, _):
            assert {(await ask(port, "/failing/v1/x")).status for _ in range(30)} == {500}
            state = (await ask(port, "/status")).body["services"][0]
            assert (state["reachable"], state["breaker_open_since"]) == (True, None)


async def test_the_breaker_opens_for_a_service_that_is_away_and_closes_when_it_is_back() -> None:
    away = free_port()
    with gateway_process({"away": away}) as (port, _):
        statuses = [(await ask(port, "/away/v1/x")).status for _ in range(8)]
        assert statuses == [502] * 5 + [503] * 3
        state = (await ask(port, "/status")).body["services"][0]
        assert (state["reachable"], state["error"].partition(":")[0]) == (False, "service_unreachable")
        assert state["breaker_open_since"].endswith("Z")
        assert (await ask(port, "/health/ready")).status == 503
        with socket.create_server((LOOPBACK, away)) as listening:
            listening.setblocking(False)
            hanging = Hanging()
            hanging.mend()
            server = await asyncio.start_server(hanging.converse, sock=listening)
            await answered(port, "/away/v1/x", 500)
            hanging.close()
            server.close()
