"""The records of the catalogue that the ledger copies: programmes, organizations, thematic areas, and earlier codes."""

from __future__ import annotations

from datetime import datetime

from mmptf_common.feed.replication import RemoteRecord, ReplicatedEntity, Replication
from mmptf_funding.ledger.programmes import Named, Programme, Renaming
from mmptf_funding.models import OrganizationRow, ProgrammeRow, RenamingRow, ThematicAreaRow


def programme_row(record: RemoteRecord, at: datetime) -> ProgrammeRow:
    """The row of a copied programme; raises ValidationError where the catalogue's record lacks a member."""
    programme = Programme.model_validate(record)
    return ProgrammeRow(code=programme.code, updated=at, record=programme.model_dump(mode="json"))


def organization_row(record: RemoteRecord, at: datetime) -> OrganizationRow:
    """The row of a copied organization; raises ValidationError where the catalogue's record lacks a member."""
    named = Named.model_validate(record)
    return OrganizationRow(code=named.code, updated=at, record=named.model_dump(mode="json"))


def thematic_area_row(record: RemoteRecord, at: datetime) -> ThematicAreaRow:
    """The row of a copied thematic area; raises ValidationError where the catalogue's record lacks a member."""
    named = Named.model_validate(record)
    return ThematicAreaRow(code=named.code, updated=at, record=named.model_dump(mode="json"))


def renaming_row(record: RemoteRecord, at: datetime) -> RenamingRow:
    """The row of an earlier code of any record; raises ValidationError where the catalogue's record lacks a member."""
    renaming = Renaming.model_validate(record)
    return RenamingRow(code=renaming.code, updated=at, record=renaming.model_dump(mode="json"))


CATALOGUE = Replication(
    "catalog",
    (
        ReplicatedEntity("thematic_area", ThematicAreaRow, thematic_area_row),
        ReplicatedEntity("organization", OrganizationRow, organization_row),
        ReplicatedEntity("programme", ProgrammeRow, programme_row),
        ReplicatedEntity("renaming", RenamingRow, renaming_row),
    ),
)
