"""The role that serves writes records, and nothing else: the journal is written by its triggers alone."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import asyncpg
import pytest

from mmptf_common.storage import migrations
from mmptf_common.storage.engines import write_engine
from mmptf_common.storage.privileges import role_of
from mmptf_common.storage.schema_version import UnsuitableDatabase, require_schema
from mmptf_local.postgres import Postgres
from tests.conftest import running_app, service_of, serving_url
from tests.suite import SERVICES

# What a process that serves writes beside its records.
WRITTEN = {
    "idempotency_key": {"INSERT", "DELETE"},
    "replication": {"INSERT", "UPDATE"},
    "pseudonym": {"INSERT"},
}
BEGIN = (
    "SELECT set_config('mmptf.first', {first}::text, true), set_config('mmptf.write', json_build_object("
    "'at', {at}, 'actor', 'somebody')::text, true)"
)
NEXT = "((SELECT max(seq) + 1 FROM change))"
NOW = "clock_timestamp()"
AMENDED = 'UPDATE source_document SET record = (record::jsonb || \'{"note": "\\u0041"}\')::json'


@pytest.fixture(params=SERVICES)
async def service(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
async def url(new_database: Callable[[str], str], service: str) -> str:
    return new_database(service)


@pytest.fixture
async def serving(url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the role that serves."""
    connection = await asyncpg.connect(serving_url(url))
    yield connection
    await connection.close()


