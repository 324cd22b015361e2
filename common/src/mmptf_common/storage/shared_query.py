"""A query that runs once for all requests that wait for its result at the same time."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar, cast

from mmptf_common.storage.engines import Database, ReadKind, reading
from mmptf_common.wire.problems import ServiceUnavailable

T = TypeVar("T")


class SharedQuery(Generic[T]):
    """A query that runs once at a time, however many requests wait for its result.

    run: the query, given a read connection, which is released as soon as the result is there
    seconds: how old a result may be; with 0 every result is from a query that began after it was asked for
    """

    def __init__(self, database: Database, run: Callable[[Any], Awaitable[T]], seconds: float = 0.0) -> None:
        self._database = database
        self._run = run
        self._seconds = seconds
        self._running = asyncio.Lock()
        self._began = self._failed = -math.inf
        self._found: T | ServiceUnavailable | None = None

    async def result(self) -> T:
        """The result of a query that began at most `seconds` ago.

        Raises ServiceUnavailable where the database cannot be reached: all requests that wait meanwhile, and no later
        one, since each of them would wait as long for the next failure.
        """
        came = time.monotonic()
        async with self._running:
            if self._failed < came and self._began < came - self._seconds:
                began = time.monotonic()
                try:
                    async with reading(self._database, ReadKind.PROBE) as connection:
                        self._found = await self._run(connection)
                except ServiceUnavailable as problem:
                    self._found, self._began, self._failed = problem, -math.inf, time.monotonic()
                else:
                    # Not before there is a result: a request that is cancelled while it asks leaves none.
                    self._began = began
            if isinstance(self._found, ServiceUnavailable):
                raise self._found
            return cast("T", self._found)
