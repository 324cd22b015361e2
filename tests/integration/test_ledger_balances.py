"""Balances that must not fall below zero, flags, and reversals."""

from __future__ import annotations

from tests.integration.ledger_client import (
    AGENT,
    ETHIOPIA,
    ILO,
    IOM,
    LEDGER,
    STATEMENT,
    UNIT,
    Json,
    LedgerClient,
    body,
    errors,
    refused,
)

# --- balances and flags ----------------------------------------------------------------------------------------------


async def test_what_is_not_there_is_not_paid(funded_ledger: LedgerClient) -> None:
    before = await funded_ledger.revision()
    refused(
        await funded_ledger.post(AGENT, body("bank_charge", "990.01", "2024-01-10")),
        409, "insufficient_balance", "On 2024-01-10", "-0.01 USD",
    )  # fmt: skip
    refused(
        await funded_ledger.post(AGENT, body("bank_charge", "0.01", "2024-01-09")), 409, "insufficient_balance", "-0.01"
    )
    assert await funded_ledger.revision() == before
    await funded_ledger.enter("bank_charge", "990.00", "2024-01-10")
    assert await funded_ledger.balance() == "0.00"


async def test_a_backdated_entry_does_not_overdraw_a_later_day(funded_ledger: LedgerClient) -> None:
    await funded_ledger.enter("bank_charge", "900.00", "2024-04-01")
    sent = body("bank_charge", "90.01", "2024-02-01")
    refused(await funded_ledger.post(AGENT, sent), 409, "insufficient_balance", "On 2024-04-01", "-0.01 USD")
    await funded_ledger.enter("interest", "50.00", "2024-04-02")
    refused(await funded_ledger.post(AGENT, sent), 409, "insufficient_balance", "On 2024-04-01", "-0.01 USD")
    await funded_ledger.enter("interest", "0.01", "2024-03-01")
    assert (await funded_ledger.post(AGENT, sent)).status_code == 201


async def test_no_more_is_transferred_than_was_allocated(funded_ledger: LedgerClient) -> None:
    for sent in (
        body("transfer", "600.01", **ETHIOPIA),
        body("transfer", "0.01", "2024-02-09", **ETHIOPIA),
        body("transfer", "0.01", programme="MDA-01", organization="IOM"),
    ):
        refused(await funded_ledger.post(AGENT, sent), 409, "exceeds_allocation", "-0.01 USD", sent["programme"])
    await funded_ledger.enter("transfer", "600.00", **ETHIOPIA)
    refused(
        await funded_ledger.post(UNIT, {"date": "2024-06-01", "reason": "Less."}, "/L-000003/reversal"),
        409, "exceeds_allocation", "On 2024-06-01", "-600.00 USD",
    )  # fmt: skip
    (programme,) = (await funded_ledger.get(f"{STATEMENT}/programmes"))["items"]
    assert programme["not_yet_transferred"]["amount"] == "0.00"


async def test_no_more_is_refunded_than_was_received(funded_ledger: LedgerClient) -> None:
    await funded_ledger.enter("transfer", "100.00", "2024-03-01", **ETHIOPIA)
    refused(
        await funded_ledger.post(ILO, body("refund", "100.01", **ETHIOPIA)),
        409,
        "exceeds_transfers",
        "ILO",
        "-0.01 USD",
    )
    refused(await funded_ledger.post(ILO, body("refund", "1.00", "2024-02-29", **ETHIOPIA)), 409, "exceeds_transfers")
    await funded_ledger.enter("refund", "100.00", who=ILO, **ETHIOPIA)
    refused(await funded_ledger.reverse("L-000004"), 409, "exceeds_transfers", "-100.00 USD")
    assert await funded_ledger.balance() == "990.00"


async def test_a_refund_that_was_paid_out_again_is_not_reversed(funded_ledger: LedgerClient) -> None:
    await funded_ledger.enter("transfer", "600.00", "2024-03-01", **ETHIOPIA)
    await funded_ledger.enter("refund", "600.00", "2024-04-01", **ETHIOPIA)
    await funded_ledger.enter("bank_charge", "990.00", "2024-04-02")
    refused(
        await funded_ledger.reverse("L-000005", "2024-04-01"), 409, "insufficient_balance", "On 2024-04-02", "-600.00"
    )


