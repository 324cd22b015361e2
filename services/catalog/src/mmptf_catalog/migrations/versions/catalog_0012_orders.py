"""Programmes have an index in each direction of their orders; those without a title or a budget are last in both."""

from alembic import op

revision = "catalog_0012"
down_revision = "catalog_0011"


def upgrade() -> None:  # noqa: D103
    for name, last in (("programme_title_ascending", "chr(1114111)"), ("programme_title", "''")):
        op.execute(
            f"CREATE INDEX {name} ON programme"
            f" (coalesce((left(stated->>'title', 0) COLLATE \"C\") || title_order, {last}), code)"
        )
    for name, last in (("programme_budget_ascending", "'Infinity'"), ("programme_budget", "-1")):
        op.execute(f"CREATE INDEX {name} ON programme (coalesce(amount, {last}), code)")
