"""The HTTP client for calls between processes of the suite: pooled, with time-outs, traced."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache

import httpx

from mmptf_common.process.context import OWN_NAMES, current
from mmptf_common.wire.problems import BadGateway, GatewayTimeout


async def _pass_context_on(request: httpx.Request) -> None:
    if context := current.get():
        request.headers.update(context.headers())


@cache
def certificates() -> ssl.SSLContext:
    """What servers are verified with, read once: it takes some 30 ms, and clients are opened for single requests."""
    return httpx.create_ssl_context()


@asynccontextmanager
async def open_client(*, seconds: float) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client whose every request carries the current request id and traceparent; closed at the end."""
    async with httpx.AsyncClient(
        verify=certificates(),
        headers={"User-Agent": f"{OWN_NAMES.decode()}client"},
        timeout=httpx.Timeout(seconds, connect=min(seconds, 1.0)),
        event_hooks={"request": [_pass_context_on]},
    ) as client:
        yield client


def failure(service: str, error: httpx.HTTPError) -> BadGateway | GatewayTimeout:
    """The problem for a failed call to a service: 504 after a time-out, 502 otherwise."""
    problem: BadGateway | GatewayTimeout
    if isinstance(error, httpx.TimeoutException):
        problem = GatewayTimeout(f"The service {service!r} did not answer in time.")
    else:
        problem = BadGateway(f"The service {service!r} cannot be reached.")
    # For the log: not every caller raises the problem where the call failed.
    problem.__cause__ = error
    return problem
