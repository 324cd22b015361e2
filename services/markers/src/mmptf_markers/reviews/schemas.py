"""The wire shapes of reviews: assignments, claims and appeals as they are sent, and the agreement of raters."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import Field, JsonValue
from typing_extensions import TypeAliasType

from mmptf_common.wire.base import Code, Day, RequestModel, ResponseModel, Text
from mmptf_common.wire.pages import Page
from mmptf_common.wire.shares import Share
from mmptf_markers.assessments.schemas import Review
from mmptf_markers.engine.results import Answer
from mmptf_markers.evidence.schemas import LongText

ReviewRound = TypeAliasType(
    "ReviewRound",
    Literal["first", "second", "settlement", "appeal"],
)
"""Which review of an assessment it is.

- `first`: the review of what was submitted
- `second`: another rating by somebody who does not know the first
- `settlement`: the decision of a third reviewer, who knows both, where decision or grade of the two differ
- `appeal`: the decision of another reviewer on the appeal of an organization that takes part
"""

ReviewState = TypeAliasType(
    "ReviewState",
    Literal["open", "assigned", "claimed", "declined", "done"],
)
"""How far a review has come.

- `open`: a reviewer is sought
- `assigned`: the management unit has asked a reviewer, who has not accepted yet
- `claimed`: the reviewer has declared her interests, and is to decide
- `declined`: the reviewer does not make it, and another one is sought
- `done`: it is decided
"""

AgreementDivision = TypeAliasType(
    "AgreementDivision",
    Literal["criterion", "organization", "year"],
)
"""By what the agreement of raters is divided.

- `criterion`: the criterion of the rubric that was answered
- `organization`: the organization whose assessment it is
- `year`: the year of the later of the two ratings
"""

AgreementGrouping = TypeAliasType(
    "AgreementGrouping",
    Literal["criterion", "organization", "year", "reviewer"],
)
"""By what the agreement of raters is divided, also for the management unit alone.

- `criterion`: the criterion of the rubric that was answered
- `organization`: the organization whose assessment it is
- `year`: the year of the later of the two ratings
- `reviewer`: the reviewer, by a pseudonym
"""

ComparedRaters = TypeAliasType(
    "ComparedRaters",
    Literal["assessor_and_reviewer", "first_and_second"],
)
"""Whose answers are compared.

- `assessor_and_reviewer`: those of the organization, and those of the first reviewer, who has seen them
- `first_and_second`: those of two reviewers, of whom the second has not seen the first one's
"""

# Below this number of pairs of answers no figure says much.
FEW = 20

Subject = Annotated[Text, Field(max_length=255)]
Declaration = Annotated[LongText, Field(min_length=10)]


class ReviewerSent(RequestModel):
    """Who is asked to review an assessment, for which organization, and until when."""

    reviewer: Subject
    """Subject of the reviewer at the identity provider (`sub`); only a pseudonym of it is stored."""
    organization: Code
    """Code of the reviewer's organization, such as `OHCHR`; it takes no part in the programme."""
    due: Day | None = None
    """Day by which the reviewer is to decide, 90 days from today at most; without it, 30 days from today."""
    round: ReviewRound | None = None
    """Which review it is; without it, the one that is needed next. A second rating can be asked for before the first is
    done.
    """


class ClaimSent(RequestModel):
    """The claim of a reviewer to an assessment, with a declaration of interest."""

    interest: Declaration
    """What connects the reviewer with the programme, its organizations and its people, in words; that nothing does is
    stated, too. The management unit reads it.
    """
    due: Day | None = None
    """Day by which the reviewer will decide, 90 days from today at most; without it, the day that was set, or 30 days
    from today.
    """


class RefusalSent(RequestModel):
    """Why a reviewer does not make a review."""

    reason: Annotated[LongText, Field(max_length=2000, description="Why not, such as an interest in the programme.")]


class AppealSent(RequestModel):
    """Why a review does not hold, as an organization that takes part sees it."""

    comment: LongText
    """Why the review does not hold, for the other reviewer and the public."""
    reasons: Annotated[dict[Code, LongText], Field(default_factory=dict, max_length=200)]
    """Why its answers do not hold, by code of the criterion."""


