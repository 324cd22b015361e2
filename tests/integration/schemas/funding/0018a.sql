CREATE TABLE requirement_rollup_by_populations (
      edition VARCHAR NOT NULL,
      region VARCHAR NOT NULL,
      area VARCHAR NOT NULL,
      status VARCHAR NOT NULL,
      amount_stated BOOLEAN,
      populations TEXT[],
      n BIGINT NOT NULL,
      amount NUMERIC
    );
CREATE TABLE requirement_rollup (
      edition VARCHAR NOT NULL,
      region VARCHAR NOT NULL,
      place VARCHAR NOT NULL,
      country VARCHAR NOT NULL,
      area VARCHAR NOT NULL,
      status VARCHAR NOT NULL,
      amount_stated BOOLEAN,
      implied_stated BOOLEAN,
      n BIGINT NOT NULL,
      amount NUMERIC,
      implied NUMERIC,
      least_amount NUMERIC(18, 2),
      least_updated TIMESTAMP WITH TIME ZONE,
      most_amount NUMERIC(18, 2),
      most_updated TIMESTAMP WITH TIME ZONE
    );
CREATE TABLE requirement_rollup_by_population (
      edition VARCHAR NOT NULL,
      region VARCHAR NOT NULL,
      area VARCHAR NOT NULL,
      status VARCHAR NOT NULL,
      target_population TEXT,
      n BIGINT NOT NULL
    );
CREATE TABLE contribution_rollup (
      money_stage VARCHAR NOT NULL,
      basis VARCHAR NOT NULL,
      contributor_type VARCHAR NOT NULL,
      contributor VARCHAR NOT NULL,
      currency VARCHAR NOT NULL,
      country VARCHAR,
      n BIGINT NOT NULL,
      amount NUMERIC,
      least_amount NUMERIC(18, 2),
      least_updated TIMESTAMP WITH TIME ZONE,
      least_as_of DATE,
      most_amount NUMERIC(18, 2),
      most_updated TIMESTAMP WITH TIME ZONE,
      most_as_of DATE
    );
CREATE TABLE ledger_entry_rollup_by_kind (
      kind VARCHAR NOT NULL,
      n BIGINT NOT NULL,
      amount NUMERIC,
      least_date DATE,
      least_amount NUMERIC(18, 2),
      most_date DATE,
      most_amount NUMERIC(18, 2)
    );
CREATE TABLE ledger_entry_rollup_by_day (
      kind VARCHAR NOT NULL,
      date DATE NOT NULL,
      n BIGINT NOT NULL,
      amount NUMERIC
    );
CREATE TABLE ledger_entry_rollup_by_party (
      kind VARCHAR NOT NULL,
      flags TEXT[] NOT NULL,
      thematic_area VARCHAR,
      category VARCHAR,
      organization VARCHAR,
      contributor VARCHAR,
      programme VARCHAR,
      n BIGINT NOT NULL,
      amount NUMERIC
    );
CREATE UNIQUE INDEX requirement_rollup_by_populations_keys ON requirement_rollup_by_populations (edition,
      region, area, status, amount_stated, populations) NULLS NOT DISTINCT;
CREATE UNIQUE INDEX requirement_rollup_keys ON requirement_rollup (edition, region, place, country, area,
      status, amount_stated, implied_stated) NULLS NOT DISTINCT;
CREATE UNIQUE INDEX requirement_rollup_by_population_keys ON requirement_rollup_by_population (edition, region,
      area, status, target_population) NULLS NOT DISTINCT;
CREATE UNIQUE INDEX contribution_rollup_keys ON contribution_rollup (money_stage, basis, contributor_type,
      contributor, currency, country) NULLS NOT DISTINCT;
CREATE UNIQUE INDEX ledger_entry_rollup_by_kind_keys ON ledger_entry_rollup_by_kind (kind) NULLS NOT DISTINCT;
CREATE UNIQUE INDEX ledger_entry_rollup_by_day_keys ON ledger_entry_rollup_by_day (kind, date) NULLS NOT
      DISTINCT;
