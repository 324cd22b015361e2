"""Calls for proposals, meetings of the Steering Committee, and its decisions; programmes are found by their status."""

import sqlalchemy as sa
from alembic import op

revision = "catalog_0019"
down_revision = "catalog_0018"

FIRST = "nullif(current_setting('mmptf.first', true), '')::bigint"
NEW = ("call", "meeting", "decision")
INDEXES = (
    "CREATE INDEX call_opens_ascending ON call (coalesce(opens, '9999-12-31'::date), code)",
    "CREATE INDEX call_opens ON call (coalesce(opens, '0001-01-01'::date), code)",
    "CREATE INDEX meeting_date_code ON meeting (date, code)",
    "CREATE INDEX ix_decision_meeting ON decision (meeting)",
    "CREATE INDEX ix_decision_call ON decision (call)",
    "CREATE INDEX ix_decision_kind ON decision (kind)",
    "CREATE INDEX decision_date_code ON decision (date, code)",
    "CREATE UNIQUE INDEX decision_lower_number ON decision (lower(number))",
    "CREATE INDEX decision_programmes ON decision USING gin (programmes)",
    "CREATE INDEX decision_words ON decision USING gin (array_to_tsvector(words))",
    "CREATE INDEX programme_status ON programme ((stated->>'status'), code)",
)


def _record(name: str, *columns: sa.schema.SchemaItem) -> None:
    op.create_table(
        name,
        sa.Column("code", sa.Text(collation="C"), nullable=False),
        sa.Column("record", sa.JSON(), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        *[column for column in columns if isinstance(column, sa.Column)],
        sa.Column("revised", sa.BigInteger(), server_default=sa.text(FIRST), nullable=False),
        sa.PrimaryKeyConstraint("code"),
        *[constraint for constraint in columns if not isinstance(constraint, sa.Column)],
    )
    op.execute(f"CREATE TABLE {name}_past (replaced bigint NOT NULL, LIKE {name}, PRIMARY KEY (code, revised))")


def _journal(name: str) -> None:
    execute = f"FOR EACH STATEMENT EXECUTE FUNCTION journal_write('{name}')"
    for statement in (
        f"CREATE INDEX ix_{name}_updated ON {name} (updated)",
        f"CREATE INDEX {name}_lower_code ON {name} (lower(code))",
        f"CREATE INDEX {name}_past_replaced ON {name}_past (replaced)",
        f"CREATE TRIGGER journal_stamp BEFORE UPDATE ON {name} FOR EACH ROW"
        " WHEN (OLD.record::text <> NEW.record::text OR OLD.code <> NEW.code) EXECUTE FUNCTION journal_stamp()",
        f"CREATE TRIGGER journal_insert AFTER INSERT ON {name} REFERENCING NEW TABLE AS new_rows {execute}",
        f"CREATE TRIGGER journal_update AFTER UPDATE ON {name}"
        f" REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows {execute}",
        f"CREATE TRIGGER journal_truncate BEFORE TRUNCATE ON {name} {execute}",
        f"CREATE TRIGGER journal_delete AFTER DELETE ON {name} REFERENCING OLD TABLE AS old_rows {execute}",
    ):
        op.execute(statement)


def upgrade() -> None:  # noqa: D103
    _record("call", sa.Column("opens", sa.Date()), sa.Column("closes", sa.Date()))
    _record(
        "meeting",
        sa.Column("date", sa.Date(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
    )
    _record(
        "decision",
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("meeting", sa.String()),
        sa.Column("call", sa.String()),
        sa.Column("date", sa.Date(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("programmes", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("words", sa.ARRAY(sa.Text()), nullable=False),
        sa.UniqueConstraint("number"),
        sa.ForeignKeyConstraint(["meeting"], ["meeting.code"]),
        sa.ForeignKeyConstraint(["call"], ["call.code"]),
    )
    for statement in INDEXES:
        op.execute(statement)
    for name in NEW:
        _journal(name)
