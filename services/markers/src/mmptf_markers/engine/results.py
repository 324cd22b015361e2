"""The result of scoring: the grade, a reason for each part of it, and the changes that lead to each better one."""

from typing import Literal

from pydantic import StrictInt, StrictStr

from mmptf_common.wire.base import Code, ResponseModel
from mmptf_common.wire.shares import Share
from mmptf_markers.engine.rubric import RubricStatus, Stage

Answer = StrictInt | StrictStr
AnswerErrorCode = Literal[
    "unknown_criterion",
    "wrong_stage",
    "unknown_level",
    "not_applicable_refused",
    "nothing_applicable",
    "stage_not_covered",
]


class AnswerError(ResponseModel):
    """One thing wrong with the answers; `criterion` is null where the error is in the answers as a whole.

    `allowed` lists what is possible there: answers, criterion codes, or stages.
    """

    criterion: str | None
    code: AnswerErrorCode
    reason: str
    allowed: list[int | str]


class RubricUsed(ResponseModel):
    """The rubric behind a score, pinned by its content hash."""

    code: Code
    version: Code
    hash: str
    status: RubricStatus
    marker: Code


class Provisional(ResponseModel):
    """How far an incomplete set of answers has come; the share counts the answered criteria only."""

    answered: int
    criteria: int
    share_of_answered: Share | None


class CriterionScore(ResponseModel):
    """What one answer contributes: exact decimal strings, null where the criterion carries no points."""

    criterion: Code
    principle: Code
    answer: int | str | None
    label: str | None
    weight: int | str
    points: str | None
    of: str | None
    explanation: str


class AppliedGate(ResponseModel):
    """A gate which the answers fall under; `capped` is the grade it took away, null where it took none."""

    criterion: Code
    answer: int | str
    label: str
    below: int | str
    cap: Code
    capped: Code | None
    reason: str


class Change(ResponseModel):
    """One answer to raise, and by how many levels."""

    criterion: Code
    answer: int | str
    label: str
    to: int | str
    to_label: str
    steps: int


class NextGrade(ResponseModel):
    """A better grade, and the fewest changes which lead to exactly that grade."""

    grade: Code
    steps: int
    changes: list[Change]


class Score(ResponseModel):
    """The grade and its reasons.

    `next_grade` is the better grade nearest by: null at the best grade, without a grade, and under a count where too
    few criteria apply for a better one. `better` begins with it and goes on to the best grade within reach; a grade
    that asks for no fewer changes than a better one has no entry.
    """

    rubric: RubricUsed
    stage: Stage
    complete: bool
    grade: Code | None
    grade_before_gates: Code | None
    reason: str
    share: Share | None
    provisional: Provisional | None
    missing: list[Code]
    criteria: list[CriterionScore]
    gates: list[AppliedGate]
    next_grade: NextGrade | None
    better: list[NextGrade]
