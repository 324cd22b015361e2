"""Errors as exceptions with a status and a stable code, and as RFC 9457 problem documents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from mmptf_common.wire.base import ResponseModel, in_words
from mmptf_common.wire.links import link
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.suggestions import Suggestion, suggestion_among
from mmptf_common.wire.texts import hidden_character

MEDIA_TYPE = "application/problem+json"
# Where every process explains the codes.
PROBLEMS = "/problems"
# A problem document lists this many errors at most, and its `detail` this many of them.
MAX_ERRORS = 1000
ERRORS_IN_DETAIL = 10

# Seconds; a process that restarts, or a connection that is opened again, takes no longer.
RETRY_AFTER = {"Retry-After": "2"}


class ErrorDetail(ResponseModel):
    """One thing that is wrong with a request: where it is, what it is, and what would have been allowed."""

    parameter: str | None
    """Name of the parameter of the query or of the path that is wrong; null where the error is elsewhere."""
    pointer: str | None
    """JSON Pointer (RFC 6901) to the wrong value in the body, such as `/places/0/code`; in an uploaded file
    /table/row/column. Null where the error is elsewhere.
    """
    code: ProblemCode
    """What kind of error it is, for programs; `/problems/{code}` explains it."""
    detail: str
    """What is wrong and what would be right, for people; its wording may change."""
    allowed: list[str] | None
    """The values that are allowed or, where they are many, a description or the path of their list; null where neither
    is known.
    """
    suggestion: str | None
    """The value that was most likely meant, to be offered to the user; null unless it is nearly certain."""


class Problem(ResponseModel):
    """The answer to a request that failed, a problem document (RFC 9457). Programs read `code`, people `detail`."""

    type: str
    """Path at which this kind of problem is explained, such as `/problems/not_found`; its last part is `code`."""
    title: str
    """The problem in a few words, the same for every request that fails so; for people."""
    status: int
    """HTTP status of the answer, such as 404."""
    detail: str
    """What is wrong in this request and what would be right, for people; its wording may change."""
    instance: str
    """Path of the request that failed; empty where the request could not be read as far as its path."""
    code: ProblemCode
    """What kind of problem it is, for programs; with several `errors`, the code of the first."""
    request_id: str | None
    """The `X-Request-ID` of the answer, by which the operator finds the request; null where it was refused before it
    had one.
    """
    errors: list[ErrorDetail]
    """Everything that is wrong in the request, with its place, so that it can be corrected at once; empty where the
    problem is not in a value that was sent.
    """


def problem_path(code: ProblemCode) -> str:
    """The path at which a code is explained."""
    return f"{PROBLEMS}/{code}"


class ProblemError(Exception):
    """Base of all errors that are answered; a subclass states the status, the title and mostly the code.

    ProblemError
    ├── InvalidRequest       422  the request contains values that are not allowed
    ├── BadRequest           400  the request cannot be parsed
    ├── Unauthorized         401  no access token, or one that is not valid
    ├── Forbidden            403  the caller may not do this
    ├── NotFound             404
    ├── MethodNotAllowed     405
    ├── NotAcceptable        406  no representation that the caller accepts
    ├── RequestTimeout       408  the request arrives too slowly
    ├── Conflict             409  the request does not fit the present state of the data
    ├── PreconditionFailed   412  the record has changed since the caller read it
    ├── PayloadTooLarge      413
    ├── UnsupportedMediaType 415
    ├── PreconditionRequired 428  If-Match is missing
    ├── TooManyRequests      429  the client has sent as many as are answered in a minute
    ├── HeadTooLarge         431  request line and headers are larger than the server reads
    ├── InternalError        500
    ├── MethodNotImplemented 501  a method that HTTP does not define, or that no path has
    ├── BadGateway           502  another service cannot be reached
    ├── ServiceUnavailable   503  the service's own database or the identity provider cannot be reached
    ├── GatewayTimeout       504  another service does not answer in time
    └── InsufficientStorage  507  the service's own database or folder of files has no space left
    """

    status: ClassVar[int]
    code: ProblemCode
    title: ClassVar[str]
    headers: Mapping[str, str] = {}

    def __init__(
        self,
        detail: str,
        *,
        errors: Sequence[ErrorDetail] = (),
        headers: Mapping[str, str] | None = None,
        code: ProblemCode | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = list(errors)
        if code:
            self.code = code
        if headers:
            self.headers = {**self.headers, **headers}

    def document(self, instance: str, request_id: str | None) -> Problem:
        """The problem document; instance: the path of the request."""
        return Problem(
            type=link(problem_path(self.code)),
            title=self.title,
            status=self.status,
            detail=self.detail,
            instance=instance,
            code=self.code,
            request_id=request_id,
            errors=self.errors,
        )


class InvalidRequest(ProblemError):
    """422 with the errors of the request; the code of the problem is that of the first, where none is given.

    more: how many further errors there are beside those that are given. `detail` says how many are not listed.
    """

    status, title = 422, "The request is not valid"

    def __init__(self, errors: Sequence[ErrorDetail], *, code: ProblemCode | None = None, more: int = 0) -> None:
        listed = errors[:MAX_ERRORS]
        parts = [error.detail for error in listed[:ERRORS_IN_DETAIL]]
        if not_told := len(errors) + more - len(parts):
            parts.append(f"and {not_told:,} more errors, of which `errors` lists {len(listed) - len(parts):,}")
        super().__init__("; ".join(parts), errors=listed, code=code or errors[0].code)


class BadRequest(ProblemError):
    status, code, title = 400, ProblemCode.BAD_REQUEST, "The request cannot be read"


class Unauthorized(ProblemError):
    status, code, title = 401, ProblemCode.TOKEN_INVALID, "A valid access token is needed"
    headers = {"WWW-Authenticate": 'Bearer realm="mmptf"'}


class Forbidden(ProblemError):
    status, code, title = 403, ProblemCode.FORBIDDEN, "This may not be done here"


class NotFound(ProblemError):
    status, code, title = 404, ProblemCode.NOT_FOUND, "There is nothing here"


class MethodNotAllowed(ProblemError):
    status, code, title = 405, ProblemCode.METHOD_NOT_ALLOWED, "The method is not allowed here"


class NotAcceptable(ProblemError):
    status, code, title = 406, ProblemCode.NOT_ACCEPTABLE, "No representation that the caller accepts"


class RequestTimeout(ProblemError):
    status, code, title = 408, ProblemCode.REQUEST_TIMEOUT, "The request arrives too slowly"


class Conflict(ProblemError):
    status, title = 409, "This does not fit what is there"

    def __init__(self, detail: str, *, code: ProblemCode, errors: Sequence[ErrorDetail] = ()) -> None:
        super().__init__(detail, code=code, errors=errors)


class PreconditionFailed(ProblemError):
    status, code, title = 412, ProblemCode.PRECONDITION_FAILED, "The record has changed meanwhile"


class PreconditionRequired(ProblemError):
    status, code, title = 428, ProblemCode.PRECONDITION_REQUIRED, "A change has to name the state that it changes"


class PayloadTooLarge(ProblemError):
    status, code, title = 413, ProblemCode.PAYLOAD_TOO_LARGE, "The body is too large"


class UnsupportedMediaType(ProblemError):
    status, code, title = 415, ProblemCode.UNSUPPORTED_MEDIA_TYPE, "The body's media type is not supported"


class TooManyRequests(ProblemError):
    status, code, title = 429, ProblemCode.TOO_MANY_REQUESTS, "Too many requests in a minute"


class HeadTooLarge(ProblemError):
    status, code, title = 431, ProblemCode.HEAD_TOO_LARGE, "The head of the request is too large"


class InternalError(ProblemError):
    status, code, title = 500, ProblemCode.INTERNAL_ERROR, "The service failed"


class MethodNotImplemented(ProblemError):
    status, code, title = 501, ProblemCode.METHOD_NOT_IMPLEMENTED, "The method is not known here"


class BadGateway(ProblemError):
    status, code, title = 502, ProblemCode.SERVICE_UNREACHABLE, "Another service cannot be used now"
    headers = RETRY_AFTER


class ServiceUnavailable(ProblemError):
    status, code, title = 503, ProblemCode.UNAVAILABLE, "The service cannot answer now"
    headers = RETRY_AFTER


class InsufficientStorage(ProblemError):
    status, code, title = 507, ProblemCode.STORAGE_FULL, "There is no space left to write"
    headers = RETRY_AFTER


class DatabaseLost(ServiceUnavailable):
    """503: the connection to the database broke, so that the same read may succeed on another one."""


class GatewayTimeout(ProblemError):
    status, code, title = 504, ProblemCode.SERVICE_TIMEOUT, "A service did not answer in time"
    headers = RETRY_AFTER


BY_STATUS: dict[int, type[ProblemError]] = {
    cls.status: cls
    for cls in (
        BadRequest, Unauthorized, Forbidden, NotFound, MethodNotAllowed, NotAcceptable, PayloadTooLarge,
        UnsupportedMediaType, PreconditionFailed, PreconditionRequired, TooManyRequests, InternalError, BadGateway,
        ServiceUnavailable, GatewayTimeout,
    )
}  # fmt: skip


def error_detail(
    code: ProblemCode,
    detail: str,
    *,
    parameter: str | None = None,
    pointer: str | None = None,
    allowed: Iterable[str] | None = None,
    suggestion: str | None = None,
) -> ErrorDetail:
    """An ErrorDetail; members that are not given are null."""
    words = None if allowed is None else list(allowed)
    return ErrorDetail(
        parameter=parameter, pointer=pointer, code=code, detail=detail, allowed=words, suggestion=suggestion
    )


def reason_of(error: Mapping[str, Any]) -> str:
    """What one of Pydantic's errors says, in words: in place of a pattern, what it expects."""
    context = error.get("ctx", {})
    if isinstance(cause := context.get("error"), ValueError):
        return str(cause)
    if "pattern" in context:
        expected = f"it takes {in_words(context['pattern']) or 'text of another form'}"
        sent = error.get("input")
        hidden = hidden_character(sent) if isinstance(sent, str) else None
        return f"{expected}; {hidden}" if hidden else expected
    return str(error["msg"])


