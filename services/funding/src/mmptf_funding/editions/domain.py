"""The models of an edition's reconciliation: printed figures, computed ones, and explanations of differences."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from mmptf_common.wire.base import Code, ResponseModel
from mmptf_common.wire.money import Money

RequirementStatus = Literal["required", "funded", "missing_in_source"]
TermKind = Literal["region", "area", "target_population", "place"]
Confidence = Literal["high", "medium", "low"]
Division = Literal["edition", "region", "area", "place"]
Unit = Literal["USD", "per_cent"]
InitiativeKind = Literal["initiative", "fund", "co_funding"]
Precision = Literal["exact", "rounded"]
Agreement = Literal["equal", "explained", "different"]


@dataclass(frozen=True, slots=True)
class SummedTotal:
    """A printed total, and the sums of the rows that it covers (USD).

    printed:  the figure in `unit`; None where the edition prints "funded" instead
    per_cent: a percentage with the decimal places that are printed
    computed: the sum of the stated amounts, implied: of those that other figures imply for missing ones
    summed:   how many rows state an amount, of all `rows`; `funded` and `missing` are those that state none
    """

    code: str
    division: Division
    region: str | None
    value: str
    name: str
    unit: Unit
    printed: Decimal | None
    per_cent: str | None
    as_printed: str
    confidence: Confidence
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


class Explanation(ResponseModel):
    """Why a computed figure differs from the printed one: the cause, the rows behind it, and what they account for."""

    cause: Literal["missing_in_source", "printed_note"]
    detail: str
    sum: Money | None
    rows: int
    link: str | None


class ReconciledTotal(ResponseModel):
    """One printed figure beside what the rows at `link` add up to; `difference` is printed minus computed.

    `agreement` is `explained` when missing amounts account for the whole difference, or when the printed total has a
    note that states the reason. A printed "funded" agrees with rows that are all funded. Percentages are compared
    rounded as they are printed. `confidence` says how sure it is that the printed figure is of that place, area or
    region; `note` is that of the printed figure.
    """

    printed: Code
    division: Division
    value: Code
    name: str
    region: Code | None
    unit: Unit
    as_printed: str
    confidence: Confidence
    note: str | None
    printed_figure: str | None
    computed_figure: str | None
    difference: str | None
    agreement: Agreement
    rows: int
    funded: int
    link: str
    explanations: list[Explanation]
