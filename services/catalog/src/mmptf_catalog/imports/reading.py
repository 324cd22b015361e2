"""The rows of a file of programmes that is uploaded, read in a process of its own."""

from __future__ import annotations

from typing import IO

from mmptf_catalog.imports.template import TEMPLATE, TableName
from mmptf_common.wire.raw_rows import RawRow
from mmptf_common.writes.reading import Gone, rows_of_file

# Rows of a file, so that they are written in a second or two, while other writes wait.
MAX_ROWS = 2_000
TABLE: TableName = "programmes"


async def rows_of(file: IO[bytes], *, workbook: bool, gone: Gone) -> list[RawRow]:
    """The rows of a file: of a workbook, or of a CSV; raises as `rows_of_file` does."""
    async with rows_of_file(file, TEMPLATE, {TABLE: (MAX_ROWS, "")}, workbook=workbook, gone=gone) as messages:
        return [message async for message in messages if isinstance(message, RawRow)]
