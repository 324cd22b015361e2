"""The requirements of one topic, or of one target population, are counted in an index."""

from alembic import op

revision = "funding_0039"
down_revision = "funding_0038"
oldest_code = "funding_0038"


def upgrade() -> None:  # noqa: D103
    for table, facet in (
        ("requirement_rollup_by_population", "target_population"),
        ("requirement_rollup_by_topic", "topic"),
    ):
        op.execute(f"CREATE INDEX {table}_{facet} ON {table} ({facet})")
