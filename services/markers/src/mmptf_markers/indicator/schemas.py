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
"""Whether a target is met, whatever grades the unassessed programmes will have.

- `met`: enough programmes count already
- `not_met`: too few would count even if every unassessed programme did
- `undetermined`: the unassessed programmes decide it
- `not_applicable`: there are no programmes
"""

TargetClaimStatus = TypeAliasType(
    "TargetClaimStatus",
    Literal["met", "not_met"],
)
"""What a document says of a target.

- `met`: it is met
- `not_met`: it is not met
"""


IndicatorDivision = TypeAliasType(
    "IndicatorDivision",
    Literal["thematic_area", "country", "region", "organization", "assessed_stage", "rubric"],
)
"""What the indicator can be divided by.

- `thematic_area`: thematic area of the programmes
- `country`: country or territory of the programmes
- `region`: M49 region of the programmes
- `organization`: participating organization of the programmes
- `assessed_stage`: stage of a programme's life at which it was assessed
- `rubric`: version of the rubric behind the grade
"""


class PrintedProgrammes(ResponseModel):
    """How many programmes there are at the stage of a target, as a document of `year` prints it."""

    programmes: int
    """Number of programmes that the document prints."""
    year: int
    """Year that the number is of."""
    sources: list[SourceRef]
    """Where it is printed."""


class TargetClaim(ResponseModel):
    """What a document says about a target: reached or not, as of `year`. It is not computed from grades held here."""

    code: Code
    """Code of the claim, made of those of target and year."""
    year: int
    """Calendar year of which the document speaks."""
    standing: TargetClaimStatus
    """What the document says: the target is met, or it is not."""
    note: str | None
    """What a reader of the claim has to know; null where there is nothing."""
    sources: list[SourceRef]
    """Where each fact is printed: one entry for each member that was taken from a document."""


class IndicatorTarget(ResponseModel):
    """What a marker is to reach: at least `minimum` of the programmes at a stage of the catalogue have these grades.

    `printed` is the number of such programmes in a document, null where none prints it; `claims` are what documents say
    about reaching the target, beside what is computed here.
    """

    code: Code
    """Code of the target, such as `human-rights-90`."""
    marker: Code
    """Code of the marker, such as `human_rights`."""
    name: str
    """What is to be reached, for people."""
    grades: list[Code]
    """Codes of the grades that count."""
    minimum: StoredShare
    """Least share of the programmes that need one of them."""
    stage: LifecycleStage
    """Coarse part of the life cycle, in the catalogue, of the programmes that are counted."""
    printed: PrintedProgrammes | None
    """Number of such programmes in a document; null where none prints it."""
    claims: list[TargetClaim]
    """What documents say about reaching it."""
    sources: list[SourceRef]
    """Where each fact is printed: one entry for each member that was taken from a document."""
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""


class IndicatorTargetPage(Page[IndicatorTarget]):
    """One page of targets."""


class NamedCode(ResponseModel):
    """A code and what it stands for."""

    code: Code
    """Code, as in the code list of the member."""
    name: str
    """What the code stands for."""


class CurrentGrade(ResponseModel):
    """What counts for one programme under one marker: its newest accepted assessment, nothing while there is none.

    `under_review` says that another one is submitted and not reviewed; `answered` is false for a grade that was only
    declared. Title, stage, area and budget are those of the copy of the catalogue. `allocated` is what the ledger has
    allocated to the programme, net of what was reversed, null where it has no entry: another stage of the same money
    than the budget, never to be added to it.
    """

    code: str
    """Code of the record: programme and marker."""
    programme: Code
    """Code of the programme."""
    title: str | None
    """Title of the programme in the catalogue; null where it has none."""
    marker: Code
    """Code of the marker, such as `human_rights`."""
    stage: LifecycleStage
    """Coarse part of the programme's life cycle in the catalogue."""
    thematic_area: NamedCode | None
    """Thematic area in the catalogue; null where it states none."""
    grade: Code | None
    """Code of the grade that counts; null while there is none."""
    basis: GradeBasis | None
    """Whether it was declared, derived from answers, or found by a review; null while there is none."""
    answered: bool | None
    """Whether its answers are held; null while there is no grade."""
    assessment: Code | None
    """Code of the assessment; null while there is none."""
    assessed_stage: AssessmentStage | None
    """Stage of the programme's life at which it was assessed; null while it was not."""
    assessed_year: int | None
    """Year of the annual report behind it; null for other stages."""
    rubric: Code | None
    """Code of the version of a rubric behind it; null for a declared grade, or while there is none."""
    rubric_status: RubricStatus | None
    """Status of that rubric now; null where there is none."""
    under_review: bool
    """Whether a newer assessment waits for its review."""
    budget: Money | None
    """Budget in the catalogue; null where it states none."""
    budget_stage: ProgrammeBudgetStage | None
    """Stage of money of the budget; null where there is none."""
    allocated: Money | None
    """What the ledger has allocated, net of reversals; null where it has no entry."""
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""


