"""The models that commands and rules work with: programmes and drafts by codes, with exact amounts, days, sources."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, PlainSerializer, TypeAdapter, WithJsonSchema
from typing_extensions import TypeAliasType

from mmptf_common.wire.base import Code, ListedCode, ResponseModel
from mmptf_common.wire.codes import (
    AmountPrecision,
    BudgetCategory,
    DatePrecision,
    LifecycleStage,
    ProgrammeBudgetStage,
)
from mmptf_common.wire.money import AmountText
from mmptf_common.wire.sources import Gap, SourceRef

ProgrammeStatus = TypeAliasType(
    "ProgrammeStatus",
    Literal[
        "concept_note",
        "pipeline",
        "approved",
        "implementation",
        "operationally_closed",
        "financially_closed",
        "not_selected",
        "withdrawn",
        "suspended",
        "cancelled",
        "not_stated",
    ],
)
"""Status of a programme in the procedure of the Fund.

- `concept_note`: submitted as a concept note
- `pipeline`: in the pipeline, a living list that changes after each meeting of the Steering Committee
- `approved`: approved by the Steering Committee
- `implementation`: being carried out
- `operationally_closed`: its activities have ended
- `financially_closed`: its accounts are closed
- `not_selected`: not selected for the Fund
- `withdrawn`: withdrawn by its organization
- `suspended`: stopped for a time
- `cancelled`: ended before its time
- `not_stated`: the sources do not state it
"""
ProgrammeStatusSent = TypeAliasType(
    "ProgrammeStatusSent",
    Literal[
        "concept_note",
        "pipeline",
        "approved",
        "implementation",
        "operationally_closed",
        "financially_closed",
        "not_selected",
        "withdrawn",
        "suspended",
        "cancelled",
    ],
)
"""Status that a change can set: each but `not_stated`, which only the sources leave.

- `concept_note`: submitted as a concept note
- `pipeline`: in the pipeline, a living list that changes after each meeting of the Steering Committee
- `approved`: approved by the Steering Committee
- `implementation`: being carried out
- `operationally_closed`: its activities have ended
- `financially_closed`: its accounts are closed
- `not_selected`: not selected for the Fund
- `withdrawn`: withdrawn by its organization
- `suspended`: stopped for a time
- `cancelled`: ended before its time
"""
Year = Annotated[int, Field(strict=True, ge=2016, le=2100)]
# An amount or a per cent with two decimal places: a Decimal in Python, a string in JSON.
Hundredths = Annotated[Decimal, PlainSerializer("{:.2f}".format, return_type=str, when_used="json")]
Amount = Annotated[Hundredths, WithJsonSchema(TypeAdapter(AmountText).json_schema())]

CURRENCY = "USD"
STAGE_OF_STATUS: Mapping[ProgrammeStatus, LifecycleStage] = {
    "concept_note": "concept",
    "pipeline": "pipeline",
    "approved": "funded",
    "implementation": "funded",
    "suspended": "funded",
    "operationally_closed": "closed",
    "financially_closed": "closed",
    "not_selected": "dropped",
    "withdrawn": "dropped",
    "cancelled": "dropped",
    "not_stated": "not_stated",
}


class ProgrammeDraftPlace(ResponseModel):
    """A place of a draft, and its per cent of the budget."""

    code: ListedCode
    """Code of the place, as at `/catalog/v1/places`."""
    share: Hundredths | None
    """Per cent of the budget, with two decimals; null where it is not stated yet."""


class ProgrammeDraftDuration(ResponseModel):
    """The first and the last day of a draft's programme."""

    start: date
    """First day."""
    end: date
    """Last day."""


class ProgrammeBudgetLine(ResponseModel):
    """What one organization means to spend in one year under one UNSDG category, in the budget's currency."""

    organization: ListedCode
    """Code of the organization that spends it."""
    year: Year
    """Calendar year of the spending."""
    category: BudgetCategory
    """UNSDG budget category."""
    amount: Amount
    """Exact decimal number with two places, in the currency of the budget."""


