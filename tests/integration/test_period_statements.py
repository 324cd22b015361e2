"""Statements for a period, of earmarked money, and of budgets, beside a plain model of the entries."""

from __future__ import annotations

import csv
import io
import json
import random
from datetime import date, timedelta
from typing import Any

import asyncpg

from tests.conftest import admin_url
from tests.integration.ledger_client import STATEMENT, Json, LedgerClient, body, refused
from tests.integration.period_model import LINES, STATEMENTS, Listed, Model, check, walk, without_links
from tests.integration.test_periods import closed, years

# First days of months and others, days of one month, one day, and no limit at either end.
SPANS = (
    ("2023-01-01", "2023-12-31"), ("2024-01-01", "2024-03-31"), ("2023-02-11", "2024-02-10"), (None, "2023-06-15"),
    ("2023-06-16", None), ("2024-02-05", "2024-02-20"), ("2023-05-17", "2023-05-17"), (None, None),
    ("2023-04-01", "2023-04-12"), ("2023-07-20", "2023-07-31"),
)  # fmt: skip


NO_AREA = "IRQ-JOR-LBN-01"


def entries() -> list[Json]:
    """Entries on days of two years, from a fixed seed: money enough, so that none is refused."""
    draw = random.Random(20230101)
    first = date(2023, 1, 1)

    def day(least: int = 40, most: int = 500) -> str:
        return f"{first + timedelta(days=draw.randrange(least, most))}"

    programmes = {"ETH-01": ("ILO", "WHO"), "MKD-01": ("IOM",), NO_AREA: ("IOM", "WHO")}
    found = [body("deposit", "90000.00", "2023-01-15", contributor=code) for code in ("DEU", "USA")]
    found += [body("allocation", "9000.00", "2023-02-01", programme=code, reference="SC-1") for code in programmes]
    for code, organizations in programmes.items():
        found += [
            body("transfer", "2500.00", "2023-02-03", programme=code, organization=organization)
            for organization in organizations
        ]
    for n in range(90):
        kind = draw.choice(["pledge", "commitment", "deposit", "deposit", "allocation", "transfer", "expenditure",
                            "refund", "direct_cost", "bank_charge", "interest", "contributor_refund",
                            "other_income", "transfer_to_fund", "transfer_from_fund"])  # fmt: skip
        amount = f"{draw.randrange(1, 9000) / 100:.2f}"
        members: Json = {}
        if kind in ("pledge", "commitment", "deposit", "contributor_refund"):
            members["contributor"] = draw.choice(["DEU", "USA"])
            if area := draw.choice([None, "1", "2"]):
                members["thematic_area"] = area
        elif kind in ("allocation", "transfer", "expenditure", "refund"):
            members["programme"] = draw.choice([*programmes])
            if kind != "allocation":
                members["organization"] = draw.choice(programmes[members["programme"]])
            if kind == "expenditure":
                members["category"] = draw.choice(["supplies", "travel"])
        if kind.startswith("transfer_"):
            members["counterpart_fund"] = "Another fund"
        if kind in ("allocation", "direct_cost", "contributor_refund", "other_income") or "counterpart_fund" in members:
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
    return Model([Listed(row) for row in await ledger.rows(**query)], {"ETH-01": "3", "MKD-01": "1", NO_AREA: None})


async def test_statements_for_any_days_equal_a_plain_model(ledger: LedgerClient) -> None:
    """At any revision, and each line lists exactly its entries."""
    for what in ("fund", *LINES):
        assert (await ledger.get(f"{STATEMENTS}/{what}"))["revision"] > 0
    model = await filled(ledger)
    for start, end in SPANS:
        links = await check(ledger.get, model, start, end)
        if (start, end) in (SPANS[1], SPANS[2]):
            await walk(ledger.get, links)
    known = str(await ledger.revision())
    assert (await ledger.batch(*entries())).status_code == 200
    await check(ledger.get, await modelled(ledger), *SPANS[2])
    links = await check(ledger.get, model, *SPANS[2], as_of=known)
    await walk(ledger.get, links[::3])


async def test_amendments_count_in_the_period_of_their_own_day(ledger: LedgerClient) -> None:
    """Of their commitment they have the contributor and the thematic area; one in euros counts at its rate."""
    rate = {"currency": "EUR", "rate": "1.1000", "rate_date": "2023-01-01", "rate_source": "a table"}
    own = {"contributor": "DEU"}
    first = await ledger.enter("commitment", "1000.00", "2023-02-01", thematic_area="2", **own)
    other = await ledger.enter("commitment", "110.00", "2023-03-01", original={"amount": "100.00", **rate}, **own)
    for commitment, amendment, amount, day in (
        (first, "increase", "200.00", "2023-05-05"),
        (first, "decrease", "50.00", "2024-02-06"),
        (first, "cancellation", "100.00", "2024-03-01"),
        (other, "decrease", "11.00", "2023-06-15"),
        (other, "increase", "22.00", "2024-02-20"),
    ):
        original = {"original": {"amount": f"{float(amount) / 1.1:.2f}", **rate}} if commitment is other else {}
        members = {"follows": commitment["code"], "amendment": amendment, **own, **original}
        entered = await ledger.enter("commitment_amendment", amount, day, **members)
    assert (await ledger.reverse(entered["code"], "2024-02-20")).status_code == 201
    model = await modelled(ledger)
    for start, end in SPANS:
        await walk(ledger.get, await check(ledger.get, model, start, end))
    span = {"date_from": "2024-01-01", "date_to": "2024-02-29"}
    (of_contributor,) = (await ledger.get(f"{STATEMENTS}/contributors", **span))["items"]
    of_area, of_none = (await ledger.get(f"{STATEMENTS}/thematic-areas", **span))["items"]
    assert (of_area["thematic_area"], of_none["thematic_area"]) == ("2", "not_stated")
    for item, *amounts in (
        (of_contributor, "189.00", "-50.00", "139.00"),
        (of_area, "200.00", "-50.00", "150.00"),
        (of_none, "-11.00", "0.00", "-11.00"),
    ):
        line = item["commitment_amendments"]
        assert [line[name]["amount"] for name in ("opening", "sum", "closing")] == amounts
    (on_the_day,) = (await ledger.get(f"{STATEMENT}/contributors", on="2024-02-29"))["items"]
    amended = of_contributor["commitment_amendments"]["closing"]
    assert on_the_day["commitments"]["amendments"]["sum"] == amended


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
        await walk(ledger.get, links)
    assert list(found) == ["1", "2", "3", "not_stated"]
    empty = await ledger.get(f"{STATEMENT}/earmarks", on="2023-12-31")
    assert (empty["items"], empty["available_to_allocate"]["amount"]) == ([], "0.00")


async def test_every_statement_is_there_as_csv(ledger: LedgerClient) -> None:
    """With its header, even where it has no row."""
    contract = ledger.running.app.openapi()["paths"]
    paths = [
        path
        for path, found in contract.items()
        if "get" in found and "{" not in path and path.startswith((STATEMENT, STATEMENTS, "/funding/v1/capitalization"))
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
        await walk(ledger.get, links)
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
