"""A service's own database: asyncpg pools for reads, whose JSON PostgreSQL builds, and connections for writes."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import partial
from typing import Any

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from mmptf_common.process import telemetry
from mmptf_common.process.settings import ServiceSettings
from mmptf_common.storage.failures import SLOW, UNANSWERED, problem_of
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import DatabaseLost, ProblemError, ServiceUnavailable

# Seconds for a statement of a write, for its wait for other writes, and for which it may do nothing. A process that is
# stopped inside a write holds the lock of all writers; the database undoes its write before the others give up.
WRITE_SECONDS, LOCK_SECONDS, IDLE_SECONDS = 60, 10, 8
# Seconds in which a connection is opened, or one of those that are open becomes free.
CONNECT_SECONDS = 5
# Seconds after the time limit of a statement in which a server that works has ended it.
GRACE_SECONDS = 2
# Seconds in which a server that works answers the shortest question.
ANSWERS_SECONDS = 2
# Seconds for which one export may be sent: its snapshot keeps the database from removing old rows meanwhile.
EXPORT_SECONDS = 600

# Seconds without a sign from the other side after which a connection is taken for broken, and how often it is asked.
_SILENT_SECONDS, _PROBE_SECONDS, _PROBES = 30, 5, 3
# In milliseconds, as the system and the server count it.
_USER_TIMEOUT = 1000 * (_SILENT_SECONDS + _PROBE_SECONDS * _PROBES)
# In the `info` of a session: its driver's connection, where it is known.
DRIVER = "driver"
# Timestamps are read from JSON and from cursors as text, so every connection is in UTC.
SERVER_SETTINGS = {
    "timezone": "UTC",
    "application_name": "mmptf",
    # Statements of totals are estimated at more than `jit_above_cost`, and take milliseconds: each time they would be
    # compiled for longer than they run.
    "jit": "off",
    # The databases of the suite are in memory, or on disks that read any page as fast as the next one. With the default
    # of 4, tables are read in place of indexes that have all that is asked for, and are a fifth of their size.
    "random_page_cost": "1.1",
    # The server ends the statement of a caller who has left, and a connection whose other side is gone.
    "client_connection_check_interval": "5s",
    "tcp_keepalives_idle": f"{_SILENT_SECONDS}",
    "tcp_keepalives_interval": f"{_PROBE_SECONDS}",
    "tcp_keepalives_count": f"{_PROBES}",
    **({"tcp_user_timeout": f"{_USER_TIMEOUT}"} if hasattr(socket, "TCP_USER_TIMEOUT") else {}),
}


class ReadKind(Enum):
    """The kinds of reads; each has connections of its own, so that none waits for those of another kind.

    PAGE      a page of a list, a record, its history, changes, codes that are looked up
    COMPUTED  totals, facets, statements, indicators; a page of a search, or of a list as of an earlier revision
    EXPORT    all rows of a list, sent while they are read
    PROBE     whether the database answers, and what many requests wait for at once
    """

    PAGE = auto()
    COMPUTED = auto()
    EXPORT = auto()
    PROBE = auto()


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """The limits of one kind of reads.

    seconds: the most for one statement, and with GRACE_SECONDS for all of one read
    waiting: the most reads that wait for a connection, CONNECT_SECONDS each
    overloaded: what a caller is told who does not get one
    """

    seconds: float
    waiting: int
    overloaded: str


# The statements of one read and the wait for its connection together end before the gateway gives up (ANSWER_SECONDS).
READS = {
    ReadKind.PAGE: ReadLimits(10, 1000, "Every connection of this service to its database is in use; try again."),
    ReadKind.COMPUTED: ReadLimits(
        20, 100, "This service computes as many totals, facets, statements and searches as it can; try again."
    ),
    ReadKind.EXPORT: ReadLimits(EXPORT_SECONDS, 100, "This service sends as many exports as it can; try again."),
    ReadKind.PROBE: ReadLimits(5, 1000, "The database of this service does not answer; try again."),
}


def connections_of(kind: ReadKind, database_pool: int) -> int:
    """The most connections for one kind of reads; database_pool: the setting DATABASE_POOL."""
    match kind:
        case ReadKind.PAGE:
            return database_pool
        case ReadKind.PROBE:
            return 1
        case ReadKind.EXPORT:
            # One more, for what is read before an export has its place.
            return export_places(database_pool) + 1
    return max(2, database_pool // 3)


def export_places(database_pool: int) -> int:
    """The most exports that are read from the database at once; database_pool: the setting DATABASE_POOL."""
    return max(2, database_pool // 3)


@dataclass(slots=True)
class ReadPool:
    """The connections for one kind of reads.

    waiting: how many reads wait for one of them; waited: seconds for which reads have waited in all
    """

    connections: asyncpg.Pool[Any]
    limits: ReadLimits
    waiting: int = 0
    waited: float = 0.0


@dataclass(frozen=True, slots=True)
class Database:
    """Reads go through `reading` (autocommit, one statement each), writes through `writing` (one transaction each).

    autocommit: the same connections as those of `engine`, for transactions that the driver begins and ends
    """

    reads: Mapping[ReadKind, ReadPool]
    engine: AsyncEngine
    autocommit: AsyncEngine
    url: str = field(repr=False)


class _Connection(asyncpg.Connection):  # type: ignore[misc]  # the driver has no types
    """A connection that breaks where the other side is silent for too long, also while nothing is asked.

    A pool resets it only after `set_until_released`: nothing else in a read leaves a state behind, and a reset is a
    round trip, which costs as much as a short read.
    """

    __slots__ = ("_has_settings",)

    def __init__(self, protocol: Any, transport: asyncio.Transport, *further: Any) -> None:
        super().__init__(protocol, transport, *further)
        self._has_settings = False
        if telemetry.is_on():
            self.add_query_logger(_trace)
        found = transport.get_extra_info("socket")
        if found is None or found.family not in (socket.AF_INET, socket.AF_INET6):
            return
        found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        # Where one is missing, the system's own value holds.
        for name, value in {
            "TCP_KEEPIDLE": _SILENT_SECONDS,
            "TCP_KEEPINTVL": _PROBE_SECONDS,
            "TCP_KEEPCNT": _PROBES,
            "TCP_USER_TIMEOUT": _USER_TIMEOUT,
        }.items():
            if hasattr(socket, name):
                found.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)

    async def set_until_released(self, statement: str) -> None:
        """Execute a statement that changes a setting of the session, which holds until the connection is released."""
        self._has_settings = True
        await self.execute(statement)

    async def reset(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109  # as the driver has it
        if self._has_settings or self.is_in_transaction():
            await super().reset(timeout=timeout)
            self._has_settings = False


def _trace(statement: Any) -> None:
    """Send the span of a statement, as the driver calls it after each."""
    kind = statement.query.split(maxsplit=1)[0][:16]
    telemetry.call_ended("postgresql", kind, statement.elapsed, failed=statement.exception is not None)


def write_engine(url: str, *, size: int = 5, settings: Mapping[str, str] | None = None) -> AsyncEngine:
    """An engine for writes, in UTC; READ COMMITTED, so that a write reads what the write before it has committed.

    settings: of the server for its connections, by default the time limits of a write
    """
    # Where the server itself has stopped, it does not end a statement.
    most = None if settings else WRITE_SECONDS + GRACE_SECONDS
    if settings is None:
        settings = {
            "statement_timeout": f"{WRITE_SECONDS}s",
            "lock_timeout": f"{LOCK_SECONDS}s",
            "idle_in_transaction_session_timeout": f"{IDLE_SECONDS}s",
        }
    return create_async_engine(
        "postgresql+asyncpg://",
        # By the driver, which reads an address with several hosts.
        async_creator=partial(
            asyncpg.connect,
            url,
            server_settings={**SERVER_SETTINGS, **settings},
            timeout=CONNECT_SECONDS,
            command_timeout=most,
            connection_class=_Connection,
        ),
        pool_size=size,
        max_overflow=0,
        pool_timeout=CONNECT_SECONDS,
        hide_parameters=True,
        json_serializer=lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":")),
    )


@asynccontextmanager
async def open_database(settings: ServiceSettings) -> AsyncIterator[Database]:
    """The pools for reads and the connections for writes, closed at the end.

    Raises the driver's error when the database cannot be reached.
    """
    url = settings.database_url.get_secret_value()
    engine = write_engine(url, size=max(1, settings.database_pool // 2))
    async with AsyncExitStack() as stack:
        stack.push_async_callback(engine.dispose)
        reads = {
            kind: ReadPool(
                await stack.enter_async_context(
                    _pool(
                        url, limits.seconds, connections_of(kind, settings.database_pool), first=kind is ReadKind.PAGE
                    )
                ),
                limits,
            )
            for kind, limits in READS.items()
        }
        autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")
        yield Database(reads, engine, autocommit, url)


@asynccontextmanager
async def _pool(url: str, seconds: float, size: int, *, first: bool) -> AsyncIterator[asyncpg.Pool[Any]]:
    """A pool of connections whose statements take so many seconds at most; first: whether one is opened now."""
    pool = await asyncpg.create_pool(
        url,
        min_size=0,
        init_size=int(first),
        max_size=size,
        server_settings={**SERVER_SETTINGS, "statement_timeout": f"{round(1000 * seconds)}"},
        timeout=CONNECT_SECONDS,
        max_cached_statement_lifetime=0,
        connection_class=_Connection,
    )
    try:
        yield pool
    finally:
        # A server that does not answer would keep the process from ending; the pool breaks its connections then.
        with suppress(TimeoutError):
            async with asyncio.timeout(CONNECT_SECONDS):
                await pool.close()


async def connect_alone(url: str) -> Any:
    """A connection beside those of the pools, which belongs to the caller; raises the driver's error."""
    return await asyncpg.connect(
        url, server_settings=SERVER_SETTINGS, timeout=CONNECT_SECONDS, connection_class=_Connection
    )


