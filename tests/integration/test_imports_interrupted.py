"""Imports that are killed, cut off or refused at the last moment: nothing of them is left, and the next succeeds."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import asyncpg
import pytest

from mmptf_common.storage import migrations
from mmptf_common.writes.bodies import XLSX
from mmptf_funding.imports.routes import PATH as IMPORTS
from mmptf_local.postgres import Postgres
from tests.conftest import admin_url, asyncio_run, running_app
from tests.integration.editions import MADE_UP, workbook_of
from tests.tokens import writing

# Of an import that writes, many rows show no more than a few, and take long.
FEW, MANY = 500, 12_000
SIZES = [FEW, pytest.param(MANY, marks=pytest.mark.longer)]
PROGRESS = b"checking 10,000 rows"
OTHERS = "FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'mmptf'"
IMPORTER = f"SELECT {OTHERS}"
WRITING = f"SELECT EXISTS ({IMPORTER} AND wait_event_type = 'Lock' AND query LIKE 'INSERT INTO requirement%')"
TERMINATE = f"SELECT pg_terminate_backend(pid) {OTHERS}"
WRITERS_LOCK = (
    "SELECT FROM pg_locks WHERE locktype = 'advisory' AND database ="
    " (SELECT oid FROM pg_database WHERE datname = current_database())"
)


@pytest.fixture
def rows() -> int:
    """The number of rows of `files`, which a test may choose."""
    return MANY


@pytest.fixture
def files(rows: int, tmp_path: Path) -> list[Path]:
    """An edition of one dollar for each row."""
    folder = tmp_path
    term = "LARGE,{},{},{},{}\n".format
    texts = {
        "edition.csv": "code,name,year,document,currency\nLARGE,A large edition,2016,large,USD\n",
        "vocabulary.csv": "edition,kind,code,name,region_code\n"
        + term("region", "all", "Everywhere", "")
        + term("area", "health", "Health", "")
        + term("place", "XXA", "A place", "all"),
        "printed-totals.csv": "edition,division,value,unit,printed,as_printed,source_document\n"
        f'LARGE,edition,LARGE,USD,{rows}.00,"{rows:,}",large\n',
        "requirements.csv": "code,source_line,edition,region_code,place_code,area_code,amount_usd,status,"
        + "source_document\n"
        + "".join(f"LARGE-{n:06d},{n},LARGE,all,XXA,health,1.00,required,large\n" for n in range(1, rows + 1)),
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    return [folder / name for name in texts]


@pytest.fixture(scope="module")
def new_url(postgres: Postgres) -> Callable[[], str]:
    """Make a database of its own that is migrated and holds nothing."""
    numbers = count(1)
    asyncio_run(migrations.migrate(postgres.create_database("interrupted"), "mmptf_funding"))
    return lambda: postgres.create_database(f"interrupted_{next(numbers)}", template="interrupted")


@pytest.fixture
def url(new_url: Callable[[], str]) -> str:
    return new_url()


@pytest.fixture
async def admin(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(admin_url(url))
    yield connection
    await connection.close()


@pytest.fixture
async def nothing_left(admin: asyncpg.Connection) -> AsyncIterator[None]:
    yield
    await expect_nothing(admin)


async def expect_nothing(admin: asyncpg.Connection) -> None:
    """Every table is empty, no temporary one is there, and nobody is connected or holds the writers' lock."""
    await until(admin, f"SELECT NOT EXISTS ({IMPORTER})")
    tables = [row[0] for row in await admin.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    counts = {table: await admin.fetchval(f"SELECT count(*) FROM {table}") for table in tables}
    assert counts == {**dict.fromkeys(tables, 0), "alembic_version": 1}
    assert await admin.fetchval("SELECT count(*) FROM pg_class WHERE relpersistence = 't'") == 0
    assert not await admin.fetchval(f"SELECT EXISTS ({WRITERS_LOCK})")


async def until(connection: asyncpg.Connection, condition: str) -> None:
    """Wait until PostgreSQL, which has no event for it, says so."""
    async with asyncio.timeout(60):
        while not await connection.fetchval(condition):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@asynccontextmanager
async def importing(url: str, files: list[Path]) -> AsyncIterator[Process]:
    """The command as a process, which does not outlive the test."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "mmptf_funding", "import", *map(str, files),
        env={**os.environ, "DATABASE_URL": url}, stdout=PIPE, stderr=PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def is_checking(process: Process) -> None:
    """Wait until some rows are staged, and many are not."""
    assert process.stderr
    async with asyncio.timeout(60):
        line = await process.stderr.readline()
    assert PROGRESS in line


@asynccontextmanager
async def held_while_writing(url: str) -> AsyncIterator[None]:
    """Nobody can write requirements: an import stands at its first one, everything else of it written."""
    require_scope = await asyncpg.connect(url)
    try:
        async with require_scope.transaction():
            await require_scope.execute("LOCK TABLE requirement IN SHARE MODE")
            yield
    finally:
        await require_scope.close()


async def failed_in_one_line(process: Process) -> str:
    """Its code is 1, and after the progress there is one line for people; that line."""
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert (process.returncode, out) == (1, b"")
    said = [line for line in err.decode().splitlines() if " rows, " not in line and "funding: writing" not in line]
    assert len(said) == 1, said
    assert said[0].startswith("funding: import failed: ")
    return said[0]


@pytest.mark.usefixtures("nothing_left")
async def test_killed_while_it_checks(url: str, files: list[Path]) -> None:
    async with importing(url, files) as process:
        await is_checking(process)
        process.kill()
        assert await process.wait() == -signal.SIGKILL


@pytest.mark.parametrize("rows", SIZES)
@pytest.mark.usefixtures("nothing_left")
async def test_killed_while_it_writes(url: str, files: list[Path], admin: asyncpg.Connection) -> None:
    async with importing(url, files) as process, held_while_writing(url):
        await until(admin, WRITING)
        process.kill()
        assert await process.wait() == -signal.SIGKILL


@pytest.mark.longer
@pytest.mark.usefixtures("nothing_left")
async def test_cut_off_while_it_checks(url: str, files: list[Path], admin: asyncpg.Connection) -> None:
    async with importing(url, files) as process:
        await is_checking(process)
        await admin.execute(TERMINATE)
        await failed_in_one_line(process)


@pytest.mark.longer
@pytest.mark.parametrize("rows", [FEW, MANY])
@pytest.mark.usefixtures("nothing_left")
async def test_cut_off_while_it_writes(url: str, files: list[Path], admin: asyncpg.Connection) -> None:
    async with importing(url, files) as process, held_while_writing(url):
        await until(admin, WRITING)
        await admin.execute(TERMINATE)
        await failed_in_one_line(process)


async def test_an_import_that_is_cut_off_is_a_503(url: str, admin: asyncpg.Connection) -> None:
    headers = {**writing("management-unit"), "content-type": XLSX}
    async with running_app("funding", url, None) as service:
        async with held_while_writing(url):
            request = service.client.post(IMPORTS, content=workbook_of(MADE_UP), headers=headers)
            answering = asyncio.create_task(request)
            await until(admin, WRITING)
            await admin.execute(TERMINATE)
            answer = await answering
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert answer.headers["retry-after"]
        assert await admin.fetchval("SELECT count(*) FROM change") == 0
        answer = await service.client.post(IMPORTS, content=workbook_of(MADE_UP), headers=headers)
        assert (answer.status_code, answer.json()["tables"]["requirements"]["created"]) == (200, 6)


@pytest.mark.parametrize("rows", SIZES)
async def test_refused_at_commit_nothing_is_left_and_the_next_import_succeeds(
    url: str, rows: int, files: list[Path], admin: asyncpg.Connection
) -> None:
    # A deferred constraint fails at COMMIT itself, when all rows and all journal entries are written.
    await admin.execute(
        """
        CREATE FUNCTION refuse_at_commit() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'refused at commit'; END $$;
        CREATE CONSTRAINT TRIGGER refuse_at_commit AFTER INSERT ON edition DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION refuse_at_commit();
        """
    )
    async with importing(url, files) as process:
        assert "refused at commit" in await failed_in_one_line(process)
    await expect_nothing(admin)
    await admin.execute("DROP TRIGGER refuse_at_commit ON edition")
    async with importing(url, files) as process:
        out, err = await process.communicate()
    assert process.returncode == 0, err
    assert out.endswith(f"LARGE: written, revision {rows + 6}\n".encode())
    found = await admin.fetchrow(
        "SELECT count(*) AS entries, min(seq) AS first, max(seq) AS last,"
        " count(*) FILTER (WHERE entity = 'requirement') AS requirements FROM change"
    )
    assert tuple(found) == (rows + 6, 1, rows + 6, rows)
    written = await admin.fetch("SELECT first, number, actor, reason, repeatable FROM revision")
    assert [tuple(row) for row in written] == [(1, rows + 6, "import", "import of an edition", True)]
    assert await admin.fetchval("SELECT sum(amount) FROM requirement") == rows
    # Their order in the journal is that of their codes.
    assert await admin.fetchval("SELECT key FROM change WHERE seq = $1", rows + 6) == f"LARGE-{rows:06d}"
