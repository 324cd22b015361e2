"""Sources of facts, and gaps in the sources."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from mmptf_common.wire.base import Code, ResponseModel


class SourceRef(ResponseModel):
    """The source of one fact: the document, the line of its text, and what is printed there.

    `line` counts from 1 in the plain text of the document; null where the document's text is not available,
    then `locator` describes the place. `verified` is true only where a text at hand confirms the fact: a line of the
    document, or a public copy of it that was compared, as the note of the document says. What the suite or a
    submission states is not verified.
    """

    field: str
    document: Code
    line: Annotated[int, Field(ge=1)] | None
    locator: str | None
    as_printed: str | None
    verified: bool
    note: str | None


class PrintedCount(ResponseModel):
    """How many records there are with one value of a filter, as documents print it: `by` is the filter."""

    by: str
    value: str
    printed: Annotated[int, Field(ge=1)]
    sources: list[SourceRef]


class Gap(ResponseModel):
    """Something that the sources do not state, or state only in part; it is not zero."""

    field: str
    kind: Literal["not_stated_in_source", "partly_stated"]
    note: str | None


class Publication(ResponseModel):
    """A publication that facts were taken from."""

    code: Code
    title: str
    publisher: str | None
    year: int | None
    kind: str
    url: str | None
    note: str | None
    updated: datetime
