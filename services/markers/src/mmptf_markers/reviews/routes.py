"""The routes of reviews: who makes them, decisions, appeals, and the agreement of raters."""

from __future__ import annotations

from typing import Annotated

from starlette.responses import Response

from mmptf_common.http import conditional, openapi
from mmptf_common.http.headers import ChangeRequest, PublicReadRequest, ReadRequest, WriteRequest
from mmptf_common.http.parameters import PointInTimeQuery, StrictQuery
from mmptf_common.lists.pages import answer_item, answer_list
from mmptf_common.lists.tables import columns_of
from mmptf_common.wire.problems import Forbidden
from mmptf_common.writes.commands import WriteParameters, answer_write
from mmptf_markers.access import MANAGEMENT_UNIT, Assessor, Reviewer
from mmptf_markers.assessments.queries import ASSESSMENTS
from mmptf_markers.assessments.schemas import EXAMPLE_REVIEW, Assessment, ReviewSent
from mmptf_markers.reviews import commands, schemas
from mmptf_markers.reviews.commands import LONGEST_REASON
from mmptf_markers.reviews.queries import (
    REVIEWS,
    AgreementOfReviewersQuery,
    AgreementQuery,
    ReviewQuery,
    answer_agreement,
    reviews_for,
)

router = openapi.Router()
TAG = openapi.Tag(
    "Reviews",
    "Who reviews which assessment: claims, decisions, blind second ratings, appeals, and how far raters agree.",
)

ReviewedCode = Annotated[str, openapi.code_in_path("Code of the assessment.", "A-000004", packaged=False)]
SubmittedCode = Annotated[str, openapi.code_in_path("Code of the assessment.", "A-000002", packaged=False)]
FreeCode = Annotated[str, openapi.code_in_path("Code of the assessment.", "A-000005", packaged=False)]
AppealedCode = Annotated[str, openapi.code_in_path("Code of the assessment.", "A-000006", packaged=False)]
ReviewCode = Annotated[str, openapi.code_of("review", REVIEWS.path, "R-000002", packaged=False)]


@router.get(
    "/reviews/agreement",
    tags=[TAG.name],
    response_model=schemas.Agreement,
    summary="Get the agreement of raters",
    **openapi.read(media=openapi.TABLE, texts=openapi.table(columns_of(schemas.AgreementGroup))),
)
async def get_agreement(request: PublicReadRequest, query: Annotated[AgreementQuery, StrictQuery()]) -> Response:
    """How far two raters of the same assessments agree, by the published reviews: exact agreement, weighted kappa, and
    how much higher one of them answers, each with its counts.

    Below 20 pairs of answers a group is marked as `too_few`. `text/csv` has a row for each group, without `counts`.
    """
    return await answer_agreement(request, query, query.by[0] if query.by else None)


@router.get(
    "/reviews/agreement/reviewers",
    tags=[TAG.name],
    response_model=schemas.Agreement,
    summary="Get the agreement of each reviewer with others",
    **openapi.read(media=openapi.TABLE, texts=openapi.table(columns_of(schemas.AgreementGroup))),
)
async def get_agreement_of_reviewers(
    request: ReadRequest, who: Reviewer, query: Annotated[AgreementOfReviewersQuery, StrictQuery()]
) -> Response:
    """As the agreement of raters, by the pseudonym of the reviewer. For the Fund's management unit.

    With `first_and_second` a pair belongs to both reviewers, each time with her own answer as the one.
    """
    if not who.has_role(MANAGEMENT_UNIT):
        raise Forbidden("The agreement of each reviewer is read by the Fund's management unit.")
    return conditional.private(await answer_agreement(request, query, "reviewer"))


@router.get(
    "/reviews",
    tags=[TAG.name],
    response_model=schemas.ReviewAssignmentPage,
    summary="List reviews",
    **openapi.read(media=openapi.EXPORTS, texts=openapi.exports(REVIEWS.columns, REVIEWS.item)),
)
async def list_reviews(request: ReadRequest, who: Reviewer, query: Annotated[ReviewQuery, StrictQuery()]) -> Response:
    """The reviews of the caller, and those for which a reviewer is sought of assessments that she has no part in. The
    management unit sees all. What waits for its first review is at `/markers/v1/assessments?status=submitted`.
    """
    return conditional.private(await answer_list(request, reviews_for(who), query))


@router.get(
    "/reviews/{code}",
    tags=[TAG.name],
    response_model=schemas.ReviewAssignment,
    summary="Get a review",
    **openapi.read(missing=True),
)
async def get_review(request: ReadRequest, code: ReviewCode, who: Reviewer, query: PointInTimeQuery) -> Response:
    """Who makes a review, until when, and what was decided; to those who may see it."""
    return conditional.private(await answer_item(request, reviews_for(who), code, query))


