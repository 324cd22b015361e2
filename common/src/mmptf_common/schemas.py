"""What crosses a service boundary: money, sources, problems, and the envelope of a list."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

CODE_PATTERN = r"^[A-Za-z0-9]+([-_.][A-Za-z0-9]+)*$"
Code = Annotated[str, Field(pattern=CODE_PATTERN, max_length=64)]
Item = TypeVar("Item", bound=BaseModel)
# Wider than a stored amount, which has 16 digits before the point: a sum of many is one too.
AmountText = Annotated[str, Field(pattern=r"^-?\d{1,26}\.\d{2}$")]


class Wire(BaseModel):
    """Base of everything that is sent: closed, frozen, every field present (absent is null, never missing)."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Money(Wire):
    """An exact amount: a decimal string with two places, and its ISO 4217 currency."""

    amount: AmountText
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


class SourceRef(Wire):
    """Where one fact stands: the document, the line of its text, and what is printed there.

    `line` counts from 1 in the plain text of the document; null where the document has no lines at hand,
    then `locator` says how to find it. `verified` is false where no text at hand confirms the fact.
    """

    field: str
    document: Code
    line: Annotated[int, Field(ge=1)] | None
    locator: str | None
    as_printed: str | None
    verified: bool
    note: str | None


class Gap(Wire):
    """Something the sources do not say, or say only in part, so that silence is never mistaken for zero."""

    field: str
    kind: Literal["not_stated_in_source", "partly_stated"]
    note: str | None


class Fault(Wire):
    """One thing that is wrong with a request: where, what, and what would have been allowed."""

    parameter: str | None
    pointer: str | None
    code: str
    detail: str
    allowed: list[str] | None
    suggestion: str | None


class Problem(Wire):
    """An RFC 9457 problem document; `code` is stable, `detail` is for people."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    request_id: str | None
    errors: list[Fault]


class Document(Wire):
    """A publication that facts were taken from."""

    code: Code
    title: str
    publisher: str | None
    year: int | None
    kind: str
    url: str | None
    note: str | None
    updated: datetime


class Page(Wire, Generic[Item]):
    """One page of a list: `total` counts every match, `next` is the path of the page after this one."""

    items: list[Item]
    total: int
    next: str | None
    revision: int


class Health(Wire):
    """`ready` is false while something that this process needs is missing; `reason` says what."""

    ready: bool
    reason: str | None
