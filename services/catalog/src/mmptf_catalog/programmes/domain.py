"""The models that commands and rules work with: programmes and drafts by codes, with exact amounts, days, sources."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, PlainSerializer, TypeAdapter, WithJsonSchema, model_validator
from typing_extensions import TypeAliasType

from mmptf_common.wire.base import WHOLE, Code, ListedCode, ResponseModel, worded
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

Year = Annotated[int, Field(strict=True, ge=2016, le=2100), WHOLE]
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


ProgrammePartnerKind = TypeAliasType(
    "ProgrammePartnerKind",
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
    ],
)
"""What sort of body a partner of a programme is.

- `government`: a government or public authority of which it is not stated whether it is national or local
- `government_national`: a national government, or a part of it such as a ministry
- `government_local`: the government of a region, district or municipality
- `statistical_office`: a statistical office
- `civil_society`: organizations of civil society
- `academia`: universities and research institutes
- `private_sector`: employers and companies
- `community`: a community, or the people in it
- `other`: any other
"""
BeneficiaryGroup = TypeAliasType(
    "BeneficiaryGroup",
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
    ],
)
"""Whom a programme is for; a group may be part of another, and a programme may name both.

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
"""
ProgrammeFigureUnit = TypeAliasType("ProgrammeFigureUnit", Literal["per_cent", "persons", "items", "rank"])
"""Unit of a figure of a programme.

- `per_cent`: a share of a whole in per cent
- `persons`: a number of people
- `items`: a number of anything else
- `rank`: a position in an order, 1 being the first
"""
ProgrammeFigureQualifier = TypeAliasType(
    "ProgrammeFigureQualifier",
    Literal["exact", "rounded", "approximately", "more_than", "at_most"],
)
"""How exact a figure of a programme is.

