"""The changes as readers follow them: each once, in order, at once; and the history of single records."""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from mmptf_common.feed.changes import LOOK_SECONDS, ChangePage
from mmptf_common.storage.engines import write_engine
from mmptf_common.storage.journal import Author, begin_write
from tests.conftest import SERVICES, RunningApp, running_app, service_of
from tests.integration.change_follower import Copy, Documents, follow

Databases = Callable[[str], str]
# How many writes are made while a consumer follows them.
WRITES = int(os.environ.get("CONSUMER_WRITES", "900"))
WRITERS = 8
LONGEST_WAIT = 15
CHANGES = "/catalog/v1/changes"
ORGANIZATIONS = "/catalog/v1/organizations"
SECRETS = ("the-actor", "the-request")


@pytest.fixture
async def running(new_database: Databases) -> AsyncIterator[RunningApp]:
    async with running_app("catalog", new_database("catalog"), None) as app:
        yield app


async def write(running: RunningApp, *statements: str, reason: str | None = None) -> int:
    """Statements as one write of an organization's; its last change."""
    author = Author("the-actor", "IOM", "the-request")
    async with running.app.state.database.sessions() as session, session.begin():
        it = await begin_write(session, author, reason)
        for statement in statements:
            await session.execute(sa.text(statement.replace(":", "\\:")))
        return await it.revision()


def create(code: str, name: str = "Name", table: str = "organization") -> str:
    document = json.dumps({"code": code, "name": name, "updated": "2026-01-01T00:00:00Z"})
    return f"INSERT INTO {table} (code, name, updated, document) VALUES ('{code}', '{name}', now(), '{document}')"


def amend(code: str, table: str = "organization", **members: Any) -> str:
    return f"UPDATE {table} SET document = (document::jsonb || '{json.dumps(members)}')::json WHERE code = '{code}'"


def delete(code: str, table: str = "organization") -> str:
    return f"DELETE FROM {table} WHERE code = '{code}'"


async def ask(client: httpx.AsyncClient, path: str = CHANGES, **query: Any) -> dict[str, Any]:
    """A page, which is what the contract says, and tells nothing about who made a change."""
    answer = await client.get(path, params=query or None)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert "etag" not in answer.headers
    assert not any(secret in answer.text for secret in SECRETS)
    ChangePage.model_validate_json(answer.content)
    page: dict[str, Any] = answer.json()
    assert set(page) == {"items", "last", "more", "next", "revision"}
    for change in page["items"]:
        assert set(change) == {
            "seq", "revision", "at", "entity", "key", "action", "organization", "reason", "changed", "before", "after",
        }  # fmt: skip
    return page


async def all_changes(client: httpx.AsyncClient, **query: Any) -> list[dict[str, Any]]:
    """Every change from the first page on, by `next`; each page says how far it reaches."""
    items: list[dict[str, Any]] = []
    page = await ask(client, **query)
    while True:
        items += page["items"]
        assert page["last"] >= (page["items"][-1]["seq"] if page["items"] else query.get("after", 0))
        assert len(page["items"]) == query.get("limit", 100) or not page["more"]
        following = httpx.URL(page["next"])
        assert following.path == CHANGES
        assert int(following.params["after"]) == page["last"]
        if not page["more"]:
            return items
        page = await ask(client, page["next"])


# --- the pages -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("service", SERVICES)
async def test_every_change_is_there_in_order(apps: dict[str, RunningApp], service: str) -> None:
    """What the journal holds is what readers get, document for document."""
    client, path = apps[service].client, f"/{service}/v1/changes"
    items: list[dict[str, Any]] = []
    page: dict[str, Any] = {"next": path, "more": True}
    while page["more"]:
        page = await ask(client, page["next"])
        items += page["items"]
    async with apps[service].app.state.database.pool.acquire() as connection:
        entries = await connection.fetch(
            "SELECT seq, number, entity, key, action, organization, reason, before, after"
            " FROM change JOIN revision ON seq BETWEEN first AND number ORDER BY seq"
        )
    assert [item["seq"] for item in items] == list(range(1, len(entries) + 1)) == list(range(1, page["revision"] + 1))
    for item, entry in zip(items, entries, strict=True):
        assert (item["revision"], item["organization"]) == (entry["number"], entry["organization"])
        assert (item["entity"], item["key"], item["action"]) == (entry["entity"], entry["key"], entry["action"])
        assert (item["before"], json.dumps(item["after"])) == (entry["before"], json.dumps(json.loads(entry["after"])))
        assert (item["changed"], item["reason"]) == ([], entry["reason"])
    assert (page["last"], page["more"], page["next"]) == (len(items), False, f"{path}?after={len(items)}")


