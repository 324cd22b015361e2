"""Entries of earlier years that come in as a table, by the service and by the plain model."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING

import httpx
from openpyxl import load_workbook

from tests.integration.books import Books, Refused
from tests.integration.books_commands import ADMIN, CENT, FUNDING, MALFORMED, REVIEWER, UNIT, Import, Json
from tests.integration.period_model import usd
from tests.tokens import writing

if TYPE_CHECKING:
    from tests.integration.books_suite import Suite

PATH = f"{FUNDING}/imports/ledger"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
# The order in which entries of one day are entered.
STAGES = (
    *("pledge", "commitment", "commitment_amendment", "deposit", "contributor_refund", "allocation", "transfer"),
    *("expenditure", "refund", "transfer_from_fund", "transfer_to_fund", "direct_cost", "bank_charge", "interest"),
    *("other_income", "opening_balance"),
)
WITHIN = {
    "original/amount": "original_amount", "original/currency": "original_currency", "original/rate": "rate",
    "original/rate_date": "rate_date", "original/rate_source": "rate_source", "fee/amount": "fee_amount",
    "fee/reason": "fee_reason",
}  # fmt: skip


def row_of(sent: Json) -> dict[str, str]:
    """The cells of an entry."""
    cells: dict[str, str] = {}
    for name, value in sent.items():
        if isinstance(value, dict):
            cells |= {WITHIN[f"{name}/{part}"]: str(each) for part, each in value.items()}
        else:
            cells[name] = str(value)
    return cells


def table_of(rows: list[Json]) -> str:
    cells = [row_of(row) for row in rows]
    columns = list(dict.fromkeys(["id", "kind", "date", "amount", *(name for row in cells for name in row)]))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    writer.writerows(cells)
    return text.getvalue()


def enter_rows(books: Books, rows: list[Json], catalogue: dict[str, Json]) -> list[tuple[str, str, bool]]:
    """Enter rows in the model; returns number, code and whether it is new of each, and raises Refused."""
    numbered = sorted(
        enumerate(rows, start=2), key=lambda each: (each[1]["date"], STAGES.index(each[1]["kind"]), each[0])
    )
    numbers = {row["id"] for row in rows}
    codes: dict[str, str] = {}
    found, errors = [], list[tuple[str, str | None]]()
    for number, row in numbered:
        own, where = row["id"], f"/ledger-entries/{number}"
        if own in books.imported:
            code, before = books.imported[own]
            if before != row:
                errors.append(("code_taken", f"{where}/id"))
            codes[own] = code
            found.append((own, code, False))
            continue
        follows = row.get("follows")
        if follows in numbers and follows not in codes:
            errors.append(("does_not_follow", f"{where}/follows"))
            continue
        sent = {name: value for name, value in row.items() if name != "id"}
        if follows is not None:
            # The row before it may also be one of an earlier import.
            sent["follows"] = codes.get(follows, follows)
        kept = len(books.rows)
        try:
            code = books.enter(None, sent, catalogue).code
        except Refused as refused:
            del books.rows[kept:]
            errors += [
                (reason, f"{where}/{WITHIN.get(path, path.partition('/')[0])}")
                for reason, pointer in refused.errors
                for path in [(pointer or "/amount").strip("/")]
            ]
            continue
        codes[own] = code
        found.append((own, code, True))
    if errors:
        raise Refused(422, *errors)
    books.imported |= {own: (code, next(row for row in rows if row["id"] == own)) for own, code, _ in found}
    return found


def totals_of(rows: list[Json]) -> list[tuple[int, str, int, Json]]:
    """Year, kind, number and sum of the rows."""
    sums: dict[tuple[int, str], list[Decimal]] = defaultdict(list)
    for row in rows:
        sums[int(row["date"][:4]), row["kind"]].append(Decimal(row["amount"]))
    return [(*key, len(amounts), usd(sum(amounts, Decimal(0)))) for key, amounts in sorted(sums.items())]


def workbook_of(template: bytes, rows: list[Json], fault: str) -> tuple[bytes, list[tuple[str, str | None]]]:
    """The template, filled, and what is wrong with its control totals."""
    book = load_workbook(io.BytesIO(template))
    errors: list[tuple[str, str | None]] = []
    totals = []
    for n, (year, kind, count, amount) in enumerate(totals_of(rows)):
        total = {"year": str(year), "kind": kind, "rows": str(count), "amount": amount["amount"]}
        if n == 0 and fault == "missing":
            errors.append(("row_left_out", "/control-totals/1/year"))
            continue
        if n == 0 and fault == "rows":
            total["rows"] = str(count + 1)
            errors.append(("total_does_not_match", "/control-totals/2/rows"))
        elif n == 0 and fault == "total":
            total["amount"] = f"{Decimal(amount['amount']) + CENT:.2f}"
            errors.append(("total_does_not_match", "/control-totals/2/amount"))
        totals.append(total)
    for name, table in (("ledger-entries", [row_of(row) for row in rows]), ("control-totals", totals)):
        columns = [cell.value for cell in book[name][1]]
        for cells in table:
            book[name].append([cells.get(column) for column in columns])
    file = io.BytesIO()
    book.save(file)
    return file.getvalue(), errors


async def send(suite: Suite, command: Import) -> tuple[httpx.Response, Refused | None]:
    """Carry out a command by the service and by the model."""
    books = suite.books
    rows = suite.last_import if command.again and suite.last_import else rows_of(suite, command)
    query = {"dry_run": str(command.dry).lower()}
    errors: list[tuple[str, str | None]] = []
    wrong: list[tuple[str, str | None]] = [
        ("invalid_value", f"/ledger-entries/{number}/{name}")
        for number, row in enumerate(rows, start=2)
        for name in ("date", "amount")
        if (name, row.get(name)) in MALFORMED
    ]
    is_workbook = command.form == "xlsx" and not wrong
    if is_workbook:
        content, errors = workbook_of(await suite.template(), rows, command.fault)
    else:
        content = table_of(rows).encode()
        count, total = len(rows), sum((abs(Decimal(row["amount"])) for row in rows), Decimal(0))
        if command.fault != "missing":
            query |= {"rows": str(count + (command.fault == "rows"))}
            query |= {"total": f"{total + (CENT if command.fault == 'total' else 0):.2f}"}
        elif not command.dry:
            errors = [("missing_member", None), ("missing_member", None)]
        if command.fault in ("rows", "total"):
            errors = [("total_does_not_match", None)]
    answer = await suite.funding.client.post(
        PATH, content=content, params=query,
        headers={**writing(*command.who), "content-type": XLSX if is_workbook else "text/csv"},
    )  # fmt: skip
    if command.who == REVIEWER:
        return answer, Refused(403, ("insufficient_scope", None))
    if command.who not in (UNIT, ADMIN):
        return answer, Refused(403, ("forbidden", None))
    # Without control totals a CSV is not read, and those of rows that are wrong are not compared.
    if wrong and not any(code == "missing_member" for code, _ in errors):
        errors = wrong
    if errors:
        return answer, Refused(422, *errors)
    suite.last_import = rows
    try:
        entered = enter_rows(books, rows, await suite.programmes())
    except Refused as refused:
        return answer, refused
    report = answer.json()
    assert answer.status_code == 200, answer.text
    assert [(each["id"], each["code"], each["created"]) for each in report["entries"]] == entered
    created = sum(is_new for _, _, is_new in entered)
    assert (report["created"], report["unchanged"]) == (created, len(entered) - created)
    assert report["dry_run"] == command.dry
    assert [(each["year"], each["kind"], each["rows"], each["sum"]) for each in report["totals"]] == totals_of(rows)
    return answer, None


def rows_of(suite: Suite, command: Import) -> list[Json]:
    """The rows of a file; what they follow is often a row before them."""
    rows: list[Json] = []
    for n, facts in enumerate(command.entries):
        sent = suite.completed(
            {name: value for name, value in facts.items() if name not in ("instalments", "corrects")}
        )
        earlier = [row["id"] for row in rows if row["kind"] in ("pledge", "commitment")]
        if sent.get("follows") and earlier and n % 2:
            sent["follows"] = earlier[-1]
        rows.append({"id": f"V-{command.first + n}", **sent})
    return rows
