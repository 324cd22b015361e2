"""Commands on the ledger: enter, with what follows from a deposit, reverse, correct.

Only a reversal and a correction change an earlier entry, and of it only the codes of what came after it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlmodel import col

from mmptf_common.http.identity import Identity
from mmptf_common.lists.codes import codes_in, find_with, suggest_each
from mmptf_common.lists.listing import Arguments
from mmptf_common.storage.journal import Write, state_reasons
from mmptf_common.storage.records import add_members, submission
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import Conflict, Forbidden, ProblemError, raise_if_any
from mmptf_common.wire.stored_records import whole_record
from mmptf_common.writes.commands import TURN, Created, row_of
from mmptf_funding.contributions.commands import contributor_row
from mmptf_funding.contributions.domain import Contributor
from mmptf_funding.contributions.queries import CONTRIBUTORS
from mmptf_funding.ledger import lifecycle, rules
from mmptf_funding.ledger.catalogue import known_codes
from mmptf_funding.ledger.domain import Entry, RecordedEntry
from mmptf_funding.ledger.programmes import NO_CODES, CatalogueCodes
from mmptf_funding.ledger.queries import LEDGER, settled_amount
from mmptf_funding.ledger.schemas import ContributorSent, LedgerCorrectionSent, LedgerEntrySent, LedgerReversalSent
from mmptf_funding.ledger.state import (
    BalanceKey,
    DailyBalance,
    DayOfTransfers,
    LedgerState,
    Settlement,
    checked_keys,
    day_of_transfers,
    number_of,
    reference_key,
)
from mmptf_funding.models import LEDGER_ROLLUP_BY_DAY, ContributorRow, EntryRow
from mmptf_funding.settings import FundingSettings

# What deposits settle and amendments change of commitments, by day and in the currency of each.
# $1: the first codes of the commitments; $2, $3: their currencies, and their amounts in them; $4: in US dollars
_SETTLED = f"""
    SELECT given.code, later.kind, later.date, sum({settled_amount("later", "given")}) AS amount
      FROM unnest($1::text[], $2::text[], $3::numeric[], $4::numeric[]) AS given(code, own_currency, own_amount, amount)
     CROSS JOIN LATERAL (SELECT given.code AS named UNION SELECT code FROM ledger_entry WHERE replaces[1] = given.code)
             AS standing
      JOIN ledger_entry AS later ON later.follows = standing.named COLLATE "default"
                                AND later.kind IN ('commitment_amendment', 'deposit')
     GROUP BY 1, 2, 3"""


def entries_of(who: Identity, sent: Iterable[LedgerEntrySent]) -> list[Entry | Forbidden]:
    """The entries that were sent, in their order; in place of each that the caller may not write, the error."""
    return [
        entry.entry(recorded_by=who.organization)
        if rules.may_write(who, entry.kind, entry.organization)
        else Forbidden(rules.not_written_by(entry.kind))
        for entry in sent
    ]


async def enter(
    write: Write,
    entries: Sequence[Entry | Forbidden],
    settings: FundingSettings,
    *,
    partial: bool = False,
    own_reasons: bool = False,
) -> list[str | ProblemError]:
    """Write entries in their order, with the fees that follow deposits; returns the code or the error of each.

    partial: write the others where some are refused, else none
    own_reasons: the reason of each entry's changes is its note; else that of the write
    An entry is checked after those before it that are not refused. The errors are Forbidden, InvalidRequest for an
    invalid entry, and Conflict where a second person has to approve it, or a balance would fall below zero. Raises
    ServiceUnavailable where entries name codes of the catalogue, and its copy is not complete or too old.
    """
    named = [entry for entry in entries if isinstance(entry, Entry)]
    state = await _load_state(write, named, await known_codes(write.connection, named, settings))
    results: list[str | ProblemError] = []
    reasons: dict[str, dict[str, str]] = {"ledger_entry": {}}
    for n, entry in enumerate(entries):
        if n % TURN == TURN - 1:
            await asyncio.sleep(0)
        if isinstance(entry, Forbidden):
            results.append(entry)
            continue
        before = len(state.new_entries)
        try:
            results.append((await state.enter(entry)).code)
        except ProblemError as problem:
            results.append(problem)
        else:
            if entry.note is not None:
                reasons["ledger_entry"] |= {new.code: entry.note for new in state.new_entries[before:]}
    if partial or all(isinstance(result, str) for result in results):
        if own_reasons:
            await state_reasons(write, reasons)
        await _store(state)
    return results


async def check(write: Write, entry: Entry, settings: FundingSettings) -> RecordedEntry:
    """The entry that `enter` would write now, with its flags; nothing is written. Raises what `enter` returns."""
    state = await _load_state(write, [entry], await known_codes(write.connection, [entry], settings))
    return await state.enter(entry)


async def reverse(write: Write, who: Identity, code: str, sent: LedgerReversalSent) -> Created:
    """Reverse an entry from a day on; for a deposit, what was entered with it as well.

    The reversed entries name their reversals.
    """
    row = await row_of(write, EntryRow, LEDGER, code)
    entry = _recorded(row)
    await _require_reversible(write, who, entry)
    day = date.fromisoformat(sent.date)
    raise_if_any(rules.reversal_errors(entry, day, write.at.date()))
    resting = await _resting_rows(write, [entry])
    if others := [other.code for other in resting if other.kind not in rules.DERIVED]:
        raise Conflict(f"{', '.join(others)} rests on {code}; reverse it first.", code=ProblemCode.NOT_REVERSIBLE)
    reversals = [
        (each, rules.reversal_of(_recorded(each), day, sent.reason, who.organization)) for each in (row, *resting)
    ]
    state = await _load_state(write, reversals=[reversal for _, reversal in reversals])
    reversed_rows = [
        (each, state.append(reversal, flags=state.flags_of_reversal(reversal))) for each, reversal in reversals
    ]
    await _store_reversals(state, reversed_rows)
    first = reversed_rows[0][1]
    state.require_balances(first)
    return Created(LEDGER, first.code)


async def correct(
    write: Write,
    who: Identity,
    code: str,
    sent: LedgerCorrectionSent,
    right: Entry,
    settings: FundingSettings,
) -> Created:
    """Reverse a wrong entry and enter the right one in its place, on which rests what rested on the wrong one.

    What followed from a deposit is reversed and entered anew with it, and so are the exchange differences of the
    deposits of a commitment, where they change. Every other entry stays as it was written.
    right: what takes its place
    """
    row = await row_of(write, EntryRow, LEDGER, code)
    wrong = _recorded(row)
    await _require_reversible(write, who, wrong)
    if wrong.kind in rules.DERIVED:
        raise Conflict(f"{code} follows from {wrong.follows}; correct that.", code=ProblemCode.NOT_REVERSIBLE)
    day = date.fromisoformat(sent.reversal_date)
    resting = await _resting_rows(write, [wrong])
    followers = [_recorded(each) for each in resting if each.kind not in rules.DERIVED]
    raise_if_any(
        rules.reversal_errors(wrong, day, write.at.date(), "/reversal_date")
        + rules.correction_errors(wrong, right, day, followers)
    )
    right = right.model_copy(update={"replaces": (*wrong.replaces, code)})
    reversals = [
        (each, rules.reversal_of(_recorded(each), day, sent.reason, who.organization))
        for each in (row, *resting)
        if each is row or each.kind in rules.DERIVED
    ]
    settled = {wrong.first_code: right} if wrong.kind == "commitment" else {}
    catalogue = await known_codes(write.connection, [right], settings)
    state = await _load_state(write, [right], catalogue, [reversal for _, reversal in reversals], settled)
    # Whether the right entry exceeds anything is said of that one.
    reversed_rows = [(each, state.append(reversal)) for each, reversal in reversals]
    recorded = await state.enter(right)
    if wrong.kind == "commitment":
        deposits = [follower for follower in followers if follower.kind == "deposit"]
        reversed_rows += await _settle_anew(state, recorded, deposits, day, sent.reason, who.organization)
    row.replaced_by = recorded.code
    await _store_reversals(state, reversed_rows)
    state.require_balances(reversed_rows[0][1])
    return Created(LEDGER, recorded.code)


async def _settle_anew(
    state: LedgerState,
    commitment: RecordedEntry,
    deposits: Sequence[RecordedEntry],
    day: date,
    reason: str,
    recorded_by: str | None,
) -> list[tuple[EntryRow, RecordedEntry]]:
    """Add reversals of the exchange differences of deposits, and those at the rate of a corrected commitment.

    Returns the reversals with the rows that they reverse; what stays the same is left as it is. day: of both at first
    """
    found = []
    rows = {row.follows: row for row in await _resting_rows(state.write, deposits) if row.kind == "exchange_difference"}
    for deposit in deposits:
        row, right = rows.get(deposit.code), rules.exchange_difference_of(deposit, commitment)
        if (row and row.amount) == (right and right.sum.amount):
            continue
        since = max(day, deposit.date)
        if row:
            found.append((row, state.append(rules.reversal_of(_recorded(row), since, reason, recorded_by))))
        if right:
            state.append(right.model_copy(update={"date": since, "recorded_by": recorded_by}))
    return found


async def _require_reversible(write: Write, who: Identity, entry: RecordedEntry) -> None:
    """Raise Forbidden or Conflict where a caller may not reverse an entry, or nobody can."""
    if not rules.may_write(who, entry.kind, entry.organization):
        raise Forbidden(f"{entry.kind}: reversed by {rules.writers(entry.kind)}.")
    if entry.reverses:
        raise Conflict(
            f"{entry.code} reverses {entry.reverses}; what was right is entered anew.", code=ProblemCode.NOT_REVERSIBLE
        )
    if entry.reversed_by:
        raise Conflict(f"{entry.code} was reversed by {entry.reversed_by}.", code=ProblemCode.NOT_REVERSIBLE)
    if entry.kind != "refund" and await _certified(write, [entry.programme] if entry.programme else []):
        raise Conflict(
            f"The final figures of {entry.programme} are certified; withdraw the certificate first.",
            code=ProblemCode.FIGURES_CERTIFIED,
        )


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
    write: Write,
    entries: Sequence[Entry] = (),
    catalogue: CatalogueCodes = NO_CODES,
    reversals: Sequence[Entry] = (),
    corrected: Mapping[str, Entry] | None = None,
) -> LedgerState:
    """The part of the ledger that entries depend on which are to be added.

    catalogue: what is known of the codes that the entries name
    reversals: of earlier entries, whose codes are present ones
    corrected: by the first code of a commitment, the entry that will stand for it
    """
    known = [catalogue.with_current_codes(entry) for entry in entries if catalogue.knows(entry)]
    known += reversals
    named = {entry.contributor for entry in entries if entry.contributor}
    before = {code for entry in (*entries, *reversals) for code in (entry.follows, entry.corrects) if code}
    # Most entries need little of it, and each part is planned anew.
    arguments = Arguments()
    number, closed_to, limit, contributors, earlier = await write.connection.fetchrow(
        "SELECT (SELECT coalesce(max(number), 0) FROM ledger_entry),"
        " (SELECT max(last_day) FROM accounting_period WHERE status <> 'open'),"
        f" (SELECT amount FROM transfer_limit WHERE since <= {arguments.bind(write.at.date())}"
        " ORDER BY since DESC, number DESC LIMIT 1), "
        + ", ".join(
            f"ARRAY(SELECT {column} FROM {table} WHERE code = ANY({arguments.bind(sorted(codes))}::text[]))"
            if codes
            else "NULL"
            for column, table, codes in (
                ("code", "contributor", named),
                ("record::text", "ledger_entry", before),
            )
        ),
        *arguments,
    )
    contributors = frozenset(contributors or ())
    unknown = [entry.contributor for entry in entries if entry.contributor and entry.contributor not in contributors]
    keys = dict.fromkeys(key for entry in known for key in (*checked_keys(entry), *lifecycle.keys_read(entry)))
    since = min((entry.date for entry in known), default=date.max)
    reversed_codes = {entry.reverses for entry in reversals}
    followed = {entry.code: entry for entry in (whole_record(RecordedEntry, text) for text in earlier or ())}
    return LedgerState(
        write=write,
        number=number,
        contributors=contributors,
        meant=await suggest_each(find_with(write.connection, codes_in("contributor")), unknown),
        entries=followed,
        catalogue=catalogue,
        certified=await _certified(write, catalogue.programmes),
        balances=await _load_balances(write, keys, since),
        settlements=await _load_settlements(write, (*entries, *reversals), followed, corrected or {}),
        bank_references=await _load_references(write, entries, reversed_codes),
        closed_to=closed_to,
        accounts=await _load_accounts(write, entries),
        limit=limit,
        transfers_of_day={} if limit is None else await _load_transfers(write, known, reversed_codes),
    )


async def _certified(write: Write, programmes: Iterable[str]) -> frozenset[str]:
    """Those of some programmes whose final figures are certified."""
    if not (codes := sorted(programmes)):
        return frozenset()
    rows = await write.connection.fetch(
        "SELECT code FROM closing WHERE code = ANY($1::text[]) AND state = 'certified'", codes
    )
    return frozenset(code for (code,) in rows)


async def _load_references(
    write: Write, entries: Iterable[Entry], without: Collection[str | None]
) -> dict[tuple[str, str], str]:
    """The earliest entries with the references of the bank that entries have, by kind and reference.

    without: the codes of those that are reversed in this write
    """
    given = sorted({entry.bank_reference for entry in entries if entry.bank_reference and reference_key(entry)})
    if not given:
        return {}
    rows = await write.connection.fetch(
        "SELECT kind, bank_reference, code FROM ledger_entry"
        " WHERE lower(bank_reference) = ANY(ARRAY(SELECT lower(given) FROM unnest($1::text[]) AS given))"
        " AND reverses IS NULL AND reversed_by IS NULL ORDER BY number DESC",
        given,
    )
    return {(kind, reference.casefold()): code for kind, reference, code in rows if code not in without}


async def _load_accounts(write: Write, entries: Iterable[Entry]) -> dict[str, str]:
    """The codes of all bank accounts, as of `rules.account_of`; nothing where no entry names an account."""
    if not any(entry.account for entry in entries):
        return {}
    rows = await write.connection.fetch("SELECT code, identification FROM bank_account")
    return {text.lower(): code for code, identification in rows for text in (identification, code)}


async def _load_transfers(
    write: Write, entries: Iterable[Entry], without: Collection[str | None]
) -> dict[DayOfTransfers, Decimal]:
    """What was transferred on the days of some entries, with their parties, and was neither approved nor reversed.

    without: the codes of those that are reversed in this write
    """
    days = dict.fromkeys((day for entry in entries if (day := day_of_transfers(entry))), Decimal("0.00"))
    if not days:
        return {}
    rows = await write.connection.fetch(
        "SELECT programme, organization, date, sum(amount) FROM ledger_entry WHERE kind = 'transfer'"
        " AND (programme, organization, date) IN (SELECT * FROM unnest($1::text[], $2::text[], $3::date[]))"
        " AND reverses IS NULL AND reversed_by IS NULL AND code <> ALL($4::text[]) AND record->>'proposal' IS NULL"
        " GROUP BY 1, 2, 3",
        *map(list, zip(*days, strict=True)),
        sorted(filter(None, without)),
    )
    return days | {(programme, organization, day): amount for programme, organization, day, amount in rows}


async def _load_settlements(
    write: Write, entries: Iterable[Entry], followed: Mapping[str, RecordedEntry], corrected: Mapping[str, Entry]
) -> dict[str, Settlement]:
    """The settlements of the commitments that entries follow, by the first code of each.

    followed: the entries that they follow, by code; corrected: by first code, what will stand for a commitment
    """
    named = {entry.follows for entry in entries if entry.kind in ("commitment_amendment", "deposit")}
    commitments: dict[str, Entry] = {}
    replaced = []
    for entry in followed.values():
        if entry.code in named and entry.kind == "commitment":
            commitments[entry.first_code] = entry
            replaced += [entry.first_code] if entry.replaced_by else []
    if replaced:
        # What follows an entry that was corrected rests on the last one that stands for it.
        for (text,) in await write.connection.fetch(
            "SELECT record::text FROM ledger_entry WHERE replaces[1] = ANY($1::text[]) AND replaced_by IS NULL"
            " AND reverses IS NULL",
            replaced,
        ):
            standing = whole_record(RecordedEntry, text)
            commitments[standing.first_code] = standing
    commitments |= corrected
    settlements = {code: Settlement(commitment) for code, commitment in commitments.items()}
    if not settlements:
        return {}
    promised = [commitment.promised for commitment in commitments.values()]
    for code, kind, day, amount in await write.connection.fetch(
        _SETTLED,
        list(commitments),
        [own.currency for own in promised],
        [own.amount for own in promised],
        [commitment.sum.amount for commitment in commitments.values()],
    ):
        settlement = settlements[code]
        if kind == "commitment_amendment":
            settlement.amended.add(day, amount)
        settlement.unpaid.add(day, amount if kind == "commitment_amendment" else -amount)
    return settlements


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
    # No row is equal to another by null.
    compared = ", ".join(f"coalesce({name}, '')" if name in balance.optional else name for name in balance.members)
    arrays = [
        f"{arguments.bind([values[n] or ('' if name in balance.optional else None) for values in members])}::text[]"
        for n, name in enumerate(balance.members)
    ]
    only = f" AND ({compared}) IN (SELECT * FROM unnest({', '.join(arrays)}))" if names else ""
    return (
        f"SELECT {number}, ARRAY[{names}]::text[], greatest(date, $1), sum(CASE WHEN kind = ANY({plus}::text[])"
        f" THEN amount ELSE -amount END) FROM {table} WHERE kind = ANY({kinds}::text[]){only}"
        f" GROUP BY {f'{names}, ' if names else ''}greatest(date, $1)"
    )


async def _store(state: LedgerState) -> None:
    """Store what is new in the state."""
    await add_members(state.write, EntryRow, [_columns_of(entry) for entry in state.new_entries])
    state.new_entries.clear()


def _columns_of(entry: RecordedEntry) -> dict[str, Any]:
    """The columns of an entry's row, as JSON is made of them; without `reversed_by`, which no new entry has."""
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
        "replaces": entry.replaces or None,
        "value_date": entry.value_date,
        "account": entry.account,
        "bank_reference": entry.bank_reference,
        "decision": entry.decision,
        "flags": entry.flags,
        "updated": entry.updated,
        "record": entry,
    }


