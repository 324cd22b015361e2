"""Numbers and sums of rows that are equal in what filters and totals read, written by triggers."""

from alembic import op

revision = "markers_0019"
down_revision = "markers_0018"

TABLES = (
    """
    CREATE TABLE assessment_rollup (
      marker VARCHAR NOT NULL,
      stage VARCHAR NOT NULL,
      status VARCHAR NOT NULL,
      organization VARCHAR NOT NULL,
      grade VARCHAR,
      rubric VARCHAR,
      n BIGINT NOT NULL
    )""",
)
KEYS = (
    """
    CREATE UNIQUE INDEX assessment_rollup_keys ON assessment_rollup (marker, stage, status, organization, grade,
      rubric) NULLS NOT DISTINCT""",
)
# The rows of each, from those that are there.
ROWS = (
    """
    INSERT INTO assessment_rollup SELECT filtered.marker, filtered.stage, filtered.status, filtered.organization,
      filtered.grade, filtered.rubric, count(*) AS n FROM assessment AS filtered GROUP BY 1, 2, 3, 4, 5, 6""",
)
# One for each table; as the owner, since the role that serves only reads rollups.
FUNCTIONS = (
    r"""
CREATE OR REPLACE FUNCTION roll_up_assessment() RETURNS trigger LANGUAGE plpgsql
  SECURITY DEFINER SET search_path = public, pg_temp SET enable_nestloop = off AS $$
DECLARE
  emptied tid[];
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO assessment_rollup AS kept (marker, stage, status, organization, grade, rubric, n)
      SELECT filtered.marker, filtered.stage, filtered.status, filtered.organization, filtered.grade,
        filtered.rubric, count(*) AS n FROM new_rows AS filtered GROUP BY 1, 2, 3, 4, 5, 6
      ON CONFLICT (marker, stage, status, organization, grade, rubric) DO UPDATE SET n = kept.n + excluded.n;
  ELSIF TG_OP = 'UPDATE' THEN
    WITH come AS (SELECT filtered.marker, filtered.stage, filtered.status, filtered.organization, filtered.grade,
      filtered.rubric FROM new_rows AS filtered),
    gone AS (SELECT filtered.marker, filtered.stage, filtered.status, filtered.organization, filtered.grade,
      filtered.rubric FROM old_rows AS filtered),
    changed AS (
      SELECT marker, stage, status, organization, grade, rubric, sum(side) AS n
      FROM (SELECT 1 AS side, * FROM (TABLE come EXCEPT ALL TABLE gone) AS more UNION ALL SELECT -1, * FROM (TABLE
        gone EXCEPT ALL TABLE come) AS less) AS sides
      GROUP BY 1, 2, 3, 4, 5, 6),
    written AS (
      INSERT INTO assessment_rollup AS kept (marker, stage, status, organization, grade, rubric, n)
      SELECT * FROM changed
      ON CONFLICT (marker, stage, status, organization, grade, rubric) DO UPDATE SET n = kept.n + excluded.n
      RETURNING kept.ctid AS place, kept.n)
    SELECT array_agg(place) INTO emptied FROM written WHERE n = 0;
    DELETE FROM assessment_rollup WHERE ctid = ANY(emptied);
  ELSE
    WITH gone AS (SELECT filtered.marker, filtered.stage, filtered.status, filtered.organization, filtered.grade,
      filtered.rubric FROM old_rows AS filtered),
    changed AS (
      SELECT marker, stage, status, organization, grade, rubric, sum(side) AS n
      FROM (SELECT -1 AS side, * FROM gone) AS sides
      GROUP BY 1, 2, 3, 4, 5, 6),
    written AS (
      INSERT INTO assessment_rollup AS kept (marker, stage, status, organization, grade, rubric, n)
      SELECT * FROM changed
      ON CONFLICT (marker, stage, status, organization, grade, rubric) DO UPDATE SET n = kept.n + excluded.n
      RETURNING kept.ctid AS place, kept.n)
    SELECT array_agg(place) INTO emptied FROM written WHERE n = 0;
    DELETE FROM assessment_rollup WHERE ctid = ANY(emptied);
  END IF;
  RETURN NULL;
END $$
""",
)
COUNTED = ("assessment",)
EVENTS = {
    "INSERT": "NEW TABLE AS new_rows",
    "UPDATE": "OLD TABLE AS old_rows NEW TABLE AS new_rows",
    "DELETE": "OLD TABLE AS old_rows",
}


def upgrade() -> None:  # noqa: D103
    for statement in (*TABLES, *KEYS, *ROWS, *FUNCTIONS):
        op.execute(statement)
    for table in COUNTED:
        # Of what was written since a revision.
        op.execute(f"CREATE INDEX {table}_revised ON {table} (revised)")
        function = f"roll_up_{table}()"
        op.execute(f"REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC")
        for event, rows in EVENTS.items():
            op.execute(
                f"CREATE TRIGGER roll_up_{event.lower()} AFTER {event} ON {table} REFERENCING {rows}"
                f" FOR EACH STATEMENT EXECUTE FUNCTION {function}"
            )
