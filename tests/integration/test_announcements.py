"""What a service announces of its revision: while it is read, and at each write."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import redis.asyncio as redis

from mmptf_common.storage import announcements
from mmptf_common.wire.announcements import BEAT_SECONDS, announcement_in, channel_of
from mmptf_local.cache import Cache
from tests.conftest import running_app
from tests.integration.changes import Databases
from tests.integration.replicas import until
from tests.writes import write_sql

DATABASE = 5
LIST = "/catalog/v1/programmes?limit=1"


class Heard:
    """The revisions that have been announced."""

    def __init__(self) -> None:
        self.numbers: list[int] = []

    async def next(self, seconds: float = 2.0) -> int:
        """The number of the next announcement."""
        known = len(self.numbers)
        async with asyncio.timeout(seconds):
            await until(lambda: len(self.numbers) > known)
        return self.numbers[-1]


@asynccontextmanager
async def hearing(url: str) -> AsyncIterator[Heard]:
    heard = Heard()
    async with redis.Redis.from_url(url) as client, client.pubsub() as channel:
        await channel.subscribe(channel_of("catalog", DATABASE))

        async def read() -> None:
            async for message in channel.listen():
                if message["type"] == "message" and (found := announcement_in(message["data"])):
                    heard.numbers.append(found.number)

        task = asyncio.create_task(read())
        yield heard
        task.cancel()


async def test_a_service_announces_while_it_is_read(
    new_database: Databases, redis_server: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announcements, "QUIET_SECONDS", 1.0)
    url = redis_server.url.removesuffix("0") + str(DATABASE)
    database = new_database("catalog")
    async with running_app("catalog", database, url) as running, hearing(url) as heard:
        # From its start on, as long as somebody reads.
        first = await heard.next()
        for _ in range(6):
            assert (await running.client.get(LIST)).status_code == 200
            assert await heard.next() == first
        await asyncio.sleep(1.0 + 2 * BEAT_SECONDS)
        before = len(heard.numbers)
        await asyncio.sleep(4 * BEAT_SECONDS)
        assert len(heard.numbers) == before, "nobody reads"
        # Those who wait for changes, and who ask for the health, keep nothing.
        for path in ("/catalog/v1/changes", "/catalog/v1/status", "/health/ready"):
            assert (await running.client.get(path)).status_code == 200
        await asyncio.sleep(2 * BEAT_SECONDS)
        assert len(heard.numbers) == before
        # A write of another process is in the first announcement after a read.
        code = "UPDATE programme SET record = (record::jsonb || '{\"note\": \"x\"}')::json WHERE code = 'SRB-01'"
        await write_sql(database, code)
        reading = asyncio.create_task(heard.next(BEAT_SECONDS))
        await running.client.get(LIST)
        assert await reading > first
