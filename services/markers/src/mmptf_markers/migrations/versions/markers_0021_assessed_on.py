"""What counts for a programme is what was assessed last, by the day of what was assessed, and not what it was before.

A version that was returned or withdrawn takes the place of the one that it corrects. A rubric that is superseded keeps
the status of its content.
"""

from alembic import op

revision = "markers_0021"
down_revision = "markers_0020"

# What a report of a year is about ends with the year. Of other documents the day of their submission is known, where
# they were submitted without one of their own.
DAY = "coalesce(record->>'document_date', record->>'submitted')"
ASSESSED_ON = (
    "CASE WHEN year IS NOT NULL THEN make_date(year, 12, 31)"
    f" ELSE make_date(left({DAY}, 4)::int, substr({DAY}, 6, 2)::int, substr({DAY}, 9, 2)::int) END"
)
SUPERSEDED = "record->>'superseded_by' IS NOT NULL"
# Table -> its new column, the type and the SQL that the database computes it by. Of rows that were replaced it is a
# column as any other.
COMPUTED = {
    "assessment": ("assessed_on", "date", ASSESSED_ON),
    "rubric": ("superseded", "boolean", SUPERSEDED),
}
PUBLISHED_RUBRIC = """
CREATE OR REPLACE FUNCTION published_rubric_never_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE'
      AND (NEW.code, NEW.rubric, NEW.version, NEW.hash, NEW.status)
          = (OLD.code, OLD.rubric, OLD.version, OLD.hash, OLD.status)
      AND NEW.record->>'hash' = OLD.hash
      AND (NEW.record->'content')::jsonb = (OLD.record->'content')::jsonb
      AND coalesce(OLD.record->>'superseded_by', NEW.record->>'superseded_by', '')
          = coalesce(NEW.record->>'superseded_by', '')
  THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'rubric % is published and never changes; publish another version', OLD.code
    USING ERRCODE = 'restrict_violation';
END $$
"""
ALIKE = "marker, stage, budget_stage, currency, grade, rubric, basis"
NUMBERS = "programmes, with_budget, amount, with_allocation, allocated, under_review, returned"
# The current grades of some programmes. Not `= ANY(codes)`: where the planner reads a whole table, each row would be
# compared with one code after the other.
DERIVE_CURRENT_GRADES = f"""
CREATE OR REPLACE FUNCTION derive_current_grades(codes text[]) RETURNS void LANGUAGE plpgsql
  SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  WITH gone AS (DELETE FROM current_grade WHERE programme IN (SELECT unnest(codes)) RETURNING *)
  INSERT INTO current_grade_count AS counted ({ALIKE}, {NUMBERS})
  SELECT {ALIKE}, -count(*), -count(amount), -coalesce(sum(amount), 0),
         -count(allocated), -coalesce(sum(allocated), 0), -count(*) FILTER (WHERE under_review),
         -count(*) FILTER (WHERE returned)
    FROM gone GROUP BY {ALIKE}
  ON CONFLICT ({ALIKE}) DO UPDATE
     SET programmes = counted.programmes + excluded.programmes,
         with_budget = counted.with_budget + excluded.with_budget,
         amount = counted.amount + excluded.amount,
         with_allocation = counted.with_allocation + excluded.with_allocation,
         allocated = counted.allocated + excluded.allocated,
         under_review = counted.under_review + excluded.under_review,
         returned = counted.returned + excluded.returned;
  WITH come AS (
    INSERT INTO current_grade (code, programme, marker, stage, budget_stage, currency, amount, allocated, assessment,
                               grade, rubric, basis, under_review, returned, updated)
    SELECT p.code || '.' || m.marker, p.code, m.marker, p.stage, p.budget_stage, p.currency, p.amount,
           money.allocated,
           CASE a.status WHEN 'accepted' THEN a.code END, CASE a.status WHEN 'accepted' THEN a.grade END,
           CASE a.status WHEN 'accepted' THEN a.rubric END,
           CASE a.status WHEN 'accepted' THEN a.record->>'basis' END,
           coalesce(given.under_review, false), coalesce(a.status = 'returned', false),
           greatest(p.updated, given.updated, money.updated)
      FROM programme AS p
     CROSS JOIN (SELECT DISTINCT record->>'marker' AS marker FROM rubric) AS m
      LEFT JOIN (SELECT DISTINCT ON (programme, marker) *
                   FROM (SELECT DISTINCT ON (programme, marker, stage, year) * FROM assessment
                          WHERE status <> 'submitted' AND programme IN (SELECT unnest(codes))
                          ORDER BY programme, marker, stage, year, version DESC) AS newest
                  WHERE status <> 'withdrawn'
                  ORDER BY programme, marker, assessed_on DESC NULLS LAST,
                           array_position(ARRAY['concept_note', 'programme_document', 'annual_report', 'final_report',
                                                'evaluation'], stage) DESC) AS a
             ON a.programme = p.code AND a.marker = m.marker
      LEFT JOIN (SELECT programme, marker, bool_or(status = 'submitted') AS under_review, max(updated) AS updated
                   FROM assessment WHERE programme IN (SELECT unnest(codes)) GROUP BY 1, 2) AS given
             ON given.programme = p.code AND given.marker = m.marker
      LEFT JOIN (SELECT programme, sum(amount) AS allocated, max(updated) AS updated
                   FROM allocation WHERE programme IN (SELECT unnest(codes)) GROUP BY 1) AS money
             ON money.programme = p.code
     WHERE p.code IN (SELECT unnest(codes)) RETURNING *)
  INSERT INTO current_grade_count AS counted ({ALIKE}, {NUMBERS})
  SELECT {ALIKE}, count(*), count(amount), coalesce(sum(amount), 0),
         count(allocated), coalesce(sum(allocated), 0), count(*) FILTER (WHERE under_review),
         count(*) FILTER (WHERE returned)
    FROM come GROUP BY {ALIKE}
  ON CONFLICT ({ALIKE}) DO UPDATE
     SET programmes = counted.programmes + excluded.programmes,
         with_budget = counted.with_budget + excluded.with_budget,
         amount = counted.amount + excluded.amount,
         with_allocation = counted.with_allocation + excluded.with_allocation,
         allocated = counted.allocated + excluded.allocated,
         under_review = counted.under_review + excluded.under_review,
         returned = counted.returned + excluded.returned;
  DELETE FROM current_grade_count WHERE programmes = 0;
END $$
"""


