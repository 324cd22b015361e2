"""The routes of contributions, contributors, targets, progress, printed figures and the stages of money."""

from __future__ import annotations

from typing import Annotated

from starlette.responses import Response

from mmptf_common.http import openapi
from mmptf_common.http.headers import PublicReadRequest
from mmptf_common.http.parameters import StrictQuery, TableQuery
from mmptf_common.routers.lists import add_listing
from mmptf_funding.contributions.queries import (
    CONTRIBUTIONS,
    CONTRIBUTORS,
    FACTS,
    MONEY_STAGES,
    PROGRESS_COLUMNS,
    TARGETS,
    answer_progress,
)
from mmptf_funding.contributions.schemas import CapitalizationProgress

router = openapi.Router()
TAG = openapi.Tag(
    "Contributions",
    "Who has given how much to the Fund, at which stage of money, and how much of its capitalization targets that is.",
)

add_listing(
    router,
    CONTRIBUTIONS,
    tag=TAG,
    about="What one contributor has given to the Fund in all up to a day, as printed, with stage of money and basis.",
    example="DEU-2024-01",
)
add_listing(
    router,
    CONTRIBUTORS,
    tag=TAG,
    about="Who gives to the Fund: a Member State, a foundation, or another organization.",
    example="DEU",
)
add_listing(
    router,
    TARGETS,
    tag=TAG,
    noun="capitalization target",
    about="What the Fund is to raise in all, and the review forum by which it is to be raised.",
    example="IMRF-2026",
)


@router.get(
    "/progress",
    tags=[TAG.name],
    summary="Get the progress towards the capitalization targets",
    response_model=CapitalizationProgress,
    **openapi.read(media=openapi.TABLE, texts=openapi.table(PROGRESS_COLUMNS)),
)
async def get_capitalization_progress(
    request: PublicReadRequest, query: Annotated[TableQuery, StrictQuery()]
) -> Response:
    """Contributions as an exact share of each capitalization target, one sum for each stage of money and basis."""
    return await answer_progress(request, query)


add_listing(
    router,
    FACTS,
    tag=TAG,
    noun="fund fact",
    about="A figure that the Fund publishes, beside what the contributions that are listed here give.",
    example="contributions-mobilised",
)
add_listing(
    router,
    MONEY_STAGES,
    tag=TAG,
    about="A stage of money, from what is asked for to what is spent; different stages are never added together.",
    example="contribution",
)
