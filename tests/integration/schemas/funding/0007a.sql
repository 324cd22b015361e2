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
END $$;
DROP TRIGGER stamp ON source_document;
DROP TRIGGER keep_created ON source_document;
DROP TRIGGER keep_amended ON source_document;
DROP TRIGGER keep_all ON source_document;
DROP TRIGGER keep_deleted ON source_document;
ALTER TABLE source_document RENAME COLUMN document TO record;
ALTER TABLE source_document_past RENAME COLUMN document TO record;
CREATE TRIGGER journal_stamp BEFORE UPDATE ON source_document FOR EACH ROW WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER journal_insert AFTER INSERT ON source_document REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('document');
CREATE TRIGGER journal_update AFTER UPDATE ON source_document REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('document');
CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON source_document FOR EACH STATEMENT EXECUTE FUNCTION journal_write('document');
CREATE TRIGGER journal_delete AFTER DELETE ON source_document REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('document');
DROP TRIGGER stamp ON money_stage;
DROP TRIGGER keep_created ON money_stage;
DROP TRIGGER keep_amended ON money_stage;
DROP TRIGGER keep_all ON money_stage;
DROP TRIGGER keep_deleted ON money_stage;
ALTER TABLE money_stage RENAME COLUMN document TO record;
ALTER TABLE money_stage_past RENAME COLUMN document TO record;
CREATE TRIGGER journal_stamp BEFORE UPDATE ON money_stage FOR EACH ROW WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER journal_insert AFTER INSERT ON money_stage REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('money_stage');
CREATE TRIGGER journal_update AFTER UPDATE ON money_stage REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('money_stage');
CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON money_stage FOR EACH STATEMENT EXECUTE FUNCTION journal_write('money_stage');
CREATE TRIGGER journal_delete AFTER DELETE ON money_stage REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('money_stage');
DROP TRIGGER stamp ON contributor;
DROP TRIGGER keep_created ON contributor;
DROP TRIGGER keep_amended ON contributor;
DROP TRIGGER keep_all ON contributor;
DROP TRIGGER keep_deleted ON contributor;
ALTER TABLE contributor RENAME COLUMN document TO record;
ALTER TABLE contributor_past RENAME COLUMN document TO record;
CREATE TRIGGER journal_stamp BEFORE UPDATE ON contributor FOR EACH ROW WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER journal_insert AFTER INSERT ON contributor REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('contributor');
CREATE TRIGGER journal_update AFTER UPDATE ON contributor REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('contributor');
CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON contributor FOR EACH STATEMENT EXECUTE FUNCTION journal_write('contributor');
CREATE TRIGGER journal_delete AFTER DELETE ON contributor REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('contributor');
DROP TRIGGER stamp ON contribution;
DROP TRIGGER keep_created ON contribution;
DROP TRIGGER keep_amended ON contribution;
DROP TRIGGER keep_all ON contribution;
DROP TRIGGER keep_deleted ON contribution;
ALTER TABLE contribution RENAME COLUMN document TO record;
ALTER TABLE contribution_past RENAME COLUMN document TO record;
CREATE TRIGGER journal_stamp BEFORE UPDATE ON contribution FOR EACH ROW WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER journal_insert AFTER INSERT ON contribution REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('contribution');
CREATE TRIGGER journal_update AFTER UPDATE ON contribution REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('contribution');
CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON contribution FOR EACH STATEMENT EXECUTE FUNCTION journal_write('contribution');
CREATE TRIGGER journal_delete AFTER DELETE ON contribution REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('contribution');
DROP TRIGGER stamp ON target;
DROP TRIGGER keep_created ON target;
DROP TRIGGER keep_amended ON target;
DROP TRIGGER keep_all ON target;
DROP TRIGGER keep_deleted ON target;
ALTER TABLE target RENAME COLUMN document TO record;
ALTER TABLE target_past RENAME COLUMN document TO record;
CREATE TRIGGER journal_stamp BEFORE UPDATE ON target FOR EACH ROW WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER journal_insert AFTER INSERT ON target REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('target');
CREATE TRIGGER journal_update AFTER UPDATE ON target REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('target');
CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON target FOR EACH STATEMENT EXECUTE FUNCTION journal_write('target');
CREATE TRIGGER journal_delete AFTER DELETE ON target REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('target');
DROP TRIGGER stamp ON fact;
DROP TRIGGER keep_created ON fact;
DROP TRIGGER keep_amended ON fact;
DROP TRIGGER keep_all ON fact;
DROP TRIGGER keep_deleted ON fact;
ALTER TABLE fact RENAME COLUMN document TO record;
ALTER TABLE fact_past RENAME COLUMN document TO record;
CREATE TRIGGER journal_stamp BEFORE UPDATE ON fact FOR EACH ROW WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER journal_insert AFTER INSERT ON fact REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('fact');
CREATE TRIGGER journal_update AFTER UPDATE ON fact REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('fact');
CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON fact FOR EACH STATEMENT EXECUTE FUNCTION journal_write('fact');
CREATE TRIGGER journal_delete AFTER DELETE ON fact REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('fact');
DROP TRIGGER stamp ON edition;
DROP TRIGGER keep_created ON edition;
DROP TRIGGER keep_amended ON edition;
DROP TRIGGER keep_all ON edition;
DROP TRIGGER keep_deleted ON edition;
ALTER TABLE edition RENAME COLUMN document TO record;
ALTER TABLE edition_past RENAME COLUMN document TO record;
CREATE TRIGGER journal_stamp BEFORE UPDATE ON edition FOR EACH ROW WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER journal_insert AFTER INSERT ON edition REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('edition');
CREATE TRIGGER journal_update AFTER UPDATE ON edition REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('edition');
CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON edition FOR EACH STATEMENT EXECUTE FUNCTION journal_write('edition');
CREATE TRIGGER journal_delete AFTER DELETE ON edition REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('edition');
DROP TRIGGER stamp ON term;
DROP TRIGGER keep_created ON term;
DROP TRIGGER keep_amended ON term;
DROP TRIGGER keep_all ON term;
DROP TRIGGER keep_deleted ON term;
ALTER TABLE term RENAME COLUMN document TO record;
ALTER TABLE term_past RENAME COLUMN document TO record;
CREATE TRIGGER journal_stamp BEFORE UPDATE ON term FOR EACH ROW WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER journal_insert AFTER INSERT ON term REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('term');
CREATE TRIGGER journal_update AFTER UPDATE ON term REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('term');
CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON term FOR EACH STATEMENT EXECUTE FUNCTION journal_write('term');
CREATE TRIGGER journal_delete AFTER DELETE ON term REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('term');
DROP TRIGGER stamp ON requirement;
DROP TRIGGER keep_created ON requirement;
DROP TRIGGER keep_amended ON requirement;
DROP TRIGGER keep_all ON requirement;
DROP TRIGGER keep_deleted ON requirement;
ALTER TABLE requirement RENAME COLUMN document TO record;
ALTER TABLE requirement_past RENAME COLUMN document TO record;
CREATE TRIGGER journal_stamp BEFORE UPDATE ON requirement FOR EACH ROW WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER journal_insert AFTER INSERT ON requirement REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('requirement');
CREATE TRIGGER journal_update AFTER UPDATE ON requirement REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('requirement');
CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON requirement FOR EACH STATEMENT EXECUTE FUNCTION journal_write('requirement');
CREATE TRIGGER journal_delete AFTER DELETE ON requirement REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('requirement');
DROP TRIGGER stamp ON printed_total;
DROP TRIGGER keep_created ON printed_total;
DROP TRIGGER keep_amended ON printed_total;
DROP TRIGGER keep_all ON printed_total;
DROP TRIGGER keep_deleted ON printed_total;
ALTER TABLE printed_total RENAME COLUMN document TO record;
ALTER TABLE printed_total_past RENAME COLUMN document TO record;
CREATE TRIGGER journal_stamp BEFORE UPDATE ON printed_total FOR EACH ROW WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER journal_insert AFTER INSERT ON printed_total REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('printed_total');
CREATE TRIGGER journal_update AFTER UPDATE ON printed_total REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('printed_total');
CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON printed_total FOR EACH STATEMENT EXECUTE FUNCTION journal_write('printed_total');
CREATE TRIGGER journal_delete AFTER DELETE ON printed_total REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('printed_total');
DROP TRIGGER stamp ON initiative;
DROP TRIGGER keep_created ON initiative;
DROP TRIGGER keep_amended ON initiative;
DROP TRIGGER keep_all ON initiative;
DROP TRIGGER keep_deleted ON initiative;
ALTER TABLE initiative RENAME COLUMN document TO record;
ALTER TABLE initiative_past RENAME COLUMN document TO record;
CREATE TRIGGER journal_stamp BEFORE UPDATE ON initiative FOR EACH ROW WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER journal_insert AFTER INSERT ON initiative REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('initiative');
CREATE TRIGGER journal_update AFTER UPDATE ON initiative REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('initiative');
CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON initiative FOR EACH STATEMENT EXECUTE FUNCTION journal_write('initiative');
CREATE TRIGGER journal_delete AFTER DELETE ON initiative REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('initiative');
DROP TRIGGER stamp ON results_matrix;
DROP TRIGGER keep_created ON results_matrix;
DROP TRIGGER keep_amended ON results_matrix;
DROP TRIGGER keep_all ON results_matrix;
DROP TRIGGER keep_deleted ON results_matrix;
ALTER TABLE results_matrix RENAME COLUMN document TO record;
ALTER TABLE results_matrix_past RENAME COLUMN document TO record;
CREATE TRIGGER journal_stamp BEFORE UPDATE ON results_matrix FOR EACH ROW WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER journal_insert AFTER INSERT ON results_matrix REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('results_matrix');
CREATE TRIGGER journal_update AFTER UPDATE ON results_matrix REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('results_matrix');
CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON results_matrix FOR EACH STATEMENT EXECUTE FUNCTION journal_write('results_matrix');
CREATE TRIGGER journal_delete AFTER DELETE ON results_matrix REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('results_matrix');
DROP TRIGGER stamp ON programme;
DROP TRIGGER keep_created ON programme;
DROP TRIGGER keep_amended ON programme;
DROP TRIGGER keep_all ON programme;
DROP TRIGGER keep_deleted ON programme;
ALTER TABLE programme RENAME COLUMN document TO record;
ALTER TABLE programme_past RENAME COLUMN document TO record;
CREATE TRIGGER journal_stamp BEFORE UPDATE ON programme FOR EACH ROW WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER journal_insert AFTER INSERT ON programme REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('programme');
CREATE TRIGGER journal_update AFTER UPDATE ON programme REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('programme');
CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON programme FOR EACH STATEMENT EXECUTE FUNCTION journal_write('programme');
CREATE TRIGGER journal_delete AFTER DELETE ON programme REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('programme');
DROP TRIGGER stamp ON ledger_entry;
DROP TRIGGER keep_created ON ledger_entry;
DROP TRIGGER keep_amended ON ledger_entry;
DROP TRIGGER keep_all ON ledger_entry;
DROP TRIGGER keep_deleted ON ledger_entry;
ALTER TABLE ledger_entry RENAME COLUMN document TO record;
ALTER TABLE ledger_entry_past RENAME COLUMN document TO record;
CREATE TRIGGER journal_stamp BEFORE UPDATE ON ledger_entry FOR EACH ROW WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER journal_insert AFTER INSERT ON ledger_entry REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('ledger_entry');
CREATE TRIGGER journal_update AFTER UPDATE ON ledger_entry REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('ledger_entry');
CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON ledger_entry FOR EACH STATEMENT EXECUTE FUNCTION journal_write('ledger_entry');
CREATE TRIGGER journal_delete AFTER DELETE ON ledger_entry REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('ledger_entry');
DROP FUNCTION journal_keep();
