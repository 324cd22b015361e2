"""The wire shapes of assessments: what is sent to draft and review them, and what readers get."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, JsonValue
from typing_extensions import TypeAliasType

from mmptf_common.wire.base import Code, Day, ListedCode, PatchModel, RequestModel, ResponseModel, Text, unset, worded
from mmptf_common.wire.pages import Page
from mmptf_common.wire.shares import Share, share
from mmptf_common.wire.sources import SourceRef
from mmptf_markers.engine.results import Answer, RubricUsed
from mmptf_markers.engine.rubric import AssessmentStage

AssessmentStatus = TypeAliasType(
    "AssessmentStatus",
    Literal["submitted", "returned", "accepted"],
)
"""How far a submitted assessment has come.

- `submitted`: it waits for its review
- `returned`: the reviewer returned it to be corrected
- `accepted`: the reviewer accepted it, or it is a declaration
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
"""What differs between the grades of an assessment.

- `declared_derived`: the declared grade and the one that the answers give
- `derived_reviewed`: the grade that the answers give and the one of the review
- `declared_reviewed`: the declared grade and the one of the review
- `answers`: the reviewer gave other answers than the assessor
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
- `not_comparable`: the scales differ, or one answer is that the criterion does not apply
"""

GradeBasis = TypeAliasType(
    "GradeBasis",
    Literal["declared", "derived", "reviewed"],
)
"""How the grade that counts was found.

- `declared`: stated by the organization
- `derived`: computed from the answers
- `reviewed`: found by the review
"""

Year = Annotated[int, Field(ge=2000, le=2100, examples=[2025])]
LongText = Annotated[Text, Field(max_length=4000)]
Line = Annotated[Text, Field(max_length=300)]
Url = Annotated[
    str,
    Field(
        pattern=worded(
            r"^https?://[^\s\x00-\x1f\x7f\x85]+$",
            "an address that begins with http:// or https:// and has no spaces, such as https://example.org/report.pdf",
        ),
        max_length=2000,
    ),
]


def _as_sent(stored: Any) -> Any:
    of_numbers = isinstance(stored, dict) and isinstance(stored.get("numerator"), int)
    return share(stored["numerator"], stored["denominator"]) if of_numbers else stored


# A share that older records store as two integers.
StoredShare = Annotated[Share, BeforeValidator(_as_sent)]


class Evidence(ResponseModel):
    """Where a reader finds what an answer rests on: a link, a document with the place in it, or both."""

    title: Line
    """What it is, for people."""
    url: Url | None
    """Where it is published; null where it is not."""
    document: Line | None
    """Title of the document; null where there is only a link."""
    locator: Line | None
    """Where in the document; null where that is not stated."""


class EvidenceSent(RequestModel):
    """Where a reader finds what an answer rests on: a link, a document with the place in it, or both."""

    title: Line
    """What it is, for people."""
    url: Url | None = None
    """Where it is published."""
    document: Line | None = None
    """Title of the document; without a `url` it is needed."""
    locator: Line | None = None
    """Where in the document, such as a section."""


class PlannedAction(ResponseModel):
    """What is to be done, by whom, until when; `done` is the day on which it was."""

    action: LongText
    """What is to be done."""
    owner: Line
    """The role or unit that does it; no name of a person."""
    due: date
    """Day by which it is to be done."""
    done: date | None
    """Day on which it was done; null while it is open."""


class PlannedActionSent(RequestModel):
    """What is to be done, by whom, until when; `done` is the day on which it was."""

    action: LongText
    """What is to be done."""
    owner: Line
    """The role or unit that does it; no name of a person."""
    due: Day
    """Day by which it is to be done."""
    done: Day | None = None
    """Day on which it was done."""