async def driver_connection(session: AsyncSession) -> Any:
    """The driver's own connection of a session's transaction, for statements that are written for the driver."""
    if driver := session.info.get(DRIVER):
        return driver
    return (await (await session.connection()).get_raw_connection()).driver_connection


@asynccontextmanager
async def reading(database: Database, kind: ReadKind) -> AsyncIterator[Any]:
    """A connection for one read; raises the problem that a failure of the database is.

    When a connection is lost, the pools replace all of their connections, so the next read gets one that works. When
    the time of the read is over, or its caller leaves, its connection is broken: a server that does not answer could
    not be asked to end the statement.
    """
    pool = database.reads[kind]
    is_over = False

    def end() -> None:
        nonlocal is_over
        is_over = True
        break_connection(connection)

    try:
        connection = await _acquire(pool)
        timer = asyncio.get_running_loop().call_later(pool.limits.seconds + GRACE_SECONDS, end)
        try:
            yield connection
        except (TimeoutError, asyncio.CancelledError):
            break_connection(connection)
            raise
        finally:
            timer.cancel()
            await pool.connections.release(connection, timeout=GRACE_SECONDS)
    except ProblemError:
        raise
    except Exception as error:
        if is_over or isinstance(error, TimeoutError):
            answers = kind is not ReadKind.PROBE and await answers_now(database)
            raise (SLOW if answers else UNANSWERED).to_problem() from error
        problem = problem_of(error)
        if isinstance(problem, DatabaseLost):
            for each in database.reads.values():
                await each.connections.expire_connections()
        if problem:
            raise problem from error
        raise


def break_connection(connection: Any) -> None:
    """Break a connection of a pool at once, unless it is broken already."""
    with suppress(asyncpg.InterfaceError):
        connection.terminate()


async def answers_now(database: Database) -> bool:
    """Whether the database answers within ANSWERS_SECONDS."""
    try:
        async with asyncio.timeout(ANSWERS_SECONDS), reading(database, ReadKind.PROBE) as connection:
            await connection.fetchval("SELECT 1")
    except (ProblemError, TimeoutError):
        return False
    return True


async def _acquire(pool: ReadPool) -> Any:
    connections = pool.connections
    if pool.waiting >= pool.limits.waiting:
        raise _overloaded(pool)
    pool.waiting += 1
    began = time.monotonic()
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            return await connections.acquire()
    except TimeoutError as error:
        if connections.get_size() - connections.get_idle_size() >= connections.get_max_size():
            raise _overloaded(pool) from error
        raise UNANSWERED.to_problem() from error
    finally:
        pool.waiting -= 1
        pool.waited += time.monotonic() - began


def _overloaded(pool: ReadPool) -> ServiceUnavailable:
    return ServiceUnavailable(pool.limits.overloaded, code=ProblemCode.OVERLOADED)
