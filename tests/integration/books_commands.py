"""Random commands to the ledger and the catalogue: entries, reversals and programmes, right and wrong ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

Json = dict[str, Any]
Who = tuple[str, str | None]

CATALOG, FUNDING = "/catalog/v1", "/funding/v1"
LEDGER, STATEMENT = f"{FUNDING}/ledger", f"{FUNDING}/statement"
CENT = Decimal("0.01")

AGENT, UNIT, ADMIN, REVIEWER = ("agent", None), ("management-unit", None), ("admin", None), ("reviewer", None)
IOM, ILO, WHO = ("agency", "IOM"), ("agency", "ILO"), ("agency", "WHO")
CALLERS: tuple[Who, ...] = (AGENT, UNIT, ADMIN, REVIEWER, IOM, ILO, WHO)

NEEDS: Mapping[str, tuple[str, ...]] = {
    "pledge": ("contributor",), "commitment": ("contributor",), "deposit": ("contributor",),
    "commitment_amendment": ("contributor", "follows", "amendment"),
    "allocation": ("programme",), "transfer": ("programme", "organization"),
    "expenditure": ("programme", "organization", "category"), "refund": ("programme", "organization"),
    "direct_cost": (), "bank_charge": (), "interest": (), "other_income": (), "contributor_refund": ("contributor",),
    "transfer_from_fund": ("counterpart_fund",), "transfer_to_fund": ("counterpart_fund",),
    "opening_balance": ("account",),
}  # fmt: skip
# What the bank's statement has of an entry that moves cash.
BANK = ("account", "value_date", "bank_reference")
TAKES: Mapping[str, tuple[str, ...]] = {
    "pledge": ("thematic_area", "original", "instalments"),
    "commitment": ("thematic_area", "original", "follows", "instalments"),
    "commitment_amendment": ("original", "instalments"),
    "deposit": ("thematic_area", "original", "follows", "fee", *BANK), "allocation": ("organization",),
    "contributor_refund": ("thematic_area", "original", *BANK), "transfer": ("tranche", *BANK),
    "refund": BANK, "direct_cost": ("organization", *BANK), "bank_charge": BANK, "interest": ("organization", *BANK),
    "other_income": BANK, "transfer_from_fund": BANK, "transfer_to_fund": BANK, "opening_balance": ("value_date",),
}  # fmt: skip
PRECEDED = {"commitment": "pledge", "deposit": "commitment", "commitment_amendment": "commitment"}
REFERENCED = (
    *("allocation", "direct_cost", "contributor_refund", "other_income", "transfer_from_fund", "transfer_to_fund"),
    "opening_balance",
)
DERIVED = ("agent_fee", "exchange_difference")
KINDS = (*NEEDS, *DERIVED)
MEMBERS = (
    *("contributor", "programme", "organization", "thematic_area", "category", "tranche", "follows", "original"),
    *("amendment", "instalments", "fee", "counterpart_fund"),
    *BANK,
)
CONTRIBUTORS = ("DEU", "USA")
DRAFTED = ("TST-01", "TST-02")
# The programme that is carried out to its end.
CLOSED = "TST-03"
DAYS = ("2023-12-31", "2024-02-28", "2024-02-29", "2024-03-01", "2025-06-30", "2025-12-31")
# First and last days of months and years, and the present day.
OTHER_DAYS = ("2024-01-31", "2024-04-01", "2024-12-31", "2025-01-01", "2025-07-15", "today")
NOT_YET = "2099-12-31"


class Refused(Exception):
    """Why a command is rejected: the status, and the errors or the problem's code and parts of its detail."""

    def __init__(self, status: int, *errors: tuple[str, str | None], saying: tuple[str, ...] = ()) -> None:
        super().__init__(status, errors)
        self.status = status
        self.errors = sorted((code, pointer or "") for code, pointer in errors)
        self.saying = saying


def require_same(said: Json, expected: Json, *where: object) -> None:
    """Raise AssertionError with the members that differ."""
    different = {
        name: (said.get(name), expected.get(name))
        for name in said.keys() | expected.keys()
        if said.get(name) != expected.get(name)
    }
    assert not different, (where, different)


