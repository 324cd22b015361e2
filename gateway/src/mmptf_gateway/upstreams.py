"""The services as the gateway calls them: how many requests may be in flight, and a circuit breaker for each."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import aiohttp
import httpx

from mmptf_common.process.client import failure
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import GatewayTimeout, ServiceUnavailable

log = logging.getLogger("mmptf.gateway")

# The breaker of a service opens after so many time-outs and failed connections in a row, the first no longer ago.
FAILURES_IN_A_ROW = 5
WINDOW_SECONDS = 60.0
# While it is open, one request in so many seconds is sent. Those before it may still wait: a process that stands still
# accepts connections, and the one that replaces it is found by a new request only.
PAUSE_SECONDS = 2.0


@dataclass(slots=True)
class Budget:
    """How many requests of one kind may be in flight to a service, and how many are."""

    limit: int
    used: int = 0


class InFlight:
    """One request that is counted as in flight until it ends."""

    __slots__ = ("_budget", "_upstream")

    def __init__(self, upstream: Upstream, budget: Budget) -> None:
        self._upstream = upstream
        self._budget: Budget | None = budget
        budget.used += 1

    def lasts(self) -> None:
        """Count it among the long ones from now on, where these have room."""
        long = self._upstream.long
        if self._budget is self._upstream.short and long.used < long.limit:
            self._upstream.short.used -= 1
            long.used += 1
            self._budget = long

    def end(self) -> None:
        """Count it no more; the second time it does nothing."""
        if self._budget is not None:
            self._budget.used -= 1
            self._budget = None


class Upstream:
    """One service: its origin, the requests in flight to it, and its circuit breaker.

    short: requests that are answered at once; long: those that last, such as long polls and exports. Each kind has its
    own budget, so that none takes away the other's.
    """

    def __init__(self, name: str, origin: str, *, short: int, long: int) -> None:
        self.name = name
        self.origin = origin
        self.short = Budget(short)
        self.long = Budget(long)
        self.open_since: datetime | None = None
        self._failures = 0
        self._first_failure = 0.0
        self._next_try = 0.0

    def admit(self, *, lasts: bool) -> InFlight:
        """A request that is counted from now on; raises ServiceUnavailable where it may not be sent now."""
        if self.open_since is not None and time.monotonic() < self._next_try:
            raise ServiceUnavailable(
                f"The service {self.name!r} has not answered several requests in a row and gets one in"
                f" {PAUSE_SECONDS:g} seconds until it answers again.",
                code=ProblemCode.SERVICE_NOT_ANSWERING,
            )
        budget = self.long if lasts else self.short
        # The first requests to a service that hangs wait until they time out, and must not stop the one that finds it
        # back, for which the budget is exceeded by one.
        if budget.used >= budget.limit and self.open_since is None:
            raise self._too_many(budget)
        if self.open_since is not None:
            self._next_try = time.monotonic() + PAUSE_SECONDS
        return InFlight(self, budget)

    def answered(self) -> None:
        """Note an answer, whatever its status: it closes the breaker."""
        if self._failures:
            self._failures = 0
            if self.open_since is not None:
                log.warning("service answers again", extra={"service": self.name})
                self.open_since = None

    def failed(self, error: BaseException) -> None:
        """Note a failed request; only a time-out or a failed connection counts."""
        cause = error.__cause__ if isinstance(error, httpx.HTTPError) else error
        if not isinstance(cause or error, (TimeoutError, httpx.TimeoutException, aiohttp.ClientConnectorError)):
            return
        now = time.monotonic()
        if not self._failures or (self.open_since is None and now - self._first_failure > WINDOW_SECONDS):
            self._failures, self._first_failure = 0, now
        self._failures += 1
        if self._failures >= FAILURES_IN_A_ROW and self.open_since is None:
            self.open_since = datetime.now(UTC)
            self._next_try = now + PAUSE_SECONDS
            log.warning("service does not answer", extra={"service": self.name, "failures": self._failures})

    def _too_many(self, budget: Budget) -> ServiceUnavailable:
        kind = "long polls, exports and uploads" if budget is self.long else "requests"
        return ServiceUnavailable(
            f"The service {self.name!r} has {budget.limit} {kind} under way, as many as the gateway sends at once.",
            code=ProblemCode.SERVICE_OVERLOADED,
        )


class Asking:
    """GET requests of the gateway's own to the services, within the same bounds as those that it forwards."""

    def __init__(self, upstreams: Mapping[str, Upstream], client: httpx.AsyncClient) -> None:
        self.upstreams = upstreams
        self._client = client
        self._shared: dict[tuple[str, str], asyncio.Task[httpx.Response]] = {}

    async def get(
        self,
        name: str,
        path: str,
        *,
        seconds: float,
        headers: Mapping[str, str] | None = None,
        follow_redirects: bool = False,
    ) -> httpx.Response:
        """The answer of a service, whatever its status.

        Raises GatewayTimeout after `seconds`, BadGateway where it cannot be reached, ServiceUnavailable where its
        breaker is open or too many requests are in flight, and httpx.TooManyRedirects.
        """
        upstream = self.upstreams[name]
        in_flight = upstream.admit(lasts=False)
        try:
            return await self._send(upstream, path, seconds, headers, follow_redirects)
        finally:
            in_flight.end()

    async def check(self, name: str, path: str, *, seconds: float) -> httpx.Response:
        """The answer of a service to a question about its state, asked also while its breaker is open.

        Callers that ask the same at the same time share one request. Raises GatewayTimeout or BadGateway.
        """
        key = (name, path)
        if (task := self._shared.get(key)) is None:
            task = asyncio.create_task(self._send(self.upstreams[name], path, seconds, None, False))
            self._shared[key] = task
            task.add_done_callback(lambda done: self._end(key, done))
        return await asyncio.shield(task)

    def _end(self, key: tuple[str, str], task: asyncio.Task[httpx.Response]) -> None:
        del self._shared[key]
        if not task.cancelled():
            task.exception()  # all that waited may have left, and a failure that nobody reads would be logged

    async def _send(
        self, upstream: Upstream, path: str, seconds: float, headers: Mapping[str, str] | None, follow_redirects: bool
    ) -> httpx.Response:
        try:
            async with asyncio.timeout(seconds):
                answer = await self._client.get(
                    f"{upstream.origin}{path}", headers=headers, follow_redirects=follow_redirects
                )
        except TimeoutError as error:
            upstream.failed(error)
            raise GatewayTimeout(f"The service {upstream.name!r} did not answer in {seconds:g} seconds.") from error
        except httpx.TooManyRedirects:
            upstream.answered()
            raise
        except httpx.HTTPError as error:
            upstream.failed(error)
            raise failure(upstream.name, error) from error
        upstream.answered()
        return answer
