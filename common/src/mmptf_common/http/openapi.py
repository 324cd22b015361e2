"""The contract of an app: what every operation says about its parameters, conditions, representations and problems."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from fastapi import Body, FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import BaseModel

from mmptf_common.http.identity import access_of
from mmptf_common.http.negotiation import MEDIA_TYPES
from mmptf_common.http.parameters import parameters
from mmptf_common.wire.problems import (
    MEDIA_TYPE,
    BadRequest,
    Conflict,
    Forbidden,
    InvalidRequest,
    NotAcceptable,
    NotFound,
    PayloadTooLarge,
    PreconditionFailed,
    PreconditionRequired,
    Problem,
    ProblemError,
    ServiceUnavailable,
    Unauthorized,
    UnsupportedMediaType,
)

Example = dict[str, Any]
# The representations of a list beside JSON.
EXPORTS = tuple(media.partition(";")[0] for name, media in MEDIA_TYPES.items() if name != "json")

PROBLEM = {"$ref": "#/components/schemas/Problem"}
_ETAG = {"description": "Strong tag of this revision and question.", "schema": {"type": "string"}}
_CACHE = {"description": "How long, and by whom, the answer may be kept.", "schema": {"type": "string"}}
_IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "An earlier ETag; the answer is 304 while it is still right.",
    "schema": {"type": "string"},
}
_IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": True,
    "description": "The ETag of the record that is changed, as it was read: 412 when it has changed since.",
    "schema": {"type": "string", "pattern": r'^(\*|"[^"]*")$'},
}
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "A text of the caller's own for this write: sent again with it, the write is carried out once.",
    "schema": {"type": "string", "pattern": r"^[A-Za-z0-9._:~+/=-]{1,128}$"},
}
_BEARER = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "An access token of the operator's identity provider, with the scope that the operation names.",
}


def public(query: type[BaseModel], *extra: dict[str, Any]) -> dict[str, Any]:
    """The `openapi_extra` of an operation: the parameters of its query model, and any others."""
    return {"parameters": [*parameters(query), *extra]}


def read(
    query: type[BaseModel],
    *,
    media: tuple[str, ...] = (),
    missing: bool = False,
    conflicts: bool = False,
    only: tuple[str, ...] = (),
) -> dict[str, Any]:
    """What a route that reads declares: its parameters, 200 with ETag, 304, 422, 503.

    media: further representations beside JSON (then 406 too); only: the media types of an answer that has no model;
    missing: whether a code in the path may be unknown (404) or renamed (308)
    conflicts: whether a record may be there and have nothing of what is asked for (409)
    """
    headers = {"ETag": _ETAG, "Cache-Control": _CACHE}
    content = _schemas(only or media)
    responses: dict[int | str, dict[str, Any]] = {
        200: {"headers": headers, **({"content": content} if content else {})},
        304: {"description": "Not modified: the caller's answer is still right.", "headers": headers},
        **_problems(InvalidRequest, ServiceUnavailable),
    }
    if media:
        responses |= _problems(NotAcceptable)
    if missing:
        responses |= _missing()
    if conflicts:
        responses |= _problems(Conflict)
    return {"responses": responses, "openapi_extra": public(query, _IF_NONE_MATCH)}


def _missing() -> dict[int | str, dict[str, Any]]:
    renamed = {
        "description": "The code was renamed; it is found at Location.",
        "headers": {"Location": {"schema": {"type": "string"}}},
    }
    return {308: renamed, **_problems(NotFound)}


def plain(
    query: type[BaseModel],
    *,
    only: tuple[str, ...] = (),
    stored: bool = False,
    journal: bool = False,
    missing: bool = False,
) -> dict[str, Any]:
    """What a route declares whose answer is never kept: its parameters, 200, 422; `only` and `missing` as for `read`.

    stored: whether the answer is made of stored data, so that the database may be missing
    journal: whether it is a page of the journal, which may have been restored to before what the caller knows
    """
    responses = _problems(InvalidRequest)
    if stored or journal:
        responses |= _problems(ServiceUnavailable)
    if journal:
        responses |= _problems(Conflict)
    if missing:
        responses |= _missing()
    if only:
        responses[200] = {"content": _schemas(only)}
    return {"responses": responses, "openapi_extra": public(query)}


def _schemas(media: tuple[str, ...]) -> dict[str, Any]:
    return {name: {"schema": {"type": "object" if name.endswith("+json") else "string"}} for name in media}


def computation(query: type[BaseModel], *extra: dict[str, Any]) -> dict[str, Any]:
    """What a route declares that computes an answer from a body and keeps nothing."""
    responses = {
        200: {"headers": {"Cache-Control": _CACHE}},
        **_problems(
            BadRequest,
            PayloadTooLarge,
            UnsupportedMediaType,
            InvalidRequest,
            ServiceUnavailable,
        ),
    }
    return {"responses": responses, "openapi_extra": public(query, *extra)}


def write(
    method: str,
    query: type[BaseModel],
    *,
    changes: bool = False,
    created: bool = False,
    missing: bool = False,
    media: Mapping[str, str | None] = MappingProxyType({}),
) -> dict[str, Any]:
    """What a route declares that writes: its method, parameters, conditions, answers and problems.

    changes: whether it changes a record that is there, so that the caller has to know its present state
    created: whether it answers 201 with the record that it has made; missing: whether its path names another one
    media: media type of a file that is sent -> an example, None for one that is no text
    """
    required = method == "POST"
    parameters = [{**_IDEMPOTENCY_KEY, "required": required}]
    kinds: tuple[type[ProblemError], ...] = (Conflict,)
    if missing or changes:
        kinds += (NotFound,)
    if changes:
        parameters.append(_IF_MATCH)
        kinds += (PreconditionFailed, PreconditionRequired)
    declared = computation(query, *parameters)
    gone = method == "DELETE"
    headers = {"ETag": _ETAG} if changes or created else {}
    if created:
        headers["Location"] = {"schema": {"type": "string"}, "description": "The path of the new record."}
    done = {"description": "What was written, or would be.", **({"headers": headers} if headers and not gone else {})}
    del declared["responses"][200]
    declared["responses"] |= {204 if gone else 201 if created else 200: done, **_problems(*kinds)}
    declared["status_code"] = 204 if gone else 201 if created else 200
    if media:
        content = {
            name: {"schema": {"type": "string", **({} if example else {"format": "binary"})}}
            | ({"example": example} if example else {})
            for name, example in media.items()
        }
        declared["openapi_extra"] |= {"requestBody": {"required": True, "content": content}}
    return declared


def example(value: dict[str, Any]) -> Any:
    """A body that a writing route takes, with an example that is right for the packaged data."""
    return Body(openapi_examples={"example": {"value": value}})


def _problems(*kinds: type[ProblemError]) -> dict[int | str, dict[str, Any]]:
    return {kind.status: {"description": kind.title} for kind in kinds}


_REFUSED = _problems(Unauthorized, Forbidden)


def packaged_examples(package: str) -> dict[str, Example]:
    """The captured requests and answers that a service's package holds, by operationId."""
    found: dict[str, Example] = json.loads((files(package) / "examples.json").read_text("utf-8"))
    return found


