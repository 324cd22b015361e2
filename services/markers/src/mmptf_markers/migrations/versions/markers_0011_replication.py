"""How far other services were replicated is in the table `replication`, which was named `followed`."""

from alembic import op

revision = "markers_0011"
down_revision = "markers_0010"


def upgrade() -> None:  # noqa: D103
    op.execute("ALTER TABLE followed RENAME TO replication")
    op.execute("ALTER INDEX followed_pkey RENAME TO replication_pkey")
