"""The wire shapes of programmes, and of what is sent: drafts, amendments, status changes and extensions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field
from typing_extensions import TypeAliasType

from mmptf_catalog.code_lists.schemas import Objective, Organization, Place, ThematicArea
from mmptf_catalog.programmes.domain import (
    ProgrammeBudgetLine,
    ProgrammeContent,
    ProgrammeDraft,
    ProgrammeDuration,
    ProgrammeStatus,
    ProgrammeStatusRecord,
    ProgrammeStatusSent,
    StatedBudget,
    StatedProgramme,
    Year,
)
from mmptf_common.http.parameters import (
    Amount,
    ListQuery,
    PointInTime,
    Search,
    TotalsQuery,
    UpdatedSince,
    Values,
    order_by,
)
from mmptf_common.http.search import HOW
from mmptf_common.routers.cards import Card
from mmptf_common.wire.base import (
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
from mmptf_common.wire.codes import AmountPrecision, BudgetCategory, LifecycleStage, ProgrammeBudgetStage
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
    """A code and the name it stands for."""

    code: Code
    """Code, as in the code list of the member."""
    name: str
    """What the code stands for."""


class ProgrammePlace(ResponseModel):
    """A place of a programme: `share` is its per cent of the budget, null where the source gives none."""

    code: Code
    """Code of the place, as at `/catalog/v1/places`."""
    name: str
    """Name as the United Nations write it today."""
    as_printed: str
    """Name as the source prints it."""
    share: Annotated[str, Field(pattern=r"^[0-9]{1,3}\.[0-9]{2}$")] | None
    """Per cent of the budget that is meant for the place, with two decimals; null where the source gives none."""
    footnote: str | None
    """Text that has to accompany the name; null where there is none."""


class ProgrammeBudget(ResponseModel):
    """A programme's budget, as its sources print it or as its organization states it.

    `stage` is `requirement` while it is asked for and `allocation` once it is approved. Where a source does not say
    which it is, it is `programme_budget`, a stage of its own that is never added to another. `rounded` means as
    printed, e.g. USD 1.5M; `as_printed` is null for what was not taken from a document.
    """

    amount: AmountText
    """The budget as an exact decimal number with two places; `precision` says how exactly it is known."""
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    """ISO 4217 code of the currency, such as `USD`."""
    stage: ProgrammeBudgetStage
    """Stage of money: asked for (`requirement`), approved (`allocation`), or not said (`programme_budget`)."""
    precision: AmountPrecision
    """Whether the figure is exact, or rounded as printed."""
    as_printed: str | None
    """The words of the source, such as `USD 1.5M`; null for what was not taken from a document."""
    sources: list[SourceRef]
    """Where the budget is printed."""

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
    """A joint programme of the Fund. What no source states is null or empty and named in `gaps`.

    `lead_organization` submitted it; `budget_lines` add up to the budget where there are any.
    """

    code: Code
    """Code of the programme; after a renaming, the former code leads to this one."""
    title: str | None
    """Title; null where no source prints one."""
    summary: str
    """What the programme is about, in words of our own, or as its organization wrote it."""
    thematic_area: CodeName | None
    """Thematic area; null where no source states one. It is never derived from objectives."""
    objectives: list[CodeName]
    """Objectives of the Global Compact that the sources name; empty where they name none."""
    place_label: str
    """The places as the source prints them, together."""
    places: list[ProgrammePlace]
    """The countries or regions; empty where no source names one."""
    lead_organization: Code | None
    """Code of the organization that submitted it; null where no source states it."""
    organizations: list[CodeName]
    """Participating organizations; empty where no source names them."""
    duration: ProgrammeDuration | None
    """First and last day; null where they are not stated."""
    budget: ProgrammeBudget | None
    """Budget in US dollars; null where no source states one, which is not zero."""
    budget_lines: list[ProgrammeBudgetLine]
    """The budget by organization, year and category; they add up to it. Empty where they are not stated."""
    status: ProgrammeStatus
    """Status today, by the procedure of the Fund."""
    stage: LifecycleStage
    """Coarse part of the life cycle that the status belongs to."""
    status_history: list[ProgrammeStatusRecord]
    """Every status that it had, the earliest first."""
    gaps: list[Gap]
    """What the sources do not state; the members are null or empty."""
    sources: list[SourceRef]
    """Where each fact is printed: one entry for each member that was taken from a document."""
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
    """A programme's budget with its stage and precision; the programme itself has its sources."""

    amount: AmountText
    """The budget as an exact decimal number with two places."""
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    """ISO 4217 code of the currency, such as `USD`."""
    stage: ProgrammeBudgetStage
    """Stage of money: asked for (`requirement`), approved (`allocation`), or not said (`programme_budget`)."""
    precision: AmountPrecision
    """Whether the figure is exact, or rounded as printed."""


