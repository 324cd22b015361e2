"""How the packaged data of the funding service are brought into its database."""

from __future__ import annotations

import io
from datetime import datetime
from importlib.resources import files
from typing import TypeVar

from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from mmptf_common.storage.journal import Author, Write, begin_write
from mmptf_common.storage.records import load, packaged
from mmptf_common.wire.sources import Publication
from mmptf_funding.contributions.commands import contribution_row, contributor_row, fact_row, stage_row, target_row
from mmptf_funding.contributions.domain import Contribution, Contributor, Fact, Stage, Target
from mmptf_funding.editions.schemas import ResultsMatrix
from mmptf_funding.imports.commands import import_edition
from mmptf_funding.imports.files import Tables, csv_table
from mmptf_funding.imports.template import TABLES
from mmptf_funding.models import ResultsMatrixRow, SourceDocumentRow

PACKAGE = "mmptf_funding"
EDITIONS = ("MI-2015",)

Model = TypeVar("Model", bound=BaseModel)


async def load_packaged_data(session: AsyncSession, author: Author) -> int:
    """Bring the packaged data into an empty or an older database; returns the revision of the data."""
    write = await begin_write(session, author, "data of the package")
    at = write.at
    contributors = {contributor.code: contributor for contributor in _packaged("contributors", Contributor)}
    for rows in (
        [_document_row(document) for document in _packaged("documents", Publication, at)],
        [stage_row(stage, at) for stage in _packaged("money_stages", Stage)],
        [contributor_row(contributor, at) for contributor in contributors.values()],
        [
            contribution_row(given, contributors[given.contributor], at)
            for given in _packaged("contributions", Contribution)
        ],
        [target_row(target, at) for target in _packaged("targets", Target)],
        [fact_row(fact, at) for fact in _packaged("facts", Fact)],
    ):
        await load(write, rows)
    for edition in EDITIONS:
        await _load_edition(write, edition)
    return await write.revision()


async def _load_edition(write: Write, edition: str) -> None:
    """Bring a packaged edition in as any other is: its files are those of the template. Then its results matrices."""
    folder = files(PACKAGE) / "data" / edition
    tables: Tables = {name: csv_table(name, io.BytesIO((folder / f"{name}.csv").read_bytes())) for name in TABLES}
    await import_edition(write, tables, packaged=True)
    matrices = _packaged(f"{edition}/results", ResultsMatrix, write.at)
    await load(write, [_results_matrix_row(matrix) for matrix in matrices])


def _packaged(name: str, model: type[Model], at: datetime | None = None) -> list[Model]:
    """A file of the packaged data; ValidationError where it does not fit the model.

    at: the moment that the model takes as `updated`, where it is the very record that readers get
    """
    moment = {} if at is None else {"updated": at}
    return [model.model_validate({**stated, **moment}) for stated in packaged(PACKAGE, name)]


def _document_row(document: Publication) -> SourceDocumentRow:
    return SourceDocumentRow(code=document.code, updated=document.updated, document=document.model_dump(mode="json"))


def _results_matrix_row(matrix: ResultsMatrix) -> ResultsMatrixRow:
    return ResultsMatrixRow(
        code=matrix.code,
        edition=matrix.edition,
        region=matrix.region,
        updated=matrix.updated,
        document=matrix.model_dump(mode="json"),
    )
