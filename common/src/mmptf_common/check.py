"""Whether a service could serve: its settings, database and replica, identity provider and Redis, other services."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import chain
from typing import Any

import asyncpg
import httpx
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from mmptf_common.http.tokens import KeySet
from mmptf_common.process.client import open_client
from mmptf_common.process.findings import (
    Finding,
    State,
    of_metrics_port,
    of_services,
    of_settings,
    of_telemetry,
    reason,
)
from mmptf_common.process.settings import ServiceSettings
from mmptf_common.service import Service
from mmptf_common.storage.cache import of_redis
from mmptf_common.storage.connections import Connector
from mmptf_common.storage.engines import write_engine
from mmptf_common.storage.journal import PUBLIC_JOURNAL
from mmptf_common.storage.privileges import may_rewrite, missing_privileges
from mmptf_common.storage.schema_version import UnsuitableDatabase, head, require_schema

# Seconds for all questions to a database, and those by which the clocks of this process and of the database may differ.
SECONDS, MOST_SKEW = 5, 2.0
# Seconds in which a replica shows what the database had.
REPLAY_SECONDS = 2.0
# The further sessions by which a pooler is told from the server, and seconds in which it gives them connections.
FURTHER, FURTHER_SECONDS = 4, 1.0
_UNREACHABLE = (OSError, TimeoutError, SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError)
_FACTS = sa.text(
    "SELECT current_setting('server_version') AS version, current_database() AS database, current_user AS role,"
    " extract(epoch FROM clock_timestamp())::float8 AS now,"
    " pg_is_in_recovery() OR current_setting('default_transaction_read_only')::boolean AS is_read_only"
)
# Whether the present role may change the schema: that of all tables, or one that may become it.
_OWNS = sa.text(
    "SELECT coalesce(bool_and(pg_has_role(relowner, 'USAGE')), true) FROM pg_class"
    " WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
)
# Which database answers, and to whom: a streaming replica has the same system and number as its primary.
_PLACE = (
    "SELECT (SELECT system_identifier FROM pg_control_system()) AS system, oid AS number, datname AS database,"
    " current_user AS role, current_setting('server_version') AS version, pg_is_in_recovery() AS is_replica,"
    " pg_backend_pid() AS process FROM pg_database WHERE datname = current_database()"
)
# The end of the log that a server has, and the number of the last write.
_REACHED = (
    "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END::text"
    f" AS log, (SELECT coalesce(max(number), 0) FROM {PUBLIC_JOURNAL.revision}) AS write"
)
_LACKED = "SELECT greatest(0, pg_wal_lsn_diff($1::text::pg_lsn, pg_last_wal_replay_lsn()))::bigint"
_UNREADABLE = (
    "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
    " AND NOT has_table_privilege(oid, 'SELECT') ORDER BY relname"
)


async def findings_of(service: Service[Any], settings: ServiceSettings) -> list[Finding]:
    """What is found, in the order in which it is to be read; all is asked at once."""
    found = await asyncio.gather(
        _of_database(service, settings), _of_direct(settings), _of_replica(settings), _of_owner(settings),
        of_redis(settings), _of_identity(settings), of_metrics_port(settings, service.name), of_telemetry(settings),
        of_services(settings.called),
    )  # fmt: skip
    return [*of_settings(settings), *chain.from_iterable(found)]


async def _of_database(service: Service[Any], settings: ServiceSettings) -> list[Finding]:
    engine = write_engine(settings.database_url.get_secret_value(), size=1, is_pooled=settings.is_pooled)
    try:
        async with asyncio.timeout(SECONDS), engine.connect() as connection:
            found = await _facts(connection)
            try:
                await require_schema(connection, service.package)
            except UnsuitableDatabase as error:
                return [*found, Finding(State.FAILED, "schema", reason(error))]
            return [*found, Finding(State.OK, "schema", head(service.package)), await _role(connection)]
    except _UNREACHABLE as error:
        return [Finding(State.FAILED, "database", _why(error))]
    finally:
        await engine.dispose()


async def _facts(connection: AsyncConnection) -> list[Finding]:
    began, clock = time.perf_counter(), time.time()
    facts = (await connection.execute(_FACTS)).one()
    seconds = time.perf_counter() - began
    database = f"PostgreSQL {facts.version}, {facts.database} as {facts.role}, answers in {1000 * seconds:.0f} ms"
    # It was read somewhere between the question and its answer.
    skew = facts.now - (clock + seconds / 2)
    which = "ahead of" if skew > 0 else "behind"
    return [
        Finding(State.WARNING, "database", f"{database}; it is read-only, so writes are refused")
        if facts.is_read_only
        else Finding(State.OK, "database", database),
        Finding(
            State.OK if abs(skew) <= MOST_SKEW + seconds / 2 else State.WARNING,
            "clock",
            f"that of the database is {abs(skew):.3f} s {which} this one",
        ),
    ]


async def _role(connection: AsyncConnection) -> Finding:
    if missing := await missing_privileges(connection):
        return Finding(
            State.FAILED, "role", f"lacks {_few(missing)}: run migrate with MIGRATION_DATABASE_URL and DATABASE_URL"
        )
    if await may_rewrite(connection):
        return Finding(State.WARNING, "role", "may serve, and may rewrite the journal: serve as a role without tables")
    return Finding(State.OK, "role", "may serve, and cannot rewrite the journal")


async def _of_direct(settings: ServiceSettings) -> list[Finding]:
    """The address beside that of a pooler, where it is set; a service begins to serve without it, too."""
    if settings.database_direct_url is None:
        return []
    connector = Connector(settings.session_url, {})
    try:
        async with asyncio.timeout(SECONDS), _opened(connector) as connection:
            place = await _place(connection)
            found = f"{place['database']} as {place['role']}"
            database = await _place_of_database(settings)
            if other := _other_than(place, database):
                return [Finding(State.WARNING, "direct", f"{found}: {other}")]
            if database and place["role"] != database["role"]:
                return [
                    Finding(State.WARNING, "direct", f"{found}: another role than {database['role']} of DATABASE_URL")
                ]
            if place["is_replica"]:
                return [Finding(State.WARNING, "direct", f"{found}: a replica, which takes no writes")]
            if place["process"] == connection.get_server_pid():
                return [Finding(State.OK, "direct", f"{found}, without a pooler")]
            if await _is_shared(connector, place["process"]):
                return [Finding(State.WARNING, "direct", f"{found}: a pooler, which shares its connections")]
            return [
                Finding(State.OK, "direct", f"{found}, through a pooler that seems to give each its own connection")
            ]
    except _UNREACHABLE as error:
        return [Finding(State.WARNING, "direct", _why(error))]


async def _of_replica(settings: ServiceSettings) -> list[Finding]:
    """The replica for reads, where it is set; a service reads from the database without it."""
    if settings.database_read_url is None:
        return []
    connector = Connector(settings.database_read_url.get_secret_value(), {}, is_replica=True)
    try:
        async with asyncio.timeout(SECONDS), _opened(connector) as connection:
            place = await _place(connection)
            found = f"PostgreSQL {place['version']}, {place['database']} as {place['role']}"
            if unsuitable := await _why_not_read(connection, place, settings):
                return [Finding(State.WARNING, "replica", f"{found}: {unsuitable}; reads go to the database")]
            return [await _lag(connection, found, settings)]
    except _UNREACHABLE as error:
        return [Finding(State.WARNING, "replica", f"{_why(error)}; reads go to the database")]


async def _why_not_read(connection: Any, place: Any, settings: ServiceSettings) -> str | None:
    """What keeps a service from reading at a server that is meant as a replica of its database."""
    if not place["is_replica"]:
        return "no streaming replica"
    if place["process"] != connection.get_server_pid():
        return "a pooler is in between, and the address of the replica itself is expected"
    if other := _other_than(place, await _place_of_database(settings)):
        return other
    if unreadable := [row["relname"] for row in await connection.fetch(_UNREADABLE)]:
        return f"the role may not read {_few(unreadable)}"
    return None


async def _lag(connection: Any, found: str, settings: ServiceSettings) -> Finding:
    """How long a replica takes until it shows all that the database has now."""
    try:
        async with _opened(_to_database(settings)) as database:
            await database.execute("BEGIN READ ONLY")
            log, write = await database.fetchrow(_REACHED)
    except _UNREACHABLE as error:
        return Finding(State.WARNING, "replica", f"{found}, not compared: {_why(error)}")
    began = time.monotonic()
    while True:
        lacks, shown = await connection.fetchval(_LACKED, log), (await connection.fetchrow(_REACHED))["write"]
        seconds = time.monotonic() - began
        if (not lacks and shown >= write) or seconds > REPLAY_SECONDS:
            break
        await asyncio.sleep(0.02)
    if shown < write:
        detail = f"lacks {write - shown} writes and {lacks} bytes of the log after {seconds:.0f} s"
        return Finding(State.WARNING, "replica", f"{found}: {detail}; reads go to the database")
    # The end of a log that no write waits for may come with the next one only.
    rest = f", but for {lacks} bytes of the log" if lacks else f" within {1000 * seconds:.0f} ms"
    return Finding(State.OK, "replica", f"{found}, has all writes{rest}")


@asynccontextmanager
async def _opened(connector: Connector) -> AsyncIterator[Any]:
    """A connection, broken at the end: a server that does not answer would not take leave either."""
    # What one transaction has prepared behind a pooler, the next one may not find.
    connection = await connector.open(statement_cache_size=0)
    try:
        yield connection
    finally:
        connection.terminate()


def _to_database(settings: ServiceSettings) -> Connector:
    return Connector(settings.database_url.get_secret_value(), {}, is_pooled=settings.is_pooled)


async def _place(connection: Any) -> Any:
    await connection.execute("BEGIN READ ONLY")
    place = await connection.fetchrow(_PLACE)
    await connection.execute("ROLLBACK")
    return place


async def _place_of_database(settings: ServiceSettings) -> Any:
    """The place of DATABASE_URL; None where it does not answer, which a line of its own says."""
    try:
        async with _opened(_to_database(settings)) as connection:
            return await _place(connection)
    except _UNREACHABLE:
        return None


def _other_than(place: Any, database: Any) -> str | None:
    """In what a server differs from DATABASE_URL; None where in nothing, or where that does not answer."""
    if database is None:
        return None
    if (place["system"], place["number"]) != (database["system"], database["number"]):
        return f"another database than {database['database']} of DATABASE_URL"
    return None


async def _is_shared(connector: Connector, process: int) -> bool:
    """Whether a pooler gives the connection of an idle session to others, as far as a few others show it.

    process: of the server, in which the last transaction of that session was
    """
    try:
        async with asyncio.timeout(FURTHER_SECONDS), AsyncExitStack() as stack:
            for _ in range(FURTHER):
                other = await stack.enter_async_context(_opened(connector))
                # It is not ended, so that the next one gets another connection.
                await other.execute("BEGIN READ ONLY")
                if (await other.fetchrow(_PLACE))["process"] == process:
                    return True
    except _UNREACHABLE:
        # No further connection is to be had: the idle session keeps its own.
        pass
    return False


async def _of_owner(settings: ServiceSettings) -> list[Finding]:
    """The role that migrates, where it is set; serving does not need it."""
    if settings.migration_database_url is None:
        return []
    engine = write_engine(settings.owner_url, size=1)
    try:
        async with asyncio.timeout(SECONDS), engine.connect() as connection:
            role = await connection.scalar(sa.text("SELECT current_user"))
            if await connection.scalar(_OWNS):
                return [Finding(State.OK, "migration", f"{role} owns the tables")]
            return [Finding(State.WARNING, "migration", f"{role} does not own all tables, so it cannot migrate")]
    except _UNREACHABLE as error:
        return [Finding(State.WARNING, "migration", _why(error))]
    finally:
        await engine.dispose()


async def _of_identity(settings: ServiceSettings) -> list[Finding]:
    issuer = settings.identity_issuer
    if issuer is None:
        return [Finding(State.WARNING, "identity", "no identity provider: every write is refused")]
    try:
        async with open_client(seconds=3) as client:
            keys = await KeySet(client, issuer, settings.identity_keys_url).published()
    except (httpx.HTTPError, httpx.InvalidURL, OSError, TimeoutError, ValueError) as error:
        return [Finding(State.FAILED, "identity", f"the keys of {issuer} cannot be fetched ({reason(error)})")]
    if not keys:
        return [Finding(State.FAILED, "identity", f"{issuer} publishes no key with which tokens can be verified")]
    algorithms = {algorithm for key in keys for algorithm in key.algorithms}
    number = f"{len(keys)} key{'s' * (len(keys) > 1)}"
    return [Finding(State.OK, "identity", f"{issuer} publishes {number}, for {', '.join(sorted(algorithms))}")]


def _few(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _why(error: BaseException) -> str:
    return f"does not answer within {SECONDS} s" if isinstance(error, TimeoutError) else reason(error)
