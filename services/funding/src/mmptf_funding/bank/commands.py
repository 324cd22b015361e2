"""Commands of bank reconciliation: list accounts, import statements, confirm matches and cancel them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlmodel import col

from mmptf_common.http.identity import Identity
from mmptf_common.lists.codes import codes_in, find_with, suggest
from mmptf_common.lists.listing import Arguments
from mmptf_common.storage.journal import Write, state_reasons
from mmptf_common.storage.records import JsonObject, add, moment_text, put, submission
from mmptf_common.wire.money import money
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import (
    Conflict,
    ErrorDetail,
    InvalidRequest,
    ProblemError,
    error_detail,
    raise_if_any,
    unknown_code,
)
from mmptf_common.wire.stored_records import read_record
from mmptf_common.writes.commands import TURN, Created, row_of
from mmptf_funding.bank import rules, schemas
from mmptf_funding.bank.domain import StatedStatement, StatementFormat, account_number
from mmptf_funding.bank.queries import (
    ACCOUNTS,
    ENTRIES,
    MATCHES,
    STATEMENTS,
    AccountScope,
    cash_of,
    gaps_of,
    link_to_entries,
)
from mmptf_funding.ledger.queries import LEDGER
from mmptf_funding.models import (
    BankAccountRow,
    BankEntryRow,
    BankMatchRow,
    BankStatementRow,
    ReconciledEntryRow,
)

# The journal's reason of a match that states none.
CONFIRMED = "confirmed"


# --- accounts -------------------------------------------------------------------------------------------------------


async def add_account(write: Write, sent: schemas.BankAccountSent) -> Created:
    """List a bank account; raises Conflict when its code or its number is taken."""
    identification = account_number(sent.number)
    taken = await write.session.scalar(
        sa.select(col(BankAccountRow.code)).where(
            sa.or_(
                sa.func.lower(col(BankAccountRow.code)) == sent.code.lower(),
                col(BankAccountRow.identification).in_([identification, account_number(sent.code)]),
                sa.func.lower(col(BankAccountRow.code)) == identification.lower(),
            )
        )
    )
    if taken:
        raise Conflict(f"{taken} is listed already with this code or number.", code=ProblemCode.CODE_TAKEN)
    account = schemas.BankAccount(
        **sent.model_dump(), sources=[submission(write, f"{ACCOUNTS.path}/{sent.code}", "number")], updated=write.at
    )
    write.session.add(
        BankAccountRow(
            code=account.code,
            identification=identification,
            currency=account.currency,
            updated=write.at,
            record=account.model_dump(mode="json"),
        )
    )
    return Created(ACCOUNTS, account.code)


async def amend_account(write: Write, code: str, sent: schemas.BankAccountPatch) -> None:
    """Change the name of a bank account or of its bank."""
    row = await row_of(write, BankAccountRow, ACCOUNTS, code)
    if any(row.record[name] != value for name, value in sent.stated().items()):
        row.record = {**row.record, **sent.stated(), "updated": moment_text(write.at)}
        row.updated = write.at


# --- statements -----------------------------------------------------------------------------------------------------


async def import_statements(
    write: Write, stated: Sequence[StatedStatement], form: StatementFormat
) -> list[schemas.ImportedStatement]:
    """Write statements with their entries; those that were imported before are recognized and not written again.

    Raises InvalidRequest with all that is wrong with any of them.
    """
    accounts = list(await write.session.scalars(sa.select(BankAccountRow)))
    named = {row.code.lower(): row for row in accounts} | {row.identification.lower(): row for row in accounts}
    errors: list[ErrorDetail] = []
    found: list[tuple[BankAccountRow, StatedStatement]] = []
    for statement in stated:
        account = named.get(statement.account.lower()) or named.get(account_number(statement.account).lower())
        if account is None:
            pointer = f"{statement.pointer}/account"
            errors.append(unknown_code(pointer, statement.account, listed_at=ACCOUNTS.path))
        else:
            found.append((account, statement))
    raise_if_any(errors)
    importer = _Importer(write, form)
    for account, statement in sorted(found, key=lambda each: (each[0].code, each[1].date_from)):
        errors += await importer.add(account, statement)
    raise_if_any(errors)
    await importer.store()
    return importer.reports()


class _Importer:
    """The statements of one import, each checked against those that are stored and those before it in the file."""

    def __init__(self, write: Write, form: StatementFormat) -> None:
        self.write, self.form = write, form
        self._new: list[BankStatementRow] = []
        self._entries: list[BankEntryRow] = []
        self._imported: list[tuple[schemas.StatementOutcome, schemas.BankStatement]] = []
        self._periods: dict[str, list[rules.Period]] = {}
        self._numbers: tuple[int, int] | None = None

    async def add(self, account: BankAccountRow, statement: StatedStatement) -> list[ErrorDetail]:
        """Take a statement up; returns what is wrong with it."""
        if errors := rules.day_errors(statement):
            return errors
        digest = rules.digest_of(account.code, statement)
        known = next((row for row in self._new if row.digest == digest), None)
        if known is None:
            known = await self.write.session.scalar(
                sa.select(BankStatementRow).where(
                    col(BankStatementRow.account) == account.code, col(BankStatementRow.digest) == digest
                )
            )
        if known:
            self._imported.append(("known", read_record(schemas.BankStatement, known.record)))
            return []
        periods = await self._of(account.code)
        errors = rules.statement_errors(
            statement, rules.Account(account.code, account.currency, account.identification)
        )
        errors += rules.neighbour_errors(statement, periods)
        errors += rules.repeated_entries(statement, await self._entries_of(account.code, statement))
        if not errors:
            await self._take(account, statement, digest)
        periods.append(rules.period_of(statement))
        periods.sort(key=lambda period: period.date_from)
        return errors

    async def _of(self, account: str) -> list[rules.Period]:
        """The statements of an account, in the order of their days, with those of the file so far."""
        if account not in self._periods:
            rows = await self.write.connection.fetch(
                "SELECT code, date_from, date_to, opening, closing FROM bank_statement WHERE account = $1"
                " ORDER BY date_from",
                account,
            )
            self._periods[account] = [rules.Period(*row) for row in rows]
        return self._periods[account]

    async def _entries_of(self, account: str, statement: StatedStatement) -> dict[tuple[str, Any, Decimal], str]:
        """By reference, day and amount, the entries of a statement that are known: the statement that contains each."""
        wanted = {_identity_text(entry.identity): entry.identity for entry in statement.entries if entry.identity}
        rows = await self.write.connection.fetch(
            "SELECT identity, statement FROM bank_entry WHERE account = $1 AND identity = ANY($2::text[])",
            account,
            sorted(wanted),
        )
        taken = [(row["identity"], row["statement"]) for row in rows]
        taken += [(row.identity, row.statement) for row in self._entries if row.account == account and row.identity]
        return {identity: held for text, held in taken if (identity := wanted.get(text))}

    async def _take(self, account: BankAccountRow, statement: StatedStatement, digest: str) -> None:
        if self._numbers is None:
            self._numbers = tuple(
                await self.write.connection.fetchrow(
                    "SELECT (SELECT coalesce(max(number), 0) FROM bank_statement),"
                    " (SELECT coalesce(max(number), 0) FROM bank_entry)"
                )
            )
        number, entries = self._numbers[0] + len(self._new) + 1, self._numbers[1] + len(self._entries)
        code = f"S-{number:06d}"
        write, currency = self.write, account.currency
        record = schemas.BankStatement(
            code=code,
            account=account.code,
            identification=statement.identification,
            format=self.form,
            date_from=statement.date_from,
            date_to=statement.date_to,
            opening_balance=money(statement.opening, currency),
            closing_balance=money(statement.closing, currency),
            entries=len(statement.entries),
            pending=statement.pending,
            link=link_to_entries(code),
            sources=[submission(write, f"{STATEMENTS.path}/{code}", "closing_balance", statement.identification)],
            updated=write.at,
        )
        self._new.append(
            BankStatementRow(
                code=code,
                number=number,
                account=account.code,
                date_from=statement.date_from,
                date_to=statement.date_to,
                opening=statement.opening,
                closing=statement.closing,
                digest=digest,
                updated=write.at,
                record=record.model_dump(mode="json"),
            )
        )
        self._imported.append(("imported", record))
        balance = statement.opening
        for n, entry in enumerate(statement.entries, start=entries + 1):
            if n % TURN == 0:
                await asyncio.sleep(0)
            balance += entry.amount
            own = f"B-{n:06d}"
            shown = schemas.BankEntry(
                code=own,
                account=account.code,
                statement=code,
                position=entry.position,
                booking_date=entry.booking_date,
                value_date=entry.value_date,
                direction="bank_credit" if entry.amount > 0 else "bank_debit",
                sum=money(entry.amount, currency),
                balance=money(balance, currency),
                references=list(entry.references),
                counterparty=entry.counterparty,
                counterparty_account=entry.counterparty_account,
                text=entry.text,
                match=None,
                sources=[submission(write, f"{ENTRIES.path}/{own}", "sum", f"{code}, entry {entry.position}")],
                updated=write.at,
            )
            self._entries.append(
                BankEntryRow(
                    code=own,
                    number=n,
                    account=account.code,
                    statement=code,
                    booking_date=entry.booking_date,
                    value_date=entry.value_date,
                    amount=entry.amount,
                    currency=currency,
                    direction=shown.direction,
                    refs=list(entry.references),
                    identity=_identity_text(entry.identity) if entry.identity else None,
                    updated=write.at,
                    record=shown.model_dump(mode="json"),
                )
            )

    async def store(self) -> None:
        """Write what is new."""
        await add(self.write, self._new)
        await add(self.write, self._entries)

    def reports(self) -> list[schemas.ImportedStatement]:
        """What was done with each statement, and the gaps beside it."""
        return [
            schemas.ImportedStatement(outcome=outcome, statement=statement, gaps=self._gaps(statement))
            for outcome, statement in self._imported
        ]

    def _gaps(self, statement: schemas.BankStatement) -> list[schemas.StatementGap]:
        gaps = gaps_of(self._periods.get(statement.account, []), statement.closing_balance.currency)
        before, after = statement.date_from - rules.DAY, statement.date_to + rules.DAY
        return [gap for gap in gaps if gap.date_to == before or gap.date_from == after]


def _identity_text(identity: tuple[str, Any, Decimal]) -> str:
    return "\n".join(map(str, identity))


# --- matches --------------------------------------------------------------------------------------------------------


async def confirm(
    write: Write, who: Identity, sent: Sequence[schemas.BankMatchSent], *, partial: bool
) -> list[str | ProblemError]:
    """Confirm matches in their order; returns the code or the error of each.

    partial: write the others where some are refused, else none
    An entry is checked after those before it that are not refused, so that none is matched twice. A match of entries of
    a closed period counts from the first open day, so that the reconciliation of the period stays as it was.
    """
    closed_to = await _closed_to(write)
    first_open = closed_to + rules.DAY if closed_to else rules.FIRST_DAY
    bank = await _bank_entries(write, sent)
    ledger = await _ledger_entries(write, sent, bank)
    number = await write.connection.fetchval("SELECT coalesce(max(number), 0) FROM bank_match")
    results: list[str | ProblemError] = []
    matches: list[BankMatchRow] = []
    settled: list[ReconciledEntryRow] = []
    changed: list[BankEntryRow] = []
    for match in sent:
        try:
            entry, movements = await _check_match(write, match, bank, ledger)
        except ProblemError as problem:
            results.append(problem)
            continue
        code = f"M-{number + len(matches) + 1:06d}"
        effective = max(first_open, entry.booking_date, *(movement.posted for movement in movements))
        matches.append(_match_row(write, who, match, entry, movements, code, number + len(matches) + 1))
        for movement in movements:
            ledger[entry.account, movement.code] = code, movement
            settled.append(_reconciled_row(write, entry, movement.code, code, effective))
        entry.match, entry.effective, entry.updated = code, effective, write.at
        entry.record = {**entry.record, "match": code, "updated": moment_text(write.at)}
        changed.append(entry)
        results.append(code)
    if partial or all(isinstance(result, str) for result in results):
        notes = {row.code: str(row.record["note"]) for row in matches if row.record["note"]}
        await state_reasons(write, {"bank_match": notes})
        await add(write, matches)
        await add(write, settled)
        await put(write, changed)
    return results


async def cancel(write: Write, code: str, sent: schemas.MatchCancellationSent) -> None:
    """Undo a match; raises Conflict where that was done before, or it counts in a closed period.

    Its entries can be matched anew.
    """
    row = await row_of(write, BankMatchRow, MATCHES, code)
    if row.state == "cancelled":
        raise Conflict(f"{code} was cancelled before.", code=ProblemCode.ALREADY_MATCHED)
    entry = await write.session.get_one(BankEntryRow, row.bank_entry)
    closed_to = await _closed_to(write)
    if closed_to and entry.effective and entry.effective <= closed_to:
        raise Conflict(
            f"{code} counts from {entry.effective} on, and days up to {closed_to} are closed: their reconciliation"
            " stays as it is.",
            code=ProblemCode.PERIOD_CLOSED,
        )
    row.state, row.updated = "cancelled", write.at
    row.record = {
        **row.record, "state": "cancelled", "cancelled": sent.reason, "updated": moment_text(write.at)
    }  # fmt: skip
    await write.connection.execute("DELETE FROM reconciled_entry WHERE match = $1", code)
    entry.match, entry.effective, entry.updated = None, None, write.at
    entry.record = {**entry.record, "match": None, "updated": moment_text(write.at)}


async def _closed_to(write: Write) -> date | None:
    """The last day of the last closed period; None where none is closed."""
    found: date | None = await write.connection.fetchval(
        "SELECT max(last_day) FROM accounting_period WHERE status <> 'open'"
    )
    return found


async def _bank_entries(write: Write, sent: Sequence[schemas.BankMatchSent]) -> dict[str, BankEntryRow]:
    """The bank entries that matches name, as new rows that no session follows."""
    wanted = {match.bank_entry for match in sent}
    columns = list(BankEntryRow.model_fields)
    rows = await write.session.execute(
        sa.select(*(getattr(BankEntryRow, name) for name in columns)).where(col(BankEntryRow.code).in_(wanted))
    )
    return {row.code: BankEntryRow(**dict(zip(columns, row, strict=True))) for row in rows}


# By the bank account and the code of the entry: the match that it has, and the entry in the account's currency.
_Ledger = dict[tuple[str, str], tuple[str | None, rules.LedgerMovement]]


async def _ledger_entries(
    write: Write, sent: Sequence[schemas.BankMatchSent], bank: dict[str, BankEntryRow]
) -> _Ledger:
    """The cash entries that matches name, of the bank account of each."""
    found: _Ledger = {}
    accounts = await write.connection.fetch("SELECT code, currency, record->>'number' AS number FROM bank_account")
    for row in accounts:
        codes = {
            code
            for match in sent
            if (entry := bank.get(match.bank_entry)) and entry.account == row["code"]
            for code in match.ledger_entries
        }
        if not codes:
            continue
        scope = AccountScope.of(row["code"], row["currency"], row["number"], len(accounts))
        arguments = Arguments()
        cash = cash_of(scope, arguments)
        for cash_row in await write.connection.fetch(
            f"SELECT * FROM {cash} AS cash WHERE code = ANY({arguments.bind(sorted(codes))}::text[])", *arguments
        ):
            movement = rules.LedgerMovement(
                cash_row["code"],
                cash_row["kind"],
                cash_row["date"],
                cash_row["value_date"] or cash_row["date"],
                cash_row["moved"],
            )
            found[row["code"], movement.code] = cash_row["match"], movement
    return found


async def _check_match(
    write: Write, match: schemas.BankMatchSent, bank: dict[str, BankEntryRow], ledger: _Ledger
) -> tuple[BankEntryRow, list[rules.LedgerMovement]]:
    """The entries of a match; raises InvalidRequest for what is wrong, Conflict where one is matched already."""
    entry = bank.get(match.bank_entry)
    if entry is None:
        meant = await suggest(find_with(write.connection, codes_in("bank_entry")), match.bank_entry)
        raise InvalidRequest([unknown_code("/bank_entry", match.bank_entry, listed_at=ENTRIES.path, suggestion=meant)])
    if entry.match:
        raise Conflict(f"{entry.code} is matched in {entry.match}.", code=ProblemCode.ALREADY_MATCHED)
    errors: list[ErrorDetail] = []
    movements: list[rules.LedgerMovement] = []
    for n, code in enumerate(match.ledger_entries):
        pointer = f"/ledger_entries/{n}"
        if code in match.ledger_entries[:n]:
            detail = f"{pointer}: {code} is named twice"
            errors.append(error_detail(ProblemCode.REPEATED_CODE, detail, pointer=pointer))
            continue
        held = ledger.get((entry.account, code))
        if held is None:
            errors.append(await _not_of_account(write, code, pointer, entry.account))
            continue
        matched, movement = held
        if matched:
            raise Conflict(f"{code} is matched in {matched}.", code=ProblemCode.ALREADY_MATCHED)
        if movement.amount is None:
            detail = f"{pointer}: {code} was not given in {entry.currency}, the currency of {entry.account}"
            errors.append(error_detail(ProblemCode.NOT_APPLICABLE, detail, pointer=pointer))
            continue
        movements.append(movement)
    raise_if_any(errors)
    raise_if_any(rules.amount_errors(entry.amount, entry.currency, movements))
    return entry, movements


async def _not_of_account(write: Write, code: str, pointer: str, account: str) -> ErrorDetail:
    """The error for a ledger entry that does not exist, moves no cash, or is of another account."""
    row = await write.connection.fetchrow("SELECT kind, account FROM ledger_entry WHERE code = $1", code)
    if row is None:
        meant = await suggest(find_with(write.connection, codes_in("ledger_entry")), code)
        return unknown_code(pointer, code, listed_at=LEDGER.path, suggestion=meant)
    of = f"of the account {row['account']}" if row["account"] else "of no account"
    detail = f"{pointer}: {code} is a {row['kind']} {of}, and moves no cash of {account}"
    return error_detail(ProblemCode.NOT_APPLICABLE, detail, pointer=pointer)


def _match_row(
    write: Write,
    who: Identity,
    sent: schemas.BankMatchSent,
    entry: BankEntryRow,
    movements: Sequence[rules.LedgerMovement],
    code: str,
    number: int,
) -> BankMatchRow:
    charges = [each.amount or rules.ZERO for each in movements if each.kind == "bank_charge"]
    # A bank entry that is a charge itself has no other part.
    of_charges = sum(charges, rules.ZERO) if len(charges) < len(movements) else rules.ZERO
    record = schemas.BankMatch(
        code=code,
        account=entry.account,
        state="confirmed",
        bank_entry=entry.code,
        ledger_entries=sorted(each.code for each in movements),
        sum=money(entry.amount, entry.currency),
        charges=money(of_charges, entry.currency),
        note=sent.note,
        cancelled=None,
        recorded_by=who.organization,
        updated=write.at,
    )
    return BankMatchRow(
        code=code,
        number=number,
        account=record.account,
        bank_entry=record.bank_entry,
        ledger_entries=record.ledger_entries,
        state=record.state,
        updated=write.at,
        record=record.model_dump(mode="json"),
    )


def _reconciled_row(write: Write, entry: BankEntryRow, code: str, match: str, effective: Any) -> ReconciledEntryRow:
    """That a ledger entry is matched; a second row of the same entry violates the table's key."""
    record: JsonObject = {
        "code": code, "match": match, "bank_entry": entry.code, "effective": str(effective),
        "updated": moment_text(write.at),
    }  # fmt: skip
    return ReconciledEntryRow(
        code=code,
        account=entry.account,
        match=match,
        bank_entry=entry.code,
        effective=effective,
        updated=write.at,
        record=record,
    )
