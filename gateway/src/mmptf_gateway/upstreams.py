"""The services as the gateway calls them: how many requests may be in flight, and a circuit breaker for each."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin

from mmptf_common.process.context import OWN_NAMES, current
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import BadGateway, GatewayTimeout, ProblemError, ServiceUnavailable
from mmptf_gateway.connections import Answer, CannotConnect, Connections, InvalidAnswer

log = logging.getLogger("mmptf.gateway")

# The breaker of a service opens after so many time-outs and failed connections in a row, the first no longer ago.
FAILURES_IN_A_ROW = 5
WINDOW_SECONDS = 60.0
# While it is open, one request in so many seconds is sent. Those before it may still wait: a process that stands still
# accepts connections, and the one that replaces it is found by a new request only.
PAUSE_SECONDS = 2.0
# Most bytes of an answer that the gateway reads for itself: the contract of a service is the longest.
LONGEST_ANSWER = 16_777_216
MOST_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# A path, with a query or not, and nothing that would end a request line.
_PATH = re.compile(r"/(?!/)[!-\"$-~]*")


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
    """One service: the connections to it, the requests in flight, and its circuit breaker.

    short: requests that are answered at once; long: those that last, such as long polls and exports. Each kind has its
    own budget, so that none takes away the other's.
    """

    def __init__(self, name: str, connections: Connections, *, short: int, long: int) -> None:
        self.name = name
        self.connections = connections
        self.short = Budget(short)
        self.long = Budget(long)
        self.open_since: datetime | None = None
        self._failures = 0
        self._first_failure = 0.0
        self._next_try = 0.0

    @property
    def budgets(self) -> dict[str, Budget]:
        """Both budgets by their names."""
        return {"short": self.short, "long": self.long}

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

    def failed(self, error: Exception) -> ProblemError:
        """The problem for a request that failed before its answer; a time-out and a failed connection are counted."""
        is_late = isinstance(error, TimeoutError)
        is_away = isinstance(error, CannotConnect)
        if is_late or is_away:
            self._count()
        if is_late:
            return GatewayTimeout(f"The service {self.name!r} did not answer in time.")
        if is_away:
            return BadGateway(f"The service {self.name!r} cannot be reached.")
        return BadGateway(f"The service {self.name!r} broke the connection without a valid answer.")

    def _count(self) -> None:
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


class TooManyRedirects(Exception):
    """A service redirected from one path to another again and again."""


@dataclass(frozen=True, slots=True)
class ServiceAnswer:
    """An answer that the gateway has read for itself; path: that of the last redirect that was followed."""

    status: int
    reason: str
    headers: Mapping[str, str]
    content: bytes
    path: str

    @property
    def is_success(self) -> bool:
        """Whether the status is one of success."""
        return 200 <= self.status < 300

    def json(self) -> Any:
        """The content, read as JSON; raises ValueError."""
        return json.loads(self.content)


class Asking:
    """GET requests of the gateway's own to the services, within the same bounds as those that it forwards."""

    def __init__(self, upstreams: Mapping[str, Upstream]) -> None:
        self.upstreams = upstreams
        self._shared: dict[tuple[str, str], asyncio.Task[ServiceAnswer]] = {}

    async def get(
        self,
        name: str,
        path: str,
        *,
        seconds: float,
        headers: Mapping[str, str] | None = None,
        follow_redirects: bool = False,
    ) -> ServiceAnswer:
        """The answer of a service, whatever its status.

        follow_redirects: to other paths of the same service
        Raises GatewayTimeout after `seconds`, BadGateway where it cannot be reached, ServiceUnavailable where its
        breaker is open or too many requests are in flight, and TooManyRedirects.
        """
        upstream = self.upstreams[name]
        in_flight = upstream.admit(lasts=False)
        try:
            return await _get(upstream, path, seconds, headers or {}, follow_redirects)
        finally:
            in_flight.end()

    async def check(self, name: str, path: str, *, seconds: float) -> ServiceAnswer:
        """The answer of a service to a question about its state, asked also while its breaker is open.

        Callers that ask the same at the same time share one request. Raises GatewayTimeout or BadGateway.
        """
        key = (name, path)
        if (task := self._shared.get(key)) is None:
            task = asyncio.create_task(_get(self.upstreams[name], path, seconds, {}, False))
            self._shared[key] = task
            task.add_done_callback(lambda done: self._end(key, done))
        return await asyncio.shield(task)

    def _end(self, key: tuple[str, str], task: asyncio.Task[ServiceAnswer]) -> None:
        del self._shared[key]
        if not task.cancelled():
            task.exception()  # all that waited may have left, and a failure that nobody reads would be logged


async def _get(
    upstream: Upstream, path: str, seconds: float, headers: Mapping[str, str], follow_redirects: bool
) -> ServiceAnswer:
    context = current.get()
    sent = [
        (b"host", upstream.connections.authority),
        (b"user-agent", OWN_NAMES + b"gateway"),
        *((name.lower().encode(), value.encode()) for name, value in headers.items()),
        *(context.header_lines() if context else ()),
    ]
    try:
        async with asyncio.timeout(seconds):
            for _ in range(MOST_REDIRECTS + 1):
                answer = await upstream.connections.request(b"GET", path.encode(), sent)
                try:
                    found = await _read(answer, path)
                finally:
                    answer.close()
                target = found.headers.get("location") if follow_redirects and found.status in _REDIRECTS else None
                # A service leads to none but its own paths.
                if target is None or not _PATH.fullmatch(path := urljoin(path, target)):
                    upstream.answered()
                    return found
    except TimeoutError as error:
        upstream.failed(error)
        raise GatewayTimeout(f"The service {upstream.name!r} did not answer in {seconds:g} seconds.") from error
    except OSError as error:
        raise upstream.failed(error) from error
    upstream.answered()
    raise TooManyRedirects(path)


async def _read(answer: Answer, path: str) -> ServiceAnswer:
    pieces = []
    is_end = False
    size = 0
    while not is_end:
        piece, is_end = await answer.piece()
        pieces.append(piece)
        size += len(piece)
        if size > LONGEST_ANSWER:
            raise InvalidAnswer(f"its body has more than {LONGEST_ANSWER} bytes")
    headers: dict[str, str] = {}
    for header in answer.headers:
        name, value = (part.decode("latin-1") for part in header)
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    if headers.get("content-encoding", "identity") != "identity":
        raise InvalidAnswer("its body has a coding that was not asked for")
    return ServiceAnswer(answer.status, answer.reason.decode("latin-1"), headers, b"".join(pieces), path)
