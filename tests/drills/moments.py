"""A drill with clocks that differ."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

from tests.drills.drill import Scene, drill
from tests.drills.restarts import restart
from tests.drills.stack import Stack
from tests.suite import SERVICES

SKEW_SECONDS = 300


def faketime() -> Path | None:
    """The library that shows another time to a process: of the system, or named by FAKETIME_LIBRARY."""
    named = os.environ.get("FAKETIME_LIBRARY")
    found = [Path(named)] if named else sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    return found[0] if found else None


def _no_faketime(stack: Stack) -> str | None:
    return None if faketime() else "libfaketime is not installed (Debian and Ubuntu: apt install libfaketime)"


@drill(*SERVICES, skipped=_no_faketime)
async def clock_skew(scene: Scene) -> None:
    """The clock of one replica of each service is five minutes ahead of the other processes, then as much behind."""
    replicas = [scene.stack.of(name)[0] for name in SERVICES]
    before = [replica.environment for replica in replicas]
    for skew in (SKEW_SECONDS, -SKEW_SECONDS, 0):
        for replica, environment in zip(replicas, before, strict=True):
            replica.environment = environment
            if skew:
                replica.environment = {
                    **environment,
                    "LD_PRELOAD": str(faketime()),
                    "FAKETIME": f"{skew:+}s",
                    "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                }
        await asyncio.gather(*(restart(replica, signal.SIGTERM) for replica in replicas))
    scene.mend()
