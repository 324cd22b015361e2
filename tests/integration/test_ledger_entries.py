"""Entries of the ledger: what each kind needs, who may enter it, the agent's fee, batches and contributors."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from mmptf_funding.ledger import rules
from tests.integration.ledger_client import (
    ADMIN,
    AGENT,
    ETHIOPIA,
    ILO,
    IOM,
    LEDGER,
    MEMBERS,
    ORIGINAL,
    STATEMENT,
    UNIT,
    Json,
    LedgerClient,
    Who,
    body,
    errors,
    refused,
    right,
)
from tests.tokens import writing

SENT_KINDS = [kind for kind in rules.KINDS if kind not in rules.DERIVED]


# --- what a kind has, and who enters it ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", SENT_KINDS)
async def test_a_kind_has_what_it_needs_and_takes_and_nothing_else(shared_ledger: LedgerClient, kind: str) -> None:
    rule, sent = rules.KINDS[kind], right(kind)
    least = {name: value for name, value in sent.items() if name not in rule.takes}
    other = sorted(set(MEMBERS) - rule.needs - rule.takes)
    variants: list[tuple[Json, list[tuple[str, str]]]] = [
        (sent, []),
        (least, []),
        ({**sent, "reference": None}, [("missing_member", "/reference")] if rule.referenced else []),
        *(({**sent, name: None}, [("missing_member", f"/{name}")]) for name in sorted(rule.needs)),
        *(({**sent, name: MEMBERS[name]}, [("not_applicable", f"/{name}")]) for name in other),
    ]
    before = await shared_ledger.revision()
    report = (await shared_ledger.batch(*(variant for variant, _ in variants), partial="true", dry_run="true")).json()
    for n, (outcome, (variant, found)) in enumerate(zip(report["outcomes"], variants, strict=True)):
        said = {(error["code"], error["pointer"]) for error in outcome["errors"]}
        assert said >= {(code, f"/entries/{n}{pointer}") for code, pointer in found}, variant
        assert outcome["outcome"] == ("refused" if found else "written"), (variant, outcome)
    written = (await shared_ledger.post(ADMIN, sent, dry_run="true")).json()
    for name in set(MEMBERS) - {"original", "instalments", "fee"}:
        assert written[name] == sent.get(name)
    fee = written["fee"] and {"amount": written["fee"]["sum"]["amount"], "reason": written["fee"]["reason"]}
    assert fee == sent.get("fee")
    parts = [{"due": part["due"], "amount": part["sum"]["amount"]} for part in written["instalments"]]
    assert parts == sent.get("instalments", [])
    assert {part["sum"]["currency"] for part in written["instalments"]} <= {"EUR" if "original" in sent else "USD"}
    if "original" in sent:
        assert written["original"]["sum"] == {"amount": "10.00", "currency": "EUR"}
        assert written["original"]["rate"] == ORIGINAL["rate"]
    else:
        assert written["original"] is None
    assert await shared_ledger.revision() == before


@pytest.mark.parametrize("kind", SENT_KINDS)
async def test_a_kind_is_entered_by_those_whose_it_is(shared_ledger: LedgerClient, kind: str) -> None:
    may: list[Who] = [ADMIN]
    may += [UNIT] if kind == "allocation" else [AGENT]
    may += [UNIT] if kind == "pledge" else [ILO] if kind in ("expenditure", "refund") else []
    for who in (AGENT, UNIT, ADMIN, IOM, ILO, ("agency", "MPTFO")):
        answer = await shared_ledger.post(who, right(kind), dry_run="true")
        assert answer.status_code == (201 if who in may else 403), (who, answer.text)
    refused(await shared_ledger.post(("reviewer", None), right(kind), dry_run="true"), 403, "insufficient_scope")


async def test_a_fee_is_not_sent(shared_ledger: LedgerClient) -> None:
    assert errors(await shared_ledger.post(ADMIN, body("agent_fee"))) == [("unknown_code", "/kind")]


@pytest.mark.parametrize("date", ["0000-01-01", "9999-12-31", "1989-12-31", "2023-02-29", "2024-04-31", "2024-1-1", ""])
async def test_a_day_is_one_of_the_calendar(shared_ledger: LedgerClient, date: str) -> None:
    assert errors(await shared_ledger.post(ADMIN, body("interest", date=date))) == [("invalid_value", "/date")]


async def test_a_day_has_come(shared_ledger: LedgerClient) -> None:
    now = datetime.now(UTC)
    today = await shared_ledger.post(AGENT, body("interest", date=f"{now:%Y-%m-%d}"), dry_run="true")
    assert today.status_code == 201
    later = await shared_ledger.post(AGENT, body("interest", date=f"{now + timedelta(days=2):%Y-%m-%d}"))
    assert errors(later) == [("in_the_future", "/date")]
    assert (await shared_ledger.post(AGENT, body("interest", date="2024-02-29"), dry_run="true")).status_code == 201


@pytest.mark.parametrize(
    "amount",
    ["0.00", "0", "-1.00", "1.000", "01.00", "1,00", "1e2", " 1.00", "100000000000000.00", 1.5, 100, None],
)
async def test_an_amount_is_a_text_above_zero(shared_ledger: LedgerClient, amount: object) -> None:
    answer = await shared_ledger.post(ADMIN, {**body("interest"), "amount": amount})
    code = "invalid_value" if isinstance(amount, str) else "invalid_type"
    assert errors(answer) == [(code, "/amount")]
    (found,) = answer.json()["errors"]
    assert (
        'an amount as text with two decimals, above zero and without separators, such as "1070000.00"'
        in (found["detail"])
    )
    assert ("numbers of JSON are not exact" in found["detail"]) == (amount in (1.5, 100))


@pytest.mark.parametrize(("sent", "stored"), [("1070000", "1070000.00"), ("1070000.5", "1070000.50")])
async def test_an_amount_without_cents_is_answered_with_them(
    shared_ledger: LedgerClient, sent: str, stored: str
) -> None:
    answer = await shared_ledger.post(ADMIN, body("interest", sent), dry_run="true")
    assert answer.status_code == 201, answer.text
    assert answer.json()["sum"] == {"amount": stored, "currency": "USD"}


@pytest.mark.parametrize(
    ("currency", "suggestion"),
    [
        *(("EUX", None), ("XXX", None), ("XTS", None), ("eur", "EUR"), ("EUR ", "EUR"), ("€", None)),
        # Replaced by others, the last of them in January 2026.
        *(("DEM", None), ("HRK", None), ("ANG", None), ("ZWL", None), ("BGN", None)),
    ],
)
async def test_a_currency_is_one_of_iso_4217(
    shared_ledger: LedgerClient, currency: str, suggestion: str | None
) -> None:
    sent = body("pledge", "10.85", contributor="DEU", original={**ORIGINAL, "currency": currency})
    answer = await shared_ledger.post(ADMIN, sent)
    assert errors(answer) == [("unknown_code", "/original/currency")]
    (found,) = answer.json()["errors"]
    assert "no currency of ISO 4217" in found["detail"]
    assert found["suggestion"] == suggestion


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
        ("10.85", {"rate": "1.085e0"}, [("invalid_value", "/original/rate")]),
        ("10.85", {"rate": "1000000.0"}, [("invalid_value", "/original/rate")]),
    ],
)
async def test_an_amount_follows_from_the_original_and_its_rate(
    shared_ledger: LedgerClient, amount: str, changed: Json, found: list[tuple[str, str]]
) -> None:
    sent = body("pledge", amount, contributor="DEU", original={**ORIGINAL, **changed})
    answer = await shared_ledger.post(ADMIN, sent, dry_run="true")
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
async def test_a_code_stands_for_something_that_fits(
    shared_ledger: LedgerClient, members: Json, found: tuple[str, str]
) -> None:
    assert errors(await shared_ledger.post(ADMIN, {**body("pledge"), **members})) == [found]


async def test_who_takes_part_in_a_programme_may_be_left_open(shared_ledger: LedgerClient) -> None:
    sent = [
        body("allocation", "5.00", programme="MDA-01", reference="SC-1"),
        body("transfer", "5.00", programme="MDA-01", organization="WHO"),
    ]
    assert (await shared_ledger.batch(*sent, dry_run="true")).status_code == 200


ARRANGEMENT = {"title": "Arrangement", "url": "https://docs.example.org/saa.pdf", "sha256": "0" * 64}
NEW_MEMBERS = ("corrects", "value_date", "account", "bank_reference", "instalments", "decision", "attachments")


async def test_an_entry_says_what_the_bank_knows_of_it_what_it_corrects_and_who_decided(ledger: LedgerClient) -> None:
    bank = {"value_date": "2024-05-07", "account": "CH93 0076", "bank_reference": "Inv. 7, part 2"}
    await ledger.enter("deposit", "100.00", contributor="DEU", **bank)
    fee = (await ledger.rows(kind="agent_fee"))[0]
    assert (fee["value_date"], fee["account"], fee["bank_reference"]) == ("2024-05-07", "CH93 0076", None)
    sent = {"corrects": "L-000001", "decision": "SC-2026/04", "attachments": [ARRANGEMENT]}
    made_good = await ledger.enter("bank_charge", "1.00", account="USD-MAIN", **sent)
    assert {name: made_good[name] for name in sent} == sent
    for found, query in (
        (["L-000001"], {"bank_reference": "inv. 7, PART 2"}), ([], {"bank_reference": "Inv. 7"}),
        (["L-000001", "L-000002"], {"account": "ch93 0076"}), (["L-000003"], {"account": "USD-MAIN"}),
        (["L-000001", "L-000002"], {"value_date_from": "2024-05-07"}), ([], {"value_date_to": "2024-05-06"}),
        (["L-000003"], {"decision": "sc-2026/04"}), (["L-000003"], {"corrects": "l-000001"}),
        (["L-000001", "L-000002"], {"corrects": "not_stated"}), ([], {"account": "not_stated"}),
    ):  # fmt: skip
        assert [row["code"] for row in await ledger.rows(**query)] == found, query
    # Of the bank's statement a reversal has the account, so that the sum of each account is net.
    await ledger.enter("interest", "1.00")
    reversal = (await ledger.reverse("L-000001")).json()
    assert [reversal[name] for name in NEW_MEMBERS] == [None, None, "CH93 0076", None, [], None, []]
    assert await ledger.balance() == "0.00"


@pytest.mark.parametrize(
    ("members", "found"),
    [
        ({"corrects": "L-999999"}, ("unknown_code", "/corrects")),
        ({"value_date": "2099-01-01"}, ("in_the_future", "/value_date")),
        ({"account": " USD"}, ("invalid_value", "/account")),
        ({"account": "U" * 41}, ("invalid_value", "/account")),
        ({"bank_reference": "=1+1"}, ("invalid_value", "/bank_reference")),
        ({"attachments": [{**ARRANGEMENT, "url": "http://example.org"}]}, ("invalid_value", "/attachments/0/url")),
        ({"attachments": [{**ARRANGEMENT, "sha256": "0" * 63}]}, ("invalid_value", "/attachments/0/sha256")),
        ({"attachments": [ARRANGEMENT] * 21}, ("invalid_value", "/attachments")),
    ],
)
async def test_a_member_that_is_wrong_is_named(
    shared_ledger: LedgerClient, members: Json, found: tuple[str, str]
) -> None:
    assert errors(await shared_ledger.post(ADMIN, body("interest", **members))) == [found]


async def test_instalments_are_what_is_promised(shared_ledger: LedgerClient) -> None:
    for amounts, right_sum in ((["4.00", "6.00"], True), (["4.00", "6.85"], False)):
        parts = [{"due": "2027-01-31", "amount": amount} for amount in amounts]
        for members, is_right in (({"original": ORIGINAL}, right_sum), ({}, not right_sum)):
            sent = body("commitment", "10.85", contributor="DEU", instalments=parts, **members)
            answer = await shared_ledger.post(ADMIN, sent, dry_run="true")
            assert (answer.status_code == 201) == is_right, answer.text
            assert is_right or errors(answer) == [("amount_does_not_follow", "/instalments")]


# --- the fee ---------------------------------------------------------------------------------------------------------


FEES = {
    "0.49": None, "0.50": "0.01", "1.50": "0.02", "2.50": "0.03", "2.49": "0.02", "1000.00": "10.00",
    "99999999999999.99": "1000000000000.00", "0.01": None,
}  # fmt: skip


async def test_a_deposit_brings_the_fee_with_half_a_cent_rounded_up(ledger: LedgerClient) -> None:
    balance = Decimal(0)
    for amount, fee in FEES.items():
        deposit = await ledger.enter("deposit", amount, contributor="DEU", thematic_area="2", reference="SAA")
        found = [row for row in await ledger.rows(kind="agent_fee") if row["follows"] == deposit["code"]]
        assert [(row["sum"]["amount"], row["date"]) for row in found] == ([(fee, "2024-05-05")] if fee else [])
        for row in found:
            assert {row[name] for name in set(MEMBERS) - {"follows", "instalments"}} | {row["reference"]} == {None}
        balance += Decimal(amount) - Decimal(fee or 0)
        assert await ledger.balance() == f"{balance:.2f}"


async def test_another_fee_is_entered_with_its_reason(ledger: LedgerClient) -> None:
    for amount, fees in (("2.50", ["2.50"]), ("0.00", [])):
        agreed = {"amount": amount, "reason": "Clause 4 of the arrangement."}
        deposit = await ledger.enter("deposit", "100.00", contributor="DEU", fee=agreed)
        assert deposit["fee"]["sum"] == {"amount": amount, "currency": "USD"}
        found = [row for row in await ledger.rows(kind="agent_fee") if row["follows"] == deposit["code"]]
        assert [row["sum"]["amount"] for row in found] == fees
        assert {row["note"] for row in found} <= {agreed["reason"]}
    assert await ledger.balance() == "197.50"
    sent = body("deposit", "1.00", contributor="DEU", fee={"amount": "1.01", "reason": "Too much."})
    assert errors(await ledger.post(AGENT, sent)) == [("invalid_value", "/fee/amount")]


async def test_the_fee_is_reversed_with_its_deposit(ledger: LedgerClient) -> None:
    await ledger.enter("deposit", "10.85", contributor="DEU", original=ORIGINAL)
    reversal = await ledger.reverse("L-000001")
    assert reversal.status_code == 201
    assert reversal.headers["location"] == f"{LEDGER}/L-000003"
    rows = await ledger.rows()
    assert [(row["kind"], row["sum"]["amount"], row["reverses"], row["date"]) for row in rows[2:]] == [
        ("deposit", "-10.85", "L-000001", "2024-06-30"),
        ("agent_fee", "-0.11", "L-000002", "2024-06-30"),
    ]
    assert rows[2]["original"]["sum"] == {"amount": "-10.00", "currency": "EUR"}
    assert [row["reversed_by"] for row in rows] == ["L-000003", "L-000004", None, None]
    assert await ledger.balance() == "0.00"
    assert await ledger.balance(on="2024-06-29") == "10.74"


async def test_a_fee_that_was_reversed_before_is_not_reversed_again(ledger: LedgerClient) -> None:
    await ledger.enter("deposit", "100.00", contributor="DEU")
    assert (await ledger.reverse("L-000002")).status_code == 201
    assert await ledger.balance() == "100.00"
    assert (await ledger.reverse("L-000001")).status_code == 201
    assert [row["kind"] for row in await ledger.rows()] == ["deposit", "agent_fee", "agent_fee", "deposit"]
    assert await ledger.balance() == "0.00"


# --- batches, contributors -------------------------------------------------------------------------------------------


async def test_a_batch_is_written_whole_or_not_at_all(ledger: LedgerClient) -> None:
    sent = (
        body("commitment", "9.00", contributor="DEU"),
        body("deposit", "9.00", contributor="DEU", follows="L-000001"),
        body("bank_charge", "100.00"),
        body("pledge", "1.00", tranche=3),
    )
    before = await ledger.revision()
    found = errors(await ledger.batch(*sent))
    assert found == [("insufficient_balance", "/entries/2"), ("missing_member", "/entries/3/contributor"),
                     ("not_applicable", "/entries/3/tranche")]  # fmt: skip
    assert await ledger.revision() == before
    shared = (await ledger.batch(*sent, partial="true", dry_run="true")).json()
    assert await ledger.revision() == before
    report = (await ledger.batch(*sent, partial="true")).json()
    assert {**shared, "dry_run": False} == report
    assert (report["written"], report["refused"]) == (2, 2)
    assert [row["code"] for row in report["outcomes"]] == ["L-000001", "L-000002", None, None]
    assert [row["status"] for row in report["outcomes"]] == [200, 200, 409, 422]
    assert [row["code"] for row in await ledger.rows()] == ["L-000001", "L-000002", "L-000003"]
    changes = await ledger.get("/funding/v1/changes", entity="ledger_entry")
    assert len({change["revision"] for change in changes["items"]}) == 1


async def test_what_a_caller_may_not_enter_is_refused_within_a_batch(funded_ledger: LedgerClient) -> None:
    await funded_ledger.enter("transfer", "10.00", **ETHIOPIA)
    spent = body("expenditure", "5.00", category="travel", **ETHIOPIA)
    report = (await funded_ledger.batch(spent, body("interest"), who=ILO, partial="true")).json()
    assert [row["status"] for row in report["outcomes"]] == [200, 403]
    assert errors(await funded_ledger.batch(spent, body("interest"), who=ILO)) == [("forbidden", "/entries/1")]


async def test_a_contributor_is_listed_and_gives(ledger: LedgerClient) -> None:
    async def add(who: Who, **sent: Any) -> httpx.Response:
        return await ledger.running.client.post("/funding/v1/contributors", json=sent, headers=writing(*who))

    austria = {"code": "AUT", "name": "Austria", "type": "member_state", "country": "AUT"}
    refused(await add(IOM, **austria), 403, "forbidden")
    assert errors(await ledger.post(AGENT, body("pledge", contributor="AUT"))) == [("unknown_code", "/contributor")]
    for wrong in ({"country": None}, {"type": "individual"}):
        answer = await add(AGENT, **{**austria, **wrong})
        assert answer.status_code == 422, answer.text
    assert (await add(UNIT, **austria)).status_code == 201
    refused(await add(AGENT, **austria), 409, "code_taken")
    await ledger.enter("pledge", "7.00", contributor="AUT")
    (item,) = (await ledger.get(f"{STATEMENT}/contributors"))["items"]
    assert (item["contributor"], item["name"], item["pledges"]["sum"]["amount"]) == ("AUT", "Austria", "7.00")
