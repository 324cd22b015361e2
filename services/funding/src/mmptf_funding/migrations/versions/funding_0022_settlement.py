"""Commitments are settled in their own currency, and a corrected entry stands for the one that was wrong."""

from alembic import op

revision = "funding_0022"
down_revision = "funding_0021"

# Of rows that were replaced they are columns as any other.
COMPUTED = {
    "original_amount": ("numeric(18, 2)", "(record#>>'{original,sum,amount}')::numeric(18,2)"),
    "original_currency": ("text", "record#>>'{original,sum,currency}'"),
}


def upgrade() -> None:  # noqa: D103
    for table in ("ledger_entry", "ledger_entry_past"):
        op.execute(f"ALTER TABLE {table} ADD COLUMN replaced_by varchar, ADD COLUMN replaces text[]")
    op.execute(
        "ALTER TABLE ledger_entry ADD CONSTRAINT ledger_entry_replaced_by_fkey"
        " FOREIGN KEY (replaced_by) REFERENCES ledger_entry (code)"
    )
    op.execute("CREATE INDEX ledger_entry_replaces ON ledger_entry ((replaces[1]), code) WHERE replaces IS NOT NULL")
    for column, (type_, computed) in COMPUTED.items():
        op.execute(f"ALTER TABLE ledger_entry ADD COLUMN {column} {type_} GENERATED ALWAYS AS ({computed}) STORED")
        op.execute(f"ALTER TABLE ledger_entry_past ADD COLUMN {column} {type_}")
        op.execute(f"UPDATE ledger_entry_past SET {column} = {computed}")
