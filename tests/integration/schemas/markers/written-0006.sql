BEGIN;
SELECT set_config('mmptf.first', first::text, true), set_config('mmptf.write', json_build_object('at', at, 'actor', 'an operator')::text, true)
  FROM (SELECT greatest(clock_timestamp(), max(at) + interval '1 microsecond') AS at, coalesce(max(number), 0) + 1 AS first FROM revision) AS next;
INSERT INTO allocation (code, document, updated, programme, amount) VALUES ('L-000002', '{"code":"L-000002","kind":"allocation","programme":"OPS-01","sum":{"amount":"100000.00","currency":"USD"}}', '2026-02-01T00:00:00Z', 'OPS-01', '100000.00');
COMMIT;
