"""The schema that a database has, and the one that this version of a service needs."""

from __future__ import annotations

import logging
import re
from functools import cache
from importlib.resources import files

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from mmptf_common.storage.engines import write_engine

# A migration's file begins with its schema revision. The first ones were numbers only, later ones name their service.
_FILE = re.compile(r"((?:[a-z]+_)?([0-9]{4}))_\w+\.py")
_NAMED = re.compile(r"([a-z]+)_\d{4}")
_NUMBERED = re.compile(r"\d{4}")
# What a migration states that leaves code of an earlier revision able to serve.
_OLDEST_CODE = re.compile(r'^oldest_code = "(\w+)"$', re.MULTILINE)
_OWN_TABLE = re.compile(r'^OWN_TABLE = "(\w+)"$', re.MULTILINE)
# Of PostgreSQL: triggers and reads use what came with it.
OLDEST_VERSION = (15,)
# The tables of the search path, without those of extensions.
_TABLES = sa.text(
    "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'f') AND pg_table_is_visible(oid)"
    " AND relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)"
    " AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid"
    " AND deptype = 'e') ORDER BY relname"
)
# The table in which Alembic stores the revision; a column of it, which earlier versions have not added, has the oldest
# revision whose code may serve with it.
_VERSIONS = "alembic_version"
_STORED = sa.text(f"SELECT version_num, to_jsonb(stored)->>'oldest_code' FROM {_VERSIONS} AS stored")
# The present role, where there are tables that it may not read.
_NOT_GRANTED = sa.text(
    f"SELECT current_user FROM pg_class WHERE oid = to_regclass('{_VERSIONS}')"
    " AND NOT has_table_privilege(oid, 'SELECT')"
)


log = logging.getLogger(__name__)


class SchemaError(Exception):
    """The schema of a database cannot be used or changed; the message contains the reason and the remedy."""


class UnsuitableDatabase(SchemaError):
    """The database cannot be used by this version of the service."""


def revisions(package: str) -> list[str]:
    """The schema revisions in the package, the first one first; from the names of its files, without reading them."""
    return [revision for revision, _ in _files(package)]


def head(package: str) -> str:
    """The newest schema revision in the package."""
    return revisions(package)[-1]


@cache
def oldest_codes(package: str) -> dict[str, str]:
    """Revision -> the oldest revision whose code may serve with its schema, as the migrations up to it state.

    A migration that states nothing is for no code but its own, and so is what earlier code may serve with from then on.
    """
    oldest: dict[str, str] = {}
    newest = 0
    known = revisions(package)
    for place, (revision, name) in enumerate(_files(package)):
        stated = _OLDEST_CODE.search((files(package) / "migrations" / "versions" / name).read_text("utf-8"))
        newest = max(newest, known.index(stated[1]) if stated else place)
        oldest[revision] = known[newest]
    return oldest


async def require_schema(connection: AsyncConnection, package: str, *, is_exact: bool = False) -> None:
    """Raise UnsuitableDatabase unless the database is the service's own, may be read, and has a schema to serve with.

    That is the package's head, or a newer one that states that this code may serve with it. is_exact: the head alone.
    """
    if role := await connection.scalar(_NOT_GRANTED):
        raise UnsuitableDatabase(
            f"the role {role} may not read the database of {service_of(package)}; with DATABASE_URL of {role}, and"
            f" MIGRATION_DATABASE_URL of the role that owns the tables, run: python -m {package} migrate"
        )
    found = await connection.run_sync(revision_of, package)
    newest = head(package)
    if found == newest:
        return
    if is_newer(found, package):
        if is_exact:
            raise UnsuitableDatabase(
                f"the database of {service_of(package)} is at schema {found}, and this version, of {newest}, does not"
                " know all that is stored there; run the command of the version that has migrated the database"
            )
        return
    raise UnsuitableDatabase(
        f"the database of {service_of(package)} is at schema {found or 'none'} and this version needs {newest};"
        f" run: python -m {package} migrate"
    )


