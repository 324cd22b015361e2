"""The wire shapes of programmes, and of what is sent: drafts, amendments, status changes and extensions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field
from typing_extensions import TypeAliasType

from mmptf_catalog.code_lists.schemas import Objective, Organization, Place, ThematicArea
from mmptf_catalog.programmes.domain import (
    FIGURE,
    BeneficiaryGroup,
    ProgrammeBeneficiary,
    ProgrammeBudgetLine,
    ProgrammeComponent,
    ProgrammeContent,
    ProgrammeDraft,
    ProgrammeDuration,
    ProgrammeFigure,
    ProgrammeFigureQualifier,
    ProgrammeFigureUnit,
    ProgrammeLocality,
    ProgrammePartner,
    ProgrammePartnerKind,
    ProgrammeStatusRecord,
    StatedBudget,
    StatedProgramme,
    Year,
)
from mmptf_catalog.statuses import ProgrammeStatusSent
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
    with_codes,
)
from mmptf_common.http.search import HOW
from mmptf_common.routers.cards import Card
from mmptf_common.wire.base import (
    WHOLE,
    Code,
    Day,
    ListedCode,
    NewCode,
    PatchModel,
    RequestModel,
    ResponseModel,
    Text,
    unset,
    worded,
)
from mmptf_common.wire.codes import (
    AmountPrecision,
    BudgetCategory,
    LifecycleStage,
    ProgrammeBudgetStage,
    ProgrammeStatus,
)
from mmptf_common.wire.money import AmountSent, AmountText, amount_text
from mmptf_common.wire.pages import Page
from mmptf_common.wire.sources import Gap, SourceRef

AnyContent = TypeVar("AnyContent", bound=ProgrammeContent)


@dataclass(frozen=True, slots=True)
class CodeNames:
    """The names behind the codes of programmes, by code."""

    thematic_areas: Mapping[str, str]
    objectives: Mapping[str, str]
    organizations: Mapping[str, str]
    places: Mapping[str, Place]

    @property
    def place_names(self) -> dict[str, str]:
        """The names of the places by their codes."""
        return {code: place.name for code, place in self.places.items()}

    @classmethod
    def of(
        cls,
        thematic_areas: Iterable[ThematicArea],
        objectives: Iterable[Objective],
        organizations: Iterable[Organization],
        places: Iterable[Place],
    ) -> CodeNames:
        """The names of these entries of the code lists."""
        return cls(
            thematic_areas={entry.code: entry.name for entry in thematic_areas},
            objectives={entry.code: entry.name for entry in objectives},
            organizations={entry.code: entry.name for entry in organizations},
            places={place.code: place for place in places},
        )


class CodeName(ResponseModel):
    """A code, and the name to show for it."""

    code: Code
    """Code, as in the code list of what it belongs to, such as `/catalog/v1/objectives`."""
    name: str
    """Name of what the code stands for, for people."""


class ProgrammePlace(ResponseModel):
    """A country or region in which a programme is carried out."""

    code: Code
    """Code of the place, such as `MKD`, as at `/catalog/v1/places`."""
    name: str
    """Name as the United Nations write it; show this one."""
    as_printed: str
    """Name as the source prints it, which may be an older one."""
    share: Annotated[str, Field(pattern=r"^[0-9]{1,3}\.[0-9]{2}$")] | None
    """Per cent of the budget for this place, with two decimals, such as `60.00`; null where no source states it."""
    footnote: str | None
    """Text that has to stand wherever the name is shown; null where there is none."""


class ProgrammeBudget(ResponseModel):
    """A programme's budget, as its sources print it or as its organization states it."""

    amount: AmountText
    """Decimal number with two places, as text, such as `1500000.00`; `precision` says how exactly it is known."""
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    """ISO 4217 code of the currency: `USD` for all programmes so far."""
    stage: ProgrammeBudgetStage
    """Whether the budget is asked for or approved, where the source says so."""
    precision: AmountPrecision
    """Whether the source states the amount to the cent, or rounded."""
    as_printed: str | None
    """Amount as the source prints it, such as `USD 1.5M`; null where it was not taken from a document."""
    sources: list[SourceRef]
    """Where the budget was taken from."""

    @classmethod
    def of(cls, stated: StatedBudget, sources: Iterable[SourceRef]) -> ProgrammeBudget:
        """The public record of a stated budget; sources: those of the programme's facts, among them the budget's."""
        return cls(
            amount=amount_text(stated.amount),
            currency=stated.currency,
            stage=stated.stage,
            precision=stated.precision,
            as_printed=stated.as_printed,
            sources=[source for source in sources if source.field == "budget"],
        )


