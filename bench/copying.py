"""Requirements into PostgreSQL and out of it: with COPY, with the import command, with the service."""

from __future__ import annotations

import asyncio
import http.client
import os
import resource
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from bench import processes
from mmptf_funding.editions.queries import REQUIREMENTS
from mmptf_funding.imports.template import TEMPLATE
from mmptf_local.postgres import Postgres
from mmptf_local.processes import LOOPBACK, Child, answers_ready, free_port, wait_until

PIECE = 65_536
# Seconds between two looks at the memory of an import.
LOOK = 0.05
# What the service selects for the same answer; its NDJSON is the records, one a line.
SELECTED = {
    "csv": f"SELECT {', '.join(f'{sql} AS {name}' for name, sql in REQUIREMENTS.columns.items())}",
    "ndjson": "SELECT record::text",
}
CSV = {"format": "csv", "header": True}


@dataclass(frozen=True)
class Taken:
    """What one pass took: seconds, seconds of CPU of the process on our side and of PostgreSQL, bytes that passed."""

    seconds: float
    cpu: float
    database: float
    size: int


@dataclass(frozen=True)
class Imported:
    """One import: what it took, its phases in seconds, its peak resident memory in MB, its entries in the journal."""

    taken: Taken
    phases: dict[str, float]
    peak_mb: float
    entries: int


class _Clock:
    """Measures from its creation on; `cpu` returns the seconds of CPU that the process on our side has used."""

    def __init__(self, postgres: Postgres, cpu: Callable[[], float]) -> None:
        self._cpu, self._database = cpu, postgres.child.process.pid
        self._began = self._now()

    def stop(self, size: int) -> Taken:
        seconds, cpu, database = (now - then for now, then in zip(self._now(), self._began, strict=True))
        return Taken(seconds, cpu, database, size)

    def _now(self) -> tuple[float, float, float]:
        return time.perf_counter(), self._cpu(), processes.cpu_with_ended(self._database)


