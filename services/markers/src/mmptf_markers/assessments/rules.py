"""Rules of assessments: their content, grades and differences, and the errors of drafts, reviews, declarations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from mmptf_common.wire.links import link
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import ErrorDetail, error_detail, unknown_code
from mmptf_common.wire.stored_records import whole_record
from mmptf_markers.actions.schemas import OpenAction
from mmptf_markers.assessments.schemas import (
    Assessment,
    AssessmentContent,
    AssessmentDraft,
    CriterionAnswer,
    DeclarationSent,
    DeclarationSource,
    DerivedGrade,
    GradeDifference,
    PositionSent,
    RestrictedContent,
    Review,
    ReviewedAnswer,
    ReviewedAnswerSent,
    StatedPosition,
)
from mmptf_markers.engine.completeness import CatalogueFacts, StatedAnswer, find_lacking
from mmptf_markers.engine.results import Answer, Score
from mmptf_markers.engine.rubric import YEARLY, AssessmentStage, ManualRule, Rubric, checks_at, criteria_at
from mmptf_markers.evidence.rules import by_visibility, unnamed_evidence
from mmptf_markers.evidence.schemas import Evidence, Risk
from mmptf_markers.rubrics.rules import published_code


@dataclass(frozen=True, slots=True)
class Content:
    """The content of an assessment: answers by criterion, risks, the grade that the organization declares, and the day
    of the document.
    """

    answers: Mapping[str, CriterionAnswer]
    due_diligence: Sequence[Risk]
    declared_grade: str | None
    document_date: date | None


NOTHING_STATED = Content(answers={}, due_diligence=[], declared_grade=None, document_date=None)


def stored_draft(record: Mapping[str, Any]) -> AssessmentDraft:
    """The draft of a stored record, which may be older than some of its members."""
    return whole_record(AssessmentDraft, {"document_date": None, **record})


def stored_assessment(record: Mapping[str, Any]) -> Assessment:
    """The assessment of a stored record, which may be older than some of its members."""
    submitted = date.fromisoformat(record["submitted"])
    day = assessed_on(record["year"], document_date=None, otherwise=submitted)
    lacking = dict.fromkeys(("document_date", "second_review", "settlement", "appeal"))
    return whole_record(Assessment, {**lacking, "assessed_on": day, "positions": [], **record})


def assessed_on(year: int | None, document_date: date | None, *, otherwise: date) -> date:
    """The day of what was assessed: the last one of a year that a report is about, or that of the document."""
    return date(year, 12, 31) if year is not None else document_date or otherwise


def content_of(draft: AssessmentDraft) -> Content:
    """The content of a draft."""
    return Content(draft.answers, draft.due_diligence, draft.declared_grade, draft.document_date)


def initial_content(earlier: Assessment | None, restricted: RestrictedContent | None, rubric: Rubric) -> Content:
    """The content that a new version starts with: the earlier one's under the same rubric, otherwise none.

    What it plans is left out: its actions and measures go on by themselves.
    restricted: what of the earlier version is restricted
    """
    if earlier is None or earlier.rubric is None or published_code(earlier.rubric) != published_code(rubric):
        return NOTHING_STATED
    hidden = restricted.evidence if restricted else {}
    answers = {
        criterion: CriterionAnswer(
            answer=answer.answer,
            justification=answer.justification,
            checks=answer.checks,
            evidence=[*answer.evidence, *hidden.get(criterion, ())],
            actions=[],
        )
        for criterion, answer in earlier.answers.items()
    }
    return Content(answers, [], earlier.declared_grade, earlier.document_date)


def published(
    answers: Mapping[str, CriterionAnswer], due_diligence: Sequence[Risk], code: str, programme: str, at: datetime
) -> tuple[dict[str, CriterionAnswer], list[Risk], RestrictedContent]:
    """The answers and risks of an assessment that everybody reads, and what of it is restricted."""
    shown: dict[str, CriterionAnswer] = {}
    evidence: dict[str, list[Evidence]] = {}
    for criterion, answer in answers.items():
        public, restricted = by_visibility(answer.evidence)
        shown[criterion] = answer.model_copy(update={"evidence": public, "evidence_restricted": len(restricted)})
        if restricted:
            evidence[criterion] = restricted
    public_risks, risks = by_visibility(due_diligence)
    content = RestrictedContent(code=code, programme=programme, evidence=evidence, due_diligence=risks, updated=at)
    return shown, public_risks, content


def amend_content(content: Content, sent: AssessmentContent) -> Content:
    """The amended content: sent members replace stored ones, answers one by one; null removes an answer."""
    stated = sent.model_fields_set
    document_date = content.document_date
    if "document_date" in stated:
        document_date = date.fromisoformat(sent.document_date) if sent.document_date else None
    answers = dict(content.answers)
    for criterion, answer in sent.answers.items() if "answers" in stated else ():
        if answer is None:
            answers.pop(criterion, None)
        else:
            answers[criterion] = CriterionAnswer.model_validate(answer, from_attributes=True)
    return Content(
        answers=answers,
        due_diligence=[Risk.model_validate(risk, from_attributes=True) for risk in sent.due_diligence]
        if "due_diligence" in stated
        else content.due_diligence,
        declared_grade=sent.declared_grade if "declared_grade" in stated else content.declared_grade,
        document_date=document_date,
    )


def answers_of(answers: Mapping[str, CriterionAnswer]) -> dict[str, Answer]:
    """The answers by criterion, without justifications and evidence."""
    return {criterion: answer.answer for criterion, answer in answers.items()}


def checks_of(answers: Mapping[str, CriterionAnswer]) -> dict[str, list[str]]:
    """The ticked checks by criterion, of the criteria that have any."""
    return {criterion: answer.checks for criterion, answer in answers.items() if answer.checks}


def counting_checks(rubric: Rubric, assessment: Assessment, own: Collection[str]) -> dict[str, list[str]]:
    """The ticked checks that count: the assessor's, and all of a criterion to which the reviewer gave an own answer.

    own: the criteria that the reviewer answered
    """
    judged = [criterion for criterion in criteria_at(rubric, assessment.stage) if criterion.code in own]
    return checks_of(assessment.answers) | {
        criterion.code: [check.code for check in checks_at(criterion, assessment.stage)] for criterion in judged
    }


def counting_review(assessment: Assessment) -> Review | None:
    """The review that counts: the one on an appeal, else that of a settlement, else the first; None without any."""
    on_appeal = assessment.appeal and assessment.appeal.decided
    return on_appeal or assessment.settlement or assessment.reviewed


def counting_answers(assessment: Assessment) -> dict[str, Answer]:
    """The answers that count: the assessor's, with the reviewer's own in place of those that the review rejected."""
    counting = counting_review(assessment)
    own = counting.answers if counting else {}
    return answers_of(assessment.answers) | {criterion: answer.answer for criterion, answer in own.items()}


def derive_grade(score: Score) -> DerivedGrade:
    """The grade that answers give, in the form in which assessments store it."""
    return DerivedGrade(
        grade=score.grade, before_gates=score.grade_before_gates, share=score.share, reason=score.reason
    )


def find_differences(
    declared: str | None, derived: DerivedGrade | None, reviewed: Review | None
) -> list[GradeDifference]:
    """The pairs of an assessment's three grades that differ, and `answers` where its reviewer changed answers."""
    found: list[GradeDifference] = []
    of_answers, of_review = derived and derived.grade, reviewed and reviewed.grade
    if declared and of_answers and declared != of_answers:
        found.append("declared_derived")
    if of_answers and of_review and of_answers != of_review:
        found.append("derived_reviewed")
    if declared and of_review and declared != of_review:
        found.append("declared_reviewed")
    if reviewed and reviewed.answers:
        found.append("answers")
    return found


