"""Imports of editions, over HTTP and by the command: all of a file or nothing of it, and every fault named."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import re
import sys
import zipfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from decimal import Decimal
from importlib.resources import files
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import openpyxl
import pytest
from asgi_lifespan import LifespanManager
from pydantic import SecretStr

from mmptf_common import cli
from mmptf_common.process.settings import ServiceSettings
from mmptf_common.storage import migrations
from mmptf_funding.__main__ import IMPORT
from mmptf_funding.app import SERVICE, create_app
from mmptf_funding.imports import template
from mmptf_funding.imports.routes import CSV, MAX_BODY, XLSX
from mmptf_funding.imports.routes import PATH as IMPORTS
from mmptf_funding.imports.template import TABLES, TableName
from mmptf_local.postgres import Postgres
from tests.conftest import RunningApp, asyncio_run, running_app
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
        }
    ],
    "vocabulary": [
        term("region", "east", "The East"),
        term("region", "west", "The West", as_printed="West|The west"),
        term("area", "health", "Health"),
        term("area", "border", "Border Management"),
        term("target_population", "migrants", "Migrants"),
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
        total("region", "west", "2750000.00", "2,750,000"),
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
        }
    ],
}


def packaged() -> Edition:
    """The edition of the package as rows."""
    return {name: list(csv.DictReader(io.StringIO((PACKAGED / f"{name}.csv").read_text("utf-8")))) for name in TABLES}


def csv_of(table: TableName, rows: Rows) -> bytes:
    file = io.StringIO()
    writer = csv.DictWriter(file, template.columns(table), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue().encode()


def workbook_of(edition: Mapping[TableName, Rows]) -> bytes:
    """The tables as sheets, with numbers where a person would type numbers."""
    book = openpyxl.Workbook(write_only=True)
    for table, rows in edition.items():
        sheet = book.create_sheet(table)
        sheet.append(template.columns(table))
        for row in rows:
            sheet.append([_typed(name, row.get(name, "")) for name in template.columns(table)])
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
    """All that an import may change: rows by table, the journal's end, what is exported."""

    rows: dict[str, int]
    seq: int
    exports: dict[str, bytes]


async def state_of(service: RunningApp) -> State:
    connection = await asyncpg.connect(service.database_url)
    try:
        names = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        rows = {name: await connection.fetchval(f"SELECT count(*) FROM {name}") for (name,) in names}
        seq = await connection.fetchval("SELECT coalesce(max(seq), 0) FROM change")
        temporary = await connection.fetchval("SELECT count(*) FROM pg_class WHERE relpersistence = 't'")
    finally:
        await connection.close()
    assert temporary == 0
    return State(rows, seq, await exports_of(service))


async def exports_of(service: RunningApp) -> dict[str, bytes]:
    """The five tables of all editions as CSV, and the requirements with their moments."""
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
    """The faults of an import that must be refused, by a dry run as by the import itself."""
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


def write_files(folder: Path, edition: Mapping[TableName, Rows]) -> list[Path]:
    paths = []
    for table, rows in edition.items():
        paths.append(folder / f"{table}.csv")
        paths[-1].write_bytes(csv_of(table, rows))
    return paths


@pytest.fixture(scope="module")
def migrated(postgres: Postgres) -> Callable[[], str]:
    """Make an empty database of its own, migrated and not filled; gives its URL."""
    numbers = count(1)
    asyncio_run(migrations.migrate(postgres.create_database("imports"), "mmptf_funding"))
    return lambda: postgres.create_database(f"imports_{next(numbers)}", template="imports")


@pytest.fixture(scope="module")
async def two_editions(new_database: Callable[[str], str]) -> AsyncIterator[RunningApp]:
    """The packaged edition and the made-up one; tests that share it change nothing."""
    async with running_app("funding", new_database("funding"), None) as service:
        answer = await send(service, workbook_of(MADE_UP), XLSX)
        assert answer.status_code == 200, answer.text
        yield service


@pytest.fixture(scope="module")
async def beginning(two_editions: RunningApp) -> State:
    return await state_of(two_editions)


