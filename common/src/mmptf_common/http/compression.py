"""Bodies that are compressed while they are sent, for callers who accept it."""

from __future__ import annotations

import asyncio
import re
import zlib

from starlette.requests import Request

# Records repeat the names of their members: higher levels take several times as long, and save few bytes more.
LEVEL = 1
_REFUSED = re.compile(r"\s*q\s*=\s*0(\.0*)?\s*")
# As zlib calls the format of gzip, with its largest window.
_GZIP = 16 + zlib.MAX_WBITS


def accepts_gzip(request: Request) -> bool:
    """Whether Accept-Encoding names gzip, or else `*`, with a quality above 0 (RFC 9110, section 12.5.3)."""
    accepted: dict[str, bool] = {}
    for part in ",".join(request.headers.getlist("accept-encoding")).split(","):
        coding, _, option = part.lower().partition(";")
        accepted[coding.strip()] = not _REFUSED.fullmatch(option)
    return accepted.get("gzip", accepted.get("*", False))


def gzipped_tag(tag: str) -> str:
    """The strong tag of the compressed form of what has this tag, as proxies name it, too."""
    return f'{tag[:-1]}-gzip"'


class Gzip:
    """Compresses one body, piece by piece."""

    def __init__(self) -> None:
        self._compressor = zlib.compressobj(LEVEL, zlib.DEFLATED, _GZIP)

    async def compressed(self, piece: bytes) -> bytes:
        """What is ready of the body up to this piece; a thread compresses it, so that no other request waits."""
        return await asyncio.to_thread(self._compressor.compress, piece)

    def end(self) -> bytes:
        """What is left."""
        return self._compressor.flush()
