"""Markers on the packaged rubric: what is published never changes, and a score explains itself."""

from __future__ import annotations

import json

import asyncpg
import httpx
import jsonschema
import pytest

from mmptf_markers.engine.rubric import Rubric, content_hash
from tests.conftest import RunningApp

RUBRIC = "/markers/v1/rubrics/hr-marker-illustrative.1"
ALL_AT_CONCEPT_NOTE = (
    "obligations-analysis", "due-diligence", "equality", "participation", "rights-holders-capacity",
    "duty-bearers-capacity", "national-institutions",
)  # fmt: skip


def request(**answers: object) -> dict[str, object]:
    given = {criterion: 3 for criterion in ALL_AT_CONCEPT_NOTE} | {k.replace("_", "-"): v for k, v in answers.items()}
    return {"rubric": "hr-marker-illustrative", "version": None, "stage": "concept_note", "answers": given}


async def test_a_published_rubric_proves_its_hash_and_says_it_is_illustrative(markers: httpx.AsyncClient) -> None:
    published = (await markers.get(RUBRIC)).json()
    assert published["status"] == "illustrative"
    assert content_hash(Rubric.model_validate(published["content"], strict=False)) == published["hash"]


@pytest.mark.parametrize(
    "statement",
    ["UPDATE rubric SET hash = repeat('0', 64)", "UPDATE rubric SET version = '2'", "DELETE FROM rubric"],
)
async def test_the_database_refuses_to_change_a_published_rubric(apps: dict[str, RunningApp], statement: str) -> None:
    connection = await asyncpg.connect(apps["markers"].database_url)
    try:
        with pytest.raises(asyncpg.RestrictViolationError, match="never changes"):
            await connection.execute(statement)
    finally:
        await connection.close()


async def test_the_answers_schema_agrees_with_the_engine(markers: httpx.AsyncClient) -> None:
    schema = (await markers.get(f"{RUBRIC}/answers-schema", params={"stage": "concept_note"})).json()
    for answers, good in (
        (request()["answers"], True),
        (request(national_institutions="not_applicable")["answers"], True),
        (request(equality="not_applicable")["answers"], False),
        (request(equality=4)["answers"], False),
        (request(sustainability=1)["answers"], False),
    ):
        assert jsonschema.Draft202012Validator(schema).is_valid(answers) is good
        status = (await markers.post("/markers/v1/score", json={**request(), "answers": answers})).status_code
        assert status == (200 if good else 422)


async def test_a_score_names_its_rubric_and_what_is_missing_for_the_next_grade(markers: httpx.AsyncClient) -> None:
    answer = (await markers.post("/markers/v1/score", json=request(equality=1))).json()
    assert answer["rubric"]["status"] == "illustrative"
    assert (answer["grade"], answer["grade_before_gates"]) == ("B", "A")
    assert [gate["criterion"] for gate in answer["gates"] if gate["capped"]] == ["equality"]
    assert {c["criterion"] for c in answer["criteria"]} == set(ALL_AT_CONCEPT_NOTE)
    raised = {change["criterion"]: change["to"] for change in answer["next_grade"]["changes"]}
    better = await markers.post("/markers/v1/score", json=request(**{"equality": 1, **raised}))
    assert better.json()["grade"] == answer["next_grade"]["grade"] == "A"


async def test_without_all_answers_there_is_no_grade(markers: httpx.AsyncClient) -> None:
    asked = {**request(), "answers": {"equality": 3}}
    answer = (await markers.post("/markers/v1/score", json=asked)).json()
    assert answer["grade"] is None
    assert not answer["complete"]
    assert len(answer["missing"]) == 6


async def test_every_wrong_answer_is_named_at_once(markers: httpx.AsyncClient) -> None:
    asked = {**request(), "answers": {"equalty": 3, "due-diligence": 9, "sustainability": 1}}
    answer = await markers.post("/markers/v1/score", json=asked)
    assert answer.status_code == 422
    assert {(e["pointer"], e["code"]) for e in answer.json()["errors"]} == {
        ("/answers/equalty", "unknown_criterion"),
        ("/answers/due-diligence", "unknown_level"),
        ("/answers/sustainability", "wrong_stage"),
    }


@pytest.mark.parametrize(
    ("member", "sent", "meant"),
    [("rubric", "hr-marker-ilustrative", "hr-marker-illustrative"), ("version", "01", "1")],
)
async def test_an_unknown_rubric_is_rejected_with_the_one_that_was_meant(
    markers: httpx.AsyncClient, member: str, sent: str, meant: str
) -> None:
    answer = await markers.post("/markers/v1/score", json={**request(), member: sent})
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert (error["pointer"], error["code"], error["suggestion"]) == (f"/{member}", "unknown_code", meant)
    assert error["detail"] == f"/{member}: {sent!r} is not known; did you mean {meant}?"
    assert error["allowed"] == [meant]


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 422),
        (b"{", 400),
        (b"[" * 60_000, 400),
        (b'{"rubric": "a", "version": null, "stage": "concept_note", "answers": {"a": 1.5}}', 422),
        (b'{"rubric": "a\x00", "version": null, "stage": "concept_note", "answers": {}}', 400),
        (b'{"rubric": "\xff"}', 400),
        (b" " * 100_000, 413),
        (json.dumps(request(**{f"a{n}": 1 for n in range(3000)})).encode(), 422),
    ],
)
async def test_hostile_bodies_are_problems(markers: httpx.AsyncClient, content: bytes, status: int) -> None:
    answer = await markers.post("/markers/v1/score", content=content, headers={"content-type": "application/json"})
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.status_code == status, answer.text