class CriterionAnswerSent(RequestModel):
    """An answer to one criterion: a value of the rubric's scale or `not_applicable`, and what supports it."""

    answer: Answer
    """Value of a level of the rubric's scale, or `not_applicable` where the criterion allows it."""
    justification: LongText | None = None
    """Why this answer is the right one."""
    evidence: Annotated[list[EvidenceSent], Field(default_factory=list, max_length=20)]
    """Where a reader finds what it rests on."""
    actions: Annotated[list[PlannedActionSent], Field(default_factory=list, max_length=20)]
    """What is to be done about it."""


class RiskSent(RequestModel):
    """A risk to human rights that due diligence has found, and what is done about it."""

    risk: LongText
    """What could happen."""
    people: Annotated[Line, Field(description="Whose rights are at risk.")]
    measure: LongText
    """What is done about it."""
    owner: Line
    """The role or unit that does it; no name of a person."""
    due: Day | None = None
    """Day by which it is to be done."""


class AssessmentContent(PatchModel):
    """The content of an assessment. A member or an answer that is not sent stays as it is; null removes an answer."""

    answers: Annotated[dict[Code, CriterionAnswerSent | None], Field(default_factory=unset, max_length=200)]
    """Answers by criterion; null removes one."""
    due_diligence: Annotated[list[RiskSent], Field(default_factory=unset, max_length=100)]
    """Risks that due diligence has found; they replace those that were there."""
    declared_grade: Annotated[
        Code | None,
        Field(default_factory=unset, description="The grade as the organization sees it, whatever the answers give."),
    ]


class AssessmentSent(AssessmentContent):
    """A new assessment of a programme at a stage of its life; `year` belongs to annual reports alone.

    Without `rubric` (the code of one version) it is the newest of the human-rights marker. What was returned or
    accepted before is begun with its answers, where the rubric is the same.
    """

    programme: Code
    """Code of the programme."""
    stage: AssessmentStage
    """Stage of the programme's life at which it is assessed."""
    year: Year | None = None
    """Year of an annual report; not sent for other stages."""
    rubric: Code | None = None
    """Code of one version of a rubric, as at `/markers/v1/rubrics`."""


class ReviewedAnswerSent(RequestModel):
    """The answer that the reviewer gives where the assessor's does not hold, and why."""

    answer: Answer
    """Value that the reviewer gives."""
    reason: LongText
    """Why the assessor's answer does not hold."""


class ReviewSent(RequestModel):
    """What the reviewer decides; `grade` is given where the rubric leaves it to the assessor, and only there."""

    decision: ReviewDecision
    """Whether the assessment is accepted, or returned to be corrected."""
    comment: LongText
    """The reviewer's reasons."""
    answers: Annotated[dict[Code, ReviewedAnswerSent], Field(default_factory=dict, max_length=200)]
    """Answers in place of the assessor's, by criterion."""
    grade: Code | None = None
    """Code of the grade, under a rubric that leaves it to the assessor."""


class DeclarationSent(RequestModel):
    """A grade that was declared in the past, and of which no answers are held."""

    programme: Code
    """Code of the programme."""
    marker: Code
    """Code of the marker."""
    stage: AssessmentStage
    """Stage of the programme's life for which it was declared."""
    year: Year | None = None
    """Year of an annual report; not sent for other stages."""
    grade: Code
    """Code of the grade that was declared."""
    date: Day
    """Day on which it was declared."""
    organization: Annotated[ListedCode, Field(description="Who declared it.")]
    source: Annotated[Line, Field(description="Where that is written.")]


class Risk(ResponseModel):
    """A risk to human rights that due diligence has found, and what is done about it."""

    risk: str
    """What could happen."""
    people: str
    """Whose rights are at risk."""
    measure: str
    """What is done about it."""
    owner: str
    """The role or unit that does it."""
    due: date | None
    """Day by which it is to be done; null where none is set."""


