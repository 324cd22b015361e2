"""Results of assessments: recomputed scores, comparison with the version before, filters and exports."""

from __future__ import annotations

from typing import Any

from mmptf_markers.engine.rubric import NOT_APPLICABLE
from tests.integration.assessments import graded, history
from tests.integration.marked import (
    API,
    ASSESSMENTS,
    ILO,
    RUBRIC,
    RUBRIC_CODE,
    Markers,
    answer,
    answers,
    at,
    made,
    refused,
)
from tests.unit.markers.rubrics import small


async def test_the_score_is_computed_anew_from_either_answers(marker_service: Markers) -> None:
    submitted = await marker_service.submitted(await marker_service.copied(), 3, answers=answers(3, equality=2))
    score = f"{at(submitted)}/score"
    assert refused(await marker_service.send("GET", f"{score}?answers=reviewer", None)) == (409, "not_reviewed")
    before = (await marker_service.get(f"{API}/status"))["revision"]
    assessor = await marker_service.send("GET", score, None)
    reviewed = await marker_service.reviewed(submitted, answers={"equality": {"answer": 1, "reason": "x"}})
    for which, own in (("assessor", {}), ("reviewer", {"equality": 1})):
        given = {c: a["answer"] for c, a in submitted.json()["answers"].items()} | own
        sent = {"rubric": RUBRIC.code, "version": "1", "stage": "programme_document", "answers": given}
        expected = (await marker_service.running.client.post(f"{API}/score", json=sent)).json()
        recomputed = await marker_service.send("GET", f"{score}?answers={which}", None)
        assert recomputed.json() == expected
        kept = reviewed.json()["derived"] if which == "assessor" else reviewed.json()["reviewed"]["derived"]
        assert (kept["grade"], kept["share"], kept["reason"]) == (
            expected["grade"],
            expected["share"],
            expected["reason"],
        )
        same = await marker_service.running.client.get(
            f"{score}?answers={which}", headers={"if-none-match": recomputed.headers["etag"]}
        )
        assert (same.status_code, same.content) == (304, b"")
    # As of then, nobody had reviewed it.
    then = await marker_service.send("GET", f"{score}?as_of={before}", None)
    assert (then.status_code, then.json()) == (200, assessor.json())
    early = await marker_service.send("GET", f"{score}?as_of={before}&answers=reviewer", None)
    assert refused(early) == (409, "not_reviewed")
    assert (await marker_service.send("GET", f"{score}?as_of=0", None)).status_code == 404
    moment = reviewed.json()["updated"].replace("+", "%2B")
    assert (await marker_service.send("GET", f"{score}?as_of={moment}&answers=reviewer", None)).status_code == 200


async def test_an_assessment_is_compared_with_the_one_before_it(marker_service: Markers) -> None:
    code = await marker_service.copied()
    alone = await marker_service.accepted(code, stage="concept_note", answers=answers(2, "concept_note"))
    nothing = await marker_service.send("GET", f"{ASSESSMENTS}/{alone['code']}/comparison", None)
    assert refused(nothing) == (409, "nothing_earlier")
    returned = await marker_service.submitted(code, 1)
    await marker_service.reviewed(returned, decision="return")
    later = await marker_service.submitted(
        code, answers=answers(2, equality=3, participation=1, national_institutions=NOT_APPLICABLE)
    )
    # What counts is what the reviewer found.
    reviewed = await marker_service.reviewed(later, answers={"due-diligence": {"answer": 1, "reason": "x"}})
    path = f"{at(later)}/comparison"
    answered = await marker_service.send("GET", path, None)
    found = answered.json()
    change = {c["criterion"]: c["change"] for c in found["criteria"]}
    assert (found["earlier"], found["later"], found["same_rubric"]) == (alone["code"], later.json()["code"], True)
    assert (found["earlier_grade"], found["later_grade"]) == ("B", reviewed.json()["grade"])
    assert change == {
        "obligations-analysis": "same", "due-diligence": "fell", "equality": "improved", "participation": "fell",
        "rights-holders-capacity": "same", "duty-bearers-capacity": "same", "accountability-remedy": "only_later",
        "disaggregated-monitoring": "only_later", "national-institutions": "not_comparable",
        "sustainability": "only_later",
    }  # fmt: skip
    assert found["counts"] == {c: list(change.values()).count(c) for c in sorted(set(change.values()))}
    again = await marker_service.running.client.get(path, headers={"if-none-match": answered.headers["etag"]})
    assert again.status_code == 304
    named = await marker_service.get(path, earlier=returned.json()["code"])
    assert (named["earlier"], named["earlier_grade"]) == (returned.json()["code"], "C")
    assert "only_later" not in named["counts"]
    before = (await history(marker_service, at(later)))[0]["revision"]
    assert (await marker_service.get(path, as_of=before))["counts"]["fell"] == 1
    other = (await marker_service.accepted(await marker_service.copied()))["code"]
    for code in (other, "A-000000"):
        refusal = await marker_service.send("GET", f"{path}?earlier={code}", None)
        assert (refusal.status_code, refusal.json()["errors"][0]["parameter"]) == (422, "earlier")
    # What is later is no earlier one, and nothing is earlier than itself.
    for code in (later.json()["code"], alone["code"]):
        backwards = await marker_service.send("GET", f"{ASSESSMENTS}/{alone['code']}/comparison?earlier={code}", None)
        assert refused(backwards) == (409, "nothing_earlier")


