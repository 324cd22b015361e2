"""The wire shapes of the portfolio: current grades of programmes, the indicator, criteria."""

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
- `undetermined`: it depends on the programmes that are not assessed yet, or not recorded here
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


IndicatorBasis = TypeAliasType(
    "IndicatorBasis",
    Literal["declared", "submitted", "reviewed"],
)
"""What is known of the grade of a programme.

- `declared`: an organization has stated it, without answers to a rubric
- `submitted`: answers to a rubric wait for their review; they count for nothing yet
- `reviewed`: a reviewer has accepted the answers to a rubric
"""

PeriodDate = TypeAliasType(
    "PeriodDate",
    Literal["assessed", "entered"],
)
"""By which date a course is shown.

- `assessed`: by the day of what was assessed: what is known now of the state then
- `entered`: by the day on which it was entered here: what was known then
"""

IndicatorDivision = TypeAliasType(
    "IndicatorDivision",
    Literal[
        "thematic_area",
        "country",
        "region",
        "subregion",
        "intermediate_region",
        "organization",
        "assessed_stage",
        "rubric",
    ],
)
"""What the indicator can be divided by.

- `thematic_area`: thematic area of the programme, one or none
- `country`: its countries and territories, by ISO 3166-1 alpha-3 code
- `region`: its regions of the first level of UN M49, such as Africa, by code
- `subregion`: its sub-regions, such as Sub-Saharan Africa, by UN M49 code
- `intermediate_region`: its intermediate regions, such as Eastern Africa, by UN M49 code
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

    What was assessed last counts, by the day of what was assessed, and then by the stage of the programme's life. Of
    several versions of one assessment it is the newest that was decided on; where that one is returned, there is no
    grade until it is answered.
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
    """Year of the annual report or evaluation that was assessed; null at other stages, and while there is none."""
    assessed_on: date | None
    """Day of what was assessed, as the assessment that counts has it; null while there is none."""
    rubric: Code | None
    """Code of the rubric behind the grade, with its version; null for a grade that was only declared, and while there
    is none.
    """
    rubric_status: RubricStatus | None
    """Whether that rubric is official or illustrative; null where there is none."""
    rubric_superseded: bool | None
    """Whether a later version has replaced that rubric; null where there is none."""
    under_review: bool
    """Whether a submitted assessment of the programme waits for its review."""
    returned: bool
    """Whether what was assessed last was returned, and not answered by a new version that is accepted."""
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
    """Number of the actions and measures of the programme's assessments that are open."""


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

    Of a programme in several countries, regions or organizations a group has the part that sources state: by the shares
    of the places, or by the budget lines of the organization; without that its money is in the group `shared`. With
    filters by country, region or organization, `budgets` and `allocated` are the part of what they choose.
    """

    grade: Code | None
    """Code of the grade; null for the programmes without one."""
    programmes: int
    """Number of the programmes with this grade."""
    budgets: list[BudgetSum]
    """Sums of their budgets in the catalogue, or of the parts of them that are asked for, one for each stage of money
    and currency.
    """
    shared: list[BudgetSum]
    """Budgets, as a whole, of those of which filters choose a part that no source states; they are in no other sum.
    Empty without such filters.
    """
    without_budget: int
    """Number of them whose budget the catalogue does not state, which the sums leave out."""
    allocated: Money | None
    """What the ledger has allocated to them, net of reversals, or the part of it that is asked for; null where there is
    nothing.
    """
    allocated_shared: Money | None
    """What it has allocated to those of which filters choose a part that no source states; null where there is nothing.
    """
    without_allocation: int
    """Number of them that no allocation of the ledger names."""
    link: str | None
    """Path that lists them with their amounts; null where no filter finds just them."""


class RubricShare(ResponseModel):
    """How many of the grades come from one version of a rubric, or from none."""

    rubric: Code | None
    """Code of the rubric with its version; null for grades that were only declared."""
    status: RubricStatus | None
    """Whether that rubric is official or illustrative; null for grades that were only declared."""
    superseded: bool | None
    """Whether a later version has replaced that rubric; null for grades that were only declared."""
    programmes: int
    """Number of programmes whose grade comes from it."""


class BasisShare(ResponseModel):
    """The programmes of whose grade the same is known: on what it rests, and the status of the rubric."""

    basis: IndicatorBasis
    """What is known of the grade."""
    rubric_status: RubricStatus | None
    """Whether the rubric of the answers is official or illustrative; null where no rubric is behind the grade, or none
    of its answers is reviewed yet.
    """
    programmes: int
    """Number of these programmes."""
    with_grade: int
    """Number of them whose grade is one of the target's."""
    fulfils: bool
    """Whether such a grade counts for the target: not under an illustrative rubric, and not before its review."""


