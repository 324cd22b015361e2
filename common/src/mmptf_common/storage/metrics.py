"""Figures of a service's database and cache: its connections, its revision, and how old its copies are."""

from __future__ import annotations

import json
from typing import NamedTuple

import sqlalchemy as sa

from mmptf_common.process.metrics import Figure
from mmptf_common.storage.cache import Cache
from mmptf_common.storage.engines import Database, ReadKind, reading
from mmptf_common.wire.problems import ProblemError

# SQL of whether a database takes no writes: a standby, or one whose `default_transaction_read_only` is set.
READ_ONLY = "current_setting('transaction_read_only')::boolean"
# SQL of the text of a JSON object: service -> when the copy of it last had every change.
COPIES = (
    '(SELECT coalesce(json_object_agg(service, to_char(caught_up, \'YYYY-MM-DD"T"HH24:MI:SS.US"Z"\')'
    " ORDER BY service), '{}')::text FROM replication WHERE caught_up IS NOT NULL)"
)
_AGES = (
    "(SELECT json_object_agg(service, extract(epoch FROM clock_timestamp() - caught_up))"
    " FROM replication WHERE caught_up IS NOT NULL)"
)


class DatabaseState(NamedTuple):
    """What a database is now.

    read_only: whether it takes no writes
    revision: the number of the last write; ages: service -> seconds since the copy of it last had every change
    """

    read_only: bool
    revision: int
    ages: dict[str, float]


async def database_state(database: Database, metadata: sa.MetaData) -> DatabaseState:
    """The state of a service's database; raises the problem that its failure is.

    metadata: that of the service, which has a table of replications where it copies records of others
    """
    statement = (
        f"SELECT {READ_ONLY},"
        " (SELECT coalesce(max(number), 0) FROM revision),"
        f" coalesce({_AGES if 'replication' in metadata.tables else 'NULL::json'}::text, '{{}}')"
    )
    async with reading(database, ReadKind.PROBE) as connection:
        read_only, revision, ages = await connection.fetchrow(statement)
    return DatabaseState(read_only, revision, json.loads(ages))


async def figures_of(database: Database, cache: Cache, metadata: sa.MetaData) -> list[Figure]:
    """The figures now; those that only the database has are missing where it does not answer."""
    kinds = {kind.name.lower(): pool for kind, pool in database.reads.items()}
    connections: list[tuple[dict[str, str], float]] = []
    most: list[tuple[dict[str, str], float]] = []
    for kind, pool in kinds.items():
        idle = pool.connections.get_idle_size()
        connections.append(({"kind": kind, "state": "used"}, pool.connections.get_size() - idle))
        connections.append(({"kind": kind, "state": "idle"}, idle))
        most.append(({"kind": kind}, pool.connections.get_max_size()))
    writers = database.engine.pool
    assert isinstance(writers, sa.QueuePool)
    connections.append(({"kind": "write", "state": "used"}, writers.checkedout()))
    connections.append(({"kind": "write", "state": "idle"}, writers.checkedin()))
    most.append(({"kind": "write"}, writers.size()))
    waiting = [({"kind": kind}, pool.waiting) for kind, pool in kinds.items()]
    waited = [({"kind": kind}, pool.waited) for kind, pool in kinds.items()]
    reads = [({"result": result}, n) for result, n in cache.reads.items()]
    found = [
        Figure("gauge", "mmptf_database_connections", "Connections to the database by kind of use.", connections),
        Figure("gauge", "mmptf_database_connections_max", "Most connections by kind of use.", most),
        Figure("gauge", "mmptf_database_waiting", "Reads that wait for a connection.", waiting),
        Figure("counter", "mmptf_database_wait_seconds", "Seconds for which reads waited for a connection.", waited),
        Figure("counter", "mmptf_cache_reads", "Values that were looked for in the cache.", reads),
    ]
    if cache.state().state != "off":
        used = float(cache.state().state == "working")
        found.append(Figure("gauge", "mmptf_cache_up", "Whether Redis is used.", [({}, used)]))
    try:
        state = await database_state(database, metadata)
    except ProblemError:
        return [*found, Figure("gauge", "mmptf_database_up", "Whether the database answers.", [({}, 0)])]
    ages = [({"source": service}, age) for service, age in state.ages.items()]
    return [
        *found,
        Figure("gauge", "mmptf_database_up", "Whether the database answers.", [({}, 1)]),
        Figure("gauge", "mmptf_database_read_only", "Whether the database takes no writes.", [({}, state.read_only)]),
        Figure("gauge", "mmptf_revision", "Number of the last write.", [({}, state.revision)]),
        Figure(
            "gauge",
            "mmptf_replication_lag_seconds",
            "Seconds since the copy of another service last had every change.",
            ages,
        ),
    ]
