"""Every list: pages that hold every row once, complete exports of the same rows, cursors that are exact.

Every run asks each operation with some of the values of a test marked `tries_more`, so that each value is asked of some
operation; `make longer` asks each with all.
"""

from __future__ import annotations

import base64
import csv
import io
import json
from typing import Any

import pytest

from tests.contract.asking import ApiClients, ask, error_detail
from tests.contract.contracts import AT_SERVICES, LISTS, SERVICES, Contract, Operation, in_turn, validator, words_of

SORTED = [(o, sort) for o in LISTS for sort in words_of(o.query["sort"]) or () if o in AT_SERVICES]


async def walk(apis: ApiClients, operation: Operation, query: str) -> list[Contract]:
    """Every row, page after page, by the path of the next as it was given; the first page held against the contract."""
    client = apis[operation.api]
    path: str | None = f"{operation.path}?{query}"
    rows: list[Contract] = []
    while path:
        page = (await client.get(path, headers=operation.headers)).json()
        if not rows:
            operation.check(200, {**page, "items": page["items"][:50]})
        rows += page["items"]
        assert (page["next"] is None) == (len(rows) == page["total"])
        path = page["next"]
    return rows


def test_every_operation_that_answers_pages_is_tested_as_a_list() -> None:
    pages = {
        str(o)
        for o in AT_SERVICES
        if {"application/x-ndjson", "application/json"}
        <= o.contract["responses"].get("200", {}).get("content", {}).keys()
    }
    assert pages == {str(o) for o in LISTS if o in AT_SERVICES}
    assert len(pages) >= len(SERVICES)


@pytest.mark.parametrize("operation", LISTS, ids=str)
async def test_limit_is_up_to_a_thousand_and_fifty_if_not_given(apis: ApiClients, operation: Operation) -> None:
    limit = next(p for p in operation.contract["parameters"] if p["name"] == "limit")
    assert (limit["schema"]["minimum"], limit["schema"]["maximum"]) == (0, 1000)
    # As a default in the schema it would be sent with every export, which has no pages.
    assert "default" not in limit["schema"]
    assert "50 if it is not given" in limit["description"]
    totals = set()
    for query, most in (("", 50), ("limit=0", 0), ("limit=1", 1), ("limit=50", 50), ("limit=1000", 1000)):
        page = (await ask(apis, operation, query)).json()
        assert len(page["items"]) == min(most, page["total"])
        totals.add(page["total"])
    assert len(totals) == 1
    for wrong in ("-0", "1001", "-1", "1.0", "1e2", "+1", "0x1", "٣", "ten", " 1"):
        found = error_detail(operation, await ask(apis, operation, f"limit={wrong.replace('+', '%2B')}"), "limit")
        assert (found["code"], found["allowed"]) == ("invalid_parameter", ["0 to 1000"])


@pytest.mark.parametrize("operation", LISTS, ids=str)
async def test_a_limit_of_none_counts(apis: ApiClients, operation: Operation) -> None:
    answer = await ask(apis, operation, "limit=0")
    operation.check(200, answer.json())
    one = (await ask(apis, operation, "limit=1")).json()
    assert answer.json() == {**one, "items": [], "next": None}
    if one["next"]:
        further = await ask(apis, operation, f"limit=0&cursor={_cursor(one['next'])}")
        assert further.json() == answer.json()
    head = await ask(apis, operation, "limit=0", method="HEAD")
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", answer.headers["etag"])
    assert head.headers["x-total-count"] == answer.headers["x-total-count"] == str(one["total"])


@pytest.mark.parametrize(("operation", "sort"), SORTED, ids=str)
async def test_pages_and_exports_hold_the_same_rows_in_the_same_order(
    apis: ApiClients, operation: Operation, sort: str
) -> None:
    whole = await walk(apis, operation, f"sort={sort}&limit=1000")
    assert await walk(apis, operation, f"sort={sort}&limit={len(whole) // 3 + 1}") == whole
    ndjson = (await ask(apis, operation, f"sort={sort}&format=ndjson")).text
    assert [json.loads(line) for line in ndjson.splitlines()] == whole
    answer = await ask(apis, operation, f"sort={sort}&format=csv")
    assert "\r" not in answer.text.partition("\n")[0]
    assert [row["code"] for row in csv.DictReader(io.StringIO(answer.text))] == [row["code"] for row in whole]


