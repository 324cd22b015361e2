"""The routes of assessments: drafts, submissions, positions of other organizations, declared grades."""

from __future__ import annotations

from typing import Annotated

from starlette.responses import Response

from mmptf_common.http import openapi
from mmptf_common.http.conditional import private
from mmptf_common.http.headers import ChangeRequest, PublicReadRequest, ReadRequest, WriteRequest
from mmptf_common.http.parameters import PointInTimeQuery, StrictQuery
from mmptf_common.routers.drafts import Step, StepWithBody, add_drafts
from mmptf_common.routers.lists import add_listing
from mmptf_common.wire.problems import Forbidden
from mmptf_common.writes.commands import WriteParameters, answer_write
from mmptf_markers.access import MANAGEMENT_UNIT, Assessor, AssessorOrReviewer, Reviewer
from mmptf_markers.assessments import commands, schemas
from mmptf_markers.assessments.draft_score import DraftScoreQuery, answer_draft_score
from mmptf_markers.assessments.matrix import COLUMNS as MATRIX_COLUMNS
from mmptf_markers.assessments.matrix import AssessmentMatrix, MatrixQuery, answer_matrix
from mmptf_markers.assessments.queries import (
    ASSESSMENTS,
    DRAFTS,
    ComparisonQuery,
    ScoreQuery,
    answer_comparison,
    answer_score,
)
from mmptf_markers.assessments.rules import written_in
from mmptf_markers.engine.results import Score
from mmptf_markers.evidence.restricted import answer_restricted

router = openapi.Router()
TAG = openapi.Tag(
    "Assessments",
    "How programmes were graded under a marker: read, explain and compare assessments, declare past grades.",
)
DRAFTS_TAG = openapi.Tag(
    "Assessment drafts",
    "Answer the questions of a rubric for a programme step by step, together with all that take part; then submit.",
    supporting=True,
)

DraftCode = Annotated[str, openapi.code_of("assessment draft", DRAFTS.path, "D-7K3M9QWT", packaged=False)]
AssessmentCode = Annotated[str, openapi.code_in_path("Code of the assessment.", "A-000001", packaged=False)]
SubmittedCode = Annotated[str, openapi.code_in_path("Code of the assessment.", "A-000002", packaged=False)]
JointCode = Annotated[str, openapi.code_in_path("Code of the assessment.", "A-000007", packaged=False)]
DeclaredCode = Annotated[str, openapi.code_in_path("Code of the declared grade.", "A-000003", packaged=False)]


own_drafts = add_drafts(
    router,
    DRAFTS,
    noun="assessment draft",
    tag=DRAFTS_TAG,
    drafter=Assessor,
    about="An assessment before it is submitted, which the organizations that take part in the programme see and write"
    " together, with what is still to be answered.",
    example="D-7K3M9QWT",
    create=StepWithBody(
        commands.create_draft,
        "Begin an assessment of a programme in which the caller's organization takes part; answers may come later. All"
        " that take part write one draft of a programme, marker, stage and year: where there is one, the answer is a"
        " 409 that names it.",
        schemas.AssessmentSent,
        schemas.EXAMPLE_DRAFT,
    ),
    amend=StepWithBody(
        commands.amend_draft,
        "Change the members and answers that are sent; the others stay as they are, and null takes an answer back.",
        schemas.AssessmentContent,
        schemas.EXAMPLE_AMENDMENT,
    ),
    discard=commands.discard_draft,
    submit=Step(
        commands.submit_draft,
        "Submit a complete draft for review: everybody can read it from then on, under the code that it gets now, and"
        " its answers never change. The lead organization of the programme does so, or any that takes part where none"
        " is named; the same holds for discarding a draft.",
    ),
    submitted=ASSESSMENTS,
    readers="The drafts of the programmes in which the organization takes part that the access token names.",
)


@router.get(
    "/drafts/{code}/score",
    tags=[DRAFTS_TAG.name],
    response_model=Score,
    summary="Get the score of an assessment draft",
    **openapi.read(missing=True),
)
async def get_assessment_draft_score(
    request: ReadRequest, code: DraftCode, who: Assessor, query: Annotated[DraftScoreQuery, StrictQuery()]
) -> Response:
    """How far the answers of a draft have come, and what to do next: `next_steps` has one step for each answer that can
    be higher, core criteria first, in the language that is asked for.
    """
    return private(await answer_draft_score(request, own_drafts(who), code, query))


@router.post(
    "/assessments/{code}/positions",
    tags=[TAG.name],
    response_model=schemas.Assessment,
    summary="State a position on an assessment",
    **openapi.write(changes=True),
)
async def state_position(
    request: ChangeRequest,
    code: JointCode,
    sent: Annotated[schemas.PositionSent, openapi.example(schemas.EXAMPLE_POSITION)],
    who: Assessor,
    query: WriteParameters,
) -> Response:
    """Agree with a submitted assessment or dissent, for an organization that takes part and has not submitted it.

    It is public in `positions`, and replaces what the organization said before; after the review none is stated.
    """
    return await answer_write(
        request,
        who,
        query,
        lambda write: commands.state_position(write, who, code, sent),
        reason=(sent.reason or "agreed")[:2000],
        changes=(ASSESSMENTS, code),
    )


