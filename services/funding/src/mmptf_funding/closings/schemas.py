"""The wire shapes of financial closing: the settlement of a programme, and the certificate of its final figures."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field

from mmptf_common.http.parameters import ListQuery, order_by
from mmptf_common.wire.base import Code, Day, ListedCode, RequestModel, ResponseModel, Text, worded
from mmptf_common.wire.codes import ProgrammeStatus
from mmptf_common.wire.money import AmountSent, Money
from mmptf_common.wire.pages import Page
from mmptf_common.wire.sources import SourceRef
from mmptf_funding.closings import domain
from mmptf_funding.closings.domain import ClosingState, SettlementGapKind
from mmptf_funding.ledger.domain import CURRENCY, Sum

# An amount that may be nothing.
AmountOrNothing = Annotated[
    str,
    Field(
        pattern=worded(
            r"^(0|[1-9][0-9]{0,13})\.[0-9]{2}$", 'an amount as text with two decimals, zero or more, such as "0.00"'
        ),
        examples=["0.00"],
    ),
]


def _usd(amount: str) -> Sum:
    return Sum(amount=Decimal(amount), currency=CURRENCY)


class CertifiedFiguresSent(RequestModel):
    """The final figures of one organization, in US dollars; they have to be those of the ledger to the cent."""

    organization: ListedCode
    """Code of the organization, as in the catalogue."""
    transferred: AmountOrNothing
    """What it has received for the programme."""
    refunded: AmountOrNothing
    """What it has returned of it."""
    expenditure: AmountOrNothing
    """What it has spent."""

    def figures(self) -> domain.CertifiedFigures:
        """The figures with exact amounts."""
        return domain.CertifiedFigures(
            organization=self.organization,
            transferred=_usd(self.transferred),
            refunded=_usd(self.refunded),
            expenditure=_usd(self.expenditure),
        )


class PromisedRefundSent(RequestModel):
    """What an organization has not spent and has promised to return."""

    organization: ListedCode
    """Code of the organization, as in the catalogue."""
    amount: AmountSent
    """The amount in US dollars."""
    due: Day
    """Day up to which it is to be returned."""
    reference: Annotated[Text, Field(max_length=300)]
    """The document of the promise."""

    def promised(self) -> domain.PromisedRefund:
        """The promise with its exact amount and its day."""
        return domain.PromisedRefund(
            organization=self.organization,
            sum=_usd(self.amount),
            due=datetime.date.fromisoformat(self.due),
            reference=self.reference,
        )


class FinancialClosingSent(RequestModel):
    """A certificate of the final figures of a programme."""

    programme: ListedCode
    """Code of the programme, as in the catalogue, whose activities have ended."""
    date: Annotated[Day, Field(description="Day of the certificate, not before the last entry and not in the future.")]
    document: Annotated[Text, Field(max_length=300)]
    """The certified final statement, such as its title and number."""
    signatory: Annotated[Text, Field(max_length=300)]
    """The office that signed it, such as the comptroller of the organization."""
    figures: Annotated[list[CertifiedFiguresSent], Field(max_length=100)]
    """The figures of each organization that received money."""
    promised_refunds: Annotated[list[PromisedRefundSent], Field(max_length=100)] = []
    """What organizations have not spent and have promised to return; left out where everything is spent or returned."""


class ClosingWithdrawalSent(RequestModel):
    """Why a certificate is withdrawn."""

    reason: Annotated[Text, Field(max_length=2000, description="Why the certificate does not hold.")]


class CertifiedFigures(ResponseModel):
    """The final figures of one organization, as certified."""

    organization: Code
    """Code of the organization."""
    transferred: Money
    """What it had received for the programme."""
    refunded: Money
    """What it had returned of it."""
    expenditure: Money
    """What it had spent."""


class PromisedRefund(ResponseModel):
    """What an organization had not spent and promised to return."""

    organization: Code
    """Code of the organization."""
    sum: Money
    """The amount."""
    due: datetime.date
    """Day up to which it is to be returned."""
    reference: str
    """The document of the promise."""


class FinancialClosing(ResponseModel):
    """The certificate of the final figures of a programme. While it holds, nothing but refunds is entered for it."""

    code: Code
    """Code of the programme."""
    state: ClosingState
    """Whether the certificate holds."""
    date: datetime.date
    """Day of the certificate."""
    document: str
    """The certified final statement."""
    signatory: str
    """The office that signed it."""
    figures: list[CertifiedFigures]
    """The figures of each organization that received money; they were those of the ledger to the cent."""
    promised_refunds: list[PromisedRefund]
    """What organizations had not spent and promised to return; empty where everything was spent or returned."""
    reason: str | None
    """Why the certificate was withdrawn; null while it holds."""
    recorded_by: str | None
    """Code of the organization on whose behalf it was written; null where that was the operator of the service."""
    sources: list[SourceRef]
    """Where the facts were taken from: for each member one entry or several; none for what was not taken from anywhere.
    """
    updated: datetime.datetime
    """When the record was last written here, in UTC; not when its source was published."""


class FinancialClosingPage(Page[FinancialClosing]):
    """One page of financial closings."""


class FinancialClosingQuery(ListQuery):
    """Which financial closings."""

    sort: tuple[Literal["code", "-code", "date", "-date"], ...] = order_by("code")
    state: Annotated[
        list[ClosingState],
        Field(
            default_factory=list, max_length=100, description="Whether the certificate holds.", examples=["certified"]
        ),
    ]


class OrganizationSettlement(ResponseModel):
    """What one organization has received for a programme, returned and spent."""

    organization: Code
    """Code of the organization."""
    transferred: Money
    """What it has received."""
    refunded: Money
    """What it has returned."""
    expenditure: Money
    """What it has spent."""
    unspent: Money
    """What it has neither spent nor returned; negative where it has spent more than it received."""
    promised: Money
    """What of it the certificate says will be returned."""


class SettlementGap(ResponseModel):
    """What a programme lacks that is to be closed financially."""

    kind: SettlementGapKind
    """What is missing."""
    organization: Code | None
    """Code of the organization whose part it is; null where it is the programme's."""
    amount: Money | None
    """The amount that is not settled; null where it is none."""
    detail: str
    """The same in words, for people."""


