"""How the database keeps the journal: its tables, and the triggers that no write to a record can pass."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSON

# Set for one transaction by `begin_write`: without it no row of a record can be written.
UNDER_WAY = "nullif(current_setting('mmptf.first', true), '')::bigint"


def add_journal(metadata: sa.MetaData, entities: Mapping[str, str]) -> None:
    """Declare the journal of one service's database, and for each table of records the table of its past rows.

    entities: the tables whose records readers know by another name than the table's
    """
    records = [table for table in metadata.sorted_tables if "document" in table.columns]
    sa.Table(
        "revision",
        metadata,
        sa.Column("first", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("number", sa.BigInteger, nullable=False, unique=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, index=True),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("organization", sa.Text),
        sa.Column("reason", sa.Text),
        sa.Column("request_id", sa.Text),
        sa.Column("repeatable", sa.Boolean, nullable=False, server_default=sa.true()),
    )
    sa.Table(
        "change",
        metadata,
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("entity", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("before", JSON(none_as_null=True)),
        sa.Column("after", JSON(none_as_null=True)),
        sa.CheckConstraint("action IN ('create', 'amend', 'delete')", name="change_action"),
        sa.CheckConstraint("(action = 'create') = (before IS NULL)", name="change_before"),
        sa.CheckConstraint("(action = 'delete') = (after IS NULL)", name="change_after"),
        sa.Index("change_entity_key_seq", "entity", "key", "seq"),
    )
    # The writes that were carried out under a key, and what was answered.
    sa.Table(
        "idempotency_key",
        metadata,
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("headers", JSON, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, index=True),
    )
    for table in records:
        table.info["entity"] = entities.get(table.name, table.name)
        columns = [sa.Column(c.name, c.type, nullable=c.nullable) for c in table.columns]
        # The first change of the write that gave the row its document.
        table.append_column(sa.Column("revised", sa.BigInteger, nullable=False, server_default=sa.text(UNDER_WAY)))
        sa.Table(
            f"{table.name}_past",
            metadata,
            # First, so that both tables take a new column at their ends.
            sa.Column("replaced", sa.BigInteger, nullable=False),
            *columns,
            sa.Column("revised", sa.BigInteger, nullable=False),
            sa.PrimaryKeyConstraint("code", "revised"),
        )


_CHANGED = "FROM old_rows AS o JOIN new_rows AS n USING (code) WHERE o.document::text <> n.document::text"
_STAMP = f"""
CREATE FUNCTION journal_stamp() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.code <> OLD.code THEN
    RAISE EXCEPTION 'a code never changes, and % of % would', OLD.code, TG_TABLE_NAME;
  END IF;
  NEW.revised := {UNDER_WAY};
  RETURN NEW;
END $$
"""
_KEEP = f"""
CREATE OR REPLACE FUNCTION journal_keep() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  entity text := TG_ARGV[0];
  past text := quote_ident(TG_TABLE_NAME || '_past');
  write bigint := {UNDER_WAY};
  last bigint;
  changes bigint;
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    RAISE EXCEPTION 'records of % are deleted, and not truncated', TG_TABLE_NAME;
  END IF;
  SELECT coalesce(max(seq), 0) INTO last FROM change;
  IF TG_OP = 'INSERT' THEN
    INSERT INTO change (seq, entity, key, action, after)
    SELECT last + row_number() OVER (), entity, n.code, 'create', n.document FROM new_rows AS n;
  ELSIF TG_OP = 'UPDATE' THEN
    INSERT INTO change (seq, entity, key, action, before, after)
    SELECT last + row_number() OVER (), entity, code, 'amend', o.document, n.document {_CHANGED};
  ELSE
    INSERT INTO change (seq, entity, key, action, before)
    SELECT last + row_number() OVER (), entity, o.code, 'delete', o.document FROM old_rows AS o;
  END IF;
  GET DIAGNOSTICS changes = ROW_COUNT;
  IF changes = 0 THEN
    RETURN NULL;
  END IF;
  IF write IS NULL THEN
    RAISE EXCEPTION 'records of % are changed outside a write', TG_TABLE_NAME;
  END IF;
  -- JSON can hold it, and nothing that is made of JSON later can. Behind another backslash it is but a text.
  IF EXISTS (SELECT FROM change WHERE seq > last AND position('\\u0000' IN after::text) > 0
                AND after::text ~ '(^|[^\\\\])(\\\\\\\\)*\\\\u0000') THEN
    RAISE EXCEPTION 'a record of % holds the character U+0000', TG_TABLE_NAME;
  END IF;
  -- A row that is replaced twice by one write was nobody's answer in between.
  IF TG_OP = 'UPDATE' THEN
    EXECUTE 'INSERT INTO ' || past || ' SELECT $1, o.* {_CHANGED} AND o.revised < $1' USING write;
  ELSIF TG_OP = 'DELETE' THEN
    EXECUTE 'INSERT INTO ' || past || ' SELECT $1, o.* FROM old_rows AS o WHERE o.revised < $1' USING write;
  END IF;
  INSERT INTO revision (first, number, at, actor, organization, reason, request_id)
  SELECT write, last + changes, w.at, w.actor, w.organization, w.reason, w.request_id
    FROM json_to_record(current_setting('mmptf.write')::json)
      AS w(at timestamptz, actor text, organization text, reason text, request_id text)
  ON CONFLICT (first) DO UPDATE SET number = EXCLUDED.number;
  RETURN NULL;
