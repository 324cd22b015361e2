"""Dividing a budget: the parts are cents and add up to the whole, whatever the shares."""

from __future__ import annotations

import itertools
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmptf_catalog.programmes.rules import attribute, attribute_places, divide

AMOUNTS = st.decimals(min_value=0, max_value=Decimal("9999999999.99"), places=2)


@st.composite
def shares(draw: st.DrawFn) -> dict[str, Decimal]:
    """Shares of per cent, to two places, that add up to 100."""
    cuts = sorted(draw(st.sets(st.integers(1, 9999), max_size=8)))
    edges = [0, *cuts, 10_000]
    return {f"C{i}": Decimal(b - a) / 100 for i, (a, b) in enumerate(itertools.pairwise(edges))}


@given(AMOUNTS, shares())
def test_parts_add_up_and_none_is_a_cent_off(amount: Decimal, shared: dict[str, Decimal]) -> None:
    parts = divide(amount, shared)
    assert sum(parts.values()) == amount
    for code, part in parts.items():
        assert abs(part - amount * shared[code] / 100) < Decimal("0.01")
        assert part == part.quantize(Decimal("0.01"))


def test_shares_that_are_not_the_whole_are_refused() -> None:
    with pytest.raises(ValueError, match=r"99\.99"):
        divide(Decimal(100), {"A": Decimal("50"), "B": Decimal("49.99")})


@pytest.mark.parametrize(
    ("groups", "complete", "owner"),
    [
        ([], True, "not_stated"),
        (["A"], True, "A"),
        (["A", "A"], True, "A"),
        (["A", "B"], True, "shared"),
        (["A"], False, "shared"),
    ],
)
def test_an_undivided_amount_belongs_to_one_group_or_to_none(groups: list[str], complete: bool, owner: str) -> None:
    assert attribute(Decimal(5), groups, complete=complete) == {owner: Decimal(5)}


@given(AMOUNTS, st.lists(st.sampled_from("ABCD"), unique=True), st.booleans(), st.booleans())
def test_by_country_and_by_region_the_whole_is_the_same(
    amount: Decimal, codes: list[str], stated: bool, complete: bool
) -> None:
    share = {code: Decimal(100) if len(codes) == 1 and stated else None for code in codes}
    regions = {"A": "002", "B": "002", "C": "150", "D": None}
    for parts in attribute_places(amount, share, regions, complete=complete):
        assert sum(parts.values()) == amount
