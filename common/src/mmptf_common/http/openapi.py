"""The OpenAPI contract of an app: parameters, headers, representations and problems of every operation."""

from __future__ import annotations

import asyncio
import inspect
import json
import re
from collections.abc import Callable, Coroutine, Iterable, Mapping
from functools import partial
from importlib.resources import files
from math import inf
from types import MappingProxyType
from typing import Any, NamedTuple

from fastapi import Body, FastAPI, Path
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute, APIRouter, iter_route_contexts
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from mmptf_common.http.bodies import JsonRequest
from mmptf_common.http.direct_reads import repeated_if_lost
from mmptf_common.http.headers import headers_of
from mmptf_common.http.identity import access_of
from mmptf_common.http.negotiation import MEDIA_TYPES
from mmptf_common.http.parameters import parameter_components, parameters, query_of, with_parsed_query
from mmptf_common.http.problems import from_validation
from mmptf_common.wire.base import CODE_PATTERN, descriptions_of_values
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import (
    BY_STATUS,
    MEDIA_TYPE,
    BadGateway,
    BadRequest,
    Conflict,
    Forbidden,
    GatewayTimeout,
    InsufficientStorage,
    InvalidRequest,
    NotAcceptable,
    NotFound,
    PayloadTooLarge,
    PreconditionFailed,
    PreconditionRequired,
    Problem,
    ProblemError,
    RequestTimeout,
    ServiceUnavailable,
    TooManyRequests,
    Unauthorized,
    UnsupportedMediaType,
)

Example = dict[str, Any]
# The representations of a list beside JSON.
EXPORTS = tuple(media.partition(";")[0] for name, media in MEDIA_TYPES.items() if name != "json")
# That of a table of groups.
TABLE = ("text/csv",)

