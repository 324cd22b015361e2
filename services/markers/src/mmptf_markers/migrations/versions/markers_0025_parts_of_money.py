"""Programmes are copied again: their money is divided by members that were not copied so far."""

from alembic import op

revision = "markers_0025"
down_revision = "markers_0024"


def upgrade() -> None:  # noqa: D103
    op.execute("DELETE FROM replication WHERE service = 'catalog'")
