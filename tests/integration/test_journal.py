"""The journal: kept by the database, in commit order, without gaps, and never ahead of the answer to the client."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from itertools import pairwise
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from mmptf_catalog.models import OrganizationRow
from mmptf_catalog.seed import load_packaged_data
from mmptf_common.storage.as_of import AsOfTables, EarlierTables
from mmptf_common.storage.engines import write_engine
from mmptf_common.storage.journal import Author, Write, begin_write, state_reasons
from mmptf_common.storage.records import load, moment_text
from mmptf_common.storage.schema_version import UnsuitableDatabase
from tests.conftest import SERVICES, running_app, service_of
from tests.tokens import writing

Databases = Callable[[str], str]
Sessions = async_sessionmaker[AsyncSession]


@pytest.fixture
def service() -> str:
    """The service whose database a test has; parametrized where it is another one."""
    return "catalog"


@pytest.fixture
async def database(new_database: Databases, service: str) -> str:
    return new_database(service)


@pytest.fixture
async def sessions(database: str) -> AsyncIterator[Sessions]:
    engine = write_engine(database, size=8)
    yield async_sessionmaker(engine, expire_on_commit=False)
    await engine.dispose()


@pytest.fixture
async def reader(database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


def organization(code: str, name: str, write: Write) -> OrganizationRow:
    updated = moment_text(write.at)
    record = {"code": code, "name": name, "kind": "un_organization", "sources": [], "updated": updated}
    return OrganizationRow(code=code, name=name, updated=write.at, record=record)


async def create(session: AsyncSession, code: str, name: str) -> Write:
    """One organization written the way every command writes."""
    write = await begin_write(session, Author("test", request_id="request-1"))
    session.add(organization(code, name, write))
    await session.flush()
    return write


async def amend(session: AsyncSession, code: str, name: str) -> None:
    """Another name for an organization, within a write."""
    await session.execute(
        sa.text(
            "UPDATE organization SET name = CAST(:name AS text),"
            " record = (record::jsonb || jsonb_build_object('name', CAST(:name AS text)))::json WHERE code = :code"
        ),
        {"code": code, "name": name},
    )


async def remove(session: AsyncSession, code: str) -> None:
    await session.execute(sa.text("DELETE FROM organization WHERE code = :code"), {"code": code})


async def entries_of(reader: asyncpg.Connection, code: str) -> list[tuple[str, str | None, str | None]]:
    """The entries of one organization: action, the name before and the name after."""
    found = await reader.fetch(
        "SELECT action, before->>'name', after->>'name' FROM change"
        " WHERE entity = 'organization' AND key = $1 ORDER BY seq",
        code,
    )
    return [tuple(row) for row in found]


async def past_of(reader: asyncpg.Connection, code: str) -> list[str]:
    """The names of an organization that are not its name any more."""
    found = await reader.fetch("SELECT name FROM organization_past WHERE code = $1 ORDER BY revised", code)
    return [row[0] for row in found]


async def newest(reader: asyncpg.Connection) -> int:
    return int(await reader.fetchval("SELECT max(number) FROM revision"))


async def written(reader: asyncpg.Connection) -> list[asyncpg.Record]:
    """The revisions, which cover every entry once, in order, and are later the higher they are."""
    revisions: list[asyncpg.Record] = await reader.fetch("SELECT * FROM revision ORDER BY number")
    entries = [row[0] for row in await reader.fetch("SELECT seq FROM change ORDER BY seq")]
    assert [seq for row in revisions for seq in range(row["first"], row["number"] + 1)] == entries
    assert entries == list(range(1, len(entries) + 1))
    times = [row["at"] for row in revisions]
    assert times == sorted(set(times))
    return revisions


# --- the answer to the client -------------------------------------------------------------------------------------


async def test_a_write_changes_revision_and_etag_at_once(database: str) -> None:
    path = "/catalog/v1/organizations"
    async with running_app("catalog", database, None) as service:
        before = await service.client.get(path)
        tag = {"if-none-match": before.headers["etag"]}
        assert (await service.client.get(path, headers=tag)).status_code == 304
        listed = {"code": "NEW", "name": "New"}
        assert (await service.client.post(path, json=listed, headers=writing("management-unit"))).status_code == 201
        after = await service.client.get(path, headers=tag)
        assert after.status_code == 200
        assert after.json()["revision"] == before.json()["revision"] + 1
        assert after.json()["total"] == before.json()["total"] + 1


async def test_a_renamed_code_leads_to_the_current_one(database: str, reader: asyncpg.Connection) -> None:
    await reader.execute("INSERT INTO renamed_code VALUES ('programme', 'OLD-01', 'MKD-01')")
    async with running_app("catalog", database, None) as service:
        answer = await service.client.get("/catalog/v1/programmes/OLD-01")
        assert (answer.status_code, answer.headers["location"]) == (308, "/catalog/v1/programmes/MKD-01")


async def test_a_service_refuses_a_schema_that_is_not_at_head(database: str, reader: asyncpg.Connection) -> None:
    await reader.execute("UPDATE alembic_version SET version_num = '0004'")
    with pytest.raises(UnsuitableDatabase, match="run: python -m mmptf_catalog migrate"):
        async with running_app("catalog", database, None):
            pass


# --- in order, without gaps ----------------------------------------------------------------------------------------


async def test_parallel_writes_commit_in_order_without_gaps(
    database: str, sessions: Sessions, reader: asyncpg.Connection
) -> None:
    seen: list[int] = []
    done = asyncio.Event()
    beginning = await newest(reader)

    async def follow() -> None:
        """Read like a consumer: everything after the last seq seen, while the writers write."""
        connection = await asyncpg.connect(database)
        last = beginning
        while True:
            finished = done.is_set()
            for (seq,) in await connection.fetch("SELECT seq FROM change WHERE seq > $1 ORDER BY seq", last):
                seen.append(seq)
                last = seq
            if finished:
                break
            await asyncio.sleep(0.001)
        await connection.close()

    async def one(number: int) -> None:
        async with sessions() as session, session.begin():
            await create(session, f"ORG-{number}", f"Organization {number}")
            if number % 5 == 0:
                await session.rollback()

    follower = asyncio.create_task(follow())
    await asyncio.gather(*(one(number) for number in range(60)))
    done.set()
    await follower
    mine = [row for row in await written(reader) if row["actor"] == "test"]
    assert len(mine) == 48
    assert {row["request_id"] for row in mine} == {"request-1"}
    assert seen == [row["number"] for row in mine] == list(range(beginning + 1, beginning + 49))


async def test_what_is_rolled_back_leaves_no_gap(sessions: Sessions, reader: asyncpg.Connection) -> None:
    beginning = await newest(reader)
    for code in ("ONE", "TWO"):
        async with sessions() as session:
            await create(session, f"{code}-UNDONE", code)
            await session.rollback()
        async with sessions() as session, session.begin():
            await create(session, code, code)
            # A part of a write can be undone as well.
            part = await session.begin_nested()
            await amend(session, code, "Another name")
            await remove(session, "IOM")
            await part.rollback()
            await amend(session, "WHO", f"World Health Organization, {code}")
    revisions = [row for row in await written(reader) if row["number"] > beginning]
    assert [(row["first"], row["number"]) for row in revisions] == [
        (beginning + 1, beginning + 2),
        (beginning + 3, beginning + 4),
    ]
    assert await entries_of(reader, "ONE") == [("create", None, "ONE")]
    assert [action for action, *_ in await entries_of(reader, "IOM")] == ["create"]
    assert await past_of(reader, "IOM") == await past_of(reader, "ONE") == []
    assert len(await past_of(reader, "WHO")) == 2


async def test_times_increase_when_the_clock_stands_still(sessions: Sessions, reader: asyncpg.Connection) -> None:
    # A clock that was set back stands still, for the journal, until it is as late as the newest revision.
    await reader.execute("UPDATE revision SET at = at + interval '1 day'")
    last = await reader.fetchval("SELECT max(at) FROM revision")
    for number in (1, 2, 3):
        async with sessions() as session, session.begin():
            write = await create(session, f"ORG-{number}", "An organization")
        assert (write.at - last).total_seconds() == 0.000_001
        assert write.at == await reader.fetchval("SELECT max(at) FROM revision")
        last = write.at
    await written(reader)


async def test_actor_and_reason_of_a_write_are_stored_unchanged(sessions: Sessions, reader: asyncpg.Connection) -> None:
    author = Author('o\'brien \\ "x" %s :y', "Organización\t№ 1", "{request}")
    for who, why in ((author, "as ' they \\n said;\n--"), (Author("nobody else"), None)):
        async with sessions() as session, session.begin():
            write = await begin_write(session, who, why)
            await amend(session, "IOM", f"Written by {who.actor}")
        row = (await written(reader))[-1]
        said = (row["actor"], row["organization"], row["reason"], row["request_id"])
        assert said == (who.actor, who.organization, why, who.request_id)
        assert (row["first"], row["at"], row["repeatable"]) == (write.first, write.at, True)


# --- what is an entry ----------------------------------------------------------------------------------------------

NO_CHANGES = [
    "SELECT 1",
    "UPDATE organization SET record = record, updated = now()",
    "UPDATE organization SET name = 'Nobody' WHERE code = 'NOBODY'",
    "DELETE FROM organization WHERE code = 'NOBODY'",
    "INSERT INTO organization (code, name, updated, record)"
    " SELECT code, name, updated, record FROM organization ON CONFLICT DO NOTHING",
    "INSERT INTO organization (code, name, updated, record)"
    " SELECT code, name, updated, record FROM organization ON CONFLICT (code) DO UPDATE SET name = excluded.name",
]


@pytest.mark.parametrize("statement", NO_CHANGES)
async def test_a_write_that_changes_nothing_is_no_revision(
    sessions: Sessions, reader: asyncpg.Connection, statement: str
) -> None:
    beginning = await newest(reader)
    stamps = await reader.fetch("SELECT code, revised FROM organization ORDER BY code")
    async with sessions() as session, session.begin():
        write = await begin_write(session, Author("test"))
        await session.execute(sa.text(statement))
        assert await write.revision() == beginning
    assert await newest(reader) == beginning
    assert await reader.fetchval("SELECT count(*) FROM organization_past") == 0
    assert await reader.fetch("SELECT code, revised FROM organization ORDER BY code") == stamps


OUTSIDE = {
    "insert": "INSERT INTO organization (code, name, updated, record) VALUES ('NEW', 'New', now(), '{}')",
    "insert with a revision": "INSERT INTO organization (code, name, updated, record, revised)"
    " VALUES ('NEW', 'New', now(), '{}', 1)",
    "amend": "UPDATE organization SET record = '{}' WHERE code = 'IOM'",
    "amend with a revision": "UPDATE organization SET record = '{}', revised = 1 WHERE code = 'IOM'",
    "insert or amend": "INSERT INTO organization (code, name, updated, record) VALUES ('IOM', 'New', now(), '{}')"
    " ON CONFLICT (code) DO UPDATE SET record = excluded.record",
    "merge": "MERGE INTO organization USING (VALUES ('IOM')) AS v(code) ON organization.code = v.code"
    " WHEN MATCHED THEN DELETE",
    "another code": "UPDATE organization SET code = 'IOM-2' WHERE code = 'IOM'",
    "delete": "DELETE FROM organization WHERE code = 'IOM'",
    "truncate": "TRUNCATE organization CASCADE",
}


@pytest.mark.parametrize("statement", OUTSIDE.values(), ids=OUTSIDE)
async def test_no_record_is_changed_outside_a_write(
    sessions: Sessions, reader: asyncpg.Connection, statement: str
) -> None:
    rows = await reader.fetch("SELECT code, name, record::text, revised FROM organization ORDER BY code")
    async with sessions() as session:
        # A write before it on the same connection leaves nothing open for it.
        async with session.begin():
            await create(session, "MINE", "Mine")
            await remove(session, "MINE")
        beginning = await newest(reader)
        with pytest.raises(sa.exc.DBAPIError):
            async with session.begin():
                await session.execute(sa.text(statement))
    assert await reader.fetch("SELECT code, name, record::text, revised FROM organization ORDER BY code") == rows
    assert await newest(reader) == beginning
    assert await reader.fetchval("SELECT count(*) FROM organization_past") == 0
    await written(reader)


async def test_a_record_is_not_renamed_behind_the_journal(sessions: Sessions, reader: asyncpg.Connection) -> None:
    """A code never changes: where one is written over all the same, that is refused or journalled."""
    async with sessions() as session:
        try:
            async with session.begin():
                await begin_write(session, Author("test"))
                await session.execute(sa.text("UPDATE organization SET code = 'IOM-2' WHERE code = 'IOM'"))
        except sa.exc.DBAPIError:
            assert await reader.fetchval("SELECT count(*) FROM organization WHERE code = 'IOM'") == 1
        else:
            assert [action for action, *_ in await entries_of(reader, "IOM")] == ["create", "delete"]
            assert [action for action, *_ in await entries_of(reader, "IOM-2")] == ["create"]


async def test_one_write_may_change_a_record_several_times(sessions: Sessions, reader: asyncpg.Connection) -> None:
    """Each change is an entry; between them nobody saw the record, so only what it was before the write is past."""
    (_, _, name), *_ = await entries_of(reader, "IOM")
    beginning = await newest(reader)
    async with sessions() as session, session.begin():
        write = await begin_write(session, Author("test"))
        await amend(session, "IOM", "First")
        await amend(session, "IOM", "Second")
        await remove(session, "IOM")
        session.add(organization("IOM", "Third", write))
        await session.flush()
        await amend(session, "IOM", "Fourth")
    assert await entries_of(reader, "IOM") == [
        ("create", None, name),
        ("amend", name, "First"),
        ("amend", "First", "Second"),
        ("delete", "Second", None),
        ("create", None, "Third"),
        ("amend", "Third", "Fourth"),
    ]
    assert await past_of(reader, "IOM") == [name]
    assert await newest(reader) == beginning + 5
    await written(reader)


async def test_one_transaction_may_hold_several_writes(sessions: Sessions, reader: asyncpg.Connection) -> None:
    """As a migration or an operator may make them: each is a revision with the numbers of its own changes."""
    beginning = await newest(reader)
    async with sessions() as session, session.begin():
        await create(session, "ONE", "One")
        await amend(session, "ONE", "Another one")
        write = await create(session, "TWO", "Two")
        assert (write.first, await write.revision()) == (beginning + 3, beginning + 3)
        await amend(session, "TWO", "Another two")
        await amend(session, "TWO", "A third one")
        assert await write.revision() == beginning + 5
    revisions = [row for row in await written(reader) if row["number"] > beginning]
    assert [(row["first"], row["number"]) for row in revisions] == [
        (beginning + 1, beginning + 2),
        (beginning + 3, beginning + 5),
    ]


# The pages that this transaction has read so far, of the tables and indexes of the journal.
PAGES_READ = """
SELECT sum(pg_stat_get_xact_blocks_fetched(oid))::bigint FROM pg_class
 WHERE oid IN (SELECT indexrelid FROM pg_index WHERE indrelid IN ('revision'::regclass, 'change'::regclass))
    OR oid IN ('revision'::regclass, 'change'::regclass)
