"""A service that replicates programmes, its source with failures on demand, and how the two are compared."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import httpx
import pytest

from mmptf_common.process.settings import ServiceSettings
from mmptf_common.storage.engines import Database
from tests.conftest import RunningApp, pool_of, running_app
from tests.integration.changes import amend
from tests.integration.database_proxy import DatabaseProxy
from tests.serving import served
from tests.tokens import bearer

Databases = Callable[[str], str]
Records = dict[tuple[str, str], Any]
API = "/catalog/v1"
CHANGES = f"{API}/changes"
COPIED_MEMBERS = {
    "place": {"code", "kind", "name", "region", "subregion", "intermediate_region"},
    "programme": {
        "code", "title", "place_label", "status", "stage", "thematic_area", "objectives", "places", "lead_organization",
        "organizations", "duration", "budget", "budget_by_organization", "partly_stated",
    },
}  # fmt: skip
ENTITIES = tuple(COPIED_MEMBERS)
# What is to end ends within this time, in seconds.
AT_ONCE = 2.0
NEVER: dict[str, Any] = {"service": "catalog", "reached": 0, "caught_up": None, "age_seconds": None}

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
    """A catalogue as a source of changes: the app that answers now, or an error in its place."""

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
        """A condition: so many requests have come since now."""
        enough = len(self.asked) + times
        return lambda: len(self.asked) >= enough

    async def fail(self, error: str) -> None:
        """Fail from now on; returns when a request has failed."""
        self.error = error
        self._mended.clear()
        await self.become(self.catalog)

    def mend(self) -> None:
        self.error = None
        self._mended.set()

    async def become(self, catalog: RunningApp) -> None:
        """Answer from another catalogue, as after a restore that broke no connection; returns after a request."""
        before, was_asked = self.catalog.app.state, self.was_asked(1)
        self.catalog = catalog
        # Whoever waits for a change is answered, and asks again.
        before.is_ending = lambda: True
        await until(was_asked)
        before.is_ending = lambda: False


@dataclass(frozen=True)
class Pair:
    """A catalogue and the markers service that replicates it, with proxies to catalogue and database."""

    home: RunningApp
    source: Source
    to_source: DatabaseProxy
    markers: RunningApp
    to_database: DatabaseProxy
    copy: Database

    async def last_change(self) -> int:
        """The last change of the journal of markers."""
        return int(await pool_of(self.copy).fetchval("SELECT coalesce(max(seq), 0) FROM change"))

    async def copied(self) -> Records:
        """The replicated records of markers."""
        return await replicated(self.copy)

    async def is_equal(self) -> bool:
        return equal(await self.copied(), await replicated(self.source.catalog.app.state.database))

    async def is_replicated(self) -> bool:
        """Whether every present change of the catalogue was processed."""
        reached = await pool_of(self.copy).fetchval("SELECT last FROM replication")
        return bool(reached == await revision(self.source.catalog))

    async def catch_up(self) -> None:
        """Return when every change was processed; the records are equal then."""
        await until(self.is_replicated)
        assert await self.is_equal()

    async def is_copied_anew(self, beginning: int) -> None:
        """Return when a write follows the change `beginning`; it has to be the whole copy."""

        async def is_stored() -> bool:
            return await self.last_change() > beginning

        await until(is_stored)
        assert await self.is_equal()


async def until(condition: Callable[[], Any], seconds: float = 8) -> None:
    """Return when a condition holds, which is tested every 30 ms; raises TimeoutError."""
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


def settings_of(database_url: str) -> ServiceSettings:
    return ServiceSettings.model_validate({"database_url": database_url, "database_pool": 2})


async def replicated(database: Database) -> Records:
    """The places and programmes that a database holds."""
    return {
        (entity, row["code"]): json.loads(row["record"])
        for entity in ENTITIES
        for row in await pool_of(database).fetch(f"SELECT code, record::text FROM {entity}")
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
    """Whether every member of a copy equals the original's, which may have more."""
    if isinstance(copy, dict) and isinstance(original, dict):
        return copy.keys() <= original.keys() and all(says_the_same(copy[name], original[name]) for name in copy)
    if isinstance(copy, list) and isinstance(original, list):
        return len(copy) == len(original) and all(map(says_the_same, copy, original))
    return bool(copy == original)


def equal(copies: Records, originals: Records) -> bool:
    """Whether the copies are those of all originals, with every replicated member."""
    return copies.keys() == originals.keys() and all(
        copy.keys() == COPIED_MEMBERS[which[0]] and says_the_same(copy, with_summaries(originals[which]))
        for which, copy in copies.items()
    )


def with_summaries(original: Any) -> Any:
    """An original with the members of a copy that summarize others of it."""
    sums: dict[str, Decimal] = {}
    for line in original.get("budget_lines", ()):
        sums[line["organization"]] = sums.get(line["organization"], Decimal(0)) + Decimal(line["amount"])
    return {
        **original,
        "budget_by_organization": {code: f"{amount:.2f}" for code, amount in sums.items()},
        "partly_stated": sorted(gap["field"] for gap in original.get("gaps", ()) if gap["kind"] == "partly_stated"),
    }


async def revision(catalog: RunningApp) -> int:
    return int(await pool_of(catalog.app.state.database).fetchval("SELECT max(number) FROM revision"))


async def copy_state(markers: RunningApp) -> dict[str, Any]:
    answer = await markers.client.get("/markers/v1/copies")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store"), answer.text
    found: dict[str, Any] = next(state for state in answer.json()["copies"] if state["service"] == "catalog")
    return found


async def age(markers: RunningApp) -> int:
    """The age of the replica in seconds, as the indicator's header states it."""
    answer = (await markers.client.get("/markers/v1/indicator")).raise_for_status()
    return int(answer.headers["catalogue-age"])


async def audited(markers: RunningApp, after: int = 0) -> list[dict[str, Any]]:
    """The journal entries of replicated records."""
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
    """The records after all entries of a journal; each entry has to begin where the one before ended."""
    found: Records = {}
    for entry in entries:
        which = entry["entity"], entry["key"]
        assert (entry["actor"], entry["reason"]) == ("follower of catalog", "followed")
        assert entry["before"] == found.get(which), entry
        assert entry["after"] != entry["before"]
        found[which] = entry["after"]
    return {which: record for which, record in found.items() if record is not None}


def programme(code: str, like: str = "MKD-01", table: str = "programme") -> str:
    """A statement that creates a programme like another one."""
    return (
        f"INSERT INTO {table} SELECT (json_populate_record(r, json_build_object('code', '{code}', 'revised',"
        " current_setting('mmptf.first')::bigint, 'record',"
        f" r.record::jsonb || jsonb_build_object('code', '{code}')))).* FROM {table} AS r WHERE code = '{like}'"
    )


def retitled(code: str, title: str) -> str:
    return amend(code, "programme", title=title)


def failures(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """The log records of attempts that failed."""
    return [record for record in caplog.records if record.message == "the source cannot be replicated"]
