"""Statements for a period, of earmarked money, and of budgets, beside a plain model of the entries."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import asyncpg

from tests.conftest import admin_url
from tests.integration.ledger_client import STATEMENT, Json, LedgerClient, body, refused
from tests.integration.test_periods import closed, years

STATEMENTS = "/funding/v1/period-statements"
CASH = {
    "deposit": 1, "interest": 1, "transfer": -1, "refund": 1, "agent_fee": -1, "direct_cost": -1, "bank_charge": -1,
}  # fmt: skip
AVAILABLE = {kind: sign for kind, sign in CASH.items() if kind != "transfer"} | {"allocation": -1}
HELD = {"transfer": 1, "refund": -1, "expenditure": -1}
WAITING = {"allocation": 1, "transfer": -1}
LINES = {
    "contributors": {"pledges": "pledge", "commitments": "commitment", "deposits": "deposit"},
    "programmes": {
        "allocations": "allocation", "transfers": "transfer", "refunds": "refund", "expenditures": "expenditure",
    },
    "organizations": {"transfers": "transfer", "refunds": "refund", "expenditures": "expenditure"},
    "thematic-areas": {
        "pledges": "pledge", "commitments": "commitment", "deposits": "deposit", "agent_fees": "agent_fee",
        "allocations": "allocation", "refunds": "refund",
    },
}  # fmt: skip
BALANCES: dict[str, dict[str, dict[str, int]]] = {
    "contributors": {},
    "programmes": {"not_yet_transferred": WAITING, "balance_with_organizations": HELD},
    "organizations": {"balance_with_organization": HELD},
    "thematic-areas": {
        "other": {kind: CASH[kind] for kind in ("interest", "direct_cost", "bank_charge")},
        "available": AVAILABLE,
    },
}
PARTY = {
    "contributors": "contributor", "programmes": "programme", "organizations": "organization",
    "thematic-areas": "thematic_area",
}  # fmt: skip
# First days of months and others, days of one month, one day, and no limit at either end.
SPANS = (
    ("2023-01-01", "2023-12-31"), ("2024-01-01", "2024-03-31"), ("2023-02-11", "2024-02-10"), (None, "2023-06-15"),
    ("2023-06-16", None), ("2024-02-05", "2024-02-20"), ("2023-05-17", "2023-05-17"), (None, None),
    ("2023-04-01", "2023-04-12"), ("2023-07-20", "2023-07-31"),
)  # fmt: skip


NO_AREA = "IRQ-JOR-LBN-01"


def usd(amount: Decimal) -> Json:
    return {"amount": f"{amount:.2f}", "currency": "USD"}


class Model:
    """The entries of the list, and what they add up to."""

    def __init__(self, rows: list[Json], areas: Mapping[str, str | None]) -> None:
        self.rows = rows
        self.areas = areas
        self.by_code = {row["code"]: row for row in rows}

    def area(self, row: Json) -> str:
        """The thematic area whose money an entry is."""
        if row["programme"]:
            found = self.areas.get(row["programme"])
        elif row["kind"] == "agent_fee":
            found = self.by_code[row["follows"]]["thematic_area"]
        else:
            found = row["thematic_area"]
        return found or "not_stated"

    def party(self, row: Json, name: str) -> str | None:
        found: str | None = self.area(row) if name == "thematic_area" else row[name]
        return found

    def sums(self, rows: Iterable[Json], signs: Mapping[str, int]) -> Decimal:
        found = (Decimal(r["sum"]["amount"]) * signs[r["kind"]] for r in rows if r["kind"] in signs)
        return sum(found, Decimal(0))

    def line(self, rows: list[Json], kind: str, start: str | None, end: str | None) -> Json:
        before = [row for row in rows if start and row["date"] < start and row["kind"] == kind]
        within = [row for row in rows if self.within(row, start, end) and row["kind"] == kind]
        opening, moved = self.sums(before, {kind: 1}), self.sums(within, {kind: 1})
        return {
            "kind": kind, "opening": usd(opening), "sum": usd(moved), "rows": len(within),
            "closing": usd(opening + moved),
        }  # fmt: skip

    def balance(self, rows: list[Json], signs: Mapping[str, int], start: str | None, end: str | None) -> Json:
        opening = self.sums([row for row in rows if start and row["date"] < start], signs)
        change = self.sums([row for row in rows if self.within(row, start, end)], signs)
        return {"opening": usd(opening), "change": usd(change), "closing": usd(opening + change)}

    @staticmethod
    def within(row: Json, start: str | None, end: str | None) -> bool:
        return (start is None or row["date"] >= start) and (end is None or row["date"] <= end)

    def statements(self, what: str, start: str | None, end: str | None) -> list[Json]:
        name = PARTY[what]
        parties: dict[str, list[Json]] = {}
        for row in self.rows:
            if end is None or row["date"] <= end:
                party = self.party(row, name)
                if party is not None:
                    parties.setdefault(party, []).append(row)
        return [
            {name: party}
            | {member: self.line(rows, kind, start, end) for member, kind in LINES[what].items()}
            | {member: self.balance(rows, signs, start, end) for member, signs in BALANCES[what].items()}
            for party, rows in sorted(parties.items(), key=lambda found: (found[0] == "not_stated", found[0]))
        ]


def entries() -> list[Json]:
    """Entries on days of two years, from a fixed seed: money enough, so that none is refused."""
    draw = random.Random(20230101)
    first = date(2023, 1, 1)

    def day(least: int = 40, most: int = 500) -> str:
        return f"{first + timedelta(days=draw.randrange(least, most))}"

    programmes = {"ETH-01": ("ILO", "WHO"), "MKD-01": ("IOM",), NO_AREA: ("IOM", "WHO")}
    found = [body("deposit", "90000.00", "2023-01-15", contributor="DEU")]
    found += [body("allocation", "9000.00", "2023-02-01", programme=code, reference="SC-1") for code in programmes]
    for code, organizations in programmes.items():
        found += [
            body("transfer", "2500.00", "2023-02-03", programme=code, organization=organization)
            for organization in organizations
        ]
    for n in range(60):
        kind = draw.choice(["pledge", "commitment", "deposit", "deposit", "allocation", "transfer", "expenditure",
                            "refund", "direct_cost", "bank_charge", "interest"])  # fmt: skip
        amount = f"{draw.randrange(1, 9000) / 100:.2f}"
        members: Json = {}
        if kind in ("pledge", "commitment", "deposit"):
            members["contributor"] = draw.choice(["DEU", "USA"])
            if area := draw.choice([None, "1", "2"]):
                members["thematic_area"] = area
        elif kind in ("allocation", "transfer", "expenditure", "refund"):
            members["programme"] = draw.choice([*programmes])
            if kind != "allocation":
                members["organization"] = draw.choice(programmes[members["programme"]])
            if kind == "expenditure":
                members["category"] = draw.choice(["supplies", "travel"])
        if kind in ("allocation", "direct_cost"):
            members["reference"] = f"SC-{n}"
        found.append(body(kind, amount, day(), **members))
    return found


async def filled(ledger: LedgerClient) -> Model:
    """A ledger of these entries, some of them reversed; returns the model of it."""
    answer = await ledger.batch(*entries())
    assert answer.status_code == 200, answer.text
    codes = [outcome["code"] for outcome in answer.json()["outcomes"]]
    for code in codes[8::9]:
        answer = await ledger.reverse(code, "2024-06-30")
        assert answer.status_code in (201, 409), answer.text
    return await modelled(ledger)


async def modelled(ledger: LedgerClient, **query: str) -> Model:
    return Model(await ledger.rows(**query), {"ETH-01": "3", "MKD-01": "1", NO_AREA: None})


def without_links(said: Any, links: list[Json]) -> Any:
    if isinstance(said, list):
        return [without_links(item, links) for item in said]
    if not isinstance(said, dict):
        return said
    if "link" in said:
        links.append(said)
    return {name: without_links(value, links) for name, value in said.items() if name not in ("link", "title", "name")}


def asked(start: str | None, end: str | None) -> dict[str, str]:
    return ({"date_from": start} if start else {}) | ({"date_to": end} if end else {})


async def check(ledger: LedgerClient, model: Model, start: str | None, end: str | None, **query: str) -> list[Json]:
    """Compare the statements for some days with the model; returns what has a link."""
    days, links = asked(start, end), list[Json]()
    fund = without_links(await ledger.get(f"{STATEMENTS}/fund", **days, **query), links)
    assert fund["sources"] == [model.line(model.rows, kind, start, end) for kind in ("deposit", "interest")]
    uses = ("transfer", "refund", "agent_fee", "direct_cost", "bank_charge")
    assert fund["uses"] == [model.line(model.rows, kind, start, end) for kind in uses]
    for member, kind in (
        ("pledges", "pledge"), ("commitments", "commitment"), ("allocations", "allocation"),
        ("expenditures", "expenditure"),
    ):  # fmt: skip
        assert fund[member] == model.line(model.rows, kind, start, end)
    for member, signs in (
        ("cash", CASH), ("available_to_allocate", AVAILABLE), ("not_yet_transferred", WAITING),
        ("balance_with_organizations", HELD), ("total_sources", {"deposit": 1, "interest": 1}),
        ("total_uses", {kind: -CASH[kind] for kind in uses}),
    ):  # fmt: skip
        assert fund[member] == model.balance(model.rows, signs, start, end), member
    assert (fund["date_from"], fund["date_to"]) == (start, end)
    available = Decimal(0)
    for what in LINES:
        items = without_links(await ledger.get(f"{STATEMENTS}/{what}", **days, **query), links)["items"]
        assert items == model.statements(what, start, end), (what, start, end)
        if what == "thematic-areas":
            available = sum((Decimal(item["available"]["closing"]["amount"]) for item in items), Decimal(0))
    assert usd(available) == fund["available_to_allocate"]["closing"]
    return links


async def walk(ledger: LedgerClient, links: Iterable[Json]) -> None:
    """Check that the entries of each line are exactly those that were counted."""
    for line in links:
        rows: list[Json] = (await ledger.get(f"{line['link']}&limit=1000"))["items"]
        assert len(rows) == line["rows"], line
        assert usd(sum((Decimal(row["sum"]["amount"]) for row in rows), Decimal(0))) == line["sum"], line


async def test_statements_for_any_days_equal_a_plain_model(ledger: LedgerClient) -> None:
    """At any revision, and each line lists exactly its entries."""
    for what in ("fund", *LINES):
        assert (await ledger.get(f"{STATEMENTS}/{what}"))["revision"] > 0
    model = await filled(ledger)
    for start, end in SPANS:
        links = await check(ledger, model, start, end)
        if (start, end) in (SPANS[1], SPANS[2]):
            await walk(ledger, links)
    known = str(await ledger.revision())
    assert (await ledger.batch(*entries())).status_code == 200
    await check(ledger, await modelled(ledger), *SPANS[2])
    links = await check(ledger, model, *SPANS[2], as_of=known)
    await walk(ledger, links[::3])


async def test_a_statement_is_for_an_accounting_period(ledger: LedgerClient) -> None:
    await ledger.enter("interest", "5.00", "2023-05-05")
    await ledger.enter("interest", "7.00", "2024-05-05")
    await years(ledger, 2023, 2024)
    await closed(ledger, "2023")
    for code, status, opening, closing in (("2023", "closed", "0.00", "5.00"), ("2024", "open", "5.00", "12.00")):
        fund = await ledger.get(f"{STATEMENTS}/fund", period=code)
        assert (fund["period"], fund["status"], fund["date_from"]) == (code, status, f"{code}-01-01")
        assert (fund["cash"]["opening"]["amount"], fund["cash"]["closing"]["amount"]) == (opening, closing)
        assert f"date_from={code}-01-01&date_to={code}-12-31&kind=interest" in fund["sources"][1]["link"]
        of_days = await ledger.get(f"{STATEMENTS}/fund", date_from=f"{code}-01-01", date_to=f"{code}-12-31")
        assert {**of_days, "period": code, "status": status} == fund
    get = ledger.running.client.get
    refused(await get(f"{STATEMENTS}/fund", params={"period": "2025"}), 422, "unknown_code", "/funding/v1/periods")
    answer = await get(f"{STATEMENTS}/programmes", params={"period": "2023", "date_to": "2023-03-31"})
    refused(answer, 422, "not_applicable", "date_to")
    answer = await get(f"{STATEMENTS}/programmes", params={"date_from": "2023-04-01", "date_to": "2023-03-31"})
    refused(answer, 422, "invalid_range")


async def test_earmarked_money_is_free_until_it_is_allocated(ledger: LedgerClient) -> None:
    """What a programme takes beyond the money of its area is money without one, and then that of other areas."""
    await ledger.enter("deposit", "100.00", "2024-01-01", contributor="DEU", thematic_area="3")
    await ledger.enter("deposit", "200.00", "2024-01-01", contributor="DEU", thematic_area="2")
    await ledger.enter("deposit", "50.00", "2024-01-01", contributor="USA")
    await ledger.enter("interest", "1.50", "2024-01-01")
    await ledger.enter("allocation", "80.00", "2024-01-02", programme="ETH-01")
    await ledger.enter("allocation", "60.00", "2024-01-03", programme="ETH-01")
    await ledger.enter("allocation", "0.01", "2024-01-04", programme=NO_AREA)
    await ledger.enter("allocation", "30.00", "2024-01-05", programme="MKD-01")
    await ledger.enter("transfer", "30.00", "2024-01-06", programme="MKD-01", organization="IOM")
    await ledger.enter("refund", "25.00", "2024-01-07", programme="MKD-01", organization="IOM")
    expected = {
        "2024-01-01": {"3": ("99.00", "0.00", "0.00", "99.00"), "2": ("198.00", "0.00", "0.00", "198.00"),
                       "not_stated": ("51.00", "0.00", "0.00", "51.00")},
        "2024-01-02": {"3": ("99.00", "80.00", "0.00", "19.00"), "not_stated": ("51.00", "0.00", "0.00", "51.00")},
        "2024-01-03": {"3": ("99.00", "140.00", "41.00", "0.00"), "not_stated": ("51.00", "0.00", "0.00", "10.00")},
        "2024-01-04": {"not_stated": ("51.00", "0.01", "0.00", "9.99")},
        "2024-01-05": {"1": ("0.00", "30.00", "30.00", "0.00"), "not_stated": ("51.00", "0.01", "0.00", "-20.01")},
        "2024-01-07": {"1": ("0.00", "5.00", "5.00", "0.00"), "not_stated": ("51.00", "0.01", "0.00", "4.99")},
    }  # fmt: skip
    for day, areas in expected.items():
        said = await ledger.get(f"{STATEMENT}/earmarks", on=day)
        found = {item["thematic_area"]: item for item in said["items"]}
        for code, amounts in areas.items():
            members = ("received", "allocated", "from_unearmarked", "free")
            assert tuple(found[code][name]["amount"] for name in members) == amounts, (day, code)
        flagged = {code for code, item in found.items() if item["uses_other_areas"]}
        assert flagged == ({"1", "3"} if day == "2024-01-05" else set()), day
        fund = await ledger.get(f"{STATEMENTS}/fund", date_to=day)
        assert said["available_to_allocate"] == fund["available_to_allocate"]["closing"]
        links = list[Json]()
        without_links(said, links)
        await walk(ledger, links)
    assert list(found) == ["1", "2", "3", "not_stated"]
    empty = await ledger.get(f"{STATEMENT}/earmarks", on="2023-12-31")
    assert [(item["thematic_area"], item["free"]["amount"]) for item in empty["items"]] == [("not_stated", "0.00")]


async def test_every_statement_is_there_as_csv(ledger: LedgerClient) -> None:
    """With its header, even where it has no row."""
    contract = ledger.running.app.openapi()["paths"]
    paths = [
        path
        for path, found in contract.items()
        if "get" in found and "{" not in path and ("statement" in path or path.endswith("/capitalization"))
    ]
    assert {f"{STATEMENTS}/fund", STATEMENT, f"{STATEMENT}/budgets", f"{STATEMENT}/earmarks"} <= set(paths)
    assert len(paths) >= 13
    headers = {}
    for is_filled in (False, True):
        if is_filled:
            await filled(ledger)
        for path in paths:
            answer = await ledger.running.client.get(path, params={"format": "csv"})
            assert answer.status_code == 200, answer.text
            assert answer.headers["content-type"].startswith("text/csv"), path
            rows = [*csv.reader(io.StringIO(answer.text))]
            assert headers.setdefault(path, rows[0]) == rows[0]
            assert len(rows[0]) > 3, path
            assert all(len(row) == len(rows[0]) for row in rows)
            if is_filled and path not in (f"{STATEMENT}/commitments",):
                assert len(rows) > 1, path


LINES_OF_BUDGET = (
    ("ILO", 2024, "supplies", "100.00"), ("ILO", 2025, "supplies", "50.00"), ("ILO", 2024, "travel", "30.00"),
    ("WHO", 2024, "supplies", "20.00"),
)  # fmt: skip


async def test_budgets_stand_beside_expenditure(ledger: LedgerClient) -> None:
    """Divided by organization, year and category, or by some of them; no budget is stated where there are no lines."""
    await ledger.enter("deposit", "1000.00", "2024-01-01", contributor="DEU")
    for programme, organizations in (("ETH-01", ("ILO", "WHO")), (NO_AREA, ("WHO",))):
        await ledger.enter("allocation", "400.00", "2024-01-02", programme=programme)
        for organization in organizations:
            await ledger.enter("transfer", "150.00", "2024-01-03", programme=programme, organization=organization)
    spent = (
        ("ETH-01", "ILO", "2024-05-05", "supplies", "60.00"), ("ETH-01", "ILO", "2024-06-05", "supplies", "60.01"),
        ("ETH-01", "ILO", "2025-05-05", "supplies", "10.00"), ("ETH-01", "WHO", "2024-05-05", "travel", "5.00"),
        (NO_AREA, "WHO", "2024-05-05", "supplies", "7.00"),
    )  # fmt: skip
    for programme, organization, day, category, amount in spent:
        members = {"programme": programme, "organization": organization, "category": category}
        await ledger.enter("expenditure", amount, day, **members)
    lines = [dict(zip(("organization", "year", "category", "amount"), line, strict=True)) for line in LINES_OF_BUDGET]
    # As the copy of the catalogue has a programme with budget lines.
    connection = await asyncpg.connect(admin_url(ledger.running.database_url))
    await connection.execute("SET session_replication_role = replica")
    await connection.execute(
        "UPDATE programme SET record = jsonb_set(record::jsonb, '{budget_lines}', $1::jsonb)::json"
        " WHERE code = 'ETH-01'",
        json.dumps(lines),
    )
    await connection.close()

    async def parts(*members: str, **query: str) -> dict[tuple[Any, ...], tuple[Any, ...]]:
        said = await ledger.get(f"{STATEMENT}/budgets", **query)
        links = list[Json]()
        without_links(said, links)
        await walk(ledger, links)
        return {
            tuple(item[name] for name in ("programme", *members)): (
                item["budget"] and item["budget"]["amount"],
                item["expenditure"]["sum"]["amount"],
                item["remaining"] and item["remaining"]["amount"],
                item["delivery"] and item["delivery"]["per_cent"],
            )
            for item in said["items"]
        }

    assert await parts("organization", "year", "category") == {
        ("ETH-01", "ILO", 2024, "supplies"): ("100.00", "120.01", "-20.01", "120.01"),
        ("ETH-01", "ILO", 2024, "travel"): ("30.00", "0.00", "30.00", "0.00"),
        ("ETH-01", "ILO", 2025, "supplies"): ("50.00", "10.00", "40.00", "20.00"),
        ("ETH-01", "WHO", 2024, "supplies"): ("20.00", "0.00", "20.00", "0.00"),
        ("ETH-01", "WHO", 2024, "travel"): ("0.00", "5.00", "-5.00", None),
        (NO_AREA, "WHO", 2024, "supplies"): (None, "7.00", None, None),
    }
    assert await parts("category", by="category", programme="eth-01") == {
        ("ETH-01", "supplies"): ("170.00", "130.01", "39.99", "76.47"),
        ("ETH-01", "travel"): ("30.00", "5.00", "25.00", "16.66"),
    }
    assert await parts("organization", by="organization", on="2024-05-31", programme="ETH-01") == {
        ("ETH-01", "ILO"): ("180.00", "60.00", "120.00", "33.33"),
        ("ETH-01", "WHO"): ("20.00", "5.00", "15.00", "25.00"),
    }
    assert await parts("year", by="year", on="2025-05-04", programme="ETH-01") == {
        ("ETH-01", 2024): ("150.00", "125.01", "24.99", "83.34"),
        ("ETH-01", 2025): ("50.00", "0.00", "50.00", "0.00"),
    }
    answer = await ledger.running.client.get(f"{STATEMENT}/budgets", params={"programme": "ETH-99"})
    refused(answer, 422, "unknown_code", "ETH-99")
