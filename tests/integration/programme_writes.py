"""Writes of programmes, and what the database has stored of a write."""

from __future__ import annotations

from itertools import count
from typing import Any

import asyncpg
import httpx

from mmptf_catalog.programmes.examples import CONTENT
from tests.tokens import bearer, writing

DRAFTS, PROGRAMMES = "/catalog/v1/drafts", "/catalog/v1/programmes"
NUMBERS = count(1)
DECIDED = {"reason": "As the committee decided.", "decision": "Steering Committee, 30 June 2026"}


def new_draft(**members: Any) -> dict[str, Any]:
    """The body of a draft under a new code."""
    return {**CONTENT, "programme_code": f"TRY-{next(NUMBERS):03}", **members}


async def drafted(client: httpx.AsyncClient, **members: Any) -> httpx.Response:
    answer = await client.post(DRAFTS, json=new_draft(**members), headers=writing("agency"))
    assert answer.status_code == 201, answer.text
    return answer


async def submitted(client: httpx.AsyncClient, **members: Any) -> httpx.Response:
    draft = await drafted(client, **members)
    path = f"{draft.headers['location']}/submission"
    answer = await client.post(path, headers=writing("agency", match=draft.headers["etag"]))
    assert answer.status_code == 201, answer.text
    return answer


async def moved(client: httpx.AsyncClient, programme: httpx.Response, *statuses: str) -> httpx.Response:
    """The programme after the Fund gave it one status after the other, today."""
    day = programme.json()["status_history"][-1]["date"]
    for status in statuses:
        programme = await client.post(
            f"{PROGRAMMES}/{programme.json()['code']}/status",
            json={"status": status, "date": day, **DECIDED},
            headers=writing("management-unit", match=programme.headers["etag"]),
        )
        assert programme.status_code == 200, programme.text
    return programme


async def state(reader: asyncpg.Connection) -> dict[str, str | None]:
    """The content of every table, with journal and keys."""
    tables = await reader.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    return {
        name: await reader.fetchval(f"SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM \"{name}\" AS t")
        for (name,) in tables
    }


async def entries(reader: asyncpg.Connection, programme_code: str) -> list[str]:
    """The journal's actions on the drafts of a programme."""
    found = await reader.fetch(
        "SELECT action FROM draft_change WHERE coalesce(after, before)->>'programme_code' = $1 ORDER BY seq",
        programme_code,
    )
    return [row[0] for row in found]


async def keys(reader: asyncpg.Connection, key: str) -> int:
    return int(await reader.fetchval("SELECT count(*) FROM idempotency_key WHERE key = $1", key))


def with_key(key: str, client: str = "agency", organization: str | None = None, **claims: object) -> dict[str, str]:
    return {**bearer(client, organization, **claims), "idempotency-key": key}


def is_replayed(answer: httpx.Response) -> bool:
    replayed: str | None = answer.headers.get("idempotency-replayed")
    return replayed == "true"


def comparable(answer: httpx.Response) -> tuple[object, ...]:
    """Status, body and headers that a repeated answer has to have too."""
    headers = (answer.headers.get(name) for name in ("etag", "location", "content-type"))
    return (answer.status_code, answer.content, *headers)
