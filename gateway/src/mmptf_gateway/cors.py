"""Which pages of other origins may read the answers (CORS)."""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.types import Message, Send


class Cors(CORSMiddleware):
    """Starlette's middleware; where every origin may read, every answer says so, and none depends on `Origin`.

    Starlette answers a request without `Origin` without these headers, and so has to add `Vary: Origin` to each answer:
    a cache would store one copy for each origin, all of them the same.
    """

    async def send(self, message: Message, send: Send, request_headers: Headers) -> None:
        """Send a message with the headers of CORS, where it begins an answer."""
        if not self.allow_all_origins:
            await super().send(message, send, request_headers)
            return
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(self.simple_headers)
        await send(message)
