"""The header fields that tell caches which answers a write makes out of date (RFC 9875)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mmptf_common.storage.announcements import Announcer
from mmptf_common.wire.announcements import GROUP, INVALIDATION, group

_READS = frozenset({"GET", "HEAD"})
_NOT_IN_GROUP = "is_in_no_cache_group"


def leave_out(request: Request) -> None:
    """Leave the answer to a request out of the group of its service: it depends on more than the stored data."""
    setattr(request.state, _NOT_IN_GROUP, True)


class CacheGroupsMiddleware:
    """Pure ASGI: `Cache-Groups` in the public reads that the stored data and the code determine, which are those with
    an ETag, and `Cache-Group-Invalidation` in the answers of writes.

    The revision in the former is the one that this process knew when the request came, so no later one than that of the
    answer; in the latter it contains the write.
    """

    def __init__(self, app: ASGIApp, *, service: str) -> None:
        self.app = app
        self.service = service
        self._below = f"/{service}/"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # What the paths beside those of the service answer changes with the build only.
        if scope["type"] != "http" or not scope["path"].startswith(self._below):
            await self.app(scope, receive, send)
            return
        announcer: Announcer = scope["app"].state.announcer
        if scope["method"] not in _READS:
            # Without a token nothing is written.
            if all(name != b"authorization" for name, _ in scope["headers"]):
                await self.app(scope, receive, send)
                return

            async def send_written(message: Message) -> None:
                if message["type"] == "http.response.start" and message["status"] < 400:
                    value = group(self.service, await announcer.after_write())
                    message["headers"] = [*message["headers"], (INVALIDATION, value)]
                await send(message)

            await self.app(scope, receive, send_written)
            return
        revision = announcer.revision

        async def send_read(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in (200, 304):
                headers = message["headers"]
                found = dict(headers)
                is_public = found.get(b"cache-control", b"").startswith(b"public")
                if b"etag" in found and is_public and _NOT_IN_GROUP not in scope["state"]:
                    message["headers"] = [*headers, (GROUP, group(self.service, revision))]
                    announcer.note_read()
            await send(message)

        await self.app(scope, receive, send_read)
