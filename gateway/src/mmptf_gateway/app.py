"""The gateway's app: forwards to all services, and answers a few paths of its own."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.middleware import Middleware

from mmptf_common.http import openapi, problem_kinds, versions
from mmptf_common.http.app import create_app as create_shell
from mmptf_common.http.rate_limits import RateLimitMiddleware, rate_limits_of
from mmptf_common.process.metrics import Figure
from mmptf_gateway import docs, routes
from mmptf_gateway.answers import Answers
from mmptf_gateway.at_once import KeptAtOnce
from mmptf_gateway.connections import Connections
from mmptf_gateway.contracts import Contracts
from mmptf_gateway.cors import Cors
from mmptf_gateway.dispatch import Dispatch
from mmptf_gateway.forward import Forwarder
from mmptf_gateway.metrics import figures_of
from mmptf_gateway.revisions import Revisions
from mmptf_gateway.settings import OWN_SEGMENTS, GatewaySettings
from mmptf_gateway.upstreams import Asking, Upstream

# The headers of answers that scripts of other origins may read, beside those that browsers always let them read.
EXPOSED = (
    "Accept-Encoding", "Age", "Allow", "Cache-Group-Invalidation", "Cache-Groups", "Cache-Status", "Catalogue-Age",
    "Content-Disposition", "ETag", "Idempotency-Replayed", "Ledger-Age", "Link", "Location", "RateLimit",
    "RateLimit-Policy", "Retry-After", "WWW-Authenticate", "X-Request-ID", "X-Total-Count",
)  # fmt: skip


def create_app(settings: GatewaySettings) -> FastAPI:
    """The gateway's app; it connects to nothing before it starts, and starts whether the services run or not."""
    upstreams = {
        name: Upstream(
            name,
            Connections(origin, connect_seconds=settings.connect_seconds, answer_seconds=settings.answer_seconds),
            short=settings.in_flight,
            long=settings.in_flight_long,
        )
        for name, origin in settings.services.items()
    }
    forwarder = Forwarder(upstreams.values(), answer_seconds=settings.answer_seconds)
    revisions = Revisions(upstreams)
    answers = Answers(forwarder, revisions, most_bytes=settings.answers_bytes, cdn_seconds=settings.cdn_seconds)
    limits = rate_limits_of(settings)
    redis_url = settings.redis_url.get_secret_value() if settings.redis_url else None

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for upstream in upstreams.values():
                stack.callback(upstream.connections.close)
            if limits:
                await stack.enter_async_context(limits.shared(redis_url))
            if settings.answers_bytes:
                await stack.enter_async_context(revisions.listening(redis_url))
            app.state.asking, app.state.answers = Asking(upstreams), answers
            app.state.contracts = Contracts(app.state.asking, app.openapi())
            docs.assets()

            async def figures() -> list[Figure]:
                return figures_of(upstreams.values(), answers, revisions)

            app.state.exposition.ask(figures)
            gc.collect()
            gc.freeze()
            yield

    cors: dict[str, Any] = {
        "allow_origins": settings.cors_origins,
        "allow_methods": ("*",),
        "allow_headers": ("*",),
        "expose_headers": EXPOSED,
    }
    app = create_shell(
        "Migration MPTF services",
        "The single entry point to the services of the Migration Multi-Partner Trust Fund suite. The first segment of a"
        " path names the service; the gateway changes nothing that it forwards.",
        "mmptf-gateway",
        tags=(routes.TAG, openapi.STATUS),
        lifespan=lifespan,
        base_path=settings.base_path,
        segments=(*OWN_SEGMENTS, *settings.services),
        max_body=None,  # each service checks bodies itself
        inside=[
            Middleware(Cors, **cors),
            *([Middleware(RateLimitMiddleware, limits=limits, addresses=True)] if limits else []),
            Middleware(Dispatch, forwarder=forwarder, answers=answers),
        ],
    )
    # Where some origins only may read, the headers depend on the request.
    if settings.answers_bytes and "*" in settings.cors_origins:
        app.state.at_once = KeptAtOnce(
            answers,
            limits,
            base_path=settings.base_path,
            segments=app.state.segments,
            cors=Cors(app, **cors).same_for_all,
        )
    app.include_router(routes.router)
    app.include_router(routes.contract_router)
    app.include_router(problem_kinds.router)
    app.include_router(versions.router)
    app.include_router(docs.router)
    openapi.install(app, "mmptf_gateway")
    return app
