"""Whatever a Redis answers, or does not answer, every answer of a service is right, labelled and soon."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import httpx
import psutil
import pytest
import redis.asyncio as redis
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mmptf_common.http import app
from mmptf_common.process import failure_log
from mmptf_common.storage import cache
from mmptf_common.storage.cache import MAX_VALUE_BYTES, Cache, open_cache
from mmptf_local.cache import redis_binary, running_cache
from mmptf_local.processes import LOOPBACK, free_port
from tests.conftest import RunningApp, running_app
from tests.integration.redis_stand_in import ANSWERS, STREAMS, StandIn, standing_in
from tests.integration.replicas import until

PATHS = ("/funding/v1/contributions/totals", "/funding/v1/contributions/facets", "/funding/v1/progress")
STATUS = "/funding/v1/status"
MISS = "mmptf-funding; fwd=uri-miss; stored"
UNAVAILABLE = "mmptf-funding; fwd=bypass; detail=unavailable"
INVALID = "mmptf-funding; fwd=bypass; detail=invalid"
HIT = "mmptf-funding; hit"
NOT_USED = "the cache is not used"


@dataclass(frozen=True)
class Served:
    """A service, the server that stands in for its Redis, and its right answers."""

    running: RunningApp
    server: StandIn
    right: dict[str, bytes]

    async def state(self) -> str:
        answer = (await self.running.client.get(STATUS)).raise_for_status().json()
        return str(answer["cache"]["state"])

    async def is_working(self) -> bool:
        return await self.state() == "working"


@pytest.fixture(scope="module")
async def served(new_database: Callable[[str], str]) -> AsyncIterator[Served]:
    database = new_database("funding")
    async with running_app("funding", database, None) as without:
        right = {path: (await without.client.get(path)).content for path in PATHS}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cache, "RETRY_SECONDS", 0.05)
        async with standing_in() as server, running_app("funding", database, server.url) as running:
            yield Served(running, server, right)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A longer time for one operation, where a test is not about it, since other tests run beside it."""
    monkeypatch.setattr(cache, "OPERATION_SECONDS", 5.0)


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """The warnings about the cache, without those that say how often one of an earlier test was left out."""
    return lambda: [
        r.message
        for r in caplog.records
        if r.levelno >= logging.WARNING and "cache" in r.message and not hasattr(r, "left_out")
    ]


@pytest.mark.parametrize("wrong", [*ANSWERS, *STREAMS])
async def test_answers_are_right_labelled_and_soon_whatever_redis_answers(
    served: Served, wrong: str, warnings: Callable[[], list[str]]
) -> None:
    client, server = served.running.client, served.server
    await until(served.is_working)
    for path in PATHS:
        await client.get(path)
        assert (await client.get(path)).headers["cache-status"] == HIT
    memory, flooded = psutil.Process().memory_info().rss, server.flooded
    server.wrong = wrong
    labels = set()
    try:
        for _ in range(3):
            for path in PATHS:
                began = time.monotonic()
                answer = await client.get(path)
                assert time.monotonic() - began < 1
                assert (answer.status_code, answer.content) == (200, served.right[path])
                labels.add(answer.headers["cache-status"].removesuffix("; stored"))
        assert labels <= {"mmptf-funding; fwd=uri-miss", UNAVAILABLE, INVALID}
        assert psutil.Process().memory_info().rss - memory < 40 * 1_048_576
        assert server.flooded - flooded < 64 * 1_048_576
        # Not once for each request.
        assert warnings().count(NOT_USED) <= 1
        if UNAVAILABLE in labels:
            assert not await served.is_working()
    finally:
        server.wrong = None
    await until(served.is_working)
    for path in PATHS:
        await client.get(path)
        answer = await client.get(path)
        assert (answer.headers["cache-status"], answer.content) == (HIT, served.right[path])


