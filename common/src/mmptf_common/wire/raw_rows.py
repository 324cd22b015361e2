"""Rows of a file as text, before they are checked, and what could not be read of them.

Without Pydantic: the process that reads one uploaded file would take longer to load it than to read the file.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from mmptf_common.wire.problem_codes import ProblemCode

# The sheet of a workbook that describes the columns.
GUIDE = "guide"


class ReadingError(NamedTuple):
    """What could not be read; its members are those of an `ErrorDetail`."""

    code: ProblemCode
    detail: str
    pointer: str | None = None
    allowed: list[str] | None = None
    suggestion: str | None = None


class UnreadableFile(Exception):
    """A file that cannot be read as a whole, or whose columns are not those of its table."""

    def __init__(self, errors: Iterable[ReadingError]) -> None:
        self.errors = list(errors)
        super().__init__("; ".join(error.detail for error in self.errors))


@dataclass(frozen=True, slots=True)
class TableColumns:
    """The columns that a table may have."""

    names: list[str]
    """In the order of the template."""
    required: list[str]
    """Those that every file has to have."""
    days: list[str]
    """Those in which a workbook may have days as spreadsheets keep them."""


@dataclass(frozen=True, slots=True)
class RawRow:
    """One row of a table as text: its number in the spreadsheet, its filled cells, the errors of unreadable ones."""

    number: int
    cells: dict[str, str]
    errors: tuple[ReadingError, ...] = ()


def cell_error(
    table: str,
    number: int,
    column: str,
    code: ProblemCode,
    detail: str,
    *,
    allowed: Iterable[str] | None = None,
    suggestion: str | None = None,
) -> ReadingError:
    """An error of one cell; its pointer is /table/row/column."""
    return ReadingError(
        code,
        f"{table}, row {number}, column {column}: {detail}",
        f"/{table}/{number}/{column}",
        None if allowed is None else list(allowed),
        suggestion,
    )
