"""Writes of organizations by SQL, and questions for the changes that they leave."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import sqlalchemy as sa

from mmptf_common.feed.changes import ChangePage
from mmptf_common.storage.journal import Author, begin_write
from tests.conftest import RunningApp

Databases = Callable[[str], str]
LONGEST_WAIT = 15
CHANGES = "/catalog/v1/changes"
SECRETS = ("the-actor", "the-request")


async def write(running: RunningApp, *statements: str, reason: str | None = None) -> int:
    """The number of the last change after statements, carried out as one write."""
    author = Author("the-actor", "IOM", "the-request")
    async with running.as_owner() as session:
        it = await begin_write(session, author, reason)
        for statement in statements:
            await session.execute(sa.text(statement.replace(":", "\\:")))
        return await it.revision()


def create(code: str, name: str = "Name", table: str = "organization") -> str:
    record = json.dumps({"code": code, "name": name, "updated": "2026-01-01T00:00:00Z"})
    return f"INSERT INTO {table} (code, name, updated, record) VALUES ('{code}', '{name}', now(), '{record}')"


def amend(code: str, table: str = "organization", **members: Any) -> str:
    return f"UPDATE {table} SET record = (record::jsonb || '{json.dumps(members)}')::json WHERE code = '{code}'"


def delete(code: str, table: str = "organization") -> str:
    return f"DELETE FROM {table} WHERE code = '{code}'"


async def ask(client: httpx.AsyncClient, path: str = CHANGES, **query: Any) -> dict[str, Any]:
    """A page of changes, valid by the contract and without the author of a change."""
    answer = await client.get(path, params=query or None)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert "etag" not in answer.headers
    assert not any(secret in answer.text for secret in SECRETS)
    ChangePage.model_validate_json(answer.content)
    page: dict[str, Any] = answer.json()
    assert set(page) == {"items", "last", "more", "next", "revision"}
    for change in page["items"]:
        assert set(change) == {
            "seq", "revision", "at", "entity", "key", "action", "organization", "reason", "changed", "before", "after",
        }  # fmt: skip
    return page


async def all_changes(client: httpx.AsyncClient, **query: Any) -> list[dict[str, Any]]:
    """Every change from the first page on, by `next`."""
    items: list[dict[str, Any]] = []
    page = await ask(client, **query)
    while True:
        items += page["items"]
        assert page["last"] >= (page["items"][-1]["seq"] if page["items"] else query.get("after", 0))
        assert len(page["items"]) == query.get("limit", 100) or not page["more"]
        following = httpx.URL(page["next"])
        assert following.path == CHANGES
        assert int(following.params["after"]) == page["last"]
        if not page["more"]:
            return items
        page = await ask(client, page["next"])
