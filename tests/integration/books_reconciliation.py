"""Bank accounts, statements and matches, carried out by the service and by the plain model, and compared."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import httpx

from tests.integration.books import Refused, Row
from tests.integration.books_bank import (
    ACCOUNTS,
    NOTHING,
    BankEntry,
    BankStatement,
    cash_of,
    reconciliation,
)
from tests.integration.books_commands import (
    ADMIN,
    AGENT,
    FUNDING,
    Banking,
    Cancel,
    Confirm,
    ImportStatement,
    Json,
    ListAccount,
    require_same,
)
from tests.tokens import bearer, writing
from tests.unit.funding.bank_files import NEW, OLD, Booked, Stated, camt

if TYPE_CHECKING:
    from tests.integration.books_suite import Suite, View

# The days of statements; between some of them are days without one.
SPANS = (
    ("2023-12-01", "2023-12-31"), ("2024-01-01", "2024-02-28"), ("2024-02-29", "2024-02-29"),
    ("2024-03-01", "2024-04-30"), ("2025-01-01", "2025-06-30"), ("2025-07-01", "2025-12-31"),
    ("2024-01-15", "2024-02-10"),
)  # fmt: skip


async def send(suite: Suite, command: Banking) -> tuple[httpx.Response, Refused | None]:
    """Carry out a command by the service and by the model."""
    if isinstance(command, ListAccount):
        return await list_account(suite, command)
    if isinstance(command, ImportStatement):
        return await import_statement(suite, command)
    if isinstance(command, Confirm):
        return await confirm(suite, command)
    return await cancel(suite, command)


def require_agent(who: tuple[str, str | None]) -> None:
    if who not in (AGENT, ADMIN):
        raise Refused(403, ("forbidden", None))


async def list_account(suite: Suite, command: ListAccount) -> tuple[httpx.Response, Refused | None]:
    code, currency, number = ACCOUNTS[command.account]
    sent = {"code": code, "name": "An account", "currency": currency, "number": number, "bank": "A bank"}
    answer = await suite.funding.client.post(
        f"{FUNDING}/bank-accounts", json=sent, params={"dry_run": str(command.dry).lower()},
        headers=writing(*command.who),
    )  # fmt: skip
    try:
        require_agent(command.who)
        if code in suite.books.bank.accounts:
            raise Refused(409, ("code_taken", None))
    except Refused as refused:
        return answer, refused
    suite.books.bank.accounts.append(code)
    return answer, None


def statement_of(suite: Suite, command: ImportStatement) -> BankStatement:
    """The statement that a bank would send, but for what is meant to be wrong."""
    books = suite.books
    code = ACCOUNTS[command.account][0]
    begins, ends = SPANS[command.days]
    cash = [(row, moved) for row, moved in cash_of(books, code) if moved]
    entries: list[BankEntry] = []
    for n, (what, pick, day) in enumerate(command.lines):
        row, moved = cash[pick % len(cash)] if cash and what != "other" else (None, None)
        amount = moved or Decimal((pick + 1) * (-1) ** pick) / 4
        if what == "less" and amount > Decimal("0.05"):
            amount -= Decimal("0.05")
        length = (date.fromisoformat(ends) - date.fromisoformat(begins)).days + 1
        booked = str(date.fromisoformat(begins) + timedelta(day % length))
        references = tuple(text for text in (row and row.bank_reference, f"FT{pick}" if pick % 3 else None) if text)
        value_date = ends if n % 2 else booked
        entries.append(BankEntry("", code, "", booked, value_date, amount, references))
    total = sum((entry.amount for entry in entries), NOTHING)
    before = [each for each in books.bank.of(code) if each.ends < begins]
    after = [each for each in books.bank.of(code) if each.begins > ends]
    opening = before[-1].closing if before else after[0].opening - total if after else Decimal(pick_of(command))
    if command.fault == "opening":
        opening += 1
    closing = opening + total + (Decimal("0.01") if command.fault == "closing" else 0)
    return BankStatement("", code, begins, ends, opening, closing, tuple(entries))


def pick_of(command: ImportStatement) -> int:
    """What is there before the first statement: nothing, or an amount that the ledger does not have."""
    return 0 if command.days < 3 else command.days


def as_csv(sent: BankStatement, currency: str) -> str:
    whole: Json = {
        "account": sent.account, "currency": currency, "date_from": sent.begins, "date_to": sent.ends,
        "opening_balance": f"{sent.opening:.2f}", "closing_balance": f"{sent.closing:.2f}",
    }  # fmt: skip
    rows = [
        {
            **whole, "booking_date": entry.booked, "value_date": entry.value_date, "amount": f"{entry.amount:.2f}",
            "bank_reference": entry.references[0] if entry.references else "",
            "other_references": "|".join(entry.references[1:]),
        }
        for entry in sent.entries
    ]  # fmt: skip
    text = io.StringIO()
    columns = [*whole, "booking_date", "value_date", "amount", "bank_reference", "other_references"]
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    writer.writerows(rows or [whole])
    return text.getvalue()


def as_camt(sent: BankStatement, currency: str, version: str) -> bytes:
    number = next(number for code, _, number in ACCOUNTS if code == sent.account)
    none = "NOTPROVIDED"
    entries = [
        Booked(f"{e.amount:.2f}", e.booked, ([*e.references, none])[0], e.value_date,
               end_to_end=([*e.references, none, none])[1])
        for e in sent.entries
    ]  # fmt: skip
    stated = Stated(f"{sent.opening:.2f}", f"{sent.closing:.2f}", sent.begins, sent.ends, entries, number, currency)
    return camt(stated, version=version)


async def import_statement(suite: Suite, command: ImportStatement) -> tuple[httpx.Response, Refused | None]:
    bank = suite.books.bank
    sent = statement_of(suite, command)
    if command.fault == "again" and bank.statements:
        sent = replace(bank.statements[command.days % len(bank.statements)], code="")
    currency = next(currency for code, currency, _ in ACCOUNTS if code == sent.account)
    is_csv, version = command.form == "csv", OLD if command.days % 2 else NEW
    answer = await suite.funding.client.post(
        f"{FUNDING}/bank-statements",
        content=as_csv(sent, currency).encode() if is_csv else as_camt(sent, currency, version),
        params={"dry_run": str(command.dry).lower()},
        headers={**writing(*command.who), "content-type": "text/csv" if is_csv else "application/xml"},
    )
    try:
        require_agent(command.who)
        outcome = bank.take(sent, currency, "/bank-statement/2" if is_csv else "/statements/0")
    except Refused as refused:
        return answer, refused
    assert answer.status_code == 200, answer.text
    (reported,) = answer.json()["statements"]
    assert reported["outcome"] == outcome
    said = reported["statement"]
    assert (said["account"], said["date_from"], said["date_to"]) == (sent.account, sent.begins, sent.ends)
    assert said["closing_balance"] == of(sent.closing, currency)
    return answer, None


def of(amount: Decimal, currency: str) -> Json:
    return {"amount": f"{amount:.2f}", "currency": currency}


def chosen(suite: Suite, account: str, how: str, pick: int, other: int) -> Json:
    """A match to send: what fits where it is meant to be right."""
    books, bank = suite.books, suite.books.bank
    entries = [entry for entry in bank.entries.values() if entry.account == account and not entry.match]
    if how == "matched" or not entries:
        entries = [*bank.entries.values()]
    if not entries:
        return {"bank_entry": "B-999999", "ledger_entries": ["L-999999"]}
    entry = entries[pick % len(entries)]
    free = [(r, m) for r, m in cash_of(books, entry.account) if m and not bank.match_of(r.code)]
    rows: list[Row] = [r for r, m in free if m == entry.amount][:1]
    if not rows:
        pairs = ((a, b) for n, (a, m) in enumerate(free) for b, k in free[n + 1 :] if m + k == entry.amount)
        rows = [*next(pairs, ())]
    if how != "right" or not rows:
        rows = [books.rows[other % len(books.rows)]] if books.rows else []
    codes = [row.code for row in rows]
    if how in ("twice", "unknown") or not codes:
        codes = [*codes, *(codes if how == "twice" else ["L-999999"])]
    return {"bank_entry": entry.code, "ledger_entries": codes}


async def confirm(suite: Suite, command: Confirm) -> tuple[httpx.Response, Refused | None]:
    account = ACCOUNTS[command.account][0]
    matches = [chosen(suite, account, *each) for each in command.matches]
    if not matches and account in suite.books.bank.accounts:
        proposed = await suite.get(
            suite.funding, f"{FUNDING}/reconciliation/{account}/proposals?days=30", bearer("agent")
        )
        # Each of these can be confirmed, and none is of the entries of another one.
        matches = [
            {"bank_entry": each["bank_entry"], "ledger_entries": each["ledger_entries"]}
            for each in proposed["proposals"]
            if each["unambiguous"]
        ]
        books = suite.books.copy()
        for match in matches:
            books.bank.confirm(books, match["bank_entry"], match["ledger_entries"])
    matches = matches or [chosen(suite, account, "right", 0, 0)]
    query = {"dry_run": str(command.dry).lower(), "partial": str(command.partial).lower()}
    answer = await suite.funding.client.post(
        f"{FUNDING}/bank-matches", json={"matches": matches}, params=query, headers=writing(*command.who)
    )
    try:
        require_agent(command.who)
    except Refused as refused:
        return answer, refused
    outcomes: list[str | Refused] = []
    for match in matches:
        try:
            outcomes.append(suite.books.bank.confirm(suite.books, match["bank_entry"], match["ledger_entries"]))
        except Refused as refused:
            outcomes.append(refused)
    return answer, suite.compare_batch(answer, outcomes, "/matches", command)


async def cancel(suite: Suite, command: Cancel) -> tuple[httpx.Response, Refused | None]:
    bank = suite.books.bank
    codes = sorted(bank.matches)
    code = codes[command.entry % len(codes)] if codes else "M-000001"
    path = f"{FUNDING}/bank-matches/{code}"
    match = await suite.match_of(path, command.match)
    answer = await suite.funding.client.post(
        f"{path}/cancellation", json={"reason": "It was wrong."}, params={"dry_run": str(command.dry).lower()},
        headers=writing(*command.who, match=match),
    )  # fmt: skip
    try:
        require_agent(command.who)
        if match is None:
            raise Refused(428)
        if not codes:
            raise Refused(404)
        if command.match == "stale":
            raise Refused(412)
        bank.cancel(code)
    except Refused as refused:
        return answer, refused
    return answer, None


async def check_bank(view: View, on: str | None) -> None:
    """Compare bank entries and matches, and the reconciliation of each account on a day."""
    books, bank = view.books, view.books.bank
    headers = bearer("management-unit")
    listed = (await view.get(f"{FUNDING}/bank-entries?limit=1000", headers))["items"]
    assert [
        (item["code"], item["statement"], item["booking_date"], item["value_date"], Decimal(item["sum"]["amount"]),
         tuple(item["references"]), item["match"])
        for item in listed
    ] == [
        (e.code, e.statement, e.booked, e.value_date, e.amount, e.references, e.match)
        for e in bank.entries.values()
    ]  # fmt: skip
    matches = (await view.get(f"{FUNDING}/bank-matches?limit=1000", headers))["items"]
    assert [(m["code"], m["bank_entry"], tuple(m["ledger_entries"]), m["state"]) for m in matches] == [
        (m.code, m.bank_entry, m.ledger_entries, m.state) for m in bank.matches.values()
    ]
    for account in bank.accounts:
        currency = next(currency for code, currency, _ in ACCOUNTS if code == account)
        query = f"?on={on}" if on else ""
        said = await view.get(f"{FUNDING}/reconciliation/{account}{query}", headers)
        assert said["revision"] == view.revision
        require_same(shown(said, currency), reconciliation(books, account, on), account, on, view.revision)


def shown(said: Json, currency: str) -> Json:
    """A reconciliation as the model has it."""

    def amount(money: Json | None, own: str = currency) -> Decimal | None:
        assert money is None or money["currency"] == own
        return None if money is None else Decimal(money["amount"])

    opening = said["opening"]
    return {
        **{name: said[name] for name in ("account", "on", "statement", "complete", "matches")},
        **{
            name: amount(said[name])
            for name in ("ledger", "bank", "matched", "ledger_only_sum", "bank_only_sum", "unexplained")
        },
        "opening": opening and (opening["date"], *(amount(opening[name]) for name in ("ledger", "bank", "difference"))),
        "gaps": [(gap["date_from"], gap["date_to"], amount(gap["sum"])) for gap in said["gaps"]],
        **{
            name: [(item["code"], item["date"], amount(item["sum"])) for item in said[name]]
            for name in ("ledger_only", "other_currency")
        },
        "without_account": [
            (item["code"], item["date"], amount(item["sum"], "USD")) for item in said["without_account"]
        ],
        "bank_only": [item["code"] for item in said["bank_only"]],
        "days": [(day["date"], amount(day["ledger"]), amount(day["bank"])) for day in said["days"]],
    }
