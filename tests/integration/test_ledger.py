"""The ledger over HTTP: what each kind of entry needs, who enters it, what it does to balances, and what is stated."""

from __future__ import annotations

import csv
import io
import json
import socket
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import product
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from mmptf_funding.ledger import catalogue as asking
from mmptf_funding.ledger import rules
from mmptf_local.processes import LOOPBACK, free_port
from tests.conftest import RunningApp, running_app
from tests.serving import served
from tests.tokens import writing

Facts = dict[str, Any]
Who = tuple[str, str | None]

LEDGER, STATEMENT = "/funding/v1/ledger", "/funding/v1/statement"
AGENT, UNIT, ADMIN = ("agent", None), ("management-unit", None), ("admin", None)
IOM, ILO = ("agency", "IOM"), ("agency", "ILO")
ETHIOPIA: Facts = {"programme": "ETH-01", "organization": "ILO"}
ORIGINAL = {"amount": "10.00", "currency": "EUR", "rate": "1.0850", "rate_date": "2024-01-01", "rate_source": "a table"}
MEMBERS: Facts = {
    "contributor": "DEU", "programme": "ETH-01", "organization": "ILO", "thematic_area": "2", "category": "supplies",
    "tranche": 1, "follows": "L-000001", "original": ORIGINAL,
}  # fmt: skip
SENT_KINDS = [kind for kind in rules.KINDS if kind != "agent_fee"]


@dataclass(frozen=True)
class Books:
    """A ledger of its own, and what is done to it."""

    running: RunningApp

    async def post(self, who: Who, sent: Facts, path: str = "", **query: str) -> httpx.Response:
        return await self.running.client.post(f"{LEDGER}{path}", json=sent, params=query, headers=writing(*who))

    async def enter(self, kind: str, amount: str, date: str = "2024-05-05", who: Who = AGENT, **members: Any) -> Facts:
        """An entry that is written; ADMIN may write all."""
        if kind in ("allocation", "direct_cost"):
            members = {"reference": "SC-1", **members}
        answer = await self.post(ADMIN if who == AGENT else who, body(kind, amount, date, **members))
        assert answer.status_code == 201, answer.text
        found: Facts = answer.json()
        return found

    async def reverse(self, code: str, date: str = "2024-06-30", who: Who = ADMIN) -> httpx.Response:
        return await self.post(who, {"date": date, "reason": "It was wrong."}, f"/{code}/reversal")

    async def batch(self, *entries: Facts, who: Who = ADMIN, **query: str) -> httpx.Response:
        return await self.post(who, {"entries": list(entries)}, "/batch", **query)

    async def get(self, path: str, **query: str) -> Any:
        answer = await self.running.client.get(path, params=query or None)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def rows(self, **query: str) -> list[Facts]:
        page = await self.get(LEDGER, limit="1000", **query)
        found: list[Facts] = page["items"]
        return found

    async def balance(self, **query: str) -> str:
        return str((await self.get(STATEMENT, **query))["balance"]["amount"])

    async def revision(self) -> int:
        return int((await self.get(LEDGER))["revision"])


def body(kind: str, amount: str = "1.00", date: str = "2024-05-05", **members: Any) -> Facts:
    return {"kind": kind, "amount": amount, "date": date, **members}


def errors(answer: httpx.Response) -> list[tuple[str, str]]:
    assert answer.status_code == 422, answer.text
    return sorted((error["code"], error["pointer"]) for error in answer.json()["errors"])


def refused(answer: httpx.Response, status: int, code: str, *words: str) -> None:
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code), answer.text
    assert all(word in problem["detail"] for word in words), problem["detail"]


@pytest.fixture(scope="module")
async def catalogue(new_database: Callable[[str], str]) -> AsyncIterator[str]:
    """The catalogue of the packaged data, over HTTP."""
    async with running_app("catalog", new_database("catalog"), None) as running, served(running.app) as url:
        yield url


@pytest.fixture
async def books(new_database: Callable[[str], str], catalogue: str) -> AsyncIterator[Books]:
    async with running_app("funding", new_database("funding"), None, catalog_url=catalogue) as running:
        yield Books(running)


@pytest.fixture
async def funded(books: Books) -> Books:
    """A thousand dollars came in, and six hundred are meant for a programme."""
    await books.enter("deposit", "1000.00", "2024-01-10", contributor="DEU")
    await books.enter("allocation", "600.00", "2024-02-10", programme="ETH-01")
    return books


@contextmanager
def catalogue_at(books: Books, url: str | None) -> Iterator[None]:
    """Another catalogue, or none, for as long as the block runs."""
    before = books.running.app.state.settings.catalog_url
    books.running.set(catalog_url=url)
    try:
        yield
    finally:
        books.running.set(catalog_url=before)


# --- what a kind has, and who enters it ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
async def tried(new_database: Callable[[str], str], catalogue: str) -> AsyncIterator[Books]:
    """A ledger in which everything is tried and nothing kept, but for what may be followed, and money."""
    async with running_app("funding", new_database("funding"), None, catalog_url=catalogue) as running:
        found = Books(running)
        await found.enter("pledge", "500.00", "2024-01-01", contributor="DEU")
        await found.enter("commitment", "500.00", "2024-01-01", contributor="DEU", follows="L-000001")
        await found.enter("deposit", "1000.00", "2024-01-01", contributor="DEU")
        await found.enter("allocation", "800.00", "2024-01-01", programme="ETH-01")
        await found.enter("transfer", "400.00", "2024-01-01", **ETHIOPIA)
        yield found


