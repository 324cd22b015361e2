"""ASGI middleware of every app: request context, limit of the body, access log, answers to failures, HEAD."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mmptf_common.http import problems
from mmptf_common.process.context import OWN_NAMES, current, new_context
from mmptf_common.wire.problems import InternalError, PayloadTooLarge, ProblemError

access_log = logging.getLogger("mmptf.access")
error_log = logging.getLogger("mmptf.error")


class RequestMiddleware:
    """Pure ASGI: sets the request's context, limits its body, logs one line, answers failures with problems."""

    def __init__(self, app: ASGIApp, *, max_body: int, uploads: Mapping[str, int]) -> None:
        self.app = app
        self.max_body = max_body
        self.uploads = uploads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        found = {
            b"x-request-id": b"", b"traceparent": b"", b"tracestate": b"", b"content-length": b"", b"user-agent": b"",
            b"via": b"",
        }  # fmt: skip
        for name, value in scope["headers"]:
            if name in found:
                # Several lines of a trace state are one list, in their order (W3C Trace Context, section 3.3.1.1).
                found[name] = found[name] + b"," + value if name == b"tracestate" and found[name] else value
        context = new_context(found[b"x-request-id"], found[b"traceparent"], found[b"tracestate"])
        token = current.set(context)
        scope.setdefault("state", {})["context"] = context
        status = 0
        received = 0
        most = self.uploads.get(scope["path"], self.max_body)

        async def send_out(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", context.request_id.encode())]
            await send(message)

        async def take_in() -> Message:
            nonlocal received
            message = await receive()
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
                if received > most:
                    raise _too_large(most)
            return message

        try:
            try:
                if (length := found[b"content-length"]).isdigit() and int(length[:20]) > most:
                    raise _too_large(most)
                await self.app(scope, take_in, send_out)
            except Exception as error:
                if not isinstance(error, ProblemError):
                    error_log.exception("unhandled failure", extra={"path": scope["path"]})
                    error = InternalError("An unexpected failure; the request id leads to it in the log.")
                if status:
                    raise  # the answer has begun: a broken connection is the only sign left for the caller
                answer = problems.response(error, scope["path"], context)
                await answer(scope, receive, send_out)
        except asyncio.CancelledError:
            status = status or 499
            raise
        finally:
            if access_log.isEnabledFor(logging.INFO):
                access_log.info(
                    "%s %s %d",
                    scope["method"],
                    scope["path"],
                    status,
                    extra={
                        "query": scope["query_string"].decode("latin-1")[:2000],
                        "ms": round((time.perf_counter() - began) * 1000, 2),
                        # Whether a process of the suite sent it, on its own or for a caller whose request it logs.
                        "internal": found[b"user-agent"].startswith(OWN_NAMES) or b" " + OWN_NAMES in found[b"via"],
                    },
                )
            current.reset(token)


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
