"""What two gateways keep of two processes of a service, under writes, with Redis cut and hanging in between."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count, cycle

import httpx
import pytest
from pydantic import SecretStr
from starlette.types import Receive, Scope, Send

from mmptf_gateway.app import create_app
from mmptf_gateway.settings import GatewaySettings
from mmptf_local.cache import Cache
from tests.conftest import RunningApp, running_app
from tests.drills.client import revision_of
from tests.gateway.conftest import running
from tests.integration.database_proxy import DatabaseProxy, proxy_to
from tests.integration.ledger_client import LEDGER, body
from tests.serving import served
from tests.tokens import bearer, writing

PATHS = (LEDGER, f"{LEDGER}?limit=5&sort=-code", f"{LEDGER}/totals?by=kind", "/funding/v1/statement")
PROMISED_SECONDS = 1.0


class InTurn:
    """The processes of a service behind a balancer."""

    def __init__(self, processes: list[RunningApp]) -> None:
        self._next = cycle(processes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await next(self._next).app(scope, receive, send)


@dataclass
class History:
    """What was written and read, and what is wrong in it."""

    writes: list[tuple[float, int]] = field(default_factory=list)
    """When each write was acknowledged, and a revision that contains it."""
    bodies: dict[tuple[str, str], str] = field(default_factory=dict)
    labels: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def check(self, answer: httpx.Response, began: float, least: int = 0) -> None:
        """Check an answer that was asked for at a moment; least: the revision that it may not be older than."""
        label = answer.headers.get("cache-status", "").rpartition("mmptf-gateway; ")[2]
        self.labels[label] += 1
        if answer.status_code != 200:
            self.wrong.append(f"{answer.status_code} {answer.text}")
            return
        revision = revision_of(answer)
        old = max((each for at, each in self.writes if at < began - PROMISED_SECONDS), default=0)
        if revision < max(old, least):
            self.wrong.append(f"{answer.request.url}: {revision} after {old} ({least}), {label}")
        digest = hashlib.sha256(answer.content).hexdigest()
        if self.bodies.setdefault((str(answer.request.url.raw_path), answer.headers["etag"]), digest) != digest:
            self.wrong.append(f"{answer.request.url}: two bodies under one ETag, {label}")


@dataclass
class Served:
    gateways: list[httpx.AsyncClient]
    unannounced: httpx.AsyncClient
    """A process of the service without Redis, which no gateway knows."""
    redis: DatabaseProxy
    history: History = field(default_factory=History)
    numbers: count[int] = field(default_factory=lambda: count(1))

    async def write(self, client: httpx.AsyncClient) -> int:
        """Write an entry; returns a revision that contains it."""
        entry = body("interest", "0.01", reference=f"entry-{next(self.numbers)}")
        answer = await client.post(LEDGER, json=entry, headers=writing("agent"))
        assert answer.status_code == 201, answer.text
        revision = revision_of(answer)
        self.history.writes.append((time.monotonic(), revision))
        return revision

    async def write_and_read(self, gateway: int) -> None:
        """Who writes sees it at once: through the same gateway, and with a token through each."""
        own, other = self.gateways[gateway], self.gateways[1 - gateway]
        while True:
            revision = await self.write(own)
            for path in PATHS:
                began = time.monotonic()
                self.history.check(await own.get(path), began, revision)
            self.history.check(await other.get(PATHS[1], headers=bearer("agent")), began, revision)
            await asyncio.sleep(0.2)

    async def write_elsewhere(self) -> None:
        while True:
            await self.write(self.unannounced)
            await asyncio.sleep(0.7)

    async def read(self, gateway: int) -> None:
        while True:
            for path in PATHS:
                began = time.monotonic()
                self.history.check(await self.gateways[gateway].get(path), began)
                await asyncio.sleep(0.003)


@asynccontextmanager
async def gateway_of(origin: str, redis_url: str) -> AsyncIterator[httpx.AsyncClient]:
    settings = GatewaySettings(services={"funding": origin}, redis_url=SecretStr(redis_url), rate_limits={})
    with running(create_app(settings)) as url:
        async with httpx.AsyncClient(base_url=url, timeout=10) as client:
            yield client


@pytest.fixture
async def kept(new_database: Callable[[str], str], redis_server: Cache) -> AsyncIterator[Served]:
    database = new_database("funding")
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        redis = await enter(proxy_to(redis_server.url.removesuffix("0") + "6"))
        processes = [await enter(running_app("funding", database, redis.url, rate_limits={})) for _ in range(2)]
        unannounced = await enter(running_app("funding", database, None, rate_limits={}))
        origin = await enter(served(InTurn(processes)))
        gateways = [await enter(gateway_of(origin, redis.url)) for _ in range(2)]
        yield Served(gateways, unannounced.client, redis)


@pytest.mark.longer
async def test_nothing_is_older_than_promised_whatever_becomes_of_redis(kept: Served) -> None:
    tasks = [
        asyncio.create_task(task)
        for task in (
            kept.write_elsewhere(), *(kept.write_and_read(n) for n in (0, 1)), *(kept.read(n) for n in (0, 1, 0, 1)),
        )
    ]  # fmt: skip
    await asyncio.sleep(3)
    before = kept.history.labels.copy()
    for seconds in (0.2, 2.5):
        kept.redis.cut()
        await asyncio.sleep(seconds)
        kept.redis.mend()
        await asyncio.sleep(3)
        kept.redis.forwards.clear()
        await asyncio.sleep(seconds)
        kept.redis.forwards.set()
        await asyncio.sleep(3)
    between = kept.history.labels.copy()
    await asyncio.sleep(3)
    for task in tasks:
        task.cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert [each for each in ended if not isinstance(each, asyncio.CancelledError)] == []
    assert kept.history.wrong == []
    # It was kept before and afterwards, and labelled in between.
    assert before["hit"] > 20
    assert kept.history.labels["hit"] - between["hit"] > 20
    assert kept.history.labels["fwd=bypass; detail=unavailable"] > 20
