"""The life of an assessment: drafted, submitted, reviewed; a declared grade of the past is one without answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date

import sqlalchemy as sa
from sqlmodel import col

from mmptf_common.feed.replication import copy_state
from mmptf_common.http.identity import Identity, organization_of
from mmptf_common.storage.journal import Write
from mmptf_common.storage.records import Facts, document_of, submission
from mmptf_common.wire.base import CODE_PATTERN
from mmptf_common.wire.problems import (
    Conflict,
    ErrorDetail,
    Forbidden,
    InvalidRequest,
    error_detail,
    raise_if_any,
    unknown_code,
)
from mmptf_common.writes.commands import Created, row_of
from mmptf_markers.assessments.queries import ASSESSMENTS, DRAFTS
from mmptf_markers.assessments.schemas import (
    Assessment,
    AssessmentContent,
    AssessmentDraft,
    AssessmentSent,
    DeclarationSent,
    ReviewSent,
)
from mmptf_markers.engine.results import Score
from mmptf_markers.engine.rubric import ManualRule, Rubric, Stage
from mmptf_markers.models import AssessmentRow, DraftRow, ProgrammeRow
from mmptf_markers.rubrics import queries as rubrics

# The marker that is meant where none is named.
MARKER = "human_rights"
NOTHING_STATED: Facts = {"answers": {}, "due_diligence": [], "declared_grade": None}


async def create_draft(write: Write, who: Identity, sent: AssessmentSent) -> Created:
    """Begin an assessment for the caller's organization; its next version where one was returned or accepted."""
    programme = await _programme(write, sent.programme)
    organization = organization_of(who)
    _require_part(programme, organization)
    rubric = await _rubric(write, sent.rubric)
    raise_if_any(_year_errors(sent.stage, sent.year))
    earlier = await _newest(write, sent.programme, rubric.marker, sent.stage, sent.year)
    if earlier is not None and earlier.status == "submitted":
        raise Conflict(f"{earlier.code} is submitted and not reviewed yet.", code="under_review")
    begun = await write.session.scalar(
        sa.select(col(DraftRow.code)).where(
            col(DraftRow.organization) == organization,
            col(DraftRow.programme) == sent.programme,
            col(DraftRow.stage) == sent.stage,
            col(DraftRow.year).is_not_distinct_from(sent.year),
            col(DraftRow.document)["rubric"]["marker"].as_string() == rubric.marker,
        )
    )
    if begun:
        raise Conflict(f"{begun} is a draft of the same; amend it.", code="draft_exists")
    said = dict(NOTHING_STATED)
    if earlier is not None and earlier.rubric == rubrics.code_of(rubric):
        said = {name: earlier.document[name] for name in NOTHING_STATED}
    facts = {
        **said,
        "code": await _next_code(write),
        "organization": organization,
        "programme": sent.programme,
        "stage": sent.stage,
        "year": sent.year,
        "version": earlier.version + 1 if earlier else 1,
        "corrects": earlier.code if earlier else None,
    }
    write.session.add(_draft_row(write, _stated(facts, sent), rubric))
    return Created(DRAFTS, facts["code"])


async def amend_draft(write: Write, code: str, sent: AssessmentContent) -> None:
    """Change what a draft says so far: answers one by one, so that two sections can be saved one after the other."""
    row = await row_of(write, DraftRow, DRAFTS, code)
    rubric = await _rubric(write, _rubric_of(row.document))
    new = _draft_row(write, _stated(row.document, sent), rubric)
    if {**new.document, "updated": None} != {**row.document, "updated": None}:
        await write.session.merge(new)


async def discard_draft(write: Write, code: str) -> None:
    """Remove a draft that was never submitted."""
    await write.session.delete(await row_of(write, DraftRow, DRAFTS, code))


