DELETE FROM current_grade_count;
DELETE FROM current_grade;
ALTER TABLE current_grade
  ADD COLUMN thematic_area text,
  ADD COLUMN assessed_stage text,
  ADD COLUMN countries text[] NOT NULL,
  ADD COLUMN organizations text[] NOT NULL,
  ADD COLUMN regions text[] NOT NULL,
  ADD COLUMN subregions text[] NOT NULL,
  ADD COLUMN intermediate_regions text[] NOT NULL;
ALTER INDEX current_grade_count_alike RENAME TO current_grade_count_keys;
CREATE TABLE current_grade_rollup_by_group (
  marker TEXT,
  stage TEXT,
  division TEXT,
  code TEXT,
  grade TEXT,
  rubric TEXT,
  basis TEXT,
  budget_stage TEXT,
  currency TEXT,
  n BIGINT NOT NULL,
  programmes BIGINT NOT NULL,
  with_budget BIGINT NOT NULL,
  with_allocation BIGINT NOT NULL,
  under_review BIGINT NOT NULL,
  returned BIGINT NOT NULL,
  part_amount NUMERIC NOT NULL,
  with_part_amount BIGINT NOT NULL,
  part_allocated NUMERIC NOT NULL,
  with_part_allocated BIGINT NOT NULL
);
CREATE UNIQUE INDEX current_grade_rollup_by_group_keys ON current_grade_rollup_by_group (marker, stage, division, code,
  grade, rubric, basis, budget_stage, currency) NULLS NOT DISTINCT;
CREATE TABLE programme_rollup_by_organization (
  code TEXT,
  name TEXT,
  n BIGINT NOT NULL
);
CREATE UNIQUE INDEX programme_rollup_by_organization_keys ON programme_rollup_by_organization (code, name)
  NULLS NOT DISTINCT;
INSERT INTO programme_rollup_by_organization SELECT named->>'code', named->>'name', count(*)
  FROM programme CROSS JOIN LATERAL json_array_elements(record->'organizations') AS named GROUP BY 1, 2;
CREATE INDEX programme_revised ON programme (revised);
CREATE INDEX allocation_revised ON allocation (revised);
CREATE FUNCTION groups_of_programme(
    thematic_area text, assessed_stage text, countries text[], organizations text[],
    regions text[], subregions text[], intermediate_regions text[],
    amount numeric, place_parts numeric[], organization_parts numeric[],
    allocated numeric, allocated_place_parts numeric[], allocated_organization_parts numeric[])
  RETURNS TABLE (division text, code text, is_counted boolean, is_first boolean, budget numeric, allocation numeric)
  LANGUAGE sql IMMUTABLE AS $$
  SELECT 'thematic_area', thematic_area, true, true, amount, allocated
   UNION ALL
  SELECT 'assessed_stage', assessed_stage, true, true, amount, allocated
   UNION ALL
  SELECT listed.division, named.code, true, true, named.part, named.allocated_part
    FROM (VALUES ('country', countries, place_parts, allocated_place_parts),
                 ('organization', organizations, organization_parts, allocated_organization_parts))
         AS listed(division, codes, parts, allocated_parts)
   CROSS JOIN LATERAL unnest(CASE listed.codes WHEN '{}' THEN '{NULL}' ELSE listed.codes END,
                             listed.parts, listed.allocated_parts) AS named(code, part, allocated_part)
   UNION ALL
  SELECT level.division, place.region, is_first AND (place.region IS NOT NULL OR is_only), is_first,
         coalesce(place.part, CASE WHEN is_first AND is_only AND place_parts IS NOT NULL THEN amount END),
         coalesce(place.allocated_part,
                  CASE WHEN is_first AND is_only AND allocated_place_parts IS NOT NULL THEN allocated END)
    FROM (VALUES ('region', regions), ('subregion', subregions), ('intermediate_region', intermediate_regions))
         AS level(division, codes)
   CROSS JOIN LATERAL unnest(level.codes, place_parts, allocated_place_parts) WITH ORDINALITY
         AS place(region, part, allocated_part, n)
   CROSS JOIN LATERAL (SELECT array_position(level.codes, place.region) = place.n AS is_first,
                              array_remove(level.codes, place.region) = '{}' AS is_only) AS among
   UNION ALL
  SELECT shared.division, 'shared', true, true, shared.budget, shared.allocation
    FROM (SELECT divided.division,
                 CASE WHEN parts[1] IS NULL AND (parts IS NULL OR NOT is_one) THEN nullif(amount, 0) END AS budget,
                 CASE WHEN allocated_parts[1] IS NULL AND (allocated_parts IS NULL OR NOT is_one)
                      THEN nullif(allocated, 0) END AS allocation
            FROM (VALUES ('country', false, place_parts, allocated_place_parts),
                         ('organization', false, organization_parts, allocated_organization_parts),
                         ('region', array_remove(regions, regions[1]) = '{}', place_parts, allocated_place_parts),
                         ('subregion', array_remove(subregions, subregions[1]) = '{}',
                          place_parts, allocated_place_parts),
                         ('intermediate_region', array_remove(intermediate_regions, intermediate_regions[1]) = '{}',
                          place_parts, allocated_place_parts))
                 AS divided(division, is_one, parts, allocated_parts)) AS shared
   WHERE shared.budget IS NOT NULL OR shared.allocation IS NOT NULL
