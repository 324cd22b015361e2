"""Assessments over HTTP: the drafts of the caller's organization, what is submitted, reviews and declared grades."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from mmptf_common import openapi
from mmptf_common.changes import ChangePage, HistoryQuery, answer_history
from mmptf_common.identity import Assessor, Identity, PublicRequest, Reviewer
from mmptf_common.listing import Listing
from mmptf_common.pages import answer_item, answer_list
from mmptf_common.problems import Forbidden
from mmptf_common.query import PointInTime
from mmptf_common.routing import add_listing
from mmptf_common.schemas import CODE_PATTERN
from mmptf_common.writing import WriteQuery, answer_write
from mmptf_markers.assessments import commands, examples, schemas
from mmptf_markers.assessments.queries import ASSESSMENTS, DRAFTS, answer_comparison, answer_score
from mmptf_markers.engine.results import Score

router = APIRouter()

DraftCode = Annotated[str, Path(pattern=CODE_PATTERN, max_length=64, examples=["A-000003"])]
AssessmentCode = Annotated[str, Path(pattern=CODE_PATTERN, max_length=64, examples=["A-000001"])]
SubmittedCode = Annotated[str, Path(pattern=CODE_PATTERN, max_length=64, examples=["A-000002"])]


def _own_drafts(who: Identity) -> Listing:
    """The drafts that a caller may see: those of the caller's organization."""
    return DRAFTS if who.is_admin else replace(DRAFTS, fixed={"organization = {}": who.organization or ""})


def _private(response: Response) -> Response:
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["Vary"] = "Accept, Authorization"
    return response


@router.get(
    "/drafts",
    name="list",
    tags=["drafts"],
    response_model=schemas.AssessmentDraftPage,
    summary="List drafts",
    **openapi.read(schemas.DraftQuery, media=openapi.EXPORTS),
)
async def drafts(request: Request, who: Assessor) -> Response:
    """The drafts of the caller's organization, which nobody else sees."""
    return _private(await answer_list(request, _own_drafts(who)))


@router.get(
    "/drafts/{code}",
    name="get",
    tags=["drafts"],
    response_model=schemas.AssessmentDraft,
    summary="Get one of the drafts",
    **openapi.read(PointInTime, missing=True),
)
async def draft(request: Request, code: DraftCode, who: Assessor) -> Response:
    """A draft of the caller's organization, with the criteria that are still to be answered."""
    return _private(await answer_item(request, _own_drafts(who), code))


@router.get(
    "/drafts/{code}/history",
    name="history",
    tags=["drafts"],
    response_model=ChangePage,
    summary="Get the history of one of the drafts",
    **openapi.plain(HistoryQuery, journal=True, missing=True),
)
async def draft_history(request: Request, code: DraftCode, who: Assessor) -> Response:
    """Every change of a draft of the caller's organization, also after its submission: when, by whom, what and why."""
    owner = None if who.is_admin else who.organization or ""
    return await answer_history(request, _own_drafts(who), code, owner=owner)


@router.post(
    "/drafts",
    name="create",
    tags=["drafts"],
    response_model=schemas.AssessmentDraft,
    summary="Begin an assessment",
    **openapi.write("POST", WriteQuery, created=True),
)
async def create_draft(
    request: Request, sent: Annotated[schemas.AssessmentSent, openapi.example(examples.DRAFT)], who: Assessor
) -> Response:
    """Begin an assessment of a programme in which the caller's organization takes part; answers may come later."""
    return await answer_write(request, who, lambda write: commands.create_draft(write, who, sent), reason="drafted")


@router.patch(
    "/drafts/{code}",
    name="amend",
    tags=["drafts"],
    response_model=schemas.AssessmentDraft,
    summary="Save a part of a draft",
    **openapi.write("PATCH", WriteQuery, changes=True),
)
async def amend_draft(
    request: Request,
    code: DraftCode,
    sent: Annotated[schemas.AssessmentContent, openapi.example(examples.AMENDMENT)],
    who: Assessor,
) -> Response:
    """Change the members and answers that are sent; the others stay as they are, and null takes an answer back."""
    return await answer_write(
        request, who, lambda write: commands.amend_draft(write, code, sent), changes=(_own_drafts(who), code)
    )


@router.delete(
    "/drafts/{code}",
    name="discard",
    tags=["drafts"],
    summary="Discard a draft",
    **openapi.write("DELETE", WriteQuery, changes=True),
)
async def discard_draft(request: Request, code: DraftCode, who: Assessor) -> Response:
    """Remove a draft that was never submitted."""
    return await answer_write(
        request, who, lambda write: commands.discard_draft(write, code), changes=(_own_drafts(who), code)
    )


@router.post(
    "/drafts/{code}/submission",
    name="submit",
    tags=["drafts"],
    response_model=schemas.Assessment,
    summary="Submit a draft",
    **openapi.write("POST", WriteQuery, changes=True, created=True),
)
async def submit_draft(request: Request, code: DraftCode, who: Assessor) -> Response:
    """Submit a draft that is complete: everybody sees it from then on, and what it says never changes."""
    return await answer_write(
        request,
        who,
        lambda write: commands.submit_draft(write, code),
        reason="submitted",
        changes=(_own_drafts(who), code),
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
    sent: Annotated[schemas.ReviewSent, openapi.example(examples.REVIEW)],
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
    request: Request, sent: Annotated[schemas.DeclarationSent, openapi.example(examples.DECLARATION)], who: Reviewer
) -> Response:
    """A grade of the past of which no answers are held, marked as such. By the Fund's management unit."""
    if not who.is_management_unit:
        raise Forbidden("Declared grades are entered by the Fund's management unit.")
    return await answer_write(request, who, lambda write: commands.declare(write, sent), reason=sent.source)


@router.get(
    "/assessments/{code}/score",
    name="score",
    tags=["assessments"],
    response_model=Score,
    summary="Explain the grade of an assessment",
    **openapi.read(schemas.ScoreQuery, missing=True, conflicts=True),
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
    **openapi.read(schemas.ComparisonQuery, missing=True, conflicts=True),
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
