"""The wire shapes of editions: vocabulary, requirements, printed totals, reconciliation, and what else they print."""

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
    Year,
    order_by,
)
from mmptf_common.http.search import HOW
from mmptf_common.wire.base import Code, ResponseModel
from mmptf_common.wire.codes import AmountPrecision, MoneyStage
from mmptf_common.wire.money import Money
from mmptf_common.wire.pages import Page
from mmptf_common.wire.sources import SourceRef
from mmptf_funding.editions.domain import (
    FigureMeasure,
    InitiativeKind,
    PartnerKind,
    PrintedTotalAgreement,
    PrintedTotalDivision,
    PrintedTotalUnit,
    ReadingConfidence,
    ReconciledTotal,
    RequirementStatus,
    StatedQualifier,
    StatedScope,
    StatedStage,
    StatedUnit,
    TermKind,
)

NumberNamed = TypeAliasType("NumberNamed", Literal["none", "one", "several"])
"""How many target populations, or topics, a requirement names.

- `none`: it names none
- `one`: it names one
- `several`: it names two or more
"""

RequirementDivision = TypeAliasType(
    "RequirementDivision",
    Literal["region", "place", "country", "area", "topic", "target_population", "status"],
)
"""What the totals of requirements can be divided by.

- `region`: region under which the edition prints the place, such as `east-horn-africa`
- `place`: country, territory or other heading of the edition, such as `KEN`
- `country`: ISO 3166-1 alpha-3 code; `none` stands for places that are no single country
- `area`: programmatic area, such as `health`
- `topic`: what the money is for, such as `hiv`; `shared` stands for several, whose parts are not stated, and
  `none` for none
- `target_population`: people whom the money is for; `shared` stands for several of them, `none` for nobody named
- `status`: whether an amount is asked for, the word "funded" is printed in its place, or the figure is missing
"""
CountryCode = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
# Digits as the document has them, so that no decimal place is lost or added.
NumberText = Annotated[str, Field(pattern=r"^(0|[1-9][0-9]{0,15})(\.[0-9]{1,6})?$")]
PercentText = Annotated[str, Field(pattern=r"^-?[0-9]{1,3}(\.[0-9]{1,10})?$")]


class EditionAnnotation(ResponseModel):
    """A numbered remark that an edition prints on how it is to be read."""

    number: int
    """Its number in the edition, from 1."""
    text: str
    """What it says, in words of our own."""
    line: int | None
    """Line of the document, counted from 1, on which it begins; null for documents without lines."""
    last_line: int | None
    """The last of its lines; `line` again where it is one, null for documents without lines."""


