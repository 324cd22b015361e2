"""Exact shares and per cent, without I/O."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction


def share(part: Decimal, whole: Decimal) -> Fraction:
    """The exact share of `part` in `whole`; ZeroDivisionError when there is no whole."""
    return Fraction(part) / Fraction(whole)


def per_cent(exact: Fraction) -> str:
    """A share in per cent with two places, rounded half to even from the exact fraction, never from a float."""
    hundredths = exact * 10_000
    return f"{Decimal(round(hundredths)).scaleb(-2).quantize(Decimal('0.01'), ROUND_HALF_EVEN)}"