def right(kind: str) -> Facts:
    """An entry of a kind with everything that it needs and takes."""
    rule = rules.KINDS[kind]
    members = {name: MEMBERS[name] for name in rule.needs | rule.takes}
    if "follows" in members:
        members["follows"] = {"commitment": "L-000001", "deposit": "L-000002"}[kind]
    return body(kind, "10.85", reference="SC-1", **members)


@pytest.mark.parametrize("kind", SENT_KINDS)
async def test_a_kind_has_what_it_needs_and_takes_and_nothing_else(tried: Books, kind: str) -> None:
    rule, sent = rules.KINDS[kind], right(kind)
    least = {name: value for name, value in sent.items() if name not in rule.takes}
    other = sorted(set(MEMBERS) - rule.needs - rule.takes)
    variants: list[tuple[Facts, list[tuple[str, str]]]] = [
        (sent, []),
        (least, []),
        ({**sent, "reference": None}, [("missing", "/reference")] if rule.referenced else []),
        *(({**sent, name: None}, [("missing", f"/{name}")]) for name in sorted(rule.needs)),
        *(({**sent, name: MEMBERS[name]}, [("not_applicable", f"/{name}")]) for name in other),
    ]
    before = await tried.revision()
    report = (await tried.batch(*(variant for variant, _ in variants), partial="true", dry_run="true")).json()
    for n, (outcome, (variant, found)) in enumerate(zip(report["outcomes"], variants, strict=True)):
        said = {(error["code"], error["pointer"]) for error in outcome["errors"]}
        assert said >= {(code, f"/entries/{n}{pointer}") for code, pointer in found}, variant
        assert outcome["outcome"] == ("refused" if found else "written"), (variant, outcome)
    written = (await tried.post(ADMIN, sent, dry_run="true")).json()
    for name in set(MEMBERS) - {"original"}:
        assert written[name] == sent.get(name)
    if "original" in sent:
        assert written["original"]["sum"] == {"amount": "10.00", "currency": "EUR"}
        assert written["original"]["rate"] == ORIGINAL["rate"]
    else:
        assert written["original"] is None
    assert await tried.revision() == before


@pytest.mark.parametrize("kind", SENT_KINDS)
async def test_a_kind_is_entered_by_those_whose_it_is(tried: Books, kind: str) -> None:
    may: list[Who] = [ADMIN]
    may += [UNIT] if kind == "allocation" else [AGENT]
    may += [UNIT] if kind == "pledge" else [ILO] if kind in ("expenditure", "refund") else []
    for who in (AGENT, UNIT, ADMIN, IOM, ILO, ("agency", "MPTFO")):
        answer = await tried.post(who, right(kind), dry_run="true")
        assert answer.status_code == (201 if who in may else 403), (who, answer.text)
    refused(await tried.post(("reviewer", None), right(kind), dry_run="true"), 403, "insufficient_scope")


async def test_a_fee_is_not_sent(tried: Books) -> None:
    assert errors(await tried.post(ADMIN, body("agent_fee"))) == [("invalid_body", "/kind")]


@pytest.mark.parametrize("date", ["0000-01-01", "9999-12-31", "1989-12-31", "2023-02-29", "2024-04-31", "2024-1-1", ""])
async def test_a_day_is_one_of_the_calendar(tried: Books, date: str) -> None:
    assert errors(await tried.post(ADMIN, body("interest", date=date))) == [("invalid_body", "/date")]


async def test_a_day_has_come(tried: Books) -> None:
    now = datetime.now(UTC)
    today = await tried.post(AGENT, body("interest", date=f"{now:%Y-%m-%d}"), dry_run="true")
    assert today.status_code == 201
    later = await tried.post(AGENT, body("interest", date=f"{now + timedelta(days=2):%Y-%m-%d}"))
    assert errors(later) == [("in_the_future", "/date")]
    assert (await tried.post(AGENT, body("interest", date="2024-02-29"), dry_run="true")).status_code == 201


@pytest.mark.parametrize(
    "amount",
    ["0.00", "-1.00", "1", "1.0", "1.000", "01.00", "1,00", "1e2", " 1.00", "100000000000000.00", 1.5, 100, None],
)
async def test_an_amount_is_above_zero_with_its_cents(tried: Books, amount: object) -> None:
    answer = await tried.post(ADMIN, {**body("interest"), "amount": amount})
    assert errors(answer) == [("invalid_body", "/amount")]


@pytest.mark.parametrize(
    ("amount", "changed", "found"),
    [
        ("10.85", {}, []),
        ("10.86", {}, [("amount_does_not_follow", "/amount")]),
        ("10.84", {}, [("amount_does_not_follow", "/amount")]),
        ("1.08", {"amount": "0.99", "rate": "1.0949"}, []),
        ("3.33", {"amount": "10.00", "rate": "0.3333333333"}, []),
        ("10.85", {"currency": "USD"}, [("not_applicable", "/original/currency")]),
        ("10.85", {"rate_date": "2024-05-06"}, [("in_the_future", "/original/rate_date")]),
        ("10.85", {"rate_date": "2024-05-05"}, []),
        ("0.01", {"rate": "0.0"}, [("amount_does_not_follow", "/amount")]),
        ("99999999999999.99", {"amount": "99999999999999.99", "rate": "1.0"}, []),
        (
            "99999999999999.99",
            {"amount": "99999999999999.99", "rate": "999999.9999999999"},
            [("amount_does_not_follow", "/amount")],
        ),
        ("10.85", {"rate": "1.085e0"}, [("invalid_body", "/original/rate")]),
        ("10.85", {"rate": "1000000.0"}, [("invalid_body", "/original/rate")]),
    ],
)
async def test_an_amount_follows_from_the_original_and_its_rate(
    tried: Books, amount: str, changed: Facts, found: list[tuple[str, str]]
) -> None:
    sent = body("pledge", amount, contributor="DEU", original={**ORIGINAL, **changed})
    answer = await tried.post(ADMIN, sent, dry_run="true")
    assert (errors(answer) if found else answer.status_code) == (found or 201), answer.text


