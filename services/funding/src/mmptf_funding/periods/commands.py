"""Commands on accounting periods: open, close, open again, certify, and explain a difference."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlmodel import col

from mmptf_common.http.identity import Identity
from mmptf_common.storage.journal import Write
from mmptf_common.storage.records import put, submission
from mmptf_common.wire.attachments import Attachment
from mmptf_common.wire.money import Money
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import Conflict, Forbidden, raise_if_any
from mmptf_common.wire.stored_records import whole_record
from mmptf_common.writes.commands import Created, row_of
from mmptf_funding.ledger.domain import CURRENCY
from mmptf_funding.models import AccountingPeriodRow
from mmptf_funding.periods import rules, schemas
from mmptf_funding.periods.domain import PeriodStatus, Term
from mmptf_funding.periods.queries import PERIODS
from mmptf_funding.roles import AGENT


def require_agent(who: Identity) -> None:
    """Raise Forbidden for anyone but the administrative agent."""
    if not who.has_role(AGENT):
        raise Forbidden("Periods are opened, closed and certified by the administrative agent.")


async def open_period(write: Write, who: Identity, sent: schemas.PeriodSent) -> Created:
    """Open a new period after the last one; raises Conflict when the code is taken."""
    alike = sa.func.lower(col(AccountingPeriodRow.code)) == sent.code.lower()
    if taken := await write.session.scalar(sa.select(col(AccountingPeriodRow.code)).where(alike).limit(1)):
        raise Conflict(f"{taken} is a period already.", code=ProblemCode.CODE_TAKEN)
    terms = await _terms(write)
    start, end = date.fromisoformat(sent.start), date.fromisoformat(sent.end)
    raise_if_any(rules.opening_errors(start, end, terms[-1] if terms else None))
    period = schemas.AccountingPeriod(
        code=sent.code,
        start=start,
        end=end,
        status="open",
        steps=[],
        certification=None,
        sources=[submission(write, f"{PERIODS.path}/{sent.code}", "status")],
        updated=write.at,
    )
    await _store(write, _step(write, who, period, "open", sent.reason))
    return Created(PERIODS, sent.code)


async def close_period(write: Write, who: Identity, code: str, reason: str) -> None:
    """Close an open period that has ended, once all earlier ones are closed."""
    period = await _period(write, code)
    rules.require_closable(_term(period), await _terms(write), write.at.date())
    await _store(write, _step(write, who, period, "closed", reason))


async def reopen_period(write: Write, who: Identity, code: str, reason: str) -> None:
    """Open the last closed period again; a certified one stays as it is."""
    period = await _period(write, code)
    rules.require_reopenable(_term(period), await _terms(write))
    await _store(write, _step(write, who, period, "open", reason))


async def certify_period(write: Write, who: Identity, code: str, sent: schemas.CertificationSent) -> None:
    """Store the certified figures of a closed period with their document and signatory."""
    period = await _period(write, code)
    rules.require_certifiable(_term(period))
    day, lines = date.fromisoformat(sent.date), [figure.line for figure in sent.figures]
    raise_if_any(rules.certification_errors(day, lines, period.end, write.at.date()))
    certification = schemas.Certification(
        document=Attachment(**sent.document.model_dump()),
        signatory=schemas.CertificationSignatory(**sent.signatory.model_dump()),
        date=day,
        figures=[
            schemas.CertifiedFigure(
                line=figure.line,
                sum=Money(amount=figure.amount, currency=CURRENCY),
                as_printed=figure.as_printed,
                explanation=figure.explanation,
            )
            for figure in sent.figures
        ],
    )
    certified = _step(write, who, period, "certified", sent.document.title)
    source = submission(write, f"{PERIODS.path}/{code}", "certification", sent.document.title)
    await _store(
        write, certified.model_copy(update={"certification": certification, "sources": [*period.sources, source]})
    )


async def explain_figure(write: Write, code: str, sent: schemas.FigureExplanationSent) -> None:
    """Say why a certified figure differs from the computed one; the figure stays as it is."""
    period = await _period(write, code)
    rules.require_certified(_term(period))
    assert period.certification
    raise_if_any(rules.explanation_errors(sent.line, [figure.line for figure in period.certification.figures]))
    figures = [
        figure.model_copy(update={"explanation": sent.explanation}) if figure.line == sent.line else figure
        for figure in period.certification.figures
    ]
    certification = period.certification.model_copy(update={"figures": figures})
    await _store(write, period.model_copy(update={"certification": certification, "updated": write.at}))


def _step(
    write: Write, who: Identity, period: schemas.AccountingPeriod, status: PeriodStatus, reason: str | None
) -> schemas.AccountingPeriod:
    """The period with another status, and who gave it to it and why."""
    step = schemas.PeriodStep(status=status, at=write.at, recorded_by=who.organization, reason=reason)
    changes: dict[str, Any] = {"status": status, "steps": [*period.steps, step], "updated": write.at}
    return period.model_copy(update=changes)


async def _period(write: Write, code: str) -> schemas.AccountingPeriod:
    row = await row_of(write, AccountingPeriodRow, PERIODS, code)
    return whole_record(schemas.AccountingPeriod, row.record)


def _term(period: schemas.AccountingPeriod) -> Term:
    return Term(period.code, period.end, period.status)


async def _terms(write: Write) -> Sequence[Term]:
    """All periods, the earliest first."""
    rows = await write.connection.fetch("SELECT code, last_day, status FROM accounting_period ORDER BY last_day")
    return [Term(*row) for row in rows]


async def _store(write: Write, period: schemas.AccountingPeriod) -> None:
    row = AccountingPeriodRow(
        code=period.code,
        first_day=period.start,
        last_day=period.end,
        status=period.status,
        updated=period.updated,
        record=period.model_dump(mode="json"),
    )
    await put(write, [row])
