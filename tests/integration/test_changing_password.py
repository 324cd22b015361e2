"""A password that changes in the file of a URL is used for new connections, without a restart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from mmptf_catalog.settings import CatalogSettings
from mmptf_common.storage.cache import open_cache
from mmptf_common.storage.engines import ReadKind, open_database, reading
from mmptf_common.storage.subscription import listen
from mmptf_common.wire.problems import ProblemError
from mmptf_local.cache import redis_binary
from tests.conftest import admin_url, execute, pool_of
from tests.integration.redis_servers import ENCODED, Servers, cluster, servers
from tests.integration.replicas import until

ROLE = "changing_password"


@pytest.fixture
async def database_url(new_database: Callable[[str], str]) -> AsyncIterator[str]:
    """A database that the role may open, under its owner."""
    url = new_database("catalog")
    await execute(
        admin_url(url),
        f"CREATE ROLE {ROLE} LOGIN PASSWORD 'first'",
        f'GRANT CONNECT ON DATABASE "{url.rpartition("/")[2]}" TO {ROLE}',
    )
    yield url
    await execute(admin_url(url), f"DROP OWNED BY {ROLE}", f"DROP ROLE {ROLE}")


async def test_new_connections_have_the_password_of_the_file(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = urlsplit(database_url)
    file = tmp_path / "url"

    def write(password: str) -> None:
        file.write_text(f"postgresql://{ROLE}:{password}@{parts.hostname}:{parts.port}{parts.path}\n")

    write("first")
    for name in ("DATABASE_URL", "MIGRATION_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATABASE_URL_FILE", str(file))
    async with open_database(CatalogSettings()) as database:

        async def role_of_next_connection() -> str:
            await pool_of(database).expire_connections()
            async with reading(database, ReadKind.PAGE) as connection:
                role: str = await connection.fetchval("SELECT current_user")
                return role

        assert await role_of_next_connection() == ROLE
        # With a character that a URL has percent-encoded.
        await execute(admin_url(database_url), f"ALTER ROLE {ROLE} PASSWORD 'sec@nd'")
        with pytest.raises(ProblemError):
            await role_of_next_connection()
        write("sec%40nd")
        assert await role_of_next_connection() == ROLE
        async with database.engine.connect() as connection:
            assert await connection.scalar(sa.text("SELECT current_user")) == ROLE


def one_server(group: Servers) -> tuple[str, int]:
    port = group.start()
    return f"redis://:{ENCODED}@localhost:{port}/3", port


@pytest.mark.parametrize("kind", [one_server, pytest.param(cluster, marks=pytest.mark.longer)])
async def test_redis_is_used_again_with_the_password_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Callable[[Servers], tuple[str, int]]
) -> None:
    with servers(str(redis_binary()), tmp_path) as group:
        first, _ = kind(group)
        file = tmp_path / "url"
        file.write_text(first)
        monkeypatch.delenv("REDIS_URL", raising=False)
        monkeypatch.setenv("REDIS_URL_FILE", str(file))
        settings = CatalogSettings(database_url=SecretStr("postgresql://h/d"))
        assert settings.redis_url
        url, heard = settings.redis_url.get_secret_value(), []

        async def listening() -> None:
            while True:
                with suppress(Exception):
                    await listen(url, ["mmptf-test"], lambda _, message: heard.append(message), lambda _: None)
                await asyncio.sleep(0.1)

        async with open_cache(url, "test", "build") as cache:

            async def is_(state: str) -> bool:
                await cache.get("key")
                return cache.state().state == state

            async def is_heard(message: str) -> bool:
                await cache.publish("mmptf-test", message)
                await asyncio.sleep(0.05)
                return message.encode() in heard

            line = asyncio.create_task(listening())
            try:
                await until(lambda: is_heard("first"))
                for port in group.children:
                    with group.client(port) as client:
                        client.config_set("requirepass", "sec@nd")
                        for connections in ("normal", "pubsub"):
                            client.execute_command("CLIENT", "KILL", "TYPE", connections)
                await until(lambda: is_("unavailable"))
                assert cache.state().reason == "Redis refuses the name or the password."
                file.write_text(first.replace(ENCODED, "sec%40nd"))
                await until(lambda: is_("working"))
                await until(lambda: is_heard("second"))
            finally:
                line.cancel()
