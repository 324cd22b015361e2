"""Nothing: what is version 0006 was first committed as 0007, and databases of that commit are here already."""

revision = "0007"
down_revision = "0006"


def upgrade() -> None:  # noqa: D103
    pass
