"""The forty places in which the ledger and the banks differ, and what an officer does about each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from books import Booked, Entry, Year
from fund import COSTS, MAIN, RATES, YEAR, dollars, workday

# How many there are of each kind, and what is done about them.
KINDS: Mapping[str, tuple[int, str]] = {
    "charge_not_entered": (6, "enter it as a bank_charge"),
    "interest_not_entered": (2, "enter it"),
    "credited_later": (4, "match it: it is the same money"),
    "short_by_a_correspondent": (4, "enter what the correspondent kept as a bank_charge, and match both"),
    "digits_transposed": (4, "correct the amount"),
    "reference_mistyped": (4, "match it: amount and day agree; of two that are alike, by the invoice"),
    "entered_twice": (3, "reverse the second entry"),
    "two_in_one_credit": (2, "match both deposits with it"),
    "transfer_returned": (2, "correct it: it does not count from the return on, and counts anew when it is paid again"),
    "other_account": (2, "correct the account"),
    "booked_next_year": (2, "none: the next statement has it"),
    "other_rate": (2, "correct rate and amount"),
    "debited_twice_by_the_bank": (1, "enter the debit as a bank_charge, and reverse that on the day of the credit"),
    "refund_not_entered": (1, "enter it"),
    "never_paid": (1, "reverse it"),
}


@dataclass(frozen=True)
class Difference:
    """A place where both sides differ.

    voucher: of the ledger's entry; bank: the bank's reference of its own; each where there is one
    """

    kind: str
    account: str
    day: date
    voucher: str
    bank: str
    ledger_amount: Decimal | None
    bank_amount: Decimal | None


class Books:
    """The ledger as it was entered, the banks' entries, the differences of both, and the papers that mend them.

    entered:     what the ledger's file has, by voucher
    missing:     entries to be entered
    corrections: by voucher, what is sent to correct its entry
    reversals:   by voucher, the day from which its entry does not count, and why
    true:        what counts in the end, by voucher
    """

    def __init__(self) -> None:
        self.year = Year()
        self.entered = dict(self.year.entries)
        self.true = dict(self.year.entries)
        self.booked = dict(self.year.booked)
        self.found: list[Difference] = []
        self.missing: list[dict[str, Any]] = []
        self.corrections: dict[str, dict[str, Any]] = {}
        self.reversals: dict[str, tuple[date, str]] = {}
        for make in (
            self._missing, self._later, self._short, self._transposed, self._mistyped, self._twice, self._in_one,
            self._returned, self._other_account, self._next_year, self._other_rate, self._by_the_bank, self._never_paid,
        ):  # fmt: skip
            make()

    def _book(self, account: str, day: date, amount: Decimal, party: str, text: str, *others: str) -> Booked:
        """Let a bank book what no voucher stands for."""
        name = f"entry {len(self.year.booked)} of the bank"
        self.booked[name] = self.year.book(name, account, day, amount, party, text, *others)
        return self.booked[name]

    def _note(self, kind: str, entry: Entry | None, booked: Booked | None) -> None:
        either = booked or entry
        assert either
        self.found.append(
            Difference(
                kind, either.account, either.day, entry.id if entry else "", booked.reference if booked else "",
                entry.moved if entry else None, booked.amount if booked else None,
            )
        )  # fmt: skip

    def _correct(self, wrong: Entry, right: Entry, reason: str, reversed_on: date | None = None) -> None:
        self.corrections[wrong.id] = {**right.sent(), "reversal_date": f"{reversed_on or wrong.day}", "reason": reason}

    def _missing(self) -> None:
        charges = ["BC-MAIN-02-1", "BC-MAIN-04-2", "BC-MAIN-07-3", "BC-MAIN-09-1", "BC-COSTS-03-1", "BC-COSTS-10-1"]
        refund = next(name for name in self.entered if name.startswith("RF-"))
        for kind, names in (
            ("charge_not_entered", charges),
            ("interest_not_entered", ["IN-MAIN-06", "IN-COSTS-09"]),
            ("refund_not_entered", [refund]),
        ):
            for name in names:
                self.missing.append(self.entered.pop(name).sent())
                self._note(kind, None, self.booked[name])

    def _later(self) -> None:
        for name, days in (("DE-01-1", 1), ("DE-04-2", 1), ("DE-07-3", 2), ("DE-11-2", 4)):
            day = workday(self.booked[name].day + timedelta(days=days))
            self.booked[name] = replace(self.booked[name], day=day)
            self._note("credited_later", self.entered[name], self.booked[name])

    def _short(self) -> None:
        for name, kept in (("DE-02-2", "18.50"), ("DE-05-3", "25.00"), ("DE-08-4", "32.75"), ("DE-10-5", "41.20")):
            entry, booked = self.entered[name], self.booked[name]
            self.booked[name] = replace(
                booked, amount=booked.amount - Decimal(kept), text=f"{booked.text}, less {kept} of a correspondent"
            )
            self._note("short_by_a_correspondent", entry, self.booked[name])
            note = f"Kept by a correspondent of {entry.id}."
            columns = {"account": MAIN, "bank_reference": entry.reference, "note": note}
            charge = Entry(f"kept of {name}", "bank_charge", entry.day, Decimal(kept), columns)
            self.true[charge.id] = charge
            self.missing.append(charge.sent())

    def _transposed(self) -> None:
        transfer = next(name for name in self.entered if name.startswith("TR-XP-14") and name.endswith("-1"))
        for name in ("DC-041", "DC-127", "DC-263", transfer):
            right = self.entered[name]
            wrong = right.having(amount=_transposed(right.amount))
            self.entered[name] = wrong
            self._note("digits_transposed", wrong, self.booked[name])
            self._correct(wrong, right, f"Two digits were transposed: {right.amount:.2f} was paid.")

    def _mistyped(self) -> None:
        for name, typed in (
            ("DC-066", "INV-2O24-066"), ("DC-158", "INV-2024-158."), ("DC-200", "INV-2024-2000"),
            ("DC-201", "INV-2024-20l"),
        ):  # fmt: skip
            self.entered[name] = self.entered[name].having(bank_reference=typed)
            self._note("reference_mistyped", self.entered[name], self.booked[name])

    def _twice(self) -> None:
        for name in ("DC-089", "DC-190", "DC-301"):
            entry = self.entered[name]
            again = replace(entry, id=f"{name}-B", day=workday(entry.day + timedelta(days=3)))
            self.entered[again.id] = again
            self._note("entered_twice", again, None)
            self.reversals[again.id] = again.day, f"It was entered as {name} already."

    def _in_one(self) -> None:
        for first, second in (("DE-03-4a", "DE-03-4b"), ("DE-10-4a", "DE-10-4b")):
            one, other = self.booked[first], self.booked.pop(second)
            both = replace(one, amount=one.amount + other.amount, others=one.others + other.others)
            self.booked[first] = replace(both, text=f"{one.text}; {other.text}")
            self._note("two_in_one_credit", self.entered[first], self.booked[first])

    def _returned(self) -> None:
        names = [name for name in self.entered if name.startswith("TR-XP-0") and name.endswith("-1")]
        for name in (names[3], names[7]):
            entry, paid = self.entered[name], self.booked[name]
            back = workday(paid.day + timedelta(days=6))
            anew = workday(back + timedelta(days=3))
            right = entry.having(day=anew, bank_reference=f"{entry.reference}-R")
            returned = self._book(MAIN, back, -paid.amount, paid.party, f"Returned, account closed: {paid.text}")
            self._book(MAIN, anew, paid.amount, paid.party, paid.text, right.reference)
            self._note("transfer_returned", entry, returned)
            self._correct(entry, right, "The bank returned it, and it was paid again.", back)
            self.true[name] = right

    def _other_account(self) -> None:
        for name, account in (("DE-09-2", COSTS), ("DC-222", MAIN)):
            entry, booked = self.entered[name], self.booked.pop(name)
            elsewhere = self._book(account, booked.day, booked.amount, booked.party, booked.text, *booked.others)
            if fee := self.booked.pop(f"fee of {name}", None):
                self._book(account, fee.day, fee.amount, fee.party, fee.text)
            self._note("other_account", entry, elsewhere)
            right = entry.having(account=account)
            self._correct(entry, right, f"It is on the account {account}.")
            self.true[name] = right

    def _next_year(self) -> None:
        for name in [name for name, booked in self.booked.items() if booked.day.year > YEAR]:
            self._note("booked_next_year", self.entered[name], self.booked[name])

    def _other_rate(self) -> None:
        for name in ("DE-02-4", "DE-06-3"):
            right = self.entered[name]
            month = right.day.month - 1
            rate = RATES[right.columns["original_currency"], month]
            amount = dollars(Decimal(right.columns["original_amount"]), rate)
            wrong = right.having(amount=amount, rate=f"{rate}", rate_date=f"{date(YEAR, month, 1)}")
            self.entered[name] = wrong
            self._note("other_rate", wrong, self.booked[name])
            self._correct(wrong, right, f"The bank has credited it at {right.columns['rate']}, the rate of the month.")

    def _by_the_bank(self) -> None:
        paid = self.booked["DC-111"]
        day, back = workday(paid.day + timedelta(days=1)), workday(paid.day + timedelta(days=8))
        twice = self._book(COSTS, day, paid.amount, paid.party, paid.text, *paid.others)
        self._book(COSTS, back, -paid.amount, "The bank", f"Our error: {twice.reference} is credited back")
        self._note("debited_twice_by_the_bank", None, twice)
        note = f"The bank has debited {paid.text} twice, and pays it back."
        columns = {"account": COSTS, "bank_reference": twice.reference, "note": note}
        self.missing.append(Entry("", "bank_charge", day, -paid.amount, columns).sent())

    def _never_paid(self) -> None:
        name = "DC-277"
        del self.booked[name], self.true[name]
        self._note("never_paid", self.entered[name], None)
        self.reversals[name] = self.entered[name].day, "The supplier has withdrawn the invoice; it was never paid."


def _transposed(amount: Decimal) -> Decimal:
    """The amount with two neighbouring digits in the other order, so that it is less."""
    digits = list(f"{amount:.2f}")
    for n in range(1, len(digits)):
        if digits[n].isdigit() and digits[n - 1] > digits[n] and (n > 1 or digits[n] != "0"):
            digits[n - 1], digits[n] = digits[n], digits[n - 1]
            return Decimal("".join(digits))
    raise ValueError(f"{amount} has no two digits to transpose")
