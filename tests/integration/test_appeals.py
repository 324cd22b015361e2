"""Appeals against reviews: who appeals, until when, who decides, and what counts before and after it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from mmptf_common.storage.journal import Author, begin_write
from mmptf_common.storage.writing import writing
from tests.integration.assessments import history, stored
from tests.integration.marked import (
    API,
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
    changed,
    errors,
    made,
    refused,
)
from tests.integration.test_reviews import LOWER, OTHER, REVIEWS, THIRD, assigned, declined, reviews_of

REASONS = {"equality": "The annex has data by sex and status."}


async def reviewed(markers: Markers, **members: Any) -> httpx.Response:
    return await markers.reviewed(await markers.submitted(await markers.copied()), **members)


async def appealed(
    markers: Markers, assessment: httpx.Response, who: Who | None = ILO, **members: Any
) -> httpx.Response:
    """The answer to an appeal, whether it is stored or refused."""
    sent = {"comment": "The annex was not read.", "reasons": REASONS, **members}
    return await markers.send("POST", f"{at(assessment)}/appeal", who, sent, match="*")


async def decided(markers: Markers, assessment: httpx.Response, who: Who, **members: Any) -> httpx.Response:
    """The answer to a decision on an appeal, whether it is stored or refused."""
    sent = {"decision": "accept", "comment": "The annex is read now.", **members}
    return await markers.send("POST", f"{at(assessment)}/appeal/decision", who, sent, match="*")


async def dated(markers: Markers, assessment: httpx.Response, days: int, *members: str) -> None:
    """Store reviews of an assessment as they would be stored, had they been made some days ago."""
    record = "record::jsonb"
    for member in members:
        then = (datetime.now(UTC) - timedelta(days=days)).isoformat()
        record = f"""jsonb_set({record}, '{{{member},at}}', '"{then}"')"""
    await changed(markers, assessment.json()["code"], f"({record})::json")


async def test_an_appeal_is_decided_by_somebody_else_and_both_are_kept(marker_service: Markers) -> None:
    done = await reviewed(marker_service, answers=LOWER)
    before = done.json()
    opened = made(await appealed(marker_service, done), 200).json()
    appeal = opened["appeal"]
    assert appeal == {
        "organization": "ILO",
        "at": appeal["at"],
        "comment": "The annex was not read.",
        "reasons": REASONS,
        "decided": None,
    }
    # The review counts, and the record says that an appeal is open.
    assert {**opened, "appeal": None, "updated": before["updated"]} == before
    *_, change = await history(marker_service, at(done))
    assert (change["reason"], change["changed"]) == ("The annex was not read.", ["appeal"])
    first, sought = await reviews_of(marker_service, done)
    assert (sought["round"], sought["state"]) == ("appeal", "open")
    assert await reviews_of(marker_service, done, OTHER) == [sought]
    assert await reviews_of(marker_service, done, OHCHR) == [first]
    # Nobody decides without a claim, nor who has made the review or takes part.
    assert refused(await decided(marker_service, done, OTHER)) == (409, "not_claimed")
    assert refused(await marker_service.claim(done)) == (403, "forbidden")
    assert errors(await assigned(marker_service, done, Who("reviewer", "OHCHR", "reviewer"))) == [
        ("not_independent", "/reviewer")
    ]
    for organization in ("IOM", "ILO"):
        for refusal in (
            await marker_service.claim(done, Who("reviewer", organization, "other")),
            await decided(marker_service, done, Who("reviewer", organization, "other")),
        ):
            assert refused(refusal) == (403, "forbidden")
    claimed = made(await marker_service.claim(done, OTHER)).json()
    assert claimed["round"] == "appeal"
    for who in (THIRD, FUND, OHCHR):
        assert refused(await decided(marker_service, done, who)) == (409, "not_claimed")
    # What is claimed for an appeal is decided there, and nowhere else.
    assert refused(await marker_service.decide(done, OTHER)) in ((409, "not_reviewable"), (412, "precondition_failed"))
    after = made(await decided(marker_service, done, OTHER), 200).json()
    assert (after["grade"], after["reviewed"]) == ("A", before["reviewed"])
    assert before["grade"] != "A"
    assert after["appeal"]["decided"]["organization"] == "UNHCR"
    assert (after["status"], after["basis"]) == ("accepted", "reviewed")
    assert after["differences"] == []
    assert (await marker_service.get(f"{at(done)}/score", answers="reviewer"))["grade"] == "A"
    (kept,) = [one for one in await reviews_of(marker_service, done) if one["round"] == "appeal"]
    assert (kept["state"], kept["outcome"]) == ("done", after["appeal"]["decided"])
    for who in (OTHER, THIRD):
        assert refused(await decided(marker_service, done, who)) == (409, "not_reviewable")
    assert refused(await appealed(marker_service, done)) == (409, "not_appealable")
    (current,) = (await marker_service.get(f"{API}/standings", programme=after["programme"]))["items"]
    assert (current["assessment"], current["grade"]) == (after["code"], "A")


async def test_what_counts_by_criterion_is_that_of_the_appeal(marker_service: Markers) -> None:
    done = await reviewed(marker_service, answers=LOWER)
    programme = done.json()["programme"]

    async def of_equality() -> Json:
        found = await marker_service.get(f"{API}/criteria", programme=programme)
        (criterion,) = [one for one in found["criteria"] if one["criterion"] == "equality"]
        return {level["answer"]: level["programmes"] for level in criterion["levels"] if level["programmes"]}

    assert await of_equality() == {0: 1}
    made(await appealed(marker_service, done), 200)
    made(await marker_service.claim(done, OTHER))
    assert await of_equality() == {0: 1}
    higher = {"equality": {"answer": 2, "reason": "The annex has some."}}
    made(await decided(marker_service, done, OTHER, answers=higher), 200)
    assert await of_equality() == {2: 1}


async def test_a_decision_on_an_appeal_can_return_an_assessment(marker_service: Markers) -> None:
    done = await reviewed(marker_service)
    made(await appealed(marker_service, done), 200)
    made(await marker_service.claim(done, OTHER))
    after = made(await decided(marker_service, done, OTHER, decision="return"), 200).json()
    assert (after["status"], after["reviewed"]["decision"]) == ("returned", "accept")
    (current,) = (await marker_service.get(f"{API}/standings", programme=after["programme"]))["items"]
    assert (current["grade"], current["returned"]) == (None, True)


@pytest.mark.parametrize("decision", ["accept", "return"])
async def test_an_appeal_is_possible_for_thirty_days(marker_service: Markers, decision: str) -> None:
    late = await reviewed(marker_service, decision=decision)
    await dated(marker_service, late, 31, "reviewed")
    refusal = await appealed(marker_service, late)
    assert refused(refusal) == (409, "not_appealable")
    assert "30 days" in refusal.json()["detail"]
    assert (await stored(marker_service, late))["appeal"] is None
    await dated(marker_service, late, 30, "reviewed")
    made(await appealed(marker_service, late), 200)


async def test_of_two_reviews_the_later_one_was_published(marker_service: Markers) -> None:
    submitted = await marker_service.submitted(await marker_service.copied())
    made(await assigned(marker_service, submitted, OTHER, round="second"))
    made(await marker_service.claim(submitted, OTHER))
    made(await marker_service.decide(submitted, OTHER), 200)
    done = await marker_service.reviewed(submitted)
    await dated(marker_service, done, 40, "reviewed")
    made(await appealed(marker_service, done), 200)
    both = await marker_service.submitted(await marker_service.copied())
    made(await assigned(marker_service, both, OTHER, round="second"))
    made(await marker_service.claim(both, OTHER))
    made(await marker_service.decide(both, OTHER), 200)
    done = await marker_service.reviewed(both)
    await dated(marker_service, done, 40, "reviewed", "second_review")
    assert refused(await appealed(marker_service, done)) == (409, "not_appealable")


async def test_strangers_do_not_appeal_and_nobody_twice(marker_service: Markers) -> None:
    done = await reviewed(marker_service)
    for who, expected in (
        (None, (401, "token_missing")),
        (OHCHR, (403, "insufficient_scope")),
        (FUND, (403, "insufficient_scope")),
        (WHO, (403, "forbidden")),
        (Who("admin"), (403, "organization_not_known")),
    ):
        assert refused(await appealed(marker_service, done, who)) == expected
    for members, expected in (
        ({"reasons": {"equalty": "x"}}, ("unknown_code", "/reasons/equalty")),
        ({"comment": ""}, ("invalid_value", "/comment")),
    ):
        (found,) = errors(await appealed(marker_service, done, **members))
        assert found[1] == expected[1]
    assert (await stored(marker_service, done)) == done.json()
    made(await appealed(marker_service, done, IOM), 200)
    for who in (IOM, ILO):
        assert refused(await appealed(marker_service, done, who)) == (409, "not_appealable")


async def test_what_is_not_reviewed_or_corrected_is_not_appealed_against(marker_service: Markers) -> None:
    code = await marker_service.copied()
    submitted = await marker_service.submitted(code)
    assert refused(await appealed(marker_service, submitted)) == (409, "not_appealable")
    returned = await marker_service.reviewed(submitted, decision="return")
    corrected = await marker_service.submitted(code, answers=answers(3))
    refusal = await appealed(marker_service, returned)
    assert refused(refusal) == (409, "not_appealable")
    assert corrected.json()["code"] in refusal.json()["detail"]
    declared = made(await marker_service.declare(await marker_service.copied()))
    assert refused(await appealed(marker_service, declared)) == (409, "not_appealable")
    assert refused(await decided(marker_service, submitted, OTHER)) == (409, "not_reviewable")


async def test_who_reviewed_before_reviews_were_recorded_decides_on_no_appeal(marker_service: Markers) -> None:
    done = await reviewed(marker_service)
    async with writing(marker_service.running.app.state.database) as session:
        await begin_write(session, Author("test"), "as an earlier release has left it")
        await session.execute(sa.text("DELETE FROM review WHERE assessment = :code"), {"code": done.json()["code"]})
    made(await appealed(marker_service, done), 200)
    assert refused(await marker_service.claim(done)) == (403, "forbidden")
    assert errors(await assigned(marker_service, done, Who("reviewer", "OHCHR", "reviewer"))) == [
        ("not_independent", "/reviewer")
    ]
    made(await marker_service.claim(done, OTHER))


async def test_an_appeal_that_is_declined_is_open_again_and_overdue_ones_are_found(marker_service: Markers) -> None:
    done = await reviewed(marker_service)
    made(await appealed(marker_service, done), 200)
    claimed = made(await marker_service.claim(done, OTHER)).json()
    made(await declined(marker_service, claimed, OTHER), 200)
    (sought,) = await reviews_of(marker_service, done, THIRD)
    assert (sought["round"], sought["state"]) == ("appeal", "open")
    month = f"{datetime.now(UTC) + timedelta(days=31):%Y-%m-%d}"
    late = await marker_service.get(REVIEWS, FUND, round="appeal", state=["open", "claimed"], due_before=month)
    assert sought in late["items"]
    made(await assigned(marker_service, done, THIRD, round="appeal"))
    assert refused(await assigned(marker_service, done, Who("reviewer", "OHCHR", "fourth"))) == (409, "review_taken")
    made(await marker_service.claim(done, THIRD))
    made(await decided(marker_service, done, THIRD), 200)
