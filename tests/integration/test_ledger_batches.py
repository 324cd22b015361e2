"""Batches of ledger entries: as the same entries one by one, asked about together, and written by few statements."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import asyncpg
import httpx
import pytest
import sqlalchemy as sa
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mmptf_common.storage.journal import JOURNAL_LOCK
from mmptf_funding.ledger import catalogue_client
from tests.conftest import pool_of, running_app
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
    catalogue_at,
    errors,
    refused,
)
from tests.serving import served
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
    async with running_app("funding", new_database("funding"), None, catalog_url=catalogue_url) as running:
        yield LedgerClient(running)


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


class Counting:
    """A catalogue that counts its requests, and answers that it has no such records."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[str]]] = []

    async def __call__(self, request: Request) -> Response:
        self.asked.append((request.url.path, request.query_params.getlist("code")))
        return JSONResponse({"items": []})

    @property
    def app(self) -> Starlette:
        return Starlette(routes=[Route("/{path:path}", self.__call__)])


async def test_a_batch_that_the_caller_may_not_write_asks_nobody_and_waits_for_nobody(
    shared_ledger: LedgerClient,
) -> None:
    catalogue = Counting()
    writer = await asyncpg.connect(shared_ledger.running.database_url)
    entries = [body("allocation", programme=f"XXX-{n:02d}", reference="SC") for n in range(40)]
    async with served(catalogue.app) as url, writer.transaction(), asyncio.timeout(5):
        await writer.execute("SELECT pg_advisory_xact_lock($1)", JOURNAL_LOCK)
        with catalogue_at(shared_ledger, url):
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
    assert catalogue.asked == []


async def test_the_catalogue_is_asked_for_the_entries_that_the_caller_may_write(shared_ledger: LedgerClient) -> None:
    catalogue = Counting()
    entries = [
        body("allocation", programme="MDA-01", reference="SC"),
        body("expenditure", programme="ETH-01", organization="ILO", category="travel"),
        body("expenditure", programme="ETH-01", organization="IOM", category="travel"),
    ]
    async with served(catalogue.app) as url:
        with catalogue_at(shared_ledger, url):
            answer = await shared_ledger.batch(*entries, who=ILO, partial="true")
    assert [row["status"] for row in answer.json()["outcomes"]] == [403, 422, 403]
    assert sorted(catalogue.asked) == [("/catalog/v1/organizations", ["ILO"]), ("/catalog/v1/programmes", ["ETH-01"])]


# --- few requests, few statements ------------------------------------------------------------------------------------


class Passing:
    """A catalogue that passes requests on to another one and counts them; an older one does not know the filter."""

    def __init__(self, url: str, *, older: bool = False) -> None:
        self.url, self.older = url, older
        self.asked: list[str] = []

    async def __call__(self, request: Request) -> Response:
        self.asked.append(request.url.path)
        if self.older and "code" in request.query_params:
            return JSONResponse({"code": "unknown_parameter"}, 422)
        async with httpx.AsyncClient() as client:
            answer = await client.get(f"{self.url}{request.url.path}?{request.url.query}")
        return Response(answer.content, answer.status_code, {"location": answer.headers.get("location", "")})

    @property
    def app(self) -> Starlette:
        return Starlette(routes=[Route("/{path:path}", self.__call__)])


def allocations(codes: Iterable[str]) -> list[Json]:
    return [body("allocation", programme=code, reference="SC") for code in codes]


async def test_codes_are_one_request_for_each_hundred(shared_ledger: LedgerClient, catalogue_url: str) -> None:
    """Also where the catalogue lists none of them, of which none is asked for by itself."""
    unlisted = [f"XXX-{n}" for n in range(1000)]
    for codes, most in ((unlisted[:10], 1), (unlisted[:200], 2), (unlisted, 10), (["ETH-01", *unlisted[:200]], 6)):
        catalogue = Passing(catalogue_url)
        async with served(catalogue.app) as url:
            with catalogue_at(shared_ledger, url):
                report = (await shared_ledger.batch(*allocations(codes), partial="true", dry_run="true")).json()
        assert len(catalogue.asked) <= most
        assert [row["status"] for row in report["outcomes"]] == [200 if code == "ETH-01" else 422 for code in codes]


async def test_codes_together_are_answered_as_each_by_itself(
    shared_ledger: LedgerClient, new_database: Callable[[str], str]
) -> None:
    """Those in another case, unknown and earlier ones, and also by a catalogue of the version before."""
    codes = ["ETH-01", "MDA-01", "eth-01", "NO-SUCH-01", "GMB-01", "BIH-01", "CHL-01", "TJK-01", "SLV-01", "OLD-1"]
    codes += [*(f"XXX-{n}" for n in range(8)), "old-2", "OLD-3"]
    renamed = {"OLD-1": "ETH-01", "OLD-2": "MKD-01", "OLD-3": "MDA-01"}
    async with running_app("catalog", new_database("catalog"), None) as running, served(running.app) as home:
        async with running.as_owner() as session:
            for old, new in renamed.items():
                await session.execute(sa.text(f"INSERT INTO renamed_code VALUES ('programme', '{old}', '{new}')"))
        alone = []
        with catalogue_at(shared_ledger, home):
            for entry in allocations(codes):
                alone += (await shared_ledger.batch(entry, partial="true", dry_run="true")).json()["outcomes"]
        for older in (False, True):
            catalogue = Passing(home, older=older)
            async with served(catalogue.app) as url:
                with catalogue_at(shared_ledger, url):
                    sent = allocations(codes)
                    together = (await shared_ledger.batch(*sent, partial="true", dry_run="true")).json()
            for one, other in zip(alone, together["outcomes"], strict=True):
                assert (one["status"], [error["suggestion"] for error in one["errors"]]) == (
                    other["status"], [error["suggestion"] for error in other["errors"]],
                )  # fmt: skip
            written = {code for code, row in zip(codes, together["outcomes"], strict=True) if row["status"] == 200}
            assert {"ETH-01", "MDA-01", "OLD-1", "old-2", "OLD-3"} <= written
            assert older or len(catalogue.asked) < 30


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


async def test_the_catalogue_has_a_limit_for_all_codes_together(
    shared_ledger: LedgerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of its answers comes in time, and all of them together do not."""
    monkeypatch.setattr(catalogue_client, "ALL_SECONDS", 0.5)

    async def slow(request: Request) -> Response:
        await asyncio.sleep(0.2)
        return JSONResponse({"items": []})

    entries = [body("allocation", programme=f"XXX-{n:03d}", reference="SC") for n in range(500)]
    async with served(Starlette(routes=[Route("/{path:path}", slow)])) as url:
        with catalogue_at(shared_ledger, url):
            answer = await shared_ledger.batch(*entries, partial="true")
    refused(answer, 504, "service_timeout", "all codes")
