ALTER TABLE requirement ADD COLUMN purpose varchar, ADD COLUMN topics text[] NOT NULL DEFAULT '{}';
ALTER TABLE requirement_past ADD COLUMN purpose varchar, ADD COLUMN topics text[] NOT NULL DEFAULT '{}';
CREATE INDEX requirement_topics ON requirement USING gin (topics);
CREATE INDEX requirement_topics_named ON requirement (cardinality(topics), code);
CREATE TABLE requirement_rollup_by_topics ( edition VARCHAR NOT NULL, region VARCHAR NOT NULL, area VARCHAR NOT
  NULL, status VARCHAR NOT NULL, amount_stated BOOLEAN, topics TEXT[], n BIGINT NOT NULL, amount NUMERIC );
CREATE UNIQUE INDEX requirement_rollup_by_topics_keys ON requirement_rollup_by_topics (edition, region, area,
  status, amount_stated, topics) NULLS NOT DISTINCT;
INSERT INTO requirement_rollup_by_topics (edition, region, area, status, amount_stated, topics, n, amount) SELECT
  filtered.edition, filtered.region, filtered.area, filtered.status, filtered.amount IS NOT NULL AS amount_stated,
  CASE WHEN cardinality(filtered.topics) > 1 THEN '{several,several}' ELSE filtered.topics END AS topics, count(*)
  AS n, sum(filtered.amount) AS amount FROM requirement AS filtered GROUP BY 1, 2, 3, 4, 5, 6;
CREATE TABLE requirement_rollup_by_topic ( edition VARCHAR NOT NULL, region VARCHAR NOT NULL, area VARCHAR NOT NULL,
  status VARCHAR NOT NULL, topic TEXT, n BIGINT NOT NULL );
CREATE UNIQUE INDEX requirement_rollup_by_topic_keys ON requirement_rollup_by_topic (edition, region, area, status,
  topic) NULLS NOT DISTINCT;
