"""Review of assessments: who may review, own answers of the reviewer, returned and corrected versions."""

from __future__ import annotations

from typing import Any

import pytest

from mmptf_markers.engine.rubric import NOT_APPLICABLE
from tests.integration.assessments import BOTH, NOBODYS, RISK, graded, stored
from tests.integration.marked import (
    ADMIN,
    FUND,
    ILO,
    Json,
    Markers,
    Who,
    answer,
    answers,
    at,
    errors,
    made,
    programme,
    refused,
)


async def test_the_reviewer_wrote_nothing_of_it(marker_service: Markers) -> None:
    one, other, third = (Who("agency", "IOM", subject) for subject in ("one", "other", "third"))
    code = await marker_service.copied()
    draft = await marker_service.draft(code, one)
    draft = made(await marker_service.patch(draft, other, answers=answers(3)), 200)
    submitted = made(await marker_service.submit(draft, third))
    for who in (one, other, third):
        # The same person with both scopes, now of an organization that takes no part.
        reviewer = Who("reviewer", "OHCHR", who.subject, BOTH)
        assert refused(await marker_service.review(submitted, reviewer)) == (403, "forbidden")
        assert refused(await marker_service.review(submitted, Who("admin", "OHCHR", who.subject))) == (403, "forbidden")
    done = made(await marker_service.review(submitted, Who("reviewer", "OHCHR", "fourth", BOTH)), 200)
    assert done.json()["status"] == "accepted"


async def test_who_wrote_what_a_correction_goes_on_with_does_not_review_it(marker_service: Markers) -> None:
    one, other = Who("agency", "IOM", "one"), Who("agency", "IOM", "other")
    code = await marker_service.copied()
    first = await marker_service.submitted(code, 3, one)
    returned = await marker_service.reviewed(first, decision="return")
    second = await marker_service.submitted(code, 3, other, answers={})
    assert second.json()["answers"] == returned.json()["answers"]
    assert refused(await marker_service.review(second, Who("reviewer", "OHCHR", "one", BOTH))) == (403, "forbidden")
    assert made(await marker_service.review(second), 200).json()["version"] == 2


@pytest.mark.parametrize("organization", ["IOM", "iom", "Iom", "ILO", "UNDP", "undp"])
async def test_the_reviewer_belongs_to_none_that_takes_part(marker_service: Markers, organization: str) -> None:
    # The lead takes part, though it is not among the organizations.
    code = await marker_service.copied(lead_organization="UNDP")
    submitted = await marker_service.submitted(code, 3, Who("agency", "UNDP"))
    refusal = await marker_service.review(submitted, Who("reviewer", organization))
    assert refused(refusal) == (403, "forbidden")
    assert organization.upper() in refusal.json()["detail"]


async def test_who_assessed_does_not_review_after_leaving_the_programme(marker_service: Markers) -> None:
    document = programme(lead_organization=None)
    await marker_service.copy(document)
    submitted = await marker_service.submitted(document["code"], 3, ILO)
    await marker_service.copy({**document, "organizations": [{"code": "IOM", "name": "IOM"}]})
    assert refused(await marker_service.review(submitted, Who("reviewer", "ILO"))) == (403, "forbidden")
    assert (await marker_service.review(submitted, Who("reviewer", "UNDP"))).status_code == 200


@pytest.mark.parametrize("who", [ADMIN, NOBODYS])
async def test_a_reviewer_without_an_organization_is_refused(marker_service: Markers, who: Who) -> None:
    """Nobody knows whether they take part, so administrators name one as well."""
    submitted = await marker_service.submitted(await marker_service.copied())
    assert refused(await marker_service.review(submitted, who)) == (403, "organization_not_known")


@pytest.mark.parametrize("organization", ["Human Rights Office", "x" * 65, "ö", "a/b"])
async def test_a_reviewer_whose_organization_is_no_code_is_refused(marker_service: Markers, organization: str) -> None:
    submitted = await marker_service.submitted(await marker_service.copied())
    refusal = await marker_service.review(submitted, Who("reviewer", organization))
    assert refused(refusal) == (403, "organization_not_known")


async def test_own_answers_of_the_reviewer_give_the_reviewed_grade(marker_service: Markers) -> None:
    submitted = await marker_service.submitted(await marker_service.copied(), 3, declared_grade="A")
    own = {"due-diligence": {"answer": 0, "reason": "No measure."}, "equality": {"answer": 1, "reason": "No data."}}
    said = (await marker_service.reviewed(submitted, answers=own)).json()
    assert (said["declared_grade"], said["derived"]["grade"], said["reviewed"]["grade"]) == ("A", "A", "C")
    assert (said["grade"], said["basis"], said["status"]) == ("C", "reviewed", "accepted")
    assert said["differences"] == ["derived_reviewed", "declared_reviewed", "answers"]
    assert said["reviewed"]["answers"] == {c: {**a, "instead_of": 3} for c, a in own.items()}
    assert said["reviewed"]["derived"]["before_gates"] == "A"
    assert (said["reviewed"]["organization"], said["reviewed"]["decision"]) == ("OHCHR", "accept")
    assert said["answers"] == submitted.json()["answers"]


