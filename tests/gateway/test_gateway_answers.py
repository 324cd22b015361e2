"""Public reads that the gateway keeps: when they are answered from there, when they are not, and never an older one."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field

import httpx
import pytest
import redis.asyncio as redis
from pydantic import SecretStr
from starlette.types import Receive, Scope, Send

from mmptf_common.http.rate_limits import RateLimits
from mmptf_common.wire.announcements import VALID_SECONDS, Announcement, channel_of
from mmptf_gateway import revisions
from mmptf_gateway.answers import Answers
from mmptf_gateway.app import create_app
from mmptf_gateway.settings import GatewaySettings
from mmptf_local.cache import Cache
from tests.gateway.conftest import running
from tests.integration.replicas import until

PATH, CARDS = "/catalog/v1/programmes", "/catalog/v1/cards/programmes/"
DATABASE = 7
"""A database of Redis of its own: other suites of these tests announce in the first."""
HIT, STORED, MISS = "mmptf-gateway; hit", "mmptf-gateway; fwd=uri-miss; stored", "mmptf-gateway; fwd=uri-miss"
BYPASS, UNAVAILABLE = "mmptf-gateway; fwd=bypass", "mmptf-gateway; fwd=bypass; detail=unavailable"
COLLAPSED, STALE = f"{MISS}; collapsed", "mmptf-gateway; fwd=stale; stored"


@dataclass
class Played:
    """A service whose answer says what it was asked, and its announcements, both as a test wants them."""

    revision: int = 1
    announced: dict[str, tuple[int, str]] = field(default_factory=lambda: {"0" * 16: (1, "a" * 12)})
    """Process -> the revision and the build that it announces."""
    headers: dict[str, str | None] = field(default_factory=dict)
    status: int = 200
    says_so: bool = True
    """Whether a 404 says that the code is not known."""
    size: int = 0
    asked: list[str] = field(default_factory=list)
    seconds: float = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            for step in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{step}.complete"})
            return
        target = f"{scope['path']}?{scope['query_string'].decode()}"
        self.asked.append(target)
        revision = self.revision
        await asyncio.sleep(self.seconds)
        said: dict[str, object] = {
            "revision": revision,
            "target": target,
            "accept": dict(scope["headers"]).get(b"accept", b"").decode(),
        }
        if scope["path"].startswith(CARDS) and self.status == 404:
            error = {"code": "unknown_code", "parameter": "code"}
            body = json.dumps({"code": "not_found", "detail": "x", "errors": [error] if self.says_so else []}).encode()
        elif scope["path"].startswith(CARDS):
            said = {
                "service": "catalog", "code": scope["path"].removeprefix(CARDS), "title": "x", "revision": revision,
                "changed": "2026-01-01T00:00:00Z", "links": {}, "facts": said,
            }  # fmt: skip
            body = json.dumps(said).encode()
        else:
            body = json.dumps({**said, "rest": "x" * self.size}).encode()
        headers: dict[str, str | None] = {
            "content-type": "application/json", "content-length": str(len(body)), "etag": f'"{revision}-{hash(body)}"',
            "cache-control": "public, no-cache", "vary": "Accept", "cache-groups": f'"catalog";revision={revision}',
        }  # fmt: skip
        if scope["method"] == "POST":
            headers = {"content-length": str(len(body)), "cache-group-invalidation": f'"catalog";revision={revision}'}
        sent = [(n.encode(), v.encode()) for n, v in {**headers, **self.headers}.items() if v is not None]
        await send({"type": "http.response.start", "status": self.status, "headers": sent})
        await send({"type": "http.response.body", "body": body})


@dataclass
class Suite:
    """The gateway in front of the service, and Redis."""

    client: httpx.AsyncClient
    service: Played
    redis: redis.Redis
    path: str = PATH
    """A path that no test before has asked for."""

    async def get(self, path: str | None = None, **headers: str) -> httpx.Response:
        return await self.client.get(
            path or self.path, headers={name.replace("_", "-"): value for name, value in headers.items()}
        )

    async def label(self, path: str | None = None, **headers: str) -> str:
        return (await self.get(path, **headers)).headers["cache-status"]

    async def write(self, revision: int, *, is_announced: bool = True) -> None:
        """Let the service be at a revision; the gateway has heard of it, where it is announced."""
        self.service.revision = revision
        if is_announced:
            self.service.announced = {name: (revision, build) for name, (_, build) in self.service.announced.items()}
            await asyncio.sleep(0.1)


async def announce(service: Played, client: redis.Redis) -> None:
    while True:
        for instance, (number, build) in list(service.announced.items()):
            with suppress(redis.RedisError):
                message = Announcement(instance, number, 17, build).text()
                await client.publish(channel_of("catalog", DATABASE), message)
        await asyncio.sleep(0.02)


@pytest.fixture(scope="module")
async def running_suite(redis_server: Cache) -> AsyncIterator[Suite]:
    """One gateway for all tests, which keeps half a megabyte."""
    url = redis_server.url.removesuffix("0") + str(DATABASE)
    service = Played()
    settings = {"answers_bytes": 500_000, "redis_url": SecretStr(url)}
    with (
        running(service) as origin,
        running(create_app(GatewaySettings(services={"catalog": origin}, **settings))) as g,
    ):
        async with redis.Redis.from_url(url) as client, httpx.AsyncClient(base_url=g, timeout=10) as http:
            task = asyncio.create_task(announce(service, client))
            yield Suite(http, service, client)
            task.cancel()


@pytest.fixture
async def suite(running_suite: Suite) -> Suite:
    """The suite at a revision of its own, of which the gateway has heard."""
    service = running_suite.service
    revision = service.revision + 10
    service.__dict__.update(Played(revision, {"0" * 16: (revision, "a" * 12)}).__dict__)

    async def is_heard() -> bool:
        label = await running_suite.label("/catalog/v1/first")
        return label != UNAVAILABLE and service.asked != []

    await until(is_heard)
    await until(lambda: is_hit(running_suite, "/catalog/v1/first"))
    service.asked.clear()
    running_suite.client.cookies.clear()
    running_suite.path = f"{PATH}/{revision}"
    return running_suite


async def test_a_read_is_answered_from_here_as_the_service_answers_it(suite: Suite) -> None:
    first = await suite.get(f"{suite.path}?b=2&a=1")
    again = await suite.get(f"{suite.path}?a=1&b=2")
    assert (first.headers["cache-status"], again.headers["cache-status"]) == (STORED, HIT)
    assert again.content == first.content
    passing = {"date", "cache-status", "x-request-id", "age"}
    assert {n: v for n, v in again.headers.items() if n not in passing} == {
        n: v for n, v in first.headers.items() if n not in passing
    }
    assert (again.headers["age"], again.headers["x-request-id"] != first.headers["x-request-id"]) == ("0", True)
    head = await suite.client.head(f"{suite.path}?a=1&b=2")
    assert (head.headers["cache-status"], head.content) == (HIT, b"")
    assert head.headers["content-length"] == first.headers["content-length"]
    tag = first.headers["etag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*", f'{tag[:-1]}-gzip"'):
        answer = await suite.get(f"{suite.path}?a=1&b=2", if_none_match=known)
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
        assert (answer.headers["cache-status"], "content-type" in answer.headers) == (HIT, False)
    assert (await suite.get(f"{suite.path}?a=1&b=2", if_none_match='"1-0"')).status_code == 200
    assert len(suite.service.asked) == 1


async def test_it_is_compressed_once_under_a_tag_of_its_own(suite: Suite) -> None:
    suite.service.size = 5_000
    plain = await suite.get(accept_encoding="identity")
    tag = plain.headers["etag"]
    assert ("content-encoding" in plain.headers, plain.headers["vary"]) == (False, "Accept, Accept-Encoding")
    for sent, coding in {
        "gzip": "gzip", "zstd": "zstd", "gzip, deflate, br, zstd": "zstd", "zstd;q=0.5, gzip": "gzip", "*": "zstd",
        "gzip;q=0, *;q=0.1": "zstd", "br": None, "gzip;q=0.2, identity": None, "x" * 300 + ", gzip": None, "": None,
    }.items():  # fmt: skip
        for known in (None, f'{tag[:-1]}-{coding}"' if coding else tag):
            headers = {"accept-encoding": sent} | ({"if-none-match": known} if known else {})
            request = suite.client.build_request("GET", suite.path, headers=headers)
            answer = await suite.client.send(request, stream=True)
            body = b"".join([piece async for piece in answer.aiter_raw()])
            await answer.aclose()
            assert answer.headers["cache-status"] == HIT
            assert answer.headers["etag"] == (f'{tag[:-1]}-{coding}"' if coding else tag)
            if known:
                assert (answer.status_code, body) == (304, b"")
                continue
            assert answer.headers.get("content-encoding") == coding
            assert int(answer.headers["content-length"]) == len(body)
            assert (decoded(body, coding), len(body) < 1_000) == (plain.content, coding is not None)
    # Who has another form of it keeps that one.
    other = await suite.get(accept_encoding="gzip", if_none_match=tag)
    assert (other.status_code, other.headers["etag"]) == (304, tag)
    assert len(suite.service.asked) == 1
    # A small answer is sent as it is.
    suite.service.size = 0
    assert "content-encoding" not in (await suite.get(f"{suite.path}/small", accept_encoding="gzip")).headers


def decoded(body: bytes, coding: str | None) -> bytes:
    if coding == "zstd":
        if sys.version_info >= (3, 14):
            from compression import zstd
        else:
            from backports import zstd
        return zstd.decompress(body)
    return gzip.decompress(body) if coding else body


async def test_the_server_answers_as_the_app_would(
    suite: Suite, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `Connection: close` the app answers; the second time the head was read before, unless it names its id."""
    suite.service.size = 5_000
    tag = (await suite.get(accept_encoding="identity")).headers["etag"]
    await suite.get(accept_encoding="gzip")
    by_app: list[str] = []
    called = Answers.__call__

    async def noted(self: Answers, scope: Scope, receive: Receive, send: Send) -> None:
        by_app.append(scope["method"])
        await called(self, scope, receive, send)

    monkeypatch.setattr(Answers, "__call__", noted)
    monkeypatch.setattr(RateLimits, "client_of", lambda self, address: address[0])
    caplog.set_level(logging.INFO, "mmptf.access")
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    for method, headers in [
        ("GET", {}), ("HEAD", {}), ("GET", {"accept-encoding": "gzip"}), ("GET", {"if-none-match": tag}),
        ("GET", {"if-none-match": f'{tag[:-1]}-gzip"', "accept-encoding": "gzip"}), ("GET", {"origin": "https://a.b"}),
        ("GET", {"x-request-id": "mine", "traceparent": trace, "user-agent": "mmptf-client"}),
        ("GET", {"x-forwarded-for": "192.0.2.7", "x-forwarded-proto": "https"}), ("HEAD", {"if-none-match": "*"}),
    ]:  # fmt: skip
        found = []
        for connection in ("keep-alive", "keep-alive", "close"):
            caplog.clear()
            sent = {"accept-encoding": "identity", **headers, "connection": connection}
            answer = await suite.client.request(method, suite.path, headers=sent)
            await until(lambda: logged(caplog, suite.path) != [])  # the app logs after the answer
            (record,) = logged(caplog, suite.path)
            line = {n: getattr(record, n) for n in ("method", "query", "status", "bytes", "client", "internal")}
            said = {n: v for n, v in answer.headers.multi_items() if n not in ("date", "connection", "ratelimit")}
            if "x-request-id" not in headers:
                assert len(said.pop("x-request-id")) == 24
            assert answer.headers["ratelimit"].startswith('"pages";r=')
            found.append((answer.status_code, said, answer.content, line))
        assert found[0] == found[1] == found[2], (method, headers)
        assert by_app == [method], (method, headers)
        by_app.clear()
    # What is not for every caller, or not right, is for the app.
    for headers in ({"host": "a b"}, {"cookie": "a=1"}, {"content-length": "0"}, {"expect": "100-continue"}):
        await suite.client.get(suite.path, headers=headers)
    await suite.client.get(f"{suite.path}#fragment")
    assert len(by_app) == 3


