"""Migrations: what they build is what the models say, several may run at once, and what was stored stays."""

from __future__ import annotations

import ast
import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from pydantic import SecretStr

from mmptf_common import cli
from mmptf_common.process.settings import ServiceSettings
from mmptf_common.storage import migrations
from mmptf_common.storage.engines import write_engine
from mmptf_common.storage.journal import Author, begin_write
from mmptf_common.storage.schema_version import UnsuitableDatabase, oldest_codes, require_database, revisions
from mmptf_common.storage.writing import writing
from mmptf_local.postgres import Postgres
from tests.conftest import SERVICES, asyncio_run, running_app, service_of
from tests.integration.described import schema_of
from tests.integration.older_schema import migrate_to
from tests.integration.test_schema_history import run, sql_of

ROOT = Path(__file__).parents[2]
FOLDERS = {name: ROOT / "services" / name / "src" / f"mmptf_{name}" / "migrations" for name in SERVICES}
MIGRATIONS = sorted(file for folder in FOLDERS.values() for file in folder.glob("versions/*.py"))


@pytest.mark.parametrize("name", SERVICES)
async def test_the_migrated_schema_is_the_one_of_the_models(postgres: Postgres, name: str) -> None:
    url = postgres.create_database(f"{name}_migrated")
    assert await migrations.migrate(url, f"mmptf_{name}") == (None, migrations.head(f"mmptf_{name}"))
    engine = write_engine(url, size=1)

    def differences(connection: sa.Connection) -> list[Any]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, service_of(name).metadata))

    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()


@pytest.mark.parametrize("name", SERVICES)
def test_the_names_of_the_files_are_the_revisions_that_alembic_runs(name: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(FOLDERS[name]))
    known = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert revisions(f"mmptf_{name}") == known[::-1]
    assert revisions(f"mmptf_{name}")[-1] == migrations.head(f"mmptf_{name}")


async def stored(url: str) -> tuple[str, str | None]:
    """The revision that a database has, and the oldest one whose code may serve with it."""
    connection = await asyncpg.connect(url)
    try:
        row = await connection.fetchrow("SELECT version_num, oldest_code FROM alembic_version")
        return row["version_num"], row["oldest_code"]
    finally:
        await connection.close()


async def test_a_database_states_the_oldest_code_that_may_serve(postgres: Postgres) -> None:
    url = postgres.create_database("catalog_oldest")
    newest = migrations.head("mmptf_catalog")
    await migrations.migrate(url, "mmptf_catalog")
    assert await stored(url) == (newest, oldest_codes("mmptf_catalog")[newest])
    # Migrated to the head by a version that did not state it yet.
    await run(url, ["ALTER TABLE alembic_version DROP COLUMN oldest_code"])
    await require_database(url, "mmptf_catalog")
    assert await migrations.migrate(url, "mmptf_catalog") == (newest, newest)
    assert await stored(url) == (newest, oldest_codes("mmptf_catalog")[newest])


async def test_a_newer_schema_is_served_where_it_states_that_this_code_may(new_database: Callable[[str], str]) -> None:
    url = new_database("catalog")
    newest = migrations.head("mmptf_catalog")
    await run(url, [f"UPDATE alembic_version SET version_num = 'catalog_9001', oldest_code = '{newest}'"])
    async with running_app("catalog", url, None) as running:
        assert (await running.client.get("/catalog/v1/programmes")).status_code == 200
    assert await migrations.migrate(url, "mmptf_catalog") == ("catalog_9001", "catalog_9001")
    assert await stored(url) == ("catalog_9001", newest)
    with pytest.raises(UnsuitableDatabase, match="does not know all that is stored there"):
        await require_database(url, "mmptf_catalog", is_exact=True)
    for oldest in ("'catalog_9000'", "NULL"):
        await run(url, [f"UPDATE alembic_version SET oldest_code = {oldest}"])
        with pytest.raises(UnsuitableDatabase, match="is at schema catalog_9001, which this version does not know"):
            await require_database(url, "mmptf_catalog")
        with pytest.raises(UnsuitableDatabase, match="is at schema catalog_9001, which this version does not know"):
            await migrations.migrate(url, "mmptf_catalog")