@pytest.mark.parametrize(
    ("members", "found"),
    [
        ({"contributor": "DEX"}, ("unknown_code", "/contributor")),
        ({"contributor": "DEU", "thematic_area": "9"}, ("unknown_code", "/thematic_area")),
        ({"kind": "transfer", "programme": "ETH-99", "organization": "ILO"}, ("unknown_code", "/programme")),
        ({"kind": "transfer", "programme": "MDA-01", "organization": "UN-X"}, ("unknown_code", "/organization")),
        ({"kind": "transfer", "programme": "ETH-01", "organization": "IOM"}, ("not_taking_part", "/organization")),
        ({"kind": "deposit", "contributor": "DEU", "follows": "L-000001"}, ("does_not_follow", "/follows")),
        ({"kind": "deposit", "contributor": "USA", "follows": "L-000002"}, ("does_not_follow", "/follows")),
        ({"kind": "commitment", "contributor": "DEU", "follows": "L-000002"}, ("does_not_follow", "/follows")),
        ({"kind": "commitment", "contributor": "DEU", "follows": "L-999999"}, ("unknown_code", "/follows")),
    ],
)  # fmt: skip
async def test_a_code_stands_for_something_that_fits(tried: Books, members: Facts, found: tuple[str, str]) -> None:
    assert errors(await tried.post(ADMIN, {**body("pledge"), **members})) == [found]


async def test_who_takes_part_in_a_programme_may_be_left_open(tried: Books) -> None:
    sent = [
        body("allocation", "5.00", programme="MDA-01", reference="SC-1"),
        body("transfer", "5.00", programme="MDA-01", organization="WHO"),
    ]
    assert (await tried.batch(*sent, dry_run="true")).status_code == 200


# --- the fee ---------------------------------------------------------------------------------------------------------


FEES = {
    "0.50": None, "0.51": "0.01", "1.50": "0.02", "2.50": "0.02", "2.51": "0.03", "1000.00": "10.00",
    "99999999999999.99": "1000000000000.00", "0.01": None,
}  # fmt: skip


async def test_a_deposit_brings_the_fee_rounded_half_to_even(books: Books) -> None:
    balance = Decimal(0)
    for amount, fee in FEES.items():
        deposit = await books.enter("deposit", amount, contributor="DEU", thematic_area="2", reference="SAA")
        found = [row for row in await books.rows(kind="agent_fee") if row["follows"] == deposit["code"]]
        assert [(row["sum"]["amount"], row["date"]) for row in found] == ([(fee, "2024-05-05")] if fee else [])
        for row in found:
            assert {row[name] for name in set(MEMBERS) - {"follows"}} | {row["reference"]} == {None}
        balance += Decimal(amount) - Decimal(fee or 0)
        assert await books.balance() == f"{balance:.2f}"


async def test_the_fee_is_reversed_with_its_deposit(books: Books) -> None:
    await books.enter("deposit", "10.85", contributor="DEU", original=ORIGINAL)
    reversal = await books.reverse("L-000001")
    assert reversal.status_code == 201
    assert reversal.headers["location"] == f"{LEDGER}/L-000003"
    rows = await books.rows()
    assert [(row["kind"], row["sum"]["amount"], row["reverses"], row["date"]) for row in rows[2:]] == [
        ("deposit", "-10.85", "L-000001", "2024-06-30"),
        ("agent_fee", "-0.11", "L-000002", "2024-06-30"),
    ]
    assert rows[2]["original"]["sum"] == {"amount": "-10.00", "currency": "EUR"}
    assert [row["reversed_by"] for row in rows] == ["L-000003", "L-000004", None, None]
    assert await books.balance() == "0.00"
    assert await books.balance(on="2024-06-29") == "10.74"


async def test_a_fee_that_was_reversed_before_is_not_reversed_again(books: Books) -> None:
    await books.enter("deposit", "100.00", contributor="DEU")
    assert (await books.reverse("L-000002")).status_code == 201
    assert await books.balance() == "100.00"
    assert (await books.reverse("L-000001")).status_code == 201
    assert [row["kind"] for row in await books.rows()] == ["deposit", "agent_fee", "agent_fee", "deposit"]
    assert await books.balance() == "0.00"


# --- balances and flags ----------------------------------------------------------------------------------------------


async def test_what_is_not_there_is_not_paid(funded: Books) -> None:
    before = await funded.revision()
    refused(
        await funded.post(AGENT, body("bank_charge", "990.01", "2024-01-10")),
        409, "insufficient_balance", "On 2024-01-10", "-0.01 USD",
    )  # fmt: skip
    refused(await funded.post(AGENT, body("bank_charge", "0.01", "2024-01-09")), 409, "insufficient_balance", "-0.01")
    assert await funded.revision() == before
    await funded.enter("bank_charge", "990.00", "2024-01-10")
    assert await funded.balance() == "0.00"


