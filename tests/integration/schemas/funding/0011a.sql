CREATE OR REPLACE FUNCTION journal_write() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  entity text := TG_ARGV[0];
  past text := quote_ident(TG_TABLE_NAME || '_past');
  write bigint := nullif(current_setting('mmptf.first', true), '')::bigint;
  last bigint;
  -- Of these changes alone, where a write has several reasons, and of the changes of single records, by their codes.
  own_reason text := nullif(current_setting('mmptf.reason', true), '');
  reasons jsonb := nullif(current_setting('mmptf.reasons', true), '')::jsonb -> entity;
  changes bigint;
  unreadable boolean;
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    RAISE EXCEPTION 'records of % are deleted, and not truncated', TG_TABLE_NAME;
  END IF;
  SELECT coalesce(max(seq), 0) INTO last FROM change;
  -- JSON can hold U+0000, and nothing that is made of JSON later can. Behind another backslash it is but a text.
  IF TG_OP = 'INSERT' THEN
    WITH written AS (
      INSERT INTO change (seq, entity, key, action, after, reason)
      SELECT last + row_number() OVER (), entity, n.code, 'create', n.record, coalesce(reasons ->> n.code, own_reason)
        FROM new_rows AS n
      RETURNING after::text AS record)
    SELECT count(*), bool_or(position('\u0000' IN record) > 0 AND record ~ '(^|[^\\])(\\\\)*\\u0000')
      INTO changes, unreadable FROM written;
  ELSIF TG_OP = 'UPDATE' THEN
    WITH written AS (
      INSERT INTO change (seq, entity, key, action, before, after, reason)
      SELECT last + row_number() OVER (), entity, code, 'amend', o.record, n.record,
             coalesce(reasons ->> code, own_reason)
        FROM old_rows AS o JOIN new_rows AS n USING (code) WHERE o.record::text <> n.record::text
      RETURNING after::text AS record)
    SELECT count(*), bool_or(position('\u0000' IN record) > 0 AND record ~ '(^|[^\\])(\\\\)*\\u0000')
      INTO changes, unreadable FROM written;
  ELSE
    INSERT INTO change (seq, entity, key, action, before, reason)
    SELECT last + row_number() OVER (), entity, o.code, 'delete', o.record, coalesce(reasons ->> o.code, own_reason)
      FROM old_rows AS o;
    GET DIAGNOSTICS changes = ROW_COUNT;
  END IF;
  IF changes = 0 THEN
    RETURN NULL;
  END IF;
  IF write IS NULL THEN
    RAISE EXCEPTION 'records of % are changed outside a write', TG_TABLE_NAME;
  END IF;
  IF unreadable THEN
    RAISE EXCEPTION 'a record of % holds the character U+0000', TG_TABLE_NAME;
  END IF;
  -- A row that is replaced twice by one write was nobody's answer in between.
  IF TG_OP = 'UPDATE' THEN
    EXECUTE 'INSERT INTO ' || past || ' SELECT $1, o.* FROM old_rows AS o JOIN new_rows AS n USING (code)'
            ' WHERE o.record::text <> n.record::text AND o.revised < $1' USING write;
  ELSIF TG_OP = 'DELETE' THEN
    EXECUTE 'INSERT INTO ' || past || ' SELECT $1, o.* FROM old_rows AS o WHERE o.revised < $1' USING write;
  END IF;
  -- The first changes of a write make its revision, and the end of the transaction gives it its number: a row that each
  -- statement replaced would leave one more version of it to every later statement.
  INSERT INTO revision (first, number, at, actor, organization, reason, request_id)
  SELECT write, last + changes, w.at, w.actor, w.organization, w.reason, w.request_id
    FROM json_to_record(current_setting('mmptf.write')::json)
      AS w(at timestamptz, actor text, organization text, reason text, request_id text)
  ON CONFLICT (first) DO NOTHING;
  RETURN NULL;
END $$;
CREATE FUNCTION journal_number() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  last bigint := coalesce((SELECT min(first) - 1 FROM revision WHERE first > NEW.first), (SELECT max(seq) FROM change));
BEGIN
  UPDATE revision SET number = last WHERE first = NEW.first AND number <> last;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER journal_number AFTER INSERT ON revision DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION journal_number();
