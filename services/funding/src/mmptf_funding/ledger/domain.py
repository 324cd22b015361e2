"""The models of the ledger: entries with exact amounts and days."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer
from typing_extensions import TypeAliasType

from mmptf_common.wire.base import Code, ListedCode
from mmptf_common.wire.codes import BudgetCategory
from mmptf_common.wire.money import amount_text
from mmptf_common.wire.sources import SourceRef

LedgerEntryKindSent = TypeAliasType(
    "LedgerEntryKindSent",
    Literal[
        "pledge",
        "commitment",
        "commitment_amendment",
        "deposit",
        "contributor_refund",
        "allocation",
        "transfer",
        "expenditure",
        "refund",
        "transfer_from_fund",
        "transfer_to_fund",
        "direct_cost",
        "bank_charge",
        "interest",
        "other_income",
        "opening_balance",
    ],
)
"""Kind of an entry that can be sent: each but the agent's fee and the exchange difference, entered with their deposit.

- `pledge`: announced by a contributor
- `commitment`: promised by a contributor in a signed administrative arrangement
- `commitment_amendment`: what an agreed amendment or a partial cancellation adds to a commitment or takes from it
- `deposit`: received by the administrative agent from a contributor
- `contributor_refund`: returned by the administrative agent to a contributor, of what that one has deposited
- `allocation`: approved by the Fund's Steering Committee for a programme, or for one organization in it
- `transfer`: paid by the administrative agent to a participating UN organization for a programme
- `expenditure`: reported as spent by a participating UN organization
- `refund`: returned to the administrative agent by a participating UN organization
- `transfer_from_fund`: received from another fund, such as what is left of one that was closed
- `transfer_to_fund`: paid to another fund
- `direct_cost`: cost of running the Fund that is paid from its money, to the organization that is named, if any
- `bank_charge`: charge of a bank for the Fund's account
- `interest`: interest on the Fund's money: earned by the organization that is named, or else by the Fund itself
- `other_income`: income of the Fund that is neither given nor interest
- `opening_balance`: what was in a bank account when its entries here begin, by a document that states it
"""
LedgerEntryKind = TypeAliasType(
    "LedgerEntryKind",
    Literal[
        "pledge",
        "commitment",
        "commitment_amendment",
        "deposit",
        "exchange_difference",
        "contributor_refund",
        "allocation",
        "transfer",
        "expenditure",
        "refund",
        "transfer_from_fund",
        "transfer_to_fund",
        "agent_fee",
        "direct_cost",
        "bank_charge",
        "interest",
        "other_income",
        "opening_balance",
    ],
)
"""Kind of an entry of the ledger: what happened to the money, most of them stages of the same money.

- `pledge`: announced by a contributor
- `commitment`: promised by a contributor in a signed administrative arrangement
- `commitment_amendment`: what an agreed amendment or a partial cancellation adds to a commitment or takes from it
- `deposit`: received by the administrative agent from a contributor
- `exchange_difference`: what a deposit in another currency is more (or, below zero, less) in US dollars on its day than
  at the rate of its commitment; no cash, entered with the deposit
- `contributor_refund`: returned by the administrative agent to a contributor, of what that one has deposited
- `allocation`: approved by the Fund's Steering Committee for a programme, or for one organization in it
- `transfer`: paid by the administrative agent to a participating UN organization for a programme
- `expenditure`: reported as spent by a participating UN organization
- `refund`: returned to the administrative agent by a participating UN organization
- `transfer_from_fund`: received from another fund, such as what is left of one that was closed
- `transfer_to_fund`: paid to another fund
- `agent_fee`: fee of the administrative agent, 1 % of each deposit, half a cent rounded up, entered with it
- `direct_cost`: cost of running the Fund that is paid from its money, to the organization that is named, if any
- `bank_charge`: charge of a bank for the Fund's account
- `interest`: interest on the Fund's money: earned by the organization that is named, or else by the Fund itself
- `other_income`: income of the Fund that is neither given nor interest
- `opening_balance`: what was in a bank account when its entries here begin, by a document that states it
"""
LedgerFlag = TypeAliasType(
    "LedgerFlag",
    Literal[
        "expenditure_exceeds_transfers",
        "refund_exceeds_unspent",
        "deposit_exceeds_commitment",
        "deposit_in_other_currency",
        "unusual_for_status",
        "no_longer_taking_part",
        "allocation_exceeds_budget",
        "transfer_exceeds_organization_allocation",
        "expenditure_exceeds_budget_line",
        "indirect_costs_exceed_limit",
        "repeated_bank_reference",
        "transfers_of_day_exceed_limit",
    ],
)
"""What was unusual when an entry was written. The entry is valid all the same; ask its author whether it is right.

