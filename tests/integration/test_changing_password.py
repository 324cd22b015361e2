"""A password that changes in the file of DATABASE_URL is used for new connections, without a restart."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa

from mmptf_catalog.settings import CatalogSettings
from mmptf_common.storage.engines import ReadKind, open_database, reading
from mmptf_common.wire.problems import ProblemError
from tests.conftest import admin_url, execute, pool_of

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
