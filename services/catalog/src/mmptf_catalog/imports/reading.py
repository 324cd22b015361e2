"""The rows of a file of programmes that is uploaded, read in a process of its own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import IO, cast

from mmptf_catalog.imports.template import TEMPLATE, TableName
from mmptf_common.wire.tables import RawRow
from mmptf_common.writes.reading import Gone, messages_of, messages_of_rows, row_of_message, write_messages
from mmptf_common.writes.table_files import csv_table, open_workbook

# Rows of a file, so that they are written in a second or two, while other writes wait.
MAX_ROWS = 2_000
TABLE: TableName = "programmes"


async def rows_of(file: IO[bytes], *, workbook: bool, gone: Gone) -> list[RawRow]:
    """The rows of a file: of a workbook, or of a CSV; raises as `messages_of` does."""
    kind = "workbook" if workbook else "csv"
    async with messages_of(file, __name__, kind, gone=gone) as messages:
        return [row_of_message(message) async for message in messages]


def _messages(kind: str) -> Iterator[object]:
    file = open(0, "rb", closefd=False)  # noqa: SIM115  # ends with the process
    if kind == "csv":
        yield from messages_of_rows(TABLE, csv_table(TEMPLATE, TABLE, file), MAX_ROWS)
    else:
        with open_workbook(TEMPLATE, file) as tables:
            yield from messages_of_rows(TABLE, cast("Iterator[RawRow]", tables.get(TABLE, iter(()))), MAX_ROWS)


if __name__ == "__main__":
    sys.exit(write_messages(_messages(sys.argv[1])))
