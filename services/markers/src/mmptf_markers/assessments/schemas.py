"""The wire shapes of assessments: what is sent to draft and review them, and what readers get."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, JsonValue

from mmptf_common.wire.base import Code, Day, PatchModel, RequestModel, ResponseModel, Text, unset, worded
from mmptf_common.wire.pages import Page
from mmptf_common.wire.shares import Share, share
from mmptf_common.wire.sources import SourceRef
from mmptf_markers.engine.results import Answer, RubricUsed
from mmptf_markers.engine.rubric import Stage

Status = Literal["submitted", "returned", "accepted"]
Decision = Literal["accept", "return"]
Difference = Literal["declared_derived", "derived_reviewed", "declared_reviewed", "answers"]
Change = Literal["improved", "fell", "same", "only_earlier", "only_later", "not_comparable"]
Year = Annotated[int, Field(ge=2000, le=2100, examples=[2025])]
LongText = Annotated[Text, Field(max_length=4000)]
Line = Annotated[Text, Field(max_length=300)]
Url = Annotated[
    str,
    Field(
        pattern=worded(
            r"^https?://[^\s\x00-\x1f\x7f]+$",
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
    url: Url | None
    document: Line | None
    locator: Line | None


class EvidenceSent(RequestModel):
    """Where a reader finds what an answer rests on: a link, a document with the place in it, or both."""

    title: Line
    url: Url | None = None
    document: Line | None = None
    locator: Line | None = None


class Action(ResponseModel):
    """What is to be done, by whom, until when; `done` is the day on which it was."""

    action: LongText
    owner: Line
    due: date
    done: date | None


class ActionSent(RequestModel):
    """What is to be done, by whom, until when; `done` is the day on which it was."""

    action: LongText
    owner: Line
    due: Day
    done: Day | None = None


class AnswerSent(RequestModel):
    """An answer to one criterion: a value of the rubric's scale or `not_applicable`, and what supports it."""

    answer: Answer
    justification: LongText | None = None
    evidence: Annotated[list[EvidenceSent], Field(default_factory=list, max_length=20)]
    actions: Annotated[list[ActionSent], Field(default_factory=list, max_length=20)]


class RiskSent(RequestModel):
    """A risk to human rights that due diligence has found, and what is done about it."""

    risk: LongText
    people: Annotated[Line, Field(description="Whose rights are at risk.")]
    measure: LongText
    owner: Line
    due: Day | None = None


class AssessmentContent(PatchModel):
    """The content of an assessment. A member or an answer that is not sent stays as it is; null removes an answer."""

    answers: Annotated[dict[Code, AnswerSent | None], Field(default_factory=unset, max_length=200)]
    due_diligence: Annotated[list[RiskSent], Field(default_factory=unset, max_length=100)]
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
    stage: Stage
    year: Year | None = None
    rubric: Code | None = None


class ReviewedAnswerSent(RequestModel):
    """The answer that the reviewer gives where the assessor's does not hold, and why."""

    answer: Answer
    reason: LongText


class ReviewSent(RequestModel):
    """What the reviewer decides; `grade` is given where the rubric leaves it to the assessor, and only there."""

    decision: Decision
    comment: LongText
    answers: Annotated[dict[Code, ReviewedAnswerSent], Field(default_factory=dict, max_length=200)]
    grade: Code | None = None


class DeclarationSent(RequestModel):
    """A grade that was declared in the past, and of which no answers are held."""

    programme: Code
    marker: Code
    stage: Stage
    year: Year | None = None
    grade: Code
    date: Day
    organization: Annotated[Code, Field(description="Who declared it.")]
    source: Annotated[Line, Field(description="Where that is written.")]


class Risk(ResponseModel):
    """A risk to human rights that due diligence has found, and what is done about it."""

    risk: str
    people: str
    measure: str
    owner: str
    due: date | None


class Answered(ResponseModel):
    """An answer to one criterion, and what supports it."""

    answer: Answer
    justification: str | None
    evidence: list[Evidence]
    actions: list[Action]


class AssessmentDraft(ResponseModel):
    """An assessment before it is submitted: seen by its organization alone.

    `missing` are the criteria without an answer, `grade` is what the answers give so far, null while any is missing.
    """

    code: Code
    organization: Code
    programme: Code
    stage: Stage
    year: int | None
    version: int
    corrects: Code | None
    rubric: RubricUsed
    answers: dict[str, Answered]
    due_diligence: list[Risk]
    declared_grade: Code | None
    grade: Code | None
    missing: list[Code]
    updated: datetime


class Derived(ResponseModel):
    """The grade that answers give under the rubric; `/assessments/{code}/score` explains it; null if manual."""

    grade: Code | None
    before_gates: Code | None
    share: StoredShare | None
    reason: str


class ReviewedAnswer(ResponseModel):
    """An answer that the reviewer has given in the place of the assessor's."""

    answer: Answer
    instead_of: Answer
    reason: str


class Review(ResponseModel):
    """What the reviewer decided; `answers` are those that differ, and `derived` is what comes of them."""

    decision: Decision
    organization: Code | None
    at: datetime
    comment: str
    answers: dict[str, ReviewedAnswer]
    derived: Derived
    grade: Code


class CheckedAgainst(ResponseModel):
    """How far the copy of the catalogue had come that an assessment was checked against, and how old it was then."""

    reached: int
    caught_up: datetime | None
    age_seconds: int | None


class Assessment(ResponseModel):
    """One version of an assessment, as it was submitted: its answers never change, a correction is another version.

    Three grades stand side by side: `declared_grade` by the organization, `derived` from its answers, and `reviewed`.
    `grade` is the one that counts: what the organization reports (derived, or declared where the rubric is manual or
    nothing else is known), and from the review on what the review found. `basis` says which one it is.
    """

    code: Code
    programme: Code
    title: str | None
    marker: Code
    stage: Stage
    year: int | None
    version: int
    corrects: Code | None
    organization: Code
    status: Status
    grade: Code
    basis: Literal["declared", "derived", "reviewed"]
    answered: bool
    rubric: RubricUsed | None
    declared_grade: Code | None
    derived: Derived | None
    reviewed: Review | None
    differences: list[Difference]
    answers: dict[str, Answered]
    due_diligence: list[Risk]
    submitted: date
    catalogue: CheckedAgainst
    sources: list[SourceRef]
    updated: datetime


class AssessmentPage(Page[Assessment]):
    """One page of assessments."""


class AssessmentDraftPage(Page[AssessmentDraft]):
    """One page of drafts."""


class Compared(ResponseModel):
    """One criterion in both: `change` is `not_comparable` where the scales differ or the criterion does not apply."""

    criterion: Code
    question: str
    earlier: Answer | None
    later: Answer | None
    change: Change


class Comparison(ResponseModel):
    """What improved and what fell from one assessment of a programme to a later one, by the answers that count."""

    programme: Code
    earlier: Code
    later: Code
    earlier_grade: Code
    later_grade: Code
    same_rubric: bool
    counts: dict[str, int]
    criteria: list[Compared]
    revision: int


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
