"""What writes must not do at their edges: cross organizations, lose what was stated, take what only looks right."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import asyncpg
import httpx
import pytest

from mmptf_catalog.programmes.examples import CONTENT
from mmptf_common.storage.journal import JOURNAL_LOCK
from tests.conftest import RunningApp
from tests.tokens import bearer, writing
from tests.writes import write_sql

API = "/catalog/v1"
DRAFTS, PROGRAMMES = f"{API}/drafts", f"{API}/programmes"
DECIDED = {"date": "2026-06-30", "reason": "As decided.", "decision": "Steering Committee"}


def body(**members: Any) -> dict[str, Any]:
    return {**CONTENT, "programme_code": f"BUG-{uuid.uuid4().hex[:8]}", **members}


async def drafted(client: httpx.AsyncClient, **members: Any) -> httpx.Response:
    return await client.post(DRAFTS, json=body(**members), headers=writing("agency"))


async def submitted(client: httpx.AsyncClient, **members: Any) -> httpx.Response:
    draft = await drafted(client, **members)
    return await client.post(f"{draft.headers['location']}/submission", headers=writing("agency", match="*"))


async def amend(client: httpx.AsyncClient, code: str, who: str = "agency", **members: Any) -> httpx.Response:
    sent = {"reason": "A correction.", **members}
    return await client.patch(f"{PROGRAMMES}/{code}", json=sent, headers=writing(who, match="*"))


async def test_a_write_that_waits_too_long_is_a_503(
    catalog_service: RunningApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More writers than connections, and one that takes long: 503, which is worth a retry, not 500."""
    monkeypatch.setattr(catalog_service.app.state.database.engine.sync_engine.pool, "_timeout", 0.2)
    connection = await asyncpg.connect(catalog_service.database_url)
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", JOURNAL_LOCK)
        writes = [asyncio.create_task(drafted(catalog_service.client)) for _ in range(3)]
        await asyncio.wait(writes, return_when=asyncio.FIRST_COMPLETED)
    await connection.close()
    assert sorted([(await write).status_code for write in writes]) == [201, 201, 503]


async def test_a_submission_overwrites_no_programme(client: httpx.AsyncClient, catalog_service: RunningApp) -> None:
    """A release that brings a programme under the code of somebody's draft."""
    draft = await drafted(client)
    code = draft.json()["programme_code"]
    columns = (
        "updated, title_order, thematic_area, objectives, countries, regions, organizations, stage, amount, currency,"
        " money_stage, basis, attribution, words, stated"
    )
    record = f"""(record::jsonb || '{{"code":"{code}"}}')::json"""
    await write_sql(
        catalog_service.database_url,
        f"INSERT INTO programme (code, record, {columns})"
        f" SELECT '{code}', {record}, {columns} FROM programme WHERE code = 'MKD-01'",
    )
    before = await client.get(f"{PROGRAMMES}/{code}")
    answer = await client.post(f"{draft.headers['location']}/submission", headers=writing("agency", match="*"))
    assert (answer.status_code, answer.json()["code"]) == (409, "code_taken")
    assert (await client.get(f"{PROGRAMMES}/{code}")).json() == before.json()


@pytest.mark.parametrize("code", ["totals", "facets"])
async def test_no_programme_has_a_code_under_which_it_is_not_found(client: httpx.AsyncClient, code: str) -> None:
    assert (await drafted(client, programme_code=code)).status_code in (409, 422)


@pytest.mark.parametrize(
    "members",
    [
        {"budget": "2\u0661\u0664\u0660000.00"},
        {"places": [{"code": "KEN", "share": "\u0666\u0660.\u0660\u0660"}, {"code": "UGA", "share": "40.00"}]},
        {"budget_lines": [{**CONTENT["budget_lines"][0], "amount": "1\u0660.00"}]},
    ],
)
async def test_numbers_have_the_digits_of_the_contract(client: httpx.AsyncClient, members: dict[str, Any]) -> None:
    assert (await drafted(client, **members)).status_code == 422


async def test_the_answer_of_a_write_is_that_of_its_organization(client: httpx.AsyncClient) -> None:
    """One person, two organizations: a draft of the one is not answered to the other."""
    key, sent = {"idempotency-key": str(uuid.uuid4())}, body()
    ours = await client.post(DRAFTS, json=sent, headers={**bearer("agency", "IOM"), **key})
    theirs = await client.post(DRAFTS, json=sent, headers={**bearer("agency", "ILO"), **key})
    assert ours.status_code == 201
    assert "idempotency-replayed" not in theirs.headers
    assert (theirs.status_code, theirs.json()["organization"]) == (201, "ILO")
    assert theirs.json()["code"] != ours.json()["code"]


@pytest.mark.parametrize("name", ["objectives", "places"])
async def test_an_amendment_takes_away_nothing_that_a_submission_needs(client: httpx.AsyncClient, name: str) -> None:
    note = await submitted(client)
    answer = await amend(client, note.json()["code"], **{name: []})
    assert answer.status_code == 422
    assert [(e["code"], e["pointer"]) for e in answer.json()["errors"]] == [("missing_member", f"/{name}")]


