"""The reference: one prepared statement on an asyncpg pool behind bare ASGI, under the same server as the services."""

from __future__ import annotations

import gc
import hashlib
import os
from urllib.parse import parse_qs

import asyncpg
import uvicorn
from starlette.types import Receive, Scope, Send

from bench.data import PATH
from mmptf_common.storage.engines import SERVER_SETTINGS

WHERE = "stage = ANY($1::text[]) AND thematic_area = ANY($2::text[])"
# The service's page in one piece: PostgreSQL also writes the cursor, from the query string ($3) and its digest ($4).
SQL = f"""
SELECT '{{"items":[' || coalesce(string_agg(item, ',' ORDER BY n) FILTER (WHERE n <= 50), '') || '],"total":'
  || (SELECT count(*) FROM programme WHERE {WHERE}) || ',"next":'
  || CASE WHEN count(*) > 50 THEN '"{PATH}?cursor='
       || translate(encode(convert_to('["' || $4 || '","' || max(key) FILTER (WHERE n = 50) || '","'
       || max(key) FILTER (WHERE n = 50) || '"]', 'UTF8'), 'base64'), E'+/=\\n', '-_') || '&' || $3 || '"'
     ELSE 'null' END
  || ',"revision":' || (SELECT coalesce(max(number), 0) FROM revision) || '}}'
FROM (SELECT record::text AS item, code AS key, row_number() OVER (ORDER BY code) AS n
      FROM programme WHERE {WHERE} ORDER BY code LIMIT 50 + 1) AS page
"""


class Raw:
    """Answers `stage` and `thematic_area` and nothing else: no check, no log, no conditional request."""

    pool: asyncpg.Pool

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        asked = scope["query_string"].decode()
        query = parse_qs(asked)
        async with self.pool.acquire() as connection:
            digest = hashlib.blake2b(f"{PATH}?{asked}".encode(), digest_size=9).hexdigest()
            page = await connection.fetchval(SQL, query["stage"], query["thematic_area"], asked, digest)
        body = page.encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
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
        )
        gc.collect()
        gc.freeze()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.pool.close()
        await send({"type": "lifespan.shutdown.complete"})


if __name__ == "__main__":
    uvicorn.run(
        Raw(),
        port=int(os.environ["PORT"]),
        http="httptools",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
    )
