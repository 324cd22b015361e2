"""The indicator: its target, the assessments that count for it, and the headers of its answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import sqlalchemy as sa

from mmptf_common.storage.journal import Author, begin_write
from mmptf_common.storage.records import put
from mmptf_common.storage.writing import writing
from mmptf_common.wire.shares import share
from mmptf_markers.indicator.schemas import IndicatorTarget
from mmptf_markers.models import TargetRow
from tests.conftest import running_app
from tests.integration.indicator import CRITERIA, LIFE, OVER_TIME, current_grades, listed, whole
from tests.integration.marked import (
    ACTIONS,
    API,
    ASSESSMENTS,
    CURRENT_GRADES,
    INDICATOR,
    OF_OFFICIAL,
    OFFICIAL,
    RUBRIC_CODE,
    Json,
    Markers,
    answer,
    answers,
    made,
    programme,
)
from tests.unit.markers.rubrics import small


@pytest.fixture
async def markers(new_database: Callable[[str], str]) -> AsyncIterator[Markers]:
    async with running_app("markers", new_database("markers"), None) as running:
        yield Markers(running)


# --- the target ------------------------------------------------------------------------------------------------------


async def test_nineteen_of_twenty_one_are_enough_and_eighteen_are_not(markers: Markers) -> None:
    codes = [f"P-{n:02}" for n in range(1, 22)]
    await markers.publish(OFFICIAL)
    await markers.copy(*(programme(code) for code in codes), programme("Q-01", stage="pipeline"))
    none = await whole(markers)
    assert (none["programmes"], none["unassessed"], none["counted"]) == (21, 21, 0)
    assert (none["standing"], none["short_by"], none["share"]["per_cent"]) == ("undetermined", 19, "0.00")
    for n, code in enumerate(codes[:18]):
        made(await markers.declare(code, "AB"[n % 2]))
    made(await markers.declare(codes[18], "C"))
    # What is not funded counts for nothing.
    made(await markers.declare("Q-01", "A"))
    missed = await whole(markers)
    assert (missed["standing"], missed["short_by"], missed["counted"]) == ("undetermined", 1, 18)
    assert missed["share"] == {"numerator": "6", "denominator": "7", "per_cent": "85.71"}
    assert (missed["assessed"], missed["unassessed"], missed["under_review"]) == (19, 2, 0)
    submitted = await markers.submitted(codes[19], 2)
    waiting = await whole(markers)
    assert (waiting["standing"], waiting["under_review"], waiting["unassessed"]) == ("undetermined", 1, 2)
    await markers.reviewed(submitted)
    met = await whole(markers)
    assert (met["standing"], met["short_by"], met["counted"]) == ("met", 0, 19)
    assert met["share"] == {"numerator": "19", "denominator": "21", "per_cent": "90.47"}
    assert (met["assessed"], met["unassessed"], met["under_review"]) == (20, 1, 0)


async def test_a_target_is_missed_only_when_the_unassessed_cannot_meet_it_any_more(markers: Markers) -> None:
    codes = [f"P-{n:02}" for n in range(1, 22)]
    await markers.copy(*(programme(code) for code in codes))
    standings = []
    for code in codes[:3]:
        made(await markers.declare(code, "C"))
        found = await whole(markers)
        standings.append((found["counted"], found["unassessed"], found["standing"]))
    assert standings == [(0, 20, "undetermined"), (0, 19, "undetermined"), (0, 18, "not_met")]


async def test_what_is_held_stands_beside_what_is_printed_and_what_was_claimed(markers: Markers) -> None:
    await markers.copy(
        *(programme(f"P-{n}", countries=[place]) for n, place in enumerate(["KEN"] * 4 + ["UGA"] * 5)),
        programme("Q-01", stage="pipeline"),
    )
    share = {"numerator": "3", "denominator": "7", "per_cent": "42.85"}
    for query in ({}, {"by": "country"}, {"assessed": "true"}):
        found = await markers.get(INDICATOR, **query)
        assert found["coverage"] == {"held": 9, "printed": 21, "share": share}, query
    found = await markers.get(INDICATOR)
    assert (found["whole"]["standing"], found["whole"]["assessed"]) == ("undetermined", 0)
    printed, (claim,) = found["target"]["printed"], found["target"]["claims"]
    assert (printed["programmes"], printed["year"]) == (21, 2024)
    assert [(source["document"], source["line"]) for source in printed["sources"]] == [
        ("mptf-human-rights-brochure-2024", 25), ("mptf-human-rights-brochure-2024", 48),
    ]  # fmt: skip
    assert (claim["year"], claim["standing"]) == (2022, "met")
    (source,) = claim["sources"]
    assert (source["document"], source["line"], source["as_printed"]) == (
        "mptf-human-rights-brochure-2024", 42, "As of 2022, this target is fully achieved",
    )  # fmt: skip


async def test_a_marker_from_nought_to_three_is_one_like_any_other(markers: Markers) -> None:
    bands = [{"grade": str(grade), "minimum": f"{grade}/3"} for grade in (3, 2, 1, 0)]
    document = small({"type": "weighted_share", "bands": bands}, ["3", "2", "1", "0"], [1, 2], gates=[(1, 1, "0")])
    rubric = await markers.publish({**document, **OF_OFFICIAL, "code": "inclusion", "marker": "inclusion"})
    unsourced: Json = {"printed": None, "claims": [], "sources": []}
    target = {"code": "inclusion-half", "marker": "inclusion", "name": "Half", "grades": ["3", "2"], "stage": "funded"}
    async with writing(markers.running.app.state.database) as session:
        write = await begin_write(session, Author("test"))
        stated = IndicatorTarget.model_validate({**target, "minimum": share(1, 2), "updated": write.at, **unsourced})
        record = stated.model_dump(mode="json")
        await put(write, [TargetRow(code="inclusion-half", marker="inclusion", updated=write.at, record=record)])
    for code, given in {"T-3": (2, 2), "T-2": (0, 2), "T-0": (2, 0), "T-9": None}.items():
        await markers.copy(programme(code))
        if given:
            said = {f"c{at}": answer(level) for at, level in enumerate(given)}
            await markers.accepted(code, answers=said, rubric=rubric)
    graded = {code: item["grade"] for code, item in (await current_grades(markers, marker="inclusion")).items()}
    assert graded == {"T-3": "3", "T-2": "2", "T-0": "0", "T-9": None}
    answered = await markers.get(INDICATOR, target="inclusion-half")
    assert answered["coverage"] == {"held": 4, "printed": None, "share": None}
    found = answered["whole"]
    assert (found["standing"], found["counted"], found["programmes"]) == ("met", 2, 4)
    assert [grade["grade"] for grade in found["grades"]] == ["0", "2", "3", None]
    assert await listed(markers, found["grades"][2]["link"]) == ["T-3"]
    capped = (await markers.get(ASSESSMENTS, programme="T-0"))["items"][0]["derived"]
    assert (capped["grade"], capped["before_gates"]) == ("0", "1")
    # The marker that everybody knows is untouched by it.
    assert (await whole(markers))["unassessed"] == 4


async def test_nothing_is_met_and_nothing_missed_without_programmes(markers: Markers) -> None:
    for n in range(2):
        found = await markers.get(INDICATOR, by="country")
        assert (found["groups"], found["overlapping"]) == ([], True)
        assert {**found["whole"], "target": None} == {
            "programmes": 0, "assessed": 0, "unassessed": 0, "under_review": 0, "counted": 0, "share": None,
            "standing": "not_applicable", "short_by": 0, "grades": [], "rubrics": [], "mixed": False, "target": None,
            "bases": [], "illustrative": 0, "not_held": 21, "returned": 0,
        }  # fmt: skip
        # The stage of the target is one that is known, though no programme is at it.
        assert (await markers.get(CURRENT_GRADES, stage="funded"))["items"] == []
        if not n:
            await markers.copy(programme("Q-01", stage="pipeline"))


# --- what counts -----------------------------------------------------------------------------------------------------


async def test_the_newest_accepted_assessment_counts(markers: Markers) -> None:
    code = await markers.copied()
    # By the day of what was assessed, whenever it was entered, and on the same day by the stage.
    stages = [
        ("annual_report", 2024, "2025-03-01"), ("concept_note", None, "2021-02-01"),
        ("annual_report", 2023, "2026-01-01"), ("programme_document", None, "2025-01-01"),
        ("annual_report", 2025, "2026-03-01"), ("evaluation", 2025, "2026-02-01"), ("final_report", None, "2025-12-30"),
    ]  # fmt: skip
    declared: list[tuple[str, int, str]] = []
    for (stage, year, day), grade in zip(stages, "BACACAB", strict=True):
        said = made(await markers.declare(code, grade, stage=stage, year=year, date=day)).json()
        assert said["assessed_on"] == (f"{year}-12-31" if year else day)
        declared.append((said["assessed_on"], LIFE.index(stage), said["code"]))
        current = (await current_grades(markers))[code]
        assert current["assessment"] == max(declared)[2]
    assert (current["assessed_stage"], current["assessed_on"], current["grade"]) == ("evaluation", "2025-12-31", "A")
    # The next version of a stage; submitted it does not count yet, and returned the grade is not that of before.
    first = await markers.submitted(code, 1, stage="final_report", answers=answers(1, "final_report"))
    current = (await current_grades(markers))[code]
    assert (current["grade"], current["under_review"], current["returned"]) == ("A", True, False)
    await markers.reviewed(first, decision="return")
    current = (await current_grades(markers))[code]
    assert (current["grade"], current["under_review"], current["returned"]) == (None, False, True)
    second = await markers.accepted(code, 3, stage="final_report", answers=answers(3, "final_report"))
    assert second["version"] == 3
    current = (await current_grades(markers))[code]
    assert (current["assessment"], current["grade"], current["answered"]) == (second["code"], "A", True)
    third = await markers.accepted(code, 1, stage="final_report", answers=answers(1, "final_report"))
    assert (await current_grades(markers))[code]["assessment"] == third["code"]
    # An earlier document that is assessed later changes nothing.
    await markers.accepted(code, 3, document_date="2024-05-05")
    assert (await current_grades(markers))[code]["assessment"] == third["code"]


async def test_a_year_is_due_until_its_report_is_submitted(markers: Markers) -> None:
    code = await markers.copied(duration={"start": "2024-07-01", "end": "2026-06-30"})

    async def due(year: int) -> bool:
        return code in await current_grades(markers, due_for=year)

    assert [await due(year) for year in (2023, 2024, 2025, 2026, 2027)] == [False, True, True, True, False]
    report: Json = {"stage": "annual_report", "year": 2025, "answers": answers(3, "annual_report")}
    submitted = await markers.submitted(code, **report)
    assert [await due(year) for year in (2024, 2025, 2026)] == [True, False, True]
    await markers.reviewed(submitted, decision="return")
    assert await due(2025)
    await markers.accepted(code, **report)
    assert not await due(2025)


async def test_versions_of_rubrics_are_not_mixed_unseen(markers: Markers) -> None:
    codes = [await markers.copied() for _ in range(3)]
    await markers.accepted(codes[0], 3)
    one = await whole(markers)
    assert (one["mixed"], one["rubrics"]) == (
        False, [{"rubric": RUBRIC_CODE, "status": "illustrative", "superseded": False, "programmes": 1}],
    )  # fmt: skip
    made(await markers.declare(codes[1], "B"))
    declared = await whole(markers)
    nothing = {"rubric": None, "status": None, "superseded": None, "programmes": 1}
    assert (declared["mixed"], declared["rubrics"][1]) == (True, nothing)
    other = {**small({"type": "manual"}, ["A", "B", "C"], [1]), "code": "other", "marker": "human_rights"}
    rubric = await markers.publish(other, RUBRIC_CODE)
    reviewed = await markers.submitted(codes[2], rubric=rubric, answers={"c0": answer(1)}, declared_grade="A")
    await markers.reviewed(reviewed, grade="C")
    assert (await whole(markers))["rubrics"] == [
        {"rubric": RUBRIC_CODE, "status": "illustrative", "superseded": True, "programmes": 1},
        {"rubric": "other.1", "status": "illustrative", "superseded": False, "programmes": 1},
        nothing,
    ]
    first = (await current_grades(markers))[codes[0]]
    assert (first["rubric_status"], first["rubric_superseded"]) == ("illustrative", True)


# --- whether anything is new -----------------------------------------------------------------------------------------


async def test_an_unchanged_indicator_is_a_304(markers: Markers) -> None:
    code = await markers.copied()
    client = markers.running.client
    paths = (INDICATOR, f"{INDICATOR}?by=country", CURRENT_GRADES, CRITERIA, ACTIONS, OVER_TIME)

    async def tags(sent: Mapping[str, str]) -> dict[str, httpx.Response]:
        return {p: await client.get(p, headers={"if-none-match": sent[p]} if sent else {}) for p in paths}

    before = {path: answered.headers["etag"] for path, answered in (await tags({})).items()}
    assert len({*before.values()}) == len(paths)
    assert {(a.status_code, a.content) for a in (await tags(before)).values()} == {(304, b"")}
    # A submission changes what waits for review, and nothing else.
    submitted = await markers.submitted(code)
    found = await tags(before)
    assert {a.status_code for a in found.values()} == {200}
    assert found[INDICATOR].json()["whole"]["under_review"] == 1
    assert found[CURRENT_GRADES].json()["items"][0]["under_review"] is True
    await markers.reviewed(submitted)
    assert {a.status_code for a in (await tags({p: a.headers["etag"] for p, a in found.items()})).values()} == {200}


async def test_every_indicator_has_the_ages_of_the_replicas(markers: Markers) -> None:
    client = markers.running.client
    sources = {"catalogue-age": ("catalog", 90), "ledger-age": ("funding", 300)}
    for is_known in (False, True):
        if is_known:
            async with writing(markers.running.app.state.database) as session:
                for service, age in sources.values():
                    replication = sa.text("INSERT INTO replication VALUES (:service, 7, 7, now(), :caught_up)")
                    caught_up = datetime.now(UTC) - timedelta(seconds=age)
                    await session.execute(replication, {"service": service, "caught_up": caught_up})
        for path in (INDICATOR, f"{INDICATOR}?by=region", f"{INDICATOR}?as_of=1", CRITERIA):
            first = await client.get(path)
            again = await client.get(path, headers={"if-none-match": first.headers["etag"]})
            assert (first.status_code, again.status_code) == (200, 304)
            for answered in (first, again):
                for header, (_, age) in sources.items():
                    stated = answered.headers[header]
                    assert age <= int(stated) < age + 60 if is_known else stated == "unknown"
    copies = (await markers.get(f"{API}/copies"))["copies"]
    assert [(copy["service"], copy["reached"]) for copy in copies] == [("catalog", 7), ("funding", 7)]
    for copy, (_, age) in zip(copies, sources.values(), strict=True):
        assert age <= copy["age_seconds"] < age + 60
