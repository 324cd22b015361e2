"""The books under random commands: every statement is what a plain model says, refusals leave nothing, nothing is lost.

`BOOKS_EXAMPLES` says how many sequences of commands are tried.
"""

from __future__ import annotations

import copy
import json
import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import pairwise
from typing import Any

import asyncpg
import httpx
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from mmptf_catalog.programmes.records import facts_of, programme_row
from mmptf_local.cache import Cache
from tests.conftest import RunningApp, running_app, service_of
from tests.serving import served
from tests.tokens import bearer, writing

Facts = dict[str, Any]
Who = tuple[str, str | None]

CATALOG, FUNDING = "/catalog/v1", "/funding/v1"
LEDGER, STATEMENT = f"{FUNDING}/ledger", f"{FUNDING}/statement"
CENT = Decimal("0.01")
EXAMPLES = int(os.environ.get("BOOKS_EXAMPLES", "3"))


# --- who may do what, and what a kind of entry has: told again here, from the decisions ------------------------------

AGENT, UNIT, ADMIN, REVIEWER = ("agent", None), ("management-unit", None), ("admin", None), ("reviewer", None)
IOM, ILO, WHO = ("agency", "IOM"), ("agency", "ILO"), ("agency", "WHO")
CALLERS: tuple[Who, ...] = (AGENT, UNIT, ADMIN, REVIEWER, IOM, ILO, WHO)

NEEDS: Mapping[str, tuple[str, ...]] = {
    "pledge": ("contributor",), "commitment": ("contributor",), "deposit": ("contributor",),
    "allocation": ("programme",), "transfer": ("programme", "organization"),
    "expenditure": ("programme", "organization", "category"), "refund": ("programme", "organization"),
    "direct_cost": (), "bank_charge": (), "interest": (),
}  # fmt: skip
TAKES: Mapping[str, tuple[str, ...]] = {
    "pledge": ("thematic_area", "original"), "commitment": ("thematic_area", "original", "follows"),
    "deposit": ("thematic_area", "original", "follows"), "transfer": ("tranche",),
}  # fmt: skip
PRECEDED = {"commitment": "pledge", "deposit": "commitment"}
REFERENCED = ("allocation", "direct_cost")
KINDS = (*NEEDS, "agent_fee")
MEMBERS = ("contributor", "programme", "organization", "thematic_area", "category", "tranche", "follows", "original")
CONTRIBUTORS = ("DEU", "USA")
DRAFTED = ("TST-01", "TST-02")
DAYS = ("2023-12-31", "2024-02-28", "2024-02-29", "2024-03-01", "2025-06-30", "2025-12-31")
NOT_YET = "2099-12-31"


def may_enter(who: Who, kind: str, organization: str | None) -> bool:
    if who == ADMIN:
        return True
    by = {"pledge": (AGENT, UNIT), "allocation": (UNIT,)}.get(kind, (AGENT,))
    return who in by or (kind in ("expenditure", "refund") and who[0] == "agency" and who[1] == organization)


# --- the commands --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Enter:
    """Entries, one by itself or several as a batch; `follows` is a place in the list of what may be followed."""

    who: Who
    entries: tuple[Facts, ...]
    batch: bool = False
    partial: bool = False
    dry: bool = False


@dataclass(frozen=True)
class Reverse:
    who: Who
    entry: int
    date: str
    dry: bool = False


@dataclass(frozen=True)
class Programme:
    """One command to the catalogue: `do` is draft, amend_draft, discard, submit, amend, status or extend."""

    do: str
    who: Who
    code: str
    sent: Facts = field(default_factory=dict)
    match: str | None = "present"
    dry: bool = False


@dataclass(frozen=True)
class Look:
    """Nothing is written: what is answered now is remembered, and everything is held against the journal."""


Command = Enter | Reverse | Programme | Look

amounts = st.one_of(st.integers(1, 400), st.sampled_from([49, 50, 51, 150, 250, 9_999, 100_000])).map(
    lambda cents: f"{Decimal(cents) / 100:.2f}"
)
rarely = st.integers(0, 7).map(lambda n: n == 0)
VALUES: Mapping[str, st.SearchStrategy[Any]] = {
    "contributor": st.sampled_from([*CONTRIBUTORS] * 4 + ["ATLANTIS"]),
    "programme": st.sampled_from(["ETH-01", *DRAFTED] * 3 + ["NONE-99"]),
    "organization": st.sampled_from(["ILO", "IOM", "ILO", "IOM", "WHO", "UN-X"]),
    "thematic_area": st.sampled_from(["1", "2", "1", "2", "9"]),
    "category": st.sampled_from(["supplies", "travel"]),
    "tranche": st.integers(1, 3),
    "follows": st.integers(0, 3),
    "original": st.sampled_from(["twice", "twice", "wrong", "dollars", "later"]),
}
MALFORMED = (("date", "2023-02-29"), ("date", "0000-01-01"), ("amount", "-1.00"), ("amount", "1.5"), ("amount", "0.00"))


