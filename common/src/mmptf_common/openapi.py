"""The contract of an app: what every operation says about its parameters, conditions, representations and problems."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from mmptf_common import problems
from mmptf_common.query import parameters
from mmptf_common.schemas import Problem

Example = dict[str, Any]

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


def read(
    query: type[BaseModel], *, media: tuple[str, ...] = (), missing: bool = False, only: tuple[str, ...] = ()
) -> dict[str, Any]:
    """What a route that reads declares: its parameters, 200 with ETag, 304, 422, 503.

    media: further representations beside JSON (then 406 too); only: the media types of an answer that has no model;
    missing: whether a code in the path may be unknown (404) or renamed (308)
    """
    headers = {"ETag": _ETAG, "Cache-Control": _CACHE}
    content = _schemas(only or media)
    responses: dict[int | str, dict[str, Any]] = {
        200: {"headers": headers, **({"content": content} if content else {})},
        304: {"description": "Not modified: the caller's answer is still right.", "headers": headers},
        **_problems(problems.InvalidRequest, problems.ServiceUnavailable),
    }
    if media:
        responses |= _problems(problems.NotAcceptable)
    if missing:
        responses |= _problems(problems.NotFound)
        responses[308] = {
            "description": "The code was renamed; it is found at Location.",
            "headers": {"Location": {"schema": {"type": "string"}}},
        }
    return {"responses": responses, "openapi_extra": public(query, _IF_NONE_MATCH)}


def plain(query: type[BaseModel], *, only: tuple[str, ...] = ()) -> dict[str, Any]:
    """What a route declares whose answer is never kept: its parameters, 200, 422; `only` as for `read`."""
    responses = _problems(problems.InvalidRequest)
    if only:
        responses[200] = {"content": _schemas(only)}
    return {"responses": responses, "openapi_extra": public(query)}


def _schemas(media: tuple[str, ...]) -> dict[str, Any]:
    return {name: {"schema": {"type": "object" if name.endswith("+json") else "string"}} for name in media}


def computation(query: type[BaseModel]) -> dict[str, Any]:
    """What a route declares that computes an answer from a body and keeps nothing."""
    responses = {
        200: {"headers": {"Cache-Control": _CACHE}},
        **_problems(
            problems.BadRequest,
            problems.PayloadTooLarge,
            problems.UnsupportedMediaType,
            problems.InvalidRequest,
            problems.ServiceUnavailable,
        ),
    }
    return {"responses": responses, "openapi_extra": public(query)}


def upload(query: type[BaseModel], media: Mapping[str, str | None]) -> dict[str, Any]:
    """What a route declares that writes what a file holds: its parameters, the file's media types and its problems.

    media: media type -> an example, None for one that is no text
    """
    content = {
        name: {"schema": {"type": "string", **({} if example else {"format": "binary"})}}
        | ({"example": example} if example else {})
        for name, example in media.items()
    }
    declared = computation(query)
    declared["responses"] |= _problems(problems.Forbidden)
    declared["responses"][200] = {"description": "What was written, or would be."}
    declared["openapi_extra"] |= {"requestBody": {"required": True, "content": content}}
    return declared


def _problems(*kinds: type[problems.ProblemError]) -> dict[int | str, dict[str, Any]]:
    return {kind.status: {"description": kind.title} for kind in kinds}


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
            app.openapi_schema = _finish(framework(), examples)
        return app.openapi_schema

    app.openapi = contract  # type: ignore[method-assign]


def _finish(document: dict[str, Any], examples: Mapping[str, Example]) -> dict[str, Any]:
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
            if example := examples.get(operation["operationId"]):
                content = operation["responses"]["200"]["content"]
                next(iter(content.values()))["example"] = example["response"]
    document["components"]["schemas"] = dict(sorted(schemas.items()))
    return document


def dump(document: dict[str, Any]) -> str:
    """The contract as the text that is committed."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
