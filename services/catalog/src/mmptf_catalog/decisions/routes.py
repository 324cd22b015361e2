"""The routes of calls for proposals, meetings of the Steering Committee, and its decisions."""

from __future__ import annotations

from typing import Annotated

from starlette.responses import Response

from mmptf_catalog.access import MANAGEMENT_UNIT, CatalogWriter
from mmptf_catalog.decisions import commands, examples, schemas
from mmptf_catalog.decisions.domain import CallForProposals, Decision, Meeting
from mmptf_catalog.decisions.queries import CALLS, DECISIONS, MEETINGS
from mmptf_common.http import openapi
from mmptf_common.http.headers import AmendRequest, WriteRequest
from mmptf_common.http.identity import Identity
from mmptf_common.routers.lists import add_listing
from mmptf_common.storage.journal import Write
from mmptf_common.wire.problems import Forbidden
from mmptf_common.writes.commands import (
    Answer,
    BatchParameters,
    BatchReport,
    WriteParameters,
    answer_write,
    batch_report,
)

router = openapi.Router()
TAG = openapi.Tag(
    "Decisions",
    "The Fund's calls for proposals, the meetings of its Steering Committee, and what that decided about programmes.",
)
CALL_NOUN = "call for proposals"
CallCode = Annotated[str, openapi.code_of(CALL_NOUN, CALLS.path, "CALL-2026", packaged=False)]
MeetingCode = Annotated[str, openapi.code_of("meeting", MEETINGS.path, "SC-2026-03", packaged=False)]
DecisionCode = Annotated[str, openapi.code_of("decision", DECISIONS.path, "SC-2026-03-04", packaged=False)]


def _require_management_unit(who: Identity) -> None:
    if not who.has_role(MANAGEMENT_UNIT):
        raise Forbidden("Calls, meetings and decisions are entered by the Fund's management unit.")


@router.post(
    "/calls",
    tags=[TAG.name],
    response_model=CallForProposals,
    summary="Add a call for proposals",
    **openapi.write(created=True),
)
async def create_call_for_proposals(
    request: WriteRequest,
    sent: Annotated[schemas.CallForProposalsSent, openapi.example(examples.CALL)],
    who: CatalogWriter,
    query: WriteParameters,
) -> Response:
    """Add a call for proposals. Only the Fund's management unit may."""
    _require_management_unit(who)
    return await answer_write(
        request, who, query, lambda write: commands.add_call(write, who, sent), reason="a call for proposals"
    )


@router.patch(
    "/calls/{code}",
    tags=[TAG.name],
    response_model=CallForProposals,
    summary="Amend a call for proposals",
    **openapi.write(changes=True),
)
async def amend_call_for_proposals(
    request: AmendRequest,
    code: CallCode,
    sent: Annotated[schemas.CallForProposalsAmendment, openapi.example(examples.CALL_AMENDMENT)],
    who: CatalogWriter,
    query: WriteParameters,
) -> Response:
    """Change the members that are sent; the others stay as they are. Only the Fund's management unit may."""
    _require_management_unit(who)
    return await answer_write(
        request,
        who,
        query,
        lambda write: commands.amend_call(write, who, code, sent),
        reason=sent.reason,
        changes=(CALLS, code),
    )


add_listing(
    router,
    CALLS,
    tag=TAG,
    noun=CALL_NOUN,
    plural="calls for proposals",
    about="A call for proposals (round): from when to when organizations may propose programmes, and its documents.",
    example="CALL-2026",
    packaged=False,
)


@router.post(
    "/meetings",
    tags=[TAG.name],
    response_model=Meeting,
    summary="Add a meeting",
    **openapi.write(created=True),
)
async def create_meeting(
    request: WriteRequest,
    sent: Annotated[schemas.MeetingSent, openapi.example(examples.MEETING)],
    who: CatalogWriter,
    query: WriteParameters,
) -> Response:
    """Add a meeting of the Steering Committee. Only the Fund's management unit may."""
    _require_management_unit(who)
    return await answer_write(
        request, who, query, lambda write: commands.add_meeting(write, who, sent), reason="a meeting"
    )


@router.patch(
    "/meetings/{code}",
    tags=[TAG.name],
    response_model=Meeting,
    summary="Amend a meeting",
    **openapi.write(changes=True),
)
async def amend_meeting(
    request: AmendRequest,
    code: MeetingCode,
    sent: Annotated[schemas.MeetingAmendment, openapi.example(examples.MEETING_AMENDMENT)],
    who: CatalogWriter,
    query: WriteParameters,
) -> Response:
    """Change the members that are sent; the others stay as they are. Only the Fund's management unit may."""
    _require_management_unit(who)
    return await answer_write(
        request,
        who,
        query,
        lambda write: commands.amend_meeting(write, who, code, sent),
        reason=sent.reason,
        changes=(MEETINGS, code),
    )


add_listing(
    router,
    MEETINGS,
    tag=TAG,
    about="A meeting of the Steering Committee: its day, its kind, and its documents.",
    example="SC-2026-03",
    packaged=False,
)


@router.post(
    "/decisions",
    tags=[TAG.name],
    response_model=Decision,
    summary="Add a decision",
    **openapi.write(created=True),
)
async def create_decision(
    request: WriteRequest,
    sent: Annotated[schemas.DecisionSent, openapi.example(examples.DECISION)],
    who: CatalogWriter,
    query: WriteParameters,
) -> Response:
    """Add a decision of the Steering Committee. It changes no programme by itself: the change of a status, of a budget
    or of the last day is entered at the programme, and names it. Only the Fund's management unit may.
    """
    _require_management_unit(who)
    return await answer_write(
        request, who, query, lambda write: commands.add_decision(write, who, sent), reason="a decision"
    )


@router.post(
    "/decisions/batch",
    tags=[TAG.name],
    response_model=BatchReport,
    summary="Add several decisions",
    **openapi.write(),
)
async def create_decisions(
    request: WriteRequest,
    sent: Annotated[schemas.DecisionBatch, openapi.example(examples.BATCH)],
    who: CatalogWriter,
    query: BatchParameters,
) -> Response:
    """Add several decisions at once, such as those of one meeting: all of them or none, or with `partial=true` those
    that are not refused.
    """
    _require_management_unit(who)

    async def write_all(write: Write) -> Answer:
        results = await commands.add_decisions(write, who, sent.decisions, partial=query.partial == "true")
        return batch_report(query, results, "/decisions")

    return await answer_write(request, who, query, write_all, reason="a batch of decisions")


@router.patch(
    "/decisions/{code}",
    tags=[TAG.name],
    response_model=Decision,
    summary="Amend a decision",
    **openapi.write(changes=True),
)
async def amend_decision(
    request: AmendRequest,
    code: DecisionCode,
    sent: Annotated[schemas.DecisionAmendment, openapi.example(examples.DECISION_AMENDMENT)],
    who: CatalogWriter,
    query: WriteParameters,
) -> Response:
    """Change the members that are sent; the others stay as they are, and so do the changes of programmes that name the
    decision. Only the Fund's management unit may.
    """
    _require_management_unit(who)
    return await answer_write(
        request,
        who,
        query,
        lambda write: commands.amend_decision(write, who, code, sent),
        reason=sent.reason,
        changes=(DECISIONS, code),
    )


add_listing(
    router,
    DECISIONS,
    tag=TAG,
    about="A numbered decision of the Steering Committee: what it decided about which programmes, and which changes of"
    " programmes name it.",
    example="SC-2026-03-04",
    packaged=False,
)