class Edition(ResponseModel):
    """A publication of funding requirements for migration programmes, such as Migration Initiatives 2015.

    Its vocabulary, printed totals, partners, figures, reconciliation and what it says about its regions are read below
    its path;
    `/funding/v1/requirements` and `/funding/v1/initiatives` list what it asks for.
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
    """Code of the document that its rows were read from, as at `/funding/v1/documents`."""
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    """ISO 4217 code of the currency of all its requirements, such as `USD`."""
    note: str | None
    """What a reader of its figures has to know; null where there is nothing."""
    annotations: list[EditionAnnotation]
    """What the edition itself says on how it is to be read, in its order; empty where it prints nothing like that."""
    sources: list[SourceRef]
    """The lines of the document that `note` and `annotations` go back to."""
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""


class VocabularyTerm(ResponseModel):
    """One entry of an edition's own vocabulary: a region, an area, a target population, a place or a topic.

    Editions have different vocabularies: a code means something only together with its edition and kind.
    """

    code: Code
    """Code of the entry, unique within edition and kind."""
    edition: Code
    """Code of the edition, as at `/funding/v1/editions`."""
    kind: TermKind
    """What the entry is: a region, a programmatic area, a target population, a place or a topic."""
    name: str
    """Name in its usual spelling."""
    as_printed: list[str]
    """The spellings that the edition prints where they are not the name; empty where there is none."""
    region: Code | None
    """Code of the region of a place; null for other kinds."""
    country: CountryCode | None
    """ISO 3166-1 alpha-3 code of a place that is one country, or `XKX`; null for other places, such as regional
    programmes, and other kinds.
    """
    covers: list[CountryCode]
    """ISO 3166-1 alpha-3 codes: of a place the further countries that its heading names, by which the filter `country`
    finds its requirements, too; of a region the countries that its office covers by the text, of which some may have no
    requirement.
    """
    footnote: str | None
    """Text that has to be shown with the name, such as that on Kosovo; null where there is none."""
    note: str | None
    """What a reader has to know of the entry; null where there is nothing. Of a topic, its definition."""
    position: int
    """Position in the order of the document, from 1."""
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""


class NamedTerm(ResponseModel):
    """A region, programmatic area or target population as a requirement names it."""

    code: Code
    """Code of the entry in the vocabulary of the edition, such as `health`."""
    name: str
    """Name of the entry in the vocabulary of the edition."""
    as_printed: str | None
    """The words of the heading; null where no heading prints it."""


class RequirementTopic(ResponseModel):
    """A topic of a requirement: what its money is for."""

    code: Code
    """Code of the topic in the vocabulary of the edition, such as `diaspora-engagement`."""
    name: str
    """Name of the topic in the vocabulary of the edition."""
    line: int | None
    """Line of the document, counted from 1, that carries it; null for documents without lines."""


class LineRange(ResponseModel):
    """Lines of a document that follow each other."""

    first: int
    """The first line, counted from 1."""
    last: int
    """The last line; the first one again where it is one line."""


class NamedFunder(ResponseModel):
    """Who pays for a part of the work already, or has promised to, as the text says."""

    as_printed: str
    """The name as printed."""
    line: int | None
    """Line of the document, counted from 1, where it begins; null for documents without lines."""


class RequirementPlace(ResponseModel):
    """The country, territory or other heading, such as regional programmes, under which a requirement is printed."""

    code: Code
    """Code of the place in the vocabulary of the edition."""
    name: str
    """Name of the place in the vocabulary of the edition."""
    as_printed: str | None
    """The words of the heading; null where there is no heading."""
    country: CountryCode | None
    """ISO 3166-1 alpha-3 code, or `XKX`; null where the place is no single country."""
    footnote: str | None
    """Text that has to be shown with the name, such as that on Kosovo; null where there is none."""


class Requirement(ResponseModel):
    """What one place asks for in one programmatic area: one line of an edition, such as health in Kenya.

    It is asked for; nothing is said about who promised or paid it. Sums leave out lines without an amount and count
    them.
    """

    code: Code
    """Code of the requirement, made of edition, place and area, such as `MI-2015-KEN-health`."""
    edition: Code
    """Code of the edition, as at `/funding/v1/editions`."""
    region: NamedTerm
    """Region under which the edition prints it."""
    place: RequirementPlace
    """Country or other heading that the money is asked for."""
    area: NamedTerm
    """Programmatic area, that is the field of work, that the money is asked for, such as health."""
    status: RequirementStatus
    """Whether an amount is asked for, the word "funded" is printed in its place, or the figure is missing."""
    stage: MoneyStage
    """Stage of money of `sum`, which is always `requirement`."""
    sum: Money | None
    """The amount that is asked for; null, which is not zero, unless `status` is `required`."""
    implied: Money | None
    """Amount that the printed totals of the edition leave for a line whose figure is missing; null for all other lines.
    No sum contains it.
    """
    as_printed: str | None
    """The amount or the word "funded" as printed; null where it is missing."""
    target_populations: list[NamedTerm]
    """The people whom the money is for, such as migrants; empty where the edition names nobody."""
    purpose: str | None
    """What the money is for, in words of our own; null where nobody has read it."""
    topics: list[RequirementTopic]
    """What the money is for, by the vocabulary of the edition; no part of the amount is stated for any of them."""
    narrative: list[LineRange]
    """The lines of the document that say what the money is for; empty where they are not known."""
    funders_named: list[NamedFunder]
    """Who pays already or has promised to, as the narrative says; it does not say how much."""
    confidence: ReadingConfidence
    """How sure it is that heading, amount and populations, which can stand apart in the text, belong together."""
    note: str | None
    """What whoever uses the amount has to know; null where there is nothing."""
    reading_note: str | None
    """How the line was read from the text, for whoever checks it; null where there is nothing to say."""
    sources: list[SourceRef]
    """The lines of the document that print its heading, amount and populations, and those that `purpose` goes back to.
    """
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""


class PrintedTotal(ResponseModel):
    """A total or percentage that an edition prints, or that its publisher's figures state for the whole edition.

    It is there to be compared with what the rows add up to (`/funding/v1/editions/{edition}/reconciliation`), and is no
    part of a sum.
    """

    code: Code
    """Code of the record, made of edition, division and value, such as `MI-2015.place.KEN`."""
    edition: Code
    """Code of the edition, as at `/funding/v1/editions`."""
    division: PrintedTotalDivision
    """What it is a total of: the whole edition, a region, an area of a region, or a place."""
    value: Code
    """Code of what it is a total of, in the vocabulary of the edition; that of the edition itself for the whole."""
    name: str
    """Name of what it is a total of, for people."""
    region: Code | None
    """Code of the region to which the total of an area is limited; null where it is limited to none."""
    unit: PrintedTotalUnit
    """Whether it is an amount in US dollars or a percentage."""
    sum: Money | None
    """The amount; null where the table prints "funded" instead, and for percentages."""
    per_cent: PercentText | None
    """The area's part of its region's total in per cent, with as many decimals as are printed, such as `46.8`; null for
    amounts.
    """
    as_printed: str
    """The words or the figure as the source prints them."""
    confidence: ReadingConfidence
    """How sure it is that the figure is of that place, area or region."""
    note: str | None
    """What whoever uses the figure has to know; null where there is nothing."""
    sources: list[SourceRef]
    """Where the figure is printed: once, or twice where another table of the edition prints it again."""
    position: int
    """Position in the order of the document, from 1."""
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""


class Reconciliation(ResponseModel):
    """Every figure that an edition prints beside what its rows add up to."""

    edition: Code
    """Code of the edition, as at `/funding/v1/editions`."""
    stage: MoneyStage
    """Stage of money of all amounts, which is always `requirement`."""
    counts: dict[PrintedTotalAgreement, int]
    """Number of all printed figures of the edition by how they agree, whatever the filters are."""
    figures: list[ReconciledTotal]
    """The printed figures that match the filters, each beside the computed one."""
    revision: int
    """Number of the last write that the answer contains; it only grows, and `as_of` takes it to read the same data
    again.
    """


class InitiativeCountry(ResponseModel):
    """A country where the text places an initiative or a part of it, also as an example."""

    code: CountryCode
    """ISO 3166-1 alpha-3 code, or `XKX`."""
    line: int | None
    """Line of the document, counted from 1, where the name begins; null for documents without lines."""


class NamedPartner(ResponseModel):
    """Who takes part in an initiative or pays for a part of it, as the text says."""

    as_printed: str
    """The name as printed."""
    line: int | None
    """Line of the document, counted from 1, where it begins; null for documents without lines."""


class Initiative(ResponseModel):
    """What an edition prints beside its regions: a multiregional initiative, a fund, or a project with co-funding.

    Periods and currencies differ, so these amounts have no common total.
    """

    code: Code
    """Code of the record, such as `MI-2015-initiative-01`."""
    edition: Code
    """Code of the edition, as at `/funding/v1/editions`."""
    kind: InitiativeKind
    """Whether it is an initiative, a fund, or a project with co-funding."""
    section: str
    """Heading under which the edition prints it."""
    name: str
    """Name of the initiative, fund or project."""
    stage: MoneyStage
    """Stage of money of `sum`, which is always `requirement`."""
    sum: Money | None
    """The amount that is printed for it, over `period`; null where no amount is printed."""
    precision: AmountPrecision | None
    """Whether `sum` is exact or rounded as printed; null where there is none."""
    as_printed: str | None
    """The amount as printed; null where there is none."""
    period: str | None
    """The time that `sum` is for, as printed, such as `2015` or `first year`; null where it is not stated."""
    overall: Money | None
    """Whole budget over all years; null where it is not stated. It contains `sum`: do not add them."""
    overall_as_printed: str | None
    """The whole budget as printed; null where it is not stated."""
    target: Money | None
    """The amount that a fund is to reach; null where it is not stated."""
    target_as_printed: str | None
    """The amount that a fund is to reach, as printed; null where it is not stated."""
    buys: str | None
    """What the money is for, in words of our own; null where it is not stated."""
    instrument: str | None
    """The programme or facility through which it is funded, such as `Instrument for Pre-Accession (IPA)`; null where it
    is not stated.
    """
    area: Code | None
    """Code of the programmatic area of the edition that its section fits, by our own reading; null where none does."""
    countries: list[InitiativeCountry]
    """Countries where the text places it or a part of it; empty where it names none. Who only pays is in `partners`."""
    partners: list[NamedPartner]
    """Who takes part in it or pays for a part of it, by the text; empty where it names nobody."""
    footnote: str | None
    """Text that has to be shown with its names, such as that on Kosovo; null where there is none."""
    confidence: ReadingConfidence
    """How sure it is that name and amounts, which can stand apart in the text, belong together."""
    note: str | None
    """What whoever uses the amounts has to know; null where there is nothing."""
    reading_note: str | None
    """How it was read from the text, for whoever checks it; null where there is nothing to say."""
    sources: list[SourceRef]
    """Where the facts were taken from: for each member one entry or several; none for what was not taken from anywhere.
    """
    position: int
    """Position in the order of the document, from 1."""
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""


class Partner(ResponseModel):
    """A donor or partner that an edition lists, such as a State, a fund or a company.

    The list says of nobody how much it gave, for what, or when.
    """

    code: Code
    """Code of the record, such as `MI-2015-partner-001`."""
    edition: Code
    """Code of the edition, as at `/funding/v1/editions`."""
    as_printed: str
    """The name as the edition prints it."""
    name: str
    """Usual name; of a State that of the edition's year."""
    kind: PartnerKind
    """What it is; its entry in `sources` is verified where the printed name says so."""
    country: CountryCode | None
    """ISO 3166-1 alpha-3 code of a State or a territory, or `XKX`; null for all others."""
    footnote: str | None
    """Text that has to be shown with the name, such as that on Kosovo; null where there is none."""
    contributor: Code | None
    """Code of the contributor to the Fund that it is, as at `/funding/v1/contributors`; null where it is none."""
    organization: Code | None
    """Code of the organization that it is, as at `/catalog/v1/organizations`; null where it is none of them."""
    note: str | None
    """What a reader of the name has to know; null where there is nothing."""
    sources: list[SourceRef]
    """Where the name stands, and whether it says what it names: the second entry is not verified where the kind is our
    own classification.
    """
    position: int
    """Position in the order of the document, from 1."""
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""


