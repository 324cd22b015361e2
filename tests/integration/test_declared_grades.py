"""Rubrics other than the packaged one, and grades that are declared without answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.integration.assessments import graded
from tests.integration.marked import Json, Markers, answer, answers, at, errors, made, refused

# --- other rubrics ---------------------------------------------------------------------------------------------------


async def test_a_manual_rubric_needs_a_declared_grade_and_the_reviewers(marker_service: Markers) -> None:
    rubric = await marker_service.publish(graded("manual", {"type": "manual"}))
    code = await marker_service.copied()
    draft = await marker_service.draft(code, rubric=rubric, answers={c: answer(2) for c in ("c0", "c1", "c2")})
    refusal = await marker_service.submit(draft)
    assert errors(refusal) == [("missing_member", "/declared_grade")]
    assert refusal.json()["errors"][0]["allowed"] == ["A", "B", "C"]
    draft = made(await marker_service.patch(draft, declared_grade="B"), 200)
    submitted = made(await marker_service.submit(draft))
    said = submitted.json()
    assert (said["grade"], said["basis"], said["answered"], said["derived"]["grade"]) == ("B", "declared", True, None)
    assert errors(await marker_service.review(submitted)) == [("missing_member", "/grade")]
    assert errors(await marker_service.review(submitted, grade="D")) == [("unknown_code", "/grade")]
    reviewed = (await marker_service.reviewed(submitted, grade="C")).json()
    assert (reviewed["grade"], reviewed["basis"], reviewed["differences"]) == ("C", "reviewed", ["declared_reviewed"])


async def test_a_count_rubric_has_grades_of_its_own(marker_service: Markers) -> None:
    bands = [{"grade": str(3 - n), "minimum": 3 - n} for n in range(4)]
    rubric = await marker_service.publish(
        graded("counted", {"type": "count", "level": 2, "bands": bands}, ["3", "2", "1", "0"])
    )
    for met in range(4):
        code = await marker_service.copied()
        said = {f"c{n}": answer(2 if n < met else 1) for n in range(3)}
        submitted = await marker_service.submitted(code, rubric=rubric, answers=said)
        assert (submitted.json()["grade"], submitted.json()["marker"]) == (str(met), "counted")
    wrong = await marker_service.begin(await marker_service.copied(), rubric=rubric, declared_grade="A")
    assert errors(wrong) == [("unknown_code", "/declared_grade")]
    assert wrong.json()["errors"][0]["allowed"] == ["3", "2", "1", "0"]
    reviewed = await marker_service.reviewed(submitted, answers={"c2": {"answer": 0, "reason": "x"}})
    assert reviewed.json()["grade"] == "2"
    elsewhere = await marker_service.begin(code, stage="final_report", rubric=rubric, answers={})
    assert errors(elsewhere)[0][0] == "stage_not_covered"


# --- declared grades -------------------------------------------------------------------------------------------------


async def test_a_declared_grade_counts_and_has_no_answers(marker_service: Markers) -> None:
    code = await marker_service.copied(title="Older")
    declared = made(await marker_service.declare(code, "B", organization="ILO"))
    said = declared.json()
    assert declared.headers["location"] == at(declared)
    expected = {
        "status": "accepted", "grade": "B", "basis": "declared", "answered": False, "rubric": None,
        "declared_grade": "B", "derived": None, "reviewed": None, "differences": [], "answers": {},
        "organization": "ILO", "submitted": "2022-06-30", "title": "Older", "version": 1, "corrects": None,
    }  # fmt: skip
    assert {name: said[name] for name in expected} == expected
    assert said["sources"][0]["note"] == "Joint programme document, Cover page"
    for path in ("score", "score?answers=reviewer", "comparison"):
        assert (await marker_service.send("GET", f"{at(declared)}/{path}", None)).status_code == 409
    draft = await marker_service.draft(code)
    assert (draft.json()["version"], draft.json()["corrects"], draft.json()["answers"]) == (2, said["code"], {})


async def test_a_declared_grade_and_an_assessment_exclude_each_other(marker_service: Markers) -> None:
    code = await marker_service.copied()
    begun = await marker_service.draft(code, answers=answers(3))
    declared = made(await marker_service.declare(code, "C"))
    assert refused(await marker_service.submit(begun)) == (409, "draft_outdated")
    twice = await marker_service.declare(code, "A")
    assert refused(twice) == (409, "already_assessed")
    assert declared.json()["code"] in twice.json()["detail"]
    assert (await marker_service.declare(code, "A", stage="final_report")).status_code == 201
    other = await marker_service.submitted(await marker_service.copied())
    assert refused(await marker_service.declare(other.json()["programme"])) == (409, "already_assessed")


@pytest.mark.parametrize(
    ("members", "error"),
    [
        ({"programme": "NOBODY"}, ("unknown_code", "/programme")),
        ({"marker": "human_right"}, ("unknown_code", "/marker")),
        ({"grade": "D"}, ("unknown_code", "/grade")),
        ({"stage": "annual_report"}, ("missing_member", "/year")),
        ({"year": 2022}, ("not_applicable", "/year")),
        ({"date": (datetime.now(UTC).date() + timedelta(days=1)).isoformat()}, ("in_the_future", "/date")),
        ({"date": "2023-02-29"}, ("invalid_value", "/date")),
        ({"organization": " "}, ("invalid_value", "/organization")),
        ({"organization": "a b"}, ("unknown_code", "/organization")),
        ({"organization": "NOBODY"}, ("unknown_code", "/organization")),
    ],
)
async def test_a_declared_grade_is_of_something_known(
    marker_service: Markers, members: Json, error: tuple[str, str]
) -> None:
    sent = {"programme": await marker_service.copied(), **members}
    assert errors(await marker_service.declare(**sent)) == [error]