@router.post(
    "/declarations",
    tags=[TAG.name],
    response_model=schemas.Assessment,
    summary="Enter a declared grade",
    **openapi.write(created=True),
)
async def declare_grade(
    request: WriteRequest,
    sent: Annotated[schemas.DeclarationSent, openapi.example(schemas.EXAMPLE_DECLARATION)],
    who: Reviewer,
    query: WriteParameters,
) -> Response:
    """Enter a grade that an organization stated in the past, without answers, or correct one. For the Fund's management
    unit.

    It is an assessment whose `basis` is `declared` and whose `answered` is false; it counts without a review.
    """
    if not who.has_role(MANAGEMENT_UNIT):
        raise Forbidden("Declared grades are entered by the Fund's management unit.")
    reason = written_in(sent.source)[:2000]
    return await answer_write(request, who, query, lambda write: commands.declare(write, sent), reason=reason)


@router.post(
    "/assessments/{code}/withdrawal",
    tags=[TAG.name],
    response_model=schemas.Assessment,
    summary="Withdraw a declared grade",
    **openapi.write(changes=True),
)
async def withdraw_declared_grade(
    request: ChangeRequest,
    code: DeclaredCode,
    sent: Annotated[schemas.WithdrawalSent, openapi.example(schemas.EXAMPLE_WITHDRAWAL)],
    who: Reviewer,
    query: WriteParameters,
) -> Response:
    """Take back a declared grade, so that it counts no longer, nor one that it corrected. For the Fund's management
    unit.
    """
    if not who.has_role(MANAGEMENT_UNIT):
        raise Forbidden("Declared grades are withdrawn by the Fund's management unit.")
    return await answer_write(
        request,
        who,
        query,
        lambda write: commands.withdraw(write, code),
        reason=sent.reason,
        changes=(ASSESSMENTS, code),
    )


@router.get(
    "/assessments/{code}/restricted",
    tags=[TAG.name],
    response_model=schemas.RestrictedContent,
    summary="Get what of an assessment is restricted",
    **openapi.read(missing=True),
)
async def get_restricted_content(
    request: ReadRequest, code: AssessmentCode, who: AssessorOrReviewer, query: PointInTimeQuery
) -> Response:
    """The restricted evidence and risks of an assessment. For the organizations that take part in the programme,
    whoever has claimed its review, and the Fund's management unit.
    """
    return await answer_restricted(request, ASSESSMENTS, schemas.RestrictedContent, code, who, query)


@router.get(
    "/assessments/{code}/score",
    tags=[TAG.name],
    response_model=Score,
    summary="Get the score of an assessment",
    **openapi.read(missing=True, conflicts=True),
)
async def get_assessment_score(
    request: PublicReadRequest, code: AssessmentCode, query: Annotated[ScoreQuery, StrictQuery()]
) -> Response:
    """How the answers lead to the grade, criterion by criterion, and the smallest change to each better grade."""
    return await answer_score(request, code, query)


@router.get(
    "/assessments/{code}/matrix",
    tags=[TAG.name],
    response_model=AssessmentMatrix,
    summary="Get the matrix of an assessment",
    **openapi.read(
        media=openapi.TABLE,
        missing=True,
        conflicts=True,
        texts=openapi.table(MATRIX_COLUMNS, " A row for each criterion, each with the head of the matrix."),
    ),
)
async def get_assessment_matrix(
    request: PublicReadRequest, code: SubmittedCode, query: Annotated[MatrixQuery, StrictQuery()]
) -> Response:
    """An assessment as one table to be printed: each question with the level that was chosen and when that is right,
    the justification, the reviewer's answer, evidence and actions.
    """
    return await answer_matrix(request, code, query)


@router.get(
    "/assessments/{code}/comparison",
    tags=[TAG.name],
    response_model=schemas.AssessmentComparison,
    summary="Compare an assessment with an earlier one",
    **openapi.read(missing=True, conflicts=True),
)
async def get_assessment_comparison(
    request: PublicReadRequest, code: SubmittedCode, query: Annotated[ComparisonQuery, StrictQuery()]
) -> Response:
    """Which answers are higher or lower than in an earlier assessment of the same programme, by criterion."""
    return await answer_comparison(request, code, query)


add_listing(
    router,
    ASSESSMENTS,
    tag=TAG,
    about="One version of an assessment of a programme: its answers, with the declared, derived and reviewed grade.",
    example="A-000001",
    packaged=False,
)
