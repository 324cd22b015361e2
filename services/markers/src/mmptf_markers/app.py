"""The marker service: immutable rubrics, scores of answers under them, assessments, the portfolio, and results."""

from __future__ import annotations

from fastapi import FastAPI

from mmptf_common.service import Service, create_service
from mmptf_markers.actions import routes as actions
from mmptf_markers.assessments import routes as assessments
from mmptf_markers.assessments.queries import ASSESSMENTS
from mmptf_markers.assessors import routes as assessors
from mmptf_markers.indicator import routes as indicator
from mmptf_markers.indicator.targets import TARGETS
from mmptf_markers.models import Base
from mmptf_markers.replication import CATALOGUE, LEDGER
from mmptf_markers.report import routes as report
from mmptf_markers.results import routes as results
from mmptf_markers.reviews import routes as reviews
from mmptf_markers.rubrics import routes as rubrics
from mmptf_markers.rubrics.queries import RUBRICS
from mmptf_markers.seed import load_packaged_data
from mmptf_markers.settings import MarkersSettings

SERVICE = Service(
    name="markers",
    title="Migration MPTF human-rights marker",
    description=(
        "The human-rights marker: a grade of A, B or C for how far human rights are part of a programme. Rubrics, the"
        " questionnaires from whose answers the grade follows; assessments of programmes from draft to review; and the"
        " target for funded programmes. The Fund's own questionnaire is not available here: the rubric at hand is"
        " illustrative, and every answer says so. And the results framework: indicators of the Fund and of programmes,"
        " of which the marker's target is one."
    ),
    package="mmptf_markers",
    settings=MarkersSettings,
    metadata=Base.metadata,
    tags=(
        indicator.TAG,
        results.TAG,
        assessments.TAG,
        reviews.TAG,
        actions.TAG,
        rubrics.TAG,
        assessments.DRAFTS_TAG,
        assessors.TAG,
    ),
    routers=(
        assessments.router,
        actions.router,
        indicator.router,
        results.router,
        report.router,
        rubrics.router,
        assessors.router,
        reviews.router,
    ),
    publication="mptf-human-rights-brochure-2024",
    seed=load_packaged_data,
    body_limits={rubrics.SCORE_PATH: rubrics.MAX_SCORE_BODY, rubrics.RUBRICS_PATH: rubrics.MAX_RUBRIC_BODY},
    counts={
        "rubrics": "rubric",
        "translations": "translation",
        "assessments": "assessment",
        "actions": "action",
        "results_indicators": "results_indicator",
        "reported_values": "reported_value",
        "documents": "source_document",
    },
    private=frozenset({"programme", "place", "allocation", "restricted_content", "review"}),
    listings=(ASSESSMENTS, RUBRICS, TARGETS),
    replicates=lambda settings: ((CATALOGUE, settings.catalog_url), (LEDGER, settings.funding_url)),
)


def create_app(settings: MarkersSettings) -> FastAPI:
    """The marker service's app; it opens no connection before its lifespan begins."""
    return create_service(SERVICE, settings)
