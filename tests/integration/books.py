"""A plain model of the ledger, written anew from the decisions about it."""

from __future__ import annotations

import datetime
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

from tests.integration.books_bank import Bank, account_named
from tests.integration.books_commands import (
    ADMIN,
    AGENT,
    CENT,
    DERIVED,
    MEMBERS,
    NEEDS,
    NOT_YET,
    PRECEDED,
    REFERENCED,
    TAKES,
    UNIT,
    Json,
    Refused,
    Who,
)
from tests.integration.books_flags import FITTING, flags_of, status_on

# The members of a body that a row has as they were sent.
PARTIES = ("contributor", "programme", "organization", "thematic_area", "category", "follows", "account")
# Those that its reversal does not have.
OWN = ("value_date", "bank_reference", "corrects")


def may_enter(who: Who, kind: str, organization: str | None) -> bool:
    if who == ADMIN:
        return True
    by = {"pledge": (AGENT, UNIT), "allocation": (UNIT,)}.get(kind, (AGENT,))
    return who in by or (kind in ("expenditure", "refund") and who[0] == "agency" and who[1] == organization)


@dataclass(frozen=True)
class Row:
    """An entry of the ledger."""

    code: str
    kind: str
    date: str
    amount: Decimal
    contributor: str | None = None
    programme: str | None = None
    organization: str | None = None
    thematic_area: str | None = None
    category: str | None = None
    follows: str | None = None
    reverses: str | None = None
    account: str | None = None
    # The amount in the currency in which it was given, its currency, and the rate as text.
    own: Decimal | None = None
    currency: str = "USD"
    rate: str | None = None
    replaces: tuple[str, ...] = ()
    # The days on which parts of it are due, with the parts in its own currency.
    due: tuple[tuple[str, Decimal], ...] = ()
    value_date: str | None = None
    bank_reference: str | None = None
    corrects: str | None = None
    # Each flag with by how much something is exceeded, where that is an amount.
    flags: tuple[tuple[str, Decimal | None], ...] = ()

    @property
    def given(self) -> Decimal:
        return self.amount if self.own is None else self.own


@dataclass(frozen=True)
class Paid:
    """A commitment on a day: in US dollars at its rate, and in its own currency."""

    row: Row
    promised: Decimal
    settled: Decimal
    committed: Decimal
    paid: Decimal
    received: Decimal


def nearest(exact: Fraction) -> Decimal:
    """To the cent; half a cent away from zero."""
    cents = math.floor(abs(exact) * 100 + Fraction(1, 2))
    return Decimal(cents if exact > 0 else -cents).scaleb(-2)


class Index:
    """Entries by what they are looked up by."""

    def __init__(self, rows: list[Row]) -> None:
        self.size, self.last = len(rows), rows[-1] if rows else None
        self.by_code = {row.code: row for row in rows}
        self.reversals = {row.reverses: row for row in rows if row.reverses}
        self.standing = {code: row for row in rows for code in row.replaces}
        self.kinds: dict[str, list[Row]] = defaultdict(list)
        self.followers: dict[str | None, list[Row]] = defaultdict(list)
        for row in rows:
            self.kinds[row.kind].append(row)
            self.followers[row.follows].append(row)


