"""Pages and totals of requirements, never from a cache, beside raw asyncpg, ROAPI and Datasette with the same rows."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import combinations, product
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from bench import copying, peers, processes, report
from bench.edition import AREAS, REGIONS, write_edition
from bench.figures import Bars, Figure, Outcome
from bench.rounds import Contender, Rounds, fetch, measure, request
from bench.scale import Scale
from mmptf_common.storage import migrations
from mmptf_funding.editions.queries import REQUIREMENTS
from mmptf_local.postgres import Postgres, running_postgres
from mmptf_local.processes import Child
from mmptf_local.state import temporary_state

ROWS = 100_000
LIMIT = 50
TOTALS = "/funding/v1/totals"
# Different questions in turn, so that nothing is gained by keeping the last answer. Parameters are in canonical order.
PAGES = [{"area": area, "region": region} for area, region in product(AREAS, REGIONS)]
STATUSES = ("funded", "missing_in_source", "required")
GROUPED = [
    (by, statuses)
    for by in combinations(("region", "place", "area", "status"), 2)
    for size in (1, 2, 3)
    for statuses in combinations(STATUSES, size)
]
_COLUMNS = {"region": "region_code", "place": "place_code", "area": "area_code", "status": "status"}
NOTES = """
- One process of the service without Redis, its log read through a pipe. Each contender has one core with all that it
  needs, PostgreSQL among it; the load is on the other. Requests per second of one core are a second over the CPU time
  of a request, which other programs on the machine disturb less than the requests that were reached.
- Raw asyncpg is one statement that makes the JSON, behind bare ASGI. It neither checks nor logs, and has no `next`, no
  ETag and no conditional requests. As it is used everywhere, its pool resets each connection after use; in the row
  without resets it does not, as the service's does not.
- ROAPI holds the CSV in memory and is asked by SQL, with the count in the same statement. Datasette has SQLite with an
  index in the order of the filter: its table page, which counts and has a next page as the service's list, and, as
  another row, one statement written by hand. Totals are one statement for both.
- Neither peer knows who asks, writes, journals, or answers as of an earlier revision.
- What this does not show: several processes and cores, a network, data that are not in memory.
"""


def compare(scale: Scale, progress: Callable[[str], None]) -> Outcome:
    """The cold page of 50 of 100,000 rows with its total, and cold totals by two dimensions."""
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_state())
        postgres = stack.enter_context(running_postgres(folder, databases=["funding"], durable=False))
        asyncio.run(migrations.migrate(postgres.url("funding"), "mmptf_funding"))
        files = write_edition(folder, ROWS)
        copying.import_files(postgres, "funding", files)
        copying.settle(postgres, "funding", folder / "finished")
        progress(f"lists: {ROWS:,} made-up requirements are imported")
        requirements = folder / "requirements.csv"
        service = stack.enter_context(copying.running_service(postgres, "funding"))
        pages = [
            Contender("service", "funding service", service.port, (service.child,), _page_requests(), postgres.child),
            *_raws(stack, postgres),
        ]
        totals = [
            Contender("service", "funding service", service.port, (service.child,), _totals_requests(), postgres.child)
        ]
        missing: dict[str, str] = {}
        for name, started in (
            ("roapi", peers.roapi(stack, "requirements", requirements)),
            ("datasette", _datasette(stack, folder, requirements)),
        ):
            if isinstance(started, str):
                missing[name] = started
                continue
            port, child = started
            if name == "datasette":
                pages.append(Contender(name, "Datasette, its table page", port, (child,), _table_requests()))
                pages.append(replace(_peer(name, port, child, PAGES_SQL), name="datasette_sql"))
            else:
                pages.append(_peer(name, port, child, PAGES_SQL))
            totals.append(_peer(name, port, child, [_totals_sql(*grouped) for grouped in GROUPED]))
        totals = [replace(each, connections=4) for each in totals]
        _check(pages, totals)
        processes.pin_apart([postgres.child, *(child for each in pages for child in each.children)])
        of_pages = measure(pages, scale.rounds, scale.seconds, progress, "pages")
        of_totals = measure(totals, max(3, scale.rounds // 2), scale.seconds, progress, "totals")
    return _outcome(pages, totals, of_pages, of_totals, missing)


def _raws(stack: ExitStack, postgres: Postgres) -> list[Contender]:
    found = []
    for name, label, kept in (
        ("raw", "raw asyncpg", ""),
        ("raw_again", "raw asyncpg once more (A/A)", ""),
        ("raw_kept", "raw asyncpg, without resets", "1"),
    ):
        settings = {"DATABASE_URL": postgres.url("funding"), "KEPT": kept}
        port, child = peers.python(stack, name, ["-m", "bench.raw"], settings)
        found.append(Contender(name, label, port, (child,), _page_requests(), postgres.child))
    return found


def _datasette(stack: ExitStack, folder: Path, requirements: Path) -> tuple[int, Child] | str:
    return peers.datasette(
        stack,
        folder,
        "requirements",
        requirements,
        ["area_code, region_code, code", "status, area_code, region_code, place_code, amount_usd"],
    )


def _page_requests() -> tuple[bytes, ...]:
    return tuple(request(f"{REQUIREMENTS.path}?{urlencode(page)}") for page in PAGES)


def _totals_requests() -> tuple[bytes, ...]:
    return tuple(request(f"{TOTALS}?{_totals_query(*grouped)}") for grouped in GROUPED)


def _totals_query(by: Sequence[str], statuses: Sequence[str]) -> str:
    return urlencode([*(("by", each) for each in by), *(("status", each) for each in statuses)])


def _page_sql(page: dict[str, str]) -> str:
    where = " AND ".join(f"{_COLUMNS[name]} = '{value}'" for name, value in page.items())
    return (
        f"SELECT *, (SELECT count(*) FROM requirements WHERE {where}) AS total FROM requirements WHERE {where}"
        f" ORDER BY code LIMIT {LIMIT}"
    )


PAGES_SQL = [_page_sql(page) for page in PAGES]


def _table_requests() -> tuple[bytes, ...]:
    """Datasette's own page of a table, without the suggestions that it makes for people."""
    shape = {"_size": LIMIT, "_sort": "code", "_shape": "objects", "_nosuggest": 1, "_nofacet": 1}
    return tuple(
        request(f"/rows/requirements.json?{urlencode({_COLUMNS[name]: value for name, value in page.items()} | shape)}")
        for page in PAGES
    )


