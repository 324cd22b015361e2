"""Spans of requests, of statements and of the cache, sent over OTLP where OTEL_EXPORTER_OTLP_ENDPOINT is set.

A span is made when it has ended, of what is known by then: nothing is imported, and nothing but one comparison is done,
where spans are not sent. They hold names of operations, statuses, durations and the request id; no value of a request.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from random import getrandbits

from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, StatusCode, set_span_in_context

from mmptf_common.process import context as contexts
from mmptf_common.process.context import RequestContext, current

# Called with the name, the span and its parent, the kind, the seconds that it took until now, its attributes, and
# whether it has failed.
_Send = Callable[[str, SpanContext, int, SpanKind, float, Mapping[str, str | int], bool], None]
_send: _Send | None = None


class NoTelemetry(Exception):
    """What sends spans is not installed, or not told rightly where to."""


def is_on() -> bool:
    """Whether spans are sent."""
    return _send is not None


def request_ended(context: RequestContext, name: str, method: str, status: int, seconds: float) -> None:
    """Send the span of a request, whose id the next process has for its parent; name: of the operation."""
    if _send is None or not context.span.trace_flags.sampled:
        return
    attributes: dict[str, str | int] = {
        "http.request.method": method,
        "http.response.status_code": status,
        "mmptf.operation": name,
        "mmptf.request_id": context.request_id,
    }
    _send(name, context.span, context.parent_id, SpanKind.SERVER, seconds, attributes, status >= 500)


def call_ended(system: str, name: str, seconds: float, *, failed: bool) -> None:
    """Send the span of a call of the current request to a server.

    system: `postgresql` or `redis`; name: the kind of statement or the command, without its values
    """
    context = current.get()
    if _send is None or context is None or not context.span.trace_flags.sampled:
        return
    span = SpanContext(context.span.trace_id, getrandbits(64), is_remote=False, trace_flags=context.span.trace_flags)
    attributes = {"db.system.name": system, "db.operation.name": name}
    _send(f"{system} {name}", span, context.span.span_id, SpanKind.CLIENT, seconds, attributes, failed)


@contextmanager
def sending(endpoint: str | None, service: str, version: str) -> Iterator[None]:
    """Send spans until the end of the context, and then those that wait; without an endpoint none are sent.

    The other variables of the exporter hold, such as OTEL_EXPORTER_OTLP_HEADERS. A request whose caller has decided not
    to trace it is not traced; every other one is.
    Raises NoTelemetry where the extra `telemetry` is not installed.
    """
    if not endpoint:
        yield
        return
    global _send
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.id_generator import IdGenerator
        from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased
    except ImportError:
        reason = "spans are sent where mmptf-common is installed with its extra `telemetry`"
        raise NoTelemetry(f"OTEL_EXPORTER_OTLP_ENDPOINT: {reason}") from None

    class Ids(IdGenerator):
        """The ids of the span that is made next: those of a request are known since it came."""

        span_id = trace_id = 0

        def generate_span_id(self) -> int:
            return self.span_id

        def generate_trace_id(self) -> int:
            return self.trace_id

    ids = Ids()
    resource = Resource.create({"service.name": service, "service.version": version})
    provider = TracerProvider(
        sampler=ParentBased(ALWAYS_ON), resource=resource, id_generator=ids, shutdown_on_exit=False
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    tracer = provider.get_tracer("mmptf_common", version)

    def send(
        name: str,
        span: SpanContext,
        parent_id: int,
        kind: SpanKind,
        seconds: float,
        attributes: Mapping[str, str | int],
        failed: bool,
    ) -> None:
        ids.span_id, ids.trace_id = span.span_id, span.trace_id
        above = Context()
        if parent_id:
            parent = SpanContext(span.trace_id, parent_id, kind is SpanKind.SERVER, span.trace_flags, span.trace_state)
            above = set_span_in_context(NonRecordingSpan(parent), above)
        now = time.time_ns()
        began = now - round(seconds * 1e9)
        made = tracer.start_span(name, above, kind, attributes, start_time=began)
        if failed:
            made.set_status(StatusCode.ERROR)
        made.end(now)

    _send, contexts.traces_new = send, True
    try:
        yield
    finally:
        _send, contexts.traces_new = None, False
        provider.shutdown()
