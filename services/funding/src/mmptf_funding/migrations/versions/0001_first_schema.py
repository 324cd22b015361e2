"""The funding service's first schema."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None

# A table that no other service has: what tells databases apart whose revision does not name their service.
OWN_TABLE = "money_stage"


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
        "contributor",
        sa.Column("code", sa.Text(collation="C"), nullable=False),
        sa.Column("document", postgresql.JSON(astext_type=sa.Text()), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("country", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("code"),
    )
    op.create_index(op.f("ix_contributor_country"), "contributor", ["country"], unique=False)
    op.create_index(op.f("ix_contributor_updated"), "contributor", ["updated"], unique=False)
    op.create_table(
        "fact",
        sa.Column("code", sa.Text(collation="C"), nullable=False),
        sa.Column("document", postgresql.JSON(astext_type=sa.Text()), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.Column("printed", sa.Numeric(precision=18, scale=2), nullable=False),
        sa.Column("computed_by", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("code"),
    )
    op.create_index(op.f("ix_fact_updated"), "fact", ["updated"], unique=False)
    op.create_table(
        "money_stage",
        sa.Column("code", sa.Text(collation="C"), nullable=False),
        sa.Column("document", postgresql.JSON(astext_type=sa.Text()), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("code"),
    )
    op.create_index(op.f("ix_money_stage_updated"), "money_stage", ["updated"], unique=False)
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
        "target",
        sa.Column("code", sa.Text(collation="C"), nullable=False),
        sa.Column("document", postgresql.JSON(astext_type=sa.Text()), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.Column("amount", sa.Numeric(precision=18, scale=2), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("due", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("code"),
    )
    op.create_index(op.f("ix_target_updated"), "target", ["updated"], unique=False)
    op.create_table(
        "contribution",
        sa.Column("code", sa.Text(collation="C"), nullable=False),
        sa.Column("document", postgresql.JSON(astext_type=sa.Text()), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.Column("contributor", sa.String(), nullable=False),
        sa.Column("contributor_type", sa.String(), nullable=False),
        sa.Column("country", sa.String(), nullable=True),
        sa.Column("amount", sa.Numeric(precision=18, scale=2), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("money_stage", sa.String(), nullable=False),
        sa.Column("basis", sa.String(), nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(
            ["contributor"],
            ["contributor.code"],
        ),
        sa.ForeignKeyConstraint(
            ["money_stage"],
            ["money_stage.code"],
        ),
        sa.PrimaryKeyConstraint("code"),
    )
    op.create_index(op.f("ix_contribution_amount"), "contribution", ["amount"], unique=False)
    op.create_index(op.f("ix_contribution_contributor"), "contribution", ["contributor"], unique=False)
    op.create_index(op.f("ix_contribution_money_stage"), "contribution", ["money_stage"], unique=False)
    op.create_index(op.f("ix_contribution_updated"), "contribution", ["updated"], unique=False)
