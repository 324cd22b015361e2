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
DROP TRIGGER stamp ON thematic_area;
DROP TRIGGER keep_created ON thematic_area;
DROP TRIGGER keep_amended ON thematic_area;
DROP TRIGGER keep_all ON thematic_area;
DROP TRIGGER keep_deleted ON thematic_area;
ALTER TABLE thematic_area RENAME COLUMN document TO record;
ALTER TABLE thematic_area_past RENAME COLUMN document TO record;
CREATE TRIGGER journal_stamp BEFORE UPDATE ON thematic_area FOR EACH ROW WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER journal_insert AFTER INSERT ON thematic_area REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('thematic_area');
CREATE TRIGGER journal_update AFTER UPDATE ON thematic_area REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('thematic_area');
CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON thematic_area FOR EACH STATEMENT EXECUTE FUNCTION journal_write('thematic_area');
CREATE TRIGGER journal_delete AFTER DELETE ON thematic_area REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('thematic_area');
DROP TRIGGER stamp ON objective;
DROP TRIGGER keep_created ON objective;
DROP TRIGGER keep_amended ON objective;
DROP TRIGGER keep_all ON objective;
DROP TRIGGER keep_deleted ON objective;
ALTER TABLE objective RENAME COLUMN document TO record;
ALTER TABLE objective_past RENAME COLUMN document TO record;
CREATE TRIGGER journal_stamp BEFORE UPDATE ON objective FOR EACH ROW WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER journal_insert AFTER INSERT ON objective REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('objective');
CREATE TRIGGER journal_update AFTER UPDATE ON objective REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('objective');
CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON objective FOR EACH STATEMENT EXECUTE FUNCTION journal_write('objective');
CREATE TRIGGER journal_delete AFTER DELETE ON objective REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('objective');
DROP TRIGGER stamp ON clustering;
DROP TRIGGER keep_created ON clustering;
DROP TRIGGER keep_amended ON clustering;
DROP TRIGGER keep_all ON clustering;
DROP TRIGGER keep_deleted ON clustering;
ALTER TABLE clustering RENAME COLUMN document TO record;
ALTER TABLE clustering_past RENAME COLUMN document TO record;
CREATE TRIGGER journal_stamp BEFORE UPDATE ON clustering FOR EACH ROW WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER journal_insert AFTER INSERT ON clustering REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('clustering');
CREATE TRIGGER journal_update AFTER UPDATE ON clustering REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('clustering');
CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON clustering FOR EACH STATEMENT EXECUTE FUNCTION journal_write('clustering');
CREATE TRIGGER journal_delete AFTER DELETE ON clustering REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('clustering');
DROP TRIGGER stamp ON guiding_principle;
DROP TRIGGER keep_created ON guiding_principle;
DROP TRIGGER keep_amended ON guiding_principle;
DROP TRIGGER keep_all ON guiding_principle;
DROP TRIGGER keep_deleted ON guiding_principle;
ALTER TABLE guiding_principle RENAME COLUMN document TO record;
ALTER TABLE guiding_principle_past RENAME COLUMN document TO record;
CREATE TRIGGER journal_stamp BEFORE UPDATE ON guiding_principle FOR EACH ROW WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER journal_insert AFTER INSERT ON guiding_principle REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('guiding_principle');
CREATE TRIGGER journal_update AFTER UPDATE ON guiding_principle REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('guiding_principle');
CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON guiding_principle FOR EACH STATEMENT EXECUTE FUNCTION journal_write('guiding_principle');
CREATE TRIGGER journal_delete AFTER DELETE ON guiding_principle REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('guiding_principle');
DROP TRIGGER stamp ON place;
DROP TRIGGER keep_created ON place;
DROP TRIGGER keep_amended ON place;
DROP TRIGGER keep_all ON place;
DROP TRIGGER keep_deleted ON place;
ALTER TABLE place RENAME COLUMN document TO record;
ALTER TABLE place_past RENAME COLUMN document TO record;
CREATE TRIGGER journal_stamp BEFORE UPDATE ON place FOR EACH ROW WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER journal_insert AFTER INSERT ON place REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('place');
CREATE TRIGGER journal_update AFTER UPDATE ON place REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('place');
CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON place FOR EACH STATEMENT EXECUTE FUNCTION journal_write('place');
CREATE TRIGGER journal_delete AFTER DELETE ON place REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('place');
DROP TRIGGER stamp ON organization;
DROP TRIGGER keep_created ON organization;
DROP TRIGGER keep_amended ON organization;
DROP TRIGGER keep_all ON organization;
DROP TRIGGER keep_deleted ON organization;
ALTER TABLE organization RENAME COLUMN document TO record;
ALTER TABLE organization_past RENAME COLUMN document TO record;
CREATE TRIGGER journal_stamp BEFORE UPDATE ON organization FOR EACH ROW WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER journal_insert AFTER INSERT ON organization REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('organization');
CREATE TRIGGER journal_update AFTER UPDATE ON organization REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('organization');
CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON organization FOR EACH STATEMENT EXECUTE FUNCTION journal_write('organization');
CREATE TRIGGER journal_delete AFTER DELETE ON organization REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('organization');
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
DROP TRIGGER stamp ON draft;
DROP TRIGGER keep_created ON draft;
DROP TRIGGER keep_amended ON draft;
DROP TRIGGER keep_all ON draft;
DROP TRIGGER keep_deleted ON draft;
ALTER TABLE draft RENAME COLUMN document TO record;
ALTER TABLE draft_past RENAME COLUMN document TO record;
CREATE TRIGGER journal_stamp BEFORE UPDATE ON draft FOR EACH ROW WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER journal_insert AFTER INSERT ON draft REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('draft');
CREATE TRIGGER journal_update AFTER UPDATE ON draft REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('draft');
CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON draft FOR EACH STATEMENT EXECUTE FUNCTION journal_write('draft');
CREATE TRIGGER journal_delete AFTER DELETE ON draft REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('draft');
DROP FUNCTION journal_keep();
