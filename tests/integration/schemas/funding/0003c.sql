CREATE TABLE revision (first bigint PRIMARY KEY, number bigint NOT NULL UNIQUE, at timestamptz NOT NULL, actor text NOT NULL, organization text, reason text, request_id text, repeatable boolean NOT NULL DEFAULT true);
CREATE INDEX ix_revision_at ON revision (at);
INSERT INTO revision (first, number, at, actor, reason, request_id, repeatable) SELECT first, number, at + (row_number() OVER (PARTITION BY at ORDER BY first) - 1) * interval '1 microsecond', actor, reason, request_id, number >= (SELECT coalesce(max(seq), 0) FROM change WHERE action <> 'create') FROM (SELECT min(seq) AS first, max(seq) AS number, max(max(at)) OVER (ORDER BY min(seq)) AS at, actor, max(reason) AS reason, request_id FROM (SELECT *, seq - row_number() OVER (PARTITION BY at, actor, request_id ORDER BY seq) AS stretch FROM change) AS stretched GROUP BY stretched.at, actor, request_id, stretch) AS write;
ALTER TABLE change DROP COLUMN at, DROP COLUMN actor, DROP COLUMN reason, DROP COLUMN request_id, ALTER COLUMN before TYPE json USING before::json, ALTER COLUMN after TYPE json USING after::json;
CREATE TABLE idempotency_key (subject text, key text, fingerprint text NOT NULL, status int NOT NULL, headers json NOT NULL, body text NOT NULL, at timestamptz NOT NULL, PRIMARY KEY (subject, key));
CREATE INDEX ix_idempotency_key_at ON idempotency_key (at);
CREATE FUNCTION journal_stamp() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.code <> OLD.code THEN
    RAISE EXCEPTION 'a code never changes, and % of % would', OLD.code, TG_TABLE_NAME;
  END IF;
  NEW.revised := nullif(current_setting('mmptf.first', true), '')::bigint;
  RETURN NEW;
