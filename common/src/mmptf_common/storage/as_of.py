"""Reads as of an earlier revision: CTEs that have the names of the tables and return their earlier rows."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

import sqlalchemy as sa

from mmptf_common.storage.engines import Database
from mmptf_common.storage.journal import JOURNAL_LOCK, PUBLIC_JOURNAL, Journal
from mmptf_common.storage.rollups import Rollup
from mmptf_common.storage.shared_results import SharedQuery
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import InvalidRequest, ServiceUnavailable, error_detail

# For statements under the `WITH` clause. An earlier row is in one of two tables, and no index and no statistics are of
# both: where a join looks up row after row, it reads all of both for each.
PLANNING = "SET enable_nestloop = off"
# How often, and how long each time, a request as of the present moment waits for a write under way.
LOOKS, LOOK_SECONDS = 20, 0.05
# Where SQL that is made once has the number of the revision.
_NUMBER = ":revision_number"


class AsOfTables:
    """The tables of one service whose earlier rows are stored, and the tables derived from them."""

    def __init__(self, metadata: sa.MetaData) -> None:
        self._rows: dict[str, dict[str, _Rows]] = {}
        for table in metadata.sorted_tables:
            if "entity" in table.info:
                journal: Journal = table.info["journal"]
                self._of(journal).update(_earlier_rows(table))
        # In the order of their declaration, since one may be derived from another.
        for table in metadata.tables.values():
            if "derived" in table.info:
                self._of(PUBLIC_JOURNAL).update(_earlier_derived(table))

    def _of(self, journal: Journal) -> dict[str, _Rows]:
        writes = journal.revision
        return self._rows.setdefault(
            journal.change, {writes: _Rows(f"SELECT * FROM {writes} WHERE number <= {_NUMBER}")}
        )

    def at(self, number: int, journal: Journal = PUBLIC_JOURNAL) -> EarlierTables:
        """The tables of a journal as of a revision."""
        return EarlierTables(self._of(journal), number)


def _earlier_rows(table: sa.Table) -> dict[str, _Rows]:
    """The rows of a table as of a revision, also in two parts, those that are the same now and those replaced since.

    A statement that needs the first rows of an order reads each part in an index, which it could not do of both.
    """
    name, columns = table.name, ", ".join(column.name for column in table.columns)
    then = f"revised <= {_NUMBER}"
    return {
        f"{name}_present": _Rows(f"SELECT {columns} FROM {name} WHERE {then}"),
        f"{name}_replaced": _Rows(f"SELECT {columns} FROM {name}_past WHERE {then} AND replaced > {_NUMBER}"),
        name: _Rows(f"SELECT * FROM {name}_present UNION ALL SELECT * FROM {name}_replaced"),
    }


def _earlier_derived(table: sa.Table) -> dict[str, _Rows]:
    """The rows of a derived table as of a revision, after those tables that they are made of.

    Its `info["as_of"]` is a function that returns the SQL of these by name, given that of the number of the revision.
    Among them is what a rollup of the table reads: `…_since`, the rows that it did not have then, and `…_then`, those
    that it had in their place. `info["read_once"]` names those that others read several times. Without a function the
    rows are derived from all records of then.
    """
    if as_of := table.info.get("as_of"):
        return {name: _Rows(sql, read_once=name in table.info["read_once"]) for name, sql in as_of(_NUMBER).items()}
    rollup: Rollup | None = table.info.get("rollup")
    return {table.name: _Rows(rollup.rows_as_of(_NUMBER) if rollup else table.info["derived"])}


class _Rows:
    """SQL of the rows of a table as of the revision `_NUMBER`, and the words in it.

    read_once: whether they are read once for a statement that reads them several times, and planned once
    """

    def __init__(self, sql: str, *, read_once: bool = False) -> None:
        self.sql, self.words, self.read_once = sql, _words(sql), read_once


def _words(sql: str) -> frozenset[str]:
    """What may be the name of a table in a statement; of a name in two parts, each part."""
    return frozenset(re.findall(r"[a-z_][a-z0-9_]*", sql))


@dataclass(frozen=True, slots=True)
class EarlierTables:
    """The tables as of one revision, for statements that name them.

    rows: of each table by its name, in the order in which one may read another
    """

    rows: Mapping[str, _Rows]
    number: int

    def statement(self, sql: str) -> str:
        """The statement with a `WITH` clause under which it reads the tables as of the revision.

        The clause has the tables that the statement names, and those that these read: the database analyses each that
        is there, and a service has dozens.
        """
        needed, words = set[str](), _words(sql)
        while found := (words & self.rows.keys()) - needed:
            needed |= found
            words = frozenset().union(*(self.rows[name].words for name in found))
        if not needed:
            return sql
        ctes = [
            f"{name} AS {'' if rows.read_once else 'NOT '}MATERIALIZED ({rows.sql})"
            for name, rows in self.rows.items()
            if name in needed
        ]
        clause = ", ".join(ctes).replace(_NUMBER, str(self.number))
        own = sql.lstrip()
        return f"WITH {clause}, {own.removeprefix('WITH ')}" if own.startswith("WITH ") else f"WITH {clause} {own}"


class SettledMoments:
    """The moments of which every write is committed, so that what was stored then does not change any more.

    A write gets its moment when it begins and is visible when it is committed. Requests as of a moment of a write under
    way wait for it: without a connection, and with one query for all that wait.
    """

    def __init__(self, database: Database) -> None:
        self._writing = SharedQuery(database, _writing)
        # Moments up to the last committed write stay settled, since the next write is later.
        self._settled = datetime.min.replace(tzinfo=UTC)

    async def require(self, as_of: date) -> None:
        """Return when the moment, or the end of the day, is settled; the end of today is taken for now.

        Raises InvalidRequest for a moment to come, ServiceUnavailable while a write under way may get an earlier one.
        """
        moment = _moment(as_of)
        for _ in range(LOOKS):
            if moment <= self._settled:
                return
            last, now, idle = await self._writing.result()
            if moment > now and as_of == now.date():
                return
            if last is not None:
                self._settled = max(self._settled, last)
            if moment > max(now, self._settled):
                raise _unknown_revision(f"{moment.isoformat()} is not past yet", "a moment up to now")
            if idle or moment <= self._settled:
                return
            await asyncio.sleep(LOOK_SECONDS)
        raise ServiceUnavailable("A write that may be of that moment is under way; ask again when it has ended.")


async def _writing(connection: Any) -> tuple[datetime | None, datetime, bool]:
    """The moment of the last committed write, the present one, and whether no write is under way.

    The lock is tried, so nobody waits for a writer, and released with the statement.
    """
    last, now, idle = await connection.fetchrow(
        "SELECT (SELECT max(at) FROM revision), clock_timestamp(), pg_try_advisory_xact_lock_shared($1)", JOURNAL_LOCK
    )
    return last, now, idle


async def revision_at(connection: Any, as_of: int | date, journal: Journal = PUBLIC_JOURNAL) -> int:
    """The number of the revision at an `as_of`, 0 before the first; raises InvalidRequest where it cannot be read.

    The number of a change within a write stands for the whole write, since no reader could see a part of it; a number
    between two writes stands for the earlier one.
    as_of: the number of a revision or of a change; a settled moment, as a datetime; a day, for its end
    """
    seen = f"FROM {journal.revision} WHERE {journal.seen('$1')}"
    owner, value = journal.values, f"${len(journal.values) + 1}"
    if isinstance(as_of, date):
        found = await connection.fetchrow(
            f"SELECT number, repeatable {seen} AND at <= {value} ORDER BY at DESC LIMIT 1", *owner, _moment(as_of)
        )
    else:
        found = await connection.fetchrow(
            f"SELECT number, repeatable {seen} AND first <= {value} ORDER BY first DESC LIMIT 1", *owner, as_of
        )
        if as_of and (found is None or as_of > found["number"]):
            newest = await connection.fetchval(f"SELECT coalesce(max(number), 0) {seen}", *owner)
            if as_of > newest:
                raise _unknown_revision(f"there is no revision {as_of} yet", f"0 to {newest}")
    if found is None:
        return 0
    if not found["repeatable"]:
        earliest = await connection.fetchval(f"SELECT min(number) {seen} AND repeatable", *owner)
        raise _unknown_revision("what was answered then is not kept", f"{earliest} and later")
    return int(found["number"])


def _moment(as_of: date) -> datetime:
    return as_of if isinstance(as_of, datetime) else datetime.combine(as_of, time.max, tzinfo=UTC)


def _unknown_revision(detail: str, allowed: str) -> InvalidRequest:
    return InvalidRequest(
        [error_detail(ProblemCode.UNKNOWN_REVISION, f"as_of: {detail}", parameter="as_of", allowed=[allowed])]
    )