class ProgrammeSettlement(ResponseModel):
    """Whether the money of a programme is settled, so that its accounts can be closed, or what is missing."""

    programme: Code
    """Code of the programme, as at `/catalog/v1/programmes`."""
    status: ProgrammeStatus | None
    """Present status in the copy of the catalogue; null where the catalogue does not list the programme any more."""
    allocated: Money
    """Sum of the allocations of the ledger to the programme, net of reversals."""
    transferred: Money
    """What was transferred of it."""
    organizations: list[OrganizationSettlement]
    """Each organization that received money."""
    certificate: FinancialClosing | None
    """The certificate of its final figures; null where there is none that holds."""
    missing: list[SettlementGap]
    """What is not settled; empty where nothing is missing."""
    settled: bool
    """Whether nothing is missing; the catalogue takes the status `financially_closed` only then."""
    revision: int
    """Number of the last write that the answer contains; it only grows, and `as_of` takes it to read the same data
    again.
    """


# The example of the contract: invented, except for the codes.
CLOSING: dict[str, Any] = {
    "programme": "GMB-01",
    "date": "2026-10-30",
    "document": "Certified final financial statement, October 2026",
    "signatory": "Comptroller of the International Labour Organization",
    "figures": [
        {"organization": "ILO", "transferred": "40000.00", "refunded": "0.00", "expenditure": "38000.00"},
    ],
    "promised_refunds": [
        {"organization": "ILO", "amount": "2000.00", "due": "2026-12-31", "reference": "Letter of 30 October 2026"},
    ],
}
WITHDRAWAL = {"reason": "A refund was booked to the wrong programme."}
