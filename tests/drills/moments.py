"""A drill with clocks that differ."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import httpx

from tests.drills.drill import Scene, drill
from tests.drills.restarts import restart
from tests.drills.stack import Process, Stack
from tests.suite import NAMES

SKEW_SECONDS = 300
LIBRARY = "libfaketime.so.1"
SHARED = Path("/dev/shm")  # noqa: S108  # where Linux has the memory that processes share


@cache
def faketime() -> Path | None:
    """The library that shows another time to a process, named by FAKETIME_LIBRARY, of the test tools or of the system.

    None where none of them works: the one of the test tools is built for x86-64 alone.
    """
    named = os.environ.get("FAKETIME_LIBRARY")
    found = [Path(named)] if named else []
    if (package := find_spec("libfaketime")) and package.origin:
        found.append(Path(package.origin).with_name("vendor") / "libfaketime/src" / LIBRARY)
    found += sorted(Path("/usr/lib").glob(f"*/faketime/{LIBRARY}"))
    return next((library for library in found if library.exists() and _works(library)), None)


def _works(library: Path) -> bool:
    command = [sys.executable, "-c", "import time; print(time.time())"]
    shown = subprocess.run(command, env=os.environ | shifted(library, SKEW_SECONDS), capture_output=True, text=True)
    return shown.returncode == 0 and float(shown.stdout) > time.time() + SKEW_SECONDS / 2


def shifted(library: Path, seconds: int) -> Mapping[str, str]:
    """The environment of a process whose clock is so many seconds ahead, while what measures durations is right."""
    return {"LD_PRELOAD": str(library), "FAKETIME": f"{seconds:+}s", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


def _no_faketime(stack: Stack) -> str | None:
    return None if faketime() else "no libfaketime works here (Debian and Ubuntu: apt install libfaketime)"


@drill(*NAMES, skipped=_no_faketime)
async def clock_skew(scene: Scene) -> None:
    """The clock of one process of each kind is five minutes ahead of all other ones, then as much behind."""
    library = faketime()
    assert library
    replicas = [scene.stack.of(name)[0] for name in NAMES]
    before = [replica.environment for replica in replicas]
    skewed: list[int] = []
    for skew in (SKEW_SECONDS, -SKEW_SECONDS, 0):
        for replica, environment in zip(replicas, before, strict=True):
            replica.environment = {**environment, **(shifted(library, skew) if skew else {})}
        await asyncio.gather(*(restart(replica, signal.SIGTERM) for replica in replicas))
        for replica in replicas:
            ahead = await _seconds_ahead(replica)
            if abs(ahead - skew) > SKEW_SECONDS / 2:
                scene.tally.fail(f"the clock of {replica.name} is {ahead:.0f} s ahead instead of {skew}")
        await asyncio.sleep(2)
        if skew:
            skewed += [replica.child.process.pid for replica in replicas if replica.child]
    for pid in skewed:
        # What the library shares between processes stays behind where a process ends without its destructors.
        for name in ("faketime_shm", "sem.faketime_sem"):
            (SHARED / f"{name}_{pid}").unlink(missing_ok=True)
    scene.mend()


async def _seconds_ahead(process: Process) -> float:
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.get(f"{process.url}/health/live")
    return parsedate_to_datetime(answer.headers["date"]).timestamp() - time.time()
