"""The routes of accounting periods: the list of them, and the commands of the administrative agent."""

from __future__ import annotations

from typing import Annotated, Any

from starlette.responses import Response

from mmptf_common.http import openapi
from mmptf_common.http.headers import ChangeRequest, WriteRequest
from mmptf_common.routers.lists import add_listing
from mmptf_common.writes.commands import WriteParameters, answer_write
from mmptf_funding.access import FundingWriter
from mmptf_funding.periods import commands, schemas
from mmptf_funding.periods.queries import PERIODS

router = openapi.Router()
TAG = openapi.Tag(
    "Periods",
    "The accounting periods of the ledger: a closed one takes no entry, and of a certified one the certified figures"
    " stand beside those that the ledger gives.",
)


def _code(example: str) -> Any:
    return openapi.code_of("accounting period", PERIODS.path, example, packaged=False)


PeriodCode = Annotated[str, _code("2022")]
ClosedCode = Annotated[str, _code("2023")]
OpenCode = Annotated[str, _code("2024")]


@router.post(
    "/periods",
    tags=[TAG.name],
    response_model=schemas.AccountingPeriod,
    summary="Open an accounting period",
    **openapi.write(created=True),
)
async def open_accounting_period(
    request: WriteRequest,
    sent: Annotated[schemas.PeriodSent, openapi.example(schemas.PERIOD)],
    who: FundingWriter,
    query: WriteParameters,
) -> Response:
    """Open the period after the last one; the first begins on any day. For the administrative agent."""
    commands.require_agent(who)
    return await answer_write(
        request, who, query, lambda write: commands.open_period(write, who, sent), reason=sent.reason
    )


@router.post(
    "/periods/{code}/closing",
    tags=[TAG.name],
    response_model=schemas.AccountingPeriod,
    summary="Close an accounting period",
    **openapi.write(changes=True),
)
async def close_accounting_period(
    request: ChangeRequest,
    code: OpenCode,
    sent: Annotated[schemas.PeriodClosingSent, openapi.example(schemas.CLOSING)],
    who: FundingWriter,
    query: WriteParameters,
) -> Response:
    """Close a period that has ended, once all earlier ones are closed: from then on no entry and no reversal is dated
    in it or before it. For the administrative agent.
    """
    commands.require_agent(who)
    return await answer_write(
        request,
        who,
        query,
        lambda write: commands.close_period(write, who, code, sent.reason),
        reason=sent.reason,
        changes=(PERIODS, code),
    )


@router.post(
    "/periods/{code}/reopening",
    tags=[TAG.name],
    response_model=schemas.AccountingPeriod,
    summary="Open a closed accounting period again",
    **openapi.write(changes=True),
)
async def reopen_accounting_period(
    request: ChangeRequest,
    code: ClosedCode,
    sent: Annotated[schemas.PeriodReopeningSent, openapi.example(schemas.REOPENING)],
    who: FundingWriter,
    query: WriteParameters,
) -> Response:
    """Open the last closed period again; a certified one is never opened again. For the administrative agent."""
    commands.require_agent(who)
    return await answer_write(
        request,
        who,
        query,
        lambda write: commands.reopen_period(write, who, code, sent.reason),
        reason=sent.reason,
        changes=(PERIODS, code),
    )


@router.post(
    "/periods/{code}/certification",
    tags=[TAG.name],
    response_model=schemas.AccountingPeriod,
    summary="Certify an accounting period",
    **openapi.write(changes=True),
)
async def certify_accounting_period(
    request: ChangeRequest,
    code: ClosedCode,
    sent: Annotated[schemas.CertificationSent, openapi.example(schemas.CERTIFICATION)],
    who: FundingWriter,
    query: WriteParameters,
) -> Response:
    """Store the certified figures of a closed period, with the document and who has signed it. They may differ from
    those that the ledger gives, and never change. For the administrative agent.
    """
    commands.require_agent(who)
    return await answer_write(
        request,
        who,
        query,
        lambda write: commands.certify_period(write, who, code, sent),
        reason=sent.document.title,
        changes=(PERIODS, code),
    )


@router.post(
    "/periods/{code}/explanations",
    tags=[TAG.name],
    response_model=schemas.AccountingPeriod,
    summary="Explain a certified figure",
    **openapi.write(changes=True),
)
async def explain_certified_figure(
    request: ChangeRequest,
    code: PeriodCode,
    sent: Annotated[schemas.FigureExplanationSent, openapi.example(schemas.EXPLANATION)],
    who: FundingWriter,
    query: WriteParameters,
) -> Response:
    """Say why a certified figure differs from the one that the ledger gives. For the administrative agent."""
    commands.require_agent(who)
    return await answer_write(
        request,
        who,
        query,
        lambda write: commands.explain_figure(write, code, sent),
        reason=sent.explanation,
        changes=(PERIODS, code),
    )


add_listing(
    router,
    PERIODS,
    tag=TAG,
    about="A period of the ledger: when it begins and ends, whether it is open, closed or certified, and by whom.",
    example="2022",
    packaged=False,
)
