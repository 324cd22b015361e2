"""What crosses a service boundary: money, sources, problems, and the envelope of a list."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

CODE_PATTERN = r"^[A-Za-z0-9]+([-_.][A-Za-z0-9]+)*$"
Code = Annotated[str, Field(pattern=CODE_PATTERN, max_length=64)]

_CONTROL = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f"
# Characters without ink or width: a text of them alone says nothing either.
_UNSEEN = r"\u200b-\u200f\u2060\ufeff"


def _on_the_calendar(value: str) -> str:
    date.fromisoformat(value)
    return value


# What callers send. Text without control characters, not blank to the eye; an amount above zero, its cents written out;
# a day of this or the last decades to come, since a year 0 or 9999 is a mistake.
Text = Annotated[str, Field(min_length=1, pattern=rf"^[^{_CONTROL}]*[^{_CONTROL}\s{_UNSEEN}][^{_CONTROL}]*$")]
Day = Annotated[
    str,
    Field(
        pattern=r"^(199[0-9]|20[0-9]{2})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$",
        json_schema_extra={"format": "date"},
        examples=["2025-01-31"],
    ),
    AfterValidator(_on_the_calendar),
]


class ResponseModel(BaseModel):
    """Base of everything on the wire: closed, frozen, every field present (absent is null, never missing)."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class RequestModel(BaseModel):
    """Base of what callers send: nothing else is taken; a member with a default may be left out."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def unset() -> Any:
    """What a member is that was not sent: it stays as it is."""
    return None


class PatchModel(RequestModel):
    """Base of what is sent part by part: a member whose default is `unset` stays as it is where it is not sent."""

    def stated(self) -> dict[str, Any]:
        """Those of these members that were sent, as JSON."""
        optional = {name for name, field in type(self).model_fields.items() if field.default_factory is unset}
        return self.model_dump(mode="json", include=self.model_fields_set & optional)
