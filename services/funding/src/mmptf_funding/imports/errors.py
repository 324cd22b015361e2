"""What is wrong with an import: faults named by table, row and column, and the problem that lists them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mmptf_common.wire.problems import ErrorDetail, InvalidRequest, closest_match, error_detail
from mmptf_funding.imports.template import TableName

# A report of more faults than anybody reads is cut; how many there are in all is said.
MAX_ERRORS = 1000


def row_error(table: TableName, number: int, column: str, code: str, detail: str, **more: Any) -> ErrorDetail:
    """One thing that is wrong with one cell; the pointer is /table/row/column."""
    return error_detail(
        code, f"{table}, row {number}, column {column}: {detail}", pointer=f"/{table}/{number}/{column}", **more
    )


def file_error(code: str, detail: str, **more: Any) -> InvalidRequest:
    """Something that is wrong with a file as a whole."""
    return InvalidRequest([error_detail(code, detail, **more)])


def not_in(table: TableName, row: int, column: str, given: str, allowed: Iterable[str]) -> ErrorDetail:
    """A code that the vocabulary does not have, with the nearest one that it has."""
    known = list(allowed)
    meant = closest_match(given, known)
    hint = f"; did you mean {meant}?" if meant else ""
    few = known if len(known) <= 30 else None
    takes = f"; it takes {', '.join(known)}" if few and not meant else ""
    return row_error(
        table, row, column, "unknown_code", f"{shown(given)} is not known here{hint}{takes}", allowed=few,
        suggestion=meant,
    )  # fmt: skip


def shown(value: str | None) -> str:
    """A value as a fault shows it: quoted, and no longer than a line."""
    return repr((value or "")[:64])


def other_edition(table: TableName, row: int, named: str, edition: str) -> list[ErrorDetail]:
    """A row of another edition than the one that is imported."""
    if named == edition:
        return []
    return [row_error(table, row, "edition", "other_edition", f"{named!r}, and this import is of {edition}")]


def taken(table: TableName, row: int, code: str, edition: str) -> ErrorDetail:
    """A code that a record of another edition has."""
    return row_error(table, row, "code", "code_of_other_edition", f"{code} belongs to {edition}")


def repeated(table: TableName, row: int, column: str, value: object, first: int) -> ErrorDetail:
    """What an earlier row of the same file has already."""
    return row_error(table, row, column, "repeated_row", f"{value} is in row {first} already")


class InvalidImport(InvalidRequest):
    """422: what is wrong with the rows of an import; nothing was written."""

    code = "invalid_import"
    title = "The import is not valid"

    def __init__(self, errors: list[ErrorDetail], found: int) -> None:
        super().__init__(errors)
        listed = "" if found == len(errors) else f", of which the first {len(errors)} are listed"
        self.detail = f"{found} {'fault' if found == 1 else 'faults'}{listed}; nothing was written."
        self.code = "invalid_import"


class ImportErrors:
    """The faults of an import as they are found: the first of them, and how many there are."""

    def __init__(self) -> None:
        self.listed: list[ErrorDetail] = []
        self.found = 0

    def add(self, errors: Iterable[ErrorDetail]) -> None:
        for found in errors:
            self.found += 1
            if len(self.listed) < MAX_ERRORS:
                self.listed.append(found)

    def any_of(self, table: TableName) -> bool:
        return any(str(found.pointer).startswith(f"/{table}/") for found in self.listed)

    def raise_if_any(self) -> None:
        if self.found:
            raise InvalidImport(self.listed, self.found)
