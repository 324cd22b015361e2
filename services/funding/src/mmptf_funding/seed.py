"""Loads the packaged data of the funding service into its database."""

from __future__ import annotations

import io
from importlib.resources import files

from sqlalchemy.ext.asyncio import AsyncSession

from mmptf_common.storage.journal import Author, Write, begin_write
from mmptf_common.storage.records import load, read_packaged
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


async def load_packaged_data(session: AsyncSession, author: Author) -> int:
    """Load the packaged data into an empty or an older database; returns the revision of the data."""
    write = await begin_write(session, author, "data of the package")
    at = write.at
    contributors = {found.code: found for found in read_packaged(PACKAGE, "contributors", Contributor)}
    for rows in (
        [_publication_row(publication) for publication in read_packaged(PACKAGE, "documents", Publication, updated=at)],
        [stage_row(stage, at) for stage in read_packaged(PACKAGE, "money_stages", Stage)],
        [contributor_row(contributor, at) for contributor in contributors.values()],
        [
            contribution_row(given, contributors[given.contributor], at)
            for given in read_packaged(PACKAGE, "contributions", Contribution)
        ],
        [target_row(target, at) for target in read_packaged(PACKAGE, "targets", Target)],
        [fact_row(fact, at) for fact in read_packaged(PACKAGE, "facts", Fact)],
    ):
        await load(write, rows)
    for edition in EDITIONS:
        await _load_edition(write, edition)
    return await write.revision()


async def _load_edition(write: Write, edition: str) -> None:
    """Import a packaged edition from files in the form of the template, then load its results matrices."""
    folder = files(PACKAGE) / "data" / edition
    tables: Tables = {name: csv_table(name, io.BytesIO((folder / f"{name}.csv").read_bytes())) for name in TABLES}
    await import_edition(write, tables, packaged=True)
    matrices = read_packaged(PACKAGE, f"{edition}/results", ResultsMatrix, updated=write.at)
    await load(write, [_results_matrix_row(matrix) for matrix in matrices])


def _publication_row(publication: Publication) -> SourceDocumentRow:
    record = publication.model_dump(mode="json")
    return SourceDocumentRow(code=publication.code, updated=publication.updated, record=record)


def _results_matrix_row(matrix: ResultsMatrix) -> ResultsMatrixRow:
    return ResultsMatrixRow(
        code=matrix.code,
        edition=matrix.edition,
        region=matrix.region,
        updated=matrix.updated,
        record=matrix.model_dump(mode="json"),
    )
