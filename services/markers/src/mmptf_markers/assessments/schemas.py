"""The wire shapes of assessments: what is sent to draft and review them, and what readers get."""

from __future__ import annotations

from datetime import date, datetime
from operator import not_
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, JsonValue
from typing_extensions import TypeAliasType

from mmptf_common.wire.base import (
    WHOLE,
    Code,
    Day,
    ListedCode,
    PatchModel,
    RequestModel,
    ResponseModel,
    unset,
)
from mmptf_common.wire.pages import Page
from mmptf_common.wire.shares import Share, share
from mmptf_common.wire.sources import SourceRef
from mmptf_markers.actions.schemas import OpenAction
from mmptf_markers.engine.results import Answer, RubricUsed
from mmptf_markers.engine.rubric import AssessmentStage
from mmptf_markers.evidence.schemas import Evidence, EvidenceSent, Line, LongText, Risk, RiskSent, Url

AssessmentStatus = TypeAliasType(
    "AssessmentStatus",
    Literal["submitted", "returned", "accepted", "withdrawn"],
)
"""How far a submitted assessment has come.

- `submitted`: it waits for its review
- `returned`: the reviewer returned it to be corrected by a new version
- `accepted`: the reviewer accepted it, or it is a declared grade, which has no review
- `withdrawn`: a declared grade that was taken back; its history says why
"""

ReviewDecision = TypeAliasType(
    "ReviewDecision",
    Literal["accept", "return"],
)
"""What a reviewer decides.

- `accept`: the assessment is accepted
- `return`: it is returned to be corrected by a new version
"""

GradeDifference = TypeAliasType(
    "GradeDifference",
    Literal["declared_derived", "derived_reviewed", "declared_reviewed", "answers"],
)
"""Which of the three grades of an assessment disagree, or whether the reviewer changed answers.

- `declared_derived`: the declared grade and the one that the answers give
- `derived_reviewed`: the grade that the answers give and the one of the review
- `declared_reviewed`: the declared grade and the one of the review
- `answers`: the reviewer gave other answers than the assessor
"""

PositionTaken = TypeAliasType(
    "PositionTaken",
    Literal["agree", "dissent"],
)
"""What an organization that takes part in a programme says of an assessment that another one submitted.

- `agree`: it agrees
- `dissent`: it does not, and says why
"""

AnswerChange = TypeAliasType(
    "AnswerChange",
    Literal["improved", "fell", "same", "only_earlier", "only_later", "not_comparable"],
)
"""How an answer changed from one assessment to a later one.

- `improved`: the later answer is higher on the scale
- `fell`: the later answer is lower on the scale
- `same`: both answers are the same
- `only_earlier`: only the earlier assessment has an answer
- `only_later`: only the later assessment has an answer
- `not_comparable`: the rubric, the words of the criterion or the scale are others, or one answer is that the criterion
  does not apply; the answers stand side by side
"""

GradeBasis = TypeAliasType(
    "GradeBasis",
    Literal["declared", "derived", "reviewed"],
)
"""Which of the three grades of an assessment counts.

- `declared`: stated by the organization
- `derived`: computed from its answers by the rule of the rubric
- `reviewed`: what the review found: on an appeal, else in a settlement, else the first one
"""

Year = Annotated[int, Field(strict=True, ge=2000, le=2100, examples=[2025]), WHOLE]


def _as_sent(stored: Any) -> Any:
    of_numbers = isinstance(stored, dict) and isinstance(stored.get("numerator"), int)
    return share(stored["numerator"], stored["denominator"]) if of_numbers else stored


# A share that older records store as two integers.
StoredShare = Annotated[Share, BeforeValidator(_as_sent)]


class PlannedAction(ResponseModel):
    """An action that follows from an answer: what is to be done, by whom, until when."""

    action: LongText
    """What is to be done, in words."""
    owner: Line
    """The role or unit that does it; never the name of a person."""
    due: date
    """Day by which it is to be done."""
    code: Annotated[Code | None, Field(exclude_if=not_)] = None
    """Code under which it goes on by itself, at `/markers/v1/actions`; left out in drafts."""
    done: Annotated[date | None, Field(exclude_if=not_)] = None
    """Day on which it was done, as it was stated with it before actions went on by themselves; left out elsewhere."""