class CurrentGradePage(Page[CurrentGrade]):
    """One page of current grades."""


class MarkerFacts(ResponseModel):
    """What counts for a programme under each marker, and how many of the actions that were asked for are not done."""

    standings: list[CurrentGrade]
    """What counts under each marker."""
    open_actions: int
    """Number of actions of accepted assessments that are not done."""


class BudgetSum(ResponseModel):
    """The budgets of some programmes at one stage of money; budgets of different stages are never added together."""

    stage: ProgrammeBudgetStage
    """Stage of money of the budgets."""
    sum: Money
    """Exact sum of the budgets."""
    programmes: int
    """Number of programmes that state one."""


class GradeShare(ResponseModel):
    """The programmes with one grade, null for those without, and their money at each of its stages.

    `budgets` are the catalogue's: what is required, or what was granted. `allocated` is what the ledger has allocated,
    net of what was reversed, null where it names none of the programmes. `without_budget` and `without_allocation`
    count the programmes that such a sum says nothing of. Contributions are made to the Fund, not to programmes, so
    none belongs to a grade. `link` lists just these programmes, each with its amounts; null where no question does.
    """

    grade: Code | None
    """Code of the grade; null for the programmes without one."""
    programmes: int
    """Number of the programmes."""
    budgets: list[BudgetSum]
    """Their budgets in the catalogue, by stage of money."""
    without_budget: int
    """Number of them without a budget."""
    allocated: Money | None
    """What the ledger has allocated to them, net of reversals; null where it names none of them."""
    without_allocation: int
    """Number of them that the ledger does not name."""
    link: str | None
    """Path that lists them; null where no filter finds just them."""


class RubricShare(ResponseModel):
    """How many of the grades come from one version of a rubric; null for grades that were only declared."""

    rubric: Code | None
    """Code of the version of a rubric; null for grades that were only declared."""
    status: RubricStatus | None
    """Status of that rubric now; null for grades that were only declared."""
    programmes: int
    """Number of programmes whose grade comes from it."""


class Indicator(ResponseModel):
    """How many programmes have a grade that counts for the target, and whether that is enough.

    `standing` is `met` or `not_met` only where the unassessed programmes cannot change it, else `undetermined`; with no
    programmes it is `not_applicable` and `share` null. `short_by`: how many more programmes have to count. `mixed`
    warns that the grades come from several versions of rubrics, or from none.
    """

    programmes: int
    """Number of programmes at the target's stage."""
    assessed: int
    """Number of them with a grade that counts."""
    unassessed: int
    """Number of them without one."""
    under_review: int
    """Number of them with an assessment that waits for its review."""
    counted: int
    """Number of them with one of the target's grades."""
    share: Share | None
    """`counted` divided by `programmes`; null where there are none."""
    standing: TargetStatus
    """Whether the target is met, whatever the unassessed programmes turn out to be."""
    short_by: int
    """How many more programmes have to count."""
    grades: list[GradeShare]
    """The programmes by grade, with their money."""
    rubrics: list[RubricShare]
    """The programmes by the rubric behind their grade."""
    mixed: bool
    """Whether the grades come from several versions of rubrics, or from none."""


