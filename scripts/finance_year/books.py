"""The year as it really was: every entry that the ledger should have, and what the banks booked of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import Any

from fund import (
    CENT,
    CONTRIBUTORS,
    COSTS,
    MAIN,
    OPENING,
    RATE_SOURCE,
    RATES,
    YEAR,
    Contributor,
    Programme,
    dollars,
    draw,
    fee,
    month_end,
    organization_name,
    participations,
    workday,
)

# Rows of the ledger's file, and how many of them are entries of what organizations have spent: all that is left.
ROWS = 2_000
INFLOWS = ("deposit", "interest", "refund", "transfer_from_fund", "other_income", "opening_balance")
# Of what is promised, in per cent: what is paid in each instalment, and the month.
INSTALMENTS = ((1, 40), (3, 15), (6, 15), (9, 15), (11, 15))
# What an amendment adds to the last instalment of a contributor, in its currency.
AMENDED = {2: 200_000, 8: -95_000}
# Of what is allocated to an organization, in per cent: what it spends in each quarter.
SPENT, SPENT_LATE = (15, 25, 22, 28), (0, 0, 25, 40)
# Parts of what is spent in a quarter, in per cent; the indirect costs are 7 % of the others.
CATEGORIES = {
    "staff_and_personnel": 34, "supplies": 8, "equipment": 7, "contractual_services": 19, "travel": 9,
    "transfers_and_grants": 15, "general_operating_costs": 8,
}  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """An entry of the ledger by its row: `id` is the voucher; columns: all others that are filled."""

    id: str
    kind: str
    day: date
    amount: Decimal
    columns: Mapping[str, str] = field(default_factory=dict)

    @property
    def account(self) -> str:
        return self.columns["account"]

    @property
    def reference(self) -> str:
        """By what the bank's statement names it."""
        return self.columns["bank_reference"]

    @property
    def moved(self) -> Decimal:
        """What it adds to its account."""
        return self.amount if self.kind in INFLOWS else -self.amount

    def having(self, *, day: date | None = None, amount: Decimal | None = None, **columns: str) -> Entry:
        """The entry with another day, amount or columns."""
        return replace(
            self,
            day=day or self.day,
            amount=self.amount if amount is None else amount,
            columns={**self.columns, **columns},
        )

    def row(self) -> dict[str, str]:
        """The row of the ledger's file."""
        return {"id": self.id, "kind": self.kind, "date": f"{self.day}", "amount": f"{self.amount:.2f}", **self.columns}

    def sent(self) -> dict[str, Any]:
        """The entry as it is sent to the ledger, save that `follows` is the voucher of another one and not its code."""
        found: dict[str, Any] = {"kind": self.kind, "date": f"{self.day}", "amount": f"{self.amount:.2f}"}
        within = {"original_amount": "amount", "original_currency": "currency"}
        within |= {name: name for name in ("rate", "rate_date", "rate_source")}
        for name, value in self.columns.items():
            if name in within:
                found.setdefault("original", {})[within[name]] = value
            else:
                found[name] = int(value) if name == "tranche" else value
        return found


@dataclass(frozen=True)
class Booked:
    """An entry of a bank statement, negative where the bank took it; the bank's own reference, and those of payers."""

    account: str
    day: date
    amount: Decimal
    reference: str
    others: tuple[str, ...]
    party: str
    text: str

    @property
    def value_day(self) -> date:
        return self.day


