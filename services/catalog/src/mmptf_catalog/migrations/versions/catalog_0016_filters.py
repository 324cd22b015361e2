"""Programmes have an index of the stage of their budget, and the amount in the indexes of its expressions.

Without it, their rows would be read for the expression. What read the index of the amount alone reads these. And rows
that were replaced after a revision are in an index.
"""

from alembic import op

revision = "catalog_0016"
down_revision = "catalog_0015"

RECORDS = (
    "clustering",
    "draft",
    "guiding_principle",
    "objective",
    "organization",
    "place",
    "programme",
    "source_document",
    "thematic_area",
)


def upgrade() -> None:  # noqa: D103
    op.execute("CREATE INDEX ix_programme_money_stage ON programme (money_stage)")
    op.execute("DROP INDEX ix_programme_amount")
    op.execute("DROP INDEX programme_budget")
    op.execute("CREATE INDEX programme_budget ON programme (coalesce(amount, -1), code) INCLUDE (amount)")
    op.execute("DROP INDEX programme_budget_ascending")
    op.execute(
        "CREATE INDEX programme_budget_ascending ON programme (coalesce(amount, 'Infinity'), code) INCLUDE (amount)"
    )
    for table in RECORDS:
        op.execute(f"CREATE INDEX {table}_past_replaced ON {table}_past (replaced)")