async def test_a_view_is_made_of_cards_that_are_kept(suite: Suite) -> None:
    revision = suite.service.revision
    code = f"X-{revision}"

    async def view() -> int:
        answer = (await suite.get(f"/programmes/{code}")).json()
        assert (answer["code"], answer["complete"], answer["parts"][0]["card"]["code"]) == (code, True, code)
        assert answer["parts"][0]["age_seconds"] > 0
        found: int = answer["parts"][0]["card"]["revision"]
        return found

    assert [await view() for _ in range(3)] == [revision] * 3
    assert suite.service.asked == [f"{CARDS}{code}?"]
    await suite.write(revision + 1)
    assert [await view() for _ in range(3)] == [revision + 1] * 3
    assert len(suite.service.asked) == 2
    # The newest write is not announced yet: what is answered is not kept.
    await suite.write(revision + 2, is_announced=False)
    suite.service.announced = {"0" * 16: (revision + 3, "a" * 12)}
    await asyncio.sleep(0.1)
    assert [await view() for _ in range(2)] == [revision + 2] * 2
    assert len(suite.service.asked) == 4
    suite.service.headers = {"cache-control": "no-store"}
    await suite.write(revision + 4)
    assert [await view() for _ in range(2)] == [revision + 4] * 2
    assert len(suite.service.asked) == 6


