"""The marker service's wire shapes: published rubrics and how they are asked for, answers and their score."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr

from mmptf_common.query import ListQuery, Values
from mmptf_common.schemas import Code, Page, Wire
from mmptf_markers.rubric import Rubric, Stage

RubricStatus = Literal["illustrative", "official", "superseded"]
Answer = StrictInt | StrictStr
FaultCode = Literal[
    "unknown_criterion",
    "wrong_stage",
    "unknown_level",
    "not_applicable_refused",
    "nothing_applicable",
    "stage_not_covered",
]


class PublishedRubric(Wire):
    """One published version of a rubric: `content` never changes, `hash` proves it, `status` is its standing now."""

    code: Code
    rubric: Code
    version: Code
    title: str
    marker: Code
    status: RubricStatus
    hash: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    answers_schema: str
    content: Rubric
    updated: datetime


class PublishedRubricPage(Page[PublishedRubric]):
    """One page of published rubrics."""


class RubricQuery(ListQuery):
    """Which rubrics."""

    sort: Annotated[Literal["code", "-code", "updated", "-updated"], Field(description="The order.")] = "code"
    rubric: Annotated[Values, Field(description="Code of a rubric, all its versions.")]
    status: Annotated[list[RubricStatus], Field(default_factory=list, max_length=100)]


class AnswersSchemaQuery(BaseModel):
    """For which stage the answers are described."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stage: Annotated[
        Stage | None, Field(description="One stage; without it, the criteria of all.", examples=["programme_document"])
    ] = None


class ScoreRequest(Wire):
    """Answers to score, by criterion, under a rubric (a version of null is the newest) at a stage."""

    rubric: Code
    version: Code | None
    stage: Stage
    answers: dict[str, Answer]


class AnswerFault(Wire):
    """One thing wrong with the answers; `criterion` is null where the fault is in the answers as a whole.

    `allowed` lists what is possible there: answers, criterion codes, or stages.
    """

    criterion: str | None
    code: FaultCode
    reason: str
    allowed: list[int | str]


class RubricUsed(Wire):
    """The rubric behind a score, pinned by its content hash."""

    code: Code
    version: Code
    hash: str
    status: RubricStatus
    marker: Code


class Share(Wire):
    """An exact share in lowest terms, and in per cent: a decimal string of two places, rounded down."""

    numerator: Annotated[int, Field(ge=0)]
    denominator: Annotated[int, Field(ge=1)]
    percentage: str


class Provisional(Wire):
    """How far an incomplete set of answers has come; the share counts the answered criteria only."""

    answered: int
    criteria: int
    share_of_answered: Share | None


class CriterionScore(Wire):
    """What one answer contributes: exact decimal strings, null where the criterion carries no points."""

    criterion: Code
    principle: Code
    answer: int | str | None
    label: str | None
    weight: int | str
    points: str | None
    of: str | None
    explanation: str


class AppliedGate(Wire):
    """A gate which the answers fall under; `capped` is the grade it took away, null where it took none."""

    criterion: Code
    answer: int | str
    label: str
    below: int | str
    cap: Code
    capped: Code | None
    reason: str


class Change(Wire):
    """One answer to raise, and by how many levels."""

    criterion: Code
    answer: int | str
    label: str
    to: int | str
    to_label: str
    steps: int


class NextGrade(Wire):
    """The better grade nearest by, and the fewest changes which lead to exactly that grade."""

    grade: Code
    steps: int
    changes: list[Change]


class Score(Wire):
    """The grade and its reasons.

    `next_grade` is null at the best grade, without a grade, and under a count where too few criteria apply
    for a better one.
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
