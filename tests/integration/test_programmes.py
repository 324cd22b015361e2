"""The life of a programme: drafted in private, submitted, decided on, amended, extended and closed, over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any, get_args

import asyncpg
import httpx
import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from mmptf_catalog.programmes.examples import CONTENT
from mmptf_catalog.programmes.rules import FOLLOWING, OWN_STEPS, STAGE_OF_STATUS
from mmptf_catalog.programmes.schemas import NewStatus
from mmptf_common import cli
from mmptf_common.process.settings import ServiceSettings
from tests.conftest import RunningApp, running_app, service_of
from tests.tokens import bearer, writing

API = "/catalog/v1"
DRAFTS, PROGRAMMES = f"{API}/drafts", f"{API}/programmes"
NUMBERS = count(1)
FUND, AGENCY, OTHER = ("management-unit", None), ("agency", "IOM"), ("agency", "ILO")
Who = tuple[str, str | None]
UNSAID: dict[str, Any] = dict.fromkeys(CONTENT)


@pytest.fixture(scope="module")
async def running(new_database: Callable[[str], str]) -> AsyncIterator[RunningApp]:
    async with running_app("catalog", new_database("catalog"), None) as app:
        yield app


@pytest.fixture
def client(running: RunningApp) -> httpx.AsyncClient:
    return running.client


def today() -> date:
    return datetime.now(UTC).date()


def body(**members: Any) -> dict[str, Any]:
    """A complete draft under a code that nobody has; a member that is None is not sent."""
    return {k: v for k, v in {**CONTENT, "code": f"LIFE-{next(NUMBERS):03}", **members}.items() if v is not None}


async def drafted(client: httpx.AsyncClient, who: Who = AGENCY, **members: Any) -> httpx.Response:
    answer = await client.post(DRAFTS, json=body(**members), headers=writing(*who))
    assert answer.status_code == 201, answer.text
    return answer


async def submit(client: httpx.AsyncClient, draft: httpx.Response, who: Who = AGENCY) -> httpx.Response:
    headers = writing(*who, match=draft.headers["etag"])
    return await client.post(f"{draft.headers['location']}/submission", headers=headers)


async def submitted(client: httpx.AsyncClient, **members: Any) -> httpx.Response:
    answer = await submit(client, await drafted(client, **members))
    assert answer.status_code == 201, answer.text
    return answer


async def move(
    client: httpx.AsyncClient, programme: httpx.Response, status: str, who: Who = FUND, query: str = "", **members: Any
) -> httpx.Response:
    """Give a programme a status as of today."""
    decision = {"decision": "Steering Committee"} if who == FUND else {}
    sent = {"status": status, "date": today().isoformat(), "reason": f"Now {status}.", **decision, **members}
    path = f"{PROGRAMMES}/{programme.json()['code']}/status{query}"
    return await client.post(path, json=sent, headers=writing(*who, match=programme.headers["etag"]))


async def moved(client: httpx.AsyncClient, programme: httpx.Response, *statuses: str) -> httpx.Response:
    for status in statuses:
        programme = await move(client, programme, status)
        assert programme.status_code == 200, programme.text
    return programme


async def amend(client: httpx.AsyncClient, programme: httpx.Response, who: Who, **members: Any) -> httpx.Response:
    headers = writing(*who, match=programme.headers["etag"])
    sent = {"reason": "A correction.", **members}
    return await client.patch(f"{PROGRAMMES}/{programme.json()['code']}", json=sent, headers=headers)


async def extend(client: httpx.AsyncClient, programme: httpx.Response, who: Who, end: str) -> httpx.Response:
    sent = {"end": end, "reason": "Elections delayed it.", "decision": "Steering Committee"}
    headers = writing(*who, match=programme.headers["etag"])
    return await client.post(f"{PROGRAMMES}/{programme.json()['code']}/extensions", json=sent, headers=headers)


def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def errors(answer: httpx.Response) -> list[tuple[str, str | None]]:
    return [(error["code"], error["pointer"]) for error in answer.json()["errors"]]


async def public_state(client: httpx.AsyncClient) -> list[Any]:
    """All that says how many programmes there are, and what they cost."""
    answers = [
        await client.get(f"{PROGRAMMES}{rest}")
        for rest in ("?limit=200", "/facets", "/totals?by=organization", "/totals?by=stage")
    ]
    assert {answer.status_code for answer in answers} == {200}
    return [{**answer.json(), "revision": None} for answer in answers]


async def sums(client: httpx.AsyncClient) -> dict[str, Decimal]:
    """The total of all budgets by their stage."""
    totals = (await client.get(f"{PROGRAMMES}/totals?by=stage")).json()["totals"]
    return {total["stage"]: Decimal(total["sum"]["amount"]) for total in totals}


# --- drafts --------------------------------------------------------------------------------------------------------


async def test_a_draft_is_seen_by_its_organization_alone(client: httpx.AsyncClient) -> None:
    before = await public_state(client)
    theirs = [(await client.get(DRAFTS, headers=bearer(*who))).json()["items"] for who in (OTHER, FUND)]
    after = (await client.get(f"{API}/changes?limit=1")).json()["revision"]
    draft = await drafted(client, summary="Unheard-of confidential plans.")
    code, path = draft.json()["code"], draft.headers["location"]
    assert (await client.get(path, headers=bearer(*AGENCY))).json() == draft.json()
    mine = await client.get(f"{DRAFTS}?q=confidential", headers=bearer(*AGENCY))
    assert [d["code"] for d in mine.json()["items"]] == [code]
    assert mine.headers["cache-control"] == "private, no-cache"
    assert refused(await client.get(path)) == (401, "token_missing")
    for who, own in zip((OTHER, FUND), theirs, strict=True):
        unknown = await client.get(f"{DRAFTS}/LIFE-999999", headers=bearer(*who))
        hidden = await client.get(path, headers=bearer(*who))
        assert refused(hidden) == refused(unknown) == (404, "not_found")
        # What is not there and what is not shown are told apart by nothing but the code that was asked for.
        assert hidden.json()["detail"].replace(code, "X") == unknown.json()["detail"].replace("LIFE-999999", "X")
        assert hidden.json()["errors"][0]["suggestion"] is None
        past = await client.get(f"{path}/history", headers=bearer(*who))
        assert refused(past) == (404, "not_found")
        listed = await client.get(DRAFTS, headers=bearer(*who))
        assert (listed.json()["items"], listed.json()["total"]) == (own, len(own))
        for form in ("csv", "ndjson"):
            assert code not in (await client.get(f"{DRAFTS}?format={form}", headers=bearer(*who))).text
        for method, where, sent in (
            ("PATCH", path, {"title": "Other"}), ("DELETE", path, None), ("POST", f"{path}/submission", None),
        ):  # fmt: skip
            answer = await client.request(method, where, json=sent, headers=writing(*who, match="*"))
            assert refused(answer) == (404, "not_found")
    for hidden_at in (f"{PROGRAMMES}/{code}", f"{PROGRAMMES}/{code}/history"):
        assert (await client.get(hidden_at, headers=bearer(*AGENCY))).status_code == 404
    assert await public_state(client) == before
    feed = (await client.get(f"{API}/changes?after={after}")).json()
    assert feed["items"] == []
    assert (await client.get(f"{API}/changes?entity=draft")).status_code == 422
    audit = (await client.get(f"{API}/audit?after={after}", headers=bearer("admin"))).json()["items"]
    assert [(a["entity"], a["key"], a["action"], a["actor"]) for a in audit] == [("draft", code, "create", "agency")]
    assert (await client.get(f"{API}/audit", headers=bearer(*AGENCY))).status_code == 403
    everything = await client.get(DRAFTS, headers=bearer("admin"))
    assert code in {d["code"] for d in everything.json()["items"]}


async def test_a_draft_is_amended_member_by_member_and_discarded(client: httpx.AsyncClient) -> None:
    draft = await drafted(client, **UNSAID)
    code, path = draft.json()["code"], draft.headers["location"]
    lists: dict[str, Any] = {"objectives": [], "places": [], "organizations": [], "budget_lines": []}
    nothing = {"organization": "IOM", "code": code, **dict.fromkeys(CONTENT), **lists}
    assert {**draft.json(), "updated": None} == {**nothing, "updated": None}
    for name, value in CONTENT.items():
        draft = await client.patch(path, json={name: value}, headers=writing(*AGENCY, match=draft.headers["etag"]))
        assert draft.json()[name] == value
    assert {name: draft.json()[name] for name in CONTENT} == CONTENT
    wrong = await client.patch(path, json={"code": "X-01"}, headers=writing(*AGENCY, match="*"))
    assert (wrong.status_code, errors(wrong)[0][1]) == (422, "/code")
    gone = await client.delete(path, headers={**bearer(*AGENCY), "if-match": draft.headers["etag"]})
    assert (gone.status_code, gone.content) == (204, b"")
    assert (await client.get(path, headers=bearer(*AGENCY))).status_code == 404
    assert (await drafted(client, who=OTHER, code=code)).json()["organization"] == "ILO"


async def test_the_history_of_a_draft_is_its_organizations_alone(client: httpx.AsyncClient) -> None:
    draft = await drafted(client)
    code, path = draft.json()["code"], draft.headers["location"]
    history = f"{path}/history"
    amended = await client.patch(path, json={"title": "Other"}, headers=writing(*AGENCY, match=draft.headers["etag"]))
    gone = await client.delete(path, headers={**bearer(*AGENCY), "if-match": amended.headers["etag"]})
    assert gone.status_code == 204
    # The code is free, and another organization takes it.
    theirs = await drafted(client, who=OTHER, code=code)

    async def told(*who: str | None) -> list[tuple[str, str | None]]:
        page = (await client.get(history, headers=bearer(*who))).json()
        return [(item["action"], (item["after"] or {}).get("title")) for item in page["items"]]

    mine = [("create", draft.json()["title"]), ("amend", "Other"), ("delete", None)]
    assert await told(*AGENCY) == mine
    assert await told(*OTHER) == [("create", theirs.json()["title"])]
    assert await told("admin") == [*mine, ("create", theirs.json()["title"])]
    assert refused(await client.get(history, headers=bearer(*FUND))) == (404, "not_found")
    assert refused(await client.get(history)) == (401, "token_missing")
    again = (await client.get(f"{history}?limit=1", headers=bearer(*AGENCY))).json()
    assert (again["more"], again["next"]) == (True, f"{history}?after={again['last']}&limit=1")


async def test_a_change_of_a_renamed_code_is_told_the_new_one(running: RunningApp, client: httpx.AsyncClient) -> None:
    note = await submitted(client)
    code = note.json()["code"]
    async with running.app.state.database.sessions() as session, session.begin():
        await session.execute(sa.text(f"INSERT INTO renamed_code VALUES ('programme', 'LIFE-OLD', '{code}')"))
    answer = await client.patch(
        f"{PROGRAMMES}/LIFE-OLD", json={"title": "New", "reason": "x"}, headers=writing(*AGENCY, match="*")
    )
    assert refused(answer) == (404, "not_found")
    assert answer.json()["errors"][0]["suggestion"] == code


@pytest.mark.parametrize(
    ("members", "pointer", "suggestion"),
    [
        ({"thematic_area": "9"}, "/thematic_area", None),
        ({"objectives": ["6", "24"]}, "/objectives/1", None),
        ({"organizations": ["IOM", "UNDR"]}, "/organizations/1", "UNDRR"),
        ({"places": [{"code": "KENN"}]}, "/places/0/code", "KEN"),
        ({"budget_lines": [{**CONTENT["budget_lines"][0], "organization": "un-habitat"}]},
         "/budget_lines/0/organization", "UN-HABITAT"),
    ],
)  # fmt: skip
async def test_codes_that_nobody_knows_are_refused_at_once(
    client: httpx.AsyncClient, members: dict[str, Any], pointer: str, suggestion: str | None
) -> None:
    sent = body(**members)
    answers = [await client.post(DRAFTS, json=sent, headers=writing(*AGENCY))]
    draft = await drafted(client)
    answers.append(
        await client.patch(
            draft.headers["location"], json=members, headers=writing(*AGENCY, match=draft.headers["etag"])
        )
    )
    for answer in answers:
        assert refused(answer) == (422, "unknown_code")
        (error,) = answer.json()["errors"]
        assert error["pointer"] == pointer
        assert suggestion is None or error["suggestion"] == suggestion
    assert (await client.get(f"{DRAFTS}/{sent['code']}", headers=bearer(*AGENCY))).status_code == 404


async def test_a_programme_is_amended_with_known_codes(client: httpx.AsyncClient) -> None:
    note = await submitted(client)
    answer = await amend(client, note, AGENCY, objectives=["6", "66"], places=[{"code": "KENN"}])
    assert errors(answer) == [("unknown_code", "/objectives/1"), ("unknown_code", "/places/0/code")]
    assert (await client.get(note.headers["location"])).headers["etag"] == note.headers["etag"]


async def test_every_unknown_code_is_named(client: httpx.AsyncClient) -> None:
    answer = await client.post(
        DRAFTS,
        json=body(thematic_area="9", objectives=["99"], organizations=["NOBODY"], places=[{"code": "ZZZ"}]),
        headers=writing(*AGENCY),
    )
    assert [pointer for _, pointer in errors(answer)] == [
        "/thematic_area", "/objectives/0", "/organizations/0", "/places/0/code",
    ]  # fmt: skip


async def test_a_code_stands_for_one_programme(client: httpx.AsyncClient, running: RunningApp) -> None:
    connection = await asyncpg.connect(running.database_url)
    await connection.execute("INSERT INTO renamed_code VALUES ('programme', 'RENAMED-01', 'MKD-01')")
    await connection.close()
    theirs, note = await drafted(client, who=OTHER), await submitted(client)
    for code in ("MKD-01", "RENAMED-01", theirs.json()["code"], note.json()["code"]):
        answer = await client.post(DRAFTS, json=body(code=code), headers=writing(*AGENCY))
        assert refused(answer) == (409, "code_taken")
        # Whose it is, and what it says, is not told.
        assert "ILO" not in answer.text


async def test_only_listed_organizations_draft(client: httpx.AsyncClient) -> None:
    for headers in (writing("agency", "UNESCO"), writing(*FUND), writing("admin")):
        assert refused(await client.post(DRAFTS, json=body(), headers=headers)) == (403, "forbidden")


# --- submission ----------------------------------------------------------------------------------------------------


async def test_a_draft_is_told_all_that_it_lacks(client: httpx.AsyncClient) -> None:
    draft = await drafted(client, **UNSAID)
    answer = await submit(client, draft)
    needed = ("title", "summary", "thematic_area", "objectives", "places", "organizations", "duration", "budget")
    assert answer.status_code == 422
    assert errors(answer) == [("missing", f"/{name}") for name in needed]
    still = await client.get(draft.headers["location"], headers=bearer(*AGENCY))
    assert still.headers["etag"] == draft.headers["etag"]
    assert (await client.get(f"{PROGRAMMES}/{draft.json()['code']}")).status_code == 404


def shares(*values: str | None) -> list[dict[str, Any]]:
    return [{"code": code, "share": share} for code, share in zip(("KEN", "UGA", "TZA"), values, strict=False)]


def lines(**changes: dict[str, Any]) -> list[dict[str, Any]]:
    """The budget lines of the example, some of them changed: `at_0={...}`."""
    return [{**line, **changes.get(f"at_{n}", {})} for n, line in enumerate(CONTENT["budget_lines"])]


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"places": shares("60.00", "39.99")}, [("shares_do_not_add_up", "/places")]),
        ({"places": shares("60.00", "40.01")}, [("shares_do_not_add_up", "/places")]),
        ({"places": shares("60.00", "40.00", None)}, [("shares_incomplete", "/places")]),
        ({"places": shares("100.00", "0.00")}, [("invalid_share", "/places/1/share")]),
        ({"places": shares("33.33", "33.33", "33.34")}, []),
        ({"places": shares("100.00")}, []),
        ({"places": shares(None, None)}, []),
        ({"budget": "2139999.99"}, [("budget_does_not_add_up", "/budget_lines")]),
        ({"budget": "2140000.01"}, [("budget_does_not_add_up", "/budget_lines")]),
        ({"budget": "2140000.01", "budget_lines": lines(at_0={"amount": "600000.01"})}, []),
        # Seven per cent of a million are 70,000.00 exactly; a cent more is too much.
        ({"budget": "2140000.01", "budget_lines": lines(at_2={"amount": "70000.01"})},
         [("indirect_costs_too_high", "/budget_lines")]),
        ({"budget": "2140000.00", "budget_lines": lines(at_3={"amount": "999999.92"}, at_4={"amount": "70000.08"})},
         [("indirect_costs_too_high", "/budget_lines")]),
        ({"budget_lines": lines(at_0={"year": 2026})}, [("outside_the_duration", "/budget_lines/0/year")]),
        ({"budget_lines": lines(at_1={"year": 2029})}, [("outside_the_duration", "/budget_lines/1/year")]),
        ({"budget_lines": lines(at_3={"organization": "WHO"})},
         [("not_taking_part", "/budget_lines/3/organization"), ("indirect_costs_too_high", "/budget_lines")]),
        ({"organizations": ["ILO", "WHO"], "budget_lines": []}, [("missing", "/organizations")]),
        ({"organizations": ["IOM", "ILO", "IOM"]}, [("repeated", "/organizations/2")]),
        ({"duration": {"start": "2028-12-31", "end": "2028-01-01"}, "budget_lines": []},
         [("ends_before_it_starts", "/duration/end")]),
        ({"places": shares("60.00", "39.00"), "budget": "1.00", "title": None},
         [("missing", "/title"), ("shares_do_not_add_up", "/places"), ("budget_does_not_add_up", "/budget_lines")]),
    ],
)  # fmt: skip
async def test_the_parts_of_a_programme_fit_one_another(
    client: httpx.AsyncClient, members: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    draft = await drafted(client, **members)
    answer = await submit(client, draft)
    if not expected:
        assert answer.status_code == 201
        return
    assert answer.status_code == 422
    assert errors(answer) == expected
    still = await client.get(draft.headers["location"], headers=bearer(*AGENCY))
    assert still.headers["etag"] == draft.headers["etag"]
    if "title" not in members:
        amended = await amend(client, await submitted(client), AGENCY, **members)
        assert amended.status_code == 422
        assert errors(amended) == expected


async def test_a_submitted_programme_is_everybodys(client: httpx.AsyncClient) -> None:
    requirements = (await sums(client)).get("requirement", Decimal(0))
    draft = await drafted(client)
    note = await submit(client, draft)
    code, record = draft.json()["code"], note.json()
    assert note.headers["location"] == f"{PROGRAMMES}/{code}"
    assert (await client.get(draft.headers["location"], headers=bearer(*AGENCY))).status_code == 404
    assert (await client.get(f"{PROGRAMMES}/{code}")).json() == record
    assert (record["status"], record["stage"], record["lead_organization"]) == ("concept_note", "concept", "IOM")
    assert [(p["code"], p["name"], p["share"]) for p in record["places"]] == [
        ("KEN", "Kenya", "60.00"),
        ("UGA", "Uganda", "40.00"),
    ]
    assert record["place_label"] == "Kenya, Uganda"
    assert [o["code"] for o in record["organizations"]] == ["IOM", "ILO"]
    assert record["budget_lines"] == CONTENT["budget_lines"]
    assert (record["budget"]["amount"], record["budget"]["stage"]) == (CONTENT["budget"], "requirement")
    assert (record["budget"]["precision"], record["budget"]["as_printed"]) == ("exact", None)
    assert record["gaps"] == []
    assert {source["field"] for source in record["sources"]} == set(CONTENT) - {"budget"}
    assert (await sums(client))["requirement"] - requirements == Decimal(CONTENT["budget"])
    (entry,) = record["status_history"]
    assert (entry["status"], entry["date"], entry["decision"]) == ("concept_note", today().isoformat(), None)
    # The source of what is stated leads to the change that stated it.
    for source in [*record["sources"], *record["budget"]["sources"], *entry["sources"]]:
        assert (await client.get(f"{API}/documents/{source['document']}")).status_code == 200
        (change,) = (await client.get(source["locator"])).json()["items"]
        assert (change["key"], change["action"], change["organization"]) == (code, "create", "IOM")
    listed = await client.get(f"{PROGRAMMES}?stage=concept&country=KEN&organization=ILO&objective=18&limit=200")
    assert record in listed.json()["items"]
    assert refused(await submit(client, draft)) == (404, "not_found")


# --- statuses ------------------------------------------------------------------------------------------------------


def way_to(status: str) -> list[str]:
    """The shortest way from a concept note to a status."""
    ways = {"concept_note": [""][:0]}
    for at in (queue := ["concept_note"]):
        for to in FOLLOWING[at]:
            if to not in ways:
                ways[to] = [*ways[at], to]
                queue.append(to)
    return ways[status]


@pytest.mark.parametrize("status", get_args(NewStatus))
async def test_every_step_from_a_status(client: httpx.AsyncClient, status: str) -> None:
    programme = await moved(client, await submitted(client), *way_to(status))
    assert (programme.json()["status"], programme.json()["stage"]) == (status, STAGE_OF_STATUS[status])
    for to in get_args(NewStatus):
        for who in (FUND, AGENCY, OTHER):
            answer = await move(client, programme, to, who, "?dry_run=true")
            if who == OTHER:
                assert refused(answer) == (403, "forbidden"), (status, to, who)
            elif to not in FOLLOWING[status]:
                assert refused(answer) == (409, "transition_not_allowed"), (status, to, who)
                (error,) = answer.json()["errors"]
                assert (error["pointer"], error["allowed"]) == ("/status", list(FOLLOWING[status]))
            elif who == FUND or (status, to) in OWN_STEPS:
                assert (answer.status_code, answer.json()["status"]) == (200, to), (status, to, who)
            else:
                assert refused(answer) == (403, "forbidden"), (status, to, who)
    now = await client.get(f"{PROGRAMMES}/{programme.json()['code']}")
    assert now.headers["etag"] == programme.headers["etag"]


async def test_what_no_source_states_is_stated_by_whoever_knows(client: httpx.AsyncClient) -> None:
    programme = await client.get(f"{PROGRAMMES}/IRQ-JOR-LBN-01")
    assert programme.json()["status"] == "not_stated"
    for to in get_args(NewStatus):
        answer = await move(client, programme, to, FUND, "?dry_run=true")
        if to not in FOLLOWING["not_stated"]:
            assert refused(answer) == (409, "transition_not_allowed")
        elif to == "approved":
            assert errors(answer) == [("missing", "/budget_lines"), ("missing", "/duration")]
        else:
            assert answer.json()["status"] == to
            assert {"status", "stage"}.isdisjoint(gap["field"] for gap in answer.json()["gaps"])


async def test_an_organization_withdraws_and_submits_again(client: httpx.AsyncClient) -> None:
    note = await submitted(client)
    code = note.json()["code"]
    withdrawn = await move(client, note, "withdrawn", AGENCY)
    assert (withdrawn.status_code, withdrawn.json()["stage"]) == (200, "dropped")
    # What was submitted stays readable, and is counted as dropped.
    assert (await client.get(f"{PROGRAMMES}/{code}")).json() == withdrawn.json()
    dropped = (await client.get(f"{PROGRAMMES}?stage=dropped&limit=200")).json()["items"]
    assert code in {programme["code"] for programme in dropped}
    assert refused(await amend(client, withdrawn, AGENCY, title="Other")) == (409, "not_amendable")
    again = await move(client, withdrawn, "concept_note", AGENCY)
    assert (again.status_code, again.json()["stage"]) == (200, "concept")
    history = again.json()["status_history"]
    assert [(h["status"], h["reason"], h["decision"]) for h in history] == [
        ("concept_note", "Submitted by IOM.", None),
        ("withdrawn", "Now withdrawn.", None),
        ("concept_note", "Now concept_note.", None),
    ]
    assert [h["sources"][0]["note"] for h in history[1:]] == ["Stated by IOM."] * 2
    assert (await amend(client, again, AGENCY, title="Other")).json()["title"] == "Other"


async def test_the_fund_names_its_decision(client: httpx.AsyncClient) -> None:
    note = await submitted(client)
    answer = await move(client, note, "pipeline", decision=None)
    assert (answer.status_code, errors(answer)) == (422, [("missing", "/decision")])


async def test_a_status_is_of_a_day_that_fits(client: httpx.AsyncClient) -> None:
    note = await submitted(client)
    tomorrow, yesterday = (today() + timedelta(days) for days in (1, -1))
    future = await move(client, note, "pipeline", date=tomorrow.isoformat(), decision=None)
    assert errors(future) == [("in_the_future", "/date"), ("missing", "/decision")]
    past = await move(client, note, "pipeline", date=yesterday.isoformat())
    assert errors(past) == [("before_the_last", "/date")]
    no_day = await move(client, note, "pipeline", date="2026-02-30")
    assert (no_day.status_code, errors(no_day)[0][1]) == (422, "/date")
    printed = await client.get(f"{PROGRAMMES}/TUR-01")
    assert errors(await move(client, printed, "withdrawn", date="2023-12-31")) == [("before_the_last", "/date")]
    assert (await move(client, printed, "withdrawn", FUND, "?dry_run=true", date="2024-02-29")).status_code == 200


async def test_an_approval_makes_an_allocation_of_a_requirement(client: httpx.AsyncClient) -> None:
    budget = Decimal(CONTENT["budget"])
    bare = await moved(client, await submitted(client, budget_lines=None), "pipeline")
    assert errors(await move(client, bare, "approved")) == [("missing", "/budget_lines")]
    before = await sums(client)
    amended = await amend(client, bare, AGENCY, budget_lines=CONTENT["budget_lines"])
    approved = await moved(client, amended, "approved")
    after = await sums(client)
    assert (approved.json()["budget"]["stage"], approved.json()["budget"]["precision"]) == ("allocation", "exact")
    assert before["requirement"] - after.get("requirement", Decimal(0)) == budget
    assert after["allocation"] - before.get("allocation", Decimal(0)) == budget
    # Printed budgets stay a stage of their own.
    assert after["programme_budget"] == before["programme_budget"]
    assert (await moved(client, approved, "implementation")).json()["budget"]["stage"] == "allocation"


# --- amendments ----------------------------------------------------------------------------------------------------


async def test_an_organization_amends_its_own_until_it_is_approved(client: httpx.AsyncClient) -> None:
    programme = await submitted(client)
    for steps in ([], ["pipeline"]):
        programme = await moved(client, programme, *steps)
        assert refused(await amend(client, programme, OTHER, title="Theirs")) == (403, "forbidden")
        for who in (AGENCY, FUND):
            programme = await amend(client, programme, who, title=f"By {who[0]}")
            assert (programme.status_code, programme.json()["title"]) == (200, f"By {who[0]}")
    for status in ("approved", "implementation", "suspended"):
        programme = await moved(client, programme, status)
        for who in (AGENCY, OTHER):
            assert refused(await amend(client, programme, who, title="Theirs")) == (403, "forbidden")
        programme = await amend(client, programme, FUND, title=f"When {status}")
        assert programme.json()["title"] == f"When {status}"
    programme = await moved(client, programme, "operationally_closed")
    for who in (AGENCY, FUND):
        assert refused(await amend(client, programme, who, title="Too late")) == (409, "not_amendable")


async def test_an_amended_budget_stays_what_it_is(client: httpx.AsyncClient) -> None:
    note = await submitted(client)
    less = lines(at_0={"amount": "500000.00"}, at_2={"amount": "63000.00"})
    assert errors(await amend(client, note, AGENCY, budget_lines=less)) == [("budget_does_not_add_up", "/budget_lines")]
    note = await amend(client, note, AGENCY, budget_lines=less, budget="2033000.00")
    assert (note.json()["budget"]["amount"], note.json()["budget"]["stage"]) == ("2033000.00", "requirement")
    approved = await moved(client, note, "pipeline", "approved")
    more = await amend(client, approved, FUND, budget=CONTENT["budget"], budget_lines=CONTENT["budget_lines"])
    assert (more.json()["budget"]["amount"], more.json()["budget"]["stage"]) == (CONTENT["budget"], "allocation")
    (source,) = more.json()["budget"]["sources"]
    assert source["note"] == "Stated by MMPTF-FMU."
    longer = {"start": "2027-01-01", "end": "2029-12-31"}
    assert refused(await amend(client, more, FUND, duration=longer)) == (409, "not_amendable")


async def test_who_leads_takes_part(client: httpx.AsyncClient) -> None:
    note = await submitted(client, budget_lines=None)
    answer = await amend(client, note, AGENCY, organizations=["ILO"])
    assert errors(answer) == [("missing", "/organizations")]


async def test_an_amendment_has_a_reason(client: httpx.AsyncClient) -> None:
    note = await submitted(client)
    assert errors(await amend(client, note, AGENCY, reason=" "))[0][1] == "/reason"
    assert (await amend(client, note, AGENCY, status="approved")).status_code == 422
    assert (await amend(client, note, AGENCY, title=None)).status_code == 422


# --- extensions ----------------------------------------------------------------------------------------------------


async def test_a_programme_under_way_is_extended_by_the_fund(client: httpx.AsyncClient) -> None:
    note = await submitted(client)
    assert refused(await extend(client, note, FUND, "2029-06-30")) == (409, "not_extendable")
    programme = await moved(client, note, "pipeline", "approved")
    assert refused(await extend(client, programme, AGENCY, "2029-06-30")) == (403, "forbidden")
    for end in ("2028-12-31", "2028-12-30"):
        assert errors(await extend(client, programme, FUND, end)) == [("not_later", "/end")]
    once = await extend(client, programme, FUND, "2029-06-30")
    twice = await extend(client, await moved(client, once, "implementation", "suspended"), FUND, "2029-12-31")
    assert twice.status_code == 200
    duration = twice.json()["duration"]
    assert (duration["start"], duration["end"]) == ("2027-01-01", "2029-12-31")
    assert [(e["previous_end"], e["end"], e["decision"]) for e in duration["extensions"]] == [
        ("2028-12-31", "2029-06-30", "Steering Committee"),
        ("2029-06-30", "2029-12-31", "Steering Committee"),
    ]
    assert twice.json()["budget"] == programme.json()["budget"]
    late = await amend(client, twice, FUND, budget_lines=lines(at_1={"year": 2029}))
    assert late.status_code == 200
    closed = await moved(client, late, "operationally_closed")
    assert refused(await extend(client, closed, FUND, "2031-01-01")) == (409, "not_extendable")
    printed = await client.get(f"{PROGRAMMES}/MKD-01")
    assert refused(await extend(client, printed, FUND, "2031-01-01")) == (409, "not_extendable")


# --- organizations -------------------------------------------------------------------------------------------------


async def test_an_organization_is_listed_and_takes_part(client: httpx.AsyncClient) -> None:
    listing, sent = f"{API}/organizations", {"code": "UN-WOMEN", "name": "UN Women"}
    assert refused(await client.post(DRAFTS, json=body(), headers=writing("agency", "UN-WOMEN")))[0] == 403
    assert refused(await client.post(listing, json=sent, headers=writing(*AGENCY))) == (403, "forbidden")
    added = await client.post(listing, json=sent, headers=writing(*FUND))
    assert (added.status_code, added.headers["location"]) == (201, f"{listing}/UN-WOMEN")
    assert added.json() in (await client.get(f"{listing}?limit=200")).json()["items"]
    (source,) = added.json()["sources"]
    (change,) = (await client.get(source["locator"])).json()["items"]
    assert (change["action"], change["key"]) == ("create", "UN-WOMEN")
    assert refused(await client.post(listing, json=sent, headers=writing(*FUND))) == (409, "code_taken")
    members = {"organizations": ["UN-WOMEN"], "budget_lines": None}
    draft = await drafted(client, who=("agency", "UN-WOMEN"), **members)
    note = await submit(client, draft, ("agency", "UN-WOMEN"))
    assert note.json()["organizations"] == [{"code": "UN-WOMEN", "name": "UN Women"}]


# --- history -------------------------------------------------------------------------------------------------------


async def test_the_history_says_who_when_what_and_why(client: httpx.AsyncClient) -> None:
    note = await submitted(client)
    code = note.json()["code"]
    amended = await amend(client, note, AGENCY, title="Better", reason="The donor asked for it.")
    pipeline = await moved(client, amended, "pipeline")
    approved = await moved(client, pipeline, "approved")
    extended = await extend(client, approved, FUND, "2029-06-30")
    page = (await client.get(f"{PROGRAMMES}/{code}/history")).json()
    assert page["more"] is False
    told = [(c["action"], c["organization"], c["reason"], c["changed"]) for c in page["items"]]
    assert told == [
        ("create", "IOM", "submitted", []),
        ("amend", "IOM", "The donor asked for it.", ["sources", "title"]),
        ("amend", "MMPTF-FMU", "Now pipeline.", ["stage", "status", "status_history"]),
        ("amend", "MMPTF-FMU", "Now approved.", ["budget", "stage", "status", "status_history"]),
        ("amend", "MMPTF-FMU", "Elections delayed it.", ["duration"]),
    ]
    versions = [note, amended, pipeline, approved, extended]
    assert [c["after"] for c in page["items"]] == [version.json() for version in versions]
    assert [c["before"] for c in page["items"]] == [None, *(version.json() for version in versions[:-1])]
    assert [c["at"] for c in page["items"]] == [version.json()["updated"] for version in versions]
    for change, version in zip(page["items"], versions, strict=True):
        then = await client.get(f"{PROGRAMMES}/{code}?as_of={change['revision']}")
        assert then.json() == version.json()
    # Who of an organization it was is for auditors alone.
    assert all("actor" not in change for change in page["items"])
    path = f"{API}/audit?entity=programme&after={page['items'][0]['seq'] - 1}"
    audit = (await client.get(path, headers=bearer("admin"))).json()["items"]
    assert [a["actor"] for a in audit] == ["agency", "agency", *["management-unit"] * 3]
    assert [a["request_id"] for a in audit] == [version.headers["x-request-id"] for version in versions]


# --- what the package brings ---------------------------------------------------------------------------------------


async def test_a_packaged_programme_is_corrected_for_good(new_database: Callable[[str], str]) -> None:
    url = new_database("catalog")
    six = ("ALB", "BIH", "XKX", "MNE", "MKD", "SRB")
    async with running_app("catalog", url, None) as running:
        client = running.client
        printed = await client.get(f"{PROGRAMMES}/WBALKANS-01")
        others = (await client.get(f"{PROGRAMMES}?limit=200")).json()["items"]
        assert refused(await amend(client, printed, AGENCY, title="Ours")) == (403, "forbidden")
        places = [{"code": code, "share": "16.66" if n else "16.70"} for n, code in enumerate(six)]
        amended = await amend(client, printed, FUND, title="Western Balkans", objectives=["5"], places=places)
        assert amended.status_code == 200
        before, after = printed.json(), amended.json()
        stated = {"title", "objectives", "places"}
        assert [g for g in before["gaps"] if g["field"] not in {*stated, "places.share"}] == after["gaps"]
        kept = [source for source in before["sources"] if source["field"] not in stated]
        assert after["sources"][: len(kept)] == kept
        assert {s["field"]: s["document"] for s in after["sources"][len(kept) :]} == dict.fromkeys(stated, "submission")
        assert len(after["sources"]) == len(kept) + len(stated)
        assert (after["budget"], after["place_label"]) == (before["budget"], before["place_label"])
        (kosovo,) = [place for place in after["places"] if place["code"] == "XKX"]
        assert "1244 (1999)" in kosovo["footnote"]
        # Divided as it is stated now, the amount is still what was printed.
        path = f"{PROGRAMMES}/totals?by=country&budget_min=3000000&budget_max=3000000&q=western+balkans"
        (total,) = (await client.get(path)).json()["totals"]
        parts = {group["keys"][0]["value"]: group["sum"]["amount"] for group in total["groups"]}
        assert parts == {code: "499800.00" if n else "501000.00" for n, code in enumerate(six)}
        revision = (await client.get(PROGRAMMES)).json()["revision"]
        assert await cli.seed(service_of("catalog"), ServiceSettings(database_url=SecretStr(url))) == revision
        assert (await client.get(f"{PROGRAMMES}/WBALKANS-01")).json() == after
        now = (await client.get(f"{PROGRAMMES}?limit=200")).json()["items"]
        assert now == [after if programme["code"] == "WBALKANS-01" else programme for programme in others]


async def test_who_takes_part_owns_what_nobody_is_known_to_lead(client: httpx.AsyncClient) -> None:
    printed = await client.get(f"{PROGRAMMES}/TUR-02")
    assert refused(await move(client, printed, "withdrawn", AGENCY)) == (403, "forbidden")
    named = await amend(client, printed, FUND, organizations=["IOM"])
    assert refused(await amend(client, named, OTHER, title="Theirs")) == (403, "forbidden")
    ours = await amend(client, named, AGENCY, title="Ours")
    assert (ours.status_code, ours.json()["lead_organization"]) == (200, None)
    # A printed budget is a stage of its own until somebody states it anew.
    assert ours.json()["budget"] == printed.json()["budget"]
    exact = await amend(client, ours, AGENCY, budget="3987654.32")
    assert (exact.json()["budget"]["stage"], exact.json()["budget"]["precision"]) == ("requirement", "exact")
