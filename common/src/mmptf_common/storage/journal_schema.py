"""The tables of the journal; the triggers that write to them are in the migrations of each service."""

from __future__ import annotations

from collections.abc import Mapping, Set

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSON

from mmptf_common.storage.journal import DRAFT_JOURNAL, PUBLIC_JOURNAL, Journal

# SQL of the variables that `begin_write` sets for its transaction, by journal; without it no row can be written.
UNDER_WAY = {
    journal: f"nullif(current_setting('mmptf.{variable}', true), '')::bigint"
    for journal, variable in ((PUBLIC_JOURNAL, "first"), (DRAFT_JOURNAL, "draft_first"))
}


def add_journal(metadata: sa.MetaData, entities: Mapping[str, str], *, drafts: Set[str] = frozenset()) -> None:
    """Declare the journals of one service's database, and for each table of records the table of its past rows.

    entities: table -> the name of its records in the journal, where it is another one than the table's
    drafts: the tables whose changes are in the journal of drafts; the triggers say which column names the owner
    """
    records = [table for table in metadata.sorted_tables if "record" in table.columns]
    _add_tables(metadata, PUBLIC_JOURNAL)
    if drafts:
        _add_tables(
            metadata,
            DRAFT_JOURNAL,
            # To whom the drafts belong that the write has changed.
            sa.Column("owner", sa.Text, nullable=False),
            sa.Index("draft_revision_owner_number", "owner", "number"),
        )
    # The writes that were carried out with an idempotency key, and their answers.
    sa.Table(
        "idempotency_key",
        metadata,
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("headers", JSON, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, index=True),
    )
    # The subjects that were erased: what stands for each now, and the writes and stored answers that were theirs.
    sa.Table(
        "erasure",
        metadata,
        sa.Column("pseudonym", sa.Text, primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("writes", sa.BigInteger, nullable=False),
        sa.Column("answers", sa.BigInteger, nullable=False),
    )
    for table in records:
        journal = DRAFT_JOURNAL if table.name in drafts else PUBLIC_JOURNAL
        table.info["entity"] = entities.get(table.name, table.name)
        table.info["journal"] = journal
        # A code that is sent in another case is found by it, and what was meant by a code that does not exist.
        sa.Index(f"{table.name}_lower_code", sa.func.lower(table.c.code))
        columns = [sa.Column(c.name, c.type, nullable=c.nullable) for c in table.columns]
        # The first change of the write that wrote the row's present record.
        table.append_column(
            sa.Column("revised", sa.BigInteger, nullable=False, server_default=sa.text(UNDER_WAY[journal]))
        )
        sa.Table(
            f"{table.name}_past",
            metadata,
            # First, so that a new column is the last one in both tables.
            sa.Column("replaced", sa.BigInteger, nullable=False),
            *columns,
            sa.Column("revised", sa.BigInteger, nullable=False),
            sa.PrimaryKeyConstraint("code", "revised"),
            # As of a recent revision few of them are read: those that were replaced since.
            sa.Index(f"{table.name}_past_replaced", "replaced"),
        )


def _add_tables(metadata: sa.MetaData, journal: Journal, *further: sa.schema.SchemaItem) -> None:
    sa.Table(
        journal.revision,
        metadata,
        sa.Column("first", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("number", sa.BigInteger, nullable=False, unique=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, index=True),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("organization", sa.Text),
        sa.Column("reason", sa.Text),
        sa.Column("request_id", sa.Text),
        sa.Column("repeatable", sa.Boolean, nullable=False, server_default=sa.true()),
        *further,
    )
    sa.Table(
        journal.change,
        metadata,
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("entity", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("before", JSON(none_as_null=True)),
        sa.Column("after", JSON(none_as_null=True)),
        # Of this change alone, where a write has several reasons; else null.
        sa.Column("reason", sa.Text),
        sa.CheckConstraint("action IN ('create', 'amend', 'delete')", name=f"{journal.change}_action"),
        sa.CheckConstraint("(action = 'create') = (before IS NULL)", name=f"{journal.change}_before"),
        sa.CheckConstraint("(action = 'delete') = (after IS NULL)", name=f"{journal.change}_after"),
        sa.Index(f"{journal.change}_entity_key_seq", "entity", "key", "seq"),
    )
