CREATE TABLE action (
  code text COLLATE "C" PRIMARY KEY, record json NOT NULL, updated timestamptz NOT NULL,
  programme text COLLATE "C" NOT NULL, marker varchar NOT NULL, assessment text COLLATE "C" NOT NULL,
  criterion varchar, kind varchar NOT NULL, organization varchar NOT NULL, state varchar NOT NULL, due date,
  revised bigint NOT NULL DEFAULT nullif(current_setting('mmptf.first', true), '')::bigint);
CREATE TABLE action_past (
  replaced bigint NOT NULL, code text COLLATE "C" NOT NULL, record json NOT NULL, updated timestamptz NOT NULL,
  programme text COLLATE "C" NOT NULL, marker varchar NOT NULL, assessment text COLLATE "C" NOT NULL,
  criterion varchar, kind varchar NOT NULL, organization varchar NOT NULL, state varchar NOT NULL, due date,
  revised bigint NOT NULL, PRIMARY KEY (code, revised));
CREATE TABLE restricted_content (
  code text COLLATE "C" PRIMARY KEY, record json NOT NULL, updated timestamptz NOT NULL,
  programme varchar NOT NULL, organization varchar NOT NULL,
  revised bigint NOT NULL DEFAULT nullif(current_setting('mmptf.first', true), '')::bigint);
CREATE TABLE restricted_content_past (
  replaced bigint NOT NULL, code text COLLATE "C" NOT NULL, record json NOT NULL, updated timestamptz NOT NULL,
  programme varchar NOT NULL, organization varchar NOT NULL, revised bigint NOT NULL, PRIMARY KEY (code, revised));
CREATE INDEX action_due_ascending ON action (coalesce(due, '9999-12-31'::date), code);
CREATE INDEX action_due_descending ON action (coalesce(due, '0001-01-01'::date), code);
CREATE INDEX action_filters ON action (kind, state, organization, criterion, due, programme, marker, assessment) INCLUDE (revised);
CREATE INDEX action_programme_state ON action (programme, state, code);
CREATE INDEX action_state_due ON action (state, due, code);
CREATE INDEX ix_action_assessment ON action (assessment);
CREATE INDEX ix_action_criterion ON action (criterion);
CREATE INDEX ix_action_organization ON action (organization);
CREATE INDEX ix_action_updated ON action (updated);
CREATE INDEX action_lower_code ON action (lower(code));
CREATE INDEX action_past_replaced ON action_past (replaced);
CREATE INDEX ix_restricted_content_updated ON restricted_content (updated);
CREATE INDEX restricted_content_lower_code ON restricted_content (lower(code));
CREATE INDEX restricted_content_past_replaced ON restricted_content_past (replaced);
CREATE TRIGGER journal_stamp BEFORE UPDATE ON action FOR EACH ROW WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER journal_insert AFTER INSERT ON action REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('action');
CREATE TRIGGER journal_update AFTER UPDATE ON action REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('action');
CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON action FOR EACH STATEMENT EXECUTE FUNCTION journal_write('action');
CREATE TRIGGER journal_delete AFTER DELETE ON action REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('action');
CREATE TRIGGER journal_stamp BEFORE UPDATE ON restricted_content FOR EACH ROW WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp();
CREATE TRIGGER journal_insert AFTER INSERT ON restricted_content REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('restricted_content');
CREATE TRIGGER journal_update AFTER UPDATE ON restricted_content REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('restricted_content');
CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON restricted_content FOR EACH STATEMENT EXECUTE FUNCTION journal_write('restricted_content');
CREATE TRIGGER journal_delete AFTER DELETE ON restricted_content REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_write('restricted_content');
CREATE FUNCTION public_part(whole json) RETURNS json LANGUAGE sql AS $$
  SELECT (r || jsonb_build_object(
            'due_diligence', '[]'::jsonb, 'due_diligence_restricted', jsonb_array_length(r->'due_diligence'),
            'earlier_actions', '[]'::jsonb,
            'answers', coalesce(
              (SELECT jsonb_object_agg(key, value || jsonb_build_object('evidence', '[]'::jsonb)
                        || CASE WHEN jsonb_array_length(value->'evidence') > 0
                                THEN jsonb_build_object('evidence_restricted', jsonb_array_length(value->'evidence'))
                                ELSE '{}' END)
                 FROM jsonb_each(r->'answers')), '{}')))::json
    FROM (SELECT whole::jsonb AS r) AS given
   WHERE whole IS NOT NULL
$$;
CREATE TEMPORARY TABLE restricted_part ON COMMIT DROP AS
SELECT a.code, a.programme, a.marker, a.organization,
       coalesce((SELECT jsonb_object_agg(key, value->'evidence') FROM jsonb_each(a.record::jsonb->'answers')
                  WHERE jsonb_array_length(value->'evidence') > 0), '{}') AS evidence,
       a.record::jsonb->'due_diligence' AS due_diligence
  FROM assessment AS a;