@st.composite
def entry(draw: st.DrawFn) -> Facts:
    """What is sent for an entry; most are right, some have one thing wrong."""
    kind = draw(st.sampled_from([*NEEDS, "deposit", "deposit", "commitment", "allocation", "transfer", "expenditure"]))
    sent: Facts = {"kind": kind, "date": draw(st.sampled_from(DAYS)), "amount": draw(amounts)}
    if kind in ("deposit", "allocation"):
        sent["amount"] = draw(st.sampled_from([sent["amount"], "40.00", "12.50"]))
    for name in NEEDS[kind]:
        sent[name] = draw(VALUES[name])
    for name in TAKES.get(kind, ()):
        if draw(st.booleans()):
            sent[name] = draw(VALUES[name])
    if kind in REFERENCED:
        sent["reference"] = "SC-1"
    if draw(rarely):
        wrong = draw(st.sampled_from(["without", "with", "malformed", "not_yet", "unreferenced"]))
        if wrong == "without" and NEEDS[kind]:
            del sent[draw(st.sampled_from(NEEDS[kind]))]
        elif wrong == "with":
            name = draw(st.sampled_from(MEMBERS))
            sent[name] = draw(VALUES[name])
        elif wrong == "malformed":
            name, value = draw(st.sampled_from(MALFORMED))
            sent[name] = value
        elif wrong == "not_yet":
            sent["date"] = NOT_YET
        else:
            sent.pop("reference", None)
    return sent


@st.composite
def entering(draw: st.DrawFn) -> Enter:
    batch = draw(st.integers(0, 3)) == 0
    sent = tuple(draw(st.lists(entry(), min_size=1, max_size=4))) if batch else (draw(entry()),)
    first = sent[0]
    right: Who = UNIT if first["kind"] == "allocation" else AGENT
    if first["kind"] in ("expenditure", "refund"):
        right = draw(st.sampled_from([AGENT, ("agency", first.get("organization", "IOM"))]))
    who = draw(st.sampled_from(CALLERS)) if draw(rarely) else ADMIN if batch else right
    return Enter(who, sent, batch, batch and draw(st.booleans()), draw(rarely))


reversing = st.builds(
    Reverse,
    who=st.sampled_from([AGENT, AGENT, AGENT, UNIT, ADMIN, IOM, ILO]),
    entry=st.integers(0, 30),
    date=st.sampled_from([*DAYS, DAYS[-1], DAYS[-1], NOT_YET]),
    dry=rarely,
)


def full(scale: int) -> Facts:
    """What a programme says of itself, in which everything fits."""
    line = {"organization": "IOM", "year": 2026}
    return {
        "title": f"Programme of {scale}",
        "summary": "What is meant to be done, and by whom.",
        "thematic_area": "4",
        "objectives": ["6", "18"],
        "places": [{"code": "KEN", "share": "60.00"}, {"code": "UGA", "share": "40.00"}],
        "organizations": ["IOM", "ILO"],
        "duration": {"start": "2026-01-01", "end": "2027-12-31"},
        "budget": f"{scale * 107}.00",
        "budget_lines": [
            {**line, "category": "staff_and_personnel", "amount": f"{scale * 100}.00"},
            {**line, "category": "indirect_costs", "amount": f"{scale * 7}.00"},
        ],
    }


def lines_with(**first: Any) -> list[Facts]:
    one, two = full(10)["budget_lines"]
    return [{**one, **first}, two]


# One member that does not fit the rest, or leaves it fitting.
CHANGES: tuple[Facts, ...] = (
    {"title": "Another title"},
    {"places": [{"code": "KEN", "share": "33.33"}, {"code": "UGA", "share": "66.67"}]},
    {"places": [{"code": "KEN", "share": None}]},
    {"places": [{"code": "KEN", "share": "60.00"}, {"code": "UGA", "share": "39.99"}]},
    {"places": [{"code": "KEN", "share": "100.00"}, {"code": "UGA", "share": None}]},
    {"places": [{"code": "KEN", "share": "50.00"}, {"code": "KEN", "share": "50.00"}]},
    {"places": [{"code": "KEN", "share": "100.00"}, {"code": "UGA", "share": "0.00"}]},
    {"thematic_area": "99"},
    {"organizations": ["ILO"]},
    {"organizations": ["IOM", "WHO"]},
    {"budget": "1070.01"},
    {"budget_lines": lines_with(amount="1000.01")},
    {"budget_lines": lines_with(amount="999.99")},
    {"budget_lines": lines_with(organization="ILO")},
    {"budget_lines": lines_with(organization="WHO")},
    {"budget_lines": lines_with(year=2029)},
    {"budget_lines": lines_with(category="indirect_costs")},
    {"budget_lines": []},
    {"budget": "1.00", "budget_lines": []},
    {"duration": {"start": "2026-06-01", "end": "2026-05-31"}},
    {"duration": {"start": "2026-01-01", "end": "2026-12-31"}},
    full(20),
    full(10),
)
NEXT_STEPS = (
    ["pipeline"] * 3 + ["approved"] * 3 + ["implementation"] * 2
    + ["withdrawn", "not_selected", "suspended", "cancelled", "operationally_closed", "concept_note"]
)  # fmt: skip
present = st.sampled_from(["present"] * 9 + ["*", "stale", None])


@st.composite
def contents(draw: st.DrawFn) -> Facts:
    sent = full(draw(st.sampled_from([10, 25])))
    if draw(st.integers(0, 3)) == 0:
        sent |= draw(st.sampled_from(CHANGES))
    if draw(rarely):
        del sent[draw(st.sampled_from(sorted(sent)))]
    return sent


