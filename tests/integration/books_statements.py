"""The statements of the ledger on a day, as the plain model of the books has them."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from tests.integration.books import Books, Row
from tests.integration.books_commands import LEDGER, STATEMENT, Json

if TYPE_CHECKING:
    from tests.integration.books_suite import View

AGES = (
    *("not_due", "past_due_1_to_30", "past_due_31_to_90", "past_due_91_to_180", "past_due_over_180", "no_due_date"),
)
CAME = ("deposit", "interest", "transfer_from_fund", "other_income", "opening_balance")
WENT = ("transfer", "refund", "agent_fee", "direct_cost", "bank_charge", "contributor_refund", "transfer_to_fund")
DIVISIONS = ("kind", "contributor", "programme", "organization", "thematic_area", "category", "account", "year")
NOTHING = Decimal(0)


def shown(part: Decimal, whole: Decimal) -> Json:
    """A share as it is sent: exact, and in hundredths of a per cent that are reached."""
    exact = Fraction(part) / Fraction(whole)
    reached = Decimal(math.floor(exact * 10_000)).scaleb(-2)
    return {"numerator": str(exact.numerator), "denominator": str(exact.denominator), "per_cent": f"{reached:.2f}"}


def money(amount: Decimal, currency: str = "USD") -> Json:
    return {"amount": f"{amount:.2f}", "currency": currency}


@dataclass
class OfDay:
    """What the books have up to a day; None for all that they have."""

    books: Books
    on: str | None

    def total(self, kind: str, **parties: str | None) -> Decimal:
        return self.books.total(kind, self.on, **parties)

    def line(self, kind: str, **parties: str | None) -> Json:
        rows = self.books.found(kind, self.on, **parties)
        return {"kind": kind, "sum": money(sum((r.amount for r in rows), NOTHING)), "rows": len(rows)}

    def delivery(self, **parties: str) -> Json:
        net = self.total("transfer", **parties) - self.total("refund", **parties)
        spent = self.total("expenditure", **parties)
        return {
            "net_funded": money(net),
            "expenditure": money(spent),
            "share": shown(spent, net) if net else None,
        }

    def commitments(self, contributor: str | None = None) -> Json:
        who = {"contributor": contributor} if contributor else {}
        paid = sum((commitment.paid for commitment in self.books.paid(self.on, contributor)), NOTHING)
        committed = self.total("commitment", **who) + self.total("commitment_amendment", **who)
        return {
            "committed": self.line("commitment", **who),
            "amendments": self.line("commitment_amendment", **who),
            "paid": money(paid),
            "outstanding": money(committed - paid),
            "exchange_differences": self.line("exchange_difference", **who),
        }

    def overspent(self, **parties: str) -> bool:
        rows = self.books.found("expenditure", self.on, **parties)
        return any(
            self.total("expenditure", programme=p, organization=o)
            > self.total("transfer", programme=p, organization=o) - self.total("refund", programme=p, organization=o)
            for p, o in {(row.programme, row.organization) for row in rows}
        )

    def parties(self, name: str) -> list[str]:
        return sorted(
            {getattr(r, name) for r in self.books.rows if getattr(r, name) and (self.on is None or r.date <= self.on)}
        )

    def contributors(self) -> list[Json]:
        return [
            {
                "contributor": code,
                "name": {"DEU": "Germany", "USA": "United States of America"}[code],
                "pledges": self.line("pledge", contributor=code),
                "commitments": self.commitments(code),
                "deposits": self.line("deposit", contributor=code),
                "refunds": self.line("contributor_refund", contributor=code),
            }
            for code in self.parties("contributor")
        ]

    def programmes(self) -> list[Json]:
        return [
            {
                "programme": code,
                "allocations": self.line("allocation", programme=code),
                "transfers": self.line("transfer", programme=code),
                "refunds": self.line("refund", programme=code),
                "not_yet_transferred": money(
                    self.total("allocation", programme=code) - self.total("transfer", programme=code)
                ),
                "delivery": self.delivery(programme=code),
                "overspent": self.overspent(programme=code),
            }
            for code in self.parties("programme")
        ]

    def organizations(self) -> list[Json]:
        return [
            {
                "organization": code,
                "allocations": self.line("allocation", organization=code),
                "direct_costs": self.line("direct_cost", organization=code),
                "interest": self.line("interest", organization=code),
                "transfers": self.line("transfer", organization=code),
                "refunds": self.line("refund", organization=code),
                "delivery": self.delivery(organization=code),
                "overspent": self.overspent(organization=code),
            }
            for code in self.parties("organization")
        ]

    def budgets(self, catalogue: dict[str, Json], by: tuple[str, ...]) -> list[tuple[Any, ...]]:
        """Programme, organization, year and category, with budget and expenditure; None for what does not divide."""
        budgets: dict[tuple[Any, ...], Decimal] = defaultdict(Decimal)
        spent: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
        for code, programme in catalogue.items():
            for line in programme["budget_lines"]:
                part = (line[name] if name in by else None for name in ("organization", "year", "category"))
                budgets[code, *part] += Decimal(line["amount"])
        for row in self.books.found("expenditure", self.on):
            of = {"organization": row.organization, "year": int(row.date[:4]), "category": row.category}
            spent[row.programme, *(of[name] if name in by else None for name in of)].append(row)
        found = []
        for key in sorted(budgets.keys() | spent.keys(), key=lambda part: tuple((p is not None, p or 0) for p in part)):
            amount = sum((row.amount for row in spent[key]), NOTHING)
            budget = budgets[key] if catalogue[key[0]]["budget_lines"] else None
            found.append(
                (
                    *key, None if budget is None else money(budget),
                    {"kind": "expenditure", "sum": money(amount), "rows": len(spent[key])},
                    None if budget is None else money(budget - amount),
                    shown(amount, budget) if budget and amount >= 0 else None,
                )
            )  # fmt: skip
        return found


async def check_statements(view: View, on: str | None) -> list[Json]:
    """Compare every statement of a day; returns its lines, with their links."""
    query, day = f"?on={on}" if on else "", OfDay(view.books, on)
    links: list[Json] = []
    said = without_links(await view.get(STATEMENT + query), links)
    sources, uses = ([day.line(kind) for kind in kinds] for kinds in (CAME, WENT))
    got = sum((day.total(kind) for kind in CAME), NOTHING)
    used = sum((day.total(kind) * (-1 if kind == "refund" else 1) for kind in WENT), NOTHING)
    assert said == {
        "on": on,
        "sources": sources,
        "total_sources": money(got),
        "uses": uses,
        "total_uses": money(used),
        "balance": money(got - used),
        "pledges": day.line("pledge"),
        "commitments": day.commitments(),
        "allocations": day.line("allocation"),
        "not_yet_transferred": money(day.total("allocation") - day.total("transfer")),
        "delivery": day.delivery(),
        "revision": view.revision,
    }
    contributors = await items(view, "contributors", query, links)
    assert contributors == day.contributors()
    programmes = await items(view, "programmes", query, links)
    for item in programmes:
        budget, known = item.pop("budget"), view.catalogue[item["programme"]]
        amount = known["budget"] and known["budget"]["amount"]
        assert item.pop("title") == known["title"]
        assert (budget and budget["sum"]["amount"]) == amount
        if budget:
            assert budget["allocated"] == shown(day.total("allocation", programme=item["programme"]), Decimal(amount))
    assert programmes == day.programmes()
    organizations = await items(view, "organizations", query, links)
    assert organizations == day.organizations()
    add_up(said, contributors, programmes, organizations)
    await check_outstanding(view, on, query, said)
    return links


async def check_budgets(view: View, on: str | None, by: tuple[str, ...]) -> None:
    """Compare budget lines and expenditure on a day, divided by some of organization, year and category."""
    links: list[Json] = []
    query = "&".join([*([f"on={on}"] if on else []), *(f"by={name}" for name in by)])
    said = without_links(await view.get(f"{STATEMENT}/budgets?{query}"), links)["items"]
    names = ("programme", "organization", "year", "category", "budget", "expenditure", "remaining", "delivery")
    expected = OfDay(view.books, on).budgets(view.catalogue, by)
    found = [tuple(item[name] for name in names) for item in said]
    assert found == expected, [pair for pair in zip(found, expected, strict=False) if pair[0] != pair[1]]


def add_up(fund: Json, contributors: list[Json], programmes: list[Json], organizations: list[Json]) -> None:
    """Check that the parts that are answered add up to the whole, independently of the model."""

    def whole(line: Json, items: list[Json], name: str) -> None:
        assert sum((Decimal(i[name]["sum"]["amount"]) for i in items), NOTHING) == Decimal(line["sum"]["amount"])
        assert sum(i[name]["rows"] for i in items) == line["rows"]

    whole(fund["sources"][0], contributors, "deposits")
    whole(fund["pledges"], contributors, "pledges")
    whole(fund["allocations"], programmes, "allocations")
    for items in (programmes, organizations):
        whole(fund["uses"][0], items, "transfers")
        whole(fund["uses"][1], items, "refunds")
        for name in ("net_funded", "expenditure"):
            parts = sum((Decimal(item["delivery"][name]["amount"]) for item in items), NOTHING)
            assert parts == Decimal(fund["delivery"][name]["amount"])
    for name in ("paid", "outstanding"):
        parts = sum((Decimal(item["commitments"][name]["amount"]) for item in contributors), NOTHING)
        assert parts == Decimal(fund["commitments"][name]["amount"])


async def check_outstanding(view: View, on: str | None, query: str, fund: Json) -> None:
    """Compare what is outstanding of each commitment, and how long that has been due."""
    outstanding = await view.get(f"{STATEMENT}/commitments{query}")
    whole = [NOTHING] * 6
    expected = []
    for found in sorted(view.books.paid(on), key=lambda each: (each.row.date, each.row.code)):
        if found.settled >= found.promised:
            continue
        row, ageing = found.row, view.books.ageing(found, on) if on else []
        whole = [total + part for total, part in zip(whole, ageing or whole, strict=True)]
        expected.append(
            {
                "commitment": row.code,
                "contributor": row.contributor,
                "date": row.date,
                "committed": money(found.committed),
                "paid": money(found.paid),
                "outstanding": money(found.committed - found.paid),
                "in_own_currency": {
                    "committed": money(found.promised, row.currency),
                    "paid": money(found.settled, row.currency),
                    "outstanding": money(found.promised - found.settled, row.currency),
                },
                "received": money(found.received),
                "ageing": dict(zip(AGES, map(money, ageing), strict=True)) if on else None,
            }
        )
    assert outstanding["items"] == expected
    assert outstanding["outstanding"] == fund["commitments"]["outstanding"]
    assert outstanding["ageing"] == (dict(zip(AGES, map(money, whole), strict=True)) if on else None)


async def items(view: View, what: str, query: str, links: list[Json]) -> list[Json]:
    said = await view.get(f"{STATEMENT}/{what}{query}")
    return [without_links(item, links) for item in said["items"]]


def without_links(said: Any, links: list[Json]) -> Any:
    """An answer without the links of its lines, which go into `links`."""
    if isinstance(said, list):
        return [without_links(item, links) for item in said]
    if not isinstance(said, dict):
        return said
    if set(said) == {"kind", "sum", "rows", "link"}:
        links.append(said)
    return {name: without_links(value, links) for name, value in said.items() if name != "link"}


async def walk(view: View, line: Json) -> None:
    """Check that the rows at a line's link are as many as it counts and have its sum."""
    rows, path = [], f"{line['link']}&limit=3"
    while path:
        page = await view.suite.get(view.suite.funding, path)
        rows += page["items"]
        path = page["next"]
    assert len(rows) == line["rows"] == page["total"]
    assert money(sum((Decimal(row["sum"]["amount"]) for row in rows), NOTHING)) == line["sum"]
    assert {row["kind"] for row in rows} <= {line["kind"]}