def year_errors(stage: AssessmentStage, year: int | None, today: date) -> list[ErrorDetail]:
    """An error for an annual report or an evaluation without a year, or of a later one, and for a year elsewhere."""
    if stage in YEARLY and year is not None and year > today.year:
        return [error_detail(ProblemCode.IN_THE_FUTURE, f"/year: {year} is not past", pointer="/year")]
    if stage in YEARLY and year is None:
        return [error_detail(ProblemCode.MISSING_MEMBER, f"/year: an {stage} is of a year", pointer="/year")]
    if stage not in YEARLY and year is not None:
        return [error_detail(ProblemCode.NOT_APPLICABLE, f"/year: a {stage} is of no year", pointer="/year")]
    return []


def document_date_errors(stage: AssessmentStage, day: date | None, today: date) -> list[ErrorDetail]:
    """An error for a document that is not written yet, and for the day of one where a year says what is assessed."""
    if day is None:
        return []
    pointer = "/document_date"
    if stage in YEARLY:
        detail = f"{pointer}: of an {stage} the year is stated"
        return [error_detail(ProblemCode.NOT_APPLICABLE, detail, pointer=pointer)]
    if day > today:
        return [error_detail(ProblemCode.IN_THE_FUTURE, f"{pointer}: {day} is not past", pointer=pointer)]
    return []


