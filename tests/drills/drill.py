"""What a drill is: a fault that is made to happen under load, and what is measured of it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from tests.drills.client import Tally
from tests.drills.load import Load
from tests.drills.stack import Stack
from tests.suite import NAMES

QUIET_SECONDS = 2.0
"""Seconds of load before the fault, at least."""


@dataclass(frozen=True)
class Measure:
    """Something that has a limit."""

    what: str
    value: float
    limit: float

    @property
    def is_exceeded(self) -> bool:
        return self.value > self.limit

    def __str__(self) -> str:
        return f"{self.what}: {self.value:.4g} (limit {self.limit:.4g})"


@dataclass
class Scene:
    """A stack under load while a drill happens."""

    stack: Stack
    load: Load
    tally: Tally
    mended: float = field(default_factory=time.monotonic)
    measures: list[Measure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def mend(self) -> None:
        """From now on nothing is broken: seconds to recover are counted from here."""
        self.mended = time.monotonic()

    def measure(self, what: str, value: float, limit: float) -> None:
        self.measures.append(Measure(what, value, limit))

    def note(self, text: str) -> None:
        self.notes.append(text)


Fault = Callable[[Scene], Awaitable[None]]


@dataclass(frozen=True)
class Drill:
    """A fault: its function makes it happen, waits, and mends it.

    spared: the services, and the gateway for what it answers itself, whose callers see no failure
    excused: the kinds of requests that may fail all the same, because they are of the kind that the drill holds up
    skipped: why it cannot be made to happen on a machine; None where it can
    is_last: whether it leaves the stack so that no other drill follows on it
    """

    name: str
    fault: Fault
    spared: frozenset[str]
    excused: frozenset[str]
    skipped: Callable[[Stack], str | None]
    is_last: bool

    @property
    def what(self) -> str:
        return (self.fault.__doc__ or "").strip().splitlines()[0]


DRILLS: dict[str, Drill] = {}


def drill(
    *spared: str,
    excused: Sequence[str] = (),
    skipped: Callable[[Stack], str | None] = lambda stack: None,
    is_last: bool = False,
) -> Callable[[Fault], Fault]:
    """Add a function to the drills, under its own name."""

    def add(fault: Fault) -> Fault:
        name = fault.__name__.replace("_", "-")
        DRILLS[name] = Drill(name, fault, frozenset(spared), frozenset(excused), skipped, is_last)
        return fault

    return add


def others(*affected: str) -> tuple[str, ...]:
    """The kinds of processes whose callers are not affected."""
    return tuple(name for name in NAMES if name not in affected)
