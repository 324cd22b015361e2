"""Commands on the ledger: enter, charge the fee of a deposit, reverse. A reversal alone changes an earlier entry."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import col

from mmptf_common.http.identity import Identity
from mmptf_common.lists.codes import codes_in, unknown_in
from mmptf_common.storage.journal import Write
from mmptf_common.storage.records import submission
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import Conflict, ErrorDetail, Forbidden, ProblemError, raise_if_any
from mmptf_common.writes.commands import Created, row_of
from mmptf_funding.contributions.commands import contributor_row
from mmptf_funding.contributions.domain import Contributor
from mmptf_funding.contributions.queries import CONTRIBUTORS
from mmptf_funding.ledger import rules
from mmptf_funding.ledger.domain import (
    CURRENCY,
    Answers,
    Entry,
    KnownProgramme,
    LedgerFlag,
    Noun,
    Programme,
    RecordedEntry,
)
from mmptf_funding.ledger.queries import LEDGER
from mmptf_funding.ledger.schemas import ContributorSent, LedgerEntrySent, LedgerReversalSent
from mmptf_funding.models import ContributorRow, EntryRow, ProgrammeRow


def named(sent: Iterable[LedgerEntrySent]) -> list[tuple[Noun, str]]:
    """The catalogue's codes that entries name, with their kinds."""
    return [code for entry in sent for code in entry.entry().catalogue_codes().items()]


async def enter(write: Write, who: Identity, sent: LedgerEntrySent, answers: Answers | ProblemError) -> str:
    """Write one entry, and the fee that follows a deposit; returns its code.

    answers: the catalogue's answers for the codes that the entry names, or the error that prevented them
    Raises Forbidden for a kind that the caller may not write, InvalidRequest for an invalid entry, Conflict where a
    balance would fall below zero, and the catalogue's error where the ledger does not have the codes either.
    """
    if not rules.may_write(who, sent.kind, sent.organization):
        raise Forbidden(f"{sent.kind}: entered by {rules.writers(sent.kind)}.")
    entry = sent.entry(recorded_by=who.organization)
    errors = rules.errors_of(entry, write.at.date())
    errors += await _unknown_contributor(write, entry.contributor)
    if isinstance(answers, ProblemError):
        await _require_held(write, entry, answers)
    else:
        errors += rules.catalogue_errors(entry, answers)
    errors += await _wrong_predecessor(write, entry)
    raise_if_any(errors)
    if isinstance(answers, Answers):
        entry = answers.with_current_codes(entry)
        if sent.programme:
            await _store_programme(write, answers.programmes[sent.programme])
    recorded = await _append(write, entry, flags=await _flags(write, entry))
    if entry.kind == "deposit" and (fee := rules.fee_of(recorded)):
        await _append(write, fee)
    await _require_balances(write, recorded)
    return recorded.code


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
    flags = await _flags_of_reversal(write, entry, day)
    reversal = await _append(write, rules.reversal_of(entry, day, sent.reason, who.organization), flags=flags)
    _name_reversal(write, row, reversal)
    for fee in resting:
        reversed_fee = await _append(write, rules.reversal_of(_recorded(fee), day, sent.reason, who.organization))
        _name_reversal(write, fee, reversed_fee)
    await write.session.flush()
    await _require_balances(write, reversal)
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


async def _append(write: Write, entry: Entry, *, flags: Sequence[LedgerFlag] = ()) -> RecordedEntry:
    """Store an entry under the next code; returns it."""
    number = 1 + int(await write.session.scalar(sa.select(sa.func.coalesce(sa.func.max(col(EntryRow.number)), 0))) or 0)
    code = f"L-{number:06d}"
    recorded = RecordedEntry.of(
        entry.model_copy(update={"flags": tuple(flags)}),
        code=code,
        source=submission(write, f"{LEDGER.path}/{code}", "sum", entry.reference),
        at=write.at,
    )
    write.session.add(
        EntryRow(
            code=code,
            number=number,
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
            flags=list(flags),
            updated=write.at,
            record=recorded.model_dump(mode="json"),
        )
    )
    await write.session.flush()
    return recorded


def _name_reversal(write: Write, row: EntryRow, reversal: RecordedEntry) -> None:
    """Name the entry that reverses an entry in its row and in its record."""
    named = _recorded(row).model_copy(update={"reversed_by": reversal.code, "updated": write.at})
    row.reversed_by, row.updated, row.record = reversal.code, write.at, named.model_dump(mode="json")


def _recorded(row: EntryRow) -> RecordedEntry:
    return RecordedEntry.model_validate(row.record)


async def _unknown_contributor(write: Write, code: str | None) -> list[ErrorDetail]:
    if code is None or await write.session.get(ContributorRow, code) is not None:
        return []
    contributors = codes_in(CONTRIBUTORS.rows)
    return [await unknown_in(write.session, "/contributor", code, contributors, listed_at=CONTRIBUTORS.path)]