$$;
CREATE OR REPLACE FUNCTION derive_current_grades(codes text[]) RETURNS void LANGUAGE plpgsql
  SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  DELETE FROM current_grade WHERE programme IN (SELECT unnest(codes));
  INSERT INTO current_grade (code, programme, marker, stage, budget_stage, currency, amount, allocated, assessment,
                             grade, rubric, basis, under_review, returned, updated, place_parts, organization_parts,
                             allocated_place_parts, allocated_organization_parts, thematic_area, assessed_stage,
                             countries, organizations, regions, subregions, intermediate_regions)
  SELECT p.code || '.' || m.marker, p.code, m.marker, p.stage, p.budget_stage, p.currency, p.amount,
         money.allocated,
         CASE a.status WHEN 'accepted' THEN a.code END, CASE a.status WHEN 'accepted' THEN a.grade END,
         CASE a.status WHEN 'accepted' THEN a.rubric END,
         CASE a.status WHEN 'accepted' THEN a.record->>'basis' END,
         coalesce(given.under_review, false), coalesce(a.status = 'returned', false),
         greatest(p.updated, given.updated, money.updated),
         parts_by_place(p.amount, p.countries, p.record),
         parts_by_organization(p.amount, p.organizations, p.record, true),
         parts_by_place(money.allocated, p.countries, p.record),
         parts_by_organization(money.allocated, p.organizations, p.record, p.currency = 'USD'),
         p.thematic_area, CASE a.status WHEN 'accepted' THEN a.stage END, p.countries, p.organizations,
         within.regions, within.subregions, within.intermediate_regions
    FROM programme AS p
   CROSS JOIN (SELECT DISTINCT record->>'marker' AS marker FROM rubric) AS m
   CROSS JOIN LATERAL (
         SELECT array_agg(place->>'region' ORDER BY n) AS regions,
                array_agg(place->>'subregion' ORDER BY n) AS subregions,
                array_agg(place->>'intermediate_region' ORDER BY n) AS intermediate_regions
           FROM (SELECT n, (SELECT record FROM place WHERE place.code = of_country.code) AS place
                   FROM unnest(CASE p.countries WHEN '{}' THEN '{NULL}' ELSE p.countries END)
                        WITH ORDINALITY AS of_country(code, n) OFFSET 0) AS of_countries) AS within
    LEFT JOIN (SELECT DISTINCT ON (programme, marker) *
                 FROM (SELECT DISTINCT ON (programme, marker, stage, year) * FROM assessment
                        WHERE status <> 'submitted' AND programme IN (SELECT unnest(codes))
                        ORDER BY programme, marker, stage, year, version DESC) AS newest
                WHERE status <> 'withdrawn'
                ORDER BY programme, marker, assessed_on DESC NULLS LAST,
                         array_position(ARRAY['concept_note', 'programme_document', 'annual_report', 'final_report',
                                              'evaluation'], stage) DESC) AS a
           ON a.programme = p.code AND a.marker = m.marker
    LEFT JOIN (SELECT programme, marker, bool_or(status = 'submitted') AS under_review, max(updated) AS updated
                 FROM assessment WHERE programme IN (SELECT unnest(codes)) GROUP BY 1, 2) AS given
           ON given.programme = p.code AND given.marker = m.marker
    LEFT JOIN (SELECT programme, sum(amount) AS allocated, max(updated) AS updated
                 FROM allocation WHERE programme IN (SELECT unnest(codes)) GROUP BY 1) AS money
           ON money.programme = p.code
   WHERE p.code IN (SELECT unnest(codes));
