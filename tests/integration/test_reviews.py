"""Who reviews which assessment: claims, assignments, blind second ratings, settlements, and who sees what of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.integration.assessments import BOTH, history, stored
from tests.integration.marked import (
    ADMIN,
    API,
    ASSESSMENTS,
    FUND,
    ILO,
    IOM,
    OHCHR,
    Json,
    Markers,
    Who,
    at,
    changed,
    errors,
    made,
    refused,
)

REVIEWS = f"{API}/reviews"
OTHER, THIRD = Who("reviewer", "UNHCR", "other"), Who("reviewer", "UNICEF", "third")
LOWER = {"equality": {"answer": 0, "reason": "No data at all."}}
DAY = timedelta(days=1)


@pytest.fixture
def rated_twice(marker_service: Markers) -> Iterator[Markers]:
    """The service, where another reviewer is sought after every first review."""
    marker_service.running.set(second_ratings=1)
    yield marker_service
    marker_service.running.set(second_ratings=0)


async def reviews_of(markers: Markers, assessment: httpx.Response, who: Who = FUND, **query: Any) -> list[Json]:
    """The reviews of an assessment that somebody sees."""
    found: list[Json] = (await markers.get(REVIEWS, who, assessment=assessment.json()["code"], **query))["items"]
    return found


async def assigned(markers: Markers, assessment: httpx.Response, who: Who, **members: Any) -> httpx.Response:
    """The answer to an assignment by the management unit, whether it is stored or refused."""
    sent = {"reviewer": who.subject, "organization": who.organization, **members}
    return await markers.send("POST", f"{at(assessment)}/reviewers", FUND, sent)


async def declined(markers: Markers, review: Json, who: Who) -> httpx.Response:
    sent = {"reason": "There is an interest."}
    return await markers.send("POST", f"{REVIEWS}/{review['code']}/refusal", who, sent, match="*")


def today(later: timedelta = timedelta()) -> str:
    return f"{datetime.now(UTC) + later:%Y-%m-%d}"


# --- claims -----------------------------------------------------------------------------------------------------------


async def test_nobody_reviews_what_they_have_not_claimed(marker_service: Markers) -> None:
    submitted = await marker_service.submitted(await marker_service.copied())
    for who in (OHCHR, FUND, Who("admin", "OHCHR")):
        refusal = await marker_service.decide(submitted, who)
        assert refused(refusal) == (409, "not_claimed")
        assert f"{at(submitted)}/claim" in refusal.json()["detail"]
    assert await stored(marker_service, submitted) == submitted.json()
    # A claim by somebody else, and an assignment that is not accepted, are none.
    made(await marker_service.claim(submitted, OTHER))
    assert refused(await marker_service.decide(submitted)) == (409, "not_claimed")
    second = await marker_service.submitted(await marker_service.copied())
    made(await assigned(marker_service, second, OTHER))
    assert refused(await marker_service.decide(second, OTHER)) == (409, "not_claimed")


async def test_a_claim_states_interests_and_is_of_one_reviewer(marker_service: Markers) -> None:
    submitted = await marker_service.submitted(await marker_service.copied())
    path, said = f"{at(submitted)}/claim", "None: I have not worked for the programme."
    assert errors(await marker_service.send("POST", path, OHCHR, {})) == [("missing_member", "/interest")]
    for interest in ("", "none", " " * 12):
        refusal = await marker_service.claim(submitted, interest=interest)
        assert [pointer for _, pointer in errors(refusal)] == ["/interest"]
    claimed = made(await marker_service.claim(submitted)).json()
    assert claimed == {
        "code": claimed["code"],
        "assessment": submitted.json()["code"],
        "programme": submitted.json()["programme"],
        "round": "first",
        "state": "claimed",
        "reviewer": claimed["reviewer"],
        "organization": "OHCHR",
        "due": today(30 * DAY),
        "interest": said,
        "declined": None,
        "outcome": None,
        "updated": claimed["updated"],
    }
    assert claimed["reviewer"] != "reviewer"
    for who in (OHCHR, OTHER):
        assert refused(await marker_service.claim(submitted, who)) == (409, "review_taken")
    assert (await stored(marker_service, submitted)) == submitted.json()
    done = made(await marker_service.decide(submitted), 200).json()
    (kept,) = await reviews_of(marker_service, submitted)
    assert (kept["state"], kept["outcome"], kept["interest"]) == ("done", done["reviewed"], said)
    assert refused(await marker_service.claim(submitted, OTHER)) == (409, "not_reviewable")
    assert refused(await marker_service.claim(submitted)) == (403, "forbidden")
    declared = made(await marker_service.declare(await marker_service.copied()))
    assert refused(await marker_service.claim(declared)) == (409, "not_reviewable")
    nothing = await marker_service.send("POST", f"{ASSESSMENTS}/A-999999/claim", OHCHR, {"interest": said})
    assert refused(nothing) == (404, "not_found")


@pytest.mark.parametrize(
    ("later", "code"),
    [(timedelta(), None), (90 * DAY, None), (-DAY, "too_early"), (91 * DAY, "in_the_future")],
)
async def test_a_review_is_due_within_three_months(marker_service: Markers, later: timedelta, code: str | None) -> None:
    submitted = await marker_service.submitted(await marker_service.copied())
    asked = await assigned(marker_service, submitted, OTHER, due=today(later))
    claim = await marker_service.claim(submitted, OTHER, due=today(later))
    for answer in (asked, claim):
        if code:
            assert errors(answer) == [(code, "/due")]
        else:
            assert made(answer).json()["due"] == today(later)


@pytest.mark.parametrize("organization", ["IOM", "ilo", "UNDP"])
async def test_who_takes_part_claims_nothing(marker_service: Markers, organization: str) -> None:
    submitted = await marker_service.submitted(
        await marker_service.copied(lead_organization="UNDP"), who=Who("agency", "UNDP")
    )
    assert refused(await marker_service.claim(submitted, Who("reviewer", organization))) == (403, "forbidden")
    assert refused(await marker_service.claim(submitted, ADMIN)) == (403, "organization_not_known")
    for who in (IOM, Who("agent"), None):
        refusal = await marker_service.send("POST", f"{at(submitted)}/claim", who, {"interest": "None at all."})
        assert refused(refusal) in ((403, "insufficient_scope"), (401, "token_missing"))
    assert await reviews_of(marker_service, submitted) == []


async def test_who_wrote_it_claims_nothing(marker_service: Markers) -> None:
    author = Who("agency", "IOM", "author")
    submitted = await marker_service.submitted(await marker_service.copied(), 3, author)
    later = Who("reviewer", "OHCHR", "author", BOTH)
    assert refused(await marker_service.claim(submitted, later)) == (403, "forbidden")
    assert errors(await assigned(marker_service, submitted, later)) == [("not_independent", "/reviewer")]


async def test_the_management_unit_assigns_and_the_reviewer_accepts_or_declines(marker_service: Markers) -> None:
    submitted = await marker_service.submitted(await marker_service.copied())
    for who in (OHCHR, IOM):
        asked = {"reviewer": "other", "organization": "UNHCR"}
        assert (await marker_service.send("POST", f"{at(submitted)}/reviewers", who, asked)).status_code == 403
    taking_part = await assigned(marker_service, submitted, Who("reviewer", "ilo", "other"))
    assert errors(taking_part) == [("not_independent", "/organization")]
    review = made(await assigned(marker_service, submitted, OTHER, due=today(7 * DAY))).json()
    assert (review["state"], review["organization"], review["round"]) == ("assigned", "UNHCR", "first")
    for who in (OTHER, THIRD):
        taken = await assigned(marker_service, submitted, who)
        assert refused(taken) in ((422, "not_independent"), (409, "review_taken")), taken.text
    assert refused(await marker_service.claim(submitted, THIRD)) == (409, "review_taken")
    assert refused(await declined(marker_service, review, THIRD)) == (404, "not_found")
    # It is hers, and the day that was set holds.
    assert await reviews_of(marker_service, submitted, OTHER) == [review]
    accepted = made(await marker_service.claim(submitted, OTHER)).json()
    assert (accepted["code"], accepted["state"], accepted["due"]) == (review["code"], "claimed", review["due"])
    gone = made(await declined(marker_service, accepted, OTHER), 200).json()
    assert (gone["state"], gone["declined"]) == ("declined", "There is an interest.")
    assert refused(await declined(marker_service, accepted, OTHER)) == (409, "not_claimed")
    assert refused(await marker_service.decide(submitted, OTHER)) == (409, "not_claimed")
    # Somebody else makes it then; the management unit takes it from who does not come to it.
    claimed = made(await marker_service.claim(submitted, THIRD)).json()
    assert claimed["code"] != gone["code"]
    made(await declined(marker_service, claimed, FUND), 200)
    assert (await marker_service.reviewed(submitted)).json()["status"] == "accepted"
    states = [one["state"] for one in await reviews_of(marker_service, submitted)]
    assert states == ["declined", "declined", "done"]
    assert refused(await assigned(marker_service, submitted, THIRD)) == (409, "not_reviewable")
    unknown = await assigned(marker_service, submitted, THIRD, round="third")
    assert [pointer for _, pointer in errors(unknown)] == ["/round"]


async def test_overdue_reviews_are_found_by_their_day_and_state(marker_service: Markers) -> None:
    submitted = await marker_service.submitted(await marker_service.copied())
    review = made(await marker_service.claim(submitted, due=today())).json()
    unfinished = {"state": ["open", "assigned", "claimed"], "assessment": review["assessment"]}
    for due_before, expected in ((today(), []), (today(DAY), [review])):
        found = await marker_service.get(REVIEWS, FUND, **unfinished, due_before=due_before)
        assert found["items"] == expected
    await marker_service.decide(submitted)
    assert (await marker_service.get(REVIEWS, FUND, **unfinished, due_before=today(DAY)))["items"] == []


async def test_reviews_are_private_answers(marker_service: Markers) -> None:
    submitted = await marker_service.submitted(await marker_service.copied())
    review = made(await marker_service.claim(submitted)).json()
    for path in (REVIEWS, f"{REVIEWS}/{review['code']}"):
        answer = await marker_service.send("GET", path, OHCHR)
        assert answer.headers["cache-control"] == "private, no-cache"
        assert "authorization" in answer.headers["vary"].lower()
        assert "cache-groups" not in answer.headers
        for who in (None, IOM):
            assert (await marker_service.send("GET", path, who)).status_code in (401, 403)
    assert refused(await marker_service.send("GET", f"{REVIEWS}/{review['code']}", OTHER)) == (404, "not_found")
    changes = await marker_service.get(f"{API}/changes", limit=1000)
    assert "review" not in {change["entity"] for change in changes["items"]}
    audited = await marker_service.get(f"{API}/audit", ADMIN, entity="review", limit=1000)
    assert review["code"] in {change["key"] for change in audited["items"]}


# --- second ratings ---------------------------------------------------------------------------------------------------


async def test_a_second_reviewer_who_finds_the_same_makes_both_public(rated_twice: Markers) -> None:
    submitted = await rated_twice.submitted(await rated_twice.copied())
    first = await rated_twice.reviewed(submitted, comment="The first.", answers=LOWER)
    # The answer of the first review is the assessment as it was, with the same tag.
    assert (first.json(), first.headers["etag"]) == (submitted.json(), submitted.headers["etag"])
    own, sought = await reviews_of(rated_twice, submitted)
    assert (own["state"], sought["state"], sought["round"]) == ("done", "open", "second")
    assert sought["due"] == today(30 * DAY)
    # Who has made the first sees that one only, and makes no other.
    assert await reviews_of(rated_twice, submitted, OHCHR) == [own]
    assert await reviews_of(rated_twice, submitted, OTHER) == [sought]
    assert await reviews_of(rated_twice, submitted, Who("reviewer", "ILO", "at the ILO")) == []
    assert await reviews_of(rated_twice, submitted, Who("reviewer", "iom", "at the IOM")) == []
    assert refused(await rated_twice.claim(submitted)) == (403, "forbidden")
    assert refused(await rated_twice.claim(submitted, FUND)) == (403, "forbidden")
    assert refused(await rated_twice.claim(submitted, Who("admin", "OHCHR", "somebody"))) == (403, "forbidden")
    assert errors(await assigned(rated_twice, submitted, Who("reviewer", "OHCHR", "reviewer"))) == [
        ("not_independent", "/reviewer")
    ]
    other = {"equality": {"answer": 1, "reason": "Some data."}}
    graded = own["outcome"]["grade"]
    made(await rated_twice.claim(submitted, OTHER))
    both = made(await rated_twice.decide(submitted, OTHER, comment="The second.", answers=other), 200).json()
    assert (both["status"], both["basis"], both["grade"]) == ("accepted", "reviewed", graded)
    assert both["reviewed"] == own["outcome"]
    assert (both["second_review"]["organization"], both["second_review"]["comment"]) == ("UNHCR", "The second.")
    assert (both["settlement"], both["appeal"]) == (None, None)
    *_, last = await history(rated_twice, at(submitted))
    assert (last["reason"], last["after"]) == ("The first.", both)
    assert {"reviewed", "second_review", "status"} <= set(last["changed"])


async def test_where_two_differ_a_third_settles_it_with_both_before_her(rated_twice: Markers) -> None:
    submitted = await rated_twice.submitted(await rated_twice.copied())
    await rated_twice.reviewed(submitted, comment="It holds.")
    made(await rated_twice.claim(submitted, OTHER))
    waiting = made(await rated_twice.decide(submitted, OTHER, comment="It does not.", decision="return"), 200)
    assert waiting.json() == submitted.json()
    first, second, sought = await reviews_of(rated_twice, submitted)
    assert (sought["round"], sought["state"]) == ("settlement", "open")
    # Neither of the two sees the other's, nor settles it.
    assert await reviews_of(rated_twice, submitted, OHCHR) == [first]
    assert await reviews_of(rated_twice, submitted, OTHER) == [second]
    for who in (OHCHR, OTHER):
        assert refused(await rated_twice.claim(submitted, who)) == (403, "forbidden")
    assert await reviews_of(rated_twice, submitted, THIRD) == [sought]
    claimed = made(await rated_twice.claim(submitted, THIRD)).json()
    assert await reviews_of(rated_twice, submitted, THIRD) == [first, second, claimed]
    done = made(await rated_twice.decide(submitted, THIRD, comment="Half of it.", answers=LOWER), 200).json()
    assert (done["reviewed"], done["second_review"]) == (first["outcome"], second["outcome"])
    assert done["settlement"]["comment"] == "Half of it."
    assert (done["status"], done["grade"]) == ("accepted", done["settlement"]["grade"])
    assert "answers" in done["differences"]
    # What counts is explained, and compared.
    score = await rated_twice.get(f"{at(submitted)}/score", answers="reviewer")
    assert score["grade"] == done["grade"]
    *_, last = await history(rated_twice, at(submitted))
    assert last["reason"] == "Half of it."


async def test_a_second_rating_can_be_asked_for_and_come_first(marker_service: Markers) -> None:
    submitted = await marker_service.submitted(await marker_service.copied())
    asked = made(await assigned(marker_service, submitted, OTHER, round="second")).json()
    for wanted in ("settlement", "appeal"):
        refusal = await assigned(marker_service, submitted, THIRD, round=wanted)
        assert refused(refusal) == (409, "not_reviewable")
    assert refused(await assigned(marker_service, submitted, THIRD, round="second")) == (409, "review_taken")
    # Nobody else sees that there will be two.
    assert await reviews_of(marker_service, submitted, OHCHR) == []
    assert made(await marker_service.claim(submitted, OTHER)).json()["code"] == asked["code"]
    made(await marker_service.decide(submitted, OTHER, comment="The second."), 200)
    assert await stored(marker_service, submitted) == submitted.json()
    assert await reviews_of(marker_service, submitted, OHCHR) == []
    done = (await marker_service.reviewed(submitted, comment="The first.")).json()
    assert (done["reviewed"]["comment"], done["second_review"]["comment"]) == ("The first.", "The second.")


async def test_a_second_rating_that_is_declined_is_sought_again(rated_twice: Markers) -> None:
    submitted = await rated_twice.submitted(await rated_twice.copied())
    early = made(await assigned(rated_twice, submitted, OTHER, round="second")).json()
    made(await declined(rated_twice, early, OTHER), 200)
    # Before the first review is done, nobody sees that a second one is sought.
    assert await reviews_of(rated_twice, submitted, THIRD) == []
    await rated_twice.reviewed(submitted)
    (sought,) = await reviews_of(rated_twice, submitted, THIRD)
    claimed = made(await rated_twice.claim(submitted, THIRD)).json()
    assert (claimed["code"], claimed["round"]) == (sought["code"], "second")
    made(await declined(rated_twice, claimed, FUND), 200)
    states = [(one["round"], one["state"]) for one in await reviews_of(rated_twice, submitted)]
    assert states == [("second", "declined"), ("second", "declined"), ("first", "done"), ("second", "open")]
    # Whoever declined may come back to it.
    made(await rated_twice.claim(submitted, OTHER))
    assert made(await rated_twice.decide(submitted, OTHER), 200).json()["status"] == "accepted"


# What the first reviewer has written and nobody else is to read.
SECRET = "Between ourselves"  # words of a comment
# Members of answers that say how often anything was written, or when.
PASSING = {"revision", "last", "next", "changed", "age_seconds", "caught_up", "reached", "request_id"}


def without_passing(answer: Any) -> Any:
    if isinstance(answer, dict):
        return {name: without_passing(value) for name, value in answer.items() if name not in PASSING}
    return [without_passing(value) for value in answer] if isinstance(answer, list) else answer


async def every_read(markers: Markers, codes: list[str], who: Who | None) -> dict[str, httpx.Response]:
    """The answers to every read of the contract, with each of these codes, in each representation, and as of now."""
    contract = (await markers.running.client.get("/openapi.json")).json()
    newest = await markers.revision()
    found = {}
    for template, operations in contract["paths"].items():
        if "get" not in operations or "wait" in template or template.startswith("/problems"):
            continue
        named = {parameter["name"] for parameter in operations["get"].get("parameters", ())}
        queries = ["", "limit=1000"] if "limit" in named else [""]
        queries += [f"as_of={newest}"] if "as_of" in named else []
        queries += [f"format={kind}" for kind in ("csv", "ndjson")] if "cursor" in named else []
        queries += ["answers=reviewer"] if "answers" in named else []
        queries += [f"by={division}" for division in ("criterion", "year")] if "between" in named else []
        for path in [template.replace("{code}", code) for code in codes] if "{code}" in template else [template]:
            for query in queries:
                url = f"{path}?{query}" if query else path
                found[url] = await markers.send("GET", url, who)
    return found


async def test_nobody_reads_a_first_review_before_the_second_is_done(rated_twice: Markers) -> None:
    """Every read of the contract, as anybody and as the second reviewer, before and after the first review."""
    programme = await rated_twice.copied()
    earlier = await rated_twice.submitted(programme, stage="concept_note")
    rated_twice.running.set(second_ratings=0)
    await rated_twice.reviewed(earlier)
    rated_twice.running.set(second_ratings=1)
    submitted = await rated_twice.submitted(programme)
    code = submitted.json()["code"]
    claimed = made(await rated_twice.claim(submitted)).json()
    codes = [code, programme, f"{programme}.human_rights", "human-rights-90"]
    callers = (None, OTHER, Who("reviewer", "ILO", "at the ILO"), Who("agency", "IOM"))
    before = [await every_read(rated_twice, codes, who) for who in callers]
    answers = {"equality": {"answer": 0, "reason": SECRET}}
    made(await rated_twice.decide(submitted, comment=f"{SECRET}.", decision="return", answers=answers), 200)
    sought = [one for one in await reviews_of(rated_twice, submitted) if one["state"] == "open"]
    made(await rated_twice.claim(submitted, OTHER))
    hidden = [claimed["code"], sought[0]["code"]]
    compared = 0
    for who, asked in zip(callers, before, strict=True):
        now = await every_read(rated_twice, codes + hidden, who)
        assert not [url for url, answer in now.items() if SECRET in answer.text or SECRET in str(answer.headers)]
        for url, earlier_answer in asked.items():
            # Whoever has claimed a review reads what is restricted.
            if "as_of" in url or "/reviews" in url or "/changes" in url or "/restricted" in url:
                continue
            answer = now[url]
            assert answer.status_code == earlier_answer.status_code, url
            if answer.headers["content-type"].endswith(("/json", "+json")):
                assert without_passing(answer.json()) == without_passing(earlier_answer.json()), url
                compared += 1
            else:
                assert answer.text == earlier_answer.text, url
        # The record and its tag are what they were.
        assert now[f"{ASSESSMENTS}/{code}"].headers["etag"] == submitted.headers["etag"]
        assert now[f"{ASSESSMENTS}/{code}"].json() == submitted.json()
        assert refused(now[f"{ASSESSMENTS}/{code}/score?answers=reviewer"]) == (409, "not_reviewed")
        assert now[f"{REVIEWS}/{claimed['code']}"].status_code in (401, 403, 404)
        feed = await rated_twice.get(f"{API}/changes", limit=1000)
        assert SECRET not in json.dumps(feed)
    assert compared > 100
    # What writes answer: refusals, dry runs, tags that are not right.
    for who in (OTHER, THIRD, IOM, ILO):
        for path, sent in (
            (f"{at(submitted)}/review", {"decision": "accept", "comment": "x"}),
            (f"{at(submitted)}/appeal", {"comment": "x"}),
            (f"{at(submitted)}/appeal/decision", {"decision": "accept", "comment": "x"}),
            (f"{at(submitted)}/claim", {"interest": "None at all."}),
            (f"{REVIEWS}/{claimed['code']}/refusal", {"reason": "x"}),
        ):
            for match in ("*", '"0-000000000000000000"'):
                answer = await rated_twice.send("POST", f"{path}?dry_run=true", who, sent, match=match)
                assert SECRET not in answer.text
    # The reviewer reads her own, and the management unit all.
    for who in (OHCHR, FUND, ADMIN):
        assert SECRET in (await rated_twice.send("GET", f"{REVIEWS}/{claimed['code']}", who)).text
    made(await rated_twice.decide(submitted, OTHER, decision="return", answers=answers), 200)
    assert SECRET in (await rated_twice.send("GET", at(submitted), None)).text


async def test_as_of_shows_no_more_of_reviews_than_now(rated_twice: Markers) -> None:
    submitted = await rated_twice.submitted(await rated_twice.copied())
    await rated_twice.reviewed(submitted, comment="Only for now.")
    made(await rated_twice.claim(submitted, OTHER))
    newest = await rated_twice.revision()
    for revision in range(newest - 8, newest + 1):
        found = await rated_twice.send("GET", f"{REVIEWS}?as_of={revision}&limit=1000", OTHER)
        assert found.status_code == 200
        assert "Only for now." not in found.text
    (own,) = await reviews_of(rated_twice, submitted, OHCHR, as_of=newest)
    assert own["outcome"]["comment"] == "Only for now."


async def test_records_of_before_have_no_second_review_and_no_appeal(marker_service: Markers) -> None:
    accepted = await marker_service.accepted(await marker_service.copied())
    later = ("second_review", "settlement", "appeal")
    removed = " - ".join(["record::jsonb", *(f"'{name}'" for name in later)])
    await changed(marker_service, accepted["code"], f"({removed})::json")
    now = await marker_service.get(f"{ASSESSMENTS}/{accepted['code']}")
    assert now == accepted
    assert list(now)[-3:] == list(later)
    *_, last = await history(marker_service, f"{ASSESSMENTS}/{accepted['code']}")
    assert last["after"] == now
