"""Codes are looked up without regard to case."""

from alembic import op

revision = "markers_0012"
down_revision = "markers_0011"

RECORDS = (
    "rubric", "translation", "source_document", "place", "programme", "allocation", "draft", "assessment", "target",
)  # fmt: skip
# An index of the codes in an array takes a function whose results never change.
LOWER_CODES = """
CREATE FUNCTION lower_codes(codes text[]) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE
  AS $$ SELECT array_agg(lower(code)) FROM unnest(codes) AS of(code) $$
"""
# Without the list of pending entries, which each of a thousand lookups would read as a whole.
INDEXES = (
    "CREATE INDEX current_grade_lower_code ON current_grade (lower(code))",
    "CREATE INDEX assessment_lower_organization ON assessment (lower(organization))",
    "CREATE INDEX programme_past_lower_code ON programme_past (lower(code))",
    *(
        statement.format(table)
        for table in ("programme", "programme_past")
        for statement in (
            "CREATE INDEX {0}_lower_stage ON {0} (lower(stage))",
            "CREATE INDEX {0}_lower_thematic_area ON {0} (lower(thematic_area))",
            "CREATE INDEX {0}_lower_organizations ON {0} USING gin (lower_codes(organizations))"
            " WITH (fastupdate = off)",
        )
    ),
)


def upgrade() -> None:  # noqa: D103
    op.execute(LOWER_CODES)
    for table in RECORDS:
        op.execute(f"CREATE INDEX {table}_lower_code ON {table} (lower(code))")
    for statement in INDEXES:
        op.execute(statement)