async def test_a_backdated_entry_does_not_overdraw_a_later_day(funded: Books) -> None:
    await funded.enter("bank_charge", "900.00", "2024-04-01")
    sent = body("bank_charge", "90.01", "2024-02-01")
    refused(await funded.post(AGENT, sent), 409, "insufficient_balance", "On 2024-04-01", "-0.01 USD")
    await funded.enter("interest", "50.00", "2024-04-02")
    refused(await funded.post(AGENT, sent), 409, "insufficient_balance", "On 2024-04-01", "-0.01 USD")
    await funded.enter("interest", "0.01", "2024-03-01")
    assert (await funded.post(AGENT, sent)).status_code == 201


async def test_no_more_is_transferred_than_was_allocated(funded: Books) -> None:
    for sent in (
        body("transfer", "600.01", **ETHIOPIA),
        body("transfer", "0.01", "2024-02-09", **ETHIOPIA),
        body("transfer", "0.01", programme="MDA-01", organization="IOM"),
    ):
        refused(await funded.post(AGENT, sent), 409, "exceeds_allocation", "-0.01 USD", sent["programme"])
    await funded.enter("transfer", "600.00", **ETHIOPIA)
    refused(
        await funded.post(UNIT, {"date": "2024-06-01", "reason": "Less."}, "/L-000003/reversal"),
        409, "exceeds_allocation", "On 2024-06-01", "-600.00 USD",
    )  # fmt: skip
    (programme,) = (await funded.get(f"{STATEMENT}/programmes"))["items"]
    assert programme["not_yet_transferred"]["amount"] == "0.00"


async def test_no_more_is_refunded_than_was_received(funded: Books) -> None:
    await funded.enter("transfer", "100.00", "2024-03-01", **ETHIOPIA)
    refused(await funded.post(ILO, body("refund", "100.01", **ETHIOPIA)), 409, "exceeds_transfers", "ILO", "-0.01 USD")
    refused(await funded.post(ILO, body("refund", "1.00", "2024-02-29", **ETHIOPIA)), 409, "exceeds_transfers")
    await funded.enter("refund", "100.00", who=ILO, **ETHIOPIA)
    refused(await funded.reverse("L-000004"), 409, "exceeds_transfers", "-100.00 USD")
    assert await funded.balance() == "990.00"


async def test_a_refund_that_was_paid_out_again_is_not_reversed(funded: Books) -> None:
    await funded.enter("transfer", "600.00", "2024-03-01", **ETHIOPIA)
    await funded.enter("refund", "600.00", "2024-04-01", **ETHIOPIA)
    await funded.enter("bank_charge", "990.00", "2024-04-02")
    refused(await funded.reverse("L-000005", "2024-04-01"), 409, "insufficient_balance", "On 2024-04-02", "-600.00")


async def test_expenditure_above_transfers_is_written_and_flagged(funded: Books) -> None:
    await funded.enter("transfer", "100.00", "2024-03-01", **ETHIOPIA)
    spent = {**ETHIOPIA, "category": "travel"}
    assert (await funded.enter("expenditure", "100.00", who=ILO, **spent))["flags"] == []
    assert (await funded.enter("expenditure", "0.01", **spent))["flags"] == ["expenditure_exceeds_transfers"]
    refund = await funded.enter("refund", "1.00", who=ILO, **ETHIOPIA)
    assert refund["flags"] == ["refund_exceeds_unspent"]
    found = await funded.rows(flag="refund_exceeds_unspent")
    assert [row["code"] for row in found] == [refund["code"]]
    facets = (await funded.get(f"{LEDGER}/facets"))["facets"]
    assert {f["value"]: f["count"] for f in facets["flag"]} == {
        None: 5, "expenditure_exceeds_transfers": 1, "refund_exceeds_unspent": 1
    }  # fmt: skip
    for what in ("programmes", "organizations"):
        (item,) = (await funded.get(f"{STATEMENT}/{what}"))["items"]
        assert item["overspent"] is True
        (item,) = (await funded.get(f"{STATEMENT}/{what}", on="2024-05-04"))["items"]
        assert item["overspent"] is False


async def test_a_backdated_expenditure_that_overspends_a_later_day_is_flagged(funded: Books) -> None:
    await funded.enter("transfer", "100.00", "2024-03-01", **ETHIOPIA)
    spent = {**ETHIOPIA, "category": "travel"}
    await funded.enter("expenditure", "100.00", "2024-05-01", **spent)
    backdated = await funded.enter("expenditure", "50.00", "2024-04-01", **spent)
    assert backdated["flags"] == ["expenditure_exceeds_transfers"]


async def test_a_backdated_deposit_that_exceeds_its_commitment_later_is_flagged(books: Books) -> None:
    await books.enter("commitment", "100.00", "2024-01-01", contributor="DEU")
    await books.enter("deposit", "100.00", "2024-03-01", contributor="DEU", follows="L-000001")
    backdated = await books.enter("deposit", "1.00", "2024-02-01", contributor="DEU", follows="L-000001")
    assert backdated["flags"] == ["deposit_exceeds_commitment"]