- `exact`: the figure itself
- `rounded`: rounded as printed, such as 3.57 million
- `approximately`: printed with a word such as "approximately"
- `more_than`: a lower limit, printed with words such as "more than" or "over"
- `at_most`: an upper limit, such as a rank among the first five
"""
FIGURE = worded(
    r"^[0-9]{1,15}(\.[0-9]{1,4})?$", "a number as text with at most four decimals, not below zero, such as 12.5"
)


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


class ProgrammeDraftPartner(ResponseModel):
    """A body with which a programme works, which it consults, or whose capacities it is to strengthen."""

    kind: ProgrammePartnerKind
    """What sort of body it is."""
    name: str
    """Name of the partner, or of all that are meant together, such as `ministries`."""
    country: ListedCode | None
    """ISO 3166-1 alpha-3 code of the country of the partner, such as `MKD`; null where it is not stated."""
    number: int | None
    """How many they are, where one entry stands for several, such as 3 for three ministries; null where it is not
    stated.
    """


class ProgrammeDraftBeneficiary(ResponseModel):
    """A group of people whom a programme is for."""

    group: BeneficiaryGroup
    """The group, from a closed list, for filters and charts."""
    name: str
    """The group in the words of the source, or of its organization, which may be narrower than `group`."""


class ProgrammeDraftComponent(ResponseModel):
    """One of the parts into which a programme is divided."""

    number: int
    """Number of the part, or its place in the order of the parts, from 1."""
    name: str | None
    """Short name of the part, such as `access`; null where it has none."""
    text: str
    """What the part is about, in the words of this project, or of the organization."""


class ProgrammeDraftLocality(ResponseModel):
    """A place within one of the places of a programme, such as a province, a city or a district."""

    place: ListedCode
    """Code of the place of the programme that it is in, such as `TJK`: one of `places`."""
    name: str
    """Name of the locality, as the source prints it or its organization states it."""


class ProgrammeDraftFigure(ResponseModel):
    """A figure that describes the situation that a programme answers to, or what it is to reach; never money."""

    subject: str
    """What is counted or measured, for people."""
    value: str
    """The figure as decimal text in `unit`, such as `3570000` where 3.57 million is printed."""
    unit: ProgrammeFigureUnit
    """Whether it is a share, a number of people or of things, or a rank."""
    qualifier: ProgrammeFigureQualifier
    """How exact the figure is."""


class ProgrammePartner(ProgrammeDraftPartner):
    """A body with which a programme works, which it consults, or whose capacities it is to strengthen; with sources."""

    sources: list[SourceRef]
    """Where it was taken from; `note` says what part the partner has, where the text does."""


class ProgrammeBeneficiary(ProgrammeDraftBeneficiary):
    """A group of people whom a programme is for, with its sources."""

    sources: list[SourceRef]
    """Where it was taken from."""


class ProgrammeComponent(ProgrammeDraftComponent):
    """One of the parts into which a programme is divided, with its sources."""

    sources: list[SourceRef]
    """Where it was taken from."""


class ProgrammeLocality(ProgrammeDraftLocality):
    """A place within one of the places of a programme, with its sources."""

    sources: list[SourceRef]
    """Where it was taken from."""


class ProgrammeFigure(ProgrammeDraftFigure):
    """A figure that describes the situation that a programme answers to, or what it is to reach, with its sources."""

    as_printed: str | None
    """The words of the source, such as `3.57 million Syrians`; null where it was not taken from a document."""
    sources: list[SourceRef]
    """Where it was taken from."""


# The lists of a programme's content whose entries have sources of their own -> what an entry is.
SOURCED: Mapping[str, type[ResponseModel]] = {
    "partners": ProgrammePartner,
    "beneficiaries": ProgrammeBeneficiary,
    "components": ProgrammeComponent,
    "localities": ProgrammeLocality,
    "figures": ProgrammeFigure,
}
# Members that need not be stated and are no gap where they are not.
NO_GAP = frozenset({"figures"})
# The members of such an entry that its content does not have.
PROVED = frozenset({"as_printed", "sources"})
Entry = TypeVar("Entry", bound=ResponseModel)


def _without_sources(entries: Sequence[ResponseModel], model: type[Entry]) -> list[Entry]:
    """The entries of a programme as its content has them."""
    return [model.model_validate(entry.model_dump(exclude={*PROVED})) for entry in entries]


def _with_sources(
    entries: Sequence[ResponseModel], before: Sequence[Entry], model: type[Entry], source: SourceRef
) -> list[Entry]:
    """The entries of content with sources: those that are there already keep theirs, the others have a new one."""
    there = {entry.model_dump_json(exclude={*PROVED}): entry for entry in before}
    proof = {name: [source] if name == "sources" else None for name in PROVED if name in model.model_fields}
    return [
        there.get(entry.model_dump_json()) or model.model_validate({**entry.model_dump(), **proof}) for entry in entries
    ]


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
    partners: list[ProgrammeDraftPartner]
    """The bodies with which it works, such as ministries and civil society; empty where none is stated yet."""
    beneficiaries: list[ProgrammeDraftBeneficiary]
    """The groups of people whom it is for; empty where none is stated yet."""
    components: list[ProgrammeDraftComponent]
    """The parts into which it is divided; empty where none is stated."""
    localities: list[ProgrammeDraftLocality]
    """Provinces, cities, districts and the like within its places; empty where none is stated."""
    figures: list[ProgrammeDraftFigure]
    """Figures that describe the situation or the aims; empty where none is stated."""
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
    def _with_later_members(cls, stored: Any) -> Any:
        # A draft of before had the code that its programme was to have, and lacked the lists with sources.
        if isinstance(stored, dict) and "code" in stored:
            return {"programme_code": stored["code"], **{name: [] for name in SOURCED}, **stored}
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
            partners=[],
            beneficiaries=[],
            components=[],
            localities=[],
            figures=[],
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

    sources: of every fact but those of the status history and of the lists in SOURCED, the budget's among them
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
    partners: list[ProgrammePartner]
    beneficiaries: list[ProgrammeBeneficiary]
    components: list[ProgrammeComponent]
    localities: list[ProgrammeLocality]
    figures: list[ProgrammeFigure]
    duration: ProgrammeDuration | None
    budget: StatedBudget | None
    budget_lines: list[ProgrammeBudgetLine]
    status: ProgrammeStatus
    status_history: list[ProgrammeStatusRecord]
    gaps: list[Gap]
    sources: list[SourceRef]

    @model_validator(mode="before")
    @classmethod
    def _with_later_members(cls, stored: Any) -> Any:
        # A programme that was stored before these lists existed states nothing of them.
        if isinstance(stored, dict) and "partners" not in stored:
            gaps = [Gap(field=name, kind="not_stated_in_source", note=None) for name in SOURCED if name not in NO_GAP]
            return {**{name: [] for name in SOURCED}, **stored, "gaps": [*stored["gaps"], *gaps]}
        return stored

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
            partners=_without_sources(self.partners, ProgrammeDraftPartner),
            beneficiaries=_without_sources(self.beneficiaries, ProgrammeDraftBeneficiary),
            components=_without_sources(self.components, ProgrammeDraftComponent),
            localities=_without_sources(self.localities, ProgrammeDraftLocality),
            figures=_without_sources(self.figures, ProgrammeDraftFigure),
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
            partners=[],
            beneficiaries=[],
            components=[],
            localities=[],
            figures=[],
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
        sourced = {
            name: _with_sources(getattr(content, name), getattr(self, name), model, sources[name])
            for name, model in SOURCED.items()
            if name in sources
        }
        new = [source for name, source in sources.items() if name not in SOURCED]
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
                **sourced,
                "sources": [source for source in self.sources if source.field not in sources] + new,
            }
        )
        return restated.model_copy(update={"gaps": restated.gaps_after(sources)})

    def gaps_after(self, stated: Collection[str]) -> list[Gap]:
        """The gaps after some members of the content were stated anew, or removed: those that are left, then new ones.

        stated: the members' names
        """
        empty = [name for name in ProgrammeContent.model_fields if not getattr(self, name) and name not in NO_GAP]
        if self.places and all(place.share is None for place in self.places):
            empty.insert(0, "places.share")
        filled = {*stated, "places.share"} - {*empty}
        gaps = [gap for gap in self.gaps if gap.field not in filled]
        named = {gap.field for gap in gaps}
        new = [Gap(field=name, kind="not_stated_in_source", note=None) for name in empty if name not in named]
        return gaps + new

    def led_by(self, organization: str, source: SourceRef) -> StatedProgramme:
        """The programme with an organization that leads it, of which no source stated one."""
        return self.model_copy(
            update={
                "lead_organization": organization,
                "gaps": [gap for gap in self.gaps if gap.field != "lead_organization"],
                "sources": [*self.sources, source],
            }
        )

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
