"""Shares in answers: exact fractions, and per cent."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Annotated

from pydantic import Field

from mmptf_common.wire.base import ResponseModel


class Share(ResponseModel):
    """An exact share in lowest terms, and in per cent with two places, rounded down.

    `100.00` is said of no less than the whole, nor is any other threshold that is not reached.
    """

    numerator: Annotated[str, Field(pattern=r"^[0-9]+$")]
    """Upper part of the exact fraction in lowest terms, as decimal digits."""
    denominator: Annotated[str, Field(pattern=r"^[1-9][0-9]*$")]
    """Lower part of the exact fraction in lowest terms, as decimal digits."""
    per_cent: Annotated[str, Field(pattern=r"^[0-9]+\.[0-9]{2}$")]
    """The fraction in per cent with two decimals, rounded down; for display, not for further calculation."""

    @property
    def exact(self) -> Fraction:
        """The share as a Fraction."""
        return Fraction(int(self.numerator), int(self.denominator))


def share(part: Decimal | Fraction | int, whole: Decimal | Fraction | int) -> Share:
    """The share of `part` in `whole`, neither below zero; raises ZeroDivisionError where `whole` is zero.

    Per cent are rounded down to two places (ROUND_DOWN), from the exact fraction and never from a float.
    """
    exact = Fraction(part) / Fraction(whole)
    per_cent, hundredths = divmod(exact.numerator * 10_000 // exact.denominator, 100)
    return Share(
        numerator=str(exact.numerator),
        denominator=str(exact.denominator),
        per_cent=f"{per_cent}.{hundredths:02d}",
    )
