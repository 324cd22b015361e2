"""Replication: a whole first copy, then every change once and in order, and an end without delay."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from contextlib import AsyncExitStack
from decimal import Decimal

import httpx
import pytest

from mmptf_catalog.programmes.examples import CONTENT
from mmptf_common.feed import replication
from mmptf_common.storage.engines import Database
from mmptf_local.processes import LOOPBACK, Child, answers_ready, free_port, wait_until
from tests.conftest import pool_of, running_app
from tests.integration.changes import amend, delete, write
from tests.integration.replicas import (
    API,
    AT_ONCE,
    CHANGES,
    ENTITIES,
    NEVER,
    Databases,
    Pair,
    audited,
    chained,
    copy_state,
    equal,
    listed,
    programme,
    replicated,
    retitled,
    revision,
    source_of,
    until,
)
from tests.tokens import identity, writing

pytestmark = pytest.mark.usefixtures("short_intervals")


# --- the copy ------------------------------------------------------------------------------------------------------


async def test_the_first_copy_is_whole_and_one_write(new_database: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replication, "PAGE", 50)
    async with (
        source_of(new_database("catalog")) as (source, url),
        running_app("markers", new_database("markers"), None, catalog_url=url) as markers,
    ):
        database = markers.app.state.database
        await until(lambda: pool_of(database).fetchval("SELECT last FROM replication"))
        state = await copy_state(markers)
        originals, copies = await listed(source.catalog), await replicated(database)
        assert equal(copies, originals)
        entries = await audited(markers)
        assert {entry["action"] for entry in entries} == {"create"}
        assert chained(entries) == copies
        assert len({entry["revision"] for entry in entries}) == 1
        assert (state["service"], state["reached"]) == ("catalog", await revision(source.catalog))
        assert state["age_seconds"] <= 1
        # Pages of several writes, and nothing is asked for that is not kept.
        assert len(source.asked) > len(originals) / 50 > 2
        assert {tuple(query.get_list("entity")) for query in source.asked} == {ENTITIES}
        # It goes on in another process where it was left off.
        await write(source.catalog, retitled("MKD-01", "Another"))
        await until(lambda: is_last(database, "Another"))
        reached = await revision(source.catalog)
        asked = len(source.asked)
        async with running_app("markers", markers.database_url, None, catalog_url=url):
            await until(source.was_asked(3))
        assert min(int(query["after"]) for query in source.asked[asked:]) >= reached - 1


async def is_last(database: Database, title: str) -> bool:
    """Whether the last change of a journal is to a programme with this title."""
    query = "SELECT after->>'title' FROM change ORDER BY seq DESC LIMIT 1"
    return bool(await pool_of(database).fetchval(query) == title)


async def test_the_columns_of_a_replica_equal_its_documents(synced: Pair) -> None:
    originals = await listed(synced.source.catalog)
    found = await pool_of(synced.copy).fetch("SELECT * FROM programme")
    assert any(row["amount"] is not None for row in found)
    for row in found:
        original = originals["programme", row["code"]]
        budget = original["budget"] or {"amount": None, "currency": None, "stage": None}
        area = original["thematic_area"]
        assert (row["stage"], row["thematic_area"]) == (original["stage"], area and area["code"])
        assert row["organizations"] == [organization["code"] for organization in original["organizations"]]
        assert row["countries"] == [place["code"] for place in original["places"]]
        assert row["amount"] == (budget["amount"] and Decimal(budget["amount"]))
        assert (row["currency"], row["budget_stage"]) == (budget["currency"], budget["stage"])
    for row in await pool_of(synced.copy).fetch("SELECT * FROM place"):
        original = originals["place", row["code"]]
        regions = [original[level] for level in ("region", "subregion", "intermediate_region")]
        assert (row["kind"], row["regions"]) == (original["kind"], [region for region in regions if region])


async def test_changes_arrive_in_order_and_each_is_one(synced: Pair) -> None:
    beginning = await synced.last_change()
    for statements in (
        [programme("NEW-01")],
        [retitled("NEW-01", "One")],
        [retitled("MKD-01", "Two"), retitled("MKD-01", "Three"), amend("SRB", "place", name="Four")],
        [programme("NEW", "SRB", "place"), delete("NEW-01", "programme")],
        [programme("NEW-01"), delete("NEW", "place")],
        [delete("NEW-01", "programme"), programme("NEW-01"), retitled("NEW-01", "Five")],
        [delete("NEW-01", "programme")],
    ):
        await write(synced.home, *statements)
        await synced.catch_up()
    found: dict[int, set[tuple[str, str, str | None]]] = {}
    for entry in await audited(synced.markers, beginning):
        said = entry["after"] or {}
        what = entry["action"], entry["key"], said.get("title", said.get("name"))
        found.setdefault(entry["revision"], set()).add(what)
    first, *others = found.values()
    assert {(action, key) for action, key, _ in first} == {("create", "NEW-01")}
    assert others == [
        {("amend", "NEW-01", "One")},
        # What was so within a write alone was nobody's answer.
        {("amend", "MKD-01", "Three"), ("amend", "SRB", "Four")},
        {("create", "NEW", "Four"), ("delete", "NEW-01", None)},
        {("create", "NEW-01", "Three"), ("delete", "NEW", None)},
        {("amend", "NEW-01", "Five")},
        {("delete", "NEW-01", None)},
    ]


async def test_what_is_written_over_http_arrives(synced: Pair) -> None:
    """From a draft, which nobody else sees, to a programme that is amended; what is not kept is no change here."""
    client, path = synced.home.client, f"{API}/programmes/LIFE-01"
    draft = await client.post(
        f"{API}/drafts", json={**CONTENT, "programme_code": "LIFE-01"}, headers=writing("agency", "IOM")
    )
    await synced.catch_up()
    assert ("programme", "LIFE-01") not in await synced.copied()
    headers = writing("agency", "IOM", match=draft.headers["etag"])
    answer = await client.post(f"{draft.headers['location']}/submission", headers=headers)
    assert answer.status_code == 201, answer.text
    await synced.catch_up()
    before = await synced.last_change()
    for members, entries in (({"summary": "Said otherwise."}, 0), ({"title": "Named otherwise"}, 1)):
        headers = writing("agency", "IOM", match=answer.headers["etag"])
        answer = await client.patch(path, json={"reason": "A correction.", **members}, headers=headers)
        assert answer.status_code == 200, answer.text
        await synced.catch_up()
        assert len(await audited(synced.markers, before)) == entries


async def test_a_change_of_members_that_are_not_replicated_writes_nothing(synced: Pair) -> None:
    before = await synced.last_change()
    everything = [amend(code, entity, note="kept nowhere") for entity, code in await synced.copied()]
    await write(synced.home, *everything, amend("IOM", note="kept nowhere"))
    await synced.catch_up()
    assert await synced.last_change() == before


async def test_a_write_of_more_than_a_page_is_not_seen_in_half(synced: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replication, "PAGE", 3)
    # The page that is waited for now is a long one.
    await write(synced.home, amend("SRB", "place", name="first"))
    await synced.catch_up()
    beginning = await synced.last_change()
    programmes = [key for entity, key in await synced.copied() if entity == "programme"][:8]
    for number in range(4):
        # Pages end anywhere in a write: after it, within it, and where only another service's records follow.
        await write(synced.home, *(retitled(code, f"Title {number}") for code in programmes))
        await write(synced.home, *(amend("SRB", "place", name=f"{number}.{part}") for part in range(number)))
        await write(synced.home, amend("IOM", note=f"{number}"))
    await synced.catch_up()
    titles: dict[int, list[str]] = {}
    for entry in await audited(synced.markers, beginning):
        if entry["entity"] == "programme":
            titles.setdefault(entry["revision"], []).append(entry["after"]["title"])
    assert len(titles) > 1
    for found in titles.values():
        assert (len(found), len(set(found))) == (len(programmes), 1)


async def test_two_processes_store_each_change_once(synced: Pair) -> None:
    beginning = await synced.last_change()
    database = synced.markers.database_url
    async with running_app("markers", database, None, catalog_url=synced.to_source.url):
        await until(synced.source.was_asked(3))
        for number in range(20):
            await write(synced.home, retitled("MKD-01", f"Number {number}"))
        await synced.catch_up()
    entries = await audited(synced.markers, beginning)
    numbers = [int(entry["after"]["title"].split()[1]) for entry in entries]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == 19


async def test_without_a_catalogue_nothing_is_replicated(new_database: Databases) -> None:
    async with running_app("markers", new_database("markers"), None) as markers:
        assert await copy_state(markers) == NEVER
        answer = await markers.client.get("/markers/v1/indicator")
        assert answer.headers["catalogue-age"] == "unknown"


# --- the end -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [None, "503", "no answer"])
async def test_a_service_that_replicates_stops_at_once(synced: Pair, error: str | None) -> None:
    async with AsyncExitStack() as stack:
        url, database = synced.to_source.url, synced.markers.database_url
        await stack.enter_async_context(running_app("markers", database, None, catalog_url=url))
        if error:
            await synced.source.fail(error)
        began = time.monotonic()
        await stack.aclose()
        assert time.monotonic() - began < AT_ONCE / 2


async def test_a_process_ends_at_once_though_readers_wait(new_database: Databases) -> None:
    port = free_port()
    url = f"http://{LOOPBACK}:{port}"
    environment = {
        "DATABASE_URL": new_database("catalog"), "HOST": LOOPBACK, "PORT": str(port), "ENVIRONMENT": "development",
    }  # fmt: skip
    with Child("catalog", [sys.executable, "-m", "mmptf_catalog", "serve"], env=environment | identity()) as child:
        await asyncio.to_thread(wait_until, lambda: answers_ready(f"{url}/health/ready"), child, seconds=30)
        async with httpx.AsyncClient(base_url=url) as client:
            newest = (await client.get(CHANGES, params={"limit": 1})).json()["revision"]
            waiting = {"after": newest, "wait": 15}
            readers = [asyncio.create_task(client.get(CHANGES, params=waiting, timeout=20)) for _ in range(20)]
            answered, _ = await asyncio.wait(readers, timeout=0.5)
            assert not answered
            began = time.monotonic()
            child.process.send_signal(signal.SIGTERM)
            for answer in await asyncio.gather(*readers):
                assert (answer.status_code, answer.json()["items"]) == (200, [])
            await asyncio.to_thread(child.process.wait, AT_ONCE)
            assert time.monotonic() - began < AT_ONCE
        assert child.process.returncode in (0, -signal.SIGTERM)
