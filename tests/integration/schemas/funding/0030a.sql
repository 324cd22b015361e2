DROP TABLE 
ledger_entry_rollup_by_kind, ledger_entry_rollup_by_day, ledger_entry_rollup_by_month, ledger_entry_rollup_by_party;
DROP INDEX ledger_entry_date_code, ledger_entry_kind_date, ledger_entry_settlement;
CREATE INDEX ledger_entry_amendments ON ledger_entry (follows) WHERE kind = 'commitment_amendment';
CREATE INDEX ledger_entry_date_code ON ledger_entry (date, code) INCLUDE (kind, amount, contributor, programme, organization, category, thematic_area, follows, original_amount, original_currency);
CREATE TABLE ledger_entry_rollup_by_kind (kind VARCHAR NOT NULL, n BIGINT NOT NULL, amount NUMERIC);
CREATE UNIQUE INDEX ledger_entry_rollup_by_kind_keys ON ledger_entry_rollup_by_kind (kind) NULLS NOT DISTINCT;
INSERT INTO ledger_entry_rollup_by_kind (kind, n, amount)
SELECT filtered.kind, count(*) AS n, sum(filtered.amount) AS amount FROM ledger_entry AS filtered GROUP BY 1;
CREATE TABLE ledger_entry_rollup_by_party (programme VARCHAR, organization VARCHAR, contributor VARCHAR, kind
  VARCHAR NOT NULL, category VARCHAR, thematic_area VARCHAR, flags TEXT[] NOT NULL, earmark TEXT, year INTEGER, n
  BIGINT NOT NULL, amount NUMERIC, n_01 INTEGER, n_02 INTEGER, n_03 INTEGER, n_04 INTEGER, n_05 INTEGER, n_06
  INTEGER, n_07 INTEGER, n_08 INTEGER, n_09 INTEGER, n_10 INTEGER, n_11 INTEGER, n_12 INTEGER, amount_01 NUMERIC,
  amount_02 NUMERIC, amount_03 NUMERIC, amount_04 NUMERIC, amount_05 NUMERIC, amount_06 NUMERIC, amount_07 NUMERIC,
  amount_08 NUMERIC, amount_09 NUMERIC, amount_10 NUMERIC, amount_11 NUMERIC, amount_12 NUMERIC);
CREATE UNIQUE INDEX ledger_entry_rollup_by_party_keys ON ledger_entry_rollup_by_party (programme, organization,
  contributor, kind, category, thematic_area, flags, earmark, year) NULLS NOT DISTINCT;
INSERT INTO ledger_entry_rollup_by_party (programme, organization, contributor, kind, category, thematic_area,
  flags, earmark, year, n, amount, n_01, n_02, n_03, n_04, n_05, n_06, n_07, n_08, n_09, n_10, n_11, n_12,
  amount_01, amount_02, amount_03, amount_04, amount_05, amount_06, amount_07, amount_08, amount_09, amount_10,
  amount_11, amount_12)
SELECT filtered.programme, filtered.organization, filtered.contributor, filtered.kind, filtered.category,
  filtered.thematic_area, filtered.flags, CASE WHEN filtered.kind = 'agent_fee' THEN (SELECT followed.thematic_area
  FROM public.ledger_entry AS followed WHERE followed.code = filtered.follows COLLATE "C") ELSE
  filtered.thematic_area END AS earmark, calendar.year AS year, count(*) AS n, sum(filtered.amount) AS amount,
  coalesce(count(*) FILTER (WHERE calendar.month = 1), 0) AS n_01, coalesce(count(*) FILTER (WHERE calendar.month =
  2), 0) AS n_02, coalesce(count(*) FILTER (WHERE calendar.month = 3), 0) AS n_03, coalesce(count(*) FILTER (WHERE
  calendar.month = 4), 0) AS n_04, coalesce(count(*) FILTER (WHERE calendar.month = 5), 0) AS n_05,
  coalesce(count(*) FILTER (WHERE calendar.month = 6), 0) AS n_06, coalesce(count(*) FILTER (WHERE calendar.month =
  7), 0) AS n_07, coalesce(count(*) FILTER (WHERE calendar.month = 8), 0) AS n_08, coalesce(count(*) FILTER (WHERE
  calendar.month = 9), 0) AS n_09, coalesce(count(*) FILTER (WHERE calendar.month = 10), 0) AS n_10,
  coalesce(count(*) FILTER (WHERE calendar.month = 11), 0) AS n_11, coalesce(count(*) FILTER (WHERE calendar.month
  = 12), 0) AS n_12, coalesce(sum(filtered.amount) FILTER (WHERE calendar.month = 1), 0) AS amount_01,
  coalesce(sum(filtered.amount) FILTER (WHERE calendar.month = 2), 0) AS amount_02, coalesce(sum(filtered.amount)
  FILTER (WHERE calendar.month = 3), 0) AS amount_03, coalesce(sum(filtered.amount) FILTER (WHERE calendar.month =
  4), 0) AS amount_04, coalesce(sum(filtered.amount) FILTER (WHERE calendar.month = 5), 0) AS amount_05,
  coalesce(sum(filtered.amount) FILTER (WHERE calendar.month = 6), 0) AS amount_06, coalesce(sum(filtered.amount)
  FILTER (WHERE calendar.month = 7), 0) AS amount_07, coalesce(sum(filtered.amount) FILTER (WHERE calendar.month =
  8), 0) AS amount_08, coalesce(sum(filtered.amount) FILTER (WHERE calendar.month = 9), 0) AS amount_09,
  coalesce(sum(filtered.amount) FILTER (WHERE calendar.month = 10), 0) AS amount_10, coalesce(sum(filtered.amount)
  FILTER (WHERE calendar.month = 11), 0) AS amount_11, coalesce(sum(filtered.amount) FILTER (WHERE calendar.month =
  12), 0) AS amount_12 FROM ledger_entry AS filtered CROSS JOIN LATERAL (
    SELECT extract(year FROM filtered.date)::int AS year, extract(month FROM filtered.date)::int AS month OFFSET 0
    ) AS calendar GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9;
CREATE TABLE ledger_entry_rollup_by_day (kind VARCHAR NOT NULL, date DATE NOT NULL, n BIGINT NOT NULL, amount
  NUMERIC, least_amount NUMERIC(18, 2), most_amount NUMERIC(18, 2));
CREATE UNIQUE INDEX ledger_entry_rollup_by_day_keys ON ledger_entry_rollup_by_day (kind, date) NULLS NOT DISTINCT;
INSERT INTO ledger_entry_rollup_by_day (kind, date, n, amount, least_amount, most_amount)
SELECT filtered.kind, filtered.date, count(*) AS n, sum(filtered.amount) AS amount, min(filtered.amount) AS
  least_amount, max(filtered.amount) AS most_amount FROM ledger_entry AS filtered GROUP BY 1, 2;
CREATE TABLE ledger_entry_rollup_by_commitment (follows VARCHAR, kind VARCHAR NOT NULL, original_currency TEXT,
  original_amount_stated BOOLEAN, year INTEGER, n BIGINT NOT NULL, amount NUMERIC, original_amount NUMERIC, n_01
  INTEGER, n_02 INTEGER, n_03 INTEGER, n_04 INTEGER, n_05 INTEGER, n_06 INTEGER, n_07 INTEGER, n_08 INTEGER, n_09
  INTEGER, n_10 INTEGER, n_11 INTEGER, n_12 INTEGER, amount_01 NUMERIC, amount_02 NUMERIC, amount_03 NUMERIC,
  amount_04 NUMERIC, amount_05 NUMERIC, amount_06 NUMERIC, amount_07 NUMERIC, amount_08 NUMERIC, amount_09 NUMERIC,
  amount_10 NUMERIC, amount_11 NUMERIC, amount_12 NUMERIC, original_amount_01 NUMERIC, original_amount_02 NUMERIC,
  original_amount_03 NUMERIC, original_amount_04 NUMERIC, original_amount_05 NUMERIC, original_amount_06 NUMERIC,
  original_amount_07 NUMERIC, original_amount_08 NUMERIC, original_amount_09 NUMERIC, original_amount_10 NUMERIC,
  original_amount_11 NUMERIC, original_amount_12 NUMERIC);
CREATE UNIQUE INDEX ledger_entry_rollup_by_commitment_keys ON ledger_entry_rollup_by_commitment (follows, kind,
  original_currency, original_amount_stated, year) NULLS NOT DISTINCT;
INSERT INTO ledger_entry_rollup_by_commitment (follows, kind, original_currency, original_amount_stated, year, n,
  amount, original_amount, n_01, n_02, n_03, n_04, n_05, n_06, n_07, n_08, n_09, n_10, n_11, n_12, amount_01,
  amount_02, amount_03, amount_04, amount_05, amount_06, amount_07, amount_08, amount_09, amount_10, amount_11,
  amount_12, original_amount_01, original_amount_02, original_amount_03, original_amount_04, original_amount_05,
  original_amount_06, original_amount_07, original_amount_08, original_amount_09, original_amount_10,
  original_amount_11, original_amount_12)
