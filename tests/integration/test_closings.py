"""Financial closing: the catalogue closes the accounts of a programme whose money the ledger says is settled."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.conftest import RunningApp, running_app
from tests.integration.changes import write
from tests.integration.ledger_client import ADMIN, AGENT, UNIT, Json, LedgerClient, body, copied, running_ledger
from tests.serving import served
from tests.tokens import writing

CODE = "ETH-01"
CLOSINGS, SETTLEMENTS = "/funding/v1/closings", "/funding/v1/settlements"
OWN = {"programme": CODE, "organization": "ILO"}
CERTIFICATE: Json = {
    "programme": CODE, "date": "2026-06-30", "document": "Final statement", "signatory": "Comptroller",
    "figures": [{"organization": "ILO", "transferred": "600.00", "refunded": "0.00", "expenditure": "500.00"}],
    "promised_refunds": [
        {"organization": "ILO", "amount": "100.00", "due": "2026-12-31", "reference": "A letter"},
    ],
}  # fmt: skip


@dataclass
class Pair:
    """A catalogue and a ledger that ask each other."""

    catalogue: RunningApp
    ledger: LedgerClient

    async def become(self, status: str, code: str = CODE, **query: str) -> httpx.Response:
        sent = {"status": status, "date": "2026-06-01", "reason": "It is over.", "decision": "Decision 9"}
        answer = await self.catalogue.client.post(
            f"/catalog/v1/programmes/{code}/status",
            json=sent, params=query, headers=writing("management-unit", match="*"),
        )  # fmt: skip
        await copied(self.ledger.running, self.catalogue)
        return answer

    async def certify(self, who: Any = AGENT, **members: Any) -> httpx.Response:
        return await self.ledger.running.client.post(CLOSINGS, json={**CERTIFICATE, **members}, headers=writing(*who))

    async def missing(self, code: str = CODE) -> list[tuple[str, str | None]]:
        found = await self.ledger.get(f"{SETTLEMENTS}/{code}")
        assert found["settled"] == (found["missing"] == [])
        return [(gap["kind"], gap["amount"] and gap["amount"]["amount"]) for gap in found["missing"]]


@pytest.fixture
async def pair(new_database: Callable[[str], str]) -> AsyncIterator[Pair]:
    async with (
        running_app("catalog", new_database("catalog"), None) as catalogue,
        served(catalogue.app) as catalogue_url,
        running_ledger(new_database("funding"), catalogue_url) as ledger,
        served(ledger.running.app) as url,
    ):
        catalogue.set(funding_url=url)
        yield Pair(catalogue, ledger)


def codes(answer: httpx.Response) -> list[str]:
    return [error["code"] for error in answer.json()["errors"]]


async def test_a_programme_is_closed_once_its_money_is_settled(pair: Pair) -> None:
    ledger = pair.ledger
    await ledger.enter("deposit", "1000.00", "2024-01-10", contributor="DEU")
    await ledger.enter("allocation", "600.00", "2024-02-10", programme=CODE)
    extra = await ledger.enter("allocation", "50.00", "2024-02-10", programme=CODE)
    await ledger.enter("transfer", "600.00", "2024-03-10", **OWN)
    spent = await ledger.enter("expenditure", "500.00", "2024-06-10", category="travel", **OWN)

    # It has not ended, and nothing is settled.
    assert codes(await pair.certify()) == ["status_does_not_allow"]
    assert (await pair.become("operationally_closed")).status_code == 200
    assert await pair.missing() == [("not_transferred", "50.00"), ("unspent", "100.00"), ("not_certified", None)]
    refused = await pair.become("financially_closed")
    assert (refused.status_code, refused.json()["code"]) == (409, "not_settled")
    assert codes(refused) == ["not_settled"] * 3
    assert "50.00 USD are allocated and not transferred." in refused.json()["detail"]
    change = {"programme": CODE, "etag": "*", "status": "financially_closed", "date": "2026-06-01", "reason": "It is"
              " over.", "decision": "Decision 9"}  # fmt: skip
    batch = await pair.catalogue.client.post(
        "/catalog/v1/status-changes", json={"changes": [change]}, headers=writing("management-unit")
    )
    assert (batch.status_code, codes(batch)) == (422, ["not_settled"] * 3)

    # The figures are those of the ledger to the cent, and the agent certifies them.
    assert (await pair.certify(UNIT)).status_code == 403
    refused = await pair.certify()
    assert (refused.status_code, refused.json()["code"]) == (409, "not_settled")
    assert (await ledger.reverse(extra["code"], "2024-07-01")).status_code == 201
    wrong = [{**CERTIFICATE["figures"][0], "expenditure": "500.01"}]
    assert codes(await pair.certify(figures=wrong)) == ["figure_differs"]
    assert codes(await pair.certify(programme="ETH-1")) == ["unknown_code"]
    assert (await pair.certify(promised_refunds=[])).json()["code"] == "not_settled"
    certified = await pair.certify()
    assert (certified.status_code, certified.headers["location"]) == (201, f"{CLOSINGS}/{CODE}")
    assert certified.json()["figures"][0]["expenditure"] == {"amount": "500.00", "currency": "USD"}
    assert (await pair.certify()).json()["code"] == "code_taken"
    assert await pair.missing() == []

    # From then on nothing but refunds is entered or reversed.
    for sent in (
        body("allocation", "1.00", programme=CODE, reference="SC"), body("transfer", "1.00", **OWN),
        body("expenditure", "1.00", category="travel", **OWN),
    ):  # fmt: skip
        assert "figures_certified" in codes(await ledger.post(ADMIN, sent))
    assert (await ledger.reverse(spent["code"])).json()["code"] == "figures_certified"
    withdrawal = {"reason": "A figure is wrong."}
    headers = writing(*AGENT, match=certified.headers["etag"])
    withdrawn = await ledger.running.client.post(f"{CLOSINGS}/{CODE}/withdrawal", json=withdrawal, headers=headers)
    assert (withdrawn.status_code, withdrawn.json()["state"]) == (200, "withdrawn")
    assert await pair.missing() == [("unspent", "100.00"), ("not_certified", None)]
    assert (await pair.become("financially_closed")).status_code == 409
    assert (await pair.certify()).status_code == 201

    assert (await pair.become("financially_closed", dry_run="true")).status_code == 200
    assert (await pair.become("financially_closed")).status_code == 200
    settlement = await ledger.get(f"{SETTLEMENTS}/{CODE}")
    assert (settlement["status"], settlement["settled"]) == ("financially_closed", True)
    headers = writing(*AGENT, match="*")
    late = await ledger.running.client.post(f"{CLOSINGS}/{CODE}/withdrawal", json=withdrawal, headers=headers)
    assert (late.status_code, late.json()["code"]) == (409, "not_amendable")
    # The promised refund comes, and is flagged.
    refund = await ledger.enter("refund", "100.00", "2026-07-15", **OWN)
    assert refund["flags"] == ["unusual_for_status"]
    settlement = await ledger.get(f"{SETTLEMENTS}/{CODE}")
    assert settlement["missing"] == []
    (organization,) = settlement["organizations"]
    assert (organization["unspent"]["amount"], organization["promised"]["amount"]) == ("0.00", "100.00")
    page = await ledger.get(CLOSINGS, state="certified", sort="-date")
    assert [item["code"] for item in page["items"]] == [CODE]
    assert len((await ledger.get(f"{CLOSINGS}/{CODE}/history"))["items"]) == 3


async def test_closing_waits_where_the_ledger_is_away_and_nothing_else_does(pair: Pair) -> None:
    url = pair.catalogue.app.state.settings.funding_url
    # No money was ever meant for it.
    assert (await pair.ledger.get(f"{SETTLEMENTS}/MKD-01"))["settled"] is True
    pair.catalogue.set(funding_url=None)
    assert (await pair.become("operationally_closed", "MKD-01")).status_code == 200
    for address, status, code in ((None, 503, "not_configured"), ("http://127.0.0.1:1", 502, "service_unreachable")):
        pair.catalogue.set(funding_url=address)
        answer = await pair.become("financially_closed", "MKD-01")
        assert (answer.status_code, answer.json()["code"]) == (status, code)
    pair.catalogue.set(funding_url=url)
    assert (await pair.become("financially_closed", "MKD-01")).status_code == 200
    # A programme that the ledger has not copied yet.
    await write(pair.ledger.running, "DELETE FROM programme WHERE code = 'SRB-01'")
    assert (await pair.become("operationally_closed", "SRB-01", dry_run="true")).status_code == 200
    for path in (f"{SETTLEMENTS}/SRB-01", f"{SETTLEMENTS}/SRB-1", f"{CLOSINGS}/SRB-01"):
        assert (await pair.ledger.running.client.get(path)).status_code == 404
    tag = (await pair.ledger.running.client.get(f"{SETTLEMENTS}/MKD-01")).headers["etag"]
    same = await pair.ledger.running.client.get(f"{SETTLEMENTS}/MKD-01", headers={"if-none-match": tag})
    assert same.status_code == 304