async def test_a_view_of_a_programme_that_a_service_does_not_know_asks_once(suite: Suite) -> None:
    """Until the next write; what is no answer of the service's own, such as that of a proxy, is not kept."""
    code = f"Z-{suite.service.revision}"
    for says_so, times in ((True, 1), (False, 3)):
        suite.service.asked.clear()
        suite.service.status, suite.service.says_so = 404, says_so
        for _ in range(3):
            assert (await suite.get(f"/programmes/{code}")).status_code == 404
        assert len(suite.service.asked) == times
        await suite.write(suite.service.revision + 1)
    suite.service.status = 200
    assert (await suite.get(f"/programmes/{code}")).json()["complete"]


def logged(caplog: pytest.LogCaptureFixture, path: str) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.name == "mmptf.access" and record.path == path]  # type: ignore[attr-defined]


async def test_answers_come_in_the_order_of_their_requests(suite: Suite) -> None:
    await suite.get()
    kept, other = (f"GET {path} HTTP/1.1\r\nHost: x\r\n" for path in (suite.path, f"{suite.path}/other"))
    suite.service.seconds = 0.1
    reader, writer = await asyncio.open_connection(suite.client.base_url.host, suite.client.base_url.port)
    writer.write(f"{kept}\r\n{other}\r\n{kept}\r\n{kept}\r\n{other}Connection: close\r\n\r\n".encode())
    answers = (await reader.read()).split(b"HTTP/1.1 200 OK\r\n")[1:]
    writer.close()
    targets = [json.loads(each.partition(b"\r\n\r\n")[2])["target"].removesuffix("?") for each in answers]
    expected = [suite.path, f"{suite.path}/other", suite.path, suite.path, f"{suite.path}/other"]
    assert targets == expected


