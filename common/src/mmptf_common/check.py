"""Whether a service could serve: its settings, database, identity provider and Redis, and other services."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import asyncpg
import httpx
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from mmptf_common.http.tokens import KeySet
from mmptf_common.process.client import open_client
from mmptf_common.process.findings import Finding, State, of_services, of_settings, reason
from mmptf_common.process.settings import ServiceSettings
from mmptf_common.service import Service
from mmptf_common.storage.cache import of_redis
from mmptf_common.storage.engines import write_engine
from mmptf_common.storage.privileges import may_rewrite, missing_privileges
from mmptf_common.storage.schema_version import UnsuitableDatabase, head, require_schema

# Seconds for all questions to a database, and those by which the clocks of this process and of the database may differ.
SECONDS, MOST_SKEW = 5, 2.0
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


async def findings_of(service: Service[Any], settings: ServiceSettings) -> list[Finding]:
    """What is found, in the order in which it is to be read; all is asked at once."""
    database, owner, redis, identity, services = await asyncio.gather(
        _of_database(service, settings), _of_owner(settings), of_redis(settings), _of_identity(settings),
        of_services(settings.called),
    )  # fmt: skip
    return [*of_settings(settings), *database, *owner, redis, identity, *services]


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
        few = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
        return Finding(State.FAILED, "role", f"lacks {few}: run migrate with MIGRATION_DATABASE_URL and DATABASE_URL")
    if await may_rewrite(connection):
        return Finding(State.WARNING, "role", "may serve, and may rewrite the journal: serve as a role without tables")
    return Finding(State.OK, "role", "may serve, and cannot rewrite the journal")


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


async def _of_identity(settings: ServiceSettings) -> Finding:
    issuer = settings.identity_issuer
    if issuer is None:
        return Finding(State.WARNING, "identity", "no identity provider: every write is refused")
    try:
        async with open_client(seconds=3) as client:
            keys = await KeySet(client, issuer, settings.identity_keys_url).published()
    except (httpx.HTTPError, httpx.InvalidURL, OSError, TimeoutError, ValueError) as error:
        return Finding(State.FAILED, "identity", f"the keys of {issuer} cannot be fetched ({reason(error)})")
    if not keys:
        return Finding(State.FAILED, "identity", f"{issuer} publishes no key with which tokens can be verified")
    algorithms = {algorithm for key in keys for algorithm in key.algorithms}
    number = f"{len(keys)} key{'s' * (len(keys) > 1)}"
    return Finding(State.OK, "identity", f"{issuer} publishes {number}, for {', '.join(sorted(algorithms))}")


def _why(error: BaseException) -> str:
    return f"does not answer within {SECONDS} s" if isinstance(error, TimeoutError) else reason(error)