async def test_pages_of_every_size_hold_the_same_changes(running: RunningApp) -> None:
    for number in range(5):
        await write(running, create(f"ORG-{number}"), amend(f"ORG-{number}", name="Another"), delete("ORG-0"))
    whole = await all_changes(running.client, limit=1000)
    assert len(whole) > 150
    for limit in (7, 100, len(whole), len(whole) - 1):
        assert await all_changes(running.client, limit=limit) == whole
    for after in (1, len(whole) - 3, len(whole) - 1):
        page = await ask(running.client, after=after, limit=2)
        assert page["items"] == whole[after : after + 2]
        assert (page["more"], page["last"]) == (after + 2 < len(whole), min(after + 2, len(whole)))
    # At the end there is nothing yet, and the question stays the same.
    end = await ask(running.client, after=len(whole))
    assert end == {
        "items": [], "last": len(whole), "more": False, "next": f"{CHANGES}?after={len(whole)}",
        "revision": len(whole),
    }  # fmt: skip
    assert await ask(running.client, end["next"]) == end


async def test_who_knows_more_than_there_is_is_told_so_at_once(running: RunningApp) -> None:
    """As after a backup was restored: the reader holds what is undone, and would miss what takes its numbers."""
    newest = (await ask(running.client, limit=1))["revision"]
    for path in (CHANGES, "/catalog/v1/programmes/MKD-01/history"):
        wait = {"wait": LONGEST_WAIT} if path == CHANGES else {}
        async with asyncio.timeout(2):
            answer = await running.client.get(path, params={"after": newest + 1, **wait})
        assert (answer.status_code, answer.json()["code"]) == (409, "beyond_last_change")
        assert answer.json()["errors"][0]["allowed"] == [f"0 to {newest}"]
    await write(running, create("ORG"))
    assert (await ask(running.client, after=newest + 1))["items"] == []


async def test_only_some_records_are_followed_without_looking_twice(running: RunningApp) -> None:
    whole = await all_changes(running.client, limit=1000)
    for number in range(3):
        statements = [create(f"ORG-{number}"), *(amend(f"{n}", "thematic_area", note=f"{number}") for n in (1, 2))]
        await write(running, *statements)
    last = len(whole) + 9
    areas = [item for item in await all_changes(running.client, limit=1000) if item["entity"] == "thematic_area"]
    assert len(areas) > 6
    for limit in (1, 2, 1000):
        assert await all_changes(running.client, entity="thematic_area", limit=limit) == areas
    page = await ask(running.client, entity="thematic_area", after=areas[-1]["seq"], limit=1)
    assert (page["items"], page["last"], page["more"]) == ([], last, False)
    await write(running, create("ORG-9"))
    page = await ask(running.client, entity="thematic_area", after=last)
    assert (page["items"], page["last"], page["next"]) == (
        [],
        last + 1,
        f"{CHANGES}?after={last + 1}&entity=thematic_area",
    )
    several = await all_changes(running.client, entity=["thematic_area", "organization"], limit=50)
    assert several == [
        item
        for item in await all_changes(running.client, limit=1000)
        if item["entity"] in ("thematic_area", "organization")
    ]


async def test_a_change_says_what_was_and_what_is(running: RunningApp) -> None:
    beginning = (await ask(running.client, limit=1))["revision"]
    await write(
        running,
        create("ORG", "One"),
        amend("ORG", name="Two", updated="2026-01-02T00:00:00Z", note=None, parts=[{"a": 1}]),
        reason="because it's so",
    )
    without_note = "UPDATE organization SET document = (document::jsonb - 'note')::json WHERE code = 'ORG'"
    await write(running, amend("ORG", parts=[{"a": 2}]), without_note)
    await write(running, amend("ORG", updated="2026-01-03T00:00:00Z"))
    await write(running, delete("ORG"))
    items = (await ask(running.client, after=beginning))["items"]
    assert [(i["seq"] - beginning, i["revision"] - beginning, i["action"], i["changed"]) for i in items] == [
        (1, 2, "create", []),
        (2, 2, "amend", ["name", "note", "parts"]),
        (3, 4, "amend", ["parts"]),
        (4, 4, "amend", ["note"]),
        (5, 5, "amend", []),
        (6, 6, "delete", []),
    ]
    assert [i["before"] for i in items[1:]] == [i["after"] for i in items[:-1]]
    assert (items[0]["before"], items[-1]["after"]) == (None, None)
    assert items[1]["after"] == {
        "code": "ORG", "name": "Two", "updated": "2026-01-02T00:00:00Z", "note": None, "parts": [{"a": 1}],
    }  # fmt: skip
    assert {(i["entity"], i["key"], i["organization"]) for i in items} == {("organization", "ORG", "IOM")}
    assert [i["reason"] for i in items] == ["because it's so"] * 2 + [None] * 4
    assert items[0]["at"] == items[1]["at"] < items[2]["at"] == items[3]["at"] < items[4]["at"] < items[5]["at"]


