"""A plain model of the statements for a period, and their comparison with what the service answers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, Protocol
from urllib.parse import urlencode

Json = dict[str, Any]
# Returns the JSON of a path.
Get = Callable[[str], Awaitable[Any]]

STATEMENTS = "/funding/v1/period-statements"
CAME = ("deposit", "interest", "transfer_from_fund", "other_income", "opening_balance")
WENT = ("transfer", "refund", "agent_fee", "direct_cost", "bank_charge", "contributor_refund", "transfer_to_fund")
CASH = {**dict.fromkeys(CAME, 1), **dict.fromkeys(WENT, -1), "refund": 1}
AVAILABLE = {kind: sign for kind, sign in CASH.items() if kind != "transfer"} | {"allocation": -1}
HELD = {"transfer": 1, "refund": -1, "expenditure": -1}
WAITING = {"allocation": 1, "transfer": -1}
PROMISES = {"pledges": "pledge", "commitments": "commitment", "commitment_amendments": "commitment_amendment"}
LINES = {
    "contributors": {
        **PROMISES, "deposits": "deposit", "exchange_differences": "exchange_difference",
        "refunds": "contributor_refund",
    },
    "programmes": {
        "allocations": "allocation", "transfers": "transfer", "refunds": "refund", "expenditures": "expenditure",
    },
    "organizations": {"transfers": "transfer", "refunds": "refund", "expenditures": "expenditure"},
    "thematic-areas": {
        **PROMISES, "deposits": "deposit", "contributor_refunds": "contributor_refund", "agent_fees": "agent_fee",
        "allocations": "allocation", "refunds": "refund",
    },
}  # fmt: skip
OTHER = ("interest", "transfer_from_fund", "other_income", "opening_balance", "direct_cost", "bank_charge",
         "transfer_to_fund")  # fmt: skip
BALANCES: dict[str, dict[str, dict[str, int]]] = {
    "contributors": {},
    "programmes": {"not_yet_transferred": WAITING, "balance_with_organizations": HELD},
    "organizations": {"balance_with_organization": HELD},
    "thematic-areas": {"other": {kind: CASH[kind] for kind in OTHER}, "available": AVAILABLE},
}
PARTY = {
    "contributors": "contributor", "programmes": "programme", "organizations": "organization",
    "thematic-areas": "thematic_area",
}  # fmt: skip


def usd(amount: Decimal) -> Json:
    return {"amount": f"{amount:.2f}", "currency": "USD"}


class Counted(Protocol):
    """What the statements read of an entry."""

    @property
    def code(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def date(self) -> str: ...
    @property
    def amount(self) -> Decimal: ...
    @property
    def contributor(self) -> str | None: ...
    @property
    def programme(self) -> str | None: ...
    @property
    def organization(self) -> str | None: ...
    @property
    def thematic_area(self) -> str | None: ...
    @property
    def follows(self) -> str | None: ...


class Listed(SimpleNamespace):
    """An entry of the list."""

    def __init__(self, row: Json) -> None:
        super().__init__(**row, amount=Decimal(row["sum"]["amount"]))


class Sums:
    """What entries of each kind add up to before a period and in it."""

    def __init__(self, rows: Iterable[Counted], start: str | None, end: str | None) -> None:
        self.opening: dict[str, Decimal] = defaultdict(Decimal)
        self.moved: dict[str, Decimal] = defaultdict(Decimal)
        self.rows: Counter[str] = Counter()
        for row in rows:
            if start is not None and row.date < start:
                self.opening[row.kind] += row.amount
            elif end is None or row.date <= end:
                self.moved[row.kind] += row.amount
                self.rows[row.kind] += 1

    def line(self, kind: str) -> Json:
        opening, moved = self.opening[kind], self.moved[kind]
        return {
            "kind": kind, "opening": usd(opening), "sum": usd(moved), "rows": self.rows[kind],
            "closing": usd(opening + moved),
        }  # fmt: skip

    def balance(self, signs: Mapping[str, int]) -> Json:
        opening = sum((self.opening[kind] * sign for kind, sign in signs.items()), Decimal(0))
        change = sum((self.moved[kind] * sign for kind, sign in signs.items()), Decimal(0))
        return {"opening": usd(opening), "change": usd(change), "closing": usd(opening + change)}


class Model:
    """The entries of the ledger, and what they add up to."""

    def __init__(self, rows: Sequence[Counted], areas: Mapping[str, str | None]) -> None:
        self.rows = rows
        self.areas = areas
        self.by_code = {row.code: row for row in rows}

    def area(self, row: Counted) -> str:
        """The thematic area whose money an entry is."""
        if row.programme:
            found = self.areas.get(row.programme)
        elif row.kind == "agent_fee" and row.follows:
            found = self.by_code[row.follows].thematic_area
        else:
            found = row.thematic_area
        return found or "not_stated"

    def party(self, row: Counted, name: str) -> str | None:
        found: str | None = self.area(row) if name == "thematic_area" else getattr(row, name)
        return found

    @staticmethod
    def sums(rows: Iterable[Counted], signs: Mapping[str, int]) -> Decimal:
        return sum((row.amount * signs[row.kind] for row in rows if row.kind in signs), Decimal(0))

    @staticmethod
    def within(row: Counted, start: str | None, end: str | None) -> bool:
        return (start is None or row.date >= start) and (end is None or row.date <= end)

    def statements(self, what: str, start: str | None, end: str | None) -> list[Json]:
        name = PARTY[what]
        parties: dict[str, list[Counted]] = {}
        for row in self.rows:
            if end is None or row.date <= end:
                party = self.party(row, name)
                if party is not None:
                    parties.setdefault(party, []).append(row)
        ordered = sorted(parties.items(), key=lambda found: (found[0] == "not_stated", found[0]))
        return [
            {name: party}
            | {member: sums.line(kind) for member, kind in LINES[what].items()}
            | {member: sums.balance(signs) for member, signs in BALANCES[what].items()}
            for party, rows in ordered
            for sums in [Sums(rows, start, end)]
        ]


def without_links(said: Any, links: list[Json]) -> Any:
    if isinstance(said, list):
        return [without_links(item, links) for item in said]
    if not isinstance(said, dict):
        return said
    if "link" in said:
        links.append(said)
    return {name: without_links(value, links) for name, value in said.items() if name not in ("link", "title", "name")}


def days(start: str | None, end: str | None) -> dict[str, str]:
    return ({"date_from": start} if start else {}) | ({"date_to": end} if end else {})


async def check(get: Get, model: Model, start: str | None, end: str | None, **query: str) -> list[Json]:
    """Compare the statements for some days with the model; returns what has a link.

    query: further parameters; a `period` stands for the days
    """
    asked = urlencode(query if "period" in query else days(start, end) | query)
    sums = Sums(model.rows, start, end)
    links = list[Json]()
    fund = without_links(await get(f"{STATEMENTS}/fund?{asked}"), links)
    assert fund["sources"] == [sums.line(kind) for kind in CAME]
    assert fund["uses"] == [sums.line(kind) for kind in WENT]
    for member, kind in (
        *PROMISES.items(), ("exchange_differences", "exchange_difference"), ("allocations", "allocation"),
        ("expenditures", "expenditure"),
    ):  # fmt: skip
        assert fund[member] == sums.line(kind)
    for member, signs in (
        ("cash", CASH), ("available_to_allocate", AVAILABLE), ("not_yet_transferred", WAITING),
        ("balance_with_organizations", HELD), ("total_sources", dict.fromkeys(CAME, 1)),
        ("total_uses", {kind: -CASH[kind] for kind in WENT}),
    ):  # fmt: skip
        assert fund[member] == sums.balance(signs), member
    assert (fund["date_from"], fund["date_to"]) == (start, end)
    available = Decimal(0)
    for what in LINES:
        items = without_links(await get(f"{STATEMENTS}/{what}?{asked}"), links)["items"]
        assert items == model.statements(what, start, end), (what, start, end)
        if what == "thematic-areas":
            available = sum((Decimal(item["available"]["closing"]["amount"]) for item in items), Decimal(0))
    assert usd(available) == fund["available_to_allocate"]["closing"]
    return links


async def walk(get: Get, links: Iterable[Json]) -> None:
    """Check that the entries of each line are exactly those that were counted."""
    for line in links:
        rows: list[Json] = (await get(f"{line['link']}&limit=1000"))["items"]
        assert len(rows) == line["rows"], line
        assert usd(sum((Decimal(row["sum"]["amount"]) for row in rows), Decimal(0))) == line["sum"], line
