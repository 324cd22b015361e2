"""A plain model of the ledger and of programmes, written anew from the decisions about them."""

from __future__ import annotations

import copy
import datetime
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

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
    Programme,
    Who,
    full,
)

# The members of a body that a row has as they were sent.
PARTIES = ("contributor", "programme", "organization", "thematic_area", "category", "follows", "account")


def may_enter(who: Who, kind: str, organization: str | None) -> bool:
    if who == ADMIN:
        return True
    by = {"pledge": (AGENT, UNIT), "allocation": (UNIT,)}.get(kind, (AGENT,))
    return who in by or (kind in ("expenditure", "refund") and who[0] == "agency" and who[1] == organization)


# In which statuses of its programme an entry is usual, and in which it is taken and flagged; else it is refused.
RUNNING = {"approved", "implementation"}
FITTING = {
    "allocation": (RUNNING, {"suspended", "not_stated"}),
    "transfer": (RUNNING, {"suspended", "operationally_closed", "not_stated"}),
    "expenditure": ({"implementation"}, {"approved", "suspended", "operationally_closed", "not_stated"}),
    "refund": (
        RUNNING | {"suspended", "operationally_closed", "cancelled", "not_stated"},
        {"concept_note", "pipeline", "not_selected", "withdrawn", "financially_closed"},
    ),
}


def status_on(programme: Json, day: str) -> str:
    """The status of a programme on a day; of a day before the first one that is known, the present one."""
    known = [record["status"] for record in programme["status_history"] if record["date"] <= day]
    return str(known[-1] if known else programme["status"])


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


class Refused(Exception):
    """Why a command is rejected: the status, and the errors or the problem's code and parts of its detail."""

    def __init__(self, status: int, *errors: tuple[str, str | None], saying: tuple[str, ...] = ()) -> None:
        super().__init__(status, errors)
        self.status = status
        self.errors = sorted((code, pointer or "") for code, pointer in errors)
        self.saying = saying