async def submit_draft(write: Write, code: str) -> Created:
    """Make an assessment of a draft that is complete; InvalidRequest with everything that it lacks."""
    row = await row_of(write, DraftRow, DRAFTS, code)
    draft: Facts = row.document
    programme = await _programme(write, draft["programme"])
    _require_part(programme, draft["organization"])
    rubric = await _rubric(write, _rubric_of(draft))
    newest = await _newest(write, draft["programme"], rubric.marker, draft["stage"], draft["year"])
    if (newest and newest.code) != draft["corrects"]:
        assert newest
        raise Conflict(f"{newest.code} was submitted meanwhile; begin again from it.", code="under_review")
    found = _score(rubric, draft["answers"], draft["stage"])
    raise_if_any(_errors_of_draft(rubric, draft, found))
    grade = found.grade or draft["declared_grade"]
    facts: Facts = {
        **{name: draft[name] for name in ("code", "organization", "programme", "stage", "year", "version", "corrects")},
        **{name: draft[name] for name in NOTHING_STATED},
        "marker": rubric.marker,
        "title": programme.document["title"],
        "status": "submitted",
        "grade": grade,
        "basis": "derived" if found.grade else "declared",
        "answered": True,
        "rubric": found.rubric.model_dump(mode="json"),
        "derived": _derived(found),
        "reviewed": None,
        "submitted": write.at.date().isoformat(),
        "catalogue": await _checked_against(write),
        "sources": [submission(write, f"{ASSESSMENTS.path}/{code}", "answers", f"Stated by {draft['organization']}.")],
    }
    await write.session.delete(row)
    await _store(write, facts)
    return Created(ASSESSMENTS, code)


async def review(write: Write, who: Identity, code: str, sent: ReviewSent) -> None:
    """Accept or return an assessment, with own answers where the assessor's do not hold; by another person."""
    row = await row_of(write, AssessmentRow, ASSESSMENTS, code)
    facts: Facts = row.document
    programme = await _programme(write, row.programme)
    if who.organization is not None and not _is_code(who.organization):
        raise Forbidden("The access token names an organization by something that is no code.")
    # Who has assessed takes part, also where the catalogue has another organization in its place since.
    if who.organization in {*_part_of(programme), row.organization}:
        raise Forbidden(f"{who.organization} takes part in {row.programme}: the reviewer belongs to none that does.")
    if who.subject in await _authors(write, code):
        raise Forbidden(f"{code} is reviewed by somebody who did not write it.")
    if row.status != "submitted" or row.rubric is None:
        raise Conflict(f"{code} is {row.status}; what is submitted is reviewed.", code="not_reviewable")
    rubric = await _rubric(write, row.rubric)
    own = {criterion: answer.model_dump(mode="json") for criterion, answer in sent.answers.items()}
    said = {criterion: answer["answer"] for criterion, answer in facts["answers"].items()}
    unchanged = [criterion for criterion, answer in own.items() if said.get(criterion) == answer["answer"]]
    raise_if_any(
        error_detail("not_another", f"/answers/{c}: that is the assessor's answer", pointer=f"/answers/{c}")
        for c in unchanged
    )
    found = _score(rubric, {**facts["answers"], **own}, facts["stage"])
    manual = isinstance(rubric.rule, ManualRule)
    raise_if_any(_grade_errors(rubric, sent.grade, "/grade", needed=manual, allowed=manual))
    grade = found.grade or sent.grade
    facts = {
        **facts,
        "status": "accepted" if sent.decision == "accept" else "returned",
        "grade": grade,
        "basis": "reviewed",
        "reviewed": {
            "decision": sent.decision,
            "organization": who.organization,
            "at": write.at.isoformat(),
            "comment": sent.comment,
            "answers": {c: {**answer, "instead_of": said[c]} for c, answer in own.items()},
            "derived": _derived(found),
            "grade": grade,
        },
    }
    await _store(write, facts)


