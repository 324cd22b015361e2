"""The wire shapes of programmes, and of what is sent: drafts, amendments, status changes and extensions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field

from mmptf_catalog.code_lists.schemas import Objective, Organization, Place, ThematicArea
from mmptf_catalog.programmes.domain import (
    BudgetLine,
    BudgetStage,
    Draft,
    Duration,
    NewStatus,
    ProgrammeContent,
    Stage,
    StatedBudget,
    StatedProgramme,
    Status,
    StatusRecord,
    Year,
)
from mmptf_common.http.parameters import Amount, ListQuery, PointInTime, Search, TotalsQuery, UpdatedSince, Values
from mmptf_common.routers.cards import Card
from mmptf_common.wire.base import Code, Day, PatchModel, RequestModel, ResponseModel, Text, unset, worded
from mmptf_common.wire.codes import BudgetCategory
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
    name: str


class ProgrammePlace(ResponseModel):
    """A place of a programme: `share` is its per cent of the budget, null where the source gives none."""

    code: Code
    name: str
    as_printed: str
    share: Annotated[str, Field(pattern=r"^[0-9]{1,3}\.[0-9]{2}$")] | None
    footnote: str | None


class Budget(ResponseModel):
    """A programme's budget, as its sources print it or as its organization states it.

    `stage` is `requirement` while it is asked for and `allocation` once it is approved. Where a source does not say
    which it is, it is `programme_budget`, a stage of its own that is never added to another. `rounded` means as
    printed, e.g. USD 1.5M; `as_printed` is null for what was not taken from a document.
    """

    amount: AmountText
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    stage: BudgetStage
    precision: Literal["exact", "rounded"]
    as_printed: str | None
    sources: list[SourceRef]

    @classmethod
    def of(cls, stated: StatedBudget, sources: Iterable[SourceRef]) -> Budget:
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
    title: str | None
    summary: str
    thematic_area: CodeName | None
    objectives: list[CodeName]
    place_label: str
    places: list[ProgrammePlace]
    lead_organization: Code | None
    organizations: list[CodeName]
    duration: Duration | None
    budget: Budget | None
    budget_lines: list[BudgetLine]
    status: Status
    stage: Stage
    status_history: list[StatusRecord]
    gaps: list[Gap]
    sources: list[SourceRef]
    updated: datetime

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
            budget=stated.budget and Budget.of(stated.budget, stated.sources),
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
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    stage: BudgetStage
    precision: Literal["exact", "rounded"]


class ProgrammeFacts(ResponseModel):
    """What of a programme a reader needs at one glance; what no source states is null or empty and named in `gaps`."""

    title: str | None
    status: Status
    stage: Stage
    thematic_area: CodeName | None
    objectives: list[CodeName]
    place_label: str
    places: list[ProgrammePlace]
    lead_organization: Code | None
    organizations: list[CodeName]
    duration: Duration | None
    budget: CardBudget | None
    gaps: list[Gap]


class ProgrammeCard(Card[ProgrammeFacts]):
    """What the catalogue holds on a programme; `changed` is when anything of the programme last changed."""


class ProgrammePage(Page[Programme]): ...


class ProgrammeFilter(PointInTime):
    """Which programmes: any of a repeated filter, all of different ones; `not_stated` finds those without a value."""

    thematic_area: Annotated[Values, Field(description="Code of a thematic area.", examples=["2"])]
    objective: Annotated[Values, Field(description="Code of a GCM objective.")]
    country: Annotated[Values, Field(description="ISO 3166-1 alpha-3 code of a place.", examples=["SRB"])]
    region: Annotated[Values, Field(description="M49 code of a region at any level, e.g. 150 Europe.")]
    organization: Annotated[Values, Field(description="Code of a participating organization.")]
    stage: Annotated[list[Stage], Field(default_factory=list, max_length=100, description="Coarse life cycle.")]
    budget_stage: Annotated[
        list[Literal[BudgetStage, "not_stated"]],
        Field(default_factory=list, max_length=100, description="Stage of money of the budget."),
    ]
    budget_min: Annotated[Amount | None, Field(description="Smallest budget, in USD.")] = None
    budget_max: Annotated[Amount | None, Field(description="Largest budget, in USD.")] = None
    q: Annotated[Search | None, Field(description="Words, each of which begins a word of title or summary.")] = None
    updated_since: UpdatedSince = None


class ProgrammeQuery(ProgrammeFilter, ListQuery):
    sort: Annotated[
        Literal["code", "-code", "title", "-title", "budget", "-budget", "updated", "-updated"],
        Field(description="The order; `-` descends. Programmes without a value are last in both directions."),
    ] = "code"


Division = Literal["thematic_area", "objective", "country", "region", "organization", "stage"]


class ProgrammeTotalsQuery(ProgrammeFilter, TotalsQuery):
    by: Annotated[
        list[Division],
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


class PlaceSent(RequestModel):
    """A place by its code; the shares of all places are given, and add up to 100.00, or none is."""

    code: Code
    share: PlaceShare | None = None


class DurationSent(RequestModel):
    """The first and the last day."""

    start: Day
    end: Day


class BudgetLineSent(RequestModel):
    """What one organization means to spend in one year under one UNSDG category."""

    organization: Code
    year: Year
    category: BudgetCategory
    amount: AmountSent


class Content(PatchModel):
    """The content of a programme. A member that is not sent stays as it is.

    budget: US dollars; budget_lines add up to it, to the cent
    """

    title: Annotated[Title, Field(default_factory=unset)]
    summary: Annotated[Text, Field(default_factory=unset, max_length=5000)]
    thematic_area: Annotated[Code, Field(default_factory=unset)]
    objectives: Annotated[list[Code], Field(default_factory=unset, max_length=23)]
    places: Annotated[list[PlaceSent], Field(default_factory=unset, max_length=60)]
    organizations: Annotated[list[Code], Field(default_factory=unset, max_length=40)]
    duration: Annotated[DurationSent, Field(default_factory=unset)]
    budget: Annotated[AmountSent, Field(default_factory=unset)]
    budget_lines: Annotated[list[BudgetLineSent], Field(default_factory=unset, max_length=2000)]

    def applied_to(self, content: AnyContent) -> AnyContent:
        """The content with the sent members in place of its own."""
        return content.model_validate({**content.model_dump(), **self.stated()})


class DraftSent(Content):
    """A new draft, under a code that no programme has."""

    code: Code


class Amendment(Content):
    """What changes in a programme, and why."""

    reason: Reason


class StatusSent(RequestModel):
    """The status that a programme has from a day on, and what brought it about."""

    status: NewStatus
    date: Day
    reason: Reason
    decision: Decision | None = None


class ExtensionSent(RequestModel):
    """A later last day, without more money."""

    end: Day
    reason: Reason
    decision: Decision


class StatusOf(StatusSent):
    """A status change of one programme among several; `etag` is what `If-Match` is for a single one."""

    programme: Code
    etag: Annotated[
        str,
        Field(
            pattern=worded(
                r'^(W/)?"[^"]{1,200}"$',
                'the ETag of the programme as it was read, with its quotes, such as "356-a1b2"',
            )
        ),
    ]


class StatusBatch(RequestModel):
    """Status changes that are written together, such as those of one meeting."""

    changes: Annotated[list[StatusOf], Field(min_length=1, max_length=500)]


class DraftPage(Page[Draft]):
    """One page of drafts."""


class DraftQuery(ListQuery):
    """Which drafts, of those that the caller may see."""

    sort: Annotated[Literal["code", "-code", "updated", "-updated"], Field(description="The order.")] = "code"
    q: Annotated[Search | None, Field(description="Words, each of which begins a word of title or summary.")] = None