class StatedFigure(ResponseModel):
    """A figure that the texts of an edition state about the world or about its publisher's work, such as statistics.

    None is a requirement, and they have no sum: years, places and ways of counting differ, and some contain others.
    """

    code: Code
    """Code of the record, such as `MI-2015-figure-001`."""
    edition: Code
    """Code of the edition, as at `/funding/v1/editions`."""
    region: Code | None
    """Code of the region in whose part of the edition it is printed; null for those outside the regions."""
    countries: list[CountryCode]
    """ISO 3166-1 alpha-3 codes of the countries that it is about, also `XKX`; empty where `place` says it in words."""
    place: str | None
    """What it is about where that is no country, or a part of one, such as `Horn of Africa`; null elsewhere."""
    measure: FigureMeasure
    """What it measures, by a list of our own."""
    subject: str
    """What exactly is counted, in words of our own."""
    value: NumberText | None
    """The figure as decimal text in `unit`; null where a table prints a dash in its place."""
    value_to: NumberText | None
    """The upper end, where a range is printed; null elsewhere."""
    unit: StatedUnit
    """What the value is a number of."""
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None
    """ISO 4217 code of the currency of an amount of money; null for other units."""
    qualifier: StatedQualifier | None
    """How exact the text says that it is; null where there is no value."""
    stage: StatedStage | None
    """Whether an amount of money is a budget, money received or money spent; null for other units."""
    year_from: int | None
    """First year that it is about; null where the text does not say it."""
    year_to: int | None
    """Last year that it is about, the first one again where it is one; null where the text does not say it, as in
    "since 2009".
    """
    area: Code | None
    """Code of the programmatic area of the edition that a budget is for; null where none fits, and elsewhere."""
    scope: StatedScope | None
    """Whether a table states it of the region or of the whole world; null for figures of no such table."""
    as_printed: str
    """The figure with its words as the edition prints them."""
    stated_source: str | None
    """Whom or what the edition names as the source of the figure; null where it names none."""
    footnote: str | None
    """Text that has to be shown with its names, such as that on Kosovo; null where there is none."""
    note: str | None
    """What whoever uses the figure has to know; null where there is nothing."""
    reading_note: str | None
    """How it was read from the text, for whoever checks it; null where there is nothing to say."""
    sources: list[SourceRef]
    """Where it is printed, and where `stated_source` is."""
    position: int
    """Position in the order of the document, from 1."""
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""


