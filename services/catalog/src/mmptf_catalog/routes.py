"""The catalogue over HTTP."""

from __future__ import annotations

from fastapi import APIRouter

from mmptf_catalog import queries, schemas
from mmptf_catalog.programmes.routes import router as programmes
from mmptf_common.lists import publications
from mmptf_common.routers.cards import add_card
from mmptf_common.routers.lists import add_listing

router = APIRouter()

add_listing(
    router,
    queries.PROGRAMMES,
    about="A joint programme of the Fund: what its sources state, what they do not, and its dated status.",
    example="MKD-01",
)
router.include_router(programmes)
add_card(
    router,
    "catalog",
    schemas.ProgrammeCard,
    queries.programme_card,
    title="Programme",
    about="A programme at one glance: what it is, where, whose, how much is budgeted, and what no source states.",
    known="SELECT code FROM programme",
    unknown="There is no programme {}",
    example="MKD-01",
)
add_listing(
    router,
    queries.THEMATIC_AREAS,
    about="One of the five thematic areas under which the Fund clusters the objectives of the Global Compact.",
    example="2",
)
add_listing(
    router,
    queries.OBJECTIVES,
    about="One of the 23 objectives of the Global Compact for Safe, Orderly and Regular Migration.",
    example="17",
)
add_listing(
    router,
    queries.CLUSTERINGS,
    about="A named, versioned scheme of objectives under thematic areas, and whether a source confirms it.",
    example="mptf-thematic-areas",
)
add_listing(
    router,
    queries.GUIDING_PRINCIPLES,
    about="One of the ten guiding principles of the Global Compact for Safe, Orderly and Regular Migration.",
    example="people-centred",
)
add_listing(
    router,
    queries.PLACES,
    about="A country or territory by its ISO 3166-1 alpha-3 code, or a region by its UN M49 code.",
    example="SRB",
)
add_listing(router, queries.ORGANIZATIONS, about="An organization that the sources name.", example="IOM")
add_listing(router, queries.PUBLICATIONS, about=publications.ABOUT, example="mptf-human-rights-brochure-2024")