async def test_a_document_that_cannot_be_compared_does_not_end_the_feed(running: RunningApp) -> None:
    """JSON may hold what no text of the database can; such a write is refused, or its change can be read."""
    beginning = (await ask(running.client, limit=1))["revision"]
    try:
        await write(running, "UPDATE organization SET document = '{\"name\": \"\\u0000\"}' WHERE code = 'IOM'")
    except sa.exc.DBAPIError:
        assert (await ask(running.client, limit=1))["revision"] == beginning
    assert (await ask(running.client, after=beginning))["last"] >= beginning


WRONG = [
    ("after", value, "invalid_parameter") for value in ("-1", "x", "", "1.5", "1" * 16, "2026-01-01")
] + [
    ("limit", value, "invalid_parameter") for value in ("0", "1001", "-1", "x", "")
] + [
    ("wait", value, "invalid_parameter") for value in ("-1", f"{LONGEST_WAIT + 1}", "1.5", "x", "", "9" * 12)
] + [
    ("entity", value, "unknown_code") for value in ("programmes", "draft", "change", "")
]  # fmt: skip


@pytest.mark.parametrize(("parameter", "value", "code"), WRONG)
async def test_a_wrong_question_is_refused(catalog: httpx.AsyncClient, parameter: str, value: str, code: str) -> None:
    answer = await catalog.get(
        CHANGES, params={parameter: value, **({} if parameter == "wait" else {"wait": str(LONGEST_WAIT)})}
    )
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    (error,) = answer.json()["errors"]
    assert error["parameter"] == parameter
    assert error["allowed"]
    if value == "programmes":
        assert error["suggestion"] == "programme"


# --- the history of a record ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("service", "path"),
    [
        ("catalog", "/catalog/v1/documents/mptf-human-rights-brochure-2024"),
        ("catalog", "/catalog/v1/programmes/MKD-01"),
        ("catalog", "/catalog/v1/guiding-principles/people-centred"),
        ("funding", "/funding/v1/money-stages/contribution"),
        ("funding", "/funding/v1/requirements/MI-2015-KEN-health"),
        ("funding", "/funding/v1/editions/MI-2015"),
        ("markers", "/markers/v1/rubrics/hr-marker-illustrative.1"),
    ],
)
async def test_a_record_that_never_changed_was_created(apps: dict[str, RunningApp], service: str, path: str) -> None:
    record = (await apps[service].client.get(path)).json()
    page = await ask(apps[service].client, f"{path}/history")
    (created,) = page["items"]
    assert (created["action"], created["before"], created["after"]) == ("create", None, record)
    assert (created["key"], page["more"]) == (record["code"], False)
    assert created["seq"] <= created["revision"] == page["last"] == page["revision"]


async def test_the_history_of_one_record(running: RunningApp) -> None:
    path = f"{ORGANIZATIONS}/ORG/history"
    missing = await running.client.get(path)
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
    await write(running, create("ORG", "One"), create("ORG-2", "Another"))
    await write(running, amend("ORG", name="Two"), amend("IOM", name="Another"))
    await write(running, delete("ORG"))
    assert (await running.client.get(f"{ORGANIZATIONS}/ORG")).status_code == 404
    gone = await ask(running.client, path)
    assert [(i["action"], (i["after"] or {}).get("name")) for i in gone["items"]] == [
        ("create", "One"), ("amend", "Two"), ("delete", None),
    ]  # fmt: skip
    await write(running, create("ORG", "Three"))
    whole = await ask(running.client, path)
    assert whole["items"][:3] == gone["items"]
    assert whole["items"][3]["action"] == "create"
    # The pages of a history.
    found: list[Any] = []
    page: dict[str, Any] = {"next": f"{path}?limit=1", "more": True}
    while page["more"]:
        page = await ask(running.client, page["next"])
        found += page["items"]
    assert found == whole["items"]
    assert httpx.URL(page["next"]).path == path
    assert (await ask(running.client, page["next"]))["items"] == []
    for parameter, value in (("wait", "1"), ("entity", "organization"), ("as_of", "1")):
        answer = await running.client.get(path, params={parameter: value})
        assert (answer.status_code, answer.json()["code"]) == (422, "unknown_parameter")


