"""Every database that this suite has ever made becomes, with its data, the same as one that is made today."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from pydantic import SecretStr

from mmptf_common import cli
from mmptf_common.process.settings import ServiceSettings
from mmptf_common.storage import migrations
from mmptf_local.postgres import Postgres
from tests.conftest import asyncio_run, running_app, service_of
from tests.integration.described import schema_of
from tests.integration.older_schema import migrate_to

SCHEMAS = Path(__file__).parent / "schemas"
VERSION = (
    "CREATE TABLE alembic_version (version_num varchar(32) NOT NULL, CONSTRAINT alembic_version_pkc"
    " PRIMARY KEY (version_num)); INSERT INTO alembic_version VALUES ('{}')"
)
# What moments and the number of writes make different: one database was filled by one write of today, the other by one
# of its time and another one of today, which amended what has changed since.
OF_THE_WRITE = {"updated", "revision", "changed", "next"}
# The last version before a migration that rewrote what an operator has written; it is written under that version.
REWRITTEN = {"markers": "markers_0021"}
READS = {
    "catalog": (
        "/catalog/v1/programmes?limit=1000",
        "/catalog/v1/programmes/MKD-01",
        "/catalog/v1/programmes/facets",
        "/catalog/v1/programmes/totals",
        "/catalog/v1/programmes/MKD-01/history",
        "/catalog/v1/organizations?limit=1000",
        "/catalog/v1/organizations/OPS/history",
        "/catalog/v1/places?limit=1000",
        "/catalog/v1/documents",
        "/catalog/v1/status",
        "/catalog/v1/changes?limit=1000",
    ),
    "funding": (
        "/funding/v1/contributions?limit=1000",
        "/funding/v1/contributions/totals",
        "/funding/v1/contributors/OPS/history",
        "/funding/v1/targets",
        "/funding/v1/ledger?limit=1000",
        "/funding/v1/ledger/totals",
        "/funding/v1/statement",
        "/funding/v1/requirements?limit=1000",
        "/funding/v1/totals",
        "/funding/v1/editions/MI-2015/vocabulary?limit=1000",
        "/funding/v1/editions/MI-2015/reconciliation",
        "/funding/v1/facts",
        "/funding/v1/status",
        "/funding/v1/changes?limit=1000",
    ),
    "markers": (
        "/markers/v1/rubrics",
        "/markers/v1/rubrics/hr-marker-illustrative.1",
        "/markers/v1/rubrics/hr-marker-illustrative.1/history",
        "/markers/v1/documents",
        "/markers/v1/documents/ops-note/history",
        "/markers/v1/targets",
        "/markers/v1/assessments",
        "/markers/v1/assessments/A-000001",
        "/markers/v1/standings",
        "/markers/v1/indicator",
        "/markers/v1/report",
        "/markers/v1/results-indicators",
        "/markers/v1/results-progress",
        "/markers/v1/status",
        "/markers/v1/changes?limit=1000",
    ),
}


@dataclass(frozen=True)
class Variant:
    """A database as one sequence of versions of the code has left it: the files that make it, in order."""

    service: str
    version: str
    files: tuple[str, ...]


def variants() -> Iterator[Variant]:
    for service in READS:
        for line in (SCHEMAS / service / "variants.txt").read_text().splitlines():
            version, *files = line.split()
            yield Variant(service, version.removesuffix(":"), tuple(files))


def name_of(variant: Variant) -> str:
    return "-".join((variant.service, *(file for file in variant.files if file[0] == "0")))


def sql_of(service: str, file: str) -> str:
    return (SCHEMAS / service / f"{file}.sql").read_text()


@dataclass(frozen=True)
class Found:
    """The schema of a database, the rows of its tables of records, and what the service answers from it."""

    schema: dict[str, str]
    rows: dict[str, list[Any]]
    answers: dict[str, Any]


async def run(url: str, statements: list[str]) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            if statement:
                await connection.execute(statement)
    finally:
        await connection.close()


async def seed(service: str, url: str) -> None:
    await cli.seed(service_of(service), ServiceSettings(database_url=SecretStr(url)))


def without_the_write(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_the_write(member) for name, member in value.items() if name not in OF_THE_WRITE}
    return [without_the_write(item) for item in value] if isinstance(value, list) else value


def last_of_each(entries: list[Any]) -> list[Any]:
    """Of a feed or a history what each record was left as."""
    last = {(entry["entity"], entry["key"]): entry["after"] for entry in entries}
    return without_the_write(sorted(([*key, after] for key, after in last.items()), key=lambda entry: entry[:2]))


async def found_in(service: str, url: str, *, answers_too: bool = True) -> Found:
    connection = await asyncpg.connect(url)
    try:
        schema = await schema_of(connection)
        rows = {}
        for table in service_of(service).metadata.sorted_tables:
            if "entity" in table.info or table.info.get("derived"):
                stored = await connection.fetch(f"SELECT * FROM {table.name} ORDER BY {table.name}::text")
                named = [{n: v for n, v in row.items() if not n.endswith(("updated", "revised"))} for row in stored]
                for row in named:
                    if "record" in row:
                        row["record"] = without_the_write(json.loads(row["record"]))
                rows[table.name] = sorted(named, key=str)
    finally:
        await connection.close()
    answers: dict[str, Any] = {}
    if not answers_too:
        return Found(schema, rows, answers)
    async with running_app(service, url, None) as running:
        for path in READS[service]:
            answer = await running.client.get(path)
            assert answer.status_code == 200, (path, answer.text)
            body = answer.json()
            if path.partition("?")[0].endswith(("/changes", "/history")):
                entries = body["items"]
                while follow := body.get("next"):
                    body = (await running.client.get(follow)).json()
                    if not body["items"]:
                        break
                    entries += body["items"]
                answers[path] = last_of_each(entries)
            else:
                answers[path] = without_the_write(body)
    return Found(schema, rows, answers)


def sql_of_today(service: str, file: str) -> str:
    """What an operator wrote, into a database of today.

    The column of what readers get is `record` by now, and drafts have a journal of their own.
    """
    named = sql_of(service, file).replace("(code, document, updated", "(code, record, updated")
    named = named.replace(
        "SELECT set_config('mmptf.first'",
        "SELECT set_config('mmptf.draft_first', floor(extract(epoch FROM at) * 1000)::text, true),"
        " set_config('mmptf.first'",
    )
    return named.replace("', document = '", "', record = '")


def written(service: str) -> list[str]:
    return sorted(file.stem for file in (SCHEMAS / service).glob("written-*.sql"))


@pytest.fixture(scope="module")
def fresh(postgres: Postgres) -> dict[str, Found]:
    """Of each service: migrated from nothing, filled by the package, and then with what an operator wrote."""
    found: dict[str, Found] = {}

    async def make(service: str, url: str) -> None:
        if service in REWRITTEN:
            await migrate_to(url, service, REWRITTEN[service])
            await run(url, [sql_of_today(service, file) for file in written(service)])
        await migrations.migrate(url, f"mmptf_{service}")
        await seed(service, url)
        if service not in REWRITTEN:
            await run(url, [sql_of_today(service, file) for file in written(service)])
        found[service] = await found_in(service, url)

    for service in READS:
        asyncio_run(make(service, postgres.create_database(f"{service}_fresh")))
    return found


ONE_OF_EACH_VERSION = {(variant.service, variant.version): variant for variant in variants()}


def ends() -> set[Variant]:
    """The database of the oldest and the one of the newest version of each service."""
    versions = [[each for each in ONE_OF_EACH_VERSION.values() if each.service == service] for service in READS]
    return {each for of_one in versions for each in (of_one[0], of_one[-1])}


# These are made in every run, and all others in `make longer`: the oldest one runs all migrations.
IN_EVERY_RUN = ends()
VARIANTS = [pytest.param(each, marks=() if each in IN_EVERY_RUN else pytest.mark.longer) for each in variants()]
# The databases whose service is asked as well: what it answers follows from the schema and the rows, which are compared
# for every variant.
ASKED = {*ONE_OF_EACH_VERSION.values()} if os.environ.get("COMBINATIONS") == "all" else IN_EVERY_RUN


@pytest.mark.tries_more
@pytest.mark.parametrize("variant", VARIANTS, ids=name_of)
def test_a_database_of_any_earlier_version_becomes_what_a_new_one_is(
    postgres: Postgres, fresh: dict[str, Found], variant: Variant
) -> None:
    service = variant.service
    # The files of a later version are too many for the name of a database.
    name = f"{service}_variant_{[*variants()].index(variant)}"
    url = postgres.create_database(name)

    async def grow() -> Found:
        await run(url, [*(sql_of(service, file) for file in variant.files), VERSION.format(variant.version)])
        missing = [sql_of_today(service, file) for file in written(service) if file not in variant.files]
        is_early = bool(missing) and service in REWRITTEN
        if is_early:
            await migrate_to(url, service, REWRITTEN[service])
            await run(url, missing)
        before, after = await migrations.migrate(url, f"mmptf_{service}")
        version = REWRITTEN[service] if is_early else variant.version
        assert (before, after) == (version, migrations.head(f"mmptf_{service}"))
        await run(url, [] if is_early else missing)
        await seed(service, url)
        return await found_in(service, url, answers_too=variant in ASKED)

    found: list[Found] = []

    async def keep() -> None:
        found.append(await grow())

    asyncio_run(keep())
    (grown,) = found
    expected = fresh[service]
    assert grown.schema == expected.schema
    assert grown.rows == expected.rows
    if variant in ASKED:
        assert grown.answers.keys() == set(READS[service])
        for path in READS[service]:
            assert grown.answers[path] == expected.answers[path], path
    postgres.drop_database(name)


@pytest.mark.parametrize("service", READS)
def test_every_file_is_part_of_a_database(service: str) -> None:
    used = {file for variant in variants() if variant.service == service for file in variant.files}
    assert used == {file.stem for file in (SCHEMAS / service).glob("*.sql")}