async def test_a_transfer_that_is_spent_later_than_it_is_reversed_is_flagged(funded: Books) -> None:
    await funded.enter("transfer", "100.00", "2024-03-01", **ETHIOPIA)
    await funded.enter("expenditure", "60.00", "2024-05-01", **ETHIOPIA, category="travel")
    assert (await funded.reverse("L-000004", "2024-04-01")).json()["flags"] == ["expenditure_exceeds_transfers"]


async def test_a_reversed_transfer_that_was_spent_is_flagged(funded: Books) -> None:
    await funded.enter("transfer", "100.00", "2024-03-01", **ETHIOPIA)
    await funded.enter("expenditure", "60.00", "2024-05-01", **ETHIOPIA, category="travel")
    assert (await funded.reverse("L-000004", "2024-05-01")).json()["flags"] == ["expenditure_exceeds_transfers"]


async def test_a_deposit_above_its_commitment_is_written_and_flagged(books: Books) -> None:
    await books.enter("commitment", "100.00", "2024-01-01", contributor="DEU")
    pays: Facts = {"contributor": "DEU", "follows": "L-000001"}
    assert (await books.enter("deposit", "60.00", "2024-02-01", **pays))["flags"] == []
    assert (await books.enter("deposit", "60.00", "2024-03-01", **pays))["flags"] == ["deposit_exceeds_commitment"]
    fund = await books.get(STATEMENT)
    commitments = {name: fund["commitments"][name]["amount"] for name in ("paid", "outstanding")}
    assert commitments == {"paid": "100.00", "outstanding": "0.00"}
    assert (await books.get(f"{STATEMENT}/commitments"))["items"] == []
    (item,) = (await books.get(f"{STATEMENT}/commitments", on="2024-02-28"))["items"]
    assert (item["paid"]["amount"], item["outstanding"]["amount"]) == ("60.00", "40.00")


# --- reversals -------------------------------------------------------------------------------------------------------


async def test_an_entry_is_reversed_once_and_a_reversal_never(books: Books) -> None:
    await books.enter("interest", "5.00")
    assert (await books.reverse("L-000001")).status_code == 201
    revision = await books.revision()
    refused(await books.reverse("L-000002"), 409, "not_reversible", "L-000001")
    twice = await books.reverse("L-000001")
    assert twice.status_code == 409, twice.text
    refused(await books.reverse("L-000009"), 404, "not_found")
    assert await books.revision() == revision


async def test_a_reversal_is_dated_between_the_entry_and_today(books: Books) -> None:
    await books.enter("interest", "5.00", "2024-05-05")
    for date in ("2024-05-04", "2098-01-01"):
        assert errors(await books.reverse("L-000001", date)) == [("invalid_date", "/date")]
    assert (await books.reverse("L-000001", "2024-05-05")).status_code == 201
    assert await books.balance(on="2024-05-05") == "0.00"


async def test_what_others_rest_on_is_reversed_after_them(books: Books) -> None:
    await books.enter("pledge", "9.00", contributor="DEU")
    await books.enter("commitment", "9.00", contributor="DEU", follows="L-000001")
    await books.enter("deposit", "9.00", contributor="DEU", follows="L-000002")
    refused(await books.reverse("L-000001"), 409, "not_reversible", "L-000002")
    refused(await books.reverse("L-000002"), 409, "not_reversible", "L-000003")
    for code in ("L-000003", "L-000002", "L-000001"):
        assert (await books.reverse(code)).status_code == 201
    again = await books.post(AGENT, body("commitment", contributor="DEU", follows="L-000001"))
    assert errors(again) == [("does_not_follow", "/follows")]
    totals = await books.get(f"{LEDGER}/totals", by="kind")
    assert {total["sum"]["amount"] for total in totals["totals"]} == {"0.00"}


async def test_a_reversal_is_of_those_whose_entry_it_is(funded: Books) -> None:
    await funded.enter("transfer", "10.00", **ETHIOPIA)
    await funded.enter("expenditure", "5.00", **ETHIOPIA, category="travel")
    for who, code, status in ((ILO, "L-000004", 403), (IOM, "L-000005", 403), (UNIT, "L-000005", 403)):
        refused(await funded.reverse(code, who=who), status, "forbidden")
    assert (await funded.reverse("L-000005", who=ILO)).status_code == 201


async def test_an_entry_that_is_reversed_is_another_answer(books: Books) -> None:
    await books.enter("interest", "5.00")
    path = f"{LEDGER}/L-000001"
    before = await books.running.client.get(path)
    revision = await books.revision()
    assert (await books.reverse("L-000001")).status_code == 201
    after = await books.running.client.get(path, headers={"if-none-match": before.headers["etag"]})
    assert after.status_code == 200
    assert after.headers["etag"] != before.headers["etag"]
    assert (before.json()["reversed_by"], after.json()["reversed_by"]) == (None, "L-000002")
    assert {**after.json(), "reversed_by": None} == before.json()
    assert await books.get(path, as_of=str(revision)) == before.json()
    (created,) = (await books.get(f"{path}/history"))["items"]
    assert (created["action"], created["organization"], created["before"]) == ("create", None, None)
    assert created["after"] == {name: value for name, value in before.json().items() if name != "reversed_by"}


# --- batches, contributors -------------------------------------------------------------------------------------------