async def check_totals(view: View, ways: tuple[str, ...]) -> None:
    """Compare the totals of the ledger, divided by one or two members."""
    totals = await view.get(f"{LEDGER}/totals?{'&'.join(f'by={way}' for way in dict.fromkeys(ways))}")
    books = view.books
    assert totals["rows"] == len(books.rows)
    assert [total["stage"] for total in totals["totals"]] == sorted({row.kind for row in books.rows})
    for total in totals["totals"]:
        rows = books.found(total["stage"])
        assert (total["sum"], total["rows"]) == (money(sum((r.amount for r in rows), NOTHING)), len(rows))
        sums: dict[tuple[str, ...], Decimal] = defaultdict(Decimal)
        for row in rows:
            keys = {**vars(row), "year": row.date[:4]}
            sums[tuple(keys[way] or "not_stated" for way in totals["by"])] += row.amount
        groups = {tuple(key["value"] for key in group["keys"]): group["sum"] for group in total["groups"]}
        assert groups == {key: money(amount) for key, amount in sums.items()}


async def check_entries(view: View) -> None:
    """Compare every entry with its flags, and what was written after it."""
    listed = (await view.get(f"{LEDGER}?limit=1000"))["items"]
    reversed_by = {row.reverses: row.code for row in view.books.rows if row.reverses}
    replaced_by = {row.replaces[-1]: row.code for row in view.books.rows if row.replaces}
    same = (
        *("code", "kind", "date", "contributor", "programme", "organization", "thematic_area", "category", "follows"),
        *("reverses", "account", "value_date", "bank_reference", "corrects"),
    )
    assert len(listed) == len(view.books.rows)
    for item, row in zip(sorted(listed, key=lambda each: each["code"]), view.books.rows, strict=True):
        assert {name: item[name] for name in same} == {name: getattr(row, name) for name in same}
        assert item["sum"] == money(row.amount)
        own = item["original"]
        assert (own and own["sum"]) == (None if row.own is None else money(row.own, row.currency))
        assert (item["reversed_by"], item["replaced_by"]) == (reversed_by.get(row.code), replaced_by.get(row.code))
        assert tuple(item["replaces"]) == row.replaces
        flags = sorted((each["flag"], each["excess"] and each["excess"]["amount"]) for each in item["flag_details"])
        expected = [(flag, None if excess is None else f"{excess:.2f}") for flag, excess in row.flags]
        assert flags == expected, (row, flags)
        assert sorted(item["flags"]) == [flag for flag, _ in expected]
