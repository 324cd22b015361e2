"""docs/performance.md, written from the outcomes of a run, with its plots beside it."""

from __future__ import annotations

import os
import platform
import re
import time
from collections.abc import Sequence
from pathlib import Path

from bench import plots, report
from bench.figures import Outcome, goals

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "performance.md"
PLOTS = DOCUMENT.with_name("performance")
HEAD = """# Performance

This page and its plots are written by `make bench`, which compares the suite with other programs in one run, on the
same rows. Ratios are made within each round and their median is shown, with the quartiles in brackets; the order of the
contenders changes from round to round. Each comparison has a contender twice (A/A): the distance of that row from 1 is
the error of the run. Absolute figures of two machines, or of two runs, are not comparable.
How to run it: [bench](../bench/README.md).
"""


def write(outcomes: Sequence[Outcome], command: str) -> None:
    """Write the page and its plots anew."""
    PLOTS.mkdir(exist_ok=True)
    for old in PLOTS.glob("*.svg"):
        old.unlink()
    parts = [HEAD.strip(), f"{_machine()} Command: `{command}`.", _figures(outcomes)]
    for outcome in outcomes:
        parts += [f"## {outcome.title}", *_plots(outcome), outcome.text]
        again = ", ".join(f"{each:.2f}" for each in outcome.again)
        noise = " The machine was too busy for a result." if outcome.is_noisy else ""
        parts.append(f"A/A: {again}.{noise}")
        parts += [f"Not measured: {peer}, since {reason}." for peer, reason in outcome.not_measured.items()]
    DOCUMENT.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _machine() -> str:
    model = "an unknown processor"
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    day = time.strftime("%-d %B %Y", time.gmtime())
    return f"Measured on {day}: {len(os.sched_getaffinity(0))} cores of {model}, Python {platform.python_version()}."


def _figures(outcomes: Sequence[Outcome]) -> str:
    known = goals()
    lines = ["| figure | measured | goal | |", "|---|--:|---|---|"]
    for outcome in outcomes:
        for figure in outcome.figures:
            goal = known.get(figure.name)
            met = "" if goal is None else "met" if goal.is_reached(figure.value) else "not met"
            shown = report.shown((figure.value, figure.lower, figure.upper), ".3g")
            lines.append(f"| `{figure.name}` | {shown} | {goal.text if goal else '–'} | {met} |")  # noqa: RUF001
    measured = {figure.name for outcome in outcomes for figure in outcome.figures}
    lines += [
        f"| `{goal.name}` | not measured in this run | {goal.text} | |"
        for goal in known.values()
        if goal.name not in measured
    ]
    return "\n".join(lines)


def _plots(outcome: Outcome) -> list[str]:
    found = []
    for number, plot in enumerate(outcome.bars, start=1):
        name = f"{outcome.name}-{number}.svg"
        (PLOTS / name).write_text(plots.bars(plot), encoding="utf-8")
        found.append(f"![{re.sub(r'[][]', '', plot.title)}]({PLOTS.name}/{name})")
    return found
