"""Transfers above a limit: one person proposes, another one approves, and nothing leads around it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from mmptf_common.storage.erasure import erase_subject
from mmptf_common.writes.bodies import CSV
from mmptf_funding.settings import FundingSettings
from tests.integration.ledger_client import (
    ADMIN,
    AGENT,
    ETHIOPIA,
    ILO,
    LEDGER,
    STATEMENT,
    UNIT,
    Json,
    LedgerClient,
    Who,
    body,
    errors,
    refused,
)
from tests.integration.test_ledger_import import as_csv, send
from tests.tokens import bearer, writing

LIMITS, PROPOSALS = "/funding/v1/transfer-limits", "/funding/v1/transfer-proposals"
LIMIT: Json = {"amount": "100.00", "reason": "Two persons release what is above it."}
BIG: Json = {"date": "2024-05-05", "amount": "200.00", **ETHIOPIA}
REASON = {"reason": "It was asked for less."}
# Two persons of the administrative agent, and the first of them by another client.
FIRST, SECOND = "officer.one", "officer.two"


class Approvals:
    """Requests about transfers above a limit, each by one person of a client."""

    def __init__(self, ledger: LedgerClient) -> None:
        self.ledger, self.client = ledger, ledger.running.client

    async def send(
        self, path: str, sent: Json | None, person: str = FIRST, client: str = "agent", **query: str
    ) -> httpx.Response:
        headers = {**writing(client, match="*"), **bearer(client, sub=person)}
        return await self.client.post(path, json=sent, params=query, headers=headers)

    async def state(self, **members: Any) -> Json:
        answer = await self.send(LIMITS, {**LIMIT, **members}, "unit.officer", "management-unit")
        assert answer.status_code == 201, answer.text
        found: Json = answer.json()
        return found

    async def propose(self, person: str = FIRST, **members: Any) -> str:
        answer = await self.send(PROPOSALS, {**BIG, **members}, person)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["code"])

    async def decide(
        self, step: str, code: str, person: str = SECOND, client: str = "agent", **query: str
    ) -> httpx.Response:
        return await self.send(
            f"{PROPOSALS}/{code}/{step}", None if step == "approval" else REASON, person, client, **query
        )

    async def get(self, path: str, who: Who = UNIT) -> Json:
        answer = await self.client.get(path, headers=bearer(*who))
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found


@pytest.fixture
async def approvals(funded_ledger: LedgerClient) -> Approvals:
    """Six hundred dollars may be transferred, and above one hundred a second person is needed."""
    found = Approvals(funded_ledger)
    await found.state()
    return found


async def public(ledger: LedgerClient) -> list[Any]:
    """What the public reads that a transfer is part of."""
    paths = (
        *(LEDGER, f"{LEDGER}/totals?by=kind", f"{LEDGER}/facets", STATEMENT, f"{STATEMENT}/programmes"),
        *(f"{STATEMENT}/organizations", "/funding/v1/period-statements/fund", "/funding/v1/cards/programmes/ETH-01"),
        *("/funding/v1/statement/earmarks", "/funding/v1/settlements/ETH-01"),
    )
    found = [await ledger.get(path) for path in paths]
    for answer in found:
        answer.pop("revision", None)
    return [found, (await ledger.get("/funding/v1/changes", limit="1000"))["items"]]


async def test_a_transfer_above_the_limit_counts_once_another_person_approves_it(approvals: Approvals) -> None:
    ledger = approvals.ledger
    before = await public(ledger)
    entered = await approvals.send(LEDGER, body("transfer", "100.01", **ETHIOPIA))
    refused(entered, 409, "needs_second_person", "100.00 USD", PROPOSALS)
    code = await approvals.propose(note="The second instalment.")
    assert await public(ledger) == before
    proposal = await approvals.get(f"{PROPOSALS}/{code}")
    assert (proposal["state"], proposal["entry"], proposal["decided"]) == ("proposed", None, None)
    # The same person is the same by another client, for another organization, and as an administrator.
    for client in ("agent", "admin"):
        own = await approvals.decide("approval", code, FIRST, client)
        refused(own, 403, "needs_second_person", "another person")
    for client in ("management-unit", "agency"):
        refused(await approvals.decide("approval", code, SECOND, client), 403, "forbidden")
    assert await public(ledger) == before
    tried = await approvals.decide("approval", code, dry_run="true")
    assert (tried.status_code, await public(ledger)) == (201, before)
    done = await approvals.decide("approval", code)
    assert (done.status_code, done.headers["location"]) == (201, f"{LEDGER}/L-000004"), done.text
    entry = done.json()
    assert (entry["kind"], entry["sum"]["amount"], entry["proposal"]) == ("transfer", "200.00", code)
    assert (entry["note"], entry["recorded_by"], entry["flags"]) == ("The second instalment.", "MPTFO", [])
    assert (await ledger.get(f"{STATEMENT}/programmes"))["items"][0]["transfers"]["sum"]["amount"] == "200.00"
    # Both persons are on the proposal that the entry names, and the audit has their names.
    proposal = await approvals.get(f"{PROPOSALS}/{code}")
    persons = proposal["proposed"]["person"], proposal["decided"]["person"]
    assert (proposal["state"], proposal["entry"], len({*persons})) == ("approved", entry["code"], 2)
    assert not {FIRST, SECOND} & {*persons}
    audit = (await approvals.get("/funding/v1/audit?limit=1000&entity=ledger_entry", ADMIN))["items"]
    assert (audit[-1]["key"], audit[-1]["actor"]) == (entry["code"], SECOND)
    audit = (await approvals.get("/funding/v1/audit?limit=1000&entity=transfer_proposal", ADMIN))["items"]
    assert [(each["action"], each["actor"]) for each in audit] == [("create", FIRST), ("amend", SECOND)]
    shown = await public(ledger)
    assert not any(text in str(shown) for text in (FIRST, SECOND, *persons))
    for again in ("approval", "rejection", "withdrawal"):
        refused(await approvals.decide(again, code, FIRST), 409, "proposal_decided", "approved already")


async def test_a_proposal_is_rejected_by_another_person_and_withdrawn_by_its_own(approvals: Approvals) -> None:
    before = await public(approvals.ledger)
    rejected, withdrawn = await approvals.propose(), await approvals.propose()
    refused(await approvals.decide("rejection", rejected, FIRST), 403, "needs_second_person")
    refused(await approvals.decide("withdrawal", withdrawn), 403, "forbidden", "the person who has proposed it")
    assert (await approvals.decide("rejection", rejected)).json()["state"] == "rejected"
    assert (await approvals.decide("withdrawal", withdrawn, FIRST)).json()["decided"]["reason"] == REASON["reason"]
    assert await public(approvals.ledger) == before
    for code, state in ((rejected, "rejected"), (withdrawn, "withdrawn")):
        listed = await approvals.get(f"{PROPOSALS}?state={state}&programme=eth-01&organization=ILO")
        assert [each["code"] for each in listed["items"]] == [code]
        refused(await approvals.decide("approval", code), 409, "proposal_decided", f"{state} already")
    history = await approvals.get(f"{PROPOSALS}/{rejected}/history")
    assert [each["reason"] for each in history["items"]] == ["proposed", REASON["reason"]]


async def test_no_other_write_leads_around_the_limit(approvals: Approvals) -> None:
    ledger = approvals.ledger
    await ledger.enter("deposit", "1000.00", "2024-01-10", contributor="DEU")
    small = await ledger.enter("transfer", "60.00", "2024-05-05", **ETHIOPIA)
    big = body("transfer", "100.01", **ETHIOPIA)
    batch = (await ledger.batch(body("interest", "1.00"), big, partial="true")).json()
    assert [each["status"] for each in batch["outcomes"]] == [200, 409]
    assert errors(await ledger.batch(big)) == [("needs_second_person", "/entries/0")]
    row = {"id": "V-1", "kind": "transfer", "date": "2024-05-05", "amount": "100.01", **ETHIOPIA}
    imported = await send(ledger, as_csv([row]), CSV, rows="1", total="100.01")
    assert errors(imported) == [("needs_second_person", "/ledger-entries/2/amount")]
    right = {**big, "reversal_date": "2024-05-05", "reason": "A figure was left out."}
    refused(await ledger.post(AGENT, right, f"/{small['code']}/correction"), 409, "needs_second_person")
    # Of an earlier day, by whoever may write everything, it is the same.
    earlier = body("transfer", "100.01", "2024-02-11", **ETHIOPIA)
    refused(await ledger.post(ADMIN, earlier), 409, "needs_second_person")
    # Who may not enter transfers proposes none, and an unknown member does not make an entry an approved one.
    for client in ("management-unit", "agency"):
        refused(await approvals.send(PROPOSALS, BIG, SECOND, client), 403, "forbidden")
    assert errors(await ledger.post(AGENT, {**big, "proposal": "TP-000001"})) == [("unknown_member", "/proposal")]
    # What is wrong with an entry is said at once; the money is not set aside.
    answer = await approvals.send(PROPOSALS, {**BIG, "programme": "ETH-99"})
    assert ("unknown_code", "/programme") in errors(answer)
    refused(await approvals.send(PROPOSALS, {**BIG, "amount": "540.01"}), 409, "exceeds_allocation")
    first, second = await approvals.propose(amount="540.00"), await approvals.propose(amount="540.00")
    assert (await approvals.decide("approval", first)).status_code == 201
    refused(await approvals.decide("approval", second), 409, "exceeds_allocation")
    # A reversal pays nobody, and needs no second person; what takes its place does.
    (approved,) = [row for row in await ledger.rows(kind="transfer") if row["proposal"]]
    assert (await ledger.reverse(approved["code"], BIG["date"], AGENT)).status_code == 201
    assert (await approvals.decide("approval", second)).status_code == 201


async def test_parts_of_a_transfer_on_one_day_are_flagged(approvals: Approvals) -> None:
    ledger = approvals.ledger
    first = await ledger.enter("transfer", "60.00", **ETHIOPIA)
    second = await ledger.enter("transfer", "50.00", **ETHIOPIA)
    (detail,) = second["flag_details"]
    assert (first["flags"], second["flags"]) == ([], ["transfers_of_day_exceed_limit"])
    assert detail["excess"] == {"amount": "10.00", "currency": "USD"}
    assert "110.00 USD are transferred to ILO for ETH-01 on 2024-05-05" in detail["detail"]
    assert [row["code"] for row in await ledger.rows(flag="transfers_of_day_exceed_limit")] == [second["code"]]
    # Of another day nothing is added up, and neither is what was approved or reversed.
    code = await approvals.propose(date="2024-05-06")
    assert (await approvals.decide("approval", code)).json()["flags"] == []
    assert (await ledger.enter("transfer", "60.00", "2024-05-06", **ETHIOPIA))["flags"] == []
    for each in (first, second):
        assert (await ledger.reverse(each["code"])).status_code == 201
    entry = body("transfer", "30.00", **ETHIOPIA)
    codes = [each["code"] for each in (await ledger.batch(entry, entry, entry, entry)).json()["outcomes"]]
    flags = [(await ledger.get(f"{LEDGER}/{code}"))["flags"] for code in codes]
    assert flags == [[], [], [], ["transfers_of_day_exceed_limit"]]
    # What is corrected does not count beside what takes its place.
    right = {
        **entry,
        "amount": "31.00",
        "tranche": 2,
        "reversal_date": "2024-05-05",
        "reason": "Of the second tranche.",
    }
    corrected = await ledger.post(AGENT, {**right, "amount": "10.00"}, f"/{codes[0]}/correction")
    assert (corrected.status_code, corrected.json()["flags"]) == (201, []), corrected.text
    corrected = await ledger.post(AGENT, right, f"/{codes[1]}/correction")
    assert corrected.json()["flags"] == ["transfers_of_day_exceed_limit"]


async def test_the_management_unit_states_the_limit_and_it_holds_from_its_day_on(
    funded_ledger: LedgerClient,
) -> None:
    approvals, today = Approvals(funded_ledger), datetime.now(UTC).date()
    before = await public(funded_ledger)
    # Where none is stated, nobody else is needed; and what was entered stays.
    await funded_ledger.enter("transfer", "150.00", **ETHIOPIA)
    for client in ("agent", "agency"):
        refused(await approvals.send(LIMITS, LIMIT, FIRST, client), 403, "forbidden")
    yesterday = {**LIMIT, "since": f"{today - timedelta(days=1)}"}
    assert errors(await approvals.send(LIMITS, yesterday, "unit.officer", "management-unit")) == [
        ("too_early", "/since")
    ]
    await approvals.state(since=f"{today + timedelta(days=1)}", amount="0.01")
    await funded_ledger.enter("transfer", "150.00", "2024-05-06", **ETHIOPIA)
    assert (await approvals.state())["since"] == f"{today}"
    big = body("transfer", "100.01", "2024-05-07", **ETHIOPIA)
    refused(await funded_ledger.post(AGENT, big), 409, "needs_second_person")
    # The last one that was stated for the day counts, and null takes the limit away.
    await approvals.state(amount="120")
    assert (await funded_ledger.post(AGENT, big)).status_code == 201
    await approvals.state(amount=None)
    await funded_ledger.enter("transfer", "150.00", "2024-05-08", **ETHIOPIA)
    listed = await approvals.get(f"{LIMITS}?sort=-since")
    amounts = [each["amount"] and each["amount"]["amount"] for each in listed["items"]]
    assert amounts == ["0.01", None, "120.00", "100.00"]
    for path in (LIMITS, PROPOSALS, f"{LIMITS}/TL-000001"):
        assert (await approvals.client.get(path)).status_code == 401
        refused(await approvals.client.get(path, headers=bearer(*ILO)), 403, "forbidden")
        assert (await approvals.client.get(path, headers=bearer(*AGENT))).headers[
            "cache-control"
        ] == "private, no-cache"
    changes = await funded_ledger.get("/funding/v1/changes", limit="1000")
    assert {each["entity"] for each in changes["items"]} == {each["entity"] for each in before[1]}


async def test_of_two_approvals_at_once_one_enters_the_transfer(approvals: Approvals) -> None:
    code = await approvals.propose()
    answers = await asyncio.gather(*(approvals.decide("approval", code, f"officer.{n}") for n in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    assert len(await approvals.ledger.rows(kind="transfer")) == 1


async def test_nobody_approves_what_a_person_has_proposed_who_was_erased(approvals: Approvals) -> None:
    code, running = await approvals.propose(), approvals.ledger.running
    settings = FundingSettings.model_construct(database_url=SecretStr(running.database_url))
    erased = await erase_subject(settings, FIRST)
    assert (erased.named, erased.mentions) == (True, [])
    for person in (FIRST, SECOND):
        refused(await approvals.decide("approval", code, person), 409, "proposal_decided", "erased")
    assert (await approvals.decide("rejection", code)).status_code == 200


async def test_a_closed_period_takes_no_proposed_transfer(approvals: Approvals) -> None:
    code = await approvals.propose()
    path = "/funding/v1/periods"
    period = {"code": "2024", "start": "2024-01-01", "end": "2024-12-31"}
    assert (await approvals.send(path, period)).status_code == 201
    assert (await approvals.send(f"{path}/2024/closing", REASON)).status_code == 200
    refused(await approvals.decide("approval", code), 409, "period_closed")
    assert (await approvals.get(f"{PROPOSALS}/{code}"))["state"] == "proposed"