SELECT filtered.follows, filtered.kind, filtered.original_currency, filtered.original_amount IS NOT NULL AS
  original_amount_stated, calendar.year AS year, count(*) AS n, sum(filtered.amount) AS amount,
  sum(filtered.original_amount) AS original_amount, coalesce(count(*) FILTER (WHERE calendar.month = 1), 0) AS
  n_01, coalesce(count(*) FILTER (WHERE calendar.month = 2), 0) AS n_02, coalesce(count(*) FILTER (WHERE
  calendar.month = 3), 0) AS n_03, coalesce(count(*) FILTER (WHERE calendar.month = 4), 0) AS n_04,
  coalesce(count(*) FILTER (WHERE calendar.month = 5), 0) AS n_05, coalesce(count(*) FILTER (WHERE calendar.month =
  6), 0) AS n_06, coalesce(count(*) FILTER (WHERE calendar.month = 7), 0) AS n_07, coalesce(count(*) FILTER (WHERE
  calendar.month = 8), 0) AS n_08, coalesce(count(*) FILTER (WHERE calendar.month = 9), 0) AS n_09,
  coalesce(count(*) FILTER (WHERE calendar.month = 10), 0) AS n_10, coalesce(count(*) FILTER (WHERE calendar.month
  = 11), 0) AS n_11, coalesce(count(*) FILTER (WHERE calendar.month = 12), 0) AS n_12,
  coalesce(sum(filtered.amount) FILTER (WHERE calendar.month = 1), 0) AS amount_01, coalesce(sum(filtered.amount)
  FILTER (WHERE calendar.month = 2), 0) AS amount_02, coalesce(sum(filtered.amount) FILTER (WHERE calendar.month =
  3), 0) AS amount_03, coalesce(sum(filtered.amount) FILTER (WHERE calendar.month = 4), 0) AS amount_04,
  coalesce(sum(filtered.amount) FILTER (WHERE calendar.month = 5), 0) AS amount_05, coalesce(sum(filtered.amount)
  FILTER (WHERE calendar.month = 6), 0) AS amount_06, coalesce(sum(filtered.amount) FILTER (WHERE calendar.month =
  7), 0) AS amount_07, coalesce(sum(filtered.amount) FILTER (WHERE calendar.month = 8), 0) AS amount_08,
  coalesce(sum(filtered.amount) FILTER (WHERE calendar.month = 9), 0) AS amount_09, coalesce(sum(filtered.amount)
  FILTER (WHERE calendar.month = 10), 0) AS amount_10, coalesce(sum(filtered.amount) FILTER (WHERE calendar.month =
  11), 0) AS amount_11, coalesce(sum(filtered.amount) FILTER (WHERE calendar.month = 12), 0) AS amount_12,
  coalesce(sum(filtered.original_amount) FILTER (WHERE calendar.month = 1), 0) AS original_amount_01,
  coalesce(sum(filtered.original_amount) FILTER (WHERE calendar.month = 2), 0) AS original_amount_02,
  coalesce(sum(filtered.original_amount) FILTER (WHERE calendar.month = 3), 0) AS original_amount_03,
  coalesce(sum(filtered.original_amount) FILTER (WHERE calendar.month = 4), 0) AS original_amount_04,
  coalesce(sum(filtered.original_amount) FILTER (WHERE calendar.month = 5), 0) AS original_amount_05,
  coalesce(sum(filtered.original_amount) FILTER (WHERE calendar.month = 6), 0) AS original_amount_06,
  coalesce(sum(filtered.original_amount) FILTER (WHERE calendar.month = 7), 0) AS original_amount_07,
  coalesce(sum(filtered.original_amount) FILTER (WHERE calendar.month = 8), 0) AS original_amount_08,
  coalesce(sum(filtered.original_amount) FILTER (WHERE calendar.month = 9), 0) AS original_amount_09,
  coalesce(sum(filtered.original_amount) FILTER (WHERE calendar.month = 10), 0) AS original_amount_10,
  coalesce(sum(filtered.original_amount) FILTER (WHERE calendar.month = 11), 0) AS original_amount_11,
  coalesce(sum(filtered.original_amount) FILTER (WHERE calendar.month = 12), 0) AS original_amount_12 FROM (SELECT
  * FROM ledger_entry AS filtered WHERE filtered.kind IN ('commitment_amendment', 'deposit') AND filtered.follows
  IS NOT NULL) AS filtered CROSS JOIN LATERAL (
    SELECT extract(year FROM filtered.date)::int AS year, extract(month FROM filtered.date)::int AS month OFFSET 0
    ) AS calendar GROUP BY 1, 2, 3, 4, 5;
CREATE OR REPLACE FUNCTION roll_up_ledger_entry() RETURNS trigger LANGUAGE plpgsql
  SECURITY DEFINER SET search_path = public, pg_temp SET enable_nestloop = off AS $$
