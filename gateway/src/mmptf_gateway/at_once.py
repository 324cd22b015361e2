"""Kept answers given by the server itself, before there is a task or an app for the request.

What the middlewares of the app do for an answer that is kept is done here once more, with the same functions: it takes
half of the time. Everything else, each error above all, is left to the app.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote

from mmptf_common.http.middleware import NO_SNIFFING, is_internal, is_valid_host
from mmptf_common.http.rate_limits import RateLimits
from mmptf_common.process.context import current, new_context
from mmptf_common.process.logs import log_request
from mmptf_common.process.protocol import Head
from mmptf_common.wire.links import base_path_pattern
from mmptf_common.wire.problems import TooManyRequests
from mmptf_gateway.answers import Answers


def lines_of(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Headers as they are sent."""
    return b"".join([b"%b: %b\r\n" % header for header in headers])


class KeptAtOnce:
    """Answers of `Answers` to requests without a body, at once.

    cors: the headers of CORS of every answer; it is made only where these do not depend on the request
    """

    def __init__(
        self,
        answers: Answers,
        limits: RateLimits | None,
        *,
        base_path: str,
        segments: Iterable[str],
        cors: Iterable[tuple[bytes, bytes]],
    ) -> None:
        self._answers = answers
        self._limits = limits
        self._base_path = base_path
        self._below_base_path = base_path_pattern(base_path, segments)
        self._always = lines_of([*cors, NO_SNIFFING])

    def answer(self, head: Head) -> tuple[bytes, bytes] | None:
        """The head and the body of an answer that is kept; None where the app is to answer."""
        began = time.perf_counter()
        raw_path, _, query = head.target.partition(b"?")
        if not raw_path.startswith(b"/") or b"#" in head.target:
            return None
        if self._below_base_path and self._below_base_path.match(raw_path):
            raw_path = raw_path[len(self._base_path) :]
        found = head.headers
        if not is_valid_host(found.get(b"host", b"")) or b"host" not in found:
            return None
        kept = self._answers.at_once(raw_path, query, found)
        if kept is None:
            return None
        path, method = raw_path.decode("ascii"), head.method.decode()
        if "%" in path:
            path = unquote(path)
        limited = b""
        if self._limits:
            scope: dict[str, Any] = {
                "method": method, "path": path, "query_string": query, "headers": [*found.items()],
                "client": head.client, "state": {},
            }  # fmt: skip
            try:
                self._limits.count_address(scope)
            except TooManyRequests:
                return None
            if fields := scope["state"].get("rate_limits"):
                limited = lines_of(fields)
        context = new_context(
            found.get(b"x-request-id", b""), found.get(b"traceparent", b""), found.get(b"tracestate", b"")
        )
        status, lines, body = kept
        token = current.set(context)
        log_request(
            method,
            path,
            query,
            status,
            ms=(time.perf_counter() - began) * 1000,
            sent=0 if method == "HEAD" else len(body),
            client=head.client,
            internal=is_internal(found.get(b"user-agent", b""), found.get(b"via", b"")),
        )
        current.reset(token)
        return b"%b%b%bx-request-id: %b\r\n" % (lines, self._always, limited, context.request_id.encode()), body
