"""Heads that came before are answered without being read again: what is sent back is the same as if they were."""

from __future__ import annotations

import asyncio
from typing import Any

import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from mmptf_common.process.protocol import LONGEST_REMEMBERED, MOST_REMEMBERED, AnswersAtOnce, Asked, Head, HttpProtocol

KEPT = b"GET /kept HTTP/1.1\r\nHost: x\r\n\r\n"
# What may come before, behind and between requests that are answered at once, each of it whole or in pieces.
SENT = [
    KEPT, KEPT, KEPT, b"HEAD /kept HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /other HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /kept HTTP/1.1\r\nHost: x\r\nX-Request-ID: a\r\n\r\n", b"\r\n", b"\r", b"\n", b"\r\n\r\n",
    b"POST /other HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n", b"x\r\n\r\n", KEPT[:9], KEPT[9:], KEPT[:-2],
    b"POST /other HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", b"5\r\nhello\r\n", b"0\r\n\r\n",
    b"GET /kept HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"GET /kept HTTP/1.0\r\nHost: x\r\n\r\n",
    b"GET /kept HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", b"GET /kept\r\n\r\n",
    b"GET /kept HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", KEPT + KEPT, KEPT + b"\r\n",
]  # fmt: skip


class Numbered(AnswersAtOnce):
    """Answers reads of /kept with the number of the answer; counts the heads that it has read."""

    def __init__(self) -> None:
        super().__init__()
        self.read = self.answered = 0

    def asked(self, head: Head) -> Asked | None:
        self.read += 1
        return Asked(head.target, repeats=b"x-request-id" not in head.headers) if head.target == b"/kept" else None

    def answer(self, question: bytes, client: tuple[str, int] | None) -> tuple[bytes, bytes] | None:
        self.answered += 1
        body = b"%b %d" % (question, self.answered)
        return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n" % len(body), body


class Forgetful(Numbered):
    def remember(self, data: bytes, head: Any) -> None:
        """Remember nothing."""


class Wire(asyncio.Transport):
    """What a connection has sent, until it closed."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.is_closed = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"sockname": ("127.0.0.1", 80), "peername": ("192.0.2.1", 4711)}.get(name, default)

    def write(self, data: Any) -> None:
        self.sent += bytes(data)

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self.is_closed

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def write_eof(self) -> None: ...

    def close(self) -> None:
        self.is_closed = True

    abort = close


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size, more = size + len(message["body"]), message["more_body"]
    body = f"{scope['method']} {scope['path']} {size}".encode()
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def sent_back(at_once: AnswersAtOnce, pieces: list[bytes], *, has_time: bool) -> bytes:
    """What is sent to a peer who sends these pieces; has_time: whether the app can answer between two of them."""
    config = uvicorn.Config(app, log_config=None)
    config.load()
    protocol = type("Protocol", (HttpProtocol,), {"at_once": at_once})
    connection = protocol(config=config, server_state=ServerState(), app_state={})
    wire = Wire()
    connection.connection_made(wire)
    for piece in pieces:
        if wire.is_closed:
            break
        connection.data_received(piece)
        for _ in range(20 if has_time else 0):
            await asyncio.sleep(0)
    for _ in range(40):
        await asyncio.sleep(0)
    connection.connection_lost(None)
    await asyncio.sleep(0)
    # A problem has the id of its request, which is a new one each time.
    return wire.sent.partition(b"HTTP/1.1 4")[0] + wire.sent.partition(b"HTTP/1.1 4")[1]


@settings(max_examples=300, deadline=None)
@given(pieces=st.lists(st.sampled_from(SENT), max_size=12), has_time=st.booleans())
async def test_the_same_bytes_have_the_same_answers(pieces: list[bytes], has_time: bool) -> None:
    forgetful, remembering = Forgetful(), Numbered()
    expected = await sent_back(forgetful, [KEPT, *pieces], has_time=has_time)
    assert await sent_back(remembering, [KEPT, *pieces], has_time=has_time) == expected
    assert remembering.answered == forgetful.answered
    assert remembering.read <= forgetful.read


async def test_a_head_is_read_once() -> None:
    at_once = Numbered()
    found = await sent_back(at_once, [KEPT] * 5, has_time=False)
    assert found.count(b"HTTP/1.1 200 OK") == at_once.answered == 5
    assert at_once.read == 1


async def test_few_short_heads_are_remembered() -> None:
    at_once = Numbered()
    long = KEPT[:-2] + b"X: %b\r\n\r\n" % (b"y" * LONGEST_REMEMBERED)
    await sent_back(at_once, [long, long], has_time=False)
    assert at_once.read == 2
    heads = [KEPT[:-2] + b"X: %d\r\n\r\n" % number for number in range(MOST_REMEMBERED + 1)]
    await sent_back(at_once, [*heads, heads[-1], heads[0]], has_time=False)
    assert at_once.read == 2 + len(heads) + 1
