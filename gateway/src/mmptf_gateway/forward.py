"""The forwarder: sends each request, unchanged, to the service that its path names."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import ClientError, ClientHandlerType, ClientRequest, ClientResponse, ClientTimeout
from starlette.types import Message, Receive, Scope, Send
from yarl import URL

from mmptf_common.http.rate_limits import is_export, query_of
from mmptf_common.process.context import RequestContext
from mmptf_common.wire.problems import BadGateway, GatewayTimeout
from mmptf_gateway.caller import Caller
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
# A write may have been carried out before its connection broke; only its caller can decide whether to repeat it.
_NOT_SAFE = frozenset({"PUT", "DELETE"})
# A body of at most so many bytes, which aiohttp reads ahead anyway, is taken from the service at once: the connection
# to the service does not wait for a caller who reads slowly.
SMALL_BODY = 131_072
_WAIT = re.compile(r"(?:^|&)wait=(?!0*(?:&|$))")
_UPLOAD = "/imports"


class BrokenOff(ClientError):
    """A connection that broke before the answer of a request that must not be repeated."""


async def _send_once(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise BrokenOff(str(error)) from error


class Forwarder:
    """ASGI app: forwards to one of several services by the first segment of the path, streaming in both directions.

    Raises BadGateway or GatewayTimeout, and ServiceUnavailable where `Upstream` admits no request; when a part of the
    answer was sent already, the exception makes the server close the connection.
    """

    def __init__(self, upstreams: Iterable[Upstream], *, connect_seconds: float, answer_seconds: float) -> None:
        self.upstreams = {upstream.name.encode(): upstream for upstream in upstreams}
        self._connect_seconds = connect_seconds
        self._answer_seconds = answer_seconds
        self._session: aiohttp.ClientSession

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[aiohttp.ClientSession]:
        """Open the connections to the services, and close them when the app stops."""
        async with aiohttp.ClientSession(
            # As many connections as there are requests in flight, which `Upstream` bounds.
            # Shorter than the services keep theirs, so that a service seldom closes one while a request is sent.
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=60.0),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
            timeout=ClientTimeout(
                total=None,
                connect=self._connect_seconds,
                sock_connect=self._connect_seconds,
                sock_read=self._answer_seconds,
            ),
            max_line_size=65_536,
            max_field_size=65_536,
        ) as self._session:
            yield self._session

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        upstream = self.upstreams[first_segment(scope)]
        target = scope["raw_path"] + b"?" + scope["query_string"] if scope["query_string"] else scope["raw_path"]
        url = URL(upstream.origin + target.decode("ascii"), encoded=True)
        headers, sized, waits_for_100 = _headers_in(scope)
        method = scope["method"]
        started = False
        response: ClientResponse | None = None
        in_flight: InFlight | None = None
        async with Caller(receive, stalled_after=self._answer_seconds) as caller:
            try:
                body = await caller.body(asked_first=waits_for_100) if sized else None
                # A body that has not arrived completely takes as long as its caller likes.
                in_flight = upstream.admit(lasts=_lasts(scope) or not isinstance(body, bytes | None))
                response = await self._session.request(
                    method,
                    url,
                    headers=headers,
                    data=body,
                    allow_redirects=False,
                    middlewares=(_send_once,) if method in _NOT_SAFE else None,
                )
                started = True
                upstream.answered()
                caller.answered()
                await send(_start(response))
                if (response.content_length or SMALL_BODY + 1) <= SMALL_BODY:
                    whole = await response.read()
                    in_flight.end()
                    await send({"type": "http.response.body", "body": whole})
                else:
                    in_flight.lasts()
                    await _pass_body(response, send)
            except (ClientError, TimeoutError, OSError) as error:
                if not caller.gone:
                    raise _failure(upstream, error, started=started) from error
            finally:
                if response is not None:
                    response.close()
                if in_flight is not None:
                    in_flight.end()
        if caller.gone:
            if not started:
                # No caller receives it: 499 is the usual status in access logs for a caller who disconnected.
                await send({"type": "http.response.start", "status": 499, "headers": []})
        elif caller.stalled:
            stalled = TimeoutError("the body is not taken up")
            raise _failure(upstream, stalled, started=started) from stalled


def _lasts(scope: Scope) -> bool:
    """Whether a request is a long poll, an export or the upload of a file."""
    return bool(_WAIT.search(query_of(scope))) or scope["path"].endswith(_UPLOAD) or is_export(scope)


def first_segment(scope: Scope) -> bytes:
    """The first segment of a request's path, as it was sent."""
    raw: bytes = scope["raw_path"]
    return raw[1:].partition(b"/")[0]


