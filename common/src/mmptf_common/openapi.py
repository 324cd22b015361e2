"""The contract of an app: what every operation says about its parameters, conditions, representations and problems."""

from __future__ import annotations

import json
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from mmptf_common import problems
from mmptf_common.query import parameters
from mmptf_common.schemas import Problem

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


def public(query: type[BaseModel], *extra: dict[str, Any]) -> dict[str, Any]:
    """The `openapi_extra` of an operation: the parameters of its query model, and any others."""
    return {"parameters": [*parameters(query), *extra]}


def read(query: type[BaseModel], *, media: tuple[str, ...] = (), missing: bool = False) -> dict[str, Any]:
    """What a route that reads declares: parameters, 200 with ETag (in further media), 304, 422, 503, and 404."""
    headers = {"ETag": _ETAG, "Cache-Control": _CACHE}
    content = {name: {"schema": {"type": "string"}} for name in media}
    responses: dict[int | str, dict[str, Any]] = {
        200: {"headers": headers, **({"content": content} if content else {})},
        304: {"description": "Not modified: the caller's answer is still right.", "headers": headers},
        422: {"description": problems.InvalidRequest.title},
        503: {"description": problems.ServiceUnavailable.title},
    }
    if media:
        responses[406] = {"description": problems.NotAcceptable.title}
    if missing:
        responses[404] = {"description": problems.NotFound.title}
        responses[308] = {
            "description": "The code was renamed; it is found at Location.",
            "headers": {"Location": {"schema": {"type": "string"}}},
        }
    return {"responses": responses, "openapi_extra": public(query, _IF_NONE_MATCH)}


def install(app: FastAPI) -> None:
    """Make `app.openapi()` the finished contract: one problem schema, and the framework's own 422 replaced."""
    framework = app.openapi

    def contract() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _finish(framework())
        return app.openapi_schema

    app.openapi = contract  # type: ignore[method-assign]


def _finish(document: dict[str, Any]) -> dict[str, Any]:
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}", mode="serialization")
    schemas.update(problem.pop("$defs", {}))
    schemas["Problem"] = problem
    for path, item in document["paths"].items():
        for operation in item.values():
            for status, answer in operation["responses"].items():
                if status >= "400" and not (path.startswith("/health/") and status == "503"):
                    answer["content"] = {problems.MEDIA_TYPE: {"schema": PROBLEM}}
    document["components"]["schemas"] = dict(sorted(schemas.items()))
    return document


def dump(document: dict[str, Any]) -> str:
    """The contract as the text that is committed."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
