"""A published rubric can be superseded and translated; what it says never changes, to the last letter."""

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
        " WHEN (OLD.document::text <> NEW.document::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp()",
        f"CREATE TRIGGER keep_created AFTER INSERT ON {table}"
        f" REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT {execute}",
        f"CREATE TRIGGER keep_amended AFTER UPDATE ON {table}"
        f" REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT {execute}",
        f"CREATE TRIGGER keep_all BEFORE TRUNCATE ON {table} FOR EACH STATEMENT {execute}",
        f"CREATE TRIGGER keep_deleted AFTER DELETE ON {table}"
        f" REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT {execute}",
    ]


def upgrade() -> None:  # noqa: D103
    op.execute("DROP TRIGGER published_rubric_never_changes ON rubric")
    # Its standing changes once, and the shape of its document with a release; its hash vouches for the content.
    op.execute(
        """
        CREATE OR REPLACE FUNCTION published_rubric_never_changes() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP = 'UPDATE'
                AND (NEW.code, NEW.rubric, NEW.version, NEW.hash) = (OLD.code, OLD.rubric, OLD.version, OLD.hash)
                AND NEW.document->>'hash' = OLD.hash
                AND (NEW.document->'content')::jsonb = (OLD.document->'content')::jsonb
                AND NEW.status IN (OLD.status, 'superseded')
            THEN
                RETURN NEW;
            END IF;
            RAISE EXCEPTION 'rubric % is published and never changes; publish another version', OLD.code
                USING ERRCODE = 'restrict_violation';
        END $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER published_rubric_never_changes BEFORE UPDATE OR DELETE ON rubric
        FOR EACH ROW EXECUTE FUNCTION published_rubric_never_changes()
        """
    )
    op.create_table(
        "translation",
        sa.Column("code", sa.Text(collation="C"), nullable=False),
        sa.Column("document", postgresql.JSON(astext_type=sa.Text()), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rubric", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("revised", sa.BigInteger(), server_default=sa.text(FIRST), nullable=False),
        sa.ForeignKeyConstraint(["rubric"], ["rubric.code"]),
        sa.PrimaryKeyConstraint("code"),
    )
    op.create_index(op.f("ix_translation_rubric"), "translation", ["rubric"], unique=False)
    op.create_index(op.f("ix_translation_updated"), "translation", ["updated"], unique=False)
    for statement in _journal("translation", "translation"):
        op.execute(statement)
