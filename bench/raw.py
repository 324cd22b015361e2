"""The reference for pages: one statement that makes the JSON, on an asyncpg pool behind bare ASGI, same server.

It checks nothing, logs nothing, knows neither `next` nor ETags, and answers no question but that of the comparison.
"""

from __future__ import annotations

import gc
import os
from typing import Any
from urllib.parse import parse_qs

import asyncpg
import uvicorn
from starlette.types import Receive, Scope, Send

from mmptf_common.storage.connections import SERVER_SETTINGS

WHERE = "area = $1 AND region = $2"
SQL = f"""
SELECT '{{"items":[' || coalesce(string_agg(item, ',' ORDER BY code), '') || '],"total":'
  || (SELECT count(*) FROM requirement WHERE {WHERE}) || '}}'
FROM (SELECT record::text AS item, code FROM requirement WHERE {WHERE} ORDER BY code LIMIT 50) AS page
"""


class Kept(asyncpg.Connection):  # type: ignore[misc]  # the driver has no types
    """A connection that its pool does not reset, as the services' connections for reads."""

    def get_reset_query(self) -> str:
        return ""


class Raw:
    """Answers `area` and `region`."""

    pool: asyncpg.Pool[Any]

    def __init__(self, connection_class: type) -> None:
        self._connection_class = connection_class

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        query = parse_qs(scope["query_string"].decode())
        async with self.pool.acquire() as connection:
            page = await connection.fetchval(SQL, query["area"][0], query["region"][0])
        body = page.encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        self.pool = await asyncpg.create_pool(
            os.environ["DATABASE_URL"],
            min_size=1,
            max_size=10,
            server_settings=SERVER_SETTINGS,
            max_cached_statement_lifetime=0,
            connection_class=self._connection_class,
        )
        gc.collect()
        gc.freeze()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.pool.close()
        await send({"type": "lifespan.shutdown.complete"})


if __name__ == "__main__":
    # With KEPT=1 the pool leaves out its resets.
    uvicorn.run(
        Raw(Kept if os.environ.get("KEPT") else asyncpg.Connection),
        port=int(os.environ["PORT"]),
        http="httptools",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
    )
