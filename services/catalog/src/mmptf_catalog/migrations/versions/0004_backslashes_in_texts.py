"""A text may hold a backslash before what would be the character U+0000 without it."""

from alembic import op

from mmptf_common.storage.journal_schema import renew_keeping

revision = "0004"
down_revision = "0003"


def upgrade() -> None:  # noqa: D103
    for statement in renew_keeping():
        op.execute(statement)
