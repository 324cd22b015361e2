CREATE TABLE assessor (
      code text COLLATE "C" PRIMARY KEY, record json NOT NULL, updated timestamptz NOT NULL,
      organizations text[] NOT NULL,
      revised bigint NOT NULL DEFAULT nullif(current_setting('mmptf.first', true), '')::bigint);
CREATE INDEX ix_assessor_updated ON assessor (updated);
CREATE INDEX assessor_lower_code ON assessor (lower(code));
CREATE TABLE assessor_past (replaced bigint NOT NULL, LIKE assessor, PRIMARY KEY (code, revised));
CREATE INDEX assessor_past_replaced ON assessor_past (replaced);
CREATE TRIGGER journal_stamp BEFORE UPDATE ON assessor FOR EACH ROW WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON assessor FOR EACH STATEMENT EXECUTE FUNCTION journal_write('assessor');
CREATE TRIGGER journal_insert AFTER INSERT ON assessor REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('assessor');
CREATE TRIGGER journal_update AFTER UPDATE ON assessor REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('assessor');
CREATE TRIGGER journal_delete AFTER DELETE ON assessor REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('assessor');
ALTER TABLE programme ADD COLUMN lead_organization text GENERATED ALWAYS AS (record->>'lead_organization') STORED;
ALTER TABLE programme_past ADD COLUMN lead_organization text;
UPDATE programme_past SET lead_organization = record->>'lead_organization';
CREATE INDEX programme_lead_organization ON programme (lead_organization);
DROP INDEX draft_organization_code;
DROP INDEX draft_organization_updated;
CREATE INDEX draft_programme_code ON draft (programme, code);
CREATE OR REPLACE FUNCTION draft_journal_write() RETURNS trigger LANGUAGE plpgsql
  SECURITY DEFINER SET search_path = public, pg_temp SET enable_nestloop = off AS $$
