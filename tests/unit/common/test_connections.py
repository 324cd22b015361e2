"""Limits of a connection: what a peer may send at once, how slowly it may send and take, how many there may be."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from mmptf_common.process.protocol import MAX_HEAD, MAX_PIPELINED, HttpProtocol, Pace

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
def serving(app: App, **limits: Any) -> Iterator[tuple[uvicorn.Server, int]]:
    protocol = type("Protocol", (HttpProtocol,), {"pace": PACE, **limits})
    config = uvicorn.Config(
        app, port=0, http=protocol, ws="none", lifespan="off", log_config=None, timeout_graceful_shutdown=1
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


def trickle(connection: socket.socket, byte: bytes = b"a", *, most: float = 4) -> float:
    """Send a byte every 0.05 s until the process closes the connection; returns the seconds until then."""
    began = time.monotonic()
    with pytest.raises(OSError):
        while time.monotonic() - began < most:
            connection.sendall(byte)
            time.sleep(0.05)
    return time.monotonic() - began


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
            while connection.recv(65_536):
                pass
    assert path != b"/export" or app.ended.wait(1)


def test_a_reader_who_takes_enough_gets_everything(dial: Dial) -> None:
    connection = dial(b"GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    received = 0
    while piece := connection.recv(2_000_000):
        received += len(piece)
        time.sleep(0.1 if received < 20_000_000 else 0)
    assert received > 32_000_000
