"""Assessments and current grades are counted in indexes that have all their filters; programmes have more of them.

And rows that were replaced after a revision are in an index.
"""

from alembic import op

revision = "markers_0018"
down_revision = "markers_0017"

RECORDS = (
    "allocation",
    "assessment",
    "draft",
    "place",
    "programme",
    "rubric",
    "source_document",
    "target",
    "translation",
)


def upgrade() -> None:  # noqa: D103
    op.execute(
        "CREATE INDEX assessment_filters ON assessment"
        " (marker, stage, status, grade, rubric, organization, programme) INCLUDE (revised)"
    )
    op.execute(
        "CREATE INDEX current_grade_filters ON current_grade (marker, stage, grade, rubric, assessment, programme)"
    )
    op.execute("CREATE INDEX ix_programme_thematic_area ON programme (thematic_area)")
    op.execute("CREATE INDEX programme_organizations ON programme USING gin (organizations)")
    op.execute("CREATE INDEX programme_countries ON programme USING gin (countries)")
    for table in RECORDS:
        op.execute(f"CREATE INDEX {table}_past_replaced ON {table}_past (replaced)")
