"""Statements, delivery and capitalization, and the rows behind their figures."""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from decimal import Decimal
from fractions import Fraction
from itertools import combinations, product
from typing import Any

from tests.integration.ledger_client import ETHIOPIA, LEDGER, ORIGINAL, STATEMENT, Json, LedgerClient, body, refused


async def test_an_empty_ledger_states_zeros(ledger: LedgerClient) -> None:
    for query in ({}, {"on": "2024-02-29"}, {"as_of": "0"}, {"as_of": "1"}):
        fund = await ledger.get(STATEMENT, **query)
        assert {fund[name]["amount"] for name in ("balance", "total_sources", "total_uses", "not_yet_transferred")} == {
            "0.00"
        }
        lines = [
            *fund["sources"],
            *fund["uses"],
            fund["pledges"],
            fund["allocations"],
            fund["commitments"]["committed"],
        ]
        assert {(line["sum"]["amount"], line["rows"]) for line in lines} == {("0.00", 0)}
        assert fund["delivery"]["share"] is None
        for what in ("contributors", "programmes", "organizations", "commitments"):
            assert (await ledger.get(f"{STATEMENT}/{what}", **query))["items"] == []
    assert (await ledger.get("/funding/v1/capitalization"))["periods"] == []
    assert (await ledger.get(f"{LEDGER}/totals"))["totals"] == []
    assert await ledger.rows() == []
    assert set((await ledger.get(f"{LEDGER}/facets"))["facets"]) >= {"kind", "flag"}


async def test_statements_are_of_a_day_as_known_at_a_revision(ledger: LedgerClient) -> None:
    await ledger.enter("deposit", "100.00", "2024-03-01", contributor="DEU")
    known = str(await ledger.revision())
    await ledger.enter("interest", "7.00", "2024-02-01")
    await ledger.enter("interest", "3.00", "2024-04-01")
    days = ("2024-01-31", "2024-02-01", "2024-03-01", "2024-04-01")
    assert [await ledger.balance(on=day) for day in days] == ["0.00", "7.00", "106.00", "109.00"]
    assert [await ledger.balance(on=day, as_of=known) for day in days] == ["0.00", "0.00", "99.00", "99.00"]


async def test_a_day_that_bounds_from_above_counts_to_its_end(ledger: LedgerClient) -> None:
    for amount, day in (("1.00", "2024-02-29"), ("2.00", "2024-03-01"), ("4.00", "2024-03-02")):
        await ledger.enter("interest", amount, day)
    for first, last, amounts in (
        ("2024-02-29", "2024-03-01", ["1.00", "2.00"]),
        ("2024-03-01", "2024-03-01", ["2.00"]),
        ("2024-03-02", "2024-12-31", ["4.00"]),
    ):
        rows = await ledger.rows(date_from=first, date_to=last, kind="interest")
        assert [row["sum"]["amount"] for row in rows] == amounts
    answer = await ledger.running.client.get(LEDGER, params={"date_from": "2024-03-02", "date_to": "2024-03-01"})
    refused(answer, 422, "invalid_range", "date_from=2024-03-02", "date_to=2024-03-01")


async def test_totals_are_divided_by_a_set_of_ways(ledger: LedgerClient) -> None:
    await ledger.enter("deposit", "100.00", "2023-03-01", contributor="DEU")
    await ledger.enter("deposit", "11.00", "2024-03-02", contributor="USA")
    for way, *same in (
        ("by=kind", "by=kind&by=kind", "by=Kind,kind", ""),
        ("by=kind&by=year", "by=year&by=kind", "by=year,kind", "by=YEAR%2CKIND"),
    ):
        first = await ledger.running.client.get(f"{LEDGER}/totals?{way}")
        for query in same:
            again = await ledger.running.client.get(f"{LEDGER}/totals?{query}")
            assert (again.headers["etag"], again.json()) == (first.headers["etag"], first.json()), query
    answer = await ledger.running.client.get(f"{LEDGER}/totals?by=kind,year,programme")
    refused(answer, 422, "invalid_parameter", "at most 2 values")