class EditionPage(Page[Edition]):
    """One page of editions."""


class VocabularyTermPage(Page[VocabularyTerm]):
    """One page of an edition's vocabulary."""


class CountryWithoutRequirement(ResponseModel):
    """A country that is asked for, that a region of an edition covers, and for which the edition asks for nothing."""

    country: CountryCode
    """ISO 3166-1 alpha-3 code of the country."""
    edition: Code
    """Code of the edition, as at `/funding/v1/editions`."""
    region: Code
    """Code of the region in the vocabulary of the edition, whose `covers` has the country."""
    detail: str
    """The same in words, for people."""


class RequirementPage(Page[Requirement]):
    """One page of requirements."""

    remarks: list[CountryWithoutRequirement]
    """Of a page without any row: the countries of the filter `country` that a region covers without a requirement of
    their own.
    """


class PrintedTotalPage(Page[PrintedTotal]):
    """One page of printed totals."""


class InitiativePage(Page[Initiative]):
    """One page of initiatives."""


class PartnerPage(Page[Partner]):
    """One page of donors and partners."""


class StatedFigurePage(Page[StatedFigure]):
    """One page of figures that the texts of an edition state."""


class EditionQuery(ListQuery):
    """Editions, all of them."""

    sort: tuple[Literal["-code", "code"], ...] = order_by("-code")


