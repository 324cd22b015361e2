"""A service's own database: asyncpg pools for reads, whose JSON PostgreSQL builds, and connections for writes."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Protocol

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from mmptf_common.process.settings import ServiceSettings
from mmptf_common.storage.connections import CONNECT_SECONDS, Connector
from mmptf_common.storage.failures import LOST, SLOW, UNANSWERED, failure_of, problem_of
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import DatabaseLost, ProblemError, ServiceUnavailable

# Seconds for a statement of a write, for its wait for other writes, and for which it may do nothing. A process that is
# stopped inside a write holds the lock of all writers; the database undoes its write before the others give up.
WRITE_SECONDS, LOCK_SECONDS, IDLE_SECONDS = 60, 10, 8
# Seconds after the time limit of a statement in which a server that works has ended it.
GRACE_SECONDS = 2
# Seconds in which a server that works answers the shortest question.
ANSWERS_SECONDS = 2
# Seconds for which one export may be sent: its snapshot keeps the database from removing old rows meanwhile.
EXPORT_SECONDS = 600

# In the `info` of a session: its driver's connection, where it is known.
DRIVER = "driver"


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


class ReadReplica(Protocol):
    """A replica of the database that reads may go to, as `storage/replica.py` has it."""

    async def acquire(self, kind: ReadKind) -> tuple[ReadPool, Any] | None:
        """A connection for a read, and its pool; None where the database itself has to be read."""

    def lost(self, error: BaseException) -> None:
        """Take note that the replica has failed in a read."""


@dataclass(slots=True)
class Database:
    """Reads go through `reading` (autocommit, one statement each), writes through `writing` (one transaction each).

    autocommit: the same connections as those of `engine`, for transactions that the driver begins and ends
    session_url: for a connection of its own whose session has a state: locks, temporary tables, settings
    replica: where reads go, but for those of PROBE, as long as it has all that the database has
    """

    reads: Mapping[ReadKind, ReadPool]
    engine: AsyncEngine
    autocommit: AsyncEngine
    session_url: str = field(repr=False)
    replica: ReadReplica | None = None


def write_engine(
    url: str, *, size: int = 5, settings: Mapping[str, str] | None = None, is_pooled: bool = False
) -> AsyncEngine:
    """An engine for writes, in UTC; READ COMMITTED, so that a write reads what the write before it has committed.

    settings: of the server for its connections, by default the time limits of a write
    is_pooled: whether the URL leads to a pooler; a transaction has the settings then where it begins as `writing` does
    """
    # Where the server itself has stopped, it does not end a statement.
    most = None if settings else WRITE_SECONDS + GRACE_SECONDS
    if settings is None:
        settings = {
            "statement_timeout": f"{WRITE_SECONDS}s",
            "lock_timeout": f"{LOCK_SECONDS}s",
            "idle_in_transaction_session_timeout": f"{IDLE_SECONDS}s",
        }
    connector = Connector(url, settings, command_timeout=most, is_pooled=is_pooled)

    def create() -> Any:
        # As the engine does with `async_creator`, which takes no size of the cache.
        cached = 0 if is_pooled else 100
        return engine.dialect.dbapi.connect(  # type: ignore[union-attr]  # the dialect has one
            async_creator_fn=connector.open, prepared_statement_cache_size=cached
        )

    engine = create_async_engine(
        "postgresql+asyncpg://",
        creator=create,
        pool_size=size,
        max_overflow=0,
        pool_timeout=CONNECT_SECONDS,
        hide_parameters=True,
        json_serializer=lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":")),
    )
    return engine


@asynccontextmanager
async def open_database(settings: ServiceSettings) -> AsyncIterator[Database]:
    """The pools for reads and the connections for writes, closed at the end.

    Raises the driver's error when the database cannot be reached.
    """
    url, is_pooled = settings.database_url.get_secret_value(), settings.is_pooled
    engine = write_engine(url, size=max(1, settings.database_pool // 2), is_pooled=is_pooled)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(engine.dispose)
        reads = {
            kind: ReadPool(
                await stack.enter_async_context(
                    open_pool(
                        Connector(url, {"statement_timeout": f"{round(1000 * limits.seconds)}"}, is_pooled=is_pooled),
                        connections_of(kind, settings.database_pool),
                        first=kind is ReadKind.PAGE,
                    )
                ),
                limits,
            )
            for kind, limits in READS.items()
        }
        autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")
        yield Database(reads, engine, autocommit, settings.session_url)


@asynccontextmanager
async def open_pool(connector: Connector, size: int, *, first: bool = False) -> AsyncIterator[asyncpg.Pool[Any]]:
    """A pool of so many connections at most; first: whether one is opened now."""
    pool = await asyncpg.create_pool(
        connect=connector.open,
        connection_class=connector.connection_class,
        min_size=0,
        init_size=int(first),
        max_size=size,
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
    return await Connector(url, {}).open()


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
    pool, replica = database.reads[kind], None if kind is ReadKind.PROBE else database.replica
    taken: tuple[ReadPool, Any] | None = None
    is_over = False

    def end() -> None:
        nonlocal is_over
        is_over = True
        break_connection(connection)

    try:
        taken = await replica.acquire(kind) if replica else None
        pool, connection = taken or (pool, await _acquire(pool))
        timer = asyncio.get_running_loop().call_later(pool.limits.seconds + GRACE_SECONDS, end)
        transaction = None
        try:
            if connection.local_settings:
                # With one snapshot, of which one of a single revision within it is a part.
                begun = connection.transaction(isolation="repeatable_read", readonly=True)
                await begun.start()
                transaction = begun
                await connection.execute(connection.local_settings)
            yield connection
        except (TimeoutError, asyncio.CancelledError):
            break_connection(connection)
            raise
        finally:
            try:
                if transaction and not connection.is_closed():
                    await transaction.rollback()
            finally:
                timer.cancel()
                await pool.connections.release(connection, timeout=GRACE_SECONDS)
    except ProblemError:
        raise
    except Exception as error:
        if replica and taken and (failure := failure_of(error)) and failure is not SLOW:
            replica.lost(error)
            # A read that has lost its connection is repeated, now at the database itself.
            raise (UNANSWERED if is_over else LOST).to_problem() from error
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
