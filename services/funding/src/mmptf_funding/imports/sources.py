"""The sources of the facts of an imported row."""

from __future__ import annotations

from mmptf_common.wire.sources import SourceRef


def source_of(
    field: str, document: str, line: int | None, printed: str | None, last_line: int | None = None
) -> SourceRef:
    """The source of one fact of a record; where it takes several lines, the locator has them."""
    return SourceRef(
        field=field,
        document=document,
        line=line,
        locator=None if last_line is None else f"lines {line}-{last_line}",
        as_printed=printed,
        verified=line is not None,
        note=None,
    )