class PlannedActionSent(RequestModel):
    """An action that follows from an answer: what is to be done, by whom, until when."""

    action: LongText
    """What is to be done, in words."""
    owner: Line
    """The role or unit that does it; not the name of a person, since it becomes public."""
    due: Day
    """Day by which it is to be done."""


class CriterionAnswerSent(RequestModel):
    """An answer to one criterion, and what supports it."""

    answer: Answer
    """Value of an answer of the rubric's scale, such as `2`, or `not_applicable` where the criterion allows it."""
    justification: LongText | None = None
    """Why this answer is the right one; needed before the draft is submitted."""
    checks: Annotated[list[Code], Field(default_factory=list, max_length=50)]
    """Codes of the checks of the criterion that are ticked, where the rubric has checks."""
    evidence: Annotated[list[EvidenceSent], Field(default_factory=list, max_length=20)]
    """Where a reader finds what the answer rests on."""
    actions: Annotated[list[PlannedActionSent], Field(default_factory=list, max_length=20)]
    """What is to be done because of the answer."""


class AssessmentContent(PatchModel):
    """The content of a draft. A member or an answer that is not sent stays as it is; null removes an answer."""

    answers: Annotated[dict[Code, CriterionAnswerSent | None], Field(default_factory=unset, max_length=200)]
    """Answers by code of the criterion; null removes one."""
    due_diligence: Annotated[list[RiskSent], Field(default_factory=unset, max_length=100)]
    """Risks to human rights that the organization has found; the list replaces the one that was there."""
    document_date: Annotated[
        Day | None,
        Field(
            default_factory=unset,
            description="Day of the document that is assessed, such as that of the programme document; needed before"
            " the draft is submitted, and left out where a year says what is assessed.",
            examples=["2024-03-15"],
        ),
    ]
    declared_grade: Annotated[
        Code | None,
        Field(
            default_factory=unset,
            description="Code of the grade as the organization sees it, whatever the answers give; needed"
            " where the rubric leaves it to the assessor; null for none.",
        ),
    ]


class AssessmentSent(AssessmentContent):
    """A new draft of an assessment of a programme at one stage of its life.

    Where the programme was assessed at that stage before, the draft is the next version, and begins with the content of
    the one before it if the rubric is the same.
    """

    programme: Code
    """Code of the programme, as at `/catalog/v1/programmes`, such as `ETH-01`."""
    stage: AssessmentStage
    """Stage of the programme's life at which it is assessed."""
    year: Year | None = None
    """Year of the annual report or evaluation; needed at these stages, and left out at others."""
    rubric: Code | None = None
    """Code of a rubric with its version, as at `/markers/v1/rubrics`; without it, that of the human-rights marker which
    is in force: an official one before an illustrative one, and then the one published last. One that is superseded
    is for corrections of an assessment under it alone.
    """


class ReviewedAnswerSent(RequestModel):
    """The answer that the reviewer gives where the assessor's does not hold, and why."""

    answer: Answer
    """Value of an answer of the rubric's scale that holds instead; another one than the assessor's."""
    reason: LongText
    """Why the assessor's answer does not hold."""


class ReviewSent(RequestModel):
    """What a reviewer decides on a submitted assessment."""

    decision: ReviewDecision
    """Whether the assessment is accepted, or returned to be corrected."""
    comment: LongText
    """The reviewer's reasons, for the organization and the public."""
    answers: Annotated[dict[Code, ReviewedAnswerSent], Field(default_factory=dict, max_length=200)]
    """Answers in place of the assessor's, by code of the criterion; those that are not sent stay."""
    grade: Code | None = None
    """Code of the grade that the review finds; needed where the rubric leaves it to the assessor, left out elsewhere.
    """