INSERT INTO requirement_rollup_by_topic (edition, region, area, status, topic, n) SELECT filtered.edition,
  filtered.region, filtered.area, filtered.status, named.topic AS topic, count(*) AS n FROM requirement AS filtered
  LEFT JOIN LATERAL unnest(filtered.topics) AS named(topic) ON true GROUP BY 1, 2, 3, 4, 5;
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
    INSERT INTO requirement_rollup_by_topics AS kept (edition, region, area, status, amount_stated, topics, n,
      amount)
      SELECT filtered.edition, filtered.region, filtered.area, filtered.status, filtered.amount IS NOT NULL AS
        amount_stated, CASE WHEN cardinality(filtered.topics) > 1 THEN '{several,several}' ELSE filtered.topics END
        AS topics, count(*) AS n, sum(filtered.amount) AS amount FROM new_rows AS filtered GROUP BY 1, 2, 3, 4, 5,
        6
      ON CONFLICT (edition, region, area, status, amount_stated, topics) DO UPDATE SET n = kept.n + excluded.n,
        amount = kept.amount + excluded.amount;
    INSERT INTO requirement_rollup_by_topic AS kept (edition, region, area, status, topic, n)
      SELECT filtered.edition, filtered.region, filtered.area, filtered.status, named.topic AS topic, count(*) AS n
        FROM new_rows AS filtered LEFT JOIN LATERAL unnest(filtered.topics) AS named(topic) ON true GROUP BY 1, 2,
        3, 4, 5
      ON CONFLICT (edition, region, area, status, topic) DO UPDATE SET n = kept.n + excluded.n;
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
    WITH come AS (SELECT filtered.edition, filtered.region, filtered.area, filtered.status, filtered.amount IS NOT
      NULL AS amount_stated, CASE WHEN cardinality(filtered.topics) > 1 THEN '{several,several}' ELSE
      filtered.topics END AS topics, filtered.amount FROM new_rows AS filtered),
    gone AS (SELECT filtered.edition, filtered.region, filtered.area, filtered.status, filtered.amount IS NOT NULL
      AS amount_stated, CASE WHEN cardinality(filtered.topics) > 1 THEN '{several,several}' ELSE filtered.topics
      END AS topics, filtered.amount FROM old_rows AS filtered),
    changed AS (
      SELECT edition, region, area, status, amount_stated, topics, sum(side) AS n, sum(side * amount) AS amount
      FROM (SELECT 1 AS side, * FROM (TABLE come EXCEPT ALL TABLE gone) AS more UNION ALL SELECT -1, * FROM (TABLE
        gone EXCEPT ALL TABLE come) AS less) AS sides
      GROUP BY 1, 2, 3, 4, 5, 6),
    written AS (
      INSERT INTO requirement_rollup_by_topics AS kept (edition, region, area, status, amount_stated, topics, n,
        amount)
      SELECT * FROM changed
      ON CONFLICT (edition, region, area, status, amount_stated, topics) DO UPDATE SET n = kept.n + excluded.n,
        amount = kept.amount + excluded.amount
      RETURNING kept.ctid AS place, kept.n)
    SELECT array_agg(place) INTO emptied FROM written WHERE n = 0;
    DELETE FROM requirement_rollup_by_topics WHERE ctid = ANY(emptied);
    WITH come AS (SELECT filtered.edition, filtered.region, filtered.area, filtered.status, named.topic AS topic
      FROM new_rows AS filtered LEFT JOIN LATERAL unnest(filtered.topics) AS named(topic) ON true),
    gone AS (SELECT filtered.edition, filtered.region, filtered.area, filtered.status, named.topic AS topic FROM
      old_rows AS filtered LEFT JOIN LATERAL unnest(filtered.topics) AS named(topic) ON true),
    changed AS (
      SELECT edition, region, area, status, topic, sum(side) AS n
      FROM (SELECT 1 AS side, * FROM (TABLE come EXCEPT ALL TABLE gone) AS more UNION ALL SELECT -1, * FROM (TABLE
        gone EXCEPT ALL TABLE come) AS less) AS sides
      GROUP BY 1, 2, 3, 4, 5),
    written AS (
      INSERT INTO requirement_rollup_by_topic AS kept (edition, region, area, status, topic, n)
      SELECT * FROM changed
      ON CONFLICT (edition, region, area, status, topic) DO UPDATE SET n = kept.n + excluded.n
      RETURNING kept.ctid AS place, kept.n)
    SELECT array_agg(place) INTO emptied FROM written WHERE n = 0;
    DELETE FROM requirement_rollup_by_topic WHERE ctid = ANY(emptied);
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
    WITH gone AS (SELECT filtered.edition, filtered.region, filtered.area, filtered.status, filtered.amount IS NOT
      NULL AS amount_stated, CASE WHEN cardinality(filtered.topics) > 1 THEN '{several,several}' ELSE
      filtered.topics END AS topics, filtered.amount FROM old_rows AS filtered),
    changed AS (
      SELECT edition, region, area, status, amount_stated, topics, sum(side) AS n, sum(side * amount) AS amount
      FROM (SELECT -1 AS side, * FROM gone) AS sides
      GROUP BY 1, 2, 3, 4, 5, 6),
    written AS (
      INSERT INTO requirement_rollup_by_topics AS kept (edition, region, area, status, amount_stated, topics, n,
        amount)
      SELECT * FROM changed
      ON CONFLICT (edition, region, area, status, amount_stated, topics) DO UPDATE SET n = kept.n + excluded.n,
        amount = kept.amount + excluded.amount
      RETURNING kept.ctid AS place, kept.n)
    SELECT array_agg(place) INTO emptied FROM written WHERE n = 0;
    DELETE FROM requirement_rollup_by_topics WHERE ctid = ANY(emptied);
    WITH gone AS (SELECT filtered.edition, filtered.region, filtered.area, filtered.status, named.topic AS topic
      FROM old_rows AS filtered LEFT JOIN LATERAL unnest(filtered.topics) AS named(topic) ON true),
    changed AS (
      SELECT edition, region, area, status, topic, sum(side) AS n
      FROM (SELECT -1 AS side, * FROM gone) AS sides
      GROUP BY 1, 2, 3, 4, 5),
    written AS (
      INSERT INTO requirement_rollup_by_topic AS kept (edition, region, area, status, topic, n)
      SELECT * FROM changed
      ON CONFLICT (edition, region, area, status, topic) DO UPDATE SET n = kept.n + excluded.n
      RETURNING kept.ctid AS place, kept.n)
    SELECT array_agg(place) INTO emptied FROM written WHERE n = 0;
    DELETE FROM requirement_rollup_by_topic WHERE ctid = ANY(emptied);
  END IF;
  RETURN NULL;
END $$;
