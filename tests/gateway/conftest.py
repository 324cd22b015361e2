"""Fixtures of the gateway's tests: services played by real servers, and the gateway, all on free ports."""

import hashlib
import json
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from math import inf
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from mmptf_common.process.protocol import HttpProtocol
from mmptf_gateway.app import create_app
from mmptf_gateway.settings import GatewaySettings

NOTHING_HERE = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # httpx would load the certificates for each client

Script = Callable[[socket.socket, bytes], None]


@contextmanager
def running(app: ASGIApp, *, cors_origins: tuple[str, ...] = ()) -> Iterator[str]:
    """Serve an app in a thread; the block gets its origin."""
    at_once = app.state.at_once if isinstance(app, FastAPI) and hasattr(app.state, "at_once") else None
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            port=0,
            http=type("HttpProtocol", (HttpProtocol,), {"cors_origins": cors_origins, "at_once": at_once}),
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            threading.Event().wait(0.005)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """A service that answers with what it was asked, its body by length and digest."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    digest, length, more = hashlib.sha256(), 0, True
    while more:
        message = await receive()
        digest.update(message.get("body", b""))
        length += len(message.get("body", b""))
        more = message.get("more_body", False)
    said = {
        "method": scope["method"],
        "raw_path": scope["raw_path"].decode(),
        "query": scope["query_string"].decode("latin-1"),
        "headers": [[name.decode(), value.decode("latin-1")] for name, value in scope["headers"]],
        "length": length,
        "digest": digest.hexdigest(),
    }
    body = json.dumps(said).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Raw:
    """A service made of sockets: plays `script(socket, head of the request)` for each request, and keeps each head."""

    def __init__(self) -> None:
        self.answers(NOTHING_HERE)
        self._server = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept)]
        self._open: list[socket.socket] = []
        self._threads[0].start()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._server.getsockname()[1]}"

    def plays(self, script: Script) -> None:
        self.heads: list[bytes] = []
        self.script = script

    def answers(self, answer: bytes) -> None:
        """Answer every request with these bytes and keep the connection."""
        self.plays(lambda connection, _: connection.sendall(answer))

    def breaks_off(self, answer: bytes) -> None:
        """Answer every request with these bytes and close the connection."""

        def script(connection: socket.socket, _head: bytes) -> None:
            connection.sendall(answer)
            connection.shutdown(socket.SHUT_RDWR)

        self.plays(script)

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self._open.append(connection)
            thread = threading.Thread(target=self._converse, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _converse(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while head := read_head(connection):
                self.heads.append(head)
                self.script(connection, head)


def read_head(connection: socket.socket) -> bytes:
    """Bytes up to the empty line, read one by one so that nothing behind it is lost; empty at the end."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        if not (byte := connection.recv(1)):
            return b""
        head += byte
    return head


def closed_origin() -> str:
    """An address at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture(scope="session")
def raw_service() -> Iterator[Raw]:
    raw = Raw()
    yield raw
    raw.close()


@pytest.fixture
def raw(raw_service: Raw) -> Raw:
    """The service that a test plays itself, under /funding."""
    raw_service.answers(NOTHING_HERE)
    return raw_service


@pytest.fixture(scope="session")
def serve() -> Callable[[ASGIApp], Any]:
    return running


@pytest.fixture(scope="session")
def gateway(raw_service: Raw) -> Iterator[str]:
    """The gateway's origin: catalog echoes, funding is played by the test, markers is down.

    No circuit breaker opens, so that each test meets the failure itself.
    """
    with pytest.MonkeyPatch.context() as patch, running(echo) as catalog:
        patch.setattr("mmptf_gateway.upstreams.FAILURES_IN_A_ROW", inf)
        settings = GatewaySettings(
            services={"catalog": catalog, "funding": raw_service.origin, "markers": closed_origin()},
            answer_seconds=0.5,
        )
        with running(create_app(settings)) as origin:
            yield origin


@pytest.fixture
async def client(gateway: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=gateway, timeout=5, verify=NO_TLS) as client:
        yield client


@pytest.fixture
def dial(gateway: str) -> Iterator[Callable[[bytes], socket.socket]]:
    """Open a connection to the gateway and send these bytes."""
    opened: list[socket.socket] = []

    def dial(request: bytes) -> socket.socket:
        host, _, port = gateway.removeprefix("http://").partition(":")
        opened.append(socket.create_connection((host, int(port)), timeout=5))
        opened[-1].sendall(request)
        return opened[-1]

    yield dial
    for connection in opened:
        connection.close()
