"""Limits of requests a minute for each client: the kinds of requests, who a client is, and the middleware."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import unquote_to_bytes

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mmptf_common.http import problems
from mmptf_common.http.negotiation import best_representation
from mmptf_common.process.settings import ServerSettings
from mmptf_common.storage.request_counts import WINDOW_SECONDS, Counted, RequestCounts
from mmptf_common.wire.problems import TooManyRequests

# Answers that are computed from many records, by a segment of their path.
_COMPUTED = frozenset(
    {
        "capitalization", "comparison", "facets", "indicator", "over-time", "printed-totals", "progress",
        "reconciliation", "statement", "totals",
    }
)  # fmt: skip
# In any case, as the services understand it; of text, since some other letters have the same small ones as those here.
_FORMAT = re.compile(r"(?:^|&)format=(csv|ndjson)?", re.IGNORECASE)
_AS_OF = re.compile(r"(?:^|&)as_of=")
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
# What load balancers and orchestrators ask.
_NOT_COUNTED = frozenset({"/health/live", "/health/ready"})
# The addresses of one IPv6 network of this length belong to one client.
_IPV6_CLIENT = 64
LONGEST_CLIENT = 64
# A longer `Accept` takes milliseconds to read, and no client sends one: it counts as one that asks for an export.
LONGEST_ACCEPT = 1000
CLIENTS_READ = 16_384
_Fields = list[tuple[bytes, bytes]]


def kind_of(scope: Scope) -> str:
    """The kind of a request, one of those in `mmptf_common.process.settings.RATE_LIMITS`."""
    segments = scope["path"].split("/")
    if scope["method"] not in _READS:
        return "imports" if segments[-1] == "imports" else "computations" if segments[-1] == "score" else "writes"
    if not _COMPUTED.isdisjoint(segments) or (scope["query_string"] and _AS_OF.search(query_of(scope))):
        return "expensive"
    return "expensive" if is_export(scope) else "pages"


def query_of(scope: Scope) -> str:
    """The query of a request, decoded, since names and values mean the same when they are percent-encoded."""
    query: bytes = scope["query_string"]
    return (unquote_to_bytes(query) if b"%" in query else query).decode("utf-8", "replace")


def is_export(scope: Scope) -> bool:
    """Whether a request asks for all rows as CSV or NDJSON, by `format` or, without it, by `Accept`."""
    if scope["query_string"] and (formats := _FORMAT.findall(query_of(scope))):
        return any(formats)
    accepted = b", ".join([value for name, value in scope["headers"] if name == b"accept"])
    if len(accepted) > LONGEST_ACCEPT:
        return True
    return bool(accepted) and best_representation(accepted.decode("latin-1")) not in ("json", None)


def client_at(host: str) -> str:
    """The client at an address: the address itself, of IPv6 the network of 64 bits."""
    address = _address(host)
    if isinstance(address, IPv6Address):
        return str(IPv6Network((int(address), _IPV6_CLIENT), strict=False))
    return str(address) if address else host[:LONGEST_CLIENT]


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(host)
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


class RateLimits:
    """The limits of one process, and what each client has used of them.

    limits: kind -> requests a minute
    trusted: the proxies whose X-Forwarded-For names the client, as in FORWARDED_ALLOW_IPS. A request of their own is of
             no client and not counted on an address: mostly it is one of the suite's processes that asks another one.
             Nothing is counted that comes from this machine itself.
    """

    def __init__(self, limits: Mapping[str, int], *, trusted: str) -> None:
        self._counts = RequestCounts()
        self._limits = limits
        self._policies = {
            name: f'"{name}";q={limit};w={WINDOW_SECONDS}'.encode()
            for kind, limit in limits.items()
            for name in (kind, _of_subject(kind))
        }
        networks = []
        for each in () if trusted == "*" else map(str.strip, trusted.split(",")):
            try:
                networks.append(ip_network(each, strict=False))
            except ValueError:
                continue  # uvicorn compares it as text, with what is no address

        @lru_cache(maxsize=CLIENTS_READ)
        def client(host: str) -> str | None:
            address = _address(host)
            if address and (address.is_loopback or any(address in network for network in networks)):
                return None
            return client_at(host) or None

        self._client = client

    @asynccontextmanager
    async def shared(self, redis_url: str | None) -> AsyncIterator[None]:
        """Share the counts with other processes until the end of the context; without a URL this one counts alone."""
        async with self._counts.exchanging(redis_url):
            yield

    def client_of(self, address: tuple[str, int] | None) -> str | None:
        """Who sends from an address: the address itself, of IPv6 the network of 64 bits; None for no client."""
        return self._client(address[0]) if address else None

    def count_address(self, scope: Scope) -> None:
        """Count a request on the address of its client; raises TooManyRequests."""
        if scope["path"] not in _NOT_COUNTED and (client := self.client_of(scope["client"])):
            kind = kind_of(scope)
            self._count(scope, kind, kind, client, "This address has sent")

    def count_read(self, kind: str, address: tuple[str, int] | None) -> _Fields | None:
        """Count a request of a kind on the address of its client; returns its fields, None where there are too many."""
        if (client := self.client_of(address)) is None:
            return []
        counted = self._counts.count(kind, client, self._limits[kind])
        return self._fields(kind, counted) if counted.allowed else None

    def count_subject(self, scope: Scope, subject: str) -> None:
        """Count a request on the subject of its token, which was verified; raises TooManyRequests."""
        if scope["client"] and not _is_local(scope["client"][0]):
            kind = kind_of(scope)
            self._count(scope, kind, _of_subject(kind), subject, "The holder of this access token has sent")

    def _count(self, scope: Scope, kind: str, name: str, client: str, who: str) -> None:
        counted = self._counts.count(name, client, self._limits[kind])
        scope["state"].setdefault("rate_limits", []).extend(self._fields(name, counted))
        if not counted.allowed:
            raise TooManyRequests(
                f"{who} {self._limits[kind]:,} {_IN_WORDS[kind]} in a minute, as many as are answered. The next one is"
                f" answered in {counted.seconds} s.",
                headers={"Retry-After": str(counted.seconds)},
            )

    def _fields(self, name: str, counted: Counted) -> _Fields:
        return [
            (b"ratelimit-policy", self._policies[name]),
            (b"ratelimit", b'"%b";r=%d;t=%d' % (name.encode(), counted.remaining, counted.seconds)),
        ]


_IN_WORDS = {
    "pages": "requests that read",
    "expensive": "requests for totals, exports or past states",
    "writes": "requests that write",
    "computations": "requests to compute",
    "imports": "files to import",
}


@lru_cache(maxsize=CLIENTS_READ)
def _is_local(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return not host


def _of_subject(kind: str) -> str:
    return f"subject-{kind}"


def rate_limits_of(settings: ServerSettings) -> RateLimits | None:
    """The limits that the settings state; None where they are switched off."""
    limits = settings.rate_limits
    return RateLimits(limits, trusted=settings.forwarded_allow_ips) if limits else None


class RateLimitMiddleware:
    """Pure ASGI: adds the RateLimit fields to the answers of counted requests, and answers 429.

    addresses: whether requests are counted on their addresses; those with a token are counted where it is verified
    """

    def __init__(self, app: ASGIApp, *, limits: RateLimits, addresses: bool) -> None:
        self.app = app
        self.limits = limits
        self.addresses = addresses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_fields(message: Message) -> None:
            if message["type"] == "http.response.start" and (fields := scope["state"].get("rate_limits")):
                message["headers"] = [*message.get("headers", ()), *fields]
            await send(message)

        if self.addresses:
            try:
                self.limits.count_address(scope)
            except TooManyRequests as problem:
                answer = problems.response(problem, scope["path"], scope["state"]["context"])
                await answer(scope, receive, send_with_fields)
                return
        await self.app(scope, receive, send_with_fields)