async def declare(write: Write, sent: DeclarationSent) -> Created:
    """Enter a grade that was declared in the past and of which no answers are held; it counts as accepted."""
    programme = await _programme(write, sent.programme)
    grades = await rubrics.grades_of(write.session, sent.marker)
    errors = _year_errors(sent.stage, sent.year)
    if not grades:
        known = await rubrics.markers(write.session)
        errors.append(unknown_code("/marker", sent.marker, known))
    elif sent.grade not in grades:
        errors.append(unknown_code("/grade", sent.grade, grades))
    organizations = await _organizations(write)
    if sent.organization not in organizations:
        errors.append(unknown_code("/organization", sent.organization, organizations))
    if date.fromisoformat(sent.date) > write.at.date():
        errors.append(error_detail("in_the_future", f"/date: {sent.date} is not past", pointer="/date"))
    raise_if_any(errors)
    newest = await _newest(write, sent.programme, sent.marker, sent.stage, sent.year)
    if newest is not None:
        raise Conflict(f"{newest.code} says it already.", code="already_assessed")
    code = await _next_code(write)
    source = submission(write, f"{ASSESSMENTS.path}/{code}", "declared_grade", sent.source)
    facts: Facts = {
        **NOTHING_STATED,
        **sent.model_dump(mode="json", include={"programme", "marker", "stage", "year", "organization", "grade"}),
        "code": code,
        "title": programme.document["title"],
        "version": 1,
        "corrects": None,
        "status": "accepted",
        "basis": "declared",
        "answered": False,
        "rubric": None,
        "declared_grade": sent.grade,
        "derived": None,
        "reviewed": None,
        "submitted": sent.date,
        "catalogue": await _checked_against(write),
        "sources": [source],
    }
    await _store(write, facts)
    return Created(ASSESSMENTS, code)


def _stated(facts: Facts, sent: AssessmentContent) -> Facts:
    """What is there and what is sent: members replace one another, answers do so one by one."""
    stated = sent.stated()
    answers = {**facts["answers"], **(stated.pop("answers", None) or {})}
    return {**facts, **stated, "answers": {c: answer for c, answer in answers.items() if answer is not None}}


def _draft_row(write: Write, facts: Facts, rubric: Rubric) -> DraftRow:
    """A draft's row; InvalidRequest where an answer does not fit the rubric."""
    found = _score(rubric, facts["answers"], facts["stage"])
    raise_if_any(_grade_errors(rubric, facts["declared_grade"], "/declared_grade", needed=False, allowed=True))
    said = {
        **{name: facts[name] for name in facts if name not in ("rubric", "grade", "missing", "updated")},
        "rubric": found.rubric,
        "grade": found.grade,
        "missing": found.missing,
    }
    return DraftRow(
        **{name: facts[name] for name in ("code", "organization", "programme", "stage", "year")},
        updated=write.at,
        document=document_of(AssessmentDraft, said, write.at),
    )


async def _checked_against(write: Write) -> Facts:
    connection = await write.session.connection()
    raw = (await connection.get_raw_connection()).driver_connection
    return (await copy_state(raw, "catalog")).model_dump(mode="json", exclude={"service"})


async def _store(write: Write, facts: Facts) -> None:
    derived, reviewed = facts["derived"], facts["reviewed"]
    grades = {
        "declared": facts["declared_grade"],
        "derived": derived and derived["grade"],
        "reviewed": reviewed and reviewed["grade"],
    }
    pairs = (("declared", "derived"), ("derived", "reviewed"), ("declared", "reviewed"))
    differences = [f"{a}_{b}" for a, b in pairs if grades[a] and grades[b] and grades[a] != grades[b]]
    if reviewed and reviewed["answers"]:
        differences.append("answers")
    said = {**facts, "differences": differences}
    await write.session.merge(
        AssessmentRow(
            **{
                name: facts[name]
                for name in (
                    "code", "programme", "marker", "stage", "year", "version", "organization", "status", "grade",
                )
            },
            rubric=_rubric_of(facts) if facts["rubric"] else None,
            updated=write.at,
            document=document_of(Assessment, said, write.at),
        )
    )  # fmt: skip


def _errors_of_draft(rubric: Rubric, draft: Facts, found: Score) -> list[ErrorDetail]:
    """What a draft lacks to be submitted."""
    answers: Mapping[str, Facts] = draft["answers"]
    errors = [
        error_detail("missing", f"/answers/{c}: this criterion is not answered", pointer=f"/answers/{c}")
        for c in found.missing
    ]
    errors += [
        error_detail("missing", f"/answers/{c}/justification: say why", pointer=f"/answers/{c}/justification")
        for c, answer in answers.items()
        if not answer["justification"]
    ]
    needed = isinstance(rubric.rule, ManualRule)
    return errors + _grade_errors(rubric, draft["declared_grade"], "/declared_grade", needed=needed, allowed=True)


