"""The routes of the code lists."""

from __future__ import annotations

from typing import Annotated

from starlette.responses import Response

from mmptf_catalog.access import MANAGEMENT_UNIT, CatalogWriter
from mmptf_catalog.code_lists import commands, schemas
from mmptf_catalog.code_lists.queries import (
    CLUSTERINGS,
    GUIDING_PRINCIPLES,
    OBJECTIVES,
    ORGANIZATIONS,
    PLACE_GROUPS,
    PLACES,
    THEMATIC_AREAS,
)
from mmptf_common.http import openapi
from mmptf_common.http.headers import WriteRequest
from mmptf_common.routers.lists import add_listing
from mmptf_common.wire.links import link
from mmptf_common.wire.problems import Forbidden
from mmptf_common.writes.commands import WriteParameters, answer_write

router = openapi.Router()
TAG = openapi.Tag(
    "Code lists",
    "The codes by which programmes are described and filtered, with their names: thematic areas, objectives of the"
    " Global Compact, places, organizations.",
    supporting=True,
)
# The example of a request body in the contract.
ORGANIZATION = {"code": "UNICEF", "name": "United Nations Children's Fund"}

add_listing(
    router,
    THEMATIC_AREAS,
    tag=TAG,
    about="One of the Fund's five thematic areas, its fields of work, under which it groups the objectives of the"
    " Global Compact.",
    example="2",
)
add_listing(
    router,
    OBJECTIVES,
    tag=TAG,
    about="One of the 23 objectives of the Global Compact for Safe, Orderly and Regular Migration.",
    example="17",
)
add_listing(
    router,
    CLUSTERINGS,
    tag=TAG,
    about="A clustering: which objectives of the Global Compact belong to which thematic area, and whether a source"
    " confirms it.",
    example="mptf-thematic-areas",
)
add_listing(
    router,
    GUIDING_PRINCIPLES,
    tag=TAG,
    about="One of the ten guiding principles of the Global Compact for Safe, Orderly and Regular Migration.",
    example="people-centred",
)
add_listing(
    router,
    PLACES,
    tag=TAG,
    about="A country or territory, by its ISO 3166-1 alpha-3 code, or a region of the world, by its UN M49 code.",
    example="SRB",
)
add_listing(
    router,
    PLACE_GROUPS,
    tag=TAG,
    about="A group of places that a document names, such as the champion countries of the Global Compact.",
    example="gcm-champions",
)
add_listing(
    router, ORGANIZATIONS, tag=TAG, about="An organization that takes part in programmes, or may do so.", example="IOM"
)


@router.post(
    "/organizations",
    tags=[TAG.name],
    response_model=schemas.Organization,
    summary="Add an organization",
    **openapi.write(created=True),
)
async def create_organization(
    request: WriteRequest,
    sent: Annotated[schemas.OrganizationSent, openapi.example(ORGANIZATION)],
    who: CatalogWriter,
    query: WriteParameters,
) -> Response:
    """Add an organization to the list, so that it can take part in programmes. Only the Fund's management unit may."""
    if not who.has_role(MANAGEMENT_UNIT):
        raise Forbidden(f"Organizations are listed at {link(ORGANIZATIONS.path)} by the Fund's management unit.")
    return await answer_write(
        request, who, query, lambda write: commands.add_organization(write, who, sent), reason="listed"
    )
