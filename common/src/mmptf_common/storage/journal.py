"""The journal of changes, written by triggers: audit trail, history, change feed and revision of the data.

revision   one row for each write that changed anything: who, when and why, and the numbers of its changes. The trigger
           of its first change makes it, and one that is deferred to the end of the transaction sets `number`
change     one row for each record that a write changed: the record before and after, and its own reason in a batch
<t>_past   the rows of table <t> as they were before each change, from which earlier revisions are read

Drafts have a journal of their own, `draft_revision` and `draft_change`, so that nothing in the other one moves when a
draft is written. A write changes drafts of one owner, whom its revision names: an organization, or what a service says
instead. The numbers are made from the moments of the writes, so that what one organization sees of it does not show how
often others write.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from mmptf_common.storage.engines import driver_connection

# Any constant will do, as long as nothing else in a service's database locks it.
JOURNAL_LOCK = 0x6D6D707466
# Where the database notifies of each write that is committed, with an empty text.
CHANNEL = "mmptf_written"

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Journal:
    """The names of the tables of a journal, and whose writes a reader sees in it.

    member: the member of a draft, and the column of its table, that names its owner; its trigger writes it to `owner`
    owners: SQL of the owners whose drafts an organization sees; `{0}` stands for its bound code
    reader: the organization that reads; None for whoever sees all writes
    """

    revision: str
    change: str
    member: str = "organization"
    owners: str = "SELECT {0}::text"
    reader: str | None = None

    @property
    def values(self) -> tuple[str, ...]:
        """The bound values of `seen` and `newest`: the reader, or none."""
        return () if self.reader is None else (self.reader,)

    def seen(self, reader: str = "", owner: str = "owner") -> str:
        """SQL of the condition for what the reader sees.

        reader: the placeholder of the bound reader; owner: SQL of the owner, by default that of a write
        """
        return "true" if self.reader is None else f"{owner} IN ({self.owners.format(reader)})"

    def newest(self, reader: str = "") -> str:
        """SQL of the revision of the data as a text: the number of the last change, and the microsecond of its write.

        The moment distinguishes journals that have reached the same number: two databases that share a cache, or one
        database before and after a backup was restored. For a reader the owners follow, as a hash: whose drafts an
        organization sees may change without a write of any.
        """
        if self.reader is None:
            return (
                "coalesce((SELECT number || ':' || (extract(epoch FROM at) * 1000000)::bigint"
                f" FROM {self.revision} ORDER BY number DESC LIMIT 1), '0:0')"
            )
        return (
            "(SELECT coalesce(max(number), 0) || ':' || coalesce((extract(epoch FROM max(at)) * 1000000)::bigint, 0)"
            " || ':' || hashtextextended(coalesce(string_agg(seen.owner, ' ' ORDER BY seen.owner), ''), 0)"
            f" FROM ({self.owners.format(reader)}) AS seen(owner) CROSS JOIN LATERAL (SELECT number, at"
            f" FROM {self.revision} WHERE owner = seen.owner ORDER BY number DESC LIMIT 1) AS last)"
        )


PUBLIC_JOURNAL = Journal("revision", "change")
DRAFT_JOURNAL = Journal("draft_revision", "draft_change")
REVISION = PUBLIC_JOURNAL.newest()


@dataclass(frozen=True, slots=True)
class Author:
    """The author of a write, the organization for which it is made, and the request.

    actor: a subject of the identity provider, or the command that an operator ran; only auditors can read it
    """

    actor: str
    organization: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Write:
    """A write under way: its session, its author, its moment, and the number of its first change but of drafts.

    connection: the driver's own, of the same transaction, for statements that every write has; what the session holds
                back until it is flushed is not seen by them
    """

    session: AsyncSession
    connection: Any
    author: Author
    at: datetime
    first: int

    @property
    def version(self) -> str:
        """The version of every record that this write has written, as the database gives it (`listing.VERSION`)."""
        return f"{self.first}:{(self.at - EPOCH) // timedelta(microseconds=1)}"

    async def revision(self) -> int:
        """The present revision of the data without drafts, within this write."""
        # The number of the write's own revision follows when its transaction ends.
        return int(await self.connection.fetchval("SELECT coalesce(max(seq), 0) FROM change"))


_LOCK = f"SELECT pg_advisory_xact_lock({JOURNAL_LOCK})"
# The last moment of the journals that a write may change, and the number of its first change of drafts: the millisecond
# of the write, or the next number where that is behind the last one. The trigger of drafts expects the same.
_RECORDS = ("SELECT max(at) FROM revision", "NULL::bigint")
_RECORDS_AND_DRAFTS = (
    "SELECT greatest((SELECT max(at) FROM revision), (SELECT max(at) FROM draft_revision))",
    "greatest(floor(extract(epoch FROM at) * 1000)::bigint, (SELECT max(seq) + 1 FROM draft_change),"
    " (SELECT max(number) + 1 FROM draft_revision))",
)


async def begin_write(
    session: AsyncSession, author: Author, reason: str | None = None, *, drafts: bool = False
) -> Write:
    """Take the lock of writers until the transaction ends, and set the author of its changes for the triggers.

    drafts: whether the write may change drafts, those of one owner

    Has to be called before the first read that a write depends on. Writers wait for each other here, so changes become
    visible in the order of `seq`: a reader of the journal can stop after any change and resume without missing one.
    """
    connection = await driver_connection(session)
    if not connection.is_in_transaction():
        # SQLAlchemy begins a transaction with the first statement of its own.
        await session.execute(sa.text("SELECT"))
    await connection.execute(_LOCK)
    # The time of the statement, not of the transaction: a writer that waited must not be earlier than the one before.
    last_moment, first_of_drafts = _RECORDS_AND_DRAFTS if drafts else _RECORDS
    row = await connection.fetchrow(
        f"SELECT at, first, pg_notify('{CHANNEL}', ''),"
        " set_config('mmptf.first', first::text, true), set_config('mmptf.draft_first',"
        f" coalesce(({first_of_drafts})::text, ''), true), set_config('mmptf.write',"
        " json_build_object('at', at, 'actor', $1::text, 'organization', $2::text, 'reason', $3::text,"
        " 'request_id', $4::text)::text, true)"
        " FROM (SELECT greatest(date_trunc('microseconds', clock_timestamp()),"
        f" ({last_moment}) + interval '1 microsecond') AS at,"
        " (SELECT coalesce(max(seq), 0) + 1 FROM change) AS first) AS next",
        author.actor,
        author.organization,
        reason,
        author.request_id,
    )
    return Write(session, connection, author, row["at"], row["first"])


async def state_reasons(write: Write, reasons: Mapping[str, Mapping[str, str]]) -> None:
    """Set the reasons of single records' changes that follow in this write, by entity and code; for rows of a batch.

    A record that is not among them has the reason of the write. Where a savepoint is rolled back, the reasons of before
    it hold again.
    """
    await write.connection.execute(
        "SELECT set_config('mmptf.reasons', $1, true)", json.dumps(reasons, ensure_ascii=False)
    )
