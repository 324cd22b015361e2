"""Code lists that several services have in their answers."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypeAliasType

MoneyStage = TypeAliasType(
    "MoneyStage",
    Literal[
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
    ],
)
"""Stage of money. They are stages of the same money: a sum has one of them, and they are never added together.

- `requirement`: what is asked for
- `programme_budget`: a programme's budget whose source does not say whether it is asked for or approved
- `pledge`: announced by a contributor
- `contribution`: given by a contributor; the source does not say whether it is committed or deposited
- `commitment`: in a signed administrative arrangement, paid or pending
- `deposit`: cash received
- `allocation`: approved by the Steering Committee for a programme
- `transfer`: paid to one participating UN organization for one programme
- `expenditure`: reported as spent by the participating UN organization
- `refund`: returned by a participating UN organization
"""

TotalStage = TypeAliasType(
    "TotalStage",
    Literal[
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
        "agent_fee",
        "direct_cost",
        "bank_charge",
        "interest",
    ],
)
"""Stage of money of all rows of a total, or the kind of entries of a ledger that are at no stage; never added together.

- `requirement`: what is asked for
- `programme_budget`: programmes' budgets whose source does not say whether they are asked for or approved
- `pledge`: announced by contributors
- `contribution`: given by contributors; the source does not say whether it is committed or deposited
- `commitment`: in signed administrative arrangements, paid or pending
- `deposit`: cash received
- `allocation`: approved by the Steering Committee for programmes
- `transfer`: paid to participating UN organizations for programmes
- `expenditure`: reported as spent by participating UN organizations
- `refund`: returned by participating UN organizations
- `agent_fee`: fees for the administration of the Fund
- `direct_cost`: direct costs of the Fund
- `bank_charge`: charges of banks
- `interest`: interest and other income of the Fund
"""

ProgrammeBudgetStage = TypeAliasType(
    "ProgrammeBudgetStage",
    Literal["programme_budget", "requirement", "allocation"],
)
"""Stage of money of a programme's budget; budgets of different stages are never added together.

- `programme_budget`: the source does not say whether it is asked for or approved
- `requirement`: asked for
- `allocation`: approved by the Steering Committee
"""

BudgetCategory = TypeAliasType(
    "BudgetCategory",
    Literal[
        "staff_and_personnel",
        "supplies",
        "equipment",
        "contractual_services",
        "travel",
        "transfers_and_grants",
        "general_operating_costs",
        "indirect_costs",
    ],
)
"""Budget category of the United Nations Sustainable Development Group (UNSDG).

- `staff_and_personnel`: staff and other personnel
- `supplies`: supplies, commodities and materials
- `equipment`: equipment, vehicles and furniture
- `contractual_services`: contractual services
- `travel`: travel
- `transfers_and_grants`: transfers and grants to counterparts
- `general_operating_costs`: general operating and other direct costs
- `indirect_costs`: indirect costs of the participating UN organization
"""

LifecycleStage = TypeAliasType(
    "LifecycleStage",
    Literal["concept", "pipeline", "funded", "closed", "dropped", "not_stated"],
)
"""Coarse part of a programme's life cycle, which follows from its status.

- `concept`: a concept note
- `pipeline`: in the pipeline of the Fund, not approved yet
- `funded`: approved, in implementation, or suspended
- `closed`: operationally or financially closed
- `dropped`: not selected, withdrawn or cancelled
- `not_stated`: the sources do not state the status
"""

AmountPrecision = TypeAliasType(
    "AmountPrecision",
    Literal["exact", "rounded"],
)
"""How exactly a source states an amount.

- `exact`: the amount to the cent
- `rounded`: rounded as printed, such as USD 1.5M
"""

DatePrecision = TypeAliasType(
    "DatePrecision",
    Literal["day", "month", "year"],
)
"""How exactly a source states a date, which is written as a day.

- `day`: the day itself is stated
- `month`: a month is stated, and the date is its last day
- `year`: a year is stated, and the date is its last day
"""

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
