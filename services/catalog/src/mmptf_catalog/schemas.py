"""The catalogue's wire shapes: programmes and the code lists that they are described with."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from mmptf_common.codes import MoneyStage
from mmptf_common.query import Amount, ListQuery, Moment, Search, Values
from mmptf_common.schemas import AmountText, Code, Gap, Page, SourceRef, Wire

Stage = Literal["concept", "pipeline", "funded", "closed", "dropped", "not_stated"]
Status = Literal[
    "concept_note", "pipeline", "approved", "implementation", "operationally_closed", "financially_closed",
    "not_selected", "withdrawn", "suspended", "cancelled", "not_stated",
]  # fmt: skip


class CodeName(Wire):
    """A code and the name it stands for."""

    code: Code
    name: str


class ProgrammePlace(Wire):
    """A place of a programme: `share` is its per cent of the budget, null where the source gives none."""

    code: Code
    name: str
    as_printed: str
    share: Annotated[str, Field(pattern=r"^\d{1,3}\.\d{2}$")] | None
    footnote: str | None


class Budget(Wire):
    """A programme's budget as its sources print it.

    `stage` is always `programme_budget`: the sources do not say whether it is what was asked for or what was
    allocated, so it is a stage of its own and is never added to another. `rounded` means as printed, e.g. USD 1.5M.
    """

    amount: AmountText
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    stage: MoneyStage
    precision: Literal["exact", "rounded"]
    as_printed: str
    sources: list[SourceRef]


class StatusRecord(Wire):
    """A status that a programme had, with the date as precisely as it is known, and the reason."""

    status: Status
    stage: Stage
    date: date
    date_precision: Literal["day", "month", "year"]
    reason: str
    verified: bool
    sources: list[SourceRef]


class Programme(Wire):
    """A joint programme of the Fund. What no source states is null or empty and named in `gaps`."""

    code: Code
    title: str | None
    summary: str
    thematic_area: CodeName | None
    objectives: list[CodeName]
    place_label: str
    places: list[ProgrammePlace]
    organizations: list[CodeName]
    budget: Budget | None
    status: Status
    stage: Stage
    status_history: list[StatusRecord]
    gaps: list[Gap]
    sources: list[SourceRef]
    updated: datetime


class ThematicArea(Wire):
    """One of the Fund's thematic areas."""

    code: Code
    number: int
    name: str
    sources: list[SourceRef]
    updated: datetime


class Objective(Wire):
    """One of the 23 objectives of the Global Compact for Migration (A/RES/73/195), by its short title."""

    code: Code
    number: int
    name: str
    sources: list[SourceRef]
    updated: datetime


class ClusteredArea(Wire):
    """The objectives that a scheme clusters under one thematic area."""

    thematic_area: Code
    objectives: list[Code]


class Clustering(Wire):
    """A named, versioned scheme of objectives under thematic areas; a programme's area is never derived from it."""

    code: Code
    version: str
    name: str
    verified: bool
    areas: list[ClusteredArea]
    note: str | None
    sources: list[SourceRef]
    updated: datetime


class GuidingPrinciple(Wire):
    """One of the ten guiding principles of the Global Compact for Migration."""

    code: Code
    number: int
    name: str
    sources: list[SourceRef]
    updated: datetime


class Place(Wire):
    """A country or territory (ISO 3166-1 alpha-3) or a region (UN M49, three digits as text)."""

    code: Code
    kind: Literal["country", "region"]
    name: str
    m49: Annotated[str, Field(pattern=r"^\d{3}$")] | None
    iso_alpha2: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] | None
    region: str | None
    subregion: str | None
    intermediate_region: str | None
    footnote: str | None
    user_assigned: bool
    sources: list[SourceRef]
    updated: datetime


class Organization(Wire):
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


class ProgrammeFilter(BaseModel):
    """Which programmes: any of a repeated filter, all of different ones."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    thematic_area: Annotated[Values, Field(description="Code of a thematic area.", examples=["2"])]
    objective: Annotated[Values, Field(description="Code of a GCM objective.")]
    country: Annotated[Values, Field(description="ISO 3166-1 alpha-3 code of a place.", examples=["SRB"])]
    region: Annotated[Values, Field(description="M49 code of a region at any level, e.g. 150 Europe.")]
    organization: Annotated[Values, Field(description="Code of a participating organization.")]
    stage: Annotated[list[Stage], Field(default_factory=list, max_length=100, description="Coarse life cycle.")]
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
