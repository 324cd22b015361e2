"""Imports over HTTP: the template, and an edition brought in by one request, in development only."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from typing import Any, BinaryIO, cast

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from mmptf_common import openapi
from mmptf_common.db import WriteSession
from mmptf_common.journal import Author
from mmptf_common.problems import Forbidden, UnsupportedMediaType
from mmptf_common.query import parse
from mmptf_funding.imports import schemas, template
from mmptf_funding.imports.commands import import_edition
from mmptf_funding.imports.files import Tables, csv_table, open_workbook

router = APIRouter()

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CSV = "text/csv"
PATH = "/funding/v1/imports"
# The largest body of an import; a larger edition goes through the command line, which reads it from the disk.
MAX_BODY = 32 * 1024 * 1024


@router.get(
    "/imports/template",
    name="template",
    tags=["imports"],
    response_class=Response,
    **openapi.plain(schemas.TemplateQuery, only=(CSV, XLSX)),
)
async def template_(request: Request) -> Response:
    """The template of an edition: the header of one table as CSV, or a workbook with a guide and all tables."""
    query = parse(request, schemas.TemplateQuery)
    if query.format == "csv":
        name, media, body = f"{query.table}.csv", CSV, template.header(query.table).encode()
    else:
        name, media, body = "edition.xlsx", XLSX, await run_in_threadpool(template.workbook)
    headers = {"Content-Type": media, "Content-Disposition": f'attachment; filename="{name}"'}
    return Response(body, headers=headers)


@router.post(
    "/imports",
    name="create",
    tags=["imports"],
    response_model=schemas.ImportReport,
    **openapi.upload(schemas.ImportQuery, {CSV: template.header("requirements"), XLSX: None}),
)
async def create(request: Request, session: WriteSession) -> Any:
    """Import an edition: a workbook of the template, or the requirements of a known edition as CSV.

    Every row is checked and the printed totals are reconciled; all of it is committed, or nothing. Off outside
    development: whoever runs a service imports with its command, `mmptf-funding import`.
    """
    query = parse(request, schemas.ImportQuery)
    if request.app.state.environment != "development":
        raise Forbidden("Imports over HTTP are off here; the operator of this service imports with its command.")
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in (CSV, XLSX):
        raise UnsupportedMediaType(f"The body is {media or 'of no stated media type'}; {CSV} or {XLSX} is expected.")
    author = Author(actor="http", request_id=request.state.context.request_id)
    with ExitStack() as stack:
        # On the disk: however large a body may be, it is not in memory.
        file = cast("BinaryIO", stack.enter_context(tempfile.TemporaryFile()))
        async for piece in request.stream():
            file.write(piece)
        file.seek(0)
        tables: Tables = (
            {"requirements": csv_table("requirements", file)}
            if media == CSV
            else stack.enter_context(open_workbook(file))
        )
        report = await import_edition(session, author, tables)
    if query.dry_run == "true":
        await session.rollback()
        report = report.model_copy(update={"dry_run": True, "revision": None})
    return report
