CREATE TABLE ledger_entry_rollup_by_month (
  programme VARCHAR, organization VARCHAR, contributor VARCHAR, kind VARCHAR NOT NULL, category VARCHAR, earmark TEXT,
  month DATE, n BIGINT NOT NULL, amount NUMERIC);
CREATE UNIQUE INDEX ledger_entry_rollup_by_month_keys ON ledger_entry_rollup_by_month
  (programme, organization, contributor, kind, category, earmark, month) NULLS NOT DISTINCT;
INSERT INTO ledger_entry_rollup_by_month
  (programme, organization, contributor, kind, category, earmark, month, n, amount)
SELECT filtered.programme, filtered.organization, filtered.contributor, filtered.kind, filtered.category,
       CASE WHEN filtered.kind = 'agent_fee' THEN followed.thematic_area ELSE filtered.thematic_area END,
       filtered.date - extract(day FROM filtered.date)::int + 1, count(*), sum(filtered.amount)
  FROM ledger_entry AS filtered
  LEFT JOIN ledger_entry AS followed ON followed.code = filtered.follows COLLATE "C" AND filtered.kind = 'agent_fee'
 GROUP BY 1, 2, 3, 4, 5, 6, 7;
CREATE OR REPLACE FUNCTION roll_up_ledger_entry() RETURNS trigger LANGUAGE plpgsql
  SECURITY DEFINER SET search_path = public, pg_temp SET enable_nestloop = off AS $$
