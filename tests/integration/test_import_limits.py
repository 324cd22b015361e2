"""Files that would take more than they may are refused, and while they are read everybody else is answered."""

from __future__ import annotations

import asyncio
import errno
import io
import sys
import tempfile
import zipfile
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from mmptf_funding.imports import reading, routes
from mmptf_funding.imports.files import MAX_STYLES
from mmptf_funding.imports.routes import CSV, XLSX
from mmptf_funding.imports.routes import PATH as IMPORTS
from tests.conftest import RunningApp, pool_of
from tests.integration.editions import MADE_UP, REQUIREMENTS, send, workbook_of
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


async def test_a_further_import_waits_and_is_told_when_to_come_again(
    untouched: RunningApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "TURN_SECONDS", 0.1)
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield REQUIREMENTS[:100]
        begun.set()
        await go_on.wait()
        yield REQUIREMENTS[100:]

    headers = {**writing("management-unit"), "content-type": CSV}
    path = f"{IMPORTS}?dry_run=true"
    first = asyncio.create_task(untouched.client.post(path, content=slow(), headers=headers))
    await begun.wait()
    second = await send(untouched, REQUIREMENTS, CSV, dry_run=True)
    assert (second.status_code, second.json()["code"]) == (503, "busy")
    assert second.headers["retry-after"]
    go_on.set()
    assert (await first).status_code == 200
    # A slow upload that is cut off gives its turn back.
    begun.clear()
    go_on.clear()
    cut_off = asyncio.create_task(untouched.client.post(path, content=slow(), headers=headers))
    await begun.wait()
    cut_off.cancel()
    await asyncio.gather(cut_off, return_exceptions=True)
    assert (await send(untouched, REQUIREMENTS, CSV, dry_run=True)).status_code == 200


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
