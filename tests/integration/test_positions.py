"""Positions of the organizations that take part on what another one submitted: kept, shown, and not the reviewer's."""

from __future__ import annotations

from typing import Any

import asyncpg
import httpx
import pytest

from tests.integration.assessments import BOTH, history, named, stored
from tests.integration.marked import (
    ADMIN,
    ASSESSMENTS,
    FUND,
    ILO,
    IOM,
    OHCHR,
    WHO,
    Json,
    Markers,
    Who,
    answers,
    at,
    errors,
    made,
    programme,
    refused,
)

UNDP = Who("agency", "UNDP")


async def dissent(markers: Markers, assessment: httpx.Response, who: Who = ILO, **members: Any) -> httpx.Response:
    sent = {"position": "dissent", "reason": "Nobody was heard.", **members}
    return await markers.send("POST", f"{at(assessment)}/positions", who, sent, match="*")


async def test_a_dissent_is_kept_and_shown(marker_service: Markers) -> None:
    code = await marker_service.copied(organizations=named("IOM", "ILO", "WHO"))
    submitted = await marker_service.submitted(code)
    own = {"participation": {"answer": 1, "reason": "One association was heard."}}
    stated = made(await dissent(marker_service, submitted, answers=own), 200)
    (position,) = stated.json()["positions"]
    assert position == {
        "organization": "ILO", "position": "dissent", "reason": "Nobody was heard.", "at": position["at"],
        "answers": {"participation": {**own["participation"], "instead_of": 3}},
    }  # fmt: skip
    assert await stored(marker_service, submitted) == stated.json()
    # The grade is that of the submitted answers.
    assert {**stated.json(), "positions": [], "updated": None} == {**submitted.json(), "updated": None}
    agreed = made(await marker_service.send(
        "POST", f"{at(submitted)}/positions", WHO, {"position": "agree"}, match=stated.headers["etag"]
    ), 200)  # fmt: skip
    assert [(p["organization"], p["position"], p["reason"]) for p in agreed.json()["positions"]] == [
        ("ILO", "dissent", "Nobody was heard."), ("WHO", "agree", None),
    ]  # fmt: skip
    # Whoever read it before the dissent does not review it unseen.
    assert refused(await marker_service.review(submitted)) == (412, "precondition_failed")
    changed = made(await dissent(marker_service, submitted, reason="Two were heard, late."), 200)
    assert [(p["organization"], p["reason"]) for p in changed.json()["positions"]] == [
        ("WHO", None), ("ILO", "Two were heard, late."),
    ]  # fmt: skip
    reasons = [(h["organization"], h["reason"], h["changed"]) for h in await history(marker_service, at(submitted))]
    assert reasons == [
        ("IOM", "submitted", []), ("ILO", "Nobody was heard.", ["positions"]), ("WHO", "agreed", ["positions"]),
        ("ILO", "Two were heard, late.", ["positions"]),
    ]  # fmt: skip
    reviewed = await marker_service.reviewed(changed, decision="return")
    assert reviewed.json()["positions"] == changed.json()["positions"]
    for who in (ILO, WHO):
        assert refused(await dissent(marker_service, submitted, who)) == (409, "positions_closed")
    # The next version begins without.
    again = await marker_service.submitted(code, who=IOM, answers={})
    assert (again.json()["version"], again.json()["positions"]) == (2, [])


