"""Import requests: size and media type of the body, who may import, harmful workbooks, and the template."""

from __future__ import annotations

import asyncio
import io
import logging
import os
import sys
import zipfile
from pathlib import Path
from typing import Any

import httpx
import openpyxl
import pytest
from asgi_lifespan import LifespanManager
from pydantic import SecretStr
from starlette.types import Message

from mmptf_common.writes.bodies import CSV, MAX_BODY, XLSX
from mmptf_funding.app import create_app
from mmptf_funding.imports import routes, template
from mmptf_funding.imports.routes import PATH as IMPORTS
from mmptf_funding.imports.template import TABLES
from mmptf_funding.settings import FundingSettings
from tests.conftest import RunningApp
from tests.integration.editions import EXPORTS, MADE_UP, REQUIREMENTS, pieces, read_here, refusal, send, workbook_of
from tests.tokens import writing


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


@pytest.mark.parametrize("more", [True, False], ids=["is sent", "is read"])
async def test_a_caller_who_leaves_while_a_file_is_taken_is_no_failure(
    untouched: RunningApp, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, more: bool
) -> None:
    start = asyncio.create_subprocess_exec

    async def endless(*_: object, **how: Any) -> Any:
        return await start("sleep", "600", **how)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", endless)
    headers = {**writing("management-unit"), "content-type": CSV, "host": "service"}
    messages: list[Message] = [{"type": "http.request", "body": b"code,", "more_body": more}]

    async def receive() -> Message:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        raise AssertionError(f"nobody receives {message}")

    scope = {
        "type": "http", "http_version": "1.1", "method": "POST", "path": IMPORTS, "raw_path": IMPORTS.encode(),
        "query_string": b"dry_run=true", "scheme": "http", "client": ("127.0.0.1", 1), "server": ("service", 80),
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()], "asgi": {},
    }  # fmt: skip
    with caplog.at_level(logging.INFO):
        await untouched.app(scope, receive, send)
    assert [record.status for record in caplog.records if record.name == "mmptf.access"] == [499]  # type: ignore[attr-defined]
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


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
    settings = FundingSettings(database_url=SecretStr(untouched.database_url), environment="production")
    app = create_app(settings)
    async with LifespanManager(app):
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            taken: list[int] = []
            for query in ("", "?dry_run=true"):
                headers = {**writing("management-unit"), "content-type": CSV}
                answer = await client.post(f"{IMPORTS}{query}", content=pieces(3, taken), headers=headers)
                assert (answer.status_code, answer.json()["code"], taken) == (403, "identity_not_configured", [])
            assert (await client.get(f"{IMPORTS}/template")).status_code == 200


def bad_workbooks() -> dict[str, tuple[bytes, str]]:
    """Name -> workbook, and the code of its error; every one of them is small."""
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
        "unknown sheet": (unknown.getvalue(), "unknown_table"),
    }


@pytest.mark.longer
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
async def test_a_cell_that_is_no_amount_is_refused(
    untouched: RunningApp, monkeypatch: pytest.MonkeyPatch, number: object
) -> None:
    # Without a process, which takes longer and reads the same.
    monkeypatch.setattr(routes, "tables_of", read_here)
    book = openpyxl.load_workbook(io.BytesIO(workbook_of(MADE_UP)))
    column = template.TEMPLATE.columns("requirements").index("amount_usd") + 1
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