class PositionSent(RequestModel):
    """What an organization says of an assessment that another one has submitted, in place of what it said before."""

    position: PositionTaken
    """Whether it agrees with the assessment, or dissents."""
    reason: LongText | None = None
    """Why, for the public; needed where it dissents."""
    answers: Annotated[dict[Code, ReviewedAnswerSent], Field(default_factory=dict, max_length=200)]
    """Answers that it would have given in place of the submitted ones, by code of the criterion, where it dissents."""


class DeclarationSource(RequestModel):
    """The document in which a grade was declared, and the place in it."""

    document: Line
    """Title of the document, with its date or version where it has one, such as Joint programme document, June 2022."""
    locator: Line
    """Place in the document, such as cover page or section 4.2."""
    url: Url | None = None
    """Address at which it is published."""


class DeclarationSent(RequestModel):
    """A grade that an organization stated in the past, without answers to a rubric.

    What was declared of the same programme, marker, stage and year before is corrected by naming it in `corrects`.
    """

    programme: Code
    """Code of the programme, as at `/catalog/v1/programmes`, such as `ETH-01`."""
    marker: Code
    """Code of the marker, such as `human_rights`."""
    stage: AssessmentStage
    """Stage of the programme's life for which it was declared."""
    year: Year | None = None
    """Year of the annual report or evaluation; needed at these stages, and left out at others."""
    grade: Code
    """Code of the grade that was declared, such as `B`."""
    date: Day
    """Day on which it was declared; not in the future."""
    organization: Annotated[
        ListedCode,
        Field(description="Code of the organization that declared the grade; it takes part in the programme."),
    ]
    source: DeclarationSource
    """Where the declaration is written."""
    corrects: Code | None = None
    """Code of the declared grade that this one corrects; left out for the first one."""


class WithdrawalSent(RequestModel):
    """Why a declared grade is taken back."""

    reason: Annotated[LongText, Field(max_length=2000, description="Why it does not hold, for the public.")]


class CriterionAnswer(ResponseModel):
    """An answer to one criterion, and what supports it."""

    answer: Answer
    """Value of an answer of the rubric's scale, such as `2`, or `not_applicable`."""
    justification: str | None
    """Why this answer is the right one; null where nothing was stated."""
    checks: Annotated[list[Code], Field(default_factory=list, exclude_if=not_)]
    """Codes of the checks of the criterion that are ticked; left out where none is."""
    evidence: list[Evidence]
    """Where a reader finds what the answer rests on: in a draft all of it, in an assessment what is public."""
    evidence_restricted: Annotated[int, Field(exclude_if=not_)] = 0
    """Number of further pieces of evidence, which are restricted; left out where there is none."""
    actions: list[PlannedAction]
    """What is to be done because of the answer, as it was planned with it; how far it has come is at
    `/markers/v1/actions`.
    """


class AssessmentDraft(ResponseModel):
    """An assessment before it is submitted, which the organizations that take part in the programme see and write."""

    code: Code
    """Code of the draft, such as `D-7K3M9QWT`; the assessment gets one of its own when it is submitted."""
    organization: Code
    """Code of the organization that began it, as at `/catalog/v1/organizations`, such as `ILO`; the history says which
    one wrote what.
    """
    programme: Code
    """Code of the programme, as at `/catalog/v1/programmes`, such as `ETH-01`."""
    stage: AssessmentStage
    """Stage of the programme's life at which it is assessed."""
    year: int | None
    """Year of the annual report or evaluation; null at other stages."""
    document_date: date | None
    """Day of the document that is assessed; null where it is not stated yet, and where there is a year."""
    version: int
    """Number of the version, from 1, of the assessment of the programme at this stage, for an annual report or an
    evaluation in this year.
    """
    corrects: Code | None
    """Code of the version that this one corrects; null for the first."""
    rubric: RubricUsed
    """The rubric whose criteria are answered."""
    answers: dict[str, CriterionAnswer]
    """The answers so far, by code of the criterion."""
    due_diligence: list[Risk]
    """Risks to human rights that were found, and what is done about them."""
    earlier_actions: Annotated[list[OpenAction], Field(default_factory=list)]
    """The actions and measures of earlier assessments of the programme that were open when the draft was last written;
    they go on by themselves until each is ended, and are not stated anew.
    """
    declared_grade: Code | None
    """Code of the grade as the organization sees it; null where it declares none."""
    grade: Code | None
    """Code of the grade that the answers give so far; null while one is missing, and where the assessor sets it."""
    missing: list[Code]
    """Codes of the criteria of the stage without an answer."""
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""


