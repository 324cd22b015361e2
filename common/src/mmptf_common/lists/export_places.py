"""The places of exports, those that are read from the database at once: which is next, and which gives way.

An export has its place while it is sent, and so for as long as its reader takes. While others wait, one whose reader is
markedly slow breaks off, and its client is one of the last to get a place from then on. The others get one by when they
had their last one, or asked for their first one. So an export at an ordinary pace gets a place whatever number of slow
readers want places: at most one export of each other client comes before it, for the seconds in which it is found to be
slow.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from mmptf_common.storage.engines import READS, ReadKind
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import ServiceUnavailable

# Seconds for which an export waits for a place, and the most that wait.
PLACE_SECONDS, MOST_WAITING = 5.0, 100
# A reader is markedly slow that takes less than so many bytes a second, 128 times the least rate of any answer, for so
# many seconds. What the systems on the way buffer passes at once and is not measured.
SLOW_RATE, SLOW_SECONDS = 131_072, 2.0
CHECK_SECONDS = 0.25
# Clients of whom is known when they had a place and how they used it.
MOST_KNOWN = 10_000


class Place:
    """The place of one export, and how slowly its reader takes the export; client: the address of its caller."""

    def __init__(self, client: str) -> None:
        self.client = client
        self.is_given_up = False
        self._end: asyncio.Timeout | None = None
        # Of the chunks that were sent last: the bytes, and the seconds until they were taken.
        self._sent: deque[tuple[int, float]] = deque()
        self._sending: tuple[int, float] | None = None

    @asynccontextmanager
    async def sending(self) -> AsyncIterator[None]:
        """While the export is sent; raises ServiceUnavailable in it when the place is given up."""
        try:
            async with asyncio.timeout(None) as self._end:
                yield
        except TimeoutError:
            if self.is_given_up:
                raise ServiceUnavailable(
                    f"The export broke off: its reader took less than {SLOW_RATE} bytes a second while others waited.",
                    code=ProblemCode.OVERLOADED,
                ) from None
            raise

    @contextmanager
    def chunk(self, size: int) -> Iterator[None]:
        """While a chunk is sent, until the reader has taken it, or what the system buffers for the reader."""
        began = _now()
        self._sending = size, began
        yield
        self._sending = None
        self._sent.append((size, _now() - began))
        while sum(size for size, _ in self._sent) - self._sent[0][0] >= SLOW_RATE * SLOW_SECONDS:
            self._sent.popleft()

    def excess(self) -> float:
        """Seconds that the reader took for the last chunks, beyond those that one may take; positive for a slow one."""
        chunks = [*self._sent]
        if self._sending:
            size, since = self._sending
            chunks.append((size, _now() - since))
        most = max(SLOW_SECONDS, sum(size for size, _ in chunks) / SLOW_RATE)
        return sum(seconds for _, seconds in chunks) - most

    def give_up(self) -> None:
        """Break the export off."""
        if self._end:
            self.is_given_up = True
            self._end.reschedule(_now())


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    """An export that waits for its place."""

    place: Place
    granted: asyncio.Future[None]


class ExportPlaces:
    """The places of a process: `number`, of which one client has all but one at most, where there are several."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._of_client = max(1, number - 1)
        self._held: set[Place] = set()
        self._waiting: list[_Waiting] = []
        # Client -> whether its last export was broken off, and when it had its last place or asked for its first one.
        # Those that asked least recently are the first.
        self._known: OrderedDict[str, tuple[bool, float]] = OrderedDict()
        self._check: asyncio.TimerHandle | None = None

    @asynccontextmanager
    async def held(self, place: Place) -> AsyncIterator[None]:
        """While an export has its place; raises ServiceUnavailable where it gets none in PLACE_SECONDS."""
        await self._wait(place)
        was_slow, _ = self._used(place.client)
        try:
            yield
            was_slow = False
        finally:
            _, since = self._used(place.client)
            self._know(place.client, was_slow or place.is_given_up, since)
            self._release(place)

    async def _wait(self, place: Place) -> None:
        self._know(place.client, *self._used(place.client))
        waiting = _Waiting(place, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._grant()
        if len(self._waiting) > MOST_WAITING:
            self._refuse_one()
        if self._waiting and not self._check:
            self._look()
        try:
            async with asyncio.timeout(PLACE_SECONDS):
                await waiting.granted
        except BaseException as error:
            if waiting in self._waiting:
                self._waiting.remove(waiting)
            self._release(place)
            if isinstance(error, TimeoutError):
                raise _overloaded() from error
            raise

    def _used(self, client: str) -> tuple[bool, float]:
        return self._known.get(client, (False, _now()))

    def _know(self, client: str, was_slow: bool, since: float) -> None:
        self._known[client] = was_slow, since
        self._known.move_to_end(client)
        if len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)

    def _release(self, place: Place) -> None:
        self._held.discard(place)
        self._grant()

    def _grant(self) -> None:
        """Give free places to those that wait."""
        while len(self._held) < self._number:
            of_client = Counter(place.client for place in self._held)
            found = [each for each in self._in_order() if of_client[each.place.client] < self._of_client]
            if not found:
                return
            self._waiting.remove(found[0])
            found[0].granted.set_result(None)
            place = found[0].place
            self._held.add(place)
            was_slow, _ = self._used(place.client)
            self._know(place.client, was_slow, _now())

    def _in_order(self) -> list[_Waiting]:
        """Those that wait, the next one first."""
        waiting = (each for each in self._waiting if not each.granted.done())
        return sorted(waiting, key=lambda each: self._used(each.place.client))

    def _look(self) -> None:
        """Break off exports of slow readers for those that wait, now and again while any waits."""
        staying = [place for place in self._held if not place.is_given_up]
        free = self._number - len(staying)
        for waiting in self._in_order():
            client = waiting.place.client
            is_at_most = sum(place.client == client for place in staying) >= self._of_client
            if free and not is_at_most:
                free -= 1
                continue
            slow = [place for place in staying if place.excess() > 0 and (place.client == client or not is_at_most)]
            if slow:
                slowest = max(slow, key=Place.excess)
                slowest.give_up()
                staying.remove(slowest)
        self._check = asyncio.get_running_loop().call_later(CHECK_SECONDS, self._look) if self._waiting else None

    def _refuse_one(self) -> None:
        """Refuse the last in the order of those that wait, of the client of whom most do."""
        waiting = self._in_order()
        of_client = Counter(each.place.client for each in waiting)
        most = max(of_client.values())
        refused = next(each for each in reversed(waiting) if of_client[each.place.client] == most)
        self._waiting.remove(refused)
        refused.granted.set_exception(_overloaded())


def _now() -> float:
    return asyncio.get_running_loop().time()


def _overloaded() -> ServiceUnavailable:
    return ServiceUnavailable(READS[ReadKind.EXPORT].overloaded, code=ProblemCode.OVERLOADED)
