"""Rules of evidence and of risks: which rows everybody reads, and the errors of evidence that nobody can look up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar

from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import ErrorDetail, error_detail
from mmptf_markers.evidence.schemas import EvidenceSent, Visibility


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


def unnamed_evidence(evidence: Sequence[EvidenceSent], pointer: str) -> Iterator[ErrorDetail]:
    """An error for each piece of evidence that names neither a document nor an address."""
    for n, piece in enumerate(evidence):
        if not (piece.document or piece.url):
            where = f"{pointer}/{n}/document"
            detail = f"{where}: name the document, or state its address as `url`"
            yield error_detail(ProblemCode.MISSING_MEMBER, detail, pointer=where)
