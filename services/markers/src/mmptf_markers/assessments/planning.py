"""What the answers and risks of a draft plan: the actions that start when it is submitted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import count
from typing import NamedTuple

from mmptf_common.wire.base import Code
from mmptf_markers.actions.rules import Plan, Stored, code_of, plan_of, restricted_part
from mmptf_markers.actions.schemas import AssessmentAction, OpenAction
from mmptf_markers.assessments.schemas import AssessmentDraft, CriterionAnswer, PlannedAction
from mmptf_markers.evidence.schemas import Risk


class Planned(NamedTuple):
    """The answers and risks of a draft with the codes of what they plan, and the actions that start with it."""

    answers: Mapping[str, CriterionAnswer]
    risks: Sequence[Risk]
    started: Sequence[Stored]


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
    return Stored(action, restricted_part(action, measure, None, []))
