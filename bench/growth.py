"""How much more an answer costs when the edition that it is read from has many more requirements."""

from __future__ import annotations

import asyncio
import base64
import http.client
import json
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from statistics import quantiles
from typing import Any
from urllib.parse import parse_qs, urlsplit

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from bench import copying, processes, report
from bench.edition import CODE, DISTRICTS, district, write_edition
from bench.figures import Bars, Figure, Outcome, Spread
from bench.scale import Scale
from mmptf_common.storage import migrations
from mmptf_common.storage.engines import write_engine
from mmptf_common.storage.journal import Author, begin_write
from mmptf_funding.imports.staging import STAGED
from mmptf_local.postgres import Postgres, running_postgres
from mmptf_local.processes import LOOPBACK
from mmptf_local.state import temporary_state

PAGE = "/funding/v1/requirements"
# What is asked for, by the name of its figure; `{cursor}` is behind the middle row, `{revision}` before the last write.
ASKED = {
    "growth-page": f"{PAGE}?limit=50",
    "growth-deep-page": f"{PAGE}?limit=50&cursor={{cursor}}",
    "growth-filtered-page": f"{PAGE}?limit=50&region=region-3&area=area-2",
    "growth-totals": "/funding/v1/totals?by=region&by=area",
    "growth-totals-by-topic": "/funding/v1/totals?by=topic&by=region",
    "growth-topic": f"{PAGE}?limit=50&topic=topic-5",
    "growth-facets": f"{PAGE}/facets",
    "growth-search": f"{PAGE}?limit=50&q=district+{district(123)}",
    "search-of-a-place": f"{PAGE}?limit=50&q=xcd",
    "growth-as-of-page": f"{PAGE}?limit=50&as_of={{revision}}",
}
SEARCH = "search-of-a-place"
GROWING = [name for name in ASKED if name != SEARCH]
NOTES = """
An edition of the fewest requirements is imported; a copy of its database gets as many more as are missing, in writes as
large as that import, so that all triggers run. Each figure is the CPU time of service and PostgreSQL for a request with
many rows, over that with few, one request after the other and without a cache. The p99 is the time that callers waited.
`growth-search` finds as many requirements among many as among few: by a word that all have in their purposes, and the
number of a district, which few have. A search counts what it finds, row by row: `search-us-per-found` is what each more
of those costs that are found by the name of a place, which are as many times more as there are requirements.
"""
_OTHERS = [name for name in STAGED if name not in ("code", "amount", "record", "row")]
_CODE = f"'{CODE}-' || lpad((right(code, 8)::int + CAST(:copy AS int) * CAST(:few AS int))::text, 8, '0')"
# The districts of a copy are others, so that a search for one finds as many requirements as before.
_DISTRICT, _OTHER = (
    f"lpad((right(code, 8)::int % {DISTRICTS} + {DISTRICTS} * {copy})::text, 6, '0')"
    for copy in ("0", "CAST(:copy AS int)")
)
_CHANGED = {
    "purpose": f"replace(purpose, {_DISTRICT}, {_OTHER})",
    "words": f"array_replace(words, {_DISTRICT}, {_OTHER})",
}
_COPIED = f"""
    INSERT INTO requirement (code, amount, {", ".join(_OTHERS)}, record, updated)
    SELECT {_CODE}, amount + CAST(:copy AS int), {", ".join(_CHANGED.get(name, name) for name in _OTHERS)},
           replace(replace(record::text, '"code":"' || code || '"', '"code":"' || {_CODE} || '"'),
                   'district ' || {_DISTRICT}, 'district ' || {_OTHER})::json, now()
      FROM requirement WHERE code <= '{CODE}-' || lpad(CAST(:few AS text), 8, '0')"""
# One more write, so that there is an earlier revision to ask for.
_AMENDED = """
    UPDATE requirement SET record = jsonb_set(record::jsonb, '{note}', '"amended"')::json, note = 'amended'
     WHERE code LIKE :codes"""


@dataclass
class Measured:
    """What requests for one answer took: milliseconds of CPU of service and PostgreSQL a request, and of each request.

    cpu: one a round; all: every request, as its caller has waited
    """

    cpu: list[float] = field(default_factory=list)
    all: list[float] = field(default_factory=list)


