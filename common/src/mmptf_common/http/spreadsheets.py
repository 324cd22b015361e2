"""CSV for spreadsheets: texts that they would take for formulas begin with an apostrophe, and the file with a mark."""

from __future__ import annotations

import csv
import io
import re

# The byte order mark, by which Excel recognizes UTF-8.
MARK = b"\xef\xbb\xbf"
# Where a formula would begin: at the beginning of a cell, or after what separates cells in some countries. PostgreSQL
# and Python read the expressions alike.
BEGINNING = r"(^|[;\t])(\s*[=+@\uff1d\uff0b\uff20\uff0d-]|[\t\r])"
NUMBER = r"^[+-]?[0-9]+(\.[0-9]+)?$"
DEFUSED = r"\1'\2"
_BEGINNING, _NUMBER = re.compile(BEGINNING), re.compile(NUMBER)


def defused(table: bytes) -> bytes:
    """A CSV table with the mark and with its texts defused; numbers stay as they are."""
    text = io.StringIO()
    rows = csv.reader(io.StringIO(table.decode(), newline=""))
    csv.writer(text, lineterminator="\n").writerows([_cell(cell) for cell in row] for row in rows)
    return MARK + text.getvalue().encode()


def defused_sql(column: str) -> str:
    """SQL of the same for a column of the type text."""
    beginning, new = (text.replace("'", "''") for text in (BEGINNING, DEFUSED))
    return (
        f"CASE WHEN {column} ~ '{NUMBER}' THEN {column} ELSE regexp_replace({column}, '{beginning}', '{new}', 'g') END"
    )


def _cell(cell: str) -> str:
    return cell if _NUMBER.match(cell) else _BEGINNING.sub(DEFUSED, cell)
