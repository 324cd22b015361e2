"""Aggregates and the cache: by revision, labelled, and right with Redis gone."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from mmptf_local.cache import Cache, redis_binary, running_cache
from mmptf_local.processes import free_port
from tests.conftest import running_app
from tests.writes import write_sql

AGGREGATES = [
    ("catalog", "/catalog/v1/programmes/facets?stage=funded"),
    ("catalog", "/catalog/v1/programmes/totals?by=region"),
    ("funding", "/funding/v1/contributions/facets"),
    ("funding", "/funding/v1/contributions/totals"),
    ("funding", "/funding/v1/progress"),
]


@pytest.mark.parametrize(("service", "path"), AGGREGATES)
async def test_the_second_answer_comes_from_the_cache_and_is_the_same(
    new_database: Callable[[str], str], redis_server: Cache, service: str, path: str
) -> None:
    async with running_app(service, new_database(service), redis_server.url) as running:
        first = await running.client.get(path)
        second = await running.client.get(path)
        assert "fwd=uri-miss" in first.headers["cache-status"] or "hit" in first.headers["cache-status"]
        assert second.headers["cache-status"] == f"mmptf-{service}; hit"
        assert (second.content, second.headers["etag"]) == (first.content, first.headers["etag"])
        tag = {"if-none-match": first.headers["etag"]}
        assert (await running.client.get(path, headers=tag)).status_code == 304


TOTALS = "/funding/v1/contributions/totals"


async def give_more(database: str, dollars: int) -> None:
    """One contribution grows, as an amendment that the journal keeps."""
    await write_sql(
        database,
        f"UPDATE contribution SET amount = amount + {dollars}, record = jsonb_set(record::jsonb,"
        f" '{{sum,amount}}', to_jsonb((amount + {dollars})::text))::json WHERE code = 'DEU-2024-01'",
    )


async def test_a_write_is_seen_at_once(new_database: Callable[[str], str], redis_server: Cache) -> None:
    database = new_database("funding")
    async with running_app("funding", database, redis_server.url) as running:
        before = (await running.client.get(TOTALS)).json()
        await give_more(database, 1)
        after = await running.client.get(TOTALS)
        assert after.headers["cache-status"] == "mmptf-funding; fwd=uri-miss; stored"
        assert after.json()["revision"] == before["revision"] + 1
        assert after.json()["totals"][0]["sum"]["amount"] == "57425742.00"


async def test_histories_of_the_same_length_are_never_mixed_up(
    new_database: Callable[[str], str], redis_server: Cache
) -> None:
    """Two databases that share a Redis, or one before and after a backup was brought back, count the same number."""
    tags = set()
    for dollars in (1, 2):
        database = new_database("funding")
        await give_more(database, dollars)
        async with running_app("funding", database, redis_server.url) as running:
            answer = await running.client.get(TOTALS)
            assert answer.json()["totals"][0]["sum"]["amount"] == f"{57425741 + dollars}.00"
            page = await running.client.get("/funding/v1/contributions")
            tags.update({answer.headers["etag"], page.headers["etag"]})
            assert answer.json()["revision"] == page.json()["revision"]
    assert len(tags) == 4


async def test_redis_gone_is_slower_and_labelled_never_wrong(new_database: Callable[[str], str]) -> None:
    path = "/catalog/v1/programmes/totals?by=country"
    port = free_port()
    with running_cache(redis_binary(), port) as server:
        url = server.url
        async with running_app("catalog", new_database("catalog"), url) as running:
            right = await running.client.get(path)
            server.child.stop()
            gone = await running.client.get(path)
            assert gone.status_code == 200
            assert gone.headers["cache-status"] == "mmptf-catalog; fwd=bypass; detail=unavailable"
            assert gone.content == right.content
            assert (await running.client.get("/health/ready")).status_code == 200
            # Only the first request after the loss waits for Redis; the next ones leave it alone for a while.
            began = time.monotonic()
            for _ in range(20):
                assert (await running.client.get(path)).content == right.content
            assert time.monotonic() - began < 2.0
