"""The money of programmes by group and grade, where only a part of what a programme has may be asked for."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from mmptf_common.wire.codes import NOT_STATED, SHARED
from mmptf_markers.indicator.attribution import Asked, Attribution, StatedParts, attribute

# The divisions of which a programme can be in several groups.
LEVELS = ("region", "subregion", "intermediate_region")
OVERLAPPING = frozenset({"country", *LEVELS, "organization"})
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

    def add_budgets(self, stage: Stage, amount: Decimal, programmes: int = 1, *, is_shared: bool = False) -> None:
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


Graded = Mapping[str | None, Sums]
"""Grade -> the money of the programmes with it."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Which part of each programme's money a question asks for.

    countries, regions, organizations: the codes of its filters, among them `not_stated`; empty where it has none
    by: what the programmes are divided by
    places: place -> its regions; groups: place -> its region of the level that the programmes are divided by
    """

    countries: Collection[str]
    regions: Collection[str]
    organizations: Collection[str]
    by: str | None
    places: Mapping[str, Sequence[str]]
    groups: Mapping[str, str | None]

    def asked_of(self, stated: StatedParts) -> Asked:
        """What is asked for of a programme."""
        all_places, all_organizations = stated.places or (NOT_STATED,), stated.organizations or (NOT_STATED,)
        places, organizations = None, None
        if self.countries or self.regions:
            places = [code for code in all_places if self._is_chosen(code)]
        if self.organizations:
            organizations = [code for code in all_organizations if code in self.organizations]
        if self.by not in OVERLAPPING:
            return Asked(places, organizations)
        by_organization = self.by == "organization"
        asked, every = (organizations, all_organizations) if by_organization else (places, all_places)
        groups: dict[str | None, list[str]] = defaultdict(list)
        for code in every if asked is None else asked:
            groups[self._group_of(code)].append(code)
        return Asked(places, organizations, groups, by_organization)

    def _is_chosen(self, place: str) -> bool:
        regions = self.places.get(place) or (NOT_STATED,)
        of_country = not self.countries or place in self.countries
        return of_country and (not self.regions or any(region in self.regions for region in regions))

    def _group_of(self, code: str) -> str | None:
        if self.by in LEVELS:
            return self.groups.get(code)
        return None if code == NOT_STATED else code


@dataclass(slots=True)
class GroupedMoney:
    """The money of programmes by group, and the group of what several groups have together.

    sums: by group, those without a code under None; where nothing is divided into overlapping groups, by `key`
    shared: a row of counts for each programme with money that several groups have together
    programmes: the number of such programmes, whatever is known of their grades
    """

    sums: dict[str | None, dict[str | None, Sums]] = field(default_factory=lambda: defaultdict(no_sums))
    shared: list[dict[str, Any]] = field(default_factory=list)
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


def grouped(rows: Iterable[Mapping[str, Any]], parts: Parts) -> GroupedMoney:
    """The money of programmes by group and grade.

    rows: one for each programme, with the JSON of what sources state of the parts of its money; `is_told` is false for
    one that is left out by what is known of its grade
    """
    found = GroupedMoney()
    for row in rows:
        stated = _stated(row)
        asked = parts.asked_of(stated)
        is_shared = False
        for name in ("amount", "allocated"):
            if row[name] is None:
                continue
            for group, part, is_whole in _placed(row, attribute(row[name], stated, asked), asked):
                is_shared |= asked.groups is not None and group == SHARED
                if not row["is_told"]:
                    continue
                sums = found.sums[group][row["grade"]]
                if name == "amount":
                    sums.add_budgets((row["budget_stage"], row["currency"]), part, is_shared=is_whole)
                else:
                    sums.add_allocated(part, is_shared=is_whole)
        if is_shared:
            found.programmes += 1
            found.shared += [_counts_of(row)] if row["is_told"] else []
    return found


def _stated(row: Mapping[str, Any]) -> StatedParts:
    places = {place["code"]: place.get("share") for place in json.loads(row["places"])}
    # A copy that was made before these members were copied has none of them.
    of_budget = json.loads(row["budget_by_organization"] or "{}")
    return StatedParts(
        places={code: None if share is None else Decimal(share) for code, share in places.items()},
        organizations=row["organizations"],
        of_budget={code: Decimal(amount) for code, amount in of_budget.items()},
        partly_stated=json.loads(row["partly_stated"] or "[]"),
    )


def _placed(
    row: Mapping[str, Any], attribution: Attribution, asked: Asked
) -> Iterator[tuple[str | None, Decimal, bool]]:
    """The parts of an amount, each with its group, and whether it is a whole of which the part is not known."""
    is_grouped = asked.groups is not None
    if attribution.undivided is not None:
        yield SHARED if is_grouped else row["key"], attribution.undivided, True
    for group, part in attribution.parts.items():
        yield group if is_grouped else row["key"], part, False
    if attribution.shared is not None:
        yield SHARED, attribution.shared, False


def _counts_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row of counts of one programme."""
    return {
        "grade": row["grade"],
        "rubric": row["rubric"],
        "basis": row["basis"],
        "programmes": 1,
        "with_budget": int(row["amount"] is not None),
        "with_allocation": int(row["allocated"] is not None),
        "under_review": int(row["under_review"]),
        "returned": int(row["returned"]),
    }
