"""Figures of this process for Prometheus: counted where requests end, and answered on a port of their own.

What is counted for each request is plain numbers, so that it costs a microsecond; their names and texts are made when
they are asked for, and the client library of Prometheus is imported where METRICS_PORT is set only.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, NamedTuple

from mmptf_common.wire.problem_codes import ProblemCode

if TYPE_CHECKING:
    from prometheus_client import Metric

# Upper bounds of the histograms, in seconds and in rows.
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
ROWS = (1.0, 5.0, 10.0, 50.0, 100.0, 500.0, 1000.0, 5000.0, 10000.0)
# Of a request that no operation has answered: its path or method is none of the contract, or its head is not right.
NO_OPERATION = "none"
# Seconds in which the process says what it has counted. One that stands still does not, and the scrape fails.
ANSWER_SECONDS = 5.0
# Codes that are shown as 0 before the first problem, for rules that compare them.
_SHOWN = (
    ProblemCode.BUSY, ProblemCode.INTERNAL_ERROR, ProblemCode.OVERLOADED, ProblemCode.SERVICE_NOT_ANSWERING,
    ProblemCode.SERVICE_OVERLOADED, ProblemCode.TOO_MANY_CONNECTIONS, ProblemCode.TOO_MANY_REQUESTS,
    ProblemCode.TOO_SLOW, ProblemCode.UNAVAILABLE,
)  # fmt: skip


class Histogram:
    """How many values are at most each bound, and their sum."""

    __slots__ = ("_bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self._bounds, value)] += 1
        self.sum += value

    def buckets(self) -> list[tuple[str, float]]:
        """Each bound as Prometheus writes it, the last one `+Inf`, with the number of values up to it."""
        total = 0
        found: list[tuple[str, float]] = []
        for bound, count in zip((*map(str, self._bounds), "+Inf"), self.counts, strict=True):
            total += count
            found.append((bound, total))
        return found


class Figure(NamedTuple):
    """A metric as it is now; samples: the labels of each, and its number or histogram."""

    kind: Literal["counter", "gauge", "histogram"]
    name: str
    help: str
    samples: Iterable[tuple[Mapping[str, str], float | Histogram]]


class Counts:
    """What a process has counted since it started.

    requests: by operation and status; seconds: by operation; problems: by code; batches: by the body's member with rows
    in_flight: the requests that are being answered now
    """

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, int]] = Counter()
        self.seconds: dict[str, Histogram] = {}
        self.problems: Counter[str] = Counter(dict.fromkeys(map(str, _SHOWN), 0))
        self.batches: dict[str, Histogram] = {}
        self.in_flight = 0

    def request_ended(self, operation: str, status: int, seconds: float) -> None:
        """Count a request; operation: its `operationId`, so that there are not more of them than in the contract."""
        self.requests[operation, status] += 1
        histogram = self.seconds.get(operation)
        if histogram is None:
            histogram = self.seconds[operation] = Histogram(SECONDS)
        histogram.observe(seconds)

    def batch(self, member: str, rows: int) -> None:
        """Count a batch; member: that of its body which has the rows."""
        self.batches.setdefault(member, Histogram(ROWS)).observe(rows)

    def figures(self) -> list[Figure]:
        """All of these."""
        requests = [({"operation": name, "status": str(code)}, n) for (name, code), n in self.requests.items()]
        return [
            Figure("counter", "mmptf_requests", "Requests that were answered.", requests),
            Figure(
                "histogram",
                "mmptf_request_seconds",
                "Seconds from the head of a request to the end of its answer.",
                [({"operation": name}, each) for name, each in self.seconds.items()],
            ),
            Figure("gauge", "mmptf_requests_in_flight", "Requests that are being answered.", [({}, self.in_flight)]),
            Figure(
                "counter",
                "mmptf_problems",
                "Problem documents that this process has answered.",
                [({"code": code}, n) for code, n in self.problems.items()],
            ),
            Figure(
                "histogram",
                "mmptf_batch_rows",
                "Rows of a batch.",
                [({"member": name}, each) for name, each in self.batches.items()],
            ),
        ]


counts = Counts()
# What else a process says of itself when it is asked; it runs in the event loop of the server.
Asked = Callable[[], Awaitable[Iterable[Figure]]]


class CannotListen(Exception):
    """The port of the figures is taken, or may not be used."""


class Exposition:
    """Answers `GET /metrics` from a thread, with what the event loop of the server says.

    service: the name of the process, a label of every sample
    """

    def __init__(self, service: str, version: str, build: str) -> None:
        self.service, self.version = service, version
        self._labels = {"service": service}
        self._build = {"version": version, "build": build}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._asked: list[Asked] = []

    def ask(self, asked: Asked) -> None:
        """Include what this answers, from now on; called in the event loop of the server."""
        self._loop = asyncio.get_running_loop()
        self._asked.append(asked)

    def collect(self) -> Iterator[Metric]:
        """Called by the client library for each scrape, in the thread of its server."""
        from prometheus_client import Metric

        if self._loop is None:
            return
        answer = asyncio.run_coroutine_threadsafe(self._all(), self._loop)
        try:
            found = answer.result(ANSWER_SECONDS)
        except TimeoutError:
            answer.cancel()
            raise
        for kind, name, text, samples in found:
            metric = Metric(name, text, kind)
            for own, value in samples:
                labels = {**self._labels, **own}
                if isinstance(value, Histogram):
                    buckets = value.buckets()
                    for bound, count in buckets:
                        metric.add_sample(f"{name}_bucket", {**labels, "le": bound}, count)
                    metric.add_sample(f"{name}_count", labels, buckets[-1][1])
                    metric.add_sample(f"{name}_sum", labels, value.sum)
                else:
                    metric.add_sample(f"{name}_total" if kind == "counter" else name, labels, value)
            yield metric

    async def _all(self) -> list[Figure]:
        built = Figure("gauge", "mmptf_build_info", "The code that the process runs; always 1.", [(self._build, 1)])
        found = [built, *counts.figures()]
        # Read in the event loop: nothing is counted meanwhile.
        found = [figure._replace(samples=[*map(_as_it_is, figure.samples)]) for figure in found]
        for asked in self._asked:
            found += await asked()
        return found

    @contextmanager
    def served(self, host: str, port: int) -> Iterator[None]:
        """Listen until the end of the context; raises CannotListen."""
        from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector, start_http_server

        registry = CollectorRegistry()
        registry.register(self)
        ProcessCollector(registry=registry)
        GCCollector(registry=registry)
        try:
            server, thread = start_http_server(port, host, registry)
        except OSError as error:
            raise CannotListen(
                f"METRICS_PORT: nothing can listen on port {port} of {host}: {error.strerror}"
            ) from error
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def _as_it_is(sample: tuple[Mapping[str, str], float | Histogram]) -> tuple[Mapping[str, str], float | Histogram]:
    """A sample whose histogram is counted no further."""
    labels, value = sample
    if not isinstance(value, Histogram):
        return sample
    copy = Histogram(value._bounds)
    copy.counts, copy.sum = value.counts.copy(), value.sum
    return labels, copy
