ALTER TABLE standing RENAME TO current_grade;
ALTER INDEX standing_pkey RENAME TO current_grade_pkey;
ALTER INDEX ix_standing_programme RENAME TO ix_current_grade_programme;
ALTER INDEX standing_updated RENAME TO current_grade_updated;
ALTER TABLE standing_count RENAME TO current_grade_count;
ALTER INDEX standing_count_alike RENAME TO current_grade_count_alike;
CREATE FUNCTION derive_current_grades(codes text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  WITH gone AS (DELETE FROM current_grade WHERE programme IN (SELECT unnest(codes)) RETURNING *)
  INSERT INTO current_grade_count AS counted (marker, stage, budget_stage, currency, grade, rubric,
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
    INSERT INTO current_grade (code, programme, marker, stage, budget_stage, currency, amount, allocated, assessment,
                               grade, rubric, under_review, updated)
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
  INSERT INTO current_grade_count AS counted (marker, stage, budget_stage, currency, grade, rubric,
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
  DELETE FROM current_grade_count WHERE programmes = 0;
END $$;
CREATE FUNCTION refresh_current_grades() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  codes text[];
  others text[];
BEGIN
  IF TG_TABLE_NAME = 'rubric' THEN
    SELECT array_agg(code) INTO codes FROM programme;
  ELSE
    IF TG_OP <> 'INSERT' THEN
      EXECUTE format('SELECT array_agg(%I) FROM old_rows', TG_ARGV[0]) INTO codes;
    END IF;
    IF TG_OP <> 'DELETE' THEN
      EXECUTE format('SELECT array_agg(%I) FROM new_rows', TG_ARGV[0]) INTO others;
    END IF;
    codes := codes || others;
  END IF;
  IF codes IS NOT NULL THEN
    PERFORM derive_current_grades(codes);
  END IF;
  RETURN NULL;
END $$;
DROP TRIGGER standings ON rubric;
CREATE TRIGGER refresh_current_grades AFTER INSERT ON rubric EXECUTE FUNCTION refresh_current_grades();
DROP TRIGGER standings_insert ON programme;
CREATE TRIGGER refresh_current_grades_insert AFTER INSERT ON programme REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION refresh_current_grades('code');
DROP TRIGGER standings_update ON programme;
CREATE TRIGGER refresh_current_grades_update AFTER UPDATE ON programme REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION refresh_current_grades('code');
DROP TRIGGER standings_delete ON programme;
CREATE TRIGGER refresh_current_grades_delete AFTER DELETE ON programme REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION refresh_current_grades('code');
DROP TRIGGER standings_insert ON assessment;
CREATE TRIGGER refresh_current_grades_insert AFTER INSERT ON assessment REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION refresh_current_grades('programme');
DROP TRIGGER standings_update ON assessment;
CREATE TRIGGER refresh_current_grades_update AFTER UPDATE ON assessment REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION refresh_current_grades('programme');
DROP TRIGGER standings_delete ON assessment;
CREATE TRIGGER refresh_current_grades_delete AFTER DELETE ON assessment REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION refresh_current_grades('programme');
DROP TRIGGER standings_insert ON allocation;
CREATE TRIGGER refresh_current_grades_insert AFTER INSERT ON allocation REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION refresh_current_grades('programme');
DROP TRIGGER standings_update ON allocation;
CREATE TRIGGER refresh_current_grades_update AFTER UPDATE ON allocation REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION refresh_current_grades('programme');
DROP TRIGGER standings_delete ON allocation;
CREATE TRIGGER refresh_current_grades_delete AFTER DELETE ON allocation REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION refresh_current_grades('programme');
DROP FUNCTION keep_standings();
DROP FUNCTION restate(text[]);
