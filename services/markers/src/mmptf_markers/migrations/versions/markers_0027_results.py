"""The results framework: indicators of the Fund and of programmes, and the values that are reported of them."""

import sqlalchemy as sa
from alembic import op

revision = "markers_0027"
down_revision = "markers_0026"
# What the code of before reads and writes is as it was.
oldest_code = "markers_0026"

FIRST = "nullif(current_setting('mmptf.first', true), '')::bigint"
INDEXES = (
    "CREATE INDEX results_indicator_scope ON results_indicator (scope, code)",
    "CREATE INDEX results_indicator_programme ON results_indicator (programme, code)",
    "CREATE INDEX results_indicator_level ON results_indicator (level, code)",
    "CREATE INDEX results_indicator_unit ON results_indicator (unit, code)",
    "CREATE INDEX results_indicator_organization ON results_indicator (organization, code)",
    "CREATE INDEX results_indicator_computed ON results_indicator (computed, code)",
    "CREATE INDEX results_indicator_filters ON results_indicator"
    " (scope, level, unit, computed, organization, programme, code) INCLUDE (revised)",
    "CREATE INDEX results_indicator_lower_organization ON results_indicator (lower(organization))",
    "CREATE INDEX reported_value_programme ON reported_value (programme, code)",
    "CREATE INDEX reported_value_organization ON reported_value (organization, code)",
    "CREATE INDEX reported_value_status ON reported_value (status, code)",
    "CREATE INDEX reported_value_period_end ON reported_value (period_end, code)",
    "CREATE INDEX reported_value_indicator ON reported_value (indicator, period_end)",
    "CREATE INDEX reported_value_filters ON reported_value (status, indicator, programme, organization, period_end)"
    " INCLUDE (revised)",
    "CREATE INDEX reported_value_lower_organization ON reported_value (lower(organization))",
)


def _under_the_journal(table: str) -> list[str]:
    """The statements that make the table of past rows of a table, its common indexes, and its triggers."""
    execute = f"FOR EACH STATEMENT EXECUTE FUNCTION journal_write('{table}')"
    return [
        f"CREATE TABLE {table}_past (replaced bigint NOT NULL, LIKE {table}, PRIMARY KEY (code, revised))",
        f"CREATE INDEX ix_{table}_updated ON {table} (updated)",
        f"CREATE INDEX {table}_lower_code ON {table} (lower(code))",
        f"CREATE INDEX {table}_past_replaced ON {table}_past (replaced)",
        f"CREATE TRIGGER journal_stamp BEFORE UPDATE ON {table} FOR EACH ROW"
        " WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp()",
        f"CREATE TRIGGER journal_insert AFTER INSERT ON {table} REFERENCING NEW TABLE AS new_rows {execute}",
        f"CREATE TRIGGER journal_update AFTER UPDATE ON {table}"
        f" REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows {execute}",
        f"CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON {table} {execute}",
        f"CREATE TRIGGER journal_delete AFTER DELETE ON {table} REFERENCING OLD TABLE AS old_rows {execute}",
    ]


def upgrade() -> None:  # noqa: D103
    op.create_table(
        "results_indicator",
        sa.Column("code", sa.Text(collation="C"), nullable=False),
        sa.Column("record", sa.JSON(), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("programme", sa.Text(collation="C")),
        sa.Column("level", sa.String()),
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("organization", sa.String()),
        sa.Column("computed", sa.Boolean(), nullable=False),
        sa.Column("revised", sa.BigInteger(), server_default=sa.text(FIRST), nullable=False),
        sa.PrimaryKeyConstraint("code"),
    )
    op.create_table(
        "reported_value",
        sa.Column("code", sa.Text(collation="C"), nullable=False),
        sa.Column("record", sa.JSON(), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.Column("indicator", sa.Text(collation="C"), nullable=False),
        sa.Column("programme", sa.Text(collation="C")),
        sa.Column("organization", sa.String()),
        sa.Column("period_start", sa.Date()),
        sa.Column("period_end", sa.Date(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("revised", sa.BigInteger(), server_default=sa.text(FIRST), nullable=False),
        sa.PrimaryKeyConstraint("code"),
    )
    for statement in (*_under_the_journal("results_indicator"), *_under_the_journal("reported_value"), *INDEXES):
        op.execute(statement)