async def test_two_deployments_that_migrate_at_once_take_turns(postgres: Postgres) -> None:
    url = postgres.create_database("catalog_raced")
    newest = migrations.head("mmptf_catalog")
    ends = await asyncio.gather(*(migrations.migrate(url, "mmptf_catalog") for _ in range(4)))
    assert sorted(ends, key=str) == [(newest, newest)] * 3 + [(None, newest)]


async def test_a_migration_that_gets_no_lock_says_who_has_it_and_waits_for_no_longer_than_it_should(
    new_database: Callable[[str], str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(migrations, "LOCK_SECONDS", 1)
    monkeypatch.setattr(migrations, "PAUSE_SECONDS", 0.2)
    monkeypatch.setattr(migrations, "BLOCKED_SECONDS", 2)
    url = new_database("catalog")
    newest = migrations.head("mmptf_catalog")
    reader = await asyncpg.connect(url, server_settings={"application_name": "a long report"})
    before = await schema_of(reader)
    # As if the newest migration were still to come; it changes a table that the report reads.
    earlier = revisions("mmptf_catalog")[-2]
    await reader.execute(f"UPDATE alembic_version SET version_num = '{earlier}'")
    monkeypatch.setattr(migrations.command, "upgrade", partial(_alter_a_table, newest))
    transaction = reader.transaction()
    await transaction.start()
    await reader.fetchval("SELECT count(*) FROM organization")
    monkeypatch.setenv("DATABASE_URL", url)
    began = time.monotonic()
    assert await asyncio.to_thread(cli.main, service_of("catalog"), ["migrate"]) == 1
    said = capsys.readouterr().err
    assert 2 < time.monotonic() - began < 8, said
    pid = reader.get_server_pid()
    assert f"did not get the lock of the table organization, which the session with the pid {pid} holds" in said
    assert "a long report" in said
    assert "idle in transaction" in said
    assert "pg_terminate_backend" in said
    # While it waits, requests pass in the pauses; and when the report has ended, the migration goes on by itself.
    migrating = asyncio.create_task(migrations.migrate(url, "mmptf_catalog"))
    await asyncio.sleep(1.5)
    assert not migrating.done()
    await transaction.rollback()
    assert await migrating == (earlier, newest)
    await reader.execute("ALTER TABLE organization DROP COLUMN added")
    assert await schema_of(reader) == before
    await reader.close()


def _alter_a_table(newest: str, config: Config, _revision: str) -> None:
    connection = config.attributes["connection"]
    connection.exec_driver_sql("ALTER TABLE organization ADD COLUMN added text")
    connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{newest}'")


# --- frozen ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "file", sorted(file for f in FOLDERS.values() for file in f.glob("versions/*.py")), ids=lambda file: file.stem
)
def test_a_migration_holds_what_it_executes(file: Path) -> None:
    """It imports Alembic and SQLAlchemy and nothing else, and reads nothing: what it does is in the file."""
    tree = ast.parse(file.read_text())
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            imported.add(str(node.module))
        elif isinstance(node, ast.Name):
            assert node.id not in {"__import__", "eval", "exec", "open", "__file__"}
    assert {name.partition(".")[0] for name in imported} <= {"alembic", "sqlalchemy"}


# The files of `schemas` with the text under which each version was first migrated to, as it always is from now on;
# where a migration was amended in its first days, the amended one.
LANDED = {
    "catalog": (
        "0001b", "0002a", "0003a", "0004a", "0005a", "0006a", "0007a", "0008a", "0009a", "0010a", "0011a", "0012a",
        "0013a", "0014a", "0015a", "0016a", "0017a", "0018a", "0019a", "0020a", "0021a",
    ),
    "funding": (
        "0001b", "0002b", "0003a", "0004a", "0005a", "0006a", "0007a", "0008a", "0009a", "0010a", "0011a", "0012a",
        "0013a", "0014a", "0015a", "0016a", "0017a", "0018a", "0019a", "0020a", "0021a", "0022a", "0023a", "0024a",
        "0025a", "0026a", "0027a", "0028a", "0029a", "0030a", "0033a", "0034a", "0035a", "0036a",
        "0037a", "0038a", "0039a", "0040a",
    ),
    "markers": (
        "0001b", "0002a", "0003a", "0004a", "0005a", "0006a", "0008a", "0009a", "0010a", "0011a", "0012a",
        "0013a", "0014a", "0015a", "0016a", "0017a", "0018a", "0019a", "0020a", "0021a", "0022a", "0023a", "0024a",
        "0025a", "0026a", "0027a",
    ),
}  # fmt: skip
# The last version of each that is a number alone.
NUMBERED = {"catalog": "0004", "funding": "0005", "markers": "0007"}


@pytest.mark.parametrize("service", LANDED)
async def test_a_version_is_made_today_as_it_was_when_it_landed(postgres: Postgres, service: str) -> None:
    then, now = (postgres.create_database(f"{service}_{when}") for when in ("then", "now"))
    for file in LANDED[service]:
        await run(then, [sql_of(service, file)])
        number = file[:4]
        await migrate_to(now, service, number if number <= NUMBERED[service] else f"{service}_{number}")
        schemas = []
        for url in (then, now):
            connection = await asyncpg.connect(url)
            found = await schema_of(connection)
            await connection.close()
            schemas.append({name: text for name, text in found.items() if "alembic_version" not in name})
        assert schemas[0] == schemas[1], file


# Runs in a process of its own: from the first migration on, an import of anything of the suite fails.
MIGRATE_ALONE = """
import asyncio, importlib.abc, importlib.resources, sys
from mmptf_common.storage import migrations

url, package = sys.argv[1:]
importlib.resources.files(package)
loaded = {name for name in sys.modules if name.startswith("mmptf_")}

class Forbidden(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.startswith("mmptf_"):
            raise AssertionError(f"a migration imports {name}")

sys.meta_path.insert(0, Forbidden())
asyncio.run(migrations.migrate(url, package))
assert {name for name in sys.modules if name.startswith("mmptf_")} == loaded
print(*sorted(loaded))
"""


@pytest.mark.parametrize("service", SERVICES)
def test_no_code_of_the_application_takes_part_in_a_migration(postgres: Postgres, service: str) -> None:
    """So no change of a model or of a text in the code changes what a migration does."""
    url = postgres.create_database(f"{service}_alone")
    done = subprocess.run(
        [sys.executable, "-c", MIGRATE_ALONE, url, f"mmptf_{service}"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert {name for name in loaded if not name.startswith("mmptf_common")} == {f"mmptf_{service}"}
    assert not {name for name in loaded if name.endswith(("journal", "journal_schema", "records"))}


@pytest.mark.longer
@pytest.mark.parametrize("service", SERVICES)
def test_alembic_itself_writes_and_runs_migrations(postgres: Postgres, service: str, tmp_path: Path) -> None:
    """As CONTRIBUTING says it: in the folder of the service, with the address of a database of its own."""
    url = postgres.create_database(f"{service}_by_alembic")
    folder = tmp_path / service
    shutil.copytree(ROOT / "services" / service, folder, ignore=shutil.ignore_patterns("__pycache__", "data"))

    def alembic(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-m", "alembic", *arguments],
            cwd=folder,
            env={**os.environ, "DATABASE_URL": url, "PYTHONPATH": str(folder / "src")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    newest = migrations.head(f"mmptf_{service}")
    alembic("upgrade", "head")
    assert "No new upgrade operations detected" in alembic("check")
    if service != SERVICES[0]:
        return  # what follows is the same mechanism for every service, and each command is a process
    assert alembic("current").split() == [newest, "(head)"]
    asyncio_run(run(url, ["ALTER TABLE source_document ALTER COLUMN updated DROP NOT NULL"]))
    alembic("revision", "--autogenerate", "-m", "say when")
    following = f"{service}_{int(newest[-4:]) + 1:04}"
    (file,) = folder.glob(f"src/*/migrations/versions/{following}_say_when.py")
    assert re.findall(r'^(?:down_)?revision = "(.*)"$', file.read_text(), re.MULTILINE) == [following, newest]
    assert "op.alter_column('source_document', 'updated'" in file.read_text()
    alembic("upgrade", "head")
    assert alembic("current").split() == [following, "(head)"]
    assert f"SET version_num='{following}'" in alembic("upgrade", f"{newest}:{following}", "--sql")


@pytest.mark.parametrize("service", SERVICES)
async def test_every_table_of_records_has_its_journal_triggers(
    new_database: Callable[[str], str], service: str
) -> None:
    """A past row is the row itself, column by column; what keeps it is there for every table, under its own name."""
    connection = await asyncpg.connect(new_database(service))
    try:
        found = await connection.fetch(
            "SELECT attrelid::regclass::text AS name, array_agg((attname, format_type(atttypid, atttypmod),"
            " attcollation::regcollation::text, attnotnull)::text ORDER BY attnum) AS columns"
            "  FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid"
            " WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND attnum > 0 AND NOT attisdropped"
            " GROUP BY 1"
        )
        tables = {row["name"]: row["columns"] for row in found}
        records = {
            name: columns
            for name, columns in tables.items()
            if any(column.startswith("(record,json") for column in columns) and not name.endswith("_past")
        }
        entities = {
            t.name: t.info["entity"] for t in service_of(service).metadata.tables.values() if "entity" in t.info
        }
        assert records.keys() == entities.keys()
        drafts = await connection.fetch(
            "SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid"
            " WHERE proname LIKE 'draft_journal%' AND tgname <> 'draft_journal_number'"
        )
        assert [row[0] for row in drafts] == (["draft"] if service != "funding" else [])
        kept = await connection.fetch(
            "SELECT tgrelid::regclass::text AS name, array_agg(tgname::text ORDER BY tgname) AS triggers,"
            " array_agg(DISTINCT rtrim(encode(tgargs, 'escape'), '\\000')) FILTER (WHERE tgnargs > 0) AS arguments"
            " FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid"
            " WHERE tgenabled = 'O' AND proname ~ '^(draft_)?journal_(stamp|write)$' GROUP BY 1"
        )
        assert {row["name"]: row["arguments"] for row in kept} == {t: [entity] for t, entity in entities.items()}
        for row in kept:
            assert {"journal_stamp", "journal_insert", "journal_update", "journal_delete"} <= set(row["triggers"])
        for name, columns in records.items():
            assert tables[f"{name}_past"][0].startswith("(replaced,bigint,")
            assert tables[f"{name}_past"][1:] == columns
    finally:
        await connection.close()


# --- a database of the release before -------------------------------------------------------------------------------

# The schemas whose journal the services wrote themselves.
FIRST_SCHEMA = {"catalog": "0001", "funding": "0002", "markers": "0001"}
# A table of each whose records an operator has changed.
CHANGED = {
    "catalog": ("organization", "organization"),
    "funding": ("contribution", "contribution"),
    "markers": ("source_document", "document"),
}
# How many records the packaged data create or amend in it: those of kinds that it did not know (partners, figures,
# frameworks, their items, offices, groups and acronyms of an edition; groups of places), facts, in whose records the
# computed figure was not stored, and what had no columns: initiatives with an area or countries, and programmes with
# partners or beneficiaries; the target of the marker, and the indicator that is computed from it.
NEW = {"catalog": 1 + 15, "funding": 3 + 173 + 352 + (11 + 445 + 10 + 69 + 93) + 41, "markers": 2}
SEEDED = datetime(2026, 1, 5, 12, tzinfo=UTC)
AMENDED, CREATED = SEEDED + timedelta(days=1), SEEDED + timedelta(days=2)


def given(entity: str, record: dict[str, Any] | None) -> dict[str, Any] | None:
    """A stored record as readers get it: with the members that those of its kind did not always have."""
    lacking: dict[str, dict[str, Any]] = {"fact": {"computed": None}, "document": {"contacts": [], "gaps": []}}
    return {**lacking.get(entity, {}), **record} if record else record


@dataclass(frozen=True)
class Landed:
    """A database as the release before left it.

    rows:    table -> code -> record; entries: the journal, without its moments and authors
    seeded:  the last entry of the packaged data; amended, created: of the two writes after it
    """

    service: str
    url: str
    rows: dict[str, dict[str, str]]
    entries: list[Any]
    seeded: int
    amended: int
    created: int


async def rows_of(
    connection: asyncpg.Connection, tables: Iterable[str], column: str = "record"
) -> dict[str, dict[str, str]]:
    found = {}
    for table in tables:
        rows = await connection.fetch(f"SELECT code, {column}::text FROM {table} ORDER BY code")
        found[table] = dict([tuple(row) for row in rows])
    return found


async def columns_of(connection: asyncpg.Connection, service: str) -> dict[str, list[str]]:
    """The tables of records that a database has, those that others refer to first, and their columns."""
    found = {}
    for table in service_of(service).metadata.sorted_tables:
        columns = await connection.fetch(
            "SELECT column_name FROM information_schema.columns WHERE table_name = $1", table.name
        )
        if "entity" in table.info and columns:
            found[table.name] = [row[0] for row in columns]
    return found


async def entries_of(connection: asyncpg.Connection) -> list[Any]:
    found = await connection.fetch("SELECT seq, entity, key, action, before, after FROM change ORDER BY seq")
    return [(*row[:4], *(None if record is None else json.loads(record) for record in row[4:])) for row in found]


async def fill(service: str, filled: asyncpg.Connection, landed: asyncpg.Connection) -> tuple[int, int, int]:
    """The packaged data as the release before journalled them, and what an operator did with them since."""
    tables = await columns_of(landed, service)
    for name, columns in tables.items():
        named = ", ".join("record" if column == "document" else column for column in columns)
        rows = await filled.fetch(f"SELECT {named} FROM {name}")
        await landed.copy_records_to_table(name, records=rows, columns=columns)
    seeded = []
    for row in await filled.fetch("SELECT seq, entity, key, action, before, after FROM change ORDER BY seq"):
        # An edition was a write of its own in the midst of that of the other data, and had a later moment.
        is_of_edition = service == "funding" and row["key"].startswith("MI-2015")
        moment = SEEDED + timedelta(milliseconds=3) if is_of_edition else SEEDED
        seeded.append((*row, moment, "seed", None, None))
    members = ("seq", "entity", "key", "action", "before", "after", "at", "actor", "reason", "request_id")
    await landed.copy_records_to_table("change", records=seeded, columns=members)
    last = len(seeded)
    table, entity = CHANGED[service]
    amend = (
        f"WITH old AS (SELECT code, document FROM {table} WHERE code = (SELECT min(code) FROM {table})),"
        f" new AS (UPDATE {table} AS t SET updated = $2, document = (old.document::jsonb || $3)::json"
        " FROM old WHERE t.code = old.code RETURNING t.code, t.document)"
        " INSERT INTO change (seq, entity, key, action, before, after, at, actor, reason, request_id)"
        f" SELECT $1, '{entity}', code, 'amend', old.document::jsonb, new.document::jsonb, $2,"
        " 'an operator', 'corrected', 'request-1' FROM old JOIN new USING (code)"
    )
    for number in (1, 2):
        said = json.dumps({"updated": AMENDED.isoformat().replace("+00:00", "Z"), "name": f"Corrected {number}"})
        await landed.execute(amend, last + number, AMENDED + timedelta(hours=number), said)
    # A record that was there for a while, and one that is new: one write each.
    await landed.execute(
        "INSERT INTO change (seq, entity, key, action, before, after, at, actor) VALUES"
        f" ($1, '{entity}', 'GONE', 'create', NULL, '{{\"code\": \"GONE\"}}', $2, 'an operator'),"
        f" ($1 + 1, '{entity}', 'GONE', 'delete', '{{\"code\": \"GONE\"}}', NULL, $3, 'an operator')",
        last + 3,
        AMENDED + timedelta(hours=3),
        AMENDED + timedelta(hours=4),
    )
    others = "".join(f", {name}" for name in tables[table] if name not in ("code", "document", "updated"))
    await landed.execute(
        f"WITH new AS (INSERT INTO {table} (code, document, updated{others})"
        f" SELECT 'NEW', (document::jsonb || '{{\"code\": \"NEW\"}}')::json, $2{others}"
        f" FROM {table} WHERE code = (SELECT max(code) FROM {table}) RETURNING code, document)"
        " INSERT INTO change (seq, entity, key, action, after, at, actor)"
        f" SELECT $1, '{entity}', code, 'create', document::jsonb, $2, 'an operator' FROM new",
        last + 5,
        CREATED,
    )
    return last, last + 4, last + 5


@pytest.fixture(scope="module", params=list(FIRST_SCHEMA))
def landed(request: pytest.FixtureRequest, postgres: Postgres, new_database: Callable[[str], str]) -> Landed:
    service: str = request.param
    url = postgres.create_database(f"{service}_landed")
    found: list[Landed] = []

    async def make() -> None:
        await migrate_to(url, service, FIRST_SCHEMA[service])
        full, old = await asyncpg.connect(new_database(service)), await asyncpg.connect(url)
        try:
            numbers = await fill(service, full, old)
            rows = await rows_of(old, await columns_of(old, service), "document")
            found.append(Landed(service, url, rows, await entries_of(old), *numbers))
        finally:
            await full.close()
            await old.close()

    asyncio_run(make())
    asyncio_run(migrations.migrate(url, f"mmptf_{service}"))
    return found[0]


async def test_what_was_stored_is_there_after_the_migration(landed: Landed) -> None:
    connection = await asyncpg.connect(landed.url)
    try:
        assert await rows_of(connection, landed.rows) == landed.rows
        assert await entries_of(connection) == landed.entries
        # Every write of before is a revision, and every entry is part of one.
        revisions = await connection.fetch("SELECT * FROM revision ORDER BY number")
        covered = [seq for row in revisions for seq in range(row["first"], row["number"] + 1)]
        assert covered == list(range(1, landed.created + 1))
        times = [row["at"] for row in revisions]
        assert times == sorted(set(times))
        said = [(row["number"], row["actor"], row["reason"], row["request_id"]) for row in revisions[-5:]]
        assert said == [
            (landed.seeded + 1, "an operator", "corrected", "request-1"),
            (landed.seeded + 2, "an operator", "corrected", "request-1"),
            (landed.seeded + 3, "an operator", None, None),
            (landed.amended, "an operator", None, None),
            (landed.created, "an operator", None, None),
        ]
        assert times[-5:] == [*(AMENDED + timedelta(hours=n) for n in (1, 2, 3, 4)), CREATED]
        assert {row["actor"] for row in revisions[:-5]} == {"seed"}
        assert revisions[-6]["number"] == landed.seeded
        assert [row["number"] for row in revisions if row["repeatable"]] == [landed.amended, landed.created]
        # Each record belongs to the write that gave it its record.
        for table in landed.rows:
            entity = service_of(landed.service).metadata.tables[table].info["entity"]
            wrong = await connection.fetch(
                f"SELECT code, revised, first FROM {table} JOIN (SELECT DISTINCT ON (key) key, first FROM change"
                " JOIN revision ON seq BETWEEN first AND number WHERE entity = $1 ORDER BY key, seq DESC) AS newest"
                " ON key = code WHERE revised <> first",
                entity,
            )
            assert wrong == []
    finally:
        await connection.close()


async def test_a_migrated_database_serves_and_is_written_on(landed: Landed) -> None:
    table, entity = CHANGED[landed.service]
    path = f"/{landed.service}/v1/{'documents' if entity == 'document' else f'{entity}s'}"

    # What is there already is not written again, and what the operator changed stays.
    asyncio_run(cli.seed(service_of(landed.service), ServiceSettings(database_url=SecretStr(landed.url))))
    async with running_app(landed.service, landed.url, None) as running:
        client = running.client
        now = (await client.get(path, params={"limit": 1000})).json()
        assert now["revision"] == landed.created + NEW.get(landed.service, 0)
        at_once = {**now, "revision": landed.created}
        assert {item["code"]: item for item in now["items"]} == {
            code: json.loads(record) for code, record in landed.rows[table].items()
        }
        # The answers of the last revisions can be given again, by their number and by their moment.
        for asked in (landed.created, CREATED.isoformat().replace("+00:00", "Z"), datetime.now(UTC).date()):
            then = (await client.get(path, params={"limit": 1000, "as_of": str(asked)})).json()
            assert then["items"] == now["items"]
        before = (CREATED - timedelta(microseconds=1)).isoformat().replace("+00:00", "Z")
        for moment in (landed.amended, before, AMENDED.date()):
            then = (await client.get(path, params={"limit": 1000, "as_of": str(moment)})).json()
            assert then["items"] == [item for item in now["items"] if item["code"] != "NEW"]
            assert then["revision"] == landed.amended
        # Those from before the last amendment cannot, and that is said.
        for moment in (1, landed.seeded, landed.amended - 1, "2026-01-06T15:00:00Z", "2026-01-05"):
            refused = await client.get(path, params={"as_of": str(moment)})
            assert (refused.status_code, refused.json()["code"]) == (422, "unknown_revision")
            (error,) = refused.json()["errors"]
            assert (error["parameter"], error["allowed"]) == ("as_of", [f"{landed.amended} and later"])
        before_all = (await client.get(path, params={"as_of": "2026-01-04"})).json()
        assert (before_all["items"], before_all["revision"]) == ([], 0)
        # The feed begins at the first entry of all.
        feed = (await client.get(f"/{landed.service}/v1/changes", params={"limit": 1000})).json()
        assert [
            (e["seq"], e["entity"], e["key"], e["before"], e["after"]) for e in feed["items"][: len(landed.entries)]
        ] == [
            (seq, name, key, given(name, before), given(name, after))
            for seq, name, key, _, before, after in landed.entries[:1000]
        ]
        history = (await client.get(f"{path}/GONE/history")).json()["items"]
        assert [(e["seq"], e["action"], e["revision"]) for e in history] == [
            (landed.seeded + 3, "create", landed.seeded + 3),
            (landed.amended, "delete", landed.amended),
        ]
        # From here on every answer is kept.
        async with writing(running.app.state.database) as session:
            write = await begin_write(session, Author("an operator"))
            await session.execute(sa.text(f"DELETE FROM {table} WHERE code = 'NEW'"))
        assert write.at > CREATED
        assert (await client.get(f"{path}/NEW")).status_code == 404
        assert (await client.get(path, params={"limit": 1000, "as_of": landed.created})).json() == at_once
