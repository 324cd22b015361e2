"""The wire shapes of editions: vocabulary, requirements, printed totals, reconciliation, initiatives, results."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypeAliasType

from mmptf_common.http.parameters import (
    Amount,
    ListQuery,
    PointInTime,
    Search,
    TableQuery,
    TotalsQuery,
    UpdatedSince,
    Values,
    order_by,
)
from mmptf_common.http.search import HOW
from mmptf_common.wire.base import Code, ResponseModel
from mmptf_common.wire.codes import AmountPrecision, MoneyStage
from mmptf_common.wire.money import Money
from mmptf_common.wire.pages import Page
from mmptf_common.wire.sources import SourceRef
from mmptf_funding.editions.domain import (
    InitiativeKind,
    PrintedTotalAgreement,
    PrintedTotalDivision,
    PrintedTotalUnit,
    ReadingConfidence,
    ReconciledTotal,
    RequirementStatus,
    TermKind,
)

PopulationsNamed = TypeAliasType("PopulationsNamed", Literal["none", "one", "several"])
"""How many target populations a requirement names.

- `none`: none
- `one`: one
- `several`: two or more
"""

RequirementDivision = TypeAliasType(
    "RequirementDivision",
    Literal["region", "place", "country", "area", "target_population", "status"],
)
"""What the totals of requirements can be divided by.

