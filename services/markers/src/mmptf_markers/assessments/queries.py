"""The listings of assessments and drafts, the explanation of a grade, and the comparison of two assessments."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date
from typing import Annotated, Literal

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import TypeAliasType

from mmptf_common.http import conditional
from mmptf_common.http.parameters import ListQuery, PointInTime, Values, canonical, order_by
from mmptf_common.http.snapshot import Snapshot, snapshot
from mmptf_common.lists.codes import codes_in, codes_named_in
from mmptf_common.lists.listing import Filter, Listing, completed, once
from mmptf_common.lists.pages import fetch_item
from mmptf_common.storage.engines import ReadKind
from mmptf_common.storage.journal import DRAFT_JOURNAL
from mmptf_common.wire.base import Code
from mmptf_common.wire.links import link
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import Conflict, InvalidRequest, error_detail
from mmptf_common.wire.stored_records import read_record
from mmptf_markers.assessments import schemas
from mmptf_markers.assessments.rules import (
    answers_of,
    checks_of,
    counting_answers,
    counting_checks,
    counting_review,
)
from mmptf_markers.assessors.queries import PROGRAMMES_OF
from mmptf_markers.engine.results import Answer, RubricUsed
from mmptf_markers.engine.rubric import STAGES, AssessmentStage, Rubric, level_position
from mmptf_markers.engine.scoring import score
from mmptf_markers.filters import OF_MARKER, OF_ORGANIZATION, OF_PROGRAMME, PATH
from mmptf_markers.models import ASSESSED_ON, ASSESSMENT_ROLLUP
from mmptf_markers.rubrics.queries import RubricLanguage, parse_rubric, rubric_in
from mmptf_markers.rubrics.rules import published_code


class DraftQuery(ListQuery):
    """Which drafts, of those that the caller may see."""

    sort: tuple[Literal["code", "-code", "updated", "-updated"], ...] = order_by("code")
    programme: Annotated[
        Values, Field(description="Code of a programme, as in the catalogue.", examples=["IRQ-JOR-LBN-01"])
    ]


class AssessmentQuery(ListQuery):
    """Which assessments: any of a repeated filter, all of different ones."""

    sort: tuple[Literal["code", "-code", "updated", "-updated"], ...] = order_by("code")
    programme: Annotated[Values, Field(description="Code of a programme, as in the catalogue.", examples=["ETH-01"])]
    organization: Annotated[
        Values, Field(description="Code of the organization whose assessment it is.", examples=["ILO"])
    ]
    marker: Annotated[Values, Field(description="Code of a marker; a rubric names its own.", examples=["human_rights"])]
    stage: Annotated[
        list[AssessmentStage],
        Field(
            default_factory=list,
            max_length=100,
            description="Stage of the programme's life at which it was assessed: the document that was read.",
            examples=["concept_note"],
        ),
    ]
    status: Annotated[
        list[schemas.AssessmentStatus],
        Field(
            default_factory=list,
            max_length=100,
            description="Only assessments that wait for review, were returned, accepted, or withdrawn.",
            examples=["accepted"],
        ),
    ]
    grade: Annotated[Values, Field(description="Code of the grade that counts, such as `B`.", examples=["B"])]
    rubric: Annotated[
        Values, Field(description="Code of a rubric with its version.", examples=["hr-marker-illustrative.1"])
    ]


AnswersOf = TypeAliasType("AnswersOf", Literal["assessor", "reviewer"])
"""Whose answers of an assessment are scored.

