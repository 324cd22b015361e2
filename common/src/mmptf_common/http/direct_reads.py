"""Reads that need nothing of FastAPI but their place in the contract, found by one look-up of the path."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any, NamedTuple, get_args, get_origin

from fastapi import FastAPI, params
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from mmptf_common.http import problems
from mmptf_common.http.middleware import OPERATION
from mmptf_common.wire.base import CODE_PATTERN
from mmptf_common.wire.problems import DatabaseLost, ProblemError
from mmptf_common.wire.suggestions import LONGEST_CODE

_Read = Callable[..., Awaitable[Response]]
_CODE = re.compile(CODE_PATTERN)
_CODE_AT_END = re.compile(r"(.*)/\{(\w+)\}")


class _OfCodes(NamedTuple):
    """The read of a record: its function, and the name of the parameter that takes the code."""

    endpoint: _Read
    parameter: str


class DirectReads:
    """The innermost middleware: it calls the function of a read that takes the request, its query and at most a code.

    FastAPI looks for the route twice, through all of them and those of the routers that an app includes, and resolves
    its parameters: a sixth of the processor time of a page. Every path that is not found here is left to it, also one
    with a text that is no code, so that errors are the same.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._lists: dict[str, _Read] | None = None
        # The part of the path before the code -> the read of a record.
        self._records: dict[str, _OfCodes] = {}
        # The paths of other reads, of which the last part is no code.
        self._others: set[str] = set()
        self._names: dict[_Read, str] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self.read_of(scope)
        if found is None:
            try:
                await self.app(scope, receive, send)
            finally:
                if route := scope.get("route"):
                    scope.setdefault("state", {})[OPERATION] = route.name
            return
        endpoint, codes = found
        scope.setdefault("state", {})[OPERATION] = self._names[endpoint]
        request = Request(scope, receive, send)
        try:
            answer = await repeated_if_lost(partial(endpoint, request=request, **codes))
        except (ProblemError, RequestValidationError, HTTPException) as error:
            answer = await problems.answer(request, error)
        await answer(scope, receive, send)

    def read_of(self, scope: Scope) -> tuple[_Read, dict[str, str]] | None:
        """The function that is called for a request, and the code that it is given; None where FastAPI answers."""
        if scope["type"] != "http" or scope["method"] != "GET" or scope.get("root_path"):
            return None
        if self._lists is None:
            self._lists = self._read_routes(scope["app"])
        path: str = scope["path"]
        if endpoint := self._lists.get(path):
            return endpoint, {}
        folder, _, code = path.rpartition("/")
        found = self._records.get(folder)
        if found and len(code) <= LONGEST_CODE and _CODE.fullmatch(code) and path not in self._others:
            return found.endpoint, {found.parameter: code}
        return None

    def _read_routes(self, app: FastAPI) -> dict[str, _Read]:
        lists: dict[str, _Read] = {}
        for route in iter_route_contexts(app.routes):
            if not isinstance(route.original_route, APIRoute) or route.methods != {"GET"} or not route.path:
                continue
            taken = _taken_by(route.original_route)
            self._names[route.original_route.endpoint] = route.original_route.name
            if at_end := _CODE_AT_END.fullmatch(route.path):
                if taken == [at_end[2]] and "{" not in at_end[1]:
                    self._records[at_end[1]] = _OfCodes(route.original_route.endpoint, at_end[2])
            elif "{" not in route.path:
                if taken == []:
                    lists[route.path] = route.original_route.endpoint
                else:
                    self._others.add(route.path)
        return lists


async def repeated_if_lost(read: _Read) -> Response:
    """The answer of a read that is repeated once where its connection to the database was lost.

    The pools have replaced all of their connections then. Raises what the repeat raises.
    """
    try:
        return await read()
    except DatabaseLost:
        return await read()


def _taken_by(route: APIRoute) -> list[str] | None:
    """The parameters that the function of a route takes beside the request, all of them codes; None for any others."""
    signature = inspect.signature(route.endpoint, eval_str=True)
    taken = dict(signature.parameters)
    if route.dependencies or signature.return_annotation is not Response or not taken.pop("request", None):
        return None
    return [*taken] if all(_is_code(parameter.annotation) for parameter in taken.values()) else None


def _is_code(annotation: Any) -> bool:
    """Whether an annotation is that of a code in a path, as `openapi.code_in_path` declares it."""
    if get_origin(annotation) is not Annotated:
        return False
    kind, path, *others = get_args(annotation)
    if kind is not str or others or not isinstance(path, params.Path):
        return False
    names = ("pattern", "max_length", "min_length")
    limits = {name: getattr(each, name) for each in path.metadata for name in names if getattr(each, name, None)}
    return limits == {"pattern": CODE_PATTERN, "max_length": LONGEST_CODE}