CREATE UNIQUE INDEX ledger_entry_rollup_by_party_keys ON ledger_entry_rollup_by_party (kind, flags,
      thematic_area, category, organization, contributor, programme) NULLS NOT DISTINCT;
INSERT INTO requirement_rollup_by_populations SELECT filtered.edition, filtered.region, filtered.area,
      filtered.status, filtered.amount IS NOT NULL AS amount_stated, CASE WHEN cardinality(filtered.populations) >
      1 THEN '{several,several}' ELSE filtered.populations END AS populations, count(*) AS n, sum(filtered.amount)
      AS amount FROM requirement AS filtered GROUP BY 1, 2, 3, 4, 5, 6;
INSERT INTO requirement_rollup SELECT filtered.edition, filtered.region, filtered.place, filtered.country,
      filtered.area, filtered.status, filtered.amount IS NOT NULL AS amount_stated, filtered.implied IS NOT NULL AS
      implied_stated, count(*) AS n, sum(filtered.amount) AS amount, sum(filtered.implied) AS implied,
      min(filtered.amount) AS least_amount, min(filtered.updated) AS least_updated, max(filtered.amount) AS
      most_amount, max(filtered.updated) AS most_updated FROM requirement AS filtered GROUP BY 1, 2, 3, 4, 5, 6, 7,
      8;
INSERT INTO requirement_rollup_by_population SELECT filtered.edition, filtered.region, filtered.area,
      filtered.status, named.population AS target_population, count(*) AS n FROM requirement AS filtered LEFT JOIN
      LATERAL unnest(filtered.populations) AS named(population) ON true GROUP BY 1, 2, 3, 4, 5;
INSERT INTO contribution_rollup SELECT filtered.money_stage, filtered.basis, filtered.contributor_type,
      filtered.contributor, filtered.currency, filtered.country, count(*) AS n, sum(filtered.amount) AS amount,
      min(filtered.amount) AS least_amount, min(filtered.updated) AS least_updated, min(filtered.as_of) AS
      least_as_of, max(filtered.amount) AS most_amount, max(filtered.updated) AS most_updated, max(filtered.as_of)
      AS most_as_of FROM contribution AS filtered GROUP BY 1, 2, 3, 4, 5, 6;
INSERT INTO ledger_entry_rollup_by_kind SELECT filtered.kind, count(*) AS n, sum(filtered.amount) AS amount,
      min(filtered.date) AS least_date, min(filtered.amount) AS least_amount, max(filtered.date) AS most_date,
      max(filtered.amount) AS most_amount FROM ledger_entry AS filtered GROUP BY 1;
INSERT INTO ledger_entry_rollup_by_day SELECT filtered.kind, filtered.date, count(*) AS n, sum(filtered.amount)
      AS amount FROM ledger_entry AS filtered GROUP BY 1, 2;
INSERT INTO ledger_entry_rollup_by_party SELECT filtered.kind, filtered.flags, filtered.thematic_area,
      filtered.category, filtered.organization, filtered.contributor, filtered.programme, count(*) AS n,
      sum(filtered.amount) AS amount FROM ledger_entry AS filtered GROUP BY 1, 2, 3, 4, 5, 6, 7;
CREATE OR REPLACE FUNCTION roll_up_requirement() RETURNS trigger LANGUAGE plpgsql
  SECURITY DEFINER SET search_path = public, pg_temp SET enable_nestloop = off AS $$