DECLARE
  emptied tid[];
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO ledger_entry_rollup_by_kind AS kept (kind, n, amount, least_date, least_amount, most_date,
      most_amount)
      SELECT filtered.kind, count(*) AS n, sum(filtered.amount) AS amount, min(filtered.date) AS least_date,
        min(filtered.amount) AS least_amount, max(filtered.date) AS most_date, max(filtered.amount) AS most_amount
        FROM new_rows AS filtered GROUP BY 1
      ON CONFLICT (kind) DO UPDATE SET n = kept.n + excluded.n, amount = kept.amount + excluded.amount, least_date
        = least(kept.least_date, excluded.least_date), least_amount = least(kept.least_amount,
        excluded.least_amount), most_date = greatest(kept.most_date, excluded.most_date), most_amount =
        greatest(kept.most_amount, excluded.most_amount);
    INSERT INTO ledger_entry_rollup_by_day AS kept (kind, date, n, amount)
      SELECT filtered.kind, filtered.date, count(*) AS n, sum(filtered.amount) AS amount FROM new_rows AS filtered
        GROUP BY 1, 2
      ON CONFLICT (kind, date) DO UPDATE SET n = kept.n + excluded.n, amount = kept.amount + excluded.amount;
    INSERT INTO ledger_entry_rollup_by_party AS kept (kind, flags, thematic_area, category, organization,
      contributor, programme, n, amount)
      SELECT filtered.kind, filtered.flags, filtered.thematic_area, filtered.category, filtered.organization,
        filtered.contributor, filtered.programme, count(*) AS n, sum(filtered.amount) AS amount FROM new_rows AS
        filtered GROUP BY 1, 2, 3, 4, 5, 6, 7
      ON CONFLICT (kind, flags, thematic_area, category, organization, contributor, programme) DO UPDATE SET n =
        kept.n + excluded.n, amount = kept.amount + excluded.amount;
    INSERT INTO ledger_entry_rollup_by_month AS kept (programme, organization, contributor, kind, category,
      earmark, month, n, amount)
      SELECT filtered.programme, filtered.organization, filtered.contributor, filtered.kind, filtered.category,
        CASE WHEN filtered.kind = 'agent_fee' THEN (SELECT followed.thematic_area FROM public.ledger_entry AS
        followed WHERE followed.code = filtered.follows COLLATE "C") ELSE filtered.thematic_area END AS earmark,
        (filtered.date - extract(day FROM filtered.date)::int + 1) AS month, count(*) AS n, sum(filtered.amount) AS
        amount FROM new_rows AS filtered GROUP BY 1, 2, 3, 4, 5, 6, 7
      ON CONFLICT (programme, organization, contributor, kind, category, earmark, month) DO UPDATE SET n = kept.n +
        excluded.n, amount = kept.amount + excluded.amount;
  ELSIF TG_OP = 'UPDATE' THEN
    WITH come AS (SELECT filtered.kind, filtered.amount, filtered.date FROM new_rows AS filtered),
    gone AS (SELECT filtered.kind, filtered.amount, filtered.date FROM old_rows AS filtered),
    changed AS (
      SELECT kind, sum(side) AS n, sum(side * amount) AS amount
      FROM (SELECT 1 AS side, * FROM (TABLE come EXCEPT ALL TABLE gone) AS more UNION ALL SELECT -1, * FROM (TABLE
        gone EXCEPT ALL TABLE come) AS less) AS sides
      GROUP BY 1),
    written AS (
      INSERT INTO ledger_entry_rollup_by_kind AS kept (kind, n, amount, least_date, least_amount, most_date,
        most_amount)
      SELECT * FROM changed
      CROSS JOIN LATERAL (SELECT min(filtered.date) AS least_date, min(filtered.amount) AS least_amount,
        max(filtered.date) AS most_date, max(filtered.amount) AS most_amount FROM ledger_entry AS filtered
        WHERE filtered.kind = changed.kind) AS found
      ON CONFLICT (kind) DO UPDATE SET n = kept.n + excluded.n, amount = kept.amount + excluded.amount, least_date
        = excluded.least_date, least_amount = excluded.least_amount, most_date = excluded.most_date, most_amount =
        excluded.most_amount
      RETURNING kept.ctid AS place, kept.n)
    SELECT array_agg(place) INTO emptied FROM written WHERE n = 0;
    DELETE FROM ledger_entry_rollup_by_kind WHERE ctid = ANY(emptied);
    WITH come AS (SELECT filtered.kind, filtered.date, filtered.amount FROM new_rows AS filtered),
    gone AS (SELECT filtered.kind, filtered.date, filtered.amount FROM old_rows AS filtered),
    changed AS (
      SELECT kind, date, sum(side) AS n, sum(side * amount) AS amount
      FROM (SELECT 1 AS side, * FROM (TABLE come EXCEPT ALL TABLE gone) AS more UNION ALL SELECT -1, * FROM (TABLE
        gone EXCEPT ALL TABLE come) AS less) AS sides
      GROUP BY 1, 2),
    written AS (
      INSERT INTO ledger_entry_rollup_by_day AS kept (kind, date, n, amount)
      SELECT * FROM changed
      ON CONFLICT (kind, date) DO UPDATE SET n = kept.n + excluded.n, amount = kept.amount + excluded.amount
      RETURNING kept.ctid AS place, kept.n)
    SELECT array_agg(place) INTO emptied FROM written WHERE n = 0;
    DELETE FROM ledger_entry_rollup_by_day WHERE ctid = ANY(emptied);
    WITH come AS (SELECT filtered.kind, filtered.flags, filtered.thematic_area, filtered.category,
      filtered.organization, filtered.contributor, filtered.programme, filtered.amount FROM new_rows AS filtered),
    gone AS (SELECT filtered.kind, filtered.flags, filtered.thematic_area, filtered.category,
      filtered.organization, filtered.contributor, filtered.programme, filtered.amount FROM old_rows AS filtered),
    changed AS (
      SELECT kind, flags, thematic_area, category, organization, contributor, programme, sum(side) AS n, sum(side *
        amount) AS amount
      FROM (SELECT 1 AS side, * FROM (TABLE come EXCEPT ALL TABLE gone) AS more UNION ALL SELECT -1, * FROM (TABLE
        gone EXCEPT ALL TABLE come) AS less) AS sides
      GROUP BY 1, 2, 3, 4, 5, 6, 7),
    written AS (
      INSERT INTO ledger_entry_rollup_by_party AS kept (kind, flags, thematic_area, category, organization,
        contributor, programme, n, amount)
      SELECT * FROM changed
      ON CONFLICT (kind, flags, thematic_area, category, organization, contributor, programme) DO UPDATE SET n =
        kept.n + excluded.n, amount = kept.amount + excluded.amount
      RETURNING kept.ctid AS place, kept.n)
    SELECT array_agg(place) INTO emptied FROM written WHERE n = 0;
    DELETE FROM ledger_entry_rollup_by_party WHERE ctid = ANY(emptied);
    WITH come AS (SELECT filtered.programme, filtered.organization, filtered.contributor, filtered.kind,
      filtered.category, CASE WHEN filtered.kind = 'agent_fee' THEN (SELECT followed.thematic_area FROM
      public.ledger_entry AS followed WHERE followed.code = filtered.follows COLLATE "C") ELSE
      filtered.thematic_area END AS earmark, (filtered.date - extract(day FROM filtered.date)::int + 1) AS month,
      filtered.amount FROM new_rows AS filtered),
    gone AS (SELECT filtered.programme, filtered.organization, filtered.contributor, filtered.kind,
      filtered.category, CASE WHEN filtered.kind = 'agent_fee' THEN (SELECT followed.thematic_area FROM
      public.ledger_entry AS followed WHERE followed.code = filtered.follows COLLATE "C") ELSE
      filtered.thematic_area END AS earmark, (filtered.date - extract(day FROM filtered.date)::int + 1) AS month,
      filtered.amount FROM old_rows AS filtered),
    changed AS (
      SELECT programme, organization, contributor, kind, category, earmark, month, sum(side) AS n, sum(side *
        amount) AS amount
      FROM (SELECT 1 AS side, * FROM (TABLE come EXCEPT ALL TABLE gone) AS more UNION ALL SELECT -1, * FROM (TABLE
        gone EXCEPT ALL TABLE come) AS less) AS sides
      GROUP BY 1, 2, 3, 4, 5, 6, 7),
    written AS (
      INSERT INTO ledger_entry_rollup_by_month AS kept (programme, organization, contributor, kind, category,
        earmark, month, n, amount)
      SELECT * FROM changed
      ON CONFLICT (programme, organization, contributor, kind, category, earmark, month) DO UPDATE SET n = kept.n +
        excluded.n, amount = kept.amount + excluded.amount
      RETURNING kept.ctid AS place, kept.n)
    SELECT array_agg(place) INTO emptied FROM written WHERE n = 0;
    DELETE FROM ledger_entry_rollup_by_month WHERE ctid = ANY(emptied);
  ELSE
    WITH gone AS (SELECT filtered.kind, filtered.amount, filtered.date FROM old_rows AS filtered),
    changed AS (
      SELECT kind, sum(side) AS n, sum(side * amount) AS amount
      FROM (SELECT -1 AS side, * FROM gone) AS sides
      GROUP BY 1),
    written AS (
      INSERT INTO ledger_entry_rollup_by_kind AS kept (kind, n, amount, least_date, least_amount, most_date,
        most_amount)
      SELECT * FROM changed
      CROSS JOIN LATERAL (SELECT min(filtered.date) AS least_date, min(filtered.amount) AS least_amount,
        max(filtered.date) AS most_date, max(filtered.amount) AS most_amount FROM ledger_entry AS filtered
        WHERE filtered.kind = changed.kind) AS found
      ON CONFLICT (kind) DO UPDATE SET n = kept.n + excluded.n, amount = kept.amount + excluded.amount, least_date
        = excluded.least_date, least_amount = excluded.least_amount, most_date = excluded.most_date, most_amount =
        excluded.most_amount
      RETURNING kept.ctid AS place, kept.n)
    SELECT array_agg(place) INTO emptied FROM written WHERE n = 0;
    DELETE FROM ledger_entry_rollup_by_kind WHERE ctid = ANY(emptied);
    WITH gone AS (SELECT filtered.kind, filtered.date, filtered.amount FROM old_rows AS filtered),
    changed AS (
      SELECT kind, date, sum(side) AS n, sum(side * amount) AS amount
      FROM (SELECT -1 AS side, * FROM gone) AS sides
      GROUP BY 1, 2),
    written AS (
      INSERT INTO ledger_entry_rollup_by_day AS kept (kind, date, n, amount)
      SELECT * FROM changed
      ON CONFLICT (kind, date) DO UPDATE SET n = kept.n + excluded.n, amount = kept.amount + excluded.amount
      RETURNING kept.ctid AS place, kept.n)
    SELECT array_agg(place) INTO emptied FROM written WHERE n = 0;
    DELETE FROM ledger_entry_rollup_by_day WHERE ctid = ANY(emptied);
    WITH gone AS (SELECT filtered.kind, filtered.flags, filtered.thematic_area, filtered.category,
      filtered.organization, filtered.contributor, filtered.programme, filtered.amount FROM old_rows AS filtered),
    changed AS (
      SELECT kind, flags, thematic_area, category, organization, contributor, programme, sum(side) AS n, sum(side *
        amount) AS amount
      FROM (SELECT -1 AS side, * FROM gone) AS sides
      GROUP BY 1, 2, 3, 4, 5, 6, 7),
    written AS (
      INSERT INTO ledger_entry_rollup_by_party AS kept (kind, flags, thematic_area, category, organization,
        contributor, programme, n, amount)
      SELECT * FROM changed
      ON CONFLICT (kind, flags, thematic_area, category, organization, contributor, programme) DO UPDATE SET n =
        kept.n + excluded.n, amount = kept.amount + excluded.amount
      RETURNING kept.ctid AS place, kept.n)
    SELECT array_agg(place) INTO emptied FROM written WHERE n = 0;
    DELETE FROM ledger_entry_rollup_by_party WHERE ctid = ANY(emptied);
    WITH gone AS (SELECT filtered.programme, filtered.organization, filtered.contributor, filtered.kind,
      filtered.category, CASE WHEN filtered.kind = 'agent_fee' THEN (SELECT followed.thematic_area FROM
      public.ledger_entry AS followed WHERE followed.code = filtered.follows COLLATE "C") ELSE
      filtered.thematic_area END AS earmark, (filtered.date - extract(day FROM filtered.date)::int + 1) AS month,
      filtered.amount FROM old_rows AS filtered),
    changed AS (
      SELECT programme, organization, contributor, kind, category, earmark, month, sum(side) AS n, sum(side *
        amount) AS amount
      FROM (SELECT -1 AS side, * FROM gone) AS sides
      GROUP BY 1, 2, 3, 4, 5, 6, 7),
    written AS (
      INSERT INTO ledger_entry_rollup_by_month AS kept (programme, organization, contributor, kind, category,
        earmark, month, n, amount)
      SELECT * FROM changed
      ON CONFLICT (programme, organization, contributor, kind, category, earmark, month) DO UPDATE SET n = kept.n +
        excluded.n, amount = kept.amount + excluded.amount
      RETURNING kept.ctid AS place, kept.n)
    SELECT array_agg(place) INTO emptied FROM written WHERE n = 0;
    DELETE FROM ledger_entry_rollup_by_month WHERE ctid = ANY(emptied);
  END IF;
  RETURN NULL;
END $$;
