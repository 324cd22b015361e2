"""What editions say about their regions: frameworks with their items, offices, groups of States, acronyms.

Results matrices are frameworks, so that their table goes; what was journalled of them stays in the journal.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "funding_0037"
down_revision = "funding_0036"

FIRST = "nullif(current_setting('mmptf.first', true), '')::bigint"
TABLES = {
    "framework": ("region", "kind NOT NULL", "position", "words"),
    "framework_item": ("framework NOT NULL", "level NOT NULL", "position", "words"),
    "regional_office": ("region", "countries", "position"),
    "regional_group": ("region", "kind NOT NULL", "name NOT NULL", "countries", "position", "words"),
    "acronym": ("region", "acronym NOT NULL", "position", "words"),
}


def upgrade() -> None:  # noqa: D103
    op.execute("DROP TABLE results_matrix_past")
    op.execute("DROP TABLE results_matrix")
    for table, columns in TABLES.items():
        op.create_table(
            table,
            sa.Column("code", sa.Text(collation="C"), nullable=False),
            sa.Column("record", sa.JSON(), nullable=False),
            sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
            sa.Column("edition", sa.String(), nullable=False),
            *map(_column, columns),
            sa.Column("revised", sa.BigInteger(), server_default=sa.text(FIRST), nullable=False),
            sa.ForeignKeyConstraint(["edition"], ["edition.code"]),
            *([sa.ForeignKeyConstraint(["framework"], ["framework.code"])] if table == "framework_item" else []),
            sa.PrimaryKeyConstraint("code"),
        )
        execute = f"FOR EACH STATEMENT EXECUTE FUNCTION journal_write('{table}')"
        for statement in (
            f"CREATE TABLE {table}_past (replaced bigint NOT NULL, LIKE {table}, PRIMARY KEY (code, revised))",
            f"CREATE INDEX ix_{table}_updated ON {table} (updated)",
            f"CREATE INDEX ix_{table}_edition ON {table} (edition)",
            f"CREATE INDEX {table}_lower_code ON {table} (lower(code))",
            f"CREATE INDEX {table}_past_replaced ON {table}_past (replaced)",
            f"CREATE TRIGGER journal_stamp BEFORE UPDATE ON {table} FOR EACH ROW"
            " WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp()",
            f"CREATE TRIGGER journal_insert AFTER INSERT ON {table} REFERENCING NEW TABLE AS new_rows {execute}",
            f"CREATE TRIGGER journal_update AFTER UPDATE ON {table}"
            f" REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows {execute}",
            f"CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON {table} {execute}",
            f"CREATE TRIGGER journal_delete AFTER DELETE ON {table} REFERENCING OLD TABLE AS old_rows {execute}",
        ):
            op.execute(statement)
        if table != "framework" and "words" in columns:
            op.execute(f"CREATE INDEX {table}_words ON {table} USING gin (array_to_tsvector(words))")
    op.execute("CREATE INDEX ix_framework_item_framework ON framework_item (framework)")


def _column(declared: str) -> sa.Column[object]:
    """A column by its name; codes and words are arrays."""
    name, _, required = declared.partition(" ")
    if name in ("countries", "words"):
        return sa.Column(name, ARRAY(sa.Text()), nullable=False)
    if name == "position":
        return sa.Column(name, sa.Integer(), nullable=False)
    return sa.Column(name, sa.String(), nullable=not required)
