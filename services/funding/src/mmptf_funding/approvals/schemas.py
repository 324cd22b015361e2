"""The wire shapes of proposed transfers, and of the limit above which they are needed."""

from __future__ import annotations

import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from mmptf_common.http.parameters import ListQuery, Values, order_by
from mmptf_common.wire.attachments import Attachment, AttachmentSent
from mmptf_common.wire.base import WHOLE, Code, Day, ListedCode, RequestModel, ResponseModel, Text
from mmptf_common.wire.money import AmountSent, Money
from mmptf_common.wire.pages import Page
from mmptf_common.wire.sources import SourceRef
from mmptf_funding.approvals.domain import ProposalState
from mmptf_funding.ledger import domain
from mmptf_funding.ledger.schemas import Account, Decision, LedgerEntrySent, LedgerFlagDetail, ValueDate

Reason = Annotated[Text, Field(max_length=2000)]

# --- the limit ------------------------------------------------------------------------------------------------------


class TransferLimitSent(RequestModel):
    """From which amount on a second person approves a transfer, and from when on that holds."""

    amount: AmountSent | None
    """Amount in US dollars above which a transfer needs a second person; null where from then on none does."""
    since: Annotated[
        Day | None, Field(description="First day on which it holds, today or later; left out for today.")
    ] = None
    reason: Reason
    """Why it is set, such as the rule of the agent's financial regulations."""
    reference: Annotated[Text, Field(max_length=300)] | None = None
    """The document that states it."""


class TransferLimit(ResponseModel):
    """From which amount on a second person approves a transfer. Of a day the last one that has begun counts, and of
    several with the same first day the one that was stated last. None is ever changed.
    """

    code: Code
    """Code of the limit, such as `TL-000001`; limits are numbered in the order in which they are stated."""
    since: datetime.date
    """First day on which it holds: for entries that are written on that day or later, whatever day they are of."""
    amount: Money | None
    """Amount above which a transfer needs a second person; null where none does."""
    reason: str
    """Why it is set."""
    reference: str | None
    """The document that states it; null where none was stated."""
    recorded_by: str | None
    """Code of the organization on whose behalf it was stated; null where that was the operator of the service."""
    sources: list[SourceRef]
    """Where the facts were taken from: for each member one entry or several; none for what was not taken from anywhere.
    """
    updated: datetime.datetime
    """When the record was last written here, in UTC."""


class TransferLimitPage(Page[TransferLimit]):
    """One page of limits."""


class TransferLimitQuery(ListQuery):
    """Which limits, and in which order."""

    sort: tuple[Literal["code", "-code", "since", "-since"], ...] = order_by("code")


# --- proposals ------------------------------------------------------------------------------------------------------


class TransferProposalSent(RequestModel):
    """A transfer that another person is to approve, in US dollars."""

    date: Annotated[Day, Field(description="Day from which it counts in balances; not in the future.")]
    amount: AmountSent
    """The amount in US dollars, as decimal text above zero."""
    programme: Code
    """Code of the programme that it is for, as in the catalogue."""
    organization: ListedCode
    """Code of the participating UN organization that receives it, as in the catalogue."""
    tranche: Annotated[int, Field(strict=True, ge=1, le=99), WHOLE] | None = None
    """Number of the instalment, from 1, where it is paid in several."""
    corrects: Code | None = None
    """Code of an earlier entry whose mistake this one makes good; both go on to count."""
    value_date: ValueDate | None = None
    account: Account | None = None
    bank_reference: Annotated[Text, Field(max_length=140)] | None = None
    """The text by which the statement of the bank names it."""
    decision: Decision | None = None
    attachments: Annotated[list[AttachmentSent], Field(max_length=20)] = []
    """Documents behind it that are stored elsewhere."""
    reference: Annotated[Text, Field(max_length=300)] | None = None
    """The document or the decision behind it."""
    note: Reason | None = None
    """What a reader of the entry has to know."""

    def entry(self, recorded_by: str | None) -> domain.Entry:
        """The entry of the ledger that it is to become, proposed on behalf of an organization."""
        return LedgerEntrySent(kind="transfer", **dict(self)).entry(recorded_by)