class Programme(ResponseModel):
    """A joint programme: several United Nations organizations carry it out together, with money of the Fund.

    What no source states is null or empty, and named in `gaps`.
    """

    code: Code
    """Code of the programme, such as `MKD-01`, the same in every service. A former code of it redirects to this one."""
    title: str | None
    """Title, for people; null where no source prints one: show `place_label` then."""
    summary: str
    """What the programme does, in a few sentences: written by this project, or by its organization once it states one.
    """
    thematic_area: CodeName | None
    """The one thematic area that it belongs to; null where no source states it. It is not derived from objectives."""
    objectives: list[CodeName]
    """Objectives of the Global Compact that it serves; empty where no source names one."""
    place_label: str
    """Name of all places together, as the source prints it, such as `NORTH MACEDONIA`."""
    places: list[ProgrammePlace]
    """The countries or regions in which it is carried out; empty where no source names one."""
    lead_organization: Code | None
    """Code of the organization that leads it and may change it before its approval; null where no source states it."""
    organizations: list[CodeName]
    """The participating UN organizations (PUNOs), each of which carries out a part; empty where no source names one."""
    partners: list[ProgrammePartner]
    """The bodies with which it works, which it consults or whose capacities it is to strengthen, such as ministries and
    civil society; empty where no source states one.
    """
    beneficiaries: list[ProgrammeBeneficiary]
    """The groups of people whom it is for; empty where no source states one."""
    components: list[ProgrammeComponent]
    """The parts into which it is divided; empty where no source numbers or counts them."""
    localities: list[ProgrammeLocality]
    """Provinces, cities, districts and the like within its places; empty where no source names one."""
    figures: list[ProgrammeFigure]
    """Figures that describe the situation or the aims, as their sources state them; empty where none is stated. They
    are never money.
    """
    duration: ProgrammeDuration | None
    """First and last day; null where no source states them."""
    budget: ProgrammeBudget | None
    """Budget; null where no source states one, which is not zero."""
    budget_lines: list[ProgrammeBudgetLine]
    """The budget by organization, year and category of costs; they add up to it. Empty where none is stated."""
    status: ProgrammeStatus
    """Present status in the procedure of the Fund."""
    stage: LifecycleStage
    """Lifecycle stage, the coarse group of statuses that `status` belongs to; for filters and charts."""
    status_history: list[ProgrammeStatusRecord]
    """Every status that it is known to have had, the earliest first; the last one is the present status. Empty where
    none is known.
    """
    gaps: list[Gap]
    """What the sources do not state, or state only in part; empty where nothing is missing."""
    sources: list[SourceRef]
    """Where the facts were taken from: for each member one entry or several, or none. Those of the budget, of each
    status, and of each partner, beneficiary, component, locality and figure are with these.
    """
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""

    @classmethod
    def of(cls, stated: StatedProgramme, names: CodeNames, at: datetime) -> Programme:
        """The public record of a stated programme; raises KeyError for a code that is not listed.

        at: when the programme was written
        """
        area = stated.thematic_area
        return cls(
            code=stated.code,
            title=stated.title,
            summary=stated.summary,
            thematic_area=CodeName(code=area, name=names.thematic_areas[area]) if area else None,
            objectives=[CodeName(code=code, name=names.objectives[code]) for code in stated.objectives],
            place_label=stated.place_label,
            places=[
                ProgrammePlace(
                    code=place.code,
                    name=names.places[place.code].name,
                    as_printed=place.as_printed,
                    share=None if place.share is None else f"{place.share:.2f}",
                    footnote=names.places[place.code].footnote,
                )
                for place in stated.places
            ],
            lead_organization=stated.lead_organization,
            organizations=[CodeName(code=code, name=names.organizations[code]) for code in stated.organizations],
            partners=stated.partners,
            beneficiaries=stated.beneficiaries,
            components=stated.components,
            localities=stated.localities,
            figures=stated.figures,
            duration=stated.duration,
            budget=stated.budget and ProgrammeBudget.of(stated.budget, stated.sources),
            budget_lines=stated.budget_lines,
            status=stated.status,
            stage=stated.stage,
            status_history=stated.status_history,
            gaps=stated.gaps,
            sources=[source for source in stated.sources if source.field != "budget"],
            updated=at,
        )


