"""A service that hangs, behind the gateway as a process of its own: what the gateway holds, and what others meet."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, AsyncExitStack, ExitStack, asynccontextmanager, suppress
from pathlib import Path
from statistics import quantiles

import pytest

from mmptf_local.processes import LOOPBACK, Child, free_port
from tests.gateway.processes import Answer, ask, gateway_process, quick_service

SHORT, LONG = 48, 24
ANSWER_SECONDS = 2
# Those that find a service back while its breaker is open are sent beyond the budget.
TRIES = ANSWER_SECONDS // 2 + 1


def bounded_gateway(services: dict[str, int], **environment: str) -> AbstractContextManager[tuple[int, Child]]:
    bounds = {"ANSWER_SECONDS": str(ANSWER_SECONDS), "IN_FLIGHT": str(SHORT), "IN_FLIGHT_LONG": str(LONG)}
    return gateway_process(services, **bounds | environment)


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


@pytest.mark.longer
@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="descriptors are counted in /proc")
async def test_a_thousand_requests_to_a_service_that_hangs_concern_nobody_else(quick: int) -> None:
    async with hanging_service() as (hung, service):
        with bounded_gateway({"quick": quick, "hung": hung}) as (port, child):
            quiet = await p99(port, 2)
            before = descriptors(child)
            most = upstream = 0
            answers: list[asyncio.Task[Answer]] = []

            async def attack() -> None:
                nonlocal most, upstream
                for number in range(1000):
                    path = ("/hung/v1/x", "/hung/v1/x", "/hung/v1/x?wait=30")[number % 3]
                    answers.append(asyncio.create_task(ask(port, path)))
                    await asyncio.sleep(0.004)
                    if number % 20 == 0:
                        waiting = sum(not answer.done() for answer in answers)
                        most = max(most, descriptors(child) - before)
                        upstream = max(upstream, descriptors(child) - before - waiting)

            busy, _ = await asyncio.gather(p99(port, 4), attack())
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
        port, _ = stack.enter_context(bounded_gateway({"hung": hung}, ANSWER_SECONDS="20"))
        long = (
            ("/hung/v1/changes?after=1&wait=30", {}),
            ("/hung/v1/x?form%61t=csv", {}),
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


@pytest.mark.longer
async def test_callers_who_read_or_send_slowly_take_no_room_from_pages() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                size = 50_000_000 if b"/large" in head else 100_000
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
                for _ in range(size // 50_000):
                    writer.write(b"x" * 50_000)
                    await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, LOOPBACK, 0)
    service = server.sockets[0].getsockname()[1]
    slow = []
    with gateway_process({"s": service}, IN_FLIGHT="1", IN_FLIGHT_LONG="6") as (port, _):
        requests = [
            *[b"GET /s/v1/page HTTP/1.1\r\nHost: x\r\n\r\n"] * 8,
            *[b"GET /s/v1/large HTTP/1.1\r\nHost: x\r\n\r\n"] * 3,
            *[b"POST /s/v1/x HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\nabc"] * 3,
        ]
        for request in requests:
            _, writer = await asyncio.open_connection(LOOPBACK, port, limit=1024)
            writer.write(request)
            slow.append(writer)
            await asyncio.sleep(0.2)
        pages = [await ask(port, "/s/v1/page") for _ in range(10)]
        assert {(answer.status, len(answer.body)) for answer in pages} == {(200, 100_000)}
        for writer in slow:
            writer.close()
    server.close()


async def test_a_gateway_whose_services_all_stand_still_is_not_ready() -> None:
    """Processes that are stopped by a signal accept connections, as the kernel does it for them."""
    with ExitStack() as stack:
        first, one = stack.enter_context(quick_service())
        second, two = stack.enter_context(quick_service())
        port, _ = stack.enter_context(bounded_gateway({"one": first, "two": second}, ANSWER_SECONDS="1"))
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
        with bounded_gateway({"failing": failing, "quick": quick}) as (port, _):
            assert {(await ask(port, "/failing/v1/x")).status for _ in range(30)} == {500}
            state = (await ask(port, "/status")).body["services"][0]
            assert (state["reachable"], state["breaker_open_since"]) == (True, None)


async def test_the_breaker_opens_for_a_service_that_is_away_and_closes_when_it_is_back() -> None:
    away = free_port()
    with bounded_gateway({"away": away}) as (port, _):
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