class CriterionAnswer(ResponseModel):
    """An answer to one criterion, and what supports it."""

    answer: Answer
    """Value of a level of the rubric's scale, or `not_applicable`."""
    justification: str | None
    """Why this answer is the right one; null where nothing was stated."""
    evidence: list[Evidence]
    """Where a reader finds what it rests on."""
    actions: list[PlannedAction]
    """What is to be done about it."""


class AssessmentDraft(ResponseModel):
    """An assessment before it is submitted: seen by its organization alone.

    `missing` are the criteria without an answer, `grade` is what the answers give so far, null while any is missing.
    """

    code: Code
    """Code of the assessment, such as `A-000001`; each version has one of its own."""
    organization: Code
    """Code of the organization that it belongs to."""
    programme: Code
    """Code of the programme."""
    stage: AssessmentStage
    """Stage of the programme's life at which it is assessed."""
    year: int | None
    """Year of an annual report; null for other stages."""
    version: int
    """Number of the version, from 1; a correction has the next one."""
    corrects: Code | None
    """Code of the version that this one corrects; null for the first."""
    rubric: RubricUsed
    """The rubric whose criteria are answered."""
    answers: dict[str, CriterionAnswer]
    """The answers, by criterion."""
    due_diligence: list[Risk]
    """Risks to human rights that were found, and what is done about them."""
    declared_grade: Code | None
    """Code of the grade as the organization sees it; null where it declares none."""
    grade: Code | None
    """Code of the grade that the answers give so far; null while any is missing."""
    missing: list[Code]
    """Codes of the criteria without an answer."""
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""


class DerivedGrade(ResponseModel):
    """The grade that answers give under the rubric; `/assessments/{code}/score` explains it; null if manual."""

    grade: Code | None
    """Code of the grade; null under a rule that leaves it to the assessor."""
    before_gates: Code | None
    """The grade without the gates; null where there is none."""
    share: StoredShare | None
    """Points had of those to be had; null where the rule counts no points."""
    reason: str
    """How the grade comes about, for people."""


class ReviewedAnswer(ResponseModel):
    """An answer that the reviewer has given in the place of the assessor's."""

    answer: Answer
    """Value that the reviewer gave."""
    instead_of: Answer
    """Value that the assessor had given."""
    reason: str
    """Why."""


class Review(ResponseModel):
    """What the reviewer decided; `answers` are those that differ, and `derived` is what comes of them."""

    decision: ReviewDecision
    """Whether the assessment was accepted or returned."""
    organization: Code | None
    """Code of the reviewer's organization; null for the operator."""
    at: datetime
    """When it was decided, in UTC."""
    comment: str
    """The reviewer's reasons."""
    answers: dict[str, ReviewedAnswer]
    """Answers that differ from the assessor's, by criterion."""
    derived: DerivedGrade
    """The grade that the reviewed answers give."""
    grade: Code
    """Code of the grade that the review found."""


class CatalogueCheck(ResponseModel):
    """How far the copy of the catalogue had come that an assessment was checked against, and how old it was then."""

    reached: int
    """Position in the catalogue's feed up to which the copy reached."""
    caught_up: datetime | None
    """When the copy last had every change, in UTC; null where it never had."""
    age_seconds: int | None
    """Seconds since then, at the time of the check; null where it never had."""


