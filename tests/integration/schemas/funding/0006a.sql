DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'term'::regclass AND attname = 'country') THEN
    RETURN;
  END IF;
  ALTER TABLE term RENAME COLUMN position TO former_position;
  ALTER TABLE term RENAME COLUMN revised TO former_revised;
  ALTER TABLE term ADD COLUMN country varchar, ADD COLUMN position integer, ADD COLUMN revised bigint;
  UPDATE term SET country = document->>'country', position = former_position, revised = former_revised;
  ALTER TABLE term DROP COLUMN former_position, DROP COLUMN former_revised,
    ALTER COLUMN position SET NOT NULL, ALTER COLUMN revised SET NOT NULL,
    ALTER COLUMN revised SET DEFAULT nullif(current_setting('mmptf.first', true), '')::bigint;
  ALTER TABLE term_past RENAME COLUMN position TO former_position;
  ALTER TABLE term_past RENAME COLUMN revised TO former_revised;
  ALTER TABLE term_past ADD COLUMN country varchar, ADD COLUMN position integer, ADD COLUMN revised bigint;
  UPDATE term_past SET country = document->>'country', position = former_position, revised = former_revised;
  ALTER TABLE term_past DROP COLUMN former_position, DROP COLUMN former_revised,
    ALTER COLUMN position SET NOT NULL, ADD PRIMARY KEY (code, revised);
