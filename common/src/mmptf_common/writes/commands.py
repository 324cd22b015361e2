"""Writes over HTTP: a retry gets the first answer again, a stale change is rejected, a dry run is rolled back."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import TypeAliasType

from mmptf_common.http import conditional
from mmptf_common.http.identity import Identity
from mmptf_common.http.parameters import Flag, StrictQuery, canonical
from mmptf_common.lists.codes import suggest, suggest_each
from mmptf_common.lists.listing import Arguments, Listing, fixed, with_stored_links
from mmptf_common.lists.pages import find_in, no_such_record
from mmptf_common.process.metrics import counts
from mmptf_common.storage.engines import Database
from mmptf_common.storage.journal import Author, Write, begin_write
from mmptf_common.storage.records import PRESENT_CODE, Record
from mmptf_common.storage.writing import writing
from mmptf_common.wire.base import ResponseModel
from mmptf_common.wire.links import link
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import (
    BadRequest,
    ErrorDetail,
    InvalidRequest,
    NotFound,
    PreconditionFailed,
    ProblemError,
    error_detail,
)
from mmptf_common.wire.suggestions import Suggestion

Stored = TypeVar("Stored", bound=Record)

# How long the answer of a write is stored, to be sent again when the write is repeated.
IDEMPOTENCY_RETENTION = timedelta(days=30)
# The number of rows of a batch after which other requests of the process get their turn.
TURN = 50
_KEY = re.compile(r'([A-Za-z0-9._:~+/=-]{1,128})|"([A-Za-z0-9._:~+/=-]{1,128})"')


class WriteQuery(BaseModel):
    """The query of an operation that writes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dry_run: Flag = Field(
        default="false",
        description="With `true`, check the write and answer as it would be answered, but store nothing.",
    )