class ProgrammeFacts(ResponseModel):
    """What of a programme a reader needs at one glance; what no source states is null or empty and named in `gaps`."""

    title: str | None
    """Title; null where no source prints one."""
    status: ProgrammeStatus
    """Status today, by the procedure of the Fund."""
    stage: LifecycleStage
    """Coarse part of the life cycle that the status belongs to."""
    thematic_area: CodeName | None
    """Thematic area; null where no source states one."""
    objectives: list[CodeName]
    """Objectives of the Global Compact; empty where no source names them."""
    place_label: str
    """The places as the source prints them, together."""
    places: list[ProgrammePlace]
    """The countries or regions; empty where no source names one."""
    lead_organization: Code | None
    """Code of the organization that submitted it; null where no source states it."""
    organizations: list[CodeName]
    """Participating organizations; empty where no source names them."""
    duration: ProgrammeDuration | None
    """First and last day; null where they are not stated."""
    budget: CardBudget | None
    """Budget in US dollars; null where no source states one, which is not zero."""
    gaps: list[Gap]
    """What the sources do not state; the members are null or empty."""


class CatalogProgrammeCard(Card[ProgrammeFacts]):
    """What the catalogue holds on a programme; `changed` is when anything of the programme last changed."""

    service: Literal["catalog"]
    """Name of the service whose facts these are."""


class ProgrammePage(Page[Programme]):
    """One page of programmes."""


BudgetStageFilter = TypeAliasType(
    "BudgetStageFilter",
    Literal["programme_budget", "requirement", "allocation", "not_stated"],
)
"""Stage of money of the budget, by which programmes are found.

- `programme_budget`: the source does not say whether it is asked for or approved
- `requirement`: asked for
- `allocation`: approved by the Steering Committee
- `not_stated`: programmes without a budget
"""


