"""A plain model of the ledger and of programmes, written anew from the decisions about them."""

from __future__ import annotations

import copy
import datetime
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from tests.integration.books_commands import (
    ADMIN,
    AGENT,
    CENT,
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

    def enter(self, who: Who, sent: Json, catalogue: Mapping[str, Json]) -> Row:
        """The entry that was written; raises Refused, and then the caller restores the state of before."""
        kind = sent["kind"]
        if not may_enter(who, kind, sent.get("organization")):
            raise Refused(403, ("forbidden", None))
        if errors := [*self.errors_by_itself(sent), *self.errors_of_codes(sent, catalogue)]:
            raise Refused(422, *errors)
        parties = {name: sent.get(name) for name in MEMBERS if name not in ("tranche", "original")}
        row = self.append(kind=kind, date=sent["date"], amount=Decimal(sent["amount"]), **parties)
        if kind == "deposit":
            kept = (row.amount / 100).quantize(CENT, ROUND_HALF_EVEN)
            if kept:
                self.append(kind="agent_fee", date=row.date, amount=kept, follows=row.code)
        self.require_balances(row)
        return row

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
                if organization and partners and organization not in partners and sent["kind"] != "refund":
                    found.append(("not_taking_part", "/organization"))
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
        return found

    def reverse(self, who: Who, code: str, date: str) -> Row:
        row = next((row for row in self.rows if row.code == code), None)
        if row is None:
            raise Refused(404, ("not_found", None))
        if not may_enter(who, row.kind, row.organization):
            raise Refused(403, ("forbidden", None))
        if row.reverses:
            raise Refused(409, ("not_reversible", None))
        if not row.date <= date < NOT_YET:
            raise Refused(422, ("too_early" if date < row.date else "in_the_future", "/date"))
        if self.reversal_of(code):
            raise Refused(409)
        resting = [r for r in self.rows if r.follows == code and not r.reverses and not self.reversal_of(r.code)]
        if any(follower.kind != "agent_fee" for follower in resting):
            raise Refused(409, ("not_reversible", None))
        reversals = [self.append(**self.turned(turned, date)) for turned in (row, *resting)]
        self.require_balances(reversals[0])
        return reversals[0]

    @staticmethod
    def turned(row: Row, date: str) -> Json:
        same = ("kind", "contributor", "programme", "organization", "thematic_area", "category", "follows")
        facts = {name: getattr(row, name) for name in same}
        return {**facts, "date": date, "amount": -row.amount, "reverses": row.code}

    def balances(self) -> Iterable[tuple[str, dict[str, str | None], dict[str, int]]]:
        """Each balance that must not fall below zero: the problem's code, the parties, the kinds with their signs."""
        cash = {"deposit": 1, "interest": 1, "refund": 1}
        yield (
            "insufficient_balance",
            {},
            cash | dict.fromkeys(("transfer", "agent_fee", "direct_cost", "bank_charge"), -1),
        )
        for code in {row.programme for row in self.rows if row.programme}:
            yield "exceeds_allocation", {"programme": code}, {"allocation": 1, "transfer": -1}
        for programme, organization in {(r.programme, r.organization) for r in self.rows if r.organization}:
            pair: dict[str, str | None] = {"programme": programme, "organization": organization}
            yield "exceeds_transfers", pair, {"transfer": 1, "refund": -1}

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

    def paid(self, until: str | None, contributor: str | None = None) -> dict[str, tuple[Row, Decimal]]:
        """Commitments that are not reversed on a day, by code, each with the amount paid."""
        return {
            row.code: (row, min(row.amount, self.total("deposit", until, follows=row.code)))
            for row in self.found("commitment", until)
            if not row.reverses and not self.reversal_of(row.code, until) and contributor in (None, row.contributor)
        }

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
