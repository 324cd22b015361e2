"""Every read in other states of its data: after a write, with nothing loaded, a renamed code, no database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest
import sqlalchemy as sa

from mmptf_common.storage import migrations
from mmptf_common.storage.journal import Author, begin_write
from mmptf_common.storage.writing import writing
from mmptf_local.cache import Cache
from mmptf_local.postgres import Postgres
from tests.conftest import RunningApp, asyncio_run, running_app
from tests.contract.asking import ask, problem
from tests.contract.contracts import AT_SERVICES, LISTS, READS, SERVICES, VERSIONED, Operation

NewDatabase = Callable[[str], str]


# What the packaged data have no record for, or what asks another service.
NOT_PACKAGED = {
    "amend_programme", "extend_programme", "create_ledger_entry", "create_ledger_entries", "settle_assessors",
    "import_bank_statements", "confirm_bank_matches", "import_ledger_entries",
    "amend_call_for_proposals", "amend_meeting", "create_decision", "create_decisions", "amend_decision",
    "create_financial_closing", "create_transfer_proposal", "amend_results_indicator", "report_value",
}  # fmt: skip


# What they do not hold: drafts, entries, assessments, translations, and what is copied from the catalogue.
UNTOLD = (
    "/catalog/v1/drafts/", "/catalog/v1/calls/{", "/catalog/v1/meetings/{", "/catalog/v1/decisions/{",
    "/funding/v1/ledger/{", "/funding/v1/cards/", "/funding/v1/periods/", "/funding/v1/reconciliation/",
    *(f"/funding/v1/bank-{name}/{{" for name in ("accounts", "statements", "entries", "matches")),
    *(f"/funding/v1/transfer-{name}/{{" for name in ("limits", "proposals")),
    "/funding/v1/closings/", "/funding/v1/settlements/", "/markers/v1/drafts",
    "/markers/v1/declarations", "/markers/v1/reviews/{", "/markers/v1/assessments/", "/markers/v1/assessors/",
    "/markers/v1/actions/", "/markers/v1/translations/", "/markers/v1/cards/", "/markers/v1/reported-values/",
)  # fmt: skip


# What nothing can be said about without a target that is loaded.
OF_A_TARGET = {"get_indicator", "get_indicator_over_time", "get_portfolio_report"}


def of(service: str, operations: list[Operation]) -> list[Operation]:
    """Those of a service whose example the packaged data can answer."""
    return [
        o for o in operations if o.api == service and o.id not in NOT_PACKAGED and not o.template.startswith(UNTOLD)
    ]


def clients_of(running: RunningApp) -> dict[str, httpx.AsyncClient]:
    return {running.name: running.client}


async def write(running: RunningApp, table: str = "source_document", code: str | None = None) -> None:
    """One more revision: a record that says that it was changed, in the way every write makes it."""
    async with writing(running.app.state.database) as session:
        await begin_write(session, Author("tester", None, "request-1"), "a test")
        await session.execute(
            sa.text(
                f"UPDATE {table} SET record ="
                " (record::jsonb || jsonb_build_object('updated', clock_timestamp()))::json"
                f" WHERE code = coalesce(:code, (SELECT min(code) FROM {table}))"
            ),
            {"code": code},
        )


def record_of(operation: Operation) -> tuple[str, str] | None:
    """Table and code of the one record that an operation's answer is made of; None where it is made of more."""
    noun, *rest = operation.path.split("/")[3:]
    # A card is shown beside the revision of everything.
    if operation.code is None or operation.is_list or noun == "cards":
        return None
    if operation.path.endswith(("/reconciliation", "/facets")):
        return None
    entity = noun.removesuffix("s").replace("-", "_")
    return "source_document" if entity == "document" else entity, rest[0]


