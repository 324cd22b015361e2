"""Every order of every list: rows without a value are last in both directions, and pages of any size are the whole.

Every run asks each operation with some of the values of a test marked `tries_more`, so that each value is asked of some
operation; `make longer` asks each with all.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from tests.contract.asking import ApiClients, ask, error_detail
from tests.contract.contracts import AT_SERVICES, LISTS, Contract, Operation, in_turn, orders_of, words_of

SORTED = [(o, sort) for o in LISTS for sort in words_of(o.query["sort"]) or () if o in AT_SERVICES]
# What an order compares, of the lists in which some rows have no value, and the member that states it.
LACKING = {
    ("catalog:list_programmes", "budget"): "budget",
    ("catalog:list_programmes", "title"): "title",
    ("funding:list_requirements", "amount"): "sum",
    ("funding:list_edition_figures", "value"): "value",
}
# Rows before and after a boundary that are read in small pages.
AROUND = 5


def stated(operation: Operation, sort: str, row: Contract) -> Any:
    """The value of a row that an order compares; None where none is stated."""
    member = LACKING.get((str(operation), sort.removeprefix("-")))
    return row[member] if member else True


async def whole(apis: ApiClients, operation: Operation, sort: str, limit: int) -> tuple[list[Contract], str | None]:
    """The first rows in an order, in one page, and the path of the next page."""
    path = f"{operation.path}?sort={sort}&limit={limit}"
    page = (await apis[operation.api].get(path, headers=operation.headers)).json()
    return page["items"], page["next"]


@pytest.mark.tries_more
@pytest.mark.parametrize(("operation", "sort"), SORTED, ids=str)
async def test_small_pages_are_the_rows_of_a_large_one(apis: ApiClients, operation: Operation, sort: str) -> None:
    rows, following = await whole(apis, operation, sort, 1000)
    assert following is None
    lacking = [row for row in rows if stated(operation, sort, row) is None]
    boundary = len(rows) - len(lacking)
    assert [row["code"] for row in rows[boundary:]] == [row["code"] for row in lacking]
    for place, start in enumerate(sorted({0, boundary - AROUND, len(rows) - AROUND}), SORTED.index((operation, sort))):
        begun = max(start, 0)
        ended = min(begun + 2 * AROUND, len(rows))
        for limit in in_turn((1, 2, 3), place):
            found, following = await whole(apis, operation, sort, begun or limit)
            while following and len(found) < ended:
                parts = [p for p in following.partition("?")[2].split("&") if not p.startswith("limit=")]
                path = f"{operation.path}?{'&'.join([*parts, f'limit={limit}'])}"
                page = (await apis[operation.api].get(path, headers=operation.headers)).json()
                found, following = [*found, *page["items"]], page["next"]
            assert found == rows[: len(found)]
            assert len(found) >= ended


@pytest.mark.parametrize(("key", "member"), LACKING.items(), ids=str)
async def test_rows_without_a_value_are_last_in_both_directions(
    apis: ApiClients, key: tuple[str, str], member: str
) -> None:
    name, sort = key
    operation = next(o for o in LISTS if str(o) == name)
    up, _ = await whole(apis, operation, sort, 1000)
    down, _ = await whole(apis, operation, f"-{sort}", 1000)
    assert sorted(row["code"] for row in up) == sorted(row["code"] for row in down)
    lacking = [row["code"] for row in up if row[member] is None]
    assert lacking
    assert [row["code"] for row in up[-len(lacking) :]] == lacking == sorted(lacking)
    assert [row["code"] for row in down[-len(lacking) :]] == lacking[::-1]
    assert [row["code"] for row in down[: -len(lacking)]] == [row["code"] for row in up[: -len(lacking)]][::-1]


# What a row is compared by in an order, None where it has no value; any other key is one that no two rows share.
VALUES: dict[str, Callable[[Contract], Any]] = {
    "code": lambda row: row["code"],
    "updated": lambda row: row["updated"],
    "title": lambda row: row["title"] and row["title"].casefold(),
    "budget": lambda row: row["budget"] and Decimal(row["budget"]["amount"]),
    "amount": lambda row: row["sum"] and Decimal(row["sum"]["amount"]),
    "date": lambda row: next(row[name] for name in ("date", "booking_date", "date_from") if name in row),
    "due": lambda row: row["due"],
    "value": lambda row: row["value"] and Decimal(row["value"]),
    "acronym": lambda row: row["acronym"].casefold(),
}


def ordered(rows: list[Contract], order: tuple[str, ...], ranks: dict[str, list[str]]) -> list[str]:
    """The codes of rows in an order, sorted here; ranks: the codes in the ascending order of each single key."""
    for key in ("-code" if order[-1].startswith("-") else "code", *order[::-1]):
        name = key.removeprefix("-")
        value = VALUES.get(name, lambda row, name=name: ranks[name].index(row["code"]))
        stating = [row for row in rows if value(row) is not None]
        lacking = [row for row in rows if value(row) is None]
        rows = sorted(stating, key=value, reverse=key.startswith("-")) + lacking
    return [row["code"] for row in rows]


SEVERAL = [(o, order) for o in LISTS if o in AT_SERVICES for order in orders_of(o) if len(order) > 1]


@pytest.mark.tries_more
@pytest.mark.parametrize(("operation", "order"), SEVERAL, ids=str)
async def test_rows_are_in_the_order_of_all_keys_and_pages_of_any_size_too(
    apis: ApiClients, operation: Operation, order: tuple[str, ...]
) -> None:
    sort = ",".join(order)
    rows, following = await whole(apis, operation, sort, 1000)
    assert following is None
    names = {key.removeprefix("-") for key in order} - VALUES.keys()
    ranks = {name: [row["code"] for row in (await whole(apis, operation, name, 1000))[0]] for name in names}
    assert [row["code"] for row in rows] == ordered(rows, order, ranks)
    exported = (await ask(apis, operation, f"sort={sort}&format=ndjson&fields=code")).text.splitlines()
    assert [json.loads(line)["code"] for line in exported] == [row["code"] for row in rows]
    limit = len(rows) // 5 + 1
    found, following = await whole(apis, operation, sort, limit)
    while following:
        page = (await apis[operation.api].get(following, headers=operation.headers)).json()
        found, following = [*found, *page["items"]], page["next"]
    assert found == rows


async def test_a_cursor_of_one_order_is_refused_in_another(apis: ApiClients) -> None:
    operation = next(o for o in LISTS if str(o) == "catalog:list_programmes")
    orders = ["title,-code", "-code,title", "title,code", "title", "title,-code,budget"]
    for order in orders:
        _, following = await whole(apis, operation, order, 3)
        cursor = (following or "").partition("cursor=")[2].partition("&")[0]
        for other in orders:
            answer = await ask(apis, operation, f"sort={other}&limit=3&cursor={cursor}")
            if other == order:
                assert answer.status_code == 200
            else:
                found = error_detail(operation, answer, "cursor")
                assert found["code"] == "invalid_cursor"
                assert "another list, filter or order" in found["detail"]


def test_lists_with_several_keys_are_sorted_by_them() -> None:
    lists = {operation for operation, _ in SEVERAL}
    assert len(lists) > 10
    for operation in lists:
        single = {order[0] for order in orders_of(operation) if len(order) == 1}
        for place in (0, 1):
            assert {order[place] for each, order in SEVERAL if each == operation} == single