DECLARE
  emptied tid[];
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO requirement_rollup_by_populations AS kept (edition, region, area, status, amount_stated,
      populations, n, amount)
      SELECT filtered.edition, filtered.region, filtered.area, filtered.status, filtered.amount IS NOT NULL AS
        amount_stated, CASE WHEN cardinality(filtered.populations) > 1 THEN '{several,several}' ELSE
        filtered.populations END AS populations, count(*) AS n, sum(filtered.amount) AS amount FROM new_rows AS
        filtered GROUP BY 1, 2, 3, 4, 5, 6
      ON CONFLICT (edition, region, area, status, amount_stated, populations) DO UPDATE SET n = kept.n +
        excluded.n, amount = kept.amount + excluded.amount;
    INSERT INTO requirement_rollup AS kept (edition, region, place, country, area, status, amount_stated,
      implied_stated, n, amount, implied, least_amount, least_updated, most_amount, most_updated)
      SELECT filtered.edition, filtered.region, filtered.place, filtered.country, filtered.area, filtered.status,
        filtered.amount IS NOT NULL AS amount_stated, filtered.implied IS NOT NULL AS implied_stated, count(*) AS
        n, sum(filtered.amount) AS amount, sum(filtered.implied) AS implied, min(filtered.amount) AS least_amount,
        min(filtered.updated) AS least_updated, max(filtered.amount) AS most_amount, max(filtered.updated) AS
        most_updated FROM new_rows AS filtered GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
      ON CONFLICT (edition, region, place, country, area, status, amount_stated, implied_stated) DO UPDATE SET n =
        kept.n + excluded.n, amount = kept.amount + excluded.amount, implied = kept.implied + excluded.implied,
        least_amount = least(kept.least_amount, excluded.least_amount), least_updated = least(kept.least_updated,
        excluded.least_updated), most_amount = greatest(kept.most_amount, excluded.most_amount), most_updated =
        greatest(kept.most_updated, excluded.most_updated);
    INSERT INTO requirement_rollup_by_population AS kept (edition, region, area, status, target_population, n)
      SELECT filtered.edition, filtered.region, filtered.area, filtered.status, named.population AS
        target_population, count(*) AS n FROM new_rows AS filtered LEFT JOIN LATERAL unnest(filtered.populations)
        AS named(population) ON true GROUP BY 1, 2, 3, 4, 5
      ON CONFLICT (edition, region, area, status, target_population) DO UPDATE SET n = kept.n + excluded.n;
  ELSIF TG_OP = 'UPDATE' THEN
    WITH come AS (SELECT filtered.edition, filtered.region, filtered.area, filtered.status, filtered.amount IS NOT
      NULL AS amount_stated, CASE WHEN cardinality(filtered.populations) > 1 THEN '{several,several}' ELSE
      filtered.populations END AS populations, filtered.amount FROM new_rows AS filtered),
    gone AS (SELECT filtered.edition, filtered.region, filtered.area, filtered.status, filtered.amount IS NOT NULL
      AS amount_stated, CASE WHEN cardinality(filtered.populations) > 1 THEN '{several,several}' ELSE
      filtered.populations END AS populations, filtered.amount FROM old_rows AS filtered),
    changed AS (
      SELECT edition, region, area, status, amount_stated, populations, sum(side) AS n, sum(side * amount) AS
        amount
      FROM (SELECT 1 AS side, * FROM (TABLE come EXCEPT ALL TABLE gone) AS more UNION ALL SELECT -1, * FROM (TABLE
        gone EXCEPT ALL TABLE come) AS less) AS sides
      GROUP BY 1, 2, 3, 4, 5, 6),
    written AS (
      INSERT INTO requirement_rollup_by_populations AS kept (edition, region, area, status, amount_stated,
        populations, n, amount)
      SELECT * FROM changed
      ON CONFLICT (edition, region, area, status, amount_stated, populations) DO UPDATE SET n = kept.n +
        excluded.n, amount = kept.amount + excluded.amount
      RETURNING kept.ctid AS place, kept.n)
    SELECT array_agg(place) INTO emptied FROM written WHERE n = 0;
    DELETE FROM requirement_rollup_by_populations WHERE ctid = ANY(emptied);
    WITH come AS (SELECT filtered.edition, filtered.region, filtered.place, filtered.country, filtered.area,
      filtered.status, filtered.amount IS NOT NULL AS amount_stated, filtered.implied IS NOT NULL AS
      implied_stated, filtered.amount, filtered.implied, filtered.updated FROM new_rows AS filtered),
    gone AS (SELECT filtered.edition, filtered.region, filtered.place, filtered.country, filtered.area,
      filtered.status, filtered.amount IS NOT NULL AS amount_stated, filtered.implied IS NOT NULL AS
      implied_stated, filtered.amount, filtered.implied, filtered.updated FROM old_rows AS filtered),
    changed AS (
      SELECT edition, region, place, country, area, status, amount_stated, implied_stated, sum(side) AS n, sum(side
        * amount) AS amount, sum(side * implied) AS implied
      FROM (SELECT 1 AS side, * FROM (TABLE come EXCEPT ALL TABLE gone) AS more UNION ALL SELECT -1, * FROM (TABLE
        gone EXCEPT ALL TABLE come) AS less) AS sides
      GROUP BY 1, 2, 3, 4, 5, 6, 7, 8),
    written AS (
      INSERT INTO requirement_rollup AS kept (edition, region, place, country, area, status, amount_stated,
        implied_stated, n, amount, implied, least_amount, least_updated, most_amount, most_updated)
      SELECT * FROM changed
      CROSS JOIN LATERAL (SELECT min(filtered.amount) AS least_amount, min(filtered.updated) AS least_updated,
        max(filtered.amount) AS most_amount, max(filtered.updated) AS most_updated FROM requirement AS filtered
        WHERE filtered.edition = changed.edition AND filtered.region = changed.region AND filtered.place =
          changed.place AND filtered.country = changed.country AND filtered.area = changed.area AND filtered.status
          = changed.status AND (filtered.amount IS NOT NULL) IS NOT DISTINCT FROM changed.amount_stated AND
          (filtered.implied IS NOT NULL) IS NOT DISTINCT FROM changed.implied_stated) AS found
      ON CONFLICT (edition, region, place, country, area, status, amount_stated, implied_stated) DO UPDATE SET n =
        kept.n + excluded.n, amount = kept.amount + excluded.amount, implied = kept.implied + excluded.implied,
        least_amount = excluded.least_amount, least_updated = excluded.least_updated, most_amount =
        excluded.most_amount, most_updated = excluded.most_updated
      RETURNING kept.ctid AS place, kept.n)
    SELECT array_agg(place) INTO emptied FROM written WHERE n = 0;
    DELETE FROM requirement_rollup WHERE ctid = ANY(emptied);
    WITH come AS (SELECT filtered.edition, filtered.region, filtered.area, filtered.status, named.population AS
      target_population FROM new_rows AS filtered LEFT JOIN LATERAL unnest(filtered.populations) AS
      named(population) ON true),
    gone AS (SELECT filtered.edition, filtered.region, filtered.area, filtered.status, named.population AS
      target_population FROM old_rows AS filtered LEFT JOIN LATERAL unnest(filtered.populations) AS
      named(population) ON true),
    changed AS (
      SELECT edition, region, area, status, target_population, sum(side) AS n
      FROM (SELECT 1 AS side, * FROM (TABLE come EXCEPT ALL TABLE gone) AS more UNION ALL SELECT -1, * FROM (TABLE
        gone EXCEPT ALL TABLE come) AS less) AS sides
      GROUP BY 1, 2, 3, 4, 5),
    written AS (
      INSERT INTO requirement_rollup_by_population AS kept (edition, region, area, status, target_population, n)
      SELECT * FROM changed
      ON CONFLICT (edition, region, area, status, target_population) DO UPDATE SET n = kept.n + excluded.n
      RETURNING kept.ctid AS place, kept.n)
    SELECT array_agg(place) INTO emptied FROM written WHERE n = 0;
    DELETE FROM requirement_rollup_by_population WHERE ctid = ANY(emptied);
  ELSE
    WITH gone AS (SELECT filtered.edition, filtered.region, filtered.area, filtered.status, filtered.amount IS NOT
      NULL AS amount_stated, CASE WHEN cardinality(filtered.populations) > 1 THEN '{several,several}' ELSE
      filtered.populations END AS populations, filtered.amount FROM old_rows AS filtered),
    changed AS (
      SELECT edition, region, area, status, amount_stated, populations, sum(side) AS n, sum(side * amount) AS
        amount
      FROM (SELECT -1 AS side, * FROM gone) AS sides
      GROUP BY 1, 2, 3, 4, 5, 6),
    written AS (
      INSERT INTO requirement_rollup_by_populations AS kept (edition, region, area, status, amount_stated,
        populations, n, amount)
      SELECT * FROM changed
      ON CONFLICT (edition, region, area, status, amount_stated, populations) DO UPDATE SET n = kept.n +
        excluded.n, amount = kept.amount + excluded.amount
      RETURNING kept.ctid AS place, kept.n)
    SELECT array_agg(place) INTO emptied FROM written WHERE n = 0;
    DELETE FROM requirement_rollup_by_populations WHERE ctid = ANY(emptied);
    WITH gone AS (SELECT filtered.edition, filtered.region, filtered.place, filtered.country, filtered.area,
      filtered.status, filtered.amount IS NOT NULL AS amount_stated, filtered.implied IS NOT NULL AS
      implied_stated, filtered.amount, filtered.implied, filtered.updated FROM old_rows AS filtered),
    changed AS (
      SELECT edition, region, place, country, area, status, amount_stated, implied_stated, sum(side) AS n, sum(side
        * amount) AS amount, sum(side * implied) AS implied
      FROM (SELECT -1 AS side, * FROM gone) AS sides
      GROUP BY 1, 2, 3, 4, 5, 6, 7, 8),
    written AS (
      INSERT INTO requirement_rollup AS kept (edition, region, place, country, area, status, amount_stated,
        implied_stated, n, amount, implied, least_amount, least_updated, most_amount, most_updated)
      SELECT * FROM changed
      CROSS JOIN LATERAL (SELECT min(filtered.amount) AS least_amount, min(filtered.updated) AS least_updated,
        max(filtered.amount) AS most_amount, max(filtered.updated) AS most_updated FROM requirement AS filtered
        WHERE filtered.edition = changed.edition AND filtered.region = changed.region AND filtered.place =
          changed.place AND filtered.country = changed.country AND filtered.area = changed.area AND filtered.status
          = changed.status AND (filtered.amount IS NOT NULL) IS NOT DISTINCT FROM changed.amount_stated AND
          (filtered.implied IS NOT NULL) IS NOT DISTINCT FROM changed.implied_stated) AS found
      ON CONFLICT (edition, region, place, country, area, status, amount_stated, implied_stated) DO UPDATE SET n =
        kept.n + excluded.n, amount = kept.amount + excluded.amount, implied = kept.implied + excluded.implied,
        least_amount = excluded.least_amount, least_updated = excluded.least_updated, most_amount =
        excluded.most_amount, most_updated = excluded.most_updated
      RETURNING kept.ctid AS place, kept.n)
    SELECT array_agg(place) INTO emptied FROM written WHERE n = 0;
    DELETE FROM requirement_rollup WHERE ctid = ANY(emptied);
    WITH gone AS (SELECT filtered.edition, filtered.region, filtered.area, filtered.status, named.population AS
      target_population FROM old_rows AS filtered LEFT JOIN LATERAL unnest(filtered.populations) AS
      named(population) ON true),
    changed AS (
      SELECT edition, region, area, status, target_population, sum(side) AS n
      FROM (SELECT -1 AS side, * FROM gone) AS sides
      GROUP BY 1, 2, 3, 4, 5),
    written AS (
      INSERT INTO requirement_rollup_by_population AS kept (edition, region, area, status, target_population, n)
      SELECT * FROM changed
      ON CONFLICT (edition, region, area, status, target_population) DO UPDATE SET n = kept.n + excluded.n
      RETURNING kept.ctid AS place, kept.n)
    SELECT array_agg(place) INTO emptied FROM written WHERE n = 0;
    DELETE FROM requirement_rollup_by_population WHERE ctid = ANY(emptied);
  END IF;
  RETURN NULL;