class ProgrammeContent(ResponseModel):
    """The content of a programme or a draft; members that are not stated are null or empty."""

    title: str | None
    """Title; null where it is not stated yet."""
    summary: str | None
    """What the programme is about; null where it is not stated yet."""
    thematic_area: ListedCode | None
    """Code of the thematic area; null where it is not stated yet."""
    objectives: list[ListedCode]
    """Codes of objectives of the Global Compact."""
    places: list[ProgrammeDraftPlace]
    """The countries or regions, with their shares."""
    organizations: list[ListedCode]
    """Codes of the participating organizations."""
    duration: ProgrammeDraftDuration | None
    """First and last day; null where they are not stated yet."""
    budget: Hundredths | None
    """Budget in US dollars, a decimal number with two places; null where it is not stated yet."""
    budget_lines: list[ProgrammeBudgetLine]
    """The budget by organization, year and category; they have to add up to it at submission."""


class DraftOwner(ResponseModel):
    """The code of a draft, and the organization that it belongs to."""

    code: Code
    """Code of the programme to be."""
    organization: Code
    """Code of the organization that the draft belongs to."""


# Pydantic puts the fields of the last base first, so `code` is the first member of the record.
class ProgrammeDraft(ProgrammeContent, DraftOwner):
    """A programme before it is submitted: seen by its organization alone."""

    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""

    @classmethod
    def empty(cls, code: str, organization: str, at: datetime) -> ProgrammeDraft:
        """A draft without content."""
        return cls(
            code=code,
            organization=organization,
            title=None,
            summary=None,
            thematic_area=None,
            objectives=[],
            places=[],
            organizations=[],
            duration=None,
            budget=None,
            budget_lines=[],
            updated=at,
        )


class StatedPlace(ResponseModel):
    """A place of a programme, its per cent of the budget where that is stated, and how its source prints it."""

    code: Code
    as_printed: str
    share: Hundredths | None


class StatedBudget(ResponseModel):
    """A programme's budget; `as_printed` is null where it was not taken from a document."""

    amount: Hundredths
    currency: str
    stage: ProgrammeBudgetStage
    precision: AmountPrecision
    as_printed: str | None


class NoCostExtension(ResponseModel):
    """A no-cost extension: the last day that it replaces, and the decision behind it."""

    end: date
    """The new last day."""
    previous_end: date
    """The last day that it replaces."""
    reason: str
    """Why it was extended."""
    decision: str
    """The decision behind it, such as a meeting and its date."""


class ProgrammeDuration(ResponseModel):
    """The first and the last day of a programme, the last as extended."""

    start: date
    """First day."""
    end: date
    """Last day, as extended."""
    extensions: list[NoCostExtension]
    """The extensions without further money, the earliest first."""

    def extended(self, end: date, reason: str, decision: str) -> ProgrammeDuration:
        """The duration with a later last day, and the decision recorded as an extension."""
        extension = NoCostExtension(end=end, previous_end=self.end, reason=reason, decision=decision)
        return ProgrammeDuration(start=self.start, end=end, extensions=[*self.extensions, extension])


class ProgrammeStatusRecord(ResponseModel):
    """A status that a programme had, with the date as precisely as it is known, the reason, and what decided it."""

    status: ProgrammeStatus
    """The status from `date` on."""
    stage: LifecycleStage
    """Coarse part of the life cycle that it belongs to."""
    date: date
    """First day of the status, the last day of the month or year where only that is known."""
    date_precision: DatePrecision
    """How exactly the date is known."""
    reason: str
    """Why, or how it is known."""
    decision: str | None
    """The decision that set it; null where none is known."""
    verified: bool
    """Whether a text at hand confirms it; false for what only general knowledge or a submission says."""
    sources: list[SourceRef]
    """Where it is printed."""


