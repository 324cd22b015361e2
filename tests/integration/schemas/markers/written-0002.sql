BEGIN;
SELECT set_config('mmptf.first', first::text, true), set_config('mmptf.write', json_build_object('at', at, 'actor', 'an operator')::text, true)
  FROM (SELECT greatest(clock_timestamp(), max(at) + interval '1 microsecond') AS at, coalesce(max(number), 0) + 1 AS first FROM revision) AS next;
INSERT INTO source_document (code, document, updated) VALUES ('ops-note', '{"code":"ops-note","title":"A note of an operator","publisher":"Office of operators","year":2026,"kind":"brochure","url":null,"note":null,"updated":"2026-02-01T00:00:00Z"}', '2026-02-01T00:00:00Z');
COMMIT;
BEGIN;
SELECT set_config('mmptf.first', first::text, true), set_config('mmptf.write', json_build_object('at', at, 'actor', 'an operator')::text, true)
  FROM (SELECT greatest(clock_timestamp(), max(at) + interval '1 microsecond') AS at, coalesce(max(number), 0) + 1 AS first FROM revision) AS next;
UPDATE source_document SET updated = '2026-02-02T00:00:00Z', document = '{"code":"ops-note","title":"A corrected note","publisher":"Office of operators","year":2026,"kind":"brochure","url":null,"note":null,"updated":"2026-02-02T00:00:00Z"}' WHERE code = 'ops-note';
COMMIT;
