"""Pseudonyms of people, under which records name them; a row of their own says whose each is, and is erased alone."""

from __future__ import annotations

import secrets

import sqlalchemy as sa

from mmptf_common.storage.journal import Write

TABLE = "pseudonym"
# SQL of the pseudonym of a subject, NULL where it has none; `{}` stands for the subject.
OF_SUBJECT = f"(SELECT pseudonym FROM {TABLE} WHERE subject = {{}})"


def pseudonym_table(metadata: sa.MetaData) -> sa.Table:
    """The table of pseudonyms by the subject of the identity provider, or by what stands for one that was erased."""
    return sa.Table(
        TABLE,
        metadata,
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("pseudonym", sa.Text, nullable=False, unique=True),
    )


async def pseudonym_of(write: Write, subject: str) -> str:
    """The pseudonym of a subject, which is made up where it has none."""
    known = await write.connection.fetchval(f"SELECT {OF_SUBJECT.format('$1')}", subject)
    if known is not None:
        return str(known)
    pseudonym = secrets.token_hex(8)
    await write.connection.execute(f"INSERT INTO {TABLE} (subject, pseudonym) VALUES ($1, $2)", subject, pseudonym)
    return pseudonym
