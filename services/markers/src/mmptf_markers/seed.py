"""How the packaged rubrics, targets and publications are brought into the marker service."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files

from sqlalchemy.ext.asyncio import AsyncSession

from mmptf_common.storage.journal import Author, begin_write
from mmptf_common.storage.records import document_of, load, packaged
from mmptf_common.wire.sources import Publication
from mmptf_markers.engine.loading import load_rubric
from mmptf_markers.engine.rubric import Rubric
from mmptf_markers.indicator.schemas import MarkerTarget
from mmptf_markers.models import SourceDocumentRow, TargetRow
from mmptf_markers.rubrics.commands import _row


def packaged_rubrics() -> Iterator[Rubric]:
    """The rubrics that this package carries, checked as a whole; raises InvalidRubric."""
    for file in sorted((files("mmptf_markers") / "data" / "rubrics").iterdir(), key=lambda file: file.name):
        yield load_rubric(file.read_bytes())


async def load_packaged_data(session: AsyncSession, author: Author) -> int:
    """Publish the packaged rubrics that are not published yet; returns the revision of the data.

    A packaged rubric that differs from the published one of the same version is refused by the database.
    """
    write = await begin_write(session, author, "data of the package")
    sources = [
        SourceDocumentRow(code=f["code"], updated=write.at, document=document_of(Publication, f, write.at))
        for f in packaged("mmptf_markers", "documents")
    ]
    await load(write, sources)
    await load(write, [_row(rubric, write.at) for rubric in packaged_rubrics()])
    targets = [
        TargetRow(code=f["code"], marker=f["marker"], updated=write.at, document=document_of(MarkerTarget, f, write.at))
        for f in packaged("mmptf_markers", "targets")
    ]
    await load(write, targets)
    return await write.revision()