@st.composite
def of_programme(draw: st.DrawFn) -> Programme:
    do = draw(st.sampled_from(["draft"] * 3 + ["submit"] * 3 + ["amend"] * 2 + ["status"] * 5 + ["extend"] * 2
                              + ["amend_draft", "discard"]))  # fmt: skip
    who: Who = IOM if do in ("draft", "submit", "amend_draft", "discard") else UNIT
    sent: Facts = {}
    if do == "draft":
        sent = draw(contents())
    elif do in ("amend", "amend_draft"):
        sent = draw(st.sampled_from(CHANGES))
        who = draw(st.sampled_from([IOM, IOM, UNIT]))
    elif do == "status":
        sent = {"status": draw(st.sampled_from(NEXT_STEPS)), "decision": None if draw(rarely) else "SC-2"}
        sent["date"] = draw(st.sampled_from(["today"] * 8 + [NOT_YET, "2023-12-31"]))
    elif do == "extend":
        sent = {"end": draw(st.sampled_from(["2027-12-31", "2028-06-30", "2029-12-31"])), "decision": "SC-3"}
    if draw(rarely):
        who = draw(st.sampled_from(CALLERS))
    return Programme(do, who, draw(st.sampled_from([*DRAFTED, DRAFTED[0]])), sent, draw(present), draw(rarely))


LED = (
    Programme("draft", IOM, "TST-01", full(10)),
    Programme("submit", IOM, "TST-01"),
    Enter(
        UNIT, ({"kind": "allocation", "date": DAYS[1], "amount": "30.00", "programme": "ETH-01", "reference": "SC"},)
    ),
    Enter(AGENT, ({"kind": "commitment", "date": DAYS[1], "amount": "50.00", "contributor": "DEU"},)),
    Enter(AGENT, ({"kind": "deposit", "date": DAYS[2], "amount": "40.50", "contributor": "DEU", "follows": 0},)),
    Enter(
        AGENT, ({"kind": "transfer", "date": DAYS[3], "amount": "20.00", "programme": "ETH-01", "organization": "ILO"},)
    ),
    Reverse(AGENT, 3, DAYS[4]),
    Reverse(AGENT, 3, DAYS[5]),
)
# Money is there and a programme is on its way before most sequences begin, or nothing is at all.
sequences = st.tuples(
    st.sampled_from([LED, LED, LED, ()]),
    st.lists(
        st.one_of(entering(), entering(), entering(), reversing, of_programme(), of_programme(), st.just(Look())),
        min_size=12,
        max_size=45,
    ),
).map(lambda parts: [*parts[0], *parts[1]])


# --- the plain model -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """An entry as the model keeps it."""

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
    """The status of a refusal, and its faults (or the code of the problem and what its detail has to say)."""

    def __init__(self, status: int, *errors: tuple[str, str | None], saying: tuple[str, ...] = ()) -> None:
        super().__init__(status, errors)
        self.status = status
        self.errors = sorted((code, pointer or "") for code, pointer in errors)
        self.saying = saying


@dataclass
class Books:
    """What has been done so far, kept as plainly as it can be."""

    rows: list[Row] = field(default_factory=list)
    drafts: dict[str, Facts] = field(default_factory=dict)
    programmes: dict[str, Facts] = field(default_factory=dict)
    asked: dict[str, tuple[str | None, str | None]] = field(default_factory=dict)

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
        row = Row(f"L-{len(self.rows) + 1:06d}", **facts)
        self.rows.append(row)
        return row

    def enter(self, who: Who, sent: Facts, catalogue: Mapping[str, Facts]) -> Row:
        """Write an entry; Refused, and then the caller puts back what was there."""
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
        if programme := sent.get("programme"):
            told = catalogue[programme]
            self.asked[programme] = (told["title"], told["budget"] and told["budget"]["amount"])
        return row

    def errors_by_itself(self, sent: Facts) -> list[tuple[str, str]]:
        kind = sent["kind"]
        found = [("missing", f"/{name}") for name in NEEDS[kind] if sent.get(name) is None]
        taken = (*NEEDS[kind], *TAKES.get(kind, ()))
        found += [("not_applicable", f"/{n}") for n in MEMBERS if sent.get(n) is not None and n not in taken]
        if kind in REFERENCED and "reference" not in sent:
            found.append(("missing", "/reference"))
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

    def errors_of_codes(self, sent: Facts, catalogue: Mapping[str, Facts]) -> list[tuple[str, str]]:
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
            raise Refused(422, ("invalid_date", "/date"))
        if self.reversal_of(code):
            raise Refused(409)
        resting = [r for r in self.rows if r.follows == code and not r.reverses and not self.reversal_of(r.code)]
        if any(follower.kind != "agent_fee" for follower in resting):
            raise Refused(409, ("not_reversible", None))
        reversals = [self.append(**self.turned(turned, date)) for turned in (row, *resting)]
        self.require_balances(reversals[0])
        return reversals[0]

    @staticmethod
    def turned(row: Row, date: str) -> Facts:
        same = ("kind", "contributor", "programme", "organization", "thematic_area", "category", "follows")
        facts = {name: getattr(row, name) for name in same}
        return {**facts, "date": date, "amount": -row.amount, "reverses": row.code}

    def balances(self) -> Iterable[tuple[str, dict[str, str | None], dict[str, int]]]:
        """What must not fall below zero: the refusal's code, whom it is about, and the kinds with their signs."""
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
        """Commitments that stand on a day, and what of each was paid."""
        return {
            row.code: (row, min(row.amount, self.total("deposit", until, follows=row.code)))
            for row in self.found("commitment", until)
            if not row.reverses and not self.reversal_of(row.code, until) and contributor in (None, row.contributor)
        }

    # - programmes -

    def command(self, asked: Programme) -> None:
        """Carry out a command to the catalogue; Refused with nothing but a status."""
        do, (client, organization), code, sent = asked.do, asked.who, asked.code, asked.sent
        if client in ("agent", "reviewer"):
            raise Refused(403)
        fund = client in ("management-unit", "admin")
        if do == "draft":
            if client != "agency":
                raise Refused(403)
            if code in self.drafts or code in self.programmes:
                raise Refused(409)
            self.require_known(sent)
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

    def submit(self, code: str, draft: Facts) -> None:
        if any(not draft.get(name) for name in set(full(1)) - {"budget_lines"}):
            raise Refused(422)
        if draft["organization"] not in draft["organizations"] or not fits(draft):
            raise Refused(422)
        del self.drafts[code]
        kept = {name: value for name, value in draft.items() if name != "organization"}
        self.programmes[code] = {"budget_lines": [], **kept, "lead": draft["organization"], "status": "concept_note"}

    def amend(self, record: Facts, sent: Facts, fund: bool) -> None:
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

    def move(self, record: Facts, sent: Facts, fund: bool) -> None:
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
    def require_known(sent: Facts) -> None:
        if sent.get("thematic_area") == "99":
            raise Refused(422)


