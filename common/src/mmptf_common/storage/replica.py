"""Reads from a replica of the database, as long as it has everything that the database has when they begin."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any, NamedTuple

import asyncpg
import sqlalchemy as sa

from mmptf_common.process.settings import ServiceSettings
from mmptf_common.process.tasks import end_task
from mmptf_common.storage.connections import Connector
from mmptf_common.storage.engines import (
    ANSWERS_SECONDS,
    GRACE_SECONDS,
    READS,
    Database,
    ReadKind,
    ReadPool,
    break_connection,
    connections_of,
    open_pool,
)
from mmptf_common.storage.journal import DRAFT_JOURNAL, PUBLIC_JOURNAL, REVISION
from mmptf_common.storage.shared_results import SharedQuery
from mmptf_common.wire.pages import ReplicaState
from mmptf_common.wire.problems import ProblemError

log = logging.getLogger(__name__)

# Seconds in which the replica gives a connection to a read, and says what it has; beyond, the database itself is read.
REPLICA_SECONDS = 0.5
# Seconds between two comparisons with the database beside the reads, and for which a replica may lack something before
# reads do not ask it any more.
COMPARE_SECONDS, BEHIND_SECONDS = 1.0, 2.0
_NEWEST = f"(SELECT coalesce(max(number), 0) FROM {PUBLIC_JOURNAL.revision})"


class Position(NamedTuple):
    """What the database has: the end of its log, the last writes of its journals, and the number of the last revision.

    end: None where the database is a replica itself
    """

    end: str | None
    writes: str
    number: int


class Replica:
    """A replica that answers a read only where it has replayed all that the database had when the read began.

    That covers every write that any caller can have seen, through whichever process. The last writes have to be the
    same ones, too: a replica of a former primary may have others at the same place of its log.
    """

    def __init__(self, database: Database, pools: Mapping[ReadKind, ReadPool], *, has_drafts: bool) -> None:
        """has_drafts: whether the database has a journal of drafts"""
        writes = f"{REVISION} || ' ' || {DRAFT_JOURNAL.newest()}" if has_drafts else REVISION
        # What a session does not wait for is not written to the disk when others see it.
        self._of_database = (
            "SELECT CASE WHEN pg_is_in_recovery() THEN NULL WHEN current_setting('synchronous_commit') = 'off'"
            " THEN pg_current_wal_insert_lsn() ELSE pg_current_wal_flush_lsn() END::text,"
            f" {writes}, {_NEWEST}"
        )
        self._of_replica = (
            "SELECT pg_is_in_recovery(), pg_backend_pid() = $1,"
            f" coalesce(pg_last_wal_replay_lsn() >= $2::text::pg_lsn, false) AND {writes} = $3, {_NEWEST}"
        )
        self._pools = pools
        self._position = SharedQuery(database, self._read_position)
        self._flush = SharedQuery(database, _end_a_transaction)
        self._reason: str | None = "The replica was not compared yet."
        self._behind = 0
        self._complete_at = 0.0

    def state(self) -> ReplicaState:
        """Whether reads go to the replica, and why not."""
        if self._reason:
            return ReplicaState(state="unavailable", reason=self._reason, behind=None)
        if self._is_behind():
            return ReplicaState(state="behind", reason=None, behind=self._behind)
        return ReplicaState(state="working", reason=None, behind=self._behind)

    async def acquire(self, kind: ReadKind) -> tuple[ReadPool, Any] | None:
        """A connection to the replica, and its pool; None where the database itself has to be read.

        Raises ServiceUnavailable where the database cannot be reached: nobody knows then what the replica lacks.
        """
        pool = self._pools.get(kind)
        if pool is None or self._reason or self._is_behind():
            return None
        connections = pool.connections
        if connections.get_size() - connections.get_idle_size() >= connections.get_max_size():
            return None
        position = await self._position.result()
        try:
            async with asyncio.timeout(REPLICA_SECONDS):
                connection = await connections.acquire()
        except Exception as error:
            self.lost(error)
            return None
        try:
            async with asyncio.timeout(REPLICA_SECONDS):
                if await self._is_complete(connection, position):
                    return pool, connection
        except Exception as error:
            break_connection(connection)
            self.lost(error)
        except BaseException:
            break_connection(connection)
            await connections.release(connection)
            raise
        await connections.release(connection, timeout=GRACE_SECONDS)
        return None

    def lost(self, error: BaseException) -> None:
        """Read from the database until the replica has been compared with it again."""
        self._fail(_reason_of(error), error)

    async def watch(self) -> None:
        """Compare the replica with the database from time to time, until cancelled."""
        pool = self._pools[ReadKind.PROBE]
        while True:
            try:
                position = await self._position.result()
                async with asyncio.timeout(ANSWERS_SECONDS), pool.connections.acquire() as connection:
                    is_complete = await self._is_complete(connection, position)
                if not is_complete and not self._reason:
                    await self._flush.result()
            except ProblemError:
                # Of the database, as every read tells.
                pass
            except Exception as error:
                for each in self._pools.values():
                    await each.connections.expire_connections()
                self.lost(error)
            await asyncio.sleep(COMPARE_SECONDS)

    async def _is_complete(self, connection: Any, position: Position) -> bool:
        """Whether a replica has everything at a position of the database; notes what it lacks."""
        row = await connection.fetchrow(self._of_replica, connection.get_server_pid(), position.end, position.writes)
        is_replica, is_own, has_all, number = row
        if position.end is None or not is_replica:
            self._fail("It is no streaming replica of the database.")
            return False
        if not is_own:
            self._fail("A pooler is in between: DATABASE_READ_URL has to be the address of the replica itself.")
            return False
        self._behind = max(0, position.number - number)
        if has_all:
            self._behind, self._complete_at = 0, time.monotonic()
        if self._reason:
            log.info("the replica answers reads")
            self._reason = None
        return bool(has_all)

    def _is_behind(self) -> bool:
        return time.monotonic() - self._complete_at > BEHIND_SECONDS

    def _fail(self, reason: str, error: BaseException | None = None) -> None:
        if self._reason != reason:
            log.warning("the replica is not read", extra={"reason": reason, "cause": repr(error) if error else None})
        self._reason = reason

    async def _read_position(self, connection: Any) -> Position:
        return Position(*await connection.fetchrow(self._of_database))


async def _end_a_transaction(connection: Any) -> None:
    """Have the server write the rest of its log to the disk, and so to the replica.

    A part of it that no transaction waits for, such as of what reads have noted in a page, may end within a record,
    which the replica would go on lacking until the next write.
    """
    await connection.fetchval("SELECT pg_current_xact_id()")


def _reason_of(error: BaseException) -> str:
    """Why a replica is not read, for people."""
    state = getattr(error, "sqlstate", None) or ""
    if isinstance(error, TimeoutError):
        return "The replica does not answer in time."
    if state.startswith(("28", "3D", "42")):
        return "The replica refuses the role, its password or the database."
    if state == "57P03":
        return "The replica is starting or recovering, or takes no connections as a replica."
    if state.startswith("40"):
        return "The replica has ended a read that was in the way of its recovery."
    return "The replica cannot be reached, or broke a connection."


@asynccontextmanager
async def reading_from_replica(
    database: Database, settings: ServiceSettings, metadata: sa.MetaData
) -> AsyncIterator[None]:
    """Let reads of the database go to the replica of the settings, if there is one, until the end of the context."""
    if settings.database_read_url is None:
        yield
        return
    url = settings.database_read_url.get_secret_value()
    async with AsyncExitStack() as stack:
        pools = {
            kind: ReadPool(
                await stack.enter_async_context(
                    open_pool(
                        Connector(url, {"statement_timeout": f"{round(1000 * limits.seconds)}"}, is_replica=True),
                        connections_of(kind, settings.database_pool),
                    )
                ),
                limits,
            )
            for kind, limits in READS.items()
        }
        has_drafts = any(table.info.get("journal") is DRAFT_JOURNAL for table in metadata.tables.values())
        replica = Replica(database, pools, has_drafts=has_drafts)
        watching = asyncio.create_task(replica.watch())
        database.replica = replica
        try:
            yield
        finally:
            database.replica = None
            with suppress(asyncpg.InterfaceError):
                await end_task(watching)