async def test_expenditure_above_transfers_is_written_and_flagged(funded_ledger: LedgerClient) -> None:
    await funded_ledger.enter("transfer", "100.00", "2024-03-01", **ETHIOPIA)
    spent = {**ETHIOPIA, "category": "travel"}
    assert (await funded_ledger.enter("expenditure", "100.00", who=ILO, **spent))["flags"] == []
    assert (await funded_ledger.enter("expenditure", "0.01", **spent))["flags"] == ["expenditure_exceeds_transfers"]
    refund = await funded_ledger.enter("refund", "1.00", who=ILO, **ETHIOPIA)
    assert refund["flags"] == ["refund_exceeds_unspent"]
    found = await funded_ledger.rows(flag="refund_exceeds_unspent")
    assert [row["code"] for row in found] == [refund["code"]]
    facets = (await funded_ledger.get(f"{LEDGER}/facets"))["facets"]
    assert {f["value"]: f["count"] for f in facets["flag"]} == {
        None: 5, "expenditure_exceeds_transfers": 1, "refund_exceeds_unspent": 1
    }  # fmt: skip
    for what in ("programmes", "organizations"):
        (item,) = (await funded_ledger.get(f"{STATEMENT}/{what}"))["items"]
        assert item["overspent"] is True
        (item,) = (await funded_ledger.get(f"{STATEMENT}/{what}", on="2024-05-04"))["items"]
        assert item["overspent"] is False


async def test_a_backdated_expenditure_that_overspends_a_later_day_is_flagged(funded_ledger: LedgerClient) -> None:
    await funded_ledger.enter("transfer", "100.00", "2024-03-01", **ETHIOPIA)
    spent = {**ETHIOPIA, "category": "travel"}
    await funded_ledger.enter("expenditure", "100.00", "2024-05-01", **spent)
    backdated = await funded_ledger.enter("expenditure", "50.00", "2024-04-01", **spent)
    assert backdated["flags"] == ["expenditure_exceeds_transfers"]


async def test_a_backdated_deposit_that_exceeds_its_commitment_later_is_flagged(ledger: LedgerClient) -> None:
    await ledger.enter("commitment", "100.00", "2024-01-01", contributor="DEU")
    await ledger.enter("deposit", "100.00", "2024-03-01", contributor="DEU", follows="L-000001")
    backdated = await ledger.enter("deposit", "1.00", "2024-02-01", contributor="DEU", follows="L-000001")
    assert backdated["flags"] == ["deposit_exceeds_commitment"]


async def test_a_transfer_that_is_spent_later_than_it_is_reversed_is_flagged(funded_ledger: LedgerClient) -> None:
    await funded_ledger.enter("transfer", "100.00", "2024-03-01", **ETHIOPIA)
    await funded_ledger.enter("expenditure", "60.00", "2024-05-01", **ETHIOPIA, category="travel")
    assert (await funded_ledger.reverse("L-000004", "2024-04-01")).json()["flags"] == ["expenditure_exceeds_transfers"]


async def test_a_reversed_transfer_that_was_spent_is_flagged(funded_ledger: LedgerClient) -> None:
    await funded_ledger.enter("transfer", "100.00", "2024-03-01", **ETHIOPIA)
    await funded_ledger.enter("expenditure", "60.00", "2024-05-01", **ETHIOPIA, category="travel")
    assert (await funded_ledger.reverse("L-000004", "2024-05-01")).json()["flags"] == ["expenditure_exceeds_transfers"]


async def test_a_deposit_above_its_commitment_is_written_and_flagged(ledger: LedgerClient) -> None:
    await ledger.enter("commitment", "100.00", "2024-01-01", contributor="DEU")
    pays: Json = {"contributor": "DEU", "follows": "L-000001"}
    assert (await ledger.enter("deposit", "60.00", "2024-02-01", **pays))["flags"] == []
    assert (await ledger.enter("deposit", "60.00", "2024-03-01", **pays))["flags"] == ["deposit_exceeds_commitment"]
    fund = await ledger.get(STATEMENT)
    commitments = {name: fund["commitments"][name]["amount"] for name in ("paid", "outstanding")}
    assert commitments == {"paid": "100.00", "outstanding": "0.00"}
    assert (await ledger.get(f"{STATEMENT}/commitments"))["items"] == []
    (item,) = (await ledger.get(f"{STATEMENT}/commitments", on="2024-02-28"))["items"]
    assert (item["paid"]["amount"], item["outstanding"]["amount"]) == ("60.00", "40.00")