async def _store_reversals(state: LedgerState, reversed_rows: Iterable[tuple[EntryRow, RecordedEntry]]) -> None:
    """Store what is new in the state, and name each reversal in the row and the record of the entry that it reverses.

    A row that has the code of what replaces its entry gives it to the record.
    """
    await _store(state)
    at = state.write.at
    for row, reversal in reversed_rows:
        named = {"reversed_by": reversal.code, "replaced_by": row.replaced_by, "updated": at}
        record = _recorded(row).model_copy(update=named).model_dump(mode="json")
        row.reversed_by, row.updated, row.record = reversal.code, at, record
    await state.write.session.flush()


def _recorded(row: EntryRow) -> RecordedEntry:
    return whole_record(RecordedEntry, row.record)


async def _resting_rows(write: Write, entries: Iterable[RecordedEntry]) -> list[EntryRow]:
    """The rows of the entries that follow some entries, or what these stand for, and are not reversed themselves."""
    codes = [code for entry in entries for code in (*entry.replaces, entry.code)]
    rows = await write.session.scalars(
        sa.select(EntryRow)
        .where(col(EntryRow.follows).in_(codes), col(EntryRow.reverses).is_(None), col(EntryRow.reversed_by).is_(None))
        .order_by(col(EntryRow.code))
    )
    return list(rows)
