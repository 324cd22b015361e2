"""Results that are computed once for all requests that wait for them at the same time."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar, cast

from mmptf_common.storage.connections import CONNECT_SECONDS
from mmptf_common.storage.engines import READS, Database, ReadKind, reading
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import ServiceUnavailable

T = TypeVar("T")


class SharedResult(Generic[T]):
    """A result that is computed once at a time, however many requests wait for it.

    seconds: how old a result may be; with 0 each is of a computation that began after it was asked for
    """

    def __init__(self, seconds: float = 0.0) -> None:
        self._seconds = seconds
        self._running = asyncio.Lock()
        self._began = self._failed = -math.inf
        self._found: T | ServiceUnavailable | None = None

    async def get(self, compute: Callable[[], Awaitable[T]], within: float | None = None) -> tuple[T, bool]:
        """The result, and whether another request has computed it.

        within: seconds in which a computation begins or its result is there; None for no limit
        Raises TimeoutError where they are over, and ServiceUnavailable where `compute` does: for all requests that
        wait meanwhile, and no later one, since each of them would wait as long for the next failure.
        """
        came = time.monotonic()
        async with asyncio.timeout(within):
            await self._running.acquire()
        try:
            is_own = self._failed < came and self._began < came - self._seconds
            if is_own:
                await self._compute(compute)
        finally:
            self._running.release()
        if isinstance(self._found, ServiceUnavailable):
            raise self._found
        return cast("T", self._found), not is_own

    async def _compute(self, compute: Callable[[], Awaitable[T]]) -> None:
        began = time.monotonic()
        try:
            self._found = await compute()
        except ServiceUnavailable as problem:
            self._found, self._began, self._failed = problem, -math.inf, time.monotonic()
        else:
            # Not before there is a result: a request that is cancelled while it asks leaves none.
            self._began = began


class SharedQuery(Generic[T]):
    """A query that runs once at a time, however many requests wait for its result.

    run: the query, given a read connection, which is released as soon as the result is there
    seconds: how old a result may be; with 0 every result is from a query that began after it was asked for
    """

    def __init__(self, database: Database, run: Callable[[Any], Awaitable[T]], seconds: float = 0.0) -> None:
        self._database = database
        self._run = run
        self._shared: SharedResult[T] = SharedResult(seconds)

    async def result(self) -> T:
        """The result of a query that began at most `seconds` ago.

        Raises ServiceUnavailable where the database cannot be reached.
        """
        found, _ = await self._shared.get(self._query)
        return found

    async def _query(self) -> T:
        async with reading(self._database, ReadKind.PROBE) as connection:
            return await self._run(connection)


class SharedAnswers(Generic[T]):
    """Answers to questions, each of which is computed once for all requests that ask it at the same time."""

    def __init__(self) -> None:
        # Each only as long as a request waits for it.
        self._by_question: dict[str, SharedResult[T]] = {}
        self._waiting: Counter[str] = Counter()

    async def get(self, question: str, compute: Callable[[], Awaitable[T]]) -> tuple[T, bool]:
        """The answer of a computation that began after it was asked for, and whether another request has computed it.

        Raises ServiceUnavailable where none begins within CONNECT_SECONDS, and where `compute` does.
        """
        shared = self._by_question.setdefault(question, SharedResult())
        self._waiting[question] += 1
        try:
            return await shared.get(compute, CONNECT_SECONDS)
        except TimeoutError:
            overloaded = READS[ReadKind.COMPUTED].overloaded
            raise ServiceUnavailable(overloaded, code=ProblemCode.OVERLOADED) from None
        finally:
            self._waiting[question] -= 1
            if not self._waiting[question]:
                del self._waiting[question], self._by_question[question]
