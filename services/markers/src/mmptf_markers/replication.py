"""The records that the marker service copies: programmes and places of the catalogue, allocations of the ledger."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from pydantic import BaseModel

from mmptf_common.feed.replication import RemoteRecord, ReplicatedEntity, Replication
from mmptf_common.wire.codes import LifecycleStage, ProgrammeBudgetStage
from mmptf_common.wire.money import amount_text
from mmptf_markers.engine.completeness import CatalogueFacts
from mmptf_markers.models import AllocationRow, PlaceRow, ProgrammeRow


class Named(BaseModel):
    """A code and its name."""

    code: str
    name: str


class Duration(BaseModel):
    """The first and the last day."""

    start: date
    end: date


class Located(Named):
    """A place of a programme, and its per cent of the budget as text; None where no source states it."""

    # Copies that were made before it was copied have none.
    share: str | None = None


class BudgetLine(BaseModel):
    """What one organization means to spend in one year on one category of costs."""

    organization: str
    amount: Decimal


class Gap(BaseModel):
    """What sources do not state, or state only in part."""

    field: str
    kind: str


class StatedInFull(BaseModel):
    """The members of the catalogue's record of which the copy has a summary."""

    budget_lines: list[BudgetLine] = []
    gaps: list[Gap] = []


class Budget(BaseModel):
    """An amount with its stage of money."""

    amount: str
    currency: str
    stage: ProgrammeBudgetStage


class KnownPlace(BaseModel):
    """A place and the regions that contain it."""

    code: str
    kind: str
    name: str
    region: str | None
    subregion: str | None
    intermediate_region: str | None


class KnownProgramme(BaseModel):
    """The members of a programme that the marker service uses."""

    code: str
    title: str | None
    place_label: str
    status: str
    stage: LifecycleStage
    thematic_area: Named | None
    # Copies that were made before it was copied have none.
    objectives: list[Named] = []
    places: list[Located]
    lead_organization: str | None
    organizations: list[Named]
    duration: Duration | None
    budget: Budget | None
    # Code of an organization -> the sum of its budget lines, as text; and the members of which only a part is stated.
    # Copies that were made before these were copied have none.
    budget_by_organization: dict[str, str] = {}
    partly_stated: list[str] = []

    @classmethod
    def of(cls, record: RemoteRecord) -> KnownProgramme:
        """The programme of the catalogue's record; raises ValidationError where that lacks a member."""
        stated = StatedInFull.model_validate(record)
        sums: dict[str, Decimal] = {}
        for line in stated.budget_lines:
            sums[line.organization] = sums.get(line.organization, Decimal(0)) + line.amount
        return cls.model_validate(
            {
                **record,
                "budget_by_organization": {code: amount_text(amount) for code, amount in sums.items()},
                "partly_stated": sorted({gap.field for gap in stated.gaps if gap.kind == "partly_stated"}),
            }
        )

    def participants(self) -> set[str]:
        """The codes of the participating organizations, the lead among them."""
        named = {organization.code for organization in self.organizations}
        return named | {self.lead_organization} if self.lead_organization else named

    def facts(self) -> CatalogueFacts:
        """What decides which criteria of a rubric apply."""
        return CatalogueFacts(
            objectives={objective.code for objective in self.objectives},
            thematic_areas={self.thematic_area.code} if self.thematic_area else set(),
            places={place.code for place in self.places},
        )


def place_row(record: RemoteRecord, at: datetime) -> PlaceRow:
    """The row of a copied place; raises ValidationError where the catalogue's record lacks a member."""
    place = KnownPlace.model_validate(record)
    return PlaceRow(
        code=place.code,
        kind=place.kind,
        regions=[code for code in (place.region, place.subregion, place.intermediate_region) if code],
        updated=at,
        record=place.model_dump(mode="json"),
    )


def programme_row(record: RemoteRecord, at: datetime) -> ProgrammeRow:
    """The row of a copied programme; raises ValidationError where the catalogue's record lacks a member."""
    programme = KnownProgramme.of(record)
    budget = programme.budget
    return ProgrammeRow(
        code=programme.code,
        stage=programme.stage,
        thematic_area=programme.thematic_area.code if programme.thematic_area else None,
        organizations=[organization.code for organization in programme.organizations],
        countries=[place.code for place in programme.places],
        amount=Decimal(budget.amount) if budget else None,
        currency=budget.currency if budget else None,
        budget_stage=budget.stage if budget else None,
        updated=at,
        record=programme.model_dump(mode="json"),
    )


CATALOGUE = Replication(
    "catalog",
    (ReplicatedEntity("place", PlaceRow, place_row), ReplicatedEntity("programme", ProgrammeRow, programme_row)),
)
CURRENCY = "USD"


class Entry(BaseModel):
    """The members that the marker service uses of every entry of the ledger."""

    code: str
    kind: str


class Sum(BaseModel):
    """An amount, negative where the entry reverses another one."""

    amount: Decimal
    currency: Literal["USD"]


class Allocation(Entry):
    """What the Fund has allocated to a programme, or taken back."""

    programme: str
    sum: Sum


def allocation_row(record: RemoteRecord, at: datetime) -> AllocationRow | None:
    """The row of a copied allocation, None for other entries; raises ValidationError for an incomplete record."""
    if Entry.model_validate(record).kind != "allocation":
        return None
    allocation = Allocation.model_validate(record)
    return AllocationRow(
        code=allocation.code,
        programme=allocation.programme,
        amount=allocation.sum.amount,
        updated=at,
        record=allocation.model_dump(mode="json"),
    )


LEDGER = Replication("funding", (ReplicatedEntity("ledger_entry", AllocationRow, allocation_row),))
