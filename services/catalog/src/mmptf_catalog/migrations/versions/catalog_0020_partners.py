"""The kinds of partners and the groups of beneficiaries of programmes, for filters."""

from alembic import op

revision = "catalog_0020"
down_revision = "catalog_0019"


def upgrade() -> None:  # noqa: D103
    for table in ("programme", "programme_past"):
        op.execute(
            f"ALTER TABLE {table} ADD COLUMN partner_kinds text[] NOT NULL DEFAULT '{{}}',"
            " ADD COLUMN beneficiaries text[] NOT NULL DEFAULT '{}'"
        )
    op.execute("CREATE INDEX programme_partner_kinds ON programme USING gin (partner_kinds)")
    op.execute("CREATE INDEX programme_beneficiaries ON programme USING gin (beneficiaries)")