class ProposedTransfer(ResponseModel):
    """A transfer as it was proposed."""

    date: datetime.date
    """Day from which it counts in balances."""
    sum: Money
    """The amount, in US dollars."""
    programme: Code
    """Code of the programme that it is for."""
    organization: Code
    """Code of the participating UN organization that receives it."""
    tranche: int | None
    """Number of the instalment; null where none was stated."""
    corrects: Code | None
    """Code of an earlier entry whose mistake it makes good; null for most."""
    value_date: datetime.date | None
    """Day on which the bank counts it; null where none was stated."""
    account: str | None
    """Code of the Fund's bank account that it moves; null where none was stated."""
    bank_reference: str | None
    """The text by which the statement of the bank names it; null where none was stated."""
    decision: str | None
    """Code of the decision of the Steering Committee that it carries out; null where none was stated."""
    attachments: list[Attachment]
    """Documents behind it that are stored elsewhere; empty where none was stated."""
    reference: str | None
    """The document or the decision behind it; null where none was stated."""
    note: str | None
    """What a reader of the entry has to know; null where nothing was stated."""

    @classmethod
    def of(cls, entry: domain.Entry) -> ProposedTransfer:
        """The members of an entry that a proposal states."""
        return cls.model_validate(entry.model_dump(mode="json", include=set(cls.model_fields)))

    def entry(self, recorded_by: str | None, proposal: str) -> domain.Entry:
        """The entry of the ledger that it becomes, under the code of its proposal."""
        return domain.Entry(kind="transfer", **self.model_dump(), recorded_by=recorded_by, proposal=proposal)


class ProposalStep(ResponseModel):
    """Who has proposed a transfer or decided on it."""

    person: str
    """Pseudonym of the person, the same in all that this person proposes and decides. `/funding/v1/audit` names who
    made each write.
    """
    organization: Code | None
    """Code of the organization for which the person acted; null where the access token named none."""
    at: datetime.datetime
    """When, in UTC."""
    reason: str | None
    """Why it was rejected or withdrawn; null for a proposal and an approval."""


class TransferProposal(ResponseModel):
    """A transfer that one person of the administrative agent has proposed, and what became of it. Before another person
    approves it, it counts in no balance and no statement. For the administrative agent and the Fund's management unit.
    """

    code: Code
    """Code of the proposal, such as `TP-000001`; proposals are numbered in the order of writing."""
    state: ProposalState
    """What became of it."""
    transfer: ProposedTransfer
    """What is to be paid, to whom and for what."""
    flag_details: list[LedgerFlagDetail]
    """What was unusual about it when it was proposed; the entry has those of its approval."""
    proposed: ProposalStep
    """Who has proposed it."""
    decided: ProposalStep | None
    """Who has approved, rejected or withdrawn it; null while it waits."""
    entry: Code | None
    """Code of the entry of the ledger that it has become; null for all that are not approved."""
    updated: datetime.datetime
    """When the record was last written here, in UTC."""


class TransferProposalPage(Page[TransferProposal]):
    """One page of proposed transfers."""


class TransferProposalQuery(ListQuery):
    """Which proposed transfers, and in which order."""

    sort: tuple[Literal["code", "-code"], ...] = order_by("code")
    state: Annotated[
        list[ProposalState],
        Field(default_factory=list, max_length=100, description="What became of a proposal.", examples=["proposed"]),
    ]
    programme: Annotated[Values, Field(description="Code of a programme that a proposal names.", examples=["ETH-01"])]
    organization: Annotated[
        Values, Field(description="Code of an organization that a proposal names.", examples=["ILO"])
    ]


class ProposalEndSent(RequestModel):
    """Why a proposed transfer is rejected or withdrawn."""

    reason: Reason
    """Why."""


# The examples of request bodies in the contract: invented, except for the codes.
LIMIT = {"amount": "250000.00", "reason": "Two persons release what is above it.", "reference": "Financial rules, 4.2"}
PROPOSAL: dict[str, Any] = {
    "date": "2026-06-15",
    "amount": "60000.00",
    "programme": "ETH-01",
    "organization": "ILO",
    "tranche": 2,
    "account": "USD-MAIN",
    "reference": "Request of the organization of 1 June",
}
REJECTION = {"reason": "The organization has asked for less."}
WITHDRAWAL = {"reason": "It was entered for the wrong tranche."}
