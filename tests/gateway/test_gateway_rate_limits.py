"""Rate limits of two gateways that share a Redis, as processes of their own, and of a Redis that stands still."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from mmptf_local.cache import redis_binary, running_cache
from mmptf_local.processes import free_port
from tests.gateway.processes import Answer, ask, gateway_process, quick_service

LIMIT = 40
LIMITS = f"pages={LIMIT}"
PATH = "/quick/v1/x"


@pytest.fixture(scope="module")
def quick() -> Iterator[int]:
    with quick_service() as (port, _):
        yield port


async def sent(ports: tuple[int, ...], times: int, client: str, *, pause: float = 0.0) -> list[Answer]:
    """The answers to requests of one client, in turn to each port, as a proxy on this machine forwards them."""
    answers = []
    for number in range(times):
        answers.append(await ask(ports[number % len(ports)], PATH, X_Forwarded_For=client))
        await asyncio.sleep(pause)
    return answers


def statuses(answers: list[Answer]) -> Counter[int]:
    return Counter(answer.status for answer in answers)


async def test_two_gateways_share_the_limit_of_a_client(quick: int) -> None:
    with (
        running_cache(redis_binary()) as cache,
        gateway_process({"quick": quick}, RATE_LIMITS=LIMITS, REDIS_URL=cache.url) as (one, _),
        gateway_process({"quick": quick}, RATE_LIMITS=LIMITS, REDIS_URL=cache.url) as (two, _),
    ):
        began = time.monotonic()
        answers = await sent((one, two), 240, "203.0.113.7", pause=0.01)
        rate = 240 / (time.monotonic() - began)
        found = statuses(answers)
        assert set(found) == {200, 429}
        # Exact to what is sent in the second or two before each knows what the other has counted.
        assert LIMIT <= found[200] <= LIMIT + 2.5 * rate
        assert {answer.status for answer in answers[-20:]} == {429}
        refused = answers[-1]
        assert refused.body["code"] == "too_many_requests"
        assert refused.headers["ratelimit-policy"] == f'"pages";q={LIMIT};w=60'
        assert refused.headers["ratelimit"] == f'"pages";r=0;t={refused.headers["retry-after"]}'
        assert refused.headers["access-control-allow-origin"] == "*"
        # The client of one gateway is refused by the other, which it has not asked before, after about a second.
        assert statuses(await sent((one,), LIMIT, "203.0.113.8"))[200] == LIMIT
        await asyncio.sleep(1.5)
        await sent((two,), 1, "203.0.113.8")
        await asyncio.sleep(1.5)
        assert statuses(await sent((two,), 5, "203.0.113.8")) == {429: 5}
        # Others are not concerned, nor who asks from this machine, nor health.
        assert statuses(await sent((one, two), 10, "203.0.113.9")) == {200: 10}
        assert "ratelimit" not in (await ask(one, PATH)).headers
        assert (await ask(one, "/health/ready", X_Forwarded_For="203.0.113.7")).status == 200

        # A Redis that accepts and never answers: each counts alone, and nobody waits for it.
        os.kill(cache.child.process.pid, signal.SIGSTOP)
        try:
            answers = await sent((one, two), 3 * LIMIT, "203.0.113.10", pause=0.01)
            assert statuses(answers)[200] == 2 * LIMIT, "neither open nor shut"
            assert sorted(answer.seconds for answer in answers)[-4] < 0.5
        finally:
            os.kill(cache.child.process.pid, signal.SIGCONT)
        await asyncio.sleep(2.2)
        assert statuses(await sent((one,), LIMIT, "203.0.113.11"))[200] == LIMIT
        await asyncio.sleep(1.5)
        await sent((two,), 1, "203.0.113.11")
        await asyncio.sleep(1.5)
        assert statuses(await sent((two,), 5, "203.0.113.11")) == {429: 5}, "shared again"


async def test_without_redis_each_counts_alone_and_off_is_off(quick: int) -> None:
    away = f"redis://:x@127.0.0.1:{free_port()}/0"
    with (
        gateway_process({"quick": quick}, RATE_LIMITS=LIMITS, REDIS_URL=away) as (alone, child),
        gateway_process({"quick": quick}, RATE_LIMITS="off") as (off, _),
    ):
        assert statuses(await sent((alone,), LIMIT + 10, "203.0.113.7")) == {200: LIMIT, 429: 10}
        assert statuses(await sent((off,), LIMIT + 10, "203.0.113.7")) == {200: LIMIT + 10}
        await asyncio.sleep(3)
        assert child.text().count("rate limits are counted in this process alone") == 1, "one line, not one a second"
