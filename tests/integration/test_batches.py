"""Batches: all or nothing, or every part that is right."""

from __future__ import annotations

from typing import Any

import asyncpg
import httpx

from tests.conftest import RunningApp
from tests.integration.programme_writes import DECIDED, PROGRAMMES, comparable, is_replayed, moved, state, submitted
from tests.tokens import writing
from tests.writes import statements_of

BATCH = "/catalog/v1/status-changes"


def row_of(programme: httpx.Response, status: str, **members: Any) -> dict[str, Any]:
    """A row that gives a programme a status on the day of its present one."""
    record = programme.json()
    day = record["status_history"][-1]["date"]
    return {
        "programme": record["code"], "etag": programme.headers["etag"], "status": status, "date": day, **DECIDED,
        **members,
    }  # fmt: skip


async def batch(client: httpx.AsyncClient, rows: list[dict[str, Any]], query: str = "") -> httpx.Response:
    return await client.post(f"{BATCH}{query}", json={"changes": rows}, headers=writing("management-unit"))


async def status_of(client: httpx.AsyncClient, *programmes: httpx.Response) -> list[str]:
    return [(await client.get(f"{PROGRAMMES}/{p.json()['code']}")).json()["status"] for p in programmes]


async def test_a_batch_is_written_as_one(client: httpx.AsyncClient, reader: asyncpg.Connection) -> None:
    notes = [await submitted(client) for _ in range(3)]
    statuses = ["pipeline", "not_selected", "withdrawn"]
    rows = [row_of(note, status) for note, status in zip(notes, statuses, strict=True)]
    headers = writing("management-unit")
    answer = await client.post(BATCH, json={"changes": rows}, headers=headers)
    codes = [note.json()["code"] for note in notes]
    assert answer.status_code == 200
    assert answer.json() == {
        "dry_run": False,
        "written": 3,
        "refused": 0,
        "outcomes": [
            {"row": n, "outcome": "written", "code": code, "status": 200, "errors": []} for n, code in enumerate(codes)
        ],
    }
    assert await status_of(client, *notes) == statuses
    newest = await reader.fetchrow("SELECT * FROM revision ORDER BY number DESC LIMIT 1")
    changed = await reader.fetch("SELECT key FROM change WHERE seq >= $1 ORDER BY seq", newest["first"])
    assert [row[0] for row in changed] == codes
    after = await state(reader)
    again = await client.post(BATCH, json={"changes": rows}, headers=headers)
    assert comparable(again) == comparable(answer)
    assert is_replayed(again)
    assert await state(reader) == after


async def test_a_star_stands_for_a_programme_as_it_is(client: httpx.AsyncClient) -> None:
    note = await submitted(client)
    answer = await batch(client, [row_of(note, "pipeline", etag="*")])
    assert (answer.status_code, answer.json()["written"]) == (200, 1)
    assert await status_of(client, note) == ["pipeline"]


async def test_a_batch_is_all_or_nothing(client: httpx.AsyncClient, reader: asyncpg.Connection) -> None:
    good, stale, wrong, last = [await submitted(client) for _ in range(4)]
    rows = [
        row_of(good, "pipeline"),
        row_of(stale, "pipeline", etag='"1-000000000000000000"'),
        row_of(wrong, "implementation"),
        row_of(last, "pipeline", decision=None, date="2099-01-01"),
        {**row_of(last, "pipeline"), "programme": "NO-SUCH-01"},
    ]
    before = await state(reader)
    answer = await batch(client, rows)
    assert answer.status_code == 422
    assert [(error["pointer"], error["code"]) for error in answer.json()["errors"]] == [
        ("/changes/1", "precondition_failed"),
        ("/changes/2/status", "transition_not_allowed"),
        ("/changes/3/date", "in_the_future"),
        ("/changes/3/decision", "missing_member"),
        ("/changes/4", "unknown_code"),
    ]
    assert await state(reader) == before