class Assessment(ResponseModel):
    """One version of an assessment, as it was submitted: its answers never change, a correction is another version.

    Three grades stand side by side: `declared_grade` by the organization, `derived` from its answers, and `reviewed`.
    `grade` is the one that counts: what the organization reports (derived, or declared where the rubric is manual or
    nothing else is known), and from the review on what the review found. `basis` says which one it is.
    """

    code: Code
    """Code of the assessment, such as `A-000001`; each version has one of its own."""
    programme: Code
    """Code of the programme."""
    title: str | None
    """Title of the programme in the catalogue; null where it has none."""
    marker: Code
    """Code of the marker, such as `human_rights`."""
    stage: AssessmentStage
    """Stage of the programme's life at which it was assessed."""
    year: int | None
    """Year of an annual report; null for other stages."""
    version: int
    """Number of the version, from 1; a correction has the next one."""
    corrects: Code | None
    """Code of the version that this one corrects; null for the first."""
    organization: Code
    """Code of the organization that assessed it."""
    status: AssessmentStatus
    """Whether it waits for its review, was returned, or accepted."""
    grade: Code
    """Code of the grade that counts."""
    basis: GradeBasis
    """Which of the three grades counts."""
    answered: bool
    """Whether answers are held; false for a grade that was only declared."""
    rubric: RubricUsed | None
    """The rubric whose criteria were answered; null for a declaration."""
    declared_grade: Code | None
    """Code of the grade as the organization sees it; null where it declares none."""
    derived: DerivedGrade | None
    """The grade that the answers give; null for a declaration."""
    reviewed: Review | None
    """What the reviewer decided; null before that."""
    differences: list[GradeDifference]
    """Which of the grades or answers differ from one another."""
    answers: dict[str, CriterionAnswer]
    """The answers, by criterion."""
    due_diligence: list[Risk]
    """Risks to human rights that were found, and what is done about them."""
    submitted: date
    """Day on which it was submitted or declared."""
    catalogue: CatalogueCheck
    """The state of the catalogue's copy that it was checked against."""
    sources: list[SourceRef]
    """Where it is stated."""
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""


class AssessmentPage(Page[Assessment]):
    """One page of assessments."""


class AssessmentDraftPage(Page[AssessmentDraft]):
    """One page of drafts."""


class ComparedAnswer(ResponseModel):
    """One criterion in both: `change` is `not_comparable` where the scales differ or the criterion does not apply."""

    criterion: Code
    """Code of the criterion in the rubric."""
    question: str
    """The question of the criterion."""
    earlier: Answer | None
    """Answer in the earlier assessment; null where there is none."""
    later: Answer | None
    """Answer in the later assessment; null where there is none."""
    change: AnswerChange
    """How the answer changed."""


class AssessmentComparison(ResponseModel):
    """What improved and what fell from one assessment of a programme to a later one, by the answers that count."""

    programme: Code
    """Code of the programme."""
    earlier: Code
    """Code of the earlier assessment."""
    later: Code
    """Code of the later assessment."""
    earlier_grade: Code
    """Code of the grade that counts in the earlier one."""
    later_grade: Code
    """Code of the grade that counts in the later one."""
    same_rubric: bool
    """Whether both answer the same version of a rubric."""
    counts: dict[AnswerChange, int]
    """Number of criteria by how they changed."""
    criteria: list[ComparedAnswer]
    """Each criterion of either, with both answers."""
    revision: int
    """Number of the last write that the answer contains; it only grows, and `as_of` takes it to read the same data
    again.
    """


# The examples of request bodies in the contract; each is valid with the packaged data.
EXAMPLE_ANSWER: dict[str, JsonValue] = {
    "answer": 2,
    "justification": "The analysis names the obligations and who carries them.",
    "evidence": [{"title": "Programme document", "document": "Joint programme document", "locator": "section 2.1"}],
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
    "answers": EXAMPLE_ANSWERS,
    "due_diligence": [EXAMPLE_RISK],
}
EXAMPLE_AMENDMENT: dict[str, JsonValue] = {"answers": {"participation": {**EXAMPLE_ANSWER, "answer": 1}}}
EXAMPLE_REVIEW: dict[str, JsonValue] = {
    "decision": "accept",
    "comment": "Well founded, save for one answer.",
    "answers": {"due-diligence": {"answer": 1, "reason": "The measures have no date."}},
}
EXAMPLE_DECLARATION: dict[str, JsonValue] = {
    "programme": "SRB-01",
    "marker": "human_rights",
    "stage": "programme_document",
    "grade": "B",
    "date": "2022-06-30",
    "organization": "IOM",
    "source": "Cover page of the joint programme document",
}
