"""Imports over HTTP: the template, and an edition brought in by one request by the management unit."""

from __future__ import annotations

import hashlib
import tempfile
from contextlib import ExitStack
from typing import BinaryIO, cast

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from mmptf_common.http import openapi
from mmptf_common.http.identity import PublicRequest
from mmptf_common.http.parameters import parse
from mmptf_common.storage.journal import Write
from mmptf_common.wire.problems import Forbidden, UnsupportedMediaType
from mmptf_common.writes.commands import Answer, WriteQuery, answer_write
from mmptf_funding.access import FundingWriter
from mmptf_funding.imports import schemas, template
from mmptf_funding.imports.commands import import_edition
from mmptf_funding.imports.files import Tables, csv_table, open_workbook
from mmptf_funding.roles import MANAGEMENT_UNIT

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
async def template_(request: PublicRequest) -> Response:
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
    **openapi.write("POST", WriteQuery, media={CSV: template.header("requirements"), XLSX: None}),
)
async def create(request: Request, who: FundingWriter) -> Response:
    """Import an edition: a workbook of the template, or the requirements of a known edition as CSV.

    Every row is checked and the printed totals are reconciled; all of it is committed, or nothing. For the Fund's
    management unit.
    """
    if not who.has_role(MANAGEMENT_UNIT):
        raise Forbidden("Editions are imported by the Fund's management unit.")
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in (CSV, XLSX):
        raise UnsupportedMediaType(f"The body is {media or 'of no stated media type'}; {CSV} or {XLSX} is expected.")
    digest = hashlib.sha256()
    with ExitStack() as stack:
        # On the disk: however large a body may be, it is not in memory.
        file = cast("BinaryIO", stack.enter_context(tempfile.TemporaryFile()))
        async for piece in request.stream():
            file.write(piece)
            digest.update(piece)
        file.seek(0)

        async def import_file(write: Write) -> Answer:
            tables: Tables = (
                {"requirements": csv_table("requirements", file)}
                if media == CSV
                else stack.enter_context(open_workbook(file))
            )
            report = await import_edition(write, tables)
            dry_run = parse(request, WriteQuery).dry_run == "true"
            return Answer(report.model_copy(update={"dry_run": True, "revision": None}) if dry_run else report)

        return await answer_write(request, who, import_file, reason="import of an edition", digest=digest.hexdigest())
