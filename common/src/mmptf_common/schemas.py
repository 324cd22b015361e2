"""What crosses a service boundary: money, sources, problems, and the envelope of a list."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

CODE_PATTERN = r"^[A-Za-z0-9]+([-_.][A-Za-z0-9]+)*$"
Code = Annotated[str, Field(pattern=CODE_PATTERN, max_length=64)]
Item = TypeVar("Item", bound=BaseModel)
# Wider than a stored amount, which has 16 digits before the point: a sum of many is one too.
AmountText = Annotated[str, Field(pattern=r"^-?[0-9]{1,26}\.[0-9]{2}$")]

_CONTROL = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f"
# Characters without ink or width: a text of them alone says nothing either.
_UNSEEN = r"\u200b-\u200f\u2060\ufeff"


def _on_the_calendar(value: str) -> str:
    date.fromisoformat(value)
    return value


# What callers send. Text without control characters, not blank to the eye; an amount above zero, its cents written out;
# a day of this or the last decades to come, since a year 0 or 9999 is a mistake.
Text = Annotated[str, Field(min_length=1, pattern=rf"^[^{_CONTROL}]*[^{_CONTROL}\s{_UNSEEN}][^{_CONTROL}]*$")]
AmountSent = Annotated[
    str, Field(pattern=r"^([1-9][0-9]{0,13}\.[0-9]{2}|0\.(0[1-9]|[1-9][0-9]))$", examples=["1500000.00"])
]
Day = Annotated[
    str,
    Field(
        pattern=r"^(199[0-9]|20[0-9]{2})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$",
        json_schema_extra={"format": "date"},
        examples=["2025-01-31"],
    ),
    AfterValidator(_on_the_calendar),
]


class Wire(BaseModel):
    """Base of everything on the wire: closed, frozen, every field present (absent is null, never missing)."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Sent(BaseModel):
    """Base of what callers send: nothing else is taken; a member with a default may be left out."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def unset() -> Any:
    """What a member is that was not sent: it stays as it is."""
    return None


class PartSent(Sent):
    """Base of what is sent part by part: a member whose default is `unset` stays as it is where it is not sent."""

    def stated(self) -> dict[str, Any]:
        """Those of these members that were sent, as JSON."""
        optional = {name for name, field in type(self).model_fields.items() if field.default_factory is unset}
        return self.model_dump(mode="json", include=self.model_fields_set & optional)


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


class ChangeRecord(Wire):
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
