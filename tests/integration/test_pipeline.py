"""The status of programmes on a past day, by the dates of their statuses."""

from __future__ import annotations

from datetime import date
from typing import Any

import httpx

from tests.integration.programmes_client import API, PROGRAMMES, errors, moved, submitted, today


async def counts(client: httpx.AsyncClient, query: str = "") -> dict[str, int]:
    answer = (await client.get(f"{API}/pipeline{query}")).json()
    found = {each["status"]: each["programmes"] for each in answer["statuses"]}
    assert sum(found.values()) == answer["programmes"]
    return found


async def test_the_pipeline_of_packaged_programmes(client: httpx.AsyncClient) -> None:
    everything: list[Any] = (await client.get(f"{PROGRAMMES}?limit=200")).json()["items"]
    now = await counts(client)
    for status, count in now.items():
        assert count == sum(each["status"] == status for each in everything)
        listed = (await client.get(f"{PROGRAMMES}?status={status}&limit=200")).json()["items"]
        assert [each["code"] for each in listed] == [each["code"] for each in everything if each["status"] == status]
    first = min(date.fromisoformat(h["date"]) for each in everything for h in each["status_history"])
    before = await counts(client, f"?on={first.replace(year=first.year - 1)}")
    assert before["not_stated"] == len(everything)
    assert errors(await client.get(f"{API}/pipeline?on=2026-02-30"))[0][0] == "invalid_parameter"


async def test_a_programme_counts_with_its_status_of_the_day(client: httpx.AsyncClient) -> None:
    before = await counts(client)
    early = (await client.get(f"{API}/pipeline")).json()["revision"]
    programme = await moved(client, await submitted(client), "pipeline")
    code = programme.json()["code"]
    # Both statuses are of today, and the last one is that of the day.
    assert await counts(client) == {**before, "pipeline": before["pipeline"] + 1}
    assert await counts(client, f"?as_of={early}") == before
    day = today().isoformat()
    answer = (await client.get(f"{API}/pipeline?on={day}")).json()
    (link,) = [each["link"] for each in answer["statuses"] if each["status"] == "pipeline"]
    assert code in {each["code"] for each in (await client.get(f"{link}&limit=200")).json()["items"]}
    for query, found in (
        (f"status_on={day}", True),
        (f"status_on={day}&status=concept_note", False),
        ("status_on=2020-01-01", False),
        ("status_on=2020-01-01&status=not_stated", True),
    ):
        listed = await client.get(f"{PROGRAMMES}?code={code}&{query}")
        assert bool(listed.json()["items"]) == found, query
    table = (await client.get(f"{API}/pipeline?format=csv")).text.splitlines()
    assert table[0] == "status,stage,programmes,link"
    assert len(table) == 1 + len(answer["statuses"])
