"""Connections to a service: HTTP/1.1, one request at a time on each, and those without one kept for the next."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable
from functools import cache
from typing import cast
from urllib.parse import urlsplit

import httptools

Headers = Iterable[tuple[bytes, bytes]]

# Shorter than the services keep theirs, so that a service seldom closes one while a request is sent.
KEEP_SECONDS = 60.0
# Most bytes of the head of an answer: its links repeat the query of the request, whose head has at most a quarter.
MAX_HEAD = 262_144
# Bytes of a body that are held before no more is read from the service.
HELD_BYTES = 262_144
# What may be repeated where the connection broke before the answer (RFC 9110, section 9.2.1).
_SAFE = frozenset({b"GET", b"HEAD", b"OPTIONS", b"TRACE"})
_WITHOUT_BODY = frozenset({204, 304})


class CannotConnect(ConnectionError):
    """No connection was opened, so that nothing was sent."""


class BrokenOff(ConnectionError):
    """The connection ended before the answer did."""


class InvalidAnswer(ConnectionError):
    """What the service sent is no answer of HTTP/1.1, or its end cannot be told for certain."""


class Answer:
    """The answer to one request: its head, and its body as it arrives.

    headers: the names in lower case; length: the length that the head states, None where it states none
    is_complete: whether all of the body has arrived
    """

    __slots__ = (
        "_connection", "_error", "_held", "_pieces", "_waiter", "headers", "is_complete", "length", "reason", "status",
    )  # fmt: skip

    def __init__(
        self,
        connection: _Connection,
        status: int,
        reason: bytes,
        headers: list[tuple[bytes, bytes]],
        length: int | None,
    ) -> None:
        self.status = status
        self.reason = reason
        self.headers = headers
        self.length = length
        self.is_complete = False
        self._connection = connection
        self._pieces: list[bytes] = []
        self._held = 0
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None

    async def piece(self) -> tuple[bytes, bool]:
        """What has arrived since the last call, at least a byte unless it is the end; and whether it is the end.

        Raises BrokenOff, InvalidAnswer, or TimeoutError where the service sends nothing for too long.
        """
        while not (self._pieces or self.is_complete):
            await self._more()
        found = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._held = 0
        if not self.is_complete:
            self._connection.resume()
        return found, self.is_complete

    async def read(self) -> bytes:
        """All of the body that was not read yet, HELD_BYTES at most; raises what `piece` raises."""
        while not self.is_complete:
            await self._more()
        return (await self.piece())[0]

    def close(self) -> None:
        """Leave the answer; its connection is closed where the answer is not complete."""
        if not self.is_complete:
            self._connection.abort()

    async def _more(self) -> None:
        if self._error is not None:
            raise self._error
        self._waiter = asyncio.get_running_loop().create_future()
        await self._waiter

    def arrived(self, piece: bytes) -> bool:
        """Note a piece of the body; returns whether more than enough is held now."""
        self._pieces.append(piece)
        self._held += len(piece)
        self._wake()
        return self._held > HELD_BYTES

    def completed(self) -> None:
        """Note the end of the body."""
        self.is_complete = True
        self._wake()

    def failed(self, error: Exception) -> None:
        """Note that the body does not end; what has arrived of it is still read."""
        self._error = error
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Connections:
    """The connections to one origin, as many as there are requests under way.

    connect_seconds: how long a connection may take; answer_seconds: how long the service may send nothing, before its
    answer and between two pieces of it
    """

    def __init__(self, origin: str, *, connect_seconds: float, answer_seconds: float) -> None:
        parts = urlsplit(origin)
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._is_tls = parts.scheme == "https"
        self.authority = parts.netloc.encode()
        self._connect_seconds = connect_seconds
        self.answer_seconds = answer_seconds
        self._open: set[_Connection] = set()
        # The one that was used last is the last: those that are too many grow old and are closed.
        self._idle: list[_Connection] = []

    async def request(
        self,
        method: bytes,
        target: bytes,
        headers: Headers,
        body: bytes | AsyncIterator[bytes] | None = None,
        *,
        waits_for_100: bool = False,
    ) -> Answer:
        """The answer to a request, as soon as its head is there.

        headers: sent as they are; with a body that is iterated, one of them is its Content-Length, or it is chunked
        waits_for_100: the body is sent once the service asks for it
        A safe request whose connection breaks before the answer is repeated once on a new one. Raises CannotConnect,
        BrokenOff, InvalidAnswer, what the iterator raises, or TimeoutError.
        """
        lines = [b"%b %b HTTP/1.1\r\n" % (method, target)]
        is_chunked = body is not None
        has_host = False
        for name, value in headers:
            lines += (name, b": ", value, b"\r\n")
            if name == b"host":
                has_host = True
            elif name == b"content-length":
                is_chunked = False
        if not has_host:
            lines += (b"host: ", self.authority, b"\r\n")
        if is_chunked:
            if isinstance(body, bytes):
                lines.append(b"content-length: %d\r\n" % len(body))
                is_chunked = False
            else:
                lines.append(b"transfer-encoding: chunked\r\n")
        lines.append(b"\r\n")
        if isinstance(body, bytes):
            lines.append(body)
        sent = b"".join(lines)
        pieces = None if isinstance(body, bytes) else body
        connection = self._taken() or await self._connected()
        try:
            return await connection.ask(sent, pieces, method == b"HEAD", is_chunked, waits_for_100)
        except BrokenOff:
            if pieces is not None or method not in _SAFE:
                raise
        connection = await self._connected()
        return await connection.ask(sent, None, method == b"HEAD", is_chunked, waits_for_100)

    def close(self) -> None:
        """Close all connections; requests that are under way fail."""
        for connection in list(self._open):
            connection.abort()

    def _taken(self) -> _Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closing():
                return connection
        return None

    async def _connected(self) -> _Connection:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._connect_seconds):
                _, connection = await loop.create_connection(
                    lambda: _Connection(self, loop), self._host, self._port, ssl=_tls() if self._is_tls else None
                )
        except OSError as error:  # a TimeoutError is one, too
            raise CannotConnect(f"{self._host}:{self._port}: {str(error) or 'it takes too long'}") from error
        return connection

    def opened(self, connection: _Connection) -> None:
        """Note a connection that is open."""
        self._open.add(connection)

    def released(self, connection: _Connection) -> None:
        """Keep a connection for the next request."""
        self._idle.append(connection)

    def closed(self, connection: _Connection) -> None:
        """Note that a connection is closed."""
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


class _Connection(asyncio.Protocol):
    """One connection. What comes without a request, or after the end of an answer, ends it, so that no request gets the
    answer of another. The parser is strict: a length that is stated twice, or beside a transfer coding, is an error.
    """

    def __init__(self, pool: Connections, loop: asyncio.AbstractEventLoop) -> None:
        self._pool = pool
        self._loop = loop
        self._transport: asyncio.Transport
        self._parser = httptools.HttpResponseParser(self)
        # What a request waits for; None between requests.
        self._head: asyncio.Future[Answer] | None = None
        self._answer: Answer | None = None
        self._sender: asyncio.Task[None] | None = None
        self._continued: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self._is_head = self._is_interim = self._ends_with_connection = self._keeps = self._is_paused = False
        self._in_head = True
        self._head_bytes = 0
        self._reason = b""
        self._headers: list[tuple[bytes, bytes]] = []
        # When it was last heard of, and the timer that looks whether that is too long ago.
        self._since = loop.time()
        self._timer: asyncio.TimerHandle | None = None

    # --- what the pool and the answers call

    def is_closing(self) -> bool:
        """Whether no request can be sent on it any more."""
        return self._transport.is_closing()

    async def ask(
        self, sent: bytes, pieces: AsyncIterator[bytes] | None, is_head: bool, is_chunked: bool, waits_for_100: bool
    ) -> Answer:
        """Send a request, whose body follows in pieces or not, and return the answer when its head is there."""
        self._head = self._loop.create_future()
        self._is_head, self._in_head, self._keeps = is_head, True, False
        self._head_bytes, self._headers = 0, []
        self._since = self._loop.time()
        self._check_at(self._since + self._pool.answer_seconds)
        self._transport.write(sent)
        if pieces is not None:
            self._continued = self._loop.create_future() if waits_for_100 else None
            self._sender = self._loop.create_task(self._send(pieces, is_chunked))
        try:
            return await self._head
        except BaseException:
            self.abort()
            raise

    def resume(self) -> None:
        """Read on, where reading was paused."""
        if self._is_paused:
            self._is_paused = False
            self._since = self._loop.time()
            self._transport.resume_reading()

    def abort(self) -> None:
        """Close the connection at once."""
        self._end(BrokenOff("the request was left"))

    # --- what is sent

    async def _send(self, pieces: AsyncIterator[bytes], is_chunked: bool) -> None:
        try:
            if self._continued is not None:
                await self._continued
            async for piece in pieces:
                self._transport.write(b"%x\r\n%b\r\n" % (len(piece), piece) if is_chunked else piece)
                if self._writable is not None:
                    await self._writable
            if is_chunked:
                self._transport.write(b"0\r\n\r\n")
        except Exception as error:
            self._sender = None
            self._end(error)
        else:
            self._sender = None
            self._since = self._loop.time()

    def pause_writing(self) -> None:
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    # --- what arrives

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._pool.opened(self)

    def data_received(self, data: bytes) -> None:
        self._since = self._loop.time()
        if self._head is None:
            self._end(InvalidAnswer("something came that was not asked for"))
            return
        if self._in_head:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            cause = error.__context__
            self._end(cause if isinstance(cause, InvalidAnswer) else InvalidAnswer(str(error)))
            return
        if self._in_head and self._head_bytes > MAX_HEAD:
            self._end(_head_too_large())
            return
        if self._answer is not None and self._answer.is_complete:
            if self._is_head or self._answer.status in _WITHOUT_BODY:
                # The parser waits for the body that the head of such an answer may state.
                self._parser = httptools.HttpResponseParser(self)
                self._keeps = self._keeps and data.endswith(b"\r\n\r\n")
            self._release()

    def on_message_begin(self) -> None:
        if not self._in_head:
            raise InvalidAnswer("something came after the end of the answer")

    def on_status(self, reason: bytes) -> None:
        self._reason = reason

    def on_header(self, name: bytes, value: bytes) -> None:
        # Fields after a chunked body (trailers) are dropped.
        if self._in_head:
            self._headers.append((name.lower(), value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:
            if status == 101:
                raise InvalidAnswer("it changes the protocol, which was not asked for")
            self._is_interim = True
            self._headers = []
            if status == 100 and self._continued is not None and not self._continued.done():
                self._continued.set_result(None)
            return
        if self._head_bytes > MAX_HEAD and sum(len(name) + len(value) + 4 for name, value in self._headers) > MAX_HEAD:
            raise _head_too_large()
        length: int | None = None
        coding: bytes | None = None
        for name, value in self._headers:
            if name == b"content-length":
                length = int(value)
            elif name == b"transfer-encoding":
                coding = value if coding is None else b"%b, %b" % (coding, value)
        if coding is not None and (coding.lower() != b"chunked" or length is not None):
            raise InvalidAnswer("the end of its body cannot be told from its head")
        self._in_head = False
        has_body = not (self._is_head or status in _WITHOUT_BODY)
        self._ends_with_connection = has_body and length is None and coding is None
        self._answer = answer = Answer(self, status, self._reason, self._headers, length)
        if not has_body:
            self._keeps = self._parser.should_keep_alive()
            answer.completed()
        if self._head is not None and not self._head.done():
            self._head.set_result(answer)

    def on_body(self, body: bytes) -> None:
        if self._answer is None or self._answer.is_complete:
            raise InvalidAnswer("a body came that the answer has not")
        if self._answer.arrived(body) and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        if self._is_interim:
            self._is_interim = False
        elif self._answer is not None and not self._answer.is_complete:
            self._keeps = self._parser.should_keep_alive()
            self._answer.completed()

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is None and self._ends_with_connection and self._answer is not None:
            self._answer.completed()
        self._end(BrokenOff(str(exc) if exc else "the service closed the connection"))
        self._pool.closed(self)

    # --- the end

    def _release(self) -> None:
        """The answer is complete: keep the connection where both sides are done with it."""
        if not self._keeps or self._sender is not None:
            self.abort()
            return
        self._head = self._answer = self._continued = None
        self.resume()
        self._pool.released(self)

    def _end(self, error: Exception) -> None:
        """Close the connection; a request that is under way fails with this error."""
        head, answer, sender = self._head, self._answer, self._sender
        self._head = self._answer = self._sender = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if sender is not None:
            sender.cancel()
        self.resume_writing()
        self._transport.abort()
        if head is not None and not head.done():
            head.set_exception(error)
        elif answer is not None and not answer.is_complete:
            answer.failed(error)

    def _check_at(self, when: float) -> None:
        if self._timer is None or self._timer.when() > when:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(when, self._check)

    def _check(self) -> None:
        """End the connection where it was silent for too long; look again later where it was not."""
        self._timer = None
        now = self._loop.time()
        if self._head is None:
            end = self._since + KEEP_SECONDS
        else:
            # Time in which the service waits for us is not its own.
            if self._sender is not None or self._is_paused:
                self._since = now
            end = self._since + self._pool.answer_seconds
        if now >= end:
            self._end(TimeoutError("the service sends nothing"))
        else:
            self._check_at(end)


def _head_too_large() -> InvalidAnswer:
    return InvalidAnswer(f"its head has more than {MAX_HEAD} bytes")