@pytest.mark.parametrize("service", SERVICES)
async def test_another_revision_gives_every_answer_of_several_records_another_tag(
    new_database: NewDatabase, redis_server: Cache, service: str
) -> None:
    async with running_app(service, new_database(service), redis_server.url) as running:
        before = {o: await ask(clients_of(running), o) for o in of(service, VERSIONED) if record_of(o) is None}
        assert len(before) > 2
        await write(running)
        for operation, earlier in before.items():
            tag = earlier.headers["etag"]
            now = await ask(clients_of(running), operation, headers={"if-none-match": tag})
            if "/drafts" in operation.path:
                # They have a journal of their own.
                assert now.status_code == 304
                continue
            assert now.status_code == 200
            assert now.headers["etag"] != tag
            if "revision" in earlier.json():
                assert now.json()["revision"] == earlier.json()["revision"] + 1
            if operation.is_list:
                for representation in ("csv", "ndjson"):
                    answer = await ask(clients_of(running), operation, f"format={representation}")
                    again = {"if-none-match": answer.headers["etag"]}
                    same = await ask(clients_of(running), operation, f"format={representation}", headers=again)
                    assert (same.status_code, same.content) == (304, b"")
                    assert answer.headers["etag"] not in {tag, now.headers["etag"]}


@pytest.mark.parametrize("service", SERVICES)
async def test_a_record_gets_another_tag_when_it_is_written_itself(
    new_database: NewDatabase, redis_server: Cache, service: str
) -> None:
    async with running_app(service, new_database(service), redis_server.url) as running:
        operations = {o: record for o in of(service, VERSIONED) if (record := record_of(o))}
        assert len(operations) > 1
        tags = {o: (await ask(clients_of(running), o)).headers["etag"] for o in operations}
        for record in set(operations.values()):
            await write(running, *record)
            for operation, of_record in operations.items():
                now = await ask(clients_of(running), operation, headers={"if-none-match": tags[operation]})
                assert now.status_code == (200 if of_record == record else 304)
                assert (now.headers["etag"] == tags[operation]) == (of_record != record)
                tags[operation] = now.headers["etag"]


@pytest.mark.parametrize("service", SERVICES)
async def test_with_nothing_loaded_every_answer_is_empty_and_right(
    postgres: Postgres, new_database: NewDatabase, redis_server: Cache, service: str
) -> None:
    new_database(service)
    url = postgres.create_database(f"{service}_with_nothing")
    asyncio_run(migrations.migrate(url, f"mmptf_{service}"))
    full_url = new_database(service)
    async with (
        running_app(service, url, redis_server.url) as empty,
        running_app(service, full_url, redis_server.url) as full,
    ):
        for operation in of(service, AT_SERVICES):
            answer = await ask(clients_of(empty), operation)
            if operation.code:
                problem(operation, answer, 404)
            elif operation.id in OF_A_TARGET:
                problem(operation, answer, 409)
            elif operation.is_read:
                assert answer.status_code == 200, answer.text
                if operation.schema_of(200)[0] == "application/json":
                    operation.check(200, answer.json())
            elif answer.status_code != operation.done:
                # Whoever asks, or what is sent, is not known here.
                problem(operation, answer, 403 if answer.status_code == 403 else 422)
        feed = (await empty.client.get(f"/{service}/v1/changes?wait=0")).json()
        assert feed == {"items": [], "last": 0, "more": False, "next": f"/{service}/v1/changes?after=0", "revision": 0}
        for operation in of(service, LISTS):
            if operation.code:
                continue
            page = (await ask(clients_of(empty), operation)).json()
            # Some lists have remarks on what was asked for.
            assert page.pop("remarks", []) == []
            assert page == {"items": [], "total": 0, "next": None, "revision": 0}
            assert (await ask(clients_of(empty), operation, "format=ndjson")).text == ""
            header = (await ask(clients_of(empty), operation, "format=csv")).text
            assert header.endswith("\n")
            assert header.count("\n") == 1
            assert (await ask(clients_of(full), operation, "format=csv")).text.startswith(header)


