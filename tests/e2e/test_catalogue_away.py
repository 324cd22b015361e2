"""Markers and the catalogue as processes of which one dies: assessments go on, and the copy is whole in the end."""

from __future__ import annotations

import asyncio
import random
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import sqlalchemy as sa

from mmptf_common.storage.engines import Database, open_database
from mmptf_common.storage.journal import Author, begin_write
from mmptf_common.storage.writing import writing
from mmptf_local.issuer import AUDIENCE
from mmptf_local.processes import Child, answers_ready, wait_until
from mmptf_local.suite import Suite
from mmptf_markers.assessments.schemas import EXAMPLE_AMENDMENT, EXAMPLE_DRAFT
from tests.conftest import admin_url, pool_of
from tests.e2e.test_retries import token
from tests.integration.changes import amend, delete
from tests.integration.replicas import chained, equal, programme, replicated, settings_of, until

DEATHS, WRITES_EACH, WRITERS = 3, 40, 2
CODE, FUNDED = EXAMPLE_DRAFT["programme"], "ECU-01"
AT_ONCE = 2.0
pytestmark = pytest.mark.longer
LAST = "SELECT max(seq) FROM change"


class Process:
    """One service of the suite, ended and started again as it was started first."""

    def __init__(self, suite: Suite, stack: ExitStack, name: str) -> None:
        self.name, self._url, self._stack = name, suite.urls[name], stack
        self.child = suite.children[name]
        self._environment = {
            "DATABASE_URL": suite.database_urls[name],
            "REDIS_URL": suite.redis_url,
            "CATALOG_URL": suite.urls["catalog"],
            "FUNDING_URL": suite.urls["funding"],
            "HOST": str(urlsplit(self._url).hostname),
            "PORT": str(urlsplit(self._url).port),
            "ENVIRONMENT": "development",
            "IDENTITY_ISSUER": suite.urls["issuer"],
            "IDENTITY_AUDIENCE": AUDIENCE,
        }

    def end(self, by: signal.Signals) -> None:
        self.child.process.send_signal(by)
        self.child.process.wait(10)

    def start(self) -> None:
        """Start it again and wait until it is ready."""
        command = [sys.executable, "-m", f"mmptf_{self.name}", "serve"]
        self.child = self._stack.enter_context(Child(self.name, command, env=self._environment))
        wait_until(lambda: answers_ready(f"{self._url}/health/ready"), self.child, seconds=30)


@pytest.fixture(scope="module")
def processes(suite: Suite) -> Iterator[dict[str, Process]]:
    with ExitStack() as stack:
        yield {name: Process(suite, stack, name) for name in ("catalog", "markers")}


@asynccontextmanager
async def asking(suite: Suite, client: str) -> AsyncIterator[httpx.AsyncClient]:
    """A caller of the gateway."""
    headers = {"authorization": f"Bearer {token(suite, client)}"}
    async with httpx.AsyncClient(base_url=suite.urls["gateway"], headers=headers) as asking_client:
        yield asking_client


async def copy_state(client: httpx.AsyncClient) -> dict[str, Any]:
    states = (await client.get("/markers/v1/copies")).raise_for_status().json()["copies"]
    found: dict[str, Any] = next(state for state in states if state["service"] == "catalog")
    return found


async def current_grade(client: httpx.AsyncClient, code: str = CODE) -> dict[str, Any]:
    """What markers say of a programme, if nothing else is said of the one that is assessed."""
    answer = await client.get("/markers/v1/standings", params={"programme": code})
    (found,) = answer.raise_for_status().json()["items"]
    said: dict[str, Any] = found
    return said


async def test_assessments_are_written_while_the_catalogue_is_down(suite: Suite, processes: dict[str, Process]) -> None:
    async with asking(suite, "agency") as agency, asking(suite, "management-unit") as fund:

        async def is_copied() -> bool:
            return (await copy_state(agency))["caught_up"] is not None

        await until(is_copied)
        known = await copy_state(agency)
        processes["catalog"].end(signal.SIGKILL)

        answer = await agency.post("/markers/v1/drafts", json=EXAMPLE_DRAFT, headers={"idempotency-key": "begin"})
        assert answer.status_code == 201, answer.text
        draft = answer.headers["location"]
        headers = {"idempotency-key": "save", "if-match": answer.headers["etag"]}
        answer = await agency.patch(draft, json=EXAMPLE_AMENDMENT, headers=headers)
        assert answer.status_code == 200, answer.text
        headers = {"idempotency-key": "submit", "if-match": answer.headers["etag"]}
        answer = await agency.post(f"{draft}/submission", headers=headers)
        assert answer.status_code == 201, answer.text
        said = answer.json()["catalogue"]
        assert (said["reached"], said["caught_up"]) == (known["reached"], known["caught_up"])
        assert said["age_seconds"] >= known["age_seconds"]

        async def is_older() -> bool:
            state = await copy_state(agency)
            assert state["caught_up"] == known["caught_up"]
            return bool(state["age_seconds"] > said["age_seconds"] + 1)

        await until(is_older)
        assert int((await agency.get("/markers/v1/indicator")).headers["catalogue-age"]) > said["age_seconds"]
        assert (await current_grade(agency))["under_review"] is True

        await asyncio.to_thread(processes["catalog"].start)
        path = f"/catalog/v1/programmes/{CODE}"
        tag = (await fund.get(path)).headers["etag"]
        amendment = {"reason": "A correction.", "title": "Named otherwise"}
        answer = await fund.patch(path, json=amendment, headers={"idempotency-key": "amend", "if-match": tag})
        assert answer.status_code == 200, answer.text

        async def is_amended() -> bool:
            return bool((await current_grade(agency))["title"] == "Named otherwise")

        await until(is_amended, seconds=15)
        state = await copy_state(agency)
        assert state["reached"] > known["reached"]
        assert state["age_seconds"] <= 1


