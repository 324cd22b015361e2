"""Content negotiation: the representation of a list that a request asks for."""

from __future__ import annotations

import re
from functools import lru_cache

from starlette.requests import Request

from mmptf_common.http.parameters import ListQuery, Tabular
from mmptf_common.wire.problems import NotAcceptable

MEDIA_TYPES = {"json": "application/json", "csv": "text/csv; charset=utf-8", "ndjson": "application/x-ndjson"}
# CSV whose texts no spreadsheet takes for formulas. Only `format` asks for it, since its media type is that of CSV.
SPREADSHEET = "csv-spreadsheet"
_REPRESENTATIONS = {
    "application/json": "json", "text/csv": "csv", "application/x-ndjson": "ndjson", "application/ndjson": "ndjson",
    "text/html": "html",
}  # fmt: skip
# The representations of a table of groups.
TABLE = ("json", "csv")
_QUALITY = re.compile(r"^\s*q\s*=\s*(0(\.\d{0,3})?|1(\.0{0,3})?)\s*$")


def representation(
    request: Request, query: ListQuery | Tabular, available: tuple[str, ...] = tuple(MEDIA_TYPES)
) -> str:
    """The name of the representation: `format`, else the best of `Accept`; raises NotAcceptable where none fits."""
    if query.format:
        return query.format
    # Several lines are one list (RFC 9110, section 5.3).
    if best := best_representation(", ".join(request.headers.getlist("accept") or ["*/*"]), available):
        return best
    raise NotAcceptable(f"Available are {', '.join(MEDIA_TYPES[name] for name in available)}.")


def is_csv(representation: str) -> bool:
    """Whether a representation is CSV, be it for spreadsheets."""
    return representation in ("csv", SPREADSHEET)


def media_type(representation: str) -> str:
    """The media type of a representation."""
    return MEDIA_TYPES["csv" if is_csv(representation) else representation]


def prefers_html(request: Request) -> bool:
    """Whether `Accept` prefers a page to JSON, as that of a browser does."""
    accept = ", ".join(request.headers.getlist("accept") or ["*/*"])
    return best_representation(accept, ("json", "html")) == "html"


# Clients send few different headers, each of them often.
@lru_cache(maxsize=64)
def best_representation(accept: str, available: tuple[str, ...] = tuple(MEDIA_TYPES)) -> str | None:
    """The representation with the highest quality, among equal ones the first in the header; None where none fits."""
    asked: dict[str, tuple[float, int]] = {}
    for place, part in enumerate(accept.split(",")):
        media, *options = part.split(";")
        media = media.strip().lower()
        quality = next((float(m[1]) for o in options if (m := _QUALITY.match(o))), 1.0)
        asked[media] = max(asked.get(media, (0.0, 0)), (quality, -place))
    weights = {media: _weight(asked, media) for media, name in _REPRESENTATIONS.items() if name in available}
    best = max(weights, key=weights.__getitem__)
    return _REPRESENTATIONS[best] if weights[best][0] else None


def _weight(asked: dict[str, tuple[float, int]], media: str) -> tuple[float, int]:
    """The quality of a media type, and its place in the header (0 is first, then -1, …).

    The most specific range decides the quality (RFC 9110, section 12.5.1).
    asked: each range of the header with its quality and its place
    """
    found = [asked[each] for each in (media, f"{media.partition('/')[0]}/*", "*/*") if each in asked]
    quality = found[0][0] if found else 0.0
    return quality, max((place for other, place in found if other >= quality), default=0)
