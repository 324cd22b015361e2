"""How the packaged programmes and code lists are brought into the catalogue."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from mmptf_catalog.code_lists.schemas import Clustering, GuidingPrinciple, Objective, Organization, Place, ThematicArea
from mmptf_catalog.models import (
    ClusteringRow,
    GuidingPrincipleRow,
    ObjectiveRow,
    OrganizationRow,
    PlaceRow,
    SourceDocumentRow,
    ThematicAreaRow,
)
from mmptf_catalog.programmes.records import programme_row, regions_of
from mmptf_common.http.parameters import words
from mmptf_common.storage.journal import Author, begin_write
from mmptf_common.storage.records import Facts, Record, document_of, load, packaged
from mmptf_common.wire.base import ResponseModel
from mmptf_common.wire.sources import Publication

PACKAGE = "mmptf_catalog"
REASON = "data of the package"
Build = Callable[[Facts, datetime], Record]


async def load_packaged_data(session: AsyncSession, author: Author) -> int:
    """Bring the packaged data into an empty or an older database; returns the revision of the data."""
    write = await begin_write(session, author, REASON)
    facts = {name: packaged(PACKAGE, name) for name in _LISTS}
    for name, build in _LISTS.items():
        await load(write, [build(f, write.at) for f in facts[name]])
    names = {name: {f["code"]: f for f in facts[name]} for name in facts}
    await load(write, [programme_row(f, names, write.at) for f in packaged(PACKAGE, "programmes")])
    return await write.revision()


def _numbered(row: type[ThematicAreaRow | ObjectiveRow | GuidingPrincipleRow], model: type[ResponseModel]) -> Build:
    return lambda f, at: row(
        code=f["code"], position=f["number"], name=f["name"], updated=at, document=document_of(model, f, at)
    )


def _named(row: type[ClusteringRow | OrganizationRow], model: type[ResponseModel]) -> Build:
    return lambda f, at: row(code=f["code"], name=f["name"], updated=at, document=document_of(model, f, at))


def _place(f: Facts, at: datetime) -> PlaceRow:
    return PlaceRow(
        code=f["code"],
        kind=f["kind"],
        name=f["name"],
        region=f["region"],
        regions=regions_of(f),
        words=words(f["name"]),
        updated=at,
        document=document_of(Place, f, at),
    )


def _source(f: Facts, at: datetime) -> SourceDocumentRow:
    return SourceDocumentRow(code=f["code"], updated=at, document=document_of(Publication, f, at))


_LISTS: dict[str, Build] = {
    "documents": _source,
    "thematic_areas": _numbered(ThematicAreaRow, ThematicArea),
    "objectives": _numbered(ObjectiveRow, Objective),
    "clusterings": _named(ClusteringRow, Clustering),
    "guiding_principles": _numbered(GuidingPrincipleRow, GuidingPrinciple),
    "places": _place,
    "organizations": _named(OrganizationRow, Organization),
}