# --- reversals -------------------------------------------------------------------------------------------------------


async def test_an_entry_is_reversed_once_and_a_reversal_never(ledger: LedgerClient) -> None:
    await ledger.enter("interest", "5.00")
    assert (await ledger.reverse("L-000001")).status_code == 201
    revision = await ledger.revision()
    refused(await ledger.reverse("L-000002"), 409, "not_reversible", "L-000001")
    twice = await ledger.reverse("L-000001")
    assert twice.status_code == 409, twice.text
    refused(await ledger.reverse("L-000009"), 404, "not_found")
    assert await ledger.revision() == revision


async def test_a_reversal_is_dated_between_the_entry_and_today(ledger: LedgerClient) -> None:
    await ledger.enter("interest", "5.00", "2024-05-05")
    for date, code in (("2024-05-04", "too_early"), ("2098-01-01", "in_the_future")):
        assert errors(await ledger.reverse("L-000001", date)) == [(code, "/date")]
    assert (await ledger.reverse("L-000001", "2024-05-05")).status_code == 201
    assert await ledger.balance(on="2024-05-05") == "0.00"


async def test_what_others_rest_on_is_reversed_after_them(ledger: LedgerClient) -> None:
    await ledger.enter("pledge", "9.00", contributor="DEU")
    await ledger.enter("commitment", "9.00", contributor="DEU", follows="L-000001")
    await ledger.enter("deposit", "9.00", contributor="DEU", follows="L-000002")
    refused(await ledger.reverse("L-000001"), 409, "not_reversible", "L-000002")
    refused(await ledger.reverse("L-000002"), 409, "not_reversible", "L-000003")
    for code in ("L-000003", "L-000002", "L-000001"):
        assert (await ledger.reverse(code)).status_code == 201
    again = await ledger.post(AGENT, body("commitment", contributor="DEU", follows="L-000001"))
    assert errors(again) == [("does_not_follow", "/follows")]
    totals = await ledger.get(f"{LEDGER}/totals", by="kind")
    assert {total["sum"]["amount"] for total in totals["totals"]} == {"0.00"}


async def test_a_reversal_is_of_those_whose_entry_it_is(funded_ledger: LedgerClient) -> None:
    await funded_ledger.enter("transfer", "10.00", **ETHIOPIA)
    await funded_ledger.enter("expenditure", "5.00", **ETHIOPIA, category="travel")
    for who, code, status in ((ILO, "L-000004", 403), (IOM, "L-000005", 403), (UNIT, "L-000005", 403)):
        refused(await funded_ledger.reverse(code, who=who), status, "forbidden")
    assert (await funded_ledger.reverse("L-000005", who=ILO)).status_code == 201


async def test_an_entry_that_is_reversed_is_another_answer(ledger: LedgerClient) -> None:
    await ledger.enter("interest", "5.00")
    path = f"{LEDGER}/L-000001"
    before = await ledger.running.client.get(path)
    revision = await ledger.revision()
    assert (await ledger.reverse("L-000001")).status_code == 201
    after = await ledger.running.client.get(path, headers={"if-none-match": before.headers["etag"]})
    assert after.status_code == 200
    assert after.headers["etag"] != before.headers["etag"]
    assert (before.json()["reversed_by"], after.json()["reversed_by"]) == (None, "L-000002")
    amended = {"reversed_by": "L-000002", "updated": after.json()["updated"]}
    assert after.json() == {**before.json(), **amended}
    assert after.json()["updated"] > before.json()["updated"]
    assert await ledger.get(path, as_of=str(revision)) == before.json()
    created, reversed_ = (await ledger.get(f"{path}/history"))["items"]
    assert (created["action"], created["organization"], created["before"]) == ("create", None, None)
    assert (created["after"], reversed_["before"]) == (before.json(), before.json())
    assert (reversed_["action"], reversed_["changed"], reversed_["after"]) == ("amend", ["reversed_by"], after.json())
    reversal = (await ledger.get(f"{LEDGER}/L-000002/history"))["items"]
    assert [change["revision"] for change in reversal] == [reversed_["revision"]]


