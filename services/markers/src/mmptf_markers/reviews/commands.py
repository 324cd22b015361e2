"""Commands on reviews: assign, claim and decline them, decide, and appeal against what was decided."""

from __future__ import annotations

import re
import secrets
from datetime import date

import sqlalchemy as sa
from sqlmodel import col

from mmptf_common.http.identity import Identity, organization_of
from mmptf_common.storage.journal import Write, state_reasons
from mmptf_common.storage.pseudonyms import pseudonym_of
from mmptf_common.wire.base import CODE_PATTERN
from mmptf_common.wire.links import link
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import Conflict, ErrorDetail, Forbidden, error_detail, raise_if_any
from mmptf_common.wire.stored_records import whole_record
from mmptf_common.writes.commands import Created, row_of
from mmptf_markers.access import MANAGEMENT_UNIT
from mmptf_markers.assessments.commands import (
    assessment_row,
    fetch_newest,
    require_rubric,
)
from mmptf_markers.assessments.queries import ASSESSMENTS
from mmptf_markers.assessments.rules import (
    answers_of,
    counting_checks,
    counting_review,
    derive_grade,
    own_answer_errors,
    own_answers,
    reviewed_grade_errors,
    stored_assessment,
)
from mmptf_markers.assessments.schemas import Appeal, Assessment, Review, ReviewSent
from mmptf_markers.assessors.commands import fetch_participation, require_programme
from mmptf_markers.assessors.rules import Participation, require_participant
from mmptf_markers.models import AssessmentRow, ReviewRow
from mmptf_markers.reviews import rules
from mmptf_markers.reviews.queries import REVIEWS
from mmptf_markers.reviews.schemas import (
    AppealSent,
    ClaimSent,
    RefusalSent,
    ReviewAssignment,
    ReviewerSent,
    ReviewRound,
)
from mmptf_markers.rubrics.rules import published_code, score_or_raise

# The longest reason of a change in the journal.
LONGEST_REASON = 2000
_DRAW = secrets.SystemRandom()


async def assign(write: Write, code: str, sent: ReviewerSent) -> Created:
    """Ask a reviewer to review an assessment; raises InvalidRequest where she may not."""
    assessment = await _fetch_assessment(write, code)
    participation = await fetch_participation(write, await require_programme(write, assessment.programme))
    reviews = await _fetch_reviews(write, code)
    reviewer, organization = await pseudonym_of(write, sent.reviewer), sent.organization.upper()
    due = _due(write, sent.due)
    raise_if_any(
        [
            *rules.due_errors(due, write.at.date()),
            *_assignment_errors(
                participation, assessment, organization, sent.reviewer in await _fetch_authors(write, assessment)
            ),
            *_earlier_errors(reviews, reviewer, has_decided=await _has_decided(write, code, sent.reviewer)),
        ]
    )
    review = await _free_review(write, assessment, rules.rounds_of(reviews), sent.round)
    asked = {"state": "assigned", "reviewer": reviewer, "organization": organization, "due": due}
    return await _store(write, review.model_copy(update=asked))


async def claim(write: Write, who: Identity, code: str, sent: ClaimSent) -> Created:
    """Claim the review that an assessment needs next, or accept the one that the caller was assigned.

    Raises Forbidden where the caller has a part in the assessment or in an earlier review of it, Conflict where no
    review is needed, or somebody else makes it.
    """
    assessment = await _fetch_assessment(write, code)
    await _require_no_part(write, who, assessment)
    reviews = await _fetch_reviews(write, code)
    reviewer = await pseudonym_of(write, who.subject)
    own = [review for review in reviews if review.reviewer == reviewer]
    if any(review.state == "done" for review in own) or await _has_decided(write, code, who.subject):
        raise Forbidden(f"{code} is rated once by one person; you have reviewed it.")
    claimed = next((review for review in own if review.state == "claimed"), None)
    if claimed is not None:
        raise Conflict(f"You have claimed {code} already, as {claimed.code}.", code=ProblemCode.REVIEW_TAKEN)
    review = next((review for review in own if review.state == "assigned"), None)
    if review is None:
        review = await _free_review(write, assessment, rules.rounds_of(reviews), None)
    if review.round == "second" and who.has_role(MANAGEMENT_UNIT):
        raise Forbidden("The management unit reads the first review, so that it makes no second one.")
    due = date.fromisoformat(sent.due) if sent.due else review.due or _due(write, None)
    if sent.due:
        raise_if_any(rules.due_errors(due, write.at.date()))
    claimed_by = {
        "state": "claimed",
        "reviewer": reviewer,
        "organization": who.organization,
        "due": due,
        "interest": sent.interest,
    }
    return await _store(write, review.model_copy(update=claimed_by))


