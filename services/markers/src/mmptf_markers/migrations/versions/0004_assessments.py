"""Assessments and their drafts, targets, and the copy of the catalogue that all of it is checked against."""

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
        " WHEN (OLD.document::text <> NEW.document::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp()",
        f"CREATE TRIGGER keep_created AFTER INSERT ON {table}"
        f" REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT {execute}",
        f"CREATE TRIGGER keep_amended AFTER UPDATE ON {table}"
        f" REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT {execute}",
        f"CREATE TRIGGER keep_all BEFORE TRUNCATE ON {table} FOR EACH STATEMENT {execute}",
        f"CREATE TRIGGER keep_deleted AFTER DELETE ON {table}"
        f" REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT {execute}",
    ]


def _create_records(name: str, *columns: sa.schema.SchemaItem) -> None:
    op.create_table(
        name,
        sa.Column("code", sa.Text(collation="C"), nullable=False),
        sa.Column("document", postgresql.JSON(astext_type=sa.Text()), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        *columns,
        sa.Column("revised", sa.BigInteger(), server_default=sa.text(FIRST), nullable=False),
        sa.PrimaryKeyConstraint("code"),
    )
    op.create_index(op.f(f"ix_{name}_updated"), name, ["updated"])
    for statement in _journal(name, name):
        op.execute(statement)


def upgrade() -> None:  # noqa: D103
    op.create_table(
        "followed",
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("stored", sa.BigInteger(), nullable=False),
        sa.Column("stored_at", sa.DateTime(timezone=True)),
        sa.Column("caught_up", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("service"),
    )
    _create_records(
        "place",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("regions", postgresql.ARRAY(sa.Text()), nullable=False),
    )
    _create_records(
        "programme",
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("thematic_area", sa.String()),
        sa.Column("organizations", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("countries", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("amount", sa.Numeric(18, 2)),
        sa.Column("currency", sa.String()),
        sa.Column("budget_stage", sa.String()),
    )
    op.create_index(op.f("ix_programme_stage"), "programme", ["stage"])
    _create_records("target", sa.Column("marker", sa.String(), nullable=False))
    _create_records(
        "draft",
        sa.Column("organization", sa.String(), nullable=False),
        sa.Column("programme", sa.String(), nullable=False),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("year", sa.Integer()),
    )
    op.create_index(op.f("ix_draft_organization"), "draft", ["organization"])
    _create_records(
        "assessment",
        sa.Column("programme", sa.Text(collation="C"), nullable=False),
        sa.Column("marker", sa.String(), nullable=False),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("year", sa.Integer()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("organization", sa.String(), nullable=False),
        sa.Column("rubric", sa.String()),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("grade", sa.String()),
        sa.ForeignKeyConstraint(["rubric"], ["rubric.code"]),
    )
    op.create_index(op.f("ix_assessment_organization"), "assessment", ["organization"])
    op.create_index(op.f("ix_assessment_status"), "assessment", ["status"])
    op.create_index(
        "assessment_version",
        "assessment",
        ["programme", "marker", "stage", "year", "version"],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )
