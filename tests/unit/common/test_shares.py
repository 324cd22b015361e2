"""Shares: exact, rounded down only for people; and money, to the cent."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmptf_common.wire.money import money
from mmptf_common.wire.shares import Share, share


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (57425741, 150000000, "38.28"),
        (0, 7, "0.00"),
        (1, 1, "100.00"),
        (1, 3, "33.33"),
        (2, 3, "66.66"),
        (9, 100_000, "0.00"),
        (15, 100_000, "0.01"),
        (3, 2, "150.00"),
        (Decimal("69999999.99"), Decimal("70000000.00"), "99.99"),
        (Fraction(1, 3), Fraction(1, 2), "66.66"),
        (10**24, 3, "33333333333333333333333333.33"),
    ],
)
def test_per_cent_are_rounded_down(part: Decimal | Fraction | int, whole: Decimal | Fraction | int, text: str) -> None:
    assert share(part, whole).per_cent == text


AMOUNTS = st.decimals(min_value=0, max_value=Decimal("9999999999999.99"), places=2)


@given(AMOUNTS, AMOUNTS.filter(bool), st.integers(0, 20_000))
def test_a_share_is_exact_and_its_text_never_above_it(part: Decimal, whole: Decimal, threshold: int) -> None:
    made = share(part, whole)
    assert made.exact * Fraction(whole) == Fraction(part)
    assert (made.numerator, made.denominator) == (str(made.exact.numerator), str(made.exact.denominator))
    assert Fraction(made.per_cent) <= made.exact * 100 < Fraction(made.per_cent) + Fraction(1, 100)
    # What is shown is at a threshold of two places exactly when the share is.
    assert (Fraction(made.per_cent) * 100 >= threshold) == (made.exact * 10_000 >= threshold)
    assert Share.model_validate_json(made.model_dump_json()) == made


def test_nothing_is_a_share_of_nothing() -> None:
    for part in (0, 5):
        with pytest.raises(ZeroDivisionError):
            share(part, Decimal("0.00"))


@given(st.integers(-(10**20), 10**20))
def test_money_is_written_to_the_cent(cents: int) -> None:
    made = money(Decimal(cents).scaleb(-2), "USD")
    assert Fraction(made.amount) == Fraction(cents, 100)
    assert (made.amount[-3], made.currency) == (".", "USD")
