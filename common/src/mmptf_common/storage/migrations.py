"""Schema migrations, part of each service's package, run by its `migrate` and by Alembic's own command."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from pkgutil import resolve_name
from typing import Any

import asyncpg
import sqlalchemy as sa
from alembic import command, context
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from mmptf_common.process.settings import ServiceSettings
from mmptf_common.process.tasks import end_task
from mmptf_common.storage.engines import SERVER_SETTINGS, write_engine
from mmptf_common.storage.privileges import let_serve

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

# The name of a schema revision begins with its service. The first ones were numbers only.
_NAMED = re.compile(r"([a-z]+)_\d{4}")
_NUMBERED = re.compile(r"\d{4}")
# The tables of the search path, without those of extensions.
_TABLES = sa.text(
    "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'f') AND pg_table_is_visible(oid)"
    " AND relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)"
    " AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid"
    " AND deptype = 'e') ORDER BY relname"
)

# The present role, where there are tables that it may not read.
_NOT_GRANTED = sa.text(
    "SELECT current_user FROM pg_class WHERE oid = to_regclass('alembic_version')"
    " AND NOT has_table_privilege(oid, 'SELECT')"
)


class UnsuitableDatabase(CommandError):
    """The database cannot be used by this version of the service; the message contains the reason and the remedy."""


def head(package: str) -> str:
    """The newest schema revision in the package."""
    newest = ScriptDirectory.from_config(_config(package)).get_current_head()
    if newest is None:
        raise LookupError(f"{package} has no migrations")
    return newest


class MigrationBlocked(CommandError):
    """A lock that a migration needs was not to be had; the message says which, who has it, and what to do."""


async def migrate(url: str, package: str, *, serving_role: str | None = None) -> tuple[str | None, str]:
    """Bring the database to the package's head in one transaction; returns the revisions before and after.

    url: of the role that owns the tables; serving_role: the one that is granted what it needs to serve, if any
    Raises UnsuitableDatabase, and changes nothing, when the database is another service's or a newer version's, and
    MigrationBlocked when others hold a lock for longer than BLOCKED_SECONDS. Statements of a service queue behind one
    that waits for a lock, so a migration waits for LOCK_SECONDS only, undoes what it did, and begins again.
    """
    config = _config(package)

    def upgrade(connection: sa.Connection) -> str | None:
        before = _begin(connection, package)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
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
                        if serving_role:
                            await let_serve(connection, serving_role)
                        return before, head(package)
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


async def require_head(connection: AsyncConnection, package: str) -> None:
    """Raise UnsuitableDatabase unless the database is the service's own, at the package's head, and may be read."""
    if role := await connection.scalar(_NOT_GRANTED):
        raise UnsuitableDatabase(
            f"the role {role} may not read the database of {_service(package)}; with DATABASE_URL of {role}, and"
            f" MIGRATION_DATABASE_URL of the role that owns the tables, run: python -m {package} migrate"
        )
    found = await connection.run_sync(_revision, package)
    if found != (newest := head(package)):
        raise UnsuitableDatabase(
            f"the database of {_service(package)} is at schema {found or 'none'} and this version needs {newest};"
            f" run: python -m {package} migrate"
        )


async def require_database(url: str, package: str) -> None:
    """Raise UnsuitableDatabase as `require_head` does, over a connection of its own."""
    engine = write_engine(url, size=1)
    try:
        async with engine.connect() as connection:
            await require_head(connection, package)
    finally:
        await engine.dispose()


def run_environment(package: str, metadata: str) -> None:
    """Run Alembic's command; a service's `env.py` consists of this call.

    metadata: `module:name` of the metadata of the models. It is imported only for Alembic's own command: a migration
    is written out in its file, and does not depend on the models.
    """
    connection = context.config.attributes.get("connection")
    if connection is not None:
        _run(connection=connection)
    elif context.is_offline_mode():
        _run(dialect_name="postgresql", literal_binds=True)
    else:
        asyncio.run(_run_alone(package, metadata))


async def _run_alone(package: str, metadata: str) -> None:
    declared = resolve_name(metadata)

    def run(connection: sa.Connection) -> None:
        _begin(connection, package)
        _run(connection=connection, target_metadata=declared, process_revision_directives=_next_revision(package))

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
        connection = await asyncpg.connect(url, server_settings=SERVER_SETTINGS)
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


def _run(**options: Any) -> None:
    context.configure(**options)
    with context.begin_transaction():
        context.run_migrations()


def _next_revision(package: str) -> Any:
    """A hook for Alembic that gives a new migration the revision after the head, such as `<service>_0006`."""

    def number(_context: MigrationContext, _revision: Any, directives: list[Any]) -> None:
        for directive in directives:
            directive.rev_id = f"{_service(package)}_{int(head(package)[-4:]) + 1:04}"

    return number


def _begin(connection: sa.Connection, package: str) -> str | None:
    """Lock migrations until the transaction ends; returns the schema revision of the database.

    Of two deployments that migrate at once the second waits, and then finds nothing to do.
    """
    connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
    return _revision(connection, package)


def _revision(connection: sa.Connection, package: str) -> str | None:
    """The schema revision of the service's own database, None where it is empty; raises UnsuitableDatabase."""
    service, script = _service(package), ScriptDirectory.from_config(_config(package))
    tables = set(connection.scalars(_TABLES)) - {"alembic_version"}
    revision = MigrationContext.configure(connection).get_current_revision()
    found = f"the database {connection.scalar(sa.text('SELECT current_database()'))}"
    advice = f"set DATABASE_URL to the database of {service}, or to an empty one"
    if revision is None:
        if tables:
            raise UnsuitableDatabase(
                f"{found} is not one of {service}: it has no schema version, and has tables ({_some(tables)}); {advice}"
            )
        return None
    named = _NAMED.fullmatch(revision)
    if named and named[1] != service:
        raise UnsuitableDatabase(f"this is the database of {named[1]}, not of {service}; {advice}")
    own_table = _own_table(script)
    if not named and not (_NUMBERED.fullmatch(revision) and own_table in tables):
        raise UnsuitableDatabase(
            f"{found} is of another application, not of {service}: it is at schema {revision} and has no table"
            f" {own_table}, but {_some(tables)}; {advice}"
        )
    if revision not in {known.revision for known in script.walk_revisions()}:
        raise UnsuitableDatabase(
            f"the database of {service} is at schema {revision}, which this version does not know; a newer version of"
            f" mmptf-{service} has migrated it: deploy that version, or restore the backup from before the upgrade"
        )
    return revision


def _own_table(script: ScriptDirectory) -> str:
    """A table that only the databases of this service have, since its first migration."""
    (first,) = script.get_bases()
    base = script.get_revision(first)
    assert base is not None
    own_table: str = base.module.OWN_TABLE
    return own_table


def _some(tables: set[str]) -> str:
    shown = sorted(tables)
    return ", ".join(shown[:5]) + (f" and {len(shown) - 5} more" if len(shown) > 5 else "")


def _service(package: str) -> str:
    return package.removeprefix("mmptf_")


def _config(package: str) -> Config:
    config = Config()
    # `%` begins an interpolation.
    config.set_main_option("script_location", str(files(package) / "migrations").replace("%", "%%"))
    return config
