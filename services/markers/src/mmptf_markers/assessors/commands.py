"""Commands on settlements, and who assesses a programme, within a write."""

from __future__ import annotations

from collections.abc import Sequence

from mmptf_common.lists.codes import codes_in, unknown_in
from mmptf_common.storage.journal import Write
from mmptf_common.storage.records import submission
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import Conflict, InvalidRequest, raise_if_any
from mmptf_common.wire.stored_records import whole_record
from mmptf_common.writes.commands import Created, row_of
from mmptf_markers.assessors import rules
from mmptf_markers.assessors.queries import ASSESSORS
from mmptf_markers.assessors.rules import Participation
from mmptf_markers.assessors.schemas import AssessorSettlement, AssessorSettlementAmendment, AssessorSettlementSent
from mmptf_markers.models import AssessorRow, ProgrammeRow
from mmptf_markers.replication import KnownProgramme


async def settle(write: Write, sent: AssessorSettlementSent) -> Created:
    """Settle who assesses a programme; raises Conflict where the catalogue names organizations, or it is settled."""
    await _require_unnamed(write, sent.programme)
    if await write.session.get(AssessorRow, sent.programme):
        raise Conflict(f"Who assesses {sent.programme} is settled already; amend that.", code=ProblemCode.CODE_TAKEN)
    raise_if_any(rules.settlement_errors(sent.organizations, sent.lead_organization))
    settlement = _settlement(write, sent.programme, sent.organizations, sent.lead_organization, sent.reason)
    write.session.add(_assessor_row(settlement))
    return Created(ASSESSORS, sent.programme)


async def amend_settlement(write: Write, code: str, sent: AssessorSettlementAmendment) -> None:
    """Correct a settlement; raises Conflict where the catalogue names organizations by now."""
    row = await row_of(write, AssessorRow, ASSESSORS, code)
    await _require_unnamed(write, code)
    stored = whole_record(AssessorSettlement, row.record)
    stated = sent.model_fields_set
    organizations = sent.organizations if "organizations" in stated else stored.organizations
    lead = sent.lead_organization if "lead_organization" in stated else stored.lead_organization
    raise_if_any(rules.settlement_errors(organizations, lead))
    amended = _settlement(write, code, organizations, lead, sent.reason)
    if amended != stored.model_copy(update={"updated": write.at, "sources": amended.sources}):
        await write.session.merge(_assessor_row(amended))


async def require_programme(write: Write, code: str) -> KnownProgramme:
    """A programme as the catalogue describes it; raises InvalidRequest for an unknown code."""
    row = await write.session.get(ProgrammeRow, code)
    if row is None:
        listed_at = ASSESSORS.filters["programme"].listed_at
        raise InvalidRequest(
            [await unknown_in(write.connection, "/programme", code, codes_in("programme"), listed_at=listed_at)]
        )
    return KnownProgramme.model_validate(row.record)


async def fetch_participation(write: Write, programme: KnownProgramme) -> Participation:
    """Who assesses a programme, at present."""
    row = await write.session.get(AssessorRow, programme.code)
    settlement = whole_record(AssessorSettlement, row.record) if row else None
    settled = frozenset(settlement.organizations if settlement else ())
    if named := programme.participants():
        return Participation(programme.code, frozenset(named), programme.lead_organization, settled)
    return Participation(programme.code, settled, settlement.lead_organization if settlement else None, settled)


async def _require_unnamed(write: Write, code: str) -> None:
    """Raise Conflict where the catalogue names organizations that take part in a programme."""
    programme = await require_programme(write, code)
    if named := programme.participants():
        raise Conflict(
            f"The catalogue names who takes part in {code}, and so assesses it: {', '.join(sorted(named))}.",
            code=ProblemCode.ASSESSORS_NAMED,
        )


def _settlement(
    write: Write, code: str, organizations: Sequence[str], lead: str | None, reason: str
) -> AssessorSettlement:
    return AssessorSettlement(
        code=code,
        organizations=sorted(organizations),
        lead_organization=lead,
        reason=reason,
        sources=[submission(write, f"{ASSESSORS.path}/{code}", "organizations", reason)],
        updated=write.at,
    )


def _assessor_row(settlement: AssessorSettlement) -> AssessorRow:
    """The row of a settlement."""
    return AssessorRow(
        code=settlement.code,
        organizations=settlement.organizations,
        updated=settlement.updated,
        record=settlement.model_dump(mode="json"),
    )
