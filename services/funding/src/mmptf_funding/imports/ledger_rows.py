"""Rules for rows of ledger entries: their members, their order, and the control totals that they add up to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, get_args

from pydantic import ValidationError

from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import ErrorDetail, reason_of
from mmptf_common.wire.raw_rows import RawRow
from mmptf_common.wire.tables import ImportErrors, read_row, repeated, row_error
from mmptf_funding.imports.template import ControlTotalRow, LedgerEntryRow, TableName
from mmptf_funding.ledger.domain import Entry, LedgerEntryKindSent
from mmptf_funding.ledger.schemas import LedgerEntrySent

TABLE: TableName = "ledger-entries"
# The members with members of their own: column -> path.
_WITHIN: Mapping[str, tuple[str, str]] = {
    "original_amount": ("original", "amount"),
    "original_currency": ("original", "currency"),
    **{name: ("original", name) for name in ("rate", "rate_date", "rate_source")},
    "fee_amount": ("fee", "amount"),
    "fee_reason": ("fee", "reason"),
}
_COLUMNS = {"/".join(path): column for column, path in _WITHIN.items()}
# Entries of one day are entered in the order of the stages of money.
_RANK = {kind: n for n, kind in enumerate(get_args(LedgerEntryKindSent.__value__))}
# Year and kind -> number of rows, and their sum.
Totals = dict[tuple[int, str], tuple[int, Decimal]]


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """A row whose members are valid by themselves.

    follows: the `id` of an earlier row or the code of a stored entry; the entry has none yet
    """

    number: int
    id: str
    entry: Entry
    follows: str | None

    @property
    def amount(self) -> Decimal:
        return abs(self.entry.sum.amount)


def read_rows(raws: Iterable[RawRow], recorded_by: str | None, errors: ImportErrors) -> list[LedgerRow]:
    """The valid rows in the order in which they are entered; adds the errors of the others."""
    found: list[LedgerRow] = []
    first: dict[str, int] = {}
    for raw in raws:
        row, wrong = read_row(LedgerEntryRow, raw)
        errors.add(wrong)
        if row is None:
            continue
        if row.id.lower() in first:
            errors.add([repeated(TABLE, raw.number, "id", row.id, first[row.id.lower()])])
        first.setdefault(row.id.lower(), raw.number)
        try:
            sent = LedgerEntrySent.model_validate(_members(row))
        except ValidationError as error:
            errors.add(_invalid(raw.number, each) for each in error.errors(include_url=False))
            continue
        found.append(LedgerRow(raw.number, row.id, sent.entry(recorded_by), row.follows))
    return sorted(found, key=lambda each: (each.entry.date, _RANK[each.entry.kind], each.number))


def _members(row: LedgerEntryRow) -> dict[str, Any]:
    """The members of an entry that is sent; `follows` is known once the row before it is entered."""
    members: dict[str, Any] = {}
    for name, value in row.model_dump(exclude={"id", "follows"}, exclude_none=True).items():
        if path := _WITHIN.get(name):
            members.setdefault(path[0], {})[path[1]] = value
        else:
            members[name] = int(value) if name == "tranche" and value.isascii() and value.isdigit() else value
    return members


def column_of(pointer: str) -> str:
    """The column of a member of an entry, from its JSON pointer."""
    path = pointer.strip("/")
    return _COLUMNS.get(path, path.partition("/")[0]) or "id"


def _invalid(number: int, error: Any) -> ErrorDetail:
    column = column_of("/".join(map(str, error["loc"])))
    code = ProblemCode.EMPTY_CELL if error["type"] == "missing" else ProblemCode.INVALID_VALUE
    return row_error(TABLE, number, column, code, reason_of(error))


def error_in_row(number: int, error: ErrorDetail) -> ErrorDetail:
    """An error of an entry as that of the row and the column that it came from."""
    column = column_of(error.pointer or "")
    found = row_error(TABLE, number, column, error.code, error.detail.removeprefix(f"{error.pointer}: "))
    return found.model_copy(update={"allowed": error.allowed, "suggestion": error.suggestion})


def totals_of(rows: Iterable[LedgerRow]) -> Totals:
    """What rows add up to, by year and kind."""
    numbers: Counter[tuple[int, str]] = Counter()
    sums: dict[tuple[int, str], Decimal] = {}
    for row in rows:
        key = row.entry.date.year, row.entry.kind
        numbers[key] += 1
        sums[key] = sums.get(key, Decimal(0)) + row.amount
    return {key: (numbers[key], sums[key]) for key in sorted(sums)}


def read_control_totals(raws: Iterable[RawRow], errors: ImportErrors) -> list[tuple[int, ControlTotalRow]]:
    """The control totals of a workbook, with the numbers of their rows; adds the errors of the others."""
    found = []
    for raw in raws:
        row, wrong = read_row(ControlTotalRow, raw)
        errors.add(wrong)
        if row is not None:
            found.append((raw.number, row))
    return found


def control_errors(rows: Sequence[LedgerRow], stated: Sequence[tuple[int, ControlTotalRow]]) -> list[ErrorDetail]:
    """An error for each year and kind whose rows are not what the control total says, and where there is none."""
    totals = totals_of(rows)
    found = []
    for number, row in stated:
        count, amount = totals.pop((row.year, row.kind), (0, Decimal(0)))
        for column, expected, actual in (("rows", row.rows, count), ("amount", row.amount, amount)):
            if expected != actual:
                detail = f"{row.year}, {row.kind}: {expected} is stated, and the rows have {actual}"
                found.append(row_error(row.table, number, column, ProblemCode.TOTAL_DOES_NOT_MATCH, detail))
    found += [
        row_error("control-totals", 1, "year", ProblemCode.ROW_LEFT_OUT, f"{year}, {kind}: no control total is stated")
        for year, kind in totals
    ]
    return found
