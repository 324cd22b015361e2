"""Every change, in order: one table that is audit trail, history, change feed and the revision of the data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

# Any constant will do, as long as nothing else in a service's database locks it.
JOURNAL_LOCK = 0x6D6D707466

# The revision of the data, as SQL for a text: the number of the last change, and the microsecond in which it was made.
# The moment tells apart histories that count the same number: two databases that share a cache, or one database
# before and after a backup was brought back.
REVISION = (
    "coalesce((SELECT seq || ':' || (extract(epoch FROM at) * 1000000)::bigint"
    " FROM change ORDER BY seq DESC LIMIT 1), '0:0')"
)


def change_table(metadata: sa.MetaData) -> sa.Table:
    """The journal of one service's database; `seq` is the commit order, without gaps."""
    return sa.Table(
        "change",
        metadata,
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("entity", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("before", JSONB(none_as_null=True)),
        sa.Column("after", JSONB(none_as_null=True)),
        sa.Column("reason", sa.Text),
        sa.Column("request_id", sa.Text),
        sa.CheckConstraint("action IN ('create', 'amend', 'delete')", name="change_action"),
        sa.CheckConstraint("(action = 'create') = (before IS NULL)", name="change_before"),
        sa.CheckConstraint("(action = 'delete') = (after IS NULL)", name="change_after"),
        sa.Index("change_entity_key_seq", "entity", "key", "seq"),
    )


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one record: `before` is None when it is created, `after` when it is deleted."""

    entity: str
    key: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    reason: str | None = None

    @property
    def action(self) -> Literal["create", "amend", "delete"]:
        return "create" if self.before is None else "delete" if self.after is None else "amend"


@dataclass(frozen=True, slots=True)
class Author:
    """On whose behalf a change is made, and in which request."""

    actor: str
    request_id: str | None = None


async def begin_write(session: AsyncSession) -> datetime:
    """Take the writers' lock until the transaction ends, and return its time (RFC 3339, UTC).

    Writers queue here, so a `seq` that is visible has every smaller one visible too: a reader of the journal
    that stops anywhere and resumes misses nothing. Taken before the first read that a write depends on.
    """
    await session.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": JOURNAL_LOCK})
    # The statement's own time, not the transaction's start: a writer that queued must not predate the one before it.
    moment = await session.scalar(sa.text("SELECT date_trunc('microseconds', clock_timestamp())"))
    assert isinstance(moment, datetime)
    return moment


async def record(
    session: AsyncSession, table: sa.Table, changes: Sequence[Change], author: Author, at: datetime
) -> int:
    """Append changes in their order within a write that `begin_write` began; returns the revision they make."""
    last = int(await session.scalar(sa.select(sa.func.coalesce(sa.func.max(table.c.seq), 0))) or 0)
    if changes:
        await session.execute(
            table.insert(),
            [
                {
                    "seq": seq,
                    "at": at,
                    "actor": author.actor,
                    "entity": change.entity,
                    "key": change.key,
                    "action": change.action,
                    "before": change.before,
                    "after": change.after,
                    "reason": change.reason,
                    "request_id": author.request_id,
                }
                for seq, change in enumerate(changes, start=last + 1)
            ],
        )
    return last + len(changes)


async def record_from(session: AsyncSession, table: sa.Table, query: str, author: Author, at: datetime) -> Counter[str]:
    """Append the changes that a query selects (entity, key, before, after), in the order in which it finds them.

    For writes of more rows than should pass through memory; returns how many changes of each action there are.
    """
    actions = await session.execute(
        sa.text(
            f"WITH appended AS (INSERT INTO {table.name}"
            " (seq, at, actor, entity, key, action, before, after, request_id)"
            f" SELECT (SELECT coalesce(max(seq), 0) FROM {table.name}) + row_number() OVER (),"
            " :at, :actor, entity, key, CASE WHEN before IS NULL THEN 'create' WHEN after IS NULL THEN 'delete'"
            f" ELSE 'amend' END, before::jsonb, after::jsonb, :request_id FROM ({query}) AS selected RETURNING action)"
            " SELECT action, count(*) AS number FROM appended GROUP BY action"
        ).bindparams(at=at, actor=author.actor, request_id=author.request_id)
    )
    return Counter({row.action: row.number for row in actions})