async def test_a_partial_batch_writes_what_is_right(client: httpx.AsyncClient, reader: asyncpg.Connection) -> None:
    first, wrong, last = [await submitted(client) for _ in range(3)]
    rows = [row_of(first, "pipeline"), row_of(wrong, "approved"), row_of(last, "not_selected")]
    tried = await batch(client, rows, "?partial=true&dry_run=true")
    assert (tried.json()["dry_run"], tried.json()["written"]) == (True, 2)
    assert await status_of(client, first, wrong, last) == ["concept_note"] * 3
    answer = await batch(client, rows, "?partial=true")
    assert answer.status_code == 200
    report = answer.json()
    assert {**report, "dry_run": True} == tried.json()
    assert (report["written"], report["refused"]) == (2, 1)
    assert [(o["row"], o["outcome"], o["status"]) for o in report["outcomes"]] == [
        (0, "written", 200),
        (1, "refused", 409),
        (2, "written", 200),
    ]
    (error,) = report["outcomes"][1]["errors"]
    assert (error["pointer"], error["code"]) == ("/changes/1/status", "transition_not_allowed")
    assert error["allowed"] == ["pipeline", "not_selected", "withdrawn"]
    assert await status_of(client, first, wrong, last) == ["pipeline", "concept_note", "not_selected"]
    unmoved = await client.get(wrong.headers["location"])
    assert unmoved.headers["etag"] == wrong.headers["etag"]
    assert await reader.fetchval("SELECT count(*) FROM change WHERE key = $1", wrong.json()["code"]) == 1


async def test_each_row_of_a_batch_has_its_own_reason(client: httpx.AsyncClient) -> None:
    """What is public of a programme has no text of another row, written or refused."""
    first, wrong, last = [await submitted(client) for _ in range(3)]
    reasons = ["The first one is ripe.", "A confidential doubt.", "The last one is weak."]
    statuses = ["pipeline", "approved", "not_selected"]
    rows = [row_of(n, s, reason=r) for n, s, r in zip((first, wrong, last), statuses, reasons, strict=True)]
    answer = await batch(client, [*rows, {**rows[1], "reason": "A second doubt."}], "?partial=true")
    assert (answer.json()["written"], answer.json()["refused"]) == (2, 2)
    written: dict[str, Any] = {}
    for programme, reason in ((first, reasons[0]), (last, reasons[2])):
        code = programme.json()["code"]
        history = await client.get(f"{PROGRAMMES}/{code}/history")
        written[code] = history.json()["items"][-1]
        assert written[code]["reason"] == reason
        assert not any(other in history.text for other in (*reasons, "A second doubt.") if other != reason)
    assert len({change["revision"] for change in written.values()}) == 1
    after = min(change["seq"] for change in written.values()) - 1
    feed = await client.get("/catalog/v1/changes", params={"after": after})
    assert [c for c in feed.json()["items"] if c["key"] in written] == list(written.values())
    refused = await client.get(f"{PROGRAMMES}/{wrong.json()['code']}/history")
    assert "doubt" not in feed.text + refused.text
    # The next write has its own reason again.
    moved_on = await moved(client, wrong, "pipeline")
    history = await client.get(f"{PROGRAMMES}/{moved_on.json()['code']}/history")
    assert history.json()["items"][-1]["reason"] not in (*reasons, "a batch of status changes", None)


async def test_a_programme_named_twice_is_stale_the_second_time(client: httpx.AsyncClient) -> None:
    note = await submitted(client)
    rows = [row_of(note, "pipeline"), row_of(note, "not_selected")]
    refused = await batch(client, rows)
    assert [(e["pointer"], e["code"]) for e in refused.json()["errors"]] == [("/changes/1", "precondition_failed")]
    assert await status_of(client, note) == ["concept_note"]
    partial = await batch(client, rows, "?partial=true")
    assert [(o["outcome"], o["status"]) for o in partial.json()["outcomes"]] == [("written", 200), ("refused", 412)]
    assert await status_of(client, note) == ["pipeline"]


