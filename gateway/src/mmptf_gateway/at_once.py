"""Kept answers given by the server itself, before there is a task or an app for the request.

What the middlewares of the app do for an answer that is kept is done here once more, with the same functions: it takes
half of the time. Everything else, each error above all, is left to the app.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import unquote

from mmptf_common.http.middleware import NO_SNIFFING, is_internal, is_valid_host
from mmptf_common.http.rate_limits import RateLimits, kind_of
from mmptf_common.process import telemetry
from mmptf_common.process.context import RequestContext, new_context, new_request_id, new_trace_id
from mmptf_common.process.logs import log_request
from mmptf_common.process.metrics import counts
from mmptf_common.process.protocol import AnswersAtOnce, Asked, Head
from mmptf_common.wire.links import base_path_pattern
from mmptf_gateway.answers import Answers, Question


def lines_of(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Headers as they are sent."""
    return b"".join([b"%b: %b\r\n" % header for header in headers])


class _Read(NamedTuple):
    """A read that may be answered from here.

    kind: of its rate limit; context: of the request id and the trace that its head names, None where it names neither
    is_internal: whether a process of the suite has sent it
    """

    question: Question
    method: str
    path: str
    query: bytes
    kind: str
    context: RequestContext | None
    is_internal: bool


class KeptAtOnce(AnswersAtOnce):
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
        super().__init__()
        self._answers = answers
        self._limits = limits
        self._base_path = base_path
        self._below_base_path = base_path_pattern(base_path, segments)
        self._always = lines_of([*cors, NO_SNIFFING])

    def asked(self, head: Head) -> Asked | None:
        """What a read asks for, where something is kept for it; None where nothing is, or it is not right."""
        raw_path, _, query = head.target.partition(b"?")
        if not raw_path.startswith(b"/") or not raw_path.isascii() or b"#" in head.target:
            return None
        if self._below_base_path and self._below_base_path.match(raw_path):
            raw_path = raw_path[len(self._base_path) :]
        found = head.headers
        if not is_valid_host(found.get(b"host", b"")) or b"host" not in found:
            return None
        question = self._answers.question(raw_path, query, found)
        if question is None:
            return None
        path, method = raw_path.decode("ascii"), head.method.decode()
        if "%" in path:
            path = unquote(path)
        context = None
        if named := b"x-request-id" in found or b"traceparent" in found:
            context = new_context(
                found.get(b"x-request-id", b""), found.get(b"traceparent", b""), found.get(b"tracestate", b"")
            )
        scope = {"method": method, "path": path, "query_string": query, "headers": [*found.items()]}
        is_own = is_internal(found.get(b"user-agent", b""), found.get(b"via", b""))
        return Asked(_Read(question, method, path, query, kind_of(scope), context, is_own), repeats=not named)

    def answer(self, question: _Read, client: tuple[str, int] | None) -> tuple[bytes, bytes] | None:
        """The head and the body of an answer that is kept; None where the app is to answer."""
        began = time.perf_counter()
        kept = self._answers.at_once(question.question)
        if kept is None:
            return None
        fields = self._limits.count_read(question.kind, client) if self._limits else []
        if fields is None:
            return None
        context = question.context or (new_context() if telemetry.is_on() else None)
        # Without a trace that is passed on, two ids are all that is needed.
        request_id, trace_id = (context.request_id, context.trace_id) if context else (new_request_id(), new_trace_id())
        status, lines, body = kept
        seconds = time.perf_counter() - began
        counts.request_ended(question.question.service, status, seconds)
        if context:
            telemetry.request_ended(context, question.question.service, question.method, status, seconds)
        log_request(
            question.method,
            question.path,
            question.query,
            status,
            ms=seconds * 1000,
            sent=0 if question.method == "HEAD" else len(body),
            client=client,
            internal=question.is_internal,
            ids=(request_id, trace_id),
        )
        return b"%b%b%bx-request-id: %b\r\n" % (lines, self._always, lines_of(fields), request_id.encode()), body
