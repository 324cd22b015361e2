"""Assessments over HTTP: the drafts of the caller's organization, what is submitted, reviews and declared grades."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from mmptf_common.http import openapi
from mmptf_common.http.identity import PublicRequest
from mmptf_common.routers.drafts import Step, add_drafts
from mmptf_common.routers.lists import add_listing
from mmptf_common.wire.base import CODE_PATTERN
from mmptf_common.wire.problems import Forbidden
from mmptf_common.writes.commands import WriteQuery, answer_write
from mmptf_markers.access import MANAGEMENT_UNIT, Assessor, Reviewer
from mmptf_markers.assessments import commands, schemas
from mmptf_markers.assessments.queries import (
    ASSESSMENTS,
    DRAFTS,
    ComparisonQuery,
    ScoreQuery,
    answer_comparison,
    answer_score,
)
from mmptf_markers.engine.results import Score

router = APIRouter()

AssessmentCode = Annotated[str, Path(pattern=CODE_PATTERN, max_length=64, examples=["A-000001"])]
SubmittedCode = Annotated[str, Path(pattern=CODE_PATTERN, max_length=64, examples=["A-000002"])]


add_drafts(
    router,
    DRAFTS,
    drafter=Assessor,
    about="A draft of the caller's organization, with the criteria that are still to be answered.",
    example="A-000003",
    create=Step(
        commands.create_draft,
        "Begin an assessment",
        "Begin an assessment of a programme in which the caller's organization takes part; answers may come later.",
        Annotated[schemas.AssessmentSent, openapi.example(schemas.EXAMPLE_DRAFT)],
    ),
    amend=Step(
        commands.amend_draft,
        "Save a part of a draft",
        "Change the members and answers that are sent; the others stay as they are, and null takes an answer back.",
        Annotated[schemas.AssessmentContent, openapi.example(schemas.EXAMPLE_AMENDMENT)],
    ),
    discard=commands.discard_draft,
    submit=Step(
        commands.submit_draft,
        "Submit a draft",
        "Submit a draft that is complete: everybody sees it from then on, and what it says never changes.",
    ),
    submitted=ASSESSMENTS,
)


@router.post(
    "/assessments/{code}/review",
    name="review",
    tags=["assessments"],
    response_model=schemas.Assessment,
    summary="Review an assessment",
    **openapi.write("POST", WriteQuery, changes=True),
)
async def review(
    request: Request,
    code: SubmittedCode,
    sent: Annotated[schemas.ReviewSent, openapi.example(schemas.EXAMPLE_REVIEW)],
    who: Reviewer,
) -> Response:
    """Accept or return what was submitted. By another person, whose organization takes no part in the programme."""
    return await answer_write(
        request,
        who,
        lambda write: commands.review(write, who, code, sent),
        reason=sent.comment[:2000],
        changes=(ASSESSMENTS, code),
    )


@router.post(
    "/declarations",
    name="create",
    tags=["declarations"],
    response_model=schemas.Assessment,
    summary="Enter a declared grade",
    **openapi.write("POST", WriteQuery, created=True),
)
async def declare(
    request: Request,
    sent: Annotated[schemas.DeclarationSent, openapi.example(schemas.EXAMPLE_DECLARATION)],
    who: Reviewer,
) -> Response:
    """A grade of the past of which no answers are held, marked as such. By the Fund's management unit."""
    if not who.has_role(MANAGEMENT_UNIT):
        raise Forbidden("Declared grades are entered by the Fund's management unit.")
    return await answer_write(request, who, lambda write: commands.declare(write, sent), reason=sent.source)


@router.get(
    "/assessments/{code}/score",
    name="score",
    tags=["assessments"],
    response_model=Score,
    summary="Explain the grade of an assessment",
    **openapi.read(ScoreQuery, missing=True, conflicts=True),
)
async def explain(request: PublicRequest, code: AssessmentCode) -> Response:
    """The grade that the answers give, with a reason for each criterion and the way to the next better grade."""
    return await answer_score(request, code)


@router.get(
    "/assessments/{code}/comparison",
    name="comparison",
    tags=["assessments"],
    response_model=schemas.Comparison,
    summary="Compare an assessment with an earlier one",
    **openapi.read(ComparisonQuery, missing=True, conflicts=True),
)
async def compare(request: PublicRequest, code: SubmittedCode) -> Response:
    """What improved and what fell since an earlier assessment of the same programme, criterion by criterion."""
    return await answer_comparison(request, code)


add_listing(
    router,
    ASSESSMENTS,
    about="One version of an assessment of a programme: its answers, and the declared, derived and reviewed grade.",
    example="A-000001",
)
