"""Announcing the revision of a service's data: at each write, and several times a second while somebody reads."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from contextvars import Context
from typing import Any

from mmptf_common.process.failure_log import report
from mmptf_common.process.tasks import end_task
from mmptf_common.storage.cache import Cache
from mmptf_common.storage.engines import Database
from mmptf_common.storage.journal import REVISION
from mmptf_common.storage.shared_results import SharedQuery
from mmptf_common.wire.announcements import ASK_SECONDS, BEAT_SECONDS, Announcement, channel_of
from mmptf_common.wire.problems import ProblemError

# Seconds for which the answer of a write waits for the revision that it states.
WRITE_WAITS_SECONDS = 0.25
# Seconds since the last public read of this process after which nothing is announced but writes. A gateway that uses
# what it keeps asks more often (`ASK_SECONDS` of the wire).
QUIET_SECONDS = 2 * ASK_SECONDS


class Announcer:
    """The revision that this process last read, and its announcements.

    The revision is read again at each beat, so that writes of other processes are announced, too, and one whose process
    is killed between its commit and its announcement. Where nobody reads, nothing is kept, and there are no beats.
    """

    def __init__(self, database: Database, cache: Cache, service: str, build: str) -> None:
        self._cache = cache
        self._service = service
        self._build = build
        self._instance = secrets.token_hex(8)
        self._newest: Announcement | None = None
        self._query = SharedQuery(database, self._read)
        self._is_due = asyncio.Event()
        self._has_read = self._is_quiet = False
        self._last_read = time.monotonic()

    @property
    def revision(self) -> int | None:
        """A revision that every read which begins now contains; None where none is announced."""
        return self._newest.number if self._newest else None

    def note_read(self) -> None:
        """Announce the revision for a while, since an answer that may be kept under it was asked for."""
        self._last_read = time.monotonic()
        if self._is_quiet:
            self._is_quiet = False
            self._is_due.set()

    async def after_write(self) -> int | None:
        """The revision of the data with a write that is committed, which is announced now.

        None where none is announced, and where it cannot be read soon.
        """
        if not self._cache.takes_messages:
            return None
        # Without the context of the request: the query is one for many.
        reading = asyncio.create_task(self._query.result(), context=Context())
        reading.add_done_callback(_take_note)
        await asyncio.wait({reading}, timeout=WRITE_WAITS_SECONDS)
        if not reading.done() or reading.exception():
            return None
        self._has_read = True
        self._is_due.set()
        return reading.result().number

    async def announce(self) -> None:
        """Announce the revision until cancelled."""
        channel = channel_of(self._service, self._cache.database)
        while True:
            try:
                # A write has read it a moment ago.
                is_read, self._has_read = self._has_read, False
                self._is_due.clear()
                if self._cache.takes_messages:
                    if not is_read or self._newest is None:
                        await self._query.result()
                    if self._newest:
                        await self._cache.publish(channel, self._newest.text())
                else:
                    self._newest = None
            except ProblemError:
                # The database does not answer, as the reads tell; what is not announced is not kept.
                self._newest = None
            except Exception as error:
                report("announcements", "the revision is not announced", error)
            self._is_quiet = time.monotonic() - self._last_read > QUIET_SECONDS
            with suppress(TimeoutError):
                async with asyncio.timeout(None if self._is_quiet else BEAT_SECONDS):
                    await self._is_due.wait()

    async def _read(self, connection: Any) -> Announcement:
        number, _, moment = (await connection.fetchval(f"SELECT {REVISION}")).partition(":")
        self._newest = Announcement(self._instance, int(number), int(moment), self._build)
        return self._newest


def _take_note(reading: asyncio.Task[Announcement]) -> None:
    if not reading.cancelled():
        reading.exception()  # nobody may wait for it any more, and one that nobody reads would be logged


@asynccontextmanager
async def announcing(database: Database, cache: Cache, service: str, build: str) -> AsyncIterator[Announcer]:
    """The announcer of a service's process, which announces until the end of the context."""
    announcer = Announcer(database, cache, service, build)
    task = asyncio.create_task(announcer.announce())
    try:
        yield announcer
    finally:
        await end_task(task)
