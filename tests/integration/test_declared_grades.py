"""Rubrics other than the packaged one, and grades that are declared without answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

import pytest

from tests.conftest import RunningApp, running_app
from tests.integration.assessments import graded
from tests.integration.marked import (
    Json,
    Markers,
    answer,
    answers,
    at,
    errors,
    made,
    refused,
)


@pytest.fixture(scope="module")
async def running(new_database: Callable[[str], str]) -> AsyncIterator[RunningApp]:
    async with running_app("markers", new_database("markers"), None) as app:
        yield app


@pytest.fixture
def markers(running: RunningApp) -> Markers:
    return Markers(running)


# --- other rubrics ---------------------------------------------------------------------------------------------------


async def test_a_manual_rubric_needs_a_declared_grade_and_the_reviewers(markers: Markers) -> None:
    rubric = await markers.publish(graded("manual", {"type": "manual"}))
    code = await markers.copied()
    draft = await markers.draft(code, rubric=rubric, answers={c: answer(2) for c in ("c0", "c1", "c2")})
    refusal = await markers.submit(draft)
    assert errors(refusal) == [("missing", "/declared_grade")]
    assert refusal.json()["errors"][0]["allowed"] == ["A", "B", "C"]
    draft = made(await markers.patch(draft, declared_grade="B"), 200)
    submitted = made(await markers.submit(draft))
    said = submitted.json()
    assert (said["grade"], said["basis"], said["answered"], said["derived"]["grade"]) == ("B", "declared", True, None)
    assert errors(await markers.review(submitted)) == [("missing", "/grade")]
    assert errors(await markers.review(submitted, grade="D")) == [("unknown_code", "/grade")]
    reviewed = (await markers.reviewed(submitted, grade="C")).json()
    assert (reviewed["grade"], reviewed["basis"], reviewed["differences"]) == ("C", "reviewed", ["declared_reviewed"])


async def test_a_count_rubric_has_grades_of_its_own(markers: Markers) -> None:
    bands = [{"grade": str(3 - n), "minimum": 3 - n} for n in range(4)]
    rubric = await markers.publish(
        graded("counted", {"type": "count", "level": 2, "bands": bands}, ["3", "2", "1", "0"])
    )
    for met in range(4):
        code = await markers.copied()
        said = {f"c{n}": answer(2 if n < met else 1) for n in range(3)}
        submitted = await markers.submitted(code, rubric=rubric, answers=said)
        assert (submitted.json()["grade"], submitted.json()["marker"]) == (str(met), "counted")
    wrong = await markers.begin(await markers.copied(), rubric=rubric, declared_grade="A")
    assert errors(wrong) == [("unknown_code", "/declared_grade")]
    assert wrong.json()["errors"][0]["allowed"] == ["3", "2", "1", "0"]
    reviewed = await markers.reviewed(submitted, answers={"c2": {"answer": 0, "reason": "x"}})
    assert reviewed.json()["grade"] == "2"
    elsewhere = await markers.begin(code, stage="final_report", rubric=rubric, answers={})
    assert errors(elsewhere)[0][0] == "stage_not_covered"


# --- declared grades -------------------------------------------------------------------------------------------------


async def test_a_declared_grade_counts_and_has_no_answers(markers: Markers) -> None:
    code = await markers.copied(title="Older")
    declared = made(await markers.declare(code, "B", organization="ILO"))
    said = declared.json()
    assert declared.headers["location"] == at(declared)
    expected = {
        "status": "accepted", "grade": "B", "basis": "declared", "answered": False, "rubric": None,
        "declared_grade": "B", "derived": None, "reviewed": None, "differences": [], "answers": {},
        "organization": "ILO", "submitted": "2022-06-30", "title": "Older", "version": 1, "corrects": None,
    }  # fmt: skip
    assert {name: said[name] for name in expected} == expected
    assert said["sources"][0]["note"] == "Cover page"
    for path in ("score", "score?answers=reviewer", "comparison"):
        assert (await markers.send("GET", f"{at(declared)}/{path}", None)).status_code == 409
    draft = await markers.draft(code)
    assert (draft.json()["version"], draft.json()["corrects"], draft.json()["answers"]) == (2, said["code"], {})


async def test_a_declared_grade_and_an_assessment_exclude_each_other(markers: Markers) -> None:
    code = await markers.copied()
    begun = await markers.draft(code, answers=answers(3))
    declared = made(await markers.declare(code, "C"))
    assert refused(await markers.submit(begun)) == (409, "under_review")
    twice = await markers.declare(code, "A")
    assert refused(twice) == (409, "already_assessed")
    assert declared.json()["code"] in twice.json()["detail"]
    assert (await markers.declare(code, "A", stage="final_report")).status_code == 201
    other = await markers.submitted(await markers.copied())
    assert refused(await markers.declare(other.json()["programme"])) == (409, "already_assessed")


@pytest.mark.parametrize(
    ("members", "error"),
    [
        ({"programme": "NOBODY"}, ("unknown_code", "/programme")),
        ({"marker": "human_right"}, ("unknown_code", "/marker")),
        ({"grade": "D"}, ("unknown_code", "/grade")),
        ({"stage": "annual_report"}, ("missing", "/year")),
        ({"year": 2022}, ("not_applicable", "/year")),
        ({"date": (datetime.now(UTC).date() + timedelta(days=1)).isoformat()}, ("in_the_future", "/date")),
        ({"date": "2023-02-29"}, ("invalid_body", "/date")),
        ({"organization": "a b"}, ("invalid_body", "/organization")),
        ({"organization": "NOBODY"}, ("unknown_code", "/organization")),
    ],
)
async def test_a_declared_grade_is_of_something_known(markers: Markers, members: Json, error: tuple[str, str]) -> None:
    sent = {"programme": await markers.copied(), **members}
    assert errors(await markers.declare(**sent)) == [error]
