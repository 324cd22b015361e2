"""The wire shapes of editions: vocabulary, requirements, printed totals, reconciliation, initiatives, results."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from mmptf_common.http.parameters import Amount, ListQuery, PointInTime, Search, TotalsQuery, UpdatedSince, Values
from mmptf_common.wire.base import Code, ResponseModel
from mmptf_common.wire.codes import MoneyStage
from mmptf_common.wire.money import Money
from mmptf_common.wire.pages import Page
from mmptf_common.wire.sources import SourceRef
from mmptf_funding.editions.domain import (
    Agreement,
    Confidence,
    Division,
    InitiativeKind,
    Precision,
    ReconciledTotal,
    RequirementStatus,
    TermKind,
    Unit,
)

PopulationsNamed = Literal["none", "one", "several"]
TotalsBy = Literal["region", "place", "country", "area", "target_population", "status"]
CountryCode = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
PercentText = Annotated[str, Field(pattern=r"^-?[0-9]{1,3}(\.[0-9]{1,10})?$")]


class Edition(ResponseModel):
    """A publication of funding requirements; its vocabulary, totals and initiatives are read below its path.

    `sources` are the lines of the document that `note` goes back to.
    """

    code: Code
    name: str
    publisher: str | None
    year: int
    document: Code
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    note: str | None
    sources: list[SourceRef]
    updated: datetime


class Term(ResponseModel):
    """One entry of an edition's vocabulary: a region, a programmatic area, a target population or a place.

    `position` is its place in the table, `as_printed` are the spellings that the edition uses. `region` and `country`
    are set for places; a place that is no single country, such as regional programmes, has no `country`. `covers` are
    the other countries that the heading of a place names; their codes find its requirements, too.
    """

    code: Code
    edition: Code
    kind: TermKind
    name: str
    as_printed: list[str]
    region: Code | None
    country: CountryCode | None
    covers: list[CountryCode]
    footnote: str | None
    note: str | None
    position: int
    updated: datetime


class NamedTerm(ResponseModel):
    """A term as a requirement carries it: code and name of the vocabulary, and what the heading prints."""

    code: Code
    name: str
    as_printed: str | None


class RequirementPlace(ResponseModel):
    """The place of a requirement; `country` is null where it is no single country."""

    code: Code
    name: str
    as_printed: str | None
    country: CountryCode | None
    footnote: str | None


class Requirement(ResponseModel):
    """What one place asks for in one programmatic area.

    `sum` is null unless `status` is `required`. `funded`: the source prints this word in place of an amount, without
    saying by whom or how far; it is neither zero nor unknown. `missing_in_source`: the figure is not in the text, and
    `implied` is then what the printed totals leave.
    `confidence` says how sure it is that heading, amount and populations belong together; `note` is what whoever uses
    the figure has to know, `reading_note` how the row was read from the text, for whoever checks it.
    """

    code: Code
    edition: Code
    region: NamedTerm
    place: RequirementPlace
    area: NamedTerm
    status: RequirementStatus
    stage: MoneyStage
    sum: Money | None
    implied: Money | None
    as_printed: str | None
    target_populations: list[NamedTerm]
    confidence: Confidence
    note: str | None
    reading_note: str | None
    sources: list[SourceRef]
    updated: datetime


class PrintedTotal(ResponseModel):
    """A total or percentage that an edition prints, or that its publisher's figures state for the whole edition.

    `value` names what it is a total of: the code of a place, an area, a region, or the edition. `sum` is null where
    the table says "funded" instead of a figure, and for percentages, which stand in `per_cent`. `confidence` says how
    sure it is that the figure is of that place, area or region.
    """

    code: Code
    edition: Code
    division: Division
    value: Code
    name: str
    region: Code | None
    unit: Unit
    sum: Money | None
    per_cent: PercentText | None
    as_printed: str
    confidence: Confidence
    note: str | None
    sources: list[SourceRef]
    position: int
    updated: datetime


class Reconciliation(ResponseModel):
    """Figures that an edition prints beside the computed ones; `counts` says how many of all agree."""

    edition: Code
    stage: MoneyStage
    counts: dict[Agreement, int]
    figures: list[ReconciledTotal]
    revision: int


class Initiative(ResponseModel):
    """A multiregional initiative, fund or co-funding of an edition.

    `sum` is what is asked for over `period`, `overall` the whole budget and `target` what a fund is to reach, where
    they are stated. Periods and currencies differ, so initiatives have no common total. `note` is what whoever uses the
    figures has to know, `reading_note` how they were read from the text, for whoever checks them.
    """

    code: Code
    edition: Code
    kind: InitiativeKind
    section: str
    name: str
    stage: MoneyStage
    sum: Money | None
    precision: Precision | None
    as_printed: str | None
    period: str | None
    overall: Money | None
    overall_as_printed: str | None
    target: Money | None
    target_as_printed: str | None
    buys: str | None
    instrument: str | None
    confidence: Confidence
    note: str | None
    reading_note: str | None
    sources: list[SourceRef]
    position: int
    updated: datetime


class ResultLevel(ResponseModel):
    """A level of results below the impact, with the document's name for it; `line` defines it, or has the first one."""

    code: Code
    name: str
    line: int | None


