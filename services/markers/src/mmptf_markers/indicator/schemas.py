"""The wire shapes of the portfolio: current grades of programmes, the indicator, criteria, actions."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from mmptf_common.wire.base import Code, ResponseModel
from mmptf_common.wire.money import Money
from mmptf_common.wire.pages import Page
from mmptf_common.wire.shares import Share
from mmptf_common.wire.sources import SourceRef
from mmptf_markers.assessments.schemas import StoredShare
from mmptf_markers.engine.results import Answer
from mmptf_markers.engine.rubric import Stage

TargetStatus = Literal["met", "not_met", "undetermined", "not_applicable"]


class PrintedProgrammes(ResponseModel):
    """How many programmes there are at the stage of a target, as a document of `year` prints it."""

    programmes: int
    year: int
    sources: list[SourceRef]


class TargetClaim(ResponseModel):
    """What a document says about a target: reached or not, as of `year`. It is not computed from grades held here."""

    code: Code
    year: int
    standing: Literal["met", "not_met"]
    note: str | None
    sources: list[SourceRef]


class MarkerTarget(ResponseModel):
    """What a marker is to reach: at least `minimum` of the programmes at a stage of the catalogue have these grades.

    `printed` is the number of such programmes in a document, null where none prints it; `claims` are what documents say
    about reaching the target, beside what is computed here.
    """

    code: Code
    marker: Code
    name: str
    grades: list[Code]
    minimum: StoredShare
    stage: Code
    printed: PrintedProgrammes | None
    claims: list[TargetClaim]
    sources: list[SourceRef]
    updated: datetime


class MarkerTargetPage(Page[MarkerTarget]):
    """One page of targets."""


class NamedCode(ResponseModel):
    """A code and what it stands for."""

    code: Code
    name: str


class CurrentGrade(ResponseModel):
    """What counts for one programme under one marker: its newest accepted assessment, nothing while there is none.

    `under_review` says that another one is submitted and not reviewed; `answered` is false for a grade that was only
    declared. Title, stage, area and budget are those of the copy of the catalogue. `allocated` is what the ledger has
    allocated to the programme, net of what was reversed, null where it has no entry: another stage of the same money
    than the budget, never to be added to it.
    """

    code: str
    programme: Code
    title: str | None
    marker: Code
    stage: str
    thematic_area: NamedCode | None
    grade: Code | None
    basis: Literal["declared", "derived", "reviewed"] | None
    answered: bool | None
    assessment: Code | None
    assessed_stage: Stage | None
    assessed_year: int | None
    rubric: Code | None
    rubric_status: Literal["illustrative", "official", "superseded"] | None
    under_review: bool
    budget: Money | None
    budget_stage: str | None
    allocated: Money | None
    updated: datetime


class CurrentGradePage(Page[CurrentGrade]):
    """One page of current grades."""


class MarkerFacts(ResponseModel):
    """What counts for a programme under each marker, and how many of the actions that were asked for are not done."""

    standings: list[CurrentGrade]
    open_actions: int


class Budgets(ResponseModel):
    """The budgets of some programmes at one stage of money; budgets of different stages are never added together."""

    stage: str
    sum: Money
    programmes: int


class GradeShare(ResponseModel):
    """The programmes with one grade, null for those without, and their money at each of its stages.

    `budgets` are the catalogue's: what is required, or what was granted. `allocated` is what the ledger has allocated,
    net of what was reversed, null where it names none of the programmes. `without_budget` and `without_allocation`
    count the programmes that such a sum says nothing of. Contributions are made to the Fund, not to programmes, so
    none belongs to a grade. `link` lists just these programmes, each with its amounts; null where no question does.
    """

    grade: Code | None
    programmes: int
    budgets: list[Budgets]
    without_budget: int
    allocated: Money | None
    without_allocation: int
    link: str | None


class RubricShare(ResponseModel):
    """How many of the grades come from one version of a rubric; null for grades that were only declared."""

    rubric: Code | None
    status: Literal["illustrative", "official", "superseded"] | None
    programmes: int


class Indicator(ResponseModel):
    """How many programmes have a grade that counts for the target, and whether that is enough.

    `standing` is `met` or `not_met` only where the unassessed programmes cannot change it, else `undetermined`; with no
    programmes it is `not_applicable` and `share` null. `short_by`: how many more programmes have to count. `mixed`
    warns that the grades come from several versions of rubrics, or from none.
    """

    programmes: int
    assessed: int
    unassessed: int
    under_review: int
    counted: int
    share: Share | None
    standing: TargetStatus
    short_by: int
    grades: list[GradeShare]
    rubrics: list[RubricShare]
    mixed: bool


class IndicatorGroup(ResponseModel):
    """The indicator of one part of the programmes; code null: those that state none."""

    code: str | None
    indicator: Indicator


class HeldProgrammes(ResponseModel):
    """How many of the programmes at the target's stage are held here, of how many that a document prints.

    `held` counts them all, whatever was asked for; `share` is held / printed. Both others are null where no document
    prints a number. An indicator says nothing of a programme that is not held.
    """

    held: int
    printed: int | None
    share: Share | None


class IndicatorAnswer(ResponseModel):
    """The indicator of the programmes that were asked for, and of its parts.

    `overlapping`: whether a programme can be in several groups, which then add up to more than the whole.
    """

    target: MarkerTarget
    coverage: HeldProgrammes
    whole: Indicator
    by: str | None
    overlapping: bool
    groups: list[IndicatorGroup]
    revision: int


class Period(ResponseModel):
    """The indicator as it was known at the end of a period; the last period has not ended."""

    period_end: date
    at: datetime
    indicator: Indicator


class OverTime(ResponseModel):
    """The indicator period by period, from the first write of this service on."""

    target: MarkerTarget
    periods: list[Period]
    revision: int


class LevelCount(ResponseModel):
    """How many programmes gave one answer."""

    answer: Answer
    label: str
    programmes: int


class CriterionSummary(ResponseModel):
    """How a criterion is answered across programmes; `share` of the highest level, exact, null where nobody answers."""

    rubric: Code
    criterion: Code
    principle: Code
    question: str
    answered: int
    not_applicable: int
    share: Share | None
    levels: list[LevelCount]


class CriteriaAnswer(ResponseModel):
    """The criteria of the rubrics behind the grades that count, the weakest first."""

    criteria: list[CriterionSummary]
    revision: int


class ActionRecord(ResponseModel):
    """An action that an accepted assessment asks for; `owner` is a role or a unit, `done` the day on which it was."""

    code: str
    assessment: Code
    programme: Code
    marker: Code
    criterion: Code
    action: str
    owner: str
    due: date
    done: date | None
    updated: datetime


class ActionPage(Page[ActionRecord]):
    """One page of actions."""
