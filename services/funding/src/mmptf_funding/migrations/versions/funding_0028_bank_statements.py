"""Bank accounts, their statements with entries, and which of these are reconciled with entries of the ledger."""

import sqlalchemy as sa
from alembic import op

revision = "funding_0028"
down_revision = "funding_0027"

FIRST = "nullif(current_setting('mmptf.first', true), '')::bigint"
NEW = ("bank_account", "bank_statement", "bank_entry", "bank_match", "reconciled_entry")
INDEXES = (
    "CREATE INDEX ix_bank_entry_statement ON bank_entry (statement)",
    "CREATE INDEX ix_bank_entry_match ON bank_entry (match)",
    "CREATE INDEX bank_entry_account_booking_date ON bank_entry (account, booking_date, code)",
    "CREATE INDEX bank_entry_booking_date ON bank_entry (booking_date, code)",
    "CREATE INDEX bank_entry_amount ON bank_entry (amount, code)",
    "CREATE INDEX bank_entry_refs ON bank_entry USING gin (refs)",
    "CREATE INDEX bank_entry_not_reconciled ON bank_entry (account, booking_date, code) WHERE match IS NULL",
    "CREATE INDEX ix_bank_match_account ON bank_match (account)",
    "CREATE INDEX ix_bank_match_bank_entry ON bank_match (bank_entry)",
    "CREATE UNIQUE INDEX bank_match_confirmed ON bank_match (bank_entry) WHERE state = 'confirmed'",
    "CREATE INDEX ix_reconciled_entry_account ON reconciled_entry (account)",
    "CREATE INDEX ix_reconciled_entry_match ON reconciled_entry (match)",
)


def _record(name: str, *columns: sa.schema.SchemaItem) -> None:
    op.create_table(
        name,
        sa.Column("code", sa.Text(collation="C"), nullable=False),
        sa.Column("record", sa.JSON(), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        *[column for column in columns if isinstance(column, sa.Column)],
        sa.Column("revised", sa.BigInteger(), server_default=sa.text(FIRST), nullable=False),
        sa.PrimaryKeyConstraint("code"),
        *[constraint for constraint in columns if not isinstance(constraint, sa.Column)],
    )
    op.execute(f"CREATE TABLE {name}_past (replaced bigint NOT NULL, LIKE {name}, PRIMARY KEY (code, revised))")


def _journal(name: str) -> None:
    execute = f"FOR EACH STATEMENT EXECUTE FUNCTION journal_write('{name}')"
    for statement in (
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
        "bank_account",
        sa.Column("identification", sa.String(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.UniqueConstraint("identification"),
    )
    _record(
        "bank_statement",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("date_from", sa.Date(), nullable=False),
        sa.Column("date_to", sa.Date(), nullable=False),
        sa.Column("opening", sa.Numeric(18, 2), nullable=False),
        sa.Column("closing", sa.Numeric(18, 2), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.UniqueConstraint("number"),
        sa.UniqueConstraint("account", "date_from"),
        sa.ForeignKeyConstraint(["account"], ["bank_account.code"]),
    )
    _record(
        "bank_entry",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("statement", sa.String(), nullable=False),
        sa.Column("booking_date", sa.Date(), nullable=False),
        sa.Column("value_date", sa.Date(), nullable=False),
        sa.Column("amount", sa.Numeric(18, 2), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("direction", sa.String(), nullable=False),
        sa.Column("refs", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("identity", sa.String()),
        sa.Column("match", sa.String()),
        sa.Column("effective", sa.Date()),
        sa.UniqueConstraint("number"),
        sa.UniqueConstraint("account", "identity"),
        sa.ForeignKeyConstraint(["account"], ["bank_account.code"]),
        sa.ForeignKeyConstraint(["statement"], ["bank_statement.code"]),
    )
    _record(
        "bank_match",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("bank_entry", sa.String(), nullable=False),
        sa.Column("ledger_entries", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.UniqueConstraint("number"),
        sa.ForeignKeyConstraint(["account"], ["bank_account.code"]),
        sa.ForeignKeyConstraint(["bank_entry"], ["bank_entry.code"]),
    )
    _record(
        "reconciled_entry",
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("match", sa.String(), nullable=False),
        sa.Column("bank_entry", sa.String(), nullable=False),
        sa.Column("effective", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(["code"], ["ledger_entry.code"]),
        sa.ForeignKeyConstraint(["account"], ["bank_account.code"]),
        sa.ForeignKeyConstraint(["match"], ["bank_match.code"]),
    )
    for statement in INDEXES:
        op.execute(statement)
    for name in NEW:
        _journal(name)
