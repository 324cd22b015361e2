"""Reading an uploaded file in a process of its own, so that no request waits for it and no file takes more than it may.

The process gets the file as its standard input and writes a line of JSON for each row; it ends when nobody reads them.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import astuple
from typing import IO, Any, cast

from starlette.requests import ClientDisconnect

from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import InvalidRequest, ServiceUnavailable, error_detail
from mmptf_common.wire.raw_rows import RawRow, ReadingError
from mmptf_common.wire.tables import Template, errors_of
from mmptf_common.writes import read_tables
from mmptf_common.writes.read_tables import MAX_CPU_SECONDS, MAX_MEMORY, MAX_ROW

# Seconds until a file has to be read.
MAX_SECONDS = 60
# How often it is looked whether the caller is still there, and other requests get their turn.
LOOK_SECONDS, TURN_SECONDS = 0.5, 0.01

Gone = Callable[[], Awaitable[bool]]


class CallerGone(ClientDisconnect):
    """The caller has disconnected while its file was read; nobody receives an answer."""


@asynccontextmanager
async def messages_of(file: IO[bytes], *program: str, gone: Gone) -> AsyncIterator[AsyncIterator[Any]]:
    """What a process writes of a file (`read_tables.write_messages`); the process ends with the block.

    program: the name of its module, and its arguments
    Raises InvalidRequest for a file that cannot be read or takes more than it may, ServiceUnavailable where it is not
    read in time, CallerGone when nobody waits for the answer any more: all of them while messages are read.
    """
    file.flush()
    # The process reads from where the file stands, and an earlier one may have read it.
    os.lseek(file.fileno(), 0, os.SEEK_SET)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", *program), stdin=file, stdout=PIPE, limit=2 * MAX_ROW
    )
    try:
        yield _messages(process, gone)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@asynccontextmanager
async def rows_of_file(
    file: IO[bytes], template: Template[Any], most: Mapping[str, tuple[int, str]], *, workbook: bool, gone: Gone
) -> AsyncIterator[AsyncIterator[str | RawRow]]:
    """The name of each table that a file has, and its rows after it, read by a process; raises as `messages_of`.

    most: the tables in the order in which they are read, each with the rows that it may have, and how more of them are
    imported where that can be done
    workbook: whether it is an XLSX workbook; otherwise a CSV of one table
    """
    columns = template.of_workbook() if workbook else {name: template.table(name) for name in most}
    asked = json.dumps(
        {"workbook": workbook, "columns": {name: astuple(found) for name, found in columns.items()}, "most": most}
    )
    async with messages_of(file, read_tables.__name__, asked, gone=gone) as messages:
        yield (message if isinstance(message, str) else _row(message) async for message in messages)


def _row(message: Any) -> RawRow:
    number, cells, errors = message
    # The codes of the errors are text here, of which `errors_of` makes codes again.
    return RawRow(number, cells, tuple(ReadingError(*error) for error in errors))


async def _messages(process: Process, gone: Gone) -> AsyncIterator[Any]:
    """What a process writes, up to its last message."""
    stdout = cast("asyncio.StreamReader", process.stdout)
    loop = asyncio.get_running_loop()
    until = loop.time() + MAX_SECONDS
    looked = turned = loop.time()
    while True:
        try:
            line = await asyncio.wait_for(stdout.readline(), LOOK_SECONDS)
        except TimeoutError:
            line = b""
        if (now := loop.time()) > looked + LOOK_SECONDS or not line:
            looked = now
            if await gone():
                raise CallerGone
            if now > until:
                raise ServiceUnavailable(f"The file was not read in {MAX_SECONDS} s; try again.", code=ProblemCode.BUSY)
        if line:
            if now > turned + TURN_SECONDS:
                # What was read already is read on without a wait.
                await asyncio.sleep(0)
                turned = loop.time()
            message = json.loads(line)
            if message is None:
                return
            if isinstance(message, dict):
                if "errno" in message:
                    raise OSError(message["errno"], os.strerror(message["errno"]))
                raise InvalidRequest(errors_of(ReadingError(*error) for error in message["errors"]))
            yield message
        elif stdout.at_eof():
            await process.wait()
            reason = (
                f"to read the file takes more than {MAX_CPU_SECONDS} s of a processor or {MAX_MEMORY} bytes of memory;"
                " take out what is no table of the template, or send CSV"
            )
            raise InvalidRequest([error_detail(ProblemCode.FILE_TOO_LARGE, reason)])