def _grade_errors(rubric: Rubric, grade: str | None, pointer: str, *, needed: bool, allowed: bool) -> list[ErrorDetail]:
    grades = [grade.code for grade in rubric.grades]
    if grade is None:
        detail = f"{pointer}: under this rubric the answers give no grade, so it is stated"
        return [error_detail("missing", detail, pointer=pointer, allowed=grades)] if needed else []
    if not allowed:
        return [
            error_detail("not_applicable", f"{pointer}: under this rubric the answers give the grade", pointer=pointer)
        ]
    return [] if grade in grades else [unknown_code(pointer, grade, grades)]


def _year_errors(stage: str, year: int | None) -> list[ErrorDetail]:
    if (stage == "annual_report") == (year is not None):
        return []
    code, detail = (
        ("missing", "an annual report is of a year") if year is None else ("not_applicable", f"a {stage} is of no year")
    )
    return [error_detail(code, f"/year: {detail}", pointer="/year")]


def _score(rubric: Rubric, answers: Mapping[str, Facts], stage: Stage) -> Score:
    return rubrics.scored(rubric, {c: answer["answer"] for c, answer in answers.items()}, stage)


def _derived(found: Score) -> Facts:
    return {
        "grade": found.grade,
        "before_gates": found.grade_before_gates,
        "share": found.share.model_dump(mode="json") if found.share else None,
        "reason": found.reason,
    }


def _is_code(text: str) -> bool:
    return len(text) <= 64 and re.fullmatch(CODE_PATTERN, text) is not None


def _part_of(programme: ProgrammeRow) -> set[str]:
    lead = programme.document["lead_organization"]
    return {*programme.organizations, *([lead] if lead else [])}


def _require_part(programme: ProgrammeRow, organization: str) -> None:
    part = ", ".join(sorted(_part_of(programme)))
    if not part:
        raise Forbidden(
            f"The catalogue names no organization that takes part in {programme.code}; once the programme is amended"
            " there, those that take part assess it."
        )
    if organization not in _part_of(programme):
        raise Forbidden(f"{organization} takes no part in {programme.code}; it is assessed by {part}.")


async def _programme(write: Write, code: str) -> ProgrammeRow:
    row = await write.session.get(ProgrammeRow, code)
    if row is None:
        known = list(await write.session.scalars(sa.select(col(ProgrammeRow.code))))
        raise InvalidRequest([unknown_code("/programme", code, known)])
    return row


async def _organizations(write: Write) -> list[str]:
    """The organizations that take part in any programme."""
    found = await write.session.scalars(sa.text("SELECT DISTINCT unnest(organizations) FROM programme ORDER BY 1"))
    return list(found)


async def _rubric(write: Write, code: str | None) -> Rubric:
    """The version of a rubric that is named, or the newest of the human-rights marker."""
    found = await rubrics.published(write.session, code, marker=MARKER)
    if found is None:
        known = await rubrics.codes(write.session)
        raise InvalidRequest([unknown_code("/rubric", code or MARKER, known)])
    return found


def _rubric_of(facts: Facts) -> str:
    used = facts["rubric"]
    return f"{used['code']}.{used['version']}"


async def _newest(write: Write, programme: str, marker: str, stage: str, year: int | None) -> AssessmentRow | None:
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
    return found.one_or_none()


async def _next_code(write: Write) -> str:
    """A code that neither a draft nor an assessment ever had."""
    last = await write.session.scalar(
        sa.text(
            "SELECT max(substr(key, 3)::int) FROM change WHERE entity IN ('draft', 'assessment') AND action = 'create'"
        )
    )
    return f"A-{(last or 0) + 1:06d}"


async def _authors(write: Write, code: str) -> set[str]:
    """Who wrote an assessment, from its first draft to its submission, or an earlier version that it goes on with."""
    found = await write.session.scalars(
        sa.text(
            "WITH RECURSIVE version AS (SELECT code, rubric, document FROM assessment WHERE code = :code"
            " UNION ALL SELECT earlier.code, earlier.rubric, earlier.document FROM assessment AS earlier"
            " JOIN version ON earlier.code = version.document->>'corrects' AND earlier.rubric = version.rubric)"
            " SELECT DISTINCT actor FROM version JOIN change ON key = code"
            " AND (entity = 'draft' OR entity = 'assessment' AND action = 'create')"
            " JOIN revision ON seq BETWEEN first AND number"
        ),
        {"code": code},
    )
    return set(found)
