"""What follows from a programme's facts, without I/O: its coarse stage, and to whom its budget belongs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_DOWN, Decimal

from mmptf_common.wire.codes import NOT_STATED, SHARED

CENT = Decimal("0.01")
WHOLE = Decimal(100)

STAGE_OF_STATUS = {
    "concept_note": "concept",
    "pipeline": "pipeline",
    "approved": "funded",
    "implementation": "funded",
    "suspended": "funded",
    "operationally_closed": "closed",
    "financially_closed": "closed",
    "not_selected": "dropped",
    "withdrawn": "dropped",
    "cancelled": "dropped",
    "not_stated": "not_stated",
}


def divide(amount: Decimal, shares: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Divide an amount by shares of per cent, to the cent: the parts add up to the amount exactly.

    Every part is rounded down; the cents that are left go one each to the largest remainders (ties by code).
    Raises ValueError when the shares do not add up to 100.
    """
    if sum(shares.values()) != WHOLE:
        raise ValueError(f"shares add up to {sum(shares.values())}, not to 100")
    exact = {code: amount * share / WHOLE for code, share in shares.items()}
    parts = {code: part.quantize(CENT, ROUND_DOWN) for code, part in exact.items()}
    left = int((amount - sum(parts.values())) / CENT)
    for code in sorted(exact, key=lambda c: (parts[c] - exact[c], c))[:left]:
        parts[code] += CENT
    return parts


def attribute(amount: Decimal, groups: Sequence[str], *, complete: bool = True) -> dict[str, Decimal]:
    """Whose an undivided amount is: the only group's, shared when there are several, not stated when there is none.

    A list that is not complete never owns the amount alone: there may be another group that no source names.
    """
    distinct = set(groups)
    if not distinct:
        return {NOT_STATED: amount}
    if len(distinct) > 1 or not complete:
        return {SHARED: amount}
    return {distinct.pop(): amount}


def attribute_places(
    amount: Decimal, shares: Mapping[str, Decimal | None], region_of: Mapping[str, str | None], *, complete: bool
) -> tuple[dict[str, Decimal], dict[str, Decimal]]:
    """The amount by country and by region: divided where every share is stated, else never repeated per place."""
    stated = {code: share for code, share in shares.items() if share is not None}
    if complete and shares and len(stated) == len(shares):
        by_country = divide(amount, stated)
        by_region: dict[str, Decimal] = {}
        for code, part in by_country.items():
            region = region_of[code] or NOT_STATED
            by_region[region] = by_region.get(region, Decimal(0)) + part
        return by_country, by_region
    regions = [region or NOT_STATED for region in (region_of[code] for code in shares)]
    return attribute(amount, list(shares), complete=complete), attribute(amount, regions, complete=complete)