@router.post(
    "/reviews/{code}/refusal",
    tags=[TAG.name],
    response_model=schemas.ReviewAssignment,
    summary="Decline a review",
    **openapi.write(changes=True),
)
async def decline_review(
    request: ChangeRequest,
    code: ReviewCode,
    sent: Annotated[schemas.RefusalSent, openapi.example(schemas.EXAMPLE_REFUSAL)],
    who: Reviewer,
    query: WriteParameters,
) -> Response:
    """Say that a review is not made by whom it was assigned to, or who has claimed it; another reviewer is sought then.

    For the reviewer, and for the Fund's management unit where she does not come to it.
    """
    return await answer_write(
        request,
        who,
        query,
        lambda write: commands.decline(write, who, code, sent),
        reason="declined",
        changes=(reviews_for(who), code),
    )


@router.post(
    "/assessments/{code}/reviewers",
    tags=[TAG.name],
    response_model=schemas.ReviewAssignment,
    summary="Assign a reviewer",
    **openapi.write(created=True, missing=True),
)
async def assign_reviewer(
    request: WriteRequest,
    code: FreeCode,
    sent: Annotated[schemas.ReviewerSent, openapi.example(schemas.EXAMPLE_REVIEWER)],
    who: Reviewer,
    query: WriteParameters,
) -> Response:
    """Ask a person to review an assessment, to rate it a second time, to settle two reviews or to decide on an appeal.
    For the Fund's management unit.

    The reviewer accepts by a claim, with a declaration of interest, or declines.
    """
    if not who.has_role(MANAGEMENT_UNIT):
        raise Forbidden("Reviewers are assigned by the Fund's management unit.")
    return await answer_write(
        request, who, query, lambda write: commands.assign(write, code, sent), reason="a reviewer assigned"
    )


@router.post(
    "/assessments/{code}/claim",
    tags=[TAG.name],
    response_model=schemas.ReviewAssignment,
    summary="Claim the review of an assessment",
    **openapi.write(created=True, missing=True),
)
async def claim_review(
    request: WriteRequest,
    code: FreeCode,
    sent: Annotated[schemas.ClaimSent, openapi.example(schemas.EXAMPLE_CLAIM)],
    who: Reviewer,
    query: WriteParameters,
) -> Response:
    """Take over the review that an assessment needs next, or accept the one that was assigned, with a declaration of
    interest. Nobody reviews without a claim.

    The reviewer is none of the authors, belongs to no organization that takes part in the programme, and has made no
    other review of the assessment.
    """
    return await answer_write(
        request, who, query, lambda write: commands.claim(write, who, code, sent), reason="a review claimed"
    )


@router.post(
    "/assessments/{code}/review",
    tags=[TAG.name],
    response_model=Assessment,
    summary="Review an assessment",
    **openapi.write(changes=True),
)
async def review_assessment(
    request: ChangeRequest,
    code: SubmittedCode,
    sent: Annotated[ReviewSent, openapi.example(EXAMPLE_REVIEW)],
    who: Reviewer,
    query: WriteParameters,
) -> Response:
    """Accept a submitted assessment that the caller has claimed, or return it to be corrected, with answers in place of
    those that do not hold.

    A share of assessments is rated by a second reviewer, who does not know the first review: the assessment stays
    `submitted` then, and its reviews become public once both are done. Where they find another decision or grade, a
    third reviewer settles it first.
    """
    second_ratings = request.app.state.settings.second_ratings
    return await answer_write(
        request,
        who,
        query,
        lambda write: commands.decide(write, who, code, sent, second_ratings),
        reason=sent.comment[:LONGEST_REASON],
        changes=(ASSESSMENTS, code),
    )


@router.post(
    "/assessments/{code}/appeal",
    tags=[TAG.name],
    response_model=Assessment,
    summary="Appeal against a review",
    **openapi.write(changes=True),
)
async def appeal_against_review(
    request: ChangeRequest,
    code: ReviewedCode,
    sent: Annotated[schemas.AppealSent, openapi.example(schemas.EXAMPLE_APPEAL)],
    who: Assessor,
    query: WriteParameters,
) -> Response:
    """Appeal against the review of an assessment within 30 days, once, for an organization that takes part in the
    programme. Another reviewer decides; until then the grade of the review counts, and both are kept.
    """
    return await answer_write(
        request,
        who,
        query,
        lambda write: commands.appeal(write, who, code, sent),
        reason=sent.comment[:LONGEST_REASON],
        changes=(ASSESSMENTS, code),
    )


@router.post(
    "/assessments/{code}/appeal/decision",
    tags=[TAG.name],
    response_model=Assessment,
    summary="Decide on an appeal",
    **openapi.write(changes=True),
)
async def decide_appeal(
    request: ChangeRequest,
    code: AppealedCode,
    sent: Annotated[ReviewSent, openapi.example(EXAMPLE_REVIEW)],
    who: Reviewer,
    query: WriteParameters,
) -> Response:
    """Decide on the appeal against a review that the caller has claimed, as a review of its own: what it finds counts
    from then on, beside the review that was appealed against.
    """
    return await answer_write(
        request,
        who,
        query,
        lambda write: commands.decide_appeal(write, who, code, sent),
        reason=sent.comment[:LONGEST_REASON],
        changes=(ASSESSMENTS, code),
    )
