"""Reads at a streaming replica: never without a write that anybody can have seen, and as before where it is gone."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from mmptf_common.storage.connections import SERVER_SETTINGS
from mmptf_local.processes import free_port
from tests.conftest import serving_app
from tests.drills.servers import Cluster
from tests.integration.database_servers import Pair, pgbouncer, pgbouncer_program, replicated_pair
from tests.integration.programme_writes import PROGRAMMES, drafted, moved, submitted
from tests.integration.replicas import until
from tests.tokens import bearer, writing

pytestmark = pytest.mark.longer

STATUS = "/catalog/v1/status"
STATUSES = ("pipeline", "approved", "implementation")


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with replicated_pair() as pair:
        yield pair


@asynccontextmanager
async def app_with(
    pair: Pair, read_url: str | None = None, pooled_url: str | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a service that reads at the replica, or at another URL.

    pooled_url: of a pooler before the primary
    """
    direct = pair.url(pair.primary)
    settings = {"database_read_url": SecretStr(read_url or pair.url(pair.replica))}
    if pooled_url:
        settings["database_direct_url"] = SecretStr(direct)
    async with serving_app("catalog", pooled_url or direct, **settings) as (_, client):
        yield client


async def state_of(client: httpx.AsyncClient) -> dict[str, Any]:
    state: dict[str, Any] = (await client.get(STATUS)).raise_for_status().json()["replica"]
    return state


async def working(client: httpx.AsyncClient) -> None:
    async def is_working() -> bool:
        return (await state_of(client))["state"] == "working"

    await until(is_working)


def read_since(server: Cluster, moment: datetime) -> int:
    """How many connections of the service have read something since, beside what is compared with the replica."""
    return len(
        server.run(
            "SELECT FROM pg_stat_activity WHERE usename = 'catalog_serve' AND query !~ 'pg_(current|last)_wal'"
            f" AND query_start > '{moment.isoformat()}'"
        )
    )


@contextmanager
def slow_replay(replica: Cluster, milliseconds: int) -> Iterator[None]:
    """Let the replica show each write so much later."""
    replica.run(f"ALTER SYSTEM SET recovery_min_apply_delay = {milliseconds}", "SELECT pg_reload_conf()")
    try:
        yield
    finally:
        replica.run("ALTER SYSTEM RESET recovery_min_apply_delay", "SELECT pg_reload_conf()")


async def test_reads_go_to_the_replica(pair: Pair) -> None:
    async with app_with(pair) as client:
        await working(client)

        async def are_read_there() -> bool:
            began = datetime.now(UTC)
            for path in (PROGRAMMES, f"{PROGRAMMES}?format=csv", f"{PROGRAMMES}/totals?by=country"):
                assert (await client.get(path)).status_code == 200
            return (read_since(pair.primary, began), read_since(pair.replica, began)) == (0, 3)

        # The first reads of rows that were just written are noted in the log, which the replica lacks for a moment.
        await until(are_read_there)


@pytest.mark.parametrize("milliseconds", [0, 150])
async def test_every_write_is_seen_by_the_next_read_in_any_process(pair: Pair, milliseconds: int) -> None:
    with slow_replay(pair.replica, milliseconds):
        async with app_with(pair) as one, app_with(pair) as other:
            await working(one)
            await working(other)
            await asyncio.gather(*(writes_and_reads(one, other) for _ in range(4)), reads_on(one), reads_on(other))


async def writes_and_reads(one: httpx.AsyncClient, other: httpx.AsyncClient) -> None:
    """A programme from its draft on: after each write both processes show it, alone, in lists, in the feed."""
    draft = await drafted(one)
    for number in range(4):
        draft = await one.patch(
            draft.headers["location"] if number == 0 else str(draft.request.url.path),
            json={"title": f"Title {number}"},
            headers=writing("agency", match=draft.headers["etag"]),
        )
        assert draft.status_code == 200, draft.text
        for client in (other, one):
            read = await client.get(draft.request.url.path, headers=bearer("agency"))
            assert (read.json(), read.headers["etag"]) == (draft.json(), draft.headers["etag"])
    programme = await submitted(other)
    path = f"{PROGRAMMES}/{programme.json()['code']}"
    for status in STATUSES:
        programme = await moved(one, programme, status)
        for client in (other, one):
            read = await client.get(path)
            assert (read.json(), read.headers["etag"]) == (programme.json(), programme.headers["etag"])
            listed = (await client.get(f"{PROGRAMMES}?status={status}&limit=1000")).json()
            assert programme.json()["code"] in {each["code"] for each in listed["items"]}
            # Another write may have come; what was acknowledged is there.
            assert listed["revision"] >= int(programme.headers["etag"].strip('"').partition("-")[0])