@pytest.fixture
async def untouched(two_editions: RunningApp, beginning: State) -> AsyncIterator[RunningApp]:
    """The same, and nothing of it may have changed when the test is over."""
    yield two_editions
    assert await state_of(two_editions) == beginning


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


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        ({"region_code": "eats"}, [("unknown_code", "region_code", "east"), ("other_region", "place_code", None)]),
        ({"place_code": "KEM", "place": ""}, [("unknown_code", "place_code", "KEN")]),
        ({"area_code": "healht"}, [("unknown_code", "area_code", "health")]),
        ({"target_populations": "migrants|student"}, [("unknown_code", "target_populations", "students")]),
        ({"region": "The East Side"}, [("other_name", "region", None)]),
        ({"place": "KENYA"}, [("other_name", "place", None)]),
        ({"area": "Migration Health"}, [("other_name", "area", None)]),
        ({"region_code": "west"}, [("other_region", "place_code", None)]),
        ({"country_code": "UGA"}, [("other_country", "country_code", None)]),
        ({"source_document": "made-up-2061"}, [("unknown_code", "source_document", "made-up-2016")]),
        ({"amount_usd": "-1000000.50"}, [("invalid_value", "amount_usd", None)]),
        ({"amount_usd": "1000000.505"}, [("invalid_value", "amount_usd", None)]),
        ({"amount_usd": "1,000,000.50"}, [("invalid_value", "amount_usd", None)]),
        ({"amount_usd": "1.000.000"}, [("invalid_value", "amount_usd", None)]),
        ({"amount_usd": ""}, [("empty_cell", "amount_usd", None)]),
        ({"status": "funded"}, [("not_applicable", "amount_usd", None)]),
        ({"status": "missing_in_source"}, [("not_applicable", "amount_usd", None)]),
        ({"implied_amount_usd": "1.00"}, [("not_applicable", "implied_amount_usd", None)]),
        ({"code": "ME-2016-KEN-border"}, [("repeated_row", "code", None)]),
        ({"source_line": "13"}, [("repeated_row", "source_line", None)]),
        ({"source_line": ""}, [("empty_cell", "source_line", None)]),
        ({"edition": "MI-2015"}, [("other_edition", "edition", None)]),
        ({"code": "MI-2015-AFG-assistance"}, [("code_of_other_edition", "code", None)]),
        ({"note": "a\x00b"}, [("invalid_value", "note", None)]),
    ],
)
async def test_a_wrong_row_is_refused(
    untouched: RunningApp, cells: dict[str, str], found: list[tuple[str, str, str | None]]
) -> None:
    # The last row, for of two rows that are the same the later one is told.
    errors = await refusal(
        untouched, csv_of("requirements", [*MADE_UP["requirements"][1:], MADE_UP["requirements"][0] | cells])
    )
    assert [(e["code"], e["pointer"], e["suggestion"]) for e in errors] == [
        (code, f"/requirements/7/{column}", meant) for code, column, meant in found
    ]
    for error in errors:
        assert error["suggestion"] is None or f"did you mean {error['suggestion']}?" in error["detail"]


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        (b"", "missing_column", "/requirements/1/code"),
        (template.header("requirements").encode(), "nothing_to_import", None),
        (REQUIREMENTS.replace(b"status", b"statu", 1), "unknown_column", "/requirements/1/statu"),
        (REQUIREMENTS.replace(b",area,", b",area_code,", 1), "repeated_column", "/requirements/1/area_code"),
        (REQUIREMENTS.replace(b",12,", b",12", 1), "wrong_number_of_cells", "/requirements/3/target_populations_line"),
        (REQUIREMENTS.replace(b"Kenya", b"Ken\xffya", 1), "not_utf8", None),
        (REQUIREMENTS.decode().encode("utf-16"), "not_utf8", None),
        (REQUIREMENTS.replace(b"Kenya", b'"Kenya', 1), "not_csv", None),
        (REQUIREMENTS.replace(b"Kenya", b"K" * 3_000_000, 1), "line_too_long", None),
        (REQUIREMENTS.replace(b"Kenya", b"K" * 900_000, 1), "not_csv", None),
        (REQUIREMENTS.replace(b"ME-2016,", b"ME-2061,"), "unknown_code", "/requirements/2/edition"),
        (REQUIREMENTS.replace(b"ME-2016,", b","), "nothing_to_import", None),
        (b"\x00" * 1000, "unknown_column", "/requirements/1/" + "\x00" * 64),
        (b"PK\x03\x04\x14\x00\x00\x00\x08\x00\xff", "not_utf8", None),
    ],
)
async def test_a_wrong_file_is_refused(untouched: RunningApp, body: bytes, code: str, pointer: str | None) -> None:
    errors = await refusal(untouched, body)
    assert (errors[0]["code"], errors[0]["pointer"]) == (code, pointer)
    assert all("Traceback" not in error["detail"] and len(error["detail"]) < 1000 for error in errors)
    if code == "unknown_code":
        assert errors[0]["suggestion"] == "ME-2016"


async def test_rows_that_are_left_out_are_named(untouched: RunningApp) -> None:
    errors = await refusal(untouched, csv_of("requirements", MADE_UP["requirements"][2:]))
    assert [(e["code"], e["pointer"]) for e in errors] == [
        ("row_is_left_out", "/requirements/ME-2016-KEN-border"),
        ("row_is_left_out", "/requirements/ME-2016-KEN-health"),
    ]


async def test_a_row_that_is_wrong_is_not_taken_for_one_that_is_left_out(untouched: RunningApp) -> None:
    rows = changed("requirements", 1, amount_usd="-1")["requirements"]
    (error,) = await refusal(untouched, csv_of("requirements", rows))
    assert error["pointer"] == "/requirements/3/amount_usd"
    unreadable = csv_of("requirements", rows).replace(b"ME-2016-KEN-health,", b"", 1)
    assert [e["pointer"] for e in await refusal(untouched, unreadable)] == [
        "/requirements/2/target_populations_line",
        "/requirements/3/amount_usd",
    ]