async def decline(write: Write, who: Identity, code: str, sent: RefusalSent) -> None:
    """Decline a review that is assigned or claimed, for whoever was to make it; another reviewer is sought."""
    row = await row_of(write, ReviewRow, REVIEWS, code)
    review = whole_record(ReviewAssignment, row.record)
    if review.reviewer != await pseudonym_of(write, who.subject) and not who.has_role(MANAGEMENT_UNIT):
        raise Forbidden("A review is declined by the reviewer, or by the Fund's management unit.")
    if review.state not in ("assigned", "claimed"):
        raise Conflict(f"{code} is {review.state}: nobody is to make it now.", code=ProblemCode.NOT_CLAIMED)
    await _store(write, review.model_copy(update={"state": "declined", "declined": sent.reason}))
    # Who makes the first review is sought by the status of the assessment, which everybody reads.
    if review.round != "first":
        await _open(write, review.assessment, review.programme, review.round)


async def decide(write: Write, who: Identity, code: str, sent: ReviewSent, second_ratings: float) -> None:
    """Decide on an assessment that the caller has claimed: accept or return it; her own answers replace others.

    Where another reviewer rates it, too, nothing of it is public before both have decided.
    second_ratings: the share of first reviews after which another reviewer is sought
    Raises Forbidden where the caller has a part in the assessment, Conflict where she has not claimed it.
    """
    row = await row_of(write, AssessmentRow, ASSESSMENTS, code)
    assessment = stored_assessment(row.record)
    await _require_no_part(write, who, assessment)
    if assessment.status != "submitted" or assessment.rubric is None:
        raise Conflict(
            f"{code} is {assessment.status}; what is submitted is reviewed.", code=ProblemCode.NOT_REVIEWABLE
        )
    reviews = await _fetch_reviews(write, code)
    own = await _claimed(write, who, reviews, assessment)
    outcome = await _outcome(write, who, assessment, sent)
    done = own.model_copy(update={"state": "done", "outcome": outcome, "organization": who.organization})
    await _store(write, done)
    rounds = {**rules.rounds_of(reviews), done.round: done}
    first, second, settlement = (
        rounds[name].outcome if name in rounds else None for name in ("first", "second", "settlement")
    )
    if first is not None and "second" not in rounds and _DRAW.random() < second_ratings:
        await _open(write, code, assessment.programme, "second")
    elif first is not None and "second" not in rounds:
        await _publish(write, row, rules.reviewed_assessment(assessment, reviewed=first), sent)
    elif first is not None and second is not None:
        if settlement is None and not rules.agree(first, second):
            await _open(write, code, assessment.programme, "settlement")
            return
        reviewed = rules.reviewed_assessment(assessment, reviewed=first, second_review=second, settlement=settlement)
        await _publish(write, row, reviewed, sent)


