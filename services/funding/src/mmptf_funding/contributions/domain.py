"""Contributions, targets and printed figures as their sources state them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict

from mmptf_common.wire.base import Code
from mmptf_common.wire.periods import ends
from mmptf_common.wire.sources import SourceRef

ContributorType = Literal["member_state", "foundation", "non_governmental_organization"]
ContributionStage = Literal["pledge", "contribution", "commitment", "deposit"]
Basis = Literal["unspecified", "pledge", "commitment", "deposit"]
Precision = Literal["exact", "rounded"]
DatePrecision = Literal["day", "month", "year"]
PrintedUnit = Literal["USD", "per_cent", "count", "year"]
Qualifier = Literal["exact", "rounded", "approximately", "more_than"]


def last_day(day: date, precision: DatePrecision) -> date:
    """The last day of the year or month that a date of this precision stands for; a date of precision `day` itself."""
    if precision == "year":
        return date(day.year, 12, 31)
    return ends(day, day, "month")[0] if precision == "month" else day


class Stated(BaseModel):
    """A record with its code and the source of each of its facts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: Code
    sources: list[SourceRef]


class Contributor(Stated):
    """A contributor to the Fund; `country` is the ISO 3166-1 alpha-3 code of a Member State."""

    name: str
    as_printed: str
    type: ContributorType
    country: str | None


class Contribution(Stated):
    """An amount given to the Fund by a contributor, cumulative to `as_of`."""

    contributor: Code
    amount: Decimal
    currency: str
    stage: ContributionStage
    basis: Basis
    precision: Precision
    as_printed: str
    as_of: date
    as_of_precision: DatePrecision


class Target(Stated):
    """A capitalization target: an amount, and the event by which it is to be reached."""

    name: str
    amount: Decimal
    currency: str
    event: str
    due: date
    due_precision: DatePrecision
    as_printed: str | None

    @property
    def verified(self) -> bool:
        """Whether a text at hand confirms the amount."""
        return any(source.field == "amount" and source.verified for source in self.sources)


class Figure(BaseModel):
    """A figure as a source prints it; `value` has the decimal places of its reading in `unit`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    value: Decimal
    unit: PrintedUnit
    qualifier: Qualifier
    as_printed: str


class Fact(Stated):
    """A figure that the Fund publishes about itself; `computed_by` names its computation from our rows, if any."""

    name: str
    printed: Figure
    computed_by: str | None
    note: str | None


class Stage(Stated):
    """A stage of money; amounts of different stages are never added together."""

    number: int
    name: str
    definition: str