@pytest.mark.parametrize(
    ("edition", "found"),
    [
        (
            {**MADE_UP, "edition": [*MADE_UP["edition"], {**MADE_UP["edition"][0], "code": "ME-2017"}]},
            [("one_row", "/edition/3/code")],
        ),
        (changed("edition", 0, year="1815"), [("invalid_value", "/edition/2/year")]),
        (changed("edition", 0, currency="EUR"), [("unknown_code", "/edition/2/currency")]),
        (changed("vocabulary", 6, region_code="eats"), [("unknown_code", "/vocabulary/8/region_code")]),
        (changed("vocabulary", 8, region_code=""), [("unknown_code", "/vocabulary/10/region_code")]),
        (changed("vocabulary", 0, edition="MI-2015"), [("other_edition", "/vocabulary/2/edition")]),
        (changed("vocabulary", 3, kind="aera"), [("unknown_code", "/vocabulary/5/kind")]),
        (more("vocabulary", MADE_UP["vocabulary"][2]), [("repeated_row", "/vocabulary/11/code")]),
        (changed("printed-totals", 0, value="KEM"), [("unknown_code", "/printed-totals/2/value")]),
        (changed("printed-totals", 3, region_code="esat"), [("unknown_code", "/printed-totals/5/region_code")]),
        (changed("printed-totals", 9, value="ME-2015"), [("unknown_code", "/printed-totals/11/value")]),
        (changed("printed-totals", 7, region_code="east"), [("not_applicable", "/printed-totals/9/region_code")]),
        (changed("printed-totals", 4, printed=""), [("empty_cell", "/printed-totals/6/printed")]),
        (changed("printed-totals", 4, printed="1234.5"), [("invalid_value", "/printed-totals/6/printed")]),
        (changed("printed-totals", 0, code="ME-2016.place.UGA"), [("other_code", "/printed-totals/2/code")]),
        (
            changed("printed-totals", 0, source_document="other"),
            [("unknown_code", "/printed-totals/2/source_document")],
        ),
        (more("printed-totals", MADE_UP["printed-totals"][1]), [("repeated_row", "/printed-totals/12/code")]),
        (changed("initiatives", 0, currency=""), [("empty_cell", "/initiatives/2/currency")]),
        (changed("initiatives", 0, edition="MI-2015"), [("other_edition", "/initiatives/2/edition")]),
        (changed("initiatives", 0, code="MI-2015-co-funding-01"), [("code_of_other_edition", "/initiatives/2/code")]),
        (more("initiatives", MADE_UP["initiatives"][0]), [("repeated_row", "/initiatives/3/code")]),
    ],
)
async def test_a_wrong_row_of_the_other_tables_is_refused(
    untouched: RunningApp, edition: Edition, found: list[tuple[str, str]]
) -> None:
    errors = await refusal(untouched, workbook_of(edition), XLSX)
    # What is wrong with the vocabulary makes the rows wrong that name it.
    errors = [e for e in errors if e["code"] != "other_region"]
    assert [(e["code"], e["pointer"]) for e in errors] == found


async def test_codes_that_make_too_long_a_code_are_refused(untouched: RunningApp) -> None:
    long = "x" * 50
    edition = more("vocabulary", term("region", long, "Long"))
    edition["printed-totals"].append(total("area", "health", "", "funded", region_code=long))
    errors = await refusal(untouched, workbook_of(edition), XLSX)
    assert [(e["code"], e["pointer"]) for e in errors] == [("invalid_value", "/printed-totals/12/value")]


async def test_a_share_of_nothing_is_a_difference(untouched: RunningApp) -> None:
    edition = more("vocabulary", term("region", "north", "The North"))
    share = total("area", "health", "5", "5%", region_code="north", unit="per_cent")
    edition["printed-totals"].append(share)
    errors = await refusal(untouched, workbook_of(edition), XLSX)
    assert [(e["code"], e["pointer"]) for e in errors] == [
        ("total_does_not_match", "/printed-totals/ME-2016.area.north.health.share")
    ]


async def test_a_new_edition_needs_its_vocabulary(untouched: RunningApp) -> None:
    text = workbook_of({"edition": MADE_UP["edition"], "requirements": MADE_UP["requirements"]})
    new = {
        "edition": [{**MADE_UP["edition"][0], "code": "ME-2017"}],
        "requirements": [{**row, "edition": "ME-2017"} for row in MADE_UP["requirements"]],
    }
    errors = await refusal(untouched, workbook_of(new), XLSX)  # type: ignore[arg-type]
    assert {e["pointer"].rpartition("/")[2] for e in errors if e["code"] == "unknown_code"} == {
        "region_code", "place_code", "area_code", "target_populations",
    }  # fmt: skip
    # What is stored of a known edition need not be said again.
    answer = await send(untouched, text, XLSX, dry_run=True)
    assert answer.json()["tables"]["requirements"] == {"rows": 6, "created": 0, "amended": 0, "unchanged": 6}


