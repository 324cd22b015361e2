"""The route by which ledger entries of earlier years come in, for the Fund's management unit."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, BinaryIO

from starlette.responses import Response

from mmptf_common.http import openapi
from mmptf_common.http.headers import WriteRequest
from mmptf_common.http.identity import Identity
from mmptf_common.http.parameters import StrictQuery
from mmptf_common.storage.journal import Write
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import Forbidden, InvalidRequest, ProblemError, error_detail
from mmptf_common.wire.tables import ImportErrors
from mmptf_common.writes.bodies import CSV, XLSX, import_place, media_type_of, received
from mmptf_common.writes.commands import Answer, answer_write
from mmptf_common.writes.reading import Gone
from mmptf_funding.access import FundingWriter
from mmptf_funding.imports import ledger_commands, ledger_rows, schemas
from mmptf_funding.imports.ledger_rows import LedgerRow
from mmptf_funding.imports.reading import ledger_tables_of
from mmptf_funding.ledger.routes import TAG
from mmptf_funding.roles import MANAGEMENT_UNIT

router = openapi.Router()
PATH = "/funding/v1/imports/ledger"


@router.post(
    "/imports/ledger",
    tags=[TAG.name],
    response_model=schemas.LedgerImportReport,
    summary="Import ledger entries of earlier years",
    **openapi.write(media={CSV: schemas.LEDGER_EXAMPLE, XLSX: None}),
)
async def import_ledger_entries(
    request: WriteRequest, who: FundingWriter, query: Annotated[schemas.LedgerImportQuery, StrictQuery()]
) -> Response:
    """Import entries of any kind with their true dates: a workbook of the template with control totals by year and
    kind, or its CSV with `rows` and `total` of all, which a dry run alone may lack. For the Fund's management unit.

    Each row is checked as an entry that is sent to the ledger, and is one entry of the journal; all of them are
    written, or none. Rows are entered by date, and of one day in the order of the stages of money. With a deposit comes
    the fee of the agent, which therefore has no row. A row whose `id` was imported before is not entered again.
    """
    if not who.has_role(MANAGEMENT_UNIT):
        raise Forbidden("Entries of earlier years are imported by the Fund's management unit.")
    is_workbook = media_type_of(request, CSV, XLSX) == XLSX
    async with received(request) as (file, digest), import_place():
        errors = ImportErrors()
        rows: list[LedgerRow] | ProblemError
        try:
            rows = await _read(file, who, query, errors, is_workbook=is_workbook, gone=request.is_disconnected)
        except ProblemError as problem:
            rows = problem

        async def import_file(write: Write) -> Answer:
            # Where the same was imported before, its answer is given again, whatever is wrong by now.
            if isinstance(rows, ProblemError):
                raise rows
            report = await ledger_commands.import_entries(write, rows, request.app.state.settings, errors)
            if query.dry_run == "true":
                report = report.model_copy(update={"dry_run": True, "revision": None})
            return Answer(report)

        return await answer_write(
            request, who, query, import_file, reason="import of entries of earlier years", digest=digest
        )


async def _read(
    file: BinaryIO,
    who: Identity,
    query: schemas.LedgerImportQuery,
    errors: ImportErrors,
    *,
    is_workbook: bool,
    gone: Gone,
) -> list[LedgerRow]:
    """The rows of a file in the order in which they are entered; adds what is wrong with them and with its totals.

    Raises InvalidRequest where it cannot be read, has no rows, or has no control totals.
    """
    if not is_workbook and query.dry_run == "false" and (query.rows is None or query.total is None):
        raise InvalidRequest(
            [
                error_detail(
                    ProblemCode.MISSING_MEMBER,
                    f"{name}: a CSV of ledger entries needs this control total",
                    parameter=name,
                )
                for name in ("rows", "total")
                if getattr(query, name) is None
            ]
        )
    tables = await ledger_tables_of(file, workbook=is_workbook, gone=gone)
    rows = ledger_rows.read_rows(tables.get("ledger-entries", ()), who.organization, errors)
    if not (rows or errors.found):
        raise InvalidRequest([error_detail(ProblemCode.NOTHING_TO_IMPORT, "the file has no ledger entries")])
    if is_workbook:
        stated = ledger_rows.read_control_totals(tables.get("control-totals", ()), errors)
        if not errors.found:
            errors.add(ledger_rows.control_errors(rows, stated))
    elif not errors.found:
        actual = {"rows": len(rows), "total": sum((row.amount for row in rows), Decimal(0))}
        expected = {"rows": query.rows, "total": query.total and Decimal(query.total)}
        errors.add(
            error_detail(
                ProblemCode.TOTAL_DOES_NOT_MATCH,
                f"{name}: {expected[name]} is stated, and the rows have {actual[name]}",
                parameter=name,
            )
            for name in actual
            if expected[name] is not None and actual[name] != expected[name]
        )
    return rows
