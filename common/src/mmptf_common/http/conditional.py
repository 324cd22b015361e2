"""Conditional requests: a strong ETag made from the revision and the canonical question, and its 304."""

from __future__ import annotations

import hashlib
import re

from starlette.requests import Request
from starlette.responses import Response

# Anyone may keep an answer, and must ask before using it again: data may change at any time, and asking is cheap.
CACHE_CONTROL = "public, no-cache"
_TAG = re.compile(r'(?:W/)?("[^"]*")')
_TAGS = re.compile(r'([Ww]/)?("[^"]*")')


def number_of(revision: str) -> int:
    """The number by which readers know a revision."""
    return int(revision.partition(":")[0])


def etag(
    request: Request, revision: str, canonical: str, representation: str = "json", *, path: str | None = None
) -> str:
    """The strong entity tag of one representation; the build is in it, since other code may answer otherwise.

    path: of what is represented, where it is not what the request asks for
    """
    question = f"{revision}\n{request.app.state.build}\n{path or request.scope['path']}\n{canonical}\n{representation}"
    return f'"{number_of(revision)}-{hashlib.blake2b(question.encode(), digest_size=9).hexdigest()}"'


def headers(tag: str) -> dict[str, str]:
    """What every successful read says about its own keeping."""
    return {"ETag": tag, "Cache-Control": CACHE_CONTROL, "Vary": "Accept"}


def is_conditional(request: Request) -> bool:
    """Whether the caller has an earlier answer to compare with."""
    return "if-none-match" in request.headers


def names(request: Request, tag: str) -> bool:
    """Whether the caller has this very answer (RFC 9110, weak comparison)."""
    return tag in _TAG.findall(request.headers.get("if-none-match", ""))


def matches(request: Request, tag: str) -> bool:
    """Whether the caller's earlier answer is still the right one: it has this tag, or any will do (`*`)."""
    return request.headers.get("if-none-match", "").strip() == "*" or names(request, tag)


def strong_tags(header: str) -> list[str]:
    """The tags of a header that compares strongly (RFC 9110, If-Match): weak ones match nothing."""
    return [tag for weak, tag in _TAGS.findall(header) if not weak]


def not_modified(tag: str) -> Response:
    """304: the caller's earlier answer is still right."""
    return Response(status_code=304, headers=headers(tag))