async def test_a_batch_is_written_whole_or_not_at_all(books: Books) -> None:
    sent = (
        body("commitment", "9.00", contributor="DEU"),
        body("deposit", "9.00", contributor="DEU", follows="L-000001"),
        body("bank_charge", "100.00"),
        body("pledge", "1.00", tranche=3),
    )
    before = await books.revision()
    found = errors(await books.batch(*sent))
    assert found == [("insufficient_balance", "/entries/2"), ("missing", "/entries/3/contributor"),
                     ("not_applicable", "/entries/3/tranche")]  # fmt: skip
    assert await books.revision() == before
    tried = (await books.batch(*sent, partial="true", dry_run="true")).json()
    assert await books.revision() == before
    report = (await books.batch(*sent, partial="true")).json()
    assert {**tried, "dry_run": False} == report
    assert (report["written"], report["refused"]) == (2, 2)
    assert [row["code"] for row in report["outcomes"]] == ["L-000001", "L-000002", None, None]
    assert [row["status"] for row in report["outcomes"]] == [200, 200, 409, 422]
    assert [row["code"] for row in await books.rows()] == ["L-000001", "L-000002", "L-000003"]
    changes = await books.get("/funding/v1/changes", entity="ledger_entry")
    assert len({change["revision"] for change in changes["items"]}) == 1


async def test_what_a_caller_may_not_enter_is_refused_within_a_batch(funded: Books) -> None:
    await funded.enter("transfer", "10.00", **ETHIOPIA)
    spent = body("expenditure", "5.00", category="travel", **ETHIOPIA)
    report = (await funded.batch(spent, body("interest"), who=ILO, partial="true")).json()
    assert [row["status"] for row in report["outcomes"]] == [200, 403]
    assert errors(await funded.batch(spent, body("interest"), who=ILO)) == [("forbidden", "/entries/1")]


async def test_a_contributor_is_listed_and_gives(books: Books) -> None:
    async def add(who: Who, **sent: Any) -> httpx.Response:
        return await books.running.client.post("/funding/v1/contributors", json=sent, headers=writing(*who))

    austria = {"code": "AUT", "name": "Austria", "type": "member_state", "country": "AUT"}
    refused(await add(IOM, **austria), 403, "forbidden")
    assert errors(await books.post(AGENT, body("pledge", contributor="AUT"))) == [("unknown_code", "/contributor")]
    for wrong in ({"country": None}, {"type": "individual"}):
        answer = await add(AGENT, **{**austria, **wrong})
        assert answer.status_code == 422, answer.text
    assert (await add(UNIT, **austria)).status_code == 201
    refused(await add(AGENT, **austria), 409, "code_taken")
    await books.enter("pledge", "7.00", contributor="AUT")
    (item,) = (await books.get(f"{STATEMENT}/contributors"))["items"]
    assert (item["contributor"], item["name"], item["pledges"]["sum"]["amount"]) == ("AUT", "Austria", "7.00")


# --- the catalogue is another service --------------------------------------------------------------------------------


async def test_while_the_catalogue_is_away_what_is_known_is_entered_on(funded: Books) -> None:
    await funded.enter("transfer", "10.00", **ETHIOPIA)
    funded.running.set(catalog_url=f"http://{LOOPBACK}:{free_port()}")
    assert (await funded.post(AGENT, body("transfer", "10.00", **ETHIOPIA))).status_code == 201
    assert (await funded.post(AGENT, body("interest"))).status_code == 201
    before = await funded.revision()
    refused(await funded.post(UNIT, body("allocation", programme="MDA-01", reference="SC")), 502, "service_unreachable")
    assert await funded.revision() == before


async def test_a_catalogue_that_was_not_configured_is_unavailable(tried: Books) -> None:
    with catalogue_at(tried, None):
        answer = await tried.post(UNIT, body("allocation", programme="MDA-01", reference="SC"))
    refused(answer, 503, "unavailable", "CATALOG_URL")


async def test_a_batch_waits_for_the_catalogue_as_one_entry_does(tried: Books) -> None:
    with catalogue_at(tried, f"http://{LOOPBACK}:{free_port()}"):
        answer = await tried.batch(body("interest"), body("allocation", programme="MDA-01", reference="SC"))
    refused(answer, 502, "service_unreachable")


NONSENSE: Mapping[str, Callable[[], Response]] = {
    "a failure": lambda: Response(status_code=500),
    "no JSON": lambda: Response("<html>", media_type="text/html"),
    "another shape": lambda: JSONResponse([]),
    "no members": lambda: JSONResponse({}),
    "a budget that is none": lambda: JSONResponse(
        {"code": "MDA-01", "title": None, "thematic_area": None, "organizations": [], "budget": "many"}
    ),
    "a circle": lambda: RedirectResponse("/catalog/v1/programmes/MDA-01", 308),
}


@pytest.mark.parametrize("nonsense", NONSENSE)
async def test_a_catalogue_that_answers_nonsense_is_a_bad_gateway(tried: Books, nonsense: str) -> None:
    async def answer(request: Request) -> Response:
        return NONSENSE[nonsense]()

    before = await tried.revision()
    async with served(Starlette(routes=[Route("/{path:path}", answer)])) as url:
        with catalogue_at(tried, url):
            said = await tried.post(UNIT, body("allocation", programme="MDA-01", reference="SC"))
    assert said.status_code == 502, said.text
    assert await tried.revision() == before


async def test_a_slow_catalogue_is_not_waited_for(tried: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "ANSWER_SECONDS", 0.2)
    # Connected to, and never answering.
    with (
        socket.create_server((LOOPBACK, 0)) as listening,
        catalogue_at(tried, f"http://{LOOPBACK}:{listening.getsockname()[1]}"),
    ):
        said = await tried.post(UNIT, body("allocation", programme="MDA-01", reference="SC"))
    refused(said, 504, "service_timeout")


