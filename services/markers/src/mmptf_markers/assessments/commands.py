"""Commands on assessments: draft and submit them, and enter grades declared in the past, without answers."""

from __future__ import annotations

from datetime import date

import sqlalchemy as sa
from sqlmodel import col

from mmptf_common.feed.replication import copy_state
from mmptf_common.http.identity import Identity, organization_of
from mmptf_common.lists.codes import codes_in, unknown_in
from mmptf_common.storage.journal import Write
from mmptf_common.storage.records import add, submission
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import Conflict, Forbidden, InvalidRequest, error_detail, raise_if_any, unknown_code
from mmptf_common.wire.sources import SourceRef
from mmptf_common.writes.commands import Created, row_of
from mmptf_common.writes.drafts import new_draft_code, replace_draft
from mmptf_markers.assessments import rules
from mmptf_markers.assessments.queries import ASSESSMENTS, DRAFTS, OF_PROGRAMME
from mmptf_markers.assessments.schemas import (
    Assessment,
    AssessmentContent,
    AssessmentDraft,
    AssessmentSent,
    CatalogueCheck,
    DeclarationSent,
)
from mmptf_markers.engine.results import Score
from mmptf_markers.engine.rubric import AssessmentStage, Rubric
from mmptf_markers.models import AssessmentRow, DraftRow, ProgrammeRow
from mmptf_markers.replication import KnownProgramme
from mmptf_markers.rubrics.queries import fetch_grades, fetch_rubric, fetch_rubric_codes, fetch_superseding
from mmptf_markers.rubrics.rules import published_code, score_or_raise

# The default marker.
MARKER = "human_rights"


async def create_draft(write: Write, who: Identity, sent: AssessmentSent) -> Created:
    """Create a draft for the caller's organization: of the next version where one was returned or accepted."""
    programme = await require_programme(write, sent.programme)
    organization = organization_of(who)
    require_participant(programme, organization)
    rubric = await require_rubric(write, sent.rubric)
    raise_if_any(rules.year_errors(sent.stage, sent.year, write.at.date()))
    earlier = await fetch_newest(write, sent.programme, rubric.marker, sent.stage, sent.year)
    if earlier is not None and earlier.status == "submitted":
        raise Conflict(f"{earlier.code} is submitted and not reviewed yet.", code=ProblemCode.UNDER_REVIEW)
    begun = await _fetch_draft_code(write, organization, sent, rubric.marker)
    if begun is not None:
        raise Conflict(f"{begun} is a draft of the same; amend it.", code=ProblemCode.DRAFT_EXISTS)
    await _require_in_force(write, rubric, earlier)
    raise_if_any(rules.evidence_errors(sent))
    content = rules.amend_content(rules.initial_content(earlier, rubric), sent)
    score = _score_of_draft(write, rubric, content, sent.stage)
    draft = AssessmentDraft(
        code=await new_draft_code(write),
        organization=organization,
        programme=sent.programme,
        stage=sent.stage,
        year=sent.year,
        document_date=content.document_date,
        version=earlier.version + 1 if earlier else 1,
        corrects=earlier.code if earlier else None,
        rubric=score.rubric,
        answers=content.answers,
        due_diligence=content.due_diligence,
        declared_grade=content.declared_grade,
        grade=score.grade,
        missing=score.missing,
        updated=write.at,
    )
    await add(write, [_draft_row(draft)])
    return Created(DRAFTS, draft.code)


async def amend_draft(write: Write, code: str, sent: AssessmentContent) -> None:
    """Change a draft; answers that are not sent stay, so that sections can be saved one after the other."""
    row = await row_of(write, DraftRow, DRAFTS, code)
    draft = rules.stored_draft(row.record)
    rubric = await require_rubric(write, published_code(draft.rubric))
    raise_if_any(rules.evidence_errors(sent))
    content = rules.amend_content(rules.content_of(draft), sent)
    score = _score_of_draft(write, rubric, content, draft.stage)
    amended = draft.model_copy(
        update={
            "rubric": score.rubric,
            "answers": content.answers,
            "due_diligence": content.due_diligence,
            "declared_grade": content.declared_grade,
            "document_date": content.document_date,
            "grade": score.grade,
            "missing": score.missing,
        }
    )
    if amended != draft:
        await write.session.merge(_draft_row(amended.model_copy(update={"updated": write.at})))


async def discard_draft(write: Write, code: str) -> None:
    """Delete a draft."""
    await write.session.delete(await row_of(write, DraftRow, DRAFTS, code))


