"""Schema migrations, part of each service's package, run by its `migrate` and by Alembic's own command."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from pkgutil import resolve_name
from typing import Any

import asyncpg
import sqlalchemy as sa
from alembic import command, context
from alembic.config import Config
from alembic.runtime.migration import MigrationContext, MigrationInfo
from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from mmptf_common.process.settings import ServiceSettings
from mmptf_common.process.tasks import end_task
from mmptf_common.storage.connections import Connector
from mmptf_common.storage.engines import write_engine
from mmptf_common.storage.privileges import let_serve
from mmptf_common.storage.schema_version import (
    SchemaError,
    UnsuitableDatabase,
    head,
    is_newer,
    oldest_codes,
    revision_of,
    service_of,
    stored_oldest_code,
)

MIGRATION_LOCK = 0x6D6967
# Seconds for which a statement of a migration waits for a lock, the pause until it is tried again, and for which it is
# tried in all.
LOCK_SECONDS, PAUSE_SECONDS, BLOCKED_SECONDS = 3, 2, 120
LOOK_SECONDS = 0.5
# The lock that a session ($1) waits for, and the first of those that have it.
_BLOCKED_BY = """
    SELECT CASE WHEN wanted.relation IS NOT NULL THEN format('the lock of the table %s', wanted.relation::regclass)
                WHEN wanted.locktype <> 'advisory' THEN format('a lock of a %s', wanted.locktype)
                WHEN (wanted.classid::bigint << 32) + wanted.objid::bigint = $2 THEN 'the lock of migrations'
                ELSE 'an advisory lock' END
           || format(', which the session with the pid %s holds (%s, role %s, from %s, %s since %s)', other.pid,
                     coalesce(nullif(other.application_name, ''), 'no application name'), other.usename,
                     coalesce(host(other.client_addr), 'this host'), coalesce(other.state, 'state not shown'),
                     to_char(other.state_change AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
      FROM pg_locks AS wanted
      JOIN pg_stat_activity AS other ON other.pid = (pg_blocking_pids($1))[1]
     WHERE wanted.pid = $1 AND NOT wanted.granted"""


class MigrationBlocked(SchemaError):
    """A lock that a migration needs was not to be had; the message says which, who has it, and what to do."""


async def migrate(url: str, package: str, *, serving_role: str | None = None) -> tuple[str | None, str]:
    """Bring the database to the package's head in one transaction; returns the revisions before and after.

    One of a newer version with which this one may serve is left as it is, with what it grants.

    url: of the role that owns the tables; serving_role: the one that is granted what it needs to serve, if any
    Raises UnsuitableDatabase, and changes nothing, when the database is another service's or a newer version's, and
    MigrationBlocked when others hold a lock for longer than BLOCKED_SECONDS. Statements of a service queue behind one
    that waits for a lock, so a migration waits for LOCK_SECONDS only, undoes what it did, and begins again.
    """
    config = _config(package)

    def upgrade(connection: sa.Connection) -> str | None:
        before = _begin(connection, package)
        if not is_newer(before, package):
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            if stored_oldest_code(connection) is None:
                # At the head already, to which a version has migrated that did not store this.
                for statement in _storing_oldest_code(package, head(package)):
                    connection.exec_driver_sql(statement)
        return before

    engine = _migration_engine(url)
    until = time.monotonic() + BLOCKED_SECONDS
    try:
        while True:
            async with _watching(url) as watch:
                try:
                    async with engine.begin() as connection:
                        watch.pid = await connection.scalar(sa.text("SELECT pg_backend_pid()"))
                        before = await connection.run_sync(upgrade)
                        if before is not None and is_newer(before, package):
                            return before, before
                        if serving_role:
                            await let_serve(connection, serving_role)
                        return before, head(package)
                except CommandError as error:
                    raise SchemaError(str(error)) from error
                except DBAPIError as error:
                    if getattr(error.orig, "sqlstate", None) != asyncpg.LockNotAvailableError.sqlstate:
                        raise
                    if time.monotonic() > until:
                        raise MigrationBlocked(
                            f"nothing was changed: for {BLOCKED_SECONDS} s the migration did not get"
                            f" {watch.blocked_by}; wait for that session, stop its process, or end it with"
                            " SELECT pg_terminate_backend(<pid>), then run migrate again"
                        ) from error
            await asyncio.sleep(PAUSE_SECONDS)
    finally:
        await engine.dispose()


def run_environment(package: str, metadata: str) -> None:
    """Run Alembic's command; a service's `env.py` consists of this call.

    metadata: `module:name` of the metadata of the models. It is imported only for Alembic's own command: a migration
    is written out in its file, and does not depend on the models.
    """
    connection = context.config.attributes.get("connection")
    if connection is not None:
        _run(package, connection=connection)
    elif context.is_offline_mode():
        _run(package, dialect_name="postgresql", literal_binds=True)
    else:
        asyncio.run(_run_alone(package, metadata))


async def _run_alone(package: str, metadata: str) -> None:
    declared = resolve_name(metadata)

    def run(connection: sa.Connection) -> None:
        try:
            _begin(connection, package)
        except UnsuitableDatabase as error:
            raise CommandError(str(error)) from error  # which Alembic's command prints
        hook = _next_revision(package)
        _run(package, connection=connection, target_metadata=declared, process_revision_directives=hook)

    engine = _migration_engine(ServiceSettings().owner_url)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(run)
    finally:
        await engine.dispose()


def _migration_engine(url: str) -> AsyncEngine:
    """An engine for migrations: a statement may take as long as it needs, and waits for a lock for LOCK_SECONDS."""
    return write_engine(url, size=1, settings={"lock_timeout": f"{LOCK_SECONDS}s"})


@dataclass(slots=True)
class _Watch:
    """What a migration waits for, as the database says; pid: of the session that migrates."""

    pid: int | None = None
    blocked_by: str = "a lock"


@asynccontextmanager
async def _watching(url: str) -> AsyncIterator[_Watch]:
    """Looks, over a connection of its own, at what the session that migrates waits for."""
    watch = _Watch()

    async def look() -> None:
        connection = await Connector(url, {}).open()
        try:
            while True:
                found = watch.pid and await connection.fetchval(_BLOCKED_BY, watch.pid, MIGRATION_LOCK)
                watch.blocked_by = found or watch.blocked_by
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            connection.terminate()

    looking = asyncio.create_task(look())
    try:
        yield watch
    finally:
        # It only explains: where it cannot look, the migration goes on.
        await end_task(looking)


def _run(package: str, **options: Any) -> None:
    # Alembic passes these by name.
    def store(ctx: MigrationContext, step: MigrationInfo, heads: Collection[Any], run_args: Mapping[str, Any]) -> None:
        for revision in heads:
            for statement in _storing_oldest_code(package, revision):
                ctx.execute(statement)

    context.configure(on_version_apply=store, **options)
    with context.begin_transaction():
        context.run_migrations()


def _storing_oldest_code(package: str, revision: str) -> tuple[str, ...]:
    """Statements that store the oldest revision whose code may serve beside the revision that Alembic has stored."""
    return (
        "ALTER TABLE alembic_version ADD COLUMN IF NOT EXISTS oldest_code varchar(32)",
        f"UPDATE alembic_version SET oldest_code = '{oldest_codes(package)[revision]}'",
    )


def _next_revision(package: str) -> Any:
    """A hook for Alembic that gives a new migration the revision after the head, such as `<service>_0006`."""

    def number(_context: MigrationContext, _revision: Any, directives: list[Any]) -> None:
        for directive in directives:
            directive.rev_id = f"{service_of(package)}_{int(head(package)[-4:]) + 1:04}"

    return number


def _begin(connection: sa.Connection, package: str) -> str | None:
    """Lock migrations until the transaction ends; returns the schema revision of the database.

    Of two deployments that migrate at once the second waits, and then finds nothing to do.
    """
    connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
    return revision_of(connection, package)


def _config(package: str) -> Config:
    config = Config()
    # `%` begins an interpolation.
    config.set_main_option("script_location", str(files(package) / "migrations").replace("%", "%%"))
    return config
