"""The listing of reviews, as far as a caller may see them, and the agreement of raters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from mmptf_common.http.identity import Identity
from mmptf_common.http.parameters import ListQuery, TableQuery, Values, order_by
from mmptf_common.http.snapshot import Snapshot, answer_computed
from mmptf_common.lists.codes import codes_in
from mmptf_common.lists.listing import Filter, Listing
from mmptf_common.lists.tables import table_of
from mmptf_common.storage.pseudonyms import OF_SUBJECT
from mmptf_common.wire.base import Day
from mmptf_markers.access import MANAGEMENT_UNIT
from mmptf_markers.assessments.queries import ASSESSMENTS
from mmptf_markers.filters import OF_PROGRAMME, PATH
from mmptf_markers.reviews import rules, schemas
from mmptf_markers.rubrics.queries import parse_rubric


class ReviewQuery(ListQuery):
    """Which reviews, of those that the caller may see. Overdue are those that are not done and due before today."""

    sort: tuple[Literal["code", "-code", "updated", "-updated"], ...] = order_by("code")
    programme: Annotated[Values, Field(description="Code of a programme, as in the catalogue.", examples=["ETH-01"])]
    assessment: Annotated[Values, Field(description="Code of an assessment.", examples=["A-000001"])]
    round: Annotated[
        list[schemas.ReviewRound],
        Field(default_factory=list, max_length=100, description="Which review of an assessment.", examples=["first"]),
    ]
    state: Annotated[
        list[schemas.ReviewState],
        Field(default_factory=list, max_length=100, description="How far a review has come.", examples=["claimed"]),
    ]
    due_before: Annotated[
        Day | None,
        Field(
            description="Only reviews due before this day, not on it: with today, and the states `open`, `assigned` and"
            " `claimed`, those overdue.",
            examples=["2027-12-31"],
        ),
    ] = None


class AgreementOfReviewersQuery(TableQuery):
    """Whose answers are compared."""

    between: Annotated[
        schemas.ComparedRaters,
        Field(
            description="`assessor_and_reviewer`: the organization and its reviewer; `first_and_second`: two reviewers."
        ),
    ] = "assessor_and_reviewer"


class AgreementQuery(AgreementOfReviewersQuery):
    """Whose answers are compared, and by what they are divided."""

    by: Annotated[
        list[schemas.AgreementDivision],
        Field(
            default_factory=list,
            max_length=1,
            description="What the pairs of answers are divided by; without it, there is one group for each rubric.",
            examples=["criterion"],
        ),
    ]


REVIEWS = Listing(
    path=f"{PATH}/reviews",
    entity="review",
    item=schemas.ReviewAssignment,
    page=schemas.ReviewAssignmentPage,
    rows="review",
    query=ReviewQuery,
    sorts={"code": ("code", "text"), "updated": ("updated", "timestamptz")},
    filters={
        "programme": OF_PROGRAMME,
        "assessment": Filter("assessment = ANY({}::text[])", codes_in("assessment"), ASSESSMENTS.path),
        "round": Filter("round = ANY({}::text[])"),
        "state": Filter("state = ANY({}::text[])"),
        "due_before": Filter("due < {}::text::date"),
    },
    columns={
        **{name: name for name in ("code", "assessment", "programme", "round", "state", "reviewer", "organization")},
        "due": "due",
        "interest": "record->>'interest'",
        "declined": "record->>'declined'",
        "decision": "record#>>'{outcome,decision}'",
        "grade": "record#>>'{outcome,grade}'",
        "updated": "record->>'updated'",
    },
)

# The reviews that a reviewer sees: her own; those for which a reviewer is sought, of assessments that she has no part
# in, neither by her organization nor by a review; and, for a settlement, those of the two who differ. Before the first
# review is done nobody sees that a second one is sought. The value has her subject and her organization. Each of the
# three has few reviews, which are found in indexes.
_VISIBLE = """code = ANY(ARRAY(
    SELECT own.code FROM review AS own WHERE own.reviewer = {me}
     UNION ALL
    SELECT sought.code FROM review AS sought
     WHERE sought.state = 'open' AND ({0}::text[])[2] <> ''
       AND NOT EXISTS (SELECT FROM programme AS assessed WHERE assessed.code = sought.programme
                          AND (({0}::text[])[2] = ANY(assessed.organizations)
                               OR ({0}::text[])[2] = assessed.lead_organization))
       AND NOT EXISTS (SELECT FROM assessor AS settled WHERE settled.code = sought.programme
                          AND ({0}::text[])[2] = ANY(settled.organizations))
       AND NOT EXISTS (SELECT FROM assessment AS given WHERE given.code = sought.assessment
                          AND given.organization = ({0}::text[])[2])
       AND NOT EXISTS (SELECT FROM review AS own WHERE own.assessment = sought.assessment AND own.reviewer = {me}
                          AND own.state <> 'declined')
       AND (sought.round <> 'second' OR EXISTS (SELECT FROM review AS first WHERE first.assessment = sought.assessment
                                                   AND first.round = 'first' AND first.state = 'done'))
     UNION ALL
    SELECT rated.code FROM review AS own JOIN review AS rated ON rated.assessment = own.assessment
     WHERE own.reviewer = {me} AND own.round = 'settlement' AND own.state IN ('claimed', 'done')
       AND rated.state = 'done' AND rated.code <> own.code))""".replace("{me}", OF_SUBJECT.format("({0}::text[])[1]"))


def reviews_for(who: Identity) -> Listing:
    """The reviews that a caller may see; the management unit and administrators see all."""
    if who.has_role(MANAGEMENT_UNIT):
        return REVIEWS
    return replace(REVIEWS, fixed={_VISIBLE: [who.subject, who.organization or ""]})


# The members of a record that hold the two ratings of the same assessment; None for the assessor's own answers.
_RATINGS = {"assessor_and_reviewer": (None, "reviewed"), "first_and_second": ("reviewed", "second_review")}
_GROUPS = {
    None: "NULL::text",
    "criterion": "answer.key",
    "organization": "rated.organization",
    "year": "left(given.at, 4)",
    "reviewer": "review.reviewer",
}
# Reviews that were made before reviewers were recorded have none.
_BY_REVIEWER = """
      LEFT JOIN review ON review.assessment = rated.code AND review.state = 'done' AND review.round IN ({rounds})"""


def _answer(rating: str | None) -> str:
    """SQL of the answer to a criterion in a rating: its own one, where it has one, in place of the assessor's."""
    of_assessor = "answer.value->>'answer'"
    return f"coalesce(given.{rating}->answer.key->>'answer', {of_assessor})" if rating else of_assessor