async def test_the_history_of_a_record_that_was_renamed(running: RunningApp) -> None:
    await write(
        running,
        create("NEW", "World Health Organization"),
        delete("WHO"),
        "INSERT INTO renamed_code VALUES ('organization', 'WHO', 'NEW'), ('organization', 'OLDEST', 'NEW')",
    )
    assert (await running.client.get(f"{ORGANIZATIONS}/WHO")).headers["location"] == f"{ORGANIZATIONS}/NEW"
    # What was written under the old code is read under it; a code of before the journal leads to the new one's.
    old = await ask(running.client, f"{ORGANIZATIONS}/WHO/history")
    assert [i["action"] for i in old["items"]] == ["create", "delete"]
    assert [i["action"] for i in (await ask(running.client, f"{ORGANIZATIONS}/NEW/history"))["items"]] == ["create"]
    led = await running.client.get(f"{ORGANIZATIONS}/OLDEST/history", params={"limit": 5})
    assert (led.status_code, led.headers["location"]) == (308, f"{ORGANIZATIONS}/NEW/history?limit=5")
    unknown = await running.client.get(f"{ORGANIZATIONS}/IOMM/history")
    assert (unknown.status_code, unknown.json()["errors"][0]["suggestion"]) == (404, "IOM")


# --- waiting -------------------------------------------------------------------------------------------------------


async def waiting(running: RunningApp, number: int = 1, **query: Any) -> list[asyncio.Task[httpx.Response]]:
    """Requests that wait for the next change, and were not answered yet."""
    after = (await ask(running.client, limit=1))["revision"]
    query = {"wait": LONGEST_WAIT, "after": after, **query}
    tasks = [asyncio.create_task(running.client.get(CHANGES, params=query)) for _ in range(number)]
    answered, _ = await asyncio.wait(tasks, timeout=2 * LOOK_SECONDS)
    assert not answered
    return tasks


async def test_what_is_there_already_is_answered_at_once(running: RunningApp) -> None:
    await (await waiting(running, wait=1))[0]
    newest = await write(running, create("ORG"))
    began = time.monotonic()
    for after in (0, newest - 1):
        assert (await ask(running.client, after=after, wait=LONGEST_WAIT, limit=1))["items"]
    assert time.monotonic() - began < 3 * LOOK_SECONDS


async def test_a_change_is_answered_as_soon_as_it_is_committed(running: RunningApp) -> None:
    tasks = await waiting(running, 3)
    async with running.app.state.database.sessions() as session:
        async with session.begin():
            await begin_write(session, Author("the-actor"))
            await session.execute(sa.text(create("ORG").replace(":", "\\:")))
            # What is not committed is not there.
            answered, _ = await asyncio.wait(tasks, timeout=2 * LOOK_SECONDS)
            assert not answered
        committed = time.monotonic()
    for answer in await asyncio.gather(*tasks):
        assert [item["key"] for item in answer.json()["items"]] == ["ORG"]
    assert time.monotonic() - committed < 0.5


async def test_when_nothing_comes_the_answer_is_empty(running: RunningApp) -> None:
    newest = (await ask(running.client, limit=1))["revision"]
    began = time.monotonic()
    answers = await asyncio.gather(*(ask(running.client, after=newest, wait=1, limit=5) for _ in range(3)))
    assert 1 <= time.monotonic() - began < 1 + 3 * LOOK_SECONDS
    for page in answers:
        assert (page["items"], page["last"], page["more"]) == ([], newest, False)
        assert page["next"] == f"{CHANGES}?after={newest}&limit=5&wait=1"
    # A write that is undone is none.
    (task,) = await waiting(running, wait=1)
    async with running.app.state.database.sessions() as session:
        await begin_write(session, Author("the-actor"))
        await session.execute(sa.text(create("ORG").replace(":", "\\:")))
        await session.rollback()
    assert (await task).json()["items"] == []


