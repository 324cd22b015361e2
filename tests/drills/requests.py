"""Drills with single requests that ask for too much: each is refused soon, in few bytes, and delays nobody."""

from __future__ import annotations

import asyncio
import io
import json
import time
import zipfile
from collections.abc import Awaitable, Callable

import openpyxl

from tests.drills.connections import BESIDE_SECONDS, DELAY_SECONDS, head
from tests.drills.drill import Scene, drill
from tests.drills.edition import large_edition
from tests.drills.load import LEDGER, SCORE, importing_headers, token
from tests.suite import NAMES

ANSWER_BYTES = 262_144
"""The longest problem document."""
SECONDS = 5.0
"""The longest work on a request that is refused."""
BATCH = 1_000


async def send(scene: Scene, data: bytes, kind: str = "gateway") -> tuple[int, int, float]:
    """The status of what is answered to raw bytes, the bytes of the answer, and the seconds; 0 without an answer."""
    process = scene.stack.of(kind)[0]
    begin = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", process.port)
    answer = b""
    try:
        async with asyncio.timeout(4 * SECONDS):
            writer.write(data)
            # What has come counts, also where the server then breaks a connection on which more was sent than it read.
            while part := await reader.read(65_536):
                answer += part
    except (OSError, TimeoutError):
        pass
    finally:
        writer.transport.abort()
    first = answer.split(b" ", 2)
    return int(first[1]) if len(first) > 1 else 0, len(answer), time.monotonic() - begin


def post(path: str, body: bytes, **fields: str) -> bytes:
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return head(path, "POST", f"Content-Length: {len(body)}", "Connection: close", *lines) + b"\r\n" + body


async def refused(scene: Scene, what: str, data: bytes, *statuses: int) -> None:
    """Send raw bytes to a gateway, and measure the answer, which has one of the statuses."""
    scene.tally.sent += 1
    status, length, seconds = await send(scene, data)
    if status in statuses:
        scene.tally.right += 1
    else:
        scene.tally.fail(f"{what}: status {status} instead of {' or '.join(map(str, statuses))}")
    scene.measure(f"{what}: bytes of the answer", length, ANSWER_BYTES)
    scene.measure(f"{what}: seconds", seconds, SECONDS)


async def beside(scene: Scene, act: Callable[[], Awaitable[None]]) -> None:
    """Measure by how much something delays those who write, and those who read, meanwhile."""
    tally = scene.tally
    tally.seconds.clear()
    await asyncio.sleep(BESIDE_SECONDS / 2)
    before = {kind: max(tally.seconds[kind], default=0.0) for kind in ("entry", "page")}
    tally.seconds.clear()
    await act()
    # Those that were delayed have been answered then.
    await asyncio.sleep(2)
    for kind, quiet in before.items():
        delay = max(0.0, max(tally.seconds[kind], default=BESIDE_SECONDS) - quiet)
        scene.measure(f"seconds by which the slowest {kind} was delayed", delay, DELAY_SECONDS)
    scene.mend()


@drill(*NAMES)
async def many_unknown_answers(scene: Scene) -> None:
    """A score of 70,000 answers to criteria that no rubric has is asked for."""
    body = json.dumps({**SCORE, "answers": {f"criterion-{number}": 1 for number in range(70_000)}}).encode()
    data = post("/markers/v1/score", body, Content_Type="application/json")
    await beside(scene, lambda: refused(scene, "unknown answers", data, 413, 422))


@drill(*NAMES)
async def heads_that_are_no_heads(scene: Scene) -> None:
    """A head has a megabyte, another 20,000 fields, a third no Host and a fourth two."""

    async def act() -> None:
        line = b"X-A: " + b"a" * 1_000_000 + b"\r\n"
        await refused(scene, "a long field", head("/") + line + b"\r\n", 431)
        fields = b"".join(b"X-%d: a\r\n" % number for number in range(20_000))
        await refused(scene, "many fields", head("/") + fields + b"Connection: close\r\n\r\n", 431)
        await refused(scene, "no Host", b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", 400)
        await refused(scene, "two Hosts", head("/") + b"Host: other\r\nConnection: close\r\n\r\n", 400)

    await beside(scene, act)


@drill(*NAMES)
async def workbook_with_a_stray_cell(scene: Scene) -> None:
    """A workbook is imported whose last cell is XFD1048576."""
    book = openpyxl.load_workbook(io.BytesIO(await asyncio.to_thread(large_edition, "DRILL-2018")))
    book["requirements"]["XFD1048576"] = "stray"
    stream = io.BytesIO()
    book.save(stream)
    fields = {name.replace("-", "_"): value for name, value in importing_headers().items()}
    data = post("/funding/v1/imports?dry_run=true", stream.getvalue(), **fields)
    await beside(scene, lambda: refused(scene, "a stray cell", data, 413, 422))


@drill(*NAMES)
async def workbook_with_many_styles(scene: Scene) -> None:
    """A workbook is imported that has 250,000 styles."""
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(await asyncio.to_thread(large_edition, "DRILL-2019"))) as old,
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            styles = b"<xf/>" * 250_000 if name == "xl/styles.xml" else b""
            new.writestr(name, old.read(name).replace(b"</cellXfs>", styles + b"</cellXfs>", 1))
    fields = {name.replace("-", "_"): value for name, value in importing_headers().items()}
    data = post("/funding/v1/imports?dry_run=true", stream.getvalue(), **fields)
    await beside(scene, lambda: refused(scene, "many styles", data, 413, 422))


@drill(*NAMES)
async def batch_of_a_thousand(scene: Scene) -> None:
    """A batch of 1,000 entries is tried: others write meanwhile."""
    entry = {"kind": "interest", "amount": "1.00", "date": "2024-05-05", "reference": "tried"}
    body = json.dumps({"entries": [entry] * BATCH}).encode()
    fields = {"content_type": "application/json", "idempotency_key": "drill-batch", **token("agent")}
    data = post(f"{LEDGER}/batch?dry_run=true", body, **fields)

    async def act() -> None:
        scene.tally.sent += 1
        status, _, seconds = await send(scene, data)
        if status != 200:
            scene.tally.fail(f"a batch of {BATCH} entries: status {status}")
        scene.measure(f"a batch of {BATCH} entries: seconds", seconds, SECONDS)

    await beside(scene, act)
