"""Programmes before their submission: private drafts, their codes, and what a submission needs."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import asyncpg
import httpx
import pytest
import sqlalchemy as sa

from mmptf_catalog.programmes.domain import SOURCED
from mmptf_catalog.programmes.examples import CONTENT
from tests.conftest import RunningApp
from tests.integration.programmes_client import (
    AGENCY,
    API,
    DRAFTS,
    FUND,
    OTHER,
    PROGRAMMES,
    amend,
    body,
    drafted,
    errors,
    lines,
    public_state,
    refused,
    shares,
    submit,
    submitted,
    sums,
    today,
)
from tests.tokens import bearer, writing

UNSAID: dict[str, Any] = dict.fromkeys(CONTENT)


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
        unknown = await client.get(f"{DRAFTS}/D-00000000", headers=bearer(*who))
        hidden = await client.get(path, headers=bearer(*who))
        assert refused(hidden) == refused(unknown) == (404, "not_found")
        # An unknown draft and one that is not shown differ in nothing but the code that was asked for.
        assert hidden.json()["detail"].replace(code, "X") == unknown.json()["detail"].replace("D-00000000", "X")
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
    for unsubmitted in (code, draft.json()["programme_code"]):
        for hidden_at in (f"{PROGRAMMES}/{unsubmitted}", f"{PROGRAMMES}/{unsubmitted}/history"):
            assert (await client.get(hidden_at, headers=bearer(*AGENCY))).status_code == 404
    assert await public_state(client) == before
    feed = (await client.get(f"{API}/changes?after={after}")).json()
    assert feed["items"] == []
    for journal in ("changes", "audit"):
        assert (await client.get(f"{API}/{journal}?entity=draft", headers=bearer("admin"))).status_code == 422
    assert (await client.get(f"{API}/audit?after={after}", headers=bearer("admin"))).json()["items"] == []
    made = (await client.get(f"{path}/history", headers=bearer(*AGENCY))).json()["items"][0]["seq"]
    audit = (await client.get(f"{API}/audit/drafts?after={made - 1}", headers=bearer("admin"))).json()["items"]
    assert [(a["entity"], a["key"], a["action"], a["actor"]) for a in audit] == [("draft", code, "create", "agency")]
    for journal in ("audit", "audit/drafts"):
        assert (await client.get(f"{API}/{journal}", headers=bearer(*AGENCY))).status_code == 403
    everything = await client.get(DRAFTS, headers=bearer("admin"))
    assert code in {d["code"] for d in everything.json()["items"]}


async def test_a_draft_is_amended_member_by_member_and_discarded(client: httpx.AsyncClient) -> None:
    draft = await drafted(client, **UNSAID)
    code, path = draft.json()["code"], draft.headers["location"]
    lists = {name: list[Any]() for name in ("objectives", "places", "organizations", "budget_lines", *SOURCED)}
    proposed = draft.json()["programme_code"]
    nothing = {"organization": "IOM", "code": code, "programme_code": proposed, **dict.fromkeys(CONTENT), **lists}
    assert {**draft.json(), "updated": None} == {**nothing, "updated": None}
    for name, value in CONTENT.items():
        draft = await client.patch(path, json={name: value}, headers=writing(*AGENCY, match=draft.headers["etag"]))
        assert draft.json()[name] == value
    assert {name: draft.json()[name] for name in CONTENT} == CONTENT
    wrong = await client.patch(path, json={"code": "X-01"}, headers=writing(*AGENCY, match="*"))
    assert (wrong.status_code, errors(wrong)[0][1]) == (422, "/code")
    for taken in ("MKD-01", "mkd-01"):
        answer = await client.patch(path, json={"programme_code": taken}, headers=writing(*AGENCY, match="*"))
        assert refused(answer) == (409, "code_taken")
    draft = await client.patch(path, json={"programme_code": "NEW-01"}, headers=writing(*AGENCY, match="*"))
    assert (draft.json()["code"], draft.json()["programme_code"]) == (code, "NEW-01")
    gone = await client.delete(path, headers={**bearer(*AGENCY), "if-match": draft.headers["etag"]})
    assert (gone.status_code, gone.content) == (204, b"")
    assert (await client.get(path, headers=bearer(*AGENCY))).status_code == 404


async def test_the_history_of_a_draft_is_its_organizations_alone(client: httpx.AsyncClient) -> None:
    draft = await drafted(client)
    path = draft.headers["location"]
    history = f"{path}/history"
    amended = await client.patch(path, json={"title": "Other"}, headers=writing(*AGENCY, match=draft.headers["etag"]))
    gone = await client.delete(path, headers={**bearer(*AGENCY), "if-match": amended.headers["etag"]})
    assert gone.status_code == 204

    async def entries_seen(*who: str | None) -> list[tuple[str, str | None]]:
        page = (await client.get(history, headers=bearer(*who))).json()
        return [(item["action"], (item["after"] or {}).get("title")) for item in page["items"]]

    mine = [("create", draft.json()["title"]), ("amend", "Other"), ("delete", None)]
    assert await entries_seen(*AGENCY) == mine
    assert await entries_seen("admin") == mine
    for who in (OTHER, FUND):
        assert refused(await client.get(history, headers=bearer(*who))) == (404, "not_found")
    assert refused(await client.get(history)) == (401, "token_missing")
    again = (await client.get(f"{history}?limit=1", headers=bearer(*AGENCY))).json()
    assert (again["more"], again["next"]) == (True, f"{history}?after={again['last']}&limit=1")


async def test_a_change_of_a_renamed_code_is_redirected_to_the_new_one(
    catalog_service: RunningApp, client: httpx.AsyncClient
) -> None:
    note = await submitted(client)
    code = note.json()["code"]
    async with catalog_service.as_owner() as session:
        await session.execute(sa.text(f"INSERT INTO renamed_code VALUES ('programme', 'LIFE-OLD', '{code}')"))
    for old in ("LIFE-OLD", "life-old"):
        answer = await client.patch(
            f"{PROGRAMMES}/{old}", json={"title": "New", "reason": "x"}, headers=writing(*AGENCY, match="*")
        )
        assert refused(answer) == (404, "not_found")
        assert answer.json()["errors"][0]["suggestion"] == code


@pytest.mark.parametrize(
    ("members", "pointer", "suggestion"),
    [
        ({"thematic_area": "9"}, "/thematic_area", None),
        ({"objectives": ["6", "24"]}, "/objectives/1", None),
        ({"organizations": ["IOM", "UNDRRR"]}, "/organizations/1", "UNDRR"),
        ({"organizations": ["IOM", "UNDP"]}, "/organizations/1", None),
        ({"places": [{"code": "KENN"}]}, "/places/0/code", None),
        ({"places": [{"code": "ken"}]}, "/places/0/code", "KEN"),
        ({"places": [{"code": "CD"}]}, "/places/0/code", "COD"),
        ({"budget_lines": [{**CONTENT["budget_lines"][0], "organization": "un-habitat"}]},
         "/budget_lines/0/organization", "UN-HABITAT"),
    ],
)  # fmt: skip
async def test_unknown_codes_of_a_draft_are_rejected(
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
        assert error["suggestion"] == suggestion
    mine = (await client.get(f"{DRAFTS}?limit=1000", headers=bearer(*AGENCY))).json()["items"]
    assert sent["programme_code"] not in {each["programme_code"] for each in mine}


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


async def test_a_code_stands_for_one_programme(client: httpx.AsyncClient, catalog_service: RunningApp) -> None:
    connection = await asyncpg.connect(catalog_service.database_url)
    await connection.execute("INSERT INTO renamed_code VALUES ('programme', 'RENAMED-01', 'MKD-01')")
    await connection.close()
    note = await submitted(client)
    for code in ("MKD-01", "RENAMED-01", note.json()["code"]):
        answer = await client.post(DRAFTS, json=body(programme_code=code), headers=writing(*AGENCY))
        assert refused(answer) == (409, "code_taken")


async def test_a_code_that_another_draft_proposes_is_no_conflict_until_one_is_submitted(
    client: httpx.AsyncClient,
) -> None:
    code = body()["programme_code"]
    theirs = await drafted(client, who=OTHER, programme_code=code)
    ours = await drafted(client, programme_code=code)
    # Nothing in the answer differs from that of a code that nobody proposes, but the codes and the moment.
    free = await drafted(client)
    differing = {"code": None, "programme_code": None, "updated": None}
    assert {**ours.json(), **differing} == {**free.json(), **differing}
    assert ours.headers.keys() == free.headers.keys()
    assert (await submit(client, theirs, OTHER)).json()["code"] == code
    answer = await submit(client, ours)
    assert refused(answer) == (409, "code_taken")
    other = {"programme_code": f"{code}-B"}
    ours = await client.patch(
        ours.headers["location"], json=other, headers=writing(*AGENCY, match=ours.headers["etag"])
    )
    assert ours.status_code == 200, ours.text
    path = f"{DRAFTS}/{ours.json()['code']}"
    note = await client.post(f"{path}/submission", headers=writing(*AGENCY, match=ours.headers["etag"]))
    assert (note.status_code, note.headers["location"]) == (201, f"{PROGRAMMES}/{code}-B")


async def test_only_listed_organizations_draft(client: httpx.AsyncClient) -> None:
    for headers in (writing("agency", "UNESCO"), writing(*FUND), writing("admin")):
        assert refused(await client.post(DRAFTS, json=body(), headers=headers)) == (403, "organization_not_known")


# --- submission ----------------------------------------------------------------------------------------------------


async def test_everything_that_a_draft_lacks_is_reported(client: httpx.AsyncClient) -> None:
    draft = await drafted(client, **UNSAID)
    answer = await submit(client, draft)
    needed = ("title", "summary", "thematic_area", "objectives", "places", "organizations", "duration", "budget")
    assert answer.status_code == 422
    assert errors(answer) == [("missing_member", f"/{name}") for name in needed]
    still = await client.get(draft.headers["location"], headers=bearer(*AGENCY))
    assert still.headers["etag"] == draft.headers["etag"]
    assert (await client.get(f"{PROGRAMMES}/{draft.json()['programme_code']}")).status_code == 404


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"places": shares("60.00", "39.99")}, [("shares_do_not_add_up", "/places")]),
        ({"places": shares("60.00", "40.01")}, [("shares_do_not_add_up", "/places")]),
        ({"places": shares("60.00", "40.00", None)}, [("shares_incomplete", "/places")]),
        ({"places": shares("100.00", "0.00")}, [("invalid_value", "/places/1/share")]),
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
        ({"organizations": ["ILO", "WHO"], "budget_lines": []}, [("missing_member", "/organizations")]),
        ({"organizations": ["IOM", "ILO", "IOM"]}, [("repeated_code", "/organizations/2")]),
        ({"duration": {"start": "2028-12-31", "end": "2028-01-01"}, "budget_lines": []},
         [("invalid_range", "/duration/end")]),
        ({"places": shares("60.00", "39.00"), "budget": "1.00", "title": None},
         [("missing_member", "/title"), ("shares_do_not_add_up", "/places"),
          ("budget_does_not_add_up", "/budget_lines")]),
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


async def test_a_submitted_programme_is_public(client: httpx.AsyncClient) -> None:
    requirements = (await sums(client)).get("requirement", Decimal(0))
    draft = await drafted(client)
    note = await submit(client, draft)
    code, record = draft.json()["programme_code"], note.json()
    assert note.headers["location"] == f"{PROGRAMMES}/{code}"
    assert (await client.get(draft.headers["location"], headers=bearer(*AGENCY))).status_code == 404
    # From the draft its programme is found.
    history = (await client.get(f"{draft.headers['location']}/history", headers=bearer(*AGENCY))).json()["items"]
    assert [(h["action"], h["reason"]) for h in history] == [("create", "drafted"), ("delete", f"submitted as {code}")]
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
    assert {source["field"] for source in record["sources"]} == set(CONTENT) - {"budget", *SOURCED}
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
