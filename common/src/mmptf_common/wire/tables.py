"""Tables of an import template: the models of their rows, the types of their cells, and errors by row and column."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Generic, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError
from pydantic_core import ErrorDetails
from typing_extensions import TypeAliasType

from mmptf_common.wire import texts
from mmptf_common.wire.base import COUNTRY_PATTERN, worded
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import ErrorDetail, InvalidRequest, reason_of
from mmptf_common.wire.raw_rows import GUIDE, RawRow, ReadingError, TableColumns, cell_error
from mmptf_common.wire.spelling import closest_match
from mmptf_common.wire.suggestions import Suggestion, suggestion_among

# A report lists this many errors at most, and the number of all.
MAX_ERRORS = 1000
SEVERAL = "|"
_AMOUNT = re.compile(r"[0-9]{1,16}(\.[0-9]{1,2})?")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _amount(value: object) -> object:
    """The exact Decimal of an amount; raises ValueError with the reason for any other text."""
    if not isinstance(value, str) or _AMOUNT.fullmatch(value):
        return Decimal(value) if isinstance(value, str) else value
    if value.startswith("-"):
        raise ValueError("an amount is never negative")
    if re.fullmatch(r"[0-9]+\.[0-9]{3,}", value):
        raise ValueError("an amount has at most two decimal places; a fraction of a cent cannot be stored")
    raise ValueError("digits are expected, with a point before the cents and without separators, such as 2500000.00")


def _signed(value: object) -> object:
    """The exact Decimal of an amount that may have a minus sign; raises ValueError as `_amount` does."""
    if isinstance(value, str) and value.startswith("-"):
        return -Decimal(str(_amount(value[1:])))
    return _amount(value)


def _day(value: object) -> object:
    # Pydantic takes seconds since 1970 for a day, too.
    if isinstance(value, str) and not _DAY.fullmatch(value):
        raise ValueError("a day is expected, as year, month and day, such as 2025-01-31")
    return value


def _whole(value: object) -> object:
    # Pydantic takes underscores between digits, as Python does: 1_1 would be the line 11.
    if isinstance(value, str) and "_" in value:
        raise ValueError("a whole number is expected, such as 12")
    return value


def split_cell(value: object) -> object:
    """The values of a cell with several."""
    return value.split(SEVERAL) if isinstance(value, str) else value


Text = Annotated[
    str,
    StringConstraints(
        max_length=1000,
        pattern=worded(
            rf"^[^\x00-\x1f{texts.REFUSED}]*[^\x00-\x1f{texts.HIDDEN}\s][^\x00-\x1f{texts.REFUSED}]*$",
            "text in one line that shows something, without characters that nobody sees",
        ),
    ),
    AfterValidator(texts.visible_text),
    AfterValidator(texts.not_a_formula),
]
Amount = Annotated[Decimal, BeforeValidator(_amount)]
SignedAmount = Annotated[Decimal, BeforeValidator(_signed)]
DayCell = Annotated[date, BeforeValidator(_day)]
Whole = Annotated[int, BeforeValidator(_whole)]
Line = Annotated[Whole, Field(ge=1, le=100_000_000)]
Several = Annotated[list[Text], BeforeValidator(split_cell), Field(max_length=100)]
CountryCode = Annotated[str, StringConstraints(pattern=COUNTRY_PATTERN)]


class Row(BaseModel):
    """A row of a table; an empty cell is no value, and its column may then be left out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    table: ClassVar[str]
    # The columns in which a workbook may have days as spreadsheets keep them.
    days: ClassVar[frozenset[str]] = frozenset()


TableName = TypeVar("TableName", bound=str)


@dataclass(frozen=True, slots=True)
class Template(Generic[TableName]):
    """The tables that may be imported.

    rows: name of a table -> the model of its rows; tables: the names of those that a workbook has, in their order
    """

    rows: Mapping[TableName, type[Row]]
    tables: tuple[TableName, ...]

    def columns(self, table: TableName) -> list[str]:
        """The columns of a table, in the order of the template and of the exports."""
        return list(self.rows[table].model_fields)

    def table(self, table: TableName) -> TableColumns:
        """The columns of a table, as a file is read with them."""
        model = self.rows[table]
        required = [name for name, field in model.model_fields.items() if field.is_required()]
        return TableColumns(self.columns(table), required, sorted(model.days))

    def of_workbook(self) -> dict[str, TableColumns]:
        """The columns of the tables that a workbook has."""
        return {name: self.table(name) for name in self.tables}

    def guide(self) -> Iterable[tuple[str, str, str, str]]:
        """A description of every column: table, column, whether it is required, and its values."""
        for table in self.tables:
            for name, field in self.rows[table].model_fields.items():
                choices = _choices(field.annotation)
                holds = f"{field.description}{': ' + ', '.join(choices) if choices else ''}"
                yield table, name, "yes" if field.is_required() else "no", holds

    def header(self, table: TableName) -> str:
        """The first line of a table's CSV."""
        return ",".join(self.columns(table)) + "\n"

    def workbook(self) -> bytes:
        """The template as an XLSX workbook: a guide, and one empty sheet for each table."""
        # Imported here and in `_bold`: it takes 8 MB, and few processes are asked for the template.
        from openpyxl import Workbook

        book = Workbook(write_only=True)
        sheet = book.create_sheet(GUIDE)
        sheet.append(["sheet", "column", "required", "what it holds"])
        for line in self.guide():
            sheet.append(line)
        for table in self.tables:
            sheet = book.create_sheet(table)
            sheet.freeze_panes = "A2"
            sheet.append(_bold(sheet, self.columns(table)))
        file = io.BytesIO()
        book.save(file)
        return file.getvalue()


