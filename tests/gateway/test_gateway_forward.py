"""What the gateway forwards arrives unchanged, in both directions, and breaks where the service breaks."""

import asyncio
import contextlib
import gzip
import hashlib
import socket
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

Dial = Callable[[bytes], socket.socket]

OK = b"HTTP/1.1 200 OK\r\n"


def head_of(connection: socket.socket) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = connection.recv(1)
        assert byte, f"the connection ended after {head!r}"
        head += byte
    return head


def all_of(connection: socket.socket) -> bytes:
    found = b""
    while piece := connection.recv(65536):
        found += piece
    return found


def names_in(head: bytes) -> list[str]:
    return [line.partition(b":")[0].decode().lower() for line in head.split(b"\r\n")[1:] if line]


async def test_path_and_query_arrive_byte_for_byte(dial: Dial) -> None:
    target = rb"/catalog/v1/a%2Fb%2fc%20d/%C3%A9//x;y=1/../%zz?q=a%20b&q=%2B+&empty=&bare&%5B=1&%zz&u=%C3%A9"
    connection = dial(b"GET " + target + b" HTTP/1.1\r\nHost: fund.example\r\nConnection: close\r\n\r\n")
    answer = all_of(connection)
    path, _, query = target.partition(b"?")
    assert f'"raw_path": "{path.decode()}"'.encode() in answer
    assert f'"query": "{query.decode()}"'.encode() in answer


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_methods_arrive(client: httpx.AsyncClient, raw: Any, method: str) -> None:
    raw.answers(OK + b"Content-Length: 0\r\n\r\n")
    await client.request(method, "/funding/v1/x")
    assert raw.heads[0].startswith(f"{method} /funding/v1/x HTTP/1.1\r\n".encode())


async def test_request_headers_arrive_as_sent_and_none_is_made_up(dial: Dial, raw: Any) -> None:
    raw.answers(OK + b"Content-Length: 0\r\n\r\n")
    dial(
        b"GET /funding/v1/x HTTP/1.1\r\nHost: fund.example:81\r\nX-Twice: 1\r\nX-Twice: 2\r\nRange: bytes=0-1\r\n"
        b"X-Bytes: \xc3\xa9\r\nCookie: a=1; b=2\r\nConnection: close, X-Mine\r\nX-Mine: 1\r\nTE: trailers\r\n"
        b"Keep-Alive: 5\r\nProxy-Connection: x\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n"
    ).recv(1)
    head = raw.heads[0]
    assert b"\r\nhost: fund.example:81\r\n" in head.lower()
    assert b"\r\nx-twice: 1\r\nx-twice: 2\r\nrange: bytes=0-1\r\nx-bytes: \xc3\xa9\r\ncookie: a=1; b=2\r\n" in head
    assert b"\r\nx-forwarded-for: 192.0.2.1\r\n" in head
    added = ["x-forwarded-for", "x-forwarded-proto", "via", "x-request-id", "traceparent"]
    sent = ["host", "x-twice", "x-twice", "range", "x-bytes", "cookie"]
    assert sorted(names_in(head)) == sorted(sent + added)


async def test_answer_headers_come_back_as_sent(client: httpx.AsyncClient, raw: Any) -> None:
    raw.answers(
        b"HTTP/1.1 207 Multi-Status\r\nContent-Length: 2\r\nSet-Cookie: a=1; Path=/\r\nSet-Cookie: b=2\r\n"
        b'Date: Mon, 01 Jan 2024 00:00:00 GMT\r\nServer: theirs\r\nETag: W/"1"\r\nConnection: keep-alive, X-Theirs\r\n'
        b"X-Theirs: 1\r\nKeep-Alive: timeout=5\r\nX-Request-ID: theirs\r\nProxy-Authenticate: x\r\n\r\nok"
    )
    answer = await client.get("/funding/v1/x")
    assert (answer.status_code, answer.text) == (207, "ok")
    assert answer.headers.get_list("set-cookie") == ["a=1; Path=/", "b=2"]
    assert answer.headers["etag"] == 'W/"1"'
    assert answer.headers["server"] == "theirs"
    assert len(answer.headers.get_list("date")) == 1
    assert len(answer.headers.get_list("x-request-id")) == 1
    assert not {"connection", "x-theirs", "keep-alive", "proxy-authenticate"} & set(answer.headers)


