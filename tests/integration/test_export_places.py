"""Places of large exports: slow readers give theirs up for others, and no client has all of them."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import pytest

from mmptf_common.lists import export_places
from mmptf_common.lists.export_places import MOST_WAITING, PLACE_SECONDS, SLOW_RATE, SLOW_SECONDS, ExportPlaces, Place
from mmptf_common.process import failure_log
from mmptf_common.process.protocol import HttpProtocol
from mmptf_common.storage.engines import ReadKind
from mmptf_common.wire.problems import ServiceUnavailable
from tests.conftest import RunningApp, running_app
from tests.serving import served
from tests.writes import write_organizations

PATH = "/catalog/v1/organizations?format=csv"
ORDINARY, PLACES = 1_000_000, 3


BROKEN_OFF = f"The export broke off: its reader took less than {SLOW_RATE} bytes a second while others waited."


@dataclass(frozen=True)
class Server:
    running: RunningApp
    port: int

    @property
    def in_use(self) -> int:
        pool = self.running.app.state.database.reads[ReadKind.EXPORT].connections
        return int(pool.get_size() - pool.get_idle_size())


@pytest.fixture(scope="module")
def database(new_database: Callable[[str], str]) -> str:
    """A list whose exports have some two megabytes."""
    url = new_database("catalog")
    asyncio.run(write_organizations(url, 4_000))
    return url


@pytest.fixture
async def server(database: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Server]:
    # Without the kinds of failure of the tests before, of which a line may be due.
    monkeypatch.setattr(failure_log, "_kinds", {})
    async with running_app("catalog", database, None) as running:
        running.app.state.export_places = ExportPlaces(PLACES)
        async with served(running.app, HttpProtocol) as url:
            yield Server(running, int(url.rpartition(":")[2]))
        await running.all_connections_idle()


@dataclass
class Answer:
    """What a reader gets who takes `rate` bytes a second; seconds: until the first ones came."""

    rate: float = ORDINARY
    seconds: float = 0
    received: bytes = b""

    @property
    def status(self) -> int:
        return int(self.received.split(b" ", 2)[1])

    @property
    def is_whole(self) -> bool:
        return self.received.endswith(b"\r\n0\r\n\r\n")


async def read(server: Server, address: str, answer: Answer) -> Answer:
    """Export a list from an address; returns when all came, or when it broke off."""
    began = time.monotonic()
    loop = asyncio.get_running_loop()
    with socket.socket() as connection:
        if answer.rate < ORDINARY:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.setblocking(False)
        connection.bind((address, 0))
        await loop.sock_connect(connection, ("127.0.0.1", server.port))
        await loop.sock_sendall(connection, f"GET {PATH} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        with suppress(ConnectionResetError):
            while received := await loop.sock_recv(connection, max(1, min(65_536, int(answer.rate / 10)))):
                answer.seconds = answer.seconds or time.monotonic() - began
                answer.received += received
                await asyncio.sleep(len(received) / answer.rate)
    return answer


@asynccontextmanager
async def slow_readers(server: Server, number: int, addresses: int) -> AsyncIterator[list[Answer]]:
    """So many readers of so many addresses, each of whom asks again when it got no place, and after some seconds."""
    answers: list[Answer] = []

    async def want(place: int) -> None:
        while True:
            answers.append(Answer(100))
            with suppress(TimeoutError):
                async with asyncio.timeout(6):
                    await read(server, f"127.0.1.{place % addresses + 1}", answers[-1])

    tasks = [asyncio.create_task(want(place)) for place in range(number)]
    try:
        yield answers
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until_all_are_held(server: Server) -> None:
    async with asyncio.timeout(5):
        while server.in_use < PLACES:  # noqa: ASYNC110  # the pool has no event
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(("readers", "addresses"), [(3, 3), (120, 5)])
async def test_an_export_at_an_ordinary_pace_gets_a_place_whatever_slow_readers_want(
    server: Server, caplog: pytest.LogCaptureFixture, readers: int, addresses: int
) -> None:
    async with slow_readers(server, readers, addresses) as slow:
        await until_all_are_held(server)
        await asyncio.sleep(SLOW_SECONDS + 0.5)
        for _ in range(2):
            answer = await read(server, "127.0.0.1", Answer())
            assert answer.status == 200
            assert answer.is_whole
            # The place, then the first rows.
            assert answer.seconds < PLACE_SECONDS + 1
            print(f"{readers} slow readers of {addresses} addresses: a place after {answer.seconds:.2f} s")
    assert not any(answer.is_whole for answer in slow if answer.received and answer.status == 200)
    assert {record.reason for record in caplog.records if hasattr(record, "broken_off")} == {BROKEN_OFF}


async def test_a_reader_who_gave_a_place_up_gets_a_truncated_body_and_a_line_in_the_log(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    slow = [Answer(SLOW_RATE * (1 + place) / 8) for place in range(PLACES)]
    reading = [asyncio.create_task(read(server, f"127.0.2.{place}", slow[place])) for place in range(PLACES)]
    await until_all_are_held(server)
    await asyncio.sleep(SLOW_SECONDS + 1)
    assert server.in_use == PLACES
    with caplog.at_level(logging.WARNING):
        assert (await read(server, "127.0.0.1", Answer())).is_whole
    # Those of the readers before may come later, without a mark.
    lines = [record for record in caplog.records if hasattr(record, "broken_off")]
    assert {(line.status, line.broken_off, line.reason) for line in lines} == {(503, True, BROKEN_OFF)}  # type: ignore[attr-defined]
    # One only: the others may be as slow while nobody else wants a place.
    for answer in slow:
        answer.rate = 10 * ORDINARY
    await asyncio.gather(*reading)
    assert [answer.status for answer in slow] == [200] * PLACES
    assert sorted(answer.is_whole for answer in slow) == [False, True, True]


async def test_one_address_has_all_places_but_one(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_places, "PLACE_SECONDS", 0.5)
    reading = [asyncio.create_task(read(server, "127.0.0.2", Answer())) for _ in range(PLACES + 1)]
    async with asyncio.timeout(5):
        while server.in_use < PLACES - 1:  # noqa: ASYNC110  # the pool has no event
            await asyncio.sleep(0.01)
    other = await read(server, "127.0.0.3", Answer(10 * ORDINARY))
    assert (other.status, other.is_whole) == (200, True)
    assert other.seconds < 0.5
    answers = await asyncio.gather(*reading)
    assert sorted(answer.status for answer in answers) == [200, 200, 503, 503]
    refused = next(answer for answer in answers if answer.status == 503)
    assert b"retry-after: " in refused.received
    assert b'"code":"overloaded"' in refused.received


async def test_readers_at_an_ordinary_pace_wait_for_each_other(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_places, "PLACE_SECONDS", 0.5)
    answers = await asyncio.gather(*(read(server, f"127.0.3.{i}", Answer()) for i in range(PLACES + 2)))
    assert sorted(answer.status for answer in answers) == [200] * PLACES + [503] * 2
    assert all(answer.is_whole for answer in answers if answer.status == 200)


# --- the order of those that wait -----------------------------------------------------------------------------------


class Wanted:
    """An export of a client that wants a place, and gives it back when it is told to."""

    def __init__(self, places: ExportPlaces, client: str) -> None:
        self.place = Place(client)
        self.has_it = asyncio.Event()
        self.gives_back = asyncio.Event()
        self.task = asyncio.create_task(self._want(places))

    async def _want(self, places: ExportPlaces) -> None:
        async with places.held(self.place):
            self.has_it.set()
            await self.gives_back.wait()

    async def end(self) -> None:
        self.gives_back.set()
        await self.task


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_the_next_place_is_of_the_client_that_had_one_least_recently() -> None:
    """Or that waits for its first one for longest; one that was too slow is the last."""
    places = ExportPlaces(1)
    for client in ("slow", "a", "b"):
        first = Wanted(places, client)
        await first.has_it.wait()
        first.place.is_given_up = client == "slow"
        await first.end()
    held = Wanted(places, "c")
    await held.has_it.wait()
    wanted = {client: Wanted(places, client) for client in ("slow", "c", "d", "b", "e", "a")}
    order = []
    while wanted:
        await held.end()
        await settle()
        (client,) = [client for client, each in wanted.items() if each.has_it.is_set()]
        order.append(client)
        held = wanted.pop(client)
    await held.end()
    assert order == ["a", "b", "c", "d", "e", "slow"]


async def test_where_too_many_wait_the_last_one_of_the_client_of_whom_most_wait_is_refused() -> None:
    places = ExportPlaces(1)
    held = Wanted(places, "x")
    await held.has_it.wait()
    many = [Wanted(places, "a") for _ in range(MOST_WAITING - 1)]
    few = [Wanted(places, client) for client in ("b", "c")]
    await settle()
    assert [each.task.done() for each in (*many, *few)] == [*[False] * (MOST_WAITING - 2), True, False, False]
    with pytest.raises(ServiceUnavailable, match="sends as many exports"):
        await many.pop().task
    for each in many:
        each.task.cancel()
    await held.end()
    for each in few:
        await each.end()


async def test_a_place_that_is_not_wanted_any_more_goes_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_places, "PLACE_SECONDS", 0.05)
    places = ExportPlaces(2)
    held = [Wanted(places, client) for client in ("a", "b")]
    leaving = Wanted(places, "c")
    late = Wanted(places, "d")
    await settle()
    # Both get a place in the moment in which they leave or have waited long enough.
    for each in held:
        each.gives_back.set()
    leaving.task.cancel()
    time.sleep(0.1)  # noqa: ASYNC251  # the loop stands still
    await asyncio.gather(leaving.task, late.task, *(each.task for each in held), return_exceptions=True)
    after = [Wanted(places, client) for client in ("e", "f")]
    await settle()
    assert all(each.has_it.is_set() for each in after)
    for each in after:
        await each.end()
