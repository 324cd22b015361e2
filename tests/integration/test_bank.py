"""Bank statements beside the ledger: import, matches, and a reconciliation in which nothing is left unexplained."""

from __future__ import annotations

import asyncio
import csv
import io
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import asyncpg
import httpx
import pytest

from mmptf_common.storage.connections import SERVER_SETTINGS
from mmptf_funding.bank import routes
from mmptf_funding.bank.schemas import ACCOUNT
from tests.conftest import RunningApp, running_app
from tests.integration.ledger_client import ADMIN, AGENT, ILO, IOM, UNIT, LedgerClient, Who, body, errors, refused
from tests.integration.plans import Sent, explained, read
from tests.integration.test_ledger_import import as_csv
from tests.integration.test_ledger_import import send as send_rows
from tests.tokens import bearer, writing
from tests.unit.funding.bank_files import OLD, Booked, Stated, camt

API = "/funding/v1"
MAIN = {**ACCOUNT, "code": "USD-1", "currency": "USD"}
IBAN = MAIN["number"].replace(" ", "")
XML, CSV = "application/xml", "text/csv"
Json = dict[str, Any]


class Bank:
    """Requests about bank accounts to a funding service with a database of its own."""

    def __init__(self, running: RunningApp) -> None:
        self.client = running.client
        self.ledger = LedgerClient(running)
        self.running = running

    async def ask(self, path: str, who: Who = UNIT, **query: Any) -> httpx.Response:
        return await self.client.get(f"{API}{path}", params=query or None, headers=bearer(*who))

    async def get(self, path: str, **query: Any) -> Any:
        answer = await self.ask(path, **query)
        assert answer.status_code == 200, answer.text
        assert answer.headers["cache-control"] in ("private, no-cache", "no-store")
        return answer.json()

    async def send(self, content: bytes, media: str = XML, who: Who = AGENT, **query: str) -> httpx.Response:
        headers = {**writing(*who), "content-type": media}
        return await self.client.post(f"{API}/bank-statements", content=content, params=query, headers=headers)

    async def imported(self, content: bytes, media: str = XML, **query: str) -> Json:
        answer = await self.send(content, media, **query)
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    async def add_account(self, who: Who = AGENT, **members: str) -> httpx.Response:
        sent = {**MAIN, **members}
        return await self.client.post(f"{API}/bank-accounts", json=sent, headers=writing(*who))

    async def match(self, *matches: Json, who: Who = AGENT, **query: str) -> httpx.Response:
        headers = writing(*who)
        return await self.client.post(
            f"{API}/bank-matches", json={"matches": list(matches)}, params=query, headers=headers
        )

    async def cancel(self, code: str, who: Who = AGENT) -> httpx.Response:
        return await self.client.post(
            f"{API}/bank-matches/{code}/cancellation",
            json={"reason": "It was wrong."},
            headers=writing(*who, match="*"),
        )


def pair(bank_entry: str, *ledger_entries: str) -> Json:
    return {"bank_entry": bank_entry, "ledger_entries": list(ledger_entries)}


@pytest.fixture
async def bank(new_database: Callable[[str], str], catalogue_url: str) -> AsyncIterator[Bank]:
    """A funding service with one bank account and an empty ledger."""
    async with running_app("funding", new_database("funding"), None, catalog_url=catalogue_url) as running:
        found = Bank(running)
        assert (await found.add_account()).status_code == 201
        yield found


