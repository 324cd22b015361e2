"""A list reads the text of each stored record once: a long one is compressed, and each further reading takes time."""

from __future__ import annotations

import json
import re
from typing import Any

import asyncpg
import pytest

from mmptf_common.lists.listing import Listing, completed
from mmptf_local.postgres import Postgres
from tests.integration.lookups import listings
from tests.suite import SERVICES


@pytest.mark.parametrize("listing", [pytest.param(each, id=each.path) for name in SERVICES for each in listings(name)])
def test_the_text_of_a_record_is_read_once(listing: Listing) -> None:
    for form in (listing.record, listing.in_feed or ""):
        assert len(re.findall(r"(?<![.\w])record::text", form)) <= 1, form


@pytest.mark.parametrize(
    ("stored", "given"),
    [
        ({"a": 1}, {"a": 1, "b": 2, "c": "x", "d": None}),
        ({"a": 1, "b": 5}, {"a": 1, "b": 5, "c": "x", "d": None}),
        ({"a": 1, "c": 6, "d": 7}, {"a": 1, "c": 6, "d": 7, "b": 2}),
        ({"a": 1, "d": 7, "c": 6, "b": 5}, {"a": 1, "d": 7, "c": 6, "b": 5}),
        ({"a": '"c":1 and "b":'}, {"a": '"c":1 and "b":', "b": 2, "c": "x", "d": None}),
    ],
)
async def test_an_older_record_gets_the_members_that_came_later(
    postgres: Postgres, stored: dict[str, Any], given: dict[str, Any]
) -> None:
    form = completed("record::text", {"b": "'2'"}, {"c": "to_json('x'::text)::text", "d": "'null'"})
    connection = await asyncpg.connect(postgres.admin_url())
    text = json.dumps(stored, separators=(",", ":"))
    found = await connection.fetchval(f"SELECT {form} FROM (SELECT $1::json AS record) AS rows", text)
    await connection.close()
    assert found == json.dumps(given, separators=(",", ":"))
