"""Runs one of the comparisons: `python -m bench [--bulk | --markers] [--quick] [--gate]`."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from typing import Any

from bench import bulk, markers, processes, report
from bench.contenders import Contender, start
from bench.data import PROGRAMMES, fill
from bench.rounds import CONNECTIONS, check_bodies, count_statements, held_connections, run_round
from mmptf_local.cache import running_cache
from mmptf_local.postgres import running_postgres
from mmptf_local.processes import CannotStart
from mmptf_local.state import temporary_state


def main() -> int:
    """Run and print; returns 1 with --gate when a limit is exceeded or the run was too noisy to decide, else 0."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="compare with peers, in one run")
    parser.add_argument("--bulk", action="store_true", help="import and export of a million rows, instead of a page")
    parser.add_argument("--markers", action="store_true", help="scores, and the indicator over many programmes")
    parser.add_argument("--quick", action="store_true", help="about 40 seconds; with --bulk a tenth of the rows")
    parser.add_argument("--gate", action="store_true", help="exit with 1 when a limit is exceeded")
    options = parser.parse_args()
    try:
        if options.bulk:
            found = bulk.run(100_000 if options.quick else 1_000_000, _progress)
        else:
            rounds, seconds = (4, 1.0) if options.quick else (12, 2.0)
            found = (markers.run if options.markers else run)(rounds, seconds, _progress)
    except CannotStart as error:
        print(error, file=sys.stderr)
        return 1
    return int(options.gate and (not found["kept"] or found["noisy"]))


def run(rounds: int, seconds: float, progress: Callable[[str], None]) -> dict[str, Any]:
    """The figures of a run: start everything, measure, print the table, write the results, stop everything."""
    cores = sorted(os.sched_getaffinity(0))
    ours, others = (cores[0], cores[1]) if len(cores) > 1 else (None, None)
    lines: list[str] = []
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_state())
        database = running_postgres(
            folder, databases=["catalog"], durable=False, log=lambda _, line: lines.append(line)
        )
        postgres = stack.enter_context(database)
        cache = stack.enter_context(running_cache())
        if others is not None:
            for pid in (os.getpid(), postgres.child.process.pid, cache.child.process.pid):
                processes.pin(pid, others)
        asyncio.run(fill(postgres.url("catalog")))
        progress(f"{PROGRAMMES} made-up programmes are loaded")
        contenders = start(stack, folder, postgres.url("catalog"), cache.url, postgres.port)
        if ours is not None:
            for contender in contenders:
                processes.pin(contender.child.process.pid, ours)
        length = check_bodies(contenders)
        if all(contender.name != "nginx" for contender in contenders):
            progress("nginx is not installed: its row is left out")
        progress(f"{len(contenders)} contenders give the same {length} bytes")
        run_round(contenders, postgres, seconds / 2)
        measured = []
        for number in range(rounds):
            measured.append(run_round(_turned(contenders, number), postgres, seconds))
            progress(f"round {number + 1} of {rounds}")
        held = held_connections(contenders)
        statements = count_statements(contenders, postgres, lines)
    found = report.summary(contenders, measured, statements, held)
    print(report.table(contenders, found))
    how = {"cores": len(cores), "rounds": rounds, "seconds": seconds, "callers": CONNECTIONS, "body_bytes": length}
    everything = {**found, "how": how, "each_round": [{n: asdict(m) for n, m in one.items()} for one in measured]}
    report.save("page", everything)
    return found


def _progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _turned(contenders: list[Contender], number: int) -> list[Contender]:
    """The order of one round: each begins once, and every second round runs backwards."""
    first = number % len(contenders)
    turned = contenders[first:] + contenders[:first]
    return turned if number % 2 == 0 else turned[::-1]


if __name__ == "__main__":
    sys.exit(main())
