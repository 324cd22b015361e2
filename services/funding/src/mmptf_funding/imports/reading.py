"""The tables of an edition that is uploaded, and the rows of other CSVs, read in a process of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import IO, cast

from mmptf_common.wire.raw_rows import RawRow
from mmptf_common.writes.reading import Gone, rows_of_file
from mmptf_common.writes.table_files import Tables
from mmptf_funding.imports.template import LEDGER_TABLES, LEDGER_TEMPLATE, TABLES, TEMPLATE, TableName

# Rows of a table, so that they are written in a second, while other writes wait; of the others than the requirements,
# which are read as a whole, fewer. Editions with more are imported with the command line.
MAX_REQUIREMENTS, MAX_OTHERS = 10_000, 1_000
# Entries of the ledger, or of a bank statement.
MAX_ENTRIES = 5_000
LARGER = "; the operator imports larger editions with the command mmptf-funding import"
# The requirements come last, since the other tables are needed to check them.
EDITION: Mapping[str, tuple[int, str]] = {
    **{name: (MAX_OTHERS, LARGER) for name in TABLES if name != "requirements"},
    "requirements": (MAX_REQUIREMENTS, LARGER),
}
LEDGER: Mapping[str, tuple[int, str]] = dict.fromkeys(LEDGER_TABLES, (MAX_ENTRIES, ""))


@asynccontextmanager
async def tables_of(file: IO[bytes], *, workbook: bool, gone: Gone) -> AsyncIterator[Tables]:
    """The tables of a file as rows, read by a process that ends with the block.

    workbook: whether it is an XLSX workbook; otherwise a CSV of requirements
    Raises InvalidRequest for a file that cannot be read or takes more than it may, ServiceUnavailable where it is not
    read in time, CallerGone when nobody waits for the answer any more; the last ones also while rows are read.
    """
    most = EDITION if workbook else {"requirements": EDITION["requirements"]}
    async with rows_of_file(file, TEMPLATE, most, workbook=workbook, gone=gone) as messages:
        yield await _tables(messages)


async def _tables(messages: AsyncIterator[str | RawRow]) -> Tables:
    """The tables that a process writes: those before the requirements as lists, these as they come."""
    tables: Tables = {}
    rows: list[RawRow] = []
    async for message in messages:
        if isinstance(message, RawRow):
            rows.append(message)
        elif message == "requirements":
            # No table comes after them.
            tables[message] = cast("AsyncIterator[RawRow]", messages)
            break
        else:
            tables[message] = rows = []
    return tables


async def ledger_tables_of(file: IO[bytes], *, workbook: bool, gone: Gone) -> dict[TableName, list[RawRow]]:
    """The tables of a file of ledger entries, read by a process as `tables_of` does.

    workbook: whether it is an XLSX workbook; otherwise a CSV of the entries
    """
    tables: dict[TableName, list[RawRow]] = {}
    rows: list[RawRow] = []
    most = LEDGER if workbook else {"ledger-entries": LEDGER["ledger-entries"]}
    async with rows_of_file(file, LEDGER_TEMPLATE, most, workbook=workbook, gone=gone) as messages:
        async for message in messages:
            if isinstance(message, RawRow):
                rows.append(message)
            else:
                tables[cast("TableName", message)] = rows = []
    return tables


@asynccontextmanager
async def statement_rows_of(file: IO[bytes], *, gone: Gone) -> AsyncIterator[AsyncIterator[RawRow]]:
    """The rows of a bank statement as CSV, read as `tables_of` does."""
    most = {"bank-statement": (MAX_ENTRIES, "")}
    async with rows_of_file(file, TEMPLATE, most, workbook=False, gone=gone) as messages:
        yield (message async for message in messages if isinstance(message, RawRow))