async def test_entries_name_accounts_that_are_listed_once_any_is(ledger: LedgerClient) -> None:
    bank = Bank(ledger.running)
    old, left = [await ledger.enter("interest", "5.00", account="OLD 1", bank_reference=f"R{n}") for n in range(2)]
    assert (await bank.add_account()).status_code == 201
    entry = {"kind": "interest", "date": "2024-05-05", "amount": "1.00"}
    unknown = await ledger.post(AGENT, {**entry, "account": "OLD 1"})
    assert errors(unknown) == [("unknown_code", "/account")]
    assert unknown.json()["errors"][0]["allowed"] == ["see /funding/v1/bank-accounts"]
    batch = await ledger.batch({**entry, "account": "USD-1"}, {**entry, "account": "USD-2"}, partial="true")
    assert [row["status"] for row in batch.json()["outcomes"]] == [200, 422]
    row = {"id": "V-1", **entry, "account": "USD-2"}
    imported = await send_rows(ledger, as_csv([row]), "text/csv", rows="1", total="1.00")
    assert errors(imported) == [("unknown_code", "/ledger-entries/2/account")]
    # By the code or the number, in any case; the entry has the code, and so has the fee of a deposit.
    for text in ("usd-1", MAIN["number"], IBAN.lower()):
        assert (await ledger.enter("interest", "1.00", account=text))["account"] == "USD-1"
    await ledger.enter("deposit", "100.00", contributor="DEU", account=IBAN)
    assert {each["account"] for each in await ledger.rows(kind="agent_fee")} == {"USD-1"}
    # What was entered before stays as it is, can be reversed, and is corrected with an account that is listed.
    assert (await ledger.reverse(old["code"])).json()["account"] == "OLD 1"
    right = {**entry, "account": "OLD 1", "reversal_date": "2024-05-05", "reason": "It was another amount."}
    assert errors(await ledger.post(AGENT, right, f"/{left['code']}/correction")) == [("unknown_code", "/account")]
    found = await bank.get("/reconciliation/USD-1")
    assert left["code"] in [item["code"] for item in found["without_account"]]
    corrected = await ledger.post(AGENT, {**right, "account": "USD-1"}, f"/{left['code']}/correction")
    assert corrected.json()["account"] == "USD-1"


JANUARY = Stated(
    "0.00", "400.00", account=IBAN,
    entries=(
        Booked("1000.00", "2026-01-15", "FT1", end_to_end="SC-1"),
        Booked("-585.00", "2026-01-20", "FT2"),
        Booked("-15.00", "2026-01-31"),
    ),
)  # fmt: skip
COLUMNS = (
    "account,currency,date_from,date_to,opening_balance,closing_balance,booking_date,value_date,amount,bank_reference,"
    "other_references,counterparty"
)
CSV_JANUARY = f"""\
{COLUMNS}
USD-1,USD,2026-01-01,2026-01-31,0.00,400.00,2026-01-15,2026-01-15,1000.00,FT1,SC-1,A payer
USD-1,USD,2026-01-01,2026-01-31,0.00,400.00,2026-01-20,,-585.00,FT2,,A payer
USD-1,USD,2026-01-01,2026-01-31,0,400,2026-01-31,,-15,,,
"""


async def test_a_statement_is_imported_once_in_whatever_form(bank: Bank) -> None:
    tried = await bank.imported(camt(JANUARY), dry_run="true")
    assert (tried["dry_run"], tried["revision"], tried["statements"][0]["outcome"]) == (True, None, "imported")
    assert (await bank.get("/bank-statements"))["total"] == 0
    (done,) = (await bank.imported(camt(JANUARY)))["statements"]
    assert (done["outcome"], done["gaps"]) == ("imported", [])
    statement = done["statement"]
    assert (statement["code"], statement["account"], statement["entries"]) == ("S-000001", "USD-1", 3)
    assert statement == await bank.get("/bank-statements/S-000001")
    for content, media in ((camt(JANUARY, version=OLD), "text/xml"), (CSV_JANUARY.encode(), CSV)):
        (again,) = (await bank.imported(content, media))["statements"]
        assert (again["outcome"], again["statement"]) == ("known", statement)
    page = await bank.get("/bank-entries", sort="-amount")
    assert [each["code"] for each in page["items"]] == ["B-000001", "B-000003", "B-000002"]
    assert [each["balance"]["amount"] for each in page["items"]] == ["1000.00", "400.00", "415.00"]
    assert page["items"][0]["references"] == ["FT1", "SC-1"]
    assert (await bank.client.get(f"{API}{statement['link'].removeprefix(API)}", headers=bearer(*UNIT))).json() == {
        **page, "items": sorted(page["items"], key=lambda each: each["code"])
    }  # fmt: skip
    for query, total in (
        ({"account": "usd-1", "direction": "bank_debit"}, 2), ({"reconciled": "true"}, 0), ({"reference": "SC-1"}, 1),
        ({"date_from": "2026-01-20", "date_to": "2026-01-30"}, 1), ({"amount": "-15"}, 1),
        ({"statement": "S-000001"}, 3),
    ):  # fmt: skip
        assert (await bank.get("/bank-entries", **query))["total"] == total, query
        export = await bank.ask("/bank-entries", format="csv", **query)
        assert len(list(csv.DictReader(io.StringIO(export.text)))) == total
    assert (await bank.ask("/bank-entries", statement="S-9")).status_code == 422
    totals = (await bank.get("/bank-entries/totals", by="month"))["totals"]
    assert {total["stage"]: total["sum"]["amount"] for total in totals} == {
        "bank_credit": "1000.00", "bank_debit": "-600.00"
    }  # fmt: skip
    facets = await bank.get("/bank-entries/facets")
    assert facets["total"] == 3