async def test_each_question_has_an_answer_of_its_own(suite: Suite) -> None:
    questions: list[tuple[str, str]] = [
        (f"{suite.path}{query}", accept)
        for query in ("", "?", "?a=1", "?a=1&a=2", "?a=2&a=1", "?a=%31", "?A=1", "/a%2Fb", "/a/b")
        for accept in ("application/json", "*/*", "application/json;q=0.1, text/html")
    ]
    for _ in range(2):
        for path, accept in questions:
            answer = await suite.get(path, accept=accept)
            assert answer.json()["accept"] == accept
            assert answer.json()["target"].partition("?")[2] == path.partition("?")[2]
    # A question mark without a query is none.
    assert len(suite.service.asked) == len(questions) - 3


@pytest.mark.parametrize(
    "sent",
    [
        {"authorization": "Bearer x"}, {"cookie": "a=1"}, {"range": "bytes=0-1"}, {"if-match": '"1-0"'},
        {"if-modified-since": "Mon, 01 Jan 2024 00:00:00 GMT"}, {"cache-control": "no-cache"}, {"pragma": "no-cache"},
        {"cache-control": "max-age=0"}, {"cache-control": "no-store"}, {"accept": "x/" + "y" * 300},
    ],
    ids=str,
)  # fmt: skip
async def test_who_asks_for_something_else_is_answered_by_the_service(suite: Suite, sent: dict[str, str]) -> None:
    await suite.get(**{"accept": "*/*"})
    assert await suite.label() == HIT
    suite.service.asked.clear()
    answers = [await suite.client.get(suite.path, headers=sent) for _ in range(2)]
    assert len(suite.service.asked) == 2
    assert {answer.headers["cache-status"] for answer in answers} <= {BYPASS, "mmptf-gateway; fwd=request; stored"}


