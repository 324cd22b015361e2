"""The database itself keeps the journal, and the rows that every earlier answer was made of."""

from alembic import op

revision = "0002"
down_revision = "0001"

# Table of records -> the entity that its changes are of.
RECORDS = {
    "source_document": "document",
    "rubric": "rubric",
}

FIRST = "nullif(current_setting('mmptf.first', true), '')::bigint"
# Databases from before every service listed its documents lack this table; the first migration creates it since.
SOURCE_DOCUMENT = (
    'CREATE TABLE IF NOT EXISTS source_document (code text COLLATE "C" PRIMARY KEY, document json NOT NULL,'
    " updated timestamptz NOT NULL)",
    "CREATE INDEX IF NOT EXISTS ix_source_document_updated ON source_document (updated)",
)
# One write is a stretch of entries of one moment, author and request. What the rows of the past were cannot be told
# from a journal of documents alone, so revisions before the last amendment are marked as not repeatable.
REVISIONS = """
INSERT INTO revision (first, number, at, actor, reason, request_id, repeatable)
SELECT first, number, at + (row_number() OVER (PARTITION BY at ORDER BY first) - 1) * interval '1 microsecond',
       actor, reason, request_id, number >= (SELECT coalesce(max(seq), 0) FROM change WHERE action <> 'create')
  FROM (SELECT min(seq) AS first, max(seq) AS number, max(max(at)) OVER (ORDER BY min(seq)) AS at, actor,
               max(reason) AS reason, request_id
          FROM (SELECT *, seq - row_number() OVER (PARTITION BY at, actor, request_id ORDER BY seq) AS stretch
                  FROM change) AS stretched
         GROUP BY stretched.at, actor, request_id, stretch) AS write
"""
JOURNAL_STAMP = """
CREATE FUNCTION journal_stamp() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.revised := nullif(current_setting('mmptf.first', true), '')::bigint;
  RETURN NEW;
END $$
"""
JOURNAL_KEEP = """
CREATE FUNCTION journal_keep() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  entity text := TG_ARGV[0];
  past text := quote_ident(TG_TABLE_NAME || '_past');
  write bigint := nullif(current_setting('mmptf.first', true), '')::bigint;
  last bigint;
  changes bigint;
BEGIN
  SELECT coalesce(max(seq), 0) INTO last FROM change;
  IF TG_OP = 'INSERT' THEN
    INSERT INTO change (seq, entity, key, action, after)
    SELECT last + row_number() OVER (), entity, n.code, 'create', n.document FROM new_rows AS n;
  ELSIF TG_OP = 'UPDATE' THEN
    INSERT INTO change (seq, entity, key, action, before, after)
    SELECT last + row_number() OVER (), entity, code, 'amend', o.document, n.document FROM old_rows AS o JOIN new_rows AS n USING (code) WHERE o.document::text <> n.document::text;
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
  -- A row that is replaced twice by one write was nobody's answer in between.
  IF TG_OP = 'UPDATE' THEN
    EXECUTE 'INSERT INTO ' || past || ' SELECT $1, o.* FROM old_rows AS o JOIN new_rows AS n USING (code) WHERE o.document::text <> n.document::text AND o.revised < $1' USING write;
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
"""  # noqa: E501


def _journal(table: str, entity: str) -> list[str]:
    """The statements that put a table of records under the journal, as they were when this version was made."""
    execute = f"EXECUTE FUNCTION journal_keep('{entity}')"
    return [
        f"CREATE TABLE {table}_past (replaced bigint NOT NULL, LIKE {table}, PRIMARY KEY (code, revised))",
        f"CREATE TRIGGER stamp BEFORE UPDATE ON {table} FOR EACH ROW"
        " WHEN (OLD.document::text <> NEW.document::text) EXECUTE FUNCTION journal_stamp()",
        f"CREATE TRIGGER keep_created AFTER INSERT ON {table}"
        f" REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT {execute}",
        f"CREATE TRIGGER keep_amended AFTER UPDATE ON {table}"
        f" REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT {execute}",
        f"CREATE TRIGGER keep_deleted AFTER DELETE ON {table}"
        f" REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT {execute}",
    ]


def upgrade() -> None:  # noqa: D103
    statements = [
        *SOURCE_DOCUMENT,
        "CREATE TABLE revision (first bigint PRIMARY KEY, number bigint NOT NULL UNIQUE, at timestamptz NOT NULL,"
        " actor text NOT NULL, organization text, reason text, request_id text,"
        " repeatable boolean NOT NULL DEFAULT true)",
        "CREATE INDEX ix_revision_at ON revision (at)",
        REVISIONS,
        "ALTER TABLE change DROP COLUMN at, DROP COLUMN actor, DROP COLUMN reason, DROP COLUMN request_id,"
        " ALTER COLUMN before TYPE json USING before::json, ALTER COLUMN after TYPE json USING after::json",
        "CREATE TABLE idempotency_key (subject text, key text, fingerprint text NOT NULL, status int NOT NULL,"
        " headers json NOT NULL, body text NOT NULL, at timestamptz NOT NULL, PRIMARY KEY (subject, key))",
        "CREATE INDEX ix_idempotency_key_at ON idempotency_key (at)",
        JOURNAL_STAMP,
        JOURNAL_KEEP,
    ]
    for table, entity in RECORDS.items():
        statements += [
            f"ALTER TABLE {table} ADD COLUMN revised bigint NOT NULL DEFAULT 0",
            f"UPDATE {table} SET revised = revision.first FROM"
            f" (SELECT key, max(seq) AS seq FROM change WHERE entity = '{entity}' GROUP BY key) AS newest"
            " JOIN revision ON newest.seq BETWEEN revision.first AND revision.number"
            f" WHERE {table}.code = newest.key",
            f"ALTER TABLE {table} ALTER COLUMN revised SET DEFAULT {FIRST}",
            *_journal(table, entity),
        ]
    for statement in statements:
        op.execute(statement)
