"""Rows of the packaged edition as they are exported, and their sums."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction
from typing import Any

import httpx

Row = dict[str, Any]

FUNDING = "/funding/v1"
REQUIREMENTS = f"{FUNDING}/requirements"
EDITION = f"{FUNDING}/editions/MI-2015"
DOCUMENT = "migration-initiatives-2015"
MILLION = Decimal(1_000_000)
# USD, as the publication prints the total of its regions.
NINE_REGIONS = 1_630_112_000


async def lines(client: httpx.AsyncClient, path: str) -> list[Row]:
    """The whole of a list, or of a link to a part of it."""
    answer = await client.get(httpx.URL(path).copy_add_param("format", "ndjson"))
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def amount(row: Row) -> Decimal:
    return Decimal(row["sum"]["amount"]) if row["sum"] else Decimal(0)


def sums(rows: list[Row], *names: str) -> dict[tuple[str, ...], Decimal]:
    """What rows add up to, by the codes of some of their terms."""
    found: dict[tuple[str, ...], Decimal] = {}
    for row in rows:
        key = tuple(row[name]["code"] for name in names)
        found[key] = found.get(key, Decimal(0)) + amount(row)
    return found


def total_of(printed: Row) -> tuple[str, ...]:
    """What a printed total is a total of: codes as `sums` has them."""
    return (printed["region"], printed["value"]) if printed["division"] == "area" else (printed["value"],)


def half_up(share: Fraction, places: int) -> Fraction:
    return Fraction((share * 10**places + Fraction(1, 2)).__floor__(), 10**places)
