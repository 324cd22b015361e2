"""Writes for tests that need other data than the packaged ones."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from mmptf_common.storage.engines import write_engine
from mmptf_common.storage.journal import Author, begin_write


async def write_sql(database_url: str, *statements: str) -> None:
    """Carry out statements as one write, which is journalled."""
    engine = write_engine(database_url, size=1)
    async with AsyncSession(engine) as session, session.begin():
        await begin_write(session, Author("test"), "a test")
        for statement in statements:
            await session.execute(sa.text(statement))
    await engine.dispose()
