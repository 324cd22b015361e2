"""Which pages of other origins may read the answers (CORS)."""

from __future__ import annotations

from typing import Any

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Send


class Cors(CORSMiddleware):
    """Starlette's middleware; where every origin may read, every answer says so, and none depends on `Origin`.

    Starlette answers a request without `Origin` without these headers, and so has to add `Vary: Origin` to each answer:
    a cache would store one copy for each origin, all of them the same.
    same_for_all: the headers of an answer that do not depend on the request
    """

    def __init__(self, app: ASGIApp, /, **options: Any) -> None:
        super().__init__(app, **options)
        self.same_for_all = [(name.lower().encode(), value.encode()) for name, value in self.simple_headers.items()]
        self._names = frozenset(name for name, _ in self.same_for_all)

    async def send(self, message: Message, send: Send, request_headers: Headers) -> None:
        """Send a message with the headers of CORS, where it begins an answer."""
        if not self.allow_all_origins:
            await super().send(message, send, request_headers)
            return
        if message["type"] == "http.response.start":
            others = [header for header in message["headers"] if header[0] not in self._names]
            message["headers"] = [*others, *self.same_for_all]
        await send(message)