class DerivedGrade(ResponseModel):
    """The grade that the rule of a rubric gives for answers; `/markers/v1/assessments/{code}/score` explains it."""

    grade: Code | None
    """Code of the grade; null where the rubric leaves it to the assessor."""
    before_gates: Code | None
    """Code of the grade that the points alone would give, before gates; null where there is no grade."""
    share: StoredShare | None
    """Points had, as a share of those to be had; null where the rubric leaves the grade to the assessor."""
    reason: str
    """How the grade comes about, for people."""


class ReviewedAnswer(ResponseModel):
    """An answer of the reviewer in place of the assessor's."""

    answer: Answer
    """Value that the reviewer gave."""
    instead_of: Answer
    """Value that the assessor had given."""
    reason: str
    """Why the assessor's answer does not hold."""


class Review(ResponseModel):
    """What the reviewer decided, and the grade that the review found."""

    decision: ReviewDecision
    """Whether the assessment was accepted or returned."""
    organization: Code | None
    """Code of the reviewer's organization; null for the operator."""
    at: datetime
    """Time of the review, in UTC."""
    comment: str
    """The reviewer's reasons."""
    answers: dict[str, ReviewedAnswer]
    """The answers that the reviewer gave in place of the assessor's, by code of the criterion."""
    derived: DerivedGrade
    """The grade that the answers give with the reviewer's in place of the assessor's."""
    grade: Code
    """Code of the grade that the review found: the derived one, or the one that the reviewer set."""


class StatedPosition(ResponseModel):
    """What an organization that takes part in the programme says of the assessment that another one submitted."""

    organization: Code
    """Code of the organization."""
    position: PositionTaken
    """Whether it agrees or dissents."""
    reason: str | None
    """Why; null where it agrees and gave no reason."""
    answers: dict[str, ReviewedAnswer]
    """The answers that it would have given in place of the submitted ones, by code of the criterion; they count for
    nothing.
    """
    at: datetime
    """Time at which it was stated, in UTC."""


class Appeal(ResponseModel):
    """The appeal of an organization that takes part against a review, and what another reviewer decided on it."""

    organization: Code
    """Code of the organization that appealed, as at `/catalog/v1/organizations`, such as `ILO`."""
    at: datetime
    """Time of the appeal, in UTC."""
    comment: str
    """Why the review does not hold."""
    reasons: dict[str, str]
    """Why answers of the review do not hold, by code of the criterion."""
    decided: Review | None
    """What the other reviewer decided, which counts from then on; null while the appeal is open."""


class CatalogueCheck(ResponseModel):
    """How complete the copy of the catalogue was that an assessment was checked against."""

    reached: int
    """Last change of the catalogue that was copied, by `seq` in its feed of changes."""
    caught_up: datetime | None
    """When the copy last had every change, in UTC; null where it never had."""
    age_seconds: int | None
    """Seconds between then and the check; null where it never had every change."""


