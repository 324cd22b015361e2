"""The marker service's first schema."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None

# A table that no other service has: what tells databases apart whose revision does not name their service.
OWN_TABLE = "rubric"


def upgrade() -> None:  # noqa: D103
    op.create_table(
        "change",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("before", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("after", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.CheckConstraint("(action = 'create') = (before IS NULL)", name="change_before"),
        sa.CheckConstraint("(action = 'delete') = (after IS NULL)", name="change_after"),
        sa.CheckConstraint("action IN ('create', 'amend', 'delete')", name="change_action"),
        sa.PrimaryKeyConstraint("seq"),
    )
    op.create_index("change_entity_key_seq", "change", ["entity", "key", "seq"], unique=False)
    op.create_table(
        "source_document",
        sa.Column("code", sa.Text(collation="C"), nullable=False),
        sa.Column("document", postgresql.JSON(astext_type=sa.Text()), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("code"),
    )
    op.create_index(op.f("ix_source_document_updated"), "source_document", ["updated"], unique=False)
    op.create_table(
        "renamed_code",
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("current", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("entity", "code"),
    )
    op.create_table(
        "rubric",
        sa.Column("code", sa.Text(collation="C"), nullable=False),
        sa.Column("document", postgresql.JSON(astext_type=sa.Text()), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rubric", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("code"),
        sa.UniqueConstraint("hash"),
    )
    op.create_index(op.f("ix_rubric_rubric"), "rubric", ["rubric"], unique=False)
    op.create_index(op.f("ix_rubric_updated"), "rubric", ["updated"], unique=False)
    # A published version is cited by its hash: not even an operator's SQL may change what it says.
    op.execute(
        """
        CREATE FUNCTION published_rubric_never_changes() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'rubric % is published and never changes; publish another version', OLD.code
                USING ERRCODE = 'restrict_violation';
        END $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER published_rubric_never_changes
        BEFORE UPDATE OF code, rubric, version, hash OR DELETE ON rubric
        FOR EACH ROW EXECUTE FUNCTION published_rubric_never_changes()
        """
    )
