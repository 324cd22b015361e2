"""The cost of single writes, with everything that a write does, beside that of a bare INSERT of the same row."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any

import asyncpg
import uvloop
from pydantic import SecretStr

from bench import processes, report
from bench.figures import Figure, Outcome, Spread
from bench.scale import Scale
from mmptf_catalog.app import SERVICE as CATALOG
from mmptf_catalog.programmes.examples import CONTENT
from mmptf_common import cli
from mmptf_common.process.settings import ServiceSettings
from mmptf_common.service import Service
from mmptf_common.storage import migrations
from mmptf_funding.app import SERVICE as FUNDING
from mmptf_local.postgres import Postgres, running_postgres
from mmptf_local.processes import LOOPBACK, Child, answers_ready, free_port, wait_until
from mmptf_local.state import temporary_state
from tests.tokens import bearer, identity

LEDGER, DRAFTS = "/funding/v1/ledger", "/catalog/v1/drafts"
BATCH, SMALL_BATCH, INSERTS = 1_000, 100, 50
LABELS = {
    "insert": "BEGIN, INSERT, COMMIT, same table and indexes",
    "insert_again": "the same once more (A/A)",
    "entry": "ledger entry with Idempotency-Key",
    "replay": "the same request once more",
    "deposit": "deposit, with the entry of its fee",
    "asking": "entry of a programme, which asks the catalogue",
    "draft": "draft of a programme with Idempotency-Key",
    "batch": f"entry in a batch of {BATCH:,}",
    "small_batch": f"entry in a batch of {SMALL_BATCH}",
}
NOTES = """
The bare INSERT is one row of the ledger into a table with the same columns and indexes, by prepared statements of the
driver. CPU is that of the service, of the catalogue where it is asked, and of PostgreSQL, which runs without fsync.
"""
Writer = Callable[[], None]


@dataclass(frozen=True)
class Measured:
    """One writer in one round, by write: CPU microseconds of the processes on our side and of PostgreSQL, seconds."""

    own: float
    database: float
    seconds: float

    @property
    def cpu(self) -> float:
        return self.own + self.database


@dataclass(frozen=True)
class Contender:
    """What writes: `write` carries out one call with `rows` rows; pids: whose CPU time counts beside PostgreSQL's."""

    write: Writer
    pids: tuple[int, ...]
    rows: int = 1


def compare(scale: Scale, progress: Callable[[str], None]) -> Outcome:
    """Single writes and batches of the services beside a bare INSERT with its commit."""
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_state())
        postgres = stack.enter_context(running_postgres(folder, databases=["catalog", "funding"], durable=False))
        for service in (CATALOG, FUNDING):
            asyncio.run(_fill(service, postgres.url(service.name)))
        catalog = stack.enter_context(_service(postgres, "catalog"))
        funding = stack.enter_context(_service(postgres, "funding", CATALOG_URL=f"http://{LOOPBACK}:{catalog.port}"))
        stack.callback(funding.close)
        stack.callback(catalog.close)
        contenders = _contenders(stack, postgres, catalog, funding)
        measured: list[dict[str, Measured]] = []
        for number in range(scale.rounds + 1):
            order = list(contenders) if number % 2 else list(reversed(contenders))
            one = {name: _measure(contenders[name], postgres, scale.seconds / 2) for name in order}
            # The first one plans statements and opens connections.
            if number:
                measured.append(one)
                progress(f"writes: round {number} of {scale.rounds}")
    found = {name: _summary(name, measured) for name in LABELS}
    figures = [
        Figure.of("ledger-entry-cpu-vs-insert", found["entry"]["cpu_ratio_to_insert"]),
        Figure.of("draft-cpu-vs-insert", found["draft"]["cpu_ratio_to_insert"]),
        Figure.of("batch-ms-per-entry", report.spread([one["batch"].cpu / 1000 for one in measured])),
    ]
    again = [found["insert_again"]["cpu_ratio_to_insert"][0]]
    return Outcome("writes", "Single writes", f"{_table(found)}\n\n{NOTES.strip()}", figures, again, details=found)


async def _fill(service: Service[Any], url: str) -> None:
    await migrations.migrate(url, service.package)
    await cli.seed(service, ServiceSettings(database_url=SecretStr(url)))


class _Client:
    """A service and a connection to it."""

    def __init__(self, child: Child, port: int) -> None:
        self.child, self.port = child, port
        self._connection = http.client.HTTPConnection(LOOPBACK, port, timeout=60)

    def post(self, path: str, body: bytes, status: int, **headers: str) -> None:
        headers = {"content-type": "application/json", **headers}
        self._connection.request("POST", path, body, headers)
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status != status:
            raise SystemExit(f"POST {path} is answered with {answer.status}: {text.decode()}\n{self.child.text()}")

    def close(self) -> None:
        self._connection.close()


@contextmanager
def _service(postgres: Postgres, name: str, **settings: str) -> Iterator[_Client]:
    port = free_port()
    env = {key: value for key, value in os.environ.items() if key not in {"DATABASE_POOL", "LOG_LEVEL"}}
    env |= {
        "HOST": LOOPBACK,
        "PORT": str(port),
        "DATABASE_URL": postgres.url(name),
        "RATE_LIMITS": "off",
        "ENVIRONMENT": "development",
    }
    command = [sys.executable, "-m", f"mmptf_{name}", "serve"]
    with Child(name, command, env={**env, **identity(), **settings}) as child:
        wait_until(lambda: answers_ready(f"http://{LOOPBACK}:{port}/health/ready"), child, seconds=60)
        yield _Client(child, port)