async def test_a_programme_that_was_renamed_is_entered_under_its_present_code(
    books: Books, new_database: Callable[[str], str]
) -> None:
    async with running_app("catalog", new_database("catalog"), None) as running, served(running.app) as url:
        await running.app.state.database.pool.execute(
            "INSERT INTO renamed_code (entity, code, current) VALUES ('programme', 'ETH-00', 'ETH-01')"
        )
        assert (await running.client.get("/catalog/v1/programmes/ETH-00")).status_code == 308
        books.running.set(catalog_url=url)
        answer = await books.post(UNIT, body("allocation", programme="ETH-00", reference="SC"))
        assert answer.status_code == 201, answer.text
        (item,) = (await books.get(f"{STATEMENT}/programmes"))["items"]
        assert (item["programme"], item["allocations"]["rows"]) == ("ETH-01", 1)


# --- what is stated --------------------------------------------------------------------------------------------------


async def test_an_empty_ledger_states_zeros(books: Books) -> None:
    for query in ({}, {"on": "2024-02-29"}, {"as_of": "0"}, {"as_of": "1"}):
        fund = await books.get(STATEMENT, **query)
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
        assert (fund["delivery"]["share"], fund["delivery"]["per_cent"]) == (None, None)
        for what in ("contributors", "programmes", "organizations", "commitments"):
            assert (await books.get(f"{STATEMENT}/{what}", **query))["items"] == []
    assert (await books.get("/funding/v1/capitalization"))["periods"] == []
    assert (await books.get(f"{LEDGER}/totals"))["totals"] == []
    assert await books.rows() == []
    assert set((await books.get(f"{LEDGER}/facets"))["facets"]) >= {"kind", "flag"}


async def test_statements_are_of_a_day_as_known_at_a_revision(books: Books) -> None:
    await books.enter("deposit", "100.00", "2024-03-01", contributor="DEU")
    known = str(await books.revision())
    await books.enter("interest", "7.00", "2024-02-01")
    await books.enter("interest", "3.00", "2024-04-01")
    days = ("2024-01-31", "2024-02-01", "2024-03-01", "2024-04-01")
    assert [await books.balance(on=day) for day in days] == ["0.00", "7.00", "106.00", "109.00"]
    assert [await books.balance(on=day, as_of=known) for day in days] == ["0.00", "0.00", "99.00", "99.00"]


async def test_a_link_lists_the_rows_that_were_counted(books: Books) -> None:
    await books.enter("deposit", "100.00", "2024-03-01", contributor="DEU")
    await books.enter("deposit", "11.00", "2024-03-02", contributor="USA")
    await books.enter("allocation", "50.00", "2024-03-02", programme="ETH-01")
    await books.enter("transfer", "50.00", "2024-03-02", **ETHIOPIA)
    await books.enter("expenditure", "20.00", "2024-03-02", **ETHIOPIA, category="travel")
    known = str(await books.revision())
    moment = str((await books.get(f"{LEDGER}/L-000007"))["updated"])
    await books.enter("deposit", "1.00", "2024-03-01", contributor="DEU")
    for query in ({"on": "2024-03-01"}, {"as_of": known}, {"on": "2024-03-02", "as_of": moment}, {}):
        lines: list[Facts] = []
        for path in ("", "/contributors", "/programmes", "/organizations"):
            collect(await books.get(f"{STATEMENT}{path}", **query), lines)
        assert len(lines) > 12
        for line in lines:
            page = await books.get(line["link"])
            assert page["total"] == len(page["items"]) == line["rows"]
            total = sum((Decimal(row["sum"]["amount"]) for row in page["items"]), Decimal(0))
            assert f"{total:.2f}" == line["sum"]["amount"]


def collect(said: Any, lines: list[Facts]) -> None:
    if isinstance(said, list):
        for item in said:
            collect(item, lines)
    elif isinstance(said, dict):
        if {"kind", "rows", "link"} <= set(said):
            lines.append(said)
        for item in said.values():
            collect(item, lines)


async def test_capitalization_counts_up_to_the_end_of_each_period(books: Books) -> None:
    months = [f"2024-{month}" for month in ("01-31", "02-29", "03-31", "04-30", "05-31", "06-30", "07-31", "08-31",
                                            "09-30", "10-31", "11-30", "12-31")]  # fmt: skip
    ends = {
        "year": ["2023-12-31", "2024-12-31", "2025-12-31"],
        "quarter": ["2023-12-31", *months[2::3], "2025-03-31"],
        "month": ["2023-12-31", *months, "2025-01-31", "2025-02-28"],
    }
    dated = {"2023-12-31": "1.00", "2024-02-29": "15000000.00", "2024-03-01": "0.50", "2025-02-28": "55000000.00"}
    for date, amount in dated.items():
        await books.enter("deposit", amount, date, contributor="DEU")
    await books.enter("pledge", "3.00", "2024-03-31", contributor="DEU")
    for interval, expected in ends.items():
        periods = (await books.get("/funding/v1/capitalization", interval=interval))["periods"]
        assert [period["end"] for period in periods] == expected
        for period in periods:
            until = sum((Decimal(amount) for date, amount in dated.items() if date <= period["end"]), Decimal(0))
            assert period["deposits"]["amount"] == f"{until:.2f}"
            assert period["pledges"]["amount"] == ("3.00" if period["end"] >= "2024-03-31" else "0.00")
            for target, whole in zip(period["targets"], (70_000_000, 150_000_000), strict=True):
                exact = Fraction(int(target["share"]["numerator"]), int(target["share"]["denominator"]))
                assert exact == Fraction(until) / whole
        assert periods[-1]["targets"][0]["per_cent"] == "100.00"


