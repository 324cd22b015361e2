"""Reads as of an earlier revision or moment give again what was answered then."""

from __future__ import annotations

import asyncio
import base64
import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urlencode

import httpx
import pytest
import sqlalchemy as sa

from mmptf_common.http.parameters import PointInTime
from mmptf_common.http.snapshot import snapshot
from mmptf_common.storage import migrations
from mmptf_common.storage.as_of import AsOfTables, EarlierTables
from mmptf_common.storage.engines import ReadKind
from mmptf_common.storage.records import moment_text
from mmptf_local.cache import Cache
from mmptf_local.postgres import Postgres
from tests.conftest import RunningApp, asyncio_run, pool_of, running_app, service_of
from tests.integration.random_writes import (
    CATALOG,
    CONTRIBUTIONS,
    EDITION,
    FUNDING,
    PROGRAMMES,
    WRITES,
    Databases,
    _enter,
    _write_funding,
    give,
    writing,
)

# --- reads ---------------------------------------------------------------------------------------------------------


READS = {
    "catalog": [
        *(f"{PROGRAMMES}?limit=3&sort={sort}" for sort in ("code", "-title", "-budget", "budget", "-updated")),
        *(f"{PROGRAMMES}?{filter}" for filter in ("stage=funded&stage=closed", "country=SRB", "q=migra")),
        f"{PROGRAMMES}?partner_kind=government&partner_kind=academia&beneficiary=youth&beneficiary=not_stated",
        f"{PROGRAMMES}?format=csv&sort=-title",
        f"{PROGRAMMES}?format=ndjson&stage=concept",
        f"{PROGRAMMES}/facets",
        f"{PROGRAMMES}/facets?country=KEN&stage=pipeline",
        *(
            f"{PROGRAMMES}/totals?by={by}"
            for by in ("thematic_area", "objective", "country", "region", "organization", "stage")
        ),
        f"{PROGRAMMES}/totals?by=country&stage=funded",
        f"{PROGRAMMES}/WBALKANS-01",
        f"{PROGRAMMES}/MKD-01",
        f"{CATALOG}/organizations?sort=-name&limit=4",
        f"{CATALOG}/organizations/IOM",
        f"{CATALOG}/places?kind=region",
        f"{CATALOG}/places?q=a&sort=name&format=csv",
        f"{CATALOG}/places?group=gcm-champions",
        f"{CATALOG}/place-groups",
        f"{CATALOG}/thematic-areas",
        f"{CATALOG}/objectives?format=ndjson",
        f"{CATALOG}/documents",
    ],
    "funding": [
        *(f"{CONTRIBUTIONS}?limit=7&sort={sort}" for sort in ("code", "-amount", "updated")),
        *(f"{CONTRIBUTIONS}?{filters}" for filters in ("country=DEU", "contributor=DEU", "amount_min=10000")),
        f"{CONTRIBUTIONS}?format=csv",
        f"{CONTRIBUTIONS}?format=ndjson&country=THA",
        f"{CONTRIBUTIONS}/facets",
        f"{CONTRIBUTIONS}/totals",
        *(f"{CONTRIBUTIONS}/totals?by={by}" for by in ("contributor", "contributor_type", "stage", "basis")),
        f"{CONTRIBUTIONS}/DEU-2024-01",
        f"{FUNDING}/contributors?sort=name&limit=9",
        f"{FUNDING}/targets",
        f"{FUNDING}/progress",
        f"{FUNDING}/facts",
        f"{FUNDING}/facts?format=csv",
        f"{FUNDING}/facts/contributions-mobilised",
        f"{FUNDING}/money-stages",
        f"{FUNDING}/editions",
        f"{EDITION}/frameworks?level=point&sort=-position",
        f"{EDITION}/frameworks?format=csv",
        f"{EDITION}/framework-items?level=point&limit=99",
        f"{EDITION}/offices",
        f"{EDITION}/groups?sort=-name&limit=99",
        f"{EDITION}/acronyms?format=ndjson",
        f"{EDITION}/vocabulary?sort=name&limit=99",
        f"{EDITION}/partners?sort=-position&limit=200",
        f"{EDITION}/figures?sort=-value&limit=200",
        f"{EDITION}/figures?country=KEN&country=not_stated&format=csv",
        f"{EDITION}/figures/facets",
        f"{EDITION}/printed-totals?format=csv",
        f"{EDITION}/reconciliation",
        f"{EDITION}/reconciliation?agreement=different",
        f"{FUNDING}/requirements?sort=-amount&limit=400",
        f"{FUNDING}/requirements?q=heal&format=csv",
        f"{FUNDING}/requirements/facets?region=south-america",
        *(
            f"{FUNDING}/totals?by={by}"
            for by in ("region", "place", "country", "area", "target_population", "status", "region&by=status")
        ),
        f"{FUNDING}/requirements/MI-2015-KEN-health",
        f"{FUNDING}/initiatives?limit=20",
        f"{FUNDING}/initiatives?region=southern-africa&region=not_stated",
        f"{FUNDING}/initiatives/facets",
        f"{FUNDING}/ledger?limit=4&sort=-amount",
        f"{FUNDING}/ledger?format=csv&reversal=true",
        f"{FUNDING}/ledger/facets?kind=pledge&kind=deposit",
        f"{FUNDING}/ledger/totals?by=kind",
        f"{FUNDING}/ledger/L-000001",
        f"{FUNDING}/statement",
        f"{FUNDING}/statement/contributors?on=2026-05-01",
        f"{FUNDING}/statement/commitments",
        f"{FUNDING}/capitalization?interval=quarter",
    ],
}  # fmt: skip


