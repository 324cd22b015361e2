"""What a run says: figures with their spread, and whether a goal that was once met is lost."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

GOALS = Path(__file__).with_name("goals.toml")
# Between these the A/A row of a comparison decides; outside, the machine was too busy for a result.
NOISY = (0.85, 1.15)
Spread = tuple[float, float, float]


@dataclass(frozen=True)
class Figure:
    """One figure: its median, and the quartiles of its rounds."""

    name: str
    value: float
    lower: float
    upper: float

    @classmethod
    def of(cls, name: str, spread: Spread) -> Figure:
        """The figure of a median with its quartiles, as `report.spread` returns it."""
        return cls(name, *spread)


@dataclass(frozen=True)
class Bars:
    """A plot: a row each with its label, and median and quartiles in the unit."""

    title: str
    unit: str
    rows: list[tuple[str, Spread]]


@dataclass(frozen=True)
class Outcome:
    """What one comparison found.

    text: tables and notes as Markdown; again: the A/A row, a ratio that is 1 on a quiet machine
    not_measured: peer -> why it is not among the contenders
    """

    name: str
    title: str
    text: str
    figures: list[Figure]
    again: Sequence[float]
    bars: list[Bars] = field(default_factory=list)
    not_measured: dict[str, str] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def is_noisy(self) -> bool:
        """Whether the machine was too busy for a result."""
        return not all(NOISY[0] <= each <= NOISY[1] for each in self.again)


@dataclass(frozen=True)
class Goal:
    """The goal of one figure, as it stands in goals.toml.

    noise: the share of the goal by which a run may miss it where it was once met
    """

    name: str
    at_most: float | None
    at_least: float | None
    is_met: bool
    noise: float

    def is_reached(self, value: float, noise: float = 0.0) -> bool:
        """Whether a value reaches the goal, or misses it by no more than this share."""
        if self.at_most is not None:
            return value <= self.at_most * (1 + noise)
        return self.at_least is None or value >= self.at_least * (1 - noise)

    @property
    def text(self) -> str:
        """The goal in words."""
        return f"at most {self.at_most:g}" if self.at_most is not None else f"at least {self.at_least:g}"


def goals() -> dict[str, Goal]:
    """The goals by the names of their figures."""
    found = tomllib.loads(GOALS.read_text(encoding="utf-8"))
    return {
        name: Goal(name, each.get("at_most"), each.get("at_least"), each["met"], each["noise"])
        for name, each in found.items()
    }


def verdicts(outcomes: Iterable[Outcome]) -> tuple[list[str], list[str]]:
    """A line for each figure with a goal, and the names of those whose goal was once met and is lost."""
    known = goals()
    lines, lost = [], []
    for outcome in outcomes:
        for figure in outcome.figures:
            goal = known.get(figure.name)
            if goal is None:
                continue
            if goal.is_reached(figure.value):
                verdict = "met" if goal.is_met else "met for the first time: set `met = true` in bench/goals.toml"
            elif not goal.is_met:
                verdict = "not met yet"
            elif goal.is_reached(figure.value, goal.noise):
                verdict = f"missed by less than the noise of {goal.noise:.0%}"
            elif outcome.is_noisy:
                verdict = "missed, but the machine was too busy to decide: repeat it"
            else:
                verdict = "LOST: it was met before"
                lost.append(figure.name)
            lines.append(f"{figure.name}: {figure.value:.3g}, goal {goal.text}: {verdict}")
    return lines, lost
