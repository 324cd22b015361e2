BEGIN;
SELECT set_config('mmptf.first', first::text, true), set_config('mmptf.write', json_build_object('at', at, 'actor', 'an operator')::text, true)
  FROM (SELECT greatest(clock_timestamp(), max(at) + interval '1 microsecond') AS at, coalesce(max(number), 0) + 1 AS first FROM revision) AS next;
INSERT INTO organization (code, document, updated, name) VALUES ('OPS', '{"code":"OPS","name":"Office of an operator","kind":"un_organization","sources":[{"field":"name","document":"suite","line":null,"locator":null,"as_printed":null,"verified":false,"note":"Written for a test."}],"updated":"2026-02-01T00:00:00Z"}', '2026-02-01T00:00:00Z', 'Office of an operator');
INSERT INTO draft (code, document, updated, organization, words) VALUES ('OPS-01', '{"code":"OPS-01","organization":"OPS","title":"Fair recruitment","summary":null,"thematic_area":null,"objectives":[],"places":[],"organizations":["OPS"],"duration":null,"budget":null,"budget_lines":[],"updated":"2026-02-01T00:00:00Z"}', '2026-02-01T00:00:00Z', 'OPS', '{fair,recruitment}');
COMMIT;
BEGIN;
SELECT set_config('mmptf.first', first::text, true), set_config('mmptf.write', json_build_object('at', at, 'actor', 'an operator')::text, true)
  FROM (SELECT greatest(clock_timestamp(), max(at) + interval '1 microsecond') AS at, coalesce(max(number), 0) + 1 AS first FROM revision) AS next;
UPDATE organization SET name = 'Office of operators', updated = '2026-02-02T00:00:00Z', document = '{"code":"OPS","name":"Office of operators","kind":"un_organization","sources":[{"field":"name","document":"suite","line":null,"locator":null,"as_printed":null,"verified":false,"note":"Written for a test."}],"updated":"2026-02-02T00:00:00Z"}' WHERE code = 'OPS';
COMMIT;
