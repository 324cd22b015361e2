"""The client with which one process of the suite asks another: pooled, bounded in time, traced."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from mmptf_common.process.context import current
from mmptf_common.wire.problems import BadGateway, GatewayTimeout


async def _pass_context_on(request: httpx.Request) -> None:
    if context := current.get():
        request.headers.update(context.headers())


class _Transport(AiohttpTransport):
    """Says of every failure that it is one of httpx, also where what came back was no HTTP."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            return await super().handle_async_request(request)
        except aiohttp.ClientError as error:
            raise httpx.RemoteProtocolError(str(error)) from error


@asynccontextmanager
async def open_client(*, seconds: float) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client whose every request carries the current request id and traceparent; closed at the end."""
    # httpx's own pool does more work for each request the more connections it holds; this one does not.
    async with httpx.AsyncClient(
        transport=_Transport(),
        timeout=httpx.Timeout(seconds, connect=min(seconds, 1.0)),
        event_hooks={"request": [_pass_context_on]},
    ) as client:
        yield client


def failure(service: str, error: httpx.HTTPError) -> BadGateway | GatewayTimeout:
    """The problem that a failed call to a service stands for."""
    # The transport calls a refused or broken connection a timeout as well; what aiohttp raised tells them apart.
    if isinstance(error.__cause__ or error, (TimeoutError, httpx.TimeoutException)):
        return GatewayTimeout(f"The service {service!r} did not answer in time.")
    return BadGateway(f"The service {service!r} cannot be reached.")
