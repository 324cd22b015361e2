"""The transaction of a write: ended in bounded time, also where the database does not answer."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from mmptf_common.storage.connections import CONNECT_SECONDS
from mmptf_common.storage.engines import (
    ANSWERS_SECONDS,
    DRIVER,
    GRACE_SECONDS,
    LOCK_SECONDS,
    WRITE_SECONDS,
    Database,
    ReadKind,
    answers_now,
    reading,
)
from mmptf_common.storage.failures import BROKEN, BUSY, SLOW, UNANSWERED, Failure, failure_of
from mmptf_common.storage.journal import JOURNAL_LOCK
from mmptf_common.wire.problems import DatabaseLost, ProblemError

# Seconds after which, and then at which intervals, a write that still runs finds out whether the database answers.
WATCH_SECONDS, WATCH_AGAIN_SECONDS = LOCK_SECONDS + GRACE_SECONDS, 5
_UNKNOWN = UNANSWERED._replace(
    detail="The database of this service does not answer, and whether the write was carried out is not known; send it"
    " again with the same Idempotency-Key."
)
_STOPPED = BUSY._replace(
    detail="The process of another write has stopped inside it, and the database undoes that write in a few seconds;"
    " try again."
)
# The state of the session that holds the lock of writers.
_HOLDER = """
    SELECT activity.state FROM pg_locks AS held JOIN pg_stat_activity AS activity USING (pid)
     WHERE held.locktype = 'advisory' AND held.granted AND held.mode = 'ExclusiveLock'
       AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND (held.classid::bigint << 32) + held.objid::bigint = $1"""


@asynccontextmanager
async def writing(
    database: Database, *, connection: AsyncConnection | None = None, is_long: bool = False
) -> AsyncIterator[AsyncSession]:
    """A session in a transaction that is committed at the end; raises the problem that a failure of the database is.

    A write that takes more than WRITE_SECONDS, or whose database does not answer any more, ends with its connection.
    connection: of the caller, in autocommit, over which the session writes; by default one of those for writes
    is_long: whether each statement may take WRITE_SECONDS, and all of them any time, where no request waits for them
    """
    own: AsyncConnection | None = None
    session: WriteSession | None = None
    watch: _Watch | None = None
    committing = False
    try:
        async with asyncio.timeout(CONNECT_SECONDS + GRACE_SECONDS):
            if connection is None:
                connection = own = await _begun(database)
            else:
                await _begin(connection)
        session = WriteSession(connection, _driver_of(connection))
        watch = _Watch(database, session.driver, None if is_long else WRITE_SECONDS)
        yield session
        committing = True
        await session.commit()
    except BaseException as error:
        if isinstance(error, asyncio.CancelledError | TimeoutError) and watch:
            watch.driver.terminate()
        with suppress(SQLAlchemyError, OSError, TimeoutError, asyncpg.PostgresError, *BROKEN):
            if session:
                await session.rollback()
        if isinstance(error, ProblemError) or not isinstance(error, Exception):
            raise
        if watch and watch.ended:
            failure = _UNKNOWN if committing and watch.ended is UNANSWERED else watch.ended
            raise failure.to_problem() from error
        found = failure_of(error)
        if found is BUSY and await _holder_has_stopped(database):
            found = _STOPPED
        if found:
            raise found.to_problem() from error
        raise
    finally:
        if watch:
            watch.stop()
        with suppress(SQLAlchemyError, OSError, TimeoutError):
            if session:
                if _is_in_transaction(session.driver):
                    # It could not be rolled back.
                    session.driver.terminate()
                if session.in_transaction():
                    await session.close()
                if own:
                    await _give_back(own, session.driver)


class WriteSession(AsyncSession):
    """A session over a connection in autocommit, whose transaction the driver begins and ends.

    That of SQLAlchemy takes five times as long.
    """

    def __init__(self, connection: AsyncConnection, driver: Any) -> None:
        super().__init__(connection, expire_on_commit=False, info={DRIVER: driver})
        self.driver = driver
        self._was_rolled_back = False

    async def commit(self) -> None:
        """Commit what was written; nothing where it was rolled back."""
        if self._was_rolled_back:
            return
        if self.new or self.dirty or self.deleted:
            await self.flush()
        await self.driver.execute("COMMIT")

    async def rollback(self) -> None:
        self._was_rolled_back = True
        if self.in_transaction():
            await super().rollback()
        if _is_in_transaction(self.driver):
            await self.driver.execute("ROLLBACK")


def _is_in_transaction(driver: Any) -> bool:
    return not driver.is_closed() and driver.is_in_transaction()


async def _begun(database: Database) -> AsyncConnection:
    """A connection of those for writes, with a transaction; one that was lost while nothing was asked is replaced."""
    try:
        return await _connected(database)
    except Exception as error:
        found = failure_of(error)
        if found is None or found.problem is not DatabaseLost:
            raise
    # The others are lost, too, as when the server has ended.
    await database.engine.dispose()
    return await _connected(database)


async def _connected(database: Database) -> AsyncConnection:
    connection = await database.autocommit.connect()
    driver = _driver_of(connection)
    try:
        await _begin(connection)
    except BaseException:
        with suppress(SQLAlchemyError, OSError, TimeoutError):
            await _give_back(connection, driver)
        raise
    return connection


async def _begin(connection: AsyncConnection) -> None:
    """Begin the transaction of a connection, which is broken where that fails."""
    driver = _driver_of(connection)
    try:
        await driver.execute(f"BEGIN; {driver.local_settings}" if driver.local_settings else "BEGIN")
    except BaseException:
        driver.terminate()
        raise


async def _give_back(connection: AsyncConnection, driver: Any) -> None:
    """Return a connection to its pool, or leave it out of it where it is broken."""
    if driver.is_closed() and not connection.invalidated:
        await connection.invalidate()
    await connection.close()


def _driver_of(connection: AsyncConnection) -> Any:
    assert connection.sync_connection
    return connection.sync_connection.connection.driver_connection


class _Watch:
    """Breaks the connection of a write that takes too long, or whose database does not answer.

    seconds: the most for all of the write, or None
    ended: why it was broken; None while it was not
    """

    def __init__(self, database: Database, driver: Any, seconds: float | None) -> None:
        self.driver = driver
        self.ended: Failure | None = None
        self._database = database
        self._loop = asyncio.get_running_loop()
        self._until = math.inf if seconds is None else self._loop.time() + seconds
        self._asking: asyncio.Task[None] | None = None
        self._timer = self._loop.call_later(WATCH_SECONDS, self._ask)

    def stop(self) -> None:
        self._timer.cancel()
        if self._asking:
            self._asking.cancel()

    def _ask(self) -> None:
        self._asking = asyncio.create_task(self._look())

    async def _look(self) -> None:
        if await self._is_unanswered():
            self.ended = UNANSWERED
        elif self._loop.time() >= self._until:
            self.ended = SLOW
        else:
            self._timer = self._loop.call_later(WATCH_AGAIN_SECONDS, self._ask)
            return
        self.driver.terminate()

    async def _is_unanswered(self) -> bool:
        """Whether the database answers neither of two questions during which this process did not stand still itself.

        A command that reads a file does so for seconds, and then finds its question late, whatever has been answered.
        """
        unanswered = 0
        while unanswered < 2:
            began = self._loop.time()
            if await answers_now(self._database):
                return False
            unanswered += self._loop.time() - began < ANSWERS_SECONDS + GRACE_SECONDS
        return True


async def _holder_has_stopped(database: Database) -> bool:
    """Whether the session that holds the lock of writers does nothing."""
    try:
        async with reading(database, ReadKind.PROBE) as connection:
            state: str | None = await connection.fetchval(_HOLDER, JOURNAL_LOCK)
    except ProblemError:
        return False
    return state is not None and state.startswith("idle in transaction")
