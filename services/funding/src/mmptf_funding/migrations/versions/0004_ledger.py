"""The ledger, and what it knows of programmes."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"

FIRST = "nullif(current_setting('mmptf.first', true), '')::bigint"


def _journal(table: str, entity: str) -> list[str]:
    """The statements that put a table of records under the journal, as they were when this version was made."""
    execute = f"EXECUTE FUNCTION journal_keep('{entity}')"
    return [
        f"CREATE TABLE {table}_past (replaced bigint NOT NULL, LIKE {table}, PRIMARY KEY (code, revised))",
        f"CREATE TRIGGER stamp BEFORE UPDATE ON {table} FOR EACH ROW"
        " WHEN (OLD.document::text <> NEW.document::text) EXECUTE FUNCTION journal_stamp()",
        f"CREATE TRIGGER keep_created AFTER INSERT ON {table}"
        f" REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT {execute}",
        f"CREATE TRIGGER keep_amended AFTER UPDATE ON {table}"
        f" REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT {execute}",
        f"CREATE TRIGGER keep_deleted AFTER DELETE ON {table}"
        f" REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT {execute}",
    ]


def upgrade() -> None:  # noqa: D103
    op.create_table(
        "programme",
        sa.Column("code", sa.Text(collation="C"), nullable=False),
        sa.Column("document", postgresql.JSON(astext_type=sa.Text()), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revised", sa.BigInteger(), server_default=sa.text(FIRST), nullable=False),
        sa.PrimaryKeyConstraint("code"),
    )
    op.create_index(op.f("ix_programme_updated"), "programme", ["updated"], unique=False)
    op.create_table(
        "ledger_entry",
        sa.Column("code", sa.Text(collation="C"), nullable=False),
        sa.Column("document", postgresql.JSON(astext_type=sa.Text()), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("date", sa.Date(), nullable=False),
        sa.Column("amount", sa.Numeric(precision=18, scale=2), nullable=False),
        sa.Column("contributor", sa.String(), nullable=True),
        sa.Column("programme", sa.String(), nullable=True),
        sa.Column("organization", sa.String(), nullable=True),
        sa.Column("thematic_area", sa.String(), nullable=True),
        sa.Column("category", sa.String(), nullable=True),
        sa.Column("follows", sa.String(), nullable=True),
        sa.Column("reverses", sa.String(), nullable=True),
        sa.Column("flags", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("revised", sa.BigInteger(), server_default=sa.text(FIRST), nullable=False),
        sa.ForeignKeyConstraint(["contributor"], ["contributor.code"]),
        sa.ForeignKeyConstraint(["follows"], ["ledger_entry.code"]),
        sa.ForeignKeyConstraint(["programme"], ["programme.code"]),
        sa.ForeignKeyConstraint(["reverses"], ["ledger_entry.code"]),
        sa.PrimaryKeyConstraint("code"),
        sa.UniqueConstraint("number"),
        sa.UniqueConstraint("reverses"),
    )
    for column in ("updated", "contributor", "organization", "follows"):
        op.create_index(op.f(f"ix_ledger_entry_{column}"), "ledger_entry", [column], unique=False)
    op.create_index("ledger_entry_programme_kind", "ledger_entry", ["programme", "kind", "organization"], unique=False)
    op.create_index("ledger_entry_kind_date", "ledger_entry", ["kind", "date"], unique=False)
    for table in ("programme", "ledger_entry"):
        for statement in _journal(table, table):
            op.execute(statement)
