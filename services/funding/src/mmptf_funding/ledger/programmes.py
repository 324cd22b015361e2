"""The models of what the ledger copies of the catalogue, and what is known of the codes that entries name."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from mmptf_common.wire.codes import BudgetCategory, DatePrecision, ProgrammeBudgetStage, ProgrammeStatus
from mmptf_common.wire.suggestions import Suggestion
from mmptf_funding.ledger.domain import Amount, Coded, Entry, Noun


class Named(Coded):
    """A record of a code list."""

    name: str


class Budget(BaseModel):
    """A programme's budget with its stage of money."""

    model_config = ConfigDict(frozen=True)

    amount: Amount
    currency: str
    stage: ProgrammeBudgetStage


class BudgetLine(BaseModel):
    """What an organization means to spend in a year on a category of costs, in US dollars."""

    model_config = ConfigDict(frozen=True)

    organization: str
    year: int
    category: BudgetCategory
    amount: Amount


class DatedStatus(BaseModel):
    """A status, and the first day on which a programme had it; the first of a year where only that is known."""

    model_config = ConfigDict(frozen=True)

    status: ProgrammeStatus
    date: datetime.date
    date_precision: DatePrecision


class Programme(Coded):
    """The members of a programme that the ledger uses; the statuses are the earliest first."""

    title: str | None
    status: ProgrammeStatus
    status_history: list[DatedStatus]
    thematic_area: Coded | None
    organizations: list[Coded]
    budget: Budget | None
    budget_lines: list[BudgetLine]

    def status_on(self, day: datetime.date) -> ProgrammeStatus:
        """The status that it had on a day; for a day before the first one that is known, the present one."""
        earlier = [known.status for known in self.status_history if known.date <= day]
        return earlier[-1] if earlier else self.status


class Renaming(Coded):
    """An earlier code of a record of the catalogue, and its present one."""

    entity: str
    earlier: str
    current: str


@dataclass(frozen=True, slots=True)
class CatalogueCodes:
    """What the copy of the catalogue says of the codes that entries name.

    codes:      the present code of each, which differs where it was renamed; None for an unknown one
    meant:      the code that was meant by an unknown one, where that is nearly certain
    programmes: those that exist, by their present codes
    """

    codes: Mapping[tuple[Noun, str], str | None]
    meant: Mapping[tuple[Noun, str], Suggestion | None]
    programmes: Mapping[str, Programme]

    def knows(self, entry: Entry) -> bool:
        """Whether the catalogue lists all codes of an entry."""
        return all(self.codes[named] is not None for named in entry.catalogue_codes().items())

    def with_current_codes(self, entry: Entry) -> Entry:
        """The entry with present codes in place of renamed ones; all its codes have to be known."""
        renamed: dict[str, str | None] = {
            noun: current
            for noun, code in entry.catalogue_codes().items()
            if (current := self.codes[noun, code]) != code
        }
        return entry.model_copy(update=renamed) if renamed else entry

    def programme_of(self, entry: Entry) -> Programme | None:
        """The programme that an entry names by its present or an earlier code; None where there is none."""
        current = entry.programme and self.codes["programme", entry.programme]
        return self.programmes[current] if current else None


NO_CODES = CatalogueCodes({}, {}, {})
