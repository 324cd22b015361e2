"""Code lists that several services have in their answers."""

from __future__ import annotations

from typing import Literal

# Stages of the same money, from the requirement to the expenditure: a total has one stage, and stages are never added
# together. `programme_budget` and `contribution` are amounts whose source does not state the stage.
MoneyStage = Literal[
    "requirement",
    "programme_budget",
    "pledge",
    "contribution",
    "commitment",
    "deposit",
    "allocation",
    "transfer",
    "expenditure",
    "refund",
]

# The budget categories of the United Nations Sustainable Development Group.
BudgetCategory = Literal[
    "staff_and_personnel", "supplies", "equipment", "contractual_services", "travel", "transfers_and_grants",
    "general_operating_costs", "indirect_costs",
]  # fmt: skip

# The coarse life cycle of a programme in the catalogue.
ProgrammeStage = Literal["concept", "pipeline", "funded", "closed", "dropped", "not_stated"]

# The names of the Fund's thematic areas, as lines 40 to 44 of mptf-europe-brochure-2024 print them.
THEMATIC_AREAS = {
    "1": "Promoting fact-based and data-driven migration discourse, policy and planning",
    "2": "Protecting the human rights, safety and wellbeing of migrants, including through addressing drivers and"
    " mitigating situations of vulnerability in migration",
    "3": "Addressing irregular migration including through managing borders and combatting transnational crime",
    "4": "Facilitating regular migration, decent work and enhancing the positive development effects of human mobility",
    "5": "Improving the social inclusion and integration of migrants",
}

# Groups of a total that are not codes: money that several codes share, and money whose code no source states. The
# second is also the value of a filter that finds the rows for which none is stated.
SHARED = "shared"
NOT_STATED = "not_stated"
# The group of a total that stands for those beyond the limit of a query.
REST = "rest"
# The group, and the value of a filter, of what belongs to no single country or names no target population.
NONE = "none"
# No record has one of these as its code, in any case. The last two are segments of paths at the position where other
# paths of the same list have a code.
RESERVED_CODES = frozenset({SHARED, NOT_STATED, REST, NONE, "facets", "totals"})


def is_reserved(code: str) -> bool:
    """Whether a text is, in any case, the name of a group of totals or a segment of a path, and thus no code."""
    return code.lower() in RESERVED_CODES
