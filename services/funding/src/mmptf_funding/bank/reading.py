"""Reading an uploaded bank statement, camt.053 or CSV, in a process of its own."""

from __future__ import annotations

from typing import IO, Any

from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import InvalidRequest, error_detail
from mmptf_common.wire.tables import ImportErrors, read_row, row_error
from mmptf_common.writes.reading import Gone, messages_of
from mmptf_funding.bank import camt
from mmptf_funding.bank.domain import StatedEntry, StatedStatement, bank_text, references_of
from mmptf_funding.imports.reading import statement_rows_of
from mmptf_funding.imports.template import BankStatementRow

_OF_STATEMENT = ("account", "currency", "date_from", "date_to")
_SAME = ("identification", "opening_balance", "closing_balance")


async def statements_of(file: IO[bytes], *, is_csv: bool, gone: Gone) -> list[StatedStatement]:
    """The statements of a file; raises InvalidRequest for one that cannot be read, as `messages_of` does."""
    return await _of_csv(file, gone) if is_csv else await _of_camt(file, gone)


async def _of_camt(file: IO[bytes], gone: Gone) -> list[StatedStatement]:
    stated: list[tuple[dict[str, Any], list[StatedEntry]]] = []
    async with messages_of(file, camt.__name__, gone=gone) as messages:
        async for kind, members in messages:
            if kind == "statement":
                stated.append((members, []))
            else:
                stated[-1][1].append(StatedEntry.model_validate(members))
    return [StatedStatement(**members, entries=tuple(entries)) for members, entries in stated]


async def _of_csv(file: IO[bytes], gone: Gone) -> list[StatedStatement]:
    """The statements of a CSV: its rows by account and days; what they say of the statement is the same in all."""
    errors = ImportErrors()
    grouped: dict[tuple[object, ...], list[tuple[int, BankStatementRow]]] = {}
    async with statement_rows_of(file, gone=gone) as rows:
        async for raw in rows:
            row, wrong = read_row(BankStatementRow, raw)
            errors.add(wrong)
            if row is not None:
                key = tuple(getattr(row, name) for name in _OF_STATEMENT)
                grouped.setdefault(key, []).append((raw.number, row))
    for found in grouped.values():
        first_number, first = found[0]
        for number, row in found:
            errors.add(
                row_error(
                    row.table, number, name, ProblemCode.DOES_NOT_MATCH,
                    f"row {first_number} of the same statement has {getattr(first, name)}",
                )
                for name in _SAME
                if getattr(row, name) != getattr(first, name)
            )  # fmt: skip
            stated = (row.booking_date is not None, row.amount is not None)
            if stated[0] != stated[1] or not (stated[0] or len(found) == 1):
                errors.add(
                    row_error(
                        row.table, number, name, ProblemCode.EMPTY_CELL, "an entry has a booking date and an amount"
                    )
                    for name, is_stated in zip(("booking_date", "amount"), stated, strict=True)
                    if not is_stated
                )
    errors.raise_if_any()
    if not grouped:
        raise InvalidRequest([error_detail(ProblemCode.NOT_A_STATEMENT, "the file has no statement")])
    return [_statement([row for _, row in found], found[0][0]) for found in grouped.values()]


def _statement(rows: list[BankStatementRow], number: int) -> StatedStatement:
    first = rows[0]
    return StatedStatement(
        pointer=f"/bank-statement/{number}",
        account=first.account,
        currency=first.currency,
        identification=first.identification,
        date_from=first.date_from,
        date_to=first.date_to,
        opening=first.opening_balance,
        closing=first.closing_balance,
        entries=tuple(
            StatedEntry(
                position=position,
                booking_date=row.booking_date,
                value_date=row.value_date or row.booking_date,
                amount=row.amount,
                references=references_of([row.bank_reference, *row.other_references]),
                counterparty=bank_text(row.counterparty, 300),
                counterparty_account=bank_text(row.counterparty_account, 64),
                text=bank_text(row.text),
            )
            for position, row in enumerate((row for row in rows if row.amount is not None), start=1)
            if row.booking_date is not None and row.amount is not None
        ),
    )