async def _require_held(write: Write, entry: Entry, failed: ProblemError) -> None:
    """Accept codes that earlier entries name while the catalogue cannot be asked; raise its error for any other."""
    for noun, code in entry.catalogue_codes().items():
        column: sa.ColumnClause[str] = sa.column(noun)
        held = sa.select(sa.literal(1)).select_from(EntryRow).where(column == code).limit(1)
        if await write.session.scalar(held) is None:
            raise failed


async def _store_programme(write: Write, programme: Programme) -> None:
    """Store the catalogue's description of a programme where it differs from the stored one."""
    stored = await write.session.get(ProgrammeRow, programme.code)
    if stored is not None and Programme.model_validate(stored.record) == programme:
        return
    known = KnownProgramme(**programme.model_dump(), updated=write.at)
    row = ProgrammeRow(code=programme.code, updated=write.at, record=known.model_dump(mode="json"))
    await write.session.merge(row)


async def _wrong_predecessor(write: Write, entry: Entry) -> list[ErrorDetail]:
    """The errors of `follows`: an entry that does not exist, is of another kind or contributor, or was reversed."""
    if entry.follows is None or rules.KINDS[entry.kind].follows is None:
        return []
    row = await write.session.get(EntryRow, entry.follows)
    if row is None:
        entries = codes_in("ledger_entry")
        return [await unknown_in(write.session, "/follows", entry.follows, entries, listed_at=LEDGER.path)]
    return rules.predecessor_errors(entry, _recorded(row))


async def _resting_entries(write: Write, code: str) -> list[EntryRow]:
    """The rows of the entries that follow an entry and are not reversed themselves."""
    rows = await write.session.scalars(
        sa.select(EntryRow)
        .where(col(EntryRow.follows) == code, col(EntryRow.reverses).is_(None), col(EntryRow.reversed_by).is_(None))
        .order_by(col(EntryRow.code))
    )
    return list(rows)


async def _flags(write: Write, entry: Entry) -> list[LedgerFlag]:
    """The flags of a new entry: what it exceeds on its day or a later one."""
    amount = entry.sum.amount
    if entry.kind in ("expenditure", "refund"):
        _, unspent = await _lowest(write, rules.UNSPENT, entry, entry.date)
        if unspent < amount:
            return ["refund_exceeds_unspent" if entry.kind == "refund" else "expenditure_exceeds_transfers"]
    if entry.kind == "deposit" and entry.follows:
        committed = await write.session.get_one(EntryRow, entry.follows)
        _, paid = await _lowest(write, rules.PAID, entry, entry.date)
        if committed.amount + paid < amount:
            return ["deposit_exceeds_commitment"]
    return []


async def _flags_of_reversal(write: Write, entry: RecordedEntry, day: date) -> list[LedgerFlag]:
    """The flags of a reversal: of a transfer, whether expenditure then exceeds transfers on its day or a later one."""
    if entry.kind != "transfer":
        return []
    _, left = await _lowest(write, rules.UNSPENT, entry, day)
    return ["expenditure_exceeds_transfers"] if left < entry.sum.amount else []


async def _require_balances(write: Write, entry: RecordedEntry) -> None:
    """Raise Conflict, with the amount, where a balance is below zero on the entry's day or a later one."""
    for balance in rules.NEVER_BELOW_ZERO:
        if entry.kind not in (*balance.plus, *balance.minus):
            continue
        day, lowest = await _lowest(write, balance, entry, entry.date)
        if lowest < 0:
            name = balance.name.format(entry)
            raise Conflict(f"On {day} {name} would be {lowest} {CURRENCY}.", code=balance.code)


async def _lowest(write: Write, balance: rules.Balance, entry: Entry, since: date) -> tuple[date, Decimal]:
    """The lowest balance from a date on, that day included, with the first day on which it is reached."""
    only = "".join(f" AND {name} = :{name}" for name in balance.members)
    found = await write.session.execute(
        sa.text(
            "SELECT date, total FROM (SELECT date, sum(sum(signed)) OVER (ORDER BY date) AS total FROM"
            " (SELECT CAST(:since AS date) AS date, CAST(0 AS numeric(18, 2)) AS signed UNION ALL"
            " SELECT date, CASE WHEN kind = ANY(:plus) THEN amount ELSE -amount END FROM ledger_entry"
            f" WHERE kind = ANY(:kinds){only}) AS entry GROUP BY date) AS day"
            " WHERE date >= :since ORDER BY total, date LIMIT 1"
        ).bindparams(
            sa.bindparam("plus", list(balance.plus), type_=ARRAY(sa.Text)),
            sa.bindparam("kinds", [*balance.plus, *balance.minus], type_=ARRAY(sa.Text)),
            since=since,
            **{name: getattr(entry, name) for name in balance.members},
        )
    )
    row = found.one()
    return row.date, row.total
