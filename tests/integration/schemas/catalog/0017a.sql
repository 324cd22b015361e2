CREATE OR REPLACE FUNCTION journal_write() RETURNS trigger LANGUAGE plpgsql
  SECURITY DEFINER SET search_path = public, pg_temp SET enable_nestloop = off AS $$
DECLARE
  entity text := TG_ARGV[0];
  past text := quote_ident(TG_TABLE_NAME || '_past');
  write bigint := nullif(current_setting('mmptf.first', true), '')::bigint;
  last bigint;
  -- Of these changes alone, where a write has several reasons, and of the changes of single records, by their codes.
  own_reason text := nullif(current_setting('mmptf.reason', true), '');
  reasons jsonb := nullif(current_setting('mmptf.reasons', true), '')::jsonb -> entity;
  changes bigint;
  unreadable boolean := false;
  unrecorded boolean := false;
  misnumbered boolean := false;
  expected boolean;
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    RAISE EXCEPTION 'records of % are deleted, and not truncated', TG_TABLE_NAME;
  END IF;
  SELECT coalesce(max(seq), 0) INTO last FROM change;
  -- JSON can hold U+0000, and nothing that is made of JSON later can. Behind another backslash it is but a text.
  IF TG_OP = 'INSERT' THEN
    INSERT INTO change (seq, entity, key, action, after, reason)
    SELECT last + row_number() OVER (), entity, n.code, 'create', n.record, coalesce(reasons ->> n.code, own_reason)
      FROM new_rows AS n;
    GET DIAGNOSTICS changes = ROW_COUNT;
    SELECT bool_or(n.revised <> write),
           bool_or(position('\u0000' IN n.record::text) > 0 AND n.record::text ~ '(^|[^\\])(\\\\)*\\u0000')
      INTO misnumbered, unreadable FROM new_rows AS n;
  ELSIF TG_OP = 'UPDATE' THEN
    INSERT INTO change (seq, entity, key, action, before, after, reason)
    SELECT last + row_number() OVER (), entity, code, 'amend', o.record, n.record,
           coalesce(reasons ->> code, own_reason)
      FROM old_rows AS o JOIN new_rows AS n USING (code) WHERE o.record::text <> n.record::text;
    GET DIAGNOSTICS changes = ROW_COUNT;
    -- What lists sort, filter and sum by changes with the record, or else the journal would not show it. Only the owner
    -- of the tables, who migrates, adds to it.
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
  -- The number and the moment of a write are set by whoever writes: they are those of the next write, or of one of this
  -- transaction, whose row of `revision` is no older than the transaction.
  SELECT age(xmin) <= 0 INTO expected FROM revision WHERE first = write;
  IF expected IS NULL THEN
    SELECT write = last + 1 AND given.at > coalesce(given.latest, '-infinity')
           AND given.at <= greatest(clock_timestamp(), given.latest + interval '1 microsecond') INTO expected
      FROM (SELECT (current_setting('mmptf.write')::json->>'at')::timestamptz AS at,
                   (SELECT max(at) FROM revision) AS latest) AS given;
  END IF;
  IF misnumbered OR expected IS NOT TRUE THEN
    RAISE EXCEPTION 'records of % are changed as if by another write', TG_TABLE_NAME;
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
    SELECT array_agg(DISTINCT organization) INTO owners FROM new_rows;
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
