"""The result of scoring: the grade, a reason for each part of it, and the changes that lead to each better one."""

from typing import Literal

from pydantic import StrictInt, StrictStr
from typing_extensions import TypeAliasType

from mmptf_common.wire.base import Code, ResponseModel
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.shares import Share
from mmptf_markers.engine.rubric import AssessmentStage, ExactNumber, RubricStatus

Answer = TypeAliasType("Answer", StrictInt | StrictStr)
"""Answer to a criterion: the value of a level of the rubric's scale, as an integer or a text, or `not_applicable`."""

AnswerErrorCode = Literal[
    ProblemCode.UNKNOWN_CRITERION,
    ProblemCode.WRONG_STAGE,
    ProblemCode.UNKNOWN_LEVEL,
    ProblemCode.NOT_APPLICABLE_REFUSED,
    ProblemCode.NOTHING_APPLICABLE,
    ProblemCode.STAGE_NOT_COVERED,
]


class AnswerError(ResponseModel):
    """One thing wrong with the answers; `criterion` is null where the error is in the answers as a whole.

    `allowed` lists what is possible there: answers, criterion codes, or stages.
    """

    criterion: str | None
    """Code of the criterion; null where the error is in the answers as a whole."""
    code: AnswerErrorCode
    """Stable code of the kind of error."""
    reason: str
    """What is wrong, for people."""
    allowed: list[int | str]
    """What is possible there: answers, criteria, or stages."""


class RubricUsed(ResponseModel):
    """The rubric behind a score, pinned by its content hash."""

    code: Code
    """Code of the rubric, the same for all its versions."""
    version: Code
    """Version whose criteria and rule were applied."""
    hash: str
    """SHA-256 of the rubric's content, in hexadecimal digits; the same hash is the same rubric."""
    status: RubricStatus
    """Whether the rubric is official or illustrative now, or was superseded."""
    marker: Code
    """Code of the marker, such as `human_rights`."""


class ProvisionalScore(ResponseModel):
    """How far an incomplete set of answers has come; the share counts the answered criteria only."""

    answered: int
    """Number of criteria with an answer."""
    criteria: int
    """Number of criteria that are asked at the stage."""
    share_of_answered: Share | None
    """Points had of those to be had from the answered criteria; null where none carries points."""


class CriterionScore(ResponseModel):
    """What one answer contributes: exact decimal strings, null where the criterion carries no points."""

    criterion: Code
    """Code of the criterion in the rubric."""
    principle: Code
    """Code of the principle that the criterion serves."""
    answer: Answer | None
    """Value of the answer on the scale, or `not_applicable`; null where there is none."""
    label: str | None
    """Words of that answer; null where there is none."""
    weight: ExactNumber
    """Weight of the criterion, as an integer or decimal text."""
    points: str | None
    """Points had, as exact decimal text; null where the criterion carries none."""
    of: str | None
    """Points to be had, as exact decimal text; null where the criterion carries none."""
    explanation: str
    """How the points come about, for people."""


class AppliedGate(ResponseModel):
    """A gate which the answers fall under; `capped` is the grade it took away, null where it took none."""

    criterion: Code
    """Code of the criterion in the rubric."""
    answer: Answer
    """Value of the answer on the scale."""
    label: str
    """Words of that answer."""
    below: Answer
    """The answer below which the gate applies."""
    cap: Code
    """Best grade that the gate leaves."""
    capped: Code | None
    """The grade that it took away; null where it took none."""
    reason: str
    """Why the rubric has the gate, for people."""


class AnswerToRaise(ResponseModel):
    """One answer to raise, and by how many levels."""

    criterion: Code
    """Code of the criterion in the rubric."""
    answer: Answer
    """Value of the present answer."""
    label: str
    """Words of the present answer."""
    to: Answer
    """Value that would be needed."""
    to_label: str
    """Words of that answer."""
    steps: int
    """By how many levels it has to rise."""


class BetterGrade(ResponseModel):
    """A better grade, and the fewest changes which lead to exactly that grade."""

    grade: Code
    """Code of the better grade."""
    steps: int
    """Levels to rise in all."""
    changes: list[AnswerToRaise]
    """The fewest changes that lead to it."""


class Score(ResponseModel):
    """The grade and its reasons.

    `next_grade` is the better grade nearest by: null at the best grade, without a grade, and under a count where too
    few criteria apply for a better one. `better` begins with it and goes on to the best grade within reach; a grade
    that asks for no fewer changes than a better one has no entry.
    """

    rubric: RubricUsed
    """The rubric that was applied."""
    stage: AssessmentStage
    """Stage of the programme's life at which the criteria are asked."""
    complete: bool
    """Whether every criterion of the stage is answered."""
    grade: Code | None
    """The grade; null while an answer is missing, and under a rule that leaves it to the assessor."""
    grade_before_gates: Code | None
    """The grade without the gates; null where there is no grade."""
    reason: str
    """How the grade comes about, for people."""
    share: Share | None
    """Points had of those to be had; null where the rule counts no points, or an answer is missing."""
    provisional: ProvisionalScore | None
    """How far an incomplete set of answers has come; null where it is complete."""
    missing: list[Code]
    """Codes of the criteria without an answer."""
    criteria: list[CriterionScore]
    """What each answer contributes."""
    gates: list[AppliedGate]
    """The gates that the answers fall under."""
    next_grade: BetterGrade | None
    """The better grade with the fewest changes; null where there is none within reach."""
    better: list[BetterGrade]
    """Each better grade within reach, the nearest first."""
