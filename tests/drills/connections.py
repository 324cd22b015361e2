"""Drills with clients that are slow by the hundred, and readers that ask for much: others are not delayed by them."""

from __future__ import annotations

import asyncio
import math
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import count

from mmptf_common.process.protocol import Pace
from mmptf_local.processes import LOOPBACK
from tests.drills.drill import Scene, drill
from tests.drills.load import LEDGER, importing_headers
from tests.drills.stack import ANSWER_SECONDS
from tests.suite import NAMES

CLIENTS, READERS = 200, 20
QUIET_SECONDS, ARRIVAL_SECONDS, BESIDE_SECONDS = 4.0, 3.0, 6.0
SLOWER = 2.5
"""How many times longer clients that ask for much take to connect, at most, where the load is slowed."""
TIMES, AT_LEAST = 3.0, 0.1
"""The p99 of others may be so many times that of quiet periods, which counts as not shorter than this."""
HEAD_SECONDS = Pace().head_seconds + 3
DELAY_SECONDS = 1.0
"""What a reader may delay a writer, or a reader of another kind, by."""
SHORT = ("item", "page", "totals", "fixed", "score", "entry", "view")
ADDRESSES = count(2)

Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def clients(
    scene: Scene, number: int, behave: Behaviour, of: Sequence[str], *, arrival: float = ARRIVAL_SECONDS
) -> AsyncIterator[list[int]]:
    """So many clients of processes of these kinds, each on a connection and all from an address of their own.

    Gives those whose connection has ended.
    """
    address = f"127.0.0.{next(ADDRESSES)}"
    ended: list[int] = []
    processes = scene.stack.of(*of)

    async def one(place: int) -> None:
        # Slow ones are meant, and not a crowd in one moment.
        await asyncio.sleep(arrival * place / number)
        port = processes[place % len(processes)].port
        # A small buffer, so that a reader that does not read stops the sender soon.
        with socket.socket() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.setblocking(False)
            connection.bind((address, 0))
            try:
                await asyncio.get_running_loop().sock_connect(connection, (LOOPBACK, port))
                reader, writer = await asyncio.open_connection(sock=connection, limit=4096)
                await behave(reader, writer)
                writer.transport.abort()
            except (OSError, asyncio.IncompleteReadError):
                pass
        ended.append(place)

    tasks = [asyncio.create_task(one(place)) for place in range(number)]
    try:
        yield ended
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def seconds_of_short(scene: Scene) -> list[float]:
    """The seconds that short right answers took since the last `clear`."""
    return [seconds for kind in SHORT for seconds in scene.tally.seconds[kind]]


def p99(found: list[float]) -> float:
    """The 99th percentile; infinite where nothing was answered."""
    return sorted(found)[math.ceil(len(found) * 0.99) - 1] if found else math.inf


async def compare(
    scene: Scene,
    what: str,
    behave: Behaviour,
    *,
    number: int = CLIENTS,
    of: Sequence[str] = ("gateway",),
    arrival: float = ARRIVAL_SECONDS,
    costly: bool = False,
) -> None:
    """Measure the load without the clients, then beside them.

    arrival: the seconds in which they connect
    costly: whether what each asks for costs as much as a few requests of the load; they connect at its pace then
    """
    if costly:
        arrival *= min(scene.load.pace, SLOWER)
    tally = scene.tally
    tally.seconds.clear()
    await asyncio.sleep(QUIET_SECONDS)
    scene.load.quiet += seconds_of_short(scene)
    quiet = p99(scene.load.quiet)
    slowest = {kind: max(tally.seconds[kind], default=0.0) for kind in ("entry", "page")}
    async with clients(scene, number, behave, of, arrival=arrival) as ended:
        await asyncio.sleep(arrival + 0.5)
        tally.seconds.clear()
        await asyncio.sleep(BESIDE_SECONDS)
        beside = p99(seconds_of_short(scene))
        most = TIMES * max(quiet, AT_LEAST) / quiet
        scene.measure(f"p99 of others beside {what}, as a multiple of quiet", beside / quiet, most)
        for kind, before in slowest.items():
            after = max(tally.seconds[kind], default=BESIDE_SECONDS)
            scene.measure(f"seconds by which the slowest {kind} was delayed", max(0.0, after - before), DELAY_SECONDS)
        scene.note(
            f"p99 quiet {quiet:.3f} s, beside {number} clients {beside:.3f} s; {len(ended)} connections had ended; "
            f"the load paused {scene.load.pace:.1f} times as long as on a quick machine"
        )
    scene.mend()


