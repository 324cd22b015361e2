"""Every order of every list: rows without a value are last in both directions, and pages of any size are the whole."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.asking import ApiClients
from tests.contract.contracts import AT_SERVICES, LISTS, Contract, Operation, words_of

SORTED = [(o, sort) for o in LISTS for sort in words_of(o.query["sort"]) or () if o in AT_SERVICES]
# What an order compares, of the lists in which some rows have no value, and the member that states it.
LACKING = {
    ("catalog:programmes-list", "budget"): "budget",
    ("catalog:programmes-list", "title"): "title",
    ("funding:requirements-list", "amount"): "sum",
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


@pytest.mark.parametrize(("operation", "sort"), SORTED, ids=str)
async def test_small_pages_are_the_rows_of_a_large_one(apis: ApiClients, operation: Operation, sort: str) -> None:
    rows, following = await whole(apis, operation, sort, 1000)
    assert following is None
    lacking = [row for row in rows if stated(operation, sort, row) is None]
    boundary = len(rows) - len(lacking)
    assert [row["code"] for row in rows[boundary:]] == [row["code"] for row in lacking]
    for start in {0, boundary - AROUND, len(rows) - AROUND}:
        begun = max(start, 0)
        ended = min(begun + 2 * AROUND, len(rows))
        for limit in (1, 2, 3):
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
