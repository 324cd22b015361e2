"""The wire shapes of the report: one for each of its sections."""

from __future__ import annotations

from datetime import date
from typing import Literal

from typing_extensions import TypeAliasType

from mmptf_common.wire.base import Code, ResponseModel
from mmptf_common.wire.shares import Share
from mmptf_markers.actions.schemas import ActionKind
from mmptf_markers.engine.results import Answer
from mmptf_markers.engine.rubric import AssessmentStage, RubricStatus
from mmptf_markers.indicator.schemas import (
    CriterionSummary,
    GradeShare,
    HeldProgrammes,
    IndicatorTarget,
    TargetStatus,
)
from mmptf_markers.reviews.schemas import ComparedRaters, MeanDifference

GradeChange = TypeAliasType("GradeChange", Literal["improved", "same", "fell", "not_comparable"])
"""How a grade changed from what was planned to what was done.

- `improved`: that of what was done is better
- `same`: both are the same
- `fell`: that of what was done is worse
- `not_comparable`: they are under different versions of a rubric, or declared; they stand side by side
"""

ReportCaveatCode = TypeAliasType(
    "ReportCaveatCode",
    Literal[
        "no_official_rubric",
        "illustrative_grades",
        "superseded_rubrics",
        "mixed_rubrics",
        "unverified_declarations",
        "not_held",
        "claim_not_shown",
        "copy_not_current",
    ],
)
"""What a caveat of the report is about.

- `no_official_rubric`: no official rubric of the marker is published here
- `illustrative_grades`: grades rest on an illustrative rubric, and count for nothing
- `superseded_rubrics`: grades rest on a rubric that a later version has replaced
- `mixed_rubrics`: grades come from several rubrics, or some from none
- `unverified_declarations`: grades were declared without answers, and nobody has reviewed them
- `not_held`: programmes are known to exist and are not recorded here
- `claim_not_shown`: a document says that the target was met, and what is held here does not show it
- `copy_not_current`: the copy of another service's records is more than a day old, or was never complete
"""


class ReportHeadline(ResponseModel):
    """How many programmes have a grade of the target, what it rests on, and whether the target is met.

    Every programme is one of `with_grade`, `another_grade`, `waiting`, `returned` and `nothing`.
    """

    text: str
    """The figures in words, in English."""
    programmes: int
    """Number of programmes at the target's stage which match the filters."""
    with_grade: int
    """Number of them whose current grade is one of the target's, whatever it rests on."""
    reviewed: int
    """Number of those whose grade a review has found."""
    declared: int
    """Number of those whose grade was declared without answers."""
    official: int
    """Number of those whose grade is under an official rubric."""
    counted: int
    """Number of those that count for the target, which grades under an illustrative rubric do not."""
    another_grade: int
    """Number of programmes with another current grade than those of the target."""
    waiting: int
    """Number of programmes without a current grade whose assessment waits for its review."""
    returned: int
    """Number of further programmes without a current grade whose last assessment was returned and is not answered."""
    nothing: int
    """Number of programmes without a current grade of which nothing was sent that stands."""
    needed: int
    """Number of programmes that have to count for the target to be met among those that are recorded here."""
    standing: TargetStatus
    """Whether the target is met, as far as that is certain, as the indicator says it."""
    short_by: int
    """How many more programmes have to count; 0 where there are enough."""
    not_held: int
    """Number of programmes that a document counts beside those that are recorded here."""


class FunnelEdition(ResponseModel):
    """The programmes with an assessment under one version of a rubric, or with a grade that was only declared.

    Of each assessment its newest version counts; a programme with several assessments may be in several numbers.
    """

    rubric: Code | None
    """Code of the rubric with its version; null for grades that were only declared."""
    status: RubricStatus | None
    """Whether that rubric is official or illustrative; null for grades that were only declared."""
    superseded: bool | None
    """Whether a later version has replaced that rubric; null for grades that were only declared."""
    submitted: int
    """Number of programmes with such an assessment, whatever has become of it."""
    waiting: int
    """Number of them with one that waits for its review."""
    returned: int
    """Number of them with one that was returned and not sent again."""
    accepted: int
    """Number of them with one that a review has accepted, or with a grade that was declared."""


class AnnualReportFunnel(ResponseModel):
    """The annual reports of the last year that is over."""

    year: int
    """Calendar year of the reports."""
    due: int
    """Number of programmes that ran in that year, or of which no dates are stated."""
    submitted: int
    """Number of them whose annual report was assessed, or its grade declared."""
    waiting: int
    """Number of those whose assessment waits for its review."""
    returned: int
    """Number of those whose assessment was returned and not sent again."""
    accepted: int
    """Number of those whose assessment a review has accepted, or whose grade was declared."""


