"""Commands to the catalogue that tests of programmes share, and what they answer."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count
from typing import Any

import httpx

from mmptf_catalog.programmes.examples import CONTENT
from mmptf_catalog.programmes.rules import NEXT_STATUSES
from tests.tokens import writing

API = "/catalog/v1"
DRAFTS, PROGRAMMES = f"{API}/drafts", f"{API}/programmes"
NUMBERS = count(1)
FUND, AGENCY, OTHER = ("management-unit", None), ("agency", "IOM"), ("agency", "ILO")
Who = tuple[str, str | None]


def today() -> date:
    return datetime.now(UTC).date()


def body(**members: Any) -> dict[str, Any]:
    """A complete draft under a new code; a member that is None is not sent, nor are localities of other places."""
    if "places" in members:
        members = {"localities": None, **members}
    sent = {**CONTENT, "programme_code": f"LIFE-{next(NUMBERS):03}", **members}
    return {name: value for name, value in sent.items() if value is not None}


async def drafted(client: httpx.AsyncClient, who: Who = AGENCY, **members: Any) -> httpx.Response:
    answer = await client.post(DRAFTS, json=body(**members), headers=writing(*who))
    assert answer.status_code == 201, answer.text
    return answer


async def submit(client: httpx.AsyncClient, draft: httpx.Response, who: Who = AGENCY) -> httpx.Response:
    headers = writing(*who, match=draft.headers["etag"])
    return await client.post(f"{draft.headers['location']}/submission", headers=headers)


async def submitted(client: httpx.AsyncClient, **members: Any) -> httpx.Response:
    answer = await submit(client, await drafted(client, **members))
    assert answer.status_code == 201, answer.text
    return answer


async def move(
    client: httpx.AsyncClient, programme: httpx.Response, status: str, who: Who = FUND, query: str = "", **members: Any
) -> httpx.Response:
    """Give a programme a status as of today."""
    decision = {"decision": "Steering Committee"} if who == FUND else {}
    sent = {"status": status, "date": today().isoformat(), "reason": f"Now {status}.", **decision, **members}
    path = f"{PROGRAMMES}/{programme.json()['code']}/status{query}"
    return await client.post(path, json=sent, headers=writing(*who, match=programme.headers["etag"]))


async def moved(client: httpx.AsyncClient, programme: httpx.Response, *statuses: str) -> httpx.Response:
    for status in statuses:
        programme = await move(client, programme, status)
        assert programme.status_code == 200, programme.text
    return programme


async def amend(client: httpx.AsyncClient, programme: httpx.Response, who: Who, **members: Any) -> httpx.Response:
    headers = writing(*who, match=programme.headers["etag"])
    sent = {"reason": "A correction.", **members}
    return await client.patch(f"{PROGRAMMES}/{programme.json()['code']}", json=sent, headers=headers)


async def extend(client: httpx.AsyncClient, programme: httpx.Response, who: Who, end: str) -> httpx.Response:
    sent = {"end": end, "reason": "Elections delayed it.", "decision": "Steering Committee"}
    headers = writing(*who, match=programme.headers["etag"])
    return await client.post(f"{PROGRAMMES}/{programme.json()['code']}/extensions", json=sent, headers=headers)


def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def errors(answer: httpx.Response) -> list[tuple[str, str | None]]:
    return [(error["code"], error["pointer"]) for error in answer.json()["errors"]]


async def public_state(client: httpx.AsyncClient) -> list[Any]:
    """Every public answer that counts programmes or adds up their budgets."""
    answers = [
        await client.get(f"{PROGRAMMES}{rest}")
        for rest in ("?limit=200", "/facets", "/totals?by=organization", "/totals?by=stage")
    ]
    assert {answer.status_code for answer in answers} == {200}
    return [{**answer.json(), "revision": None} for answer in answers]


async def sums(client: httpx.AsyncClient) -> dict[str, Decimal]:
    """The total of all budgets by their stage."""
    totals = (await client.get(f"{PROGRAMMES}/totals?by=stage")).json()["totals"]
    return {total["stage"]: Decimal(total["sum"]["amount"]) for total in totals}


def shares(*values: str | None) -> list[dict[str, Any]]:
    return [{"code": code, "share": share} for code, share in zip(("KEN", "UGA", "TZA"), values, strict=False)]


def lines(**changes: dict[str, Any]) -> list[dict[str, Any]]:
    """The budget lines of the example, some of them changed: `at_0={...}`."""
    return [{**line, **changes.get(f"at_{n}", {})} for n, line in enumerate(CONTENT["budget_lines"])]


def way_to(status: str) -> list[str]:
    """The shortest sequence of statuses from concept note to a status."""
    ways = {"concept_note": [""][:0]}
    for at in (queue := ["concept_note"]):
        for to in NEXT_STATUSES[at]:
            if to not in ways:
                ways[to] = [*ways[at], to]
                queue.append(to)
    return ways[status]