async def test_markers_that_die_lose_no_change_and_store_none_twice(
    suite: Suite, processes: dict[str, Process]
) -> None:
    chance = random.Random(20_261_122)
    async with (
        # Programmes are deleted, too, which the role that serves may not do.
        open_database(settings_of(admin_url(suite.database_urls["catalog"]))) as catalog,
        open_database(settings_of(suite.database_urls["markers"])) as markers,
        asking(suite, "admin") as admin,
    ):
        for death in range(DEATHS):
            enough = await pool_of(catalog).fetchval(LAST) + chance.randrange(1, WRITES_EACH)
            writing = [asyncio.create_task(write_much(catalog, death, writer)) for writer in range(WRITERS)]

            # In the middle of what is written.
            await until(partial(is_reached, markers, enough))
            processes["markers"].end(signal.SIGKILL)
            await asyncio.to_thread(processes["markers"].start)
            await asyncio.gather(*writing)

        await until(partial(is_reached, markers, await pool_of(catalog).fetchval(LAST)), seconds=15)
        copies = await replicated(markers)
        assert equal(copies, await replicated(catalog))
        entries: list[dict[str, Any]] = []
        page: dict[str, Any] = {"next": "/markers/v1/audit?entity=place&entity=programme&limit=1000", "more": True}
        while page["more"]:
            page = (await admin.get(page["next"])).raise_for_status().json()
            entries += page["items"]
        assert chained(entries) == copies
        assert sum(entry["action"] != "create" for entry in entries) > DEATHS * WRITERS


async def is_reached(markers: Database, change: int) -> bool:
    """Whether a change of the catalogue was replicated."""
    return bool(await pool_of(markers).fetchval("SELECT last FROM replication WHERE service = 'catalog'") >= change)


async def write_much(catalog: Database, death: int, writer: int) -> None:
    """Write to the catalogue at a pace that another process can follow: each write one to three changes."""
    chance = random.Random(f"{death} {writer}")
    codes = [f"MUCH-{writer}-{number}" for number in range(5)]
    present: set[str] = set()
    for number in range(WRITES_EACH):
        code = chance.choice(codes)
        if code not in present:
            statements = [delete(code, "programme"), programme(code)]
            present.add(code)
        elif chance.random() < 0.2:
            statements = [delete(code, "programme")]
            present.remove(code)
        else:
            statements = [amend(code, "programme", title=f"{death}.{writer}.{number}")]
        statements.append(amend("SRB", "place", name=f"{death}.{writer}.{number}"))
        async with writing(catalog) as session:
            await begin_write(session, Author("test"), "a test")
            for statement in statements:
                await session.execute(sa.text(statement.replace(":", "\\:")))


async def test_allocations_are_shown_beside_the_grade_as_soon_as_they_are_replicated(
    suite: Suite, processes: dict[str, Process]
) -> None:
    async with asking(suite, "agent") as agent, asking(suite, "management-unit") as fund:

        async def enter(who: httpx.AsyncClient, kind: str, amount: str, **more: str) -> str:
            entry = {"kind": kind, "date": "2026-02-01", "amount": amount, **more}
            answer = await who.post("/funding/v1/ledger", json=entry, headers={"idempotency-key": f"{kind}-{amount}"})
            assert answer.status_code == 201, answer.text
            code: str = answer.json()["code"]
            return code

        async def allocated(amount: str | None) -> bool:
            said = (await current_grade(fund, FUNDED))["allocated"]
            return bool((said and said["amount"]) == amount)

        assert await allocated(None)
        await enter(agent, "interest", "900.00")
        given = {"programme": FUNDED, "reference": "SC-1"}
        first = await enter(fund, "allocation", "400.10", **given)
        await until(partial(allocated, "400.10"))

        # What is entered while they are away is there when they are back.
        processes["markers"].end(signal.SIGKILL)
        await enter(fund, "allocation", "99.90", **given)
        answer = await fund.post(
            f"/funding/v1/ledger/{first}/reversal",
            json={"reason": "Allocated to another programme.", "date": "2026-02-02"},
            headers={"idempotency-key": "reverse"},
        )
        assert answer.status_code == 201, answer.text
        await asyncio.to_thread(processes["markers"].start)
        await until(partial(allocated, "99.90"), seconds=15)

        grades = (await fund.get("/markers/v1/indicator")).json()["whole"]["grades"]
        (grade,) = [grade for grade in grades if grade["allocated"] is not None]
        assert grade["allocated"] == {"amount": "99.90", "currency": "USD"}
        assert grade["grade"] == (await current_grade(fund, FUNDED))["grade"]


async def test_markers_end_at_once_though_the_catalogue_hangs(suite: Suite, processes: dict[str, Process]) -> None:
    catalog, markers = processes["catalog"], processes["markers"]
    catalog.child.process.send_signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        await asyncio.to_thread(markers.end, signal.SIGTERM)
        assert time.monotonic() - began < AT_ONCE
    finally:
        catalog.child.process.send_signal(signal.SIGCONT)
