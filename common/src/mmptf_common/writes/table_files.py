"""Rows of text from CSV and XLSX files, read in pieces; errors name the row and the column.

Without Pydantic, as `raw_rows.py`.
"""

from __future__ import annotations

import codecs
import csv
import errno
import io
import math
import tempfile
import zipfile
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, time
from typing import IO, Any, BinaryIO, cast
from xml.parsers import expat

from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.raw_rows import GUIDE, RawRow, ReadingError, TableColumns, UnreadableFile, cell_error
from mmptf_common.wire.spelling import closest_match

# Workbooks are small: the edition of 2015 has 100 KB. Unpacked, they are read in pieces, except their shared strings.
MAX_WORKBOOK = 4 * 1024 * 1024
MAX_UNPACKED = 16 * 1024 * 1024
# Of a workbook, whose parts are looked through before they are read: Excel writes a few dozen parts and styles.
MAX_PARTS = 200
MAX_STYLES = 10_000
MAX_TEXTS = 200_000
MAX_ELEMENTS = 3_000_000
MAX_DEPTH = 64
# Characters of the attributes of an element, and of a comment: a parser reads them again with each piece of a file.
MAX_ATTRIBUTES = 64 * 1024
MAX_ROWS = 100_000
MAX_COLUMNS = 256
MAX_DIGITS = 15
MAX_LINE = 1024 * 1024
NO_SPACE_LEFT = (errno.ENOSPC, errno.EDQUOT)
# What spreadsheets write between cells in place of commas.
SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}

# The rows of tables, by the names of the tables.
Tables = dict[str, Iterable[RawRow] | AsyncIterator[RawRow]]


def unreadable(code: ProblemCode, detail: str) -> UnreadableFile:
    """The exception for a file that is invalid as a whole."""
    return UnreadableFile([ReadingError(code, detail)])


def csv_table(columns: TableColumns, table: str, file: BinaryIO) -> Iterator[RawRow]:
    """The rows of a CSV: UTF-8, commas, a header with the table's columns in any order; uses constant memory."""
    reader = csv.reader(_lines(table, file), strict=True)
    number = 1
    try:
        header = next(reader, None)
        _check_separator(columns, table, header or [])
        _check_header(columns, table, header or [])
        names = cast("list[str]", header)
        for number, cells in enumerate(reader, start=2):
            if len(cells) == len(names):
                filled = {name: cell for name, cell in zip(names, cells, strict=True) if cell}
                if filled:
                    yield RawRow(number, filled)
            elif cells:
                yield RawRow(
                    number,
                    {},
                    (
                        cell_error(
                            table, number, names[min(len(cells), len(names) - 1)], ProblemCode.WRONG_NUMBER_OF_CELLS,
                            f"the header has {len(names)} columns and this row {len(cells)} cells",
                        ),
                    ),
                )  # fmt: skip
    except UnicodeDecodeError as error:
        raise unreadable(
            ProblemCode.NOT_UTF8, f"{table}: the file is not UTF-8 text, at or after row {number}"
        ) from error
    except csv.Error as error:
        raise unreadable(ProblemCode.NOT_CSV, f"{table}: row {number + 1} cannot be read as CSV: {error}") from error


def _lines(table: str, file: BinaryIO) -> Iterator[str]:
    """The lines of a text, each up to a limit, so that a file without line ends is not read into memory as a whole."""
    decode = codecs.getincrementaldecoder("utf-8-sig")().decode
    while line := file.readline(MAX_LINE):
        if len(line) == MAX_LINE and not line.endswith(b"\n"):
            raise unreadable(ProblemCode.FILE_TOO_LARGE, f"{table}: a line of more than {MAX_LINE} bytes")
        yield decode(line)
    yield decode(b"", final=True)


