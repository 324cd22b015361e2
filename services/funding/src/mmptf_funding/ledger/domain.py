"""The models of the ledger: entries with exact amounts and days, and its copy of a programme's description."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer
from typing_extensions import TypeAliasType

from mmptf_common.wire.base import Code, ListedCode
from mmptf_common.wire.codes import BudgetCategory, ProgrammeBudgetStage
from mmptf_common.wire.money import amount_text
from mmptf_common.wire.sources import SourceRef

LedgerEntryKindSent = TypeAliasType(
    "LedgerEntryKindSent",
    Literal[
        "pledge",
        "commitment",
        "deposit",
        "allocation",
        "transfer",
        "expenditure",
        "refund",
        "direct_cost",
        "bank_charge",
        "interest",
    ],
)
"""Kind of an entry that can be sent: each but the agent's fee, which is entered with its deposit.

- `pledge`: announced by a contributor
- `commitment`: promised by a contributor in a signed administrative arrangement
- `deposit`: received by the administrative agent from a contributor
- `allocation`: approved by the Fund's Steering Committee for a programme
- `transfer`: paid by the administrative agent to a participating UN organization for a programme
- `expenditure`: reported as spent by a participating UN organization
- `refund`: returned to the administrative agent by a participating UN organization
- `direct_cost`: cost of running the Fund that is paid from its money
- `bank_charge`: charge of a bank for the Fund's account
- `interest`: interest on the Fund's money, and other income
"""
LedgerEntryKind = TypeAliasType(
    "LedgerEntryKind",
    Literal[
        "pledge",
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
    ],
)
"""Kind of an entry of the ledger: what happened to the money. The first seven are stages of the same money.

- `pledge`: announced by a contributor
- `commitment`: promised by a contributor in a signed administrative arrangement
- `deposit`: received by the administrative agent from a contributor
- `allocation`: approved by the Fund's Steering Committee for a programme
- `transfer`: paid by the administrative agent to a participating UN organization for a programme
- `expenditure`: reported as spent by a participating UN organization
- `refund`: returned to the administrative agent by a participating UN organization
- `agent_fee`: fee of the administrative agent, 1 % of each deposit, entered with it
- `direct_cost`: cost of running the Fund that is paid from its money
- `bank_charge`: charge of a bank for the Fund's account
- `interest`: interest on the Fund's money, and other income
"""
LedgerFlag = TypeAliasType(
    "LedgerFlag",
    Literal["expenditure_exceeds_transfers", "refund_exceeds_unspent", "deposit_exceeds_commitment"],
)
"""What was unusual when an entry was written. The entry is valid all the same; ask its author whether it is right.

- `expenditure_exceeds_transfers`: more is spent than was transferred and not refunded, on its day or later
- `refund_exceeds_unspent`: more is returned than was transferred and not spent, on its day or later
- `deposit_exceeds_commitment`: more is deposited than the commitment in `follows` promises, on its day or later
"""

# The members of entries with codes of the catalogue, and the catalogue's lists of them.
Noun = Literal["programme", "organization", "thematic_area"]
CATALOGUE_LISTS: Mapping[Noun, str] = {
    "programme": "programmes",
    "organization": "organizations",
    "thematic_area": "thematic-areas",
}

CURRENCY = "USD"
# In JSON, amounts have two decimal places, and rates as many as were sent.
Amount = Annotated[
    Decimal,
    Field(decimal_places=2),
    PlainSerializer(amount_text, return_type=str, when_used="json"),
]
Rate = Annotated[Decimal, PlainSerializer(lambda rate: f"{rate:f}", return_type=str, when_used="json")]


class Sum(BaseModel):
    """An exact amount, negative in a reversal, and its ISO 4217 currency."""

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


class Attachment(BaseModel):
    """A document that is stored elsewhere, with the hash of its bytes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    url: str
    sha256: str


class Entry(BaseModel):
    """An entry of the ledger, in US dollars; `flags` are conditions to check, `reverses` is the entry it reverses.

    value_date, account, bank_reference: when and where the bank has it, and under which text
    corrects: an earlier entry, often of a closed period, whose mistake this one makes good; both count
    instalments: of a pledge or commitment, in the order in which they were sent
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
    value_date: datetime.date | None = None
    account: str | None = None
    bank_reference: str | None = None
    instalments: tuple[Instalment, ...] = ()
    decision: str | None = None
    attachments: tuple[Attachment, ...] = ()
    reference: str | None = None
    note: str | None = None
    flags: tuple[LedgerFlag, ...] = ()
    recorded_by: str | None = None

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
    """A stored entry; its JSON is the public record. Only `reversed_by` ever changes in it, with `updated`.

    `Coded` is the last base, since Pydantic puts the fields of the last base first and `code` is to begin the JSON.
    """

    sources: tuple[SourceRef, ...]
    updated: datetime.datetime
    reversed_by: Code | None = None

    @classmethod
    def of(cls, entry: Entry, code: str, source: SourceRef, at: datetime.datetime) -> RecordedEntry:
        """The stored form of an entry: with its code, its source and the time of the write."""
        return cls(code=code, **dict(entry), sources=(source,), updated=at)


class Budget(BaseModel):
    """A programme's budget with its stage of money."""

    model_config = ConfigDict(frozen=True)

    amount: Amount
    currency: str
    stage: ProgrammeBudgetStage


class Programme(Coded):
    """The members of a programme that the ledger uses."""

    title: str | None
    thematic_area: Coded | None
    organizations: list[Coded]
    budget: Budget | None


@dataclass(frozen=True, slots=True)
class Answers:
    """The catalogue's answers for the codes that entries name.

    codes:      the present code of each, which differs where it was renamed; None for an unknown one
    programmes: those that exist, by the code that was asked for
    """

    codes: Mapping[tuple[Noun, str], str | None]
    programmes: Mapping[str, Programme]

    def knows(self, entry: Entry) -> bool:
        """Whether the catalogue lists all codes of an entry."""
        return all(self.codes[named] is not None for named in entry.catalogue_codes().items())

    def with_current_codes(self, entry: Entry) -> Entry:
        """The entry with present codes in place of renamed ones; all its codes have to be known."""
        return entry.model_copy(update={noun: self.codes[noun, code] for noun, code in entry.catalogue_codes().items()})


class KnownProgramme(Programme):
    """A programme as the catalogue described it when the ledger last asked, at `updated`."""

    updated: datetime.datetime
