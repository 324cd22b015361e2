"""Commands on actions: ending one, and what starts and ends is stored."""

from __future__ import annotations

from collections.abc import Sequence

from mmptf_common.http.identity import Identity
from mmptf_common.storage.journal import Write
from mmptf_common.storage.records import put
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import Conflict, Forbidden, raise_if_any
from mmptf_common.wire.stored_records import whole_record
from mmptf_common.writes.commands import row_of
from mmptf_markers.access import ASSESS, MANAGEMENT_UNIT
from mmptf_markers.actions import rules
from mmptf_markers.actions.queries import ACTIONS, fetch_next_number
from mmptf_markers.actions.schemas import ActionEndSent, AssessmentAction, RestrictedAction
from mmptf_markers.assessors.commands import fetch_participation
from mmptf_markers.evidence.restricted import restricted_row
from mmptf_markers.evidence.rules import unnamed_evidence
from mmptf_markers.models import ActionRow, ProgrammeRow, RestrictedRow
from mmptf_markers.replication import KnownProgramme


async def end_action(write: Write, who: Identity, code: str, sent: ActionEndSent) -> None:
    """End an open action; raises Forbidden for an organization that takes no part in its programme."""
    row = await row_of(write, ActionRow, ACTIONS, code)
    action = whole_record(AssessmentAction, row.record)
    await _require_participant(write, who, action)
    if action.state != "open":
        raise Conflict(f"{code} is {action.state} since {action.ended}.", code=ProblemCode.ACTION_ENDED)
    raise_if_any([*rules.end_errors(sent, write.at.date()), *unnamed_evidence(sent.evidence, "/evidence")])
    hidden = await write.session.get_one(RestrictedRow, code)
    stored = rules.Stored(action, whole_record(RestrictedAction, hidden.record))
    await put_actions(write, rules.end(stored, sent, await fetch_next_number(write), write.at))


async def put_actions(write: Write, stored: Sequence[rules.Stored]) -> None:
    """Store actions, and what of them is restricted."""
    await put(write, [_row(each.action) for each in stored])
    await put(write, [restricted_row(each.restricted, each.action.organization) for each in stored])


async def _require_participant(write: Write, who: Identity, action: AssessmentAction) -> None:
    """Raise Forbidden where a caller's organization neither takes part in an action's programme nor planned it."""
    row = await write.session.get(ProgrammeRow, action.programme)
    programme = KnownProgramme.model_validate(row.record) if row else None
    takes_part = (await fetch_participation(write, programme)).organizations if programme else ()
    participants = {action.organization, *takes_part}
    may_assess = who.may(ASSESS) and who.organization in participants
    if not (may_assess or who.has_role(MANAGEMENT_UNIT)):
        raise Forbidden(f"{action.code} is ended by {', '.join(sorted(participants))}, or the Fund's management unit.")


def _row(action: AssessmentAction) -> ActionRow:
    return ActionRow(
        code=action.code,
        programme=action.programme,
        marker=action.marker,
        assessment=action.assessment,
        criterion=action.criterion,
        kind=action.kind,
        organization=action.organization,
        state=action.state,
        due=action.due,
        updated=action.updated,
        record=action.model_dump(mode="json"),
    )
