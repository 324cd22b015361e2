"""What the role that serves may do in a database whose tables belong to another role, the one that migrates."""

from __future__ import annotations

import logging

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from mmptf_common.process.database_url import read_database_url

log = logging.getLogger(__name__)

# Statements that let a role serve, whatever it was allowed before. It writes the records of every table that has past
# rows, but for the column that the journal fills in, and reads all else; only the triggers write the journal.
_GRANTS = sa.text("""
WITH stored AS (
  SELECT relname AS name, to_regclass(format('public.%I', relname || '_past')) IS NOT NULL AS of_records,
         (SELECT string_agg(format('%I', attname), ', ' ORDER BY attnum) FROM pg_attribute
           WHERE attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped AND attname <> 'revised') AS columns
    FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r')
SELECT format(statement, arguments[1], arguments[2]) FROM (
  SELECT 0 AS n, 'GRANT CONNECT, TEMPORARY ON DATABASE %I TO %I' AS statement,
         ARRAY[current_database(), CAST(:role AS text)] AS arguments
   WHERE NOT has_database_privilege(:role, current_database(), 'CONNECT')
      OR NOT has_database_privilege(:role, current_database(), 'TEMPORARY')
  UNION ALL SELECT 1, 'REVOKE CREATE ON SCHEMA public FROM PUBLIC, %I', ARRAY[CAST(:role AS text)]
  UNION ALL SELECT 2, 'GRANT USAGE ON SCHEMA public TO %I', ARRAY[CAST(:role AS text)]
  UNION ALL SELECT 3, 'REVOKE ALL ON ALL TABLES IN SCHEMA public FROM %I', ARRAY[CAST(:role AS text)]
  UNION ALL SELECT 4, 'GRANT SELECT ON ALL TABLES IN SCHEMA public TO %I', ARRAY[CAST(:role AS text)]
  UNION ALL SELECT 5, format('GRANT DELETE, INSERT (%s), UPDATE (%s) ON ', columns, columns) || '%I TO %I',
                   ARRAY[name::text, :role] FROM stored WHERE of_records
  UNION ALL SELECT 6, 'GRANT ' || written.allowed || ' ON %I TO %I', ARRAY[name::text, :role]
              FROM stored JOIN (VALUES ('idempotency_key', 'INSERT, DELETE'), ('replication', 'INSERT, UPDATE'),
                                 ('pseudonym', 'INSERT')) AS written(name, allowed) USING (name)) AS granted
 ORDER BY n, arguments
""")
# Whether a role may change the journal: that of its tables, one that may become it, one that may write to them, or one
# that may add a function where those of the journal look for theirs.
_MAY_REWRITE = sa.text("""
SELECT bool_or(pg_has_role(relowner, 'MEMBER') OR has_table_privilege(oid, 'INSERT, UPDATE, DELETE, TRUNCATE'))
       OR has_schema_privilege('public', 'CREATE')
  FROM pg_class WHERE oid IN ('change'::regclass, 'revision'::regclass, to_regclass('public.draft_change'),
                              to_regclass('public.draft_revision'))
""")


# What a role that serves lacks of what `_GRANTS` gives it.
_MISSING = sa.text("""
WITH stored AS (
  SELECT oid, relname AS name, to_regclass(format('public.%I', relname || '_past')) IS NOT NULL AS of_records
    FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r')
SELECT DISTINCT needed.privilege || ' on ' || name AS missing FROM stored, LATERAL (
  SELECT 'SELECT' AS privilege, has_table_privilege(oid, 'SELECT') AS is_there
  UNION ALL SELECT 'DELETE', has_table_privilege(oid, 'DELETE') WHERE of_records
  UNION ALL SELECT privilege, has_column_privilege(oid, attnum, privilege)
              FROM pg_attribute, unnest(ARRAY['INSERT', 'UPDATE']) AS privilege
             WHERE of_records AND attrelid = oid AND attnum > 0 AND NOT attisdropped AND attname <> 'revised'
  UNION ALL SELECT written.privilege, has_table_privilege(oid, written.privilege)
              FROM (VALUES ('idempotency_key', 'INSERT'), ('idempotency_key', 'DELETE'), ('replication', 'INSERT'),
                           ('replication', 'UPDATE'), ('pseudonym', 'INSERT')) AS written(name, privilege)
             WHERE written.name = stored.name) AS needed
 WHERE NOT is_there
UNION ALL SELECT 'TEMPORARY on the database' WHERE NOT has_database_privilege(current_database(), 'TEMPORARY')
 ORDER BY missing
""")


def role_of(url: str) -> str | None:
    """The role in the URL of a database; None where it has none, so that the driver chooses."""
    return read_database_url(url).user


async def let_serve(connection: AsyncConnection, role: str) -> None:
    """Grant a role what a process that serves needs, and no more; nothing where it is the present role itself.

    Raises the driver's error where there is no such role, or it cannot be granted anything.
    """
    if role == await connection.scalar(sa.text("SELECT current_user")):
        return
    for statement in (await connection.scalars(_GRANTS, {"role": role})).all():
        await connection.exec_driver_sql(statement)


async def missing_privileges(connection: AsyncConnection) -> list[str]:
    """What the present role lacks for serving, such as `INSERT on programme`; empty where it may serve."""
    return [*await connection.scalars(_MISSING)]


async def may_rewrite(connection: AsyncConnection) -> bool:
    """Whether the present role may change or remove what the journal has."""
    return bool(await connection.scalar(_MAY_REWRITE))


async def warn_of_owner(connection: AsyncConnection) -> None:
    """Log a warning where the present role may change or remove what the journal has."""
    if await may_rewrite(connection):
        log.warning(
            "the role of DATABASE_URL may rewrite the journal; serve as a role that owns no table and may create none"
        )
