"""The counts and sums of current grades that triggers write: of all programmes, and by group of each division."""

from __future__ import annotations

from decimal import Decimal

import sqlalchemy as sa

from mmptf_common.storage.rollups import Rollup
from mmptf_markers.current_grades import LEVELS


def _number(condition: str) -> tuple[str, sa.types.TypeEngine[int]]:
    """SQL that counts the rows of which a condition is true, and the type of the number."""
    return f"({condition})::int", sa.BigInteger()


def _sum(amount: str) -> tuple[str, sa.types.TypeEngine[Decimal]]:
    """SQL that adds up an amount, which may be null, and the type of the sum."""
    return f"coalesce({amount}, 0)", sa.Numeric()


CURRENT_GRADE_COUNT = Rollup(
    table="current_grade_count",
    of="current_grade",
    keys=("marker", "stage", "budget_stage", "currency", "grade", "rubric", "basis"),
    computed={
        "with_budget": _number("filtered.amount IS NOT NULL"),
        "amount": _sum("filtered.amount"),
        "with_allocation": _number("filtered.allocated IS NOT NULL"),
        "allocated": _sum("filtered.allocated"),
        "under_review": _number("filtered.under_review"),
        "returned": _number("filtered.returned"),
    },
    number="programmes",
    of_records=False,
)

# What the SQL function `groups_of_programme` divides, as its arguments.
_DIVIDED = (
    *("thematic_area", "assessed_stage", "countries", "organizations", *LEVELS.values()),
    *("amount", "place_parts", "organization_parts"),
    *("allocated", "allocated_place_parts", "allocated_organization_parts"),
)
# A row for each group that a programme is in or has money in, with its code, `shared` for what several have together;
# whether the programme is counted there, and whether its money is; and its part of the budget, and of what was
# allocated, null where no source states it.
_GROUPS = f"CROSS JOIN LATERAL groups_of_programme({', '.join(f'filtered.{name}' for name in _DIVIDED)}) AS part"
# In this order the index has the groups of a division beside one another.
_KEYS = ("marker", "stage", "division", "code", "grade", "rubric", "basis", "budget_stage", "currency")
CURRENT_GRADE_BY_GROUP = Rollup(
    table="current_grade_rollup_by_group",
    of="current_grade",
    keys=(),
    derived={name: (f"{'part' if name in ('division', 'code') else 'filtered'}.{name}", sa.Text()) for name in _KEYS},
    computed={
        "programmes": _number("part.is_counted"),
        "with_budget": _number("part.is_counted AND filtered.amount IS NOT NULL"),
        "with_allocation": _number("part.is_counted AND filtered.allocated IS NOT NULL"),
        "under_review": _number("part.is_counted AND filtered.under_review"),
        "returned": _number("part.is_counted AND filtered.returned"),
        "part_amount": _sum("part.budget"),
        "with_part_amount": _number("part.is_first AND part.budget IS NOT NULL"),
        "part_allocated": _sum("part.allocation"),
        "with_part_allocated": _number("part.is_first AND part.allocation IS NOT NULL"),
    },
    parts=_GROUPS,
    facet="group",
    of_records=False,
)
