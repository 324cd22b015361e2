"""The journal: in commit order, without gaps, together with the rows, and never ahead of what the client is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import asyncpg
import httpx
import pytest
import sqlalchemy as sa
from fastapi import APIRouter, FastAPI
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from mmptf_catalog.commands import load_packaged_data
from mmptf_catalog.models import OrganizationRow, change
from mmptf_common.db import WriteSession, write_engine
from mmptf_common.journal import Author, Change, begin_write, record
from mmptf_common.records import load, moment_text
from tests.conftest import running_app

Databases = Callable[[str], str]


@pytest.fixture
async def database(new_database: Databases) -> str:
    return new_database("catalog")


@pytest.fixture
async def sessions(database: str) -> AsyncIterator[async_sessionmaker[AsyncSession]]:
    engine = write_engine(database, size=8)
    yield async_sessionmaker(engine)
    await engine.dispose()


async def write(session: AsyncSession, code: str, name: str, author: str = "test") -> None:
    """One organization written the way every command writes."""
    at = await begin_write(session)
    document = {"code": code, "name": name, "kind": "un_organization", "sources": [], "updated": moment_text(at)}
    row = OrganizationRow(code=code, name=name, updated=at, document=document)
    changes = [Change("organization", code, None, document)]
    session.add(row)
    await session.flush()
    await record(session, change, changes, Author(author, "request-1"), at)


def writing_app(app: FastAPI) -> FastAPI:
    """The catalogue with one more route, which creates an organization and answers 201."""
    router = APIRouter()

    @router.post("/test/organizations/{code}", status_code=201, tags=["test"])
    async def create(code: str, session: WriteSession) -> dict[str, str]:
        await write(session, code, code.title())
        return {"code": code}

    app.include_router(router)
    return app


async def rows_and_entries(database: str, code: str) -> tuple[int, int]:
    connection = await asyncpg.connect(database)
    try:
        rows = await connection.fetchval("SELECT count(*) FROM organization WHERE code = $1", code)
        entries = await connection.fetchval(
            "SELECT count(*) FROM change WHERE entity = 'organization' AND key = $1", code
        )
    finally:
        await connection.close()
    return rows, entries


async def test_a_commit_that_fails_is_never_told_as_success(database: str) -> None:
    connection = await asyncpg.connect(database)
    # A deferred constraint fails at COMMIT itself: everything before it, the handler's answer included, went well.
    await connection.execute(
        """
        CREATE FUNCTION refuse_at_commit() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN IF NEW.code = 'DOOMED' THEN RAISE EXCEPTION 'refused at commit'; END IF; RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER refuse_at_commit AFTER INSERT ON organization DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION refuse_at_commit();
        """
    )
    await connection.close()
    async with running_app("catalog", database, None) as service:
        app = writing_app(service.app)
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            doomed = await client.post("/test/organizations/DOOMED")
            assert doomed.status_code == 500
            assert doomed.headers["content-type"] == "application/problem+json"
            assert await rows_and_entries(database, "DOOMED") == (0, 0)
            fine = await client.post("/test/organizations/FINE")
            assert fine.status_code == 201
            assert await rows_and_entries(database, "FINE") == (1, 1)


async def test_a_connection_lost_at_commit_is_never_told_as_success(database: str) -> None:
    async with running_app("catalog", database, None) as service:
        app = writing_app(service.app)

        @app.post("/test/cut/{code}", tags=["test"], name="cut")
        async def cut(code: str, session: WriteSession) -> dict[str, str]:
            await write(session, code, code)
            pid = await session.scalar(sa.text("SELECT pg_backend_pid()"))
            admin = await asyncpg.connect(database)
            await admin.execute("SELECT pg_terminate_backend($1)", pid)
            await admin.close()
            return {"code": code}

        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            answer = await client.post("/test/cut/LOST")
            assert answer.status_code == 503
            assert answer.json()["code"] == "unavailable"
            assert answer.headers["retry-after"]
            assert await rows_and_entries(database, "LOST") == (0, 0)
            assert (await client.get("/catalog/v1/organizations")).status_code == 200


async def test_parallel_writes_commit_in_order_without_gaps(
    database: str, sessions: async_sessionmaker[AsyncSession]
) -> None:
    seen: list[int] = []
    done = asyncio.Event()

    async def follow() -> None:
        """Read like a consumer: everything after the last seq seen, while the writers write."""
        reader = await asyncpg.connect(database)
        last = await reader.fetchval("SELECT max(seq) FROM change")
        while not done.is_set():
            for (seq,) in await reader.fetch("SELECT seq FROM change WHERE seq > $1 ORDER BY seq", last):
                seen.append(seq)
                last = seq
            await asyncio.sleep(0.001)
        seen.extend(row[0] for row in await reader.fetch("SELECT seq FROM change WHERE seq > $1 ORDER BY seq", last))
        await reader.close()

    async def one(number: int) -> None:
        async with sessions() as session, session.begin():
            await write(session, f"ORG-{number}", f"Organization {number}")
            if number % 5 == 0:
                await session.rollback()

    follower = asyncio.create_task(follow())
    await asyncio.sleep(0.05)
    await asyncio.gather(*(one(number) for number in range(60)), return_exceptions=True)
    done.set()
    await follower
    connection = await asyncpg.connect(database)
    entries = await connection.fetch("SELECT seq, at, actor, request_id, after FROM change ORDER BY seq")
    await connection.close()
    assert [row["seq"] for row in entries] == list(range(1, len(entries) + 1))
    assert [row["at"] for row in entries] == sorted(row["at"] for row in entries)
    written = [row["seq"] for row in entries if row["actor"] == "test"]
    assert len(written) == 48
    assert seen == written


async def test_loading_again_changes_nothing(sessions: async_sessionmaker[AsyncSession]) -> None:
    async with sessions() as session, session.begin():
        before = await session.scalar(sa.select(sa.func.max(change.c.seq)))
        assert await load_packaged_data(session, Author("seed")) == before


async def test_a_correction_outlives_the_next_load(database: str, sessions: async_sessionmaker[AsyncSession]) -> None:
    def organization(name: str, code: str) -> OrganizationRow:
        document = {"code": code, "name": name, "kind": "un_organization", "sources": [], "updated": moment_text(at)}
        return OrganizationRow(code=code, name=name, updated=at, document=document)

    async with sessions() as session, session.begin():
        at = await begin_write(session)
        mine = await load(session, change, "organization", [organization("Corrected", "IOM")], Author("seed"))
        await record(session, change, mine, Author("an operator"), at)
    async with sessions() as session, session.begin():
        at = await begin_write(session)
        rows = [organization("Packaged, newer", "IOM"), organization("Packaged, newer", "WHO")]
        changes = await load(session, change, "organization", rows, Author("seed"))
        assert [c.key for c in changes] == ["WHO"]
        assert (changes[0].action, changes[0].before and changes[0].before["code"]) == ("amend", "WHO")
        await record(session, change, changes, Author("seed"), at)
    connection = await asyncpg.connect(database)
    names = dict(await connection.fetch("SELECT code, name FROM organization WHERE code IN ('IOM', 'WHO')"))
    await connection.close()
    assert names == {"IOM": "Corrected", "WHO": "Packaged, newer"}


async def test_a_write_changes_revision_and_etag_at_once(database: str) -> None:
    async with running_app("catalog", database, None) as service:
        app = writing_app(service.app)
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            before = await client.get("/catalog/v1/organizations")
            tag = {"if-none-match": before.headers["etag"]}
            assert (await client.get("/catalog/v1/organizations", headers=tag)).status_code == 304
            await client.post("/test/organizations/NEW")
            after = await client.get("/catalog/v1/organizations", headers=tag)
            assert after.status_code == 200
            assert after.json()["revision"] == before.json()["revision"] + 1
            assert after.json()["total"] == before.json()["total"] + 1


async def test_a_renamed_code_leads_to_the_current_one(database: str) -> None:
    connection = await asyncpg.connect(database)
    await connection.execute("INSERT INTO renamed_code VALUES ('programme', 'OLD-01', 'MKD-01')")
    await connection.close()
    async with running_app("catalog", database, None) as service:
        answer = await service.client.get("/catalog/v1/programmes/OLD-01")
        assert (answer.status_code, answer.headers["location"]) == (308, "/catalog/v1/programmes/MKD-01")


async def test_a_service_refuses_a_schema_that_is_not_at_head(database: str) -> None:
    connection = await asyncpg.connect(database)
    await connection.execute("UPDATE alembic_version SET version_num = '0000'")
    await connection.close()
    with pytest.raises(RuntimeError, match="run: python -m mmptf_catalog migrate"):
        async with running_app("catalog", database, None):
            pass