END $$;
CREATE OR REPLACE FUNCTION roll_up_current_grade() RETURNS trigger LANGUAGE plpgsql
  SECURITY DEFINER SET search_path = public, pg_temp SET enable_nestloop = off AS $$
DECLARE
  emptied tid[];
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO current_grade_count AS kept (marker, stage, budget_stage, currency, grade, rubric, basis,
      programmes, with_budget, amount, with_allocation, allocated, under_review, returned)
      SELECT filtered.marker, filtered.stage, filtered.budget_stage, filtered.currency, filtered.grade,
        filtered.rubric, filtered.basis, count(*) AS programmes, sum((filtered.amount IS NOT NULL)::int) AS
        with_budget, sum(coalesce(filtered.amount, 0)) AS amount, sum((filtered.allocated IS NOT NULL)::int) AS
        with_allocation, sum(coalesce(filtered.allocated, 0)) AS allocated, sum((filtered.under_review)::int) AS
        under_review, sum((filtered.returned)::int) AS returned FROM new_rows AS filtered GROUP BY 1, 2, 3, 4, 5,
        6, 7
      ON CONFLICT (marker, stage, budget_stage, currency, grade, rubric, basis) DO UPDATE SET programmes =
        kept.programmes + excluded.programmes, with_budget = kept.with_budget + excluded.with_budget, amount =
        kept.amount + excluded.amount, with_allocation = kept.with_allocation + excluded.with_allocation, allocated
        = kept.allocated + excluded.allocated, under_review = kept.under_review + excluded.under_review, returned =
        kept.returned + excluded.returned;
    INSERT INTO current_grade_rollup_by_group AS kept (marker, stage, division, code, grade, rubric, basis,
      budget_stage, currency, n, programmes, with_budget, with_allocation, under_review, returned, part_amount,
      with_part_amount, part_allocated, with_part_allocated)
      SELECT filtered.marker AS marker, filtered.stage AS stage, part.division AS division, part.code AS code,
        filtered.grade AS grade, filtered.rubric AS rubric, filtered.basis AS basis, filtered.budget_stage AS
        budget_stage, filtered.currency AS currency, count(*) AS n, sum((part.is_counted)::int) AS programmes,
        sum((part.is_counted AND filtered.amount IS NOT NULL)::int) AS with_budget, sum((part.is_counted AND
        filtered.allocated IS NOT NULL)::int) AS with_allocation, sum((part.is_counted AND
        filtered.under_review)::int) AS under_review, sum((part.is_counted AND filtered.returned)::int) AS
        returned, sum(coalesce(part.budget, 0)) AS part_amount, sum((part.is_first AND part.budget IS NOT
        NULL)::int) AS with_part_amount, sum(coalesce(part.allocation, 0)) AS part_allocated, sum((part.is_first
        AND part.allocation IS NOT NULL)::int) AS with_part_allocated FROM new_rows AS filtered CROSS JOIN LATERAL
        groups_of_programme(filtered.thematic_area, filtered.assessed_stage, filtered.countries,
        filtered.organizations, filtered.regions, filtered.subregions, filtered.intermediate_regions,
        filtered.amount, filtered.place_parts, filtered.organization_parts, filtered.allocated,
        filtered.allocated_place_parts, filtered.allocated_organization_parts) AS part GROUP BY 1, 2, 3, 4, 5, 6,
        7, 8, 9
      ON CONFLICT (marker, stage, division, code, grade, rubric, basis, budget_stage, currency) DO UPDATE SET n =
        kept.n + excluded.n, programmes = kept.programmes + excluded.programmes, with_budget = kept.with_budget +
        excluded.with_budget, with_allocation = kept.with_allocation + excluded.with_allocation, under_review =
        kept.under_review + excluded.under_review, returned = kept.returned + excluded.returned, part_amount =
        kept.part_amount + excluded.part_amount, with_part_amount = kept.with_part_amount +
        excluded.with_part_amount, part_allocated = kept.part_allocated + excluded.part_allocated,
        with_part_allocated = kept.with_part_allocated + excluded.with_part_allocated;
  ELSIF TG_OP = 'UPDATE' THEN
    WITH come AS (SELECT filtered.marker, filtered.stage, filtered.budget_stage, filtered.currency, filtered.grade,
      filtered.rubric, filtered.basis, (filtered.amount IS NOT NULL)::int AS with_budget, coalesce(filtered.amount,
      0) AS amount, (filtered.allocated IS NOT NULL)::int AS with_allocation, coalesce(filtered.allocated, 0) AS
      allocated, (filtered.under_review)::int AS under_review, (filtered.returned)::int AS returned FROM new_rows
      AS filtered),
    gone AS (SELECT filtered.marker, filtered.stage, filtered.budget_stage, filtered.currency, filtered.grade,
      filtered.rubric, filtered.basis, (filtered.amount IS NOT NULL)::int AS with_budget, coalesce(filtered.amount,
      0) AS amount, (filtered.allocated IS NOT NULL)::int AS with_allocation, coalesce(filtered.allocated, 0) AS
      allocated, (filtered.under_review)::int AS under_review, (filtered.returned)::int AS returned FROM old_rows
      AS filtered),
    changed AS (
      SELECT marker, stage, budget_stage, currency, grade, rubric, basis, sum(side) AS programmes, sum(side *
        with_budget) AS with_budget, sum(side * amount) AS amount, sum(side * with_allocation) AS with_allocation,
        sum(side * allocated) AS allocated, sum(side * under_review) AS under_review, sum(side * returned) AS
        returned
      FROM (SELECT 1 AS side, * FROM (TABLE come EXCEPT ALL TABLE gone) AS more UNION ALL SELECT -1, * FROM (TABLE
        gone EXCEPT ALL TABLE come) AS less) AS sides
      GROUP BY 1, 2, 3, 4, 5, 6, 7),
    written AS (
      INSERT INTO current_grade_count AS kept (marker, stage, budget_stage, currency, grade, rubric, basis,
        programmes, with_budget, amount, with_allocation, allocated, under_review, returned)
      SELECT * FROM changed
      ON CONFLICT (marker, stage, budget_stage, currency, grade, rubric, basis) DO UPDATE SET programmes =
        kept.programmes + excluded.programmes, with_budget = kept.with_budget + excluded.with_budget, amount =
        kept.amount + excluded.amount, with_allocation = kept.with_allocation + excluded.with_allocation, allocated
        = kept.allocated + excluded.allocated, under_review = kept.under_review + excluded.under_review, returned =
        kept.returned + excluded.returned
      RETURNING kept.ctid AS place, kept.programmes)
    SELECT array_agg(place) INTO emptied FROM written WHERE programmes = 0;
    DELETE FROM current_grade_count WHERE ctid = ANY(emptied);
    WITH come AS (SELECT filtered.marker AS marker, filtered.stage AS stage, part.division AS division, part.code
      AS code, filtered.grade AS grade, filtered.rubric AS rubric, filtered.basis AS basis, filtered.budget_stage
      AS budget_stage, filtered.currency AS currency, (part.is_counted)::int AS programmes, (part.is_counted AND
      filtered.amount IS NOT NULL)::int AS with_budget, (part.is_counted AND filtered.allocated IS NOT NULL)::int
      AS with_allocation, (part.is_counted AND filtered.under_review)::int AS under_review, (part.is_counted AND
      filtered.returned)::int AS returned, coalesce(part.budget, 0) AS part_amount, (part.is_first AND part.budget
      IS NOT NULL)::int AS with_part_amount, coalesce(part.allocation, 0) AS part_allocated, (part.is_first AND
      part.allocation IS NOT NULL)::int AS with_part_allocated FROM new_rows AS filtered CROSS JOIN LATERAL
      groups_of_programme(filtered.thematic_area, filtered.assessed_stage, filtered.countries,
      filtered.organizations, filtered.regions, filtered.subregions, filtered.intermediate_regions,
      filtered.amount, filtered.place_parts, filtered.organization_parts, filtered.allocated,
      filtered.allocated_place_parts, filtered.allocated_organization_parts) AS part),
    gone AS (SELECT filtered.marker AS marker, filtered.stage AS stage, part.division AS division, part.code AS
      code, filtered.grade AS grade, filtered.rubric AS rubric, filtered.basis AS basis, filtered.budget_stage AS
      budget_stage, filtered.currency AS currency, (part.is_counted)::int AS programmes, (part.is_counted AND
      filtered.amount IS NOT NULL)::int AS with_budget, (part.is_counted AND filtered.allocated IS NOT NULL)::int
      AS with_allocation, (part.is_counted AND filtered.under_review)::int AS under_review, (part.is_counted AND
      filtered.returned)::int AS returned, coalesce(part.budget, 0) AS part_amount, (part.is_first AND part.budget
      IS NOT NULL)::int AS with_part_amount, coalesce(part.allocation, 0) AS part_allocated, (part.is_first AND
      part.allocation IS NOT NULL)::int AS with_part_allocated FROM old_rows AS filtered CROSS JOIN LATERAL
      groups_of_programme(filtered.thematic_area, filtered.assessed_stage, filtered.countries,
      filtered.organizations, filtered.regions, filtered.subregions, filtered.intermediate_regions,
      filtered.amount, filtered.place_parts, filtered.organization_parts, filtered.allocated,
      filtered.allocated_place_parts, filtered.allocated_organization_parts) AS part),
    changed AS (
      SELECT marker, stage, division, code, grade, rubric, basis, budget_stage, currency, sum(side) AS n, sum(side
        * programmes) AS programmes, sum(side * with_budget) AS with_budget, sum(side * with_allocation) AS
        with_allocation, sum(side * under_review) AS under_review, sum(side * returned) AS returned, sum(side *
        part_amount) AS part_amount, sum(side * with_part_amount) AS with_part_amount, sum(side * part_allocated)
        AS part_allocated, sum(side * with_part_allocated) AS with_part_allocated
      FROM (SELECT 1 AS side, * FROM (TABLE come EXCEPT ALL TABLE gone) AS more UNION ALL SELECT -1, * FROM (TABLE
        gone EXCEPT ALL TABLE come) AS less) AS sides
      GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9),
    written AS (
      INSERT INTO current_grade_rollup_by_group AS kept (marker, stage, division, code, grade, rubric, basis,
        budget_stage, currency, n, programmes, with_budget, with_allocation, under_review, returned, part_amount,
        with_part_amount, part_allocated, with_part_allocated)
      SELECT * FROM changed
      ON CONFLICT (marker, stage, division, code, grade, rubric, basis, budget_stage, currency) DO UPDATE SET n =
        kept.n + excluded.n, programmes = kept.programmes + excluded.programmes, with_budget = kept.with_budget +
        excluded.with_budget, with_allocation = kept.with_allocation + excluded.with_allocation, under_review =
        kept.under_review + excluded.under_review, returned = kept.returned + excluded.returned, part_amount =
        kept.part_amount + excluded.part_amount, with_part_amount = kept.with_part_amount +
        excluded.with_part_amount, part_allocated = kept.part_allocated + excluded.part_allocated,
        with_part_allocated = kept.with_part_allocated + excluded.with_part_allocated
      RETURNING kept.ctid AS place, kept.n)
    SELECT array_agg(place) INTO emptied FROM written WHERE n = 0;
    DELETE FROM current_grade_rollup_by_group WHERE ctid = ANY(emptied);
  ELSE
    WITH gone AS (SELECT filtered.marker, filtered.stage, filtered.budget_stage, filtered.currency, filtered.grade,
      filtered.rubric, filtered.basis, (filtered.amount IS NOT NULL)::int AS with_budget, coalesce(filtered.amount,
      0) AS amount, (filtered.allocated IS NOT NULL)::int AS with_allocation, coalesce(filtered.allocated, 0) AS
      allocated, (filtered.under_review)::int AS under_review, (filtered.returned)::int AS returned FROM old_rows
      AS filtered),
    changed AS (
      SELECT marker, stage, budget_stage, currency, grade, rubric, basis, sum(side) AS programmes, sum(side *
        with_budget) AS with_budget, sum(side * amount) AS amount, sum(side * with_allocation) AS with_allocation,
        sum(side * allocated) AS allocated, sum(side * under_review) AS under_review, sum(side * returned) AS
        returned
      FROM (SELECT -1 AS side, * FROM gone) AS sides
      GROUP BY 1, 2, 3, 4, 5, 6, 7),
    written AS (
      INSERT INTO current_grade_count AS kept (marker, stage, budget_stage, currency, grade, rubric, basis,
        programmes, with_budget, amount, with_allocation, allocated, under_review, returned)
      SELECT * FROM changed
      ON CONFLICT (marker, stage, budget_stage, currency, grade, rubric, basis) DO UPDATE SET programmes =
        kept.programmes + excluded.programmes, with_budget = kept.with_budget + excluded.with_budget, amount =
        kept.amount + excluded.amount, with_allocation = kept.with_allocation + excluded.with_allocation, allocated
        = kept.allocated + excluded.allocated, under_review = kept.under_review + excluded.under_review, returned =
        kept.returned + excluded.returned
      RETURNING kept.ctid AS place, kept.programmes)
    SELECT array_agg(place) INTO emptied FROM written WHERE programmes = 0;
    DELETE FROM current_grade_count WHERE ctid = ANY(emptied);
    WITH gone AS (SELECT filtered.marker AS marker, filtered.stage AS stage, part.division AS division, part.code
      AS code, filtered.grade AS grade, filtered.rubric AS rubric, filtered.basis AS basis, filtered.budget_stage
      AS budget_stage, filtered.currency AS currency, (part.is_counted)::int AS programmes, (part.is_counted AND
      filtered.amount IS NOT NULL)::int AS with_budget, (part.is_counted AND filtered.allocated IS NOT NULL)::int
      AS with_allocation, (part.is_counted AND filtered.under_review)::int AS under_review, (part.is_counted AND
      filtered.returned)::int AS returned, coalesce(part.budget, 0) AS part_amount, (part.is_first AND part.budget
      IS NOT NULL)::int AS with_part_amount, coalesce(part.allocation, 0) AS part_allocated, (part.is_first AND
      part.allocation IS NOT NULL)::int AS with_part_allocated FROM old_rows AS filtered CROSS JOIN LATERAL
      groups_of_programme(filtered.thematic_area, filtered.assessed_stage, filtered.countries,
      filtered.organizations, filtered.regions, filtered.subregions, filtered.intermediate_regions,
      filtered.amount, filtered.place_parts, filtered.organization_parts, filtered.allocated,
      filtered.allocated_place_parts, filtered.allocated_organization_parts) AS part),
    changed AS (
      SELECT marker, stage, division, code, grade, rubric, basis, budget_stage, currency, sum(side) AS n, sum(side
        * programmes) AS programmes, sum(side * with_budget) AS with_budget, sum(side * with_allocation) AS
        with_allocation, sum(side * under_review) AS under_review, sum(side * returned) AS returned, sum(side *
        part_amount) AS part_amount, sum(side * with_part_amount) AS with_part_amount, sum(side * part_allocated)
        AS part_allocated, sum(side * with_part_allocated) AS with_part_allocated
      FROM (SELECT -1 AS side, * FROM gone) AS sides
      GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9),
    written AS (
      INSERT INTO current_grade_rollup_by_group AS kept (marker, stage, division, code, grade, rubric, basis,
        budget_stage, currency, n, programmes, with_budget, with_allocation, under_review, returned, part_amount,
        with_part_amount, part_allocated, with_part_allocated)
      SELECT * FROM changed
      ON CONFLICT (marker, stage, division, code, grade, rubric, basis, budget_stage, currency) DO UPDATE SET n =
        kept.n + excluded.n, programmes = kept.programmes + excluded.programmes, with_budget = kept.with_budget +
        excluded.with_budget, with_allocation = kept.with_allocation + excluded.with_allocation, under_review =
        kept.under_review + excluded.under_review, returned = kept.returned + excluded.returned, part_amount =
        kept.part_amount + excluded.part_amount, with_part_amount = kept.with_part_amount +
        excluded.with_part_amount, part_allocated = kept.part_allocated + excluded.part_allocated,
        with_part_allocated = kept.with_part_allocated + excluded.with_part_allocated
      RETURNING kept.ctid AS place, kept.n)
    SELECT array_agg(place) INTO emptied FROM written WHERE n = 0;
    DELETE FROM current_grade_rollup_by_group WHERE ctid = ANY(emptied);
  END IF;
  RETURN NULL;
