"""The headers that operations take beside the token, stated in the annotation of a route's request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, get_type_hints

from starlette.requests import Request

from mmptf_common.http.identity import PublicRequest


@dataclass(frozen=True, slots=True)
class TakesHeader:
    """A header that a request may carry, as an OpenAPI parameter object."""

    parameter: Mapping[str, Any]


IF_NONE_MATCH = TakesHeader(
    {
        "name": "If-None-Match",
        "in": "header",
        "required": False,
        "description": "The `ETag` of an earlier answer to the same request, with its quotes: the answer is 304 without"
        " a body while that one is still right.",
        "schema": {"type": "string"},
    }
)
IF_MATCH = TakesHeader(
    {
        "name": "If-Match",
        "in": "header",
        "required": True,
        "description": "The `ETag` with which the record was read, with its quotes: 412, and nothing is written, where"
        " the record has changed since. `*` changes it in whatever state it is, also over the changes of others.",
        "example": "*",
        "schema": {"type": "string", "pattern": r'^(\*|(W/)?"[^"]*")$'},
    }
)
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "A text that the caller makes up for this write, such as a UUID. If the answer is lost, send the"
    " same request with the same key within 30 days: the write is carried out only once.",
    "schema": {"type": "string", "pattern": r"^[A-Za-z0-9._:~+/=-]{1,128}$"},
}
# The contract gives each operation an example of its own.
IDEMPOTENCY_KEY = TakesHeader({**_KEY, "required": True})
OPTIONAL_IDEMPOTENCY_KEY = TakesHeader({**_KEY, "required": False})

# Reads whose answer has an ETag: without a token, and with one.
PublicReadRequest = Annotated[PublicRequest, IF_NONE_MATCH]
ReadRequest = Annotated[Request, IF_NONE_MATCH]
# Writes that create a record, that change its state, and that amend or delete it.
WriteRequest = Annotated[Request, IDEMPOTENCY_KEY]
ChangeRequest = Annotated[Request, IDEMPOTENCY_KEY, IF_MATCH]
AmendRequest = Annotated[Request, OPTIONAL_IDEMPOTENCY_KEY, IF_MATCH]


def headers_of(endpoint: Callable[..., Any]) -> list[dict[str, Any]]:
    """The OpenAPI parameter objects of the headers in the signature of a route's function, in its order."""
    return [
        dict(extra.parameter)
        for hint in get_type_hints(endpoint, include_extras=True).values()
        for extra in getattr(hint, "__metadata__", ())
        if isinstance(extra, TakesHeader)
    ]
