"""Aggregates cached in Redis under their revision; without Redis they are computed at each request."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

# Answers of a revision are rarely read again after the next write; a day limits the memory that they take.
LIFETIME_SECONDS = 86_400
# After a failure Redis is not used for this long, so that not every request waits for a time-out.
PAUSE_SECONDS = 2.0


class Cache:
    """Bytes by key. A key contains the revision and the build of the code, so no entry has to be invalidated."""

    def __init__(self, client: redis.Redis | None, name: str) -> None:
        self._client = client
        self._name = name
        self._paused_until = 0.0

    async def get(self, key: str) -> tuple[bytes | None, str]:
        """The value, None on a miss, and the Cache-Status header (RFC 9211)."""
        if self._client is None or time.monotonic() < self._paused_until:
            return None, f"{self._name}; fwd=bypass; detail=unavailable"
        try:
            value: bytes | None = await self._client.get(f"{self._name}:{key}")  # type: ignore[assignment]  # no decode_responses
        except (RedisError, OSError):
            self._paused_until = time.monotonic() + PAUSE_SECONDS
            return None, f"{self._name}; fwd=bypass; detail=unavailable"
        return (value, f"{self._name}; hit") if value is not None else (None, f"{self._name}; fwd=uri-miss")

    async def put(self, key: str, value: bytes) -> bool:
        """Store a value; returns whether it was stored."""
        if self._client is None or time.monotonic() < self._paused_until:
            return False
        try:
            await self._client.set(f"{self._name}:{key}", value, ex=LIFETIME_SECONDS)
        except (RedisError, OSError):
            self._paused_until = time.monotonic() + PAUSE_SECONDS
            return False
        return True


@asynccontextmanager
async def open_cache(url: str | None, name: str) -> AsyncIterator[Cache]:
    """The cache of one service. It connects when it is used, and Redis may stop and restart while the service runs."""
    if url is None:
        yield Cache(None, name)
        return
    client = redis.Redis.from_url(
        url, socket_timeout=0.25, socket_connect_timeout=0.25, retry=Retry(NoBackoff(), 0), health_check_interval=15
    )
    try:
        yield Cache(client, name)
    finally:
        await client.aclose()
