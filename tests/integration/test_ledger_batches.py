"""Batches of ledger entries: as the same entries one by one, and written by few statements."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import asyncpg
import pytest

from mmptf_common.storage.journal import JOURNAL_LOCK
from tests.conftest import pool_of
from tests.integration.ledger_client import (
    ADMIN,
    AGENT,
    ETHIOPIA,
    ILO,
    LEDGER,
    ORIGINAL,
    UNIT,
    Json,
    LedgerClient,
    Who,
    body,
    errors,
    refused,
    running_ledger,
)
from tests.tokens import writing
from tests.writes import statements_of

# --- a batch is the same as its entries one by one -------------------------------------------------------------------

CONTRIBUTORS = ("DEU", "DEU", "USA", "ZWE", "deu", "germny", "ATLANTIS")
PROGRAMMES = (*["ETH-01"] * 6, "MDA-01", "MKD-01", "eth-01", "NO-SUCH-01")
ORGANIZATIONS = (*["ILO"] * 4, "IOM", "UNHCR", "ilo", "UN-X")
KINDS = ("pledge", "commitment", "deposit", "deposit", "allocation", "transfer", "transfer", "expenditure", "refund",
         "direct_cost", "bank_charge", "interest")  # fmt: skip
DAYS = ("2024-01-05", "2024-02-05", "2024-02-05", "2024-03-05", "2099-01-01")


def random_entry(dice: random.Random, last: int) -> Json:
    """An entry that is right or wrong in many ways; `last` is the number of the last entry so far."""
    kind = dice.choice(KINDS)
    sent = body(kind, f"{dice.choice((1, 50, 900, 30000, 500000)) / 100:.2f}", dice.choices(DAYS, (5, 5, 5, 5, 1))[0])
    members: dict[str, Any] = {}
    if kind in ("pledge", "commitment", "deposit"):
        members["contributor"] = dice.choice(CONTRIBUTORS)
        if dice.random() < 0.2:
            members["thematic_area"] = dice.choice(("2", "3", "99"))
        if dice.random() < 0.1:
            members["original"] = ORIGINAL
    if kind in ("commitment", "deposit", "transfer") and dice.random() < 0.6:
        members["follows"] = dice.choice(
            (f"L-{dice.randint(1, last + 20):06d}", "L-999999", "l-000001", "L-1", "L000001")
        )
    if kind in ("allocation", "transfer", "expenditure", "refund"):
        members["programme"] = dice.choice(PROGRAMMES)
    if kind in ("transfer", "expenditure", "refund"):
        members["organization"] = dice.choice(ORGANIZATIONS)
    if kind == "expenditure" and dice.random() < 0.9:
        members["category"] = "travel"
    if kind in ("allocation", "direct_cost") and dice.random() < 0.9:
        members["reference"] = "SC-1"
    if dice.random() < 0.5:
        members["note"] = f"note {dice.random()}"
    return {**sent, **members}


async def one_by_one(ledger: LedgerClient, who: Who, entries: list[Json]) -> list[Json]:
    """What the report of a batch has to say of the entries, each sent by itself."""
    outcomes = []
    for n, entry in enumerate(entries):
        answer = await ledger.post(who, entry)
        found = answer.json()
        if answer.status_code == 201:
            outcomes.append({"row": n, "outcome": "written", "code": found["code"], "status": 200, "errors": []})
            continue
        alone = found["errors"] or [{"code": found["code"], "detail": found["detail"], "pointer": ""}]
        placed = [{**error, "pointer": f"/entries/{n}{error['pointer']}"} for error in alone]
        outcomes.append({"row": n, "outcome": "refused", "code": None, "status": answer.status_code, "errors": placed})
    return outcomes


def comparable(outcomes: list[Json]) -> list[Json]:
    """Outcomes without what an error that is a whole problem does not have."""
    kept = ("code", "detail", "pointer")
    return [
        {
            **outcome,
            "errors": [
                {k: v for k, v in error.items() if k in kept or (v is not None and v != [])}
                for error in outcome["errors"]
            ],
        }
        for outcome in outcomes
    ]


async def stored(ledger: LedgerClient) -> dict[str, list[Any]]:
    """The rows and the journal of a ledger, without what differs in every write."""
    plain = "regexp_replace(({}::jsonb - 'updated')::text, 'after=[0-9]+', 'after=')"
    statements = {
        "entries": "SELECT code, number, kind, date, amount, contributor, programme, organization, thematic_area,"
        f" category, follows, reverses, flags, reversed_by, {plain.format('record')} FROM ledger_entry ORDER BY number",
        "programmes": f"SELECT code, {plain.format('record')} FROM programme ORDER BY code",
        "journal": f"SELECT entity, key, action, {plain.format('before')}, {plain.format('after')},"
        " coalesce(nullif(coalesce(change.reason, revision.reason), 'a batch of entries'), '')"
        " FROM change JOIN revision ON seq BETWEEN first AND number WHERE entity IN ('ledger_entry', 'programme')"
        " ORDER BY entity, seq",
        "gaps": "SELECT count(*) - max(seq) FROM change",
    }
    found = {}
    for name, statement in statements.items():
        found[name] = [tuple(row) for row in await pool_of(ledger.running.app.state.database).fetch(statement)]
    return found


@pytest.fixture
async def other(new_database: Callable[[str], str], catalogue_url: str) -> AsyncIterator[LedgerClient]:
    """Another empty ledger."""
    async with running_ledger(new_database("funding"), catalogue_url) as found:
        yield found


@pytest.mark.parametrize("seed", range(2))
async def test_a_batch_is_what_its_entries_are_one_by_one(ledger: LedgerClient, other: LedgerClient, seed: int) -> None:
    """Outcomes, entries, programmes and journal, for random entries of which some are refused."""
    dice = random.Random(seed)
    seen: Counter[int] = Counter()
    for turn in range(4):
        who = dice.choice((ADMIN, ADMIN, ADMIN, AGENT, UNIT, ILO))
        last = len(await ledger.rows())
        entries = [random_entry(dice, last) for _ in range(dice.choice((1, 15, 25)))]
        if turn == 0:
            who, first = ADMIN, body("deposit", "2000.00", DAYS[0], contributor="DEU")
            entries = [first, body("allocation", "900.00", DAYS[0], programme="ETH-01", reference="SC"), *entries]
        expected = await one_by_one(other, who, entries)
        wrong = [error for outcome in expected for error in outcome["errors"]]
        before = await stored(ledger)
        tried = (await ledger.batch(*entries, who=who, partial="true", dry_run="true")).json()
        assert comparable(tried["outcomes"]) == comparable(expected)
        whole = await ledger.batch(*entries, who=who, dry_run="true")
        assert whole.status_code == (422 if wrong else 200)
        if wrong:
            problem = (await ledger.batch(*entries, who=who)).json()
            assert problem == {**whole.json(), "instance": problem["instance"], "request_id": problem["request_id"]}
            assert [(e["code"], e["pointer"]) for e in problem["errors"]] == [(e["code"], e["pointer"]) for e in wrong]
        assert await stored(ledger) == before
        report = (await ledger.batch(*entries, who=who, **({"partial": "true"} if wrong else {}))).json()
        assert report == {**tried, "dry_run": False}
        rows = await ledger.rows()
        open_rows = [row["code"] for row in rows if not row["reverses"] and not row["reversed_by"]]
        for code in dice.sample(open_rows, min(2, len(open_rows))):
            answers = [await each.reverse(code, "2024-06-30") for each in (ledger, other)]
            assert answers[0].status_code == answers[1].status_code
        assert await stored(ledger) == await stored(other)
        seen.update(outcome["status"] for outcome in expected)
    assert min(seen[status] for status in (200, 409, 422)) > 2, seen


# --- permission first ------------------------------------------------------------------------------------------------


async def test_a_batch_that_the_caller_may_not_write_waits_for_nobody(
    shared_ledger: LedgerClient,
) -> None:
    writer = await asyncpg.connect(shared_ledger.running.database_url)
    entries = [body("allocation", programme=f"XXX-{n:02d}", reference="SC") for n in range(40)]
    async with writer.transaction(), asyncio.timeout(5):
        await writer.execute("SELECT pg_advisory_xact_lock($1)", JOURNAL_LOCK)
        whole = await shared_ledger.batch(*entries, who=AGENT)
        partial = await shared_ledger.batch(*entries, who=AGENT, partial="true")
        alone = await shared_ledger.post(AGENT, entries[0])
        keyless = await shared_ledger.running.client.post(
            f"{LEDGER}/batch",
            json={"entries": entries},
            headers={k: v for k, v in writing(*UNIT).items() if k.lower() != "idempotency-key"},
        )
    await writer.close()
    assert errors(whole) == sorted(("forbidden", f"/entries/{n}") for n in range(40))
    assert {(row["status"], row["code"]) for row in partial.json()["outcomes"]} == {(403, None)}
    refused(alone, 403, "forbidden", "allocation: entered by the Fund's management unit")
    refused(keyless, 400, "idempotency_key_missing")


# --- few statements --------------------------------------------------------------------------------------------------


def allocations(codes: Iterable[str]) -> list[Json]:
    return [body("allocation", programme=code, reference="SC") for code in codes]


async def test_a_thousand_entries_take_few_statements(funded_ledger: LedgerClient) -> None:
    """Most of what a write costs while others wait for it; a dry run and refused entries take as few."""
    kinds = [
        lambda n: body("deposit", "10.00", contributor="DEU", note=f"note {n}"),
        lambda n: body("transfer", "0.10", **ETHIOPIA),
        lambda n: body("expenditure", "0.20", category="travel", **ETHIOPIA),
        lambda n: body("commitment", "5.00", contributor="USA", follows="L-000007"),
        lambda n: body("deposit", "5.00", contributor=f"UNKNOWN-{n}"),
        lambda n: body("bank_charge", "99999.00"),
    ]
    entries = [kinds[n % len(kinds)](n) for n in range(1000)]
    for query in ({"dry_run": "true"}, {}):
        with statements_of(funded_ledger.running) as executed:
            report = (await funded_ledger.batch(*entries, partial="true", **query)).json()
        assert (report["written"], report["refused"]) == (501, 499)
        assert len(executed) < 30
    changes = await pool_of(funded_ledger.running.app.state.database).fetch(
        "SELECT key, reason FROM change JOIN ledger_entry ON code = key WHERE kind = 'deposit' AND reason IS NOT NULL"
    )
    assert sorted(reason for _, reason in changes) == sorted(f"note {n}" for n in range(0, 1000, 6))


async def test_a_batch_has_a_thousand_entries_at_most(shared_ledger: LedgerClient) -> None:
    answer = await shared_ledger.batch(*[body("interest")] * 1001, dry_run="true")
    assert errors(answer) == [("invalid_value", "/entries")]
