"""Counts, facets and totals of requirements, entries and contributions are read from indexes that have all they need.

An amount is in the indexes of its expressions, too: without it, their rows would be read for the expression. And rows
that were replaced after a revision are in an index.
"""

from alembic import op

revision = "funding_0016"
down_revision = "funding_0015"

RECORDS = (
    "contribution",
    "contributor",
    "edition",
    "fact",
    "initiative",
    "ledger_entry",
    "money_stage",
    "printed_total",
    "programme",
    "requirement",
    "results_matrix",
    "source_document",
    "target",
    "term",
)


def upgrade() -> None:  # noqa: D103
    op.execute(
        "CREATE INDEX requirement_filters ON requirement (region, area, country, place, status, edition, populations)"
        " INCLUDE (amount, implied, updated, revised)"
    )
    op.execute("CREATE INDEX requirement_place_edition ON requirement (place, edition)")
    op.execute("CREATE INDEX requirement_populations ON requirement USING gin (populations)")
    op.execute("CREATE INDEX requirement_populations_named ON requirement (cardinality(populations), code)")
    op.execute("DROP INDEX ix_requirement_place")
    op.execute("DROP INDEX ix_requirement_country")
    op.execute("DROP INDEX requirement_amount")
    op.execute("CREATE INDEX requirement_amount ON requirement (coalesce(amount, -1), code) INCLUDE (amount)")
    op.execute("DROP INDEX requirement_amount_ascending")
    op.execute(
        "CREATE INDEX requirement_amount_ascending ON requirement (coalesce(amount, 'Infinity'), code) INCLUDE (amount)"
    )
    op.execute(
        "CREATE INDEX contribution_filters ON contribution"
        " (money_stage, basis, contributor_type, country, contributor, currency)"
        " INCLUDE (amount, as_of, updated, revised)"
    )
    op.execute("DROP INDEX ix_contribution_money_stage")
    op.execute(
        "CREATE INDEX ledger_entry_filters ON ledger_entry"
        " (kind, thematic_area, category, organization, contributor, programme, flags)"
        " INCLUDE (date, amount, reverses, revised)"
    )
    op.execute("CREATE INDEX ledger_entry_flags ON ledger_entry USING gin (flags) WHERE flags <> '{}'")
    for table in RECORDS:
        op.execute(f"CREATE INDEX {table}_past_replaced ON {table}_past (replaced)")
