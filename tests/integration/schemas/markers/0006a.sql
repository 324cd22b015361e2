CREATE TABLE allocation (
	code TEXT COLLATE "C" NOT NULL,
	document JSON NOT NULL,
	updated TIMESTAMP WITH TIME ZONE NOT NULL,
	programme TEXT COLLATE "C" NOT NULL,
	amount NUMERIC(18, 2) NOT NULL,
	revised BIGINT DEFAULT nullif(current_setting('mmptf.first', true), '')::bigint NOT NULL,
	PRIMARY KEY (code)
);
CREATE INDEX ix_allocation_programme ON allocation (programme);
CREATE INDEX ix_allocation_updated ON allocation (updated);
CREATE TABLE allocation_past (replaced bigint NOT NULL, LIKE allocation, PRIMARY KEY (code, revised));
CREATE TRIGGER stamp BEFORE UPDATE ON allocation FOR EACH ROW WHEN (OLD.document::text <> NEW.document::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER keep_created AFTER INSERT ON allocation REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('allocation');
CREATE TRIGGER keep_amended AFTER UPDATE ON allocation REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('allocation');
CREATE TRIGGER keep_all BEFORE TRUNCATE ON allocation FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('allocation');
CREATE TRIGGER keep_deleted AFTER DELETE ON allocation REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('allocation');
CREATE TABLE standing (
	code TEXT COLLATE "C" NOT NULL,
	programme TEXT COLLATE "C" NOT NULL,
	marker TEXT NOT NULL,
	stage TEXT NOT NULL,
	budget_stage TEXT,
	currency TEXT,
	amount NUMERIC(18, 2),
	allocated NUMERIC,
	assessment TEXT,
	grade TEXT,
	rubric TEXT,
	under_review BOOLEAN NOT NULL,
	updated TIMESTAMP WITH TIME ZONE NOT NULL,
	PRIMARY KEY (code)
);
CREATE INDEX ix_standing_programme ON standing (programme);
CREATE INDEX standing_updated ON standing (updated, code);
CREATE TABLE standing_count (
	marker TEXT NOT NULL,
	stage TEXT NOT NULL,
	budget_stage TEXT,
	currency TEXT,
	grade TEXT,
	rubric TEXT,
	programmes BIGINT NOT NULL,
	with_budget BIGINT NOT NULL,
	amount NUMERIC NOT NULL,
	with_allocation BIGINT NOT NULL,
	allocated NUMERIC NOT NULL,
	under_review BIGINT NOT NULL
);
CREATE UNIQUE INDEX standing_count_alike ON standing_count (marker, stage, budget_stage, currency, grade, rubric) NULLS NOT DISTINCT;
CREATE FUNCTION restate(codes text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  WITH gone AS (DELETE FROM standing WHERE programme = ANY(codes) RETURNING *)
  INSERT INTO standing_count AS counted (marker, stage, budget_stage, currency, grade, rubric, programmes, with_budget, amount, with_allocation, allocated, under_review) SELECT marker, stage, budget_stage, currency, grade, rubric, -count(*) AS programmes, -count(amount) AS with_budget, -coalesce(sum(amount), 0) AS amount, -count(allocated) AS with_allocation, -coalesce(sum(allocated), 0) AS allocated, -count(*) FILTER (WHERE under_review) AS under_review FROM gone GROUP BY 1, 2, 3, 4, 5, 6 ON CONFLICT (marker, stage, budget_stage, currency, grade, rubric) DO UPDATE SET programmes = counted.programmes + excluded.programmes, with_budget = counted.with_budget + excluded.with_budget, amount = counted.amount + excluded.amount, with_allocation = counted.with_allocation + excluded.with_allocation, allocated = counted.allocated + excluded.allocated, under_review = counted.under_review + excluded.under_review;
  WITH come AS (INSERT INTO standing 
    SELECT p.code || '.' || m.marker AS code, p.code AS programme, m.marker, p.stage, p.budget_stage, p.currency,
           p.amount, money.allocated, a.code AS assessment, a.grade, a.rubric,
           coalesce(given.under_review, false) AS under_review,
           greatest(p.updated, given.updated, money.updated) AS updated
      FROM programme AS p
     CROSS JOIN (SELECT DISTINCT document->>'marker' AS marker FROM rubric) AS m
      LEFT JOIN (SELECT DISTINCT ON (programme, marker) * FROM assessment WHERE status = 'accepted' AND programme = ANY(codes)
                  ORDER BY programme, marker, array_position(ARRAY['concept_note', 'programme_document', 'annual_report', 'final_report'], stage) DESC, year DESC NULLS LAST,
                           version DESC) AS a ON a.programme = p.code AND a.marker = m.marker
      LEFT JOIN (SELECT programme, marker, bool_or(status = 'submitted') AS under_review, max(updated) AS updated
                   FROM assessment WHERE true AND programme = ANY(codes) GROUP BY 1, 2) AS given
             ON given.programme = p.code AND given.marker = m.marker
      LEFT JOIN (SELECT programme, sum(amount) AS allocated, max(updated) AS updated
                   FROM allocation WHERE true AND programme = ANY(codes) GROUP BY 1) AS money ON money.programme = p.code
     WHERE true AND p.code = ANY(codes) RETURNING *)
  INSERT INTO standing_count AS counted (marker, stage, budget_stage, currency, grade, rubric, programmes, with_budget, amount, with_allocation, allocated, under_review) SELECT marker, stage, budget_stage, currency, grade, rubric, count(*) AS programmes, count(amount) AS with_budget, coalesce(sum(amount), 0) AS amount, count(allocated) AS with_allocation, coalesce(sum(allocated), 0) AS allocated, count(*) FILTER (WHERE under_review) AS under_review FROM come GROUP BY 1, 2, 3, 4, 5, 6 ON CONFLICT (marker, stage, budget_stage, currency, grade, rubric) DO UPDATE SET programmes = counted.programmes + excluded.programmes, with_budget = counted.with_budget + excluded.with_budget, amount = counted.amount + excluded.amount, with_allocation = counted.with_allocation + excluded.with_allocation, allocated = counted.allocated + excluded.allocated, under_review = counted.under_review + excluded.under_review;
  DELETE FROM standing_count WHERE programmes = 0;
END $$;
CREATE FUNCTION keep_standings() RETURNS trigger LANGUAGE plpgsql AS $$
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
    PERFORM restate(codes);
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER standings AFTER INSERT ON rubric EXECUTE FUNCTION keep_standings();
CREATE TRIGGER standings_insert AFTER INSERT ON programme REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION keep_standings('code');
CREATE TRIGGER standings_update AFTER UPDATE ON programme REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION keep_standings('code');
CREATE TRIGGER standings_delete AFTER DELETE ON programme REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION keep_standings('code');
CREATE TRIGGER standings_insert AFTER INSERT ON assessment REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION keep_standings('programme');
CREATE TRIGGER standings_update AFTER UPDATE ON assessment REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION keep_standings('programme');
CREATE TRIGGER standings_delete AFTER DELETE ON assessment REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION keep_standings('programme');
CREATE TRIGGER standings_insert AFTER INSERT ON allocation REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION keep_standings('programme');
CREATE TRIGGER standings_update AFTER UPDATE ON allocation REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION keep_standings('programme');
CREATE TRIGGER standings_delete AFTER DELETE ON allocation REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION keep_standings('programme');
SELECT restate(array_agg(code)) FROM programme;