@dataclass(frozen=True)
class Enter:
    """Entries, one by itself or several as a batch; `follows` is an index into the entries that it may follow."""

    who: Who
    entries: tuple[Json, ...]
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
class Correct:
    """The entry with an index is entered anew, in a single member otherwise than before."""

    who: Who
    entry: int
    reversal_date: str
    date: str
    change: str
    amount: str
    dry: bool = False


@dataclass(frozen=True)
class Programme:
    """One command to the catalogue: `do` is draft, amend_draft, discard, submit, amend, status or extend."""

    do: str
    who: Who
    code: str
    sent: Json = field(default_factory=dict)
    match: str | None = "present"
    dry: bool = False


@dataclass(frozen=True)
class Account:
    """One command on the accounting periods: `do` is open, close, reopen, certify or explain.

    period: an index into `PERIODS`, beyond those that are open already for a new one
    off:    how much the certified figures differ from what the ledger gives
    """

    do: str
    who: Who
    period: int
    off: str = "0.00"
    match: str | None = "present"
    dry: bool = False


@dataclass(frozen=True)
class Certify:
    """The final figures of a programme are certified.

    figures:  right, or what is wrong with them: off, less or twice
    promises: what organizations promise to return: none, rest, or more than that
    """

    who: Who
    code: str
    figures: str
    promises: str
    date: str
    dry: bool = False


@dataclass(frozen=True)
class Withdraw:
    """The certificate of a programme's final figures is withdrawn."""

    who: Who
    code: str
    match: str | None = "present"
    dry: bool = False


@dataclass(frozen=True)
class Import:
    """Entries of earlier years as a table.

    first: the number of its first row; form: csv or xlsx; fault: what is wrong with its control totals, or none
    again: send the rows of the last import again
    """

    who: Who
    entries: tuple[Json, ...]
    first: int
    form: str
    fault: str
    again: bool = False
    dry: bool = False


@dataclass(frozen=True)
class ListAccount:
    """A bank account is listed; account: an index into the accounts of `books_bank`."""

    who: Who
    account: int
    dry: bool = False


@dataclass(frozen=True)
class ImportStatement:
    """A bank statement of some days is imported.

    lines: of each entry what it is (the money of a ledger entry, less than that, or another), of which, and its day
    form:  camt or csv; fault: none, closing, opening, or again for that of an earlier import
    """

    who: Who
    account: int
    days: int
    lines: tuple[tuple[str, int, int], ...]
    form: str
    fault: str
    dry: bool = False


@dataclass(frozen=True)
class Confirm:
    """Bank entries are matched with ledger entries; without matches all proposals that are unambiguous are confirmed.

    matches: of each how the ledger entries are chosen, and indexes of the bank entry and of a ledger entry
    """

    who: Who
    account: int
    matches: tuple[tuple[str, int, int], ...]
    partial: bool = False
    dry: bool = False


@dataclass(frozen=True)
class Cancel:
    """A match is undone."""

    who: Who
    entry: int
    match: str | None = "present"
    dry: bool = False


@dataclass(frozen=True)
class Compare:
    """No write: the present answers are stored for later, and all tables are compared with the journal."""


Banking = ListAccount | ImportStatement | Confirm | Cancel
Command = Enter | Reverse | Correct | Programme | Account | Certify | Withdraw | Import | Banking | Compare

amounts = st.one_of(st.integers(1, 400), st.sampled_from([49, 50, 51, 150, 250, 9_999, 100_000])).map(
    lambda cents: f"{Decimal(cents) / 100:.2f}"
)
rarely = st.integers(0, 7).map(lambda n: n == 0)
VALUES: Mapping[str, st.SearchStrategy[Any]] = {
    "contributor": st.sampled_from([*CONTRIBUTORS] * 4 + ["ATLANTIS"]),
    "programme": st.sampled_from(["ETH-01", *DRAFTED, CLOSED] * 3 + ["NONE-99"]),
    "organization": st.sampled_from(["ILO", "IOM", "ILO", "IOM", "WHO", "UN-X"]),
    "thematic_area": st.sampled_from(["1", "2", "1", "2", "9"]),
    "category": st.sampled_from(["supplies", "travel", "indirect_costs", "staff_and_personnel"]),
    "tranche": st.integers(1, 3),
    "follows": st.integers(0, 3),
    "original": st.sampled_from(["twice", "twice", "thrice", "euros", "terms", "wrong", "dollars", "later"]),
    "amendment": st.sampled_from(["increase", "decrease", "cancellation"]),
    "account": st.sampled_from(["USD-1", "USD-1", "usd-1", "CH11 0000 0001", "USD-2", "CHF-1", "ANOTHER"]),
    "value_date": st.sampled_from(["2024-03-02", "2025-06-29", *DAYS]),
    "bank_reference": st.sampled_from(["INV-1", "INV-2", "INV-3"]),
    "corrects": st.integers(0, 3),
    "instalments": st.sampled_from(["halves", "halves", "wrong"]),
    "counterpart_fund": st.just("Another fund"),
    "fee": st.sampled_from(["0.00", "0.25", "1.00"]).map(lambda amount: {"amount": amount, "reason": "So agreed."}),
}
MALFORMED = (
    ("date", "2023-02-29"), ("date", "0000-01-01"), ("amount", "-1.00"), ("amount", "1.555"), ("amount", "0.00"),
)  # fmt: skip


