"""The number of the last change, of which the database notifies this process, for as long as somebody waits for one."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import Context
from typing import Any

import asyncpg

from mmptf_common.storage.connections import CONNECT_SECONDS
from mmptf_common.storage.engines import Database, ReadKind, connect_alone, reading
from mmptf_common.storage.journal import CHANNEL
from mmptf_common.wire.problems import ProblemError

log = logging.getLogger(__name__)

# Seconds in which the database notifies of a write, and between two proofs that it does.
NOTIFIED_SECONDS, PROOF_SECONDS = 2.0, 60.0
# Seconds after a failure until the next attempt: at first, and doubled after each further one, at most.
FIRST_PAUSE, LAST_PAUSE = 2.0, 60.0
# Seconds for which the connection is kept after the last one who waited.
KEPT_SECONDS = 60.0


class NewestChange:
    """The number of the last change, which `begin_write` makes the database notify of when a write is committed.

    Whether notifications arrive is proved at first, and then once a minute, by one over another connection: a proxy
    that gives each transaction any connection passes none on. Without them the number is not known.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting = 0
        self._last_waited = 0.0
        self._task: asyncio.Task[None] | None = None
        self._proof: str | None = None
        self._is_proved = asyncio.Event()
        self._is_due = asyncio.Event()
        self._moved = asyncio.Event()
        self.known: int | None = None

    @contextmanager
    def needed(self) -> Iterator[None]:
        """Let the number be known soon, until the end of the context."""
        self._waiting += 1
        if self._task is None or self._task.done():
            # Without the context of the request: it is one for many.
            self._task = asyncio.create_task(self._run(), context=Context())
        try:
            yield
        finally:
            self._waiting -= 1
            self._last_waited = time.monotonic()

    async def moved(self, seconds: float) -> None:
        """Return when the number has become known, or another one, or unknown, or when the seconds are over."""
        waiter = asyncio.ensure_future(self._moved.wait())
        await asyncio.wait({waiter}, timeout=seconds)
        waiter.cancel()

    async def close(self) -> None:
        """End listening."""
        if self._task:
            self._task.cancel()
            await asyncio.wait({self._task})

    def _set(self, number: int | None) -> None:
        if number != self.known:
            self.known = number
            self._moved.set()
            self._moved = asyncio.Event()

    async def _run(self) -> None:
        pause = FIRST_PAUSE
        try:
            while self._is_needed():
                try:
                    await self._listen()
                except (ProblemError, OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                    # Those who wait ask the database themselves meanwhile, and answer what its failure is.
                    log.debug("the database does not notify of writes", extra={"cause": repr(error)})
                # A standby notifies nobody, and a pooler may not: that does not change soon.
                pause = FIRST_PAUSE if self.known is not None else min(2 * pause, LAST_PAUSE)
                self._set(None)
                await asyncio.sleep(pause)
        finally:
            self._set(None)

    def _is_needed(self) -> bool:
        return self._waiting > 0 or time.monotonic() - self._last_waited < KEPT_SECONDS

    async def _listen(self) -> None:
        """Keep the number up to date while it is needed; raises TimeoutError where no notification arrives."""
        connection = await connect_alone(self._database.session_url)
        is_lost = asyncio.Event()

        def lost(_: Any) -> None:
            is_lost.set()
            self._is_due.set()

        try:
            connection.add_termination_listener(lost)
            async with asyncio.timeout(CONNECT_SECONDS):
                await connection.add_listener(CHANNEL, self._notified)
            proved = -PROOF_SECONDS
            while self._is_needed():
                self._is_due.clear()
                is_proof = time.monotonic() - proved >= PROOF_SECONDS
                newest = await self._read(proves=is_proof)
                if is_proof:
                    async with asyncio.timeout(NOTIFIED_SECONDS):
                        await self._is_proved.wait()
                    proved = time.monotonic()
                self._set(newest)
                is_due = asyncio.ensure_future(self._is_due.wait())
                await asyncio.wait({is_due}, timeout=max(0.0, proved + PROOF_SECONDS - time.monotonic()))
                is_due.cancel()
                if is_lost.is_set():
                    return
        finally:
            connection.terminate()

    def _notified(self, connection: Any, pid: int, channel: str, text: str) -> None:
        if text == "":
            self._is_due.set()
        elif text == self._proof:
            self._is_proved.set()

    async def _read(self, *, proves: bool) -> int:
        """The number of the last change, read after it was asked for; proves: whether it notifies of that, too."""
        self._is_proved.clear()
        self._proof = secrets.token_hex(8)
        if proves:
            # Behind a pooler, the transaction of a read is rolled back, and notifies nobody.
            other = await connect_alone(self._database.session_url)
            try:
                await other.execute("SELECT pg_notify($1, $2)", CHANNEL, self._proof)
            finally:
                other.terminate()
        async with reading(self._database, ReadKind.PROBE) as connection:
            return int(await connection.fetchval("SELECT coalesce(max(seq), 0) FROM change"))
