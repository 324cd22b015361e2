"""Entries are found, counted and summed by the bank account that they moved."""

from alembic import op

revision = "funding_0023"
down_revision = "funding_0022"

INDEXES = {
    "ledger_entry_account": "ledger_entry (account, code) WHERE account IS NOT NULL",
    "ledger_entry_filters": (
        "ledger_entry (kind, thematic_area, category, organization, contributor, programme, flags)"
        " INCLUDE (date, amount, reverses, revised, code, account)"
    ),
}


def upgrade() -> None:  # noqa: D103
    for name, index in INDEXES.items():
        op.execute(f"DROP INDEX {name}")
        op.execute(f"CREATE INDEX {name} ON {index}")
    op.execute("CREATE INDEX ledger_entry_lower_account ON ledger_entry (lower(account))")
