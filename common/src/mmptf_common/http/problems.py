"""Exceptions as answers: RFC 9457 problem documents."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from mmptf_common.http.bodies import errors_of_body
from mmptf_common.http.paths import closest_path, operations, operations_of
from mmptf_common.process.context import RequestContext
from mmptf_common.process.failure_log import report_problem
from mmptf_common.process.metrics import counts
from mmptf_common.wire.links import link
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import (
    BY_STATUS,
    MAX_ERRORS,
    MEDIA_TYPE,
    BadRequest,
    ErrorDetail,
    InternalError,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    ProblemError,
    UnsupportedMediaType,
    error_detail,
    reason_of,
)


def response(problem: ProblemError, instance: str, context: RequestContext | None) -> Response:
    """The HTTP answer of a problem, as application/problem+json; no cache may store it. What passes again is logged.

    instance: the path of the request, without the base path
    """
    report_problem(problem)
    counts.problems[problem.code] += 1
    return Response(
        problem.document(link(instance), context.request_id if context else None).model_dump_json(),
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers={"Cache-Control": "no-store", **problem.headers},
    )


def from_http_exception(request: Request, error: HTTPException) -> ProblemError:
    """The problem for a routing or parsing failure of the framework."""
    if isinstance(error.__cause__, ProblemError):
        return error.__cause__  # FastAPI raises a 400 of its own from whatever failed while it read the body
    cls = BY_STATUS.get(error.status_code, BadRequest if error.status_code < 500 else InternalError)
    headers = dict(error.headers or {})
    path = request.scope["path"]
    if cls is NotFound:
        meant = closest_path(operations(request.app), path)
        meant = meant and link(meant)
        detail = f"Nothing is found at {link(path)[:200]!r}" + (f"; did you mean {meant}?" if meant else ".")
        return NotFound(
            detail, errors=[error_detail(ProblemCode.UNKNOWN_PATH, detail, suggestion=meant)] if meant else ()
        )
    if cls is MethodNotAllowed:
        allowed = sorted(_offered(request, headers.get("Allow", "")))
        headers["Allow"] = ", ".join(allowed)
        detail = f"{request.method} is not offered at this path; it takes {headers['Allow']}."
        # A record that cannot be deleted or replaced may be withdrawn in another way.
        for operation in operations_of(operations(request.app), path):
            if operation.method not in {"GET", request.method}:
                detail += f" {operation.summary}: {operation.method} {link(operation.path)}."
        return MethodNotAllowed(detail, headers=headers)
    return cls(str(error.detail), headers=headers)


def _offered(request: Request, known: str) -> set[str]:
    """The methods of a path: a route has only its own, and no route has the HEAD of a GET."""
    path = request.scope["path"]
    found = operations(request.app)
    # A path without parameters, such as `…/facets`, comes before a template that would take its last part as a code.
    own = [o for o in found if o.path == path] or [
        o for o in found if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", o.path), path)
    ]
    offered = {operation.method for operation in own} or set(known.split(", "))
    return offered | {"HEAD"} if "GET" in offered else offered


def from_validation(request: Request, error: RequestValidationError, body: Any = None) -> ProblemError:
    """The problem of a request whose path or body is not valid, or whose body is not JSON.

    body: the annotation of the route's body, None where it takes none
    """
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        why = first.get("ctx", {}).get("error", first["msg"])
        return BadRequest(
            f"The body is not JSON: {why}, at character {first['loc'][-1]}.", code=ProblemCode.INVALID_JSON
        )
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    is_json = media == "application/json" or media.endswith("+json")
    if tuple(first["loc"]) == ("body",) and error.body and not is_json:
        return UnsupportedMediaType(f"The body is {media or 'of no stated media type'}; application/json is expected.")
    in_body = [each for each in error.errors() if each["loc"][0] == "body"]
    elsewhere = [each for each in error.errors() if each["loc"][0] != "body"]
    listed = [*map(_error_of_path, elsewhere), *errors_of_body(body, in_body)]
    return InvalidRequest(listed, more=max(len(in_body) - MAX_ERRORS, 0))


def _error_of_path(error: Mapping[str, Any]) -> ErrorDetail:
    name = str(error["loc"][-1])
    return error_detail(ProblemCode.INVALID_PARAMETER, f"{name}: {reason_of(error)}", parameter=name)


async def answer(request: Request, error: Exception) -> Response:
    """The exception handler of every app: returns a problem document."""
    if isinstance(error, ProblemError):
        problem = error
    elif isinstance(error, RequestValidationError):
        problem = from_validation(request, error)
    elif isinstance(error, HTTPException):
        problem = from_http_exception(request, error)
    else:
        raise error
    return response(problem, request.url.path, getattr(request.state, "context", None))
