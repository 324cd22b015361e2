"""Rules of actions: those that an assessment starts, their public and restricted parts, and how they end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from itertools import count
from typing import NamedTuple

from mmptf_common.wire.base import Code
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import ErrorDetail, error_detail
from mmptf_markers.actions.schemas import ActionEndSent, AssessmentAction, RestrictedAction
from mmptf_markers.assessments.schemas import (
    ActionKind,
    AssessmentDraft,
    CriterionAnswer,
    Evidence,
    OpenAction,
    PlannedAction,
    Risk,
)
from mmptf_markers.visibility import by_visibility

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


class Planned(NamedTuple):
    """The answers and risks of a draft with the codes of what they plan, and the actions that start with it."""

    answers: Mapping[str, CriterionAnswer]
    risks: Sequence[Risk]
    started: Sequence[Stored]


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


def start(draft: AssessmentDraft, assessment: Code, earlier: Sequence[OpenAction], first: int, at: datetime) -> Planned:
    """The actions that start with the submission of a draft.

    What an open action of the programme plans already is not started twice: it keeps that action's code.
    first: the number of the first new action; assessment: the code that the draft is submitted as
    """
    codes = {plan_of(action): action.code for action in earlier}
    numbers = count(first)
    started: list[Stored] = []

    def code_for(plan: Plan, risk: Risk | None = None) -> str:
        if plan not in codes:
            codes[plan] = code_of(next(numbers))
            started.append(_started(draft, assessment, codes[plan], plan, risk, at))
        return codes[plan]

    answers = {
        criterion: answer.model_copy(
            update={
                "actions": [
                    one.model_copy(update={"code": code_for(_plan_in(criterion, one)), "done": None})
                    for one in answer.actions
                ]
            }
        )
        for criterion, answer in draft.answers.items()
    }
    risks = [
        risk.model_copy(update={"code": code_for(Plan("measure", None, risk.measure, risk.owner, risk.due), risk)})
        for risk in draft.due_diligence
    ]
    return Planned(answers, risks, started)


def _plan_in(criterion: Code, action: PlannedAction) -> Plan:
    return Plan("action", criterion, action.action, action.owner, action.due)


def _started(
    draft: AssessmentDraft, assessment: Code, code: Code, plan: Plan, risk: Risk | None, at: datetime
) -> Stored:
    hidden = risk is not None and risk.visibility == "restricted"
    action = AssessmentAction(
        code=code,
        kind=plan.kind,
        programme=draft.programme,
        marker=draft.rubric.marker,
        assessment=assessment,
        criterion=plan.criterion,
        organization=draft.organization,
        visibility="restricted" if hidden else "public",
        action=None if hidden else plan.action,
        owner=None if hidden else plan.owner,
        due=plan.due,
        state="open",
        ended=None,
        reason=None,
        replaces=None,
        replaced_by=None,
        evidence=[],
        evidence_restricted=0,
        updated=at,
    )
    measure = risk.model_copy(update={"code": code}) if risk and hidden else None
    return Stored(action, _restricted(action, measure, None, []))


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
    found = [Stored(ended, _restricted(ended, measure, sent.reason if measure else None, restricted))]
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
            Stored(following, _restricted(following, measure.model_copy(update=taken) if measure else None, None, []))
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


def _restricted(
    action: AssessmentAction, measure: Risk | None, reason: str | None, evidence: list[Evidence]
) -> RestrictedAction:
    return RestrictedAction(
        code=action.code,
        programme=action.programme,
        measure=measure,
        reason=reason,
        evidence=evidence,
        updated=action.updated,
    )