async def test_a_statement_that_does_not_fit_is_refused_as_a_whole(bank: Bank) -> None:
    await bank.imported(camt(JANUARY))
    march = Stated("500.00", "500.00", "2026-03-01", "2026-03-31", account=IBAN)
    (done,) = (await bank.imported(camt(march)))["statements"]
    assert done["gaps"] == [
        {"date_from": "2026-02-01", "date_to": "2026-02-28", "sum": {"amount": "100.00", "currency": "USD"}}
    ]
    unequal = replace(JANUARY, begins="2026-02-01", ends="2026-02-02", entries=())
    early = replace(JANUARY.entries[0], day="2026-01-15")
    wrong = (
        (unequal, "/closing_balance", "balance_does_not_follow"),
        (replace(march, begins="2026-03-31", ends="2026-04-30"), "/date_from", "statement_overlaps"),
        (replace(unequal, opening="401.00", closing="401.00"), "/opening_balance", "balance_does_not_follow"),
        (replace(march, account="DE1"), "/account", "unknown_code"),
        (replace(march, currency="EUR"), "/currency", "does_not_match"),
        (replace(march, begins="0001-01-01"), "/date_from", "invalid_value"),
        (replace(march, ends="9999-12-31"), "/date_to", "invalid_value"),
        (replace(unequal, opening="400.00", entries=[early]), "/entries/0/booking_date", "invalid_range"),
    )  # fmt: skip
    for stated, pointer, code in wrong:
        answer = await bank.send(camt(Stated("500.00", "500.00", "2026-04-01", "2026-04-02", account=IBAN), stated))
        assert (code, f"/statements/1{pointer}") in errors(answer)
    assert (await bank.get("/bank-statements"))["total"] == 2
    rows = CSV_JANUARY.replace("0,400,2026-01-31,,-15,", "0,401,,,-15,")
    assert set(errors(await bank.send(rows.encode(), CSV))) >= {
        ("does_not_match", "/bank-statement/4/closing_balance"), ("empty_cell", "/bank-statement/4/booking_date")
    }  # fmt: skip
    for content, media, status, code in (
        (b"<a/>", XML, 422, "invalid_request"), (b"{}", "application/json", 415, "unsupported_media_type"),
        (b"x" * (routes.MAX_STATEMENT + 1), XML, 413, "payload_too_large"), (b"\xff", CSV, 422, "invalid_request"),
    ):  # fmt: skip
        answer = await bank.send(content, media)
        assert answer.status_code == status, answer.text
        assert status == 422 or answer.json()["code"] == code
    february = Stated("400.00", "500.00", "2026-02-01", "2026-02-28", (Booked("100.00", "2026-02-02"),), IBAN)
    (done,) = (await bank.imported(camt(february)))["statements"]
    assert done["gaps"] == []