class CardBudget(ResponseModel):
    """A programme's budget, without its sources, which the programme itself has."""

    amount: AmountText
    """Decimal number with two places, as text, such as `1500000.00`; `precision` says how exactly it is known."""
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    """ISO 4217 code of the currency: `USD` for all programmes so far."""
    stage: ProgrammeBudgetStage
    """Whether the budget is asked for or approved, where the source says so."""
    precision: AmountPrecision
    """Whether the source states the amount to the cent, or rounded."""


class ProgrammeFacts(ResponseModel):
    """The main facts on a programme. What no source states is null or empty, and named in `gaps`."""

    title: str | None
    """Title, for people; null where no source prints one: show `place_label` then."""
    status: ProgrammeStatus
    """Present status in the procedure of the Fund."""
    stage: LifecycleStage
    """Lifecycle stage, the coarse group of statuses that `status` belongs to; for filters and charts."""
    thematic_area: CodeName | None
    """The one thematic area that it belongs to; null where no source states it."""
    objectives: list[CodeName]
    """Objectives of the Global Compact that it serves; empty where no source names one."""
    place_label: str
    """Name of all places together, as the source prints it, such as `NORTH MACEDONIA`."""
    places: list[ProgrammePlace]
    """The countries or regions in which it is carried out; empty where no source names one."""
    lead_organization: Code | None
    """Code of the organization that leads it and may change it before its approval; null where no source states it."""
    organizations: list[CodeName]
    """The participating UN organizations (PUNOs), each of which carries out a part; empty where no source names one."""
    duration: ProgrammeDuration | None
    """First and last day; null where no source states them."""
    budget: CardBudget | None
    """Budget; null where no source states one, which is not zero."""
    gaps: list[Gap]
    """What the sources do not state, or state only in part; empty where nothing is missing."""


class CatalogProgrammeCard(Card[ProgrammeFacts]):
    """What the catalogue has on a programme, for a panel on a page about the programme."""

    service: Literal["catalog"]
    """Name of the service whose facts these are; it decides which members `facts` has."""


class ProgrammePage(Page[Programme]):
    """One page of programmes."""


BudgetStageFilter = TypeAliasType(
    "BudgetStageFilter",
    Literal["programme_budget", "requirement", "allocation", "not_stated"],
)
"""Whether the budget of a programme is asked for or approved, as a filter.

- `programme_budget`: the source does not say whether it is asked for or approved
- `requirement`: asked for
- `allocation`: approved by the Steering Committee
- `not_stated`: no source states a budget
"""


ProgrammePartnerKindFilter = TypeAliasType(
    "ProgrammePartnerKindFilter",
    Literal[
        "government",
        "government_national",
        "government_local",
        "statistical_office",
        "civil_society",
        "academia",
        "private_sector",
        "community",
        "other",
        "not_stated",
    ],
)
"""What sort of body a partner of a programme is, as a filter.

- `government`: a government or public authority of which it is not stated whether it is national or local
- `government_national`: a national government, or a part of it such as a ministry
- `government_local`: the government of a region, district or municipality
- `statistical_office`: a statistical office
- `civil_society`: organizations of civil society
- `academia`: universities and research institutes
- `private_sector`: employers and companies
- `community`: a community, or the people in it
- `other`: any other
- `not_stated`: no source states a partner
"""
BeneficiaryGroupFilter = TypeAliasType(
    "BeneficiaryGroupFilter",
    Literal[
        "migrants",
        "migrant_workers",
        "refugees",
        "asylum_seekers",
        "returnees",
        "displaced_persons",
        "victims_of_trafficking",
        "survivors_of_violence",
        "women",
        "youth",
        "children",
        "unaccompanied_children",
        "families_of_migrants",
        "diaspora",
        "host_communities",
        "local_communities",
        "citizens",
        "persons_with_disabilities",
        "lgbtq_persons",
        "vulnerable_groups",
        "other",
        "not_stated",
    ],
)
"""Whom a programme is for, as a filter: the groups of `beneficiaries`.

- `migrants`: migrants, without regard to their status
- `migrant_workers`: migrants who work, or look for work
- `refugees`: refugees
- `asylum_seekers`: people who have asked for asylum
- `returnees`: migrants who have come back
- `displaced_persons`: people who had to leave their homes
- `victims_of_trafficking`: victims and survivors of trafficking in persons
- `survivors_of_violence`: survivors of violence, exploitation or abuse
- `women`: women and girls
- `youth`: young people and adolescents
- `children`: children
- `unaccompanied_children`: children without, or separated from, their parents
- `families_of_migrants`: families of migrants, with them or left behind
- `diaspora`: people abroad who come from a country of the programme
- `host_communities`: communities in which migrants or refugees have arrived
- `local_communities`: other communities, such as those at a border
- `citizens`: citizens of the country in which they live
- `persons_with_disabilities`: persons with disabilities
- `lgbtq_persons`: lesbian, gay, bisexual, transgender and queer persons
- `vulnerable_groups`: vulnerable people or groups in general
- `other`: any other
- `not_stated`: no source states a group
"""


