"""Contributors have an index in the order of their names."""

from alembic import op

revision = "funding_0014"
down_revision = "funding_0013"


def upgrade() -> None:  # noqa: D103
    op.execute('CREATE INDEX contributor_name ON contributor (lower(name) COLLATE "C", code)')
