"""An app of this process, served over HTTP, and the suite as processes of its own."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from mmptf_local.processes import LOOPBACK, Log, free_port
from mmptf_local.suite import Suite, running_suite
from tests.conftest import serving_url
from tests.suite import DATABASE_VARIABLES, NO_LOTS


@asynccontextmanager
async def served(app: Any, protocol: type[asyncio.Protocol] | str = "auto") -> AsyncIterator[str]:
    """An app that runs already, on a free port of this machine; gives its URL."""
    config = uvicorn.Config(app, http=protocol, log_config=None, access_log=False, lifespan="off", ws="none")
    server = uvicorn.Server(config)
    # Whoever connects before the server accepts waits in the socket's queue.
    # With its protocol named the event loop sends what is written at once, without it 40 ms later.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.bind((LOOPBACK, 0))
        listening.listen()
        serving = asyncio.create_task(server.serve([listening]))
        try:
            yield f"http://{LOOPBACK}:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving


@contextmanager
def packaged_suite(
    new_database: Callable[[str], str], redis_url: str, *, log: Log | None = None, **environment: str
) -> Iterator[Suite]:
    """Every process of the suite on free ports, with databases of its own that hold the packaged data."""
    databases = {variable: serving_url(new_database(name)) for name, variable in DATABASE_VARIABLES.items()}
    variables = {**databases, **NO_LOTS, "REDIS_URL": redis_url, "PORT": str(free_port()), **environment}
    with running_suite(Path("/nowhere"), variables, log=log) as suite:
        yield suite