class Assessment(ResponseModel):
    """One version of an assessment, as it was submitted or declared. Its answers never change: the positions of other
    organizations and its review are added, and a correction is a new version.

    Three grades stand side by side, and can disagree: what the organization declares, what the answers give, and what
    the review found.
    """

    code: Code
    """Code of the assessment, such as `A-000001`; each version has one of its own."""
    programme: Code
    """Code of the programme, as at `/catalog/v1/programmes`, such as `ETH-01`."""
    title: str | None
    """Title of the programme in the catalogue at the time; null where it had none."""
    marker: Code
    """Code of the marker, such as `human_rights`."""
    stage: AssessmentStage
    """Stage of the programme's life at which it was assessed."""
    year: int | None
    """Year of the annual report or evaluation; null at other stages."""
    document_date: date | None
    """Day of the document that was assessed; null where there is a year, for a grade that was only declared, and where
    it was submitted before the day was asked for.
    """
    assessed_on: date
    """Day of what was assessed, by which the latest grade is found: the last one of the year, or that of the document;
    where no document has one, the day of the submission or declaration.
    """
    version: int
    """Number of the version, from 1, of the assessment of the programme at this stage, for an annual report or an
    evaluation in this year.
    """
    corrects: Code | None
    """Code of the version that this one corrects; null for the first."""
    organization: Code
    """Code of the organization that submitted or declared it, as at `/catalog/v1/organizations`, such as `ILO`."""
    status: AssessmentStatus
    """Whether it waits for its review, was returned, accepted, or withdrawn."""
    grade: Code
    """Code of the grade that counts: the reviewed one, before a review the derived one, and without that the declared
    one. While an appeal is open it is that of the review.
    """
    basis: GradeBasis
    """Which of the three grades `grade` is."""
    answered: bool
    """Whether there are answers; false for a grade that was only declared."""
    rubric: RubricUsed | None
    """The rubric whose criteria were answered; null for a grade that was only declared."""
    declared_grade: Code | None
    """Code of the grade as the organization sees it; null where it declares none."""
    derived: DerivedGrade | None
    """The grade that the answers give; null for a grade that was only declared."""
    reviewed: Review | None
    """What the reviewer decided, or the first one where two rated it; null where there was no review yet."""
    second_review: Review | None
    """What another reviewer found who did not know the first review; null where it was rated once."""
    settlement: Review | None
    """What a third reviewer decided, who knew both; it counts. Null where decision and grade of two were the same."""
    appeal: Appeal | None
    """The appeal against the review, and what was decided on it; null where there was none."""
    positions: list[StatedPosition]
    """What the other organizations that take part in the programme said of it before it was reviewed, one each."""
    differences: list[GradeDifference]
    """What of the three grades and of the answers disagrees; empty where nothing does."""
    answers: dict[str, CriterionAnswer]
    """The assessor's answers, by code of the criterion; empty for a grade that was only declared."""
    due_diligence: list[Risk]
    """Risks to human rights that were found, and what is done about them: those that are public."""
    due_diligence_restricted: int
    """Number of further risks, which are restricted."""
    earlier_actions: list[Code]
    """Codes of the actions and measures of earlier assessments that were open when it was submitted, as at
    `/markers/v1/actions`.
    """
    submitted: date
    """Day on which it was submitted or declared."""
    catalogue: CatalogueCheck
    """The state of the copy of the catalogue that it was checked against."""
    sources: list[SourceRef]
    """Where its content was stated: the submission itself, or the document of a declared grade."""
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""


class RestrictedContent(ResponseModel):
    """What of an assessment is restricted, as it was submitted."""

    code: Code
    """Code of the assessment, such as `A-000001`."""
    programme: Code
    """Code of the programme, as at `/catalog/v1/programmes`, such as `ETH-01`."""
    evidence: dict[str, list[Evidence]]
    """The restricted evidence of answers, by code of the criterion."""
    due_diligence: list[Risk]
    """The restricted risks to human rights that were found, and what is done about them."""
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""


class AssessmentPage(Page[Assessment]):
    """One page of assessments."""


class AssessmentDraftPage(Page[AssessmentDraft]):
    """One page of drafts."""


class ComparedAnswer(ResponseModel):
    """The answers of two assessments to one criterion."""

    criterion: Code
    """Code of the criterion in the rubric, such as `due-diligence`."""
    question: str
    """The question of the criterion, in the language of the rubric."""
    earlier: Answer | None
    """Answer in the earlier assessment; null where there is none."""
    later: Answer | None
    """Answer in the later assessment; null where there is none."""
    change: AnswerChange
    """Whether the answer is higher, lower or the same on the scale of the rubric, or cannot be compared."""


