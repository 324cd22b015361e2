"""A service's copy of another one's records: whole, in order, each change once, whatever happens on the way."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count
from typing import Any

import httpx
import pytest

from mmptf_catalog.programmes.examples import CONTENT
from mmptf_common.feed import changes, replication
from mmptf_common.process.settings import ServiceSettings
from mmptf_common.storage.engines import Database, open_database
from mmptf_local.processes import LOOPBACK, Child, answers_ready, free_port, wait_until
from tests.conftest import RunningApp, running_app
from tests.integration.test_changes import Way, amend, delete, way_to, write
from tests.serving import served
from tests.tokens import bearer, identity, writing

Databases = Callable[[str], str]
Records = dict[tuple[str, str], Any]
API = "/catalog/v1"
CHANGES = f"{API}/changes"
COPIED_MEMBERS = {
    "place": {"code", "kind", "name", "region", "subregion", "intermediate_region"},
    "programme": {
        "code", "title", "place_label", "status", "stage", "thematic_area", "places", "lead_organization",
        "organizations", "duration", "budget",
    },
}  # fmt: skip
ENTITIES = tuple(COPIED_MEMBERS)
# What is to end ends within this time, in seconds.
AT_ONCE = 2.0
NEVER: dict[str, Any] = {"service": "catalog", "reached": 0, "caught_up": None, "age_seconds": None}


@pytest.fixture(scope="module", autouse=True)
def impatient() -> Iterator[None]:
    """What is done again and again is done more often."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(changes, "LOOK_SECONDS", 0.05)
        for name, value in {"WAIT_SECONDS": 1, "ANSWER_SECONDS": 1.4, "FIRST_PAUSE": 0.03, "LAST_PAUSE": 0.1}.items():
            patch.setattr(replication, name, value)
        yield


FAULTS = {
    # status, what is sent of the answer, and how long it is said to be
    "503": (503, b"{}", 2),
    "404": (404, b"{}", 2),
    "rubbish": (200, b"<html>Welcome</html>", 20),
    "other JSON": (200, b'{"items": [{"seq": "one"}], "last": null}', 41),
    "half an answer": (200, b'{"items": [', 4000),
    "no answer": (200, b"", 0),
}