def raise_if_any(errors: Iterable[ErrorDetail]) -> None:
    """Raise InvalidRequest with all errors, where there are any."""
    if found := list(errors):
        raise InvalidRequest(found)


def unknown_code(
    pointer: str,
    code: str,
    known: Iterable[str] = (),
    *,
    listed_at: str | None = None,
    suggestion: Suggestion | None = None,
) -> ErrorDetail:
    """The error for an unknown code in a body, with the one that was meant where that is nearly certain.

    known: the codes that are allowed, where there are few; listed_at: the path of the list of known codes, which the
    error then names in place of the codes; suggestion: what was meant, where it was looked up already
    """
    codes = list(known)
    meant = suggestion or suggestion_among(code, codes)
    path = link(listed_at) if listed_at else None
    where = f"listed at {path}" if path else "known"
    hint = f"; {meant}" if meant else ""
    return error_detail(
        ProblemCode.UNKNOWN_CODE,
        f"{pointer}: {code!r} is not {where}{hint}",
        pointer=pointer,
        allowed=[f"see {path}"] if path else codes[:100],
        suggestion=meant and meant.code,
    )


def not_one_of(
    parameter: str,
    value: str,
    allowed: Iterable[str] = (),
    *,
    listed_at: str | None = None,
    only: str | None = None,
    suggestion: Suggestion | None = None,
) -> ErrorDetail:
    """The error for a parameter's value that is not allowed, with the one that was meant where it is nearly certain.

    allowed: the values that are allowed, where there are few; listed_at: the path of the list of allowed values, which
    the error then names in place of the values; only: of which records the service knows the codes, where it does not
    know all; suggestion: what was meant, where it was looked up already
    """
    words = list(allowed)
    meant = suggestion or suggestion_among(value, words)
    path = link(listed_at) if listed_at else None
    where = f"one of the codes at {path}" if path else f"one of {', '.join(words)}"
    hint = f"; {meant}" if meant else f"; only {only} are known to this service" if only else ""
    return error_detail(
        ProblemCode.UNKNOWN_CODE,
        f"{value[:64]!r} is not a value of {parameter}: it takes {where}{hint}",
        parameter=parameter,
        allowed=[f"see {path}"] if path else words,
        suggestion=meant and meant.code,
    )