async def test_a_redis_that_hangs_costs_three_requests_a_quarter_of_a_second_and_the_others_nothing(
    served: Served, warnings: Callable[[], list[str]]
) -> None:
    await until(served.is_working)
    server, client = served.server, served.running.client
    server.wrong = "no answer"
    try:
        for _ in range(cache.MOST_FAILURES):
            assert (await client.get(PATHS[0])).headers["cache-status"].startswith(UNAVAILABLE)
        assert warnings() == [NOT_USED]
        asked, began = server.asked, time.monotonic()
        answers = await asyncio.gather(*(client.get(path) for path in PATHS * 10))
        seconds = time.monotonic() - began
        assert {answer.headers["cache-status"] for answer in answers} <= {UNAVAILABLE, f"{UNAVAILABLE}; collapsed"}
        # Only the attempts beside the requests ask it.
        assert server.asked - asked <= 1 + seconds / cache.OPERATION_SECONDS
        assert warnings() == [NOT_USED]
    finally:
        server.wrong = None
    await until(served.is_working)
    server.wrong = "no answer"
    try:
        for _ in range(cache.MOST_FAILURES):
            await client.get(PATHS[0])
        # It worked in between.
        assert warnings() == [NOT_USED, NOT_USED]
    finally:
        server.wrong = None


@pytest.mark.usefixtures("patient")
async def test_values_of_another_build_or_service_are_not_used() -> None:
    key, value = '"1-00"', b'{"sum": 1}'
    async with (
        standing_in() as server,
        open_cache(server.url, "mmptf-a", "build 1") as first,
        open_cache(server.url, "mmptf-a", "build 2") as second,
        open_cache(server.url, "mmptf-b", "build 1") as other,
    ):
        assert await first.put(key, value)
        assert await first.get(key) == (value, "mmptf-a; hit")
        assert await second.get(key) == (None, "mmptf-a; fwd=bypass; detail=invalid")
        assert await other.get(key) == (None, "mmptf-b; fwd=uri-miss")
        server.values[b"mmptf-b:" + key.encode()] = server.values[b"mmptf-a:" + key.encode()]
        assert await other.get(key) == (None, "mmptf-b; fwd=bypass; detail=invalid")
        # It is replaced, and then the first build's is the foreign one.
        assert await second.put(key, value)
        assert (await second.get(key))[0] == value
        assert (await first.get(key))[0] is None


@pytest.mark.usefixtures("patient")
async def test_values_that_are_not_used_are_counted_in_few_log_lines(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failure_log, "_kinds", {})
    monkeypatch.setattr(failure_log, "INTERVAL_SECONDS", 0.6)
    async with standing_in() as server, open_cache(server.url, "mmptf-a", "build") as store:
        await store.put("one", b"1")
        server.values[b"mmptf-a:one"] = b"else"
        began = time.monotonic()
        for _ in range(51):
            assert (await store.get("one"))[1].endswith("detail=invalid")
        intervals = (time.monotonic() - began) / 0.6
        await asyncio.sleep(1.5)
    found = [vars(record) for record in caplog.records if "not those" in record.message]
    assert 1 < len(found) <= 2 + intervals
    # The first one, also of those after an interval without any, stands for itself.
    assert sum(record.get("left_out", 1) for record in found) == 51


@pytest.mark.usefixtures("patient")
async def test_the_largest_value_is_stored_and_a_larger_one_is_not() -> None:
    async with standing_in() as server, open_cache(server.url, "mmptf-a", "build") as store:
        largest = b"x" * MAX_VALUE_BYTES
        assert await store.put("one", largest)
        assert (await store.get("one"))[0] == largest
        assert not await store.put("two", largest + b"x")
        assert (await store.get("two"))[0] is None
        assert store.state().state == "working"


@pytest.mark.usefixtures("patient")
async def test_a_full_redis_is_not_used_until_it_has_space(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "RETRY_SECONDS", 0.05)
    with running_cache(redis_binary()) as server:
        async with open_cache(server.url, "mmptf-a", "build") as store, redis.Redis.from_url(server.url) as admin:
            assert await store.put("one", b"1")
            await admin.config_set("maxmemory-policy", "noeviction")
            await admin.config_set("maxmemory", "1")
            for _ in range(cache.MOST_FAILURES):
                assert not await store.put("two", b"2")
            assert (store.state().state, store.state().reason) == ("unavailable", "Redis is full and evicts nothing.")
            assert await store.get("two") == (None, "mmptf-a; fwd=bypass; detail=unavailable")
            await admin.config_set("maxmemory", "64mb")
            await until(lambda: store.state().state == "working")
            assert await store.put("two", b"2")


