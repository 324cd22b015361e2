ALTER TABLE assessment ADD COLUMN assessed_on date GENERATED ALWAYS AS (CASE WHEN year IS NOT NULL THEN make_date(year, 12, 31) ELSE make_date(left(coalesce(record->>'document_date', record->>'submitted'), 4)::int, substr(coalesce(record->>'document_date', record->>'submitted'), 6, 2)::int, substr(coalesce(record->>'document_date', record->>'submitted'), 9, 2)::int) END) STORED;
ALTER TABLE assessment_past ADD COLUMN assessed_on date;
UPDATE assessment_past SET assessed_on = CASE WHEN year IS NOT NULL THEN make_date(year, 12, 31) ELSE make_date(left(coalesce(record->>'document_date', record->>'submitted'), 4)::int, substr(coalesce(record->>'document_date', record->>'submitted'), 6, 2)::int, substr(coalesce(record->>'document_date', record->>'submitted'), 9, 2)::int) END;
ALTER TABLE rubric ADD COLUMN superseded boolean GENERATED ALWAYS AS (record->>'superseded_by' IS NOT NULL) STORED;
ALTER TABLE rubric_past ADD COLUMN superseded boolean;
UPDATE rubric_past SET superseded = record->>'superseded_by' IS NOT NULL;
ALTER TABLE rubric DISABLE TRIGGER USER;
UPDATE rubric SET status = record#>>'{content,status}' WHERE status = 'superseded';
UPDATE rubric_past SET status = record#>>'{content,status}' WHERE status = 'superseded';
ALTER TABLE rubric ENABLE TRIGGER USER;
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
END $$;
DELETE FROM current_grade_count;
DELETE FROM current_grade;
ALTER TABLE current_grade ADD COLUMN basis text, ADD COLUMN returned boolean NOT NULL;
ALTER TABLE current_grade_count ADD COLUMN basis text, ADD COLUMN returned bigint NOT NULL;
DROP INDEX current_grade_count_alike;
CREATE UNIQUE INDEX current_grade_count_alike ON current_grade_count (marker, stage, budget_stage, currency, grade, rubric, basis) NULLS NOT DISTINCT;
CREATE OR REPLACE FUNCTION derive_current_grades(codes text[]) RETURNS void LANGUAGE plpgsql
  SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  WITH gone AS (DELETE FROM current_grade WHERE programme IN (SELECT unnest(codes)) RETURNING *)
  INSERT INTO current_grade_count AS counted (marker, stage, budget_stage, currency, grade, rubric, basis, programmes, with_budget, amount, with_allocation, allocated, under_review, returned)
  SELECT marker, stage, budget_stage, currency, grade, rubric, basis, -count(*), -count(amount), -coalesce(sum(amount), 0),
         -count(allocated), -coalesce(sum(allocated), 0), -count(*) FILTER (WHERE under_review),
         -count(*) FILTER (WHERE returned)
    FROM gone GROUP BY marker, stage, budget_stage, currency, grade, rubric, basis
  ON CONFLICT (marker, stage, budget_stage, currency, grade, rubric, basis) DO UPDATE
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
  INSERT INTO current_grade_count AS counted (marker, stage, budget_stage, currency, grade, rubric, basis, programmes, with_budget, amount, with_allocation, allocated, under_review, returned)
  SELECT marker, stage, budget_stage, currency, grade, rubric, basis, count(*), count(amount), coalesce(sum(amount), 0),
         count(allocated), coalesce(sum(allocated), 0), count(*) FILTER (WHERE under_review),
         count(*) FILTER (WHERE returned)
    FROM come GROUP BY marker, stage, budget_stage, currency, grade, rubric, basis
  ON CONFLICT (marker, stage, budget_stage, currency, grade, rubric, basis) DO UPDATE
     SET programmes = counted.programmes + excluded.programmes,
         with_budget = counted.with_budget + excluded.with_budget,
         amount = counted.amount + excluded.amount,
         with_allocation = counted.with_allocation + excluded.with_allocation,
         allocated = counted.allocated + excluded.allocated,
         under_review = counted.under_review + excluded.under_review,
         returned = counted.returned + excluded.returned;
  DELETE FROM current_grade_count WHERE programmes = 0;
END $$;
SELECT derive_current_grades(array_agg(code)) FROM programme HAVING count(*) > 0;
DELETE FROM replication WHERE service = 'catalog';
