"""Code lists that two services put on the wire."""

from __future__ import annotations

from typing import Literal

# Stages of the same money, from what is asked for to what is spent: a total names its stage, and stages are never
# added together. `programme_budget` and `contribution` are what a source prints without saying which stage it is.
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

# The budget categories of the United Nations Sustainable Development Group; the last is what the others support.
BudgetCategory = Literal[
    "staff_and_personnel", "supplies", "equipment", "contractual_services", "travel", "transfers_and_grants",
    "general_operating_costs", "indirect_costs",
]  # fmt: skip

# Groups of a total that are no codes: money that several share, and money whose code no source states.
SHARED = "shared"
NOT_STATED = "not_stated"
