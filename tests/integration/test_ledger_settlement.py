"""Commitments in another currency, their amendments and instalments, and entries that were put right."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import httpx

from tests.integration.ledger_client import ADMIN, AGENT, ETHIOPIA, STATEMENT, Json, LedgerClient, errors, refused

COMMITMENTS = f"{STATEMENT}/commitments"


def euros(amount: str, rate: str, currency: str = "EUR") -> Json:
    return {
        "original": {"amount": amount, "currency": currency, "rate": rate, "rate_date": "2024-01-01",
                     "rate_source": "a table"},
    }  # fmt: skip


async def outstanding(ledger: LedgerClient, **query: str) -> list[tuple[str, ...]]:
    """The commitments: code; committed, paid, outstanding in US dollars; the same in the own currency."""
    found = []
    for item in (await ledger.get(COMMITMENTS, **query))["items"]:
        names = ("committed", "paid", "outstanding")
        own = item["in_own_currency"]
        found.append(
            (
                item["commitment"],
                *(item[name]["amount"] for name in names),
                *(f"{own[name]['amount']} {own[name]['currency']}" for name in names),
            )
        )
    return found


async def correct(ledger: LedgerClient, code: str, kind: str, amount: str, date: str, **members: Any) -> httpx.Response:
    reason = {"reversal_date": members.pop("reversal_date", date), "reason": "It was mistyped."}
    sent = {"kind": kind, "amount": amount, "date": date, **reason, **members}
    return await ledger.post(ADMIN, sent, f"/{code}/correction")


async def test_a_commitment_in_euros_settles_in_euros(ledger: LedgerClient) -> None:
    await ledger.enter("commitment", "108.50", "2024-02-01", contributor="DEU", **euros("100.00", "1.0850"))
    await ledger.enter("deposit", "54.50", follows="L-000001", contributor="DEU", **euros("50.00", "1.0900"))
    assert await outstanding(ledger) == [
        ("L-000001", "108.50", "54.25", "54.25", "100.00 EUR", "50.00 EUR", "50.00 EUR")
    ]
    await ledger.enter("deposit", "52.00", follows="L-000001", contributor="DEU", **euros("50.00", "1.0400"))
    # Fewer dollars than were committed, and nothing is outstanding.
    assert await outstanding(ledger) == []
    differences = await ledger.rows(kind="exchange_difference")
    assert [(row["sum"]["amount"], row["follows"], row["contributor"]) for row in differences] == [
        ("0.25", "L-000002", "DEU"),
        ("-2.25", "L-000005", "DEU"),
    ]
    fund = await ledger.get(STATEMENT)
    assert fund["balance"]["amount"] == "105.43"
    said = fund["commitments"]
    assert (said["paid"]["amount"], said["outstanding"]["amount"]) == ("108.50", "0.00")
    assert said["exchange_differences"]["sum"]["amount"] == "-2.00"
    (contributor,) = (await ledger.get(f"{STATEMENT}/contributors"))["items"]
    assert contributor["commitments"]["exchange_differences"]["sum"]["amount"] == "-2.00"
    # A further euro is more than was promised.
    more = await ledger.enter("deposit", "1.09", follows="L-000001", contributor="DEU", **euros("1.00", "1.0900"))
    assert more["flags"] == ["deposit_exceeds_commitment"]
    # A reversed deposit takes its fee and its difference with it.
    assert (await ledger.reverse("L-000005")).status_code == 201
    assert await outstanding(ledger) == [
        ("L-000001", "108.50", "55.34", "53.16", "100.00 EUR", "51.00 EUR", "49.00 EUR")
    ]


async def test_a_deposit_in_another_currency_counts_by_its_dollars_at_the_rate_of_the_commitment(
    ledger: LedgerClient,
) -> None:
    await ledger.enter("commitment", "108.50", "2024-02-01", contributor="DEU", **euros("100.00", "1.0850"))
    for members in ({}, euros("30.00", "1.0850", "CHF")):
        entered = await ledger.enter("deposit", "32.55", follows="L-000001", contributor="DEU", **members)
        assert entered["flags"] == ["deposit_in_other_currency"]
    assert await outstanding(ledger) == [
        ("L-000001", "108.50", "65.10", "43.40", "100.00 EUR", "60.00 EUR", "40.00 EUR")
    ]
    assert await ledger.rows(kind="exchange_difference") == []


async def test_a_commitment_is_amended_and_cancelled_in_part(ledger: LedgerClient) -> None:
    promised = {"contributor": "DEU", "follows": "L-000001"}
    await ledger.enter(
        "commitment", "108.50", "2024-02-01", contributor="DEU", thematic_area="2", **euros("100.00", "1.0850")
    )
    increase = await ledger.enter(
        "commitment_amendment", "10.85", amendment="increase", **promised, **euros("10.00", "1.0850")
    )
    assert (increase["thematic_area"], increase["sum"]["amount"]) == ("2", "10.85")
    cancelled = await ledger.enter(
        "commitment_amendment", "21.70", amendment="cancellation", **promised, **euros("20.00", "1.0850")
    )
    assert (cancelled["sum"]["amount"], cancelled["original"]["sum"]["amount"]) == ("-21.70", "-20.00")
    assert await outstanding(ledger) == [("L-000001", "97.65", "0.00", "97.65", "90.00 EUR", "0.00 EUR", "90.00 EUR")]
    assert await outstanding(ledger, on="2024-02-02") == [
        ("L-000001", "108.50", "0.00", "108.50", "100.00 EUR", "0.00 EUR", "100.00 EUR")
    ]
    wrong = {"amendment": "decrease", **promised}
    for members, found in (
        (euros("1.00", "1.0900"), ("does_not_follow", "/original")),
        ({}, ("does_not_follow", "/original")),
        ({**euros("1.00", "1.0850"), "date": "2024-01-31"}, ("too_early", "/date")),
        ({**euros("1.00", "1.0850"), "instalments": [{"due": "2024-12-31", "amount": "1.00"}]},
         ("not_applicable", "/instalments")),
    ):  # fmt: skip
        sent = {"kind": "commitment_amendment", "amount": "1.09", "date": "2024-05-05", **wrong, **members}
        assert errors(await ledger.post(AGENT, sent)) == [found]
    too_much = {
        "kind": "commitment_amendment",
        "amount": "97.66",
        "date": "2024-05-05",
        **wrong,
        **euros("90.01", "1.0850"),
    }
    refused(await ledger.post(AGENT, too_much), 409, "exceeds_commitment", "-0.01 EUR")
    # What deposits paid is no longer promised.
    await ledger.enter("deposit", "97.65", contributor="DEU", follows="L-000001", **euros("90.00", "1.0850"))
    less = await ledger.enter("commitment_amendment", "10.85", **wrong, **euros("10.00", "1.0850"))
    assert less["flags"] == ["deposit_exceeds_commitment"]
    fund = (await ledger.get(STATEMENT))["commitments"]
    assert [fund[name]["sum"]["amount"] for name in ("committed", "amendments")] == ["108.50", "-21.70"]
    assert (fund["paid"]["amount"], fund["outstanding"]["amount"]) == ("86.80", "0.00")
    refused(await ledger.reverse("L-000001"), 409, "not_reversible", "rests on L-000001")
    # Without the increase, more would be cancelled than is promised.
    await ledger.enter("commitment_amendment", "86.80", **wrong, **euros("80.00", "1.0850"))
    refused(await ledger.reverse("L-000002", "2024-05-31"), 409, "exceeds_commitment", "-10.00 EUR")


async def test_what_is_outstanding_is_shown_by_the_days_on_which_it_was_due(ledger: LedgerClient) -> None:
    parts = [("2024-01-31", "10.00"), ("2024-04-30", "20.00"), ("2024-06-30", "30.00"), ("2024-12-31", "40.00")]
    instalments = [{"due": due, "amount": amount} for due, amount in parts]
    await ledger.enter(
        "commitment", "200.00", "2024-01-01", contributor="DEU", instalments=instalments, **euros("100.00", "2.0")
    )
    await ledger.enter("commitment", "7.00", "2024-01-01", contributor="USA")

    async def ageing(on: str) -> list[str]:
        said = await ledger.get(COMMITMENTS, on=on)
        assert sum((Decimal(part["amount"]) for part in said["ageing"].values()), Decimal(0)) == Decimal(
            said["outstanding"]["amount"]
        )
        return [part["amount"] for part in said["ageing"].values()]

    # Not due; 1 to 30, 31 to 90, 91 to 180 and more than 180 days past due; without a day.
    assert await ageing("2024-06-30") == ["140.00", "0.00", "40.00", "20.00", "0.00", "7.00"]
    assert await ageing("2024-07-01") == ["80.00", "60.00", "40.00", "20.00", "0.00", "7.00"]
    assert await ageing("2025-07-01") == ["0.00", "0.00", "0.00", "0.00", "200.00", "7.00"]
    # Deposits pay what is due first; a cancellation takes from what is due last, and an increase has its own plan.
    await ledger.enter("deposit", "30.00", "2024-05-01", contributor="DEU", follows="L-000001", **euros("15.00", "2.0"))
    promised = {"contributor": "DEU", "follows": "L-000001", "date": "2024-05-02"}
    await ledger.enter("commitment_amendment", "20.00", amendment="cancellation", **promised, **euros("10.00", "2.0"))
    added = [{"due": "2024-08-31", "amount": "5.00"}]
    await ledger.enter(
        "commitment_amendment", "12.00", amendment="increase", instalments=added[:0], **promised, **euros("6.00", "2.0")
    )
    assert await ageing("2024-07-01") == ["72.00", "60.00", "30.00", "0.00", "0.00", "7.00"]
    assert (await ledger.get(COMMITMENTS))["ageing"] is None
    again = await ledger.running.client.get(COMMITMENTS, params={"on": "2024-07-01", "format": "csv"})
    assert "ageing_not_due_amount" in again.text.splitlines()[0]


async def test_a_mistyped_commitment_is_put_right_under_its_deposits(ledger: LedgerClient) -> None:
    await ledger.enter("commitment", "1085.00", "2024-02-01", contributor="DEU", **euros("1000.00", "1.0850"))
    await ledger.enter("deposit", "54.50", follows="L-000001", contributor="DEU", **euros("50.00", "1.0900"))
    answer = await correct(
        ledger, "L-000001", "commitment", "109.00", "2024-02-01", contributor="DEU", **euros("100.00", "1.0900")
    )
    assert answer.status_code == 201, answer.text
    right = answer.json()
    assert (right["code"], right["replaces"], right["replaced_by"]) == ("L-000006", ["L-000001"], None)
    rows = {row["code"]: row for row in await ledger.rows()}
    assert [(row["kind"], row["sum"]["amount"], row["reverses"]) for row in rows.values()] == [
        ("commitment", "1085.00", None), ("deposit", "54.50", None), ("agent_fee", "0.55", None),
        ("exchange_difference", "0.25", None), ("commitment", "-1085.00", "L-000001"), ("commitment", "109.00", None),
        ("exchange_difference", "-0.25", "L-000004"),
    ]  # fmt: skip
    assert (rows["L-000001"]["reversed_by"], rows["L-000001"]["replaced_by"]) == ("L-000005", "L-000006")
    assert rows["L-000002"]["follows"] == "L-000001"
    assert await outstanding(ledger) == [
        ("L-000006", "109.00", "54.50", "54.50", "100.00 EUR", "50.00 EUR", "50.00 EUR")
    ]
    # As if it had been right from the start, on any day; the journal has what was there.
    assert await outstanding(ledger, on="2024-02-01") == [
        ("L-000006", "109.00", "0.00", "109.00", "100.00 EUR", "0.00 EUR", "100.00 EUR")
    ]
    history = (await ledger.get("/funding/v1/ledger/L-000001/history"))["items"]
    assert [change["changed"] for change in history[1:]] == [["replaced_by", "reversed_by"]]
    # What comes next follows the one that stands; what rests on the one before rests on it, too.
    late = {"contributor": "DEU", **euros("50.00", "1.0900")}
    sent = {"kind": "deposit", "amount": "54.50", "date": "2024-05-05", "follows": "L-000001", **late}
    answer = await ledger.post(ADMIN, sent)
    assert errors(answer) == [("does_not_follow", "/follows")] and "replaced by L-000006" in answer.text
    await ledger.enter("deposit", "54.50", follows="L-000006", **late)
    assert await outstanding(ledger) == []
    refused(await ledger.reverse("L-000006"), 409, "not_reversible", "L-000002, L-000008 rests on L-000006")
    # And once more, in another currency: both deposits count by their dollars.
    assert (
        await correct(ledger, "L-000006", "commitment", "120.00", "2024-02-01", contributor="DEU")
    ).status_code == 201
    assert [row[1:4] for row in await outstanding(ledger)] == [("120.00", "109.00", "11.00")]
    assert (await ledger.rows())[-1]["replaces"] == ["L-000001", "L-000006"]


async def test_a_mistyped_deposit_is_put_right_with_its_fee_and_difference(ledger: LedgerClient) -> None:
    await ledger.enter("commitment", "108.50", "2024-02-01", contributor="DEU", **euros("100.00", "1.0850"))
    paid = {"contributor": "DEU", "follows": "L-000001"}
    await ledger.enter("deposit", "545.00", **paid, **euros("500.00", "1.0900"))
    await ledger.enter("direct_cost", "50.00", "2024-05-06")
    before = await ledger.revision()
    answer = await correct(ledger, "L-000002", "deposit", "54.50", "2024-06-01", **paid, **euros("50.00", "1.0900"))
    assert answer.status_code == 201, answer.text
    assert [(row["kind"], row["sum"]["amount"]) for row in (await ledger.rows())[5:]] == [
        ("deposit", "-545.00"), ("agent_fee", "-5.45"), ("exchange_difference", "-2.50"),
        ("deposit", "54.50"), ("agent_fee", "0.55"), ("exchange_difference", "0.25"),
    ]  # fmt: skip
    assert await ledger.balance() == "3.95"
    assert await ledger.balance(on="2024-05-31") == "489.55"
    assert (await ledger.get("/funding/v1/changes", after=str(before)))["items"][0]["reason"] == "It was mistyped."
    # What is wrong is told, and nothing is written.
    now = await ledger.revision()
    right = {"contributor": "DEU"}
    for code, kind, members, found in (
        ("L-000009", "interest", {}, [("not_applicable", "/kind")]),
        ("L-000009", "deposit", {**right, "reversal_date": "2024-06-02"}, [("too_early", "/date")]),
        ("L-000009", "deposit", {**right, "reversal_date": "2024-05-01"}, [("too_early", "/reversal_date")]),
        ("L-000001", "commitment", {"contributor": "USA", "reversal_date": "2024-02-01"},
         [("does_not_follow", "/contributor")]),
        ("L-000009", "deposit", {"contributor": "ATL"}, [("unknown_code", "/contributor")]),
    ):  # fmt: skip
        answer = await correct(ledger, code, kind, "1.00", "2024-06-01", **members)
        assert errors(answer) == found, code
    too_small = await correct(ledger, "L-000009", "deposit", "1.00", "2024-06-01", **right)
    refused(too_small, 409, "insufficient_balance", "-49.01 USD")
    for code, words in (
        ("L-000002", "was reversed by"),
        ("L-000006", "reverses"),
        ("L-000010", "follows from L-000009"),
    ):
        refused(await correct(ledger, code, "deposit", "1.00", "2024-06-01", **right), 409, "not_reversible", words)
    assert (
        await ledger.post(
            ("agency", "ILO"),
            {
                "kind": "refund",
                "amount": "1.00",
                "date": "2024-06-01",
                **ETHIOPIA,
                "reversal_date": "2024-06-01",
                "reason": "It was wrong.",
            },
            "/L-000009/correction",
        )
    ).status_code == 403
    assert await ledger.revision() == now


async def test_a_corrected_commitment_is_compared_with_what_is_paid_from_its_day_on(ledger: LedgerClient) -> None:
    await ledger.enter("commitment", "40.00", "2024-02-01", contributor="DEU")
    early = await ledger.enter("deposit", "50.00", "2024-01-10", contributor="DEU", follows="L-000001")
    assert early["flags"] == ["deposit_exceeds_commitment"]
    assert (await ledger.reverse(early["code"], "2024-01-20")).status_code == 201
    right = await correct(ledger, "L-000001", "commitment", "45.00", "2024-02-01", contributor="DEU")
    assert (right.status_code, right.json()["flags"]) == (201, [])