@pytest.mark.parametrize("service", SERVICES)
async def test_a_renamed_code_leads_to_the_record(new_database: NewDatabase, redis_server: Cache, service: str) -> None:
    async with running_app(service, new_database(service), redis_server.url) as running:
        for operation in of(service, READS):
            if operation.code is None:
                continue
            noun = operation.template.split("/{")[0].rpartition("/")[2]
            code = operation.path.split(f"/{noun}/")[1].split("/")[0]
            entity = noun.removesuffix("s").replace("-", "_")
            async with running.as_owner() as session:
                values = {"entity": entity, "code": "its-old-code", "current": code}
                await session.execute(
                    sa.text("INSERT INTO renamed_code VALUES (:entity, :code, :current) ON CONFLICT DO NOTHING"), values
                )
            for old in ("its-old-code", "ITS-OLD-CODE", "Its-Old-code"):
                answer = await running.client.get(operation.template.replace(f"{{{operation.code}}}", old))
                assert (answer.status_code, answer.headers["location"]) == (308, operation.path)
            assert "308" in operation.contract["responses"]
            assert (await running.client.get(answer.headers["location"])).status_code == 200


@asynccontextmanager
async def severable(url: str) -> AsyncIterator[tuple[str, Callable[[], None]]]:
    """The URL of a way to the same database, and what cuts it."""
    target = urlsplit(url)
    writers: list[asyncio.StreamWriter] = []
    tasks: set[asyncio.Task[None]] = set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
        writer.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection(target.hostname, target.port)
        writers.extend((writer, there_writer))
        tasks.update(asyncio.create_task(pump(a, b)) for a, b in ((reader, there_writer), (there_reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)

    def cut() -> None:
        server.close()
        for writer in writers:
            writer.transport.abort()

    port = server.sockets[0].getsockname()[1]
    yield target._replace(netloc=f"{target.netloc.rpartition(':')[0]}:{port}").geturl(), cut
    cut()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize("service", SERVICES)
async def test_without_its_database_every_operation_says_so(
    new_database: NewDatabase, redis_server: Cache, service: str
) -> None:
    async with (
        severable(new_database(service)) as (url, cut),
        running_app(service, url, redis_server.url) as running,
    ):
        for operation in of(service, AT_SERVICES):
            # The example of an import is of an edition that is not in the packaged data.
            expected = 422 if operation.id == "import_requirements" else operation.done
            assert (await ask(clients_of(running), operation)).status_code == expected
        cut()
        for operation in of(service, AT_SERVICES):
            answer = await ask(clients_of(running), operation)
            if operation.id in {
                f"get_{service}_liveness",
                f"get_{service}_index",
                "get_import_template",
                "get_programme_import_template",
                "get_bank_statement_template",
            }:
                assert answer.status_code == 200
            elif operation.id == f"get_{service}_readiness":
                assert answer.status_code == 503
                operation.check(503, answer.json())
                assert not answer.json()["ready"]
            else:
                assert problem(operation, answer, 503)["code"] == "unavailable"
                assert int(answer.headers["retry-after"]) > 0
                assert "unknown_parameter" in (await ask(clients_of(running), operation, "unheard_of=1")).text


@pytest.mark.parametrize("service", SERVICES)
async def test_with_a_full_disk_every_operation_says_so(
    new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch, service: str
) -> None:
    """Reads as well: the database writes what it cannot sort in memory to its disk."""

    async def full(*_: object, **__: object) -> None:
        raise asyncpg.DiskFullError("could not extend file: No space left on device")

    async with running_app(service, new_database(service), None) as running:
        for name in ("fetch", "fetchrow", "fetchval", "prepare", "copy_from_query"):
            monkeypatch.setattr(asyncpg.Connection, name, full)
        answered = set()
        for operation in of(service, AT_SERVICES):
            answer = await ask(clients_of(running), operation)
            listed = "507" in operation.contract["responses"]
            if operation.id.endswith(("_liveness", "_readiness")):
                assert not listed, str(operation)
            elif listed:
                assert problem(operation, answer, 507)["code"] == "storage_full", str(operation)
                assert int(answer.headers["retry-after"]) > 0
                answered.add(operation.id)
            else:
                assert answer.status_code == operation.done, (str(operation), answer.text)
        monkeypatch.undo()
    assert len(answered) > 15
