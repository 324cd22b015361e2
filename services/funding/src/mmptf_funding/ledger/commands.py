"""Commands on the ledger: enter, charge the fee of a deposit, reverse. A reversal alone changes an earlier entry."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import col

from mmptf_common.http.identity import Identity
from mmptf_common.lists.codes import codes_in, find_with, suggest_each
from mmptf_common.storage.engines import driver_connection
from mmptf_common.storage.journal import Write, state_reasons
from mmptf_common.storage.records import add, put, submission
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import Conflict, Forbidden, ProblemError, raise_if_any
from mmptf_common.wire.suggestions import Suggestion
from mmptf_common.writes.commands import TURN, Created, row_of
from mmptf_funding.contributions.commands import contributor_row
from mmptf_funding.contributions.domain import Contributor
from mmptf_funding.contributions.queries import CONTRIBUTORS
from mmptf_funding.ledger import rules
from mmptf_funding.ledger.domain import Answers, Entry, KnownProgramme, Noun, Programme, RecordedEntry
from mmptf_funding.ledger.queries import LEDGER
from mmptf_funding.ledger.schemas import ContributorSent, LedgerEntrySent, LedgerReversalSent
from mmptf_funding.ledger.state import BalanceKey, DailyBalance, LedgerState, balance_keys, number_of
from mmptf_funding.models import ContributorRow, EntryRow, ProgrammeRow


def entries_of(who: Identity, sent: Iterable[LedgerEntrySent]) -> list[Entry | Forbidden]:
    """The entries that were sent, in their order; in place of each that the caller may not write, the error."""
    return [
        entry.entry(recorded_by=who.organization)
        if rules.may_write(who, entry.kind, entry.organization)
        else Forbidden(f"{entry.kind}: entered by {rules.writers(entry.kind)}.")
        for entry in sent
    ]


async def enter(
    write: Write,
    entries: Sequence[Entry | Forbidden],
    answers: Answers | ProblemError,
    *,
    partial: bool = False,
    own_reasons: bool = False,
) -> list[str | ProblemError]:
    """Write entries in their order, with the fees that follow deposits; returns the code or the error of each.

    answers: the catalogue's answers for the codes that the entries name, or the error that prevented them
    partial: write the others where some are refused, else none
    own_reasons: the reason of each entry's changes is its note; else that of the write
    An entry is checked after those before it that are not refused. The errors are Forbidden, InvalidRequest for an
    invalid entry, and Conflict where a balance would fall below zero. Raises the error of the catalogue where the
    ledger does not have the codes either.
    """
    state = await _load_state(write, [entry for entry in entries if isinstance(entry, Entry)], answers)
    results: list[str | ProblemError] = []
    reasons: dict[str, dict[str, str]] = {"ledger_entry": {}, "programme": {}}
    for n, entry in enumerate(entries):
        if n % TURN == TURN - 1:
            await asyncio.sleep(0)
        if isinstance(entry, Forbidden):
            results.append(entry)
            continue
        entries_before, programmes_before = len(state.new_entries), len(state.new_programmes)
        try:
            results.append((await state.enter(entry, answers)).code)
        except ProblemError as problem:
            if problem.status >= 500:
                # Not an error of the entry: the caller has to send all of them again.
                raise
            results.append(problem)
        else:
            if entry.note is not None:
                reasons["ledger_entry"] |= {new.code: entry.note for new in state.new_entries[entries_before:]}
                reasons["programme"] |= dict.fromkeys([*state.new_programmes][programmes_before:], entry.note)
    if partial or all(isinstance(result, str) for result in results):
        if own_reasons:
            await state_reasons(write, reasons)
        await _store(state)
    return results


async def reverse(write: Write, who: Identity, code: str, sent: LedgerReversalSent) -> Created:
    """Reverse an entry from a day on; for a deposit, its fee as well. The reversed entries name their reversals."""
    row = await row_of(write, EntryRow, LEDGER, code)
    entry = _recorded(row)
    if not rules.may_write(who, entry.kind, entry.organization):
        raise Forbidden(f"{entry.kind}: reversed by {rules.writers(entry.kind)}.")
    if entry.reverses:
        raise Conflict(
            f"{code} reverses {entry.reverses}; what was right is entered anew.", code=ProblemCode.NOT_REVERSIBLE
        )
    if entry.reversed_by:
        raise Conflict(f"{code} was reversed by {entry.reversed_by}.", code=ProblemCode.NOT_REVERSIBLE)
    day = date.fromisoformat(sent.date)
    raise_if_any(rules.reversal_errors(entry, day, write.at.date()))
    resting = await _resting_entries(write, code)
    if others := [other.code for other in resting if other.kind != "agent_fee"]:
        raise Conflict(f"{', '.join(others)} rests on {code}; reverse it first.", code=ProblemCode.NOT_REVERSIBLE)
    state = await _load_state(write, [entry, *map(_recorded, resting)])
    flags = state.flags_of_reversal(entry, day)
    reversal = state.append(rules.reversal_of(entry, day, sent.reason, who.organization), flags=flags)
    await _name_reversal(state, row, reversal)
    for fee in resting:
        reversed_fee = state.append(rules.reversal_of(_recorded(fee), day, sent.reason, who.organization))
        await _name_reversal(state, fee, reversed_fee)
    state.require_balances(reversal)
    return Created(LEDGER, reversal.code)


async def add_contributor(write: Write, sent: ContributorSent) -> Created:
    """Add a contributor; raises Conflict when the code is taken."""
    alike = sa.func.lower(col(ContributorRow.code)) == sent.code.lower()
    if taken := await write.session.scalar(sa.select(col(ContributorRow.code)).where(alike).limit(1)):
        raise Conflict(f"{taken} is listed already.", code=ProblemCode.CODE_TAKEN)
    contributor = Contributor(
        code=sent.code,
        name=sent.name,
        as_printed=sent.name,
        type=sent.type,
        country=sent.country,
        sources=[submission(write, f"{CONTRIBUTORS.path}/{sent.code}", "name")],
    )
    raise_if_any(rules.contributor_errors(contributor))
    write.session.add(contributor_row(contributor, write.at))
    return Created(CONTRIBUTORS, sent.code)


async def _load_state(
    write: Write, entries: Sequence[Entry], answers: Answers | ProblemError | None = None
) -> LedgerState:
    """The part of the ledger that entries depend on which are to be added.

    answers: the catalogue's answers for the codes that the entries name, or the error that prevented them
    """
    session = write.session
    number = await session.scalar(sa.select(sa.func.coalesce(sa.func.max(col(EntryRow.number)), 0)))
    contributors: frozenset[str] = frozenset()
    meant: dict[str, Suggestion | None] = {}
    if named := [entry.contributor for entry in entries if entry.contributor]:
        contributors = frozenset(await session.scalars(sa.select(col(ContributorRow.code))))
        find = find_with(await driver_connection(session), codes_in("contributor"))
        meant = await suggest_each(find, [code for code in named if code not in contributors])
    earlier: Iterable[Any] = ()
    if followed := {entry.follows for entry in entries if entry.follows}:
        earlier = await session.scalars(sa.select(col(EntryRow.record)).where(_among(col(EntryRow.code), followed)))
    programmes: Iterable[Any] = ()
    if isinstance(answers, Answers):
        known = [answers.with_current_codes(entry) for entry in entries if answers.knows(entry)]
        if described := {programme.code for programme in answers.programmes.values()}:
            stored = sa.select(col(ProgrammeRow.record)).where(_among(col(ProgrammeRow.code), described))
            programmes = await session.scalars(stored)
    else:
        known = list(entries)
    keys = dict.fromkeys(key for entry in known for key in balance_keys(entry))
    return LedgerState(
        write=write,
        number=int(number or 0),
        contributors=contributors,
        meant=meant,
        entries={entry.code: entry for entry in map(RecordedEntry.model_validate, earlier)},
        programmes={programme.code: programme for programme in map(Programme.model_validate, programmes)},
        held=await _held(write, entries) if isinstance(answers, ProblemError) else frozenset(),
        balances=await _load_balances(write, keys),
    )


def _among(column: Any, values: Iterable[str | None]) -> sa.ColumnElement[bool]:
    return column == sa.func.any(sa.cast(sorted(value for value in values if value), ARRAY(sa.Text)))  # type: ignore[no-any-return]


async def _load_balances(write: Write, keys: Iterable[BalanceKey]) -> dict[BalanceKey, DailyBalance]:
    """Each balance with its changes on each day; with one statement for all of the same kinds."""
    wanted: dict[rules.Balance, list[tuple[str | None, ...]]] = {}
    for balance, values in keys:
        wanted.setdefault(balance, []).append(values)
    found: dict[BalanceKey, DailyBalance] = {}
    for balance, members in wanted.items():
        names = ", ".join(balance.members)
        arrays = ", ".join(f"CAST(:{name} AS text[])" for name in balance.members)
        only = f" AND ({names}) IN (SELECT * FROM unnest({arrays}))" if names else ""
        columns = f"{names}, date" if names else "date"
        days = await write.session.execute(
            sa.text(
                f"SELECT {columns}, sum(CASE WHEN kind = ANY(:plus) THEN amount ELSE -amount END) FROM ledger_entry"
                f" WHERE kind = ANY(:kinds){only} GROUP BY {columns}"
            ).bindparams(
                sa.bindparam("plus", list(balance.plus), type_=ARRAY(sa.Text)),
                sa.bindparam("kinds", [*balance.plus, *balance.minus], type_=ARRAY(sa.Text)),
                *(
                    sa.bindparam(name, [values[n] for values in members], type_=ARRAY(sa.Text))
                    for n, name in enumerate(balance.members)
                ),
            )
        )
        changes: dict[tuple[str | None, ...], list[tuple[date, Decimal]]] = {values: [] for values in members}
        for *of_members, day, amount in days:
            changes[tuple(of_members)].append((day, amount))
        found |= {(balance, values): DailyBalance(of_days) for values, of_days in changes.items()}
    return found


async def _held(write: Write, entries: Iterable[Entry]) -> frozenset[tuple[Noun, str]]:
    """The catalogue's codes among those of entries that the ledger's entries name, too."""
    wanted: dict[Noun, set[str]] = {}
    for entry in entries:
        for noun, code in entry.catalogue_codes().items():
            wanted.setdefault(noun, set()).add(code)
    held: set[tuple[Noun, str]] = set()
    for noun, codes in wanted.items():
        named = await write.session.scalars(
            sa.text(
                "SELECT given.code FROM unnest(CAST(:codes AS text[])) AS given(code)"
                f" WHERE EXISTS (SELECT FROM ledger_entry WHERE {noun} = given.code)"
            ).bindparams(sa.bindparam("codes", sorted(codes), type_=ARRAY(sa.Text)))
        )
        held |= {(noun, code) for code in named}
    return frozenset(held)


async def _store(state: LedgerState) -> None:
    """Store what is new in the state."""
    write = state.write
    programmes = [KnownProgramme(**new.model_dump(), updated=write.at) for new in state.new_programmes.values()]
    await put(
        write, [ProgrammeRow(code=p.code, updated=p.updated, record=p.model_dump(mode="json")) for p in programmes]
    )
    await add(write, [_row_of(entry) for entry in state.new_entries])
    state.new_programmes.clear()
    state.new_entries.clear()


def _row_of(entry: RecordedEntry) -> EntryRow:
    return EntryRow(
        code=entry.code,
        number=number_of(entry.code),
        kind=entry.kind,
        date=entry.date,
        amount=entry.sum.amount,
        contributor=entry.contributor,
        programme=entry.programme,
        organization=entry.organization,
        thematic_area=entry.thematic_area,
        category=entry.category,
        follows=entry.follows,
        reverses=entry.reverses,
        flags=list(entry.flags),
        updated=entry.updated,
        record=entry.model_dump(mode="json"),
    )


async def _name_reversal(state: LedgerState, row: EntryRow, reversal: RecordedEntry) -> None:
    """Store a reversal, and name it in the row and the record of the entry that it reverses."""
    await _store(state)
    at = state.write.at
    named = _recorded(row).model_copy(update={"reversed_by": reversal.code, "updated": at})
    row.reversed_by, row.updated, row.record = reversal.code, at, named.model_dump(mode="json")
    await state.write.session.flush()


def _recorded(row: EntryRow) -> RecordedEntry:
    return RecordedEntry.model_validate(row.record)


async def _resting_entries(write: Write, code: str) -> list[EntryRow]:
    """The rows of the entries that follow an entry and are not reversed themselves."""
    rows = await write.session.scalars(
        sa.select(EntryRow)
        .where(col(EntryRow.follows) == code, col(EntryRow.reverses).is_(None), col(EntryRow.reversed_by).is_(None))
        .order_by(col(EntryRow.code))
    )
    return list(rows)
