"""Bodies that many callers ask for, compressed once, and the coding that a request prefers."""

from __future__ import annotations

import gzip
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from starlette.requests import Request
from starlette.responses import Response

VARY = "Accept-Encoding"
GZIP, ZSTD = "gzip", "zstd"
# By preference, where a request accepts them equally.
CODINGS = (ZSTD, GZIP)
_QUALITY = re.compile(r"\s*q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*")
# A longer Accept-Encoding takes time to read, and no client sends one: it is answered without a coding.
LONGEST_ACCEPTED = 256


@dataclass(frozen=True, slots=True)
class Body:
    """A body as it is, and in the gzip coding."""

    plain: bytes
    gzipped: bytes

    @classmethod
    def of(cls, plain: bytes) -> Body:
        """The body with its compressed form, whose bytes depend on nothing but the body."""
        return cls(plain, compressed(plain, GZIP))

    def response(self, request: Request, media_type: str, headers: Mapping[str, str]) -> Response:
        """The answer in the coding that the request accepts; `headers` contain Vary."""
        if not accepts_gzip(request):
            return Response(self.plain, media_type=media_type, headers=headers)
        return Response(self.gzipped, media_type=media_type, headers={**headers, "Content-Encoding": "gzip"})


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


def compressed(body: bytes, coding: str) -> bytes:
    """The body in a coding; its bytes depend on nothing but the body."""
    if coding == GZIP:
        return gzip.compress(body, mtime=0)
    # A process that is asked for gzip alone does not need it.
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd.compress(body)
