"""Ledger entries of earlier years: by template, with control totals, each row one entry, all of them or none."""

from __future__ import annotations

import csv
import io
from typing import Any

import httpx
from openpyxl import load_workbook

from mmptf_common.writes.bodies import CSV, XLSX
from mmptf_funding.imports.ledger_routes import PATH
from mmptf_funding.imports.template import TEMPLATE
from tests.integration.ledger_client import ADMIN, AGENT, IOM, UNIT, LedgerClient, Who, errors, refused
from tests.tokens import bearer, writing

Row = dict[str, Any]
COMMITMENT: Row = {"kind": "commitment", "date": "2021-02-01", "amount": "1000.00", "contributor": "DEU"}
# The rows of two years in no order; one is in euros.
ROWS: list[Row] = [
    {"id": "V-7", "kind": "expenditure", "date": "2022-06-30", "amount": "250.10", "programme": "ETH-01",
     "organization": "ILO", "category": "travel", "note": "Reported in 2022."},
    {"id": "V-5", "kind": "transfer", "date": "2022-03-01", "amount": "400.00", "programme": "ETH-01",
     "organization": "ILO", "tranche": "1", "bank_reference": "T 17"},
    {"id": "V-3", "kind": "deposit", "date": "2021-03-01", "amount": "1000.00", "contributor": "DEU", "follows": "V-2",
     "value_date": "2021-03-03", "account": "USD-1"},
    {"id": "V-2", **COMMITMENT},
    {"id": "V-4", "kind": "allocation", "date": "2022-02-01", "amount": "500", "programme": "ETH-01",
     "reference": "SC-2"},
    {"id": "V-6", "kind": "deposit", "date": "2022-04-01", "amount": "108.50", "contributor": "FRA",
     "original_amount": "100.00", "original_currency": "EUR", "rate": "1.0850", "rate_date": "2022-04-01",
     "rate_source": "a table"},
]  # fmt: skip
TOTALS: list[Row] = [
    {"year": "2021", "kind": "commitment", "rows": "1", "amount": "1000.00"},
    {"year": "2021", "kind": "deposit", "rows": "1", "amount": "1000.00"},
    {"year": "2022", "kind": "allocation", "rows": "1", "amount": "500.00"},
    {"year": "2022", "kind": "deposit", "rows": "1", "amount": "108.50"},
    {"year": "2022", "kind": "expenditure", "rows": "1", "amount": "250.10"},
    {"year": "2022", "kind": "transfer", "rows": "1", "amount": "400.00"},
]
SUM = {"rows": "6", "total": "3258.60"}


def as_csv(rows: list[Row]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, TEMPLATE.columns("ledger-entries"))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


async def as_workbook(ledger: LedgerClient, rows: list[Row], totals: list[Row]) -> bytes:
    """The template, filled."""
    empty = await ledger.running.client.get(
        "/funding/v1/imports/template", params={"format": "xlsx", "table": "ledger-entries"}
    )
    assert empty.headers["content-disposition"] == 'attachment; filename="ledger.xlsx"'
    book = load_workbook(io.BytesIO(empty.content))
    assert book.sheetnames == ["guide", "control-totals", "ledger-entries"]
    for name, table in (("ledger-entries", rows), ("control-totals", totals)):
        for row in table:
            book[name].append([row.get(cell.value) for cell in book[name][1]])
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


async def send(ledger: LedgerClient, content: bytes, media: str, who: Who = UNIT, **query: str) -> httpx.Response:
    headers = {**writing(*who), "content-type": media}
    return await ledger.running.client.post(PATH, content=content, params=query, headers=headers)


def changed(number: str, **cells: str) -> list[Row]:
    return [{**row, **cells} if row["id"] == number else row for row in ROWS]


