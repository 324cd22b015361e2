"""The ledger keeps a copy of the catalogue's programmes, organizations and thematic areas, and of earlier codes.

A programme that the catalogue no longer has may be named by entries, so that they do not refer to its row.
"""

from alembic import op

revision = "funding_0024"
down_revision = "funding_0023"

TABLES = ("organization", "thematic_area", "renaming")


def upgrade() -> None:  # noqa: D103
    op.execute("ALTER TABLE ledger_entry DROP CONSTRAINT ledger_entry_programme_fkey")
    for table in TABLES:
        execute = f"EXECUTE FUNCTION journal_write('{table}')"
        for statement in (
            f"""
CREATE TABLE {table} (
  code text COLLATE "C" PRIMARY KEY, record json NOT NULL, updated timestamptz NOT NULL,
  revised bigint NOT NULL DEFAULT nullif(current_setting('mmptf.first', true), '')::bigint)
""",
            f"""
CREATE TABLE {table}_past (
  replaced bigint NOT NULL, code text COLLATE "C" NOT NULL, record json NOT NULL, updated timestamptz NOT NULL,
  revised bigint NOT NULL, PRIMARY KEY (code, revised))
""",
            f"CREATE INDEX ix_{table}_updated ON {table} (updated)",
            f"CREATE INDEX {table}_lower_code ON {table} (lower(code))",
            f"CREATE INDEX {table}_past_replaced ON {table}_past (replaced)",
            f"CREATE TRIGGER journal_stamp BEFORE UPDATE ON {table} FOR EACH ROW"
            " WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp()",
            f"CREATE TRIGGER journal_insert AFTER INSERT ON {table}"
            f" REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT {execute}",
            f"CREATE TRIGGER journal_update AFTER UPDATE ON {table}"
            f" REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT {execute}",
            f"CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT {execute}",
            f"CREATE TRIGGER journal_delete AFTER DELETE ON {table}"
            f" REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT {execute}",
        ):
            op.execute(statement)
    # Where nothing is stated for a service, everything is copied.
    op.execute(
        "CREATE TABLE replication (service text PRIMARY KEY, last bigint NOT NULL, stored bigint NOT NULL,"
        " stored_at timestamptz, caught_up timestamptz)"
    )
