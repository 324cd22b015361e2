"""Writes over a bad network to a service that dies: what was acknowledged is there, and everything is there once."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx
import pytest

from mmptf_catalog.programmes.examples import CONTENT
from mmptf_local.issuer import AUDIENCE
from mmptf_local.processes import Child, answers_ready, wait_until
from mmptf_local.suite import Suite

WRITES, SENT_EACH, AT_ONCE = 100, 10, 20
DEATHS = max(1, WRITES // 33)
DRAFTS = "/catalog/v1/drafts"


@dataclass
class Draft:
    """One write: what is sent, and every acknowledgement of it that arrived whole."""

    code: str
    body: bytes
    answers: list[tuple[int, bytes, str]] = field(default_factory=list)


@dataclass
class Tally:
    """What happened on the way."""

    cut: int = 0
    replayed: int = 0
    refused: int = 0
    unanswered: int = 0
    deaths: int = 0


def token(suite: Suite, client: str) -> str:
    form = {"grant_type": "client_credentials", "client_id": client}
    granted: str = httpx.post(f"{suite.urls['issuer']}/token", data=form).json()["access_token"]
    return granted


class Catalog:
    """The suite's catalogue, killed and started again with the command and the environment that it was started with."""

    def __init__(self, suite: Suite, stack: ExitStack) -> None:
        self._url, self._stack = suite.urls["catalog"], stack
        self._child = suite.children["catalog"]
        self._environment = {
            "DATABASE_URL": suite.database_urls["catalog"],
            "REDIS_URL": suite.redis_url,
            "HOST": str(urlsplit(self._url).hostname),
            "PORT": str(urlsplit(self._url).port),
            "ENVIRONMENT": "development",
            "IDENTITY_ISSUER": suite.urls["issuer"],
            "IDENTITY_AUDIENCE": AUDIENCE,
        }

    def kill(self) -> None:
        """End it at once, whatever it is doing."""
        self._child.process.send_signal(signal.SIGKILL)
        self._child.process.wait()

    def start(self) -> None:
        """Start it again and wait until it is ready."""
        command = [sys.executable, "-m", "mmptf_catalog", "serve"]
        self._child = self._stack.enter_context(Child("catalog", command, env=self._environment))
        wait_until(lambda: answers_ready(f"{self._url}/health/ready"), self._child, seconds=30)


@pytest.fixture
def catalog(suite: Suite) -> Iterator[Catalog]:
    with ExitStack() as stack:
        yield Catalog(suite, stack)