async def test_entries_of_earlier_years_come_in_by_template(ledger: LedgerClient) -> None:
    tried = await send(ledger, as_csv(ROWS), CSV, dry_run="true", **SUM)
    assert (tried.status_code, tried.json()["created"], tried.json()["revision"]) == (200, 6, None), tried.text
    assert await ledger.rows() == []
    done = await send(ledger, await as_workbook(ledger, ROWS, TOTALS), XLSX)
    assert done.status_code == 200, done.text
    report = done.json()
    assert (report["created"], report["unchanged"], report["dry_run"]) == (6, 0, False)
    assert [(each["year"], each["kind"], each["rows"], each["sum"]["amount"]) for each in report["totals"]] == [
        (int(total["year"]), total["kind"], int(total["rows"]), total["amount"]) for total in TOTALS
    ]
    codes = {each["id"]: each["code"] for each in report["entries"]}
    assert list(codes) == ["V-2", "V-3", "V-4", "V-5", "V-6", "V-7"]
    rows = {row["code"]: row for row in await ledger.rows()}
    assert (len(rows), rows[codes["V-3"]]["follows"]) == (8, codes["V-2"])
    assert (rows[codes["V-3"]]["value_date"], rows[codes["V-3"]]["account"]) == ("2021-03-03", "USD-1")
    assert rows[codes["V-6"]]["original"]["sum"] == {"amount": "100.00", "currency": "EUR"}
    assert await ledger.balance(on="2021-12-31") == "990.00"
    history = await ledger.get(f"/funding/v1/ledger/{codes['V-7']}/history")
    assert [(change["action"], change["reason"]) for change in history["items"]] == [("create", "Reported in 2022.")]
    # The same rows again, in another form and with one more, bring only that.
    more = [*ROWS, {"id": "V-8", "kind": "interest", "date": "2022-12-31", "amount": "1.40"}]
    again = await send(ledger, as_csv(more), CSV, rows="7", total="3260.00")
    assert (again.json()["created"], again.json()["unchanged"]) == (1, 6), again.text
    assert len(await ledger.rows()) == 9
    assert errors(await send(ledger, as_csv(changed("V-5", amount="401.00")), CSV, rows="6", total="3259.60")) == [
        ("code_taken", "/ledger-entries/3/id")
    ]
    audited = await ledger.running.client.get("/funding/v1/audit?entity=imported_entry", headers=bearer(*ADMIN))
    assert len(audited.json()["items"]) == 7
    assert "imported_entry" not in (await ledger.running.client.get("/funding/v1/changes?limit=1000")).text


async def test_what_is_wrong_is_told_by_row_and_column_and_nothing_is_written(ledger: LedgerClient) -> None:
    for query in ({}, {"rows": "6"}):
        assert {e["code"] for e in (await send(ledger, as_csv(ROWS), CSV, **query)).json()["errors"]} == {
            "missing_member"
        }
    wrong = await send(ledger, as_csv(ROWS), CSV, rows="5", total="3258.61")
    assert {(e["code"], e["parameter"]) for e in wrong.json()["errors"]} == {
        ("total_does_not_match", "rows"), ("total_does_not_match", "total")
    }  # fmt: skip
    totals = [{**TOTALS[0], "amount": "1000.01"}, *TOTALS[1:5]]
    assert errors(await send(ledger, await as_workbook(ledger, ROWS, totals), XLSX)) == [
        ("row_left_out", "/control-totals/1/year"), ("total_does_not_match", "/control-totals/2/amount")
    ]  # fmt: skip
    invalid = changed("V-5", date="2022-02-30", amount="-400", tranche="one", kind="gift")
    found = errors(await send(ledger, as_csv(invalid), CSV, **SUM))
    assert found == [("unknown_code", "/ledger-entries/3/kind")]
    invalid = changed("V-5", date="2022-02-30", amount="-400", tranche="one")
    assert errors(await send(ledger, as_csv(invalid), CSV, **SUM)) == [
        ("invalid_value", f"/ledger-entries/3/{column}") for column in ("amount", "date", "tranche")
    ]
    twice = [*ROWS[:5], {**ROWS[5], "id": "v-7"}]
    assert ("repeated_row", "/ledger-entries/7/id") in errors(await send(ledger, as_csv(twice), CSV, **SUM))
    for row, cells, expected in (
        ("V-5", {"programme": "ETH-99"}, [("unknown_code", "/ledger-entries/3/programme")]),
        ("V-5", {"amount": "500.01"}, [("exceeds_allocation", "/ledger-entries/3/amount")]),
        ("V-4", {"reference": ""}, [("exceeds_allocation", "/ledger-entries/3/amount"),
                                    ("missing_member", "/ledger-entries/6/reference")]),
        ("V-2", {"contributor": "XXX"}, [("does_not_follow", "/ledger-entries/4/follows"),
                                         ("unknown_code", "/ledger-entries/5/contributor")]),
        ("V-3", {"follows": "V-9"}, [("unknown_code", "/ledger-entries/4/follows")]),
        ("V-3", {"follows": "V-3"}, [("does_not_follow", "/ledger-entries/4/follows")]),
        ("V-6", {"rate": "1.09"}, [("amount_does_not_follow", "/ledger-entries/7/amount")]),
    ):  # fmt: skip
        total = "3358.61" if "amount" in cells else SUM["total"]
        answer = await send(ledger, as_csv(changed(row, **cells)), CSV, rows="6", total=total)
        assert set(errors(answer)) >= set(expected), (row, cells, answer.text)
    assert await ledger.rows() == []
    for who in (AGENT, IOM):
        refused(await send(ledger, as_csv(ROWS), CSV, who, **SUM), 403, "forbidden")
    refused(await send(ledger, b"{}", "application/json", **SUM), 415, "unsupported_media_type")
    assert errors(await send(ledger, as_csv([]), CSV, **SUM)) == [("nothing_to_import", None)]
