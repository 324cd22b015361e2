"""Rules of the indicator: whether a target is met, by exact fractions and never by rounded percentages."""

from __future__ import annotations

import math
from fractions import Fraction

from mmptf_markers.indicator.schemas import TargetStatus


def target_status(counted: int, unassessed: int, programmes: int, minimum: Fraction) -> TargetStatus:
    """Whether enough of the programmes count for a target, whatever the unassessed ones among them will be graded.

    `met`: enough count already; `not_met`: too few would count even if every unassessed programme did;
    `undetermined`: the unassessed decide it; `not_applicable`: there are no programmes
    """
    if not programmes:
        return "not_applicable"
    if Fraction(counted, programmes) >= minimum:
        return "met"
    return "undetermined" if Fraction(counted + unassessed, programmes) >= minimum else "not_met"


def short_by(counted: int, programmes: int, minimum: Fraction) -> int:
    """The number of programmes that are missing to meet a target; 0 when it is met."""
    return max(0, math.ceil(minimum * programmes) - counted)