class TermQuery(ListQuery):
    """Which terms of a vocabulary."""

    sort: tuple[Literal["position", "-position", "name", "-name"], ...] = order_by("position")
    kind: Annotated[
        list[TermKind],
        Field(default_factory=list, max_length=100, description="Only entries of this kind.", examples=["place"]),
    ]


class PrintedTotalQuery(ListQuery):
    """Which printed totals."""

    sort: tuple[Literal["position", "-position"], ...] = order_by(
        "position", description="By the position in the document; `-position` is from its end."
    )
    division: Annotated[
        list[PrintedTotalDivision],
        Field(
            default_factory=list,
            max_length=100,
            description="Only totals of this: the edition, regions, areas of a region, or places.",
            examples=["place"],
        ),
    ]
    unit: Annotated[
        list[PrintedTotalUnit],
        Field(
            default_factory=list,
            max_length=100,
            description="Only amounts in US dollars, or only percentages.",
            examples=["USD"],
        ),
    ]


class ReconciliationQuery(TableQuery):
    """Which figures; the counts are those of all."""

    division: Annotated[
        list[PrintedTotalDivision],
        Field(
            default_factory=list,
            max_length=100,
            description="Only totals of this: the edition, regions, areas of a region, or places.",
            examples=["place"],
        ),
    ]
    agreement: Annotated[
        list[PrintedTotalAgreement],
        Field(
            default_factory=list,
            max_length=100,
            description="Only figures that agree with what the rows add up to in this way.",
            examples=["equal"],
        ),
    ]