async def test_accounts_have_one_code_and_one_number(bank: Bank) -> None:
    refused(await bank.add_account(code="usd-1", number="X1"), 409, "code_taken")
    refused(await bank.add_account(code="USD-2", number=f"{IBAN[:6]} {IBAN[6:]}"), 409, "code_taken")
    assert (await bank.add_account(code="EUR-1", number="X1", currency="EUR")).status_code == 201
    path = f"{API}/bank-accounts/EUR-1"
    amended = await bank.client.patch(path, json={"name": "Euros"}, headers=writing(*AGENT, match="*"))
    assert (amended.status_code, amended.json()["name"]) == (200, "Euros")
    history = await bank.ask("/bank-accounts/EUR-1/history")
    assert [change["action"] for change in history.json()["items"]] == ["create", "amend"]
    assert [each["code"] for each in (await bank.get("/bank-accounts", sort="-code"))["items"]] == ["USD-1", "EUR-1"]


async def test_nothing_of_a_bank_is_public(bank: Bank) -> None:
    await bank.imported(camt(JANUARY))
    charge = await bank.ledger.enter("interest", "1000.00", "2026-01-15")
    assert (await bank.match(pair("B-000001", charge["code"]))).status_code == 200
    reads = [
        "/bank-accounts", "/bank-accounts/USD-1", "/bank-accounts/USD-1/history", "/bank-statements",
        "/bank-statements/S-000001", "/bank-entries", "/bank-entries/B-000001", "/bank-entries/B-000001/history",
        "/bank-entries/totals", "/bank-entries/facets", "/bank-matches", "/bank-matches/M-000001",
        "/reconciliation/USD-1", "/reconciliation/USD-1/proposals",
    ]  # fmt: skip
    for path in reads:
        assert (await bank.client.get(f"{API}{path}")).status_code == 401, path
        for who in (ILO, IOM):
            refused(await bank.ask(path, who), 403, "forbidden")
        for who in (AGENT, UNIT, ADMIN):
            answer = await bank.ask(path, who)
            assert answer.status_code == 200, path
            assert "public" not in answer.headers["cache-control"]
    for who in (UNIT, IOM):
        refused(await bank.send(camt(JANUARY), who=who), 403, "forbidden")
        refused(await bank.add_account(who, code="X"), 403, "forbidden")
        refused(await bank.match(pair("B-000002", "L-000001"), who=who), 403, "forbidden")
        refused(await bank.cancel("M-000001", who), 403, "forbidden")
    feed = (await bank.client.get(f"{API}/changes?limit=1000")).text
    assert not any(text in feed for text in ("bank_", "reconciled_entry", "A payer", IBAN, "DE89370400440532013000"))
    refused(await bank.client.get(f"{API}/changes?entity=bank_entry"), 422, "unknown_code")
    status = (await bank.client.get(f"{API}/status")).text
    assert "bank" not in status