async def test_a_head_and_its_body_arrive_in_one_piece(dial: Dial) -> None:
    answer = dial(b"GET /catalog/v1/x HTTP/1.1\r\nHost: x\r\n\r\n").recv(65536)
    assert answer.startswith(OK) and answer.endswith(b"}")


async def test_compressed_answers_stay_compressed(client: httpx.AsyncClient, raw: Any) -> None:
    packed = gzip.compress(b"x" * 1000)
    raw.answers(OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(packed), packed))
    async with client.stream("GET", "/funding/v1/x") as answer:
        assert b"".join([piece async for piece in answer.aiter_raw()]) == packed
    assert answer.headers["content-length"] == str(len(packed))


async def test_head_has_the_length_and_no_body(dial: Dial, raw: Any) -> None:
    raw.answers(OK + b"Content-Length: 300\r\n\r\n")
    answer = all_of(dial(b"HEAD /funding/v1/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
    assert b"content-length: 300\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("status", [b"304 Not Modified", b"204 No Content"])
async def test_answers_without_body_end_with_their_head(dial: Dial, raw: Any, status: bytes) -> None:
    raw.answers(b'HTTP/1.1 %b\r\nETag: "1"\r\n\r\n' % status)
    answer = all_of(dial(b"GET /funding/v1/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert b'etag: "1"' in answer
    assert b"transfer-encoding" not in answer
    assert answer.endswith(b"\r\n\r\n")


async def test_304_that_states_a_length_is_forwarded(client: httpx.AsyncClient, raw: Any) -> None:
    raw.answers(b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\nContent-Length: 55\r\n\r\n')
    for _ in range(2):
        answer = await client.get("/funding/v1/x", headers={"If-None-Match": '"1"'})
        assert (answer.status_code, answer.content) == (304, b"")


async def test_redirects_are_passed_on(client: httpx.AsyncClient, raw: Any) -> None:
    raw.answers(b"HTTP/1.1 308 Permanent Redirect\r\nLocation: /funding/v1/y\r\nContent-Length: 0\r\n\r\n")
    answer = await client.get("/funding/v1/x")
    assert (answer.status_code, answer.headers["location"]) == (308, "/funding/v1/y")
    assert len(raw.heads) == 1


@pytest.mark.parametrize("size", [0, 1, 70_000, 6_000_000])
async def test_bodies_of_stated_length_arrive(client: httpx.AsyncClient, size: int) -> None:
    body = bytes(range(256)) * (size // 256 + 1)
    body = body[:size]
    said = (await client.put("/catalog/v1/x", content=body)).json()
    assert (said["length"], said["digest"]) == (size, hashlib.sha256(body).hexdigest())
    assert ["content-length", str(size)] in said["headers"]
    assert "transfer-encoding" not in dict(said["headers"])
    assert "content-type" not in dict(said["headers"])


async def test_bodies_of_unknown_length_arrive(client: httpx.AsyncClient) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"\x00\xff" * 50_000

    said = (await client.post("/catalog/v1/x", content=pieces())).json()
    assert (said["length"], said["digest"]) == (4_000_000, hashlib.sha256(b"\x00\xff" * 2_000_000).hexdigest())
    assert ["transfer-encoding", "chunked"] in said["headers"]
    assert "content-length" not in dict(said["headers"])


async def test_answers_flow_before_they_are_complete(client: httpx.AsyncClient, raw: Any) -> None:
    seen = threading.Event()

    def script(connection: socket.socket, _head: bytes) -> None:
        connection.sendall(OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        assert seen.wait(5)
        connection.sendall(b"3\r\ntwo\r\n0\r\n\r\n")

    raw.plays(script)
    found = []
    async with client.stream("GET", "/funding/v1/x") as answer:
        async for piece in answer.aiter_bytes():
            found.append(piece)
            seen.set()
    assert found == [b"one", b"two"]


async def test_requests_flow_before_they_are_complete(dial: Dial, raw: Any) -> None:
    seen = threading.Event()

    def script(connection: socket.socket, _head: bytes) -> None:
        assert connection.recv(3) == b"one"
        seen.set()
        assert connection.recv(3) == b"two"
        connection.sendall(OK + b"Content-Length: 0\r\n\r\n")

    raw.plays(script)
    connection = dial(b"POST /funding/v1/x HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\none")
    assert seen.wait(5)
    connection.sendall(b"two")
    assert head_of(connection).startswith(OK)


async def test_large_answers_arrive(client: httpx.AsyncClient, raw: Any) -> None:
    body = bytes(range(256)) * 40_000
    raw.answers(OK + b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
    answer = await client.get("/funding/v1/x")
    assert hashlib.sha256(answer.content).digest() == hashlib.sha256(body).digest()


@pytest.mark.parametrize(
    "answer",
    [
        b"Content-Length: 100\r\n\r\nhalf",
        b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        b"Content-Length: 9\r\n\r\n",
    ],
)
async def test_a_truncated_answer_is_never_taken_for_a_whole_one(
    client: httpx.AsyncClient, raw: Any, answer: bytes
) -> None:
    raw.breaks_off(OK + answer)
    # Where the end of the connection is seen before the head was passed on, the answer can still be a problem.
    with contextlib.suppress(httpx.RemoteProtocolError, httpx.ReadError):
        assert (await client.get("/funding/v1/x")).status_code == 502


async def test_a_silent_service_in_mid_answer_is_a_broken_connection(client: httpx.AsyncClient, raw: Any) -> None:
    raw.answers(OK + b"Content-Length: 100\r\n\r\nhalf")
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await client.get("/funding/v1/x")


async def test_100_continue_is_asked_for_by_the_service(dial: Dial, raw: Any) -> None:
    def script(connection: socket.socket, _head: bytes) -> None:
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert connection.recv(4) == b"body"
        connection.sendall(OK + b"Content-Length: 0\r\n\r\n")

    raw.plays(script)
    connection = dial(b"POST /funding/v1/x HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
    assert head_of(connection).startswith(b"HTTP/1.1 100 ")
    connection.sendall(b"body")
    assert head_of(connection).startswith(OK)


async def test_a_service_may_refuse_before_the_body(dial: Dial, raw: Any) -> None:
    raw.answers(b"HTTP/1.1 413 Payload Too Large\r\nContent-Length: 0\r\n\r\n")
    expecting = dial(b"POST /funding/v1/x HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
    assert head_of(expecting).startswith(b"HTTP/1.1 413 ")
    sending = dial(b"POST /funding/v1/x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 70_000)
    assert head_of(sending).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    ("answer", "request_"),
    [
        (b"", b"GET /funding/v1/x HTTP/1.1\r\nHost: x\r\n\r\n"),
        (OK + b"Content-Length: 9\r\n\r\nhalf", b"GET /funding/v1/x HTTP/1.1\r\nHost: x\r\n\r\n"),
        (b"", b"POST /funding/v1/x HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf"),
        (b"", b"POST /funding/v1/x HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"),
    ],
    ids=["before the answer", "in the answer", "in the body", "after the body"],
)
async def test_a_caller_who_leaves_ends_the_request_at_the_service(
    dial: Dial, raw: Any, answer: bytes, request_: bytes
) -> None:
    asked, left = threading.Event(), threading.Event()

    def script(connection: socket.socket, _head: bytes) -> None:
        connection.sendall(answer)
        asked.set()
        while connection.recv(65536):
            pass
        left.set()

    raw.plays(script)
    connection = dial(request_)
    assert asked.wait(5)
    connection.close()
    assert left.wait(0.4), "the service would have been left alone only at the time limit"


async def test_a_body_that_ends_early_never_looks_complete(dial: Dial, raw: Any) -> None:
    found: list[bytes] = []
    ended = threading.Event()

    def script(connection: socket.socket, _head: bytes) -> None:
        while piece := connection.recv(65536):
            found.append(piece)
        ended.set()

    raw.plays(script)
    dial(b"POST /funding/v1/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n").close()
    assert ended.wait(5)
    assert b"0\r\n\r\n" not in b"".join(found)


async def test_a_body_that_never_begins_is_not_forwarded_as_an_empty_one(dial: Dial, raw: Any) -> None:
    dial(b"POST /funding/v1/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n").close()
    await asyncio.sleep(0.2)
    assert raw.heads == []