async def test_delivery_is_what_was_spent_of_what_was_received_and_kept(funded: Books) -> None:
    assert (await funded.get(STATEMENT))["delivery"]["per_cent"] is None
    await funded.enter("transfer", "400.00", "2024-03-01", **ETHIOPIA)
    assert (await funded.get(STATEMENT))["delivery"]["per_cent"] == "0.00"
    await funded.enter("expenditure", "100.00", "2024-04-01", **ETHIOPIA, category="travel")
    await funded.enter("refund", "100.00", "2024-05-01", **ETHIOPIA)
    for path in ("", "/programmes", "/organizations"):
        for on, share in (("2024-03-31", ("0", "1", "0.00")), ("2024-04-30", ("1", "4", "25.00")),
                          ("2024-05-31", ("1", "3", "33.33"))):  # fmt: skip
            said = await funded.get(f"{STATEMENT}{path}", on=on)
            delivery = (said if "delivery" in said else said["items"][0])["delivery"]
            assert (delivery["share"]["numerator"], delivery["share"]["denominator"], delivery["per_cent"]) == share


async def test_a_statement_of_many_gives_each_its_own(books: Books) -> None:
    await books.enter("interest", "100000.00", "2024-01-01")
    programmes, organizations = ("ECU-01", "MDA-01", "SRB-01", "ZAF-01"), ("ILO", "IOM", "WHO")
    sent = [body("allocation", "9000.00", "2024-01-02", programme=p, reference="SC-1") for p in programmes]
    for n, pair in enumerate(product(programmes, organizations)):
        parties = dict(zip(("programme", "organization"), pair, strict=True))
        sent.append(body("transfer", f"{1000 + n}.07", "2024-02-01", **parties))
        # Each programme's money is enough for what it spent; that of one organization in two of them is not.
        spent = f"{1100 + n}.00" if n in (1, 10) else f"{300 + 7 * n}.01"
        sent.append(body("expenditure", spent, "2024-03-01", category="travel", **parties))
        sent += [body("refund", f"{n}.50", "2024-04-01", **parties)] if n % 3 else []
    assert (await books.batch(*sent)).json()["written"] == len(sent)
    for on in ("2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30"):
        rows = await books.rows(date_to=on)
        for name, path in (("programme", "programmes"), ("organization", "organizations")):
            items = (await books.get(f"{STATEMENT}/{path}", on=on))["items"]
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
        assert [item["overspent"] for item in (await books.get(f"{STATEMENT}/{path}"))["items"]] == expected


def added(rows: list[Facts], kind: str) -> tuple[str, int]:
    amounts = [Decimal(row["sum"]["amount"]) for row in rows if row["kind"] == kind]
    return f"{sum(amounts, Decimal(0)):.2f}", len(amounts)


async def test_cents_are_exact_however_much_there_is(books: Books) -> None:
    most = "99999999999999.99"
    sent = [body("interest", most), *(body("interest", "0.01") for _ in range(299))]
    answer = await books.batch(*sent)
    assert answer.json()["written"] == 300
    for _ in range(3):
        assert (await books.batch(*(body("interest", most) for _ in range(10)))).status_code == 200
    whole = Decimal(most) * 31 + Decimal("2.99")
    assert await books.balance() == f"{whole:.2f}"
    totals = await books.get(f"{LEDGER}/totals", by="year")
    (total,) = totals["totals"]
    assert (total["sum"]["amount"], total["rows"], totals["rows"]) == (f"{whole:.2f}", 330, 330)
    page = await books.get(LEDGER, sort="-amount", limit="31")
    assert {row["sum"]["amount"] for row in page["items"]} == {most}
    assert (await books.get(page["next"]))["items"][0]["sum"]["amount"] == "0.01"


async def test_the_ledger_is_exported(funded: Books) -> None:
    await funded.enter("transfer", "10.00", **ETHIOPIA, tranche=2, note='He said "no", twice')
    await funded.enter("expenditure", "11.00", **ETHIOPIA, category="travel")
    await funded.enter("deposit", "10.85", contributor="USA", original=ORIGINAL)
    await funded.reverse("L-000004")
    answer = await funded.running.client.get(LEDGER, params={"format": "csv"})
    rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    listed = await funded.rows()
    assert [row["code"] for row in rows] == [row["code"] for row in listed]
    for row, item in zip(rows, listed, strict=True):
        assert (row["amount"], row["currency"]) == (item["sum"]["amount"], "USD")
        for name in ("kind", "date", "contributor", "programme", "organization", "category", "follows", "reverses",
                     "tranche", "recorded_by", "reference"):  # fmt: skip
            assert row[name] == ("" if item[name] is None else str(item[name]))
        assert row["flags"] == "|".join(item["flags"])
    converted = next(row for row in rows if row["original_currency"])
    assert (converted["original_amount"], converted["rate"]) == ("10.00", "1.0850")
    ndjson = await funded.running.client.get(LEDGER, params={"format": "ndjson", "reversal": "true"})
    assert [json.loads(line)["reverses"] for line in ndjson.text.splitlines()] == ["L-000004"]