END $$;
CREATE OR REPLACE FUNCTION roll_up_programme() RETURNS trigger LANGUAGE plpgsql
  SECURITY DEFINER SET search_path = public, pg_temp SET enable_nestloop = off AS $$
DECLARE
  emptied tid[];
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO programme_rollup_by_organization AS kept (code, name, n)
      SELECT named->>'code' AS code, named->>'name' AS name, count(*) AS n FROM new_rows AS filtered CROSS JOIN
        LATERAL json_array_elements(filtered.record->'organizations') AS named GROUP BY 1, 2
      ON CONFLICT (code, name) DO UPDATE SET n = kept.n + excluded.n;
  ELSIF TG_OP = 'UPDATE' THEN
    WITH come AS (SELECT named->>'code' AS code, named->>'name' AS name FROM new_rows AS filtered CROSS JOIN
      LATERAL json_array_elements(filtered.record->'organizations') AS named),
    gone AS (SELECT named->>'code' AS code, named->>'name' AS name FROM old_rows AS filtered CROSS JOIN LATERAL
      json_array_elements(filtered.record->'organizations') AS named),
    changed AS (
      SELECT code, name, sum(side) AS n
      FROM (SELECT 1 AS side, * FROM (TABLE come EXCEPT ALL TABLE gone) AS more UNION ALL SELECT -1, * FROM (TABLE
        gone EXCEPT ALL TABLE come) AS less) AS sides
      GROUP BY 1, 2),
    written AS (
      INSERT INTO programme_rollup_by_organization AS kept (code, name, n)
      SELECT * FROM changed
      ON CONFLICT (code, name) DO UPDATE SET n = kept.n + excluded.n
      RETURNING kept.ctid AS place, kept.n)
    SELECT array_agg(place) INTO emptied FROM written WHERE n = 0;
    DELETE FROM programme_rollup_by_organization WHERE ctid = ANY(emptied);
  ELSE
    WITH gone AS (SELECT named->>'code' AS code, named->>'name' AS name FROM old_rows AS filtered CROSS JOIN
      LATERAL json_array_elements(filtered.record->'organizations') AS named),
    changed AS (
      SELECT code, name, sum(side) AS n
      FROM (SELECT -1 AS side, * FROM gone) AS sides
      GROUP BY 1, 2),
    written AS (
      INSERT INTO programme_rollup_by_organization AS kept (code, name, n)
      SELECT * FROM changed
      ON CONFLICT (code, name) DO UPDATE SET n = kept.n + excluded.n
      RETURNING kept.ctid AS place, kept.n)
    SELECT array_agg(place) INTO emptied FROM written WHERE n = 0;
    DELETE FROM programme_rollup_by_organization WHERE ctid = ANY(emptied);
  END IF;
  RETURN NULL;
