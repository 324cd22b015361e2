"""The routes of the ledger: entries, reversals, and the statements computed from them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from mmptf_common.feed.copies import ReplicatedCopies, age_headers, answer_copies
from mmptf_common.http import openapi
from mmptf_common.http.headers import PublicReadRequest, WriteRequest
from mmptf_common.http.identity import PublicRequest
from mmptf_common.http.parameters import NO_PARAMETERS, StrictQuery
from mmptf_common.lists.codes import codes_named_in
from mmptf_common.lists.tables import columns_of
from mmptf_common.routers.cards import add_card
from mmptf_common.routers.lists import add_listing
from mmptf_common.storage.journal import Write
from mmptf_common.wire.problems import Forbidden, ProblemError
from mmptf_common.writes.commands import (
    Answer,
    BatchParameters,
    BatchReport,
    Created,
    WriteParameters,
    answer_write,
    batch_report,
    idempotency_key,
    response_of,
)
from mmptf_funding.access import FundingWriter
from mmptf_funding.contributions.routes import TAG as CONTRIBUTIONS_TAG
from mmptf_funding.contributions.schemas import Contributor
from mmptf_funding.ledger import commands, queries, rules, schemas, statements
from mmptf_funding.roles import AGENT, MANAGEMENT_UNIT

router = openapi.Router()
TAG = openapi.Tag(
    "Ledger",
    "Read and enter the movements of the Fund's money; a wrong entry is not changed, another one reverses it.",
)
STATEMENTS_TAG = openapi.Tag(
    "Statements",
    "What the ledger adds up to on any day: for the Fund, contributors, programmes and organizations.",
)
# What the contract says of the members of an entry that is sent.
MEMBERS = (
    "Every kind needs `date` and `amount` and may have a `note`. What else it needs, may have and refuses:\n\n"
    + rules.members_table()
)
AnswerStatement = Callable[[Request, schemas.StatementQuery], Awaitable[Response]]
EntryCode = Annotated[str, openapi.code_in_path("Code of the entry.", "L-000006", packaged=False)]


@router.post(
    "/ledger",
    tags=[TAG.name],
    response_model=schemas.LedgerEntry,
    summary="Enter an entry into the ledger",
    description=(
        "Write one entry; with a deposit also that of the administrative agent's fee, 1 % of it, and for a commitment"
        " in another currency that of the exchange difference. An entry is never changed: correct or reverse it where"
        f" it is wrong. {MEMBERS}"
    ),
    **openapi.write(created=True),
)
async def create_ledger_entry(
    request: WriteRequest,
    sent: Annotated[schemas.LedgerEntrySent, openapi.example(schemas.DEPOSIT)],
    who: FundingWriter,
    query: WriteParameters,
) -> Response:
    """The entry, and with a deposit the entry of the agent's fee."""
    idempotency_key(request)
    (entry,) = commands.entries_of(who, [sent])
    if isinstance(entry, Forbidden):
        raise entry

    async def write_one(write: Write) -> Created:
        (result,) = await commands.enter(write, [entry], request.app.state.settings)
        if isinstance(result, ProblemError):
            raise result
        return Created(queries.LEDGER, result)

    return await answer_write(request, who, query, write_one, reason=sent.note)


@router.post(
    "/ledger/batch",
    tags=[TAG.name],
    response_model=BatchReport,
    summary="Enter several entries into the ledger",
    description=f"Write entries in their order, all of them or none; with `partial` those without errors. {MEMBERS}",
    **openapi.write(),
)
async def create_ledger_entries(
    request: WriteRequest,
    sent: Annotated[schemas.LedgerEntryBatch, openapi.example({"entries": [schemas.DEPOSIT]})],
    who: FundingWriter,
    query: BatchParameters,
) -> Response:
    """The report of the batch, row by row."""
    idempotency_key(request)
    entries = commands.entries_of(who, sent.entries)
    refused = [entry for entry in entries if isinstance(entry, Forbidden)]
    if len(refused) == len(entries):
        # From the token alone: no writer waits for it.
        return response_of(batch_report(query, refused, "/entries"))

    async def write_all(write: Write) -> Answer:
        partial, settings = query.partial == "true", request.app.state.settings
        results = await commands.enter(write, entries, settings, partial=partial, own_reasons=True)
        return batch_report(query, results, "/entries")

    return await answer_write(request, who, query, write_all, reason="a batch of entries")


@router.post(
    "/ledger/{code}/reversal",
    tags=[TAG.name],
    response_model=schemas.LedgerEntry,
    summary="Reverse a ledger entry",
    **openapi.write(created=True, missing=True),
)
async def reverse_ledger_entry(
    request: WriteRequest,
    code: EntryCode,
    sent: Annotated[schemas.LedgerReversalSent, openapi.example(schemas.REVERSAL)],
    who: FundingWriter,
    query: WriteParameters,
) -> Response:
    """Write an entry with the opposite amount, which cannot be reversed itself; enter anew what was right.

    The reversed entry is amended in the same write: it names the reversal in `reversed_by`, and its `updated` and
    `ETag` are new.
    """
    return await answer_write(
        request, who, query, lambda write: commands.reverse(write, who, code, sent), reason=sent.reason
    )