async def reads_on(client: httpx.AsyncClient) -> None:
    """Body, tag and revision of an answer belong together, and no answer is older than the one before it."""
    last = 0
    for _ in range(15):
        page = await client.get(f"{PROGRAMMES}?limit=1000")
        revision = page.json()["revision"]
        assert revision >= last
        assert page.headers["etag"].startswith(f'"{revision}-')
        then = await client.get(f"{PROGRAMMES}?limit=1000&as_of={revision}")
        assert then.json()["items"] == page.json()["items"]
        last = revision
        await asyncio.sleep(0.05)


async def test_a_replica_that_stands_still_is_told_and_not_read(pair: Pair) -> None:
    async with app_with(pair) as client:
        await working(client)
        await asyncio.to_thread(pair.replica.run, "SELECT pg_wal_replay_pause()")
        try:
            programme = await submitted(client)
            path = f"{PROGRAMMES}/{programme.json()['code']}"

            async def is_behind() -> bool:
                assert (await client.get(path)).json() == programme.json()
                return (await state_of(client))["state"] == "behind"

            await until(is_behind)
            assert (await state_of(client))["behind"] > 0
        finally:
            await asyncio.to_thread(pair.replica.run, "SELECT pg_wal_replay_resume()")
        await working(client)
        assert (await client.get(path)).json() == programme.json()
        assert (await state_of(client)) == {"state": "working", "reason": None, "behind": 0}


async def test_the_database_answers_while_the_replica_is_gone(pair: Pair) -> None:
    paths = itertools.cycle((PROGRAMMES, f"{PROGRAMMES}?format=csv", f"{PROGRAMMES}/totals?by=country", STATUS))
    async with app_with(pair) as client:
        await working(client)
        # Its connections are open when it ends, and none of the reads fails for it.
        await asyncio.gather(*(client.get(path) for path in itertools.islice(paths, 8)))
        # Writes wait for it no longer.
        pair.primary.run("ALTER SYSTEM SET synchronous_standby_names = ''", "SELECT pg_reload_conf()")
        await asyncio.to_thread(pair.replica.kill)
        try:
            for path in itertools.islice(paths, 40):
                assert (await client.get(path)).status_code == 200, path
            assert (await state_of(client))["state"] == "unavailable"
            assert (await submitted(client)).status_code == 201
        finally:
            await asyncio.to_thread(pair.replica.start)
        await working(client)
        assert (await client.get(PROGRAMMES)).status_code == 200


@pytest.mark.parametrize("is_there", [True, False])
async def test_what_is_no_replica_is_not_read(pair: Pair, is_there: bool) -> None:
    url = (
        pair.url(pair.primary) if is_there else pair.url(pair.primary).replace(f"{pair.primary.port}", f"{free_port()}")
    )
    reason = "It is no streaming replica of the database." if is_there else (
        "The replica cannot be reached, or broke a connection."
    )  # fmt: skip
    async with app_with(pair, url) as client:

        async def is_told() -> bool:
            return await state_of(client) == {"state": "unavailable", "reason": reason, "behind": None}

        await until(is_told)
        assert (await client.get(PROGRAMMES)).status_code == 200


@pytest.mark.skipif(pgbouncer_program() is None, reason="pgbouncer is not installed")
async def test_the_replica_is_read_with_a_pooler_before_the_primary(pair: Pair) -> None:
    with slow_replay(pair.replica, 150), pgbouncer(str(pgbouncer_program()), pair.url(pair.primary)) as url:
        async with app_with(pair, pooled_url=url) as one, app_with(pair) as other:
            await working(one)
            await working(other)
            await asyncio.gather(*(writes_and_reads(one, other) for _ in range(2)), reads_on(one))

            async def is_read_there() -> bool:
                began = datetime.now(UTC)
                assert (await one.get(PROGRAMMES)).status_code == 200
                return read_since(pair.replica, began) == 1

            await until(is_read_there)


@pytest.mark.skipif(pgbouncer_program() is None, reason="pgbouncer is not installed")
async def test_a_replica_behind_a_pooler_is_not_read(pair: Pair) -> None:
    ignored = ", ".join(name for name in SERVER_SETTINGS if name not in ("application_name", "timezone"))
    settings = ("pool_mode = transaction", f"ignore_startup_parameters = {ignored}, statement_timeout")
    with pgbouncer(str(pgbouncer_program()), pair.url(pair.replica), *settings) as url:
        async with app_with(pair, url) as client:

            async def is_told() -> bool:
                return "pooler" in str((await state_of(client))["reason"])

            await until(is_told)
            assert (await client.get(PROGRAMMES)).status_code == 200