END $$;
CREATE FUNCTION refresh_current_grades_of_places() RETURNS trigger LANGUAGE plpgsql
  SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  moved text[];
  codes text[];
BEGIN
  IF TG_OP = 'INSERT' THEN
    SELECT array_agg(code) INTO moved FROM new_rows;
  ELSIF TG_OP = 'DELETE' THEN
    SELECT array_agg(code) INTO moved FROM old_rows;
  ELSE
    WITH come AS (SELECT code, record->>'region', record->>'subregion', record->>'intermediate_region' FROM new_rows),
    gone AS (SELECT code, record->>'region', record->>'subregion', record->>'intermediate_region' FROM old_rows)
    SELECT array_agg(code) INTO moved FROM (
      (TABLE come EXCEPT TABLE gone) UNION ALL (TABLE gone EXCEPT TABLE come)) AS changed;
  END IF;
  IF moved IS NOT NULL THEN
    SELECT array_agg(code) INTO codes FROM programme WHERE countries && moved;
  END IF;
  IF codes IS NOT NULL THEN
    PERFORM derive_current_grades(codes);
  END IF;
  RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION roll_up_current_grade() FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION roll_up_programme() FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION refresh_current_grades_of_places() FROM PUBLIC;
CREATE TRIGGER roll_up_insert AFTER INSERT ON current_grade REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION roll_up_current_grade();
CREATE TRIGGER roll_up_insert AFTER INSERT ON programme REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION roll_up_programme();
CREATE TRIGGER refresh_current_grades_insert AFTER INSERT ON place REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION refresh_current_grades_of_places();
CREATE TRIGGER roll_up_update AFTER UPDATE ON current_grade REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION roll_up_current_grade();
CREATE TRIGGER roll_up_update AFTER UPDATE ON programme REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION roll_up_programme();
CREATE TRIGGER refresh_current_grades_update AFTER UPDATE ON place REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION refresh_current_grades_of_places();
CREATE TRIGGER roll_up_delete AFTER DELETE ON current_grade REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION roll_up_current_grade();
CREATE TRIGGER roll_up_delete AFTER DELETE ON programme REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION roll_up_programme();
CREATE TRIGGER refresh_current_grades_delete AFTER DELETE ON place REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION refresh_current_grades_of_places();
SELECT derive_current_grades(array_agg(code)) FROM programme HAVING count(*) > 0;