END $$;
CREATE OR REPLACE FUNCTION journal_stamp() RETURNS trigger LANGUAGE plpgsql AS $$
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
    SELECT last + row_number() OVER (), entity, code, 'amend', o.document, n.document
      FROM old_rows AS o JOIN new_rows AS n USING (code) WHERE o.document::text <> n.document::text;
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
    EXECUTE 'INSERT INTO ' || past || ' SELECT $1, o.* FROM old_rows AS o JOIN new_rows AS n USING (code)'
            ' WHERE o.document::text <> n.document::text AND o.revised < $1' USING write;
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
DROP TRIGGER IF EXISTS stamp ON source_document;
DROP TRIGGER IF EXISTS keep_created ON source_document;
DROP TRIGGER IF EXISTS keep_amended ON source_document;
DROP TRIGGER IF EXISTS keep_all ON source_document;
DROP TRIGGER IF EXISTS keep_deleted ON source_document;
CREATE TRIGGER stamp BEFORE UPDATE ON source_document FOR EACH ROW WHEN (OLD.document::text <> NEW.document::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER keep_created AFTER INSERT ON source_document REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('document');
CREATE TRIGGER keep_amended AFTER UPDATE ON source_document REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('document');
CREATE TRIGGER keep_all BEFORE TRUNCATE ON source_document FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('document');
CREATE TRIGGER keep_deleted AFTER DELETE ON source_document REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('document');
DROP TRIGGER IF EXISTS stamp ON money_stage;
DROP TRIGGER IF EXISTS keep_created ON money_stage;
DROP TRIGGER IF EXISTS keep_amended ON money_stage;
DROP TRIGGER IF EXISTS keep_all ON money_stage;
DROP TRIGGER IF EXISTS keep_deleted ON money_stage;
CREATE TRIGGER stamp BEFORE UPDATE ON money_stage FOR EACH ROW WHEN (OLD.document::text <> NEW.document::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER keep_created AFTER INSERT ON money_stage REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('money_stage');
CREATE TRIGGER keep_amended AFTER UPDATE ON money_stage REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('money_stage');
CREATE TRIGGER keep_all BEFORE TRUNCATE ON money_stage FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('money_stage');
CREATE TRIGGER keep_deleted AFTER DELETE ON money_stage REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('money_stage');
DROP TRIGGER IF EXISTS stamp ON contributor;
DROP TRIGGER IF EXISTS keep_created ON contributor;
DROP TRIGGER IF EXISTS keep_amended ON contributor;
DROP TRIGGER IF EXISTS keep_all ON contributor;
DROP TRIGGER IF EXISTS keep_deleted ON contributor;
CREATE TRIGGER stamp BEFORE UPDATE ON contributor FOR EACH ROW WHEN (OLD.document::text <> NEW.document::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER keep_created AFTER INSERT ON contributor REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('contributor');
CREATE TRIGGER keep_amended AFTER UPDATE ON contributor REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('contributor');
CREATE TRIGGER keep_all BEFORE TRUNCATE ON contributor FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('contributor');
CREATE TRIGGER keep_deleted AFTER DELETE ON contributor REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('contributor');
DROP TRIGGER IF EXISTS stamp ON contribution;
DROP TRIGGER IF EXISTS keep_created ON contribution;
DROP TRIGGER IF EXISTS keep_amended ON contribution;
DROP TRIGGER IF EXISTS keep_all ON contribution;
DROP TRIGGER IF EXISTS keep_deleted ON contribution;
CREATE TRIGGER stamp BEFORE UPDATE ON contribution FOR EACH ROW WHEN (OLD.document::text <> NEW.document::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER keep_created AFTER INSERT ON contribution REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('contribution');
CREATE TRIGGER keep_amended AFTER UPDATE ON contribution REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('contribution');
CREATE TRIGGER keep_all BEFORE TRUNCATE ON contribution FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('contribution');
CREATE TRIGGER keep_deleted AFTER DELETE ON contribution REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('contribution');
DROP TRIGGER IF EXISTS stamp ON target;
DROP TRIGGER IF EXISTS keep_created ON target;
DROP TRIGGER IF EXISTS keep_amended ON target;
DROP TRIGGER IF EXISTS keep_all ON target;
DROP TRIGGER IF EXISTS keep_deleted ON target;
CREATE TRIGGER stamp BEFORE UPDATE ON target FOR EACH ROW WHEN (OLD.document::text <> NEW.document::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER keep_created AFTER INSERT ON target REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('target');
CREATE TRIGGER keep_amended AFTER UPDATE ON target REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('target');
CREATE TRIGGER keep_all BEFORE TRUNCATE ON target FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('target');
CREATE TRIGGER keep_deleted AFTER DELETE ON target REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('target');
DROP TRIGGER IF EXISTS stamp ON fact;
DROP TRIGGER IF EXISTS keep_created ON fact;
DROP TRIGGER IF EXISTS keep_amended ON fact;
DROP TRIGGER IF EXISTS keep_all ON fact;
DROP TRIGGER IF EXISTS keep_deleted ON fact;
CREATE TRIGGER stamp BEFORE UPDATE ON fact FOR EACH ROW WHEN (OLD.document::text <> NEW.document::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER keep_created AFTER INSERT ON fact REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('fact');
CREATE TRIGGER keep_amended AFTER UPDATE ON fact REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('fact');
CREATE TRIGGER keep_all BEFORE TRUNCATE ON fact FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('fact');
CREATE TRIGGER keep_deleted AFTER DELETE ON fact REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('fact');
DROP TRIGGER IF EXISTS stamp ON edition;
DROP TRIGGER IF EXISTS keep_created ON edition;
DROP TRIGGER IF EXISTS keep_amended ON edition;
DROP TRIGGER IF EXISTS keep_all ON edition;
DROP TRIGGER IF EXISTS keep_deleted ON edition;
CREATE TRIGGER stamp BEFORE UPDATE ON edition FOR EACH ROW WHEN (OLD.document::text <> NEW.document::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER keep_created AFTER INSERT ON edition REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('edition');
CREATE TRIGGER keep_amended AFTER UPDATE ON edition REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('edition');
CREATE TRIGGER keep_all BEFORE TRUNCATE ON edition FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('edition');
CREATE TRIGGER keep_deleted AFTER DELETE ON edition REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('edition');
DROP TRIGGER IF EXISTS stamp ON term;
DROP TRIGGER IF EXISTS keep_created ON term;
DROP TRIGGER IF EXISTS keep_amended ON term;
DROP TRIGGER IF EXISTS keep_all ON term;
DROP TRIGGER IF EXISTS keep_deleted ON term;
CREATE TRIGGER stamp BEFORE UPDATE ON term FOR EACH ROW WHEN (OLD.document::text <> NEW.document::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER keep_created AFTER INSERT ON term REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('term');
CREATE TRIGGER keep_amended AFTER UPDATE ON term REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('term');
CREATE TRIGGER keep_all BEFORE TRUNCATE ON term FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('term');
CREATE TRIGGER keep_deleted AFTER DELETE ON term REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('term');
DROP TRIGGER IF EXISTS stamp ON requirement;
DROP TRIGGER IF EXISTS keep_created ON requirement;
DROP TRIGGER IF EXISTS keep_amended ON requirement;
DROP TRIGGER IF EXISTS keep_all ON requirement;
DROP TRIGGER IF EXISTS keep_deleted ON requirement;
CREATE TRIGGER stamp BEFORE UPDATE ON requirement FOR EACH ROW WHEN (OLD.document::text <> NEW.document::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER keep_created AFTER INSERT ON requirement REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('requirement');
CREATE TRIGGER keep_amended AFTER UPDATE ON requirement REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('requirement');
CREATE TRIGGER keep_all BEFORE TRUNCATE ON requirement FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('requirement');
CREATE TRIGGER keep_deleted AFTER DELETE ON requirement REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('requirement');
DROP TRIGGER IF EXISTS stamp ON printed_total;
DROP TRIGGER IF EXISTS keep_created ON printed_total;
DROP TRIGGER IF EXISTS keep_amended ON printed_total;
DROP TRIGGER IF EXISTS keep_all ON printed_total;
DROP TRIGGER IF EXISTS keep_deleted ON printed_total;
CREATE TRIGGER stamp BEFORE UPDATE ON printed_total FOR EACH ROW WHEN (OLD.document::text <> NEW.document::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER keep_created AFTER INSERT ON printed_total REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('printed_total');
CREATE TRIGGER keep_amended AFTER UPDATE ON printed_total REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('printed_total');
CREATE TRIGGER keep_all BEFORE TRUNCATE ON printed_total FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('printed_total');
CREATE TRIGGER keep_deleted AFTER DELETE ON printed_total REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('printed_total');
DROP TRIGGER IF EXISTS stamp ON initiative;
DROP TRIGGER IF EXISTS keep_created ON initiative;
DROP TRIGGER IF EXISTS keep_amended ON initiative;
DROP TRIGGER IF EXISTS keep_all ON initiative;
DROP TRIGGER IF EXISTS keep_deleted ON initiative;
CREATE TRIGGER stamp BEFORE UPDATE ON initiative FOR EACH ROW WHEN (OLD.document::text <> NEW.document::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER keep_created AFTER INSERT ON initiative REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('initiative');
CREATE TRIGGER keep_amended AFTER UPDATE ON initiative REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('initiative');
CREATE TRIGGER keep_all BEFORE TRUNCATE ON initiative FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('initiative');
CREATE TRIGGER keep_deleted AFTER DELETE ON initiative REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('initiative');
DROP TRIGGER IF EXISTS stamp ON results_matrix;
DROP TRIGGER IF EXISTS keep_created ON results_matrix;
DROP TRIGGER IF EXISTS keep_amended ON results_matrix;
DROP TRIGGER IF EXISTS keep_all ON results_matrix;
DROP TRIGGER IF EXISTS keep_deleted ON results_matrix;
CREATE TRIGGER stamp BEFORE UPDATE ON results_matrix FOR EACH ROW WHEN (OLD.document::text <> NEW.document::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER keep_created AFTER INSERT ON results_matrix REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('results_matrix');
CREATE TRIGGER keep_amended AFTER UPDATE ON results_matrix REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('results_matrix');
CREATE TRIGGER keep_all BEFORE TRUNCATE ON results_matrix FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('results_matrix');
CREATE TRIGGER keep_deleted AFTER DELETE ON results_matrix REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('results_matrix');
DROP TRIGGER IF EXISTS stamp ON programme;
DROP TRIGGER IF EXISTS keep_created ON programme;
DROP TRIGGER IF EXISTS keep_amended ON programme;
DROP TRIGGER IF EXISTS keep_all ON programme;
DROP TRIGGER IF EXISTS keep_deleted ON programme;
CREATE TRIGGER stamp BEFORE UPDATE ON programme FOR EACH ROW WHEN (OLD.document::text <> NEW.document::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER keep_created AFTER INSERT ON programme REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('programme');
CREATE TRIGGER keep_amended AFTER UPDATE ON programme REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('programme');
CREATE TRIGGER keep_all BEFORE TRUNCATE ON programme FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('programme');
CREATE TRIGGER keep_deleted AFTER DELETE ON programme REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('programme');
DROP TRIGGER IF EXISTS stamp ON ledger_entry;
DROP TRIGGER IF EXISTS keep_created ON ledger_entry;
DROP TRIGGER IF EXISTS keep_amended ON ledger_entry;
DROP TRIGGER IF EXISTS keep_all ON ledger_entry;
DROP TRIGGER IF EXISTS keep_deleted ON ledger_entry;
CREATE TRIGGER stamp BEFORE UPDATE ON ledger_entry FOR EACH ROW WHEN (OLD.document::text <> NEW.document::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER keep_created AFTER INSERT ON ledger_entry REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('ledger_entry');
CREATE TRIGGER keep_amended AFTER UPDATE ON ledger_entry REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('ledger_entry');
CREATE TRIGGER keep_all BEFORE TRUNCATE ON ledger_entry FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('ledger_entry');
CREATE TRIGGER keep_deleted AFTER DELETE ON ledger_entry REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('ledger_entry');