CREATE TEMPORARY TABLE planned ON COMMIT DROP AS
SELECT 'ACT-' || lpad((row_number() OVER (ORDER BY assessment, kind, criterion, first_n))::text, 6, '0') AS code,
       found.*
  FROM (SELECT programme, marker, kind, criterion, action, owner, due, min(code) AS assessment,
               (array_agg(organization ORDER BY code))[1] AS organization, min(n) AS first_n, max(done) AS done,
               (array_agg(risk ORDER BY code))[1] AS risk
          FROM (SELECT a.code, a.programme, a.marker, a.organization, 'action' AS kind, answer.key AS criterion,
                       entry->>'action' AS action, entry->>'owner' AS owner, (entry->>'due')::date AS due,
                       (entry->>'done')::date AS done, n, NULL::jsonb AS risk
                  FROM assessment AS a CROSS JOIN LATERAL jsonb_each(a.record::jsonb->'answers') AS answer
                 CROSS JOIN LATERAL jsonb_array_elements(answer.value->'actions') WITH ORDINALITY AS e(entry, n)
                 UNION ALL
                SELECT a.code, a.programme, a.marker, a.organization, 'measure', NULL, risk->>'measure',
                       risk->>'owner', (risk->>'due')::date, NULL, n, risk
                  FROM assessment AS a
                 CROSS JOIN LATERAL jsonb_array_elements(a.record::jsonb->'due_diligence') WITH ORDINALITY AS e(risk, n)
               ) AS stated
         GROUP BY programme, marker, kind, criterion, action, owner, due) AS found;
ALTER TABLE assessment DISABLE TRIGGER USER;
UPDATE assessment SET record = public_part(record);
UPDATE assessment_past SET record = public_part(record);
ALTER TABLE assessment ENABLE TRIGGER USER;
UPDATE change SET before = public_part(before), after = public_part(after) WHERE entity = 'assessment';
SELECT set_config('mmptf.first', first::text, true),
       set_config('mmptf.write', json_build_object('at', at, 'actor', 'migrate', 'organization', NULL, 'reason',
         'evidence and due diligence are restricted, and actions go on by themselves', 'request_id', NULL)::text, true)
  FROM (SELECT greatest(date_trunc('microseconds', clock_timestamp()),
                        (SELECT max(at) FROM revision) + interval '1 microsecond') AS at,
               (SELECT coalesce(max(seq), 0) + 1 FROM change) AS first) AS next;
INSERT INTO restricted_content (code, programme, organization, updated, record)
SELECT code, programme, organization, (current_setting('mmptf.write')::json->>'at')::timestamptz,
       json_build_object('code', code, 'programme', programme, 'evidence', evidence, 'due_diligence',
         coalesce((SELECT jsonb_agg(found.risk || jsonb_build_object('code', planned.code) ORDER BY n)
                     FROM jsonb_array_elements(due_diligence) WITH ORDINALITY AS found(risk, n)
                     JOIN planned ON kind = 'measure' AND planned.programme = part.programme
                      AND planned.marker = part.marker AND action = found.risk->>'measure'
                      AND owner = found.risk->>'owner' AND due IS NOT DISTINCT FROM (found.risk->>'due')::date), '[]'),
         'updated', to_char((current_setting('mmptf.write')::json->>'at')::timestamptz AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
  FROM restricted_part AS part;
INSERT INTO restricted_content (code, programme, organization, updated, record)
SELECT code, programme, organization, (current_setting('mmptf.write')::json->>'at')::timestamptz,
       json_build_object('code', code, 'programme', programme, 'measure', risk || jsonb_build_object('code', code),
                         'reason', NULL, 'evidence', '[]'::json, 'updated', to_char((current_setting('mmptf.write')::json->>'at')::timestamptz AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
  FROM planned;
INSERT INTO action (code, programme, marker, assessment, criterion, kind, organization, state, due, updated, record)
SELECT code, programme, marker, assessment, criterion, kind, organization,
       CASE WHEN done IS NULL THEN 'open' ELSE 'done' END, due, (current_setting('mmptf.write')::json->>'at')::timestamptz,
       json_build_object('code', code, 'kind', kind, 'programme', programme, 'marker', marker, 'assessment', assessment,
         'criterion', criterion, 'organization', organization,
         'visibility', CASE kind WHEN 'measure' THEN 'restricted' ELSE 'public' END,
         'action', CASE kind WHEN 'action' THEN action END, 'owner', CASE kind WHEN 'action' THEN owner END, 'due', due,
         'state', CASE WHEN done IS NULL THEN 'open' ELSE 'done' END, 'ended', done, 'reason', NULL, 'replaces', NULL,
         'replaced_by', NULL, 'evidence', '[]'::json, 'evidence_restricted', 0, 'updated', to_char((current_setting('mmptf.write')::json->>'at')::timestamptz AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
  FROM planned;
UPDATE assessment AS a SET updated = (current_setting('mmptf.write')::json->>'at')::timestamptz, record = (a.record::jsonb || jsonb_build_object('updated', to_char((current_setting('mmptf.write')::json->>'at')::timestamptz AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
  'answers', (SELECT jsonb_object_agg(answer.key, answer.value || jsonb_build_object('actions',
                coalesce((SELECT jsonb_agg(entry || jsonb_build_object('code', (SELECT planned.code FROM planned
                             WHERE kind = 'action' AND planned.programme = a.programme AND planned.marker = a.marker
                               AND planned.criterion = answer.key AND planned.action = entry->>'action'
                               AND planned.owner = entry->>'owner' AND planned.due = (entry->>'due')::date)) ORDER BY n)
                            FROM jsonb_array_elements(answer.value->'actions') WITH ORDINALITY AS e(entry, n)), '[]')))
                FROM jsonb_each(a.record::jsonb->'answers') AS answer)))::json
 WHERE a.rubric IS NOT NULL;
DROP FUNCTION public_part(json);
