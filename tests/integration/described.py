"""What a database is made of, as text: two databases with the same answers have the same schema."""

from __future__ import annotations

import asyncpg

_PUBLIC = "relnamespace = 'public'::regnamespace"
# Each gives rows of a name and a text. What PostgreSQL numbers by itself (object ids, attribute numbers) is left out.
_QUERIES = {
    "table": f"SELECT relname, concat(relkind, relpersistence) FROM pg_class WHERE {_PUBLIC} AND relkind NOT IN ('i')",
    "column": "SELECT relname || '.' || lpad((row_number() OVER (PARTITION BY relname ORDER BY attnum))::text, 3, '0'),"
    " concat_ws(' ', attname, format_type(atttypid, atttypmod), attcollation::regcollation,"
    "   CASE WHEN attnotnull THEN 'NOT NULL' END, attgenerated, attidentity, pg_get_expr(adbin, adrelid))"
    "  FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid"
    "  LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum"
    f" WHERE {_PUBLIC} AND relkind = 'r' AND attnum > 0 AND NOT attisdropped",
    "constraint": "SELECT conrelid::regclass || '.' || conname, pg_get_constraintdef(oid) FROM pg_constraint"
    # What is not null is said of its column; the name of that constraint is PostgreSQL's own.
    " WHERE connamespace = 'public'::regnamespace AND contype <> 'n'",
    "index": "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "function": "SELECT oid::regprocedure::text, pg_get_functiondef(oid) FROM pg_proc"
    " WHERE pronamespace = 'public'::regnamespace",
    "trigger": "SELECT tgrelid::regclass || '.' || tgname, concat(tgenabled, ' ', pg_get_triggerdef(oid))"
    "  FROM pg_trigger WHERE NOT tgisinternal",
    "comment": "SELECT objoid::regclass || '.' || objsubid, description FROM pg_description"
    " WHERE classoid = 'pg_class'::regclass AND objoid IN (SELECT oid FROM pg_class"
    f" WHERE {_PUBLIC})",
}


async def schema_of(connection: asyncpg.Connection) -> dict[str, str]:
    """Kind and name -> definition, of everything in the schema `public`."""
    found: dict[str, str] = {}
    for kind, query in _QUERIES.items():
        found |= {f"{kind} {name}": text for name, text in await connection.fetch(query)}
    return found


async def contents_of(connection: asyncpg.Connection) -> dict[str, str]:
    """The schema, and of each table the digest of its rows: the same before and after, nothing was changed."""
    found = await schema_of(connection)
    tables = [name.removeprefix("table ") for name in found if name.startswith("table ")]
    for table in tables:
        found[f"rows {table}"] = await connection.fetchval(
            f"SELECT concat(count(*), ' ', md5(string_agg(t::text, '|' ORDER BY t::text))) FROM \"{table}\" AS t"
        )
    return found
