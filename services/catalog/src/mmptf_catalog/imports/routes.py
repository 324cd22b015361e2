"""The routes of the import of programmes: its template, and the upload of a file."""

from __future__ import annotations

from functools import cache
from typing import Annotated

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from mmptf_catalog.access import MANAGEMENT_UNIT, CatalogWriter
from mmptf_catalog.imports import schemas
from mmptf_catalog.imports.commands import import_programmes
from mmptf_catalog.imports.reading import TABLE, rows_of
from mmptf_catalog.imports.template import EXAMPLE, TEMPLATE
from mmptf_catalog.programmes.routes import TAG
from mmptf_common.http import openapi
from mmptf_common.http.headers import WriteRequest
from mmptf_common.http.identity import PublicRequest
from mmptf_common.http.parameters import StrictQuery
from mmptf_common.storage.journal import Write
from mmptf_common.wire.problems import Forbidden, ProblemError
from mmptf_common.writes.bodies import CSV, XLSX, import_place, media_type_of, received
from mmptf_common.writes.commands import Answer, answer_write

router = openapi.Router()
_workbook = cache(TEMPLATE.workbook)


@router.get(
    "/imports/template",
    tags=[TAG.name],
    response_class=Response,
    summary="Get the template of an import of programmes",
    **openapi.plain(only=(CSV, XLSX)),
)
async def get_programme_import_template(
    request: PublicRequest, query: Annotated[schemas.ProgrammeTemplateQuery, StrictQuery()]
) -> Response:
    """The template of an import of programmes: the header of its table as CSV, or a workbook with a guide and it."""
    if query.format == "csv":
        name, media, body = f"{TABLE}.csv", CSV, TEMPLATE.header(TABLE).encode()
    else:
        name, media, body = f"{TABLE}.xlsx", XLSX, await run_in_threadpool(_workbook)
    headers = {
        "Content-Type": media,
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "no-store",
    }
    return Response(body, headers=headers)


@router.post(
    "/imports",
    tags=[TAG.name],
    response_model=schemas.ProgrammeImportReport,
    summary="Import programmes with the days of their statuses",
    **openapi.write(media={CSV: EXAMPLE, XLSX: None}),
)
async def import_past_programmes(
    request: WriteRequest,
    who: CatalogWriter,
    query: Annotated[schemas.ProgrammeImportQuery, StrictQuery()],
) -> Response:
    """Import programmes of the past from a table of the template: each row is one, with the days of all its statuses.

    All of it is written, one change of the journal for each row, or nothing. Of a programme that is there already, the
    statuses are stated anew; those that were entered to the day have to be in the row, and its content is not changed.
    For the Fund's management unit.
    """
    if not who.has_role(MANAGEMENT_UNIT):
        raise Forbidden("Programmes of the past are imported by the Fund's management unit.")
    is_workbook = media_type_of(request, CSV, XLSX) == XLSX
    async with received(request) as (file, digest), import_place():
        try:
            # Before the transaction begins, which the database would end where it does nothing for some seconds.
            rows = await rows_of(file, workbook=is_workbook, gone=request.is_disconnected)
            unreadable: ProblemError | None = None
        except ProblemError as problem:
            rows, unreadable = [], problem

        async def import_rows(write: Write) -> Answer:
            # Where the same was imported before, its answer is given again, whatever is wrong by now.
            if unreadable:
                raise unreadable
            report = await import_programmes(write, who, rows, query)
            if query.dry_run == "true":
                report = report.model_copy(update={"dry_run": True, "revision": None})
            return Answer(report)

        return await answer_write(
            request,
            who,
            query,
            import_rows,
            reason="import of programmes with the days of their statuses",
            digest=digest,
        )
