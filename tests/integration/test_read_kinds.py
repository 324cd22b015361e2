"""Each kind of reads has connections of its own: whatever holds all of one kind, every other kind is answered."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
from starlette.types import Message

from mmptf_common.lists import export_places, exports
from mmptf_common.storage import engines
from mmptf_common.storage.engines import READS, ReadKind
from mmptf_common.wire.problems import ServiceUnavailable
from tests.conftest import RunningApp, running_app
from tests.suite import SERVICES
from tests.tokens import bearer
from tests.writes import write_organizations

Databases = Callable[[str], str]
ORGANIZATIONS, PROGRAMMES = "/catalog/v1/organizations", "/catalog/v1/programmes"
# The last parts of the paths whose answers are computed from many records.
COMPUTED = (
    "agreement", "capitalization", "commitments", "criteria", "facets", "indicator", "over-time", "pipeline",
    "progress", "reconciliation", "report", "results-progress", "reviewers", "statement", "totals", "{code}/figures",
)  # fmt: skip
COMPUTED_BELOW = ("/statement/", "/period-statements/", "/reconciliation/")
# What has a table of its groups only.
ONLY_GROUPED = frozenset({"/markers/v1/indicator"})
# Tables of one record, which are read as the record is.
OF_ONE_RECORD = frozenset({"/markers/v1/assessments/{code}/matrix"})
WITHOUT_DATABASE = frozenset(
    {"/catalog/v1/imports/template", "/funding/v1/imports/template", "/funding/v1/bank-statements/template"}
)


@asynccontextmanager
async def held(running: RunningApp, kind: ReadKind) -> AsyncIterator[None]:
    """All connections of one kind in use."""
    pool = running.app.state.database.reads[kind].connections
    async with AsyncExitStack() as stack:
        for _ in range(pool.get_max_size()):
            await stack.enter_async_context(pool.acquire())
        yield


def expected(service: str, path: str) -> set[ReadKind]:
    """The kinds of reads of a path of the contract, without parameters."""
    if path == "/health/ready":
        return {ReadKind.PROBE}
    if not path.startswith(f"/{service}/v1/") or path in WITHOUT_DATABASE:
        return set()
    computed = path.endswith(tuple(f"/{end}" for end in COMPUTED)) or any(part in path for part in COMPUTED_BELOW)
    return {ReadKind.COMPUTED if computed else ReadKind.PAGE}


def asked(operation: dict[str, Any], path: str) -> str:
    """The path with the examples of its parameters."""
    examples = {p["name"]: p.get("example") for p in operation.get("parameters", ()) if p["in"] == "path"}
    return re.sub(r"\{(\w+)\}", lambda match: str(examples[match[1]]), path)


@pytest.mark.parametrize("service", SERVICES)
async def test_every_read_of_the_contract_waits_for_its_own_kind_only(
    new_database: Databases, monkeypatch: pytest.MonkeyPatch, service: str
) -> None:
    async with running_app(service, new_database(service), None) as running:
        monkeypatch.setattr(engines, "CONNECT_SECONDS", 0.1)
        paths = running.app.openapi()["paths"]
        reads = {path: asked(item["get"], path) for path, item in paths.items() if "get" in item}
        exported = {path for path in reads if "text/csv" in str(paths[path]["get"]["responses"]["200"])}
        # It is nothing but CSV.
        exported -= {"/funding/v1/bank-statements/template"}
        kinds: dict[str, set[ReadKind]] = {path: set() for path in reads}
        csv: dict[str, set[ReadKind]] = {path: set() for path in exported}
        for kind in ReadKind:
            async with held(running, kind):
                for path, url in reads.items():
                    if await is_refused(running.client, url):
                        kinds[path].add(kind)
                    table = f"{url}?format=csv{'&by=country' if path in ONLY_GROUPED else ''}"
                    if path in exported and await is_refused(running.client, table):
                        csv[path].add(kind)
        assert kinds == {path: expected(service, path) for path in reads}
        of_table = {ReadKind.PAGE: {ReadKind.EXPORT}, ReadKind.COMPUTED: {ReadKind.COMPUTED}}
        expected_csv = {path: of_table[next(iter(kinds[path]))] if kinds[path] else set() for path in exported}
        assert csv == expected_csv | {path: {ReadKind.PAGE} for path in exported & OF_ONE_RECORD}


async def is_refused(client: httpx.AsyncClient, url: str) -> bool:
    answer = await client.get(url, headers=bearer("admin"))
    assert answer.status_code in {200, 404, 409, 503}, (url, answer.text)
    return answer.status_code == 503


async def test_a_search_and_a_page_of_an_earlier_revision_are_computed(
    new_database: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "CONNECT_SECONDS", 0.1)
    async with running_app("catalog", new_database("catalog"), None) as running:
        computed = [f"{PROGRAMMES}?q=water", f"{ORGANIZATIONS}?as_of=1", f"{PROGRAMMES}/facets"]
        async with held(running, ReadKind.COMPUTED):
            for path in computed:
                answer = await running.client.get(path)
                assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
                assert int(answer.headers["retry-after"]) > 0
                assert "totals" in answer.json()["detail"]
            assert (await running.client.get(f"{ORGANIZATIONS}/IOM?as_of=1")).status_code == 200
        async with held(running, ReadKind.PAGE):
            assert {(await running.client.get(path)).status_code for path in computed} == {200}


async def test_no_more_reads_wait_than_should(new_database: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(READS, ReadKind.COMPUTED, replace(READS[ReadKind.COMPUTED], waiting=3))
    monkeypatch.setattr(engines, "CONNECT_SECONDS", 1)
    async with running_app("catalog", new_database("catalog"), None) as running:
        async with held(running, ReadKind.COMPUTED):
            different = [f"{PROGRAMMES}/facets?q=word{number}" for number in range(10)]
            asking = [asyncio.create_task(running.client.get(path)) for path in different]
            done, waiting = await asyncio.wait(asking, timeout=0.5)
            assert (len(done), len(waiting)) == (7, 3)
        assert {task.result().status_code for task in done} == {503}
        assert {(await task).status_code for task in waiting} == {200}


# --- exports --------------------------------------------------------------------------------------------------------


class SlowReader:
    """A caller of an export who takes the beginning of the answer and then nothing."""

    def __init__(
        self, running: RunningApp, query: str = "format=csv", path: str = ORGANIZATIONS, client: str = "127.0.0.1"
    ) -> None:
        self.status = 0
        self.begun = asyncio.Event()
        self.takes = asyncio.Event()
        self.received = b""
        self.task = asyncio.create_task(self._ask(running, path, query, client))

    async def _ask(self, running: RunningApp, path: str, query: str, client: str) -> None:
        scope = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": "GET",
            "scheme": "http", "path": path, "raw_path": path.encode(),
            "query_string": query.encode(), "headers": [(b"host", b"app")],
            "client": (client, 1), "server": ("127.0.0.1", 2), "root_path": "",
        }  # fmt: skip

        async def receive() -> Message:
            await asyncio.Event().wait()
            raise AssertionError

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.status = message["status"]
            elif message["body"]:
                self.received += message["body"]
                self.begun.set()
                await self.takes.wait()

        await running.app(scope, receive, send)

    async def leave(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


@pytest.fixture(scope="module")
async def large(new_database: Databases) -> AsyncIterator[RunningApp]:
    """A list whose exports have some ten megabytes."""
    database = new_database("catalog")
    await write_organizations(database, 30_000)
    async with running_app("catalog", database, None) as running:
        yield running


def in_use(running: RunningApp, kind: ReadKind) -> int:
    pool = running.app.state.database.reads[kind].connections
    return pool.get_size() - pool.get_idle_size()


@pytest.mark.parametrize("format", ["csv", "ndjson"])
async def test_readers_of_small_exports_hold_no_connection(large: RunningApp, format: str) -> None:
    readers = [SlowReader(large, f"format={format}", PROGRAMMES) for _ in range(20)]
    for reader in readers:
        async with asyncio.timeout(5):
            await reader.begun.wait()
    assert in_use(large, ReadKind.EXPORT) == 0
    memory = large.app.state.export_memory
    assert 0 < memory.free <= exports.MEMORY_BYTES - sum(len(reader.received) for reader in readers)
    for reader in readers:
        await reader.leave()
    assert memory.free == exports.MEMORY_BYTES


@pytest.mark.parametrize("format", ["csv", "ndjson"])
async def test_slow_readers_of_large_exports_stop_no_page(
    large: RunningApp, monkeypatch: pytest.MonkeyPatch, format: str
) -> None:
    monkeypatch.setattr(export_places, "PLACE_SECONDS", 0.3)
    number = engines.export_places(large.app.state.settings.database_pool)
    readers = [SlowReader(large, f"format={format}", client=f"192.0.2.{place}") for place in range(number)]
    for reader in readers:
        await reader.begun.wait()
    assert in_use(large, ReadKind.EXPORT) == number
    async with asyncio.timeout(0.3):
        assert (await large.client.get(ORGANIZATIONS)).status_code == 200
    refused = await large.client.get(ORGANIZATIONS, params={"format": format})
    assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
    assert "exports" in refused.json()["detail"]
    # As the server does with a caller who takes too little.
    for reader in readers:
        await reader.leave()
    await large.all_connections_idle()
    assert large.app.state.export_memory.free == exports.MEMORY_BYTES
    assert (await large.client.get(ORGANIZATIONS, params={"format": format})).status_code == 200


@pytest.mark.parametrize("format", ["csv", "ndjson"])
async def test_an_export_ends_after_its_time_whatever_its_reader_does(
    large: RunningApp, monkeypatch: pytest.MonkeyPatch, format: str
) -> None:
    reads = large.app.state.database.reads[ReadKind.EXPORT]
    monkeypatch.setattr(reads, "limits", replace(reads.limits, seconds=0.5))
    monkeypatch.setattr(engines, "GRACE_SECONDS", 0.5)
    reader = SlowReader(large, f"format={format}")
    await reader.begun.wait()
    assert in_use(large, ReadKind.EXPORT) == 1
    await asyncio.sleep(1.2)
    assert in_use(large, ReadKind.EXPORT) == 0
    reader.takes.set()
    # The answer breaks off, so it is not taken for a complete one.
    with pytest.raises(ServiceUnavailable):
        await reader.task


async def test_exports_beyond_the_memory_of_a_process_are_sent_while_they_are_read(
    large: RunningApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = large.app.state.export_memory
    monkeypatch.setattr(memory, "free", 0)
    reader = SlowReader(large, "format=csv", PROGRAMMES)
    await reader.begun.wait()
    assert in_use(large, ReadKind.EXPORT) == 1
    reader.takes.set()
    await reader.task
    assert reader.status == 200
    assert memory.free == 0


@pytest.mark.parametrize(("query", "is_reset"), [("", False), ("?as_of=0", True)])
async def test_a_connection_is_reset_only_after_a_read_that_changed_a_setting(
    new_database: Databases, query: str, is_reset: bool
) -> None:
    async with running_app("catalog", new_database("catalog"), None) as running:
        assert (await running.client.get(f"{PROGRAMMES}{query}")).status_code == 200
        reads = running.app.state.database.reads
        async with reads[ReadKind.PROBE].connections.acquire() as connection:
            resets = await connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
                " AND query LIKE '%RESET ALL%'"
            )
        assert resets == is_reset
        pool = reads[ReadKind.COMPUTED].connections
        async with AsyncExitStack() as stack:
            for _ in range(pool.get_max_size()):
                connection = await stack.enter_async_context(pool.acquire())
                assert await connection.fetchval("SHOW enable_nestloop") == "on"