@pytest.mark.usefixtures("patient")
async def test_a_wrong_password_and_an_unreachable_redis_are_one_warning_and_stand_in_the_status(
    new_database: Callable[[str], str], monkeypatch: pytest.MonkeyPatch, warnings: Callable[[], list[str]]
) -> None:
    monkeypatch.setattr(cache, "RETRY_SECONDS", 0.05)
    database, port = new_database("funding"), free_port()
    with running_cache(redis_binary()) as server:
        wrong = str(httpx.URL(server.url).copy_with(password="wrong"))
        for number, (url, reason) in enumerate(
            {
                wrong: "Redis refuses the name or the password.",
                f"redis://{LOOPBACK}:{port}/0": "Redis cannot be reached, or broke the connection.",
            }.items()
        ):
            async with running_app("funding", database, url) as running:
                await until(lambda count=number + 1: len(warnings()) == count)
                for path in PATHS * 3:
                    assert (await running.client.get(path)).headers["cache-status"] == UNAVAILABLE
                await asyncio.sleep(0.3)
                status = await running.client.get(STATUS)
                assert status.json()["cache"] == {"state": "unavailable", "reason": reason}
                assert LOOPBACK not in status.text
                if number:
                    # The state is no secret of an earlier tag: it changes with the state.
                    tag = {"if-none-match": status.headers["etag"]}
                    assert (await running.client.get(STATUS, headers=tag)).status_code == 304
                    with running_cache(redis_binary(), port) as returned:
                        returned_url = httpx.URL(returned.url)
                        async with redis.Redis.from_url(str(returned_url)) as admin:
                            await admin.config_set("requirepass", "")
                        await until(partial(is_used, running.client, tag))
                assert warnings() == [NOT_USED] * (number + 1)


async def is_used(client: httpx.AsyncClient, tag: dict[str, str]) -> bool:
    """Whether the status states it, though the caller has the earlier one."""
    answer = await client.get(STATUS, headers=tag)
    return answer.status_code == 200 and answer.json()["cache"] == {"state": "working", "reason": None}


async def test_without_a_redis_the_status_says_that_none_is_set(new_database: Callable[[str], str]) -> None:
    async with running_app("funding", new_database("funding"), None) as running:
        assert (await running.client.get(STATUS)).json()["cache"] == {"state": "off", "reason": None}


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for 127.0.0.1 and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "redis.pem"
    file.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return file


async def is_refused(store: Cache, reason: str) -> bool:
    assert await store.get("one") == (None, "mmptf-a; fwd=bypass; detail=unavailable")
    return reason in str(store.state().reason)


@pytest.mark.usefixtures("patient")
async def test_tls_is_used_with_the_authority_that_is_set_and_with_no_other(certificate: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    async with standing_in(context) as server:
        address = f"rediss://localhost:{server.port}/0"
        async with open_cache(f"{address}?ssl_ca_certs={certificate}", "mmptf-a", "build") as store:
            await until(lambda: store.put("one", b"1"))
            assert await store.get("one") == (b"1", "mmptf-a; hit")
        for url in (address, f"{address}?ssl_ca_certs={certificate}.missing"):
            async with open_cache(url, "mmptf-a", "build") as store:
                # A slow machine may need longer for the handshake than the cache waits.
                await until(partial(is_refused, store, "certificate"))


@pytest.mark.usefixtures("patient")
async def test_processes_of_two_builds_share_a_redis(
    new_database: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    database = new_database("funding")
    with running_cache(redis_binary()) as server:
        async with AsyncExitStack() as stack:
            first = await stack.enter_async_context(running_app("funding", database, server.url))
            monkeypatch.setattr(app, "build_of", lambda distribution: "another")
            second = await stack.enter_async_context(running_app("funding", database, server.url))
            tags = set()
            for running in (first, second, first, second):
                answer = await running.client.get(PATHS[0])
                expected = HIT if answer.headers["etag"] in tags else MISS
                assert answer.headers["cache-status"] == expected
                tags.add(answer.headers["etag"])
            assert len(tags) == 2
