"""Current grades and their counts: what the database stores as records change is what the records say, now and then."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa

from mmptf_common.storage import migrations
from mmptf_common.storage.journal import Author, begin_write
from mmptf_common.storage.records import put
from mmptf_common.storage.writing import writing
from mmptf_local.postgres import Postgres
from mmptf_markers.engine.rubric import STAGES, YEARLY
from mmptf_markers.models import Base, ProgrammeRow
from mmptf_markers.replication import programme_row
from tests.conftest import running_app
from tests.integration.marked import (
    CURRENT_GRADES,
    DOCUMENT_DATES,
    DRAFTS,
    INDICATOR,
    IOM,
    Markers,
    answers,
    made,
    programme,
)  # fmt: skip
from tests.integration.older_schema import copy_rows, migrate_to
from tests.unit.markers.rubrics import small

CHANGES = 60
DERIVED = [table for table in Base.metadata.tables.values() if table.name.startswith("current_grade")]


@pytest.fixture
async def markers(new_database: Callable[[str], str]) -> AsyncIterator[Markers]:
    async with running_app("markers", new_database("markers"), None) as running:
        yield Markers(running)


async def kept_and_derived(markers: Markers, table: sa.Table) -> tuple[list[Any], list[Any]]:
    """The rows that the database keeps, and those that it derives anew from the records."""
    columns = ", ".join(column.name for column in table.columns)
    async with writing(markers.running.app.state.database) as session:
        kept = await session.execute(sa.text(f"SELECT {columns} FROM {table.name}"))
        derived = await session.execute(sa.text(f"SELECT {columns} FROM ({table.info['derived']}) AS derived"))
        return [sorted(map(tuple, rows), key=str) for rows in (kept, derived)]  # type: ignore[return-value]


async def removed(markers: Markers, code: str) -> None:
    """Keep a programme no more, as if the catalogue had none of this code any longer."""
    async with writing(markers.running.app.state.database) as session:
        await begin_write(session, Author("test"), "followed")
        await session.delete(await session.get(ProgrammeRow, code))


async def changed(markers: Markers, chance: random.Random, codes: list[str]) -> None:
    """One change of whatever a current grade is made of."""
    code = chance.choice(codes)
    stage, year = chance.choice(
        [*((s, None) for s in STAGES if s not in YEARLY), ("annual_report", 2025), ("evaluation", 2025)]
    )
    match chance.choice(("programme", "programme", "allocation", "allocation", "declaration", "submission", "gone")):
        case "programme":
            amount = chance.choice(("0.95", "1500000.00", None))
            budget = amount and {"amount": amount, "currency": chance.choice(("USD", "EUR")), "stage": "requirement"}
            stages = chance.choices(("funded", "pipeline"), k=2)
            other = codes[(codes.index(code) + 1) % len(codes)]
            # Two at once: one page of a feed is one statement for several programmes.
            await markers.copy(programme(code, stage=stages[0], budget=budget), programme(other, stage=stages[1]))
        case "allocation":
            await markers.allocate(code, chance.choice(("10.01", "-10.01", "0.33", "2000000.00")))
        case "declaration":
            await markers.declare(code, chance.choice("ABC"), stage=stage, year=year)
        case "submission":
            begun = {
                "programme": code,
                "stage": stage,
                "year": year,
                "document_date": DOCUMENT_DATES.get(stage),
                "answers": answers(chance.choice((1, 2, 3)), stage),
            }
            draft = await markers.send("POST", DRAFTS, IOM, begun)
            if draft.status_code == 201:
                submitted = made(await markers.submit(draft))
                if decision := chance.choice(("accept", "return", None)):
                    await markers.reviewed(submitted, decision=decision)
        case "gone":
            await removed(markers, code)
            await markers.copy(programme(code, stage="closed"))


async def test_stored_current_grades_equal_those_of_the_records(markers: Markers) -> None:
    chance = random.Random(20261125)
    codes = [f"S-{n}" for n in range(6)]
    await markers.copy(*(programme(code) for code in codes))
    answered: dict[int, Any] = {}
    seen = set()
    for number in range(CHANGES):
        if number == CHANGES // 2:
            # From now on every programme stands under another marker too.
            await markers.publish({**small({"type": "manual"}, ["A", "B"], [1]), "code": "gender", "marker": "gender"})
        await changed(markers, chance, codes)
        for table in DERIVED:
            kept, derived = await kept_and_derived(markers, table)
            assert kept == derived, (number, table.name)
        found = await markers.get(INDICATOR)
        answered[found["revision"]] = found["whole"]
        seen.add((found["whole"]["counted"], found["whole"]["under_review"], found["whole"]["programmes"]))
        await require_counted(markers)
    assert len(seen) > 10
    for revision, whole in answered.items():
        then = (await markers.get(INDICATOR, as_of=revision))["whole"]
        for grade in then["grades"]:
            grade["link"] = grade["link"].replace(f"as_of={revision}&", "")
        assert then == whole
    for revision in [*answered][:: CHANGES // 10]:
        await require_counted(markers, as_of=revision)


async def require_counted(markers: Markers, **query: Any) -> None:
    """Fail unless the number of a list's rows, which is read from the counts, is theirs under every filter."""
    listed = (await markers.get(CURRENT_GRADES, limit=1000, **query))["items"]
    for name in ("marker", "stage", "grade", "rubric"):
        values = {item[name] for item in listed}
        for value in values:
            stated = "not_stated" if value is None else value
            found = await markers.get(CURRENT_GRADES, **{name: stated}, **query)
            assert found["total"] == len(found["items"]) == sum(item[name] == value for item in listed), (name, value)


