"""Shares in answers: exact fractions, and per cent."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Annotated

from pydantic import Field

from mmptf_common.wire.base import ResponseModel


class Share(ResponseModel):
    """A share, as an exact fraction in lowest terms and in per cent.

    Per cent are rounded down, so that `100.00` is the whole and `90.00` is never shown before 90 per cent are reached.
    """

    numerator: Annotated[str, Field(pattern=r"^[0-9]+$")]
    """Number above the line of the fraction, as text: `10` of 10/21."""
    denominator: Annotated[str, Field(pattern=r"^[1-9][0-9]*$")]
    """Number below the line of the fraction, as text: `21` of 10/21."""
    per_cent: Annotated[str, Field(pattern=r"^[0-9]+\.[0-9]{2}$")]
    """The fraction in per cent with two decimals, rounded down, such as `47.61`; to be shown, not calculated with."""

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
