"""A programme as it is stated, by codes, beside the record that readers get of it."""

from alembic import op

revision = "catalog_0006"
down_revision = "catalog_0005"

# The stage follows from the status; names and footnotes are those of the code lists; the sources of the budget stand
# with those of the other facts. What the first schema did not know yet is not stated.
STATED = """
    UPDATE {table} SET stated =
        '{{"lead_organization": null, "duration": null, "budget_lines": []}}'
        || (document::jsonb - 'stage' - 'updated')
        || jsonb_build_object(
            'thematic_area', document::jsonb #> '{{thematic_area,code}}',
            'objectives', (SELECT coalesce(jsonb_agg(entry->'code' ORDER BY n), '[]')
                             FROM jsonb_array_elements(document::jsonb->'objectives') WITH ORDINALITY AS o(entry, n)),
            'organizations', (SELECT coalesce(jsonb_agg(entry->'code' ORDER BY n), '[]')
                                FROM jsonb_array_elements(document::jsonb->'organizations')
                                     WITH ORDINALITY AS o(entry, n)),
            'places', (SELECT coalesce(jsonb_agg(entry - 'name' - 'footnote' ORDER BY n), '[]')
                         FROM jsonb_array_elements(document::jsonb->'places') WITH ORDINALITY AS p(entry, n)),
            'budget', nullif(document::jsonb->'budget', 'null') - 'sources',
            'status_history', (SELECT coalesce(jsonb_agg('{{"decision": null}}' || entry ORDER BY n), '[]')
                                 FROM jsonb_array_elements(document::jsonb->'status_history')
                                      WITH ORDINALITY AS h(entry, n)),
            'sources', document::jsonb->'sources' || coalesce(document::jsonb #> '{{budget,sources}}', '[]')
        )
"""


def upgrade() -> None:  # noqa: D103
    for table in ("programme", "programme_past"):
        op.execute(f"ALTER TABLE {table} ADD COLUMN stated jsonb")
        op.execute(STATED.format(table=table))
        op.execute(f"ALTER TABLE {table} ALTER COLUMN stated SET NOT NULL")
