"""How long a batch of ledger entries holds the lock of all writers, in processor time."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mmptf_common.storage.engines import driver_connection
from mmptf_common.writes import commands
from tests.conftest import admin_url, running_app
from tests.integration.grown import grow
from tests.integration.ledger_client import ADMIN, Json, LedgerClient, body, running_ledger
from tests.serving import served

pytestmark = pytest.mark.longer
# Rows of the largest tables of both services, and those of a batch.
MANY, ROWS = int(os.environ.get("LOCK_ROWS", "20000")), 1000
MOST_SECONDS = 1.0


@dataclass
class Held:
    """Seconds for which the lock was held: of a clock, and of the processors for this process and for PostgreSQL."""

    clock: float = 0.0
    own: float = 0.0
    database: float = 0.0


def processor_seconds(pid: int) -> float:
    """What a process has used so far."""
    members = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(members[11]) + int(members[12])) / os.sysconf("SC_CLK_TCK")


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Held:
    """How long the last write held the lock."""
    found, began, pids = Held(), Held(), list[int]()
    begin, writing = commands.begin_write, commands.writing

    async def begin_write(session: Any, *rest: Any, **named: Any) -> Any:
        write = await begin(session, *rest, **named)
        pids[:] = [(await driver_connection(session)).get_server_pid()]
        began.clock, began.own, began.database = time.monotonic(), time.process_time(), processor_seconds(*pids)
        return write

    @asynccontextmanager
    async def measured(database: Any, **named: Any) -> AsyncIterator[Any]:
        async with writing(database, **named) as session:
            yield session
        found.clock, found.own = time.monotonic() - began.clock, time.process_time() - began.own
        found.database = processor_seconds(*pids) - began.database

    monkeypatch.setattr(commands, "begin_write", begin_write)
    monkeypatch.setattr(commands, "writing", measured)
    return found


@pytest.fixture(scope="module")
async def grown_ledger(new_database: Callable[[str], str]) -> AsyncIterator[LedgerClient]:
    """A ledger of many entries on many days, and a catalogue of many programmes."""
    databases = {name: new_database(name) for name in ("catalog", "funding")}
    for name, url in databases.items():
        # The ledger names a half of the catalogue's programmes.
        await grow(admin_url(url), name, MANY if name == "funding" else 2 * MANY)
    async with (
        running_app("catalog", databases["catalog"], None) as catalogue,
        served(catalogue.app) as url,
        running_ledger(databases["funding"], url) as ledger,
    ):
        # What was grown has days on which more was given than the Fund had, which no write may leave so.
        first = body("deposit", "1000000.00", "2019-01-01", contributor="DEU")
        assert (await ledger.batch(first, who=ADMIN)).is_success
        yield ledger


def few_programmes(n: int) -> Json:
    return body("allocation", "1.00", programme=f"MANY-{MANY // 5 + 1 + n % 3}", reference=f"SC-{n}", note=f"note {n}")


def others_each(n: int) -> Json:
    return body("allocation", "1.00", programme=f"MANY-{MANY // 5 + 1 + n}", reference=f"SC-{n}", note=f"note {n}")


def unlisted(n: int) -> Json:
    return body("allocation", "1.00", programme=f"UNLISTED-{n}", reference=f"SC-{n}", note=f"note {n}")


def deposits(n: int) -> Json:
    """With the entries of their fees, the earliest of the ledger: each changes the balance of every later day."""
    return body("deposit", "100.00", "2019-01-01", contributor="DEU", note=f"note {n}")


def unknown_contributors(n: int) -> Json:
    return body("deposit", "1.00", contributor=f"UNHEARD-OF-{n}")


def after_unknown_entries(n: int) -> Json:
    return body("deposit", "1.00", contributor="DEU", follows=f"L-{900_000 + n}")


RIGHT = (few_programmes, others_each, deposits)
WRONG = (unlisted, unknown_contributors, after_unknown_entries)


@pytest.mark.parametrize("entry", [*RIGHT, *WRONG])
async def test_a_thousand_entries_hold_the_lock_for_less_than_a_second(
    grown_ledger: LedgerClient, held: Held, entry: Callable[[int], Json]
) -> None:
    for query in ({"dry_run": "true"}, {}):
        began = time.monotonic()
        answer = await grown_ledger.batch(*map(entry, range(ROWS)), who=ADMIN, partial="true", **query)
        report = answer.json()
        assert answer.status_code == 200, answer.text
        assert report["written"] == (ROWS if entry in RIGHT else 0), report["outcomes"][0]
        print(
            f"{entry.__name__} {query}: lock {held.clock:.2f} s, of processors {held.own:.2f} s here and"
            f" {held.database:.2f} s in the database; in all {time.monotonic() - began:.2f} s"
        )
        assert held.own + held.database < MOST_SECONDS
