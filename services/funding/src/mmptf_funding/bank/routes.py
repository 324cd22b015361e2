"""The routes of bank reconciliation, for the administrative agent, who writes, and the Fund's management unit."""

from typing import Annotated

from starlette.responses import Response

from mmptf_common.http import conditional, openapi
from mmptf_common.http.headers import AmendRequest, ChangeRequest, ReadRequest, WriteRequest
from mmptf_common.http.identity import Identity, PublicRequest
from mmptf_common.http.parameters import NO_PARAMETERS, StrictQuery
from mmptf_common.lists.listing import Listing
from mmptf_common.routers.lists import add_listing
from mmptf_common.storage.journal import Write
from mmptf_common.wire.problems import Forbidden, ProblemError
from mmptf_common.writes.bodies import CSV, import_place, media_type_of, received
from mmptf_common.writes.commands import (
    Answer,
    BatchParameters,
    BatchReport,
    WriteParameters,
    answer_write,
    batch_report,
    idempotency_key,
)
from mmptf_funding.access import AGENT_AND_UNIT, AgentOrUnit, FundingWriter
from mmptf_funding.bank import commands, queries, schemas
from mmptf_funding.bank import reconciliation_schemas as reconciliation
from mmptf_funding.bank.domain import StatedStatement
from mmptf_funding.bank.reading import statements_of
from mmptf_funding.imports.template import TEMPLATE
from mmptf_funding.roles import AGENT

router = openapi.Router()
TAG = openapi.Tag(
    "Bank reconciliation",
    "Bank accounts and their statements beside the ledger: import, match, and see what only one side has.",
)
STATEMENTS_PATH = queries.STATEMENTS.path
# The largest statement that is read; a bank's statement of a busy month has a tenth of it.
MAX_STATEMENT = 8 * 1024 * 1024
XML, TEXT_XML = "application/xml", "text/xml"

MatchCode = Annotated[str, openapi.code_of("bank match", queries.MATCHES.path, "M-000001", packaged=False)]
AccountCode = Annotated[str, openapi.code_of("bank account", queries.ACCOUNTS.path, "USD-MAIN", packaged=False)]


def _require_agent(who: Identity) -> None:
    if not who.has_role(AGENT):
        raise Forbidden("Bank accounts, statements and matches are written by the administrative agent.")


def _add_list(listing: Listing, noun: str, plural: str, about: str, example: str) -> None:
    # They have the accounts of those who paid and were paid, and what these wrote; nothing of them is public.
    add_listing(
        router,
        listing,
        tag=TAG,
        noun=noun,
        plural=plural,
        about=about,
        example=example,
        packaged=False,
        readers=AGENT_AND_UNIT,
    )


# --- accounts -------------------------------------------------------------------------------------------------------


@router.post(
    "/bank-accounts",
    tags=[TAG.name],
    response_model=schemas.BankAccount,
    summary="List a bank account of the Fund",
    **openapi.write(created=True),
)
async def create_bank_account(
    request: WriteRequest,
    sent: Annotated[schemas.BankAccountSent, openapi.example(schemas.ACCOUNT)],
    who: FundingWriter,
    query: WriteParameters,
) -> Response:
    """Add an account, so that its statements can be imported. For the administrative agent.

    Entries of the ledger belong to it that name its code or its number, in any case; where it is the only account, also
    those that name none. From the first account on, entries name a listed one or none; those of before stay as they
    are, and a reconciliation tells which of them name no listed account (`without_account`).
    """
    _require_agent(who)
    return await answer_write(request, who, query, lambda write: commands.add_account(write, sent), reason="listed")


@router.patch(
    "/bank-accounts/{code}",
    tags=[TAG.name],
    response_model=schemas.BankAccount,
    summary="Amend a bank account",
    **openapi.write(changes=True),
)
async def amend_bank_account(
    request: AmendRequest,
    code: AccountCode,
    sent: Annotated[schemas.BankAccountPatch, openapi.example({"name": "Main account of the Fund"})],
    who: FundingWriter,
    query: WriteParameters,
) -> Response:
    """Change the name of an account or of its bank. For the administrative agent."""
    _require_agent(who)
    return await answer_write(
        request,
        who,
        query,
        lambda write: commands.amend_account(write, code, sent),
        reason="amended",
        changes=(queries.ACCOUNTS, code),
    )


_add_list(
    queries.ACCOUNTS,
    "bank account",
    "bank accounts",
    "An account of the Fund at a bank.",
    "USD-MAIN",
)


# --- statements -----------------------------------------------------------------------------------------------------


@router.get(
    "/bank-statements/template",
    tags=[TAG.name],
    response_class=Response,
    summary="Get the template of a bank statement",
    dependencies=[NO_PARAMETERS],
    **openapi.plain(only=(CSV,)),
)
async def get_bank_statement_template(request: PublicRequest) -> Response:
    """The header of a bank statement as CSV, for banks that send no camt.053: one row for each booked entry, with the
    columns of the statement repeated; one row without an entry where nothing was booked.
    """
    headers = {
        "Content-Type": CSV,
        "Content-Disposition": 'attachment; filename="bank-statement.csv"',
        "Cache-Control": "no-store",
    }
    return Response(TEMPLATE.header("bank-statement").encode(), headers=headers)


