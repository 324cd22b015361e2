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
DROP TRIGGER IF EXISTS stamp ON rubric;
DROP TRIGGER IF EXISTS keep_created ON rubric;
DROP TRIGGER IF EXISTS keep_amended ON rubric;
DROP TRIGGER IF EXISTS keep_all ON rubric;
DROP TRIGGER IF EXISTS keep_deleted ON rubric;
CREATE TRIGGER stamp BEFORE UPDATE ON rubric FOR EACH ROW WHEN (OLD.document::text <> NEW.document::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER keep_created AFTER INSERT ON rubric REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('rubric');
CREATE TRIGGER keep_amended AFTER UPDATE ON rubric REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('rubric');
CREATE TRIGGER keep_all BEFORE TRUNCATE ON rubric FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('rubric');
CREATE TRIGGER keep_deleted AFTER DELETE ON rubric REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('rubric');
DROP TRIGGER IF EXISTS stamp ON translation;
DROP TRIGGER IF EXISTS keep_created ON translation;
DROP TRIGGER IF EXISTS keep_amended ON translation;
DROP TRIGGER IF EXISTS keep_all ON translation;
DROP TRIGGER IF EXISTS keep_deleted ON translation;
CREATE TRIGGER stamp BEFORE UPDATE ON translation FOR EACH ROW WHEN (OLD.document::text <> NEW.document::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER keep_created AFTER INSERT ON translation REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('translation');
CREATE TRIGGER keep_amended AFTER UPDATE ON translation REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('translation');
CREATE TRIGGER keep_all BEFORE TRUNCATE ON translation FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('translation');
CREATE TRIGGER keep_deleted AFTER DELETE ON translation REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('translation');
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
DROP TRIGGER IF EXISTS stamp ON target;
DROP TRIGGER IF EXISTS keep_created ON target;
DROP TRIGGER IF EXISTS keep_amended ON target;
DROP TRIGGER IF EXISTS keep_all ON target;
DROP TRIGGER IF EXISTS keep_deleted ON target;
CREATE TRIGGER stamp BEFORE UPDATE ON target FOR EACH ROW WHEN (OLD.document::text <> NEW.document::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER keep_created AFTER INSERT ON target REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('target');
CREATE TRIGGER keep_amended AFTER UPDATE ON target REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('target');
CREATE TRIGGER keep_all BEFORE TRUNCATE ON target FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('target');
CREATE TRIGGER keep_deleted AFTER DELETE ON target REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('target');
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
DROP TRIGGER IF EXISTS stamp ON assessment;
DROP TRIGGER IF EXISTS keep_created ON assessment;
DROP TRIGGER IF EXISTS keep_amended ON assessment;
DROP TRIGGER IF EXISTS keep_all ON assessment;
DROP TRIGGER IF EXISTS keep_deleted ON assessment;
CREATE TRIGGER stamp BEFORE UPDATE ON assessment FOR EACH ROW WHEN (OLD.document::text <> NEW.document::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER keep_created AFTER INSERT ON assessment REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('assessment');
CREATE TRIGGER keep_amended AFTER UPDATE ON assessment REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('assessment');
CREATE TRIGGER keep_all BEFORE TRUNCATE ON assessment FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('assessment');
CREATE TRIGGER keep_deleted AFTER DELETE ON assessment REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('assessment');
DROP TRIGGER IF EXISTS stamp ON allocation;
DROP TRIGGER IF EXISTS keep_created ON allocation;
DROP TRIGGER IF EXISTS keep_amended ON allocation;
DROP TRIGGER IF EXISTS keep_all ON allocation;
DROP TRIGGER IF EXISTS keep_deleted ON allocation;
CREATE TRIGGER stamp BEFORE UPDATE ON allocation FOR EACH ROW WHEN (OLD.document::text <> NEW.document::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER keep_created AFTER INSERT ON allocation REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('allocation');
CREATE TRIGGER keep_amended AFTER UPDATE ON allocation REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('allocation');
CREATE TRIGGER keep_all BEFORE TRUNCATE ON allocation FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('allocation');
CREATE TRIGGER keep_deleted AFTER DELETE ON allocation REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_keep('allocation');
CREATE OR REPLACE FUNCTION restate(codes text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  WITH gone AS (DELETE FROM standing WHERE programme IN (SELECT unnest(codes)) RETURNING *)
  INSERT INTO standing_count AS counted (marker, stage, budget_stage, currency, grade, rubric,
                                         programmes, with_budget, amount, with_allocation, allocated, under_review)
  SELECT marker, stage, budget_stage, currency, grade, rubric, -count(*), -count(amount), -coalesce(sum(amount), 0),
         -count(allocated), -coalesce(sum(allocated), 0), -count(*) FILTER (WHERE under_review)
    FROM gone GROUP BY 1, 2, 3, 4, 5, 6
  ON CONFLICT (marker, stage, budget_stage, currency, grade, rubric) DO UPDATE
     SET programmes = counted.programmes + excluded.programmes,
         with_budget = counted.with_budget + excluded.with_budget,
         amount = counted.amount + excluded.amount,
         with_allocation = counted.with_allocation + excluded.with_allocation,
         allocated = counted.allocated + excluded.allocated,
         under_review = counted.under_review + excluded.under_review;
  WITH come AS (
    INSERT INTO standing (code, programme, marker, stage, budget_stage, currency, amount, allocated, assessment, grade,
                          rubric, under_review, updated)
    SELECT p.code || '.' || m.marker, p.code, m.marker, p.stage, p.budget_stage, p.currency, p.amount,
           money.allocated, a.code, a.grade, a.rubric, coalesce(given.under_review, false),
           greatest(p.updated, given.updated, money.updated)
      FROM programme AS p
     CROSS JOIN (SELECT DISTINCT document->>'marker' AS marker FROM rubric) AS m
      LEFT JOIN (SELECT DISTINCT ON (programme, marker) * FROM assessment
                  WHERE status = 'accepted' AND programme IN (SELECT unnest(codes))
                  ORDER BY programme, marker,
                           array_position(ARRAY['concept_note', 'programme_document', 'annual_report', 'final_report'],
                                          stage) DESC,
                           year DESC NULLS LAST, version DESC) AS a
             ON a.programme = p.code AND a.marker = m.marker
      LEFT JOIN (SELECT programme, marker, bool_or(status = 'submitted') AS under_review, max(updated) AS updated
                   FROM assessment WHERE programme IN (SELECT unnest(codes)) GROUP BY 1, 2) AS given
             ON given.programme = p.code AND given.marker = m.marker
      LEFT JOIN (SELECT programme, sum(amount) AS allocated, max(updated) AS updated
                   FROM allocation WHERE programme IN (SELECT unnest(codes)) GROUP BY 1) AS money
             ON money.programme = p.code
     WHERE p.code IN (SELECT unnest(codes)) RETURNING *)
  INSERT INTO standing_count AS counted (marker, stage, budget_stage, currency, grade, rubric,
                                         programmes, with_budget, amount, with_allocation, allocated, under_review)
  SELECT marker, stage, budget_stage, currency, grade, rubric, count(*), count(amount), coalesce(sum(amount), 0),
         count(allocated), coalesce(sum(allocated), 0), count(*) FILTER (WHERE under_review)
    FROM come GROUP BY 1, 2, 3, 4, 5, 6
  ON CONFLICT (marker, stage, budget_stage, currency, grade, rubric) DO UPDATE
     SET programmes = counted.programmes + excluded.programmes,
         with_budget = counted.with_budget + excluded.with_budget,
         amount = counted.amount + excluded.amount,
         with_allocation = counted.with_allocation + excluded.with_allocation,
         allocated = counted.allocated + excluded.allocated,
         under_review = counted.under_review + excluded.under_review;
  DELETE FROM standing_count WHERE programmes = 0;
END $$;