DECLARE
  entity text := TG_ARGV[0];
  past text := quote_ident(TG_TABLE_NAME || '_past');
  write bigint := nullif(current_setting('mmptf.draft_first', true), '')::bigint;
  last bigint;
  reasons jsonb := nullif(current_setting('mmptf.reasons', true), '')::jsonb -> entity;
  changes bigint;
  unreadable boolean := false;
  unrecorded boolean := false;
  misnumbered boolean := false;
  owners text[];
  known_owner text;
  expected boolean;
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    RAISE EXCEPTION 'records of % are deleted, and not truncated', TG_TABLE_NAME;
  END IF;
  -- The numbers of a write follow those of the write before, and leave out those up to the moment of this one.
  SELECT greatest(coalesce(max(seq), 0), write - 1) INTO last FROM draft_change;
  -- JSON can hold U+0000, and nothing that is made of JSON later can. Behind another backslash it is but a text.
  IF TG_OP = 'INSERT' THEN
    INSERT INTO draft_change (seq, entity, key, action, after, reason)
    SELECT last + row_number() OVER (), entity, n.code, 'create', n.record, reasons ->> n.code
      FROM new_rows AS n;
    GET DIAGNOSTICS changes = ROW_COUNT;
    SELECT bool_or(n.revised <> write),
           bool_or(position('\u0000' IN n.record::text) > 0 AND n.record::text ~ '(^|[^\\])(\\\\)*\\u0000')
      INTO misnumbered, unreadable FROM new_rows AS n;
    SELECT array_agg(DISTINCT programme) INTO owners FROM new_rows;
  ELSIF TG_OP = 'UPDATE' THEN
    INSERT INTO draft_change (seq, entity, key, action, before, after, reason)
    SELECT last + row_number() OVER (), entity, code, 'amend', o.record, n.record,
           reasons ->> code
      FROM old_rows AS o JOIN new_rows AS n USING (code) WHERE o.record::text <> n.record::text;
    GET DIAGNOSTICS changes = ROW_COUNT;
    -- What lists sort and filter by changes with the record, or else the journal would not show it. Only the owner of
    -- the tables, who migrates, adds to it.
    SELECT bool_or(n.revised <> write) FILTER (WHERE o.record::text <> n.record::text),
           bool_or(position('\u0000' IN n.record::text) > 0 AND n.record::text ~ '(^|[^\\])(\\\\)*\\u0000')
             FILTER (WHERE o.record::text <> n.record::text),
           session_user <> current_user AND bool_or(to_jsonb(n) - '{record,updated,words,stated}'::text[]
                                                    <> to_jsonb(o) - '{record,updated,words,stated}'::text[])
             FILTER (WHERE o.record::text = n.record::text)
      INTO misnumbered, unreadable, unrecorded FROM old_rows AS o JOIN new_rows AS n USING (code);
    IF unrecorded THEN
      RAISE EXCEPTION 'a row of % is changed without its record', TG_TABLE_NAME;
    END IF;
    SELECT array_agg(DISTINCT programme) INTO owners
      FROM (SELECT programme FROM new_rows UNION ALL SELECT programme FROM old_rows) AS both_rows;
  ELSE
    INSERT INTO draft_change (seq, entity, key, action, before, reason)
    SELECT last + row_number() OVER (), entity, o.code, 'delete', o.record, reasons ->> o.code FROM old_rows AS o;
    GET DIAGNOSTICS changes = ROW_COUNT;
    SELECT array_agg(DISTINCT programme) INTO owners FROM old_rows;
  END IF;
  IF changes = 0 THEN
    RETURN NULL;
  END IF;
  IF write IS NULL THEN
    RAISE EXCEPTION 'records of % are changed outside a write', TG_TABLE_NAME;
  END IF;
  -- The number and the moment of a write are set by whoever writes: they are those of the next write, or of one of this
  -- transaction, whose row of `draft_revision` is no older than the transaction. The number is the millisecond of the
  -- moment, or the next one where that is behind the last one, so that it does not count the writes of others.
  SELECT age(xmin) <= 0, owner INTO expected, known_owner FROM draft_revision WHERE first = write;
  IF expected IS NULL THEN
    SELECT write = greatest(floor(extract(epoch FROM given.at) * 1000)::bigint, given.number + 1,
                            (SELECT max(seq) + 1 FROM draft_change WHERE seq <= last))
           AND given.at > coalesce(given.latest, '-infinity') AND given.at >= coalesce(given.latest_public, '-infinity')
           AND given.at <= greatest(clock_timestamp(), given.latest + interval '1 microsecond',
                                    given.latest_public + interval '1 microsecond') INTO expected
      FROM (SELECT (current_setting('mmptf.write')::json->>'at')::timestamptz AS at,
                   -- That of this write itself, where it has changed a record already.
                   (SELECT max(at) FROM revision) AS latest_public,
                   (SELECT max(at) FROM draft_revision) AS latest,
                   (SELECT max(number) FROM draft_revision) AS number) AS given;
  END IF;
  IF misnumbered OR expected IS NOT TRUE THEN
    RAISE EXCEPTION 'records of % are changed as if by another write', TG_TABLE_NAME;
  END IF;
  IF cardinality(owners) <> 1 OR owners[1] <> known_owner THEN
    RAISE EXCEPTION 'records of % that belong to several programmes are changed by one write', TG_TABLE_NAME;
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
  -- The first changes of a write make its revision, and the end of the transaction gives it its number.
  INSERT INTO draft_revision (first, number, at, actor, organization, reason, request_id, owner)
  SELECT write, last + changes, w.at, w.actor, w.organization, w.reason, w.request_id, owners[1]
    FROM json_to_record(current_setting('mmptf.write')::json)
      AS w(at timestamptz, actor text, organization text, reason text, request_id text)
  ON CONFLICT (first) DO NOTHING;
  RETURN NULL;
END $$;
UPDATE draft_revision SET owner = changed.programme
  FROM (SELECT first AS write, (SELECT coalesce(after, before)->>'programme' FROM draft_change
                                 WHERE seq BETWEEN first AND number ORDER BY seq LIMIT 1) AS programme
          FROM draft_revision) AS changed
 WHERE first = changed.write AND changed.programme IS NOT NULL;