class Indicator(ResponseModel):
    """How many programmes have a grade of the target, and whether that is enough."""

    programmes: int
    """Number of programmes that are counted: those at the target's stage which match the filters. Filters and groups by
    what is known of grades (`grade`, `rubric`, `assessed_stage`, `assessed`, `due_for`) leave all of them here, and
    only choose those of whom the other members tell.
    """
    assessed: int
    """Number of them with a current grade."""
    unassessed: int
    """Number of them without a current grade; they are neither failures nor successes."""
    under_review: int
    """Number of them with a submitted assessment that waits for its review."""
    returned: int
    """Number of those without a current grade whose last assessment was returned and is not answered."""
    counted: int
    """Number of them whose current grade is one of the target's, and not under an illustrative rubric."""
    illustrative: int
    """Number of them whose current grade is one of the target's, but under an illustrative rubric: it counts for
    nothing.
    """
    not_held: int
    """Number of programmes that a document counts beside those that are recorded here; any of them may be one of these.
    """
    share: Share | None
    """`counted` divided by `programmes`, the unassessed included; null where there are none."""
    standing: TargetStatus | None
    """Whether the target is met, as far as that is certain whatever grades those without one, those under an
    illustrative rubric, and the programmes that are not held will have; null where the programmes are chosen by what
    is known of their grades.
    """
    short_by: int | None
    """How many more programmes need one of the grades to meet the target among those that are recorded here; 0 where
    there are enough, null where `standing` is.
    """
    bases: list[BasisShare]
    """The programmes with a grade, or with answers that wait for their review, by what is known of the grade."""
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
    """Code of the part, such as `ETH` for a country; null for the programmes that have none, and for the money of
    places that have none. `shared` has the money that several parts have together, of which no source states how much
    is whose: with it, and the one without a code, the money of all groups adds up to the whole.
    """
    name: str | None
    """Name of the part, such as Ethiopia; null for the programmes that have none, and for what has no name."""
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
    """Whether a programme can be in several groups, whose numbers of programmes then add up to more than the whole; the
    money of the groups never does.
    """
    groups: list[IndicatorGroup]
    """The indicator of each group, in the order of their codes; empty without `by`."""
    revision: int
    """Number of the last write that the answer contains; it only grows, and `as_of` takes it to read the same data
    again.
    """


class IndicatorPeriod(ResponseModel):
    """The indicator at the end of a period. The last period is the present one, up to now."""

    period_end: date
    """Last day of the period."""
    at: datetime | None
    """Time of the last write up to the end of the period, in UTC: the data are those after it; null by the date of what
    was assessed.
    """
    indicator: Indicator
    """The indicator at that time."""


class IndicatorOverTime(ResponseModel):
    """The indicator at the end of each period.

    By the date of what was assessed, from the first one on, of the programmes that are at the target's stage now, with
    all that is known now; by the date of entry, from this service's first write on, as it was known then.
    """

    target: IndicatorTarget
    """The target that is measured against."""
    dated: PeriodDate
    """By which date the periods are."""
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
