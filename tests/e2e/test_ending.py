"""How a process ends: it is not ready first, then accepts nothing more, then finishes what is under way."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from mmptf_local.processes import LOOPBACK, Child, answers_ready, free_port, wait_until
from tests.integration.replicas import until

DRAIN = 1.5
READY = "/health/ready"


@dataclass(frozen=True)
class Process:
    child: Child
    client: httpx.AsyncClient
    port: int

    def connect(self) -> socket.socket:
        return socket.create_connection((LOOPBACK, self.port), timeout=5)

    async def ended(self, seconds: float) -> int:
        code: int = await asyncio.to_thread(self.child.process.wait, seconds)
        return code


@pytest.fixture(scope="module")
def environments(new_database: Callable[[str], str]) -> Iterator[dict[str, dict[str, str]]]:
    # A gateway is ready while one service answers, be it with an error: this one answers 501.
    with ThreadingHTTPServer((LOOPBACK, 0), BaseHTTPRequestHandler) as service:
        threading.Thread(target=service.serve_forever, daemon=True).start()
        yield {
            "catalog": {"DATABASE_URL": new_database("catalog")},
            "gateway": {"SERVICES": f"catalog=http://{LOOPBACK}:{service.server_port}"},
        }
        service.shutdown()


@asynccontextmanager
async def started(name: str, environment: dict[str, str], *, drain: float = DRAIN) -> AsyncIterator[Process]:
    port = free_port()
    environment = {**environment, "HOST": LOOPBACK, "PORT": str(port), "DRAIN_SECONDS": str(drain)}
    environment |= {"ENVIRONMENT": "development", "PATH": os.environ["PATH"]}
    url = f"http://{LOOPBACK}:{port}"
    with Child(name, [sys.executable, "-m", f"mmptf_{name}", "serve"], env=environment) as child:
        await asyncio.to_thread(wait_until, lambda: answers_ready(url + READY), child, seconds=30)
        async with httpx.AsyncClient(base_url=url) as client:
            yield Process(child, client, port)


@pytest.mark.parametrize(
    ("name", "sent"), [("catalog", signal.SIGTERM), ("gateway", signal.SIGTERM), ("gateway", signal.SIGHUP)]
)
async def test_a_process_answers_requests_until_others_know_that_it_ends(
    environments: dict[str, dict[str, str]], name: str, sent: signal.Signals
) -> None:
    async with started(name, environments[name]) as process:
        before = await process.client.get("/")
        assert "connection" not in before.headers
        idle = process.connect()
        idle.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        answered = b""
        while b'"ready"' not in answered:
            answered += idle.recv(65_536)
        began = time.monotonic()
        process.child.process.send_signal(sent)
        await asyncio.sleep(0.2)
        while time.monotonic() - began < DRAIN - 0.3:
            ready, live, other = [await process.client.get(path) for path in (READY, "/health/live", "/nowhere")]
            assert (ready.status_code, live.status_code, other.status_code) == (503, 200, 404)
            assert ready.json()["ready"] is False
            assert "ends soon" in ready.json()["reason"]
            assert {answer.headers["connection"] for answer in (ready, live, other)} == {"close"}
        with idle:
            assert idle.recv(1) == b""  # the server closes a connection that nobody uses
        assert time.monotonic() - began >= DRAIN
        with pytest.raises(httpx.ConnectError):
            await process.client.get("/")
        assert await process.ended(2) == 0


async def test_a_second_signal_ends_the_process_sooner(environments: dict[str, dict[str, str]]) -> None:
    async with started("gateway", environments["gateway"], drain=60) as process:
        process.child.process.send_signal(signal.SIGTERM)
        await asyncio.sleep(0.3)
        assert (await process.client.get(READY)).status_code == 503
        began = time.monotonic()
        process.child.process.send_signal(signal.SIGTERM)
        assert await process.ended(3) == 0
        assert time.monotonic() - began < 2


async def test_a_third_signal_ends_requests_under_way(environments: dict[str, dict[str, str]]) -> None:
    async with started("catalog", environments["catalog"], drain=60) as process:
        with process.connect() as slow:
            slow.sendall(b"POST /catalog/v1/drafts HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
            await asyncio.sleep(0.2)
            for _ in range(2):
                process.child.process.send_signal(signal.SIGTERM)
                await asyncio.sleep(0.5)
            process.child.process.send_signal(signal.SIGTERM)
            assert await process.ended(3) == 0


@pytest.mark.parametrize("drain", [0, 0.5])
async def test_readers_who_wait_are_answered_before_the_process_ends(
    environments: dict[str, dict[str, str]], drain: float
) -> None:
    async with started("catalog", environments["catalog"], drain=drain) as process:
        newest = (await process.client.get("/catalog/v1/changes", params={"limit": 1})).json()["revision"]
        waiting = {"after": newest, "wait": 15}
        readers = [
            asyncio.create_task(process.client.get("/catalog/v1/changes", params=waiting, timeout=20))
            for _ in range(10)
        ]
        await asyncio.sleep(0.5)
        began = time.monotonic()
        process.child.process.send_signal(signal.SIGTERM)
        for answer in await asyncio.gather(*readers):
            assert (answer.status_code, answer.json()["items"]) == (200, [])
            assert answer.headers["connection"] == "close"
        assert drain <= time.monotonic() - began < drain + 2
        assert await process.ended(3) == 0


async def test_a_signal_switches_the_level_of_the_log(environments: dict[str, dict[str, str]]) -> None:
    async with started("gateway", environments["gateway"]) as process:

        def lines() -> int:
            return process.child.text().count("GET /health/live 200")

        async def answered_and_written() -> int:
            assert (await process.client.get("/health/live")).status_code == 200
            await asyncio.sleep(0.2)
            return lines()

        assert await answered_and_written() == 0, "checks of health are written from DEBUG on"
        for least, written in ("DEBUG", 1), ("INFO", 1):
            process.child.process.send_signal(signal.SIGUSR1)
            await until(lambda least=least: f'"least": "{least}"' in process.child.text())  # type: ignore[misc]
            assert await answered_and_written() == written