@pytest.mark.parametrize("operation", LISTS, ids=str)
async def test_every_line_of_an_export_is_an_item(apis: ApiClients, operation: Operation) -> None:
    page = operation.contract["responses"]["200"]["content"]["application/json"]["schema"]["$ref"]
    items = validator(operation.api, f"{page}/properties/items/items")
    answer = await ask(apis, operation, "format=ndjson")
    assert answer.text.endswith("\n")
    for line in answer.text.splitlines():
        items.validate(json.loads(line))
    name = operation.path.strip("/").replace("/", "-")
    assert answer.headers["content-disposition"] == f'inline; filename="{name}.ndjson"'
    table = list(csv.reader(io.StringIO((await ask(apis, operation, "format=csv")).text)))
    assert {len(row) for row in table} == {len(table[0])}
    assert len(set(table[0])) == len(table[0])


@pytest.mark.parametrize("operation", LISTS, ids=str)
async def test_an_export_has_no_pages(apis: ApiClients, operation: Operation) -> None:
    for representation in ("csv", "ndjson"):
        for paging in ("limit=1", "cursor=abc"):
            answer = await ask(apis, operation, f"format={representation}&{paging}")
            assert error_detail(operation, answer, paging.partition("=")[0])["code"] == "not_applicable"


@pytest.mark.parametrize("operation", LISTS, ids=str)
async def test_a_cursor_is_good_for_its_own_list_and_order_only(apis: ApiClients, operation: Operation) -> None:
    following = (await ask(apis, operation, "limit=1")).json()["next"]
    if following is None:
        following = (await ask(apis, _longest(operation), "limit=1")).json()["next"]
        wrong = [_cursor(following)]
    else:
        assert (await apis[operation.api].get(following, headers=operation.headers)).status_code == 200
        cursor = _cursor(following)
        others = [o for o in LISTS if o.api == operation.api and o.path != operation.path][:3]
        pages = [(await ask(apis, other, "limit=1")).json()["next"] for other in others]
        wrong = [_cursor(page) for page in pages if page]
        wrong += [cursor[:-n] for n in (1, 2, 3, 4, 5, 8, len(cursor) - 1)] + [cursor[1:], cursor + "A", cursor * 2]
        for sort in words_of(operation.query["sort"]) or ():
            if [sort] != operation.query["sort"]["default"]:
                found = error_detail(operation, await ask(apis, operation, f"sort={sort}&cursor={cursor}"), "cursor")
                assert found["code"] == "invalid_cursor"
    for each in [*wrong, "x", "AAAA", "garbage", "bnVsbA", "WzEsMiwzXQ", "W10", "a" * 1001, "a=", "a.b", "-", "1"]:
        found = error_detail(operation, await ask(apis, operation, f"cursor={each}"), "cursor")
        assert found["code"] == "invalid_cursor", each


# Values that some type of PostgreSQL refuses, or that JSON says and no text can hold.
FORGED: tuple[Any, ...] = (
    "9" * 18, "1.5", "-1", "", "2026-01-01", "2026-W01-1", "20260101", "9999-99-99", "0000-01-01", "infinity",
    "2026-01-01 00:00:00+00", "2026-01-01T00:00:00Z", "NaN", "\ud800", "x\x00", None, 1, [],
)  # fmt: skip


@pytest.mark.tries_more
@pytest.mark.parametrize(("operation", "sort"), SORTED, ids=str)
async def test_a_forged_cursor_reaches_nothing(apis: ApiClients, operation: Operation, sort: str) -> None:
    following = (await ask(apis, operation, f"sort={sort}&limit=1")).json()["next"]
    if following is None:
        return
    asked, value, key = json.loads(base64.urlsafe_b64decode(_cursor(following) + "=="))
    cursors = [[asked, forged, key] for forged in FORGED] + [[asked, value, forged] for forged in FORGED[-5:]]
    for made in in_turn(cursors, SORTED.index((operation, sort)), 5):
        cursor = base64.urlsafe_b64encode(json.dumps(made).encode()).decode().rstrip("=")
        answer = await ask(apis, operation, f"sort={sort}&cursor={cursor}")
        if answer.status_code != 200:
            assert error_detail(operation, answer, "cursor")["code"] == "invalid_cursor", made


@pytest.mark.parametrize("operation", [o for o in LISTS if "q" in o.query or "country" in o.query], ids=str)
async def test_a_cursor_belongs_to_its_filter(apis: ApiClients, operation: Operation) -> None:
    cursor = _cursor((await ask(apis, operation, "limit=1")).json()["next"])
    query = "q=a" if "q" in operation.query else "country=DEU"
    found = error_detail(operation, await ask(apis, operation, f"{query}&cursor={cursor}"), "cursor")
    assert found["code"] == "invalid_cursor"


def _cursor(following: str) -> str:
    return following.partition("cursor=")[2].partition("&")[0]


def _longest(operation: Operation) -> Operation:
    """A list of the same API that surely has a second page, for those that have none."""
    return next(o for o in LISTS if o.path in {"/catalog/v1/places", "/funding/v1/contributors"})