class AssessmentComparison(ResponseModel):
    """How the answers that count changed from one assessment of a programme to a later one; a reviewer's answer counts
    before an assessor's.
    """

    programme: Code
    """Code of the programme that both assess."""
    earlier: Code
    """Code of the earlier assessment."""
    later: Code
    """Code of the later assessment."""
    earlier_grade: Code
    """Code of the grade that counts in the earlier one."""
    later_grade: Code
    """Code of the grade that counts in the later one."""
    same_rubric: bool
    """Whether both answer the same version of a rubric, so that the questions are the same."""
    counts: dict[AnswerChange, int]
    """Number of criteria by how they changed."""
    criteria: list[ComparedAnswer]
    """Each criterion that either answers, with both answers."""
    revision: int
    """Number of the last write that the answer contains; it only grows, and `as_of` takes it to read the same data
    again.
    """


# The examples of request bodies in the contract; each is valid with the packaged data.
EXAMPLE_ANSWER: dict[str, JsonValue] = {
    "answer": 2,
    "justification": "The analysis names the obligations and who carries them.",
    "evidence": [
        {
            "title": "Programme document",
            "kind": "programme_document",
            "document": "Joint programme document",
            "locator": "section 2.1",
        }
    ],
    "actions": [],
}
EXAMPLE_ACTION: dict[str, JsonValue] = {
    "action": "Agree on referral with the ombudsperson.",
    "owner": "Programme team",
    "due": "2026-06-30",
}
_EXAMPLE_CRITERIA = (
    "obligations-analysis", "due-diligence", "equality", "participation", "rights-holders-capacity",
    "duty-bearers-capacity",
)  # fmt: skip
EXAMPLE_ANSWERS: dict[str, JsonValue] = {
    **dict.fromkeys(_EXAMPLE_CRITERIA, EXAMPLE_ANSWER),
    "equality": {
        **EXAMPLE_ANSWER,
        "answer": 1,
        "justification": "Data are not yet divided by sex.",
        "actions": [EXAMPLE_ACTION],
    },
    "national-institutions": {
        "answer": "not_applicable",
        "justification": "There is no institution of this kind in the country.",
    },
}
EXAMPLE_RISK: dict[str, JsonValue] = {
    "risk": "Data of migrants could reach authorities that use them for removals.",
    "people": "Migrants in an irregular situation",
    "measure": "Firewalls between services and enforcement are agreed before data are collected.",
    "owner": "Programme team",
    "due": "2026-03-31",
}
EXAMPLE_DRAFT: dict[str, JsonValue] = {
    "programme": "IRQ-JOR-LBN-01",
    "stage": "concept_note",
    "document_date": "2026-01-15",
    "answers": EXAMPLE_ANSWERS,
    "due_diligence": [EXAMPLE_RISK],
}
EXAMPLE_AMENDMENT: dict[str, JsonValue] = {"answers": {"participation": {**EXAMPLE_ANSWER, "answer": 1}}}
EXAMPLE_REVIEW: dict[str, JsonValue] = {
    "decision": "accept",
    "comment": "Well founded, save for one answer.",
    "answers": {"due-diligence": {"answer": 1, "reason": "The measures have no date."}},
}
EXAMPLE_POSITION: dict[str, JsonValue] = {
    "position": "dissent",
    "reason": "Our offices were not asked about participation.",
    "answers": {"participation": {"answer": 1, "reason": "One association was heard, and it had no say."}},
}
EXAMPLE_DECLARATION: dict[str, JsonValue] = {
    "programme": "ETH-01",
    "marker": "human_rights",
    "stage": "annual_report",
    "year": 2023,
    "grade": "B",
    "date": "2024-03-31",
    "organization": "ILO",
    "source": {"document": "Annual report 2023", "locator": "Cover page"},
}
EXAMPLE_WITHDRAWAL: dict[str, JsonValue] = {"reason": "The document is a draft that was not signed."}
