"""The models that commands and rules work with: programmes and drafts by codes, with exact amounts, days, sources."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field, PlainSerializer, TypeAdapter, WithJsonSchema, model_validator

from mmptf_common.wire.base import Code, ListedCode, ResponseModel
from mmptf_common.wire.codes import (
    AmountPrecision,
    BudgetCategory,
    DatePrecision,
    LifecycleStage,
    ProgrammeBudgetStage,
    ProgrammeStatus,
)
from mmptf_common.wire.money import AmountText
from mmptf_common.wire.sources import Gap, SourceRef

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
    """A country or region in which a draft's programme is to be carried out."""

    code: ListedCode
    """Code of the place, such as `KEN`, as at `/catalog/v1/places`."""
    share: Hundredths | None
    """Per cent of the budget for this place, with two decimals, such as `60.00`; null where it is not stated yet."""


class ProgrammeDraftDuration(ResponseModel):
    """The days from which and to which a draft's programme is to be carried out."""

    start: date
    """First day, such as `2027-01-01`."""
    end: date
    """Last day, such as `2028-12-31`; it is part of the programme."""


class ProgrammeBudgetLine(ResponseModel):
    """One line of a budget: what one organization means to spend in one year on one category of costs."""

    organization: ListedCode
    """Code of the participating organization that spends it, as at `/catalog/v1/organizations`."""
    year: Year
    """Calendar year in which it is to be spent."""
    category: BudgetCategory
    """What it is to be spent on."""
    amount: Amount
    """Amount in US dollars, as an exact decimal number with two places, such as `120000.00`."""


class ProgrammeContent(ResponseModel):
    """The content of a programme or a draft; members that are not stated are null or empty."""

    title: str | None
    """Title of the programme, for people; null where it is not stated yet."""
    summary: str | None
    """What the programme is to do, in a few sentences; null where it is not stated yet."""
    thematic_area: ListedCode | None
    """Code of the thematic area, as at `/catalog/v1/thematic-areas`; null where it is not stated yet."""
    objectives: list[ListedCode]
    """Codes of objectives of the Global Compact, as at `/catalog/v1/objectives`; empty where none is stated yet."""
    places: list[ProgrammeDraftPlace]
    """The countries or regions, with their shares of the budget; empty where none is stated yet."""
    organizations: list[ListedCode]
    """Codes of the participating organizations, as at `/catalog/v1/organizations`; empty where none is stated yet."""
    duration: ProgrammeDraftDuration | None
    """First and last day; null where they are not stated yet."""
    budget: Hundredths | None
    """Budget in US dollars, as an exact decimal number with two places, such as `1500000.00`; null where it is not
    stated yet.
    """
    budget_lines: list[ProgrammeBudgetLine]
    """The budget by organization, year and category of costs. Where there are any, they have to add up to the budget
    when the draft is submitted.
    """


class DraftOwner(ResponseModel):
    """The code of a draft, the organization that it belongs to, and the code that its programme is to have."""

    code: Code
    """Code of the draft, such as `D-7K3M9QWT`, which the service gives; it stands for the draft only."""
    organization: Code
    """Code of the organization that began the draft; no other organization can read or change it."""
    programme_code: Code
    """Code that the programme has from its submission on, such as `KEN-UGA-01`, unless it is taken by then."""


# Pydantic puts the fields of the last base first, so `code` is the first member of the record.
class ProgrammeDraft(ProgrammeContent, DraftOwner):
    """A programme before it is submitted to the Fund; only its organization sees it."""

    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""

    @model_validator(mode="before")
    @classmethod
    def _with_code_of_programme(cls, stored: Any) -> Any:
        # A draft of before had the code that its programme was to have.
        if isinstance(stored, dict) and "code" in stored:
            return {"programme_code": stored["code"], **stored}
        return stored

    @classmethod
    def empty(cls, code: str, organization: str, programme_code: str, at: datetime) -> ProgrammeDraft:
        """A draft without content."""
        return cls(
            code=code,
            organization=organization,
            programme_code=programme_code,
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
    """A no-cost extension: a later last day of a programme without more money."""

    end: date
    """The new last day."""
    previous_end: date
    """The last day of the programme before."""
    reason: str
    """Why it was extended, in the words of whoever entered it."""
    decision: str
    """The decision by which it was extended: code of one at `/catalog/v1/decisions`, or words such as a meeting and its
    date.
    """


class ProgrammeDuration(ResponseModel):
    """The days from which and to which a programme is carried out."""

    start: date
    """First day, such as `2025-01-01`."""
    end: date
    """Last day, that of the last extension where there is one; it is part of the programme."""
    extensions: list[NoCostExtension]
    """The no-cost extensions, the earliest first; empty where there is none."""

    def extended(self, end: date, reason: str, decision: str) -> ProgrammeDuration:
        """The duration with a later last day, and the decision recorded as an extension."""
        extension = NoCostExtension(end=end, previous_end=self.end, reason=reason, decision=decision)
        return ProgrammeDuration(start=self.start, end=end, extensions=[*self.extensions, extension])


class ProgrammeStatusRecord(ResponseModel):
    """A status that a programme has or had, since when, and how that is known."""

    status: ProgrammeStatus
    """The status that it had from `date` on, up to the date of the next record."""
    stage: LifecycleStage
    """Lifecycle stage, the coarse group of statuses that this one belongs to."""
    date: date
    """First day of the status, such as `2026-11-20`. Where only the year is known, as `date_precision` says, it is
    1 January of that year.
    """
    date_precision: DatePrecision
    """How exactly `date` is known; with `year`, show `2024` and no day."""
    reason: str
    """Why the status changed, or how it is known, in words for people."""
    decision: str | None
    """The decision behind it: code of one at `/catalog/v1/decisions`, or words such as a meeting and its date; null
    where none is known.
    """
    verified: bool
    """True only where it was compared with the text of a document, or with a public copy of it; false for what general
    knowledge, this project or a submission says.
    """
    sources: list[SourceRef]
    """Where the status and its date were taken from."""


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
        return cls.without_content(draft.programme_code, draft.organization).restated(draft, sources, place_names)

    @classmethod
    def without_content(cls, code: str, lead_organization: str | None) -> StatedProgramme:
        """A programme of which nothing is stated yet but who leads it."""
        return cls(
            code=code,
            title=None,
            summary="",
            thematic_area=None,
            objectives=[],
            place_label="",
            places=[],
            lead_organization=lead_organization,
            organizations=[],
            duration=None,
            budget=None,
            budget_lines=[],
            status="concept_note",
            status_history=[],
            gaps=[],
            sources=[],
        )

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

    def with_history(self, history: Sequence[ProgrammeStatusRecord]) -> StatedProgramme:
        """The programme with these statuses in place of those before; the last one is the present one."""
        budget = self.budget
        if budget and budget.stage == "requirement" and any(record.stage == "funded" for record in history):
            budget = budget.model_copy(update={"stage": "allocation"})
        return self.model_copy(
            update={
                "budget": budget,
                "status": history[-1].status,
                "status_history": [*history],
                "gaps": [gap for gap in self.gaps if gap.field not in ("status", "stage")],
            }
        )

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
