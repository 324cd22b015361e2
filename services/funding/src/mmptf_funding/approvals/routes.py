"""The routes of transfers above a limit: the limit, the proposals, and what another person decides on them."""

from __future__ import annotations

from typing import Annotated

from starlette.responses import Response

from mmptf_common.http import openapi
from mmptf_common.http.headers import ChangeRequest, WriteRequest
from mmptf_common.routers.lists import add_listing
from mmptf_common.writes.commands import WriteParameters, answer_write
from mmptf_funding.access import AGENT_AND_UNIT, FundingWriter
from mmptf_funding.approvals import commands, schemas
from mmptf_funding.approvals.queries import LIMITS, PROPOSALS
from mmptf_funding.ledger.schemas import LedgerEntry

router = openapi.Router()
TAG = openapi.Tag(
    "Approvals",
    "Transfers above a limit: one person of the administrative agent proposes them, and another one approves.",
)
NOUN = "transfer proposal"
ProposalCode = Annotated[str, openapi.code_of(NOUN, PROPOSALS.path, "TP-000001", packaged=False)]
OwnCode = Annotated[str, openapi.code_of(NOUN, PROPOSALS.path, "TP-000002", packaged=False)]


@router.post(
    "/transfer-limits",
    tags=[TAG.name],
    response_model=schemas.TransferLimit,
    summary="State the limit of transfers",
    **openapi.write(created=True),
)
async def create_transfer_limit(
    request: WriteRequest,
    sent: Annotated[schemas.TransferLimitSent, openapi.example(schemas.LIMIT)],
    who: FundingWriter,
    query: WriteParameters,
) -> Response:
    """State above which amount a transfer needs a second person, from today or a later day on. It holds for what is
    entered from then on, of whatever day. For the Fund's management unit.
    """
    commands.require_unit(who)
    return await answer_write(
        request, who, query, lambda write: commands.state_limit(write, who, sent), reason=sent.reason
    )


add_listing(
    router,
    LIMITS,
    tag=TAG,
    noun="transfer limit",
    plural="transfer limits",
    about="Above which amount a transfer needs a second person, and since when.",
    example="TL-000001",
    packaged=False,
    readers=AGENT_AND_UNIT,
)


@router.post(
    "/transfer-proposals",
    tags=[TAG.name],
    response_model=schemas.TransferProposal,
    summary="Propose a transfer",
    **openapi.write(created=True),
)
async def create_transfer_proposal(
    request: WriteRequest,
    sent: Annotated[schemas.TransferProposalSent, openapi.example(schemas.PROPOSAL)],
    who: FundingWriter,
    query: WriteParameters,
) -> Response:
    """Propose a transfer of any amount, which another person of the administrative agent approves. It is checked as an
    entry, now and again when it is approved; until then it counts nowhere, and no money is set aside for it. For the
    administrative agent.
    """
    commands.require_agent(who)
    settings = request.app.state.settings
    return await answer_write(
        request, who, query, lambda write: commands.propose(write, who, sent, settings), reason=sent.note or "proposed"
    )


@router.post(
    "/transfer-proposals/{code}/approval",
    tags=[TAG.name],
    response_model=LedgerEntry,
    summary="Approve a proposed transfer",
    **openapi.write(changes=True, created=True),
)
async def approve_transfer_proposal(
    request: ChangeRequest, code: ProposalCode, who: FundingWriter, query: WriteParameters
) -> Response:
    """Enter a proposed transfer into the ledger. For another person of the administrative agent than the one who has
    proposed it: another `sub` of the access token, whatever the client is.
    """
    commands.require_agent(who)
    settings = request.app.state.settings
    return await answer_write(
        request,
        who,
        query,
        lambda write: commands.approve(write, who, code, settings),
        reason=f"approved as proposed in {code}",
        changes=(PROPOSALS, code),
    )


@router.post(
    "/transfer-proposals/{code}/rejection",
    tags=[TAG.name],
    response_model=schemas.TransferProposal,
    summary="Reject a proposed transfer",
    **openapi.write(changes=True),
)
async def reject_transfer_proposal(
    request: ChangeRequest,
    code: ProposalCode,
    sent: Annotated[schemas.ProposalEndSent, openapi.example(schemas.REJECTION)],
    who: FundingWriter,
    query: WriteParameters,
) -> Response:
    """Reject a proposed transfer, and say why. For another person of the administrative agent than the one who has
    proposed it.
    """
    commands.require_agent(who)
    return await answer_write(
        request,
        who,
        query,
        lambda write: commands.reject(write, who, code, sent.reason),
        reason=sent.reason,
        changes=(PROPOSALS, code),
    )


@router.post(
    "/transfer-proposals/{code}/withdrawal",
    tags=[TAG.name],
    response_model=schemas.TransferProposal,
    summary="Withdraw a proposed transfer",
    **openapi.write(changes=True),
)
async def withdraw_transfer_proposal(
    request: ChangeRequest,
    code: OwnCode,
    sent: Annotated[schemas.ProposalEndSent, openapi.example(schemas.WITHDRAWAL)],
    who: FundingWriter,
    query: WriteParameters,
) -> Response:
    """Take back a transfer that is not decided on. For the person who has proposed it, or an administrator."""
    commands.require_agent(who)
    return await answer_write(
        request,
        who,
        query,
        lambda write: commands.withdraw(write, who, code, sent.reason),
        reason=sent.reason,
        changes=(PROPOSALS, code),
    )


add_listing(
    router,
    PROPOSALS,
    tag=TAG,
    noun=NOUN,
    plural="transfer proposals",
    about="A transfer that one person has proposed, who that was, and who has decided on it.",
    example="TP-000001",
    packaged=False,
    readers=AGENT_AND_UNIT,
)
