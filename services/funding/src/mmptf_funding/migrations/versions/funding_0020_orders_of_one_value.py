"""The requirements of one region, area, place, status or edition are found in the order of their codes."""

from alembic import op

revision = "funding_0020"
down_revision = "funding_0019"

COLUMNS = ("region", "area", "place", "status", "edition")


def upgrade() -> None:  # noqa: D103
    op.execute("DROP INDEX requirement_place_edition")
    op.execute("DROP INDEX ix_requirement_edition")
    for name in COLUMNS:
        others = ", ".join(other for other in COLUMNS if other != name)
        op.execute(f"CREATE INDEX requirement_{name} ON requirement ({name}, code) INCLUDE ({others})")
