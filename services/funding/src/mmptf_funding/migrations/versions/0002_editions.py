"""Editions of funding requirements: vocabulary, requirements, printed totals, initiatives, results."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"


def upgrade() -> None:  # noqa: D103
    op.create_table(
        "edition",
        sa.Column("code", sa.Text(collation="C"), nullable=False),
        sa.Column("document", postgresql.JSON(astext_type=sa.Text()), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("code"),
    )
    op.create_index(op.f("ix_edition_updated"), "edition", ["updated"], unique=False)
    op.create_table(
        "initiative",
        sa.Column("code", sa.Text(collation="C"), nullable=False),
        sa.Column("document", postgresql.JSON(astext_type=sa.Text()), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.Column("edition", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("section", sa.String(), nullable=False),
        sa.Column("amount", sa.Numeric(precision=18, scale=2), nullable=True),
        sa.Column("currency", sa.String(), nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("words", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(["edition"], ["edition.code"]),
        sa.PrimaryKeyConstraint("code"),
    )
    op.create_index(
        "initiative_words",
        "initiative",
        [sa.literal_column("array_to_tsvector(words)")],
        unique=False,
        postgresql_using="gin",
    )
    op.create_index(op.f("ix_initiative_edition"), "initiative", ["edition"], unique=False)
    op.create_index(op.f("ix_initiative_updated"), "initiative", ["updated"], unique=False)
    op.create_table(
        "printed_total",
        sa.Column("code", sa.Text(collation="C"), nullable=False),
        sa.Column("document", postgresql.JSON(astext_type=sa.Text()), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.Column("edition", sa.String(), nullable=False),
        sa.Column("division", sa.String(), nullable=False),
        sa.Column("region", sa.String(), nullable=True),
        sa.Column("value", sa.String(), nullable=False),
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("printed", sa.Numeric(precision=18, scale=2), nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["edition"], ["edition.code"]),
        sa.PrimaryKeyConstraint("code"),
    )
    op.create_index(op.f("ix_printed_total_edition"), "printed_total", ["edition"], unique=False)
    op.create_index(op.f("ix_printed_total_updated"), "printed_total", ["updated"], unique=False)
    op.create_table(
        "requirement",
        sa.Column("code", sa.Text(collation="C"), nullable=False),
        sa.Column("document", postgresql.JSON(astext_type=sa.Text()), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.Column("edition", sa.String(), nullable=False),
        sa.Column("region", sa.String(), nullable=False),
        sa.Column("region_name", sa.String(), nullable=False),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("place_name", sa.String(), nullable=False),
        sa.Column("place_as_printed", sa.String(), nullable=True),
        sa.Column("country", sa.String(), nullable=False),
        sa.Column("area", sa.String(), nullable=False),
        sa.Column("area_name", sa.String(), nullable=False),
        sa.Column("area_as_printed", sa.String(), nullable=True),
        sa.Column("amount", sa.Numeric(precision=18, scale=2), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("implied", sa.Numeric(precision=18, scale=2), nullable=True),
        sa.Column("as_printed", sa.String(), nullable=True),
        sa.Column("populations", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("confidence", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=True),
        sa.Column("source_document", sa.String(), nullable=False),
        sa.Column("source_line", sa.Integer(), nullable=True),
        sa.Column("source_locator", sa.String(), nullable=True),
        sa.Column("heading_line", sa.Integer(), nullable=True),
        sa.Column("place_line", sa.Integer(), nullable=True),
        sa.Column("populations_line", sa.Integer(), nullable=True),
        sa.Column("words", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(["edition"], ["edition.code"]),
        sa.PrimaryKeyConstraint("code"),
    )
    op.create_index(op.f("ix_requirement_country"), "requirement", ["country"], unique=False)
    op.create_index(op.f("ix_requirement_edition"), "requirement", ["edition"], unique=False)
    op.create_index(op.f("ix_requirement_place"), "requirement", ["place"], unique=False)
    op.create_index(op.f("ix_requirement_updated"), "requirement", ["updated"], unique=False)
    op.create_index(
        "requirement_amount", "requirement", [sa.literal_column("coalesce(amount, -1)"), "code"], unique=False
    )
    op.create_index(
        "requirement_words",
        "requirement",
        [sa.literal_column("array_to_tsvector(words)")],
        unique=False,
        postgresql_using="gin",
    )
    op.create_table(
        "results_matrix",
        sa.Column("code", sa.Text(collation="C"), nullable=False),
        sa.Column("document", postgresql.JSON(astext_type=sa.Text()), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.Column("edition", sa.String(), nullable=False),
        sa.Column("region", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["edition"], ["edition.code"]),
        sa.PrimaryKeyConstraint("code"),
    )
    op.create_index(op.f("ix_results_matrix_edition"), "results_matrix", ["edition"], unique=False)
    op.create_index(op.f("ix_results_matrix_updated"), "results_matrix", ["updated"], unique=False)
    op.create_table(
        "term",
        sa.Column("code", sa.Text(collation="C"), nullable=False),
        sa.Column("document", postgresql.JSON(astext_type=sa.Text()), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.Column("edition", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("term", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("region", sa.String(), nullable=True),
        sa.Column("country", sa.String(), nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["edition"], ["edition.code"]),
        sa.PrimaryKeyConstraint("code"),
        sa.UniqueConstraint("edition", "kind", "term"),
    )
    op.create_index(op.f("ix_term_kind"), "term", ["kind"], unique=False)
    op.create_index(op.f("ix_term_updated"), "term", ["updated"], unique=False)