WriteParameters = Annotated[WriteQuery, StrictQuery()]


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of a write that does not answer with the record that it has written."""

    body: ResponseModel


@dataclass(frozen=True, slots=True)
class Created:
    """The code of a record that a write has created, and the list that contains it."""

    listing: Listing
    code: str


async def answer_write(
    request: Request,
    who: Identity,
    query: WriteQuery,
    command: Callable[[Write], Awaitable[Answer | Created | None]],
    *,
    reason: str | None = None,
    changes: tuple[Listing, str] | None = None,
    digest: str | None = None,
    prepare: Callable[[AsyncSession], Awaitable[None]] | None = None,
    drafts: bool = False,
) -> Response:
    """Carry out a command in one transaction; returns the answer once it is committed.

    changes: the list and the code of the record that the command changes. `If-Match` has to carry the record's present
             ETag, and the answer is the changed record where the command returns None
    digest:  SHA-256 of the body, where the route has read it already
    prepare: what is done in the transaction before it takes the lock of all writers
    drafts:  whether the command may change drafts
    Raises whatever the command raises; nothing is written then.
    """
    dry_run = query.dry_run == "true"
    key = idempotency_key(request)
    tags = conditional.expected_tags(request) if changes else None
    fingerprint = await _fingerprint(request, query, digest) if key else ""
    author = Author(who.subject, who.organization, request.state.context.request_id)
    database: Database = request.app.state.database
    async with writing(database) as session:
        if prepare:
            await prepare(session)
        write = await begin_write(session, author, reason, drafts=drafts)
        if key and not dry_run and (known := await _known(write, key, fingerprint)):
            return known
        if changes:
            await require_match(request, write, *changes, tags)
        done = await command(write)
        if session.new or session.dirty or session.deleted:
            await session.flush()
        if done is None:
            assert changes
            response = await _record(request, write, *changes, status=200)
        elif isinstance(done, Created):
            response = await _record(request, write, done.listing, done.code, status=201)
        else:
            response = response_of(done)
        if dry_run:
            await session.rollback()
        elif key:
            await _store_answer(write, key, fingerprint, response)
    return response


def idempotency_key(request: Request) -> str | None:
    """The key of a write, None where another method than POST has none; BadRequest where it is missing or invalid."""
    given = request.headers.getlist("idempotency-key")
    if not given:
        if request.method == "POST":
            raise BadRequest(
                "Every POST that writes needs an Idempotency-Key: a text of your own that is another one for each"
                " write, such as a UUID. Sent again with the same key, a write is carried out once.",
                code=ProblemCode.IDEMPOTENCY_KEY_MISSING,
            )
        return None
    match = _KEY.fullmatch(given[0])
    if match is None or len(given) > 1:
        raise BadRequest(
            "Idempotency-Key: one text of 1 to 128 letters, digits and . _ : ~ + / = - is expected.",
            code=ProblemCode.IDEMPOTENCY_KEY_INVALID,
        )
    return match[1] or match[2]


def _owner(write: Write) -> str:
    """The owner of a key: the subject and the organization.

    One subject may write for several organizations, and none may read another's answers.
    """
    return f"{write.author.actor}\n{write.author.organization or ''}"


async def _fingerprint(request: Request, query: WriteQuery, digest: str | None) -> str:
    """A hash of method, path, query, media type and body: two requests with the same hash are the same write.

    The query counts in its canonical form, so that a parameter may be spelled in another way or stand at its default.
    """
    if digest is None:
        digest = hashlib.sha256(await request.body()).hexdigest()
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    parts = (request.method, request.scope["path"], canonical(query), media, digest)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


async def _known(write: Write, key: str, fingerprint: str) -> Response | None:
    """The stored answer of the same write, None where there is none; InvalidRequest when the key is of another write.

    Deletes expired answers first.
    """
    row = await write.connection.fetchrow(
        "WITH expired AS (DELETE FROM idempotency_key WHERE at < $3)"
        " SELECT fingerprint, status, headers::text, body FROM idempotency_key"
        " WHERE subject = $1 AND key = $2 AND at >= $3",
        _owner(write),
        key,
        write.at - IDEMPOTENCY_RETENTION,
    )
    if row is None:
        return None
    if row["fingerprint"] != fingerprint:
        raise InvalidRequest(
            [
                error_detail(
                    ProblemCode.IDEMPOTENCY_KEY_REUSED,
                    "Idempotency-Key: another write was sent with this key; a new write needs a new one",
                    parameter="Idempotency-Key",
                )
            ]
        )
    headers = {**json.loads(row["headers"]), "Idempotency-Replayed": "true"}
    return Response(row["body"], row["status"], headers)


async def _store_answer(write: Write, key: str, fingerprint: str, response: Response) -> None:
    await write.connection.execute(
        "INSERT INTO idempotency_key (subject, key, fingerprint, status, headers, body, at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7)",
        _owner(write),
        key,
        fingerprint,
        response.status_code,
        json.dumps({k: v for k, v in response.headers.items() if k != "content-length"}),
        bytes(response.body).decode(),
        write.at,
    )


async def _read(write: Write, listing: Listing, code: str) -> Any:
    arguments = Arguments()
    where = f"{fixed(listing, arguments)} AND {listing.key} = {arguments.bind(code)}"
    record = with_stored_links(listing.record, listing.path)
    return await write.connection.fetchrow(
        f"SELECT {record} AS record, {listing.version} AS version FROM {listing.rows} WHERE {where}", *arguments
    )


async def row_of(write: Write, row: type[Stored], listing: Listing, code: str) -> Stored:
    """The row of a record that a command changes; raises NotFound where there is none with this code."""
    found = await write.session.get(row, code)
    if found is None:
        raise await not_found(write, listing, code)
    return found


async def not_found(write: Write, listing: Listing, code: str) -> NotFound:
    """The 404 for a code that a list does not have, with its present code or the one that was meant."""
    renamed = PRESENT_CODE.format(entity="$1", code="$2::text")
    current = await write.connection.fetchval(renamed, listing.entity, code)
    if current is not None:
        return no_such_record(listing, code, Suggestion(current))
    return no_such_record(listing, code, await suggest(find_in(write.connection, listing), code))


async def not_found_each(write: Write, listing: Listing, codes: Sequence[str]) -> dict[str, NotFound]:
    """The 404 of each of some codes, as `not_found` gives it, with two statements for all of them.

    The code that was meant is looked up for the first of them only, see `suggest_each`.
    """
    if not codes:
        return {}
    present = PRESENT_CODE.format(entity="$1", code="given.text")
    renamed = await write.connection.fetch(
        f"SELECT given.text, ({present}) FROM unnest($2::text[]) AS given(text)", listing.entity, sorted(set(codes))
    )
    meant = {code: Suggestion(current) for code, current in renamed if current is not None}
    find = find_in(write.connection, listing)
    likely = await suggest_each(find, [code for code in codes if code not in meant])
    return {code: no_such_record(listing, code, meant.get(code) or likely.get(code)) for code in codes}


async def require_match(request: Request, write: Write, listing: Listing, code: str, tags: list[str] | None) -> None:
    """Raise PreconditionFailed when the record's ETag is not among `tags`, NotFound when there is no such record.

    tags: None for any state of the record
    """
    row = await _read(write, listing, code)
    if row is None:
        raise await not_found(write, listing, code)
    require_version(request, listing, code, row["version"], tags)


def require_version(request: Request, listing: Listing, code: str, version: str, tags: list[str] | None) -> None:
    """Raise PreconditionFailed when the ETag of a record of this version is not among `tags`; None for any version."""
    now = conditional.etag(request, version, "", path=f"{listing.path}/{code}")
    if tags is not None and now not in tags:
        unchanged = any(conditional.revision_in(tag) == conditional.revision_in(now) for tag in tags)
        raise PreconditionFailed(
            "The record is the same, but the service was upgraded or restored since you read it; nothing was written."
            " Read it again."
            if unchanged
            else "The record has changed since you read it; nothing was written. Read it again, and decide what of your"
            " change still holds.",
            headers={"ETag": now},
        )


async def _record(request: Request, write: Write, listing: Listing, code: str, *, status: int) -> Response:
    """The record after the write with its ETag, and its path when it is new; 204 when it was deleted."""
    row = await _read(write, listing, code)
    if row is None:
        return Response(status_code=204, headers={"Cache-Control": "no-store"})
    path = f"{listing.path}/{code}"
    headers = {"ETag": conditional.etag(request, row["version"], "", path=path), "Cache-Control": "no-store"}
    if status == 201:
        headers["Location"] = link(path)
    return Response(row["record"], status, headers, "application/json")


def response_of(answer: Answer) -> Response:
    """The response with an answer that is not the record."""
    return Response(answer.body.model_dump_json(), 200, {"Cache-Control": "no-store"}, media_type="application/json")


RowResult = TypeAliasType(
    "RowResult",
    Literal["written", "refused"],
)
"""What became of a row of a batch.

