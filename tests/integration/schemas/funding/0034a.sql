CREATE FUNCTION rename_code(noun text, earlier text, present text) RETURNS void LANGUAGE plpgsql
  SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  moment timestamptz := (current_setting('mmptf.write')::json->>'at')::timestamptz;
  was text := format('"%s":"%s"', noun, earlier);
  becomes text := format('"%s":"%s"', noun, present);
  stamp text := '"updated":"' || to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || '"';
BEGIN
  EXECUTE format('UPDATE ledger_entry SET %1$I = $2, updated = $3, record ='
                 ' replace(regexp_replace(record::text, $6, $7), $4, $5)::json WHERE %1$I = $1', noun)
    USING earlier, present, moment, was, becomes, '"updated":"[^"]*"', stamp;
  EXECUTE format('UPDATE transfer_proposal SET %1$I = $2, updated = $3, record ='
                 ' replace(regexp_replace(record::text, $6, $7), $4, $5)::json WHERE %1$I = $1', noun)
    USING earlier, present, moment, was, becomes, '"updated":"[^"]*"', stamp;
  IF noun = 'organization' THEN
    UPDATE closing SET updated = moment,
           record = replace(regexp_replace(record::text, '"updated":"[^"]*"', stamp), was, becomes)::json
     WHERE position(was IN record::text) > 0;
  ELSE
    -- The code of a record never changes, and that of a certificate is the programme's.
    INSERT INTO closing (code, state, date, updated, record)
    SELECT present, state, date, moment, replace(regexp_replace(record::text, '"updated":"[^"]*"', stamp),
                                                 format('"code":"%s"', earlier), format('"code":"%s"', present))::json
      FROM closing WHERE code = earlier
    ON CONFLICT (code) DO NOTHING;
    IF FOUND THEN
      DELETE FROM closing WHERE code = earlier;
      INSERT INTO renamed_code VALUES ('closing', earlier, present)
      ON CONFLICT (entity, code) DO UPDATE SET current = excluded.current;
    END IF;
  END IF;
  -- So that paths with the earlier code lead to the present one.
  INSERT INTO renamed_code VALUES (noun, earlier, present)
  ON CONFLICT (entity, code) DO UPDATE SET current = excluded.current;
END $$;
CREATE FUNCTION rename_codes() RETURNS trigger LANGUAGE plpgsql
  SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  IF NEW.record->>'entity' IN ('programme', 'organization') THEN
    PERFORM rename_code(NEW.record->>'entity', NEW.record->>'earlier', NEW.record->>'current');
  END IF;
  RETURN NULL;
END $$;
CREATE FUNCTION rename_codes_of_deleted() RETURNS trigger LANGUAGE plpgsql
  SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  PERFORM rename_code(TG_TABLE_NAME, OLD.code, record->>'current') FROM renaming
    WHERE code = TG_TABLE_NAME || '.' || OLD.code;
  RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION rename_code(text, text, text) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION rename_codes() FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION rename_codes_of_deleted() FROM PUBLIC;
CREATE TRIGGER rename_codes AFTER DELETE ON programme FOR EACH ROW EXECUTE FUNCTION rename_codes_of_deleted();
CREATE TRIGGER rename_codes AFTER DELETE ON organization FOR EACH ROW EXECUTE FUNCTION rename_codes_of_deleted();
CREATE TRIGGER rename_codes AFTER INSERT OR UPDATE ON renaming FOR EACH ROW EXECUTE FUNCTION rename_codes();
DO $$
DECLARE
  moment timestamptz;
  next_change bigint;
BEGIN
  IF EXISTS (SELECT FROM renaming WHERE record->>'entity' IN ('programme', 'organization')) THEN
    PERFORM pg_advisory_xact_lock(469987521638);
    SELECT greatest(date_trunc('microseconds', clock_timestamp()), max(at) + interval '1 microsecond') INTO moment
      FROM revision;
    SELECT coalesce(max(seq), 0) + 1 INTO next_change FROM change;
    PERFORM set_config('mmptf.first', next_change::text, true),
            set_config('mmptf.write', json_build_object('at', moment, 'actor', 'an operator', 'organization', NULL,
                                                        'reason', 'renamed', 'request_id', NULL)::text, true);
    PERFORM rename_code(record->>'entity', record->>'earlier', record->>'current')
       FROM (SELECT record FROM renaming WHERE record->>'entity' IN ('programme', 'organization')
              ORDER BY code) AS known;
  END IF;
END $$;