@st.composite
def entry(draw: st.DrawFn) -> Json:
    """The body of an entry; most are valid, some have one error."""
    more = [
        "deposit",
        "deposit",
        "deposit",
        "commitment",
        "commitment_amendment",
        "allocation",
        "transfer",
        "expenditure",
    ]
    kind = draw(st.sampled_from([*NEEDS, *more]))
    sent: Json = {"kind": kind, "date": draw(st.sampled_from([*DAYS, *DAYS, *OTHER_DAYS])), "amount": draw(amounts)}
    if kind in ("transfer", "expenditure", "refund", "contributor_refund"):
        # What is left, to the cent.
        sent["amount"] = draw(st.sampled_from([sent["amount"], sent["amount"], "rest"]))
    if kind in ("deposit", "allocation"):
        sent["amount"] = draw(st.sampled_from([sent["amount"], "40.00", "12.50"]))
    for name in NEEDS[kind]:
        sent[name] = draw(VALUES[name])
    for name in TAKES.get(kind, ()):
        if draw(st.booleans()):
            sent[name] = draw(VALUES[name])
    if kind == "commitment_amendment":
        # Most are of the currency and the rate of their commitment, and few of a decrease have instalments.
        sent["original"] = draw(st.sampled_from(["terms"] * 7 + ["twice"]))
        if sent["amendment"] != "increase" and not draw(rarely):
            sent.pop("instalments", None)
    if kind in REFERENCED:
        sent["reference"] = "SC-1"
    if draw(rarely):
        sent["corrects"] = draw(VALUES["corrects"])
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
            sent[draw(st.sampled_from(["date", "value_date"]))] = NOT_YET
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
    date=st.sampled_from([*DAYS, DAYS[-1], DAYS[-1], "today", NOT_YET]),
    dry=rarely,
)


correcting = st.builds(
    Correct,
    who=st.sampled_from([ADMIN] * 6 + [AGENT, UNIT, ILO]),
    entry=st.integers(0, 30),
    reversal_date=st.sampled_from(["same", "same", *DAYS, NOT_YET]),
    date=st.sampled_from(["same", "same", *DAYS]),
    change=st.sampled_from(["amount"] * 5 + ["original", "original", "dollars", "contributor", "kind", "follows"]),
    amount=amounts,
    dry=rarely,
)


def full(scale: int) -> Json:
    """A valid content of a programme."""
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


def lines_with(**first: Any) -> list[Json]:
    one, two = full(10)["budget_lines"]
    return [{**one, **first}, two]