async def test_a_link_lists_the_rows_that_were_counted(ledger: LedgerClient) -> None:
    await ledger.enter("deposit", "100.00", "2024-03-01", contributor="DEU")
    await ledger.enter("deposit", "11.00", "2024-03-02", contributor="USA")
    await ledger.enter("allocation", "50.00", "2024-03-02", programme="ETH-01")
    await ledger.enter("transfer", "50.00", "2024-03-02", **ETHIOPIA)
    await ledger.enter("expenditure", "20.00", "2024-03-02", **ETHIOPIA, category="travel")
    known = str(await ledger.revision())
    moment = str((await ledger.get(f"{LEDGER}/L-000007"))["updated"])
    await ledger.enter("deposit", "1.00", "2024-03-01", contributor="DEU")
    for query in ({"on": "2024-03-01"}, {"as_of": known}, {"on": "2024-03-02", "as_of": moment}, {}):
        lines: list[Json] = []
        for path in ("", "/contributors", "/programmes", "/organizations"):
            collect(await ledger.get(f"{STATEMENT}{path}", **query), lines)
        assert len(lines) > 12
        for line in lines:
            page = await ledger.get(line["link"])
            assert page["total"] == len(page["items"]) == line["rows"]
            total = sum((Decimal(row["sum"]["amount"]) for row in page["items"]), Decimal(0))
            assert f"{total:.2f}" == line["sum"]["amount"]


def collect(said: Any, lines: list[Json]) -> None:
    if isinstance(said, list):
        for item in said:
            collect(item, lines)
    elif isinstance(said, dict):
        if {"kind", "rows", "link"} <= set(said):
            lines.append(said)
        for item in said.values():
            collect(item, lines)


async def test_the_link_of_each_group_lists_its_rows_alone(funded_ledger: LedgerClient) -> None:
    ledger = funded_ledger
    await ledger.enter("commitment", "108.50", "2023-12-31", contributor="DEU", thematic_area="2",
                       original={**ORIGINAL, "amount": "100.00", "rate_date": "2023-12-31"})  # fmt: skip
    code = (await ledger.rows(kind="commitment"))[0]["code"]
    paid = {**ORIGINAL, "rate": "1.0000"}
    await ledger.enter("deposit", "10.00", contributor="DEU", follows=code, original=paid, account="EUR-1")
    await ledger.enter("deposit", "5.00", contributor="DEU", follows=code, account="eur-1")
    await ledger.enter("commitment_amendment", "21.70", contributor="DEU", follows=code, amendment="decrease",
                       original={**ORIGINAL, "amount": "20.00"})  # fmt: skip
    await ledger.enter("transfer", "7.00", tranche=1, account="EUR-1", **ETHIOPIA)
    await ledger.enter("expenditure", "9.00", category="travel", **ETHIOPIA)
    await ledger.enter("interest", "3.00", "2025-01-31", organization="ILO")
    charge = await ledger.enter("bank_charge", "2.00", "2024-12-31", account="EUR-1")
    assert (await ledger.reverse(charge["code"], "2025-02-01")).status_code == 201
    ways = (
        "kind",
        "contributor",
        "programme",
        "organization",
        "thematic_area",
        "category",
        "account",
        "decision",
        "year",
    )
    queries: tuple[Json, ...] = (
        {}, {"date_from": "2024-02-01"}, {"date_to": "2024-12-31", "reversal": "false"}, {"account": "EUR-1"},
        {"kind": ["deposit", "transfer"], "organization": ["ILO", "not_stated"]}, {"flag": "deposit_in_other_currency"},
        {"contributor": "deu"}, {"value_date_from": "2024-01-01"}, {"account": "not_stated"},
    )  # fmt: skip
    listed: dict[str, list[Json]] = {}
    singly = [(way,) for way in ways]
    for query, by in [*product([{}], combinations(ways, 2)), *product(queries, singly)]:
        answer = await ledger.get(f"{LEDGER}/totals", **query, by=[*by])
        for total in answer["totals"]:
            for group in (total, *total["groups"]):
                link = group["link"]
                assert link is not None
                if link not in listed:
                    listed[link] = (await ledger.get(link))["items"]
                amounts = [Decimal(row["sum"]["amount"]) for row in listed[link]]
                assert (len(amounts), f"{sum(amounts, Decimal(0)):.2f}") == (group["rows"], group["sum"]["amount"]), (
                    link
                )


