"""The routes of the portfolio: current grades, the indicator now and over time, criteria, actions, copies."""

from __future__ import annotations

from typing import Annotated

from starlette.responses import Response

from mmptf_common.feed.copies import ReplicatedCopies, answer_copies
from mmptf_common.http import openapi
from mmptf_common.http.headers import PublicReadRequest
from mmptf_common.http.identity import PublicRequest
from mmptf_common.http.parameters import NO_PARAMETERS, StrictQuery
from mmptf_common.lists.codes import codes_in
from mmptf_common.lists.pages import answer_list
from mmptf_common.lists.tables import columns_of
from mmptf_common.routers.cards import add_card
from mmptf_common.routers.lists import add_listing
from mmptf_markers.indicator import queries, schemas
from mmptf_markers.indicator.over_time import OverTimeQuery, answer_over_time
from mmptf_markers.indicator.standings import CURRENT_GRADES, CurrentGradeQuery
from mmptf_markers.indicator.targets import TARGETS

router = openapi.Router()
TAG = openapi.Tag(
    "Indicator",
    "How many programmes have the grades that a target asks for, now and over time; grades, answers, actions.",
)


@router.get(
    "/standings",
    tags=[TAG.name],
    response_model=schemas.CurrentGradePage,
    summary="List the current grades of programmes",
    **openapi.read(media=openapi.EXPORTS, texts=openapi.exports(CURRENT_GRADES.columns, CURRENT_GRADES.item)),
)
async def list_current_grades(
    request: PublicReadRequest, query: Annotated[CurrentGradeQuery, StrictQuery()]
) -> Response:
    """The grade of each programme under each marker: that of what was assessed last, or none.

    By pages; `text/csv` and `application/x-ndjson` are complete.
    """
    return await answer_list(request, CURRENT_GRADES, query)


@router.get(
    "/indicator",
    tags=[TAG.name],
    response_model=schemas.IndicatorAnswer,
    summary="Get the indicator of a target",
    **openapi.read(
        media=openapi.TABLE,
        conflicts=True,
        headers=queries.AGES_OF_COPIES,
        texts=openapi.table(columns_of(schemas.IndicatorGroup)),
    ),
)
async def get_indicator(
    request: PublicReadRequest, query: Annotated[queries.IndicatorQuery, StrictQuery()]
) -> Response:
    """How many programmes have the grades that a target asks for, whether that is enough, and their money.

    Programmes that are not assessed are counted apart, and are no failures.

    `Catalogue-Age` and `Ledger-Age` are the ages, in seconds, of the copies that the programmes and what was allocated
    to them are taken from. `text/csv` has a row for each group of `by`, and neither the whole nor the grades.
    """
    return await queries.answer_indicator(request, query)


@router.get(
    "/indicator/over-time",
    tags=[TAG.name],
    response_model=schemas.IndicatorOverTime,
    summary="Get the indicator over time",
    **openapi.read(media=openapi.TABLE, conflicts=True, texts=openapi.table(columns_of(schemas.IndicatorPeriod))),
)
async def get_indicator_over_time(
    request: PublicReadRequest, query: Annotated[OverTimeQuery, StrictQuery()]
) -> Response:
    """The indicator at the end of each period: by the day of what was assessed, or as it was known then."""
    return await answer_over_time(request, query)


@router.get(
    "/criteria",
    tags=[TAG.name],
    response_model=schemas.CriteriaSummaries,
    summary="Get the answers by criterion",
    **openapi.read(
        media=openapi.TABLE,
        headers=queries.AGES_OF_COPIES,
        texts=openapi.table(columns_of(schemas.CriterionSummary)),
    ),
)
async def get_answers_by_criterion(
    request: PublicReadRequest, query: Annotated[queries.CriteriaQuery, StrictQuery()]
) -> Response:
    """How the programmes answer each criterion, by the answers behind their current grades, the weakest first."""
    return await queries.answer_criteria(request, query)


@router.get(
    "/copies",
    tags=[TAG.name],
    response_model=ReplicatedCopies,
    summary="Get the state of the copied records",
    dependencies=[NO_PARAMETERS],
    **openapi.plain(stored=True),
)
async def get_markers_replication_status(request: PublicRequest) -> Response:
    """How complete the copies of the catalogue and the ledger are, and how old; programmes here come from them."""
    return await answer_copies(request, queries.AGES)


add_listing(
    router,
    TARGETS,
    tag=TAG,
    noun="indicator target",
    about="What a marker is to reach: the least share of programmes with certain grades, such as 90 % with A or B.",
    example="human-rights-90",
)
add_card(
    router,
    "markers",
    queries.MarkersProgrammeCard,
    queries.programme_card,
    title="Markers",
    tag=TAG,
    about="The current grade of a programme under each marker, whether another is under review, and open actions.",
    known=codes_in("programme"),
    unknown="No programme {} is known here",
    example="IRQ-JOR-LBN-01",
)