def _contenders(stack: ExitStack, postgres: Postgres, catalog: _Client, funding: _Client) -> dict[str, Contender]:
    numbers = count(1)
    admin, agency = bearer("admin"), bearer("agency", "IOM")

    def entry(kind: str, **members: Any) -> dict[str, Any]:
        return {"kind": kind, "amount": "1.00", "date": "2024-05-05", "reference": f"bench-{next(numbers)}", **members}

    def send(to: _Client, path: str, sent: Callable[[], Any], who: dict[str, str], status: int = 201) -> None:
        to.post(path, json.dumps(sent()).encode(), status, **{"idempotency-key": str(uuid.uuid4())}, **who)

    def draft() -> dict[str, Any]:
        return {**CONTENT, "programme_code": f"BENCH-{next(numbers)}"}

    def batch(rows: int) -> dict[str, Any]:
        return {"entries": [entry("deposit" if n % 2 else "interest", **_GIVEN[n % 2]) for n in range(rows)]}

    again = json.dumps(entry("interest")).encode()
    key = str(uuid.uuid4())
    of_funding, of_both = (funding.child.process.pid,), (funding.child.process.pid, catalog.child.process.pid)
    bare = stack.enter_context(_bare_insert(postgres))
    to_ledger = partial(send, funding, LEDGER)
    return {
        "insert": Contender(bare, (os.getpid(),), INSERTS),
        "entry": Contender(partial(to_ledger, partial(entry, "interest"), admin), of_funding),
        "replay": Contender(partial(funding.post, LEDGER, again, 201, **{"idempotency-key": key}, **admin), of_funding),
        "deposit": Contender(partial(to_ledger, partial(entry, "deposit", contributor="DEU"), admin), of_funding),
        "asking": Contender(partial(to_ledger, partial(entry, "allocation", programme="ETH-01"), admin), of_both),
        "insert_again": Contender(bare, (os.getpid(),), INSERTS),
        "draft": Contender(partial(send, catalog, DRAFTS, draft, agency), (catalog.child.process.pid,)),
        **{
            name: Contender(
                partial(send, funding, f"{LEDGER}/batch", partial(batch, rows), admin, 200), of_funding, rows
            )
            for name, rows in (("batch", BATCH), ("small_batch", SMALL_BATCH))
        },
    }


# The members of an entry that the one of the bare INSERT has without a value.
_EMPTY = (
    "original", "contributor", "programme", "organization", "thematic_area", "category", "tranche", "follows",
    "reverses", "corrects", "amendment", "value_date", "account", "bank_reference", "fee", "counterpart_fund",
    "decision", "reference", "note", "recorded_by", "reversed_by", "replaced_by",
)  # fmt: skip
_GIVEN: tuple[dict[str, str], dict[str, str]] = ({}, {"contributor": "DEU"})


@contextmanager
def _bare_insert(postgres: Postgres) -> Iterator[Writer]:
    """Writes `INSERTS` rows as the ledger has them, into a table with the same indexes: each a transaction of its own.

    With prepared statements of the driver on the event loop of the services, and nothing else.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        connection = runner.run(asyncpg.connect(postgres.url("funding")))
        create = "CREATE TABLE copied (LIKE ledger_entry INCLUDING ALL); ALTER TABLE copied ALTER revised SET DEFAULT 1"
        runner.run(connection.execute(create))
        record = json.dumps({"kind": "interest", "sum": {"amount": "1.00", "currency": "USD"}, **dict.fromkeys(_EMPTY)})
        numbers = count(1)

        async def insert() -> None:
            for _ in range(INSERTS):
                async with connection.transaction():
                    await connection.execute(
                        "INSERT INTO copied (code, number, kind, date, amount, flags, updated, record)"
                        " VALUES ('L-' || $1::int, $1, 'interest', '2024-05-05', 1.00, '{}', now(), $2)",
                        next(numbers),
                        record,
                    )

        yield lambda: runner.run(insert())
        runner.run(connection.close())


def _measure(contender: Contender, postgres: Postgres, seconds: float) -> Measured:
    pid = postgres.child.process.pid
    contender.write()
    before = [*map(processes.cpu, contender.pids)], processes.cpu(pid)
    began, rows = time.perf_counter(), 0
    while (taken := time.perf_counter() - began) < seconds or not rows:
        contender.write()
        rows += contender.rows
    own = sum(processes.cpu(each) - then for each, then in zip(contender.pids, before[0], strict=True))
    database = processes.cpu(pid) - before[1]
    return Measured(own / rows * 1e6, database / rows * 1e6, taken / rows)


def _summary(name: str, rounds: list[dict[str, Measured]]) -> dict[str, Spread]:
    return {
        "cpu_us": report.spread([one[name].cpu for one in rounds]),
        "own_us": report.spread([one[name].own for one in rounds]),
        "database_us": report.spread([one[name].database for one in rounds]),
        "cpu_ratio_to_insert": report.spread([one[name].cpu / one["insert"].cpu for one in rounds]),
        "milliseconds": report.spread([one[name].seconds * 1000 for one in rounds]),
    }


def _table(found: dict[str, dict[str, Spread]]) -> str:
    shown = report.shown
    lines = ["| one write | CPU, µs | of them PostgreSQL | : bare INSERT | ms |", "|---|--:|--:|--:|--:|"]
    for name, row in found.items():
        lines.append(
            f"| {LABELS[name]} | {shown(row['cpu_us'], '.0f')} | {row['database_us'][0]:.0f}"
            f" | {shown(row['cpu_ratio_to_insert'], '.1f')} | {row['milliseconds'][0]:.2f} |"
        )
    return "\n".join(lines)