class Result(ResponseModel):
    """One result of a matrix, in words of our own.

    `number` is the printed one, null where there is none. `parent` is the code of the result one level up that it
    contributes to, null for the highest and for those that stand beside the others.
    """

    code: Code
    level: Code
    parent: Code | None
    number: str | None
    text: str
    line: int


class ResultsMatrix(ResponseModel):
    """The results that a region's strategy prints; lines are those of the edition's document.

    `levels` are those of the document, from the highest below the impact down; `results` are in the order of their
    numbers, each followed by those that contribute to it.
    """

    code: Code
    edition: Code
    region: Code
    impact: str | None
    levels: list[ResultLevel]
    results: list[Result]
    note: str | None
    sources: list[SourceRef]
    updated: datetime


class EditionPage(Page[Edition]):
    """One page of editions."""


class TermPage(Page[Term]):
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

    sort: Annotated[Literal["-code", "code"], Field(description="The order.")] = "-code"


class TermQuery(ListQuery):
    """Which terms of a vocabulary."""

    sort: Annotated[Literal["position", "-position", "name", "-name"], Field(description="The order.")] = "position"
    kind: Annotated[list[TermKind], Field(default_factory=list, max_length=100)]


class PrintedTotalQuery(ListQuery):
    """Which printed totals."""

    sort: Annotated[Literal["position", "-position"], Field(description="The order, as printed.")] = "position"
    division: Annotated[list[Division], Field(default_factory=list, max_length=100)]
    unit: Annotated[list[Unit], Field(default_factory=list, max_length=100)]


class ReconciliationQuery(PointInTime):
    """Which figures; the counts are those of all."""

    division: Annotated[list[Division], Field(default_factory=list, max_length=100)]
    agreement: Annotated[list[Agreement], Field(default_factory=list, max_length=100)]


class RequirementFilter(PointInTime):
    """Which requirements: any of a repeated filter, all of different ones."""

    edition: Annotated[Values, Field(description="Code of an edition.", examples=["MI-2015"])]
    region: Annotated[Values, Field(description="Code of a region of the edition's vocabulary.")]
    country: Annotated[
        Values,
        Field(
            description="ISO 3166-1 alpha-3 code, also of a country that a place covers, or `none` for places that are"
            " no single country.",
            examples=["KEN"],
        ),
    ]
    place: Annotated[Values, Field(description="Code of a place of the edition's vocabulary.")]
    area: Annotated[Values, Field(description="Code of a programmatic area of the edition's vocabulary.")]
    status: Annotated[list[RequirementStatus], Field(default_factory=list, max_length=100)]
    target_population: Annotated[
        Values, Field(description="Code of a target population; a requirement may name several.")
    ]
    populations_named: Annotated[
        PopulationsNamed | None, Field(description="How many target populations the requirement names.")
    ] = None
    amount_min: Annotated[Amount | None, Field(description="Smallest amount, in USD.")] = None
    amount_max: Annotated[Amount | None, Field(description="Largest amount, in USD.")] = None
    updated_since: UpdatedSince = None
    q: Annotated[
        Search | None,
        Field(
            description="Words by their beginning, in place, region and area; a country is found by each of its names."
        ),
    ] = None


class RequirementQuery(RequirementFilter, ListQuery):
    """Which requirements, and in which order."""

    sort: Annotated[
        Literal["code", "-code", "amount", "-amount", "updated", "-updated"],
        Field(description="The order; by amount, requirements without one are last in both directions."),
    ] = "code"


class RequirementTotalsQuery(RequirementFilter, TotalsQuery):
    """Which requirements are summed, and what the sum is divided by."""

    by: Annotated[
        list[TotalsBy],
        Field(min_length=1, max_length=2, description="One or two ways to divide the total.", examples=["region"]),
    ] = ["region"]


class InitiativeQuery(ListQuery):
    """Which initiatives."""

    sort: Annotated[Literal["position", "-position"], Field(description="The order, as printed.")] = "position"
    edition: Annotated[Values, Field(description="Code of an edition.", examples=["MI-2015"])]
    kind: Annotated[list[InitiativeKind], Field(default_factory=list, max_length=100)]
    q: Annotated[Search | None, Field(description="Words by their beginning, in name, section and purpose.")] = None


class ResultsMatrixQuery(ListQuery):
    """Results matrices of an edition, all of them."""

    sort: Annotated[Literal["code", "-code"], Field(description="The order.")] = "code"