END $$;
CREATE OR REPLACE FUNCTION roll_up_contribution() RETURNS trigger LANGUAGE plpgsql
  SECURITY DEFINER SET search_path = public, pg_temp SET enable_nestloop = off AS $$
DECLARE
  emptied tid[];
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO contribution_rollup AS kept (money_stage, basis, contributor_type, contributor, currency, country,
      n, amount, least_amount, least_updated, least_as_of, most_amount, most_updated, most_as_of)
      SELECT filtered.money_stage, filtered.basis, filtered.contributor_type, filtered.contributor,
        filtered.currency, filtered.country, count(*) AS n, sum(filtered.amount) AS amount, min(filtered.amount) AS
        least_amount, min(filtered.updated) AS least_updated, min(filtered.as_of) AS least_as_of,
        max(filtered.amount) AS most_amount, max(filtered.updated) AS most_updated, max(filtered.as_of) AS
        most_as_of FROM new_rows AS filtered GROUP BY 1, 2, 3, 4, 5, 6
      ON CONFLICT (money_stage, basis, contributor_type, contributor, currency, country) DO UPDATE SET n = kept.n +
        excluded.n, amount = kept.amount + excluded.amount, least_amount = least(kept.least_amount,
        excluded.least_amount), least_updated = least(kept.least_updated, excluded.least_updated), least_as_of =
        least(kept.least_as_of, excluded.least_as_of), most_amount = greatest(kept.most_amount,
        excluded.most_amount), most_updated = greatest(kept.most_updated, excluded.most_updated), most_as_of =
        greatest(kept.most_as_of, excluded.most_as_of);
  ELSIF TG_OP = 'UPDATE' THEN
    WITH come AS (SELECT filtered.money_stage, filtered.basis, filtered.contributor_type, filtered.contributor,
      filtered.currency, filtered.country, filtered.amount, filtered.updated, filtered.as_of FROM new_rows AS
      filtered),
    gone AS (SELECT filtered.money_stage, filtered.basis, filtered.contributor_type, filtered.contributor,
      filtered.currency, filtered.country, filtered.amount, filtered.updated, filtered.as_of FROM old_rows AS
      filtered),
    changed AS (
      SELECT money_stage, basis, contributor_type, contributor, currency, country, sum(side) AS n, sum(side *
        amount) AS amount
      FROM (SELECT 1 AS side, * FROM (TABLE come EXCEPT ALL TABLE gone) AS more UNION ALL SELECT -1, * FROM (TABLE
        gone EXCEPT ALL TABLE come) AS less) AS sides
      GROUP BY 1, 2, 3, 4, 5, 6),
    written AS (
      INSERT INTO contribution_rollup AS kept (money_stage, basis, contributor_type, contributor, currency,
        country, n, amount, least_amount, least_updated, least_as_of, most_amount, most_updated, most_as_of)
      SELECT * FROM changed
      CROSS JOIN LATERAL (SELECT min(filtered.amount) AS least_amount, min(filtered.updated) AS least_updated,
        min(filtered.as_of) AS least_as_of, max(filtered.amount) AS most_amount, max(filtered.updated) AS
        most_updated, max(filtered.as_of) AS most_as_of FROM contribution AS filtered
        WHERE filtered.money_stage = changed.money_stage AND filtered.basis = changed.basis AND
          filtered.contributor_type = changed.contributor_type AND filtered.contributor = changed.contributor AND
          filtered.currency = changed.currency AND filtered.country IS NOT DISTINCT FROM changed.country) AS found
      ON CONFLICT (money_stage, basis, contributor_type, contributor, currency, country) DO UPDATE SET n = kept.n +
        excluded.n, amount = kept.amount + excluded.amount, least_amount = excluded.least_amount, least_updated =
        excluded.least_updated, least_as_of = excluded.least_as_of, most_amount = excluded.most_amount,
        most_updated = excluded.most_updated, most_as_of = excluded.most_as_of
      RETURNING kept.ctid AS place, kept.n)
    SELECT array_agg(place) INTO emptied FROM written WHERE n = 0;
    DELETE FROM contribution_rollup WHERE ctid = ANY(emptied);
  ELSE
    WITH gone AS (SELECT filtered.money_stage, filtered.basis, filtered.contributor_type, filtered.contributor,
      filtered.currency, filtered.country, filtered.amount, filtered.updated, filtered.as_of FROM old_rows AS
      filtered),
    changed AS (
      SELECT money_stage, basis, contributor_type, contributor, currency, country, sum(side) AS n, sum(side *
        amount) AS amount
      FROM (SELECT -1 AS side, * FROM gone) AS sides
      GROUP BY 1, 2, 3, 4, 5, 6),
    written AS (
      INSERT INTO contribution_rollup AS kept (money_stage, basis, contributor_type, contributor, currency,
        country, n, amount, least_amount, least_updated, least_as_of, most_amount, most_updated, most_as_of)
      SELECT * FROM changed
      CROSS JOIN LATERAL (SELECT min(filtered.amount) AS least_amount, min(filtered.updated) AS least_updated,
        min(filtered.as_of) AS least_as_of, max(filtered.amount) AS most_amount, max(filtered.updated) AS
        most_updated, max(filtered.as_of) AS most_as_of FROM contribution AS filtered
        WHERE filtered.money_stage = changed.money_stage AND filtered.basis = changed.basis AND
          filtered.contributor_type = changed.contributor_type AND filtered.contributor = changed.contributor AND
          filtered.currency = changed.currency AND filtered.country IS NOT DISTINCT FROM changed.country) AS found
      ON CONFLICT (money_stage, basis, contributor_type, contributor, currency, country) DO UPDATE SET n = kept.n +
        excluded.n, amount = kept.amount + excluded.amount, least_amount = excluded.least_amount, least_updated =
        excluded.least_updated, least_as_of = excluded.least_as_of, most_amount = excluded.most_amount,
        most_updated = excluded.most_updated, most_as_of = excluded.most_as_of
      RETURNING kept.ctid AS place, kept.n)
    SELECT array_agg(place) INTO emptied FROM written WHERE n = 0;
    DELETE FROM contribution_rollup WHERE ctid = ANY(emptied);
  END IF;
  RETURN NULL;
