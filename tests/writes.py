"""Writes for tests that need other data than the packaged ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from mmptf_common.process.context import current
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


async def write_organizations(database_url: str, number: int) -> None:
    """Write so many organizations into a catalogue as one write; each has a name of some 350 characters."""
    await write_sql(
        database_url,
        f"""
        INSERT INTO organization (code, name, updated, record)
        SELECT 'ORG-' || n, 'Organization ' || n || repeat(' with a long name', 20), now(), json_build_object(
            'code', 'ORG-' || n, 'name', 'Organization ' || n || repeat(' with a long name', 20),
            'kind', 'un_organization', 'sources', json_build_array(), 'updated', '2024-01-01T00:00:00Z')
        FROM generate_series(1, {number}) AS n""",
    )


@contextmanager
def statements_of(running: RunningApp) -> Iterator[list[str]]:
    """The statements of a service's requests that are executed within the block, by SQLAlchemy or the driver.

    What a service does beside its requests, such as announcing its revision, has no context of one.
    """
    executed: list[str] = []
    engine = running.app.state.database.engine.sync_engine
    execute, execute_text = asyncpg.Connection._execute, asyncpg.Connection.execute

    def note(connection: object, cursor: object, statement: str, *rest: object) -> None:
        executed.append(statement)

    async def recorded(self: Any, query: str, *others: Any, **named: Any) -> Any:
        if current.get():
            executed.append(query)
        return await execute(self, query, *others, **named)

    async def recorded_text(self: Any, query: str, *values: Any, **named: Any) -> Any:
        if not values and current.get():
            executed.append(query)
        return await execute_text(self, query, *values, **named)

    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(asyncpg.Connection, "_execute", recorded)
            patch.setattr(asyncpg.Connection, "execute", recorded_text)
            yield executed
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)
