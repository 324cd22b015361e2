"""What the ledger consists of: entries with exact amounts and days, and what it knows of a programme."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

from mmptf_common.wire.base import Code
from mmptf_common.wire.codes import BudgetCategory
from mmptf_common.wire.money import amount_text
from mmptf_common.wire.sources import SourceRef

# What can be written; a fee follows from its deposit.
KindSent = Literal[
    "pledge", "commitment", "deposit", "allocation", "transfer", "expenditure", "refund", "direct_cost", "bank_charge",
    "interest",
]  # fmt: skip
Kind = Literal[
    "pledge", "commitment", "deposit", "allocation", "transfer", "expenditure", "refund", "agent_fee", "direct_cost",
    "bank_charge", "interest",
]  # fmt: skip
# What is written though it calls for a question; it is never silent.
Flag = Literal["expenditure_exceeds_transfers", "refund_exceeds_unspent", "deposit_exceeds_commitment"]

# What entries name of the catalogue, and the lists in which it is found there.
Noun = Literal["programme", "organization", "thematic_area"]
CATALOGUE_LISTS: Mapping[Noun, str] = {
    "programme": "programmes",
    "organization": "organizations",
    "thematic_area": "thematic-areas",
}

CURRENCY = "USD"
# As JSON, amounts have two decimal places, and a rate those that it was stated with.
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


class Entry(BaseModel):
    """An entry of the ledger, in US dollars; `flags` are what calls for a question, `reverses` the entry it undoes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind
    date: datetime.date
    sum: Sum
    original: Original | None = None
    contributor: Code | None = None
    programme: Code | None = None
    organization: Code | None = None
    thematic_area: Code | None = None
    category: BudgetCategory | None = None
    tranche: int | None = None
    follows: Code | None = None
    reverses: Code | None = None
    reference: str | None = None
    note: str | None = None
    flags: tuple[Flag, ...] = ()
    recorded_by: str | None = None

    def catalogue_codes(self) -> dict[Noun, str]:
        """The codes that the entry names of the catalogue."""
        codes: dict[Noun, str | None] = {
            "programme": self.programme,
            "organization": self.organization,
            "thematic_area": self.thematic_area,
        }
        return {noun: code for noun, code in codes.items() if code is not None}


class Coded(BaseModel):
    """A record by its code, of whatever else there is."""

    model_config = ConfigDict(frozen=True)

    code: Code


class RecordedEntry(Entry, Coded):
    """An entry as it is stored: its JSON is what readers get, but for who reverses it, which is found when it is read.

    The code comes first in the JSON, since Pydantic takes the members of the last base first.
    """

    sources: tuple[SourceRef, ...]
    updated: datetime.datetime

    @classmethod
    def of(cls, entry: Entry, code: str, source: SourceRef, at: datetime.datetime) -> RecordedEntry:
        """An entry under its code, written at a moment by what `source` says."""
        return cls(code=code, **dict(entry), sources=(source,), updated=at)


class Budget(BaseModel):
    """A programme's budget, and of which stage of money it is."""

    model_config = ConfigDict(frozen=True)

    amount: Amount
    currency: str
    stage: str


class Programme(Coded):
    """What the ledger needs to know of a programme."""

    title: str | None
    thematic_area: Coded | None
    organizations: list[Coded]
    budget: Budget | None


@dataclass(frozen=True, slots=True)
class Answers:
    """What the catalogue answered for the codes that entries name.

    codes:      the code that each is listed under now, another one where it was renamed; None for an unknown one
    programmes: those that are known, by the code that was asked for
    """

    codes: Mapping[tuple[Noun, str], str | None]
    programmes: Mapping[str, Programme]

    def with_current_codes(self, entry: Entry) -> Entry:
        """An entry all of whose codes are known, with the codes of what was renamed as they are now."""
        return entry.model_copy(update={noun: self.codes[noun, code] for noun, code in entry.catalogue_codes().items()})


class KnownProgramme(Programme):
    """A programme as the catalogue described it when the ledger last asked, at `updated`."""

    updated: datetime.datetime
