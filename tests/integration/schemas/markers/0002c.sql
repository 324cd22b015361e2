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
ALTER TABLE rubric ADD COLUMN revised bigint NOT NULL DEFAULT 0;
UPDATE rubric SET revised = revision.first FROM (SELECT key, max(seq) AS seq FROM change WHERE entity = 'rubric' GROUP BY key) AS newest JOIN revision ON newest.seq BETWEEN revision.first AND revision.number WHERE rubric.code = newest.key;
ALTER TABLE rubric ALTER COLUMN revised SET DEFAULT nullif(current_setting('mmptf.first', true), '')::bigint;
CREATE TABLE rubric_past (replaced bigint NOT NULL, LIKE rubric, PRIMARY KEY (code, revised));
CREATE TRIGGER stamp BEFORE UPDATE ON rubric FOR EACH ROW WHEN (OLD.document::text <> NEW.document::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER keep_created AFTER INSERT ON rubric REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('rubric');
CREATE TRIGGER keep_amended AFTER UPDATE ON rubric REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('rubric');
CREATE TRIGGER keep_all BEFORE TRUNCATE ON rubric FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('rubric');
CREATE TRIGGER keep_deleted AFTER DELETE ON rubric REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('rubric');