@router.post(
    "/bank-statements",
    tags=[TAG.name],
    response_model=schemas.StatementImportReport,
    summary="Import bank statements",
    **openapi.write(media={CSV: schemas.STATEMENT, XML: schemas.CAMT, TEXT_XML: schemas.CAMT}),
)
async def import_bank_statements(request: WriteRequest, who: FundingWriter, query: WriteParameters) -> Response:
    """Import the statements of a file: ISO 20022 camt.053 from version 001.02 on, or the template's CSV. For the
    administrative agent.

    The account is recognized by its IBAN or number. A statement whose entries do not lead from its opening to its
    closing balance, that has days in common with another one, or that does not begin with the balance of the day
    before is refused; all of the file is written, or nothing. A statement that was imported before is `known`, in
    whatever form it is sent again. Days without a statement are told in `gaps`.
    """
    _require_agent(who)
    media = media_type_of(request, CSV, XML, TEXT_XML)
    async with received(request) as (file, digest), import_place():
        stated: list[StatedStatement] | ProblemError
        try:
            stated = await statements_of(file, is_csv=media == CSV, gone=request.is_disconnected)
        except ProblemError as problem:
            stated = problem

        async def import_file(write: Write) -> Answer:
            # Where the same was imported before, its answer is given again, whatever is wrong by now.
            if isinstance(stated, ProblemError):
                raise stated
            imported = await commands.import_statements(write, stated, "csv" if media == CSV else "camt.053")
            is_dry = query.dry_run == "true"
            revision = None if is_dry else await write.revision()
            return Answer(schemas.StatementImportReport(dry_run=is_dry, statements=imported, revision=revision))

        return await answer_write(request, who, query, import_file, reason="import of bank statements", digest=digest)


_add_list(
    queries.STATEMENTS,
    "bank statement",
    "bank statements",
    "A statement of a bank account, with its balances.",
    "S-000001",
)


# --- entries --------------------------------------------------------------------------------------------------------


_add_list(
    queries.ENTRIES,
    "bank entry",
    "bank entries",
    "A movement of a bank account, as the bank has booked it, with the match that reconciles it.",
    "B-000001",
)


# --- matches --------------------------------------------------------------------------------------------------------


@router.post(
    "/bank-matches",
    tags=[TAG.name],
    response_model=BatchReport,
    summary="Confirm matches of bank entries with ledger entries",
    **openapi.write(),
)
async def confirm_bank_matches(
    request: WriteRequest,
    sent: Annotated[schemas.BankMatchBatch, openapi.example({"matches": [schemas.MATCH]})],
    who: FundingWriter,
    query: BatchParameters,
) -> Response:
    """Reconcile bank entries with the ledger entries that are the same money, all of them or none; with `partial` those
    without errors. For the administrative agent.

    The ledger entries of a match add up to its bank entry, to the cent, in the account's currency. No entry has two
    confirmed matches. A match of entries of a closed period counts from the first open day.
    """
    idempotency_key(request)
    _require_agent(who)

    async def write_all(write: Write) -> Answer:
        results = await commands.confirm(write, who, sent.matches, partial=query.partial == "true")
        return batch_report(query, results, "/matches")

    return await answer_write(request, who, query, write_all, reason="reconciled")


@router.post(
    "/bank-matches/{code}/cancellation",
    tags=[TAG.name],
    response_model=schemas.BankMatch,
    summary="Cancel a match",
    **openapi.write(changes=True),
)
async def cancel_bank_match(
    request: ChangeRequest,
    code: MatchCode,
    sent: Annotated[schemas.MatchCancellationSent, openapi.example(schemas.CANCELLATION)],
    who: FundingWriter,
    query: WriteParameters,
) -> Response:
    """Undo a match that was wrong, and say why; its entries can be matched anew. One that counts in a closed period
    stays. For the administrative agent.
    """
    _require_agent(who)
    return await answer_write(
        request,
        who,
        query,
        lambda write: commands.cancel(write, code, sent),
        reason=sent.reason,
        changes=(queries.MATCHES, code),
    )


_add_list(
    queries.MATCHES,
    "bank match",
    "bank matches",
    "That a bank entry and ledger entries are the same money.",
    "M-000001",
)


# --- reconciliation -------------------------------------------------------------------------------------------------


@router.get(
    "/reconciliation/{account}",
    tags=[TAG.name],
    response_model=reconciliation.BankReconciliation,
    summary="Get the reconciliation of a bank account",
    **openapi.read(media=openapi.TABLE, texts=openapi.table(queries.RECONCILIATION_COLUMNS), missing=True),
)
async def get_reconciliation(
    request: ReadRequest,
    account: AccountCode,
    who: AgentOrUnit,
    query: Annotated[reconciliation.ReconciliationQuery, StrictQuery()],
) -> Response:
    """The balance of an account by the ledger and by the bank on a day, what is matched, what only one of them has, and
    what is left unexplained, to the cent. For the administrative agent and the Fund's management unit.

    `text/csv` has a row for each balance and each entry that only one side has.
    """
    return conditional.private(await queries.answer_reconciliation(request, account, query))


@router.get(
    "/reconciliation/{account}/proposals",
    tags=[TAG.name],
    response_model=reconciliation.MatchProposals,
    summary="Propose matches for a bank account",
    **openapi.read(media=openapi.TABLE, texts=openapi.table(queries.PROPOSAL_COLUMNS), missing=True),
)
async def get_match_proposals(
    request: ReadRequest,
    account: AccountCode,
    who: AgentOrUnit,
    query: Annotated[reconciliation.ProposalQuery, StrictQuery()],
) -> Response:
    """Ledger entries that may be the same money as bank entries without a match: by reference, amount and day; several
    with one reference where they add up. For the administrative agent and the Fund's management unit.
    """
    return conditional.private(await queries.answer_proposals(request, account, query))
