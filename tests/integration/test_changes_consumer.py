"""A consumer that is killed and resumes misses no change and sees none twice."""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from mmptf_common.storage.engines import write_engine
from mmptf_common.storage.journal import Author, begin_write
from tests.conftest import running_app, service_of
from tests.integration.change_follower import Copy, Records, follow
from tests.integration.changes import CHANGES, Databases
from tests.integration.database_proxy import proxy_to

# How many writes are made while a consumer follows them.
WRITES = int(os.environ.get("CONSUMER_WRITES", "900"))
WRITERS = 8


class Killed(Exception):
    """The consumer dies here."""


CREATE = (
    "INSERT INTO {table} (code, name, updated, record) VALUES (CAST(:code AS text), CAST(:said AS text), now(),"
    " json_build_object('code', CAST(:code AS text), 'name', CAST(:said AS text)))"
    " ON CONFLICT (code) DO UPDATE SET record = excluded.record"
)
STATEMENTS = (
    CREATE.format(table="organization"),
    CREATE.format(table="clustering"),
    "UPDATE organization SET record = (record::jsonb || jsonb_build_object('said', CAST(:said AS text)))::json"
    " WHERE code IN (CAST(:code AS text), 'IOM')",
    "UPDATE clustering SET record = (record::jsonb || jsonb_build_object('said', CAST(:said AS text)))::json"
    " WHERE code = :code",
    "DELETE FROM organization WHERE code = :code",
    "DELETE FROM clustering WHERE code = :code",
)


async def write_much(url: str, writes: int) -> None:
    """Many writes by several writers at once: each of one to four changes, some undone, in part or as a whole."""
    engine = write_engine(url, size=WRITERS)
    sessions = async_sessionmaker(engine)
    numbers = iter(range(writes))

    async def statement(session: AsyncSession, dice: random.Random, said: str) -> None:
        await session.execute(sa.text(dice.choice(STATEMENTS)), {"code": f"ORG-{dice.randrange(40)}", "said": said})

    async def writer(dice: random.Random) -> None:
        for number in numbers:
            async with sessions() as session, session.begin():
                await begin_write(session, Author("the-actor"), f"write {number}")
                for part in range(dice.randint(1, 3)):
                    await statement(session, dice, f"{number}.{part}")
                if number % 10 == 3:
                    async with session.begin_nested() as nested:
                        await statement(session, dice, "not to be")
                        await nested.rollback()
                if number % 10 == 7:
                    await session.rollback()

    await asyncio.gather(*(writer(random.Random(number)) for number in range(WRITERS)))
    await engine.dispose()


async def records_of(url: str, entities: Iterable[str]) -> Records:
    """What the tables hold of some entities."""
    connection = await asyncpg.connect(url)
    found: Records = {}
    for table in service_of("catalog").metadata.sorted_tables:
        entity: str = table.info.get("entity", "")
        if entity in entities:
            for code, record in await connection.fetch(f"SELECT code, record::text FROM {table.name}"):
                found[entity, code] = json.loads(record)
    await connection.close()
    return found


async def consume(
    client: httpx.AsyncClient, path: Path, is_over: Callable[[], bool], dice: random.Random, **query: Any
) -> tuple[Copy, int]:
    """Follow until the writes are over, killed and begun again on the way; the copy, and how often it died."""
    deaths = 0

    def point() -> None:
        if dice.random() < 0.05 and not is_over():
            raise Killed

    while True:
        copy = Copy(path)
        life = asyncio.create_task(follow(client, CHANGES, copy, until=is_over, point=point, **query))
        await asyncio.wait({life}, timeout=None if is_over() else dice.uniform(0.001, 0.3))
        if not life.done():
            life.cancel()
        try:
            await life
        except (Killed, asyncio.CancelledError):
            copy.close()
            deaths += 1
        else:
            return copy, deaths


@pytest.mark.tries_more
async def test_a_consumer_that_is_killed_and_resumes_misses_nothing_and_sees_nothing_twice(
    new_database: Databases, tmp_path: Path
) -> None:
    followed: list[dict[str, Any]] = [
        {"limit": 1000, "wait": 1},
        {"limit": 40, "wait": 1},
        {"limit": 100, "wait": 1, "entity": ["clustering", "place"]},
    ]
    url = new_database("catalog")
    async with proxy_to(url) as proxy, running_app("catalog", proxy.url, None) as running:
        writing = asyncio.create_task(write_much(url, WRITES))
        consuming = [
            asyncio.create_task(
                consume(running.client, tmp_path / f"{n}.sqlite", writing.done, random.Random(n), **query)
            )
            for n, query in enumerate(followed)
        ]
        # On the way the service loses its database for a moment.
        await asyncio.wait({writing}, timeout=1)
        proxy.cut()
        await asyncio.wait({writing}, timeout=0.2)
        proxy.mend()
        await writing
        copies = await asyncio.gather(*consuming)
    connection = await asyncpg.connect(url)
    entries = await connection.fetch("SELECT seq, entity FROM change ORDER BY seq")
    await connection.close()
    assert len(entries) > 1.2 * WRITES
    public = {table.info["entity"] for table in service_of("catalog").metadata.sorted_tables if "entity" in table.info}
    for query, (copy, deaths) in zip(followed, copies, strict=True):
        entities = set(query.get("entity", public))
        assert copy.seen == [seq for seq, entity in entries if entity in entities]
        assert copy.records == await records_of(url, entities)
        assert copy.after == len(entries)
        assert deaths > 3
        copy.close()
