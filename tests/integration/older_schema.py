"""Rows of today in a database of an earlier schema."""

from __future__ import annotations

from collections.abc import Iterable

import asyncpg
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from mmptf_common.storage.engines import write_engine
from mmptf_common.storage.journal import Author, begin_write


async def copy_rows(source: str, target: str, tables: Iterable[str]) -> None:
    """Bring the rows of some tables into a database where `record` was still `document`, with one write of the seed."""
    filled = await asyncpg.connect(source)
    engine = write_engine(target, size=1)
    try:
        async with AsyncSession(engine) as session, session.begin():
            await begin_write(session, Author("seed"))
            for table in tables:
                columns = [
                    name
                    for (name,) in await session.execute(
                        sa.text("SELECT column_name FROM information_schema.columns WHERE table_name = :table"),
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
