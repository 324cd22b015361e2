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
"""Stage of money: how far an amount has come, from what is asked for to what is spent.

The same money passes through several stages, so amounts of different stages are never added together.

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
        "other_income",
        "opening_balance",
        "transfer_from_fund",
        "transfer_to_fund",
        "contributor_refund",
        "commitment_amendment",
        "exchange_difference",
        "bank_credit",
        "bank_debit",
    ],
)
"""What a total is a sum of: a stage of money, or, from `agent_fee` on, a kind of ledger entry that is at no stage; of
bank statements, what was added and what was taken.

Totals of different stages are never added together, since the same money passes through several.

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
- `interest`: interest on the Fund's money
- `other_income`: other income of the Fund
- `opening_balance`: what was in bank accounts when their entries begin
- `transfer_from_fund`: received from other funds
- `transfer_to_fund`: paid to other funds
- `contributor_refund`: returned to contributors
- `commitment_amendment`: what amendments have added to commitments, or taken from them
- `exchange_difference`: gains less losses of exchange on deposits for commitments in other currencies
- `bank_credit`: added to bank accounts, as their statements say
- `bank_debit`: taken from bank accounts, as their statements say
"""

ProgrammeBudgetStage = TypeAliasType(
    "ProgrammeBudgetStage",
    Literal["programme_budget", "requirement", "allocation"],
)
"""Whether a programme's budget is asked for or approved; budgets that differ in this are never added together.

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
"""What money is spent on: a budget category of the United Nations Sustainable Development Group (UNSDG).

- `staff_and_personnel`: staff and other personnel, such as consultants and volunteers
- `supplies`: supplies, commodities and materials, which are used up
- `equipment`: equipment, vehicles and furniture
- `contractual_services`: work that companies and institutions do under contract
- `travel`: journeys of staff, experts and participants
- `transfers_and_grants`: money passed on to counterparts, such as public bodies and civil society
- `general_operating_costs`: general operating and other direct costs, such as rent and communication
- `indirect_costs`: costs of the participating UN organization that belong to no single programme, such as its
  administration; limited to a part of its direct costs
"""

LifecycleStage = TypeAliasType(
    "LifecycleStage",
    Literal["concept", "pipeline", "funded", "closed", "dropped", "not_stated"],
)
"""Lifecycle stage of a programme: the coarse group of statuses that its status belongs to, for filters and charts.

- `concept`: a concept note, the first outline of a programme that an organization submits to the Fund
- `pipeline`: on the list of programmes that the Fund may approve (its pipeline), not approved yet
- `funded`: approved, in implementation, or suspended
- `closed`: operationally or financially closed
- `dropped`: not selected, withdrawn or cancelled
- `not_stated`: the sources do not state the status
"""

ProgrammeStatus = TypeAliasType(
    "ProgrammeStatus",
    Literal[
        "concept_note",
        "pipeline",
        "approved",
        "implementation",
        "operationally_closed",
        "financially_closed",
        "not_selected",
        "withdrawn",
        "suspended",
        "cancelled",
        "not_stated",
    ],
)
"""Where a programme stands in the procedure of the Fund, from its submission to the closure of its accounts.

- `concept_note`: submitted to the Fund as a concept note, a first outline
- `pipeline`: on the list of programmes that the Fund may approve, which changes with each meeting of its Steering
  Committee
- `approved`: approved by the Steering Committee, which decides what the Fund pays for; not begun yet
- `implementation`: being carried out
- `operationally_closed`: its activities have ended
- `financially_closed`: its accounts are closed
- `not_selected`: not selected for the Fund
- `withdrawn`: withdrawn by its organization before its approval
- `suspended`: stopped for a time after its approval
- `cancelled`: ended for good after its approval, before its time
- `not_stated`: the sources do not state it
"""

AmountPrecision = TypeAliasType(
    "AmountPrecision",
    Literal["exact", "rounded"],
)
"""How exactly a source states an amount.

- `exact`: to the cent
- `rounded`: rounded in the source, such as `USD 1.5M`
"""

DatePrecision = TypeAliasType(
    "DatePrecision",
    Literal["day", "month", "year"],
)
"""How exactly a date is known; it is always written as a day.

- `day`: the day is known
- `month`: only the month is known; show no day
- `year`: only the year is known; show neither day nor month
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
