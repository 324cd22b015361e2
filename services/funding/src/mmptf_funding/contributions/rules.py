"""Why what sources print as contributed and what the ledger has as deposited are not the same."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from mmptf_funding.contributions.domain import ContributionStage

_OF_STAGE: dict[ContributionStage, str] = {
    "contribution": "The source does not say whether the contributions are commitments or deposits.",
    "pledge": "The source prints pledges, of which a part may not be paid.",
    "commitment": "The source prints commitments, of which a part may be still to be paid.",
    "deposit": "Both are deposits: one of them is incomplete.",
}


def reason_of_difference(stage: ContributionStage, as_of: date, printed: Decimal, deposited: Decimal) -> str | None:
    """Why a printed sum differs from the deposits of the ledger up to the same day; None where it does not."""
    if printed == deposited:
        return None
    if not deposited:
        return (
            f"{_OF_STAGE[stage]} The ledger has no deposits up to {as_of}: those of before it was kept are not entered."
        )
    more = "more" if printed > deposited else "less"
    return f"{_OF_STAGE[stage]} It prints {more} than the deposits that are entered in the ledger up to {as_of}."