"""


@pytest.mark.parametrize("undone", [False, True], ids=["plain", "savepoints"])
async def test_the_journal_takes_as_much_work_for_the_last_statement_of_a_write_as_for_the_first(
    sessions: Sessions, undone: bool
) -> None:
    """The pages that its triggers read for each thousand of statements, where some parts are rolled back, too."""
    async with sessions() as session, session.begin():
        await begin_write(session, Author("test"))
        connection = await driver_of(session)
        read = [await connection.fetchval(PAGES_READ)]
        for thousand in range(4):
            await connection.execute(
                f"DO $$ BEGIN FOR n IN 1..1000 LOOP BEGIN INSERT INTO organization (code, name, updated, record)"
                f" VALUES ('N-{thousand}-' || n, 'New', now(), json_build_object('name', repeat('x', 500)));"
                f" IF {undone} AND n % 3 = 0 THEN RAISE EXCEPTION 'undone' USING ERRCODE = 'ZZ001'; END IF;"
                f" EXCEPTION WHEN SQLSTATE 'ZZ001' THEN NULL; END; END LOOP; END $$"
            )
            read.append(await connection.fetchval(PAGES_READ))
        await session.rollback()
    each = [after - before for before, after in pairwise(read)]
    assert each[0] > 1000
    assert max(each) < 1.3 * each[0]


async def test_changes_of_one_statement_may_have_reasons_of_their_own(
    sessions: Sessions, reader: asyncpg.Connection
) -> None:
    beginning = await newest(reader)
    async with sessions() as session, session.begin():
        write = await begin_write(session, Author("test"), "of the write")
        await state_reasons(
            write, {"organization": {"IOM": 'Of "IOM" \\ alone', "NEW": "a new one"}, "place": {"WHO": "no"}}
        )
        await session.execute(sa.text("UPDATE organization SET record = '{}' WHERE code IN ('IOM', 'WHO')"))
        session.add(organization("NEW", "New", write))
        await session.flush()
        await state_reasons(write, {})
        await remove(session, "NEW")
    found = await reader.fetch("SELECT key, action, reason FROM change WHERE seq > $1 ORDER BY key, seq", beginning)
    assert [tuple(row) for row in found] == [
        ("IOM", "amend", 'Of "IOM" \\ alone'), ("NEW", "create", "a new one"), ("NEW", "delete", None),
        ("WHO", "amend", None),
    ]  # fmt: skip


async def test_what_was_only_there_within_a_write_is_not_past(sessions: Sessions, reader: asyncpg.Connection) -> None:
    async with sessions() as session, session.begin():
        await create(session, "BRIEF", "Brief")
        await amend(session, "BRIEF", "Briefer")
        await remove(session, "BRIEF")
    assert await entries_of(reader, "BRIEF") == [
        ("create", None, "Brief"), ("amend", "Brief", "Briefer"), ("delete", "Briefer", None),
    ]  # fmt: skip
    assert await past_of(reader, "BRIEF") == []
    assert len([row for row in await written(reader) if row["actor"] == "test"]) == 1


async def test_a_record_that_was_deleted_may_come_again(sessions: Sessions, reader: asyncpg.Connection) -> None:
    for name in ("Once", "Twice"):
        async with sessions() as session, session.begin():
            await create(session, "AGAIN", name)
        async with sessions() as session, session.begin():
            await begin_write(session, Author("test"))
            await remove(session, "AGAIN")
    assert await entries_of(reader, "AGAIN") == [
        ("create", None, "Once"), ("delete", "Once", None), ("create", None, "Twice"), ("delete", "Twice", None),
    ]  # fmt: skip
    assert await past_of(reader, "AGAIN") == ["Once", "Twice"]
    numbers = [row["number"] for row in await written(reader) if row["actor"] == "test"]
    kept = await reader.fetch("SELECT revised, replaced FROM organization_past ORDER BY revised")
    assert [tuple(row) for row in kept] == [(numbers[0], numbers[1]), (numbers[2], numbers[3])]


# --- loading -------------------------------------------------------------------------------------------------------


async def test_loading_again_changes_nothing(sessions: Sessions, reader: asyncpg.Connection) -> None:
    before = await newest(reader)
    async with sessions() as session, session.begin():
        assert await load_packaged_data(session, Author("seed")) == before
    assert await newest(reader) == before


async def test_a_correction_outlives_the_next_load(sessions: Sessions, reader: asyncpg.Connection) -> None:
    async with sessions() as session, session.begin():
        write = await begin_write(session, Author("an operator"))
        assert await load(write, [organization("IOM", "Corrected", write)], keep_corrections=False) == Counter(amend=1)
    async with sessions() as session, session.begin():
        write = await begin_write(session, Author("seed"))
        names = {"IOM": "Packaged, newer", "WHO": "Packaged, newer", "NEW": "Packaged, new"}
        assert await load(write, [organization(*pair, write) for pair in names.items()]) == Counter(amend=1, create=1)
    assert [action for action, *_ in await entries_of(reader, "IOM")] == ["create", "amend"]
    assert [action for action, *_ in await entries_of(reader, "WHO")] == ["create", "amend"]
    found = dict(await reader.fetch("SELECT code, name FROM organization WHERE code IN ('IOM', 'WHO', 'NEW')"))
    assert found == {"IOM": "Corrected", "WHO": "Packaged, newer", "NEW": "Packaged, new"}


# --- the journal says everything -----------------------------------------------------------------------------------

# Tables that random writes change beside the records: nothing refers to their rows, and no two columns have to agree.
WRITTEN = {
    "catalog": ("organization", "place", "programme"),
    "funding": ("contribution", "target", "fact", "initiative", "requirement"),
}
NOW = EarlierTables({}, 0)
Records = dict[tuple[str, str], str]


async def write_at_random(connection: asyncpg.Connection, service: str, dice: random.Random) -> None:
    """Create, amend and delete some records of some tables."""
    tables = service_of(service).metadata.tables
    for name in dice.choices(("source_document", *WRITTEN.get(service, ())), k=dice.randint(1, 3)):
        codes = [row[0] for row in await connection.fetch(f"SELECT code FROM {name} ORDER BY code")]
        some = dice.sample(codes, min(len(codes), dice.randint(1, 4)))
        match dice.choice(("create", "amend", "amend", "delete")) if len(codes) > 4 else "create":
            case "create":
                others = ", ".join(c.name for c in tables[name].columns if c.name not in ("code", "record", "revised"))
                await connection.execute(
                    f"INSERT INTO {name} (code, record, {others})"
                    f" SELECT code || '-{dice.randrange(10**9)}', record, {others} FROM {name} WHERE code = ANY($1)",
                    some,
                )
            case "amend":
                # What it says is no canonical JSON: entries have to hold a record as it was written.
                said = json.dumps({"a": dice.random(), "b": ["\u00e9", None, "\\", '"']}, indent=dice.choice((None, 2)))
                await connection.execute(
                    f"UPDATE {name} SET record = ('{{\"said\" :  ' || $2 || ', ' || right(record::text, -1))::json"
                    " WHERE code = ANY($1)",
                    some,
                    said,
                )
            case "delete":
                await connection.execute(f"DELETE FROM {name} WHERE code = ANY($1)", some)


async def driver_of(session: AsyncSession) -> asyncpg.Connection:
    return (await (await session.connection()).get_raw_connection()).driver_connection


async def records_at(connection: asyncpg.Connection, service: str, earlier: EarlierTables = NOW) -> Records:
    """Every record of a service, now or as the clause gives the tables."""
    found: Records = {}
    for table in service_of(service).metadata.sorted_tables:
        if "entity" in table.info:
            rows = await connection.fetch(earlier.statement(f"SELECT code, record::text FROM {table.name}"))
            found |= {(table.info["entity"], code): record for code, record in rows}
    return found


def replayed(records: Records, entries: Iterable[Any]) -> Records:
    """The records after more entries of the journal, each of which begins where the one before it ended."""
    for entry in entries:
        key = (entry["entity"], entry["key"])
        assert records.pop(key, None) == entry["before"]
        if entry["after"] is not None:
            records[key] = entry["after"]
    return records


@pytest.mark.parametrize("service", SERVICES)
async def test_the_journal_replayed_from_nothing_is_the_data(
    service: str, sessions: Sessions, reader: asyncpg.Connection
) -> None:
    """Every record to the letter, now and at each revision."""
    dice = random.Random(service)
    tables = AsOfTables(service_of(service).metadata)
    kept = {await newest(reader): await records_at(reader, service)}
    for number in range(24):
        async with sessions() as session, session.begin():
            await begin_write(session, Author("test"), f"write {number}")
            await write_at_random(await driver_of(session), service, dice)
            if number % 4 == 3:
                await session.rollback()
        kept[await newest(reader)] = await records_at(reader, service)
    revisions = await written(reader)
    assert {row["number"] for row in revisions} == kept.keys()
    assert len(kept) == 19
    entries = await reader.fetch("SELECT entity, key, action, before::text, after::text FROM change ORDER BY seq")
    records: Records = {}
    for revision in revisions:
        number = revision["number"]
        records = replayed(records, entries[revision["first"] - 1 : number])
        assert records == kept[number]
        assert records == await records_at(reader, service, tables.at(number))
    assert {entry["action"] for entry in entries} == {"create", "amend", "delete"}
