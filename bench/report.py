"""The results of a run: ratios within each round, their medians and spread, a table, and whether the limit is kept."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from bench.contenders import Contender
from bench.rounds import Measured

RESULTS = Path(__file__).with_name("results")
LIMIT = 2.5
NOISY = (0.85, 1.15)
Rounds = Sequence[Mapping[str, Measured]]


def spread(values: Sequence[float]) -> tuple[float, float, float]:
    """Median and quartiles; of a single value, that value three times."""
    if len(values) < 2:
        return values[0], values[0], values[0]
    lower, middle, upper = quantiles(values, n=4, method="inclusive")
    return middle, lower, upper


def ratios(rounds: Rounds, of: str, to: str, figure: Callable[[Measured], float]) -> tuple[float, float, float]:
    """The median, and the quartiles, of the ratios of two contenders within each round."""
    return spread([figure(one[of]) / figure(one[to]) for one in rounds])


def summary(
    contenders: Sequence[Contender], rounds: Rounds, statements: Mapping[str, float], held: Mapping[str, int]
) -> dict[str, Any]:
    """All figures of a run, as they are written to the results."""
    names = [c.name for c in contenders]
    found: dict[str, Any] = {
        name: {
            "cpu_us": spread([one[name].server for one in rounds]),
            "cpu_ratio_to_raw": ratios(rounds, name, "raw", lambda m: m.server),
            "hop_us": spread([one[name].hop for one in rounds]),
            "database_us": spread([one[name].database for one in rounds]),
            "per_second": spread([one[name].rate for one in rounds]),
            "p50_ms": median(one[name].p50_ms for one in rounds),
            "p99_ms": median(one[name].p99_ms for one in rounds),
            "statements_per_request": statements[name],
            "connections": held[name],
        }
        for name in names
    }
    forwarding = ratios(rounds, "gateway", "nginx", lambda m: m.hop) if {"gateway", "nginx"} <= set(names) else None
    page, same = found["service"]["cpu_ratio_to_raw"][0], found["raw_again"]["cpu_ratio_to_raw"][0]
    return {
        "contenders": found,
        "gateway_hop_ratio_to_nginx": forwarding,
        "page_ratio": page,
        "limit": LIMIT,
        "kept": page <= LIMIT,
        "noisy": not NOISY[0] <= same <= NOISY[1],
    }


def table(contenders: Sequence[Contender], found: Mapping[str, Any]) -> str:
    """The run as one Markdown table, and below it the hops and whether the limit is kept."""
    lines = [
        "| a filtered page of 50 rows | server CPU, µs | : raw | PostgreSQL CPU, µs | requests/s | p50, p99 ms"
        " | statements | connections |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for c in contenders:
        row = found["contenders"][c.name]
        lines.append(
            f"| {c.label} | {shown(row['cpu_us'], '.0f')} | {shown(row['cpu_ratio_to_raw'], '.2f')}"
            f" | {row['database_us'][0]:.0f} | {row['per_second'][0]:.0f} | {row['p50_ms']:.1f}, {row['p99_ms']:.1f}"
            f" | {row['statements_per_request']:g} | {row['connections']} |"
        )
    lines.append("")
    for c in contenders:
        if c.behind:
            lines.append(f"{c.name} alone: {shown(found['contenders'][c.name]['hop_us'], '.0f')} µs of CPU per request")
    if found["gateway_hop_ratio_to_nginx"]:
        lines.append(f"gateway : nginx = {shown(found['gateway_hop_ratio_to_nginx'], '.2f')}")
    verdict = "kept" if found["kept"] else "not kept"
    noise = "; the run is noisy (see A/A), repeat it" if found["noisy"] else ""
    lines.append(f"page : raw = {found['page_ratio']:.2f}, limit {found['limit']:.2f}: {verdict}{noise}")
    return "\n".join(lines)


def save(comparison: str, everything: Mapping[str, Any]) -> None:
    """Write all figures of a run into a file of its own in `bench/results`."""
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / time.strftime(f"{comparison}-%Y%m%dT%H%M%SZ.json", time.gmtime())
    file.write_text(json.dumps(everything, indent=1) + "\n", encoding="utf-8")


def shown(values: tuple[float, float, float], form: str) -> str:
    """A median with its quartiles in brackets."""
    middle, lower, upper = (format(value, form) for value in values)
    return f"{middle} ({lower}–{upper})"  # noqa: RUF001
