"""Models of the page of a list, of a change and of a health answer."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel

from mmptf_common.wire.base import ResponseModel

Item = TypeVar("Item", bound=BaseModel)


class Page(ResponseModel, Generic[Item]):
    """One page of a list: `total` counts every match, `next` is the path of the page after this one."""

    items: list[Item]
    total: int
    next: str | None
    revision: int


class ChangeRecord(ResponseModel):
    """One change of one record: `before` is null when it was created, `after` when it was deleted.

    `revision` is the revision of the data that the change is part of: changes of one write have the same, and none is
    seen without the others. `changed` names the members that an amendment changed. `organization` is on whose behalf
    it was made, null for the operator of the service.
    """

    seq: int
    revision: int
    at: datetime
    entity: str
    key: str
    action: Literal["create", "amend", "delete"]
    organization: str | None
    reason: str | None
    changed: list[str]
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class Health(ResponseModel):
    """`ready` is false while something that this process needs is missing, which `reason` names."""

    ready: bool
    reason: str | None