async def test_a_total_that_does_not_match_is_refused_unless_a_note_explains_it(untouched: RunningApp) -> None:
    edition = changed("printed-totals", 0, printed="1500000.49", as_printed="1,500,000.49")
    errors = await refusal(untouched, workbook_of(edition), XLSX)
    assert [(e["code"], e["pointer"]) for e in errors] == [
        ("total_does_not_match", "/printed-totals/ME-2016.place.KEN")
    ]
    assert "1,500,000.49" in errors[0]["detail"] and "1500000.50" in errors[0]["detail"]
    edition["printed-totals"][0]["note"] = "A misprint of one cent."
    answer = (await send(untouched, workbook_of(edition), XLSX, dry_run=True)).json()
    (figure,) = (f for f in answer["explained"] if f["printed"] == "ME-2016.place.KEN")
    assert (figure["difference"], figure["explanations"][0]["detail"]) == ("-0.01", "A misprint of one cent.")
    assert answer["agreement"]["different"] == 0
    # The rows that are not what they were do not add up to the totals that are stored either.
    rows = changed("requirements", 0, amount_usd="1000000.51")["requirements"]
    errors = await refusal(untouched, csv_of("requirements", rows))
    assert {e["pointer"].rpartition("/")[2] for e in errors} == {
        "ME-2016.place.KEN", "ME-2016.area.east.health", "ME-2016.area.health", "ME-2016.region.east",
        "ME-2016.edition.ME-2016",
    }  # fmt: skip


async def test_all_errors_of_a_file_are_named_at_once(untouched: RunningApp) -> None:
    rows = packaged()["requirements"]
    expected = []
    for number, row in enumerate(rows, start=2):
        if number % 2:
            row["area_code"] = "nothing"
            expected.append(("unknown_code", f"/requirements/{number}/area_code"))
        if number % 3 == 0:
            row["source_line"] = "-1"
            expected.append(("invalid_value", f"/requirements/{number}/source_line"))
            if number % 2:
                # A cell that is wrong by itself comes before what is wrong with the row.
                expected.pop(-2)
    errors = await refusal(untouched, csv_of("requirements", rows))
    assert [(e["code"], e["pointer"]) for e in errors] == expected
    assert len(expected) > 500


async def test_of_very_many_errors_the_first_are_listed_and_all_counted(untouched: RunningApp) -> None:
    row = MADE_UP["requirements"][0]
    rows = [{**row, "code": f"ME-2016-{n}", "source_line": str(n), "place_code": "KEM"} for n in range(1, 5001)]
    answer = (await send(untouched, csv_of("requirements", rows))).json()
    assert answer["detail"] == "5000 faults, of which the first 1000 are listed; nothing was written."
    assert [e["pointer"] for e in answer["errors"]] == [f"/requirements/{n}/place_code" for n in range(2, 1002)]
    # So are the faults that show only when all rows are there.
    same = [{**row, "code": f"ME-2016-{n}"} for n in range(1, 5001)]
    answer = (await send(untouched, csv_of("requirements", same))).json()
    assert answer["detail"] == "4999 faults, of which the first 1000 are listed; nothing was written."
    assert [e["pointer"] for e in answer["errors"]] == [f"/requirements/{n}/source_line" for n in range(3, 1003)]


async def pieces(number: int, taken: list[int]) -> AsyncIterator[bytes]:
    for n in range(number):
        taken.append(n)
        yield b"x" * 1_048_576


async def test_a_body_that_is_too_large_is_not_read(untouched: RunningApp) -> None:
    taken: list[int] = []
    headers = {"content-type": CSV, "content-length": str(200 * 1_048_576)}
    answer = await untouched.client.post(IMPORTS, content=pieces(200, taken), headers=headers)
    assert (answer.status_code, answer.json()["code"], taken) == (413, "payload_too_large", [])
    answer = await send(untouched, pieces(200, taken))
    assert (answer.status_code, answer.json()["code"]) == (413, "payload_too_large")
    assert len(taken) == MAX_BODY // 1_048_576 + 1
    # Elsewhere no body may be that large.
    answer = await untouched.client.post("/funding/v1/editions", content=b"x" * 2_000_000)
    assert answer.status_code == 413


@pytest.mark.parametrize(
    "media", ["text/plain", "application/json", "multipart/form-data; boundary=x", "text/csvx", ""]
)
async def test_another_media_type_is_refused(untouched: RunningApp, media: str) -> None:
    answer = await send(untouched, REQUIREMENTS, media)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


async def test_a_media_type_with_parameters_is_the_same(untouched: RunningApp) -> None:
    answer = await send(untouched, REQUIREMENTS, "Text/CSV; charset=utf-8", dry_run=True)
    assert (answer.status_code, answer.json()["revision"]) == (200, None)


@pytest.mark.parametrize(
    ("who", "status", "code"),
    [
        (None, 401, "token_missing"),
        ("reviewer", 403, "insufficient_scope"),
        ("agency", 403, "forbidden"),
        ("agent", 403, "forbidden"),
    ],
)
async def test_only_the_management_unit_imports(untouched: RunningApp, who: str | None, status: int, code: str) -> None:
    headers = {**(writing(who) if who else {}), "content-type": CSV}
    taken: list[int] = []
    for query in ("", "?dry_run=true"):
        answer = await untouched.client.post(f"{IMPORTS}{query}", content=pieces(3, taken), headers=headers)
        assert (answer.status_code, answer.json()["code"], taken) == (status, code, [])
    assert (await untouched.client.get(f"{IMPORTS}/template")).status_code == 200