async def test_whoever_waits_for_some_records_gets_them(running: RunningApp) -> None:
    """Changes of other records may end the waiting, but are not given, and none is missed by asking again."""
    (task,) = await waiting(running, entity="place")
    newest = await write(running, create("ORG"))
    following = asyncio.create_task(_first(running.client, task))
    newest = await write(running, amend("SRB", "place", note="changed"))
    async with asyncio.timeout(2):
        page = await following
    assert [(item["seq"], item["entity"], item["key"]) for item in page["items"]] == [(newest, "place", "SRB")]


async def _first(client: httpx.AsyncClient, task: asyncio.Task[httpx.Response]) -> dict[str, Any]:
    page: dict[str, Any] = (await task).json()
    while not page["items"]:
        page = await ask(client, page["next"])
    return page


@dataclass
class Way:
    """A way to a database that can be cut: its URL, and how often something was sent to the database on it."""

    url: str = ""
    sent: int = 0
    is_cut: bool = False
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    def cut(self) -> None:
        """Break every connection, and let nobody through until it is mended."""
        self.is_cut = True
        for writer in self.writers:
            writer.transport.abort()
        self.writers.clear()

    def mend(self) -> None:
        self.is_cut = False


@asynccontextmanager
async def way_to(url: str) -> AsyncIterator[Way]:
    target = urlsplit(url)
    way = Way()
    tasks: set[asyncio.Task[None]] = set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, counts: bool) -> None:
        while data := await reader.read(65_536):
            way.sent += counts
            writer.write(data)
        writer.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if way.is_cut:
            writer.transport.abort()
            return
        there_reader, there_writer = await asyncio.open_connection(target.hostname, target.port)
        way.writers.extend((writer, there_writer))
        tasks.update(
            asyncio.create_task(pump(*ends)) for ends in ((reader, there_writer, True), (there_reader, writer, False))
        )

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        way.url = target._replace(netloc=f"{target.netloc.rpartition(':')[0]}:{port}").geturl()
        yield way
        way.cut()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_many_who_wait_are_one_question(new_database: Databases) -> None:
    async with way_to(new_database("catalog")) as way, running_app("catalog", way.url, None) as running:
        tasks = await waiting(running, 50, wait=3)
        before, began = way.sent, time.monotonic()
        answered, _ = await asyncio.wait(tasks, timeout=1.5)
        looks = (time.monotonic() - began) / LOOK_SECONDS
        assert not answered
        # A question, and what gives its connection back.
        assert 0.5 * looks < way.sent - before < 3 * looks
        newest = await write(running, create("ORG"))
        async with asyncio.timeout(1):
            answers = await asyncio.gather(*tasks)
        assert {answer.json()["last"] for answer in answers} == {newest}


async def test_a_database_that_goes_away_meanwhile_is_said_to_be_gone(new_database: Databases) -> None:
    async with way_to(new_database("catalog")) as way, running_app("catalog", way.url, None) as running:
        tasks = await waiting(running, 10)
        newest = (await ask(running.client, limit=1))["revision"]
        way.cut()
        async with asyncio.timeout(3):
            for answer in await asyncio.gather(*tasks):
                assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
                assert int(answer.headers["retry-after"]) > 0
        way.mend()
        # It is back, and so are those who follow.
        assert (await ask(running.client, after=newest, wait=1))["last"] == newest


async def test_a_database_that_cannot_be_asked_is_found_out_once_for_all_who_wait(running: RunningApp) -> None:
    tasks = await waiting(running, 4)
    async with AsyncExitStack() as stack:
        pool = running.app.state.database.pool
        for _ in range(pool.get_max_size()):
            await stack.enter_async_context(pool.acquire())
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        async with asyncio.timeout(1):
            answers = await asyncio.gather(*tasks)
    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")


async def test_who_left_while_waiting_holds_nothing(running: RunningApp) -> None:
    tasks = await waiting(running, 50)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    pool = running.app.state.database.pool
    async with asyncio.timeout(1):
        assert pool.get_idle_size() == pool.get_size()
        newest = await write(running, create("ORG"))
        assert (await ask(running.client, after=newest - 1, wait=1))["last"] == newest


# --- a consumer ----------------------------------------------------------------------------------------------------


class Killed(Exception):
    """The consumer dies here."""


