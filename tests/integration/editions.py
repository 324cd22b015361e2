"""Editions for tests of imports: the packaged one and a made-up one, as files, and what is stored of them."""

from __future__ import annotations

import asyncio
import csv
import io
import os
import re
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, redirect_stderr, redirect_stdout
from copy import deepcopy
from dataclasses import dataclass
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any, BinaryIO

import asyncpg
import httpx
import openpyxl
import pytest

from mmptf_common import cli
from mmptf_common.wire.problems import InvalidRequest
from mmptf_common.wire.raw_rows import UnreadableFile
from mmptf_common.wire.tables import errors_of
from mmptf_common.writes.bodies import CSV
from mmptf_common.writes.table_files import Tables, csv_table, open_workbook
from mmptf_funding.__main__ import IMPORT
from mmptf_funding.app import SERVICE
from mmptf_funding.imports import template
from mmptf_funding.imports.routes import PATH as IMPORTS
from mmptf_funding.imports.template import TABLES, TEMPLATE, TableName
from tests.conftest import RunningApp
from tests.tokens import writing

Rows = list[dict[str, str]]
Edition = dict[TableName, Rows]

PACKAGED = files("mmptf_funding") / "data" / "MI-2015"
EXPORTS: dict[TableName, str] = {
    "edition": "/funding/v1/editions?format=csv",
    "vocabulary": "/funding/v1/editions/{}/vocabulary?format=csv",
    "requirements": "/funding/v1/requirements?format=csv",
    "printed-totals": "/funding/v1/editions/{}/printed-totals?format=csv",
    "initiatives": "/funding/v1/initiatives?format=csv",
    "partners": "/funding/v1/editions/{}/partners?format=csv",
    "figures": "/funding/v1/editions/{}/figures?format=csv",
    "frameworks": "/funding/v1/editions/{}/frameworks?format=csv",
    "framework-items": "/funding/v1/editions/{}/framework-items?format=csv",
    "offices": "/funding/v1/editions/{}/offices?format=csv",
    "groups": "/funding/v1/editions/{}/groups?format=csv",
    "acronyms": "/funding/v1/editions/{}/acronyms?format=csv",
}
NDJSON = "/funding/v1/requirements?format=ndjson"


def requirement(place: str, area: str, line: int, **cells: str) -> dict[str, str]:
    return {
        "code": f"ME-2016-{place}-{area}",
        "edition": "ME-2016",
        "region_code": {"KEN": "east", "UGA": "east", "RP-west": "west"}[place],
        "place_code": place,
        "place": {"KEN": "Kenya", "UGA": "Uganda", "RP-west": "Regional Programmes"}[place],
        "area_code": area,
        "status": "required",
        "target_populations": "migrants",
        "source_document": "made-up-2016",
        "source_line": str(line),
        **cells,
    }


def term(kind: str, code: str, name: str, **cells: str) -> dict[str, str]:
    return {"edition": "ME-2016", "kind": kind, "code": code, "name": name, **cells}


def total(division: str, value: str, printed: str, as_printed: str, **cells: str) -> dict[str, str]:
    return {
        "edition": "ME-2016",
        "division": division,
        "value": value,
        "unit": "USD",
        "printed": printed,
        "as_printed": as_printed,
        "source_document": "made-up-2016",
        **cells,
    }


def framework_item(framework: str, number: str, **cells: str) -> dict[str, str]:
    return {
        "code": f"ME-2016-framework-{framework}.{number}",
        "edition": "ME-2016",
        "framework": f"ME-2016-framework-{framework}",
        "number": number,
        "source_document": "made-up-2016",
        "source_line": "42",
        **cells,
    }


