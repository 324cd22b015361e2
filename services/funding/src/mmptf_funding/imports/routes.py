"""The routes of imports: the template, and the import of an edition by the management unit."""

from __future__ import annotations

from contextlib import AsyncExitStack
from functools import cache
from typing import Annotated, BinaryIO

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from mmptf_common.http import openapi
from mmptf_common.http.headers import WriteRequest
from mmptf_common.http.identity import Identity, PublicRequest
from mmptf_common.http.parameters import StrictQuery
from mmptf_common.storage.journal import Write
from mmptf_common.wire.problems import Forbidden, ProblemError
from mmptf_common.writes.bodies import CSV, XLSX, busy, import_place, media_type_of, received
from mmptf_common.writes.commands import Answer, WriteParameters, WriteQuery, answer_write
from mmptf_common.writes.table_files import Tables
from mmptf_funding.access import FundingWriter
from mmptf_funding.editions.routes import EDITIONS_TAG
from mmptf_funding.imports import schemas, template
from mmptf_funding.imports.commands import Checked, changed_since, check_edition, write_edition
from mmptf_funding.imports.reading import tables_of
from mmptf_funding.roles import MANAGEMENT_UNIT

router = openapi.Router()

PATH = "/funding/v1/imports"
# How often a file is checked where other imports are written meanwhile, before the caller has to come again.
ATTEMPTS = 3
_workbook = cache(template.TEMPLATE.workbook)
_ledger_workbook = cache(template.LEDGER_TEMPLATE.workbook)


@router.get(
    "/imports/template",
    tags=[EDITIONS_TAG.name],
    response_class=Response,
    summary="Get the template of an import",
    **openapi.plain(only=(CSV, XLSX)),
)
async def get_import_template(
    request: PublicRequest, query: Annotated[schemas.TemplateQuery, StrictQuery()]
) -> Response:
    """The template of an import: the header of one table as CSV, or a workbook with a guide and all tables."""
    if query.format == "csv":
        name, media, body = f"{query.table}.csv", CSV, template.TEMPLATE.header(query.table).encode()
    else:
        of_ledger = query.table in template.LEDGER_TABLES
        body = await run_in_threadpool(_ledger_workbook if of_ledger else _workbook)
        name, media = "ledger.xlsx" if of_ledger else "edition.xlsx", XLSX
    headers = {
        "Content-Type": media,
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "no-store",
    }
    return Response(body, headers=headers)


@router.post(
    "/imports",
    tags=[EDITIONS_TAG.name],
    response_model=schemas.ImportReport,
    summary="Import the requirements of an edition",
    **openapi.write(media={CSV: schemas.EXAMPLE, XLSX: None}),
)
async def import_requirements(request: WriteRequest, who: FundingWriter, query: WriteParameters) -> Response:
    """Import an edition: a workbook of the template, or the requirements of a known edition as CSV.

    Every row is checked and the printed totals are reconciled; all of it is committed, or nothing. For the Fund's
    management unit. An edition becomes known with a workbook, which contains its vocabulary too: that of the example
    is not among the packaged data. Columns that are empty in every row may be left out.
    """
    if not who.has_role(MANAGEMENT_UNIT):
        raise Forbidden("Editions are imported by the Fund's management unit.")
    media = media_type_of(request, CSV, XLSX)
    async with received(request) as (file, digest), import_place():
        for _ in range(ATTEMPTS):
            try:
                return await _import(request, who, query, file, digest, is_workbook=media == XLSX)
            except _Overtaken:
                continue
    raise busy("Other imports have changed the same data meanwhile")


class _Overtaken(Exception):
    """Another write has changed what a file was compared with, before it could be written."""


async def _import(
    request: WriteRequest, who: Identity, query: WriteQuery, file: BinaryIO, digest: str, *, is_workbook: bool
) -> Response:
    """The answer of an import; raises _Overtaken where it has to be checked again, without the lock of all writers."""
    async with AsyncExitStack() as stack:
        checked: Checked | ProblemError | None = None
        try:
            # Before the transaction begins, which the database would end where it does nothing for some seconds.
            reading = tables_of(file, workbook=is_workbook, gone=request.is_disconnected)
            tables: Tables | ProblemError = await stack.enter_async_context(reading)
        except ProblemError as problem:
            tables = problem

        async def prepare(session: AsyncSession) -> None:
            nonlocal checked
            # Where the same was imported before, its answer is given again, whatever is wrong by now.
            if isinstance(tables, ProblemError):
                checked = tables
                return
            try:
                async with session.begin_nested():
                    checked = await check_edition(session, tables)
            except ProblemError as problem:
                checked = problem

        async def import_file(write: Write) -> Answer:
            if isinstance(checked, ProblemError):
                raise checked
            assert checked
            if await changed_since(write, checked):
                raise _Overtaken
            report = await write_edition(write, checked)
            if query.dry_run == "true":
                report = report.model_copy(update={"dry_run": True, "revision": None})
            return Answer(report)

        return await answer_write(
            request, who, query, import_file, reason="import of an edition", digest=digest, prepare=prepare
        )
