"""The routes that explain the codes of problems, which every process has: as JSON, and as a page for a browser."""

from __future__ import annotations

from html import escape
from http import HTTPStatus
from typing import Annotated

from starlette.requests import Request
from starlette.responses import Response

from mmptf_common.http import conditional, openapi
from mmptf_common.http.headers import PublicReadRequest
from mmptf_common.http.negotiation import prefers_html
from mmptf_common.http.parameters import NO_PARAMETERS
from mmptf_common.wire.base import ResponseModel
from mmptf_common.wire.links import link
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import PROBLEMS, NotFound, error_detail, problem_path
from mmptf_common.wire.suggestions import suggestion_among

HTML = "text/html; charset=utf-8"
# The page loads nothing; its style is in it.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>body{{font-family:system-ui,sans-serif;line-height:1.5;max-width:48rem;margin:2rem auto;padding:0 1rem}}
code{{font-size:.95em}}dt{{font-weight:600;margin-top:1rem}}dd{{margin:0}}</style>
</head>
<body>
{body}
</body>
</html>
"""
_BY_TEXT = {str(code): code for code in ProblemCode}

TAG = openapi.Tag("Problems", "What each error code means, when it comes, and what to do then.", supporting=True)

router = openapi.Router(dependencies=[NO_PARAMETERS])


class ProblemKind(ResponseModel):
    """What one error code means, and what to do."""

    code: ProblemCode
    """The code that is explained."""
    type: str
    """Path of this explanation, such as `/problems/not_found`; it is the `type` of a problem with this code."""
    statuses: list[int]
    """HTTP statuses of the answers that have the code, in `code` or in `errors`; empty where it is no error of a
    request. In the report of a batch, a row may have it with another status.
    """
    meaning: str
    """What the code means, and when it comes."""
    remedy: str
    """What to do to make the request succeed, or whom to ask."""


class ProblemKinds(ResponseModel):
    """All error codes of all services, with their explanations."""

    items: list[ProblemKind]
    """The explanations: first of what is checked first, such as the form of the request and the access token."""


@router.get(
    PROBLEMS, tags=[TAG.name], response_model=ProblemKinds, summary="List the error codes", **openapi.explanation(HTML)
)
async def list_problem_kinds(request: PublicReadRequest) -> Response:
    """All values of `code` in problem documents, with their meaning; with `Accept: text/html` as a page for people."""
    rows = "\n".join(
        f'<dt><a href="{escape(link(problem_path(code)))}"><code>{code}</code></a></dt><dd>{_html(code.meaning)}</dd>'
        for code in ProblemCode
    )
    body = f"<h1>Error codes</h1>\n<dl>\n{rows}\n</dl>"
    return _answer(request, ProblemKinds(items=[_kind(code) for code in ProblemCode]), "Error codes", body)


@router.get(
    f"{PROBLEMS}/{{code}}",
    tags=[TAG.name],
    response_model=ProblemKind,
    summary="Get the meaning of an error code",
    **openapi.explanation(HTML, missing=True),
)
async def get_problem_kind(
    request: PublicReadRequest,
    code: Annotated[
        str,
        openapi.code_in_path(
            "An error code, such as `not_found`: `code` of a problem, or of one of its `errors`.", "not_found"
        ),
    ],
) -> Response:
    """The meaning of the code, its HTTP statuses, and what to do; as a page for people with `Accept: text/html`."""
    known = _BY_TEXT.get(code)
    if known is None:
        raise _unknown(code)
    explained = _kind(known)
    statuses = ", ".join(f"{status} {HTTPStatus(status).phrase}" for status in explained.statuses)
    body = (
        f"<h1><code>{known}</code></h1>\n<p>{_html(known.meaning)}</p>\n<h2>What to do</h2>\n<p>{_html(known.remedy)}"
        f"</p>\n<p>HTTP status: {statuses or 'none'}</p>\n"
        f'<p><a href="{escape(link(PROBLEMS))}">All error codes</a></p>'
    )
    return _answer(request, explained, str(known), body)


def _kind(code: ProblemCode) -> ProblemKind:
    return ProblemKind(
        code=code,
        type=link(problem_path(code)),
        statuses=list(code.statuses),
        meaning=code.meaning,
        remedy=code.remedy,
    )


def _unknown(code: str) -> NotFound:
    meant = suggestion_among(code, _BY_TEXT)
    detail = f"No error has the code {code!r}."
    allowed = [f"see {link(PROBLEMS)}"]
    unknown = error_detail(
        ProblemCode.UNKNOWN_CODE, detail, parameter="code", allowed=allowed, suggestion=meant and meant.code
    )
    return NotFound(f"{detail} {meant.sentence}" if meant else detail, errors=[unknown])


def _answer(request: Request, answer: ResponseModel, title: str, body: str) -> Response:
    """The JSON, or the page where the caller prefers one; 304 where the caller has it. Only a build changes it."""
    html = prefers_html(request)
    tag = conditional.etag(request, "0", "", "html" if html else "json")
    if conditional.matches(request, tag):
        return conditional.not_modified(tag)
    if html:
        headers = {**conditional.headers(tag), "Content-Security-Policy": POLICY}
        return Response(PAGE.format(title=escape(title), body=body), media_type=HTML, headers=headers)
    return Response(answer.model_dump_json(), media_type="application/json", headers=conditional.headers(tag))


def _html(text: str) -> str:
    """A text as HTML, with what is between backticks as code."""
    pieces = escape(text).split("`")
    return "".join(f"<code>{piece}</code>" if n % 2 else piece for n, piece in enumerate(pieces))
