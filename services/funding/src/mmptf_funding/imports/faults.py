"""What is wrong with an import: faults named by table, row and column, and the problem that lists them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mmptf_common.wire.problems import Fault, InvalidRequest, fault, near
from mmptf_funding.imports.template import TableName

# A report of more faults than anybody reads is cut; how many there are in all is said.
MAX_FAULTS = 1000


def row_fault(table: TableName, number: int, column: str, code: str, detail: str, **more: Any) -> Fault:
    """One thing that is wrong with one cell; the pointer is /table/row/column."""
    return fault(
        code, f"{table}, row {number}, column {column}: {detail}", pointer=f"/{table}/{number}/{column}", **more
    )


def file_fault(code: str, detail: str, **more: Any) -> InvalidRequest:
    """Something that is wrong with a file as a whole."""
    return InvalidRequest([fault(code, detail, **more)])


def not_in(table: TableName, row: int, column: str, given: str, allowed: Iterable[str]) -> Fault:
    """A code that the vocabulary does not have, with the nearest one that it has."""
    known = list(allowed)
    meant = near(given, known)
    hint = f"; did you mean {meant}?" if meant else ""
    few = known if len(known) <= 30 else None
    takes = f"; it takes {', '.join(known)}" if few and not meant else ""
    return row_fault(
        table, row, column, "unknown_code", f"{shown(given)} is not known here{hint}{takes}", allowed=few,
        suggestion=meant,
    )  # fmt: skip


def shown(value: str | None) -> str:
    """A value as a fault shows it: quoted, and no longer than a line."""
    return repr((value or "")[:64])


def other_edition(table: TableName, row: int, named: str, edition: str) -> list[Fault]:
    """A row of another edition than the one that is imported."""
    if named == edition:
        return []
    return [row_fault(table, row, "edition", "other_edition", f"{named!r}, and this import is of {edition}")]


def taken(table: TableName, row: int, code: str, edition: str) -> Fault:
    """A code that a record of another edition has."""
    return row_fault(table, row, "code", "code_of_other_edition", f"{code} belongs to {edition}")


def repeated(table: TableName, row: int, column: str, value: object, first: int) -> Fault:
    """What an earlier row of the same file has already."""
    return row_fault(table, row, column, "repeated_row", f"{value} is in row {first} already")


class InvalidImport(InvalidRequest):
    """422: what is wrong with the rows of an import; nothing was written."""

    code = "invalid_import"
    title = "The import is not valid"

    def __init__(self, faults: list[Fault], found: int) -> None:
        super().__init__(faults)
        listed = "" if found == len(faults) else f", of which the first {len(faults)} are listed"
        self.detail = f"{found} {'fault' if found == 1 else 'faults'}{listed}; nothing was written."
        self.code = "invalid_import"


class Faults:
    """The faults of an import as they are found: the first of them, and how many there are."""

    def __init__(self) -> None:
        self.listed: list[Fault] = []
        self.found = 0

    def add(self, faults: Iterable[Fault]) -> None:
        for found in faults:
            self.found += 1
            if len(self.listed) < MAX_FAULTS:
                self.listed.append(found)

    def any_of(self, table: TableName) -> bool:
        return any(str(found.pointer).startswith(f"/{table}/") for found in self.listed)

    def refuse(self) -> None:
        if self.found:
            raise InvalidImport(self.listed, self.found)
