"""The code lists over HTTP."""

from __future__ import annotations

from fastapi import APIRouter

from mmptf_catalog.code_lists.queries import (
    CLUSTERINGS,
    GUIDING_PRINCIPLES,
    OBJECTIVES,
    ORGANIZATIONS,
    PLACES,
    THEMATIC_AREAS,
)
from mmptf_common.routers.lists import add_listing

router = APIRouter()

add_listing(
    router,
    THEMATIC_AREAS,
    about="One of the five thematic areas under which the Fund clusters the objectives of the Global Compact.",
    example="2",
)
add_listing(
    router,
    OBJECTIVES,
    about="One of the 23 objectives of the Global Compact for Safe, Orderly and Regular Migration.",
    example="17",
)
add_listing(
    router,
    CLUSTERINGS,
    about="A named, versioned scheme of objectives under thematic areas, and whether a source confirms it.",
    example="mptf-thematic-areas",
)
add_listing(
    router,
    GUIDING_PRINCIPLES,
    about="One of the ten guiding principles of the Global Compact for Safe, Orderly and Regular Migration.",
    example="people-centred",
)
add_listing(
    router,
    PLACES,
    about="A country or territory by its ISO 3166-1 alpha-3 code, or a region by its UN M49 code.",
    example="SRB",
)
add_listing(router, ORGANIZATIONS, about="An organization that the sources name.", example="IOM")
