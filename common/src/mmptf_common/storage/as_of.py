"""Reads as of an earlier revision: CTEs that have the names of the tables and return their earlier rows."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, time
from typing import Any

import sqlalchemy as sa

from mmptf_common.storage.journal import JOURNAL_LOCK
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import InvalidRequest, ServiceUnavailable, error_detail

# How often, and how long each time, a request as of the present moment waits for a write under way.
LOOKS, LOOK_SECONDS = 20, 0.05


class AsOfTables:
    """The tables of one service whose earlier rows are stored, and the tables derived from them."""

    def __init__(self, metadata: sa.MetaData) -> None:
        self._columns = {
            table.name: ", ".join(column.name for column in table.columns)
            for table in metadata.sorted_tables
            if "entity" in table.info
        }
        # In the order of their declaration, since one may be derived from another.
        self._derived = {
            table.name: table.info["derived"] for table in metadata.tables.values() if "derived" in table.info
        }

    def ctes(self, number: int) -> str:
        """The `WITH` clause under which a statement reads each table as of a revision."""
        ctes = [f"revision AS NOT MATERIALIZED (SELECT * FROM revision WHERE number <= {number})"]
        ctes += [
            f"""{table} AS NOT MATERIALIZED (
                SELECT {columns} FROM {table} WHERE revised <= {number}
                UNION ALL
                SELECT {columns} FROM {table}_past WHERE revised <= {number} AND replaced > {number})"""
            for table, columns in self._columns.items()
        ]
        ctes += [f"{table} AS NOT MATERIALIZED ({derived})" for table, derived in self._derived.items()]
        return f"WITH {', '.join(ctes)}"


def with_ctes(ctes: str, statement: str) -> str:
    """The statement with a `WITH` clause before it; the statement itself where the clause is empty."""
    if not ctes:
        return statement
    own = statement.lstrip()
    return f"{ctes}, {own.removeprefix('WITH ')}" if own.startswith("WITH ") else f"{ctes} {own}"


async def revision_at(connection: Any, as_of: int | date) -> int:
    """The number of the revision at an `as_of`, 0 before the first; raises InvalidRequest where it cannot be read.

    The number of a change within a write stands for the whole write, since no reader could see a part of it.
    as_of: the number of a revision or of a change; a moment, as a datetime; a day, for its end
    """
    if isinstance(as_of, date):
        moment = as_of if isinstance(as_of, datetime) else datetime.combine(as_of, time.max, tzinfo=UTC)
        await _require_known(connection, moment, as_of)
        found = await connection.fetchrow(
            "SELECT number, repeatable FROM revision WHERE at <= $1 ORDER BY at DESC LIMIT 1", moment
        )
    else:
        found = await connection.fetchrow(
            "SELECT number, repeatable FROM revision WHERE number >= $1 AND $1 > 0 ORDER BY number LIMIT 1", as_of
        )
        if found is None and as_of > 0:
            newest = await connection.fetchval("SELECT coalesce(max(number), 0) FROM revision")
            raise _unknown_revision(f"there is no revision {as_of} yet", f"0 to {newest}")
    if found is None:
        return 0
    if not found["repeatable"]:
        earliest = await connection.fetchval("SELECT min(number) FROM revision WHERE repeatable")
        raise _unknown_revision("what was answered then is not kept", f"{earliest} and later")
    return int(found["number"])


async def _require_known(connection: Any, moment: datetime, as_of: date) -> None:
    """Raise InvalidRequest for a future moment, ServiceUnavailable while a write under way may get an earlier one.

    as_of: as the caller stated the moment; the end of today is taken for now
    """
    for attempt in range(LOOKS):
        if attempt:
            await asyncio.sleep(LOOK_SECONDS)
        settled, now, idle = await connection.fetchrow(
            "SELECT (SELECT max(at) FROM revision), clock_timestamp(), pg_try_advisory_xact_lock_shared($1)",
            JOURNAL_LOCK,
        )
        if settled is not None and moment <= settled:
            return
        if moment > now and as_of == now.date():
            return
        if moment > now:
            raise _unknown_revision(f"{moment.isoformat()} is not past yet", "a moment up to now")
        if idle:
            return
    raise ServiceUnavailable("A write that may be of that moment is under way; ask again when it has ended.")


def _unknown_revision(detail: str, allowed: str) -> InvalidRequest:
    return InvalidRequest(
        [error_detail(ProblemCode.UNKNOWN_REVISION, f"as_of: {detail}", parameter="as_of", allowed=[allowed])]
    )
