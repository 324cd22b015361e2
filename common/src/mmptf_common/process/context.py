"""The request id and the W3C trace context of one request, for logs, problems and the journal."""

from __future__ import annotations

import re
from contextvars import ContextVar
from dataclasses import dataclass
from random import getrandbits

from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN_CONTEXT, SpanContext, TraceFlags, format_trace_id, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

# What the names of the suite's processes begin with, in the User-Agent of their requests and in the gateway's Via.
OWN_NAMES = b"mmptf-"
REQUEST_ID = re.compile(rb"^[A-Za-z0-9._-]{1,64}$")
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_PROPAGATOR = TraceContextTextMapPropagator()
# Whether a trace that begins here is recorded; one that begins elsewhere is where it says so.
traces_new = False


@dataclass(frozen=True, slots=True)
class RequestContext:
    """The request id and the trace span of a request; it holds nothing about the caller.

    parent_id: the id of the caller's span; 0 where it has sent none
    """

    request_id: str
    span: SpanContext
    parent_id: int = 0

    @property
    def trace_id(self) -> str:
        """The trace id as 32 hexadecimal digits."""
        return format_trace_id(self.span.trace_id)

    def headers(self) -> dict[str, str]:
        """The headers that pass the request id and the trace to the next process."""
        return {name.decode(): value.decode() for name, value in self.header_lines()}

    def header_lines(self) -> list[tuple[bytes, bytes]]:
        """The same as bytes, written here: OpenTelemetry's propagator takes longer than the rest of a head."""
        span = self.span
        parent = f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags:02x}"
        lines = [(b"x-request-id", self.request_id.encode()), (b"traceparent", parent.encode())]
        if span.trace_state:
            lines.append((b"tracestate", span.trace_state.to_header().encode()))
        return lines


current: ContextVar[RequestContext | None] = ContextVar("request_context", default=None)


def new_request_id() -> str:
    """24 random hexadecimal digits. They are unique and no secret, so they need not come from the system."""
    return f"{getrandbits(96):024x}"


def new_trace_id() -> str:
    """A random trace id as 32 hexadecimal digits."""
    return f"{getrandbits(128):032x}"


def new_context(request_id: bytes = b"", traceparent: bytes = b"", tracestate: bytes = b"") -> RequestContext:
    """Return a context with the caller's request id and trace where they are well-formed, else with new ones.

    The trace id is the caller's and the span id is new, as a child of the caller's span. A malformed traceparent
    starts a new trace and drops the tracestate, as W3C Trace Context requires.
    """
    parent = INVALID_SPAN_CONTEXT
    if traceparent:
        carrier = {"traceparent": traceparent.decode("latin-1")}
        if tracestate:
            carrier["tracestate"] = tracestate.decode("latin-1")
        parent = get_current_span(_PROPAGATOR.extract(carrier, Context())).get_span_context()
    return RequestContext(
        request_id=request_id.decode() if REQUEST_ID.match(request_id) else new_request_id(),
        span=SpanContext(
            parent.trace_id or getrandbits(128),
            getrandbits(64),
            is_remote=False,
            trace_flags=parent.trace_flags if parent.trace_id or not traces_new else _SAMPLED,
            trace_state=parent.trace_state,
        ),
        parent_id=parent.span_id,
    )