def _text(raw: bytes) -> str:
    """The text that aiohttp, which writes UTF-8, writes as these bytes; what is not UTF-8 is taken for Latin-1."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _headers_in(scope: Scope) -> tuple[list[tuple[str, str]], bool, bool]:
    """The headers for the service; whether a body follows; whether its caller waits for 100 (Continue)."""
    headers: list[tuple[str, str]] = []
    sized = waits = False
    via = hops = b""
    one_hop: set[bytes] = set()
    for name, value in scope["headers"]:
        if name not in _REPLACED_ON_THE_WAY_IN:
            headers.append((name.decode("latin-1"), _text(value)))
            if name == b"content-length":
                sized = value.strip(b"0") != b""
            elif name == b"expect":
                waits = value.lower() == b"100-continue"
        elif name == b"transfer-encoding":
            sized = True
        elif name == b"connection":
            one_hop.update(token.strip().lower() for token in value.split(b","))
        elif name == b"x-forwarded-for":
            hops += value + b", "
        elif name == b"via":
            via += value + b", "
    if one_hop - {b"close", b"keep-alive"}:
        headers = [(name, value) for name, value in headers if name.encode("latin-1") not in one_hop]
    names = {name for name, _ in headers}
    # Where the server trusts the last proxy, the client is the last address of the list, and is not added again.
    peer = scope["client"][0].encode() if scope["client"] else b"unknown"
    if not hops.endswith((b" " + peer + b", ", b"," + peer + b", ")) and hops != peer + b", ":
        hops += peer + b", "
    headers.append(("x-forwarded-for", _text(hops[:-2])))
    if "x-forwarded-proto" not in names:
        headers.append(("x-forwarded-proto", scope["scheme"]))
    headers.append(("via", f"{_text(via)}{scope['http_version']} mmptf-gateway"))
    context: RequestContext = scope["state"]["context"]
    headers.extend(context.headers().items())
    return headers, sized, waits


def _start(response: ClientResponse) -> Message:
    one_hop: set[bytes] = set()
    for value in response.headers.getall("Connection", ()):
        one_hop.update(token.strip().lower().encode("latin-1") for token in value.split(","))
    dropped = _REPLACED_ON_THE_WAY_OUT | one_hop if one_hop else _REPLACED_ON_THE_WAY_OUT
    headers = [(low, value) for name, value in response.raw_headers if (low := name.lower()) not in dropped]
    if response.status in _WITHOUT_BODY:
        # The server checks the body against this length, and these answers have no body.
        headers = [header for header in headers if header[0] != b"content-length"]
    return {"type": "http.response.start", "status": response.status, "headers": headers}


async def _pass_body(response: ClientResponse, send: Send) -> None:
    content = response.content
    while True:
        piece = content.read_nowait() if content.is_eof() else await content.readany()
        complete = content.at_eof()
        await send({"type": "http.response.body", "body": piece, "more_body": not complete})
        if complete:
            return


def _failure(upstream: Upstream, error: Exception, *, started: bool) -> BadGateway | GatewayTimeout:
    """The problem for a call that failed; its cause is in the log only."""
    name = upstream.name
    if started:
        return BadGateway(f"The answer of the service {name!r} broke off.")
    upstream.failed(error)
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return BadGateway(f"The service {name!r} cannot be reached.")
    if isinstance(error, TimeoutError):
        return GatewayTimeout(f"The service {name!r} did not answer in time.")
    return BadGateway(f"The service {name!r} broke the connection without a valid answer.")
