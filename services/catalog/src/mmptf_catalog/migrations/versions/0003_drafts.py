"""Drafts: programmes that are not submitted yet."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"

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
        "draft",
        sa.Column("code", sa.Text(collation="C"), nullable=False),
        sa.Column("document", postgresql.JSON(astext_type=sa.Text()), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.Column("organization", sa.String(), nullable=False),
        sa.Column("words", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("revised", sa.BigInteger(), server_default=sa.text(FIRST), nullable=False),
        sa.ForeignKeyConstraint(["organization"], ["organization.code"]),
        sa.PrimaryKeyConstraint("code"),
    )
    op.create_index(op.f("ix_draft_organization"), "draft", ["organization"], unique=False)
    op.create_index(op.f("ix_draft_updated"), "draft", ["updated"], unique=False)
    for statement in _journal("draft", "draft"):
        op.execute(statement)