# --- kinds beside the stages of money --------------------------------------------------------------------------------


async def test_a_contributor_gets_back_no_more_than_it_has_deposited(ledger: LedgerClient) -> None:
    await ledger.enter("interest", "500.00", "2024-01-01")
    await ledger.enter("deposit", "100.00", "2024-02-01", contributor="DEU")
    await ledger.enter("deposit", "50.00", "2024-02-01", contributor="USA")
    back = body("contributor_refund", "80.00", "2024-03-01", contributor="DEU", reference="Letter of 1 March")
    assert (await ledger.post(AGENT, back)).status_code == 201
    refused(await ledger.post(AGENT, back), 409, "exceeds_deposits", "what DEU has deposited would be -60.00 USD")
    refused(await ledger.post(AGENT, {**back, "amount": "20.00", "date": "2024-01-31"}), 409, "exceeds_deposits")
    refused(await ledger.reverse("L-000002"), 409, "exceeds_deposits", "-80.00 USD")
    germany, _ = (await ledger.get(f"{STATEMENT}/contributors"))["items"]
    assert [germany[name]["sum"]["amount"] for name in ("deposits", "refunds")] == ["100.00", "80.00"]


async def test_the_statement_has_every_kind_that_moves_cash(ledger: LedgerClient) -> None:
    opened = {"account": "USD-MAIN", "value_date": "2024-01-01"}
    other = {"counterpart_fund": "Start-up Fund for Safe Migration"}
    for kind, amount, members in (
        ("opening_balance", "1000.00", opened), ("transfer_from_fund", "200.00", other),
        ("other_income", "30.00", {}), ("interest", "4.00", {"organization": "ILO"}),
        ("direct_cost", "10.00", {"organization": "ILO"}), ("transfer_to_fund", "100.00", other),
        ("bank_charge", "1.00", {"account": "USD-MAIN"}), ("bank_charge", "2.00", {"account": "EUR-1"}),
    ):  # fmt: skip
        await ledger.enter(kind, amount, "2024-01-01", **members)
    fund = await ledger.get(STATEMENT)
    assert {line["kind"]: line["sum"]["amount"] for line in (*fund["sources"], *fund["uses"]) if line["rows"]} == {
        "opening_balance": "1000.00", "transfer_from_fund": "200.00", "other_income": "30.00", "interest": "4.00",
        "direct_cost": "10.00", "transfer_to_fund": "100.00", "bank_charge": "3.00",
    }  # fmt: skip
    assert fund["balance"]["amount"] == "1121.00"
    (ilo,) = (await ledger.get(f"{STATEMENT}/organizations"))["items"]
    assert [ilo[name]["sum"]["amount"] for name in ("interest", "direct_costs", "transfers")] == [
        "4.00",
        "10.00",
        "0.00",
    ]
    refused(await ledger.post(AGENT, body("transfer_to_fund", "1121.01", reference="SC-1", **other)), 409,
            "insufficient_balance")  # fmt: skip
    assert errors(await ledger.post(AGENT, body("opening_balance", "1.00"))) == [
        ("missing_member", "/account"),
        ("missing_member", "/reference"),
    ]
    # By account: what the bank has charged.
    totals = await ledger.get(f"{LEDGER}/totals", by="account", kind="bank_charge")
    assert [(group["keys"][0]["value"], group["sum"]["amount"]) for group in totals["totals"][0]["groups"]] == [
        ("EUR-1", "2.00"),
        ("USD-MAIN", "1.00"),
    ]


async def test_an_allocation_may_be_for_one_organization(ledger: LedgerClient) -> None:
    await ledger.enter("allocation", "70.00", who=UNIT, **ETHIOPIA)
    other = body("allocation", "5.00", reference="SC-1", programme="ETH-01", organization="IOM")
    assert errors(await ledger.post(UNIT, other)) == [("not_taking_part", "/organization")]
    (ilo,) = (await ledger.get(f"{STATEMENT}/organizations"))["items"]
    assert ilo["allocations"]["sum"]["amount"] == "70.00"