def _choices(annotation: Any) -> list[str]:
    parts = (annotation, *get_args(annotation))
    found = [
        choice for part in parts for choice in get_args(part.__value__ if isinstance(part, TypeAliasType) else part)
    ]
    return [choice for choice in found if isinstance(choice, str)]


def _bold(sheet: Any, names: list[str]) -> list[Any]:
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font

    cells = [WriteOnlyCell(sheet, value=name) for name in names]
    for cell in cells:
        cell.font = Font(bold=True)
    return cells


AnyRow = TypeVar("AnyRow", bound=Row)


class InvalidImport(InvalidRequest):
    """422: what is wrong with the rows of an import; nothing was written."""

    title = "The import is not valid"

    def __init__(self, errors: list[ErrorDetail], found: int) -> None:
        super().__init__(errors, code=ProblemCode.INVALID_IMPORT)
        listed = "" if found == len(errors) else f", of which the first {len(errors)} are listed"
        self.detail = f"{found} {'error' if found == 1 else 'errors'}{listed}; nothing was written."


class ImportErrors:
    """Collects the errors of an import: the first `MAX_ERRORS`, and the number of all."""

    def __init__(self) -> None:
        self.listed: list[ErrorDetail] = []
        self.found = 0

    def add(self, errors: Iterable[ErrorDetail]) -> None:
        for found in errors:
            self.found += 1
            if len(self.listed) < MAX_ERRORS:
                self.listed.append(found)

    def any_of(self, table: str) -> bool:
        return any(str(found.pointer).startswith(f"/{table}/") for found in self.listed)

    def raise_if_any(self) -> None:
        if self.found:
            raise InvalidImport(self.listed, self.found)


def errors_of(errors: Iterable[ReadingError]) -> list[ErrorDetail]:
    """What could not be read of a file, as it is answered."""
    return [ErrorDetail(parameter=None, **error._asdict()) for error in errors]


def read_row(model: type[AnyRow], raw: RawRow) -> tuple[AnyRow | None, list[ErrorDetail]]:
    """The row as its model, or None and the errors of its cells."""
    errors = errors_of(raw.errors)
    if errors and not raw.cells:
        return None, errors
    try:
        row = model.model_validate(raw.cells)
    except ValidationError as error:
        # A cell that could not be read is absent from `cells`; only its first error is reported.
        unread = {error.pointer for error in errors}
        found = [_cell_error(model, raw, e) for e in error.errors(include_url=False)]
        return None, errors + [error for error in found if error.pointer not in unread]
    return (None, errors) if errors else (row, [])


def _cell_error(model: type[Row], raw: RawRow, error: ErrorDetails) -> ErrorDetail:
    table = model.table
    column = str(error["loc"][0]) if error["loc"] else next(iter(model.model_fields))
    given = raw.cells.get(column)
    if error["type"] == "missing":
        return row_error(table, raw.number, column, ProblemCode.EMPTY_CELL, "a value is expected")
    if error["type"] == "literal_error":
        allowed = str(error["ctx"]["expected"]).replace("'", "").replace(" or ", ", ").split(", ")
        word = closest_match(given or "", allowed)
        return not_in(table, raw.number, column, given or "", allowed, meant=Suggestion(word) if word else None)
    if error["type"] == "unknown_code":
        suggestion = error["ctx"]["suggestion"]
        return row_error(table, raw.number, column, ProblemCode.UNKNOWN_CODE, error["msg"], suggestion=suggestion)
    if error["type"] == "reserved":
        return row_error(table, raw.number, column, ProblemCode.RESERVED, error["msg"])
    return row_error(table, raw.number, column, ProblemCode.INVALID_VALUE, f"{shown(given)}: {reason_of(error)}")


def row_error(
    table: str,
    number: int,
    column: str,
    code: ProblemCode,
    detail: str,
    *,
    allowed: Iterable[str] | None = None,
    suggestion: str | None = None,
) -> ErrorDetail:
    """An error of one cell; its pointer is /table/row/column."""
    (error,) = errors_of([cell_error(table, number, column, code, detail, allowed=allowed, suggestion=suggestion)])
    return error


def not_in(
    table: str,
    row: int,
    column: str,
    given: str,
    allowed: Iterable[str],
    *,
    meant: Suggestion | None = None,
    suggest: Callable[[str, Iterable[str]], Suggestion | None] = suggestion_among,
) -> ErrorDetail:
    """An error for an unknown code, with the one that was meant where that is nearly certain.

    meant: it, where it was looked up already; suggest: looks it up
    """
    known = list(allowed)
    meant = meant or suggest(given, known)
    hint = f"; {meant}" if meant else ""
    few = known if len(known) <= 30 else None
    takes = f"; it takes {', '.join(known)}" if few and not meant else ""
    return row_error(
        table, row, column, ProblemCode.UNKNOWN_CODE, f"{shown(given)} is not known here{hint}{takes}", allowed=few,
        suggestion=meant and meant.code,
    )  # fmt: skip


def shown(value: str | None) -> str:
    """A value as error texts show it: quoted, and cut to a line."""
    return repr((value or "")[:64])


def repeated(table: str, row: int, column: str, value: object, first: int) -> ErrorDetail:
    """An error for a value that an earlier row of the same file has."""
    return row_error(table, row, column, ProblemCode.REPEATED_ROW, f"{value} is in row {first} already")
