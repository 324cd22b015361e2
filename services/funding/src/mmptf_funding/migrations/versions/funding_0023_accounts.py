"""Entries are found, counted and summed by the bank account that they moved, and by the decision they carry out."""

from alembic import op

revision = "funding_0023"
down_revision = "funding_0022"

NAMES = ("account", "decision", "corrects")
INDEXES = {
    **{f"ledger_entry_{name}": f"ledger_entry ({name}, code) WHERE {name} IS NOT NULL" for name in NAMES},
    "ledger_entry_filters": (
        "ledger_entry (kind, thematic_area, category, organization, contributor, programme, flags)"
        " INCLUDE (date, amount, reverses, revised, code, account, decision)"
    ),
}


def upgrade() -> None:  # noqa: D103
    for name, index in INDEXES.items():
        op.execute(f"DROP INDEX {name}")
        op.execute(f"CREATE INDEX {name} ON {index}")
    for name in ("account", "decision"):
        op.execute(f"CREATE INDEX ledger_entry_lower_{name} ON ledger_entry (lower({name}))")
