"""Who reviews which assessment in which round, under a pseudonym: records that only some may read."""

import sqlalchemy as sa
from alembic import op

revision = "markers_0024"
down_revision = "markers_0023"

FIRST = "nullif(current_setting('mmptf.first', true), '')::bigint"
INDEXES = ("assessment", "reviewer", "updated")
EXECUTE = "FOR EACH STATEMENT EXECUTE FUNCTION journal_write('review')"
TRIGGERS = (
    "CREATE TRIGGER journal_stamp BEFORE UPDATE ON review FOR EACH ROW"
    " WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp()",
    f"CREATE TRIGGER journal_insert AFTER INSERT ON review REFERENCING NEW TABLE AS new_rows {EXECUTE}",
    "CREATE TRIGGER journal_update AFTER UPDATE ON review"
    f" REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows {EXECUTE}",
    f"CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON review {EXECUTE}",
    f"CREATE TRIGGER journal_delete AFTER DELETE ON review REFERENCING OLD TABLE AS old_rows {EXECUTE}",
)


def upgrade() -> None:  # noqa: D103
    op.create_table(
        "review",
        sa.Column("code", sa.Text(collation="C"), nullable=False),
        sa.Column("record", sa.JSON(), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.Column("assessment", sa.Text(collation="C"), nullable=False),
        sa.Column("programme", sa.Text(collation="C"), nullable=False),
        sa.Column("round", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reviewer", sa.String()),
        sa.Column("organization", sa.String()),
        sa.Column("due", sa.Date()),
        sa.Column("revised", sa.BigInteger(), server_default=sa.text(FIRST), nullable=False),
        sa.PrimaryKeyConstraint("code"),
    )
    op.execute("CREATE TABLE review_past (replaced bigint NOT NULL, LIKE review, PRIMARY KEY (code, revised))")
    for column in INDEXES:
        op.create_index(f"ix_review_{column}", "review", [column])
    op.execute(
        "CREATE INDEX review_filters ON review (state, round, programme, assessment, due) INCLUDE (code, revised)"
    )
    op.create_index("review_round_updated", "review", ["round", "updated", "code"])
    op.execute("CREATE INDEX review_lower_code ON review (lower(code))")
    op.execute("CREATE INDEX review_past_replaced ON review_past (replaced)")
    op.create_table(
        "pseudonym",
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("pseudonym", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("subject"),
        sa.UniqueConstraint("pseudonym"),
    )
    for statement in TRIGGERS:
        op.execute(statement)