@asynccontextmanager
async def _connected(postgres: Postgres, database: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(postgres.url(database), ssl=False)
    try:
        yield connection
    finally:
        await connection.close()


def copy_plain(postgres: Postgres, database: str, file: Path) -> Taken:
    """COPY requirements.csv into a new table of one text column for each of its own, no index, no constraint."""
    names = ", ".join(f"{name} text" for name in TEMPLATE.columns("requirements"))
    return asyncio.run(_copy_in(postgres, database, f"CREATE TABLE copied ({names})", file, file.stat().st_size, **CSV))


def copy_indexed(postgres: Postgres, database: str, file: Path) -> Taken:
    """COPY finished rows, from the file that COPY made of them, into a new table with the indexes of `requirement`."""
    create = "CREATE TABLE copied (LIKE requirement INCLUDING ALL)"
    return asyncio.run(_copy_in(postgres, database, create, file, file.stat().st_size))


async def _copy_in(postgres: Postgres, database: str, create: str, file: Path, size: int, **form: Any) -> Taken:
    async with _connected(postgres, database) as connection:
        # Committed first: PostgreSQL does not log what is copied into a table that the same transaction created.
        await connection.execute(create)
        clock = _Clock(postgres, time.process_time)
        await connection.copy_to_table("copied", source=file, **form)
        taken = clock.stop(size)
        await connection.execute("DROP TABLE copied")
        return taken


def copy_out(postgres: Postgres, database: str, representation: str) -> Taken:
    """COPY (SELECT the same) TO STDOUT, with its bytes counted: as CSV, or the text of the records as lines."""
    return asyncio.run(_copy_out(postgres, database, representation))


async def _copy_out(postgres: Postgres, database: str, representation: str) -> Taken:
    size = 0

    async def count(piece: bytes) -> None:
        nonlocal size
        size += len(piece)

    form = CSV if representation == "csv" else {}
    async with _connected(postgres, database) as connection:
        clock = _Clock(postgres, time.process_time)
        query = f"{SELECTED[representation]} FROM requirement ORDER BY code"
        await connection.copy_from_query(query, output=count, **form)
        return clock.stop(size)


def settle(postgres: Postgres, database: str, file: Path) -> None:
    """Vacuum the imported table, as the server does by itself a minute later, and COPY it to a file."""

    async def run() -> None:
        async with _connected(postgres, database) as connection:
            await connection.execute("VACUUM ANALYZE requirement")
            await connection.copy_from_table("requirement", output=file)

    asyncio.run(run())


def import_files(postgres: Postgres, database: str, files: list[Path]) -> Imported:
    """Run the import command to its end; the files are those of the template, requirements.csv among them."""
    lines: list[tuple[float, str]] = []

    def listen(_: str, line: str) -> None:
        lines.append((time.perf_counter(), line))

    env = {**os.environ, "DATABASE_URL": postgres.url(database)}
    command = [sys.executable, "-m", "mmptf_funding", "import", *map(str, files)]
    began = time.perf_counter()
    clock = _Clock(postgres, _cpu_of_ended)
    peak = 0.0
    with Child("import", command, env=env, log=listen) as child:
        while child.alive:
            peak = max(peak, processes.peak_memory(child.process.pid))
            time.sleep(LOOK)
        taken = clock.stop(sum(file.stat().st_size for file in files))
        child.result()
    phases = _phases(lines, began, began + taken.seconds)
    return Imported(taken, phases, peak, asyncio.run(_entries(postgres, database)))


def _cpu_of_ended() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _phases(lines: list[tuple[float, str]], began: float, ended: float) -> dict[str, float]:
    """The seconds of each phase, from the lines that the command printed: rows one by one, rows together, writing."""
    checked = max(moment for moment, line in lines if line.startswith("funding: checking "))
    writing = next(moment for moment, line in lines if line.startswith("funding: writing"))
    return {
        "reading, checking and staging each row": checked - began,
        "checking all rows together": writing - checked,
        "writing rows and journal, reconciling, commit": ended - writing,
    }


async def _entries(postgres: Postgres, database: str) -> int:
    async with _connected(postgres, database) as connection:
        return int(await connection.fetchval("SELECT count(*) FROM change WHERE entity = 'requirement'"))


@dataclass(frozen=True)
class Service:
    """A running funding service."""

    postgres: Postgres
    child: Child
    port: int

    @property
    def peak_mb(self) -> float:
        """The most resident memory that it has had so far, in MB."""
        return processes.peak_memory(self.child.process.pid)

    def pieces(self, query: str) -> Iterator[memoryview]:
        """The pieces of the body of the list of requirements; a body that breaks off raises IncompleteRead."""
        with closing(http.client.HTTPConnection(LOOPBACK, self.port, timeout=600)) as connection:
            connection.request("GET", f"{REQUIREMENTS.path}?{query}")
            response = connection.getresponse()
            if response.status != 200:
                raise SystemExit(f"?{query} is answered with {response.status}:\n{self.child.text()}")
            view = memoryview(bytearray(PIECE))
            while length := response.readinto(view):
                yield view[:length]

    def export(self, representation: str) -> Taken:
        """What reading the whole list took."""
        clock = _Clock(self.postgres, lambda: processes.cpu(self.child.process.pid))
        size = sum(map(len, self.pieces(f"format={representation}")))
        return clock.stop(size)


@contextmanager
def running_service(postgres: Postgres, database: str) -> Iterator[Service]:
    """The funding service in a process of its own, as in production."""
    port = free_port()
    env = {name: value for name, value in os.environ.items() if name not in {"DATABASE_POOL", "LOG_LEVEL"}}
    env |= {"HOST": LOOPBACK, "PORT": str(port), "DATABASE_URL": postgres.url(database)}
    with Child("funding", [sys.executable, "-m", "mmptf_funding", "serve"], env=env) as child:
        wait_until(lambda: answers_ready(f"http://{LOOPBACK}:{port}/health/ready"), child, seconds=60)
        yield Service(postgres, child, port)


def check_exports(service: Service, requirements: Path, rows: int) -> None:
    """Check that the service exports the bytes that were imported, and as many lines of NDJSON as there are rows."""
    with requirements.open("rb") as file:
        for piece in service.pieces("format=csv"):
            expected = file.read(len(piece))
            if piece != expected:
                at = next(n for n in range(len(piece)) if piece[: n + 1] != expected[: n + 1])
                around = slice(max(0, at - 60), at + 60)
                raise SystemExit(f"imported: {expected[around]!r}\nexported: {bytes(piece[around])!r}")
        if file.read(1):
            raise SystemExit(f"the export is shorter than {requirements.name}")
    lines = sum(bytes(piece).count(b"\n") for piece in service.pieces("format=ndjson"))
    if lines != rows:
        raise SystemExit(f"the export as NDJSON has {lines} lines, and {rows} rows were imported")
