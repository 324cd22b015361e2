"""Who may read rows of evidence and due diligence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from mmptf_markers.assessments.schemas import Visibility


class Visible(Protocol):
    """A row that says who may read it."""

    @property
    def visibility(self) -> Visibility:
        """Who may read it."""


Row = TypeVar("Row", bound=Visible)


def by_visibility(rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """The rows that are public, and those that are restricted."""
    public = [row for row in rows if row.visibility == "public"]
    return public, [row for row in rows if row.visibility == "restricted"]