async def appeal(write: Write, who: Identity, code: str, sent: AppealSent) -> None:
    """Appeal against the review of an assessment; the grade of the review counts until another reviewer decides."""
    row = await row_of(write, AssessmentRow, ASSESSMENTS, code)
    assessment = stored_assessment(row.record)
    programme = await require_programme(write, assessment.programme)
    organization = organization_of(who)
    require_participant(await fetch_participation(write, programme), organization)
    newest = await fetch_newest(write, assessment.programme, assessment.marker, assessment.stage, assessment.year)
    hindrance = rules.appeal_hindrance(assessment, newest.code if newest else None, write.at.date())
    if hindrance is not None:
        raise Conflict(hindrance, code=ProblemCode.NOT_APPEALABLE)
    raise_if_any(rules.criteria_errors(assessment, sent.reasons))
    appealed = Appeal(organization=organization, at=write.at, comment=sent.comment, reasons=sent.reasons, decided=None)
    amended = assessment.model_copy(update={"appeal": appealed, "updated": write.at})
    await write.session.merge(assessment_row(amended, row.draft))
    await _open(write, code, assessment.programme, "appeal")


async def decide_appeal(write: Write, who: Identity, code: str, sent: ReviewSent) -> None:
    """Decide on the appeal against a review, which the caller has claimed; what she finds counts from then on."""
    row = await row_of(write, AssessmentRow, ASSESSMENTS, code)
    assessment = stored_assessment(row.record)
    await _require_no_part(write, who, assessment)
    if assessment.appeal is None or assessment.appeal.decided is not None:
        raise Conflict(f"No appeal against the review of {code} is open.", code=ProblemCode.NOT_REVIEWABLE)
    own = await _claimed(write, who, await _fetch_reviews(write, code), assessment)
    outcome = await _outcome(write, who, assessment, sent)
    await _store(write, own.model_copy(update={"state": "done", "outcome": outcome, "organization": who.organization}))
    decided = assessment.appeal.model_copy(update={"decided": outcome})
    await _publish(write, row, rules.reviewed_assessment(assessment, appeal=decided), sent)


async def _publish(write: Write, row: AssessmentRow, reviewed: Assessment, sent: ReviewSent) -> None:
    """Store an assessment with its reviews; the reason of the change is the comment of the review that counts."""
    counting = counting_review(reviewed)
    if counting is not None and counting.comment != sent.comment:
        await state_reasons(write, {"assessment": {reviewed.code: counting.comment[:LONGEST_REASON]}})
    await write.session.merge(assessment_row(reviewed.model_copy(update={"updated": write.at}), row.draft))
    # Flushed, so that the reason is that of this change.
    await write.session.flush()


async def _outcome(write: Write, who: Identity, assessment: Assessment, sent: ReviewSent) -> Review:
    """What a reviewer decides, with the grade that her answers give; raises InvalidRequest where one is no other."""
    assert assessment.rubric is not None
    rubric = await require_rubric(write, published_code(assessment.rubric))
    raise_if_any(own_answer_errors(assessment, sent.answers))
    given = answers_of(assessment.answers)
    own = {criterion: answer.answer for criterion, answer in sent.answers.items()}
    score = score_or_raise(rubric, given | own, assessment.stage, counting_checks(rubric, assessment, own))
    raise_if_any(reviewed_grade_errors(rubric, sent.grade))
    # Of the two one is there: the rubric gives the grade, or leaves it to the reviewer.
    grade = score.grade or sent.grade
    assert grade is not None
    return Review(
        decision=sent.decision,
        organization=who.organization,
        at=write.at,
        comment=sent.comment,
        answers=own_answers(assessment, sent.answers),
        derived=derive_grade(score),
        grade=grade,
    )


async def _fetch_assessment(write: Write, code: str) -> Assessment:
    """An assessment by its code; raises NotFound."""
    return stored_assessment((await row_of(write, AssessmentRow, ASSESSMENTS, code)).record)


async def _fetch_reviews(write: Write, code: str) -> list[ReviewAssignment]:
    """All reviews of an assessment, in the order in which they were begun."""
    found = await write.session.scalars(
        sa.select(ReviewRow).where(col(ReviewRow.assessment) == code).order_by(col(ReviewRow.code))
    )
    return [whole_record(ReviewAssignment, row.record) for row in found]


