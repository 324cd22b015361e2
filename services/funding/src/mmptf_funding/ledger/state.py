"""What the entries of one write depend on in the ledger: loaded once, and kept up to date with each entry."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from itertools import accumulate

from mmptf_common.lists.codes import MOST_MEANT, suggest
from mmptf_common.storage.journal import Write
from mmptf_common.storage.records import submission
from mmptf_common.wire.problems import Conflict, ErrorDetail, ProblemError, raise_if_any, unknown_code
from mmptf_common.wire.suggestions import Suggestion, fold
from mmptf_funding.contributions.queries import CONTRIBUTORS
from mmptf_funding.ledger import rules
from mmptf_funding.ledger.domain import CURRENCY, Answers, Entry, LedgerFlag, Noun, Programme, RecordedEntry
from mmptf_funding.ledger.queries import LEDGER

# The entries whose sums make a balance: the balance, and the values of its `members` that they have.
BalanceKey = tuple[rules.Balance, tuple[str | None, ...]]
_NUMBER = re.compile(r"l-([0-9]{6,})")
_NOTHING = Decimal("0.00")
# The days of a part of a balance: about the square root of the days of several years.
PART_DAYS = 64


def code_of(number: int) -> str:
    """The code of an entry; entries are numbered from 1 in the order of writing."""
    return f"L-{number:06d}"


def number_of(code: str) -> int:
    """The number of an entry, from its code."""
    return int(code.removeprefix("L-"))


def balance_keys(entry: Entry) -> Iterable[BalanceKey]:
    """The balances that an entry is part of."""
    for balance in (*rules.NEVER_BELOW_ZERO, rules.UNSPENT, rules.PAID):
        if entry.kind in (*balance.plus, *balance.minus):
            yield balance, tuple(getattr(entry, name) for name in balance.members)


class _Days:
    """Successive days and what each of them changes; their total, and the first day on which it is the lowest."""

    __slots__ = ("amounts", "days", "lowest", "lowest_on", "total")

    def __init__(self, days: list[date], amounts: list[Decimal]) -> None:
        self.days, self.amounts = days, amounts
        self.sum_up()

    def add(self, day: date, amount: Decimal) -> None:
        n = bisect_left(self.days, day)
        if n < len(self.days) and self.days[n] == day:
            self.amounts[n] += amount
        else:
            self.days.insert(n, day)
            self.amounts.insert(n, amount)
        self.sum_up()

    def sum_up(self) -> None:
        totals = list(accumulate(self.amounts))
        self.total, self.lowest = totals[-1], min(totals)
        self.lowest_on = self.days[totals.index(self.lowest)]


class DailyBalance:
    """A balance at the end of each day on which an entry changed it.

    The days are summed up in parts: a change costs the days of one part, and not all later ones.
    """

    def __init__(self, changes: Iterable[tuple[date, Decimal]] = ()) -> None:
        by_day: dict[date, Decimal] = {}
        for day, amount in changes:
            by_day[day] = by_day.get(day, _NOTHING) + amount
        days = sorted(by_day)
        self._parts = [
            _Days(part, [by_day[day] for day in part])
            for part in (days[n : n + PART_DAYS] for n in range(0, len(days), PART_DAYS))
        ]

    def add(self, day: date, amount: Decimal) -> None:
        """Add an amount from a day on."""
        if not self._parts:
            self._parts.append(_Days([day], [amount]))
            return
        n = max(0, bisect_right(self._parts, day, key=lambda part: part.days[0]) - 1)
        part = self._parts[n]
        part.add(day, amount)
        if len(part.days) > 2 * PART_DAYS:
            later = _Days(part.days[PART_DAYS:], part.amounts[PART_DAYS:])
            self._parts[n : n + 1] = [_Days(part.days[:PART_DAYS], part.amounts[:PART_DAYS]), later]

    def lowest(self, since: date) -> tuple[date, Decimal]:
        """The lowest balance from a day on, that day included, with the first day on which it is reached."""
        total = _NOTHING
        later: list[_Days] = []
        for part in self._parts:
            n = bisect_right(part.days, since)
            total += part.total if n == len(part.days) else sum(part.amounts[:n], _NOTHING)
            if 0 < n < len(part.days):
                later.append(_Days(part.days[n:], part.amounts[n:]))
            elif n == 0:
                later.append(part)
        found = since, total
        for part in later:
            if total + part.lowest < found[1]:
                found = part.lowest_on, total + part.lowest
            total += part.total
        return found


@dataclass
class LedgerState:
    """The ledger within a write, as far as the write's entries depend on it.

    number:       of the last entry
    contributors: the codes of all contributors
    meant:        the contributor that was meant by an unknown one of the write's entries
    entries:      by code, those that the write's entries follow or correct, and those that it has written
    programmes:   by code, the stored descriptions of those that the write's entries name
    held:         codes of the catalogue that earlier entries name; only filled where the catalogue cannot be asked
    balances:     those that the write's entries are part of
    new_entries, new_programmes: what is to be stored, in order
    """

    write: Write
    number: int
    contributors: frozenset[str]
    meant: Mapping[str, Suggestion | None]
    entries: dict[str, RecordedEntry]
    programmes: dict[str, Programme]
    held: frozenset[tuple[Noun, str]]
    balances: Mapping[BalanceKey, DailyBalance]
    new_entries: list[RecordedEntry] = field(default_factory=list)
    new_programmes: dict[str, Programme] = field(default_factory=dict)
    _looked_up: int = 0

    async def enter(self, entry: Entry, answers: Answers | ProblemError) -> RecordedEntry:
        """Add an entry, and the fee that follows a deposit; returns it.

        Raises InvalidRequest for an invalid entry, Conflict where a balance would fall below zero, and the error of the
        catalogue where the ledger does not have the codes either; the state is then as before.
        """
        errors = rules.errors_of(entry, self.write.at.date())
        errors += self._contributor_errors(entry.contributor)
        if isinstance(answers, ProblemError):
            if not entry.catalogue_codes().items() <= self.held:
                raise answers
        else:
            errors += rules.catalogue_errors(entry, answers)
        errors += await self._predecessor_errors(entry)
        if entry.corrects and entry.corrects not in self.entries:
            errors.append(await self._unknown_entry("/corrects", entry.corrects))
        raise_if_any(errors)
        programme = None
        if isinstance(answers, Answers):
            programme = answers.programmes[entry.programme] if entry.programme else None
            entry = answers.with_current_codes(entry)
        before = len(self.new_entries)
        recorded = self.append(entry, flags=self._flags_of(entry))
        if entry.kind == "deposit" and (fee := rules.fee_of(recorded)):
            self.append(fee)
        try:
            self.require_balances(recorded)
        except Conflict:
            self._remove(self.new_entries[before:])
            raise
        if programme and self.programmes.get(programme.code) != programme:
            self.programmes[programme.code] = self.new_programmes[programme.code] = programme
        return recorded

    def append(self, entry: Entry, *, flags: Sequence[LedgerFlag] = ()) -> RecordedEntry:
        """Add an entry under the next code; returns it."""
        self.number += 1
        code = code_of(self.number)
        recorded = RecordedEntry.of(
            entry.model_copy(update={"flags": tuple(flags)}),
            code=code,
            source=submission(self.write, f"{LEDGER.path}/{code}", "sum", entry.reference),
            at=self.write.at,
        )
        self.entries[code] = recorded
        self.new_entries.append(recorded)
        for key in balance_keys(recorded):
            self.balances[key].add(recorded.date, _signed(key[0], recorded))
        return recorded

    def _remove(self, entries: Sequence[RecordedEntry]) -> None:
        """Take away the last entries again."""
        for recorded in entries:
            del self.entries[recorded.code]
            for key in balance_keys(recorded):
                self.balances[key].add(recorded.date, -_signed(key[0], recorded))
        self.number -= len(entries)
        del self.new_entries[-len(entries) :]

    def lowest(self, balance: rules.Balance, entry: Entry, since: date) -> tuple[date, Decimal]:
        """The lowest balance for an entry's members from a day on, and the first day on which it is reached."""
        return self.balances[balance, tuple(getattr(entry, name) for name in balance.members)].lowest(since)

    def require_balances(self, entry: RecordedEntry) -> None:
        """Raise Conflict, with the amount, where a balance is below zero on the entry's day or a later one."""
        for balance in rules.NEVER_BELOW_ZERO:
            if entry.kind not in (*balance.plus, *balance.minus):
                continue
            day, lowest = self.lowest(balance, entry, entry.date)
            if lowest < 0:
                name = balance.name.format(entry)
                raise Conflict(f"On {day} {name} would be {lowest} {CURRENCY}.", code=balance.code)

    def flags_of_reversal(self, entry: RecordedEntry, day: date) -> list[LedgerFlag]:
        """The flags of a reversal: of a transfer, whether expenditure then exceeds transfers on its day or later."""
        if entry.kind != "transfer":
            return []
        _, left = self.lowest(rules.UNSPENT, entry, day)
        return ["expenditure_exceeds_transfers"] if left < entry.sum.amount else []

    def _flags_of(self, entry: Entry) -> list[LedgerFlag]:
        """The flags of a new entry: what it exceeds on its day or a later one."""
        amount = entry.sum.amount
        if entry.kind in ("expenditure", "refund"):
            _, unspent = self.lowest(rules.UNSPENT, entry, entry.date)
            if unspent < amount:
                return ["refund_exceeds_unspent" if entry.kind == "refund" else "expenditure_exceeds_transfers"]
        if entry.kind == "deposit" and entry.follows:
            _, paid = self.lowest(rules.PAID, entry, entry.date)
            if self.entries[entry.follows].sum.amount + paid < amount:
                return ["deposit_exceeds_commitment"]
        return []

    def _contributor_errors(self, code: str | None) -> list[ErrorDetail]:
        if code is None or code in self.contributors:
            return []
        return [unknown_code("/contributor", code, listed_at=CONTRIBUTORS.path, suggestion=self.meant.get(code))]

    async def _predecessor_errors(self, entry: Entry) -> list[ErrorDetail]:
        """The errors of `follows`: an entry that does not exist, is of another kind or contributor, or was reversed."""
        if entry.follows is None or rules.KINDS[entry.kind].follows is None:
            return []
        if earlier := self.entries.get(entry.follows):
            return rules.predecessor_errors(entry, earlier)
        return [await self._unknown_entry("/follows", entry.follows)]

    async def _unknown_entry(self, pointer: str, code: str) -> ErrorDetail:
        # Each entry of the write may be the one that was meant by those after it, so this cannot be known before.
        self._looked_up += 1
        meant = await suggest(self._entries_among, code) if self._looked_up <= MOST_MEANT else None
        return unknown_code(pointer, code, listed_at=LEDGER.path, suggestion=meant)

    async def _entries_among(self, texts: Sequence[str]) -> list[str]:
        """The codes of entries that are, in lower case, among texts: every number up to the last one has its entry."""
        numbers = {int(match[1]) for text in texts if (match := _NUMBER.fullmatch(text))}
        wanted = set(texts)
        return [code for n in numbers if 0 < n <= self.number and fold(code := code_of(n)) in wanted]


def _signed(balance: rules.Balance, entry: Entry) -> Decimal:
    """The amount that an entry adds to a balance."""
    return entry.sum.amount if entry.kind in balance.plus else -entry.sum.amount
