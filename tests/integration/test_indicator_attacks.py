"""What somebody may try in order to make a target met, or to hide that it is not: each is refused, or seen."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import sqlalchemy as sa

from tests.conftest import running_app
from tests.integration.indicator import current_grades, whole
from tests.integration.marked import (
    FUND,
    INDICATOR,
    OFFICIAL,
    OFFICIAL_CODE,
    RUBRIC_CODE,
    Json,
    Markers,
    Who,
    answer,
    at,
    errors,
    made,
    programme,
    refused,
)
from tests.unit.markers.rubrics import CONTENT, small

NINE = [f"P-{n}" for n in range(1, 10)]


@pytest.fixture
async def markers(new_database: Callable[[str], str]) -> AsyncIterator[Markers]:
    async with running_app("markers", new_database("markers"), None) as running:
        yield Markers(running)


async def nine(markers: Markers, **query: Any) -> Json:
    """The indicator of nine funded programmes, under an official rubric."""
    await markers.publish(OFFICIAL)
    await markers.copy(*(programme(code) for code in NINE))
    return await whole(markers, **query)


# --- declarations ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "pointers"),
    [
        ({"document": ".", "locator": "p. 1"}, ["/source/document"]),
        ({"document": "Programme document", "locator": "-"}, ["/source/locator"]),
        ({"document": "- -", "locator": "\u2026"}, ["/source/document", "/source/locator"]),
        ({"document": "Programme document"}, ["/source/locator"]),
        ({"locator": "p. 1"}, ["/source/document"]),
    ],
)
async def test_a_declaration_names_a_document_and_the_place_in_it(
    markers: Markers, source: Json, pointers: list[str]
) -> None:
    code = await markers.copied()
    assert [pointer for _, pointer in errors(await markers.declare(code, source=source))] == pointers


async def test_an_organization_declares_nothing_of_a_programme_of_others(markers: Markers) -> None:
    """It takes part in one of two programmes."""
    mine = await markers.copied()
    of_others = await markers.copied(lead_organization="WHO", organizations=[{"code": "WHO", "name": "WHO"}])
    made(await markers.declare(mine, "A", organization="ILO"))
    refusal = await markers.declare(of_others, "A", organization="ILO")
    assert errors(refusal) == [("unknown_code", "/organization")]
    assert refusal.json()["errors"][0]["allowed"] == ["WHO"]
    nobodys = await markers.copied(lead_organization=None, organizations=[])
    assert errors(await markers.declare(nobodys, "A", organization="ILO")) == [("unknown_code", "/organization")]


async def test_a_later_version_corrects_a_declaration_and_another_takes_it_back(markers: Markers) -> None:
    code = await markers.copied()
    first = made(await markers.declare(code, "A")).json()
    assert refused(await markers.declare(code, "B")) == (409, "already_assessed")
    assert refused(await markers.declare(code, "B", corrects="A-000099")) == (409, "already_assessed")
    second = made(await markers.declare(code, "B", corrects=first["code"]))
    assert (second.json()["version"], second.json()["corrects"]) == (2, first["code"])
    assert (await current_grades(markers))[code]["grade"] == "B"
    # What is corrected is not taken back as well, nor by anybody else.
    withdrawal = {"reason": "Not signed."}

    async def withdrawn(path: str, who: Who = FUND, sent: Json = withdrawal) -> tuple[int, str]:
        answered = await markers.send("POST", f"{path}/withdrawal", who, sent, match="*")
        return answered.status_code, answered.json().get("code", "")

    old = f"/markers/v1/assessments/{first['code']}"
    assert await withdrawn(old) == (409, "not_withdrawable")
    assert (await withdrawn(at(second), Who("reviewer")))[0] == 403
    assert (await withdrawn(at(second), sent={}))[0] == 422
    assert (await withdrawn(at(second)))[0] == 200
    assert await withdrawn(at(second)) == (409, "not_withdrawable")
    current = (await current_grades(markers))[code]
    assert (current["grade"], current["assessment"], current["returned"]) == (None, None, False)
    last = (await markers.get(f"{at(second)}/history"))["items"][-1]
    assert ("status" in last["changed"], last["reason"]) == (True, "Not signed.")
    assert (await markers.get(at(second)))["status"] == "withdrawn"
    # The next version goes on from there; an assessment with answers is not withdrawn.
    assessed = await markers.submitted(code)
    assert assessed.json()["version"] == 3
    assert await withdrawn(at(assessed)) == (409, "not_withdrawable")
    corrects = made(await markers.declare(await markers.copied())).json()["code"]
    other = await markers.copied()
    assert errors(await markers.declare(other, corrects=corrects)) == [("unknown_code", "/corrects")]


async def test_a_declaration_does_not_outrank_a_reviewed_assessment_of_a_later_date(markers: Markers) -> None:
    await nine(markers)
    await markers.accepted(NINE[0], 1, stage="annual_report", year=2024, rubric=OFFICIAL_CODE, answers=annual(1))
    made(await markers.declare(NINE[0], "A", stage="final_report", date="2023-06-30"))
    current = (await current_grades(markers))[NINE[0]]
    assert (current["grade"], current["basis"], current["assessed_on"]) == ("C", "reviewed", "2024-12-31")


def annual(level: int) -> dict[str, Json]:
    content = json.loads(CONTENT)
    return {each["code"]: answer(level) for each in content["criteria"] if "annual_report" in each["stages"]}


async def test_a_report_of_a_year_to_come_is_none(markers: Markers) -> None:
    code = await markers.copied()
    for year in (2027 + 50, 2100):
        refusal = await markers.declare(code, "A", stage="annual_report", year=year)
        assert errors(refusal) == [("in_the_future", "/year")]
        begun = await markers.begin(code, stage="evaluation", year=year)
        assert errors(begun) == [("in_the_future", "/year")]
    assert errors(await markers.begin(code, document_date="2099-01-01")) == [("in_the_future", "/document_date")]


async def test_the_headline_says_on_what_each_grade_rests(markers: Markers) -> None:
    """Of nine, one is declared, one reviewed, one reviewed under an illustrative rubric, one waits."""
    await nine(markers)
    made(await markers.declare(NINE[0], "A"))
    await markers.accepted(NINE[1], 3)
    await markers.accepted(NINE[2], 3, rubric=RUBRIC_CODE)
    await markers.submitted(NINE[3], 3)
    found = await whole(markers)
    assert [tuple(share.values()) for share in found["bases"]] == [
        ("declared", None, 1, 1, True), ("reviewed", "illustrative", 1, 1, False), ("reviewed", "official", 1, 1, True),
        ("submitted", None, 1, 0, False),
    ]  # fmt: skip
    assert (found["counted"], found["illustrative"], found["assessed"], found["under_review"]) == (2, 1, 3, 1)


# --- filters by what is known of grades ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "counted"),
    [
        ({"assessed": "true"}, 3), ({"grade": ["A", "B"]}, 3), ({"grade": "A"}, 3), ({"rubric": OFFICIAL_CODE}, 3),
        ({"assessed_stage": "programme_document"}, 3), ({"grade": "C"}, 0), ({"assessed": "false"}, 0),
        ({"due_for": 2024}, 3), ({"assessed": "true", "organization": "IOM"}, 3),
    ],
)  # fmt: skip
async def test_filters_by_grades_leave_the_denominator_and_take_the_standing(
    markers: Markers, query: Json, counted: int
) -> None:
    await nine(markers)
    for code in NINE[:3]:
        await markers.accepted(code, 3)
    for by in ({}, {"by": "country"}, {"by": "rubric"}, {"by": "assessed_stage"}):
        found = await markers.get(INDICATOR, **query, **by)
        for indicator in (found["whole"], *(group["indicator"] for group in found["groups"])):
            assert (indicator["programmes"], indicator["standing"], indicator["short_by"]) == (9, None, None)
        assert found["whole"]["counted"] == counted
        assert found["whole"]["share"]["per_cent"] == ("33.33" if counted else "0.00")
    # Groups by what is known of grades have the same denominator without any filter.
    found = await markers.get(INDICATOR, by="rubric")
    assert [(group["code"], group["indicator"]["programmes"]) for group in found["groups"]] == [
        (OFFICIAL_CODE, 9), (None, 9),
    ]  # fmt: skip
    assert {group["indicator"]["standing"] for group in found["groups"]} == {None}


# --- what is not known -----------------------------------------------------------------------------------------------


async def test_programmes_that_are_not_held_keep_a_target_open(markers: Markers) -> None:
    """Twenty-one are printed; nine of nine with an A say nothing of the other twelve."""
    await nine(markers)
    for code in NINE:
        made(await markers.declare(code, "A"))
    found = await whole(markers)
    assert (found["counted"], found["programmes"], found["not_held"]) == (9, 9, 12)
    assert (found["standing"], found["share"]["per_cent"]) == ("undetermined", "100.00")
    await markers.copy(*(programme(f"Q-{n}") for n in range(12)))
    for n in range(10):
        made(await markers.declare(f"Q-{n}", "B"))
    found = await whole(markers)
    assert (found["counted"], found["programmes"], found["not_held"], found["standing"]) == (19, 21, 0, "met")


async def test_a_return_that_is_not_answered_is_no_grade(markers: Markers) -> None:
    """Neither the version before it nor an earlier document stands in for what was returned."""
    await nine(markers)
    code = NINE[0]
    made(await markers.declare(code, "A", stage="concept_note", date="2021-01-01"))
    await markers.accepted(code, 3)
    returned = await markers.submitted(code, 3)
    assert (await current_grades(markers))[code]["grade"] == "A"
    await markers.reviewed(returned, decision="return")
    current = (await current_grades(markers))[code]
    assert (current["grade"], current["assessment"], current["returned"]) == (None, None, True)
    found = await whole(markers)
    assert (found["counted"], found["returned"], found["unassessed"]) == (0, 1, 9)
    await markers.accepted(code, 2)
    current = (await current_grades(markers))[code]
    assert (current["grade"], current["returned"]) == ("B", False)


# --- the order of rubrics --------------------------------------------------------------------------------------------


async def test_an_illustrative_rubric_displaces_no_official_one(markers: Markers) -> None:
    """Whatever was published last, and whatever the packaged data of an upgrade add."""
    code = await markers.copied()
    assert used(await markers.draft(code, stage="concept_note")) == RUBRIC_CODE
    await markers.publish(OFFICIAL)
    later = {**json.loads(CONTENT), "version": "2", "hash": None}
    await markers.publish(later)
    assert used(await markers.draft(await markers.copied())) == OFFICIAL_CODE
    scored = await markers.send("POST", "/markers/v1/score", None, {
        "rubric": "hr-marker-illustrative", "version": None, "stage": "programme_document", "answers": {},
    })  # fmt: skip
    assert scored.json()["rubric"]["version"] == "2"


async def test_grades_under_an_illustrative_rubric_are_shown_and_fulfil_nothing(markers: Markers) -> None:
    await nine(markers)
    for code in NINE:
        await markers.accepted(code, 3, rubric=RUBRIC_CODE)
    found = await whole(markers)
    assert (found["counted"], found["illustrative"], found["assessed"]) == (0, 9, 9)
    assert (found["share"]["per_cent"], found["standing"], found["short_by"]) == ("0.00", "undetermined", 9)
    assert [(grade["grade"], grade["programmes"]) for grade in found["grades"]] == [("A", 9)]


async def test_a_superseded_rubric_is_for_corrections_alone_and_stays_illustrative(markers: Markers) -> None:
    code, other = await markers.copied(), await markers.copied()
    first = await markers.submitted(code, 3, rubric=RUBRIC_CODE)
    begun = await markers.draft(other, rubric=RUBRIC_CODE, answers={})
    await markers.publish({**json.loads(CONTENT), "version": "2", "hash": None}, RUBRIC_CODE)
    said = await markers.get(f"/markers/v1/rubrics/{RUBRIC_CODE}")
    assert (said["status"], said["superseded"], said["superseded_by"]) == (
        "illustrative", True, "hr-marker-illustrative.2",
    )  # fmt: skip
    for refusal in (
        await markers.begin(await markers.copied(), rubric=RUBRIC_CODE),
        await markers.submit(begun),
    ):
        assert errors(refusal) == [("superseded", "/rubric")]
        assert refusal.json()["errors"][0]["allowed"] == ["hr-marker-illustrative.2"]
    await markers.reviewed(first, decision="return")
    correction = await markers.submitted(code, 2, rubric=RUBRIC_CODE)
    assert (correction.json()["version"], correction.json()["rubric"]["status"]) == (2, "illustrative")
    await markers.reviewed(correction)
    current = (await current_grades(markers))[code]
    assert (current["rubric_status"], current["rubric_superseded"]) == ("illustrative", True)


async def test_a_rubric_that_was_superseded_earlier_is_read_with_the_status_of_its_content(markers: Markers) -> None:
    """Its stored record says `superseded` in place of its status, as such records did before."""
    two = {**small({"type": "manual"}, ["A", "B"], [1]), "code": "two", "marker": "two"}
    await markers.publish(two)
    await markers.publish({**two, "version": "2"}, "two.1")
    older = "(record::jsonb - 'superseded' || jsonb_build_object('status', 'superseded'))::json"
    async with markers.running.as_owner() as session:
        await session.execute(sa.text("ALTER TABLE rubric DISABLE TRIGGER USER"))
        await session.execute(sa.text(f"UPDATE rubric SET record = {older} WHERE code = 'two.1'"))
        await session.execute(sa.text("ALTER TABLE rubric ENABLE TRIGGER USER"))
        stored = await session.scalar(sa.text("SELECT record->>'status' FROM rubric WHERE code = 'two.1'"))
    assert stored == "superseded"
    said = await markers.get("/markers/v1/rubrics/two.1")
    assert (said["status"], said["superseded"], said["superseded_by"]) == ("illustrative", True, "two.2")
    listed = (await markers.get("/markers/v1/rubrics", superseded="true"))["items"]
    assert [item["code"] for item in listed] == ["two.1"]
    # It is told in the same way by whoever supersedes it once more.
    await markers.publish({**two, "version": "2"}, "two.1")


def used(draft: Any) -> str:
    rubric = draft.json()["rubric"]
    return f"{rubric['code']}.{rubric['version']}"