async def refused(connection: asyncpg.Connection, *statements: str) -> str:
    """The message with which the last of some statements of one transaction is refused."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        for statement in statements[:-1]:
            await connection.execute(statement)
        with pytest.raises(asyncpg.PostgresError) as raised:
            await connection.execute(statements[-1])
    finally:
        await transaction.rollback()
    return str(raised.value)


def tables_of(service: str) -> dict[str, Any]:
    return dict(service_of(service).metadata.tables)


def is_refused(message: str) -> bool:
    return any(part in message for part in ("permission denied", "must be owner", "must be superuser"))


async def test_it_may_do_what_serving_needs_and_no_more(serving: asyncpg.Connection, service: str) -> None:
    tables = tables_of(service)
    for name in (*tables, "alembic_version"):
        allowed = {
            verb
            for verb in ("INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")
            if await serving.fetchval(
                f"SELECT has_table_privilege($1, '{verb}')"
                + (f" OR has_any_column_privilege($1, '{verb}')" if verb in ("INSERT", "UPDATE", "REFERENCES") else ""),
                name,
            )
        }
        is_of_records = name in tables and "entity" in tables[name].info
        assert allowed == ({"INSERT", "UPDATE", "DELETE"} if is_of_records else WRITTEN.get(name, set())), name
        assert await serving.fetchval("SELECT has_table_privilege($1, 'SELECT')", name), name
        if is_of_records:
            numbered = (
                "SELECT has_column_privilege($1, 'revised', 'INSERT') OR has_column_privilege($1, 'revised', 'UPDATE')"
            )
            assert not await serving.fetchval(numbered, name), name


async def test_it_cannot_rewrite_the_journal(serving: asyncpg.Connection, service: str) -> None:
    tables = tables_of(service)
    journal = ["change", "revision", "erasure", "alembic_version", *(n for n in tables if n.endswith("_past"))]
    journal += [name for name in tables if name in ("draft_change", "draft_revision")]
    for name in journal:
        column = await serving.fetchval(
            "SELECT attname FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum = 1", name
        )
        for statement in (
            f"UPDATE {name} SET {column} = {column}",
            f"DELETE FROM {name}",
            f"INSERT INTO {name} SELECT * FROM {name} LIMIT 1",
        ):
            assert is_refused(await refused(serving, statement)), statement
    for name in (*tables, "alembic_version"):
        for statement in (
            f"TRUNCATE {name}",
            f"ALTER TABLE {name} DISABLE TRIGGER ALL",
            f"ALTER TABLE {name} DISABLE TRIGGER USER",
            f"ALTER TABLE {name} ADD COLUMN more int",
            f"DROP TABLE {name} CASCADE",
            f"CREATE TRIGGER another AFTER INSERT ON {name} EXECUTE FUNCTION journal_write('programme')",
            f"CREATE RULE another AS ON INSERT TO {name} DO INSTEAD NOTHING",
        ):
            assert is_refused(await refused(serving, statement)), statement


async def test_it_cannot_change_what_writes_the_journal(serving: asyncpg.Connection, service: str) -> None:
    functions = await serving.fetch(
        "SELECT oid::regprocedure::text AS name, prosecdef, proconfig, prorettype = 'trigger'::regtype AS of_trigger,"
        " has_function_privilege(oid, 'EXECUTE') AS allowed"
        " FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
    )
    assert {"journal_write()", "journal_number()"} <= {row["name"] for row in functions}
    for row in functions:
        if row["prosecdef"]:
            # As a trigger of a table of its own it would write what was never a record.
            assert not row["allowed"], row["name"]
            assert row["proconfig"][0] == "search_path=public, pg_temp", row["name"]
        for statement in (f"DROP FUNCTION {row['name']} CASCADE", f"ALTER FUNCTION {row['name']} SECURITY INVOKER"):
            assert is_refused(await refused(serving, statement)), statement
    for statement in (
        "CREATE OR REPLACE FUNCTION journal_write() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "CREATE FUNCTION another() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE TABLE another (id int)",
        "CREATE SCHEMA another",
        "SET session_replication_role = replica",
        "SET LOCAL session_replication_role = replica",
        "DROP TRIGGER journal_update ON source_document",
    ):
        assert is_refused(await refused(serving, statement)), statement
    owner = await serving.fetchval("SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = 'change'::regclass")
    assert "permission denied" in await refused(serving, f"SET ROLE {owner}")
    own = "CREATE TEMP TABLE programme (code text, record json, revised bigint)"
    as_trigger = (
        "CREATE TRIGGER forged AFTER INSERT ON programme REFERENCING NEW TABLE AS new_rows"
        " FOR EACH STATEMENT EXECUTE FUNCTION journal_write('programme')"
    )
    assert "permission denied for function journal_write" in await refused(serving, own, as_trigger)


async def test_a_write_cannot_be_made_under_the_number_or_before_the_moment_of_another(
    serving: asyncpg.Connection, service: str
) -> None:
    for first in ("1", "(SELECT max(first) FROM revision)", f"{NEXT} + 1", f"{NEXT} - 1"):
        begin = BEGIN.format(first=f"({first})", at=NOW)
        assert "as if by another write" in await refused(serving, begin, AMENDED), first
    for at in ("'2000-01-01'", "(SELECT max(at) FROM revision)", f"{NOW} + interval '1 minute'"):
        begin = BEGIN.format(first=NEXT, at=at)
        assert "as if by another write" in await refused(serving, begin, AMENDED), at
    # Another number for the rows than for their changes.
    begin = BEGIN.format(first=NEXT, at=NOW)
    forged = (
        "UPDATE source_document SET record = (record::jsonb || jsonb_build_object('note',"
        " set_config('mmptf.first', '1', true)))::json"
    )
    assert "as if by another write" in await refused(serving, begin, forged)


BEGIN_DRAFT = (
    "SELECT set_config('mmptf.draft_first', greatest(floor(extract(epoch FROM at) * 1000)::bigint + {more},"
    " (SELECT max(number) + 1 FROM draft_revision))::text, true), set_config('mmptf.write',"
    " json_build_object('at', at, 'actor', 'somebody')::text, true) FROM (SELECT {at} AS at) AS given"
)
DRAFTS = {
    "catalog": "INSERT INTO draft (code, organization, words, updated, record)"
    " SELECT 'D-' || code, code, '{}', now(), json_build_object('code', 'D-' || code) FROM organization"
    " WHERE code IN ('IOM', 'ILO') AND code LIKE $$",
    "markers": "INSERT INTO draft (code, organization, programme, stage, updated, record)"
    " SELECT 'D-' || code, 'WHO', code, 'concept_note', now(), json_build_object('code', 'D-' || code)"
    " FROM unnest(ARRAY['IOM', 'ILO']) AS code WHERE code LIKE $$",
}


@pytest.mark.parametrize("service", DRAFTS, indirect=True)
async def test_drafts_are_written_under_the_next_number_and_moment_and_of_one_owner(
    serving: asyncpg.Connection, service: str
) -> None:
    insert = f"{DRAFTS[service]}%$$"
    own = f"{DRAFTS[service]}IOM$$"
    begin = BEGIN_DRAFT.format(at=NOW, more=0)
    owner = {"catalog": "organization", "markers": "programme"}[service]
    several = f"several {owner}s"
    assert several in await refused(serving, begin, insert)
    assert several in await refused(serving, begin, own, f"{DRAFTS[service]}ILO$$")
    async with serving.transaction():
        await serving.execute(begin)
        await serving.execute(own)
    row = await serving.fetchrow("SELECT first, number, at, owner FROM draft_revision")
    assert (row["first"], row["owner"]) == (row["number"], "IOM")
    assert row["first"] == int(row["at"].timestamp() * 1000)
    amended = "UPDATE draft SET record = (record::jsonb || '{\"note\": 1}')::json, updated = now()"
    assert "null value" in await refused(serving, amended)
    for at, more in ((NOW, 1), (NOW, -1000), ("'2000-01-01'::timestamptz", 0), (f"{NOW} + interval '1 minute'", 0)):
        forged = BEGIN_DRAFT.format(at=at, more=more)
        assert "as if by another write" in await refused(serving, forged, amended), (at, more)
    # The number of a write that is over.
    again = f"SELECT set_config('mmptf.draft_first', '{row['first']}', true), set_config('mmptf.write',"
    again += f" json_build_object('at', {NOW}, 'actor', 'somebody')::text, true)"
    assert "as if by another write" in await refused(serving, again, amended)
    moved = f"UPDATE draft SET {owner} = 'ILO'"
    assert "a row of draft is changed without its record" in await refused(serving, begin, moved)
    moved = f"UPDATE draft SET {owner} = 'ILO', record = '{{\"code\": \"D-IOM\"}}'"
    assert several in await refused(serving, BEGIN_DRAFT.format(at=NOW, more=0), moved)
    async with serving.transaction():
        await serving.execute(BEGIN_DRAFT.format(at=NOW, more=0))
        await serving.execute(amended)
    assert await serving.fetchval("SELECT replaced > revised FROM draft_past")


async def test_what_is_summed_and_sorted_by_changes_with_the_record(serving: asyncpg.Connection, service: str) -> None:
    begin = BEGIN.format(first=NEXT, at=NOW)
    name, changed = {
        "catalog": ("organization", "UPDATE organization SET name = name || '.'"),
        "funding": ("contribution", "UPDATE contribution SET amount = amount + 1"),
        "markers": ("target", "UPDATE target SET marker = marker || '.'"),
    }[service]
    assert f"a row of {name} is changed without its record" in await refused(serving, changed)
    assert f"a row of {name} is changed without its record" in await refused(serving, begin, changed)
    searched = {"catalog": "programme", "funding": "requirement"}.get(service)
    if searched:
        # Words of a search are shown by no answer.
        await serving.execute(f"UPDATE {searched} SET words = words || ARRAY['more']")


async def test_records_are_written_and_the_journal_follows(serving: asyncpg.Connection, service: str) -> None:
    """Also past a temporary table that has the name of one of the journal."""
    before = await serving.fetchval("SELECT max(seq) FROM change")
    async with serving.transaction():
        await serving.execute("CREATE TEMP TABLE change (LIKE public.change) ON COMMIT DROP")
        await serving.execute("CREATE TEMP TABLE revision (LIKE public.revision) ON COMMIT DROP")
        await serving.execute(BEGIN.format(first="((SELECT max(seq) + 1 FROM public.change))", at=NOW))
        await serving.execute(AMENDED)
    row = await serving.fetchrow("SELECT * FROM revision ORDER BY first DESC LIMIT 1")
    documents = await serving.fetchval("SELECT count(*) FROM source_document")
    assert (row["first"], row["number"], row["actor"]) == (before + 1, before + documents, "somebody")
    assert await serving.fetchval("SELECT count(*) FROM change WHERE seq > $1", before) == documents
    past = "SELECT count(*) FROM source_document_past WHERE replaced = $1"
    assert await serving.fetchval(past, before + 1) == documents


async def test_migrating_again_takes_back_what_was_granted_besides(
    serving: asyncpg.Connection, url: str, service: str
) -> None:
    owner = await asyncpg.connect(url)
    role = role_of(serving_url(url))
    await owner.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}")
    await serving.execute("UPDATE change SET seq = seq")
    await owner.close()
    await migrations.migrate(url, f"mmptf_{service}", serving_role=role)
    assert is_refused(await refused(serving, "UPDATE change SET seq = seq"))


def warnings(records: Iterable[logging.LogRecord]) -> list[str]:
    return [record.getMessage() for record in records if record.name.endswith("privileges")]


@pytest.mark.parametrize("service", ["catalog"], indirect=True)
async def test_serving_as_the_owner_of_the_tables_is_warned_of(
    url: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_app("catalog", url, None) as running:
        assert not warnings(caplog.records)
        assert (await running.client.get("/catalog/v1/status")).status_code == 200
    monkeypatch.setattr("tests.conftest.serving_url", lambda url: url)
    async with running_app("catalog", url, None) as running:
        assert (await running.client.get("/catalog/v1/status")).status_code == 200
    (warning,) = warnings(caplog.records)
    assert "may rewrite the journal" in warning


@pytest.mark.parametrize("service", ["catalog"], indirect=True)
@pytest.mark.parametrize(
    "granted",
    [
        "UPDATE ON TABLE revision", "INSERT ON TABLE change", "UPDATE ON TABLE draft_revision",
        "INSERT ON TABLE draft_change", "CREATE ON SCHEMA public",
    ],
)  # fmt: skip
async def test_so_is_serving_as_a_role_that_was_granted_more(
    url: str, caplog: pytest.LogCaptureFixture, granted: str
) -> None:
    owner = await asyncpg.connect(url)
    await owner.execute(f"GRANT {granted} TO {role_of(serving_url(url))}")
    await owner.close()
    async with running_app("catalog", url, None):
        (warning,) = warnings(caplog.records)
    assert "may rewrite the journal" in warning


async def test_a_role_without_grants_is_told_to_migrate(postgres: Postgres) -> None:
    url = postgres.create_database("catalog_not_granted")
    await migrations.migrate(url, "mmptf_catalog")
    engine = write_engine(serving_url(url), size=1)
    async with engine.connect() as connection:
        with pytest.raises(UnsuitableDatabase, match=r"catalog_not_granted_serve may not read .* migrate$"):
            await require_schema(connection, "mmptf_catalog")
    await engine.dispose()
    await migrations.migrate(url, "mmptf_catalog", serving_role=role_of(serving_url(url)))
    engine = write_engine(serving_url(url), size=1)
    async with engine.connect() as connection:
        await require_schema(connection, "mmptf_catalog")
    await engine.dispose()


@pytest.mark.parametrize(
    ("given", "role"),
    [
        ("postgresql://catalog_serve:secret@localhost/catalog", "catalog_serve"),
        ("postgresql://a%40b:secret@first:5432,second:5432/catalog", "a@b"),
        ("postgresql://localhost/catalog?user=someone", "someone"),
        ("postgresql://localhost/catalog", None),
    ],
)
def test_the_role_of_a_url(given: str, role: str | None) -> None:
    assert role_of(given) == role
