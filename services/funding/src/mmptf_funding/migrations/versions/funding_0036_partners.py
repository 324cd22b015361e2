"""The donors and partners that editions list; the area and the countries of their initiatives."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "funding_0036"
down_revision = "funding_0035"

FIRST = "nullif(current_setting('mmptf.first', true), '')::bigint"
EXECUTE = "FOR EACH STATEMENT EXECUTE FUNCTION journal_write('partner')"


def upgrade() -> None:  # noqa: D103
    for table in ("initiative", "initiative_past"):
        op.execute(f"ALTER TABLE {table} ADD COLUMN area varchar, ADD COLUMN countries text[] NOT NULL DEFAULT '{{}}'")
    op.create_table(
        "partner",
        sa.Column("code", sa.Text(collation="C"), nullable=False),
        sa.Column("record", sa.JSON(), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.Column("edition", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("country", sa.String()),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("words", ARRAY(sa.Text()), nullable=False),
        sa.Column("revised", sa.BigInteger(), server_default=sa.text(FIRST), nullable=False),
        sa.ForeignKeyConstraint(["edition"], ["edition.code"]),
        sa.PrimaryKeyConstraint("code"),
    )
    for statement in (
        "CREATE TABLE partner_past (replaced bigint NOT NULL, LIKE partner, PRIMARY KEY (code, revised))",
        "CREATE INDEX ix_partner_updated ON partner (updated)",
        "CREATE INDEX ix_partner_edition ON partner (edition)",
        "CREATE INDEX partner_words ON partner USING gin (array_to_tsvector(words))",
        "CREATE INDEX partner_lower_code ON partner (lower(code))",
        "CREATE INDEX partner_past_replaced ON partner_past (replaced)",
        "CREATE TRIGGER journal_stamp BEFORE UPDATE ON partner FOR EACH ROW"
        " WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp()",
        f"CREATE TRIGGER journal_insert AFTER INSERT ON partner REFERENCING NEW TABLE AS new_rows {EXECUTE}",
        "CREATE TRIGGER journal_update AFTER UPDATE ON partner"
        f" REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows {EXECUTE}",
        f"CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON partner {EXECUTE}",
        f"CREATE TRIGGER journal_delete AFTER DELETE ON partner REFERENCING OLD TABLE AS old_rows {EXECUTE}",
    ):
        op.execute(statement)
