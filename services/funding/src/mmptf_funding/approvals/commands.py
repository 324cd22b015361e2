"""Commands on transfers above a limit: state the limit, propose, approve, reject, withdraw."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from mmptf_common.http.identity import Identity
from mmptf_common.storage.journal import Write
from mmptf_common.storage.pseudonyms import TABLE as PSEUDONYMS
from mmptf_common.storage.pseudonyms import pseudonym_of
from mmptf_common.storage.records import put, submission
from mmptf_common.wire.money import money
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import Conflict, Forbidden, InvalidRequest, ProblemError, error_detail
from mmptf_common.wire.stored_records import whole_record
from mmptf_common.writes.commands import Created, row_of
from mmptf_funding.approvals import schemas
from mmptf_funding.approvals.domain import ProposalState
from mmptf_funding.approvals.queries import LIMITS, PROPOSALS
from mmptf_funding.ledger.commands import check, enter
from mmptf_funding.ledger.domain import CURRENCY
from mmptf_funding.ledger.queries import LEDGER
from mmptf_funding.ledger.schemas import LedgerFlagDetail
from mmptf_funding.models import TransferLimitRow, TransferProposalRow
from mmptf_funding.roles import AGENT, MANAGEMENT_UNIT
from mmptf_funding.settings import FundingSettings

# Whether a person was erased, who would have another pseudonym in the next request.
_IS_ERASED = f"""
    SELECT EXISTS (SELECT FROM {PSEUDONYMS} AS named JOIN erasure ON erasure.pseudonym = named.subject
                    WHERE named.pseudonym = $1)"""


def require_unit(who: Identity) -> None:
    """Raise Forbidden for anyone but the management unit: whom the limit binds does not set it."""
    if not who.has_role(MANAGEMENT_UNIT):
        raise Forbidden("The limit above which a second person approves transfers is stated by the management unit.")


def require_agent(who: Identity) -> None:
    """Raise Forbidden for anyone but the administrative agent, who enters transfers."""
    if not who.has_role(AGENT):
        raise Forbidden("Transfers are proposed and approved by the administrative agent.")


async def state_limit(write: Write, who: Identity, sent: schemas.TransferLimitSent) -> Created:
    """State from which amount on a second person approves a transfer; raises InvalidRequest for a past day."""
    today = write.at.date()
    since = date.fromisoformat(sent.since) if sent.since else today
    if since < today:
        detail = f"/since: {since} is past; what was entered until now was entered without it"
        raise InvalidRequest([error_detail(ProblemCode.TOO_EARLY, detail, pointer="/since", allowed=[f"from {today}"])])
    number = await _next_number(write, "transfer_limit")
    code, amount = f"TL-{number:06d}", None if sent.amount is None else Decimal(sent.amount)
    limit = schemas.TransferLimit(
        code=code,
        since=since,
        amount=None if amount is None else money(amount, CURRENCY),
        reason=sent.reason,
        reference=sent.reference,
        recorded_by=who.organization,
        sources=[submission(write, f"{LIMITS.path}/{code}", "amount", sent.reference)],
        updated=write.at,
    )
    record = limit.model_dump(mode="json")
    write.session.add(
        TransferLimitRow(code=code, number=number, since=since, amount=amount, updated=write.at, record=record)
    )
    return Created(LIMITS, code)


async def propose(
    write: Write, who: Identity, sent: schemas.TransferProposalSent, settings: FundingSettings
) -> Created:
    """Propose a transfer; raises what its entry would be refused with now, whatever its amount."""
    number = await _next_number(write, "transfer_proposal")
    code = f"TP-{number:06d}"
    entry = await check(write, sent.entry(who.organization).model_copy(update={"proposal": code}), settings)
    proposal = schemas.TransferProposal(
        code=code,
        state="proposed",
        transfer=schemas.ProposedTransfer.of(entry),
        flag_details=[LedgerFlagDetail.model_validate(detail.model_dump(mode="json")) for detail in entry.flag_details],
        proposed=await _step(write, who, None),
        decided=None,
        entry=None,
        updated=write.at,
    )
    await _store(write, proposal)
    return Created(PROPOSALS, code)


async def approve(write: Write, who: Identity, code: str, settings: FundingSettings) -> Created:
    """Enter a proposed transfer into the ledger, as it is checked now.

    Raises Forbidden for the person who has proposed it, and Conflict where it waits no longer, or that person cannot be
    told from others any more.
    """
    proposal = await _waiting(write, code)
    await _require_another(write, who, proposal)
    if await write.connection.fetchval(_IS_ERASED, proposal.proposed.person):
        raise Conflict(
            f"Who proposed {code} was erased here, so that nobody can be another person; reject it, and have it"
            " proposed anew.",
            code=ProblemCode.PROPOSAL_DECIDED,
        )
    entry = proposal.transfer.entry(proposal.proposed.organization, code)
    (result,) = await enter(write, [entry], settings)
    if isinstance(result, ProblemError):
        raise result
    await _decide(write, who, proposal, "approved", entry=result)
    return Created(LEDGER, result)


async def reject(write: Write, who: Identity, code: str, reason: str) -> None:
    """Reject a proposed transfer, for another person than the one who has proposed it."""
    proposal = await _waiting(write, code)
    await _require_another(write, who, proposal)
    await _decide(write, who, proposal, "rejected", reason)


async def withdraw(write: Write, who: Identity, code: str, reason: str) -> None:
    """Take a proposed transfer back, for the person who has proposed it, or an administrator."""
    proposal = await _waiting(write, code)
    if not who.is_admin and proposal.proposed.person != await pseudonym_of(write, who.subject):
        raise Forbidden(f"{code} is withdrawn by the person who has proposed it; others reject it.")
    await _decide(write, who, proposal, "withdrawn", reason)


async def _next_number(write: Write, table: str) -> int:
    return int(await write.connection.fetchval(f"SELECT coalesce(max(number), 0) + 1 FROM {table}"))


async def _waiting(write: Write, code: str) -> schemas.TransferProposal:
    row = await row_of(write, TransferProposalRow, PROPOSALS, code)
    proposal = whole_record(schemas.TransferProposal, row.record)
    if proposal.state != "proposed":
        raise Conflict(f"{code} is {proposal.state} already.", code=ProblemCode.PROPOSAL_DECIDED)
    return proposal


async def _require_another(write: Write, who: Identity, proposal: schemas.TransferProposal) -> None:
    """Raise Forbidden for the person who has proposed a transfer, through whatever client and organization."""
    if proposal.proposed.person == await pseudonym_of(write, who.subject):
        raise Forbidden(
            f"You have proposed {proposal.code}; another person decides on it, and you may withdraw it.",
            code=ProblemCode.NEEDS_SECOND_PERSON,
        )


async def _step(write: Write, who: Identity, reason: str | None) -> schemas.ProposalStep:
    person = await pseudonym_of(write, who.subject)
    return schemas.ProposalStep(person=person, organization=who.organization, at=write.at, reason=reason)


async def _decide(
    write: Write,
    who: Identity,
    proposal: schemas.TransferProposal,
    state: ProposalState,
    reason: str | None = None,
    entry: str | None = None,
) -> None:
    decided = {"state": state, "decided": await _step(write, who, reason), "entry": entry, "updated": write.at}
    await _store(write, proposal.model_copy(update=decided))


async def _store(write: Write, proposal: schemas.TransferProposal) -> None:
    row = TransferProposalRow(
        code=proposal.code,
        number=int(proposal.code.removeprefix("TP-")),
        state=proposal.state,
        programme=proposal.transfer.programme,
        organization=proposal.transfer.organization,
        updated=proposal.updated,
        record=proposal.model_dump(mode="json"),
    )
    await put(write, [row])