@router.post(
    "/ledger/{code}/correction",
    tags=[TAG.name],
    response_model=schemas.LedgerEntry,
    summary="Correct a ledger entry",
    description=(
        "Reverse a wrong entry and write the right one in its place, in one write. What follows the wrong one rests on"
        " the right one from then on, so that a mistyped commitment is put right without its deposits. With a deposit"
        " the agent's fee and the exchange difference are reversed and written anew, and with a commitment the exchange"
        f" differences that change. The kind stays the same. {MEMBERS}"
    ),
    **openapi.write(created=True, missing=True),
)
async def correct_ledger_entry(
    request: WriteRequest,
    code: EntryCode,
    sent: Annotated[schemas.LedgerCorrectionSent, openapi.example(schemas.CORRECTION)],
    who: FundingWriter,
    query: WriteParameters,
) -> Response:
    """The entry that takes the place of the wrong one, which names it in `replaced_by`."""
    idempotency_key(request)
    (entry,) = commands.entries_of(who, [sent])
    if isinstance(entry, Forbidden):
        raise entry
    settings = request.app.state.settings
    return await answer_write(
        request, who, query, lambda write: commands.correct(write, who, code, sent, entry, settings), reason=sent.reason
    )


add_listing(
    router,
    queries.LEDGER,
    tag=TAG,
    plural="ledger entries",
    about="A movement of the Fund's money, from pledge to expenditure, or the entry that reverses one.",
    example="L-000002",
    packaged=False,
)


@router.post(
    "/contributors",
    tags=[CONTRIBUTIONS_TAG.name],
    response_model=Contributor,
    summary="Add a contributor",
    **openapi.write(created=True),
)
async def create_contributor(
    request: WriteRequest,
    sent: Annotated[schemas.ContributorSent, openapi.example(schemas.CONTRIBUTOR)],
    who: FundingWriter,
    query: WriteParameters,
) -> Response:
    """Add who gives to the Fund to the list. For the administrative agent or the Fund's management unit."""
    if not (who.has_role(AGENT) or who.has_role(MANAGEMENT_UNIT)):
        raise Forbidden("Contributors are listed by the administrative agent or the Fund's management unit.")
    return await answer_write(request, who, query, lambda write: commands.add_contributor(write, sent), reason="listed")


def _add_statement(
    path: str,
    name: str,
    model: type[BaseModel],
    answer: AnswerStatement,
    about: str,
    columns: list[str],
    summary: str,
    headers: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    async def statement(
        request: PublicReadRequest, query: Annotated[schemas.StatementQuery, StrictQuery()]
    ) -> Response:
        return await answer(request, query)

    router.add_api_route(
        path,
        statement,
        name=name,
        tags=[STATEMENTS_TAG.name],
        response_model=model,
        summary=summary,
        description=f"{about} `text/csv` has a row for each line or item, and no sums over them.",
        **openapi.read(media=openapi.TABLE, headers=headers, texts=openapi.table(columns)),
    )


def _add_statements(path: str, name: str, listed: statements.PartyStatements, summary: str) -> None:
    _add_statement(
        path,
        name,
        listed.page,
        partial(statements.answer_parties, statements=listed),
        listed.about,
        columns_of(listed.item),
        summary,
        age_headers(listed.ages),
    )


_add_statement(
    "/statement",
    "get_fund_statement",
    schemas.FundStatement,
    statements.answer_fund,
    str(statements.answer_fund.__doc__),
    statements.FUND_COLUMNS,
    "Get the statement of the Fund",
)
_add_statements(
    "/statement/contributors",
    "list_contributor_statements",
    statements.CONTRIBUTORS,
    "List the statements of contributors",
)
_add_statements(
    "/statement/programmes",
    "list_programme_statements",
    statements.PROGRAMMES,
    "List the statements of programmes",
)
_add_statements(
    "/statement/organizations",
    "list_organization_statements",
    statements.ORGANIZATIONS,
    "List the statements of organizations",
)
_add_statements(
    "/statement/commitments",
    "list_outstanding_commitments",
    statements.COMMITMENTS,
    "List outstanding commitments",
)


@router.get(
    "/copies",
    tags=[STATEMENTS_TAG.name],
    response_model=ReplicatedCopies,
    summary="Get the state of the ledger's copy of the catalogue",
    dependencies=[NO_PARAMETERS],
    **openapi.plain(stored=True),
)
async def get_funding_replication_status(request: PublicRequest) -> Response:
    """How complete the copy of the catalogue is, and how old; entries are checked against it, and statements show its
    budgets.
    """
    return await answer_copies(request, statements.AGES)


add_card(
    router,
    "funding",
    schemas.FundingProgrammeCard,
    statements.programme_card,
    title="Ledger",
    tag=STATEMENTS_TAG,
    about="A programme's statement: what it was allocated, received and spent, beside its budget in the catalogue.",
    known=codes_named_in("ledger_entry", "programme"),
    unknown="No entry names programme {}",
    example="ETH-01",
    packaged=False,
)


@router.get(
    "/capitalization",
    tags=[STATEMENTS_TAG.name],
    response_model=schemas.Capitalization,
    summary="Get the capitalization over time",
    **openapi.read(media=openapi.TABLE, texts=openapi.table(columns_of(schemas.CapitalizationPeriod))),
)
async def get_capitalization_over_time(
    request: PublicReadRequest, query: Annotated[schemas.CapitalizationQuery, StrictQuery()]
) -> Response:
    """What was pledged, committed and deposited in all up to the end of each period, and its share of the targets."""
    return await statements.answer_capitalization(request, query)