class IndicatorGroup(ResponseModel):
    """The indicator of one part of the programmes; code null: those that state none."""

    code: str | None
    """Code of the part, such as a country; null for the programmes that state none."""
    indicator: Indicator
    """The indicator of these programmes alone."""


class HeldProgrammes(ResponseModel):
    """How many of the programmes at the target's stage are held here, of how many that a document prints.

    `held` counts them all, whatever was asked for; `share` is held / printed. Both others are null where no document
    prints a number. An indicator says nothing of a programme that is not held.
    """

    held: int
    """Number of programmes at the target's stage that are held here."""
    printed: int | None
    """Number of such programmes in a document; null where none prints it."""
    share: Share | None
    """`held` divided by `printed`; null where no document prints a number."""


class IndicatorAnswer(ResponseModel):
    """The indicator of the programmes that were asked for, and of its parts.

    `overlapping`: whether a programme can be in several groups, which then add up to more than the whole.
    """

    target: IndicatorTarget
    """The target that is measured against."""
    coverage: HeldProgrammes
    """How many of the programmes that a document counts are held."""
    whole: Indicator
    """The indicator of all programmes that were asked for."""
    by: IndicatorDivision | None
    """What the groups are; null where there are none."""
    overlapping: bool
    """Whether a programme can be in several groups."""
    groups: list[IndicatorGroup]
    """The indicator of each part."""
    revision: int
    """Number of the last write that the answer contains; it only grows, and `as_of` takes it to read the same data
    again.
    """


class IndicatorPeriod(ResponseModel):
    """The indicator as it was known at the end of a period; the last period has not ended."""

    period_end: date
    """Last day of the period."""
    at: datetime
    """The moment whose data are shown, in UTC."""
    indicator: Indicator
    """The indicator as it was known then."""


class IndicatorOverTime(ResponseModel):
    """The indicator period by period, from the first write of this service on."""

    target: IndicatorTarget
    """The target that is measured against."""
    periods: list[IndicatorPeriod]
    """The periods, the earliest first."""
    revision: int
    """Number of the last write that the answer contains; it only grows, and `as_of` takes it to read the same data
    again.
    """


class AnswerCount(ResponseModel):
    """How many programmes gave one answer."""

    answer: Answer
    """Value of the answer."""
    label: str
    """Words of the answer."""
    programmes: int
    """Number of programmes that gave it."""


class CriterionSummary(ResponseModel):
    """How a criterion is answered across programmes; `share` of the highest level, exact, null where nobody answers."""

    rubric: Code
    """Code of the version of a rubric."""
    criterion: Code
    """Code of the criterion in the rubric."""
    principle: Code
    """Code of the principle that the criterion serves."""
    question: str
    """The question as the rubric words it."""
    answered: int
    """Number of programmes with an answer on the scale."""
    not_applicable: int
    """Number of programmes to which it does not apply."""
    share: Share | None
    """Share of the answers at the highest level; null where nobody answers."""
    levels: list[AnswerCount]
    """Number of programmes by answer, the lowest first."""


class CriteriaSummaries(ResponseModel):
    """The criteria of the rubrics behind the grades that count, the weakest first."""

    criteria: list[CriterionSummary]
    """The criteria, the weakest first."""
    revision: int
    """Number of the last write that the answer contains; it only grows, and `as_of` takes it to read the same data
    again.
    """


class AssessmentAction(ResponseModel):
    """An action that an accepted assessment asks for; `owner` is a role or a unit, `done` the day on which it was."""

    code: str
    """Code of the action, made of those of its assessment and criterion and its position there."""
    assessment: Code
    """Code of the assessment that asks for it."""
    programme: Code
    """Code of the programme."""
    marker: Code
    """Code of the marker, such as `human_rights`."""
    criterion: Code
    """Code of the criterion in the rubric."""
    action: str
    """What is to be done."""
    owner: str
    """The role or unit that does it."""
    due: date
    """Day by which it is to be done."""
    done: date | None
    """Day on which it was done; null while it is open."""
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""


class AssessmentActionPage(Page[AssessmentAction]):
    """One page of actions."""