async def test_matches_are_confirmed_to_the_cent_and_only_once(bank: Bank) -> None:
    await bank.imported(camt(JANUARY))
    enter = bank.ledger.enter
    deposit = await enter("deposit", "1000.00", "2026-01-14", contributor="DEU", bank_reference="sc-1")
    await enter("allocation", "600.00", "2026-01-14", programme="ETH-01")
    transfer = await enter("transfer", "580.00", "2026-01-20", programme="ETH-01", organization="ILO")
    fee = "L-000002"
    before = await bank.ledger.revision()
    unequal = await bank.match(pair("B-000002", transfer["code"]))
    assert errors(unequal) == [("amounts_differ", "/matches/0/ledger_entries")]
    assert "-5.00" in unequal.json()["errors"][0]["detail"]
    charge = await enter("bank_charge", "5.00", "2026-01-21")
    wrong = await bank.match(
        pair("B-9", deposit["code"]), pair("B-000001", "L-9", "L-000003"), pair("B-000003", fee, fee),
        pair("B-000001", deposit["code"]), pair("B-000001", deposit["code"]), pair("B-000002", deposit["code"]),
        partial="true", dry_run="true",
    )  # fmt: skip
    assert [each["errors"] and each["errors"][0]["code"] for each in wrong.json()["outcomes"]] == [
        "unknown_code", "unknown_code", "repeated_code", [], "already_matched", "already_matched"
    ]  # fmt: skip
    assert wrong.json()["outcomes"][1]["errors"][1]["code"] == "not_applicable"
    proposals = (await bank.get("/reconciliation/USD-1/proposals"))["proposals"]
    assert [(each["bank_entry"], each["ledger_entries"], each["unambiguous"]) for each in proposals] == [
        ("B-000001", [deposit["code"]], True)
    ]
    table = await bank.ask("/reconciliation/USD-1/proposals", format="csv")
    assert table.text.splitlines()[0].startswith("bank_entry,ledger_entries,bank_sum_amount")
    done = await bank.match(pair("B-000001", deposit["code"]), pair("B-000002", transfer["code"], charge["code"]))
    assert (done.json()["written"], done.json()["outcomes"][1]["code"]) == (2, "M-000002")
    match = await bank.get("/bank-matches/M-000002")
    assert (match["sum"]["amount"], match["charges"]["amount"]) == ("-585.00", "-5.00")
    assert (await bank.get("/bank-entries/B-000002"))["match"] == "M-000002"
    assert (await bank.get("/bank-matches", ledger_entry=charge["code"]))["total"] == 1

    on = await bank.get("/reconciliation/USD-1")
    assert (on["ledger"]["amount"], on["bank"]["amount"], on["unexplained"]["amount"]) == ("405.00", "400.00", "0.00")
    assert [(each["code"], each["sum"]["amount"]) for each in on["ledger_only"]] == [(fee, "-10.00")]
    assert [(each["code"], each["sum"]["amount"]) for each in on["bank_only"]] == [("B-000003", "-15.00")]
    assert (on["on"], on["complete"], on["matched"]["amount"], on["matches"]) == ("2026-01-31", True, "415.00", 2)
    # On a day between the dates of both sides, what one side has already is its own.
    early = await bank.get("/reconciliation/USD-1", on="2026-01-14")
    assert [each["match"] for each in early["ledger_only"]] == ["M-000001", None]
    assert (early["ledger"]["amount"], early["bank"]["amount"], early["unexplained"]["amount"]) == (
        "990.00", "0.00", "0.00"
    )  # fmt: skip
    assert [day["difference"]["amount"] for day in on["days"]] == [
        "990.00", "-10.00", "-5.00", "-10.00", "5.00"
    ]  # fmt: skip
    past = await bank.get("/reconciliation/USD-1", as_of=str(before))
    assert (past["matches"], past["unexplained"]["amount"], len(past["bank_only"])) == (0, "0.00", 3)
    lines = list(csv.DictReader(io.StringIO((await bank.ask("/reconciliation/USD-1", format="csv")).text)))
    assert [line["line"] for line in lines] == ["ledger", "bank", "opening", "ledger_only", "bank_only", "unexplained"]

    refused(await bank.cancel("M-9"), 404, "not_found")
    cancelled = await bank.cancel("M-000002")
    assert (cancelled.json()["state"], cancelled.json()["cancelled"]) == ("cancelled", "It was wrong.")
    refused(await bank.cancel("M-000002"), 409, "already_matched")
    assert (await bank.get("/bank-entries/B-000002"))["match"] is None
    # The same entries are matched anew by two requests at once: one of them is told, and nothing is matched twice.
    both = await asyncio.gather(*(bank.match(pair("B-000002", transfer["code"], charge["code"])) for _ in range(2)))
    assert sorted(answer.status_code for answer in both) == [200, 422]
    assert {error["code"] for answer in both for error in answer.json().get("errors", [])} == {"already_matched"}
    connection = await asyncpg.connect(bank.running.database_url)
    for statement in (
        "INSERT INTO reconciled_entry SELECT * FROM reconciled_entry",
        "UPDATE bank_match SET state = 'confirmed' WHERE code = 'M-000002'",
    ):
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("SELECT set_config('mmptf.first', '1', true)")
        with pytest.raises(asyncpg.UniqueViolationError):
            await connection.execute(statement)
        await transaction.rollback()
    await connection.close()


