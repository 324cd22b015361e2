"""Rollups: triggers as declared, the same as a recount, and the same answers as from the rows themselves."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from typing import Any

import asyncpg
import pytest

from mmptf_common import cli
from mmptf_common.lists.facets import facets_statement
from mmptf_common.lists.listing import Listing, Statement
from mmptf_common.lists.pages import page_statement
from mmptf_common.lists.totals import groups_statement, wholes_statement
from mmptf_common.storage.as_of import PLANNING, AsOfTables, EarlierTables
from mmptf_common.storage.rollups import Rollup, differences, trigger_statements
from tests.conftest import admin_url, service_of, serving_url
from tests.integration.described import schema_of
from tests.integration.lookups import listings
from tests.integration.rollup_writes import CHANGED, random_writes, tables_written

# Random writes; `make drills` carries out 100,000 of them.
WRITES = 100
SERVICES = ("funding", "markers")
# Read by the statements of payments and by the indicator, and by no list.
OF_ANSWERS = {"ledger_entry_rollup_by_commitment", "current_grade_rollup_by_group", "programme_rollup_by_organization"}


def rollups(service: str) -> list[Rollup]:
    """The rollups of a service."""
    return [t.info["rollup"] for t in service_of(service).metadata.tables.values() if "rollup" in t.info]


def tables(service: str) -> list[str]:
    """The tables of a service that have rollups."""
    return list(dict.fromkeys(rollup.of for rollup in rollups(service)))


@pytest.fixture(scope="module", params=SERVICES)
def written(request: pytest.FixtureRequest, new_database: Callable[[str], str]) -> tuple[str, str]:
    """A service, and the URL of a database that random writes were made to while writers were killed."""
    service: str = request.param
    url = new_database(service)
    writing = random_writes(url, tables(service), WRITES, seconds=600, admin=admin_url(url))
    done = asyncio.run(writing)
    print(done)
    assert done.committed + done.undone >= WRITES
    assert done.killed
    return service, url


@pytest.fixture
async def connection(written: tuple[str, str]) -> AsyncIterator[asyncpg.Connection]:
    found = await asyncpg.connect(written[1])
    yield found
    await found.close()


@pytest.mark.parametrize("service", SERVICES)
async def test_the_triggers_are_those_of_the_declaration(new_database: Callable[[str], str], service: str) -> None:
    metadata = service_of(service).metadata
    assert set(tables_written(tables(service))) == CHANGED.keys() & metadata.tables.keys()
    connection = await asyncpg.connect(new_database(service))
    try:
        migrated = await schema_of(connection)
        for table in tables(service):
            for event in ("insert", "update", "delete"):
                await connection.execute(f"DROP TRIGGER roll_up_{event} ON {table}")
            for statement in trigger_statements(metadata, table):
                await connection.execute(statement)
        assert await schema_of(connection) == migrated
    finally:
        await connection.close()


def test_a_rollup_tells_values_that_are_not_stated_from_others() -> None:
    """`amount IS NULL` must hold for all the rows that one of a rollup stands for, or for none."""
    for service in SERVICES:
        for rollup in rollups(service):
            source = service_of(service).metadata.tables[rollup.of].columns
            for name in {*rollup.sums, *rollup.extremes}:
                assert not source[name].nullable or f"{name}_stated" in rollup.derived, (rollup.table, name)


async def test_rollups_equal_a_recount_after_writes_of_which_some_were_killed(
    written: tuple[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    service, url = written
    assert await differences(url, service_of(service).metadata) == []
    monkeypatch.setenv("DATABASE_URL", serving_url(url))
    assert await asyncio.to_thread(cli.main, service_of(service), ["check-rollups"]) == 0
    assert "equal a recount" in capsys.readouterr().out
    (rollup, *_) = rollups(service)
    more = f"UPDATE {rollup.table} SET n = n + $1 WHERE ctid = (SELECT min(ctid) FROM {rollup.table})"
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(more, 1)
        assert await asyncio.to_thread(cli.main, service_of(service), ["check-rollups"]) == 1
        said = capsys.readouterr().err
        assert f"{service}: {rollup.table}: stored, and not counted: {{" in said
        assert f"{service}: {rollup.table}: counted, and not stored: {{" in said
        # As it was, for the tests that follow; the row is another version of itself by now.
        await connection.execute(f"DELETE FROM {rollup.table}; INSERT INTO {rollup.table} {rollup.rows(rollup.of)}")
    finally:
        await connection.close()


# Values of the filters that are no facets.
GIVEN = {
    "/funding/v1/requirements": {"amount_min": ["5000"], "updated_since": ["2026-01-01"], "q": ["health"]},
    "/funding/v1/contributions": {"amount_max": ["5000"]},
    "/funding/v1/ledger": {"date_from": ["2024-03-01"], "date_to": ["2024-06-30"], "reversal": ["false"]},
    "/markers/v1/assessments": {
        "marker": ["human_rights"], "stage": ["annual_report", "final_report"], "status": ["accepted", "returned"],
        "grade": ["A", "B"], "rubric": ["hr-marker-illustrative.1"], "organization": ["IOM", "ILO"],
        "programme": ["P-1"],
    },
    "/markers/v1/standings": {
        "marker": ["human_rights"], "stage": ["funded", "closed"], "grade": ["A", "not_stated"], "assessed": ["true"],
        "rubric": ["hr-marker-illustrative.1", "not_stated"],
    },
}  # fmt: skip


async def filters_of(connection: asyncpg.Connection, listed: Listing) -> list[dict[str, Any]]:
    """Queries by every filter of a list, by its most frequent and its rarest value, by two filters, and by none."""
    values = dict(GIVEN[listed.path])
    if listed.facet_query:
        facets = facets_statement(replace(listed, rollups=()), listed.facet_query.model_validate({}))
        row = await connection.fetchrow(facets.sql, *facets.values)
        for name in listed.facets:
            found = [each["value"] or "not_stated" for each in json.loads(row[name])]
            values[name] = [found[0], found[-1]]
    repeats = {name for name, field in listed.query.model_fields.items() if field.default_factory}
    single = [{name: [value] if name in repeats else value} for name, given in values.items() for value in given]
    rarest = list({name: asked for asked in single for name in asked}.values())
    return [{}, *single, *(a | b for a, b in itertools.combinations(rarest, 2))]


def statements_of(listed: Listing, asked: dict[str, Any]) -> Iterator[Statement]:
    """The statements of a page, of facets, and of totals by every dimension; of all rows also by two of these."""
    yield page_statement(listed, listed.query.model_validate({**asked, "limit": "1"}))
    if len(asked.keys() - {"as_of"}) > 1:
        return
    if listed.facet_query:
        yield facets_statement(listed, listed.facet_query.model_validate(asked))
    if listed.totals_query:
        two = [] if asked else itertools.combinations(listed.totals, 2)
        for by in [*([name] for name in listed.totals), *map(list, two)]:
            query = listed.totals_query.model_validate({**asked, "by": by[:1]})
            yield groups_statement(listed, query, by)
            yield wholes_statement(listed, query)


@pytest.mark.parametrize("is_past", [False, True], ids=["now", "as_of"])
async def test_answers_from_rollups_are_those_of_the_rows(
    written: tuple[str, str], connection: asyncpg.Connection, is_past: bool
) -> None:
    service, _ = written
    wrong, read, earlier, then = [], Counter[str](), EarlierTables({}, 0), {}
    if is_past:
        # In the midst of the writes.
        number = await connection.fetchval("SELECT number FROM revision ORDER BY number OFFSET $1 LIMIT 1", WRITES // 2)
        earlier, then = AsOfTables(service_of(service).metadata).at(number), {"as_of": str(number)}
        await connection.execute(PLANNING)
    for listed in (each for each in listings(service) if each.rollups):
        for filters in (await filters_of(connection, listed))[:: 3 if is_past else 1]:
            asked = filters | then
            both = [statements_of(each, asked) for each in (listed, replace(listed, rollups=()))]
            for n, (kept, counted) in enumerate(zip(*both, strict=True)):
                if kept.sql == counted.sql:
                    # Only what no rollup has together: filters, or two dimensions.
                    assert asked or n > 1 + len(listed.totals), (listed.path, n)
                    continue
                read.update(r.table for r in listed.rollups if re.search(rf"\b{r.table}\b", kept.sql))
                # Groups of different totals are in no order among one another.
                found = [await connection.fetch(earlier.statement(each.sql), *each.values) for each in (kept, counted)]
                if len({str(sorted(map(tuple, rows), key=str)) for rows in found}) > 1:
                    wrong.append((listed.path, asked, kept.sql))
    assert not wrong, (len(wrong), wrong[0])
    declared = {rollup.table: rollup for listed in listings(service) for rollup in listed.rollups}
    assert declared.keys() >= {rollup.table for rollup in rollups(service)} - OF_ANSWERS
    assert set(read) == {name for name, rollup in declared.items() if not (is_past and rollup.is_counted_then)}, read
