"""Rules of actions: what they plan, their public and restricted parts, and how they end."""

from __future__ import annotations

from datetime import date, datetime
from typing import NamedTuple

from mmptf_common.wire.base import Code
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import ErrorDetail, error_detail
from mmptf_markers.actions.schemas import ActionEndSent, ActionKind, AssessmentAction, OpenAction, RestrictedAction
from mmptf_markers.evidence.rules import by_visibility
from mmptf_markers.evidence.schemas import Evidence, Risk

# The members of an end that its outcome needs; the others are left out.
_NEEDED = {"done": ("done", "evidence"), "replaced": ("reason", "replacement"), "dropped": ("reason",)}


class Plan(NamedTuple):
    """What distinguishes one planned action of a programme from another."""

    kind: ActionKind
    criterion: Code | None
    action: str
    owner: str
    due: date | None


class Stored(NamedTuple):
    """An action, and what of it is restricted."""

    action: AssessmentAction
    restricted: RestrictedAction


def code_of(number: int) -> str:
    """The code of the action with this number."""
    return f"ACT-{number:06}"


def plan_of(action: OpenAction) -> Plan:
    """What an open action plans."""
    return Plan(action.kind, action.criterion, action.action, action.owner, action.due)


def open_action(action: AssessmentAction, restricted: RestrictedAction) -> OpenAction:
    """An action as its participating organizations see it in a draft."""
    measure = restricted.measure
    return OpenAction(
        code=action.code,
        kind=action.kind,
        assessment=action.assessment,
        criterion=action.criterion,
        action=measure.measure if measure else action.action or "",
        owner=measure.owner if measure else action.owner or "",
        due=action.due,
    )


def end(stored: Stored, sent: ActionEndSent, number: int, at: datetime) -> list[Stored]:
    """An open action as it is after its end, and the action in its place, if there is one, under this number."""
    action, measure = stored.action, stored.restricted.measure
    public, restricted = by_visibility(
        [Evidence.model_validate(piece, from_attributes=True) for piece in sent.evidence]
    )
    successor = code_of(number) if sent.replacement else None
    ended = action.model_copy(
        update={
            "state": sent.outcome,
            "ended": date.fromisoformat(sent.done) if sent.done else at.date(),
            "reason": None if measure else sent.reason,
            "replaced_by": successor,
            "evidence": public,
            "evidence_restricted": len(restricted),
            "updated": at,
        }
    )
    found = [Stored(ended, restricted_part(ended, measure, sent.reason if measure else None, restricted))]
    if successor and (planned := sent.replacement):
        due = date.fromisoformat(planned.due)
        following = action.model_copy(
            update={
                "code": successor,
                "action": None if measure else planned.action,
                "owner": None if measure else planned.owner,
                "due": due,
                "replaces": action.code,
                "updated": at,
            }
        )
        taken = {"code": successor, "measure": planned.action, "owner": planned.owner, "due": due}
        found.append(
            Stored(
                following, restricted_part(following, measure.model_copy(update=taken) if measure else None, None, [])
            )
        )
    return found


def end_errors(sent: ActionEndSent, today: date) -> list[ErrorDetail]:
    """The errors of an end that lacks what its outcome needs, or states what is of another one."""
    given = {
        "done": sent.done is not None,
        "evidence": bool(sent.evidence),
        "reason": sent.reason is not None,
        "replacement": sent.replacement is not None,
    }
    needed = _NEEDED[sent.outcome]
    errors = [
        error_detail(
            ProblemCode.MISSING_MEMBER, f"/{name}: an action that is {sent.outcome} has it", pointer=f"/{name}"
        )
        if name in needed
        else error_detail(
            ProblemCode.NOT_APPLICABLE, f"/{name}: an action that is {sent.outcome} has none", pointer=f"/{name}"
        )
        for name, is_given in given.items()
        if (name in needed) != is_given
    ]
    if sent.done and date.fromisoformat(sent.done) > today:
        errors.append(error_detail(ProblemCode.IN_THE_FUTURE, f"/done: {sent.done} is not past", pointer="/done"))
    return errors


def restricted_part(
    action: AssessmentAction, measure: Risk | None, reason: str | None, evidence: list[Evidence]
) -> RestrictedAction:
    """What of an action is restricted.

    measure, reason: of a restricted measure; evidence: the restricted pieces
    """
    return RestrictedAction(
        code=action.code,
        programme=action.programme,
        measure=measure,
        reason=reason,
        evidence=evidence,
        updated=action.updated,
    )
