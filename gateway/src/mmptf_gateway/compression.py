"""Bodies that many callers ask for, compressed once."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from mmptf_common.http.compression import GZIP, accepts_gzip

VARY = "Accept-Encoding"


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