class ReportFunnel(ResponseModel):
    """How far the programmes have come, from their funding to a review; no number is chosen by grades."""

    funded: int
    """Number of programmes at the target's stage which match the filters."""
    due: int
    """Number of them whose work has begun, or of which no dates are stated."""
    submitted: int
    """Number of funded programmes with an assessment that was submitted, whatever has become of it."""
    waiting: int
    """Number of those with one that waits for its review."""
    returned: int
    """Number of those with one that was returned and not sent again."""
    reviewed: int
    """Number of those with one that a review has accepted."""
    declared: int
    """Number of funded programmes with a grade that was only declared."""
    editions: list[FunnelEdition]
    """The same by the version of the rubric, those that were only declared last."""
    annual_report: AnnualReportFunnel
    """The same for the annual reports of the last year that is over."""


class GradeByBoth(ResponseModel):
    """How many programmes have one grade by what they reported, and by what the review found."""

    grade: Code
    """Code of the grade, such as `B`."""
    reported: int
    """Number of programmes whose answers gave it, or whose organization set it where the rubric leaves it to that."""
    reviewed: int
    """Number of programmes for which the review found it."""


class GradePair(ResponseModel):
    """The programmes that reported one grade and for which the review found one, the same or another."""

    reported_grade: Code
    """Code of the grade that the organization reported."""
    grade: Code
    """Code of the grade that the review found."""
    programmes: int
    """Number of these programmes."""


class ReviewedCriterion(ResponseModel):
    """How reviews changed the answers to one criterion."""

    criterion: Code
    """Code of the criterion in the rubric, such as `due-diligence`."""
    question: str
    """The question as the rubric words it."""
    programmes: int
    """Number of reviewed programmes that answered it."""
    lowered: int
    """Number of them whose answer the review lowered."""
    raised: int
    """Number of them whose answer the review raised."""
    applicability: int
    """Number of them of which the review found that the criterion applies after all, or does not."""


class EditionReviews(ResponseModel):
    """What organizations reported beside what reviews found, under one version of a rubric, in current grades."""

    rubric: Code
    """Code of the rubric with its version."""
    status: RubricStatus
    """Whether that rubric is official or illustrative."""
    programmes: int
    """Number of programmes whose current grade is from a review under it."""
    lowered: int
    """Number of them for which the review found a lower grade than was reported."""
    raised: int
    """Number of them for which the review found a higher grade than was reported."""
    grades: list[GradeByBoth]
    """Each grade of the rubric, the best first, by what was reported and by what was found."""
    pairs: list[GradePair]
    """The programmes by both grades at once."""
    criteria: list[ReviewedCriterion]
    """Each criterion that they answered, in the order of the rubric."""


class MissedCriterion(ResponseModel):
    """A core criterion whose floor programmes miss."""

    criterion: Code
    """Code of the criterion in the rubric, such as `due-diligence`."""
    programmes: int
    """Number of programmes whose answer to it is below the floor."""


class MissedFloor(ResponseModel):
    """How many programmes miss a core floor of a rubric."""

    below: Answer
    """The floor is missed where the answer to a core criterion is below this value of the scale."""
    cap: Code
    """Code of the best grade that is left then."""
    programmes: int
    """Number of programmes that miss it with one core criterion or several."""
    criteria: list[MissedCriterion]
    """The core criteria with which they miss it, the one that most miss first."""


class EditionCriteria(ResponseModel):
    """The weakest and the strongest criteria under one version of a rubric, by the answers behind current grades.

    Criteria of several versions are never put together.
    """

    rubric: Code
    """Code of the rubric with its version."""
    status: RubricStatus
    """Whether that rubric is official or illustrative."""
    programmes: int
    """Number of programmes whose current grade is under it."""
    weakest: list[CriterionSummary]
    """The three criteria with the lowest shares, the lowest first."""
    strongest: list[CriterionSummary]
    """The three criteria with the highest shares among the others, the highest first."""
    missed_floors: list[MissedFloor]
    """The core floors of the rubric, in its order; empty where it has none."""


class ProgrammeDelivery(ResponseModel):
    """The grade of what a programme planned beside that of what it did, by the last assessment of each."""

    programme: Code
    """Code of the programme, as at `/catalog/v1/programmes`, such as `ETH-01`."""
    title: str | None
    """Title of the programme in the catalogue; null where it has none."""
    design_grade: Code
    """Code of the grade of its concept note or programme document, that of the later one."""
    design_stage: AssessmentStage
    """Which of them was assessed."""
    design_rubric: Code | None
    """Code of the rubric behind that grade; null where it was only declared."""
    delivery_grade: Code
    """Code of the grade of its last annual report, final report or evaluation."""
    delivery_stage: AssessmentStage
    """Which of them was assessed."""
    delivery_year: int | None
    """Year of the annual report or evaluation; null for a final report."""
    delivery_rubric: Code | None
    """Code of the rubric behind that grade; null where it was only declared."""
    change: GradeChange
    """How the grade changed from design to delivery."""
    fell_below: bool
    """Whether the design has a grade of the target and the delivery has none, whatever rubrics they are under."""


