"""A plain model of bank accounts, their statements and matches, written anew from the decision about them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING

from tests.integration.books_commands import Json, Refused
from tests.integration.period_model import CASH

if TYPE_CHECKING:
    from tests.integration.books import Books, Row

# Code, currency and number of the accounts that may be listed.
ACCOUNTS = (
    ("USD-1", "USD", "CH11 0000 0001"), ("USD-2", "USD", "CH22-0000-0002"), ("CHF-1", "CHF", "CH33 0000 0003"),
)  # fmt: skip
DAY = timedelta(1)
NOTHING = Decimal(0)
LAST_DAY, NEVER = "9999-12-31", "never"


@dataclass(frozen=True)
class BankEntry:
    """What a bank has booked; `match` and the day from which it counts, where it is matched."""

    code: str
    account: str
    statement: str
    booked: str
    value_date: str
    amount: Decimal
    references: tuple[str, ...]
    match: str | None = None
    effective: str | None = None

    @property
    def identity(self) -> tuple[str, str, Decimal] | None:
        return (self.references[0], self.booked, self.amount) if self.references else None


@dataclass(frozen=True)
class BankStatement:
    code: str
    account: str
    begins: str
    ends: str
    opening: Decimal
    closing: Decimal
    # Without code, statement and match.
    entries: tuple[BankEntry, ...]


@dataclass(frozen=True)
class BankMatch:
    code: str
    bank_entry: str
    ledger_entries: tuple[str, ...]
    state: str = "confirmed"


@dataclass
class Bank:
    """Accounts in the order in which they were listed, and what was imported and matched."""

    accounts: list[str] = field(default_factory=list)
    statements: list[BankStatement] = field(default_factory=list)
    entries: dict[str, BankEntry] = field(default_factory=dict)
    matches: dict[str, BankMatch] = field(default_factory=dict)

    def copy(self) -> Bank:
        return Bank([*self.accounts], [*self.statements], {**self.entries}, {**self.matches})

    def of(self, account: str) -> list[BankStatement]:
        return sorted((each for each in self.statements if each.account == account), key=lambda each: each.begins)

    def match_of(self, ledger_entry: str) -> BankMatch | None:
        return next(
            (m for m in self.matches.values() if m.state == "confirmed" and ledger_entry in m.ledger_entries), None
        )

    def matched(self, account: str | None = None) -> set[str]:
        """The ledger entries that bank entries are matched with, of one account or of all."""
        return {
            code
            for match in self.matches.values()
            if match.state == "confirmed" and account in (None, self.entries[match.bank_entry].account)
            for code in match.ledger_entries
        }

    def take(self, sent: BankStatement, currency: str, where: str) -> str:
        """Import a statement; returns what is done with it, and raises Refused."""
        if sent.account not in self.accounts:
            raise Refused(422, ("unknown_code", f"{where}/account"))
        if any(replace(known, code="") == sent for known in self.statements):
            return "known"
        errors: list[tuple[str, str | None]] = []
        if currency != next(c for code, c, _ in ACCOUNTS if code == sent.account):
            errors.append(("does_not_match", f"{where}/currency"))
        if sent.opening + sum((entry.amount for entry in sent.entries), NOTHING) != sent.closing:
            errors.append(("balance_does_not_follow", f"{where}/closing_balance"))
        first, last = date.fromisoformat(sent.begins), date.fromisoformat(sent.ends)
        for other in self.of(sent.account):
            if other.begins <= sent.ends and sent.begins <= other.ends:
                errors.append(("statement_overlaps", f"{where}/date_from"))
            elif date.fromisoformat(other.ends) + DAY == first and other.closing != sent.opening:
                errors.append(("balance_does_not_follow", f"{where}/opening_balance"))
            elif last + DAY == date.fromisoformat(other.begins) and other.opening != sent.closing:
                errors.append(("balance_does_not_follow", f"{where}/closing_balance"))
        known = {entry.identity for entry in self.entries.values() if entry.account == sent.account}
        for n, entry in enumerate(sent.entries):
            if entry.identity and entry.identity in known:
                errors.append(("repeated_entry", f"{where}/entries/{n}"))
            known.add(entry.identity)
        if errors:
            raise Refused(422, *errors)
        code = f"S-{len(self.statements) + 1:06d}"
        self.statements.append(replace(sent, code=code))
        for entry in sent.entries:
            own = f"B-{len(self.entries) + 1:06d}"
            self.entries[own] = replace(entry, code=own, statement=code)
        return "imported"

    def confirm(self, books: Books, bank_entry: str, codes: Sequence[str]) -> str:
        """Match a bank entry with entries of the ledger; returns the code, and raises Refused."""
        entry = self.entries.get(bank_entry)
        if entry is None:
            raise Refused(422, ("unknown_code", "/bank_entry"))
        if entry.match:
            raise Refused(409, ("already_matched", None))
        cash = {row.code: (row, moved) for row, moved in cash_of(books, entry.account)}
        errors: list[tuple[str, str | None]] = []
        rows: list[tuple[Row, Decimal]] = []
        for n, code in enumerate(codes):
            where = f"/ledger_entries/{n}"
            if code in codes[:n]:
                errors.append(("repeated_code", where))
            elif code not in cash:
                known = code in books.index.by_code
                errors.append(("not_applicable" if known else "unknown_code", where))
            elif self.match_of(code):
                raise Refused(409, ("already_matched", None))
            elif cash[code][1] is None:
                errors.append(("not_applicable", where))
            else:
                row, moved = cash[code]
                rows.append((row, moved or NOTHING))
        if errors:
            raise Refused(422, *errors)
        if sum((moved for _, moved in rows), NOTHING) != entry.amount:
            raise Refused(422, ("amounts_differ", "/ledger_entries"))
        code = f"M-{len(self.matches) + 1:06d}"
        self.matches[code] = BankMatch(code, bank_entry, tuple(sorted(codes)))
        effective = max(entry.booked, *(row.date for row, _ in rows))
        self.entries[bank_entry] = replace(entry, match=code, effective=effective)
        return code

    def cancel(self, code: str) -> None:
        match = self.matches[code]
        if match.state == "cancelled":
            raise Refused(409, ("already_matched", None))
        self.matches[code] = replace(match, state="cancelled")
        self.entries[match.bank_entry] = replace(self.entries[match.bank_entry], match=None, effective=None)


def names_of(accounts: Iterable[str]) -> set[str]:
    """What entries of the ledger may call some accounts, in lower case."""
    known = [(code, number) for code, _, number in ACCOUNTS if code in accounts]
    return {name.lower() for code, number in known for name in (code, number, re.sub("[^A-Z0-9]", "", number))}


def account_named(name: str, accounts: Iterable[str]) -> str | None:
    """The code of the account that an entry names by its code or number; None where it is none of these."""
    names = {name.lower(), re.sub("[^A-Za-z0-9]", "", name).lower()}
    return next((code for code in accounts if names & names_of([code])), None)


def cash_of(books: Books, account: str) -> list[tuple[Row, Decimal | None]]:
    """The cash entries of an account with their signed amounts in its currency; None of what has another currency."""
    currency = next(currency for code, currency, _ in ACCOUNTS if code == account)
    names, is_only = names_of([account]), len(books.bank.accounts) == 1
    matched = books.bank.matched(account)
    found: list[tuple[Row, Decimal | None]] = []
    for row in books.rows:
        if row.kind in CASH and (row.account.lower() in names if row.account else is_only or row.code in matched):
            own = row.amount if currency == "USD" else row.own if row.currency == currency else None
            found.append((row, None if own is None else CASH[row.kind] * own))
    return found


def reconciliation(books: Books, account: str, on: str | None) -> Json:
    """What only the ledger has of an account on a day, what only the bank has, and what neither explains."""
    bank = books.bank
    statements = bank.of(account)
    day = on or (statements[-1].ends if statements else None)
    until = day or LAST_DAY
    stated = [each for each in statements if each.begins <= until]
    first, last = (stated[0], stated[-1]) if stated else (None, None)
    cash = [(row, moved) for row, moved in cash_of(books, account) if row.date <= until]
    entries = [entry for entry in bank.entries.values() if entry.account == account and entry.booked <= until]

    def effective(row: Row) -> str | None:
        match = bank.match_of(row.code)
        return bank.entries[match.bank_entry].effective if match else None

    def is_half(row: Row) -> bool:
        """Whether it is one of an entry and its reversal that the bank never saw."""
        other = row.reverses or ((later := books.reversal_of(row.code, until)) and later.code)
        return bool(other) and not bank.match_of(row.code) and not bank.match_of(str(other))

    def is_carried(row: Row) -> bool:
        """Whether it is part of what was there before the first statement."""
        begins = first.begins if first else "0001-01-01"
        earlier = row.date < begins or (row.date == begins and row.kind == "opening_balance")
        return earlier and not bank.match_of(row.code)

    open_rows = [
        (row, moved)
        for row, moved in cash
        if not is_half(row) and not is_carried(row) and (effective(row) or NEVER) > until
    ]
    open_entries = [entry for entry in entries if (entry.effective or NEVER) > until]
    settled = [each for each in bank.entries.values() if each.account == account and (each.effective or NEVER) <= until]
    in_ledger = sum((moved or NOTHING for _, moved in cash), NOTHING)
    carried = sum((moved or NOTHING for row, moved in cash if is_carried(row) and not is_half(row)), NOTHING)
    only_ledger = sum((moved or NOTHING for _, moved in open_rows), NOTHING)
    only_bank = sum((entry.amount for entry in open_entries), NOTHING)
    at_bank = None
    gaps = []
    for earlier, later in pairwise(stated):
        begins, ends = date.fromisoformat(earlier.ends) + DAY, date.fromisoformat(later.begins) - DAY
        if begins <= ends:
            gaps.append((str(begins), str(ends), later.opening - earlier.closing))
    if first and last:
        at_bank = last.opening + sum((e.amount for e in entries if e.statement == last.code), NOTHING)
        # What the lists do not explain was there before the first statement, or lies in gaps.
        unexplained = in_ledger - at_bank - only_ledger + only_bank
        assert unexplained == carried - first.opening - sum((gap[2] for gap in gaps), NOTHING), (account, on)
    names, unnamed = names_of(bank.accounts), bank.matched() if len(bank.accounts) > 1 else None
    return {
        "account": account,
        "on": day,
        "statement": last and last.code,
        "complete": last is not None and last.ends >= until,
        "ledger": in_ledger,
        "bank": at_bank,
        "matched": sum((entry.amount for entry in settled), NOTHING),
        "matches": len(settled),
        "opening": first and (first.begins, carried, first.opening, carried - first.opening),
        "gaps": gaps,
        "ledger_only_sum": only_ledger,
        "ledger_only": in_order((row, moved) for row, moved in open_rows if moved is not None),
        "bank_only_sum": only_bank,
        "bank_only": [e.code for e in sorted(open_entries, key=lambda each: (each.booked, each.code))],
        "other_currency": in_order((row, moved) for row, moved in open_rows if moved is None),
        "without_account": in_order(
            (row, CASH[row.kind] * row.amount)
            for row in books.rows
            if row.kind in CASH
            and row.date <= until
            and (row.account.lower() not in names if row.account else unnamed is not None and row.code not in unnamed)
        ),
        "days": days_of(cash, entries, last, until) if last else [],
        "unexplained": unexplained if at_bank is not None else None,
    }


def in_order(rows: Iterable[tuple[Row, Decimal | None]]) -> list[tuple[str, str, Decimal | None]]:
    return [(row.code, row.date, moved) for row, moved in sorted(rows, key=lambda each: (each[0].date, each[0].code))]


def days_of(
    cash: Iterable[tuple[Row, Decimal | None]], entries: Iterable[BankEntry], last: BankStatement, until: str
) -> list[tuple[str, Decimal, Decimal]]:
    """Both balances on each day of the last statement on which one of them changed."""
    moves = [(row.date, moved) for row, moved in cash if moved is not None]
    booked = [(entry.booked, entry.amount) for entry in entries if entry.statement == last.code]
    changed = {day for day, _ in (*moves, *booked) if last.begins <= day <= min(last.ends, until)}
    return [
        (
            day,
            sum((moved for each, moved in moves if each <= day), NOTHING),
            last.opening + sum((amount for each, amount in booked if each <= day), NOTHING),
        )
        for day in sorted(changed)
    ]