async def submit_draft(write: Write, code: str) -> Created:
    """Turn a complete draft into an assessment; raises InvalidRequest with everything that is missing."""
    row = await row_of(write, DraftRow, DRAFTS, code)
    draft = rules.stored_draft(row.record)
    programme = await require_programme(write, draft.programme)
    require_participant(programme, draft.organization)
    rubric = await require_rubric(write, published_code(draft.rubric))
    newest = await fetch_newest(write, draft.programme, rubric.marker, draft.stage, draft.year)
    if newest is not None and newest.code != draft.corrects:
        raise Conflict(f"{newest.code} was submitted meanwhile; begin again from it.", code=ProblemCode.DRAFT_OUTDATED)
    await _require_in_force(write, rubric, newest)
    score = score_or_raise(rubric, rules.answers_of(draft.answers), draft.stage, rules.checks_of(draft.answers))
    content = rules.content_of(draft)
    raise_if_any(rules.completeness_errors(rubric, draft.stage, content, score.missing, programme.facts()))
    derived = rules.derive_grade(score)
    code = await _next_code(write)
    assessment = Assessment(
        code=code,
        programme=draft.programme,
        title=programme.title,
        marker=rubric.marker,
        stage=draft.stage,
        year=draft.year,
        document_date=draft.document_date,
        assessed_on=rules.assessed_on(draft.year, draft.document_date, otherwise=write.at.date()),
        version=draft.version,
        corrects=draft.corrects,
        organization=draft.organization,
        status="submitted",
        grade=derived.grade or draft.declared_grade,
        basis="derived" if derived.grade else "declared",
        answered=True,
        rubric=score.rubric,
        declared_grade=draft.declared_grade,
        derived=derived,
        reviewed=None,
        second_review=None,
        settlement=None,
        appeal=None,
        differences=rules.find_differences(draft.declared_grade, derived, None),
        answers=draft.answers,
        due_diligence=draft.due_diligence,
        submitted=write.at.date(),
        catalogue=await _catalogue_state(write),
        sources=[_source(write, code, "answers", f"Stated by {draft.organization}.")],
        updated=write.at,
    )
    write.session.add(assessment_row(assessment, row.code))
    return await replace_draft(write, row, Created(ASSESSMENTS, code))


async def declare(write: Write, sent: DeclarationSent) -> Created:
    """Enter a grade that was declared in the past, without answers, or correct one; it counts as accepted."""
    programme = await require_programme(write, sent.programme)
    participants = programme.participants()
    raise_if_any(
        rules.declaration_errors(
            sent, grades=await fetch_grades(write.session), participants=participants, today=write.at.date()
        )
    )
    newest = await fetch_newest(write, sent.programme, sent.marker, sent.stage, sent.year)
    if newest is not None and (newest.answered or newest.code != sent.corrects):
        raise Conflict(f"{newest.code} says it already.", code=ProblemCode.ALREADY_ASSESSED)
    if newest is None and sent.corrects is not None:
        raise InvalidRequest([unknown_code("/corrects", sent.corrects, ())])
    code = await _next_code(write)
    declared_on = date.fromisoformat(sent.date)
    assessment = Assessment(
        code=code,
        programme=sent.programme,
        title=programme.title,
        marker=sent.marker,
        stage=sent.stage,
        year=sent.year,
        document_date=None,
        assessed_on=rules.assessed_on(sent.year, None, otherwise=declared_on),
        version=newest.version + 1 if newest else 1,
        corrects=newest.code if newest else None,
        organization=sent.organization,
        status="accepted",
        grade=sent.grade,
        basis="declared",
        answered=False,
        rubric=None,
        declared_grade=sent.grade,
        derived=None,
        reviewed=None,
        second_review=None,
        settlement=None,
        appeal=None,
        differences=[],
        answers={},
        due_diligence=[],
        submitted=declared_on,
        catalogue=await _catalogue_state(write),
        sources=[_source(write, code, "declared_grade", rules.written_in(sent.source))],
        updated=write.at,
    )
    write.session.add(assessment_row(assessment))
    return Created(ASSESSMENTS, code)


async def withdraw(write: Write, code: str) -> None:
    """Take back a declared grade: from then on it does not count, nor does what it corrected."""
    row = await row_of(write, AssessmentRow, ASSESSMENTS, code)
    assessment = rules.stored_assessment(row.record)
    newest = await fetch_newest(write, assessment.programme, assessment.marker, assessment.stage, assessment.year)
    if assessment.answered or assessment.status == "withdrawn" or newest is None or newest.code != code:
        raise Conflict(
            f"{code} is no declared grade that counts; only such a grade is withdrawn.",
            code=ProblemCode.NOT_WITHDRAWABLE,
        )
    await write.session.merge(
        assessment_row(assessment.model_copy(update={"status": "withdrawn", "updated": write.at}))
    )


def _draft_row(draft: AssessmentDraft) -> DraftRow:
    """The row of a draft."""
    return DraftRow(
        code=draft.code,
        organization=draft.organization,
        programme=draft.programme,
        stage=draft.stage,
        year=draft.year,
        updated=draft.updated,
        record=draft.model_dump(mode="json"),
    )