class ProgrammeFilter(PointInTime):
    """Which programmes: any of a repeated filter, all of different ones; `not_stated` finds those without a value."""

    code: Annotated[list[Code], with_codes("programmes", "ETH-01")]
    thematic_area: Annotated[
        Values,
        Field(
            description="Only programmes of these thematic areas: codes as at `/catalog/v1/thematic-areas`, or"
            " `not_stated` for those of which no source states one.",
            examples=["3"],
        ),
    ]
    objective: Annotated[
        Values,
        Field(
            description="Only programmes that serve one of these objectives of the Global Compact for Migration (GCM):"
            " codes as at `/catalog/v1/objectives`, or `not_stated`.",
            examples=["6"],
        ),
    ]
    country: Annotated[
        Values,
        Field(
            description="Only programmes in one of these countries: ISO 3166-1 alpha-3 codes as at"
            " `/catalog/v1/places`, or `not_stated`.",
            examples=["ETH"],
        ),
    ]
    region: Annotated[
        Values,
        Field(
            description="Only programmes with a place in one of these regions, wide or narrow: UN M49 codes with three"
            " digits as at `/catalog/v1/places`, such as `002` for Africa and `014` for Eastern Africa, or"
            " `not_stated`.",
            examples=["002"],
        ),
    ]
    organization: Annotated[
        Values,
        Field(
            description="Only programmes in which one of these organizations participates: codes as at"
            " `/catalog/v1/organizations`, or `not_stated`.",
            examples=["ILO"],
        ),
    ]
    partner_kind: Annotated[
        list[ProgrammePartnerKindFilter],
        Field(
            default_factory=list,
            max_length=100,
            description="Only programmes with a partner of one of these sorts, such as ministries or civil society;"
            " `not_stated` for those of which no source states a partner.",
            examples=["not_stated"],
        ),
    ]
    beneficiary: Annotated[
        list[BeneficiaryGroupFilter],
        Field(
            default_factory=list,
            max_length=100,
            description="Only programmes that are for one of these groups; `not_stated` for those of which no source"
            " states a group.",
            examples=["children"],
        ),
    ]
    stage: Annotated[
        list[LifecycleStage],
        Field(
            default_factory=list,
            max_length=100,
            description="Only programmes in one of these lifecycle stages, the coarse groups of statuses.",
            examples=["funded"],
        ),
    ]
    status: Annotated[
        list[ProgrammeStatus],
        Field(
            default_factory=list,
            max_length=100,
            description="Only programmes with one of these statuses: at present, or on the day of `status_on`."
            " `not_stated` finds those of which none is known, on that day because it was not submitted yet or because"
            " no source states one.",
            examples=["implementation"],
        ),
    ]
    status_on: Annotated[
        Day | None,
        Field(
            description="The day of `status`, to its end, by the dates of the statuses, whenever these were written;"
            " without `status`, only programmes of which a status on this day is known. `as_of` is about when they were"
            " written.",
            examples=["2024-06-30"],
        ),
    ] = None
    budget_stage: Annotated[
        list[BudgetStageFilter],
        Field(
            default_factory=list,
            max_length=100,
            description="Only programmes whose budget is at one of these stages; `not_stated` for those without one.",
            examples=["programme_budget"],
        ),
    ]
    budget_min: Annotated[
        Amount | None,
        Field(
            description="Only programmes with at least this budget, in US dollars; none without a budget.",
            examples=["1000000.00"],
        ),
    ] = None
    budget_max: Annotated[
        Amount | None,
        Field(
            description="Only programmes with at most this budget, in US dollars; none without a budget.",
            examples=["5000000.00"],
        ),
    ] = None
    q: Annotated[
        Search | None,
        Field(
            description="Only programmes with these words, or words that begin so, in the title, the summary, a"
            f" partner, a component, a locality or any name of a place. {HOW}",
            examples=["ethiopia"],
        ),
    ] = None
    updated_since: UpdatedSince = None