class ReviewAssignment(ResponseModel):
    """A review of an assessment in one round: who makes it, until when, and what was decided. Only the reviewer and the
    Fund's management unit read it, and who makes a settlement those of the other two.
    """

    code: Code
    """Code of the review, such as `R-000001`."""
    assessment: Code
    """Code of the assessment that is reviewed."""
    programme: Code
    """Code of the programme that is assessed."""
    round: ReviewRound
    """Which review of the assessment it is."""
    state: ReviewState
    """How far it has come."""
    reviewer: str | None
    """Pseudonym of the reviewer, the same in all reviews of a person; null while one is sought."""
    organization: Code | None
    """Code of the reviewer's organization; null while a reviewer is sought."""
    due: date | None
    """Day by which it is to be decided; null where none is set."""
    interest: str | None
    """What the reviewer declared of interests; null before that."""
    declined: str | None
    """Why it was declined; null where it was not."""
    outcome: Review | None
    """What was decided; null before that."""
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""


class ReviewAssignmentPage(Page[ReviewAssignment]):
    """One page of reviews."""


class MeanDifference(ResponseModel):
    """How much higher one rater's answers are than the other's, on average."""

    sum: str
    """Sum of all differences, as exact decimal text: negative where the other rater's answers are higher."""
    count: int
    """Number of pairs of answers by which it is divided."""
    mean: str
    """The sum by the number, as decimal text with four decimals, rounded half to even; to be shown."""


class ComparedCell(ResponseModel):
    """How often one rater gave a certain answer and the other another or the same."""

    one: Answer
    """Value of the answer of one rater: the assessor, or the first reviewer."""
    other: Answer
    """Value of the answer of the other rater: the reviewer, or the second reviewer."""
    count: int
    """Number of such pairs."""


class AgreementGroup(ResponseModel):
    """How far two raters agree under one version of a rubric; versions are not added: they ask other things."""

    rubric: Code
    """Code of the rubric with its version, under which the answers were given."""
    code: str | None
    """Code or year of the group; null without a division, and for reviewers who were not recorded yet."""
    n: int
    """Number of pairs of answers on the scale: of the same criterion of the same assessment by both raters."""
    too_few: bool
    """Whether there are fewer than 20 pairs, so that the figures say little."""
    exact: Share | None
    """Share of the pairs with the same answer; null without any."""
    kappa: str | None
    """Cohen's kappa with quadratic weights over the levels of the scale, as decimal text with four decimals, rounded
    half to even from the exact fraction: `1.0000` is full agreement, `0.0000` that of chance. Null where all answers
    of both are the same one, or there are none.
    """
    difference: MeanDifference | None
    """Mean of one rater's answer less the other's, by the values of the levels; null without any."""
    not_applicable: int
    """Number of further pairs where both say that the criterion does not apply."""
    not_applicable_one: int
    """Number of further pairs where one rater alone says so: the assessor, or the first reviewer."""
    not_applicable_other: int
    """Number of further pairs where the other rater alone says so."""
    counts: list[ComparedCell]
    """Number of pairs by both answers, where there are any; they add up to `n`."""


class Agreement(ResponseModel):
    """How far two raters of the same assessments agree, over all criteria that both answered, or by group."""

    between: ComparedRaters
    """Whose answers are compared."""
    by: AgreementGrouping | None
    """What the pairs are divided by; null where they are not."""
    groups: list[AgreementGroup]
    """One for each version of a rubric, and for each group under it; empty without any pair."""
    revision: int
    """Number of the last write that the answer contains; it only grows, and `as_of` takes it to read the same data
    again.
    """


# The examples of request bodies in the contract.
EXAMPLE_REVIEWER: dict[str, JsonValue] = {
    "reviewer": "8f3c-another-reviewer",
    "organization": "OHCHR",
}
EXAMPLE_CLAIM: dict[str, JsonValue] = {
    "interest": "None: I have not worked for the programme or any organization in it.",
}
EXAMPLE_REFUSAL: dict[str, JsonValue] = {"reason": "I advised one of the organizations on the programme."}
EXAMPLE_APPEAL: dict[str, JsonValue] = {
    "comment": "The measures have dates, in an annex that the review does not mention.",
    "reasons": {"due-diligence": "Annex 4 has a date and an owner for each measure."},
}
