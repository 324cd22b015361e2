"""The revisions that the services announce, as this process hears of them: what an answer may be kept under."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import NamedTuple

from mmptf_common.process.redis_url import read_redis_url
from mmptf_common.process.tasks import end_task
from mmptf_common.wire.announcements import (
    ASK_SECONDS,
    VALID_SECONDS,
    Announcement,
    announcement_in,
    channel_of,
)

log = logging.getLogger("mmptf.gateway")

# Seconds between two attempts to hear the services.
RETRY_SECONDS = 0.5
# Seconds after a write through this process for which an announcement that contains it is waited for.
AFTER_WRITE_SECONDS = 2 * VALID_SECONDS


class State(NamedTuple):
    """What determines the public reads of a service: the revision of its data, and the builds that answer."""

    number: int
    moment: int
    builds: frozenset[str]


class _Service:
    """What the processes of one service have announced.

    state: of them together; until: the monotonic second to which it may be used; written, written_until: a revision
    without which it may not, and for how long; unknown_until: to when it may not since a write has no known revision;
    asked: when the service was last asked for what may be kept
    """

    __slots__ = ("_announced", "_at", "asked", "state", "unknown_until", "until", "written", "written_until")

    def __init__(self) -> None:
        self._announced: dict[str, Announcement] = {}
        self._at: dict[str, float] = {}
        self.state: State | None = None
        self.until = self.written_until = self.unknown_until = self.asked = -math.inf
        self.written = 0

    def hear(self, announcement: Announcement, now: float) -> None:
        self._announced[announcement.instance] = announcement
        self._at[announcement.instance] = now
        if len(self._at) > 1:
            silent = [instance for instance, at in self._at.items() if now - at > VALID_SECONDS]
            for instance in silent:
                del self._announced[instance], self._at[instance]
        heard = self._announced.values()
        number, moment = max((each.number, each.moment) for each in heard)
        state = State(number, moment, frozenset(each.build for each in heard))
        # The same object as long as nothing changes, which is compared for each answer.
        if state != self.state:
            self.state = state
        self.until = now + VALID_SECONDS


class Revisions:
    """What every service announces. Where it is not known, nothing that is kept may be used."""

    def __init__(self, services: Iterable[str]) -> None:
        self._services = {name: _Service() for name in services}
        self._whole_until = -math.inf
        # Whether Redis is used; None where no attempt has ended yet.
        self.is_heard: bool | None = None

    def knows(self, name: str) -> bool:
        """Whether this is the name of a service."""
        return name in self._services

    def current(self, name: str) -> State | None:
        """The state of a service, which is announced by all of its processes that announce anything.

        None where nothing was heard for VALID_SECONDS, or not of the last write through this process.
        """
        service = self._services[name]
        now = time.monotonic()
        if now >= self._whole_until or now >= service.until or now < service.unknown_until:
            return None
        if now < service.written_until:
            if service.state is None or service.state.number < service.written:
                return None
            service.written_until = -math.inf
        return service.state

    def is_due(self, name: str) -> bool:
        """Whether a service has to be asked for something that may be kept, or it would announce nothing soon."""
        return time.monotonic() - self._services[name].asked > ASK_SECONDS

    def asked(self, name: str) -> None:
        """Note that a service is asked for something that may be kept."""
        self._services[name].asked = time.monotonic()

    def written(self, name: str, revision: int | None) -> None:
        """Use nothing of a service any more that is older than a write whose answer is about to be sent.

        revision: the one that contains the write; None where it is not known
        """
        service = self._services.get(name)
        if service is None:
            return
        now = time.monotonic()
        if revision is None:
            service.unknown_until = now + AFTER_WRITE_SECONDS
            return
        service.written = max(revision, service.written) if now < service.written_until else revision
        service.written_until = now + AFTER_WRITE_SECONDS

    @asynccontextmanager
    async def listening(self, redis_url: str | None) -> AsyncIterator[None]:
        """Hear the services until the end of the context; without a URL nothing is heard."""
        if redis_url is None:
            yield
            return
        task = asyncio.create_task(self._listen(redis_url))
        try:
            yield
        finally:
            await end_task(task)

    async def _listen(self, redis_url: str) -> None:
        # A process without Redis does not need its client.
        from mmptf_common.storage.subscription import listen

        database = read_redis_url(redis_url).database
        channels = {channel_of(name, database): service for name, service in self._services.items()}

        def heard(channel: str, message: bytes) -> None:
            if (service := channels.get(channel)) and (announcement := announcement_in(message)):
                service.hear(announcement, time.monotonic())

        def whole(until: float) -> None:
            if not self.is_heard:
                level = logging.INFO if self.is_heard is None else logging.WARNING
                log.log(level, "the services are heard over Redis")
            self.is_heard = True
            self._whole_until = until + VALID_SECONDS

        while True:
            try:
                await listen(redis_url, channels, heard, whole)
            except Exception as error:  # whatever Redis, or what answers in its place, does: nothing is kept meanwhile
                if self.is_heard is not False:
                    reason = f"{type(error).__name__}: {error}"
                    log.warning("the services are not heard, and no answer is kept", extra={"reason": reason})
                self.is_heard = False
            self._whole_until = -math.inf
            for service in self._services.values():
                service.until = -math.inf
            await asyncio.sleep(RETRY_SECONDS)
