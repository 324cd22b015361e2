"""Contributions, targets and printed figures as their sources state them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypeAliasType

from mmptf_common.wire.base import Code
from mmptf_common.wire.codes import AmountPrecision, DatePrecision
from mmptf_common.wire.periods import ends
from mmptf_common.wire.sources import SourceRef

ContributorType = TypeAliasType(
    "ContributorType",
    Literal["member_state", "foundation", "non_governmental_organization"],
)
"""What a contributor to the Fund is.

- `member_state`: a Member State of the United Nations
- `foundation`: a private or public foundation, such as the Robert Bosch Stiftung
- `non_governmental_organization`: another body that is no government, such as the United Methodist Committee on Relief
"""

ContributionStage = TypeAliasType(
    "ContributionStage",
    Literal["pledge", "contribution", "commitment", "deposit"],
)
"""Stage of money of a contribution; amounts of different stages are never added together.

- `pledge`: announced by a contributor
- `contribution`: given by a contributor; the source does not say whether it is committed or deposited
- `commitment`: in a signed administrative arrangement, paid or pending
- `deposit`: cash received by the administrative agent
"""

ContributionBasis = TypeAliasType(
    "ContributionBasis",
    Literal["unspecified", "pledge", "commitment", "deposit"],
)
"""What the amount of a contribution counts, as its source says.

- `unspecified`: the source does not say; `stage` is then `contribution`
- `pledge`: what was announced
- `commitment`: what a signed administrative arrangement promises
- `deposit`: what the administrative agent has received
"""

FigureUnit = TypeAliasType(
    "FigureUnit",
    # Generators take these names for the members of an enum; `count` would hide the method of str.
    Annotated[
        Literal["USD", "per_cent", "count", "year"],
        Field(json_schema_extra={"x-enum-varnames": ["USD", "PER_CENT", "COUNT", "YEAR"]}),
    ],
)
"""Unit of a published figure.

- `USD`: US dollars
- `per_cent`: a share of a whole in per cent
- `count`: a number of things, such as programmes or Member States
- `year`: a calendar year
"""

FigureQualifier = TypeAliasType(
    "FigureQualifier",
    Literal["exact", "rounded", "approximately", "more_than"],
)
"""How exact a source says that its figure is.

- `exact`: the figure itself
- `rounded`: rounded as printed, such as USD 57.5M
- `approximately`: printed with a word such as "approximately"
- `more_than`: printed with words such as "more than": the figure is a lower limit
"""


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
    basis: ContributionBasis
    precision: AmountPrecision
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
    unit: FigureUnit
    qualifier: FigureQualifier
    as_printed: str


class Fact(Stated):
    """A figure that the Fund publishes; `computed_by` names its computation from our rows, if any."""

    name: str
    printed: Figure
    computed_by: str | None
    note: str | None


class Stage(Stated):
    """A stage of money; amounts of different stages are never added together."""

    number: int
    name: str
    definition: str
