"""Actions and measures go on by themselves: no later assessment ends one, and nobody ends one without saying how."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.integration.assessments import RISK
from tests.integration.indicator import action
from tests.integration.marked import (
    ACTIONS,
    ADMIN,
    API,
    ASSESSMENTS,
    FUND,
    ILO,
    IOM,
    OHCHR,
    WHO,
    Json,
    Markers,
    Who,
    answer,
    answers,
    errors,
    made,
    refused,
)

EVIDENCE = {"title": "Agreement", "kind": "procedure", "document": "Agreement with the ombudsperson", "locator": "3"}
DONE = {"outcome": "done", "done": "2026-05-31", "evidence": [EVIDENCE]}
DROPPED = {"outcome": "dropped", "reason": "The service was closed."}
LATER = {"action": "Agree on referral.", "owner": "Country office", "due": "2027-06-30"}
REPLACED = {"outcome": "replaced", "reason": "The partner has changed.", "replacement": LATER}


async def planned(markers: Markers, programme: str, **members: Any) -> dict[str, Json]:
    """The actions of a programme after an assessment that planned one for each of two criteria, and a measure."""
    asked = answers(
        3, equality=answer(2, actions=[action("2026-06-30")]), participation=answer(2, actions=[action("2026-01-31")])
    )
    await markers.submitted(programme, **{"answers": asked, "due_diligence": [RISK], **members})
    return await of_programme(markers, programme)


async def of_programme(markers: Markers, programme: str, **query: Any) -> dict[str, Json]:
    """The actions of a programme by criterion; that of a measure by its kind."""
    found = (await markers.get(ACTIONS, programme=programme, **query))["items"]
    return {each["criterion"] or each["kind"]: each for each in found}


async def end(markers: Markers, code: str, who: Who = IOM, sent: Json = DONE) -> httpx.Response:
    return await markers.send("POST", f"{ACTIONS}/{code}/end", who, sent, match="*")


async def test_an_assessment_starts_what_it_plans(marker_service: Markers) -> None:
    code = await marker_service.copied()
    found = await planned(marker_service, code)
    (assessment,) = (await marker_service.get(ASSESSMENTS, programme=code))["items"]
    assert found.keys() == {"equality", "participation", "measure"}
    for criterion in ("equality", "participation"):
        (stated,) = assessment["answers"][criterion]["actions"]
        assert stated["code"] == found[criterion]["code"]
        expected = {
            "kind": "action", "programme": code, "marker": "human_rights", "assessment": assessment["code"],
            "organization": "IOM", "visibility": "public", "action": "Agree on referral.", "owner": "Programme team",
            "due": stated["due"], "state": "open", "ended": None, "reason": None, "replaces": None,
            "replaced_by": None, "evidence": [], "evidence_restricted": 0,
        }  # fmt: skip
        assert {name: found[criterion][name] for name in expected} == expected
    measure = found["measure"]
    assert (measure["action"], measure["owner"], measure["state"], measure["visibility"]) == (
        None, None, "open", "restricted",
    )  # fmt: skip
    assert (await marker_service.get(f"{ACTIONS}/{measure['code']}")) == measure


async def test_no_later_assessment_ends_an_action(marker_service: Markers) -> None:
    """Neither a correction that does not repeat it, nor one of a later stage, nor one under another rubric."""
    code = await marker_service.copied()
    before = await planned(marker_service, code)
    (first,) = (await marker_service.get(ASSESSMENTS, programme=code))["items"]
    await marker_service.reviewed(
        await marker_service.send("GET", f"{ASSESSMENTS}/{first['code']}", None), decision="return"
    )
    open_codes = sorted(each["code"] for each in before.values())
    for stage, year in (("programme_document", None), ("annual_report", 2025), ("annual_report", 2026)):
        dated = {"stage": stage, "year": year} if year else {"stage": stage}
        draft = await marker_service.draft(code, **dated, answers=answers(3, stage))
        earlier = draft.json()["earlier_actions"]
        assert sorted(each["code"] for each in earlier) == open_codes
        # Its organizations read what they have to do.
        assert {each["action"] for each in earlier} == {"Agree on referral.", RISK["measure"]}
        assert all(not answered["actions"] for answered in draft.json()["answers"].values())
        submitted = made(await marker_service.submit(draft)).json()
        assert sorted(submitted["earlier_actions"]) == open_codes
        assert await of_programme(marker_service, code) == before
        await marker_service.reviewed(await marker_service.send("GET", f"{ASSESSMENTS}/{submitted['code']}", None))
    card = await marker_service.get(f"{API}/cards/programmes/{code}")
    assert card["facts"]["open_actions"] == 3


async def test_what_is_planned_again_is_not_started_twice(marker_service: Markers) -> None:
    code = await marker_service.copied()
    before = await planned(marker_service, code)
    stage = {"stage": "annual_report", "year": 2025}
    asked = answers(3, "annual_report", equality=answer(2, actions=[action("2026-06-30"), action("2026-12-31")]))
    again = await marker_service.submitted(code, answers=asked, due_diligence=[RISK], **stage)
    known, new = (each["code"] for each in again.json()["answers"]["equality"]["actions"])
    assert known == before["equality"]["code"]
    found = (await marker_service.get(ACTIONS, programme=code))["items"]
    assert {each["code"] for each in found} == {new, *(each["code"] for each in before.values())}


async def test_an_action_is_done_with_evidence(marker_service: Markers) -> None:
    code = await marker_service.copied()
    found = await planned(marker_service, code)
    public = {**EVIDENCE, "visibility": "public"}
    sent = {**DONE, "evidence": [public, EVIDENCE]}
    done = made(await end(marker_service, found["equality"]["code"], ILO, sent), 200).json()
    assert (done["state"], done["ended"], done["evidence_restricted"]) == ("done", "2026-05-31", 1)
    assert done["evidence"] == [{**public, "url": None}]
    assert done == await marker_service.get(f"{ACTIONS}/{done['code']}")
    hidden = await marker_service.get(f"{ACTIONS}/{done['code']}/restricted", IOM)
    assert (hidden["measure"], hidden["evidence"]) == (None, [{**EVIDENCE, "url": None, "visibility": "restricted"}])
    assert (await of_programme(marker_service, code, state="open")).keys() == {"participation", "measure"}
    for sent in (DONE, DROPPED, REPLACED):
        assert refused(await end(marker_service, done["code"], IOM, sent)) == (409, "action_ended")


async def test_an_action_that_is_replaced_goes_on_as_another_one(marker_service: Markers) -> None:
    code = await marker_service.copied()
    found = await planned(marker_service, code)
    for kind in ("equality", "measure"):
        ended = made(await end(marker_service, found[kind]["code"], FUND, REPLACED), 200).json()
        assert (ended["state"], ended["ended"]) == ("replaced", datetime.now(UTC).date().isoformat())
        following = await marker_service.get(f"{ACTIONS}/{ended['replaced_by']}")
        assert (following["state"], following["replaces"], following["due"]) == ("open", ended["code"], LATER["due"])
        assert following["criterion"] == ended["criterion"] and following["assessment"] == ended["assessment"]
    # What was restricted stays so, with its reason.
    assert (ended["reason"], following["action"], following["owner"]) == (None, None, None)
    before, after = [
        await marker_service.get(f"{ACTIONS}/{each}/restricted", FUND) for each in (ended["code"], following["code"])
    ]
    assert (before["reason"], before["measure"]["measure"]) == (REPLACED["reason"], RISK["measure"])
    assert (after["measure"]["measure"], after["measure"]["risk"]) == (LATER["action"], RISK["risk"])
    (draft,) = [await marker_service.draft(code, stage="annual_report", year=2025)]
    shown = {each["code"]: (each["action"], each["owner"]) for each in draft.json()["earlier_actions"]}
    assert shown[following["code"]] == (LATER["action"], LATER["owner"])


async def test_an_action_ends_only_as_its_outcome_asks(marker_service: Markers) -> None:
    found = await planned(marker_service, await marker_service.copied())
    tomorrow = (datetime.now(UTC).date() + timedelta(days=1)).isoformat()
    unplaced = {**EVIDENCE, "document": None}
    for sent, expected in (
        ({"outcome": "done"}, [("missing_member", "/done"), ("missing_member", "/evidence")]),
        ({**DONE, "evidence": []}, [("missing_member", "/evidence")]),
        ({**DONE, "evidence": [EVIDENCE, unplaced]}, [("missing_member", "/evidence/1/document")]),
        ({**DONE, "done": tomorrow}, [("in_the_future", "/done")]),
        ({**DONE, "reason": "So."}, [("not_applicable", "/reason")]),
        ({"outcome": "dropped"}, [("missing_member", "/reason")]),
        ({**DROPPED, "replacement": LATER}, [("not_applicable", "/replacement")]),
        ({**REPLACED, "replacement": None}, [("missing_member", "/replacement")]),
        ({**REPLACED, "reason": None}, [("missing_member", "/reason")]),
        ({**DROPPED, "done": "2026-01-01"}, [("not_applicable", "/done")]),
    ):
        assert errors(await end(marker_service, found["equality"]["code"], IOM, sent)) == expected, sent
    assert (await marker_service.get(f"{ACTIONS}/{found['equality']['code']}"))["state"] == "open"
    unknown = await end(marker_service, "ACT-999999")
    assert refused(unknown) == (404, "not_found")
    missing = await marker_service.send("POST", f"{ACTIONS}/{found['equality']['code']}/end", IOM, DONE)
    assert refused(missing) == (428, "precondition_required")


async def test_nobody_else_ends_an_action(marker_service: Markers) -> None:
    found = await planned(marker_service, await marker_service.copied())
    code = found["equality"]["code"]
    for who in (WHO, OHCHR):
        refusal = await end(marker_service, code, who)
        assert refusal.status_code == 403, refusal.text
    assert (await end(marker_service, code, ADMIN)).status_code == 200


async def test_a_done_day_is_not_stated_with_a_plan(marker_service: Markers) -> None:
    asked = {**action("2026-06-30"), "done": "2026-05-31"}
    refusal = await marker_service.begin(
        await marker_service.copied(), answers={"equality": answer(2, actions=[asked])}
    )
    assert errors(refusal) == [("unknown_member", "/answers/equality/actions/0/done")]


@pytest.mark.parametrize("sort", ["due", "-due", "code", "-code", "updated", "-updated"])
async def test_lists_of_actions(marker_service: Markers, sort: str) -> None:
    first, second = await marker_service.copied(), await marker_service.copied(lead_organization="ILO")
    await planned(marker_service, first)
    found = await planned(marker_service, second, who=ILO)
    await end(marker_service, found["participation"]["code"], ILO, DROPPED)
    of_both = {"programme": [first, second], "sort": sort}

    async def listed(**query: Any) -> list[Json]:
        items: list[Json] = (await marker_service.get(ACTIONS, **of_both, **query))["items"]
        return items

    every = await listed()
    assert len(every) == 6
    name = sort.removeprefix("-")
    keys = [each[name] or ("" if sort == "-due" else "9999") for each in every]
    assert keys == sorted(keys, reverse=sort.startswith("-"))
    tomorrow = (date(2026, 2, 1)).isoformat()
    for query, keep in (
        ({"state": "open"}, lambda each: each["state"] == "open"),
        ({"state": ["done", "dropped"]}, lambda each: each["state"] == "dropped"),
        ({"kind": "measure"}, lambda each: each["kind"] == "measure"),
        ({"criterion": "equality"}, lambda each: each["criterion"] == "equality"),
        ({"criterion": "not_stated"}, lambda each: each["criterion"] is None),
        ({"organization": "ILO"}, lambda each: each["organization"] == "ILO"),
        ({"assessment": found["equality"]["assessment"]}, lambda each: each["programme"] == second),
        (
            {"due_before": tomorrow, "state": "open"},
            lambda each: (each["due"] or "9") < tomorrow and each["state"] == "open",
        ),
        ({"marker": "human_rights"}, lambda _: True),
    ):
        assert await listed(**query) == [each for each in every if keep(each)], query
    page = await marker_service.get(ACTIONS, **of_both, limit=2)
    walked = page["items"]
    while page["next"]:
        page = (await marker_service.running.client.get(page["next"])).json()
        walked += page["items"]
    assert walked == every
    exported = await marker_service.running.client.get(ACTIONS, params={**of_both, "format": "csv"})
    assert len(exported.text.splitlines()) == 7