async def _free_review(
    write: Write, assessment: Assessment, rounds: rules.Rounds, asked: ReviewRound | None
) -> ReviewAssignment:
    """The review of an assessment that somebody may make now, which may be new and is not stored then.

    asked: the round; None for the one that is needed next
    Raises Conflict where no such review is needed, or somebody makes it.
    """
    needed = rules.needed_round(assessment, rounds)
    if needed is None:
        raise Conflict(
            f"{assessment.code} is {assessment.status}, and waits for no review.", code=ProblemCode.NOT_REVIEWABLE
        )
    wanted = asked or needed
    # Only that there will be two ratings can be settled before the first.
    if wanted != needed and (wanted, needed) != ("second", "first"):
        raise Conflict(
            f"{assessment.code} waits for the review {needed}, and for no other.", code=ProblemCode.NOT_REVIEWABLE
        )
    found = rounds.get(wanted)
    if found is None:
        return await _new_review(write, assessment.code, assessment.programme, wanted)
    if found.state != "open":
        raise Conflict(
            f"Somebody else makes the review that {assessment.code} waits for.", code=ProblemCode.REVIEW_TAKEN
        )
    return found


async def _claimed(
    write: Write, who: Identity, reviews: list[ReviewAssignment], assessment: Assessment
) -> ReviewAssignment:
    """The review that the caller has claimed; raises Conflict without one."""
    reviewer = await pseudonym_of(write, who.subject)
    own = [review for review in reviews if review.reviewer == reviewer]
    claimed = next((review for review in own if review.state == "claimed"), None)
    if claimed is None:
        path = link(f"{ASSESSMENTS.path}/{assessment.code}/claim")
        raise Conflict(
            f"You have not claimed {assessment.code}: POST {path} with a declaration of interest comes first.",
            code=ProblemCode.NOT_CLAIMED,
        )
    return claimed


async def _open(write: Write, assessment: str, programme: str, round_: ReviewRound) -> None:
    """Store a review for which a reviewer is sought."""
    review = await _new_review(write, assessment, programme, round_)
    await _store(write, review.model_copy(update={"due": _due(write, None)}))


async def _new_review(write: Write, assessment: str, programme: str, round_: ReviewRound) -> ReviewAssignment:
    """A review that nobody makes yet, under the next code, which none has ever had; it is not stored."""
    last = await write.session.scalar(
        sa.text("SELECT max(substr(key, 3)::int) FROM change WHERE entity = 'review' AND action = 'create'")
    )
    return ReviewAssignment(
        code=f"R-{(last or 0) + 1:06d}",
        assessment=assessment,
        programme=programme,
        round=round_,
        state="open",
        reviewer=None,
        organization=None,
        due=None,
        interest=None,
        declined=None,
        outcome=None,
        updated=write.at,
    )


async def _store(write: Write, review: ReviewAssignment) -> Created:
    """Store a new or changed review."""
    stored = review.model_copy(update={"updated": write.at})
    row = ReviewRow(
        code=stored.code,
        assessment=stored.assessment,
        programme=stored.programme,
        round=stored.round,
        state=stored.state,
        reviewer=stored.reviewer,
        organization=stored.organization,
        due=stored.due,
        updated=stored.updated,
        record=stored.model_dump(mode="json"),
    )
    await write.session.merge(row)
    await write.session.flush()
    return Created(REVIEWS, stored.code)


def _due(write: Write, stated: str | None) -> date:
    """The day by which a review is to be decided: as stated, or the usual time from now."""
    return date.fromisoformat(stated) if stated else write.at.date() + rules.USUAL_TIME