END $$;
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
  END IF;
  RETURN NULL;
END $$;
CREATE INDEX requirement_revised ON requirement (revised);
REVOKE EXECUTE ON FUNCTION roll_up_requirement() FROM PUBLIC;
CREATE TRIGGER roll_up_insert AFTER INSERT ON requirement REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION roll_up_requirement();
CREATE TRIGGER roll_up_update AFTER UPDATE ON requirement REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION roll_up_requirement();
CREATE TRIGGER roll_up_delete AFTER DELETE ON requirement REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION roll_up_requirement();
CREATE INDEX contribution_revised ON contribution (revised);
REVOKE EXECUTE ON FUNCTION roll_up_contribution() FROM PUBLIC;
CREATE TRIGGER roll_up_insert AFTER INSERT ON contribution REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION roll_up_contribution();
CREATE TRIGGER roll_up_update AFTER UPDATE ON contribution REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION roll_up_contribution();
CREATE TRIGGER roll_up_delete AFTER DELETE ON contribution REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION roll_up_contribution();
CREATE INDEX ledger_entry_revised ON ledger_entry (revised);
REVOKE EXECUTE ON FUNCTION roll_up_ledger_entry() FROM PUBLIC;
CREATE TRIGGER roll_up_insert AFTER INSERT ON ledger_entry REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION roll_up_ledger_entry();
CREATE TRIGGER roll_up_update AFTER UPDATE ON ledger_entry REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION roll_up_ledger_entry();
CREATE TRIGGER roll_up_delete AFTER DELETE ON ledger_entry REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION roll_up_ledger_entry();
