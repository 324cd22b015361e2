"""The coding that a request prefers, and bodies that are compressed while they are sent."""

from __future__ import annotations

import asyncio
import re
import zlib
from functools import lru_cache

from starlette.requests import Request

GZIP, ZSTD = "gzip", "zstd"
# By preference, where a request accepts them equally.
CODINGS = (ZSTD, GZIP)
# A longer Accept-Encoding takes time to read, and no client sends one: it is answered without a coding.
LONGEST_ACCEPTED = 256
# Records repeat the names of their members: higher levels take several times as long, and save few bytes more.
LEVEL = 1
_QUALITY = re.compile(r"\s*q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*")
# As zlib calls the format of gzip, with its largest window.
_GZIP = 16 + zlib.MAX_WBITS


def accepts_gzip(request: Request) -> bool:
    """Whether Accept-Encoding names gzip, or else `*`, with a quality above 0 (RFC 9110, section 12.5.3)."""
    return preferred_coding(",".join(request.headers.getlist("accept-encoding")), (GZIP,)) == GZIP


@lru_cache(maxsize=64)  # clients send few different ones, each of them often
def preferred_coding(accepted: str, available: tuple[str, ...] = CODINGS) -> str | None:
    """The coding with the highest quality in an Accept-Encoding; None for none, or where none is preferred."""
    if len(accepted) > LONGEST_ACCEPTED:
        return None
    found: dict[str, float] = {}
    for part in accepted.lower().split(","):
        coding, _, option = part.partition(";")
        quality = _QUALITY.fullmatch(option)
        found[coding.strip()] = float(quality[1]) if quality else 1.0
    best = max(available, key=lambda coding: found.get(coding, found.get("*", 0.0)))
    return best if found.get(best, found.get("*", 0.0)) > found.get("identity", 0.0) else None


def tag_in(coding: str, tag: str) -> str:
    """The strong tag of the compressed form of what has this tag, as proxies name it, too."""
    return f'{tag[:-1]}-{coding}"'


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
