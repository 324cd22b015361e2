"""Import of ledger entries of earlier years: each row is entered as an entry, all of them or none."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from mmptf_common.storage.journal import Write
from mmptf_common.storage.records import add, moment_text
from mmptf_common.wire.money import money
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import ErrorDetail, ProblemError, error_detail
from mmptf_common.wire.tables import ImportErrors, row_error
from mmptf_funding.imports.ledger_rows import TABLE, LedgerRow, error_in_row, totals_of
from mmptf_funding.imports.schemas import ImportedEntry, ImportedTotal, LedgerImportReport
from mmptf_funding.ledger.commands import enter
from mmptf_funding.ledger.domain import CURRENCY
from mmptf_funding.models import ImportedEntryRow
from mmptf_funding.settings import FundingSettings


async def import_entries(
    write: Write, rows: Sequence[LedgerRow], settings: FundingSettings, errors: ImportErrors
) -> LedgerImportReport:
    """Enter rows in their order; those that were imported before are left as they are.

    Raises InvalidRequest with those errors that were found before, or else with the errors of all rows; nothing is
    written then.
    """
    # Without a row that is wrong in itself, correct ones that follow it would be reported as errors.
    errors.raise_if_any()
    known = await _known(write, rows)
    codes: dict[str, str] = {}
    imported: list[ImportedEntry] = []
    refused: set[str] = set()
    waiting: list[LedgerRow] = []
    awaited: set[str] = set()

    async def enter_waiting() -> None:
        if not waiting:
            return
        entries = [
            row.entry.model_copy(update={"follows": codes.get(row.follows.lower(), row.follows)})
            if row.follows
            else row.entry
            for row in waiting
        ]
        results = await enter(write, entries, settings, partial=True, own_reasons=True)
        for row, result in zip(waiting, results, strict=True):
            if isinstance(result, str):
                codes[row.id.lower()] = result
                imported.append(ImportedEntry(id=row.id, code=result, created=True))
            else:
                refused.add(row.id.lower())
                errors.add(error_in_row(row.number, error) for error in _errors_of(result))
        waiting.clear()
        awaited.clear()

    ids = {row.id.lower() for row in rows}
    for row in rows:
        earlier = row.follows.lower() if row.follows else None
        if stored := known.get(row.id.lower()):
            code, digest = stored
            if digest != digest_of(row):
                detail = f"{row.id} was imported as {code} with other values; an entry is corrected, not changed"
                errors.add([row_error(TABLE, row.number, "id", ProblemCode.CODE_TAKEN, detail)])
            codes[row.id.lower()] = code
            imported.append(ImportedEntry(id=row.id, code=code, created=False))
            continue
        if earlier in awaited:
            # Its code is known once it is entered.
            await enter_waiting()
        if earlier in ids and earlier not in codes:
            said = "is refused" if earlier in refused else "is dated later, or is this row"
            detail = f"the row {row.follows} {said}"
            errors.add([row_error(TABLE, row.number, "follows", ProblemCode.DOES_NOT_FOLLOW, detail)])
            refused.add(row.id.lower())
            continue
        waiting.append(row)
        awaited.add(row.id.lower())
    await enter_waiting()
    errors.raise_if_any()
    by_id = {row.id: row for row in rows}
    await add(write, [_imported_row(write, by_id[each.id], each.code) for each in imported if each.created])
    created = sum(each.created for each in imported)
    return LedgerImportReport(
        dry_run=False,
        created=created,
        unchanged=len(imported) - created,
        totals=[
            ImportedTotal(year=year, kind=by_kind, rows=count, sum=money(amount, CURRENCY))
            for (year, by_kind), (count, amount) in totals_of(rows).items()
        ],
        entries=imported,
        revision=await write.revision(),
    )


def digest_of(row: LedgerRow) -> str:
    """A hash of what a row states, by which it is recognized when it is sent again, whoever sends it."""
    # No row states a proposal: the member is newer than rows that were imported.
    stated = row.entry.model_dump_json(exclude={"recorded_by", "proposal"})
    return hashlib.sha256(f"{row.follows or ''}\n{stated}".encode()).hexdigest()


def _errors_of(problem: ProblemError) -> list[ErrorDetail]:
    return list(problem.errors) or [error_detail(problem.code, problem.detail, pointer="/amount")]


async def _known(write: Write, rows: Sequence[LedgerRow]) -> dict[str, tuple[str, str]]:
    """The entry and the digest of each row of an earlier import, by the row's number in small letters."""
    found = await write.connection.fetch(
        "SELECT lower(code), entry, record->>'digest' FROM imported_entry WHERE lower(code) = ANY($1::text[])",
        [row.id.lower() for row in rows],
    )
    return {number: (entry, digest) for number, entry, digest in found}


def _imported_row(write: Write, row: LedgerRow, code: str) -> ImportedEntryRow:
    return ImportedEntryRow(
        code=row.id,
        entry=code,
        updated=write.at,
        record={"code": row.id, "entry": code, "digest": digest_of(row), "updated": moment_text(write.at)},
    )