END $$
"""


def begin_keeping(tables: Mapping[str, str]) -> list[str]:
    """The statements that turn the journal of a first schema into this one: table of records -> entity.

    What the rows of the past were cannot be told from a journal of documents alone, so revisions before the last
    amendment are marked as not repeatable.
    """
    statements = [
        "CREATE TABLE revision (first bigint PRIMARY KEY, number bigint NOT NULL UNIQUE, at timestamptz NOT NULL,"
        " actor text NOT NULL, organization text, reason text, request_id text,"
        " repeatable boolean NOT NULL DEFAULT true)",
        "CREATE INDEX ix_revision_at ON revision (at)",
        "INSERT INTO revision (first, number, at, actor, reason, request_id, repeatable)"
        " SELECT first, number,"
        " at + (row_number() OVER (PARTITION BY at ORDER BY first) - 1) * interval '1 microsecond',"
        " actor, reason, request_id,"
        " number >= (SELECT coalesce(max(seq), 0) FROM change WHERE action <> 'create')"
        " FROM (SELECT min(seq) AS first, max(seq) AS number, max(max(at)) OVER (ORDER BY min(seq)) AS at, actor,"
        " max(reason) AS reason, request_id"
        " FROM (SELECT *, seq - row_number() OVER (PARTITION BY at, actor, request_id ORDER BY seq) AS stretch"
        " FROM change) AS stretched GROUP BY stretched.at, actor, request_id, stretch) AS write",
        "ALTER TABLE change DROP COLUMN at, DROP COLUMN actor, DROP COLUMN reason, DROP COLUMN request_id,"
        " ALTER COLUMN before TYPE json USING before::json, ALTER COLUMN after TYPE json USING after::json",
        "CREATE TABLE idempotency_key (subject text, key text, fingerprint text NOT NULL, status int NOT NULL,"
        " headers json NOT NULL, body text NOT NULL, at timestamptz NOT NULL, PRIMARY KEY (subject, key))",
        "CREATE INDEX ix_idempotency_key_at ON idempotency_key (at)",
        _STAMP,
        _KEEP,
    ]
    for table, entity in tables.items():
        statements += [
            f"ALTER TABLE {table} ADD COLUMN revised bigint NOT NULL DEFAULT 0",
            f"UPDATE {table} SET revised = revision.first FROM"
            f" (SELECT key, max(seq) AS seq FROM change WHERE entity = '{entity}' GROUP BY key) AS newest"
            " JOIN revision ON newest.seq BETWEEN revision.first AND revision.number"
            f" WHERE {table}.code = newest.key",
            f"ALTER TABLE {table} ALTER COLUMN revised SET DEFAULT {UNDER_WAY}",
            *keep(table, entity),
        ]
    return statements


def renew_keeping() -> list[str]:
    """The statements that bring the journal of a database to what this version keeps."""
    return [_KEEP]


def keep(table: str, entity: str) -> list[str]:
    """The statements that make the database keep the journal of one table of records, which has to be there."""
    kept = f"FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('{entity}')"
    return [
        f"CREATE TABLE {table}_past (replaced bigint NOT NULL, LIKE {table}, PRIMARY KEY (code, revised))",
        f"CREATE TRIGGER stamp BEFORE UPDATE ON {table} FOR EACH ROW"
        " WHEN (OLD.document::text <> NEW.document::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp()",
        f"CREATE TRIGGER keep_created AFTER INSERT ON {table} REFERENCING NEW TABLE AS new_rows {kept}",
        f"CREATE TRIGGER keep_amended AFTER UPDATE ON {table}"
        f" REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows {kept}",
        f"CREATE TRIGGER keep_all BEFORE TRUNCATE ON {table} {kept}",
        f"CREATE TRIGGER keep_deleted AFTER DELETE ON {table} REFERENCING OLD TABLE AS old_rows {kept}",
    ]
