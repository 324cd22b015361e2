"""Runs comparisons with other programs: `python -m bench [NAME ...] [--write]`; QUICK=1 and SIZES= say how large."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import asdict

from bench import bulk, document, gateway, growth, lists, markers, processes, report, writes
from bench.figures import Outcome, verdicts
from bench.scale import Scale
from mmptf_local.processes import CannotStart

COMPARISONS = {
    "lists": lists.compare,
    "gateway": gateway.compare,
    "growth": growth.compare,
    "bulk": bulk.compare,
    "writes": writes.compare,
    "markers": markers.compare,
}


def main() -> int:
    """Run and print; returns 1 when something cannot be started, or a goal that was once met is lost, else 0."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="compare with other programs, in one run")
    parser.add_argument("names", nargs="*", choices=[*COMPARISONS, []], metavar="NAME", help=", ".join(COMPARISONS))
    parser.add_argument("--write", action="store_true", help="write docs/performance.md, as a whole run does")
    given = parser.parse_args()
    scale = Scale.of_environment()
    names = given.names or list(COMPARISONS)
    outcomes: list[Outcome] = []
    for name in names:
        try:
            outcome = COMPARISONS[name](scale, _progress)
        except CannotStart as error:
            print(error, file=sys.stderr)
            return 1
        finally:
            processes.unpin()
        report.save(name, asdict(outcome))
        print(f"## {outcome.title}\n\n{outcome.text}\n")
        for peer, reason in outcome.not_measured.items():
            print(f"not measured: {peer}, since {reason}")
        outcomes.append(outcome)
    for outcome in outcomes:
        for figure in outcome.figures:
            print(f"figure {figure.name} {figure.value:.4g}")
    lines, lost = verdicts(outcomes)
    print("", *lines, sep="\n")
    if given.write or not (given.names or scale.is_quick):
        document.write(outcomes, _command(given.names))
    return int(bool(lost))


def _command(names: list[str]) -> str:
    settings = [f"{name}={os.environ[name]}" for name in ("QUICK", "SIZES") if os.environ.get(name)]
    arguments = [f'ARGS="{" ".join(names)}"'] if names else []
    return " ".join([*settings, "make bench", *arguments])


def _progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
