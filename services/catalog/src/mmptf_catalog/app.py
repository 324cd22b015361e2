"""The catalogue service: programmes, and the code lists that describe them."""

from __future__ import annotations

from fastapi import FastAPI

from mmptf_catalog.code_lists import routes as code_lists
from mmptf_catalog.code_lists.queries import OBJECTIVES
from mmptf_catalog.decisions import routes as decisions
from mmptf_catalog.imports import routes as imports
from mmptf_catalog.models import Base
from mmptf_catalog.programmes import routes as programmes
from mmptf_catalog.programmes.queries import PROGRAMMES
from mmptf_catalog.seed import load_packaged_data
from mmptf_catalog.settings import CatalogSettings
from mmptf_common.service import Service, create_service

SERVICE = Service(
    name="catalog",
    title="Migration MPTF programme catalogue",
    description=(
        "Joint programmes of the Migration Multi-Partner Trust Fund, with the code lists that describe them. Every"
        " fact names its source; what no source states is said to be missing.\n\n"
        "The designations employed do not imply any opinion on the legal status of any country, territory, city or"
        " area, or of its authorities, or on its frontiers. References to Kosovo shall be understood to be in the"
        " context of United Nations Security Council resolution 1244 (1999)."
    ),
    package="mmptf_catalog",
    settings=CatalogSettings,
    metadata=Base.metadata,
    tags=(programmes.TAG, decisions.TAG, code_lists.TAG, programmes.DRAFTS_TAG),
    routers=(programmes.router, imports.router, decisions.router, code_lists.router),
    publication="mptf-human-rights-brochure-2024",
    seed=load_packaged_data,
    counts={
        "documents": "source_document",
        "programmes": "programme",
        "thematic_areas": "thematic_area",
        "objectives": "objective",
        "clusterings": "clustering",
        "guiding_principles": "guiding_principle",
        "places": "place",
        "place_groups": "place_group",
        "organizations": "organization",
        "calls": "call",
        "meetings": "meeting",
        "decisions": "decision",
    },
    listings=(OBJECTIVES, PROGRAMMES),
)


def create_app(settings: CatalogSettings) -> FastAPI:
    """The catalogue's app; it opens no connection before its lifespan begins."""
    return create_service(SERVICE, settings)