def evidence_errors(sent: AssessmentContent) -> list[ErrorDetail]:
    """The errors of evidence that nobody can look up."""
    answers = sent.answers if "answers" in sent.model_fields_set else {}
    return [
        error
        for criterion, answer in answers.items()
        for error in unnamed_evidence(answer.evidence if answer else (), f"/answers/{criterion}/evidence")
    ]


def declared_grade_errors(rubric: Rubric, declared: str | None) -> list[ErrorDetail]:
    """An error where the declared grade is none of the rubric's."""
    if declared is None:
        return []
    grades = [grade.code for grade in rubric.grades]
    return [] if declared in grades else [unknown_code("/declared_grade", declared, grades)]


def completeness_errors(
    rubric: Rubric,
    stage: AssessmentStage,
    content: Content,
    missing: Sequence[str],
    programme: CatalogueFacts,
    earlier: Sequence[OpenAction],
) -> list[ErrorDetail]:
    """The errors of an incomplete draft: missing answers, justifications, day, or grade where the answers give none,
    and what the rubric asks for beside them.

    missing: the criteria without an answer
    earlier: the open actions and measures of the programme, which count as its own
    """
    measures = sum(action.kind == "measure" for action in earlier)
    errors = [
        error_detail(
            ProblemCode.MISSING_MEMBER,
            f"/answers/{criterion}: this criterion is not answered",
            pointer=f"/answers/{criterion}",
        )
        for criterion in missing
    ]
    unjustified = [criterion for criterion, answer in content.answers.items() if not answer.justification]
    errors += [
        error_detail(ProblemCode.MISSING_MEMBER, f"{pointer}: say why", pointer=pointer)
        for pointer in (f"/answers/{criterion}/justification" for criterion in unjustified)
    ]
    if stage not in YEARLY and content.document_date is None:
        pointer = "/document_date"
        errors.append(
            error_detail(ProblemCode.MISSING_MEMBER, f"{pointer}: say of which day the document is", pointer=pointer)
        )
    errors += [
        error_detail(finding.code, f"{finding.path}: {finding.reason}", pointer=finding.path)
        for finding in find_lacking(
            rubric, stage, _stated(content.answers, earlier), len(content.due_diligence) + measures, programme
        )
    ]
    if isinstance(rubric.rule, ManualRule) and content.declared_grade is None:
        return [*errors, _grade_missing(rubric, "/declared_grade")]
    return errors + declared_grade_errors(rubric, content.declared_grade)


def own_answer_errors(assessment: Assessment, own: Mapping[str, ReviewedAnswerSent]) -> list[ErrorDetail]:
    """An error for each own answer of a reviewer that is the same as the assessor's."""
    given = answers_of(assessment.answers)
    repeated = [criterion for criterion, answer in own.items() if given.get(criterion) == answer.answer]
    return [
        error_detail(ProblemCode.NOT_ANOTHER, f"{pointer}: that is the assessor's answer", pointer=pointer)
        for pointer in (f"/answers/{criterion}" for criterion in repeated)
    ]


def own_answers(assessment: Assessment, own: Mapping[str, ReviewedAnswerSent]) -> dict[str, ReviewedAnswer]:
    """The answers of somebody else, each with the assessor's which it stands in place of."""
    given = answers_of(assessment.answers)
    return {
        criterion: ReviewedAnswer(answer=answer.answer, instead_of=given[criterion], reason=answer.reason)
        for criterion, answer in own.items()
    }


