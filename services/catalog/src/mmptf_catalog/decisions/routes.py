"""The routes of calls for proposals, meetings of the Steering Committee, and its decisions."""

# FastAPI reads the annotations of `_add_list`, whose values are known there alone: they are not postponed.
from typing import Annotated

from pydantic import BaseModel
from starlette.responses import Response

from mmptf_catalog.access import MANAGEMENT_UNIT, CatalogWriter
from mmptf_catalog.decisions import commands, examples, schemas
from mmptf_catalog.decisions.queries import CALLS, DECISIONS, MEETINGS
from mmptf_common.http import openapi
from mmptf_common.http.headers import AmendRequest, WriteRequest
from mmptf_common.http.identity import Identity
from mmptf_common.lists.listing import Listing
from mmptf_common.routers.drafts import StepWithBody
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

Amendment = schemas.CallForProposalsAmendment | schemas.MeetingAmendment | schemas.DecisionAmendment


def _require_management_unit(who: Identity) -> None:
    if not who.has_role(MANAGEMENT_UNIT):
        raise Forbidden("Calls, meetings and decisions are entered by the Fund's management unit.")


def _add_list(
    listing: Listing, *, noun: str, plural: str, about: str, example: str, add: StepWithBody, amend: StepWithBody
) -> None:
    """Add a list with the writes of its records, which the management unit makes.

    noun, plural: what its records are called in the contract; about: what one is; example: the code of one
    add: takes the write, the caller and the body; amend: also the code, before the body, which has a `reason`
    """
    path = f"/{listing.path.rpartition('/')[2]}"
    one = openapi.with_article(noun)
    CodeInPath = Annotated[str, openapi.code_of(noun, listing.path, example, packaged=False)]  # noqa: N806

    async def create(request: WriteRequest, sent: BaseModel, who: CatalogWriter, query: WriteParameters) -> Response:
        _require_management_unit(who)
        return await answer_write(request, who, query, lambda write: add.command(write, who, sent), reason=one)

    async def change(
        request: AmendRequest, code: CodeInPath, sent: Amendment, who: CatalogWriter, query: WriteParameters
    ) -> Response:
        _require_management_unit(who)
        return await answer_write(
            request,
            who,
            query,
            lambda write: amend.command(write, who, code, sent),
            reason=sent.reason,
            changes=(listing, code),
        )

    for endpoint, step in ((create, add), (change, amend)):
        endpoint.__annotations__["sent"] = Annotated[step.body, openapi.example(step.example)]
    router.add_api_route(
        path,
        create,
        methods=["POST"],
        name=openapi.operation_id(f"create {noun}"),
        tags=[TAG.name],
        response_model=listing.item,
        summary=f"Add {one}",
        description=f"{add.about} Only the Fund's management unit may.",
        **openapi.write(created=True),
    )
    router.add_api_route(
        f"{path}/{{code}}",
        change,
        methods=["PATCH"],
        name=openapi.operation_id(f"amend {noun}"),
        tags=[TAG.name],
        response_model=listing.item,
        summary=f"Amend {one}",
        description=f"{amend.about} Only the Fund's management unit may.",
        **openapi.write(changes=True),
    )
    add_listing(router, listing, tag=TAG, noun=noun, plural=plural, about=about, example=example, packaged=False)


_add_list(
    CALLS,
    noun="call for proposals",
    plural="calls for proposals",
    about="A call for proposals (round): from when to when organizations may propose programmes, and its documents.",
    example="CALL-2026",
    add=StepWithBody(commands.add_call, "Add a call for proposals.", schemas.CallForProposalsSent, examples.CALL),
    amend=StepWithBody(
        commands.amend_call,
        "Change the members that are sent; the others stay as they are.",
        schemas.CallForProposalsAmendment,
        examples.CALL_AMENDMENT,
    ),
)
_add_list(
    MEETINGS,
    noun="meeting",
    plural="meetings",
    about="A meeting of the Steering Committee: its day, its kind, and its documents.",
    example="SC-2026-03",
    add=StepWithBody(
        commands.add_meeting, "Add a meeting of the Steering Committee.", schemas.MeetingSent, examples.MEETING
    ),
    amend=StepWithBody(
        commands.amend_meeting,
        "Change the members that are sent; the others stay as they are.",
        schemas.MeetingAmendment,
        examples.MEETING_AMENDMENT,
    ),
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


_add_list(
    DECISIONS,
    noun="decision",
    plural="decisions",
    about="A numbered decision of the Steering Committee: what it decided about which programmes, and which changes of"
    " programmes name it.",
    example="SC-2026-03-04",
    add=StepWithBody(
        commands.add_decision,
        "Add a decision of the Steering Committee. It changes no programme by itself: the change of a status, of a"
        " budget or of the last day is entered at the programme, and names it.",
        schemas.DecisionSent,
        examples.DECISION,
    ),
    amend=StepWithBody(
        commands.amend_decision,
        "Change the members that are sent; the others stay as they are, and so do the changes of programmes that name"
        " the decision.",
        schemas.DecisionAmendment,
        examples.DECISION_AMENDMENT,
    ),
)