async def _require_no_part(write: Write, who: Identity, assessment: Assessment) -> None:
    """Raise Forbidden where the caller wrote an assessment, or her organization takes part or is not known.

    It holds for administrators, too: whom they act for decides whether they are independent.
    """
    organization = organization_of(who)
    if not (len(organization) <= 64 and re.fullmatch(CODE_PATTERN, organization)):
        raise Forbidden(
            "The access token names an organization by something that is no code.",
            code=ProblemCode.ORGANIZATION_NOT_KNOWN,
        )
    participation = await fetch_participation(write, await require_programme(write, assessment.programme))
    if organization in _taking_part(participation, assessment):
        raise Forbidden(f"{organization} takes part in {assessment.programme}: the reviewer belongs to none that does.")
    if who.subject in await _fetch_authors(write, assessment):
        raise Forbidden(f"{assessment.code} is reviewed by somebody who did not write it.")


def _taking_part(participation: Participation, assessment: Assessment) -> frozenset[str]:
    """The organizations that review nothing of an assessment: those that the programme concerns.

    Those that submitted it or took a position are among them, even where they are not named any more.
    """
    took_part = {assessment.organization, *(position.organization for position in assessment.positions)}
    return participation.concerned | took_part


def _assignment_errors(
    participation: Participation, assessment: Assessment, organization: str, is_author: bool
) -> list[ErrorDetail]:
    """The errors of an assignment to somebody with a part in an assessment."""
    errors = []
    if organization in _taking_part(participation, assessment):
        detail = f"/organization: {organization} takes part in {assessment.programme}"
        errors.append(error_detail(ProblemCode.NOT_INDEPENDENT, detail, pointer="/organization"))
    if is_author:
        detail = f"/reviewer: this person wrote {assessment.code}"
        errors.append(error_detail(ProblemCode.NOT_INDEPENDENT, detail, pointer="/reviewer"))
    return errors


def _earlier_errors(reviews: list[ReviewAssignment], reviewer: str, *, has_decided: bool) -> list[ErrorDetail]:
    """An error for a reviewer who has another review of the same assessment, or has decided on it before."""
    own = [review.code for review in reviews if review.reviewer == reviewer and review.state != "declined"]
    if not own and not has_decided:
        return []
    detail = f"/reviewer: this person has {own[0]} already" if own else "/reviewer: this person has reviewed it already"
    return [error_detail(ProblemCode.NOT_INDEPENDENT, detail, pointer="/reviewer")]


async def _has_decided(write: Write, code: str, subject: str) -> bool:
    """Whether the review of an assessment was published by a subject, also before reviews were records."""
    found = await write.connection.fetchval(
        "SELECT EXISTS (SELECT FROM change JOIN revision ON seq BETWEEN first AND number"
        " WHERE entity = 'assessment' AND key = $1 AND action = 'amend' AND actor = $2"
        " AND before->>'reviewed' IS NULL AND after->>'reviewed' IS NOT NULL)",
        *(code, subject),
    )
    return bool(found)


async def _fetch_authors(write: Write, assessment: Assessment) -> set[str]:
    """The actors who wrote an assessment, from first draft to submission, or an earlier version that it continues, and
    those who stated a position on it.
    """
    found = await write.session.scalars(
        sa.text(
            "WITH RECURSIVE version AS (SELECT code, draft, rubric, record FROM assessment WHERE code = :code"
            " UNION ALL SELECT earlier.code, earlier.draft, earlier.rubric, earlier.record FROM assessment AS earlier"
            " JOIN version ON earlier.code = version.record->>'corrects' AND earlier.rubric = version.rubric)"
            " SELECT actor FROM version JOIN change ON key = code COLLATE \"default\" AND entity = 'assessment'"
            " AND action = 'create' JOIN revision ON seq BETWEEN first AND number"
            ' UNION SELECT actor FROM version JOIN draft_change ON key = coalesce(draft, code COLLATE "default")'
            " AND entity = 'draft'"
            " JOIN draft_revision ON seq BETWEEN first AND number"
            " UNION SELECT actor FROM change JOIN revision ON seq BETWEEN first AND number"
            " WHERE key = :code AND entity = 'assessment' AND organization = ANY(:others)"
        ),
        {"code": assessment.code, "others": [position.organization for position in assessment.positions]},
    )
    return set(found)
