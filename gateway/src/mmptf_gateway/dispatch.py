"""Dispatch of requests: each goes to a service or to the gateway's own routes; errors are answered as problems."""

from __future__ import annotations

import logging

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mmptf_common.http import problems
from mmptf_common.http.middleware import OPERATION
from mmptf_common.wire.links import link
from mmptf_common.wire.problems import InternalError, NotFound, ProblemError
from mmptf_common.wire.spelling import closest_match
from mmptf_gateway.answers import Answers
from mmptf_gateway.forward import Forwarder, first_segment, lasts
from mmptf_gateway.settings import OWN_SEGMENTS

log = logging.getLogger("mmptf.error")


class Dispatch:
    """ASGI middleware: one look-up by the first segment of the path; errors become problems, with CORS headers.

    answers: the app for the paths of the services
    """

    def __init__(self, app: ASGIApp, *, forwarder: Forwarder, answers: Answers) -> None:
        self.app = app
        self.forwarder = forwarder
        self.answers = answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = False

        async def send_on(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._handler(scope)(scope, receive, send_on)
        except Exception as error:
            if begun:
                raise
            if not isinstance(error, ProblemError):
                log.exception("unhandled failure", extra={"path": scope["path"]})
                error = InternalError("An unexpected failure; the request id leads to it in the log.")
            await problems.response(error, scope["path"], scope["state"]["context"])(scope, receive, send)

    def _handler(self, scope: Scope) -> ASGIApp:
        """The app that handles a request; raises NotFound where no service and no own path has its first segment."""
        first = first_segment(scope)
        if first in self.forwarder.upstreams:
            # Which of its operations that is, the service counts; what lasts would hide how long all else takes.
            scope["state"][OPERATION] = f"{first.decode()}_long" if lasts(scope) else first.decode()
            return self.answers
        if (name := first.decode("latin-1")) in OWN_SEGMENTS:
            return self.app
        names = [upstream.name for upstream in self.forwarder.upstreams.values()]
        meant = closest_match(name, names)
        raise NotFound(
            f"No service is named {name[:64]!r}{f'; did you mean {meant}?' if meant else '.'} A path begins with the"
            f" name of a service: {', '.join(names)}. The gateway's own paths are listed at {link('/')}."
        )
