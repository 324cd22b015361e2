"""The routes of imports: the template, and the import of an edition by the management unit."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Annotated, BinaryIO, cast

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from mmptf_common.http import openapi
from mmptf_common.http.headers import WriteRequest
from mmptf_common.http.identity import Identity, PublicRequest
from mmptf_common.http.parameters import StrictQuery
from mmptf_common.storage.failures import problem_of
from mmptf_common.storage.journal import Write
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import (
    Forbidden,
    ProblemError,
    RequestTimeout,
    ServiceUnavailable,
    UnsupportedMediaType,
)
from mmptf_common.writes.commands import Answer, WriteParameters, WriteQuery, answer_write
from mmptf_funding.access import FundingWriter
from mmptf_funding.editions.routes import EDITIONS_TAG
from mmptf_funding.imports import schemas, template
from mmptf_funding.imports.commands import Checked, changed_since, check_edition, write_edition
from mmptf_funding.imports.files import Tables
from mmptf_funding.imports.reading import tables_of
from mmptf_funding.roles import MANAGEMENT_UNIT

router = openapi.Router()

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CSV = "text/csv"
PATH = "/funding/v1/imports"
# The largest body of an import; larger editions are imported with the command line, which reads them from disk.
MAX_BODY = 32 * 1024 * 1024
# Imports of a process at once, from the last byte of a body to the answer; bodies of imports at once, from their first
# byte; seconds that a further one waits for a place.
IMPORTS_AT_ONCE, BODIES_AT_ONCE, TURN_SECONDS = 1, 4, 10
# Bytes of all bodies that are here, which the folder of temporary files has to have room for beside what a workbook
# unpacks to: one of the largest, and beside it those of editions of the usual size. Seconds in which a body is sent.
MAX_SPOOLED, BODY_SECONDS = MAX_BODY + 4 * 1024 * 1024, 300
# How often a file is checked where other imports are written meanwhile, before the caller has to come again.
ATTEMPTS = 3
_IMPORTS, _BODIES = asyncio.Semaphore(IMPORTS_AT_ONCE), asyncio.Semaphore(BODIES_AT_ONCE)


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
    async with _received(request) as (file, digest), _place(_IMPORTS, f"This service imports {IMPORTS_AT_ONCE} file"):
        for _ in range(ATTEMPTS):
            try:
                return await _import(request, who, query, file, digest, is_workbook=media == XLSX)
            except _Overtaken:
                continue
    raise _busy("Other imports have changed the same data meanwhile")


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


def _busy(reason: str) -> ServiceUnavailable:
    headers = {"Retry-After": str(TURN_SECONDS)}
    return ServiceUnavailable(f"{reason}; try again.", code=ProblemCode.BUSY, headers=headers)


@asynccontextmanager
async def _place(places: asyncio.Semaphore, limit: str) -> AsyncIterator[None]:
    """One of the places, for the block; raises ServiceUnavailable with the limit where none is free in time."""
    try:
        async with asyncio.timeout(TURN_SECONDS):
            await places.acquire()
    except TimeoutError:
        raise _busy(f"{limit} at once, and others are under way") from None
    try:
        yield
    finally:
        places.release()


class _Spool:
    """The bytes of all bodies of imports that are here, up to `MAX_SPOOLED`."""

    def __init__(self) -> None:
        self.used = 0

    @contextmanager
    def counting(self) -> Iterator[Callable[[int], None]]:
        """Counts the bytes of a body while the block lasts; raises ServiceUnavailable where they have no room."""
        own = 0

        def count(size: int) -> None:
            nonlocal own
            if self.used + size > MAX_SPOOLED:
                raise _busy(f"This service has room for {MAX_SPOOLED} bytes of files that are sent at once")
            own += size
            self.used += size

        try:
            yield count
        finally:
            self.used -= own


_SPOOL = _Spool()


@asynccontextmanager
async def _received(request: Request) -> AsyncIterator[tuple[BinaryIO, str]]:
    """The body of a request as a file, so that a large one does not take memory, and its SHA-256.

    Raises ServiceUnavailable where as many bodies are here as may be, RequestTimeout where it is not here in time.
    """
    digest = hashlib.sha256()
    with tempfile.TemporaryFile() as unnamed, _SPOOL.counting() as count:
        file = cast("BinaryIO", unnamed)
        async with _place(_BODIES, f"This service takes {BODIES_AT_ONCE} files"):
            try:
                async with asyncio.timeout(BODY_SECONDS):
                    async for piece in request.stream():
                        count(len(piece))
                        file.write(piece)
                        digest.update(piece)
                file.flush()
            except TimeoutError:
                raise RequestTimeout(f"The file was not sent in {BODY_SECONDS} s.") from None
            except OSError as error:
                raise problem_of(error) or error from error
            yield file, digest.hexdigest()
