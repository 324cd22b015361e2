"""The wire shapes of the portfolio: current grades of programmes, the indicator, criteria, actions."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from typing_extensions import TypeAliasType

from mmptf_common.wire.base import Code, ResponseModel
from mmptf_common.wire.codes import LifecycleStage, ProgrammeBudgetStage
from mmptf_common.wire.money import Money
from mmptf_common.wire.pages import Page
from mmptf_common.wire.shares import Share
from mmptf_common.wire.sources import SourceRef
from mmptf_markers.assessments.schemas import GradeBasis, StoredShare
from mmptf_markers.engine.results import Answer
from mmptf_markers.engine.rubric import AssessmentStage, RubricStatus

TargetStatus = TypeAliasType(
    "TargetStatus",
    Literal["met", "not_met", "undetermined", "not_applicable"],
)
"""Whether a target is met, as far as that is certain whatever grades the unassessed programmes will have.

- `met`: enough programmes have a grade of the target already
- `not_met`: too few would have one even if every unassessed programme got one
- `undetermined`: it depends on the programmes that are not assessed yet
- `not_applicable`: there are no programmes to count
"""

TargetClaimStatus = TypeAliasType(
    "TargetClaimStatus",
    Literal["met", "not_met"],
)
"""What a document says of a target, which is not checked here.

- `met`: the target is reached
- `not_met`: the target is not reached
"""


IndicatorDivision = TypeAliasType(
    "IndicatorDivision",
    Literal["thematic_area", "country", "region", "organization", "assessed_stage", "rubric"],
)
"""What the indicator can be divided by.

- `thematic_area`: thematic area of the programme, one or none
- `country`: its countries and territories, by ISO 3166-1 alpha-3 code
- `region`: its regions at each level, by UN M49 code
- `organization`: the organizations that take part in it
- `assessed_stage`: stage of its life at which the current grade was given
- `rubric`: version of the rubric behind the grade
"""


class PrintedProgrammes(ResponseModel):
    """How many programmes there are at the stage of a target, as a document prints it."""

    programmes: int
    """Number of programmes that the document prints."""
    year: int
    """Calendar year that the number is of."""
    sources: list[SourceRef]
    """Where the number is printed."""


class TargetClaim(ResponseModel):
    """What a document says about reaching a target; it is not computed from grades held here."""

    code: Code
    """Code of the claim: target and year, such as `human-rights-90.2022`."""
    year: int
    """Calendar year of which the document speaks."""
    standing: TargetClaimStatus
    """What the document says: the target is met, or it is not."""
    note: str | None
    """What a reader of the claim has to know; null where there is nothing."""
    sources: list[SourceRef]
    """Where the facts were taken from: for each member one entry or several; none for what was not taken from anywhere.
    """


class IndicatorTarget(ResponseModel):
    """What a marker is to reach: the least share of programmes that have one of certain grades, such as 90 % with A or
    B.
    """

    code: Code
    """Code of the target, such as `human-rights-90`."""
    marker: Code
    """Code of the marker, such as `human_rights`."""
    name: str
    """What is to be reached, for people."""
    grades: list[Code]
    """Codes of the grades that count for the target, such as `A` and `B`."""
    minimum: StoredShare
    """Least share of the programmes that have to have one of these grades."""
    stage: LifecycleStage
    """Part of the life cycle, in the catalogue, of the programmes that are counted, such as `funded`."""
    printed: PrintedProgrammes | None
    """Number of such programmes as a document prints it; null where none does."""
    claims: list[TargetClaim]
    """What documents say about reaching the target; nothing here is computed from it."""
    sources: list[SourceRef]
    """Where the facts were taken from: for each member one entry or several; none for what was not taken from anywhere.
    """
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""


class IndicatorTargetPage(Page[IndicatorTarget]):
    """One page of targets."""


class NamedCode(ResponseModel):
    """A code of the catalogue and its name."""

    code: Code
    """Code of the thematic area."""
    name: str
    """Name of the thematic area."""


class CurrentGrade(ResponseModel):
    """The grade that counts for one programme under one marker; none while no assessment is accepted.

    Of several accepted ones that of the latest stage of the programme's life counts, then of the latest year, then of
    the highest version.
    """

    code: str
    """Code of the record: programme and marker, such as `ETH-01.human_rights`."""
    programme: Code
    """Code of the programme, as at `/catalog/v1/programmes`, such as `ETH-01`."""
    title: str | None
    """Title of the programme in the catalogue; null where it has none."""
    marker: Code
    """Code of the marker, such as `human_rights`."""
    stage: LifecycleStage
    """Part of the life cycle that the programme is in, in the catalogue."""
    thematic_area: NamedCode | None
    """Thematic area in the catalogue; null where it states none."""
    grade: Code | None
    """Code of the grade, such as `B`; null while no assessment is accepted."""
    basis: GradeBasis | None
    """Whether the grade was declared, derived from answers, or found by a review; null while there is none."""
    answered: bool | None
    """Whether there are answers behind the grade; false where it was only declared, null while there is none."""
    assessment: Code | None
    """Code of the assessment that counts; null while there is none."""
    assessed_stage: AssessmentStage | None
    """Stage of the programme's life at which the assessment that counts was made; null while there is none."""
    assessed_year: int | None
    """Year of the annual report that was assessed; null at other stages, and while there is none."""
    rubric: Code | None
    """Code of the rubric behind the grade, with its version; null for a grade that was only declared, and while there
    is none.
    """
    rubric_status: RubricStatus | None
    """Whether that rubric is official, illustrative or superseded now; null where there is none."""
    under_review: bool
    """Whether a submitted assessment of the programme waits for its review."""
    budget: Money | None
    """Budget of the programme in the catalogue; null where it states none."""
    budget_stage: ProgrammeBudgetStage | None
    """Stage of money of the budget; null where there is no budget."""
    allocated: Money | None
    """What the ledger has allocated to the programme, net of reversals; null where no allocation names it. Not to be
    added to the budget, which is another stage of the same money.
    """
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""


