"""What the services state of their sources: values read in the documents by hand, and data releases that reach them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import sqlalchemy as sa
from pydantic import SecretStr

from mmptf_common import cli
from mmptf_common.process.settings import ServiceSettings
from mmptf_common.storage.journal import Author, begin_write
from tests.conftest import RunningApp, running_app, service_of

Json = dict[str, Any]


async def items(client: httpx.AsyncClient, path: str, **query: Any) -> list[Json]:
    answer = await client.get(path, params={"limit": 1000, **query})
    assert answer.status_code == 200, answer.text
    found: list[Json] = answer.json()["items"]
    return found


async def store(running: RunningApp, table: str, record: Json, author: str = "seed") -> None:
    """Replace what is stored of a record, as an earlier release of the packaged data had it."""
    async with running.app.state.database.sessions() as session, session.begin():
        await begin_write(session, Author(author), "as it was stored before")
        await session.execute(
            sa.text(f"UPDATE {table} SET record = CAST(:record AS json) WHERE code = :code"),
            {"record": json.dumps(record, ensure_ascii=False, separators=(",", ":")), "code": record["code"]},
        )


async def seed(running: RunningApp) -> None:
    await cli.seed(service_of(running.name), ServiceSettings(database_url=SecretStr(running.database_url)))


# --- objectives ------------------------------------------------------------------------------------------------------


async def test_objectives_have_their_official_names_and_a_short_one_of_our_own(catalog: httpx.AsyncClient) -> None:
    found = {o["code"]: o for o in await items(catalog, "/catalog/v1/objectives")}
    assert [*found] == [str(number) for number in range(1, 24)]
    assert found["8"]["name"] == "Save lives and establish coordinated international efforts on missing migrants"
    assert found["8"]["short_name"] == "Save lives, missing migrants"
    assert found["12"]["name"] == (
        "Strengthen certainty and predictability in migration procedures for appropriate screening,"
        " assessment and referral"
    )
    assert found["23"]["name"].endswith("for safe, orderly and regular migration")
    for objective in found.values():
        name, short_name = objective["sources"]
        assert (name["field"], name["document"]) == ("name", "a-res-73-195")
        assert name["verified"] == (objective["number"] not in range(3, 12))
        assert (short_name["field"], short_name["document"], short_name["verified"]) == ("short_name", "suite", False)
    rows = (await catalog.get("/catalog/v1/objectives", params={"format": "csv"})).text.splitlines()
    assert rows[0].startswith("code,name,number,short_name,")


async def test_an_objective_of_an_earlier_release_is_answered_whole_and_gets_its_name_by_seed(
    new_database: Callable[[str], str],
) -> None:
    async with running_app("catalog", new_database("catalog"), None) as running:
        path = "/catalog/v1/objectives/8"
        now = (await running.client.get(path)).json()
        earlier = {**now, "name": now["short_name"], "sources": []}
        del earlier["short_name"]
        await store(running, "objective", earlier)
        answered = (await running.client.get(path)).json()
        assert answered == {**earlier, "short_name": now["short_name"]}
        assert answered in await items(running.client, "/catalog/v1/objectives")
        revision = (await running.client.get("/catalog/v1/objectives")).json()["revision"]
        await seed(running)
        assert {**(await running.client.get(path)).json(), "updated": None} == {**now, "updated": None}
        assert (await running.client.get(path, params={"as_of": revision})).json() == answered


# --- what is verified ------------------------------------------------------------------------------------------------


async def test_names_of_organizations_are_verified_where_a_document_prints_them(catalog: httpx.AsyncClient) -> None:
    found = {
        organization["code"]: [
            (source["document"], source["line"], source["verified"])
            for source in organization["sources"]
            if source["field"] == "name"
        ]
        for organization in await items(catalog, "/catalog/v1/organizations")
    }
    assert found["IOM"] == [("migration-initiatives-2015", 32552, True)]
    assert found["OHCHR"] == [("migration-initiatives-2015", 9373, True)]
    assert found["UNDRR"] == found["UN-HABITAT"] == [("suite", None, False)]
    document = (await catalog.get("/catalog/v1/documents/migration-initiatives-2015")).json()
    assert document["title"] == "Migration Initiatives 2015: Migrants and Cities"


async def test_what_the_suite_assigns_itself_is_not_verified(
    catalog: httpx.AsyncClient, funding: httpx.AsyncClient
) -> None:
    kinds = [
        (contributor["type"], source["document"], source["verified"])
        for contributor in await items(funding, "/funding/v1/contributors")
        for source in contributor["sources"]
        if source["field"] == "type"
    ]
    assert len(kinds) == 22
    assert {kind[1:] for kind in kinds} == {("suite", False)}
    principles = await items(catalog, "/catalog/v1/guiding-principles")
    unverified = {p["code"] for p in principles if not p["sources"][0]["verified"]}
    assert unverified == {"sustainable-development", "human-rights", "gender-responsive"}
    assert [p["name"] for p in principles][-2:] == ["Whole-of-government approach", "Whole-of-society approach"]
