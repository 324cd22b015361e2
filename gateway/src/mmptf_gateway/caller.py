"""The caller of one forwarded request: the body that they send, and whether their connection is still open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType

from starlette.types import Receive

# Listening for a disconnect costs a task, a tenth of a forwarded request; a quick answer is sent without it.
LISTEN_AFTER_SECONDS = 0.1


class CallerLeft(ConnectionError):
    """The caller closed the connection before the end of the body."""


class Caller:
    """A context that ends early, without an exception, when the caller disconnects or the service reads no more.

    gone: the caller disconnected; stalled: the service neither began to answer nor read from the body for
    `stalled_after` seconds
    """

    def __init__(self, receive: Receive, *, stalled_after: float) -> None:
        self.gone = False
        self.stalled = False
        self._receive = receive
        self._stalled_after = stalled_after
        self._loop = asyncio.get_running_loop()
        self._limit = asyncio.timeout(None)
        self._inside = False
        self._answered = False
        self._listener: asyncio.TimerHandle | asyncio.Task[None] | None = None

    async def __aenter__(self) -> Caller:
        await self._limit.__aenter__()
        self._inside = True
        self._listen_later()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._inside = False
        self._stop_listening()
        try:
            await self._limit.__aexit__(kind, error, trace)
        except TimeoutError:
            self.stalled = not self.gone
            return True
        return self.gone and isinstance(error, Exception)

    async def body(self, *, asked_first: bool) -> bytes | AsyncIterator[bytes]:
        """The body: bytes where it has arrived completely, else an iterator of its pieces; raises CallerLeft.

        asked_first: nothing is received before the service reads, since the server sends 100 (Continue) to the caller
        at the first receive
        """
        self._stop_listening()
        if asked_first:
            self._take_up_soon()
            return self._pieces(b"")
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self._leave()
            raise CallerLeft
        piece: bytes = message["body"]
        if message["more_body"]:
            return self._pieces(piece)
        self._listen_later()
        return piece

    def answered(self) -> None:
        """Mark that the answer has begun: from here on only a disconnect of the caller ends the context."""
        self._answered = True
        if not self.gone:
            self._end_at(None)

    async def _pieces(self, piece: bytes) -> AsyncIterator[bytes]:
        self._end_at(None)
        more = True
        while more:
            if piece:
                self._take_up_soon()
                yield piece
                self._end_at(None)
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self._leave()
                raise CallerLeft
            piece, more = message["body"], message["more_body"]
        if piece:
            self._take_up_soon()
            yield piece
            self._end_at(None)
        self._listen_later()

    def _take_up_soon(self) -> None:
        if not self._answered:
            self._end_at(self._loop.time() + self._stalled_after)

    def _end_at(self, when: float | None) -> None:
        if self._inside:
            self._limit.reschedule(when)

    def _leave(self) -> None:
        self.gone = True
        self._end_at(self._loop.time())

    def _listen_later(self) -> None:
        if self._inside:
            self._listener = self._loop.call_later(LISTEN_AFTER_SECONDS, self._listen)

    def _listen(self) -> None:
        self._listener = self._loop.create_task(self._until_gone())

    async def _until_gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._leave()

    def _stop_listening(self) -> None:
        if self._listener is not None:
            self._listener.cancel()
            self._listener = None
