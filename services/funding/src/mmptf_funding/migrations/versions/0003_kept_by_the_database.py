"""The database itself keeps the journal, and the rows that every earlier answer was made of."""

from alembic import op

from mmptf_common.storage.journal_schema import begin_keeping

revision = "0003"
down_revision = "0002"

RECORDS = {
    "source_document": "document",
    "money_stage": "money_stage",
    "contributor": "contributor",
    "contribution": "contribution",
    "target": "target",
    "fact": "fact",
    "edition": "edition",
    "term": "term",
    "requirement": "requirement",
    "printed_total": "printed_total",
    "initiative": "initiative",
    "results_matrix": "results_matrix",
}


def upgrade() -> None:  # noqa: D103
    for statement in begin_keeping(RECORDS):
        op.execute(statement)