def fits(said: Facts) -> bool:
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


# --- the services ----------------------------------------------------------------------------------------------------


def money(amount: Decimal) -> Facts:
    return {"amount": f"{amount:.2f}", "currency": "USD"}


def now_as_of(text: str) -> str:
    """An answer as of a revision as it was given when that was the present one: without the parameter in its links."""
    return re.sub(r'([?&"])as_of=\d+(&?)', lambda match: match[1] if match[2] else '"' if match[1] == '"' else "", text)


@dataclass
class Suite:
    """The two services, what is known to have been done to them, and what they answered."""

    catalog: RunningApp
    funding: RunningApp
    books: Books = field(default_factory=Books)
    answers: list[tuple[RunningApp, int, str, int, str]] = field(default_factory=list)
    steps: int = 0

    async def get(self, running: RunningApp, path: str) -> Any:
        answer = await running.client.get(path)
        assert answer.status_code == 200, (path, answer.text)
        return answer.json()

    async def revision(self, running: RunningApp) -> int:
        return int(await running.app.state.database.pool.fetchval("SELECT coalesce(max(number), 0) FROM revision"))

    # - commands -

    async def do(self, command: Command) -> None:
        self.steps += 1
        if isinstance(command, Look):
            await self.remember()
            await self.replay()
            return
        running = self.catalog if isinstance(command, Programme) else self.funding
        before = await self.revision(running)
        books = copy.deepcopy(self.books)
        if isinstance(command, Enter):
            answer, refused = await self.enter(command)
        elif isinstance(command, Reverse):
            answer, refused = await self.reverse(command)
        else:
            answer, refused = await self.programme(command)
        if refused:
            assert answer.status_code == refused.status, (answer.text, refused)
            problem = answer.json()
            if refused.errors and refused.status == 422:
                assert sorted((e["code"], e["pointer"]) for e in problem["errors"]) == refused.errors
            elif refused.errors:
                assert problem["code"] == refused.errors[0][0]
            assert all(words in problem["detail"] for words in refused.saying), (problem["detail"], refused.saying)
        else:
            assert answer.status_code in (200, 201, 204), answer.text
        if refused or command.dry:
            self.books = books
            assert await self.revision(running) == before
        await self.check()

    async def enter(self, command: Enter) -> tuple[httpx.Response, Refused | None]:
        sent = [self.spelt(facts) for facts in command.entries]
        query = {"dry_run": str(command.dry).lower()}
        headers = writing(*command.who)
        if command.batch:
            query["partial"] = str(command.partial).lower()
            answer = await self.funding.client.post(
                f"{LEDGER}/batch", json={"entries": sent}, params=query, headers=headers
            )
        else:
            answer = await self.funding.client.post(LEDGER, json=sent[0], params=query, headers=headers)
        if command.who == REVIEWER:
            return answer, Refused(403, ("insufficient_scope", None))
        if any((name, facts.get(name)) in MALFORMED for facts in sent for name in ("date", "amount")):
            return answer, Refused(422)
        listed = await self.get(self.catalog, f"{CATALOG}/programmes?limit=1000")
        catalogue = {item["code"]: item for item in listed["items"]}
        outcomes: list[Row | Refused] = []
        for facts in sent:
            books = copy.deepcopy(self.books)
            try:
                outcomes.append(self.books.enter(command.who, facts, catalogue))
            except Refused as refused:
                self.books = books
                outcomes.append(refused)
        refusals = [(n, outcome) for n, outcome in enumerate(outcomes) if isinstance(outcome, Refused)]
        if not command.batch:
            if refusals:
                return answer, refusals[0][1]
            self.check_entry(answer, outcomes[0])
            return answer, None
        errors = [(code, f"/entries/{n}{pointer}") for n, outcome in refusals for code, pointer in outcome.errors]
        if refusals and not command.partial:
            return answer, Refused(422, *errors)
        report = answer.json()
        assert [row["code"] for row in report["outcomes"]] == [getattr(outcome, "code", None) for outcome in outcomes]
        assert [row["status"] for row in report["outcomes"]] == [
            getattr(outcome, "status", 200) for outcome in outcomes
        ]
        errors = [error for row in report["outcomes"] for error in row["errors"]]
        assert sorted((error["code"], error["pointer"]) for error in errors) == sorted(errors)
        assert (report["written"], report["refused"]) == (len(sent) - len(refusals), len(refusals))
        assert report["dry_run"] == command.dry
        return answer, None

    def check_entry(self, answer: httpx.Response, row: Row | Refused) -> None:
        """What was written is what was sent, under the code that follows."""
        assert isinstance(row, Row)
        assert answer.status_code == 201, answer.text
        said = answer.json()
        assert (said["code"], said["kind"], said["date"]) == (row.code, row.kind, row.date)
        assert said["sum"] == money(row.amount)
        assert answer.headers["location"] == f"{LEDGER}/{row.code}"
        parties = {"programme": row.programme, "organization": row.organization}
        if row.kind in ("expenditure", "refund") and not row.reverses:
            flag = {"expenditure": "expenditure_exceeds_transfers", "refund": "refund_exceeds_unspent"}[row.kind]
            days = {r.date for r in self.books.rows if r.date >= row.date}
            spent = {
                day: self.books.total("expenditure", day, **parties)
                - self.books.total("transfer", day, **parties)
                + self.books.total("refund", day, **parties)
                for day in days
            }
            if spent[row.date] > 0:
                assert said["flags"] == [flag]
            elif max(spent.values()) <= 0:
                assert said["flags"] == []

    def spelt(self, facts: Facts) -> Facts:
        """What is sent, with the entry that `follows` stands for, and the original that fits the amount."""
        sent = dict(facts)
        if (place := sent.get("follows")) is not None:
            wanted = [row for row in self.books.rows if row.kind == PRECEDED.get(sent["kind"])] or self.books.rows
            sent["follows"] = wanted[place % len(wanted)].code if wanted and place < 3 else "L-999999"
        if how := sent.get("original"):
            twice = 2 * Decimal(sent["amount"]) + (Decimal("0.03") if how == "wrong" else 0)
            sent["original"] = {
                "amount": f"{max(twice, CENT):.2f}",
                "currency": "USD" if how == "dollars" else "CHF",
                "rate": "0.5000",
                "rate_date": NOT_YET if how == "later" else DAYS[0],
                "rate_source": "a table of rates",
            }
        return sent

    async def reverse(self, command: Reverse) -> tuple[httpx.Response, Refused | None]:
        rows = self.books.rows
        code = rows[command.entry % len(rows)].code if rows else "L-000001"
        # Of two reasons to refuse, either may be named: one at a time.
        date = DAYS[-1] if self.books.reversal_of(code) else command.date
        answer = await self.funding.client.post(
            f"{LEDGER}/{code}/reversal",
            json={"date": date, "reason": "It was wrong."},
            params={"dry_run": str(command.dry).lower()},
            headers=writing(*command.who),
        )
        try:
            row = self.books.reverse(command.who, code, date)
        except Refused as refused:
            return answer, refused
        self.check_entry(answer, row)
        assert answer.json()["reverses"] == code
        return answer, None

    async def programme(self, command: Programme) -> tuple[httpx.Response, Refused | None]:
        do, code = command.do, command.code
        noun = "drafts" if do in ("draft", "amend_draft", "discard", "submit") else "programmes"
        path = f"{CATALOG}/{noun}/{code}"
        ways: dict[str, tuple[str, str, Facts | None]] = {
            "draft": ("POST", f"{CATALOG}/drafts", {**command.sent, "code": code}),
            "amend_draft": ("PATCH", path, command.sent),
            "discard": ("DELETE", path, None),
            "submit": ("POST", f"{path}/submission", None),
            "amend": ("PATCH", path, {**command.sent, "reason": "It was asked for."}),
            "status": ("POST", f"{path}/status", {**command.sent, "reason": "It was decided."}),
            "extend": ("POST", f"{path}/extensions", {**command.sent, "reason": "It takes longer."}),
        }
        method, path, sent = ways[do]
        if sent and sent.get("date") == "today":
            sent["date"] = f"{datetime.now(UTC):%Y-%m-%d}"
        match = command.match
        if match == "present":
            known = await self.catalog.client.get(f"{CATALOG}/{noun}/{code}", headers=bearer("admin"))
            match = known.headers.get("etag", "*")
        elif match == "stale":
            match = '"1-stale"'
        query = {"dry_run": str(command.dry).lower()}
        answer = await self.catalog.client.request(
            method, path, json=sent, params=query, headers=writing(*command.who, match=match)
        )
        try:
            self.books.command(command)
        except Refused as refused:
            return answer, refused
        return answer, None

    # - what has to hold after each of them -

    async def check(self) -> None:
        on = [None, *DAYS][self.steps % (len(DAYS) + 1)]
        await self.check_statements(on)
        if self.steps % 3 == 0:
            await self.check_totals()
        await self.check_programmes()
        for _, parties, signs in self.books.balances():
            if self.books.rows:
                assert self.books.lowest(parties, signs, "")[0] >= 0

    def line(self, kind: str, on: str | None, **parties: str) -> Facts:
        rows = self.books.found(kind, on, **parties)
        return {"kind": kind, "sum": money(sum((r.amount for r in rows), Decimal(0))), "rows": len(rows)}

    def delivery(self, on: str | None, **parties: str) -> Facts:
        books = self.books
        net = books.total("transfer", on, **parties) - books.total("refund", on, **parties)
        spent = books.total("expenditure", on, **parties)
        share = spent / net if net else None
        return {
            "net_funded": money(net),
            "expenditure": money(spent),
            "share": share,
            "per_cent": None if share is None else f"{(share * 100).quantize(CENT, ROUND_HALF_EVEN)}",
        }

    def commitments(self, on: str | None, contributor: str | None = None) -> Facts:
        who = {"contributor": contributor} if contributor else {}
        paid = sum((amount for _, amount in self.books.paid(on, contributor).values()), Decimal(0))
        committed = self.books.total("commitment", on, **who)
        return {
            "committed": self.line("commitment", on, **who),
            "paid": money(paid),
            "outstanding": money(committed - paid),
        }

    def overspent(self, on: str | None, **parties: str) -> bool:
        rows = self.books.found("expenditure", on, **parties)
        return any(
            self.books.total("expenditure", on, programme=p, organization=o)
            > self.books.total("transfer", on, programme=p, organization=o)
            - self.books.total("refund", on, programme=p, organization=o)
            for p, o in {(row.programme, row.organization) for row in rows}
        )

    async def check_statements(self, on: str | None) -> None:
        books, query = self.books, f"?on={on}" if on else ""
        fund = await self.get(self.funding, STATEMENT + query)
        links: list[Facts] = []
        said = self.without_links(fund, links)
        sources = [self.line(kind, on) for kind in ("deposit", "interest")]
        uses = [self.line(kind, on) for kind in ("transfer", "refund", "agent_fee", "direct_cost", "bank_charge")]
        signs = {
            "deposit": 1,
            "interest": 1,
            "transfer": 1,
            "refund": -1,
            "agent_fee": 1,
            "direct_cost": 1,
            "bank_charge": 1,
        }
        got = sum((signs[line["kind"]] * Decimal(line["sum"]["amount"]) for line in sources), Decimal(0))
        used = sum((signs[line["kind"]] * Decimal(line["sum"]["amount"]) for line in uses), Decimal(0))
        assert said == {
            "on": on,
            "sources": sources,
            "total_sources": money(got),
            "uses": uses,
            "total_uses": money(used),
            "balance": money(got - used),
            "pledges": self.line("pledge", on),
            "commitments": self.commitments(on),
            "allocations": self.line("allocation", on),
            "not_yet_transferred": money(books.total("allocation", on) - books.total("transfer", on)),
            "delivery": self.delivery(on),
            "revision": await self.revision(self.funding),
        }
        counted = [row for row in books.rows if on is None or row.date <= on]
        contributors = await self.items("contributors", query, links)
        assert contributors == [
            {
                "contributor": code,
                "name": {"DEU": "Germany", "USA": "United States of America"}.get(code, ""),
                "pledges": self.line("pledge", on, contributor=code),
                "commitments": self.commitments(on, code),
                "deposits": self.line("deposit", on, contributor=code),
            }
            | {"name": contributors[n]["name"]}
            for n, code in enumerate(sorted({row.contributor for row in counted if row.contributor}))
        ]
        programmes = await self.items("programmes", query, links)
        for item in programmes:
            budget = item.pop("budget")
            title, amount = books.asked[item["programme"]]
            assert item.pop("title") == title
            assert (budget and budget["sum"]["amount"]) == amount
            if budget:
                share = Decimal(budget["allocated"]["numerator"]) / Decimal(budget["allocated"]["denominator"])
                assert share == books.total("allocation", on, programme=item["programme"]) / Decimal(amount or 1)
        assert programmes == [
            {
                "programme": code,
                "allocations": self.line("allocation", on, programme=code),
                "transfers": self.line("transfer", on, programme=code),
                "refunds": self.line("refund", on, programme=code),
                "not_yet_transferred": money(
                    books.total("allocation", on, programme=code) - books.total("transfer", on, programme=code)
                ),
                "delivery": self.delivery(on, programme=code),
                "overspent": self.overspent(on, programme=code),
            }
            for code in sorted({row.programme for row in counted if row.programme})
        ]
        organizations = await self.items("organizations", query, links)
        assert organizations == [
            {
                "organization": code,
                "transfers": self.line("transfer", on, organization=code),
                "refunds": self.line("refund", on, organization=code),
                "delivery": self.delivery(on, organization=code),
                "overspent": self.overspent(on, organization=code),
            }
            for code in sorted({row.organization for row in counted if row.organization})
        ]
        self.add_up(said, contributors, programmes, organizations)
        await self.check_outstanding(on, query, said)
        if self.steps % 5 == 0:
            for line in links:
                await self.walk(line)

    def add_up(
        self, fund: Facts, contributors: list[Facts], programmes: list[Facts], organizations: list[Facts]
    ) -> None:
        """The parts are the whole, as they are answered, whatever the model says."""

        def whole(line: Facts, items: list[Facts], name: str) -> None:
            assert sum((Decimal(i[name]["sum"]["amount"]) for i in items), Decimal(0)) == Decimal(line["sum"]["amount"])
            assert sum(i[name]["rows"] for i in items) == line["rows"]

        whole(fund["sources"][0], contributors, "deposits")
        whole(fund["pledges"], contributors, "pledges")
        whole(fund["allocations"], programmes, "allocations")
        for items in (programmes, organizations):
            whole(fund["uses"][0], items, "transfers")
            whole(fund["uses"][1], items, "refunds")
            for name in ("net_funded", "expenditure"):
                parts = sum((Decimal(item["delivery"][name]["amount"]) for item in items), Decimal(0))
                assert parts == Decimal(fund["delivery"][name]["amount"])
        for name in ("paid", "outstanding"):
            parts = sum((Decimal(item["commitments"][name]["amount"]) for item in contributors), Decimal(0))
            assert parts == Decimal(fund["commitments"][name]["amount"])

    async def check_outstanding(self, on: str | None, query: str, fund: Facts) -> None:
        outstanding = await self.get(self.funding, f"{STATEMENT}/commitments{query}")
        expected = [
            (row.date, row.code, row.contributor, money(row.amount), money(paid), money(row.amount - paid))
            for row, paid in self.books.paid(on).values()
            if paid < row.amount
        ]
        names = ("date", "commitment", "contributor", "committed", "paid", "outstanding")
        assert [tuple(item[name] for name in names) for item in outstanding["items"]] == sorted(
            expected, key=lambda item: item[:2]
        )
        assert outstanding["outstanding"] == fund["commitments"]["outstanding"]

    async def items(self, what: str, query: str, links: list[Facts]) -> list[Facts]:
        said = await self.get(self.funding, f"{STATEMENT}/{what}{query}")
        found: list[Facts] = [self.without_links(item, links) for item in said["items"]]
        return found

    def without_links(self, said: Any, links: list[Facts]) -> Any:
        """What is said, without the links of its lines, which are kept; shares as decimals."""
        if isinstance(said, list):
            return [self.without_links(item, links) for item in said]
        if not isinstance(said, dict):
            return said
        if set(said) == {"kind", "sum", "rows", "link"}:
            links.append(said)
        if "net_funded" in said and said["share"]:
            said["share"] = Decimal(said["share"]["numerator"]) / Decimal(said["share"]["denominator"])
        return {name: self.without_links(value, links) for name, value in said.items() if name != "link"}

    async def walk(self, line: Facts) -> None:
        """The rows at a link are those that were counted, and their sum is what was said."""
        rows, path = [], f"{line['link']}&limit=3"
        while path:
            page = await self.get(self.funding, path)
            rows += page["items"]
            path = page["next"]
        assert len(rows) == line["rows"] == page["total"]
        assert money(sum((Decimal(row["sum"]["amount"]) for row in rows), Decimal(0))) == line["sum"]
        assert {row["kind"] for row in rows} <= {line["kind"]}

    async def check_totals(self) -> None:
        ways = ["kind", "contributor", "programme", "organization", "thematic_area", "category", "year"]
        by = [ways[self.steps // 3 % 7], ways[self.steps // 21 % 7]]
        query = "&".join(f"by={way}" for way in dict.fromkeys(by))
        totals = await self.get(self.funding, f"{LEDGER}/totals?{query}")
        assert totals["rows"] == len(self.books.rows)
        assert [total["stage"] for total in totals["totals"]] == sorted({row.kind for row in self.books.rows})
        for total in totals["totals"]:
            rows = self.books.found(total["stage"])
            assert (total["sum"], total["rows"]) == (money(sum((r.amount for r in rows), Decimal(0))), len(rows))
            sums: dict[tuple[str, ...], Decimal] = defaultdict(Decimal)
            for row in rows:
                keys = {**vars(row), "year": row.date[:4]} if hasattr(row, "__dict__") else {}
                sums[tuple(keys[way] or "not_stated" for way in totals["by"])] += row.amount
            groups = {tuple(key["value"] for key in group["keys"]): group["sum"] for group in total["groups"]}
            assert groups == {key: money(amount) for key, amount in sums.items()}

    async def check_programmes(self) -> None:
        for code, said in self.books.programmes.items():
            item = await self.get(self.catalog, f"{CATALOG}/programmes/{code}")
            assert (item["status"], item["title"]) == (said["status"], said["title"])
            assert (item["budget"]["amount"], item["budget_lines"]) == (said["budget"], said["budget_lines"])
            assert [{"code": p["code"], "share": p["share"]} for p in item["places"]] == said["places"]
            duration = {name: item["duration"][name] for name in ("start", "end")}
            assert duration == said["duration"]
            shares = [Decimal(place["share"]) for place in item["places"] if place["share"]]
            assert sum(shares) in (0, 100)
            lines = [Decimal(line["amount"]) for line in item["budget_lines"]]
            assert sum(lines) in (0, Decimal(item["budget"]["amount"]))
        drafts = await self.catalog.client.get(f"{CATALOG}/drafts", headers=bearer("admin"))
        assert [draft["code"] for draft in drafts.json()["items"]] == sorted(self.books.drafts)
        ways = ("country", "region", "stage", "organization", "thematic_area")
        totals = await self.get(self.catalog, f"{CATALOG}/programmes/totals?by={ways[self.steps % 5]}")
        for total in totals["totals"]:
            parts = sum((Decimal(group["sum"]["amount"]) for group in total["groups"]), Decimal(0))
            assert parts == Decimal(total["sum"]["amount"])

    # - nothing is lost -

    async def remember(self) -> None:
        """What is answered now has to be answered again, for good."""
        last = f"L-{max(len(self.books.rows), 1):06d}"
        by_ledger = (
            STATEMENT, f"{STATEMENT}?on={DAYS[2]}", f"{STATEMENT}/contributors", f"{STATEMENT}/programmes",
            f"{STATEMENT}/organizations", f"{STATEMENT}/commitments", f"{FUNDING}/capitalization?interval=month",
            f"{LEDGER}?limit=1000", f"{LEDGER}/totals?by=programme&by=year", f"{LEDGER}/facets",
            f"{LEDGER}/{last}", f"{LEDGER}?format=csv",
        )  # fmt: skip
        by_catalogue = (
            f"{CATALOG}/programmes?limit=1000",
            f"{CATALOG}/programmes/totals?by=country",
            f"{CATALOG}/programmes/TST-01",
        )
        for running, paths in ((self.funding, by_ledger), (self.catalog, by_catalogue)):
            revision = await self.revision(running)
            for path in paths:
                answer = await running.client.get(path)
                self.answers.append((running, revision, path, answer.status_code, answer.text))

    async def ask_again(self) -> None:
        for running, revision, path, status, text in self.answers:
            again = await running.client.get(f"{path}{'&' if '?' in path else '?'}as_of={revision}")
            assert again.status_code == status, (path, revision, again.text)
            if status == 200:
                assert now_as_of(again.text) == text, (path, revision)

    async def replay(self) -> None:
        """The journal, carried out from nothing, gives every table, present and past, as text."""
        for running in (self.catalog, self.funding):
            pool = running.app.state.database.pool
            changes = await pool.fetch(
                "SELECT entity, key, action, before::text, after::text, first, at FROM change"
                " JOIN revision ON seq BETWEEN first AND number ORDER BY seq"
            )
            now: dict[tuple[str, str], str] = {}
            versions: dict[tuple[str, str], list[tuple[int, str | None]]] = defaultdict(list)
            for change in changes:
                record = (change["entity"], change["key"])
                assert now.get(record) == change["before"]
                assert change["action"] == ("create" if record not in now else "amend" if change["after"] else "delete")
                now[record] = change["after"]
                if change["after"] is None:
                    del now[record]
                if versions[record] and versions[record][-1][0] == change["first"]:
                    versions[record].pop()
                versions[record].append((change["first"], change["after"]))
            await self.compare(running, pool, now, versions)
        await self.check_derived(now)

    async def compare(
        self,
        running: RunningApp,
        pool: asyncpg.Pool,
        now: Mapping[tuple[str, str], str],
        versions: Mapping[tuple[str, str], list[tuple[int, str | None]]],
    ) -> None:
        seen = set()
        for table in service_of(running.name).metadata.sorted_tables:
            if "entity" not in table.info:
                continue
            entity = table.info["entity"]
            seen.add(entity)
            mine = {record: said for record, said in versions.items() if record[0] == entity}
            rows = await pool.fetch(f"SELECT code, document::text AS document, revised FROM {table.name}")
            assert {row["code"]: row["document"] for row in rows} == {
                key: document for (of, key), document in now.items() if of == entity
            }
            assert {row["code"]: row["revised"] for row in rows} == {
                key: said[-1][0] for (_, key), said in mine.items() if said[-1][1] is not None
            }
            past = await pool.fetch(f"SELECT code, document::text, revised, replaced FROM {table.name}_past")
            assert sorted(tuple(row) for row in past) == sorted(
                (key, document, first, after[0])
                for (_, key), said in mine.items()
                for (first, document), after in pairwise(said)
                if document is not None
            )
        assert {entity for entity, _ in now} <= seen

    async def check_derived(self, now: Mapping[tuple[str, str], str]) -> None:
        """What entries and programmes are found by follows from their documents."""
        documents = {key: json.loads(text) for (entity, key), text in now.items() if entity == "ledger_entry"}
        rows = await self.funding.app.state.database.pool.fetch("SELECT * FROM ledger_entry ORDER BY number")
        assert [row["code"] for row in rows] == sorted(documents) == [row.code for row in self.books.rows]
        same = ("kind", "contributor", "programme", "organization", "thematic_area", "category", "follows", "reverses")
        for row, kept in zip(rows, self.books.rows, strict=True):
            said = documents[row["code"]]
            assert {name: row[name] for name in (*same, "flags")} == {name: said[name] for name in (*same, "flags")}
            assert (row["number"], row["amount"]) == (int(row["code"][2:]), Decimal(said["sum"]["amount"]))
            assert row["date"].isoformat() == said["date"]
            assert row["updated"] == datetime.fromisoformat(said["updated"])
            assert [getattr(kept, name) for name in same] == [said[name] for name in same]
            assert (kept.date, kept.amount) == (said["date"], Decimal(said["sum"]["amount"]))
        pool = self.catalog.app.state.database.pool
        names = {}
        for kind in ("thematic_area", "objective", "organization", "place"):
            told = await pool.fetch(f"SELECT code, document::text FROM {kind}")
            names[f"{kind}s"] = {code: json.loads(text) for code, text in told}
        for row in await pool.fetch("SELECT *, document::text AS text FROM programme"):
            built = programme_row(facts_of(json.loads(row["text"])), names, row["updated"])
            assert built.document == json.loads(row["text"])
            derived = set(type(built).model_fields) - {"document", "attribution"}
            assert {name: row[name] for name in derived} == {name: getattr(built, name) for name in derived}
            assert json.loads(row["attribution"]) == built.attribution


# A sequence takes seconds: to find a shorter one that fails as well takes minutes.
PHASES = [Phase.explicit, Phase.reuse, Phase.generate, *([Phase.shrink] if "BOOKS_EXAMPLES" in os.environ else [])]


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=PHASES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(commands=sequences)
async def test_the_books_are_kept(
    new_database: Callable[[str], str], redis_server: Cache, commands: list[Command]
) -> None:
    async with (
        running_app("catalog", new_database("catalog"), redis_server.url) as catalog,
        running_app("funding", new_database("funding"), redis_server.url) as funding,
        served(catalog.app) as catalog_url,
    ):
        funding.set(catalog_url=catalog_url)
        suite = Suite(catalog, funding)
        for command in commands:
            note(f"{command}")
            await suite.do(command)
        await suite.do(Look())
        await suite.ask_again()