- `region`: region of the edition
- `place`: place of the edition
- `country`: country
- `area`: programmatic area
- `target_population`: target population
- `status`: what the edition prints as the requirement
"""
CountryCode = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
PercentText = Annotated[str, Field(pattern=r"^-?[0-9]{1,3}(\.[0-9]{1,10})?$")]


class Edition(ResponseModel):
    """A publication of funding requirements; its vocabulary, totals and initiatives are read below its path.

    `sources` are the lines of the document that `note` goes back to.
    """

    code: Code
    """Code of the edition, such as `MI-2015`."""
    name: str
    """Title of the publication."""
    publisher: str | None
    """Who published it; null where that is not stated."""
    year: int
    """Year whose requirements it states."""
    document: Code
    """Code of the publication in the sources of its rows."""
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    """ISO 4217 code of the currency of all its requirements."""
    note: str | None
    """What a reader of its figures has to know; null where there is nothing."""
    sources: list[SourceRef]
    """The lines of the document that `note` goes back to."""
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""


class VocabularyTerm(ResponseModel):
    """One entry of an edition's vocabulary: a region, a programmatic area, a target population or a place.

    `position` is its place in the table, `as_printed` are the spellings that the edition uses. `region` and `country`
    are set for places; a place that is no single country, such as regional programmes, has no `country`. `covers` are
    the other countries that the heading of a place names; their codes find its requirements, too.
    """

    code: Code
    """Code of the entry, unique within edition and kind."""
    edition: Code
    """Code of the edition, as at `/funding/v1/editions`."""
    kind: TermKind
    """What the entry is: a region, a programmatic area, a target population or a place."""
    name: str
    """Name in its usual spelling."""
    as_printed: list[str]
    """The spellings that the edition prints."""
    region: Code | None
    """Code of the region of a place; null for other kinds."""
    country: CountryCode | None
    """ISO 3166-1 alpha-3 code of a place that is one country; else null."""
    covers: list[CountryCode]
    """ISO 3166-1 alpha-3 codes of further countries that the heading of a place names."""
    footnote: str | None
    """Text that has to accompany the name; null where there is none."""
    note: str | None
    """What a reader has to know; null where there is nothing."""
    position: int
    """Position in the order of the document, from 1."""
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""


class NamedTerm(ResponseModel):
    """A term as a requirement carries it: code and name of the vocabulary, and what the heading prints."""

    code: Code
    """Code of the entry in the vocabulary of the edition."""
    name: str
    """Name of the entry."""
    as_printed: str | None
    """What the heading prints; null where no heading prints it."""


class RequirementPlace(ResponseModel):
    """The place of a requirement; `country` is null where it is no single country."""

    code: Code
    """Code of the place in the vocabulary of the edition."""
    name: str
    """Name of the place in the vocabulary of the edition."""
    as_printed: str | None
    """What the heading prints; null where there is no heading."""
    country: CountryCode | None
    """ISO 3166-1 alpha-3 code; null where the place is no single country."""
    footnote: str | None
    """Text that has to accompany the name; null where there is none."""


class Requirement(ResponseModel):
    """What one place asks for in one programmatic area.

    `sum` is null unless `status` is `required`. `funded`: the source prints this word in place of an amount, without
    saying by whom or how far; it is neither zero nor unknown. `missing_in_source`: the figure is not in the text, and
    `implied` is then what the printed totals leave.
    `confidence` says how sure it is that heading, amount and populations belong together; `note` is what whoever uses
    the figure has to know, `reading_note` how the row was read from the text, for whoever checks it.
    """

    code: Code
    """Code of the requirement: edition, place and area."""
    edition: Code
    """Code of the edition, as at `/funding/v1/editions`."""
    region: NamedTerm
    """Region under which the edition prints it."""
    place: RequirementPlace
    """Country or other heading that asks for it."""
    area: NamedTerm
    """Programmatic area that it is for."""
    status: RequirementStatus
    """Whether an amount is asked for, the word "funded" stands in its place, or the figure is missing."""
    stage: MoneyStage
    """Stage of money, which is `requirement`."""
    sum: Money | None
    """What is asked for; null unless `status` is `required`, which is not zero."""
    implied: Money | None
    """What the printed totals leave for a missing figure; null for all others."""
    as_printed: str | None
    """The figure or word as printed; null where it is missing."""
    target_populations: list[NamedTerm]
    """Whom it is for; empty where the edition names nobody."""
    confidence: ReadingConfidence
    """How sure it is that the parts that were read from the text belong together."""
    note: str | None
    """What whoever uses the figure has to know; null where there is nothing."""
    reading_note: str | None
    """How it was read from the text, for whoever checks it; null where there is nothing to say."""
    sources: list[SourceRef]
    """Lines of heading, amount and populations."""
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""


class PrintedTotal(ResponseModel):
    """A total or percentage that an edition prints, or that its publisher's figures state for the whole edition.

    `value` names what it is a total of: the code of a place, an area, a region, or the edition. `sum` is null where
    the table says "funded" instead of a figure, and for percentages, which stand in `per_cent`. `confidence` says how
    sure it is that the figure is of that place, area or region.
    """

    code: Code
    """Code of the record."""
    edition: Code
    """Code of the edition, as at `/funding/v1/editions`."""
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
    sum: Money | None
    """The amount; null where the table prints "funded", and for percentages."""
    per_cent: PercentText | None
    """The percentage, with as many decimals as are printed; null for amounts."""
    as_printed: str
    """The words or the figure as the source prints them."""
    confidence: ReadingConfidence
    """How sure it is that the parts that were read from the text belong together."""
    note: str | None
    """What whoever uses the figure has to know; null where there is nothing."""
    sources: list[SourceRef]
    """Where each fact is printed: one entry for each member that was taken from a document."""
    position: int
    """Position in the order of the document, from 1."""
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""


class Reconciliation(ResponseModel):
    """Figures that an edition prints beside the computed ones; `counts` says how many of all agree."""

    edition: Code
    """Code of the edition, as at `/funding/v1/editions`."""
    stage: MoneyStage
    """Stage of money of all figures."""
    counts: dict[PrintedTotalAgreement, int]
    """Number of printed figures by how they agree."""
    figures: list[ReconciledTotal]
    """The printed figures beside the computed ones."""
    revision: int
    """Number of the last write that the answer contains; it only grows, and `as_of` takes it to read the same data
    again.
    """


class Initiative(ResponseModel):
    """A multiregional initiative, fund or co-funding of an edition.

    `sum` is what is asked for over `period`, `overall` the whole budget and `target` what a fund is to reach, where
    they are stated. Periods and currencies differ, so initiatives have no common total. `note` is what whoever uses the
    figures has to know, `reading_note` how they were read from the text, for whoever checks them.
    """

    code: Code
    """Code of the record."""
    edition: Code
    """Code of the edition, as at `/funding/v1/editions`."""
    kind: InitiativeKind
    """Whether it is an initiative, a fund, or a co-funding."""
    section: str
    """Heading under which the edition prints it."""
    name: str
    """Name of the initiative or fund."""
    stage: MoneyStage
    """Stage of money of `sum`."""
    sum: Money | None
    """What is asked for over `period`; null where no amount is printed."""
    precision: AmountPrecision | None
    """Whether the amount is exact or rounded as printed; null where there is none."""
    as_printed: str | None
    """The amount as printed; null where there is none."""
    period: str | None
    """The time that the amount is for, as printed; null where it is not stated."""
    overall: Money | None
    """Whole budget over all years; null where it is not stated."""
    overall_as_printed: str | None
    """The whole budget as printed; null where it is not stated."""
    target: Money | None
    """What a fund is to reach; null where it is not stated."""
    target_as_printed: str | None
    """That amount as printed; null where it is not stated."""
    buys: str | None
    """What the money is for, in words of our own; null where it is not stated."""
    instrument: str | None
    """The programme or facility through which it is funded; null where it is not stated."""
    confidence: ReadingConfidence
    """How sure it is that the parts that were read from the text belong together."""
    note: str | None
    """What whoever uses the figure has to know; null where there is nothing."""
    reading_note: str | None
    """How it was read from the text, for whoever checks it; null where there is nothing to say."""
    sources: list[SourceRef]
    """Where each fact is printed: one entry for each member that was taken from a document."""
    position: int
    """Position in the order of the document, from 1."""
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""


class MatrixResultLevel(ResponseModel):
    """A level of results below the impact, with the document's name for it; `line` defines it, or has the first one."""

    code: Code
    """Code by which results name the level."""
    name: str
    """The document's name for it, such as outcome or output."""
    line: int | None
    """Line that defines it, or has the first result of it; null where neither is at hand."""