def head(path: str, method: str = "GET", *fields: str) -> bytes:
    lines = (f"{method} {path} HTTP/1.1", "Host: drill", "Accept-Encoding: identity", *fields)
    return "".join(f"{line}\r\n" for line in lines).encode()


def now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


async def trickle(writer: asyncio.StreamWriter, text: bytes) -> None:
    """Send a byte a second, to the end of the drill or of the connection."""
    while True:
        for byte in text:
            writer.write(bytes((byte,)))
            await writer.drain()
            await asyncio.sleep(1)


async def read_slowly(reader: asyncio.StreamReader) -> None:
    """Read a byte ten times a second."""
    while await reader.read(1):
        await asyncio.sleep(0.1)


@drill(*NAMES)
async def idle_connections(scene: Scene) -> None:
    """200 clients connect and send nothing."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)

    await compare(scene, "idle connections", behave)


@drill(*NAMES)
async def slow_heads(scene: Scene) -> None:
    """200 clients send a byte of the head of a request a second."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head("/catalog/v1/programmes") + b"X-A: ")
        await trickle(writer, b"a")

    async def seconds_of_one() -> float:
        begin = time.monotonic()
        reader, writer = await asyncio.open_connection(LOOPBACK, scene.stack.of("gateway")[0].port)
        sending = asyncio.create_task(behave(reader, writer))
        answer = await reader.readuntil(b"\r\n")
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        writer.transport.abort()
        if b" 408 " not in answer:
            scene.tally.fail("a head that trickles is answered by something else than 408", repr(answer))
        return time.monotonic() - begin

    one = asyncio.create_task(seconds_of_one())
    await compare(scene, "slow heads", behave)
    scene.measure("seconds for which a head may trickle", await one, HEAD_SECONDS)


@drill(*NAMES)
async def slow_bodies(scene: Scene) -> None:
    """200 clients send a byte of the body of a request a second."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        fields = ("Content-Type: application/json", "Content-Length: 5000")
        writer.write(head("/markers/v1/score", "POST", *fields) + b"\r\n{")
        await trickle(writer, b" ")

    await compare(scene, "slow bodies", behave)


@drill(*NAMES)
async def slow_readers_of_pages(scene: Scene) -> None:
    """200 clients ask for a page of 1,000 rows, and read ten bytes of it a second."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head("/funding/v1/requirements?limit=1000") + b"\r\n")
        await read_slowly(reader)

    await compare(scene, "slow readers of pages", behave, costly=True)


@drill(*NAMES)
async def slow_readers_of_long_answers(scene: Scene) -> None:
    """200 clients ask for 1,000 changes of requirements, and read ten bytes of them a second."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head("/funding/v1/changes?after=0&entity=requirement&limit=1000") + b"\r\n")
        await read_slowly(reader)

    # Such an answer has 1.5 MB. Seventy of them a second are more than two cores can do beside the load, whoever reads
    # them; what is measured here is how slow readers hold others up.
    await compare(scene, "slow readers of long answers", behave, arrival=12, costly=True)


@drill(*NAMES)
async def slow_readers_of_a_service(scene: Scene) -> None:
    """200 clients ask the funding service itself for a page of 1,000 rows, and read ten bytes a second.

    What counts is its memory, which is measured of every process.
    """
    begun = 0

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal begun
        writer.write(head("/funding/v1/requirements?limit=1000") + b"\r\n")
        await reader.readexactly(1)
        begun += 1
        await read_slowly(reader)

    await compare(scene, "slow readers of a service", behave, of=("funding",), costly=True)
    scene.note(f"{begun} of {CLIENTS} answers had begun")


@drill(*NAMES, excused=("export",))
async def slow_readers_of_exports(scene: Scene) -> None:
    """200 clients, half of them of the service itself, ask for an export, and read ten bytes of it a second."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head("/funding/v1/requirements?format=ndjson") + b"\r\n")
        await read_slowly(reader)

    await compare(scene, "slow readers of exports", behave, of=("gateway", "funding"), costly=True)