class ProgrammeQuery(ProgrammeFilter, ListQuery):
    sort: tuple[Literal["code", "-code", "title", "-title", "budget", "-budget", "updated", "-updated"], ...] = (
        order_by("code")
    )


ProgrammeDivision = TypeAliasType(
    "ProgrammeDivision",
    Literal["thematic_area", "objective", "country", "region", "organization", "stage"],
)
"""Dimension by which the totals of programmes are divided into groups.

- `thematic_area`: by the thematic area
- `objective`: by the objective of the Global Compact
- `country`: by the country or territory, by stated shares of the budget
- `region`: by the widest region of the places, such as Africa, by the same shares
- `organization`: by the participating organization, by the budget lines where there are any
- `stage`: by the lifecycle stage, a coarse group of statuses
"""


class ProgrammeTotalsQuery(ProgrammeFilter, TotalsQuery):
    by: Annotated[
        list[ProgrammeDivision],
        Field(
            min_length=1,
            max_length=1,
            description="The dimension by which each total is divided into groups; `stage` if it is not given.",
            examples=["thematic_area"],
        ),
    ] = ["stage"]


# Without decimals, or with one, it is the same per cent with two.
PlaceShare = Annotated[
    str,
    Field(
        pattern=worded(
            r"^(100|[0-9]{1,2})(\.[0-9]{1,2})?$",
            'a share in per cent as text with two decimals, at most 100, such as "40.00"',
        ),
        examples=["100.00"],
    ),
    AfterValidator(lambda share: f"{Decimal(share):.2f}"),
]
Title = Annotated[Text, Field(max_length=300)]
Reason = Annotated[
    Text, Field(max_length=2000, description="Why, for people. Everybody can read it in the history of the record.")
]
Decision = Annotated[
    Text,
    Field(
        max_length=300,
        description="The decision behind it: code or number of one at `/catalog/v1/decisions`, or, where it is not"
        " listed there, words such as a meeting and its date. A text without spaces has to be of a listed decision."
        " Everybody can read it.",
    ),
]


class ProgrammePlaceSent(RequestModel):
    """A country or region in which the programme is to be carried out. Give each place a share, or none."""

    code: ListedCode
    """ISO 3166-1 alpha-3 code of a country, such as `KEN`, or M49 code of a region, as at `/catalog/v1/places`."""
    share: PlaceShare | None = None
    """Per cent of the budget for this place, as text, such as `60.00`; the shares of all places add up to 100.00. Null
    where they are not known.
    """


class ProgrammeDurationSent(RequestModel):
    """The days from which and to which the programme is to be carried out."""

    start: Day
    """First day, such as `2027-01-01`."""
    end: Day
    """Last day, such as `2028-12-31`, not before the first; it is part of the programme."""


class ProgrammeBudgetLineSent(RequestModel):
    """One line of a budget: what one organization means to spend in one year on one category of costs."""

    organization: ListedCode
    """Code of the organization that spends it, one of the programme's `organizations`."""
    year: Year
    """Calendar year in which it is to be spent, one of the programme's duration."""
    category: BudgetCategory
    """What it is to be spent on."""
    amount: AmountSent
    """Amount in US dollars as text, with at most two decimals and above zero, such as `120000.00`."""


Name = Annotated[Text, Field(max_length=300)]


class ProgrammePartnerSent(RequestModel):
    """A body with which the programme is to work, which it consults, or whose capacities it is to strengthen."""

    kind: ProgrammePartnerKind
    """What sort of body it is."""
    name: Name
    """Name of the partner, or of all that are meant together, such as `ministries`."""
    country: ListedCode | None = None
    """ISO 3166-1 alpha-3 code of the country of the partner, such as `KEN`; null where it has none."""
    number: Annotated[int, Field(strict=True, ge=1, le=10000), WHOLE] | None = None
    """How many they are, where one entry stands for several, such as 3 for three ministries."""


class ProgrammeBeneficiarySent(RequestModel):
    """A group of people whom the programme is for."""

    group: BeneficiaryGroup
    """The group, from a closed list, for filters and charts."""
    name: Name
    """The group in your own words, which may be narrower than `group`."""


