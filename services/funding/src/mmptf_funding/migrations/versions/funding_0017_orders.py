"""The codes of a filtered page are found in indexes that have all that its filters and its order compare."""

from alembic import op

revision = "funding_0017"
down_revision = "funding_0016"

INDEXES = {
    "requirement_filters": (
        "requirement (region, area, country, place, status, edition, populations)"
        " INCLUDE (amount, implied, updated, revised, code)"
    ),
    "requirement_place_edition": "requirement (place, edition) INCLUDE (amount, updated, code)",
    "requirement_amount": (
        "requirement (coalesce(amount, -1), code) INCLUDE (amount, status, region, area, place, edition)"
    ),
    "requirement_amount_ascending": (
        "requirement (coalesce(amount, 'Infinity'), code) INCLUDE (amount, status, region, area, place, edition)"
    ),
    "contribution_filters": (
        "contribution (money_stage, basis, contributor_type, country, contributor, currency)"
        " INCLUDE (amount, as_of, updated, revised, code)"
    ),
    "ledger_entry_filters": (
        "ledger_entry (kind, thematic_area, category, organization, contributor, programme, flags)"
        " INCLUDE (date, amount, reverses, revised, code)"
    ),
    "ledger_entry_amount_code": (
        "ledger_entry (amount, code) INCLUDE (kind, organization, thematic_area, category, reverses)"
    ),
}


def upgrade() -> None:  # noqa: D103
    for name, index in INDEXES.items():
        op.execute(f"DROP INDEX {name}")
        op.execute(f"CREATE INDEX {name} ON {index}")