- `written`: it was written, or would be by a request that is not a dry run
- `refused`: it was not written, for the reasons in `errors`
"""


class RowOutcome(ResponseModel):
    """What became of one row of a batch."""

    row: int
    """Position of the row in the request; the first is 0."""
    outcome: RowResult
    """Whether the row was written or refused."""
    code: str | None
    """Code of the record that the row created or changed; null where it was refused."""
    status: int
    """HTTP status that a request with this row alone would have had, such as 200 or 409."""
    errors: list[ErrorDetail]
    """Everything that is wrong with the row; empty where it was written."""


class BatchReport(ResponseModel):
    """What became of a batch, row by row."""

    dry_run: bool
    """Whether the request was only checked and nothing written."""
    written: int
    """Number of rows that were written or, in a dry run, would be."""
    refused: int
    """Number of rows that were refused."""
    outcomes: list[RowOutcome]
    """What became of each row, in the order of the request."""


class BatchQuery(WriteQuery):
    """The query of an operation that writes a batch."""

    partial: Flag = Field(
        default="false",
        description="With `true`, write the rows that are right even where others are refused; otherwise one refused"
        " row refuses all.",
    )


BatchParameters = Annotated[BatchQuery, StrictQuery()]


def batch_report(query: BatchQuery, results: Sequence[str | ProblemError], pointer: str) -> Answer:
    """The report of a batch whose rows have these results, each the code of the row's record or the row's error.

    Raises InvalidRequest with the errors of every refused row, unless the batch is partial.
    pointer: JSON pointer of the body's member that contains the rows
    """
    counts.batch(pointer[1:], len(results))
    outcomes: list[RowOutcome] = []
    for n, result in enumerate(results):
        if isinstance(result, str):
            outcomes.append(RowOutcome(row=n, outcome="written", code=result, status=200, errors=[]))
            continue
        where = f"{pointer}/{n}"
        errors = result.errors or [error_detail(result.code, result.detail, pointer="")]
        errors = [f.model_copy(update={"pointer": f"{where}{f.pointer or ''}"}) for f in errors]
        outcomes.append(RowOutcome(row=n, outcome="refused", code=None, status=result.status, errors=errors))
    rejected = [outcome for outcome in outcomes if outcome.outcome == "refused"]
    if rejected and query.partial == "false":
        raise InvalidRequest(
            [error for outcome in rejected for error in outcome.errors], code=ProblemCode.BATCH_REFUSED
        )
    return Answer(
        BatchReport(
            dry_run=query.dry_run == "true",
            written=len(outcomes) - len(rejected),
            refused=len(rejected),
            outcomes=outcomes,
        )
    )
