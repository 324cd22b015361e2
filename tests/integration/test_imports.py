"""What an import writes, over HTTP and by the command: new and amended records, their order, and what stays."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from mmptf_common import cli
from mmptf_common.process.settings import ServiceSettings
from mmptf_common.storage import migrations
from mmptf_common.writes.bodies import XLSX
from mmptf_funding.__main__ import IMPORT
from mmptf_funding.app import SERVICE
from mmptf_funding.imports.template import TABLES, TableName
from mmptf_local.postgres import Postgres
from tests.conftest import RunningApp, asyncio_run, running_app
from tests.integration.editions import (
    EXPORTS,
    MADE_UP,
    NDJSON,
    PACKAGED,
    Edition,
    changed,
    command,
    command_here,
    csv_of,
    exports_of,
    journal_of,
    packaged,
    refusal,
    send,
    state_of,
    term,
    with_amount,
    without_moment,
    workbook_of,
    write_files,
)


@pytest.fixture(scope="module")
def migrated(postgres: Postgres) -> Callable[[], str]:
    """Make an empty database of its own, migrated and not filled; gives its URL."""
    numbers = count(1)
    asyncio_run(migrations.migrate(postgres.create_database("imports"), "mmptf_funding"))
    return lambda: postgres.create_database(f"imports_{next(numbers)}", template="imports")


OF_REGIONS = ("frameworks", "framework-items", "offices", "groups", "acronyms")


@pytest.mark.longer
async def test_a_workbook_over_http_and_csvs_by_the_command_are_the_same_edition(
    migrated: Callable[[], str], tmp_path: Path
) -> None:
    paths = write_files(tmp_path, MADE_UP)
    created = {
        "edition": 1, "vocabulary": 9, "printed-totals": 10, "initiatives": 1, "partners": 2, "figures": 2,
        "frameworks": 2, "framework-items": 3, "offices": 1, "groups": 1, "acronyms": 1, "requirements": 6,
    }  # fmt: skip
    url = migrated()
    async with running_app("funding", url, None) as one, running_app("funding", migrated(), None) as other:
        empty = await state_of(one)
        # A dry run says what the import will say, and writes nothing.
        dry = (await send(one, workbook_of(MADE_UP), XLSX, dry_run=True)).json()
        dry_command = await command_here(other.database_url, *paths, "--dry-run")
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
            "document": 1, "edition": 1, "term": 9, "printed_total": 10, "initiative": 1, "partner": 2,
            "figure": 2,
            "framework": 2, "framework_item": 3, "regional_office": 1, "regional_group": 1, "acronym": 1,
            "requirement": 6,
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
            "partners": (0, 0), "figures": (0, 0), **dict.fromkeys(OF_REGIONS, (0, 0)), "requirements": (0, 1),
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
    for table in set(edition) - {"edition", "vocabulary"}:
        for row in edition[table]:
            row["source_document"] = "mptf-europe-brochure-2024"
    (error,) = await refusal(untouched, workbook_of(edition), XLSX)
    assert (error["code"], error["pointer"]) == ("does_not_match", "/edition/2/document")


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
    imported = await command_here(url, *(tmp_path / f"{table}.csv" for table in reversed(TABLES)))
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
        stored = {"requirement", "edition", "term", "printed_total", "initiative", "partner", "framework", "figure"}
        assert not stored & set(seeded)
        for table, path in EXPORTS.items():
            assert (await service.client.get(path.format("MI-2015"))).content == exported[table], table


async def test_seeding_again_does_not_overwrite_an_operators_change(
    new_database: Callable[[str], str], tmp_path: Path
) -> None:
    url = new_database("funding")
    code = "MI-2015-AFG-border"
    edition = with_amount(packaged(), code, "0.01")
    imported = await command_here(url, *write_files(tmp_path, edition))
    assert imported.code == 0, imported.err
    assert "requirements: 760 rows, 0 new, 1 changed, 759 as they were" in imported.out
    revision = len(await journal_of(url))
    asyncio_run(cli.seed(SERVICE, ServiceSettings(database_url=SecretStr(url))))
    assert len(await journal_of(url)) == revision
    async with running_app("funding", url, None) as service:
        row = (await service.client.get(f"/funding/v1/requirements/{code}")).json()
        assert row["sum"]["amount"] == "16000000.01"
        # The template says nothing of the contacts of a document.
        documents = (await service.client.get("/funding/v1/documents")).json()["items"]
        (document,) = (each for each in documents if each["code"] == "migration-initiatives-2015")
        assert (len(document["contacts"]), len(document["gaps"])) == (5, 7)


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
    assert finished.err.endswith("funding: import failed: 3 errors; nothing was written.\n")
