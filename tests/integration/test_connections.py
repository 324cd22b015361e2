"""Connections to the database: what follows when they are lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import asyncpg
import sqlalchemy as sa
from pydantic import SecretStr

from mmptf_common.storage.engines import open_database
from mmptf_local.processes import free_port
from tests.conftest import admin_url, asyncio_run, pool_of, running_app, service_of

PATH = "/catalog/v1/organizations"
SIZE = 4


async def terminate_all(url: str) -> None:
    """End every other connection to a database, as its restart does."""
    connection = await asyncpg.connect(admin_url(url))
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await connection.close()


async def test_no_read_fails_after_all_connections_were_lost(new_database: Callable[[str], str]) -> None:
    async with running_app("catalog", new_database("catalog"), None) as running:
        pool = pool_of(running.app.state.database)
        await asyncio.gather(*(pool.fetchval("SELECT pg_sleep(0.2)") for _ in range(SIZE)))
        assert pool.get_idle_size() == SIZE
        # The loop of the app stands still meanwhile: it does not learn that its connections are closed.
        asyncio_run(terminate_all(running.database_url))
        answers = [await running.client.get(PATH) for _ in range(SIZE)]
        assert [answer.status_code for answer in answers] == [200] * SIZE


async def test_an_address_of_several_hosts_leads_to_the_one_that_answers(new_database: Callable[[str], str]) -> None:
    before, _, after = new_database("catalog").partition("@")
    url = f"{before}@127.0.0.1:{free_port()},{after}?target_session_attrs=primary"
    async with open_database(service_of("catalog").settings(database_url=SecretStr(url))) as database:
        assert await pool_of(database).fetchval("SELECT 1") == 1
        async with database.engine.begin() as connection:
            assert await connection.scalar(sa.text("SELECT current_setting('lock_timeout')")) == "10s"