async def test_an_answer_of_the_reviewer_differs_and_is_to_an_applicable_criterion(marker_service: Markers) -> None:
    submitted = await marker_service.submitted(
        await marker_service.copied(), stage="concept_note", answers=answers(3, "concept_note")
    )

    def own(**given: Any) -> Json:
        return {code.replace("_", "-"): {"answer": value, "reason": "x"} for code, value in given.items()}

    for given, expected in (
        (own(equality=3), ("not_another", "/answers/equality")),
        (own(equality=4), ("unknown_level", "/answers/equality")),
        (own(equality=NOT_APPLICABLE), ("not_applicable_refused", "/answers/equality")),
        (own(equalty=1), ("unknown_criterion", "/answers/equalty")),
        (own(sustainability=1), ("wrong_stage", "/answers/sustainability")),
    ):
        assert errors(await marker_service.review(submitted, answers=given)) == [expected]
    refusal = await marker_service.review(submitted, grade="A")
    assert errors(refusal) == [("not_applicable", "/grade")]
    assert await stored(marker_service, submitted) == submitted.json()


async def test_a_second_review_is_refused(marker_service: Markers) -> None:
    for decision, status in (("accept", "accepted"), ("return", "returned")):
        reviewed = await marker_service.reviewed(
            await marker_service.submitted(await marker_service.copied()), decision=decision
        )
        assert reviewed.json()["status"] == status
        again = await marker_service.review(reviewed, FUND, decision="return")
        assert refused(again) == (409, "not_reviewable")
        assert status in again.json()["detail"]
    declared = made(await marker_service.declare(await marker_service.copied()))
    assert refused(await marker_service.review(declared)) == (409, "not_reviewable")


@pytest.mark.parametrize("decision", ["return", "accept"])
async def test_a_correction_is_begun_with_the_answers_and_is_the_next_version(
    marker_service: Markers, decision: str
) -> None:
    code = await marker_service.copied()
    first = await marker_service.submitted(code, 2, due_diligence=[RISK], declared_grade="B")
    reviewed = await marker_service.reviewed(first, decision=decision)
    draft = await marker_service.draft(
        code, ILO, answers={"equality": answer(3), "participation": None}, declared_grade=None
    )
    said = draft.json()
    assert (said["version"], said["corrects"], said["organization"]) == (2, first.json()["code"], "ILO")
    kept = {**first.json()["answers"], "equality": answer(3)}
    del kept["participation"]
    assert (said["answers"], said["due_diligence"]) == (kept, [])
    # The measure goes on by itself.
    (measure,) = said["earlier_actions"]
    assert (measure["kind"], measure["action"], measure["assessment"]) == (
        "measure", RISK["measure"], first.json()["code"],
    )  # fmt: skip
    assert (said["missing"], said["declared_grade"]) == (["participation"], None)
    full = made(await marker_service.patch(draft, ILO, answers={"participation": answer(3)}), 200)
    second = made(await marker_service.submit(full))
    assert (second.json()["version"], second.json()["corrects"]) == (2, first.json()["code"])
    assert await stored(marker_service, first) == reviewed.json()
    assert (await marker_service.draft(code, stage="concept_note")).json()["corrects"] is None


async def test_a_correction_under_another_version_of_the_rubric_begins_empty(marker_service: Markers) -> None:
    code = await marker_service.copied()
    rubric = await marker_service.publish(graded("moved", {"type": "manual"}))
    said = {c: answer(2) for c in ("c0", "c1", "c2")}
    first = await marker_service.submitted(code, rubric=rubric, answers=said, declared_grade="A")
    await marker_service.reviewed(first, grade="B")
    newer = await marker_service.publish({**graded("moved", {"type": "manual"}), "version": "2"}, rubric)
    draft = await marker_service.draft(code, rubric=newer)
    begun = draft.json()
    assert (begun["version"], begun["corrects"], begun["answers"]) == (2, first.json()["code"], {})
    assert begun["rubric"]["version"] == "2"
    # The version that gave way is still what the earlier one is explained by.
    assert (await marker_service.get(f"{at(first)}/score"))["rubric"]["version"] == "1"


async def test_annual_reports_are_identified_by_their_year(marker_service: Markers) -> None:
    code = await marker_service.copied()
    for year in (2024, 2025):
        said = await marker_service.accepted(
            code, stage="annual_report", year=year, answers=answers(3, "annual_report")
        )
        assert (said["year"], said["version"], said["corrects"]) == (year, 1, None)
    again = await marker_service.draft(code, stage="annual_report", year=2024)
    assert (again.json()["version"], again.json()["year"]) == (2, 2024)
