CREATE FUNCTION parts_by_place(amount numeric, codes text[], record json) RETURNS numeric[]
  LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  places json := record->'places';
  share numeric;
  stated numeric := 0;
  left_over numeric := abs(amount);
  parts numeric[];
  remainders numeric[];
  largest int;
BEGIN
  IF amount IS NULL OR amount = 0 OR cardinality(codes) = 0 THEN
    RETURN CASE WHEN amount IS NOT NULL THEN array_fill(amount, ARRAY[greatest(cardinality(codes), 1)]) END;
  END IF;
  IF (record->'partly_stated')::jsonb ? 'places' THEN
    RETURN NULL;
  END IF;
  IF cardinality(codes) = 1 THEN
    RETURN ARRAY[amount];
  END IF;
  -- A loop, and no query: as of an earlier revision it runs for every programme.
  FOR n IN 1 .. cardinality(codes) LOOP
    share := CASE WHEN places->(n - 1)->>'code' = codes[n] THEN (places->(n - 1)->>'share')::numeric END;
    IF share IS NULL THEN
      RETURN array_fill(NULL::numeric, ARRAY[cardinality(codes)]);
    END IF;
    stated := stated + share;
    parts[n] := trunc(abs(amount) * share * 0.01, 2);
    remainders[n] := abs(amount) * share * 0.01 - parts[n];
    left_over := left_over - parts[n];
  END LOOP;
  IF stated <> 100 THEN
    RETURN array_fill(NULL::numeric, ARRAY[cardinality(codes)]);
  END IF;
  -- Every part is rounded down; the cents that are left go one each to the largest remainders, ties by code.
  WHILE left_over >= 0.01 LOOP
    largest := 1;
    FOR n IN 2 .. cardinality(codes) LOOP
      IF remainders[n] > remainders[largest]
          OR remainders[n] = remainders[largest] AND codes[n] < codes[largest] COLLATE "C" THEN
        largest := n;
      END IF;
    END LOOP;
    parts[largest] := parts[largest] + 0.01;
    remainders[largest] := -1;
    left_over := left_over - 0.01;
  END LOOP;
  IF amount < 0 THEN
    FOR n IN 1 .. cardinality(codes) LOOP
      parts[n] := -parts[n];
    END LOOP;
  END IF;
  RETURN parts;
END $$;
CREATE FUNCTION parts_by_organization(amount numeric, codes text[], record json, is_of_budget boolean)
  RETURNS numeric[] LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  lines json := CASE WHEN is_of_budget THEN record->'budget_by_organization' END;
  stated numeric := 0;
  parts numeric[];
BEGIN
  IF amount IS NULL OR amount = 0 OR cardinality(codes) = 0 THEN
    RETURN CASE WHEN amount IS NOT NULL THEN array_fill(amount, ARRAY[greatest(cardinality(codes), 1)]) END;
  END IF;
  IF lines::text <> '{}' THEN
    FOR n IN 1 .. cardinality(codes) LOOP
      parts[n] := sign(amount) * coalesce((lines->>codes[n])::numeric, 0);
      stated := stated + parts[n];
    END LOOP;
    IF stated = amount AND NOT EXISTS (SELECT FROM json_object_keys(lines) AS named WHERE named <> ALL(codes)) THEN
      RETURN parts;
    END IF;
  END IF;
  IF (record->'partly_stated')::jsonb ? 'organizations' THEN
    RETURN NULL;
  END IF;
  RETURN CASE WHEN cardinality(codes) = 1 THEN ARRAY[amount]
              ELSE array_fill(NULL::numeric, ARRAY[cardinality(codes)]) END;
END $$;
ALTER TABLE current_grade ADD COLUMN place_parts numeric[];
ALTER TABLE current_grade ADD COLUMN organization_parts numeric[];
ALTER TABLE current_grade ADD COLUMN allocated_place_parts numeric[];
ALTER TABLE current_grade ADD COLUMN allocated_organization_parts numeric[];
UPDATE current_grade AS s
   SET place_parts = parts_by_place(s.amount, p.countries, p.record),
       organization_parts = parts_by_organization(s.amount, p.organizations, p.record, true),
       allocated_place_parts = parts_by_place(s.allocated, p.countries, p.record),
       allocated_organization_parts = parts_by_organization(s.allocated, p.organizations, p.record, p.currency = 'USD')
  FROM programme AS p WHERE p.code = s.programme;
CREATE OR REPLACE FUNCTION derive_current_grades(codes text[]) RETURNS void LANGUAGE plpgsql
  SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  WITH gone AS (DELETE FROM current_grade WHERE programme IN (SELECT unnest(codes)) RETURNING *)
  INSERT INTO current_grade_count AS counted (marker, stage, budget_stage, currency, grade, rubric, basis, programmes, with_budget, amount, with_allocation, allocated, under_review, returned)
  SELECT marker, stage, budget_stage, currency, grade, rubric, basis, -count(*), -count(amount), -coalesce(sum(amount), 0),
         -count(allocated), -coalesce(sum(allocated), 0), -count(*) FILTER (WHERE under_review),
         -count(*) FILTER (WHERE returned)
    FROM gone GROUP BY marker, stage, budget_stage, currency, grade, rubric, basis
  ON CONFLICT (marker, stage, budget_stage, currency, grade, rubric, basis) DO UPDATE
     SET programmes = counted.programmes + excluded.programmes,
         with_budget = counted.with_budget + excluded.with_budget,
         amount = counted.amount + excluded.amount,
         with_allocation = counted.with_allocation + excluded.with_allocation,
         allocated = counted.allocated + excluded.allocated,
         under_review = counted.under_review + excluded.under_review,
         returned = counted.returned + excluded.returned;
  WITH come AS (
    INSERT INTO current_grade (code, programme, marker, stage, budget_stage, currency, amount, allocated, assessment,
                               grade, rubric, basis, under_review, returned, updated, place_parts,
                               organization_parts, allocated_place_parts, allocated_organization_parts)
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
           parts_by_organization(money.allocated, p.organizations, p.record, p.currency = 'USD')
      FROM programme AS p
     CROSS JOIN (SELECT DISTINCT record->>'marker' AS marker FROM rubric) AS m
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
     WHERE p.code IN (SELECT unnest(codes)) RETURNING *)
  INSERT INTO current_grade_count AS counted (marker, stage, budget_stage, currency, grade, rubric, basis, programmes, with_budget, amount, with_allocation, allocated, under_review, returned)
  SELECT marker, stage, budget_stage, currency, grade, rubric, basis, count(*), count(amount), coalesce(sum(amount), 0),
         count(allocated), coalesce(sum(allocated), 0), count(*) FILTER (WHERE under_review),
         count(*) FILTER (WHERE returned)
    FROM come GROUP BY marker, stage, budget_stage, currency, grade, rubric, basis
  ON CONFLICT (marker, stage, budget_stage, currency, grade, rubric, basis) DO UPDATE
     SET programmes = counted.programmes + excluded.programmes,
         with_budget = counted.with_budget + excluded.with_budget,
         amount = counted.amount + excluded.amount,
         with_allocation = counted.with_allocation + excluded.with_allocation,
         allocated = counted.allocated + excluded.allocated,
         under_review = counted.under_review + excluded.under_review,
         returned = counted.returned + excluded.returned;
  DELETE FROM current_grade_count WHERE programmes = 0;
END $$;
DELETE FROM replication WHERE service = 'catalog';