def _check_separator(columns: TableColumns, table: str, header: list[str]) -> None:
    """Refuse a header with something else than commas between the names of columns."""
    for separator, name in SEPARATORS.items():
        if len(header) == 1 and len(set(header[0].split(separator)) & set(columns.names)) > 1:
            raise unreadable(
                ProblemCode.NOT_CSV,
                f"{table}: the cells are separated by {name}; they have to be separated by commas. A spreadsheet writes"
                f" {name} where its list separator is set so: send its workbook (XLSX), or set a comma",
            )


def _check_header(columns: TableColumns, table: str, header: list[str]) -> None:
    known = columns.names
    if len(header) > MAX_COLUMNS:
        raise unreadable(
            ProblemCode.FILE_TOO_LARGE, f"{table}: a header of {len(header)} columns; it takes {', '.join(known)}"
        )
    errors = []
    for name in dict.fromkeys(header):
        if name not in known:
            meant = closest_match(name, known)
            hint = f"; did you mean {meant}?" if meant else ""
            errors.append(
                cell_error(
                    table,
                    1,
                    name[:64] or "(empty)",
                    ProblemCode.UNKNOWN_COLUMN,
                    f"this is no column of the template{hint}",
                    allowed=known,
                    suggestion=meant,
                )
            )
        elif header.count(name) > 1:
            errors.append(cell_error(table, 1, name, ProblemCode.REPEATED_COLUMN, "the column is there more than once"))
    errors += [
        cell_error(table, 1, name, ProblemCode.MISSING_COLUMN, "the column has to be there")
        for name in columns.required
        if name not in header
    ]
    if errors:
        raise UnreadableFile(errors)


@contextmanager
def open_workbook(columns: Mapping[str, TableColumns], file: BinaryIO) -> Iterator[Tables]:
    """The tables of an XLSX workbook by sheet; formulas, dates and all but text and numbers are errors."""
    # Imported here: it takes 8 MB, and few processes read a workbook.
    from openpyxl import load_workbook

    with tempfile.TemporaryFile() as plain:
        _unpack(file, plain)
        declared = _look_through(plain)
        try:
            book = load_workbook(plain, read_only=True, data_only=False, keep_links=False)
        except Exception as error:
            # The parser may raise any exception for a crafted workbook; it is an error of the file, not of the server.
            raise unreadable(ProblemCode.NOT_A_WORKBOOK, "the file cannot be read as an XLSX workbook") from error
        try:
            sheets = {sheet.title: sheet for sheet in book.worksheets if sheet.title != GUIDE}
            errors = [
                ReadingError(
                    ProblemCode.UNKNOWN_TABLE,
                    f"{name!r} is no table of the template",
                    allowed=list(columns),
                    suggestion=closest_match(name, columns),
                )
                for name in sheets
                if name not in columns
            ]
            if errors:
                raise UnreadableFile(errors)
            # The reader leaves out sheets whose parts are not there, and an edition would lose a table unsaid.
            for name in declared:
                if name not in book.sheetnames:
                    raise unreadable(
                        ProblemCode.NOT_A_WORKBOOK, f"the sheet {name[:64]!r} is named and not in the file"
                    )
            yield {name: _sheet(columns[name], name, sheet) for name, sheet in sheets.items()}
        finally:
            book.close()


