"""Requirements without an amount are last in both directions of the order by amount."""

from alembic import op

revision = "funding_0009"
down_revision = "funding_0008"


def upgrade() -> None:  # noqa: D103
    op.execute("CREATE INDEX requirement_amount_ascending ON requirement (coalesce(amount, 'Infinity'), code)")
