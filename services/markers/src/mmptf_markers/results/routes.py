"""The routes of the results framework: indicators, reported values, and progress."""

from __future__ import annotations

from typing import Annotated

from starlette.responses import Response

from mmptf_common.http import openapi
from mmptf_common.http.headers import AmendRequest, ChangeRequest, PublicReadRequest, WriteRequest
from mmptf_common.http.parameters import StrictQuery
from mmptf_common.lists.tables import columns_of
from mmptf_common.routers.lists import add_listing
from mmptf_common.writes.commands import WriteParameters, answer_write
from mmptf_markers.access import AssessorOrReviewer
from mmptf_markers.indicator.queries import AGES_OF_COPIES
from mmptf_markers.results import commands, schemas
from mmptf_markers.results.queries import (
    REPORTED_VALUES,
    RESULTS_INDICATORS,
    ResultsProgressQuery,
    answer_progress,
)

router = openapi.Router()
TAG = openapi.Tag(
    "Results",
    "The results framework: indicators of the Fund and of programmes with baseline and targets, reported values, and"
    " how far they have come.",
)
IndicatorCode = Annotated[
    str, openapi.code_of("results indicator", RESULTS_INDICATORS.path, "ETH-01-people-trained", packaged=False)
]
ValueCode = Annotated[str, openapi.code_of("reported value", REPORTED_VALUES.path, "RV-000001", packaged=False)]


@router.get(
    "/results-progress",
    tags=[TAG.name],
    response_model=schemas.ResultsProgress,
    summary="Get the progress of indicators",
    **openapi.read(
        media=openapi.TABLE,
        conflicts=True,
        headers=AGES_OF_COPIES,
        texts=openapi.table(columns_of(schemas.IndicatorProgress)),
    ),
)
async def get_results_progress(
    request: PublicReadRequest, query: Annotated[ResultsProgressQuery, StrictQuery()]
) -> Response:
    """The value, the targets and the fraction of the way of each indicator, and how many indicators have a value.

    What is unreported is told as that: it counts nowhere as zero. `text/csv` has a row for each indicator.
    """
    return await answer_progress(request, query)


add_listing(
    router,
    RESULTS_INDICATORS,
    tag=TAG,
    about="An indicator of the Fund or of a programme, with baseline and targets. The target of a marker is one of"
    " them: it is `computed` from the indicator at `/markers/v1/indicator`, and of all others values are reported.",
    example="human-rights-90",
)


@router.post(
    "/results-indicators",
    tags=[TAG.name],
    response_model=schemas.ResultsIndicator,
    summary="Create an indicator",
    **openapi.write(created=True),
)
async def create_results_indicator(
    request: WriteRequest,
    sent: Annotated[schemas.ResultsIndicatorSent, openapi.example(schemas.EXAMPLE_INDICATOR)],
    who: AssessorOrReviewer,
    query: WriteParameters,
) -> Response:
    """Describe what is measured, from which baseline, and what is to be reached. Indicators of the Fund are for its
    management unit; those of a programme are for the organizations that take part in it, and the unit.
    """
    return await answer_write(request, who, query, lambda write: commands.create_indicator(write, who, sent))


@router.patch(
    "/results-indicators/{code}",
    tags=[TAG.name],
    response_model=schemas.ResultsIndicator,
    summary="Change an indicator",
    **openapi.write(changes=True),
)
async def amend_results_indicator(
    request: AmendRequest,
    code: IndicatorCode,
    sent: Annotated[schemas.ResultsIndicatorAmendment, openapi.example(schemas.EXAMPLE_INDICATOR_AMENDMENT)],
    who: AssessorOrReviewer,
    query: WriteParameters,
) -> Response:
    """Change the members that are sent; the others stay as they are, and unit and aggregation always do. For whoever
    may create it; a computed indicator is not changed.
    """
    return await answer_write(
        request,
        who,
        query,
        lambda write: commands.amend_indicator(write, who, code, sent),
        reason=sent.reason,
        changes=(RESULTS_INDICATORS, code),
    )


add_listing(
    router,
    REPORTED_VALUES,
    tag=TAG,
    about="A value of an indicator in a period, with its source and its parts, as an organization reported it.",
    example="RV-000001",
    packaged=False,
)


@router.post(
    "/reported-values",
    tags=[TAG.name],
    response_model=schemas.ReportedValue,
    summary="Report a value",
    **openapi.write(created=True),
)
async def report_value(
    request: WriteRequest,
    sent: Annotated[schemas.ReportedValueSent, openapi.example(schemas.EXAMPLE_VALUE)],
    who: AssessorOrReviewer,
    query: WriteParameters,
) -> Response:
    """Report the value of an indicator in a period that has no day in common with another value of it. For the
    organizations that take part in the programme, and the Fund's management unit, which alone reports for the Fund.
    """
    return await answer_write(request, who, query, lambda write: commands.report_value(write, who, sent))


@router.post(
    "/reported-values/{code}/correction",
    tags=[TAG.name],
    response_model=schemas.ReportedValue,
    summary="Correct a reported value",
    **openapi.write(changes=True),
)
async def correct_reported_value(
    request: ChangeRequest,
    code: ValueCode,
    sent: Annotated[schemas.ReportedValueCorrection, openapi.example(schemas.EXAMPLE_VALUE_CORRECTION)],
    who: AssessorOrReviewer,
    query: WriteParameters,
) -> Response:
    """Replace a value as a whole, with the reason; its history has what was there. For whoever may report it."""
    return await answer_write(
        request,
        who,
        query,
        lambda write: commands.correct_value(write, who, code, sent),
        reason=sent.reason,
        changes=(REPORTED_VALUES, code),
    )


@router.post(
    "/reported-values/{code}/withdrawal",
    tags=[TAG.name],
    response_model=schemas.ReportedValue,
    summary="Withdraw a reported value",
    **openapi.write(changes=True),
)
async def withdraw_reported_value(
    request: ChangeRequest,
    code: ValueCode,
    sent: Annotated[schemas.ReportedValueWithdrawal, openapi.example(schemas.EXAMPLE_VALUE_WITHDRAWAL)],
    who: AssessorOrReviewer,
    query: WriteParameters,
) -> Response:
    """Take back a value, so that it counts no longer and its days can be reported anew. For whoever may report it."""
    return await answer_write(
        request,
        who,
        query,
        lambda write: commands.withdraw_value(write, who, code, sent.reason),
        reason=sent.reason,
        changes=(REPORTED_VALUES, code),
    )
