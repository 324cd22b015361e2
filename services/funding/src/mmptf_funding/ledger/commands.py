"""Commands on the ledger: enter, charge the fee of a deposit, reverse. A reversal alone changes an earlier entry."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlmodel import col

from mmptf_common.http.identity import Identity
from mmptf_common.lists.codes import codes_in, find_with, suggest_each
from mmptf_common.lists.listing import Arguments
from mmptf_common.storage.journal import Write, state_reasons
from mmptf_common.storage.records import add_members, put, submission
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import Conflict, Forbidden, ProblemError, raise_if_any
from mmptf_common.writes.commands import TURN, Created, row_of
from mmptf_funding.contributions.commands import contributor_row
from mmptf_funding.contributions.domain import Contributor
from mmptf_funding.contributions.queries import CONTRIBUTORS
from mmptf_funding.ledger import rules
from mmptf_funding.ledger.domain import Answers, Entry, KnownProgramme, Noun, Programme, RecordedEntry
from mmptf_funding.ledger.queries import LEDGER
from mmptf_funding.ledger.schemas import ContributorSent, LedgerEntrySent, LedgerReversalSent
from mmptf_funding.ledger.state import BalanceKey, DailyBalance, LedgerState, balance_keys, number_of
from mmptf_funding.models import LEDGER_ROLLUP_BY_DAY, ContributorRow, EntryRow, ProgrammeRow


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
    if isinstance(answers, Answers):
        known = [answers.with_current_codes(entry) for entry in entries if answers.knows(entry)]
        described = {programme.code for programme in answers.programmes.values()}
    else:
        known = list(entries)
        described = set()
    named = {entry.contributor for entry in entries if entry.contributor}
    before = {code for entry in entries for code in (entry.follows, entry.corrects) if code}
    # Most entries need little of it, and each part is planned anew.
    arguments = Arguments()
    number, contributors, earlier, programmes = await write.connection.fetchrow(
        "SELECT (SELECT coalesce(max(number), 0) FROM ledger_entry), "
        + ", ".join(
            f"ARRAY(SELECT {column} FROM {table} WHERE code = ANY({arguments.bind(sorted(codes))}::text[]))"
            if codes
            else "NULL"
            for column, table, codes in (
                ("code", "contributor", named),
                ("record::text", "ledger_entry", before),
                ("record::text", "programme", described),
            )
        ),
        *arguments,
    )
    contributors = frozenset(contributors or ())
    unknown = [entry.contributor for entry in entries if entry.contributor and entry.contributor not in contributors]
    keys = dict.fromkeys(key for entry in known for key in balance_keys(entry))
    since = min((entry.date for entry in known), default=date.max)
    return LedgerState(
        write=write,
        number=number,
        contributors=contributors,
        meant=await suggest_each(find_with(write.connection, codes_in("contributor")), unknown),
        entries={entry.code: entry for entry in map(RecordedEntry.model_validate_json, earlier or ())},
        programmes={found.code: found for found in map(Programme.model_validate_json, programmes or ())},
        held=await _held(write, entries) if isinstance(answers, ProblemError) else frozenset(),
        balances=await _load_balances(write, keys, since),
    )


async def _load_balances(write: Write, keys: Iterable[BalanceKey], since: date) -> dict[BalanceKey, DailyBalance]:
    """Each balance with its changes on each day from `since` on, and on the day before with all earlier ones.

    With one statement for all.
    """
    wanted: dict[rules.Balance, list[tuple[str | None, ...]]] = {}
    changes: dict[BalanceKey, list[tuple[date, Decimal]]] = {}
    for key in keys:
        wanted.setdefault(key[0], []).append(key[1])
        changes[key] = []
    if not wanted:
        return {}
    arguments = Arguments([since - timedelta(days=1)])
    parts = [_balance_statement(n, balance, wanted[balance], arguments) for n, balance in enumerate(wanted)]
    balances = list(wanted)
    for n, members, day, amount in await write.connection.fetch(" UNION ALL ".join(parts), *arguments):
        changes[balances[n], tuple(members)].append((day, amount))
    return {key: DailyBalance(of_days) for key, of_days in changes.items()}


def _balance_statement(
    number: int, balance: rules.Balance, members: Sequence[tuple[str | None, ...]], arguments: Arguments
) -> str:
    """SQL of what entries change in balances of one kind: the number, the values of their members, day and amount.

    $1: the day before the first one that matters
    """
    # That of the whole Fund would otherwise read all of the ledger.
    table = "ledger_entry" if balance.members else LEDGER_ROLLUP_BY_DAY.table
    plus, kinds = arguments.bind(list(balance.plus)), arguments.bind([*balance.plus, *balance.minus])
    names = ", ".join(balance.members)
    arrays = [f"{arguments.bind([values[n] for values in members])}::text[]" for n in range(len(balance.members))]
    only = f" AND ({names}) IN (SELECT * FROM unnest({', '.join(arrays)}))" if names else ""
    return (
        f"SELECT {number}, ARRAY[{names}]::text[], greatest(date, $1), sum(CASE WHEN kind = ANY({plus}::text[])"
        f" THEN amount ELSE -amount END) FROM {table} WHERE kind = ANY({kinds}::text[]){only}"
        f" GROUP BY {f'{names}, ' if names else ''}greatest(date, $1)"
    )


async def _held(write: Write, entries: Iterable[Entry]) -> frozenset[tuple[Noun, str]]:
    """The catalogue's codes among those of entries that the ledger's entries name, too."""
    wanted: dict[Noun, set[str]] = {}
    for entry in entries:
        for noun, code in entry.catalogue_codes().items():
            wanted.setdefault(noun, set()).add(code)
    held: set[tuple[Noun, str]] = set()
    for noun, codes in wanted.items():
        named = await write.connection.fetch(
            "SELECT given.code FROM unnest($1::text[]) AS given(code)"
            f" WHERE EXISTS (SELECT FROM ledger_entry WHERE {noun} = given.code)",
            sorted(codes),
        )
        held |= {(noun, code) for (code,) in named}
    return frozenset(held)


async def _store(state: LedgerState) -> None:
    """Store what is new in the state."""
    write = state.write
    programmes = [KnownProgramme(**new.model_dump(), updated=write.at) for new in state.new_programmes.values()]
    await put(
        write, [ProgrammeRow(code=p.code, updated=p.updated, record=p.model_dump(mode="json")) for p in programmes]
    )
    await add_members(write, EntryRow, [_columns_of(entry) for entry in state.new_entries])
    state.new_programmes.clear()
    state.new_entries.clear()


def _columns_of(entry: RecordedEntry) -> dict[str, Any]:
    """The columns of an entry's row, without `reversed_by`, which no new entry has."""
    return {
        "code": entry.code,
        "number": number_of(entry.code),
        "kind": entry.kind,
        "date": entry.date,
        "amount": entry.sum.amount,
        "contributor": entry.contributor,
        "programme": entry.programme,
        "organization": entry.organization,
        "thematic_area": entry.thematic_area,
        "category": entry.category,
        "follows": entry.follows,
        "reverses": entry.reverses,
        "corrects": entry.corrects,
        "value_date": entry.value_date,
        "account": entry.account,
        "bank_reference": entry.bank_reference,
        "decision": entry.decision,
        "flags": entry.flags,
        "updated": entry.updated,
        "record": entry.model_dump(mode="json"),
    }


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
