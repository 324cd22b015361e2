"""Figures of the kernel on a process and its children: CPU time, memory, cores and connections."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from mmptf_local.processes import Child

GONE = (FileNotFoundError, ProcessLookupError)
# Read before anything is pinned.
_CORES = os.sched_getaffinity(0)


def tree(pid: int) -> list[int]:
    """The ids of a process and of all its descendants."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with suppress(*GONE):
                # The name is in brackets and may contain any character; the parent is the second field after it.
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                parents.setdefault(parent, []).append(int(entry.name))
    found = [pid]
    for known in found:
        found += parents.get(known, [])
    return found


def cpu(pid: int) -> float:
    """Seconds of CPU, user and system, of a process and its children so far, with all threads.

    From the scheduler's nanoseconds where the kernel has them, else from the ticks (of 10 ms) of `stat`.
    """
    return sum(_cpu_of(one) for one in tree(pid))


def _cpu_of(pid: int) -> float:
    try:
        return sum(int((task / "schedstat").read_text().split()[0]) for task in _tasks(pid)) / 1e9
    except FileNotFoundError:
        with suppress(*GONE):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return 0.0


def cpu_with_ended(pid: int) -> float:
    """The same including children that have ended; in ticks of 10 ms, for measurements of seconds."""
    ticks = 0
    for one in tree(pid):
        with suppress(*GONE):
            # User, system, and both of the children that were waited for.
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def peak_memory(pid: int) -> float:
    """The most resident memory, in MB, that a process has had since it was started; 0 when it has ended."""
    with suppress(*GONE):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    return 0.0


def proportional_memory(pid: int) -> float:
    """The memory of a process in MB (PSS): its own pages, and its part of those that it shares with others."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024 / 1e6
    return 0.0


def pin_apart(measured: Iterable[Child], others: Iterable[Child] = ()) -> None:
    """Keep what is measured on one core, and the rest, this process and the load among it, on another.

    On a machine with one core nothing is pinned.
    """
    cores = sorted(_CORES)
    if len(cores) < 2:
        return
    for child in measured:
        pin(child.process.pid, cores[0])
    for pid in (os.getpid(), *(child.process.pid for child in others)):
        pin(pid, cores[1])


def unpin() -> None:
    """Let this process, and what it starts from now on, run on all cores again."""
    for task in _tasks(os.getpid()):
        os.sched_setaffinity(int(task.name), _CORES)


def pin(pid: int, core: int) -> None:
    """Keep a process, its children and all their threads on one core."""
    for one in tree(pid):
        for task in _tasks(one):
            with suppress(*GONE):
                os.sched_setaffinity(int(task.name), {core})


def _tasks(pid: int) -> Iterator[Path]:
    return Path(f"/proc/{pid}/task").iterdir()
