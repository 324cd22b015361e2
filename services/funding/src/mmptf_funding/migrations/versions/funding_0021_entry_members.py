"""Entries say when and in which account the bank counts them, what they correct, and which decision they carry out."""

from alembic import op

revision = "funding_0021"
down_revision = "funding_0020"

COLUMNS = (
    "ADD COLUMN corrects varchar, ADD COLUMN value_date date, ADD COLUMN account varchar,"
    " ADD COLUMN bank_reference varchar, ADD COLUMN decision varchar"
)
# Most entries have none of them.
INDEXES = {
    "value_date": "value_date",
    "account": "lower(account)",
    "bank_reference": "lower(bank_reference)",
    "decision": "lower(decision)",
    "corrects": "lower(corrects)",
}


def upgrade() -> None:  # noqa: D103
    for table in ("ledger_entry", "ledger_entry_past"):
        op.execute(f"ALTER TABLE {table} {COLUMNS}")
    op.execute(
        "ALTER TABLE ledger_entry ADD CONSTRAINT ledger_entry_corrects_fkey"
        " FOREIGN KEY (corrects) REFERENCES ledger_entry (code)"
    )
    for name, indexed in INDEXES.items():
        op.execute(f"CREATE INDEX ledger_entry_{name} ON ledger_entry ({indexed}, code) WHERE {name} IS NOT NULL")