async def test_what_was_there_before_stands_after_the_migration(markers: Markers, postgres: Postgres) -> None:
    await markers.copy(*(programme(code) for code in ("S-1", "S-2")))
    url = postgres.create_database("markers_before_current_grades")
    await migrate_to(url, "markers", "0005")
    await copy_rows(markers.running.database_url, url, ("source_document", "rubric", "target", "programme"))
    await migrations.migrate(url, "mmptf_markers")
    async with running_app("markers", url, None) as running:
        migrated = Markers(running)
        for table in DERIVED:
            kept, derived = await kept_and_derived(migrated, table)
            assert kept == derived != []
        made(await migrated.declare("S-2", "A"))
        found = (await migrated.get(INDICATOR))["whole"]
        assert (found["programmes"], found["counted"]) == (2, 1)


async def test_many_rows_are_one_statement_whatever_each_of_them_lacks(
    markers: Markers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The triggers run for each statement, and a copy may have many thousand rows."""
    sent: list[str] = []
    async with writing(markers.running.app.state.database) as session:
        write = await begin_write(session, Author("test"))
        lacking = ({"budget": None}, {}, {"thematic_area": None}, {"budget": None, "thematic_area": None})
        rows = [programme_row(programme(f"S-{n}", **lacking[n % 4]), write.at) for n in range(40)]
        execute = write.connection.execute

        async def recorded(statement: str, *values: Any) -> Any:
            sent.append(statement)
            return await execute(statement, *values)

        monkeypatch.setattr(asyncpg.Connection, "execute", lambda _, *sent: recorded(*sent))
        await put(write, rows)
        await put(write, rows)
        monkeypatch.undo()
    assert [statement.split(" (")[0] for statement in sent] == 2 * ["INSERT INTO programme"]
    assert (await markers.get(INDICATOR))["whole"]["programmes"] == 40


async def test_counts_are_read_and_not_made_again(markers: Markers) -> None:
    """The indicator of all programmes and their number read no row of any: they take as long for many as for few."""
    await markers.copy(*(programme(f"S-{n}") for n in range(20)))
    async with markers.running.as_owner() as session:
        # What is read instead of the counts would differ from them.
        await session.execute(sa.text("UPDATE current_grade_count SET programmes = programmes + 1000"))
    assert (await markers.get(INDICATOR))["whole"]["programmes"] == 1020
    assert (await markers.get(CURRENT_GRADES, marker="human_rights"))["total"] == 1020
    assert (await markers.get(INDICATOR, organization="IOM"))["whole"]["programmes"] == 20
