"""The money of programmes by group and grade, where only a part of what a programme has may be asked for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

Stage = tuple[str, str]
"""Stage of money and currency."""


@dataclass(slots=True)
class Sums:
    """The money of programmes with one grade.

    budgets, shared: sum and number of the programmes; allocated, allocated_shared: None where nothing was allocated.
    What is shared are whole amounts of which no source states how much is asked for.
    """

    budgets: dict[Stage, tuple[Decimal, int]] = field(default_factory=dict)
    shared: dict[Stage, tuple[Decimal, int]] = field(default_factory=dict)
    allocated: Decimal | None = None
    allocated_shared: Decimal | None = None

    def add_budgets(self, stage: Stage, amount: Decimal, programmes: int, *, is_shared: bool = False) -> None:
        """Add the budgets of some programmes."""
        sums = self.shared if is_shared else self.budgets
        before, number = sums.get(stage, (Decimal(0), 0))
        sums[stage] = before + amount, number + programmes

    def add_allocated(self, amount: Decimal, *, is_shared: bool = False) -> None:
        """Add what was allocated."""
        if is_shared:
            self.allocated_shared = (self.allocated_shared or Decimal(0)) + amount
        else:
            self.allocated = (self.allocated or Decimal(0)) + amount

    def add_parts(self, row: Mapping[str, Any], name: str = "") -> None:
        """Add what is certain of a row of sums, and what is undivided; name: what stands before the first."""
        stage = row["budget_stage"], row["currency"]
        for of, is_shared in ((name, False), ("undivided_", True)):
            # Of groups that overlap, what is undivided is in the rows of what they share.
            if programmes := row.get(f"with_{of}amount"):
                self.add_budgets(stage, row[f"{of}amount"], programmes, is_shared=is_shared)
            if row.get(f"with_{of}allocated"):
                self.add_allocated(row[f"{of}allocated"], is_shared=is_shared)


Graded = Mapping[str | None, Sums]
"""Grade -> the money of the programmes with it."""


@dataclass(slots=True)
class GroupedMoney:
    """The money of programmes by group, and the group of what several groups have together.

    sums: by group, those without a code under None
    shared: the rows of counts of the programmes with money that several groups have together
    programmes: the number of such programmes, whatever is known of their grades
    """

    sums: dict[str | None, dict[str | None, Sums]] = field(default_factory=lambda: defaultdict(no_sums))
    shared: Sequence[Mapping[str, Any]] = ()
    programmes: int = 0


def no_sums() -> dict[str | None, Sums]:
    """The money by grade, of no programme yet."""
    return defaultdict(Sums)


def sums_of(rows: Iterable[Mapping[str, Any]]) -> Graded:
    """The money by grade of rows of counts, all of which is asked for."""
    found = no_sums()
    for row in rows:
        sums = found[row["grade"]]
        if row["with_budget"]:
            sums.add_budgets((row["budget_stage"], row["currency"]), row["amount"], row["with_budget"])
        if row["with_allocation"]:
            sums.add_allocated(row["allocated"])
    return found
