CREATE TABLE assessment_rollup (
      marker VARCHAR NOT NULL,
      stage VARCHAR NOT NULL,
      status VARCHAR NOT NULL,
      organization VARCHAR NOT NULL,
      grade VARCHAR,
      rubric VARCHAR,
      n BIGINT NOT NULL
    );
CREATE UNIQUE INDEX assessment_rollup_keys ON assessment_rollup (marker, stage, status, organization, grade,
      rubric) NULLS NOT DISTINCT;
INSERT INTO assessment_rollup SELECT filtered.marker, filtered.stage, filtered.status, filtered.organization,
      filtered.grade, filtered.rubric, count(*) AS n FROM assessment AS filtered GROUP BY 1, 2, 3, 4, 5, 6;
CREATE OR REPLACE FUNCTION roll_up_assessment() RETURNS trigger LANGUAGE plpgsql
  SECURITY DEFINER SET search_path = public, pg_temp SET enable_nestloop = off AS $$
DECLARE
  emptied tid[];
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO assessment_rollup AS kept (marker, stage, status, organization, grade, rubric, n)
      SELECT filtered.marker, filtered.stage, filtered.status, filtered.organization, filtered.grade,
        filtered.rubric, count(*) AS n FROM new_rows AS filtered GROUP BY 1, 2, 3, 4, 5, 6
      ON CONFLICT (marker, stage, status, organization, grade, rubric) DO UPDATE SET n = kept.n + excluded.n;
  ELSIF TG_OP = 'UPDATE' THEN
    WITH come AS (SELECT filtered.marker, filtered.stage, filtered.status, filtered.organization, filtered.grade,
      filtered.rubric FROM new_rows AS filtered),
    gone AS (SELECT filtered.marker, filtered.stage, filtered.status, filtered.organization, filtered.grade,
      filtered.rubric FROM old_rows AS filtered),
    changed AS (
      SELECT marker, stage, status, organization, grade, rubric, sum(side) AS n
      FROM (SELECT 1 AS side, * FROM (TABLE come EXCEPT ALL TABLE gone) AS more UNION ALL SELECT -1, * FROM (TABLE
        gone EXCEPT ALL TABLE come) AS less) AS sides
      GROUP BY 1, 2, 3, 4, 5, 6),
    written AS (
      INSERT INTO assessment_rollup AS kept (marker, stage, status, organization, grade, rubric, n)
      SELECT * FROM changed
      ON CONFLICT (marker, stage, status, organization, grade, rubric) DO UPDATE SET n = kept.n + excluded.n
      RETURNING kept.ctid AS place, kept.n)
    SELECT array_agg(place) INTO emptied FROM written WHERE n = 0;
    DELETE FROM assessment_rollup WHERE ctid = ANY(emptied);
  ELSE
    WITH gone AS (SELECT filtered.marker, filtered.stage, filtered.status, filtered.organization, filtered.grade,
      filtered.rubric FROM old_rows AS filtered),
    changed AS (
      SELECT marker, stage, status, organization, grade, rubric, sum(side) AS n
      FROM (SELECT -1 AS side, * FROM gone) AS sides
      GROUP BY 1, 2, 3, 4, 5, 6),
    written AS (
      INSERT INTO assessment_rollup AS kept (marker, stage, status, organization, grade, rubric, n)
      SELECT * FROM changed
      ON CONFLICT (marker, stage, status, organization, grade, rubric) DO UPDATE SET n = kept.n + excluded.n
      RETURNING kept.ctid AS place, kept.n)
    SELECT array_agg(place) INTO emptied FROM written WHERE n = 0;
    DELETE FROM assessment_rollup WHERE ctid = ANY(emptied);
  END IF;
  RETURN NULL;
END $$;
CREATE INDEX assessment_revised ON assessment (revised);
REVOKE EXECUTE ON FUNCTION roll_up_assessment() FROM PUBLIC;
CREATE TRIGGER roll_up_insert AFTER INSERT ON assessment REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION roll_up_assessment();
CREATE TRIGGER roll_up_update AFTER UPDATE ON assessment REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION roll_up_assessment();
CREATE TRIGGER roll_up_delete AFTER DELETE ON assessment REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION roll_up_assessment();
