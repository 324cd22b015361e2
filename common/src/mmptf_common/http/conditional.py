"""Conditional requests: strong ETags, made from the revision and the canonical query, and 304 answers."""

from __future__ import annotations

import hashlib
import re

from starlette.requests import Request
from starlette.responses import Response

# Any cache may store an answer and has to revalidate it before each use: data may change at any time, and a
# revalidation is cheap.
CACHE_CONTROL = "public, no-cache"
_TAG = re.compile(r'(?:W/)?("[^"]*")')
_TAGS = re.compile(r'([Ww]/)?("[^"]*")')


def number_of(revision: str) -> int:
    """The number of a revision, without the moment of its write; answers contain the number only."""
    return int(revision.partition(":")[0])


def etag(
    request: Request, revision: str, canonical: str, representation: str = "json", *, path: str | None = None
) -> str:
    """The strong entity tag of one representation; it contains the build, since other code may answer otherwise.

    path: of the resource, where it is not the path of the request
    """
    question = f"{revision}\n{request.app.state.build}\n{path or request.scope['path']}\n{canonical}\n{representation}"
    return f'"{number_of(revision)}-{hashlib.blake2b(question.encode(), digest_size=9).hexdigest()}"'


def headers(tag: str) -> dict[str, str]:
    """The headers of every successful read: ETag, Cache-Control and Vary."""
    return {"ETag": tag, "Cache-Control": CACHE_CONTROL, "Vary": "Accept"}


def is_conditional(request: Request) -> bool:
    """Whether the request has If-None-Match."""
    return "if-none-match" in request.headers


def names(request: Request, tag: str) -> bool:
    """Whether If-None-Match contains this tag (RFC 9110, weak comparison)."""
    return tag in _TAG.findall(request.headers.get("if-none-match", ""))


def matches(request: Request, tag: str) -> bool:
    """Whether the answer is 304: If-None-Match contains this tag, or is `*`."""
    return request.headers.get("if-none-match", "").strip() == "*" or names(request, tag)


def strong_tags(header: str) -> list[str]:
    """The strong tags of If-Match; weak ones match nothing there (RFC 9110, section 13.1.1)."""
    return [tag for weak, tag in _TAGS.findall(header) if not weak]


def not_modified(tag: str) -> Response:
    """The 304 for a caller who has the answer with this tag."""
    return Response(status_code=304, headers=headers(tag))
