"""Drafts: programmes that are not submitted yet."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from mmptf_common.storage.journal_schema import UNDER_WAY, keep

revision = "0003"
down_revision = "0002"


def upgrade() -> None:  # noqa: D103
    op.create_table(
        "draft",
        sa.Column("code", sa.Text(collation="C"), nullable=False),
        sa.Column("document", postgresql.JSON(astext_type=sa.Text()), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.Column("organization", sa.String(), nullable=False),
        sa.Column("words", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("revised", sa.BigInteger(), server_default=sa.text(UNDER_WAY), nullable=False),
        sa.ForeignKeyConstraint(["organization"], ["organization.code"]),
        sa.PrimaryKeyConstraint("code"),
    )
    op.create_index(op.f("ix_draft_organization"), "draft", ["organization"], unique=False)
    op.create_index(op.f("ix_draft_updated"), "draft", ["updated"], unique=False)
    for statement in keep("draft", "draft"):
        op.execute(statement)