DECLARE
  emptied tid[];
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF (SELECT count(*) FROM new_rows) <= 3 THEN
    DECLARE
      filtered ledger_entry%ROWTYPE;
    BEGIN
      FOR filtered IN SELECT * FROM new_rows LOOP
      INSERT INTO ledger_entry_rollup_by_kind AS kept (kind, n, amount)
      SELECT filtered.kind, 1, filtered.amount
      ON CONFLICT (kind) DO UPDATE SET n = kept.n + excluded.n, amount = kept.amount + excluded.amount;
      INSERT INTO ledger_entry_rollup_by_party AS kept (programme, organization, contributor, kind, category,
        thematic_area, flags, earmark, year, n, amount, n_01, n_02, n_03, n_04, n_05, n_06, n_07, n_08, n_09, n_10,
        n_11, n_12, amount_01, amount_02, amount_03, amount_04, amount_05, amount_06, amount_07, amount_08,
        amount_09, amount_10, amount_11, amount_12)
      SELECT filtered.programme, filtered.organization, filtered.contributor, filtered.kind, filtered.category,
        filtered.thematic_area, filtered.flags, CASE WHEN filtered.kind = 'agent_fee' THEN (SELECT
        followed.thematic_area FROM public.ledger_entry AS followed WHERE followed.code = filtered.follows COLLATE
        "C") ELSE filtered.thematic_area END, calendar.year, 1, filtered.amount, CASE WHEN calendar.month = 1 THEN
        1 ELSE 0 END, CASE WHEN calendar.month = 2 THEN 1 ELSE 0 END, CASE WHEN calendar.month = 3 THEN 1 ELSE 0
        END, CASE WHEN calendar.month = 4 THEN 1 ELSE 0 END, CASE WHEN calendar.month = 5 THEN 1 ELSE 0 END, CASE
        WHEN calendar.month = 6 THEN 1 ELSE 0 END, CASE WHEN calendar.month = 7 THEN 1 ELSE 0 END, CASE WHEN
        calendar.month = 8 THEN 1 ELSE 0 END, CASE WHEN calendar.month = 9 THEN 1 ELSE 0 END, CASE WHEN
        calendar.month = 10 THEN 1 ELSE 0 END, CASE WHEN calendar.month = 11 THEN 1 ELSE 0 END, CASE WHEN
        calendar.month = 12 THEN 1 ELSE 0 END, CASE WHEN calendar.month = 1 THEN coalesce(filtered.amount, 0) ELSE
        0 END, CASE WHEN calendar.month = 2 THEN coalesce(filtered.amount, 0) ELSE 0 END, CASE WHEN calendar.month
        = 3 THEN coalesce(filtered.amount, 0) ELSE 0 END, CASE WHEN calendar.month = 4 THEN
        coalesce(filtered.amount, 0) ELSE 0 END, CASE WHEN calendar.month = 5 THEN coalesce(filtered.amount, 0)
        ELSE 0 END, CASE WHEN calendar.month = 6 THEN coalesce(filtered.amount, 0) ELSE 0 END, CASE WHEN
        calendar.month = 7 THEN coalesce(filtered.amount, 0) ELSE 0 END, CASE WHEN calendar.month = 8 THEN
        coalesce(filtered.amount, 0) ELSE 0 END, CASE WHEN calendar.month = 9 THEN coalesce(filtered.amount, 0)
        ELSE 0 END, CASE WHEN calendar.month = 10 THEN coalesce(filtered.amount, 0) ELSE 0 END, CASE WHEN
        calendar.month = 11 THEN coalesce(filtered.amount, 0) ELSE 0 END, CASE WHEN calendar.month = 12 THEN
        coalesce(filtered.amount, 0) ELSE 0 END FROM (SELECT 1) AS one CROSS JOIN LATERAL (
    SELECT extract(year FROM filtered.date)::int AS year, extract(month FROM filtered.date)::int AS month OFFSET 0
    ) AS calendar
      ON CONFLICT (programme, organization, contributor, kind, category, thematic_area, flags, earmark, year) DO
        UPDATE SET n = kept.n + excluded.n, amount = kept.amount + excluded.amount, n_01 = kept.n_01 +
        excluded.n_01, n_02 = kept.n_02 + excluded.n_02, n_03 = kept.n_03 + excluded.n_03, n_04 = kept.n_04 +
        excluded.n_04, n_05 = kept.n_05 + excluded.n_05, n_06 = kept.n_06 + excluded.n_06, n_07 = kept.n_07 +
        excluded.n_07, n_08 = kept.n_08 + excluded.n_08, n_09 = kept.n_09 + excluded.n_09, n_10 = kept.n_10 +
        excluded.n_10, n_11 = kept.n_11 + excluded.n_11, n_12 = kept.n_12 + excluded.n_12, amount_01 =
        kept.amount_01 + excluded.amount_01, amount_02 = kept.amount_02 + excluded.amount_02, amount_03 =
        kept.amount_03 + excluded.amount_03, amount_04 = kept.amount_04 + excluded.amount_04, amount_05 =
        kept.amount_05 + excluded.amount_05, amount_06 = kept.amount_06 + excluded.amount_06, amount_07 =
        kept.amount_07 + excluded.amount_07, amount_08 = kept.amount_08 + excluded.amount_08, amount_09 =
        kept.amount_09 + excluded.amount_09, amount_10 = kept.amount_10 + excluded.amount_10, amount_11 =
        kept.amount_11 + excluded.amount_11, amount_12 = kept.amount_12 + excluded.amount_12;
      INSERT INTO ledger_entry_rollup_by_day AS kept (kind, date, n, amount, least_amount, most_amount)
      SELECT filtered.kind, filtered.date, 1, filtered.amount, filtered.amount, filtered.amount
      ON CONFLICT (kind, date) DO UPDATE SET n = kept.n + excluded.n, amount = kept.amount + excluded.amount,
        least_amount = least(kept.least_amount, excluded.least_amount), most_amount = greatest(kept.most_amount,
        excluded.most_amount);
      IF filtered.kind IN ('commitment_amendment', 'deposit') AND filtered.follows IS NOT NULL THEN
      INSERT INTO ledger_entry_rollup_by_commitment AS kept (follows, kind, original_currency,
        original_amount_stated, year, n, amount, original_amount, n_01, n_02, n_03, n_04, n_05, n_06, n_07, n_08,
        n_09, n_10, n_11, n_12, amount_01, amount_02, amount_03, amount_04, amount_05, amount_06, amount_07,
        amount_08, amount_09, amount_10, amount_11, amount_12, original_amount_01, original_amount_02,
        original_amount_03, original_amount_04, original_amount_05, original_amount_06, original_amount_07,
        original_amount_08, original_amount_09, original_amount_10, original_amount_11, original_amount_12)
      SELECT filtered.follows, filtered.kind, filtered.original_currency, filtered.original_amount IS NOT NULL,
        calendar.year, 1, filtered.amount, filtered.original_amount, CASE WHEN calendar.month = 1 THEN 1 ELSE 0
        END, CASE WHEN calendar.month = 2 THEN 1 ELSE 0 END, CASE WHEN calendar.month = 3 THEN 1 ELSE 0 END, CASE
        WHEN calendar.month = 4 THEN 1 ELSE 0 END, CASE WHEN calendar.month = 5 THEN 1 ELSE 0 END, CASE WHEN
        calendar.month = 6 THEN 1 ELSE 0 END, CASE WHEN calendar.month = 7 THEN 1 ELSE 0 END, CASE WHEN
        calendar.month = 8 THEN 1 ELSE 0 END, CASE WHEN calendar.month = 9 THEN 1 ELSE 0 END, CASE WHEN
        calendar.month = 10 THEN 1 ELSE 0 END, CASE WHEN calendar.month = 11 THEN 1 ELSE 0 END, CASE WHEN
        calendar.month = 12 THEN 1 ELSE 0 END, CASE WHEN calendar.month = 1 THEN coalesce(filtered.amount, 0) ELSE
        0 END, CASE WHEN calendar.month = 2 THEN coalesce(filtered.amount, 0) ELSE 0 END, CASE WHEN calendar.month
        = 3 THEN coalesce(filtered.amount, 0) ELSE 0 END, CASE WHEN calendar.month = 4 THEN
        coalesce(filtered.amount, 0) ELSE 0 END, CASE WHEN calendar.month = 5 THEN coalesce(filtered.amount, 0)
        ELSE 0 END, CASE WHEN calendar.month = 6 THEN coalesce(filtered.amount, 0) ELSE 0 END, CASE WHEN
        calendar.month = 7 THEN coalesce(filtered.amount, 0) ELSE 0 END, CASE WHEN calendar.month = 8 THEN
        coalesce(filtered.amount, 0) ELSE 0 END, CASE WHEN calendar.month = 9 THEN coalesce(filtered.amount, 0)
        ELSE 0 END, CASE WHEN calendar.month = 10 THEN coalesce(filtered.amount, 0) ELSE 0 END, CASE WHEN
        calendar.month = 11 THEN coalesce(filtered.amount, 0) ELSE 0 END, CASE WHEN calendar.month = 12 THEN
        coalesce(filtered.amount, 0) ELSE 0 END, CASE WHEN calendar.month = 1 THEN
        coalesce(filtered.original_amount, 0) ELSE 0 END, CASE WHEN calendar.month = 2 THEN
        coalesce(filtered.original_amount, 0) ELSE 0 END, CASE WHEN calendar.month = 3 THEN
        coalesce(filtered.original_amount, 0) ELSE 0 END, CASE WHEN calendar.month = 4 THEN
        coalesce(filtered.original_amount, 0) ELSE 0 END, CASE WHEN calendar.month = 5 THEN
        coalesce(filtered.original_amount, 0) ELSE 0 END, CASE WHEN calendar.month = 6 THEN
        coalesce(filtered.original_amount, 0) ELSE 0 END, CASE WHEN calendar.month = 7 THEN
        coalesce(filtered.original_amount, 0) ELSE 0 END, CASE WHEN calendar.month = 8 THEN
        coalesce(filtered.original_amount, 0) ELSE 0 END, CASE WHEN calendar.month = 9 THEN
        coalesce(filtered.original_amount, 0) ELSE 0 END, CASE WHEN calendar.month = 10 THEN
        coalesce(filtered.original_amount, 0) ELSE 0 END, CASE WHEN calendar.month = 11 THEN
        coalesce(filtered.original_amount, 0) ELSE 0 END, CASE WHEN calendar.month = 12 THEN
        coalesce(filtered.original_amount, 0) ELSE 0 END FROM (SELECT 1) AS one CROSS JOIN LATERAL (
    SELECT extract(year FROM filtered.date)::int AS year, extract(month FROM filtered.date)::int AS month OFFSET 0
    ) AS calendar
      ON CONFLICT (follows, kind, original_currency, original_amount_stated, year) DO UPDATE SET n = kept.n +
        excluded.n, amount = kept.amount + excluded.amount, original_amount = kept.original_amount +
        excluded.original_amount, n_01 = kept.n_01 + excluded.n_01, n_02 = kept.n_02 + excluded.n_02, n_03 =
        kept.n_03 + excluded.n_03, n_04 = kept.n_04 + excluded.n_04, n_05 = kept.n_05 + excluded.n_05, n_06 =
        kept.n_06 + excluded.n_06, n_07 = kept.n_07 + excluded.n_07, n_08 = kept.n_08 + excluded.n_08, n_09 =
        kept.n_09 + excluded.n_09, n_10 = kept.n_10 + excluded.n_10, n_11 = kept.n_11 + excluded.n_11, n_12 =
        kept.n_12 + excluded.n_12, amount_01 = kept.amount_01 + excluded.amount_01, amount_02 = kept.amount_02 +
        excluded.amount_02, amount_03 = kept.amount_03 + excluded.amount_03, amount_04 = kept.amount_04 +
        excluded.amount_04, amount_05 = kept.amount_05 + excluded.amount_05, amount_06 = kept.amount_06 +
        excluded.amount_06, amount_07 = kept.amount_07 + excluded.amount_07, amount_08 = kept.amount_08 +
        excluded.amount_08, amount_09 = kept.amount_09 + excluded.amount_09, amount_10 = kept.amount_10 +
        excluded.amount_10, amount_11 = kept.amount_11 + excluded.amount_11, amount_12 = kept.amount_12 +
        excluded.amount_12, original_amount_01 = kept.original_amount_01 + excluded.original_amount_01,
        original_amount_02 = kept.original_amount_02 + excluded.original_amount_02, original_amount_03 =
        kept.original_amount_03 + excluded.original_amount_03, original_amount_04 = kept.original_amount_04 +
        excluded.original_amount_04, original_amount_05 = kept.original_amount_05 + excluded.original_amount_05,
        original_amount_06 = kept.original_amount_06 + excluded.original_amount_06, original_amount_07 =
        kept.original_amount_07 + excluded.original_amount_07, original_amount_08 = kept.original_amount_08 +
        excluded.original_amount_08, original_amount_09 = kept.original_amount_09 + excluded.original_amount_09,
        original_amount_10 = kept.original_amount_10 + excluded.original_amount_10, original_amount_11 =
        kept.original_amount_11 + excluded.original_amount_11, original_amount_12 = kept.original_amount_12 +
        excluded.original_amount_12;
      END IF;
      END LOOP;
    END;
    ELSE
    INSERT INTO ledger_entry_rollup_by_kind AS kept (kind, n, amount)
      SELECT filtered.kind, count(*) AS n, sum(filtered.amount) AS amount FROM new_rows AS filtered GROUP BY 1
      ON CONFLICT (kind) DO UPDATE SET n = kept.n + excluded.n, amount = kept.amount + excluded.amount;
    INSERT INTO ledger_entry_rollup_by_party AS kept (programme, organization, contributor, kind, category,
      thematic_area, flags, earmark, year, n, amount, n_01, n_02, n_03, n_04, n_05, n_06, n_07, n_08, n_09, n_10,
      n_11, n_12, amount_01, amount_02, amount_03, amount_04, amount_05, amount_06, amount_07, amount_08,
      amount_09, amount_10, amount_11, amount_12)
      SELECT filtered.programme, filtered.organization, filtered.contributor, filtered.kind, filtered.category,
        filtered.thematic_area, filtered.flags, CASE WHEN filtered.kind = 'agent_fee' THEN (SELECT
        followed.thematic_area FROM public.ledger_entry AS followed WHERE followed.code = filtered.follows COLLATE
        "C") ELSE filtered.thematic_area END AS earmark, calendar.year AS year, count(*) AS n, sum(filtered.amount)
        AS amount, coalesce(count(*) FILTER (WHERE calendar.month = 1), 0) AS n_01, coalesce(count(*) FILTER (WHERE
        calendar.month = 2), 0) AS n_02, coalesce(count(*) FILTER (WHERE calendar.month = 3), 0) AS n_03,
        coalesce(count(*) FILTER (WHERE calendar.month = 4), 0) AS n_04, coalesce(count(*) FILTER (WHERE
        calendar.month = 5), 0) AS n_05, coalesce(count(*) FILTER (WHERE calendar.month = 6), 0) AS n_06,
        coalesce(count(*) FILTER (WHERE calendar.month = 7), 0) AS n_07, coalesce(count(*) FILTER (WHERE
        calendar.month = 8), 0) AS n_08, coalesce(count(*) FILTER (WHERE calendar.month = 9), 0) AS n_09,
        coalesce(count(*) FILTER (WHERE calendar.month = 10), 0) AS n_10, coalesce(count(*) FILTER (WHERE
        calendar.month = 11), 0) AS n_11, coalesce(count(*) FILTER (WHERE calendar.month = 12), 0) AS n_12,
        coalesce(sum(filtered.amount) FILTER (WHERE calendar.month = 1), 0) AS amount_01,
        coalesce(sum(filtered.amount) FILTER (WHERE calendar.month = 2), 0) AS amount_02,
        coalesce(sum(filtered.amount) FILTER (WHERE calendar.month = 3), 0) AS amount_03,
        coalesce(sum(filtered.amount) FILTER (WHERE calendar.month = 4), 0) AS amount_04,
        coalesce(sum(filtered.amount) FILTER (WHERE calendar.month = 5), 0) AS amount_05,
        coalesce(sum(filtered.amount) FILTER (WHERE calendar.month = 6), 0) AS amount_06,
        coalesce(sum(filtered.amount) FILTER (WHERE calendar.month = 7), 0) AS amount_07,
        coalesce(sum(filtered.amount) FILTER (WHERE calendar.month = 8), 0) AS amount_08,
        coalesce(sum(filtered.amount) FILTER (WHERE calendar.month = 9), 0) AS amount_09,
        coalesce(sum(filtered.amount) FILTER (WHERE calendar.month = 10), 0) AS amount_10,
        coalesce(sum(filtered.amount) FILTER (WHERE calendar.month = 11), 0) AS amount_11,
        coalesce(sum(filtered.amount) FILTER (WHERE calendar.month = 12), 0) AS amount_12 FROM new_rows AS filtered
        CROSS JOIN LATERAL (
    SELECT extract(year FROM filtered.date)::int AS year, extract(month FROM filtered.date)::int AS month OFFSET 0
    ) AS calendar GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
      ON CONFLICT (programme, organization, contributor, kind, category, thematic_area, flags, earmark, year) DO
        UPDATE SET n = kept.n + excluded.n, amount = kept.amount + excluded.amount, n_01 = kept.n_01 +
        excluded.n_01, n_02 = kept.n_02 + excluded.n_02, n_03 = kept.n_03 + excluded.n_03, n_04 = kept.n_04 +
        excluded.n_04, n_05 = kept.n_05 + excluded.n_05, n_06 = kept.n_06 + excluded.n_06, n_07 = kept.n_07 +
        excluded.n_07, n_08 = kept.n_08 + excluded.n_08, n_09 = kept.n_09 + excluded.n_09, n_10 = kept.n_10 +
        excluded.n_10, n_11 = kept.n_11 + excluded.n_11, n_12 = kept.n_12 + excluded.n_12, amount_01 =
        kept.amount_01 + excluded.amount_01, amount_02 = kept.amount_02 + excluded.amount_02, amount_03 =
        kept.amount_03 + excluded.amount_03, amount_04 = kept.amount_04 + excluded.amount_04, amount_05 =
        kept.amount_05 + excluded.amount_05, amount_06 = kept.amount_06 + excluded.amount_06, amount_07 =
        kept.amount_07 + excluded.amount_07, amount_08 = kept.amount_08 + excluded.amount_08, amount_09 =
        kept.amount_09 + excluded.amount_09, amount_10 = kept.amount_10 + excluded.amount_10, amount_11 =
        kept.amount_11 + excluded.amount_11, amount_12 = kept.amount_12 + excluded.amount_12;
    INSERT INTO ledger_entry_rollup_by_day AS kept (kind, date, n, amount, least_amount, most_amount)
      SELECT filtered.kind, filtered.date, count(*) AS n, sum(filtered.amount) AS amount, min(filtered.amount) AS
        least_amount, max(filtered.amount) AS most_amount FROM new_rows AS filtered GROUP BY 1, 2
      ON CONFLICT (kind, date) DO UPDATE SET n = kept.n + excluded.n, amount = kept.amount + excluded.amount,
        least_amount = least(kept.least_amount, excluded.least_amount), most_amount = greatest(kept.most_amount,
        excluded.most_amount);
    IF EXISTS (SELECT FROM new_rows AS filtered WHERE filtered.kind IN ('commitment_amendment', 'deposit') AND
      filtered.follows IS NOT NULL) THEN
    INSERT INTO ledger_entry_rollup_by_commitment AS kept (follows, kind, original_currency,
      original_amount_stated, year, n, amount, original_amount, n_01, n_02, n_03, n_04, n_05, n_06, n_07, n_08,
      n_09, n_10, n_11, n_12, amount_01, amount_02, amount_03, amount_04, amount_05, amount_06, amount_07,
      amount_08, amount_09, amount_10, amount_11, amount_12, original_amount_01, original_amount_02,
      original_amount_03, original_amount_04, original_amount_05, original_amount_06, original_amount_07,
      original_amount_08, original_amount_09, original_amount_10, original_amount_11, original_amount_12)
      SELECT filtered.follows, filtered.kind, filtered.original_currency, filtered.original_amount IS NOT NULL AS
        original_amount_stated, calendar.year AS year, count(*) AS n, sum(filtered.amount) AS amount,
        sum(filtered.original_amount) AS original_amount, coalesce(count(*) FILTER (WHERE calendar.month = 1), 0)
        AS n_01, coalesce(count(*) FILTER (WHERE calendar.month = 2), 0) AS n_02, coalesce(count(*) FILTER (WHERE
        calendar.month = 3), 0) AS n_03, coalesce(count(*) FILTER (WHERE calendar.month = 4), 0) AS n_04,
        coalesce(count(*) FILTER (WHERE calendar.month = 5), 0) AS n_05, coalesce(count(*) FILTER (WHERE
        calendar.month = 6), 0) AS n_06, coalesce(count(*) FILTER (WHERE calendar.month = 7), 0) AS n_07,
        coalesce(count(*) FILTER (WHERE calendar.month = 8), 0) AS n_08, coalesce(count(*) FILTER (WHERE
        calendar.month = 9), 0) AS n_09, coalesce(count(*) FILTER (WHERE calendar.month = 10), 0) AS n_10,
        coalesce(count(*) FILTER (WHERE calendar.month = 11), 0) AS n_11, coalesce(count(*) FILTER (WHERE
        calendar.month = 12), 0) AS n_12, coalesce(sum(filtered.amount) FILTER (WHERE calendar.month = 1), 0) AS
        amount_01, coalesce(sum(filtered.amount) FILTER (WHERE calendar.month = 2), 0) AS amount_02,
        coalesce(sum(filtered.amount) FILTER (WHERE calendar.month = 3), 0) AS amount_03,
        coalesce(sum(filtered.amount) FILTER (WHERE calendar.month = 4), 0) AS amount_04,
        coalesce(sum(filtered.amount) FILTER (WHERE calendar.month = 5), 0) AS amount_05,
        coalesce(sum(filtered.amount) FILTER (WHERE calendar.month = 6), 0) AS amount_06,
        coalesce(sum(filtered.amount) FILTER (WHERE calendar.month = 7), 0) AS amount_07,
        coalesce(sum(filtered.amount) FILTER (WHERE calendar.month = 8), 0) AS amount_08,
        coalesce(sum(filtered.amount) FILTER (WHERE calendar.month = 9), 0) AS amount_09,
        coalesce(sum(filtered.amount) FILTER (WHERE calendar.month = 10), 0) AS amount_10,
        coalesce(sum(filtered.amount) FILTER (WHERE calendar.month = 11), 0) AS amount_11,
        coalesce(sum(filtered.amount) FILTER (WHERE calendar.month = 12), 0) AS amount_12,
        coalesce(sum(filtered.original_amount) FILTER (WHERE calendar.month = 1), 0) AS original_amount_01,
        coalesce(sum(filtered.original_amount) FILTER (WHERE calendar.month = 2), 0) AS original_amount_02,
        coalesce(sum(filtered.original_amount) FILTER (WHERE calendar.month = 3), 0) AS original_amount_03,
        coalesce(sum(filtered.original_amount) FILTER (WHERE calendar.month = 4), 0) AS original_amount_04,
        coalesce(sum(filtered.original_amount) FILTER (WHERE calendar.month = 5), 0) AS original_amount_05,
        coalesce(sum(filtered.original_amount) FILTER (WHERE calendar.month = 6), 0) AS original_amount_06,
        coalesce(sum(filtered.original_amount) FILTER (WHERE calendar.month = 7), 0) AS original_amount_07,
        coalesce(sum(filtered.original_amount) FILTER (WHERE calendar.month = 8), 0) AS original_amount_08,
        coalesce(sum(filtered.original_amount) FILTER (WHERE calendar.month = 9), 0) AS original_amount_09,
        coalesce(sum(filtered.original_amount) FILTER (WHERE calendar.month = 10), 0) AS original_amount_10,
        coalesce(sum(filtered.original_amount) FILTER (WHERE calendar.month = 11), 0) AS original_amount_11,
        coalesce(sum(filtered.original_amount) FILTER (WHERE calendar.month = 12), 0) AS original_amount_12 FROM
        (SELECT * FROM new_rows AS filtered WHERE filtered.kind IN ('commitment_amendment', 'deposit') AND
        filtered.follows IS NOT NULL) AS filtered CROSS JOIN LATERAL (
    SELECT extract(year FROM filtered.date)::int AS year, extract(month FROM filtered.date)::int AS month OFFSET 0
    ) AS calendar GROUP BY 1, 2, 3, 4, 5
      ON CONFLICT (follows, kind, original_currency, original_amount_stated, year) DO UPDATE SET n = kept.n +
        excluded.n, amount = kept.amount + excluded.amount, original_amount = kept.original_amount +
        excluded.original_amount, n_01 = kept.n_01 + excluded.n_01, n_02 = kept.n_02 + excluded.n_02, n_03 =
        kept.n_03 + excluded.n_03, n_04 = kept.n_04 + excluded.n_04, n_05 = kept.n_05 + excluded.n_05, n_06 =
        kept.n_06 + excluded.n_06, n_07 = kept.n_07 + excluded.n_07, n_08 = kept.n_08 + excluded.n_08, n_09 =
        kept.n_09 + excluded.n_09, n_10 = kept.n_10 + excluded.n_10, n_11 = kept.n_11 + excluded.n_11, n_12 =
        kept.n_12 + excluded.n_12, amount_01 = kept.amount_01 + excluded.amount_01, amount_02 = kept.amount_02 +
        excluded.amount_02, amount_03 = kept.amount_03 + excluded.amount_03, amount_04 = kept.amount_04 +
        excluded.amount_04, amount_05 = kept.amount_05 + excluded.amount_05, amount_06 = kept.amount_06 +
        excluded.amount_06, amount_07 = kept.amount_07 + excluded.amount_07, amount_08 = kept.amount_08 +
        excluded.amount_08, amount_09 = kept.amount_09 + excluded.amount_09, amount_10 = kept.amount_10 +
        excluded.amount_10, amount_11 = kept.amount_11 + excluded.amount_11, amount_12 = kept.amount_12 +
        excluded.amount_12, original_amount_01 = kept.original_amount_01 + excluded.original_amount_01,
        original_amount_02 = kept.original_amount_02 + excluded.original_amount_02, original_amount_03 =
        kept.original_amount_03 + excluded.original_amount_03, original_amount_04 = kept.original_amount_04 +
        excluded.original_amount_04, original_amount_05 = kept.original_amount_05 + excluded.original_amount_05,
        original_amount_06 = kept.original_amount_06 + excluded.original_amount_06, original_amount_07 =
        kept.original_amount_07 + excluded.original_amount_07, original_amount_08 = kept.original_amount_08 +
        excluded.original_amount_08, original_amount_09 = kept.original_amount_09 + excluded.original_amount_09,
        original_amount_10 = kept.original_amount_10 + excluded.original_amount_10, original_amount_11 =
        kept.original_amount_11 + excluded.original_amount_11, original_amount_12 = kept.original_amount_12 +
        excluded.original_amount_12;
    END IF;
    END IF;
  ELSIF TG_OP = 'UPDATE' THEN
    WITH come AS (SELECT filtered.kind, filtered.amount FROM new_rows AS filtered),
    gone AS (SELECT filtered.kind, filtered.amount FROM old_rows AS filtered),
    changed AS (
      SELECT kind, sum(side) AS n, sum(side * amount) AS amount
      FROM (SELECT 1 AS side, * FROM (TABLE come EXCEPT ALL TABLE gone) AS more UNION ALL SELECT -1, * FROM (TABLE
        gone EXCEPT ALL TABLE come) AS less) AS sides
      GROUP BY 1),
    written AS (
      INSERT INTO ledger_entry_rollup_by_kind AS kept (kind, n, amount)
      SELECT * FROM changed
      ON CONFLICT (kind) DO UPDATE SET n = kept.n + excluded.n, amount = kept.amount + excluded.amount
      RETURNING kept.ctid AS place, kept.n)
    SELECT array_agg(place) INTO emptied FROM written WHERE n = 0;
    DELETE FROM ledger_entry_rollup_by_kind WHERE ctid = ANY(emptied);
    WITH come AS (SELECT filtered.programme, filtered.organization, filtered.contributor, filtered.kind,
      filtered.category, filtered.thematic_area, filtered.flags, CASE WHEN filtered.kind = 'agent_fee' THEN (SELECT
      followed.thematic_area FROM public.ledger_entry AS followed WHERE followed.code = filtered.follows COLLATE
      "C") ELSE filtered.thematic_area END AS earmark, calendar.year AS year, calendar.month AS month,
      filtered.amount FROM new_rows AS filtered CROSS JOIN LATERAL (
    SELECT extract(year FROM filtered.date)::int AS year, extract(month FROM filtered.date)::int AS month OFFSET 0
    ) AS calendar),
    gone AS (SELECT filtered.programme, filtered.organization, filtered.contributor, filtered.kind,
      filtered.category, filtered.thematic_area, filtered.flags, CASE WHEN filtered.kind = 'agent_fee' THEN (SELECT
      followed.thematic_area FROM public.ledger_entry AS followed WHERE followed.code = filtered.follows COLLATE
      "C") ELSE filtered.thematic_area END AS earmark, calendar.year AS year, calendar.month AS month,
      filtered.amount FROM old_rows AS filtered CROSS JOIN LATERAL (
    SELECT extract(year FROM filtered.date)::int AS year, extract(month FROM filtered.date)::int AS month OFFSET 0
    ) AS calendar),
    changed AS (
      SELECT programme, organization, contributor, kind, category, thematic_area, flags, earmark, year, sum(side)
        AS n, sum(side * amount) AS amount, coalesce(sum(side) FILTER (WHERE month = 1), 0) AS n_01,
        coalesce(sum(side) FILTER (WHERE month = 2), 0) AS n_02, coalesce(sum(side) FILTER (WHERE month = 3), 0) AS
        n_03, coalesce(sum(side) FILTER (WHERE month = 4), 0) AS n_04, coalesce(sum(side) FILTER (WHERE month = 5),
        0) AS n_05, coalesce(sum(side) FILTER (WHERE month = 6), 0) AS n_06, coalesce(sum(side) FILTER (WHERE month
        = 7), 0) AS n_07, coalesce(sum(side) FILTER (WHERE month = 8), 0) AS n_08, coalesce(sum(side) FILTER (WHERE
        month = 9), 0) AS n_09, coalesce(sum(side) FILTER (WHERE month = 10), 0) AS n_10, coalesce(sum(side) FILTER
        (WHERE month = 11), 0) AS n_11, coalesce(sum(side) FILTER (WHERE month = 12), 0) AS n_12, coalesce(sum(side
        * amount) FILTER (WHERE month = 1), 0) AS amount_01, coalesce(sum(side * amount) FILTER (WHERE month = 2),
        0) AS amount_02, coalesce(sum(side * amount) FILTER (WHERE month = 3), 0) AS amount_03, coalesce(sum(side *
        amount) FILTER (WHERE month = 4), 0) AS amount_04, coalesce(sum(side * amount) FILTER (WHERE month = 5), 0)
        AS amount_05, coalesce(sum(side * amount) FILTER (WHERE month = 6), 0) AS amount_06, coalesce(sum(side *
        amount) FILTER (WHERE month = 7), 0) AS amount_07, coalesce(sum(side * amount) FILTER (WHERE month = 8), 0)
        AS amount_08, coalesce(sum(side * amount) FILTER (WHERE month = 9), 0) AS amount_09, coalesce(sum(side *
        amount) FILTER (WHERE month = 10), 0) AS amount_10, coalesce(sum(side * amount) FILTER (WHERE month = 11),
        0) AS amount_11, coalesce(sum(side * amount) FILTER (WHERE month = 12), 0) AS amount_12
      FROM (SELECT 1 AS side, * FROM (TABLE come EXCEPT ALL TABLE gone) AS more UNION ALL SELECT -1, * FROM (TABLE
        gone EXCEPT ALL TABLE come) AS less) AS sides
      GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9),
    written AS (
      INSERT INTO ledger_entry_rollup_by_party AS kept (programme, organization, contributor, kind, category,
        thematic_area, flags, earmark, year, n, amount, n_01, n_02, n_03, n_04, n_05, n_06, n_07, n_08, n_09, n_10,
        n_11, n_12, amount_01, amount_02, amount_03, amount_04, amount_05, amount_06, amount_07, amount_08,
        amount_09, amount_10, amount_11, amount_12)
      SELECT * FROM changed
      ON CONFLICT (programme, organization, contributor, kind, category, thematic_area, flags, earmark, year) DO
        UPDATE SET n = kept.n + excluded.n, amount = kept.amount + excluded.amount, n_01 = kept.n_01 +
        excluded.n_01, n_02 = kept.n_02 + excluded.n_02, n_03 = kept.n_03 + excluded.n_03, n_04 = kept.n_04 +
        excluded.n_04, n_05 = kept.n_05 + excluded.n_05, n_06 = kept.n_06 + excluded.n_06, n_07 = kept.n_07 +
        excluded.n_07, n_08 = kept.n_08 + excluded.n_08, n_09 = kept.n_09 + excluded.n_09, n_10 = kept.n_10 +
        excluded.n_10, n_11 = kept.n_11 + excluded.n_11, n_12 = kept.n_12 + excluded.n_12, amount_01 =
        kept.amount_01 + excluded.amount_01, amount_02 = kept.amount_02 + excluded.amount_02, amount_03 =
        kept.amount_03 + excluded.amount_03, amount_04 = kept.amount_04 + excluded.amount_04, amount_05 =
        kept.amount_05 + excluded.amount_05, amount_06 = kept.amount_06 + excluded.amount_06, amount_07 =
        kept.amount_07 + excluded.amount_07, amount_08 = kept.amount_08 + excluded.amount_08, amount_09 =
        kept.amount_09 + excluded.amount_09, amount_10 = kept.amount_10 + excluded.amount_10, amount_11 =
        kept.amount_11 + excluded.amount_11, amount_12 = kept.amount_12 + excluded.amount_12
      RETURNING kept.ctid AS place, kept.n)
    SELECT array_agg(place) INTO emptied FROM written WHERE n = 0;
    DELETE FROM ledger_entry_rollup_by_party WHERE ctid = ANY(emptied);
    WITH come AS (SELECT filtered.kind, filtered.date, filtered.amount FROM new_rows AS filtered),
    gone AS (SELECT filtered.kind, filtered.date, filtered.amount FROM old_rows AS filtered),
    changed AS (
      SELECT kind, date, sum(side) AS n, sum(side * amount) AS amount
      FROM (SELECT 1 AS side, * FROM (TABLE come EXCEPT ALL TABLE gone) AS more UNION ALL SELECT -1, * FROM (TABLE
        gone EXCEPT ALL TABLE come) AS less) AS sides
      GROUP BY 1, 2),
    written AS (
      INSERT INTO ledger_entry_rollup_by_day AS kept (kind, date, n, amount, least_amount, most_amount)
      SELECT * FROM changed
      CROSS JOIN LATERAL (SELECT min(filtered.amount) AS least_amount, max(filtered.amount) AS most_amount FROM
        ledger_entry AS filtered
        WHERE filtered.kind = changed.kind AND filtered.date = changed.date) AS found
      ON CONFLICT (kind, date) DO UPDATE SET n = kept.n + excluded.n, amount = kept.amount + excluded.amount,
        least_amount = excluded.least_amount, most_amount = excluded.most_amount
      RETURNING kept.ctid AS place, kept.n)
    SELECT array_agg(place) INTO emptied FROM written WHERE n = 0;
    DELETE FROM ledger_entry_rollup_by_day WHERE ctid = ANY(emptied);
    WITH come AS (SELECT filtered.follows, filtered.kind, filtered.original_currency, filtered.original_amount IS
      NOT NULL AS original_amount_stated, calendar.year AS year, calendar.month AS month, filtered.amount,
      filtered.original_amount FROM (SELECT * FROM new_rows AS filtered WHERE filtered.kind IN
      ('commitment_amendment', 'deposit') AND filtered.follows IS NOT NULL) AS filtered CROSS JOIN LATERAL (
    SELECT extract(year FROM filtered.date)::int AS year, extract(month FROM filtered.date)::int AS month OFFSET 0
    ) AS calendar),
    gone AS (SELECT filtered.follows, filtered.kind, filtered.original_currency, filtered.original_amount IS NOT
      NULL AS original_amount_stated, calendar.year AS year, calendar.month AS month, filtered.amount,
      filtered.original_amount FROM (SELECT * FROM old_rows AS filtered WHERE filtered.kind IN
      ('commitment_amendment', 'deposit') AND filtered.follows IS NOT NULL) AS filtered CROSS JOIN LATERAL (
    SELECT extract(year FROM filtered.date)::int AS year, extract(month FROM filtered.date)::int AS month OFFSET 0
    ) AS calendar),
    changed AS (
      SELECT follows, kind, original_currency, original_amount_stated, year, sum(side) AS n, sum(side * amount) AS
        amount, sum(side * original_amount) AS original_amount, coalesce(sum(side) FILTER (WHERE month = 1), 0) AS
        n_01, coalesce(sum(side) FILTER (WHERE month = 2), 0) AS n_02, coalesce(sum(side) FILTER (WHERE month = 3),
        0) AS n_03, coalesce(sum(side) FILTER (WHERE month = 4), 0) AS n_04, coalesce(sum(side) FILTER (WHERE month
        = 5), 0) AS n_05, coalesce(sum(side) FILTER (WHERE month = 6), 0) AS n_06, coalesce(sum(side) FILTER (WHERE
        month = 7), 0) AS n_07, coalesce(sum(side) FILTER (WHERE month = 8), 0) AS n_08, coalesce(sum(side) FILTER
        (WHERE month = 9), 0) AS n_09, coalesce(sum(side) FILTER (WHERE month = 10), 0) AS n_10, coalesce(sum(side)
        FILTER (WHERE month = 11), 0) AS n_11, coalesce(sum(side) FILTER (WHERE month = 12), 0) AS n_12,
        coalesce(sum(side * amount) FILTER (WHERE month = 1), 0) AS amount_01, coalesce(sum(side * amount) FILTER
        (WHERE month = 2), 0) AS amount_02, coalesce(sum(side * amount) FILTER (WHERE month = 3), 0) AS amount_03,
        coalesce(sum(side * amount) FILTER (WHERE month = 4), 0) AS amount_04, coalesce(sum(side * amount) FILTER
        (WHERE month = 5), 0) AS amount_05, coalesce(sum(side * amount) FILTER (WHERE month = 6), 0) AS amount_06,
        coalesce(sum(side * amount) FILTER (WHERE month = 7), 0) AS amount_07, coalesce(sum(side * amount) FILTER
        (WHERE month = 8), 0) AS amount_08, coalesce(sum(side * amount) FILTER (WHERE month = 9), 0) AS amount_09,
        coalesce(sum(side * amount) FILTER (WHERE month = 10), 0) AS amount_10, coalesce(sum(side * amount) FILTER
        (WHERE month = 11), 0) AS amount_11, coalesce(sum(side * amount) FILTER (WHERE month = 12), 0) AS
        amount_12, coalesce(sum(side * original_amount) FILTER (WHERE month = 1), 0) AS original_amount_01,
        coalesce(sum(side * original_amount) FILTER (WHERE month = 2), 0) AS original_amount_02, coalesce(sum(side
        * original_amount) FILTER (WHERE month = 3), 0) AS original_amount_03, coalesce(sum(side * original_amount)
        FILTER (WHERE month = 4), 0) AS original_amount_04, coalesce(sum(side * original_amount) FILTER (WHERE
        month = 5), 0) AS original_amount_05, coalesce(sum(side * original_amount) FILTER (WHERE month = 6), 0) AS
        original_amount_06, coalesce(sum(side * original_amount) FILTER (WHERE month = 7), 0) AS
        original_amount_07, coalesce(sum(side * original_amount) FILTER (WHERE month = 8), 0) AS
        original_amount_08, coalesce(sum(side * original_amount) FILTER (WHERE month = 9), 0) AS
        original_amount_09, coalesce(sum(side * original_amount) FILTER (WHERE month = 10), 0) AS
        original_amount_10, coalesce(sum(side * original_amount) FILTER (WHERE month = 11), 0) AS
        original_amount_11, coalesce(sum(side * original_amount) FILTER (WHERE month = 12), 0) AS
        original_amount_12
      FROM (SELECT 1 AS side, * FROM (TABLE come EXCEPT ALL TABLE gone) AS more UNION ALL SELECT -1, * FROM (TABLE
        gone EXCEPT ALL TABLE come) AS less) AS sides
      GROUP BY 1, 2, 3, 4, 5),
    written AS (
      INSERT INTO ledger_entry_rollup_by_commitment AS kept (follows, kind, original_currency,
        original_amount_stated, year, n, amount, original_amount, n_01, n_02, n_03, n_04, n_05, n_06, n_07, n_08,
        n_09, n_10, n_11, n_12, amount_01, amount_02, amount_03, amount_04, amount_05, amount_06, amount_07,
        amount_08, amount_09, amount_10, amount_11, amount_12, original_amount_01, original_amount_02,
        original_amount_03, original_amount_04, original_amount_05, original_amount_06, original_amount_07,
        original_amount_08, original_amount_09, original_amount_10, original_amount_11, original_amount_12)
      SELECT * FROM changed
      ON CONFLICT (follows, kind, original_currency, original_amount_stated, year) DO UPDATE SET n = kept.n +
        excluded.n, amount = kept.amount + excluded.amount, original_amount = kept.original_amount +
        excluded.original_amount, n_01 = kept.n_01 + excluded.n_01, n_02 = kept.n_02 + excluded.n_02, n_03 =
        kept.n_03 + excluded.n_03, n_04 = kept.n_04 + excluded.n_04, n_05 = kept.n_05 + excluded.n_05, n_06 =
        kept.n_06 + excluded.n_06, n_07 = kept.n_07 + excluded.n_07, n_08 = kept.n_08 + excluded.n_08, n_09 =
        kept.n_09 + excluded.n_09, n_10 = kept.n_10 + excluded.n_10, n_11 = kept.n_11 + excluded.n_11, n_12 =
        kept.n_12 + excluded.n_12, amount_01 = kept.amount_01 + excluded.amount_01, amount_02 = kept.amount_02 +
        excluded.amount_02, amount_03 = kept.amount_03 + excluded.amount_03, amount_04 = kept.amount_04 +
        excluded.amount_04, amount_05 = kept.amount_05 + excluded.amount_05, amount_06 = kept.amount_06 +
        excluded.amount_06, amount_07 = kept.amount_07 + excluded.amount_07, amount_08 = kept.amount_08 +
        excluded.amount_08, amount_09 = kept.amount_09 + excluded.amount_09, amount_10 = kept.amount_10 +
        excluded.amount_10, amount_11 = kept.amount_11 + excluded.amount_11, amount_12 = kept.amount_12 +
        excluded.amount_12, original_amount_01 = kept.original_amount_01 + excluded.original_amount_01,
        original_amount_02 = kept.original_amount_02 + excluded.original_amount_02, original_amount_03 =
        kept.original_amount_03 + excluded.original_amount_03, original_amount_04 = kept.original_amount_04 +
        excluded.original_amount_04, original_amount_05 = kept.original_amount_05 + excluded.original_amount_05,
        original_amount_06 = kept.original_amount_06 + excluded.original_amount_06, original_amount_07 =
        kept.original_amount_07 + excluded.original_amount_07, original_amount_08 = kept.original_amount_08 +
        excluded.original_amount_08, original_amount_09 = kept.original_amount_09 + excluded.original_amount_09,
        original_amount_10 = kept.original_amount_10 + excluded.original_amount_10, original_amount_11 =
        kept.original_amount_11 + excluded.original_amount_11, original_amount_12 = kept.original_amount_12 +
        excluded.original_amount_12
      RETURNING kept.ctid AS place, kept.n)
    SELECT array_agg(place) INTO emptied FROM written WHERE n = 0;
    DELETE FROM ledger_entry_rollup_by_commitment WHERE ctid = ANY(emptied);
  ELSE
    WITH gone AS (SELECT filtered.kind, filtered.amount FROM old_rows AS filtered),
    changed AS (
      SELECT kind, sum(side) AS n, sum(side * amount) AS amount
      FROM (SELECT -1 AS side, * FROM gone) AS sides
      GROUP BY 1),
    written AS (
      INSERT INTO ledger_entry_rollup_by_kind AS kept (kind, n, amount)
      SELECT * FROM changed
      ON CONFLICT (kind) DO UPDATE SET n = kept.n + excluded.n, amount = kept.amount + excluded.amount
      RETURNING kept.ctid AS place, kept.n)
    SELECT array_agg(place) INTO emptied FROM written WHERE n = 0;
    DELETE FROM ledger_entry_rollup_by_kind WHERE ctid = ANY(emptied);
    WITH gone AS (SELECT filtered.programme, filtered.organization, filtered.contributor, filtered.kind,
      filtered.category, filtered.thematic_area, filtered.flags, CASE WHEN filtered.kind = 'agent_fee' THEN (SELECT
      followed.thematic_area FROM public.ledger_entry AS followed WHERE followed.code = filtered.follows COLLATE
      "C") ELSE filtered.thematic_area END AS earmark, calendar.year AS year, calendar.month AS month,
      filtered.amount FROM old_rows AS filtered CROSS JOIN LATERAL (
    SELECT extract(year FROM filtered.date)::int AS year, extract(month FROM filtered.date)::int AS month OFFSET 0
    ) AS calendar),
    changed AS (
      SELECT programme, organization, contributor, kind, category, thematic_area, flags, earmark, year, sum(side)
        AS n, sum(side * amount) AS amount, coalesce(sum(side) FILTER (WHERE month = 1), 0) AS n_01,
        coalesce(sum(side) FILTER (WHERE month = 2), 0) AS n_02, coalesce(sum(side) FILTER (WHERE month = 3), 0) AS
        n_03, coalesce(sum(side) FILTER (WHERE month = 4), 0) AS n_04, coalesce(sum(side) FILTER (WHERE month = 5),
        0) AS n_05, coalesce(sum(side) FILTER (WHERE month = 6), 0) AS n_06, coalesce(sum(side) FILTER (WHERE month
        = 7), 0) AS n_07, coalesce(sum(side) FILTER (WHERE month = 8), 0) AS n_08, coalesce(sum(side) FILTER (WHERE
        month = 9), 0) AS n_09, coalesce(sum(side) FILTER (WHERE month = 10), 0) AS n_10, coalesce(sum(side) FILTER
        (WHERE month = 11), 0) AS n_11, coalesce(sum(side) FILTER (WHERE month = 12), 0) AS n_12, coalesce(sum(side
        * amount) FILTER (WHERE month = 1), 0) AS amount_01, coalesce(sum(side * amount) FILTER (WHERE month = 2),
        0) AS amount_02, coalesce(sum(side * amount) FILTER (WHERE month = 3), 0) AS amount_03, coalesce(sum(side *
        amount) FILTER (WHERE month = 4), 0) AS amount_04, coalesce(sum(side * amount) FILTER (WHERE month = 5), 0)
        AS amount_05, coalesce(sum(side * amount) FILTER (WHERE month = 6), 0) AS amount_06, coalesce(sum(side *
        amount) FILTER (WHERE month = 7), 0) AS amount_07, coalesce(sum(side * amount) FILTER (WHERE month = 8), 0)
        AS amount_08, coalesce(sum(side * amount) FILTER (WHERE month = 9), 0) AS amount_09, coalesce(sum(side *
        amount) FILTER (WHERE month = 10), 0) AS amount_10, coalesce(sum(side * amount) FILTER (WHERE month = 11),
        0) AS amount_11, coalesce(sum(side * amount) FILTER (WHERE month = 12), 0) AS amount_12
      FROM (SELECT -1 AS side, * FROM gone) AS sides
      GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9),
    written AS (
      INSERT INTO ledger_entry_rollup_by_party AS kept (programme, organization, contributor, kind, category,
        thematic_area, flags, earmark, year, n, amount, n_01, n_02, n_03, n_04, n_05, n_06, n_07, n_08, n_09, n_10,
        n_11, n_12, amount_01, amount_02, amount_03, amount_04, amount_05, amount_06, amount_07, amount_08,
        amount_09, amount_10, amount_11, amount_12)
      SELECT * FROM changed
      ON CONFLICT (programme, organization, contributor, kind, category, thematic_area, flags, earmark, year) DO
        UPDATE SET n = kept.n + excluded.n, amount = kept.amount + excluded.amount, n_01 = kept.n_01 +
        excluded.n_01, n_02 = kept.n_02 + excluded.n_02, n_03 = kept.n_03 + excluded.n_03, n_04 = kept.n_04 +
        excluded.n_04, n_05 = kept.n_05 + excluded.n_05, n_06 = kept.n_06 + excluded.n_06, n_07 = kept.n_07 +
        excluded.n_07, n_08 = kept.n_08 + excluded.n_08, n_09 = kept.n_09 + excluded.n_09, n_10 = kept.n_10 +
        excluded.n_10, n_11 = kept.n_11 + excluded.n_11, n_12 = kept.n_12 + excluded.n_12, amount_01 =
        kept.amount_01 + excluded.amount_01, amount_02 = kept.amount_02 + excluded.amount_02, amount_03 =
        kept.amount_03 + excluded.amount_03, amount_04 = kept.amount_04 + excluded.amount_04, amount_05 =
        kept.amount_05 + excluded.amount_05, amount_06 = kept.amount_06 + excluded.amount_06, amount_07 =
        kept.amount_07 + excluded.amount_07, amount_08 = kept.amount_08 + excluded.amount_08, amount_09 =
        kept.amount_09 + excluded.amount_09, amount_10 = kept.amount_10 + excluded.amount_10, amount_11 =
        kept.amount_11 + excluded.amount_11, amount_12 = kept.amount_12 + excluded.amount_12
      RETURNING kept.ctid AS place, kept.n)
    SELECT array_agg(place) INTO emptied FROM written WHERE n = 0;
    DELETE FROM ledger_entry_rollup_by_party WHERE ctid = ANY(emptied);
    WITH gone AS (SELECT filtered.kind, filtered.date, filtered.amount FROM old_rows AS filtered),
    changed AS (
      SELECT kind, date, sum(side) AS n, sum(side * amount) AS amount
      FROM (SELECT -1 AS side, * FROM gone) AS sides
      GROUP BY 1, 2),
    written AS (
      INSERT INTO ledger_entry_rollup_by_day AS kept (kind, date, n, amount, least_amount, most_amount)
      SELECT * FROM changed
      CROSS JOIN LATERAL (SELECT min(filtered.amount) AS least_amount, max(filtered.amount) AS most_amount FROM
        ledger_entry AS filtered
        WHERE filtered.kind = changed.kind AND filtered.date = changed.date) AS found
      ON CONFLICT (kind, date) DO UPDATE SET n = kept.n + excluded.n, amount = kept.amount + excluded.amount,
        least_amount = excluded.least_amount, most_amount = excluded.most_amount
      RETURNING kept.ctid AS place, kept.n)
    SELECT array_agg(place) INTO emptied FROM written WHERE n = 0;
    DELETE FROM ledger_entry_rollup_by_day WHERE ctid = ANY(emptied);
    WITH gone AS (SELECT filtered.follows, filtered.kind, filtered.original_currency, filtered.original_amount IS
      NOT NULL AS original_amount_stated, calendar.year AS year, calendar.month AS month, filtered.amount,
      filtered.original_amount FROM (SELECT * FROM old_rows AS filtered WHERE filtered.kind IN
      ('commitment_amendment', 'deposit') AND filtered.follows IS NOT NULL) AS filtered CROSS JOIN LATERAL (
    SELECT extract(year FROM filtered.date)::int AS year, extract(month FROM filtered.date)::int AS month OFFSET 0
    ) AS calendar),
    changed AS (
      SELECT follows, kind, original_currency, original_amount_stated, year, sum(side) AS n, sum(side * amount) AS
        amount, sum(side * original_amount) AS original_amount, coalesce(sum(side) FILTER (WHERE month = 1), 0) AS
        n_01, coalesce(sum(side) FILTER (WHERE month = 2), 0) AS n_02, coalesce(sum(side) FILTER (WHERE month = 3),
        0) AS n_03, coalesce(sum(side) FILTER (WHERE month = 4), 0) AS n_04, coalesce(sum(side) FILTER (WHERE month
        = 5), 0) AS n_05, coalesce(sum(side) FILTER (WHERE month = 6), 0) AS n_06, coalesce(sum(side) FILTER (WHERE
        month = 7), 0) AS n_07, coalesce(sum(side) FILTER (WHERE month = 8), 0) AS n_08, coalesce(sum(side) FILTER
        (WHERE month = 9), 0) AS n_09, coalesce(sum(side) FILTER (WHERE month = 10), 0) AS n_10, coalesce(sum(side)
        FILTER (WHERE month = 11), 0) AS n_11, coalesce(sum(side) FILTER (WHERE month = 12), 0) AS n_12,
        coalesce(sum(side * amount) FILTER (WHERE month = 1), 0) AS amount_01, coalesce(sum(side * amount) FILTER
        (WHERE month = 2), 0) AS amount_02, coalesce(sum(side * amount) FILTER (WHERE month = 3), 0) AS amount_03,
        coalesce(sum(side * amount) FILTER (WHERE month = 4), 0) AS amount_04, coalesce(sum(side * amount) FILTER
        (WHERE month = 5), 0) AS amount_05, coalesce(sum(side * amount) FILTER (WHERE month = 6), 0) AS amount_06,
        coalesce(sum(side * amount) FILTER (WHERE month = 7), 0) AS amount_07, coalesce(sum(side * amount) FILTER
        (WHERE month = 8), 0) AS amount_08, coalesce(sum(side * amount) FILTER (WHERE month = 9), 0) AS amount_09,
        coalesce(sum(side * amount) FILTER (WHERE month = 10), 0) AS amount_10, coalesce(sum(side * amount) FILTER
        (WHERE month = 11), 0) AS amount_11, coalesce(sum(side * amount) FILTER (WHERE month = 12), 0) AS
        amount_12, coalesce(sum(side * original_amount) FILTER (WHERE month = 1), 0) AS original_amount_01,
        coalesce(sum(side * original_amount) FILTER (WHERE month = 2), 0) AS original_amount_02, coalesce(sum(side
        * original_amount) FILTER (WHERE month = 3), 0) AS original_amount_03, coalesce(sum(side * original_amount)
        FILTER (WHERE month = 4), 0) AS original_amount_04, coalesce(sum(side * original_amount) FILTER (WHERE
        month = 5), 0) AS original_amount_05, coalesce(sum(side * original_amount) FILTER (WHERE month = 6), 0) AS
        original_amount_06, coalesce(sum(side * original_amount) FILTER (WHERE month = 7), 0) AS
        original_amount_07, coalesce(sum(side * original_amount) FILTER (WHERE month = 8), 0) AS
        original_amount_08, coalesce(sum(side * original_amount) FILTER (WHERE month = 9), 0) AS
        original_amount_09, coalesce(sum(side * original_amount) FILTER (WHERE month = 10), 0) AS
        original_amount_10, coalesce(sum(side * original_amount) FILTER (WHERE month = 11), 0) AS
        original_amount_11, coalesce(sum(side * original_amount) FILTER (WHERE month = 12), 0) AS
        original_amount_12
      FROM (SELECT -1 AS side, * FROM gone) AS sides
      GROUP BY 1, 2, 3, 4, 5),
    written AS (
      INSERT INTO ledger_entry_rollup_by_commitment AS kept (follows, kind, original_currency,
        original_amount_stated, year, n, amount, original_amount, n_01, n_02, n_03, n_04, n_05, n_06, n_07, n_08,
        n_09, n_10, n_11, n_12, amount_01, amount_02, amount_03, amount_04, amount_05, amount_06, amount_07,
        amount_08, amount_09, amount_10, amount_11, amount_12, original_amount_01, original_amount_02,
        original_amount_03, original_amount_04, original_amount_05, original_amount_06, original_amount_07,
        original_amount_08, original_amount_09, original_amount_10, original_amount_11, original_amount_12)
      SELECT * FROM changed
      ON CONFLICT (follows, kind, original_currency, original_amount_stated, year) DO UPDATE SET n = kept.n +
        excluded.n, amount = kept.amount + excluded.amount, original_amount = kept.original_amount +
        excluded.original_amount, n_01 = kept.n_01 + excluded.n_01, n_02 = kept.n_02 + excluded.n_02, n_03 =
        kept.n_03 + excluded.n_03, n_04 = kept.n_04 + excluded.n_04, n_05 = kept.n_05 + excluded.n_05, n_06 =
        kept.n_06 + excluded.n_06, n_07 = kept.n_07 + excluded.n_07, n_08 = kept.n_08 + excluded.n_08, n_09 =
        kept.n_09 + excluded.n_09, n_10 = kept.n_10 + excluded.n_10, n_11 = kept.n_11 + excluded.n_11, n_12 =
        kept.n_12 + excluded.n_12, amount_01 = kept.amount_01 + excluded.amount_01, amount_02 = kept.amount_02 +
        excluded.amount_02, amount_03 = kept.amount_03 + excluded.amount_03, amount_04 = kept.amount_04 +
        excluded.amount_04, amount_05 = kept.amount_05 + excluded.amount_05, amount_06 = kept.amount_06 +
        excluded.amount_06, amount_07 = kept.amount_07 + excluded.amount_07, amount_08 = kept.amount_08 +
        excluded.amount_08, amount_09 = kept.amount_09 + excluded.amount_09, amount_10 = kept.amount_10 +
        excluded.amount_10, amount_11 = kept.amount_11 + excluded.amount_11, amount_12 = kept.amount_12 +
        excluded.amount_12, original_amount_01 = kept.original_amount_01 + excluded.original_amount_01,
        original_amount_02 = kept.original_amount_02 + excluded.original_amount_02, original_amount_03 =
        kept.original_amount_03 + excluded.original_amount_03, original_amount_04 = kept.original_amount_04 +
        excluded.original_amount_04, original_amount_05 = kept.original_amount_05 + excluded.original_amount_05,
        original_amount_06 = kept.original_amount_06 + excluded.original_amount_06, original_amount_07 =
        kept.original_amount_07 + excluded.original_amount_07, original_amount_08 = kept.original_amount_08 +
        excluded.original_amount_08, original_amount_09 = kept.original_amount_09 + excluded.original_amount_09,
        original_amount_10 = kept.original_amount_10 + excluded.original_amount_10, original_amount_11 =
        kept.original_amount_11 + excluded.original_amount_11, original_amount_12 = kept.original_amount_12 +
        excluded.original_amount_12
      RETURNING kept.ctid AS place, kept.n)
    SELECT array_agg(place) INTO emptied FROM written WHERE n = 0;
    DELETE FROM ledger_entry_rollup_by_commitment WHERE ctid = ANY(emptied);
  END IF;
  RETURN NULL;
END $$;
