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

# Groups of a total that are not codes: money that several codes share, and money whose code no source states. The
# second is also the value of a filter that finds the rows for which none is stated.
SHARED = "shared"
NOT_STATED = "not_stated"
# The group of a total that stands for those beyond the limit of a query.
REST = "rest"
