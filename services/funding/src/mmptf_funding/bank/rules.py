"""Rules of bank reconciliation: what a statement has to be, which entries may be matched, and what is proposed."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import ErrorDetail, error_detail
from mmptf_funding.bank.domain import ProposalReason, StatedStatement

ZERO = Decimal("0.00")
DAY = timedelta(days=1)
# The days of statements, as those of all that is sent.
FIRST_DAY, LAST_DAY = date(1990, 1, 1), date(2099, 12, 31)
# What speaks for a proposal: the reference, the amount, and the day, a point less for each day between.
REFERENCE_SCORE, AMOUNT_SCORE, DAY_SCORE = 60, 30, 10
# Proposals for one bank entry, and ledger entries of one proposal, which a match may have.
MAX_PROPOSALS, MAX_MATCHED = 10, 100


# --- statements -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Account:
    """A bank account, as far as a statement is checked against it."""

    code: str
    currency: str
    number: str


@dataclass(frozen=True, slots=True)
class Period:
    """The days and balances of a statement; code: of a stored one, None of one that is being imported."""

    code: str | None
    date_from: date
    date_to: date
    opening: Decimal
    closing: Decimal

    @property
    def named(self) -> str:
        """The statement in words, for errors."""
        days = f"from {self.date_from} to {self.date_to}"
        return f"{self.code}, {days}" if self.code else f"the statement {days} of the same file"


@dataclass(frozen=True, slots=True)
class Gap:
    """Days between two statements without one, and what changed in them."""

    date_from: date
    date_to: date
    amount: Decimal


def period_of(statement: StatedStatement) -> Period:
    """The days and balances of a statement that is being imported."""
    return Period(None, statement.date_from, statement.date_to, statement.opening, statement.closing)


def digest_of(account: str, statement: StatedStatement) -> str:
    """A hash of the days, amounts and references of a statement, by which it is recognized in whatever form it comes.

    Texts are left out: another form may have less of them.
    """
    balances = f"{statement.opening:.2f} {statement.closing:.2f} {statement.currency}"
    lines = [f"{account} {statement.date_from} {statement.date_to} {balances}"]
    lines += [
        f"{entry.booking_date} {entry.value_date} {entry.amount:.2f} {' '.join(entry.references)}"
        for entry in statement.entries
    ]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def day_errors(statement: StatedStatement) -> list[ErrorDetail]:
    """An error for a first or last day that is a mistake; no other rule can be asked then."""
    return [
        error_detail(
            ProblemCode.INVALID_VALUE,
            f"{statement.pointer}/{name}: {day} is not a day from {FIRST_DAY} to {LAST_DAY}",
            pointer=f"{statement.pointer}/{name}",
        )
        for name, day in (("date_from", statement.date_from), ("date_to", statement.date_to))
        if not FIRST_DAY <= day <= LAST_DAY
    ]


def statement_errors(statement: StatedStatement, account: Account) -> list[ErrorDetail]:
    """The errors of a statement that are found without other statements."""
    where = statement.pointer
    found = []
    if statement.currency != account.currency:
        detail = f"{where}: it is in {statement.currency or 'no currency'}, and {account.code} in {account.currency}"
        found.append(error_detail(ProblemCode.DOES_NOT_MATCH, detail, pointer=f"{where}/currency"))
    if statement.date_to < statement.date_from:
        detail = f"{where}: it ends on {statement.date_to}, before it begins on {statement.date_from}"
        found.append(error_detail(ProblemCode.INVALID_RANGE, detail, pointer=f"{where}/date_to"))
    for entry in statement.entries:
        if not statement.date_from <= entry.booking_date <= statement.date_to:
            at = f"{where}/entries/{entry.position - 1}/booking_date"
            detail = f"{at}: {entry.booking_date} is not within {statement.date_from} to {statement.date_to}"
            found.append(error_detail(ProblemCode.INVALID_RANGE, detail, pointer=at))
        if not entry.amount:
            at = f"{where}/entries/{entry.position - 1}/amount"
            found.append(error_detail(ProblemCode.INVALID_VALUE, f"{at}: nothing is booked", pointer=at))
    total = sum((entry.amount for entry in statement.entries), ZERO)
    if statement.opening + total != statement.closing:
        detail = (
            f"{where}: the opening balance {statement.opening} and the entries, {total}, are"
            f" {statement.opening + total}, and the closing balance is {statement.closing}"
        )
        found.append(error_detail(ProblemCode.BALANCE_DOES_NOT_FOLLOW, detail, pointer=f"{where}/closing_balance"))
    return found


def neighbour_errors(statement: StatedStatement, others: Iterable[Period]) -> list[ErrorDetail]:
    """The errors of a statement beside others of its account: days in common, or another balance at their border."""
    where = statement.pointer
    found = []
    for other in others:
        if other.date_from <= statement.date_to and statement.date_from <= other.date_to:
            detail = f"{where}: it has days in common with {other.named}, and its entries would count twice"
            found.append(error_detail(ProblemCode.STATEMENT_OVERLAPS, detail, pointer=f"{where}/date_from"))
            continue
        if other.date_to + DAY == statement.date_from and other.closing != statement.opening:
            detail = f"{where}: it begins with {statement.opening}, and {other.named}, ends with {other.closing}"
            pointer = f"{where}/opening_balance"
            found.append(error_detail(ProblemCode.BALANCE_DOES_NOT_FOLLOW, detail, pointer=pointer))
        if statement.date_to + DAY == other.date_from and statement.closing != other.opening:
            detail = f"{where}: it ends with {statement.closing}, and {other.named}, begins with {other.opening}"
            pointer = f"{where}/closing_balance"
            found.append(error_detail(ProblemCode.BALANCE_DOES_NOT_FOLLOW, detail, pointer=pointer))
    return found


def repeated_entries(statement: StatedStatement, known: Mapping[tuple[str, date, Decimal], str]) -> list[ErrorDetail]:
    """An error for each entry whose reference, day and amount another entry of the account has.

    known: those of other statements, each with what contains it
    """
    found = []
    own: dict[tuple[str, date, Decimal], str] = {}
    for entry in statement.entries:
        if (identity := entry.identity) is None:
            continue
        at = f"{statement.pointer}/entries/{entry.position - 1}"
        if earlier := known.get(identity) or own.get(identity):
            detail = f"{at}: {identity[0]} of {identity[1]} over {identity[2]} is in {earlier} already"
            found.append(error_detail(ProblemCode.REPEATED_ENTRY, detail, pointer=at))
        own.setdefault(identity, "this statement")
    return found


def gaps_between(periods: Sequence[Period]) -> list[Gap]:
    """The gaps between statements of one account, which are in the order of their days."""
    return [
        Gap(earlier.date_to + DAY, later.date_from - DAY, later.opening - earlier.closing)
        for earlier, later in pairwise(periods)
        if earlier.date_to + DAY < later.date_from
    ]


# --- matches --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BankMovement:
    """A bank entry, as far as it is matched; references are in lower case."""

    code: str
    booking_date: date
    value_date: date
    amount: Decimal
    references: frozenset[str]


@dataclass(frozen=True, slots=True)
class LedgerMovement:
    """A cash entry of the ledger in the currency of a bank account, negative for what went out.

    posted: its posting date; value_date: its value date, or the posting date where there is none
    amount: None where it was given in another currency; reference: in lower case
    fee: code and amount of the agent's fee that was entered with a deposit
    """

    code: str
    kind: str
    posted: date
    value_date: date
    amount: Decimal | None
    reference: str | None = None
    fee: tuple[str, Decimal] | None = None


def amount_errors(bank: Decimal, currency: str, ledger: Iterable[LedgerMovement]) -> list[ErrorDetail]:
    """The error of a match whose sides differ, with the difference and what is needed; none where they are equal."""
    total = sum((entry.amount or ZERO for entry in ledger), ZERO)
    if total == bank:
        return []
    detail = (
        f"/ledger_entries: they are {total} {currency} together, and the bank entry is {bank}: {bank - total} is"
        " missing. What a bank has kept back is entered as a bank_charge and named here, too"
    )
    return [error_detail(ProblemCode.AMOUNTS_DIFFER, detail, pointer="/ledger_entries")]


# --- proposals ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Proposal:
    """Ledger entries that may be the same money as a bank entry; difference: of the bank less the ledger."""

    bank_entry: str
    ledger_entries: tuple[str, ...]
    bank: Decimal
    ledger: Decimal
    days: int
    score: int
    reasons: tuple[ProposalReason, ...]

    @property
    def difference(self) -> Decimal:
        return self.bank - self.ledger


def propose(bank: Sequence[BankMovement], ledger: Collection[LedgerMovement], days: int) -> list[Proposal]:
    """What may be matched, in the order of the bank entries and, for each, of score, days and codes.

    ledger: entries that are not matched; days: the most between entries whose references differ
    """
    by_amount: dict[Decimal, list[LedgerMovement]] = defaultdict(list)
    by_reference: dict[str, list[LedgerMovement]] = defaultdict(list)
    for entry in sorted(ledger, key=lambda each: each.code):
        if entry.amount is None:
            continue
        by_amount[entry.amount].append(entry)
        if entry.fee:
            by_amount[entry.amount + entry.fee[1]].append(entry)
        if entry.reference:
            by_reference[entry.reference].append(entry)
    found: list[Proposal] = []
    for movement in bank:
        groups: dict[tuple[str, ...], Proposal] = {}
        for entry in by_amount[movement.amount]:
            _add(groups, movement, [entry], days)
        named = [by_reference[reference] for reference in sorted(movement.references & by_reference.keys())]
        for entries in named:
            _add(groups, movement, entries, days)
        if len(named) > 1:
            # A bank books payments of one day at once, and has the reference of each.
            _add(groups, movement, [entry for entries in named for entry in entries], days)
        ordered = sorted(groups.values(), key=lambda each: (-each.score, each.days, each.ledger_entries))
        found += ordered[:MAX_PROPOSALS]
    return found


def _add(
    groups: dict[tuple[str, ...], Proposal], movement: BankMovement, entries: Sequence[LedgerMovement], days: int
) -> None:
    """Add what one bank entry and some ledger entries make, where enough speaks for it."""
    total = sum((entry.amount or ZERO for entry in entries), ZERO)
    codes = [entry.code for entry in entries]
    reasons: list[ProposalReason] = []
    same_reference = all(entry.reference in movement.references for entry in entries)
    if same_reference:
        reasons.append("same_reference")
    fees = [entry.fee for entry in entries if entry.fee and entry.fee[0] not in codes]
    if total == movement.amount:
        reasons.append("same_amount" if len(entries) == 1 else "same_sum")
    elif fees and total + sum((amount for _, amount in fees), ZERO) == movement.amount:
        total = movement.amount
        codes += [code for code, _ in fees]
        reasons.append("net_of_fee")
    away = max(abs((entry.value_date - movement.value_date).days) for entry in entries)
    if away <= days:
        reasons.append("near_day" if away else "same_day")
    is_equal = total == movement.amount
    if len(codes) > MAX_MATCHED or not (same_reference or (is_equal and away <= days)):
        return
    score = (
        REFERENCE_SCORE * same_reference
        + AMOUNT_SCORE * is_equal
        + (max(0, DAY_SCORE - away) if away <= days else 0)
    )  # fmt: skip
    key = tuple(sorted(codes))
    groups[key] = Proposal(movement.code, key, movement.amount, total, away, score, tuple(reasons))


def unambiguous(proposals: Sequence[Proposal]) -> set[int]:
    """The positions of the proposals without a difference that have the one highest score for each of their entries."""
    best: dict[str, list[int]] = defaultdict(list)
    for n, proposal in enumerate(proposals):
        for code in (proposal.bank_entry, *proposal.ledger_entries):
            held = best[code]
            if not held or proposals[held[0]].score < proposal.score:
                best[code] = [n]
            elif proposals[held[0]].score == proposal.score:
                held.append(n)
    return {
        n
        for n, proposal in enumerate(proposals)
        if not proposal.difference
        and all(best[code] == [n] for code in (proposal.bank_entry, *proposal.ledger_entries))
    }