class StatedProgramme(ResponseModel):
    """A programme as its sources and its organization state it; its public record is built from this.

    sources: of every fact but those of the status history, the budget's among them
    """

    code: Code
    title: str | None
    summary: str
    thematic_area: Code | None
    objectives: list[Code]
    place_label: str
    places: list[StatedPlace]
    lead_organization: Code | None
    organizations: list[Code]
    duration: ProgrammeDuration | None
    budget: StatedBudget | None
    budget_lines: list[ProgrammeBudgetLine]
    status: ProgrammeStatus
    status_history: list[ProgrammeStatusRecord]
    gaps: list[Gap]
    sources: list[SourceRef]

    @property
    def stage(self) -> LifecycleStage:
        """The stage of the life cycle that the programme's status belongs to."""
        return STAGE_OF_STATUS[self.status]

    @property
    def content(self) -> ProgrammeContent:
        """The content of the programme, in the form in which amendments are sent."""
        return ProgrammeContent(
            title=self.title,
            summary=self.summary,
            thematic_area=self.thematic_area,
            objectives=self.objectives,
            places=[ProgrammeDraftPlace(code=place.code, share=place.share) for place in self.places],
            organizations=self.organizations,
            duration=self.duration and ProgrammeDraftDuration(start=self.duration.start, end=self.duration.end),
            budget=self.budget and self.budget.amount,
            budget_lines=self.budget_lines,
        )

    @classmethod
    def submitted(
        cls, draft: ProgrammeDraft, sources: Mapping[str, SourceRef], place_names: Mapping[str, str]
    ) -> StatedProgramme:
        """The programme that a complete draft becomes; optional members that it leaves out are named in `gaps`.

        sources: of the members of the content that the draft states, by their names
        """
        programme = cls(
            code=draft.code,
            title=None,
            summary="",
            thematic_area=None,
            objectives=[],
            place_label="",
            places=[],
            lead_organization=draft.organization,
            organizations=[],
            duration=None,
            budget=None,
            budget_lines=[],
            status="concept_note",
            status_history=[],
            gaps=[],
            sources=[],
        )
        return programme.restated(draft, sources, place_names)

    def restated(
        self, content: ProgrammeContent, sources: Mapping[str, SourceRef], place_names: Mapping[str, str]
    ) -> StatedProgramme:
        """The programme with new content; the sources of what changed are replaced, and its gaps are those of now.

        sources: of the members of the content that were stated anew, by their names
        place_names: names by the codes of the places; a place that was there already stays as its source prints it
        """
        places, label, duration, budget = self.places, self.place_label, self.duration, self.budget
        if "places" in sources:
            printed = {place.code: place.as_printed for place in self.places}
            places = [
                StatedPlace(
                    code=place.code, as_printed=printed.get(place.code, place_names[place.code]), share=place.share
                )
                for place in content.places
            ]
            if {place.code for place in places} != printed.keys():
                label = ", ".join(place.as_printed for place in places)
        if "duration" in sources and content.duration:
            duration = ProgrammeDuration(start=content.duration.start, end=content.duration.end, extensions=[])
        if "budget" in sources and content.budget is not None:
            stage: ProgrammeBudgetStage = "allocation" if self.stage == "funded" else "requirement"
            budget = StatedBudget(
                amount=content.budget, currency=CURRENCY, stage=stage, precision="exact", as_printed=None
            )
        restated = self.model_copy(
            update={
                "title": content.title,
                "summary": content.summary,
                "thematic_area": content.thematic_area,
                "objectives": content.objectives,
                "place_label": label,
                "places": places,
                "organizations": content.organizations,
                "duration": duration,
                "budget": budget,
                "budget_lines": content.budget_lines,
                "sources": [source for source in self.sources if source.field not in sources] + [*sources.values()],
            }
        )
        return restated.model_copy(update={"gaps": restated.gaps_after(sources)})

    def gaps_after(self, stated: Collection[str]) -> list[Gap]:
        """The gaps after some members of the content were stated anew, or removed: those that are left, then new ones.

        stated: the members' names
        """
        empty = [name for name in ProgrammeContent.model_fields if not getattr(self, name)]
        if self.places and all(place.share is None for place in self.places):
            empty.insert(0, "places.share")
        filled = {*stated, "places.share"} - {*empty}
        gaps = [gap for gap in self.gaps if gap.field not in filled]
        named = {gap.field for gap in gaps}
        new = [Gap(field=name, kind="not_stated_in_source", note=None) for name in empty if name not in named]
        return gaps + new

    def with_status(self, record: ProgrammeStatusRecord) -> StatedProgramme:
        """The programme with another status; once it is funded, its budget's stage is `allocation`."""
        budget = self.budget
        if budget and record.status == "approved":
            # Exact, since an approved programme's budget lines add up to its budget to the cent.
            budget = budget.model_copy(update={"stage": "allocation", "precision": "exact"})
        elif budget and record.stage == "funded" and budget.stage == "requirement":
            budget = budget.model_copy(update={"stage": "allocation"})
        return self.model_copy(
            update={
                "budget": budget,
                "status": record.status,
                "status_history": [*self.status_history, record],
                "gaps": [gap for gap in self.gaps if gap.field not in ("status", "stage")],
            }
        )
