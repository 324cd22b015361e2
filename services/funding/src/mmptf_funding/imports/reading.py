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
from typing import IO, Any, BinaryIO, cast

from starlette.requests import ClientDisconnect

from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import ErrorDetail, InvalidRequest, ServiceUnavailable
from mmptf_funding.imports.files import MAX_UNPACKED, NO_SPACE_LEFT, Tables, csv_table, file_error, open_workbook
from mmptf_funding.imports.template import LEDGER_TABLES, TABLES, RawRow, TableName

# Bytes of memory and seconds of a processor that reading one file may take, and seconds until it has to be read.
MAX_MEMORY = 192 * 1024 * 1024
MAX_CPU_SECONDS = 20
MAX_SECONDS = 60
# Bytes of a row with the names of its columns.
MAX_ROW = 2 * 1024 * 1024
# Rows of a table, so that they are written in a second, while other writes wait; of the others than the requirements,
# which are read as a whole, fewer. Editions with more are imported with the command line.
MAX_REQUIREMENTS, MAX_OTHERS = 10_000, 1_000
# Entries of the ledger, or of a bank statement.
MAX_ENTRIES = 5_000
LARGER = "; the operator imports larger editions with the command mmptf-funding import"
# How often it is looked whether the caller is still there, and other requests get their turn.
LOOK_SECONDS, TURN_SECONDS = 0.5, 0.01
# The requirements come last, since the other tables are needed to check them.
ORDER: tuple[TableName, ...] = (*(name for name in TABLES if name != "requirements"), "requirements")

Gone = Callable[[], Awaitable[bool]]


class CallerGone(ClientDisconnect):
    """The caller has disconnected while its file was read; nobody receives an answer."""


@asynccontextmanager
async def tables_of(file: IO[bytes], *, workbook: bool, gone: Gone) -> AsyncIterator[Tables]:
    """The tables of a file as rows, read by a process that ends with the block.

    workbook: whether it is an XLSX workbook; otherwise a CSV of requirements
    Raises InvalidRequest for a file that cannot be read or takes more than it may, ServiceUnavailable where it is not
    read in time, CallerGone when nobody waits for the answer any more; the last ones also while rows are read.
    """
    kind = "workbook" if workbook else "csv"
    async with messages_of(file, __name__, kind, "requirements", gone=gone) as messages:
        yield await _tables(messages)


@asynccontextmanager
async def messages_of(file: IO[bytes], *program: str, gone: Gone) -> AsyncIterator[AsyncIterator[Any]]:
    """What a process writes of a file (`write_messages`); the process ends with the block.

    program: the name of its module, and its arguments
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


async def _tables(messages: AsyncIterator[Any]) -> Tables:
    """The tables that a process writes: those before the requirements as lists, these as they come."""
    tables: Tables = {}
    rows: list[RawRow] = []
    async for message in messages:
        if isinstance(message, str):
            if message == "requirements":
                tables["requirements"] = _requirements(messages)
                return tables
            tables[cast("TableName", message)] = rows = []
        else:
            rows.append(_row(message))
    return tables


async def _requirements(messages: AsyncIterator[Any]) -> AsyncIterator[RawRow]:
    async for message in messages:
        yield _row(message)


async def ledger_tables_of(file: IO[bytes], *, workbook: bool, gone: Gone) -> dict[TableName, list[RawRow]]:
    """The tables of a file of ledger entries, read by a process as `tables_of` does.

    workbook: whether it is an XLSX workbook; otherwise a CSV of the entries
    """
    tables: dict[TableName, list[RawRow]] = {}
    rows: list[RawRow] = []
    kind = "workbook" if workbook else "csv"
    async with messages_of(file, __name__, kind, "ledger-entries", gone=gone) as messages:
        async for message in messages:
            if isinstance(message, str):
                tables[cast("TableName", message)] = rows = []
            else:
                rows.append(_row(message))
    return tables


@asynccontextmanager
async def rows_of(file: IO[bytes], table: TableName, *, gone: Gone) -> AsyncIterator[AsyncIterator[RawRow]]:
    """The rows of a CSV of one table, read as `tables_of` does."""
    async with messages_of(file, __name__, "csv", table, gone=gone) as messages:
        yield (_row(message) async for message in messages if not isinstance(message, str))


def _row(message: Any) -> RawRow:
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


def _lines(file: BinaryIO, *, workbook: bool, table: TableName) -> Iterator[object]:
    if workbook:
        order = LEDGER_TABLES if table in LEDGER_TABLES else ORDER
        with open_workbook(file, order) as tables:
            for name in order:
                if name in tables:
                    yield name
                    yield from _rows(name, cast("Iterator[RawRow]", tables[name]))
    else:
        yield table
        yield from _rows(table, csv_table(table, file))


def _rows(table: TableName, rows: Iterator[RawRow]) -> Iterator[object]:
    """The messages of the rows of a table; raises InvalidRequest where there are more than are imported."""
    most = MAX_OTHERS if table in ORDER[:-1] else MAX_REQUIREMENTS if table in ORDER else MAX_ENTRIES
    for count, row in enumerate(rows, 1):
        if count > most:
            raise file_error(
                ProblemCode.FILE_TOO_LARGE,
                f"{table}: at most {most:,} rows are imported over HTTP{LARGER if table in ORDER else ''}",
            )
        yield _message(row)


def _message(row: RawRow) -> object:
    return [row.number, row.cells, [error.model_dump(mode="json") for error in row.errors]]


def write_messages(messages: Iterator[object]) -> int:
    """Write what is read of the standard input; returns 1 where the file takes more memory than it may.

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
    except OSError as error:
        if error.errno not in NO_SPACE_LEFT:
            raise
        out.write(encode({"errno": error.errno}).encode() + b"\n")
    out.flush()
    return 0


def main(kind: str, table: str = "requirements") -> int:
    """Write the rows of the standard input: of a workbook, or of a CSV of one table."""
    return write_messages(
        _lines(open(0, "rb", closefd=False), workbook=kind == "workbook", table=cast("TableName", table))
    )


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