async def test_capitalization_counts_up_to_the_end_of_each_period(ledger: LedgerClient) -> None:
    months = [f"2024-{month}" for month in ("01-31", "02-29", "03-31", "04-30", "05-31", "06-30", "07-31", "08-31",
                                            "09-30", "10-31", "11-30", "12-31")]  # fmt: skip
    ends = {
        "year": ["2023-12-31", "2024-12-31", "2025-12-31"],
        "quarter": ["2023-12-31", *months[2::3], "2025-03-31"],
        "month": ["2023-12-31", *months, "2025-01-31", "2025-02-28"],
    }
    dated = {"2023-12-31": "1.00", "2024-02-29": "15000000.00", "2024-03-01": "0.50", "2025-02-28": "55000000.00"}
    for date, amount in dated.items():
        await ledger.enter("deposit", amount, date, contributor="DEU")
    await ledger.enter("pledge", "3.00", "2024-03-31", contributor="DEU")
    for interval, expected in ends.items():
        periods = (await ledger.get("/funding/v1/capitalization", interval=interval))["periods"]
        assert [period["end"] for period in periods] == expected
        for period in periods:
            until = sum((Decimal(amount) for date, amount in dated.items() if date <= period["end"]), Decimal(0))
            assert period["deposits"]["amount"] == f"{until:.2f}"
            assert period["pledges"]["amount"] == ("3.00" if period["end"] >= "2024-03-31" else "0.00")
            for target, whole in zip(period["targets"], (70_000_000, 150_000_000), strict=True):
                exact = Fraction(int(target["share"]["numerator"]), int(target["share"]["denominator"]))
                assert exact == Fraction(until) / whole
        assert periods[-1]["targets"][0]["share"]["per_cent"] == "100.00"


async def test_delivery_is_expenditure_divided_by_net_transfers(funded_ledger: LedgerClient) -> None:
    assert (await funded_ledger.get(STATEMENT))["delivery"]["share"] is None
    await funded_ledger.enter("transfer", "400.00", "2024-03-01", **ETHIOPIA)
    assert (await funded_ledger.get(STATEMENT))["delivery"]["share"]["per_cent"] == "0.00"
    await funded_ledger.enter("expenditure", "100.00", "2024-04-01", **ETHIOPIA, category="travel")
    await funded_ledger.enter("refund", "100.00", "2024-05-01", **ETHIOPIA)
    for path in ("", "/programmes", "/organizations"):
        for on, share in (("2024-03-31", ["0", "1", "0.00"]), ("2024-04-30", ["1", "4", "25.00"]),
                          ("2024-05-31", ["1", "3", "33.33"])):  # fmt: skip
            said = await funded_ledger.get(f"{STATEMENT}{path}", on=on)
            delivery = (said if "delivery" in said else said["items"][0])["delivery"]
            assert list(delivery["share"].values()) == share


async def test_a_statement_of_many_gives_each_its_own(ledger: LedgerClient) -> None:
    await ledger.enter("interest", "100000.00", "2024-01-01")
    programmes, organizations = ("ECU-01", "MDA-01", "SRB-01", "ZAF-01"), ("ILO", "IOM", "WHO")
    sent = [body("allocation", "9000.00", "2024-01-02", programme=p, reference="SC-1") for p in programmes]
    for n, pair in enumerate(product(programmes, organizations)):
        parties = dict(zip(("programme", "organization"), pair, strict=True))
        sent.append(body("transfer", f"{1000 + n}.07", "2024-02-01", **parties))
        # Each programme's money is enough for what it spent; that of one organization in two of them is not.
        spent = f"{1100 + n}.00" if n in (1, 10) else f"{300 + 7 * n}.01"
        sent.append(body("expenditure", spent, "2024-03-01", category="travel", **parties))
        sent += [body("refund", f"{n}.50", "2024-04-01", **parties)] if n % 3 else []
    assert (await ledger.batch(*sent)).json()["written"] == len(sent)
    for on in ("2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30"):
        rows = await ledger.rows(date_to=on)
        for name, path in (("programme", "programmes"), ("organization", "organizations")):
            items = (await ledger.get(f"{STATEMENT}/{path}", on=on))["items"]
            assert [item[name] for item in items] == sorted({row[name] for row in rows if row[name]})
            for item in items:
                own = [row for row in rows if row[name] == item[name]]
                for kind in ("allocation", "transfer", "refund"):
                    if f"{kind}s" in item:
                        line = item[f"{kind}s"]
                        assert (line["sum"]["amount"], line["rows"]) == added(own, kind)
                net = Decimal(added(own, "transfer")[0]) - Decimal(added(own, "refund")[0])
                assert item["delivery"]["net_funded"]["amount"] == f"{net:.2f}"
                assert item["delivery"]["expenditure"]["amount"] == added(own, "expenditure")[0]
                left: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
                for row in own:
                    sign = {"transfer": 1, "refund": -1, "expenditure": -1}.get(row["kind"], 0)
                    left[row["programme"], row["organization"]] += sign * Decimal(row["sum"]["amount"])
                assert item["overspent"] == (min(left.values()) < 0)
    for path, expected in (("programmes", [True, False, False, True]), ("organizations", [False, True, False])):
        assert [item["overspent"] for item in (await ledger.get(f"{STATEMENT}/{path}"))["items"]] == expected


