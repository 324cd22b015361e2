"""Reading an uploaded file in a process of its own, so that no request waits for it and no file takes more than it may.

The process gets the file as its standard input and writes a line of JSON for each row; it ends when nobody reads them.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import IO, Any, cast

from starlette.requests import ClientDisconnect

from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import ErrorDetail, InvalidRequest, ServiceUnavailable
from mmptf_common.wire.tables import RawRow
from mmptf_common.writes.table_files import MAX_UNPACKED, NO_SPACE_LEFT, file_error

# Bytes of memory and seconds of a processor that reading one file may take, and seconds until it has to be read.
MAX_MEMORY = 192 * 1024 * 1024
MAX_CPU_SECONDS = 20
MAX_SECONDS = 60
# Bytes of a row with the names of its columns.
MAX_ROW = 2 * 1024 * 1024
# How often it is looked whether the caller is still there, and other requests get their turn.
LOOK_SECONDS, TURN_SECONDS = 0.5, 0.01

Gone = Callable[[], Awaitable[bool]]


class CallerGone(ClientDisconnect):
    """The caller has disconnected while its file was read; nobody receives an answer."""


@asynccontextmanager
async def messages_of(file: IO[bytes], *program: str, gone: Gone) -> AsyncIterator[AsyncIterator[Any]]:
    """What a process writes of a file (`write_messages`); the process ends with the block.

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


def row_of_message(message: Any) -> RawRow:
    """The row that a message holds."""
    number, cells, errors = message
    return RawRow(number, cells, tuple(ErrorDetail(**error) for error in errors))


async def _messages(process: Process, gone: Gone) -> AsyncIterator[Any]:
    """What a process writes, up to its last message: the name of a table before its rows, and the rows."""
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
                raise InvalidRequest([ErrorDetail(**error) for error in message["errors"]])
            yield message
        elif stdout.at_eof():
            await process.wait()
            raise file_error(
                ProblemCode.FILE_TOO_LARGE,
                f"to read the file takes more than {MAX_CPU_SECONDS} s of a processor or {MAX_MEMORY} bytes of memory;"
                " take out what is no table of the template, or send CSV",
            )


def _limit() -> None:
    """Bound what this process may take; it gives way to those that answer requests."""
    # openpyxl loads NumPy where it is installed, for types that no workbook has; that alone takes the memory of a file.
    sys.modules["numpy"] = None  # type: ignore[assignment]
    os.nice(2)
    for kind, most in (
        (resource.RLIMIT_AS, MAX_MEMORY),
        (resource.RLIMIT_CPU, MAX_CPU_SECONDS),
        (resource.RLIMIT_FSIZE, 2 * MAX_UNPACKED),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (most, most))


def _message(row: RawRow) -> object:
    return [row.number, row.cells, [error.model_dump(mode="json") for error in row.errors]]


def messages_of_rows(table: str, rows: Iterator[RawRow], most: int, larger: str = "") -> Iterator[object]:
    """The messages of the rows of a table; raises InvalidRequest where there are more than are imported.

    larger: how more of them are imported, where that can be done
    """
    for count, row in enumerate(rows, 1):
        if count > most:
            raise file_error(
                ProblemCode.FILE_TOO_LARGE, f"{table}: at most {most:,} rows are imported over HTTP{larger}"
            )
        yield _message(row)


def write_messages(messages: Iterator[object]) -> int:
    """Write what is read of the standard input; returns 1 where that takes more memory than it may, or nobody waits.

    The process is bounded before the first of them is read.
    """
    _limit()
    encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
    out = open(1, "wb", buffering=1024 * 64, closefd=False)  # noqa: SIM115  # ends with the process
    try:
        for message in messages:
            line = encode(message).encode() + b"\n"
            if len(line) > MAX_ROW:
                raise file_error(ProblemCode.FILE_TOO_LARGE, f"a row of more than {MAX_ROW} bytes")
            out.write(line)
        out.write(b"null\n")
    except InvalidRequest as problem:
        out.write(encode({"errors": [error.model_dump(mode="json") for error in problem.errors]}).encode() + b"\n")
    except MemoryError:
        return 1
    except BrokenPipeError:
        # The process that reads them was ended: nobody waits for the file.
        return 1
    except OSError as error:
        if error.errno not in NO_SPACE_LEFT:
            raise
        out.write(encode({"errno": error.errno}).encode() + b"\n")
    out.flush()
    return 0
