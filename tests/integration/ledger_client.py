"""A client of the ledger for tests, and the entries that it sends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from mmptf_funding.ledger import rules
from tests.conftest import RunningApp, pool_of, running_app
from tests.integration.replicas import revision, until
from tests.tokens import writing

Json = dict[str, Any]
Who = tuple[str, str | None]

LEDGER, STATEMENT = "/funding/v1/ledger", "/funding/v1/statement"
AGENT, UNIT, ADMIN = ("agent", None), ("management-unit", None), ("admin", None)
IOM, ILO = ("agency", "IOM"), ("agency", "ILO")
ETHIOPIA: Json = {"programme": "ETH-01", "organization": "ILO"}
ORIGINAL = {"amount": "10.00", "currency": "EUR", "rate": "1.0850", "rate_date": "2024-01-01", "rate_source": "a table"}
MEMBERS: Json = {
    "contributor": "DEU", "programme": "ETH-01", "organization": "ILO", "thematic_area": "2", "category": "supplies",
    "tranche": 1, "follows": "L-000001", "original": ORIGINAL, "amendment": "increase",
    "value_date": "2024-05-07", "account": "USD-MAIN", "bank_reference": "INV 1",
    "counterpart_fund": "Another fund", "fee": {"amount": "0.50", "reason": "Clause 4."},
    "instalments": [{"due": "2024-06-30", "amount": "4.00"}, {"due": "2024-12-31", "amount": "6.00"}],
}  # fmt: skip


@dataclass(frozen=True)
class LedgerClient:
    """A funding service with a database of its own, and requests to its ledger."""

    running: RunningApp

    async def post(self, who: Who, sent: Json, path: str = "", **query: str) -> httpx.Response:
        return await self.running.client.post(f"{LEDGER}{path}", json=sent, params=query, headers=writing(*who))

    async def enter(self, kind: str, amount: str, date: str = "2024-05-05", who: Who = AGENT, **members: Any) -> Json:
        """The entry that was written, by ADMIN, who may write every kind."""
        if rules.KINDS[kind].referenced:
            members = {"reference": "SC-1", **members}
        answer = await self.post(ADMIN if who == AGENT else who, body(kind, amount, date, **members))
        assert answer.status_code == 201, answer.text
        found: Json = answer.json()
        return found

    async def reverse(self, code: str, date: str = "2024-06-30", who: Who = ADMIN) -> httpx.Response:
        return await self.post(who, {"date": date, "reason": "It was wrong."}, f"/{code}/reversal")

    async def batch(self, *entries: Json, who: Who = ADMIN, **query: str) -> httpx.Response:
        return await self.post(who, {"entries": list(entries)}, "/batch", **query)

    async def get(self, path: str, **query: str) -> Any:
        answer = await self.running.client.get(path, params=query or None)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def rows(self, **query: str) -> list[Json]:
        page = await self.get(LEDGER, limit="1000", **query)
        found: list[Json] = page["items"]
        return found

    async def balance(self, **query: str) -> str:
        return str((await self.get(STATEMENT, **query))["balance"]["amount"])

    async def revision(self) -> int:
        return int((await self.get(LEDGER))["revision"])


def body(kind: str, amount: str = "1.00", date: str = "2024-05-05", **members: Any) -> Json:
    return {"kind": kind, "amount": amount, "date": date, **members}


def errors(answer: httpx.Response) -> list[tuple[str, str]]:
    assert answer.status_code == 422, answer.text
    return sorted((error["code"], error["pointer"]) for error in answer.json()["errors"])


def refused(answer: httpx.Response, status: int, code: str, *words: str) -> None:
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code), answer.text
    assert answer.headers.get("retry-after") == ("2" if status > 500 else None)
    assert all(word in problem["detail"] for word in words), problem["detail"]


async def copied(running: RunningApp, catalogue: RunningApp | None = None) -> None:
    """Return when the first copy of the catalogue is complete, or every present change of a catalogue is copied."""

    async def is_copied() -> bool:
        row = await pool_of(running.app.state.database).fetchrow("SELECT last, caught_up FROM replication")
        if row is None or row["caught_up"] is None:
            return False
        return catalogue is None or bool(row["last"] >= await revision(catalogue))

    await until(is_copied)


@asynccontextmanager
async def running_ledger(
    database_url: str, catalogue_url: str, redis_url: str | None = None, **settings: object
) -> AsyncIterator[LedgerClient]:
    """A ledger with a copy of the catalogue at a URL, which it keeps up to date."""
    async with running_app("funding", database_url, redis_url, catalog_url=catalogue_url, **settings) as running:
        await copied(running)
        yield LedgerClient(running)


@contextmanager
def oldest_copy(ledger: LedgerClient, seconds: int) -> Iterator[None]:
    """Let the copy of the catalogue be of at most this age within the block."""
    before = ledger.running.app.state.settings.catalog_max_age
    ledger.running.set(catalog_max_age=seconds)
    try:
        yield
    finally:
        ledger.running.set(catalog_max_age=before)


def right(kind: str) -> Json:
    """An entry of a kind with everything that it needs and takes."""
    rule = rules.KINDS[kind]
    members = {name: MEMBERS[name] for name in rule.needs | rule.takes}
    if "follows" in members:
        members["follows"] = "L-000001" if kind == "commitment" else "L-000002"
    if kind == "commitment_amendment":
        # The commitment is in US dollars.
        del members["original"]
        members["instalments"] = [{"due": "2024-12-31", "amount": "10.85"}]
    return body(kind, "10.85", reference="SC-1", **members)
