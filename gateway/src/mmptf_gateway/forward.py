"""The forwarder: sends each request, unchanged, to the service that its path names."""

from __future__ import annotations

import re
from collections.abc import Iterable

from starlette.types import Message, Receive, Scope, Send

from mmptf_common.http.rate_limits import is_export, query_of
from mmptf_common.process.context import RequestContext
from mmptf_common.wire.problems import BadGateway, ProblemError
from mmptf_gateway.caller import Caller
from mmptf_gateway.connections import Answer
from mmptf_gateway.upstreams import InFlight, Upstream

# RFC 9110, section 7.6.1, and what older proxies put in their place: they concern one connection.
HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
_REPLACED_ON_THE_WAY_IN = HOP_BY_HOP | {b"x-request-id", b"traceparent", b"tracestate", b"x-forwarded-for", b"via"}
# RequestMiddleware writes the request id and nosniff, and the server its own Date, into every answer.
_REPLACED_ON_THE_WAY_OUT = HOP_BY_HOP | {b"x-request-id", b"x-content-type-options", b"date"}
_WITHOUT_BODY = frozenset({204, 304})
# A body of at most so many bytes is taken from the service at once: the connection to the service does not wait for a
# caller who reads slowly.
SMALL_BODY = 131_072
_WAIT = re.compile(r"(?:^|&)wait=(?!0*(?:&|$))")
_UPLOAD = "/imports"


class Forwarder:
    """ASGI app: forwards to one of several services by the first segment of the path, streaming in both directions.

    Raises BadGateway or GatewayTimeout, and ServiceUnavailable where `Upstream` admits no request; when a part of the
    answer was sent already, the exception makes the server close the connection.
    """

    def __init__(self, upstreams: Iterable[Upstream], *, answer_seconds: float) -> None:
        self.upstreams = {upstream.name.encode(): upstream for upstream in upstreams}
        self._answer_seconds = answer_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        upstream = self.upstreams[first_segment(scope)]
        target = scope["raw_path"] + b"?" + scope["query_string"] if scope["query_string"] else scope["raw_path"]
        headers, sized, waits_for_100 = _headers_in(scope)
        started = False
        answer: Answer | None = None
        in_flight: InFlight | None = None
        async with Caller(receive, stalled_after=self._answer_seconds) as caller:
            try:
                body = await caller.body(asked_first=waits_for_100) if sized else None
                # A body that has not arrived completely takes as long as its caller likes.
                in_flight = upstream.admit(lasts=lasts(scope) or not isinstance(body, bytes | None))
                answer = await upstream.connections.request(
                    scope["method"].encode(), target, headers, body, waits_for_100=waits_for_100
                )
                started = True
                upstream.answered()
                caller.answered()
                await send(_start(answer))
                if answer.is_complete or 0 < (answer.length or 0) <= SMALL_BODY:
                    whole = await answer.read()
                    in_flight.end()
                    await send({"type": "http.response.body", "body": whole})
                else:
                    in_flight.lasts()
                    await _pass_body(answer, send)
            except OSError as error:
                if not caller.gone:
                    raise _failure(upstream, error, started=started) from error
            finally:
                if answer is not None:
                    answer.close()
                if in_flight is not None:
                    in_flight.end()
        if caller.gone:
            if not started:
                # No caller receives it: 499 is the usual status in access logs for a caller who disconnected.
                await send({"type": "http.response.start", "status": 499, "headers": []})
        elif caller.stalled:
            stalled = TimeoutError("the body is not taken up")
            raise _failure(upstream, stalled, started=started) from stalled


def lasts(scope: Scope) -> bool:
    """Whether a request is a long poll, an export or the upload of a file."""
    return bool(_WAIT.search(query_of(scope))) or scope["path"].endswith(_UPLOAD) or is_export(scope)


def first_segment(scope: Scope) -> bytes:
    """The first segment of a request's path, as it was sent."""
    raw: bytes = scope["raw_path"]
    return raw[1:].partition(b"/")[0]


def _headers_in(scope: Scope) -> tuple[list[tuple[bytes, bytes]], bool, bool]:
    """The headers for the service; whether a body follows; whether its caller waits for 100 (Continue)."""
    headers: list[tuple[bytes, bytes]] = []
    sized = waits = has_proto = False
    via = hops = b""
    one_hop: set[bytes] = set()
    for header in scope["headers"]:
        name, value = header
        if name not in _REPLACED_ON_THE_WAY_IN:
            headers.append(header)
            if name == b"content-length":
                sized = value.strip(b"0") != b""
            elif name == b"expect":
                waits = value.lower() == b"100-continue"
            elif name == b"x-forwarded-proto":
                has_proto = True
        elif name == b"transfer-encoding":
            sized = True
        elif name == b"connection":
            one_hop.update(token.strip().lower() for token in value.split(b","))
        elif name == b"x-forwarded-for":
            hops += value + b", "
        elif name == b"via":
            via += value + b", "
    if one_hop - {b"close", b"keep-alive"}:
        headers = [header for header in headers if header[0] not in one_hop]
        has_proto = has_proto and b"x-forwarded-proto" not in one_hop
    # Where the server trusts the last proxy, the client is the last address of the list, and is not added again.
    peer = scope["client"][0].encode() if scope["client"] else b"unknown"
    if not hops.endswith((b" " + peer + b", ", b"," + peer + b", ")) and hops != peer + b", ":
        hops += peer + b", "
    headers.append((b"x-forwarded-for", hops[:-2]))
    if not has_proto:
        headers.append((b"x-forwarded-proto", scope["scheme"].encode()))
    headers.append((b"via", b"%b%b mmptf-gateway" % (via, scope["http_version"].encode())))
    context: RequestContext = scope["state"]["context"]
    headers += context.header_lines()
    return headers, sized, waits


def _start(answer: Answer) -> Message:
    one_hop: set[bytes] = set()
    for name, value in answer.headers:
        if name == b"connection":
            one_hop.update(token.strip().lower() for token in value.split(b","))
    dropped = _REPLACED_ON_THE_WAY_OUT | one_hop if one_hop else _REPLACED_ON_THE_WAY_OUT
    headers = [header for header in answer.headers if header[0] not in dropped]
    if answer.status in _WITHOUT_BODY:
        # The server checks the body against this length, and these answers have no body.
        headers = [header for header in headers if header[0] != b"content-length"]
    return {"type": "http.response.start", "status": answer.status, "headers": headers}


async def _pass_body(answer: Answer, send: Send) -> None:
    is_end = False
    while not is_end:
        piece, is_end = await answer.piece()
        await send({"type": "http.response.body", "body": piece, "more_body": not is_end})


def _failure(upstream: Upstream, error: Exception, *, started: bool) -> ProblemError:
    """The problem for a call that failed; its cause is in the log only."""
    if started:
        return BadGateway(f"The answer of the service {upstream.name!r} broke off.")
    return upstream.failed(error)