def _unpack(file: BinaryIO, plain: BinaryIO) -> None:
    """Copy a workbook's parts unpacked, in pieces, up to a limit, since the parser may read a part as a whole."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    if size > MAX_WORKBOOK:
        raise unreadable(
            ProblemCode.FILE_TOO_LARGE, f"a workbook of at most {MAX_WORKBOOK} bytes is read; this has {size}"
        )
    unpacked = 0
    try:
        with zipfile.ZipFile(file) as archive, zipfile.ZipFile(plain, "w") as parts:
            names = archive.namelist()
            if len(names) > MAX_PARTS:
                raise unreadable(
                    ProblemCode.FILE_TOO_LARGE,
                    f"a workbook of at most {MAX_PARTS} parts is read; this has {len(names)}",
                )
            methods = {entry.compress_type for entry in archive.infolist()}
            # zipfile does not unpack other methods in pieces; no workbook uses them.
            if len(set(names)) < len(names) or not methods <= {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
                raise zipfile.BadZipFile
            for name in names:
                with archive.open(name) as source, parts.open(name, "w") as part:
                    while piece := source.read(io.DEFAULT_BUFFER_SIZE):
                        unpacked += len(piece)
                        if unpacked > MAX_UNPACKED:
                            raise unreadable(
                                ProblemCode.FILE_TOO_LARGE, f"the workbook unpacks to more than {MAX_UNPACKED} bytes"
                            )
                        part.write(piece)
    except UnreadableFile:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno in NO_SPACE_LEFT:
            raise
        # Broken, encrypted and unusual archives each raise a different exception.
        raise unreadable(
            ProblemCode.NOT_A_WORKBOOK, "the file is no XLSX workbook: no zip archive, or a broken one"
        ) from error


class _Parts:
    """Counts what the XML of a workbook's parts has; raises UnreadableFile where that is more than is read."""

    def __init__(self) -> None:
        self.sheets: list[str] = []
        self._depth = self._elements = self._styles = self._texts = 0

    def look_through(self, xml: IO[bytes]) -> None:
        """Look through one part; what is not well-formed is left to the reader of workbooks."""
        parser = expat.ParserCreate()
        parser.StartDoctypeDeclHandler = self._declared
        parser.StartElementHandler = self._started
        parser.EndElementHandler = self._ended
        parser.CommentHandler = self._check_length
        parser.ProcessingInstructionHandler = self._check_length
        self._depth = 0
        try:
            # In large pieces: what has no end is read again from its beginning with each of them.
            while piece := xml.read(MAX_LINE):
                parser.Parse(piece)
            parser.Parse(b"", True)
        except expat.ExpatError as error:
            if error.code == expat.errors.codes[expat.errors.XML_ERROR_UNCLOSED_TOKEN]:
                raise unreadable(ProblemCode.NOT_A_WORKBOOK, "a part of the workbook is cut off") from error

    def _declared(self, *_: object) -> None:
        raise unreadable(
            ProblemCode.NOT_A_WORKBOOK, "the workbook declares a document type or entities, which none needs"
        )

    def _started(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        self._elements += 1
        name = name.rpartition(":")[2]
        self._check_length(*attributes, *attributes.values())
        if name == "sheet":
            self.sheets.append(attributes.get("name", ""))
        if name == "c" or name == "row":
            self._check_place(name, attributes.get("r", ""))
        elif name == "xf":
            self._styles += 1
        elif name == "si":
            self._texts += 1
        for found, most, of_what in (
            (self._depth, MAX_DEPTH, "elements within one another"),
            (self._elements, MAX_ELEMENTS, "elements"),
            (self._styles, MAX_STYLES, "styles of cells"),
            (self._texts, MAX_TEXTS, "different texts"),
        ):
            if found > most:
                raise unreadable(ProblemCode.FILE_TOO_LARGE, f"a workbook of at most {most} {of_what} is read")

    def _check_length(self, *texts: str) -> None:
        if sum(map(len, texts)) > MAX_ATTRIBUTES:
            raise unreadable(
                ProblemCode.FILE_TOO_LARGE,
                f"an element with attributes of at most {MAX_ATTRIBUTES} characters is read, and a comment of as many",
            )

    def _ended(self, _: str) -> None:
        self._depth -= 1

    def _check_place(self, name: str, place: str) -> None:
        """Raise where a row or a cell is beyond those that are read: all between would be made up."""
        letters = place.rstrip("0123456789")
        row = place[len(letters) :]
        if (row and int(row[:20]) > MAX_ROWS) or (len(letters) < 4 and _column(letters) > MAX_COLUMNS):
            what = f"the row {place}" if name == "row" else f"the cell {place[:20]}"
            raise unreadable(
                ProblemCode.FILE_TOO_LARGE,
                f"{what} is used, and a sheet of at most {MAX_ROWS} rows and {MAX_COLUMNS} columns is read; take out"
                " what is beyond the table, or use CSV",
            )


def _column(letters: str) -> int:
    """The number of a column from its letters, such as 28 for AB."""
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - 64
    return number


def _look_through(plain: BinaryIO) -> list[str]:
    """The names of the sheets of an unpacked workbook; refuses one of which the reader would make more than it may."""
    parts = _Parts()
    with zipfile.ZipFile(plain) as archive:
        for name in archive.namelist():
            if name.lower().endswith((".xml", ".rels", ".vml")):
                with archive.open(name) as xml:
                    parts.look_through(xml)
    return parts.sheets


def _sheet(columns: TableColumns, table: str, sheet: Any) -> Iterator[RawRow]:
    # The dimensions that a file declares are ignored: rows are counted as they are read, up to a limit.
    sheet.reset_dimensions()
    names: list[str] = []
    try:
        for number, cells in enumerate(sheet.iter_rows(max_row=MAX_ROWS + 1, max_col=MAX_COLUMNS), start=1):
            if number > MAX_ROWS:
                raise unreadable(
                    ProblemCode.FILE_TOO_LARGE, f"{table}: a sheet of at most {MAX_ROWS} rows is read; use CSV"
                )
            if number == 1:
                names = [str(cell.value) if cell.value is not None else "" for cell in cells]
                while names and not names[-1]:
                    names.pop()
                _check_header(columns, table, names)
                continue
            filled: dict[str, str] = {}
            errors = []
            for name, cell in zip(names, cells, strict=False):
                text, problem = _text(cell, of_days=name in columns.days)
                if problem:
                    errors.append(cell_error(table, number, name, *problem))
                elif text:
                    filled[name] = text
            if any(cell.value is not None for cell in cells[len(names) :]):
                errors.append(
                    cell_error(
                        table, number, names[-1], ProblemCode.WRONG_NUMBER_OF_CELLS, "there is a cell beyond the header"
                    )
                )
            if filled or errors:
                yield RawRow(number, filled, tuple(errors))
    except UnreadableFile:
        raise
    except Exception as error:
        raise unreadable(ProblemCode.NOT_A_WORKBOOK, f"the sheet {table} cannot be read") from error
    if not names:
        _check_header(columns, table, names)


def _text(cell: Any, *, of_days: bool) -> tuple[str, tuple[ProblemCode, str] | None]:
    """The text that a CSV would have for a cell, and None or the code and detail of its error.

    of_days: whether days are taken as spreadsheets keep them, which is as numbers with a form
    """
    value, kind = cell.value, cell.data_type
    if value is None:
        return "", None
    if kind == "f":
        return "", (ProblemCode.NOT_TEXT_OR_NUMBER, "a formula; its value is expected")
    if kind == "e":
        return "", (ProblemCode.NOT_TEXT_OR_NUMBER, f"the error value {value}")
    if of_days and isinstance(value, datetime) and value.time() == time():
        return value.date().isoformat(), None
    if isinstance(value, bool) or kind not in {"s", "n", "inlineStr"} or not isinstance(value, str | int | float):
        return "", (ProblemCode.NOT_TEXT_OR_NUMBER, "text or a number is expected")
    if isinstance(value, str):
        return value, None
    text = str(value) if isinstance(value, int) else repr(value)
    if "e" in text or sum(map(str.isdigit, text)) > MAX_DIGITS or not math.isfinite(value):
        # Spreadsheets store numbers as binary floating point, exact to 15 digits only.
        return "", (ProblemCode.INEXACT_NUMBER, f"a number of more than {MAX_DIGITS} digits; write it as text")
    return text, None
