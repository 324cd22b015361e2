"""Commands on assessments: draft, submit, review, and enter grades declared in the past, without answers."""

from __future__ import annotations

from datetime import date

import sqlalchemy as sa
from sqlmodel import col

from mmptf_common.feed.replication import copy_state
from mmptf_common.http.identity import Identity, organization_of
from mmptf_common.storage.journal import Write
from mmptf_common.storage.records import add, submission
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import Conflict, Forbidden, InvalidRequest, error_detail, raise_if_any, unknown_code
from mmptf_common.wire.sources import SourceRef
from mmptf_common.wire.stored_records import whole_record
from mmptf_common.writes.commands import Created, row_of
from mmptf_common.writes.drafts import new_draft_code, replace_draft
from mmptf_markers.actions.commands import put_actions
from mmptf_markers.actions.queries import fetch_next_number, fetch_open
from mmptf_markers.assessments import rules
from mmptf_markers.assessments.planning import start
from mmptf_markers.assessments.queries import ASSESSMENTS, DRAFTS
from mmptf_markers.assessments.schemas import (
    Assessment,
    AssessmentContent,
    AssessmentDraft,
    AssessmentSent,
    CatalogueCheck,
    DeclarationSent,
    PositionSent,
    RestrictedContent,
    StatedPosition,
)
from mmptf_markers.assessors.commands import fetch_participation, require_programme
from mmptf_markers.assessors.rules import Participation, require_lead, require_participant
from mmptf_markers.engine.results import Score
from mmptf_markers.engine.rubric import AssessmentStage, Rubric
from mmptf_markers.evidence.restricted import restricted_row
from mmptf_markers.models import AssessmentRow, DraftRow, RestrictedRow
from mmptf_markers.rubrics.queries import fetch_grades, fetch_rubric, fetch_rubric_codes, fetch_superseding
from mmptf_markers.rubrics.rules import published_code, score_or_raise

# The default marker.
MARKER = "human_rights"


async def create_draft(write: Write, who: Identity, sent: AssessmentSent) -> Created:
    """Begin the draft of a programme's participants: of the next version where one was returned or accepted."""
    programme = await require_programme(write, sent.programme)
    organization = organization_of(who)
    require_participant(await fetch_participation(write, programme), organization)
    rubric = await require_rubric(write, sent.rubric)
    raise_if_any(rules.year_errors(sent.stage, sent.year, write.at.date()))
    earlier = await fetch_newest(write, sent.programme, rubric.marker, sent.stage, sent.year)
    if earlier is not None and earlier.status == "submitted":
        raise Conflict(f"{earlier.code} is submitted and not reviewed yet.", code=ProblemCode.UNDER_REVIEW)
    begun = await _fetch_draft_code(write, sent, rubric.marker)
    if begun is not None:
        raise Conflict(
            f"{begun} is a draft of the same, which all that take part write together; amend it.",
            code=ProblemCode.DRAFT_EXISTS,
        )
    await _require_in_force(write, rubric, earlier)
    raise_if_any(rules.evidence_errors(sent))
    restricted = await _fetch_restricted(write, earlier)
    content = rules.amend_content(rules.initial_content(earlier, restricted, rubric), sent)
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
        earlier_actions=await fetch_open(write, sent.programme, rubric.marker),
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
            "earlier_actions": await fetch_open(write, draft.programme, rubric.marker),
            "declared_grade": content.declared_grade,
            "document_date": content.document_date,
            "grade": score.grade,
            "missing": score.missing,
        }
    )
    if amended != draft:
        await write.session.merge(_draft_row(amended.model_copy(update={"updated": write.at})))


async def discard_draft(write: Write, who: Identity, code: str) -> None:
    """Delete a draft; raises Forbidden where another organization leads the programme."""
    row = await row_of(write, DraftRow, DRAFTS, code)
    programme = await require_programme(write, row.programme)
    _ending_organization(who, await fetch_participation(write, programme), row.organization)
    await write.session.delete(row)


