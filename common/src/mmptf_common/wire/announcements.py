"""What a process of a service announces over Redis of its data, and the header fields by which copies are told apart.

A gateway keeps an answer only under the revision that its field `Cache-Groups` states, while that is the announced one.
"""

from __future__ import annotations

import re
from typing import NamedTuple

# The seconds between two announcements of a process, and those after which nothing may be told from the last one. With
# the time that one takes, what is kept of an earlier revision is used for less than a second.
BEAT_SECONDS, VALID_SECONDS = 0.25, 0.75
# A service announces only while it is asked for what may be kept: a gateway that uses what it keeps sends it one of the
# reads after so many seconds without any.
ASK_SECONDS = 20.0
# RFC 9875: the group of stored answers that an answer is of, and the one that a write makes out of date. Each group is
# a service; of its parameters a recipient ignores those that it does not know.
GROUP, INVALIDATION = b"cache-groups", b"cache-group-invalidation"
_TEXT = re.compile(r"([0-9a-f]{16}) ([0-9]{1,18}):([0-9]{1,18}) ([0-9a-f]{12})")
_MEMBER = re.compile(rb'"([a-z][a-z0-9-]*)"(?:;revision=([0-9]{1,15}))?')


class Announcement(NamedTuple):
    """What one process has read in its database.

    instance: the process, sixteen hexadecimal digits; number, moment: the revision of the data, and the microsecond of
    its write; build: the code that answers, as in every ETag
    """

    instance: str
    number: int
    moment: int
    build: str

    def text(self) -> str:
        """The message, as `announcement_in` reads it."""
        return f"{self.instance} {self.number}:{self.moment} {self.build}"


def announcement_in(message: bytes) -> Announcement | None:
    """The announcement that a message is; None where it is none."""
    found = _TEXT.fullmatch(message.decode("latin-1"))
    return Announcement(found[1], int(found[2]), int(found[3]), found[4]) if found else None


def channel_of(service: str, database: int) -> str:
    """The channel of a service's announcements.

    database: the number of the Redis database, since channels do not belong to one, and each may have another suite
    """
    return f"mmptf-{service}:revision:{database}"


def group(service: str, revision: int | None) -> bytes:
    """The value of a field for the group of a service at a revision; None where it is not known."""
    return f'"{service}"'.encode() if revision is None else f'"{service}";revision={revision}'.encode()


def groups_in(value: bytes) -> dict[str, int | None]:
    """The groups in the value of a field, each with its revision, None where it is not stated."""
    return {found[1].decode(): int(found[2]) if found[2] else None for found in _MEMBER.finditer(value)}
