"""Rules of statements for a period: the balances that they state, as sums of kinds of entries with their signs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from mmptf_funding.ledger.domain import LedgerEntryKind
from mmptf_funding.ledger.rules import SIGN, SOURCES, USES

Signs = Mapping[LedgerEntryKind, int]

# The cash with the administrative agent.
CASH: Signs = {kind: SIGN.get(kind, 1) for kind in SOURCES} | {kind: -SIGN.get(kind, 1) for kind in USES}
# What came in and was not allocated, less fees and costs: the cash without what is allocated and still to be paid out.
AVAILABLE_TO_ALLOCATE: Signs = {kind: sign for kind, sign in CASH.items() if kind not in ("transfer",)} | {
    "allocation": -1
}
NOT_YET_TRANSFERRED: Signs = {"allocation": 1, "transfer": -1}
# What organizations have received and neither returned nor spent.
WITH_ORGANIZATIONS: Signs = {"transfer": 1, "refund": -1, "expenditure": -1}
# What is available in a thematic area beside the lines of its statement.
OF_AREAS: tuple[LedgerEntryKind, ...] = ("deposit", "contributor_refund", "agent_fee", "allocation", "refund")
OTHER_AVAILABLE: Signs = {kind: sign for kind, sign in AVAILABLE_TO_ALLOCATE.items() if kind not in OF_AREAS}


@dataclass(frozen=True, slots=True)
class Earmarked:
    """The money of one thematic area, or without one, on a day.

    received:   what came in for it, less fees and costs; allocated: to programmes of the area, less what they refunded
    """

    received: Decimal
    allocated: Decimal

    @property
    def exceeding(self) -> Decimal:
        """What is allocated beyond what was received for it."""
        return max(self.allocated - self.received, Decimal(0))

    @property
    def left(self) -> Decimal:
        """What was received for it and is not allocated."""
        return max(self.received - self.allocated, Decimal(0))


def unearmarked_free(pool: Earmarked, areas: Sequence[Earmarked]) -> Decimal:
    """What is free of the money without a thematic area: below zero where areas have used the money of other areas.

    pool: the money without an area; areas: that of each area, which takes from the pool what exceeds its own
    """
    return pool.received - pool.allocated - sum((area.exceeding for area in areas), Decimal(0))
