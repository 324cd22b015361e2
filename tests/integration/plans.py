"""The plans of the statements that a service sends, and the rows that they read."""

from __future__ import annotations

import json
from typing import Any

import asyncpg

Sent = list[tuple[str, tuple[Any, ...]]]
"""Statements with their values."""


async def explained(connection: asyncpg.Connection, sql: str, *values: Any) -> dict[str, Any]:
    (found,) = json.loads(await connection.fetchval(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {sql}", *values))
    plan: dict[str, Any] = found["Plan"]
    return plan


def read(plan: dict[str, Any]) -> float:
    """The rows that a step of a plan and those below it hand on or throw away."""
    removed = sum(value for name, value in plan.items() if name.startswith("Rows Removed by"))
    return float(plan["Actual Loops"] * (plan["Actual Rows"] + removed)) + sum(map(read, plan.get("Plans", ())))