class Year:
    """The entries by voucher, and what the banks booked of each; of an agent's fee by `fee of` and the voucher."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.booked: dict[str, Booked] = {}
        self._of_day: Counter[tuple[str, date]] = Counter()
        self._add_all()

    def book(self, name: str, account: str, day: date, amount: Decimal, party: str, text: str, *others: str) -> Booked:
        """Let a bank book an amount under a name that stands for it here."""
        self._of_day[account, day] += 1
        own = f"{'FT' if account == MAIN else 'K'}{day:%y%m%d}{self._of_day[account, day]:02d}"
        self.booked[name] = Booked(account, day, amount, own, others, party, text)
        return self.booked[name]

    def _add(self, entry: Entry, *, party: str = "", text: str = "", lag: int = 0) -> None:
        """Add an entry and, where it moves an account, what the bank booked of it some days later.

        Where the ledger names it by no reference of its own, that is the bank's.
        """
        if "account" in entry.columns and entry.kind != "opening_balance":
            own = (entry.columns["bank_reference"],) if "bank_reference" in entry.columns else ()
            day = workday(entry.day + timedelta(days=lag)) if lag else entry.day
            booked = self.book(entry.id, entry.account, day, entry.moved, party, text, *own)
            if not own:
                entry = entry.having(bank_reference=booked.reference)
        self.entries[entry.id] = entry

    def _add_all(self) -> None:
        for account, amount in OPENING.items():
            columns = {"account": account, "reference": f"Certified statement {YEAR - 1}"}
            self._add(Entry(f"OB-{account}", "opening_balance", date(YEAR - 1, 12, 31), amount, columns))
        for contributor in CONTRIBUTORS:
            self._add_contributions(contributor)
        for programme, organization in participations():
            self._add_payments(programme, organization)
        self._add_others()
        self._add_costs()
        self._add_charges_and_interest()

    def _add_contributions(self, contributor: Contributor) -> None:
        number, currency = contributor.number, contributor.currency
        promised = Decimal(1000 * contributor.thousands)
        parties = {"contributor": contributor.code}
        if contributor.area:
            parties["thematic_area"] = contributor.area
        signed = workday(date(YEAR, 1, 3 + number % 4))
        arrangement = f"AA-{YEAR}-{number:02d}"
        before = signed - timedelta(days=1)
        self._add(_in_currency(f"PL-{number:02d}", "pledge", before, promised, currency, 1, parties))
        columns = {**parties, "follows": f"PL-{number:02d}", "reference": f"Administrative arrangement {arrangement}"}
        self._add(_in_currency(f"CO-{number:02d}", "commitment", signed, promised, currency, 1, columns))
        columns = {"contributor": contributor.code, "follows": f"CO-{number:02d}"}
        more = AMENDED.get(number, 0)
        if more:
            change = "increase" if more > 0 else "decrease"
            changed = {**columns, "amendment": change, "reference": f"Amendment 1 of {arrangement}"}
            day, amount = date(YEAR, 10, 7), Decimal(abs(more))
            self._add(_in_currency(f"AM-{number:02d}", "commitment_amendment", day, amount, currency, 1, changed))
        for n, (month, per_cent) in enumerate(INSTALMENTS, start=1):
            amount = promised * per_cent / 100 + (more if n == len(INSTALMENTS) else 0)
            parts = [(f"{n}", amount)]
            if number in (3, 10) and n == 4:
                # Two arrangements with one contributor, paid on one day.
                parts = [("4a", amount * Decimal("0.6")), ("4b", amount * Decimal("0.4"))]
            day = workday(date(YEAR, month, draw(f"day of {number} {n}", 8, 20)))
            for part, part_amount in parts:
                columns = {**parties, "follows": f"CO-{number:02d}", "account": MAIN, "value_date": f"{day}"}
                columns["bank_reference"] = f"{arrangement}/{part}"
                entry = _in_currency(f"DE-{number:02d}-{part}", "deposit", day, part_amount, currency, month, columns)
                text = f"Contribution {arrangement}, part {part}"
                if currency != "USD":
                    text += f", {currency} {part_amount:.2f} at {entry.columns['rate']}"
                self._add(entry, party=contributor.name, text=text)
                taken = workday(day + timedelta(days=1))
                name = f"fee of {entry.id}"
                self.book(name, MAIN, taken, -fee(entry.amount), "Administrative agent", "Fee of the agent")

    def _add_payments(self, programme: Programme, organization: str) -> None:
        allocated = programme.allocated(organization)
        parties = {"programme": programme.code, "organization": organization}
        named = f"{programme.code}-{organization}"
        day = workday(max(programme.approved, date(YEAR, 1, 15)) + timedelta(days=1))
        self._add(Entry(f"AL-{named}", "allocation", day, allocated, {**parties, "reference": programme.decision}))
        first = date(YEAR, 7, 8) if programme.is_late else date(YEAR, 1, 22)
        second = date(YEAR, 10, 7) if programme.is_late else date(YEAR, 7, 15)
        if programme.is_suspended:
            second = date(YEAR, 9, 9)
        for tranche, begins, per_cent in ((1, first, 60), (2, second, 40)):
            day = workday(begins + timedelta(days=draw(f"tranche {named} {tranche}", 0, 32)))
            if (programme.number, organization, tranche) == (21, programme.organizations[-1], 2):
                day = date(YEAR, 12, 30)
            columns = {**parties, "tranche": f"{tranche}", "account": MAIN, "bank_reference": f"TR-{named}-{tranche}"}
            entry = Entry(f"TR-{named}-{tranche}", "transfer", day, allocated * per_cent / 100, columns)
            text = f"{programme.code}, instalment {tranche}"
            self._add(entry, party=organization_name(organization), text=text, lag=3 if day.month == 12 else 1)
        if programme.has_ended:
            columns = {**parties, "account": MAIN, "bank_reference": f"RF-{named}"}
            amount = (allocated * Decimal("0.04") + draw(f"refund {named}", 1, 900)).quantize(CENT)
            day = workday(date(YEAR, 12, 5) + timedelta(days=draw(f"refund day {named}", 0, 9)))
            entry = Entry(f"RF-{named}", "refund", day, amount, columns)
            self._add(entry, party=organization_name(organization), text=f"{programme.code}, not spent")

    def _add_others(self) -> None:
        columns = {"account": MAIN, "bank_reference": "MF-1", "counterpart_fund": "Another made-up fund"}
        columns["reference"] = "Agreement between the funds"
        entry = Entry("FF-1", "transfer_from_fund", date(YEAR, 4, 10), Decimal("250000.00"), columns)
        self._add(entry, party="Another made-up fund", text="Agreement between the funds")
        columns = {"account": MAIN, "bank_reference": "CR-07", "contributor": "XC-07"}
        columns["reference"] = f"Letter of {date(YEAR, 11, 5)}"
        entry = Entry("CR-07", "contributor_refund", date(YEAR, 11, 20), Decimal("12500.00"), columns)
        self._add(entry, party="Made-up contributor 7", text="Paid twice by the contributor", lag=1)

    def _add_costs(self) -> None:
        amounts: set[Decimal] = set()
        for n in range(1, 331):
            day = workday(date(YEAR, 1, 3) + timedelta(days=n * 362 // 331))
            amount = Decimal(draw(f"cost {n}", 30_000, 235_000)).scaleb(-2)
            while amount in amounts:
                amount += Decimal("1.01")
            if n == 201:
                # Two invoices of one day over the same amount.
                day, amount = self.entries["DC-200"].day, self.entries["DC-200"].amount
            amounts.add(amount)
            invoice = f"Invoice {YEAR}/{n:03d}"
            columns = {"account": COSTS, "bank_reference": f"INV-{YEAR}-{n:03d}", "reference": invoice}
            entry = Entry(f"DC-{n:03d}", "direct_cost", day, amount, columns)
            lag = 3 if n == 330 else draw(f"lag {n}", 0, 2)
            self._add(entry, party=f"Supplier {1 + n % 17}", text=invoice, lag=lag)

    def _add_charges_and_interest(self) -> None:
        for account, often in ((MAIN, 3), (COSTS, 1)):
            columns, short = {"account": account}, account.removeprefix("XF-")
            for month in range(1, 13):
                for n in range(1, often + 1):
                    day = workday(date(YEAR, month, 9 * n)) if n < often else month_end(month)
                    amount = Decimal(draw(f"charge {account} {month} {n}", 1_500, 9_500)).scaleb(-2)
                    entry = Entry(f"BC-{short}-{month:02d}-{n}", "bank_charge", day, amount, columns)
                    self._add(entry, party="The bank", text="Charges")
                amount = Decimal(draw(f"interest {account} {month}", 10_000, 900_000)).scaleb(-2)
                entry = Entry(f"IN-{short}-{month:02d}", "interest", month_end(month), amount, columns)
                self._add(entry, party="The bank", text="Interest")


def _in_currency(
    name: str, kind: str, day: date, amount: Decimal, currency: str, month: int, columns: Mapping[str, str]
) -> Entry:
    """An entry that was given in a currency, at the rate of a month."""
    if currency == "USD":
        return Entry(name, kind, day, amount.quantize(CENT), dict(columns))
    rate = RATES[currency, month]
    original = {
        "original_amount": f"{amount:.2f}", "original_currency": currency, "rate": f"{rate}",
        "rate_date": f"{date(YEAR, month, 1)}", "rate_source": RATE_SOURCE,
    }  # fmt: skip
    return Entry(name, kind, day, dollars(amount, rate), {**columns, **original})


def expenditures(count: int) -> list[Entry]:
    """So many entries of what organizations have spent: in the first quarters nothing on equipment."""
    quarters = [
        (programme, organization, quarter, per_cent)
        for programme, organization in participations()
        for quarter, per_cent in enumerate(SPENT_LATE if programme.is_late else SPENT, start=1)
        if per_cent
    ]
    most = len(quarters) * (len(CATEGORIES) + 1)
    without = most - count
    assert 0 <= without <= len(quarters)
    return [entry for n, each in enumerate(quarters) for entry in _spent(*each, equipment=n >= without)]


def _spent(programme: Programme, organization: str, quarter: int, per_cent: int, *, equipment: bool) -> Iterator[Entry]:
    """What an organization reports for a quarter, by category."""
    in_all = programme.allocated(organization) * per_cent / 100
    direct = Decimal(0)
    for category, part in CATEGORIES.items():
        if category == "equipment" and not equipment:
            continue
        cents = draw(f"spent {programme.code} {organization} {quarter} {category}", -4000, 4000)
        amount = (in_all * part / 110).quantize(CENT) + Decimal(cents).scaleb(-2)
        direct += amount
        yield _expenditure(programme, organization, quarter, category, amount)
    indirect = (direct * 7 / 100).quantize(CENT, ROUND_DOWN)
    yield _expenditure(programme, organization, quarter, "indirect_costs", indirect)


def _expenditure(programme: Programme, organization: str, quarter: int, category: str, amount: Decimal) -> Entry:
    columns = {"programme": programme.code, "organization": organization, "category": category}
    columns["reference"] = f"Financial report, quarter {quarter}"
    number = 1 + [*CATEGORIES, "indirect_costs"].index(category)
    name = f"EX-{programme.code}-{organization}-{quarter}-{number}"
    return Entry(name, "expenditure", month_end(3 * quarter), amount, columns)
