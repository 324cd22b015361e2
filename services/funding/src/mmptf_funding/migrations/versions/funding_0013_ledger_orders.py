"""The ledger has indexes in the order of its days and of its amounts, and of what earlier entries reverse."""

from alembic import op

revision = "funding_0013"
down_revision = "funding_0012"


def upgrade() -> None:  # noqa: D103
    op.execute("CREATE INDEX ledger_entry_date_code ON ledger_entry (date, code)")
    op.execute("CREATE INDEX ledger_entry_amount_code ON ledger_entry (amount, code)")
    op.execute("CREATE INDEX ledger_entry_past_reverses ON ledger_entry_past (reverses) WHERE reverses IS NOT NULL")