class CurrentGradePage(Page[CurrentGrade]):
    """One page of current grades."""


class MarkerFacts(ResponseModel):
    """The grades that count for a programme, and how much of what they ask for is still to be done."""

    standings: list[CurrentGrade]
    """What counts for the programme under each marker."""
    open_actions: int
    """Number of actions of the assessments that count which are not done."""


class BudgetSum(ResponseModel):
    """The budgets of some programmes that are at one stage of money; those of different stages are never added
    together.
    """

    stage: ProgrammeBudgetStage
    """Stage of money of the budgets."""
    sum: Money
    """Exact sum of the budgets."""
    programmes: int
    """Number of the programmes whose budgets are summed."""


class GradeShare(ResponseModel):
    """The programmes with one grade, or without any, and their money.

    `budgets` and `allocated` are stages of the same money: never add them. Contributions are made to the Fund and not
    to programmes, so none belongs to a grade.
    """

    grade: Code | None
    """Code of the grade; null for the programmes without one."""
    programmes: int
    """Number of the programmes with this grade."""
    budgets: list[BudgetSum]
    """Sums of their budgets in the catalogue, one for each stage of money and currency."""
    without_budget: int
    """Number of them whose budget the catalogue does not state, which the sums leave out."""
    allocated: Money | None
    """What the ledger has allocated to them, net of reversals; null where it names none of them."""
    without_allocation: int
    """Number of them that no allocation of the ledger names."""
    link: str | None
    """Path that lists them with their amounts; null where no filter finds just them."""


class RubricShare(ResponseModel):
    """How many of the grades come from one version of a rubric, or from none."""

    rubric: Code | None
    """Code of the rubric with its version; null for grades that were only declared."""
    status: RubricStatus | None
    """Whether that rubric is official, illustrative or superseded now; null for grades that were only declared."""
    programmes: int
    """Number of programmes whose grade comes from it."""


class Indicator(ResponseModel):
    """How many programmes have a grade of the target, and whether that is enough."""

    programmes: int
    """Number of programmes that are counted: those at the target's stage which match the filters."""
    assessed: int
    """Number of them with a current grade."""
    unassessed: int
    """Number of them without a current grade; they are neither failures nor successes."""
    under_review: int
    """Number of them with a submitted assessment that waits for its review."""
    counted: int
    """Number of them whose current grade is one of the target's."""
    share: Share | None
    """`counted` divided by `programmes`, the unassessed included; null where there are none."""
    standing: TargetStatus
    """Whether the target is met, as far as that is certain whatever grades the unassessed will have."""
    short_by: int
    """How many more programmes need one of the grades to meet the target; 0 where it is met."""
    grades: list[GradeShare]
    """The programmes by their current grade, with their money; those without a grade last."""
    rubrics: list[RubricShare]
    """The graded programmes by the rubric behind their grade."""
    mixed: bool
    """Whether the grades come from different versions of rubrics, or some from a rubric and others from none, so that
    they compare badly.
    """


