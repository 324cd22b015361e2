"""What the ledger has allocated to programmes, and the standing of each programme, kept as records change."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"

FIRST = "nullif(current_setting('mmptf.first', true), '')::bigint"
RESTATE = """
CREATE FUNCTION restate(codes text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  WITH gone AS (DELETE FROM standing WHERE programme = ANY(codes) RETURNING *)
  INSERT INTO standing_count AS counted (marker, stage, budget_stage, currency, grade, rubric, programmes, with_budget, amount, with_allocation, allocated, under_review) SELECT marker, stage, budget_stage, currency, grade, rubric, -count(*) AS programmes, -count(amount) AS with_budget, -coalesce(sum(amount), 0) AS amount, -count(allocated) AS with_allocation, -coalesce(sum(allocated), 0) AS allocated, -count(*) FILTER (WHERE under_review) AS under_review FROM gone GROUP BY 1, 2, 3, 4, 5, 6 ON CONFLICT (marker, stage, budget_stage, currency, grade, rubric) DO UPDATE SET programmes = counted.programmes + excluded.programmes, with_budget = counted.with_budget + excluded.with_budget, amount = counted.amount + excluded.amount, with_allocation = counted.with_allocation + excluded.with_allocation, allocated = counted.allocated + excluded.allocated, under_review = counted.under_review + excluded.under_review;
  WITH come AS (INSERT INTO standing 
    SELECT p.code || '.' || m.marker AS code, p.code AS programme, m.marker, p.stage, p.budget_stage, p.currency,
           p.amount, money.allocated, a.code AS assessment, a.grade, a.rubric,
           coalesce(given.under_review, false) AS under_review,
           greatest(p.updated, given.updated, money.updated) AS updated
      FROM programme AS p
     CROSS JOIN (SELECT DISTINCT document->>'marker' AS marker FROM rubric) AS m
      LEFT JOIN (SELECT DISTINCT ON (programme, marker) * FROM assessment WHERE status = 'accepted' AND programme = ANY(codes)
                  ORDER BY programme, marker, array_position(ARRAY['concept_note', 'programme_document', 'annual_report', 'final_report'], stage) DESC, year DESC NULLS LAST,
                           version DESC) AS a ON a.programme = p.code AND a.marker = m.marker
      LEFT JOIN (SELECT programme, marker, bool_or(status = 'submitted') AS under_review, max(updated) AS updated
                   FROM assessment WHERE true AND programme = ANY(codes) GROUP BY 1, 2) AS given
             ON given.programme = p.code AND given.marker = m.marker
      LEFT JOIN (SELECT programme, sum(amount) AS allocated, max(updated) AS updated
                   FROM allocation WHERE true AND programme = ANY(codes) GROUP BY 1) AS money ON money.programme = p.code
     WHERE true AND p.code = ANY(codes) RETURNING *)
  INSERT INTO standing_count AS counted (marker, stage, budget_stage, currency, grade, rubric, programmes, with_budget, amount, with_allocation, allocated, under_review) SELECT marker, stage, budget_stage, currency, grade, rubric, count(*) AS programmes, count(amount) AS with_budget, coalesce(sum(amount), 0) AS amount, count(allocated) AS with_allocation, coalesce(sum(allocated), 0) AS allocated, count(*) FILTER (WHERE under_review) AS under_review FROM come GROUP BY 1, 2, 3, 4, 5, 6 ON CONFLICT (marker, stage, budget_stage, currency, grade, rubric) DO UPDATE SET programmes = counted.programmes + excluded.programmes, with_budget = counted.with_budget + excluded.with_budget, amount = counted.amount + excluded.amount, with_allocation = counted.with_allocation + excluded.with_allocation, allocated = counted.allocated + excluded.allocated, under_review = counted.under_review + excluded.under_review;
  DELETE FROM standing_count WHERE programmes = 0;
END $$
"""  # noqa: E501, W291
# A rubric may be of a marker that none was of: then every programme has one standing more.
KEEP_STANDINGS = """
CREATE FUNCTION keep_standings() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  codes text[];
  others text[];
BEGIN
  IF TG_TABLE_NAME = 'rubric' THEN
    SELECT array_agg(code) INTO codes FROM programme;
  ELSE
    IF TG_OP <> 'INSERT' THEN
      EXECUTE format('SELECT array_agg(%I) FROM old_rows', TG_ARGV[0]) INTO codes;
    END IF;
    IF TG_OP <> 'DELETE' THEN
      EXECUTE format('SELECT array_agg(%I) FROM new_rows', TG_ARGV[0]) INTO others;
    END IF;
    codes := codes || others;
  END IF;
  IF codes IS NOT NULL THEN
    PERFORM restate(codes);
  END IF;
  RETURN NULL;
END $$
"""


def _journal(table: str, entity: str) -> list[str]:
    """The statements that put a table of records under the journal, as they were when this version was made."""
    execute = f"EXECUTE FUNCTION journal_keep('{entity}')"
    return [
        f"CREATE TABLE {table}_past (replaced bigint NOT NULL, LIKE {table}, PRIMARY KEY (code, revised))",
        f"CREATE TRIGGER stamp BEFORE UPDATE ON {table} FOR EACH ROW"
        " WHEN (OLD.document::text <> NEW.document::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp()",
        f"CREATE TRIGGER keep_created AFTER INSERT ON {table}"
        f" REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT {execute}",
        f"CREATE TRIGGER keep_amended AFTER UPDATE ON {table}"
        f" REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT {execute}",
        f"CREATE TRIGGER keep_all BEFORE TRUNCATE ON {table} FOR EACH STATEMENT {execute}",
        f"CREATE TRIGGER keep_deleted AFTER DELETE ON {table}"
        f" REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT {execute}",
    ]


def upgrade() -> None:  # noqa: D103
    op.create_table(
        "allocation",
        sa.Column("code", sa.Text(collation="C"), nullable=False),
        sa.Column("document", postgresql.JSON(astext_type=sa.Text()), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.Column("programme", sa.Text(collation="C"), nullable=False),
        sa.Column("amount", sa.Numeric(18, 2), nullable=False),
        sa.Column("revised", sa.BigInteger(), server_default=sa.text(FIRST), nullable=False),
        sa.PrimaryKeyConstraint("code"),
    )
    op.create_index(op.f("ix_allocation_programme"), "allocation", ["programme"])
    op.create_index(op.f("ix_allocation_updated"), "allocation", ["updated"])
    for statement in _journal("allocation", "allocation"):
        op.execute(statement)
    op.create_table(
        "standing",
        sa.Column("code", sa.Text(collation="C"), nullable=False),
        sa.Column("programme", sa.Text(collation="C"), nullable=False),
        sa.Column("marker", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("budget_stage", sa.Text()),
        sa.Column("currency", sa.Text()),
        sa.Column("amount", sa.Numeric(18, 2)),
        sa.Column("allocated", sa.Numeric()),
        sa.Column("assessment", sa.Text()),
        sa.Column("grade", sa.Text()),
        sa.Column("rubric", sa.Text()),
        sa.Column("under_review", sa.Boolean(), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("code"),
    )
    op.create_index(op.f("ix_standing_programme"), "standing", ["programme"])
    op.create_index("standing_updated", "standing", ["updated", "code"])
    op.create_table(
        "standing_count",
        sa.Column("marker", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("budget_stage", sa.Text()),
        sa.Column("currency", sa.Text()),
        sa.Column("grade", sa.Text()),
        sa.Column("rubric", sa.Text()),
        sa.Column("programmes", sa.BigInteger(), nullable=False),
        sa.Column("with_budget", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.Numeric(), nullable=False),
        sa.Column("with_allocation", sa.BigInteger(), nullable=False),
        sa.Column("allocated", sa.Numeric(), nullable=False),
        sa.Column("under_review", sa.BigInteger(), nullable=False),
    )
    op.create_index(
        "standing_count_alike",
        "standing_count",
        ["marker", "stage", "budget_stage", "currency", "grade", "rubric"],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )
    op.execute(RESTATE)
    op.execute(KEEP_STANDINGS)
    op.execute("CREATE TRIGGER standings AFTER INSERT ON rubric EXECUTE FUNCTION keep_standings()")
    for table, column in (("programme", "code"), ("assessment", "programme"), ("allocation", "programme")):
        for event, rows in (
            ("INSERT", "NEW TABLE AS new_rows"),
            ("UPDATE", "OLD TABLE AS old_rows NEW TABLE AS new_rows"),
            ("DELETE", "OLD TABLE AS old_rows"),
        ):
            op.execute(
                f"CREATE TRIGGER standings_{event.lower()} AFTER {event} ON {table} REFERENCING {rows}"
                f" FOR EACH STATEMENT EXECUTE FUNCTION keep_standings('{column}')"
            )
    op.execute("SELECT restate(array_agg(code)) FROM programme")
