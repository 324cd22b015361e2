"""Which entry of the ledger a row of an import of earlier years became, so that it does so once."""

import sqlalchemy as sa
from alembic import op

revision = "funding_0029"
down_revision = "funding_0028"

FIRST = "nullif(current_setting('mmptf.first', true), '')::bigint"
EXECUTE = "FOR EACH STATEMENT EXECUTE FUNCTION journal_write('imported_entry')"
STATEMENTS = (
    "CREATE TABLE imported_entry_past (replaced bigint NOT NULL, LIKE imported_entry, PRIMARY KEY (code, revised))",
    "CREATE INDEX ix_imported_entry_updated ON imported_entry (updated)",
    "CREATE INDEX imported_entry_lower_code ON imported_entry (lower(code))",
    "CREATE INDEX imported_entry_past_replaced ON imported_entry_past (replaced)",
    "CREATE TRIGGER journal_stamp BEFORE UPDATE ON imported_entry FOR EACH ROW"
    " WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp()",
    f"CREATE TRIGGER journal_insert AFTER INSERT ON imported_entry REFERENCING NEW TABLE AS new_rows {EXECUTE}",
    "CREATE TRIGGER journal_update AFTER UPDATE ON imported_entry"
    f" REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows {EXECUTE}",
    f"CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON imported_entry {EXECUTE}",
    f"CREATE TRIGGER journal_delete AFTER DELETE ON imported_entry REFERENCING OLD TABLE AS old_rows {EXECUTE}",
)


def upgrade() -> None:  # noqa: D103
    op.create_table(
        "imported_entry",
        sa.Column("code", sa.Text(collation="C"), nullable=False),
        sa.Column("record", sa.JSON(), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.Column("entry", sa.String(), nullable=False),
        sa.Column("revised", sa.BigInteger(), server_default=sa.text(FIRST), nullable=False),
        sa.PrimaryKeyConstraint("code"),
        sa.UniqueConstraint("entry"),
        sa.ForeignKeyConstraint(["entry"], ["ledger_entry.code"]),
    )
    for statement in STATEMENTS:
        op.execute(statement)