END $$;
CREATE OR REPLACE FUNCTION journal_keep() RETURNS trigger LANGUAGE plpgsql AS $$
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
  -- JSON can hold it, and nothing that is made of JSON later can. Behind another backslash it is but a text.
  IF EXISTS (SELECT FROM change WHERE seq > last AND position('\u0000' IN after::text) > 0
                AND after::text ~ '(^|[^\\])(\\\\)*\\u0000') THEN
    RAISE EXCEPTION 'a record of % holds the character U+0000', TG_TABLE_NAME;
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
END $$;
ALTER TABLE source_document ADD COLUMN revised bigint NOT NULL DEFAULT 0;
UPDATE source_document SET revised = revision.first FROM (SELECT key, max(seq) AS seq FROM change WHERE entity = 'document' GROUP BY key) AS newest JOIN revision ON newest.seq BETWEEN revision.first AND revision.number WHERE source_document.code = newest.key;
ALTER TABLE source_document ALTER COLUMN revised SET DEFAULT nullif(current_setting('mmptf.first', true), '')::bigint;
CREATE TABLE source_document_past (replaced bigint NOT NULL, LIKE source_document, PRIMARY KEY (code, revised));
CREATE TRIGGER stamp BEFORE UPDATE ON source_document FOR EACH ROW WHEN (OLD.document::text <> NEW.document::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER keep_created AFTER INSERT ON source_document REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('document');
CREATE TRIGGER keep_amended AFTER UPDATE ON source_document REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('document');
CREATE TRIGGER keep_all BEFORE TRUNCATE ON source_document FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('document');
CREATE TRIGGER keep_deleted AFTER DELETE ON source_document REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('document');
ALTER TABLE money_stage ADD COLUMN revised bigint NOT NULL DEFAULT 0;
UPDATE money_stage SET revised = revision.first FROM (SELECT key, max(seq) AS seq FROM change WHERE entity = 'money_stage' GROUP BY key) AS newest JOIN revision ON newest.seq BETWEEN revision.first AND revision.number WHERE money_stage.code = newest.key;
ALTER TABLE money_stage ALTER COLUMN revised SET DEFAULT nullif(current_setting('mmptf.first', true), '')::bigint;
CREATE TABLE money_stage_past (replaced bigint NOT NULL, LIKE money_stage, PRIMARY KEY (code, revised));
CREATE TRIGGER stamp BEFORE UPDATE ON money_stage FOR EACH ROW WHEN (OLD.document::text <> NEW.document::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER keep_created AFTER INSERT ON money_stage REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('money_stage');
CREATE TRIGGER keep_amended AFTER UPDATE ON money_stage REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('money_stage');
CREATE TRIGGER keep_all BEFORE TRUNCATE ON money_stage FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('money_stage');
CREATE TRIGGER keep_deleted AFTER DELETE ON money_stage REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('money_stage');
ALTER TABLE contributor ADD COLUMN revised bigint NOT NULL DEFAULT 0;
UPDATE contributor SET revised = revision.first FROM (SELECT key, max(seq) AS seq FROM change WHERE entity = 'contributor' GROUP BY key) AS newest JOIN revision ON newest.seq BETWEEN revision.first AND revision.number WHERE contributor.code = newest.key;
ALTER TABLE contributor ALTER COLUMN revised SET DEFAULT nullif(current_setting('mmptf.first', true), '')::bigint;
CREATE TABLE contributor_past (replaced bigint NOT NULL, LIKE contributor, PRIMARY KEY (code, revised));
CREATE TRIGGER stamp BEFORE UPDATE ON contributor FOR EACH ROW WHEN (OLD.document::text <> NEW.document::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER keep_created AFTER INSERT ON contributor REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('contributor');
CREATE TRIGGER keep_amended AFTER UPDATE ON contributor REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('contributor');
CREATE TRIGGER keep_all BEFORE TRUNCATE ON contributor FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('contributor');
CREATE TRIGGER keep_deleted AFTER DELETE ON contributor REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('contributor');
ALTER TABLE contribution ADD COLUMN revised bigint NOT NULL DEFAULT 0;
UPDATE contribution SET revised = revision.first FROM (SELECT key, max(seq) AS seq FROM change WHERE entity = 'contribution' GROUP BY key) AS newest JOIN revision ON newest.seq BETWEEN revision.first AND revision.number WHERE contribution.code = newest.key;
ALTER TABLE contribution ALTER COLUMN revised SET DEFAULT nullif(current_setting('mmptf.first', true), '')::bigint;
CREATE TABLE contribution_past (replaced bigint NOT NULL, LIKE contribution, PRIMARY KEY (code, revised));
CREATE TRIGGER stamp BEFORE UPDATE ON contribution FOR EACH ROW WHEN (OLD.document::text <> NEW.document::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER keep_created AFTER INSERT ON contribution REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('contribution');
CREATE TRIGGER keep_amended AFTER UPDATE ON contribution REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('contribution');
CREATE TRIGGER keep_all BEFORE TRUNCATE ON contribution FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('contribution');
CREATE TRIGGER keep_deleted AFTER DELETE ON contribution REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('contribution');
ALTER TABLE target ADD COLUMN revised bigint NOT NULL DEFAULT 0;
UPDATE target SET revised = revision.first FROM (SELECT key, max(seq) AS seq FROM change WHERE entity = 'target' GROUP BY key) AS newest JOIN revision ON newest.seq BETWEEN revision.first AND revision.number WHERE target.code = newest.key;
ALTER TABLE target ALTER COLUMN revised SET DEFAULT nullif(current_setting('mmptf.first', true), '')::bigint;
CREATE TABLE target_past (replaced bigint NOT NULL, LIKE target, PRIMARY KEY (code, revised));
CREATE TRIGGER stamp BEFORE UPDATE ON target FOR EACH ROW WHEN (OLD.document::text <> NEW.document::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER keep_created AFTER INSERT ON target REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('target');
CREATE TRIGGER keep_amended AFTER UPDATE ON target REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('target');
CREATE TRIGGER keep_all BEFORE TRUNCATE ON target FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('target');
CREATE TRIGGER keep_deleted AFTER DELETE ON target REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('target');
ALTER TABLE fact ADD COLUMN revised bigint NOT NULL DEFAULT 0;
UPDATE fact SET revised = revision.first FROM (SELECT key, max(seq) AS seq FROM change WHERE entity = 'fact' GROUP BY key) AS newest JOIN revision ON newest.seq BETWEEN revision.first AND revision.number WHERE fact.code = newest.key;
ALTER TABLE fact ALTER COLUMN revised SET DEFAULT nullif(current_setting('mmptf.first', true), '')::bigint;
CREATE TABLE fact_past (replaced bigint NOT NULL, LIKE fact, PRIMARY KEY (code, revised));
CREATE TRIGGER stamp BEFORE UPDATE ON fact FOR EACH ROW WHEN (OLD.document::text <> NEW.document::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER keep_created AFTER INSERT ON fact REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('fact');
CREATE TRIGGER keep_amended AFTER UPDATE ON fact REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('fact');
CREATE TRIGGER keep_all BEFORE TRUNCATE ON fact FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('fact');
CREATE TRIGGER keep_deleted AFTER DELETE ON fact REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('fact');
ALTER TABLE edition ADD COLUMN revised bigint NOT NULL DEFAULT 0;
UPDATE edition SET revised = revision.first FROM (SELECT key, max(seq) AS seq FROM change WHERE entity = 'edition' GROUP BY key) AS newest JOIN revision ON newest.seq BETWEEN revision.first AND revision.number WHERE edition.code = newest.key;
ALTER TABLE edition ALTER COLUMN revised SET DEFAULT nullif(current_setting('mmptf.first', true), '')::bigint;
CREATE TABLE edition_past (replaced bigint NOT NULL, LIKE edition, PRIMARY KEY (code, revised));
CREATE TRIGGER stamp BEFORE UPDATE ON edition FOR EACH ROW WHEN (OLD.document::text <> NEW.document::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER keep_created AFTER INSERT ON edition REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('edition');
CREATE TRIGGER keep_amended AFTER UPDATE ON edition REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('edition');
CREATE TRIGGER keep_all BEFORE TRUNCATE ON edition FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('edition');
CREATE TRIGGER keep_deleted AFTER DELETE ON edition REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('edition');
ALTER TABLE term ADD COLUMN revised bigint NOT NULL DEFAULT 0;
UPDATE term SET revised = revision.first FROM (SELECT key, max(seq) AS seq FROM change WHERE entity = 'term' GROUP BY key) AS newest JOIN revision ON newest.seq BETWEEN revision.first AND revision.number WHERE term.code = newest.key;
ALTER TABLE term ALTER COLUMN revised SET DEFAULT nullif(current_setting('mmptf.first', true), '')::bigint;
CREATE TABLE term_past (replaced bigint NOT NULL, LIKE term, PRIMARY KEY (code, revised));
CREATE TRIGGER stamp BEFORE UPDATE ON term FOR EACH ROW WHEN (OLD.document::text <> NEW.document::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER keep_created AFTER INSERT ON term REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('term');
CREATE TRIGGER keep_amended AFTER UPDATE ON term REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('term');
CREATE TRIGGER keep_all BEFORE TRUNCATE ON term FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('term');
CREATE TRIGGER keep_deleted AFTER DELETE ON term REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('term');
ALTER TABLE requirement ADD COLUMN revised bigint NOT NULL DEFAULT 0;
UPDATE requirement SET revised = revision.first FROM (SELECT key, max(seq) AS seq FROM change WHERE entity = 'requirement' GROUP BY key) AS newest JOIN revision ON newest.seq BETWEEN revision.first AND revision.number WHERE requirement.code = newest.key;
ALTER TABLE requirement ALTER COLUMN revised SET DEFAULT nullif(current_setting('mmptf.first', true), '')::bigint;
CREATE TABLE requirement_past (replaced bigint NOT NULL, LIKE requirement, PRIMARY KEY (code, revised));
CREATE TRIGGER stamp BEFORE UPDATE ON requirement FOR EACH ROW WHEN (OLD.document::text <> NEW.document::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER keep_created AFTER INSERT ON requirement REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('requirement');
CREATE TRIGGER keep_amended AFTER UPDATE ON requirement REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('requirement');
CREATE TRIGGER keep_all BEFORE TRUNCATE ON requirement FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('requirement');
CREATE TRIGGER keep_deleted AFTER DELETE ON requirement REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('requirement');
ALTER TABLE printed_total ADD COLUMN revised bigint NOT NULL DEFAULT 0;
UPDATE printed_total SET revised = revision.first FROM (SELECT key, max(seq) AS seq FROM change WHERE entity = 'printed_total' GROUP BY key) AS newest JOIN revision ON newest.seq BETWEEN revision.first AND revision.number WHERE printed_total.code = newest.key;
ALTER TABLE printed_total ALTER COLUMN revised SET DEFAULT nullif(current_setting('mmptf.first', true), '')::bigint;
CREATE TABLE printed_total_past (replaced bigint NOT NULL, LIKE printed_total, PRIMARY KEY (code, revised));
CREATE TRIGGER stamp BEFORE UPDATE ON printed_total FOR EACH ROW WHEN (OLD.document::text <> NEW.document::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER keep_created AFTER INSERT ON printed_total REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('printed_total');
CREATE TRIGGER keep_amended AFTER UPDATE ON printed_total REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('printed_total');
CREATE TRIGGER keep_all BEFORE TRUNCATE ON printed_total FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('printed_total');
CREATE TRIGGER keep_deleted AFTER DELETE ON printed_total REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('printed_total');
ALTER TABLE initiative ADD COLUMN revised bigint NOT NULL DEFAULT 0;
UPDATE initiative SET revised = revision.first FROM (SELECT key, max(seq) AS seq FROM change WHERE entity = 'initiative' GROUP BY key) AS newest JOIN revision ON newest.seq BETWEEN revision.first AND revision.number WHERE initiative.code = newest.key;
ALTER TABLE initiative ALTER COLUMN revised SET DEFAULT nullif(current_setting('mmptf.first', true), '')::bigint;
CREATE TABLE initiative_past (replaced bigint NOT NULL, LIKE initiative, PRIMARY KEY (code, revised));
CREATE TRIGGER stamp BEFORE UPDATE ON initiative FOR EACH ROW WHEN (OLD.document::text <> NEW.document::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER keep_created AFTER INSERT ON initiative REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('initiative');
CREATE TRIGGER keep_amended AFTER UPDATE ON initiative REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('initiative');
CREATE TRIGGER keep_all BEFORE TRUNCATE ON initiative FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('initiative');
CREATE TRIGGER keep_deleted AFTER DELETE ON initiative REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('initiative');
ALTER TABLE results_matrix ADD COLUMN revised bigint NOT NULL DEFAULT 0;
UPDATE results_matrix SET revised = revision.first FROM (SELECT key, max(seq) AS seq FROM change WHERE entity = 'results_matrix' GROUP BY key) AS newest JOIN revision ON newest.seq BETWEEN revision.first AND revision.number WHERE results_matrix.code = newest.key;
ALTER TABLE results_matrix ALTER COLUMN revised SET DEFAULT nullif(current_setting('mmptf.first', true), '')::bigint;
CREATE TABLE results_matrix_past (replaced bigint NOT NULL, LIKE results_matrix, PRIMARY KEY (code, revised));
CREATE TRIGGER stamp BEFORE UPDATE ON results_matrix FOR EACH ROW WHEN (OLD.document::text <> NEW.document::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER keep_created AFTER INSERT ON results_matrix REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('results_matrix');
CREATE TRIGGER keep_amended AFTER UPDATE ON results_matrix REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('results_matrix');
CREATE TRIGGER keep_all BEFORE TRUNCATE ON results_matrix FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('results_matrix');
CREATE TRIGGER keep_deleted AFTER DELETE ON results_matrix REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('results_matrix');
