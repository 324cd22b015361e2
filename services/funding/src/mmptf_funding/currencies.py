"""The currencies of amounts that are written or imported: those of ISO 4217."""

from __future__ import annotations

from typing import Annotated

import iso4217
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

# Codes of the standard that are no money: reserved for tests, and for transactions without a currency.
_NO_MONEY = {"XTS", "XXX"}
_CODES = frozenset(currency.code for currency in iso4217.Currency) - _NO_MONEY


def _listed(code: str) -> str:
    if code in _CODES:
        return code
    meant = code.strip().upper()
    hint = f"; did you mean {meant}?" if meant in _CODES else ""
    raise PydanticCustomError(
        "unknown_code",
        "{given} is no currency of ISO 4217, whose codes have three capitals, such as EUR{hint}",
        {"given": repr(code[:64]), "hint": hint, "suggestion": meant if hint else None},
    )


# A currency in use. Records that name another, such as one that has been replaced since, stay readable.
Currency = Annotated[str, Field(json_schema_extra={"pattern": "^[A-Z]{3}$"}), AfterValidator(_listed)]
