"""Schema migrations that live inside each service's package and run from an installed wheel."""

from __future__ import annotations

from importlib.resources import files

import sqlalchemy as sa
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.ext.asyncio import AsyncConnection

from mmptf_common.storage.engines import write_engine

MIGRATION_LOCK = 0x6D6967


def _scripts(package: str) -> tuple[Config, ScriptDirectory]:
    config = Config()
    config.set_main_option("script_location", str(files(package) / "migrations"))
    return config, ScriptDirectory.from_config(config)


def head(package: str) -> str:
    """The newest schema revision that the package knows."""
    newest = _scripts(package)[1].get_current_head()
    if newest is None:
        raise LookupError(f"{package} has no migrations")
    return newest


async def current(connection: AsyncConnection) -> str | None:
    """The schema revision that the database has; None when it was never migrated."""
    return await connection.run_sync(lambda sync: MigrationContext.configure(sync).get_current_revision())


async def migrate(url: str, package: str) -> tuple[str | None, str]:
    """Bring the database to the package's head in one transaction; returns the revisions before and after."""
    config, script = _scripts(package)
    newest = head(package)
    engine = write_engine(url, size=1)

    def upgrade(connection: sa.Connection) -> None:
        with EnvironmentContext(
            config, script, fn=lambda revision, _context: script._upgrade_revs(newest, revision)
        ) as environment:
            environment.configure(connection=connection)
            environment.run_migrations()

    try:
        async with engine.begin() as connection:
            # Two deployments that migrate at once take turns; the second finds nothing left to do.
            await connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
            before = await current(connection)
            await connection.run_sync(upgrade)
        return before, newest
    finally:
        await engine.dispose()