class ProgrammeComponentSent(RequestModel):
    """One of the parts into which the programme is divided."""

    number: Annotated[int, Field(strict=True, ge=1, le=99), WHOLE]
    """Number of the part, from 1; no two parts have the same."""
    name: Name | None = None
    """Short name of the part; null where it has none."""
    text: Annotated[Text, Field(max_length=1000)]
    """What the part is about."""


class ProgrammeLocalitySent(RequestModel):
    """A place within one of the programme's places, such as a province, a city or a district."""

    place: ListedCode
    """Code of the place that it is in, one of the programme's `places`, such as `KEN`."""
    name: Name
    """Name of the locality."""


class ProgrammeFigureSent(RequestModel):
    """A figure that describes the situation, or what the programme is to reach; money is stated in `budget`."""

    subject: Name
    """What is counted or measured, for people."""
    value: Annotated[str, Field(pattern=FIGURE, examples=["12.5"])]
    """The figure as decimal text in `unit`, with at most four decimals and not below zero, such as `3570000`."""
    unit: ProgrammeFigureUnit
    """Whether it is a share, a number of people or of things, or a rank."""
    qualifier: ProgrammeFigureQualifier = "exact"
    """How exact the figure is."""


class ProgrammeContentSent(PatchModel):
    """What a programme is about. A member that is not sent stays as it is; a list that is sent replaces all of it."""

    title: Annotated[Title, Field(default_factory=unset)]
    """Title of the programme, for people. A draft needs one before it is submitted, as it needs all but `budget_lines`,
    `partners`, `beneficiaries`, `components`, `localities` and `figures`.
    """
    summary: Annotated[Text, Field(default_factory=unset, max_length=5000)]
    """What the programme is to do, in a few sentences."""
    thematic_area: Annotated[ListedCode, Field(default_factory=unset)]
    """Code of the one thematic area that it belongs to, as at `/catalog/v1/thematic-areas`, such as `3`."""
    objectives: Annotated[list[ListedCode], Field(default_factory=unset, max_length=23)]
    """Codes of the objectives of the Global Compact that it serves, as at `/catalog/v1/objectives`, such as `6`."""
    places: Annotated[list[ProgrammePlaceSent], Field(default_factory=unset, max_length=60)]
    """The countries or regions in which it is to be carried out, with the share of each or of none."""
    organizations: Annotated[list[ListedCode], Field(default_factory=unset, max_length=40)]
    """Codes of the organizations that take part, the lead among them, as at `/catalog/v1/organizations`."""
    partners: Annotated[list[ProgrammePartnerSent], Field(default_factory=unset, max_length=200)]
    """The bodies with which it is to work, which it consults or whose capacities it is to strengthen."""
    beneficiaries: Annotated[list[ProgrammeBeneficiarySent], Field(default_factory=unset, max_length=50)]
    """The groups of people whom it is for."""
    components: Annotated[list[ProgrammeComponentSent], Field(default_factory=unset, max_length=50)]
    """The parts into which it is divided, in their order."""
    localities: Annotated[list[ProgrammeLocalitySent], Field(default_factory=unset, max_length=200)]
    """Provinces, cities, districts and the like within its places."""
    figures: Annotated[list[ProgrammeFigureSent], Field(default_factory=unset, max_length=100)]
    """Figures that describe the situation or the aims, other than money."""
    duration: Annotated[ProgrammeDurationSent, Field(default_factory=unset)]
    """First and last day. Once a programme is approved they are not sent: an extension changes the last day."""
    budget: Annotated[AmountSent, Field(default_factory=unset)]
    """Budget in US dollars as text, with at most two decimals and above zero, such as `1500000.00`."""
    budget_lines: Annotated[list[ProgrammeBudgetLineSent], Field(default_factory=unset, max_length=2000)]
    """The budget by organization, year and category of costs. They add up to the budget to the cent, and have to be
    stated before a programme is approved.
    """

    def applied_to(self, content: AnyContent) -> AnyContent:
        """The content with the sent members in place of its own."""
        return content.model_validate({**content.model_dump(), **self.stated()})


class ProgrammeDraftAmendment(ProgrammeContentSent):
    """What is to change in a draft. A member that is not sent stays as it is; a list replaces all of the one before."""

    programme_code: Annotated[NewCode, Field(default_factory=unset)]
    """Code that the programme is to have, such as `KEN-UGA-01`. No programme may have it, or have had it."""


