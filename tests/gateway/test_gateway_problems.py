"""What goes wrong at one service is a problem on that service's paths only, and says which service it was."""

import asyncio
import re
import socket
import struct
from typing import Any

import httpx
import pytest

from tests.gateway.conftest import echo, running

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def problem_of(answer: httpx.Response, status: int, code: str) -> dict[str, object]:
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, object] = answer.json()
    assert (answer.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert problem["instance"] == answer.request.url.path
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert answer.headers.get("retry-after") == ("2" if status > 500 else None)
    return problem


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_a_service_that_is_down(client: httpx.AsyncClient, method: str) -> None:
    problem = problem_of(await client.request(method, "/markers/v1/x"), 502, "service_unreachable")
    assert "'markers'" in str(problem["detail"])
    assert (await client.request(method, "/catalog/v1/x")).status_code == 200


async def test_a_service_that_is_down_and_a_long_body(client: httpx.AsyncClient) -> None:
    problem_of(await client.post("/markers/v1/x", content=b"x" * 3_000_000), 502, "service_unreachable")


async def test_a_service_that_is_too_slow(client: httpx.AsyncClient, raw: Any) -> None:
    raw.answers(b"")
    problem_of(await client.get("/funding/v1/x"), 504, "service_timeout")
    problem_of(await client.post("/funding/v1/x", content=b"body"), 504, "service_timeout")


async def test_a_service_that_does_not_take_the_body(client: httpx.AsyncClient, raw: Any) -> None:
    released = asyncio.Event()
    loop = asyncio.get_running_loop()

    def script(connection: socket.socket, _head: bytes) -> None:
        asyncio.run_coroutine_threadsafe(released.wait(), loop).result(5)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    raw.plays(script)
    answer = await client.post("/funding/v1/x", content=b"x" * 20_000_000)
    released.set()
    problem_of(answer, 504, "service_timeout")


@pytest.mark.parametrize("answer", [b"this is not HTTP\r\n\r\n", b"", b"HTTP/1.1 200 OK\r\nContent-Le"])
async def test_a_service_that_does_not_answer_in_http(client: httpx.AsyncClient, raw: Any, answer: bytes) -> None:
    raw.breaks_off(answer)
    problem_of(await client.get("/funding/v1/x"), 502, "service_unreachable")


@pytest.mark.parametrize(
    "answer",
    [
        b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"Transfer-Encoding: gzip\r\n\r\nok",
        b"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"Content-Length: +2\r\n\r\nok",
        b"Content-Length : 2\r\n\r\nok",
        b"Content-Length: 2\r\nX: a\r\n b\r\n\r\nok",
        b"Content-Length: 2\r\nX: a\rY: b\r\n\r\nok",
        b"Content-Length: 2\r\nX: " + b"y" * 300_000 + b"\r\n\r\nok",
    ],
)
async def test_an_answer_whose_end_or_head_is_not_certain_is_none(
    client: httpx.AsyncClient, raw: Any, answer: bytes
) -> None:
    raw.breaks_off(b"HTTP/1.1 200 OK\r\n" + answer)
    problem_of(await client.post("/funding/v1/x"), 502, "service_unreachable")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "first",
    [
        OK,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\n\r\n',
        b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n",
    ],
)
async def test_no_request_gets_what_follows_the_answer_to_another(
    client: httpx.AsyncClient, raw: Any, method: str, first: bytes
) -> None:
    others = b"HTTP/1.1 200 OK\r\nX-Whose: others\r\nContent-Length: 6\r\n\r\nothers"
    raw.answers(first + others)
    for _ in range(3):
        answer = await client.request(method, "/funding/v1/x")
        assert answer.status_code == int(first[9:12])
        assert "x-whose" not in answer.headers
        assert answer.text == ("ok" if method == "GET" and b"ok" in first else "")
    await asyncio.sleep(0.05)
    raw.answers(OK)
    assert (await client.get("/funding/v1/x")).text == "ok"


