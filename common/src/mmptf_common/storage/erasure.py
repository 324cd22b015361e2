"""Erasure of what a service holds of one person: a pseudonym in place of the subject of the identity provider."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from mmptf_common.process.settings import ServiceSettings
from mmptf_common.storage.engines import open_database
from mmptf_common.storage.journal import DRAFT_JOURNAL, JOURNAL_LOCK, PUBLIC_JOURNAL
from mmptf_common.storage.pseudonyms import TABLE as PSEUDONYMS
from mmptf_common.storage.writing import writing

# A command of an operator has no request, and its name stays: a subject may be the same text.
_WRITES = "UPDATE {} SET actor = :pseudonym WHERE actor = :subject AND request_id IS NOT NULL RETURNING at"
# The subject is the first line of the owner of an idempotency key; the second is the organization.
_ANSWERS = sa.text(
    "UPDATE idempotency_key SET subject = :pseudonym || substr(subject, length(:subject) + 1)"
    " WHERE starts_with(subject, :subject || E'\\n')"
)
# Records have the pseudonym of a person; nobody is to find whose it is.
_NAMED = f"UPDATE {PSEUDONYMS} SET subject = :pseudonym WHERE subject = :subject"
_ERASED = sa.text("INSERT INTO erasure VALUES (:pseudonym, clock_timestamp(), :writes, :answers)")
# No member of a record is meant for a person, but people write texts.
_MENTIONS = (
    "SELECT entity || ' ' || key FROM {}"
    " WHERE position(:text IN before::text) > 0 OR position(:text IN after::text) > 0"
)


@dataclass(frozen=True, slots=True)
class Erasure:
    """What stands for a subject now, and where it stood.

    writes, answers: the numbers of its writes and of its stored answers
    named: whether records name it by a pseudonym, which stays
    mentions: entity and code of the records whose texts contain it, now or earlier, which stay as they are
    """

    pseudonym: str
    writes: int
    answers: int
    named: bool
    mentions: list[str]


async def erase_subject(settings: ServiceSettings, subject: str) -> Erasure:
    """Put a new pseudonym in the place of a subject, in one transaction; returns what was found.

    Order, numbers and moments of the journal stay, and so do all records: no revision is made. The erasure itself is
    recorded under the pseudonym, unless nothing was found.
    settings: with the database under the role that owns its tables; another one may not change the journal
    """
    values = {"subject": subject, "pseudonym": f"erased-{secrets.token_hex(8)}"}
    async with open_database(settings) as database, writing(database, is_long=True) as session:
        connection = await session.connection()
        # No write of this subject is under way.
        await connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": JOURNAL_LOCK})
        journals = [PUBLIC_JOURNAL]
        if await _is_there(connection, DRAFT_JOURNAL.change):
            journals.append(DRAFT_JOURNAL)
        # A write that is in both journals, such as a submission, has one moment.
        moments = set[datetime]()
        for journal in journals:
            moments |= set(await connection.scalars(sa.text(_WRITES.format(journal.revision)), values))
        writes = len(moments)
        answers = (await connection.execute(_ANSWERS, values)).rowcount
        named = False
        if await _is_there(connection, PSEUDONYMS):
            named = (await connection.execute(sa.text(_NAMED), values)).rowcount > 0
        if writes or answers or named:
            found = {"pseudonym": values["pseudonym"], "writes": writes, "answers": answers}
            await connection.execute(_ERASED, found)
        text = json.dumps(subject, ensure_ascii=False)
        found_in = " UNION ".join(_MENTIONS.format(journal.change) for journal in journals)
        mentions = list((await connection.scalars(sa.text(f"{found_in} ORDER BY 1"), {"text": text})).all())
    return Erasure(values["pseudonym"], writes, answers, named, mentions)


async def _is_there(connection: AsyncConnection, table: str) -> bool:
    """Whether the database has a table, which not every service needs."""
    return bool(await connection.scalar(sa.text("SELECT to_regclass(:table) IS NOT NULL"), {"table": table}))