async def require_database(url: str, package: str, *, is_exact: bool = False, is_pooled: bool = False) -> None:
    """Raise UnsuitableDatabase as `require_schema` does, over a connection of its own.

    is_pooled: whether the URL leads to a pooler
    """
    engine = write_engine(url, size=1, is_pooled=is_pooled)
    try:
        async with engine.connect() as connection:
            await require_schema(connection, package, is_exact=is_exact)
    finally:
        await engine.dispose()


async def warn_of_pooler(connection: AsyncConnection) -> None:
    """Log a warning where something in between has opened another connection to the server than this one."""
    driver = (await connection.get_raw_connection()).driver_connection
    assert driver
    if await driver.fetchval("SELECT pg_backend_pid()") != driver.get_server_pid():
        log.warning(
            "a pooler is in between: where it gives each transaction another connection, set DATABASE_DIRECT_URL to the"
            " address of PostgreSQL itself"
        )


def is_newer(revision: str | None, package: str) -> bool:
    """Whether a revision that `revision_of` has returned is of a newer version of the service."""
    return revision is not None and revision not in revisions(package)


def stored_oldest_code(connection: sa.Connection) -> str | None:
    """The oldest revision whose code may serve, as stored in the database; None where it states none."""
    _, oldest_code = connection.execute(_STORED).one_or_none() or (None, None)
    return oldest_code


def revision_of(connection: sa.Connection, package: str) -> str | None:
    """The schema revision of the service's own database, None where it is empty; raises UnsuitableDatabase.

    It may be one that the package does not know, where the database states that this code may serve with it.
    """
    service = service_of(package)
    version = connection.dialect.server_version_info or ()
    if version < OLDEST_VERSION:
        raise UnsuitableDatabase(
            f"the server is PostgreSQL {'.'.join(map(str, version))}, and {service} needs"
            f" {'.'.join(map(str, OLDEST_VERSION))} or newer"
        )
    tables = set(connection.scalars(_TABLES))
    revision = oldest_code = None
    if _VERSIONS in tables and (stored := connection.execute(_STORED).one_or_none()):
        revision, oldest_code = stored
    tables.discard(_VERSIONS)
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
    if not named and not (_NUMBERED.fullmatch(revision) and _own_table(package) in tables):
        raise UnsuitableDatabase(
            f"{found} is of another application, not of {service}: it is at schema {revision} and has no table"
            f" {_own_table(package)}, but {_some(tables)}; {advice}"
        )
    if revision not in (known := revisions(package)) and oldest_code not in known:
        raise UnsuitableDatabase(
            f"the database of {service} is at schema {revision}, which this version does not know; a newer version of"
            f" mmptf-{service} has migrated it: deploy that version, or restore the backup from before the upgrade"
        )
    return str(revision)


def service_of(package: str) -> str:
    """The name of the service of a package."""
    return package.removeprefix("mmptf_")


def _files(package: str) -> list[tuple[str, str]]:
    """The revision and the text file of each migration, in the order of their numbers."""
    folder = files(package) / "migrations" / "versions"
    found = [match for file in folder.iterdir() if (match := _FILE.fullmatch(file.name))]
    if not found:
        raise LookupError(f"{package} has no migrations")
    return [(match[1], match[0]) for match in sorted(found, key=lambda match: match[2])]


def _own_table(package: str) -> str:
    """A table that only the databases of this service have, since its first migration."""
    (_, first), *_ = _files(package)
    text = (files(package) / "migrations" / "versions" / first).read_text("utf-8")
    declared = _OWN_TABLE.search(text)
    assert declared, f"{first} names no table"
    return declared[1]


def _some(tables: set[str]) -> str:
    shown = sorted(tables)
    return ", ".join(shown[:5]) + (f" and {len(shown) - 5} more" if len(shown) > 5 else "")
