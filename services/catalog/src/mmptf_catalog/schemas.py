"""The catalogue's wire shapes: programmes and the code lists that they are described with."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import Field

from mmptf_common.http.parameters import Amount, ListQuery, Moment, PointInTime, Search, Values
from mmptf_common.routers.cards import Card
from mmptf_common.wire.base import Code, ResponseModel
from mmptf_common.wire.codes import BudgetCategory
from mmptf_common.wire.money import AmountText
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


class ThematicArea(ResponseModel):
    """One of the Fund's thematic areas."""

    code: Code
    number: int
    name: str
    sources: list[SourceRef]
    updated: datetime


class Objective(ResponseModel):
    """One of the 23 objectives of the Global Compact for Migration (A/RES/73/195), by its short title."""

    code: Code
    number: int
    name: str
    sources: list[SourceRef]
    updated: datetime


class ClusteredArea(ResponseModel):
    """The objectives that a scheme clusters under one thematic area."""

    thematic_area: Code
    objectives: list[Code]


class Clustering(ResponseModel):
    """A named, versioned scheme of objectives under thematic areas; a programme's area is never derived from it."""

    code: Code
    version: str
    name: str
    verified: bool
    areas: list[ClusteredArea]
    note: str | None
    sources: list[SourceRef]
    updated: datetime


class GuidingPrinciple(ResponseModel):
    """One of the ten guiding principles of the Global Compact for Migration."""

    code: Code
    number: int
    name: str
    sources: list[SourceRef]
    updated: datetime


class Place(ResponseModel):
    """A country or territory (ISO 3166-1 alpha-3) or a region (UN M49, three digits as text)."""

    code: Code
    kind: Literal["country", "region"]
    name: str
    m49: Annotated[str, Field(pattern=r"^[0-9]{3}$")] | None
    iso_alpha2: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] | None
    region: str | None
    subregion: str | None
    intermediate_region: str | None
    footnote: str | None
    user_assigned: bool
    sources: list[SourceRef]
    updated: datetime


class Organization(ResponseModel):
    """An organization that the sources name."""

    code: Code
    name: str
    kind: Literal["un_organization"]
    sources: list[SourceRef]
    updated: datetime


class ProgrammePage(Page[Programme]): ...


class ThematicAreaPage(Page[ThematicArea]): ...


class ObjectivePage(Page[Objective]): ...


class ClusteringPage(Page[Clustering]): ...


class GuidingPrinciplePage(Page[GuidingPrinciple]): ...


class PlacePage(Page[Place]): ...


class OrganizationPage(Page[Organization]): ...


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


class NumberedQuery(ListQuery):
    """The query of a code list whose entries have numbers."""

    sort: Annotated[Literal["number", "-number", "name", "-name"], Field(description="The order.")] = "number"


class NamedQuery(ListQuery):
    """The query of a code list without numbers."""

    sort: Annotated[Literal["code", "-code", "name", "-name"], Field(description="The order.")] = "code"


class PlaceQuery(NamedQuery):
    kind: Annotated[list[Literal["country", "region"]], Field(default_factory=list, max_length=100)]
    region: Annotated[Values, Field(description="M49 code of a region that holds the place.", examples=["150"])]
    q: Annotated[Search | None, Field(description="Words, each of which begins a word of the name.")] = None
