"""Amounts in requests and answers: exact decimal strings with a currency."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, Field

from mmptf_common.wire.base import ResponseModel, worded

# Wider than a stored amount, which has 16 digits before the point, since a sum has more.
AmountText = Annotated[str, Field(pattern=r"^-?[0-9]{1,26}\.[0-9]{2}$")]
AMOUNT_SENT_PATTERN = worded(
    r"^([1-9][0-9]{0,13}(\.[0-9]{1,2})?|0\.(0[1-9]|[1-9][0-9]?))$",
    'an amount as text with two decimals, above zero and without separators, such as "1070000.00"',
)


def _with_cents(value: str) -> str:
    return amount_text(Decimal(value))


# An amount that is sent, above zero. Without cents, or with one digit of them, it is the same amount with two decimals.
AmountSent = Annotated[str, Field(pattern=AMOUNT_SENT_PATTERN, examples=["1500000.00"]), AfterValidator(_with_cents)]


class Money(ResponseModel):
    """An exact amount in one currency."""

    amount: AmountText
    """Decimal number with two places, as text: `1070000.00`. Read it as a decimal, not as a floating-point number."""
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    """ISO 4217 code of the currency, such as `USD`."""


def amount_text(amount: Decimal) -> str:
    """An amount as text with two places; stored amounts have no more, so nothing is rounded."""
    return f"{amount:.2f}"


def money(amount: Decimal, currency: str) -> Money:
    """An amount in a currency, as in answers."""
    return Money(amount=amount_text(amount), currency=currency)