async def test_a_programme_may_change_twice_in_whatever_state_it_is(
    client: httpx.AsyncClient, reader: asyncpg.Connection
) -> None:
    """Each change is checked after the one before it, and is one of the journal with its own reason."""
    note, other = await submitted(client), await submitted(client)
    steps = ["pipeline", "not_selected", "approved", "concept_note"]
    rows = [row_of(note, status, etag="*", reason=f"for {status}") for status in steps]
    rows.insert(2, row_of(other, "pipeline", reason="for the other"))
    report = (await batch(client, rows, "?partial=true")).json()
    assert [outcome["status"] for outcome in report["outcomes"]] == [200, 200, 200, 409, 200]
    assert await status_of(client, note, other) == ["concept_note", "pipeline"]
    changes = await reader.fetch(
        "SELECT reason, after->>'status' FROM change WHERE key = $1 ORDER BY seq DESC LIMIT 3", note.json()["code"]
    )
    assert [tuple(row) for row in changes] == [
        (f"for {status}", status) for status in ("concept_note", "not_selected", "pipeline")
    ]
    read = await client.get(f"{PROGRAMMES}/{note.json()['code']}")
    history = [entry["status"] for entry in read.json()["status_history"]]
    assert history == ["concept_note", "pipeline", "not_selected", "concept_note"]


async def test_many_changes_take_few_statements(catalog_service: RunningApp) -> None:
    """Most of what a write costs while others wait for it."""
    notes = [await submitted(catalog_service.client) for _ in range(12)]
    rows = [row_of(note, "pipeline") for note in notes]
    with statements_of(catalog_service) as executed:
        answer = await batch(catalog_service.client, rows, "?dry_run=true")
    assert answer.json()["written"] == 12
    assert len(executed) <= 12
    with statements_of(catalog_service) as fewer:
        await batch(catalog_service.client, rows[:2], "?dry_run=true")
    assert len(fewer) == len(executed)


async def test_a_key_stands_for_the_batch_and_what_its_parameters_mean(
    client: httpx.AsyncClient, reader: asyncpg.Connection
) -> None:
    rows, headers = [row_of(await submitted(client), "pipeline")], writing("management-unit")
    first = await client.post(f"{BATCH}?partial=true", json={"changes": rows}, headers=headers)
    assert first.json()["written"] == 1
    after = await state(reader)
    for query in ("?partial=TRUE", "?dry_run=false&partial=true", "?partial=True&dry_run=FALSE&_=17"):
        again = await client.post(f"{BATCH}{query}", json={"changes": rows}, headers=headers)
        assert comparable(again) == comparable(first)
        assert is_replayed(again)
    for query in ("", "?partial=false"):
        other = await client.post(f"{BATCH}{query}", json={"changes": rows}, headers=headers)
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert await state(reader) == after


async def test_a_batch_of_which_nothing_is_right_writes_nothing(
    client: httpx.AsyncClient, reader: asyncpg.Connection
) -> None:
    note = await submitted(client)
    before = await reader.fetchval("SELECT max(number) FROM revision")
    answer = await batch(client, [row_of(note, "approved")] * 2, "?partial=true")
    assert (answer.status_code, answer.json()["written"], answer.json()["refused"]) == (200, 0, 2)
    assert await reader.fetchval("SELECT max(number) FROM revision") == before


async def test_an_organization_withdraws_its_own_in_a_batch(client: httpx.AsyncClient) -> None:
    mine, other = await submitted(client), await submitted(client)
    theirs = await moved(client, other, "pipeline")
    rows = [row_of(mine, "withdrawn", decision=None), row_of(theirs, "approved")]
    answer = await client.post(f"{BATCH}?partial=true", json={"changes": rows}, headers=writing("agency"))
    assert [(o["outcome"], o["status"]) for o in answer.json()["outcomes"]] == [("written", 200), ("refused", 403)]
    assert await status_of(client, mine, theirs) == ["withdrawn", "pipeline"]
    strange = await client.post(f"{BATCH}?partial=true", json={"changes": rows}, headers=writing("agency", "ILO"))
    assert [o["status"] for o in strange.json()["outcomes"]] == [412, 403]


async def test_a_batch_has_five_hundred_changes_at_most(client: httpx.AsyncClient) -> None:
    rows = [{"programme": "MKD-01", "etag": "*", "status": "pipeline", "date": "2024-01-01", **DECIDED}] * 501
    refused = await batch(client, rows, "?dry_run=true")
    assert refused.status_code == 422
    assert [(error["code"], error["pointer"]) for error in refused.json()["errors"]] == [("invalid_value", "/changes")]
