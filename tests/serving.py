"""An app of this process, served over HTTP."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn

from mmptf_local.processes import LOOPBACK


@asynccontextmanager
async def served(app: Any) -> AsyncIterator[str]:
    """An app that runs already, on a free port of this machine; gives its URL."""
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", ws="none"))
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