@pytest.mark.parametrize(
    "headers",
    [
        {"cache-control": "no-store"}, {"cache-control": "private, no-cache"}, {"cache-control": None}, {"etag": None},
        {"etag": 'W/"1-0"'}, {"set-cookie": "a=1"}, {"vary": "Accept, Origin"}, {"content-encoding": "x-none"},
        {"cache-groups": None}, {"cache-groups": '"funding";revision=1'}, {"cache-groups": '"catalog"'},
        {"cache-groups": '"catalog";revision=999999'}, {"cache-groups": '"catalog";revision=0'},
    ],
    ids=str,
)  # fmt: skip
async def test_what_not_everybody_may_get_is_not_kept(suite: Suite, headers: dict[str, str | None]) -> None:
    suite.service.headers = headers
    for _ in range(3):
        answer = await suite.get()
        assert answer.headers.get("cache-status") == (None if headers.get("cache-groups", "") is None else MISS)
        suite.client.cookies.clear()
    suite.service.headers = {}
    suite.service.status = 404
    assert [await suite.label("/catalog/v1/missing") for _ in range(2)] == [MISS, MISS]
    assert len(suite.service.asked) == 5


async def test_one_request_answers_all_who_ask_the_same(suite: Suite) -> None:
    suite.service.seconds = 0.5
    answers = await asyncio.gather(*(suite.get() for _ in range(30)))
    assert len(suite.service.asked) == 1
    assert len({answer.content for answer in answers}) == 1
    labels = Counter(answer.headers["cache-status"] for answer in answers)
    assert (labels[STORED], labels[COLLAPSED] + labels[HIT], labels[COLLAPSED] > 0) == (1, 29, True)
    # Where it cannot be kept, each asks for itself, and at once.
    suite.service.headers = {"cache-control": "no-store"}
    began = time.monotonic()
    answers = await asyncio.gather(*(suite.get(f"{suite.path}/a") for _ in range(30)))
    assert (len(suite.service.asked), time.monotonic() - began < 10) == (31, True)


async def test_a_new_revision_ends_what_is_kept(suite: Suite) -> None:
    assert [await suite.label() for _ in range(2)] == [STORED, HIT]
    newest = suite.service.revision + 1
    await suite.write(newest)
    answers = [await suite.get() for _ in range(2)]
    assert [a.headers["cache-status"] for a in answers] == [STALE, HIT]
    assert [a.json()["revision"] for a in answers] == [newest, newest]
    # A second process of another build, behind the first: what is kept is of both, and then of the new one.
    suite.service.announced["1" * 16] = (newest - 1, "b" * 12)
    await asyncio.sleep(0.1)
    assert [await suite.label() for _ in range(2)] == [STALE, HIT]
    del suite.service.announced["0" * 16]
    suite.service.revision = newest - 1
    await asyncio.sleep(VALID_SECONDS + 0.2)
    assert [(await suite.get()).json()["revision"] for _ in range(2)] == [newest - 1] * 2


