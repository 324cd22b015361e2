"""The cards of a programme: what each service says of it, as it is, as it was, and together behind the gateway."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from asgi_lifespan import LifespanManager

from mmptf_catalog.programmes.domain import SOURCED
from mmptf_catalog.programmes.schemas import CatalogProgrammeCard
from mmptf_funding.ledger import schemas as ledger_schemas
from mmptf_gateway.app import create_app
from mmptf_gateway.settings import GatewaySettings
from tests.conftest import RunningApp, running_app
from tests.integration.ledger_client import copied, running_ledger
from tests.serving import served
from tests.tokens import writing
from tests.writes import write_sql

Json = dict[str, Any]

CATALOG, FUNDING = "/catalog/v1/cards/programmes", "/funding/v1/cards/programmes"
PROGRAMMES, STATEMENT, LEDGER = "/catalog/v1/programmes", "/funding/v1/statement/programmes", "/funding/v1/ledger"
ETHIOPIA = {"programme": "ETH-01", "organization": "ILO"}


async def get(client: httpx.AsyncClient, path: str, **query: str | int) -> Json:
    answer = await client.get(path, params=query or None)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


async def amend(running: RunningApp, code: str, title: str) -> None:
    """Give a programme another title, in the catalogue or in what the ledger has stored of it."""
    await write_sql(
        running.database_url,
        "UPDATE programme SET updated = statement_timestamp(), record = (record::jsonb || jsonb_build_object("
        f"'title', '{title}', 'updated', to_char(statement_timestamp(), 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
        f"))::json WHERE code = '{code}'",
    )


async def rename(running: RunningApp, old: str, new: str) -> None:
    async with running.as_owner() as session:
        renamed = sa.text("INSERT INTO renamed_code VALUES ('programme', :old, :new)")
        await session.execute(renamed, {"old": old, "new": new})


@pytest.fixture
async def catalogue(new_database: Callable[[str], str]) -> AsyncIterator[RunningApp]:
    async with running_app("catalog", new_database("catalog"), None) as running:
        yield running


@pytest.fixture
async def funded(new_database: Callable[[str], str], catalogue: RunningApp) -> AsyncIterator[RunningApp]:
    """A ledger in which ETH-01 was allocated, received, spent and gave back, and MDA-01 was allocated alone."""
    entries = [
        entry("deposit", "1000.00", contributor="DEU"),
        entry("allocation", "600.00", programme="ETH-01", reference="SC-1"),
        entry("transfer", "300.00", **ETHIOPIA, tranche=1),
        entry("expenditure", "120.00", **ETHIOPIA, category="supplies"),
        entry("refund", "60.00", **ETHIOPIA),
        entry("allocation", "50.00", programme="MDA-01", reference="SC-2"),
    ]
    async with (
        served(catalogue.app) as url,
        running_ledger(new_database("funding"), url) as ledger,
    ):
        running = ledger.running
        answer = await running.client.post(f"{LEDGER}/batch", json={"entries": entries}, headers=writing("admin"))
        assert answer.status_code == 200, answer.text
        yield running


def entry(kind: str, amount: str, **members: Any) -> Json:
    return {"kind": kind, "amount": amount, "date": "2024-05-05", **members}


async def enter(running: RunningApp, kind: str, amount: str, **members: Any) -> Json:
    answer = await running.client.post(LEDGER, json=entry(kind, amount, **members), headers=writing("admin"))
    assert answer.status_code == 201, answer.text
    found: Json = answer.json()
    return found


async def stated(running: RunningApp, code: str, **query: str | int) -> Json:
    """What the statement of all programmes says of one."""
    (item,) = [i for i in (await get(running.client, STATEMENT, **query))["items"] if i["programme"] == code]
    found: Json = item
    return found


# --- the catalogue's -------------------------------------------------------------------------------------------------


async def test_a_programme_is_shown_as_its_document_has_it(catalog: httpx.AsyncClient) -> None:
    page = await get(catalog, PROGRAMMES)
    assert page["total"] == 18
    for programme in page["items"]:
        code = programme["code"]
        card = await get(catalog, f"{CATALOG}/{code}")
        CatalogProgrammeCard.model_validate(card)
        budget = programme["budget"]
        shown = {name: programme[name] for name in card["facts"]}
        if budget:
            shown["budget"] = {name: budget[name] for name in ("amount", "currency", "stage", "precision")}
        assert card == {
            "service": "catalog",
            "code": code,
            "title": "Programme",
            "revision": page["revision"],
            "changed": programme["updated"],
            "links": {"programme": f"{PROGRAMMES}/{code}", "history": f"{PROGRAMMES}/{code}/history"},
            "facts": shown,
        }
        assert set(programme) - set(shown) == {
            "code", "summary", "budget_lines", "status_history", "sources", "updated", *SOURCED,
        }  # fmt: skip
        assert (await get(catalog, card["links"]["programme"])) == programme
        assert (await get(catalog, card["links"]["history"]))["items"]


async def test_a_card_says_when_its_programme_changed_and_not_when_another_did(catalogue: RunningApp) -> None:
    before = await catalogue.client.get(f"{CATALOG}/ETH-01")
    await amend(catalogue, "MDA-01", "Another one")
    other = await catalogue.client.get(f"{CATALOG}/ETH-01", headers={"if-none-match": before.headers["etag"]})
    # The revision is in the card, so that it is another one with each.
    assert other.status_code == 200
    assert other.headers["etag"] != before.headers["etag"]
    assert other.json() == {**before.json(), "revision": before.json()["revision"] + 1}
    await amend(catalogue, "ETH-01", "Its own")
    own = (await catalogue.client.get(f"{CATALOG}/ETH-01")).json()
    assert own["facts"]["title"] == "Its own"
    assert datetime.fromisoformat(own["changed"]) > datetime.fromisoformat(before.json()["changed"])


# --- the ledger's ----------------------------------------------------------------------------------------------------


async def test_a_programme_is_stated_as_the_statement_of_all_states_it(funded: RunningApp) -> None:
    for code, rows in (("ETH-01", 4), ("MDA-01", 1)):
        card = await get(funded.client, f"{FUNDING}/{code}")
        ledger_schemas.FundingProgrammeCard.model_validate(card)
        assert card["facts"] == await stated(funded, code)
        assert (card["service"], card["code"], card["title"]) == ("funding", code, "Ledger")
        assert card["links"] == {"entries": f"{LEDGER}?programme={code}", "statement": STATEMENT}
        page = await get(funded.client, card["links"]["entries"])
        assert (page["total"], page["revision"]) == (rows, card["revision"])
    facts = (await get(funded.client, f"{FUNDING}/ETH-01"))["facts"]
    assert [facts[name]["sum"]["amount"] for name in ("allocations", "transfers", "refunds")] == [
        "600.00", "300.00", "60.00",
    ]  # fmt: skip
    assert (facts["not_yet_transferred"]["amount"], facts["delivery"]["share"]["per_cent"]) == ("300.00", "50.00")
    assert facts["budget"]["sum"]["amount"] == "1500000.00"


async def test_a_programme_that_no_entry_names_is_not_found(funded: RunningApp) -> None:
    answer = await funded.client.get(f"{FUNDING}/MKD-01", headers={"if-none-match": "*"})
    said = answer.json()
    assert (answer.status_code, said["code"]) == (404, "not_found")
    # MDA-01, which an entry names, is another programme.
    assert said["detail"] == "No entry names programme 'MKD-01'."
    (error,) = (await funded.client.get(f"{FUNDING}/ETH01")).json()["errors"]
    assert (error["code"], error["parameter"], error["suggestion"]) == ("unknown_code", "code", "ETH-01")
    moved = await funded.client.get(f"{FUNDING}/eth-01?as_of=1")
    assert (moved.status_code, moved.headers["location"]) == (308, f"{FUNDING}/ETH-01?as_of=1")


async def test_a_ledgers_card_changes_with_its_entries_and_with_the_budget_that_it_shows(
    funded: RunningApp, catalogue: RunningApp
) -> None:
    async def changed() -> str:
        return str((await get(funded.client, f"{FUNDING}/ETH-01"))["changed"])

    first = await changed()
    assert first == max(e["updated"] for e in (await get(funded.client, LEDGER, programme="ETH-01"))["items"])
    await enter(funded, "allocation", "1.00", programme="MDA-01", reference="SC-3")
    assert await changed() == first
    one_more = await enter(funded, "allocation", "1.00", programme="ETH-01", reference="SC-4")
    assert await changed() == one_more["updated"] > first
    reversal = await funded.client.post(
        f"{LEDGER}/{one_more['code']}/reversal",
        json={"date": "2024-06-01", "reason": "wrong"},
        headers=writing("admin"),
    )
    assert await changed() == reversal.json()["updated"] > one_more["updated"]
    # What it shows of a programme follows the catalogue, without an entry.
    await amend(catalogue, "ETH-01", "Its own")
    await copied(funded, catalogue)
    card = await get(funded.client, f"{FUNDING}/ETH-01")
    assert card["changed"] == card["facts"]["budget"]["copied"] > reversal.json()["updated"]
    assert card["facts"]["title"] == "Its own"


async def test_a_card_is_of_one_revision_whatever_is_written(funded: RunningApp) -> None:
    seen: dict[int, Json] = {}
    writes = asyncio.gather(
        *(enter(funded, "transfer", "1.00", **ETHIOPIA, tranche=n) for n in range(1, 13)),
        *(enter(funded, "allocation", "1.00", programme="ETH-01", reference=f"SC-{n}") for n in range(10, 22)),
    )
    while not writes.done():
        card = await get(funded.client, f"{FUNDING}/ETH-01")
        seen[card["revision"]] = card
    await writes
    assert len(seen) > 3
    for revision, card in seen.items():
        facts = await stated(funded, "ETH-01", as_of=revision)
        for name in ("allocations", "transfers", "refunds"):
            facts[name]["link"] = facts[name]["link"].replace(f"as_of={revision}&", "")
        assert card["facts"] == facts


# --- both ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def service(request: pytest.FixtureRequest) -> RunningApp:
    found: RunningApp = request.getfixturevalue(request.param)
    return found


BOTH = pytest.mark.parametrize(("service", "path"), [("catalogue", CATALOG), ("funded", FUNDING)], indirect=["service"])


async def write(running: RunningApp) -> None:
    """Change what the card of ETH-01 shows."""
    if running.name == "catalog":
        await amend(running, "ETH-01", "Another title")
    else:
        await enter(running, "allocation", "7.00", programme="ETH-01", reference="SC-7")


@BOTH
async def test_a_card_has_a_tag_until_the_next_revision(service: RunningApp, path: str) -> None:
    first = await service.client.get(f"{path}/ETH-01")
    tag = {"if-none-match": first.headers["etag"]}
    assert first.headers["cache-control"] == "public, no-cache"
    same = await service.client.get(f"{path}/ETH-01", headers=tag)
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", first.headers["etag"])
    assert (await service.client.get(f"{path}/MDA-01", headers=tag)).status_code == 200
    await write(service)
    now = await service.client.get(f"{path}/ETH-01", headers=tag)
    assert now.status_code == 200
    assert now.headers["etag"] != first.headers["etag"]
    assert now.json()["facts"] != first.json()["facts"]


@BOTH
async def test_a_card_is_given_again_as_it_was(service: RunningApp, path: str) -> None:
    before = await get(service.client, f"{path}/ETH-01")
    revision = before["revision"]
    await write(service)
    assert (await get(service.client, f"{path}/ETH-01"))["facts"] != before["facts"]
    then = await get(service.client, f"{path}/ETH-01", as_of=revision)
    assert {k: then[k] for k in ("revision", "changed")} == {k: before[k] for k in ("revision", "changed")}
    if service.name == "catalog":
        assert then["facts"] == before["facts"]
        linked = await get(service.client, then["links"]["programme"])
        assert {name: linked[name] for name in ("title", "status")} == {
            n: then["facts"][n] for n in ("title", "status")
        }
    else:
        assert then["facts"] == await stated(service, "ETH-01", as_of=revision)
        assert (await get(service.client, then["links"]["entries"]))["total"] == 4
        assert (await get(service.client, then["links"]["statement"]))["revision"] == revision
    answer = await service.client.get(f"{path}/ETH-01", params={"as_of": "0"})
    assert answer.status_code == 404
    assert "at that time" in answer.json()["detail"]
    assert (await service.client.get(f"{path}/ETH-01", params={"as_of": "999999"})).status_code == 422


@BOTH
async def test_a_renamed_programme_is_led_to_its_card(service: RunningApp, path: str) -> None:
    await rename(service, "ETH-00", "ETH-01")
    for old in ("ETH-00", "eth-00"):
        answer = await service.client.get(f"{path}/{old}", params={"as_of": "1"})
        assert (answer.status_code, answer.headers["location"]) == (308, f"{path}/ETH-01?as_of=1")
    assert (await service.client.get(f"{path}/ETH-00", follow_redirects=True)).json()["code"] == "ETH-01"


@BOTH
async def test_what_a_card_does_not_take_is_refused(service: RunningApp, path: str) -> None:
    for query, code in (({"on": "2024-01-01"}, "unknown_parameter"), ({"as_of": "now"}, "invalid_parameter")):
        answer = await service.client.get(f"{path}/ETH-01", params=query)
        assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert (await service.client.get(f"{path}/-")).status_code == 422


# --- together --------------------------------------------------------------------------------------------------------


async def test_the_gateway_shows_what_both_say(funded: RunningApp, catalogue: RunningApp) -> None:
    await rename(catalogue, "ETH-00", "ETH-01")
    await copied(funded, catalogue)
    async with served(catalogue.app) as catalog_url, served(funded.app) as funding_url:
        gateway = create_app(GatewaySettings(services={"funding": funding_url, "catalog": catalog_url}))
        async with (
            LifespanManager(gateway),
            httpx.AsyncClient(transport=httpx.ASGITransport(app=gateway), base_url="http://gateway") as client,
        ):
            found = await get(client, "/programmes/ETH-01")
            assert (found["code"], found["complete"], found["missing"]) == ("ETH-01", True, [])
            assert [part["card"] for part in found["parts"]] == [
                await get(funded.client, f"{FUNDING}/ETH-01"),
                await get(catalogue.client, f"{CATALOG}/ETH-01"),
            ]
            assert all(0 <= part["age_seconds"] < 600 for part in found["parts"])
            # The ledger is asked for the present code.
            again = await get(client, "/programmes/ETH-00")
            assert [part["card"] for part in again["parts"]] == [part["card"] for part in found["parts"]]
            assert again["code"] == "ETH-01"
            partly = await get(client, "/programmes/MKD-01")
            assert (partly["complete"], partly["missing"]) == (False, ["funding"])
            assert partly["parts"][0]["missing"] == {
                "code": "not_found",
                "detail": "No entry names programme 'MKD-01'.",
            }
            nobody = await client.get("/programmes/ETH01")
            assert nobody.status_code == 404
            assert [error["suggestion"] for error in nobody.json()["errors"]] == ["ETH-01"]
            # Making a contract takes seconds, and on a busy machine longer than the gateway waits: it is made here.
            for service in (catalogue, funded):
                await get(service.client, "/openapi.json")
            contract = (await get(client, "/openapi.json"))["paths"]
            assert {"/programmes/{code}", f"{CATALOG}/{{code}}", f"{FUNDING}/{{code}}"} <= set(contract)
            for link in found["parts"][0]["card"]["links"].values():
                assert (await client.get(link)).status_code == 200
