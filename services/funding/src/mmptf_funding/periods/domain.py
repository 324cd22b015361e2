"""The status of accounting periods, and the lines of their certified figures."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from typing_extensions import TypeAliasType

PeriodStatus = TypeAliasType("PeriodStatus", Literal["open", "closed", "certified"])
"""Status of an accounting period.

- `open`: it takes entries
- `closed`: it takes no entry; it can be opened again, with a reason
- `certified`: it takes no entry, its figures are certified, and it is never opened again
"""

PeriodFigureLine = TypeAliasType(
    "PeriodFigureLine",
    Literal[
        "opening_cash",
        "deposit",
        "interest",
        "transfer_from_fund",
        "other_income",
        "opening_balance",
        "total_sources",
        "transfer",
        "refund",
        "agent_fee",
        "direct_cost",
        "bank_charge",
        "contributor_refund",
        "transfer_to_fund",
        "total_uses",
        "closing_cash",
        "pledge",
        "commitment",
        "commitment_amendment",
        "exchange_difference",
        "allocation",
        "expenditure",
    ],
)
"""Line of the Fund's statement for a period, in US dollars.

- `opening_cash`: cash with the administrative agent at the end of the day before the period
- `deposit`: received from contributors in the period
- `interest`: interest on the Fund's money in the period
- `transfer_from_fund`: received from other funds in the period
- `other_income`: income of the period that is neither given nor interest
- `opening_balance`: what was in bank accounts when their entries begin, where that is within the period
- `total_sources`: what came in during the period
- `transfer`: paid to participating UN organizations in the period
- `refund`: returned by them in the period, above zero; it reduces the uses
- `agent_fee`: fee of the administrative agent for the period
- `direct_cost`: direct costs of the Fund in the period
- `bank_charge`: bank charges of the period
- `contributor_refund`: returned to contributors in the period
- `transfer_to_fund`: paid to other funds in the period
- `total_uses`: what went out during the period, less refunds
- `closing_cash`: cash with the administrative agent at the end of the period
- `pledge`: announced in the period
- `commitment`: promised in signed arrangements in the period
- `commitment_amendment`: what amendments of the period have added to it or taken from it
- `exchange_difference`: what deposits of the period are more or less in US dollars than at the rates of commitments
- `allocation`: approved for programmes in the period
- `expenditure`: reported as spent for the period
"""

FigureComparison = TypeAliasType(
    "FigureComparison", Literal["not_certified", "equal", "difference_explained", "difference_unexplained"]
)
"""How the certified and the computed figure of a line compare.

- `not_certified`: no certified figure is stored for the line
- `equal`: both are the same to the cent
- `difference_explained`: they differ, and the difference is explained
- `difference_unexplained`: they differ, and nobody has explained it
"""


@dataclass(frozen=True, slots=True)
class Term:
    """A stored period: its code, its last day, and its status."""

    code: str
    end: date
    status: PeriodStatus