def upgrade() -> None:  # noqa: D103
    for table, (column, type_, computed) in COMPUTED.items():
        op.execute(f"ALTER TABLE {table} ADD COLUMN {column} {type_} GENERATED ALWAYS AS ({computed}) STORED")
        op.execute(f"ALTER TABLE {table}_past ADD COLUMN {column} {type_}")
        op.execute(f"UPDATE {table}_past SET {column} = {computed}")
    # Their records stay as they are, and are read with the status of the content.
    op.execute("ALTER TABLE rubric DISABLE TRIGGER USER")
    for table in ("rubric", "rubric_past"):
        op.execute(f"UPDATE {table} SET status = record#>>'{{content,status}}' WHERE status = 'superseded'")
    op.execute("ALTER TABLE rubric ENABLE TRIGGER USER")
    op.execute(PUBLISHED_RUBRIC)
    op.execute("DELETE FROM current_grade_count")
    op.execute("DELETE FROM current_grade")
    op.execute("ALTER TABLE current_grade ADD COLUMN basis text, ADD COLUMN returned boolean NOT NULL")
    op.execute("ALTER TABLE current_grade_count ADD COLUMN basis text, ADD COLUMN returned bigint NOT NULL")
    op.execute("DROP INDEX current_grade_count_alike")
    op.execute(f"CREATE UNIQUE INDEX current_grade_count_alike ON current_grade_count ({ALIKE}) NULLS NOT DISTINCT")
    op.execute(DERIVE_CURRENT_GRADES)
    op.execute("SELECT derive_current_grades(array_agg(code)) FROM programme HAVING count(*) > 0")
    # Programmes are copied again: what criteria apply to depends on their objectives, which were not copied so far.
    op.execute("DELETE FROM replication WHERE service = 'catalog'")
