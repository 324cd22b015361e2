"""The FastAPI app that the services and the gateway start from: middleware and problem documents."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import version
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.types import ASGIApp

from mmptf_common.http import openapi, problem_kinds, problems
from mmptf_common.http.direct_reads import DirectReads
from mmptf_common.http.middleware import HeadAsGet, RequestMiddleware
from mmptf_common.process.build import build_of
from mmptf_common.process.metrics import Exposition
from mmptf_common.wire.problems import ProblemError


class _App(FastAPI):
    """An app with its own middleware alone outside the routes.

    `RequestMiddleware` answers failures, limits bodies and knows the trace: what FastAPI and Starlette put around it
    for that would be three more calls, each with an await, for every message of every request.
    """

    def build_middleware_stack(self) -> ASGIApp:
        handlers: dict[Any, Any] = {**self.exception_handlers}
        app: ASGIApp = ExceptionMiddleware(AsyncExitStackMiddleware(self.router), handlers=handlers)
        for middleware in reversed(self.user_middleware):
            app = middleware.cls(app, *middleware.args, **middleware.kwargs)
        return app


def create_app(
    title: str,
    description: str,
    distribution: str,
    *,
    tags: Sequence[openapi.Tag],
    lifespan: Callable[[FastAPI], Any],
    base_path: str,
    segments: Iterable[str],
    max_body: int | None,
    body_limits: Mapping[str, int] = MappingProxyType({}),
    inside: Sequence[Middleware] = (),
) -> FastAPI:
    """Return an app without routes.

    description: what the app is; in its contract, what holds for every operation (conventions.md) follows
    distribution: the installed package whose version and build (`state.build`) the app has
    tags: the groups of its operations, in the order in which they are shown; that of problems is added
    base_path: the path under which callers reach the process, empty where they do at its root
    segments: the first segments of the app's paths
    max_body: most bytes of a request's body, 413 above; None where bodies are forwarded
    body_limits: path -> most bytes of a body, where it is not `max_body`
    inside: middleware between `RequestMiddleware` and the routes, the outermost first
    """
    segments = [*segments, "problems"]
    app = _App(
        title=title,
        description=f"{description}\n\n{files(__package__).joinpath('conventions.md').read_text('utf-8').strip()}",
        version=version(distribution),
        # Who that is, and where they are reached, is not known here.
        contact={"name": "The operator of this deployment"},
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        servers=[{"url": base_path or "/", "description": "The host that this contract is read from."}],
        openapi_tags=[tag.contract() for tag in (*tags, problem_kinds.TAG)],
        lifespan=lifespan,
        redirect_slashes=False,
        # Nothing that could record spans or metrics is installed, and FastAPI would look for it in each request.
        telemetry={"tracing": False, "metrics": False, "logs": False},
        generate_unique_id_function=lambda route: route.name,
        middleware=[
            Middleware(
                RequestMiddleware,
                base_path=base_path,
                segments=segments,
                max_body=max_body,
                body_limits=body_limits,
            ),
            *inside,
            Middleware(HeadAsGet),
            Middleware(DirectReads),
        ],
    )
    app.state.build = build_of(distribution)
    app.state.exposition = Exposition(distribution.removeprefix("mmptf-"), app.version, app.state.build)
    app.state.segments = segments
    app.state.is_draining = lambda: False
    for failure in (ProblemError, RequestValidationError, HTTPException):
        app.add_exception_handler(failure, problems.answer)
    return app