- `expenditure_exceeds_transfers`: more is spent than was transferred and not refunded, on its day or later
- `refund_exceeds_unspent`: more is returned than was transferred and not spent, on its day or later
- `deposit_exceeds_commitment`: more is deposited than the commitment promises, on its day or later
- `deposit_in_other_currency`: the commitment in `follows` is in another currency, and the deposit counts by its US
  dollars at the rate of the commitment
- `unusual_for_status`: such entries are unusual for the status that the programme had on their day
- `no_longer_taking_part`: the organization accounts for what it received and does not take part in the programme now
- `allocation_exceeds_budget`: more is allocated to the programme than its budget in the catalogue
- `transfer_exceeds_organization_allocation`: more is transferred to the organization than is allocated to it
- `expenditure_exceeds_budget_line`: more is spent on a category than its budget line, by more than the tolerance
- `indirect_costs_exceed_limit`: the indirect costs of the organization are more than the Fund accepts
- `repeated_bank_reference`: another entry of the same kind has the same reference of the bank
- `transfers_of_day_exceed_limit`: with others of the day for the same programme and organization, a transfer is above
  the limit from which on a second person approves one, and none of them was approved
"""
CommitmentAmendment = TypeAliasType("CommitmentAmendment", Literal["increase", "decrease", "cancellation"])
"""What an amendment of a commitment does; the last two take its amount from what is promised.

- `increase`: the contributor promises more
- `decrease`: the contributor and the administrative agent agree on less
- `cancellation`: the contributor will not pay a part of what was promised
"""

# The members of entries with codes of the catalogue, and the catalogue's lists of them.
Noun = Literal["programme", "organization", "thematic_area"]
CATALOGUE_LISTS: Mapping[Noun, str] = {
    "programme": "programmes",
    "organization": "organizations",
    "thematic_area": "thematic-areas",
}

CURRENCY = "USD"
CENT = Decimal("0.01")
# In JSON, amounts have two decimal places, and rates as many as were sent.
Amount = Annotated[
    Decimal,
    Field(decimal_places=2),
    PlainSerializer(amount_text, return_type=str, when_used="json"),
]
Rate = Annotated[Decimal, PlainSerializer(lambda rate: f"{rate:f}", return_type=str, when_used="json")]


class Sum(BaseModel):
    """An exact amount and its ISO 4217 currency; negative in a reversal, and in what takes from another amount."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    amount: Amount
    currency: str

    def __neg__(self) -> Sum:
        return Sum(amount=-self.amount, currency=self.currency)


class Original(BaseModel):
    """A sum in the currency in which it was given: US dollars for one unit of it, on a day, by a source."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sum: Sum
    rate: Rate
    rate_date: datetime.date
    rate_source: str


class Instalment(BaseModel):
    """A part of what is promised, in the currency in which it is promised, and the day on which it is due."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    due: datetime.date
    sum: Sum


class AgreedFee(BaseModel):
    """A fee of the administrative agent that differs from the usual one, and why."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sum: Sum
    reason: str


class Attachment(BaseModel):
    """A document that is stored elsewhere, with the hash of its bytes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    url: str
    sha256: str


