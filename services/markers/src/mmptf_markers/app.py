"""Markers as a service: rubrics as immutable data, and scores of answers under them."""

from __future__ import annotations

from fastapi import FastAPI

from mmptf_common.process.settings import ServiceSettings
from mmptf_common.service import Service, create_service
from mmptf_markers.catalogue import CATALOGUE
from mmptf_markers.commands import load_packaged_data
from mmptf_markers.ledger import LEDGER
from mmptf_markers.models import Base
from mmptf_markers.routes import router

SERVICE = Service(
    name="markers",
    title="Migration MPTF human-rights marker",
    description=(
        "Rubrics of the human-rights marker as immutable, versioned data, scores of answers under them, and assessments"
        " of programmes from their draft to their review. The official matrix is not held: the rubric at hand is"
        " illustrative, and every answer says so."
    ),
    package="mmptf_markers",
    metadata=Base.metadata,
    router=router,
    seed=load_packaged_data,
    counts={
        "rubrics": "rubric",
        "translations": "translation",
        "assessments": "assessment",
        "documents": "source_document",
    },
    private=frozenset({"draft", "programme", "place", "allocation"}),
    follows=(CATALOGUE, LEDGER),
)


def create_app(settings: ServiceSettings) -> FastAPI:
    """The marker service's app; connects to nothing before it starts."""
    return create_service(SERVICE, settings)
