"""Files that would take more than they may are refused, and while they are read everybody else is answered."""

from __future__ import annotations

import asyncio
import errno
import io
import os
import sys
import tempfile
import zipfile
from collections.abc import AsyncIterator, Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from mmptf_common.storage.engines import driver_connection
from mmptf_common.storage.journal import Author, begin_write
from mmptf_common.storage.writing import writing as transaction
from mmptf_common.wire.problems import InvalidRequest
from mmptf_common.wire.raw_rows import RawRow
from mmptf_common.writes import bodies, reading
from mmptf_common.writes.bodies import CSV, XLSX
from mmptf_common.writes.table_files import MAX_ATTRIBUTES, MAX_STYLES, Tables
from mmptf_funding.imports import routes
from mmptf_funding.imports.commands import check_edition, write_edition
from mmptf_funding.imports.reading import MAX_OTHERS, MAX_REQUIREMENTS, tables_of
from mmptf_funding.imports.routes import PATH as IMPORTS
from tests.conftest import RunningApp, pool_of
from tests.integration.editions import (
    MADE_UP,
    REQUIREMENTS,
    Edition,
    csv_of,
    more,
    refusal,
    requirement,
    send,
    workbook_of,
)
from tests.tokens import writing

# The part of a workbook with the requirements, and the text of a cell in it.
SHEET = "xl/worksheets/sheet3.xml"
STRAY = b'<row r="1048576"><c r="XFD1048576" t="inlineStr"><is><t>x</t></is></c></row>'


def with_part(name: str, change: Callable[[bytes], bytes]) -> bytes:
    """The workbook of the made-up edition with another part."""
    file = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(workbook_of(MADE_UP))) as old,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for part in old.namelist():
            new.writestr(part, change(old.read(part)) if part == name else old.read(part))
    return file.getvalue()


def before(end: bytes, added: bytes) -> Callable[[bytes], bytes]:
    return lambda xml: xml.replace(end, added + end, 1)


# What is sent -> the words of the answer.
ATTACKS: dict[str, tuple[Callable[[], bytes], str]] = {
    "a stray cell": (lambda: with_part(SHEET, before(b"</sheetData>", STRAY)), "XFD1048576|1048576"),
    "many styles": (lambda: with_part("xl/styles.xml", before(b"</cellXfs>", b"<xf/>" * 250_000)), str(MAX_STYLES)),
    "a million rows": (
        lambda: with_part(SHEET, before(b"</sheetData>", b"".join(b'<row r="%d"/>' % n for n in range(9, 10**6, 9)))),
        "100000 rows",
    ),
    "a bomb": (lambda: with_part(SHEET, lambda xml: xml + b" " * 80_000_000), "unpacks to more"),
    "deep XML": (lambda: with_part(SHEET, before(b"</sheetData>", b"<x>" * 100_000)), "within one another"),
    "entities": (
        lambda: with_part(SHEET, lambda xml: b'<!DOCTYPE x SYSTEM "file:///etc/passwd">' + xml),
        "document type",
    ),
    "a long attribute": (
        lambda: with_part(SHEET, lambda xml: xml.replace(b'<row r="2"', b'<row r="2" x="' + b"y" * 4_000_000 + b'"')),
        str(MAX_ATTRIBUTES),
    ),
    "a long comment": (
        lambda: with_part(SHEET, before(b"</sheetData>", b"<!--" + b"y" * 4_000_000 + b"-->")),
        str(MAX_ATTRIBUTES),
    ),
    "an attribute without an end": (
        lambda: with_part(SHEET, lambda xml: xml.partition(b"<row")[0] + b'<row r="' + b"y" * 12_000_000),
        "cut off",
    ),
    "a sheet that is not there": (
        lambda: with_part("xl/_rels/workbook.xml.rels", lambda xml: xml.replace(b"sheet3.xml", b"sheet33.xml")),
        "named and not in the file",
    ),
    "no zip": (lambda: b"no zip at all", "no zip archive"),
    "cut off": (lambda: workbook_of(MADE_UP)[:3000], "broken"),
}