# An edition that never was, with everything an edition has: two regions, three places, two areas, every status.
MADE_UP: Edition = {
    "edition": [
        {
            "code": "ME-2016",
            "name": "A made-up edition",
            "year": "2016",
            "document": "made-up-2016",
            "currency": "USD",
            "note": "Nobody published it, “ever”.",
            "annotations": "Amounts are in dollars: of one kind.:3-4|Names are made up.:5|It has no line.",
        }
    ],
    "vocabulary": [
        term("region", "east", "The East", covers="KEN|UGA|RWA"),
        term("region", "west", "The West", as_printed="West|The west"),
        term("area", "health", "Migration Health"),
        term("area", "border", "Immigration and Border Management"),
        term("target_population", "migrants", "Migrants and vulnerable populations"),
        term("target_population", "students", "Students"),
        term("place", "KEN", "Kenya", region_code="east", country_code="KEN"),
        term("place", "UGA", "Uganda", region_code="east", country_code="UGA", footnote="A footnote, with a comma."),
        term("place", "RP-west", "Regional Programmes", region_code="west"),
    ],
    "requirements": [
        requirement("KEN", "health", 11, amount_usd="1000000.50", target_populations="migrants|students"),
        requirement("KEN", "border", 12, amount_usd="500000.00", country_code="KEN", note='He said "five".'),
        requirement("UGA", "health", 13, status="funded", amount_as_printed="Funded", target_populations=""),
        requirement("UGA", "border", 14, amount_usd="0.10", confidence="low", heading_line="9", place_line="8"),
        requirement("RP-west", "health", 15, amount_usd="2000000.00", place_as_printed="REGIONAL"),
        requirement("RP-west", "border", 16, status="missing_in_source", implied_amount_usd="750000.00"),
    ],
    "printed-totals": [
        total("place", "KEN", "1500000.50", "1,500,000.5", source_line="20"),
        total("place", "UGA", "0.10", "0.1"),
        total("place", "RP-west", "2750000.00", "2,750,000"),
        total("area", "health", "1000000.50", "1,000,000.5", region_code="east"),
        total("area", "health", "66.7", "66.7%", region_code="east", unit="per_cent"),
        total("area", "health", "3000000.50", "3,000,000.5"),
        total("area", "border", "1250000.10", "1,250,000.1"),
        total("region", "east", "1500000.60", "1,500,000.6"),
        total("region", "west", "2750000.00", "2,750,000", source_line="22", repeated_line="21"),
        total("edition", "ME-2016", "4250000.60", "4,250,000.6"),
    ],
    "initiatives": [
        {
            "code": "ME-2016-fund-1",
            "edition": "ME-2016",
            "kind": "fund",
            "section": "Funds",
            "name": "A fund",
            "amount": "300000.00",
            "currency": "EUR",
            "precision": "rounded",
            "source_document": "made-up-2016",
            "area_code": "health",
            "area_line": "28",
            "countries": "KEN:29|XKX",
            "partners": "A partner: the first:29|Another",
            "footnote": "A footnote.",
        }
    ],
    "partners": [
        {
            "code": "ME-2016-partner-1",
            "edition": "ME-2016",
            "as_printed": "Kenya, Republic of",
            "name": "Kenya",
            "kind": "state",
            "kind_as_printed": "Republic",
            "country_code": "KEN",
            "source_document": "made-up-2016",
            "source_line": "30",
            "source_last_line": "31",
        },
        {
            "code": "ME-2016-partner-2",
            "edition": "ME-2016",
            "as_printed": "Somebody, “else”",
            "name": "Somebody",
            "kind": "other",
            "source_document": "made-up-2016",
        },
    ],
    "figures": [
        {
            "code": "ME-2016-figure-1",
            "edition": "ME-2016",
            "region_code": "east",
            "countries": "KEN|UGA",
            "place": "Lake Victoria",
            "measure": "remittances_share_of_gdp",
            "subject": "Money sent home, “by the lake”",
            "value": "46.50",
            "value_to": "47.25",
            "unit": "per_cent",
            "qualifier": "more_than",
            "year_from": "2013",
            "year_to": "2014",
            "as_printed": "over 46.50 to 47.25 per cent",
            "stated_source": "Somebody, 2015",
            "stated_source_line": "45",
            "footnote": "A footnote.",
            "source_document": "made-up-2016",
            "source_line": "40",
            "source_last_line": "41",
        },
        {
            "code": "ME-2016-figure-2",
            "edition": "ME-2016",
            "measure": "budget",
            "subject": "Budget of one area",
            "unit": "money",
            "currency": "CHF",
            "stage": "budget",
            "area_code": "health",
            "scope": "global",
            "as_printed": "-",
            "note": "A dash.",
            "reading_note": "Read in a table.",
            "source_document": "made-up-2016",
        },
    ],
    "frameworks": [
        {
            "code": "ME-2016-framework-east",
            "edition": "ME-2016",
            "region_code": "east",
            "kind": "results_matrix",
            "title": "The strategy of the East",
            "title_as_printed": "STRATEGY 2016-2018",
            "period_from": "2016",
            "period_to": "2018",
            "period_as_printed": "2016-2018",
            "period_line": "40",
            "source_document": "made-up-2016",
            "source_line": "40",
        },
        {
            "code": "ME-2016-framework-all",
            "edition": "ME-2016",
            "kind": "agenda",
            "title": "Points, “everywhere”",
            "title_as_printed": "Points",
            "source_document": "made-up-2016",
        },
    ],
    "framework-items": [
        framework_item("east", "1", level="outcome", level_as_printed="Outcome", title="Health", source_line="41"),
        framework_item("east", "1.1", level="output", parent="1", text="More doctors", source_last_line="43"),
        framework_item("all", "a", level="point", text="A point, with a comma", note="A note."),
    ],
    "offices": [
        {
            "code": "ME-2016-office-east",
            "edition": "ME-2016",
            "region_code": "east",
            "name": "Office of the East",
            "seat": "Nairobi",
            "country_code": "KEN",
            "founded": "1998",
            "covers": "KEN:50|UGA",
            "covers_as_printed": "two countries",
            "member_states": "KEN:50",
            "offices": "0",
            "staff": "12",
            "role": "It helps.",
            "source_document": "made-up-2016",
            "source_line": "50",
            "source_last_line": "52",
        }
    ],
    "groups": [
        {
            "code": "ME-2016-group-1",
            "edition": "ME-2016",
            "kind": "consultative_process",
            "name": "A process",
            "abbreviation": "AP",
            "members": "KEN:60|UGA:61",
            "observers": "XKX",
            "members_stated": "2",
            "footnote": "A footnote.",
            "source_document": "made-up-2016",
            "source_line": "60",
        }
    ],
    "acronyms": [
        {
            "code": "ME-2016-acronym-AP",
            "edition": "ME-2016",
            "region_code": "west",
            "acronym": "AP",
            "expansion": "A Process, “of States”",
            "source_document": "made-up-2016",
            "source_line": "70",
        }
    ],
}


