"""How the packaged data of the funding service are brought into its database."""

from __future__ import annotations

import io
from datetime import date, datetime
from decimal import Decimal
from importlib.resources import files

from sqlalchemy.ext.asyncio import AsyncSession

from mmptf_common.storage.journal import Author, Write, begin_write
from mmptf_common.storage.records import Facts, document_of, load, packaged
from mmptf_common.wire.sources import Publication
from mmptf_funding.contributions.schemas import Contribution, Contributor, Fact, Stage, Target
from mmptf_funding.editions.schemas import ResultsMatrix
from mmptf_funding.imports.commands import import_edition
from mmptf_funding.imports.files import Tables, csv_table
from mmptf_funding.imports.template import TABLES
from mmptf_funding.models import (
    ContributionRow,
    ContributorRow,
    FactRow,
    MoneyStageRow,
    ResultsMatrixRow,
    SourceDocumentRow,
    TargetRow,
)

PACKAGE = "mmptf_funding"
EDITIONS = ("MI-2015",)


async def load_packaged_data(session: AsyncSession, author: Author) -> int:
    """Bring the packaged data into an empty or an older database; returns the revision of the data."""
    write = await begin_write(session, author, "data of the package")
    at = write.at
    contributors = {f["code"]: f for f in packaged(PACKAGE, "contributors")}
    for rows in (
        [_source(f, at) for f in packaged(PACKAGE, "documents")],
        [_stage(f, at) for f in packaged(PACKAGE, "money_stages")],
        [_contributor(f, at) for f in contributors.values()],
        [_contribution(f, contributors[f["contributor"]], at) for f in packaged(PACKAGE, "contributions")],
        [_target(f, at) for f in packaged(PACKAGE, "targets")],
        [_fact(f, at) for f in packaged(PACKAGE, "facts")],
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
    await load(write, [_results_matrix(facts, write.at) for facts in packaged(PACKAGE, f"{edition}/results")])


def _results_matrix(f: Facts, at: datetime) -> ResultsMatrixRow:
    return ResultsMatrixRow(
        code=f["code"],
        edition=f["edition"],
        region=f["region"],
        updated=at,
        document=document_of(ResultsMatrix, f, at),
    )


def _without(facts: Facts, *names: str) -> Facts:
    return {name: value for name, value in facts.items() if name not in names}


def _with_sum(facts: Facts, *names: str) -> Facts:
    money = {"amount": facts["amount"], "currency": facts["currency"]}
    return {**_without(facts, "amount", "currency", *names), "sum": money}


def _source(f: Facts, at: datetime) -> SourceDocumentRow:
    return SourceDocumentRow(code=f["code"], updated=at, document=document_of(Publication, f, at))


def _stage(f: Facts, at: datetime) -> MoneyStageRow:
    return MoneyStageRow(code=f["code"], position=f["number"], updated=at, document=document_of(Stage, f, at))


def _contributor(f: Facts, at: datetime) -> ContributorRow:
    return ContributorRow(
        code=f["code"],
        name=f["name"],
        type=f["type"],
        country=f["country"],
        updated=at,
        document=document_of(Contributor, f, at),
    )


def _contribution(f: Facts, contributor: Facts, at: datetime) -> ContributionRow:
    who = {name: contributor[name] for name in ("code", "name", "type", "country")}
    return ContributionRow(
        code=f["code"],
        contributor=contributor["code"],
        contributor_type=contributor["type"],
        country=contributor["country"],
        amount=Decimal(f["amount"]),
        currency=f["currency"],
        money_stage=f["stage"],
        basis=f["basis"],
        as_of=date.fromisoformat(f["as_of"]),
        updated=at,
        document=document_of(Contribution, {**_with_sum(f), "contributor": who}, at),
    )


def _target(f: Facts, at: datetime) -> TargetRow:
    verified = any(source["field"] == "amount" and source["verified"] for source in f["sources"])
    return TargetRow(
        code=f["code"],
        amount=Decimal(f["amount"]),
        currency=f["currency"],
        due=date.fromisoformat(f["due"]),
        updated=at,
        document=document_of(Target, {**_with_sum(f), "verified": verified}, at),
    )


def _fact(f: Facts, at: datetime) -> FactRow:
    # `computed` is not stored: it is computed from the rows of the moment at each read.
    document = document_of(Fact, {**_without(f, "computed_by"), "computed": None}, at)
    return FactRow(
        code=f["code"],
        printed=Decimal(f["printed"]["value"]),
        computed_by=f["computed_by"],
        updated=at,
        document=_without(document, "computed"),
    )
