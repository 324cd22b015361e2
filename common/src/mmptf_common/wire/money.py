"""Amounts in requests and answers: exact decimal strings with a currency."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from mmptf_common.wire.base import ResponseModel

# Wider than a stored amount, which has 16 digits before the point, since a sum has more.
AmountText = Annotated[str, Field(pattern=r"^-?[0-9]{1,26}\.[0-9]{2}$")]
AmountSent = Annotated[
    str, Field(pattern=r"^([1-9][0-9]{0,13}\.[0-9]{2}|0\.(0[1-9]|[1-9][0-9]))$", examples=["1500000.00"])
]


class Money(ResponseModel):
    """An exact amount: a decimal string with two places, and its ISO 4217 currency."""

    amount: AmountText
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


def amount_text(amount: Decimal) -> str:
    """An amount as text with two places; stored amounts have no more, so nothing is rounded."""
    return f"{amount:.2f}"


def money(amount: Decimal, currency: str) -> Money:
    """An amount in a currency, as in answers."""
    return Money(amount=amount_text(amount), currency=currency)
