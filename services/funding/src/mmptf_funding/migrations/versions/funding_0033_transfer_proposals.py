"""The limit above which a second person approves transfers, proposed transfers, and the pseudonyms of who decides."""

import sqlalchemy as sa
from alembic import op

revision = "funding_0033"
down_revision = "funding_0030"

FIRST = "nullif(current_setting('mmptf.first', true), '')::bigint"


def _record(name: str, *columns: sa.Column[object]) -> None:
    op.create_table(
        name,
        sa.Column("code", sa.Text(collation="C"), nullable=False),
        sa.Column("record", sa.JSON(), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        *columns,
        sa.Column("revised", sa.BigInteger(), server_default=sa.text(FIRST), nullable=False),
        sa.PrimaryKeyConstraint("code"),
        sa.UniqueConstraint("number"),
    )
    execute = f"FOR EACH STATEMENT EXECUTE FUNCTION journal_write('{name}')"
    for statement in (
        f"CREATE TABLE {name}_past (replaced bigint NOT NULL, LIKE {name}, PRIMARY KEY (code, revised))",
        f"CREATE INDEX ix_{name}_updated ON {name} (updated)",
        f"CREATE INDEX {name}_lower_code ON {name} (lower(code))",
        f"CREATE INDEX {name}_past_replaced ON {name}_past (replaced)",
        f"CREATE TRIGGER journal_stamp BEFORE UPDATE ON {name} FOR EACH ROW"
        " WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp()",
        f"CREATE TRIGGER journal_insert AFTER INSERT ON {name} REFERENCING NEW TABLE AS new_rows {execute}",
        f"CREATE TRIGGER journal_update AFTER UPDATE ON {name}"
        f" REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows {execute}",
        f"CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON {name} {execute}",
        f"CREATE TRIGGER journal_delete AFTER DELETE ON {name} REFERENCING OLD TABLE AS old_rows {execute}",
    ):
        op.execute(statement)


def upgrade() -> None:  # noqa: D103
    _record(
        "transfer_limit",
        sa.Column("since", sa.Date(), nullable=False),
        sa.Column("amount", sa.Numeric(18, 2)),
    )
    _record(
        "transfer_proposal",
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("programme", sa.String(), nullable=False),
        sa.Column("organization", sa.String(), nullable=False),
    )
    op.create_index("transfer_proposal_state_code", "transfer_proposal", ["state", "code"])
    op.create_table(
        "pseudonym",
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("pseudonym", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("subject"),
        sa.UniqueConstraint("pseudonym"),
    )