# One member that does not fit the rest, or leaves it fitting.
CHANGES: tuple[Json, ...] = (
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
def contents(draw: st.DrawFn) -> Json:
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
    sent: Json = {}
    if do == "draft":
        sent = draw(contents())
    elif do in ("amend", "amend_draft"):
        sent = draw(st.sampled_from(CHANGES))
        who = draw(st.sampled_from([IOM, IOM, UNIT]))
    elif do == "status":
        sent = {"status": draw(st.sampled_from(NEXT_STEPS)), "decision": None if draw(rarely) else "Meeting 2"}
        sent["date"] = draw(st.sampled_from(["today"] * 8 + [NOT_YET, "2023-12-31"]))
    elif do == "extend":
        sent = {"end": draw(st.sampled_from(["2027-12-31", "2028-06-30", "2029-12-31"])), "decision": "Meeting 3"}
    if draw(rarely):
        who = draw(st.sampled_from(CALLERS))
    return Programme(do, who, draw(st.sampled_from([*DRAFTED, DRAFTED[0]])), sent, draw(present), draw(rarely))


# Each has some of the days of entries; the last one has not ended.
PERIODS = (
    ("2023", "2023-01-01", "2023-12-31"), ("2024-H1", "2024-01-01", "2024-02-29"),
    ("2024-H2", "2024-03-01", "2025-01-31"), ("2025", "2025-02-01", "2025-12-31"),
    ("later", "2026-01-01", "2098-12-31"),
)  # fmt: skip
accounting = st.builds(
    Account,
    do=st.sampled_from(["open"] * 4 + ["close"] * 3 + ["reopen"] * 3 + ["certify", "certify", "explain"]),
    who=st.sampled_from([AGENT] * 6 + [ADMIN, UNIT, IOM]),
    period=st.sampled_from([0, 0, 0, 1, 1, 2, 3, 4]),
    off=st.sampled_from(["0.00", "0.01", "-7.00"]),
    match=present,
    dry=rarely,
)

closing = st.one_of(
    st.builds(
        Certify,
        who=st.sampled_from([AGENT] * 6 + [ADMIN, UNIT]),
        code=st.sampled_from([CLOSED] * 4 + ["ETH-01", DRAFTED[1], "NONE-99"]),
        figures=st.sampled_from(["right"] * 5 + ["off", "less", "twice"]),
        promises=st.sampled_from(["rest"] * 3 + ["none", "more"]),
        date=st.sampled_from(["today"] * 4 + [DAYS[2], NOT_YET]),
        dry=rarely,
    ),
    st.builds(
        Withdraw, who=st.sampled_from([AGENT] * 6 + [UNIT]), code=st.sampled_from([CLOSED] * 3 + ["ETH-01"]),
        match=present, dry=rarely,
    ),
    # Its accounts are closed, where the ledger says that its money is settled, or it is carried on.
    st.builds(
        Programme,
        do=st.just("status"),
        who=st.just(UNIT),
        code=st.just(CLOSED),
        sent=st.sampled_from(["operationally_closed"] * 3 + ["financially_closed", "implementation"]).map(
            lambda status: {"status": status, "decision": "Meeting 4", "date": "today"}
        ),
        dry=rarely,
    ),
)  # fmt: skip
importing = st.builds(
    Import,
    who=st.sampled_from([UNIT] * 5 + [ADMIN, AGENT, REVIEWER]),
    entries=st.lists(entry(), min_size=1, max_size=4).map(tuple),
    first=st.integers(1, 9),
    form=st.sampled_from(["csv", "csv", "xlsx"]),
    fault=st.sampled_from(["none"] * 6 + ["rows", "total", "missing"]),
    again=rarely,
    dry=rarely,
)
accounts = st.sampled_from([0, 0, 0, 1, 2])
banking = st.one_of(
    st.builds(ListAccount, who=st.sampled_from([AGENT] * 4 + [UNIT]), account=accounts, dry=rarely),
    st.builds(
        ImportStatement,
        who=st.sampled_from([AGENT] * 8 + [UNIT]),
        account=accounts,
        days=st.integers(0, 6),
        lines=st.lists(
            st.tuples(
                st.sampled_from(["ledger"] * 5 + ["less", "other", "other"]), st.integers(0, 30), st.integers(0, 60)
            ),
            max_size=5,
        ).map(tuple),
        form=st.sampled_from(["camt", "csv"]),
        fault=st.sampled_from(["none"] * 6 + ["closing", "opening", "again"]),
        dry=rarely,
    ),
    st.builds(
        Confirm,
        who=st.sampled_from([AGENT] * 8 + [UNIT]),
        account=accounts,
        matches=st.lists(
            st.tuples(
                st.sampled_from(["right"] * 6 + ["any", "twice", "unknown", "matched"]), st.integers(0, 20),
                st.integers(0, 30),
            ),
            max_size=3,
        ).map(tuple),
        partial=st.booleans(),
        dry=rarely,
    ),
    st.builds(Cancel, who=st.sampled_from([AGENT] * 8 + [UNIT]), entry=st.integers(0, 9), match=present, dry=rarely),
)  # fmt: skip
