"""A process that answers each path /BYTES with so many bytes: `python large_answers.py PORT`.

Like a service with its connections to a database, it makes ten answers at once.
"""

from __future__ import annotations

import asyncio
import sys

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mmptf_common.process.server import serve
from mmptf_common.process.settings import ServerSettings

AT_ONCE = asyncio.Semaphore(10)


async def answer(request: Request) -> Response:
    async with AT_ONCE:
        await asyncio.sleep(0.01)
    return Response(b"x" * request.path_params["size"])


if __name__ == "__main__":
    serve(Starlette(routes=[Route("/{size:int}", answer)]), ServerSettings(port=int(sys.argv[1]), log_level="WARNING"))
