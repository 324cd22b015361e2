"""The routes of rubrics: published versions, translations, answers schemas and scores."""

from typing import Annotated

from fastapi import Body
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from mmptf_common.http import openapi
from mmptf_common.http.headers import PublicReadRequest, WriteRequest
from mmptf_common.http.identity import PublicRequest
from mmptf_common.http.parameters import NO_PARAMETERS, StrictQuery
from mmptf_common.routers.lists import add_listing
from mmptf_common.wire.problems import Forbidden, UnsupportedMediaType
from mmptf_common.writes.commands import answer_write
from mmptf_markers.access import MANAGEMENT_UNIT, Reviewer
from mmptf_markers.engine.results import Score
from mmptf_markers.rubrics.commands import publish_sent, read_sent
from mmptf_markers.rubrics.queries import (
    RUBRICS,
    TRANSLATIONS,
    AnswersSchemaQuery,
    PublicationQuery,
    answer_answers_schema,
    score_sent,
)
from mmptf_markers.rubrics.schemas import EXAMPLE_RUBRIC, EXAMPLE_RUBRIC_AS_JSON, PublishedRubric, ScoreRequest

router = openapi.Router()
TAG = openapi.Tag(
    "Rubrics",
    "The published questionnaires of a marker, called rubrics, and their translations; score answers, not stored.",
    supporting=True,
)
RUBRIC = "hr-marker-illustrative.1"
YAML, JSON = "application/yaml", "application/json"
RUBRICS_PATH = "/markers/v1/rubrics"
# Ten times the packaged ones.
MAX_RUBRIC_BODY = 327_680
SCORE_PATH = "/markers/v1/score"
# The answers to the most criteria that are scored take less.
MAX_SCORE_BODY = 65_536

EXAMPLE = {
    "rubric": "hr-marker-illustrative",
    "version": "1",
    "stage": "concept_note",
    "answers": {
        "obligations-analysis": 2,
        "due-diligence": 1,
        "equality": 1,
        "participation": 2,
        "rights-holders-capacity": 2,
        "duty-bearers-capacity": 2,
        "national-institutions": "not_applicable",
    },
}

RubricCode = Annotated[str, openapi.code_in_path("Code of a rubric with its version.", RUBRIC)]


@router.get(
    "/rubrics/{code}/answers-schema",
    tags=[TAG.name],
    summary="Get the JSON Schema of the answers to a rubric",
    response_class=Response,
    **openapi.read(
        missing=True, only=("application/schema+json",), headers=openapi.header_references("Content-Language")
    ),
)
async def get_rubric_answers_schema(
    request: PublicReadRequest, code: RubricCode, query: Annotated[AnswersSchemaQuery, StrictQuery()]
) -> Response:
    """The JSON Schema (2020-12) that answers under a rubric have to satisfy, to make a form from or to check them.

    Its texts are in the language of the rubric, or in that of one of its translations.
    """
    return await answer_answers_schema(request, code, query)


@router.post(
    "/rubrics",
    tags=[TAG.name],
    summary="Publish a rubric",
    response_model=PublishedRubric,
    **openapi.write(created=True, media={YAML: EXAMPLE_RUBRIC, JSON: EXAMPLE_RUBRIC_AS_JSON}),
)
async def publish_rubric(
    request: WriteRequest, who: Reviewer, query: Annotated[PublicationQuery, StrictQuery()]
) -> Response:
    """Publish a version of a rubric, in YAML or JSON: the members of `Rubric`, of which `hash` may be null.

    For the Fund's management unit. It is checked as a whole: an answer of 422 has every error. What is published never
    changes; a correction is another version. Drafts that name none have an official rubric before an illustrative one.
    """
    if not who.has_role(MANAGEMENT_UNIT):
        raise Forbidden("Rubrics are published by the Fund's management unit.")
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in (YAML, JSON):
        raise UnsupportedMediaType(f"The body is {media or 'of no stated media type'}; {YAML} or {JSON} is expected.")
    # In a thread and before the transaction: whether each grade can be reached takes a while.
    rubric = await run_in_threadpool(read_sent, await request.body())
    return await answer_write(
        request,
        who,
        query,
        lambda write: publish_sent(write, rubric, query.supersedes),
        reason="publication of a rubric",
    )


add_listing(
    router,
    RUBRICS,
    tag=TAG,
    about="One version of a marker's questionnaire: questions, answers and the rule for the grade. It never changes.",
    example=RUBRIC,
)


add_listing(
    router,
    TRANSLATIONS,
    tag=TAG,
    noun="rubric translation",
    about="The texts of one published rubric in another language; the rubric itself is not changed by them.",
    example=f"{RUBRIC}.fr",
    packaged=False,
)


@router.post(
    "/score",
    tags=[TAG.name],
    summary="Score answers under a rubric",
    response_model=Score,
    dependencies=[NO_PARAMETERS],
    **openapi.computation(),
)
async def score_answers(
    request: PublicRequest,
    response: Response,
    body: Annotated[ScoreRequest, Body(openapi_examples={"complete": {"value": EXAMPLE}})],
) -> Score:
    """Compute the grade that answers give under a published rubric, without storing anything.

    The score names the rubric with version, hash and status. The grade comes with a reason for each criterion and
    the smallest change that leads to each better grade; while a criterion is unanswered there is no grade.
    """
    response.headers["Cache-Control"] = "no-store"
    return await score_sent(request, body)