def position_errors(sent: PositionSent) -> list[ErrorDetail]:
    """An error for a dissent without a reason, and for agreement with other answers."""
    if sent.position == "dissent":
        pointer = "/reason"
        detail = f"{pointer}: say why"
        return [] if sent.reason else [error_detail(ProblemCode.MISSING_MEMBER, detail, pointer=pointer)]
    pointer = "/answers"
    detail = f"{pointer}: whoever agrees has no other answers"
    return [error_detail(ProblemCode.NOT_APPLICABLE, detail, pointer=pointer)] if sent.answers else []


def with_position(assessment: Assessment, position: StatedPosition) -> Assessment:
    """The assessment with an organization's position, in place of its earlier one."""
    others = [stated for stated in assessment.positions if stated.organization != position.organization]
    return assessment.model_copy(update={"positions": [*others, position], "updated": position.at})


def reviewed_grade_errors(rubric: Rubric, grade: str | None) -> list[ErrorDetail]:
    """An error where a review lacks the grade under a manual rubric, or states one under a computed rubric."""
    if not isinstance(rubric.rule, ManualRule):
        detail = "/grade: under this rubric the answers give the grade"
        return [error_detail(ProblemCode.NOT_APPLICABLE, detail, pointer="/grade")] if grade is not None else []
    if grade is None:
        return [_grade_missing(rubric, "/grade")]
    grades = [grade.code for grade in rubric.grades]
    return [] if grade in grades else [unknown_code("/grade", grade, grades)]


def declaration_errors(
    sent: DeclarationSent, *, grades: Mapping[str, Sequence[str]], participants: Collection[str], today: date
) -> list[ErrorDetail]:
    """The errors of a grade that was declared in the past.

    grades: by marker, those of all its rubrics; participants: the organizations that take part in the programme
    """
    errors = year_errors(sent.stage, sent.year, today)
    if sent.marker not in grades:
        errors.append(unknown_code("/marker", sent.marker, grades))
    elif sent.grade not in grades[sent.marker]:
        errors.append(unknown_code("/grade", sent.grade, grades[sent.marker]))
    if not participants:
        detail = (
            f"/organization: the catalogue names no organization that takes part in {sent.programme}, and it is not"
            f" settled at {link('/markers/v1/assessors')} who assesses it"
        )
        errors.append(error_detail(ProblemCode.UNKNOWN_CODE, detail, pointer="/organization"))
    elif sent.organization not in participants:
        errors.append(unknown_code("/organization", sent.organization, sorted(participants)))
    errors += [
        error_detail(ProblemCode.INVALID_VALUE, f"{pointer}: {text!r} names no {what}", pointer=pointer)
        for pointer, text, what, least in (
            ("/source/document", sent.source.document, "document", 3),
            ("/source/locator", sent.source.locator, "place in a document", 1),
        )
        if sum(map(str.isalnum, text)) < least
    ]
    if date.fromisoformat(sent.date) > today:
        errors.append(error_detail(ProblemCode.IN_THE_FUTURE, f"/date: {sent.date} is not past", pointer="/date"))
    return errors


def written_in(source: DeclarationSource) -> str:
    """Where a declaration is written, in one line."""
    return ", ".join(part for part in (source.document, source.locator, source.url) if part)


def _stated(answers: Mapping[str, CriterionAnswer], earlier: Sequence[OpenAction]) -> dict[str, StatedAnswer]:
    """The answers with what counts as their support."""
    already = Counter(action.criterion for action in earlier)
    return {
        criterion: StatedAnswer(
            answer=answer.answer,
            justification=answer.justification,
            evidence=sum(bool((one.url or one.document) and one.locator) for one in answer.evidence),
            actions=already[criterion] + sum(action.done is None for action in answer.actions),
            checks=answer.checks,
        )
        for criterion, answer in answers.items()
    }


def _grade_missing(rubric: Rubric, pointer: str) -> ErrorDetail:
    detail = f"{pointer}: under this rubric the answers give no grade, so it is stated"
    return error_detail(
        ProblemCode.MISSING_MEMBER, detail, pointer=pointer, allowed=[grade.code for grade in rubric.grades]
    )
