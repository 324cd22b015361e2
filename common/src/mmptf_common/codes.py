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

# Groups of a total that are no codes: money that several share, and money whose code no source states.
SHARED = "shared"
NOT_STATED = "not_stated"
