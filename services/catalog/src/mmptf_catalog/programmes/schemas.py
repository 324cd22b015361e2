"""What is sent to write programmes: drafts, amendments, status changes and extensions."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import Field

from mmptf_common.http.parameters import Amount, ListQuery, Moment, PointInTime, Search, Values
from mmptf_common.routers.cards import Card
from mmptf_common.wire.base import Code, Day, PatchModel, RequestModel, ResponseModel, Text, unset
from mmptf_common.wire.codes import BudgetCategory
from mmptf_common.wire.money import AmountSent, AmountText
from mmptf_common.wire.pages import Page
from mmptf_common.wire.sources import Gap, SourceRef

Stage = Literal["concept", "pipeline", "funded", "closed", "dropped", "not_stated"]
Status = Literal[
    "concept_note", "pipeline", "approved", "implementation", "operationally_closed", "financially_closed",
    "not_selected", "withdrawn", "suspended", "cancelled", "not_stated",
]  # fmt: skip


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


BudgetStage = Literal["programme_budget", "requirement", "allocation"]
Year = Annotated[int, Field(strict=True, ge=2016, le=2100)]


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


class BudgetLine(ResponseModel):
    """What one organization means to spend in one year under one UNSDG category, in the budget's currency."""

    organization: Code
    year: Year
    category: BudgetCategory
    amount: AmountText


class Extension(ResponseModel):
    """A no-cost extension: the last day that it replaces, and the decision behind it."""

    end: date
    previous_end: date
    reason: str
    decision: str


class Duration(ResponseModel):
    """The first and the last day of a programme, the last as extended."""

    start: date
    end: date
    extensions: list[Extension]


class StatusRecord(ResponseModel):
    """A status that a programme had, with the date as precisely as it is known, the reason, and what decided it."""

    status: Status
    stage: Stage
    date: date
    date_precision: Literal["day", "month", "year"]
    reason: str
    decision: str | None
    verified: bool
    sources: list[SourceRef]


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
    """What the catalogue says of a programme; `changed` is when anything of the programme last changed."""


class ProgrammePage(Page[Programme]): ...


class ProgrammeFilter(PointInTime):
    """Which programmes: any of a repeated filter, all of different ones."""

    thematic_area: Annotated[Values, Field(description="Code of a thematic area.", examples=["2"])]
    objective: Annotated[Values, Field(description="Code of a GCM objective.")]
    country: Annotated[Values, Field(description="ISO 3166-1 alpha-3 code of a place.", examples=["SRB"])]
    region: Annotated[Values, Field(description="M49 code of a region at any level, e.g. 150 Europe.")]
    organization: Annotated[Values, Field(description="Code of a participating organization.")]
    stage: Annotated[list[Stage], Field(default_factory=list, max_length=100, description="Coarse life cycle.")]
    budget_stage: Annotated[
        list[BudgetStage], Field(default_factory=list, max_length=100, description="Stage of money of the budget.")
    ]
    budget_min: Annotated[Amount | None, Field(description="Smallest budget, in USD.")] = None
    budget_max: Annotated[Amount | None, Field(description="Largest budget, in USD.")] = None
    q: Annotated[Search | None, Field(description="Words, each of which begins a word of title or summary.")] = None
    updated_since: Annotated[Moment | None, Field(description="Only what changed at or after this moment.")] = None


class ProgrammeQuery(ProgrammeFilter, ListQuery):
    sort: Annotated[
        Literal["code", "-code", "title", "-title", "budget", "-budget", "updated", "-updated"],
        Field(description="The order; `-` descends. Without a budget comes before the smallest."),
    ] = "code"


Division = Literal["thematic_area", "objective", "country", "region", "organization", "stage"]


class ProgrammeTotalsQuery(ProgrammeFilter):
    by: Annotated[Division, Field(description="What the total is divided by.", examples=["thematic_area"])] = "stage"


# The statuses that a programme can be given; what the sources leave open is no status to choose.
NewStatus = Literal[
    "concept_note", "pipeline", "approved", "implementation", "operationally_closed", "financially_closed",
    "not_selected", "withdrawn", "suspended", "cancelled",
]  # fmt: skip
Share = Annotated[str, Field(pattern=r"^(100|[0-9]{1,2})\.[0-9]{2}$", examples=["100.00"])]
Title = Annotated[Text, Field(max_length=300)]
Reason = Annotated[Text, Field(max_length=2000, description="Why, as the history will say.")]
Decision = Annotated[Text, Field(max_length=300, description="The decision behind it, such as a meeting and its date.")]


class PlaceSent(RequestModel):
    """A place by its code; the shares of all places are given, and add up to 100.00, or none is."""

    code: Code
    share: Share | None = None


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
    """What a programme says of itself. A member that is not sent stays as it is.

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
    etag: Annotated[str, Field(pattern=r'^"[^"]{1,200}"$')]


class StatusBatch(RequestModel):
    """Status changes that are written together, such as those of one meeting."""

    changes: Annotated[list[StatusOf], Field(min_length=1, max_length=500)]


class DraftPlace(ResponseModel):
    """A place of a draft, and its per cent of the budget."""

    code: Code
    share: str | None


class DraftDuration(ResponseModel):
    """The first and the last day of a draft's programme."""

    start: date
    end: date


class Draft(ResponseModel):
    """A programme before it is submitted: seen by its organization alone."""

    code: Code
    organization: Code
    title: str | None
    summary: str | None
    thematic_area: Code | None
    objectives: list[Code]
    places: list[DraftPlace]
    organizations: list[Code]
    duration: DraftDuration | None
    budget: str | None
    budget_lines: list[BudgetLine]
    updated: datetime


class DraftPage(Page[Draft]):
    """One page of drafts."""


class DraftQuery(ListQuery):
    """Which drafts, of those that the caller may see."""

    sort: Annotated[Literal["code", "-code", "updated", "-updated"], Field(description="The order.")] = "code"
    q: Annotated[Search | None, Field(description="Words, each of which begins a word of title or summary.")] = None
