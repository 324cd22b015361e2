"""Rules of the indicator: whether a target is met, by exact fractions and never by rounded percentages."""

from __future__ import annotations

import math
from fractions import Fraction

from mmptf_markers.indicator.schemas import TargetStatus


def target_status(counted: int, undecided: int, programmes: int, not_held: int, minimum: Fraction) -> TargetStatus:
    """Whether enough of the programmes count for a target, whatever is still found out.

    undecided: the programmes among them that may still get a grade which counts
    not_held: how many more programmes there may be, of which nothing is known here
    `met`: enough count already; `not_met`: too few would count even if every undecided one did; `undetermined`: those
    or the ones that are not held decide it; `not_applicable`: there are no programmes
    """
    if not programmes:
        return "not_applicable"
    if Fraction(counted, programmes + not_held) >= minimum:
        return "met"
    most = Fraction(counted + undecided + not_held, programmes + not_held)
    return "undetermined" if most >= minimum else "not_met"


def short_by(counted: int, programmes: int, minimum: Fraction) -> int:
    """The number of programmes that are missing to meet a target; 0 when it is met."""
    return max(0, math.ceil(minimum * programmes) - counted)