class RequirementFilter(PointInTime):
    """Which requirements: any of a repeated filter, all of different ones."""

    edition: Annotated[
        Values, Field(description="Code of an edition, as at `/funding/v1/editions`.", examples=["MI-2015"])
    ]
    region: Annotated[
        Values, Field(description="Code of a region, as in the edition's vocabulary.", examples=["east-horn-africa"])
    ]
    country: Annotated[
        Values,
        Field(
            description="ISO 3166-1 alpha-3 code, also of a country that a place covers, or `none` for places that are"
            " no single country.",
            examples=["KEN"],
        ),
    ]
    place: Annotated[
        Values,
        Field(
            description="Code of a country, a territory or another heading, as in the edition's vocabulary.",
            examples=["KEN"],
        ),
    ]
    area: Annotated[
        Values,
        Field(
            description="Code of a programmatic area (a field of work), as in the edition's vocabulary.",
            examples=["health"],
        ),
    ]
    status: Annotated[
        list[RequirementStatus],
        Field(
            default_factory=list,
            max_length=100,
            description='What is printed as the requirement: an amount, the word "funded", or no figure.',
            examples=["required"],
        ),
    ]
    target_population: Annotated[
        Values,
        Field(
            description="Code of the people whom the money is for; a requirement may name several. `not_stated` finds"
            " those that name nobody.",
            examples=["migrants"],
        ),
    ]
    populations_named: Annotated[
        NumberNamed | None,
        Field(description="How many target populations the requirement names.", examples=["one"]),
    ] = None
    topic: Annotated[
        Values,
        Field(
            description="Code of what the money is for, as in the edition's vocabulary; a requirement may have several."
            " `not_stated` finds those without any.",
            examples=["health-assessments"],
        ),
    ]
    topics_named: Annotated[
        NumberNamed | None, Field(description="How many topics the requirement has.", examples=["several"])
    ] = None
    amount_min: Annotated[
        Amount | None,
        Field(description="Least amount, in US dollars; rows without an amount are left out.", examples=["1000000.00"]),
    ] = None
    amount_max: Annotated[
        Amount | None,
        Field(
            description="Greatest amount, in US dollars; rows without an amount are left out.", examples=["5000000.00"]
        ),
    ] = None
    updated_since: UpdatedSince = None
    q: Annotated[
        Search | None,
        Field(
            description="Words by their beginning, in place, region, area, topics and purpose; a country is found by"
            f" each of its names. {HOW}",
            examples=["kenya refugees"],
        ),
    ] = None


class RequirementQuery(RequirementFilter, ListQuery):
    """Which requirements, and in which order."""

    sort: tuple[Literal["code", "-code", "amount", "-amount", "updated", "-updated"], ...] = order_by("code")


class RequirementTotalsQuery(RequirementFilter, TotalsQuery):
    """Which requirements are summed, and what the sum is divided by."""

    by: Annotated[
        list[RequirementDivision],
        Field(
            min_length=1,
            max_length=2,
            description="What the total is divided by, one or two of these.",
            examples=["region"],
        ),
    ] = ["region"]


