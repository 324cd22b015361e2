"""A service and a gateway with each kind of Redis: what they share is there, and comes back when a server is lost."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path

import httpx
import pytest

from mmptf_common.storage.request_counts import RequestCounts
from tests.conftest import running_app
from tests.integration.ledger_client import LEDGER, body
from tests.integration.redis_servers import (
    ENCODED,
    PROGRAMS,
    Servers,
    cluster,
    program_with_tls,
    sentinels,
    servers,
)
from tests.integration.replicas import until
from tests.integration.test_kept_answers import gateway_of
from tests.serving import served
from tests.tokens import writing

pytestmark = pytest.mark.longer

LIST = "/funding/v1/ledger"
COMPUTED = ("/funding/v1/contributions/totals", "/funding/v1/contributions/facets", "/funding/v1/progress")
NUMBERS = count(1)


def one_server(group: Servers) -> tuple[str, None]:
    return f"{group.scheme}://:{ENCODED}@localhost:{group.start()}/3{group.query}", None


KINDS = {"server": one_server, "sentinel": sentinels, "cluster": cluster}
CASES = [
    *((kind, program, False) for kind in ("sentinel", "cluster") for program in PROGRAMS),
    *(("server", "system", True), ("sentinel", "system", True), ("cluster", "system", True)),
]


@pytest.mark.parametrize(("kind", "program", "tls"), CASES)
async def test_what_is_shared_is_there(
    new_database: Callable[[str], str], tmp_path: Path, kind: str, program: str, tls: bool
) -> None:
    path = PROGRAMS.get(program) or program_with_tls()
    if path is None:
        pytest.skip("no Redis or Valkey with TLS is installed: those of packages have none")
    with servers(path, tmp_path, tls=tls) as group:
        url, lost = KINDS[kind](group)
        async with (
            running_app("funding", new_database("funding"), url, rate_limits={}) as running,
            served(running.app) as origin,
            gateway_of(origin, url) as gateway,
        ):
            await expect_shared(url, running.client, gateway)
            if lost is None:
                return
            group.kill(lost)
            # Nothing fails meanwhile, and the server that takes the place of the lost one is used.
            assert (await gateway.get(LIST)).status_code == 200
            await write(gateway)
            await until(lambda: is_used(running.client, gateway), 25)
            await expect_shared(url, running.client, gateway)


async def is_used(service: httpx.AsyncClient, gateway: httpx.AsyncClient) -> bool:
    """Whether the service has its answers in Redis, on whichever server, and the gateway hears of writes over Redis."""
    answers = {path: [await service.get(path) for _ in range(2)] for path in COMPUTED}
    answers[LIST] = [await gateway.get(LIST) for _ in range(2)]
    assert {answer.status_code for pair in answers.values() for answer in pair} == {200}
    labels = [pair[-1].headers["cache-status"] for pair in answers.values()]
    expected = [*["mmptf-funding; hit"] * len(COMPUTED), "mmptf-gateway; hit"]
    return all(label.startswith(begin) for label, begin in zip(labels, expected, strict=True))


async def write(gateway: httpx.AsyncClient) -> int:
    entry = body("interest", "0.01", reference=f"entry-{next(NUMBERS)}")
    answer = await gateway.post(LEDGER, json=entry, headers=writing("agent"))
    assert answer.status_code == 201, answer.text
    return int(answer.headers["etag"].strip('"').partition("-")[0])


async def expect_shared(url: str, service: httpx.AsyncClient, gateway: httpx.AsyncClient) -> None:
    await until(lambda: is_used(service, gateway))
    revision = await write(gateway)
    # The copy of the gateway is dropped with the write, and another one is made.
    assert (await gateway.get(LIST)).json()["revision"] >= revision
    await until(lambda: is_used(service, gateway))
    await expect_counts_are_shared(url)


async def expect_counts_are_shared(url: str) -> None:
    one, other, limit = RequestCounts(), RequestCounts(), 1000
    clients = [f"client {next(NUMBERS)}" for _ in range(20)]
    async with one.exchanging(url), other.exchanging(url):
        for client in clients:
            for _ in range(9):
                one.count("pages", client, limit)
        asked = 0

        def are_shared() -> bool:
            nonlocal asked
            asked += 1
            counted = {limit - other.count("pages", client, limit).remaining for client in clients}
            return counted == {asked + 9}

        await until(are_shared)
