"""Run the drills: `python -m tests.drills [NAME ...]`; exit code 1 where an answer was wrong or a write lost."""

from __future__ import annotations

import argparse
import asyncio
import gc
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from mmptf_local.state import temporary_state
from tests.conftest import memory
from tests.drills import caches, connections, databases, moments, processes, requests, restarts  # noqa: F401  # each adds its drills
from tests.drills.client import Tally
from tests.drills.drill import DRILLS, QUIET_SECONDS, Drill, Measure, Scene
from tests.drills.limits import DESCRIPTORS, MEMORY_BYTES, SERVERS
from tests.drills.load import Load
from tests.drills.servers import cluster_files, small_volume
from tests.drills.stack import Stack, running_stack

MEGABYTE = 1_048_576
COLUMNS = ("sent", "right", "labelled", "transport", "repeated", "wrong", "lost")


@dataclass
class Result:
    """What came of one drill."""

    name: str
    tally: Tally
    recovered: float
    seconds: float
    measures: list[Measure]
    notes: list[str]

    @property
    def exceeded(self) -> list[Measure]:
        return [measure for measure in self.measures if measure.is_exceeded]

    def lines(self, *, is_verbose: bool) -> Iterator[str]:
        t = self.tally
        counts = "".join(f"{getattr(t, column):{len(column) + 3}}" for column in COLUMNS)
        yield f"{self.name:36}{counts}{self.recovered:9.1f} s{self.seconds:9.1f} s"
        for what, times in t.findings.most_common():
            yield f"    wrong {times} x {what}   [{t.samples[what][:500]}]"
        for measure in self.measures:
            if measure.is_exceeded or is_verbose:
                yield f"    {'exceeded ' if measure.is_exceeded else ''}{measure}"
        for note in self.notes:
            yield f"    {note}"
        if is_verbose:
            for what, times in t.failures.most_common():
                yield f"    {times} x {what}"


async def perform(drill: Drill, stack: Stack, load: Load) -> tuple[Result, bool]:
    """What came of a drill, and whether the stack can be used for the next one."""
    tally, begin, logs = Tally(), time.monotonic(), stack.log_ends()
    scene = Scene(stack, load, tally)
    # What the load knows grows with each drill; collections would stop all of its clients for longer and longer.
    gc.collect()
    gc.freeze()
    recovered, is_usable = 0.0, not drill.is_last
    stack.forget_use()
    try:
        async with load.running(tally, spared=drill.spared, excused=drill.excused):
            await load.settle(QUIET_SECONDS)
            scene.mend()
            await drill.fault(scene)
            recovered = await load.recover(scene.mended)
        await stack.all_ready(30)
        await load.verify()
    except Exception as error:
        is_usable = False
        place = traceback.extract_tb(error.__traceback__)[-1]
        tally.fail(f"the drill ended early: {type(error).__name__} {error}", f"{place.filename}:{place.lineno}")
    used = [(name, process.use, MEMORY_BYTES, DESCRIPTORS) for name, process in stack.processes.items()]
    used += [(name, stack.server_use[name], *limits) for name, limits in SERVERS.items()]
    for name, use, memory_bytes, descriptors in used:
        scene.measure(f"{name} memory, MB", use.memory_bytes / MEGABYTE, memory_bytes / MEGABYTE)
        scene.measure(f"{name} descriptors", use.descriptors, descriptors)
    messages, answers = stack.error_lines(logs)
    for message, times in messages.most_common(5):
        scene.note(f"logged as an error {times} x {message[:200]}")
    for request in answers.elements():
        tally.fail("answered by 500, says the log", request)
    result = Result(drill.name, tally, recovered, time.monotonic() - begin, scene.measures, scene.notes)
    return result, is_usable and not tally.lost


async def run(names: list[str], *, is_verbose: bool, logs: Path | None) -> int:
    results: list[Result] = []
    with ExitStack() as whole:
        state = whole.enter_context(temporary_state(memory()))
        programs, template = whole.enter_context(cluster_files(state))
        volume = state / "volume"
        is_small = whole.enter_context(small_volume(volume))
        # The stack cannot be used after the last one.
        waiting = sorted((DRILLS[name] for name in names), key=lambda drill: drill.is_last)
        number = 0
        print(f"{'drill':36}", *(f"   {column}" for column in COLUMNS), "    recover       took", sep="")
        while waiting:
            number += 1
            folder = (logs or state / "logs") / f"stack{number}"
            folder.mkdir(parents=True)
            with running_stack(
                folder, programs, template, volume=volume, is_small=is_small, descriptors=DESCRIPTORS
            ) as stack:
                supervisor = asyncio.create_task(stack.supervise())
                load = Load(stack)
                await load.open()
                is_usable = True
                while waiting and is_usable:
                    drill = waiting.pop(0)
                    if reason := drill.skipped(stack):
                        print(f"{drill.name:36} skipped: {reason}", flush=True)
                        continue
                    result, is_usable = await perform(drill, stack, load)
                    results.append(result)
                    print(*result.lines(is_verbose=is_verbose), sep="\n", flush=True)
                supervisor.cancel()
                await load.close()
    return report(results)


def report(results: list[Result]) -> int:
    """Print the sums, and return the exit code."""
    peaks: dict[str, Measure] = {}
    for result in results:
        for measure in result.measures:
            if measure.what not in peaks or peaks[measure.what].value < measure.value:
                peaks[measure.what] = measure
    print("\nmost of all drills")
    for measure in peaks.values():
        print(f"    {'exceeded ' if measure.is_exceeded else ''}{measure}")
    wrong = sum(result.tally.wrong for result in results)
    lost = sum(result.tally.lost for result in results)
    exceeded = sum(len(result.exceeded) for result in results)
    print(f"{len(results)} drills in {sum(result.seconds for result in results):.0f} s, limits exceeded: {exceeded}")
    print(f"wrong: {wrong} lost: {lost}")
    return int(bool(wrong or lost or exceeded))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.drills", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="by default all")
    parser.add_argument("--list", action="store_true", help="print the names, and what is made to happen")
    parser.add_argument("--verbose", action="store_true", help="print every measure, and each kind of failure")
    parser.add_argument("--logs", type=Path, help="a folder in which the logs of all processes stay")
    given = parser.parse_args()
    if given.list:
        print(*(f"{name:36} {each.what}" for name, each in DRILLS.items()), sep="\n")
        return 0
    if unknown := [name for name in given.names if name not in DRILLS]:
        parser.error(f"no such drill: {', '.join(unknown)}; --list prints them")
    return asyncio.run(run(given.names or list(DRILLS), is_verbose=given.verbose, logs=given.logs))


if __name__ == "__main__":
    sys.exit(main())
