"""Whether a target is met: exact fractions, never rounded percentages."""

from __future__ import annotations

import math
from fractions import Fraction

from mmptf_markers.indicator.schemas import TargetStatus


def target_status(counted: int, programmes: int, minimum: Fraction) -> TargetStatus:
    """Whether a share of the programmes is reached; where there are none nothing is met and nothing is missed."""
    if not programmes:
        return "not_applicable"
    return "met" if Fraction(counted, programmes) >= minimum else "not_met"


def short_by(counted: int, programmes: int, minimum: Fraction) -> int:
    """How many more of the programmes have to count before the target is met; 0 when it is."""
    return max(0, math.ceil(minimum * programmes) - counted)
