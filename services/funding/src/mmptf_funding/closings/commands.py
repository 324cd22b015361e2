"""Commands on financial closing: certify the final figures of a programme, and withdraw a certificate."""

from __future__ import annotations

import datetime

from mmptf_common.http.identity import Identity
from mmptf_common.lists.codes import codes_in, unknown_in
from mmptf_common.storage.journal import Write
from mmptf_common.storage.records import put, submission
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import Conflict, ErrorDetail, InvalidRequest, error_detail, raise_if_any
from mmptf_common.wire.stored_records import whole_record
from mmptf_common.writes.commands import Created, row_of
from mmptf_funding.closings import rules
from mmptf_funding.closings.domain import Closing, ProgrammeAccount
from mmptf_funding.closings.queries import CLOSINGS, fetch_account
from mmptf_funding.closings.schemas import ClosingWithdrawalSent, FinancialClosingSent
from mmptf_funding.ledger.programmes import Programme
from mmptf_funding.models import ClosingRow, ProgrammeRow


async def certify(write: Write, who: Identity, sent: FinancialClosingSent) -> Created:
    """Certify the final figures of a programme whose money is settled.

    Raises InvalidRequest for an unknown programme, one that has not ended, and figures that are not those of the
    ledger; Conflict where the figures are certified already, or something is not settled.
    """
    row = await write.session.get(ProgrammeRow, sent.programme)
    if row is None:
        known, listed_at = codes_in("programme"), "/catalog/v1/programmes"
        error = await unknown_in(write.connection, "/programme", sent.programme, known, listed_at=listed_at)
        raise InvalidRequest([error])
    programme = Programme.model_validate(row.record)
    stored = await write.session.get(ClosingRow, programme.code)
    if stored and stored.state == "certified":
        raise Conflict(f"The final figures of {programme.code} are certified already.", code=ProblemCode.CODE_TAKEN)
    account = await fetch_account(write.connection.fetch, programme.code)
    raise_if_any(await _unknown_organizations(write, sent, account))
    figures = tuple(each.figures() for each in sent.figures)
    promised = tuple(each.promised() for each in sent.promised_refunds)
    day = datetime.date.fromisoformat(sent.date)
    errors = rules.status_errors(programme)
    errors += rules.certificate_errors(account, figures, promised, day, write.at.date())
    raise_if_any(errors)
    if left := rules.open_amounts(account, promised):
        raise Conflict(
            f"{programme.code} is not settled: {' '.join(gap.detail for gap in left)}",
            code=ProblemCode.NOT_SETTLED,
            errors=[error_detail(ProblemCode.NOT_SETTLED, gap.detail, pointer="/programme") for gap in left],
        )
    closing = Closing(
        code=programme.code,
        state="certified",
        date=day,
        document=sent.document,
        signatory=sent.signatory,
        figures=figures,
        promised_refunds=promised,
        reason=None,
        recorded_by=who.organization,
        sources=(submission(write, f"{CLOSINGS.path}/{programme.code}", "figures", sent.document),),
        updated=write.at,
    )
    await put(write, [closing_row(closing)])
    return Created(CLOSINGS, programme.code)


async def _unknown_organizations(
    write: Write, sent: FinancialClosingSent, account: ProgrammeAccount
) -> list[ErrorDetail]:
    """An error for each organization that neither the catalogue lists nor an entry for the programme names."""
    named = [(f"/figures/{n}/organization", each.organization) for n, each in enumerate(sent.figures)]
    named += [
        (f"/promised_refunds/{n}/organization", each.organization) for n, each in enumerate(sent.promised_refunds)
    ]
    codes = sorted({code for _, code in named} - account.organizations.keys())
    rows = await write.connection.fetch("SELECT code FROM organization WHERE code = ANY($1::text[])", codes)
    unknown = {*codes} - {row["code"] for row in rows}
    known, listed_at = codes_in("organization"), "/catalog/v1/organizations"
    return [
        await unknown_in(write.connection, pointer, code, known, listed_at=listed_at)
        for pointer, code in named
        if code in unknown
    ]


async def withdraw(write: Write, code: str, sent: ClosingWithdrawalSent) -> None:
    """Withdraw a certificate; raises Conflict where it does not hold, or the catalogue has closed the programme."""
    row = await row_of(write, ClosingRow, CLOSINGS, code)
    closing = whole_record(Closing, row.record)
    if closing.state == "withdrawn":
        raise Conflict(f"The certificate of {code} is withdrawn already.", code=ProblemCode.NOT_AMENDABLE)
    known = await write.session.get(ProgrammeRow, code)
    if known and Programme.model_validate(known.record).status == "financially_closed":
        raise Conflict(f"{code} is financially closed, and its certificate stays.", code=ProblemCode.NOT_AMENDABLE)
    withdrawn = closing.model_copy(update={"state": "withdrawn", "reason": sent.reason, "updated": write.at})
    await put(write, [closing_row(withdrawn)])


def closing_row(closing: Closing) -> ClosingRow:
    """The row of a certificate."""
    return ClosingRow(
        code=closing.code,
        state=closing.state,
        date=closing.date,
        updated=closing.updated,
        record=closing.model_dump(mode="json"),
    )
