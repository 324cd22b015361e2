"""The indicator as of earlier revisions, and over time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from tests.conftest import running_app
from tests.integration.indicator import CRITERIA, OVER_TIME, PLACES, action, listed, named, unlinked, whole
from tests.integration.marked import (
    ACTIONS,
    ASSESSMENTS,
    CURRENT_GRADES,
    INDICATOR,
    RUBRIC_CODE,
    Json,
    Markers,
    answer,
    answers,
    made,
    place,
    programme,
)
from tests.unit.markers.rubrics import small


@pytest.fixture
async def markers(new_database: Callable[[str], str]) -> AsyncIterator[Markers]:
    async with running_app("markers", new_database("markers"), None) as running:
        yield Markers(running)


QUESTIONS_THEN = (
    f"{INDICATOR}?", f"{INDICATOR}?by=country", f"{INDICATOR}?by=region", f"{INDICATOR}?by=organization",
    f"{INDICATOR}?by=thematic_area", f"{INDICATOR}?by=rubric", f"{CURRENT_GRADES}?limit=1000",
    f"{CRITERIA}?marker=human_rights", f"{ACTIONS}?sort=code", f"{ASSESSMENTS}?limit=1000",
)  # fmt: skip


async def test_what_was_answered_at_a_revision_is_answered_again(markers: Markers) -> None:
    client = markers.running.client
    kept: dict[int, list[tuple[Json, str]]] = {}

    async def keep() -> None:
        answered = [await client.get(question) for question in QUESTIONS_THEN]
        assert {a.status_code for a in answered} == {200}
        kept[answered[0].json()["revision"]] = [(a.json(), a.headers["etag"]) for a in answered]

    first, second = programme("T-01", places=named("KEN")), programme("T-02", places=named("KEN", "SRB"))
    await markers.copy(first, second, places=PLACES)
    await keep()
    said = answers(3, equality=answer(3, actions=[action("2026-01-31")]))
    submitted = await markers.submitted("T-01", answers=said)
    await keep()
    await markers.reviewed(submitted, answers={"equality": {"answer": 0, "reason": "x"}})
    await keep()
    correction = await markers.submitted("T-01", 2, answers=answers(2, equality=answer(2, actions=[])))
    await keep()
    await markers.reviewed(correction)
    await keep()
    # The catalogue's own: nobody is in ILO's place, another area, country, budget and stage.
    changed = {"organizations": named("IOM"), "thematic_area": {"code": "5", "name": "Inclusion"}, "budget": None}
    await markers.copy({**first, **changed}, {**second, "stage": "closed", "organizations": named("IOM")})
    await keep()
    await markers.copy(places=[place("KEN", "150", "039")])
    await keep()
    await markers.allocate("T-01", "1000.00")
    await keep()
    await markers.allocate("T-01", "-999.99")
    await keep()
    await markers.publish(
        {**small({"type": "manual"}, ["A", "B"], [1]), "code": "o", "marker": "human_rights"}, RUBRIC_CODE
    )
    await keep()
    assert len(kept) == 10
    assert len({str(answered[0]["whole"]) for answered in (then[0] for then in kept.values())}) >= 7
    # Another process, which has seen no code before.
    async with running_app("markers", markers.running.database_url, None) as running:
        for number, then in kept.items():
            for question, (before, _) in zip(QUESTIONS_THEN, then, strict=True):
                answered = await running.client.get(f"{question}&as_of={number}")
                assert answered.status_code == 200, answered.text
                links = as_then(answered.json(), number)
                assert links == before
    async with running_app("markers", markers.running.database_url, None) as running:
        for number, then in kept.items():
            # No filter finds what several groups have together.
            for group in (each for each in then[3][0]["groups"] if each["code"] != "shared"):
                for grade in group["indicator"]["grades"]:
                    rows = await listed(Markers(running), f"{grade['link']}&as_of={number}")
                    assert len(rows) == grade["programmes"]


def as_then(found: Any, number: int) -> Any:
    """An answer of the past with its links as they were when it was the present."""
    if isinstance(found, dict):
        return {name: as_then(value, number) for name, value in found.items()}
    if isinstance(found, list):
        return [as_then(value, number) for value in found]
    if isinstance(found, str) and found.startswith(f"{CURRENT_GRADES}?"):
        assert f"as_of={number}&" in found
        return found.replace(f"as_of={number}&", "")
    return found


def last_days(first: date, last: date, months: int) -> list[date]:
    """The last days of all periods from one day to another."""
    days = [first + timedelta(days=n) for n in range((last - first).days + 400)]
    ends = [day for day in days if (day + timedelta(days=1)).day == 1 and day.month % months == 0]
    return [day for day in ends if day < last] + [next(day for day in ends if day >= last)]


async def test_the_indicator_over_time_is_what_was_known_at_each_end(markers: Markers) -> None:
    codes = [await markers.copied() for _ in range(2)]
    today = datetime.now(UTC).date()
    # Written in the last second of a year, in the first one of a month, and on the last day of that month.
    first, second = date(today.year - 2, 12, 31), date(today.year - 1, 5, 1)
    await written_at(markers, datetime(first.year, 12, 31, 23, 59, 59, tzinfo=UTC))
    made(await markers.declare(codes[0], "A"))
    await written_at(markers, datetime(second.year, 5, 1, tzinfo=UTC))
    made(await markers.declare(codes[1], "C"))
    await written_at(markers, datetime(second.year, 5, 31, 12, tzinfo=UTC))
    made(await markers.declare(codes[1], "B", stage="final_report"))
    for interval, months in (("month", 1), ("quarter", 3), ("year", 12)):
        answered = await markers.get(OVER_TIME, interval=interval, dated="entered")
        assert answered["dated"] == "entered"
        periods = answered["periods"]
        assert [period["period_end"] for period in periods] == [d.isoformat() for d in last_days(first, today, months)]
        for period in periods:
            ended = date.fromisoformat(period["period_end"]) < today
            then: Json = {"as_of": f"{period['period_end']}T23:59:59.999999Z"} if ended else {}
            assert unlinked(period["indicator"]) == unlinked(await whole(markers, **then))
            for grade in period["indicator"]["grades"]:
                assert len(await listed(markers, grade["link"])) == grade["programmes"]
        counted = [period["indicator"]["counted"] for period in periods]
        assert (counted[0], counted[-1], sorted(counted)) == (0, 2, counted)


async def test_the_course_is_by_the_day_of_what_was_assessed(markers: Markers) -> None:
    """What a document said of 2022 can be shown, or not, though all of it was entered today."""
    codes = [await markers.copied() for _ in range(4)]
    assert (await markers.get(OVER_TIME, interval="year"))["periods"] == []
    made(await markers.declare(codes[0], "A", date="2021-11-30"))
    made(await markers.declare(codes[1], "B", date="2022-12-31"))
    made(await markers.declare(codes[0], "C", stage="annual_report", year=2023, date="2024-05-01"))
    await markers.accepted(codes[2], 3, document_date="2023-06-30")
    returned = await markers.submitted(codes[1], 3, stage="annual_report", year=2024)
    await markers.reviewed(returned, decision="return")
    answered = await markers.get(OVER_TIME, interval="year")
    assert answered["dated"] == "assessed"
    found = {
        period["period_end"][:4]: (
            period["indicator"]["counted"], period["indicator"]["illustrative"], period["indicator"]["unassessed"],
            period["indicator"]["returned"], period["indicator"]["programmes"],
        )
        for period in answered["periods"]
    }  # fmt: skip
    assert found == {
        "2021": (1, 0, 3, 0, 4), "2022": (2, 0, 2, 0, 4), "2023": (1, 1, 1, 0, 4), "2024": (0, 1, 2, 1, 4),
        **{str(year): (0, 1, 2, 1, 4) for year in range(2025, datetime.now(UTC).year + 1)},
    }  # fmt: skip
    assert {period["at"] for period in answered["periods"]} == {None}
    # The last one is the indicator of now.
    await markers.submitted(codes[3], 2)
    answered = await markers.get(OVER_TIME, interval="year")
    assert [period["indicator"]["under_review"] for period in answered["periods"]][:2] == [0, 1]
    now = unlinked(await whole(markers))
    assert unlinked(answered["periods"][-1]["indicator"]) == now


async def written_at(markers: Markers, moment: datetime) -> None:
    """Let the last write have been at a moment that is past, and all others of today as long before it as they were."""
    async with markers.running.as_owner() as session:
        await session.execute(
            sa.text("UPDATE revision SET at = at - ((SELECT max(at) FROM revision) - :moment) WHERE at > :after"),
            {"moment": moment, "after": datetime.now(UTC) - timedelta(days=1)},
        )
