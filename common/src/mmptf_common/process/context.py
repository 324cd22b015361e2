"""Who asked: the request id and the W3C trace of one request, from the door to the last log line."""

from __future__ import annotations

import re
import secrets
from contextvars import ContextVar
from dataclasses import dataclass

REQUEST_ID = re.compile(rb"^[A-Za-z0-9._-]{1,64}$")
TRACEPARENT = re.compile(r"^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})(-.*)?$")


@dataclass(frozen=True, slots=True)
class RequestContext:
    """The identity-free part of a request that is written into logs, problems and the journal."""

    request_id: str
    trace_id: str
    traceparent: str
    tracestate: str | None = None

    def headers(self) -> dict[str, str]:
        """The headers that carry this request on to the next process."""
        headers = {"x-request-id": self.request_id, "traceparent": self.traceparent}
        if self.tracestate:
            headers["tracestate"] = self.tracestate
        return headers


current: ContextVar[RequestContext | None] = ContextVar("request_context", default=None)


def new_context(request_id: bytes = b"", traceparent: bytes = b"", tracestate: bytes = b"") -> RequestContext:
    """Take over a caller's request id and trace where they are well-formed, else begin new ones.

    The trace id is kept, the span id is our own: this hop is a child of the caller's. A malformed
    traceparent starts a new trace and drops the tracestate, as W3C Trace Context asks.
    """
    match = TRACEPARENT.match(traceparent.decode("latin-1")) if traceparent else None
    trace_id, flags = (match[1], match[2]) if match else (secrets.token_hex(16), "00")
    return RequestContext(
        request_id=request_id.decode() if REQUEST_ID.match(request_id) else secrets.token_hex(12),
        trace_id=trace_id,
        traceparent=f"00-{trace_id}-{secrets.token_hex(8)}-{flags}",
        tracestate=tracestate.decode("latin-1") if match and tracestate else None,
    )