- `assessor`: those of the organization, as submitted
- `reviewer`: the same, with the reviewer's in place of those that the review rejected
"""


class ScoreQuery(PointInTime):
    """Whose answers are explained, and in which language."""

    answers: Annotated[
        AnswersOf,
        Field(description="`assessor`: the answers as submitted; `reviewer`: with the changes of the review."),
    ] = "assessor"
    language: RubricLanguage = None


class ComparisonQuery(PointInTime):
    """With what an assessment is compared."""

    earlier: Annotated[
        Code | None,
        Field(
            description="Code of the earlier one; without it, the last accepted one of an earlier stage or year.",
            examples=["A-000001"],
        ),
    ] = None


DRAFTS = Listing(
    path=f"{PATH}/drafts",
    entity="draft",
    item=schemas.AssessmentDraft,
    page=schemas.AssessmentDraftPage,
    rows="draft",
    # A draft belongs to its programme, and is seen by those that take part in it.
    journal=replace(DRAFT_JOURNAL, member="programme", owners=PROGRAMMES_OF),
    record=completed("record::text", {"document_date": "'null'"}),
    query=DraftQuery,
    sorts={"code": ("code", "text"), "updated": ("updated", "timestamptz")},
    filters={"programme": OF_PROGRAMME},
    columns={
        "code": "code",
        "organization": "organization",
        "programme": "programme",
        "stage": "stage",
        "year": "year",
        **{name: f"record->>'{name}'" for name in ("version", "declared_grade", "grade", "updated")},
    },
)

# Rewrites shares that were stored as integers into the form of all shares. The pattern cannot match inside texts, where
# every quote is escaped by a backslash.
_AS_SENT = once(
    "record::text",
    r"""CASE strpos(whole, '"percentage":') WHEN 0 THEN whole ELSE regexp_replace(
    whole, '"numerator":([0-9]+),"denominator":([0-9]+),"percentage":',
    '"numerator":"\1","denominator":"\2","per_cent":', 'g') END""",
)

# The day of what was assessed, of records that were stored without it.
_ASSESSED_ON = f"to_json((SELECT {ASSESSED_ON} FROM (SELECT (record->>'year')::int AS year) AS stated))::text"

# SQL of the review that counts in a record, as JSON; `{}` stands for the record. NULL without any.
COUNTING_REVIEW = "coalesce({0}#>>'{{appeal,decided}}', {0}#>>'{{settlement}}', {0}#>>'{{reviewed}}')::json"

ASSESSMENTS = Listing(
    path=f"{PATH}/assessments",
    entity="assessment",
    item=schemas.Assessment,
    page=schemas.AssessmentPage,
    rows="assessment",
    record=completed(
        _AS_SENT,
        {"assessed_on": _ASSESSED_ON, "document_date": "'null'"},
        {"positions": "'[]'"},
        {"second_review": "'null'", "settlement": "'null'", "appeal": "'null'"},
    ),
    query=AssessmentQuery,
    sorts={"code": ("code", "text"), "updated": ("updated", "timestamptz")},
    filters={
        "programme": OF_PROGRAMME,
        "organization": OF_ORGANIZATION,
        "marker": OF_MARKER,
        "stage": Filter("stage = ANY({}::text[])", columns=("stage",)),
        "status": Filter("status = ANY({}::text[])", columns=("status",)),
        "grade": Filter(
            "grade = ANY({}::text[])",
            codes_named_in("rubric, json_array_elements(record#>'{content,grades}') AS g", "g->>'code'"),
            f"{PATH}/rubrics",
            columns=("grade",),
        ),
        "rubric": Filter("rubric = ANY({}::text[])", codes_in("rubric"), f"{PATH}/rubrics", columns=("rubric",)),
    },
    columns={
        "code": "code",
        "programme": "programme",
        "title": "record->>'title'",
        "marker": "marker",
        "stage": "stage",
        "year": "year",
        "assessed_on": "assessed_on",
        "version": "version",
        "organization": "organization",
        "status": "status",
        "grade": "grade",
        "basis": "record->>'basis'",
        "answered": "record->>'answered'",
        "rubric": "rubric",
        "rubric_status": "record#>>'{rubric,status}'",
        "declared_grade": "record->>'declared_grade'",
        "derived_grade": "record#>>'{derived,grade}'",
        "reviewed_grade": "record#>>'{reviewed,grade}'",
        "second_grade": "record#>>'{second_review,grade}'",
        "settlement_grade": "record#>>'{settlement,grade}'",
        "appealed": "record#>>'{appeal,at}'",
        "appeal_grade": "record#>>'{appeal,decided,grade}'",
        "submitted": "record->>'submitted'",
        "updated": "record->>'updated'",
    },
    rollups=(ASSESSMENT_ROLLUP,),
)


async def answer_score(request: Request, code: str, query: ScoreQuery) -> Response:
    """The score of an assessment, computed anew from its answers and its rubric."""
    async with snapshot(request, ReadKind.PAGE, query) as data:
        found = await fetch_item(data, ASSESSMENTS, code)
        if isinstance(found, Response):
            return found
        record, version = found
        assessment = read_record(schemas.Assessment, record)
        if assessment.rubric is None:
            raise Conflict(
                f"{code} is a declared grade: there are no answers to explain it by.", code=ProblemCode.NOT_ANSWERED
            )
        counting = counting_review(assessment)
        if query.answers == "reviewer" and counting is None:
            raise Conflict(f"{code} is not reviewed yet.", code=ProblemCode.NOT_REVIEWED)
        rubric = await fetch_used_rubric(data, assessment.rubric)
        rubric, of_texts = await rubric_in(data, rubric, query.language)
    tag = conditional.etag(request, max(version, of_texts or version, key=conditional.number_of), canonical(query))
    if conditional.matches(request, tag):
        return conditional.not_modified(tag)
    answers, checks = answers_of(assessment.answers), checks_of(assessment.answers)
    if query.answers == "reviewer" and counting:
        answers = counting_answers(assessment)
        checks = counting_checks(rubric, assessment, counting.answers)
    derived = score(rubric, answers, assessment.stage, checks)
    return Response(derived.model_dump_json(), media_type="application/json", headers=conditional.headers(tag))


async def answer_comparison(request: Request, code: str, query: ComparisonQuery) -> Response:
    """The changes from an earlier assessment of the same programme to this one, by criterion."""
    async with snapshot(request, ReadKind.PAGE, query) as read, read.repeatable_read() as (data, revision):
        found = await fetch_item(data, ASSESSMENTS, code)
        if isinstance(found, Response):
            return found
        later = read_record(schemas.Assessment, found[0])
        earlier = await _earlier(data, later, query.earlier)
        if earlier.rubric is None or later.rubric is None:
            which = earlier if earlier.rubric is None else later
            raise Conflict(
                f"{which.code} is a declared grade: it has no answers to compare.", code=ProblemCode.NOT_ANSWERED
            )
        tag = conditional.etag(request, revision, canonical(query))
        if conditional.matches(request, tag):
            return conditional.not_modified(tag)
        first, second = await fetch_used_rubric(data, earlier.rubric), await fetch_used_rubric(data, later.rubric)
    compared = _compared(first, earlier, second, later)
    answer = schemas.AssessmentComparison(
        programme=later.programme,
        earlier=earlier.code,
        later=later.code,
        earlier_grade=earlier.grade,
        later_grade=later.grade,
        same_rubric=earlier.rubric.hash == later.rubric.hash,
        counts=dict(sorted(Counter(c.change for c in compared).items())),
        criteria=compared,
        revision=conditional.number_of(revision),
    )
    return Response(answer.model_dump_json(), media_type="application/json", headers=conditional.headers(tag))


async def _earlier(data: Snapshot, later: schemas.Assessment, named: str | None) -> schemas.Assessment:
    """The named assessment, or the last accepted one before this; raises Conflict or InvalidRequest without one."""
    rows = await data.fetch(
        f"""
        SELECT {ASSESSMENTS.record} FROM assessment
         WHERE programme = $1 AND marker = $2 AND code <> $3
           AND ($4::text IS NULL AND status = 'accepted' OR code = $4)""",
        later.programme, later.marker, later.code, named,
    )  # fmt: skip
    candidates = [read_record(schemas.Assessment, row[0]) for row in rows]
    if named is None:
        candidates = [c for c in candidates if (c.stage, c.year) != (later.stage, later.year)]
    before = [c for c in candidates if _moment(c) < _moment(later)]
    if not before:
        raise _nothing_earlier(later, named, known=bool(candidates) or named == later.code)
    return max(before, key=_moment)


def _moment(assessment: schemas.Assessment) -> tuple[date, int, int]:
    """The sort key of an assessment: day of what was assessed, stage of the programme, version."""
    return assessment.assessed_on, STAGES.index(assessment.stage), assessment.version


def _nothing_earlier(later: schemas.Assessment, named: str | None, *, known: bool) -> Exception:
    if named is None:
        return Conflict(f"No assessment of {later.programme} before it is accepted.", code=ProblemCode.NOTHING_EARLIER)
    if known:
        return Conflict(f"{named} is not earlier than {later.code}.", code=ProblemCode.NOTHING_EARLIER)
    detail = f"earlier: {named!r} is no earlier assessment of {later.programme}"
    allowed = [f"see {link(ASSESSMENTS.path)}?programme={later.programme}"]
    return InvalidRequest([error_detail(ProblemCode.UNKNOWN_CODE, detail, parameter="earlier", allowed=allowed)])


def _compared(
    first: Rubric, earlier: schemas.Assessment, second: Rubric, later: schemas.Assessment
) -> list[schemas.ComparedAnswer]:
    before, after = counting_answers(earlier), counting_answers(later)
    questions = {criterion.code: criterion.question for rubric in (first, second) for criterion in rubric.criteria}
    same = _asked_alike(first, second)
    return [
        schemas.ComparedAnswer(
            criterion=code,
            question=question,
            earlier=before.get(code),
            later=after.get(code),
            change=_change(second, before.get(code), after.get(code), is_same=code in same),
        )
        for code, question in questions.items()
        if code in before or code in after
    ]


def _asked_alike(first: Rubric, second: Rubric) -> set[str]:
    """The criteria which two versions of one rubric ask in the same words, with the same answers to choose from."""
    if first.code != second.code or first.scale.levels != second.scale.levels:
        return set()
    # Weights, the stages at which a criterion is asked, and what supports an answer change nothing in what it says.
    asked, asked_later = (
        {each.code: each.model_dump(include={"question", "guidance", "levels", "checks"}) for each in rubric.criteria}
        for rubric in (first, second)
    )
    return {code for code, words in asked.items() if asked_later.get(code) == words}


def _change(rubric: Rubric, before: Answer | None, after: Answer | None, *, is_same: bool) -> schemas.AnswerChange:
    if before is None or after is None:
        return "only_later" if before is None else "only_earlier"
    if not is_same:
        return "not_comparable"
    if before == after:
        return "same"
    try:
        return "improved" if level_position(rubric, after) > level_position(rubric, before) else "fell"
    except ValueError:
        return "not_comparable"


async def fetch_used_rubric(data: Snapshot, used: RubricUsed) -> Rubric:
    """The rubric of an assessment, at the assessed version; published rubrics are never removed."""
    statement = "SELECT record::text FROM rubric WHERE code = $1"
    return parse_rubric(await data.connection.fetchval(statement, published_code(used)))
