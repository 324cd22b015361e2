"""The results of a run: ratios within each round, their medians and spread, tables, and files of all figures."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from bench.figures import Spread
from bench.rounds import Contender, Measured, Rounds

RESULTS = Path(__file__).with_name("results")


def spread(values: Sequence[float]) -> Spread:
    """Median and quartiles; of a single value, that value three times."""
    if len(values) < 2:
        return values[0], values[0], values[0]
    lower, middle, upper = quantiles(values, n=4, method="inclusive")
    return middle, lower, upper


def ratios(rounds: Rounds, of: str, to: str, figure: Callable[[Measured], float]) -> Spread:
    """The median, and the quartiles, of the ratios of two contenders within each round."""
    return spread([figure(one[of]) / figure(one[to]) for one in rounds])


def table(what: str, contenders: Sequence[Contender], rounds: Rounds, reference: str) -> str:
    """One comparison as a Markdown table; ratios are to the reference, within each round."""
    lines = [
        f"| {what} | requests/s of one core | : {_label(contenders, reference)} | CPU, µs | : the same"
        " | PostgreSQL CPU, µs | requests/s, reached | p50, p99 ms | of its core | load, µs |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for each in contenders:
        measured = [one[each.name] for one in rounds]
        cells = [
            each.label,
            f"{median(one.capacity for one in measured):,.0f}",
            shown(ratios(rounds, each.name, reference, lambda m: m.capacity), ".2f"),
            f"{median(one.server for one in measured):,.0f}",
            shown(ratios(rounds, each.name, reference, lambda m: m.server), ".2f"),
            f"{median(one.database for one in measured):,.0f}" if each.database else "–",  # noqa: RUF001
            f"{median(one.rate for one in measured):,.0f}",
            f"{median(one.p50_ms for one in measured):.1f}, {median(one.p99_ms for one in measured):.1f}",
            f"{median(one.busy for one in measured):.0%}",
            f"{median(one.load for one in measured):.0f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _label(contenders: Sequence[Contender], name: str) -> str:
    return next(each.label for each in contenders if each.name == name)


def each_round(rounds: Rounds) -> list[dict[str, Any]]:
    """All that was measured, for a file."""
    return [{name: asdict(measured) for name, measured in one.items()} for one in rounds]


def save(comparison: str, everything: Mapping[str, Any]) -> None:
    """Write all figures of a run into a file of its own in `bench/results`."""
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / time.strftime(f"{comparison}-%Y%m%dT%H%M%SZ.json", time.gmtime())
    file.write_text(json.dumps(everything, indent=1) + "\n", encoding="utf-8")


def shown(values: Spread, form: str) -> str:
    """A median with its quartiles in brackets."""
    middle, lower, upper = (format(value, form) for value in values)
    return f"{middle} ({lower}–{upper})"  # noqa: RUF001
