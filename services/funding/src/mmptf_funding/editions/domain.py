"""The models of an edition's reconciliation: printed figures, computed ones, and explanations of differences."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from typing_extensions import TypeAliasType

from mmptf_common.wire.base import Code, ResponseModel
from mmptf_common.wire.money import Money

RequirementStatus = TypeAliasType(
    "RequirementStatus",
    Literal["required", "funded", "missing_in_source"],
)
"""What an edition prints as the funding requirement of a place in an area.

- `required`: an amount is asked for
- `funded`: the word "funded" stands in place of an amount, which is neither zero nor unknown
- `missing_in_source`: the figure is not in the text, though its heading is; other figures may imply it
"""

TermKind = TypeAliasType(
    "TermKind",
    Literal["region", "area", "target_population", "place"],
)
"""Kind of an entry of an edition's vocabulary.

- `region`: a region of the edition
- `area`: a programmatic area
- `target_population`: people for whom something is asked
- `place`: a country, a territory or another heading, such as regional programmes
"""

ReadingConfidence = TypeAliasType(
    "ReadingConfidence",
    Literal["high", "medium", "low"],
)
"""How sure it is that what was read from different parts of a text belongs together.

- `high`: the parts stand together in the text, and the narrative agrees
- `medium`: they stand apart in the text, and narrative and totals settle it
- `low`: only their order or their subject suggests it
"""

PrintedTotalDivision = TypeAliasType(
    "PrintedTotalDivision",
    Literal["edition", "region", "area", "place"],
)
"""What a printed total is a total of.

- `edition`: the whole edition
- `region`: one region
- `area`: one programmatic area of a region
- `place`: one place
"""

PrintedTotalUnit = TypeAliasType(
    "PrintedTotalUnit",
    Literal["USD", "per_cent"],
)
"""Unit of a printed total.

- `USD`: US dollars
- `per_cent`: per cent of a whole
"""

InitiativeKind = TypeAliasType(
    "InitiativeKind",
    Literal["initiative", "fund", "co_funding"],
)
"""Kind of a multiregional record of an edition.

- `initiative`: a multiregional initiative
- `fund`: a fund
- `co_funding`: a co-funding
"""

PrintedTotalAgreement = TypeAliasType(
    "PrintedTotalAgreement",
    Literal["equal", "explained", "different"],
)
"""How a printed total agrees with what the rows add up to.

- `equal`: the figures are equal
- `explained`: they differ, and missing amounts or a note of the printed total account for it
- `different`: they differ without a stated reason
"""

DifferenceCause = TypeAliasType(
    "DifferenceCause",
    Literal["missing_in_source", "printed_note"],
)
"""Why a computed figure differs from the printed one.

- `missing_in_source`: the source lacks amounts
- `printed_note`: the note of the printed total states the reason
"""


@dataclass(frozen=True, slots=True)
class SummedTotal:
    """A printed total, and the sums of the rows that it covers (USD).

    printed:  the figure in `unit`; None where the edition prints "funded" instead
    per_cent: a percentage with the decimal places that are printed
    computed: the sum of the stated amounts, implied: of those that other figures imply for missing ones
    summed:   how many rows state an amount, of all `rows`; `funded` and `missing` are those that state none
    """

    code: str
    division: PrintedTotalDivision
    region: str | None
    value: str
    name: str
    unit: PrintedTotalUnit
    printed: Decimal | None
    per_cent: str | None
    as_printed: str
    confidence: ReadingConfidence
    note: str | None
    computed: Decimal | None
    implied: Decimal | None
    summed: int
    rows: int
    funded: int
    missing: int


@dataclass(frozen=True, slots=True)
class RegionSum:
    """The sums of the rows of a region (USD), stated and implied, and the number of missing amounts."""

    amount: Decimal | None
    implied: Decimal | None
    missing: int


class DifferenceExplanation(ResponseModel):
    """Why a computed figure differs from the printed one: the cause, the rows behind it, and what they account for."""

    cause: DifferenceCause
    """Why the figures differ: an amount that is missing in the source, or a reason that is printed."""
    detail: str
    """The reason, for people."""
    sum: Money | None
    """How much of the difference it accounts for; null where that is not known."""
    rows: int
    """Number of the rows behind it."""
    link: str | None
    """Path that lists these rows; null where there are none."""


class ReconciledTotal(ResponseModel):
    """One printed figure beside what the rows at `link` add up to; `difference` is printed minus computed.

    `agreement` is `explained` when missing amounts account for the whole difference, or when the printed total has a
    note that states the reason. A printed "funded" agrees with rows that are all funded. Percentages are compared
    rounded as they are printed. `confidence` says how sure it is that the printed figure is of that place, area or
    region; `note` is that of the printed figure.
    """

    printed: Code
    """Code of the printed total."""
    division: PrintedTotalDivision
    """What it is a total of: the edition, a region, an area or a place."""
    value: Code
    """Code of that place, area, region or edition."""
    name: str
    """Its name, for people."""
    region: Code | None
    """Code of the region whose table prints it; null for the edition as a whole."""
    unit: PrintedTotalUnit
    """Whether it is an amount in US dollars or a percentage."""
    as_printed: str
    """The words or the figure as the source prints them."""
    confidence: ReadingConfidence
    """How sure it is that the parts that were read from the text belong together."""
    note: str | None
    """Note of the printed figure; null where there is none."""
    printed_figure: str | None
    """The printed figure as a decimal number; null where "funded" is printed."""
    computed_figure: str | None
    """What the rows add up to; null where none states an amount."""
    difference: str | None
    """Printed minus computed; null where one of them is null."""
    agreement: PrintedTotalAgreement
    """Whether the figures are equal, differ for a stated reason, or differ."""
    rows: int
    """Number of rows that the figure covers."""
    funded: int
    """Number of these rows that print "funded" in place of an amount."""
    link: str
    """Path that lists these rows."""
    explanations: list[DifferenceExplanation]
    """The reasons of a difference; empty where the figures are equal."""
