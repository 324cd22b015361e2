"""The data as they were: every table of records read, under its own name, as of an earlier revision."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from starlette.requests import Request

from mmptf_common.http.parameters import PointInTime
from mmptf_common.storage.journal import JOURNAL_LOCK
from mmptf_common.wire.problems import InvalidRequest, ServiceUnavailable, error_detail

# How often, and for how long, a question of this very moment waits for a write that is under way.
LOOKS, LOOK_SECONDS = 20, 0.05


class Past:
    """The tables of one service whose past rows are kept, and those that are derived from them."""

    def __init__(self, metadata: sa.MetaData) -> None:
        self._tables = {
            table.name: ", ".join(column.name for column in table.columns)
            for table in metadata.sorted_tables
            if "entity" in table.info
        }
        # In the order of their declaration: one may be derived from another.
        self._derived = {
            table.name: table.info["derived"] for table in metadata.tables.values() if "derived" in table.info
        }

    def shadows(self, number: int) -> str:
        """What goes before a statement so that each table in it holds what it held at a revision."""
        shadows = [f"revision AS NOT MATERIALIZED (SELECT * FROM revision WHERE number <= {number})"]
        shadows += [
            f"{name} AS NOT MATERIALIZED (SELECT {columns} FROM {name} WHERE revised <= {number}"
            f" UNION ALL SELECT {columns} FROM {name}_past WHERE revised <= {number} AND replaced > {number})"
            for name, columns in self._tables.items()
        ]
        shadows += [f"{name} AS NOT MATERIALIZED ({derived})" for name, derived in self._derived.items()]
        return f"WITH {', '.join(shadows)}"


async def as_of(request: Request, connection: Any, query: PointInTime) -> str:
    """The shadows for a query's `as_of`; empty when it asks for the data as they are now."""
    if query.as_of is None:
        return ""
    past: Past = request.app.state.past
    return past.shadows(await _number(connection, query.as_of))


def within(shadows: str, statement: str) -> str:
    """A statement over the tables as the shadows show them."""
    if not shadows:
        return statement
    return f"{shadows}, {statement[5:]}" if statement.startswith("WITH ") else f"{shadows} {statement}"


async def _number(connection: Any, asked: int | datetime) -> int:
    """The revision that an `as_of` means; a number within a write means the write, since nobody saw half of it."""
    if isinstance(asked, datetime):
        await _require_known(connection, asked)
        found = await connection.fetchrow(
            "SELECT number, repeatable FROM revision WHERE at <= $1 ORDER BY at DESC LIMIT 1", asked
        )
    else:
        found = await connection.fetchrow(
            "SELECT number, repeatable FROM revision WHERE number >= $1 AND $1 > 0 ORDER BY number LIMIT 1", asked
        )
        if found is None and asked > 0:
            newest = await connection.fetchval("SELECT coalesce(max(number), 0) FROM revision")
            raise _refused(f"there is no revision {asked} yet", f"0 to {newest}")
    if found is None:
        return 0
    if not found["repeatable"]:
        earliest = await connection.fetchval("SELECT min(number) FROM revision WHERE repeatable")
        raise _refused("what was answered then is not kept", f"{earliest} and later")
    return int(found["number"])


async def _require_known(connection: Any, moment: datetime) -> None:
    """Refuse a moment that is not past, and one whose data a write that is under way may still decide."""
    for attempt in range(LOOKS):
        if attempt:
            await asyncio.sleep(LOOK_SECONDS)
        settled, now, idle = await connection.fetchrow(
            "SELECT (SELECT max(at) FROM revision), clock_timestamp(), pg_try_advisory_xact_lock_shared($1)",
            JOURNAL_LOCK,
        )
        if settled is not None and moment <= settled:
            return
        if moment > now:
            raise _refused(f"{moment.isoformat()} is not past yet", "a moment up to now")
        if idle:
            return
    raise ServiceUnavailable("A write that may be of that moment is under way; ask again when it has ended.")


def _refused(detail: str, allowed: str) -> InvalidRequest:
    return InvalidRequest([error_detail("unknown_revision", f"as_of: {detail}", parameter="as_of", allowed=[allowed])])
