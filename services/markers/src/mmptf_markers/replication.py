"""What the marker service copies of others: programmes and places of the catalogue, allocations of the ledger."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from pydantic import BaseModel

from mmptf_common.feed.replication import RemoteRecord, ReplicatedEntity, Replication
from mmptf_markers.models import AllocationRow, PlaceRow, ProgrammeRow


class Named(BaseModel):
    """A code and what it stands for."""

    code: str
    name: str


class Duration(BaseModel):
    """The first and the last day."""

    start: date
    end: date


class Budget(BaseModel):
    """An amount, and of which stage of money it is."""

    amount: str
    currency: str
    stage: str


class KnownPlace(BaseModel):
    """A place, and the regions that it lies in."""

    code: str
    kind: str
    name: str
    region: str | None
    subregion: str | None
    intermediate_region: str | None


class KnownProgramme(BaseModel):
    """A programme, as far as markers need to know it."""

    code: str
    title: str | None
    place_label: str
    status: str
    stage: str
    thematic_area: Named | None
    places: list[Named]
    lead_organization: str | None
    organizations: list[Named]
    duration: Duration | None
    budget: Budget | None

    def participants(self) -> set[str]:
        """The codes of the organizations that take part: the lead organization and every other that is named."""
        named = {organization.code for organization in self.organizations}
        return named | {self.lead_organization} if self.lead_organization else named


def place_row(record: RemoteRecord, at: datetime) -> PlaceRow:
    """The copy of a place; ValidationError where the catalogue's record lacks something."""
    place = KnownPlace.model_validate(record)
    return PlaceRow(
        code=place.code,
        kind=place.kind,
        regions=[code for code in (place.region, place.subregion, place.intermediate_region) if code],
        updated=at,
        record=place.model_dump(mode="json"),
    )


def programme_row(record: RemoteRecord, at: datetime) -> ProgrammeRow:
    """The copy of a programme; ValidationError where the catalogue's record lacks something."""
    programme = KnownProgramme.model_validate(record)
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
    """An entry of the ledger, as far as markers need to know it."""

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
    """The copy of an allocation, None for any other entry; ValidationError where the record lacks something."""
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