def compare(scale: Scale, progress: Callable[[str], None]) -> Outcome:
    """The same answers of the fewest and of the most requirements, in turns."""
    few, rows = scale.sizes[0], scale.sizes[-1]
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_state())
        names = {number: f"funding_{number}" for number in (few, rows)}
        postgres = stack.enter_context(running_postgres(folder, databases=["few"], durable=False))
        asyncio.run(migrations.migrate(postgres.url("few"), "mmptf_funding"))
        copying.import_files(postgres, "few", write_edition(folder, few))
        progress(f"growth: {few:,} made-up requirements are imported")
        asked = {}
        for number, name in names.items():
            postgres.create_database(name, template="few")
            revision = asyncio.run(_grow(postgres.url(name), few, number))
            progress(f"growth: {number:,} requirements are there")
            service = stack.enter_context(copying.running_service(postgres, name))
            asked[number] = _Asked(service, number, revision)
        more = asked[rows].total(SEARCH) - asked[few].total(SEARCH)
        found: dict[str, dict[int, Measured]] = {name: {n: Measured() for n in names} for name in (*ASKED, "again")}
        for round_ in range(scale.rounds):
            for name, of in found.items():
                for number in sorted(of, reverse=bool(round_ % 2)):
                    # Once more of few rows: the distance of this ratio from 1 is the error of the run.
                    one = asked[few if name == "again" else number]
                    one.measure(postgres, "growth-page" if name == "again" else name, scale.seconds / 2, of[number])
    ratios = {
        name: report.spread([many / one for many, one in zip(of[rows].cpu, of[few].cpu, strict=True)])
        for name, of in found.items()
    }
    milliseconds = {
        f"{name} {number}": {"cpu": report.spread(each.cpu), "p99": quantiles(each.all, n=100)[-1]}
        for name, of in found.items()
        for number, each in of.items()
    }
    figures = [Figure.of(name, ratios[name]) for name in GROWING]
    of = found[SEARCH]
    each = [(many - one) * 1000 / more for many, one in zip(of[rows].cpu, of[few].cpu, strict=True)]
    figures.append(Figure.of("search-us-per-found", report.spread(each)))
    text = f"{_table(few, rows, ratios, milliseconds)}\n\n{NOTES.strip()}"
    bars = [Bars("Growth", f"times the CPU with {few:,} rows", [(name, ratios[name]) for name in GROWING])]
    details = {"rows": rows, "ratios": ratios, "milliseconds": milliseconds}
    return Outcome(
        "growth", f"Growth: {rows:,} requirements beside {few:,}", text, figures, [ratios["again"][0]], bars,
        details=details,
    )  # fmt: skip


class _Asked:
    """A service over one edition, and the paths that it is asked for."""

    def __init__(self, service: copying.Service, rows: int, revision: int) -> None:
        self._service = service
        cursor = _following(json.loads(self._get(ASKED["growth-page"]))["next"], f"{CODE}-{rows // 2:08d}")
        self._paths = {name: path.format(cursor=cursor, revision=revision) for name, path in ASKED.items()}

    def _get(self, path: str) -> bytes:
        with closing(http.client.HTTPConnection(LOOPBACK, self._service.port, timeout=60)) as connection:
            return _answered(connection, path)

    def total(self, name: str) -> int:
        """How many requirements a page says that there are in all."""
        total: int = json.loads(self._get(self._paths[name]))["total"]
        return total

    def measure(self, postgres: Postgres, name: str, seconds: float, found: Measured) -> None:
        """Ask for the same again and again for some seconds, one request after the other."""
        path = self._paths[name]
        pids = self._service.child.process.pid, postgres.child.process.pid
        with closing(http.client.HTTPConnection(LOOPBACK, self._service.port, timeout=60)) as connection:
            _answered(connection, path)
            began, until = sum(map(processes.cpu, pids)), time.perf_counter() + seconds
            requests = 0
            while (now := time.perf_counter()) < until or not requests:
                _answered(connection, path)
                found.all.append((time.perf_counter() - now) * 1000)
                requests += 1
            found.cpu.append((sum(map(processes.cpu, pids)) - began) / requests * 1000)


def _answered(connection: http.client.HTTPConnection, path: str) -> bytes:
    connection.request("GET", path)
    response = connection.getresponse()
    body = response.read()
    if response.status != 200:
        raise SystemExit(f"{path} is answered with {response.status}: {body[:500]!r}")
    return body


def _following(path: str, code: str) -> str:
    """The cursor of a path with another code as its position; the list is in the order of its codes."""
    (cursor,) = parse_qs(urlsplit(path).query)["cursor"]
    belongs_to, *_ = json.loads(base64.urlsafe_b64decode(cursor + "=="))
    return base64.urlsafe_b64encode(json.dumps([belongs_to, code, code]).encode()).decode().rstrip("=")


async def _grow(url: str, few: int, rows: int) -> int:
    """Write each requirement again and again, under other codes, until there are so many; returns a revision before.

    Each statement is a write of its own, as large as an import of the first ones, so all triggers run.
    """
    engine = write_engine(url, size=1, settings={"statement_timeout": "0"})
    try:
        for copy in range(1, rows // few):
            async with AsyncSession(engine) as session, session.begin():
                await begin_write(session, Author("bench"))
                await session.execute(sa.text(_COPIED), {"copy": copy, "few": few})
        async with AsyncSession(engine) as session, session.begin():
            write = await begin_write(session, Author("bench"))
            revision = await write.revision()
            await session.execute(sa.text(_AMENDED), {"codes": f"{CODE}-{rows // 2:08d}"[:-2] + "%"})
        async with engine.connect() as connection:
            await (await connection.execution_options(isolation_level="AUTOCOMMIT")).exec_driver_sql("VACUUM ANALYZE")
    finally:
        await engine.dispose()
    return revision


def _table(few: int, rows: int, ratios: Mapping[str, Spread], milliseconds: Mapping[str, Mapping[str, Any]]) -> str:
    lines = [
        f"| requirements | CPU ms, {few:,} | CPU ms, {rows:,} | ratio | p99 ms, {few:,} | p99 ms, {rows:,} |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for name, ratio in ratios.items():
        both = [milliseconds[f"{name} {number}"] for number in (few, rows)]
        cpu = [report.shown(each["cpu"], ".2f") for each in both]
        p99 = [f"{each['p99']:.1f}" for each in both]
        shown = "the first once more (A/A)" if name == "again" else name
        lines.append(f"| {shown} | {' | '.join(cpu)} | {report.shown(ratio, '.2f')} | {' | '.join(p99)} |")
    return "\n".join(lines)