class FlagDetail(BaseModel):
    """A flag, what is unusual in words, and by how much something is exceeded where that is an amount."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    flag: LedgerFlag
    detail: str
    excess: Sum | None


class Entry(BaseModel):
    """An entry of the ledger, in US dollars; `flags` are conditions to check, `reverses` is the entry it reverses.

    value_date, account, bank_reference: when and where the bank has it, and under which text
    corrects: an earlier entry, often of a closed period, whose mistake this one makes good; both count
    replaces: the reversed entries for which this one stands since their correction, the first of them first; what
              follows one of them rests on this one
    instalments: of a pledge or commitment, in the order in which they were sent
    fee: of a deposit, where another one than the usual one was agreed
    counterpart_fund: the name of the other fund, of a transfer between funds
    proposal: of a transfer, the code of the proposal that a second person approved
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: LedgerEntryKind
    date: datetime.date
    sum: Sum
    original: Original | None = None
    contributor: ListedCode | None = None
    programme: Code | None = None
    organization: ListedCode | None = None
    thematic_area: ListedCode | None = None
    category: BudgetCategory | None = None
    tranche: int | None = None
    follows: Code | None = None
    reverses: Code | None = None
    corrects: Code | None = None
    replaces: tuple[Code, ...] = ()
    amendment: CommitmentAmendment | None = None
    value_date: datetime.date | None = None
    account: str | None = None
    bank_reference: str | None = None
    instalments: tuple[Instalment, ...] = ()
    fee: AgreedFee | None = None
    counterpart_fund: str | None = None
    decision: str | None = None
    attachments: tuple[Attachment, ...] = ()
    reference: str | None = None
    note: str | None = None
    flags: tuple[LedgerFlag, ...] = ()
    flag_details: tuple[FlagDetail, ...] = ()
    recorded_by: str | None = None
    proposal: Code | None = None

    @property
    def promised(self) -> Sum:
        """The amount in the currency in which it was given."""
        return self.original.sum if self.original else self.sum

    def catalogue_codes(self) -> dict[Noun, str]:
        """The catalogue's codes that the entry names."""
        codes: dict[Noun, str | None] = {
            "programme": self.programme,
            "organization": self.organization,
            "thematic_area": self.thematic_area,
        }
        return {noun: code for noun, code in codes.items() if code is not None}


class Coded(BaseModel):
    """A record with a code; other members are ignored."""

    model_config = ConfigDict(frozen=True)

    code: Code


class RecordedEntry(Entry, Coded):
    """A stored entry; its JSON is the public record. Only `reversed_by` and `replaced_by` ever change, with `updated`,
    and the codes of a programme or an organization that is renamed.

    `Coded` is the last base, since Pydantic puts the fields of the last base first and `code` is to begin the JSON.
    """

    sources: tuple[SourceRef, ...]
    updated: datetime.datetime
    reversed_by: Code | None = None
    replaced_by: Code | None = None

    @property
    def first_code(self) -> str:
        """The code of the first of the entries that replaced one another up to this one, or its own."""
        return self.replaces[0] if self.replaces else self.code

    @classmethod
    def of(
        cls, entry: Entry, code: str, source: SourceRef, at: datetime.datetime, flags: Sequence[FlagDetail] = ()
    ) -> RecordedEntry:
        """The stored form of an entry: with its code, its source, the time of the write, and its flags.

        What the entry has was validated with it; to do so again would take four times as long.
        """
        members = vars(entry) | {
            "code": code,
            "flags": tuple(detail.flag for detail in flags),
            "flag_details": tuple(flags),
            "sources": (source,),
            "updated": at,
        }
        return _RECORDED.model_copy(update=members)


# What stored entries are copied from, so that each has all members in their order.
_RECORDED = RecordedEntry(
    code="L-000000",
    kind="interest",
    date=datetime.date.min,
    sum=Sum(amount=Decimal(0), currency=CURRENCY),
    sources=(),
    updated=datetime.datetime.min,
)
