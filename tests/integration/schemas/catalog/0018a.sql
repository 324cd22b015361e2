CREATE TABLE renaming (
  code text COLLATE "C" PRIMARY KEY, record json NOT NULL, updated timestamptz NOT NULL,
  revised bigint NOT NULL DEFAULT nullif(current_setting('mmptf.first', true), '')::bigint);
CREATE TABLE renaming_past (
  replaced bigint NOT NULL, code text COLLATE "C" NOT NULL, record json NOT NULL, updated timestamptz NOT NULL,
  revised bigint NOT NULL, PRIMARY KEY (code, revised));
CREATE INDEX ix_renaming_updated ON renaming (updated);
CREATE INDEX renaming_lower_code ON renaming (lower(code));
CREATE INDEX renaming_past_replaced ON renaming_past (replaced);
CREATE TRIGGER journal_stamp BEFORE UPDATE ON renaming FOR EACH ROW WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER journal_insert AFTER INSERT ON renaming REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('renaming');
CREATE TRIGGER journal_update AFTER UPDATE ON renaming REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('renaming');
CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON renaming FOR EACH STATEMENT EXECUTE FUNCTION journal_write('renaming');
CREATE TRIGGER journal_delete AFTER DELETE ON renaming REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('renaming');
CREATE FUNCTION begin_renaming() RETURNS timestamptz LANGUAGE plpgsql
  SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  moment timestamptz;
  next_change bigint;
BEGIN
  IF nullif(current_setting('mmptf.first', true), '') IS NULL THEN
    PERFORM pg_advisory_xact_lock(469987521638);
    SELECT greatest(date_trunc('microseconds', clock_timestamp()), max(at) + interval '1 microsecond') INTO moment
      FROM revision;
    SELECT coalesce(max(seq), 0) + 1 INTO next_change FROM change;
    PERFORM set_config('mmptf.first', next_change::text, true),
            set_config('mmptf.write', json_build_object('at', moment, 'actor', 'an operator', 'organization', NULL,
                                                        'reason', 'renamed', 'request_id', NULL)::text, true);
  END IF;
  RETURN (current_setting('mmptf.write')::json->>'at')::timestamptz;
END $$;
CREATE FUNCTION write_renaming() RETURNS trigger LANGUAGE plpgsql
  SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  moment timestamptz := begin_renaming();
BEGIN
  IF TG_OP <> 'INSERT' AND (TG_OP = 'DELETE' OR (OLD.entity, OLD.code) <> (NEW.entity, NEW.code)) THEN
    DELETE FROM renaming WHERE code = OLD.entity || '.' || OLD.code;
  END IF;
  IF TG_OP <> 'DELETE' THEN
    INSERT INTO renaming (code, updated, record)
    SELECT NEW.entity || '.' || NEW.code, moment,
           json_build_object('code', NEW.entity || '.' || NEW.code, 'entity', NEW.entity, 'earlier', NEW.code,
                             'current', NEW.current,
                             'updated', to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
    ON CONFLICT (code) DO UPDATE SET updated = excluded.updated, record = excluded.record;
  END IF;
  RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION begin_renaming() FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION write_renaming() FROM PUBLIC;
CREATE TRIGGER renaming AFTER INSERT OR UPDATE OR DELETE ON renamed_code FOR EACH ROW EXECUTE FUNCTION write_renaming();
UPDATE renamed_code SET current = current;
