"""Commitments are settled in their own currency, and a corrected entry stands for the one that was wrong."""

from alembic import op

revision = "funding_0022"
down_revision = "funding_0021"

# Of rows that were replaced they are columns as any other.
COMPUTED = {
    "original_amount": ("numeric(18, 2)", "(record#>>'{original,sum,amount}')::numeric(18,2)"),
    "original_currency": ("text", "record#>>'{original,sum,currency}'"),
}
# All that a statement reads of commitments, and of what follows them.
INDEXES = {
    "ledger_entry_commitments": (
        "ledger_entry (code)"
        " INCLUDE (replaces, contributor, date, amount, original_amount, original_currency, reverses)"
        " WHERE kind = 'commitment'"
    ),
    "ledger_entry_settlement": (
        "ledger_entry (follows) INCLUDE (kind, date, amount, original_amount, original_currency)"
        " WHERE kind IN ('commitment_amendment', 'deposit') AND follows IS NOT NULL"
    ),
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
    for name, index in INDEXES.items():
        op.execute(f"CREATE INDEX {name} ON {index}")