@dataclass
class Books:
    """The state after the commands so far: entries, drafts and programmes."""

    rows: list[Row] = field(default_factory=list)
    drafts: dict[str, Json] = field(default_factory=dict)
    # The codes of programmes that drafts have of which there is a newer one in `drafts`; no command names these.
    older_drafts: list[str] = field(default_factory=list)
    programmes: dict[str, Json] = field(default_factory=dict)
    periods: list[Json] = field(default_factory=list)

    # - the ledger -

    def total(self, kind: str, until: str | None = None, **parties: str | None) -> Decimal:
        return sum((row.amount for row in self.found(kind, until, **parties)), Decimal(0))

    def found(self, kind: str, until: str | None = None, **parties: str | None) -> list[Row]:
        return [
            row
            for row in self.rows
            if row.kind == kind
            and (until is None or row.date <= until)
            and all(getattr(row, name) == value for name, value in parties.items())
        ]

    def reversal_of(self, code: str, until: str | None = None) -> Row | None:
        return next((r for r in self.rows if r.reverses == code and (until is None or r.date <= until)), None)

    def append(self, **facts: Any) -> Row:
        closed = [period["end"] for period in self.periods if period["status"] != "open"]
        if closed and facts["date"] <= max(closed):
            following = datetime.date.fromisoformat(max(closed)) + datetime.timedelta(1)
            raise Refused(409, ("period_closed", None), saying=(f"the first open day is {following}",))
        row = Row(f"L-{len(self.rows) + 1:06d}", **facts)
        self.rows.append(row)
        return row

    def enter(self, who: Who, sent: Json, catalogue: Mapping[str, Json], replaces: tuple[str, ...] = ()) -> Row:
        """The entry that was written; raises Refused, and then the caller restores the state of before."""
        kind = sent["kind"]
        if not may_enter(who, kind, sent.get("organization")):
            raise Refused(403, ("forbidden", None))
        if errors := [*self.errors_by_itself(sent), *self.errors_of_codes(sent, catalogue)]:
            raise Refused(422, *errors)
        parties = {name: sent.get(name) for name in PARTIES}
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
                self.append(kind="agent_fee", date=row.date, amount=kept, follows=row.code, account=row.account)
            self.append_difference(row, self.row(row.follows) if row.follows else None, row.date)
        self.require_balances(row)
        self.require_promise(row)
        return row

    def row(self, code: str) -> Row:
        return next(row for row in self.rows if row.code == code)

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
        return [r for r in self.rows if r.follows in codes and not r.reverses and not self.reversal_of(r.code)]

    def standing(self, code: str) -> Row:
        """The last entry that stands for one, which may be itself."""
        return next((row for row in reversed(self.rows) if code in row.replaces), None) or self.row(code)

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
        if sent["date"] == NOT_YET:
            found.append(("in_the_future", "/date"))
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
                accounts = sent["kind"] == "refund" or (
                    sent["kind"] == "expenditure"
                    and self.total("transfer", programme=programme, organization=organization)
                    > self.total("refund", programme=programme, organization=organization)
                )
                if organization not in (None, "UN-X") and partners and organization not in partners and not accounts:
                    found.append(("not_taking_part", "/organization"))
                if sent["kind"] in FITTING:
                    usual, unusual = FITTING[sent["kind"]]
                    if status_on(catalogue[programme], sent["date"]) not in usual | unusual:
                        found.append(("status_does_not_allow", "/programme"))
        if sent["kind"] in PRECEDED and (code := sent.get("follows")):
            row = next((row for row in self.rows if row.code == code), None)
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

    def flags(self, row: Row, catalogue: Mapping[str, Json]) -> set[str]:
        """What the programme of an entry makes unusual about it, when it is the last one."""
        if row.kind not in FITTING or row.programme is None or row.reverses:
            return set()
        programme = catalogue[row.programme]
        found = set()
        if status_on(programme, row.date) in FITTING[row.kind][1]:
            found.add("unusual_for_status")
        partners = [partner["code"] for partner in programme["organizations"]]
        if row.organization and partners and row.organization not in partners:
            found.add("no_longer_taking_part")
        days = {other.date for other in self.rows if other.date >= row.date}

        def most(kind: str, **parties: str | None) -> Decimal:
            return max(self.total(kind, day, programme=row.programme, **parties) for day in days)

        budget = programme["budget"]
        if row.kind == "allocation" and budget and most("allocation") > Decimal(budget["amount"]):
            found.add("allocation_exceeds_budget")
        if row.kind == "expenditure" and programme["budget_lines"]:
            planned = sum(
                Decimal(line["amount"])
                for line in programme["budget_lines"]
                if (line["organization"], line["category"]) == (row.organization, row.category)
            )
            if most("expenditure", organization=row.organization, category=row.category) > planned * Decimal("1.2"):
                found.add("expenditure_exceeds_budget_line")
        return found

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
        return reversals[0]

    def require_reversible(self, who: Who, code: str) -> Row:
        row = next((row for row in self.rows if row.code == code), None)
        if row is None:
            raise Refused(404, ("not_found", None))
        if not may_enter(who, row.kind, row.organization):
            raise Refused(403, ("forbidden", None))
        if row.reverses or self.reversal_of(code):
            raise Refused(409, ("not_reversible", None))
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
        return [row for row in self.found(kind, until) if row.follows in codes]

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

    def lowest(self, parties: Mapping[str, str | None], signs: Mapping[str, int], since: str) -> tuple[Decimal, str]:
        days = sorted({row.date for row in self.rows if row.date >= since})
        on = [
            (sum((sign * self.total(kind, day, **parties) for kind, sign in signs.items()), Decimal(0)), day)
            for day in days
        ]
        return min(on)

    def require_balances(self, row: Row) -> None:
        for code, parties, signs in self.balances():
            if row.kind not in signs or any(getattr(row, name) != value for name, value in parties.items()):
                continue
            amount, day = self.lowest(parties, signs, row.date)
            if amount < 0:
                # A day without an entry of these kinds has the balance of the last one that has.
                days = {r.date for r in self.rows if r.kind in signs and self.of(r, parties)}
                day = next(d for d in sorted(days) if d >= row.date and self.sum_on(d, parties, signs) == amount)
                raise Refused(409, (code, None), saying=(f"On {day} ", f" {amount:.2f} USD"))

    @staticmethod
    def of(row: Row, parties: Mapping[str, str | None]) -> bool:
        return all(getattr(row, name) == value for name, value in parties.items())

    def sum_on(self, day: str, parties: Mapping[str, str | None], signs: Mapping[str, int]) -> Decimal:
        return sum((sign * self.total(kind, day, **parties) for kind, sign in signs.items()), Decimal(0))

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

    # - programmes -

    def command(self, asked: Programme) -> None:
        """Carry out a command to the catalogue; raises Refused with a status alone."""
        do, (client, organization), code, sent = asked.do, asked.who, asked.code, asked.sent
        if client in ("agent", "reviewer"):
            raise Refused(403)
        fund = client in ("management-unit", "admin")
        if do == "draft":
            if client != "agency":
                raise Refused(403)
            if code in self.programmes:
                raise Refused(409)
            self.require_known(sent)
            if code in self.drafts:
                self.older_drafts.append(code)
            self.drafts[code] = {**copy.deepcopy(sent), "organization": organization}
            return
        if do == "extend" and not fund:
            raise Refused(403)
        if asked.match is None:
            raise Refused(428)
        of_draft = do in ("amend_draft", "discard", "submit")
        record = self.drafts.get(code) if of_draft else self.programmes.get(code)
        if record is None or (of_draft and client != "admin" and organization != record["organization"]):
            raise Refused(404)
        if asked.match == "stale":
            raise Refused(412)
        if do == "amend_draft":
            self.require_known(sent)
            record |= copy.deepcopy(sent)
        elif do == "discard":
            del self.drafts[code]
        elif do == "submit":
            self.submit(code, record)
        elif do == "extend":
            if record["status"] not in ("approved", "implementation", "suspended"):
                raise Refused(409)
            if sent["end"] <= record["duration"]["end"]:
                raise Refused(422)
            record["duration"] = {**record["duration"], "end": sent["end"]}
        elif not fund and organization != record["lead"]:
            raise Refused(403)
        elif do == "amend":
            self.amend(record, sent, fund)
        else:
            self.move(record, sent, fund)

    def submit(self, code: str, draft: Json) -> None:
        if any(not draft.get(name) for name in set(full(1)) - {"budget_lines"}):
            raise Refused(422)
        if draft["organization"] not in draft["organizations"] or not fits(draft):
            raise Refused(422)
        del self.drafts[code]
        kept = {name: value for name, value in draft.items() if name != "organization"}
        self.programmes[code] = {"budget_lines": [], **kept, "lead": draft["organization"], "status": "concept_note"}

    def amend(self, record: Json, sent: Json, fund: bool) -> None:
        status = record["status"]
        funded = status in ("approved", "implementation", "suspended")
        if funded and not fund:
            raise Refused(403)
        if not funded and status not in ("concept_note", "pipeline"):
            raise Refused(409)
        # What is stated already is no change.
        changed = {name: value for name, value in copy.deepcopy(sent).items() if value != record[name]}
        if funded and "duration" in changed:
            raise Refused(409)
        amended = {**record, **changed}
        if record["lead"] not in amended["organizations"] or not fits(amended):
            raise Refused(422)
        if funded and not amended["budget_lines"]:
            raise Refused(422)
        record.update(amended)

    def move(self, record: Json, sent: Json, fund: bool) -> None:
        ways = {
            "concept_note": "pipeline not_selected withdrawn", "pipeline": "approved not_selected withdrawn",
            "approved": "implementation suspended cancelled",
            "implementation": "operationally_closed suspended cancelled",
            "suspended": "implementation operationally_closed cancelled",
            "operationally_closed": "financially_closed implementation", "not_selected": "concept_note",
            "withdrawn": "concept_note", "cancelled": "financially_closed", "financially_closed": "",
        }  # fmt: skip
        step = (record["status"], sent["status"])
        if sent["status"] not in ways[record["status"]].split():
            raise Refused(409)
        if not fund and "withdrawn" not in step:
            raise Refused(403)
        if sent["date"] != "today" or (fund and sent["decision"] is None):
            raise Refused(422)
        if sent["status"] == "approved" and not record["budget_lines"]:
            raise Refused(422)
        record["status"] = sent["status"]

    @staticmethod
    def require_known(sent: Json) -> None:
        if sent.get("thematic_area") == "99":
            raise Refused(422)


def fits(said: Json) -> bool:
    """Whether the parts of a programme fit one another."""
    places, lines, duration = said["places"], said.get("budget_lines", []), said["duration"]
    shares = [place["share"] for place in places]
    if len({place["code"] for place in places}) < len(places) or said["thematic_area"] == "99":
        return False
    if any(shares) and (None in shares or "0.00" in shares or sum(map(Decimal, shares)) != 100):
        return False
    if duration["end"] < duration["start"]:
        return False
    if not lines:
        return True
    direct: Counter[str] = Counter()
    for line in lines:
        cents = int(line["amount"].replace(".", ""))
        direct[line["organization"]] += 7 * cents if line["category"] != "indirect_costs" else -100 * cents
    keys = {(line["organization"], line["year"], line["category"]) for line in lines}
    return (
        sum(Decimal(line["amount"]) for line in lines) == Decimal(said["budget"])
        and len(keys) == len(lines)
        and all(line["organization"] in said["organizations"] for line in lines)
        and all(int(duration["start"][:4]) <= line["year"] <= int(duration["end"][:4]) for line in lines)
        # Half a cent is rounded up.
        and all(left >= -50 for left in direct.values())
    )