@pytest.mark.parametrize("name", ATTACKS)
async def test_a_harmful_workbook_is_refused_and_nobody_waits(untouched: RunningApp, name: str) -> None:
    made, said = ATTACKS[name]
    body = made()
    pauses: list[float] = []
    done = asyncio.Event()

    async def tick() -> None:
        loop = asyncio.get_running_loop()
        while not done.is_set():
            began = loop.time()
            await asyncio.sleep(0.005)
            pauses.append(loop.time() - began - 0.005)

    ticking = asyncio.create_task(tick())
    # What it takes to start a process, and to receive the body.
    answer = await send(untouched, body, XLSX)
    done.set()
    await ticking
    assert (answer.status_code, len(answer.json()["errors"])) == (422, 1), answer.text
    assert any(words in answer.json()["detail"] for words in said.split("|")), answer.text
    # The median: other processes of the machine stop this one now and then.
    assert sorted(pauses)[len(pauses) // 2] < 0.05


async def test_what_takes_too_much_of_a_processor_or_of_memory_is_refused(
    untouched: RunningApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Any] = []
    start = asyncio.create_subprocess_exec

    async def endless(*_: object, **how: Any) -> Any:
        script = "import resource; resource.setrlimit(resource.RLIMIT_CPU, (1, 1))\nwhile True: pass"
        started.append(await start(sys.executable, "-c", script, **how))
        return started[-1]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", endless)
    answer = await send(untouched, workbook_of(MADE_UP), XLSX)
    assert (answer.status_code, answer.json()["code"]) == (422, "file_too_large"), answer.text
    assert str(reading.MAX_CPU_SECONDS) in answer.json()["detail"]
    assert [process.returncode is not None for process in started] == [True]


@dataclass
class SlowUpload:
    """An import of which the first bytes are sent, and the others when `go_on` is set."""

    sending: asyncio.Task[httpx.Response]
    go_on: asyncio.Event


async def slow_upload(service: RunningApp) -> SlowUpload:
    """A dry run whose body has begun to arrive."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def pieces() -> AsyncIterator[bytes]:
        yield REQUIREMENTS[:100]
        begun.set()
        await go_on.wait()
        yield REQUIREMENTS[100:]

    headers = {**writing("management-unit"), "content-type": CSV}
    post = service.client.post(f"{IMPORTS}?dry_run=true", content=pieces(), headers=headers)
    upload = SlowUpload(asyncio.create_task(post), go_on)
    await begun.wait()
    return upload


def is_busy(answer: httpx.Response, said: str) -> bool:
    assert (answer.status_code, answer.json()["code"]) == (503, "busy"), answer.text
    assert answer.headers["retry-after"] == str(bodies.TURN_SECONDS)
    return said in answer.json()["detail"]


async def test_a_slow_upload_delays_no_other_import(untouched: RunningApp) -> None:
    slow = await slow_upload(untouched)
    assert (await send(untouched, REQUIREMENTS, CSV, dry_run=True)).status_code == 200
    assert not slow.sending.done()
    slow.go_on.set()
    assert (await slow.sending).status_code == 200


async def test_a_further_upload_waits_and_is_told_when_to_come_again(
    untouched: RunningApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "TURN_SECONDS", 0.1)
    slow = [await slow_upload(untouched) for _ in range(bodies.BODIES_AT_ONCE)]
    further = await send(untouched, REQUIREMENTS, CSV, dry_run=True)
    assert is_busy(further, f"{bodies.BODIES_AT_ONCE} files at once")
    # One that is cut off gives its place back.
    slow[0].sending.cancel()
    await asyncio.gather(slow[0].sending, return_exceptions=True)
    monkeypatch.setattr(bodies, "TURN_SECONDS", 10)
    assert (await send(untouched, REQUIREMENTS, CSV, dry_run=True)).status_code == 200
    for upload in slow[1:]:
        upload.go_on.set()
    assert {(await upload.sending).status_code for upload in slow[1:]} == {200}


async def test_uploads_have_room_together(untouched: RunningApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "MAX_SPOOLED", len(REQUIREMENTS) + 50)
    slow = await slow_upload(untouched)
    further = await send(untouched, REQUIREMENTS, CSV, dry_run=True)
    assert is_busy(further, f"{len(REQUIREMENTS) + 50} bytes")
    slow.go_on.set()
    assert (await slow.sending).status_code == 200
    assert (await send(untouched, REQUIREMENTS, CSV, dry_run=True)).status_code == 200


async def test_an_upload_that_takes_too_long_is_ended(untouched: RunningApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.2)
    slow = await slow_upload(untouched)
    answer = await slow.sending
    assert (answer.status_code, answer.json()["code"]) == (408, "request_timeout"), answer.text
    assert "0.2 s" in answer.json()["detail"]
    monkeypatch.setattr(bodies, "BODY_SECONDS", 60)
    assert (await send(untouched, REQUIREMENTS, CSV, dry_run=True)).status_code == 200


async def test_a_further_import_waits_for_its_turn(untouched: RunningApp, monkeypatch: pytest.MonkeyPatch) -> None:
    reading_now, go_on = asyncio.Event(), asyncio.Event()
    check = routes.check_edition

    async def waiting(*arguments: Any) -> Any:
        reading_now.set()
        await go_on.wait()
        return await check(*arguments)

    monkeypatch.setattr(routes, "check_edition", waiting)
    first = asyncio.create_task(send(untouched, REQUIREMENTS, CSV, dry_run=True))
    await reading_now.wait()
    monkeypatch.setattr(bodies, "TURN_SECONDS", 0.1)
    assert is_busy(await send(untouched, REQUIREMENTS, CSV, dry_run=True), f"{bodies.IMPORTS_AT_ONCE} file at once")
    monkeypatch.setattr(bodies, "TURN_SECONDS", 10)
    second = asyncio.create_task(send(untouched, REQUIREMENTS, CSV, dry_run=True))
    await asyncio.sleep(0)
    go_on.set()
    assert [answer.status_code for answer in await asyncio.gather(first, second)] == [200, 200]


async def test_what_is_overtaken_is_checked_again_without_the_lock(
    untouched: RunningApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = [True, False]
    checks: list[bool] = []
    check = routes.check_edition

    async def looking(session: Any, tables: Any) -> Any:
        async with pool_of(untouched.app.state.database).acquire() as connection:
            checks.append(await connection.fetchval("SELECT pg_try_advisory_xact_lock(469987521638)"))
        return await check(session, tables)

    async def overtaken(*_: object) -> bool:
        return others.pop(0) if len(others) > 1 else others[0]

    monkeypatch.setattr(routes, "check_edition", looking)
    monkeypatch.setattr(routes, "changed_since", overtaken)
    assert (await send(untouched, REQUIREMENTS, CSV, dry_run=True)).status_code == 200
    assert checks == [True, True]
    others[:] = [True]
    assert is_busy(await send(untouched, REQUIREMENTS, CSV, dry_run=True), "Other imports have changed the same data")
    assert checks == [True] * (2 + routes.ATTEMPTS)


async def test_more_rows_than_are_imported_over_http_are_refused(untouched: RunningApp) -> None:
    rows = [{"code": f"ME-2016-more-{n}", "edition": "ME-2016"} for n in range(MAX_OTHERS + 1)]
    (error,) = await refusal(untouched, workbook_of({"initiatives": rows}), XLSX)
    assert error["code"] == "file_too_large"
    assert f"initiatives: at most {MAX_OTHERS:,} rows" in error["detail"]


@pytest.mark.parametrize("beyond", [0, 1])
async def test_as_many_requirements_are_read_as_the_limit_says(tmp_path: Path, beyond: int) -> None:
    path = tmp_path / "requirements.csv"
    path.write_bytes(csv_of("requirements", MADE_UP["requirements"][:1] * (MAX_REQUIREMENTS + beyond)))
    read = 0
    ends = pytest.raises(InvalidRequest, match="at most 10,000 rows") if beyond else nullcontext()
    with path.open("rb") as file, ends:
        async with tables_of(file, workbook=False, gone=nobody_has_gone) as tables:
            async for _ in cast("AsyncIterator[RawRow]", tables["requirements"]):
                read += 1
    assert read == MAX_REQUIREMENTS


async def nobody_has_gone() -> bool:
    return False


def many(note: str) -> Edition:
    """The made-up edition with two thousand requirements more that have this note."""
    return more(
        "requirements",
        *(
            requirement("UGA", "health", n, status="funded", note=note) | {"code": f"ME-2016-more-{n}"}
            for n in range(1_000, 3_000)
        ),
    )


def filled(row: dict[str, str]) -> dict[str, str]:
    return {name: cell for name, cell in row.items() if cell}


def processor_seconds(pid: int) -> float:
    """What a process of this machine has used so far."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


async def test_amending_many_rows_takes_about_what_creating_them_takes(untouched: RunningApp) -> None:
    """Also on a connection that has planned the triggers for an import of which nothing was written."""
    statements: list[str] = []
    taken: dict[str, float] = {}
    async with transaction(untouched.app.state.database) as session:
        write = await begin_write(session, Author(actor="test"))
        driver = await driver_connection(session)
        with driver.query_logger(lambda record: statements.append(record.query)):
            for what, note, changes in (
                ("created", "one", {"create": 2_000, "amend": 0}),
                ("left", "one", {"create": 0, "amend": 0}),
                ("amended", "two", {"create": 0, "amend": 2_000}),
            ):
                rows = many(note)["requirements"]
                tables: Tables = {"requirements": [RawRow(n, filled(row)) for n, row in enumerate(rows, 2)]}
                checked = await check_edition(session, tables)
                statements.clear()
                began = processor_seconds(driver.get_server_pid())
                report = (await write_edition(write, checked)).tables["requirements"]
                taken[what] = processor_seconds(driver.get_server_pid()) - began
                assert {"create": report.created, "amend": report.amended} == changes
                # However many rows there are.
                assert len(statements) < 30, statements
        await session.rollback()
    assert taken["amended"] < 6 * max(taken["created"], 0.05), taken


async def test_a_cancelled_request_ends_its_process(untouched: RunningApp, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Any] = []
    start = asyncio.create_subprocess_exec

    async def waiting(*_: object, **how: Any) -> Any:
        started.append(await start("sleep", "600", **how))
        return started[-1]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", waiting)
    sending = asyncio.create_task(send(untouched, workbook_of(MADE_UP), XLSX))
    async with asyncio.timeout(20):
        while not started:  # noqa: ASYNC110  # nothing else says so
            await asyncio.sleep(0.01)
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    async with asyncio.timeout(20):
        assert await started[0].wait() == -9


async def test_a_full_folder_of_temporary_files_is_told(untouched: RunningApp, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.BytesIO):
        def write(self, _: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", Full)
    answer = await send(untouched, REQUIREMENTS)
    assert (answer.status_code, answer.json()["code"]) == (507, "storage_full"), answer.text
    assert "space" in answer.json()["detail"] and "database" not in answer.json()["detail"]


async def test_other_writes_go_on_while_a_file_is_read(untouched: RunningApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock of all writers is free until everything is checked."""
    free: list[bool] = []
    check = routes.check_edition

    async def looking(session: Any, tables: Any) -> Any:
        checked = await check(session, tables)
        async with pool_of(untouched.app.state.database).acquire() as connection:
            free.append(await connection.fetchval("SELECT pg_try_advisory_xact_lock(469987521638)"))
        return checked

    monkeypatch.setattr(routes, "check_edition", looking)
    assert (await send(untouched, REQUIREMENTS, CSV, dry_run=True)).status_code == 200
    assert free == [True]
