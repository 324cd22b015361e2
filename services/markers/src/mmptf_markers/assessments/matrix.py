"""The matrix of an assessment: its questions, levels, answers and justifications in one table, to be printed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import date
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from mmptf_common.http import conditional
from mmptf_common.http.negotiation import SPREADSHEET, TABLE, is_csv, media_type, representation
from mmptf_common.http.parameters import FORMAT, TableQuery, canonical
from mmptf_common.http.snapshot import snapshot
from mmptf_common.http.spreadsheets import defused
from mmptf_common.lists.pages import fetch_item
from mmptf_common.lists.tables import cells_of, columns_of, csv_of
from mmptf_common.storage.engines import ReadKind
from mmptf_common.wire.base import Code, ResponseModel
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import Conflict
from mmptf_common.wire.stored_records import read_record
from mmptf_markers.assessments.queries import ASSESSMENTS, fetch_used_rubric
from mmptf_markers.assessments.rules import counting_review
from mmptf_markers.assessments.schemas import (
    Assessment,
    AssessmentStatus,
    GradeBasis,
    PlannedAction,
    ReviewedAnswer,
)
from mmptf_markers.engine.results import Answer
from mmptf_markers.engine.rubric import (
    NOT_APPLICABLE,
    AssessmentStage,
    Criterion,
    Language,
    Rubric,
    RubricStatus,
    criteria_at,
    level_position,
    level_text,
)
from mmptf_markers.evidence.schemas import Evidence
from mmptf_markers.rubrics.queries import RubricLanguage, rubric_in
from mmptf_markers.rubrics.rules import published_code

_NOT_APPLICABLE = "Not applicable"


class MatrixQuery(TableQuery):
    """In which form and language the matrix is."""

    language: RubricLanguage = None


class MatrixHead(ResponseModel):
    """What was assessed, by whom, under which rubric, and with which grades."""

    assessment: Code
    """Code of the assessment, such as `A-000001`."""
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
    assessed_on: date
    """Day of what was assessed."""
    version: int
    """Number of the version of the assessment, from 1."""
    organization: Code
    """Code of the organization that assessed it, such as `ILO`."""
    status: AssessmentStatus
    """Whether it waits for its review, was returned, or accepted."""
    rubric: Code
    """Code of the rubric with its version."""
    rubric_title: str
    """Title of the questionnaire."""
    rubric_status: RubricStatus
    """Whether the rubric is official or illustrative."""
    language: Language
    """BCP 47 tag of the language of the rubric's texts; what is not translated is in that of the rubric."""
    grade: Code
    """Code of the grade that counts."""
    basis: GradeBasis
    """Which of the grades that is."""
    declared_grade: Code | None
    """Code of the grade as the organization sees it; null where it declares none."""
    derived_grade: Code | None
    """Code of the grade that the answers give; null where the rubric leaves it to the assessor."""
    reviewed_grade: Code | None
    """Code of the grade that the review found; null where there was none yet."""
    reason: str
    """How the grade comes about that counts, for people; of a grade that the assessor sets, that it does."""
    comment: str | None
    """The reviewer's reasons; null where there was no review yet."""


class MatrixRow(ResponseModel):
    """One criterion: the question, the level that was chosen and when it is right, and what supports it."""

    criterion: Code
    """Code of the criterion in the rubric, such as `due-diligence`."""
    principle: str
    """Name of the principle that the criterion serves."""
    question: str
    """The question as it is put to the assessor."""
    core: bool
    """Whether the core floors of the rubric hold for the answer."""
    answer: Answer
    """Value of the answer on the scale, or `not_applicable`."""
    label: str
    """Words of that answer, such as Partly built in."""
    text: str | None
    """When that answer is the right one: the rubric's text for this criterion at the stage, otherwise the one of the
    scale; null where the criterion does not apply.
    """
    justification: str | None
    """Why this answer is the right one; null where nothing was stated."""
    reviewer_answer: Answer | None
    """Value that the reviewer gave in its place; null where the answer stands, or there was no review yet."""
    reviewer_label: str | None
    """Words of the reviewer's answer; null where there is none."""
    reviewer_reason: str | None
    """Why the answer does not hold; null where it does, or there was no review yet."""
    evidence: list[Evidence]
    """Where a reader finds what the answer rests on, as far as that is public."""
    evidence_restricted: int
    """Number of further pieces of evidence, which are restricted."""
    actions: list[PlannedAction]
    """What is to be done because of the answer."""


class AssessmentMatrix(ResponseModel):
    """An assessment as one table: what was assessed, and a row for each criterion."""

    head: MatrixHead
    """What was assessed, by whom, under which rubric, and with which grades."""
    rows: list[MatrixRow]
    """The criteria of the stage, in the order of the rubric."""


