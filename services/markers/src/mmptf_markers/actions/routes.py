"""The routes of actions: the list of them, what of one is restricted, and its end."""

from __future__ import annotations

from typing import Annotated

from starlette.responses import Response

from mmptf_common.http import openapi
from mmptf_common.http.headers import ChangeRequest, ReadRequest
from mmptf_common.http.parameters import PointInTimeQuery
from mmptf_common.routers.lists import add_listing
from mmptf_common.writes.commands import WriteParameters, answer_write
from mmptf_markers.access import AssessorOrReviewer
from mmptf_markers.actions import commands, schemas
from mmptf_markers.actions.queries import ACTIONS
from mmptf_markers.evidence.restricted import answer_restricted

router = openapi.Router()
TAG = openapi.Tag(
    "Actions",
    "What assessments planned: actions that follow from answers, and measures of due diligence, each until it is ended"
    " as done, replaced or dropped.",
)
ActionCode = Annotated[str, openapi.code_in_path("Code of the action.", "ACT-000001", packaged=False)]


@router.get(
    "/actions/{code}/restricted",
    tags=[TAG.name],
    response_model=schemas.RestrictedAction,
    summary="Get what of an action is restricted",
    **openapi.read(missing=True),
)
async def get_restricted_action(
    request: ReadRequest, code: ActionCode, who: AssessorOrReviewer, query: PointInTimeQuery
) -> Response:
    """A restricted measure with its risk, and restricted evidence that an action was done. For the organizations that
    take part in the programme, whoever has claimed the review of the assessment, and the Fund's management unit.
    """
    return await answer_restricted(request, ACTIONS, schemas.RestrictedAction, code, who, query)


@router.post(
    "/actions/{code}/end",
    tags=[TAG.name],
    response_model=schemas.AssessmentAction,
    summary="End an action",
    **openapi.write(changes=True),
)
async def end_action(
    request: ChangeRequest,
    code: ActionCode,
    sent: Annotated[schemas.ActionEndSent, openapi.example(schemas.EXAMPLE_END)],
    who: AssessorOrReviewer,
    query: WriteParameters,
) -> Response:
    """End an open action or measure: done, with its day and evidence; replaced, such as by the same with a later day;
    or dropped, with the reason. For the organizations that take part in the programme, and the Fund's management unit.
    """
    return await answer_write(
        request,
        who,
        query,
        lambda write: commands.end_action(write, who, code, sent),
        reason=sent.outcome,
        changes=(ACTIONS, code),
    )


add_listing(
    router,
    ACTIONS,
    tag=TAG,
    about="An action that follows from an answer, or a measure of due diligence: until when, and how far it has come.",
    example="ACT-000001",
    packaged=False,
)