async def test_after_a_write_through_the_gateway_nothing_older_is_used(suite: Suite) -> None:
    await suite.get()
    assert await suite.label() == HIT
    newest = suite.service.revision + 1
    await suite.write(newest, is_announced=False)
    await suite.client.post("/catalog/v1/drafts", json={})
    answers = [await suite.get() for _ in range(3)]
    assert {answer.json()["revision"] for answer in answers} == {newest}
    assert {answer.headers["cache-status"] for answer in answers} == {UNAVAILABLE}
    await suite.write(newest)
    assert [await suite.label() for _ in range(2)] == [STALE, HIT]
    # One whose revision is not known: what is announced now may be older.
    suite.service.headers = {"cache-group-invalidation": '"catalog"'}
    await suite.client.post("/catalog/v1/drafts", json={})
    suite.service.headers = {}
    assert await suite.label() == UNAVAILABLE
    await until(lambda: is_hit(suite))


async def is_hit(suite: Suite, path: str | None = None) -> bool:
    return await suite.label(path) == HIT


async def test_while_nothing_is_heard_nothing_is_used(suite: Suite) -> None:
    await suite.get()
    assert await suite.label() == HIT
    # The line breaks, and comes back.
    await suite.redis.execute_command("CLIENT", "KILL", "TYPE", "PUBSUB")
    await until(lambda: is_unavailable(suite), seconds=0.3)
    await until(lambda: is_hit(suite))
    # The line hangs: what was heard before holds for a moment.
    await suite.redis.execute_command("CLIENT", "PAUSE", 1500, "ALL")
    newest = suite.service.revision + 1
    await suite.write(newest, is_announced=False)
    await until(lambda: is_unavailable(suite), seconds=1)
    assert (await suite.get()).json()["revision"] == newest
    await suite.write(newest)
    await until(lambda: is_hit(suite))
    # The service does not announce any more.
    suite.service.announced = {}
    await until(lambda: is_unavailable(suite), seconds=1)


async def is_unavailable(suite: Suite) -> bool:
    return await suite.label() == UNAVAILABLE


async def test_memory_is_bounded_and_what_was_used_longest_ago_goes_first(suite: Suite) -> None:
    suite.service.size = 90_000
    for n in range(5):
        await suite.get(f"{suite.path}?n={n}")
    assert await suite.label(f"{suite.path}?n=0") == HIT
    await suite.get(f"{suite.path}?n=5")
    assert [await suite.label(f"{suite.path}?n={n}") for n in (0, 2, 3, 4, 5)] == [HIT] * 5
    assert await suite.label(f"{suite.path}?n=1") == STORED
    suite.service.size = 260_000
    assert [await suite.label(f"{suite.path}?n=large") for _ in range(2)] == [MISS, MISS]
    assert (await suite.get(f"{suite.path}?n=large")).json()["rest"] == "x" * 260_000


async def test_nothing_is_kept_where_that_is_set() -> None:
    with running(Played()) as origin:
        app = create_app(GatewaySettings(services={"catalog": origin}, answers_bytes=0))
        with running(app) as gateway:
            async with httpx.AsyncClient(base_url=gateway) as client:
                assert [(await client.get(PATH)).headers["cache-status"] for _ in range(2)] == [BYPASS] * 2


async def test_one_read_in_a_while_goes_to_the_service_which_announces_while_it_is_asked(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await suite.label() == STORED
    assert await suite.label() == HIT
    asked = len(suite.service.asked)
    monkeypatch.setattr(revisions, "ASK_SECONDS", 0.3)
    await asyncio.sleep(0.35)
    assert await suite.label() == "mmptf-gateway; fwd=bypass; detail=confirmation; stored"
    assert len(suite.service.asked) == asked + 1
    assert [await suite.label() for _ in range(3)] == [HIT] * 3
    await asyncio.sleep(0.35)
    # Several at once: one of them.
    labels = await asyncio.gather(*(suite.label() for _ in range(5)))
    assert sum("confirmation" in label for label in labels) == 1, labels
    assert len(suite.service.asked) == asked + 2
