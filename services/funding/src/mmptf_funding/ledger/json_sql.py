"""SQL of the JSON that statements consist of, in the form of the models in `schemas`."""

from __future__ import annotations

from mmptf_funding.ledger.domain import CURRENCY


def object_json(**members: str) -> str:
    """SQL of a JSON object; members: its members in their order -> SQL of their values."""
    columns = ", ".join(f"{value} AS {name}" for name, value in members.items())
    return f"(SELECT row_to_json(made) FROM (SELECT {columns}) AS made)"


def money_json(amount: str, currency: str = f"'{CURRENCY}'") -> str:
    """SQL of `Money`."""
    return object_json(amount=f"round({amount}, 2)::text", currency=currency)


def share_json(part: str, whole: str) -> str:
    """SQL of `Share`, as `share` computes it; null where the whole is not above zero. Both have two decimal places."""
    return f"""(
        SELECT row_to_json(made)
          FROM (SELECT div(part, common)::text AS numerator, div(whole, common)::text AS denominator,
                       (div(part * 10000, whole) * 0.01)::text AS per_cent
                  FROM (SELECT part, whole, gcd(part, whole) AS common
                          FROM (SELECT 100 * ({part}) AS part, 100 * ({whole}) AS whole) AS cents
                         WHERE whole > 0) AS terms) AS made)"""
