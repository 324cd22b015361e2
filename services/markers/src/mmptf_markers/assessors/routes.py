"""The routes of settlements: which organizations assess a programme of which the catalogue names none."""

from __future__ import annotations

from typing import Annotated

from starlette.responses import Response

from mmptf_common.http import openapi
from mmptf_common.http.headers import AmendRequest, WriteRequest
from mmptf_common.routers.lists import add_listing
from mmptf_common.wire.problems import Forbidden
from mmptf_common.writes.commands import WriteParameters, answer_write
from mmptf_markers.access import MANAGEMENT_UNIT, Reviewer
from mmptf_markers.assessors import commands, schemas
from mmptf_markers.assessors.queries import ASSESSORS

router = openapi.Router()
TAG = openapi.Tag(
    "Assessors",
    "Which organizations assess a programme of which the catalogue names none: read, and settle for the Fund.",
    supporting=True,
)
PROGRAMME = "MKD-01"
NOUN = "assessor settlement"
ProgrammeCode = Annotated[str, openapi.code_of(NOUN, ASSESSORS.path, PROGRAMME, packaged=False)]

add_listing(
    router,
    ASSESSORS,
    tag=TAG,
    noun=NOUN,
    about="Which organizations assess a programme of which the catalogue names none, as the Fund's management unit"
    " settled it. Its code is that of the programme.",
    example=PROGRAMME,
    packaged=False,
)


@router.post(
    "/assessors",
    tags=[TAG.name],
    response_model=schemas.AssessorSettlement,
    summary="Settle who assesses a programme",
    **openapi.write(created=True),
)
async def settle_assessors(
    request: WriteRequest,
    sent: Annotated[schemas.AssessorSettlementSent, openapi.example(schemas.EXAMPLE_SETTLEMENT)],
    who: Reviewer,
    query: WriteParameters,
) -> Response:
    """Settle which organizations assess a programme of which the catalogue names none. For the Fund's management unit.

    Where the catalogue names any, they assess it, and the answer is a 409.
    """
    _require_management_unit(who)
    return await answer_write(request, who, query, lambda write: commands.settle(write, sent), reason=sent.reason)


@router.patch(
    "/assessors/{code}",
    tags=[TAG.name],
    response_model=schemas.AssessorSettlement,
    summary="Correct who assesses a programme",
    **openapi.write(changes=True),
)
async def amend_assessor_settlement(
    request: AmendRequest,
    code: ProgrammeCode,
    sent: Annotated[schemas.AssessorSettlementAmendment, openapi.example(schemas.EXAMPLE_SETTLEMENT_AMENDMENT)],
    who: Reviewer,
    query: WriteParameters,
) -> Response:
    """Change the members that are sent; the others stay as they are. For the Fund's management unit.

    An organization that is left out sees drafts of the programme no longer, also those that it began.
    """
    _require_management_unit(who)
    return await answer_write(
        request,
        who,
        query,
        lambda write: commands.amend_settlement(write, code, sent),
        reason=sent.reason,
        changes=(ASSESSORS, code),
    )


def _require_management_unit(who: Reviewer) -> None:
    if not who.has_role(MANAGEMENT_UNIT):
        raise Forbidden("Who assesses a programme is settled by the Fund's management unit.")
