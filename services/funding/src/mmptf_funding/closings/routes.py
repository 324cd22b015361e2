"""The routes of financial closing: whether a programme is settled, and the certificates of final figures."""

from __future__ import annotations

from typing import Annotated

from starlette.responses import Response

from mmptf_common.http import conditional, openapi
from mmptf_common.http.headers import ChangeRequest, PublicReadRequest, WriteRequest
from mmptf_common.http.identity import Identity
from mmptf_common.http.parameters import PointInTimeQuery, canonical
from mmptf_common.http.snapshot import snapshot
from mmptf_common.lists.codes import find_with, in_other_case_or_meant
from mmptf_common.lists.pages import redirect, renamed
from mmptf_common.routers.lists import add_listing
from mmptf_common.storage.engines import ReadKind
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import Forbidden, NotFound, error_detail
from mmptf_common.writes.commands import WriteParameters, answer_write
from mmptf_funding.access import FundingWriter
from mmptf_funding.closings import commands, schemas
from mmptf_funding.closings.queries import CLOSINGS, KNOWN, fetch_settlement
from mmptf_funding.roles import AGENT

router = openapi.Router()
TAG = openapi.Tag(
    "Financial closing",
    "Whether the money of a programme is settled, and the certified final figures with which its accounts are closed.",
)
NOUN = "financial closing"
SETTLEMENTS = "/funding/v1/settlements"
ClosedCode = Annotated[str, openapi.code_of(NOUN, CLOSINGS.path, "TTO-01", packaged=False)]
ProgrammeCode = Annotated[str, openapi.code_in_path("Code of the programme, such as `ETH-01`.", "ETH-01")]

add_listing(
    router,
    CLOSINGS,
    tag=TAG,
    noun=NOUN,
    about="The certificate of a programme's final figures. Its code is that of the programme.",
    example="TTO-01",
    packaged=False,
)


def _require_agent(who: Identity) -> None:
    if not who.has_role(AGENT):
        raise Forbidden("Final figures are certified by the administrative agent.")


@router.post(
    "/closings",
    tags=[TAG.name],
    response_model=schemas.FinancialClosing,
    summary="Certify the final figures of a programme",
    **openapi.write(created=True),
)
async def create_financial_closing(
    request: WriteRequest,
    sent: Annotated[schemas.FinancialClosingSent, openapi.example(schemas.CLOSING)],
    who: FundingWriter,
    query: WriteParameters,
) -> Response:
    """State the certified final figures of a programme whose activities have ended: they are compared with those of the
    ledger line by line, and everything has to be transferred, spent, returned or promised to be. From then on nothing
    but refunds is entered for the programme, and the catalogue takes its status `financially_closed`. For the
    administrative agent.
    """
    _require_agent(who)
    return await answer_write(
        request, who, query, lambda write: commands.certify(write, who, sent), reason=sent.document
    )


@router.post(
    "/closings/{code}/withdrawal",
    tags=[TAG.name],
    response_model=schemas.FinancialClosing,
    summary="Withdraw a certificate of final figures",
    **openapi.write(changes=True),
)
async def withdraw_financial_closing(
    request: ChangeRequest,
    code: ClosedCode,
    sent: Annotated[schemas.ClosingWithdrawalSent, openapi.example(schemas.WITHDRAWAL)],
    who: FundingWriter,
    query: WriteParameters,
) -> Response:
    """Withdraw a certificate whose figures are wrong, as long as the programme is not financially closed; then entries
    are taken again, and another certificate may follow. For the administrative agent.
    """
    _require_agent(who)
    return await answer_write(
        request,
        who,
        query,
        lambda write: commands.withdraw(write, code, sent),
        reason=sent.reason,
        changes=(CLOSINGS, code),
    )


@router.get(
    "/settlements/{code}",
    tags=[TAG.name],
    response_model=schemas.ProgrammeSettlement,
    summary="Get the settlement of a programme",
    **openapi.read(missing=True),
)
async def get_programme_settlement(
    request: PublicReadRequest, code: ProgrammeCode, query: PointInTimeQuery
) -> Response:
    """Whether the money of a programme is settled, so that its accounts can be closed, or what is missing."""
    async with snapshot(request, ReadKind.PAGE, query) as read, read.repeatable_read() as (data, revision):
        found = await fetch_settlement(data, code, conditional.number_of(revision))
        if found is None:
            if moved := await renamed(data, "programme", code, SETTLEMENTS):
                return moved
            written, meant = await in_other_case_or_meant(find_with(data.connection, KNOWN), code)
            if written is not None:
                return redirect(data, SETTLEMENTS, code, written)
            detail = f"There is no programme {code!r}."
            suggestion = meant and meant.code
            raise NotFound(
                f"{detail} {meant.sentence}" if meant else detail,
                errors=[error_detail(ProblemCode.UNKNOWN_CODE, detail, parameter="code", suggestion=suggestion)],
            )
    tag = conditional.etag(request, revision, canonical(query))
    if conditional.matches(request, tag):
        return conditional.not_modified(tag)
    return Response(found.model_dump_json(), media_type="application/json", headers=conditional.headers(tag))
