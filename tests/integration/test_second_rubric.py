"""Assessments under the second packaged rubric: checks, what supports an answer, and scores in another language."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import pytest

from mmptf_common.storage.journal import Author, begin_write
from mmptf_common.storage.writing import writing
from mmptf_markers.engine.loading import load_rubric
from mmptf_markers.engine.rubric import NOT_APPLICABLE, checks_at, criteria_at
from mmptf_markers.rubrics.commands import publish_translation
from tests.integration.assessments import RISK
from tests.integration.marked import API, Json, Markers, answer, at, errors, made

SECOND = load_rubric((files("mmptf_markers") / "data/rubrics/hr-marker-illustrative-2.json").read_bytes())
CODE = f"{SECOND.code}.{SECOND.version}"
STAGE: Any = "programme_document"
EVIDENCE = {
    **{"title": "Programme document", "kind": "programme_document", "document": "Programme document"},
    "locator": "section 2.1",
}


def supported(level: int, **changed: Any) -> dict[str, Json]:
    """The same answer to every criterion, each with all that the rubric asks for."""
    found = {
        criterion.code: answer(
            level,
            justification=f"What the document says about {criterion.code}: ".ljust(90, "x"),
            evidence=[EVIDENCE],
            checks=[check.code for check in checks_at(criterion, STAGE)],
        )
        for criterion in criteria_at(SECOND, STAGE)
    }
    return found | {code: found[code] | members for code, members in changed.items()}


async def translate(markers: Markers, texts: dict[str, str], language: str = "fr") -> None:
    translation = {
        "rubric": SECOND.code,
        "version": SECOND.version,
        "hash": SECOND.hash,
        "language": language,
        "texts": texts,
        "source": None,
        "verified": False,
    }
    async with writing(markers.running.app.state.database) as session:
        write = await begin_write(session, Author("test"), "published")
        await publish_translation(write, json.dumps(translation).encode())


@pytest.fixture(scope="module", autouse=True)
async def second_rubric(marker_service: Markers) -> None:
    await marker_service.publish(SECOND.model_dump(mode="json"))


async def test_what_supports_an_answer_is_asked_for_at_submission_and_not_before(marker_service: Markers) -> None:
    programme = await marker_service.copied(objectives=[{"code": "11", "name": "Borders"}])
    changes: dict[str, Any] = {
        "equality": {"checks": ["barriers"]},
        "participation": {"evidence": []},
        "children": {"answer": 1},
        "work": {"answer": NOT_APPLICABLE, "justification": "There is no recruitment."},
        "return-detention": {"answer": NOT_APPLICABLE},
    }
    draft = await marker_service.draft(programme, rubric=CODE, answers=supported(2, **changes))
    # While it is a draft the answer counts as the level whose checks are ticked.
    assert draft.json()["grade"] == "B"
    assert draft.json()["answers"]["equality"]["checks"] == ["barriers"]
    assert errors(await marker_service.submit(draft)) == [
        ("missing_member", "/answers/equality/checks"),
        ("missing_member", "/answers/participation/evidence"),
        ("missing_member", "/due_diligence"),
        ("not_applicable_refused", "/answers/return-detention/answer"),
        ("missing_member", "/answers/children/actions"),
        ("invalid_value", "/answers/work/justification"),
    ]
    whole = supported(2, children={"answer": NOT_APPLICABLE}, work={"answer": NOT_APPLICABLE})
    amended = made(await marker_service.patch(draft, answers=whole, due_diligence=[RISK]), 200)
    submitted = made(await marker_service.submit(amended))
    assert submitted.json()["derived"]["grade"] == "B"
    # An answer that the reviewer raises holds with all its checks.
    higher = {criterion: {"answer": 3, "reason": "x"} for criterion in whole if whole[criterion]["answer"] == 2}
    assert (await marker_service.reviewed(submitted, answers=higher)).json()["reviewed"]["grade"] == "A"


async def test_checks_that_the_rubric_does_not_ask_are_refused_where_they_stand(marker_service: Markers) -> None:
    programme = await marker_service.copied()
    for answers, place in (
        ({"equality": answer(2, checks=["by-group"])}, "/answers/equality/checks"),
        ({"children": answer(2, checks=["any"])}, "/answers/children/checks"),
    ):
        refused = await marker_service.begin(programme, rubric=CODE, answers=answers)
        assert errors(refused) == [("unknown_code", place)]
    sent = {"rubric": SECOND.code, "version": "2", "stage": STAGE, "answers": {"equality": 2}}
    score = await marker_service.send("POST", f"{API}/score", None, {**sent, "checks": {"equality": ["any"], "x": []}})
    assert errors(score) == [("unknown_code", "/checks/equality"), ("unknown_criterion", "/checks/x")]
    counted = (await marker_service.send("POST", f"{API}/score", None, sent)).json()["criteria"][1]
    assert (counted["answer"], counted["counted"], counted["not_ticked"]) == (2, 1, ["barriers", "no-status"])
    ticked = {**sent, "checks": {"equality": ["barriers", "no-status"]}}
    counted = (await marker_service.send("POST", f"{API}/score", None, ticked)).json()["criteria"][1]
    assert (counted["counted"], counted["not_ticked"]) == (None, [])


async def test_a_score_is_in_the_language_asked_for(marker_service: Markers) -> None:
    draft = await marker_service.draft(
        await marker_service.copied(), rubric=CODE, answers=supported(2), due_diligence=[RISK]
    )
    submitted = made(await marker_service.submit(draft))
    path = f"{at(submitted)}/score"
    unknown = await marker_service.send("GET", f"{path}?language=fr", None)
    assert [error["parameter"] for error in unknown.json()["errors"]] == ["language"]
    original = await marker_service.send("GET", path, None)
    await translate(
        marker_service, {"/criteria/0/levels/3/design": "Tout cela, et plus.", "/scale/levels/3/label": "Partout"}
    )
    french = await marker_service.send("GET", f"{path}?language=fr", None)
    step = french.json()["next_steps"][0]
    assert (step["criterion"], step["text"], step["to_label"]) == (
        "obligations-analysis",
        "Tout cela, et plus.",
        "Partout",
    )
    assert step["guidance"] == SECOND.criteria[0].guidance
    # A new translation is another answer; the original stays as it is.
    await translate(marker_service, {"/scale/levels/3/label": "Entièrement"})
    tag = {"if-none-match": french.headers["etag"]}
    later = await marker_service.running.client.get(f"{path}?language=fr", headers=tag)
    assert (later.status_code, later.json()["next_steps"][0]["to_label"]) == (200, "Entièrement")
    tag = {"if-none-match": later.headers["etag"]}
    assert (await marker_service.running.client.get(f"{path}?language=fr", headers=tag)).status_code == 304
    assert (await marker_service.send("GET", path, None)).content == original.content
    answers = {code: one["answer"] for code, one in submitted.json()["answers"].items()}
    checks = {code: one.get("checks", []) for code, one in submitted.json()["answers"].items()}
    sent = {"rubric": SECOND.code, "version": "2", "stage": STAGE, "answers": answers, "checks": checks}
    same = await marker_service.send("POST", f"{API}/score", None, {**sent, "language": "fr"})
    assert same.json() == later.json()
    assert errors(await marker_service.send("POST", f"{API}/score", None, {**sent, "language": "es"})) == [
        ("unknown_code", "/language")
    ]


async def test_the_first_rubric_is_answered_as_it_was(marker_service: Markers) -> None:
    first = await marker_service.get(f"{API}/rubrics/hr-marker-illustrative.1")
    packaged = json.loads((files("mmptf_markers") / "data/rubrics/hr-marker-illustrative-1.json").read_bytes())
    assert (first["content"], first["hash"]) == (packaged, packaged["hash"])
    assert list(first["content"]["criteria"][0]) == list(packaged["criteria"][0])