def with_query(path: str, **more: Any) -> str:
    base, _, query = path.partition("?")
    return f"{base}?{urlencode([*parse_qsl(query), *more.items()])}"


def without_as_of(node: Any) -> Any:
    """An answer without the point in time that its links carry, and what a cursor says without its question."""
    if isinstance(node, dict):
        return {name: without_as_of(value) for name, value in node.items()}
    if isinstance(node, list):
        return [without_as_of(value) for value in node]
    if not isinstance(node, str) or not ("as_of=" in node or "cursor=" in node):
        return node
    path, mark, query = node.rpartition("?")
    kept = [(n, _position(value) if n == "cursor" else value) for n, value in parse_qsl(query) if n != "as_of"]
    return f"{path}{mark}{urlencode(kept)}" if kept else path


def _position(cursor: str) -> str:
    return str(json.loads(base64.urlsafe_b64decode(cursor + "=="))[1:])


@dataclass
class Answer:
    """What a read answers, as far as it is the same whenever it is answered."""

    status: int
    body: Any
    then: list[Answer] = field(default_factory=list)

    @classmethod
    async def of(cls, client: httpx.AsyncClient, path: str) -> Answer:
        """The answer, and those of all pages after it."""
        answer = await client.get(path)
        if answer.status_code != 200:
            return cls(answer.status_code, answer.json()["code"])
        if answer.headers["content-type"] != "application/json":
            return cls(200, re.sub(rb"[?&]as_of=[^&,\"\s]*", b"", answer.content))
        body = answer.json()
        if "link" not in answer.text and not body.get("next") and "filter" not in body:
            return cls(200, answer.content)
        pages = [await cls.of(client, body["next"])] if body.get("next") else []
        return cls(200, without_as_of(body), pages)


NOW = EarlierTables({}, 0)

Rows = dict[str, list[str]]


async def rows_of(running: RunningApp, earlier: EarlierTables = NOW) -> Rows:
    """Every row of every table of records, whole, now or as the clause gives it."""
    found = {}
    async with pool_of(running.app.state.database).acquire() as connection:
        for table in service_of(running.name).metadata.sorted_tables:
            if "entity" in table.info:
                name = table.name
                rows = earlier.statement(f"SELECT to_jsonb({name})::text FROM {name} ORDER BY code")
                found[name] = [row[0] for row in await connection.fetch(rows)]
    return found


@dataclass
class Remembered:
    """What was answered at a revision."""

    revision: int
    moment: str
    rows: Rows
    answers: dict[str, Answer]


async def newest(running: RunningApp) -> tuple[int, datetime]:
    row = await pool_of(running.app.state.database).fetchrow(
        "SELECT number, at FROM revision ORDER BY number DESC LIMIT 1"
    )
    return row["number"], row["at"]


