"""The indicator by group is read from what triggers have counted, and is the same as counted anew, now and then."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from typing import Any, get_args

import pytest
import sqlalchemy as sa

from mmptf_common.storage.journal import Author, begin_write
from mmptf_common.storage.rollups import differences
from mmptf_common.storage.writing import writing
from mmptf_markers.indicator.schemas import IndicatorDivision
from mmptf_markers.models import Base, PlaceRow, ProgrammeRow
from tests.conftest import running_app
from tests.integration.indicator import unlinked
from tests.integration.marked import INDICATOR, Json, Markers, made, place
from tests.integration.test_money_by_group import PLACES, WITHIN, drawn
from tests.unit.markers.rubrics import small

CHANGES = 80
DIVISIONS: list[str] = list(get_args(IndicatorDivision.__value__))
QUESTIONS: list[Json] = [{"by": by} for by in DIVISIONS]
QUESTIONS += [{}, {"grade": "B"}, *({"by": by, "grade": ["A", "not_stated"]} for by in DIVISIONS)]
QUESTIONS += [{"by": "region", "rubric": "not_stated"}]


@pytest.fixture
async def markers(new_database: Callable[[str], str]) -> AsyncIterator[Markers]:
    async with running_app("markers", new_database("markers"), None) as running:
        yield Markers(running)


async def changed(markers: Markers, draw: random.Random, number: int) -> None:
    """One write of whatever the groups are made of."""
    document, allocated = drawn(draw, draw.randrange(20))
    match draw.choice(("programmes", "programmes", "allocation", "grade", "grade", "place", "gone")):
        case "programmes":
            # One page of a feed is one statement for several programmes.
            other, _ = drawn(draw, draw.randrange(20, 40))
            stage = draw.choice(("funded", "funded", "pipeline"))
            await markers.copy(document, {**other, "stage": stage})
        case "allocation":
            for amount in allocated:
                await markers.allocate(document["code"], amount)
        case "grade":
            if document["organizations"]:
                await markers.copy(document)
                named_as = document["organizations"][0]["code"]
                made(
                    await markers.declare(
                        document["code"], draw.choice("ABC"), organization=named_as,
                        stage="annual_report", year=2000 + number % 26,
                    )
                )  # fmt: skip
        case "place":
            # Into other regions, out of them, and written again as it was.
            within = draw.choice([*WITHIN.values()])
            await markers.copy(places=[place(draw.choice(sorted(WITHIN)), *within)])
        case "gone":
            of = draw.choice((ProgrammeRow, ProgrammeRow, PlaceRow))
            async with writing(markers.running.app.state.database) as session:
                await begin_write(session, Author("test"), "followed")
                code = draw.choice(sorted(WITHIN)) if of is PlaceRow else document["code"]
                if row := await session.get(of, code):
                    await session.delete(row)


async def answered(markers: Markers, question: Json, **further: Any) -> Json:
    """What an answer says of the whole and of each group, without links."""
    found = await markers.get(INDICATOR, **question, **further)
    groups = {group["code"]: unlinked(group["indicator"]) for group in found["groups"]}
    return {"whole": unlinked(found["whole"]), "groups": groups}


async def programmes_of(markers: Markers) -> list[str]:
    """The codes of all programmes that there ever were."""
    async with writing(markers.running.app.state.database) as session:
        found = await session.execute(sa.text("SELECT code FROM programme UNION SELECT code FROM programme_past"))
        return [row.code for row in found]


@pytest.mark.longer
async def test_stored_counts_of_groups_are_those_of_the_programmes_now_and_then(markers: Markers) -> None:
    draw = random.Random(20261129)
    await markers.copy(*(drawn(draw, number)[0] for number in range(30)), places=PLACES)
    kept: dict[int, list[Json]] = {}
    for number in range(CHANGES):
        if number == CHANGES // 2:
            # Every programme has a current grade under another marker, too, which it had not before.
            await markers.publish({**small({"type": "manual"}, ["A", "B"], [1]), "code": "gender", "marker": "gender"})
        await changed(markers, draw, number)
        assert await differences(markers.running.database_url, Base.metadata) == [], number
        if number % 8 == 0:
            # A filter by which all are found, of which nothing is stored.
            everyone = {"programme": await programmes_of(markers)}
            now = [await answered(markers, question) for question in QUESTIONS]
            assert now == [await answered(markers, question, **everyone) for question in QUESTIONS], number
            kept[await markers.revision()] = now
    assert len({str(now) for now in kept.values()}) == len(kept) == CHANGES // 8
    for revision, then in kept.items():
        assert [await answered(markers, question, as_of=revision) for question in QUESTIONS] == then, revision
    everyone = {"programme": await programmes_of(markers)}
    for revision, then in [*kept.items()][:: len(kept) // 2]:
        assert [await answered(markers, question, as_of=revision, **everyone) for question in QUESTIONS] == then
