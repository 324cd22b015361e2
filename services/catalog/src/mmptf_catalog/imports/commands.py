"""Import of programmes: checks every row, and writes all of them or none."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal

from mmptf_catalog.decisions.commands import NamedDecisions, named_decisions, record_effects
from mmptf_catalog.decisions.domain import DecisionEffect
from mmptf_catalog.imports import rules
from mmptf_catalog.imports.rules import TABLE, KnownCodes
from mmptf_catalog.imports.schemas import ProgrammeImportQuery, ProgrammeImportReport
from mmptf_catalog.imports.template import STATUSES, PastProgrammeRow, StatusDay
from mmptf_catalog.programmes.commands import fetch_names_of, programme_row
from mmptf_catalog.programmes.domain import CURRENCY, STAGE_OF_STATUS, ProgrammeStatusRecord, StatedProgramme
from mmptf_catalog.programmes.queries import PROGRAMMES
from mmptf_catalog.programmes.rules import effects_of, stated_members
from mmptf_catalog.statuses import ProgrammeStatusSent
from mmptf_common.http.identity import Identity
from mmptf_common.storage.journal import Write
from mmptf_common.storage.records import put, submission
from mmptf_common.wire.money import money
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import ErrorDetail, error_detail
from mmptf_common.wire.raw_rows import RawRow
from mmptf_common.wire.sources import SourceRef
from mmptf_common.wire.stored_records import whole_record
from mmptf_common.wire.tables import ImportErrors, read_row, repeated, row_error
from mmptf_common.writes.commands import TURN

Numbered = tuple[int, PastProgrammeRow]


async def import_programmes(
    write: Write, who: Identity, raw: Sequence[RawRow], query: ProgrammeImportQuery
) -> ProgrammeImportReport:
    """Check the rows of a file and write their programmes, one journal entry for each that changes.

    Raises InvalidRequest with every error (row, column, reason); nothing is written then.
    """
    errors = ImportErrors()
    rows = await _read(raw, errors)
    known = await _known_codes(write)
    stored, taken = await _stored(write, [row.code for _, row in rows])
    given = [each for _, row in rows for status in STATUSES for each in getattr(row, status)]
    decisions = await named_decisions(write, [each.decision for each in given])
    first: dict[str, int] = {}
    for n, (number, row) in enumerate(rows):
        if n % TURN == TURN - 1:
            await asyncio.sleep(0)
        if row.code.lower() in first:
            errors.add([repeated(TABLE, number, "code", row.code, first[row.code.lower()])])
        first.setdefault(row.code.lower(), number)
        errors.add(rules.row_errors(number, row, known, write.at.date()))
        errors.add(_decision_errors(number, row, decisions))
        if row.code in stored:
            errors.add(rules.stored_programme_errors(number, row, stored[row.code], decisions.text_of))
        elif cased := taken.get(row.code.lower()):
            detail = f"the code {cased} is taken"
            errors.add([row_error(TABLE, number, "code", ProblemCode.CODE_TAKEN, detail)])
        else:
            errors.add(rules.new_programme_errors(number, row))
    total = sum((row.budget_usd for _, row in rows if row.budget_usd), Decimal("0.00"))
    # Where a row cannot be read, the totals are those of the others.
    if not errors.found:
        errors.add(
            error_detail(code, f"{parameter}: {detail}", parameter=parameter)
            for parameter, detail, code in rules.control_total_errors(
                len(rows), total, {"rows": query.rows, "budget": query.budget}
            )
        )
    if not raw:
        errors.add([error_detail(ProblemCode.NOTHING_TO_IMPORT, "the file has no row")])
    errors.raise_if_any()
    return await _write(write, who, rows, stored, decisions, total)


async def _read(raw: Sequence[RawRow], errors: ImportErrors) -> list[Numbered]:
    """The valid rows with their numbers; adds the errors of the others."""
    found: list[Numbered] = []
    for n, each in enumerate(raw):
        if n % TURN == TURN - 1:
            await asyncio.sleep(0)
        row, wrong = read_row(PastProgrammeRow, each)
        errors.add(wrong)
        if row is not None:
            found.append((each.number, row))
    return found


async def _known_codes(write: Write) -> KnownCodes:
    found = [
        [code for (code,) in await write.connection.fetch(f"SELECT code FROM {rows} ORDER BY code")]
        for rows in ("thematic_area", "objective", "place WHERE kind = 'country'", "organization")
    ]
    return KnownCodes(*found)


async def _stored(write: Write, codes: Sequence[str]) -> tuple[dict[str, StatedProgramme], dict[str, str]]:
    """The programmes that are there with these codes; and those whose codes differ in case alone, or were renamed."""
    found = await write.connection.fetch(
        "SELECT code, stated::text FROM programme WHERE lower(code) = ANY($1::text[])", [c.lower() for c in codes]
    )
    renamed = await write.connection.fetch(
        "SELECT code FROM renamed_code WHERE entity = 'programme' AND lower(code) = ANY($1::text[])",
        [code.lower() for code in codes],
    )
    stored = {code: whole_record(StatedProgramme, stated) for code, stated in found}
    return stored, {code.lower(): code for code in [*(code for (code,) in renamed), *stored]}


def _decision_errors(number: int, row: PastProgrammeRow, decisions: NamedDecisions) -> list[ErrorDetail]:
    return [
        row_error(
            TABLE,
            number,
            status,
            error.code,
            error.detail.partition(": ")[2],
            allowed=error.allowed,
            suggestion=error.suggestion,
        )
        for status in STATUSES
        for given in getattr(row, status)
        for error in decisions.errors(given.decision, given.day if given.precision == "day" else None)
    ]


async def _write(
    write: Write,
    who: Identity,
    rows: Sequence[Numbered],
    stored: Mapping[str, StatedProgramme],
    decisions: NamedDecisions,
    total: Decimal,
) -> ProgrammeImportReport:
    counts: Counter[str] = Counter()
    present: Counter[ProgrammeStatusSent] = Counter()
    changed: list[StatedProgramme] = []
    effects: list[tuple[str | None, DecisionEffect]] = []
    names = await fetch_names_of(write, [*stored.values(), *(rules.content_of(row) for _, row in rows)])
    for n, (_, row) in enumerate(rows):
        if n % TURN == TURN - 1:
            await asyncio.sleep(0)
        before = stored.get(row.code)
        history = _history(write, who, row, before, decisions)
        present[rules.statuses_of(row)[-1].status] += 1
        if before and before.status_history == history:
            counts["unchanged"] += 1
            continue
        base = before or _new_programme(write, who, row, names.place_names)
        programme = base.with_history(history)
        new = [record for record in history if before is None or record not in before.status_history]
        effects += effects_of(programme, new)
        changed.append(programme)
        counts["amended" if before else "created"] += 1
    await put(write, [programme_row(programme, names, write.at) for programme in changed])
    await record_effects(write, effects)
    return ProgrammeImportReport(
        dry_run=False,
        rows=len(rows),
        budget=money(total, CURRENCY),
        created=counts["created"],
        amended=counts["amended"],
        unchanged=counts["unchanged"],
        statuses={status: present[status] for status in STATUSES},
        revision=await write.revision(),
    )


def _note(who: Identity, row: PastProgrammeRow) -> str | None:
    """What is said of the source of a row: what it was taken from, or who stated it."""
    if row.source:
        return row.source
    return f"Stated by {who.organization}." if who.organization else None


def _new_programme(
    write: Write, who: Identity, row: PastProgrammeRow, place_names: Mapping[str, str]
) -> StatedProgramme:
    content = rules.content_of(row)
    path = f"{PROGRAMMES.path}/{row.code}"
    members = [name for name in stated_members(content) if name != "budget_lines"]
    sources: dict[str, SourceRef] = {name: submission(write, path, name, _note(who, row)) for name in members}
    return StatedProgramme.without_content(row.code, row.lead_organization).restated(content, sources, place_names)


def _history(
    write: Write, who: Identity, row: PastProgrammeRow, before: StatedProgramme | None, decisions: NamedDecisions
) -> list[ProgrammeStatusRecord]:
    """The statuses of a row; those that are there already, of the same day and decision, stay as they are."""
    stored = {
        (record.status, record.date, record.date_precision): record
        for record in (before.status_history if before else ())
    }
    reason = f"Taken from: {row.source}" if row.source else "Taken from the records of the Fund."
    found = []
    for status, given in rules.statuses_of(row):
        decision = decisions.text_of(given.decision)
        record = stored.get((status, given.day, given.precision))
        if record is None or decision not in (None, record.decision):
            record = _record(write, who, row, status, given, reason, decision)
        found.append(record)
    return found


def _record(
    write: Write,
    who: Identity,
    row: PastProgrammeRow,
    status: ProgrammeStatusSent,
    given: StatusDay,
    reason: str,
    decision: str | None,
) -> ProgrammeStatusRecord:
    return ProgrammeStatusRecord(
        status=status,
        stage=STAGE_OF_STATUS[status],
        date=given.day,
        date_precision=given.precision,
        reason=reason,
        decision=decision,
        verified=False,
        sources=[submission(write, f"{PROGRAMMES.path}/{row.code}", "status", _note(who, row))],
    )
