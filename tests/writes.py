"""Writes for tests that need other data than the packaged ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from mmptf_common.storage.engines import write_engine
from mmptf_common.storage.journal import Author, begin_write
from tests.conftest import RunningApp


async def write_sql(database_url: str, *statements: str) -> None:
    """Carry out statements as one write, which is journalled."""
    engine = write_engine(database_url, size=1)
    async with AsyncSession(engine) as session, session.begin():
        await begin_write(session, Author("test"), "a test")
        for statement in statements:
            await session.execute(sa.text(statement))
    await engine.dispose()


@contextmanager
def statements_of(running: RunningApp) -> Iterator[list[str]]:
    """The statements of a service's writes that are executed within the block."""
    executed: list[str] = []
    engine = running.app.state.database.sessions.kw["bind"].sync_engine

    def note(connection: object, cursor: object, statement: str, *rest: object) -> None:
        executed.append(statement)

    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        yield executed
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)
