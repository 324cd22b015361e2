"""A PgBouncer in transaction mode between a service and its database."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

import asyncpg
import httpx
import pytest
from pydantic import SecretStr

from mmptf_common.storage.connections import SERVER_SETTINGS
from mmptf_common.storage.engines import Database, ReadKind, reading
from mmptf_common.storage.writing import writing as writing_to
from tests.conftest import RunningApp, serving_app, serving_url
from tests.integration.database_servers import pgbouncer, pgbouncer_program
from tests.integration.ledger_client import copied
from tests.integration.programme_writes import PROGRAMMES, drafted, moved, submitted
from tests.serving import served
from tests.tokens import bearer, writing

pytestmark = [
    pytest.mark.longer,
    pytest.mark.skipif(pgbouncer_program() is None, reason="pgbouncer is not installed"),
]


@dataclass(frozen=True)
class Behind:
    """A service behind a PgBouncer; pooled, direct: the URLs of its database."""

    client: httpx.AsyncClient
    database: Database
    pooled: str
    direct: str


@pytest.fixture(scope="module")
def bouncer(new_database: Callable[[str], str]) -> Iterator[tuple[str, str]]:
    url = new_database("catalog")
    with pgbouncer(str(pgbouncer_program()), serving_url(url)) as pooled:
        yield pooled, serving_url(url)


@pytest.fixture(scope="module")
async def behind(bouncer: tuple[str, str]) -> AsyncIterator[Behind]:
    pooled, direct = bouncer
    async with serving_app("catalog", pooled, database_direct_url=SecretStr(direct)) as (app, client):
        yield Behind(client, app.state.database, pooled, direct)


READS = (
    PROGRAMMES, f"{PROGRAMMES}?as_of=353", f"{PROGRAMMES}/totals?by=country",
    f"{PROGRAMMES}/totals?by=country&as_of=353", f"{PROGRAMMES}/facets", f"{PROGRAMMES}?format=csv",
    f"{PROGRAMMES}?q=migration", f"{PROGRAMMES}/SRB-01/history", "/catalog/v1/changes?limit=5", "/catalog/v1/status",
    f"{PROGRAMMES}/NONE-01",
)  # fmt: skip


async def test_every_read_is_answered_as_without_it(behind: Behind) -> None:
    async with serving_app("catalog", behind.direct) as (_, client):
        right = {path: await client.get(path) for path in READS}
    answers = await asyncio.gather(*(behind.client.get(path) for path in READS * 5))
    for path, answer in zip(READS * 5, answers, strict=True):
        assert answer.status_code == right[path].status_code, answer.text
        if answer.status_code == 200 and "status" not in path:
            assert (answer.content, answer.headers.get("etag")) == (
                right[path].content,
                right[path].headers.get("etag"),
            )


async def test_writes_at_once_are_each_whole(behind: Behind) -> None:
    programmes = await asyncio.gather(*(submitted(behind.client) for _ in range(8)))
    decided = await asyncio.gather(*(moved(behind.client, each, "pipeline") for each in programmes))
    for programme in decided:
        read = await behind.client.get(f"{PROGRAMMES}/{programme.json()['code']}")
        assert read.json() == programme.json()
    draft = await drafted(behind.client)
    wrong = await behind.client.patch(
        draft.headers["location"], json={"title": ""}, headers=writing("agency", match=draft.headers["etag"])
    )
    assert wrong.status_code == 422
    again = await behind.client.get(draft.headers["location"], headers=bearer("agency"))
    assert again.json() == draft.json()


async def test_transactions_have_their_settings_and_leave_none_behind(behind: Behind) -> None:
    asked = "SELECT concat_ws(' ', {})".format(
        ", ".join(f"current_setting('{name}')" for name in ("timezone", "jit", "statement_timeout"))
    )
    for kind, limit in ((ReadKind.PAGE, "10s"), (ReadKind.COMPUTED, "20s")):
        async with reading(behind.database, kind) as connection:
            assert await connection.fetchval(asked) == f"UTC off {limit}"
            pids = {await connection.fetchval("SELECT pg_backend_pid()") for _ in range(9)}
            assert len(pids) == 1
    async with writing_to(behind.database) as session:
        assert await session.driver.fetchval(asked) == "UTC off 1min"
        assert await session.driver.fetchval("SELECT current_setting('lock_timeout')") == "10s"
    await behind.client.get(f"{PROGRAMMES}?as_of=353")
    others = await asyncpg.connect(behind.pooled, statement_cache_size=0)
    left = set()
    for _ in range(9):
        left.add(
            await others.fetchrow(
                "SELECT current_setting('statement_timeout'), current_setting('enable_nestloop'),"
                " current_setting('lock_timeout'), (SELECT count(*) FROM pg_prepared_statements),"
                " (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid())"
            )
        )
    await others.close()
    assert {tuple(row) for row in left} == {("0", "on", "0", 0, 0)}


async def test_a_copy_of_another_service_is_made_over_a_session(
    behind: Behind, new_database: Callable[[str], str]
) -> None:
    url = new_database("funding")
    async with serving_app("catalog", behind.direct) as (catalogue, _), served(catalogue) as address:
        with pgbouncer(str(pgbouncer_program()), serving_url(url)) as pooled:
            direct = SecretStr(serving_url(url))
            async with serving_app("funding", pooled, database_direct_url=direct, catalog_url=address) as (app, client):
                await copied(RunningApp("funding", app, client, url))
                assert (await client.get("/funding/v1/copies")).status_code == 200


def verb(name: str, **environment: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "mmptf_catalog", name],
        env={**os.environ, "PORT": "0", **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stdout + done.stderr


def test_the_commands_go_on(bouncer: tuple[str, str]) -> None:
    pooled, direct = bouncer
    environment = {"DATABASE_URL": pooled, "DATABASE_DIRECT_URL": direct}
    assert verb("check-rollups", **environment) == (0, "catalog: all derived rows equal a recount\n")
    code, said = verb("seed", **environment)
    assert code == 0, said


def test_without_the_direct_address_the_start_is_refused(bouncer: tuple[str, str]) -> None:
    assert verb("serve", DATABASE_URL=bouncer[0]) == (
        3,
        "catalog: serve failed: unsupported startup parameter: jit: a pooler is in between, so set DATABASE_DIRECT_URL"
        " to the address of PostgreSQL itself\n",
    )


async def test_a_pooler_with_sessions_is_used_with_a_warning(
    bouncer: tuple[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    ignored = ", ".join(name for name in SERVER_SETTINGS if name not in ("application_name", "timezone"))
    settings = (
        "pool_mode = session", "default_pool_size = 20",
        f"ignore_startup_parameters = {ignored}, statement_timeout, lock_timeout, idle_in_transaction_session_timeout",
    )  # fmt: skip
    with pgbouncer(str(pgbouncer_program()), bouncer[1], *settings) as url:
        async with serving_app("catalog", url) as (_, client):
            answers = await asyncio.gather(*(client.get(path) for path in READS))
    assert {answer.status_code for answer in answers} == {200, 404}
    assert [record.message for record in caplog.records if "pooler" in record.message] == [
        "a pooler is in between: where it gives each transaction another connection, set DATABASE_DIRECT_URL to the"
        " address of PostgreSQL itself"
    ]
