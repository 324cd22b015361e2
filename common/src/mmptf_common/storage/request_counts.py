"""How many requests each client has sent in the last minute, counted here and, through Redis, in all processes."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any

from mmptf_common.process.tasks import end_task

if TYPE_CHECKING:
    from redis.asyncio import Redis, RedisCluster

WINDOW_SECONDS = 60
# The clients whose counts are kept; beyond them the one that has sent nothing for longest is forgotten.
MOST_CLIENTS = 100_000
EXCHANGE_SECONDS = 1.0
# In one round trip, which takes the event loop about five milliseconds, and in one exchange.
IN_ONE_PIPELINE = 100
IN_ONE_EXCHANGE = 5_000
# Those that wait for an exchange; who finds no room in it waits for its next request.
MOST_UNSENT = 20_000
# A window is read until the end of the one after it; the rest is for clocks that differ.
EXPIRY_SECONDS = 3 * WINDOW_SECONDS
PREFIX = "mmptf-requests"

log = logging.getLogger("mmptf.limits")


@dataclass(frozen=True, slots=True)
class Counted:
    """Whether one request is within the limit, how many more are, and the seconds until there are more again."""

    allowed: bool
    remaining: int
    seconds: int


class _Window:
    """The requests of one client and kind in one window of a minute.

    before: those of all processes in the window before; others: those of other processes in this one, as last heard
    own: those of this process; sent: how many of them were sent to Redis; is_due: whether it waits for an exchange
    """

    __slots__ = ("before", "is_due", "key", "number", "others", "own", "sent")

    def __init__(self, key: tuple[str, str], number: int, before: int) -> None:
        self.key = key
        self.number = number
        self.before = before
        self.is_due = False
        self.others = self.own = self.sent = 0


class RequestCounts:
    """Counts in a sliding window of a minute: a fixed one, and of the one before it the part within a minute.

    `count` takes no longer than a few microseconds and waits for nothing. `exchanging` adds the counts of other
    processes once a second; while Redis cannot be reached, each process counts alone.
    """

    def __init__(self) -> None:
        self._windows: OrderedDict[tuple[str, str], _Window] = OrderedDict()
        self._unsent: list[_Window] = []
        self._is_exchanged = False
        self._is_shared: bool | None = None

    def count(self, kind: str, client: str, limit: int) -> Counted:
        """Count a request of a client, unless the limit of requests a minute is reached."""
        now = time.time()
        number = int(now // WINDOW_SECONDS)
        elapsed = now - number * WINDOW_SECONDS
        key = (kind, client)
        window = self._windows.get(key)
        if window is None:
            window = self._windows[key] = _Window(key, number, 0)
            if len(self._windows) > MOST_CLIENTS:
                self._windows.popitem(last=False)
        else:
            self._windows.move_to_end(key)
            if window.number != number:
                before = window.others + window.own if window.number == number - 1 else 0
                window = self._windows[key] = _Window(key, number, before)
        here = window.others + window.own
        free = limit - here - window.before * (1 - elapsed / WINDOW_SECONDS)
        if free < 1:
            return Counted(False, 0, _seconds_to_wait(limit, here, window.before, elapsed))
        if self._is_exchanged and not window.is_due and len(self._unsent) < MOST_UNSENT:
            window.is_due = True
            self._unsent.append(window)
        window.own += 1
        return Counted(True, int(free) - 1, ceil(WINDOW_SECONDS - elapsed))

    @asynccontextmanager
    async def exchanging(self, url: str | None) -> AsyncIterator[None]:
        """Share the counts through Redis until the end of the context; without a URL each process counts alone."""
        if url is None:
            yield
            return
        # A process without Redis does not need its client.
        from mmptf_common.storage.redis_clients import open_client

        async with open_client(url, seconds=1) as client:
            self._is_exchanged = True
            task = asyncio.create_task(self._exchange_forever(client.redis))
            try:
                yield
            finally:
                await end_task(task)

    async def _exchange_forever(self, client: Redis | RedisCluster) -> None:
        while True:
            await asyncio.sleep(EXCHANGE_SECONDS)
            try:
                await self.exchange(client)
            except Exception as error:  # whatever Redis, or what answers in its place, does: counting goes on here
                if self._is_shared is not False:
                    reason = f"{type(error).__name__}: {error}"
                    log.warning("rate limits are counted in this process alone", extra={"reason": reason})
                self._is_shared = False
            else:
                if self._is_shared is False:
                    log.warning("rate limits are shared again")
                self._is_shared = True

    async def exchange(self, client: Redis | RedisCluster) -> None:
        """Add what was counted here since the last time to Redis, and take over the totals."""
        now = int(time.time() // WINDOW_SECONDS)
        current = [window for window in self._unsent if window.number >= now - 1]
        due, self._unsent = current[:IN_ONE_EXCHANGE], current[IN_ONE_EXCHANGE:]
        while due:
            part, due = due[:IN_ONE_PIPELINE], due[IN_ONE_PIPELINE:]
            try:
                await self._exchange_part(client, part)
            except BaseException:
                self._unsent += due
                raise

    async def _exchange_part(self, client: Redis | RedisCluster, part: list[_Window]) -> None:
        counts = [window.own - window.sent for window in part]
        # Also where no answer comes: what Redis may have is not sent again, since the client would be limited for it.
        sent = [window.own for window in part]
        for window, own in zip(part, sent, strict=True):
            window.sent = own
            window.is_due = False
        async with client.pipeline(transaction=False) as pipeline:
            for window, count in zip(part, counts, strict=True):
                name = _name(window.key)
                pipeline.incrby(f"{name}:{window.number}", count)
                pipeline.expire(f"{name}:{window.number}", EXPIRY_SECONDS)
                pipeline.get(f"{name}:{window.number - 1}")
            answers: list[Any] = await pipeline.execute(raise_on_error=False)
        for window, ours, total, before in zip(part, sent, answers[::3], answers[2::3], strict=True):
            # A key of this name with something else in it gives an error, and this client is counted here alone.
            if isinstance(total, int):
                window.others = max(window.others, total - ours)
            if isinstance(before, bytes) and before.isdigit():
                window.before = max(window.before, int(before[:18]))


def _name(key: tuple[str, str]) -> str:
    """The key in Redis without the number of its window; who the client is cannot be read from it."""
    kind, client = key
    return f"{PREFIX}:{kind}:{hashlib.blake2b(client.encode(), digest_size=12).hexdigest()}"


def _seconds_to_wait(limit: int, here: int, before: int, elapsed: float) -> int:
    """Whole seconds until one more request is within the limit, if no other comes."""
    if here >= limit:
        # Into the next window, until the part of this one that still counts leaves room.
        seconds = WINDOW_SECONDS - elapsed + WINDOW_SECONDS * (1 - (limit - 1) / here)
    else:
        seconds = WINDOW_SECONDS * (1 - (limit - 1 - here) / before) - elapsed
    return max(1, ceil(seconds))
