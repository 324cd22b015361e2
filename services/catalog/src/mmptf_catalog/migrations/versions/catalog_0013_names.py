"""Organizations have an index in the order of their names."""

from alembic import op

revision = "catalog_0013"
down_revision = "catalog_0012"


def upgrade() -> None:  # noqa: D103
    op.execute('CREATE INDEX organization_name ON organization (lower(name) COLLATE "C", code)')