def assessment_row(assessment: Assessment, draft: str | None = None) -> AssessmentRow:
    """The row of an assessment; draft: the code of the draft that it was."""
    return AssessmentRow(
        code=assessment.code,
        programme=assessment.programme,
        marker=assessment.marker,
        stage=assessment.stage,
        year=assessment.year,
        version=assessment.version,
        organization=assessment.organization,
        rubric=published_code(assessment.rubric) if assessment.rubric else None,
        status=assessment.status,
        grade=assessment.grade,
        draft=draft,
        updated=assessment.updated,
        record=assessment.model_dump(mode="json"),
    )


def _score_of_draft(write: Write, rubric: Rubric, content: rules.Content, stage: AssessmentStage) -> Score:
    """The score of a draft's answers so far; raises InvalidRequest for an invalid answer, day or declared grade."""
    score = score_or_raise(rubric, rules.answers_of(content.answers), stage, rules.checks_of(content.answers))
    raise_if_any(
        rules.document_date_errors(stage, content.document_date, write.at.date())
        + rules.declared_grade_errors(rubric, content.declared_grade)
    )
    return score


def _source(write: Write, code: str, field: str, note: str) -> SourceRef:
    """The source of an assessment's statements: its own submission."""
    return SourceRef.model_validate(submission(write, f"{ASSESSMENTS.path}/{code}", field, note))


def require_participant(programme: KnownProgramme, organization: str) -> None:
    """Raise Forbidden where an organization takes no part in a programme, and so may not assess it."""
    participants = programme.participants()
    if not participants:
        raise Forbidden(
            f"The catalogue names no organization that takes part in {programme.code}; once the programme is amended"
            " there, those that take part assess it."
        )
    if organization not in participants:
        named = ", ".join(sorted(participants))
        raise Forbidden(f"{organization} takes no part in {programme.code}; it is assessed by {named}.")


async def require_programme(write: Write, code: str) -> KnownProgramme:
    """A programme as the catalogue describes it; raises InvalidRequest for an unknown code."""
    row = await write.session.get(ProgrammeRow, code)
    if row is None:
        listed_at = OF_PROGRAMME.listed_at
        raise InvalidRequest(
            [await unknown_in(write.connection, "/programme", code, codes_in("programme"), listed_at=listed_at)]
        )
    return KnownProgramme.model_validate(row.record)


async def require_rubric(write: Write, code: str | None) -> Rubric:
    """The named version of a rubric, or the newest of the human-rights marker; raises InvalidRequest without one."""
    found = await fetch_rubric(write.session, code, marker=MARKER)
    if found is None:
        known = await fetch_rubric_codes(write.session)
        raise InvalidRequest([unknown_code("/rubric", code or MARKER, known)])
    return found


async def _require_in_force(write: Write, rubric: Rubric, earlier: Assessment | None) -> None:
    """Raise InvalidRequest for a superseded rubric, unless an assessment under it is corrected."""
    code = published_code(rubric)
    superseded_by = await fetch_superseding(write.session, code)
    is_correction = earlier is not None and earlier.rubric is not None and published_code(earlier.rubric) == code
    if superseded_by and not is_correction:
        detail = f"/rubric: {code} is superseded by {superseded_by}, and left for corrections of assessments under it"
        raise InvalidRequest([error_detail(ProblemCode.SUPERSEDED, detail, pointer="/rubric", allowed=[superseded_by])])


async def _catalogue_state(write: Write) -> CatalogueCheck:
    """The state of the copy of the catalogue that assessments are checked against."""
    state = await copy_state(write.connection, "catalog")
    return CatalogueCheck(reached=state.reached, caught_up=state.caught_up, age_seconds=state.age_seconds)


async def _fetch_draft_code(write: Write, organization: str, sent: AssessmentSent, marker: str) -> str | None:
    """The code of an organization's draft of the same assessment; None where there is none."""
    found = await write.session.scalars(
        sa.select(col(DraftRow.code)).where(
            col(DraftRow.organization) == organization,
            col(DraftRow.programme) == sent.programme,
            col(DraftRow.stage) == sent.stage,
            col(DraftRow.year).is_not_distinct_from(sent.year),
            col(DraftRow.record)["rubric"]["marker"].as_string() == marker,
        )
    )
    return found.first()


async def fetch_newest(
    write: Write, programme: str, marker: str, stage: AssessmentStage, year: int | None
) -> Assessment | None:
    """The newest version of a programme's assessment under a marker at a stage; None where there is none."""
    found = await write.session.scalars(
        sa.select(AssessmentRow)
        .where(
            col(AssessmentRow.programme) == programme,
            col(AssessmentRow.marker) == marker,
            col(AssessmentRow.stage) == stage,
            col(AssessmentRow.year).is_not_distinct_from(year),
        )
        .order_by(col(AssessmentRow.version).desc())
        .limit(1)
    )
    row = found.one_or_none()
    return rules.stored_assessment(row.record) if row else None


async def _next_code(write: Write) -> str:
    """The next code, which no assessment has ever had."""
    last = await write.session.scalar(
        sa.text("SELECT max(substr(key, 3)::int) FROM change WHERE entity = 'assessment' AND action = 'create'")
    )
    return f"A-{(last or 0) + 1:06d}"