async def send(url: str, head: str, body: bytes, cut: float | None) -> tuple[int, dict[str, str], bytes] | None:
    """Post over a connection of its own that is cut after some seconds; None when no answer arrived whole."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        async with asyncio.timeout(cut if cut is not None else 30):
            request = f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n{head}Content-Length: {len(body)}\r\n\r\n"
            writer.write(request.encode())
            half = len(body) // 2
            writer.write(body[:half])
            await writer.drain()
            await asyncio.sleep(0)
            writer.write(body[half:])
            await writer.drain()
            answer = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in answer[1:-2])}
            content = await reader.readexactly(int(headers["content-length"]))
            return int(answer[0].split()[1]), headers, content
    except (TimeoutError, asyncio.IncompleteReadError, ConnectionError):
        return None
    finally:
        # Aborted, the other side is sent a reset, as by a machine that is gone.
        writer.transport.abort()
        with suppress(ConnectionError):
            await writer.wait_closed()


@pytest.mark.longer
async def test_writes_sent_ten_times_each_are_written_once(suite: Suite, catalog: Catalog) -> None:
    chance = random.Random(20_260_701)
    authorization = f"Authorization: Bearer {token(suite, 'agency')}\r\nContent-Type: application/json\r\n"
    drafts = [
        Draft(
            f"RETRY-{n:03}",
            json.dumps({**CONTENT, "programme_code": f"RETRY-{n:03}", "title": f"Programme {n}"}).encode(),
        )
        for n in range(WRITES)
    ]
    tally = Tally()
    addresses = [f"{suite.urls[name]}{DRAFTS}" for name in ("gateway", "catalog")]
    at_once = asyncio.Semaphore(AT_ONCE)
    sent = 0
    due = asyncio.Semaphore(0)
    is_up = asyncio.Event()
    is_up.set()

    async def attempt(draft: Draft, cut: float | None) -> bool:
        """Send a write once through the gateway or directly; whether it was acknowledged."""
        nonlocal sent
        head = f"{authorization}Idempotency-Key: {draft.code}\r\n"
        async with at_once:
            sent += 1
            if sent % (WRITES * SENT_EACH // (DEATHS + 1)) == 0:
                due.release()
            try:
                answer = await send(chance.choice(addresses), head, draft.body, cut)
            except OSError:  # nobody listens there now
                answer = None
            if answer is None:
                tally.cut += cut is not None
                tally.unanswered += cut is None
            elif answer[0] in (502, 503, 504):
                tally.refused += 1
                answer = None
            if answer is None:
                await is_up.wait()
                return False
        status, headers, content = answer
        tally.replayed += "idempotency-replayed" in headers
        draft.answers.append((status, content, headers.get("etag", "")))
        return True

    async def die() -> None:
        """Kill the catalogue in the middle of the work, whenever another part of the writes was sent."""
        for _ in range(DEATHS):
            await due.acquire()
            is_up.clear()
            await asyncio.to_thread(catalog.kill)
            await asyncio.to_thread(catalog.start)
            is_up.set()
            tally.deaths += 1

    async def insist(draft: Draft) -> None:
        """Send a write until it is acknowledged, as its sender would."""
        while not await attempt(draft, None):
            pass

    async with asyncio.timeout(120), asyncio.TaskGroup() as group:
        group.create_task(die())
        times = [draft for draft in drafts for _ in range(SENT_EACH)]
        chance.shuffle(times)
        for draft in times:
            # A third of the connections is cut, at any moment of the time that a write takes.
            cut = chance.uniform(0, 0.15) if chance.random() < 1 / 3 else None
            group.create_task(attempt(draft, cut))
    async with asyncio.timeout(120), asyncio.TaskGroup() as group:
        for draft in drafts:
            group.create_task(insist(draft))

    assert tally.deaths == DEATHS
    assert tally.cut > WRITES / 2, tally
    assert tally.replayed > WRITES * 3, tally
    assert tally.refused + tally.unanswered > 0, tally
    are_written_once(suite, drafts)


def are_written_once(suite: Suite, drafts: list[Draft]) -> None:
    """Nothing that was acknowledged is absent or another, and nothing else is there, as readers and the journal say."""
    headers = {"authorization": f"Bearer {token(suite, 'admin')}"}
    with httpx.Client(base_url=suite.urls["gateway"], headers=headers) as client:
        page = client.get(f"{DRAFTS}?limit=200").json()
        present = {draft["programme_code"]: draft for draft in page["items"]}
        assert page["total"] == WRITES
        assert set(present) == {draft.code for draft in drafts}
        for draft in drafts:
            ((status, content, tag),) = set(draft.answers)
            assert status == 201
            assert json.loads(content) == present[draft.code]
            read = client.get(f"{DRAFTS}/{present[draft.code]['code']}")
            assert (read.content, read.headers["etag"]) == (content, tag)
        audit = client.get("/catalog/v1/audit/drafts?limit=500").json()
        assert audit["more"] is False
        assert sorted(entry["key"] for entry in audit["items"]) == sorted(draft["code"] for draft in page["items"])
        assert {(entry["action"], entry["actor"]) for entry in audit["items"]} == {("create", "agency")}
        # Each was a write of its own.
        assert len({entry["revision"] for entry in audit["items"]}) == WRITES