def pairs_between(between: schemas.ComparedRaters, by: str | None = None, where: str = "true") -> str:
    """SQL of the number of pairs by rubric, group and both answers; where: SQL condition of the assessments `rated`."""
    one, other = map(_answer, _RATINGS[between])
    later = _RATINGS[between][1]
    join = ""
    if by == "reviewer":
        join = _BY_REVIEWER.format(rounds="'first'" if between == "assessor_and_reviewer" else "'first', 'second'")
        if between == "first_and_second":
            # Each pair is one of both reviewers: her answer, and that of the other one.
            is_second = "review.round = 'second'"
            one, other = (f"CASE WHEN {is_second} THEN {b} ELSE {a} END" for a, b in ((one, other), (other, one)))
    # OFFSET 0: each part of a record is read once, and not for each answer.
    return f"""
    SELECT rated.rubric, {_GROUPS[by]}, {one}, {other}, count(*)
      FROM assessment AS rated
     CROSS JOIN LATERAL (SELECT rated.record->'answers' AS answers, rated.record#>'{{reviewed,answers}}' AS reviewed,
                                rated.record#>'{{second_review,answers}}' AS second_review,
                                rated.record#>>'{{{later},at}}' AS at OFFSET 0) AS given
     CROSS JOIN LATERAL json_each(given.answers) AS answer{join}
     WHERE rated.rubric IS NOT NULL AND given.{later} IS NOT NULL AND {where}
     GROUP BY 1, 2, 3, 4"""


async def fetch_groups(data: Snapshot, found: Sequence[Any]) -> list[schemas.AgreementGroup]:
    """How far two raters agree, by version of the rubric and by group; found: the rows of `pairs_between`."""
    pairs = [rules.Pair(*row) for row in found]
    rubrics = dict(await data.fetch("SELECT code, record::text FROM rubric"))
    scales = {
        code: [level.value for level in parse_rubric(rubrics[code]).scale.levels]
        for code in {pair.rubric for pair in pairs}
    }
    return rules.agreement(pairs, scales)


async def answer_agreement(request: Request, query: AgreementOfReviewersQuery, by: str | None) -> Response:
    """How far two raters agree, by group, from one snapshot; by: a division, or `reviewer`."""

    async def build(data: Snapshot, revision: int) -> schemas.Agreement:
        groups = await fetch_groups(data, await data.fetch(pairs_between(query.between, by)))
        return schemas.Agreement.model_validate(
            {
                "between": query.between,
                "by": by,
                "groups": groups,
                "revision": revision,
            }
        )

    return await answer_computed(request, query, build, table=table_of(schemas.AgreementGroup, "groups"))
