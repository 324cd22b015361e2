"""Loads the packaged programmes and code lists into the catalogue."""

from __future__ import annotations

from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from mmptf_catalog.code_lists.commands import organization_row
from mmptf_catalog.code_lists.schemas import (
    Clustering,
    GuidingPrinciple,
    Objective,
    Organization,
    Place,
    PlaceGroup,
    ThematicArea,
)
from mmptf_catalog.models import (
    ClusteringRow,
    GuidingPrincipleRow,
    ObjectiveRow,
    OrganizationRow,
    PlaceGroupRow,
    PlaceRow,
    ProgrammeRow,
    SourceDocumentRow,
    ThematicAreaRow,
)
from mmptf_catalog.programmes.commands import programme_row
from mmptf_catalog.programmes.domain import StatedProgramme
from mmptf_catalog.programmes.schemas import CodeNames
from mmptf_common.http.search import words
from mmptf_common.storage.journal import Author, Write, begin_write
from mmptf_common.storage.records import derive_again, load, read_packaged
from mmptf_common.wire.places import names_of
from mmptf_common.wire.sources import Publication

PACKAGE = "mmptf_catalog"
REASON = "data of the package"
NumberedRow = TypeVar("NumberedRow", ThematicAreaRow, ObjectiveRow, GuidingPrincipleRow)


async def load_packaged_data(session: AsyncSession, author: Author) -> int:
    """Load the packaged data into an empty or an older database; returns the revision of the data."""
    write = await begin_write(session, author, REASON)
    at = write.at
    areas = read_packaged(PACKAGE, "thematic_areas", ThematicArea, updated=at)
    objectives = read_packaged(PACKAGE, "objectives", Objective, updated=at)
    places = read_packaged(PACKAGE, "places", Place, updated=at)
    organizations = read_packaged(PACKAGE, "organizations", Organization, updated=at)

    await load(write, [_publication(p) for p in read_packaged(PACKAGE, "documents", Publication, updated=at)])
    await load(write, [_numbered(ThematicAreaRow, area) for area in areas])
    await load(write, [_numbered(ObjectiveRow, objective) for objective in objectives])
    await load(write, [_clustering(c) for c in read_packaged(PACKAGE, "clusterings", Clustering, updated=at)])
    principles = read_packaged(PACKAGE, "guiding_principles", GuidingPrinciple, updated=at)
    await load(write, [_numbered(GuidingPrincipleRow, principle) for principle in principles])
    await load(write, [_place(place) for place in places])
    await load(write, [_place_group(group) for group in read_packaged(PACKAGE, "place_groups", PlaceGroup, updated=at)])
    await load(write, [organization_row(organization) for organization in organizations])

    names = await _stored_names(write)
    programmes = read_packaged(PACKAGE, "programmes", StatedProgramme)
    await load(write, [programme_row(programme, names, at) for programme in programmes])
    # Programmes that organizations have submitted or amended are not loaded; their names and regions follow.
    await derive_again(
        write, ProgrammeRow, lambda row: programme_row(StatedProgramme.model_validate(row.stated), names, at)
    )
    return await write.revision()


async def _stored_names(write: Write) -> CodeNames:
    """The names of all stored code lists, which have entries and corrections that the package has not."""

    async def named(row: type[ThematicAreaRow | ObjectiveRow | OrganizationRow]) -> dict[str, str]:
        found = await write.session.execute(sa.select(col(row.code), col(row.name)))
        return {entry.code: entry.name for entry in found}

    places = await write.session.execute(sa.select(col(PlaceRow.code), col(PlaceRow.record)))
    return CodeNames(
        thematic_areas=await named(ThematicAreaRow),
        objectives=await named(ObjectiveRow),
        organizations=await named(OrganizationRow),
        places={code: Place.model_validate(record) for code, record in places},
    )


def _publication(publication: Publication) -> SourceDocumentRow:
    record = publication.model_dump(mode="json")
    return SourceDocumentRow(code=publication.code, updated=publication.updated, record=record)


def _numbered(row: type[NumberedRow], entry: ThematicArea | Objective | GuidingPrinciple) -> NumberedRow:
    return row(
        code=entry.code,
        position=entry.number,
        name=entry.name,
        updated=entry.updated,
        record=entry.model_dump(mode="json"),
    )


def _clustering(clustering: Clustering) -> ClusteringRow:
    return ClusteringRow(
        code=clustering.code,
        name=clustering.name,
        updated=clustering.updated,
        record=clustering.model_dump(mode="json"),
    )


def _place(place: Place) -> PlaceRow:
    return PlaceRow(
        code=place.code,
        kind=place.kind,
        name=place.name,
        region=place.region,
        regions=place.regions,
        words=words(" ".join((place.name, *names_of(place.code)))),
        updated=place.updated,
        record=place.model_dump(mode="json"),
    )


def _place_group(group: PlaceGroup) -> PlaceGroupRow:
    return PlaceGroupRow(
        code=group.code,
        name=group.name,
        members=[member.code for member in group.members],
        updated=group.updated,
        record=group.model_dump(mode="json"),
    )
