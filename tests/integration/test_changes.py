"""The change feed: its pages, its filters, what a change says, and the history of one record."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from tests.conftest import SERVICES, RunningApp, pool_of, running_app
from tests.integration.changes import CHANGES, LONGEST_WAIT, Databases, all_changes, amend, ask, create, delete, write

ORGANIZATIONS = "/catalog/v1/organizations"


@pytest.fixture
async def running(new_database: Databases) -> AsyncIterator[RunningApp]:
    async with running_app("catalog", new_database("catalog"), None) as app:
        yield app


# --- the pages -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("service", SERVICES)
async def test_every_change_is_there_in_order(apps: dict[str, RunningApp], service: str) -> None:
    """What the journal holds is what readers get, document for document."""
    client, path = apps[service].client, f"/{service}/v1/changes"
    items: list[dict[str, Any]] = []
    page: dict[str, Any] = {"next": path, "more": True}
    while page["more"]:
        page = await ask(client, page["next"])
        items += page["items"]
    async with pool_of(apps[service].app.state.database).acquire() as connection:
        entries = await connection.fetch(
            "SELECT seq, number, entity, key, action, organization, revision.reason, before, after"
            " FROM change JOIN revision ON seq BETWEEN first AND number ORDER BY seq"
        )
    assert [item["seq"] for item in items] == list(range(1, len(entries) + 1)) == list(range(1, page["revision"] + 1))
    for item, entry in zip(items, entries, strict=True):
        assert (item["revision"], item["organization"]) == (entry["number"], entry["organization"])
        assert (item["entity"], item["key"], item["action"]) == (entry["entity"], entry["key"], entry["action"])
        after = json.loads(entry["after"])
        if entry["entity"] == "fact":
            # A record of what cannot be computed lacks the member.
            after.setdefault("computed", None)
        assert (item["before"], json.dumps(item["after"])) == (entry["before"], json.dumps(after))
        assert (item["changed"], item["reason"]) == ([], entry["reason"])
    assert (page["last"], page["more"], page["next"]) == (len(items), False, f"{path}?after={len(items)}")


async def test_pages_of_every_size_hold_the_same_changes(running: RunningApp) -> None:
    for number in range(5):
        await write(running, create(f"ORG-{number}"), amend(f"ORG-{number}", name="Another"), delete("ORG-0"))
    whole = await all_changes(running.client, limit=1000)
    assert len(whole) > 150
    for limit in (7, 100, len(whole), len(whole) - 1):
        assert await all_changes(running.client, limit=limit) == whole
    for after in (1, len(whole) - 3, len(whole) - 1):
        page = await ask(running.client, after=after, limit=2)
        assert page["items"] == whole[after : after + 2]
        assert (page["more"], page["last"]) == (after + 2 < len(whole), min(after + 2, len(whole)))
    # At the end there is nothing yet, and the question stays the same.
    end = await ask(running.client, after=len(whole))
    assert end == {
        "items": [], "last": len(whole), "more": False, "next": f"{CHANGES}?after={len(whole)}",
        "revision": len(whole),
    }  # fmt: skip
    assert await ask(running.client, end["next"]) == end


@pytest.mark.parametrize("entities", [[], ["organization"], ["clustering"]])
@pytest.mark.parametrize("limit", [1, 2, 3, 7, 1000])
async def test_a_reader_who_holds_back_the_last_revision_applies_whole_writes(
    running: RunningApp, limit: int, entities: list[str]
) -> None:
    after = (await ask(running.client, limit=1))["revision"]
    made: list[int] = []

    async def write_some() -> None:
        number = len(made)
        both = [create(f"ORG-{number}"), create(f"ORG-{number}", table="clustering"), create(f"ORG-{number}-2")]
        made.append(await write(running, *both, amend(f"ORG-{number}", name="Another")))

    for _ in range(4):
        await write_some()
    applied: list[list[dict[str, Any]]] = []
    held: list[dict[str, Any]] = []
    page: dict[str, Any] = {"last": after, "more": True}
    while page["more"]:
        page = await ask(running.client, after=page["last"], limit=limit, **({"entity": entities} if entities else {}))
        for change in page["items"]:
            if held and change["revision"] != held[-1]["revision"]:
                applied.append(held)
                held = []
            held.append(change)
        if not page["more"] and held:
            applied.append(held)
            held = []
        if page["more"] and len(made) < 8:
            await write_some()
    entries = await pool_of(running.app.state.database).fetch(
        "SELECT seq, entity, number FROM change JOIN revision ON seq BETWEEN first AND number"
        " WHERE seq > $1 ORDER BY seq",
        after,
    )
    expected: dict[int, list[int]] = {number: [] for number in made}
    for entry in entries:
        if not entities or entry["entity"] in entities:
            expected[entry["number"]].append(entry["seq"])
    assert [[change["seq"] for change in whole] for whole in applied] == list(expected.values())
    # The last change of a write is the one whose number is that of the revision.
    if not entities:
        assert [whole[-1]["seq"] for whole in applied] == [whole[-1]["revision"] for whole in applied] == made


async def test_a_position_behind_the_last_change_is_rejected_at_once(running: RunningApp) -> None:
    """As after a backup was restored: the reader holds what is undone, and would miss what takes its numbers."""
    newest = (await ask(running.client, limit=1))["revision"]
    for path in (CHANGES, "/catalog/v1/programmes/MKD-01/history"):
        wait = {"wait": LONGEST_WAIT} if path == CHANGES else {}
        async with asyncio.timeout(2):
            answer = await running.client.get(path, params={"after": newest + 1, **wait})
        assert (answer.status_code, answer.json()["code"]) == (409, "beyond_last_change")
        assert answer.json()["errors"][0]["allowed"] == [f"0 to {newest}"]
    await write(running, create("ORG"))
    assert (await ask(running.client, after=newest + 1))["items"] == []


async def test_a_feed_of_some_entities_reads_no_change_twice(running: RunningApp) -> None:
    whole = await all_changes(running.client, limit=1000)
    for number in range(3):
        statements = [create(f"ORG-{number}"), *(amend(f"{n}", "thematic_area", note=f"{number}") for n in (1, 2))]
        await write(running, *statements)
    last = len(whole) + 9
    areas = [item for item in await all_changes(running.client, limit=1000) if item["entity"] == "thematic_area"]
    assert len(areas) > 6
    for limit in (1, 2, 1000):
        assert await all_changes(running.client, entity="thematic_area", limit=limit) == areas
    page = await ask(running.client, entity="thematic_area", after=areas[-1]["seq"], limit=1)
    assert (page["items"], page["last"], page["more"]) == ([], last, False)
    await write(running, create("ORG-9"))
    page = await ask(running.client, entity="thematic_area", after=last)
    assert (page["items"], page["last"], page["next"]) == (
        [],
        last + 1,
        f"{CHANGES}?after={last + 1}&entity=thematic_area",
    )
    several = await all_changes(running.client, entity=["thematic_area", "organization"], limit=50)
    assert several == [
        item
        for item in await all_changes(running.client, limit=1000)
        if item["entity"] in ("thematic_area", "organization")
    ]


async def test_a_change_says_what_was_and_what_is(running: RunningApp) -> None:
    beginning = (await ask(running.client, limit=1))["revision"]
    await write(
        running,
        create("ORG", "One"),
        amend("ORG", name="Two", updated="2026-01-02T00:00:00Z", note=None, parts=[{"a": 1}]),
        reason="because it's so",
    )
    without_note = "UPDATE organization SET record = (record::jsonb - 'note')::json WHERE code = 'ORG'"
    await write(running, amend("ORG", parts=[{"a": 2}]), without_note)
    await write(running, amend("ORG", updated="2026-01-03T00:00:00Z"))
    await write(running, delete("ORG"))
    items = (await ask(running.client, after=beginning))["items"]
    assert [(i["seq"] - beginning, i["revision"] - beginning, i["action"], i["changed"]) for i in items] == [
        (1, 2, "create", []),
        (2, 2, "amend", ["name", "note", "parts"]),
        (3, 4, "amend", ["parts"]),
        (4, 4, "amend", ["note"]),
        (5, 5, "amend", []),
        (6, 6, "delete", []),
    ]
    assert [i["before"] for i in items[1:]] == [i["after"] for i in items[:-1]]
    assert (items[0]["before"], items[-1]["after"]) == (None, None)
    assert items[1]["after"] == {
        "code": "ORG", "name": "Two", "updated": "2026-01-02T00:00:00Z", "note": None, "parts": [{"a": 1}],
    }  # fmt: skip
    assert {(i["entity"], i["key"], i["organization"]) for i in items} == {("organization", "ORG", "IOM")}
    assert [i["reason"] for i in items] == ["because it's so"] * 2 + [None] * 4
    assert items[0]["at"] == items[1]["at"] < items[2]["at"] == items[3]["at"] < items[4]["at"] < items[5]["at"]


async def test_a_document_that_cannot_be_compared_does_not_end_the_feed(running: RunningApp) -> None:
    """JSON may hold what no text of the database can; such a write is refused, or its change can be read."""
    beginning = (await ask(running.client, limit=1))["revision"]
    try:
        await write(running, "UPDATE organization SET record = '{\"name\": \"\\u0000\"}' WHERE code = 'IOM'")
    except sa.exc.DBAPIError:
        assert (await ask(running.client, limit=1))["revision"] == beginning
    assert (await ask(running.client, after=beginning))["last"] >= beginning


WRONG = [
    ("after", value, "invalid_parameter") for value in ("-1", "x", "", "1.5", "1" * 16, "2026-01-01")
] + [
    ("limit", value, "invalid_parameter") for value in ("0", "1001", "-1", "x", "")
] + [
    ("wait", value, "invalid_parameter") for value in ("-1", f"{LONGEST_WAIT + 1}", "1.5", "x", "", "9" * 12)
] + [
    ("entity", value, "unknown_code") for value in ("programmes", "draft", "change")
] + [
    ("entity", "", "invalid_parameter")
]  # fmt: skip


@pytest.mark.parametrize(("parameter", "value", "code"), WRONG)
async def test_a_wrong_parameter_of_the_feed_is_rejected(
    catalog: httpx.AsyncClient, parameter: str, value: str, code: str
) -> None:
    answer = await catalog.get(
        CHANGES, params={parameter: value, **({} if parameter == "wait" else {"wait": str(LONGEST_WAIT)})}
    )
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    (error,) = answer.json()["errors"]
    assert error["parameter"] == parameter
    assert error["allowed"]
    if value == "programmes":
        assert error["suggestion"] == "programme"


# --- the history of a record ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("service", "path"),
    [
        ("catalog", "/catalog/v1/documents/mptf-human-rights-brochure-2024"),
        ("catalog", "/catalog/v1/programmes/MKD-01"),
        ("catalog", "/catalog/v1/guiding-principles/people-centred"),
        ("funding", "/funding/v1/money-stages/contribution"),
        ("funding", "/funding/v1/requirements/MI-2015-KEN-health"),
        ("funding", "/funding/v1/editions/MI-2015"),
        ("markers", "/markers/v1/rubrics/hr-marker-illustrative.1"),
    ],
)
async def test_a_record_that_never_changed_was_created(apps: dict[str, RunningApp], service: str, path: str) -> None:
    record = (await apps[service].client.get(path)).json()
    page = await ask(apps[service].client, f"{path}/history")
    (created,) = page["items"]
    assert (created["action"], created["before"], created["after"]) == ("create", None, record)
    assert (created["key"], page["more"]) == (record["code"], False)
    assert created["seq"] <= created["revision"] == page["last"] == page["revision"]


async def test_the_history_of_one_record(running: RunningApp) -> None:
    path = f"{ORGANIZATIONS}/ORG/history"
    missing = await running.client.get(path)
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
    await write(running, create("ORG", "One"), create("ORG-2", "Another"))
    await write(running, amend("ORG", name="Two"), amend("IOM", name="Another"))
    await write(running, delete("ORG"))
    assert (await running.client.get(f"{ORGANIZATIONS}/ORG")).status_code == 404
    gone = await ask(running.client, path)
    assert [(i["action"], (i["after"] or {}).get("name")) for i in gone["items"]] == [
        ("create", "One"), ("amend", "Two"), ("delete", None),
    ]  # fmt: skip
    await write(running, create("ORG", "Three"))
    whole = await ask(running.client, path)
    assert whole["items"][:3] == gone["items"]
    assert whole["items"][3]["action"] == "create"
    # The pages of a history.
    found: list[Any] = []
    page: dict[str, Any] = {"next": f"{path}?limit=1", "more": True}
    while page["more"]:
        page = await ask(running.client, page["next"])
        found += page["items"]
    assert found == whole["items"]
    assert httpx.URL(page["next"]).path == path
    assert (await ask(running.client, page["next"]))["items"] == []
    for parameter, value in (("wait", "1"), ("entity", "organization"), ("as_of", "1")):
        answer = await running.client.get(path, params={parameter: value})
        assert (answer.status_code, answer.json()["code"]) == (422, "unknown_parameter")


async def test_the_history_of_a_record_that_was_renamed(running: RunningApp) -> None:
    await write(
        running,
        create("NEW", "World Health Organization"),
        delete("WHO"),
        "INSERT INTO renamed_code VALUES ('organization', 'WHO', 'NEW'), ('organization', 'OLDEST', 'NEW')",
    )
    assert (await running.client.get(f"{ORGANIZATIONS}/WHO")).headers["location"] == f"{ORGANIZATIONS}/NEW"
    # What was written under the old code is read under it; a code of before the journal leads to the new one's.
    old = await ask(running.client, f"{ORGANIZATIONS}/WHO/history")
    assert [i["action"] for i in old["items"]] == ["create", "delete"]
    assert [i["action"] for i in (await ask(running.client, f"{ORGANIZATIONS}/NEW/history"))["items"]] == ["create"]
    led = await running.client.get(f"{ORGANIZATIONS}/OLDEST/history", params={"limit": 5})
    assert (led.status_code, led.headers["location"]) == (308, f"{ORGANIZATIONS}/NEW/history?limit=5")
    unknown = await running.client.get(f"{ORGANIZATIONS}/UN_HABITAT/history")
    assert (unknown.status_code, unknown.json()["errors"][0]["suggestion"]) == (404, "UN-HABITAT")
