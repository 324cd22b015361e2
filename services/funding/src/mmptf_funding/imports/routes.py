"""The routes of imports: the template, and the import of an edition by the management unit."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, BinaryIO, cast

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from mmptf_common.http import openapi
from mmptf_common.http.headers import WriteRequest
from mmptf_common.http.identity import PublicRequest
from mmptf_common.http.parameters import StrictQuery
from mmptf_common.storage.failures import problem_of
from mmptf_common.storage.journal import Write
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import Forbidden, ProblemError, ServiceUnavailable, UnsupportedMediaType
from mmptf_common.writes.commands import Answer, WriteParameters, answer_write
from mmptf_funding.access import FundingWriter
from mmptf_funding.editions.routes import EDITIONS_TAG
from mmptf_funding.imports import schemas, template
from mmptf_funding.imports.commands import Checked, changed_since, check_edition, write_edition
from mmptf_funding.imports.reading import tables_of
from mmptf_funding.roles import MANAGEMENT_UNIT

router = openapi.Router()

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CSV = "text/csv"
PATH = "/funding/v1/imports"
# The largest body of an import; larger editions are imported with the command line, which reads them from disk.
MAX_BODY = 32 * 1024 * 1024
# Imports of a process at once, from the first byte of a body to the answer, and seconds that a further one waits. So
# many bodies are in the folder of temporary files, which has to have room for them.
IMPORTS_AT_ONCE, TURN_SECONDS = 1, 10
_AT_ONCE = asyncio.Semaphore(IMPORTS_AT_ONCE)


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
    async with _turn(), _received(request) as (file, digest):
        checked: Checked | ProblemError | None = None

        async def check(session: AsyncSession) -> Checked:
            async with tables_of(file, workbook=media == XLSX, gone=request.is_disconnected) as tables:
                return await check_edition(session, tables)

        async def prepare(session: AsyncSession) -> None:
            nonlocal checked
            try:
                async with session.begin_nested():
                    checked = await check(session)
            except ProblemError as problem:
                # Where the same was imported before, its answer is given again, whatever is stored by now.
                checked = problem

        async def import_file(write: Write) -> Answer:
            if isinstance(checked, ProblemError):
                raise checked
            assert checked
            still = await check(write.session) if await changed_since(write, checked) else checked
            report = await write_edition(write, still)
            if query.dry_run == "true":
                report = report.model_copy(update={"dry_run": True, "revision": None})
            return Answer(report)

        return await answer_write(
            request, who, query, import_file, reason="import of an edition", digest=digest, prepare=prepare
        )


@asynccontextmanager
async def _turn() -> AsyncIterator[None]:
    """One of the imports at once; raises ServiceUnavailable where none of the others ends in time."""
    try:
        async with asyncio.timeout(TURN_SECONDS):
            await _AT_ONCE.acquire()
    except TimeoutError:
        raise ServiceUnavailable(
            f"This service reads {IMPORTS_AT_ONCE} file at once, and another one is being imported; try again.",
            code=ProblemCode.BUSY,
            headers={"Retry-After": str(TURN_SECONDS)},
        ) from None
    try:
        yield
    finally:
        _AT_ONCE.release()


@asynccontextmanager
async def _received(request: Request) -> AsyncIterator[tuple[BinaryIO, str]]:
    """The body of a request as a file, so that a large one does not take memory, and its SHA-256."""
    digest = hashlib.sha256()
    with tempfile.TemporaryFile() as unnamed:
        file = cast("BinaryIO", unnamed)
        try:
            async for piece in request.stream():
                file.write(piece)
                digest.update(piece)
            file.flush()
        except OSError as error:
            raise problem_of(error) or error from error
        yield file, digest.hexdigest()