class InitiativeFilter(PointInTime):
    """Which initiatives: any of a repeated filter, all of different ones."""

    edition: Annotated[
        Values, Field(description="Code of an edition, as at `/funding/v1/editions`.", examples=["MI-2015"])
    ]
    kind: Annotated[
        list[InitiativeKind],
        Field(
            default_factory=list,
            max_length=100,
            description="Only records of this kind.",
            examples=["initiative"],
        ),
    ]
    area: Annotated[
        Values,
        Field(
            description="Code of a programmatic area, as in the edition's vocabulary; `not_stated` finds those whose"
            " section fits none.",
            examples=["environment"],
        ),
    ]
    country: Annotated[
        Values,
        Field(
            description="ISO 3166-1 alpha-3 code of a country where the text places them; `not_stated` finds those for"
            " which it names none.",
            examples=["KEN"],
        ),
    ]
    region: Annotated[
        Values,
        Field(
            description="Code of a region, as in the edition's vocabulary, in which one of their countries is;"
            " `not_stated` finds those of which none is in a region.",
            examples=["east-horn-africa"],
        ),
    ]
    q: Annotated[
        Search | None,
        Field(description=f"Words by their beginning, in name, section and purpose. {HOW}", examples=["climate"]),
    ] = None


class InitiativeQuery(InitiativeFilter, ListQuery):
    """Which initiatives, and in which order."""

    sort: tuple[Literal["position", "-position"], ...] = order_by(
        "position", description="By the position in the document; `-position` is from its end."
    )


class PartnerQuery(ListQuery):
    """Which donors and partners."""

    sort: tuple[Literal["position", "-position", "name", "-name"], ...] = order_by("position")
    kind: Annotated[
        list[PartnerKind],
        Field(default_factory=list, max_length=100, description="Only partners of this kind.", examples=["state"]),
    ]
    country: Annotated[
        Values,
        Field(
            description="ISO 3166-1 alpha-3 code of a State or a territory; `not_stated` finds all other partners.",
            examples=["NOR"],
        ),
    ]
    q: Annotated[
        Search | None,
        Field(
            description=f"Words by their beginning, in names; a country is found by each of its names. {HOW}",
            examples=["norway"],
        ),
    ] = None


class FigureFilter(PointInTime):
    """Which figures of an edition's texts: any of a repeated filter, all of different ones."""

    region: Annotated[
        Values,
        Field(
            description="Code of a region, as in the edition's vocabulary, in whose part they are printed; `not_stated`"
            " finds those outside the regions.",
            examples=["see-eeca"],
        ),
    ]
    country: Annotated[
        Values,
        Field(
            description="ISO 3166-1 alpha-3 code of a country that they are about; `not_stated` finds those about no"
            " single countries.",
            examples=["TJK"],
        ),
    ]
    measure: Annotated[
        list[FigureMeasure],
        Field(
            default_factory=list,
            max_length=100,
            description="Only figures of this measure.",
            examples=["remittances_share_of_gdp"],
        ),
    ]
    unit: Annotated[
        list[StatedUnit],
        Field(default_factory=list, max_length=100, description="Only figures in this unit.", examples=["per_cent"]),
    ]
    qualifier: Annotated[
        list[StatedQualifier],
        Field(
            default_factory=list,
            max_length=100,
            description="Only figures of which the text says that they are as exact as this.",
            examples=["exact"],
        ),
    ]
    year: Annotated[
        Year | None,
        Field(
            description="Only figures about this year: it is one of their years, or not before the first where no last"
            " one is stated.",
            examples=[2013],
        ),
    ] = None
    q: Annotated[
        Search | None,
        Field(
            description="Words by their beginning, in subject and place; a country is found by each of its names."
            f" {HOW}",
            examples=["remittances"],
        ),
    ] = None


class FigureQuery(FigureFilter, ListQuery):
    """Which figures of an edition's texts, and in which order."""

    sort: tuple[Literal["position", "-position", "value", "-value"], ...] = order_by("position")
