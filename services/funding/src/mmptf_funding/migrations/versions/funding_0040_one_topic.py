"""The requirements with one topic are found in the order of their amounts; most of the largest have several topics."""

from alembic import op

revision = "funding_0040"
down_revision = "funding_0039"
oldest_code = "funding_0038"


def upgrade() -> None:  # noqa: D103
    op.execute(
        "CREATE INDEX requirement_one_topic ON requirement (coalesce(amount, -1), code) INCLUDE (amount)"
        " WHERE cardinality(topics) = 1"
    )
