"""Rows of today in a database of an earlier schema."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import asyncpg
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.ext.asyncio import AsyncSession

from mmptf_common.storage.engines import write_engine
from mmptf_common.storage.journal import Author, begin_write

ROOT = Path(__file__).parents[2]


async def copy_rows(source: str, target: str, tables: Iterable[str]) -> None:
    """Bring the rows of some tables into a database of an earlier schema, with one write of the seed.

    There `record` may still be `document`.
    """
    filled = await asyncpg.connect(source)
    engine = write_engine(target, size=1)
    try:
        async with AsyncSession(engine) as session, session.begin():
            await begin_write(session, Author("seed"))
            for table in tables:
                columns = [
                    name
                    for (name,) in await session.execute(
                        sa.text(
                            "SELECT column_name FROM information_schema.columns"
                            " WHERE table_name = :table AND is_generated = 'NEVER'"
                        ),
                        {"table": table},
                    )
                    if name != "revised"
                ]
                for row in await filled.fetch(
                    f"SELECT row_to_json(t)::text AS row FROM (SELECT *, record AS document FROM {table}) AS t"
                ):
                    await session.execute(
                        sa.text(
                            f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(columns)}"
                            f" FROM json_populate_record(NULL::{table}, CAST(:row AS json))"
                        ),
                        {"row": row["row"]},
                    )
    finally:
        await engine.dispose()
        await filled.close()


async def migrate_to(url: str, service: str, revision: str) -> None:
    """Bring the schema of a service to an earlier version."""
    config = Config(toml_file=ROOT / "services" / service / "pyproject.toml")
    engine = write_engine(url, size=1)

    def upgrade(connection: sa.Connection) -> None:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)

    async with engine.begin() as connection:
        await connection.run_sync(upgrade)
    await engine.dispose()
