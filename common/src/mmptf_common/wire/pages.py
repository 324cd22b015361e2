"""Models of the page of a list, of a change and of a health answer."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel
from typing_extensions import TypeAliasType

from mmptf_common.wire.base import ResponseModel

Item = TypeVar("Item", bound=BaseModel)

ChangeAction = TypeAliasType(
    "ChangeAction",
    Literal["create", "amend", "delete"],
)
"""What a change did to a record.

- `create`: it was written for the first time
- `amend`: it has other values than before
- `delete`: it was removed
"""

CacheUse = TypeAliasType(
    "CacheUse",
    Literal["working", "unavailable", "off"],
)
"""Whether a process uses Redis.

- `working`: aggregates are stored there and read again
- `unavailable`: it cannot be used now, and is tried again every few seconds
- `off`: the operator has set none
"""

ReplicaUse = TypeAliasType(
    "ReplicaUse",
    Literal["working", "behind", "unavailable", "off"],
)
"""Whether a process reads from a replica of its database. Answers are the same in each case.

- `working`: reads go there, as long as it has everything that was written before they began
- `behind`: it lacks something for more than two seconds; the database itself is read until it has caught up
- `unavailable`: it cannot be used now, and is tried again every second
- `off`: the operator has set none
"""

RecordState = TypeAliasType("RecordState", dict[str, Any])
"""A whole record at one time: the members and values that `GET` of the record gave then."""

RecordCounts = TypeAliasType("RecordCounts", dict[str, int])
"""Number of the records of a service by their kind, such as `{"programmes": 20, "places": 279}`."""


class Page(ResponseModel, Generic[Item]):
    """One page of a list."""

    items: list[Item]
    """The records of this page, at most `limit`, in the order of `sort`."""
    total: int
    """How many records match all filters, over all pages."""
    next: str | None
    """Path of the next page, to be requested as it is; null on the last page."""
    revision: int
    """Number of the last write that the answer contains; it only grows, and `as_of` takes it to read the same data
    again.
    """


class ChangeRecord(ResponseModel):
    """One change of one record. A write that changes several records makes a change of each, with one `revision`.

    Lists show a write as a whole; pages of changes may divide it.
    """

    seq: int
    """Position of the change among all changes of this service. It grows from change to change, and numbers may be
    missing in between.
    """
    revision: int
    """Number of the write that the change is part of: the `seq` of its last change, the same in all its changes."""
    at: datetime
    """When the write was committed, in UTC."""
    entity: str
    """The kind of record, such as `programme` or `ledger_entry`."""
    key: str
    """Code of the record that changed."""
    action: ChangeAction
    """Whether the record was created, amended or deleted."""
    organization: str | None
    """Code of the organization for which it was changed; null where the operator of the service did it, such as by
    loading data.
    """
    reason: str | None
    """Why it was changed, in the words of whoever changed it; null where nothing was stated."""
    changed: list[str]
    """Names of the members that differ between `before` and `after`, but for `updated`; empty for a creation or a
    deletion.
    """
    before: RecordState | None
    """The record as it was before; null where it was created."""
    after: RecordState | None
    """The record as it is after; null where it was deleted."""


IS_DRAINING = "This process ends soon and finishes its requests; send new ones to another process."


class CacheState(ResponseModel):
    """Whether a process stores aggregates in Redis; without it the same answers are computed at each request."""

    state: CacheUse
    """Whether Redis is used now."""
    reason: str | None
    """Why Redis is not used, for the operator; null while it is, and where none is set."""


class ReplicaState(ResponseModel):
    """Whether a process reads from a replica of its database; without it the database itself answers the same."""

    state: ReplicaUse
    """Whether reads go to the replica now."""
    reason: str | None
    """Why the replica cannot be used, for the operator; null while it can be, and where none is set."""
    behind: int | None
    """Number of changes that the replica lacked when it was last compared with the database, at most some seconds ago;
    null where it cannot be compared, and where none is set.
    """


DatabaseRole = TypeAliasType(
    "DatabaseRole",
    Literal["primary", "read_only"],
)
"""What the database of a service is.

- `primary`: it takes writes
- `read_only`: it takes none, as a standby does; reads are answered
"""


class CopyInStatus(ResponseModel):
    """Whether a service has every change of another one whose records it copies."""

    service: str
    """The service whose records are copied."""
    caught_up: str | None
    """When the copy last had every change, in UTC, found at least every two minutes; null before the first copy."""


class Health(ResponseModel):
    """Whether a process can answer requests."""

    ready: bool
    """True while the process can answer requests; false while something that it needs is missing."""
    reason: str | None
    """What is missing, for the operator; null where nothing is."""
