"""Drills with restarts: in the middle of a write, an import, an export or a long poll, rolling, from a backup."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from asyncio import to_thread
from collections.abc import Awaitable, Callable, Sequence
from itertools import cycle
from pathlib import Path

import httpx

from mmptf_common.storage.journal import JOURNAL_LOCK
from tests.drills.drill import Scene, drill, others
from tests.drills.edition import IMPORTED_ROWS, large_edition
from tests.drills.load import importing_headers
from tests.drills.stack import ANSWER_SECONDS, Process
from tests.suite import NAMES

EXPORT = "/funding/v1/requirements?format=ndjson"
STOPPED_WRITER_SECONDS = 20.0
"""The longest time for which a process that stops inside a write stops the writes of others."""
END_SECONDS = 25.0
"""The time in which a process ends after SIGTERM: 20 s for requests under way, and some."""
# Until a replica was stopped inside a write, which of two it is being left to chance.
CATCH_SECONDS = 60


async def restart(process: Process, number: signal.Signals) -> float:
    """The seconds in which it ends after a signal; returns when the supervisor has started it again and it is ready.

    Raises TimeoutError where it does not end in twice the time that it may take.
    """
    begin, starts, child = time.monotonic(), process.starts, process.child
    assert child
    process.send(number)
    async with asyncio.timeout(2 * END_SECONDS):
        while child.alive:
            await asyncio.sleep(0.05)
    seconds = time.monotonic() - begin
    while process.starts == starts or not await to_thread(process.is_ready):
        await asyncio.sleep(0.1)
    # The balancer has to see it, too.
    await asyncio.sleep(0.7)
    return seconds


@drill(*NAMES)
async def rolling_restart(scene: Scene) -> None:
    """Every process is restarted by SIGTERM, one after the other, then one of each kind by SIGHUP: nobody notices."""
    slowest = 0.0
    for process in scene.stack.of():
        slowest = max(slowest, await restart(process, signal.SIGTERM))
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        # What is started by nohup ignores it on purpose, and all that it starts as well.
        scene.note("SIGHUP is ignored by the processes, as it is here: nobody was sent one")
    else:
        replicas = [scene.stack.of(name)[0] for name in NAMES]
        slowest = max(slowest, *await asyncio.gather(*(restart(process, signal.SIGHUP) for process in replicas)))
    scene.measure("seconds in which a process ended", slowest, END_SECONDS)
    failed = scene.tally.labelled + scene.tally.transport
    scene.measure("requests that failed", failed, 0)
    scene.note(f"{scene.tally.repeated} requests were repeated on another connection")
    scene.mend()


@drill(*others("funding"))
async def a_replica_that_hangs_inside_a_write(scene: Scene) -> None:
    """One replica of the funding service stops inside a transaction, with the lock of all writers, for 18 s."""
    cluster = scene.stack.cluster
    # After restarts, all connections of the gateways may lead to one of them.
    replicas = cycle(scene.stack.of("funding"))
    idle = (
        "SELECT FROM pg_stat_activity WHERE datname = 'funding' AND state = 'idle in transaction'"
        " AND state_change < clock_timestamp() - interval '80 ms'"
    )
    # Its writers wait for the lock when it stops, and it is given to one of them; where it is given to one of the other
    # replica, that is tried again.
    held = (f"SELECT pg_advisory_lock({JOURNAL_LOCK})", "SELECT pg_sleep(0.6)")
    deadline = time.monotonic() + CATCH_SECONDS
    while time.monotonic() < deadline:
        process = next(replicas)
        holding = asyncio.create_task(to_thread(cluster.run, *held, database="funding"))
        await asyncio.sleep(0.5)
        process.send(signal.SIGSTOP)
        await holding
        await asyncio.sleep(0.3)
        if await to_thread(cluster.run, idle):
            break
        process.send(signal.SIGCONT)
        await asyncio.sleep(0.3)
    else:
        scene.tally.fail(f"no replica was in a write in {CATCH_SECONDS} s")
        return
    begin, floor = time.monotonic(), scene.load.ledger.floor()
    while scene.load.ledger.floor() == floor and time.monotonic() < begin + 2 * STOPPED_WRITER_SECONDS:
        await asyncio.sleep(0.1)
    scene.measure("seconds without a write", time.monotonic() - begin, STOPPED_WRITER_SECONDS)
    await asyncio.sleep(max(0.0, begin + 18 - time.monotonic()))
    process.send(signal.SIGCONT)
    scene.mend()


@drill(*NAMES, excused=("export",))
async def sigterm_in_an_export(scene: Scene) -> None:
    """A replica of the funding service and a gateway get SIGTERM while exports are read: each is complete."""
    whole = (await scene.load.http.get(EXPORT)).content
    first = whole.count(b"\n")

    async def read(http: httpx.AsyncClient, url: str) -> None:
        scene.tally.sent += 1
        lines = 0
        async with http.stream("GET", url + EXPORT) as answer:
            if answer.status_code == 503:
                # As many exports as a service sends at once are under way.
                scene.tally.labelled += 1
                return
            async for chunk in answer.aiter_raw(65_536):
                lines += chunk.count(b"\n")
                await asyncio.sleep(0.05)
        if lines != first:
            raise ValueError(f"it ended as a whole one after {lines} of {first} lines")
        scene.tally.right += 1

    await ended_while(scene, ("funding-1", "gateway-2"), [read] * 2, "an export")
    scene.mend()


@drill(*NAMES)
async def sigterm_in_a_long_poll(scene: Scene) -> None:
    """A replica of the catalogue and a gateway get SIGTERM while 20 callers wait: each gets its answer."""

    async def wait(http: httpx.AsyncClient, url: str) -> None:
        scene.tally.sent += 1
        # No change of these comes: only the end of the process ends the waiting.
        newest = (await http.get(f"{url}/catalog/v1/changes?entity=thematic_area&limit=1000")).json()["last"]
        # Less than a service may be silent.
        path = f"/catalog/v1/changes?after={newest}&entity=thematic_area&wait={ANSWER_SECONDS - 1}"
        answer = await http.get(f"{url}{path}")
        if answer.status_code != 200 or answer.json()["items"]:
            raise ValueError(f"it was answered by {answer.status_code} {answer.text[:300]}")
        scene.tally.right += 1

    await ended_while(scene, ("catalog-1", "gateway-2"), [wait] * 20, "a long poll")
    scene.mend()


Request = Callable[[httpx.AsyncClient, str], Awaitable[None]]


async def ended_while(scene: Scene, names: Sequence[str], requests: Sequence[Request], what: str) -> None:
    """Send SIGTERM to processes that work on requests, and count those that are not answered rightly."""
    processes = [scene.stack.processes[name] for name in names]
    # Small buffers, so that an answer that is read slowly is not sent long before it is read.
    buffers = [(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)]
    transport = httpx.AsyncHTTPTransport(socket_options=buffers)
    as_it_is = {"accept-encoding": "identity"}
    async with httpx.AsyncClient(timeout=30, transport=transport, headers=as_it_is) as http:
        tasks = [asyncio.create_task(each(http, process.url)) for process in processes for each in requests]
        await asyncio.sleep(1)
        seconds = await asyncio.gather(*(restart(process, signal.SIGTERM) for process in processes))
        scene.measure("seconds in which a process ended", max(seconds), END_SECONDS)
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, BaseException):
                scene.tally.fail(f"{what}: {type(outcome).__name__} {outcome}")


@drill()
async def restart_of_everything_in_an_import(scene: Scene) -> None:
    """Every process, PostgreSQL and Redis are killed during an import: the edition is there as a whole or not."""
    stack, load = scene.stack, scene.load
    rows, headers = IMPORTED_ROWS, importing_headers()
    body = await to_thread(large_edition, "DRILL-2017")

    async def send() -> httpx.Response | None:
        try:
            return await load.http.post(
                f"{stack.urls['funding']}/funding/v1/imports", content=body, headers=headers, timeout=60
            )
        except httpx.HTTPError:
            return None

    importing = asyncio.create_task(send())
    await asyncio.sleep(1.2)
    was_under_way = not importing.done()
    for process in stack.of():
        process.send(signal.SIGKILL)
    await to_thread(stack.cache.kill)
    await to_thread(stack.cluster.kill)
    await to_thread(stack.cluster.start)
    await to_thread(stack.cache.start)
    await stack.all_ready(60)
    scene.mend()
    scene.note("the import was under way" if was_under_way else "the import had ended before the restart")
    first = await importing
    found = await _rows_of(load.http)
    if found not in (0, rows):
        scene.tally.lose(f"{found} of {rows} rows of an interrupted import are there")
    if first is not None and first.status_code < 300 and found != rows:
        scene.tally.lose("an acknowledged import is not there")
    for _ in range(10):
        again = await send()
        if again is not None and again.status_code < 300:
            break
        await asyncio.sleep(1)
    else:
        scene.tally.fail("the import cannot be repeated", again.text[:500] if again is not None else "no answer")
    if (found := await _rows_of(load.http)) != rows:
        scene.tally.lose(f"{found} of {rows} rows of an acknowledged import are there")


async def _rows_of(http: httpx.AsyncClient) -> int:
    answer = await http.get("/funding/v1/requirements?edition=DRILL-2017&limit=0", timeout=30)
    # Before the import no edition has this code.
    return int(answer.json()["total"]) if answer.status_code == 200 else 0


@drill(*others("funding", "markers"), is_last=True)
async def restore_of_a_backup(scene: Scene) -> None:
    """The database of the funding service is restored from a backup that was made under load, 2 s before."""
    stack, load = scene.stack, scene.load
    cluster = stack.cluster
    file = Path("/tmp") / f"funding-{time.time_ns()}.dump"  # noqa: S108  # PostgreSQL's user has to write it
    try:
        await to_thread(cluster.tool, "pg_dump", "--format=custom", f"--file={file}", "funding")
        await asyncio.sleep(2)
        for process in stack.of("funding"):
            await to_thread(process.stop)
        await to_thread(cluster.tool, "dropdb", "--force", "funding")
        await to_thread(cluster.tool, "createdb", "--owner=funding", "funding")
        await to_thread(cluster.tool, "pg_restore", "--exit-on-error", "--dbname=funding", str(file))
    finally:
        file.unlink(missing_ok=True)
    (row,) = await to_thread(lambda: cluster.run("SELECT max(number) FROM revision", database="funding"))
    before = len(load.ledger.acknowledged)
    load.restored(row[0])
    scene.note(f"{before - len(load.ledger.acknowledged)} entries were written after the backup")
    for process in stack.of("funding"):
        process.is_wanted = True
    await stack.all_ready(40)
    scene.mend()