async def test_entries_belong_to_the_account_that_they_name(ledger: LedgerClient) -> None:
    """Those of before any account was listed name what they like."""
    bank, enter = Bank(ledger.running), ledger.enter
    await enter("interest", "1.00", "2026-01-02")
    await enter("interest", "2.00", "2026-01-02", account="usd-1")
    await enter("interest", "4.00", "2026-01-02", account=IBAN.lower())
    await enter("interest", "8.00", "2026-01-02", account="elsewhere")
    euros = {"amount": "10.00", "currency": "EUR", "rate": "1.10", "rate_date": "2026-01-01", "rate_source": "a table"}
    await enter("deposit", "11.00", "2026-01-03", contributor="DEU", account="EUR-1", original=euros)
    assert (await bank.add_account()).status_code == 201
    alone = await bank.get("/reconciliation/USD-1")
    assert (alone["ledger"]["amount"], alone["bank"], alone["unexplained"], alone["on"]) == ("7.00", None, None, None)
    assert [each["sum"]["amount"] for each in alone["without_account"]] == ["8.00", "11.00", "-0.11"]
    assert (await bank.add_account(code="EUR-1", number="X1", currency="EUR")).status_code == 201
    assert (await bank.get("/reconciliation/usd-1"))["ledger"]["amount"] == "6.00"
    europe = await bank.get("/reconciliation/EUR-1")
    assert europe["ledger"] == {"amount": "10.00", "currency": "EUR"}
    # The agent's fee is in US dollars alone, so no balance in euros contains it.
    assert [(each["code"], each["sum"]) for each in europe["other_currency"]] == [("L-000006", None)]
    assert [each["code"] for each in europe["without_account"]] == ["L-000001", "L-000004"]
    statement = Stated("0.00", "10.00", entries=(Booked("10.00", "2026-01-04"),), account="X1", currency="EUR")
    await bank.imported(camt(statement))
    assert errors(await bank.match(pair("B-000001", "L-000006"))) == [("not_applicable", "/matches/0/ledger_entries/0")]
    assert errors(await bank.match(pair("B-000001", "L-000002"))) == [("not_applicable", "/matches/0/ledger_entries/0")]
    assert (await bank.match(pair("B-000001", "L-000005"))).status_code == 200
    refused(await bank.ask("/reconciliation/usd-2"), 404, "not_found")


async def test_an_entry_that_was_reversed_before_a_bank_saw_it_is_no_difference(bank: Bank) -> None:
    await bank.ledger.enter("interest", "5.00", "2026-01-02")
    wrong = await bank.ledger.enter("interest", "7.00", "2026-01-03")
    await bank.ledger.reverse(wrong["code"], "2026-01-05")
    await bank.imported(camt(Stated("0.00", "5.00", entries=(Booked("5.00", "2026-01-04"),), account=IBAN)))
    assert [each["code"] for each in (await bank.get("/reconciliation/USD-1"))["ledger_only"]] == ["L-000001"]
    between = await bank.get("/reconciliation/USD-1", on="2026-01-04")
    assert [each["code"] for each in between["ledger_only"]] == ["L-000001", "L-000002"]
    assert between["unexplained"]["amount"] == "0.00"
    proposals = (await bank.get("/reconciliation/USD-1/proposals"))["proposals"]
    assert [each["ledger_entries"] for each in proposals] == [["L-000001"]]