@dataclass
class Books:
    """The state after the commands so far: entries, drafts, programmes, periods, certificates, imported rows, accounts.

    Records are replaced and never changed, so that a copy of the books has those of its time.
    """

    rows: list[Row] = field(default_factory=list)
    drafts: dict[str, Json] = field(default_factory=dict)
    # The codes of programmes that drafts have of which there is a newer one in `drafts`; no command names these.
    older_drafts: list[str] = field(default_factory=list)
    programmes: dict[str, Json] = field(default_factory=dict)
    periods: list[Json] = field(default_factory=list)
    # Certificates of final figures by programme; by the number of a row that was imported, its entry and what it said.
    closings: dict[str, Json] = field(default_factory=dict)
    imported: dict[str, tuple[str, Json]] = field(default_factory=dict)
    bank: Bank = field(default_factory=Bank)
    _index: Index | None = None

    def copy(self) -> Books:
        return Books(
            [*self.rows], {**self.drafts}, [*self.older_drafts], {**self.programmes}, [*self.periods],
            {**self.closings}, {**self.imported}, self.bank.copy(),
        )  # fmt: skip

    # - the ledger -

    @property
    def index(self) -> Index:
        found = self._index
        if found is None or found.size != len(self.rows) or (self.rows and found.last is not self.rows[-1]):
            found = self._index = Index(self.rows)
        return found

    def total(self, kind: str, until: str | None = None, **parties: str | None) -> Decimal:
        return sum((row.amount for row in self.found(kind, until, **parties)), Decimal(0))

    def found(self, kind: str, until: str | None = None, **parties: str | None) -> list[Row]:
        return [
            row
            for row in self.index.kinds.get(kind, ())
            if (until is None or row.date <= until)
            and all(getattr(row, name) == value for name, value in parties.items())
        ]

    def reversal_of(self, code: str, until: str | None = None) -> Row | None:
        found = self.index.reversals.get(code)
        return found if found and (until is None or found.date <= until) else None

    def append(self, **facts: Any) -> Row:
        closed = [period["end"] for period in self.periods if period["status"] != "open"]
        if closed and facts["date"] <= max(closed):
            following = datetime.date.fromisoformat(max(closed)) + datetime.timedelta(1)
            raise Refused(409, ("period_closed", None), saying=(f"the first open day is {following}",))
        row = Row(f"L-{len(self.rows) + 1:06d}", **facts)
        self.rows.append(row)
        return row

    def enter(self, who: Who | None, sent: Json, catalogue: Mapping[str, Json], replaces: tuple[str, ...] = ()) -> Row:
        """The entry that was written; raises Refused, and then the caller restores the state of before.

        who: None of an import, which takes every kind
        """
        kind = sent["kind"]
        if who is not None and not may_enter(who, kind, sent.get("organization")):
            raise Refused(403, ("forbidden", None))
        if errors := [*self.errors_by_itself(sent), *self.errors_of_codes(sent, catalogue)]:
            raise Refused(422, *errors)
        parties = {name: sent.get(name) for name in (*PARTIES, *OWN)}
        if named := sent.get("account"):
            parties["account"] = account_named(named, self.bank.accounts) or named
        sign = -1 if sent.get("amendment") in ("decrease", "cancellation") else 1
        if original := sent.get("original"):
            parties |= {"own": sign * Decimal(original["amount"]), "currency": original["currency"]}
            parties["rate"] = original["rate"]
        if kind == "commitment_amendment":
            parties["thematic_area"] = self.row(sent["follows"]).thematic_area
        due = tuple((part["due"], Decimal(part["amount"])) for part in sent.get("instalments", ()))
        amount = sign * Decimal(sent["amount"])
        row = self.append(kind=kind, date=sent["date"], amount=amount, replaces=replaces, due=due, **parties)
        if kind == "deposit":
            kept = (row.amount / 100).quantize(CENT, ROUND_HALF_UP)
            if agreed := sent.get("fee"):
                kept = Decimal(agreed["amount"])
            if kept:
                self.append(
                    kind="agent_fee", date=row.date, amount=kept, follows=row.code, account=row.account,
                    value_date=row.value_date,
                )  # fmt: skip
            self.append_difference(row, self.row(row.follows) if row.follows else None, row.date)
        self.require_balances(row)
        self.require_promise(row)
        return self.flagged(row, catalogue)

    def flagged(self, row: Row, catalogue: Mapping[str, Json]) -> Row:
        """The entry with what is unusual about it."""
        place = next(n for n, each in enumerate(self.rows) if each is row)
        self.rows[place] = replace(row, flags=tuple(sorted(flags_of(self, row, catalogue).items())))
        self._index = None
        return self.rows[place]

    def row(self, code: str) -> Row:
        return self.index.by_code[code]

    def difference(self, deposit: Row, commitment: Row | None) -> Decimal:
        """What a deposit is more in US dollars than at the rate of its commitment."""
        if commitment is None or commitment.currency == "USD" or deposit.currency != commitment.currency:
            return Decimal(0)
        at_rate = Fraction(deposit.given) * Fraction(commitment.amount) / Fraction(commitment.given)
        return deposit.amount - nearest(at_rate)

    def append_difference(self, deposit: Row, commitment: Row | None, date: str) -> None:
        if difference := self.difference(deposit, commitment):
            self.append(
                kind="exchange_difference", date=date, amount=difference, follows=deposit.code,
                contributor=deposit.contributor,
            )  # fmt: skip

    def resting(self, row: Row) -> list[Row]:
        """What follows an entry, or one that it stands for, and counts."""
        codes = (row.code, *row.replaces)
        found = sorted((row for code in codes for row in self.index.followers[code]), key=lambda row: row.code)
        return [row for row in found if not row.reverses and not self.reversal_of(row.code)]

    def standing(self, code: str) -> Row:
        """The last entry that stands for one, which may be itself."""
        return self.index.standing.get(code) or self.row(code)

    def correct(self, who: Who, code: str, sent: Json, reversal_date: str, catalogue: Mapping[str, Json]) -> Row:
        """The entry that stands for a wrong one; raises Refused, and then the caller restores the state of before."""
        if not may_enter(who, sent["kind"], sent.get("organization")):
            raise Refused(403, ("forbidden", None))
        wrong = self.require_reversible(who, code)
        if wrong.kind in DERIVED:
            raise Refused(409, ("not_reversible", None))
        errors = self.days_of_reversal(wrong, reversal_date, "/reversal_date")
        if sent["kind"] != wrong.kind:
            errors.append(("not_applicable", "/kind"))
        if sent["date"] < reversal_date and reversal_date > wrong.date:
            errors.append(("too_early", "/date"))
        resting = self.resting(wrong)
        followers = [row for row in resting if row.kind not in DERIVED]
        for row in followers:
            if row.contributor != sent.get("contributor"):
                errors.append(("does_not_follow", "/contributor"))
            elif row.kind == "commitment_amendment":
                original = sent.get("original") or {"currency": "USD", "rate": None}
                errors += [("too_early", "/date")] if row.date < sent["date"] else []
                if (row.currency, row.rate) != (original["currency"], original["rate"]):
                    errors.append(("does_not_follow", "/original"))
        if errors:
            raise Refused(422, *errors)
        reversals = [
            self.append(**self.turned(row, reversal_date)) for row in (wrong, *resting) if row not in followers
        ]
        right = self.enter(who, sent, catalogue, (*wrong.replaces, code))
        if wrong.kind == "commitment":
            for deposit in (row for row in followers if row.kind == "deposit"):
                old = next((row for row in self.resting(deposit) if row.kind == "exchange_difference"), None)
                if (old.amount if old else Decimal(0)) != self.difference(deposit, right):
                    day = max(reversal_date, deposit.date)
                    if old:
                        self.append(**self.turned(old, day))
                    self.append_difference(deposit, right, day)
        self.require_balances(reversals[0])
        return right

    def errors_by_itself(self, sent: Json) -> list[tuple[str, str]]:
        kind = sent["kind"]
        found = [("missing_member", f"/{name}") for name in NEEDS[kind] if sent.get(name) is None]
        taken = (*NEEDS[kind], *TAKES.get(kind, ()))
        found += [("not_applicable", f"/{n}") for n in MEMBERS if sent.get(n) is not None and n not in taken]
        if kind in REFERENCED and "reference" not in sent:
            found.append(("missing_member", "/reference"))
        found += [("in_the_future", f"/{n}") for n in ("date", "value_date") if sent.get(n) == NOT_YET]
        if original := sent.get("original"):
            if original["currency"] == "USD":
                found.append(("not_applicable", "/original/currency"))
            if abs(Decimal(original["amount"]) * Decimal(original["rate"]) - Decimal(sent["amount"])) >= CENT:
                found.append(("amount_does_not_follow", "/amount"))
            if original["rate_date"] > sent["date"]:
                found.append(("in_the_future", "/original/rate_date"))
        if (fee := sent.get("fee")) and Decimal(fee["amount"]) > Decimal(sent["amount"]):
            found.append(("invalid_value", "/fee/amount"))
        if parts := sent.get("instalments"):
            whole = original["amount"] if original else sent["amount"]
            if sent.get("amendment") in ("decrease", "cancellation"):
                found.append(("not_applicable", "/instalments"))
            elif sum(Decimal(part["amount"]) for part in parts) != Decimal(whole):
                found.append(("amount_does_not_follow", "/instalments"))
        return found

    def errors_of_codes(self, sent: Json, catalogue: Mapping[str, Json]) -> list[tuple[str, str]]:
        found = []
        if sent.get("contributor") == "ATLANTIS":
            found.append(("unknown_code", "/contributor"))
        if sent.get("organization") == "UN-X":
            found.append(("unknown_code", "/organization"))
        if sent.get("thematic_area") == "9":
            found.append(("unknown_code", "/thematic_area"))
        if programme := sent.get("programme"):
            if programme not in catalogue:
                found.append(("unknown_code", "/programme"))
            else:
                partners = [partner["code"] for partner in catalogue[programme]["organizations"]]
                organization = sent.get("organization")
                answers = sent["kind"] == "refund" or (
                    sent["kind"] == "expenditure"
                    and self.total("transfer", programme=programme, organization=organization)
                    > self.total("refund", programme=programme, organization=organization)
                )
                if organization not in (None, "UN-X") and partners and organization not in partners and not answers:
                    found.append(("not_taking_part", "/organization"))
                if sent["kind"] in FITTING:
                    usual, unusual = FITTING[sent["kind"]]
                    if status_on(catalogue[programme], sent["date"]) not in usual | unusual:
                        found.append(("status_does_not_allow", "/programme"))
                    if sent["kind"] != "refund" and programme in self.certified:
                        found.append(("figures_certified", "/programme"))
        accounts = self.bank.accounts
        if accounts and sent.get("account") and not account_named(sent["account"], accounts):
            found.append(("unknown_code", "/account"))
        if sent.get("corrects") and sent["corrects"] not in self.index.by_code:
            found.append(("unknown_code", "/corrects"))
        if sent["kind"] in PRECEDED and (code := sent.get("follows")):
            row = self.index.by_code.get(code)
            if row is None:
                found.append(("unknown_code", "/follows"))
            elif (
                row.kind != PRECEDED[sent["kind"]]
                or row.reverses
                or row.contributor != sent.get("contributor")
                or self.reversal_of(code)
            ):
                found.append(("does_not_follow", "/follows"))
            elif sent["kind"] == "commitment_amendment":
                original = sent.get("original") or {"currency": "USD", "rate": None}
                found += [("too_early", "/date")] if sent["date"] < row.date else []
                if (row.currency, row.rate) != (original["currency"], original["rate"]):
                    found.append(("does_not_follow", "/original"))
        return found

    @property
    def certified(self) -> set[str]:
        """The programmes whose final figures are certified."""
        return {code for code, closing in self.closings.items() if closing["state"] == "certified"}

    def reverse(self, who: Who, code: str, date: str) -> Row:
        row = self.require_reversible(who, code)
        if errors := self.days_of_reversal(row, date, "/date"):
            raise Refused(422, *errors)
        resting = self.resting(row)
        if any(follower.kind not in DERIVED for follower in resting):
            raise Refused(409, ("not_reversible", None))
        reversals = [self.append(**self.turned(turned, date)) for turned in (row, *resting)]
        self.require_balances(reversals[0])
        self.require_promise(reversals[0])
        return self.flagged(reversals[0], {})

    def require_reversible(self, who: Who, code: str) -> Row:
        row = self.index.by_code.get(code)
        if row is None:
            raise Refused(404, ("not_found", None))
        if not may_enter(who, row.kind, row.organization):
            raise Refused(403, ("forbidden", None))
        if row.reverses or self.reversal_of(code):
            raise Refused(409, ("not_reversible", None))
        if row.kind != "refund" and row.programme in self.certified:
            raise Refused(409, ("figures_certified", None))
        return row

    @staticmethod
    def days_of_reversal(row: Row, date: str, pointer: str) -> list[tuple[str, str]]:
        if row.date <= date < NOT_YET:
            return []
        return [("too_early" if date < row.date else "in_the_future", pointer)]

    def require_promise(self, row: Row) -> None:
        """Raise Refused where an amendment, or its reversal, takes more from its commitment than it promises."""
        if row.kind not in ("commitment", "commitment_amendment"):
            return
        commitment = row if row.kind == "commitment" else self.standing(row.follows or "")
        if commitment.reverses:
            return
        for day in sorted({r.date for r in self.rows if r.date >= row.date}):
            if self.promised(commitment, day) < 0:
                raise Refused(409, ("exceeds_commitment", None))

    def followers(self, commitment: Row, kind: str, until: str | None) -> list[Row]:
        codes = (commitment.code, *commitment.replaces)
        return [
            row
            for code in codes
            for row in self.index.followers.get(code, ())
            if row.kind == kind and (until is None or row.date <= until)
        ]

    def promised(self, commitment: Row, until: str | None) -> Decimal:
        amendments = self.followers(commitment, "commitment_amendment", until)
        return commitment.given + sum((self.settles(row, commitment) for row in amendments), Decimal(0))

    @staticmethod
    def settles(row: Row, commitment: Row) -> Decimal:
        if row.currency == commitment.currency:
            return row.given
        return nearest(Fraction(row.amount) * Fraction(commitment.given) / Fraction(commitment.amount))

    @staticmethod
    def turned(row: Row, date: str) -> Json:
        facts = {name: getattr(row, name) for name in ("kind", *PARTIES, "currency", "rate")}
        own = None if row.own is None else -row.own
        return {**facts, "date": date, "amount": -row.amount, "own": own, "reverses": row.code}

    def balances(self) -> Iterable[tuple[str, dict[str, str | None], dict[str, int]]]:
        """Each balance that must not fall below zero: the problem's code, the parties, the kinds with their signs."""
        income = ("deposit", "interest", "refund", "other_income", "transfer_from_fund", "opening_balance")
        paid = ("transfer", "agent_fee", "direct_cost", "bank_charge", "contributor_refund", "transfer_to_fund")
        yield "insufficient_balance", {}, dict.fromkeys(income, 1) | dict.fromkeys(paid, -1)
        for code in {row.programme for row in self.rows if row.programme}:
            yield "exceeds_allocation", {"programme": code}, {"allocation": 1, "transfer": -1}
        for programme, organization in {(r.programme, r.organization) for r in self.rows if r.organization}:
            pair: dict[str, str | None] = {"programme": programme, "organization": organization}
            yield "exceeds_transfers", pair, {"transfer": 1, "refund": -1}
        for code in {row.contributor for row in self.rows if row.contributor}:
            yield "exceeds_deposits", {"contributor": code}, {"deposit": 1, "contributor_refund": -1}

    def daily(self, parties: Mapping[str, str | None], signs: Mapping[str, int]) -> list[tuple[str, Decimal]]:
        """A balance at the end of each day with an entry of it."""
        moved: dict[str, Decimal] = defaultdict(Decimal)
        for kind, sign in signs.items():
            for row in self.found(kind, None, **parties):
                moved[row.date] += sign * row.amount
        found, balance = [], Decimal(0)
        for day in sorted(moved):
            balance += moved[day]
            found.append((day, balance))
        return found

    def require_balances(self, row: Row) -> None:
        """Raise Refused where an entry takes a balance below zero, with the first day on which it is the lowest."""
        for code, parties, signs in self.balances():
            reduced = row.amount * signs.get(row.kind, 0) < 0
            if reduced and all(getattr(row, name) == value for name, value in parties.items()):
                later = [(amount, day) for day, amount in self.daily(parties, signs) if day >= row.date]
                amount, day = min(later)
                if amount < 0:
                    raise Refused(409, (code, None), saying=(f"On {day} ", f" {amount:.2f} USD"))

    def paid(self, until: str | None, contributor: str | None = None) -> list[Paid]:
        """Commitments that are not reversed on a day, each with what was promised and paid of it."""
        return [
            self.paid_of(row, until)
            for row in self.found("commitment", until)
            if not row.reverses and not self.reversal_of(row.code, until) and contributor in (None, row.contributor)
        ]

    def paid_of(self, row: Row, until: str | None) -> Paid:
        deposits = self.followers(row, "deposit", until)
        promised = self.promised(row, until)
        settled = min(promised, sum((self.settles(deposit, row) for deposit in deposits), Decimal(0)))
        amendments = self.followers(row, "commitment_amendment", until)
        committed = row.amount + sum((amendment.amount for amendment in amendments), Decimal(0))
        return Paid(
            row, promised, settled, committed,
            self.at_rate(settled, promised, committed),
            sum((deposit.amount for deposit in deposits), Decimal(0)),
        )  # fmt: skip

    @staticmethod
    def at_rate(own: Decimal, promised: Decimal, committed: Decimal) -> Decimal:
        """A part of what is promised in US dollars, at the rate of the whole."""
        return nearest(Fraction(committed) * Fraction(own) / Fraction(promised)) if promised else Decimal(0)

    def ageing(self, paid: Paid, on: str) -> list[Decimal]:
        """What is outstanding: not due; 1 to 30, 31 to 90, 91 to 180, more days past due; without a day."""
        plan: dict[str, Decimal] = {}
        amendments = [
            row
            for row in self.followers(paid.row, "commitment_amendment", on)
            if not row.reverses and not self.reversal_of(row.code, on)
        ]
        for day, amount in [part for row in (paid.row, *amendments) for part in row.due]:
            plan[day] = plan.get(day, Decimal(0)) + amount
        found = [Decimal(0)] * 6
        # Each cent of the promise in the order in which it is due, but for what is paid.
        before = Decimal(0)
        for day, amount in [*sorted(plan.items()), ("", paid.promised)]:
            after = min(before + amount, paid.promised)
            start = max(before, paid.settled)
            before = max(before, after)
            if after <= start:
                continue
            late = (date.fromisoformat(on) - date.fromisoformat(day)).days if day else None
            place = 5 if late is None else sum(late > most for most in (0, 30, 90, 180))
            found[place] += self.at_rate(after, paid.promised, paid.committed)
            found[place] -= self.at_rate(start, paid.promised, paid.committed)
        return found