async def submit_draft(write: Write, who: Identity, code: str) -> Created:
    """Turn a complete draft into an assessment; raises InvalidRequest with everything that is missing.

    Raises Forbidden where another organization leads the programme.
    """
    row = await row_of(write, DraftRow, DRAFTS, code)
    draft = rules.stored_draft(row.record)
    programme = await require_programme(write, draft.programme)
    organization = _ending_organization(who, await fetch_participation(write, programme), draft.organization)
    rubric = await require_rubric(write, published_code(draft.rubric))
    newest = await fetch_newest(write, draft.programme, rubric.marker, draft.stage, draft.year)
    if newest is not None and newest.code != draft.corrects:
        raise Conflict(f"{newest.code} was submitted meanwhile; begin again from it.", code=ProblemCode.DRAFT_OUTDATED)
    await _require_in_force(write, rubric, newest)
    score = score_or_raise(rubric, rules.answers_of(draft.answers), draft.stage, rules.checks_of(draft.answers))
    content = rules.content_of(draft)
    earlier = await fetch_open(write, draft.programme, rubric.marker)
    raise_if_any(rules.completeness_errors(rubric, draft.stage, content, score.missing, programme.facts(), earlier))
    derived = rules.derive_grade(score)
    code = await _next_code(write)
    planned = start(draft, code, earlier, await fetch_next_number(write), write.at)
    answers, risks, restricted = rules.published(planned.answers, planned.risks, code, draft.programme, write.at)
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
        organization=organization,
        status="submitted",
        grade=derived.grade or draft.declared_grade,
        basis="derived" if derived.grade else "declared",
        answered=True,
        rubric=score.rubric,
        declared_grade=draft.declared_grade,
        derived=derived,
        reviewed=None,
        positions=[],
        second_review=None,
        settlement=None,
        appeal=None,
        differences=rules.find_differences(draft.declared_grade, derived, None),
        answers=answers,
        due_diligence=risks,
        due_diligence_restricted=len(restricted.due_diligence),
        earlier_actions=[action.code for action in earlier],
        submitted=write.at.date(),
        catalogue=await _catalogue_state(write),
        sources=[_source(write, code, "answers", f"Stated by {organization}.")],
        updated=write.at,
    )
    await add(write, [assessment_row(assessment, row.code)])
    await add(write, [restricted_row(restricted, draft.organization)])
    await put_actions(write, planned.started)
    return await replace_draft(write, row, Created(ASSESSMENTS, code))


async def state_position(write: Write, who: Identity, code: str, sent: PositionSent) -> None:
    """Add what another organization that takes part says of an assessment, in place of what it said before.

    Raises Forbidden for the organization that submitted it, and for one that takes no part.
    """
    row = await row_of(write, AssessmentRow, ASSESSMENTS, code)
    assessment = rules.stored_assessment(row.record)
    programme = await require_programme(write, assessment.programme)
    organization = organization_of(who)
    require_participant(await fetch_participation(write, programme), organization)
    if organization == assessment.organization:
        raise Forbidden(f"{organization} has submitted {code}; the others that take part state their positions on it.")
    if assessment.status != "submitted" or assessment.rubric is None:
        raise Conflict(
            f"{code} is {assessment.status}; positions are stated on what waits for its review.",
            code=ProblemCode.POSITIONS_CLOSED,
        )
    raise_if_any(rules.position_errors(sent) + rules.own_answer_errors(assessment, sent.answers))
    rubric = await require_rubric(write, published_code(assessment.rubric))
    own = {criterion: answer.answer for criterion, answer in sent.answers.items()}
    checks = rules.counting_checks(rubric, assessment, own)
    score_or_raise(rubric, rules.answers_of(assessment.answers) | own, assessment.stage, checks)
    position = StatedPosition(
        organization=organization,
        position=sent.position,
        reason=sent.reason,
        answers=rules.own_answers(assessment, sent.answers),
        at=write.at,
    )
    await write.session.merge(assessment_row(rules.with_position(assessment, position), row.draft))


async def declare(write: Write, sent: DeclarationSent) -> Created:
    """Enter a grade that was declared in the past, without answers, or correct one; it counts as accepted."""
    programme = await require_programme(write, sent.programme)
    participants = (await fetch_participation(write, programme)).organizations
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
        positions=[],
        second_review=None,
        settlement=None,
        appeal=None,
        differences=[],
        answers={},
        due_diligence=[],
        due_diligence_restricted=0,
        earlier_actions=[],
        submitted=declared_on,
        catalogue=await _catalogue_state(write),
        sources=[_source(write, code, "declared_grade", rules.written_in(sent.source))],
        updated=write.at,
    )
    await add(write, [assessment_row(assessment)])
    *_, restricted = rules.published({}, [], code, sent.programme, write.at)
    await add(write, [restricted_row(restricted, sent.organization)])
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


def _ending_organization(who: Identity, participation: Participation, began: str) -> str:
    """The organization for which a caller submits or discards a draft; raises Forbidden where it may not.

    Administrators do it for the one that would: the lead, or else the one that began the draft.
    """
    if who.is_admin and who.organization not in participation.organizations:
        organization = participation.lead or began
    else:
        organization = organization_of(who)
    require_lead(participation, organization)
    return organization


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


async def _fetch_draft_code(write: Write, sent: AssessmentSent, marker: str) -> str | None:
    """The code of the draft of the same assessment, whoever began it; None where there is none."""
    found = await write.session.scalars(
        sa.select(col(DraftRow.code)).where(
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


async def _fetch_restricted(write: Write, earlier: Assessment | None) -> RestrictedContent | None:
    """What of an assessment is restricted; None where there is nothing."""
    row = await write.session.get(RestrictedRow, earlier.code) if earlier else None
    return whole_record(RestrictedContent, row.record) if row else None


async def _next_code(write: Write) -> str:
    """The next code, which no assessment has ever had."""
    last = await write.session.scalar(
        sa.text("SELECT max(substr(key, 3)::int) FROM change WHERE entity = 'assessment' AND action = 'create'")
    )
    return f"A-{(last or 0) + 1:06d}"
