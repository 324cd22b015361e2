"""A line to Redis over which the messages of some channels come, and by which it is known that none is missing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack

from redis._parsers import _AsyncRESP2Parser
from redis.asyncio import Connection
from redis.exceptions import InvalidResponse

from mmptf_common.storage.redis_clients import open_connection

CONNECT_SECONDS = 1.0
# Seconds between two questions whether the line holds, and those without an answer after which it is given up.
ASK_SECONDS, SILENT_SECONDS = 0.25, 2.0
# Of the longest message, and of the longest array: kind, channel and message.
MOST_BYTES, MOST_MEMBERS = 500, 3


class _Parser(_AsyncRESP2Parser):
    """Reads what a line of messages has; the client's own takes memory for any length that is announced."""

    async def _readline(self) -> bytes:
        line: bytes = await super()._readline()
        most = {b"$": MOST_BYTES, b"*": MOST_MEMBERS}.get(line[:1])
        if most is not None and not (line[1:].isdigit() and len(line) < 10 and int(line[1:]) <= most):
            raise InvalidResponse(f"{line[:20]!r} is no part of a message")
        return line


async def listen(
    url: str, channels: Iterable[str], heard: Callable[[str, bytes], None], whole_until: Callable[[float], None]
) -> None:
    """Call `heard` with the channel and the text of each message, until cancelled.

    whole_until: called with a monotonic second when all messages have been heard that were published before it
    Raises whatever the client does where Redis cannot be reached, and TimeoutError where it says nothing.
    """
    try:
        async with AsyncExitStack() as stack:
            async with asyncio.timeout(CONNECT_SECONDS):
                opening = open_connection(url, seconds=CONNECT_SECONDS, parser=_Parser)
                connection = await stack.enter_async_context(opening)
                await connection.send_command("SUBSCRIBE", *channels)
            # The reader ends with an error where the connection breaks, which the other closes where it is silent.
            async with asyncio.TaskGroup() as tasks:
                line = _Line(connection, heard, whole_until)
                tasks.create_task(line.ask())
                tasks.create_task(line.read())
    except ExceptionGroup as group:
        raise group.exceptions[0] from None


class _Line:
    """A connection that is subscribed: what comes over it, and whether something does."""

    def __init__(
        self, connection: Connection, heard: Callable[[str, bytes], None], whole_until: Callable[[float], None]
    ) -> None:
        self._connection = connection
        self._heard = heard
        self._whole_until = whole_until
        self._last = time.monotonic()

    async def ask(self) -> None:
        """Ask again and again; Redis answers in the order in which it sends messages."""
        while True:
            asked = time.monotonic()
            if asked - self._last > SILENT_SECONDS:
                raise TimeoutError(f"Redis has said nothing for {SILENT_SECONDS:g} s")
            await self._connection.send_command("PING", repr(asked))
            await asyncio.sleep(ASK_SECONDS)

    async def read(self) -> None:
        """Read messages, and the answers to what `ask` asks."""
        while True:
            # It is closed in one place, where that is waited for.
            match await self._connection.read_response(disconnect_on_error=False):
                case [b"message", bytes(channel), bytes(message)]:
                    self._heard(channel.decode(), message)
                case [b"pong", bytes(asked)]:
                    self._last = float(asked)
                    self._whole_until(self._last)
                case [b"subscribe", *_]:
                    continue
                case Exception() as error:
                    raise error
                case other:
                    raise InvalidResponse(f"{other!r} is no message"[:100])