@dataclass
class Source:
    """A catalogue as its followers reach it: the app that answers now, or the fault that is met instead."""

    catalog: RunningApp
    error: str | None = None
    asked: list[httpx.QueryParams] = field(default_factory=list)
    when_asked: Callable[[], None] = lambda: None
    _mended: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked.append(httpx.QueryParams(scope["query_string"].decode()))
        self.when_asked()
        if self.error is None:
            await self.catalog.app(scope, receive, send)
            return
        if self.error == "no answer":
            await self._mended.wait()
            return
        status, body, length = FAULTS[self.error]
        headers = [(b"content-type", b"application/json"), (b"content-length", str(length).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": length > len(body)})

    def was_asked(self, times: int) -> Callable[[], bool]:
        """Whether it was asked so often from now on."""
        enough = len(self.asked) + times
        return lambda: len(self.asked) >= enough

    async def fail(self, error: str) -> None:
        """Fail from now on; returns when a follower has met it."""
        self.error = error
        self._mended.clear()
        await self.become(self.catalog)

    def mend(self) -> None:
        self.error = None
        self._mended.set()

    async def become(self, catalog: RunningApp) -> None:
        """Answer from a catalogue, as after a restore that broke no connection; returns when it was asked."""
        before, was_asked = self.catalog.app.state, self.was_asked(1)
        self.catalog = catalog
        # Whoever waits for a change is answered, and asks again.
        before.is_ending = lambda: True
        await until(was_asked)
        before.is_ending = lambda: False


@dataclass(frozen=True)
class Pair:
    """A catalogue, and markers that follow it; the way between them, and that of markers to their database."""

    home: RunningApp
    source: Source
    to_source: Way
    markers: RunningApp
    to_database: Way
    copy: Database

    async def last_change(self) -> int:
        """The last change of the journal of markers."""
        return int(await self.copy.pool.fetchval("SELECT coalesce(max(seq), 0) FROM change"))

    async def copied(self) -> Records:
        """What markers hold of the catalogue."""
        return await documents(self.copy)

    async def is_equal(self) -> bool:
        return equal(await self.copied(), await documents(self.source.catalog.app.state.database))

    async def is_followed(self) -> bool:
        """Whether every change that the catalogue has now was seen."""
        reached = await self.copy.pool.fetchval("SELECT last FROM followed")
        return bool(reached == await revision(self.source.catalog))

    async def catch_up(self) -> None:
        """Return when all is seen, and copied."""
        await until(self.is_followed)
        assert await self.is_equal()

    async def is_copied_anew(self, beginning: int) -> None:
        """Return when something was stored after a change; then all is copied, with the first write."""

        async def is_stored() -> bool:
            return await self.last_change() > beginning

        await until(is_stored)
        assert await self.is_equal()


async def until(condition: Callable[[], Any], seconds: float = 8) -> None:
    """Return when something holds that raises no event; TimeoutError when it does not."""
    async with asyncio.timeout(seconds):
        while True:
            held = condition()
            if await held if isinstance(held, Awaitable) else held:
                return
            await asyncio.sleep(0.03)


@asynccontextmanager
async def source_of(database_url: str) -> AsyncIterator[tuple[Source, str]]:
    """A catalogue that is served over HTTP, and its URL."""
    async with running_app("catalog", database_url, None) as catalog:
        source = Source(catalog)
        async with served(source) as url:
            yield source, url
            source.mend()


@pytest.fixture(scope="module")
async def pair(new_database: Databases) -> AsyncIterator[Pair]:
    database = new_database("markers")
    async with (
        open_database(settings_of(database)) as copy,
        source_of(new_database("catalog")) as (source, url),
        way_to(url) as to_source,
        way_to(database) as to_database,
        running_app("markers", to_database.url, None, catalog_url=to_source.url) as markers,
    ):
        pair = Pair(source.catalog, source, to_source, markers, to_database, copy)
        yield pair
        assert chained(await audited(markers)) == await pair.copied()


@pytest.fixture
async def followed(pair: Pair) -> AsyncIterator[Pair]:
    """The pair, with all copied that is there, before a test and after it."""
    await pair.catch_up()
    yield pair
    pair.to_database.mend()
    pair.source.when_asked = lambda: None
    pair.source.mend()
    if pair.source.catalog is not pair.home:
        beginning = await pair.last_change()
        await pair.source.become(pair.home)
        await pair.is_copied_anew(beginning)
    await pair.catch_up()


def settings_of(database_url: str) -> ServiceSettings:
    return ServiceSettings.model_validate({"database_url": database_url, "database_pool": 2})


# --- what is there -------------------------------------------------------------------------------------------------


async def documents(database: Database) -> Records:
    """The places and programmes that a database holds."""
    return {
        (entity, row["code"]): json.loads(row["document"])
        for entity in ENTITIES
        for row in await database.pool.fetch(f"SELECT code, document::text FROM {entity}")
    }


async def listed(catalog: RunningApp) -> Records:
    """The places and programmes that a catalogue lists."""
    found: Records = {}
    for entity in ENTITIES:
        path: str | None = f"{API}/{entity}s?limit=200"
        while path:
            page = (await catalog.client.get(path)).raise_for_status().json()
            found |= {(entity, item["code"]): item for item in page["items"]}
            path = page["next"]
    return found


def says_the_same(copy: Any, original: Any) -> bool:
    """Whether a copy says nothing else than its original, of which it may leave members out."""
    if isinstance(copy, dict) and isinstance(original, dict):
        return copy.keys() <= original.keys() and all(says_the_same(copy[name], original[name]) for name in copy)
    if isinstance(copy, list) and isinstance(original, list):
        return len(copy) == len(original) and all(map(says_the_same, copy, original))
    return bool(copy == original)


def equal(copies: Records, originals: Records) -> bool:
    """Whether records are copied, no more and no less, with every member that is kept."""
    return copies.keys() == originals.keys() and all(
        copy.keys() == COPIED_MEMBERS[which[0]] and says_the_same(copy, originals[which])
        for which, copy in copies.items()
    )


async def revision(catalog: RunningApp) -> int:
    return int(await catalog.app.state.database.pool.fetchval("SELECT max(number) FROM revision"))


async def copy_state(markers: RunningApp) -> dict[str, Any]:
    answer = await markers.client.get("/markers/v1/copies")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store"), answer.text
    found: dict[str, Any] = next(state for state in answer.json()["copies"] if state["service"] == "catalog")
    return found


async def age(markers: RunningApp) -> int:
    """How old the copy is, in seconds, as every indicator says."""
    answer = (await markers.client.get("/markers/v1/indicator")).raise_for_status()
    return int(answer.headers["catalogue-age"])


async def audited(markers: RunningApp, after: int = 0) -> list[dict[str, Any]]:
    """The journal of what is copied, for auditors."""
    items: list[dict[str, Any]] = []
    page: dict[str, Any] = {
        "next": f"/markers/v1/audit?entity=place&entity=programme&limit=1000&after={after}",
        "more": True,
    }
    while page["more"]:
        page = (await markers.client.get(page["next"], headers=bearer("admin"))).raise_for_status().json()
        items += page["items"]
    return items


def chained(entries: Iterable[dict[str, Any]]) -> Records:
    """What a journal leads to from its beginning; it says nothing twice, and leaves nothing out."""
    found: Records = {}
    for entry in entries:
        which = entry["entity"], entry["key"]
        assert (entry["actor"], entry["reason"]) == ("follower of catalog", "followed")
        assert entry["before"] == found.get(which), entry
        assert entry["after"] != entry["before"]
        found[which] = entry["after"]
    return {which: document for which, document in found.items() if document is not None}


def programme(code: str, like: str = "MKD-01", table: str = "programme") -> str:
    """A statement that creates a programme like another one."""
    return (
        f"INSERT INTO {table} SELECT (json_populate_record(r, json_build_object('code', '{code}', 'revised',"
        " current_setting('mmptf.first')::bigint, 'document',"
        f" r.document::jsonb || jsonb_build_object('code', '{code}')))).* FROM {table} AS r WHERE code = '{like}'"
    )


def retitled(code: str, title: str) -> str:
    return amend(code, "programme", title=title)


# --- the copy ------------------------------------------------------------------------------------------------------


async def test_the_first_copy_is_whole_and_one_write(new_database: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replication, "PAGE", 50)
    async with (
        source_of(new_database("catalog")) as (source, url),
        running_app("markers", new_database("markers"), None, catalog_url=url) as markers,
    ):
        database = markers.app.state.database
        await until(lambda: database.pool.fetchval("SELECT last FROM followed"))
        state = await copy_state(markers)
        originals, copies = await listed(source.catalog), await documents(database)
        assert equal(copies, originals)
        entries = await audited(markers)
        assert {entry["action"] for entry in entries} == {"create"}
        assert chained(entries) == copies
        assert len({entry["revision"] for entry in entries}) == 1
        assert (state["service"], state["reached"]) == ("catalog", await revision(source.catalog))
        assert state["age_seconds"] <= 1
        # Pages of several writes, and nothing is asked for that is not kept.
        assert len(source.asked) > len(originals) / 50 > 2
        assert {tuple(query.get_list("entity")) for query in source.asked} == {ENTITIES}
        # It goes on in another process where it was left off.
        await write(source.catalog, retitled("MKD-01", "Another"))
        await until(lambda: is_last(database, "Another"))
        reached = await revision(source.catalog)
        asked = len(source.asked)
        async with running_app("markers", markers.database_url, None, catalog_url=url):
            await until(source.was_asked(3))
        assert min(int(query["after"]) for query in source.asked[asked:]) >= reached - 1


async def is_last(database: Database, title: str) -> bool:
    """Whether the last change of a journal is to a programme with this title."""
    query = "SELECT after->>'title' FROM change ORDER BY seq DESC LIMIT 1"
    return bool(await database.pool.fetchval(query) == title)


async def test_what_is_asked_for_by_column_is_what_the_document_says(followed: Pair) -> None:
    originals = await listed(followed.source.catalog)
    found = await followed.copy.pool.fetch("SELECT * FROM programme")
    assert any(row["amount"] is not None for row in found)
    for row in found:
        original = originals["programme", row["code"]]
        budget = original["budget"] or {"amount": None, "currency": None, "stage": None}
        area = original["thematic_area"]
        assert (row["stage"], row["thematic_area"]) == (original["stage"], area and area["code"])
        assert row["organizations"] == [organization["code"] for organization in original["organizations"]]
        assert row["countries"] == [place["code"] for place in original["places"]]
        assert row["amount"] == (budget["amount"] and Decimal(budget["amount"]))
        assert (row["currency"], row["budget_stage"]) == (budget["currency"], budget["stage"])
    for row in await followed.copy.pool.fetch("SELECT * FROM place"):
        original = originals["place", row["code"]]
        regions = [original[level] for level in ("region", "subregion", "intermediate_region")]
        assert (row["kind"], row["regions"]) == (original["kind"], [region for region in regions if region])


async def test_changes_arrive_in_order_and_each_is_one(followed: Pair) -> None:
    beginning = await followed.last_change()
    for statements in (
        [programme("NEW-01")],
        [retitled("NEW-01", "One")],
        [retitled("MKD-01", "Two"), retitled("MKD-01", "Three"), amend("SRB", "place", name="Four")],
        [programme("NEW", "SRB", "place"), delete("NEW-01", "programme")],
        [programme("NEW-01"), delete("NEW", "place")],
        [delete("NEW-01", "programme"), programme("NEW-01"), retitled("NEW-01", "Five")],
        [delete("NEW-01", "programme")],
    ):
        await write(followed.home, *statements)
        await followed.catch_up()
    found: dict[int, set[tuple[str, str, str | None]]] = {}
    for entry in await audited(followed.markers, beginning):
        said = entry["after"] or {}
        what = entry["action"], entry["key"], said.get("title", said.get("name"))
        found.setdefault(entry["revision"], set()).add(what)
    first, *others = found.values()
    assert {(action, key) for action, key, _ in first} == {("create", "NEW-01")}
    assert others == [
        {("amend", "NEW-01", "One")},
        # What was so within a write alone was nobody's answer.
        {("amend", "MKD-01", "Three"), ("amend", "SRB", "Four")},
        {("create", "NEW", "Four"), ("delete", "NEW-01", None)},
        {("create", "NEW-01", "Three"), ("delete", "NEW", None)},
        {("amend", "NEW-01", "Five")},
        {("delete", "NEW-01", None)},
    ]


async def test_what_is_written_over_http_arrives(followed: Pair) -> None:
    """From a draft, which nobody else sees, to a programme that is amended; what is not kept is no change here."""
    client, path = followed.home.client, f"{API}/programmes/LIFE-01"
    draft = await client.post(f"{API}/drafts", json={**CONTENT, "code": "LIFE-01"}, headers=writing("agency", "IOM"))
    await followed.catch_up()
    assert ("programme", "LIFE-01") not in await followed.copied()
    headers = writing("agency", "IOM", match=draft.headers["etag"])
    answer = await client.post(f"{draft.headers['location']}/submission", headers=headers)
    assert answer.status_code == 201, answer.text
    await followed.catch_up()
    before = await followed.last_change()
    for members, entries in (({"summary": "Said otherwise."}, 0), ({"title": "Named otherwise"}, 1)):
        headers = writing("agency", "IOM", match=answer.headers["etag"])
        answer = await client.patch(path, json={"reason": "A correction.", **members}, headers=headers)
        assert answer.status_code == 200, answer.text
        await followed.catch_up()
        assert len(await audited(followed.markers, before)) == entries


async def test_a_write_that_changes_nothing_that_is_kept_leaves_no_entry(followed: Pair) -> None:
    before = await followed.last_change()
    everything = [amend(code, entity, note="kept nowhere") for entity, code in await followed.copied()]
    await write(followed.home, *everything, amend("IOM", note="kept nowhere"))
    await followed.catch_up()
    assert await followed.last_change() == before


async def test_a_write_of_more_than_a_page_is_not_seen_in_half(followed: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replication, "PAGE", 3)
    # The page that is waited for now is a long one.
    await write(followed.home, amend("SRB", "place", name="first"))
    await followed.catch_up()
    beginning = await followed.last_change()
    programmes = [key for entity, key in await followed.copied() if entity == "programme"][:8]
    for number in range(4):
        # Pages end anywhere in a write: after it, within it, and where only another service's records follow.
        await write(followed.home, *(retitled(code, f"Title {number}") for code in programmes))
        await write(followed.home, *(amend("SRB", "place", name=f"{number}.{part}") for part in range(number)))
        await write(followed.home, amend("IOM", note=f"{number}"))
    await followed.catch_up()
    titles: dict[int, list[str]] = {}
    for entry in await audited(followed.markers, beginning):
        if entry["entity"] == "programme":
            titles.setdefault(entry["revision"], []).append(entry["after"]["title"])
    assert len(titles) > 1
    for found in titles.values():
        assert (len(found), len(set(found))) == (len(programmes), 1)


async def test_two_processes_store_each_change_once(followed: Pair) -> None:
    beginning = await followed.last_change()
    database = followed.markers.database_url
    async with running_app("markers", database, None, catalog_url=followed.to_source.url):
        await until(followed.source.was_asked(3))
        for number in range(20):
            await write(followed.home, retitled("MKD-01", f"Number {number}"))
        await followed.catch_up()
    entries = await audited(followed.markers, beginning)
    numbers = [int(entry["after"]["title"].split()[1]) for entry in entries]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == 19


async def test_who_is_told_of_no_catalogue_follows_none(new_database: Databases) -> None:
    async with running_app("markers", new_database("markers"), None) as markers:
        assert await copy_state(markers) == NEVER
        answer = await markers.client.get("/markers/v1/indicator")
        assert answer.headers["catalogue-age"] == "unknown"


# --- a source that fails -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", FAULTS)
async def test_a_source_that_fails_is_followed_again(followed: Pair, error: str) -> None:
    beginning = await followed.last_change()
    await followed.source.fail(error)
    since, was_asked = (await copy_state(followed.markers))["caught_up"], followed.source.was_asked(1)
    for number in range(3):
        await write(followed.home, retitled("MKD-01", f"{error} {number}"))
    # It is asked again, and what was copied is still answered.
    await until(was_asked)
    assert (await copy_state(followed.markers))["caught_up"] == since
    assert await followed.last_change() == beginning
    followed.source.mend()
    await followed.catch_up()
    assert (await copy_state(followed.markers))["caught_up"] > since
    assert [entry["after"]["title"] for entry in await audited(followed.markers, beginning)] == [f"{error} 2"]


async def test_the_age_grows_while_the_source_is_away_and_shrinks_again(followed: Pair) -> None:
    await followed.source.fail("503")

    async def is_older(seconds: int) -> bool:
        return await age(followed.markers) >= seconds

    assert not await is_older(2)
    await until(lambda: is_older(2))
    assert (await copy_state(followed.markers))["age_seconds"] >= 2
    followed.source.mend()

    async def is_young() -> bool:
        return await age(followed.markers) == 0

    await until(is_young)
    assert (await copy_state(followed.markers))["age_seconds"] <= 1


async def test_connections_that_break_anywhere_are_made_again(followed: Pair) -> None:
    for number in range(8):
        await write(followed.home, retitled("MKD-01", f"Before {number}"))
        await until(followed.source.was_asked(1 + number % 3))
        followed.to_source.cut()
        await write(followed.home, retitled("MKD-01", f"Meanwhile {number}"))
        followed.to_source.mend()
    await followed.catch_up()


async def test_a_source_that_is_not_there_yet_is_copied_when_it_is(
    new_database: Databases, caplog: pytest.LogCaptureFixture
) -> None:
    port = free_port()
    async with (
        source_of(new_database("catalog")) as (source, url),
        running_app("markers", new_database("markers"), None, catalog_url=f"http://{LOOPBACK}:{port}") as markers,
    ):
        await until(lambda: len(failures(caplog)) >= 3)
        assert await copy_state(markers) == NEVER
        async with passing_on(port, url):
            database = markers.app.state.database
            await until(lambda: database.pool.fetchval("SELECT last FROM followed"))
            assert equal(await documents(database), await listed(source.catalog))


@asynccontextmanager
async def passing_on(port: int, url: str) -> AsyncIterator[None]:
    """A port of this machine under which a source is reached too."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
        writer.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection(LOOPBACK, httpx.URL(url).port)
        await asyncio.gather(pump(reader, there_writer), pump(there_reader, writer), return_exceptions=True)

    async with await asyncio.start_server(accept, LOOPBACK, port):
        yield


def failures(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """What was told of attempts to follow that failed."""
    return [record for record in caplog.records if record.message == "the source cannot be followed"]


async def test_the_own_database_goes_away_and_comes_back(followed: Pair, caplog: pytest.LogCaptureFixture) -> None:
    beginning = await followed.last_change()
    followed.to_database.cut()
    await write(followed.home, retitled("MKD-01", "One"))
    await until(lambda: len(failures(caplog)) >= 3)
    assert (await followed.markers.client.get("/markers/v1/copies")).status_code == 503
    await write(followed.home, retitled("MKD-01", "Two"))
    followed.to_database.mend()
    await followed.catch_up()
    assert [entry["after"]["title"] for entry in await audited(followed.markers, beginning)] == ["Two"]
    assert "following failed" not in caplog.messages


# --- a source that is restored to an earlier state -----------------------------------------------------------------


@pytest.fixture(scope="module")
async def earlier(new_database: Databases) -> AsyncIterator[tuple[RunningApp, RunningApp]]:
    """Two catalogues of before everything that was written since."""
    async with (
        running_app("catalog", new_database("catalog"), None) as first,
        running_app("catalog", new_database("catalog"), None) as second,
    ):
        yield first, second


async def fill(catalog: RunningApp, last: int) -> None:
    """Bring the journal of a catalogue to a length with changes of its own."""
    lacking = last - await revision(catalog)
    assert lacking > 0
    title = retitled("SRB-01", f"Instead, up to {last}")
    await write(catalog, title, *(amend("IOM", note=f"{last}.{number}") for number in range(lacking - 1)))
    assert await revision(catalog) == last


async def test_a_source_that_was_restored_to_behind_the_last_change_that_is_kept_is_noticed(
    followed: Pair, earlier: tuple[RunningApp, RunningApp]
) -> None:
    """The last change that is kept is there as it was: what is others' before takes what is ours after."""
    first, second = earlier
    assert await revision(first) == await revision(second)
    await write(first, *(amend("IOM", note=f"{number}") for number in range(3)))
    await write(second, retitled("MKD-01", "Instead"))
    await write(second, *(amend("IOM", note=f"{number}") for number in range(4)))
    for catalog in earlier:
        beginning = await followed.last_change()
        await followed.source.become(catalog)
        await followed.is_copied_anew(beginning)
        await followed.catch_up()


async def test_a_source_that_was_restored_is_copied_again(
    followed: Pair, earlier: tuple[RunningApp, RunningApp]
) -> None:
    home, other = followed.home, earlier[0]
    undone = [f"UNDONE-{number}" for number in range(5)]
    title = retitled("MKD-01", "Undone")
    await write(home, *map(programme, undone), title, delete("PER-01", "programme"))
    # Room for changes on both sides.
    await fill(home, await revision(home) + 10)
    await followed.catch_up()
    known = await revision(home)
    # Fewer than are known; as many, which are others; more, which are others.
    for length in (None, known, known + 3):
        if length is not None:
            await fill(other, length)
        for catalog in (other, home):
            before, beginning = await followed.copied(), await followed.last_change()
            if catalog is other:
                # Between two questions, which nobody notices.
                await followed.source.become(other)
            else:
                await followed.source.fail("503")
                followed.source.catalog = home
                followed.source.mend()
            await followed.is_copied_anew(beginning)
            after, entries = await followed.copied(), await audited(followed.markers, beginning)
            assert len({entry["revision"] for entry in entries}) == 1
            assert {(entry["entity"], entry["key"]) for entry in entries} == {
                which for which in before.keys() | after.keys() if before.get(which) != after.get(which)
            }
            deleted = {entry["key"] for entry in entries if entry["action"] == "delete"}
            assert deleted >= (set(undone) if catalog is other else {"PER-01"})
            # From here on it is followed as ever.
            await write(catalog, retitled("MKD-01", f"Afterwards {length}"))
            await followed.catch_up()
    await write(home, *(delete(code, "programme") for code in undone))


async def test_a_source_that_is_restored_while_the_own_database_is_away_is_copied_again(
    followed: Pair, earlier: tuple[RunningApp, RunningApp], caplog: pytest.LogCaptureFixture
) -> None:
    await write(followed.home, programme("MORE-01"))
    await fill(followed.home, max(await revision(followed.home), await revision(earlier[1])) + 5)
    await followed.catch_up()
    held, beginning = await followed.copied(), await followed.last_change()
    followed.source.when_asked = followed.to_database.cut
    await followed.source.become(earlier[1])
    await until(lambda: len(failures(caplog)) >= 3)
    assert await followed.copied() == held
    followed.source.when_asked = lambda: None
    followed.to_database.mend()
    await followed.is_copied_anew(beginning)


async def test_while_a_restored_source_fails_the_copy_stays_and_its_age_is_known(
    followed: Pair, earlier: tuple[RunningApp, RunningApp]
) -> None:
    await write(followed.home, programme("MORE-02"))
    await fill(followed.home, max(await revision(followed.home), await revision(earlier[1])) + 5)
    await followed.catch_up()
    held, state, beginning = await followed.copied(), await copy_state(followed.markers), await followed.last_change()
    questions = count()

    def fail_later() -> None:
        # The first answer tells that the source was restored.
        if followed.source.catalog is earlier[1] and next(questions):
            followed.source.error = "503"

    followed.source.when_asked = fail_later
    await followed.source.become(earlier[1])
    await until(followed.source.was_asked(3))
    assert await followed.copied() == held
    now = await copy_state(followed.markers)
    assert now == {**state, "reached": 0, "age_seconds": now["age_seconds"]}
    assert state["age_seconds"] <= now["age_seconds"] <= await age(followed.markers)
    followed.source.when_asked = lambda: None
    followed.source.mend()
    await followed.is_copied_anew(beginning)


# --- the end -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [None, "503", "no answer"])
async def test_a_service_that_follows_ends_at_once(followed: Pair, error: str | None) -> None:
    async with AsyncExitStack() as stack:
        url, database = followed.to_source.url, followed.markers.database_url
        await stack.enter_async_context(running_app("markers", database, None, catalog_url=url))
        if error:
            await followed.source.fail(error)
        began = time.monotonic()
        await stack.aclose()
        assert time.monotonic() - began < AT_ONCE / 2


async def test_a_process_ends_at_once_though_readers_wait(new_database: Databases) -> None:
    port = free_port()
    url = f"http://{LOOPBACK}:{port}"
    environment = {
        "DATABASE_URL": new_database("catalog"), "HOST": LOOPBACK, "PORT": str(port), "ENVIRONMENT": "development",
    }  # fmt: skip
    with Child("catalog", [sys.executable, "-m", "mmptf_catalog", "serve"], env=environment | identity()) as child:
        await asyncio.to_thread(wait_until, lambda: answers_ready(f"{url}/health/ready"), child, seconds=30)
        async with httpx.AsyncClient(base_url=url) as client:
            newest = (await client.get(CHANGES, params={"limit": 1})).json()["revision"]
            waiting = {"after": newest, "wait": 15}
            readers = [asyncio.create_task(client.get(CHANGES, params=waiting, timeout=20)) for _ in range(20)]
            answered, _ = await asyncio.wait(readers, timeout=0.5)
            assert not answered
            began = time.monotonic()
            child.process.send_signal(signal.SIGTERM)
            for answer in await asyncio.gather(*readers):
                assert (answer.status_code, answer.json()["items"]) == (200, [])
            await asyncio.to_thread(child.process.wait, AT_ONCE)
            assert time.monotonic() - began < AT_ONCE
        assert child.process.returncode in (0, -signal.SIGTERM)