class ProgrammeDraftSent(ProgrammeContentSent):
    """A new draft of a programme. Only the code that the programme is to have is needed at once."""

    programme_code: NewCode
    """Code that the programme is to have, such as `KEN-UGA-01`. No programme may have it, or have had it; other drafts
    may, and the first one that is submitted gets it.
    """


class ProgrammeAmendment(ProgrammeContentSent):
    """What is to change in a programme, and why. A member that is not sent stays as it is."""

    reason: Reason
    decision: Decision | None = None
    """The decision by which the budget of an approved programme changes, such as a meeting and its date; needed where
    `budget` or `budget_lines` change after the approval.
    """
    lead_organization: ListedCode | None = None
    """Code of the organization that leads the programme, one of its `organizations`, such as `IOM`. The Fund's
    management unit states it where no source does; it is not changed any more. Null leaves it as it is.
    """


class StatusChangeSent(RequestModel):
    """A new status of a programme, since when, and why."""

    status: ProgrammeStatusSent
    """The new status; it has to be one that may follow the present one."""
    date: Day
    """First day of the new status, such as `2026-11-20`: not in the future, and not before that of the present one."""
    reason: Reason
    decision: Decision | None = None
    """The decision behind it: code or number of one at `/catalog/v1/decisions`, which is not of a later day, or, where
    it is not listed there, words such as a meeting and its date. A text without spaces has to be of a listed decision.
    The Fund's management unit has to name one; null where an organization withdraws its programme.
    """


class NoCostExtensionSent(RequestModel):
    """A no-cost extension: a later last day of a programme, without more money."""

    end: Day
    """The new last day, such as `2027-06-30`, after the present one."""
    reason: Reason
    decision: Decision


class ProgrammeStatusChange(StatusChangeSent):
    """A new status of one of several programmes, since when, and why."""

    programme: Code
    """Code of the programme whose status changes, such as `PER-01`."""
    etag: Annotated[
        str,
        Field(
            pattern=worded(
                r'^(\*|(W/)?"[^"]{1,200}")$',
                'the ETag of the programme as it was read, with its quotes, such as "356-a1b2", or * for any',
            )
        ),
    ]
    """The `ETag` with which the programme was read, with its quotes, as in `If-Match`: the row is refused where the
    programme has changed since. `*` changes it in whatever state it is, also over the changes of others.
    """


class StatusChangeBatch(RequestModel):
    """Status changes of several programmes in one request, such as those of one meeting."""

    changes: Annotated[list[ProgrammeStatusChange], Field(min_length=1, max_length=500)]
    """The changes, 1 to 500, at most one for each programme."""


class StatusCount(ResponseModel):
    """How many programmes had one status on a day."""

    status: ProgrammeStatus
    """The status; `not_stated` for programmes of which none is known on that day, because they were not submitted yet
    or because no source states one.
    """
    stage: LifecycleStage
    """Lifecycle stage, the coarse group of statuses that it belongs to."""
    programmes: int
    """Number of programmes with this status on that day."""
    link: str
    """Path that lists them."""


class PipelineStatement(ResponseModel):
    """How many programmes had which status on a day, by the dates of their statuses."""

    on: date
    """The day, to its end."""
    programmes: int
    """Number of all programmes, which the counts add up to."""
    statuses: list[StatusCount]
    """The counts, one for each status, also where it is zero, in the order of the procedure."""
    revision: int
    """Number of the last change in the data that this answer was made from."""


class PipelineQuery(TableQuery):
    """The day of a pipeline."""

    on: Annotated[
        Day | None,
        Field(
            description="The day, to its end, by the dates of the statuses, whenever these were written here. Without"
            " it, today (UTC).",
            examples=["2024-06-30"],
        ),
    ] = None


class ProgrammeDraftPage(Page[ProgrammeDraft]):
    """One page of drafts."""


class DraftQuery(ListQuery):
    """Which drafts, of those that the caller may see."""

    sort: tuple[Literal["code", "-code", "updated", "-updated"], ...] = order_by("code")
    q: Annotated[
        Search | None,
        Field(
            description="Only drafts with these words, or words that begin so, in the title, the summary, a partner,"
            f" a component, a locality or any name of a place. {HOW}",
            examples=["recruitment"],
        ),
    ] = None
