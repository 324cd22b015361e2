"""A service's own database: an asyncpg pool for reads, whose JSON PostgreSQL builds, and sessions for writes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from mmptf_common.process.settings import ServiceSettings
from mmptf_common.wire.problems import ServiceUnavailable

# Timestamps are read from JSON and from cursors as text, so every connection is in UTC.
SERVER_SETTINGS = {"timezone": "UTC", "application_name": "mmptf"}

# A connection is lost, and the others of the pool probably too: the database has stopped or restarted.
LOST = (
    ConnectionError,
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InterfaceError,
    # Raised between the server's last message, which ends the connection, and the end itself.
    asyncpg.InternalClientError,
)
UNREACHABLE = (
    *LOST,
    OSError,
    asyncio.TimeoutError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    InterfaceError,
    OperationalError,
    PoolTimeout,
)


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
        pool_timeout=5,
        pool_pre_ping=True,
        hide_parameters=True,
        json_serializer=lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":")),
        connect_args={"server_settings": SERVER_SETTINGS},
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
        timeout=5,
        command_timeout=30,
        max_cached_statement_lifetime=0,
    ) as pool:
        try:
            yield Database(pool, engine, async_sessionmaker(engine, expire_on_commit=False))
        finally:
            await engine.dispose()


def unavailable(error: BaseException) -> ServiceUnavailable | None:
    """The 503 for an error of a database that cannot be reached; None for any other error."""
    if isinstance(error, UNREACHABLE) or (isinstance(error, DBAPIError) and error.connection_invalidated):
        return ServiceUnavailable("The database of this service cannot be reached; try again.")
    return None


async def driver_connection(session: AsyncSession) -> Any:
    """The driver's own connection of a session's transaction, for statements that are written for the driver."""
    return (await (await session.connection()).get_raw_connection()).driver_connection


@asynccontextmanager
async def reading(database: Database) -> AsyncIterator[Any]:
    """A read connection; raises ServiceUnavailable when the database cannot be reached.

    When a connection is lost, the pool replaces all of its connections, so the next read gets one that works.
    """
    try:
        async with database.pool.acquire(timeout=5) as connection:
            yield connection
    except Exception as error:
        if isinstance(error, LOST):
            await database.pool.expire_connections()
        if problem := unavailable(error):
            raise problem from error
        raise
