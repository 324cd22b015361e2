"""ASGI middleware of every app: request context, checks of the head, limit of the body, access log, failures, HEAD."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Iterable, Mapping

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mmptf_common.http import problems
from mmptf_common.process import telemetry
from mmptf_common.process.context import OWN_NAMES, current, new_context
from mmptf_common.process.failure_log import problem_in, report_problem
from mmptf_common.process.logs import log_request
from mmptf_common.process.metrics import NO_OPERATION, counts
from mmptf_common.wire.links import base_path_pattern, current_base_path
from mmptf_common.wire.problems import BadRequest, InternalError, PayloadTooLarge, UnsupportedMediaType

error_log = logging.getLogger("mmptf.error")

NO_SNIFFING = (b"x-content-type-options", b"nosniff")
# RFC 3986, section 3.2.2 and 3.2.3, but for the comma, with which proxies join two values.
_HOST = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+;=%-]*)(:[0-9]*)?")
# In the state of a request: the `operationId` of what has answered it, where it is one.
OPERATION = "operation"
# Several lines of these are one list, in their order (W3C Trace Context, section 3.3.1.1; RFC 9110, section 5.3).
_LISTS = frozenset({b"tracestate", b"content-encoding", b"transfer-encoding"})


class RequestMiddleware:
    """Pure ASGI: sets the request's context, checks its head, limits its body, logs one line, answers failures.

    base_path: the path under which callers reach the process. A proxy takes it off the path of a request; where one has
               not, as in a redirect that another process of the suite follows, it is taken off here
    segments: the first segments of the app's paths
    max_body: most bytes of a body; None where another process takes it and checks its size and encoding
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        base_path: str,
        segments: Iterable[str],
        max_body: int | None,
        body_limits: Mapping[str, int],
    ) -> None:
        self.app = app
        self.base_path = base_path
        self._below_base_path = base_path_pattern(base_path, segments)
        self.max_body = max_body
        self.body_limits = body_limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        if self._below_base_path and self._below_base_path.match(scope["raw_path"]):
            length = len(self.base_path)
            scope = {**scope, "path": scope["path"][length:], "raw_path": scope["raw_path"][length:]}
        found = {
            b"x-request-id": b"",
            b"traceparent": b"",
            b"tracestate": b"",
            b"content-length": b"",
            b"content-encoding": b"",
            b"transfer-encoding": b"",
            b"host": b"",
            b"user-agent": b"",
            b"via": b"",
        }
        hosts = 0
        for name, value in scope["headers"]:
            if name in found:
                hosts += name == b"host"
                found[name] = found[name] + b"," + value if name in _LISTS and found[name] else value
        context = new_context(found[b"x-request-id"], found[b"traceparent"], found[b"tracestate"])
        token = current.set(context)
        base_path_before = current_base_path.set(self.base_path)
        scope.setdefault("state", {})["context"] = context
        status = 0
        received = sent = 0
        most = None if self.max_body is None else self.body_limits.get(scope["path"], self.max_body)

        async def send_out(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
                request_id = (b"x-request-id", context.request_id.encode())
                message["headers"] = [*message.get("headers", ()), request_id, NO_SNIFFING]
            else:
                sent += len(message.get("body", b""))
            await send(message)

        async def take_in() -> Message:
            nonlocal received
            message = await receive()
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
                if most is not None and received > most:
                    raise _too_large(most)
            return message

        counts.in_flight += 1
        try:
            try:
                _check_head(scope["http_version"], hosts, found)
                if most is not None:
                    _check_body(most, found)
                await self.app(scope, take_in if most is not None else receive, send_out)
            except ClientDisconnect:
                raise
            except Exception as error:
                problem = problem_in(error)
                if problem is None:
                    error_log.exception("unhandled failure", extra={"path": scope["path"]})
                    problem = InternalError("An unexpected failure; the request id leads to it in the log.")
                if status:
                    # The answer has begun: a broken connection is the only sign left for the caller.
                    report_problem(problem, broken_off=True)
                    raise
                answer = problems.response(problem, scope["path"], context)
                await answer(scope, receive, send_out)
        except asyncio.CancelledError:
            status = status or 499
            raise
        except ClientDisconnect:
            # The caller has left while the body was read: nobody receives an answer.
            status = status or 499
        finally:
            seconds = time.perf_counter() - began
            counts.in_flight -= 1
            operation = scope["state"].get(OPERATION, NO_OPERATION)
            counts.request_ended(operation, status, seconds)
            telemetry.request_ended(context, operation, scope["method"], status, seconds)
            log_request(
                scope["method"],
                scope["path"],
                scope["query_string"],
                status,
                ms=seconds * 1000,
                sent=0 if scope["method"] == "HEAD" else sent,
                client=scope["client"],
                subject=scope["state"].get("subject"),
                internal=is_internal(found[b"user-agent"], found[b"via"]),
                routine=status == 200 and is_routine(scope["path"], found[b"user-agent"]),
            )
            current_base_path.reset(base_path_before)
            current.reset(token)


def is_internal(product: bytes, via: bytes) -> bool:
    """Whether a process of the suite sent a request, on its own or for a caller whose request it logs.

    product, via: its headers User-Agent and Via
    """
    return product.startswith(OWN_NAMES) or b" " + OWN_NAMES in via


def is_routine(path: str, product: bytes) -> bool:
    """Whether a request is a check of health, or a process of the suite asks for changes; product: its User-Agent."""
    return path.startswith("/health/") or (path.endswith("/v1/changes") and product.startswith(OWN_NAMES))


def is_valid_host(value: bytes) -> bool:
    """Whether the value of a Host header is a host with an optional port."""
    return _HOST.fullmatch(value) is not None


def _check_head(version: str, hosts: int, found: Mapping[bytes, bytes]) -> None:
    """Raise BadRequest where the head breaks RFC 9112, section 3.2 (Host) or 6.1 (Transfer-Encoding)."""
    if hosts > 1 or (not hosts and version == "1.1"):
        raise BadRequest(f"A request of HTTP/1.1 has one Host header; this one has {hosts or 'none'}.")
    if not is_valid_host(found[b"host"]):
        raise BadRequest("The Host header is no host with an optional port.")
    if (coding := found[b"transfer-encoding"]) and coding.lower() != b"chunked":
        raise BadRequest("The Transfer-Encoding is not chunked, the only one that is read here.")


def _check_body(most: int, found: Mapping[bytes, bytes]) -> None:
    """Raise UnsupportedMediaType for a body that is compressed, PayloadTooLarge for one of more than `most` bytes."""
    length = found[b"content-length"]
    coding = found[b"content-encoding"]
    if coding and coding.lower() != b"identity" and (length.strip(b"0") or found[b"transfer-encoding"]):
        raise UnsupportedMediaType(
            f"The body is compressed ({coding.decode('latin-1')[:64]}); send it as it is, without Content-Encoding.",
            headers={"Accept-Encoding": "identity"},
        )
    if length.isdigit() and int(length[:20]) > most:
        raise _too_large(most)


def _too_large(most: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"The body is larger than {most} bytes, the limit of this path.")


class HeadAsGet:
    """Pure ASGI: routes of GET also answer HEAD; the server leaves out the body of the answer to HEAD."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "HEAD":
            # A copy, since the server reads the method from its own scope.
            scope = {**scope, "method": "GET"}
        await self.app(scope, receive, send)