class ProgrammeFilter(PointInTime):
    """Which programmes: any of a repeated filter, all of different ones; `not_stated` finds those without a value."""

    thematic_area: Annotated[Values, Field(description="Code of a thematic area.", examples=["3"])]
    objective: Annotated[Values, Field(description="Code of a GCM objective.", examples=["6"])]
    country: Annotated[Values, Field(description="ISO 3166-1 alpha-3 code of a place.", examples=["ETH"])]
    region: Annotated[Values, Field(description="M49 code of a region at any level: 002 is Africa.", examples=["002"])]
    organization: Annotated[Values, Field(description="Code of a participating organization.", examples=["ILO"])]
    stage: Annotated[
        list[LifecycleStage],
        Field(default_factory=list, max_length=100, description="Coarse life cycle.", examples=["funded"]),
    ]
    budget_stage: Annotated[
        list[BudgetStageFilter],
        Field(
            default_factory=list,
            max_length=100,
            description="Stage of money of the budget.",
            examples=["programme_budget"],
        ),
    ]
    budget_min: Annotated[Amount | None, Field(description="Smallest budget, in USD.", examples=["1000000.00"])] = None
    budget_max: Annotated[Amount | None, Field(description="Largest budget, in USD.", examples=["5000000.00"])] = None
    q: Annotated[
        Search | None,
        Field(
            description=f"Words, each of which begins a word of title, summary or a name of a place. {HOW}",
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
"""What the totals of programmes can be divided by.

- `thematic_area`: thematic area
- `objective`: GCM objective
- `country`: country or territory
- `region`: M49 region
- `organization`: participating organization
- `stage`: part of the life cycle
"""


class ProgrammeTotalsQuery(ProgrammeFilter, TotalsQuery):
    by: Annotated[
        list[ProgrammeDivision],
        Field(min_length=1, max_length=1, description="What the total is divided by.", examples=["thematic_area"]),
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
Reason = Annotated[Text, Field(max_length=2000, description="Why, as the history will say.")]
Decision = Annotated[Text, Field(max_length=300, description="The decision behind it, such as a meeting and its date.")]


class ProgrammePlaceSent(RequestModel):
    """A place by its code; the shares of all places are given, and add up to 100.00, or none is."""

    code: ListedCode
    """ISO 3166-1 alpha-3 code of a country, or M49 code of a region, as at `/catalog/v1/places`."""
    share: PlaceShare | None = None
    """Per cent of the budget that is meant for the place; null where no place has one."""


class ProgrammeDurationSent(RequestModel):
    """The first and the last day."""

    start: Day
    """First day of the programme."""
    end: Day
    """Last day of the programme."""


class ProgrammeBudgetLineSent(RequestModel):
    """What one organization means to spend in one year under one UNSDG category."""

    organization: ListedCode
    """Code of a participating organization of the programme."""
    year: Year
    """Calendar year of the spending."""
    category: BudgetCategory
    """UNSDG budget category."""
    amount: AmountSent
    """What it means to spend, in US dollars."""


class ProgrammeContentSent(PatchModel):
    """The content of a programme. A member that is not sent stays as it is.

    budget: US dollars; budget_lines add up to it, to the cent
    """

    title: Annotated[Title, Field(default_factory=unset)]
    """Title of the programme, for people; a draft needs one before it is submitted."""
    summary: Annotated[Text, Field(default_factory=unset, max_length=5000)]
    """What the programme is about."""
    thematic_area: Annotated[ListedCode, Field(default_factory=unset)]
    """Code of the thematic area, as at `/catalog/v1/thematic-areas`."""
    objectives: Annotated[list[ListedCode], Field(default_factory=unset, max_length=23)]
    """Codes of objectives of the Global Compact, as at `/catalog/v1/objectives`."""
    places: Annotated[list[ProgrammePlaceSent], Field(default_factory=unset, max_length=60)]
    """The countries or regions, with the share of each or of none."""
    organizations: Annotated[list[ListedCode], Field(default_factory=unset, max_length=40)]
    """Codes of the participating organizations, as at `/catalog/v1/organizations`."""
    duration: Annotated[ProgrammeDurationSent, Field(default_factory=unset)]
    """First and last day."""
    budget: Annotated[AmountSent, Field(default_factory=unset)]
    """Budget in US dollars."""
    budget_lines: Annotated[list[ProgrammeBudgetLineSent], Field(default_factory=unset, max_length=2000)]
    """The budget by organization, year and category; they add up to it."""

    def applied_to(self, content: AnyContent) -> AnyContent:
        """The content with the sent members in place of its own."""
        return content.model_validate({**content.model_dump(), **self.stated()})


class ProgrammeDraftSent(ProgrammeContentSent):
    """A new draft, under a code that no programme has."""

    code: NewCode
    """Code of the programme to be; no programme or draft has it, nor had it."""


class ProgrammeAmendment(ProgrammeContentSent):
    """What changes in a programme, and why."""

    reason: Reason


class StatusChangeSent(RequestModel):
    """The status that a programme has from a day on, and what brought it about."""

    status: ProgrammeStatusSent
    """The status from `date` on."""
    date: Day
    """First day of the status."""
    reason: Reason
    decision: Decision | None = None
    """The decision behind it, such as a meeting and its date."""


class NoCostExtensionSent(RequestModel):
    """A later last day, without more money."""

    end: Day
    """The new last day, after the present one."""
    reason: Reason
    decision: Decision


class ProgrammeStatusChange(StatusChangeSent):
    """A status change of one programme among several; `etag` is what `If-Match` is for a single one."""

    programme: Code
    """Code of the programme."""
    etag: Annotated[
        str,
        Field(
            pattern=worded(
                r'^(\*|(W/)?"[^"]{1,200}")$',
                'the ETag of the programme as it was read, with its quotes, such as "356-a1b2", or * for any',
            )
        ),
    ]
    """The programme's `ETag` as it was read, with its quotes: the change is refused where it has changed since. `*`
    stands for the programme as it is, whatever it is like.
    """


class StatusChangeBatch(RequestModel):
    """Status changes that are written together, such as those of one meeting."""

    changes: Annotated[list[ProgrammeStatusChange], Field(min_length=1, max_length=500)]
    """The changes, at most one for a programme."""


class ProgrammeDraftPage(Page[ProgrammeDraft]):
    """One page of drafts."""


class DraftQuery(ListQuery):
    """Which drafts, of those that the caller may see."""

    sort: tuple[Literal["code", "-code", "updated", "-updated"], ...] = order_by("code")
    q: Annotated[
        Search | None,
        Field(
            description=f"Words, each of which begins a word of title, summary or a name of a place. {HOW}",
            examples=["recruitment"],
        ),
    ] = None
