"""A service's own database: an asyncpg pool for reads, whose JSON PostgreSQL builds, and sessions for writes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from mmptf_common.process.settings import ServiceSettings
from mmptf_common.storage.failures import problem_of
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import DatabaseLost, ServiceUnavailable

# Timestamps are read from JSON and from cursors as text, so every connection is in UTC.
SERVER_SETTINGS = {"timezone": "UTC", "application_name": "mmptf"}

# Seconds that a read may take; an export sets its own.
READ_SECONDS = 30
# Seconds for a statement of a write, for its wait for other writes, and for which it may do nothing: a process that is
# stopped inside a write holds the lock of all writers.
WRITE_SECONDS, LOCK_SECONDS, IDLE_SECONDS = 60, 10, 15
# Seconds in which a connection is opened, or one of those that are open becomes free.
CONNECT_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Database:
    """Reads go through `pool` (autocommit, one statement each), writes through `sessions` (one transaction each)."""

    pool: asyncpg.Pool[Any]
    engine: AsyncEngine
    sessions: async_sessionmaker[AsyncSession]


def write_engine(url: str, *, size: int = 5) -> AsyncEngine:
    """An engine for writes, in UTC; READ COMMITTED, so that a write reads what the write before it has committed."""
    return create_async_engine(
        "postgresql+asyncpg://" + url.partition("://")[2],
        pool_size=size,
        max_overflow=0,
        pool_timeout=CONNECT_SECONDS,
        pool_pre_ping=True,
        hide_parameters=True,
        json_serializer=lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":")),
        connect_args={
            "server_settings": {
                **SERVER_SETTINGS,
                "statement_timeout": f"{WRITE_SECONDS}s",
                "lock_timeout": f"{LOCK_SECONDS}s",
                "idle_in_transaction_session_timeout": f"{IDLE_SECONDS}s",
            },
            "timeout": CONNECT_SECONDS,
            # Where the server itself has stopped, it does not end a statement.
            "command_timeout": WRITE_SECONDS + CONNECT_SECONDS,
        },
    )


@asynccontextmanager
async def open_database(settings: ServiceSettings) -> AsyncIterator[Database]:
    """The pool for reads and the sessions for writes, closed at the end.

    Raises the driver's error when the database cannot be reached.
    """
    url = settings.database_url.get_secret_value()
    engine = write_engine(url, size=max(1, settings.database_pool // 2))
    async with asyncpg.create_pool(
        url,
        min_size=1,
        max_size=settings.database_pool,
        server_settings=SERVER_SETTINGS,
        timeout=CONNECT_SECONDS,
        command_timeout=READ_SECONDS,
        max_cached_statement_lifetime=0,
    ) as pool:
        try:
            yield Database(pool, engine, async_sessionmaker(engine, expire_on_commit=False))
        finally:
            await engine.dispose()


async def driver_connection(session: AsyncSession) -> Any:
    """The driver's own connection of a session's transaction, for statements that are written for the driver."""
    return (await (await session.connection()).get_raw_connection()).driver_connection


@asynccontextmanager
async def reading(database: Database) -> AsyncIterator[Any]:
    """A read connection; raises the problem that a failure of the database is.

    When a connection is lost, the pool replaces all of its connections, so the next read gets one that works.
    """
    try:
        async with _acquired(database.pool) as connection:
            yield connection
    except Exception as error:
        problem = problem_of(error)
        if isinstance(problem, DatabaseLost):
            await database.pool.expire_connections()
        if problem:
            raise problem from error
        raise


@asynccontextmanager
async def _acquired(pool: asyncpg.Pool[Any]) -> AsyncIterator[Any]:
    try:
        connection = await pool.acquire(timeout=CONNECT_SECONDS)
    except TimeoutError as error:
        if pool.get_size() - pool.get_idle_size() >= pool.get_max_size():
            raise ServiceUnavailable(
                "Every connection of this service to its database is in use; try again.", code=ProblemCode.OVERLOADED
            ) from error
        raise ServiceUnavailable("The database of this service does not answer; try again.") from error
    try:
        yield connection
    finally:
        await pool.release(connection)