@drill(*NAMES, excused=("export",))
async def slow_readers_of_dated_exports(scene: Scene) -> None:
    """200 clients, half of them of the service itself, ask for an export as of now, and read ten bytes a second."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head(f"/funding/v1/requirements?format=ndjson&as_of={now()}") + b"\r\n")
        await read_slowly(reader)

    await compare(scene, "slow readers of dated exports", behave, of=("gateway", "funding"), costly=True)


@drill(*NAMES)
async def slow_imports(scene: Scene) -> None:
    """200 clients, half of them of the service itself, send a byte of a file to import a second."""
    subjects = count()

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Each is another person: one alone may not import as much in a minute.
        fields = importing_headers(next(subjects)) | {"content-length": "4000000"}
        lines = (f"{name}: {value}" for name, value in fields.items())
        writer.write(head("/funding/v1/imports?dry_run=true", "POST", *lines) + b"\r\nPK")
        await trickle(writer, b"a")

    await compare(scene, "slow imports", behave, of=("gateway", "funding"))


@drill(*NAMES)
async def long_polls(scene: Scene) -> None:
    """200 clients wait for changes, again and again."""
    changes = "/catalog/v1/changes?entity=thematic_area"
    newest = (await scene.load.http.get(f"{scene.stack.urls['catalog']}{changes}&limit=1000")).json()["last"]
    # Less than a service may be silent.
    asked = head(f"{changes}&after={newest}&wait={ANSWER_SECONDS - 1}") + b"\r\n"

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(asked)
            if b" 200 " not in await reader.readline():
                raise OSError("nobody waits")
            await reader.readuntil(b"}")

    await compare(scene, "long polls", behave)


@drill(*NAMES)
async def dated_totals(scene: Scene) -> None:
    """20 clients ask for totals as of now, again and again."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(head(f"/funding/v1/ledger/totals?by=kind&as_of={now()}") + b"\r\n")
            first = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in first.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(int(length.partition(b":")[2]))
            await asyncio.sleep(0.2)

    await compare(scene, "dated totals", behave, number=READERS)


MATRIX_READERS, MATRIX_SECONDS = 50, 4.0
EXPORT = "/funding/v1/requirements?format="
MATRIX: dict[str, tuple[str, str]] = {
    "an export as CSV": (f"{EXPORT}csv", "export"),
    "an export as NDJSON": (f"{EXPORT}ndjson", "export"),
    "an export as of a moment": (f"{EXPORT}csv&as_of={{now}}", "export"),
    "a short export": ("/funding/v1/contributions?format=csv", "export"),
    "a page of 1,000": ("/funding/v1/requirements?limit=1000", "page"),
    "a page as of a moment": (f"{LEDGER}?limit=100&as_of={{now}}", "page"),
    "totals": (f"{LEDGER}/totals?by=kind", "totals"),
    "totals as of a moment": (f"{LEDGER}/totals?by=kind&as_of={{now}}", "totals"),
    "facets": ("/funding/v1/requirements/facets", "totals"),
    "a search": ("/funding/v1/requirements?q=water", "page"),
    "a long poll": ("/funding/v1/changes?after={last}&wait=15", "feed"),
    "a head that trickles": ("", ""),
}
"""Each kind of reader: what it asks for, and which kind of the load is of the same kind."""
WRITERS, OTHER_READERS = (
    ("entry", "draft", "assessment"),
    ("item", "page", "totals", "export", "fixed", "score", "view"),
)


@drill(*NAMES, excused=("export",))
async def matrix_of_readers(scene: Scene) -> None:
    """50 clients of each kind of reader, one kind after the other, read a byte in a tenth of a second beside others."""
    tally = scene.tally
    tally.seconds.clear()
    await asyncio.sleep(QUIET_SECONDS)
    quiet = {kind: max(tally.seconds[kind], default=0.0) for kind in (*WRITERS, *OTHER_READERS)}
    for what, (path, same) in MATRIX.items():

        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str = path) -> None:
            if not path:
                writer.write(head("/funding/v1/ledger") + b"X-A: ")
                await trickle(writer, b"a")
            while True:
                asked = path.format(now=now(), last=scene.load.ledger.floor())
                writer.write(head(asked) + b"\r\n")
                await read_slowly(reader)

        arrival = 0.5 * min(scene.load.pace, SLOWER)
        async with clients(scene, MATRIX_READERS, behave, ("funding", "gateway"), arrival=arrival):
            await asyncio.sleep(arrival + 0.5)
            tally.seconds.clear()
            await asyncio.sleep(MATRIX_SECONDS)
            delays = {
                kind: max(0.0, max(tally.seconds[kind], default=MATRIX_SECONDS) - before)
                for kind, before in quiet.items()
                # While exports are held up, others are refused: that is no delay.
                if kind != same and (tally.seconds[kind] or kind != "export")
            }
        for others, kinds in (("writer", WRITERS), ("reader of another kind", OTHER_READERS)):
            slowest = max((kind for kind in kinds if kind in delays), key=lambda kind: delays[kind])
            scene.measure(f"seconds by which {what} delayed a {others}", delays[slowest], DELAY_SECONDS)
            if delays[slowest] > DELAY_SECONDS:
                scene.note(f"{what}: the slowest was of the kind {slowest}, of {len(tally.seconds[slowest])}")
    scene.mend()
