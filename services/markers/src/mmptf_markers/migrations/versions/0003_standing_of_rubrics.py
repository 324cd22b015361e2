"""A published rubric can be superseded and translated; what it says never changes, to the last letter."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from mmptf_common.storage.journal_schema import UNDER_WAY, keep

revision = "0003"
down_revision = "0002"


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
        sa.Column("revised", sa.BigInteger(), server_default=sa.text(UNDER_WAY), nullable=False),
        sa.ForeignKeyConstraint(["rubric"], ["rubric.code"]),
        sa.PrimaryKeyConstraint("code"),
    )
    op.create_index(op.f("ix_translation_rubric"), "translation", ["rubric"], unique=False)
    op.create_index(op.f("ix_translation_updated"), "translation", ["updated"], unique=False)
    for statement in keep("translation", "translation"):
        op.execute(statement)
