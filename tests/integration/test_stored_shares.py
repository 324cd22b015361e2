"""Shares that were stored as whole numbers are answered as all shares are, of now, of the past and in histories."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa

from mmptf_common.storage.journal import Author, begin_write
from mmptf_common.storage.writing import writing
from tests.integration.marked import API, ASSESSMENTS, INDICATOR, Json, Markers, answer, answers, at

QUOTED = 'It says "share":{"numerator":1,"denominator":2,"percentage":"50.00"} there.'


def earlier(found: Any) -> Any:
    """A record with its shares as they were stored before."""
    if isinstance(found, list):
        return [earlier(item) for item in found]
    if not isinstance(found, dict):
        return found
    if found.keys() == {"numerator", "denominator", "per_cent"}:
        return {
            "numerator": int(found["numerator"]),
            "denominator": int(found["denominator"]),
            "percentage": found["per_cent"],
        }
    return {name: earlier(value) for name, value in found.items()}


async def store(markers: Markers, table: str, record: Json) -> None:
    """Replace what is stored of a record, as a write of the journal."""
    async with writing(markers.running.app.state.database) as session:
        await begin_write(session, Author("test"), "as it was stored before")
        await session.execute(
            sa.text(f"UPDATE {table} SET record = CAST(:record AS json) WHERE code = :code"),
            {"record": json.dumps(record, ensure_ascii=False, separators=(",", ":")), "code": record["code"]},
        )


async def journalled(markers: Markers, code: str) -> Json:
    """What the journal has as the last state of a record, in the form that was stored."""
    async with writing(markers.running.app.state.database) as session:
        last = sa.text("SELECT after FROM change WHERE key = :code ORDER BY seq DESC LIMIT 1")
        found: Json = await session.scalar(last, {"code": code})
    return found


async def test_an_assessment_is_answered_as_it_is_now_and_stored_so_with_its_next_change(
    marker_service: Markers,
) -> None:
    given = answers(3, equality=answer(2, justification=QUOTED), due_diligence=answer(2))
    submitted = await marker_service.submitted(await marker_service.copied(), answers=given)
    record = submitted.json()
    path, share = at(submitted), record["derived"]["share"]
    assert share.keys() == {"numerator", "denominator", "per_cent"} and share["per_cent"] != "100.00"
    await store(marker_service, "assessment", earlier(record))
    stored = await marker_service.revision()
    assert await journalled(marker_service, record["code"]) == earlier(record) != record
    assert (await marker_service.get(f"{path}/history"))["items"][-1]["after"] == record

    async def answered(**query: str) -> list[Json]:
        listed = (await marker_service.get(ASSESSMENTS, **query))["items"]
        lines = await marker_service.running.client.get(ASSESSMENTS, params={"format": "ndjson", **query})
        return [await marker_service.get(path, **query), listed[0], json.loads(lines.text)]

    assert await answered() == [record] * 3
    again = await marker_service.running.client.get(path)
    accepted = await marker_service.review(again, answers={"equality": {"answer": 1, "reason": "Not shown."}})
    assert accepted.status_code == 200, accepted.text
    assert accepted.json()["derived"] == record["derived"]
    assert (await marker_service.get(f"{path}/history"))["items"][-1]["after"] == accepted.json()
    assert await answered(as_of=str(stored)) == [record] * 3


async def test_a_target_is_answered_as_it_is_now(marker_service: Markers) -> None:
    path = f"{API}/targets/human-rights-90"
    record, before = await marker_service.get(path), await marker_service.get(INDICATOR)
    assert record["minimum"] == {"numerator": "9", "denominator": "10", "per_cent": "90.00"}
    stored = {**record, "minimum": {"numerator": 9, "denominator": 10}}
    await store(marker_service, "target", stored)
    assert await journalled(marker_service, record["code"]) == stored
    assert (await marker_service.get(f"{path}/history"))["items"][-1]["after"] == record
    assert await marker_service.get(path) == record
    assert (await marker_service.get(f"{API}/targets"))["items"] == [record]
    after = await marker_service.get(INDICATOR)
    assert {**after, "revision": None} == {**before, "revision": None}
    # A target that was stored before it had what a document prints and claims states that it has none.
    before_claims = {name: value for name, value in stored.items() if name not in ("printed", "claims")}
    await store(marker_service, "target", before_claims)
    bare = {**record, "printed": None, "claims": []}
    assert await marker_service.get(path) == bare
    assert (await marker_service.get(f"{API}/targets"))["items"] == [bare]
    without = await marker_service.get(INDICATOR)
    assert (without["target"], without["coverage"]) == (bare, {**before["coverage"], "printed": None, "share": None})
    csv = await marker_service.running.client.get(f"{API}/targets?format=csv")
    assert "9/10" in csv.text
