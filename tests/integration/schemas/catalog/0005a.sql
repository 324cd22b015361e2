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
DROP TRIGGER IF EXISTS stamp ON thematic_area;
DROP TRIGGER IF EXISTS keep_created ON thematic_area;
DROP TRIGGER IF EXISTS keep_amended ON thematic_area;
DROP TRIGGER IF EXISTS keep_all ON thematic_area;
DROP TRIGGER IF EXISTS keep_deleted ON thematic_area;
CREATE TRIGGER stamp BEFORE UPDATE ON thematic_area FOR EACH ROW WHEN (OLD.document::text <> NEW.document::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER keep_created AFTER INSERT ON thematic_area REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('thematic_area');
CREATE TRIGGER keep_amended AFTER UPDATE ON thematic_area REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('thematic_area');
CREATE TRIGGER keep_all BEFORE TRUNCATE ON thematic_area FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('thematic_area');
CREATE TRIGGER keep_deleted AFTER DELETE ON thematic_area REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('thematic_area');
DROP TRIGGER IF EXISTS stamp ON objective;
DROP TRIGGER IF EXISTS keep_created ON objective;
DROP TRIGGER IF EXISTS keep_amended ON objective;
DROP TRIGGER IF EXISTS keep_all ON objective;
DROP TRIGGER IF EXISTS keep_deleted ON objective;
CREATE TRIGGER stamp BEFORE UPDATE ON objective FOR EACH ROW WHEN (OLD.document::text <> NEW.document::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER keep_created AFTER INSERT ON objective REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('objective');
CREATE TRIGGER keep_amended AFTER UPDATE ON objective REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('objective');
CREATE TRIGGER keep_all BEFORE TRUNCATE ON objective FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('objective');
CREATE TRIGGER keep_deleted AFTER DELETE ON objective REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('objective');
DROP TRIGGER IF EXISTS stamp ON clustering;
DROP TRIGGER IF EXISTS keep_created ON clustering;
DROP TRIGGER IF EXISTS keep_amended ON clustering;
DROP TRIGGER IF EXISTS keep_all ON clustering;
DROP TRIGGER IF EXISTS keep_deleted ON clustering;
CREATE TRIGGER stamp BEFORE UPDATE ON clustering FOR EACH ROW WHEN (OLD.document::text <> NEW.document::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER keep_created AFTER INSERT ON clustering REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('clustering');
CREATE TRIGGER keep_amended AFTER UPDATE ON clustering REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('clustering');
CREATE TRIGGER keep_all BEFORE TRUNCATE ON clustering FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('clustering');
CREATE TRIGGER keep_deleted AFTER DELETE ON clustering REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('clustering');
DROP TRIGGER IF EXISTS stamp ON guiding_principle;
DROP TRIGGER IF EXISTS keep_created ON guiding_principle;
DROP TRIGGER IF EXISTS keep_amended ON guiding_principle;
DROP TRIGGER IF EXISTS keep_all ON guiding_principle;
DROP TRIGGER IF EXISTS keep_deleted ON guiding_principle;
CREATE TRIGGER stamp BEFORE UPDATE ON guiding_principle FOR EACH ROW WHEN (OLD.document::text <> NEW.document::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER keep_created AFTER INSERT ON guiding_principle REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('guiding_principle');
CREATE TRIGGER keep_amended AFTER UPDATE ON guiding_principle REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('guiding_principle');
CREATE TRIGGER keep_all BEFORE TRUNCATE ON guiding_principle FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('guiding_principle');
CREATE TRIGGER keep_deleted AFTER DELETE ON guiding_principle REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('guiding_principle');
DROP TRIGGER IF EXISTS stamp ON place;
DROP TRIGGER IF EXISTS keep_created ON place;
DROP TRIGGER IF EXISTS keep_amended ON place;
DROP TRIGGER IF EXISTS keep_all ON place;
DROP TRIGGER IF EXISTS keep_deleted ON place;
CREATE TRIGGER stamp BEFORE UPDATE ON place FOR EACH ROW WHEN (OLD.document::text <> NEW.document::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER keep_created AFTER INSERT ON place REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('place');
CREATE TRIGGER keep_amended AFTER UPDATE ON place REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('place');
CREATE TRIGGER keep_all BEFORE TRUNCATE ON place FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('place');
CREATE TRIGGER keep_deleted AFTER DELETE ON place REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('place');
DROP TRIGGER IF EXISTS stamp ON organization;
DROP TRIGGER IF EXISTS keep_created ON organization;
DROP TRIGGER IF EXISTS keep_amended ON organization;
DROP TRIGGER IF EXISTS keep_all ON organization;
DROP TRIGGER IF EXISTS keep_deleted ON organization;
CREATE TRIGGER stamp BEFORE UPDATE ON organization FOR EACH ROW WHEN (OLD.document::text <> NEW.document::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER keep_created AFTER INSERT ON organization REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('organization');
CREATE TRIGGER keep_amended AFTER UPDATE ON organization REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('organization');
CREATE TRIGGER keep_all BEFORE TRUNCATE ON organization FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('organization');
CREATE TRIGGER keep_deleted AFTER DELETE ON organization REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('organization');
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
DROP TRIGGER IF EXISTS stamp ON draft;
DROP TRIGGER IF EXISTS keep_created ON draft;
DROP TRIGGER IF EXISTS keep_amended ON draft;
DROP TRIGGER IF EXISTS keep_all ON draft;
DROP TRIGGER IF EXISTS keep_deleted ON draft;
CREATE TRIGGER stamp BEFORE UPDATE ON draft FOR EACH ROW WHEN (OLD.document::text <> NEW.document::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER keep_created AFTER INSERT ON draft REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('draft');
CREATE TRIGGER keep_amended AFTER UPDATE ON draft REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('draft');
CREATE TRIGGER keep_all BEFORE TRUNCATE ON draft FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('draft');
CREATE TRIGGER keep_deleted AFTER DELETE ON draft REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('draft');
