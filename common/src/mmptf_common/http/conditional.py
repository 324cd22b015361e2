"""Conditional requests: strong ETags, made from the revision and the canonical query, and 304 answers."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from mmptf_common.wire.links import link
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import BadRequest, PreconditionRequired

# Any cache may store an answer and has to revalidate it before each use: data may change at any time, and a
# revalidation is cheap.
CACHE_CONTROL = "public, no-cache"
# A compressing proxy makes a tag weak (nginx) or appends the coding (Apache, Caddy, Jetty); the question and the
# revision that it stands for are the same.
_SENT = re.compile(r'(?:[Ww]/)?"([^"]*?)(?:(?:--?|[;:])(?:br|deflate|gzip|zstd))?"')
_LIST = re.compile(rf"[\s,]*{_SENT.pattern}(?:\s*,[\s,]*{_SENT.pattern})*[\s,]*")
_OURS = re.compile(r'"[0-9]+-[0-9a-f]{18}"')


def number_of(revision: str) -> int:
    """The number of a revision, without the moment of its write; answers contain the number only."""
    return int(revision.partition(":")[0])


def etag(
    request: Request, revision: str, canonical: str, representation: str = "json", *, path: str | None = None
) -> str:
    """The strong entity tag of one representation; it contains the build, since other code may answer otherwise.

    It also contains the base path, which is part of the links of an answer.
    path: of the resource, where it is not the path of the request
    """
    at = link(path or request.scope["path"])
    question = f"{revision}\n{request.app.state.build}\n{at}\n{canonical}\n{representation}"
    return f'"{number_of(revision)}-{hashlib.blake2b(question.encode(), digest_size=9).hexdigest()}"'


def revision_in(tag: str) -> int:
    """The number of the revision in a tag."""
    return int(tag[1:].partition("-")[0])


def headers(tag: str, *, vary: str = "Accept") -> dict[str, str]:
    """The headers of every successful read: ETag, Cache-Control and Vary."""
    return {"ETag": tag, "Cache-Control": CACHE_CONTROL, "Vary": vary}


class JsonResponse(Response):
    """A 200 of JSON with its headers: what Starlette makes of a body and of headers, in a third of the time."""

    def __init__(self, body: bytes, headers: Mapping[str, str]) -> None:
        self.status_code = 200
        self.background = None
        self.body = body
        self.raw_headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
        self.raw_headers += ((b"content-length", b"%d" % len(self.body)), (b"content-type", b"application/json"))


def disposition(path: str, representation: str) -> str:
    """The Content-Disposition of a file: shown by a browser that can, and saved under the name of its path."""
    extension = representation.partition("-")[0]
    return f'inline; filename="{path.strip("/").replace("/", "-")}.{extension}"'


def is_conditional(request: Request) -> bool:
    """Whether the request has If-None-Match."""
    return "if-none-match" in request.headers


def names(request: Request, tag: str) -> bool:
    """Whether one of the lines of If-None-Match contains this tag, also as a proxy has changed it."""
    return tag[1:-1] in _SENT.findall(_lines(request, "if-none-match"))


def matches(request: Request, tag: str) -> bool:
    """Whether the answer is 304: If-None-Match contains this tag, or is `*`."""
    return is_known(_lines(request, "if-none-match"), tag)


def is_known(text: str, tag: str) -> bool:
    """Whether the answer is 304 for a caller whose If-None-Match is this text, all lines of it as one list."""
    return text.strip() == "*" or tag[1:-1] in _SENT.findall(text)


def expected_tags(request: Request) -> list[str] | None:
    """The tags in If-Match, as `etag` made them; None where it is `*`.

    Raises PreconditionRequired where there is no If-Match, BadRequest where it contains no tag of a service.
    """
    if "if-match" not in request.headers:
        raise PreconditionRequired(
            "A change needs If-Match with the ETag of the record as you know it: read it first, then it cannot be"
            " overwritten unseen."
        )
    return tags_in(_lines(request, "if-match").strip(), "If-Match")


def tags_in(text: str, name: str) -> list[str] | None:
    """The tags in a text of one or several, as `etag` made them; None where it is `*`.

    Raises BadRequest where none is one of a service. Weak tags are among them, against RFC 9110, section 13.1.1: a
    proxy that compresses makes all tags weak, and then no change could be made through it.
    name: of the header or member that contains the text, for the error
    """
    if text == "*":
        return None
    ours = [tag for inner in _SENT.findall(text) if _OURS.fullmatch(tag := f'"{inner}"')]
    if not ours or not _LIST.fullmatch(text):
        raise BadRequest(
            f"{name}: the ETag of the record is expected as it was sent, in its quotation marks, such as"
            ' "352-0f1e2d3c4b5a697887", or several of them with commas, or *.',
            code=ProblemCode.NOT_AN_ETAG,
        )
    return ours


def _lines(request: Request, header: str) -> str:
    """All lines of a header as the one list that they are (RFC 9110, section 5.3)."""
    return ", ".join(request.headers.getlist(header))


def not_modified(tag: str, *, vary: str = "Accept") -> Response:
    """The 304 for a caller who has the answer with this tag."""
    return Response(status_code=304, headers=headers(tag, vary=vary))


def for_caller_only(response: Response) -> Response:
    """The response of a read that depends on who asks, so that no cache gives it to another caller."""
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["Vary"] = f"{response.headers['Vary']}, Authorization"
    return response