class IndicatorGroup(ResponseModel):
    """The indicator of one part of the programmes, such as those in one country."""

    code: str | None
    """Code of the part, such as `ETH` for a country; null for the programmes that have none."""
    indicator: Indicator
    """The indicator of these programmes alone."""


class HeldProgrammes(ResponseModel):
    """How many of the programmes at the target's stage are recorded here, of those that a document counts.

    The filters of the request have no influence. An indicator says nothing of programmes that are not recorded.
    """

    held: int
    """Number of programmes at the target's stage that are recorded here."""
    printed: int | None
    """Number of such programmes as a document prints it; null where none does."""
    share: Share | None
    """`held` divided by `printed`; null where no document prints a number."""


class IndicatorAnswer(ResponseModel):
    """The indicator of the programmes that match the filters, and of its groups."""

    target: IndicatorTarget
    """The target that is measured against."""
    coverage: HeldProgrammes
    """How many of the programmes that a document counts are recorded here."""
    whole: Indicator
    """The indicator of all programmes that match the filters."""
    by: IndicatorDivision | None
    """What the programmes are divided by; null where there are no groups."""
    overlapping: bool
    """Whether a programme can be in several groups, which then add up to more than the whole."""
    groups: list[IndicatorGroup]
    """The indicator of each group, in the order of their codes; empty without `by`."""
    revision: int
    """Number of the last write that the answer contains; it only grows, and `as_of` takes it to read the same data
    again.
    """


class IndicatorPeriod(ResponseModel):
    """The indicator as it was known at the end of a period. The last period is the present one, up to now."""

    period_end: date
    """Last day of the period."""
    at: datetime
    """Time of the last write up to the end of the period, in UTC: the data are those after it."""
    indicator: Indicator
    """The indicator as it was known then."""


class IndicatorOverTime(ResponseModel):
    """The indicator at the end of each period, from this service's first write on. Later entries are not in it."""

    target: IndicatorTarget
    """The target that is measured against."""
    periods: list[IndicatorPeriod]
    """The periods, the earliest first."""
    revision: int
    """Number of the last write that the answer contains; it only grows, and `as_of` takes it to read the same data
    again.
    """


class AnswerCount(ResponseModel):
    """How many programmes gave one of the answers of the scale to a criterion."""

    answer: Answer
    """Value of the answer on the scale, such as `2`."""
    label: str
    """Words of the answer, such as Partly built in."""
    programmes: int
    """Number of programmes that gave it."""


class CriterionSummary(ResponseModel):
    """How the programmes answer one criterion, by the answers behind their current grades."""

    rubric: Code
    """Code of the rubric with its version."""
    criterion: Code
    """Code of the criterion in the rubric, such as `due-diligence`."""
    principle: Code
    """Code of the principle that the criterion serves, such as `analysis`."""
    question: str
    """The question as the rubric words it."""
    answered: int
    """Number of programmes with an answer on the scale, `not_applicable` left out."""
    not_applicable: int
    """Number of programmes to which it does not apply."""
    share: Share | None
    """Sum of the values of the answers, divided by what it would be with the highest answer throughout; null where
    nobody answers.
    """
    levels: list[AnswerCount]
    """Number of programmes by answer, the lowest answer first."""


class CriteriaSummaries(ResponseModel):
    """How the criteria of the rubrics behind the current grades are answered."""

    criteria: list[CriterionSummary]
    """The criteria, the one with the lowest share first."""
    revision: int
    """Number of the last write that the answer contains; it only grows, and `as_of` takes it to read the same data
    again.
    """


class AssessmentAction(ResponseModel):
    """An action that the assessment behind a current grade asks for, with one of its answers."""

    code: str
    """Code of the action: assessment, criterion and position, such as `A-000001.equality.1`."""
    assessment: Code
    """Code of the assessment that asks for it."""
    programme: Code
    """Code of the programme, as at `/catalog/v1/programmes`, such as `ETH-01`."""
    marker: Code
    """Code of the marker, such as `human_rights`."""
    criterion: Code
    """Code of the criterion whose answer asks for it."""
    action: str
    """What is to be done, in words."""
    owner: str
    """The role or unit that does it; never the name of a person."""
    due: date
    """Day by which it is to be done."""
    done: date | None
    """Day on which it was done; null while it is open."""
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""


class AssessmentActionPage(Page[AssessmentAction]):
    """One page of actions."""
