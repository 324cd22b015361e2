"""The tables of an edition that is uploaded, and the rows of other CSVs, read in a process of their own."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import IO, Any, BinaryIO, cast

from mmptf_common.wire.tables import RawRow
from mmptf_common.writes.reading import Gone, messages_of, messages_of_rows, row_of_message, write_messages
from mmptf_common.writes.table_files import Tables, csv_table, open_workbook
from mmptf_funding.imports.template import LEDGER_TABLES, LEDGER_TEMPLATE, TABLES, TEMPLATE, TableName

# Rows of a table, so that they are written in a second, while other writes wait; of the others than the requirements,
# which are read as a whole, fewer. Editions with more are imported with the command line.
MAX_REQUIREMENTS, MAX_OTHERS = 10_000, 1_000
# Entries of the ledger, or of a bank statement.
MAX_ENTRIES = 5_000
LARGER = "; the operator imports larger editions with the command mmptf-funding import"
# The requirements come last, since the other tables are needed to check them.
ORDER: tuple[TableName, ...] = (*(name for name in TABLES if name != "requirements"), "requirements")


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


async def _tables(messages: AsyncIterator[Any]) -> Tables:
    """The tables that a process writes: those before the requirements as lists, these as they come."""
    tables: Tables = {}
    rows: list[RawRow] = []
    async for message in messages:
        if isinstance(message, str):
            if message == "requirements":
                tables["requirements"] = _requirements(messages)
                return tables
            tables[message] = rows = []
        else:
            rows.append(row_of_message(message))
    return tables


async def _requirements(messages: AsyncIterator[Any]) -> AsyncIterator[RawRow]:
    async for message in messages:
        yield row_of_message(message)


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
                rows.append(row_of_message(message))
    return tables


@asynccontextmanager
async def rows_of(file: IO[bytes], table: TableName, *, gone: Gone) -> AsyncIterator[AsyncIterator[RawRow]]:
    """The rows of a CSV of one table, read as `tables_of` does."""
    async with messages_of(file, __name__, "csv", table, gone=gone) as messages:
        yield (row_of_message(message) async for message in messages if not isinstance(message, str))


def _lines(file: BinaryIO, *, workbook: bool, table: TableName) -> Iterator[object]:
    if workbook:
        template, order = (LEDGER_TEMPLATE, LEDGER_TABLES) if table in LEDGER_TABLES else (TEMPLATE, ORDER)
        with open_workbook(template, file) as tables:
            for name in order:
                if name in tables:
                    yield name
                    yield from _rows(name, cast("Iterator[RawRow]", tables[name]))
    else:
        yield table
        yield from _rows(table, csv_table(TEMPLATE, table, file))


def _rows(table: TableName, rows: Iterator[RawRow]) -> Iterator[object]:
    """The messages of the rows of a table; raises InvalidRequest where there are more than are imported."""
    most = MAX_OTHERS if table in ORDER[:-1] else MAX_REQUIREMENTS if table in ORDER else MAX_ENTRIES
    return messages_of_rows(table, rows, most, LARGER if table in ORDER else "")


def main(kind: str, table: str = "requirements") -> int:
    """Write the rows of the standard input: of a workbook, or of a CSV of one table."""
    return write_messages(
        _lines(open(0, "rb", closefd=False), workbook=kind == "workbook", table=cast("TableName", table))
    )


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
