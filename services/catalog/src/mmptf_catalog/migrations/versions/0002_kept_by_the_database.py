"""The database itself keeps the journal, and the rows that every earlier answer was made of."""

from alembic import op

from mmptf_common.storage.journal_schema import begin_keeping

revision = "0002"
down_revision = "0001"

RECORDS = {
    "source_document": "document",
    "thematic_area": "thematic_area",
    "objective": "objective",
    "clustering": "clustering",
    "guiding_principle": "guiding_principle",
    "place": "place",
    "organization": "organization",
    "programme": "programme",
}


def upgrade() -> None:  # noqa: D103
    for statement in begin_keeping(RECORDS):
        op.execute(statement)
