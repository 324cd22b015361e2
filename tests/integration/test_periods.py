"""Accounting periods: what is closed takes no entry, and what is certified never changes."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from mmptf_common.storage.journal import JOURNAL_LOCK
from tests.conftest import pool_of
from tests.integration.ledger_client import (
    ADMIN,
    AGENT,
    IOM,
    UNIT,
    Json,
    LedgerClient,
    Who,
    body,
    errors,
    refused,
)
from tests.tokens import writing

PERIODS = "/funding/v1/periods"
WHY = {"reason": "All entries are reconciled."}
DOCUMENT = {"title": "Certified statement", "url": "https://example.org/2024.pdf", "sha256": "0f" * 32}
SIGNATORY = {"name": "A. Signatory", "function": "Executive Coordinator"}


def figure(line: str, amount: str, **members: Any) -> Json:
    return {"line": line, "amount": amount, "as_printed": f"{line} {amount}", **members}


def certification(*figures: Json, **members: Any) -> Json:
    return {"document": DOCUMENT, "signatory": SIGNATORY, "date": "2025-05-31", "figures": list(figures), **members}


async def opened(
    ledger: LedgerClient, code: str, start: str, end: str, who: Who = AGENT, **query: str
) -> httpx.Response:
    sent = {"code": code, "start": start, "end": end}
    return await ledger.running.client.post(PERIODS, json=sent, params=query, headers=writing(*who))


async def step(ledger: LedgerClient, code: str, what: str, sent: Json = WHY, who: Who = AGENT) -> httpx.Response:
    path = f"{PERIODS}/{code}"
    known = await ledger.running.client.get(path)
    headers = writing(*who, match=known.headers.get("etag", "*"))
    return await ledger.running.client.post(f"{path}/{what}", json=sent, headers=headers)


async def years(ledger: LedgerClient, *found: int) -> None:
    for year in found:
        answer = await opened(ledger, f"{year}", f"{year}-01-01", f"{year}-12-31")
        assert answer.status_code == 201, answer.text


async def closed(ledger: LedgerClient, *codes: str) -> None:
    for code in codes:
        answer = await step(ledger, code, "closing")
        assert answer.status_code == 200, answer.text


async def test_periods_follow_one_another_and_are_closed_in_order(ledger: LedgerClient) -> None:
    assert (await ledger.get(PERIODS))["items"] == []
    for who in (UNIT, IOM):
        refused(await opened(ledger, "2023", "2023-01-01", "2023-12-31", who=who), 403, "forbidden", "agent")
    assert errors(await opened(ledger, "2023", "2023-12-31", "2023-01-01")) == [("invalid_range", "/end")]
    assert (await opened(ledger, "2023", "2023-01-01", "2023-12-31", dry_run="true")).status_code == 201
    await years(ledger, 2023, 2024)
    refused(await opened(ledger, "2023", "2025-01-01", "2025-12-31"), 409, "code_taken")
    for start in ("2024-12-31", "2025-01-02", "2022-01-01"):
        answer = await opened(ledger, "2025", start, "2025-12-31")
        assert errors(answer) == [("period_not_contiguous", "/start")]
        assert answer.json()["errors"][0]["allowed"] == ["2025-01-01"]
    today = datetime.now(UTC).date()
    answer = await opened(ledger, "now", "2025-01-01", f"{today}")
    assert answer.status_code == 201, answer.text
    refused(await step(ledger, "2024", "closing"), 409, "transition_not_allowed", "2023 is open")
    refused(await step(ledger, "2023", "closing", who=UNIT), 403, "forbidden")
    refused(await step(ledger, "2023", "reopening"), 409, "transition_not_allowed", "open already")
    refused(await step(ledger, "2023", "certification", certification(figure("deposit", "0.00"))), 409,
            "transition_not_allowed", "close it first")  # fmt: skip
    await closed(ledger, "2023", "2024")
    refused(await step(ledger, "now", "closing"), 409, "transition_not_allowed", f"ends on {today}")
    refused(await step(ledger, "2024", "closing"), 409, "transition_not_allowed", "closed already")
    refused(await step(ledger, "2023", "reopening"), 409, "transition_not_allowed", "2024 is closed")
    answer = await step(ledger, "2024", "reopening", {"reason": "A charge was left out."})
    assert [(s["status"], s["reason"]) for s in answer.json()["steps"]] == [
        ("open", None), ("closed", WHY["reason"]), ("open", "A charge was left out."),
    ]  # fmt: skip
    assert [(p["code"], p["status"]) for p in (await ledger.get(PERIODS))["items"]] == [
        ("2023", "closed"), ("2024", "open"), ("now", "open"),
    ]  # fmt: skip
    assert [p["code"] for p in (await ledger.get(PERIODS, on="2024-02-29"))["items"]] == ["2024"]
    assert [p["code"] for p in (await ledger.get(PERIODS, status="closed"))["items"]] == ["2023"]
    stale = writing(*AGENT, match='"1-000000000000000000"')
    answer = await ledger.running.client.post(f"{PERIODS}/2024/closing", json=WHY, headers=stale)
    refused(answer, 412, "precondition_failed")
    refused(await step(ledger, "2031", "closing"), 404, "not_found")


async def test_a_closed_period_takes_no_entry_and_no_reversal(ledger: LedgerClient) -> None:
    """Nor does any day before it: its opening balance would change."""
    early = await ledger.enter("interest", "5.00", "2022-05-05")
    deposit = await ledger.enter("deposit", "100.00", "2024-05-05", contributor="DEU")
    await years(ledger, 2023, 2024, 2025)
    await ledger.enter("interest", "1.00", "2022-05-05")
    await closed(ledger, "2023", "2024")
    revision = await ledger.revision()
    # As if it had never been, or from an open day on, which leaves its own period as it was.
    right = {**body("interest", "7.00", "2022-05-05"), "reason": "Two figures were interchanged."}
    again = right | {"reversal_date": "2022-05-05"}
    refused(await ledger.post(ADMIN, again, f"/{early['code']}/correction"), 409, "period_closed", "2025-01-01")
    later = right | {"date": "2025-01-01", "reversal_date": "2025-01-01"}
    assert (await ledger.post(ADMIN, later, f"/{early['code']}/correction", dry_run="true")).status_code == 201
    for day in ("2022-12-31", "2023-06-30", "2024-12-31"):
        answer = await ledger.post(ADMIN, body("interest", "1.00", day))
        refused(answer, 409, "period_closed", f"{day} is closed", "the first open day is 2025-01-01", "`corrects`")
    refused(await ledger.reverse(early["code"], "2024-12-31"), 409, "period_closed", "2025-01-01")
    refused(await ledger.post(ADMIN, body("interest", "1.00", "2024-12-31"), dry_run="true"), 409, "period_closed")
    rows = [body("interest", "1.00", "2025-01-01"), body("interest", "1.00", "2024-12-31")]
    answer = await ledger.batch(*rows)
    assert errors(answer) == [("period_closed", "/entries/1")]
    assert await ledger.revision() == revision
    report = (await ledger.batch(*rows, partial="true")).json()
    assert [row["status"] for row in report["outcomes"]] == [200, 409]
    # The day after, and days for which no period is defined, take entries; what was wrong is corrected there.
    assert (await ledger.reverse(deposit["code"], "2025-01-01")).status_code == 201
    correction = await ledger.enter("interest", "1.00", "2026-02-01", corrects=early["code"])
    assert [row["code"] for row in await ledger.rows(corrects=early["code"])] == [correction["code"]]
    await step(ledger, "2024", "reopening")
    await ledger.enter("interest", "1.00", "2024-12-31")
    refused(await ledger.post(ADMIN, body("interest", "1.00", "2023-12-31")), 409, "period_closed", "2024-01-01")


async def test_an_entry_in_flight_is_either_before_the_closing_or_refused(ledger: LedgerClient) -> None:
    await years(ledger, 2024)
    pool = pool_of(ledger.running.app.state.database)

    async def enter(n: int) -> httpx.Response:
        return await ledger.post(ADMIN, body("interest", f"{n + 1}.00", "2024-12-31"))

    async with pool.acquire() as other, other.transaction():
        await other.execute("SELECT pg_advisory_xact_lock($1)", JOURNAL_LOCK)
        # All wait for the lock of writers, in any order.
        asked = [asyncio.create_task(enter(n)) for n in range(3)]
        await asyncio.sleep(0.2)
        closing = asyncio.create_task(step(ledger, "2024", "closing"))
        await asyncio.sleep(0.2)
        asked += [asyncio.create_task(enter(n)) for n in range(3, 6)]
        await asyncio.sleep(0.2)
        assert not closing.done()
    answers = await asyncio.gather(*asked)
    assert (await closing).status_code == 200
    last = "SELECT entity FROM change WHERE entity IN ('ledger_entry', 'accounting_period') ORDER BY seq DESC LIMIT 1"
    assert await pool.fetchval(last) == "accounting_period", "an entry was written after the closing"
    written = [answer for answer in answers if answer.status_code == 201]
    for answer in answers:
        if answer not in written:
            refused(answer, 409, "period_closed", "2025-01-01")
    assert len(await ledger.rows(date_to="2024-12-31")) == len(written)


async def test_certified_figures_stand_beside_the_computed_ones(ledger: LedgerClient) -> None:
    await ledger.enter("deposit", "100.00", "2023-05-05", contributor="DEU")
    await ledger.enter("deposit", "200.00", "2024-05-05", contributor="DEU")
    await ledger.enter("allocation", "150.00", "2024-05-06", programme="ETH-01")
    await ledger.enter("transfer", "60.00", "2024-05-07", programme="ETH-01", organization="ILO")
    await ledger.enter("refund", "10.00", "2024-06-07", programme="ETH-01", organization="ILO")
    await years(ledger, 2023, 2024)
    await closed(ledger, "2023", "2024")
    figures = [
        figure("opening_cash", "99.00"), figure("deposit", "200.00"), figure("interest", "0.00"),
        figure("transfer", "55.00", explanation="One transfer was booked in January."),
        figure("closing_cash", "252.00"), figure("refund", "-10.00"),
    ]  # fmt: skip
    tomorrow = f"{datetime.now(UTC).date() + timedelta(days=1)}"
    for wrong, code, pointer in (
        ({"date": "2024-12-31"}, "too_early", "/date"),
        ({"date": tomorrow}, "in_the_future", "/date"),
        ({"figures": [figures[0], figures[0]]}, "repeated_code", "/figures/1/line"),
        ({"figures": [figure("deposit", "1.5")]}, "invalid_value", "/figures/0/amount"),
        ({"figures": [figure("deposits", "1.50")]}, "unknown_code", "/figures/0/line"),
        ({"document": {**DOCUMENT, "sha256": "12"}}, "invalid_value", "/document/sha256"),
        ({"document": {**DOCUMENT, "url": "file:///a"}}, "invalid_value", "/document/url"),
    ):
        answer = await step(ledger, "2024", "certification", certification(*figures) | wrong)
        assert errors(answer) == [(code, pointer)]
    compared = await ledger.get(f"{PERIODS}/2024/figures")
    assert {item["comparison"] for item in compared["items"]} == {"not_certified"}
    answer = await step(ledger, "2024", "certification", certification(*figures))
    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert (said["status"], said["certification"]["document"]) == ("certified", DOCUMENT)
    assert said["certification"]["signatory"] == SIGNATORY
    for what, sent in (("certification", certification(*figures)), ("reopening", WHY), ("closing", WHY)):
        refused(await step(ledger, "2024", what, sent), 409, "transition_not_allowed", "certified")
    known = str(await ledger.revision())
    compared = await ledger.get(f"{PERIODS}/2024/figures")
    nothing = ("0.00", None, "not_certified")
    by_line = {item["line"]: item for item in compared["items"]}
    assert {
        line: (item["computed"]["amount"], item["difference"] and item["difference"]["amount"], item["comparison"])
        for line, item in by_line.items()
    } == {
        "opening_cash": ("99.00", "0.00", "equal"),
        "deposit": ("200.00", "0.00", "equal"),
        "interest": ("0.00", "0.00", "equal"),
        **dict.fromkeys(("transfer_from_fund", "other_income", "opening_balance"), nothing),
        "total_sources": ("200.00", None, "not_certified"),
        "transfer": ("60.00", "-5.00", "difference_explained"),
        "refund": ("10.00", "-20.00", "difference_unexplained"),
        "agent_fee": ("2.00", None, "not_certified"),
        **dict.fromkeys(("direct_cost", "bank_charge", "contributor_refund", "transfer_to_fund"), nothing),
        "total_uses": ("52.00", None, "not_certified"),
        "closing_cash": ("247.00", "5.00", "difference_unexplained"),
        **dict.fromkeys(("pledge", "commitment", "commitment_amendment", "exchange_difference"), nothing),
        "allocation": ("150.00", None, "not_certified"),
        "expenditure": nothing,
    }
    assert compared["unexplained"] == 2
    for item in compared["items"]:
        page = await ledger.get(item["link"])
        assert page["total"] == item["rows"], item["line"]
    table = await ledger.running.client.get(f"{PERIODS}/2024/figures", params={"format": "csv"})
    assert table.text.splitlines()[0].startswith("line,certified_amount,certified_currency,as_printed,computed_amount")
    assert len(table.text.splitlines()) == 1 + len(by_line)
    # What differs is explained later; the figure stays.
    sent = {"line": "refund", "explanation": "The statement prints it with a minus sign."}
    refused(await step(ledger, "2024", "explanations", sent, UNIT), 403, "forbidden")
    answer = await step(ledger, "2024", "explanations", sent | {"line": "pledge"})
    assert errors(answer) == [("unknown_code", "/line")]
    refused(await step(ledger, "2023", "explanations", sent), 409, "transition_not_allowed", "not certified")
    answer = await step(ledger, "2024", "explanations", sent)
    (explained,) = [f for f in answer.json()["certification"]["figures"] if f["line"] == "refund"]
    assert (explained["sum"]["amount"], explained["explanation"]) == ("-10.00", sent["explanation"])
    assert (await ledger.get(f"{PERIODS}/2024/figures"))["unexplained"] == 1
    assert (await ledger.get(f"{PERIODS}/2024/figures", as_of=known))["unexplained"] == 2
    # Entries of the open days that correct it change neither figure.
    await ledger.enter("interest", "5.00", "2025-01-01")
    after = await ledger.get(f"{PERIODS}/2024/figures")
    assert [item["computed"] for item in after["items"]] == [item["computed"] for item in compared["items"]]
    answer = await ledger.running.client.get(f"{PERIODS}/2031/figures")
    refused(answer, 404, "not_found")
