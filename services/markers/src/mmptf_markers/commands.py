"""What is written to the marker service: rubrics, each version once and for good."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from importlib.resources import files

from sqlalchemy.ext.asyncio import AsyncSession

from mmptf_common.journal import Author, begin_write
from mmptf_common.records import document_of, load, moment_text, packaged
from mmptf_common.schemas import Document
from mmptf_markers.loading import load_rubric
from mmptf_markers.models import RubricRow, SourceDocumentRow
from mmptf_markers.rubric import Rubric
from mmptf_markers.schemas import PublishedRubric


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
        SourceDocumentRow(code=f["code"], updated=write.at, document=document_of(Document, f, write.at))
        for f in packaged("mmptf_markers", "documents")
    ]
    await load(write, sources)
    await load(write, [_row(rubric, write.at) for rubric in packaged_rubrics()])
    return await write.revision()


def _row(rubric: Rubric, at: datetime) -> RubricRow:
    code = f"{rubric.code}.{rubric.version}"
    published = PublishedRubric(
        code=code,
        rubric=rubric.code,
        version=rubric.version,
        title=rubric.title,
        marker=rubric.marker,
        status=rubric.status,
        hash=rubric.hash,
        answers_schema=f"/markers/v1/rubrics/{code}/answers-schema",
        content=rubric,
        updated=at,
    )
    document = {**published.model_dump(mode="json"), "updated": moment_text(at)}
    return RubricRow(
        code=code,
        rubric=rubric.code,
        version=rubric.version,
        status=rubric.status,
        hash=rubric.hash,
        updated=at,
        document=document,
    )
