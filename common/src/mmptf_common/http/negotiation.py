"""Which representation of a list a request asks for."""

from __future__ import annotations

import re

from starlette.requests import Request

from mmptf_common.http.parameters import ListQuery
from mmptf_common.wire.problems import NotAcceptable

MEDIA_TYPES = {"json": "application/json", "csv": "text/csv; charset=utf-8", "ndjson": "application/x-ndjson"}
_ACCEPTED = {
    "*/*": "json", "application/*": "json", "application/json": "json", "text/csv": "csv", "text/*": "csv",
    "application/x-ndjson": "ndjson", "application/ndjson": "ndjson",
}  # fmt: skip
_QUALITY = re.compile(r"^\s*q\s*=\s*(0(\.\d{0,3})?|1(\.0{0,3})?)\s*$")


def representation(request: Request, query: ListQuery) -> str:
    """The name of the representation: `format`, else the best of `Accept`; NotAcceptable where there is none."""
    if query.format:
        return query.format
    accept = request.headers.get("accept", "*/*")
    if accept in _ACCEPTED:
        return _ACCEPTED[accept]
    best: tuple[float, str] | None = None
    for part in accept.split(","):
        media, *options = part.split(";")
        quality = next((float(m[1]) for o in options if (m := _QUALITY.match(o))), 1.0)
        wanted = _ACCEPTED.get(media.strip().lower())
        if wanted and quality > 0 and (best is None or quality > best[0]):
            best = (quality, wanted)
    if best is None:
        raise NotAcceptable(f"Available are {', '.join(MEDIA_TYPES.values())}.")
    return best[1]