async def test_interim_answers_are_left_out_and_a_body_may_end_with_its_connection(
    client: httpx.AsyncClient, raw: Any
) -> None:
    raw.breaks_off(
        b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nX-Last: 1\r\n\r\n" + b"end" * 50_000
    )
    answer = await client.get("/funding/v1/x")
    assert (answer.status_code, answer.text, answer.headers["x-last"]) == (200, "end" * 50_000, "1")
    assert "link" not in answer.headers
    raw.breaks_off(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")
    problem_of(await client.get("/funding/v1/x"), 502, "service_unreachable")


async def test_a_safe_request_is_repeated_once_on_a_new_connection(client: httpx.AsyncClient, raw: Any) -> None:
    def script(connection: socket.socket, _head: bytes) -> None:
        if len(raw.heads) == 1:
            connection.shutdown(socket.SHUT_RDWR)
        else:
            connection.sendall(OK)

    raw.plays(script)
    assert (await client.get("/funding/v1/x")).text == "ok"
    assert len(raw.heads) == 2


@pytest.mark.parametrize("method", ["PUT", "DELETE", "POST", "PATCH"])
@pytest.mark.parametrize("body", [b"", b"body"])
async def test_a_write_is_never_repeated(client: httpx.AsyncClient, raw: Any, method: str, body: bytes) -> None:
    raw.breaks_off(b"")
    problem_of(await client.request(method, "/funding/v1/x", content=body), 502, "service_unreachable")
    assert len(raw.heads) == 1


async def test_an_unknown_name(client: httpx.AsyncClient) -> None:
    problem = problem_of(await client.get("/catalogue/v1/programmes"), 404, "not_found")
    assert "did you mean catalog?" in str(problem["detail"])
    assert "catalog, funding, markers" in str(problem["detail"])
    problem_of(await client.get("/health/other"), 404, "not_found")
    problem_of(await client.post("/status"), 405, "method_not_allowed")
    problem_of(await client.get("/status?x=1"), 422, "unknown_parameter")


async def test_request_id_and_trace_travel(client: httpx.AsyncClient) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    sent = {"X-Request-ID": "mine-1", "traceparent": f"00-{trace}-b7ad6b7169203331-01", "tracestate": "a=b"}
    answer = await client.get("/catalog/v1/x", headers=[*sent.items(), ("tracestate", "c=d")])
    assert answer.headers.get_list("x-request-id") == ["mine-1"]
    arrived = answer.json()["headers"]
    assert [value for name, value in arrived if name == "x-request-id"] == ["mine-1"]
    assert [value for name, value in arrived if name == "tracestate"] == ["a=b,c=d"]
    (parent,) = (value for name, value in arrived if name == "traceparent")
    assert re.fullmatch(rf"00-{trace}-[0-9a-f]{{16}}-01", parent)
    assert "b7ad6b7169203331" not in parent


async def test_a_request_without_id_gets_one(client: httpx.AsyncClient) -> None:
    answer = await client.get("/catalog/v1/x")
    assert dict(answer.json()["headers"])["x-request-id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize("path", ["/catalog/v1/x", "/markers/v1/x", "/nowhere", "/", "/health/live", "/openapi.json"])
async def test_every_answer_may_be_read_by_pages(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path, headers={"Origin": "https://fund.example"})
    assert answer.headers.get_list("access-control-allow-origin") == ["*"]
    exposed = answer.headers["access-control-expose-headers"].split(", ")
    assert set(exposed) == {
        "ETag", "X-Request-ID", "Link", "Cache-Status", "Retry-After", "Location", "Content-Disposition",
        "Accept-Encoding", "Idempotency-Replayed", "WWW-Authenticate", "Allow", "Catalogue-Age", "Ledger-Age",
        "X-Total-Count", "RateLimit", "RateLimit-Policy", "Age", "Cache-Groups", "Cache-Group-Invalidation",
    }  # fmt: skip
    assert len(answer.headers.get_list("x-request-id")) == 1
    # A cache that has stored the answer to a program may send it to a page.
    without = await client.get(path)
    assert without.headers.get_list("access-control-allow-origin") == ["*"]
    assert without.headers["access-control-expose-headers"] == answer.headers["access-control-expose-headers"]
    for each in (answer, without):
        assert "origin" not in each.headers.get("vary", "").lower()


async def test_preflight_is_answered_here(client: httpx.AsyncClient) -> None:
    asked = {
        "Origin": "https://fund.example",
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "if-match",
    }
    answer = await client.options("/markers/v1/x", headers=asked)
    assert answer.status_code == 200
    assert "PUT" in answer.headers["access-control-allow-methods"]
    assert answer.headers["access-control-allow-headers"] == "if-match"


@pytest.mark.parametrize(
    ("origins", "asked", "allowed"),
    [
        (("*",), "https://fund.example", "*"),
        (("https://fund.example",), "https://fund.example", "https://fund.example"),
        (("https://fund.example",), "https://other.example", None),
        ((), "https://fund.example", None),
    ],
)
async def test_a_head_that_is_too_large_is_said_to_the_pages_that_may_read(
    origins: tuple[str, ...], asked: str, allowed: str | None
) -> None:
    with running(echo, cors_origins=origins) as url:
        async with httpx.AsyncClient() as client:
            answer = await client.get(f"{url}/x", headers={"Origin": asked, "X": "y" * 70_000})
    assert (answer.status_code, answer.json()["code"]) == (431, "head_too_large")
    assert answer.headers.get("access-control-allow-origin") == allowed
    assert ("x-request-id" in answer.headers.get("access-control-expose-headers", "").lower()) == (allowed is not None)
    assert answer.headers.get("vary") == ("Origin" if allowed not in ("*", None) else None)