def _totals_sql(by: Sequence[str], statuses: Sequence[str]) -> str:
    columns = ", ".join(_COLUMNS[each] for each in by)
    named = ", ".join(f"'{each}'" for each in statuses)
    return (
        f"SELECT {columns}, sum(amount_usd) AS total, count(*) AS number FROM requirements WHERE status IN ({named})"
        f" GROUP BY {columns} ORDER BY {columns}"
    )


def _peer(name: str, port: int, child: Child, statements: Sequence[str]) -> Contender:
    if name == "roapi":
        requests = tuple(request("/api/sql", "POST", sql.encode(), accept="application/json") for sql in statements)
        return Contender(name, "ROAPI", port, (child,), requests)
    requests = tuple(
        request(f"/rows.json?{urlencode({'sql': sql, '_shape': 'array'})}", accept="application/json")
        for sql in statements
    )
    return Contender(name, "Datasette, a statement", port, (child,), requests)


def _check(pages: Sequence[Contender], totals: Sequence[Contender]) -> None:
    """Every contender has the same rows and totals; else the run ends."""
    for number in (0, len(PAGES) // 2):
        expected = None
        for each in pages:
            answer = _answer(each, number)
            if isinstance(answer, dict) and "rows" in answer:
                found = ([row["code"] for row in answer["rows"]], answer["filtered_table_rows_count"])
            elif isinstance(answer, dict):
                found = ([item["code"] for item in answer["items"]], answer["total"])
            else:
                found = ([row["code"] for row in answer], answer[0]["total"])
            expected = expected or found
            if found != expected or len(found[0]) != LIMIT:
                raise SystemExit(f"{each.name} has another page than the service: {str(found)[:300]}")
    for number in range(0, len(GROUPED), 5):
        sums = {each.name: round(_sum(_answer(each, number)), 2) for each in totals}
        if len(set(sums.values())) > 1:
            raise SystemExit(f"the totals {GROUPED[number]} differ: {sums}")


def _sum(answer: Any) -> float:
    """What the totals of an answer add up to, in US dollars."""
    if isinstance(answer, list):
        return sum(row.get("total") or 0 for row in answer)
    return sum(float(total["sum"]["amount"]) for total in answer["totals"] if total["sum"])


def _answer(contender: Contender, number: int) -> Any:
    head, _, body = contender.requests[number].partition(b"\r\n\r\n")
    target = head.split(b" ", 2)[1].decode()
    fetched = fetch(contender.port, target, body=body or None, accept="application/json")
    if fetched.status != 200:
        raise SystemExit(f"{contender.name} answers {target} with {fetched.status}: {fetched.body[:500]!r}")
    return json.loads(fetched.body)


def _outcome(
    pages: Sequence[Contender],
    totals: Sequence[Contender],
    of_pages: Rounds,
    of_totals: Rounds,
    missing: dict[str, str],
) -> Outcome:
    figures = [
        Figure.of("list50-cold-cpu-vs-asyncpg", report.ratios(of_pages, "service", "raw", lambda m: m.server)),
    ]
    for prefix, rounds in (("list50", of_pages), ("totals", of_totals)):
        figures += [
            Figure.of(f"{prefix}-cold-rps-vs-{peer}", report.ratios(rounds, "service", peer, lambda m: m.capacity))
            for peer in ("roapi", "datasette")
            if peer not in missing
        ]
    again = report.ratios(of_pages, "raw_again", "raw", lambda m: m.server)[0]
    text = "\n\n".join(
        [
            report.table(
                f"a page of {LIMIT} of {ROWS:,} rows by area and region, with its total", pages, of_pages, "raw"
            ),
            report.table(f"totals of {ROWS:,} rows by two dimensions", totals, of_totals, "service"),
            NOTES.strip(),
        ]
    )
    bars = [
        Bars(
            f"A page of {LIMIT} of {ROWS:,} requirements with its total, never from a cache",
            "requests per second on one core",
            [(each.label, report.spread([one[each.name].capacity for one in of_pages])) for each in pages],
        ),
        Bars(
            f"Totals of {ROWS:,} requirements by two dimensions, never from a cache",
            "requests per second on one core",
            [(each.label, report.spread([one[each.name].capacity for one in of_totals])) for each in totals],
        ),
    ]
    details = {"pages": report.each_round(of_pages), "totals": report.each_round(of_totals), "cores": os.cpu_count()}
    return Outcome("lists", "Pages and totals", text, figures, [again], bars, missing, details)
