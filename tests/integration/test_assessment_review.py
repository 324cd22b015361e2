"""Review of assessments: who may review, own answers of the reviewer, returned and corrected versions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from mmptf_markers.engine.rubric import NOT_APPLICABLE
from tests.conftest import RunningApp, running_app
from tests.integration.assessments import BOTH, RISK, graded, stored
from tests.integration.marked import (
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


@pytest.fixture(scope="module")
async def running(new_database: Callable[[str], str]) -> AsyncIterator[RunningApp]:
    async with running_app("markers", new_database("markers"), None) as app:
        yield app


@pytest.fixture
def markers(running: RunningApp) -> Markers:
    return Markers(running)


async def test_the_reviewer_wrote_nothing_of_it(markers: Markers) -> None:
    one, other, third = (Who("agency", "IOM", subject) for subject in ("one", "other", "third"))
    code = await markers.copied()
    draft = await markers.draft(code, one)
    draft = made(await markers.patch(draft, other, answers=answers(3)), 200)
    submitted = made(await markers.submit(draft, third))
    for who in (one, other, third):
        # The same person with both scopes, now of an organization that takes no part.
        reviewer = Who("reviewer", "OHCHR", who.subject, BOTH)
        assert refused(await markers.review(submitted, reviewer)) == (403, "forbidden")
        assert refused(await markers.review(submitted, Who("admin", None, who.subject))) == (403, "forbidden")
    done = made(await markers.review(submitted, Who("reviewer", "OHCHR", "fourth", BOTH)), 200)
    assert done.json()["status"] == "accepted"


async def test_who_wrote_what_a_correction_goes_on_with_does_not_review_it(markers: Markers) -> None:
    one, other = Who("agency", "IOM", "one"), Who("agency", "IOM", "other")
    code = await markers.copied()
    first = await markers.submitted(code, 3, one)
    returned = await markers.reviewed(first, decision="return")
    second = await markers.submitted(code, 3, other, answers={})
    assert second.json()["answers"] == returned.json()["answers"]
    assert refused(await markers.review(second, Who("reviewer", "OHCHR", "one", BOTH))) == (403, "forbidden")
    assert made(await markers.review(second), 200).json()["version"] == 2


@pytest.mark.parametrize("organization", ["IOM", "ILO", "UNDP"])
async def test_the_reviewer_belongs_to_none_that_takes_part(markers: Markers, organization: str) -> None:
    # The lead takes part, though it is not among the organizations.
    submitted = await markers.submitted(await markers.copied(lead_organization="UNDP"))
    refusal = await markers.review(submitted, Who("reviewer", organization))
    assert refused(refusal) == (403, "forbidden")
    assert organization in refusal.json()["detail"]


async def test_who_assessed_does_not_review_after_leaving_the_programme(markers: Markers) -> None:
    document = programme()
    await markers.copy(document)
    submitted = await markers.submitted(document["code"], 3, ILO)
    await markers.copy({**document, "organizations": [{"code": "IOM", "name": "IOM"}]})
    assert refused(await markers.review(submitted, Who("reviewer", "ILO"))) == (403, "forbidden")
    assert (await markers.review(submitted, Who("reviewer", "UNDP"))).status_code == 200


@pytest.mark.parametrize("organization", ["Human Rights Office", "x" * 65, "ö", "a/b"])
async def test_a_reviewer_whose_organization_is_no_code_is_refused(markers: Markers, organization: str) -> None:
    submitted = await markers.submitted(await markers.copied())
    assert refused(await markers.review(submitted, Who("reviewer", organization))) == (403, "forbidden")


async def test_own_answers_of_the_reviewer_give_the_reviewed_grade(markers: Markers) -> None:
    submitted = await markers.submitted(await markers.copied(), 3, declared_grade="A")
    own = {"due-diligence": {"answer": 0, "reason": "No measure."}, "equality": {"answer": 1, "reason": "No data."}}
    said = (await markers.reviewed(submitted, answers=own)).json()
    assert (said["declared_grade"], said["derived"]["grade"], said["reviewed"]["grade"]) == ("A", "A", "C")
    assert (said["grade"], said["basis"], said["status"]) == ("C", "reviewed", "accepted")
    assert said["differences"] == ["derived_reviewed", "declared_reviewed", "answers"]
    assert said["reviewed"]["answers"] == {c: {**a, "instead_of": 3} for c, a in own.items()}
    assert said["reviewed"]["derived"]["before_gates"] == "A"
    assert (said["reviewed"]["organization"], said["reviewed"]["decision"]) == ("OHCHR", "accept")
    assert said["answers"] == submitted.json()["answers"]


async def test_an_answer_of_the_reviewer_differs_and_is_to_an_applicable_criterion(markers: Markers) -> None:
    submitted = await markers.submitted(
        await markers.copied(), stage="concept_note", answers=answers(3, "concept_note")
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
        assert errors(await markers.review(submitted, answers=given)) == [expected]
    refusal = await markers.review(submitted, grade="A")
    assert errors(refusal) == [("not_applicable", "/grade")]
    assert await stored(markers, submitted) == submitted.json()


async def test_a_second_review_is_refused(markers: Markers) -> None:
    for decision, status in (("accept", "accepted"), ("return", "returned")):
        reviewed = await markers.reviewed(await markers.submitted(await markers.copied()), decision=decision)
        assert reviewed.json()["status"] == status
        again = await markers.review(reviewed, FUND, decision="return")
        assert refused(again) == (409, "not_reviewable")
        assert status in again.json()["detail"]
    declared = made(await markers.declare(await markers.copied()))
    assert refused(await markers.review(declared)) == (409, "not_reviewable")


@pytest.mark.parametrize("decision", ["return", "accept"])
async def test_a_correction_is_begun_with_the_answers_and_is_the_next_version(markers: Markers, decision: str) -> None:
    code = await markers.copied()
    first = await markers.submitted(code, 2, due_diligence=[RISK], declared_grade="B")
    reviewed = await markers.reviewed(first, decision=decision)
    draft = await markers.draft(code, ILO, answers={"equality": answer(3), "participation": None}, declared_grade=None)
    said = draft.json()
    assert (said["version"], said["corrects"], said["organization"]) == (2, first.json()["code"], "ILO")
    kept = {**first.json()["answers"], "equality": answer(3)}
    del kept["participation"]
    assert (said["answers"], said["due_diligence"]) == (kept, first.json()["due_diligence"])
    assert (said["missing"], said["declared_grade"]) == (["participation"], None)
    full = made(await markers.patch(draft, ILO, answers={"participation": answer(3)}), 200)
    second = made(await markers.submit(full, ILO))
    assert (second.json()["version"], second.json()["corrects"]) == (2, first.json()["code"])
    assert await stored(markers, first) == reviewed.json()
    assert (await markers.draft(code, stage="concept_note")).json()["corrects"] is None


async def test_a_correction_under_another_version_of_the_rubric_begins_empty(markers: Markers) -> None:
    code = await markers.copied()
    rubric = await markers.publish(graded("moved", {"type": "manual"}))
    said = {c: answer(2) for c in ("c0", "c1", "c2")}
    first = await markers.submitted(code, rubric=rubric, answers=said, declared_grade="A")
    await markers.reviewed(first, grade="B")
    newer = await markers.publish({**graded("moved", {"type": "manual"}), "version": "2"}, rubric)
    draft = await markers.draft(code, rubric=newer)
    begun = draft.json()
    assert (begun["version"], begun["corrects"], begun["answers"]) == (2, first.json()["code"], {})
    assert begun["rubric"]["version"] == "2"
    # The version that gave way is still what the earlier one is explained by.
    assert (await markers.get(f"{at(first)}/score"))["rubric"]["version"] == "1"


async def test_annual_reports_are_identified_by_their_year(markers: Markers) -> None:
    code = await markers.copied()
    for year in (2024, 2025):
        said = await markers.accepted(code, stage="annual_report", year=year, answers=answers(3, "annual_report"))
        assert (said["year"], said["version"], said["corrects"]) == (year, 1, None)
    again = await markers.draft(code, stage="annual_report", year=2024)
    assert (again.json()["version"], again.json()["year"]) == (2, 2024)
