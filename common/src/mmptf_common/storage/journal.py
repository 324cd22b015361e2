"""Every change in order, written by triggers: audit trail, history, change feed and revision of the data.

revision   one row for each write that changed anything: who, when and why, and which changes it made
change     one row for each record that a write changed: the record before and after
<t>_past   the rows of table <t> as they were before each change, so that every earlier answer can be given again
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

# Any constant will do, as long as nothing else in a service's database locks it.
JOURNAL_LOCK = 0x6D6D707466

# The revision of the data, as SQL for a text: the number of the last change, and the microsecond of its write.
# The moment tells apart histories that count the same number: two databases that share a cache, or one database
# before and after a backup was brought back.
REVISION = (
    "coalesce((SELECT number || ':' || (extract(epoch FROM at) * 1000000)::bigint"
    " FROM revision ORDER BY number DESC LIMIT 1), '0:0')"
)


@dataclass(frozen=True, slots=True)
class Author:
    """On whose behalf a write is made, in which request, and why.

    actor: a subject of the identity provider, or the command that an operator ran; never shown to the public
    """

    actor: str
    organization: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Write:
    """A write under way: its transaction, its moment, and the number that its first change has."""

    session: AsyncSession
    author: Author
    at: datetime
    first: int

    async def revision(self) -> int:
        """The revision that the data have now, within this write."""
        return int(await self.session.scalar(sa.text("SELECT coalesce(max(number), 0) FROM revision")) or 0)


async def begin_write(session: AsyncSession, author: Author, reason: str | None = None) -> Write:
    """Take the writers' lock until the transaction ends, and say whose changes the ones that follow are.

    Writers queue here, so a `seq` that is visible has every smaller one visible too: a reader of the journal
    that stops anywhere and resumes misses nothing. Taken before the first read that a write depends on.
    """
    await session.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": JOURNAL_LOCK})
    # The statement's own time, not the transaction's start: a writer that queued must not predate the one before it.
    begun = await session.execute(
        sa.text(
            "SELECT at, first, set_config('mmptf.first', first::text, true), set_config('mmptf.write',"
            " json_build_object('at', at, 'actor', CAST(:actor AS text), 'organization', CAST(:organization AS text),"
            " 'reason', CAST(:reason AS text), 'request_id', CAST(:request_id AS text))::text, true)"
            " FROM (SELECT greatest(date_trunc('microseconds', clock_timestamp()), max(at) + interval '1 microsecond')"
            " AS at, coalesce(max(number), 0) + 1 AS first FROM revision) AS next"
        ),
        {
            "actor": author.actor,
            "organization": author.organization,
            "reason": reason,
            "request_id": author.request_id,
        },
    )
    row = begun.one()
    return Write(session, author, row.at, row.first)