# At the end of the description of a code in a path whose example is no record of the packaged data.
NOT_PACKAGED = "The packaged data have no record with the code of the example: it exists once it has been written."
PROBLEM = {"$ref": "#/components/schemas/Problem"}
# The headers of answers, each described once; `required` where every answer that declares the header has it.
HEADERS: Mapping[str, Mapping[str, Any]] = {
    "Accept-Encoding": {
        "description": "With a 415 for a compressed body: `identity`, which means that only bodies without compression"
        " are read.",
        "schema": {"type": "string"},
    },
    "Age": {
        "description": "Seconds since the gateway confirmed an answer that it kept; absent where it was forwarded.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "Allow": {
        "description": "With a 405: the methods that the path takes, such as `GET, HEAD, OPTIONS`.",
        "schema": {"type": "string"},
    },
    "Cache-Control": {
        "description": "Whether the answer may be stored: `public` by any cache, `private` by the caller's own only,"
        " `no-store` by none. With `no-cache`, ask with its `ETag` whether a stored answer is still right before each"
        " use.",
        "required": True,
        "schema": {"type": "string"},
    },
    "Cache-Group-Invalidation": {
        "description": "The group of stored answers that the write has made out of date, for caches (RFC 9875);"
        " `revision` is one that contains the write.",
        "schema": {"type": "string"},
    },
    "Cache-Groups": {
        "description": "The group of stored answers that any write of the service makes out of date, for caches (RFC"
        " 9875); `revision` is one that the answer contains. Absent where the answer depends on more than stored data.",
        "schema": {"type": "string"},
    },
    "Cache-Status": {
        "description": "Whether the service, or the gateway, took the answer from its own cache (`hit`), or computed or"
        " forwarded it (`fwd=…`), for several requests at once where it is `collapsed`, as in RFC 9211; for those who"
        " measure, the answer is the same.",
        "schema": {"type": "string"},
    },
    "Content-Disposition": {
        "description": 'Name of the file that a browser saves the answer as, such as `attachment; filename="…"`; absent'
        " with JSON.",
        "schema": {"type": "string"},
    },
    "Content-Language": {
        "description": "Language of the names and texts in the answer, as a BCP 47 tag such as `fr`.",
        "schema": {"type": "string"},
    },
    "Content-Security-Policy": {
        "description": "With `text/html`: rules for the browser by which the page loads nothing; absent with JSON.",
        "schema": {"type": "string"},
    },
    "ETag": {
        "description": "Identifies this state of the answer. Send it as it is, with its quotes: in `If-None-Match` to"
        " read again only what has changed, in `If-Match` to change a record only if nobody else has since.",
        "required": True,
        "schema": {"type": "string"},
    },
    "Idempotency-Replayed": {
        "description": "`true` where a write with this `Idempotency-Key` had been carried out before: this is the"
        " answer of then, and nothing was written now. Otherwise absent.",
        "schema": {"type": "string", "const": "true"},
    },
    "Link": {
        "description": 'Paths of the first page (`rel="first"`) and of the one after this (`rel="next"`, absent on the'
        " last page), as in RFC 8288; absent with CSV and NDJSON, which have no pages.",
        "schema": {"type": "string"},
    },
    "Location": {
        "description": "With a 201, the path of the new record; with a 308, that of the record under its present code.",
        "required": True,
        "schema": {"type": "string"},
    },
    "RateLimit": {
        "description": "What the caller has left of each limit that the request was counted on, such as"
        ' `"pages";r=5999;t=42`: `r` requests, and `t` seconds until more are added. Absent where nothing was counted.',
        "schema": {"type": "string"},
    },
    "RateLimit-Policy": {
        "description": 'The limits that the request was counted on, such as `"pages";q=6000;w=60`: `q` requests in `w`'
        " seconds, as in the draft of RateLimit header fields for HTTP. Absent where nothing was counted.",
        "schema": {"type": "string"},
    },
    "Retry-After": {
        "description": "With a 429, 502, 503, 504 or 507: the seconds to wait before the request is sent again.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "Vary": {
        "description": "Names of the request's headers on which the answer depends, such as `Accept`; for caches.",
        "schema": {"type": "string"},
    },
    "WWW-Authenticate": {
        "description": "With a 401 or 403: the scheme `Bearer`, with what is wrong with the access token or which scope"
        " it lacks, as in RFC 6750.",
        "schema": {"type": "string"},
    },
    "X-Request-ID": {
        "description": "Id by which the operator finds the request in the logs: the one that the request had in this"
        " header, or a new one.",
        "required": True,
        "schema": {"type": "string"},
    },
    "X-Total-Count": {
        "description": "Number of records that match all filters, over all pages: `total` in the body, and all that"
        " HEAD answers. Absent with CSV and NDJSON.",
        "schema": {"type": "integer", "minimum": 0},
    },
}


