"""What readers get of a row is its `record`, and the journal's function and triggers are named by what they do."""

from alembic import op

revision = "catalog_0007"
down_revision = "catalog_0006"

# Table of records -> the entity that its changes are of.
RECORDS = {
    "source_document": "document",
    "thematic_area": "thematic_area",
    "objective": "objective",
    "clustering": "clustering",
    "guiding_principle": "guiding_principle",
    "place": "place",
    "organization": "organization",
    "programme": "programme",
    "draft": "draft",
}
FORMER_TRIGGERS = ("stamp", "keep_created", "keep_amended", "keep_all", "keep_deleted")

JOURNAL_WRITE = r"""
CREATE FUNCTION journal_write() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  entity text := TG_ARGV[0];
  past text := quote_ident(TG_TABLE_NAME || '_past');
  write bigint := nullif(current_setting('mmptf.first', true), '')::bigint;
  last bigint;
  changes bigint;
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    RAISE EXCEPTION 'records of % are deleted, and not truncated', TG_TABLE_NAME;
  END IF;
  SELECT coalesce(max(seq), 0) INTO last FROM change;
  IF TG_OP = 'INSERT' THEN
    INSERT INTO change (seq, entity, key, action, after)
    SELECT last + row_number() OVER (), entity, n.code, 'create', n.record FROM new_rows AS n;
  ELSIF TG_OP = 'UPDATE' THEN
    INSERT INTO change (seq, entity, key, action, before, after)
    SELECT last + row_number() OVER (), entity, code, 'amend', o.record, n.record
      FROM old_rows AS o JOIN new_rows AS n USING (code) WHERE o.record::text <> n.record::text;
  ELSE
    INSERT INTO change (seq, entity, key, action, before)
    SELECT last + row_number() OVER (), entity, o.code, 'delete', o.record FROM old_rows AS o;
  END IF;
  GET DIAGNOSTICS changes = ROW_COUNT;
  IF changes = 0 THEN
    RETURN NULL;
  END IF;
  IF write IS NULL THEN
    RAISE EXCEPTION 'records of % are changed outside a write', TG_TABLE_NAME;
  END IF;
  -- JSON can hold it, and nothing that is made of JSON later can. Behind another backslash it is but a text.
  IF EXISTS (SELECT FROM change WHERE seq > last AND position('\u0000' IN after::text) > 0
                AND after::text ~ '(^|[^\\])(\\\\)*\\u0000') THEN
    RAISE EXCEPTION 'a record of % holds the character U+0000', TG_TABLE_NAME;
  END IF;
  -- A row that is replaced twice by one write was nobody's answer in between.
  IF TG_OP = 'UPDATE' THEN
    EXECUTE 'INSERT INTO ' || past || ' SELECT $1, o.* FROM old_rows AS o JOIN new_rows AS n USING (code)'
            ' WHERE o.record::text <> n.record::text AND o.revised < $1' USING write;
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


def _triggers(table: str, entity: str) -> list[str]:
    """The statements that put a table of records under the journal; its table of past rows has to be there."""
    execute = f"EXECUTE FUNCTION journal_write('{entity}')"
    return [
        f"CREATE TRIGGER journal_stamp BEFORE UPDATE ON {table} FOR EACH ROW"
        " WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp()",
        f"CREATE TRIGGER journal_insert AFTER INSERT ON {table}"
        f" REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT {execute}",
        f"CREATE TRIGGER journal_update AFTER UPDATE ON {table}"
        f" REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT {execute}",
        f"CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT {execute}",
        f"CREATE TRIGGER journal_delete AFTER DELETE ON {table}"
        f" REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT {execute}",
    ]


def upgrade() -> None:  # noqa: D103
    op.execute(JOURNAL_WRITE)
    for table, entity in RECORDS.items():
        for trigger in FORMER_TRIGGERS:
            op.execute(f"DROP TRIGGER {trigger} ON {table}")
        op.execute(f"ALTER TABLE {table} RENAME COLUMN document TO record")
        op.execute(f"ALTER TABLE {table}_past RENAME COLUMN document TO record")
        for statement in _triggers(table, entity):
            op.execute(statement)
    op.execute("DROP FUNCTION journal_keep()")
