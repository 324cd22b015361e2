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
"""What was done with a record.

- `create`: it was written for the first time
- `amend`: it has other values than before
- `delete`: it was removed
"""

RecordState = TypeAliasType("RecordState", dict[str, Any])
"""A record at one time: the members that a read of it gave then, with their values."""

RecordCounts = TypeAliasType("RecordCounts", dict[str, int])
"""Number of the records of a service, by kind."""


class Page(ResponseModel, Generic[Item]):
    """One page of a list: `total` counts every match, `next` is the path of the page after this one."""

    items: list[Item]
    """The records of this page, in the order of `sort`."""
    total: int
    """How many records match all filters, over all pages."""
    next: str | None
    """Path of the next page, to be requested as it is; null on the last page."""
    revision: int
    """Number of the last write that the answer contains; it only grows, and `as_of` takes it to read the same data
    again.
    """


class ChangeRecord(ResponseModel):
    """One change of one record: `before` is null when it was created, `after` when it was deleted.

    `revision` is the revision of the data that the change is part of, the `seq` of the last change of its write: all
    changes of a write have the same. Lists show a write as a whole, pages of changes may divide it. `changed` names the
    members that an amendment changed. `organization` is on whose behalf it was made, null for the operator of the
    service.
    """

    seq: int
    """Position of the change in the feed of this service; it grows, with gaps."""
    revision: int
    """Number of the write that the change is part of; all changes of one write have the same."""
    at: datetime
    """When the write was committed, in UTC."""
    entity: str
    """The kind of record, such as `programme` or `ledger_entry`."""
    key: str
    """Code of the record that changed."""
    action: ChangeAction
    """Whether the record was created, amended or deleted."""
    organization: str | None
    """Code of the organization on whose behalf it was changed; null for the operator of the service."""
    reason: str | None
    """Why, as whoever wrote it stated; null where nothing was stated."""
    changed: list[str]
    """Names of the members that differ between `before` and `after`; empty for a creation or a deletion."""
    before: RecordState | None
    """The record as it was before; null where it was created."""
    after: RecordState | None
    """The record as it is after; null where it was deleted."""


class Health(ResponseModel):
    """`ready` is false while something that this process needs is missing, which `reason` names."""

    ready: bool
    """Whether this process can answer requests."""
    reason: str | None
    """What is missing; null while the process is ready."""
