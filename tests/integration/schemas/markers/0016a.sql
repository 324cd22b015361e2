CREATE TABLE draft_revision (
      first bigint PRIMARY KEY, number bigint NOT NULL UNIQUE, at timestamptz NOT NULL, actor text NOT NULL,
      organization text, reason text, request_id text, repeatable boolean NOT NULL DEFAULT true,
      owner text NOT NULL);
CREATE INDEX ix_draft_revision_at ON draft_revision (at);
CREATE INDEX draft_revision_owner_number ON draft_revision (owner, number);
CREATE TABLE draft_change (
      seq bigint PRIMARY KEY, entity text NOT NULL, key text NOT NULL, action text NOT NULL, before json, after json,
      reason text,
      CONSTRAINT draft_change_action CHECK (action IN ('create', 'amend', 'delete')),
      CONSTRAINT draft_change_before CHECK ((action = 'create') = (before IS NULL)),
      CONSTRAINT draft_change_after CHECK ((action = 'delete') = (after IS NULL)));
CREATE INDEX draft_change_entity_key_seq ON draft_change (entity, key, seq);
INSERT INTO draft_change (seq, entity, key, action, before, after, reason)
    SELECT seq, entity, key, action, before, after, reason FROM change WHERE entity = 'draft';
INSERT INTO draft_revision (first, number, at, actor, organization, reason, request_id, repeatable, owner)
    SELECT first, number, at, actor, organization, reason, request_id, repeatable, owner
      FROM revision JOIN LATERAL (
           SELECT coalesce(after, before)->>'organization' AS owner FROM draft_change
            WHERE seq BETWEEN first AND number ORDER BY seq LIMIT 1) AS changed ON true;
CREATE FUNCTION draft_journal_stamp() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.code <> OLD.code THEN
    RAISE EXCEPTION 'a code never changes, and % of % would', OLD.code, TG_TABLE_NAME;
  END IF;
  NEW.revised := nullif(current_setting('mmptf.draft_first', true), '')::bigint;
  RETURN NEW;
END $$;
CREATE FUNCTION draft_journal_write() RETURNS trigger LANGUAGE plpgsql
  SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  entity text := TG_ARGV[0];
  past text := quote_ident(TG_TABLE_NAME || '_past');
  write bigint := nullif(current_setting('mmptf.draft_first', true), '')::bigint;
  last bigint;
  reasons jsonb := nullif(current_setting('mmptf.reasons', true), '')::jsonb -> entity;
  changes bigint;
  unreadable boolean;
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
    WITH written AS (
      INSERT INTO draft_change (seq, entity, key, action, after, reason)
      SELECT last + row_number() OVER (), entity, n.code, 'create', n.record, reasons ->> n.code FROM new_rows AS n
      RETURNING after::text AS record)
    SELECT count(*), bool_or(position('\u0000' IN record) > 0 AND record ~ '(^|[^\\])(\\\\)*\\u0000')
      INTO changes, unreadable FROM written;
    misnumbered := EXISTS (SELECT FROM new_rows WHERE revised <> write);
    SELECT array_agg(DISTINCT organization) INTO owners FROM new_rows;
  ELSIF TG_OP = 'UPDATE' THEN
    WITH written AS (
      INSERT INTO draft_change (seq, entity, key, action, before, after, reason)
      SELECT last + row_number() OVER (), entity, code, 'amend', o.record, n.record, reasons ->> code
        FROM old_rows AS o JOIN new_rows AS n USING (code) WHERE o.record::text <> n.record::text
      RETURNING after::text AS record)
    SELECT count(*), bool_or(position('\u0000' IN record) > 0 AND record ~ '(^|[^\\])(\\\\)*\\u0000')
      INTO changes, unreadable FROM written;
    misnumbered := EXISTS (SELECT FROM new_rows AS n JOIN old_rows AS o USING (code)
                            WHERE n.revised <> write AND o.record::text <> n.record::text);
    -- What lists sort and filter by changes with the record, or else the journal would not show it. Only the owner of
    -- the tables, who migrates, adds to it.
    IF session_user <> current_user AND EXISTS (
        SELECT FROM new_rows AS n JOIN old_rows AS o USING (code)
         WHERE o.record::text = n.record::text AND to_jsonb(n) - '{record,updated,words,stated}'::text[]
               <> to_jsonb(o) - '{record,updated,words,stated}'::text[]) THEN
      RAISE EXCEPTION 'a row of % is changed without its record', TG_TABLE_NAME;
    END IF;
    SELECT array_agg(DISTINCT organization) INTO owners
      FROM (SELECT organization FROM new_rows UNION ALL SELECT organization FROM old_rows) AS both_rows;
  ELSE
    INSERT INTO draft_change (seq, entity, key, action, before, reason)
    SELECT last + row_number() OVER (), entity, o.code, 'delete', o.record, reasons ->> o.code FROM old_rows AS o;
    GET DIAGNOSTICS changes = ROW_COUNT;
    SELECT array_agg(DISTINCT organization) INTO owners FROM old_rows;
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
    RAISE EXCEPTION 'records of % that belong to several organizations are changed by one write', TG_TABLE_NAME;
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
CREATE FUNCTION draft_journal_number() RETURNS trigger LANGUAGE plpgsql
  SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  following bigint := (SELECT min(first) FROM draft_revision WHERE first > NEW.first);
  last bigint := (SELECT max(seq) FROM draft_change WHERE following IS NULL OR seq < following);
BEGIN
  UPDATE draft_revision SET number = last WHERE first = NEW.first AND number <> last;
  RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION draft_journal_write() FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION draft_journal_number() FROM PUBLIC;
CREATE CONSTRAINT TRIGGER draft_journal_number AFTER INSERT ON draft_revision DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION draft_journal_number();
DROP TRIGGER journal_stamp ON draft;
DROP TRIGGER journal_insert ON draft;
DROP TRIGGER journal_update ON draft;
DROP TRIGGER journal_truncate ON draft;
DROP TRIGGER journal_delete ON draft;
ALTER TABLE draft ALTER COLUMN revised SET DEFAULT nullif(current_setting('mmptf.draft_first', true), '')::bigint;
CREATE TRIGGER journal_stamp BEFORE UPDATE ON draft FOR EACH ROW WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION draft_journal_stamp();
CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON draft FOR EACH STATEMENT EXECUTE FUNCTION draft_journal_write('draft');
CREATE TRIGGER journal_insert AFTER INSERT ON draft REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION draft_journal_write('draft');
CREATE TRIGGER journal_update AFTER UPDATE ON draft REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION draft_journal_write('draft');
CREATE TRIGGER journal_delete AFTER DELETE ON draft REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION draft_journal_write('draft');
DROP INDEX ix_draft_organization;
CREATE INDEX draft_organization_code ON draft (organization, code);
CREATE INDEX draft_organization_updated ON draft (organization, updated, code);
ALTER TABLE assessment ADD COLUMN draft text;
ALTER TABLE assessment_past ADD COLUMN draft text;
