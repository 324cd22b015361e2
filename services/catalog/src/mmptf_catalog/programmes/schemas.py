"""What is sent to write programmes: drafts, amendments, status changes and extensions."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import Field

from mmptf_catalog.schemas import BudgetLine, Year
from mmptf_common.http.parameters import ListQuery, Search
from mmptf_common.wire.base import Code, Day, PatchModel, RequestModel, ResponseModel, Text, unset
from mmptf_common.wire.codes import BudgetCategory
from mmptf_common.wire.money import AmountSent
from mmptf_common.wire.pages import Page

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


class OrganizationSent(RequestModel):
    """An organization that may take part in programmes."""

    code: Code
    name: Title


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