class MatrixResult(ResponseModel):
    """One result of a matrix, in words of our own.

    `number` is the printed one, null where there is none. `parent` is the code of the result one level up that it
    contributes to, null for the highest and for those that stand beside the others.
    """

    code: Code
    """Code of the result, unique within the matrix."""
    level: Code
    """Code of its level."""
    parent: Code | None
    """Code of the result one level up that it contributes to; null for the highest."""
    number: str | None
    """The printed number; null where there is none."""
    text: str
    """The result in words of our own."""
    line: int
    """Line of the document where it begins."""


class ResultsMatrix(ResponseModel):
    """The results that a region's strategy prints; lines are those of the edition's document.

    `levels` are those of the document, from the highest below the impact down; `results` are in the order of their
    numbers, each followed by those that contribute to it.
    """

    code: Code
    """Code of the matrix, such as `MI-2015-results-east-horn-africa`."""
    edition: Code
    """Code of the edition, as at `/funding/v1/editions`."""
    region: Code
    """Code of the region whose strategy prints it."""
    impact: str | None
    """What all results are to lead to, in words of our own; null where it is not stated."""
    levels: list[MatrixResultLevel]
    """The levels of the document, the highest first."""
    results: list[MatrixResult]
    """The results in the order of their numbers."""
    note: str | None
    """What whoever uses the figure has to know; null where there is nothing."""
    sources: list[SourceRef]
    """Where each fact is printed: one entry for each member that was taken from a document."""
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""


class EditionPage(Page[Edition]):
    """One page of editions."""


class VocabularyTermPage(Page[VocabularyTerm]):
    """One page of an edition's vocabulary."""


class RequirementPage(Page[Requirement]):
    """One page of requirements."""


class PrintedTotalPage(Page[PrintedTotal]):
    """One page of printed totals."""


class InitiativePage(Page[Initiative]):
    """One page of initiatives."""


class ResultsMatrixPage(Page[ResultsMatrix]):
    """One page of results matrices."""


class EditionQuery(ListQuery):
    """Editions, all of them."""

    sort: tuple[Literal["-code", "code"], ...] = order_by("-code")


class TermQuery(ListQuery):
    """Which terms of a vocabulary."""

    sort: tuple[Literal["position", "-position", "name", "-name"], ...] = order_by("position")
    kind: Annotated[
        list[TermKind],
        Field(default_factory=list, max_length=100, description="What the entry is.", examples=["place"]),
    ]