async def test_who_states_a_position_takes_part_and_has_not_submitted(marker_service: Markers) -> None:
    submitted = await marker_service.submitted(await marker_service.copied())
    for who in (IOM, UNDP, Who("admin", "UNDP")):
        refusal = await dissent(marker_service, submitted, who)
        assert refused(refusal) == (403, "forbidden")
    assert "has submitted" in (await dissent(marker_service, submitted, IOM)).json()["detail"]
    for who, expected in (
        (OHCHR, "insufficient_scope"),
        (FUND, "insufficient_scope"),
        (ADMIN, "organization_not_known"),
    ):
        assert refused(await dissent(marker_service, submitted, who)) == (403, expected)
    sent = {"position": "agree"}
    path = f"{at(submitted)}/positions"
    assert refused(await marker_service.send("POST", path, ILO, sent)) == (428, "precondition_required")
    late = await marker_service.send("POST", path, ILO, sent, match='"0-000000000000000000"')
    assert refused(late) == (412, "precondition_failed")
    missing = await marker_service.send("POST", f"{ASSESSMENTS}/A-999999/positions", ILO, sent, match="*")
    assert refused(missing) == (404, "not_found")
    tried = made(await marker_service.send("POST", f"{path}?dry_run=true", ILO, sent, match="*"), 200)
    assert len(tried.json()["positions"]) == 1
    assert await stored(marker_service, submitted) == submitted.json()
    declared = made(await marker_service.declare(await marker_service.copied()))
    assert refused(await dissent(marker_service, declared)) == (409, "positions_closed")


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"reason": None}, [("missing_member", "/reason")]),
        ({"reason": ""}, [("invalid_value", "/reason")]),
        ({"position": "abstain"}, [("unknown_code", "/position")]),
        ({"position": None}, [("invalid_type", "/position")]),
        ({"position": "agree", "answers": {"equality": {"answer": 1, "reason": "x"}}},
         [("not_applicable", "/answers")]),
        ({"answers": {"equality": {"answer": 3, "reason": "x"}}}, [("not_another", "/answers/equality")]),
        ({"answers": {"equality": {"answer": 9, "reason": "x"}}}, [("unknown_level", "/answers/equality")]),
        ({"answers": {"equalty": {"answer": 1, "reason": "x"}}}, [("unknown_criterion", "/answers/equalty")]),
        ({"answers": {"equality": {"answer": 1}}}, [("missing_member", "/answers/equality/reason")]),
    ],
)  # fmt: skip
async def test_a_position_says_what_it_has_to(
    marker_service: Markers, members: Json, expected: list[tuple[str, str]]
) -> None:
    submitted = await marker_service.submitted(await marker_service.copied())
    assert errors(await dissent(marker_service, submitted, **members)) == expected


async def test_who_stated_a_position_does_not_review(marker_service: Markers) -> None:
    document = programme()
    await marker_service.copy(document)
    submitted = await marker_service.submitted(document["code"])
    stated = made(await dissent(marker_service, submitted, Who("agency", "ILO", "somebody")), 200)
    # Neither the organization, though it has left, nor the person, for whichever organization.
    await marker_service.copy({**document, "organizations": named("IOM")})
    assert refused(await marker_service.review(stated, Who("reviewer", "ILO"))) == (403, "forbidden")
    assert refused(await marker_service.review(stated, Who("reviewer", "OHCHR", "somebody", BOTH))) == (
        403,
        "forbidden",
    )
    made(await marker_service.review(stated), 200)


async def test_assessments_of_before_are_read_without_positions(marker_service: Markers) -> None:
    code = await marker_service.copied()
    first = await marker_service.accepted(code, 2, stage="concept_note", answers=answers(2, "concept_note"))
    later = await marker_service.submitted(code)
    connection = await asyncpg.connect(marker_service.running.database_url)
    try:
        await connection.execute("ALTER TABLE assessment DISABLE TRIGGER USER")
        for table in ("assessment", "assessment_past"):
            await connection.execute(
                f"UPDATE {table} SET record = replace(record::text, $2, '')::json WHERE programme = $1",
                code,
                ',"positions":[]',
            )
        await connection.execute("ALTER TABLE assessment ENABLE TRIGGER USER")
        left = "SELECT count(*) FROM assessment WHERE record::text LIKE '%positions%' AND programme = $1"
        assert await connection.fetchval(left, code) == 0
    finally:
        await connection.close()
    for item in (await marker_service.get(ASSESSMENTS, programme=code))["items"]:
        assert item["positions"] == []
    comparison = await marker_service.get(f"{at(later)}/comparison")
    assert comparison["earlier"] == first["code"]
    assert (await marker_service.get(f"{at(later)}/score"))["grade"] == "A"
    stated = made(await dissent(marker_service, later), 200)
    assert len(stated.json()["positions"]) == 1
    made(await marker_service.review(stated), 200)