def header_references(*names: str) -> dict[str, Any]:
    """The headers of an answer, as references to those of `HEADERS`."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


_READ_HEADERS = ("ETag", "Cache-Control", "Vary")
# The headers of problems with these statuses beside those of every problem.
_OF_STATUS: Mapping[int, tuple[str, ...]] = {
    401: ("WWW-Authenticate",),
    403: ("WWW-Authenticate",),
    412: ("ETag",),
    415: ("Accept-Encoding",),
    429: ("RateLimit", "RateLimit-Policy", "Retry-After"),
    502: ("Retry-After",),
    503: ("Retry-After",),
    504: ("Retry-After",),
    507: ("Retry-After",),
}
_BEARER = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "An access token of the operator's identity provider, with the scope that the operation names; the"
    " operator says where you get one. For a suite of your own, started with `make up ISSUER_PORT=8001`, it is"
    " `access_token` in the answer to `curl -s -d grant_type=client_credentials -d client_id=agency"
    " localhost:8001/token`. Enter it without `Bearer`.",
}


_Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class Tag(NamedTuple):
    """A group of operations in the contract: its name, and what one does with them.

    supporting: whether it is shown after the groups that callers come for, also where contracts are merged
    """

    name: str
    description: str
    supporting: bool = False

    def contract(self) -> dict[str, Any]:
        """The group as an OpenAPI tag."""
        declared: dict[str, Any] = {"name": self.name, "description": self.description}
        return declared | {"x-supporting": True} if self.supporting else declared


# The group of what every process says of itself.
STATUS = Tag(
    "Status", "What a service holds and offers, how current its data are, and whether it can answer.", supporting=True
)


class _Route(APIRoute):
    """A route that calls its function directly where that takes the request only and returns a Response.

    FastAPI would parse the query of a page again and look for dependencies, about 4 % of the page's processor time.
    Dependencies are stated at a router, not where it is included. A JSON body is read strictly.
    """

    def get_route_handler(self) -> _Handler:
        signature = inspect.signature(self.endpoint, eval_str=True)
        if [*signature.parameters] == ["request"] and signature.return_annotation is Response and not self.dependencies:
            handler: _Handler = self.endpoint
        else:
            handler = super().get_route_handler() if self.body_field is None else self._with_body()
        if self.methods != {"GET"}:
            return handler

        async def read(request: Request) -> Response:
            return await repeated_if_lost(partial(handler, request))

        return read

    def _with_body(self) -> _Handler:
        handler = super().get_route_handler()
        model = self.body_field.field_info.annotation if self.body_field else None

        async def with_body(request: Request) -> Response:
            try:
                return await handler(JsonRequest(request.scope, request.receive))
            except RequestValidationError as error:
                raise from_validation(request, error, model) from error

        return with_body


class Router(APIRouter):
    """A router that takes more of the contract from the signature and the model of the answer.

    Parameters: the query, then the headers. The description of the answer: the first paragraph of its model.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(route_class=_Route, **options)

    def add_api_route(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        query = query_of(endpoint)
        stated = [*(parameters(query[1]) if query else ()), *headers_of(endpoint)]
        options["openapi_extra"] = {"parameters": stated, **(options.get("openapi_extra") or {})}
        model = options.get("response_model")
        if isinstance(model, type) and (about := model.__doc__):
            options["response_description"] = " ".join(inspect.cleandoc(about).split("\n\n")[0].split())
        super().add_api_route(path, with_parsed_query(endpoint), **options)


def operation_id(words: str) -> str:
    """The operationId that these words make: `get capitalization target` is `get_capitalization_target`."""
    return words.replace(" ", "_").replace("-", "_")


def with_article(noun: str) -> str:
    """The noun with its indefinite article, as summaries name one record."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def code_of(noun: str, listed_at: str, example: str, *, packaged: bool = True) -> Any:
    """The parameter of a path that takes the code of a listed record, described by its noun and the list's path."""
    about = f"Code of the {noun}, such as `{example}`; `{listed_at}` lists all codes."
    return code_in_path(about, example, packaged=packaged)


def code_in_path(about: str, example: str, *, packaged: bool = True) -> Any:
    """The parameter of a path that takes a code.

    about: what it is the code of; packaged: whether the packaged data have the record of the example
    """
    if not packaged:
        about += f" {NOT_PACKAGED}"
    return Path(pattern=CODE_PATTERN, max_length=64, description=about, examples=[example])


def read(
    *,
    media: tuple[str, ...] = (),
    missing: bool = False,
    conflicts: bool = False,
    only: tuple[str, ...] = (),
    headers: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
    texts: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """The responses of a route that reads: 200 with ETag, 304, 422, 503, 507.

    media: further representations beside JSON (then 406 too); only: the media types of an answer that has no model
    missing: whether a code in the path may be unknown (404) or renamed (308)
    conflicts: whether a record may exist without the part that is asked for (409)
    headers: further headers of the answer, as OpenAPI header objects
    texts: media type -> what a text of it contains
    """
    always = header_references(*_READ_HEADERS, "Age", "Cache-Groups", "Cache-Status") | dict(headers)
    further = header_references(
        *(("Link", "X-Total-Count") if media == EXPORTS else ()),
        *(("Content-Disposition",) if media else ()),
    )
    content = _schemas(only or media)
    for name, about in texts.items():
        content[name]["schema"]["description"] = about
    responses: dict[int | str, dict[str, Any]] = {
        200: {"headers": always | further, **({"content": content} if content else {})},
        304: {
            "description": "Not modified: the answer that the caller has under the `ETag` in `If-None-Match` is still"
            " right. No body.",
            "headers": always,
        },
        **problems(InvalidRequest, ServiceUnavailable, InsufficientStorage),
    }
    if media:
        responses |= problems(NotAcceptable)
    if missing:
        responses |= _missing()
    if conflicts:
        responses |= problems(Conflict)
    return {"responses": responses}


def explanation(page: str, *, missing: bool = False) -> dict[str, Any]:
    """The responses of a route whose answer only a build changes: 200 with ETag, 304, 422.

    page: the media type of the page that a browser gets; missing: whether the path may name what is not there (404)
    """
    stated = header_references(*_READ_HEADERS, "Content-Security-Policy")
    responses: dict[int | str, dict[str, Any]] = {
        200: {"headers": stated, "content": _schemas((page.partition(";")[0],))},
        304: {
            "description": "Not modified: the answer that the caller has under the `ETag` in `If-None-Match` is still"
            " right. No body.",
            "headers": header_references(*_READ_HEADERS),
        },
        **problems(InvalidRequest, *((NotFound,) if missing else ())),
    }
    return {"responses": responses}


def _columns(names: Iterable[str], further: str = "") -> str:
    """What the contract says of a CSV: its columns in order, and how cells are written."""
    listed = ", ".join(f"`{name}`" for name in names)
    return (
        f"UTF-8 with a header. The columns, in order: {listed}.{further} `|` stands between several values of a cell;"
        " an empty cell states no value."
    )


def exports(names: Iterable[str], item: type[BaseModel]) -> dict[str, str]:
    """What the contract says of the exports of a list: the columns of its CSV, and the schema of a line of NDJSON."""
    return {
        "text/csv": _columns(names, " With `fields` only those that it names."),
        "application/x-ndjson": f"One item a line, each a JSON object of the schema `{item.__name__}`.",
    }


def table(names: Iterable[str], further: str = "") -> dict[str, str]:
    """What the contract says of a table of groups as CSV: its columns in order."""
    return {"text/csv": _columns(names, further)}


def _missing() -> dict[int | str, dict[str, Any]]:
    renamed = {
        "description": "The record has another code now; `Location` is its path. HTTP clients mostly follow it by"
        " themselves.",
        "headers": header_references("Location", "Cache-Control"),
    }
    return {308: renamed, **problems(NotFound)}


def plain(
    *,
    only: tuple[str, ...] = (),
    stored: bool = False,
    journal: bool = False,
    missing: bool = False,
) -> dict[str, Any]:
    """The responses of a route whose answer no cache may store: 200, 422; `only` and `missing` as for `read`.

    stored: whether the answer is read from the database, which may be unreachable (503) or full (507)
    journal: whether it is a page of the journal, which may end before the caller's position after a restore (409)
    """
    responses = problems(InvalidRequest)
    if stored or journal:
        responses |= problems(ServiceUnavailable, InsufficientStorage)
    if journal:
        responses |= problems(Conflict)
    if missing:
        responses |= _missing()
    responses[200] = {
        "headers": header_references("Cache-Control", *(("Content-Disposition",) if only else ())),
        **({"content": _schemas(only)} if only else {}),
    }
    return {"responses": responses}


def _schemas(media: tuple[str, ...]) -> dict[str, Any]:
    return {name: {"schema": _schema(name)} for name in media}


def _schema(media: str) -> dict[str, Any]:
    """The schema of a body that has no model: of JSON an object, of text a string, of anything else bytes.

    `format: binary` is what generators of clients make bytes of; few know `contentMediaType`, and make a string of it.
    """
    if media.endswith("+json"):
        return {"type": "object"}
    is_text = media.startswith("text/") or media in EXPORTS
    return {"type": "string"} if is_text else {"type": "string", "format": "binary"}


def computation() -> dict[str, Any]:
    """The responses of a route that computes from a body and stored data, and stores nothing."""
    done = {"headers": header_references("Cache-Control")}
    return {"responses": {200: done, **problems(*_OF_BODIES, InsufficientStorage)}}


def write(
    *,
    changes: bool = False,
    created: bool = False,
    removes: bool = False,
    missing: bool = False,
    asks: bool = False,
    media: Mapping[str, str | None] = MappingProxyType({}),
) -> dict[str, Any]:
    """The status and the responses of a route that writes.

    changes: whether it changes an existing record, and requires If-Match
    created: whether it answers 201 with the record that it has created; removes: whether it answers 204
    missing: whether its path contains the code of another record, which may be unknown (404)
    asks: whether another service is asked, which may not answer (502, 504)
    media: media type of an uploaded file -> an example, None for a binary one
    """
    kinds: tuple[type[ProblemError], ...] = (Conflict, InsufficientStorage)
    if missing or changes:
        kinds += (NotFound,)
    if changes:
        kinds += (PreconditionFailed, PreconditionRequired)
    if asks:
        kinds += (BadGateway, GatewayTimeout)
    headers = header_references(
        "Cache-Control",
        "Cache-Group-Invalidation",
        "Idempotency-Replayed",
        *(("ETag",) if (changes or created) and not removes else ()),
        *(("Location",) if created else ()),
    )
    done = {"description": "What was written; with `dry_run=true`, what would be.", "headers": headers}
    status = 204 if removes else 201 if created else 200
    declared: dict[str, Any] = {
        "status_code": status,
        "responses": {**problems(*_OF_BODIES), status: done, **problems(*kinds)},
    }
    if media:
        content = {
            name: {"schema": {"type": "string", "format": "binary"}} | ({"example": example} if example else {})
            for name, example in media.items()
        }
        declared["openapi_extra"] = {"requestBody": {"required": True, "content": content}}
    return declared


def example(value: dict[str, Any]) -> Any:
    """The body of a route that writes, with an example that is valid with the packaged data."""
    return Body(openapi_examples={"example": {"value": value}})


def problems(*kinds: type[ProblemError]) -> dict[int | str, dict[str, Any]]:
    """The responses of errors, each by its status; the finished contract refers to the shared ones."""
    return {kind.status: {"description": kind.title} for kind in kinds}


_ACCESS_ERRORS = problems(Unauthorized, Forbidden)
_OF_BODIES = (BadRequest, RequestTimeout, PayloadTooLarge, UnsupportedMediaType, InvalidRequest, ServiceUnavailable)


def packaged_examples(package: str) -> dict[str, Example]:
    """The captured requests and answers by operationId: those in a package, and those of what every process has.

    Each is a request, its answer, which becomes the example of the 200, and in `csv` the beginning of the same answer
    as CSV, where it has one.
    """
    found: dict[str, Example] = {}
    for each in ("mmptf_common", package):
        found |= json.loads((files(each) / "examples.json").read_text("utf-8"))
    return found


class WrittenContract:
    """The contract of an app as it is answered. It is made once, in a thread: that takes seconds of a processor."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._writing: asyncio.Task[bytes] | None = None

    async def text(self) -> bytes:
        """The contract as JSON; who asks while it is made gets the same."""
        if self._writing is None:
            self._writing = asyncio.create_task(asyncio.to_thread(self._write))
        return await asyncio.shield(self._writing)

    def _write(self) -> bytes:
        text = json.dumps(self._app.openapi(), ensure_ascii=False, separators=(",", ":")).encode()
        # As objects it takes many times the memory of its text.
        self._app.openapi_schema = None
        return text


def install(app: FastAPI, package: str | None = None) -> None:
    """Make `app.openapi()` return the finished contract: problem documents for errors, access, and examples.

    package: the one whose captured examples it has; they are read when the contract is asked for
    """
    framework = app.openapi

    def contract() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _finish(app, framework(), packaged_examples(package) if package else {})
        return app.openapi_schema

    app.openapi = contract  # type: ignore[method-assign]


def _finish(app: FastAPI, contract: dict[str, Any], examples: Mapping[str, Example]) -> dict[str, Any]:
    schemas = contract.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}", mode="serialization")
    schemas.update(problem.pop("$defs", {}))
    schemas["Problem"] = problem
    for route in iter_route_contexts(app.routes):
        if isinstance(route.original_route, APIRoute) and route.endpoint and (query := query_of(route.endpoint)):
            schemas.update(parameter_components(query[1]))
    for name, text in descriptions_of_values().items():
        if name in schemas:
            schemas[name]["description"] = text
    accesses = {
        route.operation_id or route.unique_id: access_of(route.endpoint)
        for route in iter_route_contexts(app.routes)
        if isinstance(route.original_route, APIRoute) and route.endpoint
    }
    for path, item in contract["paths"].items():
        for operation in item.values():
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "path" and "examples" in parameter["schema"]:
                    # As the example of the parameter it is filled in by a documentation page.
                    (parameter["example"], *_) = parameter["schema"].pop("examples")
                if parameter["name"] == "Idempotency-Key" and parameter["required"]:
                    # Sent as it stands to two operations, one key would be that of another write.
                    parameter["example"] = f"{operation['operationId'].replace('_', '-')}-1"
            access = accesses[operation["operationId"]]
            # Any one of several is enough.
            operation["security"] = [{"bearer": [scope]} for scope in (access.scopes if access else ())]
            if operation["security"]:
                operation["responses"] |= {str(s): a for s, a in _ACCESS_ERRORS.items()}
                contract["components"]["securitySchemes"] = {"bearer": _BEARER}
            always: tuple[str, ...] = ("X-Request-ID",)
            if not path.startswith("/health/"):  # which is not counted
                operation["responses"] |= {str(s): a for s, a in problems(TooManyRequests).items()}
                always += ("RateLimit", "RateLimit-Policy")
            operation["responses"] = {
                status: {"$ref": f"#/components/responses/{_PROBLEMS[status].__name__}"}
                if status >= "400" and not (path.startswith("/health/") and status == "503")
                else answer | {"headers": answer.get("headers", {}) | header_references(*always)}
                for status, answer in operation["responses"].items()
            }
            # What any path may answer: 400, 404, 405, 408 for a head that is not sent, 431, 500, 501, 503 for too many
            # connections, and 502 and 504 of the gateway.
            operation["responses"]["default"] = {"$ref": "#/components/responses/Problem"}
            if example := examples.get(operation["operationId"]):
                done = next(a for status, a in operation["responses"].items() if status.startswith("2"))
                content = done.get("content", {})
                for media in list(content)[:1]:
                    content[media]["example"] = example["response"]
                if "csv" in example:
                    content["text/csv"]["example"] = example["csv"]
    used = sorted(set(re.findall(r"#/components/responses/(\w+)", json.dumps(contract["paths"]))))
    with_headers = json.dumps([contract["paths"], [_RESPONSES[name] for name in used]])
    headers = set(re.findall(r"#/components/headers/([\w-]+)", with_headers))
    contract["components"] |= {
        "headers": {name: dict(header) for name, header in HEADERS.items() if name in headers},
        "responses": {name: _RESPONSES[name] for name in used},
        "schemas": _simplified(dict(sorted(schemas.items())), names=True),
    }
    contract["paths"] = _simplified(contract["paths"])
    return contract


# What a schema or an operation shows or lists as it is.
_VALUES = frozenset({"example", "examples", "default", "enum", "const", "required"})


def _simplified(node: Any, *, names: bool = False) -> Any:
    """A part of a contract without the titles that only repeat names, and in the forms that generators read.

    A map whose keys have a pattern has the schema of its values in `additionalProperties` and the pattern in
    `propertyNames`; generators do not read `patternProperties`. A value without a component of its own that may be null
    has two types: as an option of `anyOf`, generators make a class of each that has a limit. An integer that may need
    more than 32 bits says so, since generators for Java and Go take 32 where nothing is said.
    names: whether the keys of `node` are names
    """
    if isinstance(node, list):
        return [_simplified(value) for value in node]
    if not isinstance(node, dict):
        return node
    if names:
        return {name: _simplified(value) for name, value in node.items()}
    simplified = {
        key: value if key in _VALUES else _simplified(value, names=key == "properties")
        for key, value in node.items()
        if key != "title"
    }
    if patterns := simplified.pop("patternProperties", None):
        ((pattern, values),) = patterns.items()
        keys = {"pattern": pattern, **simplified.get("propertyNames", {})}
        simplified |= {"additionalProperties": values, "propertyNames": keys}
    match simplified.get("anyOf"):
        case [{"type": str(kind), **limits}, {"type": "null"}] if limits.keys().isdisjoint(("enum", "const")):
            del simplified["anyOf"]
            simplified = {"type": [kind, "null"], **limits, **simplified}
    if simplified.get("type") in ("integer", ["integer", "null"]) and simplified.get("maximum", inf) >= 2**31:
        simplified["format"] = "int64"
    return simplified


def _problem_response(description: str, *further: str, example: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return {
        "description": description,
        "headers": header_references("X-Request-ID", "Cache-Control", *further),
        "content": {MEDIA_TYPE: {"schema": PROBLEM} | ({"example": example} if example else {})},
    }


def _description(kind: type[ProblemError]) -> str:
    """The title of a kind of problem, and the codes that it has where they are few."""
    codes = [f"`{code}`" for code in ProblemCode if kind.status in code.statuses]
    *others, last = codes
    few = f"`code` is {', '.join(others)}{' or ' if others else ''}{last}." if len(codes) <= 6 else "`code` says why."
    return f"{kind.title}; {few}"


_KINDS: tuple[type[ProblemError], ...] = (
    *BY_STATUS.values(), InvalidRequest, Conflict, RequestTimeout, InsufficientStorage,
)  # fmt: skip
_PROBLEMS: Mapping[str, type[ProblemError]] = {str(kind.status): kind for kind in _KINDS}
# What every process answers to GET /problems/not-found.
_EXAMPLE = {
    "type": "/problems/not_found",
    "title": "There is nothing here",
    "status": 404,
    "detail": "No error has the code 'not-found'. Did you mean not_found?",
    "instance": "/problems/not-found",
    "code": "not_found",
    "request_id": "73e6b9f8f41925d15e7e549f",
    "errors": [
        {
            "parameter": "code",
            "pointer": None,
            "code": "unknown_code",
            "detail": "No error has the code 'not-found'.",
            "allowed": ["see /problems"],
            "suggestion": "not_found",
        }
    ],
}
# The shared answers of a contract: that of each kind of problem, and that of a status which an operation does not list.
_RESPONSES: Mapping[str, dict[str, Any]] = {
    "Problem": _problem_response(
        "Any other error, as a problem document: the request cannot be read (400), there is nothing at the path"
        " (404), it does not take the method (405), it arrives too slowly (408), the head is too large (431), or the"
        " suite failed (5xx).",
        "Allow",
        "Retry-After",
        example=_EXAMPLE,
    ),
    **{
        kind.__name__: _problem_response(_description(kind), *_OF_STATUS.get(kind.status, ()))
        for kind in _PROBLEMS.values()
    },
}


def dump(contract: dict[str, Any]) -> str:
    """The contract as JSON text, as it is committed."""
    return json.dumps(contract, indent=2, ensure_ascii=False) + "\n"
