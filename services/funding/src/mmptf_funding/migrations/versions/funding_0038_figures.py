"""The figures that the texts of editions state, such as statistics and budgets; none of them is a requirement."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "funding_0038"
down_revision = "funding_0037"

FIRST = "nullif(current_setting('mmptf.first', true), '')::bigint"
EXECUTE = "FOR EACH STATEMENT EXECUTE FUNCTION journal_write('figure')"


def upgrade() -> None:  # noqa: D103
    op.create_table(
        "figure",
        sa.Column("code", sa.Text(collation="C"), nullable=False),
        sa.Column("record", sa.JSON(), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.Column("edition", sa.String(), nullable=False),
        sa.Column("region", sa.String()),
        sa.Column("countries", ARRAY(sa.Text()), nullable=False),
        sa.Column("measure", sa.String(), nullable=False),
        sa.Column("value", sa.Numeric(22, 6)),
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("qualifier", sa.String()),
        sa.Column("year_from", sa.Integer()),
        sa.Column("year_to", sa.Integer()),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("words", ARRAY(sa.Text()), nullable=False),
        sa.Column("revised", sa.BigInteger(), server_default=sa.text(FIRST), nullable=False),
        sa.ForeignKeyConstraint(["edition"], ["edition.code"]),
        sa.PrimaryKeyConstraint("code"),
    )
    for statement in (
        "CREATE TABLE figure_past (replaced bigint NOT NULL, LIKE figure, PRIMARY KEY (code, revised))",
        "CREATE INDEX ix_figure_updated ON figure (updated)",
        "CREATE INDEX ix_figure_edition ON figure (edition)",
        "CREATE INDEX figure_words ON figure USING gin (array_to_tsvector(words))",
        "CREATE INDEX figure_lower_code ON figure (lower(code))",
        "CREATE INDEX figure_past_replaced ON figure_past (replaced)",
        "CREATE TRIGGER journal_stamp BEFORE UPDATE ON figure FOR EACH ROW"
        " WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp()",
        f"CREATE TRIGGER journal_insert AFTER INSERT ON figure REFERENCING NEW TABLE AS new_rows {EXECUTE}",
        "CREATE TRIGGER journal_update AFTER UPDATE ON figure"
        f" REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows {EXECUTE}",
        f"CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON figure {EXECUTE}",
        f"CREATE TRIGGER journal_delete AFTER DELETE ON figure REFERENCING OLD TABLE AS old_rows {EXECUTE}",
    ):
        op.execute(statement)
