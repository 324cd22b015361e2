"""Calls for proposals, meetings and decisions of the Steering Committee, and the changes that name them."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx

from tests.integration.programmes_client import (
    AGENCY,
    API,
    FUND,
    PROGRAMMES,
    amend,
    errors,
    extend,
    move,
    moved,
    refused,
    submitted,
    today,
)
from tests.tokens import writing

CALLS, MEETINGS, DECISIONS = f"{API}/calls", f"{API}/meetings", f"{API}/decisions"
MINUTES = {"title": "Minutes", "url": "https://docs.example.org/minutes.pdf", "sha256": "0" * 64}
YESTERDAY = (today() - timedelta(1)).isoformat()
TOMORROW = (today() + timedelta(1)).isoformat()


async def post(client: httpx.AsyncClient, path: str, sent: dict[str, Any], who: Any = FUND) -> httpx.Response:
    return await client.post(path, json=sent, headers=writing(*who))


async def patch(client: httpx.AsyncClient, found: httpx.Response, path: str, **sent: Any) -> httpx.Response:
    headers = writing(*FUND, match=found.headers["etag"])
    return await client.patch(path, json={"reason": "A correction.", **sent}, headers=headers)


def decision(code: str, **members: Any) -> dict[str, Any]:
    return {"code": code, "date": YESTERDAY, "kind": "approval", "text": "As the committee decided.", **members}


async def test_calls_meetings_and_decisions_are_entered_and_found(client: httpx.AsyncClient) -> None:
    call = {"code": "CALL-2026", "title": "Round 6", "opens": "2026-01-15", "closes": "2026-03-31"}
    assert refused(await post(client, CALLS, call, AGENCY)) == (403, "forbidden")
    turned = await post(client, CALLS, {**call, "closes": "2026-01-01"})
    assert errors(turned) == [("invalid_range", "/closes")]
    added = await post(client, CALLS, call)
    assert (added.status_code, added.headers["location"]) == (201, f"{CALLS}/CALL-2026")
    assert refused(await post(client, CALLS, {**call, "code": "call-2026"})) == (409, "code_taken")
    amended = await patch(client, added, f"{CALLS}/CALL-2026", closes=None, summary="Ideas.")
    assert (amended.json()["closes"], amended.json()["summary"]) == (None, "Ideas.")
    same = await patch(client, amended, f"{CALLS}/CALL-2026", summary="Ideas.")
    assert same.headers["etag"] == amended.headers["etag"]
    for day, count in (("2026-01-14", 0), ("2026-06-30", 1)):
        assert len((await client.get(f"{CALLS}?open_on={day}")).json()["items"]) == count

    met = {"code": "SC-2026-03", "date": YESTERDAY, "kind": "regular", "documents": [MINUTES]}
    meeting = await post(client, MEETINGS, met)
    assert (meeting.status_code, meeting.json()["documents"]) == (201, [MINUTES])
    assert (await client.get(f"{MEETINGS}/facets")).json()["facets"]["kind"][0]["value"] == "regular"
    wrong = {**met, "code": "SC-2026-04", "documents": [{**MINUTES, "url": "http://docs.example.org"}]}
    assert errors(await post(client, MEETINGS, wrong)) == [("invalid_value", "/documents/0/url")]

    concerned = [{"programme": "PER-01", "status": "not_selected"}, {"programme": "ETH-01", "amount": "1500000"}]
    sent = decision("SC-2026-03-04", number="SC-2026-03/04", meeting="SC-2026-03", call="CALL-2026", document=MINUTES)
    everything = await post(
        client,
        DECISIONS,
        {**sent, "date": TOMORROW, "meeting": "SC-2026-3", "programmes": [concerned[0], {"programme": "PER-1"}] * 2},
    )
    assert errors(everything) == [
        ("unknown_code", "/meeting"),
        ("unknown_code", "/programmes/1/programme"),
        ("unknown_code", "/programmes/3/programme"),
        ("in_the_future", "/date"),
        ("repeated_code", "/programmes/2"),
        ("repeated_code", "/programmes/3"),
    ]
    # A text that is no code of any list is unknown, as a code is.
    hidden = {**sent, "meeting": "A\u200b", "call": "Round 6", "programmes": [{"programme": "Peru"}]}
    assert errors(await post(client, DECISIONS, hidden)) == [
        ("unknown_code", "/meeting"),
        ("unknown_code", "/call"),
        ("unknown_code", "/programmes/0/programme"),
    ]
    early = await post(client, DECISIONS, {**sent, "date": "2026-01-01"})
    assert errors(early) == [("too_early", "/date")]
    trial = await client.post(
        f"{DECISIONS}?dry_run=true", json={**sent, "programmes": concerned}, headers=writing(*FUND)
    )
    assert trial.status_code == 201
    assert (await client.get(f"{DECISIONS}/SC-2026-03-04")).status_code == 404
    decided = await post(client, DECISIONS, {**sent, "programmes": concerned})
    assert decided.json()["programmes"] == [
        {"programme": "PER-01", "status": "not_selected", "amount": None, "currency": None},
        {"programme": "ETH-01", "status": None, "amount": "1500000.00", "currency": "USD"},
    ]
    for other in (decision("sc-2026-03-04"), decision("OTHER", number="sc-2026-03/04"), decision("X", number="x/1")):
        answer = await post(client, f"{DECISIONS}?dry_run=true", other)
        assert (answer.status_code == 409) == (other["code"] != "X")

    # The day of a meeting is not after its decisions.
    assert errors(await patch(client, meeting, f"{MEETINGS}/SC-2026-03", date=TOMORROW)) == [("in_the_future", "/date")]
    for query, count in (
        ("programme=per-01", 1),
        ("meeting=not_stated", 0),
        ("call=CALL-2026", 1),
        ("kind=closing", 0),
        ("q=committee", 1),
        (f"date_from={TOMORROW}", 0),
    ):
        listed = await client.get(f"{DECISIONS}?{query}")
        assert len(listed.json()["items"]) == count, query
    facets = (await client.get(f"{DECISIONS}/facets")).json()["facets"]
    assert [value["value"] for value in facets["programme"]] == ["ETH-01", "PER-01"]
    (row,) = csv.DictReader(io.StringIO((await client.get(f"{DECISIONS}?format=csv")).text))
    assert (row["number"], row["programmes"]) == ("SC-2026-03/04", "PER-01|ETH-01")
    unknown = await client.get(f"{DECISIONS}?programme=PER-1")
    assert errors(unknown) and unknown.json()["errors"][0]["suggestion"] == "PER-01"


async def test_a_change_of_a_programme_names_its_decision_which_lists_it(client: httpx.AsyncClient) -> None:
    first = await moved(client, await submitted(client), "pipeline")
    second = await moved(client, await submitted(client), "pipeline")
    codes = [each.json()["code"] for each in (first, second)]
    for code, day in (("SC-7-01", YESTERDAY), ("SC-7-02", today().isoformat())):
        sent = decision(code, number=code.replace("SC-7-", "SC-7/"), date=day)
        assert (await post(client, DECISIONS, sent)).status_code == 201

    for named, found in (("SC-7-3", ("unknown_code", "/decision")), ("SC-7/03", ("unknown_code", "/decision"))):
        assert errors(await move(client, first, "approved", decision=named)) == [found]
    old = await move(client, first, "not_selected", decision="SC-7/02", date=YESTERDAY)
    assert ("too_early", "/date") in errors(old)
    approved = await move(client, first, "approved", decision="SC-7/02")
    assert approved.json()["status_history"][-1]["decision"] == "SC-7-02"

    change = {"programme": codes[1], "status": "approved", "date": today().isoformat(), "reason": "x", "etag": "*"}
    batch = {"changes": [{**change, "decision": "SC-7-02"}, {**change, "decision": "SC-7-99"}]}
    answer = await post(client, f"{API}/status-changes?partial=true", batch)
    assert (answer.json()["written"], answer.json()["refused"]) == (1, 1)
    assert answer.json()["outcomes"][1]["errors"][0]["pointer"] in {"/changes/1/decision", "/changes/1/status"}

    extended = await client.post(
        f"{PROGRAMMES}/{codes[0]}/extensions",
        json={"end": "2029-06-30", "reason": "Elections.", "decision": "SC-7/01"},
        headers=writing(*FUND, match=approved.headers["etag"]),
    )
    assert extended.json()["duration"]["extensions"][0]["decision"] == "SC-7-01"
    longer = await extend(client, extended, FUND, "2029-12-31")
    assert longer.status_code == 200
    lines = [{**line, "amount": f"{2 * Decimal(line['amount'])}"} for line in longer.json()["budget_lines"]]
    twice = f"{2 * Decimal(longer.json()['budget']['amount'])}"
    doubled = await amend(client, longer, FUND, budget=twice, budget_lines=lines, decision="SC-7/01")
    assert doubled.json()["budget"]["sources"][0]["note"].endswith("By decision: SC-7-01")

    found = await client.get(f"{DECISIONS}/SC-7-02")
    budget = approved.json()["budget"]
    assert found.json()["effects"] == [
        effect
        for code in codes
        for effect in (
            {"programme": code, "kind": "status", "date": today().isoformat(), "status": "approved",
             "amount": None, "currency": None},
            {"programme": code, "kind": "budget", "date": today().isoformat(), "status": None,
             "amount": budget["amount"], "currency": budget["currency"]},
        )
    ]  # fmt: skip
    extension = (await client.get(f"{DECISIONS}/SC-7-01")).json()["effects"]
    assert [(each["programme"], each["kind"], each["date"]) for each in extension] == [
        (codes[0], "extension", "2029-06-30"), (codes[0], "budget", today().isoformat()),
    ]  # fmt: skip
    assert extension[1]["amount"] == twice
    # The programmes whose changes name a decision are those that it is found by.
    listed = (await client.get(f"{DECISIONS}?programme={codes[1]}")).json()["items"]
    assert [each["code"] for each in listed] == ["SC-7-02"]
    # What was carried out is not before the decision, and stays with it when it is amended.
    assert errors(await patch(client, found, f"{DECISIONS}/SC-7-02", date=TOMORROW)) == [("in_the_future", "/date")]
    amended = await patch(client, found, f"{DECISIONS}/SC-7-02", text="Two programmes are approved.", date=YESTERDAY)
    assert (amended.status_code, len(amended.json()["effects"])) == (200, 4)

    history = (await client.get(f"{DECISIONS}/SC-7-02/history")).json()["items"]
    assert [each["action"] for each in history] == ["create", "amend", "amend", "amend"]
    then = await client.get(f"{DECISIONS}/SC-7-02?as_of={history[0]['revision']}")
    assert then.json()["effects"] == []
    feed = (await client.get(f"{API}/changes?entity=decision&limit=200")).json()["items"]
    assert [each["key"] for each in feed if each["key"].startswith("SC-7")].count("SC-7-02") == 4


async def test_decisions_of_a_meeting_are_added_at_once(client: httpx.AsyncClient) -> None:
    sent = [decision("B-1"), decision("B-2", number="B-1"), decision("B-3", programmes=[{"programme": "NONE-1"}])]
    whole = await post(client, f"{DECISIONS}/batch", {"decisions": sent})
    assert errors(whole) == [
        ("code_taken", "/decisions/1/number"),
        ("unknown_code", "/decisions/2/programmes/0/programme"),
    ]
    key = writing(*FUND)
    for replayed in (None, "true"):
        part = await client.post(f"{DECISIONS}/batch?partial=true", json={"decisions": sent}, headers=key)
        assert [outcome["outcome"] for outcome in part.json()["outcomes"]] == ["written", "refused", "refused"]
        assert part.headers.get("idempotency-replayed") == replayed
    assert len((await client.get(f"{DECISIONS}?code=B-1,B-2,B-3")).json()["items"]) == 1
