ALTER TABLE change ADD COLUMN reason text;
CREATE OR REPLACE FUNCTION journal_write() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  entity text := TG_ARGV[0];
  past text := quote_ident(TG_TABLE_NAME || '_past');
  write bigint := nullif(current_setting('mmptf.first', true), '')::bigint;
  last bigint;
  -- Of these changes alone, where a write has several reasons.
  own_reason text := nullif(current_setting('mmptf.reason', true), '');
  changes bigint;
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    RAISE EXCEPTION 'records of % are deleted, and not truncated', TG_TABLE_NAME;
  END IF;
  SELECT coalesce(max(seq), 0) INTO last FROM change;
  IF TG_OP = 'INSERT' THEN
    INSERT INTO change (seq, entity, key, action, after, reason)
    SELECT last + row_number() OVER (), entity, n.code, 'create', n.record, own_reason FROM new_rows AS n;
  ELSIF TG_OP = 'UPDATE' THEN
    INSERT INTO change (seq, entity, key, action, before, after, reason)
    SELECT last + row_number() OVER (), entity, code, 'amend', o.record, n.record, own_reason
      FROM old_rows AS o JOIN new_rows AS n USING (code) WHERE o.record::text <> n.record::text;
  ELSE
    INSERT INTO change (seq, entity, key, action, before, reason)
    SELECT last + row_number() OVER (), entity, o.code, 'delete', o.record, own_reason FROM old_rows AS o;
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