class PrintedTotalQuery(ListQuery):
    """Which printed totals."""

    sort: tuple[Literal["position", "-position"], ...] = order_by("position", description="The order, as printed.")
    division: Annotated[
        list[PrintedTotalDivision],
        Field(
            default_factory=list,
            max_length=100,
            description="What the printed figure is a total of.",
            examples=["place"],
        ),
    ]
    unit: Annotated[
        list[PrintedTotalUnit],
        Field(
            default_factory=list, max_length=100, description="Amounts in US dollars, or percentages.", examples=["USD"]
        ),
    ]


class ReconciliationQuery(TableQuery):
    """Which figures; the counts are those of all."""

    division: Annotated[
        list[PrintedTotalDivision],
        Field(
            default_factory=list,
            max_length=100,
            description="What the printed figure is a total of.",
            examples=["place"],
        ),
    ]
    agreement: Annotated[
        list[PrintedTotalAgreement],
        Field(
            default_factory=list,
            max_length=100,
            description="How the printed figure agrees with the rows.",
            examples=["equal"],
        ),
    ]


class RequirementFilter(PointInTime):
    """Which requirements: any of a repeated filter, all of different ones."""

    edition: Annotated[Values, Field(description="Code of an edition.", examples=["MI-2015"])]
    region: Annotated[
        Values, Field(description="Code of a region of the edition's vocabulary.", examples=["east-horn-africa"])
    ]
    country: Annotated[
        Values,
        Field(
            description="ISO 3166-1 alpha-3 code, also of a country that a place covers, or `none` for places that are"
            " no single country.",
            examples=["KEN"],
        ),
    ]
    place: Annotated[Values, Field(description="Code of a place of the edition's vocabulary.", examples=["KEN"])]
    area: Annotated[
        Values, Field(description="Code of a programmatic area of the edition's vocabulary.", examples=["health"])
    ]
    status: Annotated[
        list[RequirementStatus],
        Field(
            default_factory=list,
            max_length=100,
            description="Whether an amount is asked for, funded, or missing in the source.",
            examples=["required"],
        ),
    ]
    target_population: Annotated[
        Values, Field(description="Code of a target population; a requirement may name several.", examples=["migrants"])
    ]
    populations_named: Annotated[
        PopulationsNamed | None,
        Field(description="How many target populations the requirement names.", examples=["one"]),
    ] = None
    amount_min: Annotated[Amount | None, Field(description="Smallest amount, in USD.", examples=["1000000.00"])] = None
    amount_max: Annotated[Amount | None, Field(description="Largest amount, in USD.", examples=["5000000.00"])] = None
    updated_since: UpdatedSince = None
    q: Annotated[
        Search | None,
        Field(
            description="Words by their beginning, in place, region and area; a country is found by each of its names."
            f" {HOW}",
            examples=["kenya"],
        ),
    ] = None


class RequirementQuery(RequirementFilter, ListQuery):
    """Which requirements, and in which order."""

    sort: tuple[Literal["code", "-code", "amount", "-amount", "updated", "-updated"], ...] = order_by("code")


class RequirementTotalsQuery(RequirementFilter, TotalsQuery):
    """Which requirements are summed, and what the sum is divided by."""

    by: Annotated[
        list[RequirementDivision],
        Field(min_length=1, max_length=2, description="One or two ways to divide the total.", examples=["region"]),
    ] = ["region"]


class InitiativeQuery(ListQuery):
    """Which initiatives."""

    sort: tuple[Literal["position", "-position"], ...] = order_by("position", description="The order, as printed.")
    edition: Annotated[Values, Field(description="Code of an edition.", examples=["MI-2015"])]
    kind: Annotated[
        list[InitiativeKind],
        Field(
            default_factory=list,
            max_length=100,
            description="Initiatives, funds, or co-fundings.",
            examples=["initiative"],
        ),
    ]
    q: Annotated[
        Search | None,
        Field(description=f"Words by their beginning, in name, section and purpose. {HOW}", examples=["climate"]),
    ] = None


class ResultsMatrixQuery(ListQuery):
    """Results matrices of an edition, all of them."""

    sort: tuple[Literal["code", "-code"], ...] = order_by("code")