def install(app: FastAPI, examples: Mapping[str, Example] = MappingProxyType({})) -> None:
    """Make `app.openapi()` the finished contract: one problem schema in place of the framework's 422, and examples.

    examples: operationId -> a captured request and its answer, which becomes the example of the 200
    """
    framework = app.openapi

    def contract() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _finish(app, framework(), examples)
        return app.openapi_schema

    app.openapi = contract  # type: ignore[method-assign]


def _finish(app: FastAPI, document: dict[str, Any], examples: Mapping[str, Example]) -> dict[str, Any]:
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}", mode="serialization")
    schemas.update(problem.pop("$defs", {}))
    schemas["Problem"] = problem
    accesses = {
        route.operation_id or route.unique_id: access_of(route.endpoint)
        for route in iter_route_contexts(app.routes)
        if isinstance(route.original_route, APIRoute) and route.endpoint
    }
    for path, item in document["paths"].items():
        for operation in item.values():
            access = accesses[operation["operationId"]]
            operation["security"] = [{"bearer": list(access.scopes)}] if access and access.scopes else []
            if operation["security"]:
                operation["responses"] |= {str(s): a for s, a in _REFUSED.items()}
                document["components"]["securitySchemes"] = {"bearer": _BEARER}
            for status, answer in operation["responses"].items():
                if status >= "400" and not (path.startswith("/health/") and status == "503"):
                    answer["content"] = {MEDIA_TYPE: {"schema": PROBLEM}}
            if example := examples.get(operation["operationId"]):
                done = next(a for status, a in operation["responses"].items() if status.startswith("2"))
                for content in list(done.get("content", {}).values())[:1]:
                    content["example"] = example["response"]
    document["components"]["schemas"] = dict(sorted(schemas.items()))
    return document


def dump(document: dict[str, Any]) -> str:
    """The contract as the text that is committed."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