# Of a CSV the head stands in each row, so that the tables of several assessments can be put together.
COLUMNS = [*columns_of(MatrixHead), *columns_of(MatrixRow), "evidence", "actions"]


async def answer_matrix(request: Request, code: str, query: MatrixQuery) -> Response:
    """The matrix of an assessment, as JSON or CSV; raises Conflict for a grade that was declared without answers."""
    chosen = representation(request, query, TABLE)
    async with snapshot(request, ReadKind.PAGE, query) as data:
        found = await fetch_item(data, ASSESSMENTS, code)
        if isinstance(found, Response):
            return found
        record, version = found
        assessment = read_record(Assessment, record)
        if assessment.rubric is None:
            raise Conflict(f"{code} is a declared grade: it has no answers to show.", code=ProblemCode.NOT_ANSWERED)
        rubric, of_texts = await rubric_in(data, await fetch_used_rubric(data, assessment.rubric), query.language)
    newest = max(version, of_texts or version, key=conditional.number_of)
    tag = conditional.etag(request, newest, canonical(query, without=FORMAT), chosen)
    if conditional.matches(request, tag):
        return conditional.not_modified(tag)
    matrix = matrix_of(assessment, rubric)
    headers = conditional.headers(tag)
    if not is_csv(chosen):
        return Response(matrix.model_dump_json(), media_type=media_type(chosen), headers=headers)
    table = csv_of(COLUMNS, lines_of(matrix))
    if chosen == SPREADSHEET:
        table = await asyncio.to_thread(defused, table)
    headers["Content-Disposition"] = conditional.disposition(request.scope["path"], chosen)
    return Response(table, media_type=media_type(chosen), headers=headers)


def matrix_of(assessment: Assessment, rubric: Rubric) -> AssessmentMatrix:
    """The matrix of an assessment; rubric: the one that it used, in the language of the matrix."""
    review = counting_review(assessment)
    given = review.answers if review else {}
    principles = {principle.code: principle.name for principle in rubric.principles}
    derived = review.derived if review else assessment.derived
    return AssessmentMatrix(
        head=MatrixHead(
            assessment=assessment.code,
            **{
                name: getattr(assessment, name)
                for name in (
                    "programme",
                    "title",
                    "marker",
                    "stage",
                    "year",
                    "assessed_on",
                    "version",
                    "organization",
                    "status",
                    "grade",
                    "basis",
                    "declared_grade",
                )
            },
            rubric=published_code(rubric),
            rubric_title=rubric.title,
            rubric_status=rubric.status,
            language=rubric.language,
            derived_grade=assessment.derived.grade if assessment.derived else None,
            reviewed_grade=review.grade if review else None,
            reason=derived.reason if derived else "",
            comment=review.comment if review else None,
        ),
        rows=[
            _row(assessment, rubric, criterion, principles[criterion.principle], given.get(criterion.code))
            for criterion in criteria_at(rubric, assessment.stage)
        ],
    )


def _row(
    assessment: Assessment, rubric: Rubric, criterion: Criterion, principle: str, own: ReviewedAnswer | None
) -> MatrixRow:
    stated = assessment.answers[criterion.code]
    label, text = _words(rubric, criterion, stated.answer, assessment.stage)
    return MatrixRow(
        criterion=criterion.code,
        principle=principle,
        question=criterion.question,
        core=criterion.core,
        answer=stated.answer,
        label=label,
        text=text,
        justification=stated.justification,
        reviewer_answer=own.answer if own else None,
        reviewer_label=_words(rubric, criterion, own.answer, assessment.stage)[0] if own else None,
        reviewer_reason=own.reason if own else None,
        evidence=stated.evidence,
        evidence_restricted=stated.evidence_restricted,
        actions=stated.actions,
    )


def _words(rubric: Rubric, criterion: Criterion, answer: Answer, stage: AssessmentStage) -> tuple[str, str | None]:
    """The words of an answer, and when it is the right one."""
    if answer == NOT_APPLICABLE:
        return _NOT_APPLICABLE, None
    at = level_position(rubric, answer)
    return rubric.scale.levels[at].label, level_text(rubric, criterion, at, stage)


def lines_of(matrix: AssessmentMatrix) -> Iterator[dict[str, Any]]:
    """The rows of a matrix as those of a CSV, by COLUMNS."""
    head = cells_of(matrix.head)
    for row in matrix.rows:
        yield {
            **head,
            **cells_of(row),
            "evidence": [_one_line(each.title, each.document, each.locator, each.url) for each in row.evidence],
            "actions": [
                _one_line(each.action, each.owner, f"due {each.due}", f"done {each.done}" if each.done else None)
                for each in row.actions
            ],
        }


def _one_line(*parts: str | None) -> str:
    return ", ".join(part for part in parts if part)
