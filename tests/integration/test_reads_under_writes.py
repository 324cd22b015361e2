"""Every read gives one revision, whose number and tag it names, also where a write comes between its statements."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from mmptf_common.http.conditional import revision_in
from mmptf_common.storage.records import moment_text
from mmptf_local.cache import Cache
from tests.conftest import RunningApp, pool_of, running_app
from tests.integration.database_proxy import proxy_to
from tests.integration.indicator import OVER_TIME
from tests.integration.marked import ACTIONS, ASSESSMENTS, CURRENT_GRADES, INDICATOR, Markers, programme
from tests.integration.random_writes import CONTRIBUTIONS, WRITES, Databases, writing
from tests.integration.test_as_of import READS, with_query, without_as_of

# What a statement takes to reach the database, so that writes come between those of one read. Seconds.
DELAY = 0.02
AT_ONCE = 8
AS_OF = re.compile(rb"[?&]as_of=[^&,\"\\s]*")
ASSESSED = ("T-01", "concept_note"), ("T-01", "programme_document"), ("T-02", "programme_document")

Write = Callable[[], Awaitable[None]]


async def writes_of(running: RunningApp) -> tuple[list[str], Write]:
    """The reads of a service, and a write that changes what they give."""
    dice = random.Random(running.name)
    if running.name != "markers":

        async def write() -> None:
            async with writing(running) as it:
                await WRITES[running.name](it, dice)

        return READS[running.name], write
    markers = Markers(running)
    await markers.copy(programme("T-01"), programme("T-02"))
    codes = [(await markers.accepted(code, stage=stage))["code"] for code, stage in ASSESSED]

    async def regrade() -> None:
        """A new grade for every assessment."""
        async with writing(running) as it:
            for code in codes:
                await it.amend("assessment", code, {"grade": "B"}, grade=dice.choice("ABC"))

    reads = [
        *(f"{ASSESSMENTS}/{codes[1]}{below}" for below in ("", "/comparison", "/score")),
        *(f"{path}?limit=10" for path in (ASSESSMENTS, ACTIONS, CURRENT_GRADES)),
        *(f"{ASSESSMENTS}?format={format}" for format in ("csv", "ndjson")),
        f"{ASSESSMENTS}/facets",
        INDICATOR,
        f"{INDICATOR}?by=country",
        OVER_TIME,
        "/markers/v1/cards/programmes/T-01",
    ]
    return reads, regrade


def content_of(answer: httpx.Response) -> Any:
    """What an answer says, without the point in time that its links carry."""
    if answer.headers["content-type"] == "application/json":
        return without_as_of(answer.json())
    return AS_OF.sub(b"", answer.content)


@pytest.mark.parametrize("service", ["catalog", "funding", "markers"])
async def test_a_read_is_of_the_revision_of_its_tag(new_database: Databases, redis_server: Cache, service: str) -> None:
    database = new_database(service)
    async with (
        running_app(service, database, None) as writer,
        proxy_to(database) as proxy,
        running_app(service, proxy.url, redis_server.url) as reader,
    ):
        reads, write = await writes_of(writer)
        proxy.delay = DELAY
        done = asyncio.Event()

        async def write_on() -> None:
            while not done.is_set():
                await write()
                await asyncio.sleep(DELAY / 2)

        writing_on = asyncio.create_task(write_on())
        given: dict[tuple[str, str], bytes] = {}
        seen: dict[str, httpx.Response] = {}

        async def read(path: str) -> None:
            answer = await reader.client.get(path)
            if answer.status_code != 200:
                # A record that another write has taken away.
                assert answer.status_code == 404, (path, answer.text)
                return
            tag = answer.headers["etag"]
            assert given.setdefault((path, tag), answer.content) == answer.content, path
            number = revision_in(tag)
            if answer.headers["content-type"] == "application/json" and "revision" in (body := answer.json()):
                assert body["revision"] == number, path
            if path != OVER_TIME:
                seen[with_query(path, as_of=number)] = answer

        for _ in range(2):
            for first in range(0, len(reads), AT_ONCE):
                await asyncio.gather(*(read(path) for path in reads[first : first + AT_ONCE]))
        done.set()
        await writing_on
        proxy.delay = 0
        # Writes came between the reads, or nothing would be shown by this.
        assert len({revision_in(tag) for _, tag in given}) > len(reads) / AT_ONCE
        for path, answer in seen.items():
            again = await reader.client.get(path)
            assert (again.status_code, content_of(again)) == (200, content_of(answer)), path


async def test_waiting_for_a_write_holds_no_connection(new_database: Databases) -> None:
    """Requests as of a moment of a write under way wait for it, and others are answered meanwhile."""
    async with running_app("funding", new_database("funding"), None) as running:
        pool = pool_of(running.app.state.database)
        async with writing(running) as it:
            moment = moment_text(await it.connection.fetchval("SELECT clock_timestamp()"))
            number = 3 * pool.get_max_size()
            waiting = [
                asyncio.create_task(running.client.get(CONTRIBUTIONS, params={"as_of": moment})) for _ in range(number)
            ]
            await asyncio.sleep(0.2)
            assert not any(task.done() for task in waiting)
            pools = [each.connections for each in running.app.state.database.reads.values()]
            assert sum(each.get_size() - each.get_idle_size() for each in pools) <= 1
            async with asyncio.timeout(0.5):
                assert (await running.client.get(CONTRIBUTIONS)).status_code == 200
        answers = await asyncio.gather(*waiting)
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.content for answer in answers}) == 1