async def test_each_entry_is_read_a_few_times_however_many_there_are(bank: Bank, sent: Sent) -> None:
    many = 1000
    entered = await bank.ledger.batch(*(body("interest", date="2026-01-05") for _ in range(many)))
    assert entered.status_code == 200, entered.text
    reversed_ = await bank.ledger.reverse("L-000002", "2026-01-20")
    assert reversed_.status_code == 201, reversed_.text
    await bank.imported(camt(Stated("0.00", "1.00", entries=(Booked("1.00", "2026-01-05"),), account=IBAN)))
    connection = await asyncpg.connect(bank.running.database_url, server_settings=SERVER_SETTINGS)
    try:
        await connection.execute("ANALYZE")
        for path in ("/reconciliation/USD-1", "/reconciliation/USD-1/proposals"):
            sent.clear()
            await bank.get(path)
            statements = list(sent)
            assert statements
            for sql, values in statements:
                assert read(await explained(connection, sql, *values)) < 10 * many, (path, sql)
    finally:
        await connection.close()


async def test_the_reconciliation_of_a_closed_period_stays_as_it_was(bank: Bank) -> None:
    period = f"{API}/periods"

    async def step(what: str) -> None:
        sent = {"reason": "All is reconciled."}
        answer = await bank.client.post(f"{period}/2026-01/{what}", json=sent, headers=writing(*AGENT, match="*"))
        assert answer.status_code == 200, answer.text

    async def january() -> tuple[Any, ...]:
        found = await bank.get("/reconciliation/USD-1", on="2026-01-31")
        lists = [[each["code"] for each in found[name]] for name in ("ledger_only", "bank_only")]
        return found["matched"], found["matches"], found["unexplained"], lists

    for amount, reference in (("5.00", "FT1"), ("7.00", "FT2")):
        await bank.ledger.enter("interest", amount, "2026-01-10", bank_reference=reference)
    booked = [Booked("5.00", "2026-01-10", "FT1"), Booked("7.00", "2026-01-10", "FT2")]
    await bank.imported(camt(Stated("0.00", "12.00", entries=booked, account=IBAN)))
    assert (await bank.match(pair("B-000001", "L-000001"))).status_code == 200
    sent = {"code": "2026-01", "start": "2026-01-01", "end": "2026-01-31"}
    assert (await bank.client.post(period, json=sent, headers=writing(*AGENT))).status_code == 201
    await step("closing")
    before = await january()
    assert before[3] == [["L-000002"], ["B-000002"]]
    refused(await bank.cancel("M-000001"), 409, "period_closed")
    # What was left is matched later, and both sides have it from the first open day on.
    assert (await bank.match(pair("B-000002", "L-000002"))).status_code == 200
    assert await january() == before
    february = await bank.get("/reconciliation/USD-1", on="2026-02-01")
    assert (february["matches"], february["ledger_only"], february["bank_only"]) == (2, [], [])
    assert (await bank.cancel("M-000002")).status_code == 200
    await step("reopening")
    assert (await bank.cancel("M-000001")).status_code == 200


async def test_what_is_matched_stays_with_its_account_when_a_second_one_is_listed(bank: Bank) -> None:
    await bank.ledger.enter("interest", "5.00", "2026-01-02")
    await bank.ledger.enter("interest", "7.00", "2026-01-03")
    await bank.imported(camt(Stated("0.00", "5.00", entries=(Booked("5.00", "2026-01-04"),), account=IBAN)))
    assert (await bank.match(pair("B-000001", "L-000001"))).status_code == 200
    assert (await bank.add_account(code="USD-2", number="DE12")).status_code == 201
    found = await bank.get("/reconciliation/USD-1")
    assert (found["ledger"]["amount"], found["unexplained"]["amount"]) == ("5.00", "0.00")
    assert [each["code"] for each in found["without_account"]] == ["L-000002"]


