"""The wire shapes of actions: what readers get, and what is sent to end one."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import Field, JsonValue
from typing_extensions import TypeAliasType

from mmptf_common.wire.base import Code, Day, RequestModel, ResponseModel
from mmptf_common.wire.pages import Page
from mmptf_markers.evidence.schemas import Evidence, EvidenceSent, Line, LongText, Risk, Visibility

ActionKind = TypeAliasType(
    "ActionKind",
    Literal["action", "measure"],
)
"""Where an action comes from.

- `action`: it follows from the answer to a criterion
- `measure`: it prevents or lessens a risk to human rights that due diligence has found
"""

ActionState = TypeAliasType(
    "ActionState",
    Literal["open", "done", "replaced", "dropped"],
)
"""How far an action has come.

- `open`: it is to be done
- `done`: it was done, with evidence
- `replaced`: another action is done in its place, such as the same with a later day
- `dropped`: it is not done, for a reason that is stated
"""

ActionOutcome = TypeAliasType(
    "ActionOutcome",
    Literal["done", "replaced", "dropped"],
)
"""How an action ends.

- `done`: it was done, with evidence
- `replaced`: another action is done in its place, such as the same with a later day
- `dropped`: it is not done, for a reason that is stated
"""


class AssessmentAction(ResponseModel):
    """An action that follows from an answer of an assessment, or a measure that follows from its due diligence.

    It goes on by itself: no later assessment ends it.
    """

    code: Code
    """Code of the action, such as `ACT-000001`."""
    kind: ActionKind
    """Whether it follows from an answer or from due diligence."""
    programme: Code
    """Code of the programme, as at `/catalog/v1/programmes`, such as `ETH-01`."""
    marker: Code
    """Code of the marker, such as `human_rights`."""
    assessment: Code
    """Code of the assessment that planned it, or what it replaces, as at `/markers/v1/assessments`."""
    criterion: Code | None
    """Code of the criterion whose answer it follows from; null for a measure."""
    organization: Code
    """Code of the organization that submitted this assessment, as at `/catalog/v1/organizations`, such as `ILO`."""
    visibility: Visibility
    """Who may read what is to be done and by whom; how far it has come is public."""
    action: str | None
    """What is to be done, in words; null where it is restricted."""
    owner: str | None
    """The role or unit that does it; never the name of a person; null where it is restricted."""
    due: date | None
    """Day by which it is to be done; null for a measure without one."""
    state: ActionState
    """Whether it is open, or how it was ended."""
    ended: date | None
    """Day on which it was done, replaced or dropped; null while it is open."""
    reason: str | None
    """Why it was replaced or dropped; null for others, and where it is restricted."""
    replaces: Code | None
    """Code of the action in whose place it is done; null where there is none."""
    replaced_by: Code | None
    """Code of the action that is done in its place; null where there is none."""
    evidence: list[Evidence]
    """Where a reader finds that it was done: what of it is public."""
    evidence_restricted: int
    """Number of further pieces of evidence, which are restricted."""
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""


class AssessmentActionPage(Page[AssessmentAction]):
    """One page of actions."""


class OpenAction(ResponseModel):
    """An action or a measure of an earlier assessment of the programme that is not ended."""

    code: Code
    """Code of the action, as at `/markers/v1/actions`, such as `ACT-000001`."""
    kind: ActionKind
    """Whether it follows from an answer or from due diligence."""
    assessment: Code
    """Code of the assessment that planned it."""
    criterion: Code | None
    """Code of the criterion whose answer it follows from; null for a measure."""
    action: str
    """What is to be done, in words."""
    owner: str
    """The role or unit that does it."""
    due: date | None
    """Day by which it is to be done; null where none is set."""


class RestrictedAction(ResponseModel):
    """The restricted measure of an action, and restricted evidence that it was done, for those who may read them."""

    code: Code
    """Code of the action, such as `ACT-000001`."""
    programme: Code
    """Code of the programme, as at `/catalog/v1/programmes`, such as `ETH-01`."""
    measure: Risk | None
    """The restricted measure with the risk that it is for; null where what is to be done is public."""
    reason: str | None
    """Why a restricted measure was replaced or dropped; null elsewhere."""
    evidence: list[Evidence]
    """The restricted evidence that it was done."""
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""


class ActionReplacement(RequestModel):
    """The action that is done in the place of another one."""

    action: LongText
    """What is to be done, in words."""
    owner: Line
    """The role or unit that does it; not the name of a person."""
    due: Day
    """Day by which it is to be done."""


class ActionEndSent(RequestModel):
    """How an action ends: done, with its day and evidence; replaced, by what and why; or dropped, and why."""

    outcome: ActionOutcome
    """How it ends."""
    done: Day | None = None
    """Day on which it was done, not in the future; needed where it is done, and left out elsewhere."""
    evidence: Annotated[list[EvidenceSent], Field(default_factory=list, max_length=20)]
    """Where a reader finds that it was done; at least one piece where it is done, and none elsewhere."""
    reason: Annotated[LongText, Field(max_length=2000)] | None = None
    """Why it is replaced or dropped; needed there, and left out where it is done."""
    replacement: ActionReplacement | None = None
    """What is done in its place; needed where it is replaced, and left out elsewhere."""


EXAMPLE_END: dict[str, JsonValue] = {
    "outcome": "done",
    "done": "2026-05-31",
    "evidence": [
        {
            "title": "Agreement on referral",
            "kind": "procedure",
            "document": "Agreement with the ombudsperson",
            "locator": "article 3",
            "visibility": "public",
        }
    ],
}