async def remember(running: RunningApp) -> Remembered:
    number, at = await newest(running)
    answers = {path: await Answer.of(running.client, path) for path in READS[running.name]}
    return Remembered(number, moment_text(at), await rows_of(running), answers)


@pytest.mark.parametrize("service", ["catalog", "funding"])
async def test_every_earlier_answer_is_given_again(new_database: Databases, redis_server: Cache, service: str) -> None:
    dice = random.Random(service)
    tables = AsOfTables(service_of(service).metadata)
    async with running_app(service, new_database(service), redis_server.url) as running:
        remembered = [await remember(running)]
        for _ in range(3):
            async with writing(running) as it:
                await WRITES[service](it, dice)
            remembered.append(await remember(running))
        # What is asked was another answer from one revision to the next, or nothing would be shown by this.
        for path in READS[service]:
            assert len({repr(then.answers[path]) for then in remembered}) > 1, path
        assert {answer.status for then in remembered for answer in then.answers.values()} >= {200}
        for then in dice.sample(remembered, len(remembered)):
            assert await rows_of(running, tables.at(then.revision)) == then.rows
            for path, answer in dice.sample(sorted(then.answers.items()), 2 * len(then.answers) // 3):
                asked = then.revision if dice.random() < 0.5 else then.moment
                assert await Answer.of(running.client, with_query(path, as_of=asked)) == answer, (path, asked)


# --- what a link under it says -------------------------------------------------------------------------------------


def links_of(node: Any) -> list[str]:
    """Every link of an answer."""
    if isinstance(node, list):
        return [found for value in node for found in links_of(value)]
    if not isinstance(node, dict):
        return []
    found = [found for value in node.values() for found in links_of(value)]
    return [*found, node["link"]] if node.get("link") else found


FIGURES = [
    f"{CONTRIBUTIONS}/totals?by=contributor",
    f"{FUNDING}/totals?by=region",
    f"{FUNDING}/progress",
    f"{FUNDING}/facts",
    f"{FUNDING}/facts/contributions-mobilised",
    f"{EDITION}/reconciliation",
    f"{FUNDING}/ledger/totals?by=kind",
    f"{FUNDING}/statement",
    f"{FUNDING}/statement/contributors",
]


@pytest.mark.parametrize("by", ["number", "moment"])
async def test_the_rows_behind_an_earlier_figure_are_found_at_its_link(new_database: Databases, by: str) -> None:
    """What a figure was made of is read at its own link, also when the rows have changed since."""
    async with running_app("funding", new_database("funding"), None) as running:
        client = running.client

        async def answer_to(path: str) -> Any:
            answer = await client.get(path)
            return answer.json() if answer.status_code == 200 else answer.status_code

        async with writing(running) as it:
            await _enter(it, random.Random(1))
        number, at = await newest(running)
        earlier: dict[str, dict[str, Any]] = {}
        for path in FIGURES:
            asked = with_query(path, as_of=number if by == "number" else moment_text(at))
            links = links_of(await answer_to(asked))
            assert links, path
            earlier[path] = {link: await answer_to(link) for link in [asked, *links[:: max(1, len(links) // 8)]]}
        assert [path for path, found in earlier.items() if any(isinstance(a, int) for a in found.values())] == []
        async with writing(running) as it:
            await it.connection.execute("DELETE FROM contribution WHERE contributor <> 'DEU'")
            await it.connection.execute("DELETE FROM requirement WHERE area <> 'health'")
            await _enter(it, random.Random(2))
        differing = {path for path, found in earlier.items() for link in found if await answer_to(link) != found[link]}
        assert differing == set()


# --- while somebody writes -----------------------------------------------------------------------------------------


async def pages(client: httpx.AsyncClient, path: str, between: Callable[[], Any]) -> list[Any]:
    """The items of all pages, with something done between each and the next."""
    items = []
    following: str | None = path
    while following:
        page = (await client.get(following)).json()
        items += page["items"]
        following = page["next"]
        await between()
    return items


@pytest.mark.parametrize("sort", ["code", "-amount", "updated"])
async def test_pages_stay_the_same_while_somebody_writes(new_database: Databases, sort: str) -> None:
    async with running_app("funding", new_database("funding"), None) as running:
        dice = random.Random(sort)

        async def write() -> None:
            async with writing(running) as it:
                await _write_funding(it, dice)

        await write()
        number, at = await newest(running)
        whole = (await running.client.get(CONTRIBUTIONS, params={"sort": sort})).json()["items"]
        assert len(whole) > 15
        for moment in (str(number), moment_text(at), moment_text(at + timedelta(microseconds=1))):
            path = with_query(CONTRIBUTIONS, sort=sort, limit=7, as_of=moment)
            assert await pages(running.client, path, write) == whole


async def test_a_day_stands_for_its_end_and_today_for_now(new_database: Databases) -> None:
    async with running_app("funding", new_database("funding"), None) as running:
        client, dice = running.client, random.Random(7)

        async def listed(as_of: object, **query: str) -> httpx.Response:
            return await client.get(CONTRIBUTIONS, params={"as_of": str(as_of), "limit": "5", **query})

        today = datetime.now(UTC).date()
        async with writing(running) as it:
            await _write_funding(it, dice)
        now = await client.get(CONTRIBUTIONS, params={"limit": "5"})
        found = await listed(today)
        assert found.json()["items"] == now.json()["items"]
        # The day stays a day in links, which can be followed before it ends.
        assert f"as_of={today}" in found.json()["next"]
        assert (await client.get(found.json()["next"])).status_code == 200
        async with writing(running) as it:
            await _write_funding(it, dice)
        later = await listed(today)
        assert later.json()["revision"] > found.json()["revision"]
        assert later.headers["etag"] != found.headers["etag"]
        future = await listed(today + timedelta(days=2))
        assert (future.status_code, future.json()["code"]) == (422, "unknown_revision")
        # As if everything up to the first write had been written in the last microseconds of a day.
        number = found.json()["revision"]
        async with running.as_owner() as session:
            before = f"({number} - number) * interval '1 microsecond'"
            last = "timestamptz '2025-03-01 23:59:59.999999Z'"
            moved = f"UPDATE revision SET at = {last} - {before} WHERE number <= {number}"
            await session.execute(sa.text(moved.replace(":", "\\:")))
        for as_of in ("2025-03-01", "2025-03-02", "2025-03-01T23:59:59.999999Z"):
            assert (await listed(as_of)).json()["revision"] == number
        assert (await listed("2025-02-28")).json()["revision"] == 0
        assert (await listed("2025-03-01T00:00:00Z")).json()["revision"] == 0


async def test_an_export_as_of_a_revision_is_whole_while_somebody_writes(new_database: Databases) -> None:
    async with running_app("funding", new_database("funding"), None) as running:
        path = f"{FUNDING}/requirements?format=ndjson"
        number, _ = await newest(running)
        export = (await running.client.get(path)).content
        writes = 0

        async def write() -> None:
            nonlocal writes
            dice = random.Random(1)
            while writes < 6:
                async with writing(running) as it:
                    await _write_funding(it, dice)
                writes += 1

        writer = asyncio.create_task(write())
        while not writer.done():
            assert (await running.client.get(with_query(path, as_of=number))).content == export
        await writer
        assert (await running.client.get(path)).content != export


async def test_a_moment_means_the_same_when_a_write_of_before_it_is_committed_after_it(
    new_database: Databases,
) -> None:
    """What was answered of a moment is answered again, however long the write took that was under way then."""
    async with running_app("funding", new_database("funding"), None) as running:
        async with writing(running) as it:
            await it.amend("contribution", "DEU-2024-01", {"amount": Decimal(1)}, note="a long write")
            moment = moment_text(await pool_of(running.app.state.database).fetchval("SELECT clock_timestamp()"))
            asking = asyncio.create_task(running.client.get(CONTRIBUTIONS, params={"as_of": moment}))
            await asyncio.wait({asking}, timeout=0.5)
        then = await asking
        again = await running.client.get(CONTRIBUTIONS, params={"as_of": moment})
        # Until the write has ended, nobody knows what the data of the moment are: to say so, or to wait, is right.
        assert then.status_code == 422 or again.json() == then.json()


async def test_the_moment_of_the_newest_revision_is_past(new_database: Databases) -> None:
    """Also where the clock was set back since: the moment stands in the feed, so it can be asked for."""
    async with running_app("funding", new_database("funding"), None) as running:
        async with running.as_owner() as session:
            await session.execute(sa.text("UPDATE revision SET at = at + interval '1 hour'"))
        await give(running)
        now = (await running.client.get(CONTRIBUTIONS)).json()
        change = (await running.client.get(f"{FUNDING}/changes", params={"after": now["revision"] - 1})).json()
        (entry,) = change["items"]
        then = await running.client.get(CONTRIBUTIONS, params={"as_of": entry["at"]})
        assert (then.status_code, then.json()) == (200, now)


# --- what can be asked ---------------------------------------------------------------------------------------------


KINDS = [
    CONTRIBUTIONS,
    f"{CONTRIBUTIONS}?format=csv",
    f"{CONTRIBUTIONS}?format=ndjson",
    f"{CONTRIBUTIONS}/facets",
    f"{CONTRIBUTIONS}/totals",
    f"{CONTRIBUTIONS}/DEU-2024-01",
    f"{FUNDING}/progress",
    f"{FUNDING}/facts",
    f"{FUNDING}/facts/contributions-mobilised",
    f"{FUNDING}/documents",
    f"{EDITION}/vocabulary",
    f"{EDITION}/reconciliation",
    f"{FUNDING}/totals",
]
MALFORMED = [
    "", " ", "now", "-1", "+1", "1.0", "1e3", "0x1", "1 ", "٣", "1_000", "1" * 16, "9" * 400, "2024-1-1", "2024-13-01",
    "2024-02-30", "2024-01-01T25:00:00Z", "2024-01-01T00:00:00", "2024-01-01 00:00:00Z", "0000-01-01", "10000-01-01",
    "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2024-01-01T00:00:00.Z", "1'", "null",
]  # fmt: skip


async def refused(client: httpx.AsyncClient, path: str, code: str) -> dict[str, Any]:
    """The error that an answer names, which is that of as_of."""
    answer = await client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json"), answer.text
    (error,) = answer.json()["errors"]
    assert (error["parameter"], error["code"], answer.json()["code"]) == ("as_of", code, code)
    found: dict[str, Any] = error
    return found


@pytest.mark.parametrize("asked", MALFORMED)
async def test_what_is_no_revision_and_no_moment_is_refused(funding: httpx.AsyncClient, asked: str) -> None:
    for path in (CONTRIBUTIONS, f"{CONTRIBUTIONS}/DEU-2024-01"):
        assert (await refused(funding, with_query(path, as_of=asked), "invalid_parameter"))["allowed"]


@pytest.mark.parametrize("path", KINDS)
async def test_what_is_to_come_is_refused_everywhere(apps: dict[str, RunningApp], path: str) -> None:
    client = apps["funding"].client
    number, _ = await newest(apps["funding"])
    day = datetime.now(UTC) + timedelta(days=1)
    for asked in (number + 1, 10**15 - 1, 2**31, 2**63 % 10**15):
        assert (await refused(client, with_query(path, as_of=asked), "unknown_revision"))["allowed"] == [
            f"0 to {number}"
        ]
    for moment in (moment_text(day), f"{day.date()}", "9999-12-31", "9999-12-31T23:59:59.999999Z"):
        await refused(client, with_query(path, as_of=moment), "unknown_revision")
    await refused(client, f"{with_query(path, as_of=1)}&as_of=1", "repeated_parameter")
    await refused(client, with_query(path, as_of="yesterday"), "invalid_parameter")


@pytest.mark.parametrize("asked", ["0", "000", "1970-01-01", "0001-01-01", "0001-01-01T00:00:00Z"])
@pytest.mark.parametrize("path", KINDS)
async def test_before_everything_there_was_nothing(funding: httpx.AsyncClient, path: str, asked: str) -> None:
    answer = await funding.get(with_query(path, as_of=asked))
    if "/DEU" in path or "/MI-2015" in path or "/contributions-mobilised" in path:
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        return
    assert answer.status_code == 200
    if "format=" in path:
        assert answer.text.splitlines()[1:] == []
        assert bool(answer.text) == ("csv" in path)
        return
    found = answer.json()
    assert found["revision"] == 0
    assert [found[name] for name in ("total", "rows", "items", "totals", "targets") if name in found] in (
        [0, []], [0], [[]],
    )  # fmt: skip


async def test_with_nothing_loaded_it_was_as_empty_as_it_is(postgres: Postgres) -> None:
    url = postgres.create_database("funding_as_of_nothing")
    asyncio_run(migrations.migrate(url, "mmptf_funding"))
    async with running_app("funding", url, None) as running:
        for path in (CONTRIBUTIONS, f"{FUNDING}/progress", f"{FUNDING}/facts", f"{FUNDING}/totals"):
            now = await running.client.get(path)
            for asked in ("0", "2020-01-01", moment_text(datetime.now(UTC) - timedelta(seconds=1))):
                then = await running.client.get(with_query(path, as_of=asked))
                assert (then.status_code, without_as_of(then.json())) == (200, now.json()), path
            error = await refused(running.client, with_query(path, as_of=1), "unknown_revision")
            assert error["allowed"] == ["0 to 0"]


async def test_a_number_within_a_write_means_the_write(new_database: Databases) -> None:
    async with running_app("funding", new_database("funding"), None) as running:
        async with writing(running) as it:
            for code in ("DEU-2024-01", "NEW-1"):
                await it.copy("contribution", "DEU-2024-01", f"{code}-copy")
            await it.remove("contribution", "DEU-2024-01")
        whole = (await running.client.get(CONTRIBUTIONS)).json()
        assert whole["revision"] == it.write.first + 2
        await give_new(running)
        for number in range(it.write.first, it.write.first + 3):
            assert (await running.client.get(CONTRIBUTIONS, params={"as_of": number})).json() == whole
        before = (await running.client.get(CONTRIBUTIONS, params={"as_of": it.write.first - 1})).json()
        assert (before["revision"], before["total"]) == (it.write.first - 1, whole["total"] - 1)


async def give_new(running: RunningApp) -> None:
    """One contribution more."""
    async with writing(running) as it:
        await it.copy("contribution", (await it.codes("contribution"))[0], f"NEW-{it.write.first}")


async def test_a_record_that_was_renamed_is_found_as_it_was(new_database: Databases) -> None:
    path = f"{CATALOG}/organizations"
    async with running_app("catalog", new_database("catalog"), None) as running:
        client = running.client
        before = await client.get(f"{path}/WHO")
        number, _ = await newest(running)
        async with writing(running) as it:
            await it.copy("organization", "WHO", "WORLD-HEALTH")
            await it.remove("organization", "WHO")
        async with running.as_owner() as session:
            await session.execute(sa.text("INSERT INTO renamed_code VALUES ('organization', 'WHO', 'WORLD-HEALTH')"))
        then = await client.get(f"{path}/WHO", params={"as_of": number})
        assert (then.status_code, then.content) == (200, before.content)
        assert (await client.get(f"{path}/WORLD-HEALTH", params={"as_of": number})).status_code == 404
        after = number + 2
        led = await client.get(f"{path}/WHO", params={"as_of": after})
        assert (led.status_code, led.headers["location"]) == (308, f"{path}/WORLD-HEALTH?as_of={after}")
        assert (await client.get(led.headers["location"])).status_code == 200
        # Before there was any of them, neither is found, and no answer leads where nothing is.
        assert (await client.get(f"{path}/WHO", params={"as_of": 0}, follow_redirects=True)).status_code == 404


# --- keeping -------------------------------------------------------------------------------------------------------


async def test_an_earlier_answer_is_never_modified(new_database: Databases, redis_server: Cache) -> None:
    async with running_app("funding", new_database("funding"), redis_server.url) as running:
        client = running.client
        revision, _ = await newest(running)
        now = {path: await client.get(path) for path in KINDS}
        then = {path: await client.get(with_query(path, as_of=revision)) for path in KINDS}
        await give(running)
        async with writing(running) as it:
            await it.amend("term", "MI-2015.area.health", {"name": "Good health"}, name="Good health")
            await it.amend("fact", "contributions-mobilised", {}, note="Another note")
            await it.amend("source_document", "migration-initiatives-2015", {}, title="Another title")
            await it.amend("requirement", "MI-2015-KEN-health", {"amount": Decimal(7)}, note="Another note")
        for path in KINDS:
            tag = then[path].headers["etag"]
            assert tag != now[path].headers["etag"]
            same = await client.get(with_query(path, as_of=revision), headers={"if-none-match": tag})
            assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
            again = await client.get(with_query(path, as_of=revision))
            assert (again.content, again.headers["etag"]) == (then[path].content, tag)
            # The same revision is the same answer, however its number is written; another one is another.
            same = await client.get(with_query(path, as_of=f"00{revision}"), headers={"if-none-match": tag})
            assert same.status_code == 304
            newer = await client.get(path, headers={"if-none-match": now[path].headers["etag"]})
            assert newer.status_code == 200
            assert newer.content != now[path].content
            assert newer.headers["etag"] not in (tag, now[path].headers["etag"])


@pytest.mark.parametrize("service", ["catalog", "funding"])
async def test_what_was_answered_of_the_newest_revision_is_answered_after_the_next_write(
    new_database: Databases, service: str
) -> None:
    dice = random.Random(service)
    async with running_app(service, new_database(service), None) as running:
        request: Any = SimpleNamespace(app=running.app)
        async with writing(running) as it:
            await WRITES[service](it, dice)
        revision, _ = await newest(running)
        dated = [with_query(path, as_of=revision) for path in READS[service]]
        query = PointInTime.model_validate({"as_of": str(revision)})
        # The newest revision is read in the tables as they are now, an earlier one is not.
        answered = {}
        for is_newest in (True, False):
            async with snapshot(request, ReadKind.COMPUTED, query) as read, read.repeatable_read() as (data, tag):
                assert (data.earlier is None, tag.partition(":")[0]) == (is_newest, str(revision))
            for path in dated:
                answer = await running.client.get(path)
                # A problem has the identifier of its request.
                body = answer.content if answer.status_code == 200 else answer.json()["detail"]
                found = (answer.status_code, body, answer.headers.get("etag"))
                assert answered.setdefault(path, found) == found
            async with writing(running) as it:
                await WRITES[service](it, dice)


@pytest.mark.parametrize("kind", ["totals", "facets"])
async def test_the_cache_separates_earlier_answers_from_the_present_one(
    new_database: Databases, redis_server: Cache, kind: str
) -> None:
    path = f"{CONTRIBUTIONS}/{kind}"
    async with running_app("funding", new_database("funding"), redis_server.url) as running:
        client = running.client
        kept: dict[int, Any] = {}
        for dollars in range(1, 4):
            await give(running, dollars)
            revision, _ = await newest(running)
            # Asked as of the revision first, or last: neither may be answered with the other's links.
            asked = [path, with_query(path, as_of=revision)][:: 1 if dollars % 2 else -1]
            answers = {question: await client.get(question) for question in asked}
            assert {a.headers["cache-status"] for a in answers.values()} == {"mmptf-funding; fwd=uri-miss; stored"}
            assert (f"as_of={revision}" in answers[asked[0]].text) == (asked[0] != path)
            kept[revision] = without_as_of(answers[path].json())
            assert kept[revision]["revision"] == revision
        assert len({repr(answer) for answer in kept.values()}) == 3
        for revision, answer in kept.items():
            again = await client.get(with_query(path, as_of=revision))
            assert again.headers["cache-status"] == "mmptf-funding; hit"
            assert without_as_of(again.json()) == answer


async def test_only_reads_as_of_an_earlier_revision_are_planned_without_nested_loops(
    new_database: Databases,
) -> None:
    async with running_app("catalog", new_database("catalog"), None) as running:
        path = "/catalog/v1/organizations"
        for query in ({"as_of": "1"}, {}):
            for form in ("json", "csv"):
                answer = await running.client.get(path, params={**query, "format": form})
                assert answer.status_code == 200
        for read in running.app.state.database.reads.values():
            async with read.connections.acquire() as connection:
                assert await connection.fetchval("SHOW enable_nestloop") == "on"
        query = PointInTime.model_validate({"as_of": "1"})
        request = SimpleNamespace(app=running.app)
        async with snapshot(request, ReadKind.PAGE, query) as data:  # type: ignore[arg-type]
            assert await data.fetchval("SHOW enable_nestloop") == "off"
