"""What readers get of a row is its `record`, and the journal's function and triggers are named by what they do."""

from alembic import op

revision = "markers_0009"
down_revision = "markers_0008"

# Table of records -> the entity that its changes are of.
RECORDS = {
    "source_document": "document",
    "rubric": "rubric",
    "translation": "translation",
    "place": "place",
    "programme": "programme",
    "target": "target",
    "draft": "draft",
    "assessment": "assessment",
    "allocation": "allocation",
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
# The status of a rubric changes once, and the shape of its record with a release; its hash vouches for the content.
PUBLISHED_RUBRIC = """
CREATE OR REPLACE FUNCTION published_rubric_never_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE'
      AND (NEW.code, NEW.rubric, NEW.version, NEW.hash) = (OLD.code, OLD.rubric, OLD.version, OLD.hash)
      AND NEW.record->>'hash' = OLD.hash
      AND (NEW.record->'content')::jsonb = (OLD.record->'content')::jsonb
      AND NEW.status IN (OLD.status, 'superseded')
  THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'rubric % is published and never changes; publish another version', OLD.code
    USING ERRCODE = 'restrict_violation';
END $$
"""
# What stands for some programmes. Not `= ANY(codes)`: where the planner reads a whole table, each row would be compared
# with one code after the other.
RESTATE = """
CREATE OR REPLACE FUNCTION restate(codes text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  WITH gone AS (DELETE FROM standing WHERE programme IN (SELECT unnest(codes)) RETURNING *)
  INSERT INTO standing_count AS counted (marker, stage, budget_stage, currency, grade, rubric,
                                         programmes, with_budget, amount, with_allocation, allocated, under_review)
  SELECT marker, stage, budget_stage, currency, grade, rubric, -count(*), -count(amount), -coalesce(sum(amount), 0),
         -count(allocated), -coalesce(sum(allocated), 0), -count(*) FILTER (WHERE under_review)
    FROM gone GROUP BY 1, 2, 3, 4, 5, 6
  ON CONFLICT (marker, stage, budget_stage, currency, grade, rubric) DO UPDATE
     SET programmes = counted.programmes + excluded.programmes,
         with_budget = counted.with_budget + excluded.with_budget,
         amount = counted.amount + excluded.amount,
         with_allocation = counted.with_allocation + excluded.with_allocation,
         allocated = counted.allocated + excluded.allocated,
         under_review = counted.under_review + excluded.under_review;
  WITH come AS (
    INSERT INTO standing (code, programme, marker, stage, budget_stage, currency, amount, allocated, assessment, grade,
                          rubric, under_review, updated)
    SELECT p.code || '.' || m.marker, p.code, m.marker, p.stage, p.budget_stage, p.currency, p.amount,
           money.allocated, a.code, a.grade, a.rubric, coalesce(given.under_review, false),
           greatest(p.updated, given.updated, money.updated)
      FROM programme AS p
     CROSS JOIN (SELECT DISTINCT record->>'marker' AS marker FROM rubric) AS m
      LEFT JOIN (SELECT DISTINCT ON (programme, marker) * FROM assessment
                  WHERE status = 'accepted' AND programme IN (SELECT unnest(codes))
                  ORDER BY programme, marker,
                           array_position(ARRAY['concept_note', 'programme_document', 'annual_report', 'final_report'],
                                          stage) DESC,
                           year DESC NULLS LAST, version DESC) AS a
             ON a.programme = p.code AND a.marker = m.marker
      LEFT JOIN (SELECT programme, marker, bool_or(status = 'submitted') AS under_review, max(updated) AS updated
                   FROM assessment WHERE programme IN (SELECT unnest(codes)) GROUP BY 1, 2) AS given
             ON given.programme = p.code AND given.marker = m.marker
      LEFT JOIN (SELECT programme, sum(amount) AS allocated, max(updated) AS updated
                   FROM allocation WHERE programme IN (SELECT unnest(codes)) GROUP BY 1) AS money
             ON money.programme = p.code
     WHERE p.code IN (SELECT unnest(codes)) RETURNING *)
  INSERT INTO standing_count AS counted (marker, stage, budget_stage, currency, grade, rubric,
                                         programmes, with_budget, amount, with_allocation, allocated, under_review)
  SELECT marker, stage, budget_stage, currency, grade, rubric, count(*), count(amount), coalesce(sum(amount), 0),
         count(allocated), coalesce(sum(allocated), 0), count(*) FILTER (WHERE under_review)
    FROM come GROUP BY 1, 2, 3, 4, 5, 6
  ON CONFLICT (marker, stage, budget_stage, currency, grade, rubric) DO UPDATE
     SET programmes = counted.programmes + excluded.programmes,
         with_budget = counted.with_budget + excluded.with_budget,
         amount = counted.amount + excluded.amount,
         with_allocation = counted.with_allocation + excluded.with_allocation,
         allocated = counted.allocated + excluded.allocated,
         under_review = counted.under_review + excluded.under_review;
  DELETE FROM standing_count WHERE programmes = 0;
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
    op.execute(PUBLISHED_RUBRIC)
    op.execute(RESTATE)