def added(rows: list[Json], kind: str) -> tuple[str, int]:
    amounts = [Decimal(row["sum"]["amount"]) for row in rows if row["kind"] == kind]
    return f"{sum(amounts, Decimal(0)):.2f}", len(amounts)


async def test_cents_are_exact_however_much_there_is(ledger: LedgerClient) -> None:
    most = "99999999999999.99"
    sent = [body("interest", most), *(body("interest", "0.01") for _ in range(299))]
    answer = await ledger.batch(*sent)
    assert answer.json()["written"] == 300
    for _ in range(3):
        assert (await ledger.batch(*(body("interest", most) for _ in range(10)))).status_code == 200
    whole = Decimal(most) * 31 + Decimal("2.99")
    assert await ledger.balance() == f"{whole:.2f}"
    totals = await ledger.get(f"{LEDGER}/totals", by="year")
    (total,) = totals["totals"]
    assert (total["sum"]["amount"], total["rows"], totals["rows"]) == (f"{whole:.2f}", 330, 330)
    page = await ledger.get(LEDGER, sort="-amount", limit="31")
    assert {row["sum"]["amount"] for row in page["items"]} == {most}
    assert (await ledger.get(page["next"]))["items"][0]["sum"]["amount"] == "0.01"


async def test_totals_name_the_thematic_areas(ledger: LedgerClient) -> None:
    for area in ("1", "5"):
        await ledger.enter("commitment", "10.00", contributor="DEU", thematic_area=area)
    await ledger.enter("commitment", "10.00", contributor="DEU")
    (total,) = (await ledger.get(f"{LEDGER}/totals", by="thematic_area"))["totals"]
    assert [(key["value"], key["name"]) for group in total["groups"] for key in group["keys"]] == [
        ("1", "Promoting fact-based and data-driven migration discourse, policy and planning"),
        ("5", "Improving the social inclusion and integration of migrants"),
        ("not_stated", None),
    ]


async def test_the_ledger_is_exported(funded_ledger: LedgerClient) -> None:
    await funded_ledger.enter("transfer", "10.00", **ETHIOPIA, tranche=2, note='He said "no", twice')
    await funded_ledger.enter("expenditure", "11.00", **ETHIOPIA, category="travel")
    await funded_ledger.enter("deposit", "10.85", contributor="USA", original=ORIGINAL)
    await funded_ledger.reverse("L-000004")
    answer = await funded_ledger.running.client.get(LEDGER, params={"format": "csv"})
    rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    listed = await funded_ledger.rows()
    assert [row["code"] for row in rows] == [row["code"] for row in listed]
    for row, item in zip(rows, listed, strict=True):
        assert (row["amount"], row["currency"]) == (item["sum"]["amount"], "USD")
        for name in ("kind", "date", "contributor", "programme", "organization", "category", "follows", "reverses",
                     "tranche", "recorded_by", "reference"):  # fmt: skip
            assert row[name] == ("" if item[name] is None else str(item[name]))
        assert row["flags"] == "|".join(item["flags"])
    converted = next(row for row in rows if row["original_currency"])
    assert (converted["original_amount"], converted["rate"]) == ("10.00", "1.0850")
    ndjson = await funded_ledger.running.client.get(LEDGER, params={"format": "ndjson", "reversal": "true"})
    assert [json.loads(line)["reverses"] for line in ndjson.text.splitlines()] == ["L-000004"]