async def test_days_after_the_last_statement_have_no_balance_of_the_bank(bank: Bank) -> None:
    await bank.ledger.enter("interest", "5.00", "2026-01-02", account="USD-1")
    await bank.ledger.enter("interest", "7.00", "2026-02-03", account="USD-1")
    await bank.imported(camt(Stated("0.00", "5.00", entries=(Booked("5.00", "2026-01-04"),), account=IBAN)))
    later = await bank.get("/reconciliation/USD-1", on="2026-02-28")
    assert (later["complete"], later["ledger"]["amount"]) == (False, "12.00")
    assert [(day["date"], day["ledger"]["amount"], day["bank"]["amount"]) for day in later["days"]] == [
        ("2026-01-02", "5.00", "0.00"), ("2026-01-04", "5.00", "5.00")
    ]  # fmt: skip


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_ledger_and_its_statements_with_forty_differences_are_reconciled(bank: Bank, seed: int) -> None:
    """Only what was made to differ is left on either side, and nothing is unexplained, on any day."""
    draw = random.Random(seed)
    sent: list[Json] = []
    booked: list[tuple[str, Booked]] = []
    rest: dict[str, list[str]] = {"ledger": [], "bank": []}
    for n in range(200):
        kind = draw.choice(["interest", "interest", "bank_charge"]) if n else "interest"
        amount = "900000.00" if not n else f"{draw.randint(1, 90_000)}.{draw.randint(0, 99):02d}"
        day = f"2026-0{1 if not n else draw.randint(1, 3)}-{1 if not n else draw.randint(1, 25):02d}"
        reference = f"FT{n:05d}"
        entry = {"kind": kind, "amount": amount, "date": day, "bank_reference": reference}
        signed = amount if kind == "interest" else f"-{amount}"
        later = f"{day[:8]}{int(day[8:]) + draw.randint(0, 3):02d}"
        # Of forty each, ten are in the ledger alone, ten at the bank alone, ten booked twice by the bank under another
        # reference, and ten have another amount there.
        case = None if n == 0 or n > 40 else n % 4
        if case != 1:
            sent.append(entry)
        if case != 0:
            at_bank = str(Decimal(signed) + Decimal("0.01")) if case == 3 else signed
            booked.append((later, Booked(at_bank, later, reference)))
        if case == 2:
            booked.append((later, Booked(signed, later, f"{reference}X")))
        if case in (0, 3):
            rest["ledger"].append(signed)
        if case in (1, 2, 3):
            rest["bank"].append(booked[-1][1].amount)
    sent.sort(key=lambda each: (each["kind"] == "bank_charge", each["date"]))
    first = await bank.ledger.batch(*sent)
    assert first.status_code == 200, first.text
    balance = Decimal(0)
    statements = []
    for month, days in ((1, 31), (2, 28), (3, 31)):
        entries = [entry for day, entry in sorted(booked, key=lambda each: each[0]) if day[5:7] == f"{month:02d}"]
        opening, balance = balance, balance + sum(Decimal(entry.amount) for entry in entries)
        begins, ends = f"2026-{month:02d}-01", f"2026-{month:02d}-{days}"
        statements.append(Stated(f"{opening:.2f}", f"{balance:.2f}", begins, ends, entries, IBAN))
    draw.shuffle(statements)
    for statement in statements:
        await bank.imported(camt(statement, version=draw.choice(["001.02", "001.08"])))
    proposals = (await bank.get("/reconciliation/USD-1/proposals"))["proposals"]
    certain = [pair(each["bank_entry"], *each["ledger_entries"]) for each in proposals if each["unambiguous"]]
    assert len(certain) == 200 - 30
    done = await bank.match(*certain)
    assert (done.status_code, done.json()["refused"]) == (200, 0), done.text
    found = await bank.get("/reconciliation/USD-1")
    assert found["unexplained"]["amount"] == "0.00" and found["gaps"] == []
    assert sorted(each["sum"]["amount"] for each in found["ledger_only"]) == sorted(rest["ledger"])
    assert sorted(each["sum"]["amount"] for each in found["bank_only"]) == sorted(rest["bank"])
    assert len(rest["ledger"]) + len(rest["bank"]) == 50
    for _ in range(8):
        day = f"2026-0{draw.randint(1, 3)}-{draw.randint(1, 28):02d}"
        on = await bank.get("/reconciliation/USD-1", on=day)
        assert on["unexplained"]["amount"] == "0.00", day
        explained = Decimal(on["ledger_only_sum"]["amount"]) - Decimal(on["bank_only_sum"]["amount"])
        assert Decimal(on["ledger"]["amount"]) - Decimal(on["bank"]["amount"]) == explained
