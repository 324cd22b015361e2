"""What the ledger has allocated to programmes, and the standing of each programme, kept as records change."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from mmptf_common.storage.journal_schema import UNDER_WAY, keep
from mmptf_markers.standings import begin_standings

revision = "0006"
down_revision = "0005"


def upgrade() -> None:  # noqa: D103
    op.create_table(
        "allocation",
        sa.Column("code", sa.Text(collation="C"), nullable=False),
        sa.Column("document", postgresql.JSON(astext_type=sa.Text()), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.Column("programme", sa.Text(collation="C"), nullable=False),
        sa.Column("amount", sa.Numeric(18, 2), nullable=False),
        sa.Column("revised", sa.BigInteger(), server_default=sa.text(UNDER_WAY), nullable=False),
        sa.PrimaryKeyConstraint("code"),
    )
    op.create_index(op.f("ix_allocation_programme"), "allocation", ["programme"])
    op.create_index(op.f("ix_allocation_updated"), "allocation", ["updated"])
    for statement in keep("allocation", "allocation"):
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
    for statement in begin_standings():
        op.execute(statement)
