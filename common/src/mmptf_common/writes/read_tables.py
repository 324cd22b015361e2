"""The process that reads one uploaded file: its standard input is the file, its output a line of JSON for each row.

It is bounded before it reads, and imports as little as it can: each upload waits for its start (`reading.py`).
"""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Iterable, Iterator
from typing import BinaryIO, cast

from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.raw_rows import RawRow, TableColumns, UnreadableFile
from mmptf_common.writes.table_files import (
    MAX_UNPACKED,
    NO_SPACE_LEFT,
    csv_table,
    open_workbook,
    unreadable,
)

# Bytes of memory and seconds of a processor that reading one file may take.
MAX_MEMORY = 192 * 1024 * 1024
MAX_CPU_SECONDS = 20
# Bytes of a row with the names of its columns.
MAX_ROW = 2 * 1024 * 1024


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
                raise unreadable(ProblemCode.FILE_TOO_LARGE, f"a row of more than {MAX_ROW} bytes")
            out.write(line)
        out.write(b"null\n")
    except UnreadableFile as error:
        out.write(encode({"errors": error.errors}).encode() + b"\n")
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


def messages_of_tables(file: BinaryIO, asked: str) -> Iterator[object]:
    """The name of each table that a file has, and its rows after it; asked: what `reading.rows_of_file` asks for."""
    said = json.loads(asked)
    columns = {name: TableColumns(*members) for name, members in said["columns"].items()}
    if said["workbook"]:
        with open_workbook(columns, file) as tables:
            for name, (most, larger) in said["most"].items():
                if name in tables:
                    yield name
                    yield from _messages(name, cast("Iterable[RawRow]", tables[name]), most, larger)
    else:
        for name, (most, larger) in said["most"].items():
            yield name
            yield from _messages(name, csv_table(columns[name], name, file), most, larger)


def _messages(table: str, rows: Iterable[RawRow], most: int, larger: str) -> Iterator[object]:
    """The messages of the rows of a table; raises UnreadableFile where there are more than are imported."""
    for count, row in enumerate(rows, 1):
        if count > most:
            raise unreadable(
                ProblemCode.FILE_TOO_LARGE, f"{table}: at most {most:,} rows are imported over HTTP{larger}"
            )
        yield row.number, row.cells, row.errors


if __name__ == "__main__":
    sys.exit(write_messages(messages_of_tables(open(0, "rb", closefd=False), sys.argv[1])))  # noqa: SIM115  # as above
