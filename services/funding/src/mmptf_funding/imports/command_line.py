"""The `import` command: reads files from disk in constant memory, prints progress and a report."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncSession

from mmptf_common.process.settings import ServiceSettings
from mmptf_common.storage.engines import open_database
from mmptf_common.storage.journal import Author, begin_write
from mmptf_common.storage.writing import writing
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import InvalidRequest, error_detail
from mmptf_common.wire.raw_rows import UnreadableFile
from mmptf_common.wire.spelling import closest_match
from mmptf_common.wire.tables import errors_of
from mmptf_common.writes.table_files import Tables, csv_table, open_workbook
from mmptf_funding.imports.commands import Checked, Progress, changed_since, check_edition, write_edition
from mmptf_funding.imports.schemas import ImportReport
from mmptf_funding.imports.template import TABLES, TEMPLATE

HELP = "bring an edition of funding requirements in from files of the template"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `mmptf-funding import`."""
    parser.add_argument(
        "files",
        nargs="+",
        type=Path,
        metavar="FILE",
        help=f"an XLSX workbook, or CSVs named after their tables: {', '.join(f'{name}.csv' for name in TABLES)}",
    )
    parser.add_argument("--dry-run", action="store_true", help="check and reconcile everything, write nothing")


def run(settings: ServiceSettings, arguments: argparse.Namespace) -> int:
    """Import files; returns 0 when all was written (or would be, in a dry run), 1 when the import was rejected."""
    # A file that cannot be read is told before the database is asked, whose failures have other messages.
    for path in arguments.files:
        path.open("rb").close()
    try:
        report = asyncio.run(_import(settings, arguments.files, arguments.dry_run))
    except InvalidRequest as problem:
        for found in problem.errors:
            print(found.detail, file=sys.stderr)
        print(f"funding: import failed: {problem.detail if len(problem.errors) > 1 else 'nothing was written'}",
              file=sys.stderr)  # fmt: skip
        return 1
    _print(report)
    return 0


def _open(files: list[Path], stack: ExitStack) -> Tables:
    tables: Tables = {}
    for path in files:
        name = path.stem
        if path.suffix.lower() == ".xlsx":
            found: Tables = stack.enter_context(
                open_workbook(TEMPLATE.of_workbook(), stack.enter_context(path.open("rb")))
            )
        elif path.suffix.lower() == ".csv" and name in TABLES:
            found = {name: csv_table(TEMPLATE.table(name), name, stack.enter_context(path.open("rb")))}
        else:
            expected = [f"{table}.csv" for table in TABLES]
            meant = closest_match(path.name, expected)
            raise InvalidRequest(
                [
                    error_detail(
                        ProblemCode.UNKNOWN_TABLE,
                        f"{path}: an .xlsx workbook or one of {', '.join(expected)} is expected",
                        allowed=expected,
                        suggestion=meant,
                    )
                ]
            )
        for name in found:
            if name in tables:
                raise InvalidRequest(
                    [
                        error_detail(
                            ProblemCode.REPEATED_TABLE, f"{path}: the table {name} is in an earlier file already"
                        )
                    ]
                )
        tables |= found
    return tables


async def _import(settings: ServiceSettings, files: list[Path], dry_run: bool) -> ImportReport:
    progress = _progress()

    async def check(session: AsyncSession) -> Checked:
        try:
            with ExitStack() as stack:
                return await check_edition(session, _open(files, stack), progress=progress)
        except UnreadableFile as error:
            raise InvalidRequest(errors_of(error.errors)) from error

    async with open_database(settings) as database, writing(database, is_long=True) as session:
        # The lock of all writers is taken when everything is checked; what has changed meanwhile is seen then.
        checked = await check(session)
        write = await begin_write(session, Author(actor="import"), "import of an edition")
        still = await check(session) if await changed_since(write, checked) else checked
        report = await write_edition(write, still, progress=progress)
        if dry_run:
            await session.rollback()
            return report.model_copy(update={"dry_run": True, "revision": None})
    return report


def _progress() -> Progress:
    began = time.monotonic()

    def report_phase(phase: str, rows: int) -> None:
        counted = f" {rows:,} rows" if rows else ""
        print(f"funding: {phase}{counted}, {time.monotonic() - began:.0f} s", file=sys.stderr)

    return report_phase


def _print(report: ImportReport) -> None:
    for name, table in report.tables.items():
        print(
            f"{name}: {table.rows:,} rows, {table.created:,} new, {table.amended:,} changed,"
            f" {table.unchanged:,} as they were"
        )
    agreed, explained = report.agreement["equal"], report.agreement["explained"]
    print(f"printed totals: {agreed} equal what the rows add up to, {explained} differ for a stated reason")
    for figure in report.explained:
        reasons = "; ".join(explanation.detail for explanation in figure.explanations)
        print(f"  {figure.printed}: {figure.as_printed} printed, {figure.computed_figure} computed: {reasons}")
    print(
        f"{report.edition}: dry run, nothing was written"
        if report.dry_run
        else f"{report.edition}: written, revision {report.revision}"
    )
