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
from mmptf_common.wire.money import amount_text
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import Conflict, ErrorDetail, raise_if_any, unknown_code
from mmptf_common.wire.suggestions import Suggestion, fold
from mmptf_funding.contributions.queries import CONTRIBUTORS
from mmptf_funding.ledger import lifecycle, rules
from mmptf_funding.ledger.domain import CURRENCY, Entry, FlagDetail, LedgerEntryKind, RecordedEntry
from mmptf_funding.ledger.programmes import CatalogueCodes, Programme
from mmptf_funding.ledger.queries import LEDGER

# The entries whose sums make a balance: the balance, and the values of its `members` that they have.
BalanceKey = tuple[rules.Balance, tuple[str | None, ...]]
# Programme, organization and day of transfers.
DayOfTransfers = tuple[str | None, str | None, date]
_NUMBER = re.compile(r"l-([0-9]{6,})")
_NOTHING = Decimal("0.00")
# By kind, the balances that its entries are part of.
_BALANCES: Mapping[LedgerEntryKind, Sequence[rules.Balance]] = {
    kind: [
        balance
        for balance in (*rules.NEVER_BELOW_ZERO, rules.UNSPENT, *lifecycle.BALANCES)
        if kind in (*balance.plus, *balance.minus)
    ]
    for kind in rules.KINDS
}
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
    for balance in _BALANCES[entry.kind]:
        yield balance, tuple([getattr(entry, name) for name in balance.members])


def checked_keys(entry: Entry) -> Iterable[BalanceKey]:
    """The balances that an entry is checked against: of those never below zero, the ones that it reduces."""
    for key in balance_keys(entry):
        if key[0] not in rules.NEVER_BELOW_ZERO or _signed(key[0], entry) < 0:
            yield key


def reference_key(entry: Entry) -> tuple[str, str] | None:
    """By what an entry is found that repeats a reference of the bank: its kind, and the reference in any case."""
    if entry.bank_reference is None or entry.reverses:
        return None
    return entry.kind, entry.bank_reference.casefold()


def day_of_transfers(entry: Entry) -> DayOfTransfers | None:
    """The day and the parties of a transfer that nobody has approved; None for other entries and for reversals."""
    if entry.kind != "transfer" or entry.proposal or entry.reverses:
        return None
    return entry.programme, entry.organization, entry.date


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

    def total(self) -> Decimal:
        """The balance after all days."""
        return sum((part.total for part in self._parts), _NOTHING)

    def from_day(self, since: date) -> dict[date, Decimal]:
        """The balance at the end of a day, and of each later one on which it changes, in their order."""
        total = _NOTHING
        found: dict[date, Decimal] = {}
        for part in self._parts:
            n = bisect_right(part.days, since)
            before = part.total if n == len(part.days) else sum(part.amounts[:n], _NOTHING)
            if not found:
                total += before
            for day, amount in zip(part.days[n:], part.amounts[n:], strict=True):
                found.setdefault(since, total)
                total += amount
                found[day] = total
        return found or {since: total}

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
class Settlement:
    """How a commitment was changed and paid, in its own currency: beside its amount, what counts from each day on.

    commitment: the entry that stands for it now
    amended:    by its amendments
    unpaid:     by its amendments, and less its deposits
    """

    commitment: Entry
    amended: DailyBalance = field(default_factory=DailyBalance)
    unpaid: DailyBalance = field(default_factory=DailyBalance)

    def add(self, entry: Entry, sign: int = 1) -> None:
        """Add an amendment or a deposit; with -1 as sign take it away again."""
        amount = sign * rules.settled(entry, self.commitment)
        if entry.kind == "commitment_amendment":
            self.amended.add(entry.date, amount)
        self.unpaid.add(entry.date, amount if entry.kind == "commitment_amendment" else -amount)

    def excess_with(self, entry: Entry) -> Decimal:
        """By how much deposits exceed the commitment with a new amendment or deposit, on its day or later; else 0."""
        amount = rules.settled(entry, self.commitment)
        change = amount if entry.kind == "commitment_amendment" else -amount
        left = self.commitment.promised.amount + self.unpaid.lowest(entry.date)[1] + change
        return -left if change < 0 and left < 0 else _NOTHING


