"""Rules of reviews: which one is needed next, what may be claimed and appealed, and how far two raters agree."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import ErrorDetail, error_detail, unknown_code
from mmptf_common.wire.shares import share
from mmptf_markers.assessments.rules import counting_review, find_differences
from mmptf_markers.assessments.schemas import Assessment, Review
from mmptf_markers.engine.results import Answer
from mmptf_markers.engine.rubric import NOT_APPLICABLE
from mmptf_markers.reviews.schemas import (
    FEW,
    AgreementGroup,
    ComparedCell,
    MeanDifference,
    ReviewAssignment,
    ReviewRound,
)

# The time for a review where none is stated, and the longest one.
USUAL_TIME, LONGEST_TIME = timedelta(days=30), timedelta(days=90)
APPEAL_TIME = timedelta(days=30)
"""How long after its publication a review can be appealed against."""

Rounds = Mapping[ReviewRound, ReviewAssignment]
"""The review of each round, without those that were declined."""


def rounds_of(reviews: Iterable[ReviewAssignment]) -> Rounds:
    """The review of each round of an assessment, without those that were declined."""
    return {review.round: review for review in reviews if review.state != "declined"}


def needed_round(assessment: Assessment, rounds: Rounds) -> ReviewRound | None:
    """The round that an assessment waits for, which may be under way; None where it waits for none."""
    if assessment.appeal is not None and assessment.appeal.decided is None:
        return "appeal"
    if assessment.status != "submitted":
        return None
    unfinished: Sequence[ReviewRound] = ("first", "second")
    return next((name for name in unfinished if name not in rounds or rounds[name].state != "done"), "settlement")


def agree(first: Review, second: Review) -> bool:
    """Whether two reviews find the same, so that no third one has to settle it."""
    return (first.decision, first.grade) == (second.decision, second.grade)


def reviewed_assessment(assessment: Assessment, **reviews: object) -> Assessment:
    """The assessment with reviews, such as `reviewed` and `second_review`; grade and status are those that count."""
    found = assessment.model_copy(update=reviews)
    counting = counting_review(found)
    assert counting is not None
    return found.model_copy(
        update={
            "status": "accepted" if counting.decision == "accept" else "returned",
            "grade": counting.grade,
            "basis": "reviewed",
            "differences": find_differences(found.declared_grade, found.derived, counting),
        }
    )


def due_errors(due: date, today: date) -> list[ErrorDetail]:
    """An error for a day of a review that is past, or further away than reviews take."""
    last = today + LONGEST_TIME
    if due < today:
        code, detail = ProblemCode.TOO_EARLY, f"/due: {due} is past"
    elif due > last:
        code, detail = ProblemCode.IN_THE_FUTURE, f"/due: {due} is more than {LONGEST_TIME.days} days away"
    else:
        return []
    return [error_detail(code, detail, pointer="/due", allowed=[f"{today} to {last}"])]


def published_on(assessment: Assessment) -> date | None:
    """The day on which the review of an assessment became public; None without one."""
    reviews = (assessment.reviewed, assessment.second_review, assessment.settlement)
    return max((review.at.date() for review in reviews if review), default=None)


def appeal_hindrance(assessment: Assessment, newest: str | None, today: date) -> str | None:
    """Why the review of an assessment cannot be appealed against; None where it can.

    newest: the code of the newest version of the assessment
    """
    published = published_on(assessment)
    if published is None:
        return f"{assessment.code} has no review to appeal against."
    if assessment.appeal is not None:
        return f"The review of {assessment.code} was appealed against already, which is possible once."
    if newest != assessment.code:
        return f"{assessment.code} is corrected by {newest}, which gets a review of its own."
    if today > published + APPEAL_TIME:
        return f"The review of {assessment.code} is of {published}; an appeal is possible for {APPEAL_TIME.days} days."
    return None


def criteria_errors(assessment: Assessment, criteria: Iterable[str]) -> list[ErrorDetail]:
    """An error for each criterion of an appeal that the assessment does not answer."""
    return [
        unknown_code(f"/reasons/{criterion}", criterion, assessment.answers)
        for criterion in criteria
        if criterion not in assessment.answers
    ]


class Pair(NamedTuple):
    """How often one rater gave an answer to a criterion, and the other another or the same."""

    rubric: str
    group: str | None
    one: str
    other: str
    number: int


def agreement(pairs: Iterable[Pair], scales: Mapping[str, Sequence[Answer]]) -> list[AgreementGroup]:
    """The agreement in each group, in the order of rubrics and codes; a group without a code is the last.

    pairs: with the values of answers as text; scales: rubric -> the values of its levels in their order
    """
    groups: dict[tuple[str, str | None], Counter[tuple[str, str]]] = defaultdict(Counter)
    for pair in pairs:
        groups[pair.rubric, pair.group][pair.one, pair.other] += pair.number
    return [
        _agreement(rubric, group, groups[rubric, group], scales[rubric])
        for rubric, group in sorted(groups, key=lambda key: (key[0], key[1] is None, key[1]))
    ]


def _agreement(
    rubric: str, group: str | None, given: Mapping[tuple[str, str], int], scale: Sequence[Answer]
) -> AgreementGroup:
    levels = [str(value) for value in scale]
    counts = {
        (levels.index(one), levels.index(other)): number
        for (one, other), number in given.items()
        if NOT_APPLICABLE not in (one, other)
    }
    n = sum(counts.values())
    kappa = weighted_kappa(counts, len(levels))
    values = [Fraction(value) for value in scale]
    differences = sum(((values[one] - values[other]) * number for (one, other), number in counts.items()), Fraction())
    return AgreementGroup(
        rubric=rubric,
        code=group,
        n=n,
        too_few=n < FEW,
        exact=share(sum(number for (one, other), number in counts.items() if one == other), n) if n else None,
        kappa=None if kappa is None else rounded(kappa),
        difference=MeanDifference(sum=exact_text(differences), count=n, mean=rounded(differences / n)) if n else None,
        not_applicable=given.get((NOT_APPLICABLE, NOT_APPLICABLE), 0),
        not_applicable_one=_alone(given, 0),
        not_applicable_other=_alone(given, 1),
        counts=[
            ComparedCell(one=scale[one], other=scale[other], count=number)
            for (one, other), number in sorted(counts.items())
        ],
    )


def _alone(given: Mapping[tuple[str, str], int], rater: int) -> int:
    """How often one rater alone says that a criterion does not apply; rater: its place in the pairs."""
    return sum(n for pair, n in given.items() if pair[rater] == NOT_APPLICABLE != pair[1 - rater])


def weighted_kappa(counts: Mapping[tuple[int, int], int], levels: int) -> Fraction | None:
    """Cohen's kappa of two raters with quadratic weights; None where it is not defined.

    Cohen, J. (1968): Weighted kappa. Psychological Bulletin 70(4), 213-220: one less the observed disagreement by that
    of chance, each pair weighted by the square of the distance of its levels.
    counts: position of the answer of either rater on the scale -> number of pairs; levels: number of levels
    """
    of_one, of_other = ([0] * levels for _ in range(2))
    for (one, other), number in counts.items():
        of_one[one] += number
        of_other[other] += number
    observed = sum((one - other) ** 2 * number for (one, other), number in counts.items())
    by_chance = sum(
        (one - other) ** 2 * of_one[one] * of_other[other] for one in range(levels) for other in range(levels)
    )
    return 1 - Fraction(observed * sum(of_one), by_chance) if by_chance else None


def rounded(value: Fraction) -> str:
    """A fraction as decimal text with four decimals, rounded half to even."""
    places = round(value * 10_000)
    return f"{'-' if places < 0 else ''}{abs(places) // 10_000}.{abs(places) % 10_000:04d}"


def exact_text(value: Fraction) -> str:
    """A sum of values of levels, which have six decimals at most, as exact decimal text."""
    text = f"{Decimal(value.numerator) / Decimal(value.denominator):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
