"""Processes of one service with different base paths, on one database and one Redis: each has links of its own."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import httpx
import pytest

from mmptf_catalog.programmes.examples import DRAFT
from mmptf_local.cache import Cache
from tests.conftest import running_app
from tests.tokens import writing

API = "/catalog/v1"
# The last one begins as a path of the service does.
BASE_PATHS = ("", "/api", "/catalog")
# What only looks like a stored link, in a text.
TITLE = 'See "locator":"/catalog/v1/programmes" and "/catalog/v1/places"'
Processes = dict[str, httpx.AsyncClient]


@pytest.fixture(scope="module")
def database(new_database: Callable[[str], str]) -> str:
    return new_database("catalog")


@pytest.fixture(scope="module")
async def processes(database: str, redis_server: Cache) -> AsyncIterator[Processes]:
    """A client of each process, by its base path."""
    async with AsyncExitStack() as stack:
        yield {
            base_path: (
                await stack.enter_async_context(running_app("catalog", database, redis_server.url, base_path=base_path))
            ).client
            for base_path in BASE_PATHS
        }


async def answers(processes: Processes, path: str, **headers: str) -> dict[str, httpx.Response]:
    return {base_path: await client.get(path, headers=headers) for base_path, client in processes.items()}


def without(base_path: str, text: str) -> str:
    """The text of an answer with the links of a process that is reached at the root."""
    return text.replace(f"{base_path}{API}/", f"{API}/")


@pytest.mark.parametrize("path", ["programmes?limit=1", "programmes/facets", "programmes/totals?by=region", ""])
async def test_each_answers_with_links_of_its_own(processes: Processes, path: str) -> None:
    # Twice, so that what is cached is answered, too.
    for _ in range(2):
        found = await answers(processes, f"{API}/{path}".rstrip("/"))
        for base_path, answer in found.items():
            assert answer.status_code == 200
            assert f'"{base_path}{API}/' in answer.text
            assert without(base_path, answer.text) == found[""].text
        tags = [answer.headers.get("etag") for answer in found.values()]
        assert len(set(tags)) == (len(tags) if path else 1)
        for tag in filter(None, tags):
            again = await answers(processes, f"{API}/{path}", **{"if-none-match": tag})
            assert sorted(answer.status_code for answer in again.values()) == [200, 200, 304]


async def test_a_page_of_one_process_is_followed_by_that_of_another(processes: Processes) -> None:
    first = (await processes["/api"].get(f"{API}/programmes?limit=2")).json()
    found = await answers(processes, first["next"].removeprefix("/api"))
    whole = (await processes[""].get(f"{API}/programmes?limit=4")).json()["items"]
    assert first["items"] == whole[:2]
    for answer in found.values():
        assert answer.json()["items"] == whole[2:]


async def test_what_is_stored_has_no_base_path(processes: Processes, database: str) -> None:
    client = processes["/api"]
    sent = {**DRAFT, "programme_code": "KEN-01", "title": TITLE}
    headers_of_draft = writing("agency")
    drafted = await client.post(f"{API}/drafts", json=sent, headers=headers_of_draft)
    path = f"{API}/drafts/{drafted.json()['code']}"
    assert (drafted.status_code, drafted.headers["location"]) == (201, f"/api{path}")
    headers = writing("agency", match=drafted.headers["etag"])
    submitted = await client.post(f"{path}/submission", headers=headers)
    assert (submitted.status_code, submitted.headers["location"]) == (201, f"/api{API}/programmes/KEN-01")
    connection = await asyncpg.connect(database)
    try:
        stored = await connection.fetchval("SELECT record::text FROM programme WHERE code = 'KEN-01'")
    finally:
        await connection.close()
    assert "/api" not in stored
    assert submitted.text == stored.replace(f'"locator":"{API}/', f'"locator":"/api{API}/')
    (history,) = {text for name, text in members(json.loads(stored)) if name == "locator"}
    assert history.startswith(f"{API}/programmes/KEN-01/history?after=")
    lists = [f"programmes?q=locator&format={form}" for form in ("json", "ndjson")]
    for path in ("programmes/KEN-01", "programmes/KEN-01/history", *lists):
        for base_path, answer in (await answers(processes, f"{API}/{path}")).items():
            found = members(answer.json())
            assert {text for name, text in found if name == "locator"} == {base_path + history}
            assert {text for name, text in found if name == "title"} == {TITLE}
    # A retry is answered with what was stored, whichever process is asked.
    again = await processes[""].post(f"{API}/drafts", json=sent, headers=headers_of_draft)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.content == drafted.content


def members(node: Any) -> list[tuple[str, Any]]:
    """The members of all objects in a JSON value, at any depth."""
    if isinstance(node, list):
        return [member for value in node for member in members(value)]
    if isinstance(node, dict):
        return [*node.items(), *(member for value in node.values() for member in members(value))]
    return []


@pytest.mark.parametrize("base_path", BASE_PATHS[1:])
@pytest.mark.parametrize(
    "path", [API, f"{API}/programmes/eth-01", f"{API}/programmes/none", "/health/live", "/openapi.json"]
)
async def test_a_path_that_still_has_the_base_path_is_answered_alike(
    processes: Processes, base_path: str, path: str
) -> None:
    plain, prefixed = [await processes[base_path].get(before + path) for before in ("", base_path)]
    assert prefixed.status_code == plain.status_code == (308 if "eth" in path else 404 if "none" in path else 200)
    assert prefixed.headers.get("location") == plain.headers.get("location")
    if plain.is_success:
        assert prefixed.content == plain.content


async def test_another_path_than_the_base_path_is_unknown(processes: Processes) -> None:
    for base_path, path in (("", f"/api{API}"), ("/api", f"/apis{API}"), ("/api", f"/api/api{API}"), ("/api", "/api")):
        answer = await processes[base_path].get(path)
        assert (answer.status_code, answer.json()["instance"]) == (404, base_path + path)
