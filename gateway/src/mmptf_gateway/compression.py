"""Bodies that many callers ask for, compressed once."""

from __future__ import annotations

import gzip
import re
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

VARY = "Accept-Encoding"
_REFUSED = re.compile(r"\s*q\s*=\s*0(\.0*)?\s*")


@dataclass(frozen=True, slots=True)
class Body:
    """A body as it is, and in the gzip coding."""

    plain: bytes
    gzipped: bytes

    @classmethod
    def of(cls, plain: bytes) -> Body:
        """The body with its compressed form, whose bytes depend on nothing but the body."""
        return cls(plain, gzip.compress(plain, mtime=0))

    def response(self, request: Request, media_type: str, headers: Mapping[str, str]) -> Response:
        """The answer in the coding that the request accepts; `headers` contain Vary."""
        if not accepts_gzip(request):
            return Response(self.plain, media_type=media_type, headers=headers)
        return Response(self.gzipped, media_type=media_type, headers={**headers, "Content-Encoding": "gzip"})


def accepts_gzip(request: Request) -> bool:
    """Whether Accept-Encoding names gzip, or else `*`, with a quality above 0 (RFC 9110, section 12.5.3)."""
    accepted: dict[str, bool] = {}
    for part in ",".join(request.headers.getlist("accept-encoding")).split(","):
        coding, _, option = part.lower().partition(";")
        accepted[coding.strip()] = not _REFUSED.fullmatch(option)
    return accepted.get("gzip", accepted.get("*", False))