def packaged() -> Edition:
    """The edition of the package as rows."""
    return {name: list(csv.DictReader(io.StringIO((PACKAGED / f"{name}.csv").read_text("utf-8")))) for name in TABLES}


def csv_of(table: TableName, rows: Rows) -> bytes:
    file = io.StringIO()
    writer = csv.DictWriter(file, template.TEMPLATE.columns(table), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue().encode()


def workbook_of(edition: Mapping[TableName, Rows]) -> bytes:
    """The tables as sheets, with numbers where a person would type numbers."""
    book = openpyxl.Workbook(write_only=True)
    for table, rows in edition.items():
        sheet = book.create_sheet(table)
        sheet.append(template.TEMPLATE.columns(table))
        for row in rows:
            sheet.append([_typed(name, row.get(name, "")) for name in template.TEMPLATE.columns(table)])
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def _typed(column: str, text: str) -> str | int | float | None:
    if column in ("amount_usd", "implied_amount_usd", "printed", "amount") and text:
        return float(text)
    if (column == "year" or column.endswith("_line")) and text:
        return int(text)
    return text or None


def with_amount(edition: Edition, code: str, more: str) -> Edition:
    """The edition with an amount raised, and all totals that it is a part of."""
    changed = deepcopy(edition)
    (row,) = (row for row in changed["requirements"] if row["code"] == code)
    row["amount_usd"] = str(Decimal(row["amount_usd"]) + Decimal(more))
    within = {name: row[f"{name}_code"] for name in ("region", "place", "area")} | {"edition": row["edition"]}
    for printed in changed["printed-totals"]:
        behind = within[printed["division"]] == printed["value"]
        if behind and printed.get("region_code", "") in ("", row["region_code"]) and printed["unit"] == "USD":
            printed["printed"] = str(Decimal(printed["printed"]) + Decimal(more))
    return changed


def without_moment(ndjson: str) -> list[str]:
    return [re.sub(r',"updated":"[^"]*"\}$', "}", line) for line in ndjson.splitlines()]


@dataclass(frozen=True)
class State:
    """Everything that an import may change: rows by table, the last change, the exports."""

    rows: dict[str, int]
    seq: int
    exports: dict[str, bytes]


Versions = dict[str, tuple[int, int]]


async def state_of(service: RunningApp) -> State:
    rows = {name: number for name, (number, _) in (await versions_of(service)).items()}
    connection = await asyncpg.connect(service.database_url)
    try:
        seq = await connection.fetchval("SELECT coalesce(max(seq), 0) FROM change")
    finally:
        await connection.close()
    return State(rows, seq, await exports_of(service))


async def versions_of(service: RunningApp) -> Versions:
    """Of each table its rows, and the newest transaction that wrote one of them: whoever writes anything changes these.

    No temporary table may be there.
    """
    connection = await asyncpg.connect(service.database_url)
    try:
        names = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        newest = "SELECT '{0}', count(*), coalesce(max(xmin::text::bigint), 0) FROM {0}"
        rows = await connection.fetch(" UNION ALL ".join(newest.format(name) for (name,) in names))
        temporary = await connection.fetchval("SELECT count(*) FROM pg_class WHERE relpersistence = 't'")
    finally:
        await connection.close()
    assert temporary == 0
    return {name: (number, transaction) for name, number, transaction in rows}


async def exports_of(service: RunningApp) -> dict[str, bytes]:
    """The tables of all editions as CSV, and the requirements with their moments."""
    editions = [item["code"] for item in (await service.client.get("/funding/v1/editions")).json()["items"]]
    paths = dict.fromkeys(path.format(edition) for edition in editions for path in EXPORTS.values())
    found = {}
    for path in (*paths, NDJSON):
        answer = await service.client.get(path)
        assert answer.status_code == 200
        found[path] = answer.content
    return found


async def send(service: RunningApp, body: Any, media: str = CSV, *, dry_run: bool = False) -> httpx.Response:
    query = "?dry_run=true" if dry_run else ""
    headers = {**writing("management-unit"), "content-type": media}
    return await service.client.post(f"{IMPORTS}{query}", content=body, headers=headers)


async def refusal(service: RunningApp, body: bytes, media: str = CSV) -> list[dict[str, Any]]:
    """The errors of an import, the same of a dry run and of the import itself."""
    answer = await send(service, body, media)
    problem = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    dry = (await send(service, body, media, dry_run=True)).json()
    assert (dry["code"], dry["errors"]) == (problem["code"], problem["errors"])
    assert problem["errors"]
    errors: list[dict[str, Any]] = problem["errors"]
    return errors


@dataclass(frozen=True)
class Finished:
    code: int
    out: str
    err: str


async def command(url: str, *arguments: str | Path) -> Finished:
    """Run the service's command as a process."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "mmptf_funding", "import", *map(str, arguments),
        env={**os.environ, "DATABASE_URL": url}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    assert process.returncode is not None
    return Finished(process.returncode, out.decode(), err.decode())


async def command_here(url: str, *arguments: str | Path) -> Finished:
    """The same in this process, which takes less time."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setenv("DATABASE_URL", url)
        sent = ["import", *map(str, arguments)]
        code = await asyncio.to_thread(cli.main, SERVICE, sent, own={"import": IMPORT})
    return Finished(code, out.getvalue(), err.getvalue())


def write_files(folder: Path, edition: Mapping[TableName, Rows]) -> list[Path]:
    paths = []
    for table, rows in edition.items():
        paths.append(folder / f"{table}.csv")
        paths[-1].write_bytes(csv_of(table, rows))
    return paths


def changed(table: TableName, row: int, **cells: str) -> Edition:
    """The made-up edition with other cells in one row, which is numbered from 0."""
    edition = deepcopy(MADE_UP)
    edition[table][row] |= cells
    return edition


def more(table: TableName, *rows: dict[str, str]) -> Edition:
    edition = deepcopy(MADE_UP)
    edition[table] += rows
    return edition


REQUIREMENTS = csv_of("requirements", MADE_UP["requirements"])


async def pieces(number: int, taken: list[int]) -> AsyncIterator[bytes]:
    for n in range(number):
        taken.append(n)
        yield b"x" * 1_048_576


async def journal_of(url: str, after: int = 0) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(url)
    try:
        found: list[asyncpg.Record] = await connection.fetch(
            "SELECT seq, entity, key, action, actor, request_id, before, after::jsonb - 'updated' AS after"
            " FROM change JOIN revision ON seq BETWEEN first AND number WHERE seq > $1 ORDER BY seq",
            after,
        )
        return found
    finally:
        await connection.close()


@asynccontextmanager
async def read_here(file: BinaryIO, *, workbook: bool, **_: object) -> AsyncIterator[Tables]:
    """The tables of a file, read in this process."""
    file.seek(0)
    try:
        if workbook:
            with open_workbook(TEMPLATE.of_workbook(), file) as tables:
                yield tables
        else:
            yield {"requirements": csv_table(TEMPLATE.table("requirements"), "requirements", file)}
    except UnreadableFile as error:
        raise InvalidRequest(errors_of(error.errors)) from error
