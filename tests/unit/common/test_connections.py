"""Limits of a connection: what a peer may send at once, how slowly it may send and take, how many there may be."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from mmptf_common.process.protocol import MAX_HEAD, MAX_PIPELINED, MAX_REFUSED, Admission, HttpProtocol, Pace

PACE = Pace(first_seconds=0.5, head_seconds=0.5, rest_seconds=0.5, rate=10_000, rate_seconds=0.5, check_seconds=0.05)
PIECE = b"x" * 65_536
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class App:
    """Answers with the length of the body; /export streams without an end, /large has an answer of 32 MB."""

    def __init__(self) -> None:
        self.ended = threading.Event()
        self.asked = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked += 1
        if scope["path"] == "/export":
            await self._export(receive, send)
            return
        size, more = 0, scope["path"] != "/unread"
        while more:
            message = await receive()
            size += len(message.get("body", b""))
            more = message.get("more_body", False)
        body = b"x" * 32_000_000 if scope["path"] == "/large" else str(size).encode()
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _export(self, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

        async def stream() -> None:
            while True:
                await send({"type": "http.response.body", "body": PIECE, "more_body": True})
                await asyncio.sleep(0)

        streaming = asyncio.create_task(stream())
        while (await receive())["type"] != "http.disconnect":
            pass
        streaming.cancel()
        self.ended.set()


@contextmanager
def serving(app: App, trusted: str = "127.0.0.1", **limits: Any) -> Iterator[tuple[uvicorn.Server, int]]:
    protocol = type("Protocol", (HttpProtocol,), {"pace": PACE, **limits})
    config = uvicorn.Config(
        app,
        port=0,
        http=protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        forwarded_allow_ips=trusted,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.005)
        yield server, server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


Dial = Callable[..., socket.socket]


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
def dial(app: App) -> Iterator[Dial]:
    """Connections with these bytes sent on them."""
    opened: list[socket.socket] = []
    with serving(app) as (_, port):

        def dial(sent: bytes = b"", *, receive_buffer: int = 0) -> socket.socket:
            connection = socket.socket()
            opened.append(connection)
            connection.settimeout(5)
            if receive_buffer:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            connection.connect(("127.0.0.1", port))
            connection.sendall(sent)
            return connection

        yield dial
        for connection in opened:
            connection.close()


def rest_of(connection: socket.socket) -> bytes:
    """Everything until the process closes the connection."""
    received = b""
    while piece := connection.recv(65_536):
        received += piece
    return received


def problem_of(received: bytes) -> dict[str, Any]:
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    assert b"connection: close" in head
    found: dict[str, Any] = json.loads(body)
    assert head.startswith(b"HTTP/1.1 %d " % found["status"])
    return found


def trickle(connection: socket.socket, byte: bytes, *, most: float = 4) -> bytes:
    """Send a byte every 0.05 s until the process answers or closes the connection; returns what it sends."""
    end = time.monotonic() + most
    connection.settimeout(0.05)
    try:
        while time.monotonic() < end:
            connection.sendall(byte)
            with suppress(TimeoutError):
                return connection.recv(65_536)
    except ConnectionResetError:
        # It was closed while a byte was under way.
        return b""
    raise AssertionError("the connection is still open")


@pytest.mark.parametrize("path", [b"/export", b"/large"])
def test_an_answer_whose_reader_takes_too_little_is_aborted(app: App, dial: Dial, path: bytes) -> None:
    stalled = dial(b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" % path, receive_buffer=4096)
    slow = dial(b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" % path, receive_buffer=4096)
    for _ in range(40):
        assert slow.recv(50)
        time.sleep(0.05)
    for connection in (stalled, slow):
        # What had arrived can be read still.
        with pytest.raises(ConnectionResetError):
            rest_of(connection)
    assert path != b"/export" or app.ended.wait(1)


def test_a_reader_who_takes_enough_gets_everything(dial: Dial) -> None:
    connection = dial(b"GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    received = 0
    while piece := connection.recv(2_000_000):
        received += len(piece)
        time.sleep(0.1 if received < 20_000_000 else 0)
    assert received > 32_000_000


def test_a_connection_without_a_request_is_closed(dial: Dial) -> None:
    assert rest_of(dial()) == b""
    assert trickle(dial(), b"\r\n") == b""
    idle = dial(GET)
    assert idle.recv(65_536).endswith(b"0")
    idle.settimeout(1)
    with pytest.raises(TimeoutError):  # it may be used again for much longer
        idle.recv(1)


@pytest.mark.parametrize(
    ("begun", "asked"), [(b"GET /", ""), (b"GET /a HTTP/1.1\r\nHost: x\r\n", "/a"), (b"\r\nGET /a?", "/a")]
)
def test_a_head_that_arrives_too_slowly(dial: Dial, begun: bytes, asked: str, caplog: pytest.LogCaptureFixture) -> None:
    problem = problem_of(trickle(dial(begun), b"G"))
    assert (problem["status"], problem["code"]) == (408, "request_timeout")
    assert problem["detail"] == "The head of a request has to arrive in 0.5 s."
    assert problem["instance"] == asked
    (line,) = caplog.records
    assert (line.name, line.levelname) == ("mmptf.access", "WARNING")
    assert line.message == f"GET {asked or '-'} 408"
    written = vars(line)
    assert (written["status"], written["client"], written["reason"]) == (408, "127.0.0.1", problem["detail"])
    assert 500 <= written["ms"] < 4000


def test_a_head_that_arrives_too_slowly_after_an_answer(dial: Dial) -> None:
    connection = dial(GET)
    assert connection.recv(65_536).endswith(b"0")
    connection.sendall(b"GET /")
    assert problem_of(trickle(connection, b"a"))["status"] == 408


@pytest.mark.parametrize(
    ("framing", "piece"),
    [
        (b"Content-Length: 1000000\r\n\r\n", b"x"),
        (b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (b"Transfer-Encoding: chunked\r\n\r\n1;", b"x" * 1000),  # an extension of a chunk is no body
        (b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"x: y\r\n"),
    ],
)
def test_a_body_that_arrives_too_slowly(dial: Dial, framing: bytes, piece: bytes) -> None:
    problem = problem_of(trickle(dial(b"POST /a HTTP/1.1\r\nHost: x\r\n" + framing), piece))
    assert (problem["status"], problem["code"], problem["instance"]) == (408, "request_timeout", "/a")
    assert "10000 bytes a second, measured over 0.5 s" in problem["detail"]


def test_a_body_that_arrives_fast_enough(dial: Dial) -> None:
    connection = dial(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
    for _ in range(50):
        connection.sendall(b"x" * 2000)
        time.sleep(0.04)
    assert connection.recv(65_536).endswith(b"100000")


def test_the_rest_of_a_body_after_its_answer(dial: Dial) -> None:
    connection = dial(b"POST /unread HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nx")
    assert connection.recv(65_536).endswith(b"\r\n0")
    assert trickle(connection, b"x" * 1000) == b""


def test_an_answer_that_takes_longer_than_a_head_may_is_waited_for(app: App, dial: Dial) -> None:
    begun = dial(b"GET /export HTTP/1.1\r\nHost: x\r\n\r\n" + b"GET / HTTP/1.1\r\nHo")
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        assert begun.recv(1_000_000)
    assert not app.ended.is_set()


def flood(connection: socket.socket, piece: bytes, times: int) -> bytes:
    """Send a piece many times, or until the process takes no more; returns what it sent."""
    with suppress(OSError):
        for _ in range(times):
            connection.sendall(piece)
    return rest_of(connection)


def test_a_head_and_trailers_without_an_end(dial: Dial) -> None:
    chunked = b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    for begun, piece in (
        (b"GET /a HTTP/1.1\r\n", b"x: %b\r\n" % (b"y" * 1000)),
        (b"GET /a HTTP/1.1\r\nx: ", b"y" * 1000),
        (b"GET /a", b"a" * 1000),
        (chunked + b"0\r\n", b"x: %b\r\n" % (b"y" * 1000)),
        (chunked + b"0\r\n", b"x: y\r\n" * 100),
        (chunked + b"0\r\nx: ", b"y" * 1000),
        (chunked + b"1;", b"x" * 1000),
    ):
        problem = problem_of(flood(dial(begun), piece, 2000))
        assert (problem["status"], problem["code"]) == (431, "head_too_large")
        assert str(MAX_HEAD) in problem["detail"]


def test_requests_that_are_sent_before_an_answer(app: App, dial: Dial) -> None:
    # Together: one after the other they would be answered as fast as they are sent.
    answers = flood(dial(), GET * 2 * MAX_PIPELINED, 100)
    assert answers.count(b"HTTP/1.1 200") == app.asked <= 2 * MAX_PIPELINED
    problem = problem_of(answers[answers.index(b"HTTP/1.1 400") :])
    assert str(MAX_PIPELINED) in problem["detail"]
    most = dial(GET * MAX_PIPELINED)
    received = b""
    while received.count(b"HTTP/1.1 200") < MAX_PIPELINED:
        received += most.recv(65_536)


def test_nothing_is_read_while_requests_wait(app: App, dial: Dial) -> None:
    large = GET[:-2] + b"x: %b\r\n\r\n" % (b"y" * 60_000)
    connection = dial(b"GET /export HTTP/1.1\r\nHost: x\r\n\r\n")
    connection.settimeout(0.3)
    assert connection.recv(65_536)
    reading = threading.Thread(target=read_for, args=(connection, 1))
    reading.start()
    sent = 0
    with suppress(TimeoutError):
        while sent < 4000:
            connection.sendall(large)
            sent += 1
    reading.join()
    assert sent < 400
    assert app.asked == 1


def read_for(connection: socket.socket, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        connection.recv(1_000_000)


def connected(port: int, sent: bytes = b"") -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=5)
    connection.sendall(sent)
    return connection


def test_more_connections_than_the_process_may_have(app: App) -> None:
    admission = Admission(2, 0)
    with serving(app, admission=admission) as (_, port), ExitStack() as stack:
        first, second = (stack.enter_context(connected(port, b"GET /export HTTP/1.1\r\n")) for _ in range(2))
        time.sleep(0.1)
        received = rest_of(stack.enter_context(connected(port, GET)))
        problem = problem_of(received)
        assert (problem["status"], problem["code"]) == (503, "too_many_connections")
        assert "2 connections" in problem["detail"]
        assert b"\r\nretry-after: 2\r\n" in received
        assert rest_of(stack.enter_context(connected(port))) == b""
        first.close()
        second.close()
        time.sleep(0.1)
        assert stack.enter_context(connected(port, GET)).recv(65_536).startswith(b"HTTP/1.1 200")


def test_connections_beyond_those_that_are_answered_are_reset(app: App) -> None:
    with serving(app, admission=Admission(0, 0)) as (_, port), ExitStack() as stack:
        waiting = [stack.enter_context(connected(port)) for _ in range(MAX_REFUSED)]
        time.sleep(0.1)
        with pytest.raises(ConnectionResetError), connected(port) as beyond:
            beyond.recv(1)
        waiting[-1].sendall(GET)
        assert problem_of(rest_of(waiting[-1]))["code"] == "too_many_connections"


@pytest.mark.parametrize(("trusted", "status"), [("127.0.0.1", b"200"), ("192.0.2.1", b"503")])
def test_more_connections_than_one_client_may_have(app: App, trusted: str, status: bytes) -> None:
    asking = b"GET /export HTTP/1.1\r\nHost: x\r\n\r\n"
    with serving(app, trusted, admission=Admission(100, 1)) as (_, port), connected(port, asking) as first:
        assert first.recv(65_536).startswith(b"HTTP/1.1 200")
        with connected(port, GET) as second:
            received = second.recv(65_536)
        assert received.startswith(b"HTTP/1.1 " + status)
        assert status == b"200" or "from 127.0.0.1" in problem_of(received)["detail"]


def is_open(connection: socket.socket) -> bool:
    """Whether the process has not closed a connection on which it has nothing to send."""
    connection.setblocking(False)
    try:
        return connection.recv(1) != b""
    except BlockingIOError:
        return True
    finally:
        connection.settimeout(5)


def ask(connection: socket.socket) -> None:
    """Send a request on an open connection, and take the answer to its end."""
    connection.sendall(GET)
    received = b""
    while not received.endswith(b"\r\n\r\n0"):
        piece = connection.recv(65_536)
        assert piece, "the process has closed the connection"
        received += piece
    assert received.startswith(b"HTTP/1.1 200")


@contextmanager
def answered(port: int) -> Iterator[socket.socket]:
    """A connection on which a request was answered."""
    with connected(port) as connection:
        ask(connection)
        yield connection


@pytest.mark.parametrize("limits", [(5, 0), (100, 5)])
def test_a_full_house_of_idle_connections_gives_way_to_new_ones(app: App, limits: tuple[int, int]) -> None:
    """Longest idle first; one on which a request is under way is not closed."""
    begun = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
    with serving(app, "192.0.2.1", admission=Admission(*limits)) as (_, port), ExitStack() as stack:
        head, exporting, first, second, third = (
            stack.enter_context(connection)
            for connection in (
                connected(port, b"GET / HTTP/1.1\r\n"),
                connected(port, b"GET /export HTTP/1.1\r\nHost: x\r\n\r\n"),
                answered(port),
                answered(port),
                answered(port),
            )
        )
        ask(first)  # it is idle for the shortest time now
        third.sendall(begun)
        time.sleep(0.1)
        new = stack.enter_context(answered(port))
        assert [is_open(each) for each in (first, second, third, new)] == [True, False, True, True]
        # Whoever comes next has the place of the other idle ones, in their order.
        newer = stack.enter_context(answered(port))
        assert [is_open(each) for each in (first, third, new, newer)] == [False, True, True, True]
        for each in (new, newer):
            each.sendall(b"GET /")
        time.sleep(0.1)
        assert problem_of(rest_of(stack.enter_context(connected(port, GET))))["code"] == "too_many_connections"
        third.close()
        time.sleep(0.1)
        stack.enter_context(answered(port))
        head.sendall(b"Host: x\r\n\r\n")
        assert head.recv(65_536).startswith(b"HTTP/1.1 200")
        assert exporting.recv(65_536)


def test_idle_connections_by_the_hundred_deny_nobody_anything(app: App) -> None:
    with serving(app, admission=Admission(20, 0)) as (_, port), ExitStack() as stack:
        silent = [stack.enter_context(connected(port)) for _ in range(200)]
        for _ in range(20):
            stack.enter_context(answered(port))
        assert sum(map(is_open, silent)) == 0


def test_a_connection_whose_reader_has_not_taken_the_answer_is_not_idle(app: App) -> None:
    with serving(app, admission=Admission(1, 0)) as (_, port), ExitStack() as stack:
        reading = stack.enter_context(connected(port, b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n"))
        time.sleep(0.1)
        assert problem_of(rest_of(stack.enter_context(connected(port, GET))))["code"] == "too_many_connections"
        received = 0
        while received < 32_000_000:
            received += len(reading.recv(1_000_000))
        stack.enter_context(answered(port))


def test_a_client_has_as_many_connections_as_it_has_open() -> None:
    admission = Admission(3, 2)
    clients = [("192.0.2.1", 1), ("192.0.2.1", 2), ("192.0.2.2", 1)]
    assert [admission.admit(client, False) for client in clients] == [None] * 3
    for client, limit in ((("192.0.2.1", 3), "one address"), (("192.0.2.3", 1), "this server"), (None, "this server")):
        problem = admission.admit(client, False)
        assert problem and limit in problem.detail
        admission.release(client, is_admitted=False)
    admission.release(clients[0], is_admitted=True)
    assert admission.admit(clients[0], False) is None
    assert not admission.is_crowded()
