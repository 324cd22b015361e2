"""Groups of places, such as the champion countries of the Global Compact."""

import sqlalchemy as sa
from alembic import op

revision = "catalog_0021"
down_revision = "catalog_0020"

FIRST = "nullif(current_setting('mmptf.first', true), '')::bigint"
EXECUTE = "FOR EACH STATEMENT EXECUTE FUNCTION journal_write('place_group')"


def upgrade() -> None:  # noqa: D103
    op.create_table(
        "place_group",
        sa.Column("code", sa.Text(collation="C"), nullable=False),
        sa.Column("record", sa.JSON(), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("members", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("revised", sa.BigInteger(), server_default=sa.text(FIRST), nullable=False),
        sa.PrimaryKeyConstraint("code"),
    )
    for statement in (
        "CREATE TABLE place_group_past (replaced bigint NOT NULL, LIKE place_group, PRIMARY KEY (code, revised))",
        "CREATE INDEX ix_place_group_updated ON place_group (updated)",
        "CREATE INDEX place_group_lower_code ON place_group (lower(code))",
        "CREATE INDEX place_group_past_replaced ON place_group_past (replaced)",
        "CREATE TRIGGER journal_stamp BEFORE UPDATE ON place_group FOR EACH ROW"
        " WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp()",
        f"CREATE TRIGGER journal_insert AFTER INSERT ON place_group REFERENCING NEW TABLE AS new_rows {EXECUTE}",
        "CREATE TRIGGER journal_update AFTER UPDATE ON place_group"
        f" REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows {EXECUTE}",
        f"CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON place_group {EXECUTE}",
        f"CREATE TRIGGER journal_delete AFTER DELETE ON place_group REFERENCING OLD TABLE AS old_rows {EXECUTE}",
    ):
        op.execute(statement)