class DesignAndDelivery(ResponseModel):
    """The grades of what programmes planned beside those of what they did, where both were assessed."""

    programmes: int
    """Number of programmes with a grade of each."""
    improved: int
    """Number of them with a better grade of delivery, under the same version of a rubric."""
    same: int
    """Number of them with the same grade, under the same version of a rubric."""
    fell: int
    """Number of them with a worse grade of delivery, under the same version of a rubric."""
    not_comparable: int
    """Number of them whose grades are under different rubrics, or declared; they stand side by side."""
    fell_below: int
    """Number of them whose design has a grade of the target and whose delivery has none, under any rubrics."""
    listed: list[ProgrammeDelivery]
    """The programmes one by one, those that fell below first, then by code; the first 100."""


class ActionCounts(ResponseModel):
    """How far the actions, or the measures of due diligence, of the programmes have come."""

    kind: ActionKind
    """What is counted."""
    organization: Code | None
    """Code of the organization whose assessments planned them; null for those of all organizations together."""
    planned: int
    """Number of all of them."""
    open: int
    """Number of them that are to be done."""
    done: int
    """Number of them that were done, with evidence."""
    replaced: int
    """Number of them in whose place another one is done, which is counted, too."""
    dropped: int
    """Number of them that are not done, for a stated reason."""
    overdue: int
    """Number of the open ones whose day is past."""


class ReportPeriod(ResponseModel):
    """The indicator at the end of a year, by the day of what was assessed, with all that is known now."""

    period_end: date
    """Last day of the year; the last one is the present year, up to now."""
    programmes: int
    """Number of programmes that are at the target's stage now and match the filters."""
    with_grade: int
    """Number of them with a grade of the target then, whatever it rests on."""
    counted: int
    """Number of those that count for the target."""
    share: Share | None
    """`counted` divided by `programmes`; null where there are none."""


class EditionAgreement(ResponseModel):
    """How far two raters of the same assessments agree under one version of a rubric."""

    between: ComparedRaters
    """Whose answers are compared."""
    rubric: Code
    """Code of the rubric with its version, under which the answers were given."""
    n: int
    """Number of pairs of answers on the scale: of the same criterion of the same assessment by both raters."""
    too_few: bool
    """Whether there are fewer than 20 pairs, so that the figures say little."""
    exact: Share | None
    """Share of the pairs with the same answer; null without any."""
    kappa: str | None
    """Cohen's kappa with quadratic weights, as decimal text with four decimals; null where all answers are the same."""
    difference: MeanDifference | None
    """Mean of one rater's answer less the other's, by the values of the levels; null without any."""


class ReportAgreement(ResponseModel):
    """How far raters agree on the assessments of the programmes; `/markers/v1/reviews/agreement` divides it further."""

    open_appeals: int
    """Number of appeals against reviews that wait for their decision."""
    groups: list[EditionAgreement]
    """Assessor and reviewer, and two reviewers, each by version of the rubric; empty without any review."""


class ReportCaveat(ResponseModel):
    """What a reader of the report has to know before quoting it."""

    code: ReportCaveatCode
    """What it is about."""
    text: str
    """The caveat in words, in English."""


class PortfolioReport(ResponseModel):
    """The portfolio on one page, for the Steering Committee and donors: all sections are of the same revision."""

    target: IndicatorTarget
    """The target that is measured against."""
    coverage: HeldProgrammes
    """How many of the programmes that a document counts are recorded here."""
    day: date
    """Day of which the report is: today, or that of `as_of`. What is due and overdue is so on this day."""
    headline: ReportHeadline
    """How many programmes have a grade of the target, and whether it is met."""
    funnel: ReportFunnel
    """From the programmes that are due to those that are reviewed."""
    reviews: list[EditionReviews]
    """What organizations reported beside what reviews found, by version of the rubric."""
    money: list[GradeShare]
    """The programmes by their current grade, with their money, as the indicator has them."""
    criteria: list[EditionCriteria]
    """Weakest and strongest criteria, and core floors that are missed, by version of the rubric."""
    delivery: DesignAndDelivery
    """Grades of what was planned beside those of what was done."""
    actions: list[ActionCounts]
    """Actions and measures of due diligence: of all organizations together, and then of each."""
    course: list[ReportPeriod]
    """The indicator at the end of each year, the earliest first."""
    agreement: ReportAgreement
    """How far assessors and reviewers, and two reviewers, agree, and how many appeals are open."""
    caveats: list[ReportCaveat]
    """What a reader has to know before quoting any of it."""
    revision: int
    """Number of the last write that the answer contains; it only grows, and `as_of` takes it to read the same data
    again.
    """
