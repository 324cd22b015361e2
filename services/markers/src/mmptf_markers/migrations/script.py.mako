"""${message}"""

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision = "${up_revision}"
down_revision = "${down_revision}"
# The oldest revision whose code may serve with this schema: the one before, where all that it reads and writes is left.
oldest_code = "${up_revision}"


def upgrade() -> None:  # noqa: D103
    ${upgrades if upgrades else "pass"}
