"""Large exports: complete or broken off, in constant memory, and no connection is lost with a caller who leaves."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator, Callable

import asyncpg
import pytest
import sqlalchemy as sa
from starlette.types import Message

from mmptf_common.lists.exports import export_statement
from mmptf_common.wire.problems import DatabaseLost
from tests.conftest import RunningApp, admin_url, running_app
from tests.integration.test_code_lookups import listings
from tests.suite import SERVICES
from tests.writes import write_organizations

ROWS = 30_000
PATH = "/catalog/v1/organizations"


@pytest.fixture(scope="module")
async def large(new_database: Callable[[str], str]) -> AsyncIterator[RunningApp]:
    database = new_database("catalog")
    await write_organizations(database, ROWS)
    async with running_app("catalog", database, None) as running:
        yield running


async def export(
    running: RunningApp, query: str, after_first_piece: Callable[[], object], *, leave: bool = False
) -> int:
    """Ask the app as a server would; the number of bytes sent. `leave` disconnects after the first piece."""
    gone = asyncio.Event()
    sent = 0

    async def receive() -> Message:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        nonlocal sent
        if message["type"] == "http.response.start":
            assert message["status"] == 200
        if message["type"] == "http.response.body":
            if sent == 0 and message["body"]:
                sent += len(message["body"])
                done = after_first_piece()
                if asyncio.iscoroutine(done):
                    await done
                if leave:
                    gone.set()
                    await asyncio.sleep(0.05)
            else:
                sent += len(message["body"])

    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": "GET",
        "scheme": "http", "path": PATH, "raw_path": PATH.encode(), "query_string": query.encode(),
        "headers": [(b"host", b"app")],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2), "root_path": "",
    }  # fmt: skip
    try:
        await running.app(scope, receive, send)
    finally:
        gone.set()
    return sent


async def test_an_export_has_every_row_and_the_page_the_same_total(large: RunningApp) -> None:
    total = (await large.client.get(PATH, params={"limit": 1})).json()["total"]
    lines = (await large.client.get(PATH, params={"format": "ndjson"})).text.splitlines()
    rows = list(csv.reader(io.StringIO((await large.client.get(PATH, params={"format": "csv"})).text)))
    assert len(lines) == len(rows) - 1 == total == ROWS + 6
    assert [json.loads(line)["code"] for line in lines] == [row[0] for row in rows[1:]]


async def test_an_export_is_compressed_for_those_who_take_it(large: RunningApp) -> None:
    for representation in ("csv", "ndjson"):
        asked = {"format": representation}
        plain = await large.client.get(PATH, params=asked, headers={"accept-encoding": "gzip;q=0, br"})
        packed = await large.client.get(PATH, params=asked, headers={"accept-encoding": "br, gzip"})
        assert packed.content == plain.content
        assert (packed.headers["content-encoding"], plain.headers.get("content-encoding")) == ("gzip", None)
        assert packed.headers["vary"] == plain.headers["vary"] == "Accept, Accept-Encoding"
        tag = plain.headers["etag"]
        assert packed.headers["etag"] == f'{tag[:-1]}-gzip"'
        for stored in (plain, packed):
            known = {"if-none-match": stored.headers["etag"]}
            assert (await large.client.get(PATH, params=asked, headers=known)).status_code == 304
    await large.all_connections_idle()


@pytest.mark.parametrize("representation", ["csv", "ndjson"])
async def test_a_caller_who_leaves_gives_the_connection_back(large: RunningApp, representation: str) -> None:
    for _ in range(6):  # more often than there are connections
        sent = await export(large, f"format={representation}", lambda: None, leave=True)
        assert sent < 3_000_000
    await large.all_connections_idle()
    assert (await large.client.get(PATH)).status_code == 200


@pytest.mark.parametrize("representation", ["csv", "ndjson"])
async def test_a_caller_who_leaves_while_the_database_reads_is_no_lost_database(
    large: RunningApp, representation: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with large.as_owner() as owner:
        await owner.execute(sa.text("LOCK TABLE organization IN ACCESS EXCLUSIVE MODE"))
        asking = asyncio.create_task(export(large, f"format={representation}", lambda: None))
        done, _ = await asyncio.wait([asking], timeout=0.3)
        assert not done
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
    assert "request failed" not in caplog.text
    await large.all_connections_idle()


@pytest.mark.parametrize("representation", ["csv", "ndjson"])
async def test_a_database_lost_in_the_middle_never_ends_an_export_as_if_it_were_whole(
    large: RunningApp, representation: str
) -> None:
    async def cut() -> None:
        connection = await asyncpg.connect(admin_url(large.database_url))
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await connection.close()

    # The app ends by an exception, so the server breaks the connection instead of ending the body.
    with pytest.raises(DatabaseLost):
        await export(large, f"format={representation}", cut)
    assert (await large.client.get(PATH)).status_code == 200


@pytest.mark.parametrize("service", SERVICES)
async def test_no_column_of_a_csv_is_of_a_type_that_copy_writes_otherwise_than_json(
    new_database: Callable[[str], str], service: str
) -> None:
    connection = await asyncpg.connect(new_database(service))
    types: dict[str, set[str]] = {}
    for listing in listings(service):
        query = listing.query.model_validate({})
        statement = export_statement(listing, query, "csv")
        for column in (await connection.prepare(statement.sql)).get_attributes():
            types.setdefault(column.type.name, set()).add(f"{listing.path} {column.name}")
    await connection.close()
    # A bool is t or f there, an array in braces, a moment without its T.
    assert types.keys() <= {"text", "varchar", "int4", "int8", "numeric", "date"}, types
