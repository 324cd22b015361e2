"""A client of the suite that judges each answer: right, labelled as a failure, a transport error, or wrong."""

from __future__ import annotations

import hashlib
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.suite import SERVICES

LABELLED = {429, 502, 503, 504, 507}
"""The statuses by which an answer says that it is none, for a while."""
PATIENCE = 15.0
"""Seconds without a byte after which the client gives up."""

Check = Callable[[httpx.Response], str | None]
"""What is wrong with an answer, None where it is right."""


@dataclass
class Tally:
    """What became of the requests of one drill."""

    sent: int = 0
    right: int = 0
    labelled: int = 0
    transport: int = 0
    wrong: int = 0
    lost: int = 0
    repeated: int = 0
    """Requests sent again at once, because a connection that had been open was closed before any answer."""
    failures: Counter[str] = field(default_factory=Counter)
    findings: Counter[str] = field(default_factory=Counter)
    samples: dict[str, str] = field(default_factory=dict)
    last_failure: float = 0.0
    """The moment at which the last request ended that had no right answer."""
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """How long the right answers of each kind took."""

    def fail(self, what: str, sample: str = "") -> None:
        """Count an answer that is wrong."""
        self.wrong += 1
        self.findings[what] += 1
        self.samples.setdefault(what, sample)

    def lose(self, what: str, sample: str = "") -> None:
        """Count a write that was acknowledged and is not there, or is there twice."""
        self.lost += 1
        self.findings[f"lost: {what}"] += 1
        self.samples.setdefault(f"lost: {what}", sample)


@dataclass
class Caller:
    """Sends requests and counts what becomes of them.

    spared: the services, and the gateway, whose callers are to see no failure at all; one that they see is wrong
    excused: the kinds of requests that may fail nevertheless
    """

    http: httpx.AsyncClient
    tally: Tally
    spared: frozenset[str] = frozenset()
    excused: frozenset[str] = frozenset()
    bodies: dict[tuple[str, str], str] = field(default_factory=dict)
    """The digest of the body that each path has under each strong ETag."""

    async def ask(
        self,
        kind: str,
        path: str,
        *,
        method: str = "GET",
        expect: tuple[int, ...] = (200,),
        check: Check | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        content: bytes | None = None,
        params: Mapping[str, str] | None = None,
    ) -> httpx.Response | None:
        """The answer where it is right, else None."""
        tally = self.tally
        tally.sent += 1
        begin = time.monotonic()
        request = self.http.build_request(
            method, path, headers=dict(headers or {}), json=json, content=content, params=params
        )
        may_repeat = method in ("GET", "HEAD") or "idempotency-key" in request.headers
        try:
            answer = await self._send(request, may_repeat=may_repeat)
        except httpx.HTTPError as error:
            tally.transport += 1
            self._failed(kind, path, f"{type(error).__name__} {error}")
            return None
        took = time.monotonic() - begin
        reason = self._judge(answer, path, expect, check)
        if reason is None and answer.status_code in expect:
            tally.right += 1
            tally.seconds[kind].append(took)
            return answer
        if reason is None:
            tally.labelled += 1
            self._failed(kind, path, f"{answer.status_code} {answer.json()['code']}")
            return None
        tally.fail(f"{kind}: {reason}", f"{method} {path} {answer.status_code} {answer.text[:600]}")
        tally.last_failure = time.monotonic()
        return None

    async def _send(self, request: httpx.Request, *, may_repeat: bool) -> httpx.Response:
        opened: list[str] = []

        async def trace(event: str, _: object) -> None:
            if event == "connection.connect_tcp.complete":
                opened.append(event)

        request.extensions["trace"] = trace
        try:
            return await self.http.send(request)
        except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
            # As clients do (RFC 9110, section 9.2.2): what may be sent twice is, when the connection was an old one.
            if opened or not may_repeat:
                raise
        self.tally.repeated += 1
        request.extensions.pop("trace")
        return await self.http.send(request)

    def _failed(self, kind: str, path: str, what: str) -> None:
        self.tally.last_failure = time.monotonic()
        self.tally.failures[f"{kind}: {what}"] += 1
        first = path.split("/")[1]
        name = first if first in SERVICES else "gateway"
        if name in self.spared and kind not in self.excused:
            self.tally.fail(f"{kind}: {what}, though the {name} had no fault")

    def _judge(self, answer: httpx.Response, path: str, expect: tuple[int, ...], check: Check | None) -> str | None:
        status = answer.status_code
        if status not in expect:
            return problem_error(answer)
        etag = answer.headers.get("etag", "")
        if answer.request.method == "GET" and etag and not etag.startswith("W/"):
            digest = hashlib.sha256(answer.content).hexdigest()
            url = str(answer.request.url.raw_path) + answer.request.headers.get("authorization", "")[-20:]
            if self.bodies.setdefault((url, etag), digest) != digest:
                return "another body under the same ETag"
        try:
            return check(answer) if check else None
        except (ValueError, KeyError, TypeError, IndexError) as error:
            return f"the answer cannot be read: {type(error).__name__} {error}"


def problem_error(answer: httpx.Response) -> str | None:
    """What is wrong with an answer that was not expected; None where it is a failure that says so properly."""
    status = answer.status_code
    if status not in LABELLED:
        code = ""
        if answer.headers.get("content-type", "").startswith("application/problem+json"):
            code = str(answer.json().get("code"))
        return f"status {status} {code}".rstrip()
    if not answer.headers.get("content-type", "").startswith("application/problem+json"):
        return f"status {status} without a problem document"
    problem = answer.json()
    if problem.get("status") != status or not problem.get("code") or not problem.get("detail"):
        return f"status {status} with an incomplete problem document"
    if not re.fullmatch(r"\d+", answer.headers.get("retry-after", "")):
        return f"status {status} {problem['code']} without Retry-After"
    return None


def revision_of(answer: httpx.Response) -> int:
    """The revision in the ETag of an answer."""
    found = re.fullmatch(r'(?:W/)?"(\d+)-[0-9a-f]+(?:-gzip)?"', answer.headers["etag"])
    if not found:
        raise ValueError(f"no revision in {answer.headers['etag']}")
    return int(found[1])


def new_http(url: str, *, connections: int = 100) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    return httpx.AsyncClient(
        base_url=url, timeout=PATIENCE, limits=limits, trust_env=False, headers={"accept-encoding": "identity"}
    )
