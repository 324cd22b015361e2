"""The result of scoring: the grade, a reason for each part of it, and the changes that lead to each better one."""

from typing import Annotated, Literal

from pydantic import StrictInt, StrictStr
from typing_extensions import TypeAliasType

from mmptf_common.wire.base import WHOLE, Code, ResponseModel
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.shares import Share
from mmptf_markers.engine.rubric import AssessmentStage, ExactNumber, RubricStatus

Answer = TypeAliasType("Answer", Annotated[StrictInt | StrictStr, WHOLE])
"""Answer to a criterion: the value of a level of the rubric's scale, as an integer or a text, or `not_applicable`."""

AnswerErrorCode = Literal[
    ProblemCode.UNKNOWN_CRITERION,
    ProblemCode.WRONG_STAGE,
    ProblemCode.UNKNOWN_LEVEL,
    ProblemCode.UNKNOWN_CODE,
    ProblemCode.NOT_APPLICABLE_REFUSED,
    ProblemCode.NOTHING_APPLICABLE,
    ProblemCode.STAGE_NOT_COVERED,
]


class AnswerError(ResponseModel):
    """One thing wrong with the answers; `criterion` is null where the error is in the answers as a whole.

    `allowed` lists what is possible there: answers, criterion codes, checks, or stages.
    """

    criterion: str | None
    """Code of the criterion; null where the error is in the answers as a whole."""
    code: AnswerErrorCode
    """Stable code of the kind of error."""
    reason: str
    """What is wrong, for people."""
    allowed: list[int | str]
    """What is possible there: answers, criteria, checks, or stages."""
    in_checks: bool
    """Whether the error is in the checks of the criterion, and not in its answer."""


class RubricUsed(ResponseModel):
    """The version of a rubric behind a score; its hash shows that the content is the same as then."""

    code: Code
    """Code of the rubric without version, such as `hr-marker-illustrative`."""
    version: Code
    """Version whose criteria and rule were applied."""
    hash: str
    """SHA-256 of the rubric's content, in hexadecimal digits; the same hash is the same rubric."""
    status: RubricStatus
    """Whether this version is official or illustrative."""
    marker: Code
    """Code of the marker, such as `human_rights`."""


class ProvisionalScore(ResponseModel):
    """How far an incomplete set of answers has come."""

    answered: int
    """Number of criteria with an answer."""
    criteria: int
    """Number of criteria that are asked at the stage."""
    share_of_answered: Share | None
    """Points had, as a share of those to be had from the answered criteria; null where none carries points."""


class CriterionScore(ResponseModel):
    """What the answer to one criterion contributes to the grade."""

    criterion: Code
    """Code of the criterion in the rubric, such as `due-diligence`."""
    principle: Code
    """Code of the principle that the criterion serves, such as `analysis`."""
    answer: Answer | None
    """Value of the answer on the scale, or `not_applicable`; null where there is none."""
    label: str | None
    """Words of that answer, such as Partly built in; null where there is none."""
    counted: Answer | None
    """Value of the level that counts in place of the answer; null where the answer itself counts. It is the highest
    level all of whose checks are ticked, with those of the levels below it.
    """
    not_ticked: list[Code]
    """Codes of the checks that are not ticked, of the level of the answer and of those below it."""
    weight: ExactNumber
    """Weight of the criterion, as an integer or decimal text."""
    points: str | None
    """Points had, as exact decimal text; null where there are none to be had, or no answer."""
    of: str | None
    """Most points that the criterion can give, as exact decimal text; null where it is left out, or the assessor sets
    the grade.
    """
    explanation: str
    """How the points come about, for people."""


class AppliedGate(ResponseModel):
    """A gate or core floor of the rubric whose condition fails: the answer is too low for a better grade than `cap`."""

    criterion: Code
    """Code of the criterion in the rubric, such as `due-diligence`."""
    answer: Answer
    """Value of the answer that is too low."""
    label: str
    """Words of the answer that is too low."""
    below: Answer
    """The answer has to have at least this value."""
    cap: Code
    """Code of the best grade that is left."""
    capped: Code | None
    """Code of the better grade that the points alone would give; null where that is no better than `cap`, or is not
    known yet.
    """
    reason: str
    """Why the rubric has the gate or the floor, for people."""


class AnswerToRaise(ResponseModel):
    """One answer that has to be higher for a better grade."""

    criterion: Code
    """Code of the criterion in the rubric, such as `due-diligence`."""
    answer: Answer
    """Value of the present answer."""
    label: str
    """Words of the present answer."""
    to: Answer
    """Value that the answer would have to have."""
    to_label: str
    """Words of the answer that is needed."""
    steps: int
    """Number of levels on the scale between the present answer and the one that is needed."""
    text: str
    """When the answer that is needed is the right one: the rubric's text for this criterion at the stage, otherwise the
    one of the scale.
    """
    checks: list[Code]
    """Codes of the checks that have to be ticked besides."""


class NextStep(ResponseModel):
    """The answer to one criterion that is one level above the present one."""

    criterion: Code
    """Code of the criterion in the rubric, such as `due-diligence`."""
    question: str
    """The question as it is put to the assessor."""
    core: bool
    """Whether the core floors of the rubric hold for its answer."""
    answer: Answer
    """Value of the present answer."""
    label: str
    """Words of the present answer."""
    to: Answer
    """Value of the answer one level higher."""
    to_label: str
    """Words of the answer one level higher."""
    text: str
    """When that answer is the right one: the rubric's text for this criterion at the stage, otherwise the one of the
    scale.
    """
    guidance: str
    """What to look at before answering."""
    checks: list[Code]
    """Codes of the checks that have to be ticked besides."""


class BetterGrade(ResponseModel):
    """A better grade, and the smallest change that leads to it: of the fewest criteria, then by the fewest levels."""

    grade: Code
    """Code of the better grade."""
    steps: int
    """Number of levels on the scale that all changes rise together."""
    changes: list[AnswerToRaise]
    """The answers that have to be higher."""


class Score(ResponseModel):
    """The grade that answers give under a rubric, with the reasons, and what would lead to a better one."""

    rubric: RubricUsed
    """The rubric that was applied."""
    stage: AssessmentStage
    """Stage of the programme's life at which the criteria are asked."""
    complete: bool
    """Whether every criterion of the stage is answered."""
    grade: Code | None
    """Code of the grade; null while an answer is missing, and where the assessor sets it."""
    grade_before_gates: Code | None
    """Code of the grade that the points alone would give, before gates; null where there is no grade."""
    reason: str
    """How the grade comes about, for people."""
    share: Share | None
    """Points had, as a share of those to be had; null while an answer is missing, and where the assessor sets the
    grade.
    """
    provisional: ProvisionalScore | None
    """How far an incomplete set of answers has come; null where it is complete."""
    missing: list[Code]
    """Codes of the criteria of the stage without an answer."""
    criteria: list[CriterionScore]
    """What the answer to each criterion of the stage contributes."""
    gates: list[AppliedGate]
    """The gates whose condition fails."""
    floors: list[AppliedGate]
    """The core floors whose condition fails, one of each core criterion and floor."""
    next_grade: BetterGrade | None
    """The better grade that needs the smallest change; null where there is none within reach, or no grade yet."""
    better: list[BetterGrade]
    """Each better grade within reach, beginning with `next_grade`; one that needs no smaller change than a better one
    has no entry.
    """
    next_steps: list[NextStep]
    """Each answer that can be higher, by one level: those to core criteria first, then the lowest; in this order the
    work on the programme may go on, whatever leads to a better grade with the fewest changes.
    """
