"""Shares of a target: exact, rounded half to even only for people."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmptf_funding.contributions.rules import per_cent, share


@pytest.mark.parametrize(
    ("exact", "text"),
    [
        (Fraction(57425741, 150000000), "38.28"),
        (Fraction(0), "0.00"),
        (Fraction(1), "100.00"),
        (Fraction(1, 3), "33.33"),
        (Fraction(5, 100_000), "0.00"),
        (Fraction(15, 100_000), "0.02"),
        (Fraction(3, 2), "150.00"),
    ],
)
def test_per_cent_rounds_half_to_even(exact: Fraction, text: str) -> None:
    assert per_cent(exact) == text


@given(
    st.decimals(min_value=0, max_value=Decimal("9999999999999.99"), places=2),
    st.decimals(min_value=Decimal("0.01"), max_value=Decimal("9999999999999.99"), places=2),
)
def test_the_share_is_exact_and_the_text_within_half_a_hundredth(part: Decimal, whole: Decimal) -> None:
    exact = share(part, whole)
    assert exact * Fraction(whole) == Fraction(part)
    assert abs(Fraction(per_cent(exact)) - exact * 100) <= Fraction(1, 200)