@dataclass
class LedgerState:
    """The ledger within a write, as far as the write's entries depend on it.

    number:       of the last entry
    contributors: the codes of all contributors
    meant:        the contributor that was meant by an unknown one of the write's entries
    entries:      by code, those that the write's entries follow or correct, and those that it has written
    catalogue:    what is known of the catalogue's codes that the write's entries name
    certified:    the programmes among them whose final figures are certified
    balances:     those that the write's entries are checked against or compared with
    bank_references: the earliest entries with the references of the write's entries, by kind and reference
    settlements:  by the first code of a commitment, of those that the write's entries change or pay
    closed_to:    the last day of the last closed period; None where none is closed
    accounts:     the codes of the bank accounts, as of `rules.account_of`; empty where none is listed
    limit:        above which a second person approves a transfer; None where there is none
    transfers_of_day: what was transferred without approval on the days of the write's transfers, by their parties
    new_entries:  what is to be stored, in order
    """

    write: Write
    number: int
    contributors: frozenset[str]
    meant: Mapping[str, Suggestion | None]
    entries: dict[str, RecordedEntry]
    catalogue: CatalogueCodes
    certified: frozenset[str]
    balances: Mapping[BalanceKey, DailyBalance]
    bank_references: dict[tuple[str, str], str]
    settlements: dict[str, Settlement] = field(default_factory=dict)
    closed_to: date | None = None
    accounts: Mapping[str, str] = field(default_factory=dict)
    limit: Decimal | None = None
    transfers_of_day: dict[DayOfTransfers, Decimal] = field(default_factory=dict)
    new_entries: list[RecordedEntry] = field(default_factory=list)
    _looked_up: int = 0

    async def enter(self, entry: Entry) -> RecordedEntry:
        """Add an entry, and the fee that follows a deposit; returns it.

        Raises InvalidRequest for an invalid entry, and Conflict where a second person has to approve it, or a balance
        would fall below zero; the state is then as before.
        """
        errors = rules.errors_of(entry, self.write.at.date())
        errors += rules.account_errors(entry, self.accounts)
        errors += self._contributor_errors(entry.contributor)
        errors += rules.catalogue_errors(entry, self.catalogue)
        programme = self.catalogue.programme_of(entry)
        if programme:
            errors += self._programme_errors(entry, programme)
        errors += await self._predecessor_errors(entry)
        if entry.corrects and entry.corrects not in self.entries:
            errors.append(await self._unknown_entry("/corrects", entry.corrects))
        raise_if_any(errors)
        rules.require_second_person(entry, self.limit)
        entry = self.catalogue.with_current_codes(entry)
        if entry.account and self.accounts:
            entry = entry.model_copy(update={"account": rules.account_of(entry.account, self.accounts)})
        before = len(self.new_entries)
        if entry.kind == "commitment_amendment" and entry.follows:
            # It is of the same earmark, which nobody has to repeat.
            entry = entry.model_copy(update={"thematic_area": self.entries[entry.follows].thematic_area})
        recorded = self.append(entry, flags=self._flags_of(entry, programme))
        if entry.kind == "deposit":
            for derived in self._derived_from(recorded):
                self.append(derived)
        try:
            self.require_balances(recorded)
        except Conflict:
            self._remove(self.new_entries[before:])
            raise
        return recorded

    def append(self, entry: Entry, *, flags: Sequence[FlagDetail] = ()) -> RecordedEntry:
        """Add an entry under the next code; returns it. Raises Conflict where its day is closed."""
        rules.require_open(entry.date, self.closed_to)
        self.number += 1
        code = code_of(self.number)
        source = submission(self.write, f"{LEDGER.path}/{code}", "sum", entry.reference)
        recorded = RecordedEntry.of(entry, code, source, self.write.at, flags)
        self.entries[code] = recorded
        self.new_entries.append(recorded)
        if reference := reference_key(recorded):
            self.bank_references.setdefault(reference, code)
        self._count(recorded)
        return recorded

    def _count(self, recorded: RecordedEntry, sign: int = 1) -> None:
        """Add an entry to the balances and the settlement that it is part of; with -1 as sign take it away again."""
        for key in balance_keys(recorded):
            if key in self.balances:
                self.balances[key].add(recorded.date, sign * _signed(key[0], recorded))
        if recorded.kind == "commitment" and not recorded.reverses:
            self.settlements.setdefault(recorded.first_code, Settlement(recorded)).commitment = recorded
        elif settlement := self._settlement_of(recorded):
            settlement.add(recorded, sign)
        elif (day := day_of_transfers(recorded)) and day in self.transfers_of_day:
            self.transfers_of_day[day] += sign * recorded.sum.amount

    def _settlement_of(self, entry: Entry) -> Settlement | None:
        """The settlement of the commitment that an amendment or a deposit follows, where it is loaded."""
        if entry.kind not in ("commitment_amendment", "deposit") or entry.follows is None:
            return None
        followed = self.entries.get(entry.follows)
        return self.settlements.get(followed.first_code if followed else entry.follows)

    def _derived_from(self, deposit: RecordedEntry) -> list[Entry]:
        """The entries that are written with a deposit: the agent's fee, and the difference of exchange."""
        settlement = self._settlement_of(deposit)
        difference = settlement and rules.exchange_difference_of(deposit, settlement.commitment)
        return [entry for entry in (rules.fee_of(deposit), difference) if entry]

    def _remove(self, entries: Sequence[RecordedEntry]) -> None:
        """Take away the last entries again."""
        for recorded in entries:
            self._count(recorded, -1)
            del self.entries[recorded.code]
            if (reference := reference_key(recorded)) and self.bank_references[reference] == recorded.code:
                del self.bank_references[reference]
        self.number -= len(entries)
        del self.new_entries[-len(entries) :]

    def lowest(self, balance: rules.Balance, entry: Entry, since: date) -> tuple[date, Decimal]:
        """The lowest balance for an entry's members from a day on, and the first day on which it is reached."""
        return self.balances[balance, tuple(getattr(entry, name) for name in balance.members)].lowest(since)

    def _highest(self, balance: rules.Balance, entry: Entry) -> Decimal:
        """The most of what a balance has as a negative amount, from an entry's day on."""
        return -self.lowest(balance, entry, entry.date)[1]

    def _by_day(self, entry: Entry, *keys: BalanceKey) -> list[tuple[Decimal, ...]]:
        """Several balances on an entry's day and on each later one on which one of them changes."""
        balances = [self.balances[key].from_day(entry.date) for key in keys]
        present = [each[entry.date] for each in balances]
        found = []
        for day in sorted({day for each in balances for day in each}):
            present = [each.get(day, before) for each, before in zip(balances, present, strict=True)]
            found.append(tuple(present))
        return found

    def require_balances(self, entry: RecordedEntry) -> None:
        """Raise Conflict, with the amount, where a balance is below zero on the entry's day or a later one."""
        for balance, _ in checked_keys(entry):
            if balance not in rules.NEVER_BELOW_ZERO:
                continue
            day, lowest = self.lowest(balance, entry, entry.date)
            if lowest < 0:
                name = balance.name.format(entry)
                raise Conflict(f"On {day} {name} would be {lowest} {CURRENCY}.", code=balance.code)
        if entry.kind == "commitment_amendment" and (settlement := self._settlement_of(entry)):
            self._require_commitment(settlement, entry.date)
        elif entry.kind == "commitment" and not entry.reverses:
            self._require_commitment(self.settlements[entry.first_code], entry.date)

    @staticmethod
    def _require_commitment(settlement: Settlement, since: date) -> None:
        """Raise Conflict, with the amount, where amendments take more from a commitment than it promises."""
        promised = settlement.commitment.promised
        day, amended = settlement.amended.lowest(since)
        if (left := promised.amount + amended) < 0:
            detail = f"On {day} what is committed would be {left} {promised.currency}."
            raise Conflict(detail, code=ProblemCode.EXCEEDS_COMMITMENT)

    def _programme_errors(self, entry: Entry, programme: Programme) -> list[ErrorDetail]:
        """Whether an entry does not fit the status of its programme, and who takes part in it."""
        errors = lifecycle.status_errors(entry, programme)
        errors += lifecycle.certified_errors(entry, programme, self.certified)
        organization = entry.organization and self.catalogue.codes["organization", entry.organization]
        key = lifecycle.RECEIVED, (programme.code, organization)
        received = self.balances[key].total() if key in self.balances else _NOTHING
        if organization or entry.organization is None:
            errors += lifecycle.participation_errors(entry, programme, organization, received)
        return errors

    def flags_of_reversal(self, reversal: Entry) -> list[FlagDetail]:
        """The flags of a reversal: what then exceeds what it rests on, on its day or later.

        Of a transfer the expenditure, and of what raised a commitment the deposits.
        """
        if reversal.kind == "transfer":
            return self._flags_of_less_received(reversal, -reversal.sum.amount)
        settlement = self._settlement_of(reversal)
        return _flags_of_deposits(settlement, reversal) if settlement and reversal.kind != "deposit" else []

    def _flags_of(self, entry: Entry, programme: Programme | None) -> list[FlagDetail]:
        """The flags of a new entry, whose codes are present ones: what it exceeds on its day or a later one."""
        amount = entry.sum.amount
        found = lifecycle.flags_of_programme(entry, programme) if programme else []
        if entry.kind in ("expenditure", "refund"):
            _, unspent = self.lowest(rules.UNSPENT, entry, entry.date)
            if unspent < amount and entry.kind == "refund":
                detail = f"{entry.organization} has {lifecycle.usd(max(unspent, _NOTHING))} that it has not spent."
                found.append(lifecycle.flag("refund_exceeds_unspent", detail, amount - unspent))
            elif unspent < amount:
                found.append(_overspent(entry, amount - unspent))
        if settlement := self._settlement_of(entry):
            found += _flags_of_deposits(settlement, entry)
        elif entry.replaces and (corrected := self.settlements.get(entry.replaces[0])):
            left = entry.promised.amount + corrected.unpaid.lowest(entry.date)[1]
            found += _flags_of_excess(-left, entry)
        if programme and entry.kind == "allocation":
            found += lifecycle.flags_of_allocation(programme, self._highest(lifecycle.ALLOCATED, entry) + amount)
        elif entry.kind == "transfer":
            found += self._flags_of_less_received(entry, -amount) if entry.replaces else []
            found += self._flags_of_transfer(entry)
            day = day_of_transfers(entry)
            if self.limit is not None and day and day in self.transfers_of_day:
                found += lifecycle.flags_of_day(entry, self.transfers_of_day[day] + amount, self.limit)
        elif programme and entry.kind == "expenditure":
            spent = self._highest(lifecycle.SPENT_ON_CATEGORY, entry) + amount
            found += lifecycle.flags_of_spending(entry, programme, spent)
            if entry.category == lifecycle.INDIRECT:
                by_day = self._by_day(
                    entry,
                    (lifecycle.SPENT_ON_CATEGORY, (entry.programme, entry.organization, lifecycle.INDIRECT)),
                    (lifecycle.SPENT, (entry.programme, entry.organization)),
                )
                costs = [(amount - less_indirect, less_indirect - less_all) for less_indirect, less_all in by_day]
                found += lifecycle.flags_of_indirect_costs(entry, costs)
        if (reference := reference_key(entry)) and reference in self.bank_references:
            detail = f"{self.bank_references[reference]} has the same reference of the bank, {entry.bank_reference}."
            found.append(lifecycle.flag("repeated_bank_reference", detail))
        return found

    def _flags_of_transfer(self, transfer: Entry) -> list[FlagDetail]:
        """Whether more is transferred to an organization than is allocated to it, or to none, on a day or later."""
        balance, amount = lifecycle.ALLOCATED_TO_ORGANIZATION, transfer.sum.amount
        to_it, to_none = (
            (balance, (transfer.programme, organization)) for organization in (transfer.organization, None)
        )
        if amount <= sum(self.balances[key].lowest(transfer.date)[1] for key in (to_it, to_none)):
            return []
        by_day = self._by_day(transfer, to_it, to_none, (lifecycle.ALLOCATED, (transfer.programme,)))
        # On days on which all is allocated to none in particular, nothing is said of organizations.
        left = [own + unnamed for own, unnamed, less_allocated in by_day if unnamed < -less_allocated]
        return lifecycle.flags_of_transfer(transfer, min(left, default=amount))

    def _flags_of_less_received(self, transfer: Entry, less: Decimal) -> list[FlagDetail]:
        """Whether an organization has spent more than it has received, less an amount, from a transfer's day on."""
        _, unspent = self.lowest(rules.UNSPENT, transfer, transfer.date)
        return [_overspent(transfer, less - unspent)] if unspent < less else []

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


def _overspent(entry: Entry, excess: Decimal) -> FlagDetail:
    detail = f"{entry.organization} has spent more for {entry.programme} than it has received and not refunded."
    return lifecycle.flag("expenditure_exceeds_transfers", detail, excess)


def _flags_of_deposits(settlement: Settlement, entry: Entry) -> list[FlagDetail]:
    """The flags of a new amendment or deposit: whether more is paid than promised, and in another currency."""
    found = _flags_of_excess(settlement.excess_with(entry), settlement.commitment)
    own, given = settlement.commitment.promised.currency, entry.promised.currency
    if given != own:
        detail = f"The deposit is in {given}, and {entry.follows} in {own}: it counts by its US dollars."
        found.append(lifecycle.flag("deposit_in_other_currency", detail))
    return found


def _flags_of_excess(excess: Decimal, commitment: Entry) -> list[FlagDetail]:
    """The flag of deposits that exceed a commitment; excess: by how much, in its currency, not above zero if not."""
    if excess <= 0:
        return []
    currency = commitment.promised.currency
    detail = f"{amount_text(excess)} {currency} more are deposited than the commitment promises."
    return [lifecycle.flag("deposit_exceeds_commitment", detail, excess, currency)]
