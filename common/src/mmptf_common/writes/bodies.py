"""The bodies of imports: as files, with limits of bytes, seconds, and of how many there are at once."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import BinaryIO, cast

from starlette.requests import Request

from mmptf_common.storage.failures import problem_of
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import RequestTimeout, ServiceUnavailable, UnsupportedMediaType

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CSV = "text/csv"
# The largest body of an import; larger editions are imported with the command line, which reads them from disk.
MAX_BODY = 32 * 1024 * 1024
# Imports of a process at once, from the last byte of a body to the answer; bodies of imports at once, from their first
# byte; seconds that a further one waits for a place.
IMPORTS_AT_ONCE, BODIES_AT_ONCE, TURN_SECONDS = 1, 4, 10
# Bytes of all bodies that are here, which the folder of temporary files has to have room for beside what a workbook
# unpacks to: one of the largest, and beside it those of editions of the usual size. Seconds in which a body is sent.
MAX_SPOOLED, BODY_SECONDS = MAX_BODY + 4 * 1024 * 1024, 300
_IMPORTS, _BODIES = asyncio.Semaphore(IMPORTS_AT_ONCE), asyncio.Semaphore(BODIES_AT_ONCE)


def media_type_of(request: Request, *taken: str) -> str:
    """The media type of a body; raises UnsupportedMediaType where it is none of those that are taken."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in taken:
        stated = media or "of no stated media type"
        raise UnsupportedMediaType(f"The body is {stated}; {' or '.join(taken)} is expected.")
    return media


def import_place() -> AbstractAsyncContextManager[None]:
    """The turn of one import, for the block; raises ServiceUnavailable where others take it for too long."""
    return _place(_IMPORTS, f"This service imports {IMPORTS_AT_ONCE} file")


def busy(reason: str) -> ServiceUnavailable:
    """The 503 for an import that finds no turn or no room."""
    headers = {"Retry-After": str(TURN_SECONDS)}
    return ServiceUnavailable(f"{reason}; try again.", code=ProblemCode.BUSY, headers=headers)


@asynccontextmanager
async def _place(places: asyncio.Semaphore, limit: str) -> AsyncIterator[None]:
    """One of the places, for the block; raises ServiceUnavailable with the limit where none is free in time."""
    try:
        async with asyncio.timeout(TURN_SECONDS):
            await places.acquire()
    except TimeoutError:
        raise busy(f"{limit} at once, and others are under way") from None
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
                raise busy(f"This service has room for {MAX_SPOOLED} bytes of files that are sent at once")
            own += size
            self.used += size

        try:
            yield count
        finally:
            self.used -= own


_SPOOL = _Spool()


@asynccontextmanager
async def received(request: Request) -> AsyncIterator[tuple[BinaryIO, str]]:
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