CREATE = (
    "INSERT INTO {table} (code, name, updated, document) VALUES (CAST(:code AS text), CAST(:said AS text), now(),"
    " json_build_object('code', CAST(:code AS text), 'name', CAST(:said AS text)))"
    " ON CONFLICT (code) DO UPDATE SET document = excluded.document"
)
STATEMENTS = (
    CREATE.format(table="organization"),
    CREATE.format(table="clustering"),
    "UPDATE organization SET document = (document::jsonb || jsonb_build_object('said', CAST(:said AS text)))::json"
    " WHERE code IN (CAST(:code AS text), 'IOM')",
    "UPDATE clustering SET document = (document::jsonb || jsonb_build_object('said', CAST(:said AS text)))::json"
    " WHERE code = :code",
    "DELETE FROM organization WHERE code = :code",
    "DELETE FROM clustering WHERE code = :code",
)


async def write_much(url: str, writes: int) -> None:
    """Many writes by several writers at once: each of one to four changes, some undone, in part or as a whole."""
    engine = write_engine(url, size=WRITERS)
    sessions = async_sessionmaker(engine)
    numbers = iter(range(writes))

    async def statement(session: AsyncSession, dice: random.Random, said: str) -> None:
        await session.execute(sa.text(dice.choice(STATEMENTS)), {"code": f"ORG-{dice.randrange(40)}", "said": said})

    async def writer(dice: random.Random) -> None:
        for number in numbers:
            async with sessions() as session, session.begin():
                await begin_write(session, Author("the-actor"), f"write {number}")
                for part in range(dice.randint(1, 3)):
                    await statement(session, dice, f"{number}.{part}")
                if number % 10 == 3:
                    async with session.begin_nested() as nested:
                        await statement(session, dice, "not to be")
                        await nested.rollback()
                if number % 10 == 7:
                    await session.rollback()

    await asyncio.gather(*(writer(random.Random(number)) for number in range(WRITERS)))
    await engine.dispose()


async def publications_of(url: str, entities: Iterable[str]) -> Documents:
    """What the tables hold of some entities."""
    connection = await asyncpg.connect(url)
    found: Documents = {}
    for table in service_of("catalog").metadata.sorted_tables:
        entity: str = table.info.get("entity", "")
        if entity in entities:
            for code, document in await connection.fetch(f"SELECT code, document::text FROM {table.name}"):
                found[entity, code] = json.loads(document)
    await connection.close()
    return found


async def consume(
    client: httpx.AsyncClient, path: Path, is_over: Callable[[], bool], dice: random.Random, **query: Any
) -> tuple[Copy, int]:
    """Follow until the writes are over, killed and begun again on the way; the copy, and how often it died."""
    deaths = 0

    def point() -> None:
        if dice.random() < 0.05 and not is_over():
            raise Killed

    while True:
        copy = Copy(path)
        life = asyncio.create_task(follow(client, CHANGES, copy, until=is_over, point=point, **query))
        await asyncio.wait({life}, timeout=None if is_over() else dice.uniform(0.001, 0.3))
        if not life.done():
            life.cancel()
        try:
            await life
        except (Killed, asyncio.CancelledError):
            copy.close()
            deaths += 1
        else:
            return copy, deaths


async def test_a_consumer_that_is_killed_and_resumes_misses_nothing_and_sees_nothing_twice(
    new_database: Databases, tmp_path: Path
) -> None:
    followed: list[dict[str, Any]] = [
        {"limit": 1000, "wait": 1},
        {"limit": 40, "wait": 1},
        {"limit": 100, "wait": 1, "entity": ["clustering", "place"]},
    ]
    url = new_database("catalog")
    async with way_to(url) as way, running_app("catalog", way.url, None) as running:
        writing = asyncio.create_task(write_much(url, WRITES))
        consuming = [
            asyncio.create_task(
                consume(running.client, tmp_path / f"{n}.sqlite", writing.done, random.Random(n), **query)
            )
            for n, query in enumerate(followed)
        ]
        # On the way the service loses its database for a moment.
        await asyncio.wait({writing}, timeout=1)
        way.cut()
        await asyncio.wait({writing}, timeout=0.2)
        way.mend()
        await writing
        copies = await asyncio.gather(*consuming)
    connection = await asyncpg.connect(url)
    entries = await connection.fetch("SELECT seq, entity FROM change ORDER BY seq")
    await connection.close()
    assert len(entries) > 1.2 * WRITES
    public = {table.info["entity"] for table in service_of("catalog").metadata.sorted_tables if "entity" in table.info}
    for query, (copy, deaths) in zip(followed, copies, strict=True):
        entities = set(query.get("entity", public))
        assert copy.seen == [seq for seq, entity in entries if entity in entities]
        assert copy.documents == await publications_of(url, entities)
        assert copy.after == len(entries)
        assert deaths > 3
        copy.close()
