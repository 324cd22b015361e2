"""Loads the packaged rubrics, targets and publications into the marker service."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from mmptf_common.storage.journal import Author, begin_write
from mmptf_common.storage.records import load, read_packaged
from mmptf_common.wire.sources import Publication
from mmptf_markers.engine.loading import load_rubric
from mmptf_markers.engine.rubric import Rubric
from mmptf_markers.indicator.schemas import IndicatorTarget
from mmptf_markers.models import SourceDocumentRow, TargetRow
from mmptf_markers.results.commands import indicator_row
from mmptf_markers.results.schemas import ResultsIndicator
from mmptf_markers.rubrics.commands import published_rubric, rubric_row

PACKAGE = "mmptf_markers"
# The second version is for operators to publish: of illustrative rubrics the one that was published last is used where
# none is named, and an upgrade does not change that.
PUBLISHED: Final = ("hr-marker-illustrative-1.json",)


def packaged_rubrics() -> Iterator[Rubric]:
    """The packaged rubrics that are published by the seed, checked; raises InvalidRubric."""
    for name in PUBLISHED:
        yield load_rubric((files(PACKAGE) / "data" / "rubrics" / name).read_bytes())


async def load_packaged_data(session: AsyncSession, author: Author) -> int:
    """Publish the packaged rubrics that are not published yet; returns the revision of the data.

    A packaged rubric that differs from the published one of the same version is rejected by the database.
    """
    write = await begin_write(session, author, "data of the package")
    publications = read_packaged(PACKAGE, "documents", Publication, updated=write.at)
    await load(write, [_publication_row(publication) for publication in publications])
    await load(write, [rubric_row(published_rubric(rubric, write.at)) for rubric in packaged_rubrics()])
    targets = read_packaged(PACKAGE, "targets", IndicatorTarget, updated=write.at)
    await load(write, [_target_row(target) for target in targets])
    indicators = read_packaged(PACKAGE, "results_indicators", ResultsIndicator, updated=write.at)
    await load(write, [indicator_row(indicator) for indicator in indicators])
    return await write.revision()


def _publication_row(publication: Publication) -> SourceDocumentRow:
    """The row of a document that facts were taken from."""
    record = publication.model_dump(mode="json")
    return SourceDocumentRow(code=publication.code, updated=publication.updated, record=record)


def _target_row(target: IndicatorTarget) -> TargetRow:
    """The row of a marker's target."""
    return TargetRow(
        code=target.code, marker=target.marker, updated=target.updated, record=target.model_dump(mode="json")
    )
