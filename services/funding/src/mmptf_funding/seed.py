"""Loads the packaged data of the funding service into its database."""

from __future__ import annotations

import io
from importlib.resources import files

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from mmptf_common.storage.journal import Author, Write, begin_write
from mmptf_common.storage.records import derive_again, load, read_packaged
from mmptf_common.wire.sources import Publication
from mmptf_common.writes.table_files import Tables, csv_table
from mmptf_funding.contributions.commands import (
    computed_figures,
    contribution_row,
    contributor_row,
    derive_facts,
    fact_row,
    stage_row,
    target_row,
    with_contributor,
)
from mmptf_funding.contributions.domain import Contribution, Contributor, Fact, Stage, Target
from mmptf_funding.imports.commands import derive_requirements, import_edition
from mmptf_funding.imports.template import TABLES, TEMPLATE
from mmptf_funding.models import ContributionRow, ContributorRow, SourceDocumentRow

PACKAGE = "mmptf_funding"
EDITIONS = ("MI-2015",)


async def load_packaged_data(session: AsyncSession, author: Author) -> int:
    """Load the packaged data into an empty or an older database; returns the revision of the data."""
    write = await begin_write(session, author, "data of the package")
    at = write.at
    publications = read_packaged(PACKAGE, "documents", Publication, updated=at)
    await load(write, [_publication_row(publication) for publication in publications])
    await load(write, [stage_row(stage, at) for stage in read_packaged(PACKAGE, "money_stages", Stage)])
    await load(write, [contributor_row(given, at) for given in read_packaged(PACKAGE, "contributors", Contributor)])
    contributors = {row.code: row for row in await write.session.scalars(sa.select(ContributorRow))}
    contributions = read_packaged(PACKAGE, "contributions", Contribution)
    await load(write, [contribution_row(given, contributors[given.contributor], at) for given in contributions])
    await derive_again(write, ContributionRow, lambda row: with_contributor(row, contributors[row.contributor]))
    await load(write, [target_row(target, at) for target in read_packaged(PACKAGE, "targets", Target)])
    computed = await computed_figures(write)
    await load(write, [fact_row(fact, computed, at) for fact in read_packaged(PACKAGE, "facts", Fact)])
    await derive_facts(write)
    for edition in EDITIONS:
        await _load_edition(write, edition)
    await derive_requirements(write)
    return await write.revision()


async def _load_edition(write: Write, edition: str) -> None:
    """Import a packaged edition from files in the form of the template."""
    folder = files(PACKAGE) / "data" / edition
    tables: Tables = {
        name: csv_table(TEMPLATE.table(name), name, io.BytesIO((folder / f"{name}.csv").read_bytes()))
        for name in TABLES
    }
    await import_edition(write, tables, packaged=True)


def _publication_row(publication: Publication) -> SourceDocumentRow:
    record = publication.model_dump(mode="json")
    return SourceDocumentRow(code=publication.code, updated=publication.updated, record=record)