async def test_without_an_identity_provider_nobody_imports_over_http(untouched: RunningApp) -> None:
    settings = ServiceSettings(database_url=SecretStr(untouched.database_url), environment="production")
    async with LifespanManager(create_app(settings)) as manager:
        transport = httpx.ASGITransport(app=manager.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            taken: list[int] = []
            for query in ("", "?dry_run=true"):
                headers = {**writing("management-unit"), "content-type": CSV}
                answer = await client.post(f"{IMPORTS}{query}", content=pieces(3, taken), headers=headers)
                assert (answer.status_code, answer.json()["code"], taken) == (403, "forbidden", [])
            assert (await client.get(f"{IMPORTS}/template")).status_code == 200


def bad_workbooks() -> dict[str, tuple[bytes, str]]:
    """Name -> workbook, and the code of its fault; every one of them is small."""
    sheet = "xl/worksheets/sheet3.xml"
    whole = workbook_of(MADE_UP)

    def other(part: str, content: bytes) -> bytes:
        file = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(whole)) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
            for name in old.namelist():
                new.writestr(name, old.read(name) + content if part == name else old.read(name))
        return file.getvalue()

    bomb = other(sheet, b" " * (80 * 1_048_576))
    stated = (80 * 1_048_576 + zipfile.ZipFile(io.BytesIO(whole)).getinfo(sheet).file_size).to_bytes(4, "little")
    types = other("[Content_Types].xml", b" " * (80 * 1_048_576))
    inside = zipfile.ZipFile(io.BytesIO(types)).getinfo("[Content_Types].xml").file_size.to_bytes(4, "little")
    entities = b'<!DOCTYPE x [<!ENTITY a "' + b"ha" * 500 + b'">' + b"".join(
        b'<!ENTITY %c "%s">' % (name, b"&%c;" % (name - 1) * 30) for name in b"bcdefgh"
    ) + b"]>"  # fmt: skip
    laughing = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(whole)) as old, zipfile.ZipFile(laughing, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == sheet:
                # In place of the first text, which every reader of the sheet comes to.
                content = entities + content.replace(b"<t>code</t>", b"<t>&h;</t>", 1)
            new.writestr(name, content)
    book = openpyxl.Workbook()
    book.create_sheet("requirments")
    unknown = io.BytesIO()
    book.save(unknown)
    return {
        "no archive": (b"ME-2016", "not_a_workbook"),
        "csv": (REQUIREMENTS, "not_a_workbook"),
        "cut off": (whole[: len(whole) // 2], "not_a_workbook"),
        "bomb": (bomb, "file_too_large"),
        "bomb that says it is none": (bomb.replace(stated, (2000).to_bytes(4, "little")), "not_a_workbook"),
        "bomb in a part read as a whole": (types.replace(inside, (99).to_bytes(4, "little")), "not_a_workbook"),
        "entities": (laughing.getvalue(), "not_a_workbook"),
        "unknown sheet": (unknown.getvalue(), "unknown_sheet"),
    }


async def test_a_bad_workbook_is_refused_without_being_unpacked(untouched: RunningApp, tmp_path: Path) -> None:
    paths = []
    for name, (content, code) in bad_workbooks().items():
        errors = await refusal(untouched, content, XLSX)
        assert [e["code"] for e in errors][:1] == [code], name
        paths.append(tmp_path / f"{name}.xlsx")
        paths[-1].write_bytes(content)
        assert len(content) < 1_000_000
    # The command as a process, once for each file; its memory is what the kernel says it was at most.
    script = """if True:
        import sys
        from mmptf_common import cli
        from mmptf_funding.__main__ import IMPORT, SERVICE

        def most():
            return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])

        found = [cli.main(SERVICE, ["import", file, "--dry-run"], own={"import": IMPORT}) for file in sys.argv[1:2]]
        before = most()
        found += [cli.main(SERVICE, ["import", file], own={"import": IMPORT}) for file in sys.argv[2:]]
        print(*found, most() - before)
    """
    good = tmp_path / "good.xlsx"
    good.write_bytes(workbook_of(MADE_UP))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, good, *paths,
        env={**os.environ, "DATABASE_URL": untouched.database_url}, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = (stream.decode() for stream in await process.communicate())
    assert "Traceback" not in err, err
    *codes, growth = map(int, out.splitlines()[-1].split())
    assert codes == [0, *[1] * len(paths)]
    assert growth < 20_000


@pytest.mark.parametrize("number", ["=1+1", True, "#REF!", 12345678901234567, 0.00001, "1,000"])
async def test_a_cell_that_is_no_amount_is_refused(untouched: RunningApp, number: object) -> None:
    book = openpyxl.load_workbook(io.BytesIO(workbook_of(MADE_UP)))
    column = template.columns("requirements").index("amount_usd") + 1
    book["requirements"].cell(2, column).value = number  # type: ignore[assignment]
    file = io.BytesIO()
    book.save(file)
    errors = await refusal(untouched, file.getvalue(), XLSX)
    assert [e["pointer"] for e in errors] == ["/requirements/2/amount_usd"]


async def test_the_template_has_the_columns_of_the_exports(funding: httpx.AsyncClient) -> None:
    answer = await funding.get(f"{IMPORTS}/template?format=xlsx")
    assert answer.headers["content-type"] == XLSX
    assert "edition.xlsx" in answer.headers["content-disposition"]
    book = openpyxl.load_workbook(io.BytesIO(answer.content))
    assert book.sheetnames == ["guide", *TABLES]
    for table in TABLES:
        header = (await funding.get(EXPORTS[table].format("MI-2015"))).text.partition("\n")[0] + "\n"
        assert [cell.value for cell in book[table][1]] == header.removesuffix("\n").split(",")
        answer = await funding.get(f"{IMPORTS}/template?format=csv&table={table}")
        assert (answer.text, answer.headers["content-type"].partition(";")[0]) == (header, CSV)
        assert f"{table}.csv" in answer.headers["content-disposition"]


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


async def test_a_workbook_over_http_and_csvs_by_the_command_are_the_same_edition(
    migrated: Callable[[], str], tmp_path: Path
) -> None:
    paths = write_files(tmp_path, MADE_UP)
    created = {
        "edition": 1, "vocabulary": 9, "printed-totals": 10, "initiatives": 1, "requirements": 6,
    }  # fmt: skip
    url = migrated()
    async with running_app("funding", url, None) as one, running_app("funding", migrated(), None) as other:
        empty = await state_of(one)
        # A dry run says what the import will say, and writes nothing.
        dry = (await send(one, workbook_of(MADE_UP), XLSX, dry_run=True)).json()
        dry_command = await command(other.database_url, *paths, "--dry-run")
        assert (dry_command.code, "Traceback" in dry_command.err) == (0, False)
        assert await state_of(one) == empty == await state_of(other)
        answer = await send(one, workbook_of(MADE_UP), XLSX)
        report = answer.json()
        assert report == {**dry, "dry_run": False, "revision": report["revision"]}
        assert {name: table["created"] for name, table in report["tables"].items()} == created
        assert report["agreement"] == {"equal": 6, "explained": 4, "different": 0}
        imported = await command(other.database_url, *paths)
        assert imported.code == 0
        assert imported.out.splitlines()[:-1] == dry_command.out.splitlines()[:-1]
        assert dry_command.out.splitlines()[-1] == "ME-2016: dry run, nothing was written"
        assert imported.out.splitlines()[-1] == f"ME-2016: written, revision {report['revision']}"
        # The same rows, the same journal; only the moments and the authors differ.
        exports, others = await exports_of(one), await exports_of(other)
        lines = [without_moment(found.pop(NDJSON).decode()) for found in (exports, others)]
        assert exports == others and lines[0] == lines[1]
        assert [json.loads(line)["sum"] for line in lines[0]][3:] == [
            {"amount": "2000000.00", "currency": "USD"}, {"amount": "0.10", "currency": "USD"}, None,
        ]  # fmt: skip
        entries, those = await journal_of(url), await journal_of(other.database_url)
        assert [tuple(entry)[:4] for entry in entries] == [tuple(entry)[:4] for entry in those]
        assert [entry["after"] for entry in entries] == [entry["after"] for entry in those]
        assert {(e["actor"], e["request_id"]) for e in entries} == {
            ("management-unit", answer.headers["x-request-id"])
        }  # fmt: skip
        assert {(e["actor"], e["request_id"]) for e in those} == {("import", None)}
        # One entry for each row, numbered without gaps.
        assert [entry["seq"] for entry in entries] == list(range(1, report["revision"] + 1))
        assert Counter(entry["entity"] for entry in entries) == {
            "document": 1, "edition": 1, "term": 9, "printed_total": 10, "initiative": 1, "requirement": 6,
        }  # fmt: skip
        assert {entry["action"] for entry in entries} == {"create"}
        # What is there already is not written again, however it comes.
        before = await state_of(one)
        again = (await send(one, workbook_of(MADE_UP), XLSX)).json()
        assert {name: table["unchanged"] for name, table in again["tables"].items()} == created
        assert again["revision"] == report["revision"]
        # All that is kept of it is its answer, for those who send it once more.
        assert await state_of(one) == replace(before, rows={**before.rows, "idempotency_key": 2})


async def test_one_amount_amends_one_requirement(migrated: Callable[[], str]) -> None:
    async with running_app("funding", migrated(), None) as service:
        first = (await send(service, workbook_of(MADE_UP), XLSX)).json()["revision"]
        before = (await service.client.get(NDJSON)).text.splitlines()
        answer = await send(service, workbook_of(with_amount(MADE_UP, "ME-2016-KEN-border", "0.25")), XLSX)
        report = answer.json()
        assert {name: (t["created"], t["amended"]) for name, t in report["tables"].items()} == {
            "edition": (0, 0), "vocabulary": (0, 0), "printed-totals": (0, 4), "initiatives": (0, 0),
            "requirements": (0, 1),
        }  # fmt: skip
        entries = await journal_of(service.database_url, after=first)
        assert [entry["seq"] for entry in entries] == list(range(first + 1, report["revision"] + 1))
        assert [entry["entity"] for entry in entries] == ["printed_total"] * 4 + ["requirement"]
        assert {entry["action"] for entry in entries} == {"amend"}
        old, new = json.loads(entries[-1]["before"]), json.loads(entries[-1]["after"])
        assert (entries[-1]["key"], old["sum"]["amount"], new["sum"]["amount"]) == (
            "ME-2016-KEN-border", "500000.00", "500000.25",
        )  # fmt: skip
        assert {name for name in old if old[name] != new.get(name)} == {"sum", "updated"}
        after = (await service.client.get(NDJSON)).text.splitlines()
        differing = [json.loads(new) for old, new in zip(before, after, strict=True) if old != new]
        assert [row["code"] for row in differing] == ["ME-2016-KEN-border"]
        assert differing[0]["updated"] > json.loads(before[0])["updated"]
        since = {"updated_since": differing[0]["updated"]}
        assert (await service.client.get("/funding/v1/requirements", params=since)).json()["total"] == 1


async def test_one_import_may_create_and_amend(migrated: Callable[[], str]) -> None:
    """Each row is one entry, what was amended is past, and what was exported before is exported as of then."""
    edition = with_amount(MADE_UP, "ME-2016-KEN-border", "0.25")
    funded = MADE_UP["requirements"][2]
    partial = {**MADE_UP, "requirements": [row for row in MADE_UP["requirements"] if row is not funded]}
    async with running_app("funding", migrated(), None) as service:
        first = (await send(service, workbook_of(partial), XLSX)).json()
        exports = await exports_of(service)
        assert "Funded" not in exports[NDJSON].decode()
        report = (await send(service, workbook_of(edition), XLSX)).json()
        written = report["tables"]["requirements"]
        assert (written["created"], written["amended"], written["unchanged"]) == (1, 1, 4)
        entries = await journal_of(service.database_url, after=first["revision"])
        assert [entry["seq"] for entry in entries] == list(range(first["revision"] + 1, report["revision"] + 1))
        assert sorted((e["action"], e["key"]) for e in entries if e["entity"] == "requirement") == [
            ("amend", "ME-2016-KEN-border"),
            ("create", "ME-2016-UGA-health"),
        ]
        history = (await service.client.get("/funding/v1/requirements/ME-2016-KEN-border/history")).json()["items"]
        assert [(e["action"], e["revision"], e["reason"]) for e in history] == [
            ("create", first["revision"], "import of an edition"),
            ("amend", report["revision"], "import of an edition"),
        ]
        assert (history[1]["changed"], history[1]["before"]) == (["sum"], history[0]["after"])
        assert await exports_of(service) != exports
        for path, export in exports.items():
            then = await service.client.get(path, params={**httpx.URL(path).params, "as_of": first["revision"]})
            assert then.content == export


async def test_terms_that_published_rows_show_change_with_the_rows_only(untouched: RunningApp) -> None:
    edition = changed("vocabulary", 6, name="Republic of Kenya")
    alone: Edition = {"edition": edition["edition"], "vocabulary": edition["vocabulary"]}
    (error,) = await refusal(untouched, workbook_of(alone), XLSX)
    assert (error["code"], error["pointer"]) == ("requirements_expected", "/vocabulary/8/code")
    for row in edition["requirements"]:
        row["place"] = ""
    answer = await send(untouched, workbook_of(edition), XLSX, dry_run=True)
    tables = answer.json()["tables"]
    assert (tables["vocabulary"]["amended"], tables["requirements"]["amended"]) == (1, 2)
    # What no row shows may change by itself.
    alone["vocabulary"] = changed("vocabulary", 6, note="A remark.")["vocabulary"]
    answer = await send(untouched, workbook_of(alone), XLSX, dry_run=True)
    assert answer.json()["tables"]["vocabulary"]["amended"] == 1


async def test_an_edition_does_not_take_over_the_document_of_others(untouched: RunningApp) -> None:
    edition = changed("edition", 0, document="mptf-europe-brochure-2024")
    for row in (*edition["requirements"], *edition["printed-totals"], *edition["initiatives"]):
        row["source_document"] = "mptf-europe-brochure-2024"
    (error,) = await refusal(untouched, workbook_of(edition), XLSX)
    assert (error["code"], error["pointer"]) == ("other_document", "/edition/2/document")


async def test_the_order_of_a_table_is_that_of_its_last_import(migrated: Callable[[], str]) -> None:
    async with running_app("funding", migrated(), None) as service:
        assert (await send(service, workbook_of(MADE_UP), XLSX)).status_code == 200
        edition = changed("vocabulary", 3, note="A remark.")
        edition["vocabulary"].insert(0, term("region", "north", "The North"))
        edition["vocabulary"].append(edition["vocabulary"].pop(1))
        edition["printed-totals"].reverse()
        assert (await send(service, workbook_of(edition), XLSX)).status_code == 200
        orders: tuple[tuple[TableName, str], ...] = (("vocabulary", "code"), ("printed-totals", "value"))
        for table, name in orders:
            text = (await service.client.get(EXPORTS[table].format("ME-2016"))).text
            shown = [row[name] for row in csv.DictReader(io.StringIO(text))]
            assert shown == [row[name] for row in edition[table]], table


async def test_two_imports_at_once_take_turns(migrated: Callable[[], str]) -> None:
    async with running_app("funding", migrated(), None) as service:
        answers: Sequence[httpx.Response] = await asyncio.gather(
            *(send(service, workbook_of(MADE_UP), XLSX) for _ in range(2))
        )
        made = sorted(answer.json()["tables"]["requirements"]["created"] for answer in answers)
        assert made == [0, 6]
        entries = await journal_of(service.database_url)
        assert [entry["seq"] for entry in entries] == list(range(1, len(entries) + 1))
        assert len({answer.json()["revision"] for answer in answers}) == 1


async def test_what_a_service_exports_another_imports(
    funding: httpx.AsyncClient, migrated: Callable[[], str], tmp_path: Path
) -> None:
    exported = {table: (await funding.get(path.format("MI-2015"))).content for table, path in EXPORTS.items()}
    for table, content in exported.items():
        assert content == (PACKAGED / f"{table}.csv").read_bytes(), table
        (tmp_path / f"{table}.csv").write_bytes(content)
    url = migrated()
    imported = await command(url, *(tmp_path / f"{table}.csv" for table in reversed(TABLES)))
    assert imported.code == 0, imported.err
    assert "requirements: 760 rows, 760 new, 0 changed, 0 as they were" in imported.out
    async with running_app("funding", url, None) as service:
        for table, path in EXPORTS.items():
            assert (await service.client.get(path.format("MI-2015"))).content == exported[table], table
        lines = without_moment((await service.client.get(NDJSON)).text)
        assert lines == without_moment((await funding.get(NDJSON)).text)
        assert len(lines) == 760
        # The package brings nothing that is not there, and what an operator imported is the operator's.
        revision = (await service.client.get("/funding/v1/editions")).json()["revision"]
        asyncio_run(cli.seed(SERVICE, ServiceSettings(database_url=SecretStr(url))))
        seeded = Counter(entry["entity"] for entry in await journal_of(url, after=revision))
        assert not {"requirement", "edition", "term", "printed_total", "initiative"} & set(seeded)
        for table, path in EXPORTS.items():
            assert (await service.client.get(path.format("MI-2015"))).content == exported[table], table


async def test_seeding_again_keeps_what_an_operator_changed(new_database: Callable[[str], str], tmp_path: Path) -> None:
    url = new_database("funding")
    code = "MI-2015-AFG-border"
    edition = with_amount(packaged(), code, "0.01")
    imported = await command(url, *write_files(tmp_path, edition))
    assert imported.code == 0, imported.err
    assert "requirements: 760 rows, 0 new, 1 changed, 759 as they were" in imported.out
    revision = len(await journal_of(url))
    asyncio_run(cli.seed(SERVICE, ServiceSettings(database_url=SecretStr(url))))
    assert len(await journal_of(url)) == revision
    async with running_app("funding", url, None) as service:
        row = (await service.client.get(f"/funding/v1/requirements/{code}")).json()
        assert row["sum"]["amount"] == "16000000.01"


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["requirement.csv"], "requirements.csv"),
        (["edition.txt"], "an .xlsx workbook or one of"),
        (["edition.csv", "more/edition.csv"], "in an earlier file already"),
        (["nothing-there/edition.csv"], "No such file"),
        (["requirements.csv"], "row 3, column amount_usd"),
    ],
)
async def test_the_command_says_in_words_what_is_wrong(
    untouched: RunningApp,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    names: list[str],
    said: str,
) -> None:
    monkeypatch.setenv("DATABASE_URL", untouched.database_url)
    (tmp_path / "more").mkdir()
    wrong = csv_of("requirements", changed("requirements", 1, amount_usd="-1")["requirements"])
    for name in names:
        if not name.startswith("nothing-there"):
            (tmp_path / name).write_bytes(wrong if "requirement" in name else csv_of("edition", MADE_UP["edition"]))
    arguments = ["import", *(str(tmp_path / name) for name in names)]
    code = await asyncio.to_thread(cli.main, SERVICE, arguments, own={"import": IMPORT})
    written = capsys.readouterr()
    assert (code, written.out) == (1, "")
    *before, last = written.err.splitlines()
    assert any(said in line for line in (*before, last))
    assert last.startswith("funding: import failed: ") and "Traceback" not in written.err


async def test_the_command_ends_with_code_1_when_nothing_was_written(untouched: RunningApp, tmp_path: Path) -> None:
    wrong = [changed("requirements", 1, amount_usd="-1", status="asked"), changed("edition", 0, year="15")]
    paths = write_files(tmp_path, {"requirements": wrong[0]["requirements"], "edition": wrong[1]["edition"]})
    finished = await command(untouched.database_url, *paths)
    assert (finished.code, finished.out) == (1, "")
    assert [line.partition(": ")[0] for line in finished.err.splitlines()][-4:] == [
        "edition, row 2, column year",
        "requirements, row 3, column amount_usd",
        "requirements, row 3, column status",
        "funding",
    ]
    assert finished.err.endswith("funding: import failed: 3 faults; nothing was written.\n")
