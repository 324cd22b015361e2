"""The routes of imports: the template, and the import of an edition by the management unit."""

from __future__ import annotations

import hashlib
import tempfile
from contextlib import ExitStack
from typing import Annotated, BinaryIO, cast

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from mmptf_common.http import openapi
from mmptf_common.http.headers import WriteRequest
from mmptf_common.http.identity import PublicRequest
from mmptf_common.http.parameters import StrictQuery
from mmptf_common.storage.journal import Write
from mmptf_common.wire.problems import Forbidden, UnsupportedMediaType
from mmptf_common.writes.commands import Answer, WriteParameters, answer_write
from mmptf_funding.access import FundingWriter
from mmptf_funding.editions.routes import EDITIONS_TAG
from mmptf_funding.imports import schemas, template
from mmptf_funding.imports.commands import import_edition
from mmptf_funding.imports.files import Tables, csv_table, open_workbook
from mmptf_funding.roles import MANAGEMENT_UNIT

router = openapi.Router()

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CSV = "text/csv"
PATH = "/funding/v1/imports"
# The largest body of an import; larger editions are imported with the command line, which reads them from disk.
MAX_BODY = 32 * 1024 * 1024


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
    """The template of an edition: the header of one table as CSV, or a workbook with a guide and all tables."""
    if query.format == "csv":
        name, media, body = f"{query.table}.csv", CSV, template.header(query.table).encode()
    else:
        name, media, body = "edition.xlsx", XLSX, await run_in_threadpool(template.workbook)
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
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in (CSV, XLSX):
        raise UnsupportedMediaType(f"The body is {media or 'of no stated media type'}; {CSV} or {XLSX} is expected.")
    digest = hashlib.sha256()
    with ExitStack() as stack:
        # The body goes to disk, so that a large one does not take memory.
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
            if query.dry_run == "true":
                report = report.model_copy(update={"dry_run": True, "revision": None})
            return Answer(report)

        return await answer_write(
            request, who, query, import_file, reason="import of an edition", digest=digest.hexdigest()
        )
