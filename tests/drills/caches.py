"""Drills with Redis: gone, slow, full, answering noise and values of other keys; no caller sees a failure."""

from __future__ import annotations

import asyncio
import random
from asyncio import to_thread
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import redis.asyncio as redis

from mmptf_local.processes import LOOPBACK
from tests.drills.drill import Scene, drill
from tests.drills.limits import CACHE_MEMORY
from tests.drills.load import FIXED
from tests.suite import NAMES

SECONDS = 5
AGGREGATES = tuple(path for path in FIXED if "totals" in path or "facets" in path or "indicator" in path)
"""Reads whose answers are in Redis."""
ANEW = {"cache-control": "no-cache"}
"""Asks the service also for what the gateway keeps."""


@drill(*NAMES)
async def redis_gone(scene: Scene) -> None:
    """Redis is killed, and started again empty after 5 s."""
    await to_thread(scene.stack.cache.kill)
    await asyncio.sleep(SECONDS)
    await to_thread(scene.stack.cache.start)
    scene.mend()


@drill(*NAMES)
async def redis_slow(scene: Scene) -> None:
    """Redis answers nothing for 5 s and keeps its connections."""
    async with _client(scene) as client:
        await client.execute_command("CLIENT", "PAUSE", SECONDS * 1000, "ALL")
    await asyncio.sleep(SECONDS)
    scene.mend()


@drill(*NAMES)
async def redis_full(scene: Scene) -> None:
    """Redis has no memory left, and evicts nothing."""
    async with _client(scene) as client:
        await client.config_set("maxmemory-policy", "noeviction")
        await client.config_set("maxmemory", "1kb")
        await asyncio.sleep(SECONDS)
        await client.config_set("maxmemory", CACHE_MEMORY)
        await client.config_set("maxmemory-policy", "allkeys-lru")
    scene.mend()


@drill(*NAMES)
async def redis_answers_noise(scene: Scene) -> None:
    """In the place of Redis something answers random bytes to whatever it is sent."""
    chance = random.Random(11)

    async def noise(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while await reader.read(4096):
                writer.write(
                    chance.choice((b"+OK\r\n", b"$5\r\nhello\r\n", b":7\r\n", b"*-1\r\n", chance.randbytes(40)))
                )
                await writer.drain()
        writer.close()

    await to_thread(scene.stack.cache.kill)
    async with await asyncio.start_server(noise, LOOPBACK, scene.stack.cache.port):
        await asyncio.sleep(SECONDS)
    await to_thread(scene.stack.cache.start)
    scene.mend()


@drill(*NAMES)
async def redis_answers_foreign_values(scene: Scene) -> None:
    """Every value in Redis is replaced again and again by that of another key, by half of it, or by other JSON."""
    chance = random.Random(13)
    replaced = 0
    end = asyncio.get_running_loop().time() + SECONDS
    async with _client(scene) as client:
        while asyncio.get_running_loop().time() < end:
            for path in AGGREGATES:
                # Stored by the first request, and read by the second unless something was written in between.
                await client.flushall()
                await scene.load.ask_fixed(path, **ANEW)
                found = {key: await client.get(key) for key in await client.keys("*")}
                values = [value for value in found.values() if value is not None] + [b'{"items":[]}', b"null"]
                foreign = {key: chance.choice([value for value in values if value != found[key]]) for key in found}
                for key, value in foreign.items():
                    await client.set(key, chance.choice((value, value[: len(value) // 2])))
                replaced += len(foreign)
                await scene.load.ask_fixed(path, **ANEW)
        await client.flushall()
    scene.note(f"{replaced} values were replaced")
    scene.mend()


@asynccontextmanager
async def _client(scene: Scene) -> AsyncIterator[redis.Redis]:
    client = redis.Redis.from_url(scene.stack.cache.url)
    try:
        yield client
    finally:
        await client.aclose()
