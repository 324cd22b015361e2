"""Connections to the database: what their URL states of each, and what follows when they are lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import quote

import asyncpg
import sqlalchemy as sa
from pydantic import SecretStr

from mmptf_common.storage.engines import Database, open_database
from mmptf_local.processes import free_port
from tests.conftest import admin_url, asyncio_run, execute, pool_of, running_app, service_of

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


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    async with open_database(service_of("catalog").settings(database_url=SecretStr(url))) as database:
        yield database


async def told_by_each(database: Database, sql: str) -> set[str]:
    """What a connection of each kind, for reads and for writes, answers."""
    found = {await pool.connections.fetchval(sql) for pool in database.reads.values()}
    async with database.engine.begin() as connection:
        return {*found, await connection.scalar(sa.text(sql))}


async def test_an_address_of_several_hosts_leads_to_the_one_that_answers(new_database: Callable[[str], str]) -> None:
    before, _, after = new_database("catalog").partition("@")
    async with opened(f"{before}@127.0.0.1:{free_port()},{after}") as database:
        assert await told_by_each(database, "SELECT current_setting('timezone')") == {"UTC"}
        async with database.engine.begin() as connection:
            assert await connection.scalar(sa.text("SELECT current_setting('lock_timeout')")) == "10s"


async def test_a_host_that_says_nothing_is_waited_for_once(new_database: Callable[[str], str]) -> None:
    """Its machine is gone, say: nothing refuses the connection, and no answer comes."""
    taken: list[asyncio.StreamWriter] = []

    async def take(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.append(writer)

    before, _, after = new_database("catalog").partition("@")
    async with await asyncio.start_server(take, "127.0.0.1", 0) as silent:
        port = silent.sockets[0].getsockname()[1]
        try:
            async with opened(f"{before}@127.0.0.1:{port},{after}?connect_timeout=1&sslmode=disable") as database:
                pool = pool_of(database)
                assert len(taken) == 1
                await asyncio.gather(*(pool.fetchval("SELECT pg_sleep(0.1)") for _ in range(SIZE)))
                assert pool.get_size() == SIZE
                assert len(taken) == 1
        finally:
            for writer in taken:
                writer.close()


async def test_a_url_states_name_and_settings_of_every_connection(new_database: Callable[[str], str]) -> None:
    url = f"{new_database('catalog')}?application_name=the%20Fund%27s&options=-c%20work_mem%3D7MB%20-c%20geqo=off"
    name = "SELECT concat_ws(' ', current_setting('application_name'), current_setting('work_mem'))"
    async with opened(url) as database:
        assert await told_by_each(database, name) == {"the Fund's 7MB"}


async def test_a_password_of_any_characters(new_database: Callable[[str], str]) -> None:
    url, password = new_database("catalog"), "a/b?c#d[e]@f:g%41 +&=ü"
    name = url.rpartition("/")[2]
    role = f"odd_{name}"
    create = f"CREATE ROLE {role} LOGIN PASSWORD '{password}'"
    await execute(admin_url(url), create, f"GRANT CONNECT ON DATABASE {name} TO {role}")
    host = url.rpartition("@")[2]
    encoded = quote(password, safe="")
    for given in (f"postgresql://{role}:{encoded}@{host}", f"postgresql://{host}?user={role}&password={encoded}"):
        async with opened(given) as database:
            assert await told_by_each(database, "SELECT current_user") == {role}
