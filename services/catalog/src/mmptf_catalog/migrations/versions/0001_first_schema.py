"""The catalogue's first schema."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None

# A table that no other service has: what tells databases apart whose revision does not name their service.
OWN_TABLE = "guiding_principle"


def upgrade() -> None:  # noqa: D103
    op.create_table(
        "change",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("before", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("after", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.CheckConstraint("(action = 'create') = (before IS NULL)", name="change_before"),
        sa.CheckConstraint("(action = 'delete') = (after IS NULL)", name="change_after"),
        sa.CheckConstraint("action IN ('create', 'amend', 'delete')", name="change_action"),
        sa.PrimaryKeyConstraint("seq"),
    )
    op.create_index("change_entity_key_seq", "change", ["entity", "key", "seq"], unique=False)
    op.create_table(
        "clustering",
        sa.Column("code", sa.Text(collation="C"), nullable=False),
        sa.Column("document", postgresql.JSON(astext_type=sa.Text()), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("code"),
    )
    op.create_index(op.f("ix_clustering_updated"), "clustering", ["updated"], unique=False)
    op.create_table(
        "guiding_principle",
        sa.Column("code", sa.Text(collation="C"), nullable=False),
        sa.Column("document", postgresql.JSON(astext_type=sa.Text()), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("code"),
    )
    op.create_index(op.f("ix_guiding_principle_updated"), "guiding_principle", ["updated"], unique=False)
    op.create_table(
        "objective",
        sa.Column("code", sa.Text(collation="C"), nullable=False),
        sa.Column("document", postgresql.JSON(astext_type=sa.Text()), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("code"),
    )
    op.create_index(op.f("ix_objective_updated"), "objective", ["updated"], unique=False)
    op.create_table(
        "organization",
        sa.Column("code", sa.Text(collation="C"), nullable=False),
        sa.Column("document", postgresql.JSON(astext_type=sa.Text()), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("code"),
    )
    op.create_index(op.f("ix_organization_updated"), "organization", ["updated"], unique=False)
    op.create_table(
        "place",
        sa.Column("code", sa.Text(collation="C"), nullable=False),
        sa.Column("document", postgresql.JSON(astext_type=sa.Text()), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("region", sa.String(), nullable=True),
        sa.Column("regions", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("words", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("code"),
    )
    op.create_index(op.f("ix_place_updated"), "place", ["updated"], unique=False)
    op.create_index(
        "place_words", "place", [sa.literal_column("array_to_tsvector(words)")], unique=False, postgresql_using="gin"
    )
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
        "thematic_area",
        sa.Column("code", sa.Text(collation="C"), nullable=False),
        sa.Column("document", postgresql.JSON(astext_type=sa.Text()), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("code"),
    )
    op.create_index(op.f("ix_thematic_area_updated"), "thematic_area", ["updated"], unique=False)
    op.create_table(
        "programme",
        sa.Column("code", sa.Text(collation="C"), nullable=False),
        sa.Column("document", postgresql.JSON(astext_type=sa.Text()), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.Column("title_order", sa.String(), nullable=False),
        sa.Column("thematic_area", sa.String(), nullable=True),
        sa.Column("objectives", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("countries", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("regions", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("organizations", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("amount", sa.Numeric(precision=18, scale=2), nullable=True),
        sa.Column("currency", sa.String(), nullable=True),
        sa.Column("money_stage", sa.String(), nullable=True),
        sa.Column("basis", sa.String(), nullable=True),
        sa.Column("attribution", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("words", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["thematic_area"],
            ["thematic_area.code"],
        ),
        sa.PrimaryKeyConstraint("code"),
    )
    op.create_index(op.f("ix_programme_amount"), "programme", ["amount"], unique=False)
    op.create_index(op.f("ix_programme_stage"), "programme", ["stage"], unique=False)
    op.create_index(op.f("ix_programme_thematic_area"), "programme", ["thematic_area"], unique=False)
    op.create_index(op.f("ix_programme_updated"), "programme", ["updated"], unique=False)
    op.create_index("programme_countries", "programme", ["countries"], unique=False, postgresql_using="gin")
    op.create_index("programme_objectives", "programme", ["objectives"], unique=False, postgresql_using="gin")
    op.create_index("programme_organizations", "programme", ["organizations"], unique=False, postgresql_using="gin")
    op.create_index("programme_regions", "programme", ["regions"], unique=False, postgresql_using="gin")
    op.create_index(
        "programme_words",
        "programme",
        [sa.literal_column("array_to_tsvector(words)")],
        unique=False,
        postgresql_using="gin",
    )