async def test_what_was_asked_otherwise_is_not_compared(marker_service: Markers) -> None:
    """Another scale, the same values under other words, another question, or another rubric with the same codes."""
    code = await marker_service.copied()
    document = graded("scales", {"type": "manual"})
    rubrics = [await marker_service.publish(document)]
    wider = small({"type": "manual"}, ["A", "B", "C"], [1, 1, 1], values=[0, 1, 2, 3])["scale"]
    rubrics.append(await marker_service.publish({**document, "version": "2", "scale": wider}))
    fewer = {**document, "version": "3", "criteria": document["criteria"][:2]}
    rubrics.append(await marker_service.publish(fewer))
    levels = [{**level, "description": "y"} for level in document["scale"]["levels"]]
    reworded = {**document["criteria"][0], "question": "Something else?", "weight": 7}
    for changed in (
        {"scale": {**document["scale"], "levels": levels}},
        {"criteria": [reworded, {**document["criteria"][1], "weight": 7}, document["criteria"][2]]},
        {"code": "scales-too"},
    ):
        rubrics.append(await marker_service.publish({**document, "version": f"{len(rubrics) + 1}", **changed}))
    found = []
    for rubric, count in zip(rubrics, (3, 3, 2, 3, 3, 3), strict=True):
        submitted = await marker_service.submitted(
            code, rubric=rubric, answers={f"c{n}": answer(2) for n in range(count)}, declared_grade="A"
        )
        found.append((await marker_service.reviewed(submitted, grade="A")).json()["code"])
    for later, earlier, counts in (
        (1, 0, {"not_comparable": 3}), (2, 0, {"same": 2, "only_earlier": 1}), (3, 0, {"not_comparable": 3}),
        (4, 0, {"not_comparable": 1, "same": 2}), (5, 0, {"not_comparable": 3}),
        (5, 2, {"not_comparable": 2, "only_later": 1}),
    ):  # fmt: skip
        comparison = await marker_service.get(f"{ASSESSMENTS}/{found[later]}/comparison", earlier=found[earlier])
        assert (comparison["same_rubric"], comparison["counts"]) == (False, counts)


async def test_assessments_are_filtered_and_exported(marker_service: Markers) -> None:
    code = await marker_service.copied(lead_organization=None)
    accepted = await marker_service.accepted(code, 3)
    submitted = (
        await marker_service.submitted(code, who=ILO, stage="concept_note", answers=answers(1, "concept_note"))
    ).json()
    declared = made(await marker_service.declare(code, "B", stage="final_report")).json()

    async def codes(**query: Any) -> list[str]:
        found = await marker_service.get(ASSESSMENTS, programme=code, **query)
        return [item["code"] for item in found["items"]]

    both = [accepted["code"], submitted["code"]]
    assert await codes() == [*both, declared["code"]]
    assert await codes(sort="-code") == [declared["code"], *reversed(both)]
    assert await codes(status=["accepted", "returned"]) == [accepted["code"], declared["code"]]
    assert await codes(grade=["A", "B"]) == [accepted["code"], declared["code"]]
    assert await codes(rubric=RUBRIC_CODE) == both
    assert await codes(organization="ILO", stage="concept_note", marker="human_rights") == [submitted["code"]]
    table = await marker_service.send("GET", f"{ASSESSMENTS}?programme={code}&format=csv", None)
    assert [line.split(",")[0] for line in table.text.splitlines()] == ["code", *both, declared["code"]]
    for query in (
        "status=draft",
        "grade=D",
        "organization=NOBODY",
        "programme=NOBODY",
        "rubric=x",
        "marker=x",
        "stage=x",
    ):
        assert refused(await marker_service.send("GET", f"{ASSESSMENTS}?{query}", None)) == (422, "unknown_code")
    now = await marker_service.get(f"{ASSESSMENTS}/{accepted['code']}", as_of=await marker_service.revision())
    assert now["status"] == "accepted"