async def test_an_approved_programme_keeps_its_budget_lines(client: httpx.AsyncClient) -> None:
    code = (await submitted(client)).json()["code"]
    today = (await client.get(f"{PROGRAMMES}/{code}")).json()["status_history"][0]["date"]
    for status in ("pipeline", "approved"):
        sent = {**DECIDED, "status": status, "date": today}
        headers = writing("management-unit", match="*")
        await client.post(f"{PROGRAMMES}/{code}/status", json=sent, headers=headers)
    assert (await amend(client, code, "management-unit", budget_lines=[])).status_code == 422


async def test_the_label_of_places_is_of_the_places(client: httpx.AsyncClient) -> None:
    note = await submitted(client, localities=[])
    amended = await amend(client, note.json()["code"], places=[{"code": "TZA"}, {"code": "RWA"}])
    assert amended.json()["place_label"] == "United Republic of Tanzania, Rwanda"


async def test_a_gap_stays_while_nothing_fills_it(client: httpx.AsyncClient) -> None:
    amended = await amend(client, "WBALKANS-01", "management-unit", places=[{"code": "ALB"}, {"code": "SRB"}])
    assert "places.share" in {gap["field"] for gap in amended.json()["gaps"]}
    amended = await amend(client, "WBALKANS-01", "management-unit", objectives=[])
    assert amended.status_code == 422 or "objectives" in {gap["field"] for gap in amended.json()["gaps"]}


async def test_what_a_submission_leaves_open_is_named_as_a_gap(client: httpx.AsyncClient) -> None:
    places = [{"code": "KEN"}, {"code": "UGA"}]
    note = await submitted(client, places=places, budget_lines=[])
    assert {gap["field"] for gap in note.json()["gaps"]} == {"places.share", "budget_lines"}


async def test_a_budget_under_implementation_is_no_requirement(client: httpx.AsyncClient) -> None:
    code = "IRQ-JOR-LBN-01"
    await amend(client, code, "management-unit", budget="100.00")
    sent = {**DECIDED, "status": "implementation"}
    path, headers = f"{PROGRAMMES}/{code}/status", writing("management-unit", match="*")
    moved = await client.post(path, json=sent, headers=headers)
    assert moved.status_code == 422 or moved.json()["budget"]["stage"] == "allocation"


async def test_a_region_is_not_proposed_as_a_place(client: httpx.AsyncClient) -> None:
    (error,) = (await drafted(client, places=[{"code": "002"}])).json()["errors"]
    assert error["suggestion"] is None


async def test_a_list_of_drafts_is_not_confirmed_with_another_organizations_tag(client: httpx.AsyncClient) -> None:
    await drafted(client)
    theirs = await client.get(DRAFTS, headers=bearer("agency", "ILO"))
    ours = await client.get(DRAFTS, headers={**bearer("agency"), "if-none-match": theirs.headers["etag"]})
    assert ours.status_code == 200


@pytest.mark.parametrize("key", ['"open', 'closed"'])
async def test_a_key_with_one_quotation_mark_is_refused(client: httpx.AsyncClient, key: str) -> None:
    answer = await client.post(DRAFTS, json=body(), headers={**bearer("agency"), "idempotency-key": key})
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_invalid")


async def test_tags_on_several_lines_are_one_list(client: httpx.AsyncClient) -> None:
    draft = await drafted(client)
    lines = [*writing("agency").items(), ("if-match", '"other"'), ("if-match", draft.headers["etag"])]
    assert (await client.patch(draft.headers["location"], json={"title": "B"}, headers=lines)).status_code == 200


async def test_an_amendment_that_changes_nothing_is_no_change(client: httpx.AsyncClient) -> None:
    draft = await drafted(client)
    path, headers = draft.headers["location"], writing("agency", match="*")
    same = await client.patch(path, json={"title": draft.json()["title"]}, headers=headers)
    assert same.headers["etag"] == draft.headers["etag"]


async def test_a_year_is_a_number(client: httpx.AsyncClient) -> None:
    lines = [{**CONTENT["budget_lines"][0], "year": "2027"}]
    assert (await drafted(client, budget_lines=lines)).status_code == 422


async def test_every_row_of_a_batch_gives_its_own_reason(client: httpx.AsyncClient) -> None:
    note = await submitted(client)
    code, day = note.json()["code"], note.json()["status_history"][0]["date"]
    row = {"programme": code, "etag": note.headers["etag"], **DECIDED, "date": day, "status": "pipeline"}
    await client.post(f"{API}/status-changes", json={"changes": [row]}, headers=writing("management-unit"))
    last = (await client.get(f"{PROGRAMMES}/{code}/history")).json()["items"][-1]
    assert last["reason"] == DECIDED["reason"]
