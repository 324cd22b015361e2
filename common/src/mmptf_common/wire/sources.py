"""Sources of facts, and gaps in the sources."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypeAliasType

from mmptf_common.wire.base import Code, ResponseModel

GapKind = TypeAliasType(
    "GapKind",
    Literal["not_stated_in_source", "partly_stated"],
)
"""How much of a fact the sources leave out.

- `not_stated_in_source`: the sources state nothing of it
- `partly_stated`: the sources state only a part of it
"""


class SourceRef(ResponseModel):
    """The source of one fact: the document, the line of its text, and what is printed there.

    `line` counts from 1 in the plain text of the document; null where the document's text is not available,
    then `locator` describes the place. `verified` is true only where a text at hand confirms the fact: a line of the
    document, or a public copy of it that was compared, as the note of the document says. What the suite or a
    submission states is not verified.
    """

    field: str
    """Name of the member that this source is for."""
    document: Code
    """Code of the publication, as in `vintage` of the service's status."""
    line: Annotated[int, Field(ge=1)] | None
    """Line in the plain text of the document, counted from 1; null where that text is not at hand."""
    locator: str | None
    """Where in the document it stands, in words, where no line says it; else null."""
    as_printed: str | None
    """The figure or words as the document prints them; null where nothing is quoted."""
    verified: bool
    """Whether a text at hand confirms it; false for what only general knowledge or a submission says."""
    note: str | None
    """What a reader of this source has to know; null where there is nothing."""


class PrintedCount(ResponseModel):
    """How many records there are with one value of a filter, as documents print it: `by` is the filter."""

    by: str
    """Name of the filter whose value was counted."""
    value: str
    """Value of that filter."""
    printed: Annotated[int, Field(ge=1)]
    """Number of records that the documents print."""
    sources: list[SourceRef]
    """Where the number is printed."""


class Gap(ResponseModel):
    """Something that the sources do not state, or state only in part; it is not zero."""

    field: str
    """Name of the member that is null, empty or incomplete."""
    kind: GapKind
    """Whether the sources state nothing of it, or only a part."""
    note: str | None
    """What exactly is missing; null where the kind says all."""


class Publication(ResponseModel):
    """A publication that facts were taken from."""

    code: Code
    """Code by which sources name the publication."""
    title: str
    """Title as published."""
    publisher: str | None
    """Who published it; null where it is not stated."""
    year: int | None
    """Year of publication; null where it is not stated."""
    kind: str
    """Sort of publication, such as a brochure or a report."""
    url: str | None
    """Address at which it was published; null where none is known."""
    note: str | None
    """What a reader of figures from it has to know; null where there is nothing."""
    updated: datetime
    """When the record was last written here, in UTC; not when its source was published."""
