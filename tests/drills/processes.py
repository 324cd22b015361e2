"""Drills with the suite's own processes: killed, hanging, replaced one after the other."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.drills.client import Caller, new_http
from tests.drills.drill import Scene, drill, others
from tests.drills.load import FIXED
from tests.drills.stack import ANSWER_SECONDS, REPLICAS, Process
from tests.suite import NAMES, SERVICES


async def kill_and_wait(*processes: Process) -> None:
    """Kill processes, and return when the supervisor has started them again and they are ready."""
    for process in processes:
        process.send(signal.SIGKILL)
    await asyncio.sleep(0.5)
    deadline = time.monotonic() + 30
    while not all([await asyncio.to_thread(each.is_ready) for each in processes]):
        if time.monotonic() > deadline:
            raise TimeoutError("a process was not ready 30 s after it was killed")
        await asyncio.sleep(0.1)


@drill()
async def kill_services(scene: Scene) -> None:
    """A replica of each service is killed with SIGKILL, then, when they are back, the other ones."""
    for number in range(REPLICAS):
        await kill_and_wait(*(scene.stack.of(name)[number] for name in SERVICES))
        scene.mend()


@drill(*others("funding"))
async def kill_both_replicas_of_funding(scene: Scene) -> None:
    """Both replicas of the funding service are killed at once: the callers of other services see nothing."""
    for process in scene.stack.of("funding"):
        process.send(signal.SIGKILL)
    await asyncio.sleep(0.3)
    await scene.stack.all_ready(30)
    scene.mend()


@drill()
async def kill_gateways(scene: Scene) -> None:
    """Each gateway is killed with SIGKILL; the balancer sends callers to the other one, whose own see nothing."""
    for process in scene.stack.of("gateway"):
        (other,) = (each for each in scene.stack.of("gateway") if each is not process)
        async with callers_of(other, scene):
            await kill_and_wait(process)
        scene.mend()


@asynccontextmanager
async def callers_of(process: Process, scene: Scene) -> AsyncIterator[None]:
    """Ask a process that has no fault while the block runs: what fails is wrong."""
    http = new_http(process.url)
    caller = Caller(http, scene.tally, spared=frozenset(NAMES))

    async def ask() -> None:
        while True:
            await scene.load.ask_fixed(scene.load.chance.choice(FIXED), caller)
            await asyncio.sleep(0.05)

    asking = asyncio.create_task(ask())
    try:
        yield
    finally:
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await http.aclose()


@drill(*others("catalog"))
async def a_catalogue_that_hangs(scene: Scene) -> None:
    """Both replicas of the catalogue are stopped for 10 s: its callers get a 504, the others see nothing."""
    await hang(scene, "catalog")


@drill(*others("funding"))
async def a_funding_service_that_hangs(scene: Scene) -> None:
    """Both replicas of the funding service are stopped for 10 s: its callers get a 504, the others see nothing."""
    await hang(scene, "funding")


@drill(*others("markers"))
async def a_marker_service_that_hangs(scene: Scene) -> None:
    """Both replicas of the marker service are stopped for 10 s: its callers get a 504, the others see nothing."""
    await hang(scene, "markers")


async def hang(scene: Scene, name: str) -> None:
    for process in scene.stack.of(name):
        process.send(signal.SIGSTOP)
    await asyncio.sleep(ANSWER_SECONDS + 3)
    for process in scene.stack.of(name):
        process.send(signal.SIGCONT)
    scene.mend()
